/* SPDX-License-Identifier: MIT */
/*
 * Deadlines of threads. One heap for the machine; the scheduler programs the hardware's one-shot
 * timer from timer_next(), and hears of a new earliest deadline through sched_timer_changed(). No
 * tick, no allocation.
 */
#ifndef TROUPE_CORE_TIMER_H
#define TROUPE_CORE_TIMER_H

#include "core/thread.h"

void timer_init(struct thread *t);
/*
 * At `deadline` (absolute monotonic ns) t is woken, if it is still blocked. Replaces an earlier
 * deadline of t.
 */
RARELY void timer_arm(struct thread *t, int64_t deadline);
RARELY void timer_remove(struct thread *t);	/* one that is armed */
static inline void timer_disarm(struct thread *t)
{
	if (!list_empty(&t->timer_link))
		timer_remove(t);
}
/* Wakes everyone whose deadline has come. */
void timer_expire(int64_t now);
/* The earliest deadline, K_FOREVER: none. */
int64_t timer_next(void);

#endif
