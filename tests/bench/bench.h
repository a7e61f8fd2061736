/* What the benchmarks' parts share. SPDX-License-Identifier: MIT */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <sys/types.h>

/* Says what failed, with errno, and ends the program. */
_Noreturn void die(const char *what);

/* The value of a call that must not fail. */
#define MUST(call)                                                                                 \
	__extension__({                                                                            \
		__typeof__(call) result_ = (call);                                                 \
		if (result_ == (__typeof__(call))-1)                                               \
			die(#call);                                                                \
		result_;                                                                           \
	})

/* CLOCK_MONOTONIC in ns. */
int64_t now(void);
/* Waits for a child, which must have ended with 0. */
void child_reap(pid_t pid);

#endif
