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
#include "posix/tty/pty.h"
#include "posix/tty/tty_termios.h"

#define IOV_MAX 1024u
#define COUNT_MAX 0x7ffff000u

/* --- the object ------------------------------------------------------------------------------- */

/*
 * The discipline may not be called back from here, and delivering a signal may end a parked read:
 * it is sent by tty_pump.
 */
static void signal_raised(void *context, int sig)
{
	((struct tty *)context)->signals |= LX_SIGBIT(sig);
}

static const struct ldisc_ops ops = { .signal = signal_raised };

#define PAUSE 5000000ll	/* for the others, while somebody writes what leaves no trace */

static void more_due(struct srv_timer *timer)
{
	tty_pump(timer->arg);
}

int tty_init(struct tty *tty, enum ldisc_kind kind, uint32_t device,
	     bool (*output)(struct tty *tty))
{
	memset(tty, 0, sizeof *tty);
	tty->device = device;
	tty->output = output;
	tty->console_source = -1;
	tty->source = (int)k_source_create();
	if (tty->source < 0)
		return tty->source;
	ldisc_init(&tty->ldisc, kind, &ops, tty);
	tty->budget = TTY_BUDGET;
	tty->more.fn = more_due;
	tty->more.arg = tty;
	return 0;
}

void tty_end(struct tty *tty)
{
	srv_timer_cancel(&tty->more);
	k_handle_close(tty->source);
}

struct tty *tty_find(uint32_t device)
{
	return device == TTY_SERIAL_DEVICE || device == TTY_CONSOLE_DEVICE ? &console_tty : NULL;
}

/* --- terminals and sessions ------------------------------------------------------------------- */

struct tty *process_tty(const struct process *p)
{
	return p->no_tty || !p->group ? NULL : p->group->session->tty;
}

static struct group *foreground(const struct tty *tty)
{
	struct group *g = tty->pgrp ? group_find(tty->pgrp) : NULL;

	return g && g->session == tty->session ? g : NULL;
}

void tty_signal_group(struct tty *tty, int sig)
{
	struct group *g = foreground(tty);

	if (g)
		signal_group_kernel(g, sig);
}

void tty_acquire(struct tty *tty, struct process *p)
{
	struct session *s = p->group->session;

	tty->session = s;
	tty->pgrp = p->group->pgid;
	s->tty = tty;
	s->hung_pgrp = 0;
	p->no_tty = false;
}

void tty_session_gone(struct tty *tty)
{
	if (tty->session)
		tty->session->tty = NULL;
	tty->session = NULL;
	tty->pgrp = 0;
}

void tty_give_up(struct tty *tty)
{
	struct group *g = foreground(tty);

	tty_session_gone(tty);
	if (!g)
		return;
	signal_group_kernel(g, LX_SIGHUP);
	signal_group_kernel(g, LX_SIGCONT);
}

/* --- hanging up ------------------------------------------------------------------------------- */

static void readers_hang(struct tty *tty);
static void writers_hang(struct tty *tty);
static void drainers_hang(struct tty *tty);

/* Whoever watches the files that were open sees the hang-up; files opened from now on do not. */
static void source_renew(struct tty *tty)
{
	int fresh = tty->pty && !tty->pty->master_open ? -1 : (int)k_source_create();

	k_source_set(tty->source, TTY_READY_HUNG, 0, 1);
	tty->ready = TTY_READY_HUNG;
	if (fresh < 0)
		return;
	k_handle_close(tty->source);
	tty->source = fresh;
	if (tty->console_source >= 0)
		k_source_set(tty->console_source, 0, ~0u, 0);
	tty->ready = 0;
}

static void line_reset(struct tty *tty)
{
	struct lx_termios2 t;

	tty->overflow_used = 0;
	if (!tty->pty) {
		ldisc_reset(&tty->ldisc);
		return;
	}
	/* the output has left already: it is the master's */
	(void)!ldisc_flush(&tty->ldisc, LX_TCIFLUSH);
	termios_default(&t);
	ldisc_set_termios(&tty->ldisc, &t);
}

/* Files and all who wait through them. */
static void line_hang(struct tty *tty)
{
	files_hang(tty);
	readers_hang(tty);
	writers_hang(tty);
	drainers_hang(tty);
	line_reset(tty);
	source_renew(tty);
}

void tty_hangup(struct tty *tty)
{
	struct session *s = tty->session;
	struct process *leader = s ? s->leader : NULL;

	if (s)
		s->hung_pgrp = tty->pgrp;	/* its turn comes when the leader exits */
	tty_session_gone(tty);
	line_hang(tty);
	if (leader) {
		signal_process_kernel(leader, LX_SIGHUP);
		signal_process_kernel(leader, LX_SIGCONT);
	}
	tty_pump(tty);
}

/* A pseudo-terminal stays as it is for those who go on without a session. */
void tty_leader_exit(struct tty *tty)
{
	struct group *g = foreground(tty);

	tty_session_gone(tty);
	if (!tty->pty)
		line_hang(tty);
	if (g)
		signal_group_kernel(g, LX_SIGHUP);
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
int64_t tty_buffer_size(const struct k_message *m, bool vector)
{
	static struct iovec_wire v[IOV_MAX];
	uint64_t total = 0;
	int r;

	if (!vector && (int64_t)m->arg[2] < 0)
		return -EINVAL;
	if (!vector)
		return (int64_t)(m->arg[2] > COUNT_MAX ? COUNT_MAX : m->arg[2]);
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

/*
 * Copies n bytes at offset `skip` of the caller's buffers, in or out. His vectors may have become
 * smaller since they were measured: then nothing says what the rest would be, and it is EFAULT.
 */
int tty_buffer_copy(const struct k_message *m, bool vector, uint64_t skip, uint8_t *data, size_t n,
		    bool out)
{
	static struct iovec_wire v[IOV_MAX];
	uint64_t count = m->arg[2];
	int r = 0;

	if (!vector && out)
		return caller_write(m, m->arg[1] + skip, data, n);
	if (!vector)
		return caller_read(m, data, m->arg[1] + skip, n);
	r = caller_read(m, v, m->arg[1], count * sizeof v[0]);
	for (uint64_t i = 0; i < count && n && !r; i++) {
		size_t part;

		if (skip >= v[i].size) {
			skip -= v[i].size;
			continue;
		}
		part = v[i].size - skip < n ? (size_t)(v[i].size - skip) : n;
		r = out ? caller_write(m, v[i].base + skip, data, part) :
			  caller_read(m, data, v[i].base + skip, part);
		data += part;
		n -= part;
		skip = 0;
	}
	return !r && n ? -EFAULT : r;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct reader {
	struct ldisc_reader state;
	struct srv_timer timer;
	struct tty *tty;
	struct thread *thread;
	struct file *file;
	struct srv_parked *parked;
	bool vector;
	size_t size;
};

static uint8_t io[TTY_CHUNK];

static void data_answer(const struct k_message *m, struct tty *tty, bool vector, size_t got)
{
	int r = got ? tty_buffer_copy(m, vector, 0, io, got, true) : 0;

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

/* The line is gone: end of file, but an error if the other end has closed it. */
static void readers_hang(struct tty *tty)
{
	struct srv_parked *p = tty->readers.first, *next;

	for (; p; p = next) {
		struct reader *rd = p->arg;
		uint64_t call = p->message.call;

		next = p->next;
		if (!rd->file->hung)
			continue;
		reader_end(rd);
		srv_answer(call, tty->pty && !tty->pty->master_open ? -EIO : 0);
	}
}

static void reader_park(const struct k_message *m, struct file *f, const struct ldisc_reader *state,
			bool vector, size_t size)
{
	struct tty *tty = f->tty;
	struct reader *rd = calloc(1, sizeof *rd);
	struct srv_parked *p = rd ? srv_park(m, reader_cancel) : NULL;

	if (!p) {
		free(rd);
		srv_answer(m->call, -ENOMEM);
		return;
	}
	rd->state = *state;
	rd->tty = tty;
	rd->file = f;
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
	int64_t size = tty_buffer_size(m, vector);
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
	if (size > LDISC_INPUT_SIZE)
		size = LDISC_INPUT_SIZE;
	/* those who came first are served first */
	r = tty->readers.first ? -EAGAIN :
	    ldisc_read(&tty->ldisc, &state, nonblock ? LDISC_NONBLOCK : 0, io, (size_t)size, &got);
	if (r == 0)
		data_answer(m, tty, vector, got);
	else if (r == -EAGAIN && !nonblock && signal_due(t))
		srv_answer(m->call, -K_RESTART_SYS);
	else if (r == -EAGAIN && !nonblock)
		reader_park(m, f, &state, vector, (size_t)size);
	else
		srv_answer(m->call, r);
	tty_pump(tty);
}

/* --- writing ---------------------------------------------------------------------------------- */

/*
 * Goes on with a write of `size` bytes of which *done are taken. 0: complete; -EAGAIN: no room;
 * another error.
 */
static int write_some(const struct k_message *m, struct tty *tty, bool vector, uint64_t size,
		      uint64_t *done)
{
	while (*done < size) {
		size_t part = size - *done < TTY_CHUNK ? (size_t)(size - *done) : TTY_CHUNK, taken;
		int r;

		if (part > tty->budget)
			part = tty->budget;
		if (!part || !ldisc_writable(&tty->ldisc))
			return -EAGAIN;
		r = tty_buffer_copy(m, vector, *done, io, part, false);
		if (r)
			return r;
		taken = ldisc_write(&tty->ldisc, io, part);
		tty->budget -= taken;
		*done += taken;
		if (!taken)
			return -EAGAIN;
		if (taken < part)
			tty->output(tty);
	}
	return 0;
}

/* A page was absent, the call comes again: what was taken of it must not be taken twice. */
uint64_t tty_write_begun(const struct k_message *m)
{
	const struct thread *t = thread_of(m);

	return t->taken_call == m->call ? t->taken : 0;
}

/*
 * The same for one that was parked, and comes again behind our back: the server was restarted as
 * its page was absent.
 */
void tty_write_keep(const struct srv_parked *p)
{
	struct thread *t = p->arg;

	t->taken_call = p->message.call;
	t->taken = p->value[0];
}

void tty_write_end(const struct k_message *m, int r, uint64_t done)
{
	struct thread *t = thread_of(m);

	if (r == -K_REDELIVER) {
		t->taken_call = m->call;
		t->taken = done;
		return;
	}
	call_answer(m, done ? (int64_t)done : r);
}

static void writer_cancel(struct srv_parked *p, bool dead)
{
	uint64_t call = p->message.call, done = p->value[0];

	tty_write_keep(p);
	((struct thread *)p->arg)->waiting = NULL;
	srv_unpark(p);
	if (!dead)
		srv_answer(call, done ? (int64_t)done : -K_RESTART_SYS);
}

static bool writers_go(struct tty *tty)
{
	bool progress = false;

	while (tty->writers.first && tty->budget && ldisc_writable(&tty->ldisc)) {
		struct srv_parked *p = tty->writers.first;
		struct k_message m = p->message;
		uint64_t done = p->value[0], before = done;
		int r = write_some(&m, tty, p->value[2], p->value[1], &done);

		p->value[0] = done;
		if (r == -EAGAIN)
			return progress || done != before;
		progress = true;
		((struct thread *)p->arg)->waiting = NULL;
		srv_unpark(p);
		tty_write_end(&m, r, done);
	}
	return progress;
}

static void writers_hang(struct tty *tty)
{
	struct srv_parked *p = tty->writers.first, *next;

	for (; p; p = next) {
		const struct file *f = (const struct file *)(uintptr_t)p->value[3];
		uint64_t call = p->message.call, done = p->value[0];

		next = p->next;
		if (!f->hung)
			continue;
		((struct thread *)p->arg)->waiting = NULL;
		srv_unpark(p);
		srv_answer(call, done ? (int64_t)done : -EIO);
	}
}

static void writer_park(const struct k_message *m, struct file *f, bool vector, uint64_t size,
			uint64_t done)
{
	struct tty *tty = f->tty;
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
	p->value[3] = (uintptr_t)f;
	t->waiting = p;
	srv_parked_append(&tty->writers, p);
}

void tty_write(const struct k_message *m, struct file *f, bool vector)
{
	struct thread *t = thread_of(m);
	struct tty *tty = f->tty;
	int64_t size = tty_buffer_size(m, vector);
	uint64_t done = tty_write_begun(m);
	int r = 0;

	if (size <= 0 || f->hung) {
		caller_answer(m, size < 0 ? size : f->hung ? -EIO : 0);
		return;
	}
	if ((tty->ldisc.termios.lflag & LX_TOSTOP) && !f->console && !done)
		r = tty_job_check(t, f, LX_SIGTTOU);
	if (r) {
		call_answer(m, r);
		return;
	}
	r = tty->writers.first ? -EAGAIN : write_some(m, tty, vector, (uint64_t)size, &done);
	if (r == -EAGAIN && !(m->fd_flags & LX_O_NONBLOCK) && signal_due(t))
		srv_answer(m->call, done ? (int64_t)done : -K_RESTART_SYS);
	else if (r == -EAGAIN && !(m->fd_flags & LX_O_NONBLOCK))
		writer_park(m, f, vector, (uint64_t)size, done);
	else
		tty_write_end(m, r, done);
	tty_pump(tty);
}

/* --- everything again ------------------------------------------------------------------------- */

static bool readers_go(struct tty *tty)
{
	bool progress = false;

	while (tty->readers.first) {
		struct reader *rd = tty->readers.first->arg;

		if (!reader_try(rd, 0))
			break;
		progress = true;
	}
	return progress;
}

static bool overflow_go(struct tty *tty)
{
	size_t taken;

	if (!tty->overflow_used)
		return false;
	taken = ldisc_input(&tty->ldisc, tty->overflow, tty->overflow_used);
	tty->overflow_used -= taken;
	memmove(tty->overflow, tty->overflow + taken, tty->overflow_used);
	return taken != 0;
}

bool tty_drained(const struct tty *tty)
{
	return tty->pty || console_is_drained();
}

static bool drainers_go(struct tty *tty)
{
	bool progress = false;

	while (tty->drainers.first && tty_drained(tty)) {
		if (!tty_ioctl_again(tty->drainers.first))
			break;
		progress = true;
	}
	return progress;
}

static void drainers_hang(struct tty *tty)
{
	struct srv_parked *p = tty->drainers.first, *next;

	for (; p; p = next) {
		const struct file *f = p->arg;
		uint64_t call = p->message.call;

		next = p->next;
		if (!f->hung)
			continue;
		thread_of(&p->message)->waiting = NULL;
		srv_unpark(p);
		srv_answer(call, -EIO);
	}
}

static bool signals_go(struct tty *tty)
{
	uint64_t set = tty->signals;
	bool progress = set != 0;

	tty->signals = 0;
	for (int sig = 1; set; sig++) {
		if (set & LX_SIGBIT(sig))
			tty_signal_group(tty, sig);
		set &= ~LX_SIGBIT(sig);
	}
	return progress;
}

/* Edge-triggered watchers hear of input that comes while there is some already. */
static void readiness_update(struct tty *tty)
{
	uint32_t ready = (ldisc_readable(&tty->ldisc) ? TTY_READY_IN : 0) |
			 (ldisc_writable(&tty->ldisc) ? TTY_READY_OUT : 0);
	uint32_t come = ready & ~tty->ready, gone = tty->ready & ~ready;
	bool pulse = tty->arrived && ready & TTY_READY_IN;

	tty->arrived = false;
	if (tty->ready == TTY_READY_HUNG || (ready == tty->ready && !pulse))
		return;
	k_source_set(tty->source, come, gone, pulse);
	if (tty->console_source >= 0)
		k_source_set(tty->console_source, come, gone, pulse);
	tty->ready = ready;
}

void tty_pump(struct tty *tty)
{
	bool again;

	/* answering somebody may come back here: once is enough */
	if (tty->pumping)
		return;
	tty->pumping = true;
	do {
		again = readers_go(tty);
		again |= overflow_go(tty);
		again |= tty->output(tty);
		again |= writers_go(tty);
		again |= drainers_go(tty);
		again |= signals_go(tty);
	} while (again);
	if (tty->budget < TTY_TYPED)
		srv_timer_set(&tty->more, srv_now() + PAUSE);
	tty->budget = TTY_BUDGET;
	readiness_update(tty);
	if (tty->pty)
		pty_readiness(tty->pty);
	tty->pumping = false;
}

void tty_input_put(struct tty *tty, const uint8_t *bytes, size_t n)
{
	size_t taken = tty->overflow_used ? 0 : ldisc_input(&tty->ldisc, bytes, n);
	size_t rest = n - taken, room = tty_input_room(tty);

	/* what neither place holds is lost, as in a serial port that nobody empties */
	if (rest > room)
		rest = room;
	memcpy(tty->overflow + tty->overflow_used, bytes + taken, rest);
	tty->overflow_used += rest;
	tty->arrived = true;
}

void tty_input(struct tty *tty, const uint8_t *bytes, size_t n)
{
	tty_input_put(tty, bytes, n);
	tty_pump(tty);
}
