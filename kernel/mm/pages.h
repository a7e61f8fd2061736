/* SPDX-License-Identifier: MIT */
/*
 * A page index: 64-bit slots by page number, as a compact radix tree.
 *
 * The first four slots are in the structure itself; from then on nodes of 64 slots (512 bytes). The
 * root covers the aligned block that holds everything, not everything from zero, so a few
 * neighbouring pages at a high number cost one node. A slot is 0 (nothing) or whatever the owner
 * keeps there: by convention a frame's physical address and PAGE_* bits.
 */
#ifndef TROUPE_MM_PAGES_H
#define TROUPE_MM_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGES_INLINE 4
#define PAGES_BITS 6
#define PAGES_FANOUT 64ul

/* bits of a slot beside the address */
#define PAGE_PRESENT	0x1ul
#define PAGE_DIRTY	0x2ul	/* pager objects: differs from what the pager has */
#define PAGE_WRITABLE	0x4ul	/* pager objects: the pager has granted writing */
/* Pager objects: the last request for it failed (with or without PRESENT) */
#define PAGE_ERROR	0x8ul
#define PAGE_ADDRESS	0x000ffffffffff000ul

struct pages {
	uint64_t base;		/* page number of the first slot covered */
	uint32_t height;	/* 0: inline; else levels of nodes */
	union {
		uint64_t slot[PAGES_INLINE];
		uint64_t *root;
	};
};

uint64_t *pages_slot_deep(const struct pages *p, uint64_t index);
/*
 * The slot, made if need be; NULL without memory. Pointers to slots live until the next make or
 * prune.
 */
uint64_t *pages_make(struct pages *p, uint64_t index);
/* Makes sure that slots come in runs as long as those of an index of this height. */
int pages_raise(struct pages *p, uint64_t index);
/*
 * The next run of neighbouring slots in [*index, end): sets *index to its first number, *n to its
 * length. NULL: no more.
 *
 *	for (i = first; (slot = pages_run(p, &i, end, &n)); i += n) ...
 */
uint64_t *pages_run(struct pages *p, uint64_t *index, uint64_t end, unsigned *n);
/* Frees nodes that have become empty, as far as they touch [first, end). */
void pages_prune(struct pages *p, uint64_t first, uint64_t end);
/* Frees all nodes; whatever the slots held must be gone already. */
void pages_clear(struct pages *p);

/* The slot if there is a place for it, else NULL. */
static inline uint64_t *pages_slot(struct pages *p, uint64_t index)
{
	uint64_t n = index - p->base;

	if (!p->height)
		return n < PAGES_INLINE ? &p->slot[n] : NULL;
	if (p->height == 1)
		return n < PAGES_FANOUT ? &p->root[n] : NULL;
	return pages_slot_deep(p, index);
}

static inline uint64_t pages_get(const struct pages *p, uint64_t index)
{
	uint64_t *slot = pages_slot((struct pages *)p, index);

	return slot ? *slot : 0;
}

#endif
