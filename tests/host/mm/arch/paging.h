/* SPDX-License-Identifier: MIT */
/*
 * The page tables of a machine that does not exist, for testing kernel/mm on the host: the
 * interface of the real arch/paging.h over a small table, and a translation buffer that forgets
 * only what it is told to forget, so that a missing flush shows up as a wrong byte.
 */
#ifndef ARCH_PAGING_H
#define ARCH_PAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARCH_PAGE_SHIFT 12
#define ARCH_PAGE_SIZE 4096ull
#define ARCH_USER_TOP 0x00007ffffffff000ull

enum {
	ARCH_MAP_READ = 1,
	ARCH_MAP_WRITE = 2,
	ARCH_MAP_EXEC = 4,
	ARCH_MAP_UNCACHED = 8,
	ARCH_MAP_WRITE_COMBINE = 16,
	ARCH_MAP_SOFT_A = 32,
	ARCH_MAP_SOFT_B = 64,
	ARCH_MAP_ACCESSED = 128,
	ARCH_MAP_DIRTY = 256,
};

struct arch_space {
	uint64_t root, id, active;
};

extern char *machine_memory;

static inline void *phys_to_virt(uint64_t pa)
{
	return machine_memory + pa;
}

static inline uint64_t virt_to_phys(const void *va)
{
	return (uint64_t)((const char *)va - machine_memory);
}

int arch_space_init(struct arch_space *space);
void arch_space_destroy(struct arch_space *space);
int arch_map(struct arch_space *space, uint64_t va, uint64_t pa, unsigned flags);
bool arch_unmap(struct arch_space *space, uint64_t va, uint64_t *pa, unsigned *flags);
bool arch_protect(struct arch_space *space, uint64_t va, unsigned flags, unsigned *old);
bool arch_query(const struct arch_space *space, uint64_t va, uint64_t *pa, unsigned *flags);
bool arch_next(const struct arch_space *space, uint64_t *va, uint64_t end, uint64_t *pa,
	       unsigned *flags);
int arch_map_absent(struct arch_space *space, uint64_t va, const uint64_t *pages, unsigned n,
		    uint64_t counts[4]);
bool arch_unmap_range(struct arch_space *space, uint64_t *start, uint64_t *end, unsigned only,
		      uint64_t counts[4]);
void arch_copy_range(struct arch_space *to, struct arch_space *from, uint64_t start, uint64_t end,
		     bool protect, uint64_t counts[4], bool *flush);
void arch_tlb_flush_page(struct arch_space *space, uint64_t va);
void arch_tlb_flush_range(struct arch_space *space, uint64_t start, uint64_t end);
void arch_tlb_flush_space(struct arch_space *space);
void arch_tlb_forget_local(uint64_t va);
size_t arch_copy_from_user_fast(void *to, uint64_t from, size_t size);
size_t arch_copy_to_user_fast(uint64_t to, const void *from, size_t size);
size_t arch_zero_user_fast(uint64_t to, size_t size);
void arch_page_copy(void *to, const void *from);
void arch_page_zero(void *page);

/* What a program would do: false means a page fault. */
bool machine_access(struct arch_space *space, uint64_t va, bool write, uint64_t *value);
extern struct arch_space *machine_loaded;	/* by the copies to and from user memory */
/* one in so many arch_map() calls finds no memory; 0: none */
extern unsigned machine_map_fails;

#endif
