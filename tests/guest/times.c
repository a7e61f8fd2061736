/*
 * File times: which operations move which of them, and setting them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

static struct stat stat_of(const char *path)
{
	struct stat info;

	CHECK_OK(lstat(path, &info));
	return info;
}

static int64_t ns(struct timespec at)
{
	return at.tv_sec * 1000000000LL + at.tv_nsec;
}

/* Stamps may be as coarse as a clock tick: waits until the next one differs. */
static void tick(void)
{
	struct timespec pause = { 0, 25000000 };

	nanosleep(&pause, NULL);
}

/* Which of the times of a file an action moves: a, m and c. */
#define MOVED(path, ...)                                                                           \
	__extension__({                                                                            \
		struct stat before_ = stat_of(path);                                               \
		tick();                                                                            \
		__VA_ARGS__;                                                                       \
		struct stat after_ = stat_of(path);                                                \
		static char moved_[4];                                                             \
		char *at_ = moved_;                                                                \
		if (ns(after_.st_atim) > ns(before_.st_atim))                                      \
			*at_++ = 'a';                                                              \
		if (ns(after_.st_mtim) > ns(before_.st_mtim))                                      \
			*at_++ = 'm';                                                              \
		if (ns(after_.st_ctim) > ns(before_.st_ctim))                                      \
			*at_++ = 'c';                                                              \
		*at_ = 0;                                                                          \
		moved_;                                                                            \
	})

TEST(times, of_a_new_file)
{
	struct timespec before, after;

	CHECK_OK(clock_gettime(CLOCK_REALTIME, &before));
	tick();
	file_write("f", "x", 1);
	tick();
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &after));
	struct stat info = stat_of("f");
	CHECK(ns(info.st_mtim) >= ns(before) && ns(info.st_mtim) <= ns(after));
	CHECK(ns(info.st_atim) >= ns(before) && ns(info.st_atim) <= ns(after));
	CHECK(ns(info.st_ctim) >= ns(before) && ns(info.st_ctim) <= ns(after));
}

TEST(times, writing_and_changing)
{
	ROOT_NEEDED();
	file_write("f", "x", 1);
	int fd = CHECK_OK(open("f", O_RDWR));
	CHECK_STR(MOVED("f", CHECK_EQ(write(fd, "y", 1), 1)), "mc");
	CHECK_STR(MOVED("f", CHECK_OK(chmod("f", 0600))), "c");
	CHECK_STR(MOVED("f", CHECK_OK(chown("f", 1, 1))), "c");
	CHECK_STR(MOVED("f", CHECK_OK(link("f", "g"))), "c");
	CHECK_STR(MOVED("f", CHECK_OK(unlink("g"))), "c");
	CHECK_STR(MOVED("f", CHECK_OK(ftruncate(fd, 0))), "mc");
	CHECK_STR(MOVED("f", CHECK_OK(lseek(fd, 0, SEEK_SET))), "");
	CHECK_STR(MOVED("f", CHECK_EQ(write(fd, "", 0), 0)), "");
	CHECK_STR(MOVED("f", close(open("f", O_WRONLY | O_CREAT, 0644))), "");
	CHECK_STR(MOVED("f", close(open("f", O_WRONLY | O_TRUNC))), "mc");
}

TEST(times, of_directories)
{
	CHECK_OK(mkdir("d", 0755));
	CHECK_STR(MOVED("d", file_write("d/f", "x", 1)), "mc");
	CHECK_STR(MOVED("d", file_write("d/f", "y", 1)), "");
	CHECK_STR(MOVED("d", CHECK_OK(link("d/f", "d/g"))), "mc");
	CHECK_STR(MOVED("d", CHECK_OK(rename("d/g", "d/h"))), "mc");
	CHECK_STR(MOVED("d", CHECK_OK(rename("d/h", "h"))), "mc");
	CHECK_STR(MOVED("d", CHECK_OK(unlink("d/f"))), "mc");
	CHECK_STR(MOVED("d", CHECK_OK(mkdir("d/s", 0755))), "mc");
	CHECK_STR(MOVED("d", CHECK_OK(chmod("d/s", 0700))), "");
	CHECK_STR(MOVED("d", CHECK_OK(rmdir("d/s"))), "mc");
	CHECK_STR(MOVED("d", CHECK_OK(symlink("x", "d/l"))), "mc");
}

TEST(times, set_exactly)
{
	struct timespec at[2] = { { 1000000000, 123456789 }, { 1700000000, 987654321 } };

	file_write("f", "", 0);
	CHECK_OK(utimensat(AT_FDCWD, "f", at, 0));
	struct stat info = stat_of("f");
	CHECK_EQ(ns(info.st_atim), ns(at[0]));
	CHECK_EQ(ns(info.st_mtim), ns(at[1]));
	CHECK_GT(info.st_ctim.tv_sec, 1700000000);
	/* Before 1970, and after 2038. */
	at[0] = (struct timespec){ -1000, 1 };
	at[1] = (struct timespec){ 5000000000, 2 };
	int fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(futimens(fd, at));
	info = stat_of("f");
	CHECK_EQ(info.st_atim.tv_sec, -1000);
	CHECK_EQ(info.st_mtim.tv_sec, 5000000000);
}

TEST(times, omit_and_now)
{
	struct timespec at[2] = { { 0, UTIME_OMIT }, { 1234567890, 0 } };

	file_write("f", "", 0);
	struct stat before = stat_of("f");
	CHECK_OK(utimensat(AT_FDCWD, "f", at, 0));
	struct stat info = stat_of("f");
	CHECK_EQ(ns(info.st_atim), ns(before.st_atim));
	CHECK_EQ(info.st_mtim.tv_sec, 1234567890);
	at[0] = (struct timespec){ 1, 2 };
	at[1].tv_nsec = UTIME_NOW;
	CHECK_OK(utimensat(AT_FDCWD, "f", at, 0));
	info = stat_of("f");
	CHECK_EQ(info.st_atim.tv_sec, 1);
	CHECK_GE(ns(info.st_mtim), ns(before.st_mtim));
	CHECK_OK(utimensat(AT_FDCWD, "f", NULL, 0));
	CHECK_GE(ns(stat_of("f").st_atim), ns(before.st_mtim));
	at[0].tv_nsec = at[1].tv_nsec = UTIME_OMIT;
	CHECK_OK(utimensat(AT_FDCWD, "missing", at, 0)); /* nothing to do, nothing looked at */
}

TEST(times, of_links)
{
	struct timespec at[2] = { { 111, 0 }, { 222, 0 } };

	file_write("f", "", 0);
	CHECK_OK(symlink("f", "s"));
	CHECK_OK(utimensat(AT_FDCWD, "s", at, AT_SYMLINK_NOFOLLOW));
	CHECK_EQ(stat_of("s").st_mtim.tv_sec, 222);
	CHECK_GT(stat_of("f").st_mtim.tv_sec, 222);
	CHECK_OK(utimensat(AT_FDCWD, "s", at, 0));
	CHECK_EQ(stat_of("f").st_mtim.tv_sec, 222);
}

TEST(times, errors_and_permission)
{
	struct timespec at[2] = { { 1, 0 }, { 2, 1000000000 } };

	file_write("f", "", 0);
	CHECK_OK(chmod("f", 0666));
	file_write("g", "", 0);
	CHECK_ERRNO(utimensat(AT_FDCWD, "f", at, 0), EINVAL);
	at[1].tv_nsec = 0;
	CHECK_ERRNO(utimensat(AT_FDCWD, "missing", at, 0), ENOENT);
	CHECK_ERRNO(utimensat(AT_FDCWD, "f", at, 0x4000), EINVAL);
	CHECK_ERRNO(utimensat(99, "f", at, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_utimensat, AT_FDCWD, "f", BAD_UNMAPPED, 0), EFAULT);
	SUBPROCESS {
		drop_to_user(4242, 4242);
		CHECK_ERRNO(utimensat(AT_FDCWD, "f", at, 0), EPERM);
		CHECK_OK(utimensat(AT_FDCWD, "f", NULL, 0)); /* who may write may touch */
		CHECK_ERRNO(utimensat(AT_FDCWD, "g", NULL, 0), EACCES);
	}
}

TEST(times, older_calls)
{
	struct timeval tv[2] = { { 10, 500000 }, { 20, 250000 } };
	struct utimbuf buf = { 30, 40 };

	file_write("f", "", 0);
	CHECK_OK(syscall(SYS_utimes, "f", tv));
	CHECK_EQ(ns(stat_of("f").st_mtim), 20250000000);
	CHECK_OK(syscall(SYS_utime, "f", &buf));
	CHECK_EQ(ns(stat_of("f").st_atim), 30000000000);
	CHECK_EQ(ns(stat_of("f").st_mtim), 40000000000);
	CHECK_OK(syscall(SYS_futimesat, AT_FDCWD, "f", tv));
	CHECK_EQ(ns(stat_of("f").st_atim), 10500000000);
	tv[0].tv_usec = 1000000;
	CHECK_ERRNO(syscall(SYS_utimes, "f", tv), EINVAL);
}
