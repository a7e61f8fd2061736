/*
 * What user programs call instead of a system call: the clocks and the CPU number.
 *
 * Everything comes from the data page in front of the image (struct arch_vvar) and the TSC, by the
 * formula of arch/time.h, so the result is what the kernel would say. Clocks that are not derived
 * from the monotonic time go to the real system call. Only real_offset ever changes; the sequence
 * guards it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include "../arch/vdso.h"
#include "../asm.h"

#define NS 1000000000ull
#define EFAULT 14
#define SYS_CLOCK_GETTIME 228
#define SYS_CLOCK_GETRES 229
#define EXPORT __attribute__((visibility("default")))

enum {
	REALTIME,
	MONOTONIC,
	PROCESS_CPU,
	THREAD_CPU,
	RAW,
	REALTIME_COARSE,
	MONOTONIC_COARSE,
	BOOTTIME
};
#define CLOCKS_REAL (1u << REALTIME | 1u << REALTIME_COARSE)
#define CLOCKS_HERE                                                                                \
	(CLOCKS_REAL | 1u << MONOTONIC | 1u << RAW | 1u << MONOTONIC_COARSE | 1u << BOOTTIME)

struct timespec {
	int64_t sec, nsec;
};

struct timeval {
	int64_t sec, usec;
};

extern const volatile struct arch_vvar vvar_page __attribute__((visibility("hidden")));

int __vdso_clock_gettime(int clock, struct timespec *t);
int __vdso_gettimeofday(struct timeval *t, void *zone);
int64_t __vdso_time(int64_t *t);
long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused);
int __vdso_clock_getres(int clock, struct timespec *t);

static inline uint64_t monotonic(void)
{
	uint32_t low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	uint64_t ticks = ((uint64_t)high << 32 | low) - vvar_page.tsc_base;
	return (uint64_t)((unsigned __int128)ticks * vvar_page.mult >> 32);
}

static inline uint64_t real(void)
{
	uint32_t sequence;
	uint64_t offset;
	do {
		sequence = vvar_page.sequence;
		offset = vvar_page.real_offset;
	} while (sequence & 1 || sequence != vvar_page.sequence);
	return monotonic() + offset;
}

static long real_call(long number, long a, void *b)
{
	long result;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b)
			 : "rcx", "r11", "memory");
	return result;
}

EXPORT int __vdso_clock_gettime(int clock, struct timespec *t)
{
	if ((unsigned)clock > BOOTTIME || !(CLOCKS_HERE >> clock & 1))
		return (int)real_call(SYS_CLOCK_GETTIME, clock, t);
	uint64_t ns = CLOCKS_REAL >> clock & 1 ? real() : monotonic();
	t->sec = (int64_t)(ns / NS);
	t->nsec = (int64_t)(ns % NS);
	return 0;
}

EXPORT int __vdso_gettimeofday(struct timeval *t, void *zone)
{
	if (t) {
		uint64_t us = real() / 1000;
		t->sec = (int64_t)(us / 1000000);
		t->usec = (int64_t)(us % 1000000);
	}
	if (zone)
		*(uint64_t *)zone = 0; /* minutes west and the kind of summer time: two ints */
	return 0;
}

EXPORT int64_t __vdso_time(int64_t *t)
{
	int64_t seconds = (int64_t)(real() / NS);
	if (t)
		*t = seconds;
	return seconds;
}

/* The kernel keeps a descriptor whose limit is the number of the CPU. */
EXPORT long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
	uint32_t limit = 0;
	(void)unused;
	__asm__ volatile("lsl %1, %0" : "+r"(limit) : "r"(SELECTOR_CPU | 3));
	if (cpu)
		*cpu = limit;
	if (node)
		*node = 0;
	return 0;
}

EXPORT int __vdso_clock_getres(int clock, struct timespec *t)
{
	if ((unsigned)clock > BOOTTIME || !(CLOCKS_HERE >> clock & 1))
		return (int)real_call(SYS_CLOCK_GETRES, clock, t);
	if (t) {
		t->sec = 0;
		t->nsec = clock == REALTIME_COARSE || clock == MONOTONIC_COARSE ?
				  (int64_t)vvar_page.coarse_ns : 1;
	}
	return 0;
}

EXPORT int clock_gettime(int clock, struct timespec *t)
	__attribute__((weak, alias("__vdso_clock_gettime")));
EXPORT int gettimeofday(struct timeval *t, void *zone)
	__attribute__((weak, alias("__vdso_gettimeofday")));
EXPORT int64_t time(int64_t *t) __attribute__((weak, alias("__vdso_time")));
EXPORT long getcpu(unsigned *cpu, unsigned *node, void *unused)
	__attribute__((weak, alias("__vdso_getcpu")));
EXPORT int clock_getres(int clock, struct timespec *t)
	__attribute__((weak, alias("__vdso_clock_getres")));
