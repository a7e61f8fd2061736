/* SPDX-License-Identifier: MIT */
/* The routing table: route.h. A list, the longest prefix first, then the smallest metric. */
#include "route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/ip4.h"
#include "lwip/ip6.h"
#include "lwip/priv/nd6_priv.h"
#include "lwip_hooks.h"
#include "notice.h"
#include "configuration.h"

static struct route *routes;
static unsigned route_count;

/* --- comparing ---------------------------------------------------------------------------- */

static const uint8_t *bytes_of(const ip_addr_t *a)
{
	return (const uint8_t *)&a->u_addr;
}

static bool prefix_same(const ip_addr_t *a, const ip_addr_t *b, unsigned length)
{
	const uint8_t *x = bytes_of(a), *y = bytes_of(b);
	unsigned whole = length / 8, rest = length % 8;

	if (memcmp(x, y, whole))
		return false;
	return !rest || !((x[whole] ^ y[whole]) >> (8 - rest));
}

static unsigned address_bits(const ip_addr_t *a)
{
	return IP_IS_V6(a) ? 128 : 32;
}

/* Nothing set beyond the prefix. */
static bool prefix_clean(const ip_addr_t *a, unsigned length)
{
	const uint8_t *x = bytes_of(a);

	for (unsigned bit = length; bit < address_bits(a); bit++) {
		if (x[bit / 8] >> (7 - bit % 8) & 1)
			return false;
	}
	return true;
}

static bool route_matches(const struct route *r, const struct route *like)
{
	if (IP_IS_V6(&r->to) != IP_IS_V6(&like->to) || r->length != like->length ||
	    !prefix_same(&r->to, &like->to, r->length))
		return false;
	if (!ip_addr_isany(&like->gateway) &&
	    memcmp(bytes_of(&r->gateway), bytes_of(&like->gateway), address_bits(&r->to) / 8))
		return false;
	return (!like->index || like->index == r->index) &&
	       (like->metric == ~0u || like->metric == r->metric) &&
	       (!like->protocol || like->protocol == r->protocol) &&
	       (!like->type || like->type == r->type);
}

static bool route_usable(const struct route *r)
{
	struct interface *i = r->index ? interface_by_index(r->index) : NULL;

	return !r->index || (i && netif_is_up(i->netif) && netif_is_link_up(i->netif));
}

/* --- the list ----------------------------------------------------------------------------- */

static bool goes_before(const struct route *a, const struct route *b)
{
	if (IP_IS_V6(&a->to) != IP_IS_V6(&b->to))
		return IP_IS_V6(&b->to);
	if (a->length != b->length)
		return a->length > b->length;
	return a->metric < b->metric;
}

static int route_insert(const struct route *r)
{
	struct route **at = &routes, *new;

	if (route_count >= ROUTES_MOST)
		return -ENOBUFS;
	new = malloc(sizeof *new);
	if (!new)
		return -ENOBUFS;
	*new = *r;
	while (*at && !goes_before(new, *at))
		at = &(*at)->next;
	new->next = *at;
	*at = new;
	route_count++;
	configuration_touch();
	notice_route(new, true);
	return 0;
}

static void route_drop(struct route **at)
{
	struct route *r = *at;

	*at = r->next;
	route_count--;
	configuration_touch();
	notice_route(r, false);
	free(r);
}

/* The interface on whose network an address is; 0: none. */
static uint32_t network_of(const ip_addr_t *a)
{
	for (const struct route *r = routes; r; r = r->next) {
		struct interface *i = r->index ? interface_by_index(r->index) : NULL;

		if (i && netif_is_up(i->netif) && IP_IS_V6(&r->to) == IP_IS_V6(a) &&
		    ip_addr_isany(&r->gateway) && r->type == LX_RTN_UNICAST &&
		    prefix_same(&r->to, a, r->length))
			return r->index;
	}
	return 0;
}

int route_add(const struct route *wanted, bool replace)
{
	struct route r = *wanted, like = *wanted;
	struct interface *i;

	if (r.length > address_bits(&r.to) || !prefix_clean(&r.to, r.length))
		return -EINVAL;
	if (!ip_addr_isany(&r.gateway)) {
		bool link_local =
			IP_IS_V6(&r.gateway) && ip6_addr_islinklocal(ip_2_ip6(&r.gateway));

		if (!link_local && !network_of(&r.gateway))
			return -ENETUNREACH;
		if (!r.index)
			r.index = network_of(&r.gateway);
	}
	i = r.index ? interface_by_index(r.index) : NULL;
	if (!i && r.type == LX_RTN_UNICAST)
		return r.index ? -ENODEV : -EINVAL;
	if (i && !netif_is_up(i->netif))
		return -ENETDOWN;
	/* one route for each destination and metric; which gateway makes no difference */
	ip_addr_set_any(IP_IS_V6(&r.to), &like.gateway);
	like.index = 0;
	like.protocol = like.type = 0;
	for (struct route **at = &routes; *at; at = &(*at)->next) {
		if (!route_matches(*at, &like))
			continue;
		if (!replace)
			return -EEXIST;
		route_drop(at);
		break;
	}
	return route_insert(&r);
}

int route_remove(const struct route *like)
{
	for (struct route **at = &routes; *at; at = &(*at)->next) {
		if (route_matches(*at, like)) {
			route_drop(at);
			return 0;
		}
	}
	return -ESRCH;
}

/* --- what interfaces bring with them ------------------------------------------------------ */

static void network_add(struct interface *i, const ip_addr_t *address, unsigned length)
{
	struct route r = { .length = (uint8_t)length,
			   .protocol = LX_RTPROT_KERNEL,
			   .type = LX_RTN_UNICAST,
			   .index = i->index,
			   .metric = IP_IS_V6(address) ? 256 : 0 };
	uint8_t *to;

	r.to = *address;
	if (IP_IS_V6(address))
		ip6_addr_clear_zone(ip_2_ip6(&r.to));
	to = (uint8_t *)&r.to.u_addr;
	for (unsigned bit = length; bit < address_bits(address); bit++)
		to[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
	ip_addr_set_any(IP_IS_V6(address), &r.gateway);
	for (const struct route *have = routes; have; have = have->next) {
		if (have->protocol == LX_RTPROT_KERNEL && route_matches(have, &r))
			return;
	}
	route_insert(&r);
}

/*
 * Those that the address asks for are left alone, or every change would look like two to those who
 * watch.
 */
static bool network_wanted(const struct interface *i, const struct route *r)
{
	const struct netif *n = i->netif;
	struct route like = *r;

	if (!netif_is_up(n))
		return false;
	if (!IP_IS_V6(&r->to)) {
		const ip4_addr_t *mask = netif_ip4_netmask(n);

		return !ip4_addr_isany_val(*netif_ip4_addr(n)) &&
		       r->length == interface_mask_length(mask->addr) &&
		       prefix_same(&r->to, netif_ip_addr4(n), r->length);
	}
	for (int a = 0; a < LWIP_IPV6_NUM_ADDRESSES; a++) {
		if (!ip6_addr_isinvalid(netif_ip6_addr_state(n, a)) && r->length == i->prefix6[a] &&
		    prefix_same(&like.to, netif_ip_addr6(n, a), r->length))
			return true;
	}
	return false;
}

/* A route by hand goes with the state of its interface, one by DHCP with its gateway. */
static bool route_stays(const struct interface *i, const struct route *r)
{
	if (r->index != i->index)
		return true;
	if (!IP_IS_V6(&r->to) && ip4_addr_isany_val(*netif_ip4_addr(i->netif)))
		return false;		/* the last address takes all routes with it */
	if (r->protocol == LX_RTPROT_KERNEL)
		return network_wanted(i, r);
	if (r->protocol == LX_RTPROT_DHCP)
		return netif_is_up(i->netif) && i->dhcp &&
		       ip4_addr_eq(ip_2_ip4(&r->gateway), netif_ip4_gw(i->netif));
	return netif_is_up(i->netif);
}

static void gateway_add(struct interface *i)
{
	struct route r = { .protocol = LX_RTPROT_DHCP, .type = LX_RTN_UNICAST, .index = i->index };

	ip_addr_set_any(false, &r.to);
	ip_addr_copy_from_ip4(r.gateway, *netif_ip4_gw(i->netif));
	for (const struct route *have = routes; have; have = have->next) {
		if (route_matches(have, &r))
			return;
	}
	route_add(&r, true);
}

void route_interface_changed(struct interface *i)
{
	struct netif *n = i->netif;

	for (struct route **at = &routes; *at;) {
		if (route_stays(i, *at))
			at = &(*at)->next;
		else
			route_drop(at);
	}
	if (!netif_is_up(n))
		return;
	if (!ip4_addr_isany_val(*netif_ip4_addr(n)))
		network_add(i, netif_ip_addr4(n),
			    interface_mask_length(netif_ip4_netmask(n)->addr));
	for (int a = 0; a < LWIP_IPV6_NUM_ADDRESSES; a++) {
		if (!ip6_addr_isinvalid(netif_ip6_addr_state(n, a)))
			network_add(i, netif_ip_addr6(n, a), i->prefix6[a]);
	}
	if (i->dhcp && !ip4_addr_isany_val(*netif_ip4_gw(n)))
		gateway_add(i);
}

/* --- walking, finding --------------------------------------------------------------------- */

/* The routers that were advertised. */
static bool walk_routers(bool (*fn)(const struct route *r, void *arg), void *arg)
{
	for (int n = 0; n < LWIP_ND6_NUM_ROUTERS; n++) {
		struct nd6_neighbor_cache_entry *e = default_router_list[n].neighbor_entry;
		struct route r = { .protocol = LX_RTPROT_RA,
				   .type = LX_RTN_UNICAST,
				   .metric = 1024 };

		if (!e || !e->netif)
			continue;
		ip_addr_set_any(true, &r.to);
		ip_addr_copy_from_ip6(r.gateway, e->next_hop_address);
		r.index = netif_get_index(e->netif);
		if (!fn(&r, arg))
			return false;
	}
	return true;
}

void route_walk(bool (*fn)(const struct route *r, void *arg), void *arg)
{
	for (const struct route *r = routes; r; r = r->next) {
		if (!fn(r, arg))
			return;
	}
	walk_routers(fn, arg);
}

static const struct route *table_find(const ip_addr_t *to)
{
	for (const struct route *r = routes; r; r = r->next) {
		if (IP_IS_V6(&r->to) == IP_IS_V6(to) && route_usable(r) &&
		    prefix_same(&r->to, to, r->length))
			return r;
	}
	return NULL;
}

static bool take_first(const struct route *r, void *arg)
{
	*(struct route *)arg = *r;
	return false;
}

const struct route *route_find(const ip_addr_t *to)
{
	static struct route made;
	struct interface *i;
	const struct route *r;
	ip_addr_t zoneless = *to;

	if (IP_IS_V6(to))
		ip6_addr_clear_zone(ip_2_ip6(&zoneless));
	for (i = interface_next(NULL); i; i = interface_next(i)) {
		bool mine = !IP_IS_V6(to) ? ip4_addr_eq(ip_2_ip4(to), netif_ip4_addr(i->netif)) &&
						    !ip4_addr_isany_val(*ip_2_ip4(to)) :
					    netif_get_ip6_addr_match(i->netif, ip_2_ip6(to)) >= 0;

		if (!mine)
			continue;
		made = (struct route){ .to = zoneless,
				       .length = (uint8_t)address_bits(to),
				       .protocol = LX_RTPROT_KERNEL,
				       .type = LX_RTN_LOCAL,
				       .index = 1 };
		ip_addr_set_any(IP_IS_V6(to), &made.gateway);
		return &made;
	}
	r = table_find(&zoneless);
	if (r)
		return r->type == LX_RTN_UNICAST ? r : NULL;
	if (!IP_IS_V6(to))
		return NULL;
	made.type = LX_RTN_UNSPEC;
	walk_routers(take_first, &made);
	return made.type == LX_RTN_UNICAST ? &made : NULL;
}

/* --- what lwIP asks ----------------------------------------------------------------------- */

static struct netif *hook_netif(const ip_addr_t *to)
{
	const struct route *r = table_find(to);
	struct interface *i = r && r->index ? interface_by_index(r->index) : NULL;

	return i ? i->netif : NULL;
}

struct netif *route_hook_ip4(const ip4_addr_t *dest)
{
	ip_addr_t to;

	ip_addr_copy_from_ip4(to, *dest);
	if (ip4_addr_ismulticast(dest) || ip4_addr_eq(dest, IP4_ADDR_BROADCAST)) {
		struct netif *n = hook_netif(&to);
		struct interface *i;

		/*
		 * without a route: the first real interface that has an address (DHCP sends by its
		 * own interface anyway)
		 */
		for (i = interface_next(NULL); !n && i; i = interface_next(i)) {
			if (!interface_is_loopback(i) && netif_is_up(i->netif) &&
			    netif_is_link_up(i->netif) &&
			    !ip4_addr_isany_val(*netif_ip4_addr(i->netif)))
				n = i->netif;
		}
		return n;
	}
	return hook_netif(&to);
}

const ip4_addr_t *route_hook_gateway4(struct netif *netif, const ip4_addr_t *dest)
{
	static ip4_addr_t on_link;
	const struct route *r;
	ip_addr_t to;

	ip_addr_copy_from_ip4(to, *dest);
	r = table_find(&to);
	if (!r || r->index != netif_get_index(netif))
		return NULL;
	if (!ip_addr_isany(&r->gateway))
		return ip_2_ip4(&r->gateway);
	on_link = *dest;
	return &on_link;
}

struct netif *route_hook_ip6(const ip6_addr_t *src, const ip6_addr_t *dest)
{
	ip_addr_t to;

	(void)src;
	ip_addr_copy_from_ip6(to, *dest);
	return hook_netif(&to);
}

const ip6_addr_t *route_hook_gateway6(struct netif *netif, const ip6_addr_t *dest)
{
	static ip6_addr_t hop;
	const struct route *r;
	ip_addr_t to;

	ip_addr_copy_from_ip6(to, *dest);
	r = table_find(&to);
	if (!r || r->index != netif_get_index(netif))
		return NULL;
	hop = ip_addr_isany(&r->gateway) ? *dest : *ip_2_ip6(&r->gateway);
	ip6_addr_assign_zone(&hop, IP6_UNICAST, netif);
	return &hop;
}
