/*
 * Interrupt controllers: the 8259 (silenced), the local APIC of each CPU, the IOAPICs, and the
 * vectors that lines and messages share.
 *
 * A vector belongs to at most one irq in the whole machine, so the number alone names the source.
 * Lines are global system interrupts below ARCH_IRQ_MSI; messages come after. Callers hold the
 * kernel lock, except for irq_dispatch(), which reads only what is set before a source is enabled
 * and masks its own line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/irq.h"
#include "priv.h"
#include "lib/errno.h"
#include "lib/print.h"

#define LAPIC_ID 0x20
#define LAPIC_TPR 0x80
#define LAPIC_EOI 0xb0
#define LAPIC_SPURIOUS 0xf0
#define LAPIC_ICR 0x300
#define LAPIC_ICR_HIGH 0x310
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LAPIC_LVT_ERROR 0x370
#define LAPIC_TIMER_INITIAL 0x380
#define LAPIC_TIMER_CURRENT 0x390
#define LAPIC_TIMER_DIVIDE 0x3e0
#define LAPIC_MASKED 0x10000u
#define LAPIC_PENDING 0x1000u
#define MSR_X2APIC 0x800
#define APIC_BASE_ENABLE (1u << 11)
#define APIC_BASE_X2 (1u << 10)

#define ENTRY_MASKED 0x10000u
#define ENTRY_LEVEL 0x8000u
#define ENTRY_LOW 0x2000u

#define VECTORS (VECTOR_TIMER - VECTOR_DEVICE)
#define MESSAGES 128

struct ioapic {
	volatile uint32_t *registers;
	uint32_t base, count;
};

static volatile uint8_t *lapic;
static bool x2apic;
static struct ioapic ioapics[4];
static unsigned ioapic_count;
static uint16_t vector_irq[VECTORS];     /* irq + 1, or 0 */
static uint8_t line_vector[ARCH_IRQ_MSI]; /* or 0 */
static bool line_level[ARCH_IRQ_MSI];
static uint8_t message_vector[MESSAGES];

static uint32_t lapic_read(unsigned reg)
{
	if (x2apic)
		return (uint32_t)msr_read(MSR_X2APIC + (reg >> 4));
	return *(volatile uint32_t *)(lapic + reg);
}

static void lapic_write(unsigned reg, uint32_t value)
{
	if (x2apic)
		msr_write(MSR_X2APIC + (reg >> 4), value);
	else
		*(volatile uint32_t *)(lapic + reg) = value;
}

uint32_t apic_id(void)
{
	return x2apic ? lapic_read(LAPIC_ID) : lapic_read(LAPIC_ID) >> 24;
}

void apic_eoi(void)
{
	lapic_write(LAPIC_EOI, 0);
}

static void icr_write(uint32_t target, uint32_t command)
{
	if (x2apic) {
		msr_write(MSR_X2APIC + (LAPIC_ICR >> 4), (uint64_t)target << 32 | command);
		return;
	}
	while (lapic_read(LAPIC_ICR) & LAPIC_PENDING)
		arch_relax();
	lapic_write(LAPIC_ICR_HIGH, target << 24);
	lapic_write(LAPIC_ICR, command);
}

void apic_ipi(uint32_t apic, uint32_t command)
{
	icr_write(apic, command);
}

void apic_ipi_all_others(uint32_t command)
{
	if (lapic || x2apic)
		icr_write(0, command | 3u << 18);
}

void apic_init_cpu(void)
{
	lapic_write(LAPIC_TPR, 0);
	lapic_write(LAPIC_LVT_TIMER, LAPIC_MASKED);
	lapic_write(LAPIC_LVT_LINT0, LAPIC_MASKED);
	lapic_write(LAPIC_LVT_LINT1, APIC_NMI);
	lapic_write(LAPIC_LVT_ERROR, LAPIC_MASKED);
	lapic_write(LAPIC_TIMER_DIVIDE, 0xb); /* by 1 */
	lapic_write(LAPIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
}

uint32_t apic_timer_count(void)
{
	return lapic_read(LAPIC_TIMER_CURRENT);
}

void apic_timer_set(uint32_t count)
{
	lapic_write(LAPIC_TIMER_INITIAL, count);
}

void apic_timer_mode(bool deadline)
{
	lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER | (deadline ? 2u << 17 : 0));
}

/*
 * An IOAPIC has an index register, so one CPU at a time; interrupts mask without the kernel lock.
 */
static bool ioapic_busy;

static void ioapic_lock(void)
{
	while (__atomic_exchange_n(&ioapic_busy, true, __ATOMIC_ACQUIRE))
		arch_relax();
}

static void ioapic_unlock(void)
{
	__atomic_store_n(&ioapic_busy, false, __ATOMIC_RELEASE);
}

static uint32_t ioapic_read(const struct ioapic *io, unsigned index)
{
	io->registers[0] = index;
	return io->registers[4];
}

static void ioapic_write(const struct ioapic *io, unsigned index, uint32_t value)
{
	io->registers[0] = index;
	io->registers[4] = value;
}

static void ioapic_add(uint64_t address, uint32_t base)
{
	struct ioapic *io = &ioapics[ioapic_count];
	io->registers = arch_mmio_map(address, 0x20);
	if (!io->registers)
		return;
	io->base = base;
	io->count = (ioapic_read(io, 1) >> 16 & 0xff) + 1;
	if (base + io->count > ARCH_IRQ_MSI) /* also when there is nothing: all ones */
		return;
	for (unsigned pin = 0; pin < io->count; pin++)
		ioapic_write(io, 0x10 + 2 * pin, ENTRY_MASKED);
	ioapic_count++;
}

/*
 * The 8259s are moved off the exceptions before they are silenced: a spurious one may still come.
 */
static void legacy_off(void)
{
	static const struct {
		uint8_t port, value;
	} steps[] = {
		{ 0x20, 0x11 }, { 0xa0, 0x11 }, { 0x21, 0x20 }, { 0xa1, 0x28 }, { 0x21, 4 },
		{ 0xa1, 2 },	{ 0x21, 1 },	{ 0xa1, 1 },	{ 0x21, 0xff }, { 0xa1, 0xff },
	};
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		port_out8(steps[i].port, steps[i].value);
}

void apic_init(void)
{
	legacy_off();
	uint64_t base = msr_read(MSR_APIC_BASE);
	x2apic = base & APIC_BASE_X2; /* only if the firmware left it so */
	if (!(base & APIC_BASE_ENABLE))
		msr_write(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
	if (!x2apic)
		lapic = arch_mmio_map(acpi.lapic, 0x400);
	apic_init_cpu();
	for (unsigned i = 0; i < acpi.ioapic_count; i++)
		ioapic_add(acpi.ioapics[i].address, acpi.ioapics[i].base);
}

static struct ioapic *ioapic_of(unsigned irq)
{
	for (unsigned i = 0; i < ioapic_count; i++)
		if (irq >= ioapics[i].base && irq < ioapics[i].base + ioapics[i].count)
			return &ioapics[i];
	return NULL;
}

unsigned arch_irq_isa(unsigned line, unsigned *flags)
{
	unsigned gsi = line;
	if (flags)
		*flags = 0;
	for (unsigned i = 0; i < acpi.override_count; i++) {
		const struct acpi_override *o = &acpi.overrides[i];
		if (o->line != line)
			continue;
		gsi = o->gsi;
		if (flags)
			*flags = ((o->flags & 3) == 3 ? ARCH_IRQ_LOW : 0) |
				 ((o->flags >> 2 & 3) == 3 ? ARCH_IRQ_LEVEL : 0);
	}
	return gsi;
}

/* What an override says of this input; otherwise ISA inputs are edge and high, others as PCI's. */
static unsigned flags_default(unsigned irq)
{
	unsigned flags;
	for (unsigned line = 0; line < 16; line++)
		if (arch_irq_isa(line, &flags) == irq)
			return flags;
	return irq < 16 ? 0 : ARCH_IRQ_LEVEL | ARCH_IRQ_LOW;
}

static int vector_alloc(unsigned irq)
{
	for (unsigned i = 0; i < VECTORS; i++) {
		if (!vector_irq[i]) {
			vector_irq[i] = (uint16_t)(irq + 1);
			return (int)(VECTOR_DEVICE + i);
		}
	}
	return -ENOSPC;
}

static void vector_free(unsigned vector)
{
	vector_irq[vector - VECTOR_DEVICE] = 0;
}

int arch_irq_enable(unsigned irq, unsigned flags, unsigned cpu)
{
	struct ioapic *io = irq < ARCH_IRQ_MSI ? ioapic_of(irq) : NULL;
	if (!io || cpu >= arch_cpu_count())
		return -EINVAL;
	int vector = line_vector[irq] ? line_vector[irq] : vector_alloc(irq);
	if (vector < 0)
		return vector;
	if (flags & ARCH_IRQ_DEFAULT)
		flags = flags_default(irq);
	line_vector[irq] = (uint8_t)vector;
	line_level[irq] = flags & ARCH_IRQ_LEVEL;
	unsigned pin = irq - io->base;
	ioapic_lock();
	ioapic_write(io, 0x11 + 2 * pin, arch_cpus[cpu]->apic_id << 24);
	ioapic_write(io, 0x10 + 2 * pin,
		     (uint32_t)vector | (flags & ARCH_IRQ_LEVEL ? ENTRY_LEVEL : 0) |
			     (flags & ARCH_IRQ_LOW ? ENTRY_LOW : 0));
	ioapic_unlock();
	return 0;
}

static void entry_mask(unsigned irq, bool masked)
{
	struct ioapic *io = irq < ARCH_IRQ_MSI ? ioapic_of(irq) : NULL;
	if (!io || !line_vector[irq])
		return;
	ioapic_lock();
	unsigned index = 0x10 + 2 * (irq - io->base);
	uint32_t entry = ioapic_read(io, index) & ~ENTRY_MASKED;
	ioapic_write(io, index, entry | (masked ? ENTRY_MASKED : 0));
	ioapic_unlock();
}

void arch_irq_mask(unsigned irq)
{
	entry_mask(irq, true);
}

void arch_irq_unmask(unsigned irq)
{
	entry_mask(irq, false);
}

void arch_irq_disable(unsigned irq)
{
	if (irq >= ARCH_IRQ_MSI || !line_vector[irq])
		return;
	arch_irq_mask(irq);
	vector_free(line_vector[irq]);
	line_vector[irq] = 0;
}

bool arch_irq_is_level(unsigned irq)
{
	return irq < ARCH_IRQ_MSI && line_level[irq];
}

int arch_msi_alloc(unsigned cpu, unsigned *irq, uint64_t *address, uint32_t *data)
{
	unsigned i = 0;
	if (cpu >= arch_cpu_count())
		return -EINVAL;
	while (i < MESSAGES && message_vector[i])
		i++;
	int vector = i < MESSAGES ? vector_alloc(ARCH_IRQ_MSI + i) : -ENOSPC;
	if (vector < 0)
		return vector;
	message_vector[i] = (uint8_t)vector;
	*irq = ARCH_IRQ_MSI + i;
	*address = 0xfee00000ull | (uint64_t)arch_cpus[cpu]->apic_id << 12;
	*data = (uint32_t)vector;
	return 0;
}

void arch_msi_free(unsigned irq)
{
	unsigned i = irq - ARCH_IRQ_MSI;
	if (irq < ARCH_IRQ_MSI || i >= MESSAGES || !message_vector[i])
		return;
	vector_free(message_vector[i]);
	message_vector[i] = 0;
}

void irq_dispatch(struct arch_frame *f, unsigned vector)
{
	unsigned irq = vector < VECTOR_TIMER ? vector_irq[vector - VECTOR_DEVICE] : 0;
	if (irq && arch_irq_is_level(irq - 1))
		arch_irq_mask(irq - 1);
	apic_eoi();
	if (irq)
		kernel_interrupt(f, ARCH_INTERRUPT_DEVICE, irq - 1);
}

uint32_t arch_ioport_in(uint16_t port, unsigned width)
{
	return width == 1 ? port_in8(port) : width == 2 ? port_in16(port) : port_in32(port);
}

void arch_ioport_out(uint16_t port, unsigned width, uint32_t value)
{
	if (width == 1)
		port_out8(port, (uint8_t)value);
	else if (width == 2)
		port_out16(port, (uint16_t)value);
	else
		port_out32(port, value);
}
