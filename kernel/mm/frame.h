/* SPDX-License-Identifier: MIT */
/*
 * Physical page frames: allocation, share counts, and who pays.
 *
 * Above: memory objects, overlays, the kernel heap, page tables. Below: boot_info's memory map. One
 * struct frame of 16 bytes describes each page of RAM. Frames that were never used are only a pair
 * of bounds per range ("the wild"), so booting touches neither them nor their struct frame.
 */
#ifndef TROUPE_MM_FRAME_H
#define TROUPE_MM_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account;
struct boot_info;

#define PAGE_SIZE 4096ul
#define PAGE_SHIFT 12
#define PAGE_MASK (PAGE_SIZE - 1)

#define FRAME_ZERO	0x1u	/* zero it */
#define FRAME_RESERVE	0x2u	/* may use the reserve (servers, kernel progress) */

enum frame_kind { FRAME_USER, FRAME_FREE, FRAME_SLAB, FRAME_LARGE, FRAME_TABLE };

/* One per physical page of RAM. */
struct frame {
	union {
		/* USER: slots of objects and overlays that hold it; LARGE: pages */
		uint32_t references;
		/* SLAB: objects in use, offset of the first free one */
		struct { uint16_t used, free; };
	};
	uint8_t kind;
	uint8_t class;			/* SLAB: size class */
	uint16_t fresh;			/* SLAB: offset of the first object that was never used */
	union {
		/* USER, TABLE: payer, counted, or NULL: the system */
		struct account *account;
		struct { uint32_t next, prev; };	/* FREE, SLAB: neighbours in the list */
	};
};
_Static_assert(sizeof(struct frame) == 16, "one sixteenth of a page per MiB is what we can afford");

struct frame_counts {
	uint64_t total, free, tables, kernel;
};
extern struct frame_counts frame_counts;
extern uint64_t frame_zero_pa;	/* a page of zeros that nobody ever writes */

void frame_init(const struct boot_info *info);
/* A frame with one reference: 0 and its physical address, or -ENOMEM (machine or account full). */
int frame_alloc(struct account *a, unsigned flags, uint64_t *pa);
/* Each frame has one reference and is freed by itself. */
int frame_alloc_contiguous(struct account *a, size_t count, unsigned flags, uint64_t *pa);
void frame_free_last(struct frame *f);	/* for frame_put(): the last reference has gone */
struct frame *frame_of(uint64_t pa);	/* NULL: not RAM that the kernel manages */
/* Adopts boot module pages: they become ordinary allocated frames (references 1). */
void frame_adopt(uint64_t pa, size_t count);
/* Moves the charge of a frame to another account (which may then be over its limit). */
void frame_charge(uint64_t pa, struct account *a);
/* True if all of it is RAM that the direct map shows, managed or not. */
bool frame_is_ram(uint64_t pa, uint64_t size);
/*
 * While something is allocated: keeps a page that its owner could lose. 0 and unmanaged RAM are
 * allowed.
 */
void frame_pin(uint64_t pa);
void frame_unpin(uint64_t pa);
/* True if `count` frames could be had without the reserve. */
bool frame_room(uint64_t count);
/* Who pays for page tables that arch allocates; set around each use, for no reference is held. */
extern struct account *frame_table_payer;

/* For kmalloc: an unreferenced, uncharged frame of this kind; NULL when out of memory. */
struct frame *frame_take(enum frame_kind kind, size_t count, bool reserve);
void frame_give(struct frame *f);	/* one frame back */

extern struct frame *frame_table;
/* in pages: RAM below 4 GiB ends; size of the gap to 4 GiB */
extern uint64_t frame_low_end, frame_hole;

#define FRAME_4G (1ul << 20)

/* The frame of an address that is known to be managed RAM. */
static inline struct frame *frame_at(uint64_t pa)
{
	uint64_t n = pa >> PAGE_SHIFT;

	if (n >= FRAME_4G)
		n -= frame_hole;
	return &frame_table[n];
}

static inline uint64_t frame_pa(const struct frame *f)
{
	uint64_t n = (uint64_t)(f - frame_table);

	if (n >= frame_low_end)
		n += frame_hole;
	return n << PAGE_SHIFT;
}

static inline void frame_get(uint64_t pa)
{
	frame_at(pa)->references++;
}

/* Frees it, and uncharges, with the last reference. */
static inline void frame_put(uint64_t pa)
{
	struct frame *f = frame_at(pa);

	if (!--f->references)
		frame_free_last(f);
}

#endif
