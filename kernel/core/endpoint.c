/* SPDX-License-Identifier: MIT */
/*
 * Endpoints: queues of callers and notices, and delivery.
 *
 * A caller is QUEUED until a receiver takes it, then HELD until it is answered or forwarded.
 * Notices have their storage in the object that they are about. Close notices are batched into the
 * messages that go out anyway; an idle server is woken for them alone only when a CPU has nothing
 * else to do or many have gathered.
 */
#include "core/endpoint.h"
#include "core/routes.h"
#include "core/sched.h"
#include "core/syscall.h"
#include "arch/paging.h"
#include "core/task.h"
#include "core/timer.h"
#include "data/description.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/mobject.h"
#include "mm/usercopy.h"

#define CLOSES_MAX 32	/* then an idle server is woken */
#define PATIENCE_NS 1000000000	/* with a server that does not answer a cancel */

HOT_DATA static struct list lazy_endpoints = LIST_INIT(lazy_endpoints);

int endpoint_create(struct endpoint **out)
{
	struct endpoint *e = kzalloc(sizeof(*e));

	if (!e)
		return -ENOMEM;
	object_init(&e->object, K_OBJECT_ENDPOINT);
	list_init(&e->queue);
	list_init(&e->held);
	list_init(&e->notices);
	list_init(&e->closes);
	list_init(&e->descriptions);
	list_init(&e->lazy_link);
	*out = e;
	return 0;
}

/* Callers, notices and descriptions count references, so all lists but the closes' are empty. */
void endpoint_destroy(struct object *o)
{
	struct endpoint *e = endpoint_of(o);

	list_remove(&e->lazy_link);
	kfree(e);
}

static RARELY void receiver_wake(struct endpoint *e)
{
	struct thread *r = e->receiver;

	if (!r)
		return;
	list_remove(&e->lazy_link);
	thread_wake_next(r);
}

/* --- notices ------------------------------------------------------------------------------ */

void notice_init(struct notice *n, void (*fill)(struct notice *n, struct k_message *m))
{
	list_init(&n->link);
	n->fill = fill;
}

/* What a notice holds it gives up when it is delivered. */
static void notice_discard(struct notice *n)
{
	struct k_message m = { 0 };

	notice_cancel(n);
	n->fill(n, &m);
}

void endpoint_notify(struct endpoint *e, struct notice *n)
{
	if (e->abandoned) {
		notice_discard(n);
		return;
	}
	if (!n->queued) {
		n->queued = true;
		n->endpoint = e;
		object_get(&e->object);
		list_append(&e->notices, &n->link);
	}
	receiver_wake(e);
}

void notice_cancel(struct notice *n)
{
	if (!n->queued)
		return;
	list_remove(&n->link);
	n->queued = false;
	object_put(&n->endpoint->object);
	n->endpoint = NULL;
}

void endpoint_closed(struct endpoint *e, struct list *link, bool eager)
{
	if (e->abandoned) {
		description_free(container_of(link, struct description, endpoint_link));
		return;
	}
	list_append(&e->closes, link);
	e->close_count++;
	if (eager || e->close_count >= CLOSES_MAX)
		receiver_wake(e);
	else if (e->receiver && list_empty(&e->lazy_link))
		list_append(&lazy_endpoints, &e->lazy_link);
}

bool endpoint_flush_lazy(void)
{
	struct endpoint *e;

	if (list_empty(&lazy_endpoints))
		return false;
	e = list_first(&lazy_endpoints, struct endpoint, lazy_link);
	list_remove(&e->lazy_link);
	receiver_wake(e);
	return true;
}

/* A message without its closes, as words: both sides lie on a multiple of 8. */
struct message_words {
	uint64_t word[offsetof(struct k_message, closed) / 8];
};

/*
 * The short way to an idle receiver: the message goes through the direct map straight into its
 * buffer, and its receive() is complete before it runs. False: not possible just now, it will look
 * for itself.
 */
static inline bool deliver_direct(struct endpoint *e, struct thread *caller)
{
	struct thread *r = e->receiver;		/* if there is one, nothing is queued */
	struct k_message *m = &caller->message;
	uint64_t call = caller->call;

	if (unlikely(!r || e->detour || r->inbox_generation != r->space->generation))
		return false;
	m->call = call;
	*(struct message_words *)r->inbox = *(const struct message_words *)m;
	list_append(&e->held, &caller->call_link);
	caller->state = THREAD_HELD;
	e->receiver = NULL;
	r->wait_detach = NULL;
	timer_disarm(r);
	r->progress.active = false;
	r->op = 0;
	r->lender_call = call;
	arch_frame_set_result(&r->frame, 0);
	if (unlikely(caller->flags & THREAD_EVENT) && call_may_wait(caller))
		call_cancel(caller, false);
	sched_next(r);
	return true;
}

/* --- calls -------------------------------------------------------------------------------- */

void call_send(struct thread *t, struct endpoint *e)
{
	t->endpoint = e;
	object_get(&e->object);
	if (unlikely(t->state == THREAD_READY) && !list_empty(&t->run_link))
		sched_unready(t);
	stat_calls++;
	if (deliver_direct(e, t))
		return;
	t->state = THREAD_QUEUED;
	list_append(&e->queue, &t->call_link);
	if (e->shut)
		endpoint_shut(e);
	else
		receiver_wake(e);
}

void call_resend(struct thread *t)
{
	struct endpoint *e = t->endpoint;

	t->state = THREAD_QUEUED;
	list_append(&e->queue, &t->call_link);
	if (e->shut)
		endpoint_shut(e);
	else
		receiver_wake(e);
}

void call_detach(struct thread *t)
{
	struct endpoint *e = t->endpoint;

	timer_disarm(t);	/* of a cancel */
	list_remove(&t->call_link);
	t->endpoint = NULL;
	object_unpin(&e->object);
}

void call_forget(struct thread *t)
{
	if (t->endpoint)
		call_detach(t);
	if (t->aside_endpoint)
		object_put(&t->aside_endpoint->object);
	t->aside_endpoint = NULL;
}

void call_set_aside(struct thread *t)
{
	t->flags &= ~THREAD_REDELIVER;
	t->aside = t->message;
	t->aside_endpoint = t->endpoint;
	t->endpoint = NULL;
}

/* Back from home 0, which may have found memory: the page is tried again, then the call. */
static RARELY void call_take_up(struct thread *t)
{
	call_detach(t);
	t->message = t->aside;
	t->call = t->message.call;
	t->endpoint = t->aside_endpoint;
	t->aside_endpoint = NULL;
	t->flags |= THREAD_REDELIVER;
	sched_next(t);
}

void call_drop_attached(struct thread *t)
{
	for (int i = 0; i < 2; i++) {
		if (!t->attached[i])
			continue;
		handle_drop(t->attached[i], t->attached_rights[i]);
		t->attached[i] = NULL;
	}
	if (t->scratch) {
		kfree(t->scratch);
		t->scratch = NULL;
		t->scratch_size = 0;
	}
}

void call_release(struct thread *t)
{
	call_release_attached(t);
	if (t->call_fd) {
		object_put(t->call_fd);
		t->call_fd = NULL;
	}
}

bool call_may_wait(const struct thread *t)
{
	uint32_t kind = t->message.kind;

	return kind == K_MSG_CALL || (kind == K_MSG_DONE && t->endpoint != t->routes->home[0]);
}

static bool route_patient(const struct thread *t)
{
	return (uint32_t)t->number < K_ROUTE_NUMBERS &&
	       t->routes->entry[t->number].flags & K_ROUTE_PATIENT;
}

void call_cancel(struct thread *t, bool dead)
{
	struct endpoint *e = t->endpoint;

	if (dead && e == t->routes->home[0])
		return;		/* it hears by K_MSG_THREAD_DEAD */
	t->cancel_call = t->call;
	t->cancel_dead = dead;
	if (t->cancel.queued && t->cancel.endpoint != e) {
		notice_cancel(&t->cancel);
		object_put(&t->object);
	}
	if (!t->cancel.queued)
		object_get(&t->object);		/* the notice's, dropped when it is delivered */
	if (!dead && list_empty(&t->timer_link) && t->overdue_call != t->call && !route_patient(t))
		timer_arm(t, time_now() + PATIENCE_NS);
	endpoint_notify(e, &t->cancel);
}

/* The thread that serves e, as far as that is known. */
static struct thread *endpoint_server(const struct endpoint *e)
{
	for (uint32_t i = 0; i < thread_capacity; i++)
		if (thread_table[i] && thread_table[i]->serving == e)
			return thread_table[i];
	return NULL;
}

void call_overdue(struct thread *t)
{
	struct thread *server = endpoint_server(t->endpoint);

	if (!server || !server->routes->home[0] || t->overdue.queued)
		return;
	t->overdue_call = t->call;
	t->overdue_server = server->task->cookie;
	object_get(&t->object);		/* the notice's */
	endpoint_notify(server->routes->home[0], &t->overdue);
}

void overdue_fill(struct notice *n, struct k_message *m)
{
	struct thread *t = container_of(n, struct thread, overdue);

	m->kind = K_MSG_OVERDUE;
	m->pid = t->overdue_server;
	m->call = t->overdue_call;
	m->number = t->number;
	m->extra[0] = t->message.pid;
	m->extra[1] = t->tid;
	object_put(&t->object);
}

void call_redeliver(struct thread *t)
{
	timer_disarm(t);
	list_remove(&t->call_link);	/* keeps the endpoint for the next send */
	t->flags |= THREAD_REDELIVER;
	sched_next(t);
}

void endpoint_requeue_held(struct endpoint *e, uint64_t culprit)
{
	while (!list_empty(&e->held)) {
		struct thread *t = container_of(e->held.prev, struct thread, call_link);

		timer_disarm(t);
		list_remove(&t->call_link);
		if (t->call == culprit && ++t->call_crashes >= 2 && t->message.kind == K_MSG_CALL) {
			list_append(&e->held, &t->call_link);
			call_finish(t, -EIO, K_ANSWER_RESULT);
			continue;
		}
		t->message.flags |= K_MSGF_REDELIVERED;
		t->state = THREAD_QUEUED;
		list_prepend(&e->queue, &t->call_link);
	}
	pager_restart(e);
	if (!list_empty(&e->queue))
		receiver_wake(e);	/* a successor that was there before */
}

void endpoint_shut(struct endpoint *e)
{
	e->shut = true;
	object_get(&e->object);
	while (!list_empty(&e->held))
		call_finish(list_first(&e->held, struct thread, call_link), -EIO, K_ANSWER_RESULT);
	while (!list_empty(&e->queue))
		call_finish(list_first(&e->queue, struct thread, call_link), -EIO, K_ANSWER_RESULT);
	pager_restart(e);	/* whoever waits for its pages gets EIO, too */
	object_put(&e->object);
}

/* The thread that made an interrupted system call goes on with it as if nothing had happened. */
static RARELY void event_resume(struct thread *t)
{
	int64_t r = (int64_t)t->message.extra[0];

	if (t->message.flags & K_MSGF_IN_SYSCALL && r <= -K_RESTART_SYS && r >= -K_RESTART_BLOCK)
		t->flags |= THREAD_RESTART;
}

static void call_result(struct thread *t, int64_t result)
{
	op_end(t);
	arch_frame_set_result(&t->frame, result);
	if (result <= -K_RESTART_SYS && result >= -K_RESTART_BLOCK)
		t->flags |= THREAD_EVENT;
}

static inline void call_unpin(struct thread *t)
{
	/* else the operation goes on, with the descriptor that it began with */
	if (!t->op && t->call_fd) {
		object_put(t->call_fd);
		t->call_fd = NULL;
	}
}

/* The end of a visit, or of a call that has a say in what comes after. */
static RARELY void call_finish_visit(struct thread *t, uint32_t kind, struct endpoint *e,
				     int64_t result, uint32_t flags)
{
	if (kind == K_MSG_MEMORY && t->aside_endpoint && !(flags & K_ANSWER_EXIT)) {
		call_take_up(t);
		return;
	}
	if (kind == K_MSG_DONE && flags & K_ANSWER_RESUME) {
		t->hook = e;
		object_get(&e->object);
	}
	if (e)
		call_detach(t);
	call_release_attached(t);
	if (flags & K_ANSWER_EXIT || kind == K_MSG_THREAD_DEAD) {
		/* gone at once: an exec may be waiting to be alone */
		if (t->task->thread_count > 1) {
			thread_retire(t);
			return;
		}
		t->flags |= THREAD_EXITING;
	} else if (flags & K_ANSWER_REGS) {
		op_end(t);
	} else if (kind == K_MSG_EVENT && flags & K_ANSWER_RESUME) {
		event_resume(t);
	} else if (kind == K_MSG_DONE && flags & K_ANSWER_RESUME) {
		t->flags |= THREAD_RESTART | THREAD_HOOK;
	} else if (kind == K_MSG_MEMORY || kind == K_MSG_FAULT) {
		if (t->op)
			t->flags |= THREAD_RESTART;
	} else {
		call_result(t, result);
	}
	call_unpin(t);
	sched_next(t);
}

void call_finish(struct thread *t, int64_t result, uint32_t flags)
{
	uint32_t kind = t->message.kind;
	struct endpoint *e = t->endpoint;

	if (likely(flags == K_ANSWER_RESULT && (kind == K_MSG_CALL || kind == K_MSG_PRIVATE) &&
		   e)) {
		call_detach(t);
		call_release(t);
		call_result(t, result);
		sched_next(t);
		return;
	}
	call_finish_visit(t, kind, e, result, flags);
}

/* --- delivery ----------------------------------------------------------------------------- */

static void closes_fill(struct endpoint *e, struct k_message *m)
{
	m->closed_count = 0;
	while (m->closed_count < K_CLOSED_BATCH && !list_empty(&e->closes)) {
		struct description *d = list_first(&e->closes, struct description, endpoint_link);

		list_remove(&d->endpoint_link);
		e->close_count--;
		m->closed[m->closed_count++] = d->cookie;
		description_free(d);
	}
}

static RARELY int64_t deliver_notice(struct endpoint *e, struct thread *t, uint64_t to)
{
	struct k_message m;
	struct notice *n;
	/* what a notice tells cannot be told twice */
	int64_t r = user_prepare_write(t, to, sizeof(m));

	if (r)
		return r;
	t->lender_call = 0;
	memset(&m, 0, sizeof(m));
	m.number = -1;
	if (list_empty(&e->notices)) {
		m.kind = K_MSG_CLOSED;
	} else {
		n = list_first(&e->notices, struct notice, link);
		notice_cancel(n);
		n->fill(n, &m);
	}
	if (e->close_count)
		closes_fill(e, &m);
	return user_write(t, to, &m, sizeof(m));
}

static RARELY int64_t deliver_call(struct endpoint *e, struct thread *t, uint64_t to)
{
	struct thread *caller = list_first(&e->queue, struct thread, call_link);
	struct k_message *m = &caller->message;
	int64_t r;

	m->call = caller->call;
	if (e->close_count) {
		r = user_prepare_write(t, to, sizeof(*m));
		if (r)
			return r;
		closes_fill(e, m);
		r = user_write(t, to, m, sizeof(*m));
		m->closed_count = 0;
	} else {
		r = user_write(t, to, m, offsetof(struct k_message, closed));
	}
	if (r)
		return r;
	/* Should the short way be shut for its buffer alone, the buffer is looked for again. */
	if (t->inbox_generation != t->space->generation)
		t->inbox_address = 0;
	list_move(&e->held, &caller->call_link);
	caller->state = THREAD_HELD;
	t->lender_call = caller->call;
	if (caller->flags & THREAD_EVENT && call_may_wait(caller))
		call_cancel(caller, false);
	return 0;
}

void endpoint_abandon(struct endpoint *e)
{
	struct k_message m;

	object_get(&e->object);
	e->abandoned = true;
	endpoint_shut(e);
	while (!list_empty(&e->notices))
		notice_discard(list_first(&e->notices, struct notice, link));
	while (e->close_count)
		closes_fill(e, &m);
	object_put(&e->object);
}

int64_t endpoint_deliver(struct endpoint *e, struct thread *t, uint64_t to)
{
	if (likely(list_empty(&e->notices) && list_empty(&e->queue) && !e->close_count))
		return -EAGAIN;
	/* all closes go before a later call */
	if (!list_empty(&e->notices) || e->close_count > K_CLOSED_BATCH)
		return deliver_notice(e, t, to);
	if (!list_empty(&e->queue))
		return deliver_call(e, t, to);
	return deliver_notice(e, t, to);
}
