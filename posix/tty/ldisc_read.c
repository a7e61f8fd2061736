/*
 * The line discipline's readers: when a read is satisfied, and with what.
 *
 * A reader that must wait leaves everything in the ring and tries again, so a parked read has no
 * state but `struct ldisc_reader`, and being cancelled loses nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ldisc.h"

#include <errno.h>
#include <string.h>

#include "ldisc_priv.h"

static void ring_copy(struct ldisc *ld, uint8_t *to, size_t n)
{
	size_t at = RING(ld->tail);
	size_t first = LDISC_INPUT_SIZE - at;

	if (first > n)
		first = n;
	memcpy(to, ld->in + at, first);
	memcpy(to + first, ld->in, n - first);
	ld->tail += n;
}

/*
 * One line, or as much of it as fits. An end of file that comes right after the last byte that fits
 * is taken along: it ended this read and must not end the next one too.
 */
static size_t read_line(struct ldisc *ld, uint8_t *buf, size_t n)
{
	size_t limit = ld->canon - ld->tail;
	size_t count = 0;

	if (limit > n)
		limit = n;
	while (count < limit && !line_ends_at(ld, ld->tail + count))
		count++;
	if (count < limit && !eof_at(ld, ld->tail + count)) {
		bit_clear(ld->line_end, RING(ld->tail + count));
		ring_copy(ld, buf, count + 1);
		return count + 1;
	}
	ring_copy(ld, buf, count);
	if (ld->tail != ld->canon && eof_at(ld, ld->tail)) {
		bit_clear(ld->line_end, RING(ld->tail));
		ld->tail++;
	}
	return count;
}

/* EXTPROC leaves the editing to the other end, but its lone end of file must still end a read. */
static bool raw_eof(struct ldisc *ld)
{
	const uint32_t both = LX_EXTPROC | LX_ICANON;

	return (ld->termios.lflag & both) == both && ld->head - ld->tail == 1 &&
	       cc_is(ld, input_at(ld, ld->tail), LX_VEOF);
}

static size_t read_raw(struct ldisc *ld, uint8_t *buf, size_t n)
{
	size_t have = ld->head - ld->tail;

	if (raw_eof(ld)) {
		ld->tail++;
		return 0;
	}
	if (n > have)
		n = have;
	ring_copy(ld, buf, n);
	return n;
}

/* Nothing is readable in line mode. */
static int wait_line(unsigned how)
{
	if (how & LDISC_NONBLOCK)
		return -EAGAIN;
	return how & LDISC_INTERRUPTED ? -EINTR : -EAGAIN;
}

/*
 * The four cases of MIN and TIME. 0: the read ends now, with what there is.
 *   MIN, TIME   at least MIN, or a gap of TIME after any byte: the timer starts anew with each
 *   MIN, 0      at least MIN
 *   0, TIME     whatever comes within TIME from the start
 *   0, 0        whatever there is
 */
static int wait_raw(const struct ldisc *ld, struct ldisc_reader *rd, unsigned how, size_t n)
{
	bool timed = !lflag(ld, LX_ICANON);
	size_t min = timed ? ld->termios.cc[LX_VMIN] : 1;
	uint8_t time = timed ? ld->termios.cc[LX_VTIME] : 0;
	size_t have = ld->head - ld->tail;
	size_t want = min < n ? min : n;

	if (have >= want && (have > 0 || time == 0))
		return 0;
	if (have > 0 && (min == 0 || how != 0))
		return 0;
	if (min == 0 && (how & LDISC_EXPIRED))
		return 0;
	if (how & LDISC_NONBLOCK)
		return -EAGAIN;
	if (how & LDISC_INTERRUPTED)
		return -EINTR;
	if (min == 0 || have > 0) {
		rd->timer = time;
		rd->restart = time != 0 && (!rd->started || (min > 0 && have != rd->seen));
		rd->started = true;
	}
	rd->seen = have;
	return -EAGAIN;
}

int ldisc_read(struct ldisc *ld, struct ldisc_reader *rd, unsigned how, void *buf, size_t n,
	       size_t *got)
{
	int error;

	*got = 0;
	rd->timer = 0;
	rd->restart = false;
	if (n == 0)
		return 0;
	if (line_mode(ld)) {
		if (ld->canon == ld->tail)
			return wait_line(how);
		*got = read_line(ld, buf, n);
	} else {
		error = wait_raw(ld, rd, how, n);
		if (error)
			return error;
		*got = read_raw(ld, buf, n);
	}
	throttle_update(ld);
	return 0;
}
