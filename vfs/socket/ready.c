/* SPDX-License-Identifier: MIT */
/*
 * Readiness: from the state of a socket to the bits of its source, by Linux's rules.
 *
 * On a connected stream the pipes themselves tell what can be read and written, and carry reads and
 * writes. Calls of a direction come here while there is something that a pipe cannot do:
 * descriptors or credentials on their way, a timeout. Once it is shut down, our bits alone count
 * for it.
 */
#include <errno.h>
#include <stdlib.h>

#include "socket.h"

#define ALL                                                                                        \
	(LX_POLLIN | LX_POLLOUT | LX_POLLERR | LX_POLLHUP | LX_POLLRDHUP | K_SOURCE_DECLINE_READ | \
	 K_SOURCE_DECLINE_WRITE | K_SOURCE_CALLS_READ | K_SOURCE_CALLS_WRITE)

bool ready_queue_full(const struct socket *to)
{
	return to->in && to->in->count > to->backlog;
}

bool ready_to_send(const struct socket *s)
{
	return s->sent < s->send_buffer;
}

/* The first in the queue may be on its way to an accepter already. */
static bool has_pending(const struct socket *l)
{
	return l->first && (!l->first->accept_call || l->first->next);
}

static uint32_t common_bits(const struct socket *s)
{
	return (s->error ? LX_POLLERR : 0) |
	       (s->shutdown & SHUT_RECEIVE ? LX_POLLIN | LX_POLLRDHUP : 0) |
	       (s->shutdown == (SHUT_RECEIVE | SHUT_SEND) ? LX_POLLHUP : 0);
}

static uint32_t connected_bits(const struct socket *s)
{
	uint32_t bits = common_bits(s);

	/*
	 * the pipes do not know of a shutdown; when the peer is gone, they do, unless it did not
	 * read everything
	 */
	if (s->reset || (s->shutdown & SHUT_RECEIVE && !s->peer_gone))
		bits |= K_SOURCE_DECLINE_READ;
	else if (s->in->first || s->passcred || s->receive_timeout)
		bits |= K_SOURCE_CALLS_READ;
	if (s->reset || (s->shutdown & SHUT_SEND && !s->peer_gone))
		bits |= K_SOURCE_DECLINE_WRITE | LX_POLLOUT;
	else if (s->send_timeout || (s->peer && s->peer->passcred))
		bits |= K_SOURCE_CALLS_WRITE;
	return bits;
}

static uint32_t stream_bits(const struct socket *s)
{
	uint32_t declined = K_SOURCE_DECLINE_READ | K_SOURCE_DECLINE_WRITE;

	switch (s->state) {
	case SOCKET_LISTENING:
		return declined | common_bits(s) | (has_pending(s) ? LX_POLLIN : 0);
	case SOCKET_CONNECTED:
		return connected_bits(s);
	default:
		return declined | common_bits(s) | LX_POLLOUT | LX_POLLHUP;
	}
}

static uint32_t packet_bits(const struct socket *s)
{
	uint32_t bits = common_bits(s);

	if (s->state == SOCKET_LISTENING)
		return bits | (has_pending(s) ? LX_POLLIN : 0);
	if (s->in->first)
		bits |= LX_POLLIN;
	if (socket_connects(s) && s->state == SOCKET_IDLE)
		bits |= LX_POLLHUP;
	if (ready_to_send(s) && !(s->peer && s->peer->state != SOCKET_DEAD && s->peer->peer != s &&
				  ready_queue_full(s->peer)))
		bits |= LX_POLLOUT;
	return bits;
}

void ready_update(struct socket *s, bool pulse)
{
	uint32_t bits;

	if (s->source < 0 || s->state == SOCKET_DEAD)
		return;
	bits = socket_is_stream(s) ? stream_bits(s) : packet_bits(s);
	if (bits == s->bits && !pulse)
		return;
	k_source_set(s->source, bits, ALL & ~bits, pulse);
	if (bits != s->bits)
		state_set(s->bits, bits);
}

/* --- what changed ------------------------------------------------------------------------- */

struct change {
	struct socket *socket;
	bool pulse;
};

static struct change *changed;
static size_t changed_count, changed_room;

void socket_changed(struct socket *s, bool pulse)
{
	for (size_t i = 0; i < changed_count; i++) {
		if (changed[i].socket == s) {
			changed[i].pulse |= pulse;
			return;
		}
	}
	if (changed_count == changed_room) {
		size_t room = changed_room ? 2 * changed_room : 32;
		struct change *more = realloc(changed, room * sizeof *more);

		if (!more)
			srv_panic("no memory");
		changed = more;
		changed_room = room;
	}
	changed[changed_count++] = (struct change){ s, pulse };
}

void socket_forget(const struct socket *s)
{
	for (size_t i = 0; i < changed_count; i++) {
		if (changed[i].socket == s)
			changed[i--] = changed[--changed_count];
	}
}

static struct socket *receiver;	/* of those that may send to it again */

static void sender_changed(struct socket *s)
{
	if (s->peer == receiver)
		socket_changed(s, false);
}

/* Its queue has room again, or it is gone: that concerns all who are connected to it. */
static void tell_senders(struct socket *s)
{
	if (socket_is_stream(s) || (s->state != SOCKET_DEAD && ready_queue_full(s)) || !s->was_full)
		return;
	state_set(s->was_full, false);
	receiver = s;
	socket_each(sender_changed);
}

static bool running;

void ready_lost(void)
{
	changed_count = 0;
	running = false;
}

void ready_settle(void)
{
	if (running)
		return;
	running = true;
	do {
		while (changed_count) {
			struct change c = changed[--changed_count];

			ready_update(c.socket, c.pulse);
			tell_senders(c.socket);
			wait_wake(c.socket);
			node_commit();
		}
		if (garbage_suspected)
			garbage_collect();
	} while (changed_count || wait_run());
	garbage_watch();
	running = false;
}
