/* SPDX-License-Identifier: MIT */
/*
 * Where packets of UDP, ping and raw sockets go: addresses, routes, control messages, and out
 * (datagram.h).
 */
#include <errno.h>
#include <string.h>

#include "datagram.h"
#include "glue.h"
#include "interface.h"
#include "lwip/ip.h"
#include "lwip/ip6.h"

#define NR_SENDTO 44
/* Beyond it the headers get a piece of their own: a pbuf's size has 16 bits */
#define PBUF_ROOMY 60000u

bool datagram_is_broadcast(const ip_addr_t *ip)
{
	uint32_t a;

	if (!IP_IS_V4(ip))
		return false;
	a = ip_2_ip4(ip)->addr;
	if (a == 0xffffffffu)
		return true;
	for (struct interface *i = interface_next(NULL); i; i = interface_next(i)) {
		uint32_t own = netif_ip4_addr(i->netif)->addr,
			 mask = netif_ip4_netmask(i->netif)->addr;

		if (i->broadcast.addr && i->broadcast.addr == a)
			return true;
		if (own && interface_mask_length(mask) < 31 && ((a ^ own) & mask) == 0 &&
		    (a | mask) == 0xffffffffu)
			return true;
	}
	return false;
}

/* --- addresses ---------------------------------------------------------------------------- */

bool datagram_own_family(const struct socket *s, const ip_addr_t *ip)
{
	return (s->family == LX_AF_INET6) == IP_IS_V6(ip);
}

int datagram_bind_check(struct net_request *r, const struct net_sockaddr *a,
			struct net_endpoint *at)
{
	struct net_sockaddr any = *a;
	int e;

	if (r->s->family == LX_AF_INET && a->size >= sizeof a->in && a->family == LX_AF_UNSPEC &&
	    !a->in.address)
		any.family = LX_AF_INET;	/* old programs leave it out */
	if (r->s->family == LX_AF_INET6 && a->size >= sizeof a->in && a->size >= 24 &&
	    a->family != LX_AF_INET6)
		return -EAFNOSUPPORT;
	if (r->s->family == LX_AF_INET6 && a->size < 24)
		return -EINVAL;
	e = net_endpoint_get(r->s, &any, at);
	if (e)
		return e == -ENETUNREACH ? -EINVAL : e;
	if (!net_address_bindable(&at->ip) && !datagram_is_broadcast(&at->ip) &&
	    !r->s->option.free_bind)
		return -EADDRNOTAVAIL;
	return 0;
}

int datagram_bind(struct net_request *r, struct datagram_ports *ports,
		  const struct net_endpoint *at)
{
	struct datagram *d = datagram_of(r->s);
	int e;

	if (d->bound || d->connected)
		return -EINVAL;
	if (ports != &udp_ports && !datagram_own_family(r->s, &at->ip))
		return -EADDRNOTAVAIL;
	d->local = *at;
	e = datagram_port_take(ports, d);
	if (e) {
		net_endpoint_any(r->s, &d->local);
		return e;
	}
	d->port_given = true;
	d->address_given = !ip_addr_isany_val(at->ip);
	return 0;
}

/* The zero address means this machine. */
static void any_is_loopback(ip_addr_t *ip)
{
	if (!ip_addr_isany(ip))
		return;
	if (IP_IS_V4(ip))
		ip_addr_set_loopback_val(false, *ip);
	else
		ip_addr_set_loopback_val(true, *ip);
}

static int destination(struct net_request *r, const struct net_message *msg,
		       struct net_endpoint *to)
{
	const struct datagram *d = datagram_of(r->s);
	int e;

	if (!msg->name.size) {
		if (r->m->number == NR_SENDTO && r->m->arg[4])
			return -EINVAL;
		if (!d->connected)
			return -EDESTADDRREQ;
		*to = d->peer;
		return 0;
	}
	if (r->s->family == LX_AF_INET6 && msg->name.size >= 2 &&
	    msg->name.family == LX_AF_UNSPEC && d->connected) {
		*to = d->peer;
		return 0;
	}
	e = net_endpoint_get(r->s, &msg->name, to);
	if (e == -EAFNOSUPPORT && r->s->family == LX_AF_INET6)
		e = -EINVAL;
	any_is_loopback(&to->ip);
	return e;
}

/* --- control messages --------------------------------------------------------------------- */

struct wishes {
	ip_addr_t from;
	bool from_set;
	uint32_t index;
	int32_t ttl, tos;	/* -1: not given */
};

static int wish_int(const void *data, uint32_t n, int32_t least, int32_t most, int32_t *out)
{
	int32_t v;

	if (n != sizeof v)
		return -EINVAL;
	memcpy(&v, data, sizeof v);
	if (v < least || v > most)
		return -EINVAL;
	*out = v;
	return 0;
}

static int wish4(struct wishes *w, int type, const void *data, uint32_t n)
{
	uint32_t info[3];

	switch (type) {
	case LX_IP_PKTINFO:
		if (n != sizeof info)
			return -EINVAL;
		memcpy(info, data, sizeof info);
		w->index = info[0];
		w->from_set = info[1] != 0;
		ip_addr_set_ip4_u32_val(w->from, info[1]);
		return 0;
	case LX_IP_TTL:
		return wish_int(data, n, 1, 255, &w->ttl);
	case LX_IP_TOS:
		if (n == 1) {
			w->tos = *(const uint8_t *)data;
			return 0;
		}
		return wish_int(data, n, 0, 255, &w->tos);
	}
	return -EINVAL;
}

static int wish6_info(struct wishes *w, const void *data, uint32_t n)
{
	uint32_t info[5];

	if (n < sizeof info)
		return -EINVAL;
	memcpy(info, data, sizeof info);
	w->index = info[4];
	if (!info[0] && !info[1] && info[2] == PP_HTONL(0xffff)) {
		ip_addr_set_ip4_u32_val(w->from, info[3]);
	} else {
		IP_ADDR6(&w->from, info[0], info[1], info[2], info[3]);
		if (ip6_addr_has_scope(ip_2_ip6(&w->from), IP6_UNICAST))
			ip6_addr_set_zone(ip_2_ip6(&w->from), (u8_t)w->index);
	}
	w->from_set = !ip_addr_isany_val(w->from);
	return 0;
}

static int wish6(struct wishes *w, int type, const void *data, uint32_t n)
{
	int32_t ignored;

	switch (type) {
	case LX_IPV6_PKTINFO:
		return wish6_info(w, data, n);
	case LX_IPV6_HOPLIMIT:
		return wish_int(data, n, -1, 255, &w->ttl);
	case LX_IPV6_TCLASS:
		return wish_int(data, n, -1, 255, &w->tos);
	case LX_IPV6_DONTFRAG:
		return wish_int(data, n, 0, 1, &ignored);
	}
	return -EINVAL;
}

static int wish_socket(struct net_request *r, int type, uint32_t n)
{
	switch (type) {
	case 1:		/* SCM_RIGHTS, SCM_CREDENTIALS: nothing here takes them */
	case 2:
		return 0;
	case LX_SO_MARK:
		return n != 4 ? -EINVAL : net_capable(r, NET_CAP_ADMIN) ? 0 : -EPERM;
	case LX_SO_TIMESTAMPING:
		return n != 4 ? -EINVAL : 0;
	}
	return -EINVAL;
}

static int wishes_read(struct net_request *r, const struct net_message *msg, struct wishes *w)
{
	int level, type, e = 0;
	const void *data;
	uint32_t at = 0, n;

	while (!e && net_control_next(msg, &at, &level, &type, &data, &n)) {
		if (level == LX_SOL_SOCKET)
			e = wish_socket(r, type, n);
		else if (level == LX_IPPROTO_IP)
			e = wish4(w, type, data, n);
		else if (level == LX_IPPROTO_IPV6 && r->s->family == LX_AF_INET6)
			e = wish6(w, type, data, n);
	}
	return e;
}

/* --- routes ------------------------------------------------------------------------------- */

static struct netif *loopback(void)
{
	struct interface *i = interface_next(NULL);

	while (i && !interface_is_loopback(i))
		i = interface_next(i);
	return i ? i->netif : NULL;
}

static int interface_choose(struct socket *s, const struct wishes *w, struct outgoing *o)
{
	const struct socket_options *v = &s->option;
	uint32_t index = w->index ? w->index : v->interface;
	const struct interface *i;

	if (!index && ip_addr_ismulticast(&o->to.ip))
		index = IP_IS_V4_VAL(o->to.ip) ? v->multicast_interface : v->multicast_interface6;
	if (!index && IP_IS_V6_VAL(o->to.ip))
		index = ip6_addr_zone(ip_2_ip6(&o->to.ip));
	if (o->local) {
		o->netif = ip_addr_isloopback(&o->to.ip) ? NULL : ip_route(&o->from, &o->to.ip);
		if (!o->netif)
			o->netif = loopback();
		return o->netif ? 0 : -ENETUNREACH;
	}
	if (!index) {
		o->netif = ip_route(&o->from, &o->to.ip);
		return o->netif ? 0 : -ENETUNREACH;
	}
	i = interface_by_index(index);
	if (!i)
		return -ENODEV;
	o->netif = i->netif;
	return netif_is_up(i->netif) ? 0 : -ENETUNREACH;
}

static int source_choose(const struct wishes *w, const struct datagram *d, struct outgoing *o)
{
	const ip_addr_t *from = w->from_set ? &w->from : &d->local.ip;
	const ip_addr_t *best;

	if (!ip_addr_isany(from) && !ip_addr_ismulticast(from) && !datagram_is_broadcast(from)) {
		if (IP_IS_V4(from) != IP_IS_V4_VAL(o->to.ip))
			return -ENETUNREACH;
		if (w->from_set && !net_address_local(from) && !d->s->option.free_bind)
			return -EINVAL;
		o->from = *from;
		return 0;
	}
	if (o->local) {
		o->from = o->to.ip;
		if (ip_addr_isloopback(&o->to.ip) && IP_IS_V4_VAL(o->to.ip))
			ip_addr_set_loopback_val(false, o->from);
		return 0;
	}
	if (IP_IS_V4_VAL(o->to.ip)) {
		ip_addr_copy_from_ip4(o->from, *netif_ip4_addr(o->netif));
		return ip_addr_isany_val(o->from) && !o->broadcast ? -ENETUNREACH : 0;
	}
	best = ip6_select_source_address(o->netif, ip_2_ip6(&o->to.ip));
	if (!best)
		return -EADDRNOTAVAIL;
	o->from = *best;
	return 0;
}

static void hops_choose(const struct socket_options *v, const struct wishes *w, struct outgoing *o)
{
	bool multicast = ip_addr_ismulticast(&o->to.ip);
	int ttl = multicast ? v->multicast_ttl : v->ttl, tos = v->tos;

	if (IP_IS_V6_VAL(o->to.ip)) {
		ttl = multicast ? (v->multicast_hops < 0 ? 1 : v->multicast_hops) : v->hops;
		tos = v->traffic_class;
	}
	if (w->ttl >= 0)
		ttl = w->ttl;
	o->ttl = ttl < 0 ? 64 : (uint8_t)ttl;
	o->tos = w->tos >= 0 ? (uint8_t)w->tos : (uint8_t)tos;
}

/* o->to is set. */
static int route(struct socket *s, const struct wishes *w, struct outgoing *o)
{
	int e;

	o->broadcast = datagram_is_broadcast(&o->to.ip);
	o->many = o->broadcast || ip_addr_ismulticast(&o->to.ip);
	if (o->broadcast && !s->option.broadcast)
		return -EACCES;
	o->local = !o->many && net_address_local(&o->to.ip);
	o->from = w->from_set ? w->from : datagram_of(s)->local.ip;
	if (IP_IS_V4_VAL(o->from) != IP_IS_V4_VAL(o->to.ip)) {
		if (IP_IS_V4_VAL(o->to.ip))
			ip_addr_set_zero_ip4(&o->from);
		else
			ip_addr_set_zero_ip6(&o->from);
	}
	e = interface_choose(s, w, o);
	if (!e && IP_IS_V6_VAL(o->to.ip) && ip6_addr_lacks_zone(ip_2_ip6(&o->to.ip), IP6_UNKNOWN))
		ip6_addr_assign_zone(ip_2_ip6(&o->to.ip), IP6_UNKNOWN, o->netif);
	if (!e)
		e = source_choose(w, datagram_of(s), o);
	hops_choose(&s->option, w, o);
	return e;
}

int datagram_route(struct net_request *r, const struct net_message *msg, struct outgoing *o)
{
	struct wishes w = { .ttl = -1, .tos = -1 };
	int e;

	memset(o, 0, sizeof *o);
	if (msg->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;
	e = destination(r, msg, &o->to);
	if (!e)
		e = wishes_read(r, msg, &w);
	if (!e)
		e = route(r->s, &w, o);
	return !e && datagram_of(r->s)->shut_write ? -EPIPE : e;
}

/* --- connections -------------------------------------------------------------------------- */

static void disconnect(struct datagram *d)
{
	uint16_t port = d->local.port;

	d->connected = false;
	if (!d->address_given) {
		net_endpoint_any(d->s, &d->local);
		d->local.port = port;
	}
	if (d->bound && !d->port_given) {
		datagram_port_drop(d);
		d->local.port = 0;
	}
}

int datagram_connect(struct net_request *r, const struct net_sockaddr *a,
		     struct datagram_ports *ports)
{
	static const struct wishes none = { .ttl = -1, .tos = -1 };
	struct datagram *d = datagram_of(r->s);
	struct net_endpoint old = d->local;
	struct outgoing o = { 0 };
	int e;

	if (a->size >= sizeof a->family && a->family == LX_AF_UNSPEC) {
		disconnect(d);
		return 0;
	}
	e = net_endpoint_get(r->s, a, &o.to);
	if (e)
		return e;
	any_is_loopback(&o.to.ip);
	if (!d->address_given) {
		net_endpoint_any(r->s, &d->local);
		d->local.port = old.port;
	}
	e = route(r->s, &none, &o);
	if (e) {
		d->local = old;
		return e;
	}
	d->local.ip = o.from;
	d->peer = o.to;
	d->connected = true;
	if (ports != &udp_ports)
		d->peer.port = 0;	/* it means nothing to ICMP and to raw sockets */
	return !ports || d->bound ? 0 : datagram_port_take(ports, d);
}

/* --- out ---------------------------------------------------------------------------------- */

struct pbuf *datagram_pbuf(uint32_t size, void **data)
{
	struct pbuf *p, *head;

	if (size > UINT16_MAX)
		return NULL;
	p = pbuf_alloc(size > PBUF_ROOMY ? PBUF_RAW : PBUF_TRANSPORT, (u16_t)size, PBUF_RAM);
	if (!p)
		return NULL;
	*data = p->payload;
	if (size <= PBUF_ROOMY)
		return p;
	head = pbuf_alloc(PBUF_TRANSPORT, 0, PBUF_RAM);
	if (!head) {
		pbuf_free(p);
		return NULL;
	}
	pbuf_cat(head, p);
	return head;
}

int64_t datagram_read(struct net_request *r, const struct net_message *msg, void *to)
{
	int64_t e = net_message_read(r, msg, 0, to, msg->size);

	return e || !r->s->error ? e : socket_error_take(r->s);
}

int64_t datagram_compose(struct net_request *r, const struct net_message *msg, struct pbuf **p,
			 void **data)
{
	int64_t e;

	*p = datagram_pbuf((uint32_t)msg->size, data);
	if (!*p)
		return -ENOBUFS;
	e = datagram_read(r, msg, *data);
	if (e)
		pbuf_free(*p);
	return e;
}

/* May it be sent in fragments? */
static bool fragments(const struct datagram *d, const struct outgoing *o, const struct pbuf *p)
{
	uint32_t header = IP_IS_V4_VAL(o->to.ip) ? IP_HLEN : IP6_HLEN;
	uint32_t most = o->netif->mtu ? o->netif->mtu : 65535;

	if (p->tot_len + header > 65535)
		return false;
	return p->tot_len + header <= most || d->s->option.mtu_discover < 2 ||
	       d->s->option.mtu_discover > 3;
}

int datagram_output(const struct datagram *d, const struct outgoing *o, struct pbuf *p,
		    uint8_t protocol)
{
	bool recverr =
		IP_IS_V4_VAL(o->to.ip) ? d->s->option.receive_error : d->s->option.receive_error6;
	int e;

	if (!fragments(d, o, p)) {
		pbuf_free(p);
		return -EMSGSIZE;
	}
	if (IP_IS_V4_VAL(o->to.ip))
		e = ip4_output_if_src(p, ip_2_ip4(&o->from), ip_2_ip4(&o->to.ip), o->ttl, o->tos,
				      protocol, o->netif);
	else
		e = ip6_output_if_src(p, ip_2_ip6(&o->from), ip_2_ip6(&o->to.ip), o->ttl, o->tos,
				      protocol, o->netif);
	pbuf_free(p);
	/* dropped on the way: as on Linux, nobody is told who did not ask */
	if (e == ERR_MEM || e == ERR_BUF)
		return recverr ? -ENOBUFS : 0;
	return net_lwip_errno(e);
}
