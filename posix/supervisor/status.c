/* SPDX-License-Identifier: MIT */
/* The table "servers": what has become of each server, for everybody to read. */
#include <string.h>

#include "calls.h"
#include "supervisor.h"
#include "supervisor_wire.h"

#define SIZE 4096

_Static_assert(sizeof(struct proto_servers) + SERVERS_MAX * sizeof(struct proto_server) <= SIZE,
	       "one page holds the table");

static struct proto_servers *table;

void status_begin(struct manifest *m)
{
	struct k_map map = {
		.space = -1, .size = SIZE, .object = -1, .flags = K_MAP_READ | K_MAP_WRITE
	};

	for (size_t i = 0; i < m->shares; i++)
		if (!strcmp(m->shared[i].name, PROTO_SERVERS) && m->shared[i].size >= SIZE)
			map.object = m->shared[i].handle;
	if (map.object < 0 || k_space_map(&map) < 0)
		return;		/* nobody reads it */
	table = (struct proto_servers *)map.address;
	for (size_t i = 0; i < m->servers; i++)
		status_update(&m->server[i]);
	table->count = (uint32_t)m->servers;
}

void status_update(const struct server *s)
{
	struct proto_server *p;

	if (!table)
		return;
	p = &table->server[s->number - 1];
	memcpy(p->name, s->name, sizeof(p->name));
	p->state = s->absent   ? PROTO_SERVER_ABSENT :
		   s->given_up ? PROTO_SERVER_GIVEN_UP :
				 PROTO_SERVER_RUNNING;
	p->restarts = s->starts > 1 ? s->starts - 1 : 0;
	p->deaths = s->deaths;
}
