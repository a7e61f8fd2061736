/* SPDX-License-Identifier: MIT */
/*
 * AF_UNIX sockets: what the VFS remembers of them.
 *
 * A socket is a record in the state arena, found by a number that is never used again. Its open
 * file (core/file.h) and an anonymous node stand for it in the caller's table; a socket that waits
 * to be accepted has neither yet. What it receives is a channel: for streams a kernel pipe, which
 * two connected sockets share the other way round, so that bytes never come here; for datagrams and
 * sequenced packets a list of parcels. What cannot lie in a pipe (descriptors on their way,
 * credentials) is a parcel with a position in the stream.
 *
 * The records are changed like all state, through state_set and undo_save. What follows from a
 * change for others (readiness, sleepers) is done by socket_changed() and after the commit by
 * ready_settle(). Invariant: `refs` counts the open file or the place in a listener's queue, every
 * `peer` that points here, and every parcel that was sent from here.
 */
#ifndef VFS_SOCKET_SOCKET_H
#define VFS_SOCKET_SOCKET_H

#include "channel.h"
#include "file.h"
#include "request.h"
#include "socket_linux.h"

enum socket_state { SOCKET_IDLE, SOCKET_LISTENING, SOCKET_CONNECTED, SOCKET_DEAD };

#define SHUT_RECEIVE 1u
#define SHUT_SEND 2u

struct socket_name {
	uint8_t size;		/* bytes of sun_path that count, with a path's NUL; 0: none */
	char path[108];
};

/* How far a call of the slow path has come, should the server die: see stream.c. */
struct socket_progress {
	uint64_t call, done;	/* bytes (or messages) that are done */
	/* the pipe's total when a transfer was begun; what it is more than that is done, too */
	uint64_t at;
	bool begun;
	/* receiving: with what is done, the call is over and its caller knows all but the result */
	bool told;
};

struct socket {
	struct socket *chain;		/* by number */
	uint64_t number;
	uint32_t refs;
	uint8_t type;			/* LX_SOCK_STREAM, _DGRAM, _SEQPACKET */
	uint8_t state;			/* enum socket_state */
	/* SHUT_* of its own; what the peer's shutdown means for us is noted here too */
	uint8_t shutdown;
	bool peer_gone;			/* the peer was closed: the pipes know */
	/* .. with unread data: the pipes' word does not count any more */
	bool reset;
	bool was_full;			/* somebody may wait for room in its queue */
	bool passcred;
	int32_t error;			/* SO_ERROR, positive */
	struct socket *peer;
	struct file *file;		/* NULL: not accepted yet */
	struct node *node;		/* likewise */
	uint32_t uid;			/* who made it: limits */
	struct lx_ucred cred, peer_cred;	/* as of listen or connect; pid 0: none */
	uint64_t plain;			/* options without effect, a bit for each: in_option.c */
	int32_t linger[2];
	uint32_t priority, receive_low;
	uint32_t send_buffer, receive_buffer;
	int64_t receive_timeout, send_timeout;	/* ns; 0: none */
	int32_t source;
	uint32_t bits;			/* that the source was last told */
	struct channel *in, *out;	/* out: streams only */
	uint64_t sent;			/* weight of parcels from here that nobody has read yet */
	struct socket_progress sending, receiving, sending_many, receiving_many;
	/* names */
	struct socket_name name;
	struct pos place;		/* of a path's node, pinned; node NULL: none */
	struct socket *name_chain;	/* of abstract names */
	/* listening */
	struct socket *first, *last;	/* to be accepted, oldest first, by `next` */
	uint32_t waiting, backlog;
	/* to be accepted */
	struct socket *listener, *next;
	/* it is on its way to whoever made this call, but that is not certain yet */
	uint64_t accept_call;
	/* garbage.c's, anew at each collection */
	bool marked;
	uint32_t travelling;		/* its descriptors on their way */
	int32_t sample;			/* one of their handles */
};

#define SOCKET_CHAINS 256u
#define ABSTRACT_CHAINS 64u
#define INFLIGHT_CHAINS 64u

/* The VFS's anchor for sockets: vfs_state.sockets. */
struct socket_table {
	struct socket *chain[SOCKET_CHAINS];
	struct socket *abstract[ABSTRACT_CHAINS];
	uint64_t last_number;
	uint32_t count;			/* sockets */
	uint32_t by_user[INFLIGHT_CHAINS];	/* sockets by uid, folded */
	/* descriptors on their way, by the sender's uid, folded */
	uint32_t inflight[INFLIGHT_CHAINS];
	uint32_t inflight_sockets;	/* those of sockets of ours: there may be cycles */
	uint64_t weight;		/* of all parcels */
	uint32_t autobind;
	struct mount *mount;		/* of the anonymous nodes */
	/* cookie of the open file that stands for other servers' sockets */
	uint64_t foreign;
};

/* Makes the anchor. 0 or -ENOMEM. */
int socket_table_create(void);
/* A new record of one reference; no node, file or channels. NULL with *error: ENFILE, ENOMEM. */
struct socket *socket_create(uint8_t type, uint32_t uid, int64_t *error);
struct socket *socket_find(uint64_t number);
void socket_get(struct socket *s);
/* May free it. */
void socket_put(struct socket *s);
/* The socket behind an open file; NULL: it is none. */
static inline struct socket *socket_of(const struct file *f)
{
	return f->kind == FILE_SOCKET ? f->at.node->socket : NULL;
}
/* Every socket; visit may not free any but the one it is given. */
void socket_each(void (*visit)(struct socket *s));

static inline bool socket_is_stream(const struct socket *s)
{
	return s->type == LX_SOCK_STREAM;
}
/* Stream or sequenced packets: with listen and accept. */
static inline bool socket_connects(const struct socket *s)
{
	return s->type != LX_SOCK_DGRAM;
}

/*
 * open.c: node, source, channels, open file and description. Returns the handle of the description.
 */
int64_t socket_open(struct request *r, struct socket *s, uint32_t flags);
int64_t socket_channels(struct socket *s);
/*
 * close.c. The description of f is gone: does all that may be done in pieces (committing), before
 * the record of f goes.
 */
void socket_close(struct file *f);
/* The rest, in the same operation in which f goes. */
void socket_closed(struct socket *s);
/* Two sockets of one kind are each other's peer from now on. */
void socket_join(struct socket *a, struct socket *b);
/* Takes s out of its listener's queue; the reference of the queue is the caller's. */
void socket_unqueue(struct socket *s);
/* The accept of which a message said that it has arrived. */
void socket_accept_settle(void);
/*
 * The successor's: closes what was under way, sets readiness anew. Before handles are swept:
 * socket_know.
 */
void socket_know(void (*know)(int32_t handle));
void socket_recover(void);
void stream_recover(struct socket *s);	/* stream.c */
void accept_begin(struct socket *s, uint64_t call);	/* its accept is being answered */
/* A restarted server in one process with its predecessor (tests). */
void socket_lost(void);
void wait_lost(void);
void ready_lost(void);

/* --- readiness and waiting: ready.c, wait.c --- */
/*
 * The state of s changed in a way that poll or a sleeper may care for. pulse: there is more of the
 * same (edge-triggered).
 */
void socket_changed(struct socket *s, bool pulse);
void socket_forget(const struct socket *s);
/* At once, before something that depends on it. */
void ready_update(struct socket *s, bool pulse);
/* After a commit: tells readiness, lets sleepers look again, until nothing changes any more. */
void ready_settle(void);
/* May a sender go on: its own buffer, and the receiver's queue. */
bool ready_to_send(const struct socket *s);
bool ready_queue_full(const struct socket *to);

/*
 * The call cannot go on: it is parked until `on` changes, and then carried out again from the
 * start. timeout: in ns, 0 for none; when it is over the answer is EAGAIN, and with one a signal
 * ends the call for good. done: what it has done so far, for wait_done(); the answer in both cases,
 * if it is positive.
 */
int64_t wait_park(struct request *r, struct socket *on, int64_t timeout, int64_t done);
/* What this call had done when it was parked; 0: it was not. */
int64_t wait_done(const struct request *r);
/* When it came. */
int64_t wait_since(const struct request *r);
void wait_wake(const struct socket *on);
bool wait_run(void);		/* carries out one call that may go on; false: there is none */
void pipe_notice(const struct k_message *m);

/* --- text.c --- */
/* /proc/net/unix; malloc'ed, the size in *size. NULL: no memory. */
char *socket_text(size_t *size);

/* --- garbage.c --- */
/* Closes descriptors that only travel in circles. */
void garbage_collect(void);
/* Looks for them in a while, if there may be any. */
void garbage_watch(void);
/* Something was closed that may have been the last way to a circle. */
extern bool garbage_suspected;

#endif
