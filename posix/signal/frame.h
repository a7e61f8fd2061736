/*
 * Signal frames of held callers: sigframe.h's layout between a caller's memory and registers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_FRAME_H
#define POSIX_FRAME_H

#include <stdbool.h>

#include "posix/linux.h"
#include "message.h"

/* What the processor said about a fault, for sigcontext. */
struct frame_fault {
	uint64_t error, trap, address;
};

struct frame_context {
	/* in: interrupted; out: at the handler's first instruction */
	struct k_regs *regs;
	const struct lx_siginfo *info;
	const struct lx_kernel_sigaction *action;
	struct lx_stack *altstack;	/* as set; disarmed if it was to be */
	uint64_t mask;			/* to come back to */
	struct frame_fault fault;
	/* for the program it is so already: a handler of this visit has its frame */
	bool fpu_is_initial;
};

/*
 * Pushes a frame for the held call's thread. The FPU is to be reset when the thread goes on. 0;
 * -EFAULT: the stack cannot be written; -K_REDELIVER.
 */
int frame_push(uint64_t call, struct frame_context *c);

/*
 * Reads the frame that rsp points behind; sets the FPU state. regs, mask and altstack are for the
 * caller of this to put in force. -EFAULT, -EINVAL, -K_REDELIVER.
 */
int frame_pop(uint64_t call, struct k_regs *regs, uint64_t *mask, struct lx_stack *altstack);

/* Least stack for one frame (AT_MINSIGSTKSZ). */
uint64_t frame_stack_min(void);

#endif
