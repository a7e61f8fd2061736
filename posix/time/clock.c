/*
 * Clocks that the kernel leaves to us, setting the time, and accounts of CPU time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "posix/proc/caller.h"
#include "posix/proc/cred.h"
#include "posix/proc/exit.h"
#include "posix/time/timers.h"

enum { CLOCK_REALTIME_ID, CLOCK_MONOTONIC_ID, CLOCK_PROCESS_ID, CLOCK_THREAD_ID };
enum { CPU_PROF, CPU_VIRT, CPU_SCHED };

static int64_t thread_cpu(const struct thread *t)
{
	struct k_thread_info info;

	return k_thread_info(t->handle, &info) < 0 ? 0 : (int64_t)(info.user_ns + info.system_ns);
}

/* The CPU-time clocks: fixed numbers, or ~pid << 3 | per-thread << 2 | kind. */
static int cpu_clock(struct thread *self, int32_t id, int64_t *ns)
{
	uint32_t who = ~(uint32_t)(id >> 3);
	bool of_thread = id == CLOCK_THREAD_ID || (id < 0 && (id & 4));
	struct thread *t = id < 0 && who ? thread_find(who) : self;
	struct process *p = id < 0 && who ? process_find(who) : self->process;
	uint64_t user, system;

	if (id >= 0 && id != CLOCK_PROCESS_ID && id != CLOCK_THREAD_ID)
		return -EINVAL;
	if (id < 0 && (id & 3) > CPU_SCHED)
		return -EINVAL;
	if (of_thread) {
		if (!t || t->process != self->process)
			return -EINVAL;
		*ns = thread_cpu(t);
		return 0;
	}
	if (!p || p->state == PROCESS_ZOMBIE)
		return -EINVAL;
	process_cpu(p, &user, &system);
	*ns = (int64_t)(id < 0 && (id & 3) == CPU_VIRT ? user : user + system);
	return 0;
}

void in_clock_gettime(const struct k_message *m)
{
	struct lx_timespec ts;
	int64_t ns;
	int r = cpu_clock(thread_of(m), (int32_t)m->arg[0], &ns);

	if (r) {
		srv_answer(m->call, r);
		return;
	}
	ts = (struct lx_timespec){ .sec = ns / NS_PER_SEC, .nsec = ns % NS_PER_SEC };
	caller_answer(m, caller_write(m, m->arg[1], &ts, sizeof ts));
}

void in_clock_getres(const struct k_message *m)
{
	struct lx_timespec ts = { .nsec = 1 };
	int64_t ns;
	int r = cpu_clock(thread_of(m), (int32_t)m->arg[0], &ns);

	caller_answer(m, r || !m->arg[1] ? r : caller_write(m, m->arg[1], &ts, sizeof ts));
}

/* --- setting ---------------------------------------------------------------------------------- */

static int64_t clock_set(struct thread *t, int64_t sec, int64_t nsec)
{
	if (nsec < 0 || nsec >= NS_PER_SEC || sec < 0 || sec > 8000000000)
		return -EINVAL;
	if (!cred_capable(t->cred, LX_CAP_SYS_TIME))
		return -EPERM;
	return k_clock_set(grants.control, sec * NS_PER_SEC + nsec);
}

void in_clock_settime(const struct k_message *m)
{
	struct lx_timespec ts;
	int r = m->arg[0] == CLOCK_REALTIME_ID ? caller_read(m, &ts, m->arg[1], sizeof ts) :
						 -EINVAL;

	caller_answer(m, r ? r : clock_set(thread_of(m), ts.sec, ts.nsec));
}

/*
 * The time zone argument is accepted for the superuser and has no effect: there is none in the
 * system.
 */
void in_settimeofday(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	struct lx_timeval tv;
	int r = m->arg[0] ? caller_read(m, &tv, m->arg[0], sizeof tv) : 0;

	if (!r && m->arg[0])
		r = tv.usec < 0 || tv.usec >= 1000000 ? -EINVAL :
							(int)clock_set(t, tv.sec, tv.usec * 1000);
	else if (!r && !cred_capable(t->cred, LX_CAP_SYS_TIME))
		r = -EPERM;
	caller_answer(m, r);
}

/* --- accounts --------------------------------------------------------------------------------- */

static int64_t ticks(const struct lx_timeval *t)
{
	return t->sec * LX_CLK_TCK + t->usec / (1000000 / LX_CLK_TCK);
}

void in_times(const struct k_message *m)
{
	struct process *p = thread_of(m)->process;
	struct lx_rusage u;
	int64_t out[4];
	int r = 0;

	if (m->arg[0]) {
		process_usage(p, &u);
		out[0] = ticks(&u.utime);
		out[1] = ticks(&u.stime);
		out[2] = ticks(&p->children_used.utime);
		out[3] = ticks(&p->children_used.stime);
		r = caller_write(m, m->arg[0], out, sizeof out);
	}
	caller_answer(m, r ? r : srv_now() / (NS_PER_SEC / LX_CLK_TCK));
}

enum { RUSAGE_CHILDREN = -1, RUSAGE_SELF, RUSAGE_THREAD };

static void thread_usage(const struct thread *t, struct lx_rusage *u)
{
	struct k_thread_info i;

	process_usage(t->process, u);
	if (k_thread_info(t->handle, &i) < 0)
		return;
	u->utime = (struct lx_timeval){ .sec = (int64_t)(i.user_ns / 1000000000),
					.usec = (int64_t)(i.user_ns % 1000000000 / 1000) };
	u->stime = (struct lx_timeval){ .sec = (int64_t)(i.system_ns / 1000000000),
					.usec = (int64_t)(i.system_ns % 1000000000 / 1000) };
	u->minflt = (int64_t)i.minor_faults;
	u->majflt = (int64_t)i.major_faults;
	u->nvcsw = (int64_t)i.voluntary;
	u->nivcsw = (int64_t)i.involuntary;
}

void in_getrusage(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	struct lx_rusage u;

	switch ((int32_t)m->arg[0]) {
	case RUSAGE_SELF:
		process_usage(t->process, &u);
		break;
	case RUSAGE_CHILDREN:
		u = t->process->children_used;
		break;
	case RUSAGE_THREAD:
		thread_usage(t, &u);
		break;
	default:
		srv_answer(m->call, -EINVAL);
		return;
	}
	caller_answer(m, caller_write(m, m->arg[1], &u, sizeof u));
}
