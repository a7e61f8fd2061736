/*
 * The frame allocator.
 *
 * Free frames are in one doubly linked list, threaded through their struct frame; frames that were
 * never used lie between the two bounds of their range. A single frame is taken from the list, then
 * from a range's bottom; contiguous ones from a range's top, and when no range has room, by a
 * search for neighbours that are all free. The invariant: a struct frame says something only if its
 * frame has left the wild.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mm/frame.h"
#include "arch/boot.h"
#include "arch/entry.h"
#include "arch/paging.h"
#include "core/account.h"
#include "core/thread.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/reclaim.h"

#define NONE UINT32_MAX

struct range {
	uint64_t start, wild, wild_end, end;	/* pages; [wild, wild_end) was never used */
};

struct frame_counts frame_counts;
uint64_t frame_zero_pa;
struct frame *frame_table;
uint64_t frame_low_end, frame_hole;
struct account *frame_table_payer;

static struct range ranges[BOOT_RANGES];
static unsigned range_count, range_now;
static struct { uint64_t start, end; } adopted[BOOT_MODULES];
static unsigned adopted_count;
static uint32_t free_head = NONE;
static uint64_t reserve_pages;
static uint64_t table_entries;
static const struct boot_info *boot;

static struct frame *frame_by_page(uint64_t page)
{
	return frame_at(page << PAGE_SHIFT);
}

static void list_push(struct frame *f)
{
	uint32_t n = (uint32_t)(f - frame_table);

	f->kind = FRAME_FREE;
	f->next = free_head;
	f->prev = NONE;
	if (free_head != NONE)
		frame_table[free_head].prev = n;
	free_head = n;
	frame_counts.free++;
}

static void list_unlink(struct frame *f)
{
	if (f->prev != NONE)
		frame_table[f->prev].next = f->next;
	else
		free_head = f->next;
	if (f->next != NONE)
		frame_table[f->next].prev = f->prev;
	frame_counts.free--;
}

/* The end of RAM below 4 GiB, as far as we shall ever see a frame of it. */
static uint64_t low_end(const struct boot_info *info)
{
	uint64_t end = info->kernel.end;

	for (unsigned i = 0; i < info->range_count; i++)
		if (info->ranges[i].start >> PAGE_SHIFT < FRAME_4G && info->ranges[i].end > end)
			end = info->ranges[i].end;
	for (unsigned i = 0; i < info->module_count; i++) {
		uint64_t e = info->modules[i].start + info->modules[i].size;

		if (e >> PAGE_SHIFT < FRAME_4G && e > end)
			end = e;
	}
	end = (end + PAGE_MASK) >> PAGE_SHIFT;
	return end < FRAME_4G ? end : FRAME_4G;
}

/* Cuts the frame table itself off the end of the first range that is large enough. */
static void table_place(void)
{
	uint64_t pages = (table_entries * sizeof(struct frame) + PAGE_MASK) >> PAGE_SHIFT;

	for (unsigned i = 0; i < range_count; i++) {
		struct range *r = &ranges[i];

		if (r->end - r->start <= pages)
			continue;
		r->end -= pages;
		r->wild_end = r->end;
		frame_table = phys_to_virt(r->end << PAGE_SHIFT);
		return;
	}
	panic("no room for the frame table");
}

void frame_init(const struct boot_info *info)
{
	uint64_t top = info->ram_top >> PAGE_SHIFT;

	boot = info;
	frame_low_end = low_end(info);
	frame_hole = 0;
	table_entries = frame_low_end;
	if (top > FRAME_4G) {
		frame_hole = FRAME_4G - frame_low_end;
		table_entries = top - frame_hole;
	}
	for (unsigned i = 0; i < info->range_count; i++) {
		uint64_t start = (info->ranges[i].start + PAGE_MASK) >> PAGE_SHIFT;
		uint64_t end = info->ranges[i].end >> PAGE_SHIFT;

		if (start < end)
			ranges[range_count++] = (struct range){ start, start, end, end };
	}
	table_place();
	for (unsigned i = 0; i < range_count; i++)
		frame_counts.total += ranges[i].end - ranges[i].start;
	frame_counts.free = frame_counts.total;
	reserve_pages = frame_counts.total / 64;
	if (reserve_pages < 64)
		reserve_pages = 64;
	if (reserve_pages > 1024)
		reserve_pages = 1024;
	if (frame_alloc(NULL, FRAME_ZERO, &frame_zero_pa))
		panic("no memory");
}

void frame_adopt(uint64_t pa, size_t count)
{
	if (adopted_count == BOOT_MODULES || !count)
		return;
	adopted[adopted_count].start = pa >> PAGE_SHIFT;
	adopted[adopted_count++].end = (pa >> PAGE_SHIFT) + count;
	for (size_t i = 0; i < count; i++) {
		struct frame *f = frame_at(pa + i * PAGE_SIZE);

		memset(f, 0, sizeof *f);
		f->references = 1;
	}
	frame_counts.total += count;
}

struct frame *frame_of(uint64_t pa)
{
	uint64_t page = pa >> PAGE_SHIFT;

	for (unsigned i = 0; i < range_count; i++) {
		const struct range *r = &ranges[i];

		if (page >= r->start && page < r->end)
			return page >= r->wild && page < r->wild_end ? NULL : frame_at(pa);
	}
	for (unsigned i = 0; i < adopted_count; i++)
		if (page >= adopted[i].start && page < adopted[i].end)
			return frame_at(pa);
	return NULL;
}

static bool within(uint64_t pa, uint64_t size, uint64_t start, uint64_t end)
{
	return pa >= start && pa < end && size <= end - pa;
}

bool frame_is_ram(uint64_t pa, uint64_t size)
{
	if (within(pa, size, boot->kernel.start, (boot->kernel.end + PAGE_MASK) & ~PAGE_MASK))
		return true;
	for (unsigned i = 0; i < boot->module_count; i++) {
		const struct boot_module *m = &boot->modules[i];

		if (within(pa, size, m->start & ~PAGE_MASK,
			   (m->start + m->size + PAGE_MASK) & ~PAGE_MASK))
			return true;
	}
	for (unsigned i = 0; i < range_count; i++)
		if (within(pa, size, ranges[i].start << PAGE_SHIFT, ranges[i].end << PAGE_SHIFT))
			return true;
	return false;
}

void frame_pin(uint64_t pa)
{
	if (pa && frame_of(pa))
		frame_get(pa);
}

void frame_unpin(uint64_t pa)
{
	if (pa && frame_of(pa))
		frame_put(pa);
}

static struct frame *take_wild(void)
{
	for (; range_now < range_count; range_now++) {
		struct range *r = &ranges[range_now];

		if (r->wild < r->wild_end) {
			frame_counts.free--;
			return frame_by_page(r->wild++);
		}
	}
	return NULL;
}

static struct frame *take_one(void)
{
	struct frame *f;

	if (free_head == NONE)
		return take_wild();
	f = &frame_table[free_head];
	list_unlink(f);
	return f;
}

/* A run of `count` free frames in [from, to), which have all left the wild. */
static struct frame *take_run(uint64_t from, uint64_t to, size_t count)
{
	size_t have = 0;

	for (uint64_t page = from; page < to; page++) {
		have = frame_by_page(page)->kind == FRAME_FREE ? have + 1 : 0;
		if (have < count)
			continue;
		for (uint64_t p = page + 1 - count; p <= page; p++)
			list_unlink(frame_by_page(p));
		return frame_by_page(page + 1 - count);
	}
	return NULL;
}

static struct frame *take_many(size_t count)
{
	struct frame *f;

	for (unsigned i = 0; i < range_count; i++) {
		struct range *r = &ranges[i];

		if (r->wild_end - r->wild < count)
			continue;
		r->wild_end -= count;
		frame_counts.free -= count;
		return frame_by_page(r->wild_end);
	}
	for (unsigned i = 0; i < range_count; i++) {
		f = take_run(ranges[i].wild_end, ranges[i].end, count);
		if (!f)
			f = take_run(ranges[i].start, ranges[i].wild, count);
		if (f)
			return f;
	}
	return NULL;
}

bool frame_room(uint64_t count)
{
	return frame_counts.free >= reserve_pages + count;
}

/*
 * Out of line: what is needed when memory is short. While arch is on its way through page tables
 * nothing may be taken out of them, so a table is not worth an eviction; instead it may use half of
 * the reserve.
 */
static __attribute__((cold, noinline)) bool make_room(enum frame_kind kind, size_t count,
						      bool reserve)
{
	if (kind == FRAME_TABLE)
		return frame_counts.free >= (reserve ? count : reserve_pages / 2 + count);
	if (!frame_room(count))
		mm_reclaim(count + 32);
	return frame_room(count) || (reserve && frame_counts.free >= count);
}

struct frame *frame_take(enum frame_kind kind, size_t count, bool reserve)
{
	struct frame *f;

	if (__builtin_expect(frame_counts.free < reserve_pages + count, 0) &&
	    !make_room(kind, count, reserve))
		return NULL;
	f = count == 1 ? take_one() : take_many(count);
	if (!f)
		return NULL;
	f->kind = kind;
	for (size_t i = 1; i < count; i++)
		f[i].kind = kind;
	return f;
}

void frame_give(struct frame *f)
{
	list_push(f);
}

static inline int alloc(enum frame_kind kind, struct account *a, unsigned flags, uint64_t *pa)
{
	struct frame *f;

	if (!account_room(a, 1))
		return -ENOMEM;
	f = frame_take(kind, 1, (flags & FRAME_RESERVE) || (a && a->reserve));
	if (!f)
		return -ENOMEM;
	f->references = 1;
	f->account = a;
	if (a) {
		a->frames++;
		object_get(&a->object);
	}
	*pa = frame_pa(f);
	if (flags & FRAME_ZERO)
		arch_page_zero(phys_to_virt(*pa));
	return 0;
}

int frame_alloc(struct account *a, unsigned flags, uint64_t *pa)
{
	return alloc(FRAME_USER, a, flags, pa);
}

int frame_alloc_contiguous(struct account *a, size_t count, unsigned flags, uint64_t *pa)
{
	struct frame *f;

	if (!count || !account_room(a, count))
		return -ENOMEM;
	f = frame_take(FRAME_USER, count, (flags & FRAME_RESERVE) || (a && a->reserve));
	if (!f)
		return -ENOMEM;
	*pa = frame_pa(f);
	for (size_t i = 0; i < count; i++) {
		f[i] = (struct frame){ .references = 1, .kind = FRAME_USER, .account = a };
		if (a) {
			a->frames++;
			object_get(&a->object);
		}
		if (flags & FRAME_ZERO)
			arch_page_zero(phys_to_virt(*pa + i * PAGE_SIZE));
	}
	return 0;
}

static void uncharge(struct account *a)
{
	if (!a)
		return;
	a->frames--;
	if (a->object.references > 1)
		a->object.references--;
	else
		object_put(&a->object);
}

void frame_free_last(struct frame *f)
{
	struct account *a = f->account;

	list_push(f);
	uncharge(a);
}

void frame_charge(uint64_t pa, struct account *a)
{
	struct frame *f = frame_at(pa);
	struct account *old = f->account;

	if (old == a)
		return;
	f->account = a;
	if (a) {
		a->frames++;
		object_get(&a->object);
	}
	uncharge(old);
}

/* --- page tables, for arch ---------------------------------------------------------------- */

int frame_alloc_table(uint64_t *pa)
{
	struct thread *t = thread_current();
	unsigned flags = FRAME_ZERO;
	int error;

	if (t && (t->flags & THREAD_SERVER))
		flags |= FRAME_RESERVE;
	error = alloc(FRAME_TABLE, frame_table_payer, flags, pa);
	if (error)
		return error;
	frame_counts.tables++;
	return 0;
}

void frame_free_table(uint64_t pa)
{
	frame_counts.tables--;
	frame_put(pa);
}
