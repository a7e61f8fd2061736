/* SPDX-License-Identifier: MIT */
/*
 * The outbox of a transactional server (srv_ops.transactional): what an operation does to others
 * for good.
 *
 * A handler changes state and says what follows from it: answers, threads to start or to kill,
 * handles to close. All of it is written down in the arena, becomes valid with the commit at the
 * handler's end, and only then is done, answers last. A server that dies before the commit has done
 * nothing; one that dies behind it has written down what its successor does again: a thread that is
 * killed or started twice, a handle that is closed twice, are so once (nobody makes handles in
 * between); a call comes again, and its answer is here.
 */
#ifndef TROUPE_LIBSRV_OUTBOX_H
#define TROUPE_LIBSRV_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>
#include "message.h"

struct outbox_answer {
	uint64_t call;
	int64_t result;
	uint32_t flags;
	int32_t handle;			/* to be installed; -1: none */
	uint32_t install_flags;
	bool set_regs, reset_fpu;	/* before it: K_ANSWER_REGS */
	struct k_regs regs;
};

enum outbox_what { OUTBOX_CLOSE, OUTBOX_KILL, OUTBOX_START };

struct outbox_effect {
	enum outbox_what what;
	int handle;
};

struct outbox {
	uint32_t answers, answer_room, effects, effect_room;
	struct outbox_answer *answer;
	struct outbox_effect *effect;
};

/*
 * `o` lies in the arena, zeroed at first. What a predecessor committed and may not have done is
 * done, but for the answers.
 */
void outbox_setup(struct outbox *o);

struct outbox_answer *outbox_answer(uint64_t call, int64_t result);
/* The last answer, to be changed. */
struct outbox_answer *outbox_last(void);
/* handle < 0: nothing. */
void outbox_effect(enum outbox_what what, int handle);

/* Commits, and does what waits, but for answers. */
void outbox_commit(void);
/* The n-th answer written down; NULL: there are no more. */
struct outbox_answer *outbox_get(uint32_t n);
uint32_t outbox_count(void);
struct outbox_answer *outbox_find(uint64_t call);
/* All answers have left. Between operations only. */
void outbox_clear(void);

#endif
