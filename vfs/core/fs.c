/* SPDX-License-Identifier: MIT */
/* Dispatch to file systems (fs.h), and the trees that lie in the state arena. */
#include "fs.h"

#include <errno.h>

#include "walk.h"
#include "request.h"
#include "socket_linux.h"

static const struct fs_type tmpfs_type = { .name = "tmpfs", .magic = LX_TMPFS_MAGIC };
static const struct fs_type devfs_type = { .name = "devtmpfs", .magic = LX_TMPFS_MAGIC };
static const struct fs_type anon_type = { .name = "anon",
					  .magic = LX_PIPEFS_MAGIC,
					  .fixed = ENOENT };
static const struct fs_type devpts_type = { .name = "devpts",
					    .magic = LX_DEVPTS_MAGIC,
					    .fixed = EPERM };
static const struct fs_type sockfs_type = { .name = "sockfs",
					    .magic = LX_SOCKFS_MAGIC,
					    .fixed = ENOENT };

static const struct fs_type *const types[FS_KINDS] = {
	[FS_TMPFS] = &tmpfs_type, [FS_DEVFS] = &devfs_type,   [FS_PROCFS] = &procfs_type,
	[FS_ANON] = &anon_type,   [FS_DEVPTS] = &devpts_type, [FS_SOCKETS] = &sockfs_type,
};

const struct fs_type *fs_type(const struct node *n)
{
	return types[n->fs->kind];
}

int64_t fs_lookup_other(struct request *r, struct node *dir, const char *name, size_t size,
			struct entry **e, struct node **n)
{
	const struct fs_type *t = fs_type(dir);

	*e = NULL;
	return t->lookup ? t->lookup(r, dir, name, size, e, n) : -ENOENT;
}

int64_t fs_link(struct request *r, struct pos link, unsigned depth, struct fs_link *out)
{
	const struct fs_type *t = fs_type(link.node);

	if (link.node->link.target) {
		out->text = link.node->link.target;
		return 0;
	}
	return t->link ? t->link(r, link, depth, out) : -EINVAL;
}

/*
 * The entry after `cookie` in a list that is sorted by it. Listing in pieces asks for the same
 * place again and again, so the last one given is remembered; it is still good if no name of that
 * directory was removed since.
 */
static struct entry *list_after(const struct node *dir, uint64_t cookie)
{
	static struct {
		const struct node *dir;
		struct entry *entry;
		uint32_t removals;
	} hint;
	struct entry *e = dir->dir.first;

	if (hint.dir == dir && hint.removals == dir->dir.removals && hint.entry->dir == dir &&
	    hint.entry->cookie <= cookie)
		e = hint.entry;
	while (e && e->cookie <= cookie)
		e = e->next;
	if (e) {
		hint.dir = dir;
		hint.entry = e;
		hint.removals = dir->dir.removals;
	}
	return e;
}

int fs_list_next(struct node *dir, uint64_t cookie, struct fs_dirent *out)
{
	struct entry *e = list_after(dir, cookie);

	if (!e)
		return 0;
	*out = (struct fs_dirent){ .ino = e->node->ino,
				   .cookie = e->cookie,
				   .type = e->node->mode & LX_S_IFMT,
				   .name = e->text,
				   .size = e->size };
	return 1;
}

int fs_next(struct request *r, struct pos dir, uint64_t cookie, struct fs_dirent *out)
{
	const struct fs_type *t = fs_type(dir.node);
	struct pos up;

	if (cookie < 2) {
		up = cookie ? walk_up(r->root, dir) : dir;
		*out = (struct fs_dirent){ .ino = up.node->ino,
					   .cookie = cookie + 1,
					   .type = LX_S_IFDIR,
					   .name = "..",
					   .size = cookie + 1 };
		return 1;
	}
	if (t->next)
		return t->next(r, dir.node, cookie, out);
	return fs_list_next(dir.node, cookie, out);
}
