/*
 * CPUs: what they can do, their blocks and descriptor tables, and starting the others.
 *
 * Each CPU has a window of virtual addresses with its stacks and guard pages between them. Its
 * block (struct arch_cpu, with TSS and GDT in it) lies at the top of the kernel stack's last page.
 * The other CPUs come through the trampoline in any order and take tickets; they wait halted until
 * arch_cpu_start_others().
 *
 * SPDX-License-Identifier: MIT
 */
#include "priv.h"
#include "lib/print.h"
#include "lib/string.h"

#define WINDOW_SIZE 0x10000ull
#define STACK_PAGES 4
#define IST_STACKS 4
#define AP_TIMEOUT_NS 200000000ull  /* for a CPU that the firmware lists but that stays silent */
#define AP_SILENCE_NS 10000000ull   /* when nobody says how many there are */

HOT_DATA struct arch_features arch_features;
struct arch_cpu *arch_cpus[ARCH_CPU_MAX];
static unsigned cpu_count = 1, cpus_online = 1;
static volatile bool released;

/* For the trampoline (boot.S). */
extern uint32_t smp_ticket, smp_granted, smp_efer;
extern uint64_t smp_root, smp_stacks[ARCH_CPU_MAX];
extern char trampoline_start[], trampoline_end[];
uint32_t smp_ticket = 1, smp_granted = 1, smp_efer;
uint64_t smp_root, smp_stacks[ARCH_CPU_MAX];
void smp_secondary(uint64_t ticket);

static void features_extended(struct arch_features *x)
{
	uint32_t r[4];
	cpuid(0x80000000, 0, r);
	uint32_t last = r[0];
	cpuid(0x80000001, 0, r);
	x->nx = r[3] >> 20 & 1;
	x->page1g = r[3] >> 26 & 1;
	x->rdtscp = r[3] >> 27 & 1;
	x->fxsr_opt = r[3] >> 25 & 1;
	for (uint32_t leaf = 0; last >= 0x80000004 && leaf < 3; leaf++) {
		cpuid(0x80000002 + leaf, 0, r);
		memcpy(x->brand + leaf * 16, r, 16);
	}
	x->physical_bits = 36;
	if (last >= 0x80000008) {
		cpuid(0x80000008, 0, r);
		x->physical_bits = r[0] & 0xff;
	}
}

void cpu_features_init(void)
{
	struct arch_features *x = &arch_features;
	uint32_t r[4], last;
	cpuid(0, 0, r);
	last = r[0];
	memcpy(x->vendor, &r[1], 4);
	memcpy(x->vendor + 4, &r[3], 4);
	memcpy(x->vendor + 8, &r[2], 4);
	cpuid(1, 0, r);
	x->pcid = r[2] >> 17 & 1;
	x->x2apic = r[2] >> 21 & 1;
	x->tsc_deadline = r[2] >> 24 & 1;
	x->xsave = r[2] >> 26 & 1;
	x->rdrand = r[2] >> 30 & 1;
	x->hypervisor = r[2] >> 31 & 1;
	x->pge = r[3] >> 13 & 1;
	if (last >= 7) {
		cpuid(7, 0, r);
		x->fsgsbase = r[1] & 1;
		x->smep = r[1] >> 7 & 1;
		x->erms = r[1] >> 9 & 1;
		x->invpcid = r[1] >> 10 & 1;
		x->rdseed = r[1] >> 18 & 1;
		x->smap = r[1] >> 20 & 1;
		x->umip = r[2] >> 2 & 1;
		x->rdpid = r[2] >> 22 & 1;
	}
	if (x->xsave && last >= 0xd) {
		cpuid(0xd, 1, r);
		x->xsaveopt = r[0] & 1;
	}
	if (x->hypervisor) {
		cpuid(0x40000000, 0, r);
		x->tcg = !memcmp(&r[1], "TCGTCGTCGTCG", 12);
	}
	features_extended(x);
}

void copy_choose(void)
{
	copy_way = arch_features.tcg ? 0 : arch_features.erms ? 2 : 1;
}

bool arch_random(uint64_t *word)
{
	bool good = false;
	for (unsigned attempt = 0; !good && attempt < 16; attempt++) {
		if (arch_features.rdseed)
			__asm__ volatile("rdseed %0" : "=r"(*word), "=@ccc"(good));
		if (!good && arch_features.rdrand)
			__asm__ volatile("rdrand %0" : "=r"(*word), "=@ccc"(good));
	}
	return good;
}

/* Maps the stacks of a CPU; returns the top of the kernel stack proper. */
struct arch_cpu *cpu_create(unsigned index)
{
	uint64_t va = CPU_WINDOW + index * WINDOW_SIZE + ARCH_PAGE_SIZE;
	uint64_t ist[IST_STACKS];
	for (unsigned i = 0; i < STACK_PAGES; i++, va += ARCH_PAGE_SIZE)
		kernel_map(va, boot_alloc(ARCH_PAGE_SIZE), ARCH_MAP_WRITE);
	uint64_t top = va;
	for (unsigned i = 0; i < IST_STACKS; i++) {
		va += ARCH_PAGE_SIZE; /* a guard page */
		kernel_map(va, boot_alloc(ARCH_PAGE_SIZE), ARCH_MAP_WRITE);
		va += ARCH_PAGE_SIZE;
		ist[i] = va - 16;
	}
	struct arch_cpu *cpu = (void *)((top - sizeof(struct arch_cpu)) & -64ull);
	cpu->self = cpu;
	cpu->index = index;
	cpu->stack_top = (uint64_t)cpu;
	cpu->root = kernel_root;
	cpu->tss.io_map = sizeof(cpu->tss); /* beyond the limit: no ports for user mode */
	for (unsigned i = 0; i < IST_STACKS; i++) {
		*(struct arch_cpu **)ist[i] = cpu;
		cpu->tss.ist[i] = ist[i];
	}
	arch_cpus[index] = cpu;
	return cpu;
}

static void gdt_load(struct arch_cpu *cpu)
{
	uint64_t tss = (uint64_t)&cpu->tss, limit = sizeof(cpu->tss) - 1;
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = { sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt };
	cpu->gdt[SELECTOR_KERNEL_CODE / 8] = 0x00af9b000000ffff;
	cpu->gdt[SELECTOR_KERNEL_DATA / 8] = 0x00cf93000000ffff;
	cpu->gdt[SELECTOR_USER_DATA / 8] = 0x00cff3000000ffff;
	cpu->gdt[SELECTOR_USER_CODE / 8] = 0x00affb000000ffff;
	cpu->gdt[SELECTOR_TSS / 8] = limit | (tss & 0xffffff) << 16 | 0x89ull << 40 |
				     (tss >> 24 & 0xff) << 56;
	cpu->gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;
	cpu->gdt[SELECTOR_CPU / 8] = 0x0040f50000000000 | cpu->index;
	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovw %w2, %%ss\n\t"
			 "xorl %%eax, %%eax\n\t"
			 "movw %%ax, %%ds\n\t"
			 "movw %%ax, %%es\n\t"
			 "movw %%ax, %%fs\n\t"
			 "movw %%ax, %%gs\n\t"
			 "ltr %w3"
			 :
			 : "m"(pointer), "i"(SELECTOR_KERNEL_CODE), "r"(SELECTOR_KERNEL_DATA),
			   "r"(SELECTOR_TSS)
			 : "rax", "memory");
}

static uint64_t cr4_wanted(void)
{
	const struct arch_features *x = &arch_features;
	uint64_t cr4 = cr4_read() | CR4_OSFXSR | CR4_OSXMMEXCPT;
	cr4 |= x->pge ? CR4_PGE : 0;
	cr4 |= x->umip ? CR4_UMIP : 0;
	cr4 |= x->fsgsbase ? CR4_FSGSBASE : 0;
	cr4 |= x->pcid ? CR4_PCIDE : 0;
	cr4 |= x->xsave ? CR4_OSXSAVE : 0;
	cr4 |= x->smep ? CR4_SMEP : 0;
	cr4 |= x->smap ? CR4_SMAP : 0;
	return cr4;
}

void cpu_setup(struct arch_cpu *cpu)
{
	gdt_load(cpu);
	trap_load();
	msr_write(MSR_GS_BASE, (uint64_t)cpu);
	msr_write(MSR_KERNEL_GS_BASE, 0);
	msr_write(MSR_FS_BASE, 0);
	msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SCE | (arch_features.nx ? EFER_NXE : 0));
	msr_write(MSR_STAR,
		  (uint64_t)SELECTOR_USER_BASE << 48 | (uint64_t)SELECTOR_KERNEL_CODE << 32);
	msr_write(MSR_LSTAR, (uint64_t)entry_syscall);
	msr_write(MSR_FMASK, 0x257fd5); /* all that user mode can set, and IF */
	msr_write(MSR_PAT, 0x0007040100070406); /* entry 4: write combining; else as at reset */
	if (arch_features.rdtscp || arch_features.rdpid)
		msr_write(MSR_TSC_AUX, cpu->index);
	cr0_write((cr0_read() & ~(uint64_t)CR0_EM) | CR0_MP | CR0_NE | CR0_WP | CR0_AM);
	cr4_write(cr4_wanted());
	fpu_init();
	cpu->online = true;
}

unsigned arch_cpu_count(void)
{
	return cpu_count;
}

/* A CPU's first C code, on its own stack. */
void smp_secondary(uint64_t ticket)
{
	struct arch_cpu *cpu = arch_cpus[ticket];
	cpu_setup(cpu);
	apic_init_cpu();
	timer_init_cpu();
	cpu->apic_id = apic_id();
	__atomic_add_fetch(&cpus_online, 1, __ATOMIC_SEQ_CST);
	smp_wait(cpu);
}

/* Halted until released; arch_ipi_reschedule() brings it here again. */
_Noreturn void smp_wait(struct arch_cpu *cpu)
{
	if (!released)
		arch_idle();
	cpu->started = true;
	kernel_secondary(cpu->index);
}

/* Gives every CPU that has taken a ticket a stack. */
static void grant(void)
{
	uint32_t tickets = __atomic_load_n(&smp_ticket, __ATOMIC_SEQ_CST);
	while (smp_granted < tickets && smp_granted < ARCH_CPU_MAX) {
		struct arch_cpu *cpu = cpu_create(smp_granted);
		smp_stacks[smp_granted] = cpu->stack_top;
		__atomic_store_n(&smp_granted, smp_granted + 1, __ATOMIC_SEQ_CST);
	}
}

static unsigned online(void)
{
	return __atomic_load_n(&cpus_online, __ATOMIC_SEQ_CST);
}

/* QEMU's firmware configuration knows how many CPUs there are; 0: it is not there. */
static unsigned count_from_fw_cfg(void)
{
	char signature[4];
	if (!arch_features.hypervisor)
		return 0;
	port_out16(0x510, 0);
	for (unsigned i = 0; i < 4; i++)
		signature[i] = (char)port_in8(0x511);
	if (memcmp(signature, "QEMU", 4))
		return 0;
	port_out16(0x510, 5);
	unsigned count = port_in8(0x511);
	return count | (unsigned)port_in8(0x511) << 8;
}

/* Wakes one CPU, or (apic < 0) all others, and waits until `count` are online. */
static void wake(int apic, unsigned count, uint64_t timeout)
{
	const uint32_t commands[] = { APIC_INIT, APIC_STARTUP | TRAMPOLINE >> 12,
				      APIC_STARTUP | TRAMPOLINE >> 12 };
	uint64_t last = arch_time_ns();
	unsigned seen = online();
	for (unsigned i = 0; i < 3; i++) {
		if (i == 2 && smp_ticket >= count) /* the first was heard */
			break;
		if (apic < 0)
			apic_ipi_all_others(commands[i]);
		else
			apic_ipi((uint32_t)apic, commands[i]);
		clock_delay(arch_features.hypervisor ? 20000 : i ? 200000 : 10000000);
	}
	while (online() < count && arch_time_ns() - last < timeout) {
		grant();
		if (online() != seen) {
			seen = online();
			last = arch_time_ns();
		}
		arch_relax();
	}
}

void smp_discover(void)
{
	struct arch_cpu *self = arch_cpu_self();
	self->apic_id = apic_id();
	unsigned expected = acpi.madt ? acpi.cpu_count : count_from_fw_cfg();
	const char *option = boot_option("cpus");
	if (option && *option >= '1' && *option <= '9') {
		unsigned limit = 0;
		for (; *option >= '0' && *option <= '9'; option++)
			limit = limit * 10 + (unsigned)(*option - '0');
		if (acpi.madt && limit < expected)
			expected = limit;
		else if (limit == 1)
			expected = 1;
	}
	if (expected == 1)
		return;
	memcpy(phys_to_virt(TRAMPOLINE), trampoline_start,
	       (size_t)(trampoline_end - trampoline_start));
	smp_root = kernel_root;
	smp_efer = arch_features.nx ? EFER_NXE : 0;
	if (!acpi.madt) {
		wake(-1, expected ? expected : ARCH_CPU_MAX,
		     expected ? AP_TIMEOUT_NS : AP_SILENCE_NS);
	} else {
		for (unsigned i = 0; i < acpi.cpu_count && online() < expected; i++)
			if (acpi.apic_ids[i] != self->apic_id)
				wake(acpi.apic_ids[i], online() + 1, AP_TIMEOUT_NS);
	}
	cpu_count = online();
	if (expected && cpu_count != expected)
		kprintf("arch: %u of %u CPUs answered\n", cpu_count, expected);
}

void arch_cpu_start_others(void)
{
	released = true;
	arch_cpu_self()->started = true;
	for (unsigned i = 1; i < cpu_count; i++)
		arch_ipi_reschedule(i);
}

void arch_ipi_reschedule(unsigned cpu)
{
	apic_ipi(arch_cpus[cpu]->apic_id, VECTOR_RESCHEDULE);
}
