/* SPDX-License-Identifier: MIT */
/*
 * AF_NETLINK sockets of the protocol NETLINK_ROUTE: a queue of datagrams, which a request's answers
 * and notices to groups fill.
 *
 * A request is carried out when it is sent, and its answer is complete then: dumps are small here.
 * Notices are dropped when the reader's queue is full (ENOBUFS at his next receive, as on Linux).
 */
#include "netlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "socket.h"

#define NETLINK_ROUTE 0
#define REQUEST_MOST 16384u
#define QUEUE_MOST 0x80000u		/* bytes of answers that nobody has read yet */

enum {
	LX_NETLINK_ADD_MEMBERSHIP = 1,
	LX_NETLINK_DROP_MEMBERSHIP,
	LX_NETLINK_PKTINFO,
	LX_NETLINK_BROADCAST_ERROR,
	LX_NETLINK_NO_ENOBUFS,
	LX_NETLINK_LIST_MEMBERSHIPS = 9,
	LX_NETLINK_CAP_ACK,
	LX_NETLINK_EXT_ACK,
	LX_NETLINK_GET_STRICT_CHK
};

struct datagram {
	struct datagram *next;
	uint32_t size, group;
	uint8_t data[];
};

struct netlink {
	struct datagram *first, **last;
	uint32_t queued;		/* bytes */
	uint32_t port, groups;		/* port 0: not bound yet */
	uint32_t peer_port, peer_groups;
	bool no_enobufs, cap_ack, ext_ack, strict, pkt_info;
};

static struct netlink *netlink_of(struct socket *s)
{
	return s->own;
}

/* --- the queue ---------------------------------------------------------------------------- */

static bool datagram_add(struct netlink *n, const void *data, size_t size, uint32_t group)
{
	struct datagram *d = malloc(sizeof *d + size);

	if (!d)
		return false;
	d->next = NULL;
	d->size = (uint32_t)size;
	d->group = group;
	memcpy(d->data, data, size);
	*n->last = d;
	n->last = &d->next;
	n->queued += (uint32_t)(sizeof *d + size);
	return true;
}

static void datagram_drop(struct netlink *n)
{
	struct datagram *d = n->first;

	n->first = d->next;
	if (!n->first)
		n->last = &n->first;
	n->queued -= (uint32_t)(sizeof *d + d->size);
	free(d);
}

static void overrun(struct socket *s)
{
	if (!netlink_of(s)->no_enobufs)
		socket_error_set(s, ENOBUFS);
}

static void answer_emit(void *arg, const void *data, size_t size)
{
	struct socket *s = arg;

	if (netlink_of(s)->queued > QUEUE_MOST || !datagram_add(netlink_of(s), data, size, 0))
		overrun(s);
}

void notice_emit(void *arg, const void *data, size_t size)
{
	uint32_t group = (uint32_t)(uintptr_t)arg;

	for (struct socket *s = socket_first; s; s = s->next) {
		struct netlink *n = s->ops == &socket_netlink_ops ? netlink_of(s) : NULL;

		if (!n || s->closed || !(n->groups & group))
			continue;
		if (n->queued + size > s->option.receive_buffer ||
		    !datagram_add(n, data, size, group))
			overrun(s);
		else
			socket_changed(s, LX_POLLIN);
	}
}

/* --- names -------------------------------------------------------------------------------- */

static bool port_taken(uint32_t port)
{
	for (struct socket *s = socket_first; s; s = s->next) {
		if (s->ops == &socket_netlink_ops && s->own && netlink_of(s)->port == port)
			return true;
	}
	return false;
}

/* The process's number if nobody has it, else one from the top. */
static void port_choose(struct socket *s)
{
	uint32_t port = (uint32_t)s->pid;

	for (uint32_t next = 0xfffff000u; !port || port_taken(port); next--)
		port = next;
	netlink_of(s)->port = port;
}

static int64_t netlink_bind(struct net_request *r, const struct net_sockaddr *a)
{
	struct netlink *n = netlink_of(r->s);

	if (a->size < sizeof a->nl || a->family != LX_AF_NETLINK)
		return -EINVAL;
	if (n->port && a->nl.port != n->port)
		return -EINVAL;
	if (!n->port) {
		if (a->nl.port && port_taken(a->nl.port))
			return -EADDRINUSE;
		n->port = a->nl.port;
		if (!n->port)
			port_choose(r->s);
	}
	n->groups = a->nl.groups;
	return 0;
}

static int64_t netlink_connect(struct net_request *r, const struct net_sockaddr *a)
{
	struct netlink *n = netlink_of(r->s);

	if (a->size >= 2 && a->family == LX_AF_UNSPEC) {
		n->peer_port = n->peer_groups = 0;
		return 0;
	}
	if (a->size < sizeof a->nl || a->family != LX_AF_NETLINK)
		return -EINVAL;
	if ((a->nl.port || a->nl.groups) && !net_capable(r, NET_CAP_ADMIN))
		return -EPERM;
	if (!n->port)
		port_choose(r->s);
	n->peer_port = a->nl.port;
	n->peer_groups = a->nl.groups;
	return 0;
}

static int64_t netlink_name(struct net_request *r, bool peer, struct net_sockaddr *out)
{
	struct netlink *n = netlink_of(r->s);

	*out = (struct net_sockaddr){ .size = sizeof out->nl };
	out->nl = (struct lx_sockaddr_nl){ .family = LX_AF_NETLINK,
					   .port = peer ? n->peer_port : n->port,
					   .groups = peer ? n->peer_groups : n->groups };
	return 0;
}

/* --- sending, receiving ------------------------------------------------------------------- */

/* NLMSG_ERROR: the request's header comes back, and all of it when it failed. */
static void acknowledge(struct netlink_writer *w, const struct netlink *n,
			const struct lx_nlmsghdr *h, int error)
{
	struct { int32_t error; struct lx_nlmsghdr header; } m = { error, *h };
	size_t rest = error && !n->cap_ack ? h->size - sizeof *h : 0;

	w->flags = n->cap_ack && error ? 0x100 /* NLM_F_CAPPED */ : 0;
	netlink_begin(w, LX_NLMSG_ERROR, &m, sizeof m);
	netlink_append(w, h + 1, rest);
	netlink_end(w);
	netlink_flush(w);
}

static void requests_run(struct net_request *r, const uint8_t *data, size_t size)
{
	static struct netlink_writer w;
	struct netlink *n = netlink_of(r->s);

	while (size >= sizeof(struct lx_nlmsghdr)) {
		const struct lx_nlmsghdr *h = (const struct lx_nlmsghdr *)data;
		struct netlink_request q = { .header = h,
					     .data = data + sizeof *h,
					     .admin = net_capable(r, NET_CAP_ADMIN),
					     .strict = n->strict };
		size_t step;
		int e = 0;

		if (h->size < sizeof *h || h->size > size)
			return;
		q.size = h->size - sizeof *h;
		w.emit = answer_emit;
		w.arg = r->s;
		w.sequence = h->sequence;
		w.port = n->port;
		w.flags = 0;
		w.used = 0;
		if (h->flags & LX_NLM_F_REQUEST && h->type >= LX_RTM_NEWLINK) {
			e = rtnetlink_request(&q, &w);
			netlink_flush(&w);
		}
		if (e ||
		    (h->flags & LX_NLM_F_ACK && !(h->flags & LX_NLM_F_DUMP && (h->type & 3) == 2)))
			acknowledge(&w, n, h, e);
		step = (h->size + 3u) & ~(size_t)3;
		if (step >= size)
			return;
		data += step;
		size -= step;
	}
}

static int64_t netlink_send(struct net_request *r, struct net_message *msg)
{
	static uint8_t data[REQUEST_MOST] __attribute__((aligned(8)));
	struct netlink *n = netlink_of(r->s);
	uint32_t port = n->peer_port, groups = n->peer_groups;
	int64_t e;

	if (msg->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;
	if (msg->name.size) {
		if (msg->name.size < sizeof msg->name.nl || msg->name.family != LX_AF_NETLINK)
			return -EINVAL;
		port = msg->name.nl.port;
		groups = msg->name.nl.groups;
	}
	if ((port || groups) && !net_capable(r, NET_CAP_ADMIN))
		return -EPERM;
	if (port)
		return -ECONNREFUSED;		/* programs do not talk to each other here */
	if (msg->size > sizeof data)
		return -EMSGSIZE;
	if (n->queued > QUEUE_MOST)
		return -ENOBUFS;
	e = net_message_read(r, msg, 0, data, msg->size);
	if (e)
		return e;
	if (!n->port)
		port_choose(r->s);
	requests_run(r, data, (size_t)msg->size);
	socket_changed(r->s, n->first ? LX_POLLIN : 0);
	return (int64_t)msg->size;
}

static int64_t netlink_recv(struct net_request *r, struct net_message *msg)
{
	struct netlink *n = netlink_of(r->s);
	struct datagram *d = n->first;
	uint64_t size;
	int64_t e;

	if (msg->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;
	e = socket_error_take(r->s);
	if (e)
		return e;
	if (!d)
		return net_wait(r, &r->s->readers, r->s->option.receive_timeout);
	size = d->size < msg->size ? d->size : msg->size;
	if (size < d->size)
		msg->out_flags |= LX_MSG_TRUNC;
	msg->name.size = sizeof msg->name.nl;
	msg->name.nl = (struct lx_sockaddr_nl){ .family = LX_AF_NETLINK, .groups = d->group };
	if (n->pkt_info) {
		uint32_t group = d->group ? (uint32_t)__builtin_ctz(d->group) + 1 : 0;

		net_control_put(msg, LX_SOL_NETLINK, LX_NETLINK_PKTINFO, &group, sizeof group);
	}
	e = net_message_write(r, msg, 0, d->data, size);
	if (!e)
		e = net_message_finish(r, msg);
	if (e)
		return e;
	size = msg->flags & LX_MSG_TRUNC ? d->size : size;
	if (!(msg->flags & LX_MSG_PEEK)) {
		datagram_drop(n);
		socket_changed(r->s, 0);
	}
	return (int64_t)size;
}

static uint32_t netlink_ready(struct socket *s)
{
	return LX_POLLOUT | (netlink_of(s)->first ? LX_POLLIN : 0);
}

/* --- options ------------------------------------------------------------------------------ */

static bool *option_of(struct netlink *n, int name)
{
	static bool ignored;

	switch (name) {
	case LX_NETLINK_PKTINFO: return &n->pkt_info;
	case LX_NETLINK_NO_ENOBUFS: return &n->no_enobufs;
	case LX_NETLINK_CAP_ACK: return &n->cap_ack;
	case LX_NETLINK_EXT_ACK: return &n->ext_ack;
	case LX_NETLINK_GET_STRICT_CHK: return &n->strict;
	case LX_NETLINK_BROADCAST_ERROR: return &ignored;
	}
	return NULL;
}

static int64_t netlink_set_option(struct net_request *r, int level, int name, const void *value,
				  uint32_t size, uint64_t from)
{
	struct netlink *n = netlink_of(r->s);
	bool *option = option_of(n, name);
	int32_t v;
	int e;

	(void)from;
	if (level != LX_SOL_NETLINK)
		return NET_PASS;
	e = net_option_int(value, size, &v);
	if (e)
		return e;
	if (option) {
		*option = v != 0;
		return 0;
	}
	if (name != LX_NETLINK_ADD_MEMBERSHIP && name != LX_NETLINK_DROP_MEMBERSHIP)
		return -ENOPROTOOPT;
	if (v < 1 || v > 38)
		return -EINVAL;
	if (v > 32)
		return 0;		/* groups of things that there are none of */
	if (name == LX_NETLINK_ADD_MEMBERSHIP)
		n->groups |= 1u << (v - 1);
	else
		n->groups &= ~(1u << (v - 1));
	return 0;
}

static int64_t netlink_get_option(struct net_request *r, int level, int name, void *value,
				  uint32_t *size)
{
	struct netlink *n = netlink_of(r->s);
	bool *option = option_of(n, name);

	if (level != LX_SOL_NETLINK)
		return NET_PASS;
	if (name == LX_NETLINK_LIST_MEMBERSHIPS)
		return net_option_put(value, size, (int32_t)n->groups);
	return option ? net_option_put(value, size, *option) : -ENOPROTOOPT;
}

/* --- beginning and end -------------------------------------------------------------------- */

static int netlink_create(struct net_request *r, struct socket *s)
{
	struct netlink *n;

	(void)r;
	if (s->protocol != NETLINK_ROUTE)
		return -EPROTONOSUPPORT;
	n = calloc(1, sizeof *n);
	if (!n)
		return -ENOBUFS;
	n->last = &n->first;
	s->own = n;
	return 0;
}

static bool netlink_destroy(struct socket *s)
{
	struct netlink *n = netlink_of(s);

	while (n && n->first)
		datagram_drop(n);
	free(n);
	s->own = NULL;
	return false;
}

const struct socket_ops socket_netlink_ops = {
	.name = "netlink",
	.plane = K_PLANE_NONE,
	.create = netlink_create,
	.destroy = netlink_destroy,
	.bind = netlink_bind,
	.connect = netlink_connect,
	.name_of = netlink_name,
	.send = netlink_send,
	.recv = netlink_recv,
	.set_option = netlink_set_option,
	.get_option = netlink_get_option,
	.ready = netlink_ready,
};
