/*
 * stat and its relatives.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

TEST(stat, fields_of_a_file)
{
	ROOT_NEEDED();
	struct stat info, again;
	static char data[10000];

	umask(022);
	file_write("f", data, sizeof(data));
	CHECK_OK(chown("f", 11, 22));
	CHECK_OK(stat("f", &info));
	CHECK_EQ(info.st_mode, S_IFREG | 0644);
	CHECK_EQ(info.st_nlink, 1);
	CHECK(info.st_uid == 11 && info.st_gid == 22);
	CHECK_EQ(info.st_size, 10000);
	CHECK_EQ(info.st_rdev, 0);
	CHECK_GT(info.st_ino, 0);
	CHECK_GE(info.st_blksize, 512);
	int fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(fsync(fd));
	CHECK_OK(fstat(fd, &again));
	CHECK_GE(again.st_blocks * 512, 10000);
	CHECK_EQ(again.st_ino, info.st_ino);
	CHECK_EQ(again.st_dev, info.st_dev);
}

TEST(stat, kinds_of_files)
{
	struct stat info;

	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(symlink("d", "s"));
	CHECK_OK(mkfifo("p", 0600));
	CHECK_OK(stat("d", &info));
	CHECK(S_ISDIR(info.st_mode));
	CHECK_OK(stat("s", &info));
	CHECK(S_ISDIR(info.st_mode));
	CHECK_OK(lstat("s", &info));
	CHECK(S_ISLNK(info.st_mode));
	CHECK_OK(stat("p", &info));
	CHECK(S_ISFIFO(info.st_mode));
	CHECK_OK(stat("/dev/null", &info));
	CHECK(S_ISCHR(info.st_mode));
	CHECK_EQ(major(info.st_rdev), 1);
	CHECK_EQ(minor(info.st_rdev), 3);
	CHECK_OK(stat("/dev/zero", &info));
	CHECK_EQ(info.st_rdev, makedev(1, 5));
}

TEST(stat, different_files_differ)
{
	struct stat a, b, root, up;

	file_write("a", "", 0);
	file_write("b", "", 0);
	CHECK_OK(stat("a", &a));
	CHECK_OK(stat("b", &b));
	CHECK_EQ(a.st_dev, b.st_dev);
	CHECK_NE(a.st_ino, b.st_ino);
	CHECK_OK(stat("/", &root));
	CHECK_OK(stat("/..", &up));
	CHECK(root.st_ino == up.st_ino && root.st_dev == up.st_dev);
}

TEST(stat, relative_and_empty_path)
{
	struct stat info;

	CHECK_OK(mkdir("d", 0755));
	file_write("d/f", "abc", 3);
	CHECK_OK(symlink("f", "d/s"));
	int dir = CHECK_OK(open("d", O_RDONLY)), fd = CHECK_OK(open("d/f", O_RDONLY));
	CHECK_OK(fstatat(dir, "f", &info, 0));
	CHECK_EQ(info.st_size, 3);
	CHECK_OK(fstatat(dir, "s", &info, AT_SYMLINK_NOFOLLOW));
	CHECK(S_ISLNK(info.st_mode));
	CHECK_OK(fstatat(fd, "", &info, AT_EMPTY_PATH));
	CHECK_EQ(info.st_size, 3);
	CHECK_OK(fstatat(AT_FDCWD, "", &info, AT_EMPTY_PATH));
	CHECK(S_ISDIR(info.st_mode));
	CHECK_ERRNO(fstatat(fd, "", &info, 0), ENOENT);
	CHECK_ERRNO(fstatat(fd, "x", &info, 0), ENOTDIR);
	CHECK_ERRNO(syscall(SYS_newfstatat, dir, "f", &info, 0x8000), EINVAL);
}

TEST(stat, errors)
{
	struct stat info;
	char name[PATH_MAX + 1];

	file_write("f", "", 0);
	CHECK_ERRNO(stat("missing", &info), ENOENT);
	CHECK_ERRNO(stat("", &info), ENOENT);
	CHECK_ERRNO(stat("f/x", &info), ENOTDIR);
	CHECK_ERRNO(stat("f/", &info), ENOTDIR);
	CHECK_ERRNO(fstat(-1, &info), EBADF);
	memset(name, 'a', sizeof(name));
	name[NAME_MAX + 1] = 0;
	CHECK_ERRNO(stat(name, &info), ENAMETOOLONG);
	name[NAME_MAX + 1] = 'a';
	name[PATH_MAX] = 0;
	CHECK_ERRNO(stat(name, &info), ENAMETOOLONG);
	CHECK_ERRNO(syscall(SYS_stat, "f", BAD_UNMAPPED), EFAULT);
	CHECK_ERRNO(syscall(SYS_stat, BAD_KERNEL, &info), EFAULT);
	CHECK_ERRNO(syscall(SYS_fstat, 0, BAD_CANONICAL), EFAULT);
}

/* A path that ends exactly where its mapping ends, and one that goes on beyond. */
TEST(stat, path_at_the_end_of_a_mapping)
{
	char *at = map_anonymous(2 * PAGE);
	struct stat info;

	CHECK_EQ(syscall(SYS_munmap, at + PAGE, PAGE), 0);
	file_write("f", "", 0);
	memcpy(at + PAGE - 2, "f", 2);
	CHECK_OK(stat(at + PAGE - 2, &info));
	at[PAGE - 1] = 'f';
	CHECK_ERRNO(stat(at + PAGE - 2, &info), EFAULT);
	/* The answer must fit too. */
	CHECK_ERRNO(syscall(SYS_stat, "f", at + PAGE - 100), EFAULT);
	CHECK_OK(syscall(SYS_stat, "f", at + PAGE - sizeof(info)));
}

/* The layout that the kernel defines; the C library here does not know the call. */
struct statx_answer {
	uint32_t mask, block_size;
	uint64_t attributes;
	uint32_t links, uid, gid;
	uint16_t mode, pad;
	uint64_t inode, size, blocks, attributes_mask;
	struct {
		int64_t seconds;
		uint32_t nanoseconds, pad;
	} atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t spare[14];
};

TEST(stat, statx)
{
	struct statx_answer answer;
	struct stat info;

	_Static_assert(sizeof(answer) == 256, "struct statx");
	file_write("f", "hello", 5);
	CHECK_OK(stat("f", &info));
	CHECK_OK(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x7ff, &answer));
	CHECK_EQ(answer.mask & 0x7ff, 0x7ff);
	CHECK_EQ(answer.size, 5);
	CHECK_EQ(answer.mode, info.st_mode);
	CHECK_EQ(answer.inode, info.st_ino);
	CHECK_EQ(answer.mtime.seconds, info.st_mtim.tv_sec);
	CHECK_EQ(answer.mtime.nanoseconds, info.st_mtim.tv_nsec);
	CHECK_EQ(makedev(answer.dev_major, answer.dev_minor), info.st_dev);
	CHECK_ERRNO(syscall(SYS_statx, AT_FDCWD, "f", 0x8, 0x7ff, &answer), EINVAL);
	CHECK_ERRNO(syscall(SYS_statx, AT_FDCWD, "missing", 0, 0x7ff, &answer), ENOENT);
	CHECK_ERRNO(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x7ff, BAD_UNMAPPED), EFAULT);
}
