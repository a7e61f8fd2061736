/* SPDX-License-Identifier: MIT */
/*
 * CPUs, the kernel lock, and who runs.
 *
 * One lock protects the whole kernel; user code and servers run on all CPUs at once. A call to an idle server
 * and its answer switch directly on the caller's CPU (sched_next); everything else goes through one ready queue
 * per priority. There is no periodic tick: a timer is armed for the next deadline, and for the end of a slice only
 * while somebody waits for the CPU.
 */
#ifndef TROUPE_CORE_SCHED_H
#define TROUPE_CORE_SCHED_H

#include "arch/cpu.h"
#include "core/thread.h"

struct cpu {
	struct thread *current;	/* RUNNING here, or NULL */
	struct thread *next;	/* READY, in no queue: runs next unless somebody is more urgent */
	uint32_t index;
	bool resched;		/* look at the ready queues before going on */
	bool slice_over;	/* current has used its slice up */
	bool idle, kicked;	/* halted; an IPI is on its way */
	bool timer_stale;	/* deadline or competition changed */
	bool breathe;		/* a slice of long kernel work is over: let interrupts and other CPUs in */
	int64_t slice_end, armed;
	int64_t switch_time;	/* since when current runs */
	uint64_t idle_ns, switches;
};

extern bool kernel_smp;

void kernel_lock(void);
void kernel_unlock(void);

static inline struct cpu *cpu_self(void)
{
	return arch_cpu_self()->kernel_cpu;
}

void sched_init(void);
void sched_cpu_online(unsigned index);
/* t, in no queue, waits for a CPU. */
void sched_ready(struct thread *t);
/* The same, preferably on this CPU and next. */
void sched_next(struct thread *t);
/* Takes a READY thread out of its queue (or out of a CPU's `next`). */
void sched_unready(struct thread *t);
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
/* Chooses a thread, does its pending work, returns to user mode; or idles. The lock is held and is released. */
_Noreturn void kernel_exit(void);
/* CPU time of a thread up to now. */
void sched_thread_time(struct thread *t, uint64_t *user_ns, uint64_t *system_ns);
void sched_system_info(struct k_system_info *info);

/* thread.c: does what t->flags & THREAD_WORK asks for. t is current and RUNNING, its space is loaded. */
void thread_work(struct thread *t);
/* thread.c: frames charged to the accounts of servers */
uint64_t thread_server_frames(void);
/* thread.c: the thread with that call id whether held or not, or NULL. */
struct thread *thread_by_call(uint64_t call);

#endif
