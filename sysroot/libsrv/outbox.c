/* SPDX-License-Identifier: MIT */
/*
 * The outbox (outbox.h). An entry counts once `answers` or `effects` includes it, and these are
 * restored with the operation; so entries themselves need no log. They are forgotten by a plain
 * store, when all that they say has been done.
 */
#include "outbox.h"

#include <string.h>

#include "calls.h"
#include "server.h"
#include "state.h"

#define ROOM 16u

static struct outbox *box;

/* A table of twice the size. Growing is part of the operation that needs it. */
static void *table_grow(void *old, uint32_t *room, size_t size)
{
	uint32_t more = *room ? 2 * *room : ROOM;
	void *p = state_alloc(more * size);

	if (!p)
		srv_panic("no memory for what an operation has to say");
	if (old) {
		memcpy(p, old, *room * size);
		state_free(old, *room * size);
	}
	state_set(*room, more);
	return p;
}

struct outbox_answer *outbox_answer(uint64_t call, int64_t result)
{
	struct outbox_answer *a;

	if (box->answers == box->answer_room)
		state_set(box->answer,
			  table_grow(box->answer, &box->answer_room, sizeof *box->answer));
	a = &box->answer[box->answers];
	a->call = call;
	a->result = result;
	a->flags = K_ANSWER_RESULT;
	a->handle = -1;
	a->set_regs = a->reset_fpu = false;
	state_set(box->answers, box->answers + 1);
	return a;
}

struct outbox_answer *outbox_last(void)
{
	if (!box->answers)
		srv_panic("there is no answer to be changed");
	return &box->answer[box->answers - 1];
}

void outbox_effect(enum outbox_what what, int handle)
{
	if (handle < 0)
		return;
	if (box->effects == box->effect_room)
		state_set(box->effect,
			  table_grow(box->effect, &box->effect_room, sizeof *box->effect));
	box->effect[box->effects] = (struct outbox_effect){ what, handle };
	state_set(box->effects, box->effects + 1);
}

static void effects_run(void)
{
	for (uint32_t i = 0; i < box->effects; i++) {
		int h = box->effect[i].handle;

		state_crash();
		switch (box->effect[i].what) {
		case OUTBOX_CLOSE: k_handle_close(h); break;
		case OUTBOX_KILL: k_thread_kill(h); break;
		case OUTBOX_START: k_thread_start(h); break;
		}
	}
	box->effects = 0;
}

void outbox_commit(void)
{
	state_crash();
	state_commit();
	state_crash();
	if (box->effects)
		effects_run();
}

void outbox_setup(struct outbox *o)
{
	box = o;
	effects_run();
}

struct outbox_answer *outbox_get(uint32_t n)
{
	return n < box->answers ? &box->answer[n] : NULL;
}

uint32_t outbox_count(void)
{
	return box->answers;
}

struct outbox_answer *outbox_find(uint64_t call)
{
	for (uint32_t i = 0; i < box->answers; i++) {
		if (box->answer[i].call == call)
			return &box->answer[i];
	}
	return NULL;
}

void outbox_clear(void)
{
	box->answers = 0;
}
