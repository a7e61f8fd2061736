/*
 * Mapping, unmapping, protecting.
 *
 * Decode, then commit: splits, which may fail, come first; from then on nothing can. Long work on
 * pages is done in slices that leave the regions alone, so that it can begin again from the start.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/account.h"
#include "data/description.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/reclaim_priv.h"
#include "mm/space_priv.h"

#define SLICE (1024 * PAGE_SIZE)

/* --- limits and places -------------------------------------------------------------------- */

bool space_within_limits(struct space *s, const struct task *limits, uint32_t flags, uint64_t more)
{
	if (!limits)
		return true;
	if (more > limits->limit_as || (s->pages << PAGE_SHIFT) > limits->limit_as - more)
		return false;
	if ((flags & (K_MAP_WRITE | K_MAP_PRIVATE)) != (K_MAP_WRITE | K_MAP_PRIVATE) ||
	    (flags & (K_MAP_STACK | K_MAP_GROWSDOWN)))
		return true;
	/* overcommit has its bounds: more than there is in all is a mistake */
	if (!(flags & K_MAP_NORESERVE) && more >> PAGE_SHIFT > frame_counts.total)
		return false;
	return more <= limits->limit_data &&
	       (s->data_pages << PAGE_SHIFT) <= limits->limit_data - more;
}

uint64_t space_mapped(struct space *s, uint64_t start, uint64_t end)
{
	struct region *r = region_above(s, start);
	uint64_t sum = 0;

	for (; r && r->start < end; r = region_next(s, r))
		sum += (r->end < end ? r->end : end) - (r->start > start ? r->start : start);
	return sum;
}

/* Chooses the address: 0, or an error. */
static int place(struct space *s, struct k_map *m, uint64_t high)
{
	uint64_t hint = (m->address + PAGE_MASK) & ~PAGE_MASK;

	if (m->flags & K_MAP_FIXED) {
		if (m->address & PAGE_MASK)
			return -EINVAL;
		if (m->address < MMAP_MIN)
			return -EPERM;
		return m->address > USER_END - m->size ? -ENOMEM : 0;
	}
	if (m->size > high)
		return -ENOMEM;
	if (m->address && hint < MMAP_MIN)
		hint = MMAP_MIN;
	if (m->address && hint >= m->address && hint <= high - m->size &&
	    region_free(s, hint, hint + m->size)) {
		m->address = hint;
		return 0;
	}
	m->address = region_hole(s, m->size, MMAP_MIN, high < s->mmap_base ? high : s->mmap_base);
	if (!m->address)
		m->address = region_hole(s, m->size, MMAP_MIN, high);
	return m->address ? 0 : -ENOMEM;
}

/* --- mapping ------------------------------------------------------------------------------ */

/* Lets a neighbour grow over the place of `r`, which is only a description of it. */
static bool extend_neighbour(struct space *s, const struct region *r)
{
	struct region *next = region_above(s, r->start);
	struct region *prev = next ? region_prev(s, next) :
			      list_empty(&s->regions) ?
				     NULL :
				     container_of(s->regions.prev, struct region, link);
	uint64_t size = r->end - r->start;

	if (prev && region_extends(prev, r)) {
		region_account(prev, size >> PAGE_SHIFT, 1);
		prev->end = r->end;
		if (next)
			region_touch(s, next);
		region_merge(prev);
		return true;
	}
	if (next && region_extends(r, next)) {
		region_account(next, size >> PAGE_SHIFT, 1);
		next->start = r->start;
		next->offset -= r->object ? size : 0;
		region_touch(s, next);
		return true;
	}
	return false;
}

int space_map_below(struct space *s, const struct task *limits, struct k_map *m,
		    struct mobject *object, struct description *d, uint64_t high)
{
	struct region like = {
		.space = s, .object = object, .description = d, .offset = m->offset, .height = 1
	};
	struct region *r;
	uint64_t replaced = 0;
	int error;

	if (!m->size || m->size > USER_END)
		return m->size ? -ENOMEM : -EINVAL;
	m->size = (m->size + PAGE_MASK) & ~PAGE_MASK;
	if (object && (m->offset & PAGE_MASK))
		return -EINVAL;
	if (object && m->offset > INT64_MAX - m->size)
		return -EOVERFLOW;
	error = place(s, m, high);
	if (error)
		return error;
	like.flags = m->flags & ~K_MAP_FIXED;
	if (!object) {
		like.flags |= K_MAP_PRIVATE;
		like.offset = 0;
	}
	if (object && d && !(m->flags & K_MAP_PRIVATE) && !(d->access & DESCRIPTION_WRITE))
		like.flags |= REGION_SEALED;
	like.start = m->address;
	like.end = m->address + m->size;
	if (m->flags & K_MAP_FIXED)
		replaced = space_mapped(s, like.start, like.end);
	if (!space_within_limits(s, limits, like.flags, m->size - replaced))
		return -ENOMEM;
	like.flags &= ~K_MAP_NORESERVE;
	if (replaced) {
		error = space_unmap_now(s, like.start, like.end);
		if (error)
			return error;
	}
	if (extend_neighbour(s, &like))
		return 0;
	r = s->count < REGIONS_MAX ? region_create(s, &like) : NULL;
	if (!r)
		return -ENOMEM;
	region_insert(s, r);
	region_account(r, m->size >> PAGE_SHIFT, 1);
	return 0;
}

int space_map(struct space *s, const struct task *limits, struct k_map *m, struct mobject *object,
	      struct description *d)
{
	const uint32_t known = REGION_ACCESS | K_MAP_PRIVATE | K_MAP_NORESERVE | K_MAP_FIXED |
			       K_MAP_GROWSDOWN | K_MAP_UNCACHED | K_MAP_STACK | K_MAP_HEAP;
	int error = 0;

	if ((m->flags & ~known) || s->dead)
		return -EINVAL;
	if (m->size || !(m->flags & K_MAP_HEAP))
		error = space_map_below(s, limits, m, object, d, USER_END);
	if (!error && (m->flags & K_MAP_HEAP))
		s->brk_start = s->brk = (m->address + m->size + PAGE_MASK) & ~PAGE_MASK;
	return error;
}

/* --- unmapping ---------------------------------------------------------------------------- */

void region_drop_private(struct region *r, uint64_t start, uint64_t end)
{
	if (!r->overlay)
		return;
	pages_drop(&r->overlay->pages, start >> PAGE_SHIFT, end >> PAGE_SHIFT, UINT64_MAX);
	pages_prune(&r->overlay->pages, start >> PAGE_SHIFT, end >> PAGE_SHIFT);
}

int space_isolate(struct space *s, uint64_t start, uint64_t end)
{
	struct region *r = region_find(s, start);
	int error = 0;

	if (r && r->start < start)
		error = region_split(r, start);
	r = region_find(s, end);
	if (!error && r && r->start < end)
		error = region_split(r, end);
	return error;
}

/* The common case, without building a region only to destroy it: one end of one region. */
static bool region_trim(struct space *s, uint64_t start, uint64_t end)
{
	struct region *r = region_above(s, start), *next;

	if (!r || (r->start >= start && r->end <= end))
		return false;
	next = region_next(s, r);
	if (r->start < start && r->end <= end && (!next || next->start >= end)) {
		end = r->end;
	} else if (r->start < start || r->start >= end) {
		return false;
	}
	translation_drop(s, start > r->start ? start : r->start, end, 0);
	region_drop_private(r, start > r->start ? start : r->start, end);
	if (r->start < start) {
		region_account(r, (end - start) >> PAGE_SHIFT, -1);
		r->end = start;
		if (next)
			region_touch(s, next);
	} else {
		region_account(r, (end - r->start) >> PAGE_SHIFT, -1);
		r->offset += r->object ? end - r->start : 0;
		r->start = end;
		region_touch(s, r);
	}
	return true;
}

int space_unmap_now(struct space *s, uint64_t start, uint64_t end)
{
	struct region *r, *next;
	int error;

	if (region_trim(s, start, end))
		return 0;
	error = space_isolate(s, start, end);

	if (error)
		return error;
	/* From here on nothing fails. No frame goes before the flush. */
	translation_drop(s, start, end, 0);
	for (r = region_above(s, start); r && r->start < end; r = next) {
		next = region_next(s, r);
		region_destroy(r);
	}
	return 0;
}

/* The first address in [from, to) of r that has a page worth dropping, or `to`. */
static uint64_t next_page(struct region *r, uint64_t from, uint64_t to)
{
	uint64_t address = from, index = from >> PAGE_SHIFT, pa;
	unsigned flags, n;

	if (!arch_next(&r->space->arch, &address, to, &pa, &flags))
		address = to;
	if (r->overlay && pages_run(&r->overlay->pages, &index, to >> PAGE_SHIFT, &n) &&
	    index << PAGE_SHIFT < address)
		address = index << PAGE_SHIFT;
	return address;
}

int64_t space_drop_pages(struct space *s, uint64_t start, uint64_t end)
{
	struct region *r = region_above(s, start);

	for (; r && r->start < end; r = region_next(s, r)) {
		uint64_t from = r->start > start ? r->start : start,
			 to = r->end < end ? r->end : end, stop;

		for (from = next_page(r, from, to); from < to; from = next_page(r, stop, to)) {
			stop = to - from > SLICE ? from + SLICE : to;
			translation_drop(s, from, stop, 0);
			region_drop_private(r, from, stop);
			if (stop < to && preempt_needed())
				return OP_PREEMPT;
		}
	}
	return 0;
}

int64_t space_unmap(struct space *s, uint64_t address, uint64_t size)
{
	uint64_t end;
	int error;
	int64_t r;

	if ((address & PAGE_MASK) || !size || size > USER_END || address > USER_END - size)
		return -EINVAL;
	end = (address + size + PAGE_MASK) & ~PAGE_MASK;
	if (end - address > SLICE) {
		error = space_isolate(s, address, end);
		if (error)
			return error;
		r = space_drop_pages(s, address, end);
		if (r)
			return r;
	}
	return space_unmap_now(s, address, end);
}

/* --- protecting --------------------------------------------------------------------------- */

/* Gives [start, end) of r new rights. */
static int region_protect(struct space *s, struct region *r, uint64_t start, uint64_t end,
			  uint32_t rights)
{
	int error;

	if ((r->flags & REGION_ACCESS) == rights)
		return 0;
	if ((rights & K_MAP_WRITE) && (r->flags & REGION_SEALED))
		return -EACCES;
	error = space_isolate(s, start, end);
	if (error)
		return error;
	r = region_find(s, start);
	region_account(r, (end - start) >> PAGE_SHIFT, -1);
	r->flags = (r->flags & ~REGION_ACCESS) | rights;
	region_account(r, (end - start) >> PAGE_SHIFT, 1);
	translation_restrict(s, r, start, end, true);
	region_merge(r);
	return 0;
}

int64_t space_protect(struct space *s, uint64_t address, uint64_t size, uint32_t flags)
{
	uint64_t end;
	int error;

	if ((address & PAGE_MASK) || (flags & ~REGION_ACCESS))
		return -EINVAL;
	if (!size)
		return 0;
	if (size > USER_END || address > USER_END - size)
		return -ENOMEM;
	end = (address + size + PAGE_MASK) & ~PAGE_MASK;
	while (address < end) {
		struct region *r = region_find(s, address);
		uint64_t stop;

		if (!r)
			return -ENOMEM;
		stop = r->end < end ? r->end : end;
		error = region_protect(s, r, address, stop, flags);
		if (error)
			return error;
		address = stop;
		/* What is done already is skipped quickly when we come again. */
		if (address < end && preempt_needed())
			return OP_PREEMPT;
	}
	return 0;
}
