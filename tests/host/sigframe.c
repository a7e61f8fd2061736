/*
 * Signal frames against Linux's own: this host delivers real signals to this program, the handler
 * looks at the bytes that Linux put on its stack, and sigframe_parse and sigframe_build must read
 * them and make the very same bytes again, at the same address. Then the handler puts our frame in
 * the place of Linux's and returns through it.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "posix/signal/sigframe.h"

#include <errno.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "test.h"

#define SIGCONTEXT_RESERVED 240u	/* in the frame; Linux does not write it */

static uint8_t theirs[SIGFRAME_MAX], ours[SIGFRAME_MAX];
static struct sigframe_parsed parsed;
static struct sigframe_built built;
static uint64_t frame_address, frame_size;
static uint32_t fpu_size;
static uint64_t xfeatures;
static struct lx_kernel_sigaction action;
static bool replace;
static int deliveries;
static uint8_t area[SIGFRAME_FPU_MAX] __attribute__((aligned(64)));
static uint8_t alternate[65536] __attribute__((aligned(64)));

/* The size of the FPU area and its features as Linux marked them in the frame. */
static void take_frame(uint64_t uc)
{
	const ucontext_t *context = (const void *)uc;
	uint64_t fpu = (uint64_t)context->uc_mcontext.fpregs;
	uint32_t mark[6];

	frame_address = uc - 8;
	memcpy(mark, (const void *)(fpu + 464), sizeof(mark));
	fpu_size = mark[0] == 0x46505853 ? mark[4] : SIGFRAME_FPU_LEGACY;
	xfeatures = mark[0] == 0x46505853 ? mark[2] | (uint64_t)mark[3] << 32 : 0;
	frame_size = fpu + fpu_size + (xfeatures ? 4 : 0) - frame_address;
	if (frame_size <= sizeof(theirs))
		memcpy(theirs, (const void *)frame_address, frame_size);
}

static void rebuild(int sig, const siginfo_t *siginfo, const ucontext_t *context)
{
	const struct k_regs none = { .rflags = 0x202 };
	struct sigframe_thread t = { .regs = &parsed.regs, .fpu = area, .fpu_size = fpu_size,
				     .xfeatures = xfeatures };
	struct lx_siginfo info;
	uint64_t fpu_offset;
	size_t need;

	memcpy(&info, siginfo, sizeof(info));
	if (info.signo != sig || sigframe_parse(theirs, &none, &parsed))
		return;
	fpu_offset = parsed.fpu_address - frame_address;
	need = sigframe_fpu_need(theirs + fpu_offset, fpu_size);
	sigframe_fpu_parse(theirs + fpu_offset, need, xfeatures, area, fpu_size);
	t.mask = parsed.mask;
	t.stack = parsed.stack;
	t.trap = (uint64_t)context->uc_mcontext.gregs[REG_TRAPNO];
	t.error = (uint64_t)context->uc_mcontext.gregs[REG_ERR];
	t.fault_address = (uint64_t)context->uc_mcontext.gregs[REG_CR2];
	/* Flags that only the kernel sets are not in `none`. */
	parsed.regs.rflags = (uint64_t)context->uc_mcontext.gregs[REG_EFL];
	if (sigframe_build(&t, &action, &info, ours, &built) == 0)
		deliveries++;
}

__attribute__((no_sanitize("address"))) static void handler(int sig, siginfo_t *info, void *uc)
{
	take_frame((uint64_t)uc);
	if (frame_size > sizeof(theirs))
		return;
	rebuild(sig, info, uc);
	if (replace && built.address == frame_address && built.size == frame_size)
		memcpy((void *)frame_address, ours, frame_size);
}

extern void restorer(void);
__asm__("restorer: movl $15, %eax\n\tsyscall\n");

static void arm(int sig, uint64_t flags)
{
	action = (struct lx_kernel_sigaction){
		.handler = (uint64_t)(uintptr_t)handler,
		.flags = flags | LX_SA_SIGINFO | LX_SA_RESTORER,
		.restorer = (uint64_t)(uintptr_t)restorer,
		.mask = LX_SIGBIT(LX_SIGUSR2),
	};
	deliveries = 0;
	replace = false;
	memset(&built, 0, sizeof(built));
	CHECK_EQ(syscall(SYS_rt_sigaction, sig, &action, NULL, 8), 0);
}

static void arm_stack(int flags)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate), .ss_flags = flags };

	CHECK_EQ(sigaltstack(&stack, NULL), 0);
}

static void check_same_bytes(void)
{
	if (frame_size > sizeof(theirs))
		FAIL("this processor's frame has %zu bytes", (size_t)frame_size);
	CHECK_EQ(deliveries, 1);
	CHECK_EQ(built.address, frame_address);
	CHECK_EQ(built.size, frame_size);
	memset(theirs + SIGCONTEXT_RESERVED, 0, 64);
	/* The gap between the fixed part and the FPU state is what the stack held before. */
	memset(theirs + SIGFRAME_FIXED, 0, parsed.fpu_address - frame_address - SIGFRAME_FIXED);
	for (size_t i = 0; i < frame_size; i++) {
		if (ours[i] != theirs[i])
			FAIL("byte %zu of %zu is %#x, Linux has %#x (FPU state from %zu)", i,
			     (size_t)frame_size, ours[i], theirs[i],
			     (size_t)(parsed.fpu_address - frame_address));
	}
}

TEST(sigframe, plain_signal)
{
	arm(SIGUSR1, 0);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	check_same_bytes();
	CHECK(!(parsed.mask & LX_SIGBIT(LX_SIGUSR1)));
	CHECK_EQ(built.regs.rdi, SIGUSR1);
	CHECK_EQ(built.regs.rip, action.handler);
	CHECK_EQ(built.regs.rsp, frame_address);
	CHECK_EQ(frame_address % 16, 8);
}

TEST(sigframe, returns_through_ours)
{
	union sigval value = { .sival_int = 77 };
	volatile double before = 1.5, after;

	arm(SIGRTMIN, 0);
	replace = true;
	after = before * 3;
	CHECK_EQ(sigqueue(getpid(), SIGRTMIN, value), 0);
	CHECK(after == 4.5 && before == 1.5);
	check_same_bytes();
}

TEST(sigframe, alternate_stack)
{
	arm_stack(0);
	arm(SIGUSR1, LX_SA_ONSTACK);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	check_same_bytes();
	CHECK(frame_address > (uint64_t)(uintptr_t)alternate);
	CHECK(frame_address < (uint64_t)(uintptr_t)alternate + sizeof(alternate));
	CHECK_EQ(built.stack.sp, (uintptr_t)alternate);
	arm_stack(SS_DISABLE);
}

TEST(sigframe, stack_that_disarms)
{
	arm_stack((int)LX_SS_AUTODISARM);
	arm(SIGUSR1, LX_SA_ONSTACK);
	replace = true;
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	check_same_bytes();
	CHECK_EQ(built.stack.flags, LX_SS_DISABLE);
	CHECK_EQ(built.stack.size, 0);
	arm_stack(SS_DISABLE);
}

/* A fault, with registers that can be told apart. */
TEST(sigframe, registers)
{
	uint64_t marks[4] = { 0 };

	arm(SIGTRAP, 0);
	replace = true;
	__asm__ volatile("movq $0x1111, %%r8\n\tmovq $0x2222, %%r12\n\tmovq $0x3333, %%rdi\n\t"
			 "movq $0x4444, %%rcx\n\tstc\n\tint3\n\t"
			 "movq %%r8, %0\n\tmovq %%r12, %1\n\tmovq %%rdi, %2\n\tmovq %%rcx, %3"
			 : "=m"(marks[0]), "=m"(marks[1]), "=m"(marks[2]), "=m"(marks[3])
			 :
			 : "r8", "r12", "rdi", "rcx", "cc", "memory");
	check_same_bytes();
	CHECK_EQ(marks[0], 0x1111);
	CHECK_EQ(marks[1], 0x2222);
	CHECK_EQ(marks[2], 0x3333);
	CHECK_EQ(marks[3], 0x4444);
	CHECK_EQ(parsed.regs.r8, 0x1111);
	CHECK_EQ(parsed.regs.r12, 0x2222);
	CHECK_EQ(parsed.regs.rdi, 0x3333);
	CHECK_EQ(parsed.regs.rcx, 0x4444);
	CHECK(parsed.regs.rflags & 1);
}

/* --- what Linux refuses, and what a program may forge --------------------------------------- */

static struct k_regs regs;
static struct sigframe_thread thread;
static struct lx_siginfo info = { .signo = LX_SIGUSR1 };

static void fresh(void)
{
	memset(area, 0, sizeof(area));
	regs = (struct k_regs){ .rsp = 0x7ffffff00000, .rip = 0x401000, .rflags = 0x202 };
	thread = (struct sigframe_thread){ .regs = &regs, .fpu = area, .fpu_size = 832,
					   .xfeatures = 7, .stack = { .flags = LX_SS_DISABLE } };
	action = (struct lx_kernel_sigaction){ .handler = 0x402000, .restorer = 0x403000,
					       .flags = LX_SA_RESTORER };
}

static int build(void)
{
	return sigframe_build(&thread, &action, &info, ours, &built);
}

TEST(sigframe, refused)
{
	static const uint64_t bad[] = {
		0, 100, 600, UINT64_MAX, UINT64_C(1) << 63, 0x800000000100,
	};

	fresh();
	CHECK_EQ(build(), 0);
	CHECK(built.size <= sigframe_size(thread.fpu_size));
	action.flags = 0;
	CHECK_EQ(build(), -EFAULT);
	for (size_t i = 0; i < LENGTH(bad); i++) {
		fresh();
		regs.rsp = bad[i];
		CHECK_EQ(build(), -EFAULT);
	}
	fresh();
	action.flags |= LX_SA_ONSTACK;
	thread.stack = (struct lx_stack){ .sp = 0x10000, .size = 1024 };
	CHECK_EQ(build(), -EFAULT);
	thread.stack.size = 2048;
	CHECK_EQ(build(), 0);
	/* Nested on it, near its end. */
	regs.rsp = 0x10200;
	CHECK_EQ(build(), -EFAULT);
}

TEST(sigframe, forged)
{
	const struct k_regs now = { .rflags = 0x3202, .fs_base = 0x1234 };
	uint64_t all = ~UINT64_C(0), rip = UINT64_C(1) << 47;

	fresh();
	CHECK_EQ(build(), 0);
	memcpy(ours + 8 + 40 + 17 * 8, &all, 8);	/* rflags */
	memcpy(ours + 304, &all, 8);			/* mask */
	CHECK_EQ(sigframe_parse(ours, &now, &parsed), 0);
	CHECK_EQ(parsed.regs.rflags, 0x3202 | 0x50dd5);
	CHECK_EQ(parsed.regs.fs_base, 0x1234);
	CHECK_EQ(parsed.mask, ~(LX_SIGBIT(LX_SIGKILL) | LX_SIGBIT(LX_SIGSTOP)));
	memcpy(ours + 8 + 40 + 16 * 8, &rip, 8);
	CHECK_EQ(sigframe_parse(ours, &now, &parsed), -EFAULT);
}

TEST(sigframe, fpu_without_xsave)
{
	uint8_t back[832];

	fresh();
	thread.fpu_size = SIGFRAME_FPU_LEGACY;
	thread.xfeatures = 0;
	area[200] = 42;
	CHECK_EQ(build(), 0);
	CHECK_EQ(sigframe_parse(ours, &regs, &parsed), 0);
	CHECK_EQ(sigframe_fpu_need(ours + (parsed.fpu_address - built.address), 512), 512);
	sigframe_fpu_parse(ours + (parsed.fpu_address - built.address), 512, 7, back, 832);
	CHECK_EQ(back[200], 42);
	CHECK_EQ(back[512], 3);
}

/* Whatever the bytes are, only states that exist are claimed; nothing is read beyond the end. */
TEST(sigframe, random_fpu_state)
{
	uint64_t seed = 1;

	for (unsigned round = test_rounds(20000); round > 0; round--) {
		uint32_t size = test_below(&seed, 2) ? 832 : 512 + 64 * test_below(&seed, 40);
		uint8_t *state = malloc(512);
		uint64_t header[8];
		size_t need;

		for (size_t i = 0; i < 512; i += 8)
			*(uint64_t *)(state + i) = test_random(&seed);
		if (test_below(&seed, 4)) {
			uint32_t mark[6] = { 0x46505853, test_below(&seed, 4000), 7, 0, size };

			if (test_below(&seed, 2))
				mark[4] = test_below(&seed, 4000);

			memcpy(state + 464, mark, sizeof(mark));
		}
		need = sigframe_fpu_need(state, size);
		CHECK(need == 512 || (need >= 580 && need <= size + 4));
		state = realloc(state, need);
		memset(state + 512, (int)test_below(&seed, 256), need - 512);
		if (need > 512 && test_below(&seed, 2))
			memcpy(state + need - 4, "EXPF", 4);
		sigframe_fpu_parse(state, need, 7, area, size);
		free(state);
		if (size < 576)
			continue;
		memcpy(header, area + 512, sizeof(header));
		CHECK_EQ(header[0] & ~UINT64_C(7), 0);
		for (size_t i = 1; i < 8; i++)
			CHECK_EQ(header[i], 0);
	}
}
