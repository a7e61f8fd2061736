/* SPDX-License-Identifier: MIT */
/*
 * Readiness sources: see source.h. Those who wait for a source scan what they watch again when they are woken, so an
 * event carries no state and a spurious one does no harm.
 */
#include "data/source.h"
#include "data/linux.h"
#include "data/waitset.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "mm/kmalloc.h"

void source_init(struct source *s, uint32_t bits)
{
	s->bits = bits;
	s->pulses = 0;
	wait_queue_init(&s->pollers);
	list_init(&s->watches);
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

/* Descriptions count a reference, pollers and watches pin or follow a description: there can be none. */
void source_fini(struct source *s)
{
	ASSERT(list_empty(&s->pollers.waiters) && list_empty(&s->watches));
}

/* The first poller that wants one of the events. Waking it takes all its waiters out, so each search begins anew. */
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

void source_update(struct source *s, uint32_t set, uint32_t clear, bool pulse)
{
	uint32_t old = s->bits;
	uint32_t events;

	s->bits = bits_expand((old & ~bits_expand(clear)) | set);
	events = pulse ? s->bits : s->bits & ~old;
	if (events)
		source_notify(s, events);
}
