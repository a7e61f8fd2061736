/* SPDX-License-Identifier: MIT */
/*
 * Handle tables: a directory of chunks of slots. Growing is charged and checked before anything is
 * filled, so that installing into a reserved slot cannot fail.
 */
#include "core/handle.h"
#include "core/account.h"
#include "core/endpoint.h"
#include "core/task.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/kmalloc.h"

HOT_DATA uint64_t handle_count;

static const struct handle no_handles[TABLE_CHUNK];

static bool may_receive(const struct object *o, uint32_t rights)
{
	return o->type == K_OBJECT_ENDPOINT && rights & K_RIGHT_RECEIVE;
}

void handle_hold(struct object *o, uint32_t rights)
{
	if (may_receive(o, rights))
		endpoint_of(o)->receive_handles++;
}

void handle_release(struct object *o, uint32_t rights)
{
	if (may_receive(o, rights))
		endpoint_of(o)->receive_handles--;
}

void handle_drop(struct object *o, uint32_t rights)
{
	if (!o)
		return;
	handle_release(o, rights);
	if (may_receive(o, rights) && !endpoint_of(o)->receive_handles)
		endpoint_abandon(endpoint_of(o));
	else if (o->type == K_OBJECT_THREAD && o->references == 2 &&
		 thread_of(o)->state == THREAD_NEW)
		thread_retire(thread_of(
			o)); /* this handle and its life, which nobody can start any more */
	else if (o->type == K_OBJECT_TASK)
		task_handle_goes(task_of(o));
	object_put(o);
}

static void table_gone_fill(struct notice *n, struct k_message *m)
{
	struct table *t = container_of(n, struct table, gone);

	m->kind = K_MSG_TABLE_GONE;
	m->table = t->object.id;
	object_put(&t->watcher->object);
	kfree(t);
}

int table_create(struct account *a, struct table **out)
{
	struct table *t = kzalloc(sizeof(*t));

	if (!t)
		return -ENOMEM;
	object_init(&t->object, K_OBJECT_TABLE);
	notice_init(&t->gone, table_gone_fill);
	t->account = a;
	object_get(&a->object);
	t->limit = 1024;
	t->first = no_handles;
	*out = t;
	return 0;
}

void table_destroy(struct object *o)
{
	struct table *t = container_of(o, struct table, object);

	for (uint32_t c = 0; c < t->chunk_count; c++) {
		if (!t->chunk[c])
			continue;
		for (uint32_t i = 0; i < TABLE_CHUNK; i++)
			handle_drop(t->chunk[c][i].object, t->chunk[c][i].rights);
		kfree(t->chunk[c]);
		t->account->handles -= TABLE_CHUNK;
	}
	kfree(t->chunk);
	handle_count -= t->used;
	object_put(&t->account->object);
	if (t->watched)
		endpoint_notify(t->watcher, &t->gone);	/* frees it when it is delivered */
	else
		kfree(t);
}

static int directory_grow(struct table *t, uint32_t chunks)
{
	uint32_t count = t->chunk_count ? t->chunk_count : 1;
	struct handle **d;

	while (count < chunks)
		count *= 2;
	d = kzalloc(count * sizeof(*d));
	if (!d)
		return -ENOMEM;
	if (t->chunk_count)
		memcpy(d, t->chunk, t->chunk_count * sizeof(*d));
	kfree(t->chunk);
	t->chunk = d;
	t->chunk_count = count;
	return 0;
}

int table_reserve(struct table *t, uint32_t slot)
{
	uint32_t c = slot / TABLE_CHUNK;
	struct account *a = t->account;

	if (slot >= t->limit || slot >= TABLE_MAX)
		return -EMFILE;
	if (c >= t->chunk_count && directory_grow(t, c + 1))
		return -ENOMEM;
	if (t->chunk[c])
		return 0;
	if (a->limit.handles && a->handles + TABLE_CHUNK > a->limit.handles)
		return -ENOMEM;
	t->chunk[c] = kzalloc(TABLE_CHUNK * sizeof(struct handle));
	if (!t->chunk[c])
		return -ENOMEM;
	a->handles += TABLE_CHUNK;
	if (!c)
		t->first = t->chunk[0];
	return 0;
}

int table_find_free(struct table *t, uint32_t min)
{
	uint32_t slot = min > t->lowest_free ? min : t->lowest_free;
	int r;

	while (slot < t->chunk_count * TABLE_CHUNK && t->chunk[slot / TABLE_CHUNK] &&
	       t->chunk[slot / TABLE_CHUNK][slot % TABLE_CHUNK].object)
		slot++;
	if (min <= t->lowest_free)
		t->lowest_free = slot;
	r = table_reserve(t, slot);
	return r ? r : (int)slot;
}

void table_set(struct table *t, uint32_t slot, struct object *o, uint32_t rights, uint32_t badge)
{
	struct handle *h = &t->chunk[slot / TABLE_CHUNK][slot % TABLE_CHUNK];
	struct object *old = h->object;
	uint32_t old_rights = h->rights;

	handle_hold(o, rights);
	h->object = o;
	h->rights = rights;
	h->badge = badge;
	if (old) {
		handle_drop(old, old_rights);
		return;
	}
	t->used++;
	handle_count++;
}

struct object *table_take(struct table *t, uint32_t slot, uint32_t *rights, uint32_t *badge)
{
	struct handle *h = table_slot(t, slot);
	struct object *o;

	if (!h)
		return NULL;
	o = h->object;
	handle_release(o, h->rights);
	if (rights)
		*rights = h->rights;
	if (badge)
		*badge = h->badge;
	h->object = NULL;
	t->used--;
	handle_count--;
	if (slot < t->lowest_free)
		t->lowest_free = slot;
	return o;
}

int table_close(struct table *t, uint64_t slot)
{
	uint32_t rights;
	struct object *o = slot < TABLE_MAX ? table_take(t, (uint32_t)slot, &rights, NULL) : NULL;

	if (!o)
		return -EBADF;
	handle_hold(o, rights);
	handle_drop(o, rights);
	return 0;
}

int table_insert(struct table *t, struct object *o, uint32_t rights, uint32_t badge)
{
	int slot = table_find_free(t, 0);

	if (slot >= 0)
		table_set(t, (uint32_t)slot, o, rights, badge);
	return slot;
}

/* Copies one chunk's handles; the new table has none yet in it. */
static int chunk_copy(struct table *from, struct table *to, uint32_t c)
{
	int r = table_reserve(to, c * TABLE_CHUNK);

	if (r)
		return r == -EMFILE ? 0 :
				      r; /* beyond a lowered limit: they were open all the same */
	for (uint32_t i = 0; i < TABLE_CHUNK; i++) {
		struct handle *h = &from->chunk[c][i];

		if (!h->object)
			continue;
		object_get(h->object);
		handle_hold(h->object, h->rights);
		to->chunk[c][i] = *h;
		to->used++;
		handle_count++;
	}
	return 0;
}

int table_copy(struct table *from, struct account *a, struct table **out)
{
	struct table *t;
	int r = table_create(a, &t);

	if (r)
		return r;
	t->limit = TABLE_MAX;
	for (uint32_t c = 0; c < from->chunk_count && !r; c++)
		if (from->chunk[c])
			r = chunk_copy(from, t, c);
	t->limit = from->limit;
	t->lowest_free = from->lowest_free;
	if (r)
		object_put(&t->object);
	else
		*out = t;
	return r;
}

void table_close_on_exec(struct table *t)
{
	for (uint32_t slot = 0; slot < t->chunk_count * TABLE_CHUNK; slot++) {
		struct handle *h = table_slot(t, slot);

		if (h && (h->rights & HANDLE_CLOEXEC))
			table_close(t, slot);
	}
}

int table_lookup(struct table *t, int64_t h, enum k_object_type type, uint32_t rights, void *out)
{
	struct handle *slot = h >= 0 ? table_slot(t, (uint64_t)h) : NULL;

	if (!slot)
		return -EBADF;
	if (slot->object->type != type)
		return -EINVAL;
	if ((slot->rights & rights) != rights)
		return -EPERM;
	*(struct object **)out = slot->object;
	return 0;
}
