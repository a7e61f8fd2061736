/*
 * What the portable kernel supplies and arch calls. All of them run on the CPU's kernel stack, with
 * interrupts disabled and the kernel lock not held.
 *
 * User entries (frame not NULL) normally end in arch_resume() or arch_idle(); if they return, the
 * same frame is resumed. For kernel_syscall() returning is the fastest way back to the same thread:
 * registers that C preserves are then not loaded again, so whoever has written them in the frame
 * has called arch_frame_altered() (the accessors do).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ARCH_ENTRY_H
#define ARCH_ENTRY_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/frame.h"

struct boot_info;

enum arch_fault_kind {
	ARCH_FAULT_PAGE,       /* address, write, exec, present are valid */
	ARCH_FAULT_DIVIDE,     /* integer division by zero or overflow: SIGFPE FPE_INTDIV */
	ARCH_FAULT_FPU,        /* x87: detail is the status word of unmasked exceptions */
	ARCH_FAULT_SIMD,       /* SSE: detail is the MXCSR bits of unmasked exceptions */
	ARCH_FAULT_ILLEGAL,    /* undefined instruction: SIGILL ILL_ILLOPN */
	ARCH_FAULT_BREAKPOINT, /* int3, pc is behind it: SIGTRAP */
	ARCH_FAULT_DEBUG,      /* single step or debug register, detail is DR6: SIGTRAP */
	ARCH_FAULT_ALIGN,      /* alignment check: SIGBUS BUS_ADRALN */
	ARCH_FAULT_PROTECTION, /* general protection, stack, segment: SIGSEGV SI_KERNEL */
	ARCH_FAULT_OVERFLOW,   /* into, bound: SIGSEGV */
	ARCH_FAULT_MACHINE,    /* machine check caused by this thread: SIGBUS */
	ARCH_FAULT_NO_FPU,     /* used the FPU without an area: arch_fpu_attach() one and resume */
};

struct arch_fault {
	enum arch_fault_kind kind;
	uint8_t vector;
	bool write, exec, present; /* PAGE: what was tried; present: a protection, not an absence */
	uint32_t error;            /* the hardware's error code */
	uint32_t detail;
	uint64_t address;          /* PAGE: CR2; else the pc */
};

enum arch_interrupt {
	ARCH_INTERRUPT_TIMER,      /* the deadline of arch_timer_arm() has passed; it is disarmed */
	ARCH_INTERRUPT_RESCHEDULE, /* arch_ipi_reschedule() */
	ARCH_INTERRUPT_DEVICE,     /* irq as in arch/irq.h; level lines are masked by now */
};

/* On the boot CPU: paging, console, interrupts and clock are ready. */
_Noreturn void kernel_main(const struct boot_info *info);
/* On each other CPU, after arch_cpu_start_others(). */
_Noreturn void kernel_secondary(unsigned cpu);

void kernel_syscall(struct arch_frame *frame);
void kernel_fault(struct arch_frame *frame, const struct arch_fault *fault);
void kernel_interrupt(struct arch_frame *frame, enum arch_interrupt kind, unsigned irq);

/* Page-table pages; mm decides who pays. Zeroed; -ENOMEM when there is none. Used only after
 * kernel_main() has begun. */
__attribute__((warn_unused_result)) int frame_alloc_table(uint64_t *pa);
void frame_free_table(uint64_t pa);

#endif
