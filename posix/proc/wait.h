/*
 * wait4 and waitid, and telling the parent.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_WAIT_H
#define POSIX_WAIT_H

#include "posix/proc/process.h"

/* The child stopped or continued (LX_CLD_*): SIGCHLD, and waiting parents look again. */
void child_changed(struct process *c, int code, int status);
/* The child is a zombie: the same; it is forgotten at once if the parent does not want to know. */
void child_exited(struct process *c);

/* What a wait looks for, and what it found. */
struct wait_for {
	uint32_t options;
	int type;		/* LX_P_* */
	uint32_t id;
	bool waitid;
};
struct wait_found {
	struct process *child;
	int code;		/* LX_CLD_* */
	int status;		/* as wait4 gives it */
};
/* 1: found; 0: there are such children, but none has anything to tell; -ECHILD. Changes nothing. */
int op_wait_find(struct process *parent, const struct wait_for *w, struct wait_found *f);

srv_handler in_wait4, in_waitid;

#endif
