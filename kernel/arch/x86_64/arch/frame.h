/*
 * The register frame of a thread: everything user mode left in the CPU, except the FPU.
 *
 * It is the first member of the portable `struct thread`, which must be aligned to 16 bytes. The
 * current thread's frame is where both `syscall` and the hardware's interrupt push save registers
 * (TSS.RSP0 points just behind `ss`), so nothing is ever copied. While a thread is current on a
 * CPU its fs and gs bases live in the CPU; arch_switch() moves them here and back.
 *
 * The invariant: `entry` is 0 only when the thread entered by `syscall` and nobody has changed rip,
 * rsp, rflags, rcx or r11 since. Only then may it return by sysret. Hence the accessors below:
 * whoever writes those registers goes through them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ARCH_FRAME_H
#define ARCH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ored to the vector: entered by interrupt or exception, or altered */
#define ARCH_ENTRY_FULL 0x100

struct arch_frame {
	uint64_t r15, r14, r13, r12, rbp, rbx;
	uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t entry; /* 0, or ARCH_ENTRY_FULL | vector */
	uint64_t error; /* error code of the exception */
	uint64_t rip, cs, rflags, rsp, ss;
	uint64_t number; /* rax at the last `syscall` */
	uint64_t fs_base, gs_base; /* valid while the thread is not current on a CPU */
	/* state area of arch_fpu_size() bytes, 64-byte aligned; NULL: no FPU use */
	void *fpu;
	int32_t fpu_cpu; /* the CPU whose registers hold newer FPU state than the area, or -1 */
	uint32_t reserved;
} __attribute__((aligned(16)));

/* A zeroed frame that starts at `pc` with `sp`; other registers are 0, interrupts are on. */
void arch_frame_init(struct arch_frame *f, uint64_t pc, uint64_t sp);

static inline uint64_t arch_frame_syscall_number(const struct arch_frame *f)
{
	return f->number;
}

static inline uint64_t arch_frame_arg(const struct arch_frame *f, unsigned i)
{
	switch (i) {
	case 0: return f->rdi;
	case 1: return f->rsi;
	case 2: return f->rdx;
	case 3: return f->r10;
	case 4: return f->r8;
	default: return f->r9;
	}
}

static inline void arch_frame_set_arg(struct arch_frame *f, unsigned i, uint64_t value)
{
	switch (i) {
	case 0: f->rdi = value; break;
	case 1: f->rsi = value; break;
	case 2: f->rdx = value; break;
	case 3: f->r10 = value; break;
	case 4: f->r8 = value; break;
	default: f->r9 = value; break;
	}
}

static inline void arch_frame_set_result(struct arch_frame *f, int64_t result)
{
	f->rax = (uint64_t)result;
}

static inline int64_t arch_frame_result(const struct arch_frame *f)
{
	return (int64_t)f->rax;
}

static inline uint64_t arch_frame_pc(const struct arch_frame *f)
{
	return f->rip;
}

static inline uint64_t arch_frame_sp(const struct arch_frame *f)
{
	return f->rsp;
}

/* Any value is safe: a pc outside the user half becomes a fault when the thread resumes. */
static inline void arch_frame_set_pc(struct arch_frame *f, uint64_t pc)
{
	f->rip = pc;
	f->entry |= ARCH_ENTRY_FULL;
}

static inline void arch_frame_set_sp(struct arch_frame *f, uint64_t sp)
{
	f->rsp = sp;
}

/* Says that registers were written directly: resume must restore all of them (iretq). */
static inline void arch_frame_altered(struct arch_frame *f)
{
	f->entry |= ARCH_ENTRY_FULL;
}

/* Takes only what user mode may set (arithmetic flags, DF, TF, AC, ID, RF, NT). */
void arch_frame_set_flags(struct arch_frame *f, uint64_t rflags);

/* Makes user mode execute the `syscall` instruction again with its number and arguments. */
static inline void arch_frame_restart_syscall(struct arch_frame *f)
{
	f->rax = f->number;
	arch_frame_set_pc(f, f->rip - 2);
}

/* True if the thread is inside a system call (not an interrupt or exception). */
static inline bool arch_frame_in_syscall(const struct arch_frame *f)
{
	return f->entry == 0;
}

/* Thread pointer (FS base) and GS base. Right for the current thread of this CPU as well as for one
 * that is not running; the thread must not be running on another CPU. Returns -EPERM for an address
 * outside the user half. */
uint64_t arch_frame_tls(const struct arch_frame *f);
int arch_frame_set_tls(struct arch_frame *f, uint64_t base);
uint64_t arch_frame_gs(const struct arch_frame *f);
int arch_frame_set_gs(struct arch_frame *f, uint64_t base);

/*
 * Register exchange in the layout of Linux's `struct user_regs_struct` (27 words), for signals and
 * ptrace. Setting sanitises flags and segments; -EPERM if a base lies outside the user half.
 */
struct arch_user_regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t orig_rax, rip, cs, eflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs;
};
void arch_frame_get_regs(const struct arch_frame *f, struct arch_user_regs *regs);
int arch_frame_set_regs(struct arch_frame *f, const struct arch_user_regs *regs);

/* Copies all registers of `from` (bases included, FPU pointer not) for fork and clone. */
void arch_frame_copy(struct arch_frame *to, const struct arch_frame *from);

#endif
