/*
 * Terminals: reading, writing, job control, hang-up. See tty.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/tty/tty.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "posix/proc/caller.h"
#include "posix/proc/session.h"
#include "posix/signal/signal.h"
#include "posix/tty/tty_termios.h"

#define READY_IN 0x41u		/* POLLIN, POLLRDNORM */
#define READY_OUT 0x104u	/* POLLOUT, POLLWRNORM */
#define CHUNK 4096u
#define IOV_MAX 1024u
#define COUNT_MAX 0x7ffff000u

/* --- the object ------------------------------------------------------------------------------- */

/* The discipline may not be called back from here, and delivering a signal may end a parked read: it is sent by tty_pump. */
static void signal_raised(void *context, int sig)
{
	((struct tty *)context)->signals |= LX_SIGBIT(sig);
}

static const struct ldisc_ops ops = { .signal = signal_raised };

int tty_init(struct tty *tty, uint32_t device, void (*output)(struct tty *tty), void *data)
{
	memset(tty, 0, sizeof *tty);
	tty->device = device;
	tty->output = output;
	tty->device_data = data;
	tty->source = (int)k_source_create();
	if (tty->source < 0)
		return tty->source;
	ldisc_init(&tty->ldisc, LDISC_SERIAL, &ops, tty);
	tty_pump(tty);
	return 0;
}

struct tty *tty_find(uint32_t device)
{
	return device == TTY_SERIAL_DEVICE || device == TTY_CONSOLE_DEVICE ? &console_tty : NULL;
}

struct tty *process_tty(const struct process *p)
{
	return p->no_tty || !p->group ? NULL : p->group->session->tty;
}

void tty_signal_group(struct tty *tty, int sig)
{
	struct group *g = tty->pgrp ? group_find(tty->pgrp) : NULL;

	if (g && g->session == tty->session)
		signal_group_kernel(g, sig);
}

void tty_acquire(struct tty *tty, struct process *p)
{
	struct session *s = p->group->session;

	tty->session = s;
	tty->pgrp = p->group->pgid;
	s->tty = tty;
	p->no_tty = false;
}

void tty_session_gone(struct tty *tty)
{
	tty->session = NULL;
	tty->pgrp = 0;
}

void tty_disassociate(struct tty *tty, bool hangup)
{
	struct session *s = tty->session;
	struct group *g = tty->pgrp ? group_find(tty->pgrp) : NULL;

	s->tty = NULL;
	tty_session_gone(tty);
	if (hangup) {
		files_hang(tty);
		ldisc_reset(&tty->ldisc);
		tty->overflow_used = 0;
	}
	if (g && g->session == s) {
		signal_group_kernel(g, LX_SIGHUP);
		signal_group_kernel(g, LX_SIGCONT);
	}
	tty_pump(tty);
}

/* --- job control ------------------------------------------------------------------------------ */

int tty_job_check(struct thread *t, struct file *f, int sig)
{
	struct process *p = t->process;
	struct tty *tty = f->tty;

	if (process_tty(p) != tty || !tty->pgrp || p->group->pgid == tty->pgrp)
		return 0;
	if ((t->mask & LX_SIGBIT(sig)) || p->sighand->action[sig - 1].handler == LX_SIG_IGN)
		return sig == LX_SIGTTIN ? -EIO : 0;
	if (group_is_orphaned(p->group, NULL))
		return -EIO;
	signal_group_kernel(p->group, sig);
	return -K_RESTART_SYS;
}

/* --- the caller's buffers, plain or as vectors ------------------------------------------------ */

struct iovec_wire { uint64_t base, size; };

/* Total size of what the call names. */
static int64_t buffer_size(const struct k_message *m, bool vector)
{
	static struct iovec_wire v[IOV_MAX];
	uint64_t total = 0;
	int r;

	if (!vector)
		return (int64_t)m->arg[2] < 0 ? -EINVAL : (int64_t)(m->arg[2] > COUNT_MAX ? COUNT_MAX : m->arg[2]);
	if (m->arg[2] > IOV_MAX)
		return -EINVAL;
	r = caller_read(m, v, m->arg[1], m->arg[2] * sizeof v[0]);
	if (r)
		return r;
	for (uint64_t i = 0; i < m->arg[2]; i++) {
		if ((int64_t)v[i].size < 0)
			return -EINVAL;
		total += v[i].size;
		if (total > COUNT_MAX)
			total = COUNT_MAX;
	}
	return (int64_t)total;
}

/* Copies n bytes at offset `skip` of the caller's buffers, in or out. */
static int buffer_copy(const struct k_message *m, bool vector, uint64_t skip, uint8_t *data, size_t n, bool out)
{
	static struct iovec_wire v[IOV_MAX];
	uint64_t count = m->arg[2];
	int r = 0;

	if (!vector)
		return out ? caller_write(m, m->arg[1] + skip, data, n) : caller_read(m, data, m->arg[1] + skip, n);
	r = caller_read(m, v, m->arg[1], count * sizeof v[0]);
	for (uint64_t i = 0; i < count && n && !r; i++) {
		size_t part;

		if (skip >= v[i].size) {
			skip -= v[i].size;
			continue;
		}
		part = v[i].size - skip < n ? (size_t)(v[i].size - skip) : n;
		r = out ? caller_write(m, v[i].base + skip, data, part) : caller_read(m, data, v[i].base + skip, part);
		data += part;
		n -= part;
		skip = 0;
	}
	return r;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct reader {
	struct ldisc_reader state;
	struct srv_timer timer;
	struct tty *tty;
	struct thread *thread;
	struct srv_parked *parked;
	bool vector;
	size_t size;
};

static uint8_t io[CHUNK];

static void data_answer(const struct k_message *m, struct tty *tty, bool vector, size_t got)
{
	int r = got ? buffer_copy(m, vector, 0, io, got, true) : 0;

	if (r == -K_REDELIVER) {
		memcpy(tty->stash, io, got);
		tty->stash_used = got;
		tty->stash_tid = m->tid;
		return;
	}
	call_answer(m, r ? r : (int64_t)got);
}

static void reader_end(struct reader *rd)
{
	rd->thread->waiting = NULL;
	srv_timer_cancel(&rd->timer);
	srv_unpark(rd->parked);
	free(rd);
}

/* One more try for a parked reader. True: it is answered. */
static bool reader_try(struct reader *rd, unsigned how)
{
	struct tty *tty = rd->tty;
	struct k_message m;
	bool vector = rd->vector;
	size_t got;
	int r = ldisc_read(&tty->ldisc, &rd->state, how, io, rd->size, &got);

	if (r == -EAGAIN) {
		if (rd->state.timer && rd->state.restart)
			srv_timer_set(&rd->timer, srv_now() + rd->state.timer * 100000000ll);
		return false;
	}
	m = rd->parked->message;
	reader_end(rd);
	if (r == -EINTR)
		srv_answer(m.call, -K_RESTART_SYS);
	else
		data_answer(&m, tty, vector, got);
	return true;
}

static void reader_timeout(struct srv_timer *timer)
{
	struct reader *rd = timer->arg;
	struct tty *tty = rd->tty;

	reader_try(rd, LDISC_EXPIRED);
	tty_pump(tty);
}

static void reader_cancel(struct srv_parked *p, bool dead)
{
	struct reader *rd = p->arg;

	if (dead)
		reader_end(rd);
	else
		reader_try(rd, LDISC_INTERRUPTED);
}

static void reader_park(const struct k_message *m, struct tty *tty, const struct ldisc_reader *state, bool vector, size_t size)
{
	struct reader *rd = calloc(1, sizeof *rd);
	struct srv_parked *p = rd ? srv_park(m, reader_cancel) : NULL;

	if (!p) {
		free(rd);
		srv_answer(m->call, -ENOMEM);
		return;
	}
	rd->state = *state;
	rd->tty = tty;
	rd->thread = thread_of(m);
	rd->parked = p;
	rd->vector = vector;
	rd->size = size;
	rd->timer.fn = reader_timeout;
	rd->timer.arg = rd;
	p->arg = rd;
	rd->thread->waiting = p;
	srv_parked_append(&tty->readers, p);
	if (state->timer && state->restart)
		srv_timer_set(&rd->timer, srv_now() + state->timer * 100000000ll);
}

static bool stash_answer(const struct k_message *m, struct tty *tty, bool vector)
{
	size_t got = tty->stash_used;

	if (!got || tty->stash_tid != m->tid)
		return false;
	memcpy(io, tty->stash, got);
	tty->stash_used = 0;
	data_answer(m, tty, vector, got);
	return true;
}

void tty_read(const struct k_message *m, struct file *f, bool vector)
{
	struct thread *t = thread_of(m);
	struct tty *tty = f->tty;
	struct ldisc_reader state = { 0 };
	int64_t size = buffer_size(m, vector);
	bool nonblock = m->fd_flags & LX_O_NONBLOCK;
	size_t got;
	int r;

	if (size < 0 || f->hung || size == 0) {
		caller_answer(m, size < 0 ? size : 0);
		return;
	}
	if (stash_answer(m, tty, vector))
		return;
	r = f->console ? 0 : tty_job_check(t, f, LX_SIGTTIN);
	if (r) {
		call_answer(m, r);
		return;
	}
	if (size > CHUNK)
		size = CHUNK;
	/* those who came first are served first */
	r = tty->readers.first ? -EAGAIN : ldisc_read(&tty->ldisc, &state, nonblock ? LDISC_NONBLOCK : 0, io, (size_t)size, &got);
	if (r == 0)
		data_answer(m, tty, vector, got);
	else if (r == -EAGAIN && !nonblock && signal_due(t))
		srv_answer(m->call, -K_RESTART_SYS);
	else if (r == -EAGAIN && !nonblock)
		reader_park(m, tty, &state, vector, (size_t)size);
	else
		srv_answer(m->call, r);
	tty_pump(tty);
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Goes on with a write of `size` bytes of which *done are taken. 0: complete; -EAGAIN: no room; another error. */
static int write_some(const struct k_message *m, struct tty *tty, bool vector, uint64_t size, uint64_t *done)
{
	while (*done < size) {
		size_t part = size - *done < CHUNK ? (size_t)(size - *done) : CHUNK, taken;
		int r;

		if (!ldisc_writable(&tty->ldisc))
			return -EAGAIN;
		r = buffer_copy(m, vector, *done, io, part, false);
		if (r)
			return r;
		taken = ldisc_write(&tty->ldisc, io, part);
		*done += taken;
		if (!taken)
			return -EAGAIN;
		if (taken < part && tty->output)
			tty->output(tty);
	}
	return 0;
}

static void write_end(const struct k_message *m, int r, uint64_t done)
{
	if (r == -K_REDELIVER && !done)
		return;
	/* what was taken was taken: a page that is absent later makes it a short write */
	call_answer(m, done ? (int64_t)done : r);
}

static void writer_cancel(struct srv_parked *p, bool dead)
{
	uint64_t call = p->message.call, done = p->value[0];

	((struct thread *)p->arg)->waiting = NULL;
	srv_unpark(p);
	if (!dead)
		srv_answer(call, done ? (int64_t)done : -K_RESTART_SYS);
}

static void writers_go(struct tty *tty)
{
	while (tty->writers.first && ldisc_writable(&tty->ldisc)) {
		struct srv_parked *p = tty->writers.first;
		struct k_message m = p->message;
		uint64_t done = p->value[0];
		int r = write_some(&m, tty, p->value[2], p->value[1], &done);

		p->value[0] = done;
		if (r == -EAGAIN)
			return;
		((struct thread *)p->arg)->waiting = NULL;
		srv_unpark(p);
		if (r != -K_REDELIVER)
			write_end(&m, r, done);
	}
}

static void writer_park(const struct k_message *m, struct tty *tty, bool vector, uint64_t size, uint64_t done)
{
	struct srv_parked *p = srv_park(m, writer_cancel);
	struct thread *t = thread_of(m);

	if (!p) {
		srv_answer(m->call, done ? (int64_t)done : -ENOMEM);
		return;
	}
	p->arg = t;
	p->value[0] = done;
	p->value[1] = size;
	p->value[2] = vector;
	t->waiting = p;
	srv_parked_append(&tty->writers, p);
}

void tty_write(const struct k_message *m, struct file *f, bool vector)
{
	struct thread *t = thread_of(m);
	struct tty *tty = f->tty;
	int64_t size = buffer_size(m, vector);
	uint64_t done = 0;
	int r = 0;

	if (size <= 0 || f->hung) {
		caller_answer(m, size < 0 ? size : f->hung ? -EIO : 0);
		return;
	}
	if ((tty->ldisc.termios.lflag & LX_TOSTOP) && !f->console)
		r = tty_job_check(t, f, LX_SIGTTOU);
	if (r) {
		call_answer(m, r);
		return;
	}
	r = tty->writers.first ? -EAGAIN : write_some(m, tty, vector, (uint64_t)size, &done);
	if (r == -EAGAIN && !(m->fd_flags & LX_O_NONBLOCK) && signal_due(t))
		srv_answer(m->call, done ? (int64_t)done : -K_RESTART_SYS);
	else if (r == -EAGAIN && !(m->fd_flags & LX_O_NONBLOCK))
		writer_park(m, tty, vector, (uint64_t)size, done);
	else
		write_end(m, r, done);
	tty_pump(tty);
}

/* --- everything again ------------------------------------------------------------------------- */

static void readers_go(struct tty *tty)
{
	while (tty->readers.first) {
		struct reader *rd = tty->readers.first->arg;

		if (!reader_try(rd, 0))
			return;
	}
}

static void overflow_go(struct tty *tty)
{
	size_t taken;

	if (!tty->overflow_used)
		return;
	taken = ldisc_input(&tty->ldisc, tty->overflow, tty->overflow_used);
	tty->overflow_used -= taken;
	memmove(tty->overflow, tty->overflow + taken, tty->overflow_used);
}

static void drainers_go(struct tty *tty)
{
	while (tty->drainers.first && ldisc_drained(&tty->ldisc)) {
		if (!tty_ioctl_again(tty->drainers.first))
			return;
	}
}

static void signals_go(struct tty *tty)
{
	uint64_t set = tty->signals;

	tty->signals = 0;
	for (int sig = 1; set; sig++) {
		if (set & LX_SIGBIT(sig))
			tty_signal_group(tty, sig);
		set &= ~LX_SIGBIT(sig);
	}
}

static void readiness_update(struct tty *tty)
{
	uint32_t ready = (ldisc_readable(&tty->ldisc) ? READY_IN : 0) | (ldisc_writable(&tty->ldisc) ? READY_OUT : 0);

	if (ready == tty->ready)
		return;
	k_source_set(tty->source, ready & ~tty->ready, tty->ready & ~ready, 0);
	tty->ready = ready;
}

void tty_pump(struct tty *tty)
{
	/* answering somebody may come back here: once is enough */
	if (tty->pumping)
		return;
	tty->pumping = true;
	do {
		readers_go(tty);
		overflow_go(tty);
		if (tty->output)
			tty->output(tty);
		writers_go(tty);
		drainers_go(tty);
		signals_go(tty);
	} while (tty->signals);
	if (tty->output)
		tty->output(tty);
	readiness_update(tty);
	tty->pumping = false;
}

void tty_input(struct tty *tty, const uint8_t *bytes, size_t n)
{
	size_t taken = tty->overflow_used ? 0 : ldisc_input(&tty->ldisc, bytes, n);
	size_t rest = n - taken, room = sizeof tty->overflow - tty->overflow_used;

	/* what neither place holds is lost, as in a serial port that nobody empties */
	if (rest > room)
		rest = room;
	memcpy(tty->overflow + tty->overflow_used, bytes + taken, rest);
	tty->overflow_used += rest;
	if (rest)
		k_source_set(tty->source, 0, 0, 1);
	tty_pump(tty);
}
