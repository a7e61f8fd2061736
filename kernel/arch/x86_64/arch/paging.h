/*
 * Address spaces: the hardware's page tables and TLBs. Portable mm owns frames and regions; this is
 * only the translation.
 *
 * Layout of the kernel half, shared by all spaces:
 *   0xffff800000000000  direct map of all RAM (read-write, never executable; text is read-only)
 *   0xffffff0000000000  device registers, per-CPU stacks with guard pages
 *   0xffffffff80000000  kernel image: text RX, rodata R, data RW
 *
 * Table entries count their children (in bits that hardware ignores), so an emptied table is known
 * at once. It is not freed before the next flush of the space, as TLBs may still walk it.
 *
 * Callers hold the kernel lock. arch_unmap() and arch_protect() do not flush: batch, then call
 * arch_tlb_flush_*(), and only then free the frames. A first mapping of an absent page needs none.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ARCH_PAGING_H
#define ARCH_PAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARCH_PAGE_SHIFT 12
#define ARCH_PAGE_SIZE 4096ull
#define ARCH_USER_TOP 0x00007ffffffff000ull /* first address that user mode cannot have */
#define ARCH_DIRECT_BASE 0xffff800000000000ull
#define ARCH_KERNEL_BASE 0xffffffff80000000ull

enum {
	ARCH_MAP_READ = 1,
	ARCH_MAP_WRITE = 2,
	ARCH_MAP_EXEC = 4,
	ARCH_MAP_UNCACHED = 8,       /* device registers */
	ARCH_MAP_WRITE_COMBINE = 16, /* frame buffers */
	ARCH_MAP_SOFT_A = 32,        /* two bits for portable code's own use, kept in the entry */
	ARCH_MAP_SOFT_B = 64,
	ARCH_MAP_ACCESSED = 128,     /* only returned */
	ARCH_MAP_DIRTY = 256,        /* returned; may be given to arch_map to set it beforehand */
};

struct arch_space {
	uint64_t root;        /* physical address of the top table */
	uint64_t id;          /* never reused */
	uint64_t active;      /* mask of CPUs that have it loaded */
	uint64_t generation;  /* counts flushes, for CPUs that keep it under a PCID */
	uint64_t dead_tables; /* chain of tables to free after the next flush */
	uint64_t tables;      /* page-table pages in use, the root included */
};

static inline void *phys_to_virt(uint64_t pa)
{
	return (void *)(pa + ARCH_DIRECT_BASE);
}

/* For addresses in the direct map and in the kernel image. */
static inline uint64_t virt_to_phys(const void *va)
{
	uint64_t a = (uint64_t)va;
	return a >= ARCH_KERNEL_BASE ? a - ARCH_KERNEL_BASE : a - ARCH_DIRECT_BASE;
}

__attribute__((warn_unused_result)) int arch_space_init(struct arch_space *space);
/* Frees all tables, not the pages they map. No thread runs in it; CPUs that still have it loaded
 * (idle ones, or this one) leave it here. */
void arch_space_destroy(struct arch_space *space);
struct arch_cpu;
/*
 * Loads a space that is not loaded on this CPU, `cpu`; see arch_space_switch() in arch/switch.h.
 * NULL: the kernel's own.
 */
void arch_space_load(struct arch_cpu *cpu, struct arch_space *space);

/* Maps one user page, replacing what is there. -ENOMEM if a table cannot be had,
 * -EINVAL outside the user half: nothing changed. */
__attribute__((warn_unused_result)) int arch_map(struct arch_space *space, uint64_t va, uint64_t pa,
						 unsigned flags);
/* Makes sure that the leaf table for `va` exists, so that arch_map cannot fail there until the next
 * unmap. */
__attribute__((warn_unused_result)) int arch_map_prepare(struct arch_space *space, uint64_t va);
/* Removes one page. Returns true if there was one, and then its frame and flags (with ACCESSED and
 * DIRTY); pa and flags may be NULL. */
bool arch_unmap(struct arch_space *space, uint64_t va, uint64_t *pa, unsigned *flags);
/* Changes the flags of a present page; returns the old flags through `old` (may be NULL), false if
 * absent. DIRTY and ACCESSED are kept; arch_clear() clears them. */
bool arch_protect(struct arch_space *space, uint64_t va, unsigned flags, unsigned *old);
/* Clears ACCESSED and/or DIRTY; returns the old flags, 0 if absent. */
unsigned arch_clear(struct arch_space *space, uint64_t va, unsigned flags);
/* Software walk: true if present. */
bool arch_query(const struct arch_space *space, uint64_t va, uint64_t *pa, unsigned *flags);

/*
 * Finds the first present page at or after `va` and below `end`, skipping empty tables quickly.
 * Returns false if there is none. Loop:
 *     for (va = start; arch_next(space, &va, end, &pa, &flags); va += ARCH_PAGE_SIZE) ...
 * The body may unmap or protect that page.
 */
bool arch_next(const struct arch_space *space, uint64_t *va, uint64_t end, uint64_t *pa,
	       unsigned *flags);

/*
 * The same for many pages, with one walk per leaf table. `counts` (added to) tells the pages by
 * their soft bits: [0] neither, [1] A, [2] B, [3] both.
 *
 * arch_map_absent: pages[i] is an address with map flags in its low bits, or 0 to leave that page
 * out; one that is present stays as it is. -ENOMEM: a table is missing; some may have been mapped.
 * arch_unmap_range: all present pages whose flags include `only` (soft bits); no flush. True if
 * there was one: then *start and *end are narrowed to what has to be flushed. arch_copy_range:
 * `to`, where nothing is mapped yet, gets what `from` has, neither DIRTY nor, with `protect`,
 * writable; then `from` is write-protected as well, and *flush set if that took a right away. `to`
 * may be NULL; a table that cannot be had for it is no error, those pages stay absent there.
 */
__attribute__((warn_unused_result)) int arch_map_absent(struct arch_space *space, uint64_t va,
							const uint64_t *pages, unsigned n,
							uint64_t counts[4]);
bool arch_unmap_range(struct arch_space *space, uint64_t *start, uint64_t *end, unsigned only,
		      uint64_t counts[4]);
void arch_copy_range(struct arch_space *to, struct arch_space *from, uint64_t start, uint64_t end,
		     bool protect, uint64_t counts[4], bool *flush);

/* On all CPUs that have the space loaded; they return when every one has done it. */
void arch_tlb_flush_page(struct arch_space *space, uint64_t va);
void arch_tlb_flush_range(struct arch_space *space, uint64_t start, uint64_t end);
void arch_tlb_flush_space(struct arch_space *space);
/* After a permission was only *widened* (a write fault on a page that is now writable): this CPU
 * forgets its entry, others will fault once and find it. */
void arch_tlb_forget_local(uint64_t va);

/* Maps device registers in the kernel, uncached, for ever. NULL when the window is full. */
void *arch_mmio_map(uint64_t pa, size_t size);

/* Copies to and from the *loaded* user space; return the bytes not copied because of a fault (0:
 * all). A range that leaves the user half copies nothing. */
size_t arch_copy_from_user_fast(void *to, uint64_t from, size_t size);
size_t arch_copy_to_user_fast(uint64_t to, const void *from, size_t size);
size_t arch_zero_user_fast(uint64_t to, size_t size);

/* Page-sized, page-aligned, by the routine chosen at boot. */
void arch_page_copy(void *to, const void *from);
void arch_page_zero(void *page);

#endif
