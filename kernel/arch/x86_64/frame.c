/*
 * A thread's registers as portable code handles them, and the change of the current thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/frame.h"
#include "priv.h"
#include "lib/errno.h"
#include "lib/string.h"

#define FLAG_ALWAYS 0x202ull    /* the reserved bit, and interrupts */
#define FLAGS_USER 0x254dd5ull  /* CF PF AF ZF SF TF DF OF NT RF AC ID */

#define CHECK(field, offset) _Static_assert(offsetof(struct arch_frame, field) == offset, "asm.h")
CHECK(r15, FRAME_R15);
CHECK(r14, FRAME_R14);
CHECK(r13, FRAME_R13);
CHECK(r12, FRAME_R12);
CHECK(rbp, FRAME_RBP);
CHECK(rbx, FRAME_RBX);
CHECK(r10, FRAME_R10);
CHECK(r9, FRAME_R9);
CHECK(r8, FRAME_R8);
CHECK(rax, FRAME_RAX);
CHECK(rdx, FRAME_RDX);
CHECK(rsi, FRAME_RSI);
CHECK(rdi, FRAME_RDI);
CHECK(entry, FRAME_ENTRY);
CHECK(error, FRAME_ERROR);
CHECK(rip, FRAME_RIP);
CHECK(cs, FRAME_CS);
CHECK(rflags, FRAME_RFLAGS);
CHECK(rsp, FRAME_RSP);
CHECK(ss, FRAME_SS);
CHECK(number, FRAME_NUMBER);
_Static_assert(FRAME_END % 16 == 0, "the hardware aligns RSP0");
_Static_assert(offsetof(struct arch_cpu, frame) == CPU_FRAME, "asm.h");
_Static_assert(offsetof(struct arch_cpu, frame_rsp) == CPU_FRAME_RSP, "asm.h");
_Static_assert(offsetof(struct arch_cpu, user_rsp) == CPU_USER_RSP, "asm.h");
_Static_assert(offsetof(struct arch_cpu, stack_top) == CPU_STACK_TOP, "asm.h");

void arch_frame_init(struct arch_frame *f, uint64_t pc, uint64_t sp)
{
	*f = (struct arch_frame){
		.rip = pc,
		.rsp = sp,
		.cs = SELECTOR_USER_CODE,
		.ss = SELECTOR_USER_DATA,
		.rflags = FLAG_ALWAYS,
		.entry = ARCH_ENTRY_FULL,
		.number = ~0ull,
		.fpu_cpu = -1,
	};
}

void arch_frame_set_flags(struct arch_frame *f, uint64_t rflags)
{
	f->rflags = (rflags & FLAGS_USER) | FLAG_ALWAYS;
	f->entry |= ARCH_ENTRY_FULL;
}

static bool is_current(const struct arch_frame *f)
{
	return arch_cpu_self()->frame == f;
}

/*
 * The bases as the CPU has them now; while in the kernel, user mode's GS base is the swapped one.
 */
static uint64_t fs_read(const struct arch_cpu *cpu)
{
	uint64_t base = cpu->fs_base;
	if (arch_features.fsgsbase)
		__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

static uint64_t gs_read(const struct arch_cpu *cpu)
{
	uint64_t base = cpu->gs_base;
	if (arch_features.fsgsbase)
		__asm__ volatile("swapgs; rdgsbase %0; swapgs" : "=r"(base));
	return base;
}

static void fs_write(struct arch_cpu *cpu, uint64_t base)
{
	if (!arch_features.fsgsbase && cpu->fs_base == base)
		return;
	cpu->fs_base = base;
	if (arch_features.fsgsbase)
		__asm__ volatile("wrfsbase %0" ::"r"(base));
	else
		msr_write(MSR_FS_BASE, base);
}

static void gs_write(struct arch_cpu *cpu, uint64_t base)
{
	if (!arch_features.fsgsbase && cpu->gs_base == base)
		return;
	cpu->gs_base = base;
	if (arch_features.fsgsbase)
		__asm__ volatile("swapgs; wrgsbase %0; swapgs" ::"r"(base));
	else
		msr_write(MSR_KERNEL_GS_BASE, base);
}

uint64_t arch_frame_tls(const struct arch_frame *f)
{
	return is_current(f) ? fs_read(arch_cpu_self()) : f->fs_base;
}

uint64_t arch_frame_gs(const struct arch_frame *f)
{
	return is_current(f) ? gs_read(arch_cpu_self()) : f->gs_base;
}

int arch_frame_set_tls(struct arch_frame *f, uint64_t base)
{
	if (base >= ARCH_USER_TOP)
		return -EPERM;
	f->fs_base = base;
	if (is_current(f))
		fs_write(arch_cpu_self(), base);
	return 0;
}

int arch_frame_set_gs(struct arch_frame *f, uint64_t base)
{
	if (base >= ARCH_USER_TOP)
		return -EPERM;
	f->gs_base = base;
	if (is_current(f))
		gs_write(arch_cpu_self(), base);
	return 0;
}

void bases_exchange(struct arch_cpu *cpu, struct arch_frame *old, const struct arch_frame *next)
{
	if (old) {
		old->fs_base = fs_read(cpu);
		old->gs_base = gs_read(cpu);
	}
	if (next) {
		fs_write(cpu, next->fs_base);
		gs_write(cpu, next->gs_base);
	}
}

void arch_frame_get_regs(const struct arch_frame *f, struct arch_user_regs *regs)
{
	memcpy(regs, f, offsetof(struct arch_frame, entry)); /* r15 ... rdi: Linux's order */
	regs->orig_rax = f->entry ? ~0ull : f->number;
	regs->rip = f->rip;
	regs->cs = f->cs;
	regs->eflags = f->rflags;
	regs->rsp = f->rsp;
	regs->ss = f->ss;
	regs->fs_base = arch_frame_tls(f);
	regs->gs_base = arch_frame_gs(f);
	regs->ds = regs->es = regs->fs = regs->gs = 0;
	if (!f->entry) { /* `syscall` left these to the CPU */
		regs->rcx = f->rip;
		regs->r11 = f->rflags;
	}
}
_Static_assert(offsetof(struct arch_user_regs, orig_rax) == offsetof(struct arch_frame, entry),
	       "order");
_Static_assert(sizeof(struct arch_user_regs) == 27 * 8, "struct user_regs_struct");

int arch_frame_set_regs(struct arch_frame *f, const struct arch_user_regs *regs)
{
	if (regs->fs_base >= ARCH_USER_TOP || regs->gs_base >= ARCH_USER_TOP)
		return -EPERM;
	memcpy(f, regs, offsetof(struct arch_frame, entry));
	f->rip = regs->rip;
	f->rsp = regs->rsp;
	arch_frame_set_flags(f, regs->eflags);
	int e = arch_frame_set_tls(f, regs->fs_base);
	return e ? e : arch_frame_set_gs(f, regs->gs_base);
}

void arch_frame_copy(struct arch_frame *to, const struct arch_frame *from)
{
	void *fpu = to->fpu;
	int32_t fpu_cpu = to->fpu_cpu;
	uint64_t fs = arch_frame_tls(from), gs = arch_frame_gs(from);
	*to = *from;
	to->fs_base = fs;
	to->gs_base = gs;
	to->fpu = fpu;
	to->fpu_cpu = fpu_cpu;
	if (!to->entry) { /* the copy may be altered: rcx and r11 must hold by iretq, too */
		to->rcx = to->rip;
		to->r11 = to->rflags;
	}
}
