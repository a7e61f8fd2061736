/* SPDX-License-Identifier: MIT */
/*
 * /proc/net: the texts, in Linux's formats to the column, since netstat, arp, route and many
 * scripts read them by columns.
 *
 * The VFS has the nodes; whoever opens one is sent here, a memory object with the text is made, and
 * he is sent back (PROTO_VFS_PROC_OPENED).
 */
#include "proc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "datagram.h"
#include "interface.h"
#include "lwip/ip4_frag.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/stats.h"
#include "memory.h"
#include "neighbour.h"
#include "posix_vfs.h"
#include "proc_text.h"
#include "request.h"
#include "route.h"
#include "server.h"
#include "socket.h"
#include "stream.h"

/* Ends a line, filled with spaces up to `width`. */
static void end(struct text *x, size_t width)
{
	size_t line = x->size;

	while (line > 0 && x->data[line - 1] != '\n')
		line--;
	line = x->size - line;
	text_format(x, "%*s\n", line < width ? (int)(width - line) : 0, "");
}

/* --- interfaces, routes, neighbours ------------------------------------------------------- */

static void dev(struct text *x)
{
	text_format(
		x,
		"Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n");
	for (struct interface *i = interface_next(NULL); i; i = interface_next(i)) {
		struct interface_counts c;

		interface_counts(i, &c);
		text_format(
			x,
			"%6s: %7lu %7lu %4lu %4lu %4d %5d %10d %9lu %8lu %7lu %4lu %4lu %4d %5d %7d %10d\n",
			i->name, (unsigned long)c.rx_bytes, (unsigned long)c.rx_packets,
			(unsigned long)c.rx_errors, (unsigned long)c.rx_dropped, 0, 0, 0,
			(unsigned long)c.rx_multicast, (unsigned long)c.tx_bytes,
			(unsigned long)c.tx_packets, (unsigned long)c.tx_errors,
			(unsigned long)c.tx_dropped, 0, 0, 0, 0);
	}
}

static uint32_t route_flags(const struct route *r)
{
	uint32_t flags = LX_RTF_UP;

	if (r->type != LX_RTN_UNICAST)
		flags |= LX_RTF_REJECT;
	if (!ip_addr_isany(&r->gateway))
		flags |= LX_RTF_GATEWAY;
	if (r->length == (IP_IS_V6(&r->to) ? 128 : 32))
		flags |= LX_RTF_HOST;
	return flags;
}

static bool route_line(const struct route *r, void *arg)
{
	struct text *x = arg;
	const struct interface *i = r->index ? interface_by_index(r->index) : NULL;

	if (IP_IS_V6(&r->to) || (r->index == 1 && r->protocol == LX_RTPROT_KERNEL))
		return true;
	text_format(x, "%s\t%08X\t%08X\t%04X\t%d\t%u\t%u\t%08X\t%d\t%u\t%u", i ? i->name : "*",
		    (unsigned)ip_2_ip4(&r->to)->addr, (unsigned)ip_2_ip4(&r->gateway)->addr,
		    (unsigned)route_flags(r), 0, 0, (unsigned)r->metric,
		    (unsigned)interface_mask(r->length), 0, 0, 0);
	end(x, 127);
	return true;
}

/* Default routes come first, as they do from Linux's tree. */
static bool route_line_default(const struct route *r, void *arg)
{
	return r->length ? true : route_line(r, arg);
}

static bool route_line_other(const struct route *r, void *arg)
{
	return r->length ? route_line(r, arg) : true;
}

static void route(struct text *x)
{
	text_format(
		x,
		"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
	end(x, 127);
	route_walk(route_line_default, x);
	route_walk(route_line_other, x);
}

static void put_address6(struct text *x, const uint32_t address[4])
{
	const uint8_t *b = (const uint8_t *)address;

	for (int n = 0; n < 16; n++)
		text_format(x, "%02x", b[n]);
}

static void route6_line(struct text *x, const struct route *r, uint32_t flags)
{
	static const uint32_t none[4];
	const struct interface *i = r->index ? interface_by_index(r->index) : NULL;

	put_address6(x, ip_2_ip6(&r->to)->addr);
	text_format(x, " %02x ", r->length);
	put_address6(x, none);
	text_format(x, " 00 ");
	put_address6(x, ip_addr_isany(&r->gateway) ? none : ip_2_ip6(&r->gateway)->addr);
	text_format(x, " %08x %08x %08x %08x %8s", (unsigned)r->metric, 1, 0, (unsigned)flags,
		    i ? i->name : "lo");
	end(x, 0);
}

static bool route6_one(const struct route *r, void *arg)
{
	uint32_t flags = route_flags(r) & ~LX_RTF_HOST;

	if (!IP_IS_V6(&r->to))
		return true;
	if (r->index == 1 && r->protocol == LX_RTPROT_KERNEL)
		flags |= LX_RTF_LOCAL | 0x200000u;
	if (r->protocol == LX_RTPROT_RA)
		flags |= LX_RTF_ADDRCONF | LX_RTF_DEFAULT;
	route6_line(arg, r, flags);
	return true;
}

static void ipv6_route(struct text *x)
{
	route_walk(route6_one, x);
	for (struct interface *i = interface_next(NULL); i; i = interface_next(i)) {
		for (int slot = 0; slot < LWIP_IPV6_NUM_ADDRESSES && !interface_is_loopback(i);
		     slot++) {
			struct route r = { .length = 128,
					   .index = i->index,
					   .protocol = LX_RTPROT_KERNEL,
					   .type = LX_RTN_UNICAST };

			if (ip6_addr_isinvalid(netif_ip6_addr_state(i->netif, slot)))
				continue;
			ip_addr_copy_from_ip6(r.to, *netif_ip6_addr(i->netif, slot));
			ip_addr_set_any(true, &r.gateway);
			route6_line(x, &r, LX_RTF_UP | LX_RTF_LOCAL | 0x200000u);
		}
	}
}

static void if_inet6(struct text *x)
{
	for (struct interface *i = interface_next(NULL); i; i = interface_next(i)) {
		for (int slot = 0; slot < LWIP_IPV6_NUM_ADDRESSES; slot++) {
			const ip6_addr_t *a = netif_ip6_addr(i->netif, slot);
			uint8_t state = netif_ip6_addr_state(i->netif, slot);
			bool fixed =
				ip6_addr_life_isstatic(netif_ip6_addr_valid_life(i->netif, slot));

			if (ip6_addr_isinvalid(state))
				continue;
			put_address6(x, a->addr);
			text_format(x, " %02x %02x %02x %02x %8s\n", (unsigned)i->index,
				    i->prefix6[slot],
				    ip6_addr_isloopback(a)  ? 0x10 :
				    ip6_addr_islinklocal(a) ? 0x20 :
				    ip6_addr_issitelocal(a) ? 0x40 :
							      0,
				    (fixed ? 0x80 : 0) | (ip6_addr_istentative(state) ? 0x40 : 0),
				    i->name);
		}
	}
}

static bool arp_line(const struct neighbour *n, void *arg)
{
	const uint8_t *h = n->hardware;
	char address[20], hardware[20];

	if (IP_IS_V6(&n->address))
		return true;
	ip4addr_ntoa_r(ip_2_ip4(&n->address), address, sizeof address);
	snprintf(hardware, sizeof hardware, "%02x:%02x:%02x:%02x:%02x:%02x", h[0], h[1], h[2], h[3],
		 h[4], h[5]);
	text_format(arg, "%-16s 0x%-10x0x%-10x%-17s     *        %s\n", address, 1,
		    n->permanent ? 6 : 2, hardware, interface_by_index(n->index)->name);
	return true;
}

static void arp(struct text *x)
{
	text_format(
		x,
		"IP address       HW type     Flags       HW address            Mask     Device\n");
	neighbour_walk(arp_line, x);
}

/* --- sockets ------------------------------------------------------------------------------ */

/* What a line of the socket tables shows. */
struct line {
	const struct net_endpoint *local, *peer;
	unsigned state;
	uint32_t send_queue, receive_queue;
	unsigned retransmits, uid;
	unsigned long inode;
	int references;
};

static void put_endpoint(struct text *x, const struct net_endpoint *e, bool six)
{
	const uint32_t *a = ip_2_ip6(&e->ip)->addr;

	if (!six)
		text_format(x, "%08X:%04X ", (unsigned)ip_2_ip4(&e->ip)->addr, e->port);
	else if (IP_IS_V6(&e->ip))
		text_format(x, "%08X%08X%08X%08X:%04X ", (unsigned)a[0], (unsigned)a[1],
			    (unsigned)a[2], (unsigned)a[3], e->port);
	else if (ip_addr_isany(&e->ip))
		text_format(x, "%032X:%04X ", 0, e->port);
	else
		text_format(x, "0000000000000000FFFF0000%08X:%04X ",
			    (unsigned)ip_2_ip4(&e->ip)->addr, e->port);
}

static void put_line(struct text *x, const struct line *l, bool six)
{
	put_endpoint(x, l->local, six);
	put_endpoint(x, l->peer, six);
	text_format(x, "%02X %08X:%08X %02X:%08lX %08X %5u %8d %lu %d %016d", l->state,
		    (unsigned)l->send_queue, (unsigned)l->receive_queue, 0, 0ul, l->retransmits,
		    l->uid, 0, l->inode, l->references, 0);
}

static unsigned tcp_state_shown(enum tcp_state state)
{
	static const uint8_t shown[] = {
		[CLOSED] = 7,      [LISTEN] = 10,    [SYN_SENT] = 2,   [SYN_RCVD] = 3,
		[ESTABLISHED] = 1, [FIN_WAIT_1] = 4, [FIN_WAIT_2] = 5, [CLOSE_WAIT] = 8,
		[CLOSING] = 11,    [LAST_ACK] = 9,   [TIME_WAIT] = 6
	};

	return shown[state];
}

static unsigned stream_state_shown(const struct stream *st)
{
	if (st->state == STREAM_CONNECTED && st->pcb)
		return tcp_state_shown(st->pcb->state);
	if (st->state == STREAM_CONNECTED)	/* joined: as TCP's states would be */
		return st->ended ? (st->shut_write ? 9 : 8) : st->shut_write ? 5 : 1;
	return st->state == STREAM_LISTENING ? 10 : st->state == STREAM_CONNECTING ? 2 : 7;
}

static unsigned line_number;

static void tcp_line(struct text *x, const struct line *l, bool six)
{
	text_format(x, "%4u: ", line_number++);
	put_line(x, l, six);
	if (l->state == 6)
		end(x, six ? 0 : 149);
	else {
		text_format(x, " %lu %lu %u %u %d", 20ul, 4ul, 0, 10, l->state == 10 ? 0 : -1);
		end(x, six ? 0 : 149);
	}
}

static void tcp_stream(struct text *x, struct socket *s, bool six)
{
	const struct stream *st = stream_of(s);
	struct net_endpoint none;
	struct line l = { .local = &st->local,
			  .peer = &st->peer,
			  .uid = s->uid,
			  .inode = s->closed ? 0 : s->cookie & 0xffffffff,
			  .references = 1 };

	if (!st || !st->bound)
		return;
	l.state = stream_state_shown(st);
	if (l.state == 7 || l.state == 10) {
		net_endpoint_any(s, &none);
		none.port = 0;
		l.peer = &none;
	}
	if (st->state == STREAM_LISTENING) {
		l.receive_queue = st->pending;
	} else if (st->state == STREAM_CONNECTED) {
		l.receive_queue = st->in ? (uint32_t)pipe_bytes(st->in) : 0;
		l.send_queue = st->joined ? 0 : (uint32_t)wire_unsent(st, false);
		l.retransmits = st->pcb ? st->pcb->nrtx : 0;
	}
	tcp_line(x, &l, six);
}

/* Connections without a socket: half open, or only waiting for their time to be over. */
static void tcp_pcb_line(struct text *x, const struct tcp_pcb *p, bool six)
{
	struct net_endpoint local = { p->local_ip, p->local_port },
			    peer = { p->remote_ip, p->remote_port };
	struct line l = {
		.local = &local, .peer = &peer, .state = tcp_state_shown(p->state), .references = 3
	};

	if (IP_IS_V6(&p->local_ip) == six)
		tcp_line(x, &l, six);
}

static void tcp(struct text *x, bool six)
{
	if (six)
		text_format(
			x,
			"  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode");
	else
		text_format(
			x,
			"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode");
	end(x, six ? 0 : 149);
	line_number = 0;
	for (struct socket *s = socket_first; s; s = s->next) {
		if (s->ops == &socket_stream_ops && (s->family == LX_AF_INET6) == six)
			tcp_stream(x, s, six);
	}
	for (const struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next) {
		if (p->state == SYN_RCVD)
			tcp_pcb_line(x, p, six);
	}
	for (const struct tcp_pcb *p = tcp_tw_pcbs; p; p = p->next)
		tcp_pcb_line(x, p, six);
}

/* An address as a program would see it, back as an endpoint. */
static void endpoint_of(const struct net_sockaddr *a, struct net_endpoint *e)
{
	ip_addr_set_any(a->size && a->family == LX_AF_INET6, &e->ip);
	e->port = 0;
	if (a->size && a->family == LX_AF_INET) {
		ip_2_ip4(&e->ip)->addr = a->in.address;
		e->port = lwip_ntohs(a->in.port);
	} else if (a->size && a->family == LX_AF_INET6) {
		memcpy(ip_2_ip6(&e->ip)->addr, a->in6.address, 16);
		e->port = lwip_ntohs(a->in6.port);
	}
}

static void datagram_line(struct text *x, struct socket *s, bool six, bool udp)
{
	struct net_request r = { .s = s };
	struct net_sockaddr name = { 0 }, peer_name = { 0 };
	struct net_endpoint local, peer;
	struct line l = { .local = &local,
			  .peer = &peer,
			  .state = 7,
			  .uid = s->uid,
			  .inode = s->cookie & 0xffffffff,
			  .references = 2 };

	if (!s->own || !s->ops->name_of || s->ops->name_of(&r, false, &name))
		return;
	if (!s->ops->name_of(&r, true, &peer_name) && peer_name.size)
		l.state = 1;
	endpoint_of(&name, &local);
	endpoint_of(&peer_name, &peer);
	l.receive_queue = datagram_of(s)->queue.charge;
	if (!udp)
		local.port = s->protocol;	/* raw sockets have their protocol there */
	else if (!local.port)
		return;
	text_format(x, udp ? "%5u: " : "%4u: ", udp ? local.port : s->protocol);
	put_line(x, &l, six);
	text_format(x, " %u", 0);
	end(x, udp && !six ? 127 : 0);
}

static void datagrams(struct text *x, const struct socket_ops *ops, bool six)
{
	bool udp = ops == &socket_udp_ops;

	if (six)
		text_format(
			x,
			"  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops");
	else
		text_format(
			x,
			"%s  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops",
			udp ? " " : "");
	end(x, udp && !six ? 127 : 0);
	for (struct socket *s = socket_first; s; s = s->next) {
		if (s->ops == ops && !s->closed && (s->family == LX_AF_INET6) == six)
			datagram_line(x, s, six, udp);
	}
}

static void sockstat(struct text *x)
{
	unsigned count[3] = { 0 }, waiting = 0, orphans = 0;

	for (struct socket *s = socket_first; s; s = s->next) {
		count[0] += s->ops == &socket_stream_ops;
		count[1] += s->ops == &socket_udp_ops;
		count[2] += s->ops == &socket_raw_ops;
		orphans += s->ops == &socket_stream_ops && s->closed;
	}
	for (const struct tcp_pcb *p = tcp_tw_pcbs; p; p = p->next)
		waiting++;
	text_format(
		x,
		"sockets: used %u\nTCP: inuse %u orphan %u tw %u alloc %u mem %lu\nUDP: inuse %u mem 0\nUDPLITE: inuse 0\nRAW: inuse %u\nFRAG: inuse %u memory 0\n",
		socket_count(), count[0], orphans, waiting, count[0],
		(unsigned long)(net_memory_used() / 4096), count[1], count[2],
		(unsigned)lwip_stats.memp[MEMP_REASSDATA]->used);
}

/* --- counters ----------------------------------------------------------------------------- */

static void snmp(struct text *x)
{
	const struct stats_mib2 *m = &lwip_stats.mib2;
	unsigned established = 0;

	for (const struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next)
		established += p->state == ESTABLISHED || p->state == CLOSE_WAIT;
	text_format(
		x,
		"Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers OutRequests OutDiscards OutNoRoutes "
		"ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates\n");
	text_format(x, "Ip: 2 64 %u %u %u %u %u %u %u %u %u %u 0 %u %u %u %u %u %u\n",
		    (unsigned)m->ipinreceives, (unsigned)m->ipinhdrerrors,
		    (unsigned)m->ipinaddrerrors, (unsigned)m->ipforwdatagrams,
		    (unsigned)m->ipinunknownprotos, (unsigned)m->ipindiscards,
		    (unsigned)m->ipindelivers, (unsigned)m->ipoutrequests,
		    (unsigned)m->ipoutdiscards, (unsigned)m->ipoutnoroutes,
		    (unsigned)m->ipreasmreqds, (unsigned)m->ipreasmoks, (unsigned)m->ipreasmfails,
		    (unsigned)m->ipfragoks, (unsigned)m->ipfragfails, (unsigned)m->ipfragcreates);
	text_format(
		x,
		"Icmp: InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos InEchoReps InTimestamps InTimestampReps "
		"InAddrMasks InAddrMaskReps OutMsgs OutErrors OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects OutEchos OutEchoReps "
		"OutTimestamps OutTimestampReps OutAddrMasks OutAddrMaskReps\n");
	text_format(x, "Icmp: %u %u 0 %u %u %u %u %u %u %u %u %u %u %u ", (unsigned)m->icmpinmsgs,
		    (unsigned)m->icmpinerrors, (unsigned)m->icmpindestunreachs,
		    (unsigned)m->icmpintimeexcds, (unsigned)m->icmpinparmprobs,
		    (unsigned)m->icmpinsrcquenchs, (unsigned)m->icmpinredirects,
		    (unsigned)m->icmpinechos, (unsigned)m->icmpinechoreps,
		    (unsigned)m->icmpintimestamps, (unsigned)m->icmpintimestampreps,
		    (unsigned)m->icmpinaddrmasks, (unsigned)m->icmpinaddrmaskreps);
	text_format(x, "%u %u %u %u 0 0 0 %u %u 0 0 0 0\n", (unsigned)m->icmpoutmsgs,
		    (unsigned)m->icmpouterrors, (unsigned)m->icmpoutdestunreachs,
		    (unsigned)m->icmpouttimeexcds, (unsigned)m->icmpoutechos,
		    (unsigned)m->icmpoutechoreps);
	text_format(
		x,
		"Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n");
	text_format(x, "Tcp: 1 200 120000 -1 %u %u %u %u %u %u %u %u %u %u %u\n",
		    (unsigned)m->tcpactiveopens, (unsigned)m->tcppassiveopens,
		    (unsigned)m->tcpattemptfails, (unsigned)m->tcpestabresets, established,
		    (unsigned)m->tcpinsegs, (unsigned)m->tcpoutsegs, (unsigned)m->tcpretranssegs,
		    (unsigned)m->tcpinerrs, (unsigned)m->tcpoutrsts,
		    (unsigned)lwip_stats.tcp.chkerr);
	text_format(
		x,
		"Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\nUdp: %u %u %u %u 0 0 %u 0 0\n",
		(unsigned)m->udpindatagrams, (unsigned)m->udpnoports, (unsigned)m->udpinerrors,
		(unsigned)m->udpoutdatagrams, (unsigned)lwip_stats.udp.chkerr);
	text_format(
		x,
		"UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\nUdpLite: 0 0 0 0 0 0 0 0 0\n");
}

/*
 * What autoconfiguration found out, in the form of Linux's kernel-level one: /etc/resolv.conf is a
 * link to it.
 */
static void pnp(struct text *x)
{
	const ip_addr_t *server;
	char address[48];
	ip4_addr_t dhcp;
	bool leased = interface_dhcp_server(&dhcp);

	text_format(x, leased ? "#PROTO: DHCP\n" : "#MANUAL\n");
	for (unsigned n = 0; (server = interface_name_server(n)); n++) {
		ip_addr_t zoneless = *server;

		if (IP_IS_V6(&zoneless))
			ip6_addr_clear_zone(ip_2_ip6(&zoneless));
		text_format(x, "nameserver %s\n",
			    ipaddr_ntoa_r(&zoneless, address, sizeof address));
	}
	if (leased)
		text_format(x, "bootserver %s\n", ip4addr_ntoa_r(&dhcp, address, sizeof address));
}

static int text_make(const struct k_message *m, struct text *x)
{
	switch (m->arg[0]) {
	case PROTO_PROC_NET_DEV: dev(x); break;
	case PROTO_PROC_NET_ROUTE: route(x); break;
	case PROTO_PROC_NET_ARP: arp(x); break;
	case PROTO_PROC_NET_TCP: tcp(x, false); break;
	case PROTO_PROC_NET_TCP6: tcp(x, true); break;
	case PROTO_PROC_NET_UDP: datagrams(x, &socket_udp_ops, false); break;
	case PROTO_PROC_NET_UDP6: datagrams(x, &socket_udp_ops, true); break;
	case PROTO_PROC_NET_RAW: datagrams(x, &socket_raw_ops, false); break;
	case PROTO_PROC_NET_RAW6: datagrams(x, &socket_raw_ops, true); break;
	case PROTO_PROC_NET_IF_INET6: if_inet6(x); break;
	case PROTO_PROC_NET_IPV6_ROUTE: ipv6_route(x); break;
	case PROTO_PROC_NET_SOCKSTAT: sockstat(x); break;
	case PROTO_PROC_NET_SNMP: snmp(x); break;
	case PROTO_PROC_NET_PNP: pnp(x); break;
	default: return -ENOENT;
	}
	return 0;
}

/* --- messages ----------------------------------------------------------------------------- */

void interface_proc_open(const struct k_message *m)
{
	proc_text_open(m, srv_handle("vfs"), text_make);
}

void interface_proc_refresh(const struct k_message *m)
{
	proc_text_refresh(m, text_make);
}

/* Nothing in /proc/net can be written. */
void interface_proc_write(const struct k_message *m)
{
	srv_answer(m->call, -EINVAL);
}
