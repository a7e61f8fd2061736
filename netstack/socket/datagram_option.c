/* SPDX-License-Identifier: MIT */
/*
 * Groups, and the other options of UDP, ping and raw sockets that are more than a number
 * (datagram.h).
 *
 * Memberships of real interfaces are lwIP's, too: it tells routers about them (IGMP, MLD). On the
 * loopback interface there is nobody to tell.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datagram.h"
#include "interface.h"
#include "lwip/igmp.h"
#include "lwip/ip.h"
#include "lwip/mld6.h"

#define MEMBERSHIPS_MOST 20u	/* of a socket, as on Linux */

/* --- memberships -------------------------------------------------------------------------- */

static bool same_group(const ip_addr_t *a, const ip_addr_t *b)
{
	if (IP_IS_V4(a) != IP_IS_V4(b))
		return false;
	return IP_IS_V4(a) ? ip4_addr_eq(ip_2_ip4(a), ip_2_ip4(b)) :
			     ip6_addr_zoneless_eq(ip_2_ip6(a), ip_2_ip6(b));
}

static struct membership **membership_find(struct datagram *d, const ip_addr_t *group,
					   uint32_t index)
{
	struct membership **at;

	for (at = &d->memberships; *at; at = &(*at)->next) {
		if (same_group(&(*at)->group, group) && (!index || (*at)->index == index))
			break;
	}
	return at;
}

bool datagram_joined(const struct datagram *d, const ip_addr_t *group, uint32_t index)
{
	return *membership_find((struct datagram *)d, group, index) || d->s->option.multicast_all;
}

bool datagram_anybody_joined(const ip_addr_t *group, uint32_t index)
{
	if (IP_IS_V4(group) ? ip_2_ip4(group)->addr == PP_HTONL(0xe0000001) :
			      ip6_addr_isallnodes_linklocal(ip_2_ip6(group)))
		return true;
	for (struct datagram *d = datagram_first; d; d = d->next) {
		if (d->memberships && *membership_find(d, group, index))
			return true;
	}
	return false;
}

static int lwip_join(const struct membership *m, bool join)
{
	struct interface *i = interface_by_index(m->index);
	int e;

	if (!i || interface_is_loopback(i))
		return 0;
	if (IP_IS_V4_VAL(m->group))
		e = join ? igmp_joingroup_netif(i->netif, ip_2_ip4(&m->group)) :
			   igmp_leavegroup_netif(i->netif, ip_2_ip4(&m->group));
	else
		e = join ? mld6_joingroup_netif(i->netif, ip_2_ip6(&m->group)) :
			   mld6_leavegroup_netif(i->netif, ip_2_ip6(&m->group));
	return e ? -ENOBUFS : 0;
}

static int group_join(struct datagram *d, const ip_addr_t *group, uint32_t index)
{
	struct membership *m;
	int e;

	if (*membership_find(d, group, index))
		return -EADDRINUSE;
	if (d->membership_count >= MEMBERSHIPS_MOST)
		return -ENOBUFS;
	m = calloc(1, sizeof *m);
	if (!m)
		return -ENOBUFS;
	m->group = *group;
	m->index = index;
	if (IP_IS_V6(group) && ip6_addr_has_scope(ip_2_ip6(group), IP6_MULTICAST))
		ip6_addr_set_zone(ip_2_ip6(&m->group), (u8_t)index);
	e = lwip_join(m, true);
	if (e) {
		free(m);
		return e;
	}
	m->next = d->memberships;
	d->memberships = m;
	d->membership_count++;
	return 0;
}

static void membership_drop(struct datagram *d, struct membership **at)
{
	struct membership *m = *at;

	*at = m->next;
	d->membership_count--;
	lwip_join(m, false);
	free(m);
}

void datagram_leave_all(struct datagram *d)
{
	while (d->memberships)
		membership_drop(d, &d->memberships);
}

/* The interface that would be taken: by route, or else the first that is up. */
static struct interface *interface_for(const ip_addr_t *group)
{
	const ip_addr_t *any = IP_IS_V4(group) ? IP4_ADDR_ANY : IP6_ADDR_ANY;
	struct netif *n = ip_route(any, group);

	return n ? interface_of(n) : NULL;
}

static struct interface *interface_by_address(uint32_t address)
{
	struct interface *i = interface_next(NULL);
	ip4_addr_t a = { address };

	while (i && netif_ip4_addr(i->netif)->addr != address &&
	       !(ip4_addr_isloopback(&a) && interface_is_loopback(i)))
		i = interface_next(i);
	return i;
}

static int64_t group_change(struct datagram *d, const ip_addr_t *group, uint32_t index, bool join)
{
	struct interface *i = index ? interface_by_index(index) : NULL;
	struct membership **at;

	if (!ip_addr_ismulticast(group))
		return -EINVAL;
	if (index && !i)
		return -ENODEV;
	if (join) {
		i = i ? i : interface_for(group);
		return i ? group_join(d, group, i->index) : -ENODEV;
	}
	at = membership_find(d, group, index);
	if (!*at)
		return -EADDRNOTAVAIL;
	membership_drop(d, at);
	return 0;
}

/* struct ip_mreq: group, address of the interface; struct ip_mreqn has its index, too. */
static int64_t group_change4(struct datagram *d, const void *value, uint32_t size, bool join)
{
	uint32_t part[3] = { 0 }, index;
	struct interface *i;
	ip_addr_t group;

	if (size < 8)
		return -EINVAL;
	memcpy(part, value, size < sizeof part ? 8 : sizeof part);
	ip_addr_set_ip4_u32_val(group, part[0]);
	if (!ip_addr_ismulticast(&group))
		return -EINVAL;
	index = part[2];
	if (!index && part[1]) {
		i = interface_by_address(part[1]);
		if (!i)
			return -ENODEV;
		index = i->index;
	}
	return group_change(d, &group, index, join);
}

/* struct ipv6_mreq */
static int64_t group_change6(struct datagram *d, const void *value, uint32_t size, bool join)
{
	uint32_t part[5];
	ip_addr_t group;

	if (size < sizeof part)
		return -EINVAL;
	memcpy(part, value, sizeof part);
	IP_ADDR6(&group, part[0], part[1], part[2], part[3]);
	return group_change(d, &group, part[4], join);
}

/* struct group_req: the interface's index, and a socket address at 8. */
static int64_t group_change_any(struct datagram *d, const void *value, uint32_t size, bool join)
{
	struct lx_sockaddr_in6 at;
	uint32_t index;
	ip_addr_t group;

	if (size < 136)
		return -EINVAL;
	memcpy(&index, value, sizeof index);
	memcpy(&at, (const char *)value + 8, sizeof at);
	if (at.family == LX_AF_INET)
		ip_addr_set_ip4_u32_val(group,
					at.flowinfo); /* where struct sockaddr_in has its address */
	else if (at.family == LX_AF_INET6 && d->s->family == LX_AF_INET6)
		IP_ADDR6(&group, at.address[0], at.address[1], at.address[2], at.address[3]);
	else
		return -EADDRNOTAVAIL;
	return group_change(d, &group, index, join);
}

/* --- IP_MULTICAST_IF ---------------------------------------------------------------------- */

static int64_t multicast_interface_set(struct socket *s, const void *value, uint32_t size)
{
	uint32_t part[3] = { 0 }, address, index;
	struct interface *i;

	if (size < 4)
		return -EINVAL;
	memcpy(part, value, size >= 12 ? 12 : size >= 8 ? 8 : 4);
	address = size >= 8 ? part[1] : part[0];
	index = size >= 12 ? part[2] : 0;
	if (!index && !address) {
		s->option.multicast_interface = 0;
		s->option.multicast_address.addr = 0;
		return 0;
	}
	i = index ? interface_by_index(index) : interface_by_address(address);
	if (!i)
		return -EADDRNOTAVAIL;
	if (s->option.interface && s->option.interface != i->index)
		return -EINVAL;
	s->option.multicast_interface = i->index;
	s->option.multicast_address.addr = address;
	return 0;
}

static int64_t multicast_interface6_set(struct socket *s, const void *value, uint32_t size)
{
	int32_t index;
	int e = net_option_int(value, size, &index);

	if (e)
		return e;
	if (index && !interface_by_index((uint32_t)index))
		return -ENODEV;
	if (index && s->option.interface && s->option.interface != (uint32_t)index)
		return -EINVAL;
	s->option.multicast_interface6 = (uint32_t)index;
	return 0;
}

/* --- options ------------------------------------------------------------------------------ */

static int64_t set4(struct socket *s, int name, const void *value, uint32_t size)
{
	switch (name) {
	case LX_IP_ADD_MEMBERSHIP:
	case LX_IP_DROP_MEMBERSHIP:
		return group_change4(datagram_of(s), value, size, name == LX_IP_ADD_MEMBERSHIP);
	case LX_MCAST_JOIN_GROUP:
	case LX_MCAST_LEAVE_GROUP:
		return group_change_any(datagram_of(s), value, size, name == LX_MCAST_JOIN_GROUP);
	case LX_IP_MULTICAST_IF:
		return multicast_interface_set(s, value, size);
	}
	return NET_PASS;
}

static bool *old_option(struct datagram *d, int name)
{
	return name == DATAGRAM_OLD_PKTINFO  ? &d->old_info :
	       name == DATAGRAM_OLD_HOPLIMIT ? &d->old_hops :
					       NULL;
}

static int64_t old_option_set(bool *option, const void *value, uint32_t size)
{
	int32_t on;
	int e = net_option_int(value, size, &on);

	if (!e)
		*option = on != 0;
	return e;
}

static int64_t set6(struct socket *s, int name, const void *value, uint32_t size)
{
	switch (name) {
	case LX_IPV6_JOIN_GROUP:
	case LX_IPV6_LEAVE_GROUP:
		return group_change6(datagram_of(s), value, size, name == LX_IPV6_JOIN_GROUP);
	case LX_MCAST_JOIN_GROUP:
	case LX_MCAST_LEAVE_GROUP:
		return group_change_any(datagram_of(s), value, size, name == LX_MCAST_JOIN_GROUP);
	case LX_IPV6_MULTICAST_IF:
		return multicast_interface6_set(s, value, size);
	case DATAGRAM_OLD_PKTINFO:
	case DATAGRAM_OLD_HOPLIMIT:
		return old_option_set(old_option(datagram_of(s), name), value, size);
	case LX_IPV6_V6ONLY:
		return datagram_of(s)->bound ? -EINVAL : NET_PASS;
	}
	return NET_PASS;
}

int64_t datagram_set_option(struct net_request *r, int level, int name, const void *value,
			    uint32_t size, uint64_t from)
{
	(void)from;
	if (level == LX_IPPROTO_IP)
		return set4(r->s, name, value, size);
	if (level == LX_IPPROTO_IPV6 && r->s->family == LX_AF_INET6)
		return set6(r->s, name, value, size);
	return NET_PASS;
}

/* Of the way to the peer. */
static int64_t mtu_get(const struct datagram *d, void *value, uint32_t *size)
{
	struct netif *n = d->connected ? ip_route(&d->local.ip, &d->peer.ip) : NULL;
	struct interface *i = n ? interface_of(n) : NULL;

	if (!d->connected)
		return -ENOTCONN;
	return net_option_put(value, size,
			      i && !net_address_local(&d->peer.ip) ? (int32_t)interface_mtu(i) :
								     65536);
}

int64_t datagram_get_option(struct net_request *r, int level, int name, void *value, uint32_t *size)
{
	const struct socket_options *o = &r->s->option;
	bool six = r->s->family == LX_AF_INET6;

	if ((level == LX_IPPROTO_IP && name == LX_IP_MTU) ||
	    (level == LX_IPPROTO_IPV6 && six && name == LX_IPV6_MTU))
		return mtu_get(datagram_of(r->s), value, size);
	if (level == LX_IPPROTO_IP && name == LX_IP_MULTICAST_IF)
		return net_option_put(value, size, (int32_t)o->multicast_address.addr);
	if (level == LX_IPPROTO_IPV6 && six && old_option(datagram_of(r->s), name))
		return net_option_put(value, size, *old_option(datagram_of(r->s), name));
	if (level == LX_IPPROTO_IPV6 && six && name == LX_IPV6_MULTICAST_IF)
		return net_option_put(value, size, (int32_t)o->multicast_interface6);
	return NET_PASS;
}
