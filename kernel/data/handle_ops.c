/* SPDX-License-Identifier: MIT */
/*
 * Operations on descriptors: close, dup, fcntl.
 *
 * Whoever must know before a descriptor goes (record locks: a watched table; K_DECLINE_CLOSE;
 * K_SOURCE_CALLS_CLOSE) gets the call instead.
 */
#include "core/ops.h"
#include "data/linux.h"
#include "data/operation.h"
#include "lib/errno.h"

/* Descriptor n may be closed here. */
static bool close_is_ours(struct thread *t, uint32_t n)
{
	struct table *table = t->task->table;
	struct description *d;
	struct handle *h;

	if (op_authority(t))
		return true;
	h = table_slot(table, n);
	if (!h || h->object->type != K_OBJECT_DESCRIPTION)
		return true;
	d = description_of(h->object);
	if (d->plane == K_PLANE_SOCKET && d->source && d->source->decline & K_SOURCE_CALLS_CLOSE)
		return false;
	return !table->watched && !(d->decline & K_DECLINE_CLOSE);
}

int64_t op_close(struct thread *t, const uint64_t *arg)
{
	uint32_t n = (uint32_t)arg[0];

	if (!close_is_ours(t, n))
		return op_decline(t, 0);
	return table_close(t->task->table, n);
}

/* A second handle in a slot that is reserved. */
static int64_t handle_copy(struct table *table, uint32_t from, uint32_t to, bool cloexec)
{
	struct handle *h = table_slot(table, from);

	object_get(h->object);
	table_set(table, to, h->object,
		  (h->rights & ~HANDLE_CLOEXEC) | (cloexec ? HANDLE_CLOEXEC : 0), h->badge);
	return to;
}

static int64_t dup_lowest(struct thread *t, uint32_t from, uint32_t min, bool cloexec)
{
	struct table *table = t->task->table;
	int slot;

	if (!table_slot(table, from))
		return -EBADF;
	slot = table_find_free(table, min);
	return slot < 0 ? slot : handle_copy(table, from, (uint32_t)slot, cloexec);
}

int64_t op_dup(struct thread *t, const uint64_t *arg)
{
	return dup_lowest(t, (uint32_t)arg[0], 0, false);
}

static int64_t dup_to(struct thread *t, uint32_t from, uint32_t to, bool cloexec)
{
	struct table *table = t->task->table;
	int r;

	if (to >= table->limit || !table_slot(table, from))
		return -EBADF;
	if (!close_is_ours(t, to))
		return op_decline(t, 0);
	r = table_reserve(table, to);
	if (r)
		return r == -EMFILE ? -EBADF : r;
	return handle_copy(table, from, to, cloexec);
}

int64_t op_dup2(struct thread *t, const uint64_t *arg)
{
	uint32_t from = (uint32_t)arg[0], to = (uint32_t)arg[1];

	if (from == to)
		return table_slot(t->task->table, from) ? (int64_t)to : -EBADF;
	return dup_to(t, from, to, false);
}

int64_t op_dup3(struct thread *t, const uint64_t *arg)
{
	uint32_t from = (uint32_t)arg[0], to = (uint32_t)arg[1], flags = (uint32_t)arg[2];

	if (flags & ~O_CLOEXEC || from == to)
		return -EINVAL;
	return dup_to(t, from, to, flags & O_CLOEXEC);
}

/* --- fcntl -------------------------------------------------------------------------------- */

#define SETFL_HERE (O_APPEND | O_NONBLOCK)
#define SETFL_POLICY (O_DIRECT | O_NOATIME | O_ASYNC)	/* their change is the server's business */

static int64_t status_set(struct thread *t, struct description *d, uint32_t flags)
{
	uint32_t mask = SETFL_HERE;

	if (op_authority(t))
		mask |= SETFL_POLICY;
	else if ((flags ^ d->status) & SETFL_POLICY)
		return op_decline(t, 0);
	d->status = (d->status & ~mask) | (flags & mask);
	return 0;
}

static int64_t fcntl_pipe(struct description *d, uint32_t command, uint64_t value)
{
	int r;

	if (d->plane != K_PLANE_PIPE_READ && d->plane != K_PLANE_PIPE_WRITE &&
	    d->plane != K_PLANE_PIPE_BOTH)
		return -EBADF;
	r = command == F_SETPIPE_SZ ? pipe_resize(d->pipe, (uint32_t)value) : 0;
	return r ? r : (int64_t)pipe_capacity(d->pipe);
}

int64_t op_fcntl(struct thread *t, const uint64_t *arg)
{
	struct handle *h = table_slot(t->task->table, (uint32_t)arg[0]);
	struct description *d = description_get(t, arg[0]);
	uint32_t command = (uint32_t)arg[1];

	if (!d)
		return -EBADF;
	switch (command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if ((uint32_t)arg[2] >= t->task->table->limit)
			return -EINVAL;
		return dup_lowest(t, (uint32_t)arg[0], (uint32_t)arg[2],
				  command == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return h->rights & HANDLE_CLOEXEC ? FD_CLOEXEC : 0;
	case F_SETFD:
		h->rights =
			(h->rights & ~HANDLE_CLOEXEC) | (arg[2] & FD_CLOEXEC ? HANDLE_CLOEXEC : 0);
		return 0;
	case F_GETFL:
		return d->status;
	}
	if (d->flags & K_DESCRIPTION_PATH)
		return -EBADF;
	if (command == F_SETFL)
		return status_set(t, d, (uint32_t)arg[2]);
	if (command == F_SETPIPE_SZ || command == F_GETPIPE_SZ)
		return fcntl_pipe(d, command, arg[2]);
	return op_decline(t, 0);
}

/* --- close_range -------------------------------------------------------------------------- */

int64_t op_close_range(struct thread *t, const uint64_t *arg)
{
	struct table *table = t->task->table;
	uint64_t first = (uint32_t)arg[0], last = (uint32_t)arg[1],
		 end = (uint64_t)table->chunk_count * TABLE_CHUNK;
	uint32_t flags = (uint32_t)arg[2];

	if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last)
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE)
		return op_decline(t, 0);
	end = smaller(end, last + 1);
	for (uint64_t n = first; n < end && !(flags & CLOSE_RANGE_CLOEXEC); n++)
		if (!close_is_ours(t, (uint32_t)n))
			return op_decline(t, 0);
	for (uint64_t n = first; n < end; n++) {
		struct handle *h = table_slot(table, n);

		if (!h)
			continue;
		if (flags & CLOSE_RANGE_CLOEXEC)
			h->rights |= HANDLE_CLOEXEC;
		else
			table_close(table, n);
	}
	return 0;
}
