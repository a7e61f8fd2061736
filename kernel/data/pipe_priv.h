/* SPDX-License-Identifier: MIT */
/* Layout of pipes, for pipe.c and its tests. */
#ifndef TROUPE_DATA_PIPE_PRIV_H
#define TROUPE_DATA_PIPE_PRIV_H

#include "data/pipe.h"

/*
 * A ring of `slots` pages. head and tail count bytes; page n of the stream is in slot n % slots. A page is not written
 * again before it has been read to its end, so the room is what lies between tail and the start of head's page one
 * ring later (and POLLOUT, as on Linux, means a page of it). An empty pipe starts again at the first page.
 * With packets, each begins a page of its own; head and tail are multiples of the page size.
 */
struct pipe {
	struct object object;
	struct account *payer;		/* counted; may be NULL */
	uint64_t head, tail;
	uint64_t *frame;		/* physical address by slot; 0: none */
	uint16_t *length;		/* of packets, by slot; NULL: bytes */
	uint32_t slots;			/* a power of two */
	uint32_t frames;		/* how many slots have one */
	uint32_t readers, writers;
	uint32_t writers_seen;
	struct wait_queue read_wait, write_wait;
	struct source read_source, write_source;
};

#endif
