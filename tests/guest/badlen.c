/*
 * Lengths and offsets near the ends of their types.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char buffer[4096];
static const uint64_t huge[] = { 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff,
				 0xfffffffffffff000, 0x7ffffffffffff000 };

TEST(badlen, read_and_write)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0644)), pipes[2];
	int zero = CHECK_OK(open("/dev/zero", O_RDWR)), null = CHECK_OK(open("/dev/null", O_RDWR));

	CHECK_OK(pipe2(pipes, O_NONBLOCK));
	/* The buffer would wrap around or reach into the kernel's half. */
	for (unsigned i = 0; i < LENGTH(huge); i++) {
		CHECK_ERRNO(syscall(SYS_read, fd, buffer, huge[i]), EFAULT);
		CHECK_ERRNO(syscall(SYS_write, fd, buffer, huge[i]), EFAULT);
		CHECK_ERRNO(syscall(SYS_read, zero, buffer, huge[i]), EFAULT);
		CHECK_ERRNO(syscall(SYS_write, null, buffer, huge[i]), EFAULT);
		CHECK_ERRNO(syscall(SYS_read, pipes[0], buffer, huge[i]), EFAULT);
		CHECK_ERRNO(syscall(SYS_write, pipes[1], buffer, huge[i]), EFAULT);
		CHECK_ERRNO(syscall(SYS_pread64, fd, buffer, huge[i], 0), EFAULT);
		CHECK_ERRNO(syscall(SYS_pwrite64, fd, buffer, huge[i], 0), EFAULT);
	}
	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
}

TEST(badlen, longer_than_what_there_is)
{
	char text[10] = "0123456789";

	file_write("f", text, 10);
	int fd = CHECK_OK(open("f", O_RDONLY));
	/* More than the buffer's mapping, but the file has no more than ten bytes. */
	CHECK_EQ(syscall(SYS_read, fd, buffer, 1UL << 40), 10);
	CHECK_EQ(syscall(SYS_pread64, fd, buffer, 0x7ffff000UL, 5), 5);
}

TEST(badlen, one_call_moves_at_most_two_gigabytes)
{
	int null = CHECK_OK(open("/dev/null", O_RDWR));
	size_t size = 3UL << 30;
	char *at = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(at != MAP_FAILED);
	CHECK_EQ(write(null, at, size), 0x7ffff000);
}

TEST(badlen, offsets)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0644));

	for (unsigned i = 1; i < 4; i++) {
		CHECK_ERRNO(syscall(SYS_pread64, fd, buffer, 10, huge[i]), EINVAL);
		CHECK_ERRNO(syscall(SYS_pwrite64, fd, buffer, 10, huge[i]), EINVAL);
		CHECK_ERRNO(syscall(SYS_lseek, fd, huge[i], SEEK_SET), EINVAL);
		CHECK_ERRNO(syscall(SYS_ftruncate, fd, huge[i]), EINVAL);
		CHECK_ERRNO(syscall(SYS_truncate, "f", huge[i]), EINVAL);
	}
	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
	CHECK_EQ(syscall(SYS_pwrite64, fd, buffer, 10, LONG_MAX), -1);
	CHECK(errno == EFBIG || errno == EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
}

TEST(badlen, vectors)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0644));
	struct iovec half[2] = { { buffer, 0x4000000000000000 }, { buffer, 0x4000000000000000 } };
	struct iovec negative[2] = { { buffer, 10 }, { buffer, (size_t)-10 } };

	CHECK_EQ(readv(fd, half, 2), -1);
	CHECK(errno == EINVAL || errno == EFAULT);
	CHECK_ERRNO(writev(fd, negative, 2), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
	CHECK_ERRNO(syscall(SYS_readv, fd, negative, 0x7fffffff), EINVAL);
}

TEST(badlen, memory)
{
	char *at = map_anonymous(PAGE);
	const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;

	for (unsigned i = 0; i < LENGTH(huge); i++) {
		CHECK_ERRNO(syscall(SYS_mmap, NULL, huge[i], PROT_READ, anonymous, -1, 0), ENOMEM);
		CHECK_ERRNO(syscall(SYS_mmap, at, huge[i], PROT_READ, anonymous | MAP_FIXED, -1, 0),
			    ENOMEM);
		CHECK_ERRNO(syscall(SYS_munmap, at, huge[i]), EINVAL);
		CHECK_EQ(syscall(SYS_mprotect, at, huge[i], PROT_READ | PROT_WRITE), -1);
		CHECK_EQ(syscall(SYS_mremap, at, PAGE, huge[i], MREMAP_MAYMOVE), -1);
		CHECK_EQ(syscall(SYS_madvise, at, huge[i], MADV_NORMAL), -1);
		at[0] = 1;
	}
}

TEST(badlen, others)
{
	ROOT_NEEDED();
	char name[8] = "f";

	file_write("f", "", 0);
	CHECK_OK(symlink("target", "s"));
	CHECK_ERRNO(syscall(SYS_readlink, "s", name, -1), EINVAL);
	CHECK_ERRNO(syscall(SYS_getgroups, -1, name), EINVAL);
	CHECK_ERRNO(syscall(SYS_setgroups, -1, name), EINVAL);
	CHECK_ERRNO(syscall(SYS_poll, name, 0x7fffffff, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_select, -1, NULL, NULL, NULL, NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_epoll_wait, 0, name, -1, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_getcwd, name, 1), ERANGE);
	CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 0, name, NULL, 1L << 62), EINVAL);
	CHECK_ERRNO(syscall(SYS_set_robust_list, name, 1L << 62), EINVAL);
	CHECK_ERRNO(syscall(SYS_sethostname, name, -1L), EINVAL);
}
