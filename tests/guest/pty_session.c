/*
 * Pseudo-terminals: controlling terminals, hang-up, window size, job control.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pty_pair.h"

/* --- sessions ----------------------------------------------------------------------------- */

TEST(pty_session, controlling_terminal_by_open)
{
	struct stat info;
	int fd;

	master_open();
	unlock();
	SUBPROCESS {
		CHECK_OK(setsid());
		slave = slave_open(O_NOCTTY);
		CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_ERRNO(tcgetpgrp(slave), ENOTTY);
		CHECK_ERRNO(tcgetsid(slave), ENOTTY);
		CHECK_OK(close(CHECK_OK(open(name, O_WRONLY)))); /* not so either */
		CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_OK(close(slave_open(0)));
		fd = CHECK_OK(open("/dev/tty", O_RDWR));
		CHECK_OK(fstat(fd, &info));
		CHECK_EQ(info.st_rdev, makedev(5, 0));
		CHECK_EQ(tcgetpgrp(fd), getpid());
		CHECK_EQ(tcgetsid(fd), getpid());
		CHECK_EQ(tcgetpgrp(master), getpid());
		CHECK_EQ(tcgetsid(master), getpid());
		put(fd, "by its other name");
		expect(master, "by its other name");
		CHECK_OK(close(slave));
		CHECK_OK(close(fd)); /* no file of it is open, and it is still ours */
		CHECK_OK(open("/dev/tty", O_RDWR));
		SUBPROCESS {
			CHECK_OK(setsid());
			CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		}
	}
}

TEST(pty_session, controlling_terminal_by_request)
{
	ROOT_NEEDED();
	pair_open();
	SUBPROCESS {
		struct gate ready, done;

		gate_init(&ready);
		gate_init(&done);
		CHECK_ERRNO(ioctl(slave, TIOCSCTTY, 0), EPERM); /* no leader */
		CHECK_OK(setsid());
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0)); /* has it already */
		CHECK_OK(tcgetpgrp(slave));
		pid_t pid = FORK();
		if (pid == 0) {
			CHECK_OK(setsid());
			CHECK_ERRNO(ioctl(slave, TIOCSCTTY, 0), EPERM); /* somebody else's */
			SUBPROCESS {
				CHECK_OK(setsid());
				drop_to_user(1000, 1000);
				CHECK_ERRNO(ioctl(slave, TIOCSCTTY, 1), EPERM);
			}
			CHECK_OK(ioctl(slave, TIOCSCTTY, 1)); /* root may steal */
			CHECK_EQ(tcgetsid(slave), getpid());
			gate_open(&ready);
			gate_pass(&done);
			_exit(0);
		}
		gate_pass(&ready);
		CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_ERRNO(tcgetpgrp(slave), ENOTTY);
		gate_open(&done);
		CHECK_EXITED(pid, 0);
	}
}

TEST(pty_session, giving_it_up)
{
	master_open();
	unlock();
	SUBPROCESS {
		session_begin();
		SUBPROCESS { /* one that does not lead gives up his own */
			CHECK_OK(ioctl(slave, TIOCNOTTY));
			CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		}
		CHECK_OK(close(CHECK_OK(open("/dev/tty", O_RDWR))));
		handler_set(SIGHUP, note, 0);
		handler_set(SIGCONT, note, 0);
		CHECK_OK(ioctl(slave, TIOCNOTTY));
		wait_signal(SIGHUP);
		wait_signal(SIGCONT);
		CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_ERRNO(ioctl(slave, TIOCNOTTY), ENOTTY);
		put(slave, "not hung");
		expect(master, "not hung");
	}
}

TEST(pty_session, shown_in_proc)
{
	master_open();
	unlock();
	SUBPROCESS {
		char text[512];
		int session, terminal, foreground;
		unsigned number;

		session_begin();
		CHECK_OK(ioctl(master, TIOCGPTN, &number));
		text[file_read("/proc/self/stat", text, sizeof(text) - 1)] = 0;
		CHECK_EQ(sscanf(text, "%*d (%*[^)]) %*c %*d %*d %d %d %d", &session, &terminal,
				&foreground), 3);
		CHECK_EQ(session, getpid());
		CHECK_EQ(terminal, (int)makedev(136, number));
		CHECK_EQ(foreground, getpid());
	}
}

TEST(pty_session, master_close_hangs_up_the_session)
{
	struct gate ready;

	gate_init(&ready);
	master_open();
	unlock();
	pid_t pid = FORK();
	if (pid == 0) {
		struct gate member;
		char c;

		gate_init(&member);
		handler_set(SIGHUP, note, SA_RESTART);
		handler_set(SIGCONT, note, SA_RESTART);
		session_begin();
		CHECK_OK(close(master));
		pid_t other = FORK();
		if (other == 0) { /* in the foreground, but no leader: its turn comes later */
			CHECK_OK(setpgid(0, 0));
			signal(SIGTTOU, SIG_IGN);
			CHECK_OK(tcsetpgrp(slave, getpid()));
			gate_open(&member);
			for (;;)
				pause();
		}
		gate_pass(&member);
		gate_open(&ready);
		wait_signal(SIGHUP);
		wait_signal(SIGCONT);
		CHECK_EQ(read(slave, &c, 1), 0);
		CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_OK(kill(other, SIGKILL));
		CHECK_SIGNALED(other, SIGKILL);
		_exit(0);
	}
	gate_pass(&ready);
	CHECK_OK(close(master));
	CHECK_EXITED(pid, 0);
}

/* The leader's exit: the foreground group hears of it, the terminal itself stays. */
TEST(pty_session, leader_exits)
{
	struct gate ready, told;
	char text[8];

	gate_init(&ready);
	gate_init(&told);
	master_open();
	unlock();
	pid_t pid = FORK();
	if (pid == 0) {
		session_begin();
		if (FORK() == 0) {
			handler_set(SIGHUP, note, 0);
			gate_open(&ready);
			wait_signal(SIGHUP);
			CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
			put(slave, "works");
			gate_open(&told);
			_exit(0);
		}
		gate_pass(&ready);
		_exit(0);
	}
	CHECK_EXITED(pid, 0);
	gate_pass(&told);
	expect(master, "works");
	slave = slave_open(O_NOCTTY);
	put(master, "again\n");
	CHECK_EQ(read(slave, text, sizeof(text)), 6);
}

TEST(pty_session, virtual_hang_up)
{
	ROOT_NEEDED();
	char c;

	master_open();
	unlock();
	SUBPROCESS {
		int old;

		signal(SIGHUP, SIG_IGN);
		session_begin();
		old = slave;
		flag_clear(ECHO);
		CHECK_OK(vhangup());
		CHECK_EQ(read(old, &c, 1), 0);
		CHECK_ERRNO(write(old, "x", 1), EIO);
		CHECK_EQ(poll_now(old, 0), IN | OUT | POLLERR | POLLHUP);
		CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		slave = slave_open(0); /* a new start */
		CHECK_EQ(tcgetsid(slave), getpid());
		CHECK_ERRNO(write(old, "x", 1), EIO);
		put(slave, "new");
		expect(master, "new");
		put(master, "in\n");
		expect(slave, "in\n");
		SUBPROCESS {
			drop_to_user(1000, 1000);
			CHECK_ERRNO(vhangup(), EPERM);
		}
	}
}

/* --- window size -------------------------------------------------------------------------- */

TEST(pty_session, window_size)
{
	struct winsize size = { .ws_row = 30, .ws_col = 100 }, got;

	master_open();
	unlock();
	CHECK_OK(ioctl(master, TIOCGWINSZ, &got));
	CHECK_EQ(got.ws_row, 0);
	SUBPROCESS {
		session_begin();
		handler_set(SIGWINCH, note, 0);
		CHECK_OK(ioctl(master, TIOCSWINSZ, &size));
		wait_signal(SIGWINCH);
		CHECK_OK(ioctl(slave, TIOCGWINSZ, &got));
		CHECK_EQ(got.ws_row, 30);
		CHECK_EQ(got.ws_col, 100);
		seen[SIGWINCH] = 0;
		CHECK_OK(ioctl(slave, TIOCSWINSZ, &size)); /* the same: no signal */
		CHECK_EQ(seen[SIGWINCH], 0);
		size.ws_col = 50;
		CHECK_OK(ioctl(slave, TIOCSWINSZ, &size));
		wait_signal(SIGWINCH);
		CHECK_OK(ioctl(master, TIOCGWINSZ, &got));
		CHECK_EQ(got.ws_col, 50);
	}
}

/* --- job control -------------------------------------------------------------------------- */

TEST(pty_session, signal_characters)
{
	static const struct { const char *text; int sig; const char *echo; } keys[] = {
		{ "\003", SIGINT, "^C" }, { "\034", SIGQUIT, "^\\" }, { "\032", SIGTSTP, "^Z" },
	};

	master_open();
	unlock();
	SUBPROCESS {
		session_begin();
		for (unsigned i = 0; i < LENGTH(keys); i++) {
			handler_set(keys[i].sig, note, 0);
			put(master, keys[i].text);
			wait_signal(keys[i].sig);
			expect(master, keys[i].echo); /* the next key flushes what is on its way */
		}
		flag_clear(ISIG | ICANON | ECHO);
		put(master, "\003");
		expect(slave, "\003");
	}
}

TEST(pty_session, signal_from_the_master)
{
	master_open();
	unlock();
	SUBPROCESS {
		session_begin();
		handler_set(SIGINT, note, 0);
		CHECK_OK(ioctl(master, TIOCSIG, SIGINT));
		wait_signal(SIGINT);
		CHECK_ERRNO(ioctl(master, TIOCSIG, SIGKILL), EINVAL);
		CHECK_ERRNO(ioctl(slave, TIOCSIG, SIGINT), ENOTTY);
	}
}

/* A child in a background group of its own, which then runs `body`. */
static pid_t background(void (*body)(void))
{
	pid_t pid = FORK();

	if (pid == 0) {
		CHECK_OK(setpgid(0, 0));
		body();
		_exit(0);
	}
	setpgid(pid, pid);
	return pid;
}

/* The child was stopped by `sig`, goes on in the foreground to its end, and the caller is back. */
static void check_stopped_then_continue(pid_t pid, int sig)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), sig);
	CHECK_OK(tcsetpgrp(slave, pid));
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EXITED(pid, 0);
	void (*const old)(int) = signal(SIGTTOU, SIG_IGN);
	CHECK_OK(tcsetpgrp(slave, getpgrp()));
	signal(SIGTTOU, old);
}

static void body_read(void)
{
	char got[8];

	CHECK_EQ(read(slave, got, sizeof(got)), 2);
}

static void body_read_ignoring(void)
{
	char got[8];

	signal(SIGTTIN, SIG_IGN);
	CHECK_ERRNO(read(slave, got, sizeof(got)), EIO);
}

static void body_write(void)
{
	put(slave, "w");
}

static void body_write_ignoring(void)
{
	signal(SIGTTOU, SIG_IGN);
	put(slave, "w");
}

static void body_settings(void)
{
	struct termios t;

	CHECK_OK(tcgetattr(slave, &t));
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
}

static void body_foreground(void)
{
	CHECK_OK(tcsetpgrp(slave, getpgrp()));
}

TEST(pty_session, background_reader)
{
	master_open();
	unlock();
	SUBPROCESS {
		session_begin();
		pid_t pid = background(body_read);
		put(master, "x\n");
		check_stopped_then_continue(pid, SIGTTIN);
		CHECK_EXITED(background(body_read_ignoring), 0);
	}
}

TEST(pty_session, background_writer)
{
	master_open();
	unlock();
	SUBPROCESS {
		session_begin();
		CHECK_EXITED(background(body_write), 0); /* may, without TOSTOP */
		flag_set(TOSTOP);
		check_stopped_then_continue(background(body_write), SIGTTOU);
		CHECK_EXITED(background(body_write_ignoring), 0);
		expect(master, "www");
	}
}

TEST(pty_session, background_settings)
{
	master_open();
	unlock();
	SUBPROCESS {
		session_begin();
		check_stopped_then_continue(background(body_settings), SIGTTOU);
		check_stopped_then_continue(background(body_foreground), SIGTTOU);
	}
}

TEST(pty_session, foreground_group)
{
	master_open();
	unlock();
	SUBPROCESS {
		session_begin();
		CHECK_ERRNO(tcsetpgrp(slave, 999999), ESRCH);
		CHECK_ERRNO(tcsetpgrp(slave, -1), EINVAL);
		CHECK_ERRNO(tcsetpgrp(slave, getppid()), EPERM); /* of another session */
		CHECK_OK(tcsetpgrp(slave, getpgrp()));
		SUBPROCESS {
			CHECK_OK(setsid());
			CHECK_ERRNO(tcsetpgrp(slave, getpgrp()), ENOTTY);
		}
	}
}

TEST(pty_session, false_input)
{
	ROOT_NEEDED();
	pair_open();
	flag_clear(ECHO);
	CHECK_OK(ioctl(slave, TIOCSTI, "q")); /* root may, whosever terminal it is */
	CHECK_OK(ioctl(slave, TIOCSTI, "\n"));
	expect(slave, "q\n");
	SUBPROCESS {
		drop_to_user(1000, 1000);
		CHECK_EQ(ioctl(slave, TIOCSTI, "x"), -1);
	}
	CHECK_ERRNO(ioctl(slave, TIOCSTI, BAD_UNMAPPED), EFAULT);
}
