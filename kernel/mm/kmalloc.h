/* SPDX-License-Identifier: MIT */
/*
 * Kernel heap: size classes over frames; memory goes back to the frame allocator when a slab is
 * empty.
 */
#ifndef TROUPE_MM_KMALLOC_H
#define TROUPE_MM_KMALLOC_H

#include <stddef.h>
#include <stdint.h>

/*
 * 16-byte aligned (64 from 64 bytes on); NULL when out of memory. Sizes up to several MiB
 * (contiguous frames beyond a page).
 */
void *kmalloc(size_t size);
extern uint64_t kmalloc_live;	/* blocks that are allocated */
void *kzalloc(size_t size);
void kfree(void *p);	/* NULL is allowed */

#endif
