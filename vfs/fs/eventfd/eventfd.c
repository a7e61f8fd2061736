/* SPDX-License-Identifier: MIT */
/*
 * eventfd: a counter that is written and read like a file. It lives in the open file's record
 * (offset); the kernel knows only its readiness, through a source that the record holds (object).
 * Who has to wait is parked.
 *
 * Taking from the counter cannot be done again: the record keeps the last call that took something
 * and what it got, so that a call that comes again after its answer was refused, or after the
 * server died, gets the same.
 */
#include <errno.h>

#include "in.h"
#include "open.h"

#define EFD_SEMAPHORE 1u
#define MAX (UINT64_MAX - 1)

static struct srv_parked_list readers, writers;

/* parked->arg: the file; value[0]: what a writer adds, where a reader wants it */

static void readiness(const struct file *f)
{
	uint32_t set = (f->offset ? 1u : 0) | (f->offset < MAX ? 4u : 0);

	k_source_set(f->object, set, ~set & 5u, 1);
}

static void waiter_cancel(struct srv_parked *p, bool dead)
{
	uint64_t call = p->message.call;

	srv_unpark(p);
	if (!dead)
		srv_answer(call, -K_RESTART_SYS);
}

static int64_t park(struct request *r, struct file *f, struct srv_parked_list *list, uint64_t value)
{
	struct srv_parked *p = srv_park(r->m, waiter_cancel);

	if (!p)
		return -ENOMEM;
	p->arg = f;
	p->value[0] = value;
	srv_parked_append(list, p);
	return REQUEST_DONE;
}

static struct srv_parked *first_of(struct srv_parked_list *list, const struct file *f)
{
	struct srv_parked *p = list->first;

	while (p && p->arg != f)
		p = p->next;
	return p;
}

/* The value was not taken after all (a bad buffer). */
static void take_undo(void *arg, int error)
{
	struct file *f = arg;

	if (error == -K_REDELIVER)
		return;		/* it comes again, and f->call knows it */
	state_set(f->offset, f->offset + f->before);
	node_commit();
	readiness(f);
}

/* Takes the value for a call and answers it; where: the caller's buffer. */
static void take(struct file *f, uint64_t call, uint64_t where)
{
	static uint64_t value;

	if (f->call != call) {
		value = f->semaphore ? 1 : f->offset;
		undo_save(&f->offset, sizeof f->offset + sizeof f->call + sizeof f->before);
		f->offset -= value;
		f->call = call;
		f->before = value;
		request_commit();
	}
	srv_flush();		/* `value` may still be on its way to another */
	value = f->before;
	srv_answer(call, 8);
	srv_answer_copy(where, &value, 8);
	srv_answer_undo(take_undo, f);
}

/* After a change: whoever can go on does. Readers come first, since they make room for writers. */
static void wake(struct file *f)
{
	struct srv_parked *p;

	for (;;) {
		if (f->offset && (p = first_of(&readers, f))) {
			uint64_t call = p->message.call, where = p->value[0];

			srv_unpark(p);
			take(f, call, where);
		} else if ((p = first_of(&writers, f)) && p->value[0] <= MAX - f->offset) {
			uint64_t call = p->message.call;

			state_set(f->offset, f->offset + p->value[0]);
			srv_unpark(p);
			request_commit();
			srv_answer(call, 8);
		} else {
			break;
		}
	}
	readiness(f);
}

/* The first buffer of a read or write call: its address and size. */
static int64_t buffer_of(struct request *r, uint64_t *where)
{
	uint64_t v[2] = { request_arg(r, 1), request_arg(r, 2) };
	int64_t e;

	switch (r->m->number) {
	case 0: case 1:
		break;
	case 19: case 20:
		if (!v[1] || v[1] > 1024)
			return -EINVAL;
		e = k_caller_read(srv_endpoint(), r->m->call, v, v[0], sizeof v);
		if (e < 0)
			return e;
		break;
	default:
		return -ESPIPE;
	}
	*where = v[0];
	return v[1] < 8 ? -EINVAL : 0;
}

int64_t event_read(struct request *r, struct file *f)
{
	uint64_t where;
	int64_t e = buffer_of(r, &where);

	if (e)
		return e;
	if (!f->offset && f->call != r->m->call)
		return r->m->fd_flags & LX_O_NONBLOCK ? -EAGAIN : park(r, f, &readers, where);
	take(f, r->m->call, where);
	wake(f);
	return REQUEST_DONE;
}

int64_t event_write(struct request *r, struct file *f)
{
	uint64_t where, add;
	int64_t e = buffer_of(r, &where);

	if (!e)
		e = k_caller_read(srv_endpoint(), r->m->call, &add, where, sizeof add);
	if (e < 0)
		return e;
	if (add > MAX)
		return -EINVAL;
	if (add > MAX - f->offset)
		return r->m->fd_flags & LX_O_NONBLOCK ? -EAGAIN : park(r, f, &writers, add);
	state_set(f->offset, f->offset + add);
	node_commit_call(r->m->call, 8);
	srv_answer(r->m->call, 8);
	wake(f);
	return REQUEST_DONE;
}

static int64_t event_make(struct request *r, uint64_t value, uint32_t flags)
{
	struct k_description d = {
		.plane = K_PLANE_NONE, .object = -1, .object2 = -1, .flags = K_DESCRIPTION_NOSEEK
	};
	struct pos at = { vfs->anon, node_create(vfs->anon->fs, 0600, r->cred->fsuid,
						 r->cred->fsgid, request_now()) };
	struct file *f;
	int64_t h;

	if (!at.node)
		return -ENFILE;
	at.node->rdev = 2;	/* for its path: core/path.c */
	h = k_source_create();
	if (h < 0)
		return h;
	d.source = node_new_handle((int)h);
	h = open_describe(r->cred, FILE_EVENT, at, LX_O_RDWR | (flags & LX_O_NONBLOCK), &d, &f);
	if (h < 0)
		return h;
	f->object = d.source;
	f->offset = value;
	f->semaphore = flags & EFD_SEMAPHORE;
	readiness(f);
	open_install(r->m->call, (int)h, flags);
	return REQUEST_DONE;
}

int64_t in_eventfd(struct request *r)
{
	return event_make(r, (uint32_t)request_arg(r, 0), 0);
}

int64_t in_eventfd2(struct request *r)
{
	uint32_t flags = (uint32_t)request_arg(r, 1);

	return flags & ~(EFD_SEMAPHORE | LX_O_NONBLOCK | LX_O_CLOEXEC) ?
		       -EINVAL :
		       event_make(r, (uint32_t)request_arg(r, 0), flags);
}
