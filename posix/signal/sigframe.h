/*
 * Signal frames: what a handler finds on its stack, byte for byte as Linux lays it out, and the way
 * back. Pure functions over buffers; the caller copies them to and from the program's memory.
 *
 *      high   the interrupted program's stack, or the top of the alternate one
 *             128 bytes that the ABI lets a function use below its stack pointer
 *             FPU state, at a multiple of 64, with its size in its reserved bytes and a mark behind
 *             siginfo
 *             ucontext: registers, mask and alternate stack to return to
 *      low    address of the restorer          <- stack pointer in the handler, 8 mod 16
 *
 * The process server builds a frame when it delivers a signal, writes `size` bytes at `address`,
 * and sets the registers and a fresh FPU state. rt_sigreturn reads SIGFRAME_FIXED bytes at the
 * stack pointer minus 8, then as much FPU state as sigframe_fpu_need says. Nothing that comes back
 * is trusted: it may be anything the program cared to write.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_SIGFRAME_H
#define POSIX_SIGFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "posix/linux.h"

#define SIGFRAME_FIXED 440u		/* restorer, ucontext, siginfo */
#define SIGFRAME_FPU_LEGACY 512u	/* what FXSAVE writes; the least there is */
#define SIGFRAME_FPU_MAX 4096u
/* The most that sigframe_build makes: the fixed part, the FPU state with its mark, alignment. */
#define SIGFRAME_MAX (SIGFRAME_FIXED + SIGFRAME_FPU_MAX + 4 + 64 + 24)

/* A thread at the moment when a handler is to run. */
struct sigframe_thread {
	const struct k_regs *regs;	/* what sigreturn shall come back to */
	uint64_t mask;			/* the same for the blocked signals */
	struct lx_stack stack;		/* as set: flags 0, SS_DISABLE or AUTODISARM */
	const void *fpu;		/* FXSAVE or XSAVE (standard format) area */
	uint32_t fpu_size;		/* 512 without XSAVE; at most SIGFRAME_FPU_MAX */
	uint64_t xfeatures;		/* the states that XSAVE keeps (XCR0); 0: FXSAVE only */
	uint64_t trap, error, fault_address;	/* of the last fault */
};

struct sigframe_built {
	uint64_t address;		/* where `size` bytes go */
	size_t size;
	struct k_regs regs;		/* with which the handler starts */
	struct lx_stack stack;		/* disarmed, if it was to be */
};

/*
 * Builds the frame for one delivery in `buf` of SIGFRAME_MAX bytes. -EFAULT: there is no restorer,
 * or no room on the alternate stack, or no such address; the thread gets SIGSEGV instead.
 */
int sigframe_build(const struct sigframe_thread *t, const struct lx_kernel_sigaction *action,
		   const struct lx_siginfo *info, void *buf, struct sigframe_built *built)
	__attribute__((warn_unused_result));

/* The stack that a delivery can take with this much FPU state: AT_MINSIGSTKSZ. */
size_t sigframe_size(uint32_t fpu_size);

struct sigframe_parsed {
	struct k_regs regs;		/* fs_base and gs_base are the present ones */
	uint64_t mask;			/* without KILL and STOP */
	struct lx_stack stack;		/* to be set if it is valid, else ignored */
	uint64_t fpu_address;		/* 0: a fresh FPU state */
};

/*
 * Reads back the fixed part. `regs` are those of the call. Flags that a program may not change keep
 * their value. -EFAULT: it cannot be returned to; SIGSEGV.
 */
int sigframe_parse(const void *frame, const struct k_regs *regs, struct sigframe_parsed *parsed)
	__attribute__((warn_unused_result));

/*
 * From the first 512 bytes of FPU state: how many bytes to read in all (at most fpu_size + 4). It
 * is 512 if the rest is not marked as valid for an area of `fpu_size`.
 */
size_t sigframe_fpu_need(const void *legacy, uint32_t fpu_size);

/*
 * Makes an area of `fpu_size` bytes from the `n` bytes read. States that the frame does not hold,
 * or that are not among `xfeatures`, are initial. (Reserved bits of MXCSR are the kernel's to
 * clear.)
 */
void sigframe_fpu_parse(const void *state, size_t n, uint64_t xfeatures, void *area,
			uint32_t fpu_size);

#endif
