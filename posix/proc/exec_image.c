/*
 * The address space of a new program.
 *
 *	0x400000 ...               a program at fixed addresses
 *	0x555555554000 + random    one that may lie anywhere; the heap follows it
 *	0x7ff000000000 + random    its interpreter
 *	0x7fff_e000_0000 + random  vDSO
 *	0x7fff_ffff_f000 - random  top of the stack
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/proc/exec.h"

#include <errno.h>
#include <string.h>

#include "posix/misc/random.h"

#define PAGE 4096ull
#define PHDR_SIZE 56u
#define PROGRAM_BASE 0x555555554000ull
#define INTERPRETER_BASE 0x7ff000000000ull
#define VDSO_BASE 0x7fffe0000000ull
#define STACK_TOP 0x7ffffffff000ull
#define STACK_START (132ull * 1024)	/* what is mapped beyond the arguments; the rest grows */

static uint64_t page_down(uint64_t a)
{
	return a & ~(PAGE - 1);
}

static uint64_t page_up(uint64_t a)
{
	return page_down(a + PAGE - 1);
}

/* A random number of pages below 2^bits. */
static uint64_t random_pages(unsigned bits)
{
	uint32_t r;

	random_bytes(&r, sizeof r);
	return (uint64_t)(r & ((1u << bits) - 1)) * PAGE;
}

/* --- vDSO ------------------------------------------------------------------------------------- */

static struct {
	int object;
	uint64_t size;		/* with the data page */
	uint64_t start;		/* of troupe_start in the image */
} vdso = { .object = -1 };

struct symbol {
	uint32_t name;
	uint8_t info, other;
	uint16_t section;
	uint64_t value, size;
};

/* The value of a symbol in an ELF image that lies complete at `image`; ~0 if it is not there. */
static uint64_t image_symbol(const char *image, uint64_t size, const char *wanted)
{
	struct {
		uint8_t ident[16];
		uint16_t type, machine;
		uint32_t version;
		uint64_t entry, phoff;
	} h;
	uint64_t symbols = 0, strings = 0;

	memcpy(&h, image, sizeof h);
	for (unsigned i = 0; i < 8 && h.phoff + (i + 1) * PHDR_SIZE <= size; i++) {
		struct { uint32_t type, flags; uint64_t offset, vaddr, paddr, filesz; } p;

		memcpy(&p, image + h.phoff + i * PHDR_SIZE, sizeof p);
		for (uint64_t at = p.offset;
		     p.type == 2 && at + 16 <= p.offset + p.filesz && at + 16 <= size; at += 16) {
			uint64_t d[2];

			memcpy(d, image + at, sizeof d);
			if (d[0] == 5)
				strings = d[1];
			if (d[0] == 6)
				symbols = d[1];
		}
	}
	/* the string table follows the symbols */
	for (uint64_t at = symbols;
	     symbols && at + sizeof(struct symbol) <= size && (strings < symbols || at < strings);
	     at += sizeof(struct symbol)) {
		struct symbol s;

		memcpy(&s, image + at, sizeof s);
		if (strings + s.name + strlen(wanted) < size &&
		    !strcmp(image + strings + s.name, wanted))
			return s.value;
	}
	return ~0ull;
}

void exec_image_setup(int object)
{
	struct k_mobject_info info;
	struct k_map map = { .space = -1, .object = object, .flags = K_MAP_READ };

	if (object < 0 || k_mobject_info(object, &info) < 0 || info.size < 2 * PAGE)
		srv_panic("there is no vDSO");
	map.size = info.size;
	if (k_space_map(&map) < 0)
		srv_panic("the vDSO cannot be mapped");
	vdso.object = object;
	vdso.size = page_up(info.size);
	vdso.start = image_symbol((const char *)(uintptr_t)(map.address + PAGE), vdso.size - PAGE,
				  "troupe_start");
	k_space_unmap(-1, map.address, vdso.size);
	if (vdso.start == ~0ull)
		srv_panic("the vDSO has no troupe_start");
}

uint64_t exec_vdso_start_offset(void)
{
	return vdso.start;
}

uint64_t exec_vdso_size(void)
{
	return vdso.size;
}

int exec_map_vdso(int space, uint64_t address)
{
	struct k_map data = { .address = address,
			      .size = PAGE,
			      .space = space,
			      .object = vdso.object,
			      .flags = K_MAP_READ | K_MAP_FIXED };
	struct k_map text = { .address = address + PAGE,
			      .size = vdso.size - PAGE,
			      .offset = PAGE,
			      .space = space,
			      .object = vdso.object,
			      .flags = K_MAP_READ | K_MAP_EXECUTE | K_MAP_FIXED };
	long r = k_space_map(&data);

	return (int)(r < 0 ? r : k_space_map(&text));
}

/* --- a file's segments ------------------------------------------------------------------------ */

static int map_file(int space, int object, uint64_t address, uint64_t size, uint64_t offset,
		    uint32_t flags)
{
	struct k_map map = { .address = address,
			     .size = size,
			     .offset = offset,
			     .space = space,
			     .object = object,
			     .flags = flags | K_MAP_FIXED };

	return (int)k_space_map(&map);
}

static int segment_map(struct exec *e, const struct exec_file *f, const struct elf_image_segment *s)
{
	uint32_t flags = (s->access & ELF_READ ? K_MAP_READ : 0) |
			 (s->access & ELF_WRITE ? K_MAP_WRITE : 0) |
			 (s->access & ELF_EXECUTE ? K_MAP_EXECUTE : 0) | K_MAP_PRIVATE;
	uint64_t address = f->bias + s->address, start = page_down(address);
	uint64_t file_end = address + s->file_size, end = page_up(address + s->memory_size);
	uint64_t mapped = s->file_size ? page_up(file_end) : start;
	int r = 0;

	if (mapped > start)
		r = map_file(e->space, f->description, start, mapped - start,
			     s->offset - (address - start), flags);
	if (!r && end > mapped)
		r = map_file(e->space, -1, mapped, end - mapped, 0, flags);
	/* what is behind the file's data on its last page must read as zero */
	if (!r && (s->access & ELF_WRITE) && s->memory_size > s->file_size &&
	    (file_end & (PAGE - 1)) && e->zeros < 2) {
		e->zero[e->zeros].at = file_end;
		e->zero[e->zeros++].size = page_up(file_end) - file_end;
	}
	return r;
}

static int file_map(struct exec *e, const struct exec_file *f)
{
	int r = 0;

	for (uint32_t i = 0; i < f->elf.segments && !r; i++)
		r = segment_map(e, f, &f->elf.segment[i]);
	return r;
}

static void image_note(struct exec *e)
{
	const struct exec_file *f = &e->program;
	struct process_image *i = &e->image;

	i->code_start = f->bias + f->elf.code_start;
	i->code_end = f->bias + f->elf.code_end;
	i->data_start = f->bias + f->elf.data_start;
	i->data_end = f->bias + f->elf.data_end;
	i->entry = f->bias + f->elf.entry;
}

/* Where a file that may lie anywhere is put: near `base`, aligned as it wants. */
static uint64_t bias_choose(const struct elf_image *i, uint64_t base)
{
	uint64_t bias = base + random_pages(20) - i->low;

	return i->dynamic ? bias & ~(i->align - 1) : 0;
}

/* The heap begins behind the program, empty. */
static int heap_map(struct exec *e)
{
	uint64_t at = e->program.bias + e->program.elf.high;

	if (e->program.elf.dynamic)
		at += random_pages(10);
	return map_file(e->space, -1, at, 0, 0,
			K_MAP_READ | K_MAP_WRITE | K_MAP_PRIVATE | K_MAP_HEAP);
}

static int stack_map(struct exec *e)
{
	uint64_t size = page_up(e->stack_top - e->stack_sp) + STACK_START;
	uint32_t flags = K_MAP_READ | K_MAP_WRITE | K_MAP_PRIVATE | K_MAP_GROWSDOWN | K_MAP_STACK;

	if (e->program.elf.stack == ELF_STACK_EXECUTABLE)
		flags |= K_MAP_EXECUTE;
	return map_file(e->space, -1, page_up(e->stack_top) - size, size, 0, flags);
}

int exec_space_make(struct exec *e)
{
	uint64_t vdso_at = VDSO_BASE + random_pages(12);
	int r;

	e->program.bias = bias_choose(&e->program.elf, PROGRAM_BASE);
	if (e->interpreter.description >= 0)
		e->interpreter.bias = bias_choose(&e->interpreter.elf, INTERPRETER_BASE);
	e->stack_top = STACK_TOP - random_pages(12);
	e->image.vdso = vdso_at + PAGE;
	r = exec_stack_make(e);
	if (r)
		return r;
	e->space = (int)k_space_create();
	if (e->space < 0)
		return e->space;
	r = file_map(e, &e->program);
	if (!r && e->interpreter.description >= 0)
		r = file_map(e, &e->interpreter);
	if (!r)
		r = heap_map(e);
	if (!r)
		r = stack_map(e);
	if (!r)
		r = exec_map_vdso(e->space, vdso_at);
	image_note(e);
	e->entry = e->interpreter.description >= 0 ?
			   e->interpreter.bias + e->interpreter.elf.entry :
			   e->image.entry;
	return r;
}
