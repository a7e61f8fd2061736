/*
 * Giving memory back: the frames of dead objects, and clean page cache when memory is short.
 *
 * A dead object with many pages is not freed on the spot, for that would take milliseconds under
 * the kernel lock; its index goes into a list, and idle CPUs and timer interrupts work it off.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/reclaim_priv.h"

#define AT_ONCE 4096	/* pages */
#define SLICE 1024

struct dead {
	struct list link;
	struct pages pages;
	uint64_t next;
};

static struct list dead_list = LIST_INIT(dead_list);

uint64_t pages_drop(struct pages *p, uint64_t first, uint64_t end, uint64_t budget)
{
	uint64_t *slot, i, dropped = 0;
	unsigned n;

	for (i = first; (slot = pages_run(p, &i, end, &n)); i += n) {
		for (unsigned k = 0; k < n; k++) {
			if (!slot[k])
				continue;
			if (slot[k] & PAGE_PRESENT)
				frame_put(slot[k] & PAGE_ADDRESS);
			slot[k] = 0;
			dropped++;
		}
		if (dropped >= budget)
			return i + n;
	}
	return end;
}

void pages_dispose(struct pages *p, uint64_t resident)
{
	struct dead *d = resident > AT_ONCE ? kmalloc(sizeof *d) : NULL;

	if (d) {
		d->pages = *p;
		d->next = 0;
		memset(p, 0, sizeof *p);
		list_append(&dead_list, &d->link);
		return;
	}
	pages_drop(p, 0, UINT64_MAX, UINT64_MAX);
	pages_clear(p);
}

bool mm_reap(void)
{
	struct dead *d;

	if (list_empty(&dead_list))
		return false;
	d = list_first(&dead_list, struct dead, link);
	d->next = pages_drop(&d->pages, d->next, UINT64_MAX, SLICE);
	if (d->next == UINT64_MAX) {
		pages_clear(&d->pages);
		list_remove(&d->link);
		kfree(d);
	}
	return !list_empty(&dead_list);
}

void mm_reclaim(uint64_t pages)
{
	static bool busy;	/* freeing may allocate, and must not come back here */

	if (busy)
		return;
	busy = true;
	while (!frame_room(pages) && mm_reap())
		;
	if (!frame_room(pages))
		pager_evict(pages);
	busy = false;
}
