/*
 * The ELF reader: this very program and others of this host against <elf.h>, every rule broken
 * once, and random damage.
 *
 * SPDX-License-Identifier: MIT
 */
#include "elf_image.h"

#include <elf.h>
#include <errno.h>

#include "test.h"

static struct elf_image img;

/* --- programs of this host ---------------------------------------------------------------- */

static uint8_t *file_load(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	long n;

	if (f == NULL)
		return NULL;
	fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	data = malloc((size_t)n);
	*size = fread(data, 1, (size_t)n, f);
	fclose(f);
	return data;
}

static void check_against(const uint8_t *file)
{
	const Elf64_Ehdr *h = (const void *)file;
	const Elf64_Phdr *p = (const void *)(file + h->e_phoff);
	uint32_t loads = 0;
	uint64_t interpreter = 0, headers = 0;

	for (int i = 0; i < h->e_phnum; i++) {
		if (p[i].p_type == PT_INTERP)
			interpreter = p[i].p_offset;
		if (p[i].p_type == PT_PHDR)
			headers = p[i].p_vaddr;
		if (p[i].p_type == PT_TLS)
			CHECK(img.has_tls && img.tls_memory_size == p[i].p_memsz);
		if (p[i].p_type == PT_GNU_STACK)
			CHECK_EQ(img.stack, p[i].p_flags & PF_X ? ELF_STACK_EXECUTABLE :
								 ELF_STACK_PLAIN);
		if (p[i].p_type != PT_LOAD || p[i].p_memsz == 0)
			continue;
		CHECK_EQ(img.segment[loads].address, p[i].p_vaddr);
		CHECK_EQ(img.segment[loads].memory_size, p[i].p_memsz);
		CHECK_EQ(img.segment[loads].offset, p[i].p_offset);
		CHECK_EQ(img.segment[loads].file_size, p[i].p_filesz);
		CHECK_EQ(img.segment[loads].access, p[i].p_flags);
		loads++;
	}
	CHECK_EQ(img.segments, loads);
	CHECK_EQ(img.interpreter_at, interpreter);
	CHECK_EQ(img.entry, h->e_entry);
	CHECK_EQ(img.dynamic, h->e_type == ET_DYN);
	if (headers)
		CHECK_EQ(img.headers_address, headers);
	if (interpreter)
		CHECK_EQ(elf_image_interpreter(&img, (const char *)file + interpreter), 0);
}

TEST(elf_image, programs_of_this_host)
{
	static const char *const paths[] = {
		"/proc/self/exe", "/bin/sh", "/bin/busybox", "/lib64/ld-linux-x86-64.so.2",
		"/lib/x86_64-linux-gnu/libc.so.6", "/usr/bin/gcc", "/usr/bin/gdb",
	};

	for (size_t i = 0; i < LENGTH(paths); i++) {
		size_t size;
		uint8_t *file = file_load(paths[i], &size);

		if (file == NULL)
			continue;
		CHECK_EQ(elf_image_whole(&img, file, size), 0);
		check_against(file);
		free(file);
	}
}

/* --- a small program, to be broken ---------------------------------------------------------- */

static struct program {
	Elf64_Ehdr header;
	Elf64_Phdr ph[6];
	char interpreter[16];
	uint8_t rest[0x3000];
} program;

static void segment(int i, uint32_t flags, uint64_t offset, uint64_t address, uint64_t file_size,
		    uint64_t memory_size)
{
	program.ph[i] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_flags = flags, .p_offset = offset, .p_vaddr = address,
		.p_paddr = address, .p_filesz = file_size, .p_memsz = memory_size, .p_align = 4096,
	};
}

static void fresh(void)
{
	memset(&program, 0, sizeof(program));
	memcpy(program.header.e_ident, "\177ELF\2\1\1", 7);
	program.header.e_type = ET_EXEC;
	program.header.e_machine = EM_X86_64;
	program.header.e_version = 1;
	program.header.e_entry = 0x401000;
	program.header.e_phoff = offsetof(struct program, ph);
	program.header.e_phentsize = sizeof(Elf64_Phdr);
	program.header.e_phnum = 6;
	strcpy(program.interpreter, "/lib/ld.so");
	segment(0, PF_R, 0, 0x400000, 0x500, 0x500);
	segment(1, PF_R | PF_X, 0x1000, 0x401000, 0x800, 0x800);
	segment(2, PF_R | PF_W, 0x2010, 0x403010, 0x100, 0x2000);
	program.ph[3] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_filesz = 11,
				      .p_offset = offsetof(struct program, interpreter) };
	program.ph[4] = (Elf64_Phdr){ .p_type = PT_TLS, .p_vaddr = 0x403010, .p_memsz = 64,
				      .p_filesz = 8, .p_align = 32, .p_offset = 0x2010 };
	program.ph[5] = (Elf64_Phdr){ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W };
}

static int whole(void)
{
	return elf_image_whole(&img, &program, sizeof(program));
}

TEST(elf_image, small_program)
{
	fresh();
	CHECK_EQ(whole(), 0);
	CHECK_EQ(img.segments, 3);
	CHECK_EQ(img.low, 0x400000);
	CHECK_EQ(img.high, 0x406000);
	CHECK_EQ(img.brk, 0x405010);
	CHECK_EQ(img.code_start, 0x401000);
	CHECK_EQ(img.code_end, 0x401800);
	CHECK_EQ(img.data_start, 0x403010);
	CHECK_EQ(img.data_end, 0x403110);
	CHECK_EQ(img.headers_address, 0x400040);
	CHECK_EQ(img.interpreter_size, 11);
	CHECK_EQ(img.stack, ELF_STACK_PLAIN);
	CHECK_EQ(img.tls_align, 32);
	CHECK_EQ(elf_image_interpreter(&img, program.interpreter), 0);
	program.interpreter[10] = 'x';
	CHECK_EQ(elf_image_interpreter(&img, program.interpreter), -ENOEXEC);
	program.header.e_ident[EI_OSABI] = ELFOSABI_GNU;
	CHECK_EQ(whole(), 0);
}

#define REJECTED(change, error)                                                                    \
	do {                                                                                       \
		fresh();                                                                           \
		change;                                                                            \
		CHECK_EQ(whole(), error);                                                          \
	} while (0)

TEST(elf_image, not_for_this_machine)
{
	REJECTED(program.header.e_ident[0] = 0, -ENOEXEC);
	REJECTED(program.header.e_ident[EI_CLASS] = ELFCLASS32, -ENOEXEC);
	REJECTED(program.header.e_ident[EI_DATA] = ELFDATA2MSB, -ENOEXEC);
	REJECTED(program.header.e_ident[EI_VERSION] = 2, -ENOEXEC);
	REJECTED(program.header.e_ident[EI_OSABI] = ELFOSABI_FREEBSD, -ENOEXEC);
	REJECTED(program.header.e_machine = EM_AARCH64, -ENOEXEC);
	REJECTED(program.header.e_type = ET_REL, -ENOEXEC);
	REJECTED(program.header.e_type = ET_CORE, -ENOEXEC);
	REJECTED(program.header.e_phentsize = 32, -ENOEXEC);
	REJECTED(program.header.e_phnum = 0, -ENOEXEC);
	REJECTED(program.header.e_phnum = 65535, -ENOEXEC);
	REJECTED(program.header.e_phoff = UINT64_MAX - 8, -ENOEXEC);
	REJECTED(program.header.e_phoff = sizeof(program) - 8, -ENOEXEC);
	fresh();
	CHECK_EQ(elf_image_header(&img, &program, 63), -ENOEXEC);
	CHECK_EQ(elf_image_header(&img, "#!/bin/sh\n", 10), -ENOEXEC);
}

TEST(elf_image, bad_segments)
{
	REJECTED(program.ph[0].p_filesz = 0x501, -EINVAL);
	REJECTED(program.ph[2].p_memsz = UINT64_MAX, -EINVAL);
	REJECTED(program.ph[2].p_vaddr = 0x7fffffffe010, -EINVAL);
	REJECTED(program.ph[2].p_vaddr = UINT64_MAX - 0xfef, -EINVAL);
	REJECTED(program.ph[1].p_offset = 0x1001, -EINVAL);
	REJECTED(program.ph[1].p_vaddr = 0x3ff000, -EINVAL);
	REJECTED(program.ph[0].p_memsz = 0x1001, -EINVAL);
	REJECTED(program.ph[2].p_offset = 0x7ffffffffffff010, -EINVAL);
	REJECTED(program.ph[2].p_offset = 0xfffffffffffff010, -EINVAL);
	REJECTED(program.ph[2].p_offset = 0x6010, -EINVAL);
	REJECTED(program.ph[1].p_align = UINT64_C(1) << 63, -EINVAL);
	REJECTED(program.ph[3].p_filesz = 1, -ENOEXEC);
	REJECTED(program.ph[3].p_filesz = 4097, -ENOEXEC);
	REJECTED(program.ph[3].p_offset = UINT64_MAX, -ENOEXEC);
	REJECTED(program.ph[3].p_offset = sizeof(program), -EINVAL);
	REJECTED(program.ph[4].p_align = 3, -EINVAL);
	REJECTED(program.ph[4].p_filesz = 65, -EINVAL);
	REJECTED(memset(program.ph, 0, sizeof(program.ph)), -EINVAL);
	REJECTED(program.ph[1].p_align = 3, 0);
	REJECTED(program.ph[1].p_filesz = program.ph[1].p_memsz = 0, 0);
}

TEST(elf_image, alignment)
{
	fresh();
	program.ph[0].p_align = 0x200000;
	CHECK_EQ(whole(), 0);
	CHECK_EQ(img.align, 0x200000);
}

TEST(elf_image, many_segments)
{
	static struct {
		Elf64_Ehdr header;
		Elf64_Phdr ph[ELF_IMAGE_SEGMENTS + 1];
	} many;

	fresh();
	many.header = program.header;
	many.header.e_phnum = ELF_IMAGE_SEGMENTS;
	for (unsigned i = 0; i < LENGTH(many.ph); i++) {
		many.ph[i] = program.ph[0];
		many.ph[i].p_vaddr += i * 0x1000;
		many.ph[i].p_align = 0;
	}
	CHECK_EQ(elf_image_whole(&img, &many, sizeof(many)), 0);
	many.header.e_phnum++;
	CHECK_EQ(elf_image_whole(&img, &many, sizeof(many)), -EINVAL);
}

/* --- random ---------------------------------------------------------------------------------- */

static void random_run(const uint8_t *data, size_t n)
{
	uint64_t end = 0;

	if (elf_image_whole(&img, data, n))
		return;
	CHECK(img.segments > 0 && img.segments <= ELF_IMAGE_SEGMENTS);
	CHECK(img.low < img.high && img.high <= 0x7ffffffff000);
	for (uint32_t i = 0; i < img.segments; i++) {
		const struct elf_image_segment *s = &img.segment[i];

		CHECK(s->address >= end && s->file_size <= s->memory_size);
		end = s->address + s->memory_size;
		CHECK(end >= s->address && s->address >= img.low && end <= img.high);
		CHECK(s->offset + s->file_size <= n);
		CHECK_EQ((s->offset ^ s->address) & 4095, 0);
	}
	CHECK(img.interpreter_at + img.interpreter_size <= n);
}

TEST(elf_image, random_runs)
{
	static const uint64_t odd[] = {
		0, 1, 0xfff, 0x1000, 0x401000, 0x7ffffffff000, UINT64_MAX, INT64_MAX, 0x2010,
		UINT64_C(1) << 63, 0xfffffffffffff000, 5,
	};
	uint64_t seed = 1;

	for (unsigned round = test_rounds(50000); round > 0; round--) {
		size_t n = sizeof(program);
		uint8_t *copy;

		fresh();
		for (uint32_t i = test_below(&seed, 4); i > 0; i--) {
			size_t at = test_below(&seed, offsetof(struct program, interpreter) - 8);

			if (test_below(&seed, 2))
				((uint8_t *)&program)[at] = (uint8_t)test_random(&seed);
			else
				memcpy((uint8_t *)&program + (at & ~(size_t)7),
				       &odd[test_below(&seed, LENGTH(odd))], 8);
		}
		if (test_below(&seed, 4) == 0)
			n = test_below(&seed, (uint32_t)n);
		copy = malloc(n ? n : 1);
		memcpy(copy, &program, n);
		random_run(copy, n);
		free(copy);
	}
}

#ifdef FUZZ
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	random_run(data, n);
	return 0;
}
#endif
