/* SPDX-License-Identifier: MIT */
/* Datagrams and sequenced packets: queues of parcels in the state. */
#include <errno.h>

#include "message.h"

/* Who is to get it. */
static int64_t receiver_find(struct request *r, struct socket *s, const struct message *m,
			     struct socket **out)
{
	struct name_given name;
	int64_t e;

	if (socket_connects(s)) {	/* a name is not looked at */
		*out = s->peer;
		return s->state == SOCKET_CONNECTED ? 0 : -ENOTCONN;
	}
	if (!m->name_size) {
		*out = s->peer;
		return s->peer ? 0 : -ENOTCONN;
	}
	e = name_read(r, m->name, m->name_size, &name);
	return e ? e : name_find(r, &name, s->type, out);
}

/* The peer it was connected to is no more: it is nobody's from now on. */
static int64_t receiver_lost(struct socket *s)
{
	struct socket *peer = s->peer;

	state_set(s->peer, NULL);
	state_set(s->state, SOCKET_IDLE);
	socket_put(peer);
	node_commit();
	return -ECONNREFUSED;
}

static int64_t may_send(struct socket *s, struct socket *to, struct message *m)
{
	if (to->state == SOCKET_DEAD)
		return s->peer == to && !socket_connects(s) ? receiver_lost(s) : -ECONNREFUSED;
	if (!socket_connects(s) && to->peer && to->peer != s)
		return -EPERM;
	if (to->shutdown & SHUT_RECEIVE)
		return -EPIPE;
	if (to != s && to->peer != s && ready_queue_full(to)) {
		state_set(to->was_full, true);
		node_commit();
		m->wait_on = to;
		return -EAGAIN;
	}
	return 0;
}

static int64_t deliver(struct request *r, struct socket *s, struct socket *to,
		       const struct message *m)
{
	static struct right rights[LX_SCM_MAX_FD];
	struct parcel *p;
	int64_t e = m->right_count ? control_take(r, m, rights) : 0;

	if (e)
		return e;
	p = parcel_create((uint32_t)m->size, rights, m->right_count, &e);
	if (!p)
		return e;
	if (m->size) {
		p->data = state_alloc(m->size);
		if (!p->data)
			return -ENOMEM;
		e = message_gather(r, m, 0, p->data, m->size);
		if (e)
			return e;
	}
	p->from = s;
	p->has_cred = true;
	p->cred = control_cred(r, m);
	parcel_append(to->in, p);
	socket_changed(to, true);
	if (!ready_to_send(s) || ready_queue_full(to)) {
		state_set(to->was_full, true);
		socket_changed(s, false);
	}
	return (int64_t)m->size;
}

int64_t packet_send(struct request *r, struct socket *s, struct message *m)
{
	struct socket *to = NULL;
	int64_t e = control_read(r, m);

	if (!e && m->flags & LX_MSG_OOB)
		e = -EOPNOTSUPP;
	if (!e && s->error && socket_connects(s)) {
		e = -s->error;
		state_set(s->error, 0);
		socket_changed(s, false);
		node_commit();
	}
	if (!e)
		e = receiver_find(r, s, m, &to);
	if (!e && s->passcred)
		e = name_autobind(s);
	if (e)
		return e;
	if (m->size > s->send_buffer - 32)
		return -EMSGSIZE;
	if (s->shutdown & SHUT_SEND)
		return -EPIPE;
	if (!ready_to_send(s)) {
		m->wait_on = s;
		return -EAGAIN;
	}
	e = may_send(s, to, m);
	return e ? e : deliver(r, s, to, m);
}

/* --- receiving ---------------------------------------------------------------------------- */

/* There is no parcel. */
static int64_t nothing_there(struct socket *s, struct message *m, struct request *r)
{
	if (s->shutdown & SHUT_RECEIVE && (socket_connects(s) || !m->nonblock)) {
		int64_t e = message_tell(r, m, NULL);

		return e < 0 ? e : 0;
	}
	m->wait_on = s;
	return -EAGAIN;
}

int64_t packet_receive(struct request *r, struct socket *s, struct message *m)
{
	struct parcel *p = s->in->first;
	uint64_t n;
	int64_t e, whole;

	if (m->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;
	if (socket_connects(s) && s->state != SOCKET_CONNECTED)
		return -ENOTCONN;
	if (s->error) {
		e = -s->error;
		state_set(s->error, 0);
		socket_changed(s, false);
		node_commit();
		return e;
	}
	if (!p)
		return nothing_there(s, m, r);
	n = m->size < p->size ? m->size : p->size;
	if (n < p->size)
		m->out_flags |= LX_MSG_TRUNC;
	whole = m->flags & LX_MSG_TRUNC ? (int64_t)p->size : (int64_t)n;
	e = message_scatter(r, m, 0, p->data, n);
	if (e >= 0)
		e = control_give(r, m, s->passcred ? &p->cred : NULL, p);
	if (e >= 0)
		e = message_tell(r, m, p->from);
	if (e < 0)
		return e;
	if (!(m->flags & LX_MSG_PEEK)) {
		parcel_drop_first(s->in);
		socket_changed(s, false);
	}
	return whole;
}
