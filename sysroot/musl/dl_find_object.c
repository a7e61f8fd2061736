// SPDX-License-Identifier: MIT
//
// The host's libgcc_eh.a was built for glibc and finds the unwind table of a program counter
// with _dl_find_object(). musl has dl_iterate_phdr(), which can answer the same question; this
// file is the bridge. It is linked only into programs that unwind (C++, -fexceptions with
// cleanup). The structure below is the public interface of glibc 2.35 and later.
#define _GNU_SOURCE
#include <link.h>
#include <stddef.h>

struct dl_find_object {
	unsigned long long flags;
	void *map_start;
	void *map_end;
	struct link_map *link_map;
	void *eh_frame;
	unsigned long long reserved[7];
};

struct search {
	ElfW(Addr) pc;
	struct dl_find_object *result;
};

int _dl_find_object(void *pc, struct dl_find_object *result);

static int object_match(struct dl_phdr_info *info, size_t size, void *data)
{
	struct search *search = data;
	void *eh_frame = NULL;
	int inside = 0;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];
		ElfW(Addr) start = info->dlpi_addr + phdr->p_vaddr;

		if (phdr->p_type == PT_GNU_EH_FRAME)
			eh_frame = (void *)start;
		if (phdr->p_type != PT_LOAD || search->pc - start >= phdr->p_memsz)
			continue;
		search->result->map_start = (void *)start;
		search->result->map_end = (void *)(start + phdr->p_memsz);
		inside = 1;
	}
	if (!inside || !eh_frame)
		return 0;
	search->result->flags = 0;
	search->result->link_map = NULL;
	search->result->eh_frame = eh_frame;
	return 1;
}

int _dl_find_object(void *pc, struct dl_find_object *result)
{
	struct search search = { (ElfW(Addr))pc, result };

	return dl_iterate_phdr(object_match, &search) ? 0 : -1;
}
