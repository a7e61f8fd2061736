/* SPDX-License-Identifier: MIT */
/* Network interfaces: interface.h. */
#include "interface.h"

#include <errno.h>
#include <string.h>

#include "configuration.h"
#include "glue.h"
#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/etharp.h"
#include "lwip/nd6.h"
#include "lwip/prot/dhcp.h"
#include "lwip_hooks.h"
#include "nic.h"
#include "notice.h"
#include "route.h"
#include "server.h"

#define INTERFACES 2

static struct interface table[INTERFACES];
static unsigned table_size;

/* --- finding ------------------------------------------------------------------------------ */

struct interface *interface_next(const struct interface *i)
{
	struct interface *next = i ? &table[i - table + 1] : table;

	return next < table + table_size ? next : NULL;
}

struct interface *interface_by_index(uint32_t index)
{
	return index && index <= table_size ? &table[index - 1] : NULL;
}

struct interface *interface_by_name(const char *name)
{
	for (struct interface *i = table; i < table + table_size; i++) {
		if (!strncmp(i->name, name, sizeof i->name))
			return i;
	}
	return NULL;
}

struct interface *interface_of(const struct netif *netif)
{
	for (struct interface *i = table; i < table + table_size; i++) {
		if (i->netif == netif)
			return i;
	}
	return NULL;
}

bool interface_is_loopback(const struct interface *i)
{
	return i == table;
}

/* --- what they are ------------------------------------------------------------------------ */

uint32_t interface_flags(const struct interface *i)
{
	uint32_t flags =
		i->own_flags |
		(interface_is_loopback(i) ? LX_IFF_LOOPBACK : LX_IFF_BROADCAST | LX_IFF_MULTICAST);

	if (!netif_is_up(i->netif))
		return flags;
	return flags | LX_IFF_UP |
	       (netif_is_link_up(i->netif) ? LX_IFF_RUNNING | LX_IFF_LOWER_UP : 0);
}

uint32_t interface_mtu(const struct interface *i)
{
	return interface_is_loopback(i) ? 65536 : i->netif->mtu;
}

uint32_t interface_mask(unsigned length)
{
	return length ? lwip_htonl(~0u << (32 - length)) : 0;
}

unsigned interface_mask_length(uint32_t mask)
{
	return (unsigned)__builtin_popcount(mask);
}

void interface_counts(const struct interface *i, struct interface_counts *out)
{
	const struct stats_mib2_netif_ctrs *c = &i->netif->mib2_counters;
	const struct nic_counts *n = nic_counts();

	memset(out, 0, sizeof *out);
	if (interface_is_loopback(i)) {
		out->rx_bytes = c->ifinoctets;
		out->rx_packets = c->ifinucastpkts;
		out->tx_bytes = c->ifoutoctets;
		out->tx_packets = c->ifoutucastpkts;
		out->tx_dropped = c->ifoutdiscards;
		return;
	}
	*out = (struct interface_counts){ .rx_bytes = n->rx_bytes,
					  .rx_packets = n->rx_packets,
					  .rx_errors = n->rx_errors,
					  .rx_dropped = n->rx_dropped,
					  .tx_bytes = n->tx_bytes,
					  .tx_packets = n->tx_packets,
					  .tx_dropped = n->tx_dropped };
}

/* --- IPv4 --------------------------------------------------------------------------------- */

static void dhcp_end(struct interface *i)
{
	if (!i->dhcp)
		return;
	i->dhcp = false;
	dhcp_release_and_stop(i->netif);
}

/* DHCP begins when there is somebody to ask. It goes on by itself when the link comes again. */
static void dhcp_begin(struct interface *i)
{
	if (i->dhcp || !(i->own_flags & LX_IFF_DYNAMIC) || !netif_is_up(i->netif) ||
	    !netif_is_link_up(i->netif))
		return;
	i->dhcp = dhcp_start(i->netif) == ERR_OK;
}

static void broadcast_usual(struct interface *i)
{
	const struct netif *n = i->netif;

	if (i->broadcast_set)
		return;
	i->broadcast.addr = 0;
	if (!interface_is_loopback(i) && interface_mask_length(netif_ip4_netmask(n)->addr) < 31)
		i->broadcast.addr = netif_ip4_addr(n)->addr | ~netif_ip4_netmask(n)->addr;
}

int interface_set_address4(struct interface *i, uint32_t address, uint32_t mask, uint32_t broadcast)
{
	ip4_addr_t a = { address }, m = { address ? mask : 0 }, none = { 0 };

	if (lwip_htonl(~mask) & (lwip_htonl(~mask) + 1))
		return -EINVAL;		/* a mask with holes */
	if (ip4_addr_ismulticast(&a) || address == ~0u)
		return -EINVAL;
	dhcp_end(i);
	i->own_flags &= ~LX_IFF_DYNAMIC;
	i->broadcast_set = broadcast != 0;
	i->broadcast.addr = broadcast == ~0u ? 0 : broadcast;
	netif_set_addr(i->netif, &a, &m, &none);
	broadcast_usual(i);
	configuration_touch();
	return 0;
}

/* --- IPv6 --------------------------------------------------------------------------------- */

/* Not before there is a link: what is made of the hardware's address needs to know it. */
static void address6_begin(struct interface *i)
{
	if (interface_is_loopback(i) || !netif_is_up(i->netif) || !netif_is_link_up(i->netif))
		return;
	if (ip6_addr_isinvalid(netif_ip6_addr_state(i->netif, 0)))
		netif_create_ip6_linklocal_address(i->netif, 1);
	netif_set_ip6_autoconfig_enabled(i->netif, 1);
}

/* An interface that goes down loses them, as on Linux. */
static void address6_end(struct interface *i)
{
	for (int8_t a = 0; !interface_is_loopback(i) && a < LWIP_IPV6_NUM_ADDRESSES; a++)
		netif_ip6_addr_set_state(i->netif, a, IP6_ADDR_INVALID);
}

int interface_add_address6(struct interface *i, const uint32_t address[4], unsigned prefix)
{
	ip6_addr_t a;
	int8_t slot;

	memcpy(a.addr, address, 16);
	ip6_addr_clear_zone(&a);
	if (prefix > 128 || ip6_addr_isany(&a) || ip6_addr_ismulticast(&a))
		return -EINVAL;
	if (!netif_is_up(i->netif) && !interface_is_loopback(i))
		return -ENETDOWN;
	ip6_addr_assign_zone(&a, IP6_UNICAST, i->netif);
	if (netif_get_ip6_addr_match(i->netif, &a) >= 0)
		return -EEXIST;
	if (netif_add_ip6_address(i->netif, &a, &slot) != ERR_OK)
		return -ENOBUFS;
	i->prefix6[slot] = (uint8_t)prefix;
	netif_ip6_addr_set_valid_life(i->netif, slot, IP6_ADDR_LIFE_STATIC);
	if (interface_is_loopback(i))
		netif_ip6_addr_set_state(i->netif, slot, IP6_ADDR_PREFERRED);
	return 0;
}

int interface_remove_address6(struct interface *i, const uint32_t address[4], unsigned prefix)
{
	ip6_addr_t a;
	int8_t slot;

	memcpy(a.addr, address, 16);
	ip6_addr_clear_zone(&a);
	ip6_addr_assign_zone(&a, IP6_UNICAST, i->netif);
	slot = netif_get_ip6_addr_match(i->netif, &a);
	if (slot < 0 || (prefix && i->prefix6[slot] != prefix))
		return -EADDRNOTAVAIL;
	notice_address(i, slot, false);
	netif_ip6_addr_set_state(i->netif, slot, IP6_ADDR_INVALID);
	return 0;
}

/* --- up and down -------------------------------------------------------------------------- */

static void up(struct interface *i)
{
	netif_set_up(i->netif);
	address6_begin(i);
	dhcp_begin(i);
	route_interface_changed(i);
}

static void down(struct interface *i)
{
	dhcp_end(i);
	address6_end(i);
	netif_set_down(i->netif);
	route_interface_changed(i);
}

int interface_set_flags(struct interface *i, uint32_t flags, uint32_t change)
{
	const uint32_t own = LX_IFF_NOARP | LX_IFF_PROMISC | LX_IFF_ALLMULTI | LX_IFF_DYNAMIC;
	uint32_t before = interface_flags(i);

	i->own_flags = (i->own_flags & ~(change & own)) | (flags & change & own);
	if (interface_is_loopback(i))
		i->own_flags &= ~LX_IFF_DYNAMIC;
	if (change & LX_IFF_UP) {
		if (flags & LX_IFF_UP && !netif_is_up(i->netif))
			up(i);
		else if (!(flags & LX_IFF_UP) && netif_is_up(i->netif))
			down(i);
	}
	if (i->own_flags & LX_IFF_DYNAMIC)
		dhcp_begin(i);
	if (interface_flags(i) != before)
		notice_link(i);
	configuration_touch();
	return 0;
}

int interface_set_mtu(struct interface *i, uint32_t mtu)
{
	if (interface_is_loopback(i))
		return mtu == 65536 ? 0 : -EINVAL;
	if (mtu < 68 || mtu > 1500)
		return -EINVAL;
	i->netif->mtu = (u16_t)mtu;
	i->netif->mtu6 = (u16_t)mtu;
	configuration_touch();
	notice_link(i);
	return 0;
}

/* --- what lwIP tells ---------------------------------------------------------------------- */

static bool address6_shown(uint8_t state)
{
	return !ip6_addr_isinvalid(state);
}

static void address6_changed(struct interface *i, const struct ipv6_addr_state_changed_s *c)
{
	bool was = address6_shown(c->old_state),
	     is = address6_shown(netif_ip6_addr_state(i->netif, c->addr_index));

	if (!is)
		i->prefix6[c->addr_index] = 0;
	else if (!i->prefix6[c->addr_index])
		i->prefix6[c->addr_index] = 64;		/* its own, or by an advertisement */
	if (is && (!was || !ip6_addr_istentative(netif_ip6_addr_state(i->netif, c->addr_index))))
		notice_address(i, c->addr_index, true);
}

static void address4_changed(struct interface *i, const struct ipv4_changed_s *c, uint16_t reason)
{
	if (i->dhcp)
		i->broadcast_set = false;
	broadcast_usual(i);
	if (reason & (LWIP_NSC_IPV4_ADDRESS_CHANGED | LWIP_NSC_IPV4_NETMASK_CHANGED) &&
	    !ip4_addr_isany_val(*netif_ip4_addr(i->netif)))
		notice_address(i, -1, true);
	(void)c;
}

static void changed(struct netif *netif, netif_nsc_reason_t reason,
		    const netif_ext_callback_args_t *args)
{
	struct interface *i = interface_of(netif);

	/* up() and down() do what that needs, when it is true */
	if (!i || reason & LWIP_NSC_STATUS_CHANGED)
		return;
	if (reason & LWIP_NSC_LINK_CHANGED) {
		dhcp_begin(i);
		address6_begin(i);
		notice_link(i);
	}
	if (reason & (LWIP_NSC_IPV4_ADDRESS_CHANGED | LWIP_NSC_IPV4_NETMASK_CHANGED |
		      LWIP_NSC_IPV4_GATEWAY_CHANGED | LWIP_NSC_IPV4_SETTINGS_CHANGED))
		address4_changed(i, &args->ipv4_changed, reason);
	if (reason & LWIP_NSC_IPV6_ADDR_STATE_CHANGED)
		address6_changed(i, &args->ipv6_addr_state_changed);
	route_interface_changed(i);
	configuration_touch();
}

/* --- name servers ------------------------------------------------------------------------- */

/* Those of DHCP, and those that routers advertise: lwIP counts both from 0. */
static ip_addr_t servers[2][DNS_MAX_SERVERS];

void dns_init(void)
{
}

/* NULL: a router's is gone. */
void dns_setserver(u8_t n, const ip_addr_t *server)
{
	bool router = !server || IP_IS_V6(server);

	if (n >= DNS_MAX_SERVERS)
		return;
	configuration_touch();
	if (server)
		servers[router][n] = *server;
	else
		ip_addr_set_zero_ip6(&servers[router][n]);
}

/* Only neighbour discovery asks. */
const ip_addr_t *dns_getserver(u8_t n)
{
	return &servers[1][n < DNS_MAX_SERVERS ? n : 0];
}

const ip_addr_t *interface_name_server(unsigned n)
{
	for (unsigned at = 0; at < 2 * DNS_MAX_SERVERS; at++) {
		const ip_addr_t *s = &servers[at / DNS_MAX_SERVERS][at % DNS_MAX_SERVERS];

		if (!ip_addr_isany(s) && n-- == 0)
			return s;
	}
	return NULL;
}

void interface_name_server_set(unsigned n, const ip_addr_t *server)
{
	if (n < DNS_MAX_SERVERS)
		servers[IP_IS_V6(server)][n] = *server;
}

bool interface_dhcp_server(ip4_addr_t *server)
{
	for (struct interface *i = table; i < table + table_size; i++) {
		struct dhcp *d = netif_dhcp_data(i->netif);

		if (i->dhcp && d && d->state == DHCP_STATE_BOUND) {
			*server = *ip_2_ip4(&d->server_ip_addr);
			return true;
		}
	}
	return false;
}

uint32_t interface_lease(const struct interface *i)
{
	const struct dhcp *d = i->dhcp ? netif_dhcp_data(i->netif) : NULL;
	uint32_t used = d ? d->lease_used * DHCP_COARSE_TIMER_SECS : 0;

	if (!d || d->state != DHCP_STATE_BOUND || d->offered_t0_lease == ~0u)
		return ~0u;
	return d->offered_t0_lease > used ? d->offered_t0_lease - used : 0;
}

/* --- start -------------------------------------------------------------------------------- */

static void interface_new(struct netif *netif, const char *name)
{
	struct interface *i = &table[table_size++];

	i->netif = netif;
	i->index = netif_get_index(netif);
	i->queue = 1000;
	memcpy(i->name, name, strlen(name) + 1);
}

void interface_setup(void)
{
	static netif_ext_callback_t watch;
	struct netif *lo = netif_get_by_index(1);

	interface_new(lo, "lo");
	/*
	 * raw and ping sockets look at these, and nobody checks the others on their way round here
	 */
	lo->chksum_flags =
		NETIF_CHECKSUM_GEN_IP | NETIF_CHECKSUM_GEN_ICMP | NETIF_CHECKSUM_GEN_ICMP6;
	table[0].prefix6[0] = 128;
	if (nic_netif())
		interface_new(nic_netif(), "eth0");
	route_interface_changed(&table[0]);
	netif_add_ext_callback(&watch, changed);
	configuration_restore();
}
