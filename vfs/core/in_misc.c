/* SPDX-License-Identifier: MIT */
/* memfd_create, epoll_create, extended attributes (there are none). */
#include <errno.h>
#include <string.h>

#include "in.h"
#include "open.h"

/* --- memfd -------------------------------------------------------------------------------- */

#define MEMFD_NAME_MAX 249

/* A name that is in no directory: what /proc/self/fd shows. */
static bool name_give(struct node *n, const char *text)
{
	size_t size = strlen(text);
	struct entry *e = state_alloc(sizeof *e + size + 1);

	if (!e)
		return false;
	e->dir = vfs->anon->root;
	e->node = n;
	e->size = (uint8_t)size;
	e->gone = true;
	memcpy(e->text, text, size);
	node_pin(e->dir);
	state_set(vfs->live_entries, vfs->live_entries + 1);
	n->name = e;
	return true;
}

int64_t in_memfd_create(struct request *r)
{
	struct k_description d = { .plane = K_PLANE_STREAM, .object2 = -1, .source = -1 };
	uint32_t flags = (uint32_t)request_arg(r, 1);
	struct pos at = { vfs->anon, NULL };
	int64_t e, h;

	if (flags & ~(LX_MFD_CLOEXEC | LX_MFD_ALLOW_SEALING | LX_MFD_NOEXEC_SEAL | LX_MFD_EXEC))
		return -EINVAL;
	memcpy(r->path[0], "memfd:", 6);
	e = k_caller_read_string(srv_endpoint(), r->m->call, r->path[0] + 6, request_arg(r, 0),
				 MEMFD_NAME_MAX + 1);
	if (e < 0)
		return e == -ENAMETOOLONG ? -EINVAL : e;
	at.node = node_create(vfs->anon->fs, LX_S_IFREG | 0777, r->cred->fsuid, r->cred->fsgid,
			      request_now());
	if (!at.node || !name_give(at.node, r->path[0]))
		return -ENOMEM;
	at.node->flags = NODE_MEMFD;
	h = k_mobject_create(0, 0);
	if (h < 0)
		return h;
	at.node->object = d.object = node_new_handle((int)h);
	return open_finish(r, FILE_PLAIN, at,
			   LX_O_RDWR | (flags & LX_MFD_CLOEXEC ? LX_O_CLOEXEC : 0), &d);
}

/* --- epoll -------------------------------------------------------------------------------- */

static int64_t epoll_make(struct request *r, uint32_t flags)
{
	struct k_description d = { .plane = K_PLANE_WAITSET,
				   .object = -1,
				   .object2 = -1,
				   .source = -1,
				   .flags = K_DESCRIPTION_NOSEEK };

	return open_finish(r, FILE_EPOLL, (struct pos){ vfs->anon, vfs->anon->root },
			   LX_O_RDWR | flags, &d);
}

int64_t in_epoll_create(struct request *r)
{
	return (int32_t)request_arg(r, 0) <= 0 ? -EINVAL : epoll_make(r, 0);
}

int64_t in_epoll_create1(struct request *r)
{
	uint32_t flags = (uint32_t)request_arg(r, 0);

	return flags & ~LX_O_CLOEXEC ? -EINVAL : epoll_make(r, flags);
}

/* --- extended attributes ------------------------------------------------------------------ */

int64_t in_setxattr(struct request *r)
{
	bool nofollow = r->m->number == 189 || r->m->number == 192 || r->m->number == 198;
	struct walk w;
	int64_t e = request_walk(r, 0, -1, request_arg(r, 0), nofollow ? 0 : WALK_FOLLOW, &w);

	return e ? e : -EOPNOTSUPP;
}

int64_t in_fsetxattr(struct request *r)
{
	struct file *f;
	int64_t e = request_real_file(r, &f);

	return !e || e == -EINVAL ? -EOPNOTSUPP : e;
}

int64_t in_listxattr(struct request *r)
{
	struct walk w;

	return request_walk(r, 0, -1, request_arg(r, 0), r->m->number == 195 ? 0 : WALK_FOLLOW, &w);
}

int64_t in_flistxattr(struct request *r)
{
	struct file *f;
	int64_t e = request_real_file(r, &f);

	return e == -EINVAL ? 0 : e;
}
