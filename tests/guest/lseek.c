/*
 * lseek.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(lseek, three_origins)
{
	file_write("f", "0123456789", 10);
	int fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_EQ(lseek(fd, 4, SEEK_SET), 4);
	CHECK_EQ(lseek(fd, 3, SEEK_CUR), 7);
	CHECK_EQ(lseek(fd, -7, SEEK_CUR), 0);
	CHECK_EQ(lseek(fd, -2, SEEK_END), 8);
	CHECK_EQ(lseek(fd, 100, SEEK_END), 110);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 110);
}

TEST(lseek, errors)
{
	file_write("f", "0123456789", 10);
	int fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(lseek(fd, 5, SEEK_SET));
	CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERRNO(lseek(fd, -6, SEEK_CUR), EINVAL);
	CHECK_ERRNO(lseek(fd, -11, SEEK_END), EINVAL);
	CHECK_ERRNO(lseek(fd, 0, 99), EINVAL);
	CHECK_ERRNO(lseek(99, 0, SEEK_SET), EBADF);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
	CHECK_OK(lseek(fd, 5, SEEK_SET));
	off_t got = lseek(fd, 0x7fffffffffffffff, SEEK_CUR);
	CHECK(got == -1 && (errno == EINVAL || errno == EOVERFLOW));
}

TEST(lseek, devices)
{
	int fd = CHECK_OK(open("/dev/null", O_RDWR));

	CHECK_EQ(lseek(fd, 100, SEEK_SET), 0);
	fd = CHECK_OK(open("/dev/zero", O_RDWR));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
}

TEST(lseek, data_and_holes)
{
	file_write("f", "0123456789", 10);
	int fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_EQ(lseek(fd, 3, SEEK_DATA), 3);
	CHECK_EQ(lseek(fd, 3, SEEK_HOLE), 10);
	CHECK_ERRNO(lseek(fd, 10, SEEK_DATA), ENXIO);
	CHECK_ERRNO(lseek(fd, 11, SEEK_HOLE), ENXIO);
}

TEST(lseek, far)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0644));

	CHECK_EQ(lseek(fd, 1L << 40, SEEK_SET), 1L << 40);
	CHECK_EQ(lseek(fd, 1L << 40, SEEK_CUR), 1L << 41);
}
