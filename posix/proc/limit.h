/*
 * Resource limits, priorities, scheduling.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_LIMIT_H
#define POSIX_LIMIT_H

#include "posix/proc/process.h"

/* The limits of the first process; max_threads: of the system. */
void limits_default(struct process *p, unsigned max_threads);
/* Tells the kernel those that it enforces. */
void limits_apply(struct process *p);
/* May `self` change or look at p? As Linux: same user ids, or the superuser. */
bool limits_permitted(const struct thread *self, const struct process *p);

srv_handler in_getrlimit, in_setrlimit, in_prlimit64;
srv_handler in_getpriority, in_setpriority;
srv_handler in_sched_getaffinity, in_sched_setaffinity, in_sched_getscheduler,
	in_sched_setscheduler, in_sched_getparam, in_sched_setparam;
srv_handler in_sched_priority_max, in_sched_priority_min, in_sched_rr_get_interval;

#endif
