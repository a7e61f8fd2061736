/* SPDX-License-Identifier: MIT */
/*
 * Getting frames back: clean page-cache pages, and the rests of big objects that wait to be freed.
 */
#ifndef TROUPE_MM_RECLAIM_H
#define TROUPE_MM_RECLAIM_H

#include <stdbool.h>
#include <stdint.h>

/* Frees up to about `pages` frames, if there are any to be had. Called when memory is short. */
void mm_reclaim(uint64_t pages);
/*
 * Frees some of what big dead objects left behind; true if there is more. For idle CPUs and timer
 * interrupts.
 */
bool mm_reap(void);
/* Bytes of clean page cache. */
uint64_t mm_reclaimable(void);

#endif
