/* SPDX-License-Identifier: MIT */
/*
 * Open file descriptions, and what operations on them share.
 *
 * A description ends in two steps. With its last reference (handles, blocked operations, mappings)
 * the data plane goes at once, so that end of file and EPIPE come as soon as on Linux; then it
 * stays in its endpoint's list of closes until the server has been told its cookie.
 */
#include "data/description.h"
#include "data/linux.h"
#include "data/operation.h"
#include "data/pipe.h"
#include "data/waitset.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/kmalloc.h"

static bool is_type(const struct object *o, enum k_object_type type)
{
	return o && o->type == type;
}

static bool objects_fit(uint32_t plane, const struct object *o, const struct object *o2)
{
	switch (plane) {
	case K_PLANE_STREAM:
		return is_type(o, K_OBJECT_MOBJECT) && !o2;
	case K_PLANE_PIPE_READ:
	case K_PLANE_PIPE_WRITE:
	case K_PLANE_PIPE_BOTH:
		return is_type(o, K_OBJECT_PIPE) && !o2;
	case K_PLANE_SOCKET:
		return is_type(o, K_OBJECT_PIPE) && is_type(o2, K_OBJECT_PIPE);
	default:
		return plane <= K_PLANE_WAITSET && !o && !o2;
	}
}

static bool plane_reads_pipe(const struct description *d)
{
	return d->plane == K_PLANE_PIPE_READ || d->plane == K_PLANE_PIPE_BOTH ||
	       d->plane == K_PLANE_SOCKET;
}

/* The pipe it writes to, or NULL. */
static struct pipe *plane_write_pipe(const struct description *d)
{
	if (d->plane == K_PLANE_SOCKET)
		return d->pipe2;
	return d->plane == K_PLANE_PIPE_WRITE || d->plane == K_PLANE_PIPE_BOTH ? d->pipe : NULL;
}

static int plane_open(struct description *d, struct object *o, struct object *o2)
{
	struct pipe *out;

	if (d->plane == K_PLANE_WAITSET)
		return waitset_create(d, &d->waitset);
	if (d->plane == K_PLANE_STREAM) {
		d->mobject = mobject_of(o);
	} else if (o) {
		d->pipe = pipe_of(o);
		if (o2)
			d->pipe2 = pipe_of(o2);
		if (plane_reads_pipe(d)) {
			/* one that is there has come */
			d->writers_seen = pipe_writers_seen(d->pipe) - !pipe_at_end(d->pipe);
			pipe_open(d->pipe, true, false);
		}
		out = plane_write_pipe(d);
		if (out)
			pipe_open(out, false, true);
	}
	if (o)
		object_get(o);
	if (o2)
		object_get(o2);
	return 0;
}

static void plane_close(struct description *d)
{
	struct pipe *out = plane_write_pipe(d);

	if (d->plane == K_PLANE_WAITSET)
		waitset_destroy(d->waitset);
	if (d->plane == K_PLANE_STREAM)
		object_put(mobject_object(d->mobject));
	if (out)
		pipe_close(out, false, true);
	if (plane_reads_pipe(d))
		pipe_close(d->pipe, true, false);
	if (out)
		object_put(pipe_object(out));
	if (plane_reads_pipe(d) && (d->plane == K_PLANE_SOCKET || out != d->pipe))
		object_put(pipe_object(d->pipe));
}

int description_create(struct endpoint *e, const struct k_description *k, struct object *object,
		       struct object *object2, struct source *source, struct description **out)
{
	struct description *d;
	int r;

	if (!objects_fit(k->plane, object, object2) || (k->decline & ~0x1fu) || (k->flags & ~0x1fu))
		return -EINVAL;
	d = kzalloc(sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->cookie = k->cookie;
	d->status = k->status;
	d->decline = k->decline;
	d->plane = (uint8_t)k->plane;
	d->flags = (uint8_t)k->flags;
	d->access = k->flags & K_DESCRIPTION_PATH ?
			    0 :
			    ((k->status & O_ACCMODE) + 1) & (DESCRIPTION_READ | DESCRIPTION_WRITE);
	d->offset = k->offset;
	wait_queue_init(&d->offset_waiters);
	list_init(&d->watches);
	list_init(&d->source_link);
	r = plane_open(d, object, object2);
	if (r) {
		kfree(d);
		return r;
	}
	object_init(&d->object, K_OBJECT_DESCRIPTION);
	d->endpoint = e;
	object_get(&e->object);
	list_append(&e->descriptions, &d->endpoint_link);
	d->source = source;
	if (source)
		object_get(&source->object);
	if (source && d->plane == K_PLANE_SOCKET)
		list_append(&source->sockets, &d->source_link);
	*out = d;
	return 0;
}

void description_destroy(struct object *o)
{
	struct description *d = description_of(o);

	waitset_forget(d);
	plane_close(d);
	list_remove(&d->source_link);
	if (d->source)
		object_put(&d->source->object);
	list_remove(&d->endpoint_link);
	if (d->flags & K_DESCRIPTION_QUIET)
		description_free(d);
	else
		endpoint_closed(d->endpoint, &d->endpoint_link, d->flags & K_DESCRIPTION_EAGER);
}

void description_free(struct description *d)
{
	struct endpoint *e = d->endpoint;

	kfree(d);
	object_put(&e->object);
}

/* --- readiness ---------------------------------------------------------------------------- */

/*
 * A socket's end of file and broken pipe have names of their own. A direction that its source
 * declines is the source's alone.
 */
bool description_reset(const struct description *d)
{
	return pipe_at_end(d->pipe) && pipe_broken(d->pipe2) && pipe_bytes(d->pipe2);
}

static uint32_t socket_ready(struct description *d)
{
	uint32_t decline = d->source ? d->source->decline : 0;
	uint32_t ready = 0;

	if (!(decline & K_SOURCE_DECLINE_READ))
		ready |= (pipe_read_ready(d->pipe, d->writers_seen) & POLL_IN) |
			 (pipe_at_end(d->pipe) ? POLL_IN | POLLRDHUP : 0);
	if (!(decline & K_SOURCE_DECLINE_WRITE))
		ready |= (pipe_write_ready(d->pipe2) & POLL_OUT) |
			 (pipe_broken(d->pipe2) ? POLL_OUT : 0);
	if (!pipe_at_end(d->pipe) || !pipe_broken(d->pipe2))
		return ready;
	/*
	 * The end of a connection that was half closed shows at once, too, and not only when the
	 * server hears of it.
	 */
	if (!(decline & (K_SOURCE_DECLINE_READ | K_SOURCE_DECLINE_WRITE)))
		ready |= POLLHUP | (description_reset(d) ? POLLERR : 0);
	return ready | (pipe_read_ready(d->pipe, d->writers_seen) & POLLHUP);
}

uint32_t description_ready(struct description *d)
{
	uint32_t more = d->source ? d->source->bits : 0;

	switch (d->plane) {
	case K_PLANE_PIPE_READ:
		return more | pipe_read_ready(d->pipe, d->writers_seen);
	case K_PLANE_PIPE_WRITE:
		return more | pipe_write_ready(d->pipe);
	case K_PLANE_PIPE_BOTH:
		return more | pipe_read_ready(d->pipe, d->writers_seen) | pipe_write_ready(d->pipe);
	case K_PLANE_SOCKET:
		return more | socket_ready(d);
	case K_PLANE_WAITSET:
		return more | waitset_ready(d->waitset);
	default:
		return d->source ? more : POLL_IN | POLL_OUT;
	}
}

unsigned description_sources(struct description *d, struct source **out)
{
	struct pipe *to = plane_write_pipe(d);
	unsigned n = 0;

	if (d->source)
		out[n++] = d->source;
	if (plane_reads_pipe(d))
		out[n++] = pipe_read_source(d->pipe);
	if (to)
		out[n++] = pipe_write_source(to);
	if (d->plane == K_PLANE_WAITSET)
		out[n++] = waitset_source(d->waitset);
	return n;
}

bool description_pollable(const struct description *d)
{
	switch (d->plane) {
	case K_PLANE_PIPE_READ:
	case K_PLANE_PIPE_WRITE:
	case K_PLANE_PIPE_BOTH:
	case K_PLANE_SOCKET:
	case K_PLANE_WAITSET:
		return true;
	default:
		return d->source && !(d->flags & K_DESCRIPTION_DIRECTORY);
	}
}

/* --- operations that run again ------------------------------------------------------------ */

/* Gives up the ownership of offset and append. */
static void op_disown(struct thread *t, struct description *d)
{
	if (t->progress.aux[AUX_APPENDING])
		mobject_append_end(d->mobject, t);
	t->progress.aux[AUX_APPENDING] = 0;
	if (d->offset_owner != t)
		return;
	d->offset_owner = NULL;
	/* All of them: one that is killed before it runs could not pass a single wake-up on. */
	wait_queue_wake(&d->offset_waiters, INT32_MAX);
}

static void op_pass(struct thread *t, struct description *d)
{
	struct pipe *out = plane_write_pipe(d);

	op_disown(t, d);
	if (plane_reads_pipe(d))
		pipe_pass(d->pipe);
	if (out)
		pipe_pass(out);
	if (d->plane == K_PLANE_WAITSET)
		waitset_pass(d->waitset);
}

static void op_release(struct thread *t)
{
	struct description *d = t->progress.object;

	op_pass(t, d);
	object_put(&d->object);
}

int64_t op_interrupted(struct thread *t, struct description *d)
{
	op_pass(t, d);
	t->progress.interrupted = false;
	return t->progress.done ? (int64_t)t->progress.done : -K_RESTART_SYS;
}

void op_pin(struct thread *t, struct description *d, int64_t deadline)
{
	struct progress *p = &t->progress;

	p->active = true;
	p->deadline = deadline;
	p->object = d;
	p->release = op_release;
	object_get(&d->object);
}
