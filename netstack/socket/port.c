/* SPDX-License-Identifier: MIT */
/*
 * Which TCP ports are taken. lwIP knows only connections over the wire, and only once they begin,
 * so the rules of bind() are here: two sockets may share a port if their addresses differ, or if
 * both say SO_REUSEADDR and neither listens.
 */
#include <errno.h>

#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"
#include "glue.h"
#include "stream.h"

#define CHAINS 256u
#define EPHEMERAL_FIRST 32768u
#define EPHEMERAL_COUNT 28232u

static struct stream *chains[CHAINS];

static bool takes_both(const struct stream *st)
{
	return st->s->family == LX_AF_INET6 && !st->s->option.v6_only;
}

/*
 * Do two local addresses have an address in common? The zero address of an IPv6 socket means IPv4,
 * too, unless V6ONLY.
 */
static bool overlap(const struct stream *a, const struct stream *b)
{
	bool any_a = ip_addr_isany_val(a->local.ip), any_b = ip_addr_isany_val(b->local.ip);
	bool same = IP_GET_TYPE(&a->local.ip) == IP_GET_TYPE(&b->local.ip);

	if (any_a && any_b)
		return same || takes_both(a) || takes_both(b);
	if (any_a)
		return same || takes_both(a);
	if (any_b)
		return same || takes_both(b);
	return ip_addr_eq(&a->local.ip, &b->local.ip);
}

/* SO_REUSEPORT: sockets of one user, all of which say so. */
static bool may_share(const struct stream *a, const struct stream *b)
{
	return a->s->option.reuse_port && b->s->option.reuse_port && a->s->uid == b->s->uid;
}

static bool conflict(const struct stream *st, const struct stream *with)
{
	if (st == with || st->local.port != with->local.port || !overlap(st, with))
		return false;
	if (st->s->option.interface && with->s->option.interface &&
	    st->s->option.interface != with->s->option.interface)
		return false;
	if (may_share(st, with))
		return false;
	return !(st->s->option.reuse_address && with->s->option.reuse_address &&
		 with->state != STREAM_LISTENING);
}

/* Connections that lwIP ends by itself: only SO_REUSEADDR ignores them. */
static bool lingers(uint16_t port)
{
	const struct tcp_pcb *pcb;

	for (pcb = tcp_tw_pcbs; pcb; pcb = pcb->next) {
		if (pcb->local_port == port)
			return true;
	}
	for (pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
		if (pcb->local_port == port && !pcb->callback_arg)
			return true;
	}
	return false;
}

static bool port_free(const struct stream *st)
{
	for (const struct stream *p = chains[st->local.port % CHAINS]; p; p = p->port_next) {
		if (conflict(st, p))
			return false;
	}
	return st->s->option.reuse_address || !lingers(st->local.port);
}

static bool port_unused(uint16_t port)
{
	for (const struct stream *p = chains[port % CHAINS]; p; p = p->port_next) {
		if (p->local.port == port)
			return false;
	}
	return !lingers(port);
}

static void port_link(struct stream *st)
{
	struct stream **at = &chains[st->local.port % CHAINS];

	st->port_next = *at;
	st->port_at = at;
	if (*at)
		(*at)->port_at = &st->port_next;
	*at = st;
	st->bound = true;
}

int port_take(struct stream *st)
{
	uint32_t start = net_random32() % EPHEMERAL_COUNT;

	if (st->local.port) {
		if (!port_free(st))
			return -EADDRINUSE;
		port_link(st);
		return 0;
	}
	for (uint32_t i = 0; i < EPHEMERAL_COUNT; i++) {
		uint16_t port = (uint16_t)(EPHEMERAL_FIRST + (start + i) % EPHEMERAL_COUNT);

		if (!port_unused(port))
			continue;
		st->local.port = port;
		port_link(st);
		return 0;
	}
	return -EADDRINUSE;
}

void port_share(struct stream *child)
{
	port_link(child);
}

void port_drop(struct stream *st)
{
	if (!st->bound)
		return;
	*st->port_at = st->port_next;
	if (st->port_next)
		st->port_next->port_at = st->port_at;
	st->bound = false;
}

bool port_may_listen(const struct stream *st)
{
	for (const struct stream *p = chains[st->local.port % CHAINS]; p; p = p->port_next) {
		if (p != st && p->state == STREAM_LISTENING && p->local.port == st->local.port &&
		    overlap(st, p) && !may_share(st, p))
			return false;
	}
	return true;
}

/* How well a listener fits: 2 names the address, 1 listens everywhere, 0 is another's. */
static int fit(const struct stream *p, const struct net_endpoint *at)
{
	if (p->state != STREAM_LISTENING || p->local.port != at->port)
		return 0;
	if (ip_addr_eq(&p->local.ip, &at->ip))
		return 2;
	return ip_addr_isany_val(p->local.ip) &&
	       (IP_GET_TYPE(&p->local.ip) == IP_GET_TYPE(&at->ip) || takes_both(p));
}

/* Of several that share a port each gets its part. */
struct stream *port_listener(const struct net_endpoint *at)
{
	struct stream *best = NULL;
	uint32_t alike = 0;
	int best_fit = 0;

	for (struct stream *p = chains[at->port % CHAINS]; p; p = p->port_next) {
		int f = fit(p, at);

		if (f < best_fit || !f)
			continue;
		alike = f == best_fit ? alike + 1 : 1;
		best_fit = f;
		if (alike == 1 || net_random32() % alike == 0)
			best = p;
	}
	return best;
}

struct stream *port_twin(const struct stream *st)
{
	for (struct stream *p = chains[st->local.port % CHAINS]; p; p = p->port_next) {
		if (p != st && p->state == STREAM_LISTENING && p->local.port == st->local.port &&
		    ip_addr_eq(&p->local.ip, &st->local.ip))
			return p;
	}
	return NULL;
}
