/* SPDX-License-Identifier: MIT */
/*
 * The frame of the kernel's own tests: a native server that calls the kernel as servers do.
 *
 * Each test function runs in the main thread; it may start helper threads, which run in the same
 * task. Lines go to the kernel log in the format of all tests: `ok kernel.NAME`, `not ok
 * kernel.NAME FILE:LINE reason`. Every test runs twice, and the second run must leave as many
 * kernel objects and as much free memory as it found.
 */
#ifndef TROUPE_TESTS_KTEST_H
#define TROUPE_TESTS_KTEST_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "calls.h"
#include "server.h"

#define MS 1000000ll
#define PAGE 4096ul

struct ktest {
	const char *name;
	void (*run)(void);
	enum { KTEST_TWICE, KTEST_ONCE, KTEST_LEAKY } how;
	struct ktest *next;
};

extern struct ktest *ktest_list;
extern int ktest_task, ktest_control, ktest_endpoint;
void ktest_fail(const char *file, int line, const char *what, long long got, long long want);
/* What follows `name` on the kernel's command line, or NULL. */
const char *ktest_option(const char *name);
void ktest_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define TEST_ENTRY(test, how) \
	static void test(void); \
	static struct ktest test##_entry = { #test, test, how, NULL }; \
	__attribute__((constructor)) static void test##_register(void) \
	{ \
		test##_entry.next = ktest_list; \
		ktest_list = &test##_entry; \
	} \
	static void test(void)
#define TEST(test) TEST_ENTRY(test, KTEST_TWICE)
/* Slow; only objects are counted, not memory */
#define TEST_ONCE(test) TEST_ENTRY(test, KTEST_ONCE)
/* Once, at the end, and nothing is counted */
#define TEST_LEAKY(test) TEST_ENTRY(test, KTEST_LEAKY)

/* Leaves the test function when it fails. */
#define CHECK_EQ(got, want) do { \
	long long got_ = (long long)(got), want_ = (long long)(want); \
	if (got_ != want_) { \
		ktest_fail(__FILE__, __LINE__, #got, got_, want_); \
		return; \
	} \
} while (0)
#define CHECK(condition) CHECK_EQ(!!(condition), 1)

/* --- helper.c: threads, tasks, time ------------------------------------------------------- */

/*
 * A helper thread that runs fn(arg) and then kills itself. It has no thread-local storage: no
 * errno, no stdio. Its handle.
 */
int ktest_thread(void (*fn)(void *arg), void *arg);
/* The same with a priority, and with the routes below. */
int ktest_user_thread(void (*fn)(void *arg), void *arg, uint32_t priority);
/*
 * Kills the thread if it still lives, waits until it is gone, and gives its stack and handle back.
 */
void ktest_thread_free(int h);
/* Receives one message on e within a second; -ETIMEDOUT otherwise. */
int ktest_receive(int e, struct k_message *m);
int ktest_answer(int e, uint64_t call, int64_t result);
/* Closes the endpoint once all notices are delivered, which would keep it alive. */
void ktest_endpoint_free(int e);
/* The main thread sleeps. */
void ktest_sleep(int64_t ns);
/* Waits until *flag is not 0, three seconds at most; false: it still is. */
bool ktest_wait(volatile int *flag);
/* Waits until the thread is in this state (enum k_thread_state), three seconds at most. */
bool ktest_wait_state(int h, uint32_t state);
uint64_t ktest_random(uint64_t *seed);

/*
 * A copy of this task (flags: K_FORK_*) in which fn(arg) runs, and then ends by a fault. account:
 * handle or -1. The child has not been started; f has its handles. Gone notices go to the home
 * below. 0 or an error.
 */
int ktest_child(void (*fn)(void *arg), void *arg, uint32_t flags, int account, struct k_fork *f);
/* Kills the task, waits until it is gone and closes the handles. */
void ktest_child_free(struct k_fork *f);

/*
 * Home 0 of user threads and children: a thread that answers their visits, and counts them. Routes:
 * number n < K_OPS is kernel operation n; KTEST_SERVER.. go to home 1 (ktest_routes_home),
 * everything else here, where it gets ENOSYS.
 */
#define KTEST_SERVER 500
#define KTEST_DESCRIPTOR 501	/* to the server behind the descriptor in the first argument */
#define KTEST_PATIENT 502	/* to home 1, and may be held although it was cancelled */
struct ktest_home {
	int endpoint, routes, thread;
	volatile int events, faults, deaths, gone, memory, calls;
	volatile uint32_t gone_cookie;
	volatile int overdue, overdue_number;
	volatile uint64_t overdue_call;
	volatile uint64_t fault_address;
	/*
	 * What an event gives a stopped call (0: it goes on), and what a thread without memory
	 * gets.
	 */
	volatile int64_t event_result;
	volatile uint32_t memory_flags;
};
extern struct ktest_home ktest_home;
void ktest_home_start(void);
/* From now on (-1: no more) KTEST_SERVER calls go to endpoint e, with CALL. */
void ktest_routes_home(int e);

static inline long ktest_call(int number, uint64_t a, uint64_t b, uint64_t c)
{
	return k_syscall6(number, (long)a, (long)b, (long)c, 0, 0, 0);
}

#endif
