/*
 * Pending signals: a set, and what is known about each (siginfo), in the order of sending for the
 * same number.
 *
 * A standard signal is pending once at most; a real-time signal as often as it was sent. An entry
 * without its siginfo (the sender's limit or memory was exhausted) is in the set alone and reads as
 * sent by the kernel.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_SIGQUEUE_H
#define POSIX_SIGQUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "posix/linux.h"

struct user;

struct sigqueue;

struct sigentry {
	struct sigentry *next;
	struct user *user;		/* who pays for it */
	struct sigqueue *queue;		/* that it is in; NULL: none */
	struct lx_siginfo info;
	/*
	 * Of a timer, which keeps it: it has left the queue; to `info`, or thrown away (NULL).
	 * NULL: an entry that goes then.
	 */
	void (*left)(struct sigentry *e, struct lx_siginfo *info);
	void *owner;
};

struct sigqueue {
	uint64_t set;
	struct sigentry *first, **last;
};

void sigqueue_init(struct sigqueue *q);
void sigqueue_clear(struct sigqueue *q);
/*
 * Adds a signal; a standard one that is pending already is dropped. info may be NULL. user pays
 * (may be NULL). 0, or -ENOMEM: only the set knows it.
 */
int sigqueue_add(struct sigqueue *q, int sig, const struct lx_siginfo *info, struct user *user);
/* Back to where it was taken from, before all others. */
void sigqueue_put_back(struct sigqueue *q, int sig, const struct lx_siginfo *info);
/*
 * One that its owner keeps, in no queue yet; user pays (may be NULL). NULL: no memory.
 */
struct sigentry *sigentry_new(struct user *user,
			      void (*left)(struct sigentry *e, struct lx_siginfo *info),
			      void *owner);
/* Frees it, out of its queue, too. A signal of its number that has no siginfo may go with it. */
void sigentry_free(struct sigentry *e);
/* e->info is filled in, e in no queue. It is added even if a standard signal is pending already. */
void sigqueue_add_entry(struct sigqueue *q, struct sigentry *e);
/*
 * The next signal of q that is in `wanted`: its number, or 0. Faults' signals come first, then the
 * lowest number.
 */
int sigqueue_next(const struct sigqueue *q, uint64_t wanted);
/* Takes one entry of sig out. */
void sigqueue_take(struct sigqueue *q, int sig, struct lx_siginfo *info);
/* Takes all of these out. */
void sigqueue_remove(struct sigqueue *q, uint64_t set);

#define SIGSET_SYNCHRONOUS                                                                         \
	(LX_SIGBIT(LX_SIGSEGV) | LX_SIGBIT(LX_SIGBUS) | LX_SIGBIT(LX_SIGILL) |                     \
	 LX_SIGBIT(LX_SIGTRAP) | LX_SIGBIT(LX_SIGFPE) | LX_SIGBIT(LX_SIGSYS))
#define SIGSET_STOP                                                                                \
	(LX_SIGBIT(LX_SIGSTOP) | LX_SIGBIT(LX_SIGTSTP) | LX_SIGBIT(LX_SIGTTIN) |                   \
	 LX_SIGBIT(LX_SIGTTOU))
#define SIGSET_IGNORE                                                                              \
	(LX_SIGBIT(LX_SIGCHLD) | LX_SIGBIT(LX_SIGCONT) | LX_SIGBIT(LX_SIGURG) |                    \
	 LX_SIGBIT(LX_SIGWINCH))
#define SIGSET_UNBLOCKABLE (LX_SIGBIT(LX_SIGKILL) | LX_SIGBIT(LX_SIGSTOP))

#endif
