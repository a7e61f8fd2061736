/*
 * Sockets that do not block: however that was asked for, each call says EAGAIN or does a part.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

#include <sys/ioctl.h>
#include <sys/uio.h>

static char block[1 << 16], got[1 << 16];

TEST(socket_nonblock, four_ways_to_ask)
{
	int fd = CHECK_OK(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)), on = 1, off = 0;

	CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_OK(bind_to(fd, loopback(AF_INET, 0)));
	CHECK_ERRNO(read(fd, got, 1), EAGAIN);
	CHECK_OK(fcntl(fd, F_SETFL, 0));
	CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR);
	CHECK_OK(ioctl(fd, FIONBIO, &on));
	CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_ERRNO(recv(fd, got, 1, 0), EAGAIN);
	CHECK_OK(ioctl(fd, FIONBIO, &off));
	CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR);
	CHECK_ERRNO(recv(fd, got, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(socket_nonblock, belongs_to_the_open_socket)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	int copy = CHECK_OK(dup(fd[0]));
	SUBPROCESS {
		nonblocking_set(fd[0], 1);
	}
	CHECK_ERRNO(read(copy, got, 1), EAGAIN);
	CHECK_EQ(fcntl(fd[1], F_GETFL) & O_NONBLOCK, 0);
}

TEST(socket_nonblock, all_calls_that_read)
{
	FOR_FAMILIES(family)
		for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
			struct iovec vector[2] = { { got, 1 }, { got, 1 } };
			struct msghdr header = { .msg_iov = vector, .msg_iovlen = 2 };
			int fd[2];

			if (type == SOCK_STREAM)
				tcp_pair(family, fd);
			else
				udp_pair(family, fd);
			nonblocking_set(fd[0], 1);
			CHECK_ERRNO(read(fd[0], got, 1), EAGAIN);
			CHECK_ERRNO(readv(fd[0], vector, 2), EAGAIN);
			CHECK_ERRNO(recv(fd[0], got, 1, 0), EAGAIN);
			CHECK_ERRNO(recv(fd[0], got, 1, MSG_PEEK), EAGAIN);
			CHECK_ERRNO(recv(fd[0], got, 1, MSG_WAITALL), EAGAIN);
			CHECK_ERRNO(recvfrom(fd[0], got, 1, 0, NULL, NULL), EAGAIN);
			CHECK_ERRNO(recvmsg(fd[0], &header, 0), EAGAIN);
			CHECK_EQ(write(fd[1], "x", 1), 1);
			poll_for(fd[0], POLLIN);
			CHECK_EQ(recvmsg(fd[0], &header, 0), 1);
		}
}

TEST(socket_nonblock, all_calls_that_write)
{
	struct iovec vector[2] = { { block, 10 }, { block, 10 } };
	struct msghdr header = { .msg_iov = vector, .msg_iovlen = 2 };
	int fd[2];

	tcp_pair(AF_INET, fd);
	fill_up(fd);
	CHECK_ERRNO(write(fd[0], block, 1), EAGAIN);
	CHECK_ERRNO(writev(fd[0], vector, 2), EAGAIN);
	CHECK_ERRNO(send(fd[0], block, 1, 0), EAGAIN);
	CHECK_ERRNO(sendmsg(fd[0], &header, 0), EAGAIN);
	nonblocking_set(fd[0], 0);
	CHECK_ERRNO(send(fd[0], block, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_ERRNO(sendmsg(fd[0], &header, MSG_DONTWAIT), EAGAIN);
}

/* What does not fit is not sent, and the count says so. */
TEST(socket_nonblock, a_part_of_a_write)
{
	enum { SIZE = 32 << 20 };
	char *big = map_anonymous(SIZE);
	int fd[2];

	tcp_pair(AF_INET, fd);
	nonblocking_set(fd[0], 1);
	ssize_t sent = CHECK_OK(write(fd[0], big, SIZE));
	CHECK_GT(sent, 0);
	CHECK_LT(sent, SIZE);
	CHECK_OK(shutdown(fd[0], SHUT_WR));
	ssize_t size, taken = 0;
	while ((size = CHECK_OK(read(fd[1], got, sizeof(got)))) > 0)
		taken += size;
	CHECK_EQ(taken, sent);
}

TEST(socket_nonblock, a_megabyte_through_two_ends)
{
	enum { SIZE = 1 << 20 };
	unsigned char *out = map_anonymous(SIZE), *in = map_anonymous(SIZE);
	size_t sent = 0, taken = 0;
	int fd[2];

	tcp_pair(AF_INET6, fd);
	pattern_fill(out, SIZE, 6);
	nonblocking_set(fd[0], 1);
	nonblocking_set(fd[1], 1);
	while (taken < SIZE) {
		struct pollfd set[2] = { { fd[0], sent < SIZE ? POLLOUT : 0, 0 },
					 { fd[1], POLLIN, 0 } };

		CHECK_GT(poll(set, 2, 5000), 0);
		if (set[0].revents)
			sent += CHECK_OK(write(fd[0], out + sent, SIZE - sent));
		if (set[1].revents)
			taken += CHECK_OK(read(fd[1], in + taken, SIZE - taken));
	}
	CHECK_EQ(memcmp(in, out, SIZE), 0);
}

TEST(socket_nonblock, end_of_file_is_no_eagain)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	nonblocking_set(fd[1], 1);
	CHECK_ERRNO(read(fd[1], got, 1), EAGAIN);
	CHECK_OK(close(fd[0]));
	poll_for(fd[1], POLLIN);
	CHECK_EQ(read(fd[1], got, 1), 0);
}

TEST(socket_nonblock, changed_while_somebody_waits)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_EQ(read(fd[0], got, 10), 1); /* began to wait, and goes on with it */
		CHECK_ERRNO(read(fd[0], got, 10), EAGAIN);
		_exit(0);
	}
	wait_until_blocked(pid);
	nonblocking_set(fd[0], 1);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_EXITED(pid, 0);
}
