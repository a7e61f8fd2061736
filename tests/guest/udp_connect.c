/*
 * UDP sockets with a peer: who may send, and how they learn that nobody listens.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

static char got[100];

TEST(udp_connect, peers)
{
	FOR_FAMILIES(family) {
		int fd[2];

		udp_pair(family, fd);
		CHECK_ADDRESS(peer_address(fd[0]), local_address(fd[1]));
		CHECK_EQ(send(fd[0], "abc", 3, 0), 3);
		CHECK_EQ(write(fd[0], "defg", 4), 4);
		CHECK_EQ(read(fd[1], got, 100), 3);
		CHECK_EQ(recv(fd[1], got, 100, 0), 4);
		CHECK_EQ(memcmp(got, "defg", 4), 0);
	}
}

TEST(udp_connect, others_are_not_heard)
{
	int fd[2], other = socket_new(AF_INET, SOCK_DGRAM);

	udp_pair(AF_INET, fd);
	CHECK_EQ(send_to(other, "other", 5, local_address(fd[0])), 5);
	CHECK_EQ(send(fd[1], "peer", 4, 0), 4);
	CHECK_EQ(recv(fd[0], got, 100, 0), 4);
	CHECK_ERRNO(recv(fd[0], got, 100, MSG_DONTWAIT), EAGAIN);
}

TEST(udp_connect, gives_an_address)
{
	FOR_FAMILIES(family) {
		int fd = socket_new(family, SOCK_DGRAM), to = socket_bound(family, SOCK_DGRAM);

		CHECK_OK(connect_to(fd, local_address(to)));
		CHECK_ADDRESS(local_address(fd), loopback(family, local_port(fd)));
		CHECK_NE(local_port(fd), 0);
	}
}

TEST(udp_connect, to_another)
{
	int fd[2], other = socket_bound(AF_INET, SOCK_DGRAM);

	udp_pair(AF_INET, fd);
	CHECK_OK(connect_to(fd[0], local_address(other)));
	CHECK_EQ(send(fd[0], "x", 1, 0), 1);
	CHECK_EQ(recv(other, got, 1, 0), 1);
	CHECK_ERRNO(recv(fd[1], got, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(udp_connect, undone)
{
	struct address none = { .size = sizeof(none.in) };

	FOR_FAMILIES(family) {
		int fd[2], other = socket_new(family, SOCK_DGRAM);

		none.size = sizeof(none.in6);
		udp_pair(family, fd);
		none.any.sa_family = AF_UNSPEC;
		CHECK_OK(connect_to(fd[0], none));
		CHECK_ERRNO(getpeername(fd[0], &none.any, &none.size), ENOTCONN);
		CHECK_ERRNO(send(fd[0], "x", 1, 0), EDESTADDRREQ);
		CHECK_EQ(send_to(other, "x", 1, local_address(fd[0])), 1);
		CHECK_EQ(recv(fd[0], got, 1, 0), 1);
	}
}

TEST(udp_connect, others_can_still_be_sent_to)
{
	int fd[2], other = socket_bound(AF_INET, SOCK_DGRAM);

	udp_pair(AF_INET, fd);
	CHECK_EQ(send_to(fd[0], "xy", 2, local_address(other)), 2);
	CHECK_EQ(recv(other, got, 10, 0), 2);
	CHECK_ADDRESS(peer_address(fd[0]), local_address(fd[1]));
}

/* A socket connected to a port where nobody is. */
static int lonely(int family)
{
	int nobody = socket_bound(family, SOCK_DGRAM), fd = socket_new(family, SOCK_DGRAM);

	CHECK_OK(connect_to(fd, local_address(nobody)));
	CHECK_OK(close(nobody));
	return fd;
}

TEST(udp_connect, refused)
{
	FOR_FAMILIES(family) {
		int fd = lonely(family);

		CHECK_EQ(send(fd, "x", 1, 0), 1);
		CHECK_ERRNO(recv(fd, got, 1, 0), ECONNREFUSED);
		CHECK_ERRNO(recv(fd, got, 1, MSG_DONTWAIT), EAGAIN);
		/* The next one to send is told, too, and has not sent. */
		CHECK_EQ(send(fd, "x", 1, 0), 1);
		poll_for(fd, 0);
		CHECK_ERRNO(send(fd, "x", 1, 0), ECONNREFUSED);
		CHECK_EQ(events_now(fd, POLLIN | POLLOUT), POLLOUT);
		CHECK_EQ(send(fd, "x", 1, 0), 1);
		CHECK_ERRNO(read(fd, got, 1), ECONNREFUSED);
	}
}

TEST(udp_connect, refused_says_poll)
{
	FOR_FAMILIES(family) {
		int fd = lonely(family);

		CHECK_EQ(events_now(fd, POLLIN | POLLOUT), POLLOUT);
		CHECK_EQ(send(fd, "x", 1, 0), 1);
		CHECK_EQ(poll_for(fd, POLLIN) & POLLERR, POLLERR);
		CHECK_EQ(socket_error(fd), ECONNREFUSED);
		CHECK_EQ(socket_error(fd), 0);
		CHECK_EQ(events_now(fd, POLLIN | POLLOUT), POLLOUT);
	}
}

TEST(udp_connect, refused_wakes_the_receiver)
{
	int fd = lonely(AF_INET);
	pid_t pid = FORK();

	if (pid == 0) {
		CHECK_ERRNO(recv(fd, got, 1, 0), ECONNREFUSED);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_EQ(send(fd, "x", 1, 0), 1);
	CHECK_EXITED(pid, 0);
}

TEST(udp_connect, peer_that_comes_back)
{
	int a = socket_bound(AF_INET, SOCK_DGRAM), b = socket_bound(AF_INET, SOCK_DGRAM);
	struct address at = local_address(b);

	CHECK_OK(connect_to(a, at));
	CHECK_OK(close(b));
	CHECK_EQ(send(a, "x", 1, 0), 1);
	CHECK_ERRNO(recv(a, got, 1, 0), ECONNREFUSED);
	b = socket_new(AF_INET, SOCK_DGRAM);
	CHECK_OK(bind_to(b, at));
	CHECK_EQ(send(a, "y", 1, 0), 1);
	CHECK_EQ(recv(b, got, 1, 0), 1);
	CHECK_EQ(got[0], 'y');
}

TEST(udp_connect, shutdown)
{
	int fd[2], single = socket_bound(AF_INET, SOCK_DGRAM);

	CHECK_ERRNO(shutdown(single, SHUT_WR), ENOTCONN);
	udp_pair(AF_INET, fd);
	CHECK_OK(shutdown(fd[0], SHUT_WR));
	CHECK_ERRNO(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(send(fd[1], "x", 1, 0), 1);
	CHECK_EQ(recv(fd[0], got, 1, 0), 1);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_EQ(recv(fd[1], got, 1, 0), 0);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(shutdown(fd[1], SHUT_RD));
	CHECK_EXITED(pid, 0);
}

TEST(udp_connect, addresses_that_are_none)
{
	struct address at = loopback(AF_INET, 9), six = loopback(AF_INET6, 9);
	int fd = socket_new(AF_INET, SOCK_DGRAM), fd6 = socket_new(AF_INET6, SOCK_DGRAM);

	CHECK_ERRNO(connect(fd, &at.any, 15), EINVAL);
	CHECK_ERRNO(connect(fd, &at.any, 1), EINVAL);
	CHECK_ERRNO(connect(fd6, &six.any, 20), EINVAL);
	CHECK_ERRNO(connect_to(fd, six), EAFNOSUPPORT);
	CHECK_ERRNO(getpeername(fd, &at.any, &at.size), ENOTCONN);
}
