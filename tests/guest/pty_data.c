/*
 * Pseudo-terminals: data both ways, processed and raw, waiting and readiness, flow control.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pty_pair.h"

#include <pthread.h>
#include <sys/mman.h>

/* --- data --------------------------------------------------------------------------------- */

TEST(pty_data, output_is_processed)
{
	pair_open();
	put(slave, "a\nb\n");
	expect(master, "a\r\nb\r\n");
	check_quiet(master);
}

TEST(pty_data, input_is_echoed_and_read_by_lines)
{
	char got[64];

	pair_open();
	put(master, "one\ntwo\npart");
	expect(master, "one\r\ntwo\r\npart");
	CHECK_EQ(read(slave, got, sizeof(got)), 4);
	CHECK_EQ(read(slave, got, 2), 2);
	CHECK_EQ(read(slave, got, sizeof(got)), 2);
	check_quiet(slave);
	put(master, "\b \b\177y\r"); /* \b is no erase character, DEL is */
	CHECK_EQ(read(slave, got, sizeof(got)), 8);
	CHECK_EQ(memcmp(got, "part\b y\n", 8), 0);
}

TEST(pty_data, end_of_file_character)
{
	char got[16];

	pair_open();
	flag_clear(ECHO);
	put(master, "ab\004");
	CHECK_EQ(read(slave, got, sizeof(got)), 2);
	put(master, "\004");
	CHECK_EQ(read(slave, got, sizeof(got)), 0);
	put(master, "c\n");
	CHECK_EQ(read(slave, got, sizeof(got)), 2);
}

TEST(pty_data, raw_is_transparent)
{
	unsigned char sent[256], got[256];
	size_t n;

	pair_open();
	slave_raw();
	for (int i = 0; i < 256; i++)
		sent[i] = (unsigned char)i;
	CHECK_EQ(write(master, sent, 256), 256);
	for (n = 0; n < 256;)
		n += (size_t)CHECK_OK(read(slave, got + n, 256 - n));
	CHECK_EQ(memcmp(sent, got, 256), 0);
	CHECK_EQ(write(slave, sent, 256), 256);
	for (n = 0; n < 256;)
		n += (size_t)CHECK_OK(read(master, got + n, 256 - n));
	CHECK_EQ(memcmp(sent, got, 256), 0);
	check_quiet(master); /* nothing is echoed */
}

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 7 + i / 251);
}

/* The child writes so much to one end, what comes out of the other is the same. */
static void check_stream(int from, int to, size_t size)
{
	static unsigned char buffer[30000];
	pid_t pid = FORK();
	size_t done = 0;

	if (pid == 0) {
		for (size_t n; done < size; done += n) {
			n = size - done < sizeof(buffer) ? size - done : sizeof(buffer);
			for (size_t i = 0; i < n; i++)
				buffer[i] = pattern(done + i);
			CHECK_EQ(write(from, buffer, n), n);
		}
		_exit(0);
	}
	while (done < size) {
		ssize_t n = CHECK_OK(read(to, buffer, sizeof(buffer)));

		CHECK_GT(n, 0);
		for (ssize_t i = 0; i < n; i++)
			CHECK_EQ(buffer[i], pattern(done + (size_t)i));
		done += (size_t)n;
	}
	CHECK_EXITED(pid, 0);
}

TEST(pty_data, much_output)
{
	pair_open();
	slave_raw();
	check_stream(slave, master, 1000000);
}

TEST(pty_data, much_input)
{
	pair_open();
	slave_raw();
	check_stream(master, slave, 300000);
}

TEST(pty_data, writes_of_absent_pages)
{
	char *text = map_anonymous(16 * PAGE), *got = map_anonymous(16 * PAGE + 16);
	size_t n = 0;
	pid_t pid;

	pair_open();
	slave_raw();
	pid = FORK();
	if (pid == 0) {
		CHECK_EQ(write(slave, text, 16 * PAGE), 16 * PAGE);
		put(slave, "end");
		_exit(0);
	}
	while (n < 16 * PAGE)
		n += (size_t)CHECK_OK(read(master, got + n, 16 * PAGE - n));
	expect(master, "end");
	CHECK_EXITED(pid, 0);
}

TEST(pty_data, vectors)
{
	char a[3], b[16];
	struct iovec out[2] = { { "abc", 3 }, { "defg", 4 } }, in[2] = { { a, 3 }, { b, 16 } };

	pair_open();
	slave_raw();
	CHECK_EQ(writev(slave, out, 2), 7);
	wait_for(master, POLLIN);
	CHECK_EQ(readv(master, in, 2), 7);
	CHECK_EQ(memcmp(a, "abc", 3), 0);
	CHECK_EQ(memcmp(b, "defg", 4), 0);
	CHECK_EQ(writev(master, out, 2), 7);
	expect(slave, "abcdefg");
}

TEST(pty_data, minimum_and_time)
{
	struct termios t;
	char got[16];

	pair_open();
	slave_raw();
	CHECK_OK(tcgetattr(slave, &t));
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 0;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	CHECK_EQ(read(slave, got, 16), 0);
	t.c_cc[VTIME] = 1;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	CHECK_EQ(read(slave, got, 16), 0);
	t.c_cc[VMIN] = 3;
	t.c_cc[VTIME] = 0;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_EQ(read(slave, got, 16), 3);
		_exit(0);
	}
	wait_until_blocked(pid);
	put(master, "a");
	put(master, "bc");
	CHECK_EXITED(pid, 0);
}

TEST(pty_data, non_blocking)
{
	static char block[1000];
	char c;
	size_t total = 0;
	ssize_t n;

	pair_open();
	slave_raw();
	nonblock(master);
	nonblock(slave);
	CHECK_ERRNO(read(master, &c, 1), EAGAIN);
	CHECK_ERRNO(read(slave, &c, 1), EAGAIN);
	while (poll_now(slave, 20) & OUT) { /* what has left for the master makes room again */
		while ((n = write(slave, block, sizeof(block))) > 0)
			total += (size_t)n;
		CHECK_EQ(errno, EAGAIN);
	}
	CHECK_GE(total, 4096);
	while (total) {
		wait_for(master, POLLIN);
		total -= (size_t)CHECK_OK(read(master, block, sizeof(block)));
	}
	CHECK_ERRNO(read(master, &c, 1), EAGAIN);
	wait_for(slave, POLLOUT);
	put(slave, "x");
	while ((n = write(master, block, sizeof(block))) > 0)
		total += (size_t)n;
	CHECK_EQ(errno, EAGAIN);
	CHECK_GE(total, 4096);
	while (total) {
		wait_for(slave, POLLIN);
		total -= (size_t)CHECK_OK(read(slave, block, sizeof(block)));
	}
	wait_for(master, POLLOUT);
}

TEST(pty_data, writer_waits_for_the_master)
{
	static char block[100000];
	size_t done = 0;

	pair_open();
	slave_raw();
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_EQ(write(slave, block, sizeof(block)), sizeof(block));
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	while (done < sizeof(block))
		done += (size_t)CHECK_OK(read(master, block, sizeof(block)));
	CHECK_EXITED(pid, 0);
}

TEST(pty_data, signal_ends_a_blocked_read)
{
	char c;

	pair_open();
	for (int end = 0; end < 2; end++) {
		pid_t pid = FORK();

		if (pid == 0) {
			handler_set(SIGUSR1, note, 0);
			CHECK_ERRNO(read(end ? master : slave, &c, 1), EINTR);
			_exit(0);
		}
		wait_until_blocked(pid);
		CHECK_OK(kill(pid, SIGUSR1));
		CHECK_EXITED(pid, 0);
	}
}

TEST(pty_data, signal_cuts_a_blocked_write_short)
{
	static char block[200000];

	pair_open();
	slave_raw();
	pid_t pid = FORK();
	if (pid == 0) {
		ssize_t n;

		handler_set(SIGUSR1, note, 0);
		n = write(slave, block, sizeof(block));
		CHECK_GT(n, 0);
		CHECK_LT(n, sizeof(block));
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_EXITED(pid, 0);
}

TEST(pty_data, counts)
{
	int value = -1;

	pair_open();
	put(slave, "abc\n");
	wait_for(master, POLLIN);
	CHECK_OK(ioctl(master, FIONREAD, &value));
	CHECK_EQ(value, 5);
	CHECK_OK(ioctl(slave, TIOCOUTQ, &value)); /* what the master has counts as sent */
	CHECK_EQ(value, 0);
	flag_clear(ECHO);
	put(master, "line\nmore");
	wait_for(slave, POLLIN);
	CHECK_OK(ioctl(slave, FIONREAD, &value));
	CHECK_EQ(value, 5);
	CHECK_OK(ioctl(master, TIOCOUTQ, &value));
	CHECK_EQ(value, 0);
}

TEST(pty_data, drain_and_break)
{
	struct termios t;

	pair_open();
	put(slave, "pending");
	CHECK_OK(tcdrain(slave)); /* does not wait for the master's reader */
	CHECK_OK(tcgetattr(slave, &t));
	CHECK_OK(tcsetattr(slave, TCSADRAIN, &t));
	CHECK_OK(tcsetattr(slave, TCSAFLUSH, &t));
	CHECK_OK(tcsendbreak(slave, 0));
	CHECK_OK(tcsendbreak(master, 0));
	expect(master, "pending");
}

TEST(pty_data, flushing)
{
	struct termios t;

	pair_open();
	flag_clear(ECHO);
	put(master, "gone\n");
	wait_for(slave, POLLIN);
	CHECK_OK(tcflush(slave, TCIFLUSH));
	check_quiet(slave);
	put(master, "gone\n");
	wait_for(slave, POLLIN);
	CHECK_OK(tcgetattr(slave, &t));
	CHECK_OK(tcsetattr(slave, TCSAFLUSH, &t));
	check_quiet(slave);
	put(slave, "stays");
	wait_for(master, POLLIN);
	CHECK_OK(tcflush(slave, TCIOFLUSH)); /* it has left */
	expect(master, "stays");
	put(slave, "goes");
	wait_for(master, POLLIN);
	CHECK_OK(tcflush(master, TCIFLUSH));
	check_quiet(master);
	CHECK_ERRNO(tcflush(master, 77), EINVAL);
	CHECK_ERRNO(tcflush(slave, 77), EINVAL);
}

TEST(pty_data, settings_are_the_slaves)
{
	struct termios t, u;

	pair_open();
	CHECK_OK(tcgetattr(master, &t));
	CHECK(t.c_lflag & ECHO);
	CHECK(t.c_lflag & ICANON);
	CHECK_EQ(t.c_cflag & CSIZE, CS8);
	t.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
	CHECK_OK(tcsetattr(master, TCSANOW, &t));
	CHECK_OK(tcgetattr(slave, &u));
	CHECK_EQ(u.c_lflag & (ECHO | ICANON), 0);
	CHECK_OK(close(slave));
	slave = slave_open(O_NOCTTY); /* they outlive the files of the slave */
	CHECK_OK(tcgetattr(slave, &u));
	CHECK_EQ(u.c_lflag & (ECHO | ICANON), 0);
}

/* --- flow control ------------------------------------------------------------------------- */

TEST(pty_data, stop_and_start_characters)
{
	pair_open();
	nonblock(slave);
	put(master, "\023");
	for (int i = 0; poll_now(slave, 0) & POLLOUT; i++)
		CHECK(usleep(1000) == 0 && i < 5000);
	CHECK_ERRNO(write(slave, "x", 1), EAGAIN);
	put(master, "\021");
	wait_for(slave, POLLOUT);
	put(slave, "y");
	expect(master, "y");
}

TEST(pty_data, stop_by_call)
{
	pair_open();
	CHECK_OK(tcflow(slave, TCOOFF));
	pid_t pid = FORK();
	if (pid == 0) {
		put(slave, "held");
		_exit(0);
	}
	wait_until_blocked(pid);
	check_quiet(master);
	CHECK_OK(tcflow(slave, TCOON));
	CHECK_EXITED(pid, 0);
	expect(master, "held");
	CHECK_OK(tcflow(slave, TCIOFF)); /* the characters themselves */
	expect(master, "\023");
	CHECK_OK(tcflow(slave, TCION));
	expect(master, "\021");
	CHECK_ERRNO(tcflow(slave, 77), EINVAL);
}

/* --- the end ------------------------------------------------------------------------------ */

static int self_pipe[2];

static void child_ended(int sig)
{
	(void)sig;
	(void)!write(self_pipe[1], "", 1);
}

/* Whether a select() that does not wait calls it readable. */
static bool readable_now(int fd)
{
	struct timeval none = { 0, 0 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return CHECK_OK(select(fd + 1, &set, NULL, NULL, &none)) == 1;
}

/* A session of its own in which a child of the leader writes so much, and all end. */
static void session_that_writes(size_t size)
{
	handler_set(SIGCHLD, SIG_DFL, 0);
	CHECK_OK(setsid());
	slave = slave_open(0);
	CHECK_OK(close(master));
	slave_raw();
	pid_t pid = FORK();
	if (pid == 0) {
		static unsigned char text[41234];

		for (size_t i = 0; i < size; i++)
			text[i] = pattern(i);
		CHECK_EQ(write(slave, text, size), size);
		_exit(0);
	}
	CHECK_EXITED(pid, 0);
	_exit(0);
}

/* Reads as long as no child has ended, `most` bytes and then no more. */
static size_t read_until_ended(unsigned char *to, size_t most)
{
	struct pollfd p[2] = { { .fd = self_pipe[0], .events = POLLIN } };
	size_t done = 0;

	for (;;) {
		ssize_t n;

		p[1] = (struct pollfd){ .fd = done < most ? master : -1, .events = POLLIN };
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents)
			return done;
		n = read(master, to + done, most - done < 5000 ? most - done : 5000);
		if (n < 0 && errno == EIO)	/* the slave is closed before the signal comes */
			most = done;
		else
			done += (size_t)CHECK_OK(n);
	}
}

/*
 * A program writes and ends; whoever reads the master, as a terminal or a server for remote logins,
 * hears of the end before he has read all. What is left stays readable, and says so to a look that
 * does not wait, until the last byte; then, and not before, EIO says that the slave is gone. Before
 * the end he reads at most `most`.
 */
static void check_rest_is_read(size_t size, size_t most)
{
	static unsigned char got[41235];
	size_t done;
	int status;

	master_open();
	unlock();
	pid_t pid = FORK();
	if (pid == 0)
		session_that_writes(size);
	nonblock(master);
	done = read_until_ended(got, most);
	CHECK_EQ(read(self_pipe[0], &status, 1), 1);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), pid);
	CHECK_EQ(status, 0);
	while (done < size) {
		CHECK(readable_now(master));
		done += (size_t)CHECK_OK(read(master, got + done, sizeof(got) - done));
	}
	CHECK_EQ(done, size);
	for (size_t i = 0; i < size; i++)
		CHECK_EQ(got[i], pattern(i));
	CHECK_ERRNO(read(master, got, 1), EIO);
	CHECK_OK(close(master));
}

TEST(pty_data, rest_after_the_end)
{
	static const size_t size[] = { 1, 5000, 12000, 20001, 41234 };

	CHECK_OK(pipe(self_pipe));
	handler_set(SIGCHLD, child_ended, SA_RESTART);
	for (int round = 0; round < 10; round++) {
		for (unsigned i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
			check_rest_is_read(size[i], size[i]);
			check_rest_is_read(size[i], size[i] - (size[i] > 283 ? 283 : 1));
		}
	}
}

/* --- readiness ---------------------------------------------------------------------------- */

TEST(pty_data, poll_levels)
{
	char got[16];

	pair_open();
	CHECK_EQ(poll_now(master, 0), OUT);
	CHECK_EQ(poll_now(slave, 0), OUT);
	put(slave, "x");
	wait_for(master, POLLIN);
	CHECK_EQ(poll_now(master, 0), IN | OUT);
	CHECK_EQ(read(master, got, sizeof(got)), 1);
	CHECK_EQ(poll_now(master, 0), OUT);
	flag_clear(ECHO);
	put(master, "part");
	check_quiet(slave);
	put(master, "\n");
	wait_for(slave, POLLIN);
	CHECK_EQ(poll_now(slave, 0), IN | OUT);
}

TEST(pty_data, poll_wakes)
{
	pair_open();
	pid_t pid = FORK();
	if (pid == 0) {
		wait_for(master, POLLIN);
		expect(master, "x");
		put(master, "y\n");
		_exit(0);
	}
	wait_until_blocked(pid);
	put(slave, "x");
	wait_for(slave, POLLIN);
	expect(slave, "y\n");
	CHECK_EXITED(pid, 0);
}

TEST(pty_data, edge_triggered)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET }, got;
	int ep = CHECK_OK(epoll_create1(0));

	pair_open();
	slave_raw();
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, master, &e));
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, slave, &e));
	CHECK_EQ(epoll_wait(ep, &got, 1, 0), 0);
	for (int i = 0; i < 3; i++) { /* each arrival is an event, read or not */
		put(slave, "x");
		CHECK_EQ(epoll_wait(ep, &got, 1, 5000), 1);
		CHECK_EQ(epoll_wait(ep, &got, 1, 20), 0);
	}
	for (int i = 0; i < 3; i++) {
		put(master, "x");
		CHECK_EQ(epoll_wait(ep, &got, 1, 5000), 1);
		CHECK_EQ(epoll_wait(ep, &got, 1, 20), 0);
	}
	CHECK_OK(close(slave)); /* takes the member with it */
	CHECK_EQ(epoll_wait(ep, &got, 1, 5000), 1);
	CHECK(got.events & EPOLLHUP);
}

/* --- what others must not notice ---------------------------------------------------------- */

enum { MUCH = 4 << 20 };

/* Much in one call, which the others do not notice. */
static void put_much(int fd, int c)
{
	char *bytes = map_anonymous(MUCH);

	memset(bytes, c, MUCH);
	CHECK_GT(write(fd, bytes, MUCH), 0);
	CHECK_OK(munmap(bytes, MUCH));
	SUBPROCESS {
	}
}

/* A line that is full, and characters that take away what was typed: there is always room. */
TEST(pty_data, typed_without_end)
{
	for (const char *c = "x\003\025"; *c; c++) {
		pair_open();
		flag_clear(ECHO);
		nonblock(master);
		put_much(master, *c);
		CHECK_OK(close(slave));
		CHECK_OK(close(master));
	}
}

/* Returns to where the cursor is already are not sent. */
TEST(pty_data, written_without_end)
{
	struct termios t;

	pair_open();
	CHECK_OK(tcgetattr(slave, &t));
	t.c_oflag = OPOST | ONOCR;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	put_much(slave, '\r');
	put(slave, "x");
	expect(master, "x");
}

static struct iovec changing[2];
static volatile bool changing_ends;

static void *change_size(void *arg)
{
	volatile size_t *size = &changing[1].iov_len;

	while (!changing_ends) {
		*size = 0;
		*size = 100;
	}
	return arg;
}

/* A vector that changes while it is written: nothing comes but what was in it. */
TEST(pty_data, changing_vectors)
{
	static char mine[100], got[200];
	pthread_t thread;

	pair_open();
	slave_raw();
	memset(mine, 'a', sizeof(mine));
	changing[0] = changing[1] = (struct iovec){ mine, sizeof(mine) };
	CHECK_EQ(pthread_create(&thread, NULL, change_size, NULL), 0);
	for (int i = 0; i < 3000; i++) {
		ssize_t n = writev(master, changing, 2), have = 0;

		while (have < n)
			have += CHECK_OK(read(slave, got, sizeof(got)));
		for (ssize_t j = 0; j < n; j++)
			CHECK_EQ(got[j], 'a');
	}
	changing_ends = true;
	CHECK_EQ(pthread_join(thread, NULL), 0);
}
