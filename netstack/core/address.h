/* SPDX-License-Identifier: MIT */
/*
 * Socket addresses: as programs see them (struct net_sockaddr) and as lwIP does (struct
 * net_endpoint).
 *
 * An AF_INET6 socket sees IPv4 peers as ::ffff:a.b.c.d; inside there are only plain IPv4 and IPv6
 * addresses. Ports inside are in host byte order.
 */
#ifndef NETSTACK_CORE_ADDRESS_H
#define NETSTACK_CORE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include "linux.h"
#include "lwip/ip_addr.h"

#define NET_SOCKADDR_MAX 128

struct net_sockaddr {
	uint32_t size;		/* bytes that count; 0: there is none */
	union {
		uint16_t family;
		struct lx_sockaddr_in in;
		struct lx_sockaddr_in6 in6;
		struct lx_sockaddr_nl nl;
		struct lx_sockaddr_ll ll;
		uint8_t bytes[NET_SOCKADDR_MAX];
	};
};

struct net_endpoint {
	/* its type is always V4 or V6; "any" is the zero address of the socket's family */
	ip_addr_t ip;
	uint16_t port;
};

struct net_request;
struct socket;

/* Reads a caller's address (EINVAL: size < 0 or > 128). */
int64_t net_sockaddr_read(struct net_request *r, uint64_t from, int32_t size,
			  struct net_sockaddr *out);
/*
 * The three ways of giving one to the caller: *size_at is int, in: his buffer's size, out: the
 * address's (EINVAL: negative). Truncates. to = 0: writes nothing. Before anything is committed.
 */
int64_t net_sockaddr_write(struct net_request *r, uint64_t to, uint64_t size_at,
			   const struct net_sockaddr *a);

/*
 * Checks an address for this socket's family as bind, connect and sendto do on Linux: too short
 * EINVAL, another family EAFNOSUPPORT; V6ONLY sockets take no mapped addresses (ENETUNREACH).
 * AF_UNSPEC must be handled before.
 */
int net_endpoint_get(const struct socket *s, const struct net_sockaddr *a,
		     struct net_endpoint *out);
/* As the socket's family shows it. */
void net_endpoint_put(const struct socket *s, const struct net_endpoint *e,
		      struct net_sockaddr *out);
/* The zero address of the socket's family. */
void net_endpoint_any(const struct socket *s, struct net_endpoint *out);
/* The same text as inet_ntop, for logs and /proc. */
static inline bool net_endpoint_same(const struct net_endpoint *a, const struct net_endpoint *b)
{
	return a->port == b->port && ip_addr_eq(&a->ip, &b->ip);
}
/*
 * Is it an address of this machine (127/8, ::1, an interface's)? What is sent there never leaves.
 */
bool net_address_local(const ip_addr_t *ip);
/* May a socket be bound to it: any, local, or (multicast) any group. */
bool net_address_bindable(const ip_addr_t *ip);

#endif
