/*
 * The line discipline by itself: what a pseudo-terminal on this host cannot show (serial lines,
 * parked readers, bounds), and random input under the sanitizers. ldisc_linux.c compares the rest
 * with Linux.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/tty/ldisc.h"

#include <errno.h>

#include "test.h"
#include "posix/tty/tty_termios.h"

static struct ldisc tty;
static int signals[64];

static void count_signal(void *context, int sig)
{
	(void)context;
	signals[sig]++;
}

static const struct ldisc_ops ops = { count_signal };

static void start(enum ldisc_kind kind)
{
	memset(signals, 0, sizeof(signals));
	ldisc_init(&tty, kind, &ops, NULL);
}

static void settings(uint32_t iflag, uint32_t oflag, uint32_t lflag)
{
	struct lx_termios2 t = tty.termios;

	t.iflag = iflag;
	t.oflag = oflag;
	t.lflag = lflag;
	ldisc_set_termios(&tty, &t);
}

static void min_time(uint8_t min, uint8_t time)
{
	struct lx_termios2 t = tty.termios;

	t.iflag = 0;
	t.lflag = 0;
	t.cc[LX_VMIN] = min;
	t.cc[LX_VTIME] = time;
	ldisc_set_termios(&tty, &t);
}

static void type(const char *text)
{
	CHECK_EQ(ldisc_input(&tty, text, strlen(text)), strlen(text));
}

static void expect_read(size_t ask, const char *text)
{
	struct ldisc_reader rd = { 0 };
	char buf[8192];
	size_t got;

	CHECK_EQ(ldisc_read(&tty, &rd, LDISC_NONBLOCK, buf, ask, &got), 0);
	if (got != strlen(text) || memcmp(buf, text, got) != 0)
		FAIL("read \"%.*s\", not \"%s\"", (int)got, buf, text);
}

static void expect_output(const char *text)
{
	char buf[2 * LDISC_OUTPUT_SIZE];
	size_t got = ldisc_take_output(&tty, buf, sizeof(buf));

	if (got != strlen(text) || memcmp(buf, text, got) != 0)
		FAIL("output \"%.*s\", not \"%s\"", (int)got, buf, text);
}

static int try_read(struct ldisc_reader *rd, unsigned how, size_t ask, size_t *got)
{
	char buf[256];

	return ldisc_read(&tty, rd, how, buf, ask, got);
}

TEST(ldisc, line_and_echo)
{
	start(LDISC_PTY);
	CHECK(!ldisc_readable(&tty));
	type("helo\177lo\rnext");
	CHECK(ldisc_readable(&tty));
	CHECK_EQ(ldisc_input_count(&tty), 6);
	expect_output("helo\b \blo\r\nnext");
	expect_read(3, "hel");
	expect_read(100, "lo\n");
	CHECK(!ldisc_readable(&tty));
	type("\004");
	expect_read(100, "next");
	type("\004");
	CHECK(ldisc_readable(&tty));
	CHECK_EQ(ldisc_input_count(&tty), 0);
	expect_read(100, "");
}

TEST(ldisc, eof_after_exact_read)
{
	start(LDISC_PTY);
	type("abc\004def\n");
	expect_read(3, "abc");
	expect_read(100, "def\n");
}

TEST(ldisc, signal_takes_back_its_batch)
{
	start(LDISC_PTY);
	type("one\ntwo\003");
	CHECK_EQ(signals[LX_TTY_SIGINT], 1);
	CHECK(!ldisc_readable(&tty));
	expect_output("^C");
}

TEST(ldisc, min_and_time_both)
{
	struct ldisc_reader rd = { 0 };
	size_t got;

	start(LDISC_PTY);
	min_time(3, 5);
	CHECK_EQ(try_read(&rd, 0, 10, &got), -EAGAIN);
	CHECK_EQ(rd.timer, 0);
	type("a");
	CHECK_EQ(try_read(&rd, 0, 10, &got), -EAGAIN);
	CHECK(rd.timer == 5 && rd.restart);
	CHECK_EQ(try_read(&rd, 0, 10, &got), -EAGAIN);
	CHECK(rd.timer == 5 && !rd.restart);
	type("b");
	CHECK_EQ(try_read(&rd, 0, 10, &got), -EAGAIN);
	CHECK(rd.timer == 5 && rd.restart);
	CHECK_EQ(try_read(&rd, LDISC_EXPIRED, 10, &got), 0);
	CHECK_EQ(got, 2);
	type("cdef");
	memset(&rd, 0, sizeof(rd));
	CHECK_EQ(try_read(&rd, 0, 10, &got), 0);
	CHECK_EQ(got, 4);
}

TEST(ldisc, min_alone)
{
	struct ldisc_reader rd = { 0 };
	size_t got;

	start(LDISC_PTY);
	min_time(3, 0);
	type("ab");
	CHECK(!ldisc_readable(&tty));
	CHECK_EQ(try_read(&rd, 0, 10, &got), -EAGAIN);
	CHECK_EQ(rd.timer, 0);
	CHECK_EQ(try_read(&rd, LDISC_INTERRUPTED, 10, &got), 0);
	CHECK_EQ(got, 2);
	CHECK_EQ(try_read(&rd, LDISC_INTERRUPTED, 10, &got), -EINTR);
	type("xy");
	memset(&rd, 0, sizeof(rd));
	CHECK_EQ(try_read(&rd, 0, 2, &got), 0);
	CHECK_EQ(got, 2);
}

TEST(ldisc, time_alone)
{
	struct ldisc_reader rd = { 0 };
	size_t got;

	start(LDISC_PTY);
	min_time(0, 7);
	CHECK_EQ(try_read(&rd, 0, 10, &got), -EAGAIN);
	CHECK(rd.timer == 7 && rd.restart);
	CHECK_EQ(try_read(&rd, 0, 10, &got), -EAGAIN);
	CHECK(rd.timer == 7 && !rd.restart);
	CHECK_EQ(try_read(&rd, LDISC_EXPIRED, 10, &got), 0);
	CHECK_EQ(got, 0);
	memset(&rd, 0, sizeof(rd));
	CHECK_EQ(try_read(&rd, LDISC_NONBLOCK, 10, &got), -EAGAIN);
	type("x");
	CHECK_EQ(try_read(&rd, 0, 10, &got), 0);
	CHECK_EQ(got, 1);
}

TEST(ldisc, neither_min_nor_time)
{
	struct ldisc_reader rd = { 0 };
	size_t got;

	start(LDISC_PTY);
	min_time(0, 0);
	CHECK(!ldisc_readable(&tty));
	CHECK_EQ(try_read(&rd, LDISC_NONBLOCK, 10, &got), 0);
	CHECK_EQ(got, 0);
	type("xyz");
	CHECK_EQ(try_read(&rd, 0, 2, &got), 0);
	CHECK_EQ(got, 2);
}

TEST(ldisc, long_line_keeps_its_newline)
{
	char line[5000];

	start(LDISC_PTY);
	settings(LX_ICRNL, 0, LX_ICANON);
	memset(line, 'a', sizeof(line));
	CHECK_EQ(ldisc_input(&tty, line, sizeof(line)), sizeof(line));
	type("\n");
	CHECK_EQ(ldisc_input_count(&tty), LDISC_INPUT_SIZE);
	/* Nobody reads: what comes now has to wait. */
	CHECK_EQ(ldisc_input(&tty, "more\n", 5), 0);
	memset(line, 'a', LDISC_INPUT_SIZE - 1);
	line[LDISC_INPUT_SIZE - 1] = '\n';
	line[LDISC_INPUT_SIZE] = 0;
	expect_read(sizeof(line), line);
	type("more\n");
	expect_read(100, "more\n");
}

TEST(ldisc, waiting_input_still_stops_output)
{
	char line[LDISC_INPUT_SIZE];

	start(LDISC_PTY);
	settings(LX_IXON, 0, 0);
	memset(line, 'a', sizeof(line));
	CHECK_EQ(ldisc_input(&tty, line, sizeof(line)), sizeof(line) - 1);
	CHECK_EQ(ldisc_input(&tty, "a\023b", 3), 0);
	CHECK(tty.stopped);
	CHECK_EQ(ldisc_write(&tty, "x", 1), 0);
	CHECK_EQ(ldisc_input(&tty, "a\023b\021", 4), 0);
	CHECK(!tty.stopped);
	CHECK_EQ(ldisc_flush(&tty, LX_TCIFLUSH), 0);
	CHECK_EQ(ldisc_input(&tty, "cd", 2), 2);
	expect_read(100, "cd");
}

TEST(ldisc, full_output_splits_nothing)
{
	static char fill[LDISC_OUTPUT_SIZE - 1];

	start(LDISC_PTY);
	memset(fill, 'x', sizeof(fill));
	CHECK_EQ(ldisc_write(&tty, fill, sizeof(fill)), sizeof(fill));
	CHECK_EQ(ldisc_write(&tty, "\n", 1), 0);
	type("e\n");
	ldisc_output_consume(&tty, 10);
	CHECK_EQ(ldisc_output_count(&tty), sizeof(fill) - 10 + 3);
	CHECK_EQ(ldisc_write(&tty, "\n", 1), 1);
}

TEST(ldisc, stop_and_start)
{
	start(LDISC_SERIAL);
	CHECK_EQ(ldisc_write(&tty, "abc", 3), 3);
	type("\023");
	expect_output("");
	CHECK(!ldisc_writable(&tty) && !ldisc_drained(&tty));
	type("echoed later");
	type("\021");
	expect_output("abcechoed later");
	CHECK_EQ(ldisc_flow(&tty, LX_TCOOFF), 0);
	type("\021");
	CHECK_EQ(ldisc_write(&tty, "abc", 3), 0);
	CHECK_EQ(ldisc_flow(&tty, LX_TCOON), 0);
	CHECK_EQ(ldisc_write(&tty, "abc", 3), 3);
	CHECK_EQ(ldisc_flow(&tty, 4), -EINVAL);
	CHECK_EQ(ldisc_flush(&tty, 3), -EINVAL);
}

TEST(ldisc, serial_line_is_throttled)
{
	char data[LDISC_INPUT_SIZE];

	start(LDISC_SERIAL);
	settings(LX_IXOFF, 0, 0);
	memset(data, 'a', sizeof(data));
	CHECK_EQ(ldisc_input(&tty, data, 4000), 4000);
	expect_output("\023");
	data[3900] = 0;
	expect_read(3900, data);
	expect_output("\021");
	CHECK_EQ(ldisc_flow(&tty, LX_TCIOFF), 0);
	CHECK_EQ(ldisc_write(&tty, "later", 5), 5);
	expect_output("\023later");
}

TEST(ldisc, breaks_and_parity)
{
	start(LDISC_SERIAL);
	settings(LX_PARMRK | LX_INPCK, 0, 0);
	CHECK(ldisc_input_flagged(&tty, 0, LDISC_BREAK));
	CHECK(ldisc_input_flagged(&tty, 'p', LDISC_PARITY));
	CHECK(ldisc_input_flagged(&tty, 0xff, LDISC_NORMAL));
	CHECK_EQ(ldisc_input_count(&tty), 8);
	CHECK_MEM(tty.in, "\377\0\0\377\0p\377\377", 8);
	settings(LX_BRKINT | LX_IGNPAR | LX_INPCK, 0, 0);
	CHECK(ldisc_input_flagged(&tty, 'p', LDISC_PARITY));
	CHECK_EQ(ldisc_input_count(&tty), 8);
	CHECK(ldisc_input_flagged(&tty, 0, LDISC_BREAK));
	CHECK_EQ(signals[LX_TTY_SIGINT], 1);
	CHECK_EQ(ldisc_input_count(&tty), 0);
	settings(LX_IGNBRK, 0, 0);
	CHECK(ldisc_input_flagged(&tty, 0, LDISC_BREAK));
	CHECK_EQ(ldisc_input_count(&tty), 0);
	settings(0, 0, 0);
	CHECK(ldisc_input_flagged(&tty, 0, LDISC_BREAK));
	CHECK_EQ(ldisc_input_count(&tty), 1);
}

TEST(ldisc, window_size)
{
	struct lx_winsize size = { 24, 80, 0, 0 };

	start(LDISC_PTY);
	ldisc_set_winsize(&tty, &size);
	ldisc_set_winsize(&tty, &size);
	CHECK_EQ(signals[LX_TTY_SIGWINCH], 1);
	CHECK_EQ(tty.winsize.cols, 80);
}

TEST(ldisc, packet_mode)
{
	start(LDISC_PTY);
	ldisc_set_packet(&tty, true);
	CHECK_EQ(ldisc_take_packet_status(&tty), 0);
	type("\023");
	CHECK_EQ(ldisc_take_packet_status(&tty), LX_TIOCPKT_STOP);
	type("\021");
	CHECK_EQ(ldisc_take_packet_status(&tty), LX_TIOCPKT_START);
	settings(0, 0, LX_ICANON);
	CHECK_EQ(ldisc_take_packet_status(&tty), LX_TIOCPKT_NOSTOP);
	CHECK_EQ(ldisc_flush(&tty, LX_TCIOFLUSH), 0);
	CHECK_EQ(ldisc_take_packet_status(&tty), LX_TIOCPKT_FLUSHREAD | LX_TIOCPKT_FLUSHWRITE);
	settings(0, 0, LX_ICANON | LX_EXTPROC);
	CHECK_EQ(ldisc_take_packet_status(&tty), LX_TIOCPKT_IOCTL);
	CHECK_EQ(ldisc_take_packet_status(&tty), 0);
}

TEST(ldisc, mode_switch_keeps_pending_data)
{
	start(LDISC_PTY);
	type("half a line");
	min_time(1, 0);
	expect_read(4, "half");
	settings(LX_ICRNL, 0, LX_ICANON);
	expect_read(100, " a line");
	type("whole\nhalf");
	min_time(1, 0);
	expect_read(100, "whole\nhalf");
}

TEST(ldisc, speeds)
{
	struct lx_termios2 t;
	struct lx_termios old;

	termios_default(&t);
	termios_to_user(&t, &old);
	old.cflag = (old.cflag & ~(uint32_t)LX_CBAUD) | 0x1002;
	termios_from_user(&t, &old);
	CHECK_EQ(t.ospeed, 115200);
	CHECK_EQ(t.ispeed, 115200);
	t.cflag = (t.cflag & ~(uint32_t)LX_CBAUD) | LX_BOTHER;
	t.ospeed = 12345;
	termios_from_user2(&t, &t);
	CHECK_EQ(t.ospeed, 12345);
	CHECK_EQ(t.ispeed, 12345);
}

/* --- random input ------------------------------------------------------------------------- */

struct source {
	const uint8_t *at, *end;
};

static uint8_t next(struct source *s)
{
	return s->at < s->end ? *s->at++ : 0;
}

static void check_bounds(void)
{
	CHECK(tty.head - tty.tail <= LDISC_INPUT_SIZE);
	CHECK(tty.out_head - tty.out_tail <= LDISC_OUTPUT_SIZE);
	CHECK(tty.echo_head - tty.echo_tail <= LDISC_ECHO_SIZE);
	if ((tty.termios.lflag & (LX_ICANON | LX_EXTPROC)) == LX_ICANON) {
		CHECK(tty.canon - tty.tail <= tty.head - tty.tail);
		CHECK_EQ(ldisc_readable(&tty), tty.canon != tty.tail);
	}
}

static void random_settings(struct source *s)
{
	struct lx_termios2 t = tty.termios;

	t.iflag = next(s) | (uint32_t)next(s) << 8;
	t.oflag = next(s) | (uint32_t)next(s) << 8;
	t.lflag = next(s) | (uint32_t)next(s) << 8 | (uint32_t)(next(s) & 1) << 16;
	t.cc[next(s) % LX_NCCS] = next(s);
	ldisc_set_termios(&tty, &t);
}

static void random_input(struct source *s)
{
	static uint8_t bulk[3000];
	size_t n = next(s) % 16;

	if (n == 15) {
		n = sizeof(bulk);
		memset(bulk, next(s), n);
		bulk[n - 1] = next(s);
	} else {
		for (size_t i = 0; i < n; i++)
			bulk[i] = next(s);
	}
	CHECK(ldisc_input(&tty, bulk, n) <= n);
}

static void random_step(struct source *s)
{
	static uint8_t buf[5000];
	struct ldisc_reader rd = { 0 };
	struct lx_winsize size = { next(s), 0, 0, 0 };
	size_t n, got;
	int r;

	switch (next(s) % 12) {
	case 0:
		random_settings(s);
		break;
	case 1:
		n = next(s) % 4 ? next(s) : sizeof(buf);
		r = ldisc_read(&tty, &rd, next(s) % 8, buf, n, &got);
		CHECK(got <= n && (r == 0 || r == -EAGAIN || r == -EINTR));
		break;
	case 2:
		n = next(s) % 4 ? next(s) : sizeof(buf);
		CHECK(ldisc_write(&tty, buf, n) <= n);
		break;
	case 3:
		n = next(s) % 4 ? next(s) : sizeof(buf);
		CHECK(ldisc_take_output(&tty, buf, n) <= n);
		break;
	case 4:
		r = ldisc_flush(&tty, next(s) % 4);
		CHECK(r == 0 || r == -EINVAL);
		break;
	case 5:
		r = ldisc_flow(&tty, next(s) % 5);
		CHECK(r == 0 || r == -EINVAL);
		break;
	case 6:
		ldisc_input_flagged(&tty, next(s), next(s) % 3);
		break;
	case 7:
		ldisc_set_packet(&tty, next(s) & 1);
		ldisc_take_packet_status(&tty);
		ldisc_set_winsize(&tty, &size);
		break;
	default:
		random_input(s);
	}
	ldisc_input_count(&tty);
	ldisc_writable(&tty);
	check_bounds();
}

static void random_run(const uint8_t *data, size_t size)
{
	struct source s = { data, data + size };

	start(next(&s) & 1 ? LDISC_PTY : LDISC_SERIAL);
	while (s.at < s.end)
		random_step(&s);
	ldisc_reset(&tty);
	check_bounds();
}

TEST(ldisc, random_runs)
{
	uint64_t seed = 1;
	uint8_t data[400];

	for (unsigned round = test_rounds(3000); round > 0; round--) {
		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (uint8_t)test_random(&seed);
		random_run(data, sizeof(data));
	}
}

#ifdef FUZZ
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	random_run(data, size);
	return 0;
}
#endif
