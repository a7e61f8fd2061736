/*
 * The ELF64 program reader.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/proc/elf.h"

#include <errno.h>
#include <string.h>

#define PAGE 4096ull
#define ADDRESS_END 0x00007ffffffff000ull

struct header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct phdr {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct header) == 64 && sizeof(struct phdr) == ELF_PHDR_SIZE, "ELF64 layouts");

enum { ET_EXEC = 2, ET_DYN = 3, EM_X86_64 = 62 };
enum { PT_LOAD = 1, PT_INTERP = 3, PT_PHDR = 6, PT_GNU_STACK = 0x6474e551 };
enum { PF_X = 1, PF_W = 2, PF_R = 4 };

int elf_read_header(const void *head, size_t n, struct elf_info *e)
{
	struct header h;

	if (n < sizeof h)
		return -ENOEXEC;
	memcpy(&h, head, sizeof h);
	if (memcmp(h.ident, "\177ELF\2\1\1", 7) || h.machine != EM_X86_64 || (h.type != ET_EXEC && h.type != ET_DYN))
		return -ENOEXEC;
	if (h.phentsize != ELF_PHDR_SIZE || h.phnum == 0 || h.phnum > ELF_HEADERS_MAX)
		return -ENOEXEC;
	memset(e, 0, sizeof *e);
	e->dynamic = h.type == ET_DYN;
	e->entry = h.entry;
	e->headers_at = h.phoff;
	e->headers = h.phnum;
	return 0;
}

static int segment_add(struct elf_info *e, const struct phdr *p, uint64_t file_size)
{
	struct elf_segment *s = &e->segment[e->segments];

	if (!p->memsz)
		return 0;
	if (e->segments == ELF_SEGMENTS || p->filesz > p->memsz || p->memsz > ADDRESS_END || p->vaddr > ADDRESS_END - p->memsz)
		return -ENOEXEC;
	if (p->offset > file_size || p->filesz > file_size - p->offset)
		return -ENOEXEC;
	if ((p->offset ^ p->vaddr) & (PAGE - 1))
		return -ENOEXEC;
	if (e->segments && p->vaddr < e->high && (p->vaddr & ~(PAGE - 1)) < ((s[-1].address + s[-1].memory_size + PAGE - 1) & ~(PAGE - 1)))
		return -ENOEXEC;
	*s = (struct elf_segment){ .address = p->vaddr, .memory_size = p->memsz, .offset = p->offset, .file_size = p->filesz,
		.read = p->flags & PF_R, .write = p->flags & PF_W, .execute = p->flags & PF_X };
	if (!e->segments)
		e->low = p->vaddr & ~(PAGE - 1);
	e->high = (p->vaddr + p->memsz + PAGE - 1) & ~(PAGE - 1);
	if (!e->headers_address && p->offset <= e->headers_at && e->headers_at + e->headers * ELF_PHDR_SIZE <= p->offset + p->filesz)
		e->headers_address = e->headers_at - p->offset + p->vaddr;
	e->segments++;
	return 0;
}

int elf_read_segments(const void *headers, uint64_t file_size, struct elf_info *e)
{
	for (uint32_t i = 0; i < e->headers; i++) {
		struct phdr p;
		int r = 0;

		memcpy(&p, (const char *)headers + i * sizeof p, sizeof p);
		switch (p.type) {
		case PT_LOAD:
			r = segment_add(e, &p, file_size);
			break;
		case PT_INTERP:
			if (p.filesz < 2 || p.filesz > PAGE || p.offset > file_size || p.filesz > file_size - p.offset)
				return -ENOEXEC;
			e->interpreter_at = p.offset;
			e->interpreter_size = p.filesz;
			break;
		case PT_PHDR:
			e->headers_address = p.vaddr;
			break;
		case PT_GNU_STACK:
			e->stack_execute = p.flags & PF_X;
			break;
		}
		if (r)
			return r;
	}
	return e->segments ? 0 : -ENOEXEC;
}
