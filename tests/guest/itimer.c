/*
 * alarm and the interval timers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t count;

static void count_it(int sig)
{
	(void)sig;
	count++;
}

static void wait_for(int sig, int times)
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, sig);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, &old));
	while (count < times)
		sigsuspend(&old);
	CHECK_OK(sigprocmask(SIG_SETMASK, &old, NULL));
}

TEST(itimer, alarm)
{
	CHECK_EQ(alarm(100), 0);
	CHECK_GE(alarm(50), 99);
	CHECK_GE(alarm(0), 49);
	CHECK_EQ(alarm(0), 0);
	handler_set(SIGALRM, count_it, 0);
	int64_t start = now_ns();
	CHECK_EQ(alarm(1), 0);
	wait_for(SIGALRM, 1);
	CHECK_GE(now_ns() - start, 990000000);
	CHECK_EQ(alarm(0), 0);
}

TEST(itimer, once)
{
	struct itimerval timer = { { 0, 0 }, { 0, 20000 } };

	handler_set(SIGALRM, count_it, 0);
	int64_t start = now_ns();
	CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
	wait_for(SIGALRM, 1);
	CHECK_GE(now_ns() - start, 19900000);
	CHECK_OK(getitimer(ITIMER_REAL, &timer));
	CHECK(timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0);
	usleep(60000);
	CHECK_EQ(count, 1);
}

TEST(itimer, again_and_again)
{
	struct itimerval timer = { { 0, 10000 }, { 0, 5000 } }, old;

	handler_set(SIGALRM, count_it, 0);
	int64_t start = now_ns();
	CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
	wait_for(SIGALRM, 5);
	CHECK_GE(now_ns() - start, 44000000);
	timer = (struct itimerval){ { 0, 0 }, { 0, 0 } };
	CHECK_OK(setitimer(ITIMER_REAL, &timer, &old));
	CHECK_EQ(old.it_interval.tv_usec, 10000);
	CHECK_LE(old.it_value.tv_usec, 10000);
	int stopped = count;
	usleep(40000);
	CHECK_LE(count, stopped + 1);
}

TEST(itimer, remaining_time)
{
	struct itimerval timer = { { 7, 8 }, { 100, 500000 } }, got;

	CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
	CHECK_OK(getitimer(ITIMER_REAL, &got));
	CHECK(got.it_interval.tv_sec == 7 && got.it_interval.tv_usec == 8);
	CHECK_GE(got.it_value.tv_sec, 90);
	CHECK_LE(got.it_value.tv_sec, 100);
	CHECK_GE(alarm(0), 90); /* the alarm is the same timer */
}

TEST(itimer, of_processor_time)
{
	struct itimerval timer = { { 0, 0 }, { 0, 30000 } };
	static const int which[] = { ITIMER_VIRTUAL, ITIMER_PROF };
	static const int sigs[] = { SIGVTALRM, SIGPROF };

	for (int i = 0; i < 2; i++) {
		count = 0;
		handler_set(sigs[i], count_it, 0);
		CHECK_OK(setitimer(which[i], &timer, NULL));
		usleep(100000); /* does not run while the process sleeps */
		CHECK_EQ(count, 0);
		while (count == 0)
			for (volatile int j = 0; j < 1000; j++)
				;
		CHECK_EQ(count, 1);
	}
}

TEST(itimer, kills_by_default)
{
	pid_t pid = FORK();

	if (pid == 0) {
		struct itimerval timer = { { 0, 0 }, { 0, 1000 } };

		CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
		for (;;)
			pause();
	}
	CHECK_SIGNALED(pid, SIGALRM);
}

TEST(itimer, errors)
{
	struct itimerval timer = { { 0, 0 }, { 0, 1000000 } };

	CHECK_ERRNO(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
	timer.it_value = (struct timeval){ -1, 0 };
	CHECK_ERRNO(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
	timer = (struct itimerval){ { 0, -1 }, { 1, 0 } };
	CHECK_ERRNO(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
	CHECK_ERRNO(getitimer(77, &timer), EINVAL);
	CHECK_ERRNO(syscall(SYS_setitimer, ITIMER_REAL, BAD_UNMAPPED, NULL), EFAULT);
	CHECK_ERRNO(syscall(SYS_getitimer, ITIMER_REAL, BAD_UNMAPPED), EFAULT);
}
