/* SPDX-License-Identifier: MIT */
/*
 * What the kernel operations on descriptions share: lookup, pinning while blocked, declining,
 * deadlines.
 */
#ifndef TROUPE_DATA_OPERATION_H
#define TROUPE_DATA_OPERATION_H

#include "core/task.h"
#include "data/description.h"
#include "mm/space.h"

static inline uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline bool user_range_valid(uint64_t address, uint64_t size)
{
	return size <= USER_END && address <= USER_END - size;
}

/* A server has looked at this call and sent the caller here: decline masks do not count again. */
static inline bool op_authority(const struct thread *t)
{
	return t->flags & THREAD_AUTHORITY;
}

static inline int64_t op_decline(struct thread *t, int reason)
{
	t->progress.reason = reason;
	return OP_DECLINE;
}

/*
 * The description that the operation is about: the one it began with if it runs again; the one that
 * a server saw if it was forwarded as it came; else what the descriptor says. NULL: not open.
 */
static inline struct description *op_description(struct thread *t, uint64_t fd)
{
	if (t->progress.active)
		return t->progress.object;
	if (t->call_fd && (t->flags & (THREAD_AUTHORITY | THREAD_ARGS)) == THREAD_AUTHORITY)
		return description_of(t->call_fd);
	return description_get(t, fd);
}

/*
 * Before an operation that will run again returns: it keeps its description, whatever becomes of
 * the descriptor. Undone by the end of the call, which also gives up what the operation owns
 * (offset, append) and passes on a wake-up that it did not use.
 */
void op_pin(struct thread *t, struct description *d, int64_t deadline);

/* For `return op_leave(...)` of reads, writes and seeks: pins if the operation is to run again. */
static inline int64_t op_leave(struct thread *t, struct description *d, int64_t r)
{
	if (op_result_is_special(r) && r != OP_DECLINE) {
		if (!t->progress.active)
			op_pin(t, d, K_FOREVER);
		t->progress.finish_on_interrupt = true;
	}
	return r;
}

/*
 * A signal stopped the operation between its runs: its result. What it owns and what it may have
 * been woken for goes to others, for it may be long before it runs again.
 */
int64_t op_interrupted(struct thread *t, struct description *d);

/* progress.aux of operations on descriptions */
enum { AUX_APPEND_BASE, AUX_APPENDING, AUX_START };

/*
 * A socket whose source sends this direction (K_SOURCE_DECLINE_*) to its server: OP_DECLINE, or
 * what the call has moved, if something. 0: the pipe is meant, or d is no socket. A server that
 * forwards a call that has declined means it, too.
 */
int64_t op_socket_declines(struct thread *t, struct description *d, uint32_t direction);

struct timespec;
/* A user timespec as nanoseconds (saturating): 0, EFAULT, EINVAL, OP_*. */
int64_t timespec_read(struct thread *t, uint64_t from, int64_t *ns);
/* now + ns, saturating; never 0, which means no deadline. */
int64_t deadline_after(int64_t ns);
/* An absolute CLOCK_REALTIME or CLOCK_MONOTONIC time as a deadline. */
int64_t deadline_at(int64_t ns, bool realtime);

#endif
