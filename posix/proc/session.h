/*
 * Process groups and sessions: membership, orphans, hang-up.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_SESSION_H
#define POSIX_SESSION_H

#include "posix/proc/process.h"

struct group *group_find(uint32_t pgid);
struct session *session_find(uint32_t sid);
/* The number tables' other meanings; session.c only. */
void id_set_group(uint32_t n, struct group *g);
void id_set_session(uint32_t n, struct session *s);

/* Puts p (in no group) into the group of `like`. */
void group_join(struct process *p, struct group *g);
void group_leave(struct process *p);

/* setsid without the checks: a new session and group with p's pid. 0 or -ENOMEM. */
int session_start(struct process *p);

/*
 * No member has a parent in another group of the same session. `without`: as if that process were
 * gone.
 */
bool group_is_orphaned(const struct group *g, const struct process *without);

/*
 * p ends: groups that become orphaned and have stopped members get SIGHUP and SIGCONT. Before its
 * children are reparented.
 */
void session_process_exit(struct process *p);
/* p is its session's leader and ends (or gives up the terminal). */
void session_leader_exit(struct process *p);

int64_t op_setpgid(struct process *self, int32_t pid, int32_t pgid);
int64_t op_setsid(struct process *self);
int64_t op_getpgid(struct process *self, int32_t pid);
int64_t op_getsid(struct process *self, int32_t pid);

srv_handler in_setpgid, in_setsid, in_getpgid, in_getsid;

#endif
