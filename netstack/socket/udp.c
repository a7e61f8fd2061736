/* SPDX-License-Identifier: MIT */
/* UDP sockets (datagram.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datagram.h"
#include "glue.h"
#include "interface.h"
#include "lwip/inet_chksum.h"
#include "lwip/ip.h"
#include "lwip/prot/udp.h"
#include "lwip/stats.h"

#define PAYLOAD_MOST4 65507u
#define PAYLOAD_MOST6 65527u
#define WIRE_MOST6 (65535u - 40 - 8)	/* a pbuf's size has the IP header in it */

/* --- which sockets ------------------------------------------------------------------------ */

/* How well it fits, 0: not at all. */
static int udp_score(const struct datagram *d, const struct arrival *a)
{
	if (d->local.port != a->to.port || !datagram_fits(d, a))
		return 0;
	if (d->connected && d->peer.port != a->from.port)
		return 0;
	return 1 + (d->s->family == LX_AF_INET) + 4 * !ip_addr_isany_val(d->local.ip) +
	       8 * d->connected + 4 * (d->s->option.interface != 0);
}

static uint32_t flow_hash(const struct arrival *a)
{
	const uint32_t *from = IP_IS_V4_VAL(a->from.ip) ? &ip_2_ip4(&a->from.ip)->addr :
							  &ip_2_ip6(&a->from.ip)->addr[3];

	/* the upper bits are good */
	return (*from ^ (uint32_t)a->from.port << 16 ^ a->to.port) * 2654435761u;
}

/*
 * The best of them; of several that share a port by SO_REUSEPORT each gets its flows, else the
 * latest.
 */
static struct datagram *udp_best(const struct arrival *a)
{
	struct datagram *best = NULL;
	uint32_t alike = 0, turn;
	int best_score = 0;

	for (struct datagram *d = datagram_port_first(&udp_ports, a->to.port); d;
	     d = d->port_next) {
		int score = udp_score(d, a);

		if (score > best_score) {
			best = d;
			best_score = score;
			alike = 0;
		}
		alike += score && score == best_score && d->s->option.reuse_port;
	}
	if (alike < 2 || !best->s->option.reuse_port)
		return best;
	turn = (uint32_t)((uint64_t)flow_hash(a) * alike >> 32);
	for (struct datagram *d = best; d; d = d->port_next) {
		if (udp_score(d, a) == best_score && d->s->option.reuse_port && turn-- == 0)
			return d;
	}
	return best;
}

/* The next, after `d` or the first, of those who get what goes to many. */
static struct datagram *udp_next(const struct arrival *a, struct datagram *d)
{
	bool multicast = ip_addr_ismulticast(&a->to.ip);

	for (d = d ? d->port_next : datagram_port_first(&udp_ports, a->to.port); d;
	     d = d->port_next) {
		if (udp_score(d, a) && (!multicast || datagram_joined(d, &a->to.ip, a->index)))
			return d;
	}
	return NULL;
}

bool udp_deliver(const struct arrival *a, struct pbuf *p, uint16_t from, uint16_t size)
{
	struct datagram *d = a->many ? udp_next(a, NULL) : udp_best(a);
	bool any = d != NULL;

	while (d) {
		datagram_put_copy(d, a, p, from, size);
		d = a->many ? udp_next(a, d) : NULL;
	}
	return any;
}

/* An ICMP error is for the socket that sent the packet. */
void udp_fault(const struct fault *f)
{
	struct arrival back = { .from = f->remote, .to = f->local };
	struct datagram *d = udp_best(&back);

	if (d)
		datagram_fault(d, f);
}

/* --- names -------------------------------------------------------------------------------- */

static int64_t udp_bind(struct net_request *r, const struct net_sockaddr *a)
{
	struct net_endpoint at;
	int e = datagram_bind_check(r, a, &at);

	if (e)
		return e;
	if (at.port && at.port < 1024 && !net_capable(r, NET_CAP_BIND_SERVICE))
		return -EACCES;
	return datagram_bind(r, &udp_ports, &at);
}

static int64_t udp_connect(struct net_request *r, const struct net_sockaddr *a)
{
	return datagram_connect(r, a, &udp_ports);
}

/* --- sending ------------------------------------------------------------------------------ */

static struct arrival arrival_of(const struct datagram *d, const struct outgoing *o)
{
	struct netif *lo = netif_get_by_index(1);

	return (struct arrival){ .from = { o->from, d->local.port },
				 .to = o->to,
				 .index = netif_get_index(o->local && lo ? lo : o->netif),
				 .ttl = o->ttl,
				 .tos = o->tos,
				 .protocol = LX_IPPROTO_UDP,
				 .many = o->many };
}

/* Nobody is there: what ICMP would say. */
static void refused(struct datagram *d, const struct arrival *a, const struct packet *p)
{
	bool six = IP_IS_V6_VAL(a->to.ip);
	struct fault f = { .error = ECONNREFUSED,
			   .fatal = true,
			   .origin = six ? 3 : 2,
			   .type = six ? 1 : 3,
			   .code = six ? 4 : 3,
			   .offender = a->to.ip,
			   .local = a->from,
			   .remote = a->to,
			   .data = p->data,
			   .size = p->size < 512 ? p->size : 512 };

	datagram_fault(d, &f);
}

static void header_add(const struct datagram *d, const struct outgoing *o, struct pbuf *p)
{
	struct udp_hdr *h;

	pbuf_add_header(p, UDP_HLEN);
	h = p->payload;
	*h = (struct udp_hdr){ .src = lwip_htons(d->local.port),
			       .dest = lwip_htons(o->to.port),
			       .len = lwip_htons(p->tot_len) };
	if (d->s->option.no_check && IP_IS_V4_VAL(o->to.ip))
		return;
	h->chksum = ip_chksum_pseudo(p, LX_IPPROTO_UDP, p->tot_len, &o->from, &o->to.ip);
	if (!h->chksum)
		h->chksum = 0xffff;
}

/*
 * May it go through lwIP to this machine itself? Raw sockets see only what goes that way, but a
 * pbuf is not as large as the largest datagrams.
 */
static bool lwip_takes(uint64_t size)
{
	return size < 60000;
}

/* Nobody is there, and a raw socket listens for what ICMP says of that: let it be said. */
static bool send_in_vain(const struct datagram *d, const struct outgoing *o,
			 const struct packet *packet)
{
	struct pbuf *p;
	void *data;

	if (!raw_wanted(IP_IS_V4_VAL(o->to.ip) ? LX_IPPROTO_ICMP : LX_IPPROTO_ICMPV6) ||
	    !lwip_takes(packet->size))
		return false;
	p = datagram_pbuf(packet->size, &data);
	if (!p)
		return false;
	memcpy(data, packet->data, packet->size);
	header_add(d, o, p);
	return !datagram_output(d, o, p, LX_IPPROTO_UDP);
}

static int64_t send_here(struct net_request *r, const struct net_message *msg,
			 const struct outgoing *o)
{
	struct datagram *d = datagram_of(r->s), *to;
	struct packet *p = packet_new((uint32_t)msg->size);
	int64_t e;

	if (!p)
		return -ENOBUFS;
	e = datagram_read(r, msg, p->data);
	if (e) {
		free(p);
		return e;
	}
	MIB2_STATS_INC(mib2.udpoutdatagrams);
	p->arrival = arrival_of(d, o);
	to = udp_best(&p->arrival);
	if (to) {
		MIB2_STATS_INC(mib2.udpindatagrams);
		datagram_put(to, p);
	} else {
		if (!send_in_vain(d, o, p))
			refused(d, &p->arrival, p);
		free(p);
	}
	return (int64_t)msg->size;
}

/* Our own part of what goes to many. */
static void send_loop(const struct datagram *d, const struct outgoing *o, struct pbuf *p)
{
	struct arrival a = arrival_of(d, o);
	bool loop =
		IP_IS_V4_VAL(o->to.ip) ? d->s->option.multicast_loop : d->s->option.multicast_loop6;

	if (o->broadcast || (loop && datagram_anybody_joined(&o->to.ip, a.index)))
		udp_deliver(&a, p, 0, p->tot_len);
}

static int64_t send_out(struct net_request *r, const struct net_message *msg,
			const struct outgoing *o)
{
	struct datagram *d = datagram_of(r->s);
	struct pbuf *p;
	void *data;
	int64_t e = datagram_compose(r, msg, &p, &data);

	if (e)
		return e;
	MIB2_STATS_INC(mib2.udpoutdatagrams);
	if (o->many)
		send_loop(d, o, p);
	if (o->many && interface_is_loopback(interface_of(o->netif))) {
		pbuf_free(p);
		return (int64_t)msg->size;
	}
	header_add(d, o, p);
	e = datagram_output(d, o, p, LX_IPPROTO_UDP);
	return e ? e : (int64_t)msg->size;
}

static int64_t udp_send(struct net_request *r, struct net_message *msg)
{
	struct datagram *d = datagram_of(r->s);
	struct outgoing o;
	int64_t e;

	if (msg->size > UINT16_MAX)
		return -EMSGSIZE;
	e = datagram_route(r, msg, &o);
	if (e)
		return e;
	if (!o.to.port)
		return -EINVAL;
	if (msg->size > (IP_IS_V4_VAL(o.to.ip) ? PAYLOAD_MOST4 :
			 o.local               ? PAYLOAD_MOST6 :
						 WIRE_MOST6))
		return -EMSGSIZE;
	e = d->bound ? 0 : datagram_port_take(&udp_ports, d);
	if (e)
		return e == -EADDRINUSE ? -EAGAIN : e;
	if (o.local && !(raw_wanted(LX_IPPROTO_UDP) && lwip_takes(msg->size)))
		return send_here(r, msg, &o);
	return send_out(r, msg, &o);
}

const struct socket_ops socket_udp_ops = {
	.name = "udp",
	.plane = K_PLANE_NONE,
	.create = datagram_create,
	.destroy = datagram_destroy,
	.bind = udp_bind,
	.connect = udp_connect,
	.shutdown = datagram_shutdown,
	.name_of = datagram_name,
	.send = udp_send,
	.recv = datagram_recv,
	.set_option = datagram_set_option,
	.get_option = datagram_get_option,
	.ioctl = datagram_ioctl,
	.ready = datagram_ready,
};
