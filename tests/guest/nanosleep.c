/*
 * nanosleep and clock_nanosleep, relative and absolute.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

TEST(nanosleep, at_least_so_long)
{
	static const long times[] = { 1, 1000, 1000000, 30000000 };

	for (unsigned i = 0; i < LENGTH(times); i++) {
		struct timespec time = { 0, times[i] };
		int64_t start = now_ns();

		CHECK_OK(nanosleep(&time, NULL));
		CHECK_GE(now_ns() - start, times[i]);
	}
	struct timespec zero = { 0, 0 };
	CHECK_OK(nanosleep(&zero, NULL));
}

TEST(nanosleep, absolute)
{
	struct timespec until;

	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &until));
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0); /* is past */
	/* long past, even right after the start of the machine */
	until = (struct timespec){ 0, 1 };
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
	int64_t end = now_ns() + 30000000;
	until = (struct timespec){ end / 1000000000, end % 1000000000 };
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
	CHECK_GE(now_ns(), end);
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &until));
	until.tv_nsec += 10000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	CHECK_EQ(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL), 0);
	struct timespec now;
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &now));
	CHECK(now.tv_sec > until.tv_sec ||
	      (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec));
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(nanosleep, interrupted_tells_the_rest)
{
	struct timespec time = { 100, 0 }, rest = { 0, 0 };

	handler_set(SIGALRM, nothing, SA_RESTART);
	alarm_pump_start();
	CHECK_ERRNO(nanosleep(&time, &rest), EINTR);
	CHECK_GE(rest.tv_sec, 50);
	CHECK_LE(rest.tv_sec, 100);
	CHECK_ERRNO(nanosleep(&time, NULL), EINTR);
	rest = (struct timespec){ 1, 2 };
	struct timespec until = { now_ns() / 1000000000 + 100, 0 };
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, &rest), EINTR);
	CHECK(rest.tv_sec == 1 && rest.tv_nsec == 2); /* untouched */
	alarm_pump_stop();
}

/* Stopped and continued, it still ends at the time that was set. */
TEST(nanosleep, stop_does_not_interrupt)
{
	int status;
	pid_t pid = FORK();

	if (pid == 0) {
		struct timespec time = { 0, 400000000 };
		int64_t start = now_ns();

		CHECK_OK(nanosleep(&time, NULL));
		CHECK_GE(now_ns() - start, 400000000);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	if (WIFSTOPPED(status)) {
		CHECK_OK(kill(pid, SIGCONT));
		CHECK_EXITED(pid, 0);
	} else {
		CHECK_EQ(status, 0);
	}
}

TEST(nanosleep, errors)
{
	struct timespec bad = { 0, 1000000000 }, negative = { -1, 0 }, fine = { 0, 1 };

	CHECK_ERRNO(nanosleep(&bad, NULL), EINVAL);
	CHECK_ERRNO(nanosleep(&negative, NULL), EINVAL);
	bad.tv_nsec = -1;
	CHECK_ERRNO(nanosleep(&bad, NULL), EINVAL);
	CHECK_EQ(clock_nanosleep(77, 0, &fine, NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_nanosleep, BAD_UNMAPPED, NULL), EFAULT);
	CHECK_ERRNO(syscall(SYS_clock_nanosleep, CLOCK_REALTIME, 0, BAD_KERNEL, NULL), EFAULT);
}

TEST(nanosleep, several_sleepers)
{
	enum { COUNT = 8 };
	int fd[2];
	char order[COUNT];
	int64_t base = now_ns() + 100000000;

	CHECK_OK(pipe(fd));
	for (int i = 0; i < COUNT; i++)
		if (FORK() == 0) {
			int64_t at = base + (COUNT - i) * 40000000LL;
			struct timespec until = { at / 1000000000, at % 1000000000 };
			char id = COUNT - i;

			CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
			CHECK_EQ(write(fd[1], &id, 1), 1);
			_exit(0);
		}
	for (int i = 0; i < COUNT; i++) {
		CHECK_EQ(read(fd[0], &order[i], 1), 1);
		CHECK_GE(now_ns(), base + order[i] * 40000000LL);
	}
	while (wait(NULL) > 0)
		;
}
