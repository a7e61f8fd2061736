/*
 * Process groups and sessions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/proc/session.h"

#include <errno.h>
#include <stdlib.h>

#include "posix/signal/signal.h"
#include "posix/tty/tty.h"

static void session_put(struct session *s)
{
	if (--s->references)
		return;
	if (s->tty)
		tty_session_gone(s->tty);
	id_set_session(s->sid, NULL);
	free(s);
}

static struct group *group_new(uint32_t pgid, struct session *s)
{
	struct group *g = calloc(1, sizeof *g);

	if (!g)
		return NULL;
	g->pgid = pgid;
	g->session = s;
	s->references++;
	list_init(&g->members);
	id_set_group(pgid, g);
	return g;
}

static void constants_set(struct process *p)
{
	list_for(l, &p->threads) {
		struct thread *t = container_of(l, struct thread, link);

		if (t->handle < 0)
			continue;
		k_thread_set(t->handle, K_THREAD_SET_CONSTANT + K_CONST_PGID, p->group->pgid);
		k_thread_set(t->handle, K_THREAD_SET_CONSTANT + K_CONST_SID,
			     p->group->session->sid);
	}
}

void group_join(struct process *p, struct group *g)
{
	p->group = g;
	list_append(&g->members, &p->group_link);
	constants_set(p);
}

void group_leave(struct process *p)
{
	struct group *g = p->group;

	list_remove(&p->group_link);
	p->group = NULL;
	if (!list_empty(&g->members))
		return;
	id_set_group(g->pgid, NULL);
	session_put(g->session);
	free(g);
}

/* Into another group, which may be the last reason for the old one's life. */
static void group_move(struct process *p, struct group *to)
{
	struct group *from = p->group;

	if (from == to)
		return;
	to->session->references++;	/* `from` may hold the last reference */
	if (from)
		group_leave(p);
	group_join(p, to);
	to->session->references--;
}

int session_start(struct process *p)
{
	struct session *s = calloc(1, sizeof *s);
	struct group *g;

	if (!s)
		return -ENOMEM;
	s->sid = p->pid;
	s->leader = p;
	g = group_new(p->pid, s);
	if (!g) {
		free(s);
		return -ENOMEM;
	}
	id_set_session(p->pid, s);
	group_move(p, g);
	return 0;
}

/* --- orphans ---------------------------------------------------------------------------------- */

bool group_is_orphaned(const struct group *g, const struct process *without)
{
	list_for(l, &g->members) {
		const struct process *p = container_of(l, struct process, group_link);
		const struct process *parent = p->parent;

		if (p == without || p->state == PROCESS_ZOMBIE)
			continue;
		if (!parent || parent == process_init || parent == without)
			continue;
		if (parent->group != g && parent->group && parent->group->session == g->session)
			return false;
	}
	return true;
}

static bool group_has_stopped(const struct group *g)
{
	list_for(l, &g->members) {
		if (container_of(l, struct process, group_link)->stop_complete)
			return true;
	}
	return false;
}

static void group_orphaned_by(struct group *g, const struct process *exiting)
{
	if (!group_is_orphaned(g, exiting) || !group_has_stopped(g))
		return;
	signal_group_kernel(g, LX_SIGHUP);
	signal_group_kernel(g, LX_SIGCONT);
}

void session_process_exit(struct process *p)
{
	struct process *parent = p->parent;

	if (!p->group)
		return;
	if (parent && parent->group && parent->group != p->group &&
	    parent->group->session == p->group->session)
		group_orphaned_by(p->group, p);
	list_for(l, &p->children) {
		struct process *c = container_of(l, struct process, child_link);

		if (c->group && c->group != p->group && c->group->session == p->group->session)
			group_orphaned_by(c->group, p);
	}
}

/* The terminal was lost before: the jobs that were in the foreground then hear of it now. */
static void group_hang(struct session *s)
{
	struct group *g = group_find(s->hung_pgrp);

	if (!g || g->session != s)
		return;
	signal_group_kernel(g, LX_SIGHUP);
	signal_group_kernel(g, LX_SIGCONT);
}

void session_leader_exit(struct process *p)
{
	struct session *s = p->group ? p->group->session : NULL;

	if (!s || s->leader != p)
		return;
	if (s->tty)
		tty_leader_exit(s->tty);
	else if (s->hung_pgrp)
		group_hang(s);
	s->leader = NULL;
}

/* --- calls ------------------------------------------------------------------------------------ */

/* The group pgid as a place for p, made if it is p's own. */
static int group_for(struct process *p, uint32_t pgid, struct group **out)
{
	struct group *g = group_find(pgid);

	if (!g && pgid == p->pid) {
		g = group_new(pgid, p->group->session);
		if (!g)
			return -ENOMEM;
	}
	if (!g || g->session != p->group->session)
		return -EPERM;
	*out = g;
	return 0;
}

int64_t op_setpgid(struct process *self, int32_t pid, int32_t pgid)
{
	struct process *p = pid ? process_find((uint32_t)pid) : self;
	struct group *g;
	int r;

	if (pgid < 0)
		return -EINVAL;
	if (pid < 0 || !p || !p->group)
		return -ESRCH;
	if (p->parent == self && p != self) {
		if (p->group->session != self->group->session)
			return -EPERM;
		if (p->did_exec)
			return -EACCES;
	} else if (p != self) {
		return -ESRCH;
	}
	if (p->group->session->sid == p->pid)
		return -EPERM;
	r = group_for(p, pgid ? (uint32_t)pgid : p->pid, &g);
	if (r)
		return r;
	group_move(p, g);
	return 0;
}

int64_t op_setsid(struct process *self)
{
	int r;

	if (group_find(self->pid) || session_find(self->pid))
		return -EPERM;
	r = session_start(self);
	return r ? r : (int64_t)self->pid;
}

int64_t op_getpgid(struct process *self, int32_t pid)
{
	struct process *p = pid ? process_find((uint32_t)pid) : self;

	return pid >= 0 && p && p->group ? (int64_t)p->group->pgid : -ESRCH;
}

int64_t op_getsid(struct process *self, int32_t pid)
{
	struct process *p = pid ? process_find((uint32_t)pid) : self;

	return pid >= 0 && p && p->group ? (int64_t)p->group->session->sid : -ESRCH;
}

void in_setpgid(const struct k_message *m)
{
	struct process *self = thread_of(m)->process;

	srv_answer(m->call, op_setpgid(self, (int32_t)m->arg[0], (int32_t)m->arg[1]));
}

void in_setsid(const struct k_message *m)
{
	srv_answer(m->call, op_setsid(thread_of(m)->process));
}

void in_getpgid(const struct k_message *m)
{
	srv_answer(m->call, op_getpgid(thread_of(m)->process, (int32_t)m->arg[0]));
}

void in_getsid(const struct k_message *m)
{
	srv_answer(m->call, op_getsid(thread_of(m)->process, (int32_t)m->arg[0]));
}
