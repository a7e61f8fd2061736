/* SPDX-License-Identifier: MIT */
/*
 * Sending and receiving in all forms: arguments in, one attempt (stream.c, packet.c), and then an
 * answer or a place to wait.
 */
#include <errno.h>
#include <string.h>

#include "in.h"
#include "in_socket.h"
#include "message.h"

#define BROKEN_SIGNAL 13

static struct message message;

/* --- one message -------------------------------------------------------------------------- */

static int64_t send_once(struct request *r, struct socket *s, struct message *m)
{
	return socket_is_stream(s) ? stream_send(r, s, m) : packet_send(r, s, m);
}

static int64_t receive_once(struct request *r, struct socket *s, struct message *m)
{
	return socket_is_stream(s) ? stream_receive(r, s, m) : packet_receive(r, s, m);
}

static int64_t send_message(struct request *r, struct socket *s, struct message *m)
{
	int64_t e = send_once(r, s, m);

	if (e == -EAGAIN && !m->nonblock)
		return wait_park(r, m->wait_on, s->send_timeout, m->done);
	if (e == -EPIPE && socket_is_stream(s) && !(m->flags & LX_MSG_NOSIGNAL))
		return request_fail(r, EPIPE, BROKEN_SIGNAL);
	return e;
}

static int64_t receive_message(struct request *r, struct socket *s, struct message *m)
{
	int64_t e = receive_once(r, s, m);

	return e == -EAGAIN && !m->nonblock ?
		       wait_park(r, m->wait_on, s->receive_timeout, m->done) :
		       e;
}

int64_t socket_read(struct request *r, struct socket *s)
{
	int64_t e = 0;

	if (r->m->number == 17 || r->m->number == 295 ||
	    (r->m->number == 327 && (int64_t)request_arg(r, 3) != -1))
		return -ESPIPE;
	if (r->m->number == 0)
		message_plain(r, &message, request_arg(r, 1), request_arg(r, 2), 0);
	else
		e = message_vector(r, &message, request_arg(r, 1), request_arg(r, 2), 0);
	return e ? e : message.size ? receive_message(r, s, &message) : 0;
}

int64_t socket_write(struct request *r, struct socket *s)
{
	int64_t e = 0;

	if (r->m->number == 18 || r->m->number == 296 ||
	    (r->m->number == 328 && (int64_t)request_arg(r, 3) != -1))
		return -ESPIPE;
	if (r->m->number == 1)
		message_plain(r, &message, request_arg(r, 1), request_arg(r, 2), 0);
	else
		e = message_vector(r, &message, request_arg(r, 1), request_arg(r, 2), 0);
	return e ? e : send_message(r, s, &message);
}

int64_t socket_sendfile(struct request *r, struct socket *s)
{
	if (!socket_is_stream(s))
		return -EINVAL;
	if (s->shutdown & SHUT_SEND)
		return request_fail(r, EPIPE, BROKEN_SIGNAL);
	return s->state == SOCKET_CONNECTED ? 0 : -ENOTCONN;
}

int64_t in_sendto(struct request *r)
{
	struct socket *s;
	int64_t e = socket_file(r, &s);

	if (e)
		return e;
	message_plain(r, &message, request_arg(r, 1), request_arg(r, 2),
		      (uint32_t)request_arg(r, 3));
	message.name = request_arg(r, 4);
	message.name_size = message.name ? (uint32_t)request_arg(r, 5) : 0;
	if ((int32_t)message.name_size < 0)
		return -EINVAL;
	return send_message(r, s, &message);
}

int64_t in_recvfrom(struct request *r)
{
	struct socket *s;
	int32_t room;
	int64_t e = socket_file(r, &s);

	if (e)
		return e;
	message_plain(r, &message, request_arg(r, 1), request_arg(r, 2),
		      (uint32_t)request_arg(r, 3));
	message.name = request_arg(r, 4);
	message.name_size_at = request_arg(r, 5);
	if (message.name) {
		e = name_room(r, message.name_size_at, &room);
		if (e)
			return e;
		message.name_size = (uint32_t)room;
	}
	return receive_message(r, s, &message);
}

int64_t in_sendmsg(struct request *r)
{
	struct socket *s;
	int64_t e = socket_file(r, &s);

	if (!e)
		e = message_header(r, &message, request_arg(r, 1), (uint32_t)request_arg(r, 2));
	return e ? e : send_message(r, s, &message);
}

int64_t in_recvmsg(struct request *r)
{
	struct socket *s;
	int64_t e = socket_file(r, &s);

	if (!e)
		e = message_header(r, &message, request_arg(r, 1), (uint32_t)request_arg(r, 2));
	return e ? e : receive_message(r, s, &message);
}

/* --- many messages ------------------------------------------------------------------------ */

/*
 * `done` messages are finished and noted; each is an operation of its own. What a call that came
 * again has done already is in the socket's progress record.
 */
struct batch {
	struct socket *s;
	struct socket_progress *progress, *one;	/* one: of the message that is under way */
	uint64_t vector;
	uint32_t count, flags, done;
};

static int64_t batch_begin(struct request *r, struct batch *b, bool receive)
{
	int64_t e = socket_file(r, &b->s);

	if (e)
		return e;
	b->progress = receive ? &b->s->receiving_many : &b->s->sending_many;
	b->one = receive ? &b->s->receiving : &b->s->sending;
	b->vector = request_arg(r, 1);
	b->count =
		(uint32_t)request_arg(r, 2) < LX_IOV_MAX ? (uint32_t)request_arg(r, 2) : LX_IOV_MAX;
	b->flags = (uint32_t)request_arg(r, 3);
	b->done = (uint32_t)(b->progress->call == r->m->call ? b->progress->done :
							       (uint64_t)wait_done(r));
	return 0;
}

/* The message that is next. */
static int64_t batch_header(struct request *r, struct batch *b, uint32_t flags)
{
	int64_t e =
		message_header(r, &message, b->vector + b->done * sizeof(struct lx_mmsghdr), flags);

	message.batch = true;
	return e;
}

/* It went well: its size is told and it is noted. */
static int64_t batch_next(struct request *r, struct batch *b, int64_t size)
{
	uint32_t told = (uint32_t)size;
	int64_t e = k_caller_write(srv_endpoint(), r->m->call,
				   b->vector + b->done * sizeof(struct lx_mmsghdr) +
					   offsetof(struct lx_mmsghdr, size),
				   &told, sizeof told);

	if (e < 0)
		return e;
	b->done++;
	undo_save(b->progress, sizeof *b->progress);
	b->progress->call = r->m->call;
	b->progress->done = b->done;
	state_set(b->one->call, 0);
	node_commit();
	return 0;
}

int64_t in_sendmmsg(struct request *r)
{
	struct batch b;
	int64_t e = batch_begin(r, &b, false);

	if (e)
		return e;
	while (!e && b.done < b.count) {
		e = batch_header(r, &b, b.flags);
		if (!e)
			e = send_once(r, b.s, &message);
		if (e == -EAGAIN && message.done)
			e = message.done;	/* part of it went */
		if (e >= 0)
			e = batch_next(r, &b, e);
	}
	if (e == -K_REDELIVER || e == -ESRCH)
		return e;
	if (e == -EAGAIN && !message.nonblock)
		return wait_park(r, message.wait_on, b.s->send_timeout, b.done);
	if (e == -EPIPE && !b.done && socket_is_stream(b.s) && !(b.flags & LX_MSG_NOSIGNAL))
		return request_fail(r, EPIPE, BROKEN_SIGNAL);
	return b.done ? b.done : e;
}

static bool time_over(struct request *r, int64_t timeout)
{
	int64_t since = wait_since(r);

	return timeout >= 0 && srv_now() - since >= timeout;
}

/* recvmmsg's timeout: -1 none. It only ends the call between messages, as on Linux. */
static int64_t batch_timeout(struct request *r, int64_t *timeout)
{
	struct lx_timespec t;
	int64_t e;

	*timeout = -1;
	if (!request_arg(r, 4))
		return 0;
	e = k_caller_read(srv_endpoint(), r->m->call, &t, request_arg(r, 4), sizeof t);
	if (e < 0)
		return e;
	if (t.sec < 0 || t.nsec < 0 || t.nsec >= 1000000000)
		return -EINVAL;
	*timeout = t.sec < 1000000000 ? t.sec * 1000000000 + t.nsec : 1000000000ll * 1000000000;
	return 0;
}

int64_t in_recvmmsg(struct request *r)
{
	struct batch b;
	int64_t timeout, e = batch_begin(r, &b, true);
	bool over = false;

	if (!e)
		e = batch_timeout(r, &timeout);
	if (e)
		return e;
	while (!e && b.done < b.count && !over) {
		uint32_t flags = b.flags & ~LX_MSG_WAITFORONE;

		if (b.done && b.flags & LX_MSG_WAITFORONE)
			flags |= LX_MSG_DONTWAIT;
		e = batch_header(r, &b, flags);
		if (!e)
			e = receive_once(r, b.s, &message);
		if (e >= 0)
			e = batch_next(r, &b, e);
		over = b.done && time_over(r, timeout);
	}
	if (e == -K_REDELIVER || e == -ESRCH)
		return e;
	if (e == -EAGAIN && !message.nonblock)
		return wait_park(r, message.wait_on, b.s->receive_timeout, b.done);
	if (e < 0 && e != -EAGAIN && b.done) {
		state_set(b.s->error, (int32_t)-e);
		socket_changed(b.s, false);
	}
	return b.done ? b.done : e;
}
