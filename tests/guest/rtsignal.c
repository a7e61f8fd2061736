/*
 * Real-time signals: queued with a value, in order, bounded; and taking signals synchronously.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void block_all(void)
{
	sigset_t all;

	sigfillset(&all);
	CHECK_OK(sigprocmask(SIG_SETMASK, &all, NULL));
}

static sigset_t set_of(int a, int b)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, a);
	if (b)
		sigaddset(&set, b);
	return set;
}

static void queue(int sig, int value)
{
	CHECK_OK(sigqueue(getpid(), sig, (union sigval){ .sival_int = value }));
}

TEST(rtsignal, queued_in_order)
{
	sigset_t set = set_of(40, 0);
	siginfo_t info;

	block_all();
	for (int i = 0; i < 20; i++)
		queue(40, i);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(sigwaitinfo(&set, &info), 40);
		CHECK_EQ(info.si_value.sival_int, i);
		CHECK_EQ(info.si_code, SI_QUEUE);
		CHECK_EQ(info.si_pid, getpid());
		CHECK_EQ(info.si_uid, getuid());
		CHECK_EQ(info.si_signo, 40);
	}
}

TEST(rtsignal, lowest_first_each_in_order)
{
	static const int sent[] = { 45, 41, 45, 64, 41, 35 }, taken[] = { 35, 41, 41, 45, 45, 64 };
	static const int values[] = { 5, 1, 4, 0, 2, 3 };
	sigset_t all;
	siginfo_t info;

	block_all();
	for (int i = 0; i < 6; i++)
		queue(sent[i], i);
	sigfillset(&all);
	for (int i = 0; i < 6; i++) {
		CHECK_EQ(sigwaitinfo(&all, &info), taken[i]);
		CHECK_EQ(info.si_value.sival_int, values[i]);
	}
}

TEST(rtsignal, standard_before_real_time)
{
	sigset_t all;
	siginfo_t info;

	block_all();
	queue(35, 1);
	CHECK_OK(kill(getpid(), SIGTERM));
	sigfillset(&all);
	CHECK_EQ(sigwaitinfo(&all, &info), SIGTERM);
	CHECK_EQ(sigwaitinfo(&all, &info), 35);
}

TEST(rtsignal, standard_signal_keeps_the_first_value)
{
	sigset_t set = set_of(SIGUSR1, 0);
	struct timespec zero = { 0, 0 };
	siginfo_t info;

	block_all();
	queue(SIGUSR1, 1);
	queue(SIGUSR1, 2);
	CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
	CHECK_EQ(info.si_value.sival_int, 1);
	CHECK_ERRNO(sigtimedwait(&set, &info, &zero), EAGAIN);
}

static volatile int values[32], value_count;

static void keep_value(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	values[value_count++ % 32] = info->si_value.sival_int;
}

TEST(rtsignal, handler_gets_each_value)
{
	struct sigaction action = { .sa_sigaction = keep_value, .sa_flags = SA_SIGINFO };
	sigset_t none;

	sigfillset(&action.sa_mask);
	CHECK_OK(sigaction(50, &action, NULL));
	block_all();
	for (int i = 0; i < 32; i++)
		queue(50, i * 3);
	sigemptyset(&none);
	CHECK_OK(sigprocmask(SIG_SETMASK, &none, NULL));
	CHECK_EQ(value_count, 32);
	for (int i = 0; i < 32; i++)
		CHECK_EQ(values[i], i * 3);
}

TEST(rtsignal, kill_queues_too)
{
	sigset_t set = set_of(42, 0);
	struct timespec zero = { 0, 0 };
	siginfo_t info;

	block_all();
	for (int i = 0; i < 3; i++)
		CHECK_OK(kill(getpid(), 42));
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(sigwaitinfo(&set, &info), 42);
		CHECK_EQ(info.si_code, SI_USER);
	}
	CHECK_ERRNO(sigtimedwait(&set, &info, &zero), EAGAIN);
}

TEST(rtsignal, from_another_process)
{
	sigset_t set = set_of(40, SIGCHLD);
	pid_t parent = getpid();
	siginfo_t info;

	block_all();
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(sigqueue(parent, 40, (union sigval){ .sival_ptr = (void *)0x123456789 }));
		_exit(0);
	}
	int first = CHECK_OK(sigwaitinfo(&set, &info));
	if (first != 40) {
		CHECK_EQ(first, SIGCHLD);
		CHECK_EQ(sigwaitinfo(&set, &info), 40);
	}
	CHECK_EQ(info.si_pid, pid);
	CHECK(info.si_value.sival_ptr == (void *)0x123456789);
	CHECK_EXITED(pid, 0);
}

TEST(rtsignal, timed_wait)
{
	sigset_t set = set_of(40, 0);
	struct timespec zero = { 0, 0 }, some = { 0, 30000000 }, bad = { 0, 1000000000 },
			negative = { -1, 0 };
	siginfo_t info;

	block_all();
	CHECK_ERRNO(sigtimedwait(&set, &info, &zero), EAGAIN);
	int64_t start = now_ns();
	CHECK_ERRNO(sigtimedwait(&set, &info, &some), EAGAIN);
	CHECK_GE(now_ns() - start, 30000000);
	CHECK_ERRNO(sigtimedwait(&set, &info, &bad), EINVAL);
	CHECK_ERRNO(sigtimedwait(&set, &info, &negative), EINVAL);
	queue(40, 1);
	CHECK_EQ(sigtimedwait(&set, &info, &zero), 40);
	queue(40, 1);
	CHECK_EQ(sigtimedwait(&set, NULL, &some), 40);
	CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &set, &info, &zero, 4), EINVAL);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(rtsignal, wait_is_interrupted_by_others)
{
	sigset_t set = set_of(40, 0);
	siginfo_t info;

	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	handler_set(SIGALRM, nothing, SA_RESTART);
	alarm_pump_start();
	/* The C library would try again. */
	CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8), EINTR);
	alarm_pump_stop();
}

/* A signal that is waited for is taken by the wait even though its action is to be ignored. */
TEST(rtsignal, wait_takes_blocked_default_ignored)
{
	sigset_t set = set_of(SIGCHLD, SIGWINCH);
	siginfo_t info;

	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(kill(getpid(), SIGWINCH));
	CHECK_EQ(sigwaitinfo(&set, &info), SIGWINCH);
	pid_t pid = FORK();
	if (pid == 0)
		_exit(4);
	CHECK_EQ(sigwaitinfo(&set, &info), SIGCHLD);
	CHECK_EQ(info.si_pid, pid);
	CHECK_EQ(info.si_status, 4);
	CHECK_EXITED(pid, 4);
}

TEST(rtsignal, queue_is_limited)
{
	SUBPROCESS {
		struct rlimit limit = { 5, 5 };
		sigset_t set = set_of(40, 0);
		siginfo_t info;
		int queued = 0;

		block_all();
		CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &limit));
		drop_to_user(45455, 45455);
		while (sigqueue(getpid(), 40, (union sigval){ .sival_int = queued }) == 0)
			CHECK_LE(++queued, 5);
		CHECK_EQ(errno, EAGAIN);
		CHECK_EQ(queued, 5);
		CHECK_EQ(sigwaitinfo(&set, &info), 40);
		queue(40, 9);
		/* kill gets through without a place in the queue. */
		CHECK_OK(kill(getpid(), SIGUSR1));
	}
}

TEST(rtsignal, many)
{
	sigset_t set = set_of(64, 0);
	siginfo_t info;

	block_all();
	for (int i = 0; i < 300; i++)
		queue(64, i);
	for (int i = 0; i < 300; i++) {
		CHECK_EQ(sigwaitinfo(&set, &info), 64);
		CHECK_EQ(info.si_value.sival_int, i);
	}
}

TEST(rtsignal, errors)
{
	union sigval value = { .sival_int = 1 };
	siginfo_t info;

	CHECK_ERRNO(sigqueue(getpid(), 65, value), EINVAL);
	CHECK_ERRNO(sigqueue(999999999, 40, value), ESRCH);
	CHECK_OK(sigqueue(getpid(), 0, value));
	pid_t parent = getpid();
	SUBPROCESS {
		drop_to_user(4242, 4242);
		CHECK_ERRNO(sigqueue(parent, 40, value), EPERM);
	}
	/* Nobody may pretend to another process that the kernel sent it. */
	SUBPROCESS {
		memset(&info, 0, sizeof(info));
		info.si_code = SI_USER;
		CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, parent, 0, &info), EPERM);
		info.si_code = SI_TKILL;
		CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, parent, 0, &info), EPERM);
		info.si_code = SI_QUEUE;
		CHECK_OK(syscall(SYS_rt_sigqueueinfo, parent, 0, &info));
	}
}

TEST(rtsignal, to_one_thread)
{
	sigset_t set = set_of(40, 0);
	struct timespec zero = { 0, 0 };
	siginfo_t info;

	block_all();
	memset(&info, 0, sizeof(info));
	info.si_code = SI_QUEUE;
	info.si_value.sival_int = 77;
	CHECK_OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), 40, &info));
	memset(&info, 0, sizeof(info));
	CHECK_EQ(sigtimedwait(&set, &info, &zero), 40);
	CHECK_EQ(info.si_value.sival_int, 77);
	CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, getppid(), getpid(), 40, &info), ESRCH);
}

static volatile int taken[100];

static void *take_signals(void *arg)
{
	sigset_t set = set_of(40, 41);
	siginfo_t info;
	intptr_t count = 0;

	(void)arg;
	while (sigwaitinfo(&set, &info) == 40) {
		taken[info.si_value.sival_int]++;
		count++;
	}
	return (void *)count;
}

/* Several threads wait for the same signal: each instance wakes exactly one of them. */
TEST(rtsignal, shared_by_threads)
{
	pthread_t threads[3];
	intptr_t sum = 0;
	void *count;

	block_all();
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, take_signals, NULL), 0);
	for (int i = 0; i < 100; i++)
		queue(40, i);
	for (int i = 0; i < 3; i++)
		queue(41, 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(pthread_join(threads[i], &count), 0);
		sum += (intptr_t)count;
	}
	/* 40 is taken before 41, so all had been taken when the threads ended. */
	CHECK_EQ(sum, 100);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(taken[i], 1);
}
