/* SPDX-License-Identifier: MIT */
/* Which file systems there are, and what is mounted when the system starts (mounts.h). */
#include "mounts.h"

#include <errno.h>
#include <string.h>

#include "archive.h"
#include "cred.h"
#include "devpts.h"
#include "file.h"
#include "server.h"
#include "socket.h"

uint64_t mounts_memory(void)
{
	static uint64_t total;
	struct k_system_info info;

	if (!total)
		total = k_system_info(&info) < 0 ? 64u << 20 : info.memory_total;
	return total;
}

/* Gives fs its root directory. */
static struct filesystem *with_root(struct filesystem *fs, uint32_t mode, uint32_t uid,
				    uint32_t gid)
{
	struct node *root;

	if (!fs)
		return NULL;
	root = node_create(fs, LX_S_IFDIR | mode, uid, gid, srv_realtime());
	if (!root)
		return NULL;
	node_pin(root);
	fs->root = root;
	return fs;
}

static int account_for(uint64_t size)
{
	struct k_account_limits limits = { .frames = size / 4096 ? size / 4096 : 1 };
	long h = k_account_create(&limits);

	return h < 0 ? -1 : node_new_handle((int)h);
}

struct filesystem *mounts_tmpfs(const struct tmpfs_options *o)
{
	struct filesystem *fs = with_root(fs_create(FS_TMPFS, o->size), o->mode, o->uid, o->gid);

	if (!fs)
		return NULL;
	fs->node_limit = o->nodes;
	if (o->size && !o->nodes)
		fs->node_limit = o->size / 4096;
	fs->mode = o->mode;
	fs->uid = o->uid;
	fs->gid = o->gid;
	if (o->size)
		fs->account = account_for(o->size);
	return fs;
}

struct filesystem *mounts_find(enum fs_kind kind)
{
	struct filesystem *fs = vfs->filesystems;

	while (fs && fs->kind != kind)
		fs = fs->next;
	return fs;
}

int64_t mounts_resize(struct filesystem *fs, uint64_t size)
{
	struct k_account_info info;
	long e;

	if (fs->account < 0)
		return -EINVAL;
	e = k_account_info(fs->account, &info);
	if (e < 0)
		return e;
	if (info.frames > size / 4096)
		return -EINVAL;
	e = k_account_set(fs->account, &(struct k_account_limits){ .frames = size / 4096 });
	if (e < 0)
		return e;
	state_set(fs->size_limit, size);
	return 0;
}

static const struct mount *asked;
static bool found;

static bool writes_there(struct file *f)
{
	found = f->at.mount == asked && f->may_write && f->kind == FILE_PLAIN &&
		node_is(f->at.node, LX_S_IFREG);
	return !found;
}

bool mounts_written(const struct mount *m)
{
	asked = m;
	found = false;
	file_each(writes_there);
	return found;
}

/* --- at the start ------------------------------------------------------------------------- */

/* Makes the directory if it is missing, and mounts fs on it. */
static int place(const char *name, struct pos dir, struct filesystem *fs, const char *source,
		 uint32_t flags)
{
	size_t n = strlen(name);
	struct entry *e = entry_find(dir.node, name, n, name_hash(name, n));

	if (!fs)
		return -ENOMEM;
	if (!e) {
		struct node *made =
			node_create(dir.node->fs, LX_S_IFDIR | 0755, 0, 0, srv_realtime());

		e = made ? entry_add(dir.node, name, n, made) : NULL;
	}
	if (!e || !mount_add((struct pos){ dir.mount, e->node }, fs, fs->root, source, flags))
		return -ENOMEM;
	node_commit();
	return 0;
}

static int anonymous(void)
{
	struct filesystem *fs = fs_create(FS_ANON, 0);
	struct node *n;

	if (!fs)
		return -ENOMEM;
	/* a plain node: what fstat tells of descriptors that have no file */
	n = node_create(fs, 0600, 0, 0, srv_realtime());
	if (!n)
		return -ENOMEM;
	node_pin(n);
	fs->root = n;
	state_set(vfs->anon, mount_add((struct pos){ NULL, NULL }, fs, n, "anon", 0));
	if (!vfs->anon || file_table_create())
		return -ENOMEM;
	/* the first record of all: in_node() counts on it */
	if (!file_create(cred_find(0), FILE_PIN, (struct pos){ vfs->anon, n }, 0))
		return -ENOMEM;
	return socket_table_create();
}

int mounts_start(void)
{
	uint64_t half = mounts_memory() / 2;
	struct tmpfs_options root = { .mode = 0755, .size = half },
			     open = { .mode = 01777, .size = half },
			     run = { .mode = 0755, .size = half };
	struct filesystem *fs, *dev, *proc, *pts;
	struct pos in_dev;
	struct pos top;
	int e = node_state_create();

	if (!e)
		e = anonymous();
	if (e)
		return e;
	fs = mounts_tmpfs(&root);
	dev = with_root(fs_create(FS_DEVFS, 0), 0755, 0, 0);
	proc = with_root(fs_create(FS_PROCFS, 0), 0555, 0, 0);
	pts = with_root(fs_create(FS_DEVPTS, 0), 0755, 0, 0);
	if (!fs || !dev || !proc || !pts)
		return -ENOMEM;
	state_set(vfs->root,
		  mount_add((struct pos){ NULL, NULL }, fs, fs->root, "rootfs", LX_MS_RELATIME));
	if (!vfs->root)
		return -ENOMEM;
	node_commit();
	e = archive_fill(fs);
	if (!e)
		e = devfs_fill(dev);
	if (!e)
		e = procfs_fill(proc);
	if (!e)
		e = devpts_fill(pts);
	top = (struct pos){ vfs->root, fs->root };
	if (!e)
		e = place("dev", top, dev, "devtmpfs", LX_MS_NOSUID | LX_MS_RELATIME);
	if (!e)
		e = place("proc", top, proc, "proc",
			  LX_MS_NOSUID | LX_MS_NODEV | LX_MS_NOEXEC | LX_MS_RELATIME);
	if (!e)
		e = place("tmp", top, mounts_tmpfs(&open), "tmpfs", LX_MS_NODEV | LX_MS_RELATIME);
	if (!e)
		e = place("run", top, mounts_tmpfs(&run), "tmpfs",
			  LX_MS_NOSUID | LX_MS_NODEV | LX_MS_RELATIME);
	if (!e)
		in_dev = mount_cross((struct pos){
			vfs->root, entry_find(fs->root, "dev", 3, name_hash("dev", 3))->node });
	if (!e)
		e = place("shm", in_dev, mounts_tmpfs(&open), "tmpfs",
			  LX_MS_NOSUID | LX_MS_NODEV | LX_MS_RELATIME);
	if (!e)
		e = place("pts", in_dev, pts, "devpts",
			  LX_MS_NOSUID | LX_MS_NOEXEC | LX_MS_RELATIME);
	if (e)
		return e;
	state_set(vfs->complete, true);
	node_commit();
	return 0;
}
