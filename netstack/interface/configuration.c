/* SPDX-License-Identifier: MIT */
/*
 * The configuration that outlives the server: configuration.h. Two copies are written by turns, and
 * the number that is written last says which counts.
 */
#include "configuration.h"

#include <string.h>

#include "interface.h"
#include "route.h"
#include "saved.h"

#define VERSION 1
#define INTERFACES 4
#define ROUTES 64

struct saved_interface {
	char name[16];
	uint32_t up, own_flags, queue, mtu;
	uint32_t address, mask, gateway, broadcast, broadcast_set;
	struct { uint32_t address[4], prefix, used; } six[LWIP_IPV6_NUM_ADDRESSES];
};

struct saved_route {
	uint32_t six, length, protocol, type, metric, index;
	uint32_t to[4], gateway[4];
};

struct copy {
	uint32_t interfaces, routes;
	ip_addr_t name_server[3];
	struct saved_interface interface[INTERFACES];
	struct saved_route route[ROUTES];
};

struct area {
	uint32_t number, pad[3];	/* copy[number % 2] counts; 0: none */
	struct copy copy[2];
};
_Static_assert(sizeof(struct area) <= SAVED_INTERFACES_SIZE - 16, "the area holds it");

static struct area *area;
static bool touched;

void configuration_touch(void)
{
	touched = true;
}

/* --- writing ------------------------------------------------------------------------------ */

static void interface_write(const struct interface *i, struct saved_interface *s)
{
	const struct netif *n = i->netif;

	memcpy(s->name, i->name, sizeof s->name);
	s->up = netif_is_up(n);
	s->own_flags = i->own_flags;
	s->queue = i->queue;
	s->mtu = n->mtu;
	s->address = netif_ip4_addr(n)->addr;
	s->mask = netif_ip4_netmask(n)->addr;
	s->gateway = netif_ip4_gw(n)->addr;
	s->broadcast = i->broadcast.addr;
	s->broadcast_set = i->broadcast_set;
	for (int slot = 1; slot < LWIP_IPV6_NUM_ADDRESSES; slot++) {
		if (ip6_addr_isinvalid(netif_ip6_addr_state(n, slot)) ||
		    !ip6_addr_life_isstatic(netif_ip6_addr_valid_life(n, slot)))
			continue;
		memcpy(s->six[slot].address, netif_ip6_addr(n, slot)->addr, 16);
		s->six[slot].prefix = i->prefix6[slot];
		s->six[slot].used = 1;
	}
}

/* Those that interfaces, DHCP and routers bring come by themselves. */
static bool route_write(const struct route *r, void *arg)
{
	struct copy *c = arg;
	struct saved_route *s = &c->route[c->routes];

	if (r->protocol == LX_RTPROT_KERNEL || r->protocol == LX_RTPROT_DHCP ||
	    r->protocol == LX_RTPROT_RA)
		return true;
	*s = (struct saved_route){ .six = IP_IS_V6(&r->to),
				   .length = r->length,
				   .protocol = r->protocol,
				   .type = r->type,
				   .metric = r->metric,
				   .index = r->index };
	memcpy(s->to, &r->to.u_addr, s->six ? 16 : 4);
	memcpy(s->gateway, &r->gateway.u_addr, s->six ? 16 : 4);
	return ++c->routes < ROUTES;
}

void configuration_save(void)
{
	struct copy *c;

	if (!touched || !area)
		return;
	touched = false;
	c = &area->copy[(area->number + 1) % 2];
	memset(c, 0, sizeof *c);
	for (struct interface *i = interface_next(NULL); i && c->interfaces < INTERFACES;
	     i = interface_next(i))
		interface_write(i, &c->interface[c->interfaces++]);
	route_walk(route_write, c);
	for (unsigned n = 0; n < 3 && interface_name_server(n); n++)
		c->name_server[n] = *interface_name_server(n);
	__atomic_store_n(&area->number, area->number + 1 ? area->number + 1 : 2, __ATOMIC_RELEASE);
}

/* --- reading ------------------------------------------------------------------------------ */

static void interface_read(const struct saved_interface *s)
{
	struct interface *i = s->name[15] ? NULL : interface_by_name(s->name);
	ip4_addr_t address = { s->address }, mask = { s->mask }, gateway = { s->gateway };

	if (!i)
		return;
	i->queue = s->queue;
	if (!interface_is_loopback(i))
		interface_set_mtu(i, s->mtu);
	i->broadcast_set = s->broadcast_set;
	i->broadcast.addr = s->broadcast;
	interface_set_flags(i, s->own_flags | (s->up ? LX_IFF_UP : 0), ~0u);
	netif_set_addr(i->netif, &address, &mask, &gateway);
	for (int slot = 1; slot < LWIP_IPV6_NUM_ADDRESSES; slot++) {
		if (s->six[slot].used)
			interface_add_address6(i, s->six[slot].address, s->six[slot].prefix);
	}
}

static void route_read(const struct saved_route *s)
{
	struct route r = { .length = (uint8_t)s->length,
			   .protocol = (uint8_t)s->protocol,
			   .type = (uint8_t)s->type,
			   .metric = s->metric,
			   .index = s->index };

	ip_addr_set_any(s->six, &r.to);
	ip_addr_set_any(s->six, &r.gateway);
	memcpy(&r.to.u_addr, s->to, s->six ? 16 : 4);
	memcpy(&r.gateway.u_addr, s->gateway, s->six ? 16 : 4);
	if (route_add(&r, true))
		return;		/* its interface is gone: so is it */
}

void configuration_restore(void)
{
	static struct copy c;

	area = saved_area(SAVED_INTERFACES, VERSION);
	if (!area->number)
		return;
	c = area->copy[area->number % 2];
	for (uint32_t n = 0; n < c.interfaces && n < INTERFACES; n++)
		interface_read(&c.interface[n]);
	for (uint32_t n = 0; n < c.routes && n < ROUTES; n++)
		route_read(&c.route[n]);
	for (unsigned n = 0; n < 3; n++) {
		if (!ip_addr_isany(&c.name_server[n]))
			interface_name_server_set(n, &c.name_server[n]);
	}
}
