/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space, by configuration mechanism 1 (PCI Local Bus
 * Specification 3.0, 3.2.2.3.2), which the PCs of QEMU have. Where devices lie is the firmware's
 * business: base address registers that it left empty stay so.
 */
#ifndef TROUPE_POSIX_SUPERVISOR_PCI_H
#define TROUPE_POSIX_SUPERVISOR_PCI_H

#include <stdbool.h>
#include <stdint.h>

struct k_irq_message;

/* bus << 8 | device << 3 | function */
typedef uint32_t pci_function;

#define PCI_VENDOR 0x00u
#define PCI_DEVICE 0x02u
#define PCI_SUBSYSTEM 0x2eu
#define PCI_INTERRUPT_LINE 0x3cu
#define PCI_INTERRUPT_PIN 0x3du
#define PCI_CAPABILITY_VENDOR 0x09u
#define PCI_CAPABILITY_MSIX 0x11u

/*
 * Calls visit() for each function, bus by bus behind bridges, until it returns true: that function;
 * or -ENODEV.
 */
int pci_scan(bool (*visit)(pci_function f, void *arg), void *arg, pci_function *out);

uint32_t pci_read(pci_function f, unsigned offset, unsigned width);
void pci_write(pci_function f, unsigned offset, unsigned width, uint32_t value);

struct pci_region {
	uint64_t address, size;
};

/*
 * The memory behind base address register n. ENXIO: it is not memory, or the firmware gave it no
 * place; EINVAL: nonsense.
 */
int pci_region(pci_function f, unsigned n, struct pci_region *out);
/* The next capability with this id after the one at `after` (0: the first); 0: none. */
unsigned pci_capability(pci_function f, unsigned id, unsigned after);
/* How many interrupt messages it can send; 0: it has lines only. */
unsigned pci_messages(pci_function f);
/* Registers answer, so that the device can be made quiet; it still cannot write memory. */
void pci_wake(pci_function f);
/*
 * Lets the device answer and write memory; with messages (NULL: its line) for the first n vectors.
 */
int pci_enable(pci_function f, const struct k_irq_message *message, unsigned n);
/* It no longer writes memory, nor interrupts. */
void pci_disable(pci_function f);

#endif
