/* SPDX-License-Identifier: MIT */
/*
 * Tasks: an address space, a handle table, an fs context and an account under one roof, and their
 * threads.
 */
#ifndef TROUPE_CORE_TASK_H
#define TROUPE_CORE_TASK_H

#include "core/account.h"
#include "core/handle.h"
#include "core/thread.h"
#include "mm/space.h"

static inline struct task *task_of(struct object *o)
{
	return container_of(o, struct task, object);
}

/* Takes references to the parts. */
int task_create(struct space *s, struct table *t, struct fsctx *f, struct account *a,
		struct task **out);
/*
 * t, current, is exiting: if it is the last of its task, space and table are emptied in slices. 0
 * or OP_PREEMPT.
 */
int64_t task_leave(struct thread *t);
/*
 * Unlinks t; with the last thread, unless it never started, the task's parts go and its notice is
 * sent.
 */
void task_thread_gone(struct task *task, struct thread *t, bool started);
/*
 * A handle to it is about to go. If it never ran and all others are in its own table they go, too,
 * for nobody can make it run.
 */
void task_handle_goes(struct task *task);

/* two references: its life's and the caller's */
int thread_create(struct task *task, struct routes *routes, struct thread **out);
void thread_retire(struct thread *t);
int thread_fpu_attach(struct thread *t);
int thread_fpu_copy(struct thread *to, struct thread *from);
void thread_event(struct thread *t);
void thread_kill(struct thread *t);
void thread_visit(struct thread *t, enum k_message_kind kind);

#endif
