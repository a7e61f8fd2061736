/* SPDX-License-Identifier: MIT */
/*
 * All of 127/8 is this machine, but lwIP knows one address of an interface: while it takes in a
 * packet to another of them, the loopback interface has that one.
 */
#include <stdbool.h>

#include "lwip/ip.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/prot/ip4.h"
#include "lwip_hooks.h"

int net_ip4_loopback(struct pbuf *p, struct netif *input)
{
	static bool inside;
	ip_addr_t own = input->ip_addr;
	const struct ip_hdr *h = p->payload;
	ip4_addr_t to;

	if (inside || p->len < IP_HLEN || !ip_addr_isloopback(&own))
		return 0;
	ip4_addr_copy(to, h->dest);
	if (!ip4_addr_isloopback(&to) || ip4_addr_eq(&to, ip_2_ip4(&own)))
		return 0;
	inside = true;
	ip_addr_copy_from_ip4(input->ip_addr, to);
	ip4_input(p, input);
	input->ip_addr = own;
	inside = false;
	return 1;
}
