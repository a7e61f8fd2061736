/* SPDX-License-Identifier: MIT */
/*
 * Pipes from their server's side: a server is an end of a pipe without a description. It holds
 * ends, moves bytes between the pipe and its own memory, and is told once when what it has armed
 * the pipe for holds.
 *
 * The binding, the held ends and the notice lie in the pipe, so they survive the server. The
 * invariants: a queued notice is of the last pipe_arm(), which is over then (`armed` is 0); and
 * without an endpoint nothing is armed.
 */
#include "data/pipe_priv.h"
#include "core/endpoint.h"
#include "data/operation.h"
#include "data/uio.h"
#include "lib/errno.h"
#include "mm/frame.h"

#define ENDS (K_PIPE_READER | K_PIPE_WRITER)
#define EVENTS (K_PIPE_DATA | K_PIPE_ROOM | K_PIPE_NO_READERS | K_PIPE_NO_WRITERS)

/* --- notices ------------------------------------------------------------------------------ */

static uint32_t events_now(const struct pipe *p)
{
	return (p->head != p->tail ? K_PIPE_DATA : 0) |
	       (pipe_room(p) >= pipe_capacity_now(p) / 2 ? K_PIPE_ROOM : 0) |
	       (p->readers ? 0 : K_PIPE_NO_READERS) | (p->writers ? 0 : K_PIPE_NO_WRITERS);
}

void pipe_notice_fill(struct notice *n, struct k_message *m)
{
	struct pipe *p = container_of(n, struct pipe, notice);

	m->kind = K_MSG_PIPE;
	m->cookie = p->cookie;
	m->extra[0] = events_now(p);
}

void pipe_fire(struct pipe *p)
{
	if (!(events_now(p) & p->armed))
		return;
	p->armed = 0;
	endpoint_notify(p->endpoint, &p->notice);
}

void pipe_bind(struct pipe *p, struct endpoint *e, uint64_t cookie)
{
	struct endpoint *old = p->endpoint;

	notice_cancel(&p->notice);
	p->armed = 0;
	p->endpoint = e;
	p->cookie = cookie;
	if (e)
		object_get(&e->object);
	if (old)
		object_put(&old->object);
}

int pipe_arm(struct pipe *p, uint32_t events)
{
	if (events & ~EVENTS || (events && !p->endpoint))
		return -EINVAL;
	notice_cancel(&p->notice);
	p->armed = events;
	pipe_fire(p);
	return 0;
}

/* --- ends --------------------------------------------------------------------------------- */

int pipe_hold(struct pipe *p, uint32_t ends)
{
	uint32_t come = ends & ~p->held, gone = p->held & ~ends;

	if (ends & ~ENDS)
		return -EINVAL;
	p->held = ends;
	if (come)
		pipe_open(p, come & K_PIPE_READER, come & K_PIPE_WRITER);
	if (gone)
		pipe_close(p, gone & K_PIPE_READER, gone & K_PIPE_WRITER);
	return 0;
}

void pipe_info(const struct pipe *p, struct k_pipe_info *out)
{
	*out = (struct k_pipe_info){ .bytes = pipe_bytes(p),
				     .room = pipe_room(p),
				     .capacity = pipe_capacity(p),
				     .readers = p->readers,
				     .writers = p->writers,
				     .put = p->before + p->tail,
				     .taken = p->before + p->head };
}

/* --- bytes -------------------------------------------------------------------------------- */

/* What a run that ended with r gives: what has been moved by all runs, if it is over. */
static int64_t outcome(const struct thread *t, int64_t r)
{
	return op_result_is_special(r) || !t->progress.done ? r : (int64_t)t->progress.done;
}

/* Bytes from position `at` on to u, or to nowhere; they stay where they are. */
static int64_t copy_out(struct pipe *p, struct thread *t, struct uio *u, uint64_t at)
{
	while (u->size && at < p->tail) {
		uint64_t n = smaller(smaller(u->size, p->tail - at), PAGE_SIZE - (at & PAGE_MASK));
		int64_t r = uio_put(u, t, pipe_at(p, at), n);

		if (r)
			return r;
		at += n;
		t->progress.done += n;
	}
	return 0;
}

/* The first packet, or as much of it as is wanted. */
static int64_t copy_packet(struct pipe *p, struct thread *t, struct uio *u)
{
	uint64_t n = smaller(u->size, pipe_packet(p));
	int64_t r = uio_put(u, t, pipe_at(p, p->head), n);

	t->progress.done += r ? 0 : n;
	return r;
}

static int64_t peek(struct pipe *p, struct thread *t, struct uio *u, uint64_t skip)
{
	uint64_t at = p->head + skip + t->progress.done;

	return outcome(t, p->length ? copy_packet(p, t, u) : copy_out(p, t, u, at));
}

/* How many bytes there are beyond `skip`; with packets, in the first. */
static uint64_t available(const struct pipe *p, uint64_t skip)
{
	uint64_t bytes = p->head == p->tail ? 0 : p->length ? pipe_packet(p) : p->tail - p->head;

	return bytes > skip ? bytes - skip : 0;
}

int64_t pipe_server_read(struct pipe *p, struct thread *t, uint64_t to, uint64_t n, uint32_t flags,
			 uint64_t skip)
{
	struct segment s = { to, n };
	struct uio u = { .segment = &s, .size = n };

	if (flags > K_PIPE_AT || (skip && (p->length || !flags)))
		return -EINVAL;
	if (flags & K_PIPE_AT) {
		if (p->before + p->head != skip + t->progress.done)
			return outcome(t, -EAGAIN);
		skip = 0;
	}
	if (!n)
		return 0;
	if (!available(p, skip))
		return outcome(t, p->writers ? -EAGAIN : 0);
	if (!to)
		return (int64_t)(flags & K_PIPE_PEEK ? smaller(n, available(p, skip)) :
						       pipe_drop(p, n));
	uio_skip(&u, t->progress.done);
	if (flags & K_PIPE_PEEK)
		return peek(p, t, &u, skip);
	return outcome(t, pipe_take(p, t, &u, &t->progress.done));
}

int64_t pipe_server_write(struct pipe *p, struct thread *t, uint64_t from, uint64_t n)
{
	struct segment s = { from, n };
	struct uio u = { .segment = &s, .size = n };

	uio_skip(&u, t->progress.done);
	return u.size ? outcome(t, pipe_put(p, t, &u, false, &t->progress.done)) : (int64_t)n;
}
