/* SPDX-License-Identifier: MIT */
/* Records of listening sockets (listener.h). */
#include "listener.h"

#include <string.h>

#include "saved.h"
#include "stream.h"

struct record {
	uint64_t cookie;		/* 0: free. Written last, cleared first */
	uint64_t cred;
	struct net_endpoint local;
	struct socket_options option;
	uint32_t uid;
	int32_t pid, backlog;
	int32_t source, in, out;	/* handles */
	int32_t max_segment, keep_idle, keep_interval, keep_count, defer_accept;
	uint16_t family;
	bool no_delay, alive;
};
#define RECORDS ((SAVED_LISTENERS_SIZE - 16u) / sizeof(struct record))

static struct record *records(void)
{
	static struct record *all;

	if (!all)
		all = saved_area(SAVED_LISTENERS, (uint32_t)sizeof(struct record) + 1000);
	return all;
}

static struct record *record_of(uint64_t cookie)
{
	for (size_t i = 0; i < RECORDS; i++) {
		if (records()[i].cookie == cookie)
			return &records()[i];
	}
	return NULL;
}

static void cookie_set(struct record *c, uint64_t cookie)
{
	__atomic_store_n(&c->cookie, cookie, __ATOMIC_RELEASE);
}

void listener_forget(struct stream *st)
{
	struct record *c = record_of(st->s->cookie);

	if (c)
		cookie_set(c, 0);
}

void listener_save(struct stream *st)
{
	const struct socket *s = st->s;
	struct record *c;

	listener_forget(st);	/* it is there already if its options have changed */
	c = record_of(0);
	if (!c)
		return;		/* so many: this one goes with the server */
	*c = (struct record){ .cred = s->cred,
			      .local = st->local,
			      .option = s->option,
			      .uid = s->uid,
			      .pid = s->pid,
			      .backlog = st->backlog,
			      .source = s->source,
			      .in = st->in->handle,
			      .out = st->out->handle,
			      .max_segment = st->max_segment,
			      .keep_idle = st->keep_idle,
			      .keep_interval = st->keep_interval,
			      .keep_count = st->keep_count,
			      .defer_accept = st->defer_accept,
			      .family = s->family,
			      .no_delay = st->no_delay };
	cookie_set(c, s->cookie);
}

/* --- taking over -------------------------------------------------------------------------- */

bool listener_owns(int handle)
{
	for (size_t i = 0; i < RECORDS; i++) {
		const struct record *c = &records()[i];

		if (c->cookie && (c->source == handle || c->in == handle || c->out == handle))
			return true;
	}
	return false;
}

void listener_keep(const uint64_t *cookies, long n)
{
	for (long i = 0; i < n; i++) {
		struct record *c = cookies[i] ? record_of(cookies[i]) : NULL;

		if (c)
			c->alive = true;
	}
}

static bool is_type(int handle, uint32_t type)
{
	struct k_handle_info i;

	return k_handle_info(handle, &i) >= 0 && i.type == type;
}

void listener_keep_end(void)
{
	for (size_t i = 0; i < RECORDS; i++) {
		struct record *c = &records()[i];

		if (!c->cookie)
			continue;
		if (!c->alive || !is_type(c->source, K_OBJECT_SOURCE) ||
		    !is_type(c->in, K_OBJECT_PIPE) || !is_type(c->out, K_OBJECT_PIPE))
			cookie_set(c, 0);
		c->alive = false;
	}
}

static bool restore(const struct record *c)
{
	struct socket *s = socket_restore(c->cookie, &socket_stream_ops, c->family, LX_SOCK_STREAM,
					  LX_IPPROTO_TCP, c->source);
	struct stream *st;

	if (!s)
		return false;
	s->option = c->option;
	s->uid = c->uid;
	s->pid = c->pid;
	s->cred = c->cred;
	st = stream_of(s);
	st->local = c->local;
	st->max_segment = c->max_segment;
	st->keep_idle = c->keep_idle;
	st->keep_interval = c->keep_interval;
	st->keep_count = c->keep_count;
	st->defer_accept = c->defer_accept;
	st->no_delay = c->no_delay;
	return !stream_restore(st, c->in, c->out, c->backlog);
}

void listener_restore(void)
{
	for (size_t i = 0; i < RECORDS; i++) {
		struct record *c = &records()[i];

		if (c->cookie && !restore(c))
			cookie_set(c, 0);
	}
}
