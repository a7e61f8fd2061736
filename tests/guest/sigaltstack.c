/*
 * The alternate signal stack, and what happens where there is no usable stack at all.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 32768 };
static char stack[SIZE] __attribute__((aligned(16)));
static volatile sig_atomic_t on_stack, flags_seen, error_seen, depth;
static sigjmp_buf back;

static void stack_set(void *at, size_t size)
{
	stack_t alt = { .ss_sp = at, .ss_size = size };

	CHECK_OK(sigaltstack(&alt, NULL));
}

static int within(const void *at)
{
	return (const char *)at >= stack && (const char *)at < stack + SIZE;
}

static void look(int sig)
{
	stack_t now, other = { .ss_sp = stack, .ss_size = SIZE };

	(void)sig;
	on_stack = within(&now);
	sigaltstack(NULL, &now);
	flags_seen = now.ss_flags;
	errno = 0;
	error_seen = sigaltstack(&other, NULL) == 0 ? 0 : errno;
}

TEST(sigaltstack, used_only_when_asked_for)
{
	stack_t now;

	CHECK_OK(sigaltstack(NULL, &now));
	CHECK_EQ(now.ss_flags, SS_DISABLE);
	stack_set(stack, SIZE);
	CHECK_OK(sigaltstack(NULL, &now));
	CHECK(now.ss_sp == stack && now.ss_size == SIZE && now.ss_flags == 0);
	handler_set(SIGUSR1, look, SA_ONSTACK);
	handler_set(SIGUSR2, look, 0);
	CHECK_OK(raise(SIGUSR1));
	CHECK(on_stack);
	CHECK_EQ(flags_seen, SS_ONSTACK);
	CHECK_EQ(error_seen, EPERM);
	CHECK_OK(raise(SIGUSR2));
	CHECK(!on_stack);
	CHECK_EQ(flags_seen, 0);
	CHECK_EQ(error_seen, 0);
}

TEST(sigaltstack, errors)
{
	stack_t alt = { .ss_sp = stack, .ss_size = 1000 };

	CHECK_ERRNO(sigaltstack(&alt, NULL), ENOMEM);
	alt.ss_size = SIZE;
	alt.ss_flags = 0x100;
	CHECK_ERRNO(sigaltstack(&alt, NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_sigaltstack, BAD_UNMAPPED, NULL), EFAULT);
	CHECK_ERRNO(syscall(SYS_sigaltstack, NULL, BAD_KERNEL), EFAULT);
}

TEST(sigaltstack, disabled_again)
{
	stack_t off = { .ss_flags = SS_DISABLE }, now;

	stack_set(stack, SIZE);
	CHECK_OK(sigaltstack(&off, NULL));
	CHECK_OK(sigaltstack(NULL, &now));
	CHECK_EQ(now.ss_flags, SS_DISABLE);
	handler_set(SIGUSR1, look, SA_ONSTACK);
	CHECK_OK(raise(SIGUSR1));
	CHECK(!on_stack);
}

static void nest(int sig)
{
	if (within(&sig) && ++depth < 5)
		raise(SIGUSR1);
}

TEST(sigaltstack, nested_handlers_stay_on_it)
{
	stack_set(stack, SIZE);
	handler_set(SIGUSR1, nest, SA_ONSTACK | SA_NODEFER);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(depth, 5);
	handler_set(SIGUSR1, look, SA_ONSTACK);
	CHECK_OK(raise(SIGUSR1));
	CHECK(on_stack);
}

static void jump(int sig)
{
	on_stack = within(&sig);
	siglongjmp(back, 1);
}

static char *volatile grown;

static int overflow(int n)
{
	volatile char block[4096];

	block[0] = n;
	grown = (char *)block;
	return n < 0 ? 0 : overflow(n + 1) + block[0];
}

TEST(sigaltstack, stack_overflow_is_handled_on_it)
{
	struct rlimit limit;

	CHECK_OK(getrlimit(RLIMIT_STACK, &limit));
	limit.rlim_cur = 256 << 10;
	CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
	stack_set(stack, SIZE);
	handler_set(SIGSEGV, jump, SA_ONSTACK);
	for (volatile int round = 0; round < 3; round++) {
		if (sigsetjmp(back, 1) == 0)
			overflow(0);
		CHECK(on_stack);
		on_stack = 0;
	}
}

TEST(sigaltstack, overflow_without_it_kills)
{
	struct rlimit limit;
	pid_t pid = FORK();

	if (pid == 0) {
		CHECK_OK(getrlimit(RLIMIT_STACK, &limit));
		limit.rlim_cur = 256 << 10;
		CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
		handler_set(SIGSEGV, look, 0);
		overflow(0);
		_exit(0);
	}
	CHECK_SIGNALED(pid, SIGSEGV);
}

static void *thread_look(void *arg)
{
	stack_t now;

	/* A new thread starts without one, whatever its creator has. */
	CHECK_OK(sigaltstack(NULL, &now));
	CHECK_EQ(now.ss_flags, SS_DISABLE);
	return arg;
}

TEST(sigaltstack, belongs_to_the_thread)
{
	pthread_t thread;

	stack_set(stack, SIZE);
	CHECK_EQ(pthread_create(&thread, NULL, thread_look, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* No memory where the frame must go: the process ends by SIGSEGV, whatever signal it was. */
TEST(sigaltstack, unusable_stack_kills)
{
	void *const bad[] = { BAD_UNMAPPED, BAD_KERNEL, BAD_CANONICAL, NULL };

	for (unsigned i = 0; i < LENGTH(bad); i++) {
		pid_t pid = FORK();
		if (pid == 0) {
			stack_set(bad[i], SIZE);
			handler_set(SIGUSR1, look, SA_ONSTACK);
			raise(SIGUSR1);
			_exit(0);
		}
		CHECK_SIGNALED(pid, SIGSEGV);
	}
}

TEST(sigaltstack, read_only_stack_kills)
{
	pid_t pid = FORK();

	if (pid == 0) {
		char *at = map_anonymous(SIZE);

		CHECK_OK(mprotect(at, SIZE, PROT_READ));
		stack_set(at, SIZE);
		handler_set(SIGUSR1, look, SA_ONSTACK);
		raise(SIGUSR1);
		_exit(0);
	}
	CHECK_SIGNALED(pid, SIGSEGV);
}

static void kill_with_stack_pointer(uint64_t pointer)
{
	long pid = getpid();

	__asm__ volatile("mov %0, %%rsp; syscall; ud2"
			 :
			 : "b"(pointer), "a"(SYS_kill), "D"(pid), "S"(SIGUSR1)
			 : "rcx", "r11", "memory");
}

/* The stack pointer itself is wild when the signal arrives. */
TEST(sigaltstack, wild_stack_pointer_kills)
{
	static const uint64_t wild[] = { 0, 64, 0x10000, 0x7ffffffff000, 0x800000000000,
					 0x8000000000001000, 0xffff800000000000,
					 0xfffffffffffffff8 };

	for (unsigned i = 0; i < LENGTH(wild); i++) {
		pid_t pid = FORK();
		if (pid == 0) {
			handler_set(SIGUSR1, look, 0);
			kill_with_stack_pointer(wild[i]);
		}
		CHECK_SIGNALED(pid, SIGSEGV);
	}
}

static void sigreturn_with(uint64_t pointer)
{
	__asm__ volatile("mov %0, %%rsp; syscall; ud2" ::"b"(pointer), "a"(SYS_rt_sigreturn)
			 : "rcx", "r11", "memory");
}

/* rt_sigreturn from a frame that is not there, or is full of nonsense. */
TEST(sigaltstack, forged_return_frame_kills)
{
	char *junk = map_anonymous(2 * SIZE);
	const uint64_t wild[] = { 0, 0x10000, 0x8000000000001000, 0xffff800000000000,
				  (uint64_t)junk + SIZE };

	for (unsigned i = 0; i < LENGTH(wild) + 1; i++) {
		int status;
		pid_t pid = FORK();

		if (pid == 0) {
			if (i == LENGTH(wild))
				memset(junk, 0xff, 2 * SIZE);
			sigreturn_with(wild[i < LENGTH(wild) ? i : i - 1]);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status));
		CHECK(WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS);
	}
}
