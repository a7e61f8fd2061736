/*
 * truncate and ftruncate.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static off_t size_of(const char *path)
{
	struct stat info;

	CHECK_OK(stat(path, &info));
	return info.st_size;
}

TEST(truncate, shorter_and_longer)
{
	char text[20];

	file_write("f", "0123456789", 10);
	CHECK_OK(truncate("f", 4));
	CHECK_EQ(size_of("f"), 4);
	CHECK_OK(truncate("f", 8));
	CHECK_EQ(file_read("f", text, 20), 8);
	CHECK_EQ(memcmp(text, "0123\0\0\0\0", 8), 0); /* what was cut off does not return */
	int fd = CHECK_OK(open("f", O_RDWR));
	CHECK_OK(lseek(fd, 6, SEEK_SET));
	CHECK_OK(ftruncate(fd, 2));
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(file_read("f", text, 20), 7);
	CHECK_EQ(memcmp(text, "01\0\0\0\0x", 7), 0);
}

TEST(truncate, at_every_place_in_a_page)
{
	static char data[3 * PAGE], got[3 * PAGE];

	memset(data, 'd', sizeof(data));
	for (size_t size = 0; size <= 2 * PAGE; size += 683) {
		file_write("f", data, sizeof(data));
		CHECK_OK(truncate("f", size));
		CHECK_OK(truncate("f", sizeof(data)));
		CHECK_EQ(file_read("f", got, sizeof(got)), sizeof(got));
		for (size_t i = 0; i < sizeof(got); i++)
			CHECK_EQ(got[i], i < size ? 'd' : 0);
	}
}

TEST(truncate, errors)
{
	file_write("f", "x", 1);
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(chmod("f", 0444));
	int reader = CHECK_OK(open("f", O_RDONLY));
	CHECK_ERRNO(ftruncate(reader, 0), EINVAL);
	CHECK_ERRNO(ftruncate(99, 0), EBADF);
	CHECK_ERRNO(truncate("f", -1), EINVAL);
	CHECK_ERRNO(truncate("d", 0), EISDIR);
	CHECK_ERRNO(truncate("missing", 0), ENOENT);
	CHECK_ERRNO(truncate("f/x", 0), ENOTDIR);
	CHECK_ERRNO(truncate("/dev/null", 0), EINVAL);
	SUBPROCESS {
		drop_to_user(4242, 4242);
		CHECK_ERRNO(truncate("f", 0), EACCES);
	}
	CHECK_EQ(size_of("f"), 1);
}

TEST(truncate, size_limit)
{
	file_write("f", "x", 1);
	SUBPROCESS {
		struct rlimit limit = { 1000, 1000 };

		CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
		signal(SIGXFSZ, SIG_IGN);
		CHECK_OK(truncate("f", 1000));
		CHECK_ERRNO(truncate("f", 1001), EFBIG);
	}
	CHECK_EQ(size_of("f"), 1000);
}

TEST(truncate, frees_and_reads_end)
{
	static char data[65536];
	char byte;

	file_write("f", data, sizeof(data));
	int fd = CHECK_OK(open("f", O_RDWR));
	CHECK_OK(lseek(fd, 60000, SEEK_SET));
	CHECK_OK(ftruncate(fd, 0));
	CHECK_EQ(read(fd, &byte, 1), 0);
	CHECK_EQ(pread(fd, &byte, 1, 0), 0);
	struct stat info;
	CHECK_OK(fsync(fd));
	CHECK_OK(fstat(fd, &info));
	CHECK_EQ(info.st_blocks, 0);
}
