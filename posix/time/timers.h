/*
 * Timers of processes: alarm, setitimer, timer_create, and the CPU-time limit.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_TIMERS_H
#define POSIX_TIMERS_H

#include "posix/proc/process.h"

/* The process is gone: no timer of it fires any more. */
void timers_drop(struct process *p);
/* exec: timer_create's timers go, the interval timers stay. */
void timers_exec(struct process *p);
/* A thread of it visits: have CPU-time timers or limits run out? */
void timers_cpu_check(struct process *p);
/* Sets the kernel's CPU-time events anew after a timer or limit changed. */
void timers_cpu_arm(struct process *p);
/* A SIGALRM for the process was taken: a periodic ITIMER_REAL goes on. */
void timers_alarm_taken(struct process *p);
/* The signal is not ignored any more: timers whose signals were go on. */
void timers_signal_heeded(struct process *p, int sig);
/* CPU time of the process so far, ns. */
void process_cpu(struct process *p, uint64_t *user, uint64_t *system);

srv_handler in_alarm, in_getitimer, in_setitimer;
srv_handler in_timer_create, in_timer_settime, in_timer_gettime, in_timer_getoverrun,
	in_timer_delete;

/* clock.c */
srv_handler in_clock_gettime, in_clock_getres, in_clock_settime, in_settimeofday, in_times,
	in_getrusage;

#endif
