/* SPDX-License-Identifier: MIT */
/*
 * Asking about files: stat and its kin, access, readlink, statfs, getcwd. Nothing here changes
 * names or contents.
 */
#include <errno.h>
#include <string.h>

#include "fs.h"
#include "in.h"
#include "op.h"
#include "path.h"

/* --- stat --------------------------------------------------------------------------------- */

static int64_t stat_answer(struct request *r, struct pos at, uint64_t to)
{
	static struct lx_stat st;

	op_stat(at, &st);
	srv_answer(r->m->call, 0);
	srv_answer_copy(to, &st, sizeof st);
	return REQUEST_DONE;
}

static int64_t stat_path(struct request *r, unsigned flags)
{
	struct walk w;
	int64_t e = request_walk(r, 0, -1, request_arg(r, 0), flags, &w);

	return e ? e : stat_answer(r, w.at, request_arg(r, 1));
}

int64_t in_stat(struct request *r)
{
	return stat_path(r, WALK_FOLLOW);
}

int64_t in_lstat(struct request *r)
{
	return stat_path(r, 0);
}

int64_t in_fstat(struct request *r)
{
	struct file *f;
	int64_t e = request_file(r, &f);

	return e ? e : stat_answer(r, f->at, request_arg(r, 1));
}

int64_t in_newfstatat(struct request *r)
{
	unsigned flags = (unsigned)request_arg(r, 3);
	struct walk w;
	int64_t e;

	if (flags & ~(LX_AT_SYMLINK_NOFOLLOW | LX_AT_NO_AUTOMOUNT | LX_AT_EMPTY_PATH))
		return -EINVAL;
	e = request_walk_at(r, 0, request_arg(r, 1), flags,
			    flags & LX_AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW, &w);
	return e ? e : stat_answer(r, w.at, request_arg(r, 2));
}

static struct lx_statx_time statx_time(struct lx_timespec t)
{
	return (struct lx_statx_time){ .sec = t.sec, .nsec = (uint32_t)t.nsec };
}

static void statx_fill(struct pos at, struct lx_statx *x)
{
	struct lx_stat st;
	int64_t b = at.node->btime;

	op_stat(at, &st);
	memset(x, 0, sizeof *x);
	x->mask = LX_STATX_BASIC_STATS | LX_STATX_BTIME | LX_STATX_MNT_ID;
	x->blksize = (uint32_t)st.blksize;
	x->nlink = (uint32_t)st.nlink;
	x->uid = st.uid;
	x->gid = st.gid;
	x->mode = (uint16_t)st.mode;
	x->ino = st.ino;
	x->size = (uint64_t)st.size;
	x->blocks = (uint64_t)st.blocks;
	x->atime = statx_time(st.atim);
	x->mtime = statx_time(st.mtim);
	x->ctime = statx_time(st.ctim);
	x->btime = statx_time((struct lx_timespec){ b / 1000000000, b % 1000000000 });
	x->rdev_major = LX_MAJOR(st.rdev);
	x->rdev_minor = LX_MINOR(st.rdev);
	x->dev_major = LX_MAJOR(st.dev);
	x->dev_minor = LX_MINOR(st.dev);
	x->mnt_id = at.mount->id;
	x->attributes_mask = LX_STATX_ATTR_MOUNT_ROOT;
	if (at.node == at.mount->root)
		x->attributes = LX_STATX_ATTR_MOUNT_ROOT;
}

int64_t in_statx(struct request *r)
{
	static struct lx_statx x;
	unsigned flags = (unsigned)request_arg(r, 2);
	struct walk w;
	int64_t e;

	if (flags & ~(LX_AT_SYMLINK_NOFOLLOW | LX_AT_NO_AUTOMOUNT | LX_AT_EMPTY_PATH |
		      LX_AT_STATX_SYNC_TYPE) ||
	    (flags & LX_AT_STATX_SYNC_TYPE) == LX_AT_STATX_SYNC_TYPE ||
	    request_arg(r, 3) & LX_STATX__RESERVED)
		return -EINVAL;
	e = request_walk_at(r, 0, request_arg(r, 1), flags,
			    flags & LX_AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW, &w);
	if (e)
		return e;
	statx_fill(w.at, &x);
	srv_answer(r->m->call, 0);
	srv_answer_copy(request_arg(r, 4), &x, sizeof x);
	return REQUEST_DONE;
}

/* --- access ------------------------------------------------------------------------------- */

static int64_t access_at(struct request *r, int dirfd, unsigned path, uint64_t mode, unsigned flags)
{
	struct proto_cred real;
	struct walk w;
	int64_t e;

	if (mode & ~7ull || flags & ~(LX_AT_EACCESS | LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	if (!(flags & LX_AT_EACCESS)) {
		cred_real(r->cred, &real);
		r->cred = &real;
	}
	if (dirfd < 0)
		e = request_walk(r, 0, -1, request_arg(r, path), WALK_FOLLOW, &w);
	else
		e = request_walk_at(r, dirfd, request_arg(r, path), flags,
				    flags & LX_AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW, &w);
	if (!e && mode)
		e = cred_permit_at(r->cred, w.at, (unsigned)mode);
	if (!e && mode & LX_X_OK && node_is(w.at.node, LX_S_IFREG) &&
	    w.at.mount->flags & LX_MS_NOEXEC)
		e = -EACCES;
	return e;
}

int64_t in_access(struct request *r)
{
	return access_at(r, -1, 0, request_arg(r, 1), 0);
}

int64_t in_faccessat(struct request *r)
{
	return access_at(r, 0, 1, request_arg(r, 2), 0);
}

int64_t in_faccessat2(struct request *r)
{
	return access_at(r, 0, 1, request_arg(r, 2), (unsigned)request_arg(r, 3));
}

/* --- readlink ----------------------------------------------------------------------------- */

/* The text of a link; of a magic one, the path of where it leads. */
static int64_t link_text(struct request *r, struct pos link, char *buf, size_t size,
			 const char **out)
{
	struct fs_link target = { 0 };
	int64_t e = fs_link(r, link, 1, &target);

	if (e)
		return e;
	if (target.text)
		*out = target.text;
	else if (target.jump.mount == vfs->anon && target.jump.node == vfs->anon->root &&
		 r->text[0])
		*out = r->text;
	else
		*out = path_of(r->root, target.jump, buf, size, NULL);
	return *out ? 0 : -ENAMETOOLONG;
}

static int64_t readlink_at(struct request *r, struct pos link, uint64_t to, int64_t size)
{
	static char buf[PATH_TEXT];
	const char *text;
	size_t n;
	int64_t e;

	if (!node_is(link.node, LX_S_IFLNK))
		return -EINVAL;
	e = link_text(r, link, buf, sizeof buf, &text);
	if (e)
		return e;
	n = strlen(text);
	if ((int64_t)n > size)
		n = (size_t)size;
	srv_answer(r->m->call, (int64_t)n);
	srv_answer_copy(to, text, n);
	return REQUEST_DONE;
}

int64_t in_readlink(struct request *r)
{
	struct walk w;
	int64_t size = (int32_t)request_arg(r, 2), e;

	if (size <= 0)
		return -EINVAL;
	e = request_walk(r, 0, -1, request_arg(r, 0), 0, &w);
	return e ? e : readlink_at(r, w.at, request_arg(r, 1), size);
}

int64_t in_readlinkat(struct request *r)
{
	struct walk w;
	int64_t size = (int32_t)request_arg(r, 3), e;

	if (size <= 0)
		return -EINVAL;
	if (!request_arg(r, 1))
		return -EFAULT;
	e = request_walk_at(r, 0, request_arg(r, 1), LX_AT_EMPTY_PATH, 0, &w);
	if (!e && !r->path[0][0] && !node_is(w.at.node, LX_S_IFLNK))
		return -ENOENT; /* the empty path is for links that were opened with O_PATH */
	return e ? e : readlink_at(r, w.at, request_arg(r, 2), size);
}

/* --- getcwd ------------------------------------------------------------------------------- */

int64_t in_getcwd(struct request *r)
{
	static char buf[PATH_TEXT + 16];
	bool reachable;
	const char *path;
	size_t n;

	if (r->cwd.node->name && r->cwd.node->name->gone)
		return -ENOENT;
	path = path_of(r->root, r->cwd, buf + 16, sizeof buf - 16, &reachable);
	if (!path)
		return -ENAMETOOLONG;
	if (!reachable) {
		path -= 13;
		memcpy((char *)path, "(unreachable)", 13);
	}
	n = strlen(path) + 1;
	if (n > LX_PATH_MAX)
		return -ENAMETOOLONG;
	if (n > request_arg(r, 1))
		return -ERANGE;
	srv_answer(r->m->call, (int64_t)n);
	srv_answer_copy(request_arg(r, 0), path, n);
	return REQUEST_DONE;
}

/* --- statfs ------------------------------------------------------------------------------- */

static void statfs_fill(struct pos at, struct lx_statfs *s)
{
	const struct filesystem *fs = at.node->fs;
	struct k_account_info info;
	uint64_t used = 0;

	memset(s, 0, sizeof *s);
	s->type = fs_type(at.node)->magic;
	s->bsize = s->frsize = 4096;
	s->namelen = LX_NAME_MAX;
	s->fsid[0] = (int32_t)fs->dev;
	s->flags = (int64_t)(at.mount->flags & (LX_MS_RDONLY | LX_MS_NOSUID | LX_MS_NODEV |
						LX_MS_NOEXEC | LX_MS_NOATIME | LX_MS_RELATIME)) |
		   LX_ST_VALID;
	if (at.mount->flags & LX_MS_RELATIME)
		s->flags = (s->flags & ~(int64_t)LX_MS_RELATIME) | 0x1000;
	if (!fs->size_limit)
		return;
	if (fs->account >= 0 && k_account_info(fs->account, &info) >= 0)
		used = info.frames;
	s->blocks = fs->size_limit / 4096;
	s->bfree = s->bavail = s->blocks > used ? s->blocks - used : 0;
	s->files = fs->node_limit;
	s->ffree = fs_full(fs) ? 0 : fs->node_limit - fs->nodes - fs->extra;
}

static int64_t statfs_answer(struct request *r, struct pos at, uint64_t to)
{
	static struct lx_statfs s;

	statfs_fill(at, &s);
	srv_answer(r->m->call, 0);
	srv_answer_copy(to, &s, sizeof s);
	return REQUEST_DONE;
}

int64_t in_statfs(struct request *r)
{
	struct walk w;
	int64_t e = request_walk(r, 0, -1, request_arg(r, 0), WALK_FOLLOW, &w);

	return e ? e : statfs_answer(r, w.at, request_arg(r, 1));
}

int64_t in_fstatfs(struct request *r)
{
	struct file *f;
	int64_t e = request_file(r, &f);

	return e ? e : statfs_answer(r, f->at, request_arg(r, 1));
}
