/* SPDX-License-Identifier: MIT */
/*
 * The functions of the numbers that are not about data (these are in message.h). main.c has the
 * table.
 */
#ifndef NETSTACK_CORE_SOCKET_CALLS_H
#define NETSTACK_CORE_SOCKET_CALLS_H

#include "request.h"

net_function in_socket, in_socketpair, in_bind, in_connect, in_listen, in_accept, in_accept4,
	in_getsockname, in_getpeername, in_shutdown, in_setsockopt, in_getsockopt, in_ioctl,
	in_fcntl, in_node, in_no_position, in_sendfile, in_close, in_dup;
/* K_MSG_DONE: the kernel has carried out a close that in_close() gave it. */
void closing_done(const struct k_message *m);
int socket_vfs_endpoint(void);
/* A socket of which only the description is left: its server died. */
int64_t socket_stale(struct net_request *r);

#endif
