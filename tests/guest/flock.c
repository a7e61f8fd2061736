/*
 * flock: whole files, owned by the open file description.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_it(void)
{
	return CHECK_OK(open("f", O_RDWR | O_CREAT, 0644));
}

TEST(flock, shared_and_exclusive)
{
	int a = open_it(), b = open_it(), c = open_it();

	CHECK_OK(flock(a, LOCK_SH));
	CHECK_OK(flock(b, LOCK_SH | LOCK_NB));
	CHECK_ERRNO(flock(c, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK_OK(flock(a, LOCK_UN));
	CHECK_ERRNO(flock(c, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK_OK(flock(b, LOCK_EX | LOCK_NB)); /* the only one left may convert */
	CHECK_ERRNO(flock(a, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	CHECK_OK(flock(b, LOCK_UN));
	CHECK_OK(flock(b, LOCK_UN));
}

TEST(flock, belongs_to_the_description)
{
	int a = open_it(), b = open_it(), copy = CHECK_OK(dup(a));

	CHECK_OK(flock(a, LOCK_EX));
	CHECK_OK(flock(copy, LOCK_EX | LOCK_NB));
	CHECK_OK(close(a));
	CHECK_ERRNO(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK_OK(close(copy));
	CHECK_OK(flock(b, LOCK_EX | LOCK_NB));
	/* A child shares it, and may even give it up. */
	SUBPROCESS {
		CHECK_OK(flock(b, LOCK_EX | LOCK_NB));
		CHECK_OK(flock(b, LOCK_UN));
	}
	int c = open_it();
	CHECK_OK(flock(c, LOCK_EX | LOCK_NB));
}

TEST(flock, waits)
{
	int fd = open_it();
	volatile int *done = map_shared(PAGE);

	CHECK_OK(flock(fd, LOCK_EX));
	pid_t pid = FORK();
	if (pid == 0) {
		int own = open_it();

		CHECK_OK(flock(own, LOCK_EX));
		CHECK_EQ(*done, 1);
		_exit(0);
	}
	wait_until_blocked(pid);
	*done = 1;
	CHECK_OK(flock(fd, LOCK_UN));
	CHECK_EXITED(pid, 0);
	CHECK_OK(flock(fd, LOCK_EX | LOCK_NB)); /* the dead do not hold locks */
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(flock, interrupted_and_killed)
{
	int a = open_it(), b = open_it();

	CHECK_OK(flock(a, LOCK_EX));
	handler_set(SIGALRM, nothing, 0);
	alarm_pump_start();
	CHECK_ERRNO(flock(b, LOCK_SH), EINTR);
	alarm_pump_stop();
	pid_t pid = FORK();
	if (pid == 0)
		_exit(flock(b, LOCK_SH));
	wait_until_blocked(pid);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
	CHECK_OK(flock(a, LOCK_UN));
	CHECK_OK(flock(b, LOCK_EX | LOCK_NB));
}

TEST(flock, errors)
{
	CHECK_ERRNO(flock(99, LOCK_EX), EBADF);
	CHECK_ERRNO(syscall(SYS_flock, open_it(), 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_flock, open_it(), 77), EINVAL);
}
