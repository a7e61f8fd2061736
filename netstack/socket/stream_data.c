/* SPDX-License-Identifier: MIT */
/*
 * What of a stream's data goes through the server: sendmsg and recvmsg, flags, timeouts, the calls
 * that a switch of the source has sent here. The kernel does it where it can: a plain call is
 * passed on to the kernel's own operation on the pipe.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "stream.h"

#define NR_READV 19
#define NR_WRITEV 20
#define NR_SENDTO 44
#define CHUNK 16384u

static char buffer[CHUNK] __attribute__((aligned(64)));

/* Does the call have its buffers as a vector at this address? */
static uint64_t vector_of(const struct net_request *r)
{
	switch (r->m->number) {
	case NR_READV: case NR_WRITEV: case 327: case 328:
		return r->m->arg[1];
	}
	return 0;
}

/* --- sending ------------------------------------------------------------------------------ */

static int64_t broken_pipe(struct net_request *r, const struct net_message *msg)
{
	return msg->flags & LX_MSG_NOSIGNAL || r->messages ? -EPIPE :
							     net_fail(r, EPIPE, LX_SIGPIPE);
}

/* Whether anything can be sent; NET_PASS: yes. */
static int64_t send_state(struct net_request *r, struct stream *st, const struct net_message *msg)
{
	int e;

	if (st->state == STREAM_CONNECTING)
		return net_wait(r, &r->s->writers, r->s->option.send_timeout);
	if (r->s->error) {
		if (r->done)
			return (int64_t)r->done;
		e = socket_error_take(r->s);
		if (e == -EPIPE)
			return broken_pipe(r, msg);
		return e;
	}
	if (st->state != STREAM_CONNECTED || st->shut_write || st->reset || r->m->extra[1] == EPIPE)
		return r->done ? (int64_t)r->done : broken_pipe(r, msg);
	return NET_PASS;
}

/* The kernel's own operation does exactly this. */
static bool send_is_plain(const struct net_request *r, const struct stream *st,
			  const struct net_message *msg)
{
	if (r->done || r->parked || st->s->option.send_timeout || r->m->number == 307 ||
	    st->no_memory || r->m->extra[1] == ENOMEM)
		return false;
	if (msg->flags & ~(LX_MSG_NOSIGNAL | LX_MSG_DONTWAIT | LX_MSG_MORE))
		return false;
	return msg->iov_count == 1 || (vector_of(r) && !msg->flags);
}

static int64_t send_by_kernel(struct net_request *r, const struct net_message *msg)
{
	uint64_t vector[6] = { r->m->arg[0], r->m->arg[1], r->m->arg[2] };
	uint64_t plain[6] = { r->m->arg[0], msg->iov[0].base, msg->iov[0].size,
			      msg->flags & (LX_MSG_NOSIGNAL | LX_MSG_DONTWAIT) };

	return msg->iov_count == 1 ? net_forward_kernel(r, NR_SENDTO, plain) :
				     net_forward_kernel(r, NR_WRITEV, vector);
}

/* Moves what there is room for. 0: all is sent. */
static int64_t send_some(struct net_request *r, struct stream *st, struct net_message *msg)
{
	while (r->done < msg->size) {
		uint64_t n = msg->size - r->done < CHUNK ? msg->size - r->done : CHUNK;
		struct k_pipe_info i;
		int64_t e;

		if (k_pipe_info(st->out->handle, &i) < 0 || !i.room)
			return -EAGAIN;
		e = net_message_read(r, msg, r->done, buffer, n < i.room ? n : i.room);
		if (e)
			return net_gone(e) || !r->done ? e : (int64_t)r->done;
		e = k_pipe_write(st->out->handle, buffer, n < i.room ? n : i.room);
		if (e < 0)
			return e;
		r->done += (uint64_t)e;
	}
	return 0;
}

int64_t stream_send(struct net_request *r, struct net_message *msg)
{
	struct stream *st = stream_of(r->s);
	int64_t e;

	if (msg->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;	/* lwIP has no urgent data */
	if (msg->flags & LX_MSG_FASTOPEN)
		return -EOPNOTSUPP;
	e = send_state(r, st, msg);
	if (e != NET_PASS)
		return e;
	if (send_is_plain(r, st, msg))
		return send_by_kernel(r, msg);
	e = send_some(r, st, msg);
	if (e == -EPIPE)
		return r->done ? (int64_t)r->done : broken_pipe(r, msg);
	if (!e)
		return (int64_t)r->done;
	if (e == -ENOMEM)
		stream_no_memory(st);
	else if (e != -EAGAIN)
		return e;
	stream_update(st);
	e = net_wait(r, &r->s->writers, r->s->option.send_timeout);
	if (e == NET_WAIT && !st->no_memory)
		pipe_arm(st->out, K_PIPE_ROOM);
	return e;
}

int64_t stream_sendfile(struct net_request *r)
{
	struct stream *st = stream_of(r->s);
	struct net_message none = { .flags = 0 };
	int64_t e = send_state(r, st, &none);

	if (e != NET_PASS)
		return e;
	return st->s->option.send_timeout ? net_forward_kernel(r, r->m->number, r->m->arg) :
					    -EINVAL;
}

/* --- receiving ---------------------------------------------------------------------------- */

/* Nothing is in the pipe: why not, and what now. */
static int64_t recv_nothing(struct net_request *r, struct stream *st)
{
	int64_t e;

	if (r->done && (r->s->error || st->ended || st->shut_read || st->state != STREAM_CONNECTED))
		return (int64_t)r->done;
	if (r->s->error)
		return socket_error_take(r->s);
	if (st->state == STREAM_IDLE || st->state == STREAM_LISTENING)
		return -ENOTCONN;
	if (st->state == STREAM_OVER || st->ended || st->shut_read)
		return 0;
	e = net_wait(r, &r->s->readers, r->s->option.receive_timeout);
	if (e == NET_WAIT && st->state == STREAM_CONNECTED)
		pipe_arm(st->in, K_PIPE_DATA);
	return e;
}

static int64_t recv_peek(struct net_request *r, struct stream *st, struct net_message *msg,
			 uint64_t n)
{
	uint64_t at = 0;
	int64_t e;

	while (at < n) {
		int64_t got = k_pipe_read(st->in->handle, buffer, n - at < CHUNK ? n - at : CHUNK,
					  K_PIPE_PEEK, at);

		if (got <= 0)
			break;
		e = net_message_write(r, msg, at, buffer, (uint64_t)got);
		if (e)
			return e;
		at += (uint64_t)got;
	}
	e = net_message_finish(r, msg);
	if (!e && !at)
		return recv_nothing(r, st);
	return e ? e : (int64_t)at;
}

/* MSG_TRUNC on a stream throws away. */
static int64_t recv_drop(struct net_request *r, struct stream *st, struct net_message *msg,
			 uint64_t n)
{
	int64_t e = net_message_finish(r, msg);

	if (!e)
		e = k_pipe_read(st->in->handle, NULL, n, 0, 0);
	return e == -EAGAIN ? recv_nothing(r, st) : e;
}

/*
 * Takes what is there, which begins at this position of the stream; r->done counts. It goes out of
 * the pipe once the caller has it, unless another thread of his has read meanwhile: then what he
 * has does not count. 0, or a negative errno.
 */
static int64_t recv_take(struct net_request *r, struct stream *st, const struct net_message *msg,
			 uint64_t at)
{
	while (r->done < msg->size) {
		uint64_t n = msg->size - r->done < CHUNK ? msg->size - r->done : CHUNK;
		int64_t got = k_pipe_read(st->in->handle, buffer, n, K_PIPE_PEEK, 0);
		int64_t e;

		if (got <= 0)
			return r->done || got == -EAGAIN ? 0 : got;
		e = net_message_write(r, msg, r->done, buffer, (uint64_t)got);
		if (e)
			return net_gone(e) || !r->done ? e : 0;
		if (k_pipe_read(st->in->handle, NULL, (uint64_t)got, K_PIPE_AT, at) != got)
			return 0;
		at += (uint64_t)got;
		r->done += (uint64_t)got;
	}
	return 0;
}

int64_t stream_recv(struct net_request *r, struct net_message *msg)
{
	struct stream *st = stream_of(r->s);
	bool all = msg->flags & LX_MSG_WAITALL && !(msg->flags & LX_MSG_PEEK);
	struct k_pipe_info in = { .bytes = 0 };
	uint64_t bytes;
	int64_t e;

	if (msg->flags & LX_MSG_ERRQUEUE)
		return -EAGAIN;
	if (msg->flags & LX_MSG_OOB)
		return -EINVAL;
	if (st->state == STREAM_CONNECTED || st->state == STREAM_OVER)
		k_pipe_info(st->in->handle, &in);
	bytes = in.bytes;
	if (!msg->size && bytes)
		return net_message_finish(r, msg);
	if (!bytes) {
		/* (an end of file has no address and no control messages either) */
		if (!r->done) {
			e = net_message_finish(r, msg);
			if (e)
				return e;
		}
		return recv_nothing(r, st);
	}
	if (bytes > msg->size)
		bytes = msg->size;
	if (msg->flags & LX_MSG_PEEK)
		return recv_peek(r, st, msg, bytes);
	if (msg->flags & LX_MSG_TRUNC)
		return recv_drop(r, st, msg, bytes);
	e = r->done ? 0 : net_message_finish(r, msg);
	if (!e)
		e = recv_take(r, st, msg, in.taken);
	stream_update(st);
	if (e)
		return e;
	if (!r->done || (all && r->done < msg->size))
		return recv_nothing(r, st);	/* (another thread's read may have been first) */
	return (int64_t)r->done;
}

/* --- ioctl -------------------------------------------------------------------------------- */

int64_t stream_ioctl(struct net_request *r, uint32_t command, uint64_t arg)
{
	struct stream *st = stream_of(r->s);
	int32_t n = 0;

	switch (command) {
	case LX_FIONREAD:
		if (st->state == STREAM_LISTENING)
			return -EINVAL;
		n = st->state == STREAM_IDLE ? 0 : (int32_t)pipe_bytes(st->in);
		break;
	case LX_SIOCOUTQ:
	case LX_SIOCOUTQNSD:
		if (st->state == STREAM_LISTENING)
			return -EINVAL;
		n = st->state == STREAM_IDLE || st->joined ?
			    0 :
			    (int32_t)(pipe_bytes(st->out) +
				      wire_unsent(st, command == LX_SIOCOUTQNSD));
		break;
	case LX_SIOCATMARK:
		break;
	default:
		return NET_PASS;
	}
	return net_write(r, arg, &n, sizeof n);
}
