/*
 * Pending signals.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/signal/sigqueue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "posix/proc/cred.h"

void sigqueue_init(struct sigqueue *q)
{
	q->set = 0;
	q->first = NULL;
	q->last = &q->first;
}

static void entry_free(struct sigentry *e)
{
	if (e->user) {
		e->user->signals--;
		user_put(e->user);
	}
	free(e);
}

/* Unlinks *at. */
static struct sigentry *entry_unlink(struct sigqueue *q, struct sigentry **at)
{
	struct sigentry *e = *at;

	*at = e->next;
	if (!e->next)
		q->last = at;
	return e;
}

void sigqueue_remove(struct sigqueue *q, uint64_t set)
{
	struct sigentry **at = &q->first;

	while (*at) {
		if (set & LX_SIGBIT((*at)->info.signo))
			entry_free(entry_unlink(q, at));
		else
			at = &(*at)->next;
	}
	q->set &= ~set;
}

void sigqueue_clear(struct sigqueue *q)
{
	sigqueue_remove(q, ~0ull);
}

int sigqueue_add(struct sigqueue *q, int sig, const struct lx_siginfo *info, struct user *user)
{
	struct sigentry *e;

	if (sig < LX_SIGRTMIN && (q->set & LX_SIGBIT(sig)))
		return 0;
	q->set |= LX_SIGBIT(sig);
	if (!info)
		return 0;
	e = malloc(sizeof *e);
	if (!e)
		return -ENOMEM;
	e->info = *info;
	e->info.signo = sig;
	e->next = NULL;
	e->user = user;
	if (user) {
		user->signals++;
		user->references++;
	}
	*q->last = e;
	q->last = &e->next;
	return 0;
}

int sigqueue_next(const struct sigqueue *q, uint64_t wanted)
{
	uint64_t set = q->set & wanted;

	if (!set)
		return 0;
	if (set & SIGSET_SYNCHRONOUS)
		set &= SIGSET_SYNCHRONOUS;
	return __builtin_ctzll(set) + 1;
}

void sigqueue_take(struct sigqueue *q, int sig, struct lx_siginfo *info)
{
	struct sigentry **at = &q->first;
	bool more = false;

	memset(info, 0, sizeof *info);
	info->signo = sig;
	info->code = LX_SI_USER;
	while (*at && (*at)->info.signo != sig)
		at = &(*at)->next;
	if (*at) {
		struct sigentry *e = entry_unlink(q, at);

		*info = e->info;
		entry_free(e);
		for (e = *at; e && !more; e = e->next)
			more = e->info.signo == sig;
	}
	if (!more)
		q->set &= ~LX_SIGBIT(sig);
}
