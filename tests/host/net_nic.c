/* SPDX-License-Identifier: MIT */
/*
 * The network server's interface (netstack/lwip) over a wire that the test plays: DHCP, ARP, ping,
 * connections, the memory of frames under way, drivers that begin anew or lie, floods.
 */
#include "test.h"

#include "glue.h"
#include "interface.h"
#include "lwip/inet_chksum.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/stats.h"
#include "memory.h"
#include "net_wire.h"
#include "neighbour.h"
#include "netlink.h"
#include "nic.h"
#include "route.h"

#define SECOND 1000000000ll

static const uint8_t our_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 },
		     peer_mac[6] = { 0x52, 0x55, 10, 0, 2, 2 };
static const uint8_t us[4] = { 10, 0, 2, 15 }, peer[4] = { 10, 0, 2, 2 };
static uint8_t out[WIRE_FRAME];

/* --- frames ------------------------------------------------------------------------------- */

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* The plain sum of RFC 1071, to check ours by. */
static unsigned sum16(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += get16(p + i);
	if (n & 1)
		sum += (uint32_t)p[n - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint8_t *ip_frame(uint8_t *f, const uint8_t from[4], const uint8_t to[4], uint8_t protocol,
			 size_t n)
{
	memcpy(f, our_mac, 6);
	memcpy(f + 6, peer_mac, 6);
	put16(f + 12, 0x0800);
	memset(f + 14, 0, 20);
	f[14] = 0x45;
	put16(f + 16, (unsigned)(20 + n));
	f[22] = 64;
	f[23] = protocol;
	memcpy(f + 26, from, 4);
	memcpy(f + 30, to, 4);
	put16(f + 24, ~sum16(f + 14, 20, 0) & 0xffff);
	return f + 34;
}

static void transport_sum(uint8_t *f, size_t n, size_t at)
{
	put16(f + 34 + at, 0);
	put16(f + 34 + at, ~sum16(f + 34, n, sum16(f + 26, 8, f[23] + (uint32_t)n)) & 0xffff);
}

struct tcp_options { unsigned flags; uint32_t seq, ack; unsigned window; };

static size_t tcp_frame(uint8_t *f, const uint8_t from[4], unsigned port, unsigned to_port,
			struct tcp_options o, const void *data, size_t n)
{
	uint8_t *t = ip_frame(f, from, us, 6, 20 + n);

	memset(t, 0, 20);
	put16(t, port);
	put16(t + 2, to_port);
	put32(t + 4, o.seq);
	put32(t + 8, o.ack);
	t[12] = 0x50;
	t[13] = (uint8_t)o.flags;
	put16(t + 14, o.window ? o.window : 65535);
	if (n)
		memcpy(t + 20, data, n);
	transport_sum(f, 20 + n, 16);
	return 54 + n;
}

/* The next IPv4 frame of a protocol that the stack sends; others are left aside. */
static size_t next_ip(uint8_t protocol, struct proto_nic_entry *e)
{
	size_t n;

	while ((n = wire_next(out, e))) {
		if (get16(out + 12) == 0x0800 && out[23] == protocol)
			return n;
	}
	return 0;
}

static void drain(void)
{
	while (wire_next(out, NULL))
		;
	wire_run(0);
}

static void arp_answer(void)
{
	uint8_t f[42];

	memcpy(f, our_mac, 6);
	memcpy(f + 6, peer_mac, 6);
	memcpy(f + 12, "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x02", 10);
	memcpy(f + 22, peer_mac, 6);
	memcpy(f + 28, peer, 4);
	memcpy(f + 32, our_mac, 6);
	memcpy(f + 38, us, 4);
	wire_send(f, sizeof f, 0, 0);
	wire_run(0);
}

/* --- a DHCP server ------------------------------------------------------------------------ */

static bool dhcp_answer(uint8_t type)
{
	static const uint8_t tail[] = { 54, 4, 10, 0,  2, 2, 1,    4,    255, 255, 255,
					0,  3, 4,  10, 0, 2, 2,    6,    4,   10,  0,
					2,  3, 51, 4,  0, 1, 0x51, 0x80, 255 };
	uint8_t f[600] = { 0 }, *u, *d;
	size_t n = next_ip(17, NULL);

	if (!n || get16(out + 36) != 67)
		return false;
	CHECK_EQ(out[42 + 242], type == 2 ? 1 : 3);	/* discover, request */
	u = ip_frame(f, peer, us, 17, 8 + 300);
	memset(f, 0xff, 6);
	put16(u, 67);
	put16(u + 2, 68);
	put16(u + 4, 308);
	d = u + 8;
	d[0] = 2;
	d[1] = 1;
	d[2] = 6;
	memcpy(d + 4, out + 42 + 4, 4);
	memcpy(d + 16, us, 4);
	memcpy(d + 28, our_mac, 6);
	memcpy(d + 236, "\x63\x82\x53\x63\x35\x01", 6);
	d[242] = type;
	memcpy(d + 243, tail, sizeof tail);
	transport_sum(f, 308, 6);
	CHECK(wire_send(f, 14 + 20 + 308, 0, 0));
	wire_run(0);
	return true;
}

TEST(net_nic, dhcp)
{
	struct interface *eth;
	ip4_addr_t server;

	wire_setup(0);
	eth = interface_by_name("eth0");
	CHECK(eth && eth->index == 2);
	CHECK_EQ(wire_nic->accepted, 1);
	CHECK_EQ(wire_buffers(), PROTO_NIC_SLOTS);
	CHECK(!(interface_flags(eth) & LX_IFF_UP));
	CHECK_EQ(interface_set_flags(eth, LX_IFF_UP | LX_IFF_DYNAMIC, 0xffff), 0);
	wire_run(0);
	CHECK(dhcp_answer(2));
	wire_run(SECOND);
	CHECK(dhcp_answer(5));
	wire_run(SECOND);
	CHECK_EQ(netif_ip4_addr(eth->netif)->addr, PP_HTONL(0x0a00020f));
	CHECK(interface_dhcp_server(&server) && server.addr == PP_HTONL(0x0a000202));
	CHECK(interface_name_server(0) &&
	      ip_2_ip4(interface_name_server(0))->addr == PP_HTONL(0x0a000203));
	CHECK_EQ(eth->broadcast.addr, PP_HTONL(0x0a0002ff));
	wire_run(3 * SECOND);
	drain();
}

TEST(net_nic, routes)
{
	const struct route *r;
	ip_addr_t to;

	ip_addr_set_ip4_u32_val(to, PP_HTONL(0x08080808));
	r = route_find(&to);
	CHECK(r && r->index == 2 && ip_2_ip4(&r->gateway)->addr == PP_HTONL(0x0a000202));
	ip_addr_set_ip4_u32_val(to, PP_HTONL(0x0a000203));
	r = route_find(&to);
	CHECK(r && r->index == 2 && ip_addr_isany(&r->gateway));
	ip_addr_set_ip4_u32_val(to, PP_HTONL(0x7f000001));
	r = route_find(&to);
	CHECK(r && r->index == 1 && r->type == LX_RTN_LOCAL);
}

TEST(net_nic, link_local)
{
	struct interface *eth = interface_by_name("eth0");

	CHECK(ip6_addr_ispreferred(netif_ip6_addr_state(eth->netif, 0)));
	CHECK_EQ(eth->prefix6[0], 64);
}

TEST(net_nic, ping)
{
	uint8_t f[200], *t;

	arp_answer();
	drain();
	t = ip_frame(f, peer, us, 1, 64);
	memset(t, 0x5a, 64);
	memcpy(t, "\x08\x00\x00\x00\x12\x34\x00\x01", 8);
	put16(t + 2, ~sum16(t, 64, 0) & 0xffff);
	for (size_t piece = 0; piece < 90; piece += 40) {
		CHECK(wire_send(f, 98, 0, piece));
		wire_run(0);
		CHECK_EQ(next_ip(1, NULL), 98);
		CHECK_EQ(out[34], 0);
		CHECK_MEM(out + 38, t + 4, 60);
		CHECK_EQ(sum16(out + 34, 64, 0), 0xffff);
		CHECK_EQ(sum16(out + 14, 20, 0), 0xffff);
	}
	t[40] ^= 1;
	CHECK(wire_send(f, 98, 0, 0));
	wire_run(0);
	CHECK_EQ(next_ip(1, NULL), 0);
	drain();
	CHECK_EQ(wire_buffers(), PROTO_NIC_SLOTS);
}

TEST(net_nic, checksum)
{
	uint8_t data[3000];
	uint64_t seed = 7;

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)test_random(&seed);
	for (int round = 0; round < 3000; round++) {
		size_t from = test_random(&seed) % 64, n = test_random(&seed) % 2000;
		unsigned mine = net_checksum(data + from, (int)n), right = sum16(data + from, n, 0);

		mine = (mine & 0xff) << 8 | mine >> 8;
		CHECK(mine == right || (mine == 0xffff && right == 0) ||
		      (mine == 0 && right == 0xffff));
	}
}

/* --- TCP ---------------------------------------------------------------------------------- */

static struct tcp_pcb *listener, *accepted;
static size_t received, acked;

static err_t on_recv(void *arg, struct tcp_pcb *p, struct pbuf *data, err_t e)
{
	(void)arg;
	(void)e;
	if (!data)
		return ERR_OK;
	received += data->tot_len;
	tcp_recved(p, data->tot_len);
	pbuf_free(data);
	return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *p, u16_t n)
{
	(void)arg;
	(void)p;
	acked += n;
	return ERR_OK;
}

static void on_error(void *arg, err_t e)
{
	(void)arg;
	(void)e;
	accepted = NULL;
}

static err_t on_accept(void *arg, struct tcp_pcb *p, err_t e)
{
	(void)arg;
	if (e != ERR_OK || !p)
		return ERR_VAL;
	accepted = p;
	tcp_recv(p, on_recv);
	tcp_sent(p, on_sent);
	tcp_err(p, on_error);
	return ERR_OK;
}

static uint32_t their_seq, our_seq;

static void tcp_put(const uint8_t from[4], unsigned port, unsigned flags, const void *data,
		    size_t n)
{
	uint8_t f[WIRE_FRAME];
	size_t size =
		tcp_frame(f, from, port, 22,
			  (struct tcp_options){ .flags = flags, .seq = their_seq, .ack = our_seq },
			  data, n);

	CHECK(wire_send(f, size, 0, 0));
	wire_run(0);
	their_seq += (uint32_t)n + (flags & 3 ? 1 : 0);
}

static void tcp_connect_in(unsigned port)
{
	their_seq = 1000;
	our_seq = 0;
	tcp_put(peer, port, 2, NULL, 0);
	CHECK(next_ip(6, NULL));
	CHECK_EQ(out[47], 0x12);
	CHECK_EQ(get32(out + 42), 1001);
	CHECK_EQ(sum16(out + 34, get16(out + 16) - 20,
		       sum16(out + 26, 8, 6 + get16(out + 16) - 20)),
		 0xffff);
	our_seq = get32(out + 38) + 1;
	tcp_put(peer, port, 0x10, NULL, 0);
	CHECK(accepted);
}

TEST(net_nic, tcp_transfer)
{
	uint8_t chunk[1000];
	void *buffer;
	size_t n, total = 0;

	listener = tcp_listen_with_backlog(({
						   struct tcp_pcb *p = tcp_new();
						   tcp_bind(p, IP_ADDR_ANY, 22);
						   p;
					   }),
					   128);
	CHECK(listener);
	tcp_accept(listener, on_accept);
	tcp_connect_in(4000);
	memset(chunk, 'x', sizeof chunk);
	for (int i = 0; i < 50; i++)
		tcp_put(peer, 4000, 0x18, chunk, sizeof chunk);
	CHECK_EQ(received, 50000);
	drain();
	/* data that is sent from where it lies, and stays there while the driver has it */
	buffer = net_buffer_alloc(NET_BUFFER_LARGE);
	CHECK(buffer && net_memory_shared(buffer));
	for (unsigned i = 0; i < NET_BUFFER_LARGE; i++)
		((uint8_t *)buffer)[i] = (uint8_t)(i * 7 >> 3);
	CHECK_EQ(tcp_write(accepted, buffer, 8000, 0), ERR_OK);
	CHECK_EQ(tcp_output(accepted), ERR_OK);
	wire_hold = true;
	while (total < 8000) {
		n = next_ip(6, NULL);
		if (!n)
			wire_run(SECOND / 10);
		if (n <= 54)
			continue;
		CHECK_EQ(get32(out + 38), our_seq + total);
		CHECK_MEM(out + 54, (uint8_t *)buffer + total, n - 54);
		CHECK_EQ(sum16(out + 34, n - 34, sum16(out + 26, 8, 6 + (uint32_t)n - 34)), 0xffff);
		total += n - 54;
		our_seq += (uint32_t)total;
		tcp_put(peer, 4000, 0x10, NULL, 0);
		our_seq -= (uint32_t)total;
	}
	our_seq += 8000;
	CHECK_EQ(acked, 8000);
	n = net_memory_used();
	net_buffer_free(buffer);
	CHECK_EQ(net_memory_used(), n);		/* the driver still has it */
	wire_hold = false;
	wire_release();
	wire_run(0);
	CHECK(net_memory_used() <= n - NET_BUFFER_LARGE);
	drain();
}

TEST(net_nic, driver_restart)
{
	uint8_t chunk[1000] = { 0 };
	size_t before = received, used = net_memory_used();

	CHECK_EQ(tcp_write(accepted, chunk, 500, TCP_WRITE_FLAG_COPY), ERR_OK);
	tcp_output(accepted);
	CHECK(wire_send(chunk, 60, 0, 0));	/* under way when it dies */
	wire_restart();
	CHECK_EQ(wire_nic->accepted, wire_nic->generation);
	CHECK_EQ(wire_buffers(), PROTO_NIC_SLOTS);
	CHECK_EQ(wire_nic->transmit.produced, 0);
	wire_run(SECOND);		/* it is sent again */
	CHECK_EQ(next_ip(6, NULL), 554);
	CHECK_EQ(get32(out + 38), our_seq);
	our_seq += 500;
	tcp_put(peer, 4000, 0x18, chunk, 100);
	CHECK_EQ(received, before + 100);
	drain();
	CHECK(net_memory_used() <= used);
}

TEST(net_nic, lying_driver)
{
	struct proto_nic_ring *in = &wire_nic->received, *sent = &wire_nic->sent;
	uint64_t errors = nic_counts()->rx_errors;

	for (uint32_t i = 0; i < 8; i++)
		sent->slot[(sent->produced + i) % PROTO_NIC_SLOTS].id = i * 77777;
	sent->produced += 8;
	in->slot[in->produced % PROTO_NIC_SLOTS] =
		(struct proto_nic_entry){ .offset = 0xfffffff0, .length = 1500, .id = 0xfffffff0 };
	in->slot[(in->produced + 1) % PROTO_NIC_SLOTS] = (struct proto_nic_entry){
		.offset = PROTO_NIC_HEADER + 2000, .length = 1500, .id = PROTO_NIC_HEADER
	};
	in->slot[(in->produced + 2) % PROTO_NIC_SLOTS] = (struct proto_nic_entry){
		.offset = PROTO_NIC_HEADER + 2048, .length = 0, .id = PROTO_NIC_HEADER + 2048
	};
	in->slot[(in->produced + 3) % PROTO_NIC_SLOTS] =
		(struct proto_nic_entry){ .offset = 64, .length = 100, .id = 64 };
	in->produced += 4;
	wire_run(0);
	CHECK(nic_counts()->rx_errors > errors);
	in->produced += 100000;
	wire_run(0);
	in->produced -= 100000;
	wire_restart();
	CHECK_EQ(wire_buffers(), PROTO_NIC_SLOTS);
}

/*
 * 10,000 SYNs that never go on, from everywhere: somebody who means it gets in, and memory stays
 * where it is.
 */
TEST(net_nic, syn_flood)
{
	uint8_t f[WIRE_FRAME], from[4] = { 10, 0, 2, 99 };
	struct tcp_pcb *old = accepted;
	unsigned half_open = 0;
	size_t used;

	arp_answer();
	accepted = NULL;
	for (unsigned i = 0; i < 10000; i++) {
		from[3] = (uint8_t)(100 + i % 100);
		CHECK(wire_send(f,
				tcp_frame(f, from, 1024 + i / 100, 22,
					  (struct tcp_options){ .flags = 2, .seq = i }, NULL, 0),
				0, 0));
		wire_run(0);
		while (wire_next(out, NULL))
			;
	}
	for (struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next)
		half_open += p->state == SYN_RCVD;
	CHECK(half_open <= 128);
	CHECK(lwip_stats.memp[MEMP_TCP_PCB]->used <= 140);
	arp_answer();
	tcp_connect_in(5000);
	drain();
	used = net_memory_used();
	for (int i = 0; i < 60; i++) {
		wire_run(SECOND);
		drain();
	}
	CHECK(net_memory_used() <= used);
	for (struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next)
		CHECK(p->state != SYN_RCVD);
	drain();
	tcp_abort(accepted);
	accepted = old;
	wire_run(0);
	drain();
}

/*
 * Somebody reads nothing: what has come is copied out of the driver's buffers before it has none
 * left.
 */
static struct pbuf *kept;

static err_t keep(void *arg, struct tcp_pcb *p, struct pbuf *data, err_t e)
{
	(void)arg;
	(void)p;
	(void)e;
	if (data && kept)
		pbuf_cat(kept, data);
	else if (data)
		kept = data;
	return ERR_OK;
}

TEST(net_nic, slow_reader)
{
	struct tcp_pcb *all[8];
	static uint8_t chunk[1400];
	struct pbuf *held[8] = { 0 };

	arp_answer();
	drain();
	for (int c = 0; c < 8; c++) {
		accepted = NULL;
		tcp_connect_in(6000 + (unsigned)c);
		all[c] = accepted;
		tcp_recv(accepted, keep);
		for (int i = 0; i < 40; i++)	/* within the window */
			tcp_put(peer, 6000 + (unsigned)c, 0x18, chunk, sizeof chunk);
		held[c] = kept;
		kept = NULL;
		CHECK(held[c] && held[c]->tot_len == 40 * sizeof chunk);
		drain();
	}
	CHECK(wire_buffers() > 100);
	for (int c = 0; c < 8; c++) {
		pbuf_free(held[c]);
		tcp_abort(all[c]);
	}
	wire_run(0);
	drain();
	CHECK_EQ(wire_buffers(), PROTO_NIC_SLOTS);
}

/*
 * A device that does checksums: ours hold the sum of the pseudo header and it finishes them; those
 * it has checked are not looked at.
 */
TEST(net_nic, offload)
{
	struct proto_nic_entry e;
	uint8_t f[WIRE_FRAME];
	size_t n, before;

	while (tcp_active_pcbs)
		tcp_abort(tcp_active_pcbs);
	wire_nic->features = PROTO_NIC_TX_CHECKSUM | PROTO_NIC_RX_CHECKSUM;
	wire_restart();
	arp_answer();
	drain();
	accepted = NULL;
	their_seq = 1000;
	tcp_put(peer, 7000, 2, NULL, 0);
	n = next_ip(6, &e);
	CHECK(n);
	CHECK(e.flags & PROTO_NIC_CHECKSUM);
	CHECK_EQ(e.checksum_start, 34);
	CHECK_EQ(e.checksum_offset, 16);
	CHECK_EQ(get16(out + 50), sum16(out + 26, 8, 6 + (uint32_t)n - 34));
	put16(out + 50, ~sum16(out + 34, n - 34, 0) & 0xffff);	/* as the device does it */
	CHECK_EQ(sum16(out + 34, n - 34, sum16(out + 26, 8, 6 + (uint32_t)n - 34)), 0xffff);
	our_seq = get32(out + 38) + 1;
	tcp_put(peer, 7000, 0x10, NULL, 0);
	CHECK(accepted);
	for (int checked = 0; checked < 2; checked++) {
		before = received;
		n = tcp_frame(f, peer, 7000, 22,
			      (struct tcp_options){
				      .flags = 0x18, .seq = their_seq, .ack = our_seq },
			      "wrong", 5);
		f[50] ^= 0x55;
		CHECK(wire_send(f, n, checked ? PROTO_NIC_CHECKED : 0, 0));
		wire_run(0);
		CHECK_EQ(received - before, checked ? 5 : 0);
	}
	tcp_abort(accepted);
	wire_nic->features = 0;
	wire_restart();
	arp_answer();
	drain();
}

/* More frames than the ring has room for: they wait, and go when there is some. */
TEST(net_nic, full_ring)
{
	static uint8_t data[60000];
	size_t n, total = 0;

	accepted = NULL;
	tcp_connect_in(7100);
	accepted->cwnd = accepted->snd_wnd = accepted->snd_wnd_max = 200000;
	accepted->mss = 150;
	wire_hold = true;
	CHECK_EQ(tcp_write(accepted, data, sizeof data, 0), ERR_OK);
	tcp_output(accepted);
	for (int i = 0; i < 20 && total < sizeof data; i++) {
		while ((n = next_ip(6, NULL)) > 54)
			total += n - 54;
		wire_release();
		wire_run(0);
	}
	CHECK_EQ(total, sizeof data);		/* at once, no time has passed */
	wire_hold = false;
	wire_release();
	tcp_abort(accepted);
	wire_run(0);
	drain();
}

/* An idle system does not wake up for nothing. */
TEST(net_nic, sleeps)
{
	struct interface *eth = interface_by_name("eth0");

	while (tcp_active_pcbs)
		tcp_abort(tcp_active_pcbs);
	drain();
	wire_run(5 * SECOND);
	CHECK(net_lwip_deadline() > wire_now + SECOND / 20);
	CHECK_EQ(interface_set_flags(eth, 0, LX_IFF_UP), 0);
	wire_run(SECOND);
	CHECK_EQ(net_lwip_deadline(), INT64_MAX);
	CHECK_EQ(netif_ip4_addr(eth->netif)->addr, 0);
	tcp_close(listener);
}

/* --- netlink ------------------------------------------------------------------------------ */

static unsigned messages, dones;

static void count(void *arg, const void *data, size_t n)
{
	const struct lx_nlmsghdr *h = data;

	(void)arg;
	for (; n >= sizeof *h; n -= (h->size + 3) & ~3u,
			       h = (const void *)((const char *)h + ((h->size + 3) & ~3u))) {
		CHECK(h->size >= sizeof *h && h->size <= n);
		messages++;
		dones += h->type == LX_NLMSG_DONE;
		if (h->size == n)
			return;
	}
	CHECK_EQ(n, 0);
}

TEST(net_nic, netlink_noise)
{
	static struct netlink_writer w;
	static union { struct lx_nlmsghdr header; uint8_t bytes[200]; } m;
	uint64_t seed = 3;

	w.emit = count;
	for (int i = 0; i < 200000; i++) {
		struct netlink_request q = { .header = &m.header,
					     .data = (uint8_t *)(&m.header + 1),
					     .size = test_random(&seed) % 120,
					     .admin = test_random(&seed) % 4 };
		uint8_t *copy = malloc(q.size);

		for (size_t n = 0; n < sizeof m.bytes; n++)
			m.bytes[n] = (uint8_t)(test_random(&seed) % 3 ? test_random(&seed) % 12 :
									test_random(&seed));
		m.header.type = (uint16_t)(14 + test_random(&seed) % 24);
		m.header.flags = (uint16_t)(test_random(&seed) & 0x707);
		if (q.size > 4 && test_random(&seed) % 2)
			m.bytes[20] = m.bytes[21] = 0;
		memcpy(copy, m.bytes + 16, q.size);
		q.data = copy;
		w.used = 0;
		w.flags = 0;
		rtnetlink_request(&q, &w);
		netlink_flush(&w);
		free(copy);
	}
	CHECK(messages > 1000 && dones > 100);
	wire_run(SECOND);
	drain();
}
