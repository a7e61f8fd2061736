/*
 * brk: the heap below malloc, through the system call, as the library offers only parts of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static char *brk_set(char *at)
{
	return (char *)syscall(SYS_brk, at);
}

TEST(brk, grows_and_shrinks)
{
	char *start = brk_set(NULL);

	CHECK(start != NULL);
	CHECK(brk_set(start + 10 * PAGE) == start + 10 * PAGE);
	for (size_t i = 0; i < 10 * PAGE; i++)
		CHECK_EQ(start[i], 0);
	memset(start, 1, 10 * PAGE);
	CHECK(brk_set(start + PAGE) == start + PAGE);
	CHECK_EQ(start[PAGE - 1], 1);
	/* What was given back and taken again is new. */
	CHECK(brk_set(start + 10 * PAGE) == start + 10 * PAGE);
	CHECK_EQ(start[PAGE - 1], 1);
	for (size_t i = 2 * PAGE; i < 10 * PAGE; i += 64)
		CHECK_EQ(start[i], 0);
}

TEST(brk, byte_by_byte)
{
	char *start = brk_set(NULL);

	for (int i = 1; i < 20; i++)
		CHECK(brk_set(start + i * 1001) == start + i * 1001);
	memset(start, 3, 19 * 1001);
	CHECK(brk_set(start) == start);
}

TEST(brk, refuses_silently)
{
	char *start = brk_set(NULL);

	CHECK(brk_set((char *)1) == start);
	CHECK(brk_set(start - 64 * 1024 * 1024) == start);
	CHECK(brk_set(BAD_KERNEL) == start);
	CHECK(brk_set((char *)0x7fffffffffff) == start);
	CHECK(brk_set(NULL) == start);
}

TEST(brk, not_over_another_mapping)
{
	char *start = brk_set(NULL);
	char *obstacle = (char *)(((uintptr_t)start + 64 * PAGE) & ~(PAGE - 1));

	CHECK_EQ(syscall(SYS_mmap, obstacle, PAGE, 3, 0x32, -1, 0), obstacle);
	obstacle[0] = 77;
	CHECK(brk_set(start + 128 * PAGE) == start);
	CHECK_EQ(obstacle[0], 77);
}

TEST(brk, limited)
{
	char *start = brk_set(NULL);

	SUBPROCESS {
		struct rlimit limit = { 1 << 20, 1 << 20 };

		CHECK_OK(setrlimit(RLIMIT_DATA, &limit));
		CHECK(brk_set(start + (2 << 20)) == start);
		CHECK(brk_set(start + (256 << 10)) == start + (256 << 10));
	}
}

TEST(brk, copied_by_fork)
{
	char *start = brk_set(NULL);

	CHECK(brk_set(start + PAGE) == start + PAGE);
	start[0] = 1;
	SUBPROCESS {
		CHECK(brk_set(NULL) == start + PAGE);
		start[0] = 2;
		CHECK(brk_set(start + 3 * PAGE) == start + 3 * PAGE);
	}
	CHECK(brk_set(NULL) == start + PAGE);
	CHECK_EQ(start[0], 1);
}
