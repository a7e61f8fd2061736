/* SPDX-License-Identifier: MIT */
/*
 * Interface requests (SIOCGIF..., SIOCSIF...), routes (SIOCADDRT) and neighbours (SIOCGARP) by
 * ioctl: what ifconfig, route and arp use.
 *
 * A line of a table for each: what is read from the caller, who may, and the function. What is
 * changed is changed by interface.c and route.c.
 */
#include <errno.h>
#include <string.h>

#include "interface.h"
#include "lwip/etharp.h"
#include "neighbour.h"
#include "route.h"
#include "socket.h"

struct lx_sockaddr {
	uint16_t family;
	uint8_t data[14];
};

struct lx_ifreq {
	char name[16];
	union {
		struct lx_sockaddr_in address;
		struct lx_sockaddr hardware;
		uint16_t flags;
		int32_t value;
		uint8_t bytes[24];
	};
};
_Static_assert(sizeof(struct lx_ifreq) == 40, "ifreq layout");

struct lx_in6_ifreq {
	uint32_t address[4];
	uint32_t prefix;
	int32_t index;
};

struct lx_ifconf {
	int32_t size, pad;
	uint64_t buffer;
};

struct lx_rtentry {
	uint64_t pad1;
	struct lx_sockaddr_in to, gateway, mask;
	uint16_t flags;
	int16_t pad2;
	uint64_t pad3, pad4;
	int16_t metric, pad5[3];
	uint64_t device;		/* a string of the caller's */
	uint64_t mtu, window;
	uint16_t irtt, pad6[3];
};
_Static_assert(sizeof(struct lx_rtentry) == 120, "rtentry layout");

struct lx_in6_rtmsg {
	uint32_t to[4], from[4], gateway[4];
	uint32_t type;
	uint16_t to_length, from_length;
	uint32_t metric;
	uint64_t info;
	uint32_t flags;
	int32_t index;
};
_Static_assert(sizeof(struct lx_in6_rtmsg) == 80, "in6_rtmsg layout");

struct lx_arpreq {
	struct lx_sockaddr_in address;
	struct lx_sockaddr hardware;
	int32_t flags;
	struct lx_sockaddr_in mask;
	char device[16];
};
_Static_assert(sizeof(struct lx_arpreq) == 68, "arpreq layout");

#define LX_ATF_COM	0x2
#define LX_ATF_PERM	0x4

enum {
	LX_SIOCADDRT = 0x890b,
	LX_SIOCDELRT,
	LX_SIOCGIFNAME = 0x8910,
	LX_SIOCSIFLINK,
	LX_SIOCGIFCONF,
	LX_SIOCGIFFLAGS,
	LX_SIOCSIFFLAGS,
	LX_SIOCGIFADDR,
	LX_SIOCSIFADDR,
	LX_SIOCGIFDSTADDR,
	LX_SIOCSIFDSTADDR,
	LX_SIOCGIFBRDADDR,
	LX_SIOCSIFBRDADDR,
	LX_SIOCGIFNETMASK,
	LX_SIOCSIFNETMASK,
	LX_SIOCGIFMETRIC,
	LX_SIOCSIFMETRIC,
	LX_SIOCGIFMEM,
	LX_SIOCSIFMEM,
	LX_SIOCGIFMTU,
	LX_SIOCSIFMTU,
	LX_SIOCSIFNAME,
	LX_SIOCSIFHWADDR,
	LX_SIOCGIFHWADDR = 0x8927,
	LX_SIOCGIFSLAVE = 0x8929,
	LX_SIOCGIFINDEX = 0x8933,
	LX_SIOCDIFADDR = 0x8936,
	LX_SIOCGIFTXQLEN = 0x8942,
	LX_SIOCSIFTXQLEN,
	LX_SIOCETHTOOL = 0x8946,
	LX_SIOCGMIIPHY,
	LX_SIOCGMIIREG,
	LX_SIOCDARP = 0x8953,
	LX_SIOCGARP,
	LX_SIOCSARP,
	LX_SIOCGIFMAP = 0x8970,
	LX_SIOCSIFMAP
};

/* --- what an interface is ----------------------------------------------------------------- */

static void address_put(struct lx_ifreq *q, uint32_t address)
{
	q->address = (struct lx_sockaddr_in){ .family = LX_AF_INET, .address = address };
}

static int get_address(struct interface *i, struct lx_ifreq *q, uint32_t value)
{
	if (ip4_addr_isany_val(*netif_ip4_addr(i->netif)))
		return -EADDRNOTAVAIL;
	address_put(q, value);
	return 0;
}

static int get_ip(struct interface *i, struct lx_ifreq *q)
{
	return get_address(i, q, netif_ip4_addr(i->netif)->addr);
}

static int get_broadcast(struct interface *i, struct lx_ifreq *q)
{
	return get_address(i, q, i->broadcast.addr);
}

static int get_mask(struct interface *i, struct lx_ifreq *q)
{
	return get_address(i, q, netif_ip4_netmask(i->netif)->addr);
}

static int get_flags(struct interface *i, struct lx_ifreq *q)
{
	q->flags = (uint16_t)interface_flags(i);
	return 0;
}

static int get_metric(struct interface *i, struct lx_ifreq *q)
{
	(void)i;
	q->value = 0;
	return 0;
}

static int get_mtu(struct interface *i, struct lx_ifreq *q)
{
	q->value = (int32_t)interface_mtu(i);
	return 0;
}

static int get_index(struct interface *i, struct lx_ifreq *q)
{
	q->value = (int32_t)i->index;
	return 0;
}

static int get_queue(struct interface *i, struct lx_ifreq *q)
{
	q->value = (int32_t)i->queue;
	return 0;
}

static int get_hardware(struct interface *i, struct lx_ifreq *q)
{
	memset(&q->hardware, 0, sizeof q->hardware);
	q->hardware.family = interface_is_loopback(i) ? LX_ARPHRD_LOOPBACK : LX_ARPHRD_ETHER;
	memcpy(q->hardware.data, i->netif->hwaddr, i->netif->hwaddr_len);
	return 0;
}

static int get_map(struct interface *i, struct lx_ifreq *q)
{
	(void)i;
	memset(q->bytes, 0, sizeof q->bytes);
	return 0;
}

static int unsupported(struct interface *i, struct lx_ifreq *q)
{
	(void)i;
	(void)q;
	return -EOPNOTSUPP;
}

/* --- changing it -------------------------------------------------------------------------- */

static int set_flags(struct interface *i, struct lx_ifreq *q)
{
	return interface_set_flags(i, q->flags, 0xffff);
}

/* The mask of an address that comes without one: by its class, as in old times. */
static uint32_t class_mask(uint32_t address)
{
	uint8_t first = (uint8_t)(address & 0xff);

	return interface_mask(first < 128 ? 8 : first < 192 ? 16 : 24);
}

static int set_ip(struct interface *i, struct lx_ifreq *q)
{
	if (q->address.family != LX_AF_INET)
		return -EINVAL;
	return interface_set_address4(i, q->address.address, class_mask(q->address.address), 0);
}

static int set_mask(struct interface *i, struct lx_ifreq *q)
{
	uint32_t address = netif_ip4_addr(i->netif)->addr;

	return address ? interface_set_address4(i, address, q->address.address, 0) : -EADDRNOTAVAIL;
}

static int set_broadcast(struct interface *i, struct lx_ifreq *q)
{
	uint32_t address = netif_ip4_addr(i->netif)->addr;

	if (!address)
		return -EADDRNOTAVAIL;
	return interface_set_address4(i, address, netif_ip4_netmask(i->netif)->addr,
				      q->address.address ? q->address.address : ~0u);
}

static int set_mtu(struct interface *i, struct lx_ifreq *q)
{
	return interface_set_mtu(i, (uint32_t)q->value);
}

static int set_queue(struct interface *i, struct lx_ifreq *q)
{
	if (q->value < 0)
		return -EINVAL;
	i->queue = (uint32_t)q->value;
	return 0;
}

static int set_metric(struct interface *i, struct lx_ifreq *q)
{
	(void)i;
	return q->value ? -EOPNOTSUPP : 0;
}

/* --- the table ---------------------------------------------------------------------------- */

static const struct request {
	uint32_t command;
	bool admin;			/* changes something */
	int (*fn)(struct interface *i, struct lx_ifreq *q);
} requests[] = {
	{ LX_SIOCGIFFLAGS, false, get_flags },
	{ LX_SIOCSIFFLAGS, true, set_flags },
	{ LX_SIOCGIFADDR, false, get_ip },
	{ LX_SIOCSIFADDR, true, set_ip },
	{ LX_SIOCGIFDSTADDR, false, get_ip },
	{ LX_SIOCSIFDSTADDR, true, unsupported },
	{ LX_SIOCGIFBRDADDR, false, get_broadcast },
	{ LX_SIOCSIFBRDADDR, true, set_broadcast },
	{ LX_SIOCGIFNETMASK, false, get_mask },
	{ LX_SIOCSIFNETMASK, true, set_mask },
	{ LX_SIOCGIFMETRIC, false, get_metric },
	{ LX_SIOCSIFMETRIC, true, set_metric },
	{ LX_SIOCGIFMTU, false, get_mtu },
	{ LX_SIOCSIFMTU, true, set_mtu },
	{ LX_SIOCSIFNAME, true, unsupported },
	{ LX_SIOCGIFHWADDR, false, get_hardware },
	{ LX_SIOCSIFHWADDR, true, unsupported },
	{ LX_SIOCGIFINDEX, false, get_index },
	{ LX_SIOCGIFTXQLEN, false, get_queue },
	{ LX_SIOCSIFTXQLEN, true, set_queue },
	{ LX_SIOCGIFMAP, false, get_map },
	{ LX_SIOCSIFMAP, true, unsupported },
	{ LX_SIOCETHTOOL, false, unsupported },
	{ LX_SIOCGMIIPHY, false, unsupported },
	{ LX_SIOCGMIIREG, false, unsupported },
	{ LX_SIOCGIFSLAVE, false, unsupported },
};

static int64_t one_interface(struct net_request *r, const struct request *what, uint64_t at)
{
	struct lx_ifreq q;
	struct interface *i;
	int64_t e = net_read(r, &q, at, sizeof q);

	if (e)
		return e;
	q.name[15] = '\0';
	i = interface_by_name(q.name);
	if (!i)
		return -ENODEV;
	if (what->admin) {
		/* nothing is written back: no copy can fail after the change */
		return net_capable(r, NET_CAP_ADMIN) ? what->fn(i, &q) : -EPERM;
	}
	e = what->fn(i, &q);
	return e ? e : net_write(r, at, &q, sizeof q);
}

/* --- several, or by another key ----------------------------------------------------------- */

/* Interfaces that have an IPv4 address. */
static int64_t list(struct net_request *r, uint64_t at)
{
	struct lx_ifreq q[4];
	struct lx_ifconf conf;
	int32_t room, n = 0;
	int64_t e = net_read(r, &conf, at, sizeof conf);

	if (e)
		return e;
	room = conf.buffer ? conf.size / (int32_t)sizeof q[0] : 4;
	memset(q, 0, sizeof q);
	for (struct interface *i = interface_next(NULL); i && n < room && n < 4;
	     i = interface_next(i)) {
		if (get_ip(i, &q[n]))
			continue;
		memcpy(q[n++].name, i->name, sizeof i->name);
	}
	if (conf.buffer && n)
		e = net_write(r, conf.buffer, q, (uint64_t)n * sizeof q[0]);
	conf.size = n * (int32_t)sizeof q[0];
	return e ? e : net_write(r, at, &conf, sizeof conf);
}

static int64_t name_of_index(struct net_request *r, uint64_t at)
{
	struct lx_ifreq q;
	struct interface *i;
	int64_t e = net_read(r, &q, at, sizeof q);

	if (e)
		return e;
	i = interface_by_index((uint32_t)q.value);
	if (!i)
		return -ENODEV;
	memcpy(q.name, i->name, sizeof q.name);
	return net_write(r, at, &q, sizeof q);
}

static int64_t address6(struct net_request *r, uint32_t command, uint64_t at)
{
	struct lx_in6_ifreq q;
	struct interface *i;
	int64_t e = net_read(r, &q, at, sizeof q);

	if (e)
		return e;
	if (!net_capable(r, NET_CAP_ADMIN))
		return -EPERM;
	i = interface_by_index((uint32_t)q.index);
	if (!i)
		return -ENODEV;
	if (command == LX_SIOCSIFADDR)
		return interface_add_address6(i, q.address, q.prefix);
	return interface_remove_address6(i, q.address, q.prefix);
}

/* --- routes ------------------------------------------------------------------------------- */

static int64_t route_change(const struct route *to, bool add, uint16_t flags)
{
	struct route r = *to;

	if (flags & LX_RTF_REJECT)
		r.type = LX_RTN_UNREACHABLE;
	if (add)
		return route_add(&r, false);
	r.type = r.protocol = 0;
	return route_remove(&r);
}

static int64_t route4(struct net_request *r, bool add, uint64_t at)
{
	struct lx_rtentry q;
	struct route to = { .protocol = LX_RTPROT_BOOT, .type = LX_RTN_UNICAST };
	struct interface *i = NULL;
	char device[16] = "";
	int64_t e = net_read(r, &q, at, sizeof q);

	if (!e && q.device)
		e = k_caller_read_string(srv_endpoint(), r->m->call, device, q.device,
					 sizeof device);
	if (e < 0)
		return e == -ENAMETOOLONG ? -ENODEV : e;
	if (!net_capable(r, NET_CAP_ADMIN))
		return -EPERM;
	if (q.to.family != LX_AF_INET)
		return -EAFNOSUPPORT;
	if (q.device) {
		i = interface_by_name(device);
		if (!i)
			return -ENODEV;
		to.index = i->index;
	}
	to.length = q.flags & LX_RTF_HOST ? 32 : (uint8_t)interface_mask_length(q.mask.address);
	if (!(q.flags & LX_RTF_HOST) && q.mask.address != interface_mask(to.length))
		return -EINVAL;
	ip_addr_set_ip4_u32_val(to.to, q.to.address);
	ip_addr_set_ip4_u32_val(to.gateway,
				q.flags & LX_RTF_GATEWAY || !add ? q.gateway.address : 0);
	to.metric = q.metric > 0 ? (uint32_t)q.metric - 1 : add ? 0 : ~0u;
	return route_change(&to, add, q.flags);
}

static int64_t route6(struct net_request *r, bool add, uint64_t at)
{
	struct lx_in6_rtmsg q;
	struct route to = { .protocol = LX_RTPROT_BOOT, .type = LX_RTN_UNICAST };
	int64_t e = net_read(r, &q, at, sizeof q);

	if (e)
		return e;
	if (!net_capable(r, NET_CAP_ADMIN))
		return -EPERM;
	if (q.to_length > 128 || q.from_length)
		return -EINVAL;
	to.length = (uint8_t)q.to_length;
	to.index = (uint32_t)q.index;
	to.metric = q.metric ? q.metric : add ? 1024 : ~0u;
	ip_addr_set_any(true, &to.to);
	ip_addr_set_any(true, &to.gateway);
	memcpy(ip_2_ip6(&to.to)->addr, q.to, 16);
	memcpy(ip_2_ip6(&to.gateway)->addr, q.gateway, 16);
	return route_change(&to, add, (uint16_t)q.flags);
}

/* --- neighbours --------------------------------------------------------------------------- */

static int64_t neighbour4(struct net_request *r, uint32_t command, uint64_t at)
{
	struct lx_arpreq q;
	struct neighbour n;
	struct interface *i = NULL;
	ip_addr_t address;
	int64_t e = net_read(r, &q, at, sizeof q);

	if (e)
		return e;
	q.device[15] = '\0';
	if (q.address.family != LX_AF_INET)
		return -EPFNOSUPPORT;
	if (command != LX_SIOCGARP && !net_capable(r, NET_CAP_ADMIN))
		return -EPERM;
	if (q.device[0] && !(i = interface_by_name(q.device)))
		return -ENODEV;
	ip_addr_set_ip4_u32_val(address, q.address.address);
	if (command == LX_SIOCSARP)
		return q.flags & LX_ATF_COM ? neighbour_add(i, &address, q.hardware.data) : -EINVAL;
	if (command == LX_SIOCDARP)
		return neighbour_remove(i, &address);
	if (!neighbour_find(i, &address, &n))
		return -ENXIO;
	memset(&q.hardware, 0, sizeof q.hardware);
	q.hardware.family = LX_ARPHRD_ETHER;
	memcpy(q.hardware.data, n.hardware, 6);
	q.flags = LX_ATF_COM | (n.permanent ? LX_ATF_PERM : 0);
	strncpy(q.device, interface_by_index(n.index)->name, sizeof q.device);
	return net_write(r, at, &q, sizeof q);
}

int64_t interface_ioctl(struct net_request *r, uint32_t command, uint64_t arg)
{
	bool six = r->s && r->s->family == LX_AF_INET6;

	switch (command) {
	case LX_SIOCGIFCONF:
		return list(r, arg);
	case LX_SIOCGIFNAME:
		return name_of_index(r, arg);
	case LX_SIOCADDRT:
	case LX_SIOCDELRT:
		return six ? route6(r, command == LX_SIOCADDRT, arg) :
			     route4(r, command == LX_SIOCADDRT, arg);
	case LX_SIOCGARP:
	case LX_SIOCSARP:
	case LX_SIOCDARP:
		return neighbour4(r, command, arg);
	case LX_SIOCSIFADDR:
	case LX_SIOCDIFADDR:
		if (six)
			return address6(r, command, arg);
	}
	for (size_t n = 0; n < sizeof requests / sizeof requests[0]; n++) {
		if (requests[n].command == command)
			return one_interface(r, &requests[n], arg);
	}
	return -ENOTTY;
}
