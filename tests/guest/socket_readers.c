/*
 * Several threads that read one stream, each in its own way: every byte comes to one of them, once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

#include <pthread.h>

enum { TOTAL = 1 << 20, PIECE = 700 };

struct reader {
	int fd;
	ssize_t (*read_some)(int fd, void *to, size_t size);
	uint64_t seen[256];	/* how often each byte */
};

static ssize_t plainly(int fd, void *to, size_t size)
{
	return read(fd, to, size);
}

static ssize_t as_message(int fd, void *to, size_t size)
{
	struct iovec part[2] = { { to, size / 2 }, { (char *)to + size / 2, size - size / 2 } };
	struct msghdr message = { .msg_iov = part, .msg_iovlen = 2 };

	return recvmsg(fd, &message, 0);
}

static ssize_t all_of_it(int fd, void *to, size_t size)
{
	return recv(fd, to, size, MSG_WAITALL);
}

static ssize_t after_a_look(int fd, void *to, size_t size)
{
	ssize_t there = recv(fd, to, size, MSG_PEEK);

	return there > 0 ? recv(fd, to, (size_t)there, 0) : there;
}

static void *read_to_end(void *arg)
{
	struct reader *r = arg;
	unsigned char piece[PIECE];
	ssize_t got;

	while ((got = CHECK_OK(r->read_some(r->fd, piece, sizeof(piece)))) > 0) {
		for (ssize_t i = 0; i < got; i++)
			r->seen[piece[i]]++;
	}
	return NULL;
}

/* Bytes in no order that repeats; counted in seen as they go. */
static void write_counted(int fd, uint64_t seen[256])
{
	unsigned char piece[800];

	for (int at = 0, n = 1; at < TOTAL; at += n) {
		n = 1 + n * 577 % (int)sizeof(piece);
		n = n < TOTAL - at ? n : TOTAL - at;
		pattern_fill(piece, (size_t)n, (uint32_t)at);
		for (int i = 0; i < n; i++)
			seen[piece[i]]++;
		write_all(fd, piece, (size_t)n);
	}
	CHECK_OK(shutdown(fd, SHUT_WR));
}

static void check_readers(const int fd[2], ssize_t (*other)(int fd, void *to, size_t size))
{
	static struct reader reader[2];
	uint64_t sent[256] = { 0 };
	pthread_t thread[2];

	for (int i = 0; i < 2; i++) {
		reader[i] = (struct reader){ .fd = fd[0], .read_some = i ? other : plainly };
		CHECK_EQ(pthread_create(&thread[i], NULL, read_to_end, &reader[i]), 0);
	}
	write_counted(fd[1], sent);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	for (int i = 0; i < 256; i++)
		CHECK_EQ(reader[0].seen[i] + reader[1].seen[i], sent[i]);
	CHECK_OK(close(fd[0]));
	CHECK_OK(close(fd[1]));
}

static void check_tcp(ssize_t (*other)(int fd, void *to, size_t size))
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	check_readers(fd, other);
}

static void check_unix(ssize_t (*other)(int fd, void *to, size_t size))
{
	int fd[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	check_readers(fd, other);
}

TEST(socket_readers, tcp_read_and_recvmsg)
{
	check_tcp(as_message);
}

TEST(socket_readers, tcp_read_and_waitall)
{
	check_tcp(all_of_it);
}

TEST(socket_readers, tcp_read_and_peek)
{
	check_tcp(after_a_look);
}

TEST(socket_readers, unix_read_and_recvmsg)
{
	check_unix(as_message);
}

TEST(socket_readers, unix_read_and_waitall)
{
	check_unix(all_of_it);
}

TEST(socket_readers, unix_read_and_peek)
{
	check_unix(after_a_look);
}
