/* SPDX-License-Identifier: MIT */
/*
 * Connections between two sockets of this machine. The accepted socket gets the two pipes of the
 * connecting one, swapped; from then on only the kernel moves bytes. What remains for us are
 * beginning and end:
 *
 *	shutdown(SHUT_WR)	the other one `ended`: his reads come to us when the pipe is empty
 *				(stream_recv)
 *	close			the other one ended; what he still writes is dropped, and then his
 *				writes give EPIPE
 *	close, data unread	the other one is reset: ECONNRESET once, then end of file and EPIPE
 */
#include <errno.h>

#include "stream.h"

#define CONNECT_TIME (127 * 1000000000ll)	/* what Linux's retries of a SYN come to */

/* The address that a connection to this one of our own comes from. */
static void source_choose(struct stream *st)
{
	if (!ip_addr_isany_val(st->local.ip))
		return;
	if (IP_IS_V4_VAL(st->peer.ip) && ip_addr_isloopback(&st->peer.ip))
		IP_ADDR4(&st->local.ip, 127, 0, 0, 1);
	else
		st->local.ip = st->peer.ip;
}

static void join(struct stream *st, struct stream *listener)
{
	struct socket *s = stream_child(listener, st->out, st->in);
	struct stream *child;

	if (!s) {
		stream_failed(st, ECONNREFUSED);
		return;
	}
	child = stream_of(s);
	child->local = st->peer;
	child->peer = st->local;
	port_share(child);
	child->joined = true;
	child->other = st;
	st->other = child;
	stream_connected(child);
	stream_connected(st);
	defer_begin(listener, child);
}

/* --- waiting for room in the listener's queue --------------------------------------------- */

void join_leave(struct stream *st)
{
	struct stream *listener = st->listener, **at, *before = NULL;

	if (!listener || st->state != STREAM_CONNECTING)
		return;
	for (at = &listener->waiting; *at != st; at = &before->waiting_next)
		before = *at;
	*at = st->waiting_next;
	if (listener->waiting_last == st)
		listener->waiting_last = before;
	st->listener = NULL;
	srv_timer_cancel(&st->timer);
}

static void waited_enough(struct srv_timer *t)
{
	struct stream *st = t->arg;

	join_leave(st);
	stream_failed(st, ETIMEDOUT);
}

static void wait_in(struct stream *st, struct stream *listener)
{
	st->listener = listener;
	st->waiting_next = NULL;
	*(listener->waiting_last ? &listener->waiting_last->waiting_next : &listener->waiting) = st;
	listener->waiting_last = st;
	st->timer.fn = waited_enough;
	st->timer.arg = st;
	srv_timer_set(&st->timer, srv_now() + CONNECT_TIME);
}

void join_room(struct stream *listener)
{
	struct stream *st;

	while ((st = listener->waiting) && !stream_queue_full(listener)) {
		join_leave(st);
		join(st, listener);
	}
}

void join_listener_gone(struct stream *listener)
{
	struct stream *st;

	while ((st = listener->waiting)) {
		join_leave(st);
		stream_failed(st, ECONNREFUSED);
	}
}

/* --- beginning, end ----------------------------------------------------------------------- */

int join_connect(struct stream *st)
{
	struct stream *listener = port_listener(&st->peer);

	source_choose(st);
	if (!listener)
		stream_failed(st, ECONNREFUSED);
	else if (stream_queue_full(listener))
		wait_in(st, listener);
	else
		join(st, listener);
	return 0;
}

void join_break(struct stream *st)
{
	struct stream *other = st->other;

	if (!other)
		return;
	st->other = other->other = NULL;
	stream_broken(other, ECONNRESET);
}

void join_close(struct stream *st)
{
	struct stream *other = st->other;

	if (!other)
		return;
	if (pipe_bytes(st->in) || (st->s->option.linger && !st->s->option.linger_seconds)) {
		join_break(st);
		return;
	}
	st->other = other->other = NULL;
	other->ended = true;
	pipe_hold(other->in);
	stream_touch(other);
}

/* Nobody is on the other side any more: what comes is answered as an RST would. */
static void watch_for_write(struct stream *st)
{
	if (!pipe_bytes(st->out)) {
		pipe_arm(st->out, K_PIPE_DATA);
		return;
	}
	pipe_drop(st->out);
	stream_broken(st, EPIPE);
}

void join_run(struct stream *st)
{
	if (st->state == STREAM_CONNECTED && !st->other && !st->reset)
		watch_for_write(st);
	stream_update(st);
	net_wake(&st->s->readers);
	net_wake(&st->s->writers);
}
