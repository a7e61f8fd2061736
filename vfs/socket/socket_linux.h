/* SPDX-License-Identifier: MIT */
/* What AF_UNIX needs of Linux's ABI beside linux_socket.h (unix(7)). */
#ifndef VFS_SOCKET_LINUX_H
#define VFS_SOCKET_LINUX_H

#include "linux_socket.h"

#define LX_SIOCOUTQ	0x5411u
#define LX_SOCKFS_MAGIC	0x534f434bu
#define LX_IOV_MAX	1024u
#define LX_CONTROL_MAX	20480u

struct lx_sockaddr_un {
	uint16_t family;
	char path[108];
};
_Static_assert(sizeof(struct lx_sockaddr_un) == 110, "sockaddr_un layout");

#endif
