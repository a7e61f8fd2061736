/*
 * Accounting of processor time and memory: getrusage and times.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t us(struct timeval at)
{
	return at.tv_sec * 1000000LL + at.tv_usec;
}

static int64_t used(int who)
{
	struct rusage usage;

	CHECK_OK(getrusage(who, &usage));
	return us(usage.ru_utime) + us(usage.ru_stime);
}

static int64_t cpu_ns(clockid_t clock)
{
	struct timespec at;

	CHECK_OK(clock_gettime(clock, &at));
	return at.tv_sec * 1000000000LL + at.tv_nsec;
}

/* Computes until this thread has used so many milliseconds. */
static void burn(int ms)
{
	int64_t end = cpu_ns(CLOCK_THREAD_CPUTIME_ID) + ms * 1000000LL;

	while (cpu_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		for (volatile int i = 0; i < 1000; i++)
			;
}

TEST(rusage, own_time_grows_by_work)
{
	int64_t before = used(RUSAGE_SELF);

	burn(50);
	CHECK_GE(used(RUSAGE_SELF) - before, 40000);
	before = used(RUSAGE_SELF);
	usleep(100000);
	CHECK_LE(used(RUSAGE_SELF) - before, 80000); /* sleeping is not work */
}

TEST(rusage, children_count_when_waited_for)
{
	CHECK_EQ(used(RUSAGE_CHILDREN), 0);
	pid_t pid = FORK();
	if (pid == 0) {
		SUBPROCESS {
			burn(40);
		}
		CHECK_LE(used(RUSAGE_SELF), cpu_ns(CLOCK_PROCESS_CPUTIME_ID) / 1000 + 2000);
		_exit(0);
	}
	siginfo_t info;
	CHECK_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	CHECK_EQ(used(RUSAGE_CHILDREN), 0);
	CHECK_EXITED(pid, 0);
	CHECK_GE(used(RUSAGE_CHILDREN), 30000); /* the grandchild is in it */
	int64_t start = cpu_ns(CLOCK_MONOTONIC);
	SUBPROCESS { /* begins anew, so it has used less than its life is long */
		CHECK_EQ(used(RUSAGE_CHILDREN), 0);
		CHECK_LE(used(RUSAGE_SELF), (cpu_ns(CLOCK_MONOTONIC) - start) / 1000 + 2000);
	}
}

static void *burn_in_thread(void *arg)
{
	burn(50);
	*(int64_t *)arg = used(RUSAGE_THREAD);
	return NULL;
}

TEST(rusage, threads)
{
	pthread_t thread;
	int64_t of_thread = 0;

	CHECK_EQ(pthread_create(&thread, NULL, burn_in_thread, &of_thread), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_GE(of_thread, 40000);
	int64_t own = used(RUSAGE_THREAD), all = used(RUSAGE_SELF);
	CHECK_GE(all, 40000); /* also after its end */
	CHECK_LE(own + of_thread, all + 2000); /* which is not our time */
}

TEST(rusage, memory)
{
	struct rusage before, after;
	volatile char *at = map_anonymous(1000 * PAGE);

	CHECK_OK(getrusage(RUSAGE_SELF, &before));
	for (int i = 0; i < 1000; i++)
		at[i * PAGE] = 1;
	CHECK_OK(getrusage(RUSAGE_SELF, &after));
	CHECK_GE(after.ru_minflt - before.ru_minflt, 10);
	CHECK_GE(after.ru_maxrss, 2000);
}

TEST(rusage, errors)
{
	struct rusage usage;

	CHECK_ERRNO(getrusage(77, &usage), EINVAL);
	CHECK_ERRNO(syscall(SYS_getrusage, RUSAGE_SELF, BAD_UNMAPPED), EFAULT);
	CHECK_ERRNO(syscall(SYS_times, BAD_UNMAPPED), EFAULT);
}

TEST(rusage, times)
{
	struct tms tms;

	CHECK_EQ(sysconf(_SC_CLK_TCK), 100);
	clock_t start = times(NULL);
	burn(60);
	clock_t end = times(&tms);
	CHECK_GE(end - start, 5);
	CHECK_GE(tms.tms_utime + tms.tms_stime, 4);
	CHECK_EQ(tms.tms_cutime + tms.tms_cstime, 0);
	SUBPROCESS {
		burn(60);
	}
	CHECK_NE(times(&tms), (clock_t)-1);
	CHECK_GE(tms.tms_cutime + tms.tms_cstime, 4);
}
