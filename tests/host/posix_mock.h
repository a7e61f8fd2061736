/*
 * A stand-in for the kernel and the server loop under the process server's logic: threads whose
 * events and deaths are recorded, answers that are remembered, a clock that stands still.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_HOST_POSIX_MOCK_H
#define TESTS_HOST_POSIX_MOCK_H

#include "posix/proc/process.h"

#define MOCK_THREADS 256

/* By thread handle. */
extern unsigned mock_events[MOCK_THREADS], mock_kills[MOCK_THREADS];
/* The last answer, and how many there were. */
extern uint64_t mock_answered_call;
extern int64_t mock_result;
extern unsigned mock_answers;
/* Visits that signal_visit was asked to finish. */
extern struct thread *mock_visited;
extern unsigned mock_visits;
/* What was last written to a caller's memory. */
extern uint8_t mock_written[256];

/* A test's own kernel and caller, asked first; MOCK_PASS: not its business. */
#define MOCK_PASS (-4096L)
extern long (*mock_kernel)(long n, const long arg[6]);
extern void (*mock_answer)(uint64_t call, int64_t result);

void mock_start(void);
/* A process with one thread, child of `parent` (NULL: the first process), in its parent's group. */
struct process *mock_process(struct process *parent);
struct thread *mock_thread(struct process *p);
/* All threads of p have died and the kernel says that its task is gone. */
void mock_gone(struct process *p, int status);
/* A call of t with these arguments, as the handler gets it. */
struct k_message mock_message(struct thread *t, int number, uint64_t a0, uint64_t a1, uint64_t a2,
			      uint64_t a3);
/* The thread's visit arrives while its process is to stop. */
void mock_visit(struct thread *t);

#endif
