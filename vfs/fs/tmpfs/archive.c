/* SPDX-License-Identifier: MIT */
/* Filling the initial root from the boot archive (archive.h). */
#include "archive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cpio.h"
#include "server.h"

static int object = -1;

void archive_setup(int handle)
{
	object = handle;
}

int archive_object(void)
{
	return object;
}

static uint64_t root_ino(const struct cpio_entry *c)
{
	return (uint64_t)c->dev_major << 48 | (uint64_t)c->dev_minor << 32 | c->ino;
}

/*
 * The directory of `path`, made where it is missing; *last is the name in it. NULL: no memory, or
 * something in the way.
 */
static struct node *parent_of(struct filesystem *fs, const char *path, const char **last)
{
	struct node *dir = fs->root;
	const char *slash;

	for (; (slash = strchr(path, '/')); path = slash + 1) {
		size_t n = (size_t)(slash - path);
		struct entry *e;

		if (!n || n > LX_NAME_MAX)
			return NULL;
		e = entry_find(dir, path, n, name_hash(path, n));
		if (!e) {
			struct node *made = node_create(fs, LX_S_IFDIR | 0755, 0, 0, 0);

			e = made ? entry_add(dir, path, n, made) : NULL;
		}
		if (!e || !node_is(e->node, LX_S_IFDIR))
			return NULL;
		dir = e->node;
	}
	*last = path;
	return dir;
}

static void attributes(struct node *n, const struct cpio_entry *c)
{
	int64_t t = (int64_t)c->mtime * 1000000000;

	state_set(n->mode, c->mode);
	state_set(n->uid, c->uid);
	state_set(n->gid, c->gid);
	undo_save(&n->atime, 4 * sizeof n->atime);
	n->atime = n->mtime = n->ctime = n->btime = t;
}

/*
 * A file's data: where it lies. Data that does not begin on a page (not our archiver's work) is
 * copied.
 */
static int file_data(struct node *n, const struct cpio_entry *c)
{
	long h;

	if (!c->size)
		return 0;
	state_set(n->file.size, c->size);
	if (c->offset % 4096 == 0 && object >= 0) {
		state_set(n->file.archive, c->offset);
		return 0;
	}
	h = k_mobject_create(0, 0);
	if (h < 0)
		return (int)h;
	state_set(n->object, node_new_handle((int)h));
	h = k_mobject_write(n->object, 0, c->data, c->size);
	return h < 0 ? (int)h : 0;
}

static int link_target(struct node *n, const struct cpio_entry *c)
{
	char *target = state_alloc(c->size + 1);

	if (!target)
		return -ENOMEM;
	memcpy(target, c->data, c->size);
	n->link.target = target;
	n->link.size = c->size;
	state_set(n->fs->extra, n->fs->extra + node_weight(c->size));
	return 0;
}

/* Nodes with several names, until the archive is read. */
struct linked {
	uint64_t ino;
	struct node *node;
};
static struct linked *linked;
static size_t linked_count, linked_room;

static struct node *linked_find(const struct cpio_entry *c)
{
	for (size_t i = 0; i < linked_count; i++) {
		if (linked[i].ino == root_ino(c))
			return linked[i].node;
	}
	return NULL;
}

static void linked_add(const struct cpio_entry *c, struct node *n)
{
	if (linked_count == linked_room) {
		struct linked *more = realloc(linked, (linked_room + 64) * sizeof *more);

		if (!more)
			return;
		linked = more;
		linked_room += 64;
	}
	linked[linked_count++] = (struct linked){ root_ino(c), n };
}

static int member_new(struct filesystem *fs, struct node *dir, const char *name,
		      const struct cpio_entry *c)
{
	bool many = (c->mode & LX_S_IFMT) == LX_S_IFREG && c->nlink > 1;
	struct node *n = many ? linked_find(c) : NULL;
	bool first = !n;
	int e = 0;

	if (first)
		n = node_create(fs, c->mode, c->uid, c->gid, 0);
	if (!n || !entry_add(dir, name, strlen(name), n))
		return -ENOMEM;
	if (first && many)
		linked_add(c, n);
	if (first)
		attributes(n, c);
	switch (c->mode & LX_S_IFMT) {
	case LX_S_IFREG:
		e = first || c->size ? file_data(n, c) : 0;
		break;
	case LX_S_IFLNK:
		e = link_target(n, c);
		break;
	case LX_S_IFCHR:
	case LX_S_IFBLK:
		n->rdev = LX_DEV(c->rdev_major, c->rdev_minor);
	}
	return e;
}

static int member(struct filesystem *fs, const struct cpio_entry *c)
{
	const char *name;
	struct node *dir;
	struct entry *e;

	if (!strcmp(c->name, ".")) {
		attributes(fs->root, c);
		return 0;
	}
	dir = parent_of(fs, c->name, &name);
	if (!dir || !*name || strlen(name) > LX_NAME_MAX || !strcmp(name, ".") ||
	    !strcmp(name, ".."))
		return -EINVAL;
	e = entry_find(dir, name, strlen(name), name_hash(name, strlen(name)));
	/*
	 * a directory that was made before its own record came; anything else: the first one counts
	 */
	if (e) {
		if (node_is(e->node, LX_S_IFDIR) && (c->mode & LX_S_IFMT) == LX_S_IFDIR)
			attributes(e->node, c);
		return 0;
	}
	return member_new(fs, dir, name, c);
}

int archive_read(struct filesystem *fs, const void *archive, size_t size)
{
	struct cpio_entry entry;
	struct cpio c;
	int r, e = 0;

	cpio_open(&c, archive, size);
	while (!e && (r = cpio_next(&c, &entry)) > 0) {
		e = member(fs, &entry);
		if (e == -EINVAL) {
			srv_log("boot archive: no place for %s", entry.name);
			e = 0;
		}
		if (e)
			node_rollback();
		else
			node_commit();
	}
	free(linked);
	linked = NULL;
	linked_count = linked_room = 0;
	return e ? e : r;
}

int archive_fill(struct filesystem *fs)
{
	struct k_mobject_info info;
	struct k_map map = { .space = -1, .object = object, .flags = K_MAP_READ };
	int e;

	if (object < 0)
		return 0;
	e = (int)k_mobject_info(object, &info);
	if (e < 0)
		return e;
	map.size = info.size;
	e = (int)k_space_map(&map);
	if (e < 0)
		return e;
	e = archive_read(fs, (const void *)map.address, info.size);
	k_space_unmap(-1, map.address, map.size);
	return e;
}
