/*
 * Sending signals: who gets it, whether it counts at all, and what happens at once.
 *
 * A signal whose default action is to end the process, and that nothing stands against, ends it
 * here, without asking the threads: kill never waits for its victim.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/signal/signal.h"

#include <errno.h>

#include "posix/proc/cred.h"
#include "posix/proc/exit.h"

static uint64_t handler_of(const struct process *p, int sig)
{
	return p->sighand->action[sig - 1].handler;
}

bool signal_is_ignored(const struct process *p, int sig)
{
	uint64_t h = handler_of(p, sig);

	return h == LX_SIG_IGN || (h == LX_SIG_DFL && (SIGSET_IGNORE & LX_SIGBIT(sig)));
}

/* The first process is not killed or stopped by a signal it has no handler for. */
static bool is_protected(const struct process *p, int sig)
{
	return p == process_init && handler_of(p, sig) == LX_SIG_DFL;
}

static bool is_fatal(const struct process *p, int sig)
{
	return handler_of(p, sig) == LX_SIG_DFL &&
	       !((SIGSET_IGNORE | SIGSET_STOP) & LX_SIGBIT(sig));
}

static bool is_blocked(const struct thread *t, int sig)
{
	return t->mask & LX_SIGBIT(sig);
}

static void pending_remove(struct process *p, uint64_t set)
{
	sigqueue_remove(&p->pending, set);
	list_for(l, &p->threads)
		sigqueue_remove(&container_of(l, struct thread, link)->pending, set);
}

/* Stop and continue undo each other, blocked and ignored or not. */
static void stop_or_continue(struct process *p, int sig)
{
	if (SIGSET_STOP & LX_SIGBIT(sig)) {
		pending_remove(p, LX_SIGBIT(LX_SIGCONT));
	} else if (sig == LX_SIGCONT) {
		pending_remove(p, SIGSET_STOP);
		process_continue(p);
	} else if (sig == LX_SIGKILL && p->stop_signal && !is_protected(p, sig)) {
		p->stop_signal = 0;
	}
}

/* Would the thread take it now? One that is stopped will look when it continues. */
static bool wants(const struct thread *t, int sig)
{
	return !t->dying && !t->stopped && !is_blocked(t, sig);
}

/*
 * The thread that is to act on a signal for the whole process: the leader if he can, else any; NULL
 * if all block it.
 */
static struct thread *thread_choose(struct process *p, int sig)
{
	if (p->leader && wants(p->leader, sig))
		return p->leader;
	list_for(l, &p->threads) {
		struct thread *t = container_of(l, struct thread, link);

		if (wants(t, sig))
			return t;
	}
	return NULL;
}

/* A timer's signal has its entry already. */
static int entry_add(struct sigqueue *q, struct sigentry *e)
{
	if (!e->queue)
		sigqueue_add_entry(q, e);
	return 0;
}

/* Is its siginfo optional (then a full queue only loses that), and may it be queued? */
static int queue_add(struct sigqueue *q, struct process *p, int sig, const struct lx_siginfo *info,
		     bool limited)
{
	struct user *u = p->cred ? p->cred->user : NULL;
	bool full = limited && u && u->signals >= p->limit[LX_RLIMIT_SIGPENDING].soft;

	if (full && sig >= LX_SIGRTMIN && info->code != LX_SI_USER && info->code != LX_SI_KERNEL)
		return -EAGAIN;
	if (sigqueue_add(q, sig, full ? NULL : info, u) && sig >= LX_SIGRTMIN && info->code < 0)
		return -EAGAIN;
	return 0;
}

/*
 * A call that we hold ourselves gets no notice from the kernel: its wait ends here, and the visit
 * follows.
 */
static void thread_alert(struct thread *t)
{
	if (t->in_event || t->dying || t->serving || t->handle < 0)
		return;
	t->in_event = true;
	k_thread_event(t->handle);
	if (t->waiting)
		t->waiting->cancel(t->waiting, false);
}

static bool timedwait_wake(struct process *p, struct thread *only)
{
	list_for(l, &p->threads) {
		struct thread *t = container_of(l, struct thread, link);

		if ((!only || t == only) && t->waiting && signal_timedwait_wake(t))
			return true;
	}
	return false;
}

struct sending {
	int sig;
	const struct lx_siginfo *info;
	bool limited;			/* to RLIMIT_SIGPENDING */
	struct sigentry *entry;		/* NULL: it needs one */
};

static int send(struct process *p, struct thread *only, const struct sending *s)
{
	struct sigqueue *q = only ? &only->pending : &p->pending;
	struct thread *t;
	int sig = s->sig, r;

	if (p->state != PROCESS_LIVE || p->exit_set || !p->sighand || (only && only->dying))
		return 0;
	stop_or_continue(p, sig);
	if (is_protected(p, sig) && !(only ? is_blocked(only, sig) : !thread_choose(p, sig)))
		return 0;
	if (sig == LX_SIGKILL) {
		process_kill(p, sig);
		return 0;
	}
	t = only ? only : p->leader ? p->leader : thread_choose(p, sig);
	if (t && signal_is_ignored(p, sig) && !is_blocked(t, sig))
		return 0;
	r = s->entry ? entry_add(q, s->entry) : queue_add(q, p, sig, s->info, s->limited);
	if (r || timedwait_wake(p, only))
		return r;
	t = only ? (wants(only, sig) ? only : NULL) : thread_choose(p, sig);
	if (!t)
		return 0;
	if (is_fatal(p, sig) && sig < LX_SIGRTMIN)
		process_kill(p, sig);
	else
		thread_alert(t);
	return 0;
}

int signal_send_thread(struct thread *t, int sig, const struct lx_siginfo *info)
{
	const struct sending s = { .sig = sig, .info = info, .limited = true };

	return sig ? send(t->process, t, &s) : 0;
}

int signal_send_process(struct process *p, int sig, const struct lx_siginfo *info)
{
	const struct sending s = { .sig = sig, .info = info, .limited = true };

	return sig ? send(p, NULL, &s) : 0;
}

void signal_send_entry(struct process *p, struct thread *only, struct sigentry *e)
{
	const struct sending s = { .sig = e->info.signo, .entry = e };

	(void)send(p, only, &s);
}

static struct lx_siginfo kernel_info(int sig)
{
	return (struct lx_siginfo){ .signo = sig, .code = LX_SI_KERNEL };
}

void signal_process_kernel(struct process *p, int sig)
{
	const struct lx_siginfo info = kernel_info(sig);

	send(p, NULL, &(struct sending){ .sig = sig, .info = &info });
}

void signal_thread_kernel(struct thread *t, int sig)
{
	const struct lx_siginfo info = kernel_info(sig);

	send(t->process, t, &(struct sending){ .sig = sig, .info = &info });
}

void signal_group_kernel(struct group *g, int sig)
{
	list_for_safe(l, &g->members)
		signal_process_kernel(container_of(l, struct process, group_link), sig);
}

void signal_force(struct thread *t, const struct lx_siginfo *info)
{
	struct process *p = t->process;
	struct lx_kernel_sigaction *a = &p->sighand->action[info->signo - 1];

	if (is_blocked(t, info->signo) || a->handler == LX_SIG_IGN) {
		a->handler = LX_SIG_DFL;
		t->mask &= ~LX_SIGBIT(info->signo);
	}
	if (a->handler == LX_SIG_DFL) {
		process_kill(p, info->signo);
		return;
	}
	sigqueue_remove(&t->pending, LX_SIGBIT(info->signo));
	sigqueue_add(&t->pending, info->signo, info, NULL);
}

bool signal_permitted(const struct thread *from, const struct process *p, int sig)
{
	const struct proto_cred *mine = from->cred->record, *his;

	if (from->process == p)
		return true;
	if (!p->cred)
		return false;
	his = p->cred->record;
	if (mine->euid == his->suid || mine->euid == his->ruid || mine->ruid == his->suid ||
	    mine->ruid == his->ruid)
		return true;
	if (cred_capable(from->cred, LX_CAP_KILL))
		return true;
	return sig == LX_SIGCONT && p->group && from->process->group &&
	       p->group->session == from->process->group->session;
}

/* --- what is due ------------------------------------------------------------------------------ */

bool signal_due(const struct thread *t)
{
	const struct process *p = t->process;

	return p->stop_signal || ((t->pending.set | p->pending.set) & ~t->mask);
}

void signal_recheck(struct thread *t)
{
	if (signal_due(t))
		thread_alert(t);
}

void signal_set_mask(struct thread *t, uint64_t mask)
{
	struct process *p = t->process;
	uint64_t newly = mask & ~t->mask & p->pending.set;

	t->mask = mask & ~SIGSET_UNBLOCKABLE;
	if (!newly || p->thread_count == 1)
		return;
	/* what this thread would have taken must go to another one that still can */
	for (int sig = 1; sig <= LX_NSIG; sig++) {
		struct thread *other = newly & LX_SIGBIT(sig) ? thread_choose(p, sig) : NULL;

		if (other)
			thread_alert(other);
	}
}
