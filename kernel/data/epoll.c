/* SPDX-License-Identifier: MIT */
/*
 * epoll: wait sets and the calls on them.
 *
 * A member is in three kinds of lists: its wait set's, its description's (so that it can go with
 * it), and one watch in each of the description's sources. An event of a source puts the member
 * into the ready list, a wait looks at each listed member's real readiness: level-triggered members
 * stay listed while they are ready, edge-triggered and one-shot ones leave. The invariant: a member
 * that is ready, and was not reported since if it is edge-triggered, is listed.
 *
 * A wait set is itself a source, so wait sets can be watched by wait sets; `marks` keep events and
 * searches from visiting one twice, NEST_MAX bounds the depth of recursion.
 */
#include "core/ops.h"
#include "data/linux.h"
#include "data/operation.h"
#include "data/source.h"
#include "data/waitset.h"
#include "lib/errno.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"

#define NEST_MAX 5u	/* wait sets in a chain */
#define NEST_LEAF_MAX 5u	/* above a description that is none */
#define EPOLL_PRIVATE (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
#define EXCLUSIVE_MAY                                                                              \
	(POLL_IN | POLL_OUT | POLLERR | POLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

struct waitset {
	struct description *owner;
	struct list members;
	struct list ready;
	struct wait_queue waiters;
	struct source source;
	uint64_t mark;		/* of the last event that came by */
	uint64_t search;	/* the last search that came by, and what it found */
	unsigned depth;
};

struct watch {
	struct list link;	/* source->watches */
	struct member *member;
};

struct member {
	struct waitset *set;
	struct description *target;
	struct list set_link, target_link;
	struct list ready_link;
	uint32_t fd;
	uint32_t events;	/* without bits: disarmed (one-shot) */
	uint64_t data;
	struct watch watch[DESCRIPTION_SOURCES];
};

static uint64_t last_mark;

int waitset_create(struct description *owner, struct waitset **out)
{
	struct waitset *w = kzalloc(sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->owner = owner;
	list_init(&w->members);
	list_init(&w->ready);
	wait_queue_init(&w->waiters);
	source_init(&w->source, 0);
	*out = w;
	return 0;
}

static void member_free(struct member *m)
{
	for (unsigned i = 0; i < DESCRIPTION_SOURCES; i++)
		list_remove(&m->watch[i].link);
	list_remove(&m->set_link);
	list_remove(&m->target_link);
	list_remove(&m->ready_link);
	kfree(m);
}

void waitset_destroy(struct waitset *w)
{
	while (!list_empty(&w->members))
		member_free(list_first(&w->members, struct member, set_link));
	source_fini(&w->source);
	kfree(w);
}

void waitset_forget(struct description *d)
{
	while (!list_empty(&d->watches))
		member_free(list_first(&d->watches, struct member, target_link));
}

struct source *waitset_source(struct waitset *w)
{
	return &w->source;
}

void waitset_pass(struct waitset *w)
{
	if (!list_empty(&w->ready) && !list_empty(&w->waiters.waiters))
		wait_queue_wake(&w->waiters, 1);
}

/* --- events ------------------------------------------------------------------------------- */

static uint32_t member_ready(const struct member *m)
{
	return m->events & ~EPOLL_PRIVATE ? description_ready(m->target) & m->events : 0;
}

/* The member is listed; those who wait for its set hear of it, through all levels of sets. */
static void member_event(struct member *m, uint64_t mark)
{
	struct waitset *w = m->set;

	if (list_empty(&m->ready_link))
		list_append(&w->ready, &m->ready_link);
	if (w->mark == mark)
		return;
	w->mark = mark;
	if (!list_empty(&w->waiters.waiters))
		wait_queue_wake(&w->waiters, 1);
	source_notify(&w->source, POLL_IN);
}

/* Events inside of events keep the mark of the first, which was set by the outermost call. */
void waitset_events(struct list *watches, uint32_t events)
{
	static unsigned depth;

	if (list_empty(watches))
		return;
	if (!depth++)
		last_mark++;
	list_for(it, watches) {
		struct member *m = container_of(it, struct watch, link)->member;

		if (m->events & ~EPOLL_PRIVATE & events)
			member_event(m, last_mark);
	}
	depth--;
}

uint32_t waitset_ready(struct waitset *w)
{
	list_for_safe(it, &w->ready) {
		struct member *m = container_of(it, struct member, ready_link);

		if (member_ready(m))
			return POLL_IN;
		list_remove(&m->ready_link);
	}
	return 0;
}

/* --- nesting ------------------------------------------------------------------------------ */

/*
 * Wait sets in the longest chain down from w, w included; NEST_MAX + 1 stands for too many, or for
 * reaching `avoid`. Each search visits a set once.
 */
static unsigned depth_below(struct waitset *w, const struct waitset *avoid, uint64_t search,
			    unsigned level)
{
	unsigned deepest = 0;

	if (w == avoid || level > NEST_MAX)
		return NEST_MAX + 1;
	if (w->search == search)
		return w->depth;
	list_for(it, &w->members) {
		struct description *d = container_of(it, struct member, set_link)->target;
		unsigned below = d->plane == K_PLANE_WAITSET ?
					 depth_below(d->waitset, avoid, search, level + 1) :
					 0;

		if (below > deepest)
			deepest = below;
		if (deepest > NEST_MAX)
			return deepest;
	}
	w->search = search;
	w->depth = deepest + 1;
	return w->depth;
}

/* The longest chain up from w, w included. */
static unsigned depth_above(struct waitset *w, uint64_t search)
{
	unsigned highest = 0;

	if (w->search == search)
		return w->depth;
	list_for(it, &w->owner->watches) {
		unsigned above =
			depth_above(container_of(it, struct member, target_link)->set, search);

		if (above > highest)
			highest = above;
	}
	w->search = search;
	w->depth = highest + 1;
	return w->depth;
}

static int nesting_check(struct waitset *w, struct description *target)
{
	unsigned below;

	if (target->plane != K_PLANE_WAITSET)
		return depth_above(w, ++last_mark) > NEST_LEAF_MAX ? -EINVAL : 0;
	below = depth_below(target->waitset, w, ++last_mark, 1);
	return below + depth_above(w, ++last_mark) > NEST_MAX ? -ELOOP : 0;
}

/* --- epoll_ctl ---------------------------------------------------------------------------- */

static struct member *member_find(struct waitset *w, struct description *d, uint32_t fd)
{
	list_for(it, &d->watches) {
		struct member *m = container_of(it, struct member, target_link);

		if (m->set == w && m->fd == fd)
			return m;
	}
	return NULL;
}

/* New or changed: it may be ready already. */
static void member_check(struct member *m)
{
	if (member_ready(m))
		member_event(m, ++last_mark);
}

static int64_t member_add(struct waitset *w, struct description *d, uint32_t fd,
			  const struct epoll_event *e)
{
	struct source *source[DESCRIPTION_SOURCES];
	unsigned n = description_sources(d, source);
	struct member *m;
	int r = nesting_check(w, d);

	if (r)
		return r;
	m = kzalloc(sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->set = w;
	m->target = d;
	m->fd = fd;
	m->events = e->events | POLLERR | POLLHUP;
	m->data = e->data;
	list_init(&m->ready_link);
	list_append(&w->members, &m->set_link);
	list_append(&d->watches, &m->target_link);
	for (unsigned i = 0; i < DESCRIPTION_SOURCES; i++) {
		m->watch[i].member = m;
		list_init(&m->watch[i].link);
		if (i < n)
			list_append(&source[i]->watches, &m->watch[i].link);
	}
	member_check(m);
	return 0;
}

static int64_t member_modify(struct member *m, const struct epoll_event *e)
{
	if (m->events & EPOLLEXCLUSIVE)
		return -EINVAL;
	m->events = e->events | POLLERR | POLLHUP;
	m->data = e->data;
	member_check(m);
	return 0;
}

static bool exclusive_is_wrong(int op, const struct epoll_event *e, const struct description *d)
{
	if (op == EPOLL_CTL_DEL || !(e->events & EPOLLEXCLUSIVE))
		return false;
	return op == EPOLL_CTL_MOD || d->plane == K_PLANE_WAITSET || e->events & ~EXCLUSIVE_MAY;
}

int64_t op_epoll_ctl(struct thread *t, const uint64_t *arg)
{
	int op = (int)arg[1];
	uint32_t fd = (uint32_t)arg[2];
	struct epoll_event e = { 0 };
	struct description *set, *d;
	struct member *m;
	int64_t r = op == EPOLL_CTL_DEL ? 0 : user_read(t, &e, arg[3], sizeof(e));

	if (r)
		return r;
	set = description_get(t, arg[0]);
	d = description_get(t, fd);
	if (!set || !d || (set->flags | d->flags) & K_DESCRIPTION_PATH)
		return -EBADF;
	if (!description_pollable(d))
		return -EPERM;
	if (set == d || set->plane != K_PLANE_WAITSET || exclusive_is_wrong(op, &e, d))
		return -EINVAL;
	m = member_find(set->waitset, d, fd);
	switch (op) {
	case EPOLL_CTL_ADD:
		return m ? -EEXIST : member_add(set->waitset, d, fd, &e);
	case EPOLL_CTL_MOD:
		return m ? member_modify(m, &e) : -ENOENT;
	case EPOLL_CTL_DEL:
		if (!m)
			return -ENOENT;
		member_free(m);
		return 0;
	default:
		return -EINVAL;
	}
}

/* --- epoll_wait --------------------------------------------------------------------------- */

#define BATCH 32
#define REPORT_MAX 600	/* two pages can be prepared */

/*
 * Takes members off the head of the ready list, up to and with `*last` (NULL: none are left), until
 * one is really ready. What is reported and listed again comes behind `last`.
 */
static struct member *ready_next(struct waitset *w, struct list **last, uint32_t *events)
{
	while (*last) {
		struct member *m = list_first(&w->ready, struct member, ready_link);

		if (&m->ready_link == *last)
			*last = NULL;
		list_remove(&m->ready_link);
		*events = member_ready(m);
		if (*events)
			return m;
	}
	return NULL;
}

/* A member was reported: who stays in the list goes to its end. */
static void member_reported(struct member *m)
{
	if (m->events & EPOLLONESHOT)
		m->events &= EPOLL_PRIVATE;
	else if (!(m->events & EPOLLET))
		list_append(&m->set->ready, &m->ready_link);
}

/* Reports up to `max` ready members: how many, or an error with nothing taken. */
static int64_t report_batch(struct thread *t, struct waitset *w, uint64_t to, uint32_t max,
			    struct list **last)
{
	struct epoll_event e[BATCH];
	struct member *m, *taken[BATCH];
	uint32_t n = 0, events;
	int64_t r;

	while (n < max && n < BATCH && (m = ready_next(w, last, &events))) {
		e[n].events = events;
		e[n].data = m->data;
		taken[n++] = m;
	}
	r = n ? user_write(t, to, e, n * sizeof(e[0])) : 0;
	for (uint32_t i = 0; i < n && !r; i++)
		member_reported(taken[i]);
	for (uint32_t i = n; i && r; i--)
		list_prepend(&w->ready, &taken[i - 1]->ready_link);
	return r ? r : n;
}

static bool exceeds_batch(const struct waitset *w)
{
	unsigned n = 0;

	list_for(it, &w->ready)
		if (++n > BATCH)
			return true;
	return false;
}

/*
 * More than a batch is reported only where writing cannot fail: an event that has been taken must
 * arrive.
 */
static int64_t report(struct thread *t, struct waitset *w, uint64_t to, uint32_t max)
{
	struct list *last = w->ready.prev;
	uint32_t done = 0;
	int64_t r;

	if (list_empty(&w->ready))
		return 0;
	max = (uint32_t)smaller(max, REPORT_MAX);
	if (max > BATCH && exceeds_batch(w)) {
		r = user_prepare_write(t, to, max * sizeof(struct epoll_event));
		if (op_result_is_special(r))
			return r;
		if (r)
			max = BATCH;
	} else {
		max = (uint32_t)smaller(max, BATCH);
	}
	do {
		r = report_batch(t, w, to + done * sizeof(struct epoll_event), max - done, &last);
		done += r > 0 ? (uint32_t)r : 0;
	} while (r > 0 && done < max);
	return done ? done : r;
}

static int64_t waitset_wait(struct thread *t, struct description *d, uint64_t to, uint32_t max,
			    int32_t ms)
{
	struct waitset *w = d->waitset;
	struct progress *p = &t->progress;
	int64_t r = report(t, w, to, max);

	if (!r) {
		if (!ms || (p->active && p->deadline != K_FOREVER && time_now() >= p->deadline))
			return 0;
	} else if (!op_result_is_special(r)) {
		waitset_pass(w);
		return r;
	}
	if (!p->active)
		op_pin(t, d, ms < 0 ? K_FOREVER : deadline_after((int64_t)ms * 1000000));
	return r ? r : wait_on(t, &w->waiters, K_WAIT_POLL, EINTR);
}

int64_t op_epoll_wait(struct thread *t, const uint64_t *arg)
{
	int32_t max = (int32_t)arg[2];
	struct description *d;

	if (max <= 0 || max > INT32_MAX / (int32_t)sizeof(struct epoll_event))
		return -EINVAL;
	if (!user_range_valid(arg[1], (uint64_t)max * sizeof(struct epoll_event)))
		return -EFAULT;
	d = op_description(t, arg[0]);
	if (!d || d->flags & K_DESCRIPTION_PATH)
		return -EBADF;
	if (d->plane != K_PLANE_WAITSET)
		return -EINVAL;
	return waitset_wait(t, d, arg[1], (uint32_t)max, (int32_t)arg[3]);
}

int64_t op_epoll_pwait(struct thread *t, const uint64_t *arg)
{
	if (arg[4] && !op_authority(t))
		return op_decline(t, 0);
	return op_epoll_wait(t, arg);
}
