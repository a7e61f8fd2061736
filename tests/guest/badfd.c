/*
 * Descriptors out of range or of the wrong kind, in every call that takes one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char buffer[4096];
static long times[4];

/* Calls whose first argument is the descriptor; the others are fine. */
static const struct {
	const char *name;
	long number;
	long args[5];
} calls[] = {
	{ "read", SYS_read, { (long)buffer, 1 } },
	{ "read of nothing", SYS_read, { (long)buffer, 0 } },
	{ "write", SYS_write, { (long)buffer, 1 } },
	{ "pread64", SYS_pread64, { (long)buffer, 1, 0 } },
	{ "pwrite64", SYS_pwrite64, { (long)buffer, 1, 0 } },
	{ "readv", SYS_readv, { (long)buffer, 0 } },
	{ "writev", SYS_writev, { (long)buffer, 0 } },
	{ "preadv", SYS_preadv, { (long)buffer, 0, 0, 0 } },
	{ "pwritev", SYS_pwritev, { (long)buffer, 0, 0, 0 } },
	{ "close", SYS_close, { 0 } },
	{ "fstat", SYS_fstat, { (long)buffer } },
	{ "lseek", SYS_lseek, { 0, SEEK_SET } },
	{ "ioctl", SYS_ioctl, { 0x5413, (long)buffer } },
	{ "dup", SYS_dup, { 0 } },
	{ "dup2", SYS_dup2, { 50 } },
	{ "dup3", SYS_dup3, { 50, 0 } },
	{ "fcntl F_GETFD", SYS_fcntl, { F_GETFD } },
	{ "fcntl F_SETFD", SYS_fcntl, { F_SETFD, 0 } },
	{ "fcntl F_GETFL", SYS_fcntl, { F_GETFL } },
	{ "fcntl F_DUPFD", SYS_fcntl, { F_DUPFD, 0 } },
	{ "flock", SYS_flock, { 1 } },
	{ "fsync", SYS_fsync, { 0 } },
	{ "fdatasync", SYS_fdatasync, { 0 } },
	{ "ftruncate", SYS_ftruncate, { 0 } },
	{ "getdents64", SYS_getdents64, { (long)buffer, sizeof(buffer) } },
	{ "fchdir", SYS_fchdir, { 0 } },
	{ "fchmod", SYS_fchmod, { 0600 } },
	{ "fchown", SYS_fchown, { 0, 0 } },
	{ "fstatfs", SYS_fstatfs, { (long)buffer } },
	{ "epoll_wait", SYS_epoll_wait, { (long)buffer, 1, 0 } },
	{ "epoll_ctl", SYS_epoll_ctl, { EPOLL_CTL_ADD, 0, (long)buffer } },
	{ "sendfile", SYS_sendfile, { 0, 0, 1 } },
	{ "openat", SYS_openat, { (long)"x", O_RDONLY } },
	{ "mkdirat", SYS_mkdirat, { (long)"x", 0755 } },
	{ "mknodat", SYS_mknodat, { (long)"x", S_IFREG | 0644, 0 } },
	{ "fchownat", SYS_fchownat, { (long)"x", 0, 0, 0 } },
	{ "newfstatat", SYS_newfstatat, { (long)"x", (long)buffer, 0 } },
	{ "unlinkat", SYS_unlinkat, { (long)"x", 0 } },
	{ "renameat", SYS_renameat, { (long)"x", AT_FDCWD, (long)"y" } },
	{ "linkat", SYS_linkat, { (long)"x", AT_FDCWD, (long)"y", 0 } },
	{ "readlinkat", SYS_readlinkat, { (long)"x", (long)buffer, 10 } },
	{ "fchmodat", SYS_fchmodat, { (long)"x", 0600 } },
	{ "faccessat", SYS_faccessat, { (long)"x", 0 } },
	{ "utimensat", SYS_utimensat, { (long)"x", (long)times, 0 } },
	{ "execveat", SYS_execveat, { (long)"x", (long)times, (long)times, 0 } },
};

TEST(badfd, in_every_call)
{
	static const long bad[] = { 999, -1, 0x7fffffff, -0x80000000L, 1L << 20, -99 };

	for (unsigned i = 0; i < LENGTH(calls); i++)
		for (unsigned j = 0; j < LENGTH(bad); j++) {
			const long *args = calls[i].args;

			errno = 0;
			long got = syscall(calls[i].number, bad[j], args[0], args[1], args[2],
					   args[3], args[4]);
			if (got != -1 || errno != EBADF)
				FAIL("%s(%ld): %ld, errno %d", calls[i].name, bad[j], got, errno);
		}
}

/* As an int: what is in the upper half of the register does not count. */
TEST(badfd, only_32_bits_count)
{
	int fd = CHECK_OK(open("/dev/null", O_RDWR));

	CHECK_EQ(syscall(SYS_read, fd | 1L << 32, buffer, 1), 0);
	CHECK_EQ(syscall(SYS_write, fd | 0xabcdef01L << 32, buffer, 5), 5);
	CHECK_EQ(syscall(SYS_lseek, fd | 1L << 63, 0, SEEK_SET), 0);
	CHECK_OK(syscall(SYS_fcntl, fd | 1L << 40, F_GETFD));
	CHECK_OK(syscall(SYS_close, fd | 1L << 32));
	CHECK_ERRNO(close(fd), EBADF);
}

TEST(badfd, wrong_kinds)
{
	int file = CHECK_OK(open("f", O_RDWR | O_CREAT, 0644)), fd[2];
	int dir = CHECK_OK(open(".", O_RDONLY)), epfd = CHECK_OK(epoll_create1(0));

	CHECK_OK(pipe(fd));
	CHECK_ERRNO(syscall(SYS_getdents64, fd[0], buffer, 100), ENOTDIR);
	CHECK_ERRNO(syscall(SYS_fchdir, epfd), ENOTDIR);
	CHECK_ERRNO(syscall(SYS_openat, file, "x", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(syscall(SYS_openat, fd[0], "x", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(syscall(SYS_openat, epfd, "x", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(syscall(SYS_epoll_wait, dir, buffer, 1, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_read, epfd, buffer, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_write, epfd, buffer, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_read, dir, buffer, 1), EISDIR);
	CHECK_ERRNO(syscall(SYS_lseek, fd[0], 0, SEEK_SET), ESPIPE);
	CHECK_ERRNO(syscall(SYS_ftruncate, dir, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_ftruncate, epfd, 0), EINVAL);
}
