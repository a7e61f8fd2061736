/*
 * Timers of processes.
 *
 * Real-time timers sit in the server's own timer heap. CPU-time timers and RLIMIT_CPU use one event
 * per thread in the kernel, at the earliest moment when the process could reach its next mark; the
 * thread then visits and the marks are looked at.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/time/timers.h"

#include <errno.h>
#include <stdlib.h>

#include "posix/proc/caller.h"
#include "posix/proc/cred.h"
#include "posix/proc/exit.h"
#include "posix/signal/signal.h"

/* --- ITIMER_REAL ------------------------------------------------------------------------------ */

/*
 * One that is periodic goes on when its signal is taken: nobody can have it run faster than that.
 */
static void real_fired(struct srv_timer *timer)
{
	signal_process_kernel(timer->arg, LX_SIGALRM);
}

void timers_alarm_taken(struct process *p)
{
	int64_t now = srv_now(), next = p->real_timer.deadline + p->real_interval;

	if (!p->real_interval || p->real_timer.index)
		return;
	if (next <= now)
		next += ((now - next) / p->real_interval + 1) * p->real_interval;
	srv_timer_set(&p->real_timer, next);
}

static void real_set(struct process *p, int64_t value, int64_t interval)
{
	srv_timer_cancel(&p->real_timer);
	p->real_interval = interval;
	p->real_timer.fn = real_fired;
	p->real_timer.arg = p;
	if (value)
		srv_timer_set(&p->real_timer, srv_now() + value);
}

static int64_t real_left(const struct process *p)
{
	int64_t left;

	if (!p->real_timer.index)
		return 0;
	left = p->real_timer.deadline - srv_now();
	return left > 0 ? left : 1000;
}

void in_alarm(const struct k_message *m)
{
	struct process *p = thread_of(m)->process;
	int64_t left = real_left(p);

	real_set(p, (int64_t)(uint32_t)m->arg[0] * NS_PER_SEC, 0);
	/* a rest below a second is not zero: that would say that no alarm was set */
	srv_answer(m->call, left && left < NS_PER_SEC ? 1 : (left + NS_PER_SEC / 2) / NS_PER_SEC);
}

/* --- CPU time --------------------------------------------------------------------------------- */

void process_cpu(struct process *p, uint64_t *user, uint64_t *system)
{
	struct k_task_info info;

	*user = *system = 0;
	if (p->task < 0 || k_task_info(p->task, &info) < 0)
		return;
	*user = info.user_ns;
	*system = info.system_ns;
}

/* The next moment, in the process's CPU time, when something is due; 0 none. */
static int64_t cpu_next(const struct process *p, uint64_t user, uint64_t system)
{
	uint64_t limit = p->limit[LX_RLIMIT_CPU].soft;
	int64_t next = INT64_MAX;

	if (p->virtual_timer.expires)
		next = p->virtual_timer.expires + (int64_t)system;
	if (p->prof_timer.expires && p->prof_timer.expires < next)
		next = p->prof_timer.expires;
	if (limit != LX_RLIM_INFINITY && limit < INT64_MAX / NS_PER_SEC) {
		int64_t at = (int64_t)limit * NS_PER_SEC;

		/* beyond the soft limit SIGXCPU comes each second */
		while (at <= (int64_t)(user + system))
			at += NS_PER_SEC;
		if (at < next)
			next = at;
	}
	return next == INT64_MAX ? 0 : next;
}

/* Each thread may use what is left divided by their number before somebody has to look again. */
void timers_cpu_arm(struct process *p)
{
	uint64_t user, system;
	int64_t left;

	if (!p->cpu_next && !p->virtual_timer.expires && !p->prof_timer.expires &&
	    p->limit[LX_RLIMIT_CPU].soft == LX_RLIM_INFINITY)
		return;
	process_cpu(p, &user, &system);
	p->cpu_next = cpu_next(p, user, system);
	left = p->cpu_next ? p->cpu_next - (int64_t)(user + system) : 0;
	if (left <= 0 && p->cpu_next)
		left = 1;
	list_for(l, &p->threads) {
		struct thread *t = container_of(l, struct thread, link);
		struct k_thread_info info;

		if (k_thread_info(t->handle, &info) < 0)
			continue;
		k_thread_set(t->handle, K_THREAD_SET_EVENT_CPU,
			     p->cpu_next ? info.user_ns + info.system_ns +
						   (uint64_t)left / p->thread_count + 1 :
					   0);
	}
}

static void cpu_timer_fire(struct process *p, struct cpu_timer *t, uint64_t now, int sig)
{
	if (!t->expires || (int64_t)now < t->expires)
		return;
	t->expires = t->interval ? (int64_t)now + t->interval : 0;
	signal_process_kernel(p, sig);
}

void timers_cpu_check(struct process *p)
{
	uint64_t user, system, all;
	const struct lx_rlimit *limit = &p->limit[LX_RLIMIT_CPU];
	int64_t before = p->cpu_next;

	if (!before)
		return;
	process_cpu(p, &user, &system);
	all = user + system;
	if ((int64_t)all < before) {
		timers_cpu_arm(p);
		return;
	}
	cpu_timer_fire(p, &p->virtual_timer, user, LX_SIGVTALRM);
	cpu_timer_fire(p, &p->prof_timer, all, LX_SIGPROF);
	if (limit->hard != LX_RLIM_INFINITY && all / NS_PER_SEC >= limit->hard)
		signal_process_kernel(p, LX_SIGKILL);
	else if (limit->soft != LX_RLIM_INFINITY && all / NS_PER_SEC >= limit->soft)
		signal_process_kernel(p, LX_SIGXCPU);
	timers_cpu_arm(p);
}

/* --- getitimer, setitimer --------------------------------------------------------------------- */

enum { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };

static void split(int64_t ns, int64_t *sec, int64_t *usec)
{
	*sec = ns / NS_PER_SEC;
	*usec = ns % NS_PER_SEC / 1000;
}

static struct cpu_timer *cpu_timer_of(struct process *p, int which)
{
	return which == ITIMER_VIRTUAL ? &p->virtual_timer : &p->prof_timer;
}

static int64_t cpu_of(struct process *p, int which)
{
	uint64_t user, system;

	process_cpu(p, &user, &system);
	return (int64_t)(which == ITIMER_VIRTUAL ? user : user + system);
}

static struct lx_itimerval itimer_get(struct process *p, int which)
{
	struct lx_itimerval v;
	int64_t left, interval;

	if (which == ITIMER_REAL) {
		left = real_left(p);
		interval = p->real_interval;
	} else {
		struct cpu_timer *t = cpu_timer_of(p, which);

		left = t->expires ? t->expires - cpu_of(p, which) : 0;
		if (t->expires && left <= 0)
			left = 1000;
		interval = t->interval;
	}
	split(left, &v.value_sec, &v.value_usec);
	split(interval, &v.interval_sec, &v.interval_usec);
	return v;
}

static int itimer_ns(int64_t sec, int64_t usec, int64_t *ns)
{
	if (sec < 0 || usec < 0 || usec >= 1000000)
		return -EINVAL;
	*ns = sec > 1000000000 ? 1000000000 * NS_PER_SEC : sec * NS_PER_SEC + usec * 1000;
	return 0;
}

static void itimer_set(struct process *p, int which, int64_t value, int64_t interval)
{
	struct cpu_timer *t;

	if (which == ITIMER_REAL) {
		real_set(p, value, interval);
		return;
	}
	t = cpu_timer_of(p, which);
	t->expires = value ? cpu_of(p, which) + value : 0;
	t->interval = interval;
	timers_cpu_arm(p);
}

void in_getitimer(const struct k_message *m)
{
	struct lx_itimerval v;

	if (m->arg[0] > ITIMER_PROF) {
		srv_answer(m->call, -EINVAL);
		return;
	}
	v = itimer_get(thread_of(m)->process, (int)m->arg[0]);
	caller_answer(m, caller_write(m, m->arg[1], &v, sizeof v));
}

void in_setitimer(const struct k_message *m)
{
	struct process *p = thread_of(m)->process;
	struct lx_itimerval v = { 0 }, old;
	int64_t value = 0, interval = 0;
	int r = m->arg[0] > ITIMER_PROF ? -EINVAL :
		m->arg[1]               ? caller_read(m, &v, m->arg[1], sizeof v) :
					  0;

	if (!r)
		r = itimer_ns(v.value_sec, v.value_usec, &value);
	if (!r)
		r = itimer_ns(v.interval_sec, v.interval_usec, &interval);
	if (!r && m->arg[2]) {
		old = itimer_get(p, (int)m->arg[0]);
		r = caller_write(m, m->arg[2], &old, sizeof old);
	}
	if (!r)
		itimer_set(p, (int)m->arg[0], value, interval);
	caller_answer(m, r);
}

/* --- timer_create ----------------------------------------------------------------------------- */

#define SIGEV_SIGNAL 0
#define SIGEV_NONE 1
#define SIGEV_THREAD_ID 4
#define OVERRUN_MAX 0x7fffffff

/*
 * One that has fired waits until its signal is taken, and then goes on with the next moment of its
 * period that is not over; what it left out are its overruns. One whose signal was ignored or
 * thrown away waits until the signal is heeded. One without a signal is never set: its time is
 * reckoned when somebody asks.
 */
struct posix_timer {
	struct list link;
	struct srv_timer timer;
	struct sigentry *signal;
	struct process *process;
	int id, clock, notify;
	uint32_t tid;
	bool waits;
	int64_t expires;		/* 0: not set */
	int64_t interval;
	int64_t overrun, last_overrun;
};

struct sigevent_wire { uint64_t value; int32_t sig, notify, tid, pad[11]; };

static struct posix_timer *timer_find(struct process *p, int id)
{
	list_for(l, &p->timers) {
		struct posix_timer *t = container_of(l, struct posix_timer, link);

		if (t->id == id)
			return t;
	}
	return NULL;
}

/* To the first moment behind now. How many periods that is. */
static int64_t timer_forward(struct posix_timer *t)
{
	int64_t now = srv_now(), periods;

	if (t->expires > now)
		return 0;
	periods = (now - t->expires) / t->interval + 1;
	t->expires += periods * t->interval;
	return periods;
}

static void overrun_add(struct posix_timer *t, int64_t n)
{
	t->overrun = n > OVERRUN_MAX - t->overrun ? OVERRUN_MAX : t->overrun + n;
}

/* The period that follows the signal is none that was missed. */
static void timer_go_on(struct posix_timer *t)
{
	int64_t periods;

	if (!t->waits)
		return;		/* it was set anew meanwhile */
	t->waits = false;
	if (!t->interval)
		return;
	periods = timer_forward(t);
	if (periods > 1)
		overrun_add(t, periods - 1);
	srv_timer_set(&t->timer, t->expires);
}

static void timer_fired(struct srv_timer *timer)
{
	struct posix_timer *t = timer->arg;
	struct thread *to = t->notify == SIGEV_THREAD_ID ? thread_find(t->tid) : NULL;

	t->waits = true;
	if (!t->interval)
		t->expires = 0;
	if (t->signal->queue)
		overrun_add(t, 1);	/* that of a time before it was set anew */
	else if (t->notify == SIGEV_SIGNAL || (to && to->process == t->process))
		signal_send_entry(t->process, to, t->signal);
}

static void signal_left(struct sigentry *e, struct lx_siginfo *info)
{
	struct posix_timer *t = e->owner;

	if (!info)
		return;
	timer_go_on(t);
	t->last_overrun = t->overrun;
	t->overrun = 0;
	info->timer.overrun = (int32_t)t->last_overrun;
}

void timers_signal_heeded(struct process *p, int sig)
{
	list_for(l, &p->timers) {
		struct posix_timer *t = container_of(l, struct posix_timer, link);

		if (t->signal->info.signo == sig && !t->signal->queue)
			timer_go_on(t);
	}
}

static int timer_check(const struct k_message *m, struct thread *self,
		       const struct sigevent_wire *e)
{
	int32_t clock = (int32_t)m->arg[0];
	struct thread *to;

	/* REALTIME, MONOTONIC, BOOTTIME; CPU-time clocks are not supported */
	if (clock != 0 && clock != 1 && clock != 7)
		return clock == 2 || clock == 3 ? -EOPNOTSUPP : -EINVAL;
	if (e->notify != SIGEV_NONE && (e->sig < 1 || e->sig > LX_NSIG))
		return -EINVAL;
	if (e->notify == SIGEV_THREAD_ID) {
		to = thread_find((uint32_t)e->tid);
		return to && to->process == self->process ? 0 : -EINVAL;
	}
	return e->notify == SIGEV_NONE || e->notify == SIGEV_SIGNAL ? 0 : -EINVAL;
}

/* Identifiers go up, as Linux's do, and come again when there are no more. */
static int timer_id(struct process *p)
{
	while (timer_find(p, p->next_timer))
		p->next_timer = (p->next_timer + 1) & INT32_MAX;
	return p->next_timer;
}

static int timer_new(struct process *p, struct posix_timer **out)
{
	struct user *u = p->cred->user;
	struct posix_timer *t;

	if (u->signals >= p->limit[LX_RLIMIT_SIGPENDING].soft)
		return -EAGAIN;
	t = calloc(1, sizeof *t);
	if (t)
		t->signal = sigentry_new(u, signal_left, t);
	if (!t || !t->signal) {
		free(t);
		return -EAGAIN;
	}
	*out = t;
	return 0;
}

void in_timer_create(const struct k_message *m)
{
	struct thread *self = thread_of(m);
	struct process *p = self->process;
	struct sigevent_wire e = { .sig = LX_SIGALRM, .notify = SIGEV_SIGNAL };
	int r = m->arg[1] ? caller_read(m, &e, m->arg[1], sizeof e) : 0;
	struct posix_timer *t = NULL;
	int32_t id = timer_id(p);

	if (!m->arg[1])
		e.value = (uint64_t)id;
	if (!r)
		r = timer_check(m, self, &e);
	if (!r)
		r = caller_write(m, m->arg[2], &id, sizeof id);
	if (!r)
		r = timer_new(p, &t);
	if (!r) {
		t->process = p;
		t->id = id;
		t->clock = (int)m->arg[0];
		t->notify = e.notify;
		t->tid = (uint32_t)e.tid;
		t->signal->info = (struct lx_siginfo){ .signo = e.sig, .code = LX_SI_TIMER };
		t->signal->info.timer.id = id;
		t->signal->info.timer.value = e.value;
		t->timer.fn = timer_fired;
		t->timer.arg = t;
		list_append(&p->timers, &t->link);
		p->next_timer = (id + 1) & INT32_MAX;
	}
	caller_answer(m, r);
}

static struct lx_timespec timespec_of(int64_t ns)
{
	return (struct lx_timespec){ .sec = ns / NS_PER_SEC, .nsec = ns % NS_PER_SEC };
}

static struct lx_itimerspec timer_get(struct posix_timer *t)
{
	struct lx_itimerspec s = { .interval = timespec_of(t->interval) };
	int64_t left, none = t->notify == SIGEV_NONE ? 0 : 1;

	if (!t->expires)
		return s;
	if (t->interval && (t->waits || t->notify == SIGEV_NONE))
		overrun_add(t, timer_forward(t));
	left = t->expires - srv_now();
	s.value = timespec_of(left > 0 ? left : none);
	return s;
}

static bool timespec_bad(const struct lx_timespec *t)
{
	return t->sec < 0 || t->nsec < 0 || t->nsec >= NS_PER_SEC;
}

static int64_t timespec_ns(const struct lx_timespec *t)
{
	return t->sec > 4000000000 ? 4000000000 * NS_PER_SEC : t->sec * NS_PER_SEC + t->nsec;
}

static void timer_start(struct posix_timer *t, const struct lx_itimerspec *s, bool absolute)
{
	int64_t value = timespec_ns(&s->value);

	srv_timer_cancel(&t->timer);
	t->interval = timespec_ns(&s->interval);
	t->overrun = t->last_overrun = t->expires = 0;
	t->waits = false;
	if (!value)
		return;
	if (!absolute)
		value += srv_now();
	else if (t->clock == 0)
		value -= srv_realtime() - srv_now();
	t->expires = value > 0 ? value : 1;
	if (t->notify != SIGEV_NONE)
		srv_timer_set(&t->timer, t->expires);
}

void in_timer_settime(const struct k_message *m)
{
	struct posix_timer *t = timer_find(thread_of(m)->process, (int)m->arg[0]);
	struct lx_itimerspec s, old;
	int r = t ? caller_read(m, &s, m->arg[2], sizeof s) : -EINVAL;

	if (!r && (timespec_bad(&s.value) || timespec_bad(&s.interval)))
		r = -EINVAL;
	if (!r && m->arg[3]) {
		old = timer_get(t);
		r = caller_write(m, m->arg[3], &old, sizeof old);
	}
	if (!r)
		timer_start(t, &s, m->arg[1] & 1);
	caller_answer(m, r);
}

void in_timer_gettime(const struct k_message *m)
{
	struct posix_timer *t = timer_find(thread_of(m)->process, (int)m->arg[0]);
	struct lx_itimerspec s;

	if (!t) {
		srv_answer(m->call, -EINVAL);
		return;
	}
	s = timer_get(t);
	caller_answer(m, caller_write(m, m->arg[1], &s, sizeof s));
}

void in_timer_getoverrun(const struct k_message *m)
{
	struct posix_timer *t = timer_find(thread_of(m)->process, (int)m->arg[0]);

	srv_answer(m->call, t ? t->last_overrun : -EINVAL);
}

static void timer_free(struct posix_timer *t)
{
	srv_timer_cancel(&t->timer);
	list_remove(&t->link);
	sigentry_free(t->signal);
	free(t);
}

void in_timer_delete(const struct k_message *m)
{
	struct posix_timer *t = timer_find(thread_of(m)->process, (int)m->arg[0]);

	if (t)
		timer_free(t);
	srv_answer(m->call, t ? 0 : -EINVAL);
}

void timers_exec(struct process *p)
{
	list_for_safe(l, &p->timers)
		timer_free(container_of(l, struct posix_timer, link));
	p->next_timer = 0;
}

void timers_drop(struct process *p)
{
	timers_exec(p);
	srv_timer_cancel(&p->real_timer);
}
