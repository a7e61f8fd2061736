/* SPDX-License-Identifier: MIT */
/*
 * What lwIP takes in, before its own protocols see it (datagram.h): raw sockets get copies, UDP
 * goes to our sockets, replies to pings and ICMP's errors to whom they belong. What is not for one
 * of our sockets goes on to lwIP: DHCP's datagrams, echo requests, datagrams for ports that nobody
 * has.
 */
#include <errno.h>
#include <string.h>

#include "datagram.h"
#include "lwip/inet_chksum.h"
#include "lwip/ip.h"
#include "lwip/prot/icmp.h"
#include "lwip/prot/icmp6.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"
#include "lwip/prot/udp.h"
#include "lwip/raw.h"
#include "lwip/stats.h"
#include "lwip_hooks.h"
#include "stream.h"

static struct tap {
	struct raw_pcb *pcb;
	uint32_t users;
} taps[256];

/* --- UDP ---------------------------------------------------------------------------------- */

/*
 * Checksum of the first `size` bytes of p, which may be longer than UDP's own length says. (lwIP's
 * function for a part stops at 32 KiB.)
 */
static uint16_t udp_sum(struct pbuf *p, uint16_t size)
{
	struct pbuf *part;
	uint16_t sum = 1;

	if (size == p->tot_len)
		return ip_chksum_pseudo(p, LX_IPPROTO_UDP, size, ip_current_src_addr(),
					ip_current_dest_addr());
	part = pbuf_alloc(PBUF_RAW, size, PBUF_RAM);
	if (!part)
		return sum;
	if (pbuf_copy_partial_pbuf(part, p, size, 0) == ERR_OK)
		sum = ip_chksum_pseudo(part, LX_IPPROTO_UDP, size, ip_current_src_addr(),
				       ip_current_dest_addr());
	pbuf_free(part);
	return sum;
}

static bool udp_sum_right(struct pbuf *p, uint16_t header, uint16_t size)
{
	uint16_t sum;

	IF__NETIF_CHECKSUM_ENABLED(ip_current_input_netif(), NETIF_CHECKSUM_CHECK_UDP) {
		pbuf_remove_header(p, header);
		sum = udp_sum(p, size);
		pbuf_add_header_force(p, header);
		return !sum;
	}
	return true;
}

/* True: nobody else needs it. lwIP counts and drops what is malformed. */
static bool udp_input_tap(struct arrival *a, struct pbuf *p, uint16_t header)
{
	struct udp_hdr h;
	uint16_t size;

	if (pbuf_copy_partial(p, &h, sizeof h, header) < sizeof h)
		return false;
	size = lwip_ntohs(h.len);
	if (size < UDP_HLEN || size > p->tot_len - header)
		return false;
	if (h.chksum && !udp_sum_right(p, header, size))
		return false;
	a->from.port = lwip_ntohs(h.src);
	a->to.port = lwip_ntohs(h.dest);
	if (!udp_deliver(a, p, (uint16_t)(header + UDP_HLEN), (uint16_t)(size - UDP_HLEN)) ||
	    a->many)
		return false;
	MIB2_STATS_INC(mib2.ipindelivers);
	MIB2_STATS_INC(mib2.udpindatagrams);
	return true;
}

/* --- ICMP's errors ------------------------------------------------------------------------ */

/* Destination unreachable, by code: what programs are told, and whether that is final. */
static const struct {
	uint8_t error, fatal;
} unreachable4[16] = {
	{ ENETUNREACH, 0 }, { EHOSTUNREACH, 0 }, { ENOPROTOOPT, 1 }, { ECONNREFUSED, 1 },
	{ EMSGSIZE, 0 }, { EOPNOTSUPP, 0 }, { ENETUNREACH, 1 }, { EHOSTDOWN, 1 },
	{ 64 /* ENONET */, 1 }, { ENETUNREACH, 1 }, { EHOSTUNREACH, 1 }, { ENETUNREACH, 0 },
	{ EHOSTUNREACH, 0 }, { EHOSTUNREACH, 1 }, { EHOSTUNREACH, 1 }, { EHOSTUNREACH, 1 },
}, unreachable6[7] = {
	{ ENETUNREACH, 0 }, { EACCES, 1 }, { EHOSTUNREACH, 0 }, { EHOSTUNREACH, 0 },
	{ ECONNREFUSED, 1 }, { EACCES, 1 }, { EACCES, 1 },
};

static bool fault_kind4(struct fault *f)
{
	switch (f->type) {
	case ICMP_DUR:
		if (f->code > 15)
			return false;
		f->error = unreachable4[f->code].error;
		f->fatal = unreachable4[f->code].fatal;
		return true;
	case ICMP_TE:
		f->error = EHOSTUNREACH;
		return true;
	case ICMP_PP:
		f->error = EPROTO;
		f->fatal = true;
		return true;
	}
	return false;
}

static bool fault_kind6(struct fault *f)
{
	switch (f->type) {
	case ICMP6_TYPE_DUR:
		if (f->code > 6)
			return false;
		f->error = unreachable6[f->code].error;
		f->fatal = unreachable6[f->code].fatal;
		return true;
	case ICMP6_TYPE_PTB:
		f->error = EMSGSIZE;
		return true;
	case ICMP6_TYPE_TE:
		f->error = EHOSTUNREACH;
		return true;
	case ICMP6_TYPE_PP:
		f->error = EPROTO;
		f->fatal = true;
		return true;
	}
	return false;
}

/*
 * The header of the packet that it is about, which we sent: its protocol, and how long the header
 * is; 0: no such packet.
 */
static uint32_t quoted_header(struct fault *f, const uint8_t *quoted, uint32_t size, bool six,
			      uint8_t *protocol)
{
	struct ip6_hdr h6;
	struct ip_hdr h4;

	if (six) {
		if (size < sizeof h6)
			return 0;
		memcpy(&h6, quoted, sizeof h6);
		ip_addr_copy_from_ip6_packed(f->local.ip, h6.src);
		ip_addr_copy_from_ip6_packed(f->remote.ip, h6.dest);
		ip6_addr_assign_zone(ip_2_ip6(&f->local.ip), IP6_UNICAST, ip_current_input_netif());
		ip6_addr_assign_zone(ip_2_ip6(&f->remote.ip), IP6_UNKNOWN,
				     ip_current_input_netif());
		*protocol = IP6H_NEXTH(&h6);
		return sizeof h6;
	}
	if (size < sizeof h4)
		return 0;
	memcpy(&h4, quoted, sizeof h4);
	ip_addr_copy_from_ip4(f->local.ip, h4.src);
	ip_addr_copy_from_ip4(f->remote.ip, h4.dest);
	*protocol = IPH_PROTO(&h4);
	return IPH_HL_BYTES(&h4) >= sizeof h4 ? IPH_HL_BYTES(&h4) : 0;
}

static uint16_t number_at(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* To the socket that sent it. body: what came back of the packet behind its IP header. */
static void fault_give(struct fault *f, uint8_t protocol, const uint8_t *body, uint32_t size)
{
	f->data = body;
	f->size = size;
	raw_fault(f, protocol);
	if (size < 8)
		return;
	f->data = body + 8;
	f->size = size - 8;
	if (protocol == LX_IPPROTO_TCP) {
		f->local.port = number_at(body);
		f->remote.port = number_at(body + 2);
		wire_fault(f, (uint32_t)number_at(body + 4) << 16 | number_at(body + 6));
	} else if (protocol == LX_IPPROTO_UDP) {
		f->local.port = number_at(body);
		f->remote.port = number_at(body + 2);
		udp_fault(f);
	} else if (protocol == LX_IPPROTO_ICMP || protocol == LX_IPPROTO_ICMPV6) {
		f->local.port = number_at(body + 4);
		f->data = body;
		f->size = size;
		ping_fault(f);
	}
}

static bool icmp_sum_right(struct pbuf *p, uint16_t header, bool six)
{
	uint16_t sum;

	pbuf_remove_header(p, header);
	sum = six ? ip_chksum_pseudo(p, LX_IPPROTO_ICMPV6, p->tot_len, ip_current_src_addr(),
				     ip_current_dest_addr()) :
		    inet_chksum_pbuf(p);
	pbuf_add_header_force(p, header);
	return !sum;
}

static void icmp_input_tap(const struct arrival *a, struct pbuf *p, uint16_t header)
{
	bool six = IP_IS_V6_VAL(a->to.ip);
	struct fault f = { .origin = six ? 3 : 2, .offender = a->from.ip };
	uint8_t data[600], protocol;
	uint32_t size = pbuf_copy_partial(p, data, sizeof data, header), skip;

	if (size < 8 || !icmp_sum_right(p, header, six))
		return;
	ping_deliver(a, p, header);
	f.type = data[0];
	f.code = data[1];
	if (!(six ? fault_kind6(&f) : fault_kind4(&f)))
		return;
	if (f.error == EMSGSIZE)
		f.info = six ? (uint32_t)number_at(data + 4) << 16 | number_at(data + 6) :
			       number_at(data + 6);
	skip = quoted_header(&f, data + 8, size - 8, six, &protocol);
	if (skip && skip <= size - 8)
		fault_give(&f, protocol, data + 8 + skip, size - 8 - skip);
}

/* --- all ---------------------------------------------------------------------------------- */

static void arrival_read(struct arrival *a, const struct pbuf *p)
{
	const struct ip_hdr *h4 = p->payload;
	const struct ip6_hdr *h6 = p->payload;
	bool six = IP_HDR_GET_VERSION(p->payload) == 6;

	memset(a, 0, sizeof *a);
	a->from.ip = *ip_current_src_addr();
	a->to.ip = *ip_current_dest_addr();
	a->index = netif_get_index(ip_current_input_netif());
	a->ttl = six ? IP6H_HOPLIM(h6) : IPH_TTL(h4);
	a->tos = six ? (uint8_t)IP6H_TC(h6) : IPH_TOS(h4);
	a->protocol = six ? IP6H_NEXTH(h6) : IPH_PROTO(h4);
	a->many = ip_addr_ismulticast(&a->to.ip) ||
		  (!six && ip4_addr_isbroadcast(ip_2_ip4(&a->to.ip), ip_current_input_netif()));
}

/* 1: the packet is done with, and freed. */
static u8_t tap_input(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
	uint16_t header = ip_current_header_tot_len();
	struct arrival a;

	(void)arg;
	(void)pcb;
	(void)from;
	if (p->tot_len < header)
		return 0;
	arrival_read(&a, p);
	raw_deliver(&a, p, header);
	if (a.protocol == (IP_IS_V6_VAL(a.to.ip) ? LX_IPPROTO_ICMPV6 : LX_IPPROTO_ICMP))
		icmp_input_tap(&a, p, header);
	if (a.protocol != LX_IPPROTO_UDP || !udp_input_tap(&a, p, header))
		return 0;
	pbuf_free(p);
	return 1;
}

int tap_add(uint8_t protocol)
{
	struct tap *t = &taps[protocol];

	if (!t->pcb) {
		t->pcb = raw_new_ip_type(IPADDR_TYPE_ANY, protocol);
		if (!t->pcb)
			return -ENOBUFS;
		raw_recv(t->pcb, tap_input, NULL);
	}
	t->users++;
	return 0;
}

void tap_remove(uint8_t protocol)
{
	struct tap *t = &taps[protocol];

	if (--t->users)
		return;
	raw_remove(t->pcb);
	t->pcb = NULL;
}

/* (ICMP: for its errors.) */
int tap_begin(void)
{
	static const uint8_t protocols[] = { LX_IPPROTO_UDP, LX_IPPROTO_ICMP, LX_IPPROTO_ICMPV6 };
	static unsigned made;

	for (; made < sizeof protocols; made++) {
		int e = tap_add(protocols[made]);

		if (e)
			return e;
	}
	return 0;
}
