/* SPDX-License-Identifier: MIT */
/*
 * One direction of a conversation: parcels in their order and, for streams, the pipe with the
 * bytes. The pipe's totals (put, taken) are positions in the stream, by which parcels are found.
 */
#ifndef VFS_SOCKET_CHANNEL_H
#define VFS_SOCKET_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "calls.h"
#include "socket_linux.h"

struct socket;

/* A descriptor on its way. */
struct right {
	int32_t handle;
	uint32_t uid;			/* whom it counts for */
	uint64_t socket;		/* number of the socket that it is; 0: something else */
};

struct parcel {
	struct parcel *next;
	struct socket *from;		/* datagrams: counted */
	uint64_t at;			/* streams: position of its first byte */
	uint32_t size;
	bool has_cred;
	struct lx_ucred cred;
	uint32_t right_count;
	struct right *right;
	char *data;			/* datagrams */
	/* call that was about to write its bytes into the pipe; 0: they are there */
	uint64_t unwritten;
};

struct channel {
	uint32_t users;			/* sockets that have it */
	int32_t pipe;			/* -1: none */
	/* K_PIPE_READER, _WRITER that we hold for a socket that is not accepted yet */
	uint32_t holds;
	uint32_t armed;			/* events that were asked for */
	bool bound;
	struct socket *reader, *writer;	/* while they live */
	struct parcel *first, *last;
	uint32_t count;			/* parcels */
	uint64_t bytes;			/* in parcels with data */
};

#define CHANNEL_CAPACITY 262144u

/* NULL with *error. stream: with a pipe. */
struct channel *channel_create(bool stream, int64_t *error);
/* A socket lets go; the last one takes it with it: then it must be without parcels. */
void channel_put(struct channel *c);
void channel_hold(struct channel *c, uint32_t ends);
/* A notice when one of the events holds, besides those asked for already. */
void channel_arm(struct channel *c, uint32_t events);
void channel_info(const struct channel *c, struct k_pipe_info *info);

/* --- parcel.c --- */
/*
 * NULL: no memory. Takes over `rights` (count of them, in VFS memory, handles noted with
 * node_new_handle).
 */
struct parcel *parcel_create(uint32_t size, const struct right *rights, uint32_t count,
			     int64_t *error);
void parcel_append(struct channel *c, struct parcel *p);
/* Takes the first one out and frees it; its descriptors are closed at the commit. */
void parcel_drop_first(struct channel *c);
/* Takes out the last one, which nobody has seen. */
void parcel_drop_last(struct channel *c);
/* Its descriptors went to their receiver or into nothing: handles are closed at the commit. */
void parcel_drop_rights(struct parcel *p);
uint64_t parcel_weight(uint32_t size);

#endif
