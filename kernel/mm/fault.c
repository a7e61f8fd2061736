/*
 * Page faults: from an address to a frame.
 *
 * space_resolve() is the one way in, for the hardware's faults and for the kernel's own copies. It
 * looks, in this order, at the overlay (what is private), the object (what is shared, or about to
 * be copied), and zero. The invariant: a translation allows writing only if the frame belongs to
 * one overlay slot alone, or to an object's slot that may be written.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/space_priv.h"

#define AROUND 16	/* pages */

/* One fault on its way. */
struct fault {
	struct space *space;
	struct region *region;
	struct thread *thread;	/* who may wait; NULL: nobody */
	uint64_t address;	/* of the page */
	unsigned how;		/* RESOLVE_* */
	unsigned was;		/* flags of the translation that is there, 0: none */
	uint64_t was_pa;
};

/* Puts the translation in, and makes CPUs forget a different one. */
static int64_t fault_map(struct fault *f, uint64_t pa, unsigned flags)
{
	/* A debugger looks through PROT_NONE, the program still must not. */
	if (!(f->region->flags & REGION_ACCESS))
		return 0;
	/*
	 * Making a page takes away the translations of what stood in its place, and allocating may
	 * evict.
	 */
	if (f->was && !arch_query(&f->space->arch, f->address, &f->was_pa, &f->was))
		f->was = 0;
	if (translation_set(f->space, f->address, pa, flags, f->was))
		return OP_MEMORY;
	if (!f->was)
		return 0;
	if (f->was_pa == pa)
		arch_tlb_forget_local(f->address);
	else
		arch_tlb_flush_page(&f->space->arch, f->address);
	return 0;
}

/* The flags with which a page of a shared object may be shown before anybody writes to it. */
static unsigned shared_flags(const struct region *r, uint64_t slot)
{
	const struct mobject *m = r->object;
	bool own = (slot & PAGE_PRESENT) && (m->kind != MOBJECT_PAGER || (slot & PAGE_WRITABLE));
	unsigned flags = region_pte(r, own || m->kind == MOBJECT_PHYSICAL) | PTE_OBJECT;

	return m->kind == MOBJECT_PHYSICAL ? flags | PTE_ZERO : flags;
}

/* Maps what else is at hand in the 16 pages around. */
static void fault_around(struct fault *f)
{
	struct region *r = f->region;
	struct mobject *m = r->object;
	uint64_t start = f->address & ~(AROUND * PAGE_SIZE - 1), end = start + AROUND * PAGE_SIZE;
	uint64_t pages[AROUND], counts[4] = { 0 };
	unsigned n = 0, flags;

	if (start < r->start)
		start = r->start;
	if (end > r->end)
		end = r->end;
	for (uint64_t address = start; address < end; address += PAGE_SIZE, n++) {
		uint64_t index = region_index(r, address), slot = 0;

		if (!mobject_has(m, index))
			break;
		if (!r->overlay || !pages_get(&r->overlay->pages, address >> PAGE_SHIFT))
			slot = mobject_peek(m, index);
		pages[n] = 0;
		if (!slot || (slot & PAGE_ADDRESS) == frame_zero_pa)
			continue;
		flags = region_private(r) ? region_pte(r, false) | PTE_OBJECT :
					    shared_flags(r, pages_get(&m->pages, index));
		pages[n] = (slot & PAGE_ADDRESS) | flags;
	}
	frame_table_payer = f->space->account;
	/* What cannot be mapped for want of a table will be faulted in. */
	(void)!arch_map_absent(&f->space->arch, start, pages, n, counts);
	frame_table_payer = NULL;
	translation_count(f->space, counts);
}

static int64_t object_error(int64_t error)
{
	if (error == -ENOMEM)
		return OP_MEMORY;
	return error == -EIO ? -K_FAULT_BUS : error;
}

/* The overlay slot of a page, made if need be. */
static uint64_t *overlay_make(struct region *r, uint64_t page)
{
	if (!r->overlay) {
		r->overlay = kzalloc(sizeof *r->overlay);
		if (!r->overlay)
			return NULL;
		r->overlay->references = 1;
	}
	return pages_make(&r->overlay->pages, page);
}

/*
 * A new frame of our own, with the contents of `from` (0: zeros). The caller still owns its share
 * of `from`.
 */
static int64_t frame_copy(struct space *s, uint64_t from, uint64_t *pa)
{
	int error;

	frame_pin(from);	/* allocating may evict clean file pages */
	error = frame_alloc(s->account, from ? 0 : FRAME_ZERO, pa);
	if (!error && from)
		arch_page_copy(phys_to_virt(*pa), phys_to_virt(from));
	frame_unpin(from);
	return error ? OP_MEMORY : 0;
}

/* First write to a page that is not yet private. */
static int64_t private_first_write(struct fault *f, uint64_t *pa)
{
	struct region *r = f->region;
	uint64_t from = 0, index = 0, *slot;
	int64_t error;

	if (r->object) {
		index = region_index(r, f->address);
		error = mobject_page(r->object, f->thread, index, false, &from);
		if (error)
			return object_error(error);
		if (from == frame_zero_pa)
			from = 0;
	}
	slot = overlay_make(r, f->address >> PAGE_SHIFT);
	if (!slot)
		return OP_MEMORY;
	*pa = r->object ? mobject_steal(r->object, index) : 0;
	if (!*pa) {
		if (r->object && mobject_device(r->object))
			return -K_FAULT_ACCERR;		/* registers are not copied */
		error = frame_copy(f->space, from, pa);
		if (error)
			return error;
	}
	*slot = *pa | PAGE_PRESENT;
	return fault_map(f, *pa, region_pte(r, true));
}

static int64_t resolve_own(struct fault *f, uint64_t *slot, uint64_t *pa)
{
	uint64_t own = *slot & PAGE_ADDRESS;
	bool alone = frame_at(own)->references == 1;
	int64_t error;

	if (!(f->how & RESOLVE_WRITE) || alone) {
		*pa = own;
		return fault_map(f, own, region_pte(f->region, alone));
	}
	error = frame_copy(f->space, own, pa);
	if (error)
		return error;
	*slot = *pa | PAGE_PRESENT;
	error = fault_map(f, *pa, region_pte(f->region, true));
	if (error && f->was) {
		/* Without a new translation the old one, which shows the shared frame, must go. */
		translation_drop(f->space, f->address, f->address + PAGE_SIZE, 0);
	}
	frame_put(own);
	return error;
}

static int64_t resolve_private(struct fault *f, uint64_t *pa)
{
	struct region *r = f->region;
	uint64_t *slot =
		r->overlay ? pages_slot(&r->overlay->pages, f->address >> PAGE_SHIFT) : NULL;
	int64_t error;

	if (slot && *slot)
		return resolve_own(f, slot, pa);
	if (r->object && !mobject_has(r->object, region_index(r, f->address)))
		return -K_FAULT_BUS;
	if (f->how & RESOLVE_WRITE)
		return private_first_write(f, pa);
	*pa = frame_zero_pa;
	if (r->object) {
		error = mobject_page(r->object, f->thread, region_index(r, f->address), false, pa);
		if (error)
			return object_error(error);
	}
	if (*pa == frame_zero_pa)
		return fault_map(f, *pa, region_pte(r, false) | PTE_OBJECT | PTE_ZERO);
	error = fault_map(f, *pa, region_pte(r, false) | PTE_OBJECT);
	if (!error && (f->how & RESOLVE_AROUND))
		fault_around(f);
	return error;
}

static int64_t resolve_shared(struct fault *f, uint64_t *pa)
{
	struct region *r = f->region;
	struct mobject *m = r->object;
	uint64_t index = region_index(r, f->address);
	unsigned flags;
	int64_t error;

	if (!mobject_has(m, index))
		return -K_FAULT_BUS;
	error = mobject_page(m, f->thread, index, f->how & RESOLVE_WRITE, pa);
	if (error)
		return object_error(error);
	if (f->how & RESOLVE_WRITE)
		mobject_stamp(m, true);
	if (*pa == frame_zero_pa)
		flags = region_pte(r, false) | PTE_OBJECT | PTE_ZERO;
	else
		flags = shared_flags(r, pages_get(&m->pages, index));
	error = fault_map(f, *pa, flags);
	if (!error && (f->how & RESOLVE_AROUND))
		fault_around(f);
	return error;
}

/* The stack above `address`, grown down to it, or NULL. */
static struct region *stack_grow(struct space *s, const struct task *limits, uint64_t address)
{
	struct region *r = region_above(s, address), *prev;
	uint64_t start = address & ~PAGE_MASK;

	if (!r || !(r->flags & K_MAP_GROWSDOWN) || start < MMAP_MIN)
		return NULL;
	if (limits && r->end - start > limits->limit_stack)
		return NULL;
	if (!space_within_limits(s, limits, r->flags, r->start - start))
		return NULL;
	prev = region_prev(s, r);
	if (prev && (prev->flags & REGION_ACCESS) && start - prev->end < STACK_GUARD)
		return NULL;
	if (r->object && r->offset < r->start - start)
		return NULL;
	region_account(r, (r->start - start) >> PAGE_SHIFT, 1);
	r->offset -= r->object ? r->start - start : 0;
	r->start = start;
	region_touch(s, r);
	return r;
}

static bool access_allowed(const struct region *r, unsigned how)
{
	if (how & RESOLVE_FORCE)
		return !(how & RESOLVE_WRITE) || (r->flags & K_MAP_WRITE) || region_private(r);
	if (how & RESOLVE_WRITE)
		return r->flags & K_MAP_WRITE;
	if (how & RESOLVE_EXECUTE)
		return r->flags & K_MAP_EXECUTE;
	return r->flags & REGION_ACCESS;
}

/* What is there already does. */
static bool was_enough(const struct fault *f)
{
	if (f->how & RESOLVE_WRITE)
		return f->was & ARCH_MAP_WRITE;
	return !(f->how & RESOLVE_EXECUTE) || (f->was & ARCH_MAP_EXEC);
}

int64_t space_resolve(struct space *s, const struct task *limits, struct thread *t,
		      uint64_t address, unsigned how, uint64_t *pa)
{
	struct fault f = { .space = s, .thread = t, .address = address & ~PAGE_MASK, .how = how };

	if (address >= USER_END || s->dead)
		return -K_FAULT_MAPERR;
	f.region = region_find(s, address);
	if (__builtin_expect(!f.region, 0)) {
		f.region = stack_grow(s, limits, address);
		if (!f.region)
			return -K_FAULT_MAPERR;
	}
	if (!access_allowed(f.region, how))
		return -K_FAULT_ACCERR;
	if (arch_query(&s->arch, f.address, &f.was_pa, &f.was)) {
		if (was_enough(&f)) {
			*pa = f.was_pa;
			arch_tlb_forget_local(f.address);
			return 0;
		}
	} else {
		f.was = 0;
	}
	return region_private(f.region) ? resolve_private(&f, pa) : resolve_shared(&f, pa);
}

int64_t space_fault(struct thread *t, uint64_t address, bool write, bool execute)
{
	unsigned how =
		RESOLVE_AROUND | (write ? RESOLVE_WRITE : 0) | (execute ? RESOLVE_EXECUTE : 0);
	uint64_t pa;

	return space_resolve(t->task->space, t->task, t, address, how, &pa);
}
