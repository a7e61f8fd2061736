/*
 * wait4, waitid, SIGCHLD.
 *
 * A waiting caller is parked in its thread; each change of a child lets the parent's waiting
 * threads look again. What was found is first copied out and then made final, so a call that must
 * come again finds the child as it was.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/proc/wait.h"

#include <errno.h>
#include <string.h>

#include "posix/proc/caller.h"
#include "posix/proc/cred.h"
#include "posix/proc/exit.h"
#include "posix/signal/signal.h"

/* --- looking ---------------------------------------------------------------------------------- */

static bool matches(const struct wait_for *w, const struct process *c)
{
	if (!(w->options & LX_WALL) && (c->exit_signal != LX_SIGCHLD) != !!(w->options & LX_WCLONE))
		return false;
	switch (w->type) {
	case LX_P_PID:
		return c->pid == w->id;
	case LX_P_PGID:
		return c->group && c->group->pgid == w->id;
	default:
		return true;
	}
}

/* Has c anything to tell that w wants to know? */
static bool has_news(const struct wait_for *w, struct process *c, struct wait_found *f)
{
	f->child = c;
	if (c->state == PROCESS_ZOMBIE) {
		f->code = c->exit_status & 0x7f ?
				  (c->exit_status & 0x80 ? LX_CLD_DUMPED : LX_CLD_KILLED) :
				  LX_CLD_EXITED;
		f->status = c->exit_status;
		return w->options & LX_WEXITED;
	}
	if (c->report_stop && (w->options & LX_WSTOPPED)) {
		f->code = LX_CLD_STOPPED;
		f->status = (int)c->stop_signal << 8 | 0x7f;
		return true;
	}
	if (c->report_continue && (w->options & LX_WCONTINUED)) {
		f->code = LX_CLD_CONTINUED;
		f->status = 0xffff;
		return true;
	}
	return false;
}

int op_wait_find(struct process *parent, const struct wait_for *w, struct wait_found *f)
{
	bool any = false;

	list_for(l, &parent->children) {
		struct process *c = container_of(l, struct process, child_link);

		if (!matches(w, c))
			continue;
		any = true;
		if (has_news(w, c, f))
			return 1;
	}
	return any ? 0 : -ECHILD;
}

/* --- reporting -------------------------------------------------------------------------------- */

/* What was reported is not reported again. */
static void found_consume(struct process *parent, const struct wait_for *w,
			  const struct wait_found *f)
{
	if (w->options & LX_WNOWAIT)
		return;
	if (f->code == LX_CLD_STOPPED)
		f->child->report_stop = false;
	else if (f->code == LX_CLD_CONTINUED)
		f->child->report_continue = false;
	else
		process_reap(f->child, parent);
}

static int status_of_code(const struct wait_found *f)
{
	switch (f->code) {
	case LX_CLD_EXITED:
		return f->status >> 8 & 0xff;
	case LX_CLD_STOPPED:
		return f->status >> 8;
	case LX_CLD_CONTINUED:
		return LX_SIGCONT;
	default:
		return f->status & 0x7f;
	}
}

static int copy_usage(const struct k_message *m, uint64_t to, struct process *c)
{
	struct lx_rusage u, sum = c->children_used;

	if (!to)
		return 0;
	process_usage(c, &u);
	rusage_add(&sum, &u);
	return caller_write(m, to, &sum, sizeof sum);
}

static int report_wait4(const struct k_message *m, const struct wait_found *f)
{
	int r = m->arg[1] ? caller_write(m, m->arg[1], &f->status, sizeof f->status) : 0;

	return r ? r : copy_usage(m, m->arg[3], f->child);
}

/* f NULL: nothing found, with WNOHANG. */
static int report_waitid(const struct k_message *m, const struct wait_found *f)
{
	struct lx_siginfo i = { 0 };
	int r = 0;

	if (f) {
		i.signo = LX_SIGCHLD;
		i.code = f->code;
		i.child.pid = f->child->pid;
		i.child.uid = f->child->cred ? f->child->cred->record->ruid : 0;
		i.child.status = status_of_code(f);
		r = copy_usage(m, m->arg[4], f->child);
	}
	/* only the fields that the call defines are written, as on Linux */
	return r || !m->arg[2] ? r : caller_write(m, m->arg[2], &i, 28);
}

/* Answers if there is something to say (also an error). False: the caller has to wait. */
static bool wait_try(const struct k_message *m, struct process *parent, const struct wait_for *w)
{
	struct wait_found f;
	int r = op_wait_find(parent, w, &f);
	uint32_t pid;

	if (r == 0 && !(w->options & LX_WNOHANG))
		return false;
	if (r <= 0) {
		if (r == 0 && w->waitid)
			r = report_waitid(m, NULL);
		caller_answer(m, r);
		return true;
	}
	pid = f.child->pid;
	r = w->waitid ? report_waitid(m, &f) : report_wait4(m, &f);
	if (r) {
		caller_answer(m, r);
		return true;
	}
	found_consume(parent, w, &f);
	call_answer(m, w->waitid ? 0 : (int64_t)pid);
	return true;
}

/* --- waiting ---------------------------------------------------------------------------------- */

static struct wait_for unpack(const struct srv_parked *p)
{
	return (struct wait_for){ .options = (uint32_t)p->value[0],
				  .type = (int)p->value[1],
				  .id = (uint32_t)p->value[2],
				  .waitid = p->value[3] != 0 };
}

static void wait_cancel(struct srv_parked *p, bool dead)
{
	struct thread *t = p->arg;
	uint64_t call = p->message.call;

	t->waiting = NULL;
	srv_unpark(p);
	if (!dead)
		srv_answer(call, -K_RESTART_SYS);
}

static void wait_start(const struct k_message *m, const struct wait_for *w)
{
	struct thread *t = thread_of(m);
	struct srv_parked *p;

	if (wait_try(m, t->process, w))
		return;
	if (signal_due(t)) {
		srv_answer(m->call, -K_RESTART_SYS);
		return;
	}
	p = srv_park(m, wait_cancel);
	if (!p) {
		srv_answer(m->call, -ENOMEM);
		return;
	}
	p->arg = t;
	p->value[0] = w->options;
	p->value[1] = (uint64_t)w->type;
	p->value[2] = w->id;
	p->value[3] = w->waitid;
	t->waiting = p;
}

/* A child has news: the parent's waiting threads look again. */
static void waiters_wake(struct process *parent)
{
	list_for_safe(l, &parent->threads) {
		struct thread *t = container_of(l, struct thread, link);
		struct srv_parked *p = t->waiting;
		struct k_message m;
		struct wait_for w;
		struct wait_found f;

		if (!p || p->cancel != wait_cancel || t->dying)
			continue;
		w = unpack(p);
		if (op_wait_find(parent, &w, &f) == 0)
			continue;
		m = p->message;
		t->waiting = NULL;
		srv_unpark(p);
		wait_try(&m, parent, &w);
	}
}

/* --- telling the parent ----------------------------------------------------------------------- */

static struct lx_siginfo child_info(struct process *c, int code, int status)
{
	struct lx_siginfo i = { .signo = LX_SIGCHLD, .code = code };
	struct lx_rusage u;

	process_usage(c, &u);
	i.child.pid = c->pid;
	i.child.uid = c->cred ? c->cred->record->ruid : 0;
	i.child.status = status;
	i.child.utime = u.utime.sec * LX_CLK_TCK + u.utime.usec / (1000000 / LX_CLK_TCK);
	i.child.stime = u.stime.sec * LX_CLK_TCK + u.stime.usec / (1000000 / LX_CLK_TCK);
	return i;
}

void child_changed(struct process *c, int code, int status)
{
	struct process *parent = c->parent;
	struct lx_kernel_sigaction *a;
	struct lx_siginfo i;

	if (!parent || parent->state != PROCESS_LIVE)
		return;
	a = &parent->sighand->action[LX_SIGCHLD - 1];
	if (a->handler != LX_SIG_IGN && !(a->flags & LX_SA_NOCLDSTOP)) {
		i = child_info(c, code, status);
		signal_send_process(parent, LX_SIGCHLD, &i);
	}
	waiters_wake(parent);
}

void child_exited(struct process *c)
{
	struct process *parent = c->parent;
	struct wait_found f = { .child = c, .status = c->exit_status };
	struct lx_kernel_sigaction *a;
	bool unwanted = false;

	if (!parent || parent->state == PROCESS_ZOMBIE)
		return;
	a = &parent->sighand->action[LX_SIGCHLD - 1];
	f.code = c->exit_status & 0x7f ? LX_CLD_KILLED : LX_CLD_EXITED;
	if (c->exit_signal == LX_SIGCHLD)
		unwanted = a->handler == LX_SIG_IGN || (a->flags & LX_SA_NOCLDWAIT);
	if (c->exit_signal && !(c->exit_signal == LX_SIGCHLD && a->handler == LX_SIG_IGN)) {
		struct lx_siginfo i = child_info(c, f.code, status_of_code(&f));

		signal_send_process(parent, (int)c->exit_signal, &i);
	}
	if (unwanted)
		process_reap(c, NULL);
	waiters_wake(parent);
}

/* --- calls ------------------------------------------------------------------------------------ */

void in_wait4(const struct k_message *m)
{
	int32_t pid = (int32_t)m->arg[0];
	struct wait_for w = { .options = (uint32_t)m->arg[2] };

	if (w.options &
	    ~(LX_WNOHANG | LX_WUNTRACED | LX_WCONTINUED | LX_WNOTHREAD | LX_WALL | LX_WCLONE)) {
		srv_answer(m->call, -EINVAL);
		return;
	}
	if (pid == INT32_MIN) {
		srv_answer(m->call, -ESRCH);
		return;
	}
	w.options |= LX_WEXITED;
	w.type = pid > 0 ? LX_P_PID : pid == -1 ? LX_P_ALL : LX_P_PGID;
	w.id = pid > 0  ? (uint32_t)pid :
	       pid == 0 ? thread_of(m)->process->group->pgid :
			  (uint32_t)-pid;
	wait_start(m, &w);
}

static int waitid_check(const struct k_message *m, struct wait_for *w)
{
	if (w->options & ~(LX_WNOHANG | LX_WNOWAIT | LX_WEXITED | LX_WSTOPPED | LX_WCONTINUED |
			   LX_WNOTHREAD | LX_WALL | LX_WCLONE))
		return -EINVAL;
	if (!(w->options & (LX_WEXITED | LX_WSTOPPED | LX_WCONTINUED)))
		return -EINVAL;
	switch (w->type) {
	case LX_P_ALL:
		return 0;
	case LX_P_PID:
		return (int32_t)w->id <= 0 ? -EINVAL : 0;
	case LX_P_PGID:
		if ((int32_t)w->id < 0)
			return -EINVAL;
		if (!w->id)
			w->id = thread_of(m)->process->group->pgid;
		return 0;
	default:
		return -EINVAL;
	}
}

void in_waitid(const struct k_message *m)
{
	struct wait_for w = { .options = (uint32_t)m->arg[3],
			      .type = (int)m->arg[0],
			      .id = (uint32_t)m->arg[1],
			      .waitid = true };
	int r = waitid_check(m, &w);

	if (r)
		srv_answer(m->call, r);
	else
		wait_start(m, &w);
}
