/*
 * The tables of processes and threads, and the pid page that the VFS reads.
 *
 * A number is a tid, a pid, a group's and a session's at once, and is not given out again while it
 * is any of these: one two-level table holds all four meanings.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/proc/process.h"

#include <stdlib.h>
#include <string.h>

#include "console.h"
#include "pids.h"
#include "posix/proc/cred.h"
#include "posix/proc/session.h"
#include "posix/signal/signal.h"

#define ID_MAX PROTO_TID_END
#define ID_CHUNK 256u

struct id {
	struct thread *thread;
	struct process *process;
	struct group *group;
	struct session *session;
};

STATE struct list process_all;
STATE struct process *process_first;

static STATE struct {
	struct id *chunks[ID_MAX / ID_CHUNK];
	uint32_t last_id;
	unsigned processes, threads, remains;
	uint32_t slot_hint;
} tables;
#define S STATE_OF(tables)

static struct proto_pids *page;

/* --- ids -------------------------------------------------------------------------------------- */

static struct id *id_find(uint32_t n)
{
	return n < ID_MAX && S.chunks[n / ID_CHUNK] ? &S.chunks[n / ID_CHUNK][n % ID_CHUNK] : NULL;
}

static struct id *id_make(uint32_t n)
{
	if (!S.chunks[n / ID_CHUNK])
		S.chunks[n / ID_CHUNK] = calloc(ID_CHUNK, sizeof(struct id));
	return id_find(n);
}

/*
 * The next unused number, or 0. As on Linux they go round, and small ones are not used a second
 * time.
 */
static uint32_t id_new(void)
{
	for (uint32_t tries = 0; tries < ID_MAX; tries++) {
		uint32_t n = S.last_id + 1 < ID_MAX ? S.last_id + 1 : 300;
		struct id *i = id_make(n);

		if (!i)
			return 0;
		S.last_id = n;
		if (!i->thread && !i->process && !i->group && !i->session)
			return n;
	}
	return 0;
}

bool thread_admits(const struct k_message *m)
{
	if (m->kind == K_MSG_PRIVATE)
		return m->number >= PROTO_CONSOLE_INPUT && m->number < PROTO_CONSOLE_END;
	return thread_of(m) != NULL;
}

struct thread *thread_find(uint32_t tid)
{
	struct id *i = id_find(tid);

	return i ? i->thread : NULL;
}

struct process *process_find(uint32_t pid)
{
	struct id *i = id_find(pid);

	return i ? i->process : NULL;
}

struct group *group_find(uint32_t pgid)
{
	struct id *i = id_find(pgid);

	return i ? i->group : NULL;
}

struct session *session_find(uint32_t sid)
{
	struct id *i = id_find(sid);

	return i ? i->session : NULL;
}

void id_set_group(uint32_t n, struct group *g)
{
	id_find(n)->group = g;
}

void id_set_session(uint32_t n, struct session *s)
{
	id_find(n)->session = s;
}

uint32_t process_last_pid(void)
{
	return S.last_id;
}

unsigned process_count(void)
{
	return S.processes;
}

unsigned thread_count_all(void)
{
	return S.threads + S.remains;
}

/* --- the pid page ----------------------------------------------------------------------------- */

void process_setup(struct proto_pids *shared, bool fresh)
{
	page = shared;
	if (!fresh)
		return;
	list_init(&process_list);
	page->magic = PROTO_PIDS_MAGIC;
}

/* Slots count from 1; 0 means there is none. */
static uint32_t slot_new(void)
{
	for (uint32_t i = S.slot_hint; i < PROTO_PIDS_MAX; i++) {
		if (i >= page->slots || !page->entry[i].pid) {
			S.slot_hint = i + 1;
			return i + 1;
		}
	}
	return 0;
}

static void slot_free(uint32_t slot)
{
	if (!slot)
		return;
	page->seq++;
	page->entry[slot - 1].pid = 0;
	page->seq++;
	if (slot - 1 < S.slot_hint)
		S.slot_hint = slot - 1;
}

static void slot_write(uint32_t slot, const struct proto_pid *entry)
{
	if (!slot)
		return;
	page->seq++;
	__asm__ volatile("" ::: "memory");
	page->entry[slot - 1] = *entry;
	if (page->slots < slot)
		page->slots = slot;
	__asm__ volatile("" ::: "memory");
	page->seq++;
}

static void publish(uint32_t slot, const struct process *p, uint32_t tid, const char *comm,
		    int64_t start)
{
	struct proto_pid e = { .pid = tid,
			       .tgid = p->pid,
			       .ppid = p->parent ? p->parent->pid : 0,
			       .threads = p->thread_count,
			       .file_limit = p->limit[LX_RLIMIT_FSIZE].soft,
			       .start = (uint64_t)(start + srv_realtime() - srv_now()) };

	if (p->image.dumpable && p->cred) {
		e.uid = p->cred->record->euid;
		e.gid = p->cred->record->egid;
	}
	e.state = p->state == PROCESS_ZOMBIE ? 'Z' : p->stop_complete ? 'T' : 'S';
	memcpy(e.comm, comm, COMM_SIZE);
	slot_write(slot, &e);
}

void process_publish(struct process *p)
{
	publish(p->slot, p, p->pid, p->comm, p->start);
}

void thread_publish(struct thread *t)
{
	if (t->slot)
		publish(t->slot, t->process, t->tid, t->comm, t->start);
}

/* --- making and forgetting -------------------------------------------------------------------- */

struct process *process_new(void)
{
	struct process *p = calloc(1, sizeof *p);
	uint32_t pid = p ? id_new() : 0;

	if (!pid) {
		free(p);
		return NULL;
	}
	p->pid = pid;
	p->task = -1;
	p->image.dumpable = true;
	p->exit_signal = LX_SIGCHLD;
	p->start = srv_now();
	list_init(&p->children);
	list_init(&p->child_link);
	list_init(&p->group_link);
	list_init(&p->threads);
	list_init(&p->timers);
	sigqueue_init(&p->pending);
	list_append(&process_list, &p->link);
	id_find(pid)->process = p;
	p->slot = slot_new();
	S.processes++;
	return p;
}

void process_remain(struct process *p)
{
	p->remains = true;
	p->cred->user->threads++;
	S.remains++;
}

void process_free(struct process *p)
{
	if (p->remains) {
		p->cred->user->threads--;
		S.remains--;
	}
	if (p->group)
		group_leave(p);
	sigqueue_clear(&p->pending);
	list_remove(&p->child_link);
	list_remove(&p->link);
	id_find(p->pid)->process = NULL;
	slot_free(p->slot);
	if (p->task >= 0)
		k_handle_close(p->task);
	process_image_drop(&p->image);
	if (p->sighand)
		sighand_put(p->sighand);
	cred_put(p->cred);
	S.processes--;
	free(p);
}

struct thread *thread_new(struct process *p, uint32_t tid)
{
	struct thread *t = calloc(1, sizeof *t);

	if (t && !tid)
		tid = id_new();
	if (!t || !tid) {
		free(t);
		return NULL;
	}
	t->tid = tid;
	t->process = p;
	t->handle = -1;
	t->affinity = ~0ull;
	t->start = srv_now();
	sigqueue_init(&t->pending);
	list_append(&p->threads, &t->link);
	p->thread_count++;
	if (tid == p->pid)
		p->leader = t;
	else
		t->slot = slot_new();
	id_find(tid)->thread = t;
	S.threads++;
	return t;
}

void thread_free(struct thread *t)
{
	struct process *p = t->process;

	if (t->cred) {
		t->cred->user->threads--;
		cred_put(t->cred);
	}
	sigqueue_clear(&t->pending);
	list_remove(&t->link);
	p->thread_count--;
	if (p->leader == t)
		p->leader = NULL;
	id_find(t->tid)->thread = NULL;
	slot_free(t->slot);
	if (t->handle >= 0)
		k_handle_close(t->handle);
	S.threads--;
	free(t);
}

void thread_become_leader(struct thread *t)
{
	struct process *p = t->process;

	if (t->tid == p->pid)
		return;
	id_find(t->tid)->thread = NULL;
	slot_free(t->slot);
	t->slot = 0;
	t->tid = p->pid;
	id_find(t->tid)->thread = t;
	p->leader = t;
	k_thread_set(t->handle, K_THREAD_SET_TID, t->tid);
	k_thread_set(t->handle, K_THREAD_SET_CONSTANT + K_CONST_TID, t->tid);
}

void process_adopt(struct process *parent, struct process *child)
{
	list_remove(&child->child_link);
	child->parent = parent;
	list_append(&parent->children, &child->child_link);
	list_for(l, &child->threads) {
		struct thread *t = container_of(l, struct thread, link);

		if (t->handle >= 0)
			k_thread_set(t->handle, K_THREAD_SET_CONSTANT + K_CONST_PPID, parent->pid);
	}
	process_publish(child);
}

struct sighand *sighand_new(void)
{
	struct sighand *s = calloc(1, sizeof *s);

	if (s)
		s->references = 1;
	return s;
}

void sighand_put(struct sighand *s)
{
	if (!--s->references)
		free(s);
}

void process_image_drop(struct process_image *i)
{
	struct exe *e = i->exe;

	i->exe = NULL;
	if (!e || --e->references)
		return;
	if (e->description >= 0)
		k_handle_close(e->description);
	free(e);
}

void process_image_copy(struct process_image *to, const struct process_image *from)
{
	*to = *from;
	if (to->exe)
		to->exe->references++;
}
