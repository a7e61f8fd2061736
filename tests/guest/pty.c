/*
 * Pseudo-terminals: pairs, data both ways, what each end sees of the other's closing, controlling
 * terminals, job control, packet mode, and the nodes in /dev/pts.
 *
 * Linux hands what is typed to the line discipline in a worker, so whatever looks at a slave
 * without blocking first waits for it with poll().
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif
#define DEVPTS_MAGIC 0x1cd1
#define IN (POLLIN | POLLRDNORM)
#define OUT (POLLOUT | POLLWRNORM)
#define ANY (IN | OUT | POLLPRI)

static int master, slave;
static char name[32];

/* --- helpers ------------------------------------------------------------------------------ */

static void master_open(void)
{
	unsigned number;

	master = CHECK_OK(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
	CHECK_OK(ioctl(master, TIOCGPTN, &number));
	snprintf(name, sizeof(name), "/dev/pts/%u", number);
}

static void unlock(void)
{
	int zero = 0;

	CHECK_OK(ioctl(master, TIOCSPTLCK, &zero));
}

static int slave_open(int flags)
{
	return CHECK_OK(open(name, O_RDWR | flags));
}

static void pair_open(void)
{
	master_open();
	unlock();
	slave = slave_open(O_NOCTTY);
}

/* No processing in either direction. */
static void slave_raw(void)
{
	struct termios t;

	CHECK_OK(tcgetattr(slave, &t));
	cfmakeraw(&t);
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
}

static void flag_clear(tcflag_t lflag)
{
	struct termios t;

	CHECK_OK(tcgetattr(slave, &t));
	t.c_lflag &= ~lflag;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
}

static void flag_set(tcflag_t lflag)
{
	struct termios t;

	CHECK_OK(tcgetattr(slave, &t));
	t.c_lflag |= lflag;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
}

static void nonblock(int fd)
{
	CHECK_OK(fcntl(fd, F_SETFL, CHECK_OK(fcntl(fd, F_GETFL)) | O_NONBLOCK));
}

static void put(int fd, const char *text)
{
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
}

/* Exactly this comes, in however many pieces. */
static void expect(int fd, const char *text)
{
	char got[256] = "";
	size_t n = 0;

	while (n < strlen(text))
		n += (size_t)CHECK_OK(read(fd, got + n, strlen(text) - n));
	got[n] = 0;
	CHECK_STR(got, text);
}

static int poll_now(int fd, int timeout)
{
	struct pollfd p = { .fd = fd, .events = ANY };

	CHECK_OK(poll(&p, 1, timeout));
	return p.revents;
}

static void wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	CHECK_EQ(poll(&p, 1, 10000), 1);
}

static void check_quiet(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	CHECK_EQ(poll(&p, 1, 30), 0);
}

/* In the calling process: a new session whose terminal the slave is, as descriptor `slave`. */
static void session_begin(void)
{
	CHECK_OK(setsid());
	slave = slave_open(0);
	CHECK_EQ(tcgetpgrp(slave), getpid());
}

static volatile sig_atomic_t seen[65];

static void note(int sig)
{
	seen[sig]++;
}

static void wait_signal(int sig)
{
	while (!seen[sig])
		usleep(1000);
}

/* --- nodes and names ---------------------------------------------------------------------- */

TEST(pty, nodes)
{
	ROOT_NEEDED();
	struct stat info, opened;
	unsigned number;

	CHECK_OK(stat("/dev/ptmx", &info));
	CHECK(S_ISCHR(info.st_mode));
	CHECK_EQ(info.st_rdev, makedev(5, 2));
	pair_open();
	CHECK_OK(ioctl(master, TIOCGPTN, &number));
	CHECK_OK(stat(name, &info));
	CHECK(S_ISCHR(info.st_mode));
	CHECK_EQ(info.st_rdev, makedev(136, number));
	CHECK_EQ(info.st_uid, 0);
	CHECK_EQ(info.st_nlink, 1);
	CHECK_OK(fstat(slave, &opened));
	CHECK_EQ(opened.st_ino, info.st_ino);
	CHECK_EQ(opened.st_dev, info.st_dev);
	CHECK_OK(fstat(master, &opened));
	CHECK_EQ(opened.st_rdev, makedev(5, 2));
}

TEST(pty, names)
{
	char text[64];

	pair_open();
	CHECK_STR(ptsname(master), name);
	CHECK_STR(ttyname(slave), name);
	snprintf(text, sizeof(text), "/proc/self/fd/%d", slave);
	char link[64] = "";
	CHECK_OK(readlink(text, link, sizeof(link) - 1));
	CHECK_STR(link, name);
	CHECK_EQ(isatty(slave), 1);
	CHECK_EQ(isatty(master), 1);
	CHECK_OK(grantpt(master));
	CHECK_OK(close(CHECK_OK(open(text, O_RDWR | O_NOCTTY)))); /* through the magic link */
}

TEST(pty, directory)
{
	DIR *dir;
	bool found = false;

	pair_open();
	dir = opendir("/dev/pts");
	CHECK(dir);
	for (struct dirent *e; (e = readdir(dir));)
		found |= strcmp(e->d_name, strrchr(name, '/') + 1) == 0;
	CHECK(found);
	closedir(dir);
}

TEST(pty, file_system)
{
	ROOT_NEEDED();
	struct statfs info;

	pair_open();
	CHECK_OK(statfs("/dev/pts", &info));
	CHECK_EQ(info.f_type, DEVPTS_MAGIC);
	CHECK_ERRNO(mkdir("/dev/pts/d", 0700), EPERM);
	CHECK_ERRNO(open("/dev/pts/f", O_RDWR | O_CREAT, 0600), EACCES);
	CHECK_ERRNO(symlink("x", "/dev/pts/l"), EPERM);
	CHECK_ERRNO(unlink(name), EPERM);
	CHECK_ERRNO(rename(name, "/dev/pts/other"), EPERM);
	CHECK_ERRNO(open("/dev/pts/99999", O_RDWR), ENOENT);
}

TEST(pty, node_goes_with_the_master)
{
	struct stat info;

	master_open();
	CHECK_OK(stat(name, &info));
	CHECK_OK(close(master));
	CHECK_ERRNO(stat(name, &info), ENOENT);
	pair_open(); /* an open slave does not keep it */
	CHECK_OK(close(master));
	CHECK_ERRNO(stat(name, &info), ENOENT);
	CHECK_OK(fstat(slave, &info));
	CHECK(S_ISCHR(info.st_mode));
}

TEST(pty, node_goes_when_the_process_dies)
{
	struct stat info;
	char (*shared)[32] = map_shared(PAGE);

	SUBPROCESS {
		pair_open();
		strcpy(*shared, name);
	}
	CHECK_ERRNO(stat(*shared, &info), ENOENT);
}

TEST(pty, many)
{
	int fd[100];
	unsigned number[100];

	for (int i = 0; i < 100; i++) {
		fd[i] = CHECK_OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
		CHECK_OK(ioctl(fd[i], TIOCGPTN, &number[i]));
		for (int j = 0; j < i; j++)
			CHECK_NE(number[i], number[j]);
	}
	for (int i = 0; i < 100; i++)
		CHECK_OK(close(fd[i]));
	for (int i = 0; i < 300; i++) { /* and again and again */
		pair_open();
		put(slave, "x");
		CHECK_OK(close(i & 1 ? master : slave));
		CHECK_OK(close(i & 1 ? slave : master));
	}
}

TEST(pty, owner_and_permission)
{
	ROOT_NEEDED();
	struct stat info;

	pair_open();
	CHECK_OK(chown(name, 1000, 1000));
	CHECK_OK(chmod(name, 0600));
	CHECK_OK(fstat(slave, &info));
	CHECK_EQ(info.st_uid, 1000);
	CHECK_EQ(info.st_gid, 1000);
	CHECK_EQ(info.st_mode & 07777, 0600);
	CHECK_OK(fchmod(slave, 0622));
	CHECK_OK(stat(name, &info));
	CHECK_EQ(info.st_mode & 07777, 0622);
	CHECK_OK(chmod(name, 0600));
	SUBPROCESS {
		drop_to_user(1001, 1001);
		CHECK_ERRNO(open(name, O_RDWR | O_NOCTTY), EACCES);
	}
	SUBPROCESS {
		drop_to_user(1000, 1000);
		CHECK_OK(close(CHECK_OK(open(name, O_RDWR | O_NOCTTY))));
		pair_open();
		CHECK_OK(stat(name, &info));
		CHECK_EQ(info.st_uid, 1000);
	}
}

/* --- opening ------------------------------------------------------------------------------ */

TEST(pty, locked_until_unlocked)
{
	int value = -1, one = 1;

	master_open();
	CHECK_OK(ioctl(master, TIOCGPTLCK, &value));
	CHECK_EQ(value, 1);
	CHECK_ERRNO(open(name, O_RDWR | O_NOCTTY), EIO);
	CHECK_OK(unlockpt(master));
	CHECK_OK(ioctl(master, TIOCGPTLCK, &value));
	CHECK_EQ(value, 0);
	slave = slave_open(O_NOCTTY);
	CHECK_OK(ioctl(master, TIOCSPTLCK, &one));
	CHECK_ERRNO(open(name, O_RDWR | O_NOCTTY), EIO);
	CHECK_OK(close(slave));
}

TEST(pty, peer)
{
	master_open();
	CHECK_ERRNO(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY), EIO); /* locked */
	unlock();
	slave = CHECK_OK(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
	CHECK_EQ(fcntl(slave, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(slave, F_GETFL) & O_ACCMODE, O_RDWR);
	CHECK_STR(ttyname(slave), name);
	put(slave, "hello");
	expect(master, "hello");
	slave = CHECK_OK(ioctl(master, TIOCGPTPEER, O_RDONLY | O_NOCTTY));
	CHECK_ERRNO(write(slave, "x", 1), EBADF);
}

TEST(pty, requests_of_the_master_alone)
{
	int value = 1;

	pair_open();
	CHECK_ERRNO(ioctl(slave, TIOCGPTN, &value), ENOTTY);
	CHECK_ERRNO(ioctl(slave, TIOCSPTLCK, &value), ENOTTY);
	CHECK_ERRNO(ioctl(slave, TIOCGPTLCK, &value), ENOTTY);
	CHECK_ERRNO(ioctl(slave, TIOCPKT, &value), ENOTTY);
	CHECK_ERRNO(ioctl(slave, TIOCGPTPEER, O_RDWR), EIO);
	CHECK_ERRNO(ioctl(master, TIOCGPTN, BAD_UNMAPPED), EFAULT);
	CHECK_ERRNO(ioctl(master, TIOCSPTLCK, BAD_KERNEL), EFAULT);
	CHECK_ERRNO(ioctl(master, 0x12345678, 0), ENOTTY);
	CHECK_ERRNO(ioctl(master, TIOCNOTTY, 0), ENOTTY);
}

TEST(pty, exclusive)
{
	ROOT_NEEDED();
	int value = -1;

	pair_open();
	CHECK_OK(chmod(name, 0666));
	CHECK_OK(ioctl(slave, TIOCEXCL));
	CHECK_OK(ioctl(slave, TIOCGEXCL, &value));
	CHECK_EQ(value, 1);
	CHECK_OK(close(slave_open(O_NOCTTY))); /* root may */
	SUBPROCESS {
		drop_to_user(1000, 1000);
		CHECK_ERRNO(open(name, O_RDWR | O_NOCTTY), EBUSY);
	}
	CHECK_OK(ioctl(slave, TIOCNXCL));
	SUBPROCESS {
		drop_to_user(1000, 1000);
		CHECK_OK(open(name, O_RDWR | O_NOCTTY));
	}
}

TEST(pty, no_positions)
{
	char c;

	pair_open();
	CHECK_ERRNO(lseek(master, 0, SEEK_SET), ESPIPE);
	CHECK_ERRNO(lseek(slave, 0, SEEK_CUR), ESPIPE);
	CHECK_ERRNO(pread(master, &c, 1, 0), ESPIPE);
	CHECK_ERRNO(pwrite(slave, "x", 1, 0), ESPIPE);
	CHECK_EQ(read(master, &c, 0), 0);
	CHECK_EQ(write(master, "", 0), 0);
	CHECK_ERRNO(write(master, BAD_UNMAPPED, 10), EFAULT);
	CHECK_ERRNO(write(slave, BAD_UNMAPPED, 10), EFAULT);
}

/* --- data --------------------------------------------------------------------------------- */

TEST(pty, output_is_processed)
{
	pair_open();
	put(slave, "a\nb\n");
	expect(master, "a\r\nb\r\n");
	check_quiet(master);
}

TEST(pty, input_is_echoed_and_read_by_lines)
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

TEST(pty, end_of_file_character)
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

TEST(pty, raw_is_transparent)
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

TEST(pty, much_output)
{
	pair_open();
	slave_raw();
	check_stream(slave, master, 1000000);
}

TEST(pty, much_input)
{
	pair_open();
	slave_raw();
	check_stream(master, slave, 300000);
}

TEST(pty, writes_of_absent_pages)
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

TEST(pty, vectors)
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

TEST(pty, minimum_and_time)
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

TEST(pty, non_blocking)
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

TEST(pty, writer_waits_for_the_master)
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

TEST(pty, signal_ends_a_blocked_read)
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

TEST(pty, signal_cuts_a_blocked_write_short)
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

TEST(pty, counts)
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

TEST(pty, drain_and_break)
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

TEST(pty, flushing)
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

TEST(pty, settings_are_the_slaves)
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

TEST(pty, stop_and_start_characters)
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

TEST(pty, stop_by_call)
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

/* --- one end and the other ---------------------------------------------------------------- */

TEST(pty, master_before_and_after_the_slave)
{
	char c;

	master_open();
	nonblock(master);
	CHECK_EQ(poll_now(master, 0), OUT);
	CHECK_ERRNO(read(master, &c, 1), EAGAIN); /* not hung up: never opened */
	unlock();
	put(master, "early\n");
	slave = slave_open(O_NOCTTY);
	expect(slave, "early\n");
	wait_for(master, POLLIN);
	expect(master, "early\r\n");
	put(slave, "last words");
	CHECK_OK(close(slave));
	wait_for(master, POLLIN);
	while (!(poll_now(master, 10) & POLLHUP))
		;
	expect(master, "last words"); /* first what is pending */
	CHECK_ERRNO(read(master, &c, 1), EIO);
	CHECK_EQ(poll_now(master, 0), POLLHUP | OUT);
	put(master, "between\n");
	slave = slave_open(O_NOCTTY); /* and it lives again */
	CHECK_EQ(poll_now(master, 0) & POLLHUP, 0);
	wait_for(master, POLLIN);
	expect(master, "between\r\n");
	CHECK_ERRNO(read(master, &c, 1), EAGAIN);
	expect(slave, "between\n");
}

TEST(pty, blocked_master_sees_the_last_close)
{
	int second;
	char c;

	pair_open();
	second = CHECK_OK(dup(slave));
	pid_t pid = FORK();
	if (pid == 0) {
		close(slave);
		close(second);
		CHECK_ERRNO(read(master, &c, 1), EIO);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(close(slave));
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK_OK(close(second));
	CHECK_EXITED(pid, 0);
}

TEST(pty, slave_after_the_master)
{
	struct termios t;
	char c;
	int value = 0;

	pair_open();
	put(master, "unread\n");
	wait_for(slave, POLLIN);
	CHECK_OK(close(master));
	CHECK_EQ(read(slave, &c, 1), 0);
	CHECK_ERRNO(write(slave, "x", 1), EIO);
	CHECK_ERRNO(tcgetattr(slave, &t), EIO);
	CHECK_ERRNO(ioctl(slave, FIONREAD, &value), EIO);
	CHECK_ERRNO(tcsetpgrp(slave, getpgrp()), ENOTTY);
	CHECK_EQ(poll_now(slave, 0), IN | OUT | POLLERR | POLLHUP);
	CHECK_OK(ioctl(slave, FIONBIO, &value));
}

TEST(pty, blocked_slave_sees_the_masters_close)
{
	static char block[100000];
	char c;

	pair_open();
	for (int writes = 0; writes < 2; writes++) {
		pid_t pid = FORK();

		if (pid == 0) {
			close(master);
			if (!writes)
				CHECK_ERRNO(read(slave, &c, 1), EIO);
			else
				CHECK_LT(write(slave, block, sizeof(block)), sizeof(block));
			_exit(0);
		}
		wait_until_blocked(pid);
		if (writes) {
			CHECK_OK(close(master));
			CHECK_EXITED(pid, 0);
			continue;
		}
		CHECK_OK(close(master));
		CHECK_EXITED(pid, 0);
		pair_open();
		slave_raw();
	}
}

TEST(pty, copies_of_the_master)
{
	char c;
	int copy;

	pair_open();
	nonblock(slave);
	copy = CHECK_OK(dup(master));
	CHECK_OK(close(master));
	CHECK_ERRNO(read(slave, &c, 1), EAGAIN);
	pid_t pid = FORK();
	if (pid == 0) {
		char byte;

		CHECK_EQ(read(copy, &byte, 1), 1);
		_exit(0);
	}
	CHECK_OK(close(copy));
	wait_until_blocked(pid);
	put(slave, "x");
	CHECK_EXITED(pid, 0);
	CHECK_EQ(read(slave, &c, 1), 0);
}

TEST(pty, other_ways_to_close_the_master)
{
	char c;

	for (int way = 0; way < 4; way++) {
		pair_open();
		pid_t pid = way < 3 ? 0 : FORK();

		if (way == 0)
			CHECK_OK(dup2(slave, master));
		else if (way == 1)
			CHECK_OK(dup3(slave, master, O_CLOEXEC));
		else if (way == 2)
			CHECK_OK(syscall(SYS_close_range, master, master, 0));
		else if (pid == 0)
			_exit(execl("/proc/self/exe", "pty", "--helper=nothing", NULL));
		else
			CHECK_OK(close(master));
		wait_for(slave, POLLHUP);
		CHECK_EQ(read(slave, &c, 1), 0);
		if (way == 3)
			CHECK_EXITED(pid, 3);
		CHECK_OK(close(slave));
		close(master);
	}
}

HELPER(nothing)
{
	return 3;
}

/* --- readiness ---------------------------------------------------------------------------- */

TEST(pty, poll_levels)
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

TEST(pty, poll_wakes)
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

TEST(pty, edge_triggered)
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

/* --- sessions ----------------------------------------------------------------------------- */

TEST(pty, controlling_terminal_by_open)
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

TEST(pty, controlling_terminal_by_request)
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

TEST(pty, giving_it_up)
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

TEST(pty, shown_in_proc)
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

TEST(pty, master_close_hangs_up_the_session)
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
TEST(pty, leader_exits)
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

TEST(pty, virtual_hang_up)
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

TEST(pty, window_size)
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

TEST(pty, signal_characters)
{
	static const struct { const char *text; int sig; } keys[] = {
		{ "\003", SIGINT }, { "\034", SIGQUIT }, { "\032", SIGTSTP },
	};

	master_open();
	unlock();
	SUBPROCESS {
		session_begin();
		for (unsigned i = 0; i < LENGTH(keys); i++) {
			handler_set(keys[i].sig, note, 0);
			put(master, keys[i].text);
			wait_signal(keys[i].sig);
		}
		expect(master, "^C^\\^Z");
		flag_clear(ISIG | ICANON | ECHO);
		put(master, "\003");
		expect(slave, "\003");
	}
}

TEST(pty, signal_from_the_master)
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

static void check_stopped_then_continue(pid_t pid, int sig)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), sig);
	CHECK_OK(tcsetpgrp(slave, pid));
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EXITED(pid, 0);
	CHECK_OK(tcsetpgrp(slave, getpgrp()));
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

TEST(pty, background_reader)
{
	master_open();
	unlock();
	SUBPROCESS {
		session_begin();
		signal(SIGTTOU, SIG_IGN);
		pid_t pid = background(body_read);
		put(master, "x\n");
		check_stopped_then_continue(pid, SIGTTIN);
		CHECK_EXITED(background(body_read_ignoring), 0);
	}
}

TEST(pty, background_writer)
{
	master_open();
	unlock();
	SUBPROCESS {
		session_begin();
		CHECK_EXITED(background(body_write), 0); /* may, without TOSTOP */
		flag_set(TOSTOP);
		pid_t pid = background(body_write);
		int status;

		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU);
		CHECK_OK(tcsetpgrp(slave, pid));
		CHECK_OK(kill(pid, SIGCONT));
		CHECK_EXITED(pid, 0);
		signal(SIGTTOU, SIG_IGN);
		CHECK_OK(tcsetpgrp(slave, getpgrp()));
		CHECK_EXITED(background(body_write_ignoring), 0);
		expect(master, "www");
	}
}

TEST(pty, background_settings)
{
	master_open();
	unlock();
	SUBPROCESS {
		session_begin();
		void (*const bodies[])(void) = { body_settings, body_foreground };

		for (unsigned i = 0; i < 2; i++) {
			signal(SIGTTOU, SIG_DFL);
			pid_t pid = background(bodies[i]);
			int status;

			CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
			CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU);
			CHECK_OK(tcsetpgrp(slave, pid));
			CHECK_OK(kill(pid, SIGCONT));
			CHECK_EXITED(pid, 0);
			signal(SIGTTOU, SIG_IGN);
			CHECK_OK(tcsetpgrp(slave, getpgrp()));
		}
	}
}

TEST(pty, foreground_group)
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

TEST(pty, false_input)
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

/* --- packet mode -------------------------------------------------------------------------- */

static void packet_on(void)
{
	int one = 1, value = 0;

	CHECK_OK(ioctl(master, TIOCPKT, &one));
	CHECK_OK(ioctl(master, TIOCGPKT, &value));
	CHECK_EQ(value, 1);
}

static void check_status(int want)
{
	char got[16];

	CHECK_EQ(read(master, got, sizeof(got)), 1);
	CHECK_EQ(got[0], want);
}

TEST(pty, packets_of_data)
{
	char got[16];

	pair_open();
	packet_on();
	put(slave, "data");
	wait_for(master, POLLIN);
	CHECK_EQ(read(master, got, 3), 3);
	CHECK_EQ(memcmp(got, "\0da", 3), 0);
	CHECK_EQ(read(master, got, sizeof(got)), 3);
	CHECK_EQ(memcmp(got, "\0ta", 3), 0);
	nonblock(master);
	CHECK_ERRNO(read(master, got, sizeof(got)), EAGAIN);
	CHECK_OK(ioctl(master, TIOCPKT, &(int){ 0 }));
	put(slave, "plain");
	wait_for(master, POLLIN);
	expect(master, "plain");
}

TEST(pty, packets_of_status)
{
	struct termios t;
	char got[16];

	pair_open();
	packet_on();
	CHECK_OK(tcflow(slave, TCOOFF));
	CHECK_EQ(poll_now(master, 0) & (POLLPRI | IN), POLLPRI | IN);
	check_status(TIOCPKT_STOP);
	CHECK_EQ(poll_now(master, 0), OUT);
	CHECK_OK(tcflow(slave, TCOON));
	check_status(TIOCPKT_START);
	CHECK_OK(tcflush(slave, TCIFLUSH));
	check_status(TIOCPKT_FLUSHREAD);
	CHECK_OK(tcflush(slave, TCOFLUSH));
	check_status(TIOCPKT_FLUSHWRITE);
	CHECK_OK(tcgetattr(slave, &t));
	t.c_iflag &= ~(tcflag_t)IXON;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	check_status(TIOCPKT_NOSTOP);
	t.c_iflag |= IXON;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	check_status(TIOCPKT_DOSTOP);
	put(slave, "x");
	CHECK_OK(tcflush(slave, TCIFLUSH));
	check_status(TIOCPKT_FLUSHREAD); /* before the data */
	CHECK_EQ(read(master, got, sizeof(got)), 2);
	CHECK_EQ(memcmp(got, "\0x", 2), 0);
}

/* --- programs ----------------------------------------------------------------------------- */

/* What an ssh server does for a login, and what it then sees. */
TEST(pty, login_session)
{
	char got[4096];
	size_t n = 0;
	ssize_t part;

	master_open();
	unlock();
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(setsid());
		slave = slave_open(O_NOCTTY);
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		for (int fd = 0; fd < 3; fd++)
			CHECK_OK(dup2(slave, fd));
		CHECK_OK(close(slave));
		execl(test_self, "pty", "--helper=session", NULL);
		_exit(127);
	}
	put(master, "typed\n");
	while ((part = read(master, got + n, sizeof(got) - 1 - n)) > 0)
		n += (size_t)part;
	CHECK_EQ(part, -1);
	CHECK_EQ(errno, EIO);
	got[n] = 0;
	CHECK_EXITED(pid, 7);
	CHECK(strstr(got, "typed\r\n"));
	CHECK(strstr(got, "on a terminal: 1\r\n"));
	CHECK(strstr(got, "got typed\r\n"));
	CHECK(strstr(got, name));
}

HELPER(session)
{
	char line[64];

	printf("on a terminal: %d\n%s\n", isatty(0), ttyname(0));
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	printf("got %s", line);
	fflush(stdout);
	return 7;
}

/* On Troupe the server that has the names is killed meanwhile; elsewhere nothing happens. */
TEST(pty, survives_the_file_server)
{
	struct stat info;
	int restart = open("/proc/sys/troupe/restart", O_WRONLY);

	pair_open();
	for (int i = 0; i < 5; i++) {
		if (restart >= 0)
			CHECK_OK(write(restart, "vfs", 3));
		put(slave, "x");
		expect(master, "x");
		CHECK_OK(stat(name, &info));
		CHECK_OK(fstat(slave, &info));
	}
	CHECK_OK(close(CHECK_OK(open(name, O_RDWR | O_NOCTTY))));
	if (restart >= 0)
		CHECK_OK(write(restart, "vfs", 3));
	CHECK_OK(close(master));
	CHECK_ERRNO(stat(name, &info), ENOENT);
}
