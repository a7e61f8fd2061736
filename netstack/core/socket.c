/* SPDX-License-Identifier: MIT */
/* Sockets: found by cookie, made, opened, closed; their readiness and errors (socket.h). */
#include "socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shares.h"

#define CHAINS 256u
/* Inode numbers look like those of a system that has run for a while */
#define FIRST_NUMBER 5000u

static struct socket *chains[CHAINS];
struct socket *socket_first;
static struct socket *last;
static unsigned count;
static uint64_t number = (1ull << 32) + FIRST_NUMBER;
uint32_t socket_default_buffer[2] = { 212992, 212992 };

unsigned socket_count(void)
{
	return count;
}

void socket_numbers_after(uint64_t cookie)
{
	if (number <= cookie)
		number = cookie + 1;
}

struct socket *socket_find(uint64_t cookie)
{
	struct socket *s = chains[cookie % CHAINS];

	while (s && s->cookie != cookie)
		s = s->chain;
	return s;
}

static void socket_hash(struct socket *s, uint64_t cookie)
{
	s->cookie = cookie;
	s->chain = chains[s->cookie % CHAINS];
	chains[s->cookie % CHAINS] = s;
}

static void socket_unhash(struct socket *s)
{
	struct socket **at = &chains[s->cookie % CHAINS];

	while (*at != s)
		at = &(*at)->chain;
	*at = s->chain;
}

void socket_renumber(struct socket *s)
{
	socket_unhash(s);
	socket_hash(s, number++);
}

static void socket_link(struct socket *s, uint64_t cookie)
{
	s->prev = last;
	*(last ? &last->next : &socket_first) = s;
	last = s;
	count++;
	socket_hash(s, cookie);
}

static void socket_unlink(struct socket *s)
{
	socket_unhash(s);
	*(s->next ? &s->next->prev : &last) = s->prev;
	*(s->prev ? &s->prev->next : &socket_first) = s->next;
	count--;
}

/* --- making, ending ----------------------------------------------------------------------- */

static bool too_many(uint32_t uid)
{
	unsigned own = 0;

	if (proto_sockets_full(count, uid))
		return true;
	if (count < PROTO_SOCKETS_OF_ONE || !uid)
		return false;
	for (const struct socket *s = socket_first; s; s = s->next)
		own += s->uid == uid;
	return own >= PROTO_SOCKETS_OF_ONE;
}

static void options_default(struct socket *s)
{
	struct socket_options *o = &s->option;

	*o = (struct socket_options){ .ttl = -1,
				      .hops = -1,
				      .multicast_hops = -1,
				      .multicast_ttl = 1,
				      .multicast_loop = true,
				      .multicast_loop6 = true,
				      .multicast_all = true,
				      .mtu_discover = 1,
				      .receive_low = 1,
				      .receive_buffer = socket_default_buffer[0],
				      .send_buffer = socket_default_buffer[1] };
}

static void socket_owner(struct net_request *r, struct socket *s, const struct socket *like)
{
	if (like) {
		s->uid = like->uid;
		s->pid = like->pid;
		s->cred = like->cred;
		s->option = like->option;
		return;
	}
	s->uid = net_cred(r)->fsuid;
	s->pid = (int)r->m->pid;
	s->cred = r->m->cred;
	options_default(s);
}

int socket_new(struct net_request *r, const struct socket_ops *ops, int family, int type,
	       int protocol, const struct socket *like, struct socket **out)
{
	struct socket *s;
	int e;

	if (too_many(like ? like->uid : net_cred(r)->fsuid))
		return -ENFILE;
	s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->ops = ops;
	s->family = (uint16_t)family;
	s->type = (uint16_t)type;
	s->protocol = (uint16_t)protocol;
	socket_owner(r, s, like);
	s->source = (int)k_source_create();
	socket_link(s, number++);
	if (s->source < 0) {
		e = s->source;
		socket_free(s);
		return e;
	}
	e = ops->create ? ops->create(r, s) : 0;
	if (e) {
		socket_close(s);
		return e;
	}
	*out = s;
	return 0;
}

struct socket *socket_restore(uint64_t cookie, const struct socket_ops *ops, int family, int type,
			      int protocol, int source)
{
	struct socket *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->ops = ops;
	s->family = (uint16_t)family;
	s->type = (uint16_t)type;
	s->protocol = (uint16_t)protocol;
	s->source = source;
	s->opened = true;
	socket_link(s, cookie);
	if (!ops->create(NULL, s))
		return s;
	socket_close(s);
	return NULL;
}

int socket_open(struct socket *s, int pipe_in, int pipe_out, uint32_t flags)
{
	struct k_description d = { .cookie = s->cookie,
				   .status = LX_O_RDWR |
					     (flags & LX_SOCK_NONBLOCK ? LX_O_NONBLOCK : 0),
				   .plane = s->ops->plane,
				   .object = pipe_in,
				   .object2 = pipe_out,
				   .source = s->source,
				   .flags = K_DESCRIPTION_EAGER | K_DESCRIPTION_NOSEEK };
	int h;

	if (s->ops->ready)
		socket_changed(s, 0);
	h = (int)k_description_create(srv_endpoint(), &d);
	if (h >= 0)
		s->opened = true;
	return h;
}

void socket_free(struct socket *s)
{
	net_wake(&s->readers);	/* (nobody: a parked call pins its description) */
	net_wake(&s->writers);
	socket_unlink(s);
	if (s->source >= 0)
		k_handle_close(s->source);
	free(s);
}

void socket_close(struct socket *s)
{
	s->closed = true;
	if (!s->ops->destroy || !s->ops->destroy(s))
		socket_free(s);
}

/* --- readiness, errors -------------------------------------------------------------------- */

#define LEVELS (LX_POLLIN | LX_POLLPRI | LX_POLLOUT | LX_POLLERR | LX_POLLHUP | LX_POLLRDHUP)

void socket_changed(struct socket *s, uint32_t events)
{
	uint32_t now = s->ops->ready ? s->ops->ready(s) : s->ready;

	if (s->error)
		now |= LX_POLLERR;
	if (now != s->ready || events & now)
		k_source_set(s->source, now, LEVELS & ~now, (events & now) != 0);
	s->ready = now;
	if (s->readers.first && now & (LX_POLLIN | LX_POLLERR | LX_POLLHUP | LX_POLLRDHUP))
		net_wake(&s->readers);
	if (s->writers.first && now & (LX_POLLOUT | LX_POLLERR | LX_POLLHUP))
		net_wake(&s->writers);
}

void socket_error_set(struct socket *s, int error)
{
	s->error = error;
	if (s->ops->ready)
		socket_changed(s, LX_POLLERR);
	else if (s->ops->error_changed)
		s->ops->error_changed(s);
}

int socket_error_take(struct socket *s)
{
	int e = -s->error;

	if (!e)
		return 0;
	s->error = 0;
	if (s->ops->ready)
		socket_changed(s, 0);
	else if (s->ops->error_changed)
		s->ops->error_changed(s);
	return e;
}
