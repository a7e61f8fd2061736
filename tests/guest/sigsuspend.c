/*
 * Changing the mask and waiting in one step: no signal is lost between the two.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t count;

static void count_it(int sig)
{
	(void)sig;
	count++;
}

static int blocked(int sig)
{
	sigset_t set;

	CHECK_OK(sigprocmask(SIG_SETMASK, NULL, &set));
	return sigismember(&set, sig);
}

TEST(sigsuspend, takes_what_was_pending_and_restores_the_mask)
{
	sigset_t none;

	sigemptyset(&none);
	handler_set(SIGUSR1, count_it, SA_RESTART);
	signal_mask(SIG_BLOCK, SIGUSR1);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(count, 0);
	CHECK_ERRNO(sigsuspend(&none), EINTR);
	CHECK_EQ(count, 1);
	CHECK(blocked(SIGUSR1));
	CHECK(!blocked(SIGUSR2));
}

static int mask_in_handler;

static void see_mask(int sig)
{
	(void)sig;
	/* The mask of the wait plus the signal itself, not the one that will be restored. */
	mask_in_handler = blocked(SIGHUP) * 1 + blocked(SIGUSR2) * 2 + blocked(SIGUSR1) * 4;
}

TEST(sigsuspend, mask_in_the_handler)
{
	sigset_t only_hup;

	sigemptyset(&only_hup);
	sigaddset(&only_hup, SIGHUP);
	handler_set(SIGUSR1, see_mask, 0);
	signal_mask(SIG_BLOCK, SIGUSR1);
	signal_mask(SIG_BLOCK, SIGUSR2);
	CHECK_OK(raise(SIGUSR1));
	CHECK_ERRNO(sigsuspend(&only_hup), EINTR);
	CHECK_EQ(mask_in_handler, 1 + 4);
	CHECK(blocked(SIGUSR1) && blocked(SIGUSR2) && !blocked(SIGHUP));
}

/* Parent and child wake each other in turn; one lost wake-up and both hang. */
TEST(sigsuspend, no_wake_up_is_lost)
{
	enum { ROUNDS = 400 };
	sigset_t none;
	pid_t parent = getpid();

	sigemptyset(&none);
	handler_set(SIGUSR1, count_it, 0);
	signal_mask(SIG_BLOCK, SIGUSR1);
	pid_t pid = FORK();
	for (int i = 1; i <= ROUNDS; i++) {
		if (pid == 0)
			CHECK_OK(kill(parent, SIGUSR1));
		while (count < i)
			CHECK_ERRNO(sigsuspend(&none), EINTR);
		if (pid != 0)
			CHECK_OK(kill(pid, SIGUSR1));
	}
	if (pid == 0)
		_exit(0);
	CHECK_EXITED(pid, 0);
}

TEST(sigsuspend, ignored_signals_do_not_end_it)
{
	sigset_t none;
	pid_t parent = getpid();

	sigemptyset(&none);
	handler_set(SIGUSR1, count_it, 0);
	signal(SIGUSR2, SIG_IGN);
	signal_mask(SIG_BLOCK, SIGUSR1);
	signal_mask(SIG_BLOCK, SIGUSR2);
	pid_t pid = FORK();
	if (pid == 0) {
		wait_until_blocked(parent);
		for (int i = 0; i < 10; i++) {
			CHECK_OK(kill(parent, SIGUSR2));
			CHECK_OK(kill(parent, SIGCHLD));
		}
		CHECK_OK(kill(parent, SIGUSR1));
		_exit(0);
	}
	CHECK_ERRNO(sigsuspend(&none), EINTR);
	CHECK_EQ(count, 1);
	CHECK_EXITED(pid, 0);
}

TEST(sigsuspend, stop_does_not_end_it)
{
	sigset_t none;
	int status;

	sigemptyset(&none);
	pid_t pid = FORK();
	if (pid == 0) {
		handler_set(SIGUSR1, count_it, 0);
		signal_mask(SIG_BLOCK, SIGUSR1);
		CHECK_ERRNO(sigsuspend(&none), EINTR);
		_exit(count);
	}
	wait_until_blocked(pid);
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_EXITED(pid, 1);
}

TEST(sigsuspend, default_action_kills)
{
	sigset_t none;
	pid_t pid = FORK();

	sigemptyset(&none);
	if (pid == 0) {
		signal_mask(SIG_BLOCK, SIGTERM);
		raise(SIGTERM);
		sigsuspend(&none);
		_exit(0);
	}
	CHECK_SIGNALED(pid, SIGTERM);
}

TEST(sigsuspend, errors)
{
	sigset_t none;

	sigemptyset(&none);
	CHECK_ERRNO(syscall(SYS_rt_sigsuspend, &none, 4), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigsuspend, BAD_UNMAPPED, 8), EFAULT);
}

/* pselect, ppoll and epoll_pwait do the same. Each first takes a pending signal, then times out. */
TEST(sigsuspend, pselect_ppoll_epoll_pwait)
{
	struct timespec zero = { 0, 0 }, long_time = { 100, 0 };
	struct epoll_event event;
	sigset_t none;
	int epfd = CHECK_OK(epoll_create1(0));

	sigemptyset(&none);
	handler_set(SIGUSR1, count_it, SA_RESTART);
	signal_mask(SIG_BLOCK, SIGUSR1);
	CHECK_OK(raise(SIGUSR1));
	CHECK_ERRNO(pselect(0, NULL, NULL, NULL, &long_time, &none), EINTR);
	CHECK_EQ(count, 1);
	CHECK_OK(raise(SIGUSR1));
	CHECK_ERRNO(ppoll(NULL, 0, &long_time, &none), EINTR);
	CHECK_EQ(count, 2);
	CHECK_OK(raise(SIGUSR1));
	CHECK_ERRNO(epoll_pwait(epfd, &event, 1, 100000, &none), EINTR);
	CHECK_EQ(count, 3);
	CHECK(blocked(SIGUSR1));
	CHECK_EQ(pselect(0, NULL, NULL, NULL, &zero, &none), 0);
	CHECK_EQ(ppoll(NULL, 0, &zero, &none), 0);
	CHECK_EQ(epoll_pwait(epfd, &event, 1, 0, &none), 0);
	CHECK(blocked(SIGUSR1));
	CHECK_EQ(count, 3);
}
