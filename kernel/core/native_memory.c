/* SPDX-License-Identifier: MIT */
/* Native calls about descriptions, pipes, readiness, memory objects and address spaces. */
#include "core/native.h"
#include "data/description.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/space.h"
#include "mm/usercopy.h"

/* --- descriptions ------------------------------------------------------------------------- */

static int plane_object_type(uint32_t plane, enum k_object_type *type)
{
	switch (plane) {
	case K_PLANE_STREAM: *type = K_OBJECT_MOBJECT; return 0;
	case K_PLANE_PIPE_READ:
	case K_PLANE_PIPE_WRITE:
	case K_PLANE_PIPE_BOTH:
	case K_PLANE_SOCKET: *type = K_OBJECT_PIPE; return 0;
	default: *type = K_OBJECT_NONE; return plane > K_PLANE_WAITSET ? -EINVAL : 0;
	}
}

int64_t native_description_create(struct thread *t, const uint64_t *a)
{
	struct object *e, *object = NULL, *object2 = NULL, *source = NULL;
	struct description *d;
	struct k_description k;
	enum k_object_type type;
	int64_t r = user_read(t, &k, a[1], sizeof(k));

	if (!r)
		r = native_lookup(t, a[0], K_OBJECT_ENDPOINT, K_RIGHT_RECEIVE, &e);
	if (!r)
		r = plane_object_type(k.plane, &type);
	if (!r && type)
		r = native_lookup(t, (uint32_t)k.object, type, 0, &object);
	if (!r && k.plane == K_PLANE_SOCKET)
		r = native_lookup(t, (uint32_t)k.object2, type, 0, &object2);
	if (!r && k.source >= 0)
		r = native_lookup(t, (uint32_t)k.source, K_OBJECT_SOURCE, 0, &source);
	if (!r)
		r = description_create(endpoint_of(e), &k, object, object2,
				       source ? container_of(source, struct source, object) : NULL,
				       &d);
	return r ? r : native_give(t, &d->object, K_RIGHTS_ALL);
}

int64_t native_pipe_create(struct thread *t, const uint64_t *a)
{
	struct pipe *p;
	int r = pipe_create(t->task->account, a[0], a[1], &p);

	return r ? r : native_give(t, pipe_object(p), K_RIGHTS_ALL);
}

static int pipe_lookup(struct thread *t, uint64_t h, uint32_t rights, struct pipe **out)
{
	struct object *o;
	int r = native_lookup(t, h, K_OBJECT_PIPE, rights, &o);

	if (!r)
		*out = pipe_of(o);
	return r;
}

int64_t native_pipe_hold(struct thread *t, const uint64_t *a)
{
	struct pipe *p;
	int r = pipe_lookup(t, a[0], K_RIGHT_MANAGE, &p);

	return r ? r : pipe_hold(p, (uint32_t)a[1]);
}

int64_t native_pipe_read(struct thread *t, const uint64_t *a)
{
	struct pipe *p;
	int r = pipe_lookup(t, a[0], K_RIGHT_READ, &p);

	return r ? r : pipe_server_read(p, t, a[1], a[2], (uint32_t)a[3], a[4]);
}

int64_t native_pipe_write(struct thread *t, const uint64_t *a)
{
	struct pipe *p;
	int r = pipe_lookup(t, a[0], K_RIGHT_WRITE, &p);

	return r ? r : pipe_server_write(p, t, a[1], a[2]);
}

int64_t native_pipe_info(struct thread *t, const uint64_t *a)
{
	struct k_pipe_info info;
	struct pipe *p;
	int r = pipe_lookup(t, a[0], 0, &p);

	if (r)
		return r;
	pipe_info(p, &info);
	return user_write(t, a[1], &info, sizeof(info));
}

int64_t native_pipe_bind(struct thread *t, const uint64_t *a)
{
	struct object *e = NULL;
	struct pipe *p;
	int r = pipe_lookup(t, a[0], K_RIGHT_MANAGE, &p);

	if (!r && (int32_t)a[1] != -1)
		r = native_lookup(t, a[1], K_OBJECT_ENDPOINT, K_RIGHT_RECEIVE, &e);
	if (!r)
		pipe_bind(p, e ? endpoint_of(e) : NULL, a[2]);
	return r;
}

int64_t native_pipe_arm(struct thread *t, const uint64_t *a)
{
	struct pipe *p;
	int r = pipe_lookup(t, a[0], K_RIGHT_MANAGE, &p);

	return r ? r : pipe_arm(p, (uint32_t)a[1]);
}

int64_t native_source_create(struct thread *t, const uint64_t *a)
{
	struct source *s;
	int r = source_create(&s);

	(void)a;
	return r ? r : native_give(t, &s->object, K_RIGHTS_ALL);
}

int64_t native_source_set(struct thread *t, const uint64_t *a)
{
	struct object *o;
	int r = native_lookup(t, a[0], K_OBJECT_SOURCE, K_RIGHT_WRITE, &o);

	if (!r)
		source_update(container_of(o, struct source, object), (uint32_t)a[1],
			      (uint32_t)a[2], a[3]);
	return r;
}

/* Live descriptions of an endpoint in order of id, for a restarted server. */
int64_t native_endpoint_descriptions(struct thread *t, const uint64_t *a)
{
	struct object *o;
	uint64_t from, last, n = 0;
	int64_t r = native_lookup(t, a[0], K_OBJECT_ENDPOINT, K_RIGHT_RECEIVE, &o);

	if (!r)
		r = user_read(t, &from, a[1], sizeof(from));
	if (r)
		return r;
	last = from;
	list_for(it, &endpoint_of(o)->descriptions) {
		struct description *d = container_of(it, struct description, endpoint_link);

		if (d->object.id < from)
			continue;
		if (n == a[3])
			break;
		r = user_write(t, a[2] + n * sizeof(uint64_t), &d->cookie, sizeof(d->cookie));
		if (r)
			return r;
		last = d->object.id + 1;
		n++;
	}
	r = user_write(t, a[1], &last, sizeof(last));
	return r ? r : (int64_t)n;
}

/* --- memory objects ----------------------------------------------------------------------- */

/* A memory object, by its own handle or by that of a description over it. */
static int mobject_lookup(struct thread *t, uint64_t h, uint32_t rights, struct mobject **out)
{
	struct object *o;
	int r = native_lookup(t, h, K_OBJECT_MOBJECT, rights, &o);

	if (!r) {
		*out = mobject_of(o);
		return 0;
	}
	if (r != -EINVAL || native_lookup(t, h, K_OBJECT_DESCRIPTION, rights, &o))
		return r;
	if (description_of(o)->plane != K_PLANE_STREAM)
		return r;
	*out = description_of(o)->mobject;
	return 0;
}

int64_t native_mobject_create(struct thread *t, const uint64_t *a)
{
	struct mobject *m;
	int r = mobject_create(t->task->account, a[0], (uint32_t)a[1], &m);

	return r ? r : native_give(t, mobject_object(m), K_RIGHTS_ALL);
}

int64_t native_mobject_clone(struct thread *t, const uint64_t *a)
{
	struct mobject *parent, *m;
	int r = mobject_lookup(t, a[0], K_RIGHT_READ, &parent);

	if (!r)
		r = mobject_child(parent, t->task->account, a[1], a[2], &m);
	return r ? r : native_give(t, mobject_object(m), K_RIGHTS_ALL);
}

int64_t native_mobject_pager_create(struct thread *t, const uint64_t *a)
{
	struct mobject *m;
	struct object *e;
	int r = native_lookup(t, a[0], K_OBJECT_ENDPOINT, K_RIGHT_RECEIVE, &e);

	if (!r)
		r = mobject_pager_create(endpoint_of(e), a[1], a[2], &m);
	return r ? r : native_give(t, mobject_object(m), K_RIGHTS_ALL);
}

int64_t native_mobject_physical(struct thread *t, const uint64_t *a)
{
	struct mobject *m;
	struct object *o;
	int r = native_lookup(t, a[0], K_OBJECT_CONTROL, K_RIGHT_MANAGE, &o);

	if (!r)
		r = mobject_physical_create(a[1], a[2], &m);
	return r ? r : native_give(t, mobject_object(m), K_RIGHTS_ALL);
}

/* Partial transfers of these stay in progress.done while the server's own page is brought in. */
int64_t native_mobject_read(struct thread *t, const uint64_t *a)
{
	struct mobject *m;
	int r = mobject_lookup(t, a[0], K_RIGHT_READ, &m);

	return r ? r : mobject_read_user(m, t, a[1], a[2], a[3]);
}

int64_t native_mobject_write(struct thread *t, const uint64_t *a)
{
	struct mobject *m;
	int r = mobject_lookup(t, a[0], K_RIGHT_WRITE, &m);

	return r ? r : mobject_write_user(m, t, a[1], a[2], a[3]);
}

int64_t native_mobject_resize(struct thread *t, const uint64_t *a)
{
	struct mobject *m;
	int r = mobject_lookup(t, a[0], K_RIGHT_WRITE, &m);

	return r ? r : mobject_resize(m, a[1]);
}

int64_t native_mobject_punch(struct thread *t, const uint64_t *a)
{
	struct mobject *m;
	int r = mobject_lookup(t, a[0], K_RIGHT_WRITE, &m);

	return r ? r : mobject_punch(m, a[1], a[2]);
}

int64_t native_mobject_info(struct thread *t, const uint64_t *a)
{
	struct k_mobject_info info;
	struct mobject *m;
	int r = mobject_lookup(t, a[0], 0, &m);

	if (r)
		return r;
	mobject_info(m, &info);
	return user_write(t, a[1], &info, sizeof(info));
}

int64_t native_mobject_set(struct thread *t, const uint64_t *a)
{
	struct account *account = NULL;
	struct mobject *m;
	struct object *o;
	int r = mobject_lookup(t, a[0], K_RIGHT_WRITE, &m);

	if (!r && a[1] == K_MOBJECT_SET_ACCOUNT) {
		r = native_lookup(t, a[2], K_OBJECT_ACCOUNT, 0, &o);
		account = r ? NULL : container_of(o, struct account, object);
	}
	return r ? r : mobject_set(m, account, (enum k_mobject_set)a[1], a[2]);
}

int64_t native_mobject_supply(struct thread *t, const uint64_t *a)
{
	struct mobject *m;
	int r = mobject_lookup(t, a[0], K_RIGHT_WRITE, &m);

	return r ? r : mobject_supply(m, t, a[1], a[2], a[3], (uint32_t)a[4]);
}

int64_t native_mobject_collect_dirty(struct thread *t, const uint64_t *a)
{
	enum { BATCH = 64 };
	uint64_t offset, offsets[BATCH];
	struct mobject *m;
	int64_t n, r = mobject_lookup(t, a[0], K_RIGHT_READ, &m);

	if (!r)
		r = user_read(t, &offset, a[1], sizeof(offset));
	if (!r)		/* nothing may fail once pages are marked clean */
		r = user_prepare_write(t, a[1], sizeof(offset));
	if (!r)
		r = user_prepare_write(t, a[2], (a[3] < BATCH ? a[3] : BATCH) * sizeof(uint64_t));
	if (r)
		return r;
	n = mobject_collect_dirty(m, &offset, offsets, a[3] < BATCH ? a[3] : BATCH);
	if (n > 0)
		r = user_write(t, a[2], offsets, (uint64_t)n * sizeof(uint64_t));
	if (!r)
		r = user_write(t, a[1], &offset, sizeof(offset));
	return r ? r : n;
}

/* --- address spaces ----------------------------------------------------------------------- */

static int space_lookup(struct thread *t, uint64_t h, struct space **out)
{
	struct object *o;
	int r;

	if ((int32_t)h == -1) {
		*out = t->task->space;
		return 0;
	}
	r = native_lookup(t, h, K_OBJECT_SPACE, K_RIGHT_WRITE, &o);
	if (!r)
		*out = space_of(o);
	return r;
}

int64_t native_space_create(struct thread *t, const uint64_t *a)
{
	struct space *s;
	int r = space_create(t->task->account, &s);

	(void)a;
	return r ? r : native_give(t, space_object(s), K_RIGHTS_ALL);
}

/*
 * What the region is a window on: a memory object, or a description's; with the rights that its
 * flags need.
 */
static int map_object(struct thread *t, const struct k_map *m, struct mobject **object,
		      struct description **d)
{
	struct handle *h = table_slot(t->task->table, (uint32_t)m->object);
	uint32_t need = K_RIGHT_READ;

	if (m->object == -1)
		return 0;
	if (!h)
		return -EBADF;
	if (m->flags & K_MAP_WRITE && !(m->flags & K_MAP_PRIVATE))
		need |= K_RIGHT_WRITE;
	if ((h->rights & need) != need)
		return -EPERM;
	if (h->object->type == K_OBJECT_DESCRIPTION) {
		*d = description_of(h->object);
		if ((*d)->plane != K_PLANE_STREAM)
			return -ENODEV;
		*object = (*d)->mobject;
		return 0;
	}
	if (h->object->type != K_OBJECT_MOBJECT)
		return -EINVAL;
	*object = mobject_of(h->object);
	return 0;
}

int64_t native_space_map(struct thread *t, const uint64_t *a)
{
	struct mobject *object = NULL;
	struct description *d = NULL;
	struct space *s;
	struct k_map m;
	int64_t r = user_read(t, &m, a[0], sizeof(m));

	if (!r)
		r = space_lookup(t, (uint32_t)m.space, &s);
	if (!r)
		r = map_object(t, &m, &object, &d);
	if (!r)
		r = user_prepare_write(t, a[0], sizeof(m));
	if (!r)
		r = space_map(s, NULL, &m, object, d);
	return r ? r : user_write(t, a[0], &m, sizeof(m));
}

int64_t native_space_unmap(struct thread *t, const uint64_t *a)
{
	struct space *s;
	int r = space_lookup(t, a[0], &s);

	return r ? r : space_unmap(s, a[1], a[2]);
}

int64_t native_space_protect(struct thread *t, const uint64_t *a)
{
	struct space *s;
	int r = space_lookup(t, a[0], &s);

	return r ? r : space_protect(s, a[1], a[2], (uint32_t)a[3]);
}
