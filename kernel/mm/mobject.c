/*
 * Memory objects: creation, lookup, size.
 *
 * Above: streams, native calls, regions. Below: frames, the page index; beside: pager.c, rmap.c,
 * mobject_copy.c. Invariants: a slot's frame belongs to that slot alone (sharing between spaces
 * happens in overlays); bytes of a page beyond the size are zero; a page that regions may show is
 * taken out of them before its slot changes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mm/mobject_priv.h"
#include "arch/paging.h"
#include "core/account.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/reclaim_priv.h"

#define DEPTH_MAX 8

static struct mobject *mobject_new(enum mobject_kind kind, struct account *a, uint64_t size)
{
	struct mobject *m = kzalloc(sizeof *m);

	if (!m)
		return NULL;
	object_init(&m->object, K_OBJECT_MOBJECT);
	m->kind = kind;
	m->size = size;
	m->grow_limit = UINT64_MAX;
	m->account = a;
	if (a)
		object_get(&a->object);
	list_init(&m->child_link);
	list_init(&m->children);
	list_init(&m->regions);
	wait_queue_init(&m->append_waiters);
	return m;
}

/* Puts frames that already exist into the slots from 0 on. */
static int slots_fill(struct mobject *m, uint64_t pa, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t *slot = pages_make(&m->pages, i);

		if (!slot)
			return -ENOMEM;
		*slot = (pa + i * PAGE_SIZE) | PAGE_PRESENT;
		m->resident++;
	}
	return 0;
}

static int wire(struct mobject *m, uint64_t count)
{
	uint64_t pa = 0;
	int error;

	if (m->flags & K_MOBJECT_CONTIGUOUS) {
		error = frame_alloc_contiguous(m->account, count, FRAME_ZERO, &m->physical);
		if (error)
			return error;
		error = slots_fill(m, m->physical, count);
		for (uint64_t i = m->resident; error && i < count; i++)
			frame_put(m->physical + i * PAGE_SIZE);
		return error;
	}
	for (uint64_t i = 0; i < count; i++) {
		error = mobject_page(m, NULL, i, true, &pa);
		if (error)
			return error;
	}
	return 0;
}

int mobject_create(struct account *a, uint64_t size, uint32_t flags, struct mobject **out)
{
	struct mobject *m;
	int error;

	if ((flags & ~(K_MOBJECT_WIRED | K_MOBJECT_CONTIGUOUS)) || size > INT64_MAX)
		return -EINVAL;
	if ((flags & K_MOBJECT_CONTIGUOUS) && (!(flags & K_MOBJECT_WIRED) || !size))
		return -EINVAL;
	m = mobject_new(MOBJECT_ANONYMOUS, a, size);
	if (!m)
		return -ENOMEM;
	m->flags = flags;
	if (flags & K_MOBJECT_WIRED) {
		error = wire(m, (size + PAGE_MASK) >> PAGE_SHIFT);
		if (error) {
			object_put(&m->object);
			return error;
		}
	}
	*out = m;
	return 0;
}

int mobject_adopt(uint64_t pa, uint64_t size, struct mobject **out)
{
	struct mobject *m = mobject_new(MOBJECT_ANONYMOUS, NULL, size);
	uint64_t count = (size + PAGE_MASK) >> PAGE_SHIFT;

	if (!m)
		return -ENOMEM;
	frame_adopt(pa, count);
	if (slots_fill(m, pa, count)) {
		for (uint64_t i = m->resident; i < count; i++)
			frame_put(pa + i * PAGE_SIZE);
		object_put(&m->object);
		return -ENOMEM;
	}
	*out = m;
	return 0;
}

/*
 * True if the rest of the page behind `end` is zero and stays so: then a child may show that page
 * as it is, and needs no copy. Files of the boot archive are padded like that.
 */
static bool tail_clean(const struct mobject *parent, uint64_t end)
{
	const uint8_t *page;

	if (parent->kind != MOBJECT_PHYSICAL || !(end & PAGE_MASK) || end > parent->size)
		return false;
	page = phys_to_virt(parent->physical + (end & ~PAGE_MASK));
	for (uint64_t i = end & PAGE_MASK; i < PAGE_SIZE; i++)
		if (page[i])
			return false;
	return true;
}

int mobject_child(struct mobject *parent, struct account *a, uint64_t offset, uint64_t size,
		  struct mobject **out)
{
	struct mobject *m;

	if ((offset & PAGE_MASK) || size > INT64_MAX || offset > INT64_MAX - size)
		return -EINVAL;
	if (mobject_device(parent) || parent->depth == DEPTH_MAX)
		return -EINVAL;
	m = mobject_new(MOBJECT_CHILD, a, size);
	if (!m)
		return -ENOMEM;
	m->depth = (uint8_t)(parent->depth + 1);
	m->parent = parent;
	object_get(&parent->object);
	m->parent_index = offset >> PAGE_SHIFT;
	m->limit = size;
	if (tail_clean(parent, offset + size))
		m->limit = (size + PAGE_MASK) & ~PAGE_MASK;
	list_append(&parent->children, &m->child_link);
	*out = m;
	return 0;
}

int mobject_pager_create(struct endpoint *pager, uint64_t cookie, uint64_t size,
			 struct mobject **out)
{
	struct mobject *m;
	int error;

	if (size > INT64_MAX)
		return -EINVAL;
	m = mobject_new(MOBJECT_PAGER, NULL, size);
	if (!m)
		return -ENOMEM;
	error = pager_init(m, pager, cookie);
	if (error) {
		object_put(&m->object);
		return error;
	}
	*out = m;
	return 0;
}

int mobject_physical_create(uint64_t pa, uint64_t size, struct mobject **out)
{
	struct mobject *m;

	if ((pa & PAGE_MASK) || !size || size > INT64_MAX || pa > PAGE_ADDRESS - size)
		return -EINVAL;
	m = mobject_new(MOBJECT_PHYSICAL, NULL, size);
	if (!m)
		return -ENOMEM;
	m->physical = pa;
	m->device = !frame_is_ram(pa, size);
	*out = m;
	return 0;
}

struct object *mobject_object(struct mobject *m)
{
	return &m->object;
}

struct mobject *mobject_of(struct object *o)
{
	return container_of(o, struct mobject, object);
}

void mobject_destroy(struct object *o)
{
	struct mobject *m = mobject_of(o);

	if (m->kind == MOBJECT_PAGER)
		pager_destroy(m);
	pages_dispose(&m->pages, m->resident);
	list_remove(&m->child_link);
	if (m->parent)
		object_put(&m->parent->object);
	if (m->account)
		object_put(&m->account->object);
	kfree(m);
}

/* --- lookup ------------------------------------------------------------------------------- */

uint64_t mobject_peek(struct mobject *m, uint64_t index)
{
	for (;;) {
		uint64_t slot = pages_get(&m->pages, index);

		if (slot & PAGE_PRESENT)
			return slot;
		if (m->kind == MOBJECT_CHILD) {
			uint64_t offset = index << PAGE_SHIFT;

			if (offset >= m->limit)
				return frame_zero_pa | PAGE_PRESENT;
			if (m->limit - offset < PAGE_SIZE)
				return 0;
			index += m->parent_index;
			m = m->parent;
		} else if (m->kind == MOBJECT_PAGER) {
			return mobject_has(m, index) ? 0 : frame_zero_pa | PAGE_PRESENT;
		} else if (m->kind == MOBJECT_PHYSICAL) {
			return (m->physical + (index << PAGE_SHIFT)) | PAGE_PRESENT;
		} else {
			return frame_zero_pa | PAGE_PRESENT;
		}
	}
}

/* Gives m an own page with `valid` bytes of `from` (0: none) and zeros. */
static int64_t page_make(struct mobject *m, uint64_t index, uint64_t from, uint64_t valid,
			 uint64_t *pa)
{
	uint64_t *slot = pages_make(&m->pages, index);
	int error;

	if (!slot)
		return -ENOMEM;
	frame_pin(from);	/* allocating may evict clean pages */
	error = frame_alloc(m->account, from ? 0 : FRAME_ZERO, pa);
	if (!error && from) {
		char *to = phys_to_virt(*pa);

		if (valid == PAGE_SIZE) {
			arch_page_copy(to, phys_to_virt(from));
		} else {
			memcpy(to, phys_to_virt(from), valid);
			memset(to + valid, 0, PAGE_SIZE - valid);
		}
	}
	frame_unpin(from);
	if (error)
		return error;
	if (rmap_any(m))
		rmap_range(m, index, index + 1, RMAP_UNMAP);
	*slot = *pa | PAGE_PRESENT;
	m->resident++;
	return 0;
}

/* A child's page that it does not have yet, as its own. */
static int64_t child_page(struct mobject *m, struct thread *t, uint64_t index, uint64_t *pa)
{
	uint64_t offset = index << PAGE_SHIFT, from, valid;
	int64_t error;

	if (offset >= m->limit)
		return page_make(m, index, 0, 0, pa);
	error = mobject_page(m->parent, t, index + m->parent_index, false, &from);
	if (error)
		return error;
	valid = m->limit - offset < PAGE_SIZE ? m->limit - offset : PAGE_SIZE;
	return page_make(m, index, from == frame_zero_pa ? 0 : from, valid, pa);
}

int64_t mobject_page(struct mobject *m, struct thread *t, uint64_t index, bool write, uint64_t *pa)
{
	uint64_t slot = pages_get(&m->pages, index);

	if ((slot & PAGE_PRESENT) &&
	    (!write || m->kind != MOBJECT_PAGER || (slot & PAGE_WRITABLE))) {
		*pa = slot & PAGE_ADDRESS;
		return 0;
	}
	if (!write || m->kind == MOBJECT_PHYSICAL) {
		uint64_t found = mobject_peek(m, index);

		if (found) {
			*pa = found & PAGE_ADDRESS;
			return 0;
		}
	}
	switch (m->kind) {
	case MOBJECT_PAGER:
		return pager_wait(m, t, index, write);
	case MOBJECT_CHILD:
		/*
		 * What is missing may be missing further up: look there before making a copy for a
		 * mere read.
		 */
		if (!write && (index << PAGE_SHIFT) < m->limit &&
		    m->limit - (index << PAGE_SHIFT) >= PAGE_SIZE)
			return mobject_page(m->parent, t, index + m->parent_index, false, pa);
		return child_page(m, t, index, pa);
	default:
		return page_make(m, index, 0, 0, pa);
	}
}

uint64_t mobject_steal(struct mobject *m, uint64_t index)
{
	uint64_t *slot, pa;

	if (m->object.references != 1 || m->kind > MOBJECT_CHILD || m->flags ||
	    !list_empty(&m->children))
		return 0;
	slot = pages_slot(&m->pages, index);
	if (!slot || !(*slot & PAGE_PRESENT))
		return 0;
	pa = *slot & PAGE_ADDRESS;
	*slot = 0;
	m->resident--;
	return pa;
}

/* --- size --------------------------------------------------------------------------------- */

uint64_t mobject_size(const struct mobject *m)
{
	return m->size;
}

static void slots_drop(struct mobject *m, uint64_t first, uint64_t end)
{
	uint64_t *slot, i;
	unsigned n;

	for (i = first; (slot = pages_run(&m->pages, &i, end, &n)); i += n) {
		for (unsigned k = 0; k < n; k++) {
			if (!slot[k])
				continue;
			if (slot[k] & PAGE_PRESENT) {
				frame_put(slot[k] & PAGE_ADDRESS);
				m->resident--;
			}
			if (m->kind == MOBJECT_PAGER)
				pager_forget(m, slot[k]);
			slot[k] = 0;
		}
	}
	pages_prune(&m->pages, first, end);
}

/* Zeroes a part of a page that is present and our own. */
static void part_zero(struct mobject *m, uint64_t offset, uint64_t size)
{
	uint64_t slot = pages_get(&m->pages, offset >> PAGE_SHIFT);

	if (slot & PAGE_PRESENT)
		memset((char *)phys_to_virt(slot & PAGE_ADDRESS) + (offset & PAGE_MASK), 0, size);
}

static void tail_zero(struct mobject *m, uint64_t size)
{
	if (size & PAGE_MASK)
		part_zero(m, size, PAGE_SIZE - (size & PAGE_MASK));
}

int mobject_resize(struct mobject *m, uint64_t size)
{
	uint64_t first = (size + PAGE_MASK) >> PAGE_SHIFT,
		 end = (m->size + PAGE_MASK) >> PAGE_SHIFT;

	if (m->kind == MOBJECT_PHYSICAL || m->flags || size > INT64_MAX)
		return -EINVAL;
	if (size >= m->size) {
		tail_zero(m, m->size);
		m->size = size;
		return 0;
	}
	m->size = size;
	if (m->kind == MOBJECT_CHILD && m->limit > size) {
		m->limit = size;
		/*
		 * A tail page that shows the parent's frame must be made our own at the next look.
		 */
		if ((size & PAGE_MASK) && rmap_any(m))
			rmap_range(m, first - 1, first, RMAP_UNMAP);
	}
	if (rmap_any(m) && first < end)
		rmap_range(m, first, end, RMAP_TRUNCATE);
	if (!size && m->kind != MOBJECT_PAGER) {
		pages_dispose(&m->pages, m->resident);
		m->resident = 0;
	} else {
		slots_drop(m, first, end);
		tail_zero(m, size);
	}
	if (m->kind == MOBJECT_PAGER)
		pager_settled(m, first, end - first);
	return 0;
}

/* A child's punched page must not show the parent's again. */
static int child_cover(struct mobject *m, uint64_t first, uint64_t end)
{
	uint64_t seen = (m->limit + PAGE_MASK) >> PAGE_SHIFT, pa;
	int64_t error;

	if (m->kind != MOBJECT_CHILD || first >= seen)
		return 0;
	if (end >= seen) {
		m->limit = first << PAGE_SHIFT;
		return 0;
	}
	for (uint64_t i = first; i < end; i++) {
		error = page_make(m, i, 0, 0, &pa);
		if (error)
			return (int)error;
	}
	return 0;
}

int mobject_punch(struct mobject *m, uint64_t offset, uint64_t size)
{
	uint64_t last = offset + size, first, end, pa;
	int64_t error;

	if (m->kind == MOBJECT_PHYSICAL || m->flags || offset > INT64_MAX || size > INT64_MAX)
		return -EINVAL;
	first = (offset + PAGE_MASK) >> PAGE_SHIFT;
	end = last >> PAGE_SHIFT;
	/* The edges, which a child must own first. */
	for (int edge = 0; edge < 2; edge++) {
		uint64_t from = edge ? end << PAGE_SHIFT : offset;
		uint64_t to = edge || first > end ? last : first << PAGE_SHIFT;

		if (from >= to || (edge && first > end))
			continue;
		if (m->kind == MOBJECT_CHILD && from < m->limit) {
			error = mobject_page(m, NULL, from >> PAGE_SHIFT, true, &pa);
			if (error)
				return (int)error;
		}
		part_zero(m, from, to - from);
	}
	if (first >= end)
		return 0;
	if (rmap_any(m))
		rmap_range(m, first, end, RMAP_UNMAP);
	slots_drop(m, first, end);
	return child_cover(m, first, end);
}

/* --- the rest ----------------------------------------------------------------------------- */

void mobject_info(struct mobject *m, struct k_mobject_info *info)
{
	*info = (struct k_mobject_info){
		.size = m->size,
		.resident = m->resident,
		.mtime = m->mtime,
		.atime = m->atime,
		.dirty = m->dirty,
		.mappings = m->region_count,
	};
	if (m->kind == MOBJECT_PHYSICAL || (m->flags & K_MOBJECT_CONTIGUOUS))
		info->physical = m->physical;
}

static int account_change(struct mobject *m, struct account *a)
{
	uint64_t *slot, i;
	unsigned n;

	if (a == m->account)
		return 0;
	if (!account_room(a, m->resident))
		return -ENOMEM;
	for (i = 0; (slot = pages_run(&m->pages, &i, UINT64_MAX, &n)); i += n)
		for (unsigned k = 0; k < n; k++)
			if (slot[k] & PAGE_PRESENT)
				frame_charge(slot[k] & PAGE_ADDRESS, a);
	if (a)
		object_get(&a->object);
	if (m->account)
		object_put(&m->account->object);
	m->account = a;
	return 0;
}

int mobject_set(struct mobject *m, struct account *a, enum k_mobject_set what, uint64_t value)
{
	switch (what) {
	case K_MOBJECT_SET_GROW_LIMIT:
		m->grow_limit = value;
		return 0;
	case K_MOBJECT_SET_DECLINE:
		m->decline = (uint32_t)value;
		return 0;
	case K_MOBJECT_SET_ACCOUNT:
		return account_change(m, a);
	case K_MOBJECT_SET_TIMES:
		if (value & 1)
			m->mtime = 0;
		if (value & 2)
			m->atime = 0;
		return 0;
	}
	return -EINVAL;
}

uint32_t mobject_decline(const struct mobject *m)
{
	return m->decline;
}

uint64_t mobject_grow_limit(const struct mobject *m)
{
	return m->grow_limit;
}

void mobject_stamp(struct mobject *m, bool write)
{
	uint64_t now = (uint64_t)time_now() + time_realtime_offset();

	if (write)
		m->mtime = now;
	else
		m->atime = now;
}

int64_t mobject_append_begin(struct mobject *m, struct thread *t)
{
	if (m->append_owner && m->append_owner != t)
		return wait_on(t, &m->append_waiters, K_WAIT_APPEND, K_RESTART_SYS);
	m->append_owner = t;
	return 0;
}

void mobject_append_end(struct mobject *m, struct thread *t)
{
	if (m->append_owner != t)
		return;
	m->append_owner = NULL;
	/* one alone could be killed before it runs */
	wait_queue_wake(&m->append_waiters, INT32_MAX);
}
