/*
 * The end of threads and processes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_EXIT_H
#define POSIX_EXIT_H

#include "posix/proc/process.h"

/* Ends a process by a signal: all its threads die. status in wait's coding. */
void process_kill(struct process *p, int sig);
void process_end(struct process *p, int status);
/* Tells all threads but `except` (may be NULL) to die. */
void process_kill_threads(struct process *p, const struct thread *except);
/* Forgets a zombie; `reaper` (may be NULL) inherits its accounts. */
void process_reap(struct process *p, struct process *reaper);
/* Its resource use so far. */
void process_usage(struct process *p, struct lx_rusage *u);
void rusage_add(struct lx_rusage *to, const struct lx_rusage *u);
/*
 * What a thread owes others when it leaves its memory, by exit or exec: its robust futexes and its
 * tid word. False: the call is gone (it comes again; everything here may be done twice).
 */
bool thread_last_words(const struct k_message *m, struct thread *t);
/* The vfork parent goes on. */
void vfork_release(struct process *child);

srv_handler in_exit, in_exit_group, thread_dead, task_gone;
srv_handler in_set_tid_address, in_set_robust_list, in_get_robust_list;

#endif
