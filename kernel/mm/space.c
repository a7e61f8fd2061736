/*
 * Address spaces as a whole: birth, fork, death, numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/boot.h"
#include "core/account.h"
#include "data/description.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/reclaim_priv.h"
#include "mm/space_priv.h"
#include "mm/usercopy.h"

#define STACK_ROOM (129ul << 20)	/* below the top, for the stack; mappings come below that */
#define SLICE 1024			/* pages */
/* A space with at most so many pages is copied with its translations */
#define EAGER 1024

/* Where mappings begin. Always the same, unless the boot command line brought a seed. */
static uint64_t mmap_base_choose(void)
{
	static uint64_t state;
	static bool asked, random;
	uint64_t x;

	if (!asked) {
		const char *seed = boot_option("seed");

		asked = true;
		random = seed != NULL;
		for (; seed && *seed && *seed != ' '; seed++)
			state = (state ^ (uint8_t)*seed) * 0x100000001b3;
	}
	if (!random)
		return USER_END - STACK_ROOM;
	x = state += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return USER_END - STACK_ROOM - ((x >> 32 & 0xffffff) << PAGE_SHIFT);
}

int space_create(struct account *a, struct space **out)
{
	struct space *s = kzalloc(sizeof *s);
	int error;

	if (!s)
		return -ENOMEM;
	frame_table_payer = a;
	error = arch_space_init(&s->arch);
	frame_table_payer = NULL;
	if (error) {
		kfree(s);
		return error;
	}
	object_init(&s->object, K_OBJECT_SPACE);
	list_init(&s->regions);
	s->mmap_base = mmap_base_choose();
	s->account = a;
	if (a)
		object_get(&a->object);
	*out = s;
	return 0;
}

struct object *space_object(struct space *s)
{
	return &s->object;
}

struct space *space_of(struct object *o)
{
	return container_of(o, struct space, object);
}

struct arch_space *space_arch(struct space *s)
{
	return &s->arch;
}

struct account *space_account(struct space *s)
{
	return s->account;
}

void space_set_account(struct space *s, struct account *a)
{
	if (a)
		object_get(&a->object);
	if (s->account)
		object_put(&s->account->object);
	s->account = a;
}

/* --- death -------------------------------------------------------------------------------- */

static int64_t clear(struct space *s, bool slices)
{
	/*
	 * The tables go first, and with them every CPU's memory of them; after that frames can be
	 * freed without looking at a single translation.
	 */
	if (!s->dead) {
		s->dead = true;
		s->root = s->last = NULL;
		s->rss_own = s->rss_object = 0;
		arch_space_destroy(&s->arch);
	}
	while (!list_empty(&s->regions)) {
		struct region *r = list_first(&s->regions, struct region, link);

		while (r->overlay && r->start < r->end) {
			uint64_t at = pages_drop(&r->overlay->pages, r->start >> PAGE_SHIFT,
						 r->end >> PAGE_SHIFT, SLICE);

			r->start = at << PAGE_SHIFT;
			if (slices && preempt_needed())
				return OP_PREEMPT;
		}
		r->start = r->end;	/* nothing of the overlay is left to drop */
		list_remove(&r->link);
		region_destroy(r);
	}
	s->count = 0;
	s->pages = s->data_pages = s->stack_pages = s->text_pages = 0;
	return 0;
}

int64_t space_clear(struct space *s)
{
	return clear(s, true);
}

void space_destroy(struct object *o)
{
	struct space *s = space_of(o);

	clear(s, false);
	if (s->account)
		object_put(&s->account->object);
	kfree(s);
}

/* --- fork --------------------------------------------------------------------------------- */

/*
 * The child's region for [start, end) of r; where an earlier slice made r's lower part, that one
 * goes on.
 */
static struct region *fork_region(struct space *to, struct region *r, uint64_t start, uint64_t end)
{
	struct overlay *overlay = r->overlay;
	struct region *c;

	if (start > r->start && !list_empty(&to->regions)) {
		c = container_of(to->regions.prev, struct region, link);
		if (c->end == start) {
			region_account(c, (end - start) >> PAGE_SHIFT, 1);
			c->end = end;
			return c;
		}
	}
	r->overlay = NULL;
	c = region_create(to, r);
	r->overlay = overlay;
	if (!c)
		return NULL;
	c->offset += r->object ? start - r->start : 0;
	c->start = start;
	c->end = end;
	region_append(to, c);
	region_account(c, (end - start) >> PAGE_SHIFT, 1);
	return c;
}

/* Shares the frames of r's overlay in [*at, end) with c; advances *at by about a slice. */
static int fork_overlay(struct region *r, struct region *c, uint64_t *at, uint64_t end)
{
	struct pages *from = &r->overlay->pages, *to;
	uint64_t *slot, *copy, i, done = 0;
	unsigned n;

	if (!c->overlay) {
		c->overlay = kzalloc(sizeof *c->overlay);
		if (!c->overlay)
			return -ENOMEM;
		c->overlay->references = 1;
	}
	to = &c->overlay->pages;
	for (i = *at >> PAGE_SHIFT; (slot = pages_run(from, &i, end >> PAGE_SHIFT, &n)); i += n) {
		if (done >= SLICE) {
			*at = i << PAGE_SHIFT;
			return 0;
		}
		if (from->height && pages_raise(to, i))
			return -ENOMEM;
		copy = pages_make(to, i);
		if (!copy)
			return -ENOMEM;
		for (unsigned k = 0; k < n; k++) {
			if (!slot[k])
				continue;
			frame_get(slot[k] & PAGE_ADDRESS);
			copy[k] = slot[k];
			done++;
		}
	}
	*at = end;
	return 0;
}

int64_t space_fork(struct space *from, struct space *to, uint64_t *cursor)
{
	bool eager = from->rss_own + from->rss_object <= EAGER, flush = false;
	struct region *r = region_above(from, *cursor), *c;
	uint64_t counts[4] = { 0 };
	int64_t result = 0;

	frame_table_payer = to->account;
	if (!*cursor) {
		to->mmap_base = from->mmap_base;
		to->brk_start = from->brk_start;
		to->brk = from->brk;
	}
	for (; r; r = region_next(from, r)) {
		uint64_t start = *cursor > r->start ? *cursor : r->start, at = r->end;

		*cursor = r->end;
		if (r->flags & REGION_NOFORK)
			continue;
		c = fork_region(to, r, start, r->end);
		if (!c) {
			result = -ENOMEM;
			break;
		}
		if (r->flags & REGION_WIPE)
			continue;
		if (r->overlay) {
			at = start;
			result = fork_overlay(r, c, &at, r->end);
			if (result)
				break;
		}
		/*
		 * What is private may be written by neither from now on; the child gets the same
		 * translations.
		 */
		if (eager || region_private(r))
			arch_copy_range(eager ? &to->arch : NULL, &from->arch, start, at,
					region_private(r), counts, &flush);
		if (at < r->end) {
			/* The rest of this region comes with the next slice. */
			*cursor = at;
			region_account(c, (c->end - at) >> PAGE_SHIFT, -1);
			c->end = at;
			result = OP_PREEMPT;
			break;
		}
		if ((!eager || counts[0] + counts[1] > SLICE / 4) && preempt_needed() &&
		    region_next(from, r)) {
			result = OP_PREEMPT;
			break;
		}
	}
	if (flush)
		arch_tlb_flush_space(&from->arch);
	frame_table_payer = NULL;
	translation_count(to, counts);
	region_index_all(to);
	return result;
}

/* --- numbers ------------------------------------------------------------------------------ */

void space_info(struct space *s, struct k_task_info *info)
{
	info->virtual_size = s->pages << PAGE_SHIFT;
	info->resident = (s->rss_own + s->rss_object) << PAGE_SHIFT;
	info->shared = s->rss_object << PAGE_SHIFT;
	info->text = s->text_pages << PAGE_SHIFT;
	info->data = s->data_pages << PAGE_SHIFT;
	info->stack = s->stack_pages << PAGE_SHIFT;
	info->peak_resident = s->rss_peak << PAGE_SHIFT;
	info->space = s->object.id;
	info->brk_start = s->brk_start;
	info->brk = s->brk;
}

static void region_info(struct region *r, struct k_region *out)
{
	uint64_t address = r->start, pa;
	unsigned flags;

	*out = (struct k_region){ .start = r->start, .end = r->end, .offset = r->offset,
				  .flags = r->flags & (2 * K_MAP_HEAP - 1) };
	if (r->object)
		out->object = r->object->object.id;
	if (r->description) {
		out->endpoint = r->description->endpoint ? r->description->endpoint->object.id : 0;
		out->cookie = r->description->cookie;
	}
	for (; address < r->end && arch_next(&r->space->arch, &address, r->end, &pa, &flags);
	     address += PAGE_SIZE) {
		if (flags & PTE_ZERO)
			continue;
		out->resident++;
		if (!(flags & PTE_OBJECT))
			out->dirty++;
	}
}

int space_regions(struct space *s, uint64_t from, struct k_region *out, size_t max)
{
	struct region *r = s->dead ? NULL : region_above(s, from);
	size_t n = 0;

	for (; r && n < max; r = region_next(s, r))
		region_info(r, &out[n++]);
	return (int)n;
}

bool space_identify(struct space *s, uint64_t address, struct mobject **m, uint64_t *offset)
{
	struct region *r = region_find(s, address);

	if (!r)
		return false;
	*m = region_private(r) ? NULL : r->object;
	*offset = *m ? address - r->start + r->offset : address;
	return true;
}
