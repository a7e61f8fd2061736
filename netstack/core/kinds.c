/* SPDX-License-Identifier: MIT */
/* Which kind of socket a family, a type and a protocol ask for. */
#include "socket.h"

#include <errno.h>
#include <stddef.h>

static const struct kind {
	uint8_t family, type;
	int16_t protocol;	/* -1: any */
	const struct socket_ops *ops;
	uint64_t caps;
} kinds[] = {	/* the first of a type is what protocol 0 asks for */
	{ LX_AF_INET, LX_SOCK_STREAM, LX_IPPROTO_TCP, &socket_stream_ops, 0 },
	{ LX_AF_INET, LX_SOCK_DGRAM, LX_IPPROTO_UDP, &socket_udp_ops, 0 },
	{ LX_AF_INET, LX_SOCK_DGRAM, LX_IPPROTO_ICMP, &socket_ping_ops, 0 },
	{ LX_AF_INET, LX_SOCK_RAW, -1, &socket_raw_ops, NET_CAP_RAW },
	{ LX_AF_INET6, LX_SOCK_STREAM, LX_IPPROTO_TCP, &socket_stream_ops, 0 },
	{ LX_AF_INET6, LX_SOCK_DGRAM, LX_IPPROTO_UDP, &socket_udp_ops, 0 },
	{ LX_AF_INET6, LX_SOCK_DGRAM, LX_IPPROTO_ICMPV6, &socket_ping_ops, 0 },
	{ LX_AF_INET6, LX_SOCK_RAW, -1, &socket_raw_ops, NET_CAP_RAW },
	{ LX_AF_NETLINK, LX_SOCK_RAW, -1, &socket_netlink_ops, 0 },
	{ LX_AF_NETLINK, LX_SOCK_DGRAM, -1, &socket_netlink_ops, 0 },
};

/*
 * Linux: no such type in the family ESOCKTNOSUPPORT, no such protocol of the type EPROTONOSUPPORT;
 * raw sockets need a protocol.
 */
int socket_kind(struct net_request *r, int family, int type, int *protocol,
		const struct socket_ops **out)
{
	int error = -EAFNOSUPPORT;

	if (*protocol < 0 || *protocol > 255 + 7)	/* (beyond 255: MPTCP and its like) */
		return family == LX_AF_NETLINK ? -EPROTONOSUPPORT : -EINVAL;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		const struct kind *k = &kinds[i];

		if (k->family != family)
			continue;
		if (error == -EAFNOSUPPORT)
			error = -ESOCKTNOSUPPORT;
		if (k->type != type)
			continue;
		error = -EPROTONOSUPPORT;
		if (k->protocol >= 0 ? *protocol && *protocol != k->protocol :
				       family != LX_AF_NETLINK && !*protocol)
			continue;
		if (!net_capable(r, k->caps))
			return -EPERM;
		if (k->protocol >= 0)
			*protocol = k->protocol;
		*out = k->ops;
		return 0;
	}
	return error;
}
