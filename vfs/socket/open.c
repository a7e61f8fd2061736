/* SPDX-License-Identifier: MIT */
/* From a socket's record to a descriptor, and connecting two of them (socket.h). */
#include <errno.h>

#include "open.h"
#include "socket.h"

int64_t socket_channels(struct socket *s)
{
	int64_t e;

	s->in = channel_create(socket_is_stream(s), &e);
	if (!s->in)
		return e;
	s->in->reader = s;
	if (!socket_is_stream(s))
		return 0;
	s->out = channel_create(true, &e);
	if (!s->out)
		return e;
	s->out->writer = s;
	return 0;
}

int64_t socket_open(struct request *r, struct socket *s, uint32_t flags)
{
	struct k_description d = { .plane = K_PLANE_NONE,
				   .object = -1,
				   .object2 = -1,
				   .flags = K_DESCRIPTION_NOSEEK | K_DESCRIPTION_EAGER };
	struct mount *m = vfs->sockets->mount;
	struct pos at = { m, node_create(m->fs, LX_S_IFSOCK | 0777, r->cred->fsuid, r->cred->fsgid,
					 request_now()) };
	struct file *f;
	int64_t h;

	if (!at.node)
		return -ENOMEM;
	h = k_source_create();
	if (h < 0)
		return h;
	d.source = node_new_handle((int)h);
	/*
	 * a stream's end is in its pipes; of any other socket's end only we can tell its peer, and
	 * close must not return before that
	 */
	if (!socket_is_stream(s) || s->state != SOCKET_CONNECTED)
		d.decline = K_DECLINE_CLOSE;
	if (socket_is_stream(s)) {
		d.plane = K_PLANE_SOCKET;
		d.object = s->in->pipe;
		d.object2 = s->out->pipe;
	}
	state_set(s->source, d.source);
	state_set(s->bits, 0);
	ready_update(s, false);		/* before anyone can look */
	h = open_describe(r->cred, FILE_SOCKET, at, LX_O_RDWR | (flags & LX_O_NONBLOCK), &d, &f);
	if (h < 0)
		return h;
	at.node->socket = s;
	state_set(s->node, at.node);
	state_set(s->file, f);
	return h;
}

void socket_join(struct socket *a, struct socket *b)
{
	socket_get(a);
	socket_get(b);
	state_set(a->peer, b);
	state_set(b->peer, a);
	state_set(a->state, SOCKET_CONNECTED);
	state_set(b->state, SOCKET_CONNECTED);
	if (!socket_is_stream(a))
		return;
	b->in = a->out;
	b->out = a->in;
	state_set(a->in->users, 2);
	state_set(a->out->users, 2);
	state_set(a->in->writer, b);
	state_set(a->out->reader, b);
}

void socket_unqueue(struct socket *s)
{
	struct socket *l = s->listener, *before = NULL;

	for (struct socket *i = l->first; i != s; i = i->next)
		before = i;
	if (before)
		state_set(before->next, s->next);
	else
		state_set(l->first, s->next);
	if (l->last == s)
		state_set(l->last, before);
	state_set(s->next, NULL);
	state_set(s->listener, NULL);
	socket_changed(l, false);
}
