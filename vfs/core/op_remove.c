/* SPDX-License-Identifier: MIT */
/* Taking names away and moving them: unlink, rmdir, rename (op.h). */
#include "op.h"

#include <errno.h>

#include "fs.h"

/*
 * May the existing name at the end of w be taken away? Finds its entry even when something is
 * mounted on it.
 */
static int64_t may_remove(struct request *r, const struct walk *w, struct entry **out)
{
	int64_t e;

	if (!w->at.node)
		return -ENOENT;
	if (w->dir.mount->flags & LX_MS_RDONLY)
		return -EROFS;
	if (!w->entry || fs_type(w->dir.node)->fixed)
		return -EPERM;		/* /proc */
	*out = w->entry;
	e = cred_may_remove(r->cred, w->dir.node, (*out)->node);
	return e;
}

static void touch(struct node *n, int64_t now, bool mtime)
{
	if (mtime)
		state_set(n->mtime, now);
	state_set(n->ctime, now);
}

int64_t op_unlink(struct request *r, const struct walk *w)
{
	int64_t now = request_now();
	struct entry *e;
	int64_t error;

	if (w->kind != WALK_NAME)
		return w->kind == WALK_DOTDOT || w->kind == WALK_DOT || w->kind == WALK_ROOT ?
			       -EISDIR :
			       -EPERM;
	if (w->at.node && w->slash)
		return node_is(w->at.node, LX_S_IFDIR) ? -EISDIR : -ENOTDIR;
	error = may_remove(r, w, &e);
	if (error)
		return error;
	if (node_is(e->node, LX_S_IFDIR))
		return -EISDIR;
	if (e->node->mounts)
		return -EBUSY;
	touch(w->dir.node, now, true);
	touch(e->node, now, false);
	entry_remove(e);
	return 0;
}

int64_t op_rmdir(struct request *r, const struct walk *w)
{
	int64_t now = request_now();
	struct entry *e;
	int64_t error;

	switch (w->kind) {
	case WALK_DOT:
		return -EINVAL;
	case WALK_DOTDOT:
		return -ENOTEMPTY;
	case WALK_NAME:
		break;
	default:
		return -EBUSY;
	}
	error = may_remove(r, w, &e);
	if (error)
		return error;
	if (!node_is(e->node, LX_S_IFDIR))
		return -ENOTDIR;
	if (e->node->mounts)
		return -EBUSY;
	if (e->node->dir.count)
		return -ENOTEMPTY;
	touch(w->dir.node, now, true);
	touch(e->node, now, false);
	entry_remove(e);
	return 0;
}

/* --- rename ------------------------------------------------------------------------------- */

static bool is_above(const struct node *above, const struct node *n)
{
	for (; n; n = n->parent) {
		if (n == above)
			return true;
	}
	return false;
}

/* The place that `moved` comes to: what may be there already. */
static int64_t may_replace(struct request *r, const struct node *moved, const struct walk *to,
			   struct entry *there)
{
	int64_t e = cred_may_remove(r->cred, to->dir.node, there->node);

	if (e)
		return e;
	if (node_is(moved, LX_S_IFDIR)) {
		if (!node_is(there->node, LX_S_IFDIR))
			return -ENOTDIR;
		if (there->node->dir.count)
			return -ENOTEMPTY;
	} else if (node_is(there->node, LX_S_IFDIR)) {
		return -EISDIR;
	}
	return there->node->mounts ? -EBUSY : 0;
}

/* A directory that gets another parent changes its "..": that takes write permission on itself. */
static int64_t may_reparent(struct request *r, const struct node *n, const struct walk *from,
			    const struct walk *to)
{
	if (!node_is(n, LX_S_IFDIR) || from->dir.node == to->dir.node)
		return 0;
	return cred_permit(r->cred, n, LX_W_OK);
}

static int64_t rename_check(struct request *r, const struct walk *from, const struct walk *to,
			    unsigned flags, struct entry **e)
{
	struct node *n;
	int64_t error;

	if (from->dir.mount != to->dir.mount || from->dir.node->fs != to->dir.node->fs)
		return -EXDEV;
	if (from->kind != WALK_NAME)
		return -EBUSY;
	if (to->kind != WALK_NAME)
		return flags & LX_RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (!from->at.node)
		return -ENOENT;
	if (to->at.node && flags & LX_RENAME_NOREPLACE)
		return -EEXIST;
	if (!to->at.node && flags & LX_RENAME_EXCHANGE)
		return -ENOENT;
	if (flags & LX_RENAME_EXCHANGE && to->slash && !node_is(to->at.node, LX_S_IFDIR))
		return -ENOTDIR;
	error = may_remove(r, from, e);
	if (error)
		return error;
	n = (*e)->node;
	if (!node_is(n, LX_S_IFDIR) &&
	    (from->slash || (to->slash && !(flags & LX_RENAME_EXCHANGE))))
		return -ENOTDIR;
	if (n->mounts)
		return -EBUSY;
	if (node_is(n, LX_S_IFDIR) && is_above(n, to->dir.node))
		return -EINVAL;
	if (to->dir.node->name && to->dir.node->name->gone)
		return -ENOENT;
	if (!to->at.node) {
		error = cred_permit(r->cred, to->dir.node, LX_W_OK | LX_X_OK);
	} else if (flags & LX_RENAME_EXCHANGE) {
		error = cred_may_remove(r->cred, to->dir.node, to->entry->node);
		if (!error && node_is(to->entry->node, LX_S_IFDIR) &&
		    is_above(to->entry->node, from->dir.node))
			error = -EINVAL;
		if (!error && to->entry->node->mounts)
			error = -EBUSY;
		if (!error)
			error = may_reparent(r, to->entry->node, from, to);
	} else if (to->entry->node == n) {
		return 0;
	} else {
		if (is_above(to->entry->node, from->dir.node))
			return -ENOTEMPTY;
		error = may_replace(r, n, to, to->entry);
	}
	return error ? error : may_reparent(r, n, from, to);
}

/* Both names stay, each with the other's node. */
static void exchange(struct entry *a, struct entry *b)
{
	struct node *n = a->node, *o = b->node;

	node_pin(n);
	node_pin(o);
	entry_replace(a, o);
	entry_replace(b, n);
	entry_note(a);
	entry_note(b);
	node_unpin(n);
	node_unpin(o);
}

int64_t op_rename(struct request *r, const struct walk *from, const struct walk *to, unsigned flags)
{
	int64_t now = request_now();
	struct entry *e;
	struct node *n;
	int64_t error = rename_check(r, from, to, flags, &e);

	if (error)
		return error;
	n = e->node;
	if (to->at.node && to->entry->node == n)
		return 0;		/* two names of one file: nothing happens */
	touch(from->dir.node, now, true);
	touch(to->dir.node, now, true);
	touch(n, now, false);
	if (flags & LX_RENAME_EXCHANGE) {
		touch(to->entry->node, now, false);
		exchange(e, to->entry);
		return 0;
	}
	if (to->at.node) {
		touch(to->entry->node, now, false);
		entry_replace(to->entry, n);
		entry_note(to->entry);
	} else {
		struct entry *added = entry_add(to->dir.node, to->last, to->size, n);

		if (!added)
			return -ENOMEM;
		entry_note(added);
	}
	entry_remove(e);
	return 0;
}
