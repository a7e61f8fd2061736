/* SPDX-License-Identifier: MIT */
/*
 * Streams, where the VFS moves the bytes itself: calls with control data, flags or addresses,
 * timeouts, halves that were shut down. (All else goes through the pipes without us.)
 *
 * A transfer is noted in the state before it is made, with the pipe's total at that moment. If the
 * server dies, the successor sees by the total whether it was made (stream_recover), and the call,
 * when it comes again, goes on after what is done. Reads are declined while parcels are in the
 * channel, so that nothing overtakes them.
 */
#include <errno.h>
#include <string.h>

#include "message.h"

#define CHUNK 65536u

static char bytes[CHUNK];

static uint64_t done_of(const struct request *r, const struct message *m,
			const struct socket_progress *p)
{
	if (p->call == r->m->call)
		return p->done;
	return m->batch ? 0 : (uint64_t)wait_done(r);
}

static void progress_begin(const struct request *r, struct socket_progress *p, uint64_t done,
			   uint64_t at)
{
	undo_save(p, sizeof *p);
	*p = (struct socket_progress){
		.call = r->m->call, .done = done, .at = at, .begun = true, .told = p->told
	};
	node_commit();
}

static void progress_end(struct socket_progress *p, uint64_t done)
{
	undo_save(p, sizeof *p);
	p->done = done;
	p->begun = false;
}

/* --- sending ------------------------------------------------------------------------------ */

static int64_t may_send(const struct socket *s, const struct message *m)
{
	if (m->name_size)
		return s->state == SOCKET_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	if (!s->peer)
		return s->shutdown & SHUT_SEND ? -EPIPE : -ENOTCONN;
	return s->shutdown & SHUT_SEND || s->peer->shutdown & SHUT_RECEIVE ? -EPIPE : 0;
}

static bool same_cred(const struct parcel *a, const struct parcel *b)
{
	return !a->right_count && !b->right_count && !memcmp(&a->cred, &b->cred, sizeof a->cred);
}

/* The last parcel is there; if it only goes on where the one before ended, they become one. */
static void parcel_written(struct channel *c, struct parcel *before, uint32_t size)
{
	struct parcel *p = c->last;

	state_set(p->size, size);
	state_set(p->unwritten, 0);
	if (!before || !same_cred(before, p) || before->at + before->size != p->at ||
	    size > UINT32_MAX - before->size)
		return;
	state_set(before->size, before->size + size);
	parcel_drop_last(c);
}

/* A parcel for the bytes that are to be written at `at`. */
static int64_t parcel_prepare(struct request *r, struct socket *s, const struct message *m,
			      uint64_t done, uint64_t at)
{
	static struct right rights[LX_SCM_MAX_FD];
	uint32_t count = done ? 0 : m->right_count;
	struct parcel *p;
	int64_t e = count ? control_take(r, m, rights) : 0;

	if (e)
		return e;
	p = parcel_create(0, rights, count, &e);
	if (!p)
		return e;
	p->at = at;
	p->has_cred = true;
	p->cred = control_cred(r, m);
	p->unwritten = r->m->call;
	parcel_append(s->out, p);
	return 0;
}

/* Some of the bytes from `done` on. How many, or an error. */
static int64_t send_piece(struct request *r, struct socket *s, const struct message *m,
			  uint64_t done)
{
	struct channel *c = s->out;
	struct parcel *before = c->last;
	bool parcel = (!done && m->right_count) || m->has_cred || s->peer->passcred;
	uint64_t n = m->size - done < CHUNK ? m->size - done : CHUNK;
	struct k_pipe_info info;
	int64_t e;

	channel_info(c, &info);
	if (!info.room)
		return -EAGAIN;
	if (n > info.room)
		n = info.room;
	e = message_gather(r, m, done, bytes, n);
	if (!e && parcel)
		e = parcel_prepare(r, s, m, done, info.put);
	if (e)
		return e;
	progress_begin(r, &s->sending, done, info.put);
	if (parcel)
		ready_update(s->peer, false);	/* from now on its reads come here */
	e = k_pipe_write(c->pipe, bytes, n);
	if (parcel && e <= 0)
		parcel_drop_last(c);
	else if (parcel)
		parcel_written(c, before, (uint32_t)e);
	progress_end(&s->sending, done + (e > 0 ? (uint64_t)e : 0));
	socket_changed(s->peer, e > 0);
	return e;
}

int64_t stream_send(struct request *r, struct socket *s, struct message *m)
{
	uint64_t done = done_of(r, m, &s->sending);
	int64_t e = control_read(r, m);

	if (!e && m->flags & LX_MSG_OOB)
		e = -EOPNOTSUPP;
	if (!e)
		e = may_send(s, m);
	while (!e && done < m->size) {
		e = send_piece(r, s, m, done);
		if (e > 0) {
			done += (uint64_t)e;
			e = 0;
			if (done < m->size)
				node_commit();
		}
	}
	if (e == -K_REDELIVER || e == -ESRCH)
		return e;
	if (e == -EAGAIN && !m->nonblock) {
		m->wait_on = s;
		m->done = (int64_t)done;
		node_commit();
		channel_arm(s->out, K_PIPE_ROOM);
		return e;
	}
	return done || !e ? (int64_t)done : e;
}

/* --- receiving ---------------------------------------------------------------------------- */

/*
 * What one receive may take from position `from` on, at most n bytes: it ends with the bytes that
 * descriptors came with, and where credentials change.
 */
struct stretch {
	uint64_t n;
	bool cred_known;
	struct lx_ucred cred;
	struct parcel *rights;	/* whose first byte is in it */
};

static bool cred_differs(struct stretch *t, const struct lx_ucred *cred)
{
	if (t->cred_known)
		return memcmp(&t->cred, cred, sizeof *cred) != 0;
	t->cred_known = true;
	t->cred = *cred;
	return false;
}

static void stretch_find(const struct socket *s, uint64_t from, uint64_t n, struct stretch *t)
{
	static const struct lx_ucred nobody = { 0, 65534, 65534 };
	uint64_t at = from, end = from + n;

	for (struct parcel *p = s->in->first; p && at < end; p = p->next) {
		if (p->at + p->size <= at)
			continue;
		if (p->at > at) {
			if (s->passcred && cred_differs(t, &nobody))
				goto out;
			at = p->at < end ? p->at : end;
		}
		if (at == end || (s->passcred && cred_differs(t, &p->cred)))
			goto out;
		at = p->at + p->size < end ? p->at + p->size : end;
		if (p->right_count) {
			t->rights = p;
			goto out;
		}
	}
	if (at < end && !(s->passcred && cred_differs(t, &nobody)))
		at = end;
out:
	t->n = at - from;
}

/*
 * Takes n bytes, which begin at position `taken`, out of the pipe for good, and the parcels that
 * they were. False: another thread's read was first. (With descriptors there is none, as all reads
 * come here.)
 */
static bool take(struct request *r, struct socket *s, struct stretch *t, uint64_t done,
		 uint64_t taken)
{
	state_set(s->receiving.told, t->rights != NULL);
	progress_begin(r, &s->receiving, done, taken);
	if (k_pipe_read(s->in->pipe, NULL, t->n, K_PIPE_AT, taken) < 0 && !t->rights) {
		progress_end(&s->receiving, done);
		return false;
	}
	progress_end(&s->receiving, done + t->n);
	if (t->rights)
		parcel_drop_rights(t->rights);
	while (s->in->first && !s->in->first->unwritten &&
	       s->in->first->at + s->in->first->size <= taken + t->n)
		parcel_drop_first(s->in);
	socket_changed(s, false);
	return true;
}

/*
 * One stretch to the caller. How much; 0: the end; -EAGAIN: nothing there. *stop: the call ends
 * with it.
 */
static int64_t receive_piece(struct request *r, struct socket *s, struct message *m, uint64_t done,
			     struct stretch *t, bool *stop)
{
	bool peek = m->flags & LX_MSG_PEEK;
	uint64_t skip = peek ? done : 0, n = m->size - done;
	struct k_pipe_info info;
	int64_t e;

	channel_info(s->in, &info);
	if (info.bytes <= skip)
		return -EAGAIN;
	if (n > info.bytes - skip)
		n = info.bytes - skip;
	if (n > CHUNK)
		n = CHUNK;
	t->rights = NULL;
	stretch_find(s, info.taken + skip, n, t);
	*stop = t->n < n || t->rights;
	if (!t->n)
		return 0;
	e = k_pipe_read(s->in->pipe, bytes, t->n, K_PIPE_PEEK, skip);
	if (e != (int64_t)t->n)
		return e < 0 ? e : -EAGAIN;
	e = message_scatter(r, m, done, bytes, t->n);
	/* they cannot be given twice: all is told before the bytes go */
	if (!e && t->rights) {
		e = control_give(r, m, s->passcred ? &t->cred : NULL, t->rights);
		if (!e)
			e = message_tell(r, m, s->peer);
	}
	if (e < 0)
		return e;
	return peek || take(r, s, t, done, info.taken) ? (int64_t)t->n : -EAGAIN;
}

/* The end of the data: an error that is pending, the end of the file, or -EAGAIN. */
static int64_t nothing_left(struct socket *s)
{
	int64_t e = -s->error;

	if (e) {
		state_set(s->error, 0);
		socket_changed(s, false);
		node_commit();		/* (an error rolls back) */
		return e;
	}
	return s->shutdown & SHUT_RECEIVE ? 0 : -EAGAIN;
}

static int64_t receive_end(struct request *r, struct socket *s, struct message *m,
			   const struct stretch *t, uint64_t done)
{
	int64_t e = 0;

	if (!t->rights && done && s->passcred)
		e = control_give(r, m, &t->cred, NULL);
	if (e >= 0)
		e = message_tell(r, m, done ? s->peer : NULL);
	return e < 0 ? e : (int64_t)done;
}

int64_t stream_receive(struct request *r, struct socket *s, struct message *m)
{
	bool all = m->flags & LX_MSG_WAITALL && !(m->flags & LX_MSG_PEEK), stop = false;
	uint64_t done = m->flags & LX_MSG_PEEK ? 0 : done_of(r, m, &s->receiving);
	struct stretch t = { 0 };
	int64_t e = 0;

	if (m->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;
	if (s->state != SOCKET_CONNECTED)
		return -EINVAL;
	if (done && s->receiving.call == r->m->call && s->receiving.told)
		return (int64_t)done;
	do {
		if (done == m->size && done)
			break;
		e = receive_piece(r, s, m, done, &t, &stop);
		if (e > 0) {
			done += (uint64_t)e;
			if (!stop && done < m->size && !(m->flags & LX_MSG_PEEK))
				node_commit();
		}
	} while (e > 0 && !stop);
	if (e == -EAGAIN && (!done || all)) {
		e = done && s->error ? 0 : nothing_left(s);
		if (e == -EAGAIN && !(done && m->nonblock)) {
			m->wait_on = s;
			m->done = (int64_t)done;
			node_commit();
			if (!m->nonblock)
				channel_arm(s->in, K_PIPE_DATA);
			return e;
		}
	}
	if (e < 0 && (!done || e == -K_REDELIVER || e == -ESRCH))
		return e;
	return receive_end(r, s, m, &t, done);
}

/* --- after a crash ------------------------------------------------------------------------ */

static void recover_sending(struct socket *s)
{
	struct channel *c = s->out;
	struct k_pipe_info info;
	uint64_t n;

	if (!c || !s->sending.begun)
		return;
	channel_info(c, &info);
	n = info.put - s->sending.at;
	if (c->last && c->last->unwritten && !n)
		parcel_drop_last(c);
	else if (c->last && c->last->unwritten)
		parcel_written(c, NULL, (uint32_t)n);
	progress_end(&s->sending, s->sending.done + n);
}

static void recover_receiving(struct socket *s)
{
	struct k_pipe_info info;

	if (!s->in || s->in->pipe < 0 || !s->receiving.begun)
		return;
	channel_info(s->in, &info);
	while (s->in->first && !s->in->first->unwritten &&
	       s->in->first->at + s->in->first->size <= info.taken)
		parcel_drop_first(s->in);
	if (s->in->first && s->in->first->at < info.taken)
		parcel_drop_rights(s->in->first);
	progress_end(&s->receiving, s->receiving.done + (info.taken - s->receiving.at));
}

void stream_recover(struct socket *s)
{
	recover_sending(s);
	recover_receiving(s);
}
