/*
 * The memory system calls, as kernel operations: numbers, checks and errors of Linux x86-64.
 *
 * Each takes the user's arguments as they come. Where a file is involved that has no data plane, or
 * whose server wants to be asked, mmap declines, and the server answers. All of them can be run
 * again from the start: what is done already is found done.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/ops.h"
#include "data/operation.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/reclaim_priv.h"
#include "mm/space_priv.h"
#include "mm/usercopy.h"

#define PROT_READ	1u
#define PROT_WRITE	2u
#define PROT_EXEC	4u
#define PROT_SEM	8u
#define PROT_GROWSDOWN	0x01000000u
#define PROT_GROWSUP	0x02000000u

#define MAP_SHARED		0x01u
#define MAP_PRIVATE		0x02u
#define MAP_SHARED_VALIDATE	0x03u
#define MAP_TYPE		0x0fu
#define MAP_FIXED		0x10u
#define MAP_ANONYMOUS		0x20u
#define MAP_32BIT		0x40u
#define MAP_GROWSDOWN		0x0100u
#define MAP_LOCKED		0x2000u
#define MAP_POPULATE		0x8000u
#define MAP_NONBLOCK		0x10000u
#define MAP_STACK		0x20000u
#define MAP_NORESERVE		0x4000u
#define MAP_FIXED_NOREPLACE	0x100000u
/*
 * every flag that a kernel may be asked for with MAP_SHARED_VALIDATE: those above, DENYWRITE,
 * EXECUTABLE, NORESERVE, HUGETLB
 */
#define MAP_KNOWN	(0x1fff7fu & ~0x80000u)

#define MREMAP_MAYMOVE	1u
#define MREMAP_FIXED	2u
#define MREMAP_DONTUNMAP 4u

#define MS_ASYNC	1u
#define MS_INVALIDATE	2u
#define MS_SYNC		4u

_Static_assert(PROT_READ == K_MAP_READ && PROT_WRITE == K_MAP_WRITE && PROT_EXEC == K_MAP_EXECUTE,
	       "rights");

static uint64_t round_up(uint64_t n)
{
	return (n + PAGE_MASK) & ~PAGE_MASK;
}

/* --- bringing pages in -------------------------------------------------------------------- */

enum { AUX_RESULT, AUX_AT, AUX_END };

/*
 * Makes the next operation on t's behalf go on with bringing in [start, end), and then return
 * `result`.
 */
static int64_t populate(struct thread *t, int64_t result)
{
	struct space *s = t->task->space;
	uint64_t *at = &t->progress.aux[AUX_AT], end = t->progress.aux[AUX_END], pa;

	for (; *at < end; *at += PAGE_SIZE) {
		struct region *r = region_find(s, *at);
		int64_t error;

		/*
		 * Errors do not matter: the pages will be faulted in, or fail, when they are used.
		 */
		if (!r || !(r->flags & REGION_ACCESS))
			continue;
		error = space_resolve(s, t->task, NULL, *at,
				      RESOLVE_AROUND |
					      (r->flags & K_MAP_WRITE && region_private(r) ?
						       RESOLVE_WRITE :
						       0),
				      &pa);
		if (error == OP_MEMORY)
			break;
		if (*at + PAGE_SIZE < end && preempt_needed()) {
			*at += PAGE_SIZE;
			return OP_PREEMPT;
		}
	}
	return result;
}

static int64_t populate_begin(struct thread *t, uint64_t start, uint64_t end, int64_t result)
{
	t->progress.active = true;
	t->progress.deadline = K_FOREVER;
	t->progress.aux[AUX_RESULT] = (uint64_t)result;
	t->progress.aux[AUX_AT] = start & ~PAGE_MASK;
	t->progress.aux[AUX_END] = end;
	return populate(t, result);
}

static int64_t populate_again(struct thread *t)
{
	return populate(t, (int64_t)t->progress.aux[AUX_RESULT]);
}

/* --- mmap --------------------------------------------------------------------------------- */

/* The object behind a descriptor: 0 (with *m NULL for /dev/zero), an error, OP_DECLINE. */
static int64_t map_file(struct thread *t, uint64_t fd, bool shared, uint32_t prot,
			struct mobject **m, struct description **out)
{
	struct description *d = op_description(t, fd);

	*m = NULL;
	*out = NULL;
	if (!d || (d->flags & K_DESCRIPTION_PATH))
		return -EBADF;
	if (!(d->access & DESCRIPTION_READ) ||
	    (shared && (prot & PROT_WRITE) && !(d->access & DESCRIPTION_WRITE)))
		return -EACCES;
	if (d->plane != K_PLANE_ZERO &&
	    (d->plane != K_PLANE_STREAM || (d->flags & K_DESCRIPTION_DIRECTORY)))
		return op_decline(t, ENODEV);
	if ((d->decline & K_DECLINE_MAP) && !op_authority(t))
		return op_decline(t, 0);
	if (d->plane == K_PLANE_ZERO)
		return 0;
	if ((mobject_decline(d->mobject) & K_DECLINE_MAP) && !op_authority(t))
		return op_decline(t, 0);
	*m = d->mobject;
	*out = d;
	return 0;
}

/* What is wrong with the numbers alone. */
static int64_t mmap_check(const uint64_t *arg)
{
	uint64_t length = arg[1], flags = arg[3], offset = arg[5];

	if (offset & PAGE_MASK)
		return -EINVAL;
	if (!length)
		return -EINVAL;
	if (length > USER_END)
		return -ENOMEM;
	if (offset + round_up(length) < offset)
		return -EOVERFLOW;
	switch (flags & MAP_TYPE) {
	case MAP_SHARED:
	case MAP_PRIVATE:
		return 0;
	case MAP_SHARED_VALIDATE:
		return (flags & MAP_ANONYMOUS) ? -EINVAL : flags & ~MAP_KNOWN ? -EOPNOTSUPP : 0;
	}
	return -EINVAL;
}

static int64_t mmap_place(struct thread *t, const uint64_t *arg, struct k_map *map,
			  struct mobject *m, struct description *d)
{
	struct space *s = t->task->space;
	uint64_t high = arg[3] & MAP_32BIT && !(arg[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE)) ?
				1ul << 31 :
				USER_END;
	int64_t error;

	if (arg[3] & MAP_FIXED_NOREPLACE) {
		if (map->address <= USER_END - map->size &&
		    space_mapped(s, map->address, map->address + round_up(map->size)))
			return -EEXIST;
		map->flags |= K_MAP_FIXED;
	}
	error = space_map_below(s, t->task, map, m, d, high);
	return error ? error : (int64_t)map->address;
}

int64_t op_mmap(struct thread *t, const uint64_t *arg)
{
	uint32_t prot = (uint32_t)arg[2], flags = (uint32_t)arg[3];
	bool shared = (flags & MAP_TYPE) != MAP_PRIVATE, fresh = false;
	struct k_map map = { .address = arg[0], .size = arg[1], .offset = arg[5] };
	struct description *d = NULL;
	struct mobject *m = NULL;
	int64_t r;

	if (t->progress.active && t->progress.aux[AUX_END])
		return populate_again(t);
	r = mmap_check(arg);
	if (!r && !(flags & MAP_ANONYMOUS))
		r = map_file(t, arg[4], shared, prot, &m, &d);
	if (r)
		return r;
	if (!m && shared) {
		/* Memory shared with children has to be an object. */
		r = mobject_create(space_account(t->task->space), round_up(arg[1]), 0, &m);
		if (r)
			return r;
		fresh = true;
		map.offset = 0;
	}
	map.flags = (prot & REGION_ACCESS) | (shared ? 0 : K_MAP_PRIVATE) |
		    (flags & MAP_FIXED ? K_MAP_FIXED : 0);
	if (flags & MAP_GROWSDOWN && flags & MAP_ANONYMOUS && !shared)
		map.flags |= K_MAP_GROWSDOWN;
	if (flags & MAP_NORESERVE)
		map.flags |= K_MAP_NORESERVE;
	if (flags & MAP_STACK && !m)
		map.flags |= K_MAP_STACK;
	r = mmap_place(t, arg, &map, m, d);
	if (fresh)
		object_put(mobject_object(m));
	if (r >= 0 &&
	    ((flags & MAP_LOCKED) || (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE))
		return populate_begin(t, map.address, map.address + map.size, r);
	return r;
}

int64_t op_munmap(struct thread *t, const uint64_t *arg)
{
	return space_unmap(t->task->space, arg[0], arg[1]);
}

int64_t op_mprotect(struct thread *t, const uint64_t *arg)
{
	uint64_t start = arg[0], size = arg[1], prot = arg[2];
	struct region *r;

	if ((prot & (PROT_GROWSDOWN | PROT_GROWSUP)) == (PROT_GROWSDOWN | PROT_GROWSUP) ||
	    (start & PAGE_MASK))
		return -EINVAL;
	if (!size)
		return 0;
	if (start + round_up(size) <= start)
		return -ENOMEM;
	if (prot & ~(uint64_t)(REGION_ACCESS | PROT_SEM | PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	if (prot & (PROT_GROWSDOWN | PROT_GROWSUP)) {
		r = region_find(t->task->space, start);
		if (!r)
			return -ENOMEM;
		if (!(prot & PROT_GROWSDOWN) || !(r->flags & K_MAP_GROWSDOWN))
			return -EINVAL;
		size += start - r->start;
		start = r->start;
	}
	return space_protect(t->task->space, start, size, prot & REGION_ACCESS);
}

/* --- brk ---------------------------------------------------------------------------------- */

static bool brk_fits(struct thread *t, uint64_t from, uint64_t to)
{
	struct space *s = t->task->space;
	uint64_t heap = s->brk - s->brk_start, limit = t->task->limit_data;

	if (to > USER_END ||
	    (limit != UINT64_MAX && (to - from > limit || heap > limit - (to - from))))
		return false;
	return region_free(s, from, to + PAGE_SIZE);
}

int64_t op_brk(struct thread *t, const uint64_t *arg)
{
	struct space *s = t->task->space;
	uint64_t from = round_up(s->brk), to = round_up(arg[0]);
	struct k_map map = { .address = from,
			     .size = to - from,
			     .flags = K_MAP_READ | K_MAP_WRITE | K_MAP_PRIVATE | K_MAP_FIXED |
				      K_MAP_HEAP };
	int64_t r;

	if (!s->brk_start || arg[0] < s->brk_start || arg[0] > USER_END)
		return (int64_t)s->brk;
	if (to < from) {
		r = space_unmap(s, to, from - to);
		if (r == OP_PREEMPT)
			return r;
		if (r)
			return (int64_t)s->brk;
	} else if (to > from) {
		if (!brk_fits(t, from, to) ||
		    space_map_below(s, t->task, &map, NULL, NULL, USER_END))
			return (int64_t)s->brk;
	}
	s->brk = arg[0];
	return (int64_t)s->brk;
}

/* --- mremap ------------------------------------------------------------------------------- */

/*
 * Moves what is private in `from` to the region `to`, page by page; all places are made before the
 * first goes.
 */
static int private_move(struct region *from, struct region *to)
{
	uint64_t first = from->start >> PAGE_SHIFT, end = from->end >> PAGE_SHIFT,
		 delta = (to->start >> PAGE_SHIFT) - first;
	uint64_t *slot, i;
	unsigned n;

	if (!from->overlay)
		return 0;
	if (!to->overlay) {
		to->overlay = kzalloc(sizeof *to->overlay);
		if (!to->overlay)
			return -ENOMEM;
		to->overlay->references = 1;
	}
	/* Slots that are made and still empty must stay where they are. */
	if (pages_raise(&to->overlay->pages, first + delta))
		return -ENOMEM;
	for (int pass = 0; pass < 2; pass++) {
		for (i = first; (slot = pages_run(&from->overlay->pages, &i, end, &n)); i += n) {
			for (unsigned k = 0; k < n; k++) {
				uint64_t page = i + k + delta, *place;

				if (!slot[k] || page >= to->end >> PAGE_SHIFT)
					continue;
				place = pass ? pages_slot(&to->overlay->pages, page) :
					       pages_make(&to->overlay->pages, page);
				if (!place)
					return -ENOMEM;
				if (pass) {
					*place = slot[k];
					slot[k] = 0;
				}
			}
		}
	}
	return 0;
}

/*
 * Moves [start, start + old) of one region to `to`, with the new size. The old place must be a
 * region of its own.
 */
static int64_t region_move(struct space *s, uint64_t start, uint64_t old, uint64_t to,
			   uint64_t size, bool keep)
{
	struct region *r, *target, like;
	int error = old ? space_isolate(s, start, start + old) : 0;

	if (error)
		return error;
	r = region_find(s, start);
	like = *r;
	like.offset += r->object ? start - r->start : 0;
	like.overlay = NULL;
	like.start = to;
	like.end = to + size;
	target = s->count < REGIONS_MAX ? region_create(s, &like) : NULL;
	if (!target)
		return -ENOMEM;
	error = old ? private_move(r, target) : 0;
	if (error) {
		region_destroy(target);
		return error;
	}
	/* Done but for what cannot fail. */
	if (old)
		translation_drop(s, start, start + old, 0);
	if (old && !keep)
		region_destroy(r);
	region_insert(s, target);
	region_account(target, size >> PAGE_SHIFT, 1);
	region_merge(target);
	return (int64_t)to;
}

/* Lets the region that ends at `end` grow by `more`, if what comes behind it is free. */
static bool region_grow(struct space *s, struct region *r, uint64_t end, uint64_t more)
{
	struct region *next;

	if (r->end != end || end > USER_END - more || !region_free(s, end, end + more))
		return false;
	region_account(r, more >> PAGE_SHIFT, 1);
	r->end += more;
	next = region_next(s, r);
	if (next)
		region_touch(s, next);
	region_merge(r);
	return true;
}

static int64_t mremap_check(const uint64_t *arg, uint64_t old, uint64_t size)
{
	uint64_t start = arg[0], flags = arg[3], to = arg[4];

	if (flags & ~(uint64_t)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((flags & MREMAP_DONTUNMAP) && old != size)
		return -EINVAL;
	if ((start & PAGE_MASK) || !size || size > USER_END)
		return -EINVAL;
	if (old > USER_END || start > USER_END - old)
		return -EFAULT;
	if (!(flags & MREMAP_FIXED))
		return 0;
	if ((to & PAGE_MASK) || to > USER_END - size || (start + old > to && to + size > start))
		return -EINVAL;
	return to < MMAP_MIN ? -EPERM : 0;
}

/* The region that [start, start + old) must lie in. */
static int64_t mremap_region(struct space *s, uint64_t start, uint64_t old, uint64_t flags,
			     struct region **out)
{
	struct region *r = *out = region_find(s, start);

	if (!r)
		return -EFAULT;
	if (!old && region_private(r))
		return -EINVAL;
	if ((flags & MREMAP_DONTUNMAP) && (r->object && !region_private(r)))
		return -EINVAL;
	return old > r->end - start ? -EFAULT : 0;
}

static int64_t mremap_move(struct thread *t, const uint64_t *arg, uint64_t old, uint64_t size)
{
	struct space *s = t->task->space;
	uint64_t start = arg[0], flags = arg[3], to = arg[4];
	int error;

	if (flags & MREMAP_FIXED) {
		error = space_unmap_now(s, to, to + size);
		if (error)
			return error;
		if (size < old) {
			error = space_unmap_now(s, start + size, start + old);
			if (error)
				return error;
			old = size;
		}
	} else {
		to = region_hole(s, size, MMAP_MIN, s->mmap_base);
		if (!to)
			to = region_hole(s, size, MMAP_MIN, USER_END);
		if (!to)
			return -ENOMEM;
	}
	return region_move(s, start, old, to, size, flags & MREMAP_DONTUNMAP);
}

int64_t op_mremap(struct thread *t, const uint64_t *arg)
{
	struct space *s = t->task->space;
	uint64_t start = arg[0], old = round_up(arg[1]), size = round_up(arg[2]), flags = arg[3];
	struct region *r;
	int64_t error = mremap_check(arg, old, size);

	if (!error && !(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && old && size <= old) {
		/* Shrinking, or nothing; the range need not be one region. */
		if (!region_find(s, start))
			return -EFAULT;
		error = size < old ? space_unmap(s, start + size, old - size) : 0;
		return error ? error : (int64_t)start;
	}
	if (!error)
		error = mremap_region(s, start, old, flags, &r);
	if (error)
		return error;
	if (size > old && !space_within_limits(s, t->task, r->flags, size - old))
		return -ENOMEM;
	if (!(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && old &&
	    region_grow(s, r, start + old, size - old))
		return (int64_t)start;
	if (!(flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	return mremap_move(t, arg, old, size);
}

/* --- madvise ------------------------------------------------------------------------------ */

enum {
	MADV_NORMAL,
	MADV_RANDOM,
	MADV_SEQUENTIAL,
	MADV_WILLNEED,
	MADV_DONTNEED,
	MADV_FREE = 8,
	MADV_REMOVE,
	MADV_DONTFORK,
	MADV_DOFORK,
	MADV_MERGEABLE,
	MADV_UNMERGEABLE,
	MADV_HUGEPAGE,
	MADV_NOHUGEPAGE,
	MADV_DONTDUMP,
	MADV_DODUMP,
	MADV_WIPEONFORK,
	MADV_KEEPONFORK,
	MADV_COLD,
	MADV_PAGEOUT,
	MADV_POPULATE_READ,
	MADV_POPULATE_WRITE
};

static int64_t advise_drop(struct region *r, uint64_t start, uint64_t end)
{
	return space_drop_pages(r->space, start, end);
}

static int64_t advise_free(struct region *r, uint64_t start, uint64_t end)
{
	return r->object ? -EINVAL : space_drop_pages(r->space, start, end);
}

static int64_t advise_remove(struct region *r, uint64_t start, uint64_t end)
{
	if (!r->object || r->object->kind == MOBJECT_PHYSICAL)
		return -EINVAL;
	if (region_private(r) || !(r->flags & K_MAP_WRITE))
		return -EACCES;
	return mobject_punch(r->object, start - r->start + r->offset, end - start);
}

/* Sets and clears flags that fork looks at; the range becomes a region of its own. */
static int64_t advise_flag(struct region *r, uint64_t start, uint64_t end, uint32_t set,
			   uint32_t clear)
{
	int error;

	if ((r->flags & set) == set && !(r->flags & clear))
		return 0;
	error = space_isolate(r->space, start, end);
	if (error)
		return error;
	r = region_find(r->space, start);
	r->flags = (r->flags | set) & ~clear;
	region_merge(r);
	return 0;
}

static int64_t advise(struct region *r, uint64_t start, uint64_t end, unsigned advice)
{
	switch (advice) {
	case MADV_DONTNEED:
		return advise_drop(r, start, end);
	case MADV_FREE:
		return advise_free(r, start, end);
	case MADV_REMOVE:
		return advise_remove(r, start, end);
	case MADV_DONTFORK:
		return advise_flag(r, start, end, REGION_NOFORK, 0);
	case MADV_DOFORK:
		return advise_flag(r, start, end, 0, REGION_NOFORK);
	case MADV_WIPEONFORK:
		return r->object ? -EINVAL : advise_flag(r, start, end, REGION_WIPE, 0);
	case MADV_KEEPONFORK:
		return advise_flag(r, start, end, 0, REGION_WIPE);
	}
	return 0;
}

/* MADV_POPULATE_*: unlike MAP_POPULATE it reports what goes wrong. */
static int64_t advise_populate(struct thread *t, uint64_t start, uint64_t end, bool write)
{
	uint64_t *at = &t->progress.aux[AUX_AT], pa;

	if (!t->progress.active) {
		t->progress.active = true;
		t->progress.deadline = K_FOREVER;
		*at = start;
	}
	for (; *at < end; *at += PAGE_SIZE) {
		int64_t r = space_resolve(t->task->space, t->task, t, *at,
					  RESOLVE_AROUND | (write ? RESOLVE_WRITE : 0), &pa);

		if (r == -K_FAULT_MAPERR)
			return -ENOMEM;
		if (r)
			return r == -K_FAULT_ACCERR ? -EINVAL : r == -K_FAULT_BUS ? -EFAULT : r;
		if (preempt_needed())
			return OP_PREEMPT;
	}
	return 0;
}

int64_t op_madvise(struct thread *t, const uint64_t *arg)
{
	struct space *s = t->task->space;
	uint64_t at = arg[0], end;
	unsigned advice = (unsigned)arg[2];
	int64_t result = 0;

	if ((advice > MADV_DONTNEED && advice < MADV_FREE) || advice > MADV_POPULATE_WRITE)
		return -EINVAL;
	if ((at & PAGE_MASK) || round_up(arg[1]) < arg[1] || at + round_up(arg[1]) < at)
		return -EINVAL;
	end = at + round_up(arg[1]);
	if (end > USER_END)
		return -ENOMEM;
	if (advice >= MADV_POPULATE_READ)
		return advise_populate(t, at, end, advice == MADV_POPULATE_WRITE);
	while (at < end) {
		struct region *r = region_above(s, at);
		uint64_t stop;
		int64_t error;

		if (!r || r->start >= end)
			return -ENOMEM;
		if (r->start > at) {
			result = -ENOMEM;	/* a hole; the rest is advised all the same */
			at = r->start;
		}
		stop = r->end < end ? r->end : end;
		error = advise(r, at, stop, advice);
		if (error)
			return error;
		at = stop;
	}
	return result;
}

/* --- msync, mincore, mlock ---------------------------------------------------------------- */

int64_t op_msync(struct thread *t, const uint64_t *arg)
{
	struct space *s = t->task->space;
	uint64_t at = arg[0], end = at + round_up(arg[1]), flags = arg[2];
	int64_t result = 0;

	if ((flags & ~(uint64_t)(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || (at & PAGE_MASK) ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	if (end < at || round_up(arg[1]) < arg[1])
		return -ENOMEM;
	while (at < end) {
		struct region *r = region_above(s, at);

		if (!r || r->start >= end)
			return -ENOMEM;
		if (r->start > at)
			result = -ENOMEM;
		/* Shared pages are the file's own; if it has a pager, that one is told to write. */
		if ((flags & MS_SYNC) && !region_private(r) && r->object->kind == MOBJECT_PAGER)
			pager_write_back(r->object);
		at = r->end;
	}
	return result;
}

static bool page_resident(struct region *r, uint64_t address)
{
	if (r->overlay && pages_get(&r->overlay->pages, address >> PAGE_SHIFT))
		return true;
	if (r->object) {
		uint64_t slot = mobject_has(r->object, region_index(r, address)) ?
					mobject_peek(r->object, region_index(r, address)) :
					0;

		return slot && (slot & PAGE_ADDRESS) != frame_zero_pa;
	}
	return arch_query(&r->space->arch, address, NULL, NULL);
}

int64_t op_mincore(struct thread *t, const uint64_t *arg)
{
	struct space *s = t->task->space;
	uint64_t at = arg[0], end = at + round_up(arg[1]), to = arg[2];
	uint8_t vector[64];

	if (at & PAGE_MASK)
		return -EINVAL;
	if (round_up(arg[1]) < arg[1] || end < at || end > USER_END)
		return -ENOMEM;
	if (!user_range_valid(to, (end - at) >> PAGE_SHIFT))
		return -EFAULT;
	while (at < end) {
		struct region *r;
		unsigned n = 0;
		int64_t error;

		for (; n < sizeof vector && at < end; at += PAGE_SIZE) {
			r = region_find(s, at);
			if (!r)
				break;
			vector[n++] = page_resident(r, at);
		}
		if (!n)
			return -ENOMEM;
		error = user_write(t, to, vector, n);
		if (error)
			return error;
		to += n;
	}
	return 0;
}

int64_t op_mlock(struct thread *t, const uint64_t *arg)
{
	uint64_t start = arg[0] & ~PAGE_MASK, size = round_up(arg[1] + (arg[0] & PAGE_MASK)),
		 limit = t->task->limit_memlock;

	if (t->progress.active)
		return populate_again(t);
	if (start + size < start)
		return -EINVAL;
	if (!size)
		return 0;
	if (size > limit)
		return limit ? -ENOMEM : -EPERM;
	if (start + size > USER_END || space_mapped(t->task->space, start, start + size) != size)
		return -ENOMEM;
	return populate_begin(t, start, start + size, 0);
}
