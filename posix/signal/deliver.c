/*
 * Delivery: what happens to a thread that visits.
 *
 * A visit goes through everything that is due: stops, ends, and handlers, whose frames are pushed
 * one upon the other as if each had been interrupted before its first instruction. At the end the
 * thread goes on with its registers as they then are.
 *
 * An interrupted call's result says what it wants (K_RESTART_*). With a handler that is decided
 * here: -EINTR, or the call again after the handler (the program counter goes back to the `syscall`
 * instruction). Without a handler the kernel itself goes on with the call.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/signal/signal.h"

#include <errno.h>

#include "posix/proc/caller.h"
#include "posix/proc/cred.h"
#include "posix/proc/exit.h"
#include "posix/proc/init.h"
#include "posix/proc/session.h"
#include "posix/signal/frame.h"
#include "posix/time/timers.h"

struct visit {
	struct thread *thread;
	const struct k_message *m;
	int64_t result;			/* of the call it was in */
	bool in_call;
	/*
	 * Registers are in `regs`, and differ from the kernel's: these are set with the answer, as
	 * is the reset of the FPU, so a server that dies before that leaves a thread that can be
	 * visited anew.
	 */
	bool changed, reset_fpu;
	struct k_regs regs;
	struct frame_fault fault;
};

static bool is_restart(int64_t r)
{
	return r <= -K_RESTART_SYS && r >= -K_RESTART_BLOCK;
}

/* The call that was interrupted is over, or begins again after the handler. */
static void call_settle(struct visit *v, const struct lx_kernel_sigaction *a)
{
	bool again = v->result == -K_RESTART_ALWAYS ||
		     (v->result == -K_RESTART_SYS && (a->flags & LX_SA_RESTART));

	if (!v->in_call)
		return;
	v->in_call = false;
	if (!is_restart(v->result)) {
		v->regs.rax = (uint64_t)v->result;
	} else if (again) {
		v->regs.rip -= 2;
		v->regs.rax = (uint64_t)(uint32_t)v->m->number;
	} else {
		v->regs.rax = (uint64_t)-EINTR;
	}
}

static uint64_t mask_while(const struct lx_kernel_sigaction *a, uint64_t mask, int sig)
{
	return mask | a->mask | (a->flags & LX_SA_NODEFER ? 0 : LX_SIGBIT(sig));
}

/*
 * 0; -K_REDELIVER: the thread comes again. A stack that cannot be written ends it, or runs its
 * SIGSEGV handler elsewhere.
 */
static int handler_start(struct visit *v, const struct lx_siginfo *info)
{
	struct thread *t = v->thread;
	struct lx_kernel_sigaction *at = &t->process->sighand->action[info->signo - 1], a = *at;
	struct k_regs before;
	struct lx_stack altstack;
	struct frame_context c = { .regs = &v->regs,
				   .info = info,
				   .action = &a,
				   .mask = t->have_saved ? t->saved_mask : t->mask,
				   .fault = v->fault,
				   .altstack = &altstack,
				   .fpu_is_initial = v->reset_fpu };
	bool in_call = v->in_call;
	int r = v->changed ? 0 : (int)k_caller_regs_get(grants.endpoint, v->m->call, &v->regs);

	if (r)
		return r;
	before = v->regs;
	altstack = (struct lx_stack){ .sp = t->altstack, .size = t->altstack_size,
		.flags = (int32_t)((t->altstack_size ? 0 : LX_SS_DISABLE) | t->altstack_flags) };
	call_settle(v, &a);
	r = frame_push(v->m->call, &c);
	if (r) {
		v->regs = before;
		v->in_call = in_call;
		return r;
	}
	v->changed = v->reset_fpu = true;
	thread_altstack_set(t, &altstack);
	if (a.flags & LX_SA_RESETHAND)
		at->handler = LX_SIG_DFL;
	t->have_saved = false;
	signal_set_mask(t, mask_while(&a, t->mask, info->signo));
	return 0;
}

static void handler_failed(struct thread *t, int sig)
{
	struct lx_siginfo segv = { .signo = LX_SIGSEGV, .code = LX_SI_KERNEL };

	if (sig == LX_SIGSEGV)
		t->process->sighand->action[LX_SIGSEGV - 1].handler = LX_SIG_DFL;
	srv_log("%s[%u]: no room for the frame of signal %d", t->comm, t->tid, sig);
	signal_force(t, &segv);
}

/* Default action of a signal that is neither ignored nor handled. */
static void default_act(struct thread *t, int sig)
{
	struct process *p = t->process;

	if (SIGSET_IGNORE & LX_SIGBIT(sig))
		return;
	if (!(SIGSET_STOP & LX_SIGBIT(sig))) {
		process_kill(p, sig);
		return;
	}
	/*
	 * nobody could ever continue an orphaned group: keyboard and terminal stops do nothing
	 * there
	 */
	if (sig == LX_SIGSTOP || !group_is_orphaned(p->group, NULL))
		process_stop(p, sig);
}

struct sigqueue *signal_take(struct thread *t, uint64_t wanted, struct lx_siginfo *info)
{
	struct sigqueue *q = &t->pending;
	int sig = sigqueue_next(q, wanted);

	if (!sig) {
		q = &t->process->pending;
		sig = sigqueue_next(q, wanted);
	}
	if (!sig)
		return NULL;
	sigqueue_take(q, sig, info);
	if (sig == LX_SIGALRM && q == &t->process->pending)
		timers_alarm_taken(t->process);
	return q;
}

/* One signal. 0: go on with the next; otherwise the visit is over. */
static int signal_act(struct visit *v)
{
	struct thread *t = v->thread;
	struct lx_siginfo info;
	struct sigqueue *q = signal_take(t, ~t->mask, &info);
	int sig = info.signo, r;
	uint64_t handler;

	if (!q)
		return 0;
	handler = t->process->sighand->action[sig - 1].handler;
	if (handler == LX_SIG_IGN)
		return 0;
	if (handler == LX_SIG_DFL) {
		if (t->process != process_init)
			default_act(t, sig);
		return 0;
	}
	r = handler_start(v, &info);
	if (r == -K_REDELIVER || r == -ESRCH) {
		sigqueue_put_back(q, sig, &info);
		return r;
	}
	if (r)
		handler_failed(t, sig);
	return 0;
}

/* Nothing more is due: the thread goes on. */
static void visit_end(struct visit *v)
{
	const struct k_message *m = v->m;
	struct thread *t = v->thread;

	if (v->changed) {
		t->regs_call = m->call;
		srv_answer(m->call, 0);
		srv_answer_regs(&v->regs, v->reset_fpu);
		return;
	}
	if (m->kind == K_MSG_DONE && is_restart(v->result)) {
		/* the operation goes on, under its own mask */
		srv_answer(m->call, 0);
		srv_answer_flags(K_ANSWER_RESUME);
		return;
	}
	if (t->have_saved) {
		t->have_saved = false;
		signal_set_mask(t, t->saved_mask);
		if (signal_due(t))
			k_thread_event(t->handle);
	}
	if (m->kind == K_MSG_CALL || m->kind == K_MSG_DONE) {
		srv_answer(m->call, v->result);
		return;
	}
	srv_answer(m->call, 0);
	srv_answer_flags(K_ANSWER_RESUME);
}

/* No thread can have these registers: the program's handler or frame was nonsense. */
void signal_registers_refused(uint64_t call)
{
	list_for(l, &process_list) {
		struct process *p = container_of(l, struct process, link);

		list_for(k, &p->threads) {
			if (container_of(k, struct thread, link)->regs_call == call) {
				process_kill(p, LX_SIGSEGV);
				return;
			}
		}
	}
}

/* regs, if given, replace the thread's; fault may be NULL. */
static void visit_run(struct thread *t, const struct k_message *m, int64_t result,
		      const struct k_regs *regs, bool reset_fpu, const struct frame_fault *fault)
{
	struct process *p = t->process;
	struct visit v = {
		.thread = t,
		.m = m,
		.result = result,
		.changed = regs != NULL,
		.reset_fpu = reset_fpu,
	};

	v.in_call = !regs && (m->kind == K_MSG_CALL || m->kind == K_MSG_DONE ||
			      (m->flags & K_MSGF_IN_SYSCALL));
	if (regs)
		v.regs = *regs;
	if (fault)
		v.fault = *fault;
	while (p->state == PROCESS_LIVE && !t->dying) {
		if (p->stop_signal) {
			if (thread_stop(t, m, result, v.changed ? &v.regs : NULL, v.reset_fpu))
				return;
			p->stop_signal = 0;
		}
		if (!signal_due(t)) {
			visit_end(&v);
			return;
		}
		if (signal_act(&v))
			return;
	}
	/*
	 * it is being killed: the kernel has taken the call from us, or its own call is the one
	 * that ends it
	 */
}

void signal_visit(struct thread *t, const struct k_message *m, int64_t result)
{
	visit_run(t, m, result, NULL, false, NULL);
}

void signal_visit_changed(struct thread *t, const struct k_message *m, const struct k_regs *regs,
			  bool reset_fpu)
{
	visit_run(t, m, 0, regs, reset_fpu, NULL);
}

void call_answer(const struct k_message *m, int64_t result)
{
	struct thread *t = thread_of(m);

	if (result == -K_REDELIVER)
		return;
	if (t && signal_due(t) && !is_restart(result))
		signal_visit(t, m, result);
	else
		srv_answer(m->call, result);
}

void signal_event(const struct k_message *m)
{
	struct thread *t = thread_of(m);

	if (!t) {
		srv_answer(m->call, 0);
		srv_answer_flags(K_ANSWER_RESUME);
		return;
	}
	t->in_event = false;
	timers_cpu_check(t->process);
	signal_visit(t, m, m->flags & K_MSGF_IN_SYSCALL ? (int64_t)m->extra[0] : 0);
}

/* --- faults ----------------------------------------------------------------------------------- */

static const struct { uint8_t sig, trap; int16_t code; bool address; } faults[] = {
	[K_FAULT_MAPERR] = { LX_SIGSEGV, 14, LX_SEGV_MAPERR, true },
	[K_FAULT_ACCERR] = { LX_SIGSEGV, 14, LX_SEGV_ACCERR, true },
	[K_FAULT_BUS] = { LX_SIGBUS, 14, LX_BUS_ADRERR, true },
	[K_FAULT_ILLEGAL] = { LX_SIGILL, 6, LX_ILL_ILLOPN, false },
	[K_FAULT_DIVIDE] = { LX_SIGFPE, 0, LX_FPE_INTDIV, false },
	[K_FAULT_FPU] = { LX_SIGFPE, 16, 0, false },
	[K_FAULT_SIMD] = { LX_SIGFPE, 19, 0, false },
	[K_FAULT_BREAKPOINT] = { LX_SIGTRAP, 3, LX_SI_KERNEL, false },
	[K_FAULT_STEP] = { LX_SIGTRAP, 1, LX_TRAP_TRACE, false },
	[K_FAULT_ALIGN] = { LX_SIGBUS, 17, LX_BUS_ADRALN, false },
	[K_FAULT_PROTECTION] = { LX_SIGSEGV, 13, LX_SI_KERNEL, false },
};

/* Exceptions of x87 and SSE have the same six bits; those that are raised and not masked. */
static int fpe_code(uint64_t raised)
{
	if (raised & 0x01)
		return LX_FPE_FLTINV;
	if (raised & 0x04)
		return LX_FPE_FLTDIV;
	if (raised & 0x08)
		return LX_FPE_FLTOVF;
	if (raised & 0x12)
		return LX_FPE_FLTUND;
	return raised & 0x20 ? LX_FPE_FLTRES : LX_FPE_FLTINV;
}

static struct lx_siginfo fault_info(const struct k_message *m, uint64_t rip)
{
	unsigned kind = (unsigned)m->extra[0];
	struct lx_siginfo i = { .signo = faults[kind].sig, .code = faults[kind].code };

	if (kind == K_FAULT_SIMD)
		i.code = fpe_code(m->extra[2] & ~(m->extra[2] >> 7) & 0x3f);
	else if (kind == K_FAULT_FPU)
		i.code = fpe_code(m->extra[2] & 0x3f);
	if (faults[kind].address)
		i.fault.address = m->extra[1];
	else if (i.code != LX_SI_KERNEL)
		i.fault.address = rip;
	return i;
}

static void fault_log(const struct thread *t, const struct k_message *m, const struct k_regs *r,
		      int sig)
{
	uint64_t handler = t->process->sighand->action[sig - 1].handler;

	if (handler == LX_SIG_DFL && sig != LX_SIGTRAP)
		srv_log("%s[%u]: signal %d (fault %u) at %lx ip %lx sp %lx error %lx", t->comm,
			t->tid, sig, (unsigned)m->extra[0], (unsigned long)m->extra[1],
			(unsigned long)r->rip, (unsigned long)r->rsp, (unsigned long)m->extra[2]);
}

void signal_fault(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	struct frame_fault fault;
	struct lx_siginfo info;
	struct k_regs regs;

	if (!t || m->extra[0] >= sizeof faults / sizeof faults[0] || !faults[m->extra[0]].sig) {
		srv_answer(m->call, 0);
		srv_answer_flags(K_ANSWER_EXIT);
		return;
	}
	if (t->process == process_init && !t->process->did_exec && init_try_next(m))
		return;
	if (k_caller_regs_get(grants.endpoint, m->call, &regs) < 0)
		return;
	info = fault_info(m, regs.rip);
	fault = (struct frame_fault){ .error = m->extra[2],
				      .trap = faults[m->extra[0]].trap,
				      .address = m->extra[1] };
	fault_log(t, m, &regs, info.signo);
	signal_force(t, &info);
	visit_run(t, m, 0, NULL, false, &fault);
}

/* --- rt_sigreturn ----------------------------------------------------------------------------- */

void in_rt_sigreturn(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	struct lx_siginfo segv = { .signo = LX_SIGSEGV, .code = LX_SI_KERNEL };
	struct lx_stack altstack;
	struct k_regs regs;
	uint64_t mask;
	int r = (int)k_caller_regs_get(grants.endpoint, m->call, &regs);

	if (!r)
		r = frame_pop(m->call, &regs, &mask, &altstack);
	if (r == -K_REDELIVER || r == -ESRCH)
		return;
	if (r) {
		signal_force(t, &segv);
		signal_visit(t, m, 0);
		return;
	}
	signal_set_mask(t, mask);
	if (t->altstack != altstack.sp || t->altstack_size != altstack.size)
		thread_altstack_set(t, &altstack);
	visit_run(t, m, 0, &regs, false, NULL);
}
