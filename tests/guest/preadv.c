/*
 * pread, pwrite, preadv, pwritev: the offset of the description stays where it is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

TEST(preadv, offset_is_left_alone)
{
	char text[10];
	int fd;

	file_write("f", "0123456789", 10);
	fd = CHECK_OK(open("f", O_RDWR));
	CHECK_OK(lseek(fd, 3, SEEK_SET));
	CHECK_EQ(pread(fd, text, 4, 5), 4);
	CHECK_EQ(memcmp(text, "5678", 4), 0);
	CHECK_EQ(pwrite(fd, "ab", 2, 0), 2);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
	CHECK_EQ(pread(fd, text, 10, 8), 2);
	CHECK_EQ(pread(fd, text, 10, 10), 0);
	CHECK_EQ(pread(fd, text, 10, 1L << 50), 0);
}

TEST(preadv, vectors)
{
	char a[3], b[3];
	struct iovec out[2] = { { "xyz", 3 }, { "uvw", 3 } }, in[2] = { { a, 3 }, { b, 3 } };

	file_write("f", "0123456789", 10);
	int fd = CHECK_OK(open("f", O_RDWR));
	CHECK_EQ(pwritev(fd, out, 2, 8), 6);
	CHECK_EQ(preadv(fd, in, 2, 7), 6);
	CHECK(memcmp(a, "7xy", 3) == 0 && memcmp(b, "zuv", 3) == 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
}

TEST(preadv, errors)
{
	char byte;
	struct iovec one = { &byte, 1 };
	int fds[2];

	file_write("f", "x", 1);
	int fd = CHECK_OK(open("f", O_RDWR));
	CHECK_ERRNO(pread(fd, &byte, 1, -1), EINVAL);
	CHECK_ERRNO(pwrite(fd, &byte, 1, -1), EINVAL);
	CHECK_ERRNO(preadv(fd, &one, 1, -1), EINVAL);
	CHECK_ERRNO(pwritev(fd, &one, 1, -5), EINVAL);
	CHECK_ERRNO(pread(99, &byte, 1, 0), EBADF);
	CHECK_OK(pipe(fds));
	CHECK_ERRNO(preadv(fds[0], &one, 1, 0), ESPIPE);
	CHECK_ERRNO(pwritev(fds[1], &one, 1, 0), ESPIPE);
	CHECK_ERRNO(syscall(SYS_pread64, fd, BAD_UNMAPPED, 1, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_preadv, fd, BAD_UNMAPPED, 1, 0, 0), EFAULT);
	CHECK_EQ(pread(fd, &byte, 0, 0), 0);
}

TEST(preadv, second_version)
{
	char text[4];
	struct iovec one = { text, 4 };

	file_write("f", "01234567", 8);
	int fd = CHECK_OK(open("f", O_RDWR));
	/* An offset of -1 means the description's own. */
	CHECK_EQ(syscall(SYS_preadv2, fd, &one, 1, -1L, 0L, 0), 4);
	CHECK_EQ(syscall(SYS_preadv2, fd, &one, 1, -1L, 0L, 0), 4);
	CHECK_EQ(memcmp(text, "4567", 4), 0);
	CHECK_EQ(syscall(SYS_preadv2, fd, &one, 1, 2L, 0L, 0), 4);
	CHECK_EQ(memcmp(text, "2345", 4), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 8);
	CHECK_ERRNO(syscall(SYS_preadv2, fd, &one, 1, 0L, 0L, 0x80000000), EOPNOTSUPP);
}
