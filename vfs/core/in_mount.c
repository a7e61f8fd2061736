/* SPDX-License-Identifier: MIT */
/* mount, umount, and the tables that show them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devpts.h"
#include "fs.h"
#include "in.h"
#include "mount_options.h"
#include "mounts.h"
#include "path.h"

#define KEPT_FLAGS                                                                                 \
	(LX_MS_RDONLY | LX_MS_NOSUID | LX_MS_NODEV | LX_MS_NOEXEC | LX_MS_NOATIME |                \
	 LX_MS_NODIRATIME | LX_MS_RELATIME | LX_MS_NOSYMFOLLOW | LX_MS_SYNCHRONOUS)
#define PROPAGATION (LX_MS_UNBINDABLE | LX_MS_PRIVATE | LX_MS_SLAVE | LX_MS_SHARED)

/* --- options of tmpfs --------------------------------------------------------------------- */

/* "64m", "50%", "1g" */
static int64_t size_parse(const char *s, uint64_t *out)
{
	char *end;
	uint64_t v = strtoull(s, &end, 0);

	switch (*end) {
	case '%':
		v = (uint64_t)((unsigned __int128)mounts_memory() * v / 100);
		end++;
		break;
	case 'g': case 'G':
		v <<= 10;	/* fall through */
	case 'm': case 'M':
		v <<= 10;	/* fall through */
	case 'k': case 'K':
		v <<= 10;
		end++;
	}
	*out = (v + 4095) & ~4095ull;
	return *end ? -EINVAL : 0;
}

static int64_t tmpfs_option(const char *name, const char *value, void *to)
{
	struct tmpfs_options *o = to;
	uint32_t n;
	int64_t e;

	if (!value)
		return -EINVAL;
	if (!strcmp(name, "size"))
		return size_parse(value, &o->size);
	if (!strcmp(name, "mode"))
		return mount_option_number(value, 8, &o->mode);
	if (!strcmp(name, "uid"))
		return mount_option_number(value, 10, &o->uid);
	if (!strcmp(name, "gid"))
		return mount_option_number(value, 10, &o->gid);
	if (!strcmp(name, "nr_inodes")) {
		e = mount_option_number(value, 10, &n);
		o->nodes = n;
		return e;
	}
	return !strcmp(name, "huge") || !strcmp(name, "nr_blocks") ? 0 : -EINVAL;
}

/* --- mount -------------------------------------------------------------------------------- */

struct mount_args {
	char source[256], type[64], data[1024];
	uint64_t flags;
};

static int64_t string_arg(struct request *r, unsigned i, char *to, size_t size)
{
	int64_t e;

	*to = '\0';
	if (!request_arg(r, i))
		return 0;
	e = k_caller_read_string(srv_endpoint(), r->m->call, to, request_arg(r, i), size);
	return e < 0 ? e == -ENAMETOOLONG ? -EINVAL : e : 0;
}

static int64_t mount_new(struct request *r, struct pos at, struct mount_args *a)
{
	struct tmpfs_options o = { .size = mounts_memory() / 2,
				   .mode = 01777,
				   .uid = r->cred->fsuid,
				   .gid = r->cred->fsgid };
	struct devpts_options pts;
	struct filesystem *fs;
	int64_t e;

	if (!strcmp(a->type, "tmpfs") || !strcmp(a->type, "ramfs")) {
		e = mount_options(a->data, tmpfs_option, &o);
		if (e)
			return e;
		fs = mounts_tmpfs(&o);
	} else if (!strcmp(a->type, "devtmpfs") || !strcmp(a->type, "devfs")) {
		fs = mounts_find(FS_DEVFS);
	} else if (!strcmp(a->type, "proc")) {
		fs = mounts_find(FS_PROCFS);
	} else if (!strcmp(a->type, "devpts")) {
		e = devpts_parse(a->data, &pts);
		if (e)
			return e;
		devpts_set_options(&pts);
		fs = mounts_find(FS_DEVPTS);
	} else {
		return -ENODEV;
	}
	if (!fs)
		return -ENOMEM;
	if (!node_is(at.node, LX_S_IFDIR))
		return -ENOTDIR;
	if (at.mount->fs == fs && at.node == at.mount->root)
		return -EBUSY;
	return mount_add(at, fs, fs->root, *a->source ? a->source : "none", a->flags & KEPT_FLAGS) ?
		       0 :
		       -ENOMEM;
}

static bool is_below(const struct node *top, const struct node *n)
{
	for (; n; n = n->name ? n->name->dir : n->parent) {
		if (n == top)
			return true;
	}
	return false;
}

static int64_t mount_bind(struct request *r, struct pos at, struct mount_args *a)
{
	struct mount *added, *last;
	struct walk w;
	int64_t e;

	if (!*a->source)
		return -ENOENT;
	e = request_walk(r, 1, -1, request_arg(r, 0), WALK_FOLLOW, &w);
	if (e)
		return e;
	if (node_is(w.at.node, LX_S_IFDIR) != node_is(at.node, LX_S_IFDIR))
		return -ENOTDIR;
	added = mount_add(at, w.at.node->fs, w.at.node, w.at.mount->source, w.at.mount->flags);
	if (!added)
		return -ENOMEM;
	if (!(a->flags & LX_MS_REC))
		return 0;
	/* what was mounted below before: one level; deeper ones stay where they are */
	last = added;
	for (struct mount *m = vfs->mounts; m != added; m = m->next) {
		if (m->parent != w.at.mount || m == added || !is_below(w.at.node, m->covered))
			continue;
		if (!mount_add((struct pos){ added, m->covered }, m->fs, m->root, m->source,
			       m->flags))
			return -ENOMEM;
	}
	(void)last;
	return 0;
}

static int64_t mount_move(struct request *r, struct pos at)
{
	struct walk w;
	struct mount *m, **link;
	int64_t e = request_walk(r, 1, -1, request_arg(r, 0), WALK_FOLLOW, &w);

	if (e)
		return e;
	m = w.at.mount;
	if (w.at.node != m->root || !m->parent ||
	    node_is(m->root, LX_S_IFDIR) != node_is(at.node, LX_S_IFDIR))
		return -EINVAL;
	for (struct mount *up = at.mount; up; up = up->parent) {
		if (up == m)
			return -ELOOP;
	}
	link = &m->covered->mounts;
	while (*link != m)
		link = &(*link)->next_here;
	state_set(*link, m->next_here);
	state_set(m->parent->children, m->parent->children - 1);
	node_pin(at.node);
	node_unpin(m->covered);
	state_set(m->parent, at.mount);
	state_set(m->covered, at.node);
	state_set(m->next_here, at.node->mounts);
	state_set(at.node->mounts, m);
	state_set(at.mount->children, at.mount->children + 1);
	return 0;
}

static int64_t mount_remount(struct pos at, struct mount_args *a)
{
	struct tmpfs_options o = { 0 };
	int64_t e;

	if (at.node != at.mount->root)
		return -EINVAL;
	if (!(a->flags & LX_MS_BIND) && at.mount->fs->kind == FS_TMPFS) {
		e = mount_options(a->data, tmpfs_option, &o);
		if (!e && o.size)
			e = mounts_resize(at.mount->fs, o.size);
		if (e)
			return e;
	}
	if (a->flags & LX_MS_RDONLY && mounts_written(at.mount))
		return -EBUSY;
	state_set(at.mount->flags, (uint32_t)(a->flags & KEPT_FLAGS));
	return 0;
}

int64_t in_mount(struct request *r)
{
	static struct mount_args a;
	struct walk w;
	int64_t e;

	a.flags = request_arg(r, 3);
	if ((a.flags & 0xffff0000) == 0xc0ed0000)
		a.flags &= 0xffff;
	e = string_arg(r, 0, a.source, sizeof a.source);
	if (!e)
		e = string_arg(r, 2, a.type, sizeof a.type);
	if (!e)
		e = string_arg(r, 4, a.data, sizeof a.data);
	if (!e)
		e = request_walk(r, 0, -1, request_arg(r, 1), WALK_FOLLOW, &w);
	if (e)
		return e;
	if (!cred_can(r->cred, PROTO_CAP_SYS_ADMIN))
		return -EPERM;
	if (a.flags & LX_MS_REMOUNT)
		return mount_remount(w.at, &a);
	if (a.flags & LX_MS_BIND)
		return mount_bind(r, w.at, &a);
	if (a.flags & PROPAGATION)
		return w.at.node == w.at.mount->root ?
			       0 :
			       -EINVAL; /* there is one name space: nothing to propagate */
	if (a.flags & LX_MS_MOVE)
		return mount_move(r, w.at);
	return *a.type ? mount_new(r, w.at, &a) : -EINVAL;
}

int64_t in_umount2(struct request *r)
{
	unsigned flags = (unsigned)request_arg(r, 1);
	struct walk w;
	int64_t e;

	if (flags & ~(LX_MNT_FORCE | LX_MNT_DETACH | LX_MNT_EXPIRE | LX_UMOUNT_NOFOLLOW) ||
	    flags & LX_MNT_EXPIRE)
		return -EINVAL;
	e = request_walk(r, 0, -1, request_arg(r, 0), flags & LX_UMOUNT_NOFOLLOW ? 0 : WALK_FOLLOW,
			 &w);
	if (e)
		return e;
	if (!cred_can(r->cred, PROTO_CAP_SYS_ADMIN))
		return -EPERM;
	if (w.at.node != w.at.mount->root)
		return -EINVAL;
	return mount_remove(w.at.mount, flags & LX_MNT_DETACH);
}

/* --- tables ------------------------------------------------------------------------------- */

/* Blanks and the like in octal, as these tables have them. */
static void put_escaped(FILE *f, const char *s)
{
	for (; *s; s++) {
		if (strchr(" \t\n\\", *s))
			fprintf(f, "\\%03o", *s);
		else
			fputc(*s, f);
	}
}

static void put_flags(FILE *f, const struct mount *m)
{
	fputs(m->flags & LX_MS_RDONLY ? "ro" : "rw", f);
	fputs(m->flags & LX_MS_NOSUID ? ",nosuid" : "", f);
	fputs(m->flags & LX_MS_NODEV ? ",nodev" : "", f);
	fputs(m->flags & LX_MS_NOEXEC ? ",noexec" : "", f);
	fputs(m->flags & LX_MS_NOATIME ? ",noatime" : ",relatime", f);
}

static void put_options(FILE *f, const struct filesystem *fs)
{
	const struct devpts_options *o = &vfs->devpts->options;

	if (fs->kind == FS_DEVPTS && o->gid_set)
		fprintf(f, ",gid=%u", (unsigned)o->gid);
	if (fs->kind == FS_DEVPTS)
		fprintf(f, ",mode=%03o,ptmxmode=%03o", (unsigned)o->mode, (unsigned)o->ptmxmode);
	if (fs->kind != FS_TMPFS)
		return;
	if (fs->size_limit)
		fprintf(f, ",size=%luk", (unsigned long)(fs->size_limit / 1024));
	if (fs->node_limit)
		fprintf(f, ",nr_inodes=%lu", (unsigned long)fs->node_limit);
	if (fs->mode != 01777)
		fprintf(f, ",mode=%o", (unsigned)fs->mode);
}

/* Where in its file system a mount begins. */
static void put_root(FILE *f, const struct mount *m)
{
	char buf[LX_PATH_MAX], *p = buf + sizeof buf - 1;

	*p = '\0';
	for (const struct node *n = m->root;
	     n != m->fs->root && n->name && p - buf > LX_NAME_MAX + 1; n = n->name->dir) {
		p -= n->name->size;
		memcpy(p, n->name->text, n->name->size);
		*--p = '/';
	}
	put_escaped(f, *p ? p : "/");
}

static void put_mount(FILE *f, struct request *r, const struct mount *m, bool info)
{
	static char buf[PATH_TEXT];
	bool reachable;
	const char *path = path_of(r->root, (struct pos){ (struct mount *)m, m->root }, buf,
				   sizeof buf, &reachable);
	const char *type = fs_type(m->root)->name;

	if (!path || !reachable)
		return;
	if (info) {
		fprintf(f, "%u %u %u:%u ", (unsigned)m->id, m->parent ? (unsigned)m->parent->id : 0,
			(unsigned)LX_MAJOR(m->fs->dev), (unsigned)LX_MINOR(m->fs->dev));
		put_root(f, m);
		fputc(' ', f);
		put_escaped(f, path);
		fputc(' ', f);
		put_flags(f, m);
		fprintf(f, " - %s ", type);
		put_escaped(f, m->source);
		fputs(" rw", f);
		put_options(f, m->fs);
		fputc('\n', f);
		return;
	}
	put_escaped(f, m->source);
	fputc(' ', f);
	put_escaped(f, path);
	fprintf(f, " %s ", type);
	put_flags(f, m);
	put_options(f, m->fs);
	fputs(" 0 0\n", f);
}

char *mount_text(struct request *r, bool info, size_t *size)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, size);

	if (!f)
		return NULL;
	for (const struct mount *m = vfs->mounts; m; m = m->next)
		put_mount(f, r, m, info);
	fclose(f);
	return text;
}
