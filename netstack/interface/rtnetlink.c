/* SPDX-License-Identifier: MIT */
/*
 * NETLINK_ROUTE: links, addresses, routes and neighbours, asked for and changed by messages, as ip
 * and getifaddrs do.
 *
 * put_* write one thing as one message, the same for dumps, answers and notices; new_* and del_*
 * read the attributes of a request and leave the change to interface.c, route.c and neighbour.c.
 * Attributes come in Linux's order, for programs that were only ever tried there.
 */
#include <errno.h>
#include <string.h>

#include "interface.h"
#include "linux.h"
#include "neighbour.h"
#include "netlink.h"
#include "notice.h"
#include "route.h"

enum {
	IFLA_ADDRESS = 1,
	IFLA_BROADCAST,
	IFLA_IFNAME,
	IFLA_MTU,
	IFLA_LINK,
	IFLA_QDISC,
	IFLA_STATS,
	IFLA_TXQLEN = 13,
	IFLA_MAP,
	IFLA_OPERSTATE = 16,
	IFLA_LINKMODE,
	IFLA_STATS64 = 23,
	IFLA_GROUP = 27,
	IFLA_PROMISCUITY = 30,
	IFLA_NUM_TX_QUEUES,
	IFLA_NUM_RX_QUEUES,
	IFLA_CARRIER,
	IFLA_CARRIER_CHANGES = 35,
	IFLA_GSO_MAX_SEGS = 40,
	IFLA_GSO_MAX_SIZE,
	IFLA_MIN_MTU = 50,
	IFLA_MAX_MTU
};
enum { IFA_ADDRESS = 1, IFA_LOCAL, IFA_LABEL, IFA_BROADCAST, IFA_CACHEINFO = 6, IFA_FLAGS = 8 };
enum {
	RTA_DST = 1,
	RTA_SRC,
	RTA_IIF,
	RTA_OIF,
	RTA_GATEWAY,
	RTA_PRIORITY,
	RTA_PREFSRC,
	RTA_CACHEINFO = 12,
	RTA_TABLE = 15,
	RTA_PREF = 20
};
enum { NDA_DST = 1, NDA_LLADDR, NDA_CACHEINFO, NDA_PROBES };
enum { ATTRIBUTES = 64 };

#define IFA_F_TENTATIVE	0x40
#define IFA_F_PERMANENT	0x80
#define NTF_ROUTER	0x80
#define TABLE_MAIN	254
#define TABLE_LOCAL	255
enum { SCOPE_UNIVERSE = 0, SCOPE_SITE = 200, SCOPE_LINK = 253, SCOPE_HOST = 254 };
#define FOREVER 0xffffffffu

struct ifinfomsg {
	uint8_t family, pad;
	uint16_t type;
	int32_t index;
	uint32_t flags, change;
};
struct ifaddrmsg {
	uint8_t family, prefix, flags, scope;
	uint32_t index;
};
struct rtmsg {
	uint8_t family, to_length, from_length, tos, table, protocol, scope, type;
	uint32_t flags;
};
struct ndmsg {
	uint8_t family, pad1;
	uint16_t pad2;
	int32_t index;
	uint16_t state;
	uint8_t flags, type;
};
struct cacheinfo {
	uint32_t preferred, valid, created, updated;
};
struct link_stats {	/* rtnl_link_stats64; the 32-bit form has the same members */
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped,
		tx_dropped, multicast, collisions, detailed[12], rx_nohandler, otherhost;
};

/* --- writing ------------------------------------------------------------------------------ */

static void put_stats(struct netlink_writer *w, const struct interface *i)
{
	struct interface_counts c;
	struct link_stats s;
	uint32_t narrow[24];

	interface_counts(i, &c);
	s = (struct link_stats){ .rx_packets = c.rx_packets,
				 .tx_packets = c.tx_packets,
				 .rx_bytes = c.rx_bytes,
				 .tx_bytes = c.tx_bytes,
				 .rx_errors = c.rx_errors,
				 .tx_errors = c.tx_errors,
				 .rx_dropped = c.rx_dropped,
				 .tx_dropped = c.tx_dropped,
				 .multicast = c.rx_multicast };
	for (int n = 0; n < 24; n++)
		narrow[n] = (uint32_t)((const uint64_t *)&s)[n];
	netlink_put(w, IFLA_STATS64, &s, 8 * 24);
	netlink_put(w, IFLA_STATS, narrow, sizeof narrow);
}

static void put_link(struct netlink_writer *w, const struct interface *i, uint32_t change)
{
	static const uint8_t nobody[6], all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	bool loop = interface_is_loopback(i), running = interface_flags(i) & LX_IFF_RUNNING;
	struct ifinfomsg m = { .type = loop ? LX_ARPHRD_LOOPBACK : LX_ARPHRD_ETHER,
			       .index = (int32_t)i->index,
			       .flags = interface_flags(i) & ~LX_IFF_DYNAMIC,
			       .change = change };
	static const uint8_t map[28 + 4];

	netlink_begin(w, LX_RTM_NEWLINK, &m, sizeof m);
	netlink_put_string(w, IFLA_IFNAME, i->name);
	netlink_put_u32(w, IFLA_TXQLEN, i->queue);
	netlink_put_u8(w, IFLA_OPERSTATE, loop ? 0 : running ? 6 : 2);	/* unknown, up, down */
	netlink_put_u8(w, IFLA_LINKMODE, 0);
	netlink_put_u32(w, IFLA_MTU, interface_mtu(i));
	netlink_put_u32(w, IFLA_MIN_MTU, loop ? 0 : 68);
	netlink_put_u32(w, IFLA_MAX_MTU, loop ? 0 : 1500);
	netlink_put_u32(w, IFLA_GROUP, 0);
	netlink_put_u32(w, IFLA_PROMISCUITY, (i->own_flags & LX_IFF_PROMISC) != 0);
	netlink_put_u32(w, IFLA_NUM_TX_QUEUES, 1);
	netlink_put_u32(w, IFLA_GSO_MAX_SEGS, 65535);
	netlink_put_u32(w, IFLA_GSO_MAX_SIZE, 65536);
	netlink_put_u32(w, IFLA_NUM_RX_QUEUES, 1);
	netlink_put_u8(w, IFLA_CARRIER, netif_is_link_up(i->netif));
	netlink_put_u32(w, IFLA_CARRIER_CHANGES, 0);
	netlink_put(w, IFLA_ADDRESS, loop ? nobody : i->netif->hwaddr, 6);
	netlink_put(w, IFLA_BROADCAST, loop ? nobody : all, 6);
	put_stats(w, i);
	netlink_put_string(w, IFLA_QDISC, loop ? "noqueue" : "pfifo_fast");
	netlink_put(w, IFLA_MAP, map, sizeof map);
	netlink_end(w);
}

static void put_address4(struct netlink_writer *w, const struct interface *i, uint16_t type)
{
	const struct netif *n = i->netif;
	struct ifaddrmsg m = { .family = LX_AF_INET,
			       .prefix = (uint8_t)interface_mask_length(netif_ip4_netmask(n)->addr),
			       .flags = i->dhcp ? 0 : IFA_F_PERMANENT,
			       .scope = interface_is_loopback(i) ? SCOPE_HOST : SCOPE_UNIVERSE,
			       .index = i->index };
	uint32_t lease = interface_lease(i);
	struct cacheinfo life = { lease, lease, 0, 0 };

	netlink_begin(w, type, &m, sizeof m);
	netlink_put(w, IFA_ADDRESS, netif_ip4_addr(n), 4);
	netlink_put(w, IFA_LOCAL, netif_ip4_addr(n), 4);
	if (i->broadcast.addr)
		netlink_put(w, IFA_BROADCAST, &i->broadcast, 4);
	netlink_put_string(w, IFA_LABEL, i->name);
	netlink_put_u32(w, IFA_FLAGS, m.flags);
	netlink_put(w, IFA_CACHEINFO, &life, sizeof life);
	netlink_end(w);
}

static uint8_t scope6(const ip6_addr_t *a)
{
	return ip6_addr_isloopback(a)  ? SCOPE_HOST :
	       ip6_addr_islinklocal(a) ? SCOPE_LINK :
	       ip6_addr_issitelocal(a) ? SCOPE_SITE :
					 SCOPE_UNIVERSE;
}

static void put_address6(struct netlink_writer *w, const struct interface *i, int slot,
			 uint16_t type)
{
	const ip6_addr_t *a = netif_ip6_addr(i->netif, slot);
	uint8_t state = netif_ip6_addr_state(i->netif, slot);
	uint32_t valid = netif_ip6_addr_valid_life(i->netif, slot),
		 preferred = netif_ip6_addr_pref_life(i->netif, slot);
	bool fixed = ip6_addr_life_isstatic(valid) || ip6_addr_life_isinfinite(valid);
	struct ifaddrmsg m = { .family = LX_AF_INET6,
			       .prefix = i->prefix6[slot],
			       .scope = scope6(a),
			       .index = i->index,
			       .flags = (uint8_t)((fixed ? IFA_F_PERMANENT : 0) |
						  (ip6_addr_istentative(state) ? IFA_F_TENTATIVE :
										 0)) };
	struct cacheinfo life = { fixed ? FOREVER : preferred, fixed ? FOREVER : valid, 0, 0 };

	netlink_begin(w, type, &m, sizeof m);
	netlink_put(w, IFA_ADDRESS, a->addr, 16);
	netlink_put(w, IFA_CACHEINFO, &life, sizeof life);
	netlink_put_u32(w, IFA_FLAGS, m.flags);
	netlink_end(w);
}

static void put_route_head(struct netlink_writer *w, uint16_t type, struct rtmsg *m, uint32_t table,
			   const void *to)
{
	m->table = (uint8_t)table;
	netlink_begin(w, type, m, sizeof *m);
	netlink_put_u32(w, RTA_TABLE, table);
	if (m->to_length)
		netlink_put(w, RTA_DST, to, m->family == LX_AF_INET ? 4 : 16);
}

/* lo's own network is a local one. */
static bool route_is_local(const struct route *r)
{
	return r->index == 1 && r->protocol == LX_RTPROT_KERNEL;
}

static void put_route4(struct netlink_writer *w, const struct route *r, uint16_t type)
{
	const struct interface *i = r->index ? interface_by_index(r->index) : NULL;
	bool local = route_is_local(r), link = ip_addr_isany(&r->gateway);
	struct rtmsg m = { .family = LX_AF_INET,
			   .to_length = r->length,
			   .protocol = r->protocol,
			   .type = local ? LX_RTN_LOCAL : r->type,
			   .scope = local     ? SCOPE_HOST :
				    link && i ? SCOPE_LINK :
						SCOPE_UNIVERSE };

	put_route_head(w, type, &m, local ? TABLE_LOCAL : TABLE_MAIN, ip_2_ip4(&r->to));
	if (r->metric)
		netlink_put_u32(w, RTA_PRIORITY, r->metric);
	if (r->protocol == LX_RTPROT_KERNEL && i)
		netlink_put(w, RTA_PREFSRC, netif_ip4_addr(i->netif), 4);
	if (!link)
		netlink_put(w, RTA_GATEWAY, ip_2_ip4(&r->gateway), 4);
	if (i)
		netlink_put_u32(w, RTA_OIF, i->index);
	netlink_end(w);
}

static void put_route6_tail(struct netlink_writer *w, const struct route *r)
{
	static const uint32_t cacheinfo[8];

	netlink_put_u32(w, RTA_PRIORITY, r->metric);
	if (!ip_addr_isany(&r->gateway))
		netlink_put(w, RTA_GATEWAY, ip_2_ip6(&r->gateway)->addr, 16);
	if (r->index)
		netlink_put_u32(w, RTA_OIF, r->index);
	netlink_put(w, RTA_CACHEINFO, cacheinfo, sizeof cacheinfo);
	netlink_put_u8(w, RTA_PREF, 0);
	netlink_end(w);
}

static void put_route6(struct netlink_writer *w, const struct route *r, uint16_t type)
{
	bool local = route_is_local(r) || r->type == LX_RTN_LOCAL;
	struct rtmsg m = { .family = LX_AF_INET6,
			   .to_length = r->length,
			   .protocol = r->protocol,
			   .type = local ? LX_RTN_LOCAL : r->type };

	put_route_head(w, type, &m, local ? TABLE_LOCAL : TABLE_MAIN, ip_2_ip6(&r->to)->addr);
	put_route6_tail(w, r);
}

static void put_route(struct netlink_writer *w, const struct route *r, uint16_t type)
{
	if (IP_IS_V6(&r->to))
		put_route6(w, r, type);
	else
		put_route4(w, r, type);
}

static void put_neighbour(struct netlink_writer *w, const struct neighbour *n)
{
	bool six = IP_IS_V6(&n->address);
	struct ndmsg m = { .family = six ? LX_AF_INET6 : LX_AF_INET,
			   .index = (int32_t)n->index,
			   .state = n->state,
			   .type = LX_RTN_UNICAST,
			   .flags = n->router ? NTF_ROUTER : 0 };
	static const uint32_t cacheinfo[4];

	netlink_begin(w, LX_RTM_NEWNEIGH, &m, sizeof m);
	netlink_put(w, NDA_DST, &n->address.u_addr, six ? 16 : 4);
	if (n->state != LX_NUD_INCOMPLETE)
		netlink_put(w, NDA_LLADDR, n->hardware, 6);
	netlink_put_u32(w, NDA_PROBES, 0);
	netlink_put(w, NDA_CACHEINFO, cacheinfo, sizeof cacheinfo);
	netlink_end(w);
}

/* --- dumps -------------------------------------------------------------------------------- */

static void dump_links(struct netlink_writer *w, uint8_t family)
{
	(void)family;
	for (struct interface *i = interface_next(NULL); i; i = interface_next(i))
		put_link(w, i, 0);
}

static bool address6_shown(const struct interface *i, int slot)
{
	return !ip6_addr_isinvalid(netif_ip6_addr_state(i->netif, slot));
}

static void dump_addresses(struct netlink_writer *w, uint8_t family)
{
	struct interface *i;

	for (i = interface_next(NULL); i && family != LX_AF_INET6; i = interface_next(i)) {
		if (!ip4_addr_isany_val(*netif_ip4_addr(i->netif)))
			put_address4(w, i, LX_RTM_NEWADDR);
	}
	for (i = interface_next(NULL); i && family != LX_AF_INET; i = interface_next(i)) {
		for (int slot = 0; slot < LWIP_IPV6_NUM_ADDRESSES; slot++) {
			if (address6_shown(i, slot))
				put_address6(w, i, slot, LX_RTM_NEWADDR);
		}
	}
}

struct route_dump {
	struct netlink_writer *w;
	uint8_t family;
	bool defaults, others;
};

static bool dump_route(const struct route *r, void *arg)
{
	struct route_dump *d = arg;

	if ((IP_IS_V6(&r->to) ? LX_AF_INET6 : LX_AF_INET) == d->family &&
	    (r->length ? d->others : d->defaults))
		put_route(d->w, r, LX_RTM_NEWROUTE);
	return true;
}

/* The table of what is local: each address, and the broadcasts of its network. */
static void dump_local4(struct netlink_writer *w)
{
	for (struct interface *i = interface_next(NULL); i; i = interface_next(i)) {
		const ip4_addr_t *a = netif_ip4_addr(i->netif);
		struct rtmsg m = { .family = LX_AF_INET,
				   .to_length = 32,
				   .protocol = LX_RTPROT_KERNEL,
				   .scope = SCOPE_HOST,
				   .type = LX_RTN_LOCAL };

		if (ip4_addr_isany_val(*a) || !netif_is_up(i->netif))
			continue;
		for (int pass = 0; pass < (i->broadcast.addr ? 2 : 1); pass++) {
			put_route_head(w, LX_RTM_NEWROUTE, &m, TABLE_LOCAL,
				       pass ? &i->broadcast : a);
			netlink_put(w, RTA_PREFSRC, a, 4);
			netlink_put_u32(w, RTA_OIF, i->index);
			netlink_end(w);
			m.scope = SCOPE_LINK;
			m.type = LX_RTN_BROADCAST;
		}
	}
}

static void dump_local6(struct netlink_writer *w)
{
	for (struct interface *i = interface_next(NULL); i; i = interface_next(i)) {
		for (int slot = 0; slot < LWIP_IPV6_NUM_ADDRESSES; slot++) {
			struct route r = { .length = 128,
					   .protocol = LX_RTPROT_KERNEL,
					   .type = LX_RTN_LOCAL,
					   .index = i->index };

			if (interface_is_loopback(i) || !address6_shown(i, slot))
				continue;
			ip_addr_copy_from_ip6(r.to, *netif_ip6_addr(i->netif, slot));
			ip_addr_set_any(true, &r.gateway);
			put_route6(w, &r, LX_RTM_NEWROUTE);
		}
	}
}

static void dump_routes(struct netlink_writer *w, uint8_t family)
{
	struct route_dump d = { .w = w, .family = LX_AF_INET, .defaults = true };

	if (family != LX_AF_INET6) {
		route_walk(dump_route, &d);
		d.defaults = false;
		d.others = true;
		route_walk(dump_route, &d);
		dump_local4(w);
	}
	if (family != LX_AF_INET) {
		d = (struct route_dump){
			.w = w, .family = LX_AF_INET6, .defaults = true, .others = true
		};
		route_walk(dump_route, &d);
		dump_local6(w);
	}
}

static bool dump_neighbour(const struct neighbour *n, void *arg)
{
	struct route_dump *d = arg;

	if (!d->family || (IP_IS_V6(&n->address) ? LX_AF_INET6 : LX_AF_INET) == d->family)
		put_neighbour(d->w, n);
	return true;
}

static void dump_neighbours(struct netlink_writer *w, uint8_t family)
{
	struct route_dump d = { .w = w, .family = family };

	neighbour_walk(dump_neighbour, &d);
}

/* Linux's three rules: local, main, default. */
static void dump_rules(struct netlink_writer *w, uint8_t family)
{
	static const struct {
		uint32_t priority;
		uint8_t table;
	} rules[] = { { 0, TABLE_LOCAL }, { 32766, TABLE_MAIN }, { 32767, 253 } };
	enum { FRA_PRIORITY = 6, FRA_SUPPRESS_PREFIXLEN = 14, FRA_TABLE = 15 };

	for (int n = 0; n < (family == LX_AF_INET6 ? 2 : 3); n++) {
		struct rtmsg m = { .family = family == LX_AF_INET6 ? LX_AF_INET6 : LX_AF_INET,
				   .table = rules[n].table,
				   .type = 1 };

		netlink_begin(w, 32 /* RTM_NEWRULE */, &m, sizeof m);
		netlink_put_u32(w, FRA_TABLE, rules[n].table);
		netlink_put_u32(w, FRA_SUPPRESS_PREFIXLEN, ~0u);
		if (rules[n].priority)
			netlink_put_u32(w, FRA_PRIORITY, rules[n].priority);
		netlink_end(w);
	}
}

/* --- reading ------------------------------------------------------------------------------ */

struct attributes {
	const uint8_t *data[ATTRIBUTES];
	uint16_t size[ATTRIBUTES];
};

/* The last of each type counts. -EINVAL: they do not fill what there is. */
static int attributes_read(const struct netlink_request *q, size_t fixed, struct attributes *a)
{
	size_t at = (fixed + 3) & ~(size_t)3;

	memset(a, 0, sizeof *a);
	if (q->size < fixed)
		return -EINVAL;
	while (at + sizeof(struct lx_rtattr) <= q->size) {
		struct lx_rtattr h;

		memcpy(&h, q->data + at, sizeof h);
		if (h.size < sizeof h || h.size > q->size - at)
			return -EINVAL;
		if ((h.type & 0x3fff) < ATTRIBUTES) {
			a->data[h.type & 0x3fff] = q->data + at + sizeof h;
			a->size[h.type & 0x3fff] = (uint16_t)(h.size - sizeof h);
		}
		at += (h.size + 3u) & ~3u;
	}
	return 0;
}

static bool get_u32(const struct attributes *a, int type, uint32_t *out)
{
	if (!a->data[type] || a->size[type] < 4)
		return false;
	memcpy(out, a->data[type], 4);
	return true;
}

static bool get_address(const struct attributes *a, int type, uint8_t family, ip_addr_t *out)
{
	size_t n = family == LX_AF_INET6 ? 16 : 4;

	ip_addr_set_any(family == LX_AF_INET6, out);
	if (!a->data[type] || a->size[type] < n)
		return false;
	memcpy(&out->u_addr, a->data[type], n);
	return true;
}

static struct interface *get_link(const struct attributes *a, int32_t index)
{
	char name[16] = "";

	if (index > 0)
		return interface_by_index((uint32_t)index);
	if (!a->data[IFLA_IFNAME] || !a->size[IFLA_IFNAME])
		return NULL;
	memcpy(name, a->data[IFLA_IFNAME], a->size[IFLA_IFNAME] < 15 ? a->size[IFLA_IFNAME] : 15);
	return interface_by_name(name);
}

/* --- links -------------------------------------------------------------------------------- */

static int get_one_link(const struct netlink_request *q, struct netlink_writer *w)
{
	struct attributes a;
	struct ifinfomsg m;
	struct interface *i;
	int e = attributes_read(q, sizeof m, &a);

	if (e)
		return e;
	memcpy(&m, q->data, sizeof m);
	i = get_link(&a, m.index);
	if (!i)
		return m.index > 0 || a.data[IFLA_IFNAME] ? -ENODEV : -EINVAL;
	put_link(w, i, 0);
	return 0;
}

static int set_link(const struct netlink_request *q)
{
	struct attributes a;
	struct ifinfomsg m;
	struct interface *i;
	uint32_t mtu, queue;
	int e = attributes_read(q, sizeof m, &a);

	if (e)
		return e;
	memcpy(&m, q->data, sizeof m);
	i = get_link(&a, m.index);
	if (!i)
		return q->header->flags & LX_NLM_F_CREATE ? -EOPNOTSUPP : -ENODEV;
	if (a.data[IFLA_ADDRESS])
		return -EOPNOTSUPP;
	if (a.data[IFLA_IFNAME] && m.index > 0 &&
	    strncmp((const char *)a.data[IFLA_IFNAME], i->name, a.size[IFLA_IFNAME]))
		return -EOPNOTSUPP;
	if (get_u32(&a, IFLA_MTU, &mtu))
		e = interface_set_mtu(i, mtu);
	if (!e && get_u32(&a, IFLA_TXQLEN, &queue))
		i->queue = queue;
	return e ? e : interface_set_flags(i, m.flags, m.change ? m.change : m.flags ? ~0u : 0);
}

/* --- addresses ---------------------------------------------------------------------------- */

static int change_address4(const struct attributes *a, const struct ifaddrmsg *m,
			   struct interface *i, bool add, uint16_t flags)
{
	ip_addr_t local, broadcast;
	uint32_t mine = netif_ip4_addr(i->netif)->addr, mask = interface_mask(m->prefix);

	if (m->prefix > 32)
		return -EINVAL;
	if (!get_address(a, IFA_LOCAL, LX_AF_INET, &local) &&
	    !get_address(a, IFA_ADDRESS, LX_AF_INET, &local)) {
		if (add)
			return -EINVAL;
		ip_addr_set_ip4_u32_val(local, mine);
	}
	if (!add) {
		if (!mine || ip_2_ip4(&local)->addr != mine ||
		    (m->prefix && mask != netif_ip4_netmask(i->netif)->addr))
			return -EADDRNOTAVAIL;
		notice_address(i, -1, false);
		return interface_set_address4(i, 0, 0, 0);
	}
	if (mine == ip_2_ip4(&local)->addr && mask == netif_ip4_netmask(i->netif)->addr &&
	    !(flags & LX_NLM_F_REPLACE))
		return -EEXIST;
	if (mine && mine != ip_2_ip4(&local)->addr)
		return -ENOBUFS;		/* there is room for one */
	return interface_set_address4(i, ip_2_ip4(&local)->addr, mask,
				      get_address(a, IFA_BROADCAST, LX_AF_INET, &broadcast) ?
					      ip_2_ip4(&broadcast)->addr :
					      0);
}

static int change_address(const struct netlink_request *q, bool add)
{
	struct attributes a;
	struct ifaddrmsg m;
	struct interface *i;
	ip_addr_t address;
	int e = attributes_read(q, sizeof m, &a);

	if (e)
		return e;
	memcpy(&m, q->data, sizeof m);
	i = interface_by_index(m.index);
	if (!i)
		return -ENODEV;
	if (m.family == LX_AF_INET)
		return change_address4(&a, &m, i, add, q->header->flags);
	if (m.family != LX_AF_INET6)
		return -EOPNOTSUPP;
	if (!get_address(&a, IFA_LOCAL, LX_AF_INET6, &address) &&
	    !get_address(&a, IFA_ADDRESS, LX_AF_INET6, &address))
		return -EINVAL;
	if (!add)
		return interface_remove_address6(i, ip_2_ip6(&address)->addr, m.prefix);
	e = interface_add_address6(i, ip_2_ip6(&address)->addr, m.prefix);
	return e == -EEXIST && q->header->flags & LX_NLM_F_REPLACE ? 0 : e;
}

/* --- routes ------------------------------------------------------------------------------- */

static int route_read(const struct netlink_request *q, struct route *r, struct attributes *a)
{
	uint32_t table = 0;
	struct rtmsg m;
	int e = attributes_read(q, sizeof m, a);

	if (e)
		return e;
	memcpy(&m, q->data, sizeof m);
	if (m.family != LX_AF_INET && m.family != LX_AF_INET6)
		return -EOPNOTSUPP;
	if (!get_u32(a, RTA_TABLE, &table))
		table = m.table;
	if (table && table != TABLE_MAIN)
		return -EOPNOTSUPP;
	if (m.from_length || m.tos || m.to_length > (m.family == LX_AF_INET ? 32 : 128))
		return -EINVAL;
	*r = (struct route){ .length = m.to_length, .protocol = m.protocol, .type = m.type };
	if (!get_address(a, RTA_DST, m.family, &r->to) && m.to_length)
		return -EINVAL;
	get_address(a, RTA_GATEWAY, m.family, &r->gateway);
	get_u32(a, RTA_OIF, &r->index);
	if (r->index && !interface_by_index(r->index))
		return -ENODEV;
	if (!get_u32(a, RTA_PRIORITY, &r->metric))
		r->metric = ~0u;
	return 0;
}

static int new_route(const struct netlink_request *q)
{
	struct attributes a;
	struct route r;
	int e = route_read(q, &r, &a);

	if (e)
		return e;
	if (r.type != LX_RTN_UNICAST && r.type != LX_RTN_UNREACHABLE &&
	    r.type != LX_RTN_BLACKHOLE && r.type != LX_RTN_PROHIBIT)
		return -EOPNOTSUPP;
	if (r.type != LX_RTN_UNICAST)
		r.index = 0;
	if (r.metric == ~0u)
		r.metric = IP_IS_V6(&r.to) ? 1024 : 0;
	if (!(q->header->flags & (LX_NLM_F_CREATE | LX_NLM_F_REPLACE)))
		return -ENOENT;
	return route_add(&r, q->header->flags & LX_NLM_F_REPLACE);
}

static int del_route(const struct netlink_request *q)
{
	struct attributes a;
	struct route r;
	int e = route_read(q, &r, &a);

	return e ? e : route_remove(&r);
}

/* `ip route get`: the way that a packet would take. */
static int get_one_route(const struct netlink_request *q, struct netlink_writer *w)
{
	struct rtmsg m;
	struct attributes a;
	const struct route *r;
	struct interface *i;
	ip_addr_t to;
	int e = attributes_read(q, sizeof m, &a);

	if (e)
		return e;
	memcpy(&m, q->data, sizeof m);
	if (m.family != LX_AF_INET && m.family != LX_AF_INET6)
		return -EOPNOTSUPP;
	if (!get_address(&a, RTA_DST, m.family, &to))
		return -EINVAL;
	r = route_find(&to);
	if (!r)
		return -ENETUNREACH;
	i = interface_by_index(r->index);
	m = (struct rtmsg){ .family = m.family,
			    .to_length = m.family == LX_AF_INET ? 32 : 128,
			    .protocol = r->protocol == LX_RTPROT_RA ? LX_RTPROT_RA : 0,
			    .type = r->type,
			    .flags = m.family == LX_AF_INET ? 0x200 /* cloned */ : 0 };
	put_route_head(w, LX_RTM_NEWROUTE, &m, r->type == LX_RTN_LOCAL ? TABLE_LOCAL : TABLE_MAIN,
		       &to.u_addr);
	if (!ip_addr_isany(&r->gateway))
		netlink_put(w, RTA_GATEWAY, &r->gateway.u_addr, m.family == LX_AF_INET ? 4 : 16);
	netlink_put_u32(w, RTA_OIF, r->index);
	if (m.family == LX_AF_INET && i)
		netlink_put(w, RTA_PREFSRC,
			    r->type == LX_RTN_LOCAL ? ip_2_ip4(&to) : netif_ip4_addr(i->netif), 4);
	netlink_end(w);
	return 0;
}

/* --- neighbours --------------------------------------------------------------------------- */

static int change_neighbour(const struct netlink_request *q, bool add)
{
	struct attributes a;
	struct ndmsg m;
	struct interface *i;
	ip_addr_t address;
	int e = attributes_read(q, sizeof m, &a);

	if (e)
		return e;
	memcpy(&m, q->data, sizeof m);
	i = m.index > 0 ? interface_by_index((uint32_t)m.index) : NULL;
	if (!i)
		return -ENODEV;
	if (m.family != LX_AF_INET)
		return -EOPNOTSUPP;
	if (!get_address(&a, NDA_DST, m.family, &address))
		return -EINVAL;
	if (!add)
		return neighbour_remove(i, &address);
	if (!a.data[NDA_LLADDR] || a.size[NDA_LLADDR] < 6)
		return -EINVAL;
	return neighbour_add(i, &address, a.data[NDA_LLADDR]);
}

/* --- the table ---------------------------------------------------------------------------- */

static void dump(struct netlink_writer *w, const struct netlink_request *q,
		 void (*fn)(struct netlink_writer *w, uint8_t family))
{
	uint8_t family = q->size ? q->data[0] : 0;
	static const uint32_t status;

	if (family != LX_AF_INET && family != LX_AF_INET6)
		family = 0;
	w->flags = LX_NLM_F_MULTI;
	fn(w, family);
	/* the end comes by itself: some readers look for it at the beginning of a datagram */
	netlink_flush(w);
	netlink_begin(w, LX_NLMSG_DONE, &status, sizeof status);
	netlink_end(w);
	netlink_flush(w);
}

int rtnetlink_request(const struct netlink_request *q, struct netlink_writer *w)
{
	static void (*const dumps[])(struct netlink_writer * w,
				     uint8_t family) = { [LX_RTM_GETLINK] = dump_links,
							 [LX_RTM_GETADDR] = dump_addresses,
							 [LX_RTM_GETROUTE] = dump_routes,
							 [LX_RTM_GETNEIGH] = dump_neighbours,
							 [LX_RTM_GETRULE] = dump_rules };
	uint16_t type = q->header->type;
	bool asks = (type & 3) == 2;

	if (type < LX_RTM_NEWLINK)
		return 0;
	if (!asks && !q->admin)
		return -EPERM;
	if (asks && q->header->flags & LX_NLM_F_DUMP) {
		if (type >= sizeof dumps / sizeof dumps[0] || !dumps[type])
			return -EOPNOTSUPP;
		dump(w, q, dumps[type]);
		return 0;
	}
	switch (type) {
	case LX_RTM_GETLINK:
		return get_one_link(q, w);
	case LX_RTM_NEWLINK:
	case LX_RTM_SETLINK:
		return set_link(q);
	case LX_RTM_NEWADDR:
	case LX_RTM_DELADDR:
		return change_address(q, type == LX_RTM_NEWADDR);
	case LX_RTM_GETROUTE:
		return get_one_route(q, w);
	case LX_RTM_NEWROUTE:
		return new_route(q);
	case LX_RTM_DELROUTE:
		return del_route(q);
	case LX_RTM_NEWNEIGH:
	case LX_RTM_DELNEIGH:
		return change_neighbour(q, type == LX_RTM_NEWNEIGH);
	}
	return -EOPNOTSUPP;
}

/* --- notices ------------------------------------------------------------------------------ */

static struct netlink_writer notice;

static struct netlink_writer *notice_begin(uint32_t group)
{
	notice.emit = notice_emit;
	notice.arg = (void *)(uintptr_t)group;
	notice.flags = 0;
	notice.sequence = notice.port = 0;
	notice.used = 0;
	return &notice;
}

void notice_link(struct interface *i)
{
	struct netlink_writer *w = notice_begin(LX_RTMGRP_LINK);

	put_link(w, i, ~0u);
	netlink_flush(w);
}

void notice_address(struct interface *i, int slot, bool added)
{
	struct netlink_writer *w =
		notice_begin(slot < 0 ? LX_RTMGRP_IPV4_IFADDR : LX_RTMGRP_IPV6_IFADDR);

	if (slot < 0)
		put_address4(w, i, added ? LX_RTM_NEWADDR : LX_RTM_DELADDR);
	else
		put_address6(w, i, slot, added ? LX_RTM_NEWADDR : LX_RTM_DELADDR);
	netlink_flush(w);
}

void notice_route(const struct route *r, bool added)
{
	struct netlink_writer *w =
		notice_begin(IP_IS_V6(&r->to) ? LX_RTMGRP_IPV6_ROUTE : LX_RTMGRP_IPV4_ROUTE);

	put_route(w, r, added ? LX_RTM_NEWROUTE : LX_RTM_DELROUTE);
	netlink_flush(w);
}
