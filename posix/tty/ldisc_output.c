/*
 * The line discipline's way out: output processing for writers, and the echo.
 *
 * Both keep the column of the cursor, which tabs depend on. A character whose translation does not
 * fit as a whole is not begun, so a full queue can never split a CR from its NL.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ldisc.h"

#include <string.h>

#include "ldisc_priv.h"

/* Echoes are carried out in the middle of a batch once this many wait. */
#define ECHO_BATCH 256u

enum echo_op {
	ECHO_PLAIN,		/* a character, through output processing */
	ECHO_VERBATIM,		/* a character as it is */
	ECHO_CONTROL,		/* a control character, as ^X */
	ECHO_LINE_START,	/* note the column */
	ECHO_COLUMN_BACK,	/* the cursor is one further left than counted */
	ECHO_ERASE_TAB,		/* back over a tab; the columns used in it */
	ECHO_ERASE_FIRST_TAB,	/* the same, for the first one of the line */
};

static size_t out_room(const struct ldisc *ld)
{
	return ld->stopped ? 0 : LDISC_OUTPUT_SIZE - (ld->out_head - ld->out_tail);
}

static void out_put(struct ldisc *ld, uint8_t c)
{
	ld->out[ld->out_head++ & (LDISC_OUTPUT_SIZE - 1)] = c;
}

static bool out_newline(struct ldisc *ld)
{
	if (oflag(ld, LX_ONLCR)) {
		if (out_room(ld) < 2)
			return false;
		out_put(ld, '\r');
		ld->column = 0;
	} else if (oflag(ld, LX_ONLRET)) {
		ld->column = 0;
	}
	ld->canon_column = ld->column;
	out_put(ld, '\n');
	return true;
}

static bool out_return(struct ldisc *ld)
{
	bool as_newline = oflag(ld, LX_OCRNL);

	if (oflag(ld, LX_ONOCR) && ld->column == 0)
		return true;
	if (!as_newline || oflag(ld, LX_ONLRET)) {
		ld->column = 0;
		ld->canon_column = 0;
	}
	out_put(ld, as_newline ? '\n' : '\r');
	return true;
}

static bool out_tab(struct ldisc *ld)
{
	unsigned spaces = 8 - (ld->column & 7);

	if ((ld->termios.oflag & LX_TABDLY) != LX_XTABS) {
		out_put(ld, '\t');
	} else {
		if (out_room(ld) < spaces)
			return false;
		for (unsigned i = 0; i < spaces; i++)
			out_put(ld, ' ');
	}
	ld->column += spaces;
	return true;
}

/* One character through OPOST. False, and nothing done, if it does not fit. */
static bool out_processed(struct ldisc *ld, uint8_t c)
{
	if (out_room(ld) == 0)
		return false;
	switch (c) {
	case '\n':
		return out_newline(ld);
	case '\r':
		return out_return(ld);
	case '\t':
		return out_tab(ld);
	case '\b':
		if (ld->column > 0)
			ld->column--;
		break;
	default:
		if (char_is_control(c))
			break;
		if (oflag(ld, LX_OLCUC) && char_is_lower(c))
			c -= 32;
		if (!char_continues(ld, c))
			ld->column++;
	}
	out_put(ld, c);
	return true;
}

static size_t out_bulk(struct ldisc *ld, const uint8_t *bytes, size_t n)
{
	size_t at = ld->out_head & (LDISC_OUTPUT_SIZE - 1);
	size_t room = out_room(ld);
	size_t first = LDISC_OUTPUT_SIZE - at;

	if (n > room)
		n = room;
	if (first > n)
		first = n;
	memcpy(ld->out + at, bytes, first);
	memcpy(ld->out, bytes + first, n - first);
	ld->out_head += n;
	return n;
}

/* What lies before the next byte that output processing looks at, as far as there is room. */
static size_t out_plain(struct ldisc *ld, const uint8_t *bytes, size_t n)
{
	size_t room = out_room(ld), run = 0;
	unsigned columns = 0;

	if (n > room)
		n = room;
	for (; run < n && !char_is_control(bytes[run]); run++)
		columns += !char_continues(ld, bytes[run]);
	ld->column += columns;
	return out_bulk(ld, bytes, run);
}

size_t ldisc_write(struct ldisc *ld, const void *bytes, size_t n)
{
	const uint8_t *b = bytes;
	size_t done = 0;

	if (n == 0)
		return 0;
	echo_run(ld);
	if (!oflag(ld, LX_OPOST))
		return out_bulk(ld, b, n);
	while (done < n) {
		if (!oflag(ld, LX_OLCUC))
			done += out_plain(ld, b + done, n - done);
		if (done == n || !out_processed(ld, b[done]))
			break;
		done++;
	}
	return done;
}

size_t ldisc_output_peek(const struct ldisc *ld, const uint8_t **bytes)
{
	size_t at = ld->out_tail & (LDISC_OUTPUT_SIZE - 1);
	size_t n = ld->out_head - ld->out_tail;

	if (ld->xchar_pending) {
		*bytes = &ld->xchar;
		return 1;
	}
	*bytes = ld->out + at;
	if (ld->stopped && ld->kind == LDISC_SERIAL)
		return 0;
	return n < LDISC_OUTPUT_SIZE - at ? n : LDISC_OUTPUT_SIZE - at;
}

void ldisc_output_consume(struct ldisc *ld, size_t n)
{
	size_t queued = ld->out_head - ld->out_tail;

	if (n > 0 && ld->xchar_pending) {
		ld->xchar_pending = false;
		n--;
	}
	ld->out_tail += n < queued ? n : queued;
	echo_run(ld);
}

size_t ldisc_take_output(struct ldisc *ld, void *buf, size_t n)
{
	const uint8_t *bytes;
	size_t done = 0, piece;

	while (done < n && (piece = ldisc_output_peek(ld, &bytes)) > 0) {
		if (piece > n - done)
			piece = n - done;
		memcpy((uint8_t *)buf + done, bytes, piece);
		ldisc_output_consume(ld, piece);
		done += piece;
	}
	return done;
}

size_t ldisc_output_copy(const struct ldisc *ld, void *buf, size_t n)
{
	size_t have = ld->out_head - ld->out_tail;
	size_t at = ld->out_tail & (LDISC_OUTPUT_SIZE - 1);
	size_t first = LDISC_OUTPUT_SIZE - at;
	size_t extra = n > 0 && ld->xchar_pending;
	uint8_t *to = buf;

	if (extra)
		*to++ = ld->xchar;
	n -= extra;
	if (n > have)
		n = have;
	if (first > n)
		first = n;
	memcpy(to, ld->out + at, first);
	memcpy(to + first, ld->out, n - first);
	return n + extra;
}

void ldisc_output_insert(struct ldisc *ld, uint8_t c)
{
	if (LDISC_OUTPUT_SIZE - (ld->out_head - ld->out_tail) > 0)
		out_put(ld, c);
}

/* If output has been stopped for so long that the queue is full, the oldest echo is lost. */
static void echo_add(struct ldisc *ld, enum echo_op op, uint8_t argument)
{
	if (ld->echo_head - ld->echo_tail == LDISC_ECHO_SIZE)
		ld->echo_tail++;
	ld->echo[ld->echo_head++ & (LDISC_ECHO_SIZE - 1)] = (uint16_t)(op << 8 | argument);
}

void echo_char(struct ldisc *ld, uint8_t c)
{
	if (lflag(ld, LX_ECHOCTL) && char_is_control(c) && c != '\t')
		echo_add(ld, ECHO_CONTROL, c);
	else
		echo_plain(ld, c);
}

void echo_plain(struct ldisc *ld, uint8_t c)
{
	echo_add(ld, c == 0xff ? ECHO_VERBATIM : ECHO_PLAIN, c);
}

void echo_line_start(struct ldisc *ld)
{
	echo_add(ld, ECHO_LINE_START, 0);
}

void echo_column_back(struct ldisc *ld)
{
	echo_add(ld, ECHO_COLUMN_BACK, 0);
}

void echo_erase_tab(struct ldisc *ld, unsigned columns, bool after_tab)
{
	echo_add(ld, after_tab ? ECHO_ERASE_TAB : ECHO_ERASE_FIRST_TAB, columns & 7);
}

void echo_forget(struct ldisc *ld)
{
	ld->echo_tail = ld->echo_head;
}

static bool echo_put_plain(struct ldisc *ld, uint8_t c)
{
	if (oflag(ld, LX_OPOST))
		return out_processed(ld, c);
	if (out_room(ld) == 0)
		return false;
	out_put(ld, c);
	return true;
}

static bool echo_put_verbatim(struct ldisc *ld, uint8_t c)
{
	if (out_room(ld) == 0)
		return false;
	out_put(ld, c);
	ld->column++;
	return true;
}

static bool echo_put_control(struct ldisc *ld, uint8_t c)
{
	if (out_room(ld) < 2)
		return false;
	out_put(ld, '^');
	out_put(ld, c ^ 0100);
	ld->column += 2;
	return true;
}

static bool echo_put_tab_erase(struct ldisc *ld, unsigned columns)
{
	unsigned back = 8 - (columns & 7);

	if (out_room(ld) < back)
		return false;
	for (unsigned i = 0; i < back; i++)
		out_put(ld, '\b');
	ld->column -= back < ld->column ? back : ld->column;
	return true;
}

static bool echo_do(struct ldisc *ld, enum echo_op op, uint8_t argument)
{
	switch (op) {
	case ECHO_PLAIN:
		return echo_put_plain(ld, argument);
	case ECHO_VERBATIM:
		return echo_put_verbatim(ld, argument);
	case ECHO_CONTROL:
		return echo_put_control(ld, argument);
	case ECHO_LINE_START:
		ld->canon_column = ld->column;
		return true;
	case ECHO_COLUMN_BACK:
		ld->column -= ld->column > 0;
		return true;
	case ECHO_ERASE_TAB:
		return echo_put_tab_erase(ld, argument);
	case ECHO_ERASE_FIRST_TAB:
		return echo_put_tab_erase(ld, argument + ld->canon_column);
	}
	return true;
}

void echo_run(struct ldisc *ld)
{
	while (ld->echo_tail != ld->echo_head) {
		uint16_t entry = ld->echo[ld->echo_tail & (LDISC_ECHO_SIZE - 1)];

		if (!echo_do(ld, (enum echo_op)(entry >> 8), (uint8_t)entry))
			return;
		ld->echo_tail++;
	}
}

void echo_run_if_many(struct ldisc *ld)
{
	if (ld->echo_head - ld->echo_tail >= ECHO_BATCH)
		echo_run(ld);
}
