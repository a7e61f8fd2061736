/*
 * The kernel heap.
 *
 * A slab is one frame cut into objects of one size class. Everything about it is in its struct
 * frame, so objects of 512 bytes fit eight to a page. Slabs with a free object are in a list per
 * class; an empty slab goes back at once. Beyond half a page an allocation has frames of its own,
 * neighbours in memory. The invariant: a slab is in its class's list exactly if it has a free
 * object.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mm/kmalloc.h"
#include "arch/paging.h"
#include "core/thread.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/frame.h"

#define NONE UINT32_MAX
#define NO_OBJECT UINT16_MAX

/* From 64 on multiples of 64, for the alignment that the header promises. */
static const uint16_t class_size[] = {
	16, 32, 48, 64, 128, 192, 256, 320, 384, 448, 512, 576, 640, 768, 1024, 1344, 2048
};
#define CLASSES (sizeof class_size / sizeof class_size[0])
#define SMALL_MAX 2048

/* by size in units of 16, rounded up; filled at first use */
static uint8_t class_of[SMALL_MAX / 16 + 1];
static uint32_t partial[CLASSES] = { [0 ... CLASSES - 1] = NONE };

static void classes_fill(void)
{
	unsigned c = 0;

	for (unsigned i = 0; i <= SMALL_MAX / 16; i++) {
		if (i * 16 > class_size[c])
			c++;
		class_of[i] = (uint8_t)c;
	}
}

static uint32_t slab_number(const struct frame *f)
{
	return (uint32_t)(f - frame_table);
}

static void slab_link(struct frame *f)
{
	uint32_t head = partial[f->class];

	f->next = head;
	f->prev = NONE;
	if (head != NONE)
		frame_table[head].prev = slab_number(f);
	partial[f->class] = slab_number(f);
}

static void slab_unlink(struct frame *f)
{
	if (f->prev != NONE)
		frame_table[f->prev].next = f->next;
	else
		partial[f->class] = f->next;
	if (f->next != NONE)
		frame_table[f->next].prev = f->prev;
}

static bool may_use_reserve(void)
{
	struct thread *t = thread_current();

	return !t || (t->flags & THREAD_SERVER);
}

static __attribute__((noinline)) struct frame *slab_create(unsigned c)
{
	struct frame *f = frame_take(FRAME_SLAB, 1, may_use_reserve());

	if (!f)
		return NULL;
	if (!class_of[SMALL_MAX / 16])
		classes_fill();
	frame_counts.kernel++;
	f->class = (uint8_t)c;
	f->used = 0;
	f->free = NO_OBJECT;
	f->fresh = 0;
	slab_link(f);
	return f;
}

static bool slab_full(const struct frame *f, unsigned size)
{
	return f->free == NO_OBJECT && f->fresh + size > PAGE_SIZE;
}

uint64_t kmalloc_live;

static void *pages_alloc(size_t size)
{
	size_t count = (size + PAGE_MASK) >> PAGE_SHIFT;
	struct frame *f = frame_take(FRAME_LARGE, count, may_use_reserve());

	if (!f)
		return NULL;
	f->references = (uint32_t)count;
	kmalloc_live++;
	frame_counts.kernel += count;
	return phys_to_virt(frame_pa(f));
}

static void pages_free(struct frame *f)
{
	uint32_t count = f->references;

	frame_counts.kernel -= count;
	for (uint32_t i = 0; i < count; i++)
		frame_give(&f[i]);
}

void *kmalloc(size_t size)
{
	struct frame *f;
	unsigned c;
	char *page;
	uint16_t *object;

	if (size > SMALL_MAX)
		return pages_alloc(size);
	if (__builtin_expect(!class_of[SMALL_MAX / 16], 0))
		classes_fill();
	c = class_of[(size + 15) / 16];
	if (partial[c] != NONE)
		f = &frame_table[partial[c]];
	else if (!(f = slab_create(c)))
		return NULL;
	page = phys_to_virt(frame_pa(f));
	if (f->free != NO_OBJECT) {
		object = (uint16_t *)(page + f->free);
		f->free = *object;
	} else {
		object = (uint16_t *)(page + f->fresh);
		f->fresh = (uint16_t)(f->fresh + class_size[c]);
	}
	f->used++;
	kmalloc_live++;
	if (slab_full(f, class_size[c]))
		slab_unlink(f);
	return object;
}

void *kzalloc(size_t size)
{
	void *p = kmalloc(size);

	if (p)
		memset(p, 0, size);
	return p;
}

void kfree(void *p)
{
	struct frame *f;
	bool was_full;

	if (!p)
		return;
	f = frame_at(virt_to_phys(p));
	kmalloc_live--;
	if (f->kind == FRAME_LARGE) {
		pages_free(f);
		return;
	}
	ASSERT(f->kind == FRAME_SLAB && f->used);
	was_full = slab_full(f, class_size[f->class]);
	*(uint16_t *)p = f->free;
	f->free = (uint16_t)((uint64_t)p & PAGE_MASK);
	if (--f->used) {
		if (was_full)
			slab_link(f);
		return;
	}
	if (!was_full)
		slab_unlink(f);
	frame_counts.kernel--;
	frame_give(f);
}
