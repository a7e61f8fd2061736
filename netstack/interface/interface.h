/* SPDX-License-Identifier: MIT */
/*
 * Network interfaces as Linux shows and configures them: lo, and eth0 when the machine has one.
 *
 * lwIP's struct netif holds addresses and state; here is what it has no place for (Linux's flags,
 * lengths of IPv6 prefixes), one way to change each thing (ioctl.c and netlink.c are two ways of
 * asking for it), and who configures eth0: somebody by hand, or DHCP, which is asked for with
 * IFF_DYNAMIC (`ifconfig eth0 dynamic up`). IPv6 configures itself by router advertisements as soon
 * as an interface is up, as on Linux. lwIP knows one IPv4 address per interface: a second one is
 * refused.
 */
#ifndef NETSTACK_INTERFACE_INTERFACE_H
#define NETSTACK_INTERFACE_INTERFACE_H

#include <stdbool.h>
#include <stdint.h>

#include "lwip/netif.h"

#define LX_IFF_UP		0x1u
#define LX_IFF_BROADCAST	0x2u
#define LX_IFF_LOOPBACK		0x8u
#define LX_IFF_POINTOPOINT	0x10u
#define LX_IFF_RUNNING		0x40u
#define LX_IFF_NOARP		0x80u
#define LX_IFF_PROMISC		0x100u
#define LX_IFF_ALLMULTI		0x200u
#define LX_IFF_MULTICAST	0x1000u
#define LX_IFF_DYNAMIC		0x8000u
#define LX_IFF_LOWER_UP		0x10000u

#define LX_ARPHRD_ETHER		1
#define LX_ARPHRD_LOOPBACK	772

struct interface {
	struct netif *netif;
	uint32_t index;
	char name[16];
	uint32_t own_flags;		/* NOARP, PROMISC, ALLMULTI, DYNAMIC as they were set */
	uint32_t queue;			/* txqueuelen */
	ip4_addr_t broadcast;		/* 0.0.0.0: none */
	bool broadcast_set;		/* by hand: it stays when the mask changes */
	bool dhcp;			/* is running */
	uint8_t prefix6[LWIP_IPV6_NUM_ADDRESSES];
};

/* After lwip_init and nic_setup. */
void interface_setup(void);

/* NULL: there is none. interface_next(NULL) is the first; by index, ascending. */
struct interface *interface_next(const struct interface *i);
struct interface *interface_by_index(uint32_t index);
struct interface *interface_by_name(const char *name);
struct interface *interface_of(const struct netif *netif);

bool interface_is_loopback(const struct interface *i);
/* As SIOCGIFFLAGS shows them, and LX_IFF_LOWER_UP. */
uint32_t interface_flags(const struct interface *i);
uint32_t interface_mtu(const struct interface *i);
/* bits of a mask; its length. */
uint32_t interface_mask(unsigned length);		/* network order */
unsigned interface_mask_length(uint32_t mask);
/* Bytes and packets that came and went. */
struct interface_counts {
	uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped, rx_multicast;
	uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped;
};
void interface_counts(const struct interface *i, struct interface_counts *out);

/* Changes: 0 or a negative errno. Addresses and masks in network order. */
int interface_set_flags(struct interface *i, uint32_t flags, uint32_t change);
int interface_set_mtu(struct interface *i, uint32_t mtu);
/* Address 0 takes the address away. broadcast 0: the usual one, ~0: none. By hand: DHCP stops. */
int interface_set_address4(struct interface *i, uint32_t address, uint32_t mask,
			   uint32_t broadcast);
int interface_add_address6(struct interface *i, const uint32_t address[4], unsigned prefix);
int interface_remove_address6(struct interface *i, const uint32_t address[4], unsigned prefix);

/* Name servers that DHCP and router advertisements told; NULL: there is no n-th. */
const ip_addr_t *interface_name_server(unsigned n);
/* as they were before a restart */
void interface_name_server_set(unsigned n, const ip_addr_t *server);
/* Seconds for which the IPv4 address is still ours; ~0: for ever. */
uint32_t interface_lease(const struct interface *i);
/* The DHCP server whose lease eth0 has; false: none. */
bool interface_dhcp_server(ip4_addr_t *server);

#endif
