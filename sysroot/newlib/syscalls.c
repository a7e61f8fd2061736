/* SPDX-License-Identifier: MIT */
/*
 * What newlib asks of a system, for servers: memory, a log to write to, and an end. Servers have no
 * files.
 *
 * The heap is one anonymous region per step of 256 MiB; its pages come when they are touched. A
 * server never exits by itself: exit and abort trap, so that the supervisor sees registers and a
 * backtrace and starts it again.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "calls.h"

#define HEAP_BASE 0x1000000000ul
#define HEAP_STEP (256ul << 20)

void *sbrk(ptrdiff_t n);
int write(int fd, const void *from, size_t n);
int read(int fd, void *to, size_t n);
int close(int fd);
int isatty(int fd);
long lseek(int fd, long offset, int whence);
int kill(int pid, int sig);
int getpid(void);
_Noreturn void _exit(int code);

void *sbrk(ptrdiff_t n)
{
	static uint64_t used, mapped;
	uint64_t old = used;

	if (n < 0 && (uint64_t)-n > used)
		goto none;
	while ((int64_t)(used + n) > (int64_t)mapped) {
		struct k_map map = { .address = HEAP_BASE + mapped,
				     .size = HEAP_STEP,
				     .space = -1,
				     .object = -1,
				     .flags = K_MAP_READ | K_MAP_WRITE | K_MAP_FIXED };

		if (k_space_map(&map) < 0)
			goto none;
		mapped += HEAP_STEP;
	}
	used += n;
	return (void *)(HEAP_BASE + old);
none:
	errno = ENOMEM;
	return (void *)-1;
}

int write(int fd, const void *from, size_t n)
{
	if (fd != 1 && fd != 2) {
		errno = EBADF;
		return -1;
	}
	k_log_write(from, n);
	return (int)n;
}

int read(int fd, void *to, size_t n)
{
	(void)fd, (void)to, (void)n;
	return 0;
}

int close(int fd)
{
	(void)fd;
	errno = EBADF;
	return -1;
}

int fstat(int fd, struct stat *st)
{
	(void)fd;
	st->st_mode = S_IFCHR;	/* makes stdio take line buffering and ask no further */
	return 0;
}

int isatty(int fd)
{
	return fd >= 0 && fd <= 2;
}

long lseek(int fd, long offset, int whence)
{
	(void)fd, (void)offset, (void)whence;
	errno = ESPIPE;
	return -1;
}

int getpid(void)
{
	return 1;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	int64_t now = k_clock_get(1);

	(void)zone;
	tv->tv_sec = now / 1000000000;
	tv->tv_usec = now % 1000000000 / 1000;
	return 0;
}

int kill(int pid, int sig)
{
	(void)pid, (void)sig;
	__builtin_trap();	/* abort() comes here */
}

_Noreturn void _exit(int code)
{
	(void)code;
	__builtin_trap();
}
