/* SPDX-License-Identifier: MIT */
/*
 * Readiness sources: see source.h. Those who wait for a source scan what they watch again when they
 * are woken, so an event carries no state and a spurious one does no harm.
 */
#include "data/source.h"
#include "data/description.h"
#include "data/linux.h"
#include "data/waitset.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "mm/kmalloc.h"

void source_init(struct source *s, uint32_t bits)
{
	s->bits = bits;
	s->decline = 0;
	s->pulses = 0;
	wait_queue_init(&s->pollers);
	list_init(&s->watches);
	list_init(&s->sockets);
}

int source_create(struct source **out)
{
	struct source *s = kzalloc(sizeof(*s));

	if (!s)
		return -ENOMEM;
	object_init(&s->object, K_OBJECT_SOURCE);
	source_init(s, 0);
	*out = s;
	return 0;
}

void source_destroy(struct object *o)
{
	struct source *s = source_of(o);

	source_fini(s);
	kfree(s);
}

#define SOURCE_BITS 0xffffu	/* what poll can report */
#define SOURCE_READ (K_SOURCE_DECLINE_READ | K_SOURCE_CALLS_READ)
#define SOURCE_WRITE (K_SOURCE_DECLINE_WRITE | K_SOURCE_CALLS_WRITE)
#define SOURCE_DECLINE (SOURCE_READ | SOURCE_WRITE | K_SOURCE_CALLS_CLOSE)

/*
 * Descriptions count a reference, pollers and watches pin or follow a description: there can be
 * none.
 */
void source_fini(struct source *s)
{
	ASSERT(list_empty(&s->pollers.waiters) && list_empty(&s->watches) &&
	       list_empty(&s->sockets));
}

/*
 * The first poller that wants one of the events. Waking it takes all its waiters out, so each
 * search begins anew.
 */
static struct thread *poller_find(struct source *s, uint32_t events)
{
	list_for(it, &s->pollers.waiters) {
		struct waiter *w = container_of(it, struct waiter, node);

		if (w->key & events)
			return w->thread;
	}
	return NULL;
}

void source_events(struct source *s, uint32_t events)
{
	struct thread *t;

	s->pulses++;
	while ((t = poller_find(s, events)))
		thread_wake(t);
	waitset_events(&s->watches, events);
}

/* A server sets the plain bits; POLLRDNORM and POLLWRNORM go with POLLIN and POLLOUT. */
static uint32_t bits_expand(uint32_t bits)
{
	return bits | (bits & POLLIN ? POLLRDNORM : 0) | (bits & POLLOUT ? POLLWRNORM : 0);
}

bool source_declines(const struct source *s, uint32_t direction)
{
	return s && (s->decline & (direction & SOURCE_READ ? SOURCE_READ : SOURCE_WRITE) ||
		     s->bits & POLLERR);
}

/* Threads that wait in the pipes of these directions run again, and decline. */
static void sockets_rerun(struct source *s, uint32_t directions)
{
	list_for(it, &s->sockets) {
		struct description *d = container_of(it, struct description, source_link);

		if (directions & SOURCE_READ)
			pipe_rerun_readers(d->pipe);
		if (directions & SOURCE_WRITE)
			pipe_rerun_writers(d->pipe2);
	}
}

/*
 * A direction that is declined from now on can only be less ready, and who polls for it is none the
 * wiser; one that comes back may be ready by its pipe: whoever wants that looks again.
 */
static uint32_t decline_update(struct source *s, uint32_t set, uint32_t clear)
{
	uint32_t old = s->decline, gone;

	s->decline = ((old & ~clear) | set) & SOURCE_DECLINE;
	gone = old & ~s->decline;
	if (s->decline & ~old)
		sockets_rerun(s, s->decline & ~old);
	return (gone & K_SOURCE_DECLINE_READ ? POLL_IN | POLLRDHUP : 0) |
	       (gone & K_SOURCE_DECLINE_WRITE ? POLL_OUT : 0) |
	       (gone & (K_SOURCE_DECLINE_READ | K_SOURCE_DECLINE_WRITE) ? POLLHUP : 0);
}

void source_update(struct source *s, uint32_t set, uint32_t clear, bool pulse)
{
	uint32_t old = s->bits;
	uint32_t events = 0;

	if ((set | clear) & SOURCE_DECLINE)
		events = decline_update(s, set, clear);
	s->bits = bits_expand((old & ~bits_expand(clear)) | set) & SOURCE_BITS;
	if (s->bits & ~old & POLLERR)
		sockets_rerun(s, SOURCE_DECLINE);
	events |= pulse ? s->bits : s->bits & ~old;
	if (events)
		source_notify(s, events);
}
