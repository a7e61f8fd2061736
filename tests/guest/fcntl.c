/*
 * fcntl, apart from its locks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

TEST(fcntl, descriptor_flags_belong_to_the_descriptor)
{
	int fd = CHECK_OK(open("/dev/null", O_RDWR)), copy = CHECK_OK(dup(fd));

	CHECK_OK(fcntl(fd, F_SETFD, FD_CLOEXEC));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(copy, F_GETFD), 0);
	CHECK_OK(fcntl(fd, F_SETFD, 0));
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK_OK(ioctl(fd, FIOCLEX));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_OK(ioctl(fd, FIONCLEX));
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
}

TEST(fcntl, status_flags_belong_to_the_description)
{
	int fd[2], on = 1;

	CHECK_OK(pipe(fd));
	int copy = CHECK_OK(dup(fd[0]));
	CHECK_OK(fcntl(fd[0], F_SETFL, O_NONBLOCK));
	CHECK(fcntl(copy, F_GETFL) & O_NONBLOCK);
	char byte;
	CHECK_ERRNO(read(copy, &byte, 1), EAGAIN);
	CHECK(!(fcntl(fd[1], F_GETFL) & O_NONBLOCK));
	CHECK_OK(ioctl(fd[1], FIONBIO, &on));
	CHECK(fcntl(fd[1], F_GETFL) & O_NONBLOCK);
}

TEST(fcntl, only_some_flags_can_be_set)
{
	int fd = CHECK_OK(open("f", O_RDONLY | O_CREAT, 0644));

	CHECK_OK(fcntl(fd, F_SETFL, O_RDWR | O_CREAT | O_TRUNC | O_APPEND));
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND), O_APPEND);
	CHECK_OK(fcntl(fd, F_SETFL, 0));
	CHECK_EQ(fcntl(fd, F_GETFL) & O_APPEND, 0);
}

TEST(fcntl, duplicate)
{
	int fd = CHECK_OK(open("/dev/null", O_RDWR));

	CHECK_EQ(fcntl(fd, F_DUPFD, 0), 4);
	CHECK_EQ(fcntl(fd, F_DUPFD, 20), 20);
	CHECK_EQ(fcntl(fd, F_DUPFD, 20), 21);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 20), 22);
	CHECK_EQ(fcntl(22, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(fcntl(fd, F_DUPFD, -1), EINVAL);
	struct rlimit limit;
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	CHECK_ERRNO(fcntl(fd, F_DUPFD, limit.rlim_cur), EINVAL);
	CHECK_OK(fcntl(fd, F_DUPFD, limit.rlim_cur - 1));
	CHECK_ERRNO(fcntl(fd, F_DUPFD, limit.rlim_cur - 1), EMFILE);
}

TEST(fcntl, errors)
{
	CHECK_ERRNO(fcntl(99, F_GETFD), EBADF);
	CHECK_ERRNO(fcntl(99, F_GETFL), EBADF);
	CHECK_ERRNO(fcntl(-1, F_DUPFD, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_fcntl, 0, 9999, 0), EINVAL);
}
