/* SPDX-License-Identifier: MIT */
/*
 * Socket options that every kind has: SOL_SOCKET, IP and IPV6. What is no more than a checked
 * number in struct socket_options is a line in `rules`; the rest are functions. What nobody does is
 * ENOPROTOOPT: programs test for it.
 */
#include "options.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "interface.h"
#include "socket.h"

#define BUFFER_MAX 212992
#define BUFFER_MIN_RECEIVE 2304
#define BUFFER_MIN_SEND 4608

int net_option_int(const void *value, uint32_t size, int32_t *out)
{
	if (size < sizeof *out)
		return -EINVAL;
	memcpy(out, value, sizeof *out);
	return 0;
}

int net_option_int_short(const void *value, uint32_t size, int32_t *out)
{
	if (size >= sizeof *out)
		return net_option_int(value, size, out);
	if (!size)
		return -EINVAL;
	*out = *(const uint8_t *)value;
	return 0;
}

int64_t net_option_put(void *value, uint32_t *size, int32_t n)
{
	memcpy(value, &n, sizeof n);
	*size = sizeof n;
	return 0;
}

/* --- plain numbers ------------------------------------------------------------------------ */

enum { BOOL, U8, I16, I32, U32 };
#define SHORT	1u	/* one byte will do */
#define NO_TCP	2u	/* not for streams */
#define FIELD(type, name) type, offsetof(struct socket_options, name)

static const struct rule {
	int16_t level, name;
	uint8_t type;
	uint16_t offset;
	uint8_t flags;
	int32_t min, max;
} rules[] = {
	{ LX_SOL_SOCKET, LX_SO_REUSEADDR, FIELD(BOOL, reuse_address), 0, 0, 0 },
	{ LX_SOL_SOCKET, LX_SO_REUSEPORT, FIELD(BOOL, reuse_port), 0, 0, 0 },
	{ LX_SOL_SOCKET, LX_SO_KEEPALIVE, FIELD(BOOL, keepalive), 0, 0, 0 },
	{ LX_SOL_SOCKET, LX_SO_BROADCAST, FIELD(BOOL, broadcast), 0, 0, 0 },
	{ LX_SOL_SOCKET, LX_SO_OOBINLINE, FIELD(BOOL, oob_inline), 0, 0, 0 },
	{ LX_SOL_SOCKET, LX_SO_DONTROUTE, FIELD(BOOL, dont_route), 0, 0, 0 },
	{ LX_SOL_SOCKET, LX_SO_NO_CHECK, FIELD(BOOL, no_check), 0, 0, 0 },
	{ LX_SOL_SOCKET, LX_SO_PASSCRED, FIELD(BOOL, pass_cred), 0, 0, 0 },
	{ LX_SOL_SOCKET, LX_SO_TIMESTAMP, FIELD(BOOL, timestamp), 0, 0, 0 },
	{ LX_SOL_SOCKET, LX_SO_TIMESTAMPNS, FIELD(BOOL, timestamp_ns), 0, 0, 0 },
	{ LX_IPPROTO_IP, LX_IP_MTU_DISCOVER, FIELD(U8, mtu_discover), SHORT, 0, 5 },
	{ LX_IPPROTO_IP, LX_IP_RECVERR, FIELD(BOOL, receive_error), SHORT, 0, 0 },
	{ LX_IPPROTO_IP, LX_IP_FREEBIND, FIELD(BOOL, free_bind), SHORT, 0, 0 },
	{ LX_IPPROTO_IP, LX_IP_PKTINFO, FIELD(BOOL, pkt_info), SHORT, 0, 0 },
	{ LX_IPPROTO_IP, LX_IP_RECVTTL, FIELD(BOOL, receive_ttl), SHORT, 0, 0 },
	{ LX_IPPROTO_IP, LX_IP_RECVTOS, FIELD(BOOL, receive_tos), SHORT, 0, 0 },
	{ LX_IPPROTO_IP, LX_IP_RECVORIGDSTADDR, FIELD(BOOL, receive_origin), SHORT, 0, 0 },
	{ LX_IPPROTO_IP, LX_IP_MULTICAST_LOOP, FIELD(BOOL, multicast_loop), SHORT, 0, 0 },
	{ LX_IPPROTO_IP, LX_IP_MULTICAST_ALL, FIELD(BOOL, multicast_all), SHORT, 0, 1 },
	{ LX_IPPROTO_IPV6, LX_IPV6_UNICAST_HOPS, FIELD(I16, hops), 0, -1, 255 },
	{ LX_IPPROTO_IPV6, LX_IPV6_MULTICAST_HOPS, FIELD(I16, multicast_hops), NO_TCP, -1, 255 },
	{ LX_IPPROTO_IPV6, LX_IPV6_MULTICAST_LOOP, FIELD(BOOL, multicast_loop6), 0, 0, 1 },
	{ LX_IPPROTO_IPV6, LX_IPV6_MTU_DISCOVER, FIELD(U8, mtu_discover), 0, 0, 5 },
	{ LX_IPPROTO_IPV6, LX_IPV6_RECVERR, FIELD(BOOL, receive_error6), 0, 0, 0 },
	{ LX_IPPROTO_IPV6, LX_IPV6_RECVPKTINFO, FIELD(BOOL, pkt_info6), 0, 0, 0 },
	{ LX_IPPROTO_IPV6, LX_IPV6_RECVHOPLIMIT, FIELD(BOOL, receive_hops), 0, 0, 0 },
	{ LX_IPPROTO_IPV6, LX_IPV6_RECVTCLASS, FIELD(BOOL, receive_class), 0, 0, 0 },
};

static const struct rule *rule_find(int level, int name)
{
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		if (rules[i].level == level && rules[i].name == name)
			return &rules[i];
	}
	return NULL;
}

static int64_t rule_set(struct socket *s, const struct rule *u, const void *value, uint32_t size)
{
	void *at = (char *)&s->option + u->offset;
	int32_t n;
	int e = u->flags & SHORT ? net_option_int_short(value, size, &n) :
				   net_option_int(value, size, &n);

	if (e)
		return e;
	if (u->flags & NO_TCP && s->type == LX_SOCK_STREAM)
		return -ENOPROTOOPT;
	if ((u->min || u->max) && (n < u->min || n > u->max))
		return -EINVAL;
	switch (u->type) {
	case BOOL:
		*(bool *)at = n != 0;
		break;
	case U8:
		*(uint8_t *)at = (uint8_t)n;
		break;
	case I16:
		*(int16_t *)at = (int16_t)n;
		break;
	default:
		*(int32_t *)at = n;
	}
	return 0;
}

static int32_t rule_get(const struct socket *s, const struct rule *u)
{
	const void *at = (const char *)&s->option + u->offset;

	switch (u->type) {
	case BOOL:
		return *(const bool *)at;
	case U8:
		return *(const uint8_t *)at;
	default:
		return *(const int32_t *)at;
	}
}

/* --- SOL_SOCKET --------------------------------------------------------------------------- */

static int64_t buffer_set(struct net_request *r, bool send, bool force, int32_t n)
{
	uint32_t *at = send ? &r->s->option.send_buffer : &r->s->option.receive_buffer;
	uint32_t least = send ? BUFFER_MIN_SEND : BUFFER_MIN_RECEIVE;

	if (force && !net_capable(r, NET_CAP_ADMIN))
		return -EPERM;
	if (n > BUFFER_MAX)
		n = BUFFER_MAX;
	*at = n < 0 || (uint32_t)n * 2 < least ? least : (uint32_t)n * 2;
	return 0;
}

static int64_t timeout_set(int64_t *at, const void *value, uint32_t size)
{
	struct lx_timeval t;

	if (size < sizeof t)
		return -EINVAL;
	memcpy(&t, value, sizeof t);
	if (t.usec < 0 || t.usec >= 1000000)
		return -EDOM;
	if (t.sec < 0)
		*at = 1;	/* a moment: Linux does not wait at all */
	else if (t.sec > 1000000000)
		*at = 0;
	else
		*at = t.sec * 1000000000 + t.usec * 1000;
	return 0;
}

static int64_t timeout_get(int64_t ns, void *value, uint32_t *size)
{
	struct lx_timeval t = { ns / 1000000000, ns % 1000000000 / 1000 };

	memcpy(value, &t, sizeof t);
	*size = sizeof t;
	return 0;
}

static int64_t linger_set(struct socket *s, const void *value, uint32_t size)
{
	struct lx_linger l;

	if (size < sizeof l)
		return -EINVAL;
	memcpy(&l, value, sizeof l);
	s->option.linger = l.on != 0;
	if (l.on)
		s->option.linger_seconds = l.seconds;
	return 0;
}

/*
 * Taking an interface away again, or from another program's socket, needs the capability; the first
 * choice does not.
 */
static int64_t device_set(struct net_request *r, uint32_t index)
{
	if (r->s->option.interface && !net_capable(r, NET_CAP_RAW))
		return -EPERM;
	if (index && !interface_by_index(index))
		return -ENODEV;
	r->s->option.interface = index;
	return 0;
}

static int64_t device_set_name(struct net_request *r, const void *value, uint32_t size)
{
	char name[16] = "";
	const struct interface *i;

	memcpy(name, value, size < sizeof name ? size : sizeof name - 1);
	if (!name[0])
		return device_set(r, 0);
	i = interface_by_name(name);
	return i ? device_set(r, i->index) : -ENODEV;
}

static int64_t device_get_name(const struct socket *s, void *value, uint32_t *size)
{
	const struct interface *i =
		s->option.interface ? interface_by_index(s->option.interface) : NULL;

	*size = 0;
	if (!i)
		return 0;
	memcpy(value, i->name, sizeof i->name);
	*size = (uint32_t)strlen(i->name) + 1;
	return 0;
}

static int64_t socket_set_int(struct net_request *r, int name, int32_t n)
{
	struct socket_options *o = &r->s->option;

	switch (name) {
	case LX_SO_DEBUG:
		return n && !net_capable(r, NET_CAP_ADMIN) ? -EACCES : 0;
	case LX_SO_SNDBUF:
	case LX_SO_SNDBUFFORCE:
		return buffer_set(r, true, name == LX_SO_SNDBUFFORCE, n);
	case LX_SO_RCVBUF:
	case LX_SO_RCVBUFFORCE:
		return buffer_set(r, false, name == LX_SO_RCVBUFFORCE, n);
	case LX_SO_RCVLOWAT:
		o->receive_low = n < 0 ? INT32_MAX : n ? n : 1;
		return 0;
	case LX_SO_PRIORITY:
		if ((n < 0 || n > 6) && !net_capable(r, NET_CAP_ADMIN))
			return -EPERM;
		o->priority = n;
		return 0;
	case LX_SO_MARK:
		if (!net_capable(r, NET_CAP_ADMIN))
			return -EPERM;
		o->mark = (uint32_t)n;
		return 0;
	case LX_SO_BINDTOIFINDEX:
		return n < 0 ? -EINVAL : device_set(r, (uint32_t)n);
	}
	return -ENOPROTOOPT;
}

static int64_t socket_set(struct net_request *r, int name, const void *value, uint32_t size)
{
	int32_t n;
	int e;

	switch (name) {
	case LX_SO_BINDTODEVICE:
		return device_set_name(r, value, size);
	case LX_SO_LINGER:
		return linger_set(r->s, value, size);
	case LX_SO_RCVTIMEO:
	case LX_SO_RCVTIMEO_NEW:
		return timeout_set(&r->s->option.receive_timeout, value, size);
	case LX_SO_SNDTIMEO:
	case LX_SO_SNDTIMEO_NEW:
		return timeout_set(&r->s->option.send_timeout, value, size);
	}
	e = net_option_int(value, size, &n);
	return e ? e : socket_set_int(r, name, n);
}

static int64_t socket_get(struct net_request *r, int name, void *value, uint32_t *size)
{
	static const struct lx_ucred nobody = { 0, UINT32_MAX, UINT32_MAX };
	const struct socket_options *o = &r->s->option;
	struct lx_linger l = { o->linger, o->linger_seconds };

	switch (name) {
	case LX_SO_TYPE:
		return net_option_put(value, size, r->s->type);
	case LX_SO_DOMAIN:
		return net_option_put(value, size, r->s->family);
	case LX_SO_PROTOCOL:
		return net_option_put(value, size, r->s->protocol);
	case LX_SO_ERROR:
		return net_option_put(value, size, -socket_error_take(r->s));
	case LX_SO_DEBUG:
	case LX_SO_BSDCOMPAT:
	case LX_SO_ACCEPTCONN:		/* a stream answers for itself */
		return net_option_put(value, size, 0);
	case LX_SO_SNDBUF:
		return net_option_put(value, size, (int32_t)o->send_buffer);
	case LX_SO_RCVBUF:
		return net_option_put(value, size, (int32_t)o->receive_buffer);
	case LX_SO_RCVLOWAT:
		return net_option_put(value, size, o->receive_low);
	case LX_SO_SNDLOWAT:
		return net_option_put(value, size, 1);
	case LX_SO_PRIORITY:
		return net_option_put(value, size, o->priority);
	case LX_SO_MARK:
		return net_option_put(value, size, (int32_t)o->mark);
	case LX_SO_BINDTOIFINDEX:
		return net_option_put(value, size, (int32_t)o->interface);
	case LX_SO_BINDTODEVICE:
		return device_get_name(r->s, value, size);
	case LX_SO_LINGER:
		memcpy(value, &l, sizeof l);
		*size = sizeof l;
		return 0;
	case LX_SO_RCVTIMEO:
	case LX_SO_RCVTIMEO_NEW:
		return timeout_get(o->receive_timeout, value, size);
	case LX_SO_SNDTIMEO:
	case LX_SO_SNDTIMEO_NEW:
		return timeout_get(o->send_timeout, value, size);
	case LX_SO_PEERCRED:
		memcpy(value, &nobody, sizeof nobody);
		*size = sizeof nobody;
		return 0;
	case LX_SO_COOKIE:
		memcpy(value, &r->s->cookie, sizeof r->s->cookie);
		*size = sizeof r->s->cookie;
		return 0;
	}
	return -ENOPROTOOPT;
}

/* --- IP, IPV6 ----------------------------------------------------------------------------- */

static int64_t ip_set(struct socket *s, int name, int32_t n)
{
	struct socket_options *o = &s->option;

	switch (name) {
	case LX_IP_TOS:
		o->tos =
			s->type == LX_SOCK_STREAM ? (uint8_t)((n & ~3) | (o->tos & 3)) : (uint8_t)n;
		return 0;
	case LX_IP_TTL:
		if (n != -1 && (n < 1 || n > 255))
			return -EINVAL;
		o->ttl = (int16_t)n;
		return 0;
	case LX_IP_MULTICAST_TTL:
		if (s->type == LX_SOCK_STREAM || n < -1 || n > 255)
			return -EINVAL;
		o->multicast_ttl = n < 0 ? 1 : (uint8_t)n;
		return 0;
	case LX_IP_BIND_ADDRESS_NO_PORT:
		return n & ~1 ? -EINVAL : 0;
	}
	return -ENOPROTOOPT;
}

static int64_t ip_get(const struct socket *s, int name, void *value, uint32_t *size)
{
	const struct socket_options *o = &s->option;

	switch (name) {
	case LX_IP_TOS:
		return net_option_put(value, size, o->tos);
	case LX_IP_TTL:
		return net_option_put(value, size, o->ttl < 0 ? 64 : o->ttl);
	case LX_IP_MULTICAST_TTL:
		return net_option_put(value, size, o->multicast_ttl);
	case LX_IP_BIND_ADDRESS_NO_PORT:
		return net_option_put(value, size, 0);
	case LX_IP_OPTIONS:
		*size = 0;
		return 0;
	}
	return -ENOPROTOOPT;
}

static int64_t ip6_set(struct socket *s, int name, int32_t n)
{
	switch (name) {
	case LX_IPV6_V6ONLY:
		s->option.v6_only = n != 0;	/* a stream that is bound refuses it before */
		return 0;
	case LX_IPV6_TCLASS:
		if (n < -1 || n > 255)
			return -EINVAL;
		s->option.traffic_class = n < 0 ? 0 : (uint8_t)n;
		return 0;
	}
	return -ENOPROTOOPT;
}

static int64_t ip6_get(const struct socket *s, int name, void *value, uint32_t *size)
{
	switch (name) {
	case LX_IPV6_UNICAST_HOPS:
		return net_option_put(value, size, s->option.hops < 0 ? 64 : s->option.hops);
	case LX_IPV6_MULTICAST_HOPS:
		return net_option_put(value, size,
				      s->option.multicast_hops < 0 ? 1 : s->option.multicast_hops);
	case LX_IPV6_V6ONLY:
		return net_option_put(value, size, s->option.v6_only);
	case LX_IPV6_TCLASS:
		return net_option_put(value, size, s->option.traffic_class);
	}
	return -ENOPROTOOPT;
}

/* --- all ---------------------------------------------------------------------------------- */

static bool level_fits(const struct socket *s, int level)
{
	switch (level) {
	case LX_SOL_SOCKET:
		return true;
	case LX_IPPROTO_IP:
		return s->family == LX_AF_INET || s->family == LX_AF_INET6;
	case LX_IPPROTO_IPV6:
		return s->family == LX_AF_INET6;
	}
	return false;
}

static int64_t set(struct net_request *r, int level, int name, const void *value, uint32_t size)
{
	const struct rule *u = rule_find(level, name);
	int32_t n;
	int e;

	if (!level_fits(r->s, level))
		return -ENOPROTOOPT;
	if (u)
		return rule_set(r->s, u, value, size);
	if (level == LX_SOL_SOCKET)
		return socket_set(r, name, value, size);
	e = level == LX_IPPROTO_IP ? net_option_int_short(value, size, &n) :
				     net_option_int(value, size, &n);
	if (e)
		return e;
	return level == LX_IPPROTO_IP ? ip_set(r->s, name, n) : ip6_set(r->s, name, n);
}

int64_t option_set(struct net_request *r, int level, int name, const void *value, uint32_t size,
		   uint64_t from)
{
	const struct socket_ops *ops = r->s->ops;
	int64_t e = ops->set_option ? ops->set_option(r, level, name, value, size, from) : NET_PASS;

	if (e != NET_PASS)
		return e;
	e = set(r, level, name, value, size);
	return !e && ops->option_changed ? ops->option_changed(r->s, level, name) : e;
}

int64_t option_get(struct net_request *r, int level, int name, void *value, uint32_t *size)
{
	const struct socket_ops *ops = r->s->ops;
	int64_t e = ops->get_option ? ops->get_option(r, level, name, value, size) : NET_PASS;
	const struct rule *u = rule_find(level, name);

	if (e != NET_PASS)
		return e;
	if (!level_fits(r->s, level))
		return -EOPNOTSUPP;
	if (u && u->type != I16)
		return net_option_put(value, size, rule_get(r->s, u));
	if (level == LX_SOL_SOCKET)
		return socket_get(r, name, value, size);
	return level == LX_IPPROTO_IP ? ip_get(r->s, name, value, size) :
					ip6_get(r->s, name, value, size);
}
