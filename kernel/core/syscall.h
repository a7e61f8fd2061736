/* SPDX-License-Identifier: MIT */
/* System-call dispatch: shortcut, native call, or a message to the server that the route table names. */
#ifndef TROUPE_CORE_SYSCALL_H
#define TROUPE_CORE_SYSCALL_H

#include "core/thread.h"

extern bool shortcuts_off;
extern uint64_t stat_calls, stat_shortcuts;

/* Runs t's system call, or its operation again; t is current. */
void syscall_run(struct thread *t);
/* An operation's return value takes effect: result, message, block. t need not be current unless r is OP_DECLINE. */
void op_finish(struct thread *t, int64_t r);
/* The operation is over: what it remembered and pinned goes. */
void op_end(struct thread *t);
/* Fills in what every message of t has in common, for its next call_send. */
void message_begin(struct thread *t);
/* Sends the kept message again (absent page, dead server). */
void call_resend(struct thread *t);

int64_t native_run(struct thread *t, unsigned index, const uint64_t *arg);

#endif
