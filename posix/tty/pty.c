/*
 * Pseudo-terminals: pairs, and the master's reads and writes. See pty.h.
 *
 * The master is the device of the slave's terminal: tty_pump() calls master_go() as it calls the
 * console's output. A read takes from the discipline's output queue, a write puts into its input,
 * so each of them is one copy, and a slave that waits for room is let go by the read itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/tty/pty.h"

#include <errno.h>
#include <stdlib.h>

#include "posix/proc/caller.h"
#include "posix/proc/cred.h"
#include "posix/signal/signal.h"

#define PAIRS 4096u	/* the VFS gives out so many numbers */

static STATE struct { struct pty *number[PAIRS]; } table;
#define pairs STATE_OF(table).number
static uint8_t io[TTY_CHUNK];

uint32_t pty_number(uint32_t device)
{
	return (device & 0xff) | (device >> 12 & 0xfff00);
}

struct pty *pty_find(uint32_t device)
{
	uint32_t n = pty_number(device);

	return n < PAIRS ? pairs[n] : NULL;
}

/* --- reading ---------------------------------------------------------------------------------- */

static uint8_t packet_status(const struct pty *p)
{
	return p->slave.ldisc.packet ? p->slave.ldisc.packet_status : 0;
}

static bool output_pending(const struct pty *p)
{
	const uint8_t *bytes;

	return packet_status(p) || ldisc_output_peek(&p->slave.ldisc, &bytes) > 0;
}

/* What a read of `size` bytes gets. In packet mode: a status alone, or a zero and data. */
static size_t output_copy(struct pty *p, uint8_t *to, size_t size)
{
	size_t packet = p->slave.ldisc.packet;

	if (size > TTY_CHUNK)
		size = TTY_CHUNK;
	if (packet)
		*to = packet_status(p);
	if (packet && *to)
		return 1;
	return packet + ldisc_output_copy(&p->slave.ldisc, to + packet, size - packet);
}

/* Takes what output_copy gave. */
static void output_take(struct pty *p, size_t n)
{
	struct ldisc *ld = &p->slave.ldisc;

	if (ld->packet && ld->packet_status)
		ldisc_take_packet_status(ld);
	else
		ldisc_output_consume(ld, n - ld->packet);
}

/* The copy comes first, so a page that is absent loses nothing. False: the call comes again. */
static bool read_answer(const struct k_message *m, struct pty *p, bool vector, size_t size)
{
	size_t n = output_copy(p, io, size);
	int r = tty_buffer_copy(m, vector, 0, io, n, true);

	if (!r)
		output_take(p, n);
	if (r != -K_REDELIVER)
		call_answer(m, r ? r : (int64_t)n);
	return !r;
}

static void parked_end(struct srv_parked *q)
{
	((struct thread *)q->arg)->waiting = NULL;
	srv_unpark(q);
}

static void reader_cancel(struct srv_parked *q, bool dead)
{
	uint64_t call = q->message.call;

	parked_end(q);
	if (!dead)
		srv_answer(call, -K_RESTART_SYS);
}

static void park(const struct k_message *m, struct srv_parked_list *list, bool vector, int64_t size,
		 uint64_t done, void (*cancel)(struct srv_parked *q, bool dead))
{
	struct thread *t = thread_of(m);
	struct srv_parked *q = NULL;

	if (!signal_due(t)) {
		q = srv_park(m, cancel);
		if (!q)
			srv_answer(m->call, done ? (int64_t)done : -ENOMEM);
	} else {
		srv_answer(m->call, done ? (int64_t)done : -K_RESTART_SYS);
	}
	if (!q)
		return;
	q->arg = t;
	q->value[0] = done;
	q->value[1] = (uint64_t)size;
	q->value[2] = vector;
	t->waiting = q;
	srv_parked_append(list, q);
}

/* The line is gone: it gets `r`, unless it has done something. */
static void parked_fail(struct srv_parked *q, int64_t r)
{
	uint64_t call = q->message.call, done = q->value[0];

	parked_end(q);
	srv_answer(call, done ? (int64_t)done : r);
}

void pty_read(const struct k_message *m, struct file *f, bool vector)
{
	struct pty *p = f->tty->pty;
	int64_t size = tty_buffer_size(m, vector);

	if (size <= 0 || f->hung)
		caller_answer(m, size < 0 ? size : 0);
	else if (!p->readers.first && output_pending(p))
		read_answer(m, p, vector, (size_t)size);
	else if (p->slave_closed)
		srv_answer(m->call, -EIO);
	else if (m->fd_flags & LX_O_NONBLOCK)
		srv_answer(m->call, -EAGAIN);
	else
		park(m, &p->readers, vector, size, 0, reader_cancel);
	tty_pump(&p->slave);
}

static bool readers_go(struct pty *p)
{
	bool progress = false;

	while (p->readers.first && (output_pending(p) || p->slave_closed)) {
		struct srv_parked *q = p->readers.first;
		struct k_message m = q->message;
		bool vector = q->value[2];
		size_t size = q->value[1];

		parked_end(q);
		progress = true;
		if (output_pending(p))
			read_answer(&m, p, vector, size);
		else
			srv_answer(m.call, -EIO);
	}
	return progress;
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool input_has_room(const struct pty *p)
{
	return !p->stopped && tty_input_room(&p->slave) > 0;
}

/* Types what there is room for. 0: all of it; -EAGAIN; another error. */
static int write_some(const struct k_message *m, struct pty *p, bool vector, uint64_t size,
		      uint64_t *done)
{
	while (*done < size) {
		uint64_t part = size - *done, room = tty_input_room(&p->slave);
		int r;

		if (room > p->slave.budget / TTY_TYPED)
			room = p->slave.budget / TTY_TYPED;
		if (!room || p->stopped)
			return -EAGAIN;
		if (part > room)
			part = room;
		r = tty_buffer_copy(m, vector, *done, io, (size_t)part, false);
		if (r)
			return r;
		tty_input_put(&p->slave, io, (size_t)part);
		p->slave.budget -= (size_t)part * TTY_TYPED;
		*done += part;
	}
	return 0;
}

static void writer_cancel(struct srv_parked *q, bool dead)
{
	uint64_t call = q->message.call, done = q->value[0];

	tty_write_keep(q);
	parked_end(q);
	if (!dead)
		srv_answer(call, done ? (int64_t)done : -K_RESTART_SYS);
}

void pty_write(const struct k_message *m, struct file *f, bool vector)
{
	struct pty *p = f->tty->pty;
	int64_t size = tty_buffer_size(m, vector);
	uint64_t done = tty_write_begun(m);
	int r;

	if (size <= 0 || f->hung) {
		caller_answer(m, size < 0 ? size : f->hung ? -EIO : 0);
		return;
	}
	r = p->writers.first ? -EAGAIN : write_some(m, p, vector, (uint64_t)size, &done);
	if (r == -EAGAIN && !(m->fd_flags & LX_O_NONBLOCK))
		park(m, &p->writers, vector, size, done, writer_cancel);
	else
		tty_write_end(m, r, done);
	tty_pump(&p->slave);
}

static bool writers_go(struct pty *p)
{
	bool progress = false;

	while (p->writers.first && input_has_room(p) && p->slave.budget >= TTY_TYPED) {
		struct srv_parked *q = p->writers.first;
		struct k_message m = q->message;
		uint64_t done = q->value[0];
		int r = write_some(&m, p, q->value[2], q->value[1], &done);

		progress = true;
		q->value[0] = done;
		if (r == -EAGAIN)
			break;
		parked_end(q);
		tty_write_end(&m, r, done);
	}
	return progress;
}

/* --- the pair --------------------------------------------------------------------------------- */

static bool master_go(struct tty *tty)
{
	bool progress = readers_go(tty->pty);

	return writers_go(tty->pty) || progress;
}

void pty_readiness(struct pty *p)
{
	size_t output = p->slave.ldisc.out_head;
	bool pulse = output != p->output_seen && output_pending(p);
	uint32_t ready = (output_pending(p) ? TTY_READY_IN : 0) |
			 (packet_status(p) ? TTY_READY_PRI : 0) |
			 (input_has_room(p) ? TTY_READY_OUT : 0) |
			 (p->slave_closed ? TTY_READY_HUP : 0);

	p->output_seen = output;
	if (!p->master_open || p->ready == TTY_READY_HUNG || (ready == p->ready && !pulse))
		return;
	k_source_set(p->source, ready & ~p->ready, p->ready & ~ready, pulse);
	p->ready = ready;
}

void pty_master_hang(struct pty *p, struct file *master)
{
	master->hung = true;
	k_source_set(p->source, TTY_READY_HUNG, 0, 1);
	p->ready = TTY_READY_HUNG;
	while (p->readers.first)
		parked_fail(p->readers.first, 0);
	while (p->writers.first)
		parked_fail(p->writers.first, -EIO);
}

static int pair_init(struct pty *p, uint32_t device)
{
	int r = tty_init(&p->slave, LDISC_PTY, device, master_go);

	if (r < 0)
		return r;
	p->source = (int)k_source_create();
	if (p->source < 0) {
		k_handle_close(p->slave.source);
		return p->source;
	}
	p->slave.pty = p;
	p->locked = true;
	p->master_open = true;
	return 0;
}

int pty_create(uint32_t device, struct user *owner, struct pty **out)
{
	uint32_t n = pty_number(device);
	struct pty *p;
	int r;

	if (n >= PAIRS || pairs[n] || (owner->uid && owner->masters >= PTY_MAX_USER))
		return -ENOSPC;
	p = calloc(1, sizeof *p);
	r = p ? pair_init(p, device) : -ENOMEM;
	if (r) {
		free(p);
		return r;
	}
	p->owner = owner;
	owner->references++;
	owner->masters++;
	pairs[n] = *out = p;
	tty_pump(&p->slave);
	return 0;
}

void pty_check(struct pty *p)
{
	if (p->master_open || p->slave.opens)
		return;
	tty_session_gone(&p->slave);
	pairs[pty_number(p->slave.device)] = NULL;
	k_handle_close(p->source);
	tty_end(&p->slave);
	p->owner->masters--;
	user_put(p->owner);
	free(p);
}

int pty_may_open(const struct pty *p)
{
	return p->locked || !p->master_open ? -EIO : 0;
}

void pty_slave_opened(struct pty *p)
{
	p->slave_closed = false;
	pty_readiness(p);
}

void pty_slave_closed(struct pty *p)
{
	p->slave_closed = true;
	if (p->master_open)
		tty_pump(&p->slave);
	else
		pty_check(p);
}

void pty_master_closed(struct pty *p)
{
	p->master_open = false;
	tty_hangup(&p->slave);
	pty_check(p);
}

void pty_each(void (*f)(struct pty *p, void *arg), void *arg)
{
	for (unsigned n = 0; n < PAIRS; n++) {
		if (pairs[n])
			f(pairs[n], arg);
	}
}
