/* SPDX-License-Identifier: MIT */
/*
 * Handle tables. A POSIX task's table is its descriptor table and holds descriptions only; a
 * server's holds whatever its manifest grants. Slots come in chunks, charged to the account of
 * whoever grows it.
 */
#ifndef TROUPE_CORE_HANDLE_H
#define TROUPE_CORE_HANDLE_H

#include <stdbool.h>
#include "core/list.h"
#include "core/object.h"
#include "core/thread.h"

struct account;
struct endpoint;

#define HANDLE_CLOEXEC 0x80000000u	/* in rights, beside K_RIGHT_* */

struct handle {
	struct object *object;	/* NULL: free */
	uint32_t rights;
	uint32_t badge;		/* endpoints */
};

#define TABLE_CHUNK 64
#define TABLE_MAX (1u << 20)

struct table {
	struct object object;
	struct account *account;
	/* the first chunk, or one of free slots: found without the directory */
	const struct handle *first;
	struct handle **chunk;	/* directory, chunk_count entries, each NULL or TABLE_CHUNK slots */
	uint32_t chunk_count;
	uint32_t lowest_free;	/* no free slot below this */
	uint32_t used;		/* handles */
	uint32_t limit;		/* RLIMIT_NOFILE of the last task_set; new slots must be below */
	/* close, dup2, dup3 decline (record locks); watcher hears when the table goes */
	bool watched;
	struct endpoint *watcher;
	struct notice gone;
};

/* cwd, root and umask: a second tiny table, shared by CLONE_FS */
struct fsctx {
	struct object object;
	struct object *cwd, *root;	/* descriptions or NULL */
	uint32_t umask;
};

extern uint64_t handle_count;	/* in all tables */

int table_create(struct account *a, struct table **out);
int table_copy(struct table *from, struct account *a, struct table **out);	/* fork */
/* NULL if not open. */
static inline struct handle *table_slot(struct table *t, uint64_t n)
{
	const struct handle *h;

	if (likely(n < TABLE_CHUNK))
		h = &t->first[n];
	else if (n / TABLE_CHUNK < t->chunk_count && t->chunk[n / TABLE_CHUNK])
		h = &t->chunk[n / TABLE_CHUNK][n % TABLE_CHUNK];
	else
		return NULL;
	return likely(h->object) ? (struct handle *)h : NULL;
}
/* Makes sure that slot can be filled (chunk exists): 0, EMFILE (>= limit), ENOMEM. */
int table_reserve(struct table *t, uint32_t slot);
/* Lowest free slot >= min, reserved (as table_reserve). Returns the slot or an error. */
int table_find_free(struct table *t, uint32_t min);
/*
 * Handles that are in no table, but on their way (attached to a call): o has a holder more, or one
 * less. With the last handle that may receive, an endpoint is abandoned; with the last one, a
 * thread that never started is undone.
 */
void handle_hold(struct object *o, uint32_t rights);
void handle_release(struct object *o, uint32_t rights);	/* the reference stays */
/* and puts the reference; NULL is allowed */
void handle_drop(struct object *o, uint32_t rights);
/* Fills a reserved slot; takes over the caller's reference to o. */
void table_set(struct table *t, uint32_t slot, struct object *o, uint32_t rights, uint32_t badge);
/* Empties the slot and returns the object with its reference (rights, badge optional), or NULL. */
struct object *table_take(struct table *t, uint32_t slot, uint32_t *rights, uint32_t *badge);
int table_close(struct table *t, uint64_t slot);	/* 0 or EBADF */
/* find + set; takes the reference on success */
int table_insert(struct table *t, struct object *o, uint32_t rights, uint32_t badge);
void table_close_on_exec(struct table *t);
/*
 * The object of the given type with all these rights: 0, EBADF, EINVAL, EPERM. No reference is
 * taken.
 */
int table_lookup(struct table *t, int64_t h, enum k_object_type type, uint32_t rights, void *out);

int fsctx_create(struct fsctx *copy_of, struct fsctx **out);

#endif
