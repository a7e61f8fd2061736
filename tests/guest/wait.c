/*
 * wait4 and waitid: which child is reported, when, how often, and with what.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child_that_pauses(void)
{
	pid_t pid = FORK();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

TEST(wait, exit_status)
{
	static const int codes[] = { 0, 1, 2, 127, 128, 255, 256 + 3, -1 };

	for (unsigned i = 0; i < LENGTH(codes); i++) {
		pid_t pid = FORK();
		if (pid == 0)
			_exit(codes[i]);
		CHECK_EXITED(pid, codes[i] & 255);
	}
}

TEST(wait, killed_by_signal)
{
	static const int sigs[] = { SIGKILL, SIGTERM, SIGHUP, SIGALRM, SIGUSR1, SIGABRT, 40 };

	for (unsigned i = 0; i < LENGTH(sigs); i++) {
		pid_t pid = child_that_pauses();

		CHECK_OK(kill(pid, sigs[i]));
		CHECK_SIGNALED(pid, sigs[i]);
	}
}

TEST(wait, without_hanging)
{
	int status = 1234;
	pid_t pid = child_that_pauses();

	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_EQ(waitpid(-1, &status, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGKILL));
	while (waitpid(pid, &status, WNOHANG) == 0)
		usleep(1000);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_ERRNO(waitpid(pid, &status, WNOHANG), ECHILD);
}

TEST(wait, errors)
{
	int status;

	CHECK_ERRNO(wait(&status), ECHILD);
	CHECK_ERRNO(waitpid(getpid(), &status, 0), ECHILD);
	CHECK_ERRNO(waitpid(1, &status, 0), ECHILD);
	CHECK_ERRNO(waitpid(999999999, &status, 0), ECHILD);
	CHECK_ERRNO(waitpid(-1, &status, 0x100000), EINVAL);
	CHECK_ERRNO(syscall(SYS_wait4, INT_MIN, &status, 0, NULL), ESRCH);
	pid_t pid = FORK();
	if (pid == 0)
		_exit(0);
	CHECK_ERRNO(waitpid(-getpid() - 100000, &status, 0), ECHILD);
	CHECK_EXITED(pid, 0);
}

TEST(wait, by_process_group)
{
	int status;
	pid_t own = child_that_pauses(), other = child_that_pauses();

	CHECK_OK(setpgid(other, other));
	CHECK_EQ(waitpid(0, &status, WNOHANG), 0);
	CHECK_OK(kill(other, SIGKILL));
	CHECK_EQ(waitpid(-other, &status, 0), other);
	CHECK_ERRNO(waitpid(-other, &status, WNOHANG), ECHILD);
	CHECK_OK(kill(own, SIGKILL));
	CHECK_EQ(waitpid(-getpgrp(), &status, 0), own);
	CHECK_ERRNO(waitpid(0, &status, 0), ECHILD);
}

TEST(wait, stopped_and_continued)
{
	int status;
	pid_t pid = child_that_pauses();

	for (int round = 0; round < 3; round++) {
		CHECK_OK(kill(pid, SIGSTOP));
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
		CHECK_EQ(waitpid(pid, &status, WUNTRACED | WCONTINUED | WNOHANG), 0);
		CHECK_OK(kill(pid, SIGCONT));
		CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
		CHECK(WIFCONTINUED(status));
		CHECK_EQ(waitpid(pid, &status, WUNTRACED | WCONTINUED | WNOHANG), 0);
	}
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
}

TEST(wait, stops_are_reported_only_when_asked_for)
{
	int status;
	pid_t pid = child_that_pauses();

	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	CHECK_OK(kill(pid, SIGSTOP));
	siginfo_t info;
	CHECK_OK(waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT));
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_EQ(waitpid(pid, &status, WNOHANG | WCONTINUED), 0);
	CHECK_OK(kill(pid, SIGKILL)); /* works on a stopped process */
	CHECK_SIGNALED(pid, SIGKILL);
}

TEST(wait, stop_is_forgotten_when_continued)
{
	int status;
	pid_t pid = child_that_pauses();
	siginfo_t info;

	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_OK(waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT));
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED | WCONTINUED), pid);
	CHECK(WIFCONTINUED(status));
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
}

static void check_info(siginfo_t *info, pid_t pid, int code, int status)
{
	CHECK_EQ(info->si_signo, SIGCHLD);
	CHECK_EQ(info->si_pid, pid);
	CHECK_EQ(info->si_uid, getuid());
	CHECK_EQ(info->si_code, code);
	CHECK_EQ(info->si_status, status);
}

TEST(wait, waitid_information)
{
	siginfo_t info;
	pid_t pid = FORK();

	if (pid == 0)
		_exit(77);
	CHECK_OK(waitid(P_PID, pid, &info, WEXITED));
	check_info(&info, pid, CLD_EXITED, 77);
	pid = child_that_pauses();
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_OK(waitid(P_PID, pid, &info, WSTOPPED));
	check_info(&info, pid, CLD_STOPPED, SIGSTOP);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_OK(waitid(P_ALL, 0, &info, WCONTINUED));
	check_info(&info, pid, CLD_CONTINUED, SIGCONT);
	CHECK_OK(kill(pid, SIGTERM));
	CHECK_OK(waitid(P_PGID, getpgrp(), &info, WEXITED));
	check_info(&info, pid, CLD_KILLED, SIGTERM);
	CHECK_ERRNO(waitid(P_PID, pid, &info, WEXITED), ECHILD);
}

TEST(wait, waitid_leaves_it_waitable)
{
	siginfo_t info;
	int status;
	pid_t pid = FORK();

	if (pid == 0)
		_exit(5);
	for (int i = 0; i < 3; i++) {
		CHECK_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
		check_info(&info, pid, CLD_EXITED, 5);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 5);
}

TEST(wait, waitid_errors)
{
	siginfo_t info;
	pid_t pid = child_that_pauses();

	CHECK_ERRNO(waitid(P_PID, pid, &info, 0), EINVAL);
	CHECK_ERRNO(waitid(P_PID, pid, &info, WNOHANG), EINVAL);
	CHECK_ERRNO(waitid(P_PID, pid, &info, WEXITED | 0x100000), EINVAL);
	CHECK_ERRNO(waitid((idtype_t)17, pid, &info, WEXITED), EINVAL);
	CHECK_ERRNO(waitid(P_PID, 0, &info, WEXITED), EINVAL);
	memset(&info, 0xaa, sizeof(info));
	CHECK_EQ(waitid(P_PID, pid, &info, WEXITED | WNOHANG), 0);
	CHECK_EQ(info.si_pid, 0);
	CHECK_EQ(info.si_signo, 0);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
}

TEST(wait, null_status_and_bad_status)
{
	pid_t pid = FORK();

	if (pid == 0)
		_exit(0);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	pid = FORK();
	if (pid == 0)
		_exit(0);
	CHECK_ERRNO(syscall(SYS_wait4, pid, BAD_UNMAPPED, 0, NULL), EFAULT);
}

static volatile sig_atomic_t alarms;

static void count_alarm(int sig)
{
	(void)sig;
	alarms++;
}

TEST(wait, interrupted)
{
	pid_t pid = child_that_pauses();

	handler_set(SIGALRM, count_alarm, 0);
	alarm_pump_start();
	CHECK_ERRNO(waitpid(pid, NULL, 0), EINTR);
	CHECK_ERRNO(waitid(P_PID, pid, NULL, WEXITED), EINTR);
	alarm_pump_stop();
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
}

static pid_t to_kill;

static void kill_at_third_alarm(int sig)
{
	(void)sig;
	if (++alarms == 3)
		kill(to_kill, SIGTERM);
}

TEST(wait, restarted)
{
	int status;

	to_kill = child_that_pauses();
	handler_set(SIGALRM, kill_at_third_alarm, SA_RESTART);
	alarm_pump_start();
	CHECK_EQ(waitpid(to_kill, &status, 0), to_kill);
	alarm_pump_stop();
	CHECK_GE(alarms, 3);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static void check_children_vanish(void)
{
	struct gate hold;

	gate_init(&hold);
	for (int i = 0; i < 3; i++)
		if (FORK() == 0) {
			gate_pass(&hold);
			_exit(i);
		}
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), 0);
	for (int i = 0; i < 3; i++)
		gate_open(&hold);
	/* It returns only when the last child is gone, and has nothing to report. */
	CHECK_ERRNO(wait(NULL), ECHILD);
}

TEST(wait, ignored_children_vanish)
{
	struct sigaction action = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	signal(SIGCHLD, SIG_IGN);
	check_children_vanish();
	CHECK_OK(sigaction(SIGCHLD, &action, NULL));
	check_children_vanish();
}

TEST(wait, orphan_gets_another_parent)
{
	struct gate ready, answer;
	pid_t *orphan_parent = map_shared(PAGE);

	gate_init(&ready);
	gate_init(&answer);
	pid_t middle = FORK();
	if (middle == 0) {
		if (FORK() == 0) {
			gate_pass(&ready);
			*orphan_parent = getppid();
			gate_open(&answer);
			_exit(0);
		}
		_exit(0);
	}
	CHECK_EXITED(middle, 0);
	gate_open(&ready);
	gate_pass(&answer);
	CHECK_NE(*orphan_parent, middle);
	CHECK_NE(*orphan_parent, getpid());
	CHECK_GT(*orphan_parent, 0);
	CHECK_ERRNO(wait(NULL), ECHILD);
}

TEST(wait, zombie_still_exists)
{
	siginfo_t info;
	pid_t pid = FORK();

	if (pid == 0)
		_exit(0);
	CHECK_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	CHECK_OK(kill(pid, 0));
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(getpgid(pid), getpgrp());
	CHECK_EXITED(pid, 0);
	CHECK_ERRNO(kill(pid, 0), ESRCH);
	CHECK_ERRNO(getpgid(pid), ESRCH);
}

static void *wait_in_thread(void *arg)
{
	int status;
	pid_t got = waitpid(*(pid_t *)arg, &status, 0);

	return (void *)(intptr_t)(got > 0 ? 1 : errno == ECHILD ? 0 : -1);
}

TEST(wait, two_threads_one_child)
{
	pthread_t threads[2];
	void *results[2];
	pid_t pid = child_that_pauses();

	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, wait_in_thread, &pid), 0);
	CHECK_OK(kill(pid, SIGKILL));
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], &results[i]), 0);
	/* One reaped it; the other found no child. */
	CHECK_EQ((intptr_t)results[0] + (intptr_t)results[1], 1);
}

static void *fork_in_thread(void *arg)
{
	pid_t pid = FORK();

	if (pid == 0)
		_exit(9);
	*(pid_t *)arg = pid;
	return NULL;
}

TEST(wait, child_of_another_thread)
{
	pthread_t thread;
	pid_t pid;

	CHECK_EQ(pthread_create(&thread, NULL, fork_in_thread, &pid), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EXITED(pid, 9);
}

TEST(wait, resources_of_the_child)
{
	struct rusage usage;
	int status;
	pid_t pid = FORK();

	if (pid == 0)
		for (;;) {
			struct rusage own;

			CHECK_OK(getrusage(RUSAGE_SELF, &own));
			if (own.ru_utime.tv_sec * 1000000 + own.ru_utime.tv_usec +
			    own.ru_stime.tv_sec * 1000000 + own.ru_stime.tv_usec > 60000)
				_exit(0);
		}
	memset(&usage, 0xff, sizeof(usage));
	CHECK_EQ(wait4(pid, &status, 0, &usage), pid);
	CHECK_GE(usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec +
		 usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec, 50000);
	CHECK_EQ(WEXITSTATUS(status), 0);
}
