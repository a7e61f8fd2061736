/* SPDX-License-Identifier: MIT */
/* File systems and mounts: the list of mounts, and which mount covers which node (node.h). */
#include "node.h"

#include <errno.h>
#include <string.h>

struct filesystem *fs_create(enum fs_kind kind, uint64_t size_limit)
{
	struct filesystem *fs = state_alloc(sizeof *fs);

	if (!fs)
		return NULL;
	fs->kind = kind;
	fs->account = -1;
	fs->size_limit = size_limit;
	fs->mode = 01777;
	state_set(vfs->next_dev, vfs->next_dev + 1);
	fs->dev = LX_DEV(0, vfs->next_dev);
	fs->next = vfs->filesystems;
	state_set(vfs->filesystems, fs);
	return fs;
}

/*
 * Frees a directory tree of which no mount is left; nodes that are still open go with their last
 * close.
 */
static void tree_free(struct node *dir)
{
	while (dir->dir.first) {
		struct entry *e = dir->dir.first;

		if (node_is(e->node, LX_S_IFDIR))
			tree_free(e->node);
		entry_remove(e);
	}
}

static void fs_free(struct filesystem *fs)
{
	struct filesystem **at = &vfs->filesystems;

	tree_free(fs->root);
	node_unpin(fs->root);
	while (*at && *at != fs)
		at = &(*at)->next;
	if (*at)
		state_set(*at, fs->next);
	node_drop_handle(fs->account);
	state_free(fs, sizeof *fs);
}

struct mount *mount_add(struct pos where, struct filesystem *fs, struct node *root,
			const char *source, uint32_t flags)
{
	struct mount *m = state_alloc(sizeof *m);
	struct mount **at = &vfs->mounts;

	if (!m)
		return NULL;
	m->fs = fs;
	m->root = root;
	m->flags = flags;
	strncpy(m->source, source, sizeof m->source - 1);
	node_pin(root);
	state_set(fs->mounts, fs->mounts + 1);
	state_set(vfs->next_mount, vfs->next_mount + 1);
	m->id = vfs->next_mount;
	if (fs->kind == FS_ANON || fs->kind == FS_SOCKETS)
		return m;
	while (*at)
		at = &(*at)->next;
	state_set(*at, m);
	if (!where.node)
		return m;
	m->parent = where.mount;
	m->covered = where.node;
	m->next_here = where.node->mounts;
	state_set(where.node->mounts, m);
	node_pin(where.node);
	state_set(where.mount->children, where.mount->children + 1);
	return m;
}

static void mount_unlink(struct mount *m)
{
	struct mount **at = &vfs->mounts;

	while (*at && *at != m)
		at = &(*at)->next;
	if (*at)
		state_set(*at, m->next);
	if (!m->covered)
		return;
	at = &m->covered->mounts;
	while (*at != m)
		at = &(*at)->next_here;
	state_set(*at, m->next_here);
	state_set(m->parent->children, m->parent->children - 1);
	node_unpin(m->covered);
	state_set(m->covered, NULL);
	state_set(m->parent, NULL);
}

static void mount_free(struct mount *m)
{
	struct filesystem *fs = m->fs;

	node_unpin(m->root);
	state_set(fs->mounts, fs->mounts - 1);
	if (!fs->mounts)
		fs_free(fs);
	state_free(m, sizeof *m);
}

int mount_remove(struct mount *m, bool detach)
{
	if (m == vfs->root)
		return -EINVAL;
	if (!detach && (m->pins || m->children))
		return -EBUSY;
	while (m->children) {
		struct mount *child = vfs->mounts;

		while (child->parent != m)
			child = child->next;
		mount_remove(child, true);
	}
	mount_unlink(m);
	if (m->pins)
		state_set(m->detached, true);
	else
		mount_free(m);
	return 0;
}

void mount_pin(struct mount *m)
{
	state_set(m->pins, m->pins + 1);
}

void mount_unpin(struct mount *m)
{
	state_set(m->pins, m->pins - 1);
	if (m->detached && !m->pins)
		mount_free(m);
}

struct pos mount_cross(struct pos at)
{
	struct mount *m = at.node->mounts;

	while (m) {
		if (m->parent == at.mount) {
			at.mount = m;
			at.node = m->root;
			m = at.node->mounts;
		} else {
			m = m->next_here;
		}
	}
	return at;
}

void pos_pin(struct pos at)
{
	mount_pin(at.mount);
	node_pin(at.node);
}

void pos_unpin(struct pos at)
{
	node_unpin(at.node);
	mount_unpin(at.mount);
}
