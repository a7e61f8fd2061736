/* SPDX-License-Identifier: MIT */
/* Paths of places (path.h), written from the end towards the beginning. */
#include "path.h"

#include <stdio.h>
#include <string.h>

#include "fs.h"

struct text {
	char *begin, *p;
};

static bool put(struct text *t, const char *s, size_t n)
{
	if ((size_t)(t->p - t->begin) < n)
		return false;
	t->p -= n;
	memcpy(t->p, s, n);
	return true;
}

/* Things without a name, as Linux calls them. */
static const char *anon_path(const struct node *n, struct text *t)
{
	char name[300];
	int size;

	if (n->fs->kind == FS_SOCKETS)
		size = snprintf(name, sizeof name, "socket:[%lu]", (unsigned long)n->ino);
	else if (n->flags & NODE_MEMFD)
		size = snprintf(name, sizeof name, "/%s (deleted)",
				n->name ? n->name->text : "memfd:");
	else if (node_is(n, LX_S_IFIFO))
		size = snprintf(name, sizeof name, "pipe:[%lu]", (unsigned long)n->ino);
	else
		size = snprintf(name, sizeof name, "anon_inode:%s",
				n->rdev == 2 ? "[eventfd]" : "[eventpoll]");
	return put(t, name, (size_t)size) ? t->p : NULL;
}

/* Writes the node's name and moves it to its directory. 1; 0: it is a top; -1: no room. */
static int put_name(struct text *t, struct node **n)
{
	char buf[LX_NAME_MAX + 1];
	const struct fs_type *type = fs_type(*n);
	size_t size;

	if ((*n)->name) {
		if (!put(t, (*n)->name->text, (*n)->name->size))
			return -1;
		*n = (*n)->name->dir;
	} else if ((*n)->parent && type->node_name) {
		size = type->node_name(*n, buf, sizeof buf);
		if (!put(t, buf, size))
			return -1;
		*n = (*n)->parent;
	} else {
		return 0;
	}
	return put(t, "/", 1) ? 1 : -1;
}

const char *path_of(struct pos root, struct pos at, char *buf, size_t size, bool *reachable)
{
	struct text t = { buf, buf + size - 1 };
	char *end = t.p;
	int r = 1;

	*t.p = '\0';
	if (reachable)
		*reachable = true;
	if (at.node->fs->kind == FS_ANON || at.node->fs->kind == FS_SOCKETS)
		return anon_path(at.node, &t);
	if (at.node->name && at.node->name->gone) {
		if (!put(&t, " (deleted)", 10))
			return NULL;
		end = NULL;
	}
	while (!pos_same(at, root) && r > 0) {
		if (at.node == at.mount->root && at.mount->parent) {
			at = (struct pos){ at.mount->parent, at.mount->covered };
			continue;
		}
		r = at.node == at.mount->root ? 0 : put_name(&t, &at.node);
		if (r < 0)
			return NULL;
	}
	if (!pos_same(at, root) && reachable)
		*reachable = false;
	if (t.p == end && !put(&t, "/", 1))
		return NULL;
	return t.p;
}
