/*
 * Requests from one CPU to others: flush these translations, leave that space, give up this
 * thread's FPU state.
 *
 * The kernel lock is held by whoever asks, so there is one request at a time, and its asker waits
 * for all answers. CPUs in user mode are interrupted; CPUs that wait for the lock answer from their
 * spin loop. CPUs that idle are not woken for a flush: they are marked, and flush before they do
 * anything else (`lazy`, then `lazy_stale`, each side writing its own before reading the other's).
 *
 * SPDX-License-Identifier: MIT
 */
#include "priv.h"

#define FLUSH_ONE_BY_ONE 16 /* pages; beyond it a whole flush is cheaper */

static struct request current;
static uint64_t pending; /* mask of CPUs that have not answered */

static void flush_local(struct arch_cpu *cpu, const struct request *r)
{
	if (cpu->space != r->space)
		return;
	if (!r->end) {
		tlb_flush_loaded(cpu);
		return;
	}
	for (uint64_t va = r->start; va < r->end; va += ARCH_PAGE_SIZE)
		arch_tlb_forget_local(va);
	pcid_settle(cpu);
}

static void request_do(struct arch_cpu *cpu, const struct request *r)
{
	switch (r->kind) {
	case REQUEST_FLUSH:
		flush_local(cpu, r);
		break;
	case REQUEST_LEAVE:
		if (cpu->space == r->space)
			arch_space_load(arch_cpu_self(), NULL);
		break;
	case REQUEST_FPU_SAVE:
	case REQUEST_FPU_FORGET:
		fpu_flush(cpu, r->frame, r->kind == REQUEST_FPU_SAVE);
		break;
	}
}

void arch_tlb_serve(void)
{
	struct arch_cpu *cpu = arch_cpu_self();
	uint64_t bit = 1ull << cpu->index;
	if (__atomic_load_n(&pending, __ATOMIC_ACQUIRE) & bit) {
		request_do(cpu, &current);
		__atomic_and_fetch(&pending, ~bit, __ATOMIC_RELEASE);
	}
}

/* True if the CPU idles and will flush when it wakes. */
static bool leave_lazy(struct arch_cpu *cpu)
{
	if (!__atomic_load_n(&cpu->lazy, __ATOMIC_SEQ_CST))
		return false;
	__atomic_store_n(&cpu->lazy_stale, true, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&cpu->lazy, __ATOMIC_SEQ_CST);
}

void request_post(uint64_t cpus, const struct request *request)
{
	struct arch_cpu *self = arch_cpu_self();
	uint64_t left = cpus & ~(1ull << self->index), ask = 0;
	for (uint64_t m = left; m; m &= m - 1) {
		struct arch_cpu *cpu = arch_cpus[__builtin_ctzll(m)];
		if (request->kind != REQUEST_FLUSH || !leave_lazy(cpu))
			ask |= 1ull << cpu->index;
	}
	if (ask) {
		current = *request;
		__atomic_store_n(&pending, ask, __ATOMIC_SEQ_CST);
		for (uint64_t m = ask; m; m &= m - 1)
			apic_ipi(arch_cpus[__builtin_ctzll(m)]->apic_id, VECTOR_SERVE);
	}
	if (cpus >> self->index & 1)
		request_do(self, request);
	while (__atomic_load_n(&pending, __ATOMIC_ACQUIRE))
		arch_relax();
}

/* First thing after an interrupt in arch_idle(). */
void tlb_wake(struct arch_cpu *cpu)
{
	__atomic_store_n(&cpu->lazy, false, __ATOMIC_SEQ_CST);
	if (__atomic_exchange_n(&cpu->lazy_stale, false, __ATOMIC_SEQ_CST))
		tlb_flush_loaded(cpu);
}

void arch_tlb_forget_local(uint64_t va)
{
	__asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

void arch_tlb_flush_range(struct arch_space *space, uint64_t start, uint64_t end)
{
	struct request r = { .kind = REQUEST_FLUSH, .space = space, .start = start, .end = end };
	if (end - start > FLUSH_ONE_BY_ONE * ARCH_PAGE_SIZE)
		r.end = 0;
	space->generation++; /* CPUs that only keep it under a PCID notice by this */
	request_post(space->active, &r);
	if (space->dead_tables)
		tables_free(space);
}

void arch_tlb_flush_page(struct arch_space *space, uint64_t va)
{
	arch_tlb_flush_range(space, va, va + ARCH_PAGE_SIZE);
}

void arch_tlb_flush_space(struct arch_space *space)
{
	arch_tlb_flush_range(space, 0, ARCH_USER_TOP);
}
