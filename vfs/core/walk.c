/* SPDX-License-Identifier: MIT */
/*
 * The path walk (walk.h). What is still to be walked is the current string and a stack of rests: a
 * symbolic link's target becomes the current string, and what followed the link goes on the stack
 * (unless it is empty, so that the last component is recognised by an empty stack). Nothing is
 * copied: targets lie in their nodes, or in the request.
 */
#include "walk.h"

#include <errno.h>

#include "cred.h"
#include "fs.h"
#include "procfs.h"
#include "request.h"

struct state {
	struct request *r;
	unsigned flags;
	struct pos root, start;
	const char *p;			/* the current string */
	const char *rest[LX_LINK_DEPTH + 1];
	unsigned depth, links;
	struct walk *w;
};

struct pos walk_up(struct pos root, struct pos at)
{
	while (!pos_same(at, root) && at.node == at.mount->root && at.mount->parent)
		at = (struct pos){ at.mount->parent, at.mount->covered };
	if (pos_same(at, root) || at.node == at.mount->root || !at.node->parent)
		return at;
	at.node = at.node->parent;
	return mount_cross(at);
}

static int step_up(struct state *s)
{
	struct walk *w = s->w;
	struct pos up;

	if (s->flags & WALK_BENEATH && pos_same(w->at, s->start))
		return -EXDEV;
	up = walk_up(s->root, w->at);
	if (s->flags & WALK_NO_XDEV && up.mount != w->at.mount)
		return -EXDEV;
	w->at = up;
	return 0;
}

/*
 * The link `node` in directory w->at is followed; what comes after it is s->p. 1: jumped to the end
 * of the path.
 */
static int64_t step_link(struct state *s, struct pos link, bool last)
{
	struct walk *w = s->w;
	struct fs_link target = { 0 };
	int64_t r;

	if (s->flags & WALK_NO_LINKS || link.mount->flags & LX_MS_NOSYMFOLLOW ||
	    ++s->links > LX_LINK_DEPTH)
		return -ELOOP;
	r = fs_link(s->r, link, s->links, &target);
	if (r)
		return r;
	if (target.text) {
		if (!*target.text)
			return -ENOENT;
		if (*target.text == '/') {
			if (s->flags & WALK_BENEATH)
				return -EXDEV;
			w->at = s->root;
		}
		if (*s->p)
			s->rest[s->depth++] = s->p;
		s->p = target.text;
		return 0;
	}
	if (s->flags & (WALK_NO_MAGIC | WALK_BENEATH | WALK_IN_ROOT))
		return s->flags & WALK_NO_MAGIC ? -ELOOP : -EXDEV;
	w->at = target.jump;
	if (!last)
		return 0;
	w->kind = WALK_JUMP;
	w->entry = NULL;
	return w->slash && !node_is(w->at.node, LX_S_IFDIR) ? -ENOTDIR : 1;
}

/* A component that is a name. 1: the walk is over. */
static int64_t step_name(struct state *s, const char *name, size_t size, uint32_t hash, bool last)
{
	struct walk *w = s->w;
	struct node *n = NULL;
	struct entry *e;
	struct pos next;
	int64_t r;

	if (last) {
		w->kind = WALK_NAME;
		w->dir = w->at;
		w->last = name;
		w->size = size;
		if (w->slash && s->flags & WALK_CREATE)
			return -EISDIR; /* open with O_CREAT never makes a directory, and says so
					   first */
	}
	e = entry_find(w->at.node, name, size, hash);
	if (e) {
		n = e->node;
		r = 0;
	} else {
		r = fs_lookup_other(s->r, w->at.node, name, size, &e, &n);
	}
	if (r == -ENOENT && last && s->flags & (WALK_PARENT | WALK_CREATE)) {
		w->at.node = NULL;
		w->entry = NULL;
		return 1;
	}
	if (r)
		return r;
	next = (struct pos){ w->at.mount, n };
	if (n->mounts) {
		next = mount_cross(next);
		if (s->flags & WALK_NO_XDEV && next.mount != w->at.mount)
			return -EXDEV;
	}
	if (node_is(next.node, LX_S_IFLNK) &&
	    (!last || (!(s->flags & WALK_PARENT) && (s->flags & WALK_FOLLOW || w->slash))))
		return step_link(s, next, last);
	w->at = next;
	if (!last)
		return 0;
	w->entry = e;
	if (w->slash && !(s->flags & WALK_PARENT) && !node_is(next.node, LX_S_IFDIR))
		return -ENOTDIR;
	return 1;
}

/* One component from s->p. 1: over. */
static int64_t step(struct state *s)
{
	struct walk *w = s->w;
	uint32_t hash = NAME_HASH_BEGIN;
	const char *name, *end;
	size_t size;
	bool last;
	int r;

	while (*s->p == '/')
		s->p++;
	if (!*s->p) {
		if (s->depth) {
			s->p = s->rest[--s->depth];
			return 0;
		}
		w->kind = WALK_ROOT;
		w->dir = w->at;
		w->entry = NULL;
		return 1;
	}
	if (!node_is(w->at.node, LX_S_IFDIR))
		return -ENOTDIR;
	r = cred_permit(s->r->cred, w->at.node, LX_X_OK);
	if (r && !(proc_is_fd_list(w->at.node) && w->at.node->pid == s->r->m->pid))
		return r; /* (a process always finds its own descriptors, even after it changed its
			     user) */
	name = s->p;
	for (end = name; *end && *end != '/'; end++)
		hash = name_hash_add(hash, *end);
	size = (size_t)(end - name);
	s->p = end;
	while (*s->p == '/')
		s->p++;
	last = !*s->p && !s->depth;
	if (last && s->p > end)
		w->slash = true;
	if (name[0] == '.' && (size == 1 || (size == 2 && name[1] == '.'))) {
		if (last) {
			w->dir = w->at;
			w->kind = size == 1 ? WALK_DOT : WALK_DOTDOT;
			w->entry = NULL;
		}
		r = size == 2 ? step_up(s) : 0;
		return r ? r : last;
	}
	if (size > LX_NAME_MAX)
		return -ENAMETOOLONG;
	return step_name(s, name, size, hash, last);
}

int64_t walk_path(struct request *r, struct pos start, const char *path, unsigned flags,
		  struct walk *w)
{
	struct state s;
	int64_t done;

	s.r = r;
	s.flags = flags;
	s.root = flags & WALK_IN_ROOT ? start : r->root;
	s.start = start;
	s.p = path;
	s.depth = s.links = 0;
	s.w = w;
	w->slash = false;
	w->entry = NULL;
	if (!*path)
		return -ENOENT;
	if (*path == '/' && flags & WALK_BENEATH)
		return -EXDEV;
	w->at = *path == '/' ? s.root : start;
	do
		done = step(&s);
	while (!done);
	return done == 1 ? 0 : done;
}
