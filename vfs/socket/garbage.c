/* SPDX-License-Identifier: MIT */
/*
 * Sockets that are reachable only through descriptors which lie in their own queues, in circles:
 * nobody will ever close them.
 *
 * A socket is alive if its description has references that are not on their way, or if it lies in
 * the queue of a live one (or waits to be accepted by one). All others are on their way only to
 * themselves: their queues are emptied, and with the handles the kernel closes the sockets. The
 * kernel does not tell when a socket's last descriptor outside goes, so while sockets are on their
 * way we look from time to time.
 */
#include <stdlib.h>

#include "socket.h"

#define PERIOD 1000000000ll
#define MANY 256u
#define PAUSE 100000000ll	/* between collections when many are on their way */

bool garbage_suspected;

static struct socket **stack;	/* marked, their queues not yet looked through */
static size_t depth, room;
static bool failed;

static void mark(struct socket *s)
{
	if (!s || s->marked)
		return;
	if (depth == room) {
		size_t more = room ? 2 * room : 64;
		struct socket **to = realloc(stack, more * sizeof *to);

		if (!to) {
			failed = true;
			return;
		}
		stack = to;
		room = more;
	}
	s->marked = true;
	stack[depth++] = s;
}

static void mark_queue(const struct socket *s)
{
	if (!s->in)
		return;
	for (struct parcel *p = s->in->first; p; p = p->next) {
		for (uint32_t i = 0; i < p->right_count; i++) {
			if (p->right[i].socket)
				mark(socket_find(p->right[i].socket));
		}
	}
}

/* Counts the descriptors of sockets that lie in its queue. */
static void count_queue(struct socket *s)
{
	if (!s->in)
		return;
	for (struct parcel *p = s->in->first; p; p = p->next) {
		for (uint32_t i = 0; i < p->right_count; i++) {
			struct socket *to =
				p->right[i].socket ? socket_find(p->right[i].socket) : NULL;

			if (!to)
				continue;
			to->travelling++;
			to->sample = p->right[i].handle;
		}
	}
}

/* Does the kernel know of references beside those on their way? */
static void mark_root(struct socket *s)
{
	struct k_handle_info info;

	if (s->listener || s->state == SOCKET_DEAD)
		return;		/* it hangs on its listener; it is gone already */
	if (!s->travelling || k_handle_info(s->sample, &info) < 0 ||
	    info.references > s->travelling)
		mark(s);
}

static void unmark(struct socket *s)
{
	s->marked = false;	/* (not state: no undo) */
	s->travelling = 0;
}

static uint64_t victim;

static void choose(struct socket *s)
{
	if (!victim && !s->marked && s->state != SOCKET_DEAD && s->in && s->in->first)
		victim = s->number;
}

void garbage_collect(void)
{
	static int64_t last;
	int64_t now = srv_now();

	garbage_suspected = false;
	if (!vfs->sockets->inflight_sockets ||
	    (vfs->sockets->inflight_sockets > MANY && now - last < PAUSE))
		return;		/* none; or garbage_watch() will see to it */
	last = now;
	failed = false;
	depth = 0;
	socket_each(unmark);
	socket_each(count_queue);
	socket_each(mark_root);
	while (depth) {
		struct socket *s = stack[--depth];

		mark_queue(s);
		for (struct socket *child = s->first; child; child = child->next)
			mark(child);
	}
	if (failed)
		return;
	do {
		struct socket *s;

		victim = 0;
		socket_each(choose);
		s = victim ? socket_find(victim) : NULL;
		while (s && s->in->first) {
			parcel_drop_first(s->in);
			node_commit();
		}
	} while (victim);
	garbage_suspected = false;
}

static void look_again(struct srv_timer *t)
{
	(void)t;
	garbage_suspected = true;
	ready_settle();
}

void garbage_watch(void)
{
	static struct srv_timer timer = { .fn = look_again };

	if (vfs->sockets->inflight_sockets && !timer.index)
		srv_timer_set(&timer, srv_now() + PERIOD);
}
