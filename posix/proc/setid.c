/*
 * setuid and its kin. Each makes a new credential record for the calling thread; the C library does
 * it for all threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/proc/setid.h"

#include <errno.h>
#include <string.h>

#include "posix/proc/caller.h"
#include "posix/proc/cred.h"

#define KEEP UINT32_MAX		/* (uid_t)-1: leave as it is */

static bool one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c)
{
	return id == a || id == b || id == c;
}

/* Gives the caller the record c. */
static int64_t change(struct thread *t, struct proto_cred *c)
{
	const struct proto_cred *old = t->cred->record;
	struct cred *n;

	if (c->euid != old->euid || c->egid != old->egid || c->fsuid != old->fsuid ||
	    c->fsgid != old->fsgid) {
		t->process->image.dumpable = false;
		t->process->pdeath_signal = 0;
	}
	c->id = old->id;
	c->caps = old->caps;
	if (!memcmp(c, old, sizeof *c))
		return 0;
	n = cred_new(c);
	if (!n)
		return -EAGAIN;
	thread_set_cred(t, n);
	return 0;
}

static bool may_setuid(const struct thread *t)
{
	return cred_capable(t->cred, LX_CAP_SETUID);
}

static bool may_setgid(const struct thread *t)
{
	return cred_capable(t->cred, LX_CAP_SETGID);
}

/* --- users ------------------------------------------------------------------------------------ */

int64_t op_setuid(struct thread *t, uint32_t uid)
{
	struct proto_cred c = *t->cred->record;

	if (uid == KEEP)
		return -EINVAL;
	if (may_setuid(t))
		c.ruid = c.suid = uid;
	else if (uid != c.ruid && uid != c.suid)
		return -EPERM;
	c.euid = c.fsuid = uid;
	return change(t, &c);
}

int64_t op_setreuid(struct thread *t, uint32_t ruid, uint32_t euid)
{
	struct proto_cred c = *t->cred->record, old = c;

	if (ruid != KEEP && ruid != old.ruid && ruid != old.euid && !may_setuid(t))
		return -EPERM;
	if (euid != KEEP && !one_of(euid, old.ruid, old.euid, old.suid) && !may_setuid(t))
		return -EPERM;
	if (ruid != KEEP)
		c.ruid = ruid;
	if (euid != KEEP)
		c.euid = euid;
	if (ruid != KEEP || (euid != KEEP && euid != old.ruid))
		c.suid = c.euid;
	c.fsuid = c.euid;
	return change(t, &c);
}

int64_t op_setresuid(struct thread *t, uint32_t ruid, uint32_t euid, uint32_t suid)
{
	struct proto_cred c = *t->cred->record, o = c;
	const uint32_t all[] = { ruid, euid, suid };

	for (int i = 0; i < 3; i++) {
		if (all[i] != KEEP && !one_of(all[i], o.ruid, o.euid, o.suid) && !may_setuid(t))
			return -EPERM;
	}
	if (ruid != KEEP)
		c.ruid = ruid;
	if (euid != KEEP)
		c.euid = euid;
	if (suid != KEEP)
		c.suid = suid;
	c.fsuid = c.euid;
	return change(t, &c);
}

/* Returns the old one, whether it worked or not. */
int64_t op_setfsuid(struct thread *t, uint32_t uid)
{
	struct proto_cred c = *t->cred->record;
	uint32_t old = c.fsuid;

	if (uid != KEEP &&
	    (one_of(uid, c.ruid, c.euid, c.suid) || uid == c.fsuid || may_setuid(t))) {
		c.fsuid = uid;
		change(t, &c);
	}
	return old;
}

/* --- groups ----------------------------------------------------------------------------------- */

int64_t op_setgid(struct thread *t, uint32_t gid)
{
	struct proto_cred c = *t->cred->record;

	if (gid == KEEP)
		return -EINVAL;
	if (may_setgid(t))
		c.rgid = c.sgid = gid;
	else if (gid != c.rgid && gid != c.sgid)
		return -EPERM;
	c.egid = c.fsgid = gid;
	return change(t, &c);
}

int64_t op_setregid(struct thread *t, uint32_t rgid, uint32_t egid)
{
	struct proto_cred c = *t->cred->record, old = c;

	if (rgid != KEEP && rgid != old.rgid && rgid != old.egid && !may_setgid(t))
		return -EPERM;
	if (egid != KEEP && !one_of(egid, old.rgid, old.egid, old.sgid) && !may_setgid(t))
		return -EPERM;
	if (rgid != KEEP)
		c.rgid = rgid;
	if (egid != KEEP)
		c.egid = egid;
	if (rgid != KEEP || (egid != KEEP && egid != old.rgid))
		c.sgid = c.egid;
	c.fsgid = c.egid;
	return change(t, &c);
}

int64_t op_setresgid(struct thread *t, uint32_t rgid, uint32_t egid, uint32_t sgid)
{
	struct proto_cred c = *t->cred->record, o = c;
	const uint32_t all[] = { rgid, egid, sgid };

	for (int i = 0; i < 3; i++) {
		if (all[i] != KEEP && !one_of(all[i], o.rgid, o.egid, o.sgid) && !may_setgid(t))
			return -EPERM;
	}
	if (rgid != KEEP)
		c.rgid = rgid;
	if (egid != KEEP)
		c.egid = egid;
	if (sgid != KEEP)
		c.sgid = sgid;
	c.fsgid = c.egid;
	return change(t, &c);
}

int64_t op_setfsgid(struct thread *t, uint32_t gid)
{
	struct proto_cred c = *t->cred->record;
	uint32_t old = c.fsgid;

	if (gid != KEEP &&
	    (one_of(gid, c.rgid, c.egid, c.sgid) || gid == c.fsgid || may_setgid(t))) {
		c.fsgid = gid;
		change(t, &c);
	}
	return old;
}

/* --- calls ------------------------------------------------------------------------------------ */

#define A(n) ((uint32_t)m->arg[n])

void in_setuid(const struct k_message *m) { srv_answer(m->call, op_setuid(thread_of(m), A(0))); }
void in_setgid(const struct k_message *m) { srv_answer(m->call, op_setgid(thread_of(m), A(0))); }
void in_setreuid(const struct k_message *m)
{
	srv_answer(m->call, op_setreuid(thread_of(m), A(0), A(1)));
}
void in_setregid(const struct k_message *m)
{
	srv_answer(m->call, op_setregid(thread_of(m), A(0), A(1)));
}
void in_setresuid(const struct k_message *m)
{
	srv_answer(m->call, op_setresuid(thread_of(m), A(0), A(1), A(2)));
}
void in_setresgid(const struct k_message *m)
{
	srv_answer(m->call, op_setresgid(thread_of(m), A(0), A(1), A(2)));
}
void in_setfsuid(const struct k_message *m)
{
	srv_answer(m->call, op_setfsuid(thread_of(m), A(0)));
}
void in_setfsgid(const struct k_message *m)
{
	srv_answer(m->call, op_setfsgid(thread_of(m), A(0)));
}

static void answer_three(const struct k_message *m, uint32_t a, uint32_t b, uint32_t c)
{
	const uint32_t all[] = { a, b, c };
	int r = 0;

	for (int i = 0; i < 3 && !r; i++)
		r = caller_write(m, m->arg[i], &all[i], sizeof all[i]);
	caller_answer(m, r);
}

void in_getresuid(const struct k_message *m)
{
	const struct proto_cred *c = thread_of(m)->cred->record;

	answer_three(m, c->ruid, c->euid, c->suid);
}

void in_getresgid(const struct k_message *m)
{
	const struct proto_cred *c = thread_of(m)->cred->record;

	answer_three(m, c->rgid, c->egid, c->sgid);
}

void in_getgroups(const struct k_message *m)
{
	const struct proto_cred *c = thread_of(m)->cred->record;
	int32_t size = (int32_t)m->arg[0];
	int r = size < 0 || (size && (uint32_t)size < c->group_count) ? -EINVAL : 0;

	if (!r && size)
		r = caller_write(m, m->arg[1], c->group, c->group_count * sizeof c->group[0]);
	caller_answer(m, r ? r : (int64_t)c->group_count);
}

void in_setgroups(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	struct proto_cred c = *t->cred->record;
	int r = !may_setgid(t) ? -EPERM : m->arg[0] > PROTO_CRED_GROUPS ? -EINVAL : 0;

	memset(c.group, 0, sizeof c.group);
	if (!r)
		r = caller_read(m, c.group, m->arg[1], m->arg[0] * sizeof c.group[0]);
	c.group_count = (uint32_t)m->arg[0];
	caller_answer(m, r ? r : change(t, &c));
}

/* --- capabilities: the superuser has all, others none ----------------------------------------- */

#define CAP_VERSION_1 0x19980330u
#define CAP_VERSION_2 0x20071026u
#define CAP_VERSION_3 0x20080522u
struct cap_header { uint32_t version; int32_t pid; };
struct cap_data { uint32_t effective, permitted, inheritable; };

/* Number of 32-bit words of the version asked for; an unknown one is answered with ours. */
static int cap_header_read(const struct k_message *m, struct cap_header *h, unsigned *words)
{
	int r = caller_read(m, h, m->arg[0], sizeof *h);

	if (r)
		return r;
	*words = h->version == CAP_VERSION_1 ? 1 : 2;
	if (h->version == CAP_VERSION_1 || h->version == CAP_VERSION_2 ||
	    h->version == CAP_VERSION_3)
		return 0;
	h->version = CAP_VERSION_3;
	r = caller_write(m, m->arg[0], &h->version, sizeof h->version);
	return r ? r : m->arg[1] ? -EINVAL : 1;
}

void in_capget(const struct k_message *m)
{
	struct cap_header h;
	struct cap_data d[2] = { { 0 } };
	struct thread *t = NULL;
	unsigned words;
	int r = cap_header_read(m, &h, &words);

	if (!r && h.pid < 0)
		r = -EINVAL;
	if (!r)
		t = h.pid ? thread_find((uint32_t)h.pid) : thread_of(m);
	if (!r && !t)
		r = -ESRCH;
	if (r) {
		caller_answer(m, r > 0 ? 0 : r);
		return;
	}
	for (unsigned i = 0; i < words; i++)
		d[i].effective = d[i].permitted =
			(uint32_t)((t->cred->record->euid == 0 ? PROTO_CAP_ALL : 0) >> (32 * i));
	caller_answer(m, m->arg[1] ? caller_write(m, m->arg[1], d, words * sizeof d[0]) : 0);
}

/* Dropping what one has not got anyway is all that can be done. */
void in_capset(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	uint64_t have = t->cred->record->euid == 0 ? PROTO_CAP_ALL : 0;
	struct cap_header h;
	struct cap_data d[2] = { { 0 } };
	unsigned words;
	int r = cap_header_read(m, &h, &words);

	if (r > 0)
		r = -EINVAL;
	if (!r && h.pid && h.pid != (int32_t)t->tid)
		r = -EPERM;
	if (!r)
		r = caller_read(m, d, m->arg[1], words * sizeof d[0]);
	for (unsigned i = 0; i < words && !r; i++) {
		if ((d[i].effective | d[i].permitted) & ~(uint32_t)(have >> (32 * i)))
			r = -EPERM;
	}
	caller_answer(m, r);
}
