/*
 * Reverse maps: from an object's pages to the translations that show them.
 *
 * An object knows its regions and its children; a child's pages that it does not own show the
 * parent's frames, so what happens to a parent's range happens to the children's views of it.
 * Private copies in overlays are not the object's business, unless it is cut short.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mm/space_priv.h"

static void region_clean(struct region *r, uint64_t start, uint64_t end)
{
	struct space *s = r->space;
	uint64_t address = start, pa;
	unsigned flags;
	bool any = false;

	for (; address < end && arch_next(&s->arch, &address, end, &pa, &flags);
	     address += PAGE_SIZE) {
		if ((flags & (PTE_OBJECT | ARCH_MAP_WRITE)) != (PTE_OBJECT | ARCH_MAP_WRITE))
			continue;
		arch_protect(&s->arch, address,
			     flags & ~(ARCH_MAP_WRITE | ARCH_MAP_ACCESSED | ARCH_MAP_DIRTY), NULL);
		any = true;
	}
	if (any)
		arch_tlb_flush_range(&s->arch, start, end);
}

static void region_apply(struct region *r, uint64_t first, uint64_t end, enum rmap_what what)
{
	uint64_t from = r->offset >> PAGE_SHIFT, to = from + ((r->end - r->start) >> PAGE_SHIFT);
	uint64_t start, stop;

	if (r->space->dead)
		return;
	if (first < from)
		first = from;
	if (end > to)
		end = to;
	if (first >= end)
		return;
	start = r->start + ((first - from) << PAGE_SHIFT);
	stop = r->start + ((end - from) << PAGE_SHIFT);
	if (what == RMAP_CLEAN) {
		region_clean(r, start, stop);
	} else if (what == RMAP_UNMAP) {
		/* not what is the overlay's own */
		translation_drop(r->space, start, stop, PTE_OBJECT);
	} else {
		translation_drop(r->space, start, stop, 0);
		region_drop_private(r, start, stop);
	}
}

void rmap_range(struct mobject *m, uint64_t first, uint64_t end, enum rmap_what what)
{
	list_for(it, &m->regions)
		region_apply(container_of(it, struct region, object_link), first, end, what);
	list_for(it, &m->children) {
		struct mobject *child = container_of(it, struct mobject, child_link);
		uint64_t low = child->parent_index,
			 high = low + ((child->limit + PAGE_MASK) >> PAGE_SHIFT);

		if (first < high && end > low)
			rmap_range(child, (first > low ? first : low) - low,
				   (end < high ? end : high) - low,
				   what == RMAP_TRUNCATE ? RMAP_UNMAP : what);
	}
}
