/* SPDX-License-Identifier: MIT */
/*
 * Calls that wait for a socket (socket.h). Nothing of them is in the state: after a restart they
 * come again. A parked call is carried out again from its start when the socket changes, and parks
 * again if it still has to; only its deadline and what it has done are kept.
 */
#include <errno.h>
#include <stdlib.h>

#include "socket.h"

#define CHAINS 256u

struct waiter {
	struct srv_timer timer;
	struct srv_parked *parked;
	int64_t timeout, since, done;
};

static struct srv_parked_list waiting[CHAINS], ready;
static struct srv_parked *running;	/* that is being carried out again */
static bool parked_again;

/* parked->arg: struct waiter; value[0]: number of the socket it waits for */

static struct srv_parked_list *chain_of(uint64_t number)
{
	return &waiting[number % CHAINS];
}

static void unpark(struct srv_parked *p)
{
	struct waiter *w = p->arg;

	srv_timer_cancel(&w->timer);
	srv_unpark(p);
	free(w);
}

static void end(struct srv_parked *p, int64_t result)
{
	uint64_t call = p->message.call;

	unpark(p);
	srv_answer(call, result);
}

static void waiter_cancel(struct srv_parked *p, bool dead)
{
	struct waiter *w = p->arg;

	if (dead)
		unpark(p);
	else
		end(p, w->done > 0 ? w->done : w->timeout ? -K_RESTART_NOHAND : -K_RESTART_SYS);
}

static void waiter_late(struct srv_timer *t)
{
	struct waiter *w = t->arg;

	end(w->parked, w->done > 0 ? w->done : -EAGAIN);
}

static bool is_running(const struct request *r)
{
	return running && running->message.call == r->m->call;
}

int64_t wait_done(const struct request *r)
{
	return is_running(r) ? ((struct waiter *)running->arg)->done : 0;
}

int64_t wait_since(const struct request *r)
{
	return is_running(r) ? ((struct waiter *)running->arg)->since : srv_now();
}

static struct srv_parked *park_new(struct request *r, int64_t timeout)
{
	struct waiter *w = calloc(1, sizeof *w);
	struct srv_parked *p = w ? srv_park(r->m, waiter_cancel) : NULL;

	if (!p) {
		free(w);
		return NULL;
	}
	p->arg = w;
	w->parked = p;
	w->since = srv_now();
	w->timeout = timeout;
	w->timer = (struct srv_timer){ .fn = waiter_late, .arg = w };
	if (timeout && srv_timer_set(&w->timer, w->since + timeout)) {
		unpark(p);
		return NULL;
	}
	return p;
}

int64_t wait_park(struct request *r, struct socket *on, int64_t timeout, int64_t done)
{
	struct srv_parked *p = is_running(r) ? running : park_new(r, timeout);

	if (!p)
		return -ENOMEM;
	if (p == running)
		parked_again = true;
	((struct waiter *)p->arg)->done = done;
	p->value[0] = on->number;
	srv_parked_append(chain_of(on->number), p);
	return REQUEST_DONE;
}

void wait_wake(const struct socket *on)
{
	struct srv_parked *p, *next;

	for (p = chain_of(on->number)->first; p; p = next) {
		next = p->next;
		if (p->value[0] != on->number)
			continue;
		srv_parked_remove(p);
		srv_parked_append(&ready, p);
	}
}

bool wait_run(void)
{
	static struct k_message m;
	struct srv_parked *p = ready.first;

	if (!p)
		return false;
	srv_flush();		/* what the last answer copies is used again */
	socket_accept_settle();
	srv_parked_remove(p);
	running = p;
	parked_again = false;
	m = p->message;
	request_again(&m);
	running = NULL;
	if (!parked_again)
		unpark(p);
	return true;
}

void wait_lost(void)
{
	for (unsigned i = 0; i < CHAINS; i++) {
		while (waiting[i].first)
			unpark(waiting[i].first);
	}
	while (ready.first)
		unpark(ready.first);
	running = NULL;
}
