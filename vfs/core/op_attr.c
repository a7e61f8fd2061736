/* SPDX-License-Identifier: MIT */
/* Attributes and sizes: chmod, chown, times, truncate, stat (op.h). */
#include "op.h"

#include <errno.h>
#include <string.h>

#include "archive.h"
#include "fs.h"

#define SETID(mode)                                                                                \
	((mode) & LX_S_ISUID || ((mode) & (LX_S_ISGID | LX_S_IXGRP)) == (LX_S_ISGID | LX_S_IXGRP))
#define DAY 86400000000000ll

static bool read_only(struct pos at)
{
	return at.mount->flags & LX_MS_RDONLY;
}

void op_setid_watch(struct node *n)
{
	if (node_is(n, LX_S_IFREG) && n->object >= 0)
		k_mobject_set(n->object, K_MOBJECT_SET_DECLINE,
			      SETID(n->mode) ? K_DECLINE_WRITE : 0);
}

static void set_mode(struct node *n, uint32_t mode)
{
	bool before = SETID(n->mode);

	state_set(n->mode, mode);
	if (before != (bool)SETID(mode))
		op_setid_watch(n);
}

int64_t op_chmod(struct request *r, struct pos at, uint32_t mode)
{
	struct node *n = at.node;

	if (read_only(at))
		return -EROFS;
	if (node_is(n, LX_S_IFLNK))
		return -EOPNOTSUPP;
	if (!cred_owns(r->cred, n))
		return -EPERM;
	if (n->flags & NODE_DYNAMIC)
		return -EPERM;
	mode = cred_mode(r->cred, mode & 07777, n->gid);
	set_mode(n, (n->mode & LX_S_IFMT) | mode);
	state_set(n->ctime, request_now());
	return 0;
}

void op_clear_setid(struct request *r, struct node *n)
{
	uint32_t mode = n->mode;

	if (!node_is(n, LX_S_IFREG) || !SETID(mode) || cred_can(r->cred, PROTO_CAP_FSETID))
		return;
	mode &= ~LX_S_ISUID;
	if (mode & LX_S_IXGRP)
		mode &= ~LX_S_ISGID;
	set_mode(n, mode);
}

int64_t op_chown(struct request *r, struct pos at, uint32_t uid, uint32_t gid)
{
	struct node *n = at.node;
	bool all = cred_can(r->cred, PROTO_CAP_CHOWN);

	if (read_only(at))
		return -EROFS;
	if (n->flags & NODE_DYNAMIC)
		return -EPERM;
	if (uid != UINT32_MAX && !all && (uid != n->uid || r->cred->fsuid != n->uid))
		return -EPERM;
	if (gid != UINT32_MAX && !all &&
	    (r->cred->fsuid != n->uid || (gid != n->gid && !cred_in_group(r->cred, gid))))
		return -EPERM;
	if (uid != UINT32_MAX)
		state_set(n->uid, uid);
	if (gid != UINT32_MAX)
		state_set(n->gid, gid);
	/* unlike a write, this clears the bits for root too */
	if (!node_is(n, LX_S_IFDIR) && (uid != UINT32_MAX || gid != UINT32_MAX)) {
		uint32_t mode = n->mode & ~LX_S_ISUID;

		set_mode(n, mode & LX_S_IXGRP ? mode & ~LX_S_ISGID : mode);
	}
	state_set(n->ctime, request_now());
	return 0;
}

int64_t op_utimes(struct request *r, struct pos at, int64_t atime, int64_t mtime, bool now)
{
	struct node *n = at.node;
	int64_t e;

	if (atime == OP_TIME_OMIT && mtime == OP_TIME_OMIT)
		return 0;
	if (read_only(at))
		return -EROFS;
	if (!cred_owns(r->cred, n)) {
		if (!now)
			return -EPERM;
		e = cred_permit(r->cred, n, LX_W_OK);
		if (e)
			return e;
	}
	op_refresh(n);		/* what is not set keeps what the kernel knows */
	if (atime != OP_TIME_OMIT)
		state_set(n->atime, atime);
	if (mtime != OP_TIME_OMIT)
		state_set(n->mtime, mtime);
	state_set(n->ctime, request_now());
	if (node_is(n, LX_S_IFREG) && n->object >= 0) {
		k_mobject_set(n->object, K_MOBJECT_SET_TIMES, 3);
		state_set(n->flags, n->flags | NODE_TIMES_SET);
	}
	return 0;
}

int64_t op_object(struct node *n)
{
	int64_t h;

	if (n->object >= 0)
		return 0;
	h = n->file.archive ? k_mobject_clone(archive_object(), n->file.archive, n->file.size) :
			      k_mobject_create(0, 0);
	if (h < 0)
		return h;
	node_new_handle((int)h);
	if (n->fs->account >= 0)
		k_mobject_set((int)h, K_MOBJECT_SET_ACCOUNT, (uint64_t)n->fs->account);
	state_set(n->object, (int32_t)h);
	if (SETID(n->mode))
		op_setid_watch(n);
	return 0;
}

int64_t op_truncate(struct request *r, struct node *n, uint64_t size)
{
	int64_t now = request_now();
	int64_t e = op_object(n);

	if (!e)
		e = k_mobject_resize(n->object, size);
	if (e < 0)
		return e;
	op_clear_setid(r, n);
	state_set(n->file.size, size);
	state_set(n->mtime, now);
	state_set(n->ctime, now);
	state_set(n->flags, n->flags | NODE_TOUCHED | NODE_WRITTEN);
	return 0;
}

/* relatime: an access counts when it is the first since a change, or after a day. */
static bool atime_counts(const struct node *n, int64_t at)
{
	return n->atime <= n->mtime || n->atime <= n->ctime || at - n->atime > DAY;
}

/* The kernel may know better than the node. */
static bool refresh_due(const struct node *n)
{
	if (!node_is(n, LX_S_IFREG) || n->object < 0)
		return false;
	return n->flags & NODE_TOUCHED || (n->flags & NODE_READ && atime_counts(n, request_now()));
}

void op_refresh(struct node *n)
{
	struct k_mobject_info info;
	uint32_t flags = n->flags;

	if (!refresh_due(n) || k_mobject_info(n->object, &info) < 0)
		return;
	state_set(n->file.size, info.size);
	state_set(n->file.blocks, info.resident * 8);
	if (info.mtime && (flags & NODE_TIMES_SET || (int64_t)info.mtime > n->mtime)) {
		state_set(n->mtime, (int64_t)info.mtime);
		if (n->ctime < n->mtime)
			state_set(n->ctime, n->mtime);
	}
	if (info.atime && (int64_t)info.atime > n->atime && atime_counts(n, (int64_t)info.atime))
		state_set(n->atime, (int64_t)info.atime);
	if (info.mtime || info.atime)
		flags &= ~NODE_TIMES_SET;
	if (!n->writers)
		flags &= ~NODE_TOUCHED;
	if (!n->opens)
		flags &= ~NODE_READ;
	if (flags != n->flags)
		state_set(n->flags, flags);
}

static struct lx_timespec timespec(int64_t ns)
{
	int64_t sec = ns / 1000000000, rest = ns % 1000000000;

	if (rest < 0) {
		sec--;
		rest += 1000000000;
	}
	return (struct lx_timespec){ sec, rest };
}

void op_stat(struct pos at, struct lx_stat *st)
{
	struct node *n = at.node;

	memset(st, 0, sizeof *st);
	st->dev = n->fs->dev;
	st->ino = n->ino;
	st->mode = n->mode;
	st->uid = n->uid;
	st->gid = n->gid;
	st->rdev = n->rdev;
	st->blksize = 4096;
	st->nlink = n->flags & NODE_DYNAMIC || n->fs->kind == FS_SOCKETS ? 1 : n->nlink;
	switch (n->mode & LX_S_IFMT) {
	case LX_S_IFREG:
		op_refresh(n);
		st->size = (int64_t)n->file.size;
		st->blocks = (int64_t)n->file.blocks;
		if (n->file.archive)
			st->blocks = (st->size + 4095) / 4096 * 8;
		break;
	case LX_S_IFDIR:
		st->nlink = 2 + n->dir.subdirs;
		st->size = n->fs->kind == FS_PROCFS ? 0 : (int64_t)(n->dir.count + 2) * 20;
		if (n->name && n->name->gone)
			st->nlink = 0;
		break;
	case LX_S_IFLNK:
		st->size = n->link.size;
		break;
	}
	st->atim = timespec(n->atime);
	st->mtim = timespec(n->mtime);
	st->ctim = timespec(n->ctime);
}
