/*
 * The working directory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char start[PATH_MAX], now[PATH_MAX];

static void expect(const char *below)
{
	char expected[2 * PATH_MAX];

	snprintf(expected, sizeof(expected), "%s%s", start, below);
	CHECK(getcwd(now, sizeof(now)));
	CHECK_STR(now, expected);
}

TEST(cwd, follows_chdir)
{
	CHECK(getcwd(start, sizeof(start)));
	CHECK_EQ(start[0], '/');
	CHECK_OK(mkdir("a", 0755));
	CHECK_OK(mkdir("a/b", 0755));
	CHECK_OK(symlink("a/b", "s"));
	CHECK_OK(chdir("a"));
	expect("/a");
	CHECK_OK(chdir("./b/../b"));
	expect("/a/b");
	CHECK_OK(chdir("../.."));
	expect("");
	CHECK_OK(chdir("s")); /* the real place, not the link's name */
	expect("/a/b");
	CHECK_OK(chdir("/"));
	CHECK(getcwd(now, sizeof(now)));
	CHECK_STR(now, "/");
	CHECK_OK(chdir("/../.."));
	CHECK(getcwd(now, sizeof(now)));
	CHECK_STR(now, "/");
}

TEST(cwd, by_descriptor)
{
	CHECK(getcwd(start, sizeof(start)));
	CHECK_OK(mkdir("a", 0755));
	file_write("f", "", 0);
	int dir = CHECK_OK(open("a", O_RDONLY)), file = CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(fchdir(dir));
	expect("/a");
	CHECK_ERRNO(fchdir(file), ENOTDIR);
	CHECK_ERRNO(fchdir(99), EBADF);
	expect("/a");
}

TEST(cwd, follows_renames)
{
	CHECK(getcwd(start, sizeof(start)));
	CHECK_OK(mkdir("a", 0755));
	CHECK_OK(mkdir("a/b", 0755));
	CHECK_OK(chdir("a/b"));
	CHECK_OK(rename("../../a", "../../moved"));
	expect("/moved/b");
	CHECK_OK(rename("../b", "../../c"));
	expect("/c");
	CHECK_OK(chdir(".."));
	expect("");
}

TEST(cwd, errors)
{
	char name[PATH_MAX + 1];

	file_write("f", "", 0);
	CHECK_ERRNO(chdir("missing"), ENOENT);
	CHECK_ERRNO(chdir("f"), ENOTDIR);
	CHECK_ERRNO(chdir(""), ENOENT);
	memset(name, 'a', sizeof(name));
	name[NAME_MAX + 1] = 0;
	CHECK_ERRNO(chdir(name), ENAMETOOLONG);
	CHECK_ERRNO(syscall(SYS_chdir, BAD_UNMAPPED), EFAULT);
	CHECK_ERRNO(syscall(SYS_getcwd, BAD_UNMAPPED, 1000), EFAULT);
	CHECK_ERRNO(syscall(SYS_getcwd, name, 2), ERANGE);
	CHECK_ERRNO(syscall(SYS_getcwd, name, 0), ERANGE);
	CHECK(getcwd(start, sizeof(start)));
	CHECK_EQ(syscall(SYS_getcwd, name, sizeof(name)), strlen(start) + 1);
	CHECK_EQ(syscall(SYS_getcwd, name, strlen(start) + 1), strlen(start) + 1);
	CHECK_ERRNO(syscall(SYS_getcwd, name, strlen(start)), ERANGE);
	CHECK_OK(mkdir("locked", 0700));
	SUBPROCESS {
		drop_to_user(4242, 4242);
		CHECK_ERRNO(chdir("locked"), EACCES);
	}
}
