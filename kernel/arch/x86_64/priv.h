/*
 * What the files of arch and dev share with each other and with nobody else.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ARCH_PRIV_H
#define ARCH_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/boot.h"
#include "arch/cpu.h"
#include "arch/entry.h"
#include "arch/paging.h"
#include "arch/time.h"
#include "asm.h"

/* Interrupt vectors above the exceptions. 0x20 to 0x2f are left to a stray 8259. */
#define VECTOR_DEVICE 0x30 /* first of the ones handed out */
#define VECTOR_TIMER 0xf0
#define VECTOR_RESCHEDULE 0xf1
#define VECTOR_SERVE 0xf2
#define VECTOR_SPURIOUS 0xff

#define MSR_APIC_BASE 0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_PAT 0x277
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_FMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX 0xc0000103

#define EFER_SCE 1u
#define EFER_NXE (1u << 11)
#define CR0_MP 2u
#define CR0_EM 4u
#define CR0_TS 8u
#define CR0_NE 32u
#define CR0_WP (1u << 16)
#define CR0_AM (1u << 18)
#define CR4_PGE (1u << 7)
#define CR4_OSFXSR (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)
#define CR4_UMIP (1u << 11)
#define CR4_FSGSBASE (1u << 16)
#define CR4_PCIDE (1u << 17)
#define CR4_OSXSAVE (1u << 18)
#define CR4_SMEP (1u << 20)
#define CR4_SMAP (1u << 21)

static inline uint64_t msr_read(uint32_t msr)
{
	uint32_t low, high;
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void msr_write(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	__asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
			 : "a"(leaf), "c"(sub));
}

#define REGISTER_ACCESS(name) \
	static inline uint64_t name##_read(void) \
	{ \
		uint64_t value; \
		__asm__ volatile("movq %%" #name ", %0" : "=r"(value)); \
		return value; \
	} \
	static inline void name##_write(uint64_t value) \
	{ \
		__asm__ volatile("movq %0, %%" #name ::"r"(value) : "memory"); \
	}
REGISTER_ACCESS(cr0)
REGISTER_ACCESS(cr2)
REGISTER_ACCESS(cr3)
REGISTER_ACCESS(cr4)

static inline uint8_t port_in8(uint16_t port)
{
	uint8_t value;
	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint16_t port_in16(uint16_t port)
{
	uint16_t value;
	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint32_t port_in32(uint16_t port)
{
	uint32_t value;
	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void port_out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static inline void port_out16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port));
}

static inline void port_out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}

/* kernel.ld */
extern char image_start[], image_end[], text_start[], text_end[], rodata_end[];

/* boot.c. Memory for ever, zeroed, only before kernel_main(); panics when there is none. */
uint64_t boot_alloc(size_t size);
extern struct boot_info boot_info;
extern bool boot_done; /* boot_alloc() is closed, page tables come from mm */
bool boot_is_memory(uint64_t start, uint64_t end); /* the firmware calls some of it RAM or tables */
_Noreturn void boot_stack_switch(uint64_t stack, void (*function)(void));

/* paging.c */
#define CPU_WINDOW 0xffffff0000000000ull
void paging_init(void);
void kernel_map(uint64_t va, uint64_t pa, unsigned flags);
bool direct_mapped(uint64_t pa, uint64_t size);
void pcid_settle(struct arch_cpu *cpu);
extern uint64_t kernel_root;
extern uint64_t boot_root[];

/* tlb.c. What one CPU asks the others for; the kernel lock allows one request at a time. */
enum request_kind { REQUEST_FLUSH, REQUEST_LEAVE, REQUEST_FPU_SAVE, REQUEST_FPU_FORGET };
struct request {
	enum request_kind kind;
	struct arch_space *space;
	uint64_t start, end; /* FLUSH: end 0 means everything */
	struct arch_frame *frame;
};
void request_post(uint64_t cpus, const struct request *request);
void tlb_wake(struct arch_cpu *cpu);
void tlb_flush_loaded(struct arch_cpu *cpu);
void tables_free(struct arch_space *space);

/* cpu.c */
void cpu_features_init(void);
struct arch_cpu *cpu_create(unsigned index);
void cpu_setup(struct arch_cpu *cpu); /* on the CPU itself: descriptor tables, control registers */
uint32_t cpu_cr4(void);
void smp_discover(void);
_Noreturn void smp_wait(struct arch_cpu *cpu);

/* trap.c, entry.S */
void trap_init(void);
void trap_load(void);
void trap_user(struct arch_frame *f);
void trap_kernel(struct arch_frame *f);
extern char entry_syscall[], entry_stubs[], idle_halt[], idle_halted[];
extern volatile bool panicking;
size_t user_copy(void *to, const void *from, size_t size);
size_t user_clear(void *to, size_t size);

/* fpu.c */
void fpu_init(void);     /* on each CPU */
bool fpu_trap(struct arch_frame *f); /* #NM: false if the thread has no area */
void fpu_flush(struct arch_cpu *cpu, struct arch_frame *f, bool keep);
void fpu_idle(struct arch_cpu *cpu);

/* copy.S; cpu.c chooses */
extern uint32_t copy_way;
void copy_choose(void);

/* acpi.c. What the firmware's tables say; defaults where there are none. */
struct acpi_override {
	uint8_t line;
	uint32_t gsi;
	uint16_t flags;
};
struct acpi {
	bool madt, fadt;
	uint32_t cpu_count;
	uint8_t apic_ids[ARCH_CPU_MAX];
	uint64_t lapic;
	uint32_t ioapic_count;
	struct {
		uint64_t address;
		uint32_t base;
	} ioapics[4];
	uint32_t override_count;
	struct acpi_override overrides[16];
	uint16_t pm1a_control, pm1b_control, pm_timer;
	uint64_t sleep_control; /* hardware-reduced: a register in memory */
	uint64_t reset_address;
	uint8_t reset_space, reset_value, sleep_type, sleep_type_b;
	bool sleep_known;
};
extern struct acpi acpi;
void acpi_init(uint64_t rsdp);

/* dev/ */
void apic_init(void);       /* boot CPU: 8259 off, local APIC, IOAPICs */
void apic_init_cpu(void);   /* each CPU */
uint32_t apic_id(void);
void apic_eoi(void);
void apic_ipi(uint32_t apic, uint32_t command);
void apic_ipi_all_others(uint32_t command);
#define APIC_NMI 0x400u
#define APIC_INIT 0x4500u
#define APIC_STARTUP 0x4600u
uint32_t apic_timer_count(void);
void apic_timer_set(uint32_t count);
void apic_timer_mode(bool deadline);
void irq_dispatch(struct arch_frame *f, unsigned vector);
void clock_init(void);
void clock_delay(uint64_t ns);
bool timer_fired(void); /* true if the deadline has come */
void timer_init_cpu(void);
void power_init(void);
void vdso_init(void);

#endif
