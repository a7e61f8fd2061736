/*
 * Pager-backed objects: the page cache. The pager (a server) fills pages, permits the first write
 * to each, collects dirty ones.
 *
 * Requests are never queued anywhere: the threads that wait for pages are the queue. One notice per
 * object asks for the first wait that nothing under way covers, and is sent again while there is
 * another one; at most PAGER_REQUESTS are under way. A supply wakes all waiters, and whoever misses
 * something asks again. So nothing is allocated, nothing is lost when the pager dies, and an
 * interrupted wait leaves no trace.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/paging.h"
#include "core/account.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/mobject_priv.h"
#include "mm/reclaim_priv.h"
#include "mm/usercopy.h"

#define CLUSTER 16	/* pages asked for at once */

static struct list pagers = LIST_INIT(pagers);
static uint64_t pager_resident, pager_dirty;	/* pages of all pager objects */

static void request_fill(struct notice *n, struct k_message *msg);
static void dirty_fill(struct notice *n, struct k_message *msg);

int pager_init(struct mobject *m, struct endpoint *e, uint64_t cookie)
{
	struct pager *p = kzalloc(sizeof *p);

	if (!p) {
		m->kind = MOBJECT_ANONYMOUS;	/* for its destruction */
		return -ENOMEM;
	}
	p->mobject = m;
	p->endpoint = e;
	object_get(&e->object);
	p->cookie = cookie;
	list_append(&pagers, &p->link);
	notice_init(&p->request, request_fill);
	notice_init(&p->dirty, dirty_fill);
	wait_queue_init(&p->waiters);
	m->pager = p;
	return 0;
}

void pager_destroy(struct mobject *m)
{
	struct pager *p = m->pager;

	pager_resident -= m->resident;
	pager_dirty -= m->dirty;
	list_remove(&p->link);
	notice_cancel(&p->request);
	notice_cancel(&p->dirty);
	object_put(&p->endpoint->object);
	kfree(p);
}

/* A slot goes; what was present is already counted off in the object. */
void pager_forget(struct mobject *m, uint64_t slot)
{
	if (slot & PAGE_PRESENT)
		pager_resident--;
	if (slot & PAGE_DIRTY) {
		m->dirty--;
		pager_dirty--;
	}
}

/* --- requests ----------------------------------------------------------------------------- */

static bool flight_covers(const struct pager *p, uint64_t index, bool write)
{
	for (int i = 0; i < PAGER_REQUESTS; i++)
		if (p->flight[i].count && p->flight[i].write == write &&
		    index - p->flight[i].first < p->flight[i].count)
			return true;
	return false;
}

static int flight_free(const struct pager *p)
{
	for (int i = 0; i < PAGER_REQUESTS; i++)
		if (!p->flight[i].count)
			return i;
	return -1;
}

static struct waiter *waiter_uncovered(struct pager *p)
{
	list_for(it, &p->waiters.waiters) {
		struct waiter *w = container_of(it, struct waiter, node);

		if (!flight_covers(p, w->key >> 1, w->key & 1))
			return w;
	}
	return NULL;
}

static bool page_absent(struct mobject *m, uint64_t index)
{
	return !(pages_get(&m->pages, index) & PAGE_PRESENT);
}

/* The notice is being delivered: choose what it says. Length 0 if nobody waits any more. */
static void request_fill(struct notice *n, struct k_message *msg)
{
	struct pager *p = container_of(n, struct pager, request);
	struct mobject *m = p->mobject;
	struct waiter *w = waiter_uncovered(p);
	int free = flight_free(p);
	uint64_t first, count = 0;
	bool write = false;

	msg->kind = K_MSG_PAGER;
	msg->kind = K_MSG_PAGER;
	msg->cookie = p->cookie;
	msg->extra[0] = K_PAGER_FILL;
	msg->extra[1] = msg->extra[2] = 0;
	if (!w || free < 0)
		return;
	first = w->key >> 1;
	write = w->key & 1;
	do
		count++;
	while (!write && count < CLUSTER && mobject_has(m, first + count) &&
	       page_absent(m, first + count));
	p->flight[free].first = first;
	p->flight[free].count = count;
	p->flight[free].write = write;
	if (write)
		msg->extra[0] = K_PAGER_WRITABLE;
	msg->extra[1] = first << PAGE_SHIFT;
	msg->extra[2] = count << PAGE_SHIFT;
	if (flight_free(p) >= 0 && waiter_uncovered(p))
		endpoint_notify(p->endpoint, &p->request);
}

static void dirty_fill(struct notice *n, struct k_message *msg)
{
	struct pager *p = container_of(n, struct pager, dirty);

	msg->kind = K_MSG_PAGER;
	msg->kind = K_MSG_PAGER;
	msg->cookie = p->cookie;
	msg->extra[0] = K_PAGER_DIRTY;
	msg->extra[1] = 0;
	msg->extra[2] = p->mobject->size;
}

int64_t pager_wait(struct mobject *m, struct thread *t, uint64_t index, bool write)
{
	struct pager *p = m->pager;
	uint64_t *slot = pages_slot(&m->pages, index);
	bool grant = write && slot && (*slot & PAGE_PRESENT);
	int64_t r;

	if (slot && (*slot & PAGE_ERROR)) {
		/* All who waited for it see the error; whoever comes later asks again. */
		if (list_empty(&p->waiters.waiters))
			*slot &= ~PAGE_ERROR;
		return -EIO;
	}
	if (p->endpoint->shut)
		return -EIO;
	if (!t)
		return -EAGAIN;
	t->waiter.key = index << 1 | grant;
	if (!flight_covers(p, index, grant) && flight_free(p) >= 0)
		endpoint_notify(p->endpoint, &p->request);
	r = wait_on(t, &p->waiters, K_WAIT_PAGE, t->number < 0 ? K_RESTART_ALWAYS : K_RESTART_SYS);
	/*
	 * An event that is pending ends the call at once; how far it was is for our caller to say,
	 * who goes by signs.
	 */
	return r > 0 ? -K_RESTART_SYS : r;
}

/* Requests that touch the range are no longer under way; all who wait look again. */
void pager_settled(struct mobject *m, uint64_t first, uint64_t count)
{
	struct pager *p = m->pager;

	for (int i = 0; i < PAGER_REQUESTS; i++)
		if (p->flight[i].first < first + count &&
		    first < p->flight[i].first + p->flight[i].count)
			p->flight[i].count = 0;
	wait_queue_wake(&p->waiters, INT32_MAX);
}

void pager_restart(struct endpoint *e)
{
	list_for(it, &pagers) {
		struct pager *p = container_of(it, struct pager, link);

		if (p->endpoint != e)
			continue;
		memset(p->flight, 0, sizeof p->flight);
		wait_queue_wake(&p->waiters, INT32_MAX);
	}
}

/* --- answers ------------------------------------------------------------------------------ */

void pager_write_back(struct mobject *m)
{
	if (m->dirty)
		endpoint_notify(m->pager->endpoint, &m->pager->dirty);
}

/* Too much is dirty in one object: an eighth of memory. */
static void dirty_count(struct mobject *m)
{
	m->dirty++;
	pager_dirty++;
	if (m->dirty > frame_counts.total / 8)
		endpoint_notify(m->pager->endpoint, &m->pager->dirty);
}

static int64_t page_supply(struct mobject *m, struct thread *server, uint64_t index, uint64_t from,
			   uint32_t flags)
{
	uint64_t *slot = pages_make(&m->pages, index);
	uint64_t pa, offset = index << PAGE_SHIFT;
	int64_t error;

	if (!slot)
		return -ENOMEM;
	if (flags & K_SUPPLY_ERROR) {
		*slot |= PAGE_ERROR;
		return 0;
	}
	if (!(*slot & PAGE_PRESENT)) {
		if (frame_alloc(m->account, (from ? 0 : FRAME_ZERO) | FRAME_RESERVE, &pa))
			return -ENOMEM;
		if (from) {
			error = user_read(server, phys_to_virt(pa), from, PAGE_SIZE);
			if (error) {
				frame_put(pa);
				return error;
			}
		}
		/* The rest of the last page is zero, whatever the pager's buffer held. */
		if (m->size > offset && m->size - offset < PAGE_SIZE)
			memset((char *)phys_to_virt(pa) + (m->size - offset), 0,
			       PAGE_SIZE - (m->size - offset));
		*slot = pa | PAGE_PRESENT;
		m->resident++;
		pager_resident++;
	}
	*slot &= ~PAGE_ERROR;
	if (flags & K_SUPPLY_WRITABLE) {
		if (!(*slot & PAGE_DIRTY))
			dirty_count(m);
		*slot |= PAGE_WRITABLE | PAGE_DIRTY;
	}
	return 0;
}

int64_t mobject_supply(struct mobject *m, struct thread *server, uint64_t offset, uint64_t from,
		       uint64_t size, uint32_t flags)
{
	uint64_t first = offset >> PAGE_SHIFT, end = (offset + size + PAGE_MASK) >> PAGE_SHIFT;
	int64_t error = 0;

	if (m->kind != MOBJECT_PAGER || (offset & PAGE_MASK) || offset > INT64_MAX ||
	    size > INT64_MAX || !size)
		return -EINVAL;
	if (flags & ~(K_SUPPLY_WRITABLE | K_SUPPLY_ERROR))
		return -EINVAL;
	for (uint64_t i = first; i < end && mobject_has(m, i) && !error; i++)
		error = page_supply(m, server, i, from ? from + ((i - first) << PAGE_SHIFT) : 0,
				    flags);
	/*
	 * If the server has to wait for its own memory it will be back; it may even wait for this
	 * very object.
	 */
	if (!op_result_is_special(error))
		pager_settled(m, first, end - first);
	return error;
}

int64_t mobject_collect_dirty(struct mobject *m, uint64_t *offset, uint64_t *offsets, size_t max)
{
	uint64_t first = *offset >> PAGE_SHIFT, i, *slot;
	size_t found = 0;
	unsigned n, k;

	if (m->kind != MOBJECT_PAGER || (*offset & PAGE_MASK))
		return -EINVAL;
	for (i = first; found < max && (slot = pages_run(&m->pages, &i, UINT64_MAX, &n)); i += k) {
		for (k = 0; k < n && found < max; k++) {
			if (!(slot[k] & PAGE_DIRTY))
				continue;
			slot[k] &= ~(PAGE_DIRTY | PAGE_WRITABLE);
			m->dirty--;
			pager_dirty--;
			offsets[found++] = (i + k) << PAGE_SHIFT;
		}
	}
	*offset = i << PAGE_SHIFT;
	/*
	 * A write between here and the pager's read of the page would be lost: no mapping may still
	 * write.
	 */
	if (found && rmap_any(m))
		rmap_range(m, first, i, RMAP_CLEAN);
	return (int64_t)found;
}

/* --- eviction ----------------------------------------------------------------------------- */

uint64_t mm_reclaimable(void)
{
	return (pager_resident - pager_dirty) * PAGE_SIZE;
}

/*
 * Drops clean pages of one object. Nodes stay: somebody above us may be on his way through the
 * index.
 */
static uint64_t object_evict(struct mobject *m, uint64_t want)
{
	uint64_t *slot, i, freed = 0;
	unsigned n;

	for (i = 0; freed < want && (slot = pages_run(&m->pages, &i, UINT64_MAX, &n)); i += n) {
		bool unmapped = !rmap_any(m);

		for (unsigned k = 0; k < n; k++) {
			uint64_t pa = slot[k] & PAGE_ADDRESS;

			if ((slot[k] & (PAGE_PRESENT | PAGE_DIRTY)) != PAGE_PRESENT ||
			    frame_at(pa)->references > 1)
				continue;
			if (!unmapped) {
				rmap_range(m, i, i + n, RMAP_UNMAP);
				unmapped = true;
			}
			slot[k] = 0;
			frame_put(pa);
			m->resident--;
			pager_resident--;
			freed++;
		}
	}
	return freed;
}

/* Round robin over the objects: each gives up to a share, then goes to the end of the list. */
uint64_t pager_evict(uint64_t want)
{
	struct list *last = pagers.prev;
	uint64_t freed = 0;

	while (freed < want && !list_empty(&pagers)) {
		struct pager *p = list_first(&pagers, struct pager, link);
		bool end = &p->link == last;

		list_remove(&p->link);
		list_append(&pagers, &p->link);
		freed += object_evict(p->mobject, want - freed);
		if (end)
			break;
	}
	return freed;
}
