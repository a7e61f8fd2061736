/*
 * The line discipline's settings, flow control, flushing and levels. See ldisc.h for the whole.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ldisc.h"

#include <errno.h>
#include <string.h>

#include "ldisc_priv.h"
#include "tty_termios.h"

/* A throttled line is released when this little is left, and throttled when this little is free. */
#define THROTTLE_MARGIN 128u

/* A serial line asks for more output only when its queue has drained to this. */
#define WAKEUP_LEVEL 256u

static void special_add(struct ldisc *ld, enum lx_cc which)
{
	bit_set(ld->special, ld->termios.cc[which]);
}

static void special_add_editing(struct ldisc *ld)
{
	special_add(ld, LX_VERASE);
	special_add(ld, LX_VKILL);
	special_add(ld, LX_VEOF);
	special_add(ld, LX_VEOL);
	bit_set(ld->special, '\n');
	if (!lflag(ld, LX_IEXTEN))
		return;
	special_add(ld, LX_VWERASE);
	special_add(ld, LX_VLNEXT);
	special_add(ld, LX_VEOL2);
	if (lflag(ld, LX_ECHO))
		special_add(ld, LX_VREPRINT);
}

/* Which characters need a closer look under the present settings. */
static void special_update(struct ldisc *ld)
{
	memset(ld->special, 0, sizeof(ld->special));
	ld->raw = !iflag(ld, LX_ISTRIP | LX_IUCLC | LX_IGNCR | LX_ICRNL | LX_INLCR | LX_IXON |
				 LX_PARMRK) &&
		  !lflag(ld, LX_ICANON | LX_ISIG | LX_ECHO);
	if (ld->raw)
		return;
	if (iflag(ld, LX_IGNCR | LX_ICRNL))
		bit_set(ld->special, '\r');
	if (iflag(ld, LX_INLCR))
		bit_set(ld->special, '\n');
	if (lflag(ld, LX_ICANON))
		special_add_editing(ld);
	if (iflag(ld, LX_IXON)) {
		special_add(ld, LX_VSTART);
		special_add(ld, LX_VSTOP);
	}
	if (lflag(ld, LX_ISIG)) {
		special_add(ld, LX_VINTR);
		special_add(ld, LX_VQUIT);
		special_add(ld, LX_VSUSP);
	}
	bit_clear(ld->special, 0);
}

void ldisc_init(struct ldisc *ld, enum ldisc_kind kind, const struct ldisc_ops *ops, void *context)
{
	memset(ld, 0, sizeof(*ld));
	ld->kind = kind;
	ld->ops = ops;
	ld->context = context;
	termios_default(&ld->termios);
	if (kind == LDISC_PTY)
		ld->termios.cflag &= ~(uint32_t)LX_HUPCL;
	special_update(ld);
}

void ldisc_reset(struct ldisc *ld)
{
	input_forget(ld);
	output_forget(ld);
	echo_forget(ld);
	ld->literal = false;
	ld->throttled = false;
	ld->column = 0;
	ld->canon_column = 0;
	ld->stopped = false;
	ld->stopped_by_call = false;
	ld->xchar_pending = false;
	ld->packet_status = 0;
}

static void packet_note(struct ldisc *ld, uint8_t clear, uint8_t set)
{
	if (ld->packet)
		ld->packet_status = (uint8_t)((ld->packet_status & ~clear) | set);
}

/* All input goes, finished lines and the one being edited. */
void input_forget(struct ldisc *ld)
{
	ld->head = 0;
	ld->canon = 0;
	ld->tail = 0;
	ld->lookahead = 0;
	ld->erasing = false;
	memset(ld->line_end, 0, sizeof(ld->line_end));
	packet_note(ld, 0, LX_TIOCPKT_FLUSHREAD);
}

/*
 * What a master could have read before this input or call stays, as on Linux: there it lies in the
 * master's own queue. (A prompt that is followed by a flush would otherwise be lost if the master
 * is slow.)
 */
void output_sent(struct ldisc *ld)
{
	size_t used = ld->out_head - ld->out_tail;

	if (ld->kind == LDISC_PTY)
		ld->out_sent = ld->out_tail + (used < LDISC_MASTER_SIZE ? used : LDISC_MASTER_SIZE);
}

void output_forget(struct ldisc *ld)
{
	size_t used = ld->out_head - ld->out_tail, keep = ld->out_sent - ld->out_tail;

	if (ld->kind != LDISC_PTY || keep > used)	/* (or taken since) */
		keep = 0;
	ld->out_head = ld->out_tail + keep;
	packet_note(ld, 0, LX_TIOCPKT_FLUSHWRITE);
}

void output_stop(struct ldisc *ld)
{
	if (ld->stopped)
		return;
	ld->stopped = true;
	packet_note(ld, LX_TIOCPKT_START, LX_TIOCPKT_STOP);
}

/* What a call stopped, no character starts. */
void output_start(struct ldisc *ld)
{
	if (!ld->stopped || ld->stopped_by_call)
		return;
	ld->stopped = false;
	packet_note(ld, LX_TIOCPKT_STOP, LX_TIOCPKT_START);
}

static void xchar_send(struct ldisc *ld, enum lx_cc which)
{
	if (ld->termios.cc[which] == 0)
		return;
	ld->xchar_pending = true;
	ld->xchar = ld->termios.cc[which];
}

static void throttle_on(struct ldisc *ld)
{
	ld->throttled = true;
	if (iflag(ld, LX_IXOFF))
		xchar_send(ld, LX_VSTOP);
}

/* A stop character that never went out is simply withdrawn. */
static void throttle_off(struct ldisc *ld)
{
	ld->throttled = false;
	if (!iflag(ld, LX_IXOFF))
		return;
	if (ld->xchar_pending)
		ld->xchar_pending = false;
	else
		xchar_send(ld, LX_VSTART);
}

/*
 * Asks the far end of a serial line to hold its horses. While the only line is unfinished it must
 * not be stopped, or the newline that the reader waits for could never come.
 */
void throttle_update(struct ldisc *ld)
{
	size_t used = ld->head - ld->tail;
	bool stuck = lflag(ld, LX_ICANON) && ld->canon == ld->tail;
	size_t readable = line_mode(ld) ? ld->canon - ld->tail : used;

	if (ld->kind != LDISC_SERIAL)
		return;
	if (!ld->throttled && !stuck && LDISC_INPUT_SIZE - used < THROTTLE_MARGIN)
		throttle_on(ld);
	else if (ld->throttled && readable <= THROTTLE_MARGIN)
		throttle_off(ld);
}

/*
 * Between line mode and the others, what is pending stays. Going to line mode it counts as one
 * finished line, so that a reader gets what it was entitled to before. (If its last byte is NUL,
 * that becomes an end of file, which it most likely was. Linux does the same.)
 */
static void lines_rebuild(struct ldisc *ld)
{
	memset(ld->line_end, 0, sizeof(ld->line_end));
	ld->canon = ld->tail;
	if (lflag(ld, LX_ICANON) && ld->head != ld->tail) {
		bit_set(ld->line_end, RING(ld->head - 1));
		ld->canon = ld->head;
	}
	ld->erasing = false;
	ld->literal = false;
}

static bool flow_is_standard(const struct lx_termios2 *t)
{
	return (t->iflag & LX_IXON) && t->cc[LX_VSTOP] == 19 && t->cc[LX_VSTART] == 17;
}

static void packet_note_settings(struct ldisc *ld, const struct lx_termios2 *old)
{
	bool was = flow_is_standard(old);
	bool is = flow_is_standard(&ld->termios);

	if (was != is)
		packet_note(ld, LX_TIOCPKT_DOSTOP | LX_TIOCPKT_NOSTOP,
			    is ? LX_TIOCPKT_DOSTOP : LX_TIOCPKT_NOSTOP);
	if ((old->lflag | ld->termios.lflag) & LX_EXTPROC)
		packet_note(ld, 0, LX_TIOCPKT_IOCTL);
}

void ldisc_set_termios(struct ldisc *ld, const struct lx_termios2 *termios)
{
	struct lx_termios2 old = ld->termios;

	ld->termios = *termios;
	if (ld->kind == LDISC_PTY) {
		ld->termios.cflag &= ~(uint32_t)(LX_CSIZE | LX_PARENB);
		ld->termios.cflag |= LX_CS8 | LX_CREAD;
	}
	packet_note_settings(ld, &old);
	if ((old.lflag ^ ld->termios.lflag) & (LX_ICANON | LX_EXTPROC))
		lines_rebuild(ld);
	special_update(ld);
	/* Nobody could type the start character any more. */
	if ((old.iflag & LX_IXON) && !iflag(ld, LX_IXON))
		output_start(ld);
	echo_run(ld);
	throttle_update(ld);
}

int ldisc_flush(struct ldisc *ld, int queue)
{
	if (queue != LX_TCIFLUSH && queue != LX_TCOFLUSH && queue != LX_TCIOFLUSH)
		return -EINVAL;
	if (queue != LX_TCOFLUSH) {
		input_forget(ld);
		throttle_update(ld);
	}
	if (queue != LX_TCIFLUSH) {
		output_sent(ld);
		output_forget(ld);
		echo_run(ld);
	}
	return 0;
}

int ldisc_flow(struct ldisc *ld, int action)
{
	switch (action) {
	case LX_TCOOFF:
		output_stop(ld);
		ld->stopped_by_call = true;
		return 0;
	case LX_TCOON:
		if (ld->stopped_by_call) {
			ld->stopped_by_call = false;
			output_start(ld);
			echo_run(ld);
		}
		return 0;
	case LX_TCIOFF:
		xchar_send(ld, LX_VSTOP);
		return 0;
	case LX_TCION:
		xchar_send(ld, LX_VSTART);
		return 0;
	default:
		return -EINVAL;
	}
}

void ldisc_set_winsize(struct ldisc *ld, const struct lx_winsize *size)
{
	if (memcmp(&ld->winsize, size, sizeof(*size)) == 0)
		return;
	ld->winsize = *size;
	ld->ops->signal(ld->context, LX_TTY_SIGWINCH);
}

void ldisc_set_packet(struct ldisc *ld, bool on)
{
	if (on && !ld->packet)
		ld->packet_status = 0;
	ld->packet = on;
}

uint8_t ldisc_take_packet_status(struct ldisc *ld)
{
	uint8_t status = ld->packet ? ld->packet_status : 0;

	ld->packet_status = 0;
	return status;
}

bool ldisc_readable(const struct ldisc *ld)
{
	size_t need = 1;

	if (line_mode(ld))
		return ld->canon != ld->tail;
	if (ld->termios.cc[LX_VTIME] == 0 && ld->termios.cc[LX_VMIN] != 0)
		need = ld->termios.cc[LX_VMIN];
	return ld->head - ld->tail >= need;
}

bool ldisc_writable(const struct ldisc *ld)
{
	size_t used = ld->out_head - ld->out_tail;

	if (ld->stopped)
		return false;
	return ld->kind == LDISC_PTY ? used < LDISC_OUTPUT_SIZE : used < WAKEUP_LEVEL;
}

bool ldisc_drained(const struct ldisc *ld)
{
	return ld->out_head == ld->out_tail && !ld->xchar_pending;
}

size_t ldisc_output_count(const struct ldisc *ld)
{
	return ld->out_head - ld->out_tail;
}

/* The mark of an end of file occupies a place in the ring but is not data. */
size_t ldisc_input_count(const struct ldisc *ld)
{
	size_t count;

	if (!line_mode(ld))
		return ld->head - ld->tail;
	count = ld->canon - ld->tail;
	for (size_t at = ld->tail; at != ld->canon; at++)
		count -= eof_at(ld, at);
	return count;
}
