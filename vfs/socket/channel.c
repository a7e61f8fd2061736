/* SPDX-License-Identifier: MIT */
/* Channels (channel.h): their pipes, as the VFS sees them. */
#include "channel.h"

#include <errno.h>
#include <string.h>

#include "node.h"
#include "server.h"
#include "socket.h"

struct channel *channel_create(bool stream, int64_t *error)
{
	struct channel *c = state_alloc(sizeof *c);
	int64_t h;

	*error = -ENOMEM;
	if (!c)
		return NULL;
	c->pipe = -1;
	c->users = 1;
	*error = 0;
	if (!stream)
		return c;
	h = k_pipe_create(CHANNEL_CAPACITY, 0);
	if (h < 0) {
		*error = h;
		return NULL;
	}
	c->pipe = node_new_handle((int)h);
	return c;
}

void channel_put(struct channel *c)
{
	state_set(c->users, c->users - 1);
	if (c->users)
		return;
	node_drop_handle(c->pipe);
	state_free(c, sizeof *c);
}

void channel_hold(struct channel *c, uint32_t ends)
{
	if (c->holds != ends)
		state_set(c->holds, ends);
	k_pipe_hold(c->pipe, ends);
}

void channel_arm(struct channel *c, uint32_t events)
{
	events |= c->armed;
	if (!c->bound) {
		if (!c->reader || k_pipe_bind(c->pipe, srv_endpoint(), c->reader->number) < 0)
			return;
		state_set(c->bound, true);
	} else if (events == c->armed) {
		return;
	}
	state_set(c->armed, events);
	k_pipe_arm(c->pipe, events);
}

void channel_info(const struct channel *c, struct k_pipe_info *info)
{
	if (c->pipe < 0 || k_pipe_info(c->pipe, info) < 0)
		memset(info, 0, sizeof *info);
}

/*
 * One of the events holds, and nothing is armed any more: both ends look again, and ask again if
 * they care.
 */
void pipe_notice(const struct k_message *m)
{
	struct socket *s = socket_find(m->cookie);

	if (!s || !s->in)
		return;
	state_set(s->in->armed, 0);
	socket_changed(s, false);
	if (s->in->writer)
		socket_changed(s->in->writer, false);
	node_commit();
	ready_settle();
}
