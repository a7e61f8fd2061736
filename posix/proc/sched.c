/*
 * Priorities, scheduling policies, CPU sets. The kernel schedules; here are the rules about who may
 * ask for what.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "posix/proc/caller.h"
#include "posix/proc/cred.h"
#include "posix/proc/limit.h"

/* --- nice ------------------------------------------------------------------------------------- */

enum { PRIO_PROCESS, PRIO_PGRP, PRIO_USER };

static bool who_matches(const struct process *p, int which, uint32_t who)
{
	switch (which) {
	case PRIO_PROCESS:
		return p->pid == who;
	case PRIO_PGRP:
		return p->group && p->group->pgid == who;
	default:
		return p->cred && p->cred->record->ruid == who;
	}
}

static uint32_t who_default(const struct thread *self, int which)
{
	switch (which) {
	case PRIO_PROCESS:
		return self->process->pid;
	case PRIO_PGRP:
		return self->process->group->pgid;
	default:
		return self->cred->record->ruid;
	}
}

static int nice_set(struct thread *self, struct process *p, int nice)
{
	const struct proto_cred *mine = self->cred->record, *his = p->cred->record;
	bool power = cred_capable(self->cred, LX_CAP_SYS_NICE);

	if (mine->euid != his->ruid && mine->euid != his->euid && !power)
		return -EPERM;
	if (nice < p->nice && !power && (uint64_t)(20 - nice) > p->limit[LX_RLIMIT_NICE].soft)
		return -EACCES;
	p->nice = nice;
	list_for(l, &p->threads) k_thread_set(container_of(l, struct thread, link)->handle,
					      K_THREAD_SET_NICE, (uint64_t)(int64_t)nice);
	return 0;
}

void in_setpriority(const struct k_message *m)
{
	struct thread *self = thread_of(m);
	int which = (int)m->arg[0], nice = (int)m->arg[2], r = -ESRCH;
	uint32_t who = (uint32_t)m->arg[1];

	if (m->arg[0] > PRIO_USER) {
		srv_answer(m->call, -EINVAL);
		return;
	}
	nice = nice < -20 ? -20 : nice > 19 ? 19 : nice;
	if (!who)
		who = who_default(self, which);
	list_for(l, &process_list) {
		struct process *p = container_of(l, struct process, link);
		int one;

		if (!who_matches(p, which, who))
			continue;
		one = nice_set(self, p, nice);
		r = one ? one : r == -ESRCH ? 0 : r;
	}
	srv_answer(m->call, r);
}

void in_getpriority(const struct k_message *m)
{
	struct thread *self = thread_of(m);
	int which = (int)m->arg[0], best = -1;
	uint32_t who = (uint32_t)m->arg[1];

	if (m->arg[0] > PRIO_USER) {
		srv_answer(m->call, -EINVAL);
		return;
	}
	if (!who)
		who = who_default(self, which);
	list_for(l, &process_list) {
		struct process *p = container_of(l, struct process, link);

		if (who_matches(p, which, who) && 20 - p->nice > best)
			best = 20 - p->nice;
	}
	srv_answer(m->call, best < 0 ? -ESRCH : best);
}

/* --- policies --------------------------------------------------------------------------------- */

enum { SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE = 5 };
#define SCHED_RESET_ON_FORK 0x40000000

static struct thread *target(const struct k_message *m)
{
	return m->arg[0] ? thread_find((uint32_t)m->arg[0]) : thread_of(m);
}

static bool is_realtime(uint32_t policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static bool may_schedule(const struct thread *self, const struct thread *t)
{
	const struct proto_cred *mine = self->cred->record, *his = t->cred->record;

	return mine->euid == his->euid || mine->euid == his->ruid ||
	       cred_capable(self->cred, LX_CAP_SYS_NICE);
}

static int policy_set(struct thread *self, struct thread *t, uint32_t policy, int32_t priority)
{
	policy &= ~(uint32_t)SCHED_RESET_ON_FORK;
	if (policy > SCHED_IDLE || policy == 4 ||
	    (is_realtime(policy) ? priority < 1 || priority > 99 : priority != 0))
		return -EINVAL;
	if (!may_schedule(self, t))
		return -EPERM;
	if (is_realtime(policy) && !cred_capable(self->cred, LX_CAP_SYS_NICE) &&
	    (uint64_t)priority > t->process->limit[LX_RLIMIT_RTPRIO].soft)
		return -EPERM;
	t->policy = policy;
	t->rt_priority = (uint32_t)priority;
	return (int)k_thread_set(t->handle, K_THREAD_SET_SCHED, policy | (uint32_t)priority << 8);
}

static void policy_call(const struct k_message *m, struct thread *t, uint32_t policy,
			uint64_t param_at)
{
	int32_t priority;
	int r = (int32_t)m->arg[0] < 0 || !param_at ?
			-EINVAL :
			caller_read(m, &priority, param_at, sizeof priority);

	if (!r)
		r = t ? policy_set(thread_of(m), t, policy, priority) : -ESRCH;
	caller_answer(m, r);
}

void in_sched_setscheduler(const struct k_message *m)
{
	if ((int32_t)m->arg[1] < 0)
		srv_answer(m->call, -EINVAL);
	else
		policy_call(m, target(m), (uint32_t)m->arg[1], m->arg[2]);
}

void in_sched_setparam(const struct k_message *m)
{
	struct thread *t = target(m);

	policy_call(m, t, t ? t->policy : 0, m->arg[1]);
}

void in_sched_getscheduler(const struct k_message *m)
{
	struct thread *t = target(m);

	srv_answer(m->call, (int32_t)m->arg[0] < 0 ? -EINVAL : t ? (int64_t)t->policy : -ESRCH);
}

void in_sched_getparam(const struct k_message *m)
{
	struct thread *t = target(m);

	if (!t || (int32_t)m->arg[0] < 0 || !m->arg[1])
		srv_answer(m->call, (int32_t)m->arg[0] < 0 || !m->arg[1] ? -EINVAL : -ESRCH);
	else
		caller_answer(m,
			      caller_write(m, m->arg[1], &t->rt_priority, sizeof t->rt_priority));
}

static int64_t priority_range(uint64_t policy, int realtime)
{
	return policy > SCHED_IDLE || policy == 4 ? -EINVAL :
	       is_realtime((uint32_t)policy)      ? realtime :
						    0;
}

void in_sched_priority_max(const struct k_message *m)
{
	srv_answer(m->call, priority_range(m->arg[0], 99));
}

void in_sched_priority_min(const struct k_message *m)
{
	srv_answer(m->call, priority_range(m->arg[0], 1));
}

void in_sched_rr_get_interval(const struct k_message *m)
{
	struct thread *t = target(m);
	struct lx_timespec ts = { 0 };

	if (!t || (int32_t)m->arg[0] < 0) {
		srv_answer(m->call, t ? -EINVAL : -ESRCH);
		return;
	}
	ts.nsec = t->policy == SCHED_FIFO ? 0 : t->policy == SCHED_RR ? 100000000 : 4000000;
	caller_answer(m, caller_write(m, m->arg[1], &ts, sizeof ts));
}

/* --- CPU sets --------------------------------------------------------------------------------- */

static uint64_t cpus_present(void)
{
	static uint64_t mask;
	static struct k_system_info info;

	if (!mask)
		mask = k_system_info(&info) < 0 || info.cpus >= 64 ? ~0ull :
								     (1ull << info.cpus) - 1;
	return mask;
}

void in_sched_getaffinity(const struct k_message *m)
{
	struct thread *t = target(m);
	uint64_t mask;
	int r;

	if (m->arg[1] < 8 || (m->arg[1] & 7) || !t) {
		srv_answer(m->call, t ? -EINVAL : -ESRCH);
		return;
	}
	mask = t->affinity & cpus_present();
	r = caller_write(m, m->arg[2], &mask, sizeof mask);
	caller_answer(m, r ? r : (int64_t)sizeof mask);
}

void in_sched_setaffinity(const struct k_message *m)
{
	struct thread *t = target(m);
	uint64_t mask = 0;
	int r = caller_read(m, &mask, m->arg[2], m->arg[1] < sizeof mask ? m->arg[1] : sizeof mask);

	if (!r)
		r = !t                             ? -ESRCH :
		    !may_schedule(thread_of(m), t) ? -EPERM :
		    !(mask & cpus_present())       ? -EINVAL :
						     0;
	if (!r) {
		t->affinity = mask;
		r = (int)k_thread_set(t->handle, K_THREAD_SET_AFFINITY, mask & cpus_present());
	}
	caller_answer(m, r);
}
