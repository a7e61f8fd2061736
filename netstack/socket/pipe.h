/* SPDX-License-Identifier: MIT */
/*
 * The kernel pipes of streams, from the server's side.
 *
 * A pipe has a stream that reads it (whose `in` it is) and one that writes it (whose `out` it is);
 * of a connection over the wire one of them is missing: the server itself. Whatever descriptions
 * there are, the server holds both ends of the pipes of a connection, so end of file and EPIPE come
 * when it says so: an RST must be ECONNRESET, not end of file, and data that nobody has read yet
 * must stay.
 */
#ifndef NETSTACK_SOCKET_PIPE_H
#define NETSTACK_SOCKET_PIPE_H

#include <stdbool.h>
#include <stdint.h>
#include "calls.h"

struct stream;

struct pipe {
	uint64_t cookie;
	struct pipe *chain;
	int handle;
	unsigned users;			/* streams */
	uint32_t held;			/* K_PIPE_READER | K_PIPE_WRITER */
	uint32_t armed;			/* K_PIPE_DATA | K_PIPE_ROOM */
	struct stream *reader, *writer;
};

int pipe_new(struct pipe **out);	/* users: 1 */
int pipe_adopt(int handle, struct pipe **out);	/* a predecessor's */
void pipe_put(struct pipe *p);
/*
 * Holds the ends that its streams' states ask for: a writer until the reader has `ended`, a reader
 * until the writer is `reset`.
 */
void pipe_hold(struct pipe *p);
/* Asks for a notice, beside what was asked for. */
void pipe_arm(struct pipe *p, uint32_t events);
/* Drops everything in it. */
void pipe_drop(struct pipe *p);
/*
 * The server's account is nearly used up: the kernel lets an empty pipe have one page only
 * (kernel/data/pipe.c).
 */
bool pipe_memory_short(const struct pipe *empty);
uint64_t pipe_bytes(const struct pipe *p);
/* K_MSG_PIPE: tells the streams (stream_pipe). */
void pipe_notice(const struct k_message *m);

#endif
