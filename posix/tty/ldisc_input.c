/*
 * The line discipline's way in: what becomes of each character that the device delivers.
 *
 * A character is, in this order: taken literally (after VLNEXT), flow control, a signal, end of
 * line translation, line editing, data. Echoes are queued along the way and carried out at the end
 * of the batch, so a signal character that flushes takes the echo of the same batch with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ldisc.h"

#include "ldisc_priv.h"

static void input_put(struct ldisc *ld, uint8_t c)
{
	if (ld->head - ld->tail < LDISC_INPUT_SIZE)
		ld->in[RING(ld->head++)] = c;
}

/* 0xff is doubled where it could be mistaken for the mark of PARMRK. */
static void input_put_data(struct ldisc *ld, uint8_t c)
{
	if (c == 0xff && iflag(ld, LX_PARMRK))
		input_put(ld, c);
	input_put(ld, c);
}

/* Finishes a line with `c`, which must fit even if something else has to give way. */
static void input_put_line_end(struct ldisc *ld, uint8_t c)
{
	if (ld->head - ld->tail == LDISC_INPUT_SIZE)
		ld->head--;
	bit_set(ld->line_end, RING(ld->head));
	input_put(ld, c);
	ld->canon = ld->head;
}

static void input_echo(struct ldisc *ld, uint8_t c)
{
	edit_finish_erasing(ld);
	if (ld->canon == ld->head)
		echo_line_start(ld);
	echo_char(ld, c);
}

/* IXANY: anything typed starts the output again. */
static void input_any_starts(struct ldisc *ld)
{
	if (ld->stopped && !ld->stopped_by_call && iflag(ld, LX_IXON) && iflag(ld, LX_IXANY)) {
		output_start(ld);
		echo_run(ld);
	}
}

static void input_ordinary(struct ldisc *ld, uint8_t c)
{
	input_any_starts(ld);
	if (lflag(ld, LX_ECHO))
		input_echo(ld, c);
	input_put_data(ld, c);
}

static bool flow_char(struct ldisc *ld, uint8_t c)
{
	if (cc_is(ld, c, LX_VSTART)) {
		output_start(ld);
		echo_run(ld);
		return true;
	}
	if (cc_is(ld, c, LX_VSTOP)) {
		output_stop(ld);
		return true;
	}
	return false;
}

static bool flow_char_is(const struct ldisc *ld, uint8_t c)
{
	return cc_is(ld, c, LX_VSTART) || cc_is(ld, c, LX_VSTOP);
}

/* The signal goes out first, so that whoever gets it finds the queues as they were typed into. */
static void input_signal(struct ldisc *ld, int sig)
{
	ld->ops->signal(ld->context, sig);
	if (lflag(ld, LX_NOFLSH))
		return;
	echo_forget(ld);
	output_forget(ld);
	input_forget(ld);
}

static int signal_of(const struct ldisc *ld, uint8_t c)
{
	if (cc_is(ld, c, LX_VINTR))
		return LX_TTY_SIGINT;
	if (cc_is(ld, c, LX_VQUIT))
		return LX_TTY_SIGQUIT;
	if (cc_is(ld, c, LX_VSUSP))
		return LX_TTY_SIGTSTP;
	return 0;
}

static bool input_signal_char(struct ldisc *ld, uint8_t c)
{
	int sig = lflag(ld, LX_ISIG) ? signal_of(ld, c) : 0;

	if (sig == 0)
		return false;
	input_signal(ld, sig);
	if (iflag(ld, LX_IXON))
		output_start(ld);
	if (lflag(ld, LX_ECHO))
		echo_char(ld, c);
	else
		echo_run(ld);
	return true;
}

static void input_literal_next(struct ldisc *ld)
{
	ld->literal = true;
	if (!lflag(ld, LX_ECHO))
		return;
	edit_finish_erasing(ld);
	if (lflag(ld, LX_ECHOCTL)) {
		echo_plain(ld, '^');
		echo_plain(ld, '\b');
	}
}

static void input_newline(struct ldisc *ld)
{
	if (lflag(ld, LX_ECHO | LX_ECHONL))
		echo_plain(ld, '\n');
	input_put_line_end(ld, '\n');
}

static void input_other_line_end(struct ldisc *ld, uint8_t c)
{
	if (lflag(ld, LX_ECHO)) {
		if (ld->canon == ld->head)
			echo_line_start(ld);
		echo_char(ld, c);
	}
	if (c == 0xff && iflag(ld, LX_PARMRK))
		input_put(ld, c);
	input_put_line_end(ld, c);
}

/* Line editing. False: `c` is plain data after all. */
static bool input_editing(struct ldisc *ld, uint8_t c)
{
	bool extended = lflag(ld, LX_IEXTEN);

	if (cc_is(ld, c, LX_VERASE) || cc_is(ld, c, LX_VKILL) ||
	    (extended && cc_is(ld, c, LX_VWERASE)))
		edit_erase(ld, c);
	else if (extended && cc_is(ld, c, LX_VLNEXT))
		input_literal_next(ld);
	else if (extended && lflag(ld, LX_ECHO) && cc_is(ld, c, LX_VREPRINT))
		edit_reprint(ld, c);
	else if (c == '\n')
		input_newline(ld);
	else if (cc_is(ld, c, LX_VEOF))
		input_put_line_end(ld, 0);
	else if (cc_is(ld, c, LX_VEOL) || (extended && cc_is(ld, c, LX_VEOL2)))
		input_other_line_end(ld, c);
	else
		return false;
	return true;
}

/* INLCR, IGNCR, ICRNL. False: the character is dropped. */
static bool input_translate(const struct ldisc *ld, uint8_t *c)
{
	if (*c == '\r') {
		if (iflag(ld, LX_IGNCR))
			return false;
		if (iflag(ld, LX_ICRNL))
			*c = '\n';
	} else if (*c == '\n' && iflag(ld, LX_INLCR)) {
		*c = '\r';
	}
	return true;
}

static void input_special(struct ldisc *ld, uint8_t c, bool looked_ahead)
{
	if (iflag(ld, LX_IXON) && flow_char_is(ld, c)) {
		if (!looked_ahead)
			flow_char(ld, c);
		return;
	}
	if (input_signal_char(ld, c))
		return;
	input_any_starts(ld);
	if (!input_translate(ld, &c))
		return;
	if (lflag(ld, LX_ICANON) && input_editing(ld, c))
		return;
	if (lflag(ld, LX_ECHO)) {
		if (c == '\n') {
			edit_finish_erasing(ld);
			echo_plain(ld, c);
		} else {
			input_echo(ld, c);
		}
	}
	input_put_data(ld, c);
}

static uint8_t input_fold(const struct ldisc *ld, uint8_t c)
{
	if (iflag(ld, LX_ISTRIP))
		c &= 0x7f;
	if (iflag(ld, LX_IUCLC) && lflag(ld, LX_IEXTEN) && char_is_upper(c))
		c += 32;
	return c;
}

static void input_one(struct ldisc *ld, uint8_t c, bool looked_ahead)
{
	if (ld->raw) {
		input_put(ld, c);
		return;
	}
	c = input_fold(ld, c);
	if (lflag(ld, LX_EXTPROC)) {
		input_put(ld, c);
	} else if (ld->literal) {
		ld->literal = false;
		input_ordinary(ld, c);
	} else if (bit_test(ld->special, c)) {
		input_special(ld, c, looked_ahead);
	} else {
		input_ordinary(ld, c);
	}
	echo_run_if_many(ld);
}

/*
 * Is there a place for one more character, which may need three bytes under PARMRK? If not, an
 * unfinished line gives up its last character, so that erase and newline always get through.
 */
static bool input_room(struct ldisc *ld)
{
	size_t room = LDISC_INPUT_SIZE - (ld->head - ld->tail);
	size_t need = iflag(ld, LX_PARMRK) ? 4 : 2;

	if (room >= need)
		return true;
	if (!line_mode(ld) || ld->canon != ld->tail)
		return false;
	if (room == 0)
		ld->head--;
	return true;
}

/* What must wait is searched for ^S and ^Q now: they are not data and may be urgent. */
static void input_look_ahead(struct ldisc *ld, const uint8_t *bytes, size_t n)
{
	if (!iflag(ld, LX_IXON))
		return;
	for (size_t i = ld->lookahead; i < n; i++)
		flow_char(ld, bytes[i]);
	ld->lookahead = n;
}

size_t ldisc_input(struct ldisc *ld, const void *bytes, size_t n)
{
	const uint8_t *b = bytes;
	size_t done = 0;

	output_sent(ld);
	while (done < n && input_room(ld)) {
		bool looked_ahead = ld->lookahead > 0;

		ld->lookahead -= looked_ahead;
		input_one(ld, b[done++], looked_ahead);
	}
	if (done < n)
		input_look_ahead(ld, b + done, n - done);
	echo_run(ld);
	throttle_update(ld);
	return done;
}

static void input_break(struct ldisc *ld)
{
	if (iflag(ld, LX_IGNBRK))
		return;
	if (iflag(ld, LX_BRKINT)) {
		input_signal(ld, LX_TTY_SIGINT);
		return;
	}
	if (iflag(ld, LX_PARMRK)) {
		input_put(ld, 0xff);
		input_put(ld, 0);
	}
	input_put(ld, 0);
}

static void input_parity_error(struct ldisc *ld, uint8_t c)
{
	if (!iflag(ld, LX_INPCK)) {
		input_put(ld, c);
		return;
	}
	if (iflag(ld, LX_IGNPAR))
		return;
	if (iflag(ld, LX_PARMRK)) {
		input_put(ld, 0xff);
		input_put(ld, 0);
		input_put(ld, c);
	} else {
		input_put(ld, 0);
	}
}

bool ldisc_input_flagged(struct ldisc *ld, uint8_t c, enum ldisc_fault fault)
{
	if (fault == LDISC_NORMAL)
		return ldisc_input(ld, &c, 1) == 1;
	if (!input_room(ld))
		return false;
	ld->literal = false;
	if (fault == LDISC_BREAK)
		input_break(ld);
	else
		input_parity_error(ld, c);
	echo_run(ld);
	throttle_update(ld);
	return true;
}
