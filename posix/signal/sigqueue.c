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

static struct sigentry *entry_new(struct user *user)
{
	struct sigentry *e = calloc(1, sizeof *e);

	if (e && user) {
		e->user = user;
		user->signals++;
		user->references++;
	}
	return e;
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
	e->queue = NULL;
	return e;
}

static void entry_left(struct sigentry *e, struct lx_siginfo *info)
{
	if (e->left)
		e->left(e, info);
	else
		entry_free(e);
}

void sigqueue_remove(struct sigqueue *q, uint64_t set)
{
	struct sigentry **at = &q->first;

	while (*at) {
		if (set & LX_SIGBIT((*at)->info.signo))
			entry_left(entry_unlink(q, at), NULL);
		else
			at = &(*at)->next;
	}
	q->set &= ~set;
}

void sigqueue_clear(struct sigqueue *q)
{
	sigqueue_remove(q, ~0ull);
}

void sigqueue_add_entry(struct sigqueue *q, struct sigentry *e)
{
	q->set |= LX_SIGBIT(e->info.signo);
	e->queue = q;
	e->next = NULL;
	*q->last = e;
	q->last = &e->next;
}

int sigqueue_add(struct sigqueue *q, int sig, const struct lx_siginfo *info, struct user *user)
{
	struct sigentry *e;

	if (sig < LX_SIGRTMIN && (q->set & LX_SIGBIT(sig)))
		return 0;
	q->set |= LX_SIGBIT(sig);
	if (!info)
		return 0;
	e = entry_new(user);
	if (!e)
		return -ENOMEM;
	e->info = *info;
	e->info.signo = sig;
	sigqueue_add_entry(q, e);
	return 0;
}

void sigqueue_put_back(struct sigqueue *q, int sig, const struct lx_siginfo *info)
{
	struct sigentry *e = entry_new(NULL);

	q->set |= LX_SIGBIT(sig);
	if (!e)
		return;
	e->info = *info;
	e->info.signo = sig;
	e->queue = q;
	e->next = q->first;
	q->first = e;
	if (!e->next)
		q->last = &e->next;
}

/* --- entries that are kept -------------------------------------------------------------------- */

struct sigentry *sigentry_new(struct user *user,
			      void (*left)(struct sigentry *e, struct lx_siginfo *info),
			      void *owner)
{
	struct sigentry *e = entry_new(user);

	if (e) {
		e->left = left;
		e->owner = owner;
	}
	return e;
}

static bool is_queued(const struct sigqueue *q, int sig)
{
	for (const struct sigentry *e = q->first; e; e = e->next) {
		if (e->info.signo == sig)
			return true;
	}
	return false;
}

void sigentry_free(struct sigentry *e)
{
	struct sigqueue *q = e->queue;

	if (q) {
		struct sigentry **at = &q->first;

		while (*at != e)
			at = &(*at)->next;
		entry_unlink(q, at);
		if (!is_queued(q, e->info.signo))
			q->set &= ~LX_SIGBIT(e->info.signo);
	}
	entry_free(e);
}

/* --- taking ----------------------------------------------------------------------------------- */

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
		entry_left(e, info);
		for (e = *at; e && !more; e = e->next)
			more = e->info.signo == sig;
	}
	if (!more)
		q->set &= ~LX_SIGBIT(sig);
}
