/* SPDX-License-Identifier: MIT */
/*
 * TCP sockets.
 *
 * Their data is in two kernel pipes, made with the socket, that the program reads and writes
 * without us. A connection is one of two things:
 *
 *	wire	a PCB of lwIP: we move bytes between it and the pipes (wire.c)
 *	joined	both ends are here: the other socket has the same two pipes, swapped, and bytes
 *		never come here (join.c)
 *
 * Callbacks of lwIP and notices of the kernel only note what happened and call stream_touch();
 * stream_settle(), at the end of each round, brings every touched stream up to date: moves data,
 * sends FIN, sets the source. That is where connections end, too, so no PCB goes while lwIP works
 * on it.
 *
 * The source has switches that send a direction's calls to us: K_SOURCE_DECLINE_* before the
 * connection and after shutdown(), when its readiness is the source's alone; K_SOURCE_CALLS_* with
 * timeouts.
 */
#ifndef NETSTACK_SOCKET_STREAM_H
#define NETSTACK_SOCKET_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include "pipe.h"
#include "socket.h"

#define STREAM_PIPE 262144u		/* bytes in a pipe, at most: twice the window, see wire.c */

enum stream_state {
	STREAM_IDLE,			/* not connected (yet, or a connect failed) */
	STREAM_CONNECTING,
	STREAM_LISTENING,
	STREAM_CONNECTED,		/* and perhaps shut in one or both directions */
	STREAM_OVER			/* reset or timed out */
};

struct tcp_pcb;
struct pbuf;
struct wire_chunk;

struct stream {
	struct socket *s;
	enum stream_state state;
	struct net_endpoint local, peer;
	bool bound;			/* has a local port, so it is in the registry (port.c) */
	bool port_given;		/* by bind(); an ephemeral port goes when a connect fails */
	struct stream *port_next, **port_at;

	struct pipe *in, *out;
	bool joined;
	/* a connect said EINPROGRESS, and the next one shall learn the outcome */
	bool connect_told;
	bool shut_read, shut_write;	/* by shutdown() */
	/* the peer sends no more: end of file after what is in the pipe */
	bool ended;
	bool reset;			/* the peer takes no more */
	bool orphan;			/* the socket is closed; what is left is sent */
	uint32_t source;		/* bits and switches as last set */

	struct stream *touched;		/* list */
	bool in_touched;
	/* wire: orphans; joined: connecting with the backlog full */
	struct srv_timer timer;

	struct stream *other;		/* joined; NULL: it is gone */

	/* wire */
	struct tcp_pcb *pcb;		/* or the listening one */
	struct pbuf *held;		/* received, not yet in the pipe */
	uint32_t unopened;		/* in the pipe, the window not opened again */
	struct wire_chunk *chunk, *chunk_last;	/* written, not yet acknowledged */
	bool bulk;			/* the last read was large */
	bool fin_sent, aborting, starved;
	bool lingering;			/* a close() waits for the end of the orphan */
	/*
	 * a write found the server's account used up: writers wait until it is tried again
	 * (stream_no_memory)
	 */
	bool no_memory;
	/*
	 * what ICMP said since the last acknowledgement: the reason, if the connection ends for
	 * want of one
	 */
	int soft_error;
	int64_t connect_until;		/* connecting: when it is given up */
	uint64_t sent_total, received_total;

	/* listening */
	int backlog;
	unsigned pending;
	/* connections that nobody accepted yet, by ->queue_next */
	struct stream *queue, *queue_last;
	struct stream *queue_next;
	struct stream *listener;	/* of one that is queued, or waits for room in the queue */
	/* joined connectors that wait for room */
	struct stream *waiting, *waiting_last, *waiting_next;

	/* connections that are not in the queue yet (defer.c) */
	struct stream *deferred;	/* list, of a listener, by ->deferred_next */
	unsigned deferred_count;
	struct stream *deferred_by, *deferred_next;
	struct srv_timer defer_timer;

	/* TCP_* options */
	bool no_delay, cork, quick_ack;
	int32_t defer_accept, max_segment, keep_idle, keep_interval, keep_count, syn_count, linger2,
		user_timeout, window_clamp;
};

static inline struct stream *stream_of(const struct socket *s)
{
	return s->own;
}

/* --- stream.c ----------------------------------------------------------------------------- */

void stream_touch(struct stream *st);
/* True if it did something that may have woken calls or made lwIP busy. */
bool stream_settle(void);
/* state, holds, source; wakes those who wait for it */
void stream_connected(struct stream *st);
/* a connect: back to idle, the error pending */
void stream_failed(struct stream *st, int error);
/* a connection: over; 0: no error to tell */
void stream_broken(struct stream *st, int error);
/*
 * The pipe that it writes to got no page: who writes waits. In a while, or when buffers are free
 * again, they try once more.
 */
void stream_no_memory(struct stream *st);
void stream_update(struct stream *st);		/* the source */
void stream_queue_add(struct stream *listener, struct stream *child);
bool stream_queue_full(const struct stream *listener);
void stream_queue_remove(struct stream *child);
/* a socket in CONNECTED's clothes; NULL: no room */
struct socket *stream_child(struct stream *listener, struct pipe *in, struct pipe *out);
/* A listener of a predecessor: local address and options are set. 0 or errno: it is gone then. */
int stream_restore(struct stream *st, int in, int out, int backlog);
void stream_free(struct stream *st);		/* everything but the socket */
/*
 * Nothing can be received or sent any more, and the other side knows: Linux's CLOSE and TIME_WAIT.
 */
static inline bool stream_finished(const struct stream *st)
{
	return st->state == STREAM_OVER ||
	       (st->state == STREAM_CONNECTED && st->ended && st->shut_write);
}

/* --- stream_data.c ------------------------------------------------------------------------ */

int64_t stream_send(struct net_request *r, struct net_message *msg);
int64_t stream_recv(struct net_request *r, struct net_message *msg);
int64_t stream_sendfile(struct net_request *r);
int64_t stream_ioctl(struct net_request *r, uint32_t command, uint64_t arg);

/* --- stream_option.c ---------------------------------------------------------------------- */

int64_t stream_set_option(struct net_request *r, int level, int name, const void *value,
			  uint32_t size, uint64_t from);
int64_t stream_get_option(struct net_request *r, int level, int name, void *value, uint32_t *size);
int stream_option_changed(struct socket *s, int level, int name);
/* Linux's number of its state, for /proc/net/tcp and TCP_INFO */
uint8_t stream_linux_state(const struct stream *st);

/* --- wire.c ------------------------------------------------------------------------------- */

int wire_connect(struct stream *st);		/* 0: begun */
int wire_listen(struct stream *st);
void wire_unlisten(struct stream *st);
void wire_options(struct stream *st);		/* brings the socket's options to the PCB */
void wire_run(struct stream *st);		/* moves what can be moved */
void wire_accepted(struct stream *st);		/* it has left the listener's queue */
void wire_abort(struct stream *st);		/* RST (now, so not from a callback) */
/* the socket is closed. True: goes on as an orphan */
bool wire_close(struct stream *st);
/* of an orphan: waits until the other side has acknowledged all, the FIN, too */
int64_t wire_linger(struct net_request *r);
/* An ICMP error for a segment of ours with this sequence number. */
struct fault;
void wire_fault(const struct fault *f, uint32_t sequence);
uint64_t wire_unsent(const struct stream *st, bool only_unsent);
/* in a moment: all that want of memory has stopped */
void wire_retry(void);
void wire_setup(void);

/* --- join.c ------------------------------------------------------------------------------- */

/* peer is an address of this machine. 0: connected, or waits in a full queue */
int join_connect(struct stream *st);
void join_run(struct stream *st);
void join_room(struct stream *listener);	/* the queue is shorter: takes in who waits */
void join_close(struct stream *st);
void join_break(struct stream *st);		/* the other side, if there is one, is reset */
void join_leave(struct stream *st);		/* a connector waits no more */
void join_listener_gone(struct stream *listener);

/* --- defer.c ------------------------------------------------------------------------------ */

/*
 * A new connection: into the listener's queue, now or, with TCP_DEFER_ACCEPT, when it has something
 * to say.
 */
void defer_begin(struct stream *listener, struct stream *child);
bool defer_run(struct stream *child);		/* something happened to it. False: it is gone */
bool defer_full(const struct stream *listener);
struct stream *defer_take(struct stream *listener);	/* one that waits; NULL: none */
int32_t defer_seconds(int32_t n);		/* what TCP_DEFER_ACCEPT makes of a number */

/* --- port.c ------------------------------------------------------------------------------- */

/*
 * Gives it a local port (st->local.port, 0: an ephemeral one) at st->local.ip. EADDRINUSE;
 * EADDRNOTAVAIL: none is free.
 */
int port_take(struct stream *st);
void port_share(struct stream *child);		/* a connection has its listener's port */
void port_drop(struct stream *st);
/* May it listen: no other that listens there. */
bool port_may_listen(const struct stream *st);
/* Another one that listens at the same address (SO_REUSEPORT); lwIP has one PCB for them all. */
struct stream *port_twin(const struct stream *st);
/* Who listens at this address of ours. */
struct stream *port_listener(const struct net_endpoint *at);

#endif
