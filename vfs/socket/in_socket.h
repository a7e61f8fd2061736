/* SPDX-License-Identifier: MIT */
/* What the in_* files of sockets need of each other, and core/in_io.c of them. */
#ifndef VFS_SOCKET_IN_H
#define VFS_SOCKET_IN_H

#include "name.h"

/* Handle to the network server; -1: there is none. */
extern int request_network;

/* The socket in argument 0: -EBADF, -ENOTSOCK, or what request_file() gives. */
int64_t socket_file(struct request *r, struct socket **out);

/*
 * read, write and their v forms, which the kernel left to us; extra[1] of the message is EPIPE if
 * that is why.
 */
int64_t socket_read(struct request *r, struct socket *s);
int64_t socket_write(struct request *r, struct socket *s);
/* May bytes of a file go into it through its pipe? 0, or an answer. */
int64_t socket_sendfile(struct request *r, struct socket *s);
int64_t socket_ioctl(struct request *r, struct socket *s, uint32_t command);

#endif
