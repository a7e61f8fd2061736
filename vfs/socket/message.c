/* SPDX-License-Identifier: MIT */
/* From a call's arguments to a message and back (message.h). */
#include "message.h"

#include <errno.h>
#include <string.h>

#define SIZE_MAX_CALL 0x7ffff000ull	/* one call moves at most this */

static void message_begin(const struct request *r, struct message *m, uint32_t flags)
{
	memset(m, 0, offsetof(struct message, buffer));
	m->flags = flags;
	m->nonblock = flags & LX_MSG_DONTWAIT || r->m->fd_flags & LX_O_NONBLOCK;
	m->batch = false;
	m->has_cred = false;
	m->right_count = m->out_flags = 0;
	m->control_used = 0;
	m->wait_on = NULL;
	m->done = 0;
}

void message_plain(const struct request *r, struct message *m, uint64_t base, uint64_t size,
		   uint32_t flags)
{
	message_begin(r, m, flags);
	m->count = 1;
	m->buffer[0].base = base;
	m->buffer[0].size = m->size = size < SIZE_MAX_CALL ? size : SIZE_MAX_CALL;
}

static int64_t buffers_read(struct request *r, struct message *m, uint64_t iov, uint64_t count)
{
	int64_t e =
		count ? k_caller_read(srv_endpoint(), r->m->call, m->buffer, iov, count * 16) : 0;

	if (e < 0)
		return e;
	m->count = (unsigned)count;
	for (unsigned i = 0; i < m->count; i++) {
		if ((int64_t)m->buffer[i].size < 0)
			return -EINVAL;
		if (m->buffer[i].size > SIZE_MAX_CALL - m->size)
			m->buffer[i].size = SIZE_MAX_CALL - m->size;
		m->size += m->buffer[i].size;
	}
	return 0;
}

int64_t message_vector(struct request *r, struct message *m, uint64_t iov, uint64_t count,
		       uint32_t flags)
{
	message_begin(r, m, flags);
	return count > LX_IOV_MAX ? -EINVAL : buffers_read(r, m, iov, count);
}

int64_t message_header(struct request *r, struct message *m, uint64_t header, uint32_t flags)
{
	struct lx_msghdr h;
	int64_t e = k_caller_read(srv_endpoint(), r->m->call, &h, header, sizeof h);

	if (e < 0)
		return e;
	message_begin(r, m, flags);
	m->header = header;
	m->name = h.name;
	m->name_size = h.name ? (uint32_t)h.name_size : 0;
	m->control = h.control;
	m->control_size = h.control_size;
	if ((int32_t)m->name_size < 0)
		return -EINVAL;
	if (h.iov_count > LX_IOV_MAX)
		return -EMSGSIZE;
	return buffers_read(r, m, h.iov, h.iov_count);
}

/* Goes through the pieces of the buffers from offset on. */
static int64_t move(struct request *r, const struct message *m, uint64_t offset, char *here,
		    uint64_t n, bool in)
{
	int ep = srv_endpoint();

	for (unsigned i = 0; i < m->count && n; i++) {
		uint64_t piece = m->buffer[i].size, at;
		int64_t e;

		if (offset >= piece) {
			offset -= piece;
			continue;
		}
		piece -= offset;
		if (piece > n)
			piece = n;
		at = m->buffer[i].base + offset;
		e = in ? k_caller_read(ep, r->m->call, here, at, piece) :
			 k_caller_write(ep, r->m->call, at, here, piece);
		if (e < 0)
			return e;
		here += piece;
		n -= piece;
		offset = 0;
	}
	return 0;
}

int64_t message_gather(struct request *r, const struct message *m, uint64_t offset, void *to,
		       uint64_t n)
{
	return move(r, m, offset, to, n, true);
}

int64_t message_scatter(struct request *r, const struct message *m, uint64_t offset,
			const void *from, uint64_t n)
{
	return move(r, m, offset, (char *)from, n, false);
}

/* The address at `to` with room for `room` bytes, and how long it is at size_at. */
static int64_t tell_name(struct request *r, const struct socket *from, uint64_t to, uint32_t room,
			 uint64_t size_at)
{
	struct lx_sockaddr_un address;
	uint32_t size = 0;
	int64_t e = 0;

	if (from && from->name.size)
		size = name_address(from, &address);
	if (to && size && room)
		e = k_caller_write(srv_endpoint(), r->m->call, to, &address,
				   size < room ? size : room);
	if (e >= 0)
		e = k_caller_write(srv_endpoint(), r->m->call, size_at, &size, sizeof size);
	return e;
}

int64_t message_tell(struct request *r, const struct message *m, const struct socket *from)
{
	struct {
		uint64_t control_size;
		uint32_t flags;
	} __attribute__((packed))
	end = { m->control_used, m->out_flags | (m->flags & LX_MSG_CMSG_CLOEXEC) };
	int64_t e;

	if (!m->header)
		return m->name ? tell_name(r, from, m->name, m->name_size, m->name_size_at) : 0;
	e = tell_name(r, from, m->name, m->name_size,
		      m->header + offsetof(struct lx_msghdr, name_size));
	if (e >= 0)
		e = k_caller_write(srv_endpoint(), r->m->call,
				   m->header + offsetof(struct lx_msghdr, control_size), &end,
				   sizeof end);
	return e < 0 ? e : 0;
}
