/* SPDX-License-Identifier: MIT */
/*
 * Neighbours: lwIP's ARP table and IPv6 neighbour cache in one form, and the ARP entries that
 * somebody set by hand.
 */
#ifndef NETSTACK_INTERFACE_NEIGHBOUR_H
#define NETSTACK_INTERFACE_NEIGHBOUR_H

#include <stdbool.h>
#include <stdint.h>

#include "interface.h"

enum {
	LX_NUD_INCOMPLETE = 0x01,
	LX_NUD_REACHABLE = 0x02,
	LX_NUD_STALE = 0x04,
	LX_NUD_DELAY = 0x08,
	LX_NUD_PROBE = 0x10,
	LX_NUD_FAILED = 0x20,
	LX_NUD_NOARP = 0x40,
	LX_NUD_PERMANENT = 0x80
};

struct neighbour {
	ip_addr_t address;
	uint32_t index;
	uint16_t state;			/* LX_NUD_* */
	uint8_t hardware[6];
	bool permanent, router;
};

void neighbour_walk(bool (*fn)(const struct neighbour *n, void *arg), void *arg);
/* i may be NULL: on any interface. */
bool neighbour_find(const struct interface *i, const ip_addr_t *address, struct neighbour *out);
/* By hand, IPv4 only: 0, -ENETUNREACH (on none of our networks), -ENOBUFS. */
int neighbour_add(const struct interface *i, const ip_addr_t *address, const uint8_t hardware[6]);
int neighbour_remove(const struct interface *i, const ip_addr_t *address);	/* -ENOENT */

#endif
