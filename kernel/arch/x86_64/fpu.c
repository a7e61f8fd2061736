/*
 * FPU state of threads.
 *
 * cpu->fpu_owner and frame->fpu_cpu are two ends of one link: the owner's newest state is in that
 * CPU's registers. Without the link the area is up to date. The link is made by the #NM trap (or,
 * when eager, by the switch) and cut by saving. Only the CPU itself cuts its own link: others ask
 * it by a request, so its trap needs no lock. The exception is a CPU that idles: it has saved the
 * state beforehand (`fpu_saved`, under the kernel lock), so others cut the link without waking it.
 *
 * Lazy (TCG, where a save and restore costs more than ten switches): the trap is armed unless the
 * next thread owns the registers. Eager: every switch saves and restores.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/fpu.h"
#include "arch/switch.h"
#include "priv.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"

#define XCR0_WANTED 0xe7ull /* x87, SSE, AVX, AVX-512 */
#define LEGACY_SIZE 512
#define HEADER_SIZE 64
#define MXCSR_DEFAULT 0x1f80

static bool fpu_eager;
static uint64_t xcr0;
static size_t area_size = LEGACY_SIZE;
static uint32_t mxcsr_mask = 0xffbf;

static void xcr0_write(uint64_t value)
{
	__asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static void save(void *area)
{
	if (arch_features.xsaveopt)
		__asm__ volatile("xsaveopt64 (%0)" ::"r"(area), "a"((uint32_t)xcr0), "d"(0)
				 : "memory");
	else if (arch_features.xsave)
		__asm__ volatile("xsave64 (%0)" ::"r"(area), "a"((uint32_t)xcr0), "d"(0)
				 : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

static void restore(const void *area)
{
	if (arch_features.xsave)
		__asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"((uint32_t)xcr0), "d"(0)
				 : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

/* The first components of the standard format must lie within a page with all that is wanted. */
static void xsave_choose(void)
{
	uint32_t r[4];
	cpuid(0xd, 0, r);
	xcr0 = r[0] & XCR0_WANTED;
	if ((xcr0 & 0xe0) != 0xe0)
		xcr0 &= 7;
	xcr0_write(xcr0);
	cpuid(0xd, 0, r);
	if (r[1] > ARCH_PAGE_SIZE) {
		xcr0 &= 7;
		xcr0_write(xcr0);
		cpuid(0xd, 0, r);
	}
	area_size = r[1];
}

/* On each CPU, CR4 is set. The boot CPU comes first and chooses. */
void fpu_init(void)
{
	static uint8_t probe[LEGACY_SIZE] __attribute__((aligned(64)));
	struct arch_cpu *cpu = arch_cpu_self();
	if (cpu->index == 0) {
		fpu_eager = !arch_features.tcg;
		if (arch_features.xsave)
			xsave_choose();
	} else if (arch_features.xsave) {
		xcr0_write(xcr0);
	}
	__asm__ volatile("clts; fninit");
	if (cpu->index == 0) {
		__asm__ volatile("fxsave64 (%0)" ::"r"(probe) : "memory");
		uint32_t mask;
		memcpy(&mask, probe + 28, 4);
		if (mask)
			mxcsr_mask = mask;
	}
	cpu->fpu_owner = NULL;
	cpu->switch_plain = !fpu_eager && arch_features.fsgsbase;
	arch_fpu_trap(cpu, true);
}

size_t arch_fpu_size(void)
{
	return (area_size + 63) & -64ul;
}

void arch_fpu_init(void *area)
{
	uint16_t control = 0x37f;
	uint32_t mxcsr = MXCSR_DEFAULT;
	memset(area, 0, arch_fpu_size());
	memcpy(area, &control, 2);
	memcpy((char *)area + 24, &mxcsr, 4);
	memcpy((char *)area + 28, &mxcsr_mask, 4);
	/* XSTATE_BV says x87 and SSE are given, so that the control words above count. */
	if (arch_features.xsave)
		*((uint8_t *)area + LEGACY_SIZE) = 3;
}

/* Before the CPU idles: whoever wants the state finds it in the area. */
void fpu_idle(struct arch_cpu *cpu)
{
	if (!cpu->fpu_owner || cpu->fpu_saved)
		return;
	arch_fpu_trap(cpu, false);
	save(cpu->fpu_owner->fpu);
	cpu->fpu_saved = true;
}

static void unlink_owner(struct arch_cpu *cpu)
{
	cpu->fpu_owner->fpu_cpu = -1;
	cpu->fpu_owner = NULL;
}

static void load(struct arch_cpu *cpu, struct arch_frame *f)
{
	restore(f->fpu);
	cpu->fpu_owner = f;
	f->fpu_cpu = (int32_t)cpu->index;
}

/* Cuts the link on this CPU; the state goes to the area or is forgotten. */
void fpu_flush(struct arch_cpu *cpu, struct arch_frame *f, bool keep)
{
	if (cpu->fpu_owner != f)
		return;
	if (keep) {
		arch_fpu_trap(cpu, false);
		save(f->fpu);
	}
	unlink_owner(cpu);
	arch_fpu_trap(cpu, true);
}

bool fpu_trap(struct arch_frame *f)
{
	struct arch_cpu *cpu = arch_cpu_self();
	if (!f->fpu)
		return false;
	arch_fpu_trap(cpu, false);
	if (cpu->fpu_owner == f)
		return true;
	if (cpu->fpu_owner) {
		save(cpu->fpu_owner->fpu);
		unlink_owner(cpu);
	}
	load(cpu, f);
	return true;
}

/* Cuts the link, whichever CPU has it. */
static void collect(struct arch_frame *f, bool keep)
{
	if (f->fpu_cpu < 0)
		return;
	if (arch_cpus[f->fpu_cpu]->fpu_saved) {
		unlink_owner(arch_cpus[f->fpu_cpu]);
		return;
	}
	struct request r = { .kind = keep ? REQUEST_FPU_SAVE : REQUEST_FPU_FORGET, .frame = f };
	request_post(1ull << f->fpu_cpu, &r);
}

void fpu_switch(struct arch_cpu *cpu, struct arch_frame *old, struct arch_frame *next)
{
	if (fpu_eager && old && cpu->fpu_owner == old)
		fpu_flush(cpu, old, true);
	if (!next)
		return;
	if (cpu->fpu_saved) {	/* idle until now: either it goes on with its registers, or... */
		if (cpu->fpu_owner && cpu->fpu_owner != next)
			unlink_owner(cpu);
		cpu->fpu_saved = false;
	}
	if (next->fpu_cpu >= 0 && next->fpu_cpu != (int32_t)cpu->index)
		collect(next, true);
	if (fpu_eager && next->fpu && cpu->fpu_owner != next) {
		arch_fpu_trap(cpu, false);
		load(cpu, next);
	}
	arch_fpu_trap(cpu, cpu->fpu_owner != next);
}

void arch_fpu_attach(struct arch_frame *f, void *area)
{
	f->fpu = area;
	f->fpu_cpu = -1;
}

void arch_fpu_save(struct arch_frame *f)
{
	collect(f, true);
}

/* The new state comes in by the trap, if the thread is current even on eager machines. */
void arch_fpu_reload(struct arch_frame *f)
{
	collect(f, false);
}

void arch_frame_drop(struct arch_frame *f)
{
	struct arch_cpu *cpu = arch_cpu_self();
	collect(f, false);
	if (cpu->frame == f)
		cpu->frame = NULL;
}

int arch_fpu_sanitise(void *area, size_t size)
{
	uint8_t *bytes = area;
	uint32_t mxcsr;
	if (size < LEGACY_SIZE)
		return -EINVAL;
	memcpy(&mxcsr, bytes + 24, 4);
	mxcsr &= mxcsr_mask;
	memcpy(bytes + 24, &mxcsr, 4);
	if (!arch_features.xsave)
		return 0;
	if (size < area_size) {
		memset(bytes + LEGACY_SIZE, 0, area_size - LEGACY_SIZE);
		bytes[LEGACY_SIZE] = 3;
		return 0;
	}
	/* Of the header only XSTATE_BV means anything in the standard format. */
	uint64_t present;
	memcpy(&present, bytes + LEGACY_SIZE, 8);
	present &= xcr0;
	memset(bytes + LEGACY_SIZE, 0, HEADER_SIZE);
	memcpy(bytes + LEGACY_SIZE, &present, 8);
	return 0;
}
