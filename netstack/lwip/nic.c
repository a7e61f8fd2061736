/* SPDX-License-Identifier: MIT */
/*
 * The network's side of nic_wire.h, as an interface of lwIP.
 *
 * Every buffer of the receive area is FREE (ours), SUPPLIED (the driver's) or HELD (a packet of the
 * stack); every entry of frame[] that is in use is a frame that the driver has. These two tables,
 * not what the driver writes, say what is whose: its ids and lengths are checked against them.
 */
#include "nic.h"

#include <errno.h>
#include <string.h>

#include "arch/cc.h"
#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/inet_chksum.h"
#include "lwip/ip.h"
#include "lwip/pbuf.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"
#include "lwip/prot/tcp.h"
#include "lwip/snmp.h"
#include "memory.h"
#include "netif/ethernet.h"
#include "server.h"

#define SLOTS PROTO_NIC_SLOTS
#define PIECES 4		/* a frame of more is put together first */
#define BATCH 128		/* frames taken in at a time */
/* Buffers that the driver shall have at least: below, the stack gets copies */
#define LOW (SLOTS / 4)
#define HEADERS 128		/* bytes that shall lie in one piece */
#define CHECKS                                                                                     \
	(NETIF_CHECKSUM_CHECK_IP | NETIF_CHECKSUM_CHECK_UDP | NETIF_CHECKSUM_CHECK_TCP |           \
	 NETIF_CHECKSUM_CHECK_ICMP | NETIF_CHECKSUM_CHECK_ICMP6)

enum buffer_state { BUFFER_FREE, BUFFER_SUPPLIED, BUFFER_HELD };

struct buffer {
	struct pbuf_custom packet;	/* first: rx_free finds us by it */
	uint8_t state;
};

struct frame {
	struct pbuf *packet;		/* NULL: not in use */
	const void *held[PIECES];	/* data that the packet only refers to */
	uint16_t pieces, next;
};

static struct {
	struct proto_nic *wire;
	char *area;			/* of the buffers */
	int signal;
	uint32_t stale;			/* a generation from before our time */
	bool ready;			/* the rings are in use */
	bool active, starved, more;
	uint32_t features;
	struct netif netif;
	struct nic_counts counts;
	struct buffer buffer[SLOTS];
	uint16_t free[SLOTS], free_count, supplied;
	struct frame frame[SLOTS];
	uint16_t frame_free, outstanding;	/* list; entries that the driver has */
	struct pbuf *partial;		/* a frame whose end has not come yet */
	bool partial_checked;
} nic;

#define NO_FRAME 0xffffu

static inline uint32_t load(const uint32_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static inline void store(uint32_t *at, uint32_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}

/* Wakes the driver if it sleeps (or is about to). */
static void driver_wake(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (nic.signal >= 0 && __atomic_exchange_n(&nic.wire->driver_sleeping, 0, __ATOMIC_SEQ_CST))
		k_notification_signal(nic.signal, 1);
}

/* Its indices make no sense: nothing that it says counts until it has begun anew. */
static void driver_distrust(void)
{
	nic.counts.rx_errors++;
	nic.ready = false;
	nic.stale = load(&nic.wire->generation);
	store(&nic.wire->reset_wanted, nic.wire->reset_wanted + 1);
	k_notification_signal(nic.signal, 1);
}

/* --- sending ------------------------------------------------------------------------------ */

static void frame_end(uint16_t id)
{
	struct frame *f = &nic.frame[id];

	for (int i = 0; i < f->pieces && i < PIECES; i++) {
		if (f->held[i])
			net_buffer_let_go(f->held[i]);
	}
	nic.outstanding = (uint16_t)(nic.outstanding - f->pieces);
	pbuf_free(f->packet);
	f->packet = NULL;
	f->next = nic.frame_free;
	nic.frame_free = id;
}

/* Takes back the frames that have been sent. */
static void frames_reap(void)
{
	struct proto_nic_ring *r = &nic.wire->sent;
	uint32_t end = load(&r->produced), at = r->consumed;

	if (end - at > SLOTS) {
		driver_distrust();
		return;
	}
	for (; at != end; at++) {
		uint32_t id = r->slot[at % SLOTS].id;

		if (id < SLOTS && nic.frame[id].packet)
			frame_end((uint16_t)id);
		else
			nic.counts.rx_errors++;
	}
	store(&r->consumed, at);
}

/*
 * How many pieces a frame has; 0: it must be copied (data that the device cannot reach, or too
 * many).
 */
static unsigned pieces_count(const struct pbuf *p)
{
	unsigned n = 0;

	for (; p; p = p->next) {
		if (p->len && !net_memory_shared(p->payload) &&
		    (uintptr_t)p->payload - (uintptr_t)nic.area >= SLOTS * PROTO_NIC_BUFFER)
			return 0;
		n += p->len != 0;
	}
	return n <= PIECES ? n : 0;
}

static uint32_t offset_of(const void *at)
{
	return (uint32_t)((uintptr_t)at - (uintptr_t)nic.wire);
}

/*
 * The sum of TCP's pseudo header: of addresses that lie one after the other, the protocol and the
 * size.
 */
static uint16_t pseudo_sum(const void *addresses, int n, uint16_t size)
{
	uint32_t sum =
		net_checksum(addresses, n) + (uint32_t)PP_HTONS(IP_PROTO_TCP) + lwip_htons(size);

	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/*
 * lwIP leaves the checksum of TCP to the device: the field gets the sum of the pseudo header. The
 * headers lie in the first piece, always: lwIP writes them in one go.
 */
static void checksum_ask(struct proto_nic_entry *e, const struct pbuf *p)
{
	unsigned char *frame = p->payload;
	uint16_t type, at, sum;

	if (!(nic.features & PROTO_NIC_TX_CHECKSUM) || p->len < SIZEOF_ETH_HDR + IP_HLEN + TCP_HLEN)
		return;
	memcpy(&type, frame + 12, 2);
	if (type == PP_HTONS(ETHTYPE_IP) && frame[SIZEOF_ETH_HDR + 9] == IP_PROTO_TCP) {
		at = (uint16_t)(SIZEOF_ETH_HDR + (frame[SIZEOF_ETH_HDR] & 15) * 4);
		sum = pseudo_sum(frame + SIZEOF_ETH_HDR + 12, 8, (uint16_t)(p->tot_len - at));
	} else if (type == PP_HTONS(ETHTYPE_IPV6) && frame[SIZEOF_ETH_HDR + 6] == IP_PROTO_TCP) {
		at = SIZEOF_ETH_HDR + IP6_HLEN;
		sum = pseudo_sum(frame + SIZEOF_ETH_HDR + 8, 32, (uint16_t)(p->tot_len - at));
	} else {
		return;
	}
	if (p->len < at + TCP_HLEN)
		return;
	memcpy(frame + at + 16, &sum, 2);
	e->flags |= PROTO_NIC_CHECKSUM;
	e->checksum_start = at;
	e->checksum_offset = 16;
}

/* The frame goes into the ring; p is ours from here on. */
static void frame_give(struct pbuf *p, unsigned pieces)
{
	struct proto_nic_ring *r = &nic.wire->transmit;
	uint16_t id = nic.frame_free;
	struct frame *f = &nic.frame[id];
	uint32_t at = r->produced;
	unsigned n = 0;

	nic.frame_free = f->next;
	f->packet = p;
	f->pieces = (uint16_t)pieces;
	nic.outstanding = (uint16_t)(nic.outstanding + pieces);
	for (struct pbuf *q = p; q; q = q->next) {
		struct proto_nic_entry *e = &r->slot[at % SLOTS];

		if (!q->len)
			continue;
		*e = (struct proto_nic_entry){ .offset = offset_of(q->payload),
					       .length = q->len,
					       .id = id };
		if (!n)
			checksum_ask(e, p);
		f->held[n] = pbuf_match_type(q, PBUF_ROM) || pbuf_match_type(q, PBUF_REF) ?
				     q->payload :
				     NULL;
		if (f->held[n])
			net_buffer_hold(f->held[n]);
		if (++n < pieces)
			e->flags |= PROTO_NIC_MORE;
		at++;
	}
	store(&r->produced, at);
}

static err_t nic_output(struct netif *netif, struct pbuf *p)
{
	unsigned pieces = pieces_count(p);
	struct pbuf *copy = NULL;

	(void)netif;
	nic.active = true;
	if (nic.ready && nic.outstanding > SLOTS - PIECES)
		frames_reap();
	if (nic.ready && (nic.outstanding > SLOTS - PIECES || nic.frame_free == NO_FRAME)) {
		nic.counts.tx_dropped++;
		nic.starved = true;
		return ERR_MEM;
	}
	if (nic.ready && !pieces) {
		copy = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
		pieces = copy ? pieces_count(copy) : 0;
	}
	if (!nic.ready || !pieces) {
		nic.counts.tx_dropped++;
		if (copy)
			pbuf_free(copy);
		return ERR_OK;		/* as if it were lost on the wire: it is sent again */
	}
	if (!copy)
		pbuf_ref(p);
	nic.counts.tx_packets++;
	nic.counts.tx_bytes += p->tot_len;
	MIB2_STATS_NETIF_ADD(netif, ifoutoctets, p->tot_len);
	frame_give(copy ? copy : p, pieces);
	return ERR_OK;
}

/* --- receiving ---------------------------------------------------------------------------- */

static void rx_free(struct pbuf *p)
{
	struct buffer *b = (struct buffer *)p;

	b->state = BUFFER_FREE;
	nic.free[nic.free_count++] = (uint16_t)(b - nic.buffer);
}

static void buffers_supply(void)
{
	struct proto_nic_ring *r = &nic.wire->supply;
	uint32_t at = r->produced;

	if (!nic.ready || !nic.free_count)
		return;
	while (nic.free_count) {
		uint16_t i = nic.free[--nic.free_count];
		uint32_t offset = offset_of(nic.area) + i * PROTO_NIC_BUFFER;

		r->slot[at++ % SLOTS] = (struct proto_nic_entry){ .offset = offset,
								  .length = PROTO_NIC_BUFFER,
								  .id = offset };
		nic.buffer[i].state = BUFFER_SUPPLIED;
		nic.supplied++;
	}
	store(&r->produced, at);
}

/* The packet in a buffer that the driver has filled; NULL: what it says makes no sense. */
static struct pbuf *packet_of(const struct proto_nic_entry *e)
{
	uint32_t start = e->id - offset_of(nic.area), i = start / PROTO_NIC_BUFFER,
		 skip = e->offset - e->id;
	struct buffer *b;

	if (start % PROTO_NIC_BUFFER || i >= SLOTS || nic.buffer[i].state != BUFFER_SUPPLIED)
		return NULL;
	b = &nic.buffer[i];
	nic.supplied--;
	b->state = BUFFER_HELD;
	b->packet.custom_free_function = rx_free;
	if (skip > PROTO_NIC_BUFFER || !e->length || e->length > PROTO_NIC_BUFFER - skip) {
		rx_free(&b->packet.pbuf);
		return NULL;
	}
	return pbuf_alloced_custom(PBUF_RAW, e->length, PBUF_REF, &b->packet,
				   nic.area + start + skip, e->length);
}

/* A datagram in pieces: its checksum is of all of them, so that of one frame says nothing. */
static bool is_fragment(const struct pbuf *p)
{
	const unsigned char *frame = p->payload;
	uint16_t type, offset;

	if (p->len < SIZEOF_ETH_HDR + IP_HLEN)
		return true;
	memcpy(&type, frame + 12, 2);
	memcpy(&offset, frame + SIZEOF_ETH_HDR + 6, 2);
	if (type == PP_HTONS(ETHTYPE_IP))
		return (offset & PP_HTONS(IP_OFFMASK | IP_MF)) != 0;
	return type != PP_HTONS(ETHTYPE_IPV6) || (frame[SIZEOF_ETH_HDR + 6] != IP_PROTO_TCP &&
						  frame[SIZEOF_ETH_HDR + 6] != IP_PROTO_UDP);
}

/* lwIP looks at headers before it asks whether all of them has come. */
static bool is_short(const struct pbuf *p)
{
	uint16_t type;

	if (p->len <= SIZEOF_ETH_HDR)
		return true;
	memcpy(&type, (const char *)p->payload + 12, 2);
	switch (type) {
	case PP_HTONS(ETHTYPE_ARP): return p->len < SIZEOF_ETH_HDR + SIZEOF_ETHARP_HDR;
	case PP_HTONS(ETHTYPE_IP): return p->len < SIZEOF_ETH_HDR + IP_HLEN;
	case PP_HTONS(ETHTYPE_IPV6): return p->len < SIZEOF_ETH_HDR + IP6_HLEN;
	}
	return false;
}

/*
 * Nobody on the wire has these: what says so is forged, and answering it would go round here for
 * ever.
 */
static bool is_martian(const struct pbuf *p)
{
	static const uint8_t loopback[16] = { [15] = 1 };
	const unsigned char *frame = p->payload, *ip = frame + SIZEOF_ETH_HDR;
	uint32_t own = netif_ip4_addr(&nic.netif)->addr;
	uint16_t type;

	memcpy(&type, frame + 12, 2);
	if (type == PP_HTONS(ETHTYPE_IP))
		return ip[12] == 127 || ip[16] == 127 || (own && !memcmp(ip + 12, &own, 4));
	return type == PP_HTONS(ETHTYPE_IPV6) &&
	       (!memcmp(ip + 8, loopback, 16) || !memcmp(ip + 24, loopback, 16));
}

static void frame_input(struct pbuf *p, bool checked)
{
	uint16_t usual = nic.netif.chksum_flags;
	struct pbuf *copy;

	nic.active = true;
	nic.counts.rx_packets++;
	nic.counts.rx_bytes += p->tot_len;
	MIB2_STATS_NETIF_ADD(&nic.netif, ifinoctets, p->tot_len);
	/*
	 * copied are frames of which the stack holds too many, and those whose headers are in
	 * pieces
	 */
	if (nic.supplied + nic.free_count < LOW || (p->next && p->len < HEADERS)) {
		copy = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
		pbuf_free(p);
		if (!copy) {
			nic.counts.rx_dropped++;
			return;
		}
		p = copy;
	}
	if (is_short(p) || is_martian(p)) {
		nic.counts.rx_errors++;
		pbuf_free(p);
		return;
	}
	nic.netif.chksum_flags |= CHECKS;
	if (checked && !is_fragment(p))
		nic.netif.chksum_flags &=
			(uint16_t) ~(NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP);
	if (!netif_is_up(&nic.netif) || nic.netif.input(p, &nic.netif) != ERR_OK)
		pbuf_free(p);
	nic.netif.chksum_flags = usual;
}

static void entry_input(const struct proto_nic_entry *e)
{
	struct pbuf *p = packet_of(e);

	if (!nic.partial)
		nic.partial_checked = e->flags & PROTO_NIC_CHECKED;
	if (!p || (nic.partial && nic.partial->tot_len + p->tot_len > 0xffff)) {
		nic.counts.rx_errors++;
		if (p)
			pbuf_free(p);
		if (nic.partial)
			pbuf_free(nic.partial);
		nic.partial = NULL;
		return;
	}
	if (nic.partial)
		pbuf_cat(nic.partial, p);
	else
		nic.partial = p;
	if (e->flags & PROTO_NIC_MORE)
		return;
	p = nic.partial;
	nic.partial = NULL;
	frame_input(p, nic.partial_checked);
}

/* --- beginnings and ends ------------------------------------------------------------------ */

/* Everything that the driver had is ours again: it has reset the device. */
static void rings_reset(void)
{
	struct proto_nic *w = nic.wire;
	struct proto_nic_ring *ring[] = { &w->transmit, &w->sent, &w->supply, &w->received };

	for (uint16_t id = 0; id < SLOTS; id++) {
		if (nic.frame[id].packet)
			frame_end(id);
	}
	for (uint16_t i = 0; i < SLOTS; i++) {
		if (nic.buffer[i].state == BUFFER_SUPPLIED)
			rx_free(&nic.buffer[i].packet.pbuf);
	}
	nic.supplied = 0;
	if (nic.partial)
		pbuf_free(nic.partial);
	nic.partial = NULL;
	for (int i = 0; i < 4; i++)
		ring[i]->produced = ring[i]->consumed = 0;
}

static void netif_learn(void)
{
	struct proto_nic *w = nic.wire;
	uint32_t mtu = w->mtu;

	nic.features = w->features;
	if (mtu >= 1280 && mtu < nic.netif.mtu)		/* a smaller one was set by hand */
		nic.netif.mtu = nic.netif.mtu6 = (u16_t)mtu;
	nic.netif.hwaddr_len = ETH_HWADDR_LEN;
	memcpy(nic.netif.hwaddr, w->mac, ETH_HWADDR_LEN);
	nic.netif.chksum_flags =
		(u16_t)(NETIF_CHECKSUM_GEN_IP | NETIF_CHECKSUM_GEN_UDP | NETIF_CHECKSUM_GEN_ICMP |
			NETIF_CHECKSUM_GEN_ICMP6 |
			(nic.features & PROTO_NIC_TX_CHECKSUM ? 0 : NETIF_CHECKSUM_GEN_TCP));
}

/* A driver that has begun anew is given the rings; one that is about to gets nothing. */
static void driver_check(void)
{
	struct proto_nic *w = nic.wire;
	uint32_t generation = load(&w->generation);
	bool link;

	if (generation && generation != nic.stale && (!nic.ready || generation != w->accepted)) {
		rings_reset();
		netif_learn();
		nic.ready = true;
		nic.stale = 0;
		buffers_supply();
		store(&w->accepted, generation);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		k_notification_signal(nic.signal, 1);
	}
	link = nic.ready && load(&w->link);
	if (link && !netif_is_link_up(&nic.netif))
		netif_set_link_up(&nic.netif);
	else if (!link && netif_is_link_up(&nic.netif))
		netif_set_link_down(&nic.netif);
}

bool nic_poll(void)
{
	struct proto_nic_ring *r = nic.wire ? &nic.wire->received : NULL;
	struct proto_nic_entry e;
	uint32_t end, at;

	if (!r)
		return false;
	driver_check();
	if (!nic.ready)
		return false;
	frames_reap();
	end = load(&r->produced);
	at = r->consumed;
	if (end - at > SLOTS)
		driver_distrust();
	if (!nic.ready)
		return false;
	for (int n = 0; n < BATCH && at != end; n++) {
		e = r->slot[at++ % SLOTS];	/* a copy: it is checked once */
		store(&r->consumed, at);
		nic.more = at != end && n + 1 < BATCH;
		entry_input(&e);
	}
	buffers_supply();
	return at != end;
}

bool nic_more(void)
{
	return nic.more;
}

bool nic_room(void)
{
	if (!nic.starved || (nic.ready && nic.outstanding > SLOTS / 2))
		return false;
	nic.starved = false;
	return true;
}

bool nic_flush(void)
{
	struct proto_nic *w = nic.wire;

	if (!w)
		return false;
	buffers_supply();
	driver_wake();
	__atomic_store_n(&w->network_sleeping, 1, __ATOMIC_SEQ_CST);
	if (nic.ready && (load(&w->received.produced) != w->received.consumed)) {
		w->network_sleeping = 0;
		return true;
	}
	return nic.ready && load(&w->generation) != w->accepted;
}

bool nic_was_active(void)
{
	bool active = nic.active;

	nic.active = false;
	return active;
}

struct netif *nic_netif(void)
{
	return nic.wire ? &nic.netif : NULL;
}

const struct nic_counts *nic_counts(void)
{
	return &nic.counts;
}

static err_t nic_netif_init(struct netif *netif)
{
	netif->name[0] = 'e';
	netif->name[1] = 't';
	netif->output = etharp_output;
	netif->output_ip6 = ethip6_output;
	netif->linkoutput = nic_output;
	netif->mtu = 1500;
	netif->mtu6 = 1500;
	netif->hwaddr_len = ETH_HWADDR_LEN;
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET |
		       NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
	MIB2_INIT_NETIF(netif, snmp_ifType_ethernet_csmacd, 1000000000);
	return ERR_OK;
}

void nic_setup(void *base, int signal)
{
	struct proto_nic *w = base;

	nic.wire = w;
	nic.signal = signal;
	nic.area = (char *)base + PROTO_NIC_HEADER;
	nic.frame_free = NO_FRAME;
	for (uint16_t i = SLOTS; i-- > 0;) {
		nic.frame[i].next = nic.frame_free;
		nic.frame_free = i;
		nic.free[nic.free_count++] = i;
	}
	w->magic = PROTO_NIC_MAGIC;
	w->all_multicast = 1;
	/*
	 * of a predecessor: its buffers may still be written to, until the driver has reset the
	 * device
	 */
	if (load(&w->accepted)) {
		nic.stale = load(&w->generation);
		store(&w->reset_wanted, w->reset_wanted + 1);
		k_notification_signal(signal, 1);
	}
	netif_add_noaddr(&nic.netif, NULL, nic_netif_init, netif_input);
}
