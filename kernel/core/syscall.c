/* SPDX-License-Identifier: MIT */
/*
 * System-call dispatch.
 *
 * Every system call looks its number up in the thread's route table. A shortcut is tried first and
 * either completes the call or declines; then the call becomes a message. Operations are functions
 * that run again from the start after they blocked; what they need to remember is in
 * thread.progress. op_finish() is the one place where an operation's return value takes effect.
 */
#include "core/syscall.h"
#include "arch/entry.h"
#include "core/device.h"
#include "core/endpoint.h"
#include "core/native.h"
#include "core/ops.h"
#include "core/routes.h"
#include "core/sched.h"
#include "core/task.h"
#include "data/description.h"
#include "lib/errno.h"
#include "lib/string.h"

HOT_DATA bool shortcuts_off;
HOT_DATA uint64_t stat_calls, stat_shortcuts;

static op_function *const op_table[K_OPS] = {
#define X(name) [K_OP_##name] = op_##name,
#include "abi/ops.def"
#undef X
};

static const struct k_route route_nowhere = { .destination = K_TO_NOWHERE };

static const struct k_route *route_of(const struct thread *t, uint32_t number)
{
	return number < K_ROUTE_NUMBERS ? &t->routes->entry[number] : &route_nowhere;
}

/* --- messages ----------------------------------------------------------------------------- */

HOT_DATA uint64_t call_sequence;

/* What endpoint e may know of the caller: cookies of its own descriptions only. */
void message_resolve(struct thread *t, struct endpoint *e)
{
	struct k_message *m = &t->message;
	struct fsctx *f = t->task->fsctx;
	struct description *d = t->call_fd ? description_of(t->call_fd) : NULL;

	m->cwd = f->cwd && description_of(f->cwd)->endpoint == e ? description_of(f->cwd)->cookie :
								   0;
	m->root = f->root && description_of(f->root)->endpoint == e ?
			  description_of(f->root)->cookie :
			  0;
	m->umask = f->umask;
	if (!d)
		return;
	m->fd_flags = d->status;
	m->flags &= ~K_MSGF_FOREIGNFD;
	m->cookie = 0;
	if (d->endpoint == e)
		m->cookie = d->cookie;
	else
		m->flags |= K_MSGF_FOREIGNFD;
}

/*
 * The call goes to the server its route names. arg are the operation's arguments or the registers'.
 */
static WHOLE void call_route(struct thread *t, const struct k_route *route, const uint64_t *arg,
			     uint32_t flags)
{
	struct k_message *m = &t->message;
	struct endpoint *e = NULL;
	struct description *d;

	message_begin(t, K_MSG_CALL);
	m->number = t->number;
	m->flags = flags;
	memcpy(m->arg, arg, sizeof(m->arg));
	if (flags & K_MSGF_DECLINED) {
		m->extra[0] = t->progress.done;
		m->extra[1] = (uint64_t)t->progress.reason;
	}
	if (!t->call_fd && (route->destination == K_TO_DESCRIPTOR || route->flags & K_ROUTE_FD)) {
		d = description_get(t, (uint32_t)arg[0]);
		if (d) {
			t->call_fd = &d->object;
			object_get(t->call_fd);
		} else if (route->destination == K_TO_DESCRIPTOR ||
			   route->flags & K_ROUTE_FD_ONLY) {
			op_finish(t, -EBADF);
			return;
		} else {
			m->flags |= K_MSGF_BADFD;
		}
	}
	if (route->destination == K_TO_DESCRIPTOR)
		e = description_of(t->call_fd)->endpoint;
	else if (route->destination == K_TO_NOWHERE)
		e = t->routes->home[0];
	else
		e = t->routes->home[route->destination - K_TO_HOME0];
	if (!e) {
		call_release(t);
		op_finish(t, -ENOSYS);
		return;
	}
	progress_end(t);
	t->op = 0;
	t->flags &= ~(THREAD_AUTHORITY | THREAD_ARGS);
	message_resolve(t, e);
	call_send(t, e);
}

/* --- operations --------------------------------------------------------------------------- */

static inline void registers_read(const struct thread *t, uint64_t *arg)
{
	arg[0] = arch_frame_arg(&t->frame, 0);
	arg[1] = arch_frame_arg(&t->frame, 1);
	arg[2] = arch_frame_arg(&t->frame, 2);
	arg[3] = arch_frame_arg(&t->frame, 3);
	arg[4] = arch_frame_arg(&t->frame, 4);
	arg[5] = arch_frame_arg(&t->frame, 5);
}

static void op_arguments(const struct thread *t, uint64_t *arg)
{
	if (t->flags & THREAD_ARGS)
		memcpy(arg, t->op_args, sizeof(t->op_args));
	else
		registers_read(t, arg);
}

void op_end(struct thread *t)
{
	progress_end(t);
	t->op = 0;
	if (!(t->flags & (THREAD_AUTHORITY | THREAD_ARGS)))
		return;
	t->flags &= ~(THREAD_AUTHORITY | THREAD_ARGS);
	if (t->call_fd) {
		object_put(t->call_fd);
		t->call_fd = NULL;
	}
}

static void op_declined(struct thread *t)
{
	uint64_t arg[6];

	/* The server that wanted to hear of the end hears of this instead. */
	if (t->flags & THREAD_HOOK) {
		t->flags &= ~THREAD_HOOK;
		object_put(&t->hook->object);
		t->hook = NULL;
	}
	op_arguments(t, arg);
	call_route(t, route_of(t, (uint32_t)t->op_number), arg, K_MSGF_DECLINED);
}

static bool is_restart_class(int64_t r)
{
	return r <= -K_RESTART_SYS && r >= -K_RESTART_BLOCK;
}

static void op_completed(struct thread *t, int64_t r)
{
	struct k_message *m = &t->message;
	struct endpoint *hook = t->hook;

	/* A stopped operation may go on later with what it remembers: K_ANSWER_RESUME. */
	if (!is_restart_class(r)) {
		op_end(t);
	} else {
		t->flags |= THREAD_EVENT;
	}
	if (!(t->flags & THREAD_HOOK)) {
		arch_frame_set_result(&t->frame, r);
		return;
	}
	t->flags &= ~THREAD_HOOK;
	if (hook == t->routes->home[0])
		t->flags &= ~THREAD_EVENT;	/* the visit that the event asks for is this one */
	t->hook = NULL;
	message_begin(t, K_MSG_DONE);
	m->number = t->number;
	m->extra[0] = (uint64_t)r;
	call_send(t, hook);
	object_put(&hook->object);
}

void op_finish_rest(struct thread *t, int64_t r)
{
	switch (r) {
	case OP_DECLINE:
		op_declined(t);
		break;
	case OP_PREEMPT:
		t->flags |= THREAD_RESTART;
		cpu_self()->resched = true;
		break;
	case OP_MEMORY:
		thread_visit(t, K_MSG_MEMORY);
		break;
	case OP_DONE:
		op_end(t);
		break;
	default:
		op_completed(t, r);
	}
}

/*
 * A server's call. The two that count are as in the table, but inline: their arguments come
 * straight from the frame, and their results need no look.
 */
static inline __attribute__((always_inline)) void native_begin(struct thread *t, unsigned native)
{
	uint64_t arg[6];

	if (native == K_NATIVE_receive - K_NATIVE_BASE) {
		uint64_t a[6];

		t->op = OP_NATIVE | (K_NATIVE_receive - K_NATIVE_BASE);
		registers_read(t, a);
		op_finish(t, native_receive_begin(t, a));
	} else if (native == K_NATIVE_call - K_NATIVE_BASE) {
		uint64_t a[6];

		t->op = OP_NATIVE | (K_NATIVE_call - K_NATIVE_BASE);
		registers_read(t, a);
		op_finish(t, native_call(t, a));
	} else {
		t->op = OP_NATIVE | native;
		registers_read(t, arg);
		op_finish(t, native_table[native](t, arg));
	}
}

/* Nobody has a system call with so great a number; negative ones say something else. */
static inline void number_clamp(struct thread *t)
{
	if ((uint32_t)t->number > INT32_MAX)
		t->number = INT32_MAX;
}

/* A system call from its beginning; t->number is its number as given. */
static inline __attribute__((always_inline)) void syscall_begin(struct thread *t)
{
	const struct k_route *route;
	uint32_t number = (uint32_t)t->number;
	unsigned native = number - K_NATIVE_BASE;
	uint64_t arg[7];
	int64_t r;

	if (native < K_NATIVE_END - K_NATIVE_BASE && t->routes->flags & K_ROUTES_NATIVE) {
		native_begin(t, native);
		return;
	}
	registers_read(t, arg);
	route = route_of(t, number);
	if (unlikely(route == &route_nowhere))
		number_clamp(t);
	if (route->shortcut && (!shortcuts_off || t->routes->flags & K_ROUTES_NATIVE)) {
		arg[6] = route->argument;
		t->op = route->shortcut;
		t->op_number = t->number;
		r = op_table[route->shortcut](t, arg);
		if (r != OP_DECLINE)
			stat_shortcuts++;
		op_finish(t, r);
		return;
	}
	t->op = 0;
	call_route(t, route, arg, 0);
}

void syscall_run(struct thread *t)
{
	uint64_t arg[7];

	op_arguments(t, arg);
	if (t->op & OP_NATIVE) {
		op_finish(t, native_table[t->op & ~OP_NATIVE](t, arg));
	} else if (t->op) {			/* again, or forwarded */
		arg[6] = route_of(t, (uint32_t)t->op_number)->argument;
		op_finish(t, op_table[t->op](t, arg));
	} else {
		syscall_begin(t);
	}
}

WHOLE void kernel_syscall(struct arch_frame *frame)
{
	struct thread *t = (struct thread *)frame;
	struct cpu *c = cpu_self();

	kernel_lock();
	/* the upper half does not count, as on Linux */
	t->number = (int32_t)arch_frame_syscall_number(frame);
	if (t->progress.active)		/* left from a call that a handler interrupted */
		progress_end(t);
	/*
	 * Killed or asked to visit while it waited for the lock: nobody would take the call back
	 * from a server's queue.
	 */
	if (likely(!(t->flags & (THREAD_KILLED | THREAD_EVENT)))) {
		syscall_begin(t);
	} else {
		number_clamp(t);
		t->op = 0;
		arch_frame_set_result(frame, -K_RESTART_ALWAYS);
	}
	if (!c->next &&
	    likely(t->state == THREAD_RUNNING && !(t->flags & THREAD_WORK) && !c->due)) {
		kernel_unlock();
		return;		/* the short way back to user mode */
	}
	kernel_exit_call(c, t);
}

/* --- faults and interrupts ---------------------------------------------------------------- */

static enum k_fault fault_kind(const struct arch_fault *f)
{
	switch (f->kind) {
	case ARCH_FAULT_DIVIDE: return K_FAULT_DIVIDE;
	case ARCH_FAULT_FPU: return K_FAULT_FPU;
	case ARCH_FAULT_SIMD: return K_FAULT_SIMD;
	case ARCH_FAULT_ILLEGAL: return K_FAULT_ILLEGAL;
	case ARCH_FAULT_BREAKPOINT: return K_FAULT_BREAKPOINT;
	case ARCH_FAULT_DEBUG: return K_FAULT_STEP;
	case ARCH_FAULT_ALIGN: return K_FAULT_ALIGN;
	case ARCH_FAULT_MACHINE: return K_FAULT_BUS;
	default: return K_FAULT_PROTECTION;
	}
}

static void fault_report(struct thread *t, enum k_fault kind, uint64_t address, uint64_t detail)
{
	struct k_message *m = &t->message;

	if (!t->routes->home[0]) {
		t->flags |= THREAD_EXITING;
		return;
	}
	message_begin(t, K_MSG_FAULT);
	m->extra[0] = kind;
	m->extra[1] = address;
	m->extra[2] = detail;
	call_send(t, t->routes->home[0]);
}

static void fault_page(struct thread *t, const struct arch_fault *f)
{
	int64_t r = space_fault(t, f->address, f->write, f->exec);

	if (r == 0)
		t->minor_faults++;
	else if (r == OP_BLOCK)
		t->major_faults++;
	else if (r == OP_MEMORY)
		thread_visit(t, K_MSG_MEMORY);
	else if (r != OP_PREEMPT)
		fault_report(t, (enum k_fault)-r, f->address, f->error);
}

void kernel_fault(struct arch_frame *frame, const struct arch_fault *f)
{
	struct thread *t = (struct thread *)frame;

	kernel_lock();
	t->number = -1;
	t->op = 0;
	if (t->flags & THREAD_KILLED)
		;	/* dies on the way out */
	else if (f->kind == ARCH_FAULT_PAGE)
		fault_page(t, f);
	else if (f->kind != ARCH_FAULT_NO_FPU)
		fault_report(t, fault_kind(f), f->address, f->detail);
	else if (thread_fpu_attach(t))
		thread_visit(t, K_MSG_MEMORY);
	kernel_exit(cpu_self());
}

void kernel_interrupt(struct arch_frame *frame, enum arch_interrupt kind, unsigned irq)
{
	if (frame)
		((struct thread *)frame)->number = -1;
	kernel_lock();
	sched_interrupt_enter();
	if (kind == ARCH_INTERRUPT_TIMER)
		sched_timer_interrupt();
	else if (kind == ARCH_INTERRUPT_DEVICE)
		irq_raise(irq);
	else
		cpu_self()->resched = true;
	kernel_exit(cpu_self());
}
