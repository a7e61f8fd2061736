/*
 * The reader of ELF64 programs. Decoding is by memcpy into plain structs, so buffers may lie at any
 * address; every addition is preceded by the comparison that makes it safe.
 *
 * SPDX-License-Identifier: MIT
 */
#include "elf_image.h"

#include <errno.h>
#include <string.h>

#define PAGE UINT64_C(4096)
#define USER_END UINT64_C(0x00007ffffffff000)
#define OFFSET_MAX ((uint64_t)INT64_MAX)
#define HEADERS_MAX 65536u	/* bytes */

struct file_header {
	uint8_t magic[4];
	uint8_t class, data, version, osabi, abi_version, padding[7];
	uint16_t type, machine;
	uint32_t version2;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct program_header {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

_Static_assert(sizeof(struct file_header) == ELF_IMAGE_HEADER, "ELF64 file header");
_Static_assert(sizeof(struct program_header) == 56, "ELF64 program header");

enum { CLASS_64 = 2, DATA_LITTLE = 1, OSABI_SYSV = 0, OSABI_GNU = 3 };
enum { TYPE_EXEC = 2, TYPE_DYN = 3, MACHINE_X86_64 = 62 };
enum { P_LOAD = 1, P_INTERP = 3, P_TLS = 7, P_GNU_STACK = 0x6474e551 };

static bool ident_ok(const struct file_header *h)
{
	return memcmp(h->magic, "\177ELF", 4) == 0 && h->class == CLASS_64 &&
	       h->data == DATA_LITTLE && h->version == 1 &&
	       (h->osabi == OSABI_SYSV || h->osabi == OSABI_GNU);
}

int elf_image_header(struct elf_image *img, const void *head, size_t n)
{
	struct file_header h;
	uint32_t size;

	if (n < sizeof(h))
		return -ENOEXEC;
	memcpy(&h, head, sizeof(h));
	if (!ident_ok(&h) || h.machine != MACHINE_X86_64 ||
	    (h.type != TYPE_EXEC && h.type != TYPE_DYN))
		return -ENOEXEC;
	size = h.phnum * (uint32_t)sizeof(struct program_header);
	if (h.phentsize != sizeof(struct program_header) || size == 0 || size > HEADERS_MAX ||
	    h.phoff > OFFSET_MAX - size)
		return -ENOEXEC;
	*img = (struct elf_image){
		.dynamic = h.type == TYPE_DYN, .entry = h.entry, .headers_at = h.phoff,
		.headers = h.phnum, .headers_size = size, .align = PAGE,
	};
	return 0;
}

/* Offsets are signed in every interface that they will pass through. */
static bool file_range_ok(const struct program_header *p)
{
	return p->offset <= OFFSET_MAX && p->filesz <= OFFSET_MAX - p->offset;
}

static int segment_check(const struct elf_image *img, const struct program_header *p)
{
	const struct elf_image_segment *last = NULL;

	if (img->segments == ELF_IMAGE_SEGMENTS)
		return -EINVAL;
	if (img->segments > 0)
		last = &img->segment[img->segments - 1];
	if (p->filesz > p->memsz || p->memsz > USER_END || p->vaddr > USER_END - p->memsz)
		return -EINVAL;
	if (!file_range_ok(p) || ((p->offset ^ p->vaddr) & (PAGE - 1)))
		return -EINVAL;
	if (last && p->vaddr < last->address + last->memory_size)
		return -EINVAL;
	return 0;
}

static uint64_t at_least(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The marks that /proc shows, and where the heap begins. */
static void segment_account(struct elf_image *img, const struct program_header *p)
{
	uint64_t end = p->vaddr + p->filesz;

	if (img->segments == 0) {
		img->low = p->vaddr & ~(PAGE - 1);
		img->code_start = UINT64_MAX;
	}
	img->high = (p->vaddr + p->memsz + PAGE - 1) & ~(PAGE - 1);
	img->brk = p->vaddr + p->memsz;
	img->data_start = p->vaddr;
	img->data_end = at_least(img->data_end, end);
	if (p->flags & ELF_EXECUTE) {
		if (p->vaddr < img->code_start)
			img->code_start = p->vaddr;
		img->code_end = at_least(img->code_end, end);
	}
	if ((p->align & (p->align - 1)) == 0)
		img->align = at_least(img->align, p->align);
}

static int segment_add(struct elf_image *img, const struct program_header *p)
{
	int error;

	if (p->memsz == 0 && p->filesz == 0)
		return 0;
	error = segment_check(img, p);
	if (error)
		return error;
	segment_account(img, p);
	if (p->offset <= img->headers_at && img->headers_at - p->offset < p->filesz)
		img->headers_address = img->headers_at - p->offset + p->vaddr;
	img->segment[img->segments++] = (struct elf_image_segment){
		.address = p->vaddr, .memory_size = p->memsz, .offset = p->offset,
		.file_size = p->filesz, .access = p->flags & (ELF_EXECUTE | ELF_WRITE | ELF_READ),
	};
	return 0;
}

/* The first one counts. */
static int interpreter_add(struct elf_image *img, const struct program_header *p)
{
	if (img->interpreter_size)
		return 0;
	if (p->filesz < 2 || p->filesz > ELF_IMAGE_INTERPRETER || !file_range_ok(p))
		return -ENOEXEC;
	img->interpreter_at = p->offset;
	img->interpreter_size = p->filesz;
	return 0;
}

static int tls_add(struct elf_image *img, const struct program_header *p)
{
	if (p->filesz > p->memsz || p->memsz > USER_END || p->vaddr > USER_END - p->memsz ||
	    (p->align & (p->align - 1)))
		return -EINVAL;
	img->has_tls = true;
	img->tls_address = p->vaddr;
	img->tls_file_size = p->filesz;
	img->tls_memory_size = p->memsz;
	img->tls_align = at_least(p->align, 1);
	return 0;
}

static int header_add(struct elf_image *img, const struct program_header *p)
{
	switch (p->type) {
	case P_LOAD:
		return segment_add(img, p);
	case P_INTERP:
		return interpreter_add(img, p);
	case P_TLS:
		return tls_add(img, p);
	case P_GNU_STACK:
		img->stack = p->flags & ELF_EXECUTE ? ELF_STACK_EXECUTABLE : ELF_STACK_PLAIN;
		return 0;
	default:
		return 0;
	}
}

int elf_image_segments(struct elf_image *img, const void *headers)
{
	const uint8_t *at = headers;
	struct program_header p;

	for (uint32_t i = 0; i < img->headers; i++) {
		int error;

		memcpy(&p, at + i * sizeof(p), sizeof(p));
		error = header_add(img, &p);
		if (error)
			return error;
	}
	if (img->segments == 0)
		return -EINVAL;
	if (img->code_start == UINT64_MAX)
		img->code_start = 0;
	/* Nothing is loaded at an alignment that user space has no room for. */
	return img->align > USER_END / 2 ? -EINVAL : 0;
}

static bool inside(uint64_t at, uint64_t n, size_t size)
{
	return at <= size && n <= size - at;
}

int elf_image_whole(struct elf_image *img, const void *file, size_t size)
{
	int error = elf_image_header(img, file, size);

	if (error)
		return error;
	if (!inside(img->headers_at, img->headers_size, size))
		return -ENOEXEC;
	error = elf_image_segments(img, (const uint8_t *)file + img->headers_at);
	if (error)
		return error;
	for (uint32_t i = 0; i < img->segments; i++) {
		if (!inside(img->segment[i].offset, img->segment[i].file_size, size))
			return -EINVAL;
	}
	return inside(img->interpreter_at, img->interpreter_size, size) ? 0 : -EINVAL;
}

int elf_image_interpreter(const struct elf_image *img, const char *name)
{
	return name[img->interpreter_size - 1] == 0 ? 0 : -ENOEXEC;
}
