/*
 * timer_create: identifiers, signals that wait, periods shorter than anybody can follow, and many
 * timers at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The system calls: their identifiers are numbers, timer_t is a pointer. */
static int timer_new(clockid_t clock, int notify, int sig)
{
	struct sigevent e = { .sigev_notify = notify, .sigev_signo = sig };
	int id = -1;

	return syscall(SYS_timer_create, clock, &e, &id) ? -1 : id;
}

static int timer_set(int id, int flags, int64_t value, int64_t interval)
{
	struct itimerspec s = { .it_value = { value / 1000000000, value % 1000000000 },
				.it_interval = { interval / 1000000000, interval % 1000000000 } };

	return (int)syscall(SYS_timer_settime, id, flags, &s, NULL);
}

/* Waits for one that is blocked. */
static siginfo_t take(int sig)
{
	const struct timespec most = { .tv_sec = 5 };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	CHECK_EQ(sigtimedwait(&set, &info, &most), sig);
	return info;
}

TEST(timers, identifiers_are_used_again)
{
	for (int i = 0; i < 3000; i++) {
		int id = (int)CHECK_OK(timer_new(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1));

		CHECK_OK(syscall(SYS_timer_delete, id));
	}
	CHECK_ERRNO(syscall(SYS_timer_delete, 1), EINVAL);
}

/* Another signal of the number is pending already: the timer's is not lost, nor the timer. */
TEST(timers, signal_is_pending_already)
{
	int id = (int)CHECK_OK(timer_new(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1));
	struct itimerspec left;

	signal_mask(SIG_BLOCK, SIGUSR1);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_OK(timer_set(id, 0, 1000000, 0));
	do
		CHECK_OK(syscall(SYS_timer_gettime, id, &left));
	while (left.it_value.tv_nsec);
	CHECK_EQ(take(SIGUSR1).si_code, SI_USER);
	CHECK_EQ(take(SIGUSR1).si_code, SI_TIMER);
	CHECK_OK(timer_set(id, 0, 1000000, 0));
	CHECK_EQ(take(SIGUSR1).si_code, SI_TIMER);
}

/* Its signal is thrown away while it waits: when it is set again it signals again. */
TEST(timers, signal_is_discarded)
{
	int id = (int)CHECK_OK(timer_new(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1));
	sigset_t pending;

	signal_mask(SIG_BLOCK, SIGUSR1);
	CHECK_OK(timer_set(id, 0, 1000000, 0));
	do
		CHECK_OK(sigpending(&pending));
	while (!sigismember(&pending, SIGUSR1));
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR1, SIG_DFL);
	CHECK_OK(sigpending(&pending));
	CHECK(!sigismember(&pending, SIGUSR1));
	CHECK_OK(timer_set(id, 0, 1000000, 0));
	CHECK_EQ(take(SIGUSR1).si_code, SI_TIMER);
}

TEST(timers, overruns_are_counted)
{
	int id = (int)CHECK_OK(timer_new(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1));
	siginfo_t info;

	signal_mask(SIG_BLOCK, SIGUSR1);
	CHECK_OK(timer_set(id, 0, 1000000, 1000000));
	usleep(50000);
	info = take(SIGUSR1);
	CHECK_EQ(info.si_timerid, id);
	CHECK_GE(info.si_overrun, 30);
	CHECK_EQ(syscall(SYS_timer_getoverrun, id), info.si_overrun);
	CHECK_EQ(take(SIGUSR1).si_code, SI_TIMER);	/* it runs on */
}

/* Sets off what would fire without end, and waits to be killed. */
static void impatient(int how)
{
	const struct itimerval each = { .it_value = { 0, 1 }, .it_interval = { 0, 1 } };
	int id;

	if (how % 2)
		signal_mask(SIG_BLOCK, SIGALRM);
	else
		signal(SIGALRM, SIG_IGN);
	if (how < 2) {
		CHECK_OK(setitimer(ITIMER_REAL, &each, NULL));
		return;
	}
	id = (int)CHECK_OK(timer_new(CLOCK_MONOTONIC, how < 4 ? SIGEV_SIGNAL : SIGEV_NONE,
				     SIGALRM));
	CHECK_OK(timer_set(id, 0, 1, 1));
}

/* Periods of a nanosecond cost the others nothing that they notice. */
TEST(timers, shortest_periods)
{
	for (int how = 0; how < 6; how++) {
		struct gate set;
		pid_t pid;

		gate_init(&set);
		pid = FORK();
		if (pid == 0) {
			impatient(how);
			gate_open(&set);
			for (;;)
				pause();
		}
		gate_pass(&set);
		for (int i = 0; i < 20; i++)
			SUBPROCESS {
				usleep(1000);
			}
		CHECK_OK(kill(pid, SIGKILL));
		CHECK_SIGNALED(pid, SIGKILL);
	}
}

/* As many as there may be, of several processes, all due in the same moment. */
TEST(timers, all_at_once)
{
	enum { PROCESSES = 6, EACH = 1000 };
	pid_t pid[PROCESSES];
	int64_t at = now_ns() + 3000000000ll;

	for (int i = 0; i < PROCESSES; i++) {
		pid[i] = FORK();
		if (pid[i] == 0) {
			int n = 0, id;

			signal_mask(SIG_BLOCK, SIGRTMIN);
			while (n < EACH && (id = timer_new(CLOCK_MONOTONIC, SIGEV_SIGNAL,
							   SIGRTMIN)) >= 0) {
				CHECK_OK(timer_set(id, TIMER_ABSTIME, at, 1000000000));
				n++;
			}
			CHECK(n > 0 || errno == EAGAIN);
			if (n)
				CHECK_EQ(take(SIGRTMIN).si_code, SI_TIMER);
			usleep(100000);
			_exit(0);
		}
	}
	for (int i = 0; i < PROCESSES; i++)
		CHECK_EXITED(pid[i], 0);
}
