/*
 * From the loader's information to kernel_main(): memory ranges, command line, modules, and the
 * order in which arch comes up.
 *
 * PVH (QEMU -kernel) and Multiboot2 (GRUB) say the same in two formats. Both are read through the
 * boot tables, which reach the first GiB; everything that is needed later is copied.
 *
 * SPDX-License-Identifier: MIT
 */
#include "priv.h"
#include "dev/console.h"
#include "lib/print.h"
#include "lib/string.h"

#define BOOT_TABLE_REACH (1ull << 30)
#define LOW_END 0x100000ull /* the first MiB is left to firmware and the trampoline */
#define PVH_MAGIC 0x336ec578u
#define MULTIBOOT_MAGIC 0x36d76289u
#define MEMORY_RAM 1
#define MEMORY_MAX 128

struct pvh_info {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, command, rsdp, memory;
	uint32_t memory_count, reserved;
};

struct pvh_module {
	uint64_t start, size, command, reserved;
};

struct pvh_memory {
	uint64_t start, size;
	uint32_t type, reserved;
};

struct multiboot_tag {
	uint32_t type, size;
};

struct boot_info boot_info;
bool boot_done;

/* What the firmware said, unsorted. */
static struct {
	uint64_t start, end;
	uint32_t type;
} memory[MEMORY_MAX];
static unsigned memory_count;

static void memory_add(uint64_t start, uint64_t size, uint32_t type)
{
	if (memory_count == MEMORY_MAX || !size || start + size < start)
		return;
	memory[memory_count].start = start;
	memory[memory_count].end = start + size;
	memory[memory_count++].type = type;
}

static void module_add(uint64_t start, uint64_t size)
{
	if (boot_info.module_count < BOOT_MODULES)
		boot_info.modules[boot_info.module_count++] = (struct boot_module){ start, size };
}

static void read_pvh(const struct pvh_info *info)
{
	const struct pvh_module *modules = phys_to_virt(info->modules);
	const struct pvh_memory *map = phys_to_virt(info->memory);
	if (info->command)
		strlcpy(boot_info.command, phys_to_virt(info->command), BOOT_COMMAND);
	for (unsigned i = 0; i < info->module_count; i++)
		module_add(modules[i].start, modules[i].size);
	for (unsigned i = 0; info->version > 0 && i < info->memory_count; i++)
		memory_add(map[i].start, map[i].size, map[i].type);
	boot_info.rsdp = info->rsdp;
}

static void read_multiboot(uint64_t address)
{
	const char *base = phys_to_virt(address), *end = base + *(const uint32_t *)base;
	for (const char *p = base + 8; p + 8 <= end;) {
		const struct multiboot_tag *tag = (const void *)p;
		const uint32_t *words = (const uint32_t *)p;
		if (tag->type == 1) {
			strlcpy(boot_info.command, p + 8, BOOT_COMMAND);
		} else if (tag->type == 3) {
			module_add(words[2], words[3] - words[2]);
		} else if (tag->type == 6) {
			for (const char *e = p + 16; e + 24 <= p + tag->size; e += words[2]) {
				const struct pvh_memory *m = (const void *)e;
				memory_add(m->start, m->size, m->type);
			}
		} else if (tag->type == 14 || tag->type == 15) { /* a copy of the RSDP */
			boot_info.rsdp = address + (uint64_t)(p - base) + 8;
		}
		p += (tag->size + 7) & -8u;
	}
}

bool boot_is_memory(uint64_t start, uint64_t end)
{
	if (start < LOW_END)
		return true;
	for (unsigned i = 0; i < memory_count; i++) {
		bool near = memory[i].type == MEMORY_RAM || memory[i].end <= boot_info.ram_top;
		if (near && memory[i].start < end && memory[i].end > start)
			return true;
	}
	return false;
}

static void range_add(uint64_t start, uint64_t end)
{
	struct boot_info *b = &boot_info;
	unsigned i = b->range_count;
	start = (start + ARCH_PAGE_SIZE - 1) & -ARCH_PAGE_SIZE;
	end &= -ARCH_PAGE_SIZE;
	if (start < LOW_END)
		start = LOW_END;
	if (start >= end || i == BOOT_RANGES)
		return;
	b->range_count++;
	for (; i > 0 && b->ranges[i - 1].start > start; i--)
		b->ranges[i] = b->ranges[i - 1];
	b->ranges[i] = (struct boot_range){ start, end };
}

/* Takes [start, end), widened to pages, out of the free ranges. */
static void range_remove(uint64_t start, uint64_t end)
{
	struct boot_info *b = &boot_info;
	struct boot_range old[BOOT_RANGES];
	unsigned count = b->range_count;
	memcpy(old, b->ranges, sizeof(old));
	start &= -ARCH_PAGE_SIZE;
	end = (end + ARCH_PAGE_SIZE - 1) & -ARCH_PAGE_SIZE;
	b->range_count = 0;
	for (unsigned i = 0; i < count; i++) {
		uint64_t low_end = old[i].end < start ? old[i].end : start;
		uint64_t high_start = old[i].start > end ? old[i].start : end;
		range_add(old[i].start, low_end);
		range_add(high_start, old[i].end);
	}
}

static void ranges_init(void)
{
	struct boot_info *b = &boot_info;
	for (unsigned i = 0; i < memory_count; i++) {
		if (memory[i].type != MEMORY_RAM)
			continue;
		range_add(memory[i].start, memory[i].end);
		b->ram_bytes += memory[i].end - memory[i].start;
		if (memory[i].end > b->ram_top)
			b->ram_top = memory[i].end;
	}
	b->kernel = (struct boot_range){ virt_to_phys(image_start), virt_to_phys(image_end) };
	range_remove(b->kernel.start, b->kernel.end);
	for (unsigned i = 0; i < b->module_count; i++)
		range_remove(b->modules[i].start, b->modules[i].start + b->modules[i].size);
}

/* From the lowest range that has room: page tables made before the real direct map must lie within
 * the boot tables' reach. */
uint64_t boot_alloc(size_t size)
{
	size = (size + ARCH_PAGE_SIZE - 1) & -ARCH_PAGE_SIZE;
	for (unsigned i = 0; !boot_done && i < boot_info.range_count; i++) {
		struct boot_range *r = &boot_info.ranges[i];
		if (r->end - r->start < size || r->start + size > BOOT_TABLE_REACH)
			continue;
		uint64_t pa = r->start;
		r->start += size;
		memset(phys_to_virt(pa), 0, size);
		return pa;
	}
	panic("no memory to start with");
}

static void ranges_tidy(void)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < boot_info.range_count; i++)
		if (boot_info.ranges[i].start < boot_info.ranges[i].end)
			boot_info.ranges[kept++] = boot_info.ranges[i];
	boot_info.range_count = kept;
}

const char *boot_option(const char *name)
{
	size_t length = strlen(name);
	for (const char *p = boot_info.command; *p;) {
		while (*p == ' ')
			p++;
		if (!strncmp(p, name, length)) {
			if (p[length] == '=')
				return p + length + 1;
			if (p[length] == ' ' || !p[length])
				return p + length;
		}
		while (*p && *p != ' ')
			p++;
	}
	return NULL;
}

/* On the boot CPU's own stack, with the kernel's own map. */
static void boot_continue(void)
{
	acpi_init(boot_info.rsdp);
	power_init();
	apic_init();
	clock_init();
	timer_init_cpu();
	vdso_init();
	smp_discover();
	ranges_tidy();
	boot_done = true;
	kernel_main(&boot_info);
}

void boot_start(uint32_t magic, uint32_t information);
void boot_start(uint32_t magic, uint32_t information)
{
	static struct arch_cpu early; /* so that a panic finds a CPU's block */
	early.self = &early;
	msr_write(MSR_GS_BASE, (uint64_t)&early);
	trap_init();
	trap_load();
	console_init();
	const struct pvh_info *pvh = phys_to_virt(information);
	if (magic == MULTIBOOT_MAGIC)
		read_multiboot(information);
	else if (pvh->magic == PVH_MAGIC)
		read_pvh(pvh);
	ranges_init();
	cpu_features_init();
	copy_choose();
	paging_init();
	struct arch_cpu *cpu = cpu_create(0);
	cpu_setup(cpu);
	boot_stack_switch(cpu->stack_top, boot_continue);
}
