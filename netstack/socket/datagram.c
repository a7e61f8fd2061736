/* SPDX-License-Identifier: MIT */
/*
 * What UDP, ping and raw sockets have alike: the queue, receiving, names, readiness (datagram.h).
 */
#include "datagram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QUEUES_MOST (8u << 20)		/* bytes of all queues together */
#define QUEUES_FULL (6u << 20)		/* from here on each socket may have only little */
#define QUEUE_LITTLE 2048u
/* Linux counts its overhead, too */
#define CHARGE(p) ((uint32_t)(sizeof(struct packet) + (p)->size + 256))

struct datagram *datagram_first;
static uint32_t queued;			/* of all queues */

/* --- the queue ---------------------------------------------------------------------------- */

struct packet *packet_new(uint32_t size)
{
	struct packet *p = malloc(sizeof *p + size);

	if (!p)
		return NULL;
	memset(p, 0, sizeof *p);
	p->size = size;
	p->when = srv_realtime();
	return p;
}

static void queue_add(struct packet_queue *q, struct packet *p)
{
	p->next = NULL;
	*q->last = p;
	q->last = &p->next;
	q->charge += CHARGE(p);
	queued += CHARGE(p);
}

static void queue_drop(struct packet_queue *q)
{
	struct packet *p = q->first;

	q->first = p->next;
	if (!q->first)
		q->last = &q->first;
	q->charge -= CHARGE(p);
	queued -= CHARGE(p);
	free(p);
}

/* As on Linux the one that goes beyond SO_RCVBUF is still taken. */
static bool queue_full(const struct datagram *d, const struct packet *p)
{
	uint32_t own = d->queue.charge + d->errors.charge;

	if (own > d->s->option.receive_buffer || queued + CHARGE(p) > QUEUES_MOST)
		return true;
	return queued > QUEUES_FULL && own > QUEUE_LITTLE;
}

/*
 * A reader that waits takes it in this round: the level need not be raised and taken back. If it
 * does not come to that, datagram_recv() says what is left.
 */
void datagram_put(struct datagram *d, struct packet *p)
{
	if (d->shut_read || queue_full(d, p)) {
		free(p);
		return;
	}
	queue_add(&d->queue, p);
	if (d->s->readers.first && d->queue.first == p)
		net_wake(&d->s->readers);
	else
		socket_changed(d->s, LX_POLLIN);
}

void datagram_put_copy(struct datagram *d, const struct arrival *a, struct pbuf *p, uint16_t from,
		       uint16_t size)
{
	struct packet *packet = packet_new(size);

	if (!packet)
		return;
	packet->arrival = *a;
	pbuf_copy_partial(p, packet->data, size, from);
	datagram_put(d, packet);
}

void datagram_fault(struct datagram *d, const struct fault *f)
{
	bool wanted =
		IP_IS_V4(&f->remote.ip) ? d->s->option.receive_error : d->s->option.receive_error6;
	struct packet *p;

	if (!wanted) {
		if (f->fatal && d->connected)
			socket_error_set(d->s, f->error);
		return;
	}
	p = packet_new(f->size);
	if (p && !queue_full(d, p)) {
		p->arrival.from = f->remote;
		p->fault = *f;
		p->fault.data = NULL;
		memcpy(p->data, f->data, f->size);
		queue_add(&d->errors, p);
	} else {
		free(p);
	}
	socket_error_set(d->s, f->error);
}

bool datagram_fits(const struct datagram *d, const struct arrival *a)
{
	const struct socket *s = d->s;

	if (ip_addr_isany_val(d->local.ip)) {
		if (IP_IS_V4_VAL(d->local.ip) != IP_IS_V4_VAL(a->to.ip) &&
		    (IP_IS_V4_VAL(d->local.ip) || s->option.v6_only || s->ops != &socket_udp_ops))
			return false;
	} else if (!ip_addr_eq(&d->local.ip, &a->to.ip)) {
		return false;
	}
	if (d->connected && !ip_addr_eq(&d->peer.ip, &a->from.ip))
		return false;
	return !s->option.interface || s->option.interface == a->index;
}

/* --- receiving ---------------------------------------------------------------------------- */

struct lx_in_pktinfo {
	int32_t index;
	uint32_t local, to;
};
struct lx_in6_pktinfo {
	uint32_t to[4];
	uint32_t index;
};
struct lx_extended_error {
	uint32_t error;
	uint8_t origin, type, code, pad;
	uint32_t info, data;
};

static void control_stamp(struct net_message *msg, const struct socket *s, int64_t when)
{
	struct lx_timespec ns = { when / 1000000000, when % 1000000000 };
	struct lx_timeval us = { ns.sec, ns.nsec / 1000 };

	if (s->option.timestamp_ns)
		net_control_put(msg, LX_SOL_SOCKET, LX_SO_TIMESTAMPNS, &ns, sizeof ns);
	else if (s->option.timestamp)
		net_control_put(msg, LX_SOL_SOCKET, LX_SO_TIMESTAMP, &us, sizeof us);
}

static void control_info4(struct net_message *msg, const struct arrival *a)
{
	struct netif *netif = netif_get_by_index((u8_t)a->index);
	struct lx_in_pktinfo info = { (int32_t)a->index, ip_2_ip4(&a->to.ip)->addr,
				      ip_2_ip4(&a->to.ip)->addr };

	if (a->many && netif)
		info.local = netif_ip4_addr(netif)->addr;
	net_control_put(msg, LX_IPPROTO_IP, LX_IP_PKTINFO, &info, sizeof info);
}

static void control_info6(struct net_message *msg, const struct arrival *a, int type)
{
	struct lx_in6_pktinfo info = { .index = a->index };

	if (IP_IS_V6(&a->to.ip)) {
		memcpy(info.to, ip_2_ip6(&a->to.ip)->addr, sizeof info.to);
	} else {
		info.to[2] = PP_HTONL(0xffff);
		info.to[3] = ip_2_ip4(&a->to.ip)->addr;
	}
	net_control_put(msg, LX_IPPROTO_IPV6, type, &info, sizeof info);
}

static void control_fill4(struct net_message *msg, const struct socket_options *o,
			  const struct arrival *a)
{
	struct lx_sockaddr_in to = { .family = LX_AF_INET,
				     .port = lwip_htons(a->to.port),
				     .address = ip_2_ip4(&a->to.ip)->addr };
	int32_t ttl = a->ttl;

	if (o->pkt_info)
		control_info4(msg, a);
	if (o->receive_ttl)
		net_control_put(msg, LX_IPPROTO_IP, LX_IP_TTL, &ttl, sizeof ttl);
	if (o->receive_tos)
		net_control_put(msg, LX_IPPROTO_IP, LX_IP_TOS, &a->tos, sizeof a->tos);
	if (o->receive_origin)
		net_control_put(msg, LX_IPPROTO_IP, LX_IP_RECVORIGDSTADDR, &to, sizeof to);
}

static void control_fill(struct net_message *msg, const struct socket *s, const struct packet *p)
{
	const struct socket_options *o = &s->option;
	const struct arrival *a = &p->arrival;
	const struct datagram *d = datagram_of(s);
	int32_t hops = a->ttl, class = a->tos;

	control_stamp(msg, s, p->when);
	if (s->family == LX_AF_INET6 && o->pkt_info6)
		control_info6(msg, a, LX_IPV6_PKTINFO);
	if (IP_IS_V4(&a->to.ip)) {
		control_fill4(msg, o, a);
		return;
	}
	if (d->old_info)
		control_info6(msg, a, DATAGRAM_OLD_PKTINFO);
	if (d->old_hops)
		net_control_put(msg, LX_IPPROTO_IPV6, DATAGRAM_OLD_HOPLIMIT, &hops, sizeof hops);
	if (o->receive_hops)
		net_control_put(msg, LX_IPPROTO_IPV6, LX_IPV6_HOPLIMIT, &hops, sizeof hops);
	if (o->receive_class)
		net_control_put(msg, LX_IPPROTO_IPV6, LX_IPV6_TCLASS, &class, sizeof class);
}

/* What happened, and who said so. */
static void control_fault(struct net_message *msg, const struct socket *s, const struct packet *p)
{
	const struct fault *f = &p->fault;
	struct {
		struct lx_extended_error e;
		uint8_t offender[sizeof(struct lx_sockaddr_in6)];
	} v = { .e = { .error = (uint32_t)f->error,
		       .origin = f->origin,
		       .type = f->type,
		       .code = f->code,
		       .info = f->info } };
	struct net_endpoint at = { f->offender, 0 };
	struct net_sockaddr a;
	bool six = s->family == LX_AF_INET6;

	net_endpoint_put(s, &at, &a);
	memcpy(v.offender, a.bytes, a.size);
	net_control_put(msg, six ? LX_IPPROTO_IPV6 : LX_IPPROTO_IP,
			six ? LX_IPV6_RECVERR : LX_IP_RECVERR, &v, (uint32_t)sizeof v.e + a.size);
}

/* The packet, as the caller has room for it. Takes nothing. */
static int64_t packet_write(struct net_request *r, struct net_message *msg, const struct packet *p)
{
	uint64_t size = p->size < msg->size ? p->size : msg->size;
	int64_t e;

	if (size < p->size)
		msg->out_flags |= LX_MSG_TRUNC;
	net_endpoint_put(r->s, &p->arrival.from, &msg->name);
	e = net_message_write(r, msg, 0, p->data, size);
	if (!e)
		e = net_message_finish(r, msg);
	return e ? e : (int64_t)(msg->flags & LX_MSG_TRUNC ? p->size : size);
}

/* MSG_ERRQUEUE never waits. */
static int64_t fault_recv(struct net_request *r, struct net_message *msg)
{
	struct datagram *d = datagram_of(r->s);
	struct packet *p = d->errors.first;
	int64_t n;

	if (!p)
		return -EAGAIN;
	control_fault(msg, r->s, p);
	msg->out_flags |= LX_MSG_ERRQUEUE;
	n = packet_write(r, msg, p);
	if (n < 0)
		return n;
	queue_drop(&d->errors);
	if (!d->errors.first)
		r->s->error = 0;
	socket_changed(r->s, 0);
	return n;
}

int64_t datagram_recv(struct net_request *r, struct net_message *msg)
{
	struct datagram *d = datagram_of(r->s);
	struct packet *p = d->queue.first;
	int64_t n;

	if (msg->flags & LX_MSG_ERRQUEUE)
		return fault_recv(r, msg);
	if (msg->flags & LX_MSG_OOB && r->s->ops != &socket_udp_ops)
		return -EOPNOTSUPP;
	if (r->s->error)
		return socket_error_take(r->s);
	if (!p && d->shut_read)
		return net_message_finish(r, msg);
	if (!p)
		return net_wait(r, &r->s->readers, r->s->option.receive_timeout);
	control_fill(msg, r->s, p);
	n = packet_write(r, msg, p);
	if (n >= 0 && !(msg->flags & LX_MSG_PEEK)) {
		d->stamp = p->when;
		queue_drop(&d->queue);
	}
	socket_changed(r->s, 0);
	return n;
}

uint32_t datagram_ready(struct socket *s)
{
	const struct datagram *d = datagram_of(s);
	uint32_t ready = LX_POLLOUT;

	if (d->queue.first)
		ready |= LX_POLLIN;
	if (d->shut_read)
		ready |= LX_POLLIN | LX_POLLRDHUP;
	if (d->shut_read && d->shut_write)
		ready |= LX_POLLHUP;
	if (d->errors.first)
		ready |= LX_POLLERR;
	return ready;
}

/* --- the other operations ----------------------------------------------------------------- */

/* Linux does it to a socket that is not connected, too, and says that it did not. */
int64_t datagram_shutdown(struct net_request *r, int how)
{
	struct datagram *d = datagram_of(r->s);

	d->shut_read |= how != LX_SHUT_WR;
	d->shut_write |= how != LX_SHUT_RD;
	socket_changed(r->s, d->shut_read ? LX_POLLIN : 0);
	return d->connected ? 0 : -ENOTCONN;
}

int64_t datagram_name(struct net_request *r, bool peer, struct net_sockaddr *out)
{
	const struct datagram *d = datagram_of(r->s);

	if (peer && !d->connected)
		return -ENOTCONN;
	net_endpoint_put(r->s, peer ? &d->peer : &d->local, out);
	return 0;
}

static int64_t stamp_write(struct net_request *r, uint64_t arg, bool ns)
{
	int64_t stamp = datagram_of(r->s)->stamp;
	int64_t v[2] = { stamp / 1000000000, ns ? stamp % 1000000000 : stamp % 1000000000 / 1000 };

	return stamp ? net_write(r, arg, v, sizeof v) : -ENOENT;
}

int64_t datagram_ioctl(struct net_request *r, uint32_t command, uint64_t arg)
{
	const struct packet *p = datagram_of(r->s)->queue.first;
	int32_t n = 0;

	switch (command) {
	case LX_FIONREAD:
		n = p ? (int32_t)p->size : 0;
		return net_write(r, arg, &n, sizeof n);
	case LX_SIOCOUTQ:
		return net_write(r, arg, &n, sizeof n);
	case LX_SIOCGSTAMP:
	case LX_SIOCGSTAMPNS:
		return stamp_write(r, arg, command == LX_SIOCGSTAMPNS);
	}
	return NET_PASS;
}

int datagram_create(struct net_request *r, struct socket *s)
{
	struct datagram *d;
	int e = tap_begin();

	(void)r;
	if (e)
		return e;
	d = calloc(1, sizeof *d);
	if (!d)
		return -ENOBUFS;
	d->s = s;
	d->queue.last = &d->queue.first;
	d->errors.last = &d->errors.first;
	d->checksum_at = -1;
	net_endpoint_any(s, &d->local);
	d->next = datagram_first;
	if (d->next)
		d->next->prev = d;
	datagram_first = d;
	s->own = d;
	return 0;
}

bool datagram_destroy(struct socket *s)
{
	struct datagram *d = datagram_of(s);

	if (!d)
		return false;
	datagram_port_drop(d);
	datagram_leave_all(d);
	while (d->queue.first)
		queue_drop(&d->queue);
	while (d->errors.first)
		queue_drop(&d->errors);
	*(d->prev ? &d->prev->next : &datagram_first) = d->next;
	if (d->next)
		d->next->prev = d->prev;
	free(d);
	s->own = NULL;
	return false;
}
