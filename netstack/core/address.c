/* SPDX-License-Identifier: MIT */
/* Socket addresses (address.h). */
#include "address.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "lwip/netif.h"
#include "request.h"
#include "socket.h"

int64_t net_sockaddr_read(struct net_request *r, uint64_t from, int32_t size,
			  struct net_sockaddr *out)
{
	int64_t e;

	if (size < 0 || size > NET_SOCKADDR_MAX)
		return -EINVAL;
	memset(out, 0, sizeof *out);
	e = net_read(r, out->bytes, from, (uint32_t)size);
	if (!e)
		out->size = (uint32_t)size;
	return e;
}

int64_t net_sockaddr_write(struct net_request *r, uint64_t to, uint64_t size_at,
			   const struct net_sockaddr *a)
{
	int32_t room;
	int64_t e;

	if (!to)
		return 0;
	e = net_read(r, &room, size_at, sizeof room);
	if (e)
		return e;
	if (room < 0)
		return -EINVAL;
	e = net_write(r, to, a->bytes, (uint32_t)room < a->size ? (uint32_t)room : a->size);
	return e ? e : net_write(r, size_at, &a->size, sizeof a->size);
}

/* --- to and from lwIP's ------------------------------------------------------------------- */

static uint16_t swap16(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

static bool mapped(const uint32_t a[4])
{
	return !a[0] && !a[1] && a[2] == PP_HTONL(0xffff);
}

static int get4(const struct net_sockaddr *a, struct net_endpoint *out)
{
	if (a->size < sizeof a->in)
		return -EINVAL;
	if (a->family != LX_AF_INET)
		return -EAFNOSUPPORT;
	ip_addr_set_ip4_u32_val(out->ip, a->in.address);
	out->port = swap16(a->in.port);
	return 0;
}

/*
 * An address that is ambiguous without an interface has one: the named one, or else the socket's.
 */
static int get6_zone(const struct socket *s, const struct net_sockaddr *a, ip6_addr_t *ip)
{
	uint32_t scope = a->size >= sizeof a->in6 ? a->in6.scope : 0;

	if (!ip6_addr_has_scope(ip, IP6_UNKNOWN))
		return 0;
	if (s->option.interface && scope && scope != s->option.interface)
		return -EINVAL;
	if (!scope)
		scope = s->option.interface;
	if (!scope && ip6_addr_islinklocal(ip))
		return -EINVAL;
	ip6_addr_set_zone(ip, (u8_t)scope);
	return 0;
}

int net_endpoint_get(const struct socket *s, const struct net_sockaddr *a, struct net_endpoint *out)
{
	uint32_t part[4];

	memset(out, 0, sizeof *out);
	if (a->size < sizeof a->family)
		return -EINVAL;
	if (s->family == LX_AF_INET)
		return get4(a, out);
	/* as UDP's sendto takes it; TCP refuses it before */
	if (a->family == LX_AF_INET && !s->option.v6_only)
		return get4(a, out);
	if (a->size < 24)	/* without the scope: the first RFC's structure */
		return -EINVAL;
	if (a->family != LX_AF_INET6)
		return -EAFNOSUPPORT;
	out->port = swap16(a->in6.port);
	memcpy(part, a->in6.address, sizeof part);
	if (mapped(part)) {
		if (s->option.v6_only)
			return -ENETUNREACH;
		ip_addr_set_ip4_u32_val(out->ip, part[3]);
		return 0;
	}
	IP_ADDR6(&out->ip, part[0], part[1], part[2], part[3]);
	return get6_zone(s, a, ip_2_ip6(&out->ip));
}

void net_endpoint_put(const struct socket *s, const struct net_endpoint *e,
		      struct net_sockaddr *out)
{
	memset(out, 0, sizeof *out);
	if (s->family == LX_AF_INET) {
		out->size = sizeof out->in;
		out->in.family = LX_AF_INET;
		out->in.port = swap16(e->port);
		out->in.address = IP_IS_V4_VAL(e->ip) ? ip_2_ip4(&e->ip)->addr : 0;
		return;
	}
	out->size = sizeof out->in6;
	out->in6.family = LX_AF_INET6;
	out->in6.port = swap16(e->port);
	if (IP_IS_V6_VAL(e->ip)) {
		memcpy(out->in6.address, ip_2_ip6(&e->ip)->addr, sizeof out->in6.address);
		out->in6.scope = ip6_addr_islinklocal(ip_2_ip6(&e->ip)) ?
					 ip6_addr_zone(ip_2_ip6(&e->ip)) :
					 0;
	} else if (ip_2_ip4(&e->ip)->addr) {
		out->in6.address[2] = PP_HTONL(0xffff);
		out->in6.address[3] = ip_2_ip4(&e->ip)->addr;
	}
}

void net_endpoint_any(const struct socket *s, struct net_endpoint *out)
{
	memset(out, 0, sizeof *out);
	if (s->family == LX_AF_INET6)
		ip_addr_set_zero_ip6(&out->ip);
	else
		ip_addr_set_zero_ip4(&out->ip);
}

/* --- what is ours ------------------------------------------------------------------------- */

static bool netif_has(const struct netif *n, const ip_addr_t *ip)
{
	if (IP_IS_V4(ip))
		return ip4_addr_eq(netif_ip4_addr(n), ip_2_ip4(ip)) &&
		       !ip4_addr_isany(ip_2_ip4(ip));
	for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
		if (ip6_addr_isvalid(netif_ip6_addr_state(n, i)) &&
		    ip6_addr_zoneless_eq(netif_ip6_addr(n, i), ip_2_ip6(ip)))
			return true;
	}
	return false;
}

bool net_address_local(const ip_addr_t *ip)
{
	const struct netif *n;

	if (ip_addr_isloopback(ip))
		return true;
	NETIF_FOREACH(n) {
		if (netif_has(n, ip))
			return true;
	}
	return false;
}

bool net_address_bindable(const ip_addr_t *ip)
{
	return ip_addr_isany(ip) || ip_addr_ismulticast(ip) ||
	       (IP_IS_V4(ip) && ip_2_ip4(ip)->addr == 0xffffffffu) || net_address_local(ip);
}
