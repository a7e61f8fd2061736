/*
 * rename: it replaces in one step, and refuses what would break the tree.
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
#include <sys/wait.h>
#include <unistd.h>

static ino_t inode(const char *path)
{
	struct stat info;

	CHECK_OK(lstat(path, &info));
	return info.st_ino;
}

static int exists(const char *path)
{
	struct stat info;

	return lstat(path, &info) == 0;
}

TEST(rename, moves)
{
	CHECK_OK(mkdir("d", 0755));
	file_write("a", "text", 4);
	ino_t before = inode("a");
	CHECK_OK(rename("a", "d/b"));
	CHECK(!exists("a"));
	CHECK_EQ(inode("d/b"), before);
	CHECK_OK(renameat(AT_FDCWD, "d/b", AT_FDCWD, "a"));
	CHECK_EQ(inode("a"), before);
}

TEST(rename, replaces_a_file)
{
	char byte;

	file_write("a", "A", 1);
	file_write("b", "B", 1);
	int fd = CHECK_OK(open("b", O_RDONLY));
	ino_t before = inode("a");
	CHECK_OK(rename("a", "b"));
	CHECK(!exists("a"));
	CHECK_EQ(inode("b"), before);
	/* Whoever has the old file open still reads it. */
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_EQ(byte, 'B');
	struct stat info;
	CHECK_OK(fstat(fd, &info));
	CHECK_EQ(info.st_nlink, 0);
}

TEST(rename, same_file_does_nothing)
{
	file_write("a", "A", 1);
	CHECK_OK(link("a", "b"));
	CHECK_OK(rename("a", "b"));
	CHECK(exists("a") && exists("b"));
	CHECK_OK(rename("a", "a"));
	CHECK(exists("a"));
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(rename("d", "d"));
}

TEST(rename, directories)
{
	struct stat info;

	CHECK_OK(mkdir("a", 0755));
	CHECK_OK(mkdir("a/sub", 0755));
	CHECK_OK(mkdir("empty", 0755));
	CHECK_OK(mkdir("full", 0755));
	file_write("full/f", "", 0);
	file_write("file", "", 0);
	CHECK_OK(rename("a", "empty")); /* an empty one is replaced */
	CHECK(exists("empty/sub"));
	CHECK_ERRNO(rename("empty", "full"), ENOTEMPTY);
	CHECK_ERRNO(rename("empty", "file"), ENOTDIR);
	CHECK_ERRNO(rename("file", "empty"), EISDIR);
	CHECK_ERRNO(rename("file", "full"), EISDIR);
	/* Below another parent, ".." follows and the counts of links are right. */
	CHECK_OK(rename("empty/sub", "full/sub"));
	CHECK_EQ(inode("full/sub/.."), inode("full"));
	CHECK_OK(stat("full", &info));
	CHECK_EQ(info.st_nlink, 3);
	CHECK_OK(stat("empty", &info));
	CHECK_EQ(info.st_nlink, 2);
}

TEST(rename, into_itself)
{
	CHECK_OK(mkdir("a", 0755));
	CHECK_OK(mkdir("a/b", 0755));
	CHECK_OK(mkdir("a/b/c", 0755));
	CHECK_ERRNO(rename("a", "a/x"), EINVAL);
	CHECK_ERRNO(rename("a", "a/b/c/x"), EINVAL);
	CHECK_ERRNO(rename("a", "a/b"), EINVAL);
	/* The other way round the target is not empty. */
	CHECK_ERRNO(rename("a/b/c", "a"), ENOTEMPTY);
	CHECK_OK(rename("a/b/c", "c"));
	CHECK_OK(rename("a/b", "c/b"));
	CHECK_OK(rename("a", "c/b/a"));
	CHECK_ERRNO(rename("c", "c/b/a/c"), EINVAL);
}

TEST(rename, dots_and_slashes)
{
	CHECK_OK(mkdir("d", 0755));
	file_write("f", "", 0);
	CHECK_ERRNO(rename(".", "x"), EBUSY);
	CHECK_ERRNO(rename("..", "x"), EBUSY);
	CHECK_ERRNO(rename("d", "."), EBUSY);
	CHECK_ERRNO(rename("d/.", "x"), EBUSY);
	CHECK_ERRNO(rename("d", "d/.."), EBUSY);
	CHECK_ERRNO(rename("/", "/x"), EBUSY);
	CHECK_ERRNO(rename("f", "g/"), ENOTDIR);
	CHECK_ERRNO(rename("f/", "g"), ENOTDIR);
	CHECK_OK(rename("d/", "e/"));
	CHECK(exists("e"));
}

TEST(rename, path_errors)
{
	char name[PATH_MAX + 1];

	file_write("f", "", 0);
	CHECK_ERRNO(rename("missing", "x"), ENOENT);
	CHECK_ERRNO(rename("f", "missing/x"), ENOENT);
	CHECK_ERRNO(rename("f", "f/x"), ENOTDIR);
	CHECK_ERRNO(rename("", "x"), ENOENT);
	CHECK_ERRNO(rename("f", ""), ENOENT);
	memset(name, 'a', sizeof(name));
	name[NAME_MAX + 1] = 0;
	CHECK_ERRNO(rename("f", name), ENAMETOOLONG);
	CHECK_ERRNO(renameat(99, "f", AT_FDCWD, "x"), EBADF);
	CHECK_ERRNO(renameat(AT_FDCWD, "f", 99, "x"), EBADF);
	CHECK_ERRNO(syscall(SYS_rename, "f", BAD_UNMAPPED), EFAULT);
	CHECK_ERRNO(syscall(SYS_rename, BAD_KERNEL, "f"), EFAULT);
}

TEST(rename, links_themselves)
{
	file_write("f", "", 0);
	CHECK_OK(symlink("f", "link"));
	CHECK_OK(symlink("nowhere", "dangling"));
	CHECK_OK(rename("link", "moved"));
	CHECK(exists("f") && exists("moved") && !exists("link"));
	CHECK_OK(rename("dangling", "d2"));
	CHECK_OK(rename("f", "moved")); /* replaces the link, not its target */
	struct stat info;
	CHECK_OK(lstat("moved", &info));
	CHECK(S_ISREG(info.st_mode));
}

TEST(rename, permission)
{
	CHECK_OK(mkdir("sticky", 01777));
	CHECK_OK(chmod("sticky", 01777));
	CHECK_OK(mkdir("open", 0777));
	CHECK_OK(chmod("open", 0777));
	CHECK_OK(mkdir("closed", 0755));
	file_write("sticky/f", "", 0);
	file_write("open/f", "", 0);
	file_write("closed/f", "", 0);
	SUBPROCESS {
		drop_to_user(4242, 4242);
		CHECK_ERRNO(rename("closed/f", "open/g"), EACCES);
		CHECK_ERRNO(rename("open/f", "closed/g"), EACCES);
		CHECK_ERRNO(rename("sticky/f", "open/g"), EPERM); /* another's file */
		CHECK_OK(rename("open/f", "sticky/g"));
		/* It is still root's file in there. */
		CHECK_ERRNO(rename("sticky/g", "open/f"), EPERM);
		file_write("sticky/own", "", 0);
		CHECK_OK(rename("sticky/own", "sticky/own2"));
		CHECK_ERRNO(rename("sticky/own2", "sticky/f"), EPERM);
	}
}

/* A directory that the caller may not write cannot move to a new parent: its ".." changes. */
TEST(rename, directory_needs_write_permission_itself)
{
	CHECK_OK(mkdir("d", 0777));
	CHECK_OK(chmod("d", 0777));
	CHECK_OK(mkdir("d/a", 0777));
	CHECK_OK(chmod("d/a", 0777));
	CHECK_OK(mkdir("d/locked", 0755));
	SUBPROCESS {
		drop_to_user(4242, 4242);
		CHECK_OK(rename("d/locked", "d/renamed"));
		CHECK_ERRNO(rename("d/renamed", "d/a/locked"), EACCES);
	}
}

TEST(rename, flags)
{
	file_write("a", "A", 1);
	file_write("b", "B", 1);
	ino_t a = inode("a"), b = inode("b");
	CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 1), EEXIST);
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 2)); /* exchange */
	CHECK_EQ(inode("a"), b);
	CHECK_EQ(inode("b"), a);
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "c", 1));
	CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "c", 2), ENOENT);
	CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "c", 3), EINVAL);
	CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "c", 0x100), EINVAL);
}

/* While one process replaces a file again and again, another always finds it whole. */
TEST(rename, target_is_never_missing)
{
	char byte;

	file_write("t", "A", 1);
	pid_t pid = FORK();
	if (pid == 0) {
		for (int i = 0; i < 150; i++) {
			file_write("new", i % 2 ? "A" : "B", 1);
			CHECK_OK(rename("new", "t"));
		}
		_exit(0);
	}
	int status;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		int fd = CHECK_OK(open("t", O_RDONLY));

		CHECK_EQ(read(fd, &byte, 1), 1);
		CHECK(byte == 'A' || byte == 'B');
		CHECK_OK(close(fd));
	}
	CHECK_EQ(status, 0);
}

/* Two processes rename directories into each other: no cycle comes of it. */
TEST(rename, no_cycle_from_a_race)
{
	CHECK_OK(mkdir("a", 0755));
	CHECK_OK(mkdir("b", 0755));
	pid_t pids[2];
	for (int i = 0; i < 2; i++) {
		pids[i] = FORK();
		if (pids[i] == 0) {
			for (int j = 0; j < 100; j++) {
				const char *from = i ? "b" : "a", *to = i ? "a/b" : "b/a";

				if (rename(from, to) == 0)
					CHECK_OK(rename(to, from));
				else
					CHECK(errno == ENOENT || errno == EINVAL);
			}
			_exit(0);
		}
	}
	CHECK_EXITED(pids[0], 0);
	CHECK_EXITED(pids[1], 0);
	CHECK(exists("a") && exists("b"));
}
