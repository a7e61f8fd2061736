/* SPDX-License-Identifier: MIT */
/*
 * close() of a socket that lingers, and descriptors that the kernel does not close alone.
 *
 * With SO_LINGER the source says K_SOURCE_CALLS_CLOSE, and the call comes here. It goes back to the
 * kernel with a hook: the descriptor is free then, and if it was the last one the socket is closed,
 * before we hear of the end (K_MSG_DONE). What then waits is only the caller, for at most the time
 * that was given; the result stays 0, whatever ends the wait, and an exit does not wait at all, as
 * on Linux. With a time of 0 nothing waits, but a peer on this machine knows of the reset when
 * close() comes back.
 */
#include "socket_calls.h"

#include "pids.h"
#include "socket.h"

/* Closes that the kernel carries out, by thread: it has one call at a time. */
static uint64_t closing_table[PROTO_TID_END];	/* cookies of their sockets */

static uint64_t *closing_of(const struct k_message *m)
{
	return &closing_table[m->tid % PROTO_TID_END];
}

bool socket_lingers(const struct socket *s)
{
	return s && s->ops->linger && s->option.linger;
}

int64_t in_close(struct net_request *r)
{
	if (!socket_lingers(r->s))	/* its table is watched, for the locks of other files */
		return net_forward_kernel(r, r->m->number, r->m->arg);
	*closing_of(r->m) = r->m->cookie;
	srv_forward_kernel_args(r->m->call, r->m->number, r->m->arg, true);
	return NET_DONE;
}

/* dup2 over a descriptor that may have locks: those are the VFS's. */
int64_t in_dup(struct net_request *r)
{
	srv_forward_as_is(r->m->call, socket_vfs_endpoint());
	return NET_DONE;
}

/* Runs with the message of the end. r->s: NULL once all has been delivered. */
static int64_t lingering(struct net_request *r)
{
	int64_t e = r->s && r->s->closed ? r->s->ops->linger(r) : 0;

	return e == NET_WAIT ? e : (int64_t)r->m->extra[0];
}

void closing_done(const struct k_message *m)
{
	struct k_message with = *m;

	if (*closing_of(m)) {
		with.cookie = *closing_of(m);
		*closing_of(m) = 0;
	}
	net_request_run(&with, lingering);
}
