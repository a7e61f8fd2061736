/* SPDX-License-Identifier: MIT */
/*
 * lwIP's start and its clock (glue.h).
 *
 * lwIP wants to be called at many fixed intervals, whether there is anything to do or not. Here
 * each of its timers is a line of a table that runs only while it is needed, so that an idle system
 * sleeps. TCP has two paces: every 50 ms while something is under way, each second while
 * connections only lie there; its clock (tcp_ticks) is set from the real one, so nothing depends on
 * having been called.
 */
#include "glue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "configuration.h"
#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/igmp.h"
#include "lwip/init.h"
#include "lwip/ip4_frag.h"
#include "lwip/ip6_frag.h"
#include "lwip/mld6.h"
#include "lwip/nd6.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/dhcp.h"
#include "lwip/stats.h"
#include "lwip_hooks.h"
#include "interface.h"
#include "memory.h"
#include "nic.h"
#include "server.h"

#define MS 1000000ll
#define WITHOUT_NETMEM (1u << 20)	/* bytes for packets where there is no netmem */

/* --- TCP's clock -------------------------------------------------------------------------- */

#define RTO_LEAST 3		/* ticks: a retransmission after 200 to 300 ms at the earliest */
#define RTO_SYN (1000 / TCP_SLOW_INTERVAL)

enum pace { PACE_NONE, PACE_SLOW, PACE_FAST };

static struct {
	enum pace pace;
	int64_t next;
	bool odd;
} tcp;

static void tcp_clock_set(int64_t now)
{
	tcp_ticks = (u32_t)(now / NET_TCP_TICK_NS);
}

static bool (*syn_again)(void *arg, unsigned repeated);

void net_tcp_on_syn(bool (*fn)(void *arg, unsigned repeated))
{
	syn_again = fn;
}

/*
 * lwIP measures round trips in ticks, so on a fast network it would send again after one or none.
 * Linux's least time is kept instead, and a SYN is sent again after 1, 2, 4, ... seconds.
 */
static void tcp_estimates_raise(void)
{
	for (struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next) {
		if (p->state == SYN_SENT) {
			p->rto = syn_again && !syn_again(p->callback_arg, p->nrtx) ?
					 INT16_MAX :
					 (s16_t)(RTO_SYN << LWIP_MIN(p->nrtx, 7));
			continue;
		}
		if ((p->sa >> 3) + p->sv < RTO_LEAST)
			p->sv = (s16_t)(RTO_LEAST - (p->sa >> 3));
		if (p->rto < RTO_LEAST)
			p->rto = RTO_LEAST;
	}
}

static enum pace pcb_pace(const struct tcp_pcb *p)
{
	if (p->unsent || p->unacked || p->ooseq || p->refused_data || p->persist_backoff)
		return PACE_FAST;
	if (p->flags & (TF_ACK_DELAY | TF_ACK_NOW | TF_CLOSEPEND | TF_FIN | TF_NAGLEMEMERR))
		return PACE_FAST;
	if (p->state == FIN_WAIT_2)
		return p->flags & TF_RXCLOSED ? PACE_SLOW : PACE_NONE;
	if (p->state != ESTABLISHED && p->state != CLOSE_WAIT)
		return PACE_FAST;
	if (p->poll && p->pollinterval && p->pollinterval != 255)
		return PACE_SLOW;
	return ip_get_option(p, SOF_KEEPALIVE) ? PACE_SLOW : PACE_NONE;
}

static enum pace tcp_pace(void)
{
	enum pace pace = tcp_tw_pcbs ? PACE_SLOW : PACE_NONE;

	for (struct tcp_pcb *p = tcp_active_pcbs; p && pace != PACE_FAST; p = p->next) {
		if (pcb_pace(p) > pace)
			pace = pcb_pace(p);
	}
	return pace;
}

static void tcp_pace_set(enum pace pace, int64_t now)
{
	tcp.pace = pace;
	tcp.next = pace == PACE_NONE ?
			   K_FOREVER :
			   now + (pace == PACE_FAST ? TCP_FAST_INTERVAL * MS : 1000 * MS);
}

static void tcp_run(int64_t now)
{
	bool slow = tcp.pace == PACE_SLOW || tcp.odd;

	tcp.odd = !tcp.odd;
	tcp_fasttmr();
	if (slow) {
		tcp_estimates_raise();
		tcp_ticks--;		/* it counts itself */
		tcp_slowtmr();
	}
	tcp_pace_set(tcp_pace(), now);
}

/*
 * The driver has room again: what lwIP could not send goes now, not when it would be sent again
 * anyway.
 */
static void unsent_push(void)
{
	for (struct tcp_pcb *p = tcp_active_pcbs, *next; p; p = next) {
		next = p->next;
		if (p->unsent && !p->persist_backoff)
			tcp_output(p);
	}
}

/* --- acknowledgements --------------------------------------------------------------------- */

#define STRETCH 16		/* segments that one acknowledgement is for, at most */

/*
 * Segments that come together are acknowledged together. lwIP would do it for every second one, and
 * each costs the sender, who may be this machine's own host, as much as a segment. So the first of
 * lwIP's two steps (TF_ACK_DELAY) is undone while more of the batch is to come, and whoever got two
 * or more acknowledges them at its end.
 */
static struct fresh {
	const struct tcp_pcb *pcb;
	unsigned segments;
} fresh[16];
static unsigned fresh_count;

static void acknowledge_later(struct tcp_pcb *pcb)
{
	struct fresh *f = fresh;

	while (f < fresh + fresh_count && f->pcb != pcb)
		f++;
	if (f == fresh + fresh_count) {
		if (fresh_count == sizeof fresh / sizeof fresh[0])
			return;
		*f = (struct fresh){ pcb, 0 };
		fresh_count++;
	}
	if (++f->segments % STRETCH && nic_more())
		tcp_clear_flags(pcb, TF_ACK_DELAY);
}

static bool acknowledgement_due(const struct tcp_pcb *pcb)
{
	for (unsigned n = 0; n < fresh_count; n++) {
		if (fresh[n].pcb == pcb)
			return fresh[n].segments > 1 && pcb->flags & TF_ACK_DELAY;
	}
	return false;
}

static void acknowledge(void)
{
	bool any = false;

	for (unsigned n = 0; n < fresh_count; n++)
		any |= fresh[n].segments > 1;
	for (struct tcp_pcb *p = tcp_active_pcbs, *next; any && p; p = next) {
		next = p->next;		/* (nothing here ends a connection) */
		if (acknowledgement_due(p)) {
			tcp_ack_now(p);
			tcp_output(p);
		}
	}
	fresh_count = 0;
}

/* --- the other timers --------------------------------------------------------------------- */

static bool ether_needed(void)
{
	struct netif *eth = nic_netif();

	return (eth && netif_is_up(eth)) || lwip_stats.memp[MEMP_REASSDATA]->used ||
	       lwip_stats.memp[MEMP_IP6_REASSDATA]->used;
}

static void second_run(void)
{
	static unsigned seconds;

	ip_reass_tmr();
	ip6_reass_tmr();
	etharp_tmr();
	nd6_tmr();
	if (++seconds % DHCP_COARSE_TIMER_SECS == 0)
		dhcp_coarse_tmr();
}

static bool dhcp_needed(void)
{
	struct dhcp *d = nic_netif() ? netif_dhcp_data(nic_netif()) : NULL;

	return d && d->state != DHCP_STATE_OFF && d->request_timeout;
}

static bool groups_needed(void)
{
	struct netif *netif;

	NETIF_FOREACH(netif) {
		for (struct igmp_group *g = netif_igmp_data(netif); g; g = g->next) {
			if (g->timer)
				return true;
		}
		for (struct mld_group *g = netif_mld6_data(netif); g; g = g->next) {
			if (g->timer)
				return true;
		}
	}
	return false;
}

static void groups_run(void)
{
	igmp_tmr();
	mld6_tmr();
}

static struct timer {
	int64_t period, next;		/* next 0: it stands still */
	bool (*needed)(void);
	void (*run)(void);
} timers[] = {
	{ 1000 * MS, 0, ether_needed, second_run },
	{ DHCP_FINE_TIMER_MSECS * MS, 0, dhcp_needed, dhcp_fine_tmr },
	{ IGMP_TMR_INTERVAL * MS, 0, groups_needed, groups_run },
};

#define TIMERS (sizeof timers / sizeof timers[0])

static void timers_run(int64_t now)
{
	for (struct timer *t = timers; t < timers + TIMERS; t++) {
		if (t->next && t->next <= now) {
			t->run();
			t->next = 0;
		}
		if (!t->next && t->needed())
			t->next = now + t->period;
	}
	if (tcp.next <= now)
		tcp_run(now);
}

/* --- a round ------------------------------------------------------------------------------ */

static bool touched, more;

void net_lwip_activity(void)
{
	touched = true;
}

static bool loop_pending(void)
{
	struct netif *netif;

	NETIF_FOREACH(netif) {
		if (netif->loop_first)
			return true;
	}
	return false;
}

void net_lwip_poll(void)
{
	int64_t now = srv_now();

	tcp_clock_set(now);
	more = nic_poll();
	acknowledge();
	if (nic_room())
		unsent_push();
	for (int i = 0; i < 4 && loop_pending(); i++) {
		touched = true;
		netif_poll_all();
	}
	timers_run(now);
	touched |= nic_was_active();
	if (touched && tcp.pace != PACE_FAST && tcp_pace() > tcp.pace)
		tcp_pace_set(tcp_pace(), now);
	touched = false;
	net_buffer_tell();
	configuration_save();
	more |= nic_flush();
	more |= loop_pending();
}

int64_t net_lwip_deadline(void)
{
	int64_t next = tcp.next;

	if (more)
		return srv_now();
	for (struct timer *t = timers; t < timers + TIMERS; t++) {
		if (t->next && t->next < next)
			next = t->next;
	}
	return next;
}

void net_lwip_notify(const struct k_message *m)
{
	(void)m;	/* each round looks at the rings */
}

/* --- what lwIP asks ----------------------------------------------------------------------- */

u32_t sys_now(void)
{
	return (u32_t)(srv_now() / MS);
}

/* A connection has been made or begun. */
void tcp_timer_needed(void)
{
	net_lwip_activity();
}

/* The oldest connection that a listener has not heard of: its SYN came, and nothing since. */
static struct tcp_pcb *half_open_oldest(const struct tcp_pcb_listen *listener)
{
	struct tcp_pcb *oldest = NULL;

	for (struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next) {
		if (p->state == SYN_RCVD && p->listener == listener &&
		    (!oldest || (s32_t)(p->tmr - oldest->tmr) < 0))
			oldest = p;
	}
	return oldest;
}

static void (*on_closing)(void *arg);

void net_tcp_on_closing(void (*fn)(void *arg))
{
	on_closing = fn;
}

/*
 * A SYN for a listener whose queue is full: the oldest half-open connection makes room, so that a
 * flood of SYNs that never go on does not keep others out for longer than it takes to answer one.
 */
int net_tcp_segment(struct tcp_pcb *pcb, struct tcp_hdr *header, uint32_t size)
{
	struct tcp_pcb_listen *listener = (struct tcp_pcb_listen *)pcb;
	struct tcp_pcb *victim;

	if (pcb->state == ESTABLISHED && size)
		acknowledge_later(pcb);
	if (on_closing && pcb->callback_arg &&
	    (pcb->state == FIN_WAIT_1 || pcb->state == CLOSING || pcb->state == LAST_ACK))
		on_closing(pcb->callback_arg);
	if (pcb->state != LISTEN || (TCPH_FLAGS(header) & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return ERR_OK;
	if (listener->accepts_pending < listener->backlog)
		return ERR_OK;
	victim = half_open_oldest(listener);
	if (victim)
		tcp_abandon(victim, 0);
	return ERR_OK;
}

void net_lwip_broken(const char *what, const char *file, int line)
{
	srv_panic("lwIP: %s (%s:%d)", what, file, line);
}

int net_lwip_errno(int err)
{
	static const uint8_t number[] = {
		[-ERR_MEM] = ENOMEM,
		[-ERR_BUF] = ENOBUFS,
		[-ERR_TIMEOUT] = ETIMEDOUT,
		[-ERR_RTE] = ENETUNREACH,
		[-ERR_INPROGRESS] = EINPROGRESS,
		[-ERR_VAL] = EINVAL,
		[-ERR_WOULDBLOCK] = EAGAIN,
		[-ERR_USE] = EADDRINUSE,
		[-ERR_ALREADY] = EALREADY,
		[-ERR_ISCONN] = EISCONN,
		[-ERR_CONN] = ENOTCONN,
		[-ERR_IF] = ENETDOWN,
		[-ERR_ABRT] = ETIMEDOUT,
		[-ERR_RST] = ECONNRESET,
		[-ERR_CLSD] = ENOTCONN,
		[-ERR_ARG] = EINVAL,
	};

	return err >= 0 ? 0 : -err < (int)sizeof number && number[-err] ? -number[-err] : -EIO;
}

/* --- start -------------------------------------------------------------------------------- */

static void *netmem_map(size_t *size)
{
	int handle = srv_handle("netmem");
	struct k_mobject_info info;
	struct k_map map = { .space = -1, .object = handle, .flags = K_MAP_READ | K_MAP_WRITE };

	if (handle < 0 || k_mobject_info(handle, &info) < 0)
		return NULL;
	map.size = info.size;
	if (k_space_map(&map) < 0)
		return NULL;
	*size = info.size;
	return (void *)(uintptr_t)map.address;
}

void net_lwip_setup(void)
{
	size_t size = 0, used = 0;
	char *base = netmem_map(&size);
	int signal = srv_handle("virtio-net-signal");

	tcp.next = K_FOREVER;
	if (base) {
		used = signal >= 0 ? NIC_AREA : 0;
	} else {
		size = WITHOUT_NETMEM;
		base = malloc(size);
		signal = -1;
	}
	if (!base || used >= size || net_memory_init(base + used, size - used) < 0)
		srv_panic("no memory for packets");
	lwip_init();
	if (signal >= 0)
		nic_setup(base, signal);
	interface_setup();
}
