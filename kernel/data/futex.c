/* SPDX-License-Identifier: MIT */
/*
 * Futexes: waiting for a word of user memory to change.
 *
 * A waiter is in the bucket of its key through thread.waiter: the key is in progress.aux, its
 * bitset in waiter.key. The value is compared and the waiter queued under the kernel lock, which
 * wakers take after they changed the value, so no wake-up is lost. A woken waiter's call is
 * completed from outside; a waiter that runs again was not woken by a futex.
 */
#include "data/futex.h"
#include "arch/paging.h"
#include "core/ops.h"
#include "data/linux.h"
#include "data/operation.h"
#include "lib/errno.h"
#include "mm/frame.h"
#include "mm/usercopy.h"

#define BUCKETS 256

/*
 * Private: space id and address. Shared: object id and offset. Ids are never reused and unique
 * among all objects.
 */
struct futex_key {
	uint64_t id, offset;
};

enum { AUX_KEY_ID, AUX_KEY_OFFSET };

static struct list buckets[BUCKETS];

static struct list *bucket_of(const struct futex_key *k)
{
	uint64_t h = (k->id * 0x9e3779b97f4a7c15ul) ^ (k->offset >> 2) * 0xff51afd7ed558ccdul;
	struct list *bucket = &buckets[h >> 56];

	if (!bucket->next)
		list_init(bucket);
	return bucket;
}

static bool waits_for(const struct waiter *w, const struct futex_key *k)
{
	const uint64_t *aux = w->thread->progress.aux;

	return aux[AUX_KEY_ID] == k->id && aux[AUX_KEY_OFFSET] == k->offset;
}

/*
 * A word in private memory has one key, however it is asked for. False: asked for as shared, and
 * nothing is mapped there.
 */
static bool key_of(struct space *s, uint64_t address, bool shared, struct futex_key *k)
{
	struct mobject *m = NULL;

	k->offset = address;
	if (shared && !space_identify(s, address, &m, &k->offset))
		return false;
	k->id = m ? mobject_object(m)->id : space_object(s)->id;
	return true;
}

static int64_t key_get(struct thread *t, uint64_t address, bool shared, struct futex_key *k)
{
	if (address & 3)
		return -EINVAL;
	if (!user_range_valid(address, 4))
		return -EFAULT;
	return key_of(t->task->space, address, shared, k) ? 0 : -EFAULT;
}

/* --- waking ------------------------------------------------------------------------------- */

/* The next waiter for k in the bucket after `after`, or NULL. */
static struct waiter *waiter_next(struct list *head, struct list *after, const struct futex_key *k,
				  uint32_t bits)
{
	for (struct list *it = after->next; it != head; it = it->next) {
		struct waiter *w = container_of(it, struct waiter, node);

		if (waits_for(w, k) && w->key & bits)
			return w;
	}
	return NULL;
}

static int key_wake(const struct futex_key *k, int n, uint32_t bits)
{
	struct list *head = bucket_of(k);
	struct waiter *w;
	int woken = 0;

	while ((w = waiter_next(head, head, k, bits))) {
		thread_complete(w->thread, 0);
		if (++woken >= n)	/* Linux wakes one even for 0 */
			break;
	}
	return woken;
}

int futex_wake_address(struct space *s, uint64_t address, int n)
{
	struct futex_key k;

	return key_of(s, address, true, &k) ? key_wake(&k, n, UINT32_MAX) : 0;
}

static int64_t futex_wake(struct thread *t, uint64_t address, bool shared, int n, uint32_t bits)
{
	struct futex_key k;
	int64_t r = bits ? key_get(t, address, shared, &k) : -EINVAL;

	return r ? r : key_wake(&k, n, bits);
}

/* --- waiting ------------------------------------------------------------------------------ */

static void futex_detach(struct thread *t)
{
	list_remove(&t->waiter.node);
}

/* `deadline` counts on the first run only; later ones find it in their progress. */
static int64_t futex_wait(struct thread *t, uint64_t address, bool shared, uint32_t value,
			  int64_t deadline, uint32_t bits)
{
	struct progress *p = &t->progress;
	struct futex_key k;
	uint32_t now;
	int64_t r = bits ? key_get(t, address, shared, &k) : -EINVAL;

	if (!r)
		r = user_read(t, &now, address, sizeof(now));
	if (op_result_is_special(r) && !p->active) {
		p->active = true;
		p->deadline = deadline;
	}
	if (r)
		return r;
	if (now != value)
		return -EAGAIN;
	if (!p->active)
		p->deadline = deadline;
	p->active = true;
	if (p->deadline != K_FOREVER && time_now() >= p->deadline)
		return -ETIMEDOUT;
	p->aux[AUX_KEY_ID] = k.id;
	p->aux[AUX_KEY_OFFSET] = k.offset;
	t->waiter.key = bits;
	list_append(bucket_of(&k), &t->waiter.node);
	return wait_custom(t, K_WAIT_FUTEX,
			   p->deadline == K_FOREVER ? K_RESTART_SYS : K_RESTART_BLOCK,
			   futex_detach);
}

/* The timeout argument as a deadline: relative for WAIT, absolute for WAIT_BITSET. */
static int64_t futex_deadline(struct thread *t, uint32_t command, bool realtime, uint64_t from,
			      int64_t *deadline)
{
	int64_t ns, r;

	*deadline = K_FOREVER;
	if (!from || t->progress.active)
		return 0;
	r = timespec_read(t, from, &ns);
	if (r)
		return r;
	*deadline = command == FUTEX_WAIT ? deadline_after(ns) : deadline_at(ns, realtime);
	return 0;
}

/* --- requeueing --------------------------------------------------------------------------- */

static int64_t futex_requeue(struct thread *t, const uint64_t *arg, bool shared, bool compare)
{
	int32_t wake = (int32_t)arg[2], move = (int32_t)arg[3];
	struct futex_key from, to;
	struct list *head, *at;
	struct waiter *w;
	uint32_t value;
	int64_t r, done = 0;

	if (wake < 0 || move < 0)
		return -EINVAL;
	r = key_get(t, arg[0], shared, &from);
	if (!r)
		r = key_get(t, arg[4], shared, &to);
	if (!r && compare)
		r = user_read(t, &value, arg[0], sizeof(value));
	if (r)
		return r;
	if (compare && value != (uint32_t)arg[5])
		return -EAGAIN;
	head = at = bucket_of(&from);
	while (done - wake < move && (w = waiter_next(head, at, &from, UINT32_MAX))) {
		if (done++ < wake) {
			thread_complete(w->thread, 0);
			continue;
		}
		if (from.id == to.id && from.offset == to.offset) {
			at = &w->node;	/* stays where it is, and counts */
			continue;
		}
		list_remove(&w->node);
		w->thread->progress.aux[AUX_KEY_ID] = to.id;
		w->thread->progress.aux[AUX_KEY_OFFSET] = to.offset;
		list_append(bucket_of(&to), &w->node);
	}
	return done;
}

/* --- FUTEX_WAKE_OP ------------------------------------------------------------------------ */

/* Encoded: operation 4 bits, comparison 4, operand 12, comparand 12 (both signed). */
static uint32_t wake_op_result(uint32_t encoded, uint32_t old)
{
	uint32_t operand = (uint32_t)((int32_t)(encoded << 8) >> 20);

	if (encoded >> 31)
		operand = 1u << (operand & 31);
	switch (encoded >> 28 & 7) {
	case 0: return operand;
	case 1: return old + operand;
	case 2: return old | operand;
	case 3: return old & ~operand;
	default: return old ^ operand;
	}
}

static bool wake_op_compare(uint32_t encoded, int32_t old)
{
	int32_t comparand = (int32_t)(encoded << 20) >> 20;

	switch (encoded >> 24 & 15) {
	case 0: return old == comparand;
	case 1: return old != comparand;
	case 2: return old < comparand;
	case 3: return old <= comparand;
	case 4: return old > comparand;
	default: return old >= comparand;
	}
}

static int64_t futex_wake_op(struct thread *t, const uint64_t *arg, bool shared)
{
	uint32_t encoded = (uint32_t)arg[5], old, *word;
	struct futex_key first, second;
	uint64_t pa;
	int64_t r = key_get(t, arg[0], shared, &first);
	int64_t woken;

	if (!r)
		r = key_get(t, arg[4], shared, &second);
	if (!r && ((encoded >> 28 & 7) > 4 || (encoded >> 24 & 15) > 5))
		r = -ENOSYS;
	if (!r)
		r = user_prepare_write(t, arg[4], sizeof(*word));
	if (!r)
		r = space_page(t->task->space, arg[4], true, &pa);
	if (r)
		return r;
	word = (uint32_t *)((char *)phys_to_virt(pa) + (arg[4] & PAGE_MASK));
	old = __atomic_load_n(word, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(word, &old, wake_op_result(encoded, old), false,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
	woken = key_wake(&first, (int32_t)arg[2], UINT32_MAX);
	if (wake_op_compare(encoded, (int32_t)old))
		woken += key_wake(&second, (int32_t)arg[3], UINT32_MAX);
	return woken;
}

/* --- the call ----------------------------------------------------------------------------- */

int64_t op_futex(struct thread *t, const uint64_t *arg)
{
	uint32_t flags = (uint32_t)arg[1],
		 command = flags & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
	bool shared = !(flags & FUTEX_PRIVATE_FLAG), realtime = flags & FUTEX_CLOCK_REALTIME;
	bool waits = command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET;
	int64_t deadline = K_FOREVER;
	int64_t r = waits ? futex_deadline(t, command, realtime, arg[3], &deadline) : 0;

	if (r)
		return r;
	if (realtime && command != FUTEX_WAIT_BITSET)
		return -ENOSYS;
	switch (command) {
	case FUTEX_WAIT:
		return futex_wait(t, arg[0], shared, (uint32_t)arg[2], deadline, UINT32_MAX);
	case FUTEX_WAIT_BITSET:
		return futex_wait(t, arg[0], shared, (uint32_t)arg[2], deadline, (uint32_t)arg[5]);
	case FUTEX_WAKE:
		return futex_wake(t, arg[0], shared, (int32_t)arg[2], UINT32_MAX);
	case FUTEX_WAKE_BITSET:
		return futex_wake(t, arg[0], shared, (int32_t)arg[2], (uint32_t)arg[5]);
	case FUTEX_REQUEUE:
		return futex_requeue(t, arg, shared, false);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(t, arg, shared, true);
	case FUTEX_WAKE_OP:
		return futex_wake_op(t, arg, shared);
	default:
		return -ENOSYS;
	}
}
