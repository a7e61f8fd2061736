/*
 * Pseudo-terminals for tests: a pair, what goes in and comes out.
 *
 * Linux hands what is typed to the line discipline in a worker, so whatever looks at a slave
 * without blocking first waits for it with poll().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GUEST_PTY_PAIR_H
#define GUEST_PTY_PAIR_H

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

/* Of master_open(), pair_open() and session_begin(). */
static int master, slave __attribute__((unused));
static char name[32];

static inline void master_open(void)
{
	unsigned number;

	master = CHECK_OK(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
	CHECK_OK(ioctl(master, TIOCGPTN, &number));
	snprintf(name, sizeof(name), "/dev/pts/%u", number);
}

static inline void unlock(void)
{
	int zero = 0;

	CHECK_OK(ioctl(master, TIOCSPTLCK, &zero));
}

static inline int slave_open(int flags)
{
	return CHECK_OK(open(name, O_RDWR | flags));
}

static inline void pair_open(void)
{
	master_open();
	unlock();
	slave = slave_open(O_NOCTTY);
}

/* No processing in either direction. */
static inline void slave_raw(void)
{
	struct termios t;

	CHECK_OK(tcgetattr(slave, &t));
	cfmakeraw(&t);
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
}

static inline void flag_clear(tcflag_t lflag)
{
	struct termios t;

	CHECK_OK(tcgetattr(slave, &t));
	t.c_lflag &= ~lflag;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
}

static inline void flag_set(tcflag_t lflag)
{
	struct termios t;

	CHECK_OK(tcgetattr(slave, &t));
	t.c_lflag |= lflag;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
}

static inline void nonblock(int fd)
{
	CHECK_OK(fcntl(fd, F_SETFL, CHECK_OK(fcntl(fd, F_GETFL)) | O_NONBLOCK));
}

static inline void put(int fd, const char *text)
{
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
}

/* Exactly this comes, in however many pieces. */
static inline void expect(int fd, const char *text)
{
	char got[256] = "";
	size_t n = 0;

	while (n < strlen(text))
		n += (size_t)CHECK_OK(read(fd, got + n, strlen(text) - n));
	got[n] = 0;
	CHECK_STR(got, text);
}

static inline int poll_now(int fd, int timeout)
{
	struct pollfd p = { .fd = fd, .events = ANY };

	CHECK_OK(poll(&p, 1, timeout));
	return p.revents;
}

static inline void wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	CHECK_EQ(poll(&p, 1, 10000), 1);
}

static inline void check_quiet(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	CHECK_EQ(poll(&p, 1, 30), 0);
}

/* In the calling process: a new session whose terminal the slave is, as descriptor `slave`. */
static inline void session_begin(void)
{
	CHECK_OK(setsid());
	slave = slave_open(0);
	CHECK_EQ(tcgetpgrp(slave), getpid());
}

/* Signals that have come; note() is their handler. */
static volatile sig_atomic_t seen[65] __attribute__((unused));

static inline void note(int sig)
{
	seen[sig]++;
}

static inline void wait_signal(int sig)
{
	while (!seen[sig])
		usleep(1000);
}

#endif
