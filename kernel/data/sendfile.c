/* SPDX-License-Identifier: MIT */
/*
 * sendfile from a stream to a stream or a pipe: page by page, from the source's frame straight to
 * the destination. Other pairs of planes are the servers'. The source's position and progress.done
 * advance together with each page.
 */
#include "arch/paging.h"
#include "core/ops.h"
#include "data/linux.h"
#include "data/operation.h"
#include "data/uio.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/usercopy.h"

struct copy {
	struct description *in, *out;
	uint64_t at;		/* in the source */
	uint64_t left;
};

static bool out_is_pipe(const struct description *d)
{
	return d->plane == K_PLANE_PIPE_WRITE || d->plane == K_PLANE_PIPE_BOTH ||
	       d->plane == K_PLANE_SOCKET;
}

static struct pipe *out_pipe(const struct description *d)
{
	return d->plane == K_PLANE_SOCKET ? d->pipe2 : d->pipe;
}

/* Kernel bytes into the stream at its offset. 0, errno, OP_*. */
static int64_t stream_put(struct thread *t, struct description *d, const char *from, uint64_t n,
			  uint64_t *moved)
{
	while (n) {
		uint64_t piece = smaller(n, PAGE_SIZE - (d->offset & PAGE_MASK)), pa;
		int64_t r = mobject_page(d->mobject, t, d->offset >> PAGE_SHIFT, true, &pa);

		if (r)
			return r;
		/* first, for it zeroes what comes into sight */
		if (d->offset + piece > mobject_size(d->mobject)) {
			r = mobject_resize(d->mobject, d->offset + piece);
			if (r)
				return r;
		}
		memcpy((char *)phys_to_virt(pa) + (d->offset & PAGE_MASK), from, piece);
		mobject_stamp(d->mobject, true);
		d->offset += piece;
		from += piece;
		n -= piece;
		*moved += piece;
	}
	return 0;
}

static int64_t out_put(struct thread *t, struct description *d, char *from, uint64_t n,
		       uint64_t *moved)
{
	struct segment s = { (uint64_t)from, n };
	struct uio u = { .segment = &s, .size = n, .kernel = true };

	return out_is_pipe(d) ? pipe_put(out_pipe(d), t, &u, false, moved) :
				stream_put(t, d, from, n, moved);
}

/* One page at most. 0 also at the end of the source (then nothing moved). */
static int64_t copy_page(struct thread *t, struct copy *c, uint64_t *moved)
{
	uint64_t size = mobject_size(c->in->mobject), n, pa;
	int64_t r;

	if (c->at >= size)
		return 0;
	n = smaller(smaller(c->left, size - c->at), PAGE_SIZE - (c->at & PAGE_MASK));
	r = mobject_page(c->in->mobject, t, c->at >> PAGE_SHIFT, false, &pa);
	if (r)
		return r;
	frame_pin(pa);		/* making room for the copy could evict it */
	r = out_put(t, c->out, (char *)phys_to_virt(pa) + (c->at & PAGE_MASK), n, moved);
	frame_unpin(pa);
	return r;
}

/* A stream must have room for all of it, or its server is asked. */
static int64_t out_limit(struct thread *t, struct copy *c)
{
	struct description *d = c->out;
	uint64_t limit = smaller(t->task->limit_fsize, INT64_MAX), available, end;

	if (d->plane != K_PLANE_STREAM)
		return 0;
	available = mobject_size(c->in->mobject);
	available = c->at < available ? smaller(available - c->at, c->left) : 0;
	if (available && d->offset >= limit)
		return op_decline(t, EFBIG);
	end = d->offset + smaller(available, limit - d->offset);
	c->left = end - d->offset;
	return end > mobject_grow_limit(d->mobject) ? op_decline(t, 0) : 0;
}

/* Linux's order of checks; a plane that is not ours declines. */
static int64_t copy_check(struct thread *t, struct copy *c, bool positioned)
{
	if (!c->in || !(c->in->access & DESCRIPTION_READ))
		return -EBADF;
	if (positioned && (c->in->flags & K_DESCRIPTION_NOSEEK ||
			   (c->in->plane >= K_PLANE_PIPE_READ && c->in->plane <= K_PLANE_SOCKET)))
		return -ESPIPE;
	if ((int64_t)c->at < 0 || (int64_t)(c->at + c->left) < 0)
		return -EINVAL;
	if (!c->out || !(c->out->access & DESCRIPTION_WRITE))
		return -EBADF;
	if (c->in->plane != K_PLANE_STREAM ||
	    !(out_is_pipe(c->out) || c->out->plane == K_PLANE_STREAM))
		return op_decline(t, 0);
	if (c->out->status & O_APPEND)
		return -EINVAL;
	if (op_authority(t))
		return 0;
	if (((c->in->decline | mobject_decline(c->in->mobject)) & K_DECLINE_READ) ||
	    (c->out->decline & K_DECLINE_WRITE) ||
	    (c->out->plane == K_PLANE_STREAM && mobject_decline(c->out->mobject) & K_DECLINE_WRITE))
		return op_decline(t, 0);
	return 0;
}

static int64_t copy_run(struct thread *t, struct copy *c)
{
	uint64_t *done = &t->progress.done;
	int64_t r = op_socket_declines(t, c->out, K_SOURCE_DECLINE_WRITE);

	if (r)
		return r;
	while (c->left && !r) {
		uint64_t before = *done;

		r = copy_page(t, c, done);
		c->at += *done - before;
		c->left -= *done - before;
		if (!r && *done == before)
			break;		/* end of the source */
		if (!r && c->left && preempt_needed())
			r = OP_PREEMPT;
	}
	if (r == -EPIPE)
		return c->out->plane == K_PLANE_SOCKET && *done ? (int64_t)*done :
								  op_decline(t, EPIPE);
	if (r == -EAGAIN && !(c->out->status & O_NONBLOCK))
		return pipe_wait_writable(out_pipe(c->out), t);
	return r;
}

/* Result of the call: where the source stands goes to *offset or to its description. */
static int64_t copy_end(struct thread *t, struct copy *c, uint64_t offset, int64_t r)
{
	if (offset) {
		int64_t w = user_write(t, offset, &c->at, sizeof(c->at));

		if (w)
			return w;
	} else {
		c->in->offset = c->at;
	}
	return t->progress.done ? (int64_t)t->progress.done : r;
}

/*
 * aux[AUX_START] is where the source began; the destination is pinned, the source is looked up
 * again.
 */
int64_t op_sendfile(struct thread *t, const uint64_t *arg)
{
	struct copy c = { .out = op_description(t, arg[0]),
			  .in = description_get(t, arg[1]),
			  .left = smaller(arg[3], RW_MAX) };
	bool again = t->progress.active;
	int64_t r = 0;

	if (again)
		c.at = t->progress.aux[AUX_START];
	else if (arg[2])
		r = user_read(t, &c.at, arg[2], sizeof(c.at));
	else if (c.in)
		c.at = c.in->offset;
	if (r)
		return r;
	t->progress.aux[AUX_START] = c.at;
	c.at += t->progress.done;
	c.left -= t->progress.done;
	r = copy_check(t, &c, arg[2]);
	if (!r && !again)
		r = out_limit(t, &c);
	if (r)
		return c.out ? op_leave(t, c.out, r) : r;
	r = t->progress.interrupted ? -K_RESTART_SYS : copy_run(t, &c);
	if (r != OP_DECLINE && op_result_is_special(r))
		return op_leave(t, c.out, r);
	if (r == OP_DECLINE && !arg[2])
		c.in->offset = c.at;
	if (r != OP_DECLINE)
		r = copy_end(t, &c, arg[2], r);
	if (t->progress.interrupted && !op_result_is_special(r))
		op_interrupted(t, c.out);
	return op_leave(t, c.out, r);
}
