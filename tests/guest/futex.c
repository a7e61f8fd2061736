/*
 * The futex call itself, beneath the locks that threads.c tests.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint32_t word, other;

static long futex(uint32_t *at, int op, uint32_t value, const void *timeout, uint32_t *at2,
		  uint32_t value3)
{
	return syscall(SYS_futex, at, op, value, timeout, at2, value3);
}

static long wake(uint32_t *at, int count)
{
	return futex(at, FUTEX_WAKE, count, NULL, NULL, 0);
}

struct waiter {
	pthread_t thread;
	volatile pid_t tid;
	uint32_t *at;
	uint32_t bits;
};

static void *wait_once(void *arg)
{
	struct waiter *waiter = arg;

	waiter->tid = syscall(SYS_gettid);
	return (void *)futex(waiter->at, FUTEX_WAIT_BITSET, 0, NULL, NULL, waiter->bits);
}

/* Starts a thread that is asleep in the futex when this returns. */
static void waiter_start(struct waiter *waiter, uint32_t *at, uint32_t bits)
{
	waiter->tid = 0;
	waiter->at = at;
	waiter->bits = bits;
	CHECK_EQ(pthread_create(&waiter->thread, NULL, wait_once, waiter), 0);
	while (!waiter->tid)
		sched_yield();
	wait_until_blocked(waiter->tid);
}

static void waiter_join(struct waiter *waiter)
{
	void *result;

	CHECK_EQ(pthread_join(waiter->thread, &result), 0);
	CHECK_EQ((intptr_t)result, 0);
}

TEST(futex, wait_checks_the_value)
{
	word = 5;
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 4, NULL, NULL, 0), EAGAIN);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 6, NULL, NULL, 0), EAGAIN);
	CHECK_EQ(wake(&word, 1), 0);
}

TEST(futex, wake_counts)
{
	struct waiter waiters[5];

	for (int i = 0; i < 5; i++)
		waiter_start(&waiters[i], &word, ~0u);
	CHECK_EQ(wake(&word, 2), 2);
	CHECK_EQ(wake(&word, 0), 1); /* as Linux has it: a count of 0 wakes one */
	CHECK_EQ(wake(&word, INT_MAX), 2);
	CHECK_EQ(wake(&word, INT_MAX), 0);
	for (int i = 0; i < 5; i++)
		waiter_join(&waiters[i]);
}

TEST(futex, timeouts)
{
	struct timespec zero = { 0, 0 }, some = { 0, 20000000 }, bad = { 0, 1000000000 },
			negative = { -1, 0 }, at;
	int64_t start = now_ns();

	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &zero, NULL, 0), ETIMEDOUT);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &some, NULL, 0), ETIMEDOUT);
	CHECK_GE(now_ns() - start, 20000000);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &negative, NULL, 0), EINVAL);
	/* WAIT_BITSET takes an absolute time, monotonic or real. */
	at = (struct timespec){ 0, 1 }; /* long ago, even on a machine that has just been started */
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 0, &at, NULL, ~0u), ETIMEDOUT);
	start = now_ns();
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &at));
	at.tv_nsec += 20000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &at, NULL, ~0u),
		    ETIMEDOUT);
	CHECK_GE(now_ns() - start, 19000000);
}

TEST(futex, bitsets)
{
	struct waiter a, b;

	waiter_start(&a, &word, 1);
	waiter_start(&b, &word, 2);
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 4), 0);
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 2), 1);
	waiter_join(&b);
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 5), 1);
	waiter_join(&a);
	CHECK_ERRNO(futex(&word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
}

TEST(futex, requeue)
{
	struct waiter waiters[4];

	for (int i = 0; i < 4; i++)
		waiter_start(&waiters[i], &word, ~0u);
	CHECK_ERRNO(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)10L, &other, 7), EAGAIN);
	/* One is woken, two move; the answer counts both. */
	CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)2L, &other, 0), 3);
	CHECK_EQ(wake(&word, 10), 1);
	CHECK_EQ(wake(&other, 10), 2);
	for (int i = 0; i < 4; i++)
		waiter_join(&waiters[i]);
	waiter_start(&waiters[0], &word, ~0u);
	CHECK_EQ(futex(&word, FUTEX_REQUEUE, 0, (void *)1L, &other, 0), 1);
	CHECK_EQ(wake(&word, 10), 0);
	CHECK_EQ(wake(&other, 10), 1);
	waiter_join(&waiters[0]);
}

TEST(futex, wake_and_operate)
{
	struct waiter a, b;
	int op = FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 10);

	waiter_start(&a, &word, ~0u);
	waiter_start(&b, &other, ~0u);
	/* other is 0, not 10, so only the first word's waiter is woken; and 5 is added. */
	CHECK_EQ(futex(&word, FUTEX_WAKE_OP, 1, (void *)1L, &other, op), 1);
	waiter_join(&a);
	CHECK_EQ(other, 5);
	CHECK_EQ(futex(&word, FUTEX_WAKE_OP, 1, (void *)1L, &other, op), 0);
	CHECK_EQ(other, 10);
	CHECK_EQ(futex(&word, FUTEX_WAKE_OP, 1, (void *)1L, &other, op), 1);
	CHECK_EQ(other, 15);
	waiter_join(&b);
}

TEST(futex, errors)
{
	CHECK_ERRNO(futex((uint32_t *)((char *)&word + 1), FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(wake((uint32_t *)((char *)&word + 2), 1), EINVAL);
	CHECK_ERRNO(futex(BAD_UNMAPPED, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(futex(BAD_KERNEL, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(futex(BAD_CANONICAL, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, BAD_UNMAPPED, NULL, 0), EFAULT);
	CHECK_ERRNO(futex(&word, 99, 0, NULL, NULL, 0), ENOSYS);
	CHECK_ERRNO(futex(&word, FUTEX_CMP_REQUEUE, -1, (void *)1L, &other, 0), EINVAL);
}

static volatile sig_atomic_t alarms;

static void count_alarm(int sig)
{
	(void)sig;
	if (++alarms == 3) {
		word = 1;
		wake(&word, 1);
	}
}

TEST(futex, signals)
{
	struct timespec long_time = { 100, 0 };

	handler_set(SIGALRM, count_alarm, 0);
	alarm_pump_start();
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0), EINTR);
	alarms = 0;
	word = 0;
	/* Restarted: it ends because the third alarm wakes it or has changed the value. */
	handler_set(SIGALRM, count_alarm, SA_RESTART);
	CHECK(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 || errno == EAGAIN);
	CHECK_GE(alarms, 3);
	alarms = 0;
	word = 0;
	/* With a timeout a handler always ends it. */
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &long_time, NULL, 0), EINTR);
	alarm_pump_stop();
}

static void ping_pong(uint32_t *words, int me, int flag)
{
	for (int i = 0; i < 100; i++) {
		while (__atomic_load_n(&words[me], __ATOMIC_SEQ_CST) == 0)
			futex(&words[me], FUTEX_WAIT | flag, 0, NULL, NULL, 0);
		__atomic_store_n(&words[me], 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&words[!me], 1, __ATOMIC_SEQ_CST);
		futex(&words[!me], FUTEX_WAKE | flag, 1, NULL, NULL, 0);
	}
}

static void check_between_processes(uint32_t *words)
{
	words[0] = 1;
	words[1] = 0;
	pid_t pid = FORK();
	ping_pong(words, pid == 0, 0);
	if (pid == 0)
		_exit(0);
	CHECK_EXITED(pid, 0);
	CHECK_EQ(words[0], 1);
}

TEST(futex, between_processes)
{
	check_between_processes(map_shared(PAGE));
}

TEST(futex, between_processes_in_a_file)
{
	char zero[PAGE] = { 0 };

	file_write("f", zero, sizeof(zero));
	int fd = CHECK_OK(open("f", O_RDWR));
	uint32_t *words = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(words != MAP_FAILED);
	check_between_processes(words);
}

/* The key of a shared futex is the place in the object, not the address. */
TEST(futex, two_mappings_of_one_file)
{
	char zero[PAGE] = { 0 };
	struct waiter waiter;

	file_write("f", zero, sizeof(zero));
	int fd = CHECK_OK(open("f", O_RDWR));
	uint32_t *a = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint32_t *b = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(a != MAP_FAILED && b != MAP_FAILED && a != b);
	waiter_start(&waiter, a + 8, ~0u);
	CHECK_EQ(wake(b, 1), 0);
	CHECK_EQ(wake(b + 8, 1), 1);
	waiter_join(&waiter);
}

/*
 * Private memory is not shared by fork: a child's wake does not reach the parent. SIGCHLD is
 * blocked, since one that comes while fork() has blocked everything here would go to the waiter,
 * which then leaves its queue for a moment, here as on Linux.
 */
TEST(futex, private_memory_is_private)
{
	struct waiter waiter;

	signal_mask(SIG_BLOCK, SIGCHLD);
	waiter_start(&waiter, &word, ~0u);
	SUBPROCESS {
		CHECK_EQ(wake(&word, 1), 0);
	}
	CHECK_EQ(wake(&word, 1), 1);
	waiter_join(&waiter);
}

static uint32_t thread_words[2] = { 1, 0 };

static void *ping_thread(void *arg)
{
	ping_pong(thread_words, 1, FUTEX_PRIVATE_FLAG);
	return arg;
}

TEST(futex, between_threads)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, ping_thread, NULL), 0);
	ping_pong(thread_words, 0, FUTEX_PRIVATE_FLAG);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

TEST(futex, waiter_can_be_killed)
{
	pid_t pid = FORK();

	if (pid == 0)
		futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0);
	wait_until_blocked(pid);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
}
