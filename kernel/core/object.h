/* SPDX-License-Identifier: MIT */
/*
 * Kernel objects: a type, a reference count and an id that is never reused.
 *
 * Every object that a handle can name embeds `struct object` . The kernel runs under one lock, so
 * counts are plain integers. When the last reference goes, the type's destroy function runs at
 * once.
 */
#ifndef TROUPE_CORE_OBJECT_H
#define TROUPE_CORE_OBJECT_H

#include <stdint.h>
#include "abi/native.h"
#include "lib/shape.h"

struct object {
	uint32_t references;
	uint32_t type;		/* enum k_object_type */
	uint64_t id;
};

extern uint64_t object_count[K_OBJECT_TYPES];	/* live objects by type */

/* Starts with one reference, the creator's. */
void object_init(struct object *o, enum k_object_type type);
static inline void object_get(struct object *o)
{
	o->references++;
}
RARELY void object_put(struct object *o);	/* may free it; NULL is allowed */
RARELY void object_end(struct object *o);
/* The same, inline, where it is nearly never the last one. */
static inline void object_unpin(struct object *o)
{
	if (unlikely(!--o->references))
		object_end(o);
}

/*
 * One per type, defined beside the type. Frees the object's memory; called with no references left.
 */
void space_destroy(struct object *o);
void table_destroy(struct object *o);
void fsctx_destroy(struct object *o);
void account_destroy(struct object *o);
void task_destroy(struct object *o);
void thread_destroy(struct object *o);
void mobject_destroy(struct object *o);
void endpoint_destroy(struct object *o);
void description_destroy(struct object *o);
void pipe_destroy(struct object *o);
void source_destroy(struct object *o);
void notification_destroy(struct object *o);
void irq_destroy(struct object *o);
void ioport_destroy(struct object *o);
void routes_destroy(struct object *o);

#endif
