/* SPDX-License-Identifier: MIT */
/*
 * Timers of the server loop, a binary heap by deadline; and clocks that cost no trap: the time
 * stamp counter, set right by the kernel's clock at least once a second. The loop gives the first
 * deadline to receive and calls srv_timer_run after each message, so that a server that is never
 * idle also sees its timers.
 */
#include "server.h"

#include <errno.h>
#include <stdlib.h>

#include "state.h"

#define RESYNC 1000000000ll

static STATE struct {
	struct srv_timer **heap;
	uint32_t used, room;
} timers;
#define T STATE_OF(timers)

static struct {
	uint64_t tsc;
	int64_t mono, offset;	/* at tsc; realtime - monotonic */
	uint64_t scale;		/* ns per tick << 32 */
} clock;

static uint64_t tsc_read(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

static void clock_sync(void)
{
	if (!clock.scale) {
		static struct k_system_info info;

		if (k_system_info(&info) < 0 || !info.tsc_hz)
			info.tsc_hz = 1000000000;
		clock.scale = (uint64_t)(((unsigned __int128)1000000000 << 32) / info.tsc_hz);
	}
	clock.mono = k_clock_get(0);
	clock.tsc = tsc_read();
	clock.offset = k_clock_get(1) - clock.mono;
}

int64_t srv_now(void)
{
	int64_t passed = (int64_t)((unsigned __int128)(tsc_read() - clock.tsc) * clock.scale >> 32);

	if (!clock.scale || passed > RESYNC || passed < 0) {
		clock_sync();
		return clock.mono;
	}
	return clock.mono + passed;
}

int64_t srv_realtime(void)
{
	int64_t now = srv_now();

	return now + clock.offset;
}

/* --- the heap ----------------------------------------------------------------------------- */

static void place(uint32_t i, struct srv_timer *t)
{
	T.heap[i] = t;
	t->index = i + 1;
}

static void sift_up(uint32_t i, struct srv_timer *t)
{
	while (i && T.heap[(i - 1) / 2]->deadline > t->deadline) {
		place(i, T.heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(i, t);
}

static void sift_down(uint32_t i, struct srv_timer *t)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child + 1 < T.used && T.heap[child + 1]->deadline < T.heap[child]->deadline)
			child++;
		if (child >= T.used || T.heap[child]->deadline >= t->deadline)
			break;
		place(i, T.heap[child]);
		i = child;
	}
	place(i, t);
}

static int heap_room(void)
{
	struct srv_timer **more;

	if (T.used < T.room)
		return 0;
	more = realloc(T.heap, (T.room ? 2 * T.room : 32) * sizeof *more);
	if (!more)
		return -ENOMEM;
	T.heap = more;
	T.room = T.room ? 2 * T.room : 32;
	return 0;
}

int srv_timer_set(struct srv_timer *t, int64_t deadline)
{
	int r;

	srv_timer_cancel(t);
	r = heap_room();
	if (r)
		return r;
	t->deadline = deadline;
	sift_up(T.used++, t);
	return 0;
}

uint32_t srv_timer_count(void)
{
	return T.used;
}

void srv_timer_cancel(struct srv_timer *t)
{
	uint32_t i = t->index - 1;
	struct srv_timer *last;

	if (!t->index)
		return;
	t->index = 0;
	last = T.heap[--T.used];
	if (last == t)
		return;
	if (i && T.heap[(i - 1) / 2]->deadline > last->deadline)
		sift_up(i, last);
	else
		sift_down(i, last);
}

int64_t srv_timer_next(void);
void srv_timer_run(void (*each)(void));

int64_t srv_timer_next(void)
{
	return T.used ? T.heap[0]->deadline : K_FOREVER;
}

/* `each` (may be NULL) runs after each one that was due: many may be, in the same moment. */
void srv_timer_run(void (*each)(void))
{
	if (!T.used || srv_now() < T.heap[0]->deadline)
		return;
	clock_sync();	/* the kernel's word counts: a timer must not fire early */
	while (T.used && T.heap[0]->deadline <= clock.mono) {
		struct srv_timer *t = T.heap[0];

		srv_timer_cancel(t);
		t->fn(t);
		if (each)
			each();
	}
}
