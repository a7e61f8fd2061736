/* SPDX-License-Identifier: MIT */
/* socket, socketpair, bind, listen, connect, accept, shutdown, and whose names these are. */
#include "in_socket.h"

#include <errno.h>

#include "in.h"
#include "open.h"

int request_network = -1;

int64_t socket_file(struct request *r, struct socket **out)
{
	struct file *f;
	int64_t e = request_real_file(r, &f);

	if (e)
		return e;
	*out = socket_of(f);
	return *out ? 0 : -ENOTSOCK;
}

static struct lx_ucred own_cred(const struct request *r)
{
	return (struct lx_ucred){ r->m->pid, r->cred->euid, r->cred->egid };
}

/* --- socket, socketpair ------------------------------------------------------------------- */

/*
 * The kind that family, type and protocol ask for; REQUEST_DONE: another server's, and the caller
 * has been forwarded.
 */
static int64_t kind_of(struct request *r, bool pair, uint8_t *kind)
{
	uint64_t family = request_arg(r, 0), protocol = (uint32_t)request_arg(r, 2);
	uint32_t type = (uint32_t)request_arg(r, 1), flags = type & ~LX_SOCK_TYPE_MASK;

	type &= LX_SOCK_TYPE_MASK;
	if (flags & ~(LX_SOCK_NONBLOCK | LX_SOCK_CLOEXEC))
		return -EINVAL;
	if ((uint32_t)family >= LX_AF_MAX)
		return -EAFNOSUPPORT;
	if (type > LX_SOCK_TYPES)
		return -EINVAL;
	switch ((uint32_t)family) {
	case LX_AF_UNIX:
		break;
	case LX_AF_INET:
	case LX_AF_INET6:
	case LX_AF_NETLINK:
		if (request_network < 0)
			return -EAFNOSUPPORT;
		if (pair)
			return -EOPNOTSUPP;
		request_commit();
		srv_forward_as_is(r->m->call, request_network);
		return REQUEST_DONE;
	default:
		return -EAFNOSUPPORT;
	}
	if (protocol && protocol != LX_AF_UNIX)
		return -EPROTONOSUPPORT;
	if (type == LX_SOCK_RAW)
		type = LX_SOCK_DGRAM;
	if (type != LX_SOCK_STREAM && type != LX_SOCK_DGRAM && type != LX_SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	*kind = (uint8_t)type;
	return 0;
}

static uint32_t install_flags(uint64_t type)
{
	return (type & LX_SOCK_CLOEXEC ? LX_O_CLOEXEC : 0) |
	       (type & LX_SOCK_NONBLOCK ? LX_O_NONBLOCK : 0);
}

int64_t in_socket(struct request *r)
{
	uint32_t flags = install_flags(request_arg(r, 1));
	struct socket *s;
	uint8_t kind;
	int64_t e = kind_of(r, false, &kind);

	if (e)
		return e;
	s = socket_create(kind, r->cred->euid, &e);
	if (!s)
		return e;
	e = socket_channels(s);
	if (!e)
		e = socket_open(r, s, flags);
	if (e < 0)
		return e;
	open_install(r->m->call, (int)e, flags);
	return REQUEST_DONE;
}

static int64_t pair_make(struct request *r, uint8_t kind, struct socket *s[2])
{
	int64_t e;

	for (int i = 0; i < 2; i++) {
		s[i] = socket_create(kind, r->cred->euid, &e);
		if (!s[i])
			return e;
		s[i]->peer_cred = own_cred(r);
	}
	e = socket_channels(s[0]);
	if (!e && kind != LX_SOCK_STREAM)
		e = socket_channels(s[1]);
	if (!e)
		socket_join(s[0], s[1]);
	return e;
}

int64_t in_socketpair(struct request *r)
{
	uint32_t flags = install_flags(request_arg(r, 1)),
		 install = flags & LX_O_CLOEXEC ? K_INSTALL_CLOEXEC : 0;
	struct socket *s[2];
	uint8_t kind;
	int64_t h[2], e = kind_of(r, true, &kind);

	if (!e)
		e = pair_make(r, kind, s);
	if (e)
		return e;
	h[0] = socket_open(r, s[0], flags);
	if (h[0] < 0)
		return h[0];
	h[1] = socket_open(r, s[1], flags);
	if (h[1] < 0) {
		/* the close notice takes the first one along, which has to let go of the second */
		state_set(s[1]->state, SOCKET_DEAD);
		socket_put(s[1]);
		request_commit();
		k_handle_close((int)h[0]);
		srv_answer(r->m->call, h[1]);
		return REQUEST_DONE;
	}
	srv_answer(r->m->call, 0);
	srv_answer_install((int)h[0], install, 0, request_arg(r, 3));
	srv_answer_install((int)h[1], install, 0, request_arg(r, 3) + 4);
	return REQUEST_DONE;
}

/* --- bind, listen ------------------------------------------------------------------------- */

int64_t in_bind(struct request *r)
{
	struct name_given name;
	struct socket *s;
	int64_t e = socket_file(r, &s);

	if (!e)
		e = name_read(r, request_arg(r, 1), request_arg(r, 2), &name);
	return e ? e : name_bind(r, s, &name);
}

int64_t in_listen(struct request *r)
{
	uint32_t backlog = (uint32_t)request_arg(r, 1);
	struct socket *s;
	int64_t e = socket_file(r, &s);

	if (e)
		return e;
	if (!socket_connects(s))
		return -EOPNOTSUPP;
	if (!s->name.size || (s->state != SOCKET_IDLE && s->state != SOCKET_LISTENING))
		return -EINVAL;
	state_set(s->backlog, backlog < LX_SOMAXCONN ? backlog : LX_SOMAXCONN);
	state_set(s->state, SOCKET_LISTENING);
	undo_save(&s->cred, sizeof s->cred);
	s->cred = own_cred(r);
	undo_save(&s->peer_cred, sizeof s->peer_cred);
	s->peer_cred = s->cred;
	socket_changed(s, false);
	return 0;
}

/* --- connect ------------------------------------------------------------------------------ */

static void disconnect(struct socket *s)
{
	struct socket *peer = s->peer;

	if (!peer)
		return;
	while (s->in->first) {		/* what it had been sent is void */
		parcel_drop_first(s->in);
		node_commit();
	}
	if (peer->state != SOCKET_DEAD && peer->peer == s) {
		state_set(peer->error, ECONNRESET);
		socket_changed(peer, false);
	}
	state_set(s->peer, NULL);
	state_set(s->state, SOCKET_IDLE);
	socket_put(peer);
	socket_changed(s, false);
}

/* Datagrams: whom it sends to from now on, and who alone may send to it. */
static int64_t connect_datagrams(struct request *r, struct socket *s, const struct name_given *name)
{
	struct socket *to = NULL;
	int64_t e;

	if (name->address.family != LX_AF_UNSPEC) {
		e = s->passcred ? name_autobind(s) : 0;
		if (!e)
			e = name_find(r, name, s->type, &to);
		if (e)
			return e;
		if (to->peer && to->peer != s)
			return -EPERM;
	}
	if (to)
		socket_get(to);
	if (s->peer != to)
		disconnect(s);
	else if (to)
		socket_put(to);
	state_set(s->peer, to);
	state_set(s->state, to ? SOCKET_CONNECTED : SOCKET_IDLE);
	socket_changed(s, false);
	if (to)
		socket_changed(to, false);
	return 0;
}

/* The other end of s, in the listener's queue. */
static int64_t child_make(struct request *r, struct socket *s, struct socket *l)
{
	struct socket *child;
	int64_t e = 0;

	child = socket_create(s->type, r->cred->euid, &e);
	if (!child)
		return e == -ENFILE ? -ENOMEM : e;
	if (!socket_is_stream(s))
		e = socket_channels(child);
	if (e)
		return e;
	socket_join(s, child);
	child->name = l->name;
	child->passcred = l->passcred;
	child->peer_cred = own_cred(r);
	undo_save(&s->peer_cred, sizeof s->peer_cred);
	s->peer_cred = l->cred;
	child->listener = l;
	if (l->last)
		state_set(l->last->next, child);
	else
		state_set(l->first, child);
	state_set(l->last, child);
	state_set(l->waiting, l->waiting + 1);
	if (socket_is_stream(s)) {	/* until its own description counts */
		channel_hold(s->in, K_PIPE_WRITER);
		channel_hold(s->out, K_PIPE_READER);
	}
	return 0;
}

static int64_t connect_listener(struct request *r, struct socket *s, const struct name_given *name)
{
	struct socket *l;
	int64_t e = s->passcred ? name_autobind(s) : 0;

	if (!e)
		e = name_find(r, name, s->type, &l);
	if (e)
		return e;
	if (l->state != SOCKET_LISTENING || l->shutdown & SHUT_RECEIVE)
		return -ECONNREFUSED;
	if (l->waiting > l->backlog)
		return r->m->fd_flags & LX_O_NONBLOCK ? -EAGAIN :
							wait_park(r, l, s->send_timeout, 0);
	if (s->state != SOCKET_IDLE)
		return s->state == SOCKET_CONNECTED ? -EISCONN : -EINVAL;
	e = child_make(r, s, l);
	if (e)
		return e;
	socket_changed(s, false);
	socket_changed(l, true);
	return 0;
}

int64_t in_connect(struct request *r)
{
	struct name_given name;
	struct socket *s;
	int64_t e = socket_file(r, &s);

	if (!e)
		e = name_read(r, request_arg(r, 1), request_arg(r, 2), &name);
	if (e)
		return e;
	return socket_connects(s) ? connect_listener(r, s, &name) : connect_datagrams(r, s, &name);
}

/* --- accept ------------------------------------------------------------------------------- */

static int64_t accept_flags(struct request *r, uint32_t flags)
{
	uint64_t to = request_arg(r, 1), size_to = request_arg(r, 2);
	struct socket *s, *child;
	int32_t room = 0;
	int64_t e = socket_file(r, &s);

	if (e)
		return e;
	if (flags & ~(LX_SOCK_CLOEXEC | LX_SOCK_NONBLOCK))
		return -EINVAL;
	if (!socket_connects(s))
		return -EOPNOTSUPP;
	if (s->state != SOCKET_LISTENING || (!s->first && s->shutdown & SHUT_RECEIVE))
		return -EINVAL;
	child = s->first;
	if (!child)
		return r->m->fd_flags & LX_O_NONBLOCK ? -EAGAIN :
							wait_park(r, s, s->receive_timeout, 0);
	e = to ? name_room(r, size_to, &room) : 0;
	if (!e)
		e = socket_open(r, child, install_flags(flags));
	if (e < 0)
		return e;
	open_install(r->m->call, (int)e, install_flags(flags));
	if (to)
		name_answer(child->peer, to, size_to, room);
	accept_begin(child, r->m->call);
	return REQUEST_DONE;
}

int64_t in_accept(struct request *r)
{
	return accept_flags(r, 0);
}

int64_t in_accept4(struct request *r)
{
	return accept_flags(r, (uint32_t)request_arg(r, 3));
}

/* --- shutdown ----------------------------------------------------------------------------- */

int64_t in_shutdown(struct request *r)
{
	uint32_t how = (uint32_t)request_arg(r, 1), mine, its;
	struct socket *s, *peer;
	int64_t e = socket_file(r, &s);

	if (e)
		return e;
	if (how > 2)
		return -EINVAL;
	mine = how + 1;		/* SHUT_RD, SHUT_WR, SHUT_RDWR: 0, 1, 2 */
	its = (mine & SHUT_RECEIVE ? SHUT_SEND : 0) | (mine & SHUT_SEND ? SHUT_RECEIVE : 0);
	state_set(s->shutdown, (uint8_t)(s->shutdown | mine));
	socket_changed(s, true);
	peer = s->peer;
	if (peer && socket_connects(s) && peer->state != SOCKET_DEAD) {
		state_set(peer->shutdown, (uint8_t)(peer->shutdown | its));
		socket_changed(peer, true);
	}
	return 0;
}

/* --- names -------------------------------------------------------------------------------- */

static int64_t tell(struct request *r, const struct socket *s)
{
	int32_t room;
	int64_t e = name_room(r, request_arg(r, 2), &room);

	if (e)
		return e;
	srv_answer(r->m->call, 0);
	name_answer(s, request_arg(r, 1), request_arg(r, 2), room);
	return REQUEST_DONE;
}

int64_t in_getsockname(struct request *r)
{
	struct socket *s;
	int64_t e = socket_file(r, &s);

	return e ? e : tell(r, s);
}

int64_t in_getpeername(struct request *r)
{
	struct socket *s;
	int64_t e = socket_file(r, &s);

	return e ? e : s->peer ? tell(r, s->peer) : -ENOTCONN;
}
