/* SPDX-License-Identifier: MIT */
/* Numbers and layouts of Linux's socket calls. */
#ifndef VFS_SOCKET_LINUX_H
#define VFS_SOCKET_LINUX_H

#include <stdint.h>

enum { LX_AF_UNSPEC = 0, LX_AF_UNIX = 1, LX_AF_INET = 2, LX_AF_INET6 = 10, LX_AF_NETLINK = 16, LX_AF_MAX = 46 };
enum { LX_SOCK_STREAM = 1, LX_SOCK_DGRAM = 2, LX_SOCK_RAW = 3, LX_SOCK_SEQPACKET = 5, LX_SOCK_MAX = 11 };
#define LX_SOCK_TYPE	0xfu
#define LX_SOCK_NONBLOCK 04000u
#define LX_SOCK_CLOEXEC	02000000u

#define LX_MSG_OOB	0x1u
#define LX_MSG_PEEK	0x2u
#define LX_MSG_CTRUNC	0x8u
#define LX_MSG_TRUNC	0x20u
#define LX_MSG_DONTWAIT	0x40u
#define LX_MSG_WAITALL	0x100u
#define LX_MSG_ERRQUEUE	0x2000u
#define LX_MSG_NOSIGNAL	0x4000u
#define LX_MSG_WAITFORONE 0x10000u
#define LX_MSG_CMSG_CLOEXEC 0x40000000u

#define LX_SOL_SOCKET	1
enum { LX_SCM_RIGHTS = 1, LX_SCM_CREDENTIALS = 2, LX_SCM_MAX_FD = 253 };

enum {
	LX_SO_DEBUG = 1, LX_SO_REUSEADDR, LX_SO_TYPE, LX_SO_ERROR, LX_SO_DONTROUTE, LX_SO_BROADCAST, LX_SO_SNDBUF, LX_SO_RCVBUF, LX_SO_KEEPALIVE,
	LX_SO_OOBINLINE, LX_SO_NO_CHECK, LX_SO_PRIORITY, LX_SO_LINGER, LX_SO_REUSEPORT = 15, LX_SO_PASSCRED, LX_SO_PEERCRED, LX_SO_RCVLOWAT, LX_SO_SNDLOWAT,
	LX_SO_RCVTIMEO, LX_SO_SNDTIMEO, LX_SO_TIMESTAMP = 29, LX_SO_ACCEPTCONN, LX_SO_SNDBUFFORCE = 32, LX_SO_RCVBUFFORCE, LX_SO_TIMESTAMPNS = 35, LX_SO_PROTOCOL = 38,
	LX_SO_DOMAIN = 39, LX_SO_PEERGROUPS = 59
};

#define LX_SIOCOUTQ	0x5411u
#define LX_SOMAXCONN	4096u
#define LX_SOCKFS_MAGIC	0x534f434bu
#define LX_IOV_MAX	1024u
#define LX_CONTROL_MAX	20480u

struct lx_ucred {
	uint32_t pid, uid, gid;
};

struct lx_sockaddr_un {
	uint16_t family;
	char path[108];
};
_Static_assert(sizeof(struct lx_sockaddr_un) == 110, "sockaddr_un layout");

struct lx_msghdr {
	uint64_t name;
	uint32_t name_size, pad;
	uint64_t iov, iov_count;
	uint64_t control, control_size;
	uint32_t flags, pad2;
};
_Static_assert(sizeof(struct lx_msghdr) == 56, "msghdr layout");

struct lx_mmsghdr {
	struct lx_msghdr header;
	uint32_t size, pad;
};

struct lx_cmsghdr {
	uint64_t size;		/* with this header */
	int32_t level, type;
};
#define LX_CMSG_ALIGN(n) (((n) + 7) & ~7ull)

#define LX_POLLIN	0x1u
#define LX_POLLOUT	0x4u
#define LX_POLLERR	0x8u
#define LX_POLLHUP	0x10u
#define LX_POLLRDHUP	0x2000u

#endif
