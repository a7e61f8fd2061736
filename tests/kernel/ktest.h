/* SPDX-License-Identifier: MIT */
/*
 * The frame of the kernel's own tests: a native server that calls the kernel as servers do.
 *
 * Each test function runs in the main thread; it may start helper threads, which run in the same task. Lines go to the
 * kernel log in the format of all tests: `ok kernel.NAME`, `not ok kernel.NAME FILE:LINE reason`.
 */
#ifndef TROUPE_TESTS_KTEST_H
#define TROUPE_TESTS_KTEST_H

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "calls.h"
#include "server.h"

struct ktest {
	const char *name;
	void (*run)(void);
	struct ktest *next;
};

extern struct ktest *ktest_list;
extern int ktest_task, ktest_control, ktest_endpoint;
void ktest_fail(const char *file, int line, const char *what, long long got, long long want);

#define TEST(test) \
	static void test(void); \
	static struct ktest test##_entry = { #test, test, NULL }; \
	__attribute__((constructor)) static void test##_register(void) \
	{ \
		test##_entry.next = ktest_list; \
		ktest_list = &test##_entry; \
	} \
	static void test(void)

/* Leaves the test function when it fails. */
#define CHECK_EQ(got, want) do { \
	long long got_ = (long long)(got), want_ = (long long)(want); \
	if (got_ != want_) { \
		ktest_fail(__FILE__, __LINE__, #got, got_, want_); \
		return; \
	} \
} while (0)
#define CHECK(condition) CHECK_EQ(!!(condition), 1)

/* A helper thread that runs fn(arg) and then exits; its stack is never freed. Returns the thread's handle. */
int ktest_thread(void (*fn)(void *arg), void *arg);
/* The current helper thread ends. */
_Noreturn void ktest_thread_end(void);
/* Receives one message on e within a second; -ETIMEDOUT otherwise. */
int ktest_receive(int e, struct k_message *m);
int ktest_answer(int e, uint64_t call, int64_t result);

#endif
