/* SPDX-License-Identifier: MIT */
/*
 * Ping sockets (SOCK_DGRAM of ICMP): echo requests out, the replies to them back. The identifier in
 * the packets is the socket's port (datagram.h).
 */
#include <errno.h>
#include <string.h>

#include "datagram.h"
#include "lwip/icmp.h"
#include "lwip/inet_chksum.h"
#include "lwip/prot/icmp.h"
#include "lwip/prot/icmp6.h"

#define HEADER 8u

static bool fits(const struct datagram *d, const struct arrival *a, uint16_t id)
{
	return d->local.port == id && datagram_fits(d, a);
}

void ping_deliver(const struct arrival *a, struct pbuf *p, uint16_t from)
{
	uint8_t h[HEADER];
	uint16_t id;

	if (pbuf_copy_partial(p, h, sizeof h, from) < sizeof h ||
	    h[0] != (IP_IS_V4_VAL(a->to.ip) ? ICMP_ER : ICMP6_TYPE_EREP))
		return;
	id = (uint16_t)(h[4] << 8 | h[5]);
	for (struct datagram *d = datagram_port_first(&ping_ports, id); d; d = d->port_next) {
		if (fits(d, a, id))
			datagram_put_copy(d, a, p, from, (uint16_t)(p->tot_len - from));
	}
}

void ping_fault(const struct fault *f)
{
	struct arrival back = { .from = f->remote, .to = f->local };

	for (struct datagram *d = datagram_port_first(&ping_ports, f->local.port); d;
	     d = d->port_next) {
		if (fits(d, &back, f->local.port)) {
			datagram_fault(d, f);
			return;
		}
	}
}

static int64_t ping_bind(struct net_request *r, const struct net_sockaddr *a)
{
	struct net_endpoint at;
	int e = datagram_bind_check(r, a, &at);

	return e ? e : datagram_bind(r, &ping_ports, &at);
}

static int64_t ping_connect(struct net_request *r, const struct net_sockaddr *a)
{
	return datagram_connect(r, a, &ping_ports);
}

/* Only echo requests may be sent; identifier and checksum are ours. */
static int request_finish(const struct datagram *d, const struct outgoing *o, struct pbuf *p,
			  uint8_t *data)
{
	bool six = IP_IS_V6_VAL(o->to.ip);
	uint16_t id = lwip_htons(d->local.port), sum;

	if (data[0] != (six ? ICMP6_TYPE_EREQ : ICMP_ECHO) || data[1])
		return -EINVAL;
	memset(data + 2, 0, 2);
	memcpy(data + 4, &id, 2);
	sum = six ? ip_chksum_pseudo(p, LX_IPPROTO_ICMPV6, p->tot_len, &o->from, &o->to.ip) :
		    inet_chksum_pbuf(p);
	memcpy(data + 2, &sum, 2);
	return 0;
}

static int64_t ping_send(struct net_request *r, struct net_message *msg)
{
	struct datagram *d = datagram_of(r->s);
	struct outgoing o;
	struct pbuf *p;
	void *data;
	int64_t e;

	if (msg->size > UINT16_MAX - 40)
		return -EMSGSIZE;
	if (msg->size < HEADER)
		return -EINVAL;
	e = datagram_route(r, msg, &o);
	if (!e && !datagram_own_family(r->s, &o.to.ip))
		e = -EINVAL;
	if (!e && !d->bound)
		e = datagram_port_take(&ping_ports, d);
	if (!e)
		e = datagram_compose(r, msg, &p, &data);
	if (e)
		return e;
	e = request_finish(d, &o, p, data);
	if (e) {
		pbuf_free(p);
		return e;
	}
	e = datagram_output(d, &o, p, (uint8_t)r->s->protocol);
	return e ? e : (int64_t)msg->size;
}

const struct socket_ops socket_ping_ops = {
	.name = "ping",
	.plane = K_PLANE_NONE,
	.create = datagram_create,
	.destroy = datagram_destroy,
	.bind = ping_bind,
	.connect = ping_connect,
	.shutdown = datagram_shutdown,
	.name_of = datagram_name,
	.send = ping_send,
	.recv = datagram_recv,
	.set_option = datagram_set_option,
	.get_option = datagram_get_option,
	.ioctl = datagram_ioctl,
	.ready = datagram_ready,
};
