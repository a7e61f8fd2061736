/* SPDX-License-Identifier: MIT */
/* Neighbours: neighbour.h. */
#include "neighbour.h"

#include <errno.h>
#include <string.h>

#include "lwip/etharp.h"
#include "lwip/priv/nd6_priv.h"
#include "route.h"

/* lwIP does not say which entries are by hand. */
static uint32_t fixed[16];

static uint32_t *fixed_slot(uint32_t address)
{
	for (unsigned n = 0; n < sizeof fixed / sizeof fixed[0]; n++) {
		if (fixed[n] == address)
			return &fixed[n];
	}
	return NULL;
}

static bool walk4(bool (*fn)(const struct neighbour *n, void *arg), void *arg)
{
	for (size_t at = 0; at < ARP_TABLE_SIZE; at++) {
		struct neighbour n = { .state = LX_NUD_REACHABLE };
		struct eth_addr *hardware;
		struct netif *netif;
		ip4_addr_t *address;

		if (!etharp_get_entry(at, &address, &netif, &hardware) || !netif)
			continue;
		ip_addr_copy_from_ip4(n.address, *address);
		memcpy(n.hardware, hardware, 6);
		n.index = netif_get_index(netif);
		n.permanent = address->addr && fixed_slot(address->addr);
		if (n.permanent)
			n.state = LX_NUD_PERMANENT;
		if (!fn(&n, arg))
			return false;
	}
	return true;
}

static bool walk6(bool (*fn)(const struct neighbour *n, void *arg), void *arg)
{
	static const uint16_t state[] = { [ND6_INCOMPLETE] = LX_NUD_INCOMPLETE,
					  [ND6_REACHABLE] = LX_NUD_REACHABLE,
					  [ND6_STALE] = LX_NUD_STALE,
					  [ND6_DELAY] = LX_NUD_DELAY,
					  [ND6_PROBE] = LX_NUD_PROBE };

	for (int at = 0; at < LWIP_ND6_NUM_NEIGHBORS; at++) {
		const struct nd6_neighbor_cache_entry *e = &neighbor_cache[at];
		struct neighbour n = { .router = e->isrouter };

		if (e->state == ND6_NO_ENTRY || !e->netif)
			continue;
		ip_addr_copy_from_ip6(n.address, e->next_hop_address);
		ip6_addr_clear_zone(ip_2_ip6(&n.address));
		memcpy(n.hardware, e->lladdr, 6);
		n.index = netif_get_index(e->netif);
		n.state = state[e->state];
		if (!fn(&n, arg))
			return false;
	}
	return true;
}

void neighbour_walk(bool (*fn)(const struct neighbour *n, void *arg), void *arg)
{
	if (walk4(fn, arg))
		walk6(fn, arg);
}

struct question {
	const struct interface *i;
	const ip_addr_t *address;
	struct neighbour *out;
	bool found;
};

static bool look(const struct neighbour *n, void *arg)
{
	struct question *q = arg;

	if ((q->i && q->i->index != n->index) || !ip_addr_zoneless_eq(&n->address, q->address))
		return true;
	*q->out = *n;
	q->found = true;
	return false;
}

bool neighbour_find(const struct interface *i, const ip_addr_t *address, struct neighbour *out)
{
	struct question q = { i, address, out, false };

	neighbour_walk(look, &q);
	return q.found;
}

int neighbour_add(const struct interface *i, const ip_addr_t *address, const uint8_t hardware[6])
{
	const struct route *r = route_find(address);
	struct eth_addr mac;
	uint32_t *slot;

	if (IP_IS_V6(address))
		return -EOPNOTSUPP;
	if (!r || r->type != LX_RTN_UNICAST || !ip_addr_isany(&r->gateway) ||
	    (i && i->index != r->index))
		return -ENETUNREACH;
	slot = fixed_slot(ip_2_ip4(address)->addr);
	if (!slot)
		slot = fixed_slot(0);
	if (!slot)
		return -ENOBUFS;
	memcpy(&mac, hardware, 6);
	if (etharp_add_static_entry(ip_2_ip4(address), &mac) != ERR_OK)
		return -ENOBUFS;
	*slot = ip_2_ip4(address)->addr;
	return 0;
}

int neighbour_remove(const struct interface *i, const ip_addr_t *address)
{
	struct neighbour n;
	struct eth_addr mac;
	uint32_t *slot;

	if (IP_IS_V6(address) || !neighbour_find(i, address, &n))
		return -ENOENT;
	/* only what was set by hand can be taken out: so it is made that first */
	memcpy(&mac, n.hardware, 6);
	etharp_add_static_entry(ip_2_ip4(address), &mac);
	etharp_remove_static_entry(ip_2_ip4(address));
	slot = fixed_slot(ip_2_ip4(address)->addr);
	if (slot)
		*slot = 0;
	return 0;
}
