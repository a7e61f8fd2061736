/*
 * The clocks: they agree with each other, and never go back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec at;

	CHECK_OK(clock_gettime(id, &at));
	CHECK(at.tv_nsec >= 0 && at.tv_nsec < 1000000000);
	return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static int64_t read_by_call(clockid_t id)
{
	struct timespec at;

	CHECK_OK(syscall(SYS_clock_gettime, id, &at));
	return at.tv_sec * 1000000000LL + at.tv_nsec;
}

TEST(clock, never_goes_back)
{
	int64_t last = read_clock(CLOCK_MONOTONIC);

	for (int i = 0; i < 20000; i++) {
		int64_t now = read_clock(CLOCK_MONOTONIC);

		CHECK_GE(now, last);
		last = now;
	}
}

TEST(clock, advances)
{
	int64_t start = read_clock(CLOCK_MONOTONIC);
	int64_t real = read_clock(CLOCK_REALTIME);

	while (read_clock(CLOCK_MONOTONIC) < start + 1000000)
		;
	CHECK_GT(read_clock(CLOCK_REALTIME), real);
}

/* With and without the vDSO. */
TEST(clock, call_and_page_agree)
{
	static const clockid_t ids[] = { CLOCK_MONOTONIC, CLOCK_REALTIME };

	for (unsigned i = 0; i < LENGTH(ids); i++)
		for (int j = 0; j < 100; j++) {
			int64_t a = read_clock(ids[i]), b = read_by_call(ids[i]);
			int64_t c = read_clock(ids[i]);

			CHECK_LE(a, b);
			CHECK_LE(b, c);
		}
}

TEST(clock, wall_clocks_agree)
{
	struct timeval tv;

	for (int i = 0; i < 20; i++) {
		int64_t a = read_clock(CLOCK_REALTIME);
		CHECK_OK(gettimeofday(&tv, NULL));
		int64_t b = read_clock(CLOCK_REALTIME);

		CHECK_GE(tv.tv_sec * 1000000LL + tv.tv_usec, a / 1000);
		CHECK_LE(tv.tv_sec * 1000000LL + tv.tv_usec, b / 1000);
		/* time() may lag by a tick. */
		int64_t now = time(NULL);
		CHECK_GE(now, a / 1000000000 - 1);
		CHECK_LE(now, read_clock(CLOCK_REALTIME) / 1000000000);
		CHECK_GE(syscall(SYS_time, NULL), a / 1000000000 - 1);
	}
	CHECK_GT(tv.tv_sec, 1700000000);
}

TEST(clock, coarse_and_others)
{
	static const clockid_t ids[] = { CLOCK_MONOTONIC_COARSE, CLOCK_REALTIME_COARSE,
					 CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME };

	for (unsigned i = 0; i < LENGTH(ids); i++) {
		int64_t last = read_clock(ids[i]);

		for (int j = 0; j < 1000; j++) {
			int64_t now = read_clock(ids[i]);

			CHECK_GE(now, last);
			last = now;
		}
	}
	CHECK_LE(read_clock(CLOCK_MONOTONIC_COARSE), read_clock(CLOCK_MONOTONIC));
	CHECK_GE(read_clock(CLOCK_BOOTTIME) + 1000000000, read_clock(CLOCK_MONOTONIC));
}

TEST(clock, processor_time)
{
	int64_t process = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	int64_t thread = read_clock(CLOCK_THREAD_CPUTIME_ID);

	while (read_clock(CLOCK_THREAD_CPUTIME_ID) < thread + 20000000)
		;
	CHECK_GE(read_clock(CLOCK_PROCESS_CPUTIME_ID), process + 19000000);
	/* A sleeper uses none. */
	thread = read_clock(CLOCK_THREAD_CPUTIME_ID);
	usleep(100000);
	CHECK_LT(read_clock(CLOCK_THREAD_CPUTIME_ID), thread + 90000000);
}

TEST(clock, resolution)
{
	struct timespec at;

	CHECK_OK(clock_getres(CLOCK_MONOTONIC, &at));
	CHECK(at.tv_sec == 0 && at.tv_nsec >= 1 && at.tv_nsec <= 10000000);
	CHECK_OK(clock_getres(CLOCK_REALTIME, NULL));
	CHECK_ERRNO(clock_getres(77, &at), EINVAL);
}

TEST(clock, errors)
{
	struct timespec at = { 0, 0 };

	CHECK_ERRNO(clock_gettime(77, &at), EINVAL);
	CHECK_ERRNO(clock_gettime(-1000, &at), EINVAL);
	CHECK_ERRNO(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, BAD_UNMAPPED), EFAULT);
	CHECK_ERRNO(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, BAD_KERNEL), EFAULT);
	CHECK_ERRNO(syscall(SYS_gettimeofday, BAD_UNMAPPED, NULL), EFAULT);
	CHECK_ERRNO(clock_settime(CLOCK_MONOTONIC, &at), EINVAL);
	CHECK_ERRNO(syscall(SYS_clock_settime, CLOCK_REALTIME, BAD_UNMAPPED), EFAULT);
	SUBPROCESS {
		drop_to_user(4242, 4242);
		CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &at), EPERM);
	}
}

static void *follow(void *arg)
{
	volatile int64_t *shared = arg;

	for (int i = 0; i < 5000; i++) {
		int64_t seen = __atomic_load_n(shared, __ATOMIC_SEQ_CST);
		int64_t now = read_clock(CLOCK_MONOTONIC);

		CHECK_GE(now, seen);
		/* Only ever forwards, whoever wrote last. */
		while (seen < now && !__atomic_compare_exchange_n(shared, &seen, now, 0,
								  __ATOMIC_SEQ_CST,
								  __ATOMIC_SEQ_CST))
			;
	}
	return NULL;
}

TEST(clock, agrees_between_threads)
{
	int64_t shared = 0;
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, follow, &shared), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

TEST(clock, getcpu)
{
	unsigned cpu = -1, node = -1;

	CHECK_OK(syscall(SYS_getcpu, &cpu, &node, NULL));
	CHECK_LT(cpu, 1024);
	CHECK_LT(node, 64);
	CHECK_GE(sched_getcpu(), 0);
	CHECK_ERRNO(syscall(SYS_getcpu, BAD_UNMAPPED, NULL, NULL), EFAULT);
	CHECK_OK(syscall(SYS_getcpu, NULL, NULL, NULL));
}
