/*
 * vfork: the child borrows the parent's memory until it executes or exits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int value;

TEST(vfork, shares_memory_and_holds_the_parent)
{
	value = 1;
	pid_t pid = vfork();
	if (pid == 0) {
		usleep(20000);
		value = 2;
		_exit(5);
	}
	CHECK_EQ(value, 2);
	CHECK_EXITED(pid, 5);
}

HELPER(exit_seven)
{
	return 7;
}

TEST(vfork, exec_lets_the_parent_go)
{
	char *argv[] = { "x", "--helper=exit_seven", NULL };

	for (int i = 0; i < 20; i++) {
		pid_t pid = vfork();

		if (pid == 0) {
			execv(test_self, argv);
			_exit(1);
		}
		CHECK_EXITED(pid, 7);
	}
}

TEST(vfork, failed_exec_then_exit)
{
	char *argv[] = { "x", NULL };

	value = 0;
	pid_t pid = vfork();
	if (pid == 0) {
		execv("missing", argv);
		value = errno;
		_exit(127);
	}
	CHECK_EQ(value, ENOENT);
	CHECK_EXITED(pid, 127);
}

TEST(vfork, descriptors_are_copied)
{
	int fd = CHECK_OK(open("/dev/null", O_RDONLY));
	pid_t pid = vfork();

	if (pid == 0) {
		close(fd);
		dup2(0, 40);
		_exit(0);
	}
	CHECK_OK(fcntl(fd, F_GETFD));
	CHECK_ERRNO(fcntl(40, F_GETFD), EBADF);
	CHECK_EXITED(pid, 0);
}

TEST(vfork, killed_child_lets_the_parent_go)
{
	pid_t pid = vfork();

	if (pid == 0) {
		kill(getpid(), SIGKILL);
		_exit(0);
	}
	CHECK_SIGNALED(pid, SIGKILL);
}

/* The waiting parent can be killed, and its child goes on. */
TEST(vfork, waiting_parent_can_be_killed)
{
	struct gate ready, report, go;

	gate_init(&ready);
	gate_init(&report);
	gate_init(&go);
	pid_t parent = FORK();
	if (parent == 0) {
		pid_t pid = vfork();

		if (pid == 0) {
			gate_open(&ready);
			gate_pass(&go);
			gate_open(&report);
			_exit(0);
		}
		_exit(1);
	}
	gate_pass(&ready);
	CHECK_OK(kill(parent, SIGKILL));
	CHECK_SIGNALED(parent, SIGKILL);
	gate_open(&go);
	gate_pass(&report);
}

static void add_two(int sig)
{
	(void)sig;
	value += 2;
}

TEST(vfork, signals_reach_the_parent_afterwards)
{
	pid_t parent = getpid();

	handler_set(SIGUSR1, add_two, 0);
	value = 0;
	pid_t pid = vfork();
	if (pid == 0) {
		kill(parent, SIGUSR1);
		value++;
		_exit(0);
	}
	CHECK_EQ(value, 3);
	CHECK_EXITED(pid, 0);
}
