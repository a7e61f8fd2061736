/*
 * The change of the current thread and of the loaded space: inline, since every call and every
 * answer goes through here, and under an emulator each return costs a look-up after the space has
 * changed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ARCH_SWITCH_H
#define ARCH_SWITCH_H

#include "arch/cpu.h"
#include "arch/paging.h"

/* User mode's FPU instructions trap from now on, or no longer. */
static inline void arch_fpu_trap(struct arch_cpu *cpu, bool on)
{
	uint64_t cr0;

	if (cpu->fpu_trap == on)
		return;
	cpu->fpu_trap = on;
	if (on)
		__asm__ volatile("movq %%cr0, %0; orq $8, %0; movq %0, %%cr0"
				 : "=r"(cr0)
				 :
				 : "memory");
	else
		__asm__ volatile("clts");
}

/* The FPU state of `next` lies in no other CPU than this one, `cpu`. */
static inline bool arch_fpu_is_near(const struct arch_cpu *cpu, const struct arch_frame *next)
{
	return next->fpu_cpu < 0 || next->fpu_cpu == (int32_t)cpu->index;
}

/*
 * True if a switch on this CPU, `cpu`, to `next` moves no more than registers: user mode writes
 * the bases itself, and FPU state that is near stays where it is, as its trap switches it.
 */
static inline bool arch_switch_is_plain(const struct arch_cpu *cpu, const struct arch_frame *next)
{
	return cpu->switch_plain && arch_fpu_is_near(cpu, next);
}

/* Where entries from user mode save registers from now on. */
static inline void arch_frame_set(struct arch_cpu *cpu, struct arch_frame *next)
{
	cpu->frame = next;
	cpu->frame_rsp = (uint64_t)next + offsetof(struct arch_frame, ss);
	/* the end of what the hardware pushes */
	cpu->tss.rsp[0] = (uint64_t)next + offsetof(struct arch_frame, number);
}

/* A switch from `old`, which is current, that is plain. */
static inline void arch_switch_plain(struct arch_cpu *cpu, struct arch_frame *old,
				     struct arch_frame *next)
{
	uint64_t gs;

	__asm__ volatile("rdfsbase %0" : "=r"(old->fs_base));
	__asm__ volatile("wrfsbase %0" ::"r"(next->fs_base));
	__asm__ volatile("swapgs; rdgsbase %0; swapgs" : "=r"(gs));
	old->gs_base = gs;
	if (unlikely(next->gs_base != gs))
		__asm__ volatile("swapgs; wrgsbase %0; swapgs" ::"r"(next->gs_base));
	arch_fpu_trap(cpu, cpu->fpu_owner != next);
	arch_frame_set(cpu, next);
}

/*
 * Makes `next` (NULL: nobody) the current frame of this CPU: saves the old current thread's bases
 * and, where it must, FPU state, and loads those of `next`. Called under the kernel lock whenever
 * the current thread changes, before another CPU may pick up the old one. It does not switch the
 * address space: arch_space_switch() does.
 */
static inline void arch_switch(struct arch_frame *next)
{
	struct arch_cpu *cpu = arch_cpu_self();
	struct arch_frame *old = cpu->frame;

	if (likely(old && next && arch_switch_is_plain(cpu, next))) {
		arch_switch_plain(cpu, old, next);
		return;
	}
	if (old != next) {
		bases_exchange(cpu, old, next);
		fpu_switch(cpu, old, next);
	}
	arch_frame_set(cpu, next);
}

/* Loads the space, not NULL, on this CPU, `cpu`. Nothing happens if it is loaded. */
static inline void arch_space_switch(struct arch_cpu *cpu, struct arch_space *space)
{
	if (!space)
		__builtin_unreachable();	/* so arch_space_load() does not ask */
	if (cpu->space != space)
		arch_space_load(cpu, space);
}

#endif
