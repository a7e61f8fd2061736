/* SPDX-License-Identifier: MIT */
/*
 * From the first instruction to main(): thread-local storage, the start record, constructors.
 *
 * newlib keeps its state (errno and the like) in thread-local storage, so that comes first, without
 * the help of any function that could touch it. x86-64 puts the block below the thread pointer,
 * which points to itself.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

#define ARCH_PRCTL 158
#define ARCH_SET_FS 0x1002
#define PAGE 4096ul

extern const char __ehdr_start[];
extern void (*const __preinit_array_start[])(void), (*const __preinit_array_end[])(void);
extern void (*const __init_array_start[])(void), (*const __init_array_end[])(void);
int main(void);
_Noreturn void crt_start(const struct proto_start *start);

/* The PT_TLS header of this very program, NULL if it has no thread-local data. */
static const Elf64_Phdr *tls_segment(void)
{
	const Elf64_Ehdr *e = (const void *)__ehdr_start;
	const Elf64_Phdr *p = (const void *)(__ehdr_start + e->e_phoff);

	for (int i = 0; i < e->e_phnum; i++) {
		if (p[i].p_type == PT_TLS)
			return &p[i];
	}
	return NULL;
}

static void tls_setup(void)
{
	const Elf64_Phdr *p = tls_segment();
	uint64_t align = p && p->p_align > 64 ? p->p_align : 64;
	uint64_t size = p ? (p->p_memsz + p->p_align - 1) & -p->p_align : 0;
	uint64_t before = (size + align - 1) & -align;
	struct k_map map = { .size = (before + 64 + PAGE - 1) & -PAGE,
			     .space = -1,
			     .object = -1,
			     .flags = K_MAP_READ | K_MAP_WRITE };
	char *tp;

	if (k_space_map(&map) < 0)
		__builtin_trap();
	tp = (char *)map.address + before;
	if (p)
		memcpy(tp - size, (const void *)p->p_vaddr, p->p_filesz);
	*(char **)tp = tp;
	if (k_syscall6(ARCH_PRCTL, ARCH_SET_FS, (long)tp, 0, 0, 0, 0) < 0)
		__builtin_trap();
}

static void call_all(void (*const *from)(void), void (*const *end)(void))
{
	while (from < end)
		(*from++)();
}

_Noreturn void crt_start(const struct proto_start *start)
{
	tls_setup();
	srv_start(start);
	call_all(__preinit_array_start, __preinit_array_end);
	call_all(__init_array_start, __init_array_end);
	exit(main());
}
