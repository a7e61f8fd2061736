/*
 * The per-CPU block, reached through GS, and what the portable kernel asks of a CPU.
 *
 * Each CPU has one kernel stack; its block sits on the top of that stack's last page, so that an
 * entry from user mode touches one page for both. The kernel always runs with interrupts disabled;
 * arch_idle() is the only place that enables them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/frame.h"
#include "lib/shape.h"

#define ARCH_CPU_MAX 64
#define ARCH_PCID_SLOTS 6

struct arch_space;

struct arch_tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, io_map;
} __attribute__((packed, aligned(4)));

struct arch_cpu {
	struct arch_cpu *self;        /* [I] GS:0 */
	struct arch_frame *frame;     /* of the current thread, NULL when idle */
	uint64_t frame_rsp;           /* &frame->ss: where the syscall entry begins to push */
	uint64_t user_rsp;            /* scratch of the syscall entry */
	uint64_t stack_top;           /* [I] */
	void *current_thread;         /* the portable kernel's, arch never looks */
	void *kernel_cpu;             /* [I] the portable kernel's `struct cpu` */
	uint32_t index;               /* [I] 0 is the boot CPU */
	uint32_t apic_id;             /* [I] */
	struct arch_frame *fpu_owner; /* whose state is in this CPU's FPU registers, or NULL */
	bool fpu_trap;                /* CR0.TS is set */
	bool fpu_saved;               /* idle, and the owner's area is as new as the registers */
	/* [I] the FPU is switched by its trap, the bases without MSRs */
	bool switch_plain;
	bool lazy;                    /* in arch_idle: flush the TLB on waking instead of by IPI */
	bool lazy_stale;              /* ...and it has to */
	bool online, started;
	uint64_t fs_base, gs_base;    /* what the CPU holds where user mode cannot change it */
	struct arch_space *space;     /* loaded space, NULL: the kernel's own */
	uint64_t root;                /* CR3 */
	uint64_t timer_deadline;      /* ns that is wanted, 0 when disarmed */
	uint64_t timer_programmed;    /* ns that the hardware was set to, 0 when it is not set */
	uint32_t pcid_next;
	struct {
		uint64_t space_id, generation;
	} pcid[ARCH_PCID_SLOTS];
	struct arch_tss tss;
	uint64_t gdt[11] __attribute__((aligned(16)));
};

extern struct arch_cpu *arch_cpus[ARCH_CPU_MAX];

/* What CPUID found, the same on all CPUs. */
struct arch_features {
	bool nx, smep, smap, umip, fsgsbase, pge, pcid, invpcid, xsave, xsaveopt, erms, rdtscp,
		rdpid;
	bool tsc_deadline, rdrand, rdseed, tcg, hypervisor, page1g, x2apic, fxsr_opt;
	uint32_t physical_bits;
	char vendor[13], brand[49];
};
extern struct arch_features arch_features;

static inline struct arch_cpu *arch_cpu_self(void)
{
	struct arch_cpu *cpu;
	/* not volatile: it never changes on a CPU's stack */
	__asm__("movq %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* kernel_cpu of this CPU. */
static inline void *arch_cpu_kernel(void)
{
	void *kernel_cpu;

	__asm__("movq %%gs:%c1, %0"
		: "=r"(kernel_cpu)
		: "i"(offsetof(struct arch_cpu, kernel_cpu)));
	return kernel_cpu;
}

static inline unsigned arch_cpu_index(void)
{
	return arch_cpu_self()->index;
}

/* CPUs found; they are numbered 0..count-1. Final before kernel_main() runs. */
unsigned arch_cpu_count(void);

/* Lets the secondary CPUs go, each calls kernel_secondary(). Called once, by the boot CPU, when the
 * portable kernel's per-CPU data is ready. */
void arch_cpu_start_others(void);

/*
 * The parts of a switch, for arch/switch.h alone. Bases on a CPU where only the kernel writes them;
 * FPU state, if it moves.
 */
RARELY void bases_exchange(struct arch_cpu *cpu, struct arch_frame *old,
			   const struct arch_frame *next);
RARELY void fpu_switch(struct arch_cpu *cpu, struct arch_frame *old, struct arch_frame *next);

/* A thread is going away: no CPU may keep its FPU state or its frame. Kernel lock held. */
void arch_frame_drop(struct arch_frame *f);

/* Returns to user mode with `f`, which must be this CPU's current frame. */
_Noreturn void arch_resume(struct arch_frame *f);

/*
 * The CPU is about to idle; kernel lock held, no frame is current. Gives up what others would have
 * to wake it for: FPU state that is in its registers only and, with leave_space, the loaded space.
 */
void arch_idle_prepare(bool leave_space);
/* Enables interrupts and halts. The kernel lock is not held, and no frame is current. An interrupt
 * ends in kernel_interrupt(NULL, ...); when that returns, the CPU idles again. An interrupt that
 * came before is not lost: it is taken at once. */
_Noreturn void arch_idle(void);

/* Asks CPU `cpu` to come to kernel_interrupt(..., ARCH_INTERRUPT_RESCHEDULE, 0) soon. */
void arch_ipi_reschedule(unsigned cpu);

/* For spin loops: a pause that also serves what other CPUs wait for (shootdowns, FPU flushes). The
 * loop of the kernel lock must call it, as it runs with interrupts disabled. */
void arch_tlb_serve(void);

static inline void arch_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

static inline uint64_t arch_tsc(void)
{
	uint64_t low, high; /* rdtsc clears the upper halves */
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return high << 32 | low;
}

/* One word from RDSEED or RDRAND; false if the CPU has none or it ran dry. */
bool arch_random(uint64_t *word);

#endif
