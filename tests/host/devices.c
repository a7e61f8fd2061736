/*
 * How the supervisor finds devices (posix/supervisor/{pci,virtio,device}.c), over a machine that is
 * played here: one with an ordinary virtio device, and thousands whose configuration spaces and
 * command lines are garbage, or nearly right. Whatever devices say, the walk ends, no RAM and no
 * interrupt controller is taken for registers, and no handle is left over.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"
#include <errno.h>
#include "calls.h"
#include "posix/supervisor/device.h"
#include "posix/supervisor/pci.h"
#include "posix/supervisor/virtio.c"	/* the whole of it: each test begins with nothing taken */

#define FUNCTIONS 6
#define RAM_END 0x10000000ul		/* and the boot archive lies in it */

static struct {
	struct function {
		pci_function at;
		uint8_t space[256];
		uint32_t fixed[6];	/* bits of base address registers that cannot be set */
	} function[FUNCTIONS];
	unsigned functions;
	bool bridge;			/* configuration mechanism 1 answers */
	uint32_t address;
	uint64_t accesses;
	uint8_t reset_reads;		/* what status registers read as */
	uint32_t slot[3];	/* magic, version, device in the memory-mapped slots */
	char command_line[1024];
} machine;

enum { FREE, OTHER, OBJECT };

static struct {
	int kind;
	uint64_t address, size;
	int references;
} handles[64];

static unsigned handle_count(void)
{
	unsigned n = 0;

	for (size_t i = 1; i < LENGTH(handles); i++)
		n += handles[i].kind != FREE;
	return n;
}

static long handle_new(int kind, uint64_t address, uint64_t size)
{
	for (size_t i = 1; i < LENGTH(handles); i++) {
		if (handles[i].kind != FREE)
			continue;
		handles[i].kind = kind;
		handles[i].address = address;
		handles[i].size = size;
		return (long)i;
	}
	FAIL("too many handles");
}

/* --- configuration space ------------------------------------------------------------------ */

static uint8_t *space_at(uint32_t address)
{
	for (unsigned i = 0; i < machine.functions; i++)
		if (machine.function[i].at == (address >> 8 & 0xffff))
			return machine.function[i].space;
	return NULL;
}

static void port_out(unsigned offset, unsigned width, uint32_t value)
{
	uint8_t *space;

	machine.accesses++;
	if (offset == 0) {
		CHECK_EQ(width, 4);
		machine.address = value;
		return;
	}
	space = space_at(machine.address);
	if (!space)
		return;
	offset = (machine.address & 0xfc) + (offset - 4);
	if (offset >= 0x10 && offset < 0x28) {
		struct function *f =
			(struct function *)(void *)(space - offsetof(struct function, space));
		uint32_t old;

		CHECK_EQ(width, 4);
		memcpy(&old, space + offset, 4);
		value = (value & ~f->fixed[(offset - 0x10) / 4]) |
			(old & f->fixed[(offset - 0x10) / 4]);
	}
	memcpy(space + offset, &value, width);
}

static uint32_t port_in(unsigned offset, unsigned width)
{
	uint32_t value = ~0u;
	uint8_t *space = space_at(machine.address);

	machine.accesses++;
	if (!machine.bridge)
		return value;
	if (offset == 0)
		return machine.address;
	if (space) {
		value = 0;
		memcpy(&value, space + (machine.address & 0xfc) + (offset - 4), width);
	}
	return value;
}

/* --- the kernel --------------------------------------------------------------------------- */

static bool is_ram(uint64_t address, uint64_t size)
{
	return address < RAM_END && address + size <= RAM_END;
}

static long map_registers(struct k_map *map)
{
	CHECK(map->object > 0 && handles[map->object].kind == OBJECT);
	CHECK(map->size <= handles[map->object].size);
	/* what is mapped can be written to: it must be nothing but a device's */
	CHECK(handles[map->object].address >= RAM_END);
	CHECK(handles[map->object].address >= 0xfef00000ul ||
	      handles[map->object].address + handles[map->object].size <= 0xfec00000ul);
	map->address = (uint64_t)(uintptr_t)aligned_alloc(PAGE, map->size);
	memset((void *)(uintptr_t)map->address, machine.reset_reads, map->size);
	memcpy((void *)(uintptr_t)(map->address + 0xe00), machine.slot, sizeof(machine.slot));
	return 0;
}

long k_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	(void)e, (void)f;
	switch (n) {
	case K_NATIVE_ioport_create: return handle_new(OTHER, 0, 0);
	case K_NATIVE_ioport_out: port_out((unsigned)b, (unsigned)c, (uint32_t)d); return 0;
	case K_NATIVE_ioport_in: *(uint32_t *)d = port_in((unsigned)b, (unsigned)c); return 0;
	case K_NATIVE_mobject_physical:
		CHECK(!(b & (PAGE - 1)) && !((uint64_t)c & (PAGE - 1)));
		return (uint64_t)b > 1ul << 52 ? -EINVAL :
						 handle_new(OBJECT, (uint64_t)b, (uint64_t)c);
	case K_NATIVE_mobject_read:
		return is_ram(handles[a].address, handles[a].size) ? 1 : -EINVAL;
	case K_NATIVE_space_map: return map_registers((struct k_map *)a);
	case K_NATIVE_space_unmap: free((void *)b); return 0;
	case K_NATIVE_handle_duplicate:
		return handle_new(handles[a].kind, handles[a].address, handles[a].size);
	case K_NATIVE_handle_close: CHECK(handles[a].kind); handles[a].kind = FREE; return 0;
	case K_NATIVE_task_install: return 100 + b;
	case K_NATIVE_notification_create: return handle_new(OTHER, 0, 0);
	case K_NATIVE_irq_create: return (unsigned long)b < 256 ? handle_new(OTHER, 0, 0) : -EINVAL;
	case K_NATIVE_irq_message:
		*(struct k_irq_message *)b = (struct k_irq_message){ 0xfee00000, 0x41, 0 };
		return 0;
	case K_NATIVE_system_info:
		strcpy(((struct k_system_info *)a)->command_line, machine.command_line);
		return 0;
	}
	FAIL("unexpected call %ld", n - K_NATIVE_BASE);
}

void srv_log(const char *format, ...)
{
	(void)format;
}

/* --- machines ----------------------------------------------------------------------------- */

static void put(uint8_t *space, unsigned offset, unsigned width, uint32_t value)
{
	memcpy(space + offset, &value, width);
}

static void capability(uint8_t *space, unsigned at, unsigned next, unsigned type, unsigned bar,
		       uint32_t offset, uint32_t size)
{
	put(space, at, 4, 0x09 | next << 8 | 20u << 16 | type << 24);
	put(space, at + 4, 1, bar);
	put(space, at + 8, 4, offset);
	put(space, at + 12, 4, size);
	put(space, at + 16, 4, 4);
}

/* As QEMU's: MSI-X in BAR 1, the rest in BAR 4, which is 64 bits wide. */
static void virtio_net(struct function *f, pci_function at)
{
	memset(f, 0, sizeof(*f));
	f->at = at;
	put(f->space, 0x00, 4, 0x1041u << 16 | 0x1af4);
	put(f->space, 0x06, 2, 0x10);
	put(f->space, 0x14, 4, 0xfebf0000);
	put(f->space, 0x20, 4, 0xe000000c);
	put(f->space, 0x24, 4, 0x1);
	put(f->space, 0x34, 1, 0x40);
	put(f->space, 0x3c, 2, 0x010b);
	memset(f->fixed, 0xff, sizeof(f->fixed));
	f->fixed[1] = 0xfff;
	f->fixed[4] = 0x3fff;
	f->fixed[5] = 0;
	put(f->space, 0x40, 4, 0x11 | 0x50 << 8 | 2u << 16);
	put(f->space, 0x44, 4, 0x1);
	capability(f->space, 0x50, 0x64, 1, 4, 0, 0x1000);
	capability(f->space, 0x64, 0x78, 3, 4, 0x1000, 0x1000);
	capability(f->space, 0x78, 0x8c, 4, 4, 0x2000, 0x1000);
	capability(f->space, 0x8c, 0, 2, 4, 0x3000, 0x1000);
}

static void begin(void)
{
	memset(&machine, 0, sizeof(machine));
	machine.bridge = true;
	taken_count = slot_count = 0;
	slots_known = false;
}

/* Finds, grants and lets go; what stays is what the supervisor keeps for ever (its ports). */
static int try(struct device *d, const char *kind, unsigned vectors)
{
	unsigned before = handle_count();
	int r;

	memset(d, 0, sizeof(*d));
	strcpy(d->kind, kind);
	d->wanted = true;
	d->vectors = vectors;
	machine.accesses = 0;
	r = device_find(d);
	CHECK(machine.accesses < 200000);
	CHECK(r || (d->vectors >= 1 && d->vectors <= vectors));
	if (r)
		CHECK_EQ(d->items, 0);
	d->found = !r;
	for (size_t i = 0; !r && i < d->items; i++)
		CHECK(handles[d->item[i].handle].kind == OBJECT);
	if (!r && !device_grant(d, 1, 2))
		CHECK(d->items >= 2);
	device_stop(d);
	CHECK(handle_count() <= before + 1);
	return r;
}

static bool has_arg(const struct device *d, const char *text)
{
	for (size_t i = 0; i < d->args; i++)
		if (!strcmp(d->arg[i], text))
			return true;
	return false;
}

TEST(devices, ordinary)
{
	struct device d;
	uint32_t value;

	begin();
	virtio_net(&machine.function[machine.functions++], 0x0010);
	CHECK_EQ(try(&d, "virtio-blk", 1), -ENODEV);
	CHECK_EQ(try(&d, "virtio-net", 2), 0);
	CHECK_EQ(d.vectors, 2);
	CHECK(has_arg(&d, "virtio=pci"));
	CHECK(has_arg(&d, "common=0:4096:0"));
	CHECK(has_arg(&d, "notify=0:4096:4"));
	CHECK(has_arg(&d, "vectors=2"));
	memcpy(&value, machine.function[0].space + 0x40, 4);
	CHECK_EQ(value >> 30, 2);	/* MSI-X on, not masked */
	memcpy(&value, machine.function[0].space + 0x20, 4);
	CHECK_EQ(value, 0xe000000c);	/* sizing has put it back */
	CHECK_EQ(machine.function[0].space[4] & 4, 0);	/* device_stop */
	CHECK_EQ(try(&d, "virtio-net", 2), -ENODEV);	/* it is taken */
}

TEST(devices, not_placed_by_firmware)
{
	struct device d;

	begin();
	virtio_net(&machine.function[machine.functions++], 0x0110);
	machine.function[0].at = 0x18;
	put(machine.function[0].space, 0x20, 4, 0xc);
	put(machine.function[0].space, 0x24, 4, 0);
	CHECK_EQ(try(&d, "virtio-net", 1), -ENODEV);
}

TEST(devices, registers_in_ram)
{
	struct device d;

	begin();
	virtio_net(&machine.function[machine.functions++], 0x20);
	put(machine.function[0].space, 0x20, 4, 0x0010000c);
	put(machine.function[0].space, 0x24, 4, 0);
	CHECK_EQ(try(&d, "virtio-net", 1), -ENODEV);
	begin();
	virtio_net(&machine.function[machine.functions++], 0x28);
	put(machine.function[0].space, 0x20, 4, 0xfee0000c);
	put(machine.function[0].space, 0x24, 4, 0);
	CHECK_EQ(try(&d, "virtio-net", 1), -ENODEV);
}

TEST(devices, slots)
{
	struct device d;

	begin();
	memcpy(machine.slot, (uint32_t[]){ MMIO_MAGIC, 2, 1 }, sizeof(machine.slot));
	strcpy(machine.command_line,
	       "a virtio_mmio.device=4K@0x1000:1 virtio_mmio.device=512@0xfeb00e00:12 virtio_mmio.device=");
	CHECK_EQ(try(&d, "virtio-net", 2), 0);	/* not the first: that is RAM */
	CHECK_EQ(d.vectors, 1);
	CHECK_EQ(d.line, 12);
	CHECK(has_arg(&d, "virtio=mmio"));
	CHECK(has_arg(&d, "mmio=3584:512:0"));
	CHECK(has_arg(&d, "vectors=0"));
	CHECK_EQ(try(&d, "virtio-net", 2), -ENODEV);
	begin();
	memcpy(machine.slot, (uint32_t[]){ MMIO_MAGIC, 1, 1 }, sizeof(machine.slot));
	strcpy(machine.command_line, "virtio_mmio.device=512@0xfeb00e00:12");
	CHECK_EQ(try(&d, "virtio-net", 2), -ENODEV);
}

/* Garbage: of everything, or of single bytes of something right. */
TEST(devices, hostile)
{
	uint64_t seed = 7;
	struct device d;
	unsigned found = 0;

	for (unsigned round = 0; round < test_rounds(4000); round++) {
		begin();
		machine.functions = 1 + test_below(&seed, FUNCTIONS);
		machine.reset_reads = test_below(&seed, 16) ? 0 : 0xff;
		memcpy(machine.slot, (uint32_t[]){ MMIO_MAGIC, 2, 1 }, sizeof(machine.slot));
		snprintf(machine.command_line, sizeof(machine.command_line),
			 "virtio_mmio.device=%#x@%#llx:%u %.*s", test_below(&seed, 0x2000),
			 (unsigned long long)(test_random(&seed) >> test_below(&seed, 64)),
			 test_below(&seed, 300), (int)test_below(&seed, 60),
			 "virtio_mmio.device=999999999999999999999@99999999999999999999:-1");
		for (unsigned i = 0; i < machine.functions; i++) {
			struct function *f = &machine.function[i];

			virtio_net(f, test_below(&seed, 2) ? test_below(&seed, 0x100) :
							     test_below(&seed, 0x10000));
			if (!test_below(&seed, 4))
				put(f->space, 0x0c, 4,
				    test_below(&seed, 2) << 23 | 1 << 16); /* a bridge */
			for (unsigned n = test_below(&seed, 8); n; n--)
				f->space[(test_below(&seed, 2) ? 4 : 0x40) +
					 test_below(&seed, 0x70)] = (uint8_t)test_random(&seed);
			if (!test_below(&seed, 8))
				for (unsigned b = 4; b < 256; b++)
					f->space[b] = (uint8_t)test_random(&seed);
			if (!test_below(&seed, 4))
				f->fixed[test_below(&seed, 6)] = (uint32_t)test_random(&seed);
		}
		found += !try(&d, test_below(&seed, 8) ? "virtio-net" : "virtio-9p",
			      1 + test_below(&seed, 4));
	}
	CHECK(found > 10 || test_rounds(4000) < 4000);
}
