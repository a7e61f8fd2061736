/*
 * Interrupts and exceptions, from user mode and from the kernel.
 *
 * entry.S has saved the registers. An exception of user mode is decoded and given to
 * kernel_fault(); an interrupt is acknowledged and given to kernel_interrupt(). In the kernel there
 * are only three legal kinds: an interrupt in the halt of arch_idle(), an NMI, and a page fault at
 * an instruction in the fixup table. Anything else is a bug, and a panic.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/switch.h"
#include "priv.h"
#include "arch/power.h"
#include "lib/print.h"
#include "lib/string.h"

enum {
	VECTOR_DEBUG = 1,
	VECTOR_NMI = 2,
	VECTOR_BREAKPOINT = 3,
	VECTOR_INVALID = 6,
	VECTOR_NO_FPU = 7,
	VECTOR_DOUBLE = 8,
	VECTOR_PAGE = 14,
	VECTOR_X87 = 16,
	VECTOR_MACHINE = 18,
	VECTOR_SIMD = 19,
};

static struct {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
} idt[256] __attribute__((aligned(4096)));

volatile bool panicking;

struct fixup {
	uint64_t at, go;
};
extern const struct fixup fixup_start[], fixup_end[];

void trap_init(void)
{
	for (unsigned v = 0; v < 256; v++) {
		uint64_t stub = (uint64_t)entry_stubs + v * 16;
		idt[v].offset_low = (uint16_t)stub;
		idt[v].offset_middle = (uint16_t)(stub >> 16);
		idt[v].offset_high = (uint32_t)(stub >> 32);
		idt[v].selector = SELECTOR_KERNEL_CODE;
		/* User mode may only say int3 and into by itself. */
		idt[v].type = v == 3 || v == 4 ? 0xee : 0x8e;
	}
	idt[VECTOR_NMI].ist = 1;
	idt[VECTOR_DOUBLE].ist = 2;
	idt[VECTOR_MACHINE].ist = 3;
	idt[VECTOR_DEBUG].ist = 4;
}

void trap_load(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = { sizeof(idt) - 1, (uint64_t)idt };
	__asm__ volatile("lidt %0" ::"m"(pointer));
}

static const uint8_t fault_kinds[32] = {
	[0] = ARCH_FAULT_DIVIDE,     [1] = ARCH_FAULT_DEBUG,	   [3] = ARCH_FAULT_BREAKPOINT,
	[4] = ARCH_FAULT_OVERFLOW,   [5] = ARCH_FAULT_OVERFLOW,   [6] = ARCH_FAULT_ILLEGAL,
	[7] = ARCH_FAULT_NO_FPU,     [8] = ARCH_FAULT_PROTECTION, [9] = ARCH_FAULT_PROTECTION,
	[10] = ARCH_FAULT_PROTECTION, [11] = ARCH_FAULT_PROTECTION, [12] = ARCH_FAULT_PROTECTION,
	[13] = ARCH_FAULT_PROTECTION, [14] = ARCH_FAULT_PAGE,	   [15] = ARCH_FAULT_PROTECTION,
	[16] = ARCH_FAULT_FPU,	     [17] = ARCH_FAULT_ALIGN,	   [18] = ARCH_FAULT_MACHINE,
	[19] = ARCH_FAULT_SIMD,	     [20] = ARCH_FAULT_PROTECTION, [21] = ARCH_FAULT_PROTECTION,
	[22 ... 31] = ARCH_FAULT_PROTECTION,
};

/* What the FPU complains of; the thread is current, so its state is in the registers. */
static uint32_t fpu_detail(unsigned vector)
{
	if (vector == VECTOR_SIMD) {
		uint32_t mxcsr;
		__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
		return mxcsr & ~(mxcsr >> 7) & 0x3f;
	}
	uint16_t status, control;
	__asm__ volatile("fnstsw %0; fnstcw %1" : "=m"(status), "=m"(control));
	return status & ~control & 0x3f;
}

static void fault_user(struct arch_frame *f, unsigned vector)
{
	struct arch_fault fault = {
		.kind = fault_kinds[vector],
		.vector = (uint8_t)vector,
		.error = (uint32_t)f->error,
		.address = f->rip,
	};
	if (vector == VECTOR_PAGE) {
		fault.address = cr2_read();
		fault.present = f->error & 1;
		fault.write = f->error & 2;
		fault.exec = f->error & 16;
	} else if (vector == VECTOR_X87 || vector == VECTOR_SIMD) {
		fault.detail = fpu_detail(vector);
	} else if (vector == VECTOR_DEBUG) {
		uint64_t dr6;
		__asm__ volatile("movq %%dr6, %0" : "=r"(dr6));
		__asm__ volatile("movq %0, %%dr6" ::"r"(0xffff0ff0ull));
		fault.detail = (uint32_t)dr6 & 0xe00f;
	}
	kernel_fault(f, &fault);
}

/* arch_resume() found a pc that iretq would not take. */
void trap_bad_pc(struct arch_frame *f);
void trap_bad_pc(struct arch_frame *f)
{
	struct arch_fault fault = {
		.kind = ARCH_FAULT_PROTECTION, .vector = 13, .address = f->rip
	};
	kernel_fault(f, &fault);
}

static void nmi(void)
{
	while (panicking)
		__asm__ volatile("cli; hlt");
}

static void interrupt(struct arch_frame *f, unsigned vector)
{
	switch (vector) {
	case VECTOR_SERVE:
		apic_eoi();
		arch_tlb_serve();
		break;
	case VECTOR_RESCHEDULE:
		apic_eoi();
		kernel_interrupt(f, ARCH_INTERRUPT_RESCHEDULE, 0);
		break;
	case VECTOR_TIMER:
		apic_eoi();
		if (timer_fired())
			kernel_interrupt(f, ARCH_INTERRUPT_TIMER, 0);
		break;
	case VECTOR_SPURIOUS:
		break;
	default:
		if (vector >= VECTOR_DEVICE)
			irq_dispatch(f, vector);
	}
}

void trap_user(struct arch_frame *f)
{
	unsigned vector = f->entry & 0xff;
	if (arch_features.smap)
		__asm__ volatile("clac" ::: "memory");
	if (vector >= 32)
		interrupt(f, vector);
	else if (vector == VECTOR_NMI)
		nmi();
	else if (vector != VECTOR_NO_FPU || !fpu_trap(f))
		fault_user(f, vector);
}

static void panic_frame(const struct arch_frame *f, unsigned vector)
{
	kprintf("vector %u error %#lx cr2 %#lx cr3 %#lx cpu %u\n", vector, f->error, cr2_read(),
		cr3_read(), arch_cpu_index());
	kprintf("rip %016lx rsp %016lx rfl %016lx\n", f->rip, f->rsp, f->rflags);
	kprintf("rax %016lx rbx %016lx rcx %016lx\n", f->rax, f->rbx, f->rcx);
	kprintf("rdx %016lx rsi %016lx rdi %016lx\n", f->rdx, f->rsi, f->rdi);
	kprintf("rbp %016lx r8  %016lx r9  %016lx\n", f->rbp, f->r8, f->r9);
	kprintf("r10 %016lx r11 %016lx r12 %016lx\n", f->r10, f->r11, f->r12);
	kprintf("r13 %016lx r14 %016lx r15 %016lx\n", f->r13, f->r14, f->r15);
}

/* A chain of frame pointers; stops at anything that is not a kernel address going upwards. */
static void backtrace(uint64_t rbp)
{
	kprintf("backtrace:");
	for (unsigned depth = 0; depth < 24; depth++) {
		if (rbp < CPU_WINDOW || rbp % 8 || !direct_mapped(rbp, 16))
			break;
		uint64_t *pair = (uint64_t *)rbp;
		kprintf(" %lx", pair[1]);
		if (pair[0] <= rbp)
			break;
		rbp = pair[0];
	}
	kprintf("\n");
}

_Noreturn static void panic_end(uint64_t rbp)
{
	backtrace(rbp);
	const char *option = boot_option("panic");
	if (option && !strncmp(option, "off", 3))
		arch_power_off(63);
	arch_halt();
}

/* Claims the panic for this CPU and stops the others. A second panic on the way only halts. */
static void panic_begin(void)
{
	if (__atomic_exchange_n(&panicking, true, __ATOMIC_SEQ_CST))
		arch_halt();
	klog_set_console(true);
	apic_ipi_all_others(APIC_NMI);
}

_Noreturn void panic(const char *format, ...)
{
	va_list args;
	panic_begin();
	kprintf("\nPANIC: ");
	va_start(args, format);
	kvprintf(format, args);
	va_end(args);
	kprintf(" (cpu %u)\n", arch_cpu_index());
	panic_end((uint64_t)__builtin_frame_address(0));
}

static bool fixup_find(struct arch_frame *f)
{
	for (const struct fixup *x = fixup_start; x < fixup_end; x++) {
		if (x->at == f->rip) {
			f->rip = x->go;
			return true;
		}
	}
	return false;
}

void trap_kernel(struct arch_frame *f)
{
	unsigned vector = f->entry & 0xff;
	if (vector >= 32 && f->rip >= (uint64_t)idle_halt && f->rip <= (uint64_t)idle_halted) {
		struct arch_cpu *cpu = arch_cpu_self();
		tlb_wake(cpu);
		if (!cpu->started && cpu->index) {
			apic_eoi();
			smp_wait(cpu);
		}
		interrupt(NULL, vector);
		arch_idle();
	}
	if (vector == VECTOR_NMI) {
		nmi();
		return;
	}
	if (vector == VECTOR_PAGE && fixup_find(f))
		return;
	panic_begin();
	kprintf("\nPANIC: exception in the kernel\n");
	panic_frame(f, vector);
	panic_end(f->rbp);
}

void arch_idle_prepare(bool leave_space)
{
	struct arch_cpu *cpu = arch_cpu_self();
	fpu_idle(cpu);
	if (leave_space && cpu->space)
		arch_space_load(cpu, NULL);
}

/* Called by arch_idle() with interrupts still disabled. */
void idle_begin(void);
void idle_begin(void)
{
	struct arch_cpu *cpu = arch_cpu_self();
	__atomic_store_n(&cpu->lazy, true, __ATOMIC_SEQ_CST);
}
