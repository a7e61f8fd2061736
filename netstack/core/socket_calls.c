/* SPDX-License-Identifier: MIT */
/*
 * From arguments to the operations of the socket's kind: what is checked before and done after is
 * alike for all kinds.
 */
#include "socket_calls.h"

#include <errno.h>
#include <string.h>

#include "options.h"
#include "posix_vfs.h"
#include "socket.h"

int socket_vfs_endpoint(void)
{
	static int handle = -2;

	if (handle == -2)
		handle = srv_handle("vfs");
	return handle;
}

/* --- making ------------------------------------------------------------------------------- */

static void answer_handle(struct net_request *r, int handle, uint32_t flags)
{
	srv_answer(r->m->call, 0);
	srv_answer_install(handle, flags & LX_SOCK_CLOEXEC ? K_INSTALL_CLOEXEC : 0, 0, 0);
}

int64_t in_socket(struct net_request *r)
{
	int family = (int)r->m->arg[0], type = (int)r->m->arg[1], protocol = (int)r->m->arg[2];
	uint32_t flags = (uint32_t)type & ~LX_SOCK_TYPE_MASK;
	const struct socket_ops *ops;
	struct socket *s;
	int e, h;

	if (flags & ~(uint32_t)(LX_SOCK_NONBLOCK | LX_SOCK_CLOEXEC))
		return -EINVAL;
	type &= LX_SOCK_TYPE_MASK;
	if (type > LX_SOCK_TYPES)
		return -EINVAL;
	e = socket_kind(r, family, type, &protocol, &ops);
	if (e)
		return e;
	e = socket_new(r, ops, family, type, protocol, NULL, &s);
	if (e)
		return e;
	h = ops->open ? ops->open(s, flags) : socket_open(s, -1, -1, flags);
	if (h < 0) {
		socket_close(s);
		return h;
	}
	/* if it is refused the description closes, and so does the socket */
	answer_handle(r, h, flags);
	return NET_DONE;
}

int64_t in_socketpair(struct net_request *r)
{
	int type = (int)r->m->arg[1], protocol = (int)r->m->arg[2];
	const struct socket_ops *ops;
	int e;

	if (type & ~(LX_SOCK_TYPE_MASK | LX_SOCK_NONBLOCK | LX_SOCK_CLOEXEC))
		return -EINVAL;
	e = socket_kind(r, (int)r->m->arg[0], type & LX_SOCK_TYPE_MASK, &protocol, &ops);
	return e ? e : -EOPNOTSUPP;
}

/* --- addresses, connections --------------------------------------------------------------- */

int64_t in_bind(struct net_request *r)
{
	struct net_sockaddr a;
	int64_t e = net_sockaddr_read(r, r->m->arg[1], (int32_t)r->m->arg[2], &a);

	if (e)
		return e;
	return r->s->ops->bind ? r->s->ops->bind(r, &a) : -EOPNOTSUPP;
}

int64_t in_connect(struct net_request *r)
{
	struct net_sockaddr a;
	int64_t e = net_sockaddr_read(r, r->m->arg[1], (int32_t)r->m->arg[2], &a);

	if (e)
		return e;
	return r->s->ops->connect ? r->s->ops->connect(r, &a) : -EOPNOTSUPP;
}

int64_t in_listen(struct net_request *r)
{
	uint32_t backlog = (uint32_t)r->m->arg[1];	/* negative ones are large, as on Linux */

	return r->s->ops->listen ?
		       r->s->ops->listen(r,
					 (int)(backlog > LX_SOMAXCONN ? LX_SOMAXCONN : backlog)) :
		       -EOPNOTSUPP;
}

static int64_t accept_with(struct net_request *r, uint32_t flags)
{
	if (flags & ~(uint32_t)(LX_SOCK_NONBLOCK | LX_SOCK_CLOEXEC))
		return -EINVAL;
	return r->s->ops->accept ? r->s->ops->accept(r, flags, r->m->arg[1], r->m->arg[2]) :
				   -EOPNOTSUPP;
}

int64_t in_accept(struct net_request *r)
{
	return accept_with(r, 0);
}

int64_t in_accept4(struct net_request *r)
{
	return accept_with(r, (uint32_t)r->m->arg[3]);
}

static int64_t name_of(struct net_request *r, bool peer)
{
	struct net_sockaddr a = { 0 };
	int32_t room;
	int64_t e;

	if (!r->s->ops->name_of)
		return -EOPNOTSUPP;
	e = r->s->ops->name_of(r, peer, &a);
	if (e)
		return e;
	e = net_read(r, &room, r->m->arg[2], sizeof room);
	if (e)
		return e;
	if (room < 0)
		return -EINVAL;
	e = net_write(r, r->m->arg[1], a.bytes, (uint32_t)room < a.size ? (uint32_t)room : a.size);
	return e ? e : net_write(r, r->m->arg[2], &a.size, sizeof a.size);
}

int64_t in_getsockname(struct net_request *r)
{
	return name_of(r, false);
}

int64_t in_getpeername(struct net_request *r)
{
	return name_of(r, true);
}

int64_t in_shutdown(struct net_request *r)
{
	int how = (int)r->m->arg[1];

	if (!r->s->ops->shutdown)
		return -EOPNOTSUPP;
	return how < LX_SHUT_RD || how > LX_SHUT_RDWR ? -EINVAL : r->s->ops->shutdown(r, how);
}

/* --- options ------------------------------------------------------------------------------ */

int64_t in_setsockopt(struct net_request *r)
{
	static uint8_t value[OPTION_MAX] __attribute__((aligned(8)));
	int32_t size = (int32_t)r->m->arg[4];
	int64_t e;

	if (size < 0)
		return -EINVAL;
	memset(value, 0, sizeof value);
	e = net_read(r, value, r->m->arg[3],
		     (uint32_t)size < OPTION_MAX ? (uint32_t)size : OPTION_MAX);
	return e ? e :
		   option_set(r, (int)r->m->arg[1], (int)r->m->arg[2], value, (uint32_t)size,
			      r->m->arg[3]);
}

int64_t in_getsockopt(struct net_request *r)
{
	static uint8_t value[OPTION_MAX] __attribute__((aligned(8)));
	uint32_t size = 0;
	int32_t room;
	int64_t e = net_read(r, &room, r->m->arg[4], sizeof room);

	if (e)
		return e;
	if (room < 0)
		return -EINVAL;
	e = option_get(r, (int)r->m->arg[1], (int)r->m->arg[2], value, &size);
	if (e)
		return e;
	if ((uint32_t)room < size)
		size = (uint32_t)room;
	e = net_write(r, r->m->arg[3], value, size);
	return e ? e : net_write(r, r->m->arg[4], &size, sizeof size);
}

/* --- descriptors -------------------------------------------------------------------------- */

enum { F_SETOWN = 8, F_GETOWN, F_SETSIG, F_GETSIG, F_SETOWN_EX = 15, F_GETOWN_EX };

int64_t in_ioctl(struct net_request *r)
{
	uint32_t command = (uint32_t)r->m->arg[1];
	uint64_t arg[6];
	int32_t zero = 0;
	int64_t e = srv_ioctl_as_fcntl(r->m, arg);

	if (e)
		return e < 0 ? e : net_forward_kernel(r, NR_FCNTL, arg);
	if (command == LX_FIOGETOWN || command == LX_SIOCGPGRP)
		return net_write(r, r->m->arg[2], &zero,
				 sizeof zero); /* nothing here sends SIGIO */
	/* interface requests work on AF_UNIX sockets, too: the VFS has passed one on */
	if (!r->s)
		return interface_ioctl(r, command, r->m->arg[2]);
	e = r->s->ops->ioctl ? r->s->ops->ioctl(r, command, r->m->arg[2]) : NET_PASS;
	return e != NET_PASS ? e : interface_ioctl(r, command, r->m->arg[2]);
}

int64_t in_fcntl(struct net_request *r)
{
	switch ((int)r->m->arg[1]) {
	case F_SETOWN:
	case F_GETOWN:
	case F_SETSIG:
	case F_GETSIG:
		return 0;
	}
	return -EINVAL;
}

/*
 * What the VFS does with any node: it has one for each of our sockets that is nothing but its
 * number.
 */
int64_t in_node(struct net_request *r)
{
	struct proto_node node = { .number = r->m->number,
				   .mode = 0140777,
				   .inode = (uint32_t)r->m->cookie };
	struct srv_forward f = { .endpoint = socket_vfs_endpoint(),
				 .number = PROTO_VFS_NODE,
				 .scratch = &node,
				 .scratch_size = sizeof node,
				 .handle = { -1, -1 } };

	if (f.endpoint < 0)
		return -EINVAL;
	memcpy(node.arg, r->m->arg, sizeof node.arg);
	memcpy(f.arg, r->m->arg, sizeof f.arg);
	srv_forward(r->m->call, &f);
	return NET_DONE;
}

int64_t in_no_position(struct net_request *r)
{
	(void)r;
	return -ESPIPE;
}

/* To a socket without a pipe, or from what is no file: the kernel does all else. */
int64_t in_sendfile(struct net_request *r)
{
	if (r->m->extra[1] == EPIPE)
		return net_fail(r, EPIPE, LX_SIGPIPE);
	if (r->s && r->s->error)
		return socket_error_take(r->s);
	return r->s && r->s->ops->sendfile ? r->s->ops->sendfile(r) : -EINVAL;
}

int64_t socket_stale(struct net_request *r)
{
	switch (r->m->number) {
	case 0: case 19: case 327: case 45: case 47: case 299:
		return -ECONNRESET;
	case 1: case 20: case 328: case 40:
		return net_fail(r, EPIPE, LX_SIGPIPE);
	case 44: case 46: case 307:
		return (uint32_t)r->m->arg[r->m->number == 46 ? 2 : 3] & LX_MSG_NOSIGNAL ?
			       -EPIPE :
			       net_fail(r, EPIPE, LX_SIGPIPE);
	case 43: case 288:
		return -EINVAL;		/* not listening any more */
	case 42:
		return -ECONNRESET;
	}
	return -ENOTCONN;
}
