/* SPDX-License-Identifier: MIT */
/*
 * Connections over the wire: between a stream's two pipes and a PCB of lwIP.
 *
 * In: what lwIP delivers goes into the pipe at once; the window opens again as the program reads,
 * so the pipe always has room for what the peer may send, and only want of memory makes us hold
 * packets. Out: data is read from the pipe into buffers that lwIP's segments refer to (small pieces
 * it copies), as much as the send buffer takes; a buffer goes when its last byte is acknowledged.
 *
 * A PCB is ours until both FINs are exchanged and all data is acknowledged, or the error callback
 * says that it is gone; then it is let go and lwIP keeps it for TIME_WAIT. Callbacks change nothing
 * but notes (stream.h), so wire_run() may abort and close.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"
#include "datagram.h"
#include "glue.h"
#include "neighbour.h"
#include "route.h"
#include "stream.h"

#define STAGING 2048u		/* less than this is copied by lwIP */
#define QUEUE_SPARE 32u		/* segments that a write may need */
/* With so much on its way an acknowledgement is a better moment to look for more than each write */
#define IN_FLIGHT 16384u
#define OPEN_STEP 32768u	/* the window is looked after each so many bytes */
#define PIPE_SPARE 8192u	/* of the pipe: pages that are half read */
#define ORPHAN_TIME (60 * 1000000000ll)	/* without progress */
#define CHECK_TIME (3 * 1000000000ll)	/* as long as Linux looks for a neighbour */
#define SYN_TIME_MOST (120 * 1000000000ll)	/* between two SYNs */
#define RETRY_TIME (50 * 1000000ll)

struct wire_chunk {
	struct wire_chunk *next;
	void *buffer;		/* of net_buffer_alloc; NULL: lwIP has copied it */
	uint32_t size, written, acknowledged;
};

static char staging[STAGING] __attribute__((aligned(64)));
static struct srv_timer retry;

/* --- chunks ------------------------------------------------------------------------------- */

static void chunk_pop(struct stream *st)
{
	struct wire_chunk *c = st->chunk;

	st->chunk = c->next;
	if (!st->chunk)
		st->chunk_last = NULL;
	if (c->buffer)
		net_buffer_free(c->buffer);
	free(c);
}

static struct wire_chunk *chunk_new(void *buffer)
{
	struct wire_chunk *c = calloc(1, sizeof *c);

	if (c)
		c->buffer = buffer;
	return c;
}

static void chunk_link(struct stream *st, struct wire_chunk *c)
{
	*(st->chunk_last ? &st->chunk_last->next : &st->chunk) = c;
	st->chunk_last = c;
}

static void chunks_acknowledge(struct stream *st, uint32_t n)
{
	while (n && st->chunk) {
		struct wire_chunk *c = st->chunk;
		uint32_t piece =
			c->written - c->acknowledged < n ? c->written - c->acknowledged : n;

		c->acknowledged += piece;
		n -= piece;
		if (c->acknowledged < c->size)
			return;
		chunk_pop(st);
	}
}

uint64_t wire_unsent(const struct stream *st, bool only_unsent)
{
	uint64_t n = 0;

	for (const struct wire_chunk *c = st->chunk; c; c = c->next)
		n += c->size - c->acknowledged;
	if (only_unsent && st->pcb && st->state == STREAM_CONNECTED)
		n -= st->pcb->snd_nxt - st->pcb->lastack < n ? st->pcb->snd_nxt - st->pcb->lastack :
							       n;
	return n;
}

/* --- the PCB goes ------------------------------------------------------------------------- */

static void forget(struct stream *st)
{
	st->pcb = NULL;
	if (st->held)
		pbuf_free(st->held);
	st->held = NULL;
	while (st->chunk)
		chunk_pop(st);
}

/* lwIP goes on with it alone. */
static void let_go(struct stream *st)
{
	struct tcp_pcb *pcb = st->pcb;

	if (!pcb)
		return;
	tcp_arg(pcb, NULL);
	tcp_recv(pcb, NULL);
	tcp_sent(pcb, NULL);
	tcp_err(pcb, NULL);
	tcp_poll(pcb, NULL, 0);
	tcp_close(pcb);
	forget(st);
}

void wire_abort(struct stream *st)
{
	struct tcp_pcb *pcb = st->pcb;

	if (!pcb || st->state == STREAM_LISTENING)
		return;
	tcp_arg(pcb, NULL);
	tcp_recv(pcb, NULL);
	tcp_err(pcb, NULL);
	tcp_abort(pcb);
	forget(st);
}

/* Without an RST: nobody is there to hear it. */
static void abandon(struct stream *st)
{
	struct tcp_pcb *pcb = st->pcb;

	tcp_arg(pcb, NULL);
	tcp_recv(pcb, NULL);
	tcp_err(pcb, NULL);
	tcp_abandon(pcb, 0);
	forget(st);
}

static void orphan_end(struct stream *st)
{
	struct socket *s = st->s;

	stream_free(st);
	socket_free(s);
}

/* --- callbacks ---------------------------------------------------------------------------- */

static int error_of(err_t err, bool connecting)
{
	switch (err) {
	case ERR_RST:
		return connecting ? ECONNREFUSED : ECONNRESET;
	case ERR_CLSD:
		return 0;
	case ERR_RTE:
		return EHOSTUNREACH;
	default:
		/* ERR_ABRT: retransmissions, keepalives that nobody answered */
		return ETIMEDOUT;
	}
}

static void error_callback(void *arg, err_t err)
{
	struct stream *st = arg;
	int error;

	if (!st)
		return;
	error = error_of(err, st->state == STREAM_CONNECTING);
	if (error == ETIMEDOUT && st->soft_error)
		error = st->soft_error;
	if (error == ECONNRESET && st->ended)
		error = EPIPE;		/* it had closed already: Linux says so */
	forget(st);
	if (st->orphan)
		stream_touch(st);
	else if (st->state == STREAM_CONNECTING)
		stream_failed(st, error);
	else if (err == ERR_CLSD && st->ended && st->shut_write)
		stream_touch(st);
	else
		stream_broken(st, error);
}

/* As much of a packet as the pipe takes; the rest stays. */
static struct pbuf *into_pipe(struct stream *st, struct pbuf *p)
{
	while (p) {
		struct pbuf *next = p->next;
		long n = p->len ? k_pipe_write(st->in->handle, p->payload, p->len) : 0;

		if (n > 0) {
			st->unopened += (uint32_t)n;
			st->received_total += (uint64_t)n;
		}
		if (n < (long)p->len) {
			if (n > 0)
				pbuf_remove_header(p, (size_t)n);
			if (n > 0)
				p->tot_len = (u16_t)(p->len + (next ? next->tot_len : 0));
			return p;
		}
		if (next)
			pbuf_ref(next);
		pbuf_free(p);
		p = next;
	}
	return NULL;
}

static err_t receive_callback(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct stream *st = arg;

	(void)pcb;
	(void)err;
	stream_touch(st);
	if (!p) {
		st->ended = true;
		return ERR_OK;
	}
	if (st->orphan) {	/* nobody will read it */
		st->aborting = true;
		pbuf_free(p);
		return ERR_OK;
	}
	if (st->held)
		return ERR_MEM; /* lwIP keeps it and takes in no more: one packet is all that a
				   connection may hold without a pipe */
	st->held = into_pipe(st, p);
	return ERR_OK;
}

static err_t sent_callback(void *arg, struct tcp_pcb *pcb, u16_t n)
{
	struct stream *st = arg;

	(void)pcb;
	chunks_acknowledge(st, n);
	st->soft_error = 0;
	if (!st->orphan)
		srv_timer_cancel(&st->timer);	/* TCP_USER_TIMEOUT begins anew */
	stream_touch(st);
	return ERR_OK;
}

static err_t connected_callback(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct stream *st = arg;

	(void)err;
	st->local.ip = pcb->local_ip;
	st->soft_error = 0;
	srv_timer_cancel(&st->timer);
	stream_connected(st);
	stream_touch(st);
	return ERR_OK;
}

static void callbacks_set(struct stream *st)
{
	tcp_arg(st->pcb, st);
	tcp_recv(st->pcb, receive_callback);
	tcp_sent(st->pcb, sent_callback);
	tcp_err(st->pcb, error_callback);
}

/* --- options ------------------------------------------------------------------------------ */

static void options_set(const struct stream *st, struct tcp_pcb *pcb)
{
	const struct socket_options *o = &st->s->option;

	pcb->ttl = (u8_t)(o->ttl < 0 ? 64 : o->ttl);
	pcb->tos = st->s->family == LX_AF_INET6 && o->traffic_class ? o->traffic_class : o->tos;
	if (st->s->family == LX_AF_INET6 && o->hops >= 0)
		pcb->ttl = (u8_t)o->hops;
	pcb->netif_idx = (u8_t)o->interface;
	ip_set_option(pcb, SOF_REUSEADDR);	/* the rules of bind() are in port.c */
	if (o->keepalive)
		ip_set_option(pcb, SOF_KEEPALIVE);
	else
		ip_reset_option(pcb, SOF_KEEPALIVE);
}

void wire_options(struct stream *st)
{
	struct tcp_pcb *pcb = st->pcb;

	if (!pcb || st->state == STREAM_LISTENING)
		return;
	options_set(st, pcb);
	if (st->no_delay && !st->cork)
		tcp_nagle_disable(pcb);
	else
		tcp_nagle_enable(pcb);
	pcb->keep_idle = (u32_t)st->keep_idle * 1000;
	pcb->keep_intvl = (u32_t)st->keep_interval * 1000;
	pcb->keep_cnt = (u32_t)st->keep_count;
	if (st->max_segment && pcb->mss > st->max_segment)
		pcb->mss = (u16_t)st->max_segment;
	if (st->s->option.keepalive)
		net_lwip_activity();
}

/* --- beginning ---------------------------------------------------------------------------- */

/* Does nobody answer to the address that packets go to next? */
static bool nobody_there(const ip_addr_t *to)
{
	const struct route *route = route_find(to);
	struct neighbour n;

	if (!route)
		return true;
	if (!ip_addr_isany_val(route->gateway))
		to = &route->gateway;
	return !neighbour_find(NULL, to, &n) || n.state & (LX_NUD_INCOMPLETE | LX_NUD_FAILED);
}

static void connect_end(struct stream *st, int error)
{
	abandon(st);
	srv_timer_cancel(&st->timer);
	stream_failed(st, error);
}

/*
 * How long it takes until TCP_SYNCNT repeated SYNs, the first after a second, each then after twice
 * the time, are found to be in vain.
 */
static int64_t syn_time(const struct stream *st)
{
	int64_t all = 0, one = 1000000000ll;

	for (int n = 0; n <= st->syn_count; n++) {
		all += one;
		one = one * 2 < SYN_TIME_MOST ? one * 2 : SYN_TIME_MOST;
	}
	if (st->user_timeout && st->user_timeout * 1000000ll < all)
		all = st->user_timeout * 1000000ll;
	return all;
}

/* TCP_SYNCNT */
static bool syn_again(void *arg, unsigned repeated)
{
	const struct stream *st = arg;

	return !st || repeated < (unsigned)st->syn_count;
}

/* Once to see whether there is anybody, then when the time is over. */
static void connect_check(struct srv_timer *t)
{
	struct stream *st = t->arg;

	if (st->state != STREAM_CONNECTING || !st->pcb)
		return;
	if (nobody_there(&st->peer.ip))
		connect_end(st, EHOSTUNREACH);
	else if (srv_now() >= st->connect_until)
		connect_end(st, st->soft_error ? st->soft_error : ETIMEDOUT);
	else
		srv_timer_set(t, st->connect_until);
}

int wire_connect(struct stream *st)
{
	err_t e;

	if (tap_begin())
		return -ENOBUFS;
	st->pcb = tcp_new_ip_type(IP_GET_TYPE(&st->peer.ip));
	if (!st->pcb)
		return -ENOBUFS;
	callbacks_set(st);
	wire_options(st);
	e = tcp_bind(st->pcb,
		     ip_addr_isany_val(st->local.ip) ?
			     (IP_IS_V4_VAL(st->peer.ip) ? IP4_ADDR_ANY : IP6_ADDR_ANY) :
			     &st->local.ip,
		     st->local.port);
	if (e == ERR_OK)
		e = tcp_connect(st->pcb, &st->peer.ip, st->peer.port, connected_callback);
	if (e == ERR_OK) {
		st->local.ip = st->pcb->local_ip;
		st->timer.fn = connect_check;
		st->timer.arg = st;
		st->soft_error = 0;
		st->connect_until = srv_now() + syn_time(st);
		srv_timer_set(&st->timer, st->connect_until < srv_now() + CHECK_TIME ?
						  st->connect_until :
						  srv_now() + CHECK_TIME);
		return 0;
	}
	tcp_err(st->pcb, NULL);
	tcp_abort(st->pcb);
	forget(st);
	return e == ERR_RTE ? -ENETUNREACH : e == ERR_USE ? -EADDRNOTAVAIL : net_lwip_errno(e);
}

/* --- what ICMP says ----------------------------------------------------------------------- */

static struct stream *fault_stream(const struct fault *f, uint32_t sequence)
{
	for (struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next) {
		if (p->local_port != f->local.port || p->remote_port != f->remote.port ||
		    !ip_addr_eq(&p->remote_ip, &f->remote.ip) ||
		    !ip_addr_eq(&p->local_ip, &f->local.ip))
			continue;
		return p->errf == error_callback &&
				       TCP_SEQ_BETWEEN(sequence, p->lastack, p->snd_nxt) ?
			       p->callback_arg :
			       NULL;
	}
	return NULL;
}

/*
 * As on Linux it ends a connect, and is else a mere hint, since anybody may have made it up: the
 * reason, should no acknowledgement come any more; programs with IP_RECVERR hear of it at once.
 */
void wire_fault(const struct fault *f, uint32_t sequence)
{
	struct stream *st = f->error == EMSGSIZE ? NULL : fault_stream(f, sequence);
	const struct socket_options *o;

	if (!st || st->orphan)
		return;
	if (st->state == STREAM_CONNECTING) {
		connect_end(st, f->error);
		return;
	}
	o = &st->s->option;
	if (IP_IS_V4(&f->remote.ip) ? o->receive_error : o->receive_error6)
		socket_error_set(st->s, f->error);
	else
		st->soft_error = f->error;
}

static err_t accept_callback(void *arg, struct tcp_pcb *pcb, err_t err)
{
	const struct net_endpoint here =
		pcb ? (struct net_endpoint){ pcb->local_ip, pcb->local_port } :
		      (struct net_endpoint){ .port = 0 };
	struct stream *listener = pcb ? port_listener(&here) : NULL, *st;
	struct pipe *in = NULL, *out = NULL;
	struct socket *s = NULL;

	(void)arg;
	if (err != ERR_OK || !listener)
		return ERR_VAL;
	if (!stream_queue_full(listener) && !pipe_new(&in) && !pipe_memory_short(in) &&
	    !pipe_new(&out))
		s = stream_child(listener, in, out);
	if (in)
		pipe_put(in);	/* the child has its own */
	if (out)
		pipe_put(out);
	if (!s)
		return ERR_MEM;		/* lwIP resets it */
	st = stream_of(s);
	st->pcb = pcb;
	st->local = here;
	st->peer = (struct net_endpoint){ pcb->remote_ip, pcb->remote_port };
	port_share(st);
	tcp_backlog_delayed(pcb);
	callbacks_set(st);
	stream_connected(st);
	wire_options(st);
	defer_begin(listener, st);
	stream_touch(st);	/* what the program writes first is waited for from now on */
	return ERR_OK;
}

/* One that listens only at a loopback address needs no lwIP: all its connections are joined. */
int wire_listen(struct stream *st)
{
	bool any = ip_addr_isany_val(st->local.ip);
	bool both = any && st->s->family == LX_AF_INET6 && !st->s->option.v6_only;
	struct tcp_pcb *pcb, *listening;
	int backlog = st->backlog + 1 < 255 ? st->backlog + 1 : 255;
	err_t e;

	if (ip_addr_isloopback(&st->local.ip) || port_twin(st))
		return 0;
	if (tap_begin())
		return -ENOBUFS;
	pcb = tcp_new_ip_type(both ? IPADDR_TYPE_ANY : IP_GET_TYPE(&st->local.ip));
	if (!pcb)
		return -ENOBUFS;
	options_set(st, pcb);
	e = tcp_bind(pcb, both ? IP_ANY_TYPE : &st->local.ip, st->local.port);
	listening = e == ERR_OK ? tcp_listen_with_backlog_and_err(pcb, (u8_t)backlog, &e) : NULL;
	if (!listening) {
		tcp_abort(pcb);
		return e == ERR_USE ? -EADDRINUSE : net_lwip_errno(e);
	}
	st->pcb = listening;
	tcp_accept(listening, accept_callback);
	return 0;
}

void wire_unlisten(struct stream *st)
{
	struct stream *twin = port_twin(st);

	if (st->pcb && twin)
		twin->pcb = st->pcb;
	else if (st->pcb)
		tcp_close(st->pcb);	/* (connections in its queue lose their way back to it) */
	st->pcb = NULL;
}

void wire_accepted(struct stream *st)
{
	if (st->pcb)
		tcp_backlog_accepted(st->pcb);
}

/* --- in ----------------------------------------------------------------------------------- */

/*
 * Opens the window by what the program has read, so that the pipe has room for all that may come.
 */
static void window_open(struct stream *st)
{
	uint64_t bytes, may, room = STREAM_PIPE - PIPE_SPARE - TCP_WND;
	uint32_t open;

	if (!st->pcb || st->unopened < OPEN_STEP)
		return;
	bytes = pipe_bytes(st->in);
	may = bytes > room ? bytes - room : 0;		/* what has to stay closed */
	open = st->unopened > may ? st->unopened - (uint32_t)may : 0;
	if (may)
		pipe_arm(st->in, K_PIPE_ROOM);
	st->unopened -= open;
	while (open) {
		u16_t n = (u16_t)(open < 0xffff ? open : 0xffff);

		tcp_recved(st->pcb, n);
		open -= n;
	}
}

static void run_in(struct stream *st)
{
	if (st->held) {
		st->held = into_pipe(st, st->held);
	}
	if (st->held) {
		pipe_arm(st->in, K_PIPE_ROOM);
		wire_retry();
	}
	window_open(st);
	if (st->ended && !st->held)
		pipe_hold(st->in);
}

/* --- out ---------------------------------------------------------------------------------- */

static bool room_to_write(const struct stream *st)
{
	return st->pcb->state >= ESTABLISHED && tcp_sndbuf(st->pcb) &&
	       tcp_sndqueuelen(st->pcb) + QUEUE_SPARE < TCP_SND_QUEUELEN;
}

/* Gives lwIP the rest of the last chunk. False: it takes no more now. */
static bool chunk_write(struct stream *st, struct wire_chunk *c)
{
	uint32_t room = tcp_sndbuf(st->pcb);
	uint32_t n = c->size - c->written < room ? c->size - c->written : room;

	if (!n)
		return c->written == c->size;
	if (tcp_write(st->pcb, (char *)c->buffer + c->written, (u16_t)n, 0) != ERR_OK)
		return false;
	c->written += n;
	st->sent_total += n;
	return c->written == c->size;
}

/*
 * A large piece: read into a buffer that the segments refer to. Bytes, 0: there is nothing,
 * -ENOMEM: no buffer now.
 */
static long write_large(struct stream *st)
{
	uint32_t room = tcp_sndbuf(st->pcb),
		 size = room < NET_BUFFER_LARGE ? room : NET_BUFFER_LARGE;
	void *buffer = net_buffer_alloc(size);
	struct wire_chunk *c = buffer ? chunk_new(buffer) : NULL;
	long n = c ? k_pipe_read(st->out->handle, buffer, size, 0, 0) : -ENOMEM;

	if (n <= 0) {
		if (buffer)
			net_buffer_free(buffer);
		free(c);
		return c ? 0 : -ENOMEM;
	}
	c->size = (uint32_t)n;
	chunk_link(st, c);
	chunk_write(st, c);
	return n;
}

/*
 * A small piece is copied: into the segment that is not full yet, if there is one. Copies in a row
 * share a chunk.
 */
static long write_small(struct stream *st)
{
	uint32_t room = tcp_sndbuf(st->pcb), size = room < STAGING ? room : STAGING;
	struct wire_chunk *last = st->chunk_last, *c = last && !last->buffer ? last : NULL;
	long n = k_pipe_read(st->out->handle, staging, size, K_PIPE_PEEK, 0);

	if (n <= 0)
		return 0;
	if (!c)
		c = chunk_new(NULL);
	if (!c || tcp_write(st->pcb, staging, (u16_t)n, TCP_WRITE_FLAG_COPY) != ERR_OK) {
		if (c != last)
			free(c);
		return -ENOMEM;
	}
	if (c != last)
		chunk_link(st, c);
	c->size += (uint32_t)n;
	c->written += (uint32_t)n;
	st->sent_total += (uint64_t)n;
	k_pipe_read(st->out->handle, NULL, (size_t)n, 0, 0);
	return n;
}

/* Moves data until there is none (true) or lwIP takes no more. */
static bool write_all(struct stream *st)
{
	st->starved = false;
	while (room_to_write(st)) {
		struct wire_chunk *c = st->chunk_last;
		long n, room;

		if (c && c->written < c->size) {
			if (!chunk_write(st, c))
				return false;
			continue;
		}
		room = tcp_sndbuf(st->pcb);
		n = st->bulk ? write_large(st) : write_small(st);
		if (n == -ENOMEM) {
			st->starved = true;
			return false;
		}
		st->bulk = n >= (long)STAGING;
		/* (as much as lwIP has room for says nothing of the pipe) */
		if (n < (long)STAGING && n < room)
			return true;
	}
	return false;
}

static void run_out(struct stream *st)
{
	bool drained;

	if (st->state != STREAM_CONNECTED || !st->pcb || st->fin_sent)
		return;
	if (st->out->armed & K_PIPE_DATA && !st->shut_write && !st->orphan &&
	    !(st->chunk_last && st->chunk_last->written < st->chunk_last->size)) {
		tcp_output(st->pcb);	/* the pipe was empty, and we would have been told */
		return;
	}
	drained = write_all(st);
	if (drained && (st->shut_write || st->orphan))
		st->fin_sent = tcp_shutdown(st->pcb, 0, 1) == ERR_OK;
	else if (drained && st->pcb->snd_lbb - st->pcb->lastack < IN_FLIGHT)
		pipe_arm(st->out, K_PIPE_DATA);
	if (st->pcb)
		tcp_output(st->pcb);
	if (st->starved || (drained && st->shut_write && !st->fin_sent))
		wire_retry();
}

/* --- TCP_USER_TIMEOUT --------------------------------------------------------------------- */

static void unacknowledged_late(struct srv_timer *t)
{
	struct stream *st = t->arg;

	if (st->state != STREAM_CONNECTED || !st->pcb)
		return;
	abandon(st);
	stream_broken(st, st->soft_error ? st->soft_error : ETIMEDOUT);
}

/*
 * The time runs while something is not acknowledged, and from the beginning with each
 * acknowledgement.
 */
static void user_timeout_run(struct stream *st)
{
	if (!st->user_timeout || !st->pcb || !st->chunk) {
		srv_timer_cancel(&st->timer);
		return;
	}
	st->timer.fn = unacknowledged_late;
	st->timer.arg = st;
	if (!st->timer.index)
		srv_timer_set(&st->timer, srv_now() + st->user_timeout * 1000000ll);
}

/* --- end ---------------------------------------------------------------------------------- */

static void orphan_late(struct srv_timer *t)
{
	struct stream *st = t->arg;

	st->aborting = true;
	stream_touch(st);
}

bool wire_close(struct stream *st)
{
	bool unread = st->held || pipe_bytes(st->in);

	if (!st->pcb)
		return false;
	if (unread || (st->s->option.linger && !st->s->option.linger_seconds)) {
		wire_abort(st);
		return false;
	}
	while (st->unopened) {	/* or lwIP takes it for unread */
		u16_t n = (u16_t)(st->unopened < 0xffff ? st->unopened : 0xffff);

		tcp_recved(st->pcb, n);
		st->unopened -= n;
	}
	st->orphan = true;
	st->timer.fn = orphan_late;
	st->timer.arg = st;
	srv_timer_set(&st->timer, srv_now() + ORPHAN_TIME);
	stream_touch(st);
	return true;
}

/* A segment for a connection whose FIN is not acknowledged yet. */
static void closing_segment(void *arg)
{
	struct stream *st = arg;

	if (st->lingering)
		stream_touch(st);
}

static bool orphan_delivered(const struct stream *st)
{
	enum tcp_state state = st->pcb ? st->pcb->state : CLOSED;

	return !st->pcb || (st->fin_sent && !st->chunk && state != FIN_WAIT_1 && state != CLOSING &&
			    state != LAST_ACK);
}

int64_t wire_linger(struct net_request *r)
{
	struct stream *st = stream_of(r->s);

	if (!st->orphan || orphan_delivered(st))
		return 0;
	st->lingering = true;
	return net_wait(r, &r->s->writers, (uint32_t)r->s->option.linger_seconds * 1000000000ll);
}

/* An orphan goes when all is acknowledged; lwIP waits for the other FIN. */
static void orphan_run(struct stream *st)
{
	if (st->aborting)
		wire_abort(st);
	else if (st->pcb)
		run_out(st);
	if (st->pcb && !(st->fin_sent && !st->chunk)) {
		if (st->sent_total != st->received_total) {	/* progress: the time begins anew */
			st->received_total = st->sent_total;
			srv_timer_set(&st->timer, srv_now() + ORPHAN_TIME);
		}
		return;
	}
	if (st->lingering && !orphan_delivered(st))
		return;
	let_go(st);
	orphan_end(st);
}

void wire_run(struct stream *st)
{
	if (st->orphan) {
		orphan_run(st);
		return;
	}
	if (st->state == STREAM_CONNECTED) {
		run_in(st);
		run_out(st);
		if (st->pcb && st->ended && st->fin_sent && !st->chunk && !st->held)
			let_go(st);
		user_timeout_run(st);
	}
	stream_update(st);
	net_wake(&st->s->readers);
	net_wake(&st->s->writers);
}

/* --- want of memory ----------------------------------------------------------------------- */

static void touch_starved(void)
{
	for (struct socket *s = socket_first; s; s = s->next) {
		struct stream *st = s->ops == &socket_stream_ops ? stream_of(s) : NULL;

		if (st && st->no_memory) {
			st->no_memory = false;
			stream_update(st);
			net_wake(&s->writers);
		}
		if (st && (st->starved || st->held || (st->shut_write && !st->fin_sent)))
			stream_touch(st);
	}
}

void wire_retry(void)
{
	if (!retry.index)
		srv_timer_set(&retry, srv_now() + RETRY_TIME);
}

static void retry_due(struct srv_timer *t)
{
	(void)t;
	touch_starved();
}

void wire_setup(void)
{
	retry.fn = retry_due;
	net_buffer_on_free(touch_starved);
	net_tcp_on_closing(closing_segment);
	net_tcp_on_syn(syn_again);
}
