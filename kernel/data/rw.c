/* SPDX-License-Identifier: MIT */
/*
 * read, write, their p and v forms, lseek.
 *
 * Checks come in Linux's order, since each has its errno. What a call has moved before it blocks is
 * in progress.done, and the description's offset moves along with it; between its runs a call that
 * uses the offset owns it (offset_owner), and an append owns the object's end. Errors that bring a
 * signal or depend on policy decline.
 */
#include "core/account.h"
#include "core/ops.h"
#include "data/linux.h"
#include "data/operation.h"
#include "data/uio.h"
#include "lib/errno.h"
#include "mm/frame.h"
#include "mm/usercopy.h"

#define SLICE 65536ul	/* bytes moved before others are looked at */

/* One call's parameters once they are checked. */
struct transfer {
	struct description *d;
	struct uio u;
	int64_t position;	/* of the p forms; -1: the description's offset */
	bool append, nonblock;
};

#define ZERO_STEP (16 * PAGE_SIZE)	/* bytes of zeros at once, when all goes well */

/* --- /dev/zero ---------------------------------------------------------------------------- */

static int64_t zero_read(struct thread *t, struct uio *u)
{
	uint64_t moved = 0, step = ZERO_STEP, base;
	int64_t r = 0;

	while (u->size && !r) {
		uint64_t n = uio_contiguous(u, &base);

		n = smaller(n, step - (base & (step - 1)));
		r = user_zero(t, base, n);
		/* again by pages: what is before the bad one counts */
		if (r && !op_result_is_special(r) && step > PAGE_SIZE) {
			step = PAGE_SIZE;
			r = 0;
			continue;
		}
		if (r)
			break;
		uio_skip(u, n);
		moved += n;
		if (moved % SLICE < n && u->size && preempt_needed())
			r = t->flags & THREAD_EVENT ? -EINTR :
						      OP_PREEMPT; /* a signal: short count */
	}
	moved += t->progress.done;
	if (op_result_is_special(r))
		t->progress.done = moved;
	return op_result_is_special(r) || !moved ? r : (int64_t)moved;
}

/* --- streams: who moves the offset -------------------------------------------------------- */

/* 0 when t may use the description's offset; OP_BLOCK while another call is in the middle of it. */
static int64_t offset_claim(struct thread *t, struct description *d)
{
	if (d->offset_owner && d->offset_owner != t)
		return wait_on(t, &d->offset_waiters, K_WAIT_APPEND, K_RESTART_SYS);
	return 0;
}

/*
 * After a run that began at `start` of the stream, with `before` bytes done, and ended with r: the
 * call's result, or r if it is to run again; then it keeps its place.
 */
static int64_t stream_end(struct thread *t, struct transfer *x, uint64_t start, uint64_t before,
			  int64_t r)
{
	struct description *d = x->d;
	uint64_t done = t->progress.done;

	if (x->position < 0 && done != before)
		d->offset = start + (done - before);
	if (op_result_is_special(r) && r != OP_DECLINE) {
		if (x->position < 0)
			d->offset_owner = t;
		if (x->append)
			t->progress.aux[AUX_APPENDING] = 1;
		return r;
	}
	if (x->append) {
		mobject_append_end(d->mobject, t);
		t->progress.aux[AUX_APPENDING] = 0;
	}
	if (!t->progress.active)
		t->progress.done = 0;	/* spares the end of the call some work */
	return done ? (int64_t)done : r;
}

/* What the object's copies moved counts at once; true if there may be more. */
static bool stream_moved(struct thread *t, struct transfer *x, int64_t *r)
{
	if (*r <= 0)
		return false;
	t->progress.done += (uint64_t)*r;
	uio_skip(&x->u, (uint64_t)*r);
	*r = 0;
	if (x->u.size && preempt_needed())
		*r = OP_PREEMPT;
	return x->u.size && !*r;
}

static int64_t stream_read(struct thread *t, struct transfer *x)
{
	struct mobject *m = x->d->mobject;
	uint64_t start, before = t->progress.done;
	int64_t r = 0;

	if (!x->u.size)
		return (int64_t)t->progress.done;
	if (x->position < 0) {
		r = offset_claim(t, x->d);
		if (r)
			return r;
	}
	start = x->position < 0 ? x->d->offset : (uint64_t)x->position + before;
	do {
		uint64_t base, n = smaller(uio_contiguous(&x->u, &base), SLICE);

		r = mobject_read_user(m, t, start + (t->progress.done - before), base, n);
	} while (stream_moved(t, x, &r));
	if (t->progress.done != before && !(x->d->status & O_NOATIME))
		mobject_stamp(m, false);
	return stream_end(t, x, start, before, r);
}

/* --- streams: writing --------------------------------------------------------------------- */

/*
 * Cuts the transfer to what file size limits allow from `at` on. 0, or OP_DECLINE: nothing is
 * allowed, or the object's server has to grant room first.
 */
static int64_t write_limit(struct thread *t, struct transfer *x, uint64_t at)
{
	struct mobject *m = x->d->mobject;
	uint64_t limit = smaller(t->task->limit_fsize, INT64_MAX);
	uint64_t grant = mobject_grow_limit(m);

	if (at >= limit)
		return op_decline(t, EFBIG);
	x->u.size = smaller(x->u.size, limit - at);
	if (at + x->u.size <= grant)
		return 0;
	if (!op_authority(t))
		return op_decline(t, 0);
	if (at >= grant)
		return op_decline(t, ENOSPC);
	x->u.size = grant - at;
	return 0;
}

static int64_t write_run(struct thread *t, struct transfer *x, uint64_t start)
{
	uint64_t before = t->progress.done;
	int64_t r;

	do {
		uint64_t base, n = smaller(uio_contiguous(&x->u, &base), SLICE);

		r = mobject_write_user(x->d->mobject, t, start + (t->progress.done - before), base,
				       n);
	} while (stream_moved(t, x, &r));
	if (t->progress.done != before)
		mobject_stamp(x->d->mobject, true);
	return r;
}

/* Where this run begins; claims what the call has to own. */
static int64_t write_begin(struct thread *t, struct transfer *x, uint64_t *at)
{
	uint64_t *base = &t->progress.aux[AUX_APPEND_BASE];
	int64_t r = x->position < 0 ? offset_claim(t, x->d) : 0;

	if (r)
		return r;
	if (!x->append) {
		*at = x->position < 0 ? x->d->offset : (uint64_t)x->position + t->progress.done;
		return 0;
	}
	if (!t->progress.aux[AUX_APPENDING]) {
		r = mobject_append_begin(x->d->mobject, t);
		if (r)
			return r;
		*base = mobject_size(x->d->mobject);
	}
	*at = *base + t->progress.done;
	return 0;
}

static int64_t stream_write(struct thread *t, struct transfer *x)
{
	uint64_t start, before = t->progress.done;
	int64_t r;

	if (!x->u.size)
		return (int64_t)before;
	r = write_begin(t, x, &start);
	if (r)
		return r;
	r = write_limit(t, x, start);
	if (!r)
		r = write_run(t, x, start);
	if (!t->progress.done && (r == -ENOSPC || r == -EIO || r == -EFBIG))
		r = op_decline(t, (int)-r);
	else if (r == OP_DECLINE && t->progress.done)
		r = 0;		/* a short count first; the next call meets the limit */
	return stream_end(t, x, start, before, r);
}

/* --- sockets ------------------------------------------------------------------------------ */

int64_t op_socket_declines(struct thread *t, struct description *d, uint32_t direction)
{
	if (d->plane != K_PLANE_SOCKET || !source_declines(d->source, direction))
		return 0;
	if (op_authority(t) && t->message.flags & K_MSGF_DECLINED)
		return 0;
	return t->progress.done ? (int64_t)t->progress.done : op_decline(t, 0);
}

/*
 * The end of the file, but the peer went without reading all that it had been sent: its server
 * knows better (ECONNRESET).
 */
static bool socket_reset(struct thread *t, const struct description *d)
{
	return description_reset(d) && !pipe_bytes(d->pipe) &&
	       !(op_authority(t) && t->message.flags & K_MSGF_DECLINED);
}

/* Linux's sockets do not tell of a broken pipe by a call that has moved something; its pipes do. */
static int64_t socket_write(struct thread *t, struct transfer *x)
{
	int64_t r = op_socket_declines(t, x->d, K_SOURCE_DECLINE_WRITE);

	if (!r)
		r = pipe_write(x->d->pipe2, t, &x->u, x->nonblock);
	return r == OP_DECLINE && t->progress.done ? (int64_t)t->progress.done : r;
}

/* --- dispatch by plane -------------------------------------------------------------------- */

static int64_t transfer_read(struct thread *t, struct transfer *x)
{
	struct description *d = x->d;
	int64_t r;

	if (t->progress.interrupted)
		return op_interrupted(t, d);
	if (d->flags & K_DESCRIPTION_DIRECTORY)
		return -EISDIR;
	if (d->decline & K_DECLINE_READ && !op_authority(t))
		return op_decline(t, 0);
	if (t->progress.done)
		uio_skip(&x->u, t->progress.done);
	switch (d->plane) {
	case K_PLANE_STREAM:
		if (mobject_decline(d->mobject) & K_DECLINE_READ && !op_authority(t))
			return op_decline(t, 0);
		return stream_read(t, x);
	case K_PLANE_SOCKET:
		r = op_socket_declines(t, d, K_SOURCE_DECLINE_READ);
		if (r)
			return r;
		if (socket_reset(t, d))
			return op_decline(t, 0);
		/* fall through */
	case K_PLANE_PIPE_READ:
	case K_PLANE_PIPE_BOTH:
		return pipe_read(d->pipe, t, &x->u, x->nonblock);
	case K_PLANE_NULL:
		return 0;
	case K_PLANE_ZERO:
	case K_PLANE_FULL:
		return zero_read(t, &x->u);
	case K_PLANE_WAITSET:
	case K_PLANE_PIPE_WRITE:
		return -EINVAL;
	default:
		return op_decline(t, 0);
	}
}

static int64_t transfer_write(struct thread *t, struct transfer *x)
{
	struct description *d = x->d;

	if (t->progress.interrupted)
		return op_interrupted(t, d);
	if (d->decline & K_DECLINE_WRITE && !op_authority(t))
		return op_decline(t, 0);
	if (t->progress.done)
		uio_skip(&x->u, t->progress.done);
	switch (d->plane) {
	case K_PLANE_STREAM:
		if (mobject_decline(d->mobject) & K_DECLINE_WRITE && !op_authority(t))
			return op_decline(t, 0);
		return stream_write(t, x);
	case K_PLANE_SOCKET:
		return socket_write(t, x);
	case K_PLANE_PIPE_WRITE:
	case K_PLANE_PIPE_BOTH:
		return pipe_write(d->pipe, t, &x->u, x->nonblock);
	case K_PLANE_NULL:
	case K_PLANE_ZERO:
		return (int64_t)x->u.size;
	case K_PLANE_FULL:
		return -ENOSPC;
	case K_PLANE_WAITSET:
	case K_PLANE_PIPE_READ:
		return -EINVAL;
	default:
		return op_decline(t, 0);
	}
}

static bool seekable(const struct description *d)
{
	if (d->flags & K_DESCRIPTION_NOSEEK)
		return false;
	return d->plane < K_PLANE_PIPE_READ || d->plane > K_PLANE_SOCKET;
}

/* --- plain forms -------------------------------------------------------------------------- */

/*
 * u, the transfer's only segment, is user memory of this size. Linux's order: access mode, address,
 * position.
 */
static int64_t plain_check(struct transfer *x, unsigned access, struct segment *s)
{
	uint64_t at = x->position < 0 ? x->d->offset : (uint64_t)x->position;

	if (!(x->d->access & access))
		return -EBADF;
	if (!user_range_valid(s->base, s->size))
		return -EFAULT;
	if ((int64_t)(at + s->size) < 0)
		return -EINVAL;
	s->size = smaller(s->size, RW_MAX);
	x->u.segment = s;
	x->u.size = s->size;
	return 0;
}

static void transfer_init(struct transfer *x, struct description *d, int64_t position)
{
	x->d = d;
	x->position = position;
	x->append = d->status & O_APPEND;
	x->nonblock = d->status & O_NONBLOCK;
	x->u.kernel = false;
}

static int64_t plain_read(struct thread *t, const uint64_t *arg, struct description *d,
			  int64_t position, bool nonblock)
{
	struct segment s = { arg[1], arg[2] };
	struct transfer x;
	int64_t r;

	transfer_init(&x, d, position);
	x.append = false;
	x.nonblock |= nonblock;
	r = plain_check(&x, DESCRIPTION_READ, &s);
	return r ? r : op_leave(t, d, transfer_read(t, &x));
}

static int64_t plain_write(struct thread *t, const uint64_t *arg, struct description *d,
			   int64_t position, bool nonblock)
{
	struct segment s = { arg[1], arg[2] };
	struct transfer x;
	int64_t r;

	transfer_init(&x, d, position);
	x.nonblock |= nonblock;
	r = plain_check(&x, DESCRIPTION_WRITE, &s);
	return r ? r : op_leave(t, d, transfer_write(t, &x));
}

int64_t op_read(struct thread *t, const uint64_t *arg)
{
	struct description *d = op_description(t, arg[0]);

	return d ? plain_read(t, arg, d, -1, false) : -EBADF;
}

int64_t op_write(struct thread *t, const uint64_t *arg)
{
	struct description *d = op_description(t, arg[0]);

	return d ? plain_write(t, arg, d, -1, false) : -EBADF;
}

/*
 * sendto and recvfrom are write and read where there is a socket plane, no address, and only flags
 * that say no more than O_NONBLOCK does. The rest is the server's: also a read of nothing, which
 * waits.
 */
static bool socket_plain(const struct description *d, uint64_t address, uint32_t flags,
			 uint32_t known)
{
	return d->plane == K_PLANE_SOCKET && !address && !(flags & ~known);
}

int64_t op_sendto(struct thread *t, const uint64_t *arg)
{
	struct description *d = op_description(t, arg[0]);

	if (!d)
		return -EBADF;
	if (!socket_plain(d, arg[4], (uint32_t)arg[3], MSG_DONTWAIT | MSG_NOSIGNAL))
		return op_decline(t, 0);
	return plain_write(t, arg, d, -1, arg[3] & MSG_DONTWAIT);
}

int64_t op_recvfrom(struct thread *t, const uint64_t *arg)
{
	struct description *d = op_description(t, arg[0]);

	if (!d)
		return -EBADF;
	if (!socket_plain(d, arg[4], (uint32_t)arg[3], MSG_DONTWAIT) || !arg[2])
		return op_decline(t, 0);
	return plain_read(t, arg, d, -1, arg[3] & MSG_DONTWAIT);
}

/* The description for a call with a position: EINVAL comes before EBADF before ESPIPE. */
static int64_t positioned(struct thread *t, uint64_t fd, int64_t position, struct description **d)
{
	if (position < 0)
		return -EINVAL;
	*d = op_description(t, fd);
	if (!*d || (*d)->flags & K_DESCRIPTION_PATH)
		return -EBADF;
	return seekable(*d) ? 0 : -ESPIPE;
}

int64_t op_pread64(struct thread *t, const uint64_t *arg)
{
	struct description *d;
	int64_t r = positioned(t, arg[0], (int64_t)arg[3], &d);

	return r ? r : plain_read(t, arg, d, (int64_t)arg[3], false);
}

int64_t op_pwrite64(struct thread *t, const uint64_t *arg)
{
	struct description *d;
	int64_t r = positioned(t, arg[0], (int64_t)arg[3], &d);

	return r ? r : plain_write(t, arg, d, (int64_t)arg[3], false);
}

/* --- vector forms ------------------------------------------------------------------------- */

/* What RWF_ flags mean for this transfer: 0, EOPNOTSUPP, or OP_DECLINE. */
static int64_t vector_flags(struct thread *t, struct transfer *x, uint32_t flags)
{
	if (flags & ~RWF_SUPPORTED)
		return -EOPNOTSUPP;
	if (x->d->plane == K_PLANE_STREAM && flags & (RWF_DSYNC | RWF_SYNC | RWF_NOWAIT) &&
	    !op_authority(t))
		return op_decline(t, 0);
	if (flags & RWF_NOWAIT)
		x->nonblock = true;
	if (flags & RWF_APPEND)
		x->append = true;
	return 0;
}

static int64_t vector(struct thread *t, const uint64_t *arg, struct description *d,
		      int64_t position, uint32_t flags, unsigned access)
{
	struct transfer x;
	uint64_t at = position < 0 ? d->offset : (uint64_t)position;
	int64_t r;

	if (d->plane == K_PLANE_NONE &&
	    !(d->flags & (K_DESCRIPTION_PATH | K_DESCRIPTION_DIRECTORY)))
		return op_decline(t, 0);
	if (d->flags & K_DESCRIPTION_PATH)
		return -EBADF;
	transfer_init(&x, d, position);
	r = uio_import(&x.u, t, arg[1], arg[2]);
	if (!r && !(d->access & access))
		r = -EBADF;
	if (r)
		return op_leave(t, d, r);
	if (!x.u.size)
		return 0;
	if ((int64_t)(at + x.u.size) < 0)
		return -EINVAL;
	r = flags ? vector_flags(t, &x, flags) : 0;
	if (r)
		return r;
	if (access == DESCRIPTION_WRITE)
		return op_leave(t, d, transfer_write(t, &x));
	x.append = false;
	return op_leave(t, d, transfer_read(t, &x));
}

int64_t op_readv(struct thread *t, const uint64_t *arg)
{
	struct description *d = op_description(t, arg[0]);

	return d ? vector(t, arg, d, -1, 0, DESCRIPTION_READ) : -EBADF;
}

int64_t op_writev(struct thread *t, const uint64_t *arg)
{
	struct description *d = op_description(t, arg[0]);

	return d ? vector(t, arg, d, -1, 0, DESCRIPTION_WRITE) : -EBADF;
}

static int64_t vector_at(struct thread *t, const uint64_t *arg, uint32_t flags, unsigned access)
{
	struct description *d;
	int64_t r = positioned(t, arg[0], (int64_t)arg[3], &d);

	return r ? r : vector(t, arg, d, (int64_t)arg[3], flags, access);
}

int64_t op_preadv(struct thread *t, const uint64_t *arg)
{
	return vector_at(t, arg, 0, DESCRIPTION_READ);
}

int64_t op_pwritev(struct thread *t, const uint64_t *arg)
{
	return vector_at(t, arg, 0, DESCRIPTION_WRITE);
}

/* Position -1 means the description's offset. */
static int64_t vector_flagged(struct thread *t, const uint64_t *arg, unsigned access)
{
	struct description *d;

	if ((int64_t)arg[3] != -1)
		return vector_at(t, arg, (uint32_t)arg[5], access);
	d = op_description(t, arg[0]);
	return d ? vector(t, arg, d, -1, (uint32_t)arg[5], access) : -EBADF;
}

int64_t op_preadv2(struct thread *t, const uint64_t *arg)
{
	return vector_flagged(t, arg, DESCRIPTION_READ);
}

int64_t op_pwritev2(struct thread *t, const uint64_t *arg)
{
	return vector_flagged(t, arg, DESCRIPTION_WRITE);
}

/* --- lseek -------------------------------------------------------------------------------- */

static int64_t stream_seek(struct thread *t, struct description *d, int64_t offset, uint32_t whence)
{
	int64_t r = t->progress.interrupted ? op_interrupted(t, d) : offset_claim(t, d);

	if (r)
		return op_leave(t, d, r);
	if (whence == SEEK_CUR)
		offset = (int64_t)((uint64_t)offset + d->offset);
	else if (whence == SEEK_END)
		offset = (int64_t)((uint64_t)offset + mobject_size(d->mobject));
	if (offset < 0)
		return -EINVAL;
	d->offset = (uint64_t)offset;
	return offset;
}

int64_t op_lseek(struct thread *t, const uint64_t *arg)
{
	struct description *d = op_description(t, arg[0]);
	uint32_t whence = (uint32_t)arg[2];

	if (!d || d->flags & K_DESCRIPTION_PATH)
		return -EBADF;
	if (whence > SEEK_HOLE)
		return -EINVAL;
	if (!seekable(d))
		return -ESPIPE;
	if (d->decline & K_DECLINE_SEEK && !op_authority(t))
		return op_decline(t, 0);
	if (d->plane == K_PLANE_STREAM && whence <= SEEK_END)
		return stream_seek(t, d, (int64_t)arg[1], whence);
	if (d->plane == K_PLANE_STREAM || d->plane == K_PLANE_NONE)
		return op_decline(t, 0);
	return 0;	/* the devices and epoll stay at 0 */
}
