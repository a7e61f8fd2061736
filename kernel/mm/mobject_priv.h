/* SPDX-License-Identifier: MIT */
/* Memory objects as mm/ sees them. All fields: kernel lock; [I]: immutable. */
#ifndef TROUPE_MM_MOBJECT_PRIV_H
#define TROUPE_MM_MOBJECT_PRIV_H

#include "core/endpoint.h"
#include "mm/frame.h"
#include "mm/mobject.h"
#include "mm/pages.h"

enum mobject_kind { MOBJECT_ANONYMOUS, MOBJECT_CHILD, MOBJECT_PAGER, MOBJECT_PHYSICAL };

#define PAGER_REQUESTS 4	/* under way at once, per object */

struct pager {
	struct mobject *mobject;	/* [I] */
	struct endpoint *endpoint;	/* [I] counted */
	uint64_t cookie;		/* [I] */
	struct list link;		/* all pager objects */
	struct notice request, dirty;
	struct wait_queue waiters;	/* waiter.key: page number * 2 + write */
	struct { uint64_t first, count; bool write; } flight[PAGER_REQUESTS];
};

struct mobject {
	struct object object;
	uint64_t size;			/* bytes */
	struct pages pages;
	uint8_t kind;			/* [I] enum mobject_kind */
	uint8_t depth;			/* [I] of the chain of parents */
	bool device;			/* [I] PHYSICAL: not RAM, only to be mapped */
	uint32_t flags;			/* [I] K_MOBJECT_* */
	uint32_t decline;
	struct account *account;	/* who pays for new pages; counted */
	uint64_t resident, dirty;	/* pages */
	uint64_t mtime, atime, grow_limit;
	struct mobject *parent;		/* [I] CHILD: counted */
	uint64_t parent_index;		/* [I] page of the parent that is our page 0 */
	/* CHILD: bytes that may come from the parent; shrinks only */
	uint64_t limit;
	struct list child_link, children;
	struct list regions;		/* that map it (region.object_link) */
	uint64_t region_count;
	struct thread *append_owner;
	struct wait_queue append_waiters;
	union {
		struct pager *pager;	/* [I] PAGER */
		uint64_t physical;	/* [I] PHYSICAL, CONTIGUOUS: address of page 0 */
	};
};

/*
 * For reading, without waiting or allocating: the page's address (with PAGE_* bits), 0 if it takes
 * more than a look.
 */
uint64_t mobject_peek(struct mobject *m, uint64_t index);
/*
 * Takes an own, unshared page out of an object that only one region knows; 0 if that cannot be
 * done.
 */
uint64_t mobject_steal(struct mobject *m, uint64_t index);
/* Not memory: can be mapped, but neither copied nor looked at. */
static inline bool mobject_device(const struct mobject *m)
{
	return m->device;
}
/* What a page past the end is worth: true if `index` lies within the size, rounded up to pages. */
static inline bool mobject_has(const struct mobject *m, uint64_t index)
{
	return index < (m->size + PAGE_MASK) >> PAGE_SHIFT;
}

/* Mobject side of the reverse maps (rmap.c): [first, end) in pages. */
enum rmap_what {
	RMAP_UNMAP,	/* drop translations that show the object's pages */
	RMAP_TRUNCATE,	/* ... and private copies too */
	RMAP_CLEAN	/* write-protect */
};
void rmap_range(struct mobject *m, uint64_t first, uint64_t end, enum rmap_what what);
static inline bool rmap_any(const struct mobject *m)
{
	return !list_empty(&m->regions) || !list_empty(&m->children);
}

/* pager.c: waiting for pages. mobject_page() semantics: OP_BLOCK, -EAGAIN, -EIO. */
int64_t pager_wait(struct mobject *m, struct thread *t, uint64_t index, bool write);
void pager_destroy(struct mobject *m);

#endif
