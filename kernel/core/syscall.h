/* SPDX-License-Identifier: MIT */
/*
 * System-call dispatch: shortcut, native call, or a message to the server that the route table
 * names.
 */
#ifndef TROUPE_CORE_SYSCALL_H
#define TROUPE_CORE_SYSCALL_H

#include "core/sched.h"
#include "core/task.h"
#include "core/handle.h"

extern bool shortcuts_off;
extern uint64_t stat_calls, stat_shortcuts;

/* Runs t's system call, or its operation again; t is current. */
void syscall_run(struct thread *t);
/*
 * An operation's return value takes effect: result, message, block. t need not be current unless r
 * is OP_DECLINE.
 */
RARELY void op_finish_rest(struct thread *t, int64_t r);
static inline void op_finish(struct thread *t, int64_t r)
{
	/* neither of these two */
	if ((uint64_t)r - (uint64_t)OP_BLOCK > (uint64_t)(OP_QUEUED - OP_BLOCK))
		op_finish_rest(t, r);
}

/* The operation is over: what it remembered and pinned goes. */
void op_end(struct thread *t);
extern uint64_t call_sequence;

/* Fills in what every message of t has in common, for its next call_send. */
static inline void message_begin(struct thread *t, enum k_message_kind kind)
{
	struct k_message *m = &t->message;
	const struct task *task = t->task;
	uint64_t table = task->table->object.id;
	uint32_t pid = task->cookie;
	uint64_t call = ++call_sequence << CALL_SLOT_BITS | t->slot;

	m->kind = kind;
	m->flags = 0;
	m->tid = t->tid;
	m->pid = pid;
	m->table = table;
	m->cred = t->cred;
	m->cookie = m->cwd = m->root = 0;
	m->umask = 0;
	m->number = -1;
	m->fd_flags = 0;
	m->closed_count = 0;
	m->extra[0] = m->extra[1] = m->extra[2] = m->extra[3] = 0;
	t->call_crashes = 0;
	/* never the same twice, whoever had the slot before */
	t->call = call;
}

/* Sends the kept message again (absent page, dead server). */
void call_resend(struct thread *t);

extern int64_t (*const native_table[])(struct thread *t, const uint64_t *a);

#endif
