/* SPDX-License-Identifier: MIT */
/*
 * The parts of the Linux x86-64 ABI that internet sockets speak, beside linux_socket.h. Prefix LX_
 * or lx_, since lwIP and newlib have names of their own for some of them with other numbers, and
 * the host's headers define them all.
 */
#ifndef NETSTACK_CORE_LINUX_H
#define NETSTACK_CORE_LINUX_H

#include <stdint.h>

#include "linux_socket.h"

#define LX_O_RDWR		2u
#define LX_O_NONBLOCK		04000u

enum {
	LX_IPPROTO_IP = 0,
	LX_IPPROTO_ICMP = 1,
	LX_IPPROTO_IGMP = 2,
	LX_IPPROTO_TCP = 6,
	LX_IPPROTO_UDP = 17,
	LX_IPPROTO_IPV6 = 41,
	LX_IPPROTO_ICMPV6 = 58,
	LX_IPPROTO_UDPLITE = 136,
	LX_IPPROTO_RAW = 255
};

/* levels of socket options (beside the protocols) */
#define LX_SOL_NETLINK	270

enum {
	LX_IP_TOS = 1,
	LX_IP_TTL,
	LX_IP_HDRINCL,
	LX_IP_OPTIONS,
	LX_IP_ROUTER_ALERT,
	LX_IP_RECVOPTS,
	LX_IP_RETOPTS,
	LX_IP_PKTINFO,
	LX_IP_PKTOPTIONS,
	LX_IP_MTU_DISCOVER,
	LX_IP_RECVERR,
	LX_IP_RECVTTL,
	LX_IP_RECVTOS,
	LX_IP_MTU,
	LX_IP_FREEBIND,
	LX_IP_TRANSPARENT = 19,
	LX_IP_RECVORIGDSTADDR = 20,
	LX_IP_MINTTL,
	LX_IP_BIND_ADDRESS_NO_PORT = 24,
	LX_IP_MULTICAST_IF = 32,
	LX_IP_MULTICAST_TTL,
	LX_IP_MULTICAST_LOOP,
	LX_IP_ADD_MEMBERSHIP,
	LX_IP_DROP_MEMBERSHIP,
	LX_IP_UNBLOCK_SOURCE,
	LX_IP_BLOCK_SOURCE,
	LX_IP_ADD_SOURCE_MEMBERSHIP,
	LX_IP_DROP_SOURCE_MEMBERSHIP,
	LX_IP_MSFILTER,
	LX_MCAST_JOIN_GROUP,
	LX_MCAST_BLOCK_SOURCE,
	LX_MCAST_UNBLOCK_SOURCE,
	LX_MCAST_LEAVE_GROUP,
	LX_MCAST_JOIN_SOURCE_GROUP,
	LX_MCAST_LEAVE_SOURCE_GROUP,
	LX_MCAST_MSFILTER,
	LX_IP_MULTICAST_ALL,
	LX_IP_UNICAST_IF
};

enum {
	LX_IPV6_ADDRFORM = 1,
	LX_IPV6_CHECKSUM = 7,
	LX_IPV6_NEXTHOP = 9,
	LX_IPV6_UNICAST_HOPS = 16,
	LX_IPV6_MULTICAST_IF,
	LX_IPV6_MULTICAST_HOPS,
	LX_IPV6_MULTICAST_LOOP,
	LX_IPV6_JOIN_GROUP,
	LX_IPV6_LEAVE_GROUP,
	LX_IPV6_ROUTER_ALERT,
	LX_IPV6_MTU_DISCOVER,
	LX_IPV6_MTU,
	LX_IPV6_RECVERR,
	LX_IPV6_V6ONLY,
	LX_IPV6_JOIN_ANYCAST,
	LX_IPV6_LEAVE_ANYCAST,
	LX_IPV6_MULTICAST_ALL = 29,
	LX_IPV6_RECVPKTINFO = 49,
	LX_IPV6_PKTINFO,
	LX_IPV6_RECVHOPLIMIT,
	LX_IPV6_HOPLIMIT,
	LX_IPV6_RECVHOPOPTS,
	LX_IPV6_HOPOPTS,
	LX_IPV6_RTHDRDSTOPTS,
	LX_IPV6_RECVRTHDR,
	LX_IPV6_RTHDR,
	LX_IPV6_RECVDSTOPTS,
	LX_IPV6_DSTOPTS,
	LX_IPV6_RECVPATHMTU,
	LX_IPV6_PATHMTU,
	LX_IPV6_DONTFRAG,
	LX_IPV6_RECVTCLASS = 66,
	LX_IPV6_TCLASS,
	LX_IPV6_AUTOFLOWLABEL = 70,
	LX_IPV6_ADDR_PREFERENCES = 72,
	LX_ICMPV6_FILTER = 1,
	LX_ICMP_FILTER = 1
};

enum {
	LX_TCP_NODELAY = 1,
	LX_TCP_MAXSEG,
	LX_TCP_CORK,
	LX_TCP_KEEPIDLE,
	LX_TCP_KEEPINTVL,
	LX_TCP_KEEPCNT,
	LX_TCP_SYNCNT,
	LX_TCP_LINGER2,
	LX_TCP_DEFER_ACCEPT,
	LX_TCP_WINDOW_CLAMP,
	LX_TCP_INFO,
	LX_TCP_QUICKACK,
	LX_TCP_CONGESTION,
	LX_TCP_USER_TIMEOUT = 18,
	LX_TCP_FASTOPEN = 23,
	LX_TCP_NOTSENT_LOWAT = 25
};

#define LX_SIGPIPE 13

struct lx_timespec {
	int64_t sec, nsec;
};
struct lx_timeval {
	int64_t sec, usec;
};
struct lx_linger {
	int32_t on, seconds;
};

/* addresses and ports are in network byte order, as on the wire */
struct lx_sockaddr_in {
	uint16_t family, port;
	uint32_t address;
	uint8_t zero[8];
};
struct lx_sockaddr_in6 {
	uint16_t family, port;
	uint32_t flowinfo;
	uint32_t address[4];
	uint32_t scope;
};
struct lx_sockaddr_nl {
	uint16_t family, pad;
	uint32_t port, groups;
};
struct lx_sockaddr_ll {
	uint16_t family, protocol;
	int32_t index;
	uint16_t hardware;
	uint8_t type, size, address[8];
};
_Static_assert(sizeof(struct lx_sockaddr_in) == 16 && sizeof(struct lx_sockaddr_in6) == 28,
	       "socket address layouts");

#define LX_FIONREAD	0x541bu		/* = SIOCINQ */
#define LX_SIOCOUTQ	0x5411u		/* = TIOCOUTQ */
#define LX_SIOCOUTQNSD	0x894bu
#define LX_FIOASYNC	0x5452u
#define LX_SIOCATMARK	0x8905u
#define LX_FIOSETOWN	0x8901u
#define LX_SIOCSPGRP	0x8902u
#define LX_FIOGETOWN	0x8903u
#define LX_SIOCGPGRP	0x8904u
#define LX_SIOCGSTAMP	0x8906u
#define LX_SIOCGSTAMPNS	0x8907u

#endif
