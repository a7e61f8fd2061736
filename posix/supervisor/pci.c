/* SPDX-License-Identifier: MIT */
/* PCI configuration space; see pci.h. Every walk is bounded, whatever the devices say. */
#include "pci.h"

#include <errno.h>
#include <string.h>

#include "calls.h"
#include "device.h"
#include "server.h"

#define PORT_BASE 0xcf8u
#define PORT_COUNT 8u
#define ADDRESS 0u
#define DATA 4u
#define ENABLE 0x80000000u

#define COMMAND 0x04u
#define COMMAND_IO 0x1u
#define COMMAND_MEMORY 0x2u
#define COMMAND_MASTER 0x4u
#define COMMAND_LINE_OFF 0x400u
#define STATUS 0x06u
#define STATUS_CAPABILITIES 0x10u
#define HEADER_TYPE 0x0eu
#define HEADER_MULTI 0x80u
#define HEADER_BRIDGE 1u
#define BASE 0x10u
#define BASES 6u
#define BASE_IO 0x1u
#define BASE_TYPE 0x6u
#define BASE_64 0x4u
#define SECONDARY_BUS 0x19u
#define CAPABILITIES 0x34u
#define CAPABILITIES_MAX 48

#define MSIX_CONTROL 2u
#define MSIX_TABLE 4u
#define MSIX_ON 0x8000u
#define MSIX_MASKED 0x4000u
#define MSIX_ENTRY 16u

#define PAGE 4096ul

static int ports = -1;

/* --- configuration space ------------------------------------------------------------------ */

/*
 * True if there is a PCI host bridge that listens to the two ports: the address can be read back.
 */
static bool pci_present(void)
{
	static enum { UNKNOWN, ABSENT, PRESENT } state;
	uint32_t back = 0;

	if (state == UNKNOWN) {
		ports = (int)k_ioport_create(K_BOOT_CONTROL, PORT_BASE, PORT_COUNT);
		state = ABSENT;
		if (ports >= 0 && !k_ioport_out(ports, ADDRESS, 4, ENABLE) &&
		    !k_ioport_in(ports, ADDRESS, 4, &back) && back == ENABLE)
			state = PRESENT;
	}
	return state == PRESENT;
}

static void select(pci_function f, unsigned offset)
{
	k_ioport_out(ports, ADDRESS, 4, ENABLE | f << 8 | (offset & 0xfc));
}

uint32_t pci_read(pci_function f, unsigned offset, unsigned width)
{
	uint32_t value = ~0u;

	select(f, offset);
	k_ioport_in(ports, DATA + (offset & 3), width, &value);
	return value;
}

void pci_write(pci_function f, unsigned offset, unsigned width, uint32_t value)
{
	select(f, offset);
	k_ioport_out(ports, DATA + (offset & 3), width, value);
}

/* --- the walk ----------------------------------------------------------------------------- */

struct walk {
	bool (*visit)(pci_function f, void *arg);
	void *arg;
	uint64_t seen[4];	/* buses that were or shall be walked */
	uint8_t queue[256];
	unsigned queued;
};

static void walk_add(struct walk *w, unsigned bus)
{
	if (bus > 255 || (w->seen[bus / 64] >> (bus % 64) & 1))
		return;
	w->seen[bus / 64] |= 1ull << (bus % 64);
	w->queue[w->queued++] = (uint8_t)bus;
}

static bool walk_function(struct walk *w, pci_function f, pci_function *out)
{
	if (pci_read(f, PCI_VENDOR, 2) == 0xffff)
		return false;
	if ((pci_read(f, HEADER_TYPE, 1) & ~HEADER_MULTI) == HEADER_BRIDGE)
		walk_add(w, pci_read(f, SECONDARY_BUS, 1));
	else if (w->visit(f, w->arg)) {
		*out = f;
		return true;
	}
	return false;
}

static bool walk_bus(struct walk *w, unsigned bus, pci_function *out)
{
	for (unsigned device = 0; device < 32; device++) {
		pci_function f = bus << 8 | device << 3;
		unsigned count;

		if (pci_read(f, PCI_VENDOR, 2) == 0xffff)
			continue;
		count = pci_read(f, HEADER_TYPE, 1) & HEADER_MULTI ? 8 : 1;
		for (unsigned i = 0; i < count; i++)
			if (walk_function(w, f + i, out))
				return true;
	}
	return false;
}

int pci_scan(bool (*visit)(pci_function f, void *arg), void *arg, pci_function *out)
{
	struct walk w = { .visit = visit, .arg = arg };

	if (!pci_present())
		return -ENODEV;
	walk_add(&w, 0);
	for (unsigned i = 0; i < w.queued; i++)
		if (walk_bus(&w, w.queue[i], out))
			return 0;
	return -ENODEV;
}

/* --- a function --------------------------------------------------------------------------- */

/* The size shows in the bits that cannot be set; nothing may be decoded meanwhile. */
static uint32_t base_mask(pci_function f, unsigned offset)
{
	uint32_t old = pci_read(f, offset, 4), mask;

	pci_write(f, offset, 4, ~0u);
	mask = pci_read(f, offset, 4);
	pci_write(f, offset, 4, old);
	return mask;
}

int pci_region(pci_function f, unsigned n, struct pci_region *out)
{
	uint32_t command = pci_read(f, COMMAND, 2), low;
	uint64_t address, mask;
	bool wide;

	if (n >= BASES)
		return -EINVAL;
	low = pci_read(f, BASE + 4 * n, 4);
	wide = (low & BASE_TYPE) == BASE_64;
	if ((low & BASE_IO) || (wide && n + 1 == BASES))
		return -ENXIO;
	address = low & ~0xfull;
	if (wide)
		address |= (uint64_t)pci_read(f, BASE + 4 * n + 4, 4) << 32;
	if (!address)
		return -ENXIO;
	pci_write(f, COMMAND, 2, command & ~(COMMAND_IO | COMMAND_MEMORY));
	mask = base_mask(f, BASE + 4 * n) & ~0xfull;
	mask |= wide ? (uint64_t)base_mask(f, BASE + 4 * n + 4) << 32 : 0xffffffffull << 32;
	pci_write(f, COMMAND, 2, command);
	out->address = address;
	out->size = -mask;
	if (!out->size || (out->size & (out->size - 1)) || (address & (out->size - 1)))
		return -EINVAL;
	return 0;
}

unsigned pci_capability(pci_function f, unsigned id, unsigned after)
{
	unsigned at, found = 0;
	bool beyond = !after;

	if (!(pci_read(f, STATUS, 2) & STATUS_CAPABILITIES))
		return 0;
	at = pci_read(f, CAPABILITIES, 1) & 0xfc;
	for (int i = 0; i < CAPABILITIES_MAX && at >= 0x40 && !found; i++) {
		if (beyond && pci_read(f, at, 1) == id)
			found = at;
		beyond = beyond || at == after;
		at = pci_read(f, at + 1, 1) & 0xfc;
	}
	return found;
}

unsigned pci_messages(pci_function f)
{
	unsigned at = pci_capability(f, PCI_CAPABILITY_MSIX, 0);

	return at ? (pci_read(f, at + MSIX_CONTROL, 2) & 0x7ff) + 1 : 0;
}

/* Writes the first n entries of the table at this address. */
static int table_write(uint64_t address, const struct k_irq_message *message, unsigned n)
{
	struct k_map map = { .space = -1, .flags = K_MAP_READ | K_MAP_WRITE | K_MAP_UNCACHED };
	uint64_t size = n * MSIX_ENTRY, skip = address & (PAGE - 1);
	volatile uint32_t *entry;
	long r;

	map.object = device_object(address, size);
	if (map.object < 0)
		return map.object;
	map.size = (skip + size + PAGE - 1) & -PAGE;
	r = k_space_map(&map);
	k_handle_close(map.object);
	if (r < 0)
		return (int)r;
	entry = (volatile uint32_t *)(map.address + skip);
	for (unsigned i = 0; i < n; i++, entry += MSIX_ENTRY / sizeof(*entry)) {
		entry[0] = (uint32_t)message[i].address;
		entry[1] = (uint32_t)(message[i].address >> 32);
		entry[2] = message[i].data;
		entry[3] = 0;	/* not masked */
	}
	k_space_unmap(-1, map.address, map.size);
	return 0;
}

static int messages_set(pci_function f, const struct k_irq_message *message, unsigned n)
{
	unsigned at = pci_capability(f, PCI_CAPABILITY_MSIX, 0);
	uint32_t control = pci_read(f, at + MSIX_CONTROL, 2),
		 table = pci_read(f, at + MSIX_TABLE, 4);
	struct pci_region region;
	uint64_t offset = table & ~7u;
	int r = pci_region(f, table & 7, &region);

	if (!r && (offset > region.size || n * MSIX_ENTRY > region.size - offset))
		r = -EINVAL;
	pci_write(f, at + MSIX_CONTROL, 2, control | MSIX_ON | MSIX_MASKED);
	if (!r)
		r = table_write(region.address + offset, message, n);
	pci_write(f, at + MSIX_CONTROL, 2,
		  r ? control & ~MSIX_ON : (control | MSIX_ON) & ~MSIX_MASKED);
	return r;
}

void pci_wake(pci_function f)
{
	pci_write(f, COMMAND, 2, (pci_read(f, COMMAND, 2) | COMMAND_MEMORY) & ~COMMAND_MASTER);
}

int pci_enable(pci_function f, const struct k_irq_message *message, unsigned n)
{
	uint32_t command = pci_read(f, COMMAND, 2) | COMMAND_MEMORY | COMMAND_MASTER;
	int r = 0;

	pci_write(f, COMMAND, 2, (command & ~COMMAND_MASTER) | COMMAND_LINE_OFF);
	if (message)
		r = messages_set(f, message, n);
	if (!r)
		pci_write(f, COMMAND, 2,
			  message ? command | COMMAND_LINE_OFF : command & ~COMMAND_LINE_OFF);
	return r;
}

void pci_disable(pci_function f)
{
	pci_write(f, COMMAND, 2, (pci_read(f, COMMAND, 2) & ~COMMAND_MASTER) | COMMAND_LINE_OFF);
}
