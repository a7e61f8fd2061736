/* SPDX-License-Identifier: MIT */
/*
 * poll, ppoll, select, pselect6.
 *
 * The first look needs no memory: if anything is ready, or nothing may be waited for, that is the
 * call. Otherwise the descriptions that can change become a poll set, which pins them, and has a
 * waiter in each of their sources; whenever it is woken the set is looked through again. Masks of
 * ppoll and pselect6 belong to the process server: they decline, and come back with authority when
 * the mask is in force.
 */
#include "core/ops.h"
#include "data/linux.h"
#include "data/operation.h"
#include "data/source.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"

struct poll_entry {
	struct description *description;	/* counted */
	uint32_t index;				/* in the pollfd array; select: descriptor */
	uint32_t events;			/* poll: wanted bits; select: SELECT_* wanted */
};

struct poll_set {
	uint32_t entries, capacity;
	uint32_t waiters, waiter_capacity;
	struct poll_entry *entry;
	struct waiter *waiter;
};

/* --- sets --------------------------------------------------------------------------------- */

static struct poll_set *set_create(uint32_t entries, uint32_t waiters)
{
	size_t head = (sizeof(struct poll_set) + entries * sizeof(struct poll_entry) + 15) & ~15ul;
	struct poll_set *s = kmalloc(head + waiters * sizeof(struct waiter));

	if (!s)
		return NULL;
	s->entries = s->waiters = 0;
	s->capacity = entries;
	s->waiter_capacity = waiters;
	s->entry = (struct poll_entry *)(s + 1);
	s->waiter = (struct waiter *)((char *)s + head);
	return s;
}

/* Out of all queues, and gone. */
static void set_discard(struct poll_set *s)
{
	for (uint32_t i = 0; i < s->waiters; i++)
		list_remove(&s->waiter[i].node);
	for (uint32_t i = 0; i < s->entries; i++)
		object_put(&s->entry[i].description->object);
	kfree(s);
}

/* More than was counted at the first look (the array has changed meanwhile) is left out. */
static void set_add(struct poll_set *s, struct thread *t, struct description *d, uint32_t index,
		    uint32_t events, uint32_t keys)
{
	struct source *source[DESCRIPTION_SOURCES];
	unsigned n = description_sources(d, source);

	if (s->entries == s->capacity || s->waiters + n > s->waiter_capacity)
		return;
	object_get(&d->object);
	s->entry[s->entries++] = (struct poll_entry){ d, index, events };
	for (unsigned i = 0; i < n; i++) {
		struct waiter *w = &s->waiter[s->waiters++];

		w->thread = t;
		w->key = keys;
		list_append(&source[i]->pollers.waiters, &w->node);
	}
}

static void set_detach(struct thread *t)
{
	struct poll_set *s = t->progress.object;

	for (uint32_t i = 0; i < s->waiters; i++)
		list_remove(&s->waiter[i].node);
}

static void set_release(struct thread *t)
{
	set_discard(t->progress.object);
}

/* The set's waiters are in their queues: t waits. */
static int64_t set_wait(struct thread *t, int class)
{
	return wait_custom(t, K_WAIT_POLL, class, set_detach);
}

static void set_adopt(struct thread *t, struct poll_set *s, int64_t deadline, bool finish)
{
	struct progress *p = &t->progress;

	p->active = true;
	p->deadline = deadline;
	p->object = s;
	p->release = set_release;
	p->finish_on_interrupt = finish;
}

/* Woken with nothing ready: back into the queues. */
static int64_t set_wait_again(struct thread *t, int class)
{
	struct poll_set *s = t->progress.object;
	uint32_t w = 0;

	for (uint32_t i = 0; i < s->entries; i++) {
		struct source *source[DESCRIPTION_SOURCES];
		unsigned n = description_sources(s->entry[i].description, source);

		for (unsigned k = 0; k < n; k++)
			list_append(&source[k]->pollers.waiters, &s->waiter[w++].node);
	}
	return set_wait(t, class);
}

static bool passed(int64_t deadline)
{
	return deadline != K_FOREVER && (!deadline || time_now() >= deadline);
}

/*
 * A waiting call is over, one way or the other: which? `found` descriptors are ready. 0 with *go:
 * wait on.
 */
static int64_t wait_outcome(struct thread *t, int64_t found, int class, bool *go)
{
	*go = false;
	if (found)
		return found;
	if (t->progress.interrupted)
		return -class;
	*go = !passed(t->progress.deadline);
	return 0;
}

/* --- poll --------------------------------------------------------------------------------- */

#define CHUNK 64	/* pollfds on the stack */

struct look {
	int64_t ready;
	uint32_t entries, waiters;	/* what a set would need, if */
	bool may_wait;
};

static uint32_t poll_wanted(const struct pollfd *p)
{
	return p->events | POLLERR | POLLHUP;
}

static uint16_t poll_one(struct thread *t, const struct pollfd *p, struct look *l)
{
	struct source *source[DESCRIPTION_SOURCES];
	struct description *d;
	uint32_t ready;

	if (p->fd < 0)
		return 0;
	d = description_get(t, (uint32_t)p->fd);
	if (!d || d->flags & K_DESCRIPTION_PATH)
		return POLLNVAL;
	ready = description_ready(d) & poll_wanted(p);
	if (!ready && !l->ready && l->may_wait) {
		l->entries++;
		l->waiters += description_sources(d, source);
	}
	return (uint16_t)ready;
}

/* Reads the array, fills revents in, writes it back. */
static int64_t poll_look(struct thread *t, uint64_t fds, uint32_t n, struct look *l)
{
	struct pollfd p[CHUNK];

	for (uint32_t i = 0; i < n; i += CHUNK) {
		uint32_t count = (uint32_t)smaller(CHUNK, n - i);
		uint64_t at = fds + i * sizeof(p[0]);
		int64_t r = user_read(t, p, at, count * sizeof(p[0]));

		if (r)
			return r;
		for (uint32_t k = 0; k < count; k++) {
			p[k].revents = poll_one(t, &p[k], l);
			l->ready += p[k].revents != 0;
		}
		r = user_write(t, at, p, count * sizeof(p[0]));
		if (r)
			return r;
	}
	return 0;
}

static int64_t poll_collect(struct thread *t, uint64_t fds, uint32_t n, struct poll_set *s)
{
	struct pollfd p[CHUNK];

	for (uint32_t i = 0; i < n; i += CHUNK) {
		uint32_t count = (uint32_t)smaller(CHUNK, n - i);
		int64_t r = user_read(t, p, fds + i * sizeof(p[0]), count * sizeof(p[0]));

		if (r)
			return r;
		for (uint32_t k = 0; k < count; k++) {
			struct description *d =
				p[k].fd < 0 ? NULL : description_get(t, (uint32_t)p[k].fd);

			if (d)
				set_add(s, t, d, i + k, p[k].events, poll_wanted(&p[k]));
		}
	}
	return 0;
}

static int64_t poll_first(struct thread *t, uint64_t fds, uint32_t n, int64_t deadline, bool finish,
			  int class)
{
	struct look l = { .may_wait = deadline };
	struct poll_set *s;
	int64_t r;

	if (n > t->task->table->limit)
		return -EINVAL;
	r = poll_look(t, fds, n, &l);
	if (r || l.ready || passed(deadline))
		return r ? r : l.ready;
	s = set_create(l.entries, l.waiters);
	if (!s)
		return -ENOMEM;
	r = poll_collect(t, fds, n, s);
	if (r) {
		set_discard(s);
		return r;
	}
	set_adopt(t, s, deadline, finish);
	return set_wait(t, class);
}

static int64_t poll_again(struct thread *t, uint64_t fds, int class)
{
	struct poll_set *s = t->progress.object;
	int64_t found = 0, r;
	bool go;

	for (uint32_t i = 0; i < s->entries; i++) {
		struct poll_entry *e = &s->entry[i];
		uint16_t ready = (uint16_t)(description_ready(e->description) &
					    (e->events | POLLERR | POLLHUP));

		if (!ready)
			continue;
		r = user_write(t,
			       fds + e->index * sizeof(struct pollfd) +
				       offsetof(struct pollfd, revents),
			       &ready, sizeof(ready));
		if (r)
			return r;
		found++;
	}
	r = wait_outcome(t, found, class, &go);
	return go ? set_wait_again(t, class) : r;
}

static int64_t poll_run(struct thread *t, const uint64_t *arg, int64_t deadline, bool finish,
			int class)
{
	if (t->progress.active)
		return poll_again(t, arg[0], class);
	return poll_first(t, arg[0], (uint32_t)arg[1], deadline, finish, class);
}

int64_t op_poll(struct thread *t, const uint64_t *arg)
{
	int64_t ms = (int32_t)arg[2];
	int64_t deadline = ms < 0 ? K_FOREVER : ms ? deadline_after(ms * 1000000) : 0;

	return poll_run(t, arg, deadline, false, K_RESTART_BLOCK);
}

/* --- timeouts that are written back ------------------------------------------------------- */

/* A relative timeout argument: none, or where it is and when it ends (0: at once). */
struct timeout {
	uint64_t address;
	int64_t deadline;
	bool micro;		/* a timeval */
};

static int64_t timeout_read(struct thread *t, struct timeout *o)
{
	struct timeval v;
	int64_t ns, r;

	o->deadline = K_FOREVER;
	if (!o->address)
		return 0;
	if (t->progress.active) {
		o->deadline = t->progress.deadline;
		return 0;
	}
	if (!o->micro) {
		r = timespec_read(t, o->address, &ns);
		if (r)
			return r;
	} else {
		r = user_read(t, &v, o->address, sizeof(v));
		if (r)
			return r;
		/* Microseconds may exceed a second, and carry. */
		if (__builtin_add_overflow(v.seconds, v.microseconds / 1000000, &v.seconds) ||
		    v.seconds < 0 || v.microseconds % 1000000 < 0)
			return -EINVAL;
		if (__builtin_mul_overflow(v.seconds, 1000000000, &ns) ||
		    __builtin_add_overflow(ns, v.microseconds % 1000000 * 1000, &ns))
			ns = INT64_MAX;
	}
	o->deadline = ns ? deadline_after(ns) : 0;
	return 0;
}

/*
 * The call ends with r: what is left of the timeout is written back; if it cannot be, the call
 * cannot restart.
 */
static int64_t timeout_end(struct thread *t, const struct timeout *o, int64_t r)
{
	int64_t left, out[2], w = 0;

	if (op_result_is_special(r))
		return r;
	if (o->address && o->deadline) {
		left = o->deadline > time_now() ? o->deadline - time_now() : 0;
		out[0] = left / 1000000000;
		out[1] = o->micro ? left % 1000000000 / 1000 : left % 1000000000;
		w = user_write(t, o->address, out, sizeof(out));
		if (op_result_is_special(w))
			return w;
	}
	t->progress.interrupted = false;
	return w && r == -K_RESTART_NOHAND ? -EINTR : r;
}

/* A mask argument that no server has taken care of yet. */
static bool mask_declines(struct thread *t, uint64_t mask)
{
	return mask && !op_authority(t);
}

int64_t op_ppoll(struct thread *t, const uint64_t *arg)
{
	struct timeout o = { .address = arg[2] };
	int64_t r;

	if (mask_declines(t, arg[3]))
		return op_decline(t, 0);
	r = timeout_read(t, &o);
	if (r)
		return r;
	return timeout_end(t, &o, poll_run(t, arg, o.deadline, true, K_RESTART_NOHAND));
}

/* --- select ------------------------------------------------------------------------------- */

#define SELECT_IN 1u
#define SELECT_OUT 2u
#define SELECT_EXCEPT 4u

static const uint32_t select_bits[3] = {
	POLL_IN | POLLRDBAND | POLLHUP | POLLERR, POLL_OUT | POLLWRBAND | POLLERR, POLLPRI
};

/* The three bit sets, at most SELECT_WORDS words of each at a time. */
#define SELECT_WORDS 16

struct select {
	uint32_t n;		/* descriptors below this */
	uint32_t words;
	uint64_t set[3];	/* user addresses, 0: none */
	uint64_t *bits[3];	/* result, `words` each */
	uint64_t buffer[3 * SELECT_WORDS];
};

static int64_t select_begin(struct thread *t, struct select *s, const uint64_t *arg)
{
	uint32_t most = t->task->table->chunk_count * TABLE_CHUNK;
	uint64_t *bits = s->buffer;

	if ((int32_t)arg[0] < 0)
		return -EINVAL;
	s->n = (uint32_t)smaller((uint32_t)arg[0], most);
	s->words = (s->n + 63) / 64;
	if (s->words > SELECT_WORDS)
		bits = kmalloc(3 * s->words * sizeof(*bits));
	if (!bits)
		return -ENOMEM;
	memset(bits, 0, 3 * s->words * sizeof(*bits));
	for (unsigned i = 0; i < 3; i++) {
		s->set[i] = arg[1 + i];
		s->bits[i] = bits + i * s->words;
	}
	return 0;
}

static void select_end(struct select *s)
{
	if (s->bits[0] != s->buffer)
		kfree(s->bits[0]);
}

static int64_t select_write(struct thread *t, const struct select *s)
{
	for (unsigned i = 0; i < 3; i++) {
		int64_t r = s->set[i] ? user_write(t, s->set[i], s->bits[i],
						   s->words * sizeof(uint64_t)) :
					0;

		if (r)
			return r;
	}
	return 0;
}

/* Marks what is ready of what is wanted; returns how many bits that is. */
static int64_t select_mark(struct select *s, uint32_t fd, uint32_t wanted, uint32_t ready)
{
	int64_t marked = 0;

	for (unsigned i = 0; i < 3; i++) {
		if (!(wanted >> i & 1) || !(ready & select_bits[i]))
			continue;
		s->bits[i][fd / 64] |= 1ul << fd % 64;
		marked++;
	}
	return marked;
}

/* The wanted bits of word w. */
static int64_t select_words(struct thread *t, const struct select *s, uint32_t w, uint64_t *in)
{
	uint64_t mask = s->n - w * 64 < 64 ? (1ul << (s->n - w * 64)) - 1 : ~0ul;

	for (unsigned i = 0; i < 3; i++) {
		int64_t r = 0;

		in[i] = 0;
		if (s->set[i])
			r = user_read(t, &in[i], s->set[i] + w * sizeof(uint64_t),
				      sizeof(uint64_t));
		if (r)
			return r;
		in[i] &= mask;
	}
	return 0;
}

/* Goes through all wanted descriptors: looks (`into` NULL) or collects them. */
static int64_t select_scan(struct thread *t, struct select *s, struct look *l,
			   struct poll_set *into)
{
	for (uint32_t w = 0; w < s->words; w++) {
		struct source *source[DESCRIPTION_SOURCES];
		uint64_t in[3];
		int64_t r = select_words(t, s, w, in);

		if (r)
			return r;
		for (uint64_t all = in[0] | in[1] | in[2]; all; all &= all - 1) {
			unsigned bit = (unsigned)__builtin_ctzll(all);
			uint32_t fd = w * 64 + bit, wanted = 0, keys = 0;
			struct description *d = description_get(t, fd);

			if (!d)
				return -EBADF;
			if (d->flags & K_DESCRIPTION_PATH)
				continue;
			for (unsigned i = 0; i < 3; i++) {
				wanted |= (in[i] >> bit & 1) << i;
				keys |= in[i] >> bit & 1 ? select_bits[i] : 0;
			}
			if (into) {
				set_add(into, t, d, fd, wanted, keys);
				continue;
			}
			l->ready += select_mark(s, fd, wanted, description_ready(d));
			if (l->ready || !l->may_wait)
				continue;
			l->entries++;
			l->waiters += description_sources(d, source);
		}
	}
	return 0;
}

static int64_t select_block(struct thread *t, struct select *s, struct look *l, int64_t deadline)
{
	struct poll_set *set = set_create(l->entries, l->waiters);
	int64_t r;

	if (!set)
		return -ENOMEM;
	r = select_scan(t, s, l, set);
	if (r) {
		set_discard(set);
		return r;
	}
	set_adopt(t, set, deadline, true);
	return set_wait(t, K_RESTART_NOHAND);
}

static int64_t select_first(struct thread *t, struct select *s, int64_t deadline)
{
	struct look l = { .may_wait = deadline };
	int64_t r = select_scan(t, s, &l, NULL);

	if (r)
		return r;
	if (!l.ready && !passed(deadline))
		return select_block(t, s, &l, deadline);
	r = select_write(t, s);
	return r ? r : l.ready;
}

static int64_t select_again(struct thread *t, struct select *s)
{
	struct poll_set *set = t->progress.object;
	int64_t found = 0, r;
	bool go;

	for (uint32_t i = 0; i < set->entries; i++) {
		struct poll_entry *e = &set->entry[i];

		if (e->index < s->n)
			found += select_mark(s, e->index, e->events,
					     description_ready(e->description));
	}
	r = wait_outcome(t, found, K_RESTART_NOHAND, &go);
	if (go)
		return set_wait_again(t, K_RESTART_NOHAND);
	if (r >= 0) {
		int64_t w = select_write(t, s);

		if (w)
			return w;
	}
	return r;
}

static int64_t select_run(struct thread *t, const uint64_t *arg, struct timeout *o)
{
	struct select s;
	int64_t r = timeout_read(t, o);

	if (!r)
		r = select_begin(t, &s, arg);
	if (r)
		return r;
	r = t->progress.active ? select_again(t, &s) : select_first(t, &s, o->deadline);
	select_end(&s);
	return timeout_end(t, o, r);
}

int64_t op_select(struct thread *t, const uint64_t *arg)
{
	struct timeout o = { .address = arg[4], .micro = true };

	return select_run(t, arg, &o);
}

/* arg[5] points to the mask's address and size. */
int64_t op_pselect6(struct thread *t, const uint64_t *arg)
{
	struct timeout o = { .address = arg[4] };
	uint64_t mask[2] = { 0 };
	int64_t r = arg[5] && !op_authority(t) ? user_read(t, mask, arg[5], sizeof(mask)) : 0;

	if (r)
		return r;
	if (mask_declines(t, mask[0]))
		return op_decline(t, 0);
	return select_run(t, arg, &o);
}
