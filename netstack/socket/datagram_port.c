/* SPDX-License-Identifier: MIT */
/* Which of UDP's ports and ping's identifiers are taken (datagram.h). Two sockets share one if
   their addresses differ, if both say SO_REUSEADDR, or both SO_REUSEPORT and one user has them. */
#include <errno.h>

#include "datagram.h"
#include "glue.h"

#define EPHEMERAL_FIRST 32768u
#define EPHEMERAL_COUNT 28232u

struct datagram_ports udp_ports, ping_ports;

static bool takes_both(const struct datagram *d)
{
	return IP_IS_V6_VAL(d->local.ip) && !d->s->option.v6_only && d->s->ops == &socket_udp_ops;
}

/* Do two local addresses have an address in common? */
static bool overlap(const struct datagram *a, const struct datagram *b)
{
	bool same = IP_IS_V4_VAL(a->local.ip) == IP_IS_V4_VAL(b->local.ip);
	bool any_a = ip_addr_isany_val(a->local.ip), any_b = ip_addr_isany_val(b->local.ip);

	if (any_a && (same || takes_both(a)))
		return true;
	if (any_b && (same || takes_both(b)))
		return true;
	return ip_addr_eq(&a->local.ip, &b->local.ip);
}

static bool conflict(const struct datagram *a, const struct datagram *b)
{
	const struct socket_options *x = &a->s->option, *y = &b->s->option;

	if (a == b || a->local.port != b->local.port || !overlap(a, b))
		return false;
	if (x->interface && y->interface && x->interface != y->interface)
		return false;
	return !(x->reuse_address && y->reuse_address) &&
	       !(x->reuse_port && y->reuse_port && a->s->uid == b->s->uid);
}

static bool port_free(const struct datagram_ports *ports, const struct datagram *d)
{
	for (const struct datagram *p = datagram_port_first(ports, d->local.port); p;
	     p = p->port_next) {
		if (conflict(d, p))
			return false;
	}
	return true;
}

/* Nobody has it at all. */
static bool port_unused(const struct datagram_ports *ports, uint16_t port)
{
	for (const struct datagram *p = datagram_port_first(ports, port); p; p = p->port_next) {
		if (p->local.port == port)
			return false;
	}
	return true;
}

static void port_link(struct datagram_ports *ports, struct datagram *d)
{
	struct datagram **at = &ports->chain[d->local.port % DATAGRAM_CHAINS];

	d->port_next = *at;
	d->port_at = at;
	if (*at)
		(*at)->port_at = &d->port_next;
	*at = d;
	d->bound = true;
}

int datagram_port_take(struct datagram_ports *ports, struct datagram *d)
{
	uint32_t start = net_random32() % EPHEMERAL_COUNT;

	if (d->local.port) {
		if (!port_free(ports, d))
			return -EADDRINUSE;
		port_link(ports, d);
		return 0;
	}
	for (uint32_t i = 0; i < EPHEMERAL_COUNT; i++) {
		uint16_t port = (uint16_t)(EPHEMERAL_FIRST + (start + i) % EPHEMERAL_COUNT);

		if (!port_unused(ports, port))
			continue;
		d->local.port = port;
		port_link(ports, d);
		return 0;
	}
	return -EADDRINUSE;
}

void datagram_port_drop(struct datagram *d)
{
	if (!d->bound)
		return;
	*d->port_at = d->port_next;
	if (d->port_next)
		d->port_next->port_at = d->port_at;
	d->bound = false;
}
