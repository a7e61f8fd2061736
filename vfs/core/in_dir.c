/* SPDX-License-Identifier: MIT */
/* Directories as such: getdents, seeking in them, chdir, chroot. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "fs.h"
#include "in.h"
#include "open.h"
#include "procfs.h"

/* --- listing ------------------------------------------------------------------------------ */

static char list[32768];

/* Appends one entry in the form of getdents64 or getdents. Its size, or 0: no room. */
static size_t put_entry(char *to, size_t room, const struct fs_dirent *d, bool old)
{
	size_t head = old ? offsetof(struct lx_dirent, name) : offsetof(struct lx_dirent64, name);
	size_t size = (head + d->size + 1 + (old ? 1 : 0) + 7) & ~7ul;
	struct lx_dirent64 *e = (struct lx_dirent64 *)to;
	char *name = to + head;

	if (size > room)
		return 0;
	memset(to, 0, size);
	e->ino = d->ino;
	e->off = (int64_t)d->cookie;
	e->reclen = (uint16_t)size;
	memcpy(name, d->name, d->size);
	if (old)
		to[size - 1] = (char)(d->type >> 12);
	else
		e->type = (uint8_t)(d->type >> 12);
	return size;
}

/* Where this call starts: a call that comes again starts where it did before. */
static uint64_t list_start(struct request *r, const struct file *f)
{
	return f->call == r->m->call ? f->before : f->offset;
}

/* The list was not taken (a bad buffer): the position is what it was. */
static void list_undo(void *arg, int error)
{
	struct file *f = arg;

	(void)error;
	state_set(f->offset, f->before);
	node_commit();
}

static int64_t list_answer(struct request *r, struct file *f, uint64_t start, uint64_t end,
			   uint64_t to, size_t n)
{
	undo_save(&f->offset, sizeof f->offset + sizeof f->call + sizeof f->before);
	f->offset = end;
	f->call = r->m->call;
	f->before = start;
	srv_answer(r->m->call, (int64_t)n);
	srv_answer_copy(to, list, n);
	srv_answer_undo(list_undo, f);
	return REQUEST_DONE;
}

static int64_t list_tree(struct request *r, struct file *f, uint64_t to, size_t room, bool old)
{
	uint64_t start = list_start(r, f), at = start;
	struct fs_dirent d;
	size_t n = 0, size;

	while (fs_next(r, f->at, at, &d)) {
		size = put_entry(list + n, room - n, &d, old);
		if (!size) {
			if (!n)
				return -EINVAL;
			break;
		}
		n += size;
		at = d.cookie;
	}
	return list_answer(r, f, start, at, to, n);
}

/*
 * /proc/PID/fd: the process server knows. What is needed when the caller comes back is in the
 * arguments.
 */
static int64_t list_fds(struct request *r, struct file *f, bool old)
{
	uint64_t start = list_start(r, f);
	struct srv_forward q = { .number = PROTO_PS_PROC_FDS,
				 .handle = { -1, -1 },
				 .arg = { f->at.node->pid, start > 3 ? start - 2 : start == 3,
					  request_arg(r, 1), request_arg(r, 2), old,
					  file_cookie(f) } };

	return request_posix < 0 ? -ENOENT : request_to_posix(r, &q);
}

/* PROTO_VFS_PROC_FDS. Descriptor n has cookie n + 3, after "." and "..". */
int64_t in_proc_fds(struct request *r)
{
	static struct proto_fds fds;
	struct file *f = file_find(request_arg(r, 5));
	size_t room = request_arg(r, 3) < sizeof list ? request_arg(r, 3) : sizeof list, n = 0,
	       size;
	bool old = request_arg(r, 4);
	uint64_t start, at;
	struct fs_dirent d;
	char name[16];
	int64_t e = k_caller_scratch(srv_endpoint(), r->m->call, &fds, sizeof fds);

	if (e < 0)
		return e;
	if (!f)
		return -EBADF;
	if (fds.error)
		return fds.error;
	start = at = list_start(r, f);
	for (uint32_t i = 0; at < 2 || i < fds.count;) {
		if (at < 2) {
			fs_next(r, f->at, at, &d);
		} else {
			if (fds.count > PROTO_FDS)
				return -EINVAL;
			proc_fd_dirent(f->at.node, fds.fd[i], name, &d);
			i++;
		}
		size = put_entry(list + n, room - n, &d, old);
		if (!size && !n)
			return -EINVAL;
		if (!size)
			break;
		n += size;
		at = d.cookie;
	}
	return list_answer(r, f, start, at, request_arg(r, 2), n);
}

static int64_t list_directory(struct request *r, bool old)
{
	size_t room = request_arg(r, 2);
	struct file *f;
	int64_t e = request_real_file(r, &f);

	if (e)
		return e;
	if (f->kind != FILE_DIRECTORY)
		return -ENOTDIR;
	if (f->at.node->name && f->at.node->name->gone)
		return -ENOENT;
	if (room > sizeof list)
		room = sizeof list;
	if (proc_is_fd_list(f->at.node))
		return list_fds(r, f, old);
	return list_tree(r, f, request_arg(r, 1), room, old);
}

int64_t in_getdents(struct request *r)
{
	return list_directory(r, true);
}

int64_t in_getdents64(struct request *r)
{
	return list_directory(r, false);
}

int64_t dir_seek(struct file *f, int64_t offset, int whence)
{
	if (whence == LX_SEEK_CUR)
		offset += (int64_t)f->offset;
	else if (whence != LX_SEEK_SET)
		return -EINVAL;
	if (offset < 0)
		return -EINVAL;
	state_set(f->offset, (uint64_t)offset);
	state_set(f->call, 0);
	return offset;
}

/* --- working directory and root ----------------------------------------------------------- */

static int64_t become(struct request *r, struct pos at, uint32_t install)
{
	struct k_description d = { .plane = K_PLANE_NONE,
				   .object = -1,
				   .object2 = -1,
				   .source = -1,
				   .flags = K_DESCRIPTION_DIRECTORY };
	int64_t h;

	if (!node_is(at.node, LX_S_IFDIR))
		return -ENOTDIR;
	h = cred_permit(r->cred, at.node, LX_X_OK);
	if (!h)
		h = open_describe(r->cred, FILE_PIN, at, LX_O_RDONLY | LX_O_DIRECTORY, &d,
				  NULL);
	if (h < 0)
		return h;
	srv_answer(r->m->call, 0);
	srv_answer_install((int)h, install, 0, 0);
	return REQUEST_DONE;
}

int64_t in_chdir(struct request *r)
{
	struct walk w;
	int64_t e = request_walk(r, 0, -1, request_arg(r, 0), WALK_FOLLOW, &w);

	return e ? e : become(r, w.at, K_INSTALL_CWD);
}

int64_t in_fchdir(struct request *r)
{
	struct file *f;
	int64_t e = request_file(r, &f);

	return e ? e : become(r, f->at, K_INSTALL_CWD);
}

int64_t in_chroot(struct request *r)
{
	struct walk w;
	int64_t e = request_walk(r, 0, -1, request_arg(r, 0), WALK_FOLLOW, &w);

	if (e)
		return e;
	if (!node_is(w.at.node, LX_S_IFDIR))
		return -ENOTDIR;
	e = cred_permit(r->cred, w.at.node, LX_X_OK);
	if (e)
		return e;
	return cred_can(r->cred, PROTO_CAP_SYS_CHROOT) ? become(r, w.at, K_INSTALL_ROOT) : -EPERM;
}
