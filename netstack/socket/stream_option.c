/* SPDX-License-Identifier: MIT */
/*
 * The TCP level's socket options. Numbers that only Linux's own TCP would use (TCP_SYNCNT, ...) are
 * kept and given back.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"
#include "listener.h"
#include "stream.h"

#define DEFAULT_SEGMENT 536	/* what TCP_MAXSEG says before there is a connection */
#define LOOPBACK_SEGMENT 65483

static const struct rule {
	int name;
	uint16_t offset;
	int32_t min, max;
} rules[] = {
	{ LX_TCP_KEEPIDLE, offsetof(struct stream, keep_idle), 1, 32767 },
	{ LX_TCP_KEEPINTVL, offsetof(struct stream, keep_interval), 1, 32767 },
	{ LX_TCP_KEEPCNT, offsetof(struct stream, keep_count), 1, 127 },
	{ LX_TCP_SYNCNT, offsetof(struct stream, syn_count), 1, 127 },
	{ LX_TCP_USER_TIMEOUT, offsetof(struct stream, user_timeout), 0, INT32_MAX },
	{ LX_TCP_WINDOW_CLAMP, offsetof(struct stream, window_clamp), 0, INT32_MAX },
	{ LX_TCP_LINGER2, offsetof(struct stream, linger2), INT32_MIN, INT32_MAX },
	{ LX_TCP_DEFER_ACCEPT, offsetof(struct stream, defer_accept), INT32_MIN, INT32_MAX },
};

static int32_t *rule_field(struct stream *st, int name, const struct rule **out)
{
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		if (rules[i].name != name)
			continue;
		*out = &rules[i];
		return (int32_t *)((char *)st + rules[i].offset);
	}
	return NULL;
}

static int64_t congestion_set(const char *value, uint32_t size)
{
	char name[16] = "";

	if (!size)
		return -EINVAL;
	memcpy(name, value, size < sizeof name ? size : sizeof name - 1);
	return strcmp(name, "reno") ? -ENOENT : 0;	/* lwIP knows no other */
}

static int64_t tcp_set_int(struct stream *st, int name, int32_t n)
{
	const struct rule *u;
	int32_t *field = rule_field(st, name, &u);

	if (field) {
		if (n < u->min || n > u->max)
			return -EINVAL;
		*field = name == LX_TCP_DEFER_ACCEPT ? defer_seconds(n) : n;
		return 0;
	}
	switch (name) {
	case LX_TCP_NODELAY:
		st->no_delay = n != 0;
		return 0;
	case LX_TCP_CORK:
		st->cork = n != 0;
		return 0;
	case LX_TCP_QUICKACK:
		st->quick_ack = n != 0;
		return 0;
	case LX_TCP_MAXSEG:
		if (n && (n < 88 || n > 32767))
			return -EINVAL;
		st->max_segment = n;
		return 0;
	}
	return -ENOPROTOOPT;
}

int64_t stream_set_option(struct net_request *r, int level, int name, const void *value,
			  uint32_t size, uint64_t from)
{
	struct stream *st = stream_of(r->s);
	int32_t n;
	int64_t e;

	(void)from;
	if (level == LX_IPPROTO_IPV6 && name == LX_IPV6_V6ONLY && r->s->family == LX_AF_INET6 &&
	    st->bound)
		return -EINVAL;
	if (level != LX_IPPROTO_TCP)
		return NET_PASS;
	if (name == LX_TCP_CONGESTION)
		return congestion_set(value, size);
	e = net_option_int(value, size, &n);
	if (!e)
		e = tcp_set_int(st, name, n);
	if (!e)
		wire_options(st);
	if (!e && st->state == STREAM_LISTENING)
		listener_save(st);
	if (!e && (name == LX_TCP_NODELAY || name == LX_TCP_CORK))
		stream_touch(st);	/* what waited to grow may go now */
	return e;
}

/* --- getsockopt --------------------------------------------------------------------------- */

/* Linux's struct tcp_info, as far as it is filled here. */
struct tcp_info_wire {
	uint8_t state, ca_state, retransmits, probes, backoff, options, scales, flags;
	uint32_t rto, ato, snd_mss, rcv_mss, unacked, sacked, lost, retrans, fackets;
	uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
	uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering,
		rcv_rtt, rcv_space, total_retrans;
	uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
};
_Static_assert(sizeof(struct tcp_info_wire) == 136, "tcp_info layout");

static uint8_t linux_state(const struct stream *st)
{
	/*
	 * lwIP: CLOSED LISTEN SYN_SENT SYN_RCVD ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 CLOSE_WAIT
	 * CLOSING LAST_ACK TIME_WAIT
	 */
	static const uint8_t of_lwip[] = { 7, 10, 2, 3, 1, 4, 5, 8, 11, 9, 6 };

	switch (st->state) {
	case STREAM_LISTENING:
		return 10;
	case STREAM_CONNECTING:
		return 2;
	case STREAM_CONNECTED:
		if (st->pcb)
			return of_lwip[st->pcb->state];
		return stream_finished(st) ? 7 : st->ended ? 8 : st->shut_write ? 5 : 1;
	default:
		return 7;
	}
}

uint8_t stream_linux_state(const struct stream *st)
{
	return linux_state(st);
}

static void info_of_pcb(const struct tcp_pcb *pcb, struct tcp_info_wire *i)
{
	i->retransmits = pcb->nrtx;
	i->rto = (uint32_t)pcb->rto * TCP_SLOW_INTERVAL * 1000;
	i->snd_mss = i->rcv_mss = i->advmss = pcb->mss;
	i->pmtu = pcb->mss + 40u;
	i->rtt = (uint32_t)(pcb->sa > 0 ? pcb->sa >> 3 : 0) * TCP_SLOW_INTERVAL * 1000;
	i->rttvar = (uint32_t)(pcb->sv > 0 ? pcb->sv >> 2 : 0) * TCP_SLOW_INTERVAL * 1000;
	i->snd_cwnd = pcb->mss ? pcb->cwnd / pcb->mss : 0;
	i->snd_ssthresh = pcb->mss ? pcb->ssthresh / pcb->mss : 0;
	i->unacked = pcb->mss ? (pcb->snd_nxt - pcb->lastack + pcb->mss - 1) / pcb->mss : 0;
	i->rcv_space = pcb->rcv_wnd;
}

static int64_t info_get(const struct stream *st, void *value, uint32_t *size)
{
	struct tcp_info_wire i = { .state = linux_state(st),
				   .rto = 1000000,
				   .snd_mss = DEFAULT_SEGMENT,
				   .rcv_mss = DEFAULT_SEGMENT,
				   .reordering = 3,
				   .snd_cwnd = 10,
				   .snd_ssthresh = 0x7fffffff };

	if (st->state == STREAM_LISTENING) {	/* as Linux: the queue */
		i.unacked = st->pending;
		i.sacked = (uint32_t)st->backlog;
	} else if (st->pcb) {
		info_of_pcb(st->pcb, &i);
	} else if (st->joined && st->state == STREAM_CONNECTED) {
		i.snd_mss = i.rcv_mss = i.advmss = LOOPBACK_SEGMENT;
		i.pmtu = 65536;
	}
	i.bytes_acked = st->sent_total - wire_unsent(st, false);
	i.bytes_received = st->received_total;
	memcpy(value, &i, sizeof i);
	*size = sizeof i;
	return 0;
}

static int32_t segment_size(const struct stream *st)
{
	if (st->state == STREAM_CONNECTED && st->joined)
		return LOOPBACK_SEGMENT;
	if (st->state == STREAM_CONNECTED && st->pcb)
		return st->pcb->mss;
	return st->max_segment ? st->max_segment : DEFAULT_SEGMENT;
}

static int64_t tcp_get(struct stream *st, int name, void *value, uint32_t *size)
{
	const struct rule *u;
	int32_t *field = rule_field(st, name, &u);

	if (field)
		return net_option_put(value, size, *field);
	switch (name) {
	case LX_TCP_NODELAY:
		return net_option_put(value, size, st->no_delay);
	case LX_TCP_CORK:
		return net_option_put(value, size, st->cork);
	case LX_TCP_QUICKACK:
		return net_option_put(value, size, st->quick_ack);
	case LX_TCP_MAXSEG:
		return net_option_put(value, size, segment_size(st));
	case LX_TCP_INFO:
		return info_get(st, value, size);
	case LX_TCP_CONGESTION:
		memset(value, 0, 16);
		memcpy(value, "reno", 4);
		*size = 16;
		return 0;
	}
	return -ENOPROTOOPT;
}

int64_t stream_get_option(struct net_request *r, int level, int name, void *value, uint32_t *size)
{
	struct stream *st = stream_of(r->s);

	if (level == LX_IPPROTO_TCP)
		return tcp_get(st, name, value, size);
	if (level == LX_SOL_SOCKET && name == LX_SO_ACCEPTCONN)
		return net_option_put(value, size, st->state == STREAM_LISTENING);
	if (level == LX_IPPROTO_IP && name == LX_IP_MTU)
		return st->state == STREAM_CONNECTED ?
			       net_option_put(value, size,
					      st->joined ? 65536 : segment_size(st) + 40) :
			       -ENOTCONN;
	return NET_PASS;
}

int stream_option_changed(struct socket *s, int level, int name)
{
	struct stream *st = stream_of(s);

	(void)level;
	(void)name;
	wire_options(st);
	if (st->state == STREAM_LISTENING)
		listener_save(st);
	stream_update(st);	/* timeouts send calls to us */
	return 0;
}
