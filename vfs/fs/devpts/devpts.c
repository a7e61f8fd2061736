/* SPDX-License-Identifier: MIT */
/* Pseudo-terminals' numbers and nodes (devpts.h). */
#include "devpts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "in.h"
#include "mount_options.h"
#include "mounts.h"
#include "open.h"

#define SLAVE_MAJOR 136u

/* --- numbers ------------------------------------------------------------------------------ */

/* The lowest free one is taken. */
static int64_t number_take(struct devpts *p, uint32_t *out)
{
	for (uint32_t i = 0; i < DEVPTS_MAX / 64; i++) {
		unsigned bit;

		if (!~p->used[i])
			continue;
		bit = (unsigned)__builtin_ctzll(~p->used[i]);
		state_set(p->used[i], p->used[i] | 1ull << bit);
		state_set(p->count, p->count + 1);
		*out = i * 64 + bit;
		return 0;
	}
	return -ENOSPC;
}

void devpts_node_gone(const struct node *n)
{
	struct devpts *p = vfs->devpts;
	uint32_t i = LX_MINOR(n->rdev);

	if (LX_MAJOR(n->rdev) != SLAVE_MAJOR || i >= DEVPTS_MAX)
		return;
	state_set(p->used[i / 64], p->used[i / 64] & ~(1ull << i % 64));
	state_set(p->count, p->count - 1);
}

/* --- nodes -------------------------------------------------------------------------------- */

static struct entry *slave_find(const struct filesystem *fs, uint32_t number)
{
	char name[16];
	int n = snprintf(name, sizeof name, "%u", (unsigned)number);

	return entry_find(fs->root, name, (size_t)n, name_hash(name, (size_t)n));
}

static int64_t slave_add(struct request *r, struct filesystem *fs, uint32_t *number)
{
	const struct devpts_options *o = &vfs->devpts->options;
	uint32_t uid = o->uid_set ? o->uid : r->cred->fsuid,
		 gid = o->gid_set ? o->gid : r->cred->fsgid;
	struct node *n = node_create(fs, LX_S_IFCHR | o->mode, uid, gid, request_now());
	char name[16];
	int64_t e;

	if (!n)
		return -ENOMEM;
	e = number_take(vfs->devpts, number);
	if (e)
		return e;
	n->rdev = LX_DEV(SLAVE_MAJOR, *number);
	return entry_add(fs->root, name,
			 (size_t)snprintf(name, sizeof name, "%u", (unsigned)*number), n) ?
		       0 :
		       -ENOMEM;
}

void devpts_master_gone(uint32_t number)
{
	struct entry *e = slave_find(mounts_find(FS_DEVPTS), number);

	if (e)
		entry_remove(e);
}

int64_t devpts_open_master(struct request *r, struct pos at, uint32_t flags)
{
	struct k_description d = { .plane = K_PLANE_NONE,
				   .object = -1,
				   .object2 = -1,
				   .source = -1,
				   .flags = K_DESCRIPTION_EAGER };
	struct srv_forward to = { .number = PROTO_PS_TTY_OPEN, .handle = { -1, -1 } };
	struct file *f;
	uint32_t number;
	int64_t h;

	if (request_posix < 0)
		return -ENXIO;
	h = slave_add(r, mounts_find(FS_DEVPTS), &number);
	if (h < 0)
		return h;
	h = open_describe(r->cred, FILE_MASTER, at, flags, &d, &f);
	if (h < 0)
		return h;
	f->offset = number;
	to.handle[0] = (int)h;
	to.arg[0] = PROTO_TTY_PTMX;
	to.arg[1] = flags;
	to.arg[2] = at.node->rdev;
	to.arg[3] = d.cookie;
	to.arg[4] = LX_DEV(SLAVE_MAJOR, number);
	return request_to_posix(r, &to);
}

/* PROTO_VFS_PTS_PEER: TIOCGPTPEER opens the slave of a master without its path. */
int64_t in_pts_peer(struct request *r)
{
	struct filesystem *fs = mounts_find(FS_DEVPTS);
	struct entry *e = slave_find(fs, LX_MINOR((uint32_t)request_arg(r, 0)));
	struct mount *m = vfs->mounts;

	while (m && m->fs != fs)
		m = m->next;
	if (!e || !m)
		return e ? -ENODEV : -EIO;
	entry_note(e);
	return open_elsewhere(r, (struct pos){ m, e->node },
			      (uint32_t)request_arg(r, 1) & LX_O_VALID, PROTO_PS_TTY_OPEN,
			      PROTO_TTY_PTS);
}

/* --- the file system ---------------------------------------------------------------------- */

int devpts_fill(struct filesystem *fs)
{
	struct devpts *p = state_alloc(sizeof *p);
	struct node *n = node_create(fs, LX_S_IFCHR, 0, 0, srv_realtime());

	if (!p || !n || !entry_add(fs->root, "ptmx", 4, n))
		return -ENOMEM;
	n->rdev = LX_DEV(5, 2);
	p->options = (struct devpts_options){ .mode = 0620, .gid = 5, .gid_set = true };
	state_set(vfs->devpts, p);
	node_commit();
	return 0;
}

static int64_t option_parse(const char *name, const char *value, void *to)
{
	struct devpts_options *o = to;

	if (!value)
		return strcmp(name, "newinstance") ? -EINVAL : 0;
	if (!strcmp(name, "mode"))
		return mount_option_number(value, 8, &o->mode);
	if (!strcmp(name, "ptmxmode"))
		return mount_option_number(value, 8, &o->ptmxmode);
	if (!strcmp(name, "uid"))
		return mount_option_number(value, 10, &o->uid) || !(o->uid_set = true) ? -EINVAL :
											 0;
	if (!strcmp(name, "gid"))
		return mount_option_number(value, 10, &o->gid) || !(o->gid_set = true) ? -EINVAL :
											 0;
	return -EINVAL;
}

int64_t devpts_parse(char *text, struct devpts_options *o)
{
	int64_t e;

	*o = (struct devpts_options){ .mode = 0600 };
	e = mount_options(text, option_parse, o);
	o->mode &= 07777;
	o->ptmxmode &= 07777;
	return e;
}

void devpts_set_options(const struct devpts_options *o)
{
	struct node *ptmx =
		entry_find(mounts_find(FS_DEVPTS)->root, "ptmx", 4, name_hash("ptmx", 4))->node;

	state_set(vfs->devpts->options, *o);
	state_set(ptmx->mode, LX_S_IFCHR | o->ptmxmode);
}
