/* SPDX-License-Identifier: MIT */
/*
 * Native calls: one function per line of abi/native.def. t is the current thread, a its arguments.
 */
#ifndef TROUPE_CORE_NATIVE_H
#define TROUPE_CORE_NATIVE_H

#include "core/endpoint.h"
#include "core/handle.h"
#include "core/task.h"
#include "core/thread.h"

typedef int64_t native_function(struct thread *t, const uint64_t *a);

#define X(name, args) native_function native_##name;
#include "abi/native.def"
#undef X

/* native_receive() where it is a new call, not one that runs again. */
native_function native_receive_begin;

/* Looks a handle of the current task up; `out` is a struct object **. */
static inline int native_lookup(struct thread *t, uint64_t h, enum k_object_type type,
				uint32_t rights, struct object **out)
{
	return table_lookup(t->task->table, (int32_t)h, type, rights, out);
}

/* Endpoint handle in a[0] with these rights, and the call in a[1] that it holds. */
int native_caller(struct thread *t, const uint64_t *a, uint32_t rights, struct endpoint **e,
		  struct thread **caller);
/*
 * Gives a new object to the current task: its handle, or an error, and then the object is dropped.
 */
int64_t native_give(struct thread *t, struct object *o, uint32_t rights);

#endif
