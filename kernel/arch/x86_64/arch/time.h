/*
 * The clock (TSC, scaled) and the one-shot timer of each CPU (local APIC).
 *
 * Time is ns = ((tsc - tsc_base) * mult) >> 32 with a 128-bit product, so the pair never changes
 * and the vDSO computes the identical value from the same numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ARCH_TIME_H
#define ARCH_TIME_H

#include <stdint.h>

struct arch_clock {
	uint64_t tsc_base, mult; /* mult: ns per tick as a 32.32 fixed-point number */
	uint64_t tsc_hz;
};
extern struct arch_clock arch_clock;

/* Monotonic nanoseconds since boot. */
uint64_t arch_time_ns(void);

/* ARCH_INTERRUPT_TIMER on this CPU at or after the deadline (arch_time_ns() scale); one deadline
 * per CPU, the last call counts. A deadline in the past fires at once. */
void arch_timer_arm(uint64_t deadline_ns);
void arch_timer_disarm(void);

/* Seconds since 1970 as the battery clock says, 0 if there is none. */
uint64_t arch_rtc_seconds(void);

#endif
