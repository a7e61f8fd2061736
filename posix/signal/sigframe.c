/*
 * Signal frames, built and read back. The layouts are those of Linux's asm/sigcontext.h and
 * asm/ucontext.h for x86-64; the host test holds them against frames that Linux made.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/signal/sigframe.h"

#include <errno.h>
#include <string.h>

#define USER_END 0x00007ffffffff000ull
#define RED_ZONE 128u
#define USER_CS 0x33
#define USER_SS 0x2b

/* ucontext.flags: the FPU state is XSAVE's; ss is saved; ss is to be restored as it was. */
#define UC_FP_XSTATE 1u
#define UC_SIGCONTEXT_SS 2u
#define UC_STRICT_RESTORE_SS 4u

#define FP_XSTATE_MAGIC1 0x46505853u
#define FP_XSTATE_MAGIC2 0x46505845u
#define XSTATE_HEADER 512u	/* where the header of an XSAVE area is, and its size */
#define XSTATE_HEADER_SIZE 64u
#define XFEATURES_LEGACY 3u	/* x87 and SSE */

enum {
	FLAG_CF = 1 << 0, FLAG_PF = 1 << 2, FLAG_AF = 1 << 4, FLAG_ZF = 1 << 6, FLAG_SF = 1 << 7,
	FLAG_TF = 1 << 8, FLAG_DF = 1 << 10, FLAG_OF = 1 << 11, FLAG_RF = 1 << 16,
	FLAG_AC = 1 << 18,
};
#define FLAGS_OF_PROGRAM                                                                           \
	((uint64_t)(FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_TF | FLAG_DF |          \
		    FLAG_OF | FLAG_RF | FLAG_AC))

struct sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
	uint16_t cs, gs, fs, ss;
	uint64_t error, trap, oldmask, cr2;
	uint64_t fpstate;
	uint64_t reserved[8];
};

struct ucontext {
	uint64_t flags, link;
	struct lx_stack stack;
	struct sigcontext context;
	uint64_t mask;
};

struct frame {
	uint64_t restorer;
	struct ucontext uc;
	struct lx_siginfo info;
};

/* In the last 48 bytes of the legacy FPU area, which the processor leaves to software. */
struct fpu_mark {
	uint32_t magic, extended_size;
	uint64_t xfeatures;
	uint32_t xstate_size, padding[7];
};

_Static_assert(sizeof(struct sigcontext) == 256, "sigcontext of the kernel ABI");
_Static_assert(offsetof(struct frame, uc.mask) == 304, "ucontext of the kernel ABI");
_Static_assert(sizeof(struct frame) == SIGFRAME_FIXED, "rt_sigframe of the kernel ABI");
_Static_assert(sizeof(struct fpu_mark) == 48, "software bytes of the FPU area");

#define FPU_MARK_AT (SIGFRAME_FPU_LEGACY - sizeof(struct fpu_mark))

static void context_save(struct sigcontext *c, const struct k_regs *r)
{
	*c = (struct sigcontext){
		.r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = r->r11, .r12 = r->r12,
		.r13 = r->r13, .r14 = r->r14, .r15 = r->r15, .rdi = r->rdi, .rsi = r->rsi,
		.rbp = r->rbp, .rbx = r->rbx, .rdx = r->rdx, .rax = r->rax, .rcx = r->rcx,
		.rsp = r->rsp, .rip = r->rip, .rflags = r->rflags, .cs = USER_CS, .ss = USER_SS,
	};
}

static void context_restore(const struct sigcontext *c, struct k_regs *r)
{
	uint64_t rflags = (r->rflags & ~FLAGS_OF_PROGRAM) | (c->rflags & FLAGS_OF_PROGRAM);

	*r = (struct k_regs){
		.r8 = c->r8, .r9 = c->r9, .r10 = c->r10, .r11 = c->r11, .r12 = c->r12,
		.r13 = c->r13, .r14 = c->r14, .r15 = c->r15, .rdi = c->rdi, .rsi = c->rsi,
		.rbp = c->rbp, .rbx = c->rbx, .rdx = c->rdx, .rax = c->rax, .rcx = c->rcx,
		.rsp = c->rsp, .rip = c->rip, .rflags = rflags,
		.fs_base = r->fs_base, .gs_base = r->gs_base,
	};
}

static bool stack_holds(const struct lx_stack *s, uint64_t sp)
{
	return sp > s->sp && sp - s->sp <= s->size;
}

/* An alternate stack that disarms itself is never "in use": a nested handler starts at its top. */
static bool stack_in_use(const struct lx_stack *s, uint64_t sp)
{
	return !((uint32_t)s->flags & LX_SS_AUTODISARM) && stack_holds(s, sp);
}

static bool stack_is_set(const struct lx_stack *s)
{
	return s->size != 0 && !(s->flags & LX_SS_DISABLE);
}

static size_t fpu_space(const struct sigframe_thread *t)
{
	return t->fpu_size + (t->xfeatures ? sizeof(uint32_t) : 0);
}

static bool fpu_size_ok(const struct sigframe_thread *t)
{
	uint32_t least = XSTATE_HEADER + (t->xfeatures ? XSTATE_HEADER_SIZE : 0);

	return t->fpu_size >= least && t->fpu_size <= SIGFRAME_FPU_MAX;
}

/* Where the FPU state and the frame go. */
static int frame_place(const struct sigframe_thread *t, const struct lx_kernel_sigaction *action,
		       uint64_t *frame, uint64_t *fpu)
{
	uint64_t sp = t->regs->rsp - RED_ZONE;
	bool on_stack = stack_in_use(&t->stack, sp);

	if ((action->flags & LX_SA_ONSTACK) && stack_is_set(&t->stack) && !on_stack) {
		sp = t->stack.sp + t->stack.size;
		on_stack = true;
	}
	*fpu = (sp - fpu_space(t)) & ~UINT64_C(63);
	*frame = ((*fpu - sizeof(struct frame)) & ~UINT64_C(15)) - 8;
	if (on_stack && !stack_holds(&t->stack, *frame))
		return -EFAULT;
	/* A stack pointer near 0 has wrapped around to the far end by now. */
	if (*frame >= USER_END || sp > USER_END || *frame > sp)
		return -EFAULT;
	return 0;
}

static void fpu_put(const struct sigframe_thread *t, uint8_t *at)
{
	struct fpu_mark mark = {
		.magic = FP_XSTATE_MAGIC1,
		.extended_size = (uint32_t)fpu_space(t),
		.xfeatures = t->xfeatures,
		.xstate_size = t->fpu_size,
	};
	uint32_t end = FP_XSTATE_MAGIC2;
	uint64_t present;

	memcpy(at, t->fpu, t->fpu_size);
	if (!t->xfeatures)
		return;
	memcpy(at + FPU_MARK_AT, &mark, sizeof(mark));
	memcpy(at + t->fpu_size, &end, sizeof(end));
	/* The handler may write the legacy part without knowing about XSAVE: it counts, always. */
	memcpy(&present, at + XSTATE_HEADER, sizeof(present));
	present |= XFEATURES_LEGACY;
	memcpy(at + XSTATE_HEADER, &present, sizeof(present));
}

static void registers_for_handler(const struct k_regs *from,
				  const struct lx_kernel_sigaction *action, int32_t sig,
				  uint64_t frame, struct k_regs *to)
{
	*to = *from;
	to->rdi = (uint64_t)sig;
	to->rsi = frame + offsetof(struct frame, info);
	to->rdx = frame + offsetof(struct frame, uc);
	to->rax = 0;
	to->rip = action->handler;
	to->rsp = frame;
	to->rflags &= ~(uint64_t)(FLAG_DF | FLAG_RF | FLAG_TF);
}

int sigframe_build(const struct sigframe_thread *t, const struct lx_kernel_sigaction *action,
		   const struct lx_siginfo *info, void *buf, struct sigframe_built *built)
{
	struct frame f = { .restorer = action->restorer, .info = *info };
	uint64_t frame, fpu;

	if (!(action->flags & LX_SA_RESTORER) || !fpu_size_ok(t) ||
	    frame_place(t, action, &frame, &fpu))
		return -EFAULT;
	f.uc.flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (t->xfeatures ? UC_FP_XSTATE : 0);
	f.uc.stack = t->stack;
	f.uc.mask = t->mask;
	context_save(&f.uc.context, t->regs);
	f.uc.context.error = t->error;
	f.uc.context.trap = t->trap;
	f.uc.context.oldmask = t->mask;
	f.uc.context.cr2 = t->fault_address;
	f.uc.context.fpstate = fpu;

	built->address = frame;
	built->size = fpu + fpu_space(t) - frame;
	memset(buf, 0, built->size);
	memcpy(buf, &f, sizeof(f));
	fpu_put(t, (uint8_t *)buf + (fpu - frame));
	registers_for_handler(t->regs, action, info->signo, frame, &built->regs);
	built->stack = t->stack;
	if ((uint32_t)t->stack.flags & LX_SS_AUTODISARM)
		built->stack = (struct lx_stack){ .flags = LX_SS_DISABLE };
	return 0;
}

/* The fixed part, FPU state and mark, and what aligning both can cost. */
size_t sigframe_size(uint32_t fpu_size)
{
	return sizeof(struct frame) + fpu_size + sizeof(uint32_t) + 63 + 15 + 8;
}

int sigframe_parse(const void *frame, const struct k_regs *regs, struct sigframe_parsed *parsed)
{
	struct frame f;

	memcpy(&f, frame, sizeof(f));
	if (f.uc.context.rip >= USER_END)
		return -EFAULT;
	parsed->regs = *regs;
	context_restore(&f.uc.context, &parsed->regs);
	parsed->mask = f.uc.mask & ~(LX_SIGBIT(LX_SIGKILL) | LX_SIGBIT(LX_SIGSTOP));
	parsed->stack = f.uc.stack;
	parsed->fpu_address = f.uc.context.fpstate;
	return 0;
}

size_t sigframe_fpu_need(const void *legacy, uint32_t fpu_size)
{
	struct fpu_mark mark;

	memcpy(&mark, (const uint8_t *)legacy + FPU_MARK_AT, sizeof(mark));
	if (mark.magic != FP_XSTATE_MAGIC1 || mark.xstate_size > fpu_size ||
	    mark.xstate_size < XSTATE_HEADER + XSTATE_HEADER_SIZE ||
	    mark.xstate_size > mark.extended_size)
		return SIGFRAME_FPU_LEGACY;
	return mark.xstate_size + sizeof(uint32_t);
}

/* Is what was read an XSAVE area from end to end? */
static bool fpu_is_whole(const uint8_t *state, size_t n, uint32_t fpu_size)
{
	uint32_t end;

	if (n <= SIGFRAME_FPU_LEGACY || n != sigframe_fpu_need(state, fpu_size))
		return false;
	memcpy(&end, state + n - sizeof(end), sizeof(end));
	return end == FP_XSTATE_MAGIC2;
}

void sigframe_fpu_parse(const void *state, size_t n, uint64_t xfeatures, void *area,
			uint32_t fpu_size)
{
	uint64_t present = XFEATURES_LEGACY;
	struct fpu_mark mark;
	uint8_t *to = area;

	memset(to, 0, fpu_size);
	memcpy(&mark, (const uint8_t *)state + FPU_MARK_AT, sizeof(mark));
	if (xfeatures && fpu_is_whole(state, n, fpu_size)) {
		memcpy(to, state, n - sizeof(uint32_t));
		memcpy(&present, to + XSTATE_HEADER, sizeof(present));
		present &= mark.xfeatures;
	} else {
		memcpy(to, state, SIGFRAME_FPU_LEGACY);
	}
	memset(to + FPU_MARK_AT, 0, sizeof(mark));
	if (fpu_size < XSTATE_HEADER + XSTATE_HEADER_SIZE)
		return;
	present &= xfeatures;
	memset(to + XSTATE_HEADER, 0, XSTATE_HEADER_SIZE);
	memcpy(to + XSTATE_HEADER, &present, sizeof(present));
}
