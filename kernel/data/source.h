/* SPDX-License-Identifier: MIT */
/*
 * Readiness sources: level bits (poll's) and a pulse counter, shared by many descriptions.
 * Waiters register, test, block; after a wake they scan again.
 */
#ifndef TROUPE_DATA_SOURCE_H
#define TROUPE_DATA_SOURCE_H

#include "core/thread.h"

struct source {
	struct object object;
	uint32_t bits;		/* POLLIN ... */
	/* K_SOURCE_DECLINE_*, K_SOURCE_CALLS_*: never among what is reported */
	uint32_t decline;
	uint32_t pulses;	/* counts events; an edge-triggered watcher compares it */
	struct wait_queue pollers;	/* waiter.key = wanted events */
	struct list watches;	/* epoll members */
	/* descriptions with a socket plane whose source it is (description.source_link) */
	struct list sockets;
};

/* for embedding (pipes): its object is not initialised */
void source_init(struct source *s, uint32_t bits);
int source_create(struct source **out);
static inline struct source *source_of(struct object *o)
{
	return container_of(o, struct source, object);
}
/*
 * level bits = (bits & ~clear) | set; waiters hear of bits that came, with `pulse` of all that are
 * set. K_SOURCE_* among them: abi/native.h.
 */
void source_update(struct source *s, uint32_t set, uint32_t clear, bool pulse);
/* Tells whoever wants one of these events that they happened; the bits are not touched. */
void source_events(struct source *s, uint32_t events);
static inline void source_notify(struct source *s, uint32_t events)
{
	if (!list_empty(&s->pollers.waiters) || !list_empty(&s->watches))
		source_events(s, events);
}
/* Are calls of this direction (one of K_SOURCE_DECLINE_*) to go to the server? s may be NULL. */
bool source_declines(const struct source *s, uint32_t direction);
/* The owner goes away; nobody watches it any more. */
void source_fini(struct source *s);

#endif
