/* SPDX-License-Identifier: MIT */
/* getsockopt, setsockopt, ioctl. */
#include <errno.h>
#include <string.h>

#include "in.h"
#include "in_socket.h"

#define BUFFER_MAX 212992u	/* net.core.wmem_max, rmem_max */
#define SEND_LEAST 4608u
#define RECEIVE_LEAST 2304u
#define SECOND 1000000000ll

/* Options of which only the value is kept: a bit of s->plain. */
static int plain_bit(int option)
{
	static const uint8_t plain[] = { LX_SO_DEBUG,     LX_SO_REUSEADDR, LX_SO_DONTROUTE,
					 LX_SO_BROADCAST, LX_SO_KEEPALIVE, LX_SO_OOBINLINE,
					 LX_SO_NO_CHECK,  LX_SO_REUSEPORT };

	for (unsigned i = 0; i < sizeof plain; i++) {
		if (plain[i] == option)
			return (int)i;
	}
	return -1;
}

/* --- setting ------------------------------------------------------------------------------ */

static int64_t timeout_read(struct request *r, uint64_t from, uint64_t size, int64_t *ns)
{
	struct lx_timeval t;
	int64_t e;

	if (size < sizeof t)
		return -EINVAL;
	e = k_caller_read(srv_endpoint(), r->m->call, &t, from, sizeof t);
	if (e < 0)
		return e;
	if (t.usec < 0 || t.usec >= 1000000)
		return -EDOM;
	if (t.sec < 0)
		*ns = 1;		/* over at once */
	else
		*ns = t.sec < SECOND ? t.sec * SECOND + t.usec * 1000 : 0;
	return 0;
}

static uint32_t buffer_size(int32_t value, uint32_t least, bool force)
{
	uint32_t n = value < 0 ? 0 : (uint32_t)value;

	if (n > BUFFER_MAX && !(force && n < 64u << 20))
		n = BUFFER_MAX;
	return 2 * n < least ? least : 2 * n;
}

/* Whoever writes to s notices: its writes come here while s wants credentials. */
static void set_passcred(struct socket *s, bool on)
{
	state_set(s->passcred, on);
	if (s->peer)
		socket_changed(s->peer, false);
}

static int64_t set_int(struct request *r, struct socket *s, int option, int32_t value)
{
	bool force = option == LX_SO_SNDBUFFORCE || option == LX_SO_RCVBUFFORCE;
	int bit = plain_bit(option);

	if (bit >= 0) {
		state_set(s->plain, value ? s->plain | 1ull << bit : s->plain & ~(1ull << bit));
		return 0;
	}
	if (force && !cred_can(r->cred, 1ull << 12 /* CAP_NET_ADMIN */))
		return -EPERM;
	switch (option) {
	case LX_SO_SNDBUF:
	case LX_SO_SNDBUFFORCE:
		state_set(s->send_buffer, buffer_size(value, SEND_LEAST, force));
		return 0;
	case LX_SO_RCVBUF:
	case LX_SO_RCVBUFFORCE:
		state_set(s->receive_buffer, buffer_size(value, RECEIVE_LEAST, force));
		return 0;
	case LX_SO_PASSCRED:
		set_passcred(s, value != 0);
		return 0;
	case LX_SO_PRIORITY:
		state_set(s->priority, (uint32_t)value);
		return 0;
	case LX_SO_RCVLOWAT:
		state_set(s->receive_low, value < 0 ? INT32_MAX : value ? (uint32_t)value : 1);
		return 0;
	case LX_SO_TYPE:
	case LX_SO_PROTOCOL:
	case LX_SO_DOMAIN:
	case LX_SO_ERROR:
	case LX_SO_ACCEPTCONN:
	case LX_SO_PEERCRED:
	case LX_SO_PEERGROUPS:
	case LX_SO_SNDLOWAT:
		return -ENOPROTOOPT;
	}
	return -ENOPROTOOPT;
}

static int64_t set_linger(struct request *r, struct socket *s, uint64_t from, uint64_t size)
{
	int32_t v[2];
	int64_t e = size < sizeof v ? -EINVAL :
				      k_caller_read(srv_endpoint(), r->m->call, v, from, sizeof v);

	if (e < 0)
		return e;
	undo_save(s->linger, sizeof s->linger);
	s->linger[0] = v[0] != 0;
	if (v[0])
		s->linger[1] = v[1];
	return 0;
}

int64_t in_setsockopt(struct request *r)
{
	int option = (int)request_arg(r, 2);
	uint64_t from = request_arg(r, 3), size = request_arg(r, 4);
	struct socket *s;
	int32_t value;
	int64_t ns, e = socket_file(r, &s);

	if (e)
		return e;
	if ((int32_t)size < 0)
		return -EINVAL;
	if ((int)request_arg(r, 1) != LX_SOL_SOCKET)
		return -EOPNOTSUPP;
	if (size < sizeof value)
		return -EINVAL;
	e = k_caller_read(srv_endpoint(), r->m->call, &value, from, sizeof value);
	if (e < 0)
		return e;
	if (option == LX_SO_LINGER) {
		e = set_linger(r, s, from, size);
	} else if (option == LX_SO_RCVTIMEO || option == LX_SO_SNDTIMEO) {
		e = timeout_read(r, from, size, &ns);
		if (!e && option == LX_SO_RCVTIMEO)
			state_set(s->receive_timeout, ns);
		else if (!e)
			state_set(s->send_timeout, ns);
	} else {
		e = set_int(r, s, option, value);
	}
	if (!e)
		socket_changed(s, false);
	return e;
}

/* --- getting ------------------------------------------------------------------------------ */

union value {
	int32_t number[2];
	struct lx_ucred cred;
	struct lx_timeval time;
};

static uint64_t get_time(int64_t ns, union value *v)
{
	v->time = (struct lx_timeval){ ns / SECOND, ns % SECOND / 1000 };
	return sizeof v->time;
}

static uint64_t get_cred(const struct socket *s, union value *v)
{
	v->cred = s->peer_cred.pid ? s->peer_cred : (struct lx_ucred){ 0, UINT32_MAX, UINT32_MAX };
	return sizeof v->cred;
}

/* The value and its size; 0: no such option. */
static uint64_t get(struct socket *s, int option, union value *v)
{
	int bit = plain_bit(option);
	int32_t *n = &v->number[0];

	if (bit >= 0) {
		*n = (int32_t)(s->plain >> bit & 1);
		return 4;
	}
	switch (option) {
	case LX_SO_TYPE:
		*n = s->type;
		return 4;
	case LX_SO_PROTOCOL:
		*n = 0;
		return 4;
	case LX_SO_DOMAIN:
		*n = LX_AF_UNIX;
		return 4;
	case LX_SO_ERROR:
		*n = s->error;
		if (s->error) {
			state_set(s->error, 0);
			socket_changed(s, false);
		}
		return 4;
	case LX_SO_ACCEPTCONN:
		*n = s->state == SOCKET_LISTENING;
		return 4;
	case LX_SO_SNDBUF:
		*n = (int32_t)s->send_buffer;
		return 4;
	case LX_SO_RCVBUF:
		*n = (int32_t)s->receive_buffer;
		return 4;
	case LX_SO_PASSCRED:
		*n = s->passcred;
		return 4;
	case LX_SO_PRIORITY:
		*n = (int32_t)s->priority;
		return 4;
	case LX_SO_RCVLOWAT:
		*n = (int32_t)s->receive_low;
		return 4;
	case LX_SO_SNDLOWAT:
		*n = 1;
		return 4;
	case LX_SO_TIMESTAMP:
	case LX_SO_TIMESTAMPNS:
		*n = 0;
		return 4;
	case LX_SO_LINGER:
		memcpy(v->number, s->linger, sizeof v->number);
		return 8;
	case LX_SO_RCVTIMEO:
		return get_time(s->receive_timeout, v);
	case LX_SO_SNDTIMEO:
		return get_time(s->send_timeout, v);
	case LX_SO_PEERCRED:
		return get_cred(s, v);
	}
	return 0;
}

int64_t in_getsockopt(struct request *r)
{
	union value v;
	struct socket *s;
	int32_t room, size;
	int64_t e = socket_file(r, &s);

	if (e)
		return e;
	if ((int)request_arg(r, 1) != LX_SOL_SOCKET)
		return -EOPNOTSUPP;
	e = name_room(r, request_arg(r, 4), &room);
	if (e)
		return e;
	size = (int32_t)get(s, (int)request_arg(r, 2), &v);
	if (!size)
		return -ENOPROTOOPT;
	if (size > room)
		size = room;
	/* written before the commit: an error that is told is told once */
	e = k_caller_write(srv_endpoint(), r->m->call, request_arg(r, 3), &v, (size_t)size);
	if (e >= 0)
		e = k_caller_write(srv_endpoint(), r->m->call, request_arg(r, 4), &size,
				   sizeof size);
	return e < 0 ? e : 0;
}

/* --- ioctl -------------------------------------------------------------------------------- */

/* What one can read. */
static int64_t readable(const struct socket *s, int32_t *n)
{
	struct k_pipe_info info;

	if (s->state == SOCKET_LISTENING)
		return -EINVAL;
	channel_info(s->in, &info);
	if (socket_is_stream(s))
		*n = (int32_t)info.bytes;
	else if (socket_connects(s))
		*n = (int32_t)s->in->bytes;
	else
		*n = s->in->first ? (int32_t)s->in->first->size : 0;
	return 0;
}

/*
 * Requests about network interfaces (SIOCADDRT to SIOCSIFMAP) work on any socket: if_nametoindex()
 * asks on one of ours.
 */
#define SIOC_INTERFACE_FIRST	0x890bu
#define SIOC_INTERFACE_LAST	0x8971u

int64_t socket_ioctl(struct request *r, struct socket *s, uint32_t command)
{
	struct k_pipe_info info;
	int32_t n = 0;
	int64_t e = 0;

	switch (command) {
	case LX_FIONREAD:
		e = readable(s, &n);
		break;
	case LX_SIOCOUTQ:
		n = (int32_t)s->sent;
		if (socket_is_stream(s)) {
			channel_info(s->out, &info);
			n = (int32_t)info.bytes;
		}
		break;
	default:
		if (command < SIOC_INTERFACE_FIRST || command > SIOC_INTERFACE_LAST ||
		    request_network < 0)
			return -ENOTTY;
		request_commit();
		srv_forward_as_is(r->m->call, request_network);
		return REQUEST_DONE;
	}
	if (!e)
		e = k_caller_write(srv_endpoint(), r->m->call, request_arg(r, 2), &n, sizeof n);
	return e < 0 ? e : 0;
}
