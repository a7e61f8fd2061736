/* SPDX-License-Identifier: MIT */
/* Changes that netlink sockets in multicast groups hear of (netlink.c). */
#ifndef NETSTACK_INTERFACE_NOTICE_H
#define NETSTACK_INTERFACE_NOTICE_H

#include <stdbool.h>

struct interface;
struct route;

void notice_link(struct interface *i);
/* The IPv4 address (slot -1) or an IPv6 one has come or is about to go. */
void notice_address(struct interface *i, int slot, bool added);
void notice_route(const struct route *r, bool added);

#endif
