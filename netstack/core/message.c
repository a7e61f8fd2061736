/* SPDX-License-Identifier: MIT */
/*
 * What calls send and receive (message.h): from the forms of the calls to one struct net_message,
 * and back.
 */
#include "message.h"

#include <errno.h>
#include <string.h>

#include "socket.h"

#define RW_MAX 0x7ffff000u

static struct net_message message;

/* --- the caller's buffers ----------------------------------------------------------------- */

/* One of the two; `at` bytes are skipped first. */
static int64_t transfer(struct net_request *r, const struct net_message *msg, uint64_t at, void *to,
			const void *from, uint64_t n)
{
	uint64_t moved = 0;

	for (uint32_t i = 0; i < msg->iov_count && moved < n; i++) {
		const struct lx_iovec *v = &msg->iov[i];
		uint64_t piece;
		int64_t e;

		if (at >= v->size) {
			at -= v->size;
			continue;
		}
		piece = v->size - at < n - moved ? v->size - at : n - moved;
		e = to ? net_read(r, (char *)to + moved, v->base + at, piece) :
			 net_write(r, v->base + at, (const char *)from + moved, piece);
		if (e)
			return e;
		moved += piece;
		at = 0;
	}
	return 0;
}

int64_t net_message_read(struct net_request *r, const struct net_message *msg, uint64_t at,
			 void *to, uint64_t n)
{
	return transfer(r, msg, at, to, NULL, n);
}

int64_t net_message_write(struct net_request *r, const struct net_message *msg, uint64_t at,
			  const void *from, uint64_t n)
{
	return transfer(r, msg, at, NULL, from, n);
}

static void message_reset(struct net_message *msg, uint32_t flags)
{
	memset(msg, 0, offsetof(struct net_message, iov));
	msg->flags = flags;
}

static void message_one(struct net_message *msg, uint64_t base, uint64_t size)
{
	msg->iov[0] = (struct lx_iovec){ base, size < RW_MAX ? size : RW_MAX };
	msg->iov_count = 1;
	msg->size = msg->iov[0].size;
}

static int64_t message_vector(struct net_request *r, struct net_message *msg, uint64_t from,
			      uint64_t count)
{
	int64_t e = net_read(r, msg->iov, from, count * sizeof(struct lx_iovec));

	if (e)
		return e;
	msg->iov_count = (uint32_t)count;
	for (uint64_t i = 0; i < count; i++) {
		if ((int64_t)msg->iov[i].size < 0)
			return -EINVAL;
		if (msg->iov[i].size > RW_MAX - msg->size)
			msg->iov[i].size = RW_MAX - msg->size;
		msg->size += msg->iov[i].size;
	}
	return 0;
}

/* --- control messages --------------------------------------------------------------------- */

void net_control_put(struct net_message *msg, int level, int type, const void *data, uint32_t n)
{
	struct lx_cmsghdr h = { .size = sizeof h + n, .level = level, .type = type };
	uint32_t room = msg->control_room < NET_CONTROL_MAX ? msg->control_room : NET_CONTROL_MAX;
	uint32_t at = (uint32_t)LX_CMSG_ALIGN(msg->control_size);
	uint32_t next;

	if (at > room || room - at < sizeof h) {
		msg->out_flags |= LX_MSG_CTRUNC;
		return;
	}
	if (room - at < h.size) {
		msg->out_flags |= LX_MSG_CTRUNC;
		h.size = room - at;
		n = (uint32_t)(h.size - sizeof h);
	}
	next = at + (uint32_t)LX_CMSG_ALIGN(h.size);
	memset(msg->control + at, 0, (next < NET_CONTROL_MAX ? next : NET_CONTROL_MAX) - at);
	memcpy(msg->control + at, &h, sizeof h);
	memcpy(msg->control + at + sizeof h, data, n);
	msg->control_size = next < room ? next : room;
}

/* The header at `at`; false: there is none, or it is malformed. */
static bool control_header(const struct net_message *msg, uint32_t at, struct lx_cmsghdr *h)
{
	if (at > msg->control_size || msg->control_size - at < sizeof *h)
		return false;
	memcpy(h, msg->control + at, sizeof *h);
	return h->size >= sizeof *h && h->size <= msg->control_size - at;
}

bool net_control_next(const struct net_message *msg, uint32_t *at, int *level, int *type,
		      const void **data, uint32_t *n)
{
	struct lx_cmsghdr h;

	if (!control_header(msg, *at, &h))
		return false;
	*level = h.level;
	*type = h.type;
	*data = msg->control + *at + sizeof h;
	*n = (uint32_t)(h.size - sizeof h);
	*at += (uint32_t)LX_CMSG_ALIGN(h.size);
	return true;
}

static int64_t control_import(struct net_request *r, struct net_message *msg, uint64_t from,
			      uint64_t size)
{
	struct lx_cmsghdr h;
	int64_t e;

	if (size > NET_CONTROL_MAX)
		return -ENOBUFS;
	e = net_read(r, msg->control, from, size);
	if (e)
		return e;
	msg->control_size = (uint32_t)size;
	for (uint32_t at = 0; size >= sizeof h && at <= size - sizeof h;
	     at += (uint32_t)LX_CMSG_ALIGN(h.size)) {
		if (!control_header(msg, at, &h))
			return -EINVAL;
	}
	return 0;
}

/* --- msghdr ------------------------------------------------------------------------------- */

static int64_t header_import(struct net_request *r, struct net_message *msg, uint64_t from,
			     uint32_t flags, bool sending)
{
	struct lx_msghdr h;
	int64_t e = net_read(r, &h, from, sizeof h);

	message_reset(msg, flags);
	if (e)
		return e;
	if (h.name && h.name_size < 0)
		return -EINVAL;
	if (h.iov_count > NET_IOV_MAX)
		return -EMSGSIZE;
	e = message_vector(r, msg, h.iov, h.iov_count);
	if (e)
		return e;
	if (h.name_size > NET_SOCKADDR_MAX)
		h.name_size = NET_SOCKADDR_MAX;
	if (h.control_size > INT32_MAX)
		return -ENOBUFS;
	if (sending) {
		e = h.name ? net_sockaddr_read(r, h.name, h.name_size, &msg->name) : 0;
		return e || !h.control ? e : control_import(r, msg, h.control, h.control_size);
	}
	msg->user_header = from;
	msg->user_name = h.name;
	msg->user_name_room = h.name_size;
	msg->user_control = h.control;
	msg->control_room = h.control ? (uint32_t)h.control_size : 0;
	return 0;
}

static int64_t header_finish(struct net_request *r, struct net_message *msg)
{
	uint64_t at = msg->user_header;
	uint64_t control = msg->control_size;
	uint32_t n = msg->name.size;
	int64_t e = 0;

	if (msg->user_name) {
		uint32_t room = (uint32_t)msg->user_name_room;

		e = net_write(r, msg->user_name, msg->name.bytes, n < room ? n : room);
		if (!e)
			e = net_write(r, at + offsetof(struct lx_msghdr, name_size), &n, sizeof n);
	}
	if (!e)
		e = net_write(r, msg->user_control, msg->control, control);
	if (!e)
		e = net_write(r, at + offsetof(struct lx_msghdr, control_size), &control,
			      sizeof control);
	if (!e)
		e = net_write(r, at + offsetof(struct lx_msghdr, flags), &msg->out_flags,
			      sizeof msg->out_flags);
	return e;
}

int64_t net_message_finish(struct net_request *r, struct net_message *msg)
{
	if (msg->user_header)
		return header_finish(r, msg);
	return net_sockaddr_write(r, msg->user_name, msg->user_name_size_at, &msg->name);
}

/* --- one message -------------------------------------------------------------------------- */

static int64_t send_one(struct net_request *r, struct net_message *msg)
{
	if (msg->flags & LX_MSG_DONTWAIT)
		r->nonblock = true;
	return r->s->ops->send ? r->s->ops->send(r, msg) : -EOPNOTSUPP;
}

static int64_t recv_one(struct net_request *r, struct net_message *msg)
{
	if (msg->flags & LX_MSG_DONTWAIT)
		r->nonblock = true;
	return r->s->ops->recv ? r->s->ops->recv(r, msg) : -EOPNOTSUPP;
}

int64_t in_read(struct net_request *r)
{
	message_reset(&message, 0);
	message_one(&message, r->m->arg[1], r->m->arg[2]);
	return message.size ? recv_one(r, &message) : 0;
}

int64_t in_write(struct net_request *r)
{
	message_reset(&message, 0);
	message_one(&message, r->m->arg[1], r->m->arg[2]);
	return send_one(r, &message);
}

/*
 * readv and writev; preadv2 and pwritev2 at the current position, of whose flags RWF_NOWAIT means
 * something here.
 */
static int64_t vector_import(struct net_request *r)
{
	bool flagged = r->m->number == 327 || r->m->number == 328;

	message_reset(&message, 0);
	if (flagged && (r->m->arg[3] != UINT64_MAX || r->m->arg[5] & ~0x1full))
		return r->m->arg[3] != UINT64_MAX ? -ESPIPE : -EOPNOTSUPP;
	if (flagged && r->m->arg[5] & 8)
		message.flags |= LX_MSG_DONTWAIT;
	if (r->m->arg[2] > NET_IOV_MAX)
		return -EINVAL;
	return message_vector(r, &message, r->m->arg[1], r->m->arg[2]);
}

int64_t in_readv(struct net_request *r)
{
	int64_t e = vector_import(r);

	return e || !message.size ? e : recv_one(r, &message);
}

int64_t in_writev(struct net_request *r)
{
	int64_t e = vector_import(r);

	return e ? e : send_one(r, &message);
}

int64_t in_sendto(struct net_request *r)
{
	int64_t e = 0;

	message_reset(&message, (uint32_t)r->m->arg[3]);
	message_one(&message, r->m->arg[1], r->m->arg[2]);
	if (r->m->arg[4])
		e = net_sockaddr_read(r, r->m->arg[4], (int32_t)r->m->arg[5], &message.name);
	return e ? e : send_one(r, &message);
}

int64_t in_recvfrom(struct net_request *r)
{
	message_reset(&message, (uint32_t)r->m->arg[3]);
	message_one(&message, r->m->arg[1], r->m->arg[2]);
	message.user_name = r->m->arg[4];
	message.user_name_size_at = r->m->arg[5];
	return recv_one(r, &message);
}

int64_t in_sendmsg(struct net_request *r)
{
	int64_t e = header_import(r, &message, r->m->arg[1], (uint32_t)r->m->arg[2], true);

	return e ? e : send_one(r, &message);
}

int64_t in_recvmsg(struct net_request *r)
{
	int64_t e = header_import(r, &message, r->m->arg[1], (uint32_t)r->m->arg[2], false);

	return e ? e : recv_one(r, &message);
}

/* --- many messages ------------------------------------------------------------------------ */

/* The next of the vector: result of its send or recv, its size noted. */
static int64_t many_next(struct net_request *r, bool sending)
{
	uint32_t flags = (uint32_t)r->m->arg[3] & ~LX_MSG_WAITFORONE;
	uint64_t at = r->m->arg[1] + r->messages * sizeof(struct lx_mmsghdr);
	uint32_t size;
	int64_t e = header_import(r, &message, at, flags, sending);

	if (e)
		return e;
	/* Touched before anything is taken: afterwards it must not fail. */
	e = net_read(r, &size, at + offsetof(struct lx_mmsghdr, size), sizeof size);
	if (!e)
		e = net_write(r, at + offsetof(struct lx_mmsghdr, size), &size, sizeof size);
	if (e)
		return e;
	e = sending ? send_one(r, &message) : recv_one(r, &message);
	if (e < 0)
		return e;
	size = (uint32_t)e;
	r->done = 0;
	r->messages++;
	return net_write(r, at + offsetof(struct lx_mmsghdr, size), &size, sizeof size);
}

static int64_t many(struct net_request *r, bool sending, uint64_t until_ns)
{
	uint64_t count = r->m->arg[2] < NET_IOV_MAX ? (uint32_t)r->m->arg[2] : NET_IOV_MAX;
	int64_t e;

	while (r->messages < count) {
		e = many_next(r, sending);
		if (e == NET_WAIT || e == NET_DONE || net_gone(e))
			return e;
		if (e < 0 && !r->messages)
			return e;
		if (e < 0) {	/* the error is told next time */
			if (e != -EAGAIN && e != -EFAULT && e != -EINTR && !sending)
				socket_error_set(r->s, (int)-e);
			break;
		}
		if (!sending && r->m->arg[3] & LX_MSG_WAITFORONE)
			r->nonblock = true;
		if (until_ns && srv_now() >= (int64_t)until_ns)
			break;
	}
	return (int64_t)r->messages;
}

int64_t in_sendmmsg(struct net_request *r)
{
	return many(r, true, 0);
}

/*
 * As on Linux the timeout is looked at after each message, so alone it ends no waiting. What is
 * left of it goes back.
 */
int64_t in_recvmmsg(struct net_request *r)
{
	struct lx_timespec t;
	int64_t e, left;

	if (!r->m->arg[4])
		return many(r, false, 0);
	if (!r->memo[0]) {
		e = net_read(r, &t, r->m->arg[4], sizeof t);
		if (e)
			return e;
		if (t.sec < 0 || (uint64_t)t.nsec >= 1000000000u)
			return -EINVAL;
		if (t.sec > 1000000000)
			t.sec = 1000000000;
		r->memo[0] = (uint64_t)(srv_now() + t.sec * 1000000000 + t.nsec);
	}
	e = many(r, false, r->memo[0]);
	if (e <= 0)
		return e;
	left = (int64_t)r->memo[0] - srv_now();
	if (left < 0)
		left = 0;
	t = (struct lx_timespec){ left / 1000000000, left % 1000000000 };
	left = net_write(r, r->m->arg[4], &t, sizeof t);
	return net_gone(left) ? left : e;	/* (taken back: the count is kept) */
}
