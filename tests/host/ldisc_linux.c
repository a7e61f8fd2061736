/*
 * The line discipline against Linux's: the same settings, input, output and reads are played to a
 * real pseudo-terminal of this host and to struct ldisc, and after every step what the reader gets,
 * what reaches the master, the signals, the counts and poll's levels must be equal. First sequences
 * chosen by hand, then random ones.
 *
 * Linux handles input in a worker thread. poll() on the slave waits for it only while nothing is
 * readable, so a sequence that differs is played again with pauses: a real difference stays.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "posix/tty/ldisc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test.h"
#include "posix/tty/tty_termios.h"

#define STEP_DATA 64u
#define STEPS_MAX 40u

enum step_kind {
	STEP_END, STEP_INPUT, STEP_READ, STEP_WRITE, STEP_SET, STEP_FLUSH, STEP_FLOW, STEP_PACKET,
};

static const char *const step_names[] = {
	"end", "input", "read", "write", "set", "flush", "flow", "packet",
};

struct step {
	enum step_kind kind;
	int number;			/* read: how much; flush, flow: what; packet: on or off */
	size_t size;
	uint8_t data[STEP_DATA];
	struct lx_termios termios;
};

/* What one step showed. Whether a signal came, not how often: pending ones merge. */
struct outcome {
	int result;
	int readable, writable, count;
	int interrupts, quits, stops;
	int packet_status;
	struct lx_termios termios;
	size_t read_size, output_size;
	uint8_t read[9000], output[20000];
};

static struct outcome ours, theirs;
static volatile sig_atomic_t seen[65];
static int our_signals[65];
static int pause_us;

/* --- our side ----------------------------------------------------------------------------- */

static struct ldisc tty;

static void our_signal(void *context, int sig)
{
	(void)context;
	our_signals[sig]++;
}

static const struct ldisc_ops ops = { our_signal };

static int our_read(size_t n)
{
	struct ldisc_reader rd = { 0 };
	int error = ldisc_read(&tty, &rd, LDISC_NONBLOCK, ours.read, n, &ours.read_size);

	return error ? error : (int)ours.read_size;
}

static int our_action(const struct step *step)
{
	struct lx_termios2 t = tty.termios;

	switch (step->kind) {
	case STEP_INPUT:
		return (int)ldisc_input(&tty, step->data, step->size);
	case STEP_READ:
		return our_read((size_t)step->number);
	case STEP_WRITE:
		return (int)ldisc_write(&tty, step->data, step->size);
	case STEP_SET:
		termios_from_user(&t, &step->termios);
		ldisc_set_termios(&tty, &t);
		return 0;
	case STEP_FLUSH:
		return ldisc_flush(&tty, step->number);
	case STEP_FLOW:
		return ldisc_flow(&tty, step->number);
	case STEP_PACKET:
		ldisc_set_packet(&tty, step->number);
		return 0;
	default:
		return 0;
	}
}

static void our_step(const struct step *step)
{
	memset(our_signals, 0, sizeof(our_signals));
	ours.read_size = 0;
	ours.result = our_action(step);
	/* Linux shows echoes that TCOON released only with the next output. */
	if (step->kind == STEP_FLOW && step->number == LX_TCOON)
		ours.result = (int)ldisc_write(&tty, ".", 1);
	ours.packet_status = ldisc_take_packet_status(&tty);
	ours.output_size = ldisc_take_output(&tty, ours.output, sizeof(ours.output));
	ours.readable = ldisc_readable(&tty);
	ours.writable = ldisc_writable(&tty);
	ours.count = (int)ldisc_input_count(&tty);
	ours.interrupts = our_signals[LX_TTY_SIGINT] > 0;
	ours.quits = our_signals[LX_TTY_SIGQUIT] > 0;
	ours.stops = our_signals[LX_TTY_SIGTSTP] > 0;
	termios_to_user(&tty.termios, &ours.termios);
}

/* --- Linux -------------------------------------------------------------------------------- */

static int master = -1, slave = -1;

/* The sequences run in a session of their own, whose leader gets the terminal's signals. */
__attribute__((constructor)) static void session_begin(void)
{
	pid_t child = fork();
	int status;

	if (child > 0) {
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			continue;
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	setsid();
}

static void count_seen(int sig)
{
	seen[sig]++;
}

static void linux_open(int flags)
{
	static const int caught[] = { SIGINT, SIGQUIT, SIGTSTP, SIGWINCH };
	struct sigaction action = { .sa_handler = count_seen, .sa_flags = SA_RESTART };

	signal(SIGHUP, SIG_IGN);
	for (size_t i = 0; i < LENGTH(caught); i++)
		sigaction(caught[i], &action, NULL);
	if (slave >= 0) {
		close(slave);
		close(master);
	}
	master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	CHECK(master >= 0);
	CHECK(grantpt(master) == 0 && unlockpt(master) == 0);
	slave = open(ptsname(master), O_RDWR | flags);
	CHECK(slave >= 0);
	CHECK(ioctl(slave, TIOCSCTTY, 0) == 0);
}

static bool slave_ready(short what)
{
	struct pollfd poller = { slave, what, 0 };

	return poll(&poller, 1, 0) == 1 && (poller.revents & what);
}

/* Everything that was sent has been dealt with. */
static void linux_settle(void)
{
	if (pause_us)
		usleep((useconds_t)pause_us);
	slave_ready(POLLIN);
}

static void linux_drain(bool packet)
{
	uint8_t chunk[4097];
	ssize_t n;

	theirs.packet_status = 0;
	theirs.output_size = 0;
	while ((n = read(master, chunk, sizeof(chunk))) > 0) {
		size_t skip = packet;

		if (packet && n == 1)
			theirs.packet_status |= chunk[0];
		if (theirs.output_size + (size_t)n > sizeof(theirs.output))
			break;
		memcpy(theirs.output + theirs.output_size, chunk + skip, (size_t)n - skip);
		theirs.output_size += (size_t)n - skip;
	}
}

static int positive_or_error(ssize_t result)
{
	return result >= 0 ? (int)result : -errno;
}

/* A write that gets nothing done is -EAGAIN for a program and 0 inside. */
static int linux_write(int fd, const void *data, size_t size)
{
	ssize_t n = write(fd, data, size);

	return n < 0 && errno == EAGAIN ? 0 : positive_or_error(n);
}

static int linux_action(const struct step *step)
{
	int result;

	switch (step->kind) {
	case STEP_INPUT:
		return linux_write(master, step->data, step->size);
	case STEP_READ:
		result = positive_or_error(read(slave, theirs.read, (size_t)step->number));
		theirs.read_size = result > 0 ? (size_t)result : 0;
		return result;
	case STEP_WRITE:
		return linux_write(slave, step->data, step->size);
	case STEP_SET:
		return positive_or_error(ioctl(slave, TCSETS, &step->termios));
	case STEP_FLUSH:
		return positive_or_error(ioctl(slave, TCFLSH, step->number));
	case STEP_FLOW:
		return positive_or_error(ioctl(slave, TCXONC, step->number));
	case STEP_PACKET:
		return positive_or_error(ioctl(master, TIOCPKT, &step->number));
	default:
		return 0;
	}
}

static void linux_step(const struct step *step, bool packet)
{
	memset((void *)seen, 0, sizeof(seen));
	theirs.read_size = 0;
	theirs.result = linux_action(step);
	if (step->kind == STEP_FLOW && step->number == LX_TCOON)
		theirs.result = linux_write(slave, ".", 1);
	linux_settle();
	linux_drain(packet);
	theirs.readable = slave_ready(POLLIN);
	theirs.writable = slave_ready(POLLOUT);
	ioctl(slave, FIONREAD, &theirs.count);
	ioctl(slave, TCGETS, &theirs.termios);
	theirs.interrupts = seen[SIGINT] > 0;
	theirs.quits = seen[SIGQUIT] > 0;
	theirs.stops = seen[SIGTSTP] > 0;
}

/* --- comparing ---------------------------------------------------------------------------- */

static void show_bytes(const char *what, const uint8_t *data, size_t size)
{
	printf(" %s[%zu]=\"", what, size);
	for (size_t i = 0; i < size && i < 300; i++) {
		if (data[i] < 0x20 || data[i] >= 0x7f || data[i] == '"' || data[i] == '\\')
			printf("\\%03o", data[i]);
		else
			putchar(data[i]);
	}
	printf("\"");
}

static void show_step(const struct step *step)
{
	printf("#   %s %d", step_names[step->kind], step->number);
	if (step->kind == STEP_INPUT || step->kind == STEP_WRITE)
		show_bytes("data", step->data, step->size);
	if (step->kind == STEP_SET) {
		printf(" iflag %#x oflag %#x lflag %#x", step->termios.iflag, step->termios.oflag,
		       step->termios.lflag);
		show_bytes("cc", step->termios.cc, LX_NCCS);
	}
	printf("\n");
}

static void show_outcome(const char *who, const struct outcome *o)
{
	printf("# %s: result %d readable %d writable %d count %d signals %d %d %d packet %#x", who,
	       o->result, o->readable, o->writable, o->count, o->interrupts, o->quits, o->stops,
	       (unsigned)o->packet_status);
	show_bytes("read", o->read, o->read_size);
	show_bytes("output", o->output, o->output_size);
	printf(" cflag %#x\n", o->termios.cflag);
}

static bool outcomes_equal(void)
{
	return ours.result == theirs.result && ours.readable == theirs.readable &&
	       ours.writable == theirs.writable && ours.count == theirs.count &&
	       ours.interrupts == theirs.interrupts && ours.quits == theirs.quits &&
	       ours.stops == theirs.stops && ours.packet_status == theirs.packet_status &&
	       memcmp(&ours.termios, &theirs.termios, sizeof(ours.termios)) == 0 &&
	       ours.read_size == theirs.read_size && ours.output_size == theirs.output_size &&
	       memcmp(ours.read, theirs.read, ours.read_size) == 0 &&
	       memcmp(ours.output, theirs.output, ours.output_size) == 0;
}

/* Plays the steps to both; the index of the first that differs, or -1. */
static int play(const struct step *steps)
{
	bool packet = false;

	linux_open(O_NONBLOCK);
	ldisc_init(&tty, LDISC_PTY, &ops, NULL);
	for (int i = 0; steps[i].kind != STEP_END; i++) {
		if (steps[i].kind == STEP_PACKET)
			packet = steps[i].number;
		our_step(&steps[i]);
		linux_step(&steps[i], packet);
		if (!outcomes_equal())
			return i;
	}
	return -1;
}

static void compare(const struct step *steps, const char *what, unsigned long number)
{
	static const int pauses[] = { 0, 1000, 5000, 30000 };
	int at = -1;

	for (size_t i = 0; i < LENGTH(pauses); i++) {
		pause_us = pauses[i];
		at = play(steps);
		if (at < 0)
			return;
	}
	for (int i = 0; i <= at; i++)
		show_step(&steps[i]);
	show_outcome("Linux", &theirs);
	show_outcome("ours ", &ours);
	FAIL("%s %lu differs from Linux in step %d", what, number, at);
}

/* --- chosen by hand ----------------------------------------------------------------------- */

static struct step script[STEPS_MAX + 1];
static size_t script_size;

static struct step *add(enum step_kind kind)
{
	struct step *step = &script[script_size++];

	CHECK(script_size <= STEPS_MAX);
	memset(step, 0, sizeof(*step));
	step->kind = kind;
	script[script_size].kind = STEP_END;
	return step;
}

static void bytes(enum step_kind kind, const char *data, size_t size)
{
	struct step *step = add(kind);

	step->size = size;
	memcpy(step->data, data, size);
}

#define INPUT(text) bytes(STEP_INPUT, text, sizeof(text) - 1)
#define WRITE(text) bytes(STEP_WRITE, text, sizeof(text) - 1)
#define READ(n) (add(STEP_READ)->number = (n))
#define FLUSH(n) (add(STEP_FLUSH)->number = (n))
#define FLOW(n) (add(STEP_FLOW)->number = (n))

static struct lx_termios *set(void)
{
	struct lx_termios2 t;
	struct step *step = add(STEP_SET);

	termios_default(&t);
	termios_to_user(&t, &step->termios);
	return &step->termios;
}

static void begin(void)
{
	script_size = 0;
	script[0].kind = STEP_END;
}

#define END(name) compare(script, name, 0)

TEST(ldisc_linux, defaults)
{
	begin();
	INPUT("hello\r");
	READ(100);
	WRITE("a\tb\n\rc\bd");
	INPUT("x\027y z\027\027\025abc\022\026\003\004");
	READ(2);
	READ(100);
	INPUT("\001\002\033[A\177\177\177\177\n");
	READ(100);
	INPUT("\003\034\032\000\004");
	READ(100);
	END("defaults");
}

TEST(ldisc_linux, end_of_file)
{
	begin();
	INPUT("abc\004def\n\004");
	READ(3);
	READ(3);
	READ(3);
	READ(3);
	INPUT("\004\004x\004");
	READ(0);
	READ(5);
	READ(5);
	READ(1);
	READ(1);
	END("end of file");
}

TEST(ldisc_linux, tabs_are_erased)
{
	begin();
	WRITE("prompt> ");
	INPUT("a\tbc\t\001\t");
	INPUT("\177");
	INPUT("\177\177");
	INPUT("\177\177\177\177\177\177");
	set()->iflag = LX_IUTF8;
	INPUT("\303\244\t\342\202\254x\t");
	INPUT("\177\177\177\177\177\177");
	INPUT("\t\t\025");
	set()->oflag = LX_OPOST | LX_XTABS;
	INPUT("\tab\t\177\177\177\177");
	END("tabs");
}

TEST(ldisc_linux, utf8_erase)
{
	begin();
	set()->iflag = LX_IUTF8 | LX_ICRNL;
	INPUT("\303\244\342\202\254 \360\237\230\200w\303\266rd\027\027\177\177\177");
	INPUT("\244\244\177x\177\177\n");
	READ(100);
	INPUT("\303\244\303\244\025\r");
	READ(100);
	END("utf8");
}

TEST(ldisc_linux, echo_styles)
{
	static const uint32_t styles[] = {
		LX_ECHO, LX_ECHO | LX_ECHOE, LX_ECHO | LX_ECHOK, LX_ECHO | LX_ECHOCTL, LX_ECHONL,
		LX_ECHO | LX_ECHOK | LX_ECHOKE, LX_ECHO | LX_ECHOE | LX_ECHOK | LX_ECHOKE,
		LX_ECHO | LX_ECHOPRT | LX_ECHOE, LX_ECHO | LX_ECHOPRT | LX_ECHOCTL | LX_ECHOE, 0,
	};

	for (size_t i = 0; i < LENGTH(styles); i++) {
		begin();
		set()->lflag = LX_ICANON | LX_ISIG | LX_IEXTEN | styles[i];
		INPUT("one two\001\002\t3\177\177\177\177\177x\022\027yz\025again\026\025\377\177");
		INPUT("\177\177p\n");
		READ(100);
		INPUT("q\003r\n");
		READ(100);
		END("echo style");
	}
}

TEST(ldisc_linux, output_translation)
{
	static const uint32_t styles[] = {
		0, LX_OPOST, LX_OPOST | LX_ONLCR, LX_OPOST | LX_OCRNL, LX_OPOST | LX_ONOCR,
		LX_OPOST | LX_ONLRET, LX_OPOST | LX_OCRNL | LX_ONLRET, LX_OPOST | LX_OLCUC,
		LX_OPOST | LX_XTABS, LX_OPOST | LX_XTABS | LX_ONLCR | LX_OLCUC | LX_ONOCR, LX_ONLCR,
	};

	for (size_t i = 0; i < LENGTH(styles); i++) {
		begin();
		set()->oflag = styles[i];
		WRITE("\rabc\r\r\ndef\n\tx\ty\b\b\t\377\344\303\244\a\033[m");
		INPUT("a\tb\n\377q\r\177");
		WRITE("\tz\n");
		END("output style");
	}
}

TEST(ldisc_linux, input_translation)
{
	static const uint32_t styles[] = {
		0, LX_INLCR, LX_IGNCR, LX_ICRNL, LX_INLCR | LX_ICRNL, LX_INLCR | LX_IGNCR, LX_IUCLC,
		LX_ISTRIP, LX_PARMRK, LX_PARMRK | LX_ISTRIP, LX_IXON | LX_IXANY, LX_IMAXBEL,
	};

	for (size_t i = 0; i < 2 * LENGTH(styles); i++) {
		struct lx_termios *t;

		begin();
		t = set();
		t->iflag = styles[i / 2];
		t->lflag = i % 2 ? LX_ECHO | LX_IEXTEN | LX_ECHOCTL | LX_ICANON | LX_ISIG :
				   LX_ECHO | LX_IEXTEN;
		INPUT("aBC\r\n\344\377\200\301Q\023w\021e\n");
		READ(100);
		READ(100);
		READ(100);
		INPUT("\023ab\nc");
		INPUT("d\n");
		READ(100);
		END("input style");
	}
}

TEST(ldisc_linux, mode_switches)
{
	begin();
	INPUT("line\npart");
	set()->lflag = LX_ECHO;
	READ(3);
	set();
	READ(100);
	INPUT("more\n");
	READ(100);
	INPUT("tail");
	set()->lflag = 0;
	INPUT("x");
	set();
	INPUT("y\177\177\n");
	READ(100);
	READ(100);
	END("mode switches");
}

TEST(ldisc_linux, extproc)
{
	begin();
	set()->lflag = LX_ICANON | LX_ECHO | LX_EXTPROC | LX_ISIG;
	INPUT("abc\003\n\004");
	READ(100);
	INPUT("\004");
	READ(100);
	INPUT("x");
	set();
	READ(10);
	END("extproc");
}

TEST(ldisc_linux, flow_control)
{
	begin();
	INPUT("ab\023");
	WRITE("not now");
	INPUT("cd\n");
	INPUT("\021");
	READ(100);
	FLOW(LX_TCOOFF);
	INPUT("x\021y");
	WRITE("no");
	FLOW(LX_TCOON);
	FLOW(LX_TCIOFF);
	FLOW(LX_TCION);
	INPUT("\023");
	INPUT("z\003");
	WRITE("yes");
	INPUT("\023p");
	set()->iflag = 0;
	WRITE("free");
	FLOW(7);
	FLUSH(7);
	END("flow control");
}

TEST(ldisc_linux, packet_mode)
{
	begin();
	add(STEP_PACKET)->number = 1;
	INPUT("a\023");
	INPUT("\021");
	WRITE("x\n");
	FLUSH(LX_TCIFLUSH);
	FLUSH(LX_TCOFLUSH);
	FLUSH(LX_TCIOFLUSH);
	INPUT("q\003");
	set()->iflag = 0;
	set();
	set()->lflag |= LX_EXTPROC;
	set();
	FLOW(LX_TCOOFF);
	FLOW(LX_TCOON);
	END("packet mode");
}

/* The longest line, filled beyond what fits, and then a signal or an erase in the full buffer. */
TEST(ldisc_linux, full_line)
{
	static const char *const ends[] = { "\n", "\177\177\n", "\025x\n", "\177\004", "\003y\n" };

	for (size_t e = 0; e < LENGTH(ends); e++) {
		static struct step steps[80];
		size_t n = 0;

		memset(steps, 0, sizeof(steps));
		steps[n].kind = STEP_SET;
		termios_to_user(&tty.termios, &steps[n].termios);
		steps[n].termios.lflag &= ~(uint32_t)LX_ECHO;
		for (n++; n < 70; n++) {
			steps[n].kind = STEP_INPUT;
			steps[n].size = 61;
			memset(steps[n].data, 'a' + (int)(n % 26), 61);
		}
		steps[n].kind = STEP_INPUT;
		steps[n].size = strlen(ends[e]);
		memcpy(steps[n].data, ends[e], steps[n].size);
		steps[++n].kind = STEP_READ;
		steps[n].number = 8000;
		compare(steps, "full line", e);
	}
}

/* --- waiting readers ---------------------------------------------------------------------- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A blocking read in Linux while `parts` arrive 50 ms apart: what it got, and when it returned. */
static ssize_t linux_wait(uint8_t min, uint8_t time, size_t n, const char *const *parts,
			  double *took)
{
	struct lx_termios t;
	char buf[100];
	ssize_t got;
	double begun;
	pid_t child;

	linux_open(0);
	ioctl(slave, TCGETS, &t);
	t.lflag = 0;
	t.cc[LX_VMIN] = min;
	t.cc[LX_VTIME] = time;
	ioctl(slave, TCSETS, &t);
	begun = seconds();
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		for (; *parts; parts++) {
			usleep(50000);
			if (write(master, *parts, strlen(*parts)) < 0)
				_exit(1);
		}
		usleep(600000);
		_exit(0);
	}
	got = read(slave, buf, n);
	*took = seconds() - begun;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return got;
}

/* The same with a simulated clock, in units of 50 ms. */
static ssize_t our_wait(uint8_t min, uint8_t time, size_t n, const char *const *parts, double *took)
{
	struct lx_termios2 t;
	struct ldisc_reader rd = { 0 };
	char buf[100];
	size_t got;
	int deadline = -1;

	ldisc_init(&tty, LDISC_PTY, &ops, NULL);
	t = tty.termios;
	t.lflag = 0;
	t.cc[LX_VMIN] = min;
	t.cc[LX_VTIME] = time;
	ldisc_set_termios(&tty, &t);
	for (int now = 0; now < 100; now++) {
		*took = now * 0.05;
		if (now > 0 && *parts) {
			ldisc_input(&tty, *parts, strlen(*parts));
			parts++;
		}
		if (ldisc_read(&tty, &rd, now == deadline ? LDISC_EXPIRED : 0, buf, n, &got) == 0)
			return (ssize_t)got;
		if (rd.restart)
			deadline = now + rd.timer * 2;
	}
	return -1;
}

TEST(ldisc_linux, min_and_time)
{
	static const struct {
		uint8_t min, time;
		size_t n;
		const char *parts[4];
	} cases[] = {
		{ 0, 0, 10, { NULL } },
		{ 0, 2, 10, { NULL } },
		{ 0, 3, 10, { "ab" } },
		{ 3, 0, 10, { "a", "b", "cd" } },
		{ 3, 0, 2, { "a", "b", "cd" } },
		{ 9, 2, 10, { "a", "b", "cd" } },
		{ 1, 1, 10, { "abc" } },
		{ 5, 1, 3, { "abc", "d" } },
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		double t1 = 0, t2 = 0;
		ssize_t got = our_wait(cases[i].min, cases[i].time, cases[i].n, cases[i].parts,
				       &t1);

		for (int again = 0; again < 3; again++) {
			ssize_t linux_got = linux_wait(cases[i].min, cases[i].time, cases[i].n,
						       cases[i].parts, &t2);

			CHECK_EQ(got, linux_got);
			if (t2 > t1 - 0.03 && t2 < t1 + 0.04)
				break;
		}
		if (t2 < t1 - 0.03 || t2 > t1 + 0.2)
			FAIL("case %zu took %.3f s, Linux %.3f s", i, t1, t2);
	}
}

/* --- random ------------------------------------------------------------------------------- */

static uint64_t seed;

static uint8_t random_char(const struct lx_termios *t)
{
	static const uint8_t favourites[] =
		"\n\n\r\t\b \177\377ABCxyz019_-\303\244\342\202\254\033\001\004";

	switch (test_below(&seed, 4)) {
	case 0:
		return t->cc[test_below(&seed, LX_NCCS)];
	case 1:
		return favourites[test_below(&seed, sizeof(favourites) - 1)];
	case 2:
		return (uint8_t)('a' + test_below(&seed, 26));
	default:
		return (uint8_t)test_random(&seed);
	}
}

/* Whether Linux may take c for one of the characters that send a signal. */
static bool is_signal_char(uint8_t c, const struct lx_termios *t)
{
	static const uint8_t which[] = { LX_VINTR, LX_VQUIT, LX_VSUSP };

	if (t->iflag & LX_ISTRIP)
		c &= 0x7f;
	for (size_t i = 0; i < LENGTH(which); i++) {
		if (c == t->cc[which[i]])
			return true;
	}
	return (t->iflag & LX_IUCLC) && isupper(c) && is_signal_char((uint8_t)tolower(c), t);
}

/*
 * In an input a signal's character comes first. It discards output, and how much of what the
 * characters before it echoed Linux's worker threads have brought to the master by then, out of
 * the flush's reach, depends on the scheduler.
 */
static void random_data(struct step *step, const struct lx_termios *t)
{
	size_t size = 1 + test_below(&seed, test_below(&seed, 3) ? 8 : STEP_DATA);

	while (step->size < size) {
		uint8_t c = random_char(t);

		if (step->kind == STEP_INPUT && step->size > 0 && is_signal_char(c, t))
			break;
		step->data[step->size++] = c;
	}
}

static uint32_t some(uint32_t bits, uint32_t often)
{
	uint32_t few = bits & (uint32_t)test_random(&seed) & (uint32_t)test_random(&seed);
	uint32_t most = (uint32_t)test_random(&seed) | (uint32_t)test_random(&seed);

	return few | (often & most);
}

static void random_settings(struct lx_termios *t)
{
	static const uint8_t letters[] = "abc;#@\t\r\n\177\377\003\021\244";
	struct lx_termios2 fresh;

	termios_default(&fresh);
	termios_to_user(&fresh, t);
	t->iflag = some(0x7fff & ~(uint32_t)LX_IXON, LX_ICRNL | LX_IXON | LX_IUTF8);
	t->oflag = some(0x3f | LX_TABDLY, LX_OPOST | LX_ONLCR);
	t->lflag = some(0xffb & ~(uint32_t)LX_TOSTOP,
			LX_ICANON | LX_ECHO | LX_ISIG | LX_IEXTEN | LX_ECHOE | LX_ECHOK |
			LX_ECHOKE | LX_ECHOCTL);
	if (test_below(&seed, 16) == 0)
		t->lflag |= LX_EXTPROC;
	for (unsigned i = test_below(&seed, 4); i > 0; i--)
		t->cc[test_below(&seed, LX_NCCS)] = letters[test_below(&seed, sizeof(letters))];
	t->cc[LX_VMIN] = (uint8_t)test_below(&seed, 4);
	t->cc[LX_VTIME] = (uint8_t)test_below(&seed, 2);
}

static void random_step(struct step *step, struct lx_termios *t)
{
	static const enum step_kind kinds[] = {
		STEP_INPUT, STEP_INPUT, STEP_INPUT, STEP_INPUT, STEP_INPUT, STEP_READ, STEP_READ,
		STEP_READ, STEP_WRITE, STEP_WRITE, STEP_SET, STEP_FLUSH, STEP_FLOW,
	};

	step->kind = kinds[test_below(&seed, LENGTH(kinds))];
	switch (step->kind) {
	case STEP_INPUT:
	case STEP_WRITE:
		random_data(step, t);
		break;
	case STEP_READ:
		step->number = (int)test_below(&seed, test_below(&seed, 2) ? 5 : 200);
		break;
	case STEP_SET:
		random_settings(t);
		step->termios = *t;
		break;
	case STEP_FLUSH:
		step->number = (int)test_below(&seed, 4);
		break;
	default:
		step->number = (int)test_below(&seed, 2);
	}
}

static void random_script(unsigned long number)
{
	struct lx_termios t = { 0 };

	seed = number;
	memset(script, 0, sizeof(script));
	script[0].kind = STEP_SET;
	random_settings(&t);
	script[0].termios = t;
	script[1].kind = STEP_PACKET;
	script[1].number = test_below(&seed, 4) == 0;
	for (size_t i = 2; i < STEPS_MAX; i++)
		random_step(&script[i], &t);
}

TEST(ldisc_linux, random_sequences)
{
	const char *first = getenv("TEST_FIRST");
	unsigned long number = first ? strtoul(first, NULL, 10) : 1;

	for (unsigned round = test_rounds(300); round > 0; round--, number++) {
		random_script(number);
		compare(script, "sequence", number);
	}
}
