/*
 * mkdir and rmdir.
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

static struct stat stat_of(const char *path)
{
	struct stat info;

	CHECK_OK(lstat(path, &info));
	return info;
}

TEST(dirs, mode_and_links)
{
	umask(022);
	CHECK_OK(mkdir("d", 0777));
	CHECK_EQ(stat_of("d").st_mode, S_IFDIR | 0755);
	CHECK_EQ(stat_of("d").st_nlink, 2);
	CHECK_OK(mkdir("d/a", 0700));
	CHECK_OK(mkdir("d/b", 01777));
	CHECK_EQ(stat_of("d/b").st_mode, S_IFDIR | 01755);
	CHECK_EQ(stat_of("d").st_nlink, 4);
	file_write("d/f", "", 0);
	CHECK_EQ(stat_of("d").st_nlink, 4);
	CHECK_OK(rmdir("d/a"));
	CHECK_EQ(stat_of("d").st_nlink, 3);
	CHECK_EQ(stat_of("d/b/..").st_ino, stat_of("d").st_ino);
	CHECK_EQ(stat_of("d/.").st_ino, stat_of("d").st_ino);
}

TEST(dirs, mkdir_errors)
{
	char name[NAME_MAX + 2];

	file_write("f", "", 0);
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(symlink("nowhere", "s"));
	CHECK_ERRNO(mkdir("d", 0755), EEXIST);
	CHECK_ERRNO(mkdir("d/", 0755), EEXIST);
	CHECK_ERRNO(mkdir("d/.", 0755), EEXIST);
	CHECK_ERRNO(mkdir("d/..", 0755), EEXIST);
	CHECK_ERRNO(mkdir("/", 0755), EEXIST);
	CHECK_ERRNO(mkdir("f", 0755), EEXIST);
	CHECK_ERRNO(mkdir("s", 0755), EEXIST);
	CHECK_ERRNO(mkdir("f/x", 0755), ENOTDIR);
	CHECK_ERRNO(mkdir("missing/x", 0755), ENOENT);
	CHECK_ERRNO(mkdir("", 0755), ENOENT);
	memset(name, 'a', sizeof(name));
	name[NAME_MAX + 1] = 0;
	CHECK_ERRNO(mkdir(name, 0755), ENAMETOOLONG);
	CHECK_ERRNO(mkdirat(99, "x", 0755), EBADF);
	CHECK_ERRNO(syscall(SYS_mkdir, BAD_UNMAPPED, 0755), EFAULT);
	CHECK_OK(mkdir("with/../slash/", 0755) == -1 && errno == ENOENT ? 0 : -1);
	CHECK_OK(mkdir("slash/", 0755));
}

TEST(dirs, rmdir_errors)
{
	file_write("f", "", 0);
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(mkdir("d/sub", 0755));
	CHECK_OK(symlink("d", "s"));
	CHECK_ERRNO(rmdir("d"), ENOTEMPTY);
	CHECK_ERRNO(rmdir("f"), ENOTDIR);
	CHECK_ERRNO(rmdir("s"), ENOTDIR);
	CHECK_ERRNO(rmdir("missing"), ENOENT);
	CHECK_ERRNO(rmdir("d/."), EINVAL);
	CHECK_ERRNO(rmdir("d/sub/.."), ENOTEMPTY);
	CHECK_ERRNO(rmdir("/"), EBUSY);
	CHECK_OK(rmdir("d/sub"));
	CHECK_OK(rmdir("d/"));
}

TEST(dirs, removed_while_in_use)
{
	char cwd[PATH_MAX];

	CHECK_OK(mkdir("d", 0755));
	int fd = CHECK_OK(open("d", O_RDONLY));
	CHECK_OK(chdir("d"));
	CHECK_OK(rmdir("../d"));
	CHECK_ERRNO(syscall(SYS_getcwd, cwd, sizeof(cwd)), ENOENT);
	CHECK_ERRNO(open("x", O_RDWR | O_CREAT, 0644), ENOENT);
	CHECK_ERRNO(mkdir("x", 0755), ENOENT);
	CHECK_ERRNO(mkdirat(fd, "x", 0755), ENOENT);
	CHECK_ERRNO(symlink("x", "y"), ENOENT);
	struct stat info;
	CHECK_OK(stat(".", &info));
	CHECK_EQ(info.st_nlink, 0);
	CHECK_OK(chdir("..")); /* its parent is still known */
	CHECK_ERRNO(access("d", F_OK), ENOENT);
}

TEST(dirs, set_group_id_is_inherited)
{
	ROOT_NEEDED();
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(chown("d", 0, 4343));
	CHECK_OK(chmod("d", 02777));
	CHECK_OK(mkdir("d/sub", 0755));
	file_write("d/f", "", 0);
	CHECK_EQ(stat_of("d/sub").st_gid, 4343);
	CHECK_EQ(stat_of("d/sub").st_mode, S_IFDIR | 02755);
	CHECK_EQ(stat_of("d/f").st_gid, 4343);
	CHECK_EQ(stat_of("d/f").st_mode, S_IFREG | 0644);
	SUBPROCESS {
		drop_to_user(4242, 4242);
		CHECK_OK(mkdir("d/own", 0755));
		CHECK_EQ(stat_of("d/own").st_gid, 4343);
		CHECK_EQ(stat_of("d/own").st_uid, 4242);
	}
}

TEST(dirs, deep)
{
	enum { DEPTH = 300 };

	/* Deeper than a path can say. */
	for (int i = 0; i < DEPTH; i++) {
		CHECK_OK(mkdir("a_directory_with_a_long_name", 0755));
		CHECK_OK(chdir("a_directory_with_a_long_name"));
	}
	file_write("f", "x", 1);
	char cwd[PATH_MAX];
	CHECK_ERRNO(syscall(SYS_getcwd, cwd, sizeof(cwd)), ENAMETOOLONG);
	CHECK_OK(unlink("f"));
	for (int i = 0; i < DEPTH; i++) {
		CHECK_OK(chdir(".."));
		CHECK_OK(rmdir("a_directory_with_a_long_name"));
	}
}

TEST(dirs, many_entries)
{
	enum { COUNT = 500 };
	char name[32];

	CHECK_OK(mkdir("d", 0755));
	for (int i = 0; i < COUNT; i++) {
		sprintf(name, "d/entry-%d", i * 7919 % 10007);
		CHECK_OK(mkdir(name, 0755));
	}
	CHECK_EQ(stat_of("d").st_nlink, COUNT + 2);
	for (int i = 0; i < COUNT; i++) {
		sprintf(name, "d/entry-%d", i * 7919 % 10007);
		CHECK_OK(access(name, F_OK));
	}
	for (int i = 0; i < COUNT; i++) {
		sprintf(name, "d/entry-%d", i * 7919 % 10007);
		CHECK_OK(rmdir(name));
	}
	CHECK_OK(rmdir("d"));
}
