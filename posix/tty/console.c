/*
 * The console's terminal: its device is a driver task that calls us (sysroot/proto/console.h).
 *
 * SPDX-License-Identifier: MIT
 */
#include "console.h"

#include <errno.h>

#include "posix/proc/caller.h"
#include "posix/tty/tty.h"

STATE struct tty tty_of_console;

static STATE struct srv_parked *driver;	/* its call for output */
#define waiting STATE_OF(driver)

/* Gives the driver what there is, if it is waiting. */
static bool output(struct tty *tty)
{
	struct k_message m;
	const uint8_t *bytes;
	size_t n;
	int r;

	if (!waiting)
		return false;
	n = ldisc_output_peek(&tty->ldisc, &bytes);
	if (!n)
		return false;
	m = waiting->message;
	srv_unpark(waiting);
	waiting = NULL;
	if (n > m.arg[1])
		n = m.arg[1];
	r = caller_write(&m, m.arg[0], bytes, n);
	if (!r)
		ldisc_output_consume(&tty->ldisc, n);
	caller_answer(&m, r ? r : (int64_t)n);
	return true;
}

bool console_is_idle(void)
{
	return waiting != NULL;
}

bool console_is_drained(void)
{
	return waiting && ldisc_drained(&console_tty.ldisc);
}

void console_setup(void)
{
	if (tty_init(&console_tty, LDISC_SERIAL, TTY_SERIAL_DEVICE, output) < 0)
		srv_panic("no terminal for the console");
	console_tty.console_source = (int)k_source_create();
	tty_pump(&console_tty);
}

static void output_cancel(struct srv_parked *p, bool dead)
{
	uint64_t call = p->message.call;

	waiting = NULL;
	srv_unpark(p);
	if (!dead)
		srv_answer(call, -EINTR);
}

void console_output(const struct k_message *m)
{
	if (m->cookie != PROTO_CONSOLE_BADGE || !m->arg[1]) {
		srv_answer(m->call, -EINVAL);
		return;
	}
	/* a driver that was restarted asks anew; the old one's call is gone with it */
	if (waiting)
		srv_unpark(waiting);
	waiting = srv_park(m, output_cancel);
	if (!waiting) {
		srv_answer(m->call, -ENOMEM);
		return;
	}
	tty_pump(&console_tty);
}

void console_input(const struct k_message *m)
{
	static uint8_t bytes[PROTO_CONSOLE_MAX];
	size_t n = m->arg[1] < sizeof bytes ? (size_t)m->arg[1] : sizeof bytes;
	int r = m->cookie != PROTO_CONSOLE_BADGE ? -EINVAL : caller_read(m, bytes, m->arg[0], n);

	if (r) {
		caller_answer(m, r);
		return;
	}
	srv_answer(m->call, (int64_t)n);
	tty_input(&console_tty, bytes, n);
}

void console_fault(const struct k_message *m)
{
	if (m->cookie == PROTO_CONSOLE_BADGE)
		ldisc_input_flagged(&console_tty.ldisc, (uint8_t)m->arg[1],
				    (enum ldisc_fault)m->arg[0]);
	srv_answer(m->call, 0);
	tty_pump(&console_tty);
}
