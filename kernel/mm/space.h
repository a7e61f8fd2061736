/* SPDX-License-Identifier: MIT */
/*
 * Address spaces: regions over memory objects, and the page tables that cache them. The region tree
 * is the only record of mappings; page tables can be thrown away at any time.
 */
#ifndef TROUPE_MM_SPACE_H
#define TROUPE_MM_SPACE_H

#include <stdbool.h>
#include "core/object.h"
#include "core/thread.h"
#include "mm/mobject.h"

struct arch_space;
struct description;

#define USER_END 0x00007ffffffff000ul

/* laid out in space_priv.h for mm/; also holds brk, sizes for RLIMIT_AS, counts for RSS */
struct space;

int space_create(struct account *a, struct space **out);
struct object *space_object(struct space *s);
struct space *space_of(struct object *o);
struct arch_space *space_arch(struct space *s);
struct account *space_account(struct space *s);
/* What it takes from now on is charged to a. */
void space_set_account(struct space *s, struct account *a);

/*
 * limits: the task whose limits hold (RLIMIT_AS, DATA), NULL: none. object NULL: anonymous (always
 * private). description may be NULL; a shared mapping of one that is not O_RDWR can never be made
 * writable. EINVAL, ENOMEM, EPERM (FIXED below 64 KiB). The region takes references of its own.
 */
int space_map(struct space *s, const struct task *limits, struct k_map *m, struct mobject *object,
	      struct description *d);
/* 0, EINVAL, ENOMEM, OP_PREEMPT (call again) */
int64_t space_unmap(struct space *s, uint64_t address, uint64_t size);
int64_t space_protect(struct space *s, uint64_t address, uint64_t size, uint32_t flags);

/*
 * Copy-on-write copy into an empty space; works in slices: OP_PREEMPT means call again with the
 * same *cursor (starts 0).
 */
int64_t space_fork(struct space *from, struct space *to, uint64_t *cursor);
/*
 * The end of a space: unmaps everything in slices: 0 or OP_PREEMPT. From the first call on nothing
 * can run in it or be mapped (no thread is in it any more; CPUs that still have it loaded leave
 * it).
 */
int64_t space_clear(struct space *s);

/*
 * A user-mode page fault of t (t's own space): 0 (resolved), -K_FAULT_* (an unfixable fault: the
 * kind, negative), OP_BLOCK (t waits on the pager), OP_MEMORY.
 */
int64_t space_fault(struct thread *t, uint64_t address, bool write, bool execute);

void space_info(struct space *s, struct k_task_info *info);	/* memory fields only */
int space_regions(struct space *s, uint64_t from, struct k_region *out, size_t max);

#endif
