/* SPDX-License-Identifier: MIT */
/*
 * TCP sockets: their states and operations (stream.h). What is done over the wire is in wire.c,
 * between sockets of this machine in join.c.
 */
#include "stream.h"

#include <errno.h>
#include <stdlib.h>

#include "listener.h"

#define RECEIVE_BUFFER 131072u		/* what getsockopt says of new ones, as on Linux */
#define SEND_BUFFER 16384u

static struct stream *touched;

/* --- the round ---------------------------------------------------------------------------- */

void stream_touch(struct stream *st)
{
	if (st->in_touched)
		return;
	st->in_touched = true;
	st->touched = touched;
	touched = st;
}

static void untouch(struct stream *st)
{
	struct stream **at = &touched;

	if (!st->in_touched)
		return;
	while (*at != st)
		at = &(*at)->touched;
	*at = st->touched;
	st->in_touched = false;
}

bool stream_settle(void)
{
	bool any = touched != NULL;
	struct stream *st;

	while ((st = touched)) {
		touched = st->touched;
		st->in_touched = false;
		if (!defer_run(st))
			continue;
		if (st->joined)
			join_run(st);
		else
			wire_run(st);	/* (it may be gone now) */
	}
	return any;
}

/* --- readiness ---------------------------------------------------------------------------- */

#define DECLINE (K_SOURCE_DECLINE_READ | K_SOURCE_DECLINE_WRITE)
#define BITS                                                                                       \
	(LX_POLLIN | LX_POLLOUT | LX_POLLERR | LX_POLLHUP | LX_POLLRDHUP | DECLINE |               \
	 K_SOURCE_CALLS_READ | K_SOURCE_CALLS_WRITE | K_SOURCE_CALLS_CLOSE)

/*
 * The other's description still counts as a writer of what we read, so the kernel would not give
 * end of file.
 */
static bool end_is_ours(const struct stream *st)
{
	return st->shut_read || (st->ended && st->other);
}

static uint32_t connected_bits(struct stream *st)
{
	uint32_t bits = 0;

	if (end_is_ours(st))
		bits |= K_SOURCE_DECLINE_READ | LX_POLLIN | LX_POLLRDHUP;
	else if (st->s->option.receive_timeout)
		bits |= K_SOURCE_CALLS_READ;
	if (st->shut_write)
		bits |= K_SOURCE_DECLINE_WRITE | LX_POLLOUT;
	else if (st->no_memory)
		bits |= K_SOURCE_DECLINE_WRITE;
	else if (st->s->option.send_timeout)
		bits |= K_SOURCE_CALLS_WRITE;
	if (socket_lingers(st->s))
		bits |= K_SOURCE_CALLS_CLOSE;
	/* all at once: the pipes' own ends come one after the other */
	if (st->ended && st->reset)
		bits |= LX_POLLIN | LX_POLLOUT | LX_POLLRDHUP;
	if ((st->ended || st->shut_read) && (st->reset || st->shut_write))
		bits |= LX_POLLHUP;
	return bits;
}

static uint32_t stream_bits(struct stream *st)
{
	uint32_t failed = st->connect_told && st->s->error ? LX_POLLIN | LX_POLLRDHUP : 0;

	switch (st->state) {
	case STREAM_IDLE:
		return LX_POLLOUT | LX_POLLHUP | DECLINE | failed;
	case STREAM_CONNECTING:
		return DECLINE;
	case STREAM_LISTENING:
		return DECLINE | (st->queue ? LX_POLLIN : 0);
	default:
		return connected_bits(st);
	}
}

void stream_update(struct stream *st)
{
	uint32_t bits = stream_bits(st) | (st->s->error ? LX_POLLERR : 0);

	if (bits != st->source)
		k_source_set(st->s->source, bits, BITS & ~bits, 0);
	st->source = bits;
}

void stream_no_memory(struct stream *st)
{
	st->no_memory = true;
	stream_update(st);
	wire_retry();
}

static void error_changed(struct socket *s)
{
	stream_update(stream_of(s));
}

static void wake_all(struct stream *st)
{
	net_wake(&st->s->readers);
	net_wake(&st->s->writers);
}

/* --- beginning and end of connections ----------------------------------------------------- */

void stream_connected(struct stream *st)
{
	st->state = STREAM_CONNECTED;
	pipe_hold(st->in);
	pipe_hold(st->out);
	stream_update(st);
	wake_all(st);
}

void stream_failed(struct stream *st, int error)
{
	st->state = STREAM_IDLE;
	st->s->error = error;
	if (!st->port_given) {
		port_drop(st);
		net_endpoint_any(st->s, &st->local);
	}
	stream_update(st);
	wake_all(st);
}

void stream_broken(struct stream *st, int error)
{
	st->state = STREAM_OVER;
	st->ended = st->reset = true;
	if (error)
		st->s->error = error;
	stream_update(st);	/* the error first: who is woken by the end must see it */
	pipe_drop(st->out);
	pipe_hold(st->in);
	pipe_hold(st->out);
	wake_all(st);
	if (st->deferred_by)
		stream_touch(st);
}

static void pipes_put(struct stream *st)
{
	if (st->in) {
		if (st->in->reader == st)
			st->in->reader = NULL;
		pipe_put(st->in);
	}
	if (st->out) {
		if (st->out->writer == st)
			st->out->writer = NULL;
		pipe_put(st->out);
	}
	st->in = st->out = NULL;
}

void stream_free(struct stream *st)
{
	untouch(st);
	srv_timer_cancel(&st->timer);
	srv_timer_cancel(&st->defer_timer);
	port_drop(st);
	pipes_put(st);
	st->s->own = NULL;
	free(st);
}

/* --- the queue of a listener -------------------------------------------------------------- */

/* Linux takes one more than was asked for. */
bool stream_queue_full(const struct stream *listener)
{
	return listener->pending > (unsigned)listener->backlog || defer_full(listener);
}

void stream_queue_add(struct stream *listener, struct stream *child)
{
	child->listener = listener;
	child->queue_next = NULL;
	*(listener->queue_last ? &listener->queue_last->queue_next : &listener->queue) = child;
	listener->queue_last = child;
	listener->pending++;
	listener->source = LX_POLLIN | DECLINE;
	k_source_set(listener->s->source, listener->source, BITS & ~listener->source, 1);
	net_wake(&listener->s->readers);
}

void stream_queue_remove(struct stream *child)
{
	struct stream *listener = child->listener, **at = &listener->queue;
	struct stream *before = NULL;

	while (*at != child) {
		before = *at;
		at = &before->queue_next;
	}
	*at = child->queue_next;
	if (listener->queue_last == child)
		listener->queue_last = before;
	child->listener = NULL;
	listener->pending--;
	stream_update(listener);
}

/* It was taken out of the queue's head, in vain. */
static void queue_put_back(struct stream *listener, struct stream *child)
{
	child->listener = listener;
	child->queue_next = listener->queue;
	listener->queue = child;
	if (!listener->queue_last)
		listener->queue_last = child;
	listener->pending++;
	stream_update(listener);
}

struct socket *stream_child(struct stream *listener, struct pipe *in, struct pipe *out)
{
	const struct socket *like = listener->s;
	struct socket *s;
	struct stream *st;

	if (socket_new(NULL, like->ops, like->family, like->type, like->protocol, like, &s))
		return NULL;
	st = stream_of(s);
	st->no_delay = listener->no_delay;
	st->max_segment = listener->max_segment;
	st->keep_idle = listener->keep_idle;
	st->keep_interval = listener->keep_interval;
	st->keep_count = listener->keep_count;
	st->user_timeout = listener->user_timeout;
	st->in = in;
	st->out = out;
	in->users++;
	out->users++;
	in->reader = st;
	out->writer = st;
	return s;
}

/* --- create, open, destroy ---------------------------------------------------------------- */

static int stream_create(struct net_request *r, struct socket *s)
{
	struct stream *st = calloc(1, sizeof *st);

	if (!st)
		return -ENOMEM;
	st->s = s;
	s->own = st;
	net_endpoint_any(s, &st->local);
	net_endpoint_any(s, &st->peer);
	st->keep_idle = 7200;
	st->keep_interval = 75;
	st->keep_count = 9;
	st->syn_count = 6;
	st->linger2 = 60;
	st->quick_ack = true;
	if (!r)
		return 0;	/* a listener's child: stream_child() does the rest */
	s->option.receive_buffer = RECEIVE_BUFFER;
	s->option.send_buffer = SEND_BUFFER;
	return 0;
}

static int stream_open(struct socket *s, uint32_t flags)
{
	struct stream *st = stream_of(s);
	int e = pipe_new(&st->in);

	if (!e)
		e = pipe_new(&st->out);
	if (e)
		return e;
	st->in->reader = st;
	st->out->writer = st;
	if (s->uid && pipe_memory_short(st->in))
		return -ENOBUFS;	/* what is left is for those that there are */
	stream_update(st);
	return socket_open(s, st->in->handle, st->out->handle, flags);
}

/* Nobody will accept the connections that wait: they are reset, as on Linux. */
static void listener_close(struct stream *st)
{
	struct stream *child;

	listener_forget(st);
	wire_unlisten(st);
	while ((child = defer_take(st)) || (child = st->queue)) {
		if (child->listener)
			stream_queue_remove(child);
		join_break(child);
		wire_abort(child);
		socket_close(child->s);
	}
	join_listener_gone(st);
}

static bool stream_destroy(struct socket *s)
{
	struct stream *st = stream_of(s);

	if (!st)
		return false;
	switch (st->state) {
	case STREAM_LISTENING:
		listener_close(st);
		break;
	case STREAM_CONNECTING:
		join_leave(st);
		wire_abort(st);
		break;
	case STREAM_CONNECTED:
		if (st->joined)
			join_close(st);
		else if (wire_close(st))
			return true;
		break;
	default:
		break;
	}
	stream_free(st);
	return false;
}

/* --- bind, listen ------------------------------------------------------------------------- */

/* Linux looks at the size first, then at the family; IPv6 streams take no IPv4 addresses. */
static int address_get(const struct socket *s, const struct net_sockaddr *a,
		       struct net_endpoint *out)
{
	if (s->family == LX_AF_INET6 && a->size >= 24 && a->family != LX_AF_INET6)
		return -EAFNOSUPPORT;
	if (s->family == LX_AF_INET6 && a->size < 24)
		return -EINVAL;
	return net_endpoint_get(s, a, out);
}

static int64_t stream_bind(struct net_request *r, const struct net_sockaddr *a)
{
	struct stream *st = stream_of(r->s);
	struct net_sockaddr any = *a;
	struct net_endpoint at;
	int e;

	if (r->s->family == LX_AF_INET && a->size >= sizeof a->in && a->family == LX_AF_UNSPEC &&
	    !a->in.address)
		any.family = LX_AF_INET;	/* old programs leave it out */
	e = address_get(r->s, &any, &at);
	if (e)
		return e;
	if (!net_address_bindable(&at.ip) && !r->s->option.free_bind)
		return -EADDRNOTAVAIL;
	if (at.port && at.port < 1024 && !net_capable(r, NET_CAP_BIND_SERVICE))
		return -EACCES;
	if (st->state != STREAM_IDLE || st->bound)
		return -EINVAL;
	st->local = at;
	e = port_take(st);
	st->port_given = !e;
	if (e)
		net_endpoint_any(r->s, &st->local);
	return e;
}

static int64_t stream_listen(struct net_request *r, int backlog)
{
	struct stream *st = stream_of(r->s);
	int e;

	if (st->state == STREAM_LISTENING) {
		st->backlog = backlog;
		join_room(st);
		listener_save(st);
		return 0;
	}
	if (st->state != STREAM_IDLE)
		return -EINVAL;
	if (!st->bound) {
		e = port_take(st);
		if (e)
			return e;
		st->port_given = true;
	}
	if (!port_may_listen(st))
		return -EADDRINUSE;
	st->backlog = backlog;
	e = wire_listen(st);
	if (e)
		return e;
	st->state = STREAM_LISTENING;
	st->connect_told = false;
	stream_update(st);
	listener_save(st);
	return 0;
}

int stream_restore(struct stream *st, int in, int out, int backlog)
{
	int e = pipe_adopt(in, &st->in);

	if (!e)
		e = pipe_adopt(out, &st->out);
	if (!e) {
		st->in->reader = st;
		st->out->writer = st;
		e = port_take(st);
	}
	st->backlog = backlog;
	if (!e)
		e = wire_listen(st);
	if (!e)
		st->state = STREAM_LISTENING;
	st->port_given = true;
	st->source = ~0u;	/* whatever the predecessor had set */
	stream_update(st);
	return e;
}

/* --- connect ------------------------------------------------------------------------------ */

/* What a connect that has ended finds: its error, once; a later one begins anew. */
static int64_t connect_outcome(struct net_request *r, struct stream *st)
{
	int e = socket_error_take(r->s);

	st->connect_told = false;
	if (st->state == STREAM_CONNECTED && !e)
		return 0;
	stream_update(st);
	return e ? e : -ECONNABORTED;
}

static int64_t connect_wait(struct net_request *r, struct stream *st, int begun)
{
	int64_t e;

	r->memo[0] = 1;
	e = net_wait(r, &r->s->writers, r->s->option.send_timeout);
	if (e != -EAGAIN)
		return e;
	st->connect_told = true;
	stream_update(st);
	return begun;
}

static void loopback_for_any(struct net_endpoint *e)
{
	if (!ip_addr_isany_val(e->ip))
		return;
	if (IP_IS_V4_VAL(e->ip))
		IP_ADDR4(&e->ip, 127, 0, 0, 1);
	else
		IP_ADDR6(&e->ip, 0, 0, 0, PP_HTONL(1));
}

static int connect_begin(struct stream *st)
{
	int e;

	loopback_for_any(&st->peer);
	if (ip_addr_ismulticast(&st->peer.ip) ||
	    (IP_IS_V4_VAL(st->peer.ip) && ip_2_ip4(&st->peer.ip)->addr == 0xffffffffu))
		return -ENETUNREACH;
	if (!ip_addr_isany_val(st->local.ip) &&
	    IP_GET_TYPE(&st->local.ip) != IP_GET_TYPE(&st->peer.ip))
		return -EINVAL;
	if (!st->bound) {
		e = port_take(st);
		if (e)
			return e == -EADDRINUSE ? -EADDRNOTAVAIL : e;
	}
	st->s->error = 0;
	st->state = STREAM_CONNECTING;
	st->joined = net_address_local(&st->peer.ip);
	e = st->joined ? join_connect(st) : wire_connect(st);
	if (e) {
		stream_failed(st, 0);
		return e;
	}
	stream_update(st);
	return 0;
}

/* AF_UNSPEC: whatever it was connected to hears of an RST. */
static int64_t disconnect(struct stream *st)
{
	if (st->state == STREAM_CONNECTED || st->state == STREAM_CONNECTING) {
		join_leave(st);
		join_break(st);
		wire_abort(st);
		if (st->state == STREAM_CONNECTING)
			stream_failed(st, 0);
		else
			stream_broken(st, 0);
	}
	return 0;
}

static int64_t stream_connect(struct net_request *r, const struct net_sockaddr *a)
{
	struct stream *st = stream_of(r->s);
	int e;

	if (a->size < sizeof a->family)
		return -EINVAL;
	if (a->family == LX_AF_UNSPEC)
		return disconnect(st);
	if (st->state == STREAM_CONNECTING)
		return connect_wait(r, st, r->memo[0] ? -EINPROGRESS : -EALREADY);
	if (r->memo[0] || st->connect_told)
		return connect_outcome(r, st);
	if (st->state != STREAM_IDLE)
		return -EISCONN;
	e = address_get(r->s, a, &st->peer);
	if (!e)
		e = connect_begin(st);
	if (e)
		return e;
	if (st->state != STREAM_CONNECTING && !r->nonblock)
		return connect_outcome(r, st);
	return connect_wait(r, st, -EINPROGRESS);
}

/* --- accept ------------------------------------------------------------------------------- */

static void accept_undo(void *arg, int error)
{
	*(int *)arg = error;
}

/*
 * The description could not be installed: its close must not reach the connection, which stays in
 * the queue.
 */
static int64_t accept_refused(struct stream *listener, struct stream *child)
{
	queue_put_back(listener, child);
	socket_renumber(child->s);
	child->s->opened = false;
	return NET_DONE;
}

static int64_t accept_child(struct net_request *r, struct stream *child, uint32_t flags)
{
	struct stream *listener = child->listener;
	int refused = 0;
	int h;

	stream_update(child);
	h = socket_open(child->s, child->in->handle, child->out->handle, flags);
	if (h < 0)
		return h;
	/* First, since who has the descriptor must not find the listener still ready. */
	stream_queue_remove(child);
	srv_answer(r->m->call, 0);
	srv_answer_install(h, flags & LX_SOCK_CLOEXEC ? K_INSTALL_CLOEXEC : 0, 0, 0);
	srv_answer_undo(accept_undo, &refused);
	srv_flush();
	if (refused)
		return accept_refused(listener, child);
	wire_accepted(child);
	join_room(listener);
	return NET_DONE;
}

static int64_t stream_accept(struct net_request *r, uint32_t flags, uint64_t address,
			     uint64_t size_at)
{
	struct stream *st = stream_of(r->s);
	struct net_sockaddr a;
	int64_t e;

	if (st->state != STREAM_LISTENING)
		return -EINVAL;
	if (!st->queue)
		return net_wait(r, &r->s->readers, r->s->option.receive_timeout);
	net_endpoint_put(r->s, &st->queue->peer, &a);
	e = net_sockaddr_write(r, address, size_at, &a);
	return e ? e : accept_child(r, st->queue, flags);
}

/* --- shutdown, names ---------------------------------------------------------------------- */

/*
 * A listener or a connect that has not ended is given up by SHUT_RD; everything else only notes it.
 */
static int64_t stream_shutdown(struct net_request *r, int how)
{
	struct stream *st = stream_of(r->s);

	if (st->state == STREAM_LISTENING) {
		if (how == LX_SHUT_WR)
			return 0;
		listener_close(st);
		st->state = STREAM_IDLE;
		stream_update(st);
		wake_all(st);
		return 0;
	}
	if (st->state == STREAM_CONNECTING)
		return disconnect(st);
	if (st->state == STREAM_IDLE || stream_finished(st))
		return -ENOTCONN;
	st->shut_read |= how != LX_SHUT_WR;
	if (how != LX_SHUT_RD && !st->shut_write) {
		st->shut_write = true;
		if (st->joined && st->other) {
			st->other->ended = true;
			pipe_hold(st->other->in);
			stream_update(st->other);
			wake_all(st->other);
			if (st->other->deferred_by)
				stream_touch(st->other);
		}
	}
	stream_update(st);
	wake_all(st);
	stream_touch(st);
	return 0;
}

static int64_t stream_name_of(struct net_request *r, bool peer, struct net_sockaddr *out)
{
	const struct stream *st = stream_of(r->s);

	if (peer && (st->state != STREAM_CONNECTED || stream_finished(st)))
		return -ENOTCONN;
	net_endpoint_put(r->s, peer ? &st->peer : &st->local, out);
	return 0;
}

const struct socket_ops socket_stream_ops = {
	.name = "tcp",
	.plane = K_PLANE_SOCKET,
	.create = stream_create,
	.open = stream_open,
	.destroy = stream_destroy,
	.bind = stream_bind,
	.connect = stream_connect,
	.listen = stream_listen,
	.accept = stream_accept,
	.shutdown = stream_shutdown,
	.name_of = stream_name_of,
	.send = stream_send,
	.recv = stream_recv,
	.linger = wire_linger,
	.sendfile = stream_sendfile,
	.set_option = stream_set_option,
	.get_option = stream_get_option,
	.option_changed = stream_option_changed,
	.ioctl = stream_ioctl,
	.error_changed = error_changed,
};
