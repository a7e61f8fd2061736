/* SPDX-License-Identifier: MIT */
/*
 * Frames that nobody should send, into lwIP and its glue: every protocol that it takes, broken in
 * its lengths, its options, its fragments and anywhere else, most of them with checksums that are
 * right, so that they are looked at. A listener, a connection, UDP and raw receivers are there to
 * be hit. Nothing may crash, touch memory beside a block, or stay behind when it is over.
 *
 *     net_fuzz [FRAMES [SEED]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interface.h"
#include "lwip/inet_chksum.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/raw.h"
#include "lwip/stats.h"
#include "lwip/udp.h"
#include "net_fuzz.h"
#include "net_wire.h"
#include "nic.h"

static uint64_t seed = 1;
static uint8_t f[2200];
static size_t size;

/* splitmix64 */
static uint64_t random64(void)
{
	uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static unsigned any(unsigned below)
{
	return (unsigned)(random64() % below);
}

static void put16(size_t at, unsigned v)
{
	f[at] = (uint8_t)(v >> 8);
	f[at + 1] = (uint8_t)v;
}

static void put32(size_t at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v & 0xffff);
}

static void noise(size_t at, size_t n)
{
	for (size_t i = 0; i < n && at + i < sizeof f; i++)
		f[at + i] = (uint8_t)random64();
}

static unsigned sum(const uint8_t *p, size_t n, uint32_t s)
{
	for (size_t i = 0; i < n; i++)
		s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

/* --- who is there to be hit --------------------------------------------------------------- */

static uint32_t next_ack, next_seq;	/* of the connection, as last seen from us */
static unsigned connection_port;

static err_t take(void *arg, struct tcp_pcb *p, struct pbuf *data, err_t e)
{
	(void)arg;
	(void)e;
	if (!data)
		return tcp_close(p);
	tcp_recved(p, data->tot_len);
	tcp_write(p, "answer to that", 14, TCP_WRITE_FLAG_COPY);
	pbuf_free(data);
	return ERR_OK;
}

static err_t come(void *arg, struct tcp_pcb *p, err_t e)
{
	(void)arg;
	if (!p || e)
		return ERR_VAL;
	tcp_recv(p, take);
	return ERR_OK;
}

static void echo(void *arg, struct udp_pcb *p, struct pbuf *data, const ip_addr_t *from, u16_t port)
{
	(void)arg;
	udp_sendto(p, data, from, port);
	pbuf_free(data);
}

static u8_t look(void *arg, struct raw_pcb *p, struct pbuf *data, const ip_addr_t *from)
{
	uint8_t copy[64];

	(void)arg;
	(void)p;
	(void)from;
	pbuf_copy_partial(data, copy, sizeof copy, 0);
	return 0;
}

static struct tcp_pcb *listener;
static struct udp_pcb *udp[2];
static struct raw_pcb *raw[2];

static void open_all(void)
{
	struct tcp_pcb *p = tcp_new_ip_type(IPADDR_TYPE_ANY);

	tcp_bind(p, IP_ANY_TYPE, 22);
	listener = tcp_listen_with_backlog(p, 16);
	tcp_accept(listener, come);
	for (int i = 0; i < 2; i++) {
		udp[i] = udp_new_ip_type(IPADDR_TYPE_ANY);
		udp_bind(udp[i], IP_ANY_TYPE, (u16_t)(53 + i));
		udp_recv(udp[i], echo, NULL);
	}
	raw[0] = raw_new_ip_type(IPADDR_TYPE_V4, 1);
	raw[1] = raw_new_ip_type(IPADDR_TYPE_V6, 58);
	for (int i = 0; i < 2; i++)
		raw_recv(raw[i], look, NULL);
}

static void close_all(void)
{
	while (tcp_active_pcbs)
		tcp_abort(tcp_active_pcbs);
	while (tcp_tw_pcbs)
		tcp_abort(tcp_tw_pcbs);
	tcp_close(listener);
	for (int i = 0; i < 2; i++) {
		udp_remove(udp[i]);
		raw_remove(raw[i]);
	}
}

/* --- frames ------------------------------------------------------------------------------- */

static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

static void ether(unsigned type)
{
	static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 },
			     group[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	unsigned how = any(8);

	memcpy(f, how == 0 ? all : how == 1 ? group : mac, 6);
	memcpy(f + 6, "\x52\x55\x0a\x00\x02\x02", 6);
	f[11] = (uint8_t)any(4);
	put16(12, type);
}

static void arp(void)
{
	ether(0x0806);
	memcpy(f + 14, "\x00\x01\x08\x00\x06\x04\x00\x01", 8);
	f[21] = (uint8_t)(1 + any(2));
	memcpy(f + 22, f + 6, 6);
	put32(28, 0x0a000200 + any(20));
	memcpy(f + 32, mac, 6);
	put32(38, 0x0a00020f);
	size = 42 + any(20);
}

/* n bytes behind the header. */
static size_t ip4(unsigned protocol, size_t n)
{
	size_t options = any(6) ? 0 : 4 * (1 + any(10));

	ether(0x0800);
	memset(f + 14, 0, 20);
	f[14] = (uint8_t)(0x45 + options / 4);
	noise(34, options);
	put16(16, (unsigned)(20 + options + n));
	put16(18, any(4));
	f[22] = (uint8_t)(any(10) ? 64 : any(3));
	f[23] = (uint8_t)protocol;
	put32(26, any(12) ? 0x0a000202 : any(2) ? 0x7f000001 : (uint32_t)random64());
	put32(30, any(12) ? 0x0a00020f : any(2) ? 0x0a0002ff : any(2) ? 0xe0000001 : 0xffffffff);
	if (any(5) == 0)	/* a fragment */
		put16(20, (any(2) ? 0x2000 : 0) | any(any(2) ? 8 : 0x2000));
	size = 34 + options + n;
	return 34 + options;
}

static size_t ip6(unsigned next, size_t n)
{
	static const uint8_t ours[16] = { 0xfe, 0x80, 0, 0,    0,    0,    0,    0,
					  0x50, 0x54, 0, 0xff, 0xfe, 0x12, 0x34, 0x56 };
	static const uint8_t all[16] = { 0xff, 2, [15] = 1 },
			     solicited[16] = { 0xff, 2, [11] = 1, 0xff, 0x12, 0x34, 0x56 };
	size_t at = 54, extra = 0;
	unsigned first = next;

	ether(0x86dd);
	memset(f + 14, 0, 40);
	f[14] = 0x60;
	f[21] = (uint8_t)(any(3) ? 255 : 64);
	memcpy(f + 22, "\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02", 16);
	if (any(10) == 0)
		noise(22, 16);
	memcpy(f + 38, any(3) ? ours : any(2) ? all : solicited, 16);
	f[38 + 8] ^= any(10) ? 0 : 2;	/* now and then somebody else's */
	while (any(5) == 0 && extra < 400) {	/* extension headers */
		static const uint8_t kinds[] = { 0, 43, 60, 44, 51, 59 };
		unsigned kind = kinds[any(sizeof kinds)], length = any(5) ? 0 : any(4);

		if (kind == 44) {
			f[at] = (uint8_t)first;
			f[at + 1] = 0;
			put16(at + 2, (any(2) ? 1 : 0) | any(any(2) ? 64 : 0x10000));
			put32(at + 4, any(4));
			at += 8;
		} else {
			noise(at, 8 + 8 * length);
			f[at] = (uint8_t)first;
			f[at + 1] = (uint8_t)length;
			at += 8 + 8 * length;
		}
		if (at == 54 + 8 || at > 54)
			first = at - 54 <= 8 + 8 * length ? kind : first;
		extra = at - 54;
	}
	f[20] = (uint8_t)first;
	put16(18, (unsigned)(extra + n));
	size = at + n;
	return at;
}

static void tcp_segment(size_t at, size_t n)
{
	static const uint8_t flags[] = { 2, 0x10, 0x18, 0x11, 4, 0x14, 0x12, 0, 0x3f, 0x19 };
	size_t options = any(3) ? 0 : 4 * any(11);

	if (options + 20 > n)
		options = 0;
	memset(f + at, 0, 20);
	noise(at + 20, n - 20);
	if (options > 3 && any(2))
		memcpy(f + at + 20, "\x02\x04\x05\xb4", 4);
	put16(at, any(3) ? connection_port : 1024 + any(40));
	put16(at + 2, any(10) ? 22 : any(65536));
	put32(at + 4, any(8) ? next_ack + (any(2) ? 0 : any(4000)) - (any(4) ? 0 : any(4000)) :
			       (uint32_t)random64());
	put32(at + 8, any(8) ? next_seq - any(2) * any(3000) : (uint32_t)random64());
	f[at + 12] = (uint8_t)((5 + options / 4) << 4);
	f[at + 13] = flags[any(sizeof flags)];
	put16(at + 14, any(6) ? 65535 : any(600));
}

static void udp_datagram(size_t at, size_t n)
{
	noise(at, n);
	put16(at, any(2) ? 67 : 1000 + any(10));
	put16(at + 2, any(3) ? 53 : any(2) ? 68 : any(65536));
	put16(at + 4, (unsigned)n);
	if (n > 250 && any(2)) {	/* like DHCP's */
		memset(f + at + 8, 0, n - 8);
		memcpy(f + at + 8, "\x02\x01\x06", 3);
		memcpy(f + at + 36, mac, 6);
		memcpy(f + at + 8 + 236, "\x63\x82\x53\x63\x35\x01", 6);
		noise(at + 8 + 242, n - 250);
	}
}

static void icmp4(size_t at, size_t n)
{
	static const uint8_t types[] = { 8, 0, 3, 11, 5, 13, 17, 42 };

	noise(at, n);
	f[at] = types[any(sizeof types)];
	f[at + 1] = (uint8_t)any(6);
	if (n > 36 && any(2)) {	/* with a packet of ours in it */
		memcpy(f + at + 8,
		       "\x45\x00\x00\x30\x00\x00\x00\x00\x40\x06\x00\x00\x0a\x00\x02\x0f\x0a\x00\x02\x02\x00\x16",
		       22);
		put16(at + 30, connection_port);
	}
}

static void icmp6(size_t at, size_t n)
{
	static const uint8_t types[] = { 128, 129, 133, 134, 135, 136, 137,
					 130, 131, 132, 1,   2,   3,   4 };
	static const uint8_t options[] = { 1, 2, 3, 4, 5, 25, 24, 31 };
	size_t o = at + (any(2) ? 24 : 16);

	noise(at, n);
	f[at] = types[any(sizeof types)];
	f[at + 1] = (uint8_t)(any(4) ? 0 : any(8));
	memcpy(f + at + 8, "\xfe\x80\x00\x00\x00\x00\x00\x00\x50\x54\x00\xff\xfe\x12\x34\x56",
	       n >= 24 ? 16 : 0);
	for (; o + 8 <= at + n; o += 8u * (f[o + 1] ? f[o + 1] : 1)) {
		f[o] = options[any(sizeof options)];
		f[o + 1] = (uint8_t)(any(8) ? 1 + any(4) : any(3));
	}
}

/* --- one ---------------------------------------------------------------------------------- */

static void checksums(size_t at, unsigned protocol, bool six)
{
	static const uint8_t field[256] = { [1] = 2, [2] = 2, [6] = 16, [17] = 6, [58] = 2 };
	size_t n = size - at;
	uint32_t pseudo = 0;

	if (!six)
		put16(24, ~sum(f + 14, at - 14, 0) & 0xffff);
	if (!field[protocol] || n < field[protocol] + 2u)
		return;
	if (six)
		pseudo = sum(f + 22, 32, protocol + (uint32_t)n);
	else if (protocol == 6 || protocol == 17)
		pseudo = sum(f + 26, 8, protocol + (uint32_t)n);
	put16(at + field[protocol], 0);
	put16(at + field[protocol], ~sum(f + at, n, pseudo) & 0xffff);
}

static void frame_make(void)
{
	static const uint8_t kinds[] = { 6, 6, 6, 17, 17, 1, 2, 58, 58, 58, 200 };
	bool six = any(2);
	unsigned protocol = kinds[any(sizeof kinds)];
	size_t n = any(3) ? 20 + any(100) : any(2) ? any(1400) + 20 : 8 + any(40), at;

	if (any(20) == 0) {
		arp();
		return;
	}
	if (six && (protocol == 1 || protocol == 2))
		protocol = 58;
	if (protocol == 6 && n < 20)
		n = 20;
	at = six ? ip6(protocol, n) : ip4(protocol, n);
	switch (protocol) {
	case 6: tcp_segment(at, n); break;
	case 17: udp_datagram(at, n); break;
	case 1: icmp4(at, n); break;
	case 58: icmp6(at, n); break;
	default: noise(at, n);
	}
	/* what is broken before the checksums are made right, and what after */
	for (unsigned k = any(3) ? 0 : any(6); k; k--)
		f[14 + any((unsigned)size - 14)] = (uint8_t)random64();
	checksums(at, protocol, six);
	for (unsigned k = any(8) ? 0 : any(3); k; k--)
		f[any((unsigned)size)] = (uint8_t)random64();
	if (any(12) == 0)
		size = any((unsigned)size) + 1;
}

/*
 * A UDP datagram in fragments: in any order, some twice, some overlapping or with another size.
 * They are sent here.
 */
static void fragments_send(void)
{
	uint8_t whole[1600];
	unsigned total = 64 + 8 * any(180), id = any(50), six = any(2), sent = 0,
		 piece = 8 * (1 + any(40));

	for (unsigned i = 0; i < total; i++)
		whole[i] = (uint8_t)random64();
	memcpy(whole, "\x03\xe8\x00\x35", 4);
	whole[4] = (uint8_t)(total >> 8);
	whole[5] = (uint8_t)total;
	whole[6] = whole[7] = 0;
	for (unsigned at = 0; sent < 60 && at < total + 8;
	     at += any(8) ? piece : 8 * any(6), sent++) {
		unsigned from = any(12) ? at : 8 * any(total / 8), n = from + piece < total ?
									       piece :
								       from < total ? total - from :
										      0;

		if (!n || any(40) == 0)
			continue;
		ether(six ? 0x86dd : 0x0800);
		memcpy(f, mac, 6);
		if (six) {
			memset(f + 14, 0, 48);
			f[14] = 0x60;
			put16(18, n + 8);
			f[20] = 44;
			f[21] = 64;
			memcpy(f + 22,
			       "\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02",
			       16);
			memcpy(f + 38,
			       "\xfe\x80\x00\x00\x00\x00\x00\x00\x50\x54\x00\xff\xfe\x12\x34\x56",
			       16);
			f[54] = 17;
			put16(56, from | (from + n < total ? 1 : 0));
			put32(58, id);
			memcpy(f + 62, whole + from, n);
			size = 62 + n;
		} else {
			memset(f + 14, 0, 20);
			f[14] = 0x45;
			put16(16, 20 + n);
			put16(18, id);
			put16(20, from / 8 | (from + n < total ? 0x2000 : 0));
			f[22] = 64;
			f[23] = 17;
			put32(26, 0x0a000202);
			put32(30, 0x0a00020f);
			put16(24, ~sum(f + 14, 20, 0) & 0xffff);
			memcpy(f + 34, whole + from, n);
			size = 34 + n;
		}
		if (any(100) == 0)
			f[14 + any((unsigned)size - 14)] ^= (uint8_t)(1 + any(255));
		wire_send(f, size, 0, 0);
		if (any(4) == 0)
			wire_run(0);
	}
}

/* Follows the connection by what we send. */
static void listen_to_us(void)
{
	uint8_t out[WIRE_FRAME];
	size_t n;

	while ((n = wire_next(out, NULL))) {
		if (n < 54 || out[12] != 8 || out[13] != 0 || out[23] != 6)
			continue;
		next_seq = (uint32_t)out[38] << 24 | (uint32_t)out[39] << 16 |
			   (uint32_t)out[40] << 8 | out[41];
		next_ack = (uint32_t)out[42] << 24 | (uint32_t)out[43] << 16 |
			   (uint32_t)out[44] << 8 | out[45];
		next_seq += (uint32_t)(n - 34 - 4 * (size_t)(out[46] >> 4)) + (out[47] & 3 ? 1 : 0);
		connection_port = (unsigned)out[36] << 8 | out[37];
	}
}

int main(int argc, char **argv)
{
	unsigned frames = argc > 1 ? (unsigned)atoi(argv[1]) : 150000, lost = 0;
	struct interface *eth;

	if (argc > 2)
		seed = (uint64_t)atoll(argv[2]);
	wire_setup(0);
	eth = interface_by_name("eth0");
	interface_set_flags(eth, LX_IFF_UP, LX_IFF_UP);
	interface_set_address4(eth, PP_HTONL(0x0a00020f), PP_HTONL(0xffffff00), 0);
	wire_run(2000000000);
	listen_to_us();
	for (unsigned i = 0; i < frames; i++) {
		if (i % 5000 == 0) {
			net_fuzz_memory.failing = false;
			if (i)
				close_all();
			open_all();
			net_fuzz_memory.failing = i / 5000 % 4 == 3;
			if (i / 5000 % 2)
				interface_set_flags(eth, LX_IFF_DYNAMIC, LX_IFF_DYNAMIC);
			else if (i)
				interface_set_address4(eth, PP_HTONL(0x0a00020f),
						       PP_HTONL(0xffffff00), 0);
		}
		if (any(60) == 0)
			fragments_send();
		frame_make();
		lost += !wire_send(f, size, any(10) ? 0 : PROTO_NIC_CHECKED,
				   any(10) ? 0 : 1 + any(600));
		wire_run(any(50) ? 0 : any(300) * 1000000ll);
		listen_to_us();
		if (any(3000) == 0)
			wire_restart();
	}
	net_fuzz_memory.failing = false;
	close_all();
	interface_set_flags(eth, 0, LX_IFF_UP);
	for (int s = 0; s < 130; s++) {
		wire_run(1000000000);
		listen_to_us();
	}
	wire_restart();
	printf("net_fuzz: %u frames, %u found no buffer, left: %zu packets, %zu objects, %u of %u buffers with the driver\n",
	       frames, lost, net_fuzz_memory.blocks, net_fuzz_memory.objects, wire_buffers(),
	       PROTO_NIC_SLOTS);
	printf("net_fuzz: of them TCP %u, opened %u, UDP %u, ICMP %u, reassembled %u, ICMPv6 %u, neighbours' %u\n",
	       (unsigned)lwip_stats.mib2.tcpinsegs, (unsigned)lwip_stats.mib2.tcppassiveopens,
	       (unsigned)lwip_stats.mib2.udpindatagrams, (unsigned)lwip_stats.mib2.icmpinmsgs,
	       (unsigned)(lwip_stats.mib2.ipreasmoks + lwip_stats.mib2.ip6reasmoks),
	       (unsigned)lwip_stats.icmp6.recv, (unsigned)lwip_stats.nd6.recv);
	return net_fuzz_memory.blocks > 8 || wire_buffers() != PROTO_NIC_SLOTS;
}
