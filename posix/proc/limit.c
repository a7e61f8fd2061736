/*
 * Resource limits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/proc/limit.h"

#include <errno.h>

#include "posix/proc/caller.h"
#include "posix/proc/cred.h"
#include "posix/time/timers.h"

#define NOFILE_MAX 1048576ull

void limits_default(struct process *p, unsigned max_threads)
{
	for (int i = 0; i < LX_RLIMITS; i++)
		p->limit[i] = (struct lx_rlimit){ LX_RLIM_INFINITY, LX_RLIM_INFINITY };
	p->limit[LX_RLIMIT_STACK].soft = 8 << 20;
	p->limit[LX_RLIMIT_CORE].soft = 0;
	p->limit[LX_RLIMIT_NPROC] = (struct lx_rlimit){ max_threads / 2, max_threads / 2 };
	p->limit[LX_RLIMIT_NOFILE] = (struct lx_rlimit){ 1024, 4096 };
	p->limit[LX_RLIMIT_MEMLOCK] = (struct lx_rlimit){ 8 << 20, 8 << 20 };
	p->limit[LX_RLIMIT_SIGPENDING] = p->limit[LX_RLIMIT_NPROC];
	p->limit[LX_RLIMIT_MSGQUEUE] = (struct lx_rlimit){ 819200, 819200 };
	p->limit[LX_RLIMIT_NICE] = p->limit[LX_RLIMIT_RTPRIO] = (struct lx_rlimit){ 0, 0 };
}

static const struct { uint8_t limit, set;
} enforced[] = {
	{ LX_RLIMIT_FSIZE, K_TASK_SET_LIMIT_FSIZE },
	{ LX_RLIMIT_AS, K_TASK_SET_LIMIT_AS },
	{ LX_RLIMIT_DATA, K_TASK_SET_LIMIT_DATA },
	{ LX_RLIMIT_STACK, K_TASK_SET_LIMIT_STACK },
	{ LX_RLIMIT_NOFILE, K_TASK_SET_LIMIT_NOFILE },
	{ LX_RLIMIT_MEMLOCK, K_TASK_SET_LIMIT_MEMLOCK },
};

static void limit_apply(struct process *p, unsigned which)
{
	for (size_t i = 0; i < sizeof enforced / sizeof enforced[0]; i++) {
		if (enforced[i].limit == which)
			k_task_set(p->task, enforced[i].set, p->limit[which].soft);
	}
	if (which == LX_RLIMIT_CPU)
		timers_cpu_arm(p);
	if (which == LX_RLIMIT_FSIZE)
		process_publish(p);	/* the VFS looks there, for truncate */
}

void limits_apply(struct process *p)
{
	for (size_t i = 0; i < sizeof enforced / sizeof enforced[0]; i++)
		limit_apply(p, enforced[i].limit);
}

bool limits_permitted(const struct thread *self, const struct process *p)
{
	const struct proto_cred *mine = self->cred->record, *his;

	if (self->process == p || cred_capable(self->cred, LX_CAP_SYS_RESOURCE))
		return true;
	if (!p->cred)
		return false;
	his = p->cred->record;
	return mine->ruid == his->euid && mine->ruid == his->suid && mine->ruid == his->ruid &&
		mine->rgid == his->egid && mine->rgid == his->sgid && mine->rgid == his->rgid;
}

static int limit_check(const struct thread *self, const struct process *p, unsigned which,
		       const struct lx_rlimit *new)
{
	if (new->soft > new->hard)
		return -EINVAL;
	if (which == LX_RLIMIT_NOFILE && new->hard > NOFILE_MAX)
		return -EPERM;
	if (new->hard > p->limit[which].hard && !cred_capable(self->cred, LX_CAP_SYS_RESOURCE))
		return -EPERM;
	return 0;
}

/* Both addresses may be 0. */
static void limit_change(const struct k_message *m, struct process *p, uint64_t which,
			 uint64_t new_at, uint64_t old_at)
{
	struct thread *self = thread_of(m);
	struct lx_rlimit new;
	int r = which >= LX_RLIMITS        ? -EINVAL :
		!p                         ? -ESRCH :
		!limits_permitted(self, p) ? -EPERM :
					     0;

	if (!r && new_at)
		r = caller_read(m, &new, new_at, sizeof new);
	if (!r && new_at)
		r = limit_check(self, p, (unsigned)which, &new);
	if (!r && old_at)
		r = caller_write(m, old_at, &p->limit[which], sizeof new);
	if (!r && new_at) {
		/* a CPU limit of nothing would end the process before it could notice */
		if (which == LX_RLIMIT_CPU && new.soft == 0)
			new.soft = 1;
		p->limit[which] = new;
		limit_apply(p, (unsigned)which);
	}
	caller_answer(m, r);
}

void in_getrlimit(const struct k_message *m)
{
	struct process *p = thread_of(m)->process;
	int r = m->arg[0] >= LX_RLIMITS ?
			-EINVAL :
			caller_write(m, m->arg[1], &p->limit[m->arg[0]], sizeof p->limit[0]);

	caller_answer(m, r);
}

void in_setrlimit(const struct k_message *m)
{
	struct lx_rlimit new;
	struct process *p = thread_of(m)->process;

	if (!m->arg[1]) {
		caller_answer(m, caller_read(m, &new, 0, sizeof new));
		return;
	}
	limit_change(m, p, m->arg[0], m->arg[1], 0);
}

void in_prlimit64(const struct k_message *m)
{
	struct thread *t = m->arg[0] ? thread_find((uint32_t)m->arg[0]) : thread_of(m);

	limit_change(m, t ? t->process : NULL, (uint32_t)m->arg[1], m->arg[2], m->arg[3]);
}
