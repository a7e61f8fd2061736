/*
 * rt_sigaction, rt_sigprocmask, rt_sigpending, sigaltstack, and the sending calls.
 *
 * Copies to and from the caller come before any change, so that a call which has to come again
 * finds nothing done.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/signal/signal.h"

#include <errno.h>
#include <string.h>

#include "posix/proc/caller.h"
#include "posix/proc/cred.h"
#include "posix/time/timers.h"

#define SA_KNOWN                                                                                   \
	(LX_SA_NOCLDSTOP | LX_SA_NOCLDWAIT | LX_SA_SIGINFO | LX_SA_RESTORER | LX_SA_ONSTACK |      \
	 LX_SA_RESTART | LX_SA_NODEFER | LX_SA_RESETHAND)

/* An action that ignores the signal also forgets it where it is pending. */
static void action_set(struct process *p, int sig, const struct lx_kernel_sigaction *a)
{
	struct lx_kernel_sigaction *to = &p->sighand->action[sig - 1];
	bool ignored = signal_is_ignored(p, sig);

	*to = *a;
	to->flags &= SA_KNOWN;
	to->mask &= ~SIGSET_UNBLOCKABLE;
	if (!signal_is_ignored(p, sig)) {
		if (ignored)
			timers_signal_heeded(p, sig);
		return;
	}
	sigqueue_remove(&p->pending, LX_SIGBIT(sig));
	list_for(l, &p->threads)
		sigqueue_remove(&container_of(l, struct thread, link)->pending, LX_SIGBIT(sig));
}

void in_rt_sigaction(const struct k_message *m)
{
	struct process *p = thread_of(m)->process;
	int sig = (int)m->arg[0];
	struct lx_kernel_sigaction a;
	int r = 0;

	if (m->arg[3] != 8 || sig < 1 || sig > LX_NSIG ||
	    (m->arg[1] && (SIGSET_UNBLOCKABLE & LX_SIGBIT(sig))))
		r = -EINVAL;
	if (!r && m->arg[1])
		r = caller_read(m, &a, m->arg[1], sizeof a);
	if (!r && m->arg[2])
		r = caller_write(m, m->arg[2], &p->sighand->action[sig - 1], sizeof a);
	if (!r && m->arg[1])
		action_set(p, sig, &a);
	caller_answer(m, r);
}

static int mask_change(uint64_t how, uint64_t old, uint64_t set, uint64_t *out)
{
	switch ((int)how) {
	case LX_SIG_BLOCK:
		*out = old | set;
		return 0;
	case LX_SIG_UNBLOCK:
		*out = old & ~set;
		return 0;
	case LX_SIG_SETMASK:
		*out = set;
		return 0;
	}
	return -EINVAL;
}

void in_rt_sigprocmask(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	uint64_t set, mask = t->mask;
	int r = m->arg[3] == 8 ? 0 : -EINVAL;

	if (!r && m->arg[1]) {
		r = caller_read(m, &set, m->arg[1], sizeof set);
		if (!r)
			r = mask_change(m->arg[0], t->mask, set, &mask);
	}
	if (!r && m->arg[2])
		r = caller_write(m, m->arg[2], &t->mask, sizeof t->mask);
	if (r) {
		caller_answer(m, r);
		return;
	}
	signal_set_mask(t, mask);
	call_answer(m, 0);
}

void in_rt_sigpending(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	uint64_t set = (t->pending.set | t->process->pending.set) & t->mask;

	caller_answer(m, m->arg[1] > 8 ? -EINVAL : caller_write(m, m->arg[0], &set, m->arg[1]));
}

/* --- the alternate stack ---------------------------------------------------------------------- */

static bool on_altstack(const struct thread *t, uint64_t sp)
{
	return !(t->altstack_flags & LX_SS_AUTODISARM) && sp > t->altstack &&
	       sp - t->altstack <= t->altstack_size;
}

static int altstack_check(const struct thread *t, const struct lx_stack *s, uint64_t sp)
{
	uint32_t mode = (uint32_t)s->flags & ~LX_SS_AUTODISARM;

	if (on_altstack(t, sp))
		return -EPERM;
	if (mode != LX_SS_DISABLE && mode != LX_SS_ONSTACK && mode != 0)
		return -EINVAL;
	return mode != LX_SS_DISABLE && s->size < LX_MINSIGSTKSZ ? -ENOMEM : 0;
}

void thread_altstack_get(const struct thread *t, uint64_t sp, struct lx_stack *out)
{
	memset(out, 0, sizeof *out);
	out->sp = t->altstack;
	out->size = t->altstack_size;
	out->flags = (int32_t)((!t->altstack_size  ? LX_SS_DISABLE :
				on_altstack(t, sp) ? LX_SS_ONSTACK :
						     0) |
			       (t->altstack_flags & LX_SS_AUTODISARM));
}

void thread_altstack_set(struct thread *t, const struct lx_stack *s)
{
	bool off = ((uint32_t)s->flags & ~LX_SS_AUTODISARM) == LX_SS_DISABLE;

	t->altstack = off ? 0 : s->sp;
	t->altstack_size = off ? 0 : s->size;
	t->altstack_flags = off ? 0 : (uint32_t)s->flags & LX_SS_AUTODISARM;
}

void in_sigaltstack(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	struct lx_stack set, old;
	struct k_regs regs;
	int r = (int)k_caller_regs_get(grants.endpoint, m->call, &regs);

	if (!r && m->arg[0])
		r = caller_read(m, &set, m->arg[0], sizeof set);
	if (!r && m->arg[0])
		r = altstack_check(t, &set, regs.rsp);
	if (!r && m->arg[1]) {
		thread_altstack_get(t, regs.rsp, &old);
		r = caller_write(m, m->arg[1], &old, sizeof old);
	}
	if (!r && m->arg[0])
		thread_altstack_set(t, &set);
	caller_answer(m, r);
}

/* --- kill and its kin ------------------------------------------------------------------------- */

static struct lx_siginfo user_info(const struct thread *from, int sig, int code)
{
	struct lx_siginfo i = { .signo = sig, .code = code };

	i.user.pid = from->process->pid;
	i.user.uid = from->cred->record->ruid;
	return i;
}

static int64_t kill_one(struct thread *from, struct process *p, int sig)
{
	struct lx_siginfo i = user_info(from, sig, LX_SI_USER);

	return signal_permitted(from, p, sig) ? signal_send_process(p, sig, &i) : -EPERM;
}

struct kill_many {
	unsigned found, sent;
	int64_t error;
};

static void kill_add(struct kill_many *k, int64_t r)
{
	k->found++;
	if (r == 0)
		k->sent++;
	else
		k->error = r;
}

static int64_t kill_group(struct thread *from, uint32_t pgid, int sig)
{
	struct kill_many k = { 0 };

	list_for_safe(l, &process_list) {
		struct process *p = container_of(l, struct process, link);

		if (p->group && p->group->pgid == pgid)
			kill_add(&k, kill_one(from, p, sig));
	}
	return !k.found ? -ESRCH : k.sent ? 0 : k.error;
}

/* Everybody but the first process and the sender. */
static int64_t kill_all(struct thread *from, int sig)
{
	struct kill_many k = { 0 };

	list_for_safe(l, &process_list) {
		struct process *p = container_of(l, struct process, link);

		if (p != process_init && p != from->process)
			kill_add(&k, kill_one(from, p, sig));
	}
	return !k.found ? -ESRCH : k.error && k.error != -EPERM ? k.error : 0;
}

int64_t op_kill(struct thread *from, int32_t pid, int sig)
{
	struct process *p;

	if (sig < 0 || sig > LX_NSIG)
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid == -1)
		return kill_all(from, sig);
	if (pid <= 0)
		return kill_group(from, pid ? (uint32_t)-pid : from->process->group->pgid, sig);
	p = process_find((uint32_t)pid);
	if (!p && thread_find((uint32_t)pid))
		p = thread_find((uint32_t)pid)->process;
	return p ? kill_one(from, p, sig) : -ESRCH;
}

static int64_t op_tgkill(struct thread *from, int32_t tgid, int32_t tid, int sig, bool any_group)
{
	struct thread *t;
	struct lx_siginfo i = user_info(from, sig, LX_SI_TKILL);

	if (tid <= 0 || (!any_group && tgid <= 0) || sig < 0 || sig > LX_NSIG)
		return -EINVAL;
	t = thread_find((uint32_t)tid);
	if (!t || (!any_group && t->process->pid != (uint32_t)tgid))
		return -ESRCH;
	if (!signal_permitted(from, t->process, sig))
		return -EPERM;
	return signal_send_thread(t, sig, &i);
}

/* What the caller sends to itself is delivered as its own call ends. */
void in_kill(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	int64_t r;

	t->serving = true;
	r = op_kill(t, (int32_t)m->arg[0], (int)m->arg[1]);
	t->serving = false;
	call_answer(m, r);
}

static void tgkill(const struct k_message *m, int32_t tgid, int32_t tid, int sig, bool any_group)
{
	struct thread *t = thread_of(m);
	int64_t r;

	t->serving = true;
	r = op_tgkill(t, tgid, tid, sig, any_group);
	t->serving = false;
	call_answer(m, r);
}

void in_tkill(const struct k_message *m)
{
	tgkill(m, 0, (int32_t)m->arg[0], (int)m->arg[1], true);
}

void in_tgkill(const struct k_message *m)
{
	tgkill(m, (int32_t)m->arg[0], (int32_t)m->arg[1], (int)m->arg[2], false);
}

/* A program may not pretend to be the kernel, or kill(), towards others. */
static int queue_info_check(struct thread *from, uint32_t target_pid, const struct lx_siginfo *i)
{
	return (i->code >= 0 || i->code == LX_SI_TKILL) && target_pid != from->process->pid ?
		       -EPERM :
		       0;
}

void in_rt_sigqueueinfo(const struct k_message *m)
{
	struct thread *from = thread_of(m);
	struct process *p = process_find((uint32_t)m->arg[0]);
	int sig = (int)m->arg[1];
	struct lx_siginfo i;
	int64_t r = caller_read(m, &i, m->arg[2], sizeof i);

	if (!r)
		r = queue_info_check(from, (uint32_t)m->arg[0], &i);
	if (!r)
		r = sig < 0 || sig > LX_NSIG        ? -EINVAL :
		    !p                              ? -ESRCH :
		    !signal_permitted(from, p, sig) ? -EPERM :
						      0;
	if (r) {
		caller_answer(m, r);
		return;
	}
	i.signo = sig;
	call_answer(m, signal_send_process(p, sig, &i));
}

void in_rt_tgsigqueueinfo(const struct k_message *m)
{
	struct thread *from = thread_of(m), *t = thread_find((uint32_t)m->arg[1]);
	int sig = (int)m->arg[2];
	struct lx_siginfo i;
	int64_t r = (int32_t)m->arg[0] <= 0 || (int32_t)m->arg[1] <= 0 ?
			    -EINVAL :
			    caller_read(m, &i, m->arg[3], sizeof i);

	if (!r)
		r = queue_info_check(from, (uint32_t)m->arg[1], &i);
	if (!r && (sig < 0 || sig > LX_NSIG))
		r = -EINVAL;
	if (!r)
		r = !t || t->process->pid != (uint32_t)m->arg[0] ? -ESRCH :
		    !signal_permitted(from, t->process, sig)     ? -EPERM :
								   0;
	if (r) {
		caller_answer(m, r);
		return;
	}
	i.signo = sig;
	call_answer(m, signal_send_thread(t, sig, &i));
}

/* --- exec ------------------------------------------------------------------------------------- */

void signal_exec(struct thread *t)
{
	for (int sig = 1; sig <= LX_NSIG; sig++) {
		struct lx_kernel_sigaction *a = &t->process->sighand->action[sig - 1];
		bool ignored = a->handler == LX_SIG_IGN;

		memset(a, 0, sizeof *a);
		if (ignored)
			a->handler = LX_SIG_IGN;
	}
	t->altstack = t->altstack_size = 0;
	t->altstack_flags = 0;
}
