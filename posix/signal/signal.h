/*
 * Signals: sending, actions, delivery, waiting for them.
 *
 * A signal is queued at a thread or at a process (send.c). A thread that should act on it is made
 * to visit (k_thread_event): it comes with its registers before it returns to user mode
 * (deliver.c), and either gets a handler's frame, stops, dies, or goes on. A call that the visit
 * interrupted says by its result (K_RESTART_*) whether it may be restarted.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_SIGNAL_H
#define POSIX_SIGNAL_H

#include "posix/proc/process.h"
#include "posix/signal/sigqueue.h"

/* --- send.c: all of them do nothing to a process that is dying -------------------------------- */

/*
 * 0, or -EAGAIN when the receiver's limit of queued signals is reached and the siginfo cannot be
 * done without.
 */
int signal_send_thread(struct thread *t, int sig, const struct lx_siginfo *info);
int signal_send_process(struct process *p, int sig, const struct lx_siginfo *info);
/*
 * A timer's signal, e->info, for p or one thread of it (only; may be NULL). It is queued, or taken
 * at once, or else has not left the timer: it is ignored.
 */
void signal_send_entry(struct process *p, struct thread *only, struct sigentry *e);
/* As the kernel sends them: SI_KERNEL, no limit. */
void signal_process_kernel(struct process *p, int sig);
void signal_group_kernel(struct group *g, int sig);
void signal_thread_kernel(struct thread *t, int sig);
/* A fault of the thread itself: cannot be blocked or ignored without ending the process. */
void signal_force(struct thread *t, const struct lx_siginfo *info);
/* May c's bearer signal p? */
bool signal_permitted(const struct thread *from, const struct process *p, int sig);

/* Is there anything that thread should act on at its next visit? */
bool signal_due(const struct thread *t);
/*
 * Its mask, pending set or process state changed while its call is held here: makes it visit if
 * something is due.
 */
void signal_recheck(struct thread *t);
/* Sets the blocked set (KILL and STOP are left out). */
void signal_set_mask(struct thread *t, uint64_t mask);
bool signal_is_ignored(const struct process *p, int sig);	/* by SIG_IGN, or by default */

/* --- deliver.c -------------------------------------------------------------------------------- */

/*
 * Takes the next of t's pending signals that is in `wanted`. The queue it was in, for
 * sigqueue_put_back(); NULL: there is none.
 */
struct sigqueue *signal_take(struct thread *t, uint64_t wanted, struct lx_siginfo *info);

/*
 * The caller of m (a visit, a fault, the end of a hooked operation, or a call that shall end with
 * `result`) goes on: whatever is due is delivered, and it is answered, or held while it is stopped.
 */
void signal_visit(struct thread *t, const struct k_message *m, int64_t result);
/* The same for a visit that has changed the registers already. */
void signal_visit_changed(struct thread *t, const struct k_message *m, const struct k_regs *regs,
			  bool reset_fpu);
/* The kernel does not take the registers of this call's answer. */
void signal_registers_refused(uint64_t call);
/* Answers a call; if a signal is due it is delivered on the way. Without copies or installs. */
void call_answer(const struct k_message *m, int64_t result);
srv_handler signal_event, signal_fault, signal_done;
void in_rt_sigreturn(const struct k_message *m);

/* --- stop.c ----------------------------------------------------------------------------------- */

/* All of p's threads are to stop: sig is why. */
void process_stop(struct process *p, int sig);
void process_continue(struct process *p);
/*
 * Holds the visit of t until the process continues. regs NULL: they are as the kernel has them.
 * False: no memory, go on instead.
 */
bool thread_stop(struct thread *t, const struct k_message *m, int64_t result,
		 const struct k_regs *regs, bool reset_fpu);
/* The visit of a stopped thread is over. */
void thread_stop_end(struct thread *t);
/* A thread is gone: perhaps all others have stopped. */
void process_stop_check(struct process *p);

srv_handler in_rt_sigaction, in_rt_sigprocmask, in_rt_sigpending, in_rt_sigsuspend,
	in_rt_sigtimedwait, in_sigaltstack, in_pause;
srv_handler in_kill, in_tkill, in_tgkill, in_rt_sigqueueinfo, in_rt_tgsigqueueinfo;
srv_handler in_ppoll, in_pselect6, in_epoll_pwait;
int64_t op_kill(struct thread *from, int32_t pid, int sig);
void thread_altstack_get(const struct thread *t, uint64_t sp, struct lx_stack *out);
void thread_altstack_set(struct thread *t, const struct lx_stack *s);
/* Actions that exec sets back. */
void signal_exec(struct thread *t);
/* If t waits in sigtimedwait for one of its pending signals, ends that wait. */
bool signal_timedwait_wake(struct thread *t);

#endif
