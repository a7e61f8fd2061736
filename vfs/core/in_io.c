/* SPDX-License-Identifier: MIT */
/*
 * Calls on descriptors that the kernel leaves to the server: reads and writes that its shortcut
 * declined, lseek, ioctl, fcntl, fsync, copy_file_range. Data itself never comes here; what comes
 * is the exceptional case, with what was done so far in extra[0] and the reason (an errno) in
 * extra[1].
 */
#include <errno.h>

#include "in.h"
#include "op.h"
#include "procfs.h"
#include "socket.h"
#include "in_socket.h"

/* --- read and write ----------------------------------------------------------------------- */

static int64_t done_or(struct request *r, int64_t error)
{
	return r->m->extra[0] ? (int64_t)r->m->extra[0] : error;
}

int64_t in_read(struct request *r)
{
	struct file *f;
	int64_t e = request_file(r, &f);

	if (e)
		return e;
	if (f->status & LX_O_PATH || !f->may_read)
		return -EBADF;
	if (f->kind == FILE_DIRECTORY)
		return -EISDIR;
	if (f->kind == FILE_SOCKET)
		return socket_read(r, socket_of(f));
	if (r->m->extra[1])
		return done_or(r, -(int64_t)r->m->extra[1]);
	if (f->kind == FILE_PROC)
		return proc_read(r, f);
	if (f->kind == FILE_EVENT)
		return event_read(r, f);
	return f->kind == FILE_EPOLL ? -EINVAL : done_or(r, -EIO);
}

/*
 * The kernel could not finish a write: a reason that is an error, with its signal where it has one.
 * What was written is the result, but a pipe's broken end is told by its signal all the same.
 */
static int64_t write_failed(struct request *r, int reason)
{
	if (r->m->extra[0] && reason != EPIPE)
		return (int64_t)r->m->extra[0];
	switch (reason) {
	case EPIPE:
		return request_fail(r, EPIPE, LX_SIGPIPE);
	case EFBIG:
		return request_fail(r, EFBIG, LX_SIGXFSZ);
	case ENOMEM:
		return -ENOSPC;		/* the account of a tmpfs is full */
	}
	return -reason;
}

int64_t in_write(struct request *r)
{
	struct file *f;
	int64_t e = request_file(r, &f);

	if (e)
		return e;
	if (f->status & LX_O_PATH || !f->may_write)
		return -EBADF;
	if (f->kind == FILE_SOCKET)
		return socket_write(r, socket_of(f));
	if (r->m->extra[1])
		return write_failed(r, (int)r->m->extra[1]);
	if (f->kind == FILE_PROC)
		return proc_write(r, f);
	if (f->kind == FILE_EVENT)
		return event_write(r, f);
	if (f->kind != FILE_PLAIN || !node_is(f->at.node, LX_S_IFREG))
		return -EINVAL;
	op_clear_setid(r, f->at.node);		/* what the memory object's decline mask is for */
	return request_kernel(r);
}

/* sendfile and its like: arg 0 is the descriptor that is written. */
int64_t in_sendfile(struct request *r)
{
	struct k_caller_cookie c;
	struct file *from, *to;
	int64_t e;

	if (r->m->flags & K_MSGF_FOREIGNFD)
		return -EINVAL;
	if (r->m->extra[0])
		return (int64_t)r->m->extra[0];
	if (r->m->extra[1])
		return write_failed(r, (int)r->m->extra[1]);
	/*
	 * set-id bits of the target, or a source in /proc: once those are dealt with, the kernel
	 * can do it
	 */
	to = file_find(r->m->cookie);
	e = k_caller_cookie(srv_endpoint(), r->m->call, (int)request_arg(r, 1), &c);
	if (e < 0)
		return e;
	from = c.own ? file_find(c.cookie) : NULL;
	if (!to || !from || (from->kind != FILE_PLAIN && from->kind != FILE_PROC) ||
	    !node_is(from->at.node, LX_S_IFREG))
		return -EINVAL;
	if (to->kind == FILE_SOCKET) {
		e = socket_sendfile(r, socket_of(to));
		if (e)
			return e;
	} else if (to->kind == FILE_PLAIN && node_is(to->at.node, LX_S_IFREG)) {
		op_clear_setid(r, to->at.node);
	} else if (to->kind != FILE_PIPE) {
		return -EINVAL;
	}
	return from->kind == FILE_PROC ? proc_read(r, from) : request_kernel(r);
}

/* Holes are not looked for: all is data up to the end, which is a hole. */
static int64_t seek_data(struct request *r, struct node *n, int64_t offset, bool hole)
{
	uint64_t arg[6] = { request_arg(r, 0), (uint64_t)offset, LX_SEEK_SET };

	op_refresh(n);
	if (offset < 0 || (uint64_t)offset >= n->file.size)
		return -ENXIO;
	if (hole)
		arg[1] = n->file.size;
	request_commit();
	srv_forward_kernel_args(r->m->call, 8, arg, false);
	return REQUEST_DONE;
}

int64_t in_lseek(struct request *r)
{
	int64_t offset = (int64_t)request_arg(r, 1);
	unsigned whence = (unsigned)request_arg(r, 2);
	struct file *f;
	int64_t e = request_real_file(r, &f);

	if (e)
		return e;
	if (whence > LX_SEEK_HOLE)
		return -EINVAL;
	switch (f->kind) {
	case FILE_DIRECTORY:
		return dir_seek(f, offset, (int)whence);
	case FILE_PROC:
		return proc_seek(r, f);
	case FILE_PIPE:
	case FILE_EPOLL:
	case FILE_EVENT:
	case FILE_SOCKET:
		return -ESPIPE;
	}
	if (!node_is(f->at.node, LX_S_IFREG))
		return 0;	/* null and zero: any position is the first */
	if (r->m->extra[1])
		return -(int64_t)r->m->extra[1];
	if (whence != LX_SEEK_DATA && whence != LX_SEEK_HOLE)
		return -EINVAL;
	return seek_data(r, f->at.node, offset, whence == LX_SEEK_HOLE);
}

/* --- ioctl, fcntl ------------------------------------------------------------------------- */

static int64_t ioctl_available(struct request *r, struct file *f)
{
	static int32_t n;
	struct k_caller_cookie c;
	int64_t e = k_caller_cookie(srv_endpoint(), r->m->call, (int)request_arg(r, 0), &c);

	if (e < 0)
		return e;
	if (f->kind == FILE_PIPE) {
		n = (int32_t)c.offset;	/* of a pipe: bytes that wait in it */
	} else if (f->kind == FILE_PLAIN && node_is(f->at.node, LX_S_IFREG)) {
		op_refresh(f->at.node);
		n = (int32_t)(f->at.node->file.size - c.offset);
	} else {
		return -ENOTTY;
	}
	srv_answer(r->m->call, 0);
	srv_answer_copy(request_arg(r, 2), &n, sizeof n);
	return REQUEST_DONE;
}

int64_t in_ioctl(struct request *r)
{
	uint64_t arg[6];
	struct file *f;
	int64_t e = request_real_file(r, &f);

	if (!e)
		e = srv_ioctl_as_fcntl(r->m, arg);
	if (e < 0)
		return e;
	if (e) {
		request_commit();
		srv_forward_kernel_args(r->m->call, NR_FCNTL, arg, false);
		return REQUEST_DONE;
	}
	if ((uint32_t)request_arg(r, 1) == LX_FIONREAD && f->kind != FILE_SOCKET)
		return ioctl_available(r, f);
	if (f->kind == FILE_SOCKET)
		return socket_ioctl(r, socket_of(f), (uint32_t)request_arg(r, 1));
	return -ENOTTY;
}

int64_t in_fcntl(struct request *r)
{
	int command = (int)request_arg(r, 1);
	struct file *f;
	int64_t e = request_file(r, &f);

	if (e)
		return e;
	if (f->status & LX_O_PATH && command > LX_F_SETFL && command != LX_F_DUPFD_CLOEXEC)
		return -EBADF;
	switch (command) {
	case LX_F_GETLK:
	case LX_F_SETLK:
	case LX_F_SETLKW:
	case LX_F_OFD_GETLK:
	case LX_F_OFD_SETLK:
	case LX_F_OFD_SETLKW:
		return lock_fcntl(r, f, command);
	case LX_F_SETOWN:
	case LX_F_GETOWN:
	case LX_F_SETSIG:
	case LX_F_GETSIG:
		return 0;	/* nothing here sends SIGIO */
	case LX_F_GETPIPE_SZ:
		return f->kind == FILE_PIPE ? 65536 : -EBADF;
	case LX_F_SETPIPE_SZ:
		return f->kind != FILE_PIPE                 ? -EBADF :
		       (uint32_t)request_arg(r, 2) <= 65536 ? 65536 :
							      -EPERM;
	case LX_F_GET_SEALS:
		return f->at.node->flags & NODE_MEMFD ? 1 /* F_SEAL_SEAL: no more can be added */ :
							-EINVAL;
	case LX_F_ADD_SEALS:
		return f->at.node->flags & NODE_MEMFD ? -EPERM : -EINVAL;
	case LX_F_GETLEASE:
		return LX_F_UNLCK;
	}
	return -EINVAL;
}

/* --- what tmpfs has nothing to do for ----------------------------------------------------- */

static int64_t sync_file(struct request *r)
{
	struct file *f;
	int64_t e = request_real_file(r, &f);

	if (e)
		return e;
	return node_is(f->at.node, LX_S_IFREG) || node_is(f->at.node, LX_S_IFDIR) ? 0 : -EINVAL;
}

int64_t in_fsync(struct request *r)
{
	return sync_file(r);
}

int64_t in_syncfs(struct request *r)
{
	struct file *f;

	return request_real_file(r, &f);
}

int64_t in_sync(struct request *r)
{
	(void)r;
	return 0;
}

int64_t in_sync_file_range(struct request *r)
{
	struct file *f;
	int64_t e = request_file(r, &f);

	if (e)
		return e;
	if (request_arg(r, 3) & ~7ull || (int64_t)request_arg(r, 1) < 0 ||
	    (int64_t)request_arg(r, 2) < 0)
		return -EINVAL;
	return node_is(f->at.node, LX_S_IFREG) || node_is(f->at.node, LX_S_IFDIR) ||
			       node_is(f->at.node, LX_S_IFLNK) ?
		       0 :
		       -ESPIPE;
}

int64_t in_fadvise64(struct request *r)
{
	struct file *f;
	int64_t e = request_real_file(r, &f);

	if (e)
		return e;
	if (f->kind == FILE_PIPE || f->kind == FILE_SOCKET)
		return -ESPIPE;
	return request_arg(r, 3) > 5 || (int64_t)request_arg(r, 2) < 0 ? -EINVAL : 0;
}

int64_t in_readahead(struct request *r)
{
	struct file *f;
	int64_t e = request_file(r, &f);

	if (e)
		return e;
	if (!f->may_read)
		return -EBADF;
	return node_is(f->at.node, LX_S_IFREG) ? 0 : -EINVAL;
}

/* --- copy_file_range ---------------------------------------------------------------------- */

#define COPY_CHUNK 32768u
#define COPY_MAX (256u << 10)

/* Copies between memory objects; how much, or an error if nothing. */
static int64_t copy_data(struct node *from, uint64_t in, struct node *to, uint64_t out,
			 uint64_t size)
{
	static char buf[COPY_CHUNK];
	uint64_t done = 0;

	while (done < size) {
		uint64_t n = size - done < sizeof buf ? size - done : sizeof buf;
		int64_t got = k_mobject_read(from->object, in + done, buf, n);
		int64_t put =
			got > 0 ? k_mobject_write(to->object, out + done, buf, (size_t)got) : got;

		if (put <= 0)
			return done ? (int64_t)done : put;
		done += (uint64_t)put;
	}
	return (int64_t)done;
}

static int64_t copy_at(struct request *r, struct file *from, struct file *to)
{
	static uint64_t offset[2];
	uint64_t size = request_arg(r, 4);
	int ep = srv_endpoint();
	int64_t e, n;

	for (int i = 0; i < 2; i++) {
		e = k_caller_read(ep, r->m->call, &offset[i], request_arg(r, i ? 3 : 1), 8);
		if (e < 0)
			return e;
		if ((int64_t)offset[i] < 0)
			return -EINVAL;
	}
	if (size > COPY_MAX)
		size = COPY_MAX;
	if (from->at.node == to->at.node && offset[0] < offset[1] + size &&
	    offset[1] < offset[0] + size)
		return -EINVAL;
	op_clear_setid(r, to->at.node);
	n = copy_data(from->at.node, offset[0], to->at.node, offset[1], size);
	if (n <= 0)
		return n;
	offset[0] += (uint64_t)n;
	offset[1] += (uint64_t)n;
	state_set(to->at.node->mtime, request_now());
	srv_answer(r->m->call, n);
	srv_answer_copy(request_arg(r, 1), &offset[0], 8);
	srv_answer_copy(request_arg(r, 3), &offset[1], 8);
	return REQUEST_DONE;
}

int64_t in_copy_file_range(struct request *r)
{
	struct k_caller_cookie c;
	struct file *from, *to;
	int64_t e = request_file(r, &from);

	if (e)
		return e;
	e = k_caller_cookie(srv_endpoint(), r->m->call, (int)request_arg(r, 2), &c);
	if (e < 0)
		return e;
	to = c.own ? file_find(c.cookie) : NULL;
	if (!to || request_arg(r, 5))
		return -EINVAL;
	if (!from->may_read || !to->may_write || c.status & LX_O_APPEND)
		return -EBADF;
	if (node_is(from->at.node, LX_S_IFDIR) || node_is(to->at.node, LX_S_IFDIR))
		return -EISDIR;
	if (from->kind != FILE_PLAIN || to->kind != FILE_PLAIN ||
	    !node_is(from->at.node, LX_S_IFREG) || !node_is(to->at.node, LX_S_IFREG))
		return -EINVAL;
	if (!request_arg(r, 4))
		return 0;
	if (!request_arg(r, 3)) {	/* at the output's own offset: what sendfile does */
		const uint64_t arg[6] = { request_arg(r, 2), request_arg(r, 0), request_arg(r, 1),
					  request_arg(r, 4) };

		request_commit();
		srv_forward_kernel_args(r->m->call, 40, arg, false);
		return REQUEST_DONE;
	}
	return request_arg(r, 1) ? copy_at(r, from, to) : -EXDEV;
}
