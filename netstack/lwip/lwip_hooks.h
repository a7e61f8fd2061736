/* SPDX-License-Identifier: MIT */
/*
 * Where lwIP asks us: routes (netstack/interface/route.c), sequence numbers, connections that are
 * not wanted.
 */
#ifndef NETSTACK_LWIP_HOOKS_H
#define NETSTACK_LWIP_HOOKS_H

#include "lwip/ip_addr.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"

struct tcp_pcb;
struct tcp_hdr;

/* The interface to a destination that is on none of our networks; NULL: unreachable. */
struct netif *route_hook_ip4(const ip4_addr_t *dest);
/* The router to it; NULL: the interface's own. */
const ip4_addr_t *route_hook_gateway4(struct netif *netif, const ip4_addr_t *dest);
struct netif *route_hook_ip6(const ip6_addr_t *src, const ip6_addr_t *dest);
const ip6_addr_t *route_hook_gateway6(struct netif *netif, const ip6_addr_t *dest);

uint32_t net_tcp_isn(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote,
		     uint16_t remote_port);
/* Sees each segment that has a PCB, and the size of its data; nonzero: drop it. */
int net_tcp_segment(struct tcp_pcb *pcb, struct tcp_hdr *header, uint32_t size);

/*
 * Sees each segment for a PCB in TIME_WAIT; nonzero: it has been dealt with. options_elsewhere:
 * NULL if the header is in one piece.
 */
int net_tcp_reuse(struct tcp_pcb *pcb, struct tcp_hdr *header, const void *options_elsewhere,
		  struct pbuf *p);

/* Sees each IPv4 packet first; nonzero: it is done with (loopback.c). */
int net_ip4_loopback(struct pbuf *p, struct netif *input);

#define LWIP_HOOK_IP4_INPUT(p, input)		net_ip4_loopback(p, input)
#define LWIP_HOOK_IP4_ROUTE(dest)		route_hook_ip4(dest)
#define LWIP_HOOK_ETHARP_GET_GW(netif, dest)	route_hook_gateway4(netif, dest)
#define LWIP_HOOK_IP6_ROUTE(src, dest)		route_hook_ip6(src, dest)
#define LWIP_HOOK_ND6_GET_GW(netif, dest)	route_hook_gateway6(netif, dest)
#define LWIP_HOOK_TCP_ISN			net_tcp_isn
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, hdr, optlen, opt1len, opt2, p)                             \
	((pcb)->state == TIME_WAIT ? net_tcp_reuse(pcb, hdr, opt2, p) :                            \
				     net_tcp_segment(pcb, hdr, (p)->tot_len))

#endif
