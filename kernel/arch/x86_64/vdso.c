/*
 * The kernel's side of the vDSO: its data page, and its symbols.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/vdso.h"
#include "priv.h"
#include "lib/errno.h"
#include "lib/string.h"

#define COARSE_NS 1 /* the coarse clocks are as fine as the others */

extern struct arch_vvar vvar_page;
struct arch_vvar *const arch_vvar_page = &vvar_page;

void vdso_init(void)
{
	vvar_page.tsc_base = arch_clock.tsc_base;
	vvar_page.mult = arch_clock.mult;
	vvar_page.coarse_ns = COARSE_NS;
	arch_vvar_set_real_offset(arch_rtc_seconds() * 1000000000ull - arch_time_ns());
}

void arch_vvar_set_real_offset(uint64_t offset_ns)
{
	volatile struct arch_vvar *v = &vvar_page;
	v->sequence++;
	v->real_offset = offset_ns;
	v->sequence++;
}

uint64_t arch_vvar_real_offset(void)
{
	return vvar_page.real_offset;
}

/* The parts of ELF that our own image has. */
struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, program_headers, section_headers;
	uint32_t flags;
	uint16_t size, program_size, program_count, section_size, section_count, names;
};

struct elf_program {
	uint32_t type, flags;
	uint64_t offset, va, pa, file_size, size, align;
};

struct elf_symbol {
	uint32_t name;
	uint8_t info, other;
	uint16_t section;
	uint64_t value, size;
};

#define PT_DYNAMIC 2
#define DT_HASH 4
#define DT_STRTAB 5
#define DT_SYMTAB 6

int64_t arch_vdso_symbol(const char *name)
{
	const struct elf_header *elf = (const void *)arch_vdso_start;
	const struct elf_program *p = (const void *)(arch_vdso_start + elf->program_headers);
	const uint64_t *dynamic = NULL;
	uint64_t hash = 0, strings = 0, symbols = 0;
	for (unsigned i = 0; i < elf->program_count; i++)
		if (p[i].type == PT_DYNAMIC)
			dynamic = (const void *)(arch_vdso_start + p[i].offset);
	for (; dynamic && dynamic[0]; dynamic += 2) {
		hash = dynamic[0] == DT_HASH ? dynamic[1] : hash;
		strings = dynamic[0] == DT_STRTAB ? dynamic[1] : strings;
		symbols = dynamic[0] == DT_SYMTAB ? dynamic[1] : symbols;
	}
	const struct elf_symbol *s = (const void *)(arch_vdso_start + symbols);
	uint32_t count = hash ? ((const uint32_t *)(arch_vdso_start + hash))[1] : 0;
	for (uint32_t i = 1; i < count; i++)
		if (!strcmp((const char *)arch_vdso_start + strings + s[i].name, name))
			return (int64_t)s[i].value;
	return -ENOENT;
}
