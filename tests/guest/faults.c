/*
 * Processor faults as signals: SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGTRAP, with si_code, si_addr
 * and the registers that Linux gives for each.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef SI_KERNEL
#define SI_KERNEL 128
#endif

static sigjmp_buf back;
static siginfo_t info;
static uint64_t reg_rip, reg_err, reg_trap, reg_cr2;
static volatile int handled;

static void keep(int sig, siginfo_t *at, void *context)
{
	ucontext_t *state = context;

	handled++;
	info = *at;
	reg_rip = state->uc_mcontext.gregs[REG_RIP];
	reg_err = state->uc_mcontext.gregs[REG_ERR];
	reg_trap = state->uc_mcontext.gregs[REG_TRAPNO];
	reg_cr2 = state->uc_mcontext.gregs[REG_CR2];
	siglongjmp(back, sig);
}

static void catch(int sig, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	sigemptyset(&action.sa_mask);
	CHECK_OK(sigaction(sig, &action, NULL));
}

static void catch_all(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };

	for (unsigned i = 0; i < LENGTH(sigs); i++)
		catch(sigs[i], keep);
}

/* Runs the block; the signal that ended it must be the one given. */
#define RAISES(sig, ...)                                                                           \
	do {                                                                                       \
		int got_ = sigsetjmp(back, 1);                                                     \
		if (got_ == 0) {                                                                   \
			__VA_ARGS__;                                                               \
			FAIL("no signal");                                                         \
		}                                                                                  \
		CHECK_EQ(got_, sig);                                                               \
		CHECK_EQ(info.si_signo, sig);                                                      \
	} while (0)

static volatile char sink;

TEST(faults, nothing_mapped)
{
	catch_all();
	RAISES(SIGSEGV, sink = *(volatile char *)BAD_UNMAPPED);
	CHECK_EQ(info.si_code, SEGV_MAPERR);
	CHECK(info.si_addr == BAD_UNMAPPED);
	CHECK_EQ(reg_trap, 14);
	CHECK_EQ(reg_err, 4);
	CHECK(reg_cr2 == (uint64_t)BAD_UNMAPPED);
	RAISES(SIGSEGV, __asm__ volatile("movb $1, (%0)" ::"r"(24L) : "memory"));
	CHECK_EQ(info.si_code, SEGV_MAPERR);
	CHECK(info.si_addr == (void *)24);
	CHECK_EQ(reg_err, 6);
}

TEST(faults, access_not_allowed)
{
	char *at = map_anonymous(PAGE);

	catch_all();
	CHECK_OK(mprotect(at, PAGE, PROT_READ));
	RAISES(SIGSEGV, *(volatile char *)(at + 5) = 1);
	CHECK_EQ(info.si_code, SEGV_ACCERR);
	CHECK(info.si_addr == at + 5);
	sink = *at;
	RAISES(SIGSEGV, *(volatile char *)(at + 6) = 1);
	CHECK_EQ(info.si_code, SEGV_ACCERR);
	CHECK_EQ(reg_err, 7); /* present, write, user */
}

TEST(faults, kernel_addresses)
{
	catch_all();
	RAISES(SIGSEGV, sink = *(volatile char *)BAD_KERNEL);
	CHECK_EQ(info.si_code, SEGV_MAPERR);
	CHECK(info.si_addr == BAD_KERNEL);
	RAISES(SIGSEGV, sink = *(volatile char *)0xffffffff81000000);
	CHECK_EQ(info.si_code, SEGV_MAPERR);
}

TEST(faults, non_canonical_addresses)
{
	catch_all();
	RAISES(SIGSEGV, sink = *(volatile char *)BAD_CANONICAL);
	CHECK_EQ(info.si_code, SI_KERNEL);
	CHECK(info.si_addr == NULL);
	CHECK_EQ(reg_trap, 13);
}

TEST(faults, jump_to_nowhere)
{
	catch_all();
	RAISES(SIGSEGV, __asm__ volatile("call *%0" ::"r"(BAD_UNMAPPED) : "memory"));
	CHECK_EQ(info.si_code, SEGV_MAPERR);
	CHECK(info.si_addr == BAD_UNMAPPED);
	CHECK_EQ(reg_rip, BAD_UNMAPPED);
	RAISES(SIGSEGV, __asm__ volatile("call *%0" ::"r"(0L) : "memory"));
	CHECK_EQ(info.si_code, SEGV_MAPERR);
	CHECK(info.si_addr == NULL);
	char *at = map_anonymous(PAGE);
	RAISES(SIGSEGV, __asm__ volatile("call *%0" ::"r"(at) : "memory"));
	CHECK_EQ(info.si_code, SEGV_ACCERR);
	CHECK(info.si_addr == at);
}

TEST(faults, division)
{
	catch_all();
	extern char divide_here[] __attribute__((visibility("hidden")));
	RAISES(SIGFPE, __asm__ volatile(".globl divide_here; divide_here: divl %%ecx"
					::"a"(1), "d"(0), "c"(0)));
	CHECK_EQ(info.si_code, FPE_INTDIV);
	CHECK(info.si_addr == divide_here);
	CHECK_EQ(reg_rip, divide_here);
	CHECK_EQ(reg_trap, 0);
	/* The quotient that does not fit is the same exception. */
	RAISES(SIGFPE, __asm__ volatile("idivl %%ecx" ::"a"(0x80000000), "d"(-1), "c"(-1)));
	CHECK_EQ(info.si_code, FPE_INTDIV);
}

TEST(faults, illegal_instruction)
{
	extern char illegal_here[] __attribute__((visibility("hidden")));

	catch_all();
	RAISES(SIGILL, __asm__ volatile(".globl illegal_here; illegal_here: ud2"));
	CHECK_EQ(info.si_code, ILL_ILLOPN);
	CHECK(info.si_addr == illegal_here);
	CHECK_EQ(reg_rip, illegal_here);
	CHECK_EQ(reg_trap, 6);
}

/* Privileged instructions are general protection faults. */
TEST(faults, privileged_instructions)
{
	catch_all();
	RAISES(SIGSEGV, __asm__ volatile("hlt"));
	CHECK_EQ(info.si_code, SI_KERNEL);
	CHECK(info.si_addr == NULL);
	RAISES(SIGSEGV, __asm__ volatile("cli"));
	RAISES(SIGSEGV, __asm__ volatile("mov %%cr3, %%rax" ::: "rax"));
	RAISES(SIGSEGV, __asm__ volatile("wrmsr" ::"a"(0), "d"(0), "c"(0xc0000080)));
	RAISES(SIGSEGV, __asm__ volatile("inb $0x80, %%al" ::: "rax"));
	RAISES(SIGSEGV, __asm__ volatile("lgdt (%%rsp)" :::));
	RAISES(SIGSEGV, __asm__ volatile("int $0x21"));
	CHECK_EQ(info.si_code, SI_KERNEL);
}

static void keep_and_return(int sig, siginfo_t *at, void *context)
{
	(void)sig;
	handled++;
	info = *at;
	reg_rip = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
}

TEST(faults, breakpoint)
{
	extern char after_break[] __attribute__((visibility("hidden")));

	catch(SIGTRAP, keep_and_return);
	__asm__ volatile("int3; .globl after_break; after_break: nop");
	CHECK_EQ(handled, 1);
	CHECK_EQ(info.si_signo, SIGTRAP);
	CHECK_EQ(info.si_code, SI_KERNEL);
	CHECK_EQ(reg_rip, after_break);
}

static void stop_stepping(int sig, siginfo_t *at, void *context)
{
	ucontext_t *state = context;

	(void)sig;
	info = *at;
	if (++handled == 4)
		state->uc_mcontext.gregs[REG_EFL] &= ~0x100L;
}

TEST(faults, single_step)
{
	catch(SIGTRAP, stop_stepping);
	__asm__ volatile("sub $128, %%rsp; pushfq; orq $0x100, (%%rsp); popfq;"
			 "nop; nop; nop; nop; nop; nop; add $128, %%rsp" ::: "memory", "cc");
	CHECK_EQ(handled, 4);
	CHECK_EQ(info.si_code, TRAP_TRACE);
}

/* By the x87 unit, since not every emulator raises those of SSE. */
TEST(faults, floating_point_exception)
{
	uint16_t unmasked = 0x37f & ~4; /* division by zero */

	catch_all();
	RAISES(SIGFPE, __asm__ volatile("fldcw %0; fld1; fldz; fdivrp; fwait" ::"m"(unmasked)));
	CHECK_EQ(info.si_code, FPE_FLTDIV);
	CHECK_EQ(reg_trap, 16);
}

TEST(faults, bus_error)
{
	char byte = 'x';

	catch_all();
	file_write("f", &byte, 1);
	int fd = CHECK_OK(syscall(SYS_open, "f", 2, 0));
	char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(at != MAP_FAILED);
	RAISES(SIGBUS, *(volatile char *)(at + PAGE + 3) = 1);
	CHECK_EQ(info.si_code, BUS_ADRERR);
	CHECK(info.si_addr == at + PAGE + 3);
	CHECK_EQ(reg_trap, 14);
}

/* A fault cannot wait: blocked or ignored, it kills. */
TEST(faults, blocked_or_ignored_kill)
{
	for (int way = 0; way < 2; way++) {
		pid_t pid = FORK();

		if (pid == 0) {
			sigset_t all;

			if (way == 0) {
				catch_all();
				sigfillset(&all);
				sigprocmask(SIG_BLOCK, &all, NULL);
			} else {
				signal(SIGSEGV, SIG_IGN);
			}
			sink = *(volatile char *)BAD_UNMAPPED;
			_exit(0);
		}
		CHECK_SIGNALED(pid, SIGSEGV);
	}
}

TEST(faults, default_actions)
{
	static const int sigs[] = { SIGSEGV, SIGILL, SIGFPE, SIGTRAP };

	for (unsigned i = 0; i < LENGTH(sigs); i++) {
		pid_t pid = FORK();

		if (pid == 0) {
			if (i == 0)
				sink = *(volatile char *)BAD_UNMAPPED;
			else if (i == 1)
				__asm__ volatile("ud2");
			else if (i == 2)
				__asm__ volatile("divl %%ecx" ::"a"(1), "d"(0), "c"(0));
			else
				__asm__ volatile("int3");
			_exit(0);
		}
		CHECK_SIGNALED(pid, sigs[i]);
	}
}

static void fault_again(int sig)
{
	(void)sig;
	sink = *(volatile char *)BAD_UNMAPPED;
}

TEST(faults, in_their_own_handler_kill)
{
	pid_t pid = FORK();

	if (pid == 0) {
		handler_set(SIGSEGV, fault_again, 0);
		fault_again(0);
		_exit(0);
	}
	CHECK_SIGNALED(pid, SIGSEGV);
}

static void make_accessible(int sig, siginfo_t *at, void *context)
{
	(void)sig;
	(void)context;
	handled++;
	mprotect((void *)((uintptr_t)at->si_addr & ~(PAGE - 1)), PAGE, PROT_READ | PROT_WRITE);
}

/* The handler repairs the cause, and the instruction runs again. */
TEST(faults, repaired_by_the_handler)
{
	int *at = mmap(NULL, 50 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	catch(SIGSEGV, make_accessible);
	for (int i = 0; i < 50; i++)
		at[i * PAGE / 4] = i;
	for (int i = 0; i < 50; i++)
		CHECK_EQ(at[i * PAGE / 4], i);
	CHECK_EQ(handled, 50);
}

static volatile pid_t fault_tid;

static void keep_tid(int sig)
{
	(void)sig;
	fault_tid = syscall(SYS_gettid);
	pthread_exit(NULL);
}

static void *fault_in_thread(void *arg)
{
	*(pid_t *)arg = syscall(SYS_gettid);
	sink = *(volatile char *)BAD_UNMAPPED;
	return NULL;
}

TEST(faults, are_handled_by_the_thread_itself)
{
	pthread_t thread;
	pid_t tid;

	handler_set(SIGSEGV, keep_tid, 0);
	CHECK_EQ(pthread_create(&thread, NULL, fault_in_thread, &tid), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(fault_tid, tid);
}

/* Wild segment bases and system calls made with wild registers leave the machine standing. */
TEST(faults, wild_registers)
{
	for (int way = 0; way < 4; way++) {
		int status;
		pid_t pid = FORK();

		if (pid == 0) {
			if (way == 0)
				__asm__ volatile("mov %0, %%rsp; push %%rax" ::"r"(BAD_CANONICAL));
			else if (way == 1)
				__asm__ volatile("mov %0, %%rsp; ret" ::"r"(BAD_KERNEL));
			else if (way == 2)
				__asm__ volatile("jmp *%0" ::"r"(BAD_CANONICAL));
			else
				__asm__ volatile("mov %0, %%rsp; int3" ::"r"(BAD_CANONICAL));
			_exit(0);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status));
		CHECK(WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS ||
		      WTERMSIG(status) == SIGTRAP);
	}
	/* arch_prctl: FS and GS bases in the kernel's half are refused. */
	CHECK_ERRNO(syscall(SYS_arch_prctl, 0x1002, BAD_KERNEL), EPERM);
	CHECK_ERRNO(syscall(SYS_arch_prctl, 0x1001, BAD_CANONICAL), EPERM);
	CHECK_ERRNO(syscall(SYS_arch_prctl, 0x7777, 0), EINVAL);
}
