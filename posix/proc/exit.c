/*
 * exit, exit_group, killed threads, and what is left of a process.
 *
 * A thread's last visit (its exit call, or K_MSG_THREAD_DEAD when it was killed) is where its
 * robust futexes and its tid word are seen to, while its memory is still there. When the kernel
 * says that the task is gone, with table and space, the process becomes a zombie, its children get
 * another parent, and only then its parent may hear of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/proc/exit.h"

#include <errno.h>
#include <string.h>

#include "posix/proc/caller.h"
#include "posix/proc/cred.h"
#include "posix/proc/exec.h"
#include "posix/proc/session.h"
#include "posix/proc/wait.h"
#include "posix/signal/signal.h"
#include "posix/time/timers.h"

/* --- robust futexes --------------------------------------------------------------------------- */

#define FUTEX_WAITERS 0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK 0x3fffffffu
#define ROBUST_LIMIT 2048

/* One lock that its owner has left behind: marked, and a waiter woken. */
static int robust_one(const struct k_message *m, uint64_t word_at, uint32_t tid, bool pending)
{
	uint32_t word, dead;
	int r = word_at & 3 ? -EFAULT : caller_read(m, &word, word_at, sizeof word);

	if (r)
		return r;
	if (pending && !(word & FUTEX_TID_MASK)) {
		k_caller_futex_wake(grants.endpoint, m->call, word_at, 1);
		return 0;
	}
	if ((word & FUTEX_TID_MASK) != tid)
		return 0;
	dead = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
	r = caller_write(m, word_at, &dead, sizeof dead);
	if (!r && (word & FUTEX_WAITERS))
		k_caller_futex_wake(grants.endpoint, m->call, word_at, 1);
	return r;
}

/*
 * The list is the program's, so it may be anything: bounded, and given up at the first bad address.
 */
static int robust_walk(const struct k_message *m, struct thread *t)
{
	struct { uint64_t first; int64_t offset; uint64_t pending; } head;
	uint64_t at, next;
	int r = caller_read(m, &head, t->robust_list, sizeof head);

	if (r)
		return r;
	at = head.first & ~1ull;
	for (int n = 0; at != t->robust_list && n < ROBUST_LIMIT && !r; n++) {
		r = caller_read(m, &next, at, sizeof next);
		if (r)
			break;
		if (at != (head.pending & ~1ull))
			r = robust_one(m, at + (uint64_t)head.offset, t->tid, false);
		at = next & ~1ull;
	}
	if (!caller_is_gone(r) && head.pending)
		r = robust_one(m, (head.pending & ~1ull) + (uint64_t)head.offset, t->tid, true);
	return r;
}

bool thread_last_words(const struct k_message *m, struct thread *t)
{
	uint32_t zero = 0;
	int r = t->robust_list ? robust_walk(m, t) : 0;

	if (r == -K_REDELIVER)
		return false;
	t->robust_list = 0;
	if (t->clear_tid) {
		r = caller_write(m, t->clear_tid, &zero, sizeof zero);
		if (r == -K_REDELIVER)
			return false;
		if (!r)
			k_caller_futex_wake(grants.endpoint, m->call, t->clear_tid, 1);
	}
	t->clear_tid = 0;
	return true;
}

/* --- threads ---------------------------------------------------------------------------------- */

static void waits_drop(struct thread *t)
{
	if (t->stopped)
		thread_stop_end(t);
	/* the wait's own cancel knows what else hangs on it */
	if (t->waiting)
		t->waiting->cancel(t->waiting, true);
	t->waiting = NULL;
	if (t->exec)
		exec_drop(t);
}

/* The last visit of t ends: it is no more. */
static void thread_end(const struct k_message *m, struct thread *t)
{
	struct process *p = t->process;
	struct k_thread_info info;

	if (k_thread_info(t->handle, &info) == 0) {
		p->user_dead += info.user_ns;
		p->system_dead += info.system_ns;
	}
	waits_drop(t);
	thread_free(t);
	srv_answer(m->call, 0);
	srv_answer_flags(K_ANSWER_EXIT);
	if (!p->thread_count)
		process_remain(p);
	if (!p->thread_count && p->state == PROCESS_LIVE)
		p->state = PROCESS_DYING;
	process_stop_check(p);
	if (p->thread_count == 1 && !list_empty(&p->threads)) {
		struct thread *last = list_first(&p->threads, struct thread, link);

		/* an execve that waited for its siblings' end */
		if (last->exec && !last->dying)
			exec_alone(last);
	}
}

void in_exit(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	struct process *p = t->process;

	if (!thread_last_words(m, t))
		return;
	if (p->thread_count == 1 && !p->exit_set) {
		p->exit_status = (int)(m->arg[0] & 0xff) << 8;
		p->exit_set = true;
	}
	thread_end(m, t);
}

void in_exit_group(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	struct process *p = t->process;

	if (!p->exit_set) {
		p->exit_status = (int)(m->arg[0] & 0xff) << 8;
		p->exit_set = true;
		p->state = PROCESS_DYING;
		process_kill_threads(p, t);
	}
	if (thread_last_words(m, t))
		thread_end(m, t);
}

void thread_dead(const struct k_message *m)
{
	struct thread *t = thread_of(m);

	if (!t) {
		srv_answer(m->call, 0);
		srv_answer_flags(K_ANSWER_EXIT);
		return;
	}
	if (thread_last_words(m, t))
		thread_end(m, t);
}

void process_kill_threads(struct process *p, const struct thread *except)
{
	list_for(l, &p->threads) {
		struct thread *t = container_of(l, struct thread, link);

		if (t == except || t->dying)
			continue;
		t->dying = true;
		waits_drop(t);
		if (t->handle >= 0)
			k_thread_kill(t->handle);
	}
}

void process_end(struct process *p, int status)
{
	if (p->exit_set || p->state != PROCESS_LIVE)
		return;
	p->exit_set = true;
	p->exit_status = status;
	p->state = PROCESS_DYING;
	process_kill_threads(p, NULL);
}

void process_kill(struct process *p, int sig)
{
	if (p == process_init)
		srv_log("signal %d ends the first process", sig);
	process_end(p, sig);
}

/* --- the rest of a process -------------------------------------------------------------------- */

static struct lx_timeval timeval_of(uint64_t ns)
{
	return (struct lx_timeval){ .sec = (int64_t)(ns / 1000000000),
				    .usec = (int64_t)(ns % 1000000000 / 1000) };
}

void process_usage(struct process *p, struct lx_rusage *u)
{
	struct k_task_info info;

	if (p->task < 0) {
		*u = p->used;
		return;
	}
	memset(u, 0, sizeof *u);
	if (k_task_info(p->task, &info) < 0)
		return;
	u->utime = timeval_of(info.user_ns);
	u->stime = timeval_of(info.system_ns);
	u->maxrss = (int64_t)(info.peak_resident / 1024);
	u->minflt = (int64_t)info.minor_faults;
	u->majflt = (int64_t)info.major_faults;
	u->nvcsw = (int64_t)info.voluntary;
	u->nivcsw = (int64_t)info.involuntary;
}

static void timeval_add(struct lx_timeval *to, const struct lx_timeval *t)
{
	to->sec += t->sec;
	to->usec += t->usec;
	if (to->usec >= 1000000) {
		to->usec -= 1000000;
		to->sec++;
	}
}

void rusage_add(struct lx_rusage *to, const struct lx_rusage *u)
{
	timeval_add(&to->utime, &u->utime);
	timeval_add(&to->stime, &u->stime);
	if (u->maxrss > to->maxrss)
		to->maxrss = u->maxrss;
	to->minflt += u->minflt;
	to->majflt += u->majflt;
	to->nvcsw += u->nvcsw;
	to->nivcsw += u->nivcsw;
}

void vfork_release(struct process *child)
{
	struct srv_parked *parent = child->vfork_call;
	struct k_message m;
	struct thread *t;

	if (!parent)
		return;
	child->vfork_call = NULL;
	m = parent->message;
	t = parent->arg;
	t->in_vfork = false;
	t->waiting = NULL;
	srv_unpark(parent);
	call_answer(&m, child->pid);
}

/* The nearest living ancestor that takes orphans in, or the first process. */
static struct process *new_parent(struct process *p)
{
	for (struct process *a = p->parent; a && a != process_init; a = a->parent) {
		if (a->subreaper && a->state == PROCESS_LIVE)
			return a;
	}
	return process_init;
}

static void children_reparent(struct process *p)
{
	struct process *to = new_parent(p);

	list_for_safe(l, &p->children) {
		struct process *c = container_of(l, struct process, child_link);

		process_adopt(to, c);
		c->exit_signal = LX_SIGCHLD;
		if (c->pdeath_signal)
			signal_process_kernel(c, (int)c->pdeath_signal);
		if (c->state == PROCESS_ZOMBIE)
			child_exited(c);
	}
}

static void init_is_gone(struct process *p)
{
	srv_log("the first process has ended (status %x): nothing is left to do",
		(unsigned)p->exit_status);
	srv_flush();
	if (grants.control >= 0)
		k_power(grants.control, K_POWER_HALT);
	for (;;)
		srv_round();
}

/* The kernel has let go of everything: p is a zombie now. */
void task_gone(const struct k_message *m)
{
	struct process *p = process_find((uint32_t)m->cookie);

	if (!p || p->state == PROCESS_ZOMBIE)
		return;
	process_usage(p, &p->used);
	if (p->task >= 0)
		k_handle_close(p->task);
	p->task = -1;
	p->state = PROCESS_ZOMBIE;
	p->stop_signal = 0;
	timers_drop(p);
	process_image_drop(&p->image);
	vfork_release(p);
	if (p == process_init)
		init_is_gone(p);
	session_process_exit(p);
	session_leader_exit(p);
	children_reparent(p);
	process_publish(p);
	child_exited(p);
}

void process_reap(struct process *p, struct process *reaper)
{
	if (reaper) {
		rusage_add(&reaper->children_used, &p->used);
		rusage_add(&reaper->children_used, &p->children_used);
	}
	process_free(p);
}

/* --- what threads leave behind ---------------------------------------------------------------- */

void in_set_tid_address(const struct k_message *m)
{
	struct thread *t = thread_of(m);

	t->clear_tid = m->arg[0];
	srv_answer(m->call, t->tid);
}

#define ROBUST_HEAD_SIZE 24

void in_set_robust_list(const struct k_message *m)
{
	if (m->arg[1] == ROBUST_HEAD_SIZE)
		thread_of(m)->robust_list = m->arg[0];
	srv_answer(m->call, m->arg[1] == ROBUST_HEAD_SIZE ? 0 : -EINVAL);
}

void in_get_robust_list(const struct k_message *m)
{
	struct thread *self = thread_of(m),
		      *t = m->arg[0] ? thread_find((uint32_t)m->arg[0]) : self;
	uint64_t size = ROBUST_HEAD_SIZE;
	int r = !t ? -ESRCH :
		t->process != self->process && !cred_capable(self->cred, LX_CAP_SYS_PTRACE) ?
		     -EPERM :
		     0;

	if (r) {
		srv_answer(m->call, r);
		return;
	}
	r = caller_write(m, m->arg[1], &t->robust_list, 8);
	caller_answer(m, r ? r : caller_write(m, m->arg[2], &size, sizeof size));
}
