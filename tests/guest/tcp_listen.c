/*
 * bind(), listen() and accept(): which addresses may be taken, the queue, and the new descriptors.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

TEST(tcp_listen, chooses_a_port)
{
	FOR_FAMILIES(family) {
		int fd = socket_new(family, SOCK_STREAM);

		CHECK_OK(listen(fd, 1));
		CHECK_ADDRESS(local_address(fd), any_address(family, local_port(fd)));
		CHECK_GE(local_port(fd), 1024);
		int client = socket_new(family, SOCK_STREAM);
		CHECK_OK(connect_to(client, loopback(family, local_port(fd))));
		CHECK_ADDRESS(local_address(CHECK_OK(accept(fd, NULL, NULL))),
			      loopback(family, local_port(fd)));
	}
}

TEST(tcp_listen, who_may_not)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	CHECK_ERRNO(listen(fd[0], 1), EINVAL);
	CHECK_ERRNO(listen(socket_new(AF_INET, SOCK_DGRAM), 1), EOPNOTSUPP);
	CHECK_ERRNO(accept(fd[0], NULL, NULL), EINVAL);
	CHECK_ERRNO(accept(socket_new(AF_INET, SOCK_STREAM), NULL, NULL), EINVAL);
	CHECK_ERRNO(accept(socket_new(AF_INET, SOCK_DGRAM), NULL, NULL), EOPNOTSUPP);
}

TEST(tcp_listen, a_listener_is_no_connection)
{
	int fd = listener_new(AF_INET, 1);
	struct address at = { .size = sizeof(at.in6) };
	char byte;

	CHECK_ERRNO(getpeername(fd, &at.any, &at.size), ENOTCONN);
	CHECK_ERRNO(read(fd, &byte, 1), ENOTCONN);
	CHECK_ERRNO(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(option_get(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
	CHECK_EQ(option_get(socket_new(AF_INET, SOCK_STREAM), SOL_SOCKET, SO_ACCEPTCONN), 0);
}

TEST(tcp_listen, again_with_another_backlog)
{
	int fd = listener_new(AF_INET, 1);

	CHECK_OK(listen(fd, 100));
	CHECK_OK(listen(fd, -1));
	CHECK_OK(listen(fd, 0x7fffffff));
	for (int i = 0; i < 20; i++)
		connected_to(fd);
	for (int i = 0; i < 20; i++)
		CHECK_OK(accept(fd, NULL, NULL));
}

/* Beyond the backlog nobody gets in, until one is accepted. */
TEST(tcp_listen, backlog_is_a_bound)
{
	enum { COUNT = 12, BACKLOG = 3 };
	int listener = listener_new(AF_INET, BACKLOG), fd[COUNT], in = 0;

	for (int i = 0; i < COUNT; i++) {
		fd[i] = socket_new(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
		CHECK_ERRNO(connect_to(fd[i], local_address(listener)), EINPROGRESS);
		if (i < BACKLOG)
			CHECK_EQ(poll_for(fd[i], POLLOUT), POLLOUT);
	}
	for (int i = 0; i < COUNT; i++)
		in += events_now(fd[i], POLLOUT) == POLLOUT;
	CHECK_GE(in, BACKLOG);
	CHECK_LE(in, BACKLOG + 2);
	for (int i = 0; i < in; i++)
		CHECK_OK(accept(listener, NULL, NULL));
}

TEST(tcp_listen, first_come_first_served)
{
	int listener = listener_new(AF_INET, 10), fd[10];

	for (int i = 0; i < 10; i++)
		fd[i] = connected_to(listener);
	for (int i = 0; i < 10; i++)
		CHECK_ADDRESS(peer_address(CHECK_OK(accept(listener, NULL, NULL))),
			      local_address(fd[i]));
}

TEST(tcp_listen, address_of_the_peer)
{
	FOR_FAMILIES(family) {
		int listener = listener_new(family, 5), fd = connected_to(listener);
		struct address at = { .size = sizeof(at.in6) }, whole = local_address(fd);

		CHECK_OK(accept(listener, &at.any, &at.size));
		CHECK_EQ(at.size, whole.size);
		CHECK_ADDRESS(at, whole);
		/* As much as fits, and the size that it would take. */
		connected_to(listener);
		memset(&at, 0x55, sizeof(at));
		at.size = 6;
		CHECK_OK(accept(listener, &at.any, &at.size));
		CHECK_EQ(at.size, whole.size);
		CHECK_EQ(at.any.sa_family, family);
		CHECK_EQ(((unsigned char *)&at)[6], 0x55);
		connected_to(listener);
		at.size = -1;
		CHECK_ERRNO(accept(listener, &at.any, &at.size), EINVAL);
	}
}

TEST(tcp_listen, flags_of_accept4)
{
	int listener = listener_new(AF_INET, 5), fd;

	connected_to(listener);
	fd = CHECK_OK(accept4(listener, NULL, NULL, SOCK_NONBLOCK));
	CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	connected_to(listener);
	fd = CHECK_OK(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	connected_to(listener);
	CHECK_ERRNO(accept4(listener, NULL, NULL, 1), EINVAL);
	CHECK_ERRNO(accept4(listener, NULL, NULL, -1), EINVAL);
	/* The listener's own flags are not passed on. */
	nonblocking_set(listener, 1);
	fd = CHECK_OK(accept(listener, NULL, NULL));
	CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR);
}

TEST(tcp_listen, nonblocking)
{
	int listener = listener_new(AF_INET6, 5);

	nonblocking_set(listener, 1);
	CHECK_ERRNO(accept(listener, NULL, NULL), EAGAIN);
	CHECK_EQ(events_now(listener, POLLIN), 0);
	connected_to(listener);
	CHECK_EQ(poll_for(listener, POLLIN | POLLOUT), POLLIN);
	CHECK_OK(accept(listener, NULL, NULL));
	CHECK_EQ(events_now(listener, POLLIN), 0);
	CHECK_ERRNO(accept(listener, NULL, NULL), EAGAIN);
}

TEST(tcp_listen, accept_waits)
{
	FOR_FAMILIES(family) {
		int listener = listener_new(family, 5);
		pid_t pid = FORK();

		if (pid == 0) {
			int fd = CHECK_OK(accept(listener, NULL, NULL));

			CHECK_EQ(write(fd, "x", 1), 1);
			_exit(0);
		}
		wait_until_blocked(pid);
		char byte;
		CHECK_EQ(read(connected_to(listener), &byte, 1), 1);
		CHECK_EXITED(pid, 0);
	}
}

/* Processes that share a listener: each connection goes to one of them. */
TEST(tcp_listen, several_servers)
{
	enum { SERVERS = 4 };
	int listener = listener_new(AF_INET, SERVERS);
	pid_t pid[SERVERS];

	for (int i = 0; i < SERVERS; i++) {
		pid[i] = FORK();
		if (pid[i] == 0) {
			int fd = CHECK_OK(accept(listener, NULL, NULL));

			CHECK_EQ(write(fd, &i, sizeof(i)), sizeof(i));
			_exit(0);
		}
	}
	for (int i = 0; i < SERVERS; i++)
		wait_until_blocked(pid[i]);
	int seen = 0, number;
	for (int i = 0; i < SERVERS; i++) {
		read_all(connected_to(listener), &number, sizeof(number));
		seen |= 1 << number;
	}
	CHECK_EQ(seen, 15);
	for (int i = 0; i < SERVERS; i++)
		CHECK_EXITED(pid[i], 0);
}

static volatile int signals;

static void count(int sig)
{
	(void)sig;
	signals++;
}

TEST(tcp_listen, accept_interrupted)
{
	int listener = listener_new(AF_INET, 5);

	handler_set(SIGALRM, count, 0);
	alarm_pump_start();
	CHECK_ERRNO(accept(listener, NULL, NULL), EINTR);
	alarm_pump_stop();
}

TEST(tcp_listen, accept_restarts)
{
	int listener = listener_new(AF_INET, 5);
	pid_t parent = getpid();

	handler_set(SIGUSR1, count, SA_RESTART);
	pid_t pid = FORK();
	if (pid == 0) {
		wait_until_blocked(parent);
		CHECK_OK(kill(parent, SIGUSR1));
		wait_until_blocked(parent);
		connected_to(listener);
		_exit(0);
	}
	CHECK_OK(accept(listener, NULL, NULL));
	CHECK_EQ(signals, 1);
	CHECK_EXITED(pid, 0);
}

TEST(tcp_listen, accept_times_out)
{
	int listener = listener_new(AF_INET, 5);

	timeout_set(listener, SO_RCVTIMEO, 30);
	int64_t start = now_ns();
	CHECK_ERRNO(accept(listener, NULL, NULL), EAGAIN);
	CHECK_GE(now_ns() - start, 20000000);
	connected_to(listener);
	CHECK_OK(accept(listener, NULL, NULL));
}

static void *shut(void *arg)
{
	int *fd = arg;

	wait_until_blocked(fd[1]);
	CHECK_OK(shutdown(fd[0], SHUT_RDWR));
	return NULL;
}

TEST(tcp_listen, shutdown_ends_accept)
{
	int fd[2] = { listener_new(AF_INET, 5), getpid() };
	struct address at = local_address(fd[0]);
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, shut, fd), 0);
	CHECK_ERRNO(accept(fd[0], NULL, NULL), EINVAL);
	pthread_join(thread, NULL);
	CHECK_ERRNO(connect_to(socket_new(AF_INET, SOCK_STREAM), at), ECONNREFUSED);
}

/* Too many descriptors: the connection waits until there is one. */
TEST(tcp_listen, no_descriptor_left)
{
	int listener = listener_new(AF_INET, 5), fd = connected_to(listener);
	struct rlimit limit;

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = fd + 1;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	CHECK_ERRNO(accept(listener, NULL, NULL), EMFILE);
	CHECK_ERRNO(socket(AF_INET, SOCK_STREAM, 0), EMFILE);
	CHECK_EQ(poll_for(listener, POLLIN), POLLIN);
	limit.rlim_cur = fd + 10;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	int accepted = CHECK_OK(accept(listener, NULL, NULL));
	CHECK_ADDRESS(peer_address(accepted), local_address(fd));
	CHECK_EQ(write(accepted, "x", 1), 1);
}

TEST(tcp_listen, connections_outlive_it)
{
	int listener = listener_new(AF_INET, 5), fd = connected_to(listener);
	int accepted = CHECK_OK(accept(listener, NULL, NULL));
	struct address at = local_address(listener);
	char byte;

	CHECK_OK(close(listener));
	CHECK_EQ(write(accepted, "x", 1), 1);
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_ERRNO(connect_to(socket_new(AF_INET, SOCK_STREAM), at), ECONNREFUSED);
}

/* --- addresses -------------------------------------------------------------------------- */

TEST(tcp_listen, one_port_one_socket)
{
	FOR_FAMILIES(family) {
		int fd = socket_bound(family, SOCK_STREAM), other = socket_new(family, SOCK_STREAM);

		CHECK_ERRNO(bind_to(other, local_address(fd)), EADDRINUSE);
		CHECK_ERRNO(bind_to(other, any_address(family, local_port(fd))), EADDRINUSE);
		CHECK_OK(listen(fd, 1));
		CHECK_ERRNO(bind_to(other, local_address(fd)), EADDRINUSE);
		CHECK_OK(bind_to(other, loopback(family, 0)));
		CHECK_NE(local_port(other), local_port(fd));
		/* UDP has ports of its own. */
		CHECK_OK(bind_to(socket_new(family, SOCK_DGRAM), local_address(fd)));
	}
}

TEST(tcp_listen, reuse_is_not_sharing)
{
	int fd[2];

	for (int i = 0; i < 2; i++) {
		fd[i] = socket_new(AF_INET, SOCK_STREAM);
		CHECK_OK(option_set(fd[i], SOL_SOCKET, SO_REUSEADDR, 1));
	}
	CHECK_OK(bind_to(fd[0], loopback(AF_INET, 0)));
	CHECK_OK(bind_to(fd[1], local_address(fd[0])));
	CHECK_OK(listen(fd[0], 1));
	CHECK_ERRNO(listen(fd[1], 1), EADDRINUSE);
	int third = socket_new(AF_INET, SOCK_STREAM);
	CHECK_OK(option_set(third, SOL_SOCKET, SO_REUSEADDR, 1));
	CHECK_ERRNO(bind_to(third, local_address(fd[0])), EADDRINUSE);
}

TEST(tcp_listen, reuseport_is_sharing)
{
	int fd[2];

	for (int i = 0; i < 2; i++) {
		fd[i] = socket_new(AF_INET, SOCK_STREAM);
		CHECK_OK(option_set(fd[i], SOL_SOCKET, SO_REUSEPORT, 1));
		CHECK_OK(bind_to(fd[i], i ? local_address(fd[0]) : loopback(AF_INET, 0)));
		CHECK_OK(listen(fd[i], 5));
	}
	connected_to(fd[0]);
	struct pollfd set[2] = { { fd[0], POLLIN, 0 }, { fd[1], POLLIN, 0 } };
	CHECK_EQ(poll(set, 2, 5000), 1);
	CHECK_OK(accept(set[0].revents ? fd[0] : fd[1], NULL, NULL));
	/* One that does not ask for it stays out. */
	CHECK_ERRNO(bind_to(socket_new(AF_INET, SOCK_STREAM), local_address(fd[0])), EADDRINUSE);
}

TEST(tcp_listen, addresses_of_one_port)
{
	int fd[2] = { listener_new(AF_INET, 5), socket_new(AF_INET, SOCK_STREAM) };
	int port = local_port(fd[0]);

	CHECK_OK(bind_to(fd[1], address_in(0x7f000002, port)));
	CHECK_OK(listen(fd[1], 5));
	int client = socket_new(AF_INET, SOCK_STREAM);
	CHECK_OK(connect_to(client, address_in(0x7f000002, port)));
	nonblocking_set(fd[0], 1);
	CHECK_ERRNO(accept(fd[0], NULL, NULL), EAGAIN);
	CHECK_ADDRESS(peer_address(CHECK_OK(accept(fd[1], NULL, NULL))), local_address(client));
}

TEST(tcp_listen, addresses_that_are_none)
{
	struct address at = loopback(AF_INET, 0), six = loopback(AF_INET6, 0);
	int fd = socket_new(AF_INET, SOCK_STREAM), fd6 = socket_new(AF_INET6, SOCK_STREAM);

	CHECK_ERRNO(bind_to(fd, address_in(0xcb007105, 0)), EADDRNOTAVAIL); /* 203.0.113.5 */
	struct in6_addr nowhere = { .s6_addr = { 0x20, 1, 0xd, 0xb8, [15] = 5 } };
	CHECK_ERRNO(bind_to(fd6, address_in6(nowhere, 0)), EADDRNOTAVAIL);
	CHECK_ERRNO(bind(fd, &at.any, sizeof(at.in) - 1), EINVAL);
	CHECK_ERRNO(bind(fd, &at.any, 0), EINVAL);
	CHECK_ERRNO(bind(fd, &at.any, -1), EINVAL);
	CHECK_ERRNO(bind(fd6, &six.any, 20), EINVAL);
	CHECK_ERRNO(bind(fd, &six.any, six.size), EAFNOSUPPORT);
	at.any.sa_family = AF_UNIX;
	CHECK_ERRNO(bind(fd, &at.any, at.size), EAFNOSUPPORT);
	/* After all that it is as it was. */
	CHECK_OK(bind_to(fd, loopback(AF_INET, 0)));
	CHECK_ERRNO(bind_to(fd, loopback(AF_INET, 0)), EINVAL);
}

TEST(tcp_listen, low_ports_are_for_root)
{
	SUBPROCESS {
		drop_to_user(1000, 1000);
		CHECK_ERRNO(bind_to(socket_new(AF_INET, SOCK_STREAM), loopback(AF_INET, 1)),
			    EACCES);
		CHECK_ERRNO(bind_to(socket_new(AF_INET6, SOCK_DGRAM), loopback(AF_INET6, 1023)),
			    EACCES);
		CHECK_OK(bind_to(socket_new(AF_INET, SOCK_STREAM), loopback(AF_INET, 0)));
	}
}

TEST(tcp_listen, ipv6_takes_ipv4_too)
{
	int listener = socket_new(AF_INET6, SOCK_STREAM), client = socket_new(AF_INET, SOCK_STREAM);

	CHECK_EQ(option_get(listener, IPPROTO_IPV6, IPV6_V6ONLY), 0);
	CHECK_OK(listen(listener, 5));
	CHECK_OK(connect_to(client, loopback(AF_INET, local_port(listener))));
	int fd = CHECK_OK(accept(listener, NULL, NULL));
	CHECK_ADDRESS(peer_address(fd), mapped_loopback(local_port(client)));
	CHECK_ADDRESS(local_address(fd), mapped_loopback(local_port(listener)));
	/* And so the port is taken for IPv4. */
	CHECK_ERRNO(bind_to(socket_new(AF_INET, SOCK_STREAM),
			    any_address(AF_INET, local_port(listener))), EADDRINUSE);
}

TEST(tcp_listen, ipv6_only)
{
	int listener = socket_new(AF_INET6, SOCK_STREAM), other = socket_new(AF_INET, SOCK_STREAM);

	CHECK_OK(option_set(listener, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	CHECK_OK(bind_to(listener, any_address(AF_INET6, 0)));
	CHECK_OK(listen(listener, 5));
	int port = local_port(listener);
	CHECK_ERRNO(connect_to(socket_new(AF_INET, SOCK_STREAM), loopback(AF_INET, port)),
		    ECONNREFUSED);
	CHECK_OK(bind_to(other, any_address(AF_INET, port)));
	CHECK_OK(listen(other, 5));
	int client = socket_new(AF_INET, SOCK_STREAM);
	CHECK_OK(connect_to(client, loopback(AF_INET, port)));
	CHECK_ADDRESS(peer_address(CHECK_OK(accept(other, NULL, NULL))), local_address(client));
}

static int deferring_listener(int family, int seconds)
{
	int fd = listener_new(family, 5);

	CHECK_OK(option_set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds));
	nonblocking_set(fd, 1);
	return fd;
}

/* Who connects and says nothing does not bother the server. */
TEST(tcp_listen, deferred_until_there_is_data)
{
	FOR_FAMILIES(family) {
		int listener = deferring_listener(family, 30), fd = connected_to(listener);
		char byte;

		CHECK_ERRNO(accept(listener, NULL, NULL), EAGAIN);
		CHECK_EQ(events_now(listener, POLLIN), 0);
		CHECK_EQ(write(fd, "x", 1), 1);
		CHECK_EQ(poll_for(listener, POLLIN), POLLIN);
		int other = CHECK_OK(accept(listener, NULL, NULL));

		CHECK_EQ(read(other, &byte, 1), 1);
		CHECK_EQ(write(other, "y", 1), 1);
		CHECK_EQ(read(fd, &byte, 1), 1);
		/* An end is something to be told, too. */
		CHECK_OK(shutdown(connected_to(listener), SHUT_WR));
		CHECK_EQ(poll_for(listener, POLLIN), POLLIN);
		other = CHECK_OK(accept(listener, NULL, NULL));
		CHECK_EQ(read(other, &byte, 1), 0);
	}
}

TEST(tcp_listen, deferred_in_turn)
{
	int listener = deferring_listener(AF_INET, 30);
	int first = connected_to(listener), second = connected_to(listener);
	char byte;

	CHECK_EQ(write(second, "2", 1), 1);
	CHECK_EQ(poll_for(listener, POLLIN), POLLIN);
	int other = CHECK_OK(accept(listener, NULL, NULL));

	CHECK_EQ(read(other, &byte, 1), 1);
	CHECK_EQ(byte, '2');
	CHECK_ERRNO(accept(listener, NULL, NULL), EAGAIN);
	/* One that is closed at once, and one of a listener that goes. */
	struct linger linger = { 1, 0 };
	int third = connected_to(listener);

	CHECK_OK(setsockopt(third, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	CHECK_OK(close(third));
	CHECK_ERRNO(accept(listener, NULL, NULL), EAGAIN);
	CHECK_OK(close(listener));
	CHECK_OK(close(first));
}

TEST(tcp_listen, deferred_for_a_time)
{
	int listener = deferring_listener(AF_INET, 1), fd = connected_to(listener);
	char byte;

	CHECK_EQ(poll_for(listener, POLLIN), POLLIN);
	int other = CHECK_OK(accept(listener, NULL, NULL));

	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(read(other, &byte, 1), 1);
}

/* Linux counts it in repeated requests, after 1, 3, 7, ... seconds. */
TEST(tcp_listen, deferred_how_long)
{
	static const int set[] = { 0, 1, 2, 3, 4, 7, 8, 100, -1 },
			 got[] = { 0, 1, 3, 3, 7, 7, 15, 127, 0 };
	int fd = socket_new(AF_INET, SOCK_STREAM);

	for (unsigned i = 0; i < sizeof(set) / sizeof(set[0]); i++) {
		CHECK_OK(option_set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, set[i]));
		CHECK_EQ(option_get(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), got[i]);
	}
}

TEST(tcp_listen, options_are_passed_on)
{
	int listener = listener_new(AF_INET, 5);

	CHECK_OK(option_set(listener, SOL_SOCKET, SO_KEEPALIVE, 1));
	CHECK_OK(option_set(listener, IPPROTO_TCP, TCP_NODELAY, 1));
	CHECK_OK(option_set(listener, IPPROTO_TCP, TCP_KEEPIDLE, 77));
	struct linger linger = { 1, 3 }, got;
	CHECK_OK(setsockopt(listener, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	connected_to(listener);
	int fd = CHECK_OK(accept(listener, NULL, NULL));
	CHECK_EQ(option_get(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	CHECK_EQ(option_get(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	CHECK_EQ(option_get(fd, IPPROTO_TCP, TCP_KEEPIDLE), 77);
	socklen_t size = sizeof(got);
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &got, &size));
	CHECK_EQ(got.l_linger, 3);
}
