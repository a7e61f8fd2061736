/* SPDX-License-Identifier: MIT */
/*
 * Raw sockets (datagram.h): they see every packet of their protocol, and send what they are given
 * below an IP header (or with it: IP_HDRINCL). Of IPv4 they get the header, too; of IPv6 what comes
 * after all headers.
 */
#include <errno.h>
#include <string.h>

#include "datagram.h"
#include "lwip/inet_chksum.h"
#include "lwip/ip.h"
#include "lwip/prot/ip4.h"

#define LX_SOL_RAW 255
#define HEADER4 20u

static uint32_t listeners[256];		/* sockets of each protocol */
static uint16_t identification;

bool raw_wanted(uint8_t protocol)
{
	return listeners[protocol] != 0;
}

/* --- what comes --------------------------------------------------------------------------- */

/* ICMP_FILTER and ICMP6_FILTER: a set bit means that the type is not wanted. */
static bool filtered(const struct datagram *d, uint8_t type)
{
	if (d->s->protocol == LX_IPPROTO_ICMPV6 && d->s->family == LX_AF_INET6)
		return d->filter[type / 32] >> type % 32 & 1;
	return d->s->protocol == LX_IPPROTO_ICMP && type < 32 && d->filter[0] >> type & 1;
}

static bool checksum_right(const struct datagram *d, struct pbuf *p, uint16_t header)
{
	uint16_t sum;

	if (d->checksum_at < 0)
		return true;
	pbuf_remove_header(p, header);
	sum = ip_chksum_pseudo(p, (u8_t)d->s->protocol, p->tot_len, ip_current_src_addr(),
			       ip_current_dest_addr());
	pbuf_add_header_force(p, header);
	return !sum;
}

static bool wants(const struct datagram *d, const struct arrival *a, struct pbuf *p,
		  uint16_t header)
{
	const struct socket *s = d->s;

	if (s->ops != &socket_raw_ops || s->protocol != a->protocol ||
	    !datagram_own_family(s, &a->to.ip))
		return false;
	if (!datagram_fits(d, a) ||
	    (ip_addr_ismulticast(&a->to.ip) && !datagram_joined(d, &a->to.ip, a->index)))
		return false;
	if (p->tot_len > header && filtered(d, pbuf_get_at(p, header)))
		return false;
	return IP_IS_V4_VAL(a->to.ip) || checksum_right(d, p, header);
}

void raw_deliver(const struct arrival *a, struct pbuf *p, uint16_t header)
{
	uint16_t from = IP_IS_V4_VAL(a->to.ip) ? 0 : header;

	if (!listeners[a->protocol])
		return;
	for (struct datagram *d = datagram_first; d; d = d->next) {
		if (wants(d, a, p, header))
			datagram_put_copy(d, a, p, from, (uint16_t)(p->tot_len - from));
	}
}

void raw_fault(const struct fault *f, uint8_t protocol)
{
	struct arrival back = { .from = f->remote, .to = f->local };

	if (!listeners[protocol])
		return;
	for (struct datagram *d = datagram_first; d; d = d->next) {
		if (d->s->ops == &socket_raw_ops && d->s->protocol == protocol &&
		    datagram_own_family(d->s, &f->local.ip) && datagram_fits(d, &back))
			datagram_fault(d, f);
	}
}

/* --- names -------------------------------------------------------------------------------- */

/* The port means nothing. */
static int64_t raw_bind(struct net_request *r, const struct net_sockaddr *a)
{
	struct datagram *d = datagram_of(r->s);
	struct net_endpoint at;
	int e = datagram_bind_check(r, a, &at);

	if (e)
		return e;
	if (!datagram_own_family(r->s, &at.ip))
		return -EADDRNOTAVAIL;
	if (d->connected)
		return -EINVAL;
	d->local.ip = at.ip;
	d->address_given = !ip_addr_isany_val(at.ip);
	return 0;
}

static int64_t raw_connect(struct net_request *r, const struct net_sockaddr *a)
{
	return datagram_connect(r, a, NULL);
}

/* --- sending ------------------------------------------------------------------------------ */

/*
 * What Linux fills in of a header that is given: the length and the checksum always, the rest if it
 * is zero.
 */
static int header_finish(const struct outgoing *o, void *data, uint32_t size)
{
	struct ip_hdr *h = data;

	if (size < HEADER4 || IPH_V(h) != 4 || IPH_HL_BYTES(h) < HEADER4 || IPH_HL_BYTES(h) > size)
		return -EINVAL;
	IPH_LEN_SET(h, lwip_htons((u16_t)size));
	if (!h->src.addr)
		h->src.addr = ip_2_ip4(&o->from)->addr;
	if (!IPH_ID(h))
		IPH_ID_SET(h, lwip_htons(++identification));
	IPH_CHKSUM_SET(h, 0);
	IPH_CHKSUM_SET(h, inet_chksum(h, IPH_HL_BYTES(h)));
	return 0;
}

static int64_t send_with_header(struct net_request *r, const struct net_message *msg,
				const struct outgoing *o)
{
	struct pbuf *p;
	int64_t e;

	if (o->netif->mtu && msg->size > o->netif->mtu)
		return -EMSGSIZE;
	p = pbuf_alloc(PBUF_LINK, (u16_t)msg->size, PBUF_RAM);
	if (!p)
		return -ENOBUFS;
	e = datagram_read(r, msg, p->payload);
	if (!e)
		e = header_finish(o, p->payload, (uint32_t)msg->size);
	if (!e)
		ip4_output_if_src(p, NULL, LWIP_IP_HDRINCL, 0, 0, 0,
				  o->netif); /* what is dropped is dropped */
	pbuf_free(p);
	return e ? e : (int64_t)msg->size;
}

/* IPV6_CHECKSUM: where the checksum goes. */
static int checksum_put(const struct datagram *d, const struct outgoing *o, struct pbuf *p,
			uint8_t *data)
{
	uint16_t sum;

	if (d->checksum_at < 0 || IP_IS_V4_VAL(o->to.ip))
		return 0;
	if ((uint32_t)d->checksum_at + 2 > p->tot_len)
		return -EINVAL;
	memset(data + d->checksum_at, 0, 2);
	sum = ip_chksum_pseudo(p, (u8_t)d->s->protocol, p->tot_len, &o->from, &o->to.ip);
	memcpy(data + d->checksum_at, &sum, 2);
	return 0;
}

static int64_t raw_send(struct net_request *r, struct net_message *msg)
{
	struct datagram *d = datagram_of(r->s);
	struct outgoing o;
	struct pbuf *p;
	void *data;
	int64_t e;

	if (msg->size > UINT16_MAX)
		return -EMSGSIZE;
	e = datagram_route(r, msg, &o);
	if (!e && !datagram_own_family(r->s, &o.to.ip))
		e = -EINVAL;
	if (e)
		return e;
	if (r->s->option.header_included)
		return send_with_header(r, msg, &o);
	e = datagram_compose(r, msg, &p, &data);
	if (e)
		return e;
	e = checksum_put(d, &o, p, data);
	if (e) {
		pbuf_free(p);
		return e;
	}
	e = datagram_output(d, &o, p, (uint8_t)r->s->protocol);
	return e ? e : (int64_t)msg->size;
}

/* --- options ------------------------------------------------------------------------------ */

/* The words that there are; a shorter filter leaves the rest as it is. */
static int64_t filter_set(struct datagram *d, const void *value, uint32_t size, uint32_t most)
{
	memcpy(d->filter, value, size < most ? size : most);
	return 0;
}

static int64_t filter_get(const struct datagram *d, void *value, uint32_t *size, uint32_t most)
{
	memcpy(value, d->filter, most);
	*size = most;
	return 0;
}

static bool is_icmp(const struct socket *s, int level, int name)
{
	return level == LX_SOL_RAW && name == LX_ICMP_FILTER && s->family == LX_AF_INET &&
	       s->protocol == LX_IPPROTO_ICMP;
}

static bool is_icmp6(const struct socket *s, int level, int name)
{
	return level == LX_IPPROTO_ICMPV6 && name == LX_ICMPV6_FILTER && s->family == LX_AF_INET6 &&
	       s->protocol == LX_IPPROTO_ICMPV6;
}

static bool is_checksum(const struct socket *s, int level, int name)
{
	return (level == LX_IPPROTO_IPV6 || level == LX_SOL_RAW) && name == LX_IPV6_CHECKSUM &&
	       s->family == LX_AF_INET6;
}

static int64_t checksum_set(struct datagram *d, const void *value, uint32_t size)
{
	int32_t at;
	int e = net_option_int(value, size, &at);

	if (e)
		return e;
	if (at > 0 && at & 1)
		return -EINVAL;
	if (d->s->protocol == LX_IPPROTO_ICMPV6)
		return at == 2 ? 0 : -EINVAL;	/* it has its checksum in any case */
	d->checksum_at = at < 0 ? -1 : at;
	return 0;
}

static int64_t raw_set_option(struct net_request *r, int level, int name, const void *value,
			      uint32_t size, uint64_t from)
{
	struct datagram *d = datagram_of(r->s);
	int32_t on;
	int e;

	if (is_icmp(r->s, level, name))
		return filter_set(d, value, size, sizeof d->filter[0]);
	if (is_icmp6(r->s, level, name))
		return filter_set(d, value, size, sizeof d->filter);
	if (is_checksum(r->s, level, name))
		return checksum_set(d, value, size);
	if (level != LX_IPPROTO_IP || name != LX_IP_HDRINCL || r->s->family != LX_AF_INET)
		return datagram_set_option(r, level, name, value, size, from);
	e = net_option_int_short(value, size, &on);
	if (e)
		return e;
	r->s->option.header_included = on != 0;
	return 0;
}

static int64_t raw_get_option(struct net_request *r, int level, int name, void *value,
			      uint32_t *size)
{
	const struct datagram *d = datagram_of(r->s);

	if (is_icmp(r->s, level, name))
		return filter_get(d, value, size, sizeof d->filter[0]);
	if (is_icmp6(r->s, level, name))
		return filter_get(d, value, size, sizeof d->filter);
	if (is_checksum(r->s, level, name))
		return net_option_put(value, size, d->checksum_at);
	if (level == LX_IPPROTO_IP && name == LX_IP_HDRINCL && r->s->family == LX_AF_INET)
		return net_option_put(value, size, r->s->option.header_included);
	return datagram_get_option(r, level, name, value, size);
}

/* --- beginning and end -------------------------------------------------------------------- */

static int raw_create(struct net_request *r, struct socket *s)
{
	int e = datagram_create(r, s);
	struct datagram *d = datagram_of(s);

	if (e)
		return e;
	e = tap_add((uint8_t)s->protocol);
	if (e) {
		datagram_destroy(s);
		return e;
	}
	listeners[(uint8_t)s->protocol]++;
	d->local.port = s->protocol;	/* what getsockname shows */
	if (s->protocol == LX_IPPROTO_ICMPV6 && s->family == LX_AF_INET6)
		d->checksum_at = 2;
	s->option.header_included = s->protocol == LX_IPPROTO_RAW;
	return 0;
}

static bool raw_destroy(struct socket *s)
{
	if (!datagram_of(s))
		return false;
	listeners[(uint8_t)s->protocol]--;
	tap_remove((uint8_t)s->protocol);
	return datagram_destroy(s);
}

const struct socket_ops socket_raw_ops = {
	.name = "raw",
	.plane = K_PLANE_NONE,
	.create = raw_create,
	.destroy = raw_destroy,
	.bind = raw_bind,
	.connect = raw_connect,
	.shutdown = datagram_shutdown,
	.name_of = datagram_name,
	.send = raw_send,
	.recv = datagram_recv,
	.set_option = raw_set_option,
	.get_option = raw_get_option,
	.ioctl = datagram_ioctl,
	.ready = datagram_ready,
};
