/*
 * Regions, and the tree that finds them and the holes between them.
 *
 * An AVL tree by address, and a list in the same order. Each node knows the largest gap before any
 * region of its subtree; the gap of a region lies between its predecessor's end and its own start
 * (less the guard of a stack that may grow). So a hole is found from the top down in logarithmic
 * time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/account.h"
#include "data/description.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/reclaim_priv.h"
#include "mm/space_priv.h"

/* --- the tree ----------------------------------------------------------------------------- */

static uint8_t height_of(const struct region *r)
{
	return r ? r->height : 0;
}

struct region *region_next(struct space *s, struct region *r)
{
	return r->link.next == &s->regions ? NULL : container_of(r->link.next, struct region, link);
}

struct region *region_prev(struct space *s, struct region *r)
{
	return r->link.prev == &s->regions ? NULL : container_of(r->link.prev, struct region, link);
}

/* Where the gap before r ends. */
static uint64_t floor_of(const struct region *r)
{
	if (!(r->flags & K_MAP_GROWSDOWN))
		return r->start;
	return r->start > STACK_GUARD ? r->start - STACK_GUARD : 0;
}

/* Where the gap before r begins. */
static uint64_t gap_start(struct space *s, struct region *r)
{
	struct region *prev = region_prev(s, r);

	return prev ? prev->end : MMAP_MIN;
}

static uint64_t gap_before(struct space *s, struct region *r)
{
	uint64_t from = gap_start(s, r), to = floor_of(r);

	return to > from ? to - from : 0;
}

static void node_update(struct space *s, struct region *r)
{
	uint8_t left = height_of(r->left), right = height_of(r->right);

	r->height = (uint8_t)((left > right ? left : right) + 1);
	r->gap = gap_before(s, r);
	if (r->left && r->left->gap > r->gap)
		r->gap = r->left->gap;
	if (r->right && r->right->gap > r->gap)
		r->gap = r->right->gap;
}

static struct region *rotate_right(struct space *s, struct region *r)
{
	struct region *top = r->left;

	r->left = top->right;
	top->right = r;
	node_update(s, r);
	node_update(s, top);
	return top;
}

static struct region *rotate_left(struct space *s, struct region *r)
{
	struct region *top = r->right;

	r->right = top->left;
	top->left = r;
	node_update(s, r);
	node_update(s, top);
	return top;
}

static struct region *balance(struct space *s, struct region *r)
{
	int lean = height_of(r->left) - height_of(r->right);

	if (lean > 1) {
		if (height_of(r->left->left) < height_of(r->left->right))
			r->left = rotate_left(s, r->left);
		return rotate_right(s, r);
	}
	if (lean < -1) {
		if (height_of(r->right->right) < height_of(r->right->left))
			r->right = rotate_right(s, r->right);
		return rotate_left(s, r);
	}
	node_update(s, r);
	return r;
}

static struct region *tree_insert(struct space *s, struct region *at, struct region *r)
{
	if (!at) {
		r->left = r->right = NULL;
		node_update(s, r);
		return r;
	}
	if (r->start < at->start)
		at->left = tree_insert(s, at->left, r);
	else
		at->right = tree_insert(s, at->right, r);
	return balance(s, at);
}

static struct region *tree_remove_first(struct space *s, struct region *at, struct region **first)
{
	if (!at->left) {
		*first = at;
		return at->right;
	}
	at->left = tree_remove_first(s, at->left, first);
	return balance(s, at);
}

static struct region *tree_remove(struct space *s, struct region *at, struct region *r)
{
	struct region *heir;

	if (at != r) {
		if (r->start < at->start)
			at->left = tree_remove(s, at->left, r);
		else
			at->right = tree_remove(s, at->right, r);
		return balance(s, at);
	}
	if (!r->left || !r->right)
		return r->left ? r->left : r->right;
	r->right = tree_remove_first(s, r->right, &heir);
	heir->left = r->left;
	heir->right = r->right;
	return balance(s, heir);
}

static void tree_touch(struct space *s, struct region *at, struct region *r)
{
	if (at != r)
		tree_touch(s, r->start < at->start ? at->left : at->right, r);
	node_update(s, at);
}

void region_touch(struct space *s, struct region *r)
{
	tree_touch(s, s->root, r);
}

struct region *region_above(struct space *s, uint64_t address)
{
	struct region *r = s->root, *best = NULL;

	while (r) {
		if (r->end > address) {
			best = r;
			r = r->left;
		} else {
			r = r->right;
		}
	}
	return best;
}

struct region *region_find(struct space *s, uint64_t address)
{
	struct region *r = s->last;

	if (r && address - r->start < r->end - r->start)
		return r;
	r = region_above(s, address);
	if (!r || r->start > address)
		return NULL;
	s->last = r;
	return r;
}

void region_insert(struct space *s, struct region *r)
{
	struct region *next = region_above(s, r->start);

	list_insert_before(next ? &next->link : &s->regions, &r->link);
	s->root = tree_insert(s, s->root, r);
	if (next)
		region_touch(s, next);
	s->count++;
}

void region_remove(struct space *s, struct region *r)
{
	struct region *next = region_next(s, r);

	s->root = tree_remove(s, s->root, r);
	list_remove(&r->link);
	if (next)
		region_touch(s, next);
	if (s->last == r)
		s->last = NULL;
	s->count--;
}

/* A balanced tree of the next n regions in the list. */
static struct region *tree_build(struct space *s, struct list **next, uint32_t n)
{
	struct region *left, *r;

	if (!n)
		return NULL;
	left = tree_build(s, next, n / 2);
	r = container_of(*next, struct region, link);
	*next = r->link.next;
	r->left = left;
	r->right = tree_build(s, next, n - n / 2 - 1);
	node_update(s, r);
	return r;
}

void region_append(struct space *s, struct region *r)
{
	list_append(&s->regions, &r->link);
	s->count++;
}

void region_index_all(struct space *s)
{
	struct list *next = s->regions.next;

	s->root = tree_build(s, &next, s->count);
}

/* --- holes -------------------------------------------------------------------------------- */

/* The highest place for `size` bytes in [from, to) within [low, high), or 0. */
static uint64_t hole_fit(uint64_t from, uint64_t to, uint64_t size, uint64_t low, uint64_t high)
{
	if (from < low)
		from = low;
	if (to > high)
		to = high;
	return to > from && to - from >= size ? to - size : 0;
}

static uint64_t hole_search(struct space *s, struct region *r, uint64_t size, uint64_t low,
			    uint64_t high)
{
	uint64_t found;

	if (!r || r->gap < size)
		return 0;
	if (r->end < high) {
		found = hole_search(s, r->right, size, low, high);
		if (found)
			return found;
	}
	found = hole_fit(gap_start(s, r), floor_of(r), size, low, high);
	if (found || r->start <= low)
		return found;
	return hole_search(s, r->left, size, low, high);
}

uint64_t region_hole(struct space *s, uint64_t size, uint64_t low, uint64_t high)
{
	uint64_t top = MMAP_MIN, found;

	if (!list_empty(&s->regions))
		top = container_of(s->regions.prev, struct region, link)->end;
	found = hole_fit(top, USER_END, size, low, high);
	return found ? found : hole_search(s, s->root, size, low, high);
}

bool region_free(struct space *s, uint64_t start, uint64_t end)
{
	struct region *r = region_above(s, start);

	return !r || floor_of(r) >= end;
}

/* --- regions ------------------------------------------------------------------------------ */

void region_account(struct region *r, uint64_t pages, int sign)
{
	struct space *s = r->space;
	uint64_t n = sign < 0 ? -pages : pages;

	s->pages += n;
	if (r->flags & (K_MAP_GROWSDOWN | K_MAP_STACK))
		s->stack_pages += n;
	else if ((r->flags & K_MAP_WRITE) && region_private(r))
		s->data_pages += n;
	else if (r->flags & K_MAP_EXECUTE)
		s->text_pages += n;
}

struct region *region_create(struct space *s, const struct region *like)
{
	struct region *r = kmalloc(sizeof *r);

	if (!r)
		return NULL;
	if (like)
		*r = *like;
	else
		memset(r, 0, sizeof *r);
	r->space = s;
	list_init(&r->link);
	list_init(&r->object_link);
	if (r->object) {
		object_get(&r->object->object);
		list_append(&r->object->regions, &r->object_link);
		r->object->region_count++;
	}
	if (r->description)
		object_get(&r->description->object);
	if (r->overlay)
		r->overlay->references++;
	return r;
}

void overlay_put(struct overlay *o)
{
	if (--o->references)
		return;
	pages_dispose(&o->pages, 0);
	kfree(o);
}

void region_destroy(struct region *r)
{
	if (!list_empty(&r->link)) {
		region_account(r, (r->end - r->start) >> PAGE_SHIFT, -1);
		region_remove(r->space, r);
	}
	if (r->overlay) {
		if (r->overlay->references > 1)
			region_drop_private(r, r->start, r->end);
		overlay_put(r->overlay);
	}
	if (r->object) {
		list_remove(&r->object_link);
		r->object->region_count--;
		object_put(&r->object->object);
	}
	if (r->description)
		object_put(&r->description->object);
	kfree(r);
}

int region_split(struct region *r, uint64_t at)
{
	struct region *upper;

	if (r->space->count >= REGIONS_MAX)
		return -ENOMEM;
	upper = region_create(r->space, r);
	if (!upper)
		return -ENOMEM;
	upper->start = at;
	upper->offset += at - r->start;
	r->end = at;
	region_insert(r->space, upper);
	return 0;
}

bool region_extends(const struct region *r, const struct region *next)
{
	if (r->end != next->start || (r->flags ^ next->flags) & REGION_KIND)
		return false;
	if (r->object != next->object || r->description != next->description)
		return false;
	if (r->object && r->offset + (r->end - r->start) != next->offset)
		return false;
	return r->overlay == next->overlay || !r->overlay || !next->overlay;
}

/* next becomes a part of r. */
static struct region *region_join(struct region *r, struct region *next)
{
	struct space *s = r->space;
	uint64_t end = next->end;

	if (!r->overlay && next->overlay) {
		r->overlay = next->overlay;
		r->overlay->references++;
	}
	region_account(next, (next->end - next->start) >> PAGE_SHIFT, -1);
	region_remove(s, next);
	if (next->overlay) {	/* its pages stay: they are r's now */
		overlay_put(next->overlay);
		next->overlay = NULL;
	}
	region_destroy(next);
	region_account(r, (end - r->end) >> PAGE_SHIFT, 1);
	r->end = end;
	next = region_next(s, r);
	if (next)
		region_touch(s, next);
	return r;
}

struct region *region_merge(struct region *r)
{
	struct region *other = region_prev(r->space, r);

	if (other && region_extends(other, r))
		r = region_join(other, r);
	other = region_next(r->space, r);
	if (other && region_extends(r, other))
		r = region_join(r, other);
	return r;
}
