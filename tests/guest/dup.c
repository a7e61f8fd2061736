/*
 * dup, dup2, dup3 and close.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

TEST(dup, shares_the_description)
{
	char text[4];

	file_write("f", "abcdef", 6);
	int fd = CHECK_OK(open("f", O_RDONLY | O_CLOEXEC));
	int copy = CHECK_OK(dup(fd));
	CHECK_EQ(copy, 4);
	CHECK_EQ(read(fd, text, 2), 2);
	CHECK_EQ(read(copy, text, 2), 2);
	CHECK_EQ(memcmp(text, "cd", 2), 0);
	CHECK_EQ(fcntl(copy, F_GETFD), 0); /* not close-on-exec */
	CHECK_OK(close(fd));
	CHECK_EQ(read(copy, text, 2), 2);
	CHECK_EQ(memcmp(text, "ef", 2), 0);
}

TEST(dup, onto_another)
{
	int fd[2];
	char byte;

	CHECK_OK(pipe(fd));
	int null = CHECK_OK(open("/dev/null", O_RDWR));
	/* The one that was there is closed by it: the pipe's writer is gone. */
	CHECK_EQ(dup2(null, fd[1]), fd[1]);
	CHECK_EQ(read(fd[0], &byte, 1), 0);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_EQ(dup2(null, 100), 100);
	CHECK_OK(fcntl(100, F_GETFD));
}

TEST(dup, onto_itself)
{
	int fd = CHECK_OK(open("/dev/null", O_RDWR | O_CLOEXEC));

	CHECK_EQ(dup2(fd, fd), fd);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(dup2(99, 99), EBADF);
	CHECK_ERRNO(dup3(fd, fd, 0), EINVAL);
}

TEST(dup, errors)
{
	struct rlimit limit;
	int fd = CHECK_OK(open("/dev/null", O_RDWR));

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	CHECK_ERRNO(dup(99), EBADF);
	CHECK_ERRNO(dup(-1), EBADF);
	CHECK_ERRNO(dup2(99, 5), EBADF);
	CHECK_ERRNO(dup2(fd, -1), EBADF);
	CHECK_ERRNO(dup2(fd, limit.rlim_cur), EBADF);
	CHECK_ERRNO(dup3(fd, 5, O_APPEND), EINVAL);
	CHECK_EQ(dup3(fd, 5, O_CLOEXEC), 5);
	CHECK_EQ(fcntl(5, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(syscall(SYS_dup2, fd, 0x7fffffff), EBADF);
}

TEST(dup, failed_dup2_leaves_the_target_open)
{
	int fd = CHECK_OK(open("/dev/null", O_RDWR));

	CHECK_ERRNO(dup2(99, fd), EBADF);
	CHECK_OK(fcntl(fd, F_GETFD));
}

TEST(dup, close_errors)
{
	int fd = CHECK_OK(open("/dev/null", O_RDWR));

	CHECK_OK(close(fd));
	CHECK_ERRNO(close(fd), EBADF);
	CHECK_ERRNO(close(-1), EBADF);
	CHECK_ERRNO(close(0x7fffffff), EBADF);
}

TEST(dup, close_range)
{
	for (int fd = 10; fd < 20; fd++)
		CHECK_OK(dup2(0, fd));
	CHECK_OK(syscall(SYS_close_range, 12, 15, 0));
	for (int fd = 10; fd < 20; fd++)
		CHECK_EQ(fcntl(fd, F_GETFD), fd >= 12 && fd <= 15 ? -1 : 0);
	CHECK_OK(syscall(SYS_close_range, 17, ~0U, 4)); /* CLOEXEC only */
	CHECK_EQ(fcntl(16, F_GETFD), 0);
	CHECK_EQ(fcntl(17, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(syscall(SYS_close_range, 5, 4, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_close_range, 5, 6, 0x100), EINVAL);
}
