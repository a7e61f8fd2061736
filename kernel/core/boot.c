/* SPDX-License-Identifier: MIT */
/*
 * The first task. The boot module is a cpio archive ("newc"); the kernel looks for one name in it,
 * the supervisor's ELF image, makes a task of it and hands it the fixed handles of abi/native.h. It
 * gets nothing else, and nobody else gets anything but from it.
 */
#include "core/main.h"
#include "arch/boot.h"
#include "arch/cpu.h"
#include "arch/paging.h"
#include "arch/vdso.h"
#include "core/routes.h"
#include "core/sched.h"
#include "core/task.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/space.h"

#define SUPERVISOR "sbin/troupe/supervisor.elf"
#define STACK_TOP 0x7ffffff00000ul
#define STACK_SIZE 0x40000ul
#define SYS_arch_prctl 158

static const struct boot_info *boot;
static struct object control;

/* --- the archive -------------------------------------------------------------------------- */

#define CPIO_HEADER 110

static bool cpio_field(const char *header, unsigned field, uint64_t *value)
{
	*value = 0;
	for (unsigned i = 0; i < 8; i++) {
		char c = header[6 + field * 8 + i];
		unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') :
				 c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 :
				 c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 :
							16;

		if (digit > 15)
			return false;
		*value = *value << 4 | digit;
	}
	return true;
}

/* Finds a member by name (a leading "./" or "/" in the archive does not matter). */
static const char *cpio_find(const char *archive, uint64_t size, const char *name, uint64_t *found)
{
	uint64_t at = 0, file, length;

	while (at + CPIO_HEADER <= size) {
		const char *h = archive + at;
		const char *n = h + CPIO_HEADER;

		if (*h == 0) {
			at += 4;
			continue;
		}
		if (memcmp(h, "070701", 6) || !cpio_field(h, 6, &file) ||
		    !cpio_field(h, 11, &length))
			return NULL;
		if (!length || length > size - at - CPIO_HEADER || n[length - 1])
			return NULL;
		at = (at + CPIO_HEADER + length + 3) & ~3ul;
		if (at > size || file > size - at)
			return NULL;
		while (*n == '.' || *n == '/')
			n++;
		if (strcmp(n, name) == 0) {
			*found = file;
			return archive + at;
		}
		at = (at + file + 3) & ~3ul;
	}
	return NULL;
}

/* --- the image ---------------------------------------------------------------------------- */

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

#define PT_LOAD 1

static void object_fill(struct mobject *m, uint64_t at, const char *from, uint64_t size)
{
	while (size) {
		uint64_t pa, n = PAGE_SIZE - (at & PAGE_MASK);

		if (n > size)
			n = size;
		if (mobject_page(m, NULL, at >> PAGE_SHIFT, true, &pa))
			panic("no memory for the supervisor");
		memcpy((char *)phys_to_virt(pa) + (at & PAGE_MASK), from, n);
		at += n;
		from += n;
		size -= n;
	}
}

static void map_object(struct space *s, struct account *a, uint64_t va, uint64_t size,
		       uint32_t flags, struct mobject **out)
{
	struct k_map map = {
		.address = va, .size = size, .object = 0, .flags = flags | K_MAP_FIXED
	};

	if (mobject_create(a, size, 0, out) || space_map(s, NULL, &map, *out, NULL))
		panic("cannot map the supervisor at %lx", va);
}

static void load_segment(struct space *s, struct account *a, const char *image, uint64_t size,
			 const struct elf_segment *p)
{
	uint64_t skip = p->vaddr & PAGE_MASK;
	struct mobject *m;

	if (p->offset > size || p->filesz > size - p->offset || p->memsz < p->filesz ||
	    p->memsz > 1ul << 30)
		panic("bad segment in the supervisor");
	map_object(s, a, p->vaddr - skip, (p->memsz + skip + PAGE_MASK) & ~PAGE_MASK,
		   (p->flags & 4 ? K_MAP_READ : 0) | (p->flags & 2 ? K_MAP_WRITE : 0) |
			   (p->flags & 1 ? K_MAP_EXECUTE : 0),
		   &m);
	object_fill(m, skip, image + p->offset, p->filesz);
	object_put(mobject_object(m));
}

static uint64_t load_image(struct space *s, struct account *a, const char *image, uint64_t size)
{
	const struct elf_header *e = (const struct elf_header *)image;

	if (size < sizeof(*e) || memcmp(e->ident, "\177ELF\2\1", 6) ||
	    e->phentsize != sizeof(struct elf_segment) || e->phoff > size ||
	    e->phnum * sizeof(struct elf_segment) > size - e->phoff)
		panic("%s is no ELF64 image", SUPERVISOR);
	for (unsigned i = 0; i < e->phnum; i++) {
		struct elf_segment p;

		memcpy(&p, image + e->phoff + i * sizeof(p), sizeof(p));
		if (p.type == PT_LOAD)
			load_segment(s, a, image, size, &p);
	}
	return e->entry;
}

/* --- the task ----------------------------------------------------------------------------- */

static void give(struct task *task, unsigned slot, struct object *o, uint32_t rights)
{
	if (table_reserve(task->table, slot))
		panic("no memory for the supervisor's handles");
	table_set(task->table, slot, o, rights, 0);
}

static void give_physical(struct task *task, unsigned slot, uint64_t pa, uint64_t size,
			  uint32_t rights)
{
	struct mobject *m;

	if (mobject_physical_create(pa, size, &m))
		panic("no memory for the boot objects");
	give(task, slot, mobject_object(m), rights);
}

/* The data page, which the kernel writes, and the image: one object of two kinds of frames. */
static void give_vdso(struct task *task)
{
	uint64_t size = (uint64_t)(arch_vdso_end - arch_vdso_start);

	if (virt_to_phys(arch_vvar_page) + PAGE_SIZE != virt_to_phys(arch_vdso_start))
		panic("the vDSO's data page is not before its image");
	give_physical(task, K_BOOT_VDSO, virt_to_phys(arch_vvar_page), size + PAGE_SIZE,
		      K_RIGHT_READ | K_RIGHT_EXECUTE | K_RIGHT_DUPLICATE);
}

static struct task *make_task(struct account **a)
{
	struct space *s;
	struct table *t;
	struct fsctx *f;
	struct task *task;

	if (account_create(NULL, a) || space_create(*a, &s) || table_create(*a, &t) ||
	    fsctx_create(NULL, &f) || task_create(s, t, f, *a, &task))
		panic("no memory for the first task");
	(*a)->reserve = true;
	task->server = true;
	t->limit = TABLE_MAX;
	memcpy(task->name, "supervisor", 11);
	return task;
}

static void start_thread(struct task *task, uint64_t entry)
{
	struct routes *routes;
	struct thread *t;

	if (routes_create(K_ROUTES_NATIVE, &routes) || thread_create(task, routes, &t))
		panic("no memory for the first thread");
	routes->entry[SYS_arch_prctl] =
		(struct k_route){ .destination = K_TO_NOWHERE, .shortcut = K_OP_arch_prctl };
	t->priority = K_PRIORITY_SERVER;
	arch_frame_init(&t->frame, entry, STACK_TOP);
	sched_ready(t);
}

void boot_supervisor(const struct boot_info *info)
{
	const struct boot_module *module = &info->modules[0];
	const char *archive = phys_to_virt(module->start), *image;
	struct account *a;
	struct task *task;
	struct mobject *stack;
	uint64_t size;

	boot = info;
	if (!info->module_count)
		panic("no boot archive: start QEMU with -initrd build/boot.cpio");
	image = cpio_find(archive, module->size, SUPERVISOR, &size);
	if (!image)
		panic("%s is not in the boot archive", SUPERVISOR);
	task = make_task(&a);
	object_init(&control, K_OBJECT_CONTROL);
	object_get(&control);		/* it is never destroyed, whoever closes his handle */
	object_get(&task->object);
	give(task, K_BOOT_TASK, &task->object, K_RIGHTS_ALL);
	give(task, K_BOOT_CONTROL, &control, K_RIGHTS_ALL);
	give_physical(task, K_BOOT_ARCHIVE, module->start, (module->size + PAGE_MASK) & ~PAGE_MASK,
		      K_RIGHT_READ | K_RIGHT_DUPLICATE);
	give_vdso(task);
	map_object(task->space, a, STACK_TOP - STACK_SIZE, STACK_SIZE, K_MAP_READ | K_MAP_WRITE,
		   &stack);
	object_put(mobject_object(stack));
	start_thread(task, load_image(task->space, a, image, size));
}

/* --- what servers ask about the machine --------------------------------------------------- */

static unsigned hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	return c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : 16;
}

/*
 * Entropy of the command line (seed=HEX, mixed crudely: the process server hashes it) and of the
 * CPU.
 */
static void boot_entropy(uint64_t seed[4])
{
	const char *hex = boot_option("seed");

	for (unsigned i = 0; hex && hex_digit(hex[i]) < 16; i++)
		seed[i / 16 % 4] =
			(seed[i / 16 % 4] << 4 | seed[i / 16 % 4] >> 60) ^ hex_digit(hex[i]);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t word;

		if (arch_random(&word))
			seed[i] ^= word;
	}
}

void boot_describe(struct k_system_info *info)
{
	int64_t start = arch_vdso_symbol("troupe_start");

	memcpy(info->command_line, boot->command, sizeof(info->command_line) - 1);
	boot_entropy(info->seed);
	info->vdso_size = PAGE_SIZE + (uint64_t)(arch_vdso_end - arch_vdso_start);
	info->vdso_start = start < 0 ? 0 : PAGE_SIZE + (uint64_t)start;
	strlcpy(info->cpu_model, arch_features.brand, sizeof(info->cpu_model));
	strlcpy(info->cpu_vendor, arch_features.vendor, sizeof(info->cpu_vendor));
}
