/* SPDX-License-Identifier: MIT */
/*
 * Numbers and layouts of Linux's x86-64 socket calls, for all families (socket(2), socket(7),
 * send(2), recv(2), cmsg(3)).
 */
#ifndef TROUPE_PROTO_LINUX_SOCKET_H
#define TROUPE_PROTO_LINUX_SOCKET_H

#include <stdint.h>

enum {
	LX_AF_UNSPEC,
	LX_AF_UNIX,
	LX_AF_INET,
	LX_AF_INET6 = 10,
	LX_AF_NETLINK = 16,
	LX_AF_PACKET,
	LX_AF_MAX = 46
};
enum { LX_SOCK_STREAM = 1, LX_SOCK_DGRAM, LX_SOCK_RAW, LX_SOCK_RDM, LX_SOCK_SEQPACKET };
#define LX_SOCK_TYPE_MASK	0xfu
#define LX_SOCK_TYPES		10	/* the largest */
#define LX_SOCK_NONBLOCK	04000u
#define LX_SOCK_CLOEXEC		02000000u

#define LX_SOL_SOCKET	1

enum {
	LX_SO_DEBUG = 1,
	LX_SO_REUSEADDR,
	LX_SO_TYPE,
	LX_SO_ERROR,
	LX_SO_DONTROUTE,
	LX_SO_BROADCAST,
	LX_SO_SNDBUF,
	LX_SO_RCVBUF,
	LX_SO_KEEPALIVE,
	LX_SO_OOBINLINE,
	LX_SO_NO_CHECK,
	LX_SO_PRIORITY,
	LX_SO_LINGER,
	LX_SO_BSDCOMPAT,
	LX_SO_REUSEPORT,
	LX_SO_PASSCRED,
	LX_SO_PEERCRED,
	LX_SO_RCVLOWAT,
	LX_SO_SNDLOWAT,
	LX_SO_RCVTIMEO,
	LX_SO_SNDTIMEO,
	LX_SO_BINDTODEVICE = 25,
	LX_SO_PEERNAME = 28,
	LX_SO_TIMESTAMP = 29,
	LX_SO_ACCEPTCONN = 30,
	LX_SO_PEERSEC,
	LX_SO_SNDBUFFORCE,
	LX_SO_RCVBUFFORCE,
	LX_SO_PASSSEC,
	LX_SO_TIMESTAMPNS,
	LX_SO_MARK,
	LX_SO_TIMESTAMPING,
	LX_SO_PROTOCOL,
	LX_SO_DOMAIN,
	LX_SO_RXQ_OVFL,
	LX_SO_WIFI_STATUS,
	LX_SO_PEEK_OFF,
	LX_SO_NOFCS,
	LX_SO_LOCK_FILTER,
	LX_SO_SELECT_ERR_QUEUE,
	LX_SO_BUSY_POLL,
	LX_SO_MAX_PACING_RATE,
	LX_SO_BPF_EXTENSIONS,
	LX_SO_INCOMING_CPU,
	LX_SO_COOKIE = 57,
	LX_SO_PEERGROUPS = 59,
	LX_SO_ZEROCOPY,
	LX_SO_BINDTOIFINDEX = 62,
	LX_SO_RCVTIMEO_NEW = 66,
	LX_SO_SNDTIMEO_NEW = 67
};

enum { LX_SCM_RIGHTS = 1, LX_SCM_CREDENTIALS = 2, LX_SCM_MAX_FD = 253 };

#define LX_MSG_OOB		0x1u
#define LX_MSG_PEEK		0x2u
#define LX_MSG_DONTROUTE	0x4u
#define LX_MSG_CTRUNC		0x8u
#define LX_MSG_TRUNC		0x20u
#define LX_MSG_DONTWAIT		0x40u
#define LX_MSG_EOR		0x80u
#define LX_MSG_WAITALL		0x100u
#define LX_MSG_CONFIRM		0x800u
#define LX_MSG_ERRQUEUE		0x2000u
#define LX_MSG_NOSIGNAL		0x4000u
#define LX_MSG_MORE		0x8000u
#define LX_MSG_WAITFORONE	0x10000u
#define LX_MSG_ZEROCOPY		0x4000000u
#define LX_MSG_FASTOPEN		0x20000000u
#define LX_MSG_CMSG_CLOEXEC	0x40000000u

enum { LX_SHUT_RD, LX_SHUT_WR, LX_SHUT_RDWR };
#define LX_SOMAXCONN 4096u

#define LX_POLLIN	0x0001u
#define LX_POLLPRI	0x0002u
#define LX_POLLOUT	0x0004u
#define LX_POLLERR	0x0008u
#define LX_POLLHUP	0x0010u
#define LX_POLLRDHUP	0x2000u

struct lx_iovec {
	uint64_t base, size;
};
struct lx_msghdr {
	uint64_t name;
	int32_t name_size, pad;
	uint64_t iov, iov_count;
	uint64_t control, control_size;
	uint32_t flags, pad2;
};
_Static_assert(sizeof(struct lx_msghdr) == 56, "msghdr layout");
struct lx_mmsghdr {
	struct lx_msghdr header;
	uint32_t size, pad;
};
_Static_assert(sizeof(struct lx_mmsghdr) == 64, "mmsghdr layout");
struct lx_cmsghdr {
	uint64_t size;		/* with this header */
	int32_t level, type;
};
#define LX_CMSG_ALIGN(n) (((n) + 7) & ~(uint64_t)7)
struct lx_ucred {
	int32_t pid;
	uint32_t uid, gid;
};

#endif
