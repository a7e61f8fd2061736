/* SPDX-License-Identifier: MIT */
/*
 * Clocks and sleeping. The vDSO answers most clock reads without a trap; these are for the rest and
 * for those who trap all the same. Clocks of other processes and threads are the process server's.
 */
#include "arch/vdso.h"
#include "core/ops.h"
#include "core/sched.h"
#include "data/linux.h"
#include "data/operation.h"
#include "lib/errno.h"
#include "mm/usercopy.h"

#define SECOND 1000000000

int64_t timespec_read(struct thread *t, uint64_t from, int64_t *ns)
{
	struct timespec s;
	int64_t r = user_read(t, &s, from, sizeof(s));

	if (r)
		return r;
	if (s.seconds < 0 || s.nanoseconds < 0 || s.nanoseconds >= SECOND)
		return -EINVAL;
	if (__builtin_mul_overflow(s.seconds, SECOND, ns) ||
	    __builtin_add_overflow(*ns, s.nanoseconds, ns))
		*ns = INT64_MAX;
	return 0;
}

int64_t deadline_after(int64_t ns)
{
	int64_t deadline;

	return __builtin_add_overflow(time_now(), ns, &deadline) ? K_FOREVER - 1 : deadline;
}

int64_t deadline_at(int64_t ns, bool realtime)
{
	if (ns == INT64_MAX)
		return K_FOREVER - 1;
	if (realtime)
		ns -= (int64_t)time_realtime_offset();
	return ns > 0 ? ns : 1;
}

/* --- reading clocks ----------------------------------------------------------------------- */

static uint64_t thread_cpu(struct thread *t)
{
	uint64_t user, system;

	sched_thread_time(t, &user, &system);
	return user + system;
}

static uint64_t task_cpu(struct task *task)
{
	uint64_t ns = task->dead_user_ns + task->dead_system_ns;

	list_for(it, &task->threads)
		ns += thread_cpu(container_of(it, struct thread, task_link));
	return ns;
}

/* 0; EINVAL; OP_DECLINE: not a clock of the kernel's. */
static int64_t clock_now(struct thread *t, int32_t clock, int64_t *ns)
{
	if (clock < 0)
		return op_decline(t, 0);
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:		/* no leap seconds are known: the same */
		*ns = time_now() + (int64_t)time_realtime_offset();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:	/* the machine never sleeps */
	case CLOCK_BOOTTIME_ALARM:
		*ns = time_now();
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = (int64_t)thread_cpu(t);
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*ns = (int64_t)task_cpu(t->task);
		return 0;
	default:
		return -EINVAL;
	}
}

static int64_t timespec_write(struct thread *t, uint64_t to, int64_t ns)
{
	struct timespec s = { ns / SECOND, ns % SECOND };

	return user_write(t, to, &s, sizeof(s));
}

int64_t op_clock_gettime(struct thread *t, const uint64_t *arg)
{
	int64_t ns, r = clock_now(t, (int32_t)arg[0], &ns);

	return r ? r : timespec_write(t, arg[1], ns);
}

int64_t op_clock_getres(struct thread *t, const uint64_t *arg)
{
	int32_t clock = (int32_t)arg[0];
	bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
	int64_t ns, r = clock_now(t, clock, &ns);

	if (r || !arg[1])
		return r;
	return timespec_write(t, arg[1], coarse ? (int64_t)arch_vvar_page->coarse_ns : 1);
}

int64_t op_gettimeofday(struct thread *t, const uint64_t *arg)
{
	int64_t ns = time_now() + (int64_t)time_realtime_offset();
	struct timeval v = { ns / SECOND, ns % SECOND / 1000 };
	static const uint64_t no_zone;
	int64_t r = arg[0] ? user_write(t, arg[0], &v, sizeof(v)) : 0;

	if (!r && arg[1])
		r = user_write(t, arg[1], &no_zone, sizeof(no_zone));
	return r;
}

int64_t op_time(struct thread *t, const uint64_t *arg)
{
	int64_t s = (time_now() + (int64_t)time_realtime_offset()) / SECOND;
	int64_t r = arg[0] ? user_write(t, arg[0], &s, sizeof(s)) : 0;

	return r ? r : s;
}

/* --- sleeping ----------------------------------------------------------------------------- */

static void no_queue(struct thread *t)
{
	(void)t;	/* only the timer or an event ends this wait */
}

/* Interrupted: what is left of a relative sleep goes to `remain`. */
static int64_t sleep_interrupted(struct thread *t, uint64_t remain, int class)
{
	int64_t left = t->progress.deadline - time_now();
	int64_t r = 0;

	if (left <= 0)
		return 0;
	if (remain)
		r = timespec_write(t, remain, left);
	if (op_result_is_special(r))
		return r;
	t->progress.interrupted = false;
	return r ? r : -class;
}

/* remain 0: not wanted, or the sleep is absolute. */
static int64_t sleep_until(struct thread *t, int64_t deadline, uint64_t remain, int class)
{
	struct progress *p = &t->progress;

	if (!p->active) {
		p->active = true;
		p->finish_on_interrupt = true;
		p->deadline = deadline;
	}
	if (p->interrupted)
		return sleep_interrupted(t, remain, class);
	if (time_now() >= p->deadline)
		return 0;
	return wait_custom(t, K_WAIT_SLEEP, class, no_queue);
}

int64_t op_nanosleep(struct thread *t, const uint64_t *arg)
{
	int64_t ns = 0, r = t->progress.active ? 0 : timespec_read(t, arg[0], &ns);

	return r ? r : sleep_until(t, deadline_after(ns), arg[1], K_RESTART_BLOCK);
}

/* 0: sleeping by this clock is done here. */
static int64_t sleep_clock_check(struct thread *t, int32_t clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	default:
		return clock > CLOCK_TAI || clock == 10 ? -EINVAL : op_decline(t, 0);
	}
}

int64_t op_clock_nanosleep(struct thread *t, const uint64_t *arg)
{
	int32_t clock = (int32_t)arg[0];
	bool absolute = (uint32_t)arg[1] & TIMER_ABSTIME;
	bool realtime = clock == CLOCK_REALTIME || clock == CLOCK_TAI;
	int64_t ns = 0, r = sleep_clock_check(t, clock);

	if (!r && !t->progress.active)
		r = timespec_read(t, arg[2], &ns);
	if (r)
		return r;
	if (absolute)
		return sleep_until(t, deadline_at(ns, realtime), 0, K_RESTART_NOHAND);
	return sleep_until(t, deadline_after(ns), arg[3], K_RESTART_BLOCK);
}

int64_t op_pause_forever(struct thread *t, const uint64_t *arg)
{
	(void)arg;
	return wait_custom(t, K_WAIT_SLEEP, K_RESTART_NOHAND, no_queue);
}
