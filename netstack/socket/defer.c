/* SPDX-License-Identifier: MIT */
/*
 * TCP_DEFER_ACCEPT: a connection whose other side says nothing is not for the listener's program to
 * see.
 *
 * It is made like any other, but comes into the queue only when there is something to read, an end,
 * too, or when the time is over, whichever is first. One that is reset before goes without anybody
 * having heard of it.
 */
#include "stream.h"

#define SECOND 1000000000ll
/* Of a listener; then it takes no more connections until one of these speaks */
#define DEFERRED_MOST 256u

/* Linux counts in repeated requests: 1, 3, 7, ... seconds. */
int32_t defer_seconds(int32_t n)
{
	int32_t all = 1;

	while (n > all && all < INT16_MAX)
		all = all * 2 + 1;
	return n > 0 ? all : 0;
}

bool defer_full(const struct stream *listener)
{
	return listener->deferred_count >= DEFERRED_MOST;
}

static void leave(struct stream *child)
{
	struct stream *listener = child->deferred_by, **at = &listener->deferred;

	while (*at != child)
		at = &(*at)->deferred_next;
	*at = child->deferred_next;
	listener->deferred_count--;
	child->deferred_by = NULL;
	srv_timer_cancel(&child->defer_timer);
}

static void waited_enough(struct srv_timer *t)
{
	struct stream *child = t->arg, *listener = child->deferred_by;

	leave(child);
	stream_queue_add(listener, child);
	join_room(listener);
}

void defer_begin(struct stream *listener, struct stream *child)
{
	child->defer_timer.fn = waited_enough;
	child->defer_timer.arg = child;
	if (!listener->defer_accept ||
	    srv_timer_set(&child->defer_timer, srv_now() + listener->defer_accept * SECOND)) {
		stream_queue_add(listener, child);
		return;
	}
	child->deferred_by = listener;
	child->deferred_next = listener->deferred;
	listener->deferred = child;
	listener->deferred_count++;
	pipe_arm(child->in, K_PIPE_DATA);
}

bool defer_run(struct stream *child)
{
	struct stream *listener = child->deferred_by;

	if (!listener)
		return true;
	if (child->state == STREAM_OVER) {
		leave(child);
		socket_close(child->s);
		join_room(listener);
		return false;
	}
	if (child->ended || pipe_bytes(child->in)) {
		leave(child);
		stream_queue_add(listener, child);
		join_room(listener);
	} else {
		pipe_arm(child->in, K_PIPE_DATA);
	}
	return true;
}

struct stream *defer_take(struct stream *listener)
{
	struct stream *child = listener->deferred;

	if (child)
		leave(child);
	return child;
}
