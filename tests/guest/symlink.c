/*
 * Symbolic links: where they are followed, where not, and how often.
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

TEST(symlink, holds_any_text)
{
	char text[32];
	struct stat info;

	CHECK_OK(symlink("not there//", "s"));
	CHECK_EQ(readlink("s", text, sizeof(text)), 11);
	CHECK_EQ(memcmp(text, "not there//", 11), 0);
	CHECK_EQ(readlink("s", text, 3), 3); /* cut short without a word */
	CHECK_OK(lstat("s", &info));
	CHECK(S_ISLNK(info.st_mode));
	CHECK_EQ(info.st_size, 11);
	CHECK_EQ(info.st_mode & 0777, 0777);
	CHECK_ERRNO(stat("s", &info), ENOENT);
}

TEST(symlink, length)
{
	char text[PATH_MAX + 1], got[PATH_MAX + 1];

	memset(text, 'a', sizeof(text));
	text[PATH_MAX] = 0;
	CHECK_ERRNO(symlink(text, "s"), ENAMETOOLONG);
	CHECK_ERRNO(symlink("", "s"), ENOENT);
	text[PATH_MAX - 1] = 0;
	CHECK_OK(symlink(text, "s"));
	CHECK_EQ(readlink("s", got, sizeof(got)), PATH_MAX - 1);
	CHECK_EQ(memcmp(text, got, PATH_MAX - 1), 0);
}

TEST(symlink, errors)
{
	char text[10];

	file_write("f", "", 0);
	CHECK_ERRNO(symlink("x", "f"), EEXIST);
	CHECK_ERRNO(symlink("x", "missing/s"), ENOENT);
	CHECK_ERRNO(symlink("x", "f/s"), ENOTDIR);
	CHECK_ERRNO(readlink("f", text, 10), EINVAL);
	CHECK_ERRNO(readlink("missing", text, 10), ENOENT);
	CHECK_ERRNO(readlink(".", text, 10), EINVAL);
	CHECK_OK(symlink("x", "s"));
	CHECK_ERRNO(syscall(SYS_readlink, "s", text, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_readlink, "s", text, -1), EINVAL);
	CHECK_ERRNO(syscall(SYS_readlink, "s", BAD_UNMAPPED, 10), EFAULT);
	CHECK_ERRNO(syscall(SYS_symlink, BAD_UNMAPPED, "t"), EFAULT);
	CHECK_ERRNO(symlinkat("x", 99, "t"), EBADF);
	CHECK_ERRNO(readlinkat(99, "s", text, 10), EBADF);
}

TEST(symlink, followed_along_the_path)
{
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(mkdir("d/sub", 0755));
	file_write("d/f", "x", 1);
	CHECK_OK(symlink("d/sub", "s"));
	CHECK_OK(access("s/../f", F_OK)); /* ".." of where the link leads */
	CHECK_OK(symlink("../f", "d/sub/up"));
	CHECK_OK(access("s/up", F_OK));
	CHECK_OK(symlink("/dev/null", "absolute"));
	struct stat info;
	CHECK_OK(stat("absolute", &info));
	CHECK(S_ISCHR(info.st_mode));
	/* A slash at the end follows even for calls that do not follow. */
	CHECK_OK(lstat("s", &info));
	CHECK(S_ISLNK(info.st_mode));
	CHECK_OK(lstat("s/", &info));
	CHECK(S_ISDIR(info.st_mode));
}

static void chain(int length)
{
	char from[16], to[16];

	for (int i = length; i > 0; i--) {
		sprintf(from, "l%d", i);
		sprintf(to, "l%d", i + 1);
		CHECK_OK(symlink(i == length ? "end" : to, from));
	}
}

TEST(symlink, at_most_forty)
{
	struct stat info;

	file_write("end", "", 0);
	chain(41);
	CHECK_OK(stat("l2", &info)); /* forty links */
	CHECK_ERRNO(stat("l1", &info), ELOOP);
	CHECK_ERRNO(open("l1", O_RDONLY), ELOOP);
	CHECK_ERRNO(chdir("l1"), ELOOP);
	CHECK_OK(lstat("l1", &info));
}

TEST(symlink, at_most_forty_in_the_whole_path)
{
	char path[300] = "";
	struct stat info;

	CHECK_OK(symlink(".", "here"));
	for (int i = 0; i < 40; i++)
		strcat(path, "here/");
	CHECK_OK(stat(path, &info));
	strcat(path, "here/");
	CHECK_ERRNO(stat(path, &info), ELOOP);
}

TEST(symlink, circles)
{
	struct stat info;

	CHECK_OK(symlink("self", "self"));
	CHECK_OK(symlink("b", "a"));
	CHECK_OK(symlink("a", "b"));
	CHECK_ERRNO(stat("self", &info), ELOOP);
	CHECK_ERRNO(stat("a/x", &info), ELOOP);
	CHECK_ERRNO(open("self", O_RDWR | O_CREAT, 0644), ELOOP);
	CHECK_ERRNO(mkdir("self/x", 0755), ELOOP);
	CHECK_ERRNO(mkdir("self", 0755), EEXIST);
	CHECK_OK(unlink("self"));
}

TEST(symlink, owner_changes_without_following)
{
	ROOT_NEEDED();
	struct stat info;

	file_write("f", "", 0);
	CHECK_OK(symlink("f", "s"));
	CHECK_OK(lchown("s", 4242, 4243));
	CHECK_OK(lstat("s", &info));
	CHECK(info.st_uid == 4242 && info.st_gid == 4243);
	CHECK_OK(stat("f", &info));
	CHECK_EQ(info.st_uid, 0);
	CHECK_OK(chown("s", 4244, -1));
	CHECK_OK(stat("f", &info));
	CHECK_EQ(info.st_uid, 4244);
}

TEST(symlink, relative_to_a_directory)
{
	char text[16];

	CHECK_OK(mkdir("d", 0755));
	int dir = CHECK_OK(open("d", O_RDONLY));
	CHECK_OK(symlinkat("target", dir, "s"));
	CHECK_EQ(readlinkat(dir, "s", text, sizeof(text)), 6);
	CHECK_EQ(readlink("d/s", text, sizeof(text)), 6);
	/* An empty path reads the link that the descriptor names. */
	int fd = CHECK_OK(openat(dir, "s", O_PATH | O_NOFOLLOW));
	CHECK_EQ(readlinkat(fd, "", text, sizeof(text)), 6);
}
