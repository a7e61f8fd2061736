/* SPDX-License-Identifier: MIT */
/* Layout of pipes, for pipe.c, pipe_server.c and their tests. */
#ifndef TROUPE_DATA_PIPE_PRIV_H
#define TROUPE_DATA_PIPE_PRIV_H

#include "core/thread.h"
#include "data/pipe.h"
#include "mm/frame.h"

/*
 * A ring of `slots` pages. head and tail count bytes; page n of the stream is in slot n % slots. A
 * page is not written again before it has been read to its end, so the room is what lies between
 * tail and the start of head's page one ring later (and POLLOUT, as on Linux, means a page of it).
 * An empty pipe starts again at the first page. With packets, each begins a page of its own; head
 * and tail are multiples of the page size.
 */
struct pipe {
	struct object object;
	struct account *payer;		/* counted; may be NULL */
	uint64_t head, tail;
	uint64_t before;		/* what ever went through it before position 0 */
	uint64_t *frame;		/* physical address by slot; 0: none */
	uint16_t *length;		/* of packets, by slot; NULL: bytes */
	uint32_t slots;			/* a power of two */
	uint32_t frames;		/* how many slots have one */
	uint32_t readers, writers;
	uint32_t writers_seen;
	struct wait_queue read_wait, write_wait;
	struct source read_source, write_source;

	/* its server's side */
	/* K_PIPE_READER, K_PIPE_WRITER: counted in readers, writers */
	uint32_t held;
	uint32_t armed;			/* K_PIPE_DATA ..; 0 without an endpoint */
	struct endpoint *endpoint;	/* hears K_MSG_PIPE, counted; NULL: nobody */
	uint64_t cookie;
	struct notice notice;
};

static inline uint32_t pipe_slot(const struct pipe *p, uint64_t position)
{
	return (uint32_t)(position >> PAGE_SHIFT) & (p->slots - 1);
}

/* The size of the first packet; there is one. */
static inline uint64_t pipe_packet(const struct pipe *p)
{
	return p->length[pipe_slot(p, p->head)];
}

void pipe_fire(struct pipe *p);
/*
 * Something has changed: sends the notice if one of `events`, which may hold now, is armed and
 * does.
 */
static inline void pipe_event(struct pipe *p, uint32_t events)
{
	if (p->armed & events)
		pipe_fire(p);
}

uint64_t pipe_room(const struct pipe *p);
/* How many bytes it may hold now: its capacity, or less while its payer is nearly out of memory. */
uint64_t pipe_capacity_now(const struct pipe *p);
/* Bytes came in, or went out. */
void pipe_written(struct pipe *p);
void pipe_drained(struct pipe *p);
/* Takes bytes, or a packet, as pipe_read does; *moved counts them. 0, or what stopped it. */
int64_t pipe_take(struct pipe *p, struct thread *t, struct uio *u, uint64_t *moved);
/* The same, to nowhere: how many. Not empty. */
uint64_t pipe_drop(struct pipe *p, uint64_t n);
/*
 * The address of the byte at a position of the stream that is in the pipe; it has neighbours up to
 * the end of its page.
 */
char *pipe_at(const struct pipe *p, uint64_t position);
void pipe_notice_fill(struct notice *n, struct k_message *m);

#endif
