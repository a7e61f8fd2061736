/* SPDX-License-Identifier: MIT */
/* What mm/'s files tell each other about page-cache objects and about dead memory. */
#ifndef TROUPE_MM_RECLAIM_PRIV_H
#define TROUPE_MM_RECLAIM_PRIV_H

#include "mm/mobject_priv.h"
#include "mm/reclaim.h"

/* pager.c */
int pager_init(struct mobject *m, struct endpoint *e, uint64_t cookie);
void pager_forget(struct mobject *m, uint64_t slot);
void pager_settled(struct mobject *m, uint64_t first, uint64_t count);
void pager_write_back(struct mobject *m);	/* asks for it, and does not wait */
uint64_t pager_evict(uint64_t want);

/*
 * reclaim.c: drops all frames in the slots and all nodes: at once, or bit by bit if `resident` is
 * large.
 */
void pages_dispose(struct pages *p, uint64_t resident);
/*
 * Drops the frames in [first, end), keeps the nodes; stops after `budget` frames and says where (or
 * end).
 */
uint64_t pages_drop(struct pages *p, uint64_t first, uint64_t end, uint64_t budget);

#endif
