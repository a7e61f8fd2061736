/* SPDX-License-Identifier: MIT */
/*
 * The routing table. lwIP looks at the networks of its interfaces first and asks for everything
 * else (lwip_hooks.h); the table has the networks, too, so that what programs see is complete. For
 * IPv6, routers and prefixes that are advertised stay in lwIP's tables (route_walk shows them).
 */
#ifndef NETSTACK_INTERFACE_ROUTE_H
#define NETSTACK_INTERFACE_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "interface.h"

enum {
	LX_RTPROT_UNSPEC,
	LX_RTPROT_REDIRECT,
	LX_RTPROT_KERNEL,
	LX_RTPROT_BOOT,
	LX_RTPROT_STATIC,
	LX_RTPROT_RA = 9,
	LX_RTPROT_DHCP = 16
};
enum {
	LX_RTN_UNSPEC,
	LX_RTN_UNICAST,
	LX_RTN_LOCAL,
	LX_RTN_BROADCAST,
	LX_RTN_ANYCAST,
	LX_RTN_MULTICAST,
	LX_RTN_BLACKHOLE,
	LX_RTN_UNREACHABLE,
	LX_RTN_PROHIBIT
};

#define LX_RTF_UP	0x1u
#define LX_RTF_GATEWAY	0x2u
#define LX_RTF_HOST	0x4u
#define LX_RTF_REJECT	0x200u
#define LX_RTF_ADDRCONF	0x40000u
#define LX_RTF_DEFAULT	0x10000u
#define LX_RTF_LOCAL	0x80000000u

struct route {
	struct route *next;
	ip_addr_t to, gateway;		/* of one family; gateway any: on the link */
	uint8_t length;			/* of the prefix */
	uint8_t protocol, type;
	uint32_t metric;
	uint32_t index;			/* of the interface; 0: none (unreachable) */
};

#define ROUTES_MOST 256

/*
 * Every route, connected ones first; IPv6's advertised ones are made up on the way. fn returns
 * false to end.
 */
void route_walk(bool (*fn)(const struct route *r, void *arg), void *arg);
/*
 * -EEXIST (also: another metric needed), -ENOBUFS, -ENETUNREACH (the gateway is on none of our
 * networks), -EINVAL (bits beyond the length)
 */
int route_add(const struct route *r, bool replace);
/*
 * The first that matches in what is given: gateway any, index 0, metric ~0, protocol and type 0
 * match all. -ESRCH
 */
int route_remove(const struct route *like);
/*
 * The route that a packet would take; NULL: none (ENETUNREACH). Local addresses give the route of
 * lo.
 */
const struct route *route_find(const ip_addr_t *to);
/* Networks of the interface as its addresses and its state are now. */
void route_interface_changed(struct interface *i);

#endif
