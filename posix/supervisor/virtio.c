/* SPDX-License-Identifier: MIT */
/*
 * Finding virtio devices. Source: Virtual I/O Device (VIRTIO) Version 1.2, 4.1 (PCI), 4.2 (MMIO), 5
 * (device numbers).
 *
 * A device is reset before it is allowed to write memory: what firmware or a boot loader left
 * running must not go on.
 */
#include "virtio.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "pci.h"
#include "server.h"

#define PAGE 4096ul

static const struct { const char *kind; uint32_t id;
} kinds[] = {
	{ "virtio-net", 1 }, { "virtio-blk", 2 }, { "virtio-console", 3 },
	{ "virtio-rng", 4 }, { "virtio-9p", 9 },
};

static uint32_t kind_id(const char *kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(kinds[i].kind, kind))
			return kinds[i].id;
	return 0;
}

/*
 * Maps the page with `size` bytes of a device's registers at `address`; the caller unmaps
 * map->address. 0 or a negative errno.
 */
static int registers_map(uint64_t address, unsigned size, struct k_map *map)
{
	long r;

	if ((address & (PAGE - 1)) + size > PAGE)
		return -EINVAL;
	*map = (struct k_map){ .space = -1,
			       .size = PAGE,
			       .flags = K_MAP_READ | K_MAP_WRITE | K_MAP_UNCACHED };
	map->object = device_object(address, size);
	if (map->object < 0)
		return map->object;
	r = k_space_map(map);
	k_handle_close(map->object);
	return r < 0 ? (int)r : 0;
}

/* Writes 0 into the status register and waits for the device to say so. 0 or -EIO. */
int virtio_reset(const struct device *d)
{
	uint64_t address = d->status_address;
	unsigned width = d->status_width;
	volatile uint8_t *at;
	uint32_t status = 0;
	struct k_map map;
	int r = registers_map(address, width, &map);

	if (r)
		return r;
	at = (volatile uint8_t *)map.address + (address & (PAGE - 1));
	if (width == 1)
		*at = 0;
	else
		*(volatile uint32_t *)at = 0;
	for (int i = 0; i < 10000; i++) {
		status = width == 1 ? *at : *(volatile uint32_t *)at;
		if (!status)
			break;
	}
	k_space_unmap(-1, map.address, map.size);
	return status ? -EIO : 0;
}

/* --- PCI ---------------------------------------------------------------------------------- */

#define VENDOR_VIRTIO 0x1af4u
#define DEVICE_FIRST 0x1000u
#define DEVICE_MODERN 0x1040u
#define DEVICE_LAST 0x107fu
#define COMMON_STATUS 20u

/* The structures of the modern interface that a driver gets, by their number in the capability. */
static const struct { const char *name; uint32_t least; } structures[] = {
	[1] = { "common", 56 }, [2] = { "notify", 2 }, [3] = { "isr", 1 }, [4] = { "device", 1 },
};

#define CAPABILITIES_MAX 16	/* a list may go in circles */
#define STRUCTURES (sizeof(structures) / sizeof(*structures))

static pci_function taken[16];
static unsigned taken_count;

static bool is_wanted(pci_function f, void *arg)
{
	uint32_t id = pci_read(f, PCI_DEVICE, 2);

	if (pci_read(f, PCI_VENDOR, 2) != VENDOR_VIRTIO || id < DEVICE_FIRST || id > DEVICE_LAST)
		return false;
	id = id >= DEVICE_MODERN ? id - DEVICE_MODERN : pci_read(f, PCI_SUBSYSTEM, 2);
	for (unsigned i = 0; i < taken_count; i++)
		if (taken[i] == f)
			return false;
	return id == *(const uint32_t *)arg;
}

struct structure {
	uint64_t address;
	uint32_t size, multiplier;
};

/* The structure that a capability describes. */
static int structure_read(pci_function f, unsigned at, unsigned type, struct structure *s)
{
	struct pci_region region;
	uint32_t offset = pci_read(f, at + 8, 4);
	int r = pci_region(f, pci_read(f, at + 4, 1), &region);

	if (r)
		return r;
	s->size = pci_read(f, at + 12, 4);
	s->multiplier = type == 2 ? pci_read(f, at + 16, 4) : 0;
	s->address = region.address + offset;
	return s->size < structures[type].least || offset > region.size ||
			       s->size > region.size - offset ?
		       -EINVAL :
		       0;
}

/* The first usable structure of each type, as the specification wants it. */
static int structures_find(pci_function f, struct structure s[STRUCTURES])
{
	unsigned at = 0, seen = 0;
	int last = -ENODEV;

	memset(s, 0, STRUCTURES * sizeof(*s));
	while ((at = pci_capability(f, PCI_CAPABILITY_VENDOR, at)) != 0 &&
	       seen++ < CAPABILITIES_MAX) {
		unsigned type = pci_read(f, at + 3, 1);
		struct structure found;
		int r;

		if (type == 0 || type >= STRUCTURES || s[type].size)
			continue;
		r = structure_read(f, at, type, &found);
		if (r)
			last = r;
		else
			s[type] = found;
	}
	return s[1].size && s[2].size && s[3].size ? 0 : last;
}

static int pci_take(struct device *d, pci_function f)
{
	struct structure s[STRUCTURES];
	unsigned messages = pci_messages(f);
	int r = structures_find(f, s);

	if (r)
		return r;
	pci_wake(f);
	d->status_address = s[1].address + COMMON_STATUS;
	d->status_width = 1;
	r = virtio_reset(d);
	device_arg(d, "virtio=pci");
	for (unsigned i = 1; i < STRUCTURES && !r; i++)
		if (s[i].size)
			r = device_registers(d, structures[i].name, s[i].address, s[i].size,
					     s[i].multiplier);
	if (r)
		return r;
	d->pci = f;
	if (messages) {
		d->vectors = d->vectors < messages ? d->vectors : messages;
		return 0;
	}
	/* Without messages: its line, as the firmware has wired it; PCI's are level and low. */
	d->vectors = 1;
	d->line = pci_read(f, PCI_INTERRUPT_LINE, 1);
	d->line_flags = K_IRQ_LEVEL | K_IRQ_LOW;
	return pci_read(f, PCI_INTERRUPT_PIN, 1) && d->line != 0xff ? 0 : -ENXIO;
}

static const char *trouble(int error)
{
	return error == -ENXIO  ? "the firmware gave it no place" :
	       error == -ENODEV ? "it has no modern interface" :
	       error == -EIO    ? "it does not reset" :
				  "what it says of itself makes no sense";
}

static int pci_find(struct device *d, uint32_t id)
{
	pci_function f;
	int r;

	while (taken_count < sizeof(taken) / sizeof(*taken) && !pci_scan(is_wanted, &id, &f)) {
		taken[taken_count++] = f;
		r = pci_take(d, f);
		if (!r)
			return 0;
		srv_log("%s at PCI %02x:%02x.%x is left alone: %s (%d)", d->kind, f >> 8,
			f >> 3 & 31, f & 7, trouble(r), r);
		device_forget(d);
		d->pci = d->line = DEVICE_NONE;
	}
	return -ENODEV;
}

/* --- memory-mapped slots ------------------------------------------------------------------ */

#define MMIO_MAGIC 0x74726976u	/* "virt" */
#define MMIO_VERSION 2u
#define MMIO_STATUS 0x70u
#define MMIO_LEAST 0x100u

struct slot {
	uint64_t address, size;
	uint32_t line;
	bool taken;
};

static struct slot slots[32];
static unsigned slot_count;
static bool slots_known;

/* One word of the command line: virtio_mmio.device=SIZE@ADDRESS:LINE */
static void slot_parse(const char *word)
{
	struct slot s = { 0 };
	char *end;

	s.size = strtoull(word, &end, 0);
	if (*end == 'K' || *end == 'k') {
		s.size <<= 10;
		end++;
	}
	if (*end != '@')
		return;
	s.address = strtoull(end + 1, &end, 0);
	if (*end != ':')
		return;
	s.line = (uint32_t)strtoul(end + 1, &end, 0);
	if (s.size < MMIO_LEAST || slot_count == sizeof(slots) / sizeof(*slots) || (s.address & 3))
		return;
	slots[slot_count++] = s;
}

static void slots_parse(void)
{
	static const char key[] = "virtio_mmio.device=";
	static struct k_system_info info;
	char *save;

	if (slots_known)
		return;
	slots_known = true;
	if (k_system_info(&info) < 0)
		return;
	info.command_line[sizeof(info.command_line) - 1] = 0;
	for (char *w = strtok_r(info.command_line, " \n", &save); w;
	     w = strtok_r(NULL, " \n", &save))
		if (!strncmp(w, key, sizeof(key) - 1))
			slot_parse(w + sizeof(key) - 1);
}

/* What sits in the slot: magic, version, device number. */
static int slot_probe(const struct slot *s, uint32_t out[3])
{
	struct k_map map;
	int r = registers_map(s->address, 12, &map);

	if (r)
		return r;
	for (int i = 0; i < 3; i++)
		out[i] = ((volatile uint32_t *)(map.address + (s->address & (PAGE - 1))))[i];
	k_space_unmap(-1, map.address, map.size);
	return 0;
}

static int slot_take(struct device *d, const struct slot *s)
{
	int r;

	d->status_address = s->address + MMIO_STATUS;
	d->status_width = 4;
	r = virtio_reset(d);
	device_arg(d, "virtio=mmio");
	if (!r)
		r = device_registers(d, "mmio", s->address, s->size, 0);
	d->vectors = 1;
	d->line = s->line;
	d->line_flags = K_IRQ_LEVEL;
	return r;
}

static int mmio_find(struct device *d, uint32_t id)
{
	uint32_t found[3];

	slots_parse();
	for (unsigned i = 0; i < slot_count; i++) {
		struct slot *s = &slots[i];
		int r;

		if (s->taken || slot_probe(s, found) || found[0] != MMIO_MAGIC || found[2] != id)
			continue;
		s->taken = true;
		r = found[1] == MMIO_VERSION ? slot_take(d, s) : -ENODEV;
		if (!r)
			return 0;
		srv_log("%s at %llx is left alone: %s (%d)", d->kind,
			(unsigned long long)s->address, trouble(r), r);
		device_forget(d);
		d->pci = d->line = DEVICE_NONE;
	}
	return -ENODEV;
}

int virtio_find(struct device *d)
{
	uint32_t id = kind_id(d->kind);

	if (!id)
		return -ENODEV;
	return pci_find(d, id) ? mmio_find(d, id) : 0;
}
