/*
 * open and openat: creation, flags, the descriptor that comes of it, and every error.
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

TEST(open, creates_with_mode_and_umask)
{
	struct stat info;

	umask(027);
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0666));
	CHECK_OK(fstat(fd, &info));
	CHECK_EQ(info.st_mode, S_IFREG | 0640);
	CHECK_EQ(info.st_size, 0);
	CHECK_EQ(info.st_nlink, 1);
	CHECK_EQ(info.st_uid, geteuid());
	/* The mode counts for others who open it, not for the one who creates it. */
	fd = CHECK_OK(open("g", O_RDWR | O_CREAT, 0));
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(fstat(fd, &info));
	CHECK_EQ(info.st_mode, S_IFREG);
	umask(0);
	fd = CHECK_OK(open("h", O_RDWR | O_CREAT, 07777));
	CHECK_OK(fstat(fd, &info));
	CHECK_EQ(info.st_mode, S_IFREG | 07777);
	/* An existing file keeps its mode. */
	CHECK_OK(open("f", O_RDWR | O_CREAT, 0777));
	CHECK_OK(stat("f", &info));
	CHECK_EQ(info.st_mode, S_IFREG | 0640);
}

TEST(open, exclusive)
{
	CHECK_OK(open("f", O_RDWR | O_CREAT | O_EXCL, 0644));
	CHECK_ERRNO(open("f", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
	/* Not even a dangling link is followed. */
	CHECK_OK(symlink("nowhere", "link"));
	CHECK_ERRNO(open("link", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
	CHECK_OK(mkdir("d", 0755));
	CHECK_ERRNO(open("d", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
}

TEST(open, exclusive_creation_has_one_winner)
{
	int *winners = map_shared(PAGE);
	struct gate start;
	pid_t pids[6];

	gate_init(&start);
	for (int i = 0; i < 6; i++) {
		pids[i] = FORK();
		if (pids[i] == 0) {
			gate_pass(&start);
			if (open("lock", O_RDWR | O_CREAT | O_EXCL, 0644) >= 0)
				__atomic_add_fetch(winners, 1, __ATOMIC_SEQ_CST);
			else
				CHECK_EQ(errno, EEXIST);
			_exit(0);
		}
	}
	for (int i = 0; i < 6; i++)
		gate_open(&start);
	for (int i = 0; i < 6; i++)
		CHECK_EXITED(pids[i], 0);
	CHECK_EQ(*winners, 1);
}

TEST(open, creates_through_dangling_link)
{
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(symlink("d/target", "link"));
	CHECK_ERRNO(open("link", O_RDONLY), ENOENT);
	CHECK_OK(open("link", O_RDWR | O_CREAT, 0644));
	CHECK_OK(access("d/target", F_OK));
}

TEST(open, truncates)
{
	struct stat info;

	file_write("f", "0123456789", 10);
	int reader = CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(lseek(reader, 5, SEEK_SET));
	CHECK_OK(open("f", O_WRONLY | O_TRUNC));
	CHECK_OK(stat("f", &info));
	CHECK_EQ(info.st_size, 0);
	char byte;
	CHECK_EQ(read(reader, &byte, 1), 0);
	CHECK_EQ(lseek(reader, 0, SEEK_CUR), 5);
}

TEST(open, lowest_descriptor)
{
	CHECK_EQ(open("/dev/null", O_RDONLY), 3);
	CHECK_EQ(open("/dev/null", O_RDONLY), 4);
	CHECK_EQ(open("/dev/null", O_RDONLY), 5);
	CHECK_OK(close(4));
	CHECK_EQ(open("/dev/null", O_RDONLY), 4);
	CHECK_OK(close(0));
	CHECK_EQ(open("/dev/null", O_RDONLY), 0);
	CHECK_EQ(open("/dev/null", O_RDONLY), 6);
}

TEST(open, status_flags)
{
	int fd = CHECK_OK(open("f", O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NONBLOCK, 0644));

	/* The creation flags are not kept; O_LARGEFILE may show. */
	CHECK_EQ(fcntl(fd, F_GETFL) & ~0100000, O_WRONLY | O_APPEND | O_NONBLOCK);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	fd = CHECK_OK(open("f", O_RDWR | O_CLOEXEC));
	CHECK_EQ(fcntl(fd, F_GETFL) & ~0100000, O_RDWR);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

TEST(open, access_mode_is_enforced)
{
	char byte = 'x';
	int reader, writer;

	file_write("f", "a", 1);
	reader = CHECK_OK(open("f", O_RDONLY));
	writer = CHECK_OK(open("f", O_WRONLY));
	CHECK_ERRNO(write(reader, &byte, 1), EBADF);
	CHECK_ERRNO(read(writer, &byte, 1), EBADF);
	CHECK_ERRNO(pwrite(reader, &byte, 1, 0), EBADF);
	CHECK_ERRNO(pread(writer, &byte, 1, 0), EBADF);
	CHECK_ERRNO(ftruncate(reader, 0), EINVAL);
	/* Even a length of nothing is refused. */
	CHECK_ERRNO(write(reader, &byte, 0), EBADF);
	CHECK_ERRNO(read(writer, &byte, 0), EBADF);
}

TEST(open, path_errors)
{
	char name[PATH_MAX + 10];

	file_write("f", "", 0);
	CHECK_ERRNO(open("missing", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("", O_RDWR | O_CREAT, 0644), ENOENT);
	CHECK_ERRNO(open("missing/f", O_RDWR | O_CREAT, 0644), ENOENT);
	CHECK_ERRNO(open("f/x", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(open("f/", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(open("f/.", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(open("f/..", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERRNO(open("new/", O_RDWR | O_CREAT, 0644), EISDIR);
	memset(name, 'a', sizeof(name));
	name[NAME_MAX + 1] = 0;
	CHECK_ERRNO(open(name, O_RDWR | O_CREAT, 0644), ENAMETOOLONG);
	CHECK_ERRNO(open(name, O_RDONLY), ENAMETOOLONG);
	name[NAME_MAX] = 0;
	CHECK_OK(open(name, O_RDWR | O_CREAT, 0644));
	/* A path has up to 4095 bytes. */
	for (int i = 0; i < PATH_MAX; i++)
		name[i] = i % 2 ? '/' : '.';
	name[PATH_MAX - 1] = 0;
	CHECK_OK(open(name, O_RDONLY));
	name[PATH_MAX - 1] = '/';
	name[PATH_MAX] = 0;
	CHECK_ERRNO(open(name, O_RDONLY), ENAMETOOLONG);
}

TEST(open, directories)
{
	char byte;

	CHECK_OK(mkdir("d", 0755));
	CHECK_ERRNO(open("d", O_WRONLY), EISDIR);
	CHECK_ERRNO(open("d", O_RDWR), EISDIR);
	CHECK_ERRNO(open("d", O_RDONLY | O_CREAT, 0644), EISDIR);
	CHECK_ERRNO(open("d", O_WRONLY | O_TRUNC), EISDIR);
	CHECK_ERRNO(open("/", O_RDWR), EISDIR);
	int fd = CHECK_OK(open("d", O_RDONLY));
	CHECK_ERRNO(read(fd, &byte, 1), EISDIR);
	CHECK_ERRNO(write(fd, &byte, 1), EBADF);
	CHECK_OK(open("d/", O_RDONLY | O_DIRECTORY));
	CHECK_OK(open("d/../d/./", O_RDONLY | O_DIRECTORY));
	CHECK_OK(open("//", O_RDONLY));
	CHECK_OK(open("/../..", O_RDONLY));
}

TEST(open, nofollow)
{
	file_write("f", "", 0);
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(symlink("f", "link"));
	CHECK_OK(symlink("d", "dirlink"));
	CHECK_ERRNO(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_OK(open("f", O_RDONLY | O_NOFOLLOW));
	CHECK_ERRNO(open("dirlink", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
	file_write("d/g", "", 0);
	CHECK_OK(open("dirlink/g", O_RDONLY | O_NOFOLLOW)); /* only the last part counts */
}

TEST(open, relative_to_a_directory)
{
	CHECK_OK(mkdir("d", 0755));
	file_write("d/f", "x", 1);
	file_write("plain", "", 0);
	int dir = CHECK_OK(open("d", O_RDONLY)), file = CHECK_OK(open("plain", O_RDONLY));
	CHECK_OK(openat(dir, "f", O_RDONLY));
	CHECK_OK(openat(dir, "../plain", O_RDONLY));
	CHECK_OK(openat(AT_FDCWD, "d/f", O_RDONLY));
	CHECK_ERRNO(openat(dir, "plain", O_RDONLY), ENOENT);
	CHECK_ERRNO(openat(file, "f", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(openat(-1, "f", O_RDONLY), EBADF);
	CHECK_ERRNO(openat(999, "f", O_RDONLY), EBADF);
	/* With an absolute path the descriptor does not matter. */
	CHECK_OK(openat(999, "/dev/null", O_RDONLY));
	/* The directory may have been moved or removed meanwhile. */
	CHECK_OK(rename("d", "e"));
	CHECK_OK(openat(dir, "f", O_RDONLY));
	CHECK_OK(unlink("e/f"));
	CHECK_OK(rmdir("e"));
	CHECK_ERRNO(openat(dir, "f", O_RDONLY | O_CREAT, 0644), ENOENT);
}

TEST(open, by_path_only)
{
	ROOT_NEEDED();
	struct stat info;
	char byte;

	file_write("f", "x", 1);
	CHECK_OK(chmod("f", 0));
	CHECK_OK(symlink("f", "link"));
	int fd = CHECK_OK(open("f", O_PATH));
	CHECK_ERRNO(read(fd, &byte, 1), EBADF);
	CHECK_ERRNO(write(fd, &byte, 1), EBADF);
	CHECK_ERRNO(ftruncate(fd, 0), EBADF);
	CHECK_ERRNO(lseek(fd, 0, SEEK_SET), EBADF);
	CHECK_OK(fstat(fd, &info));
	CHECK(S_ISREG(info.st_mode));
	fd = CHECK_OK(open("link", O_PATH | O_NOFOLLOW));
	CHECK_OK(fstat(fd, &info));
	CHECK(S_ISLNK(info.st_mode));
	int dir = CHECK_OK(open(".", O_PATH));
	CHECK_OK(openat(dir, "f", O_RDONLY));
	CHECK_OK(fchdir(dir));
	CHECK_OK(dup(dir));
	CHECK_OK(close(dir));
}

TEST(open, through_proc)
{
	char path[40] = "/proc/self/fd/3", byte;

	file_write("f", "abc", 3);
	CHECK_EQ(open("f", O_RDONLY), 3);
	CHECK_OK(unlink("f"));
	/* A new description with an offset of its own, of a file without a name. */
	int fd = CHECK_OK(open(path, O_RDWR));
	CHECK_EQ(read(3, &byte, 1), 1);
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_EQ(byte, 'a');
	CHECK_OK(close(3));
	CHECK_ERRNO(open(path, O_RDONLY), ENOENT);
}

TEST(open, special_nodes)
{
	CHECK_ERRNO(open("/dev/null/x", O_RDONLY), ENOTDIR);
	CHECK_OK(mkfifo("f", 0600));
	CHECK_OK(open("f", O_RDWR));
	CHECK_ERRNO(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERRNO(syscall(SYS_open, BAD_UNMAPPED, O_RDONLY), EFAULT);
	CHECK_ERRNO(syscall(SYS_open, NULL, O_RDONLY), EFAULT);
}
