/* SPDX-License-Identifier: MIT */
/* Parked calls: found again by call id when they are cancelled, and kept in queues by whatever they wait for. */
#include "server.h"

#include <stdlib.h>

#define CHAINS 64

static struct srv_parked *chain[CHAINS];
static size_t count;

static struct srv_parked **chain_of(uint64_t call)
{
	return &chain[call % CHAINS];
}

struct srv_parked *srv_park(const struct k_message *m, void (*cancel)(struct srv_parked *p, bool dead))
{
	struct srv_parked *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->message = *m;
	p->cancel = cancel;
	p->chain = *chain_of(m->call);
	*chain_of(m->call) = p;
	count++;
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
	count--;
	free(p);
}

size_t srv_parked_count(void)
{
	return count;
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
