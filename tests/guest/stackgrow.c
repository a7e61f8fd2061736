/*
 * The main stack: it grows on demand down to its limit, whoever touches it first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <alloca.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int recurse(int depth)
{
	volatile char block[3000];

	block[0] = depth;
	block[2999] = depth;
	if (depth == 0)
		return 0;
	return recurse(depth - 1) + (block[0] == (char)depth && block[2999] == (char)depth);
}

TEST(stackgrow, by_recursion)
{
	CHECK_EQ(recurse(1000), 1000); /* three megabytes */
	CHECK_EQ(recurse(1000), 1000);
}

TEST(stackgrow, by_one_big_step)
{
	volatile char *at = alloca(4 << 20);

	/* The far end first: no page in between has been touched. */
	at[0] = 1;
	CHECK_EQ(at[0], 1);
	CHECK_EQ(at[2 << 20], 0);
}

TEST(stackgrow, by_a_system_call)
{
	int fd = CHECK_OK(open("/dev/zero", O_RDONLY));
	char *at = alloca(2 << 20);

	CHECK_EQ(read(fd, at, 100000), 100000);
	CHECK_EQ(at[99999], 0);
}

TEST(stackgrow, limited)
{
	struct rlimit limit;

	CHECK_OK(getrlimit(RLIMIT_STACK, &limit));
	limit.rlim_cur = 1 << 20;
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
		CHECK_EQ(recurse(200), 200);
		recurse(1000);
		_exit(0);
	}
	CHECK_SIGNALED(pid, SIGSEGV);
}

HELPER(recurse)
{
	return recurse(4200) == 4200 ? 0 : 1; /* 12.6 megabytes */
}

TEST(stackgrow, limit_applies_to_the_next_program)
{
	char *argv[] = { "x", "--helper=recurse", NULL };
	struct rlimit limit;

	for (int i = 0; i < 2; i++) {
		pid_t pid = FORK();

		if (pid == 0) {
			CHECK_OK(getrlimit(RLIMIT_STACK, &limit));
			limit.rlim_cur = i ? 16 << 20 : 2 << 20;
			CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
			execv(test_self, argv);
			FAIL("execv: errno %d", errno);
		}
		if (i)
			CHECK_EXITED(pid, 0);
		else
			CHECK_SIGNALED(pid, SIGSEGV);
	}
}

TEST(stackgrow, is_copied_by_fork)
{
	volatile char *at = alloca(1 << 20);

	at[1000] = 5;
	SUBPROCESS {
		CHECK_EQ(at[1000], 5);
		at[1000] = 6;
		at[500000] = 7;
		CHECK_EQ(recurse(800), 800);
	}
	CHECK_EQ(at[1000], 5);
	CHECK_EQ(at[500000], 0);
}

static void *overflow_thread(void *arg)
{
	recurse(100);
	return arg;
}

TEST(stackgrow, thread_stacks_do_not_grow)
{
	pthread_attr_t attr;
	pthread_t thread;
	pid_t pid = FORK();

	if (pid == 0) {
		CHECK_EQ(pthread_attr_init(&attr), 0);
		CHECK_EQ(pthread_attr_setstacksize(&attr, 65536), 0);
		CHECK_EQ(pthread_create(&thread, &attr, overflow_thread, NULL), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		_exit(0);
	}
	CHECK_SIGNALED(pid, SIGSEGV);
}
