/* SPDX-License-Identifier: MIT */
/* Making names: files, directories, devices, symbolic and hard links (op.h). */
#include "op.h"

#include <errno.h>
#include <string.h>

#include "fs.h"

#define LINK_MAX 65000u

static bool dir_removed(const struct node *dir)
{
	return dir->name && dir->name->gone;
}

/* May a name be made where the walk ended? */
static int64_t may_create(struct request *r, const struct walk *w)
{
	if (w->kind != WALK_NAME || w->at.node)
		return -EEXIST;
	if (fs_type(w->dir.node)->fixed)
		return -fs_type(w->dir.node)->fixed;
	if (dir_removed(w->dir.node))
		return -ENOENT;
	if (w->dir.mount->flags & LX_MS_RDONLY)
		return -EROFS;
	return cred_permit(r->cred, w->dir.node, LX_W_OK | LX_X_OK);
}

static void dir_touch(struct node *dir, int64_t now)
{
	state_set(dir->mtime, now);
	state_set(dir->ctime, now);
}

/* A node as c would make it in `dir`; no name yet. */
static int64_t node_make(struct request *r, struct node *dir, uint32_t mode, int64_t now,
			 struct node **out)
{
	uint32_t gid = r->cred->fsgid;
	struct filesystem *fs = dir->fs;

	if (!node_is(&(struct node){ .mode = mode }, LX_S_IFLNK))
		mode &= ~(r->m->umask & 0777);
	if (dir->mode & LX_S_ISGID) {
		gid = dir->gid;
		if ((mode & LX_S_IFMT) == LX_S_IFDIR)
			mode |= LX_S_ISGID;
		else if (mode & LX_S_IXGRP)
			mode = cred_mode(r->cred, mode, gid);
	}
	if (fs_full(fs))
		return -ENOSPC;
	*out = node_create(fs, mode, r->cred->fsuid, gid, now);
	return *out ? 0 : -ENOMEM;
}

int64_t op_create(struct request *r, const struct walk *w, uint32_t mode, uint32_t rdev,
		  struct node **out)
{
	int64_t now = request_now();
	struct node *n;
	int64_t e = may_create(r, w);

	if (!e)
		e = node_make(r, w->dir.node, mode, now, &n);
	if (e)
		return e;
	n->rdev = rdev;
	if (!entry_add(w->dir.node, w->last, w->size, n))
		return -ENOMEM;
	dir_touch(w->dir.node, now);
	if (out)
		*out = n;
	return 0;
}

int64_t op_mkdir(struct request *r, const struct walk *w, uint32_t mode)
{
	return op_create(r, w, (mode & 01777) | LX_S_IFDIR, 0, NULL);
}

int64_t op_mknod(struct request *r, const struct walk *w, uint32_t mode, uint32_t rdev)
{
	uint32_t type = mode & LX_S_IFMT;

	if (!type)
		type = LX_S_IFREG;
	if (type == LX_S_IFDIR)
		return -EPERM;
	if (type != LX_S_IFREG && type != LX_S_IFIFO && type != LX_S_IFSOCK && type != LX_S_IFCHR &&
	    type != LX_S_IFBLK)
		return -EINVAL;
	if (w->slash && !w->at.node)
		return -ENOENT;
	if ((type == LX_S_IFCHR || type == LX_S_IFBLK) && w->kind == WALK_NAME && !w->at.node) {
		int64_t e = may_create(r, w);

		if (e)
			return e;
		if (!cred_can(r->cred, PROTO_CAP_MKNOD))
			return -EPERM;
	} else {
		rdev = 0;
	}
	return op_create(r, w, (mode & 07777) | type, rdev, NULL);
}

int64_t op_symlink(struct request *r, const struct walk *w, const char *target)
{
	size_t size = strlen(target);
	struct node *n;
	int64_t e;
	char *copy;

	if (w->slash && !w->at.node)
		return -ENOENT;
	e = op_create(r, w, LX_S_IFLNK | 0777, 0, &n);
	if (e)
		return e;
	copy = state_alloc(size + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, target, size + 1);
	n->link.target = copy;
	n->link.size = (uint32_t)size;
	state_set(n->fs->extra, n->fs->extra + node_weight(n->link.size));
	return 0;
}

/*
 * Others may not make hard links to files that they could not write or that carry set-id bits
 * (Linux's protected_hardlinks).
 */
static bool link_is_safe(struct request *r, struct node *n)
{
	if (cred_owns(r->cred, n))
		return true;
	if (!node_is(n, LX_S_IFREG) || n->mode & LX_S_ISUID ||
	    (n->mode & (LX_S_ISGID | LX_S_IXGRP)) == (LX_S_ISGID | LX_S_IXGRP))
		return false;
	return cred_permit(r->cred, n, LX_R_OK | LX_W_OK) == 0;
}

int64_t op_link(struct request *r, struct pos from, const struct walk *w)
{
	int64_t now = request_now();
	int64_t e;

	if (w->kind != WALK_NAME || w->at.node)
		return -EEXIST;
	if (w->slash)
		return -ENOENT;
	if (w->dir.mount != from.mount)
		return -EXDEV;
	if (node_is(from.node, LX_S_IFDIR))
		return -EPERM;
	e = may_create(r, w);
	if (e)
		return e;
	if (!link_is_safe(r, from.node))
		return -EPERM;
	if (from.node->nlink >= LINK_MAX)
		return -EMLINK;
	if (!from.node->nlink && !(from.node->flags & NODE_MEMFD) && from.node->name)
		return -ENOENT;		/* it was removed (a file of O_TMPFILE never had a name) */
	if (from.node->fs != w->dir.node->fs)
		return -EXDEV;
	if (fs_full(from.node->fs))
		return -ENOSPC;
	if (!entry_add(w->dir.node, w->last, w->size, from.node))
		return -ENOMEM;
	state_set(from.node->ctime, now);
	dir_touch(w->dir.node, now);
	return 0;
}

int64_t op_create_unnamed(struct request *r, struct pos dir, uint32_t mode, struct node **out)
{
	int64_t e = dir.mount->flags & LX_MS_RDONLY ?
			    -EROFS :
			    cred_permit(r->cred, dir.node, LX_W_OK | LX_X_OK);

	if (!e && fs_type(dir.node)->fixed)
		e = -EOPNOTSUPP;
	return e ? e : node_make(r, dir.node, (mode & 07777) | LX_S_IFREG, request_now(), out);
}
