/*
 * select and pselect.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static fd_set set_of(int a, int b)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(a, &set);
	if (b >= 0)
		FD_SET(b, &set);
	return set;
}

TEST(select, readable_and_writable)
{
	int fd[2];
	struct timeval zero = { 0, 0 };

	CHECK_OK(pipe(fd));
	fd_set in = set_of(fd[0], -1), out = set_of(fd[1], -1), except = set_of(fd[0], fd[1]);
	CHECK_EQ(select(fd[1] + 1, &in, &out, &except, NULL), 1);
	CHECK(!FD_ISSET(fd[0], &in) && FD_ISSET(fd[1], &out));
	CHECK(!FD_ISSET(fd[0], &except) && !FD_ISSET(fd[1], &except));
	CHECK_EQ(write(fd[1], "x", 1), 1);
	in = set_of(fd[0], -1);
	out = set_of(fd[1], -1);
	CHECK_EQ(select(fd[1] + 1, &in, &out, NULL, &zero), 2);
	CHECK(FD_ISSET(fd[0], &in) && FD_ISSET(fd[1], &out));
}

TEST(select, descriptors_from_nfds_on_are_left_alone)
{
	int fd[2];
	struct timeval zero = { 0, 0 };

	CHECK_OK(pipe(fd));
	CHECK_OK(dup2(fd[1], 200));
	fd_set out = set_of(200, fd[1]);
	FD_SET(500, &out); /* not open, and not looked at */
	CHECK_EQ(select(fd[1] + 1, NULL, &out, NULL, &zero), 1);
	CHECK(FD_ISSET(fd[1], &out));
	CHECK(FD_ISSET(500, &out));
}

TEST(select, end_of_file_is_readable)
{
	int fd[2];

	CHECK_OK(pipe(fd));
	CHECK_OK(close(fd[1]));
	fd_set in = set_of(fd[0], -1);
	CHECK_EQ(select(fd[0] + 1, &in, NULL, NULL, NULL), 1);
	CHECK(FD_ISSET(fd[0], &in));
	CHECK_OK(pipe(fd));
	CHECK_OK(close(fd[0]));
	fd_set out = set_of(fd[1], -1);
	CHECK_EQ(select(fd[1] + 1, NULL, &out, NULL, NULL), 1);
}

TEST(select, timeouts)
{
	int fd[2];
	struct timeval some = { 0, 20000 }, large = { 0, 1020000 }, bad = { -1, 0 };

	CHECK_OK(pipe(fd));
	fd_set in = set_of(fd[0], -1);
	int64_t start = now_ns();
	/* The library hides from its caller that the time is changed. */
	CHECK_EQ(syscall(SYS_select, fd[0] + 1, &in, NULL, NULL, &some), 0);
	CHECK_GE(now_ns() - start, 20000000);
	CHECK(!FD_ISSET(fd[0], &in));
	CHECK_EQ(some.tv_sec, 0);
	CHECK_EQ(some.tv_usec, 0); /* Linux leaves the time that was not slept */
	CHECK_EQ(write(fd[1], "x", 1), 1);
	in = set_of(fd[0], -1);
	CHECK_EQ(select(fd[0] + 1, &in, NULL, NULL, &large), 1);
	CHECK_ERRNO(select(0, NULL, NULL, NULL, &bad), EINVAL);
	some = (struct timeval){ 0, 1000 };
	CHECK_EQ(select(0, NULL, NULL, NULL, &some), 0);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(select, interrupted)
{
	int fd[2];

	CHECK_OK(pipe(fd));
	handler_set(SIGALRM, nothing, SA_RESTART);
	alarm_pump_start();
	fd_set in = set_of(fd[0], -1);
	CHECK_ERRNO(select(fd[0] + 1, &in, NULL, NULL, NULL), EINTR);
	CHECK(FD_ISSET(fd[0], &in)); /* the sets are as they were */
	alarm_pump_stop();
}

TEST(select, errors)
{
	struct timeval zero = { 0, 0 };
	fd_set in = set_of(10, -1);

	CHECK_ERRNO(select(11, &in, NULL, NULL, &zero), EBADF);
	CHECK_ERRNO(select(-1, &in, NULL, NULL, &zero), EINVAL);
	CHECK_ERRNO(syscall(SYS_select, 10, BAD_UNMAPPED, NULL, NULL, &zero), EFAULT);
	CHECK_ERRNO(syscall(SYS_select, 10, NULL, BAD_KERNEL, NULL, &zero), EFAULT);
	CHECK_ERRNO(syscall(SYS_select, 0, NULL, NULL, NULL, BAD_UNMAPPED), EFAULT);
}
