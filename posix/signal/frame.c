/*
 * Signal frames of held callers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/signal/frame.h"

#include <errno.h>
#include <string.h>

#include "posix/proc/process.h"
#include "posix/signal/sigframe.h"

static uint8_t fpu[SIGFRAME_FPU_MAX], image[SIGFRAME_MAX];

/* The states that XSAVE keeps, and the size of its area; without XSAVE 0 and 512. */
static struct {
	uint64_t features;
	uint32_t size;
} xsave;

static void xsave_detect(void)
{
	uint32_t a = 1, b, c = 0, d, high;

	if (xsave.size)
		return;
	xsave.size = SIGFRAME_FPU_LEGACY;
	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if (!(c & 1u << 27))
		return;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(high) : "c"(0));
	xsave.features = (uint64_t)high << 32 | a;
	a = 0xd;
	c = 0;
	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	xsave.size = b;
}

uint64_t frame_stack_min(void)
{
	xsave_detect();
	return sigframe_size(xsave.size);
}

/*
 * As a program finds it at its start, in the format of FXSAVE; XSAVE's header of zeroes says that
 * all else is so, too.
 */
static void fpu_initial(size_t size)
{
	uint16_t control = 0x37f;
	uint32_t mxcsr = 0x1f80, mxcsr_mask;

	memcpy(&mxcsr_mask, fpu + 28, sizeof mxcsr_mask);
	memset(fpu, 0, size);
	memcpy(fpu, &control, sizeof control);
	memcpy(fpu + 24, &mxcsr, sizeof mxcsr);
	memcpy(fpu + 28, &mxcsr_mask, sizeof mxcsr_mask);
}

int frame_push(uint64_t call, struct frame_context *c)
{
	struct sigframe_thread t = { .regs = c->regs,
				     .mask = c->mask,
				     .stack = *c->altstack,
				     .fpu = fpu,
				     .trap = c->fault.trap,
				     .error = c->fault.error,
				     .fault_address = c->fault.address };
	struct sigframe_built built;
	long size;
	int r;

	xsave_detect();
	size = k_caller_fpu_get(grants.endpoint, call, fpu, sizeof fpu);
	if (size < 0)
		return (int)size;
	if (c->fpu_is_initial)
		fpu_initial((size_t)size);
	t.fpu_size = (uint32_t)size;
	t.xfeatures = size > SIGFRAME_FPU_LEGACY ? xsave.features : 0;
	r = sigframe_build(&t, c->action, c->info, image, &built);
	if (!r)
		r = (int)k_caller_write(grants.endpoint, call, built.address, image, built.size);
	if (r)
		return r;
	*c->regs = built.regs;
	*c->altstack = built.stack;
	return 0;
}

static int fpu_restore(uint64_t call, uint64_t at)
{
	size_t need = SIGFRAME_FPU_LEGACY;
	int r;

	if (!at)
		return (int)k_caller_fpu_set(grants.endpoint, call, NULL, 0);
	r = (int)k_caller_read(grants.endpoint, call, image, at, SIGFRAME_FPU_LEGACY);
	if (r)
		return r;
	xsave_detect();
	need = sigframe_fpu_need(image, xsave.size);
	if (need > SIGFRAME_FPU_LEGACY)
		r = (int)k_caller_read(grants.endpoint, call, image + SIGFRAME_FPU_LEGACY,
				       at + SIGFRAME_FPU_LEGACY, need - SIGFRAME_FPU_LEGACY);
	if (r)
		return r;
	sigframe_fpu_parse(image, need, xsave.features, fpu, xsave.size);
	return (int)k_caller_fpu_set(grants.endpoint, call, fpu, xsave.size);
}

int frame_pop(uint64_t call, struct k_regs *regs, uint64_t *mask, struct lx_stack *altstack)
{
	struct sigframe_parsed parsed;
	int r = (int)k_caller_read(grants.endpoint, call, image, regs->rsp - 8, SIGFRAME_FIXED);

	if (!r)
		r = sigframe_parse(image, regs, &parsed);
	if (!r)
		r = fpu_restore(call, parsed.fpu_address);
	if (r)
		return r;
	*regs = parsed.regs;
	*mask = parsed.mask;
	*altstack = parsed.stack;
	return 0;
}
