/* SPDX-License-Identifier: MIT */
/*
 * Requests from arrival to answer (request.h).
 *
 * A parked call carries a struct waiter: what must outlive a run, and its timer. Whoever is woken
 * moves to the list `woken`, and runs when the round is nearly over. What a call that the kernel
 * took back had done already is kept by its thread, which has one call at a time: so nobody's
 * calls, however many, make another's be forgotten.
 */
#include "request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "credentials.h"
#include "pids.h"
#include "posix_vfs.h"
#include "socket.h"

struct waiter {
	struct srv_timer timer;
	struct srv_parked *parked;
	net_function *function;
	uint64_t done, messages, memo[2];
	int64_t deadline;
	bool timed_out;
};

/*
 * Progress of calls that were taken back, by thread. A thread that is killed leaves its entry to
 * the next of its number. (Pages that nobody needed are not there.)
 */
static struct taken {
	uint64_t call, done, messages, memo[2];
} taken_table[PROTO_TID_END];

static struct srv_parked_list woken;
static net_function *current;
static int posix_endpoint = -1;
static const struct proto_creds *creds;

void net_request_setup(int posix, int object)
{
	posix_endpoint = posix;
	if (object >= 0)
		credentials_map(object, &creds);	/* (without: everybody is nobody) */
}

const struct proto_cred *net_cred(const struct net_request *r)
{
	return credentials_find(creds, r->m->cred);
}

bool net_capable(const struct net_request *r, uint64_t caps)
{
	return (net_cred(r)->caps & caps) == caps;
}

int64_t net_read(struct net_request *r, void *to, uint64_t from, uint64_t n)
{
	int64_t e = n ? k_caller_read(srv_endpoint(), r->m->call, to, from, n) : 0;

	return e < 0 ? e : 0;
}

int64_t net_write(struct net_request *r, uint64_t to, const void *from, uint64_t n)
{
	int64_t e = n ? k_caller_write(srv_endpoint(), r->m->call, to, from, n) : 0;

	return e < 0 ? e : 0;
}

/* --- waiting ------------------------------------------------------------------------------ */

static void wake(struct srv_parked *p)
{
	if (p->list)
		srv_parked_remove(p);
	srv_parked_append(&woken, p);
}

void net_wake(struct srv_parked_list *list)
{
	while (list->first)
		wake(list->first);
}

static void waiter_late(struct srv_timer *t)
{
	struct waiter *w = t->arg;

	w->timed_out = true;
	wake(w->parked);
}

static void unpark(struct srv_parked *p)
{
	struct waiter *w = p->arg;

	srv_timer_cancel(&w->timer);
	srv_unpark(p);
	free(w);
}

/* A signal, or death. As on Linux a call with a timeout does not start anew: its time would. */
static void waiter_cancel(struct srv_parked *p, bool dead)
{
	struct waiter *w = p->arg;
	uint64_t call = p->message.call;
	bool closed = p->message.kind == K_MSG_DONE;	/* what waits has been done: closing.c */
	int64_t result = closed                   ? 0 :
			 w->messages              ? (int64_t)w->messages :
			 w->done                  ? (int64_t)w->done :
			 w->deadline != K_FOREVER ? -EINTR :
						    -K_RESTART_SYS;

	unpark(p);
	if (!dead)
		srv_answer(call, result);
}

static struct srv_parked *waiter_new(struct net_request *r)
{
	struct waiter *w = calloc(1, sizeof *w);
	struct srv_parked *p = w ? srv_park(r->m, waiter_cancel) : NULL;

	if (!p) {
		free(w);
		return NULL;
	}
	p->arg = w;
	w->parked = p;
	w->function = current;
	w->timer.fn = waiter_late;
	w->timer.arg = w;
	return p;
}

int64_t net_wait(struct net_request *r, struct srv_parked_list *list, int64_t timeout)
{
	struct srv_parked *p = r->parked;
	struct waiter *w;

	if (r->nonblock || r->timed_out)
		return r->done ? (int64_t)r->done : -EAGAIN;
	if (!p)
		p = waiter_new(r);
	if (!p)
		return r->done ? (int64_t)r->done : -ENOMEM;
	w = p->arg;
	if (r->deadline == K_FOREVER && timeout)
		r->deadline = srv_now() + timeout;
	w->deadline = r->deadline;
	w->done = r->done;
	w->messages = r->messages;
	memcpy(w->memo, r->memo, sizeof w->memo);
	if (w->deadline != K_FOREVER && !w->timer.index && srv_timer_set(&w->timer, w->deadline)) {
		r->parked = p;
		return -ENOMEM;
	}
	srv_parked_append(list, p);
	r->parked = p;
	return NET_WAIT;
}

/* --- running ------------------------------------------------------------------------------ */

static struct taken *taken_of(const struct net_request *r)
{
	return &taken_table[r->m->tid % PROTO_TID_END];
}

static void taken_keep(const struct net_request *r)
{
	struct taken *t = taken_of(r);

	if (!r->done && !r->messages && !r->memo[0])
		return;
	t->call = r->m->call;
	t->done = r->done;
	t->messages = r->messages;
	memcpy(t->memo, r->memo, sizeof r->memo);
}

static void taken_find(struct net_request *r)
{
	struct taken *t = taken_of(r);

	if (t->call != r->m->call)
		return;
	r->done = t->done;
	r->messages = t->messages;
	memcpy(r->memo, t->memo, sizeof r->memo);
	t->call = 0;
}

static void run(struct net_request *r, net_function *function)
{
	uint64_t call = r->m->call;
	int64_t result;

	current = function;
	result = function(r);
	if (result == NET_WAIT)
		return;
	if (result == -K_REDELIVER)
		taken_keep(r);
	if (r->parked)
		unpark(r->parked);
	if (result != NET_DONE && result != -K_REDELIVER)
		srv_answer(call, result);	/* (ESRCH: to nobody) */
}

void net_request_run(const struct k_message *m, net_function *function)
{
	struct net_request r = { .m = m,
				 .deadline = K_FOREVER,
				 .nonblock = m->fd_flags & LX_O_NONBLOCK };

	if (!(m->flags & (K_MSGF_BADFD | K_MSGF_FOREIGNFD)))
		r.s = socket_find(m->cookie);
	if (m->flags & K_MSGF_REDELIVERED)
		taken_find(&r);
	run(&r, function);
}

static void run_again(struct srv_parked *p)
{
	struct waiter *w = p->arg;
	struct net_request r = { .m = &p->message,
				 .s = socket_find(p->message.cookie),
				 .deadline = w->deadline,
				 .done = w->done,
				 .messages = w->messages,
				 .timed_out = w->timed_out,
				 .parked = p };

	memcpy(r.memo, w->memo, sizeof r.memo);
	srv_flush();	/* what the pending answer copies from may be about to change */
	run(&r, w->function);
}

bool net_request_settle(void)
{
	bool any = woken.first != NULL;
	struct srv_parked *p;

	while ((p = woken.first)) {
		srv_parked_remove(p);
		run_again(p);
	}
	return any;
}

/* --- ends --------------------------------------------------------------------------------- */

int64_t net_fail(struct net_request *r, int error, int signal)
{
	struct srv_forward f = { .endpoint = posix_endpoint,
				 .number = PROTO_PS_FAIL,
				 .arg = { (uint64_t)error, (uint64_t)signal },
				 .handle = { -1, -1 } };

	if (posix_endpoint < 0)
		return -error;
	srv_forward(r->m->call, &f);
	return NET_DONE;
}

int64_t net_forward_kernel(struct net_request *r, int number, const uint64_t arg[6])
{
	srv_forward_kernel_args(r->m->call, number, arg, false);
	return NET_DONE;
}
