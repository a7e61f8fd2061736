/* SPDX-License-Identifier: MIT */
/*
 * How the interfaces are configured, kept where a successor of this server finds it: flags,
 * addresses, routes that somebody set, and what DHCP had given, so that the addresses are there
 * again at once. What is learnt by itself (IPv6 advertisements, neighbours) is not kept.
 */
#ifndef NETSTACK_INTERFACE_CONFIGURATION_H
#define NETSTACK_INTERFACE_CONFIGURATION_H

void configuration_touch(void);		/* something of it has changed */
/* at the end of a round: writes it down if it has changed */
void configuration_save(void);
void configuration_restore(void);	/* at the start: what a predecessor left */

#endif
