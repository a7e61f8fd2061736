/* SPDX-License-Identifier: MIT */
/* Parcels: datagrams, and what travels beside the bytes of a stream (channel.h). */
#include <errno.h>
#include <string.h>

#include "mounts.h"
#include "node.h"
#include "socket.h"

/* What a parcel counts for in buffers: Linux, too, counts more than the bytes. */
uint64_t parcel_weight(uint32_t size)
{
	return (uint64_t)size + 512;
}

static uint32_t *inflight(uint32_t uid)
{
	return &vfs->sockets->inflight[uid % INFLIGHT_CHAINS];
}

static void count_rights(const struct parcel *p, int32_t sign)
{
	struct socket_table *t = vfs->sockets;

	for (uint32_t i = 0; i < p->right_count; i++) {
		uint32_t *n = inflight(p->right[i].uid);

		state_set(*n, *n + (uint32_t)sign);
		if (p->right[i].socket)
			state_set(t->inflight_sockets, t->inflight_sockets + (uint32_t)sign);
	}
}

struct parcel *parcel_create(uint32_t size, const struct right *rights, uint32_t count,
			     int64_t *error)
{
	struct parcel *p;

	*error = -ENOBUFS;
	if (vfs->sockets->weight > mounts_memory() / 8)
		return NULL;
	*error = -ENOMEM;
	p = state_alloc(sizeof *p);
	if (!p)
		return NULL;
	p->size = size;
	if (count) {
		p->right = state_alloc(count * sizeof *p->right);
		if (!p->right)
			return NULL;
		memcpy(p->right, rights, count * sizeof *p->right);
		p->right_count = count;
	}
	*error = 0;
	return p;
}

void parcel_append(struct channel *c, struct parcel *p)
{
	if (c->last)
		state_set(c->last->next, p);
	else
		state_set(c->first, p);
	state_set(c->last, p);
	state_set(c->count, c->count + 1);
	if (p->data)
		state_set(c->bytes, c->bytes + p->size);
	if (p->from) {
		socket_get(p->from);
		state_set(p->from->sent, p->from->sent + parcel_weight(p->size));
	}
	if (p->data || p->from)
		state_set(vfs->sockets->weight, vfs->sockets->weight + parcel_weight(p->size));
	count_rights(p, 1);
}

void parcel_drop_rights(struct parcel *p)
{
	if (!p->right_count)
		return;
	count_rights(p, -1);
	for (uint32_t i = 0; i < p->right_count; i++)
		node_drop_handle(p->right[i].handle);
	state_free(p->right, p->right_count * sizeof *p->right);
	state_set(p->right_count, 0);
	state_set(p->right, NULL);
}

static void parcel_free(struct channel *c, struct parcel *p)
{
	state_set(c->count, c->count - 1);
	if (p->right_count)
		garbage_suspected = true;
	parcel_drop_rights(p);
	if (p->data) {
		state_set(c->bytes, c->bytes - p->size);
		state_free(p->data, p->size);
	}
	if (p->data || p->from)
		state_set(vfs->sockets->weight, vfs->sockets->weight - parcel_weight(p->size));
	if (p->from) {
		state_set(p->from->sent, p->from->sent - parcel_weight(p->size));
		socket_changed(p->from, false);
		socket_put(p->from);
	}
	state_free(p, sizeof *p);
}

void parcel_drop_first(struct channel *c)
{
	struct parcel *p = c->first;

	state_set(c->first, p->next);
	if (!p->next)
		state_set(c->last, NULL);
	parcel_free(c, p);
}

void parcel_drop_last(struct channel *c)
{
	struct parcel *p = c->last, *before = NULL;

	for (struct parcel *q = c->first; q != p; q = q->next)
		before = q;
	if (before)
		state_set(before->next, NULL);
	else
		state_set(c->first, NULL);
	state_set(c->last, before);
	parcel_free(c, p);
}
