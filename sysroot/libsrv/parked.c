/* SPDX-License-Identifier: MIT */
/*
 * Parked calls: found again by call id when they are cancelled, and kept in queues by whatever they
 * wait for.
 */
#include "server.h"

#include <stdlib.h>

#include "state.h"

#define CHAINS 64

static STATE struct {
	struct srv_parked *chain[CHAINS];
	size_t count;
} table;
#define T STATE_OF(table)

static struct srv_parked **chain_of(uint64_t call)
{
	return &T.chain[call % CHAINS];
}

struct srv_parked *srv_park(const struct k_message *m,
			    void (*cancel)(struct srv_parked *p, bool dead))
{
	struct srv_parked *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->message = *m;
	p->cancel = cancel;
	p->chain = *chain_of(m->call);
	*chain_of(m->call) = p;
	T.count++;
	return p;
}

struct srv_parked *srv_parked_find(uint64_t call)
{
	struct srv_parked *p = *chain_of(call);

	while (p && p->message.call != call)
		p = p->chain;
	return p;
}

void srv_unpark(struct srv_parked *p)
{
	struct srv_parked **at = chain_of(p->message.call);

	while (*at != p)
		at = &(*at)->chain;
	*at = p->chain;
	if (p->list)
		srv_parked_remove(p);
	T.count--;
	free(p);
}

size_t srv_parked_count(void)
{
	return T.count;
}

void srv_parked_append(struct srv_parked_list *list, struct srv_parked *p)
{
	p->list = list;
	p->next = NULL;
	p->prev = list->last;
	*(p->prev ? &p->prev->next : &list->first) = p;
	list->last = p;
}

void srv_parked_remove(struct srv_parked *p)
{
	struct srv_parked_list *list = p->list;

	*(p->prev ? &p->prev->next : &list->first) = p->next;
	*(p->next ? &p->next->prev : &list->last) = p->prev;
	p->list = NULL;
	p->next = p->prev = NULL;
}

void srv_parked_forget(void)
{
	for (unsigned i = 0; i < CHAINS; i++) {
		for (struct srv_parked *p = T.chain[i]; p; p = p->chain)
			p->held = false;
	}
}

/*
 * One that is not held has no caller any more, or comes again by itself. Cancelling may end others
 * with it.
 */
void srv_parked_drop(void)
{
	for (unsigned i = 0; i < CHAINS; i++) {
		struct srv_parked *p = T.chain[i];

		while (p && p->held)
			p = p->chain;
		if (!p)
			continue;
		p->cancel(p, true);
		if (srv_parked_find(p->message.call) == p)
			p->held = true;		/* it stays */
		i--;
	}
}
