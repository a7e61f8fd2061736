/* SPDX-License-Identifier: MIT */
/*
 * Memory objects: pages by offset.
 *
 * Anonymous (zero-filled on demand), copy-on-write child of a part of another object, pager-backed
 * (a server supplies pages: the page cache), physical. Pages that a private mapping has written lie
 * in an overlay of its region, which fork copies by sharing frames (frame.references), so chains of
 * objects never get longer than the file below. Invariant: a slot's frame is mapped writable
 * somewhere only if its reference count is 1.
 */
#ifndef TROUPE_MM_MOBJECT_H
#define TROUPE_MM_MOBJECT_H

#include <stdbool.h>
#include "core/list.h"
#include "core/object.h"
#include "core/thread.h"

struct account;
struct endpoint;

struct mobject;	/* laid out in mobject_priv.h for mm/ */

/* K_MOBJECT_* */
int mobject_create(struct account *a, uint64_t size, uint32_t flags, struct mobject **out);
int mobject_child(struct mobject *parent, struct account *a, uint64_t offset, uint64_t size,
		  struct mobject **out);
int mobject_pager_create(struct endpoint *pager, uint64_t cookie, uint64_t size,
			 struct mobject **out);
int mobject_physical_create(uint64_t pa, uint64_t size, struct mobject **out);
/* An ordinary object over boot module pages, which it adopts: dropped ones become free memory. */
int mobject_adopt(uint64_t pa, uint64_t size, struct mobject **out);
struct object *mobject_object(struct mobject *m);
struct mobject *mobject_of(struct object *o);

uint64_t mobject_size(const struct mobject *m);
int mobject_resize(struct mobject *m, uint64_t size);
int mobject_punch(struct mobject *m, uint64_t offset, uint64_t size);
void mobject_info(struct mobject *m, struct k_mobject_info *info);
int mobject_set(struct mobject *m, struct account *a, enum k_mobject_set what, uint64_t value);
uint32_t mobject_decline(const struct mobject *m);
uint64_t mobject_grow_limit(const struct mobject *m);
void mobject_stamp(struct mobject *m, bool write);	/* coarse mtime / atime */

/*
 * The frame that holds page `index`, for reading (a parent's page or the shared zero frame will do)
 * or writing (own, unshared, allocated if absent and charged). 0; ENOMEM; EIO (pager failed);
 * OP_BLOCK: t waits on the pager, run again; with t NULL (a server or the kernel asks) EAGAIN
 * instead of OP_BLOCK. Does not look at the size.
 */
int64_t mobject_page(struct mobject *m, struct thread *t, uint64_t index, bool write, uint64_t *pa);

/* from_user 0: zeros. */
int64_t mobject_supply(struct mobject *m, struct thread *server, uint64_t offset,
		       uint64_t from_user, uint64_t size, uint32_t flags);
/* Fills kernel memory `offsets`; returns how many, and *offset is where to go on. */
int64_t mobject_collect_dirty(struct mobject *m, uint64_t *offset, uint64_t *offsets, size_t max);
/* The server behind e was restarted: requests that it had are made again. */
void pager_restart(struct endpoint *e);

/*
 * Copies; user addresses are those of the current thread `t`. They return how many bytes went
 * (short at the object's end when reading, and when something stops them after some bytes), or, if
 * none went, an error or OP_BLOCK, OP_MEMORY. ENOSPC: the object's account is full. For servers
 * EAGAIN takes the place of waiting for a pager. No stamps.
 */
int64_t mobject_read_user(struct mobject *m, struct thread *t, uint64_t offset, uint64_t to,
			  uint64_t size);
/* extends size */
int64_t mobject_write_user(struct mobject *m, struct thread *t, uint64_t offset, uint64_t from,
			   uint64_t size);

/* One append at a time: 0 (t owns the append), or OP_BLOCK. */
int64_t mobject_append_begin(struct mobject *m, struct thread *t);
void mobject_append_end(struct mobject *m, struct thread *t);

#endif
