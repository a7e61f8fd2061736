/*
 * mount and umount, with tmpfs: its size limit, crossing mount points, and busy mounts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

static void mount_tmpfs(const char *at, const char *options)
{
	CHECK_OK(mkdir(at, 0755));
	if (mount("tmpfs", at, "tmpfs", 0, options) != 0) {
		if (errno == EPERM)
			SKIP("the host forbids mount");
		FAIL("mount: errno %d", errno);
	}
}

TEST(mount, covers_and_uncovers)
{
	struct stat below, above;

	CHECK_OK(mkdir("m", 0755));
	file_write("m/below", "", 0);
	CHECK_OK(stat("m", &below));
	if (mount("x", "m", "tmpfs", 0, "mode=0711") != 0 && errno == EPERM)
		SKIP("the host forbids mount");
	CHECK_OK(stat("m", &above));
	CHECK_NE(above.st_dev, below.st_dev);
	CHECK_EQ(above.st_mode & 07777, 0711);
	CHECK_ERRNO(access("m/below", F_OK), ENOENT);
	file_write("m/above", "", 0);
	CHECK_OK(access("m/../m/above", F_OK));
	CHECK_OK(umount("m"));
	CHECK_OK(access("m/below", F_OK));
	CHECK_ERRNO(access("m/above", F_OK), ENOENT);
}

TEST(mount, paths_cross_it)
{
	char cwd[1000], expected[1100];

	CHECK(getcwd(expected, 1000));
	strcat(expected, "/m/d");
	mount_tmpfs("m", NULL);
	CHECK_OK(mkdir("m/d", 0755));
	CHECK_OK(chdir("m/d"));
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK_STR(cwd, expected);
	CHECK_OK(chdir("../.."));
	CHECK_OK(access("m/d", F_OK));
	file_write("f", "", 0);
	CHECK_ERRNO(rename("f", "m/f"), EXDEV);
	CHECK_ERRNO(link("f", "m/f"), EXDEV);
	CHECK_ERRNO(rmdir("m"), EBUSY);
	CHECK_ERRNO(rename("m", "n"), EBUSY);
	CHECK_OK(umount("m"));
	CHECK_OK(rmdir("m"));
}

TEST(mount, busy)
{
	mount_tmpfs("m", NULL);
	int fd = CHECK_OK(open("m/f", O_RDWR | O_CREAT, 0644));
	CHECK_ERRNO(umount("m"), EBUSY);
	CHECK_OK(close(fd));
	CHECK_OK(chdir("m"));
	CHECK_ERRNO(umount("../m"), EBUSY);
	CHECK_OK(chdir(".."));
	mkdir("m/inner", 0755);
	CHECK_OK(mount("y", "m/inner", "tmpfs", 0, NULL));
	CHECK_ERRNO(umount("m"), EBUSY);
	CHECK_OK(umount("m/inner"));
	CHECK_OK(umount("m"));
}

TEST(mount, detached_lazily)
{
	mount_tmpfs("m", NULL);
	int fd = CHECK_OK(open("m/f", O_RDWR | O_CREAT, 0644));
	CHECK_OK(umount2("m", MNT_DETACH));
	CHECK_ERRNO(access("m/f", F_OK), ENOENT);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(close(fd));
	CHECK_ERRNO(umount("m"), EINVAL);
}

TEST(mount, size_is_limited)
{
	static char block[64 * 1024];
	struct statfs info;
	int written = 0;

	mount_tmpfs("m", "size=1m");
	CHECK_OK(statfs("m", &info));
	CHECK_EQ(info.f_type, 0x01021994);
	CHECK_EQ(info.f_blocks * info.f_bsize, 1 << 20);
	CHECK_EQ(info.f_bfree, info.f_blocks);
	int fd = CHECK_OK(open("m/f", O_RDWR | O_CREAT, 0644));
	while (write(fd, block, sizeof(block)) == sizeof(block))
		written++;
	CHECK_EQ(written, 16);
	CHECK_ERRNO(write(fd, block, 1), ENOSPC);
	CHECK_OK(statfs("m", &info));
	CHECK_EQ(info.f_bfree, 0);
	/* A hole costs nothing, but cannot be filled. */
	CHECK_OK(ftruncate(fd, 8 << 20));
	CHECK_ERRNO(pwrite(fd, block, 1, 4 << 20), ENOSPC);
	CHECK_OK(ftruncate(fd, 1 << 19));
	CHECK_EQ(pwrite(fd, block, sizeof(block), 1 << 19), sizeof(block));
	CHECK_OK(close(fd));
	CHECK_OK(unlink("m/f"));
	CHECK_OK(statfs("m", &info));
	CHECK_EQ(info.f_bfree, info.f_blocks);
	CHECK_OK(umount("m"));
}

TEST(mount, number_of_files_is_limited)
{
	char name[16];
	int made = 0;

	mount_tmpfs("m", "nr_inodes=20");
	for (; made < 100; made++) {
		sprintf(name, "m/f%d", made);
		int fd = open(name, O_WRONLY | O_CREAT, 0644);
		if (fd < 0)
			break;
		CHECK_OK(close(fd));
	}
	CHECK_EQ(errno, ENOSPC);
	CHECK_GE(made, 10);
	CHECK_LE(made, 20);
	CHECK_OK(unlink("m/f0"));
	CHECK_OK(close(CHECK_OK(open("m/new", O_WRONLY | O_CREAT, 0644))));
	CHECK_OK(umount("m"));
}

TEST(mount, read_only)
{
	mount_tmpfs("m", NULL);
	file_write("m/f", "x", 1);
	CHECK_OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	CHECK_ERRNO(open("m/f", O_RDWR), EROFS);
	CHECK_ERRNO(open("m/new", O_RDWR | O_CREAT, 0644), EROFS);
	CHECK_ERRNO(mkdir("m/d", 0755), EROFS);
	CHECK_ERRNO(unlink("m/f"), EROFS);
	CHECK_ERRNO(chmod("m/f", 0600), EROFS);
	CHECK_ERRNO(rename("m/f", "m/g"), EROFS);
	CHECK_ERRNO(truncate("m/f", 0), EROFS);
	CHECK_ERRNO(access("m/f", W_OK), EROFS);
	CHECK_OK(close(CHECK_OK(open("m/f", O_RDONLY))));
	CHECK_OK(mount(NULL, "m", NULL, MS_REMOUNT, NULL));
	CHECK_OK(unlink("m/f"));
	CHECK_OK(umount("m"));
}

TEST(mount, on_top_of_each_other)
{
	mount_tmpfs("m", NULL);
	file_write("m/first", "", 0);
	CHECK_OK(mount("two", "m", "tmpfs", 0, NULL));
	CHECK_ERRNO(access("m/first", F_OK), ENOENT);
	CHECK_OK(umount("m"));
	CHECK_OK(access("m/first", F_OK));
	CHECK_OK(umount("m"));
}

TEST(mount, bind)
{
	struct stat a, b;

	CHECK_OK(mkdir("from", 0755));
	CHECK_OK(mkdir("to", 0755));
	file_write("from/f", "x", 1);
	if (mount("from", "to", NULL, MS_BIND, NULL) != 0 && errno == EPERM)
		SKIP("the host forbids mount");
	CHECK_OK(stat("from/f", &a));
	CHECK_OK(stat("to/f", &b));
	CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	CHECK_ERRNO(rename("from/f", "to/g"), EXDEV); /* another mount, if the same files */
	CHECK_OK(umount("to"));
	CHECK_ERRNO(access("to/f", F_OK), ENOENT);
}

TEST(mount, errors)
{
	CHECK_OK(mkdir("m", 0755));
	file_write("f", "", 0);
	SUBPROCESS {
		drop_to_user(4242, 4242);
		CHECK_ERRNO(mount("x", "m", "tmpfs", 0, NULL), EPERM);
		CHECK_ERRNO(umount("m"), EPERM);
	}
	if (mount("x", "m", "no-such-type", 0, NULL) == -1 && errno == EPERM)
		SKIP("the host forbids mount");
	CHECK_ERRNO(mount("x", "m", "no-such-type", 0, NULL), ENODEV);
	CHECK_ERRNO(mount("x", "missing", "tmpfs", 0, NULL), ENOENT);
	CHECK_ERRNO(mount("x", "f", "tmpfs", 0, NULL), ENOTDIR);
	CHECK_ERRNO(mount("x", "m", "tmpfs", 0, "nonsense=7"), EINVAL);
	CHECK_ERRNO(mount("x", "m", "tmpfs", 0, "size=abc"), EINVAL);
	CHECK_ERRNO(umount("m"), EINVAL);
	CHECK_ERRNO(umount("missing"), ENOENT);
	CHECK_ERRNO(umount2("m", 0x1000), EINVAL);
	CHECK_ERRNO(syscall(SYS_mount, "x", BAD_UNMAPPED, "tmpfs", 0, NULL), EFAULT);
	CHECK_ERRNO(syscall(SYS_umount2, BAD_KERNEL, 0), EFAULT);
}

TEST(mount, set_id_programs_can_be_forbidden)
{
	mount_tmpfs("m", NULL);
	CHECK_OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_NOSUID | MS_NOEXEC, NULL));
	file_copy(test_self, "m/prog", 04755);
	char *argv[] = { "x", NULL };
	CHECK_ERRNO(execv("m/prog", argv), EACCES);
	CHECK_OK(umount("m"));
}

TEST(mount, is_listed)
{
	char text[16384], path[1100];

	CHECK(getcwd(path, 1000));
	strcat(path, "/listed tmpfs ");
	mount_tmpfs("listed", NULL);
	text[file_read("/proc/self/mounts", text, sizeof(text) - 1)] = 0;
	CHECK(strstr(text, path));
	text[file_read("/proc/mounts", text, sizeof(text) - 1)] = 0;
	CHECK(strstr(text, path));
	CHECK_OK(umount("listed"));
	text[file_read("/proc/self/mounts", text, sizeof(text) - 1)] = 0;
	CHECK(!strstr(text, path));
}
