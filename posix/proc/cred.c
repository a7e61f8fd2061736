/*
 * Credential records: made, counted, published.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/proc/cred.h"

#include <stdlib.h>
#include <string.h>

#include "posix/proc/process.h"

static struct proto_creds *page;	/* the shared object */
static STATE struct {
	struct cred *root;
	uint64_t last_id;
	struct user *users;
	unsigned live;			/* records */
} creds;
#define S STATE_OF(creds)

void cred_setup(struct proto_creds *shared, bool fresh)
{
	struct proto_cred all = { 0 };

	page = shared;
	if (!fresh)
		return;
	page->slots = PROTO_CREDS_SLOTS;
	page->magic = PROTO_CREDS_MAGIC;
	S.root = cred_new(&all);
	if (!S.root)
		srv_panic("no credentials for the first process");
}

struct cred *cred_root(void)
{
	return S.root;
}

struct user *user_get(uint32_t uid)
{
	struct user *u = S.users;

	while (u && u->uid != uid)
		u = u->next;
	if (!u) {
		u = calloc(1, sizeof *u);
		if (!u)
			return NULL;
		u->uid = uid;
		u->next = S.users;
		S.users = u;
	}
	u->references++;
	return u;
}

void user_put(struct user *u)
{
	struct user **at = &S.users;

	if (--u->references)
		return;
	while (*at != u)
		at = &(*at)->next;
	*at = u->next;
	free(u);
}

/* The next id whose slot is free, or 0. */
static uint64_t id_next(void)
{
	for (unsigned tries = 0; tries < PROTO_CREDS_SLOTS; tries++) {
		uint64_t id = ++S.last_id;

		if (!page->record[id % PROTO_CREDS_SLOTS].id)
			return id;
	}
	return 0;
}

unsigned cred_count(void)
{
	return S.live;
}

static int group_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

struct cred *cred_new(const struct proto_cred *like)
{
	struct cred *c = calloc(1, sizeof *c);
	struct user *u = user_get(like->ruid);
	uint64_t id = c && u ? id_next() : 0;
	struct proto_cred *r = &page->record[id % PROTO_CREDS_SLOTS];

	if (!id) {
		if (u)
			user_put(u);
		free(c);
		return NULL;
	}
	*r = *like;
	qsort(r->group, r->group_count, sizeof r->group[0], group_compare);
	/*
	 * user 0 has every capability, others have none; files are checked with the file-system
	 * user
	 */
	r->caps = like->euid == 0 ? PROTO_CAP_ALL : 0;
	if (like->fsuid != 0)
		r->caps &= ~(PROTO_CAP_CHOWN | PROTO_CAP_DAC_OVERRIDE | PROTO_CAP_DAC_READ_SEARCH |
			     PROTO_CAP_FOWNER | PROTO_CAP_FSETID);
	r->id = id;
	c->record = r;
	c->user = u;
	c->references = 1;
	S.live++;
	return c;
}

void cred_put(struct cred *c)
{
	if (!c || --c->references)
		return;
	S.live--;
	c->record->id = 0;
	user_put(c->user);
	free(c);
}

bool cred_capable(const struct cred *c, uint64_t cap)
{
	return (c->record->caps & cap) == cap;
}

bool cred_is_group(const struct cred *c, uint32_t gid)
{
	const struct proto_cred *r = c->record;

	if (gid == r->egid)
		return true;
	for (uint32_t i = 0; i < r->group_count; i++) {
		if (r->group[i] == gid)
			return true;
	}
	return false;
}

static void constant_set(struct thread *t, enum k_constant which, uint32_t value)
{
	k_thread_set(t->handle, K_THREAD_SET_CONSTANT + which, value);
}

static void cred_constants_set(struct thread *t)
{
	const struct proto_cred *r = t->cred->record;

	k_thread_set(t->handle, K_THREAD_SET_CRED, r->id);
	constant_set(t, K_CONST_UID, r->ruid);
	constant_set(t, K_CONST_EUID, r->euid);
	constant_set(t, K_CONST_GID, r->rgid);
	constant_set(t, K_CONST_EGID, r->egid);
}

void thread_set_constants(struct thread *t)
{
	struct process *p = t->process;

	constant_set(t, K_CONST_PID, p->pid);
	constant_set(t, K_CONST_TID, t->tid);
	constant_set(t, K_CONST_PPID, p->parent ? p->parent->pid : 0);
	constant_set(t, K_CONST_PGID, p->group ? p->group->pgid : 0);
	constant_set(t, K_CONST_SID, p->group ? p->group->session->sid : 0);
	cred_constants_set(t);
}

void thread_set_cred(struct thread *t, struct cred *c)
{
	struct process *p = t->process;

	t->cred->user->threads--;
	c->user->threads++;
	cred_put(t->cred);
	t->cred = c;
	if (t->tid == p->pid || !p->leader) {
		cred_put(p->cred);
		p->cred = cred_get(c);
	}
	cred_constants_set(t);
	process_publish(p);
}
