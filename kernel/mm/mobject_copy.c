/*
 * Bytes between memory objects and the current thread's memory: what read and write of a file come
 * down to.
 *
 * Page by page through the direct map. Every page looks the object up anew, so a file that is cut
 * short under a reader, or a page that is evicted while the user's own page is faulted in, does no
 * harm. The invariant: the size moves only after the bytes have.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/paging.h"
#include "core/account.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/mobject_priv.h"
#include "mm/usercopy.h"

/* For a user page that is there and still faults: a race with another CPU */
#define TRIES 4

/*
 * Nothing could be copied at `address`: makes its page accessible, and limits the next chunk to it.
 * Once bytes have been copied nobody waits, for a thread that waits has to run its call again; then
 * the call ends short.
 */
static int64_t user_page(struct thread *t, uint64_t done, uint64_t address, bool write,
			 uint64_t *chunk, unsigned *tries)
{
	*chunk = PAGE_SIZE - (address & PAGE_MASK);
	if (++*tries > TRIES)
		return -EFAULT;
	return done ? user_resolve_now(t, address, write) : user_resolve(t, address, write);
}

/* Who waits for a page of the object. */
static inline struct thread *pager_waiter(struct thread *t, uint64_t done)
{
	return done || t->flags & THREAD_SERVER ? NULL : t;
}

int64_t mobject_read_user(struct mobject *m, struct thread *t, uint64_t offset, uint64_t to,
			  uint64_t size)
{
	uint64_t done = 0, chunk = PAGE_SIZE;
	unsigned tries = 0;
	int64_t error = 0;

	if (__builtin_expect(mobject_device(m), 0))
		return -EINVAL;
	while (done < size) {
		uint64_t at = offset + done, pa, left;
		uint64_t n = PAGE_SIZE - (at & PAGE_MASK);

		if (at >= m->size)
			break;
		if (n > m->size - at)
			n = m->size - at;
		if (n > size - done)
			n = size - done;
		if (n > chunk)
			n = chunk;
		error = mobject_page(m, pager_waiter(t, done), at >> PAGE_SHIFT, false, &pa);
		if (error)
			break;
		left = arch_copy_to_user_fast(to + done,
					      (char *)phys_to_virt(pa) + (at & PAGE_MASK), n);
		if (__builtin_expect(left == n, 0)) {
			error = user_page(t, done, to + done, true, &chunk, &tries);
			if (error)
				break;
			continue;
		}
		done += n - left;
		chunk = PAGE_SIZE;
		tries = 0;
	}
	return done ? (int64_t)done : error;
}

/* Out of frames: ENOSPC if it is the object's account that is full. */
static int64_t no_frame(struct mobject *m)
{
	return account_room(m->account, 1) ? -ENOMEM : -ENOSPC;
}

/*
 * Writes into a page that nobody has seen: it is filled first and becomes part of the object only
 * when bytes have arrived, so a full page needs no zeros and a bad user address leaves no trace.
 */
static int64_t fresh_write(struct mobject *m, uint64_t at, uint64_t from, uint64_t n)
{
	uint64_t *slot = pages_make(&m->pages, at >> PAGE_SHIFT);
	uint64_t pa, left;
	char *page;

	if (!slot)
		return -ENOMEM;
	if (frame_alloc(m->account, n == PAGE_SIZE ? 0 : FRAME_ZERO, &pa))
		return no_frame(m);
	page = phys_to_virt(pa);
	left = arch_copy_from_user_fast(page + (at & PAGE_MASK), from, n);
	if (left == n) {
		frame_put(pa);
		return 0;
	}
	if (left && n == PAGE_SIZE)
		memset(page + n - left, 0, left);
	if (rmap_any(m))
		rmap_range(m, at >> PAGE_SHIFT, (at >> PAGE_SHIFT) + 1, RMAP_UNMAP);
	*slot = pa | PAGE_PRESENT;
	m->resident++;
	return (int64_t)(n - left);
}

/*
 * Up to n bytes within one page. Returns how many (0: the user's page must be faulted in), or an
 * error.
 */
static int64_t page_write(struct mobject *m, struct thread *waiter, uint64_t at, uint64_t from,
			  uint64_t n)
{
	uint64_t *slot = pages_slot(&m->pages, at >> PAGE_SHIFT);
	int64_t error;
	uint64_t pa;

	if (slot && (*slot & PAGE_PRESENT) &&
	    (m->kind != MOBJECT_PAGER || (*slot & PAGE_WRITABLE))) {
		pa = *slot & PAGE_ADDRESS;
	} else if (m->kind == MOBJECT_ANONYMOUS ||
		   (m->kind == MOBJECT_CHILD && (at & ~PAGE_MASK) >= m->limit)) {
		return fresh_write(m, at, from, n);
	} else {
		error = mobject_page(m, waiter, at >> PAGE_SHIFT, true, &pa);
		if (error)
			return error == -ENOMEM ? no_frame(m) : error;
	}
	return (int64_t)(n - arch_copy_from_user_fast((char *)phys_to_virt(pa) + (at & PAGE_MASK),
						      from, n));
}

int64_t mobject_write_user(struct mobject *m, struct thread *t, uint64_t offset, uint64_t from,
			   uint64_t size)
{
	uint64_t done = 0, chunk = PAGE_SIZE;
	unsigned tries = 0;
	int64_t r = 0;

	if (__builtin_expect(offset > INT64_MAX || size > INT64_MAX - offset, 0))
		return -EFBIG;
	if (__builtin_expect(m->kind == MOBJECT_PHYSICAL || m->flags, 0)) {
		/* Memory that is fixed does not grow. */
		if (mobject_device(m))
			return -EINVAL;
		if (size && offset >= m->size)
			return -EFBIG;
		if (size > m->size - offset)
			size = m->size - offset;
	}
	while (done < size) {
		uint64_t at = offset + done, n = PAGE_SIZE - (at & PAGE_MASK);

		if (n > size - done)
			n = size - done;
		if (n > chunk)
			n = chunk;
		r = page_write(m, pager_waiter(t, done), at, from + done, n);
		if (__builtin_expect(r <= 0, 0)) {
			if (!r)
				r = user_page(t, done, from + done, false, &chunk, &tries);
			if (r)
				break;
			continue;
		}
		done += (uint64_t)r;
		if (offset + done > m->size)
			m->size = offset + done;
		r = 0;
		chunk = PAGE_SIZE;
		tries = 0;
	}
	return done ? (int64_t)done : r;
}
