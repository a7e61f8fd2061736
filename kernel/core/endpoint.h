/* SPDX-License-Identifier: MIT */
/*
 * Endpoints: where messages are received. An endpoint outlives its server's threads; what was
 * delivered and not answered when the server died goes back to the head of the queue.
 */
#ifndef TROUPE_CORE_ENDPOINT_H
#define TROUPE_CORE_ENDPOINT_H

#include "core/sched.h"
#include "lib/errno.h"

struct endpoint {
	struct object object;
	struct list queue;	/* threads QUEUED, oldest first */
	struct list held;	/* threads HELD */
	struct list notices;
	/* descriptions that are gone and wait to be told (description.close_link) */
	struct list closes;
	union {
		struct {
			uint32_t close_count;
			bool shut;	/* given up: calls fail with EIO */
		};
		uint64_t detour;	/* either of them: calls do not go straight to a receiver */
	};
	struct list descriptions;	/* live ones (description.endpoint_link) */
	bool abandoned;		/* nobody can receive here any more */
	uint32_t receive_handles;	/* handles with K_RIGHT_RECEIVE (core/handle.c) */
	struct thread *receiver;	/* idle in receive(), or NULL */
	/* in the list of endpoints whose closes nobody has been woken for */
	struct list lazy_link;
};

static inline struct endpoint *endpoint_of(struct object *o)
{
	return container_of(o, struct endpoint, object);
}

int endpoint_create(struct endpoint **out);
/* Queues the notice (once; again is harmless) and wakes the receiver. */
void endpoint_notify(struct endpoint *e, struct notice *n);
void notice_init(struct notice *n, void (*fill)(struct notice *n, struct k_message *m));
/* Takes it out of the queue if it is in one. */
void notice_cancel(struct notice *n);
/*
 * A description of e is gone: `link` (its endpoint_link, already in no list) is queued in e->closes
 * until its cookie has been told; then description_free. Not eager: an idle server is woken only
 * when a CPU would idle or many have gathered.
 */
void endpoint_closed(struct endpoint *e, struct list *link, bool eager);
/*
 * Wakes servers for closes that nobody was woken for; true if there was one. Called before a CPU
 * idles.
 */
bool endpoint_flush_lazy(void);

/* Sends t (the current thread, or one that is in no queue) with its t->message to e. */
void call_send(struct thread *t, struct endpoint *e);
/* The thread whose call `id` e holds: 0, or ESRCH. */
static inline int call_lookup(struct endpoint *e, uint64_t id, struct thread **out)
{
	struct thread *t = thread_by_call(id);

	if (!t || t->state != THREAD_HELD || t->endpoint != e)
		return -ESRCH;
	*out = t;
	return 0;
}
/*
 * The holder is done with t: result or registers are set as `flags` (K_ANSWER_*) say, and t goes
 * on.
 */
void call_finish(struct thread *t, int64_t result, uint32_t flags);
/* Drops what a call pins: scratch, attached handles, the descriptor. */
void call_release(struct thread *t);
RARELY void call_drop_attached(struct thread *t);
static inline void call_release_attached(struct thread *t)	/* all but the descriptor */
{
	if (unlikely((uint64_t)t->attached[0] | (uint64_t)t->attached[1] | (uint64_t)t->scratch))
		call_drop_attached(t);
}
/* Takes t out of an endpoint's queue or held list. */
void call_detach(struct thread *t);
/* t dies: a call that it would have made again is none any more. Harmless without one. */
void call_forget(struct thread *t);
/*
 * The call that t was to make again waits until t has been to home 0 for memory; call_finish()
 * brings it back.
 */
void call_set_aside(struct thread *t);
/*
 * A held message whose holder may keep it until something happens, so a signal has to reach it: a
 * call, or the end of a forwarded operation.
 */
RARELY bool call_may_wait(const struct thread *t);
/* A signal (or death) for a thread that a server holds: its holder hears K_MSG_CANCEL. */
RARELY void call_cancel(struct thread *t, bool dead);
/*
 * The time in which its holder should have answered a cancel is over: home 0 of the server hears of
 * it.
 */
void call_overdue(struct thread *t);
void overdue_fill(struct notice *n, struct k_message *m);
/* Fails every call that waits in e, and from now on every new one. */
RARELY void endpoint_shut(struct endpoint *e);
/*
 * The last handle that may receive is gone: calls fail, and what would be told is told to nobody.
 */
void endpoint_abandon(struct endpoint *e);
/*
 * Takes the call back from its holder: the caller faults thread.need_page in, then it is delivered
 * again.
 */
RARELY void call_redeliver(struct thread *t);
/*
 * Held calls go back to the head of the queue, marked, because the server that held them died.
 * `culprit` is the call it was working on: one that has taken its server down twice gets EIO.
 */
void endpoint_requeue_held(struct endpoint *e, uint64_t culprit);
/* What e may know of the caller: cookies of its own descriptions (syscall.c). */
void message_resolve(struct thread *t, struct endpoint *e);
/* Delivers the next message to t, the receiver; -EAGAIN if there is none. */
int64_t endpoint_deliver(struct endpoint *e, struct thread *t, uint64_t to);
/* Carries out the answer at a user address; `rights` of the endpoint handle it came through. */
int64_t answer_run(struct thread *server, struct endpoint *e, uint32_t rights, uint64_t from);

#endif
