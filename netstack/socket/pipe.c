/* SPDX-License-Identifier: MIT */
/*
 * Kernel pipes (pipe.h). Their notices carry a number that is never used again, so one that comes
 * late finds nothing.
 */
#include "pipe.h"

#include <errno.h>
#include <stdlib.h>

#include "server.h"
#include "stream.h"

#define CHAINS 256u
#define PAGE 4096u

static struct pipe *chains[CHAINS];
static uint64_t number = 1;

int pipe_adopt(int handle, struct pipe **out)
{
	struct pipe *p = calloc(1, sizeof *p);

	if (!p)
		return -ENOMEM;
	p->handle = handle;
	p->users = 1;
	p->cookie = number++;
	p->chain = chains[p->cookie % CHAINS];
	chains[p->cookie % CHAINS] = p;
	k_pipe_bind(p->handle, srv_endpoint(), p->cookie);
	*out = p;
	return 0;
}

int pipe_new(struct pipe **out)
{
	int h = (int)k_pipe_create(STREAM_PIPE, 0);
	int e = h < 0 ? h : pipe_adopt(h, out);

	if (e && h >= 0)
		k_handle_close(h);
	return e;
}

void pipe_put(struct pipe *p)
{
	struct pipe **at = &chains[p->cookie % CHAINS];

	if (--p->users)
		return;
	while (*at != p)
		at = &(*at)->chain;
	*at = p->chain;
	k_pipe_bind(p->handle, -1, 0);
	if (p->held)
		k_pipe_hold(p->handle, 0);
	k_handle_close(p->handle);
	free(p);
}

void pipe_hold(struct pipe *p)
{
	uint32_t ends = (p->writer && p->writer->reset ? 0 : K_PIPE_READER) |
			(p->reader && p->reader->ended ? 0 : K_PIPE_WRITER);

	if (p->held == ends)
		return;
	p->held = ends;
	k_pipe_hold(p->handle, ends);
}

void pipe_arm(struct pipe *p, uint32_t events)
{
	if ((p->armed & events) == events)
		return;
	p->armed |= events;
	k_pipe_arm(p->handle, p->armed);
}

void pipe_drop(struct pipe *p)
{
	while (k_pipe_read(p->handle, NULL, STREAM_PIPE, 0, 0) > 0)
		;
}

bool pipe_memory_short(const struct pipe *empty)
{
	struct k_pipe_info i;

	return !k_pipe_info(empty->handle, &i) && i.room <= PAGE;
}

uint64_t pipe_bytes(const struct pipe *p)
{
	struct k_pipe_info i;

	return k_pipe_info(p->handle, &i) < 0 ? 0 : i.bytes;
}

void pipe_notice(const struct k_message *m)
{
	struct pipe *p = chains[m->cookie % CHAINS];
	uint32_t left;

	while (p && p->cookie != m->cookie)
		p = p->chain;
	if (!p)
		return;
	left = p->armed & ~(uint32_t)m->extra[0];	/* the kernel has disarmed all */
	p->armed = 0;
	if (left)
		pipe_arm(p, left);
	if (p->reader)
		stream_touch(p->reader);
	if (p->writer)
		stream_touch(p->writer);
}
