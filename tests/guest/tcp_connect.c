/*
 * connect() of TCP: success, refusal, the states of a connect that does not block, and addresses.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

#include <pthread.h>

TEST(tcp_connect, both_ends_know_each_other)
{
	FOR_FAMILIES(family) {
		int fd[2];

		tcp_pair(family, fd);
		CHECK_ADDRESS(local_address(fd[0]), peer_address(fd[1]));
		CHECK_ADDRESS(peer_address(fd[0]), local_address(fd[1]));
		CHECK_ADDRESS(local_address(fd[0]), loopback(family, local_port(fd[0])));
		CHECK_EQ(local_address(fd[0]).size, family == AF_INET ?
							    sizeof(struct sockaddr_in) :
							    sizeof(struct sockaddr_in6));
		CHECK_EQ(write(fd[0], "to", 2), 2);
		CHECK_EQ(write(fd[1], "fro", 3), 3);
		char got[3];
		read_all(fd[1], got, 2);
		CHECK_EQ(memcmp(got, "to", 2), 0);
		read_all(fd[0], got, 3);
		CHECK_EQ(memcmp(got, "fro", 3), 0);
	}
}

TEST(tcp_connect, refused)
{
	FOR_FAMILIES(family) {
		int nobody = socket_bound(family, SOCK_STREAM); /* bound, but does not listen */
		int fd = socket_new(family, SOCK_STREAM);

		CHECK_ERRNO(connect_to(fd, local_address(nobody)), ECONNREFUSED);
		CHECK_EQ(socket_error(fd), 0); /* connect() has already told */
	}
}

TEST(tcp_connect, again_after_a_refusal)
{
	FOR_FAMILIES(family) {
		int nobody = socket_bound(family, SOCK_STREAM),
		    fd = socket_new(family, SOCK_STREAM);
		int listener = listener_new(family, 1);

		CHECK_ERRNO(connect_to(fd, local_address(nobody)), ECONNREFUSED);
		CHECK_OK(connect_to(fd, local_address(listener)));
		CHECK_ADDRESS(peer_address(fd), local_address(listener));
	}
}

TEST(tcp_connect, only_once)
{
	int fd[2], listener = listener_new(AF_INET, 1);

	tcp_pair(AF_INET, fd);
	CHECK_ERRNO(connect_to(fd[0], local_address(listener)), EISCONN);
	CHECK_ERRNO(connect_to(fd[1], local_address(listener)), EISCONN);
	CHECK_ERRNO(connect_to(listener, local_address(listener)), EISCONN);
}

TEST(tcp_connect, nothing_goes_before_it)
{
	char byte;

	FOR_FAMILIES(family) {
		int fd = socket_new(family, SOCK_STREAM);
		struct address at = { .size = sizeof(at.in6) };

		CHECK_ERRNO(getpeername(fd, &at.any, &at.size), ENOTCONN);
		CHECK_ERRNO(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
		CHECK_ERRNO(recv(fd, &byte, 1, 0), ENOTCONN);
		CHECK_ERRNO(read(fd, &byte, 1), ENOTCONN);
		CHECK_ERRNO(shutdown(fd, SHUT_WR), ENOTCONN);
		CHECK_ADDRESS(local_address(fd), any_address(family, 0));
	}
}

TEST(tcp_connect, addresses_that_are_none)
{
	struct address at = loopback(AF_INET, 9), six = loopback(AF_INET6, 9);
	int fd = socket_new(AF_INET, SOCK_STREAM), fd6 = socket_new(AF_INET6, SOCK_STREAM);

	CHECK_ERRNO(connect(fd, &at.any, sizeof(at.in) - 1), EINVAL);
	CHECK_ERRNO(connect(fd, &at.any, 1), EINVAL);
	CHECK_ERRNO(connect(fd, &at.any, -1), EINVAL);
	CHECK_ERRNO(connect(fd, &six.any, six.size), EAFNOSUPPORT);
	CHECK_ERRNO(connect(fd6, &six.any, 20), EINVAL);
	at.any.sa_family = AF_UNIX;
	CHECK_ERRNO(connect(fd, &at.any, at.size), EAFNOSUPPORT);
	at.any.sa_family = 77;
	CHECK_ERRNO(connect(fd, &at.any, at.size), EAFNOSUPPORT);
}

TEST(tcp_connect, no_route_to_broadcast_and_multicast)
{
	int fd = socket_new(AF_INET, SOCK_STREAM);

	CHECK_ERRNO(connect_to(fd, address_in(INADDR_BROADCAST, 9)), ENETUNREACH);
	CHECK_ERRNO(connect_to(fd, address_in(0xe0000001, 9)), ENETUNREACH);
}

/* To 0.0.0.0 and :: means to this machine. */
TEST(tcp_connect, to_the_any_address)
{
	FOR_FAMILIES(family) {
		int listener = listener_new(family, 1), fd = socket_new(family, SOCK_STREAM);

		CHECK_OK(connect_to(fd, any_address(family, local_port(listener))));
		CHECK_ADDRESS(peer_address(fd), local_address(listener));
	}
}

/* All of 127.0.0.0/8 is this machine. */
TEST(tcp_connect, to_another_loopback_address)
{
	int listener = socket_new(AF_INET, SOCK_STREAM), fd = socket_new(AF_INET, SOCK_STREAM);

	CHECK_OK(bind_to(listener, address_in(0x7f010203, 0)));
	CHECK_OK(listen(listener, 1));
	CHECK_OK(connect_to(fd, address_in(0x7f010203, local_port(listener))));
	int accepted = CHECK_OK(accept(listener, NULL, NULL));
	CHECK_ADDRESS(local_address(accepted), local_address(listener));
	CHECK_ERRNO(connect_to(socket_new(AF_INET, SOCK_STREAM),
			       loopback(AF_INET, local_port(listener))), ECONNREFUSED);
}

TEST(tcp_connect, from_where_it_is_bound)
{
	FOR_FAMILIES(family) {
		int listener = listener_new(family, 1), fd = socket_bound(family, SOCK_STREAM);
		struct address bound = local_address(fd);

		CHECK_OK(connect_to(fd, local_address(listener)));
		CHECK_ADDRESS(local_address(fd), bound);
		CHECK_ADDRESS(peer_address(CHECK_OK(accept(listener, NULL, NULL))), bound);
	}
}

TEST(tcp_connect, each_gets_its_own_port)
{
	enum { COUNT = 20 };
	int listener = listener_new(AF_INET, COUNT), ports[COUNT];

	for (int i = 0; i < COUNT; i++) {
		ports[i] = local_port(connected_to(listener));
		CHECK_GE(ports[i], 1024);
		for (int j = 0; j < i; j++)
			CHECK_NE(ports[i], ports[j]);
	}
}

TEST(tcp_connect, nonblocking)
{
	FOR_FAMILIES(family) {
		int listener = listener_new(family, 1);
		int fd = socket_new(family, SOCK_STREAM | SOCK_NONBLOCK);

		CHECK_ERRNO(connect_to(fd, local_address(listener)), EINPROGRESS);
		CHECK_EQ(poll_for(fd, POLLOUT), POLLOUT);
		CHECK_EQ(socket_error(fd), 0);
		/* The next one tells that it has worked, and only the one after it complains. */
		CHECK_EQ(connect_to(fd, local_address(listener)), 0);
		CHECK_ERRNO(connect_to(fd, local_address(listener)), EISCONN);
		CHECK_EQ(write(fd, "x", 1), 1);
		char byte;
		CHECK_EQ(read(CHECK_OK(accept(listener, NULL, NULL)), &byte, 1), 1);
	}
}

TEST(tcp_connect, nonblocking_refused)
{
	FOR_FAMILIES(family) {
		int nobody = socket_bound(family, SOCK_STREAM);
		int fd = socket_new(family, SOCK_STREAM | SOCK_NONBLOCK);

		CHECK_ERRNO(connect_to(fd, local_address(nobody)), EINPROGRESS);
		CHECK_EQ(poll_for(fd, POLLOUT), POLLOUT | POLLERR | POLLHUP);
		CHECK_EQ(socket_error(fd), ECONNREFUSED);
		CHECK_EQ(socket_error(fd), 0);
		/* The same, asked by another connect(). */
		fd = socket_new(family, SOCK_STREAM | SOCK_NONBLOCK);
		CHECK_ERRNO(connect_to(fd, local_address(nobody)), EINPROGRESS);
		poll_for(fd, POLLOUT);
		CHECK_ERRNO(connect_to(fd, local_address(nobody)), ECONNREFUSED);
	}
}

/* A listener whose queue is full, so that the next connect() does not come to an end. */
static int full_listener(int family)
{
	int listener = listener_new(family, 0);

	connected_to(listener);
	return listener;
}

TEST(tcp_connect, in_progress)
{
	FOR_FAMILIES(family) {
		int listener = full_listener(family);
		int fd = socket_new(family, SOCK_STREAM | SOCK_NONBLOCK);
		struct address at = { .size = sizeof(at.in6) };

		CHECK_ERRNO(connect_to(fd, local_address(listener)), EINPROGRESS);
		CHECK_ERRNO(connect_to(fd, local_address(listener)), EALREADY);
		CHECK_EQ(events_now(fd, POLLIN | POLLOUT), 0);
		CHECK_ERRNO(send(fd, "x", 1, MSG_NOSIGNAL), EAGAIN);
		CHECK_ERRNO(recv(fd, &at, 1, 0), EAGAIN);
		CHECK_ERRNO(getpeername(fd, &at.any, &at.size), ENOTCONN);
		CHECK_EQ(socket_error(fd), 0);
		CHECK_NE(local_port(fd), 0);
	}
}

/* The connection is made once there is room; a lost request is sent again after a second. */
TEST(tcp_connect, waits_for_room_in_the_queue)
{
	int listener = full_listener(AF_INET);
	struct address at = local_address(listener);
	pid_t pid = FORK();

	if (pid == 0) {
		int fd = socket_new(AF_INET, SOCK_STREAM);

		CHECK_OK(close(listener));
		CHECK_OK(connect_to(fd, at));
		CHECK_EQ(write(fd, "x", 1), 1);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(accept(listener, NULL, NULL));
	int fd = CHECK_OK(accept(listener, NULL, NULL));
	char byte;
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_EXITED(pid, 0);
}

static void ignore(int sig)
{
	(void)sig;
}

TEST(tcp_connect, interrupted)
{
	int listener = full_listener(AF_INET), fd = socket_new(AF_INET, SOCK_STREAM);

	handler_set(SIGALRM, ignore, 0);
	alarm_pump_start();
	CHECK_ERRNO(connect_to(fd, local_address(listener)), EINTR);
	alarm_pump_stop();
	/* It goes on without us. */
	nonblocking_set(fd, 1);
	CHECK_ERRNO(connect_to(fd, local_address(listener)), EALREADY);
}

TEST(tcp_connect, times_out)
{
	int listener = full_listener(AF_INET), fd = socket_new(AF_INET, SOCK_STREAM);

	timeout_set(fd, SO_SNDTIMEO, 50);
	CHECK_ERRNO(connect_to(fd, local_address(listener)), EINPROGRESS);
}

TEST(tcp_connect, given_up_by_closing)
{
	int listener = full_listener(AF_INET);

	for (int i = 0; i < 20; i++) {
		int fd = socket_new(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);

		CHECK_ERRNO(connect_to(fd, local_address(listener)), EINPROGRESS);
		CHECK_OK(close(fd));
	}
	CHECK_OK(accept(listener, NULL, NULL));
}

TEST(tcp_connect, ipv4_through_ipv6)
{
	int listener = listener_new(AF_INET, 1), fd = socket_new(AF_INET6, SOCK_STREAM);

	CHECK_OK(connect_to(fd, mapped_loopback(local_port(listener))));
	CHECK_ADDRESS(peer_address(fd), mapped_loopback(local_port(listener)));
	CHECK_ADDRESS(local_address(fd), mapped_loopback(local_port(fd)));
	int accepted = CHECK_OK(accept(listener, NULL, NULL));
	CHECK_ADDRESS(peer_address(accepted), loopback(AF_INET, local_port(fd)));
	CHECK_EQ(write(accepted, "x", 1), 1);
	char byte;
	CHECK_EQ(read(fd, &byte, 1), 1);
}

TEST(tcp_connect, ipv4_through_ipv6_only)
{
	int listener = listener_new(AF_INET, 1), fd = socket_new(AF_INET6, SOCK_STREAM);

	CHECK_OK(option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	CHECK_ERRNO(connect_to(fd, mapped_loopback(local_port(listener))), ENETUNREACH);
}

TEST(tcp_connect, many_at_once)
{
	enum { COUNT = 60 };
	int listener = listener_new(AF_INET6, COUNT), clients[COUNT];

	for (int i = 0; i < COUNT; i++) {
		clients[i] = connected_to(listener);
		CHECK_EQ(write(clients[i], &i, sizeof(i)), sizeof(i));
	}
	for (int i = 0; i < COUNT; i++) {
		int fd = CHECK_OK(accept(listener, NULL, NULL)), number;

		read_all(fd, &number, sizeof(number));
		CHECK_ADDRESS(peer_address(fd), local_address(clients[number]));
		write_all(fd, &number, sizeof(number));
		CHECK_OK(close(fd));
	}
	for (int i = 0; i < COUNT; i++) {
		int number;

		read_all(clients[i], &number, sizeof(number));
		CHECK_EQ(number, i);
		CHECK_EQ(read(clients[i], &number, 1), 0);
	}
}

/* Open, use, close, over and over: nothing runs out. */
TEST(tcp_connect, again_and_again)
{
	int listener = listener_new(AF_INET, 5);

	for (int i = 0; i < 300; i++) {
		int fd = connected_to(listener), accepted = CHECK_OK(accept(listener, NULL, NULL));
		char byte;

		CHECK_LT(accepted, 10);
		CHECK_EQ(write(fd, "x", 1), 1);
		CHECK_OK(close(fd));
		CHECK_EQ(read(accepted, &byte, 1), 1);
		CHECK_EQ(read(accepted, &byte, 1), 0);
		CHECK_OK(close(accepted));
	}
}
