/* SPDX-License-Identifier: MIT */
/* chmod, chown, times, truncate: arguments in, then op_attr.c. */
#include <errno.h>

#include "fs.h"
#include "in.h"
#include "op.h"
#include "procfs.h"

/* --- chmod, chown ------------------------------------------------------------------------- */

int64_t in_chmod(struct request *r)
{
	struct walk w;
	int64_t e = request_walk(r, 0, -1, request_arg(r, 0), WALK_FOLLOW, &w);

	return e ? e : op_chmod(r, w.at, (uint32_t)request_arg(r, 1));
}

int64_t in_fchmod(struct request *r)
{
	struct file *f;
	int64_t e = request_real_file(r, &f);

	return e ? e : op_chmod(r, f->at, (uint32_t)request_arg(r, 1));
}

int64_t in_fchmodat(struct request *r)
{
	struct walk w;
	int64_t e = request_walk(r, 0, 0, request_arg(r, 1), WALK_FOLLOW, &w);

	return e ? e : op_chmod(r, w.at, (uint32_t)request_arg(r, 2));
}

int64_t in_fchmodat2(struct request *r)
{
	unsigned flags = (unsigned)request_arg(r, 3);
	struct walk w;
	int64_t e;

	if (flags & ~(LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	e = request_walk_at(r, 0, request_arg(r, 1), flags,
			    flags & LX_AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW, &w);
	return e ? e : op_chmod(r, w.at, (uint32_t)request_arg(r, 2));
}

static int64_t chown_path(struct request *r, unsigned flags)
{
	struct walk w;
	int64_t e = request_walk(r, 0, -1, request_arg(r, 0), flags, &w);

	return e ? e : op_chown(r, w.at, (uint32_t)request_arg(r, 1), (uint32_t)request_arg(r, 2));
}

int64_t in_chown(struct request *r)
{
	return chown_path(r, WALK_FOLLOW);
}

int64_t in_lchown(struct request *r)
{
	return chown_path(r, 0);
}

int64_t in_fchown(struct request *r)
{
	struct file *f;
	int64_t e = request_real_file(r, &f);

	return e ? e : op_chown(r, f->at, (uint32_t)request_arg(r, 1), (uint32_t)request_arg(r, 2));
}

int64_t in_fchownat(struct request *r)
{
	unsigned flags = (unsigned)request_arg(r, 4);
	struct walk w;
	int64_t e;

	if (flags & ~(LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	e = request_walk_at(r, 0, request_arg(r, 1), flags,
			    flags & LX_AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW, &w);
	return e ? e : op_chown(r, w.at, (uint32_t)request_arg(r, 2), (uint32_t)request_arg(r, 3));
}

/* --- times -------------------------------------------------------------------------------- */

struct times {
	int64_t atime, mtime;
	bool now;
};

/* Beyond what is kept: the far end of it. */
static int64_t nanoseconds(int64_t sec)
{
	const int64_t far = 9223372035;

	return (sec > far ? far : sec < -far ? -far : sec) * 1000000000;
}

/* Both forms: pairs of seconds and a fraction. scale: ns per unit of the fraction. */
static int64_t times_read(struct request *r, uint64_t from, int64_t scale, struct times *t)
{
	int64_t v[4], now = request_now(), *out[2] = { &t->atime, &t->mtime };
	int64_t e;

	t->now = true;
	t->atime = t->mtime = now;
	if (!from)
		return 0;
	e = k_caller_read(srv_endpoint(), r->m->call, v, from, sizeof v);
	if (e < 0)
		return e;
	t->now = scale == 1 && v[1] == LX_UTIME_NOW && v[3] == LX_UTIME_NOW;
	for (int i = 0; i < 2; i++) {
		int64_t sec = v[2 * i], part = v[2 * i + 1];

		if (scale == 1 && part == LX_UTIME_NOW)
			continue;
		if (scale == 1 && part == LX_UTIME_OMIT) {
			*out[i] = OP_TIME_OMIT;
			continue;
		}
		if (part < 0 || part >= 1000000000 / scale)
			return -EINVAL;
		*out[i] = nanoseconds(sec) + part * scale;
	}
	return 0;
}

int64_t in_utimensat(struct request *r)
{
	unsigned flags = (unsigned)request_arg(r, 3);
	struct times t;
	struct walk w;
	struct file *f;
	int64_t e;

	if (flags & ~(LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	e = times_read(r, request_arg(r, 2), 1, &t);
	if (e)
		return e;
	if (t.atime == OP_TIME_OMIT && t.mtime == OP_TIME_OMIT)
		return 0;		/* not even the path is looked at */
	if (!request_arg(r, 1)) {	/* futimens: the descriptor itself */
		if ((int)request_arg(r, 0) == LX_AT_FDCWD)
			return -EFAULT;
		e = flags ? -EINVAL : request_real_file(r, &f);
		return e ? e : op_utimes(r, f->at, t.atime, t.mtime, t.now);
	}
	e = request_walk_at(r, 0, request_arg(r, 1), flags,
			    flags & LX_AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW, &w);
	return e ? e : op_utimes(r, w.at, t.atime, t.mtime, t.now);
}

static int64_t utimes_at(struct request *r, int dirfd, unsigned path, const struct times *t)
{
	struct walk w;
	int64_t e = request_walk(r, 0, dirfd, request_arg(r, path), WALK_FOLLOW, &w);

	return e ? e : op_utimes(r, w.at, t->atime, t->mtime, t->now);
}

int64_t in_utimes(struct request *r)
{
	struct times t;
	int64_t e = times_read(r, request_arg(r, 1), 1000, &t);

	return e ? e : utimes_at(r, -1, 0, &t);
}

int64_t in_futimesat(struct request *r)
{
	struct times t;
	struct file *f;
	int64_t e = times_read(r, request_arg(r, 2), 1000, &t);

	if (e)
		return e;
	if (request_arg(r, 1))
		return utimes_at(r, 0, 1, &t);
	if ((int)request_arg(r, 0) == LX_AT_FDCWD)
		return -EFAULT;
	e = request_real_file(r, &f);
	return e ? e : op_utimes(r, f->at, t.atime, t.mtime, t.now);
}

int64_t in_utime(struct request *r)
{
	struct times t = { .now = true };
	int64_t v[2], e;

	t.atime = t.mtime = request_now();
	if (request_arg(r, 1)) {
		e = k_caller_read(srv_endpoint(), r->m->call, v, request_arg(r, 1), sizeof v);
		if (e < 0)
			return e;
		t = (struct times){ nanoseconds(v[0]), nanoseconds(v[1]), false };
	}
	return utimes_at(r, -1, 0, &t);
}

/* --- sizes -------------------------------------------------------------------------------- */

#define SIZE_MAX_FILE ((uint64_t)INT64_MAX - 4095)

/* A new size, if the process may have such files. */
static int64_t resize(struct request *r, struct node *n, uint64_t size)
{
	struct proto_pid p;

	if (size > SIZE_MAX_FILE)
		return -EFBIG;
	op_refresh(n);
	if (size > n->file.size && proc_pid_find(r->m->pid, &p) && p.file_limit &&
	    size > p.file_limit)
		return request_fail(r, EFBIG, LX_SIGXFSZ);
	return op_truncate(r, n, size);
}

int64_t in_truncate(struct request *r)
{
	int64_t size = (int64_t)request_arg(r, 1), e;
	struct walk w;

	if (size < 0)
		return -EINVAL;
	e = request_walk(r, 0, -1, request_arg(r, 0), WALK_FOLLOW, &w);
	if (e)
		return e;
	if (node_is(w.at.node, LX_S_IFDIR))
		return -EISDIR;
	if (!node_is(w.at.node, LX_S_IFREG))
		return -EINVAL;
	e = cred_permit_at(r->cred, w.at, LX_W_OK);
	if (e)
		return e;
	if (w.at.node->running)
		return -ETXTBSY;
	if (w.at.node->fs->kind == FS_PROCFS)
		return 0;
	return resize(r, w.at.node, (uint64_t)size);
}

/* A regular file that is open for writing. */
static int64_t writable_file(struct request *r, struct file **f)
{
	int64_t e = request_real_file(r, f);

	if (e)
		return e;
	if (!(*f)->may_write)
		return -EBADF;
	return node_is((*f)->at.node, LX_S_IFREG) ? 0 : -ENODEV;
}

int64_t in_ftruncate(struct request *r)
{
	int64_t size = (int64_t)request_arg(r, 1);
	struct file *f;
	int64_t e = size < 0 ? -EINVAL : request_real_file(r, &f);

	if (e)
		return e;
	if (!f->may_write || !node_is(f->at.node, LX_S_IFREG))
		return -EINVAL;
	return f->kind == FILE_PROC ? 0 : resize(r, f->at.node, (uint64_t)size);
}

int64_t in_fallocate(struct request *r)
{
	uint32_t mode = (uint32_t)request_arg(r, 1);
	int64_t offset = (int64_t)request_arg(r, 2), size = (int64_t)request_arg(r, 3), e;
	int64_t now = request_now();
	struct file *f;
	struct node *n;

	if (offset < 0 || size <= 0)
		return -EINVAL;
	e = writable_file(r, &f);
	if (e)
		return e == -ENODEV && node_is(f->at.node, LX_S_IFIFO) ? -ESPIPE : e;
	n = f->at.node;
	if (mode & ~(LX_FALLOC_KEEP_SIZE | LX_FALLOC_PUNCH_HOLE) || mode == LX_FALLOC_PUNCH_HOLE ||
	    f->kind != FILE_PLAIN)
		return -EOPNOTSUPP;
	if ((uint64_t)offset > SIZE_MAX_FILE - (uint64_t)size)
		return -EFBIG;
	op_clear_setid(r, n);
	op_refresh(n);
	if (mode & LX_FALLOC_PUNCH_HOLE)
		e = k_mobject_punch(n->object, (uint64_t)offset, (uint64_t)size);
	else if (!(mode & LX_FALLOC_KEEP_SIZE) && (uint64_t)(offset + size) > n->file.size)
		return resize(r, n, (uint64_t)(offset + size));
	if (e < 0)
		return e;
	state_set(n->mtime, now);
	state_set(n->ctime, now);
	return 0;
}
