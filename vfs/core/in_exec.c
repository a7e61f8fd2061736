/* SPDX-License-Identifier: MIT */
/*
 * execve: finding the program. The VFS resolves the path, checks that the file may be executed, and
 * forwards the caller to the process server with a description of the file; interpreters (of
 * scripts, and of dynamic programs) come back here by path.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "in.h"
#include "op.h"
#include "open.h"

static int64_t may_execute(struct request *r, struct pos at)
{
	struct node *n = at.node;

	if (!node_is(n, LX_S_IFREG) || n->fs->kind == FS_PROCFS || at.mount->flags & LX_MS_NOEXEC)
		return -EACCES;
	return cred_permit(r->cred, n, LX_X_OK);
}

/* x->kind, path and flags are set. args: argv, envp, flags for the process server. */
static int64_t exec_forward(struct request *r, struct pos at, struct proto_exec *x,
			    const uint64_t *arg)
{
	struct srv_forward f = { .number = PROTO_PS_EXEC,
				 .arg = { arg[0], arg[1], arg[2] },
				 .scratch = x,
				 .handle = { -1, -1 } };
	struct node *n = at.node;
	int64_t e = may_execute(r, at);

	if (e)
		return e;
	if (n->writers)
		return -ETXTBSY;
	if (request_posix < 0)
		return -ENOEXEC;
	e = open_for_exec(r, at, &x->cookie);
	if (e < 0)
		return e;
	f.handle[0] = (int)e;
	if (x->kind != PROTO_EXEC_ELF)
		file_run(file_find(x->cookie));
	op_refresh(n);
	x->mode = n->mode;
	x->uid = n->uid;
	x->gid = n->gid;
	x->device = n->fs->dev;
	x->inode = n->ino;
	x->size = n->file.size;
	if (at.mount->flags & LX_MS_NOSUID)
		x->flags |= PROTO_EXEC_NOSUID;
	if (cred_permit(r->cred, n, LX_R_OK))
		x->flags |= PROTO_EXEC_NOREAD;
	x->path_size = (uint32_t)strlen(x->path) + 1;
	f.scratch_size = (uint32_t)(sizeof *x - sizeof x->path) + x->path_size;
	return request_to_posix(r, &f);
}

static struct proto_exec *exec_record(uint32_t kind)
{
	static struct proto_exec x;

	memset(&x, 0, sizeof x - sizeof x.path);
	x.kind = kind;
	return &x;
}

int64_t in_execve(struct request *r)
{
	struct proto_exec *x = exec_record(PROTO_EXEC_FIRST);
	const uint64_t arg[3] = { request_arg(r, 1), request_arg(r, 2), 0 };
	struct walk w;
	int64_t e = request_walk(r, 0, -1, request_arg(r, 0), WALK_FOLLOW, &w);

	if (e)
		return e;
	strcpy(x->path, r->path[0]);
	return exec_forward(r, w.at, x, arg);
}

int64_t in_execveat(struct request *r)
{
	struct proto_exec *x = exec_record(PROTO_EXEC_FIRST);
	const uint64_t arg[3] = { request_arg(r, 2), request_arg(r, 3), request_arg(r, 4) };
	unsigned flags = (unsigned)request_arg(r, 4);
	int fd = (int)request_arg(r, 0);
	struct walk w;
	int64_t e;

	if (flags & ~(LX_AT_EMPTY_PATH | LX_AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	e = request_walk_at(r, 0, request_arg(r, 1), flags,
			    flags & LX_AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW, &w);
	if (e)
		return e;
	if (node_is(w.at.node, LX_S_IFLNK))
		return -ELOOP;
	if (*r->path[0] == '/' || fd == LX_AT_FDCWD)
		strcpy(x->path, r->path[0]);
	else if (!*r->path[0])
		snprintf(x->path, sizeof x->path, "/dev/fd/%d", fd);
	else if (snprintf(x->path, sizeof x->path, "/dev/fd/%d/%s", fd, r->path[0]) >=
		 (int)sizeof x->path)
		return -ENAMETOOLONG;
	return exec_forward(r, w.at, x, arg);
}

/* PROTO_VFS_EXEC_OPEN */
int64_t in_exec_open(struct request *r)
{
	static struct proto_exec asked;
	struct proto_exec *x;
	struct walk w;
	int64_t e = k_caller_scratch(srv_endpoint(), r->m->call, &asked, sizeof asked);

	if (e < 0)
		return e;
	asked.path[sizeof asked.path - 1] = '\0';
	x = exec_record(asked.kind);
	strcpy(x->path, asked.path);
	e = walk_path(r, r->cwd, x->path, WALK_FOLLOW, &w);
	return e ? e : exec_forward(r, w.at, x, r->m->arg);
}
