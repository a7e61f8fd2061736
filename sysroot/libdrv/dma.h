/* SPDX-License-Identifier: MIT */
/*
 * Memory that a device reads and writes by itself: an object of the manifest's `dma NAME SIZE`,
 * wired and contiguous, so that one addition makes an address that the device understands.
 *
 * It outlives the driver. A successor finds in it what was there, and the device may still be
 * writing to it: reset that first.
 */
#ifndef TROUPE_LIBDRV_DMA_H
#define TROUPE_LIBDRV_DMA_H

#include <stdint.h>

struct dma {
	void *base;
	uint64_t physical;	/* what the device calls `base` */
	uint64_t size, used;
};

/*
 * Maps the object granted under `name`. -ENODEV: it is not granted (this machine has no use for
 * it).
 */
int dma_map(const char *name, struct dma *out);
/* Cuts off the next piece, zeroed; align is a power of two. NULL: it is used up. */
void *dma_take(struct dma *d, uint64_t size, uint64_t align);
/* Forgets all pieces. */
static inline void dma_rewind(struct dma *d) { d->used = 0; }
static inline uint64_t dma_address(const struct dma *d, const void *p)
{
	return d->physical + (uint64_t)((const char *)p - (const char *)d->base);
}

#endif
