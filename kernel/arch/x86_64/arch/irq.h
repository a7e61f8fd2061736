/*
 * Device interrupts and I/O ports.
 *
 * An irq number below ARCH_IRQ_MSI is a global system interrupt (an IOAPIC input); from there on it
 * names a message-signalled one from arch_msi_alloc(). ISA line n is arch_irq_isa(n), which knows
 * the overrides of the firmware.
 *
 * A level line is masked and acknowledged before kernel_interrupt() hears of it; the driver's
 * "done" is arch_irq_unmask(). Edge lines and messages are acknowledged only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ARCH_IRQ_H
#define ARCH_IRQ_H

#include <stdbool.h>
#include <stdint.h>

#define ARCH_IRQ_MSI 256

enum {
	ARCH_IRQ_LEVEL = 1,
	ARCH_IRQ_LOW = 2,       /* active low */
	ARCH_IRQ_DEFAULT = 4,   /* as the firmware says: ISA is edge and high, PCI level and low */
};

/* The GSI of an ISA line, and the flags the firmware gives it (flags may be NULL). */
unsigned arch_irq_isa(unsigned line, unsigned *flags);
/* Routes a line to a CPU and unmasks it. -EINVAL: no such input, -ENOSPC: vectors are used up. */
__attribute__((warn_unused_result)) int arch_irq_enable(unsigned irq, unsigned flags, unsigned cpu);
void arch_irq_disable(unsigned irq);
void arch_irq_mask(unsigned irq);
void arch_irq_unmask(unsigned irq);
bool arch_irq_is_level(unsigned irq);

/* A message-signalled interrupt for a CPU: its irq number, and what the device writes where. */
__attribute__((warn_unused_result)) int arch_msi_alloc(unsigned cpu, unsigned *irq,
						       uint64_t *address, uint32_t *data);
void arch_msi_free(unsigned irq);

/* Port access on behalf of a driver; width is 1, 2 or 4. */
uint32_t arch_ioport_in(uint16_t port, unsigned width);
void arch_ioport_out(uint16_t port, unsigned width, uint32_t value);

#endif
