/* SPDX-License-Identifier: MIT */
/*
 * Magic links of /proc: exe, cwd, root, fd/N lead to a place, not to a path.
 *
 * The caller's own cwd, root and descriptors are known from his message. For everything else the
 * walk stops, the caller is forwarded to the process server with the question and, in the scratch
 * area, all that is needed to do his call again; when he is back with the reply, it is noted in
 * request.memo and the call is carried out from the start. No state is kept here.
 */
#include "in.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "path.h"
#include "procfs.h"
#include "socket.h"

/* struct proto_link.own */
struct link_own {
	int32_t number;
	uint32_t flags, fd_flags, memos;
	uint64_t cookie, arg[6], extra[2];
	struct link_memo memo[LINK_MEMOS];
};
_Static_assert(sizeof(struct link_own) <= sizeof((struct proto_link *)0)->own,
	       "room for the call in a link question");

static int64_t link_own_fd(struct request *r, uint32_t fd, struct pos *out)
{
	struct k_caller_cookie c;
	struct file *f;
	int64_t e = k_caller_cookie(srv_endpoint(), r->m->call, (int)fd, &c);

	if (e == -EBADF)
		return -ENOENT;
	if (e < 0)
		return e;
	if (!c.own)
		return REQUEST_LINK;
	f = file_find(c.cookie);
	if (!f)
		return -ENOENT;
	*out = f->at;
	return 0;
}

static int64_t link_own(struct request *r, uint32_t kind, uint32_t fd, struct pos *out)
{
	switch (kind) {
	case PROTO_LINK_CWD:
		*out = r->cwd;
		return 0;
	case PROTO_LINK_ROOT:
		*out = r->root;
		return 0;
	case PROTO_LINK_FD:
		return link_own_fd(r, fd, out);
	}
	return REQUEST_LINK;
}

/*
 * Other servers' sockets have a node for as long as a call lasts: the root of sockfs, which nothing
 * else uses. Its file's cookie.
 */
static uint64_t foreign_node(struct request *r, uint32_t mode, uint64_t inode)
{
	struct node *n = vfs->sockets->mount->root;

	state_set(n->mode, mode);
	state_set(n->ino, inode);
	state_set(n->uid, r->cred->fsuid);
	state_set(n->gid, r->cred->fsgid);
	return vfs->sockets->foreign;
}

/*
 * A descriptor without a node of ours: a socket by its name, or something of which nothing else is
 * known.
 */
static struct pos link_nameless(struct request *r, const struct link_memo *k)
{
	unsigned long inode;

	if (k == &r->memo[r->memos - 1] && sscanf(r->text, "socket:[%lu]", &inode) == 1)
		return file_find(foreign_node(r, LX_S_IFSOCK | 0777, inode))->at;
	return (struct pos){ vfs->anon, vfs->anon->root };
}

/*
 * What the process server said. A process whose root or working directory was never set has the
 * root of all.
 */
static int64_t link_reply(struct request *r, const struct link_memo *k, struct pos *out)
{
	bool unset = !k->cookie && (k->kind == PROTO_LINK_CWD || k->kind == PROTO_LINK_ROOT);
	struct proto_pid p;
	struct file *f;

	if (unset && (!k->error || k->error == -ENOENT) && proc_pid_find(k->pid, &p)) {
		*out = (struct pos){ vfs->root, vfs->root->root };
		return 0;
	}
	if (k->error)
		return k->error;
	if (!k->cookie) {
		*out = link_nameless(r, k);
		return 0;
	}
	f = file_find(k->cookie);
	if (!f)
		return -ENOENT;
	*out = f->at;
	return 0;
}

int64_t link_resolve(struct request *r, uint32_t kind, uint32_t pid, uint32_t tid, uint32_t fd,
		     struct pos *out)
{
	int64_t e = REQUEST_LINK;

	for (unsigned i = 0; i < r->memos; i++) {
		struct link_memo *k = &r->memo[i];

		if (k->kind == kind && k->pid == pid && k->tid == tid && k->fd == fd)
			return link_reply(r, k, out);
	}
	if (pid == r->m->pid)
		e = link_own(r, kind, fd, out);
	if (e == REQUEST_LINK)
		r->want = (struct link_memo){ .pid = pid, .tid = tid, .kind = kind, .fd = fd };
	return e;
}

int64_t link_ask(struct request *r)
{
	static struct proto_link q;
	struct link_own *own = (struct link_own *)q.own;
	struct srv_forward f = { .number = PROTO_PS_PROC_LINK,
				 .scratch = &q,
				 .scratch_size = sizeof q,
				 .handle = { -1, -1 } };

	node_rollback();
	if (request_posix < 0)
		return -ENOENT;
	if (r->memos == LINK_MEMOS)
		return -ELOOP;
	memset(&q, 0, sizeof q);
	q.pid = r->want.pid;
	q.tid = r->want.tid;
	q.kind = r->want.kind;
	q.fd = r->want.fd;
	own->number = r->m->number;
	own->flags = r->m->flags;
	own->fd_flags = r->m->fd_flags;
	own->cookie = r->m->cookie;
	memcpy(own->arg, r->m->arg, sizeof own->arg);
	memcpy(own->extra, r->m->extra, sizeof own->extra);
	own->memos = r->memos;
	memcpy(own->memo, r->memo, sizeof own->memo);
	return request_to_posix(r, &f);
}

/* PROTO_VFS_PROC_LINKED */
int64_t in_linked(struct request *r)
{
	static struct proto_link q;
	static struct k_message again;
	struct link_own *own = (struct link_own *)q.own;
	struct link_memo *k;
	int64_t e = k_caller_scratch(srv_endpoint(), r->m->call, &q, sizeof q);

	if (e < 0)
		return e;
	if (own->memos >= LINK_MEMOS)
		return -ELOOP;
	again = *r->m;
	again.number = own->number;
	again.flags = own->flags | (r->m->flags & K_MSGF_REDELIVERED);
	again.fd_flags = own->fd_flags;
	again.cookie = own->cookie;
	memcpy(again.arg, own->arg, sizeof again.arg);
	memcpy(again.extra, own->extra, sizeof own->extra);
	r->memos = own->memos;
	memcpy(r->memo, own->memo, sizeof r->memo);
	k = &r->memo[r->memos++];
	*k = (struct link_memo){ .pid = q.pid,
				 .tid = q.tid,
				 .kind = q.kind,
				 .fd = q.fd,
				 .error = q.error,
				 .cookie = q.cookie };
	memcpy(r->text, q.text, sizeof r->text);
	r->text[sizeof r->text - 1] = '\0';
	request_replay(&again, r);
	return REQUEST_DONE;
}

/*
 * PROTO_VFS_NODE: a call on a descriptor of another server, to be carried out on the node that
 * stands behind it.
 */
int64_t in_node(struct request *r)
{
	static struct k_message again;
	struct proto_node n;
	int64_t e = k_caller_scratch(srv_endpoint(), r->m->call, &n, sizeof n);

	if (e < 0)
		return e;
	again = *r->m;
	again.number = n.number;
	again.flags &= ~(K_MSGF_FOREIGNFD | K_MSGF_BADFD | K_MSGF_SCRATCH | K_MSGF_FORWARDED);
	/* the first open file record ever made is anonymous */
	again.cookie = n.node ? n.node : n.mode ? foreign_node(r, n.mode, n.inode) : 1ull << 32 | 1;
	memcpy(again.arg, n.arg, sizeof again.arg);
	if (n.number < 0 || n.number >= K_ROUTE_NUMBERS)
		return -EINVAL;
	request_replay(&again, r);
	return REQUEST_DONE;
}

/* PROTO_VFS_NAMES: from cookies to paths, as the caller sees them. */
int64_t in_names(struct request *r)
{
	static union {
		struct proto_names q;
		char bytes[K_SCRATCH_MAX];
	} u;
	static char buf[PATH_TEXT];
	struct srv_forward f = { .number = PROTO_PS_NAMED, .scratch = &u, .handle = { -1, -1 } };
	size_t at = sizeof u.q;
	uint32_t i;
	int64_t e = k_caller_scratch(srv_endpoint(), r->m->call, &u, sizeof u);

	if (e < 0)
		return e;
	if (u.q.count > PROTO_NAMES)
		return -EINVAL;
	for (i = 0; i < u.q.count; i++) {
		struct file *file = file_find(u.q.cookie[i]);
		const char *path = file ? path_of(r->root, file->at, buf, sizeof buf, NULL) : NULL;
		size_t size = path ? strlen(path) + 1 : 1;

		if (size > sizeof u - at)
			break;
		memcpy(u.bytes + at, path ? path : "", size);
		at += size;
	}
	u.q.count = i;
	f.scratch_size = (uint32_t)at;
	memcpy(f.arg, r->m->arg, sizeof f.arg);
	return request_to_posix(r, &f);
}
