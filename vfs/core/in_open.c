/* SPDX-License-Identifier: MIT */
/*
 * open, openat, openat2, creat: the walk, the checks, and descriptions for what was found (open.h).
 */
#include "open.h"

#include <errno.h>
#include <string.h>

#include "op.h"

uint32_t open_status(uint32_t flags)
{
	flags &= ~(LX_O_CREAT | LX_O_EXCL | LX_O_NOCTTY | LX_O_TRUNC | LX_O_CLOEXEC);
	return flags & LX_O_PATH ? flags : flags | LX_O_LARGEFILE;
}

/* --- descriptions ------------------------------------------------------------------------- */

int64_t open_describe(const struct proto_cred *c, enum file_kind kind, struct pos at,
		      uint32_t flags, struct k_description *d, struct file **out)
{
	bool named = (at.node->fs->kind != FS_ANON && at.node->fs->kind != FS_SOCKETS) ||
		     at.node->flags & NODE_MEMFD;
	uint32_t status = named ? open_status(flags) : flags & ~LX_O_CLOEXEC;
	struct file *f = file_create(c, kind, at, status);
	int64_t h;

	if (!f)
		return -ENFILE;
	d->cookie = file_cookie(f);
	d->status = f->status;
	f->decline = (uint8_t)d->decline;
	h = k_description_create(srv_endpoint(), d);
	if (h < 0) {
		file_close(f);
		return h;
	}
	if (out)
		*out = f;
	return h;
}

void open_install(uint64_t call, int handle, uint32_t flags)
{
	srv_answer(call, 0);
	srv_answer_install(handle, flags & LX_O_CLOEXEC ? K_INSTALL_CLOEXEC : 0, 0, 0);
}

int64_t open_finish(struct request *r, enum file_kind kind, struct pos at, uint32_t flags,
		    struct k_description *d)
{
	int64_t h = open_describe(r->cred, kind, at, flags, d, NULL);

	if (h < 0)
		return h;
	open_install(r->m->call, (int)h, flags);
	return REQUEST_DONE;
}

#define DESCRIPTION(p, ...) { .plane = (p), .object = -1, .object2 = -1, .source = -1, __VA_ARGS__ }

static int64_t open_regular(struct request *r, struct pos at, uint32_t flags)
{
	struct k_description d = DESCRIPTION(K_PLANE_STREAM);
	int64_t e;

	if (flags & LX_O_TRUNC) {
		if (at.node->file.archive && at.node->object < 0)
			state_set(at.node->file.archive, 0); /* nothing of it is wanted: no clone */
		e = op_truncate(r, at.node, 0);
	} else {
		e = op_object(at.node);
	}
	if (e)
		return e;
	d.object = at.node->object;
	return open_finish(r, FILE_PLAIN, at, flags, &d);
}

static int64_t open_path(struct request *r, struct pos at, uint32_t flags)
{
	struct k_description d = DESCRIPTION(K_PLANE_NONE, .flags = K_DESCRIPTION_PATH);
	enum file_kind kind = node_is(at.node, LX_S_IFDIR) ? FILE_DIRECTORY : FILE_PLAIN;

	return open_finish(r, kind, at,
			   flags & (LX_O_PATH | LX_O_DIRECTORY | LX_O_NOFOLLOW | LX_O_CLOEXEC), &d);
}

static int64_t open_directory(struct request *r, struct pos at, uint32_t flags)
{
	struct k_description d = DESCRIPTION(K_PLANE_NONE, .flags = K_DESCRIPTION_DIRECTORY);

	return open_finish(r, FILE_DIRECTORY, at, flags, &d);
}

int64_t open_node(struct request *r, struct pos at, uint32_t flags)
{
	if (flags & LX_O_PATH)
		return open_path(r, at, flags);
	if (at.node->fs->kind == FS_PROCFS && !node_is(at.node, LX_S_IFDIR))
		return proc_open(r, at, flags);
	switch (at.node->mode & LX_S_IFMT) {
	case LX_S_IFREG:
		return open_regular(r, at, flags);
	case LX_S_IFDIR:
		return open_directory(r, at, flags);
	case LX_S_IFCHR:
		return device_open(r, at, flags);
	case LX_S_IFIFO:
		return fifo_open(r, at, flags);
	case LX_S_IFLNK:
		return -ELOOP;
	}
	return -ENXIO;		/* sockets, block devices without a driver */
}

int64_t open_for_exec(struct request *r, struct pos at, uint64_t *cookie)
{
	struct k_description d = DESCRIPTION(K_PLANE_STREAM);
	int64_t h = op_object(at.node);

	if (h)
		return h;
	d.object = at.node->object;
	h = open_describe(r->cred, FILE_PLAIN, at, LX_O_RDONLY, &d, NULL);
	*cookie = d.cookie;
	return h;
}

int64_t open_elsewhere(struct request *r, struct pos at, uint32_t flags, int number, uint64_t which)
{
	struct k_description d = DESCRIPTION(K_PLANE_NONE);
	struct srv_forward f = { .number = number, .handle = { -1, -1 } };
	int64_t h;

	if (request_posix < 0)
		return -ENXIO;
	h = open_describe(r->cred, FILE_PIN, at, flags, &d, NULL);
	if (h < 0)
		return h;
	f.handle[0] = (int)h;
	f.arg[0] = which;
	f.arg[1] = flags;
	f.arg[2] = at.node->rdev;
	f.arg[3] = d.cookie;
	return request_to_posix(r, &f);
}

/* --- the call ----------------------------------------------------------------------------- */

/* What open asks of an existing file. */
static int64_t may_open(struct request *r, const struct walk *w, uint32_t flags)
{
	struct node *n = w->at.node;
	static const uint8_t wants[] = { LX_R_OK, LX_W_OK, LX_R_OK | LX_W_OK, LX_R_OK | LX_W_OK };
	unsigned want = wants[flags & LX_O_ACCMODE];
	int64_t e;

	if (flags & LX_O_DIRECTORY && !node_is(n, LX_S_IFDIR))
		return -ENOTDIR;
	if (node_is(n, LX_S_IFLNK) && !(flags & LX_O_PATH))
		return -ELOOP;
	if (flags & LX_O_PATH)
		return 0;
	if (node_is(n, LX_S_IFDIR) && (want & LX_W_OK || flags & (LX_O_CREAT | LX_O_TRUNC)))
		return -EISDIR;
	if (flags & LX_O_TRUNC)
		want |= LX_W_OK;
	if ((node_is(n, LX_S_IFCHR) || node_is(n, LX_S_IFBLK)) && w->at.mount->flags & LX_MS_NODEV)
		return -EACCES;
	e = cred_permit_at(r->cred, w->at, want);
	if (e)
		return e;
	if (want & LX_W_OK && n->running)
		return -ETXTBSY;
	return flags & LX_O_NOATIME && !cred_owns(r->cred, n) ? -EPERM : 0;
}

/* The new file's descriptor could not be installed: without one it should not have been made. */
static void open_undo(void *arg, int error)
{
	struct entry *e = arg;

	if (error != -K_REDELIVER && vfs && !e->gone && e->node && e->node->pins == 1) {
		entry_remove(e);
		request_commit();
	}
}

static int64_t open_created(struct request *r, struct walk *w, uint32_t flags, uint32_t mode)
{
	struct node *n;
	int64_t e;

	e = op_create(r, w, (mode & 07777) | LX_S_IFREG, 0, &n);
	if (e)
		return e == -EPERM ? -EACCES : e;	/* as Linux says it of open alone */
	w->at = (struct pos){ w->dir.mount, n };
	w->entry = n->name;
	e = op_object(n);
	if (e)
		return e;
	e = open_node(r, w->at, flags & ~(LX_O_TRUNC));
	if (e == REQUEST_DONE) {
		/* when this call comes again, the file is its own: see opened_before */
		node_commit_call(r->m->call, 0);
		srv_answer_undo(open_undo, w->entry);
	}
	return e;
}

/* O_EXCL, but it was this very call that made the file, before the server died. */
static bool opened_before(struct request *r)
{
	return r->m->flags & K_MSGF_REDELIVERED && state_call_done(r->m->call, NULL);
}

static int64_t open_unnamed(struct request *r, struct pos start, uint32_t flags, uint32_t mode,
			    unsigned walking)
{
	struct walk w;
	struct node *n;
	int64_t e;

	if (!(flags & (LX_O_WRONLY | LX_O_RDWR)))
		return -EINVAL;
	e = walk_path(r, start, r->path[0], WALK_FOLLOW | walking, &w);
	if (e)
		return e;
	if (!node_is(w.at.node, LX_S_IFDIR))
		return -ENOTDIR;
	e = op_create_unnamed(r, w.at, mode, &n);
	if (!e)
		e = open_node(r, (struct pos){ w.at.mount, n },
			      flags & ~(LX_O_TMPFILE | LX_O_EXCL | LX_O_CREAT));
	return e;
}

static int64_t open_path_at(struct request *r, struct pos start, uint32_t flags, uint32_t mode,
			    unsigned walking)
{
	struct walk w;
	bool create = flags & LX_O_CREAT;
	int64_t e;

	if ((flags & LX_O_TMPFILE) == LX_O_TMPFILE)
		return open_unnamed(r, start, flags, mode, walking);
	if (create)
		walking |= WALK_CREATE;
	if (!(flags & LX_O_NOFOLLOW) &&
	    (flags & (LX_O_CREAT | LX_O_EXCL)) != (LX_O_CREAT | LX_O_EXCL))
		walking |= WALK_FOLLOW;
	else if (create && flags & LX_O_EXCL)
		walking |= WALK_PARENT;
	e = walk_path(r, start, r->path[0], walking, &w);
	if (e)
		return e;
	if (!w.at.node)
		return open_created(r, &w, flags, mode);
	if (create && flags & LX_O_EXCL && !opened_before(r))
		return -EEXIST;
	e = may_open(r, &w, flags);
	if (e)
		return e;
	if (w.entry && w.entry->node->name != w.entry)
		entry_note(w.entry);
	return open_node(r, w.at, flags);
}

static int64_t open_flags(struct request *r, int dirfd, uint32_t flags, uint32_t mode,
			  unsigned walking)
{
	struct pos start = r->cwd;
	int64_t e;

	if (flags & LX_O_PATH)
		flags &= LX_O_PATH | LX_O_DIRECTORY | LX_O_NOFOLLOW | LX_O_CLOEXEC;
	if (flags & LX_O_TMPFILE_BIT && (flags & LX_O_TMPFILE) != LX_O_TMPFILE)
		return -EINVAL;
	if ((flags & (LX_O_CREAT | LX_O_DIRECTORY)) == (LX_O_CREAT | LX_O_DIRECTORY))
		return -EINVAL;
	if (!r->path[0][0])
		return -ENOENT;
	if (dirfd >= 0) {
		e = request_start(r, 0, r->path[0], &start);
		if (e)
			return e;
	}
	return open_path_at(r, start, flags, mode, walking);
}

int64_t in_open(struct request *r)
{
	int64_t e = request_path(r, 0, request_arg(r, 0));

	return e < 0 ? e :
		       open_flags(r, -1, (uint32_t)request_arg(r, 1) & LX_O_VALID,
				  (uint32_t)request_arg(r, 2), 0);
}

int64_t in_creat(struct request *r)
{
	int64_t e = request_path(r, 0, request_arg(r, 0));

	return e < 0 ? e :
		       open_flags(r, -1, LX_O_CREAT | LX_O_WRONLY | LX_O_TRUNC,
				  (uint32_t)request_arg(r, 1), 0);
}

int64_t in_openat(struct request *r)
{
	int64_t e = request_path(r, 0, request_arg(r, 1));

	return e < 0 ? e :
		       open_flags(r, 0, (uint32_t)request_arg(r, 2) & LX_O_VALID,
				  (uint32_t)request_arg(r, 3), 0);
}

static unsigned resolve_flags(uint64_t resolve)
{
	return (resolve & LX_RESOLVE_NO_SYMLINKS ? WALK_NO_LINKS | WALK_NO_MAGIC : 0) |
	       (resolve & LX_RESOLVE_NO_MAGICLINKS ? WALK_NO_MAGIC : 0) |
	       (resolve & LX_RESOLVE_NO_XDEV ? WALK_NO_XDEV : 0) |
	       (resolve & LX_RESOLVE_BENEATH ? WALK_BENEATH : 0) |
	       (resolve & LX_RESOLVE_IN_ROOT ? WALK_IN_ROOT : 0);
}

int64_t in_openat2(struct request *r)
{
	struct lx_open_how how;
	uint64_t size = request_arg(r, 3);
	uint64_t known = LX_RESOLVE_NO_XDEV | LX_RESOLVE_NO_MAGICLINKS | LX_RESOLVE_NO_SYMLINKS |
			 LX_RESOLVE_BENEATH | LX_RESOLVE_IN_ROOT;
	char rest[4096 - sizeof how];
	int64_t e;

	if (size < sizeof how)
		return -EINVAL;
	if (size > 4096)
		return -E2BIG;
	e = k_caller_read(srv_endpoint(), r->m->call, &how, request_arg(r, 2), sizeof how);
	if (e >= 0 && size > sizeof how)
		e = k_caller_read(srv_endpoint(), r->m->call, rest, request_arg(r, 2) + sizeof how,
				  size - sizeof how);
	if (e < 0)
		return e;
	for (uint64_t i = 0; i < size - sizeof how; i++) {
		if (rest[i])
			return -E2BIG;
	}
	if (how.flags & ~(uint64_t)LX_O_VALID || how.resolve & LX_RESOLVE_CACHED)
		return how.resolve & LX_RESOLVE_CACHED ? -EAGAIN : -EINVAL;
	if (how.resolve & ~known ||
	    (how.resolve & LX_RESOLVE_BENEATH && how.resolve & LX_RESOLVE_IN_ROOT))
		return -EINVAL;
	if (how.mode & ~07777ull || (how.mode && !(how.flags & (LX_O_CREAT | LX_O_TMPFILE_BIT))))
		return -EINVAL;
	if (how.flags & LX_O_PATH &&
	    how.flags & ~(uint64_t)(LX_O_PATH | LX_O_DIRECTORY | LX_O_NOFOLLOW | LX_O_CLOEXEC))
		return -EINVAL;
	e = request_path(r, 0, request_arg(r, 1));
	return e < 0 ? e :
		       open_flags(r, 0, (uint32_t)how.flags, (uint32_t)how.mode,
				  resolve_flags(how.resolve));
}
