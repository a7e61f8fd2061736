/*
 * Time: how fast the TSC and the local APIC's timer run, the monotonic clock, the one-shot timers.
 *
 * Both are measured against a counter of known rate: the ACPI timer, else the PIT. Each end of the
 * measurement waits for the counter to step and reads the TSC around that very step, so a few
 * milliseconds suffice for some ten parts per million. A hypervisor that tells the rates is
 * believed. Without any counter (a microvm may have none) the APIC timer's usual 1 GHz under QEMU
 * is the measure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/time.h"
#include "priv.h"
#include "lib/print.h"

#define NS 1000000000ull
#define PM_TIMER_HZ 3579545ull
#define PIT_HZ 1193182ull
#define MEASURE_NS 4000000ull
#define APIC_DEFAULT_HZ NS
#define FAR_NS (1ull << 56) /* two years */

HOT_DATA struct arch_clock arch_clock;
static uint64_t apic_hz;
static uint64_t apic_mult; /* timer ticks per ns, 32.32 */
static bool deadline_mode;

/* (value << 32) / divisor, for value >> 32 < divisor; the compiler would call a library for it. */
static uint64_t divide_shifted(uint64_t value, uint64_t divisor)
{
	uint64_t quotient, rest;
	__asm__("divq %4" : "=a"(quotient), "=d"(rest)
		: "a"(value << 32), "d"(value >> 32), "r"(divisor) : "cc");
	return quotient;
}

/* A counter to measure against. */
struct reference {
	uint32_t (*read)(void);
	uint64_t hz;
	uint32_t mask;
};

static uint32_t pm_read(void)
{
	return port_in32(acpi.pm_timer);
}

/* Channel 2 counts down; the latch makes both bytes one moment. */
static uint32_t pit_read(void)
{
	port_out8(0x43, 0x80);
	uint32_t low = port_in8(0x42);
	return ~(low | (uint32_t)port_in8(0x42) << 8);
}

static void pit_start(void)
{
	port_out8(0x61, (port_in8(0x61) & ~2u) | 1); /* gate on, speaker off */
	port_out8(0x43, 0xb0);			     /* channel 2, both bytes, mode 0 */
	port_out8(0x42, 0xff);
	port_out8(0x42, 0xff);
}

struct edge {
	uint32_t counter, apic;
	uint64_t tsc;
};

/* The next step of the counter; false if it stands still. The best of a few steps is taken, as the
 * host may have interrupted us. */
static bool edge_find(const struct reference *r, struct edge *e)
{
	uint64_t best = ~0ull;
	for (unsigned attempt = 0; attempt < 4; attempt++) {
		uint32_t start = r->read() & r->mask, now = start;
		uint64_t before = 0, after = arch_tsc();
		for (unsigned spin = 0; now == start; spin++) {
			if (spin == 20000)
				return false;
			before = after;
			now = r->read() & r->mask;
			after = arch_tsc();
		}
		if (after - before < best) {
			best = after - before;
			*e = (struct edge){ now, apic_timer_count(),
					    before + (after - before) / 2 };
		}
	}
	return true;
}

static bool measure(const struct reference *r)
{
	struct edge a, b;
	uint64_t ticks = r->hz * MEASURE_NS / NS;
	apic_timer_set(~0u);
	if (!edge_find(r, &a))
		return false;
	while (((r->read() - a.counter) & r->mask) < ticks)
		arch_relax();
	if (!edge_find(r, &b))
		return false;
	ticks = (b.counter - a.counter) & r->mask;
	arch_clock.tsc_hz = (b.tsc - a.tsc) * r->hz / ticks;
	apic_hz = (uint64_t)(a.apic - b.apic) * r->hz / ticks;
	apic_timer_set(0);
	return true;
}

/* Rates that the CPU or the hypervisor states. */
static bool stated(void)
{
	uint32_t r[4];
	if (arch_features.hypervisor) {
		cpuid(0x40000000, 0, r);
		if (r[0] >= 0x40000010 && r[0] < 0x40000100) {
			cpuid(0x40000010, 0, r);
			arch_clock.tsc_hz = r[0] * 1000ull;
			apic_hz = r[1] * 1000ull;
			return arch_clock.tsc_hz && apic_hz;
		}
		return false;
	}
	cpuid(0, 0, r);
	if (r[0] < 0x15)
		return false;
	cpuid(0x15, 0, r);
	if (!r[0] || !r[1] || !r[2])
		return false;
	arch_clock.tsc_hz = (uint64_t)r[2] * r[1] / r[0];
	apic_hz = r[2];
	return true;
}

/* Both counters at one moment: of a few tries the one that took least. */
static struct edge apic_sample(void)
{
	struct edge e = { 0 };
	uint64_t best = ~0ull;
	for (unsigned attempt = 0; attempt < 16; attempt++) {
		uint64_t before = arch_tsc();
		uint32_t apic = apic_timer_count();
		uint64_t took = arch_tsc() - before;
		if (took >= best)
			continue;
		best = took;
		e = (struct edge){ .apic = apic, .tsc = before + took / 2 };
	}
	return e;
}

static void measure_by_apic(void)
{
	apic_hz = APIC_DEFAULT_HZ;
	apic_timer_set(~0u);
	struct edge a = apic_sample(), b;
	do {
		b = apic_sample();
	} while (a.apic - b.apic < apic_hz * MEASURE_NS / NS);
	arch_clock.tsc_hz = (b.tsc - a.tsc) * apic_hz / (a.apic - b.apic);
	apic_timer_set(0);
	kprintf("arch: no reference clock, taking the APIC timer for 1 GHz\n");
}

void clock_init(void)
{
	struct reference pm = { pm_read, PM_TIMER_HZ, 0xffffff };
	struct reference pit = { pit_read, PIT_HZ, 0xffff };
	uint64_t start = arch_tsc();
	if (!stated() && !(acpi.pm_timer && measure(&pm))) {
		pit_start();
		if (!measure(&pit))
			measure_by_apic();
	}
	arch_clock.mult = divide_shifted(NS, arch_clock.tsc_hz);
	arch_clock.tsc_base = start;
	apic_mult = divide_shifted(apic_hz, NS);
	deadline_mode = arch_features.tsc_deadline;
}

uint64_t arch_time_ns(void)
{
	uint64_t ticks = arch_tsc() - arch_clock.tsc_base;
	return (uint64_t)((unsigned __int128)ticks * arch_clock.mult >> 32);
}

void clock_delay(uint64_t ns)
{
	uint64_t end = arch_time_ns() + ns;
	while (arch_clock.mult && arch_time_ns() < end) /* no clock yet: an early panic */
		arch_relax();
}

void timer_init_cpu(void)
{
	apic_timer_mode(deadline_mode);
}

/* Sets the hardware; a deadline further away than it can count comes in steps. */
static void timer_program(struct arch_cpu *cpu, uint64_t now)
{
	uint64_t deadline = cpu->timer_deadline;
	uint64_t left = deadline > now ? deadline - now : 0;

	cpu->timer_programmed = deadline;
	if (deadline_mode) {
		if (left > FAR_NS)
			left = FAR_NS;
		msr_write(MSR_TSC_DEADLINE, arch_tsc() + divide_shifted(left, arch_clock.mult) + 1);
		return;
	}
	unsigned __int128 ticks = (unsigned __int128)left * apic_mult >> 32;
	apic_timer_set(ticks >= 0xfffffffe ? ~0u : (uint32_t)ticks + 1);
}

/*
 * The hardware is left alone when it will fire early enough: a switch moves the deadline by a
 * little or away, and back at the next one, while setting it costs as much as a system call (an
 * emulator has to tell the thread that keeps its timers). An interrupt that comes too early sets it
 * anew (timer_fired).
 */
void arch_timer_arm(uint64_t deadline_ns)
{
	struct arch_cpu *cpu = arch_cpu_self();

	cpu->timer_deadline = deadline_ns ? deadline_ns : 1;
	if (!cpu->timer_programmed || cpu->timer_programmed > cpu->timer_deadline)
		timer_program(cpu, arch_time_ns());
}

void arch_timer_disarm(void)
{
	arch_cpu_self()->timer_deadline = 0;
}

bool timer_fired(void)
{
	struct arch_cpu *cpu = arch_cpu_self();
	uint64_t now = arch_time_ns();

	cpu->timer_programmed = 0;
	if (!cpu->timer_deadline)	/* no longer wanted */
		return false;
	if (now < cpu->timer_deadline) {
		timer_program(cpu, now);
		return false;
	}
	cpu->timer_deadline = 0;
	return true;
}

static unsigned rtc_read(unsigned index)
{
	port_out8(0x70, (uint8_t)index);
	return port_in8(0x71);
}

static bool rtc_snapshot(unsigned v[6])
{
	static const uint8_t registers[6] = { 0, 2, 4, 7, 8, 9 };
	for (unsigned spin = 0; rtc_read(10) & 0x80; spin++)
		if (spin == 100000)
			return false;
	for (unsigned i = 0; i < 6; i++)
		v[i] = rtc_read(registers[i]);
	return true;
}

/* Days from 1970 to the first of a month, the year counted from March. */
static uint64_t days_from_civil(uint64_t year, unsigned month, unsigned day)
{
	year -= month <= 2;
	uint64_t m = month > 2 ? month - 3 : month + 9;
	return year * 365 + year / 4 - year / 100 + year / 400 + (m * 153 + 2) / 5 + day - 1 -
	       719468;
}

uint64_t arch_rtc_seconds(void)
{
	unsigned v[6], again[6];
	bool same = false;
	for (unsigned attempt = 0; !same && attempt < 8; attempt++) {
		if (!rtc_snapshot(v) || !rtc_snapshot(again))
			return 0;
		same = true;
		for (unsigned i = 0; i < 6; i++)
			same = same && v[i] == again[i];
	}
	unsigned status = rtc_read(11);
	bool afternoon = !(status & 2) && v[2] & 0x80;
	v[2] &= 0x7f;
	for (unsigned i = 0; !(status & 4) && i < 6; i++)
		v[i] = (v[i] >> 4) * 10 + (v[i] & 15);
	if (!(status & 2))
		v[2] = v[2] % 12 + (afternoon ? 12 : 0);
	if (!same || v[3] < 1 || v[3] > 31 || v[4] < 1 || v[4] > 12 || v[2] > 23 || v[1] > 59)
		return 0;
	uint64_t days = days_from_civil(2000 + v[5], v[4], v[3]);
	return days * 86400 + v[2] * 3600 + v[1] * 60 + v[0];
}
