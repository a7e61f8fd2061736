/* SPDX-License-Identifier: MIT */
/*
 * Control data: descriptors (SCM_RIGHTS) and credentials (SCM_CREDENTIALS).
 *
 * A descriptor that is sent is taken into the VFS's own table, whoever serves it, and stays there
 * until it is received or thrown away.
 */
#include <errno.h>
#include <string.h>

#include "message.h"
#include "procfs.h"

#define INFLIGHT_MAX 1024u	/* of one user who is not root; Linux takes his RLIMIT_NOFILE */
#define INFLIGHT_ALL 16384u
#define CAP_SETUID (1ull << 7)
#define CAP_SETGID (1ull << 6)

struct lx_ucred control_cred(const struct request *r, const struct message *m)
{
	return m->has_cred ? m->cred : (struct lx_ucred){ r->m->pid, r->cred->euid, r->cred->egid };
}

/* --- sending ------------------------------------------------------------------------------ */

static int64_t read_rights(struct request *r, struct message *m, const int32_t *fd, uint64_t count)
{
	struct k_caller_cookie c;

	if (m->right_count + count > LX_SCM_MAX_FD)
		return -EINVAL;
	for (uint64_t i = 0; i < count; i++) {
		int64_t e =
			fd[i] < 0 ? -EBADF : k_caller_cookie(srv_endpoint(), r->m->call, fd[i], &c);
		struct file *f;

		if (e < 0)
			return e;
		f = c.own ? file_find(c.cookie) : NULL;
		m->right[m->right_count].fd = fd[i];
		m->right[m->right_count++].socket = f && socket_of(f) ? socket_of(f)->number : 0;
	}
	return 0;
}

static int64_t read_cred(struct request *r, struct message *m, const struct lx_ucred *u)
{
	const struct proto_cred *c = r->cred;
	struct proto_pid p;

	if ((uint32_t)u->pid != r->m->pid) {
		if (!cred_can(c, PROTO_CAP_SYS_ADMIN))
			return -EPERM;
		if (!proc_pid_find((uint32_t)u->pid, &p))
			return -ESRCH;
	}
	if (u->uid != c->ruid && u->uid != c->euid && u->uid != c->suid && !cred_can(c, CAP_SETUID))
		return -EPERM;
	if (u->gid != c->rgid && u->gid != c->egid && u->gid != c->sgid && !cred_can(c, CAP_SETGID))
		return -EPERM;
	m->has_cred = true;
	m->cred = *u;
	return 0;
}

static int64_t too_many(struct request *r, uint32_t count)
{
	const struct socket_table *t = vfs->sockets;
	uint64_t all = 0;

	for (unsigned i = 0; i < INFLIGHT_CHAINS; i++)
		all += t->inflight[i];
	if (all + count > INFLIGHT_ALL)
		return -ETOOMANYREFS;
	if (!cred_can(r->cred, PROTO_CAP_SYS_ADMIN) &&
	    t->inflight[r->cred->euid % INFLIGHT_CHAINS] + count > INFLIGHT_MAX)
		return -ETOOMANYREFS;
	return 0;
}

int64_t control_read(struct request *r, struct message *m)
{
	static union {
		char bytes[LX_CONTROL_MAX];
		uint64_t align;
	} u;
	uint64_t at = 0;
	int64_t e;

	if (!m->control_size)
		return 0;
	if (m->control_size > sizeof u)
		return -ENOBUFS;
	e = k_caller_read(srv_endpoint(), r->m->call, u.bytes, m->control, m->control_size);
	if (e < 0)
		return e;
	while (at + sizeof(struct lx_cmsghdr) <= m->control_size) {
		const struct lx_cmsghdr *c = (const void *)(u.bytes + at);
		const void *data = c + 1;
		uint64_t n = c->size - sizeof *c;

		if (c->size < sizeof *c || c->size > m->control_size - at)
			return -EINVAL;
		e = 0;
		if (c->level == LX_SOL_SOCKET && c->type == LX_SCM_RIGHTS)
			e = read_rights(r, m, data, n / 4);
		else if (c->level == LX_SOL_SOCKET && c->type == LX_SCM_CREDENTIALS)
			e = n == sizeof(struct lx_ucred) ? read_cred(r, m, data) : -EINVAL;
		else if (c->level == LX_SOL_SOCKET)
			e = -EINVAL;
		if (e)
			return e;
		at += LX_CMSG_ALIGN(c->size);
	}
	return m->right_count ? too_many(r, m->right_count) : 0;
}

int64_t control_take(struct request *r, const struct message *m, struct right *out)
{
	for (uint32_t i = 0; i < m->right_count; i++) {
		int64_t h = k_caller_take(srv_endpoint(), r->m->call, m->right[i].fd);

		if (h < 0)
			return h;
		out[i] = (struct right){ .handle = node_new_handle((int)h),
					 .uid = r->cred->euid,
					 .socket = m->right[i].socket };
	}
	return 0;
}

/* --- receiving ---------------------------------------------------------------------------- */

/* The next control message: header and as much of the data as there is room for. */
static int64_t put(struct request *r, struct message *m, int32_t type, const void *data, uint64_t n)
{
	struct {
		struct lx_cmsghdr head;
		char data[LX_SCM_MAX_FD * 4];
	} c = { .head = { sizeof c.head + n, LX_SOL_SOCKET, type } };
	uint64_t room = m->control_size - m->control_used;
	int64_t e;

	if (room < sizeof c.head) {
		m->out_flags |= LX_MSG_CTRUNC;
		return 0;
	}
	if (room < c.head.size) {
		m->out_flags |= LX_MSG_CTRUNC;
		c.head.size = room;
	}
	memcpy(c.data, data, n);
	e = k_caller_write(srv_endpoint(), r->m->call, m->control + m->control_used, &c,
			   c.head.size);
	if (e < 0)
		return e;
	m->control_used += room < LX_CMSG_ALIGN(c.head.size) ? room : LX_CMSG_ALIGN(c.head.size);
	return 0;
}

static int64_t give_rights(struct request *r, struct message *m, const struct parcel *p)
{
	uint64_t room = m->control_size - m->control_used, used = m->control_used;
	uint32_t most = room > sizeof(struct lx_cmsghdr) ?
				(uint32_t)((room - sizeof(struct lx_cmsghdr)) / 4) :
				0,
		 n;
	uint32_t flags = K_INSTALL_KEEP | (m->flags & LX_MSG_CMSG_CLOEXEC ? K_INSTALL_CLOEXEC : 0);
	int32_t fd[LX_SCM_MAX_FD] = { 0 };
	int64_t e;

	if (most > p->right_count)
		most = p->right_count;
	if (most) {		/* the buffer is looked at before descriptors come into being */
		e = put(r, m, LX_SCM_RIGHTS, fd, most * 4);
		if (e < 0)
			return e;
	}
	m->control_used = used;
	for (n = 0; n < most; n++) {
		e = k_caller_install(srv_endpoint(), r->m->call, p->right[n].handle, flags, 0);
		if (e == -ESRCH || e == -K_REDELIVER)
			return e;
		if (e < 0)
			break;
		fd[n] = (int32_t)e;
	}
	if (n < p->right_count)
		m->out_flags |= LX_MSG_CTRUNC;
	return n ? put(r, m, LX_SCM_RIGHTS, fd, n * 4) : 0;
}

int64_t control_give(struct request *r, struct message *m, const struct lx_ucred *cred,
		     const struct parcel *p)
{
	int64_t e = 0;

	if (p && !p->right_count)
		p = NULL;
	if (!m->control || !m->control_size) {
		if (cred || p)
			m->out_flags |= LX_MSG_CTRUNC;
		return 0;
	}
	if (cred)
		e = put(r, m, LX_SCM_CREDENTIALS, cred, sizeof *cred);
	return !e && p ? give_rights(r, m, p) : e;
}
