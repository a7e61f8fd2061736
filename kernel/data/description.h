/* SPDX-License-Identifier: MIT */
/*
 * Descriptions: open file descriptions. The endpoint that serves it, the server's cookie, status
 * flags, readiness and, optionally, a data plane that read and write use without the server.
 */
#ifndef TROUPE_DATA_DESCRIPTION_H
#define TROUPE_DATA_DESCRIPTION_H

#include "core/endpoint.h"
#include "core/handle.h"
#include "data/pipe.h"
#include "mm/mobject.h"

struct waitset;

#define DESCRIPTION_READ	1u	/* description.access */
#define DESCRIPTION_WRITE	2u

struct description {
	struct object object;
	struct endpoint *endpoint;	/* [I] counted */
	/* endpoint->descriptions; after the last handle: endpoint->closes */
	struct list endpoint_link;
	uint64_t cookie;		/* [I] */
	uint32_t status;		/* O_ flags as F_GETFL */
	uint32_t decline;		/* K_DECLINE_* */
	uint8_t plane;			/* [I] enum k_plane */
	uint8_t flags;			/* [I] K_DESCRIPTION_* */
	uint8_t access;			/* [I] DESCRIPTION_*, from the access mode; 0 for O_PATH */
	uint32_t writers_seen;		/* [I] FIFO: no hang-up before a writer has come and gone */
	uint64_t offset;
	struct thread *offset_owner;	/* a read or write that moves the offset is under way */
	struct wait_queue offset_waiters;
	union {				/* [I] by plane, counted */
		struct mobject *mobject;
		struct { struct pipe *pipe, *pipe2; };
		struct waitset *waitset;
	};
	struct source *source;		/* [I] counted; NULL: the plane's own or always ready */
	struct list source_link;	/* source->sockets, with a socket plane */
	struct list watches;		/* epoll members that watch this description */
};

static inline struct description *description_of(struct object *o)
{
	return container_of(o, struct description, object);
}

/* The objects are already looked up; the description takes its own references. */
int description_create(struct endpoint *e, const struct k_description *d, struct object *object,
		       struct object *object2, struct source *source, struct description **out);
/* Frees one whose close notice has been delivered (or needs none). */
void description_free(struct description *d);
/*
 * Of a socket plane: both its pipes have lost their other end, and what it wrote was not all read.
 */
bool description_reset(const struct description *d);
/* Current readiness, poll bits. */
uint32_t description_ready(struct description *d);
/* The descriptor n (its low 32 bits count, as on Linux) of t's table, or NULL. */
static inline struct description *description_get(struct thread *t, uint64_t n)
{
	struct handle *h = table_slot(t->task->table, (uint32_t)n);

	return h && h->object->type == K_OBJECT_DESCRIPTION ? description_of(h->object) : NULL;
}
/*
 * The sources whose events can change its readiness; returns how many. None: readiness never
 * changes.
 */
#define DESCRIPTION_SOURCES 3
unsigned description_sources(struct description *d, struct source **out);
/* False for what epoll refuses: regular files, directories, /dev/null. */
bool description_pollable(const struct description *d);

#endif
