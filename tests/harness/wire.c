/*
 * What a program in the guest sees of a connection whose other end is the harness (wire.py).
 *
 *	wire connect|read|close|udp ADDRESS PORT [NAME=VALUE...]
 *
 * prints one line: what the call gave and how many milliseconds it took. Values: syncnt,
 * user_timeout (ms), keep (seconds, for idle time, interval; two probes), linger (seconds),
 * recverr, nonblock, bytes (to be written before), then (milliseconds: the call is interrupted by
 * a signal).
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h>	/* (needs struct timespec) */

static char block[65536];
static int words;
static char **word;

static long option(const char *name, long otherwise)
{
	size_t size = strlen(name);

	for (int i = 0; i < words; i++) {
		if (!strncmp(word[i], name, size) && word[i][size] == '=')
			return atol(word[i] + size + 1);
	}
	return otherwise;
}

static long milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static const char *name_of(int error)
{
	static const struct { int error; const char *name;
	} names[] = {
		{ 0, "0" },
		{ ECONNREFUSED, "ECONNREFUSED" },
		{ EHOSTUNREACH, "EHOSTUNREACH" },
		{ ENETUNREACH, "ENETUNREACH" },
		{ ETIMEDOUT, "ETIMEDOUT" },
		{ ECONNRESET, "ECONNRESET" },
		{ EPIPE, "EPIPE" },
		{ EAGAIN, "EAGAIN" },
		{ EINPROGRESS, "EINPROGRESS" },
		{ ENOPROTOOPT, "ENOPROTOOPT" },
		{ EPROTO, "EPROTO" },
		{ EINTR, "EINTR" },
		{ EMSGSIZE, "EMSGSIZE" },
	};
	static char number[16];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (names[i].error == error)
			return names[i].name;
	}
	snprintf(number, sizeof number, "%d", error);
	return number;
}

static void say(long result, long began)
{
	printf("%s %ld\n",
	       result < 0 ? name_of(errno) :
	       result     ? "data" :
			    "0",
	       milliseconds() - began);
}

static void set(int fd, int level, int name, long value)
{
	int n = (int)value;

	if (value >= 0 && setsockopt(fd, level, name, &n, sizeof n))
		perror("setsockopt");
}

static void options_set(int fd)
{
	struct linger linger = { 1, (int)option("linger", -1) };

	set(fd, IPPROTO_TCP, TCP_SYNCNT, option("syncnt", -1));
	set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, option("user_timeout", -1));
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, option("keep", -1));
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, option("keep", -1));
	if (option("keep", 0)) {
		set(fd, IPPROTO_TCP, TCP_KEEPCNT, 2);
		set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	}
	set(fd, IPPROTO_IP, 11 /* IP_RECVERR */, option("recverr", -1));
	if (linger.l_linger >= 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static int pending(int fd)
{
	int error = -1;
	socklen_t size = sizeof error;

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	return error;
}

/* Non-blocking: EINPROGRESS, then what poll shows, and the error. */
static void connect_later(int fd, const struct sockaddr_in *to, long began)
{
	struct pollfd p = { fd, POLLOUT, 0 };
	int r = connect(fd, (const struct sockaddr *)to, sizeof *to);

	printf("%s ", r ? name_of(errno) : "0");
	poll(&p, 1, 30000);
	printf("%x ", p.revents);
	errno = pending(fd);
	say(errno ? -1 : 0, began);
}

static void queue_show(int fd)
{
	char control[512];
	struct iovec v = { block, sizeof block };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof control };
	long n = recvmsg(fd, &m, MSG_ERRQUEUE);

	for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		struct sock_extended_err e;

		memcpy(&e, CMSG_DATA(c), sizeof e);
		printf("%s origin %d type %d code %d, %ld bytes ", name_of((int)e.ee_errno),
		       e.ee_origin, e.ee_type, e.ee_code, n);
	}
}

static void udp(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct pollfd p = { fd, POLLIN, 0 };
	long began = milliseconds();

	options_set(fd);
	if (connect(fd, (const struct sockaddr *)to, sizeof *to) || send(fd, "ping", 4, 0) != 4) {
		say(-1, began);
		return;
	}
	poll(&p, 1, 5000);
	printf("%x ", p.revents);
	if (option("recverr", 0))
		queue_show(fd);
	say(recv(fd, block, sizeof block, MSG_DONTWAIT), began);
}

static void nothing(int number)
{
	(void)number;
}

static void interrupt_after(long ms)
{
	struct itimerval t = { .it_value = { ms / 1000, ms % 1000 * 1000 } };
	struct sigaction a = { .sa_handler = nothing };

	sigaction(SIGALRM, &a, NULL);
	if (ms)
		setitimer(ITIMER_REAL, &t, NULL);
}

static void tcp(const char *action, const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | (option("nonblock", 0) ? SOCK_NONBLOCK : 0), 0);
	long began = milliseconds(), bytes = option("bytes", 0);
	int r;

	options_set(fd);
	if (option("nonblock", 0)) {
		connect_later(fd, to, began);
		return;
	}
	r = connect(fd, (const struct sockaddr *)to, sizeof *to);
	if (r || !strcmp(action, "connect")) {
		say(r, began);
		return;
	}
	while (bytes > 0)
		bytes -= write(fd, block,
			       (size_t)bytes < sizeof block ? (size_t)bytes : sizeof block);
	interrupt_after(option("then", 0));
	began = milliseconds();
	if (!strcmp(action, "close"))
		say(close(fd), began);
	else
		say(read(fd, block, sizeof block), began);
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };

	if (argc < 4)
		return 2;
	words = argc - 4;
	word = argv + 4;
	to.sin_port = htons((unsigned short)atoi(argv[3]));
	inet_pton(AF_INET, argv[2], &to.sin_addr);
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(argv[1], "udp"))
		udp(&to);
	else
		tcp(argv[1], &to);
	return 0;
}
