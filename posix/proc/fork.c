/*
 * fork, vfork, clone, clone3: a new process or a new thread from the caller.
 *
 * Everything that can fail, or whose caller may have to come again, is done before the kernel makes
 * the new thread; after k_task_fork there is only bookkeeping. The new thread starts last.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/proc/fork.h"

#include <errno.h>
#include <string.h>

#include "posix/misc/system.h"
#include "posix/proc/caller.h"
#include "posix/proc/cred.h"
#include "posix/proc/session.h"
#include "posix/signal/signal.h"

#define SUPPORTED                                                                                  \
	(LX_CLONE_VM | LX_CLONE_FS | LX_CLONE_FILES | LX_CLONE_SIGHAND | LX_CLONE_VFORK |          \
	 LX_CLONE_PARENT | LX_CLONE_THREAD | LX_CLONE_SYSVSEM | LX_CLONE_SETTLS |                  \
	 LX_CLONE_PARENT_SETTID | LX_CLONE_CHILD_CLEARTID | LX_CLONE_DETACHED |                    \
	 LX_CLONE_UNTRACED | LX_CLONE_CHILD_SETTID | LX_CLONE_CLEAR_SIGHAND)

unsigned fork_thread_limit = 1024;

int op_clone_check(const struct lx_clone_args *a, bool is_init)
{
	uint64_t f = a->flags;

	if (f & ~SUPPORTED)
		return -EINVAL;
	if ((f & LX_CLONE_SIGHAND) && !(f & LX_CLONE_VM))
		return -EINVAL;
	if ((f & LX_CLONE_THREAD) && !(f & LX_CLONE_SIGHAND))
		return -EINVAL;
	/* one task of ours has one table: threads that do not share theirs are not supported */
	if ((f & LX_CLONE_THREAD) && (~f & (LX_CLONE_FILES | LX_CLONE_FS)))
		return -EINVAL;
	if ((f & LX_CLONE_CLEAR_SIGHAND) && (f & LX_CLONE_SIGHAND))
		return -EINVAL;
	if ((f & LX_CLONE_PARENT) && is_init)
		return -EINVAL;
	return a->exit_signal > LX_NSIG ? -EINVAL : 0;
}

#define LIMIT_LOG_PAUSE (10 * NS_PER_SEC)

/*
 * Whoever looks for the reason why nothing starts any more finds it in the log; now and then is
 * enough.
 */
static int limit_reached(const struct thread *t, const char *whose)
{
	static int64_t last;
	int64_t now = srv_now();

	if (!last || now - last > LIMIT_LOG_PAUSE) {
		srv_log("%s[%u] cannot fork: %s limit of threads is reached; user %u has %u",
			t->comm, t->tid, whose, t->cred->user->uid, t->cred->user->threads);
		last = now;
	}
	return -EAGAIN;
}

static int limits_check(const struct thread *t)
{
	const struct user *u = t->cred->user;

	if (thread_count_all() >= fork_thread_limit)
		return limit_reached(t, "the system's");
	if (u->threads >= t->process->limit[LX_RLIMIT_NPROC].soft && u->uid != 0 &&
	    !cred_capable(t->cred, LX_CAP_SYS_RESOURCE))
		return limit_reached(t, "its user's");
	return 0;
}

/* --- what the child inherits ------------------------------------------------------------------ */

static int sighand_inherit(struct process *c, struct process *p, uint64_t flags)
{
	if (flags & LX_CLONE_SIGHAND) {
		c->sighand = p->sighand;
		c->sighand->references++;
		return 0;
	}
	c->sighand = sighand_new();
	if (!c->sighand)
		return -ENOMEM;
	memcpy(c->sighand->action, p->sighand->action, sizeof p->sighand->action);
	if (!(flags & LX_CLONE_CLEAR_SIGHAND))
		return 0;
	for (int i = 0; i < LX_NSIG; i++) {
		if (c->sighand->action[i].handler != LX_SIG_IGN)
			memset(&c->sighand->action[i], 0, sizeof c->sighand->action[i]);
	}
	return 0;
}

/* A process like p, with one thread and no task yet; NULL: no memory or no pid. */
static struct process *process_inherit(struct process *p, const struct lx_clone_args *a)
{
	struct process *c = process_new();
	struct process *parent = a->flags & LX_CLONE_PARENT ? p->parent : p;

	if (!c)
		return NULL;
	if (sighand_inherit(c, p, a->flags) || !thread_new(c, c->pid)) {
		process_free(c);
		return NULL;
	}
	c->parent = parent;
	list_append(&parent->children, &c->child_link);
	c->group = p->group;
	list_append(&p->group->members, &c->group_link);
	c->exit_signal = a->flags & LX_CLONE_PARENT ? p->exit_signal : (uint32_t)a->exit_signal;
	memcpy(c->limit, p->limit, sizeof c->limit);
	memcpy(c->comm, p->comm, sizeof c->comm);
	process_image_copy(&c->image, &p->image);
	c->nice = p->nice;
	c->oom_score_adj = p->oom_score_adj;
	c->no_new_privs = p->no_new_privs;
	c->keep_caps = p->keep_caps;
	return c;
}

static void thread_inherit(struct thread *n, const struct thread *t, uint64_t flags)
{
	n->cred = cred_get(t->cred);
	n->cred->user->threads++;
	if (n->tid == n->process->pid)
		n->process->cred = cred_get(t->cred);
	n->mask = t->mask;
	n->policy = t->policy;
	n->rt_priority = t->rt_priority;
	n->affinity = t->affinity;
	memcpy(n->comm, t->comm, sizeof n->comm);
	/* another stack pointer in the same memory: the alternate stack is the old thread's */
	if (!(flags & LX_CLONE_VM) || (flags & LX_CLONE_VFORK)) {
		n->altstack = t->altstack;
		n->altstack_size = t->altstack_size;
		n->altstack_flags = t->altstack_flags;
	}
}

/* Undoes process_inherit or thread_new. */
static void abandon(struct thread *n, const struct process *caller)
{
	struct process *c = n->process;

	thread_free(n);
	if (c != caller)
		process_free(c);
}

/* --- the kernel's part ------------------------------------------------------------------------ */

static int kernel_fork(const struct k_message *m, struct thread *n, const struct lx_clone_args *a,
		       bool thread)
{
	struct k_fork f = { .account = -1,
			    .notify = -1,
			    .tid = n->tid,
			    .pid = n->process->pid,
			    .task = -1,
			    .thread = -1 };
	long r;

	if (thread)
		f.flags = K_FORK_THREAD;
	else
		f.flags = (a->flags & LX_CLONE_VM ? K_FORK_SPACE : 0) |
			  (a->flags & LX_CLONE_FILES ? K_FORK_TABLE : 0) |
			  (a->flags & LX_CLONE_FS ? K_FORK_FS : 0);
	if (a->stack) {
		f.set |= 1;
		f.rsp = a->stack;
	}
	if (a->flags & LX_CLONE_SETTLS) {
		f.set |= 2;
		f.fs_base = a->tls;
	}
	r = k_task_fork(grants.endpoint, m->call, &f);
	if (r < 0)
		return (int)r;
	n->handle = f.thread;
	if (!thread)
		n->process->task = f.task;
	return 0;
}

static void constants_set(struct thread *n, bool thread)
{
	k_thread_set(n->handle, K_THREAD_SET_CONSTANT + K_CONST_TID, n->tid);
	if (thread)
		return;
	k_thread_set(n->handle, K_THREAD_SET_CONSTANT + K_CONST_PID, n->process->pid);
	k_thread_set(n->handle, K_THREAD_SET_CONSTANT + K_CONST_PPID, n->process->parent->pid);
}

/*
 * The tid words. 0, or -K_REDELIVER / -ESRCH; a bad address is the program's own affair, as on
 * Linux.
 */
static int tid_words_write(const struct k_message *m, const struct thread *n,
			   const struct lx_clone_args *a)
{
	int r = 0;

	if (a->flags & LX_CLONE_PARENT_SETTID)
		r = caller_write(m, a->parent_tid, &n->tid, sizeof n->tid);
	if (!caller_is_gone(r) && (a->flags & LX_CLONE_CHILD_SETTID) && (a->flags & LX_CLONE_VM))
		r = caller_write(m, a->child_tid, &n->tid, sizeof n->tid);
	return caller_is_gone(r) ? r : 0;
}

static void vfork_cancel(struct srv_parked *parent, bool dead)
{
	struct thread *t = parent->arg;

	/* nothing but its own death ends this wait */
	if (!dead)
		return;
	t->waiting = NULL;
	t->in_vfork = false;
	((struct process *)(uintptr_t)parent->value[0])->vfork_call = NULL;
	srv_unpark(parent);
}

/*
 * Holds the parent until the child execs or exits. Must be done before the child exists: it may
 * fail.
 */
static int vfork_hold(const struct k_message *m, struct thread *t, struct process *c)
{
	struct srv_parked *parent = srv_park(m, vfork_cancel);

	if (!parent)
		return -ENOMEM;
	parent->arg = t;
	parent->value[0] = (uintptr_t)c;
	c->vfork_call = parent;
	t->waiting = parent;
	t->in_vfork = true;
	return 0;
}

static void vfork_undo(struct thread *t, struct process *c)
{
	if (!c->vfork_call)
		return;
	srv_unpark(c->vfork_call);
	c->vfork_call = NULL;
	t->waiting = NULL;
	t->in_vfork = false;
}

/* --- all together ----------------------------------------------------------------------------- */

static void clone_start(const struct k_message *m, struct thread *n, const struct lx_clone_args *a,
			bool thread)
{
	bool vfork = n->process->vfork_call != NULL;
	uint32_t tid = n->tid;

	system_load_poll();
	constants_set(n, thread);
	if ((a->flags & LX_CLONE_CHILD_SETTID) && !(a->flags & LX_CLONE_VM))
		k_task_memory_write(n->process->task, a->child_tid, &n->tid, sizeof n->tid);
	if (a->flags & LX_CLONE_CHILD_CLEARTID)
		n->clear_tid = a->child_tid;
	process_publish(n->process);
	thread_publish(n);
	k_thread_start(n->handle);
	if (!vfork)
		srv_answer(m->call, tid);
}

static int64_t clone_do(const struct k_message *m, const struct lx_clone_args *a)
{
	struct thread *t = thread_of(m), *n;
	bool thread = a->flags & LX_CLONE_THREAD;
	struct process *p = t->process, *c = p;
	int r = op_clone_check(a, p == process_init);

	if (r)
		return r;
	/* a signal that was sent to the group must not miss the child */
	if (signal_due(t))
		return -K_RESTART_ALWAYS;
	r = limits_check(t);
	if (r)
		return r;
	if (!thread) {
		c = process_inherit(p, a);
		n = c ? c->leader : NULL;
	} else {
		n = thread_new(p, 0);
	}
	if (!n)
		return -EAGAIN;
	thread_inherit(n, t, a->flags);
	r = tid_words_write(m, n, a);
	if (!r && (a->flags & LX_CLONE_VFORK) && !thread)
		r = vfork_hold(m, t, c);
	if (!r)
		r = kernel_fork(m, n, a, thread);
	if (r) {
		vfork_undo(t, c);
		abandon(n, p);
		return r;
	}
	clone_start(m, n, a, thread);
	return 0;
}

static void clone_answer(const struct k_message *m, const struct lx_clone_args *a)
{
	int64_t r = clone_do(m, a);

	if (r == -EINVAL && (a->flags & ~SUPPORTED))
		srv_log("clone with flags %lx is not supported; used by %s, pid %u",
			(unsigned long)(a->flags & ~SUPPORTED), thread_of(m)->comm, m->pid);
	if (r)
		caller_answer(m, r);
}

void in_fork(const struct k_message *m)
{
	struct lx_clone_args a = { .exit_signal = LX_SIGCHLD };

	clone_answer(m, &a);
}

void in_vfork(const struct k_message *m)
{
	struct lx_clone_args a = { .flags = LX_CLONE_VM | LX_CLONE_VFORK,
				   .exit_signal = LX_SIGCHLD };

	clone_answer(m, &a);
}

void in_clone(const struct k_message *m)
{
	struct lx_clone_args a = { .flags = m->arg[0] & ~0xffull & 0xffffffffull,
				   .exit_signal = m->arg[0] & 0xff,
				   .stack = m->arg[1],
				   .parent_tid = m->arg[2],
				   .child_tid = m->arg[3],
				   .tls = m->arg[4] };

	clone_answer(m, &a);
}

/* A newer program may pass more than we know, as long as it is zero. */
static int clone3_read(const struct k_message *m, struct lx_clone_args *a)
{
	uint8_t more[4096 - sizeof *a];
	uint64_t size = m->arg[1];
	int r;

	if (size < 64)
		return -EINVAL;
	if (size > 4096)
		return -E2BIG;
	memset(a, 0, sizeof *a);
	r = caller_read(m, a, m->arg[0], size < sizeof *a ? size : sizeof *a);
	if (r || size <= sizeof *a)
		return r;
	r = caller_read(m, more, m->arg[0] + sizeof *a, size - sizeof *a);
	for (uint64_t i = 0; !r && i < size - sizeof *a; i++) {
		if (more[i])
			r = -E2BIG;
	}
	return r;
}

void in_clone3(const struct k_message *m)
{
	struct lx_clone_args a;
	int r = clone3_read(m, &a);

	if (!r && (a.set_tid_size || a.set_tid || a.cgroup || (a.flags & 0xff) ||
		   !a.stack != !a.stack_size))
		r = -EINVAL;
	if (!r && (a.flags & (LX_CLONE_THREAD | LX_CLONE_PARENT)) && a.exit_signal)
		r = -EINVAL;
	if (r) {
		caller_answer(m, r);
		return;
	}
	a.stack += a.stack_size;
	clone_answer(m, &a);
}
