/*
 * Files with holes: they read as zero and take no space.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct stat stat_of(int fd)
{
	struct stat info;

	CHECK_OK(fsync(fd));
	CHECK_OK(fstat(fd, &info));
	return info;
}

TEST(sparse, writing_far_beyond_the_end)
{
	char byte;
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0644));

	CHECK_EQ(pwrite(fd, "x", 1, 1L << 32), 1);
	CHECK_EQ(stat_of(fd).st_size, (1L << 32) + 1);
	CHECK_LE(stat_of(fd).st_blocks, 64);
	CHECK_EQ(pread(fd, &byte, 1, 1L << 31), 1);
	CHECK_EQ(byte, 0);
	CHECK_EQ(pread(fd, &byte, 1, 1L << 32), 1);
	CHECK_EQ(byte, 'x');
	CHECK_EQ(pread(fd, &byte, 1, (1L << 32) + 1), 0);
}

TEST(sparse, reading_holes)
{
	static char got[20 * PAGE];
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0644));

	for (int i = 1; i < 20; i += 4)
		CHECK_EQ(pwrite(fd, "xyz", 3, i * PAGE - 1), 3);
	CHECK_OK(ftruncate(fd, 20 * PAGE));
	memset(got, 1, sizeof(got));
	CHECK_EQ(read(fd, got, sizeof(got)), sizeof(got));
	for (int i = 0; i < (int)sizeof(got); i++) {
		int page = (i + 1) / PAGE, offset = (i + 1) % PAGE;
		int expected = page % 4 == 1 && offset < 3 ? "xyz"[offset] : 0;

		CHECK_EQ(got[i], expected);
	}
}

TEST(sparse, reading_does_not_fill)
{
	static char got[64 * PAGE];
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0644));

	CHECK_OK(ftruncate(fd, 1L << 30));
	for (int i = 0; i < 5; i++)
		CHECK_EQ(pread(fd, got, sizeof(got), i * (100L << 20)), sizeof(got));
	CHECK_LE(stat_of(fd).st_blocks, 64);
}

TEST(sparse, seeking_alone_changes_nothing)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0644));

	CHECK_EQ(lseek(fd, 1L << 40, SEEK_SET), 1L << 40);
	CHECK_EQ(stat_of(fd).st_size, 0);
	char byte;
	CHECK_EQ(read(fd, &byte, 1), 0);
}

TEST(sparse, copies_of_pages_stay_apart)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0644));
	char byte;

	/* Every tenth of a thousand pages is real. */
	for (int i = 0; i < 1000; i += 10) {
		byte = i / 10;
		CHECK_EQ(pwrite(fd, &byte, 1, i * PAGE), 1);
	}
	for (int i = 0; i < 1000; i += 5) {
		CHECK_EQ(pread(fd, &byte, 1, i * PAGE), i <= 990);
		if (i <= 990)
			CHECK_EQ(byte, i % 10 ? 0 : i / 10);
	}
	CHECK_LE(stat_of(fd).st_blocks, 100 * 8 + 64);
}
