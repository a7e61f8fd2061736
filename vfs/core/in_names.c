/* SPDX-License-Identifier: MIT */
/* Making, removing and moving names: arguments in, walks, then op_create.c and op_remove.c. */
#include <errno.h>
#include <string.h>

#include "in.h"
#include "op.h"

#define PARENT WALK_PARENT

int64_t in_mkdir(struct request *r)
{
	struct walk w;
	int64_t e = request_walk(r, 0, -1, request_arg(r, 0), PARENT, &w);

	return e ? e : op_mkdir(r, &w, (uint32_t)request_arg(r, 1));
}

int64_t in_mkdirat(struct request *r)
{
	struct walk w;
	int64_t e = request_walk(r, 0, 0, request_arg(r, 1), PARENT, &w);

	return e ? e : op_mkdir(r, &w, (uint32_t)request_arg(r, 2));
}

int64_t in_mknod(struct request *r)
{
	struct walk w;
	int64_t e = request_walk(r, 0, -1, request_arg(r, 0), PARENT, &w);

	return e ? e : op_mknod(r, &w, (uint32_t)request_arg(r, 1), (uint32_t)request_arg(r, 2));
}

int64_t in_mknodat(struct request *r)
{
	struct walk w;
	int64_t e = request_walk(r, 0, 0, request_arg(r, 1), PARENT, &w);

	return e ? e : op_mknod(r, &w, (uint32_t)request_arg(r, 2), (uint32_t)request_arg(r, 3));
}

static int64_t symlink_at(struct request *r, uint64_t target, int dirfd, uint64_t path)
{
	struct walk w;
	int64_t e = request_path(r, 1, target);

	if (e < 0)
		return e;
	if (e == 0)
		return -ENOENT;
	e = request_walk(r, 0, dirfd, path, PARENT, &w);
	return e ? e : op_symlink(r, &w, r->path[1]);
}

int64_t in_symlink(struct request *r)
{
	return symlink_at(r, request_arg(r, 0), -1, request_arg(r, 1));
}

int64_t in_symlinkat(struct request *r)
{
	return symlink_at(r, request_arg(r, 0), 1, request_arg(r, 2));
}

int64_t in_link(struct request *r)
{
	struct walk from, to;
	int64_t e = request_walk(r, 0, -1, request_arg(r, 0), 0, &from);

	if (!e)
		e = request_walk(r, 1, -1, request_arg(r, 1), PARENT, &to);
	return e ? e : op_link(r, from.at, &to);
}

int64_t in_linkat(struct request *r)
{
	unsigned flags = (unsigned)request_arg(r, 4);
	struct walk from, to;
	int64_t e;

	if (flags & ~(LX_AT_SYMLINK_FOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & LX_AT_EMPTY_PATH && !cred_can(r->cred, PROTO_CAP_DAC_READ_SEARCH))
		return -ENOENT;
	e = request_walk_at(r, 0, request_arg(r, 1), flags,
			    flags & LX_AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0, &from);
	if (!e)
		e = request_walk(r, 1, 2, request_arg(r, 3), PARENT, &to);
	return e ? e : op_link(r, from.at, &to);
}

int64_t in_unlink(struct request *r)
{
	struct walk w;
	int64_t e = request_walk(r, 0, -1, request_arg(r, 0), PARENT, &w);

	return e ? e : op_unlink(r, &w);
}

int64_t in_rmdir(struct request *r)
{
	struct walk w;
	int64_t e = request_walk(r, 0, -1, request_arg(r, 0), PARENT, &w);

	return e ? e : op_rmdir(r, &w);
}

int64_t in_unlinkat(struct request *r)
{
	unsigned flags = (unsigned)request_arg(r, 2);
	struct walk w;
	int64_t e;

	if (flags & ~LX_AT_REMOVEDIR)
		return -EINVAL;
	e = request_walk(r, 0, 0, request_arg(r, 1), PARENT, &w);
	if (e)
		return e;
	return flags ? op_rmdir(r, &w) : op_unlink(r, &w);
}

static int64_t rename_at(struct request *r, int dirfd, uint64_t from, int dirfd2, uint64_t to,
			 unsigned flags)
{
	struct walk a, b;
	int64_t e;

	if (flags & ~(LX_RENAME_NOREPLACE | LX_RENAME_EXCHANGE) ||
	    flags == (LX_RENAME_NOREPLACE | LX_RENAME_EXCHANGE))
		return -EINVAL;
	e = request_walk(r, 0, dirfd, from, PARENT, &a);
	if (!e)
		e = request_walk(r, 1, dirfd2, to, PARENT, &b);
	return e ? e : op_rename(r, &a, &b, flags);
}

int64_t in_rename(struct request *r)
{
	return rename_at(r, -1, request_arg(r, 0), -1, request_arg(r, 1), 0);
}

int64_t in_renameat(struct request *r)
{
	return rename_at(r, 0, request_arg(r, 1), 2, request_arg(r, 3), 0);
}

int64_t in_renameat2(struct request *r)
{
	return rename_at(r, 0, request_arg(r, 1), 2, request_arg(r, 3),
			 (unsigned)request_arg(r, 4));
}
