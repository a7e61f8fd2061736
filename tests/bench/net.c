/*
 * Sockets: see net.h. Partners over loopback are processes, as servers and their clients are.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "bench.h"
#include "net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024 };
static char chunk[CHUNK] __attribute__((aligned(4096)));

static void read_all(int fd, long size)
{
	while (size > 0) {
		ssize_t got = read(fd, chunk, size < CHUNK ? size : CHUNK);

		if (got <= 0)
			die("read");
		size -= got;
	}
}

/* Until the end of the stream; how many bytes that were. */
static long drain(int fd, long step)
{
	ssize_t got;
	long taken = 0;

	while ((got = MUST(read(fd, chunk, step))) > 0)
		taken += got;
	return taken;
}

static void write_all(int fd, long size, long step)
{
	while (size > 0) {
		ssize_t done = write(fd, chunk, size < step ? size : step);

		if (done <= 0)
			die("write");
		size -= done;
	}
}

/* --- pairs ------------------------------------------------------------------------------ */

static struct sockaddr_in loopback = { .sin_family = AF_INET };

static int bound_socket(int type, struct sockaddr_in *at)
{
	int fd = MUST(socket(AF_INET, type, 0));
	socklen_t size = sizeof(*at);

	loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST(bind(fd, (void *)&loopback, sizeof(loopback)));
	MUST(getsockname(fd, (void *)at, &size));
	return fd;
}

static void tcp_pair(int fd[2])
{
	struct sockaddr_in at;
	int listener = bound_socket(SOCK_STREAM, &at), one = 1;

	MUST(listen(listener, 1));
	fd[0] = MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(fd[0], (void *)&at, sizeof(at)));
	fd[1] = MUST(accept(listener, NULL, NULL));
	for (int i = 0; i < 2; i++)
		MUST(setsockopt(fd[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
	close(listener);
}

static void udp_pair(int fd[2])
{
	struct sockaddr_in at[2];

	for (int i = 0; i < 2; i++)
		fd[i] = bound_socket(SOCK_DGRAM, &at[i]);
	for (int i = 0; i < 2; i++)
		MUST(connect(fd[i], (void *)&at[!i], sizeof(at[0])));
}

/* --- rows ------------------------------------------------------------------------------- */

static int64_t pingpong(int fd[2], long count, long size)
{
	pid_t pid = MUST(fork());

	if (pid == 0) {
		close(fd[0]);
		for (long i = 0; i < count; i++) {
			read_all(fd[1], size);
			write_all(fd[1], size, size);
		}
		_exit(0);
	}
	close(fd[1]);
	int64_t start = now();
	for (long i = 0; i < count; i++) {
		write_all(fd[0], size, size);
		read_all(fd[0], size);
	}
	int64_t time = now() - start;
	close(fd[0]);
	child_reap(pid);
	return time;
}

int64_t net_tcp_pingpong(long count, long size)
{
	int fd[2];

	tcp_pair(fd);
	return pingpong(fd, count, size);
}

int64_t net_udp_pingpong(long count, long size)
{
	int fd[2];

	udp_pair(fd);
	return pingpong(fd, count, size);
}

int64_t net_unix_pingpong(long count, long size)
{
	int fd[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	return pingpong(fd, count, size);
}

/* A client that connects, and reads until the server, which has accepted, closes. */
int64_t net_tcp_connect(long count, long unused)
{
	struct sockaddr_in at;
	int listener = bound_socket(SOCK_STREAM, &at);

	(void)unused;
	MUST(listen(listener, 16));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		for (long i = 0; i < count; i++)
			close(MUST(accept(listener, NULL, NULL)));
		_exit(0);
	}
	int64_t start = now();
	for (long i = 0; i < count; i++) {
		int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));

		MUST(connect(fd, (void *)&at, sizeof(at)));
		if (MUST(read(fd, chunk, 1)) != 0)
			die("no end of file");
		close(fd);
	}
	int64_t time = now() - start;
	close(listener);
	child_reap(pid);
	return time;
}

static int64_t stream(int fd[2], long count, long step)
{
	pid_t pid = MUST(fork());

	if (pid == 0) {
		close(fd[0]);
		write_all(fd[1], count, step);
		_exit(0);
	}
	close(fd[1]);
	int64_t start = now();
	if (drain(fd[0], step) != count)
		die("bytes are missing");
	int64_t time = now() - start;
	close(fd[0]);
	child_reap(pid);
	return time;
}

int64_t net_tcp_stream(long count, long step)
{
	int fd[2];

	tcp_pair(fd);
	return stream(fd, count, step);
}

int64_t net_unix_stream(long count, long step)
{
	int fd[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	return stream(fd, count, step);
}

/* --- the guest's end of a connection to the host ---------------------------------------- */

/* The other end measures: a byte of ours tells it that all has arrived. */
int net_peer(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int one = 1;

	if (argc != 6 || inet_pton(AF_INET, argv[3], &at.sin_addr) != 1) {
		dprintf(2, "usage: bench --peer send|receive|echo ADDRESS PORT COUNT\n");
		return 2;
	}
	at.sin_port = htons(atoi(argv[4]));
	long count = atol(argv[5]);
	int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
	MUST(connect(fd, (void *)&at, sizeof(at)));
	if (strcmp(argv[2], "send") == 0) {
		write_all(fd, count, CHUNK);
		MUST(shutdown(fd, SHUT_WR));
		read_all(fd, 1);
	} else if (strcmp(argv[2], "receive") == 0) {
		read_all(fd, count);
		write_all(fd, 1, 1);
	} else {
		for (long i = 0; i < count; i++) {
			read_all(fd, 1);
			write_all(fd, 1, 1);
		}
	}
	close(fd);
	return 0;
}
