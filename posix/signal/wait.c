/*
 * Waiting for signals: rt_sigsuspend, pause, rt_sigtimedwait, and the calls that wait under another
 * mask (ppoll, pselect6, epoll_pwait).
 *
 * The other mask is put in place and the old one kept in the thread (saved_mask) until the call
 * ends: with a handler, the handler's frame carries the saved mask; without, it comes back at once.
 * Nothing can slip in between: a signal that arrives while a call is held here reaches us as a
 * cancel notice.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/signal/signal.h"

#include <errno.h>
#include <stdlib.h>

#include "posix/proc/caller.h"

static void mask_replace(struct thread *t, uint64_t mask)
{
	if (!t->have_saved)
		t->saved_mask = t->mask;
	t->have_saved = true;
	signal_set_mask(t, mask);
}

static void mask_restore(struct thread *t)
{
	if (!t->have_saved)
		return;
	t->have_saved = false;
	signal_set_mask(t, t->saved_mask);
}

/* --- rt_sigsuspend, pause --------------------------------------------------------------------- */

static void suspend_cancel(struct srv_parked *p, bool dead)
{
	struct thread *t = p->arg;
	uint64_t call = p->message.call;

	t->waiting = NULL;
	srv_unpark(p);
	if (!dead)
		srv_answer(call, -K_RESTART_NOHAND);
}

static void suspend(const struct k_message *m, struct thread *t)
{
	struct srv_parked *p;

	if (signal_due(t)) {
		srv_answer(m->call, -K_RESTART_NOHAND);
		return;
	}
	p = srv_park(m, suspend_cancel);
	if (!p) {
		mask_restore(t);
		srv_answer(m->call, -ENOMEM);
		return;
	}
	p->arg = t;
	t->waiting = p;
}

void in_rt_sigsuspend(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	uint64_t mask;
	int r = m->arg[1] != 8 ? -EINVAL : caller_read(m, &mask, m->arg[0], sizeof mask);

	if (r) {
		caller_answer(m, r);
		return;
	}
	mask_replace(t, mask);
	suspend(m, t);
}

void in_pause(const struct k_message *m)
{
	suspend(m, thread_of(m));
}

/* --- rt_sigtimedwait -------------------------------------------------------------------------- */

struct timedwait {
	struct srv_timer timer;
	struct thread *thread;
	uint64_t set;
};

/* Takes a signal of `set` and reports it. False: there is none. */
static bool timedwait_take(struct thread *t, const struct k_message *m, uint64_t set)
{
	struct lx_siginfo info;
	struct sigqueue *q = signal_take(t, set, &info);
	int r;

	if (!q)
		return false;
	r = m->arg[1] ? caller_write(m, m->arg[1], &info, sizeof info) : 0;
	if (r == -K_REDELIVER || r == -ESRCH)
		sigqueue_put_back(q, info.signo, &info);
	else
		srv_answer(m->call, r ? r : info.signo);
	return true;
}

static void timedwait_end(struct srv_parked *p)
{
	struct timedwait *w = p->arg;

	w->thread->waiting = NULL;
	srv_timer_cancel(&w->timer);
	srv_unpark(p);
	free(w);
}

static void timedwait_cancel(struct srv_parked *p, bool dead)
{
	uint64_t call = p->message.call;

	timedwait_end(p);
	if (!dead)
		srv_answer(call, -EINTR);
}

static void timedwait_expired(struct srv_timer *timer)
{
	struct srv_parked *p = timer->arg;
	uint64_t call = p->message.call;

	timedwait_end(p);
	srv_answer(call, -EAGAIN);
}

bool signal_timedwait_wake(struct thread *t)
{
	struct srv_parked *p = t->waiting;
	struct k_message m;
	uint64_t set;

	if (p->cancel != timedwait_cancel)
		return false;
	set = ((struct timedwait *)p->arg)->set;
	if (!sigqueue_next(&t->pending, set) && !sigqueue_next(&t->process->pending, set))
		return false;
	m = p->message;
	timedwait_end(p);
	return timedwait_take(t, &m, set);
}

/* deadline: absolute, K_FOREVER without one */
static int timedwait_deadline(const struct k_message *m, int64_t *deadline)
{
	struct lx_timespec ts;
	int r;

	*deadline = K_FOREVER;
	if (!m->arg[2])
		return 0;
	r = caller_read(m, &ts, m->arg[2], sizeof ts);
	if (r)
		return r;
	if (ts.sec < 0 || ts.nsec < 0 || ts.nsec >= NS_PER_SEC)
		return -EINVAL;
	if (ts.sec < 1000000000)
		*deadline = srv_now() + ts.sec * NS_PER_SEC + ts.nsec;
	return ts.sec == 0 && ts.nsec == 0 ? -EAGAIN : 0;
}

static void timedwait_park(const struct k_message *m, struct thread *t, uint64_t set,
			   int64_t deadline)
{
	struct timedwait *w = calloc(1, sizeof *w);
	struct srv_parked *p = w ? srv_park(m, timedwait_cancel) : NULL;

	if (!p) {
		free(w);
		srv_answer(m->call, -ENOMEM);
		return;
	}
	w->set = set;
	w->thread = t;
	w->timer.fn = timedwait_expired;
	w->timer.arg = p;
	p->arg = w;
	t->waiting = p;
	if (deadline != K_FOREVER)
		srv_timer_set(&w->timer, deadline);
}

void in_rt_sigtimedwait(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	int64_t deadline;
	uint64_t set;
	int r = m->arg[3] != 8 ? -EINVAL : caller_read(m, &set, m->arg[0], sizeof set), timeout;

	if (r) {
		caller_answer(m, r);
		return;
	}
	set &= ~SIGSET_UNBLOCKABLE;
	timeout = timedwait_deadline(m, &deadline);
	if (timeout && timeout != -EAGAIN) {
		caller_answer(m, timeout);
		return;
	}
	if (timedwait_take(t, m, set))
		return;
	if (timeout)
		srv_answer(m->call, -EAGAIN);
	else if (signal_due(t))
		call_answer(m, -EINTR);
	else
		timedwait_park(m, t, set, deadline);
}

/* --- a mask for the time of a kernel operation ------------------------------------------------ */

/* Runs the operation with these arguments under `mask`; its end comes to signal_done. */
static void masked_operation(const struct k_message *m, const uint64_t arg[6], uint64_t mask)
{
	struct thread *t = thread_of(m);

	mask_replace(t, mask);
	signal_recheck(t);
	if (srv_forward_kernel_args(m->call, m->number, arg, true) < 0)
		mask_restore(t);
}

static void with_mask(const struct k_message *m, const uint64_t arg[6], uint64_t mask_at,
		      uint64_t size)
{
	uint64_t mask;
	int r;

	if (!mask_at) {
		srv_forward_kernel_args(m->call, m->number, arg, false);
		return;
	}
	r = size != 8 ? -EINVAL : caller_read(m, &mask, mask_at, sizeof mask);
	if (r)
		caller_answer(m, r);
	else
		masked_operation(m, arg, mask);
}

void in_ppoll(const struct k_message *m)
{
	uint64_t arg[6] = { m->arg[0], m->arg[1], m->arg[2], 0, 0, 0 };

	with_mask(m, arg, m->arg[3], m->arg[4]);
}

void in_epoll_pwait(const struct k_message *m)
{
	uint64_t arg[6] = { m->arg[0], m->arg[1], m->arg[2], m->arg[3], 0, 0 };

	with_mask(m, arg, m->arg[4], m->arg[5]);
}

void in_pselect6(const struct k_message *m)
{
	uint64_t arg[6] = { m->arg[0], m->arg[1], m->arg[2], m->arg[3], m->arg[4], 0 };
	struct { uint64_t mask, size; } s = { 0, 0 };
	int r = m->arg[5] ? caller_read(m, &s, m->arg[5], sizeof s) : 0;

	if (r)
		caller_answer(m, r);
	else
		with_mask(m, arg, s.mask, s.size);
}

void signal_done(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	int64_t result = (int64_t)m->extra[0];
	bool restart = result <= -K_RESTART_SYS && result >= -K_RESTART_BLOCK;

	if (t)
		t->in_event = false;	/* this is the visit that an event asked for */
	/*
	 * interrupted: the signal is delivered at the visit that follows, which also puts the mask
	 * back
	 */
	if (!t || restart || (result == -EINTR && signal_due(t))) {
		srv_answer(m->call, result == -EINTR ? -K_RESTART_NOHAND : result);
		return;
	}
	mask_restore(t);
	call_answer(m, result);
}
