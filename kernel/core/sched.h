/* SPDX-License-Identifier: MIT */
/*
 * CPUs, the kernel lock, and who runs.
 *
 * One lock protects the whole kernel; user code and servers run on all CPUs at once. A call to an
 * idle server and its answer switch directly on the caller's CPU (sched_next); everything else goes
 * through one ready queue per priority. There is no periodic tick: a timer is armed for the next
 * deadline, and for the end of a slice only while somebody waits for the CPU.
 */
#ifndef TROUPE_CORE_SCHED_H
#define TROUPE_CORE_SCHED_H

#include "arch/cpu.h"
#include "core/thread.h"

struct cpu {
	struct thread *current;	/* RUNNING here, or NULL */
	struct thread *next;	/* READY, in no queue: runs next unless somebody is more urgent */
	union {
		struct {
			bool resched;		/* look at the ready queues before going on */
			bool slice_over;	/* current has used its slice up */
			bool timer_stale;	/* deadline or competition changed */
			/* a slice of long kernel work is over: let interrupts and other CPUs in */
			bool breathe;
			/* [I] a switch moves more than registers (arch/switch.h) */
			bool switch_long;
		};
		uint32_t due;		/* any of the first four: not the short way out */
		uint64_t due_switch;	/* any of them: not by the short switch */
	};
	uint32_t index;
	bool idle, kicked;	/* halted; an IPI is on its way */
	bool bereft;		/* a thread died here since it last idled: its space may go, too */
	int64_t slice_end, armed;
	int64_t switch_time;	/* since when current runs */
	uint64_t idle_ns, switches;
};

extern bool kernel_smp;

extern uint32_t lock_word;
RARELY void lock_take(void);

static inline void kernel_lock(void)
{
	if (unlikely(kernel_smp))
		lock_take();
}

static inline void kernel_unlock(void)
{
	if (unlikely(kernel_smp))
		__atomic_store_n(&lock_word, 0, __ATOMIC_RELEASE);
}

static inline struct cpu *cpu_self(void)
{
	return arch_cpu_kernel();
}

static inline bool may_run_on(const struct thread *t, unsigned cpu)
{
	return likely(t->affinity == UINT64_MAX) || t->affinity >> cpu & 1;
}

void sched_init(void);
void sched_cpu_online(unsigned index);
/* t, in no queue, waits for a CPU. */
RARELY void sched_ready(struct thread *t);
/* The same, preferably on this CPU and next. */
RARELY void sched_next_with_care(struct thread *t);	/* when that cannot be had just so */
static inline void sched_next(struct thread *t)
{
	struct cpu *c = cpu_self();

	if (unlikely(c->next || t->affinity != UINT64_MAX)) {
		sched_next_with_care(t);
		return;
	}
	t->state = THREAD_READY;
	c->next = t;
}
/* Takes a READY thread out of its queue (or out of a CPU's `next`). */
RARELY void sched_unready(struct thread *t);
/* A thread that runs on some CPU must look at its flags soon. */
void sched_poke(struct thread *t);
/* The current thread is gone from this CPU for good. */
void sched_drop_current(struct thread *t);
/* First thing in every interrupt. */
void sched_interrupt_enter(void);
/* The earliest deadline changed (core/timer.c). */
void sched_timer_changed(void);
/* The timer of this CPU fired. */
void sched_timer_interrupt(void);
/*
 * Chooses a thread, does its pending work, returns to user mode; or idles. c is this CPU. The lock
 * is held and is released.
 */
_Noreturn void kernel_exit(struct cpu *c);
/*
 * The same at the end of a system call of t, who is current; if not any more, c->due says so. No
 * other may be passed: see sched_drop_current().
 */
_Noreturn void kernel_exit_call(struct cpu *c, struct thread *t);
/*
 * The first time on a CPU, with the lock held, after sched_cpu_online(). A function of its own, as
 * the compiler takes cpu_self() for constant.
 */
_Noreturn RARELY void sched_start(void);
/* CPU time of a thread up to now. */
void sched_thread_time(struct thread *t, uint64_t *user_ns, uint64_t *system_ns);
void sched_system_info(struct k_system_info *info);

/*
 * thread.c: does what t->flags & THREAD_WORK asks for. t is current and RUNNING, its space is
 * loaded.
 */
void thread_work(struct thread *t);
/* thread.c: frames charged to the accounts of servers */
uint64_t thread_server_frames(void);
/* thread.c: the thread table. The low bits of a call's id are its thread's slot. */
#define CALL_SLOT_BITS 20
extern struct thread **thread_table;
extern uint32_t thread_capacity;	/* a power of 2 */
extern uint32_t thread_mask;		/* the same less 1 */

/* The thread with that call id whether held or not, or NULL. */
static inline struct thread *thread_by_call(uint64_t call)
{
	/* of an id that never was any slot will do */
	struct thread *t = thread_table[call & thread_mask];

	return t && t->call == call ? t : NULL;
}

#endif
