/*
 * Bytes over TCP: order, amounts, flags of send and recv, and who waits for whom.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

static unsigned char data[1 << 20], got[1 << 20];

TEST(tcp_data, a_megabyte_each_way)
{
	FOR_FAMILIES(family) {
		int fd[2];

		tcp_pair(family, fd);
		pattern_fill(data, sizeof(data), 1);
		pid_t pid = FORK();
		if (pid == 0) {
			CHECK_OK(close(fd[0]));
			read_all(fd[1], got, sizeof(got));
			write_all(fd[1], got, sizeof(got));
			_exit(0);
		}
		CHECK_OK(close(fd[1]));
		write_all(fd[0], data, sizeof(data));
		read_all(fd[0], got, sizeof(got));
		CHECK_EQ(memcmp(data, got, sizeof(data)), 0);
		CHECK_EQ(read(fd[0], got, 1), 0);
		CHECK_EXITED(pid, 0);
	}
}

static void *writer(void *arg)
{
	write_all(*(int *)arg, data, sizeof(data));
	return NULL;
}

/* Both directions of both ends at once. */
TEST(tcp_data, full_duplex)
{
	pthread_t thread[2];
	int fd[2];

	tcp_pair(AF_INET, fd);
	pattern_fill(data, sizeof(data), 2);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, writer, &fd[i]), 0);
	/* A little from each in turn, so that neither waits for the other. */
	for (size_t done = 0; done < sizeof(data); done += 4096)
		for (int i = 0; i < 2; i++) {
			read_all(fd[i], got, 4096);
			CHECK_EQ(memcmp(got, data + done, 4096), 0);
		}
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
}

TEST(tcp_data, no_boundaries)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(write(fd[0], "0123456789", 10), 10);
	CHECK_EQ(shutdown(fd[0], SHUT_WR), 0);
	read_all(fd[1], got, 73);
	CHECK_EQ(got[72], '2');
	CHECK_EQ(recv(fd[1], got, 100, MSG_WAITALL), 27);
	CHECK_EQ(read(fd[1], got, 100), 0);
}

TEST(tcp_data, lengths_at_odds)
{
	size_t written = 0, taken = 0;
	int fd[2];

	tcp_pair(AF_INET6, fd);
	pattern_fill(data, sizeof(data), 3);
	for (size_t size = 1; size < 3000; size += 37) {
		CHECK_EQ(write(fd[0], data + written, size), size);
		written += size;
		size_t half = size / 2 + 1;
		read_all(fd[1], got + taken, half);
		taken += half;
	}
	read_all(fd[1], got + taken, written - taken);
	CHECK_EQ(memcmp(got, data, written), 0);
}

TEST(tcp_data, peek)
{
	char text[8];
	int fd[2];

	tcp_pair(AF_INET, fd);
	CHECK_EQ(write(fd[0], "abcdef", 6), 6);
	poll_for(fd[1], POLLIN);
	CHECK_EQ(recv(fd[1], text, 3, MSG_PEEK), 3);
	CHECK_EQ(memcmp(text, "abc", 3), 0);
	CHECK_EQ(recv(fd[1], text, 8, MSG_PEEK), 6);
	CHECK_EQ(memcmp(text, "abcdef", 6), 0);
	CHECK_EQ(recv(fd[1], text, 4, 0), 4);
	CHECK_EQ(recv(fd[1], text, 8, MSG_PEEK | MSG_DONTWAIT), 2);
	CHECK_EQ(read(fd[1], text, 8), 2);
	CHECK_EQ(memcmp(text, "ef", 2), 0);
	CHECK_ERRNO(recv(fd[1], text, 8, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
	CHECK_OK(close(fd[0]));
	CHECK_EQ(recv(fd[1], text, 8, MSG_PEEK), 0);
}

TEST(tcp_data, peek_waits)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	pid_t pid = FORK();
	if (pid == 0) {
		char byte;

		CHECK_EQ(recv(fd[1], &byte, 1, MSG_PEEK), 1);
		CHECK_EQ(byte, 'p');
		CHECK_EQ(recv(fd[1], &byte, 1, 0), 1);
		CHECK_EQ(byte, 'p');
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_EQ(write(fd[0], "p", 1), 1);
	CHECK_EXITED(pid, 0);
}

TEST(tcp_data, waitall)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	CHECK_EQ(write(fd[0], "0123", 4), 4);
	poll_for(fd[1], POLLIN);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(fd[0]));
		CHECK_EQ(recv(fd[1], got, 10, MSG_WAITALL), 10);
		CHECK_EQ(memcmp(got, "0123456789", 10), 0);
		/* The end of the stream ends the wait too. */
		CHECK_EQ(recv(fd[1], got, 10, MSG_WAITALL), 3);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_EQ(write(fd[0], "456", 3), 3);
	wait_until_blocked(pid);
	CHECK_EQ(write(fd[0], "789", 3), 3);
	wait_until_blocked(pid);
	CHECK_EQ(write(fd[0], "end", 3), 3);
	CHECK_OK(close(fd[0]));
	CHECK_EXITED(pid, 0);
}

/* More than any buffer holds. */
TEST(tcp_data, waitall_of_a_megabyte)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	pattern_fill(data, sizeof(data), 4);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(fd[0]));
		CHECK_EQ(recv(fd[1], got, sizeof(got), MSG_WAITALL), sizeof(got));
		CHECK_EQ(memcmp(got, data, sizeof(got)), 0);
		_exit(0);
	}
	write_all(fd[0], data, sizeof(data));
	CHECK_EXITED(pid, 0);
}

TEST(tcp_data, dontwait)
{
	int fd[2];

	FOR_FAMILIES(family) {
		tcp_pair(family, fd);
		CHECK_ERRNO(recv(fd[0], got, 1, MSG_DONTWAIT), EAGAIN);
		CHECK_ERRNO(recv(fd[0], got, 1, MSG_DONTWAIT | MSG_WAITALL), EAGAIN);
		CHECK_EQ(send(fd[1], "abc", 3, MSG_DONTWAIT), 3);
		poll_for(fd[0], POLLIN);
		CHECK_EQ(recv(fd[0], got, 10, MSG_DONTWAIT | MSG_WAITALL), 3);
		CHECK_EQ(fcntl(fd[0], F_GETFL) & O_NONBLOCK, 0);
	}
}

/* For TCP, MSG_TRUNC throws away what it would have copied. */
TEST(tcp_data, trunc_discards)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	CHECK_EQ(write(fd[0], "abcdef", 6), 6);
	poll_for(fd[1], POLLIN);
	CHECK_EQ(recv(fd[1], NULL, 4, MSG_TRUNC), 4);
	CHECK_EQ(recv(fd[1], got, 4, 0), 2);
	CHECK_EQ(memcmp(got, "ef", 2), 0);
}

TEST(tcp_data, more_to_come_comes)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	CHECK_EQ(send(fd[0], "abc", 3, MSG_MORE), 3);
	CHECK_EQ(send(fd[0], "def", 3, 0), 3);
	read_all(fd[1], got, 6);
	CHECK_EQ(memcmp(got, "abcdef", 6), 0);
}

TEST(tcp_data, nothing_is_something)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	CHECK_EQ(write(fd[0], "", 0), 0);
	CHECK_EQ(send(fd[0], "", 0, 0), 0);
	CHECK_EQ(read(fd[1], got, 0), 0);
	CHECK_EQ(events_now(fd[1], POLLIN), 0); /* which is no end of file for the other side */
}

TEST(tcp_data, sent_before_it_was_accepted)
{
	int listener = listener_new(AF_INET, 5), fd = connected_to(listener);

	CHECK_EQ(write(fd, "early", 5), 5);
	CHECK_OK(close(fd));
	fd = CHECK_OK(accept(listener, NULL, NULL));
	read_all(fd, got, 5);
	CHECK_EQ(memcmp(got, "early", 5), 0);
	CHECK_EQ(read(fd, got, 1), 0);
}

TEST(tcp_data, receivers_get_no_address)
{
	struct address at = { .size = sizeof(at.in6) };
	int fd[2];

	tcp_pair(AF_INET, fd);
	CHECK_EQ(write(fd[0], "x", 1), 1);
	CHECK_EQ(recvfrom(fd[1], got, 1, 0, &at.any, &at.size), 1);
	CHECK_EQ(at.size, 0);
}

TEST(tcp_data, reader_waits_for_the_writer)
{
	FOR_FAMILIES(family) {
		int fd[2];

		tcp_pair(family, fd);
		pid_t pid = FORK();
		if (pid == 0) {
			CHECK_EQ(read(fd[1], got, 100), 1);
			_exit(0);
		}
		wait_until_blocked(pid);
		CHECK_EQ(write(fd[0], "x", 1), 1);
		CHECK_EXITED(pid, 0);
	}
}

TEST(tcp_data, writer_waits_for_the_reader)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	long sent = fill_up(fd);
	CHECK_ERRNO(write(fd[0], "x", 1), EAGAIN);
	nonblocking_set(fd[0], 0);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(fd[1]));
		CHECK_EQ(write(fd[0], "last", 4), 4);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(close(fd[0]));
	for (long left = sent; left > 0;) {
		ssize_t size = CHECK_OK(read(fd[1], got, left < 65536 ? left : 65536));

		CHECK_GT(size, 0);
		left -= size;
	}
	read_all(fd[1], got, 4);
	CHECK_EQ(memcmp(got, "last", 4), 0);
	CHECK_EQ(read(fd[1], got, 1), 0);
	CHECK_EXITED(pid, 0);
}

/* However long the receiver sleeps, the sender's bytes take a bounded amount of memory. */
TEST(tcp_data, a_peer_that_never_reads)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	CHECK_LT(fill_up(fd), 64 << 20);
	CHECK_EQ(events_now(fd[0], POLLOUT), 0);
	/* The other direction is free. */
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_EQ(poll_for(fd[0], POLLIN | POLLOUT), POLLIN);
}

TEST(tcp_data, a_write_longer_than_all_buffers)
{
	enum { SIZE = 8 << 20 };
	unsigned char *block = map_shared(SIZE);
	int fd[2];

	tcp_pair(AF_INET, fd);
	pattern_fill(block, SIZE, 5);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(fd[1]));
		CHECK_EQ(write(fd[0], block, SIZE), SIZE);
		_exit(0);
	}
	CHECK_OK(close(fd[0]));
	for (size_t done = 0; done < SIZE; done += 65536) {
		read_all(fd[1], got, 65536);
		CHECK_EQ(memcmp(got, block + done, 65536), 0);
	}
	CHECK_EQ(read(fd[1], got, 1), 0);
	CHECK_EXITED(pid, 0);
}

/* Each byte goes to exactly one of those who read. */
TEST(tcp_data, several_readers)
{
	enum { READERS = 4, SIZE = 40000 };
	int *counts = map_shared(PAGE), fd[2];
	pid_t pid[READERS];

	tcp_pair(AF_INET, fd);
	for (int i = 0; i < READERS; i++) {
		pid[i] = FORK();
		if (pid[i] == 0) {
			ssize_t size;

			CHECK_OK(close(fd[0]));
			while ((size = CHECK_OK(read(fd[1], got, 100))) > 0)
				counts[i] += size;
			_exit(0);
		}
	}
	CHECK_OK(close(fd[1]));
	write_all(fd[0], data, SIZE);
	CHECK_OK(close(fd[0]));
	for (int i = 0; i < READERS; i++)
		CHECK_EXITED(pid[i], 0);
	CHECK_EQ(counts[0] + counts[1] + counts[2] + counts[3], SIZE);
}

/* A question, its answer, and so on: nothing may wait for a timer. */
TEST(tcp_data, small_messages_are_not_delayed)
{
	int64_t start = now_ns();
	int fd[2];

	tcp_pair(AF_INET, fd);
	CHECK_OK(option_set(fd[0], IPPROTO_TCP, TCP_NODELAY, 1));
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(fd[0]));
		while (CHECK_OK(read(fd[1], got, 1)) > 0)
			CHECK_EQ(write(fd[1], got, 1), 1);
		_exit(0);
	}
	for (int i = 0; i < 500; i++) {
		CHECK_EQ(write(fd[0], "q", 1), 1);
		CHECK_EQ(read(fd[0], got, 1), 1);
	}
	CHECK_OK(shutdown(fd[0], SHUT_WR));
	CHECK_EXITED(pid, 0);
	CHECK_LT(now_ns() - start, 10000000000LL);
}

/* Where the caller's memory ends: what fits is delivered, the rest stays for the next one. */
TEST(tcp_data, bad_memory_costs_no_bytes)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	CHECK_EQ(write(fd[0], "abcdef", 6), 6);
	poll_for(fd[1], POLLIN);
	CHECK_ERRNO(read(fd[1], BAD_UNMAPPED, 6), EFAULT);
	CHECK_ERRNO(recv(fd[1], BAD_UNMAPPED, 6, MSG_PEEK), EFAULT);
	read_all(fd[1], got, 6);
	CHECK_EQ(memcmp(got, "abcdef", 6), 0);
	CHECK_ERRNO(write(fd[0], BAD_UNMAPPED, 6), EFAULT);
	CHECK_ERRNO(recv(fd[1], got, 6, MSG_DONTWAIT), EAGAIN);
}
