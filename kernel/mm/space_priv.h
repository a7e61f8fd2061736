/* SPDX-License-Identifier: MIT */
/*
 * Address spaces as mm/ sees them.
 *
 * A region shows an object, or nothing (anonymous), at some addresses. What a private region has of
 * its own is in its overlay: frames by virtual page number. Neighbouring regions of one space may
 * share an overlay, each its own part of it, so splitting and merging regions moves no page.
 */
#ifndef TROUPE_MM_SPACE_PRIV_H
#define TROUPE_MM_SPACE_PRIV_H

#include "arch/paging.h"
#include "lib/errno.h"
#include "mm/mobject_priv.h"
#include "mm/space.h"

#define MMAP_MIN 0x10000ul
#define STACK_GUARD (256 * PAGE_SIZE)
#define REGIONS_MAX 65530

/* region.flags beside K_MAP_* (which end at 0x100) */
#define REGION_SEALED	0x10000u	/* shared, of a description that was not open for writing */
#define REGION_NOFORK	0x20000u	/* MADV_DONTFORK */
#define REGION_WIPE	0x40000u	/* MADV_WIPEONFORK */
#define REGION_ACCESS	(K_MAP_READ | K_MAP_WRITE | K_MAP_EXECUTE)
/* what neighbours must have in common to be merged */
#define REGION_KIND                                                                                \
	(REGION_ACCESS | K_MAP_PRIVATE | K_MAP_UNCACHED | K_MAP_GROWSDOWN | K_MAP_STACK |          \
	 K_MAP_HEAP | REGION_SEALED | REGION_NOFORK | REGION_WIPE)

/* two bits that arch keeps in a page-table entry for us */
/* Shows the object's page (or the zero page), not the overlay's */
#define PTE_OBJECT	ARCH_MAP_SOFT_A
#define PTE_ZERO	ARCH_MAP_SOFT_B	/* shows the zero page: not counted as resident */

struct overlay {
	uint32_t references;
	struct pages pages;
};

struct region {
	struct list link;		/* space.regions, by address */
	struct region *left, *right;	/* space.root: AVL tree */
	uint64_t start, end;
	uint64_t gap;			/* largest gap before a region in this subtree */
	uint32_t flags;
	uint8_t height;
	struct space *space;		/* [I] */
	struct mobject *object;		/* [I] counted; NULL: anonymous */
	uint64_t offset;		/* of start in the object */
	struct list object_link;	/* object->regions */
	struct overlay *overlay;	/* NULL: nothing private yet */
	struct description *description;	/* [I] counted; NULL: none */
};

struct space {
	struct object object;
	struct account *account;	/* [I] counted */
	struct arch_space arch;
	bool dead;			/* space_clear has begun */
	struct list regions;
	struct region *root;
	struct region *last;		/* found last */
	uint32_t count;
	uint64_t mmap_base;
	uint64_t brk_start, brk;
	uint64_t pages, data_pages, stack_pages, text_pages;	/* sizes of regions */
	uint64_t rss_own, rss_object, rss_peak;			/* translations */
};

/* --- region.c: the tree ------------------------------------------------------------------- */
struct region *region_find(struct space *s, uint64_t address);	/* that contains it, or NULL */
/* first with end > address, or NULL */
struct region *region_above(struct space *s, uint64_t address);
void region_insert(struct space *s, struct region *r);
void region_remove(struct space *s, struct region *r);
/* For building a space from the bottom up: appends without a tree; then makes the tree. */
void region_append(struct space *s, struct region *r);
void region_index_all(struct space *s);
/* its start, or the end of the one before it, has changed */
void region_touch(struct space *s, struct region *r);
struct region *region_next(struct space *s, struct region *r);	/* NULL at the end */
struct region *region_prev(struct space *s, struct region *r);
/* Highest address of a hole of `size` bytes within [low, high), or 0. */
uint64_t region_hole(struct space *s, uint64_t size, uint64_t low, uint64_t high);
/* True if nothing is mapped in [start, end), nor does a stack's guard gap reach into it. */
bool region_free(struct space *s, uint64_t start, uint64_t end);

/* --- region.c: regions -------------------------------------------------------------------- */
/* A copy of `like` (may be NULL) that holds its own references; not yet in a space. */
struct region *region_create(struct space *s, const struct region *like);
/* takes it out of its space first, drops what it holds */
void region_destroy(struct region *r);
int region_split(struct region *r, uint64_t at);	/* r keeps the lower part */
/* Merges r with its neighbours where possible; returns the region that now contains r. */
struct region *region_merge(struct region *r);
bool region_extends(const struct region *r, const struct region *next);	/* could be one region */
/* Adds (or, with sign -1, takes off) `pages` of r's kind to the space's sizes. */
void region_account(struct region *r, uint64_t pages, int sign);
void overlay_put(struct overlay *o);

static inline bool region_private(const struct region *r)
{
	return !r->object || (r->flags & K_MAP_PRIVATE);
}

static inline uint64_t region_index(const struct region *r, uint64_t address)
{
	return (address - r->start + r->offset) >> PAGE_SHIFT;
}

/* The page-table flags of a page of r; write: may be written without another fault. */
static inline unsigned region_pte(const struct region *r, bool write)
{
	unsigned flags = ARCH_MAP_READ;

	if (write && (r->flags & K_MAP_WRITE))
		flags |= ARCH_MAP_WRITE;
	if (r->flags & K_MAP_EXECUTE)
		flags |= ARCH_MAP_EXEC;
	if (r->flags & K_MAP_UNCACHED)
		flags |= ARCH_MAP_UNCACHED;
	return flags;
}

/* --- translate.c: page tables ------------------------------------------------------------- */
/*
 * Drops the translations in [start, end) (only: those with this PTE_ bit; 0: all), with one flush.
 */
void translation_drop(struct space *s, uint64_t start, uint64_t end, unsigned only);
/* Counts new translations. */
void translation_count(struct space *s, const uint64_t counts[4]);
/*
 * Takes rights that r no longer gives from the translations in [start, end); flush: false if the
 * caller does it.
 */
bool translation_restrict(struct space *s, struct region *r, uint64_t start, uint64_t end,
			  bool flush);
/* Counts a translation that arch_unmap or arch_map took away. */
void translation_gone(struct space *s, unsigned flags);
/* Maps one page; `was`: flags of what was there before, or 0. */
int translation_set(struct space *s, uint64_t address, uint64_t pa, unsigned flags, unsigned was);

/* --- fault.c ------------------------------------------------------------------------------ */
#define RESOLVE_WRITE	0x1u
#define RESOLVE_EXECUTE	0x2u
/* A debugger: may read and, if private, write whatever the rights */
#define RESOLVE_FORCE	0x4u
#define RESOLVE_AROUND	0x8u	/* map neighbours, too */
/*
 * Makes the page at `address` accessible, as a fault would, and says where it is. 0;
 * -K_FAULT_MAPERR, ACCERR, BUS; OP_BLOCK (t waits); -EAGAIN (t is NULL, and somebody would have to
 * wait); OP_MEMORY. limits: the task whose stack limit holds, NULL: none.
 */
RARELY int64_t space_resolve(struct space *s, const struct task *limits, struct thread *t,
			     uint64_t address, unsigned how, uint64_t *pa);

/* --- map.c -------------------------------------------------------------------------------- */
/* Frees what is private in [start, end) of r. */
void region_drop_private(struct region *r, uint64_t start, uint64_t end);
/* True if `more` bytes fit below the limits of the task. */
bool space_within_limits(struct space *s, const struct task *limits, uint32_t flags, uint64_t more);
/* Removes all of [start, end) at once. -ENOMEM: nothing changed. */
int space_unmap_now(struct space *s, uint64_t start, uint64_t end);
/* Splits regions so that none crosses start or end. */
int space_isolate(struct space *s, uint64_t start, uint64_t end);
/* Bytes of [start, end) that are in regions. */
uint64_t space_mapped(struct space *s, uint64_t start, uint64_t end);
/* Drops pages of [start, end) in slices and leaves the regions: 0 or OP_PREEMPT (call again). */
int64_t space_drop_pages(struct space *s, uint64_t start, uint64_t end);
/* space_map() with places below `high` only. */
int space_map_below(struct space *s, const struct task *limits, struct k_map *m,
		    struct mobject *object, struct description *d, uint64_t high);

#endif
