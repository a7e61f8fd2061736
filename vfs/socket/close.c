/* SPDX-License-Identifier: MIT */
/*
 * The end of sockets, and what a successor does about those that were in the middle of something.
 *
 * A socket may hold a lot: parcels, connections that nobody accepted. So its end comes in pieces,
 * each an operation of its own; it is dead from the first one on, and whoever finds it dead goes on
 * with the rest.
 */
#include <errno.h>

#include "name.h"
#include "socket.h"

static uint64_t accepting;	/* number of the socket whose accept was answered last */

/* Its peer is gone. unread: with data that it had not read. */
static void peer_lost(struct socket *s, bool unread)
{
	state_set(s->shutdown, SHUT_RECEIVE | SHUT_SEND);
	state_set(s->peer_gone, true);
	if (unread) {
		state_set(s->error, ECONNRESET);
		state_set(s->reset, true);
	}
	socket_changed(s, false);
}

static bool has_unread(const struct socket *s)
{
	struct k_pipe_info info;

	if (s->in->first)
		return true;
	if (!socket_is_stream(s))
		return false;
	channel_info(s->in, &info);
	return info.bytes > 0;
}

static void die(struct socket *s)
{
	struct socket *peer = s->peer;

	state_set(s->state, SOCKET_DEAD);
	name_unbind(s);
	if (peer && socket_connects(s) && peer->state == SOCKET_CONNECTED && peer->peer == s)
		peer_lost(peer, has_unread(s));
	if (vfs->sockets->inflight_sockets)
		garbage_suspected = true;
	/* whoever wants to connect or send to it; s itself may be freed before anyone looks */
	wait_wake(s);
	if (s->was_full)
		socket_changed(s, false);
}

static void channels_release(struct socket *s)
{
	if (s->in) {
		if (s->in->reader == s)
			state_set(s->in->reader, NULL);
		channel_put(s->in);
		state_set(s->in, NULL);
	}
	if (s->out) {
		if (s->out->writer == s)
			state_set(s->out->writer, NULL);
		channel_put(s->out);
		state_set(s->out, NULL);
	}
}

static void drop_parcels(struct socket *s)
{
	while (s->in->first) {
		parcel_drop_first(s->in);
		node_commit();
	}
}

static void peer_release(struct socket *s)
{
	struct socket *peer = s->peer;

	if (!peer)
		return;
	state_set(s->peer, NULL);
	socket_put(peer);
}

/* A connection that nobody will accept any more. */
static void orphan(struct socket *s)
{
	if (s->state != SOCKET_DEAD) {
		state_set(s->state, SOCKET_DEAD);
		if (s->peer && s->peer->state == SOCKET_CONNECTED)
			peer_lost(s->peer, true);
		if (s->out)
			channel_hold(s->out, 0);
		if (socket_is_stream(s))
			channel_hold(s->in, 0);
		node_commit();
	}
	drop_parcels(s);
	if (!s->accept_call)
		state_set(s->listener->waiting, s->listener->waiting - 1);
	socket_unqueue(s);
	channels_release(s);
	peer_release(s);
	socket_put(s);
	node_commit();
}

/* The descriptor of an accept never came into being: the connection waits for the next one. */
static void accept_failed(struct socket *s)
{
	state_set(s->node->socket, NULL);
	state_set(s->node, NULL);
	state_set(s->file, NULL);
	state_set(s->accept_call, 0);
	state_set(s->listener->waiting, s->listener->waiting + 1);
	node_drop_handle(s->source);
	state_set(s->source, -1);
	state_set(s->bits, 0);
}

void socket_close(struct file *f)
{
	struct socket *s = socket_of(f);

	if (!s)
		return;
	if (s->accept_call) {
		accept_failed(s);
		return;
	}
	if (s->state != SOCKET_DEAD) {
		die(s);
		node_commit();
	}
	while (s->first)
		orphan(s->first);
	drop_parcels(s);
}

void socket_closed(struct socket *s)
{
	state_set(s->node->socket, NULL);
	state_set(s->node, NULL);
	state_set(s->file, NULL);
	node_drop_handle(s->source);
	state_set(s->source, -1);
	channels_release(s);
	peer_release(s);
	socket_put(s);
}

/* --- accept, once it is certain ----------------------------------------------------------- */

static void accepted(struct socket *s)
{
	state_set(s->accept_call, 0);
	socket_unqueue(s);
	if (!socket_is_stream(s))
		return;
	channel_hold(s->in, 0);		/* its description counts from now on */
	channel_hold(s->out, 0);
}

void socket_accept_settle(void)
{
	struct socket *s = accepting ? socket_find(accepting) : NULL;

	accepting = 0;
	if (!s || !s->accept_call)
		return;
	accepted(s);
	node_commit();
}

/* The answer was refused. */
static void accept_undo(void *arg, int error)
{
	(void)arg;
	(void)error;
	struct socket *s = accepting ? socket_find(accepting) : NULL;

	accepting = 0;
	if (!s || !s->accept_call)
		return;
	accept_failed(s);
	ready_update(s->listener, false);
	node_commit();
}

void accept_begin(struct socket *s, uint64_t call)
{
	state_set(s->accept_call, call);
	state_set(s->listener->waiting, s->listener->waiting - 1);
	socket_changed(s->listener, false);
	accepting = s->number;
	srv_answer_undo(accept_undo, NULL);
}

/* --- recovery ----------------------------------------------------------------------------- */

static void (*know_handle)(int32_t handle);

static void know(struct socket *s)
{
	know_handle(s->source);
	if (s->in) {
		know_handle(s->in->pipe);
		for (struct parcel *p = s->in->first; p; p = p->next) {
			for (uint32_t i = 0; i < p->right_count; i++)
				know_handle(p->right[i].handle);
		}
	}
	if (s->out)
		know_handle(s->out->pipe);
}

void socket_know(void (*fn)(int32_t handle))
{
	know_handle = fn;
	socket_each(know);
}

static void recover_one(struct socket *s)
{
	if (s->accept_call)
		accepted(s); /* its description lives, or reconciling would have put it back */
	stream_recover(s);
	if (s->listener && socket_is_stream(s)) {
		channel_hold(s->in, s->in->holds);
		channel_hold(s->out, s->out->holds);
	}
	if (s->in)
		state_set(s->in->armed, 0);
	if (s->out)
		state_set(s->out->armed, 0);
	node_commit();
	state_set(s->bits, ~s->bits);	/* what the source was told is not certain */
	ready_update(s, false);
	node_commit();
}

void socket_recover(void)
{
	garbage_suspected = vfs->sockets->inflight_sockets > 0;
	socket_each(recover_one);
	ready_settle();
}

void socket_lost(void)
{
	accepting = 0;
	wait_lost();
	ready_lost();
}
