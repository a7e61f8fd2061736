/*
 * The caller's memory, as handlers use it: 0 or a negative errno.
 *
 * -K_REDELIVER and -ESRCH mean that the call is not held any more (it comes again, or its thread
 * died): the handler must have changed nothing and must not answer. caller_answer() does the right
 * thing with every result.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_CALLER_H
#define POSIX_CALLER_H

#include <errno.h>

#include "posix/proc/process.h"

static inline int caller_read(const struct k_message *m, void *to, uint64_t from, size_t n)
{
	return n ? (int)k_caller_read(grants.endpoint, m->call, to, from, n) : 0;
}

static inline int caller_write(const struct k_message *m, uint64_t to, const void *from, size_t n)
{
	return n ? (int)k_caller_write(grants.endpoint, m->call, to, from, n) : 0;
}

/*
 * Is this the result of a call that is gone? -ESRCH from a caller_* function only: not a call's own
 * result.
 */
static inline bool caller_is_gone(int r)
{
	return r == -K_REDELIVER || r == -ESRCH;
}

/*
 * Answers, unless the call went away underneath. (An answer with ESRCH to a dead caller is refused
 * by the kernel and does no harm.)
 */
static inline void caller_answer(const struct k_message *m, int64_t result)
{
	if (result != -K_REDELIVER)
		srv_answer(m->call, result);
}

#endif
