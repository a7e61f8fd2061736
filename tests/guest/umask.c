/*
 * umask.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static mode_t mode_of(const char *path)
{
	struct stat info;

	CHECK_OK(lstat(path, &info));
	return info.st_mode & 07777;
}

TEST(umask, returns_the_old_one)
{
	umask(022);
	CHECK_EQ(umask(0777), 022);
	CHECK_EQ(umask(07777), 0777);
	CHECK_EQ(umask(0), 0777); /* only permission bits count */
}

TEST(umask, applies_to_whatever_is_created)
{
	umask(0137);
	CHECK_OK(open("f", O_RDWR | O_CREAT, 0777));
	CHECK_OK(mkdir("d", 0777));
	CHECK_OK(mkfifo("p", 0777));
	CHECK_OK(mknod("n", S_IFREG | 0777, 0));
	CHECK_OK(symlink("x", "s"));
	CHECK_EQ(mode_of("f"), 0640);
	CHECK_EQ(mode_of("d"), 0640);
	CHECK_EQ(mode_of("p"), 0640);
	CHECK_EQ(mode_of("n"), 0640);
	CHECK_EQ(mode_of("s"), 0777);
	CHECK_OK(chmod("f", 0777)); /* not to changes */
	CHECK_EQ(mode_of("f"), 0777);
}

TEST(umask, belongs_to_the_process)
{
	umask(022);
	SUBPROCESS {
		CHECK_EQ(umask(077), 022);
	}
	CHECK_EQ(umask(0), 022);
}
