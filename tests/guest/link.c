/*
 * Hard links.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static nlink_t links(const char *path)
{
	struct stat info;

	CHECK_OK(lstat(path, &info));
	return info.st_nlink;
}

TEST(link, one_file_several_names)
{
	struct stat a, b;
	char byte;

	file_write("a", "x", 1);
	CHECK_OK(link("a", "b"));
	CHECK_OK(stat("a", &a));
	CHECK_OK(stat("b", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_EQ(a.st_nlink, 2);
	CHECK_OK(chmod("b", 0600));
	file_write("b", "y", 1);
	CHECK_EQ(file_read("a", &byte, 1), 1);
	CHECK_EQ(byte, 'y');
	CHECK_OK(stat("a", &a));
	CHECK_EQ(a.st_mode & 0777, 0600);
	CHECK_OK(unlink("a"));
	CHECK_EQ(links("b"), 1);
	CHECK_EQ(file_read("b", &byte, 1), 1);
}

TEST(link, errors)
{
	char name[NAME_MAX + 2];

	file_write("f", "", 0);
	CHECK_OK(mkdir("d", 0755));
	CHECK_ERRNO(link("missing", "x"), ENOENT);
	CHECK_ERRNO(link("f", "d"), EEXIST);
	CHECK_ERRNO(link("f", "f"), EEXIST);
	CHECK_ERRNO(link("d", "x"), EPERM);
	CHECK_ERRNO(link("f", "missing/x"), ENOENT);
	CHECK_ERRNO(link("f", "f/x"), ENOTDIR);
	CHECK_ERRNO(link("f/", "x"), ENOTDIR);
	CHECK_ERRNO(link("f", "x/"), ENOENT);
	memset(name, 'a', sizeof(name));
	name[NAME_MAX + 1] = 0;
	CHECK_ERRNO(link("f", name), ENAMETOOLONG);
	CHECK_ERRNO(link("f", ""), ENOENT);
	CHECK_ERRNO(link("/proc/self/stat", "x"), EXDEV);
	CHECK_ERRNO(linkat(99, "f", AT_FDCWD, "x", 0), EBADF);
	CHECK_ERRNO(linkat(AT_FDCWD, "f", AT_FDCWD, "x", 0x8000), EINVAL);
	CHECK_ERRNO(syscall(SYS_link, BAD_UNMAPPED, "x"), EFAULT);
	CHECK_ERRNO(syscall(SYS_link, "f", BAD_CANONICAL), EFAULT);
}

TEST(link, to_a_symbolic_link)
{
	struct stat info;

	file_write("f", "", 0);
	CHECK_OK(symlink("f", "s"));
	CHECK_OK(link("s", "hard")); /* the link itself, as Linux does */
	CHECK_OK(lstat("hard", &info));
	CHECK(S_ISLNK(info.st_mode));
	CHECK_EQ(links("s"), 2);
	CHECK_OK(linkat(AT_FDCWD, "s", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
	CHECK_EQ(links("f"), 2);
}

TEST(link, permission)
{
	CHECK_OK(mkdir("d", 0777));
	CHECK_OK(chmod("d", 0777));
	file_write("f", "", 0);
	CHECK_OK(chmod("f", 0666));
	SUBPROCESS {
		drop_to_user(4242, 4242);
		CHECK_ERRNO(link("f", "x"), EACCES);
		CHECK_OK(link("f", "d/x"));
	}
}

TEST(link, many)
{
	char name[8] = "l000";

	file_write("f", "", 0);
	for (int i = 0; i < 300; i++) {
		name[1] = '0' + i / 100;
		name[2] = '0' + i / 10 % 10;
		name[3] = '0' + i % 10;
		CHECK_OK(link("f", name));
	}
	CHECK_EQ(links("f"), 301);
}

/* A file without names that is still open cannot come back, except by its descriptor in proc. */
TEST(link, unlinked_file)
{
	file_write("f", "x", 1);
	int fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(unlink("f"));
	CHECK_ERRNO(linkat(AT_FDCWD, "/proc/self/fd/3", AT_FDCWD, "g", AT_SYMLINK_FOLLOW), ENOENT);
	CHECK_EQ(fd, 3);
}
