/* SPDX-License-Identifier: MIT */
/*
 * Advisory locks: flock and the record locks of fcntl. The locks themselves are in lock.c; here is
 * who waits.
 *
 * A waiter is parked and tried again whenever a lock on its node goes. If the server dies, waiters
 * come again by themselves. While a handle table has record locks it is watched: its close and dup2
 * come here first, since closing any descriptor of a file drops its process's locks on it.
 */
#include <errno.h>
#include <stdlib.h>

#include "in.h"
#include "lock.h"
#include "op.h"

static struct srv_parked_list waiters;

/* What a parked caller waits for; parked->arg. */
struct wait {
	struct lock lock;
	struct node *node;
	unsigned searched;	/* the last search for a deadlock that came here */
};

/* --- waiting ------------------------------------------------------------------------------ */

static struct wait *wait_of(const struct srv_parked *p)
{
	return p->arg;
}

static void waiter_free(struct srv_parked *p)
{
	free(p->arg);
	srv_unpark(p);
}

static void waiter_cancel(struct srv_parked *p, bool dead)
{
	uint64_t call = p->message.call;

	waiter_free(p);
	if (!dead)
		srv_answer(call, -K_RESTART_SYS);
}

/*
 * Would `owner`, waiting for `holder`, close a circle of record-lock owners? An owner may wait in
 * many threads at once, so their ways branch and meet again: each is followed once.
 */
static unsigned search;

static bool deadlock(uint64_t owner, uint64_t holder, unsigned depth)
{
	if (owner == holder)
		return true;
	if (depth > 32)
		return false;
	for (struct srv_parked *p = waiters.first; p; p = p->next) {
		struct wait *w = wait_of(p);
		const struct lock *l;

		if (w->lock.kind != LOCK_POSIX || w->lock.owner != holder ||
		    w->searched == search)
			continue;
		w->searched = search;
		l = lock_conflict(w->node, &w->lock);
		if (l && l->kind == LOCK_POSIX && deadlock(owner, l->owner, depth + 1))
			return true;
	}
	return false;
}

/*
 * Whoever changes a lock has each waiter look through all locks of the node: the product of both
 * is bounded, so that no operation takes long (262144 looks are some milliseconds).
 */
#define LOOKS_MOST (1u << 18)

static bool too_many(const struct node *n, unsigned waiting)
{
	for (const struct srv_parked *p = waiters.first; p; p = p->next)
		waiting += wait_of(p)->node == n;
	return waiting && (uint64_t)waiting * locks_count(n) > LOOKS_MOST;
}

static int64_t wait_for(struct request *r, struct node *n, const struct lock *want)
{
	struct wait *w = malloc(sizeof *w);
	struct srv_parked *p = w ? srv_park(r->m, waiter_cancel) : NULL;

	if (!p) {
		free(w);
		return -ENOLCK;
	}
	w->lock = *want;
	w->node = n;
	w->searched = search;
	p->arg = w;
	srv_parked_append(&waiters, p);
	return REQUEST_DONE;
}

/* Locks on n have changed: whoever can have his now goes on. */
static void wake(struct node *n)
{
	struct srv_parked *p, *next;

	for (p = waiters.first; p; p = next) {
		struct wait *w = wait_of(p);
		uint64_t call = p->message.call;
		int e;

		next = p->next;
		if (w->node != n || lock_conflict(n, &w->lock))
			continue;
		e = lock_set(n, &w->lock);
		if (e) {
			node_rollback();
		} else {
			if (w->lock.kind == LOCK_POSIX)
				k_caller_watch_table(srv_endpoint(), call, 1);
			node_commit();
		}
		waiter_free(p);
		srv_answer(call, e);
	}
}

static int64_t lock_apply(struct request *r, struct node *n, const struct lock *want, bool blocking)
{
	const struct lock *other = want->type == LX_F_UNLCK ? NULL : lock_conflict(n, want);
	uint32_t before = vfs->locks.used;
	int e;

	if (other && !blocking)
		return -EAGAIN;
	search++;
	if (other && want->kind == LOCK_POSIX && other->kind == LOCK_POSIX &&
	    deadlock(want->owner, other->owner, 0))
		return -EDEADLK;
	if (other)
		return too_many(n, 1) ? -ENOLCK : wait_for(r, n, want);
	e = lock_set(n, want);
	if (e)
		return e;
	if (vfs->locks.used > before && too_many(n, 0))
		return -ENOLCK;		/* (undone with the request) */
	if (want->kind == LOCK_POSIX && want->type != LX_F_UNLCK)
		k_caller_watch_table(srv_endpoint(), r->m->call, 1);
	node_commit_call(r->m->call, 0);
	wake(n);
	return 0;
}

/* --- flock -------------------------------------------------------------------------------- */

int64_t in_flock(struct request *r)
{
	unsigned how = (unsigned)request_arg(r, 1);
	struct lock want = { .kind = LOCK_FLOCK,
			     .end = LOCK_TO_END,
			     .pid = r->m->pid,
			     .user = quota_user(r->cred) };
	struct file *f;
	int64_t e = request_real_file(r, &f);

	if (e)
		return e;
	switch (how & ~(unsigned)LX_LOCK_NB) {
	case LX_LOCK_SH:
		want.type = LX_F_RDLCK;
		break;
	case LX_LOCK_EX:
		want.type = LX_F_WRLCK;
		break;
	case LX_LOCK_UN:
		want.type = LX_F_UNLCK;
		break;
	default:
		return -EINVAL;
	}
	want.owner = want.file = file_cookie(f);
	/* a conversion gives the old lock up first, as Linux does */
	if (want.type != LX_F_UNLCK && lock_conflict(f->at.node, &want) &&
	    locks_drop_owner(f->at.node, LOCK_FLOCK, want.owner)) {
		node_commit();
		wake(f->at.node);
	}
	return lock_apply(r, f->at.node, &want, !(how & LX_LOCK_NB));
}

/* --- fcntl -------------------------------------------------------------------------------- */

/* From whence, start and len to a range. */
static int64_t range(struct request *r, struct file *f, const struct lx_flock *l, struct lock *out)
{
	struct k_caller_cookie c;
	int64_t base = 0, start, end, e;

	switch (l->whence) {
	case LX_SEEK_SET:
		break;
	case LX_SEEK_CUR:
		e = k_caller_cookie(srv_endpoint(), r->m->call, (int)request_arg(r, 0), &c);
		if (e < 0)
			return e;
		base = (int64_t)c.offset;
		break;
	case LX_SEEK_END:
		op_refresh(f->at.node);
		base = node_is(f->at.node, LX_S_IFREG) ? (int64_t)f->at.node->file.size : 0;
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, l->start, &start))
		return -EOVERFLOW;
	if (l->len > 0) {
		if (__builtin_add_overflow(start, l->len - 1, &end))
			return -EOVERFLOW;
	} else if (l->len < 0) {
		end = start - 1;
		if (__builtin_add_overflow(start, l->len, &start))
			return -EINVAL;
	} else {
		end = INT64_MAX;
	}
	if (start < 0)
		return -EINVAL;
	out->start = (uint64_t)start;
	out->end = (uint64_t)end;
	return 0;
}

static int64_t lock_get(struct request *r, struct file *f, const struct lock *want,
			struct lx_flock *l)
{
	static struct lx_flock answer;
	const struct lock *other = lock_conflict(f->at.node, want);

	answer = *l;
	if (!other) {
		answer.type = LX_F_UNLCK;
	} else {
		answer.type = other->type;
		answer.whence = LX_SEEK_SET;
		answer.start = (int64_t)other->start;
		answer.len =
			other->end == LOCK_TO_END ? 0 : (int64_t)(other->end - other->start + 1);
		answer.pid = other->kind == LOCK_OFD ? -1 : (int32_t)other->pid;
	}
	srv_answer(r->m->call, 0);
	srv_answer_copy(request_arg(r, 2), &answer, sizeof answer);
	return REQUEST_DONE;
}

int64_t lock_fcntl(struct request *r, struct file *f, int command)
{
	bool ofd = command >= LX_F_OFD_GETLK;
	bool get = command == LX_F_GETLK || command == LX_F_OFD_GETLK;
	struct lock want = { .kind = ofd ? LOCK_OFD : LOCK_POSIX,
			     .pid = r->m->pid,
			     .user = quota_user(r->cred),
			     .file = file_cookie(f) };
	struct lx_flock l;
	int64_t e = k_caller_read(srv_endpoint(), r->m->call, &l, request_arg(r, 2), sizeof l);

	if (e < 0)
		return e;
	if (ofd && l.pid)
		return -EINVAL;
	if (l.type != LX_F_RDLCK && l.type != LX_F_WRLCK && (get || l.type != LX_F_UNLCK))
		return -EINVAL;
	e = range(r, f, &l, &want);
	if (e)
		return e;
	want.type = (uint8_t)l.type;
	want.owner = ofd ? want.file : r->m->table;
	if (get)
		return lock_get(r, f, &want, &l);
	if ((l.type == LX_F_RDLCK && !f->may_read) || (l.type == LX_F_WRLCK && !f->may_write))
		return -EBADF;
	return lock_apply(r, f->at.node, &want,
			  command == LX_F_SETLKW || command == LX_F_OFD_SETLKW);
}

/* --- when descriptors and tables go ------------------------------------------------------- */

static void drop_owner(struct node *n, uint64_t table)
{
	if (n->locks && locks_drop_owner(n, LOCK_POSIX, table)) {
		node_commit();
		wake(n);
	}
}

void lock_file_closed(struct file *f)
{
	struct node *n = f->at.node;

	if (!n->locks)
		return;
	node_pin(n);
	if (locks_drop_file(n, file_cookie(f))) {
		node_commit();
		wake(n);
	}
	node_unpin(n);
}

/* All record locks of a table that is gone: on nodes that are open (others have none left). */
static uint64_t gone_table;

static bool drop_each(struct file *f)
{
	drop_owner(f->at.node, gone_table);
	return true;
}

void lock_table_gone(const struct k_message *m)
{
	gone_table = m->table;
	if (vfs->locks.used)
		file_each(drop_each);
}

/*
 * The descriptor is about to go. True: the end of its description is something that others see, so
 * the call must not end before we know of it.
 */
static bool closing(struct request *r, int fd)
{
	struct k_caller_cookie c;
	struct file *f;

	if (k_caller_cookie(srv_endpoint(), r->m->call, fd, &c) < 0 || !c.own)
		return false;
	f = file_find(c.cookie);
	if (f)
		drop_owner(f->at.node, r->m->table);
	return f && f->decline & K_DECLINE_CLOSE;
}

/*
 * With `told`, the call comes back when the kernel has carried it out (request_done): close notices
 * come before it.
 */
static int64_t close_in_kernel(struct request *r, bool told)
{
	if (!told)
		return request_kernel(r);
	request_commit();
	srv_forward_kernel_args(r->m->call, r->m->number, r->m->arg, true);
	return REQUEST_DONE;
}

int64_t in_close(struct request *r)
{
	return close_in_kernel(r, closing(r, (int)request_arg(r, 0)));
}

int64_t in_dup2(struct request *r)
{
	return close_in_kernel(r, request_arg(r, 0) != request_arg(r, 1) &&
					  closing(r, (int)request_arg(r, 1)));
}

int64_t in_close_range(struct request *r)
{
	uint64_t first = (uint32_t)request_arg(r, 0), last = (uint32_t)request_arg(r, 1);

	bool told = false;

	if (last > 4095)
		last = 4095;
	if (!(request_arg(r, 2) & 4)) {		/* CLOSE_RANGE_CLOEXEC closes nothing */
		for (uint64_t fd = first; fd <= last; fd++)
			told |= closing(r, (int)fd);
	}
	return close_in_kernel(r, told);
}
