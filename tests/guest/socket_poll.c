/*
 * poll, select and epoll on sockets of every kind: each event, by level and by edge.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/wait.h>

enum { ALL = POLLIN | POLLOUT | POLLRDHUP | POLLPRI };
static char got[100000];

static void reset(int fd)
{
	struct linger linger = { 1, 0 };

	CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	CHECK_OK(close(fd));
}

TEST(socket_poll, tcp_before_connecting)
{
	FOR_FAMILIES(family) {
		int fd = socket_new(family, SOCK_STREAM);

		CHECK_EQ(events_now(fd, ALL), POLLOUT | POLLHUP);
		CHECK_OK(bind_to(fd, loopback(family, 0)));
		CHECK_EQ(events_now(fd, ALL), POLLOUT | POLLHUP);
		CHECK_OK(listen(fd, 1));
		CHECK_EQ(events_now(fd, ALL), 0);
	}
}

TEST(socket_poll, tcp_connected)
{
	FOR_FAMILIES(family) {
		int fd[2];

		tcp_pair(family, fd);
		CHECK_EQ(events_now(fd[0], ALL), POLLOUT);
		CHECK_EQ(events_now(fd[1], ALL), POLLOUT);
		CHECK_EQ(events_now(fd[1], POLLIN), 0);
		CHECK_EQ(write(fd[0], "x", 1), 1);
		CHECK_EQ(poll_for(fd[1], POLLIN), POLLIN);
		CHECK_EQ(events_now(fd[1], ALL), POLLIN | POLLOUT);
		CHECK_EQ(events_now(fd[1], POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM),
			 POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
		CHECK_EQ(read(fd[1], got, 1), 1);
		CHECK_EQ(events_now(fd[1], ALL), POLLOUT);
	}
}

TEST(socket_poll, tcp_half_closed)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	CHECK_OK(shutdown(fd[0], SHUT_WR));
	CHECK_EQ(poll_for(fd[1], POLLRDHUP), POLLRDHUP);
	CHECK_EQ(events_now(fd[1], ALL), POLLIN | POLLRDHUP | POLLOUT);
	CHECK_EQ(read(fd[1], got, 1), 0);
	CHECK_EQ(events_now(fd[1], ALL), POLLIN | POLLRDHUP | POLLOUT);
	CHECK_EQ(events_now(fd[0], ALL), POLLOUT);
	CHECK_OK(shutdown(fd[1], SHUT_WR));
	CHECK_EQ(poll_for(fd[0], POLLIN), POLLIN | POLLHUP);
	CHECK_EQ(events_now(fd[0], ALL), POLLIN | POLLRDHUP | POLLOUT | POLLHUP);
	CHECK_EQ(poll_for(fd[1], POLLHUP), POLLHUP);
	CHECK_EQ(events_now(fd[1], ALL), POLLIN | POLLRDHUP | POLLOUT | POLLHUP);
}

TEST(socket_poll, tcp_closed)
{
	int fd[2];

	tcp_pair(AF_INET6, fd);
	CHECK_EQ(write(fd[0], "x", 1), 1);
	CHECK_OK(close(fd[0]));
	CHECK_EQ(poll_for(fd[1], POLLRDHUP), POLLRDHUP);
	CHECK_EQ(events_now(fd[1], ALL), POLLIN | POLLRDHUP | POLLOUT);
	CHECK_EQ(read(fd[1], got, 10), 1);
	CHECK_EQ(events_now(fd[1], POLLIN), POLLIN); /* end of file can be read for ever */
}

TEST(socket_poll, tcp_shut_for_reading)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	CHECK_OK(shutdown(fd[0], SHUT_RD));
	CHECK_EQ(events_now(fd[0], ALL), POLLIN | POLLRDHUP | POLLOUT);
}

TEST(socket_poll, tcp_reset)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	reset(fd[0]);
	CHECK_EQ(poll_for(fd[1], 0), POLLERR | POLLHUP);
	CHECK_EQ(events_now(fd[1], ALL), POLLIN | POLLRDHUP | POLLOUT | POLLERR | POLLHUP);
	CHECK_EQ(socket_error(fd[1]), ECONNRESET);
	CHECK_EQ(events_now(fd[1], ALL), POLLIN | POLLRDHUP | POLLOUT | POLLHUP);
}

TEST(socket_poll, tcp_full)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	fill_up(fd);
	CHECK_EQ(events_now(fd[0], ALL), 0);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_EQ(poll_for(fd[0], POLLOUT), POLLOUT);
		CHECK_GT(write(fd[0], got, sizeof(got)), 0);
		_exit(0);
	}
	wait_until_blocked(pid);
	/* One byte of room is not enough to wake anybody, but all of it is. */
	while (recv(fd[1], got, sizeof(got), MSG_DONTWAIT) > 0 || waitpid(pid, NULL, WNOHANG) == 0)
		;
	CHECK_EQ(poll_for(fd[0], POLLOUT), POLLOUT);
}

TEST(socket_poll, listener)
{
	FOR_FAMILIES(family) {
		int listener = listener_new(family, 5);

		CHECK_EQ(events_now(listener, ALL), 0);
		connected_to(listener);
		connected_to(listener);
		CHECK_EQ(poll_for(listener, ALL), POLLIN);
		CHECK_OK(accept(listener, NULL, NULL));
		CHECK_EQ(poll_for(listener, ALL), POLLIN);
		CHECK_OK(accept(listener, NULL, NULL));
		CHECK_EQ(events_now(listener, ALL), 0);
	}
}

TEST(socket_poll, udp)
{
	FOR_FAMILIES(family) {
		int fd[2];

		udp_pair(family, fd);
		CHECK_EQ(events_now(fd[0], ALL), POLLOUT);
		CHECK_EQ(send(fd[0], "x", 1, 0), 1);
		CHECK_EQ(send(fd[0], "", 0, 0), 0);
		CHECK_EQ(poll_for(fd[1], ALL), POLLIN | POLLOUT);
		CHECK_EQ(read(fd[1], got, 1), 1);
		CHECK_EQ(poll_for(fd[1], ALL), POLLIN | POLLOUT);
		CHECK_EQ(read(fd[1], got, 1), 0);
		CHECK_EQ(events_now(fd[1], ALL), POLLOUT);
		CHECK_OK(shutdown(fd[1], SHUT_RD));
		CHECK_EQ(events_now(fd[1], ALL), POLLIN | POLLRDHUP | POLLOUT);
	}
}

/* Each of these ends a poll that is under way in another process. */
static pid_t poller(int fd, int wanted, int expected)
{
	pid_t pid = FORK();

	if (pid == 0) {
		struct pollfd item = { fd, wanted, 0 };

		CHECK_EQ(poll(&item, 1, 10000), 1);
		CHECK_EQ(item.revents, expected);
		_exit(0);
	}
	wait_until_blocked(pid);
	return pid;
}

TEST(socket_poll, wakes)
{
	int fd[2], listener = listener_new(AF_INET, 5), udp = socket_bound(AF_INET, SOCK_DGRAM);

	pid_t pid = poller(listener, POLLIN, POLLIN);
	connected_to(listener);
	CHECK_EXITED(pid, 0);

	pid = poller(udp, POLLIN, POLLIN);
	CHECK_EQ(send_to(udp, "x", 1, local_address(udp)), 1);
	CHECK_EXITED(pid, 0);

	tcp_pair(AF_INET, fd);
	pid = poller(fd[0], POLLIN, POLLIN);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_EXITED(pid, 0);

	tcp_pair(AF_INET, fd);
	pid = poller(fd[0], POLLRDHUP, POLLRDHUP);
	CHECK_OK(shutdown(fd[1], SHUT_WR));
	CHECK_EXITED(pid, 0);

	tcp_pair(AF_INET, fd);
	pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(fd[1]));
		CHECK_EQ(poll_for(fd[0], 0), POLLERR | POLLHUP);
		_exit(0);
	}
	wait_until_blocked(pid);
	reset(fd[1]);
	CHECK_EXITED(pid, 0);
}

TEST(socket_poll, many_at_once)
{
	enum { COUNT = 64 };
	struct pollfd set[COUNT];
	int to = socket_new(AF_INET, SOCK_DGRAM);

	for (int i = 0; i < COUNT; i++)
		set[i] = (struct pollfd){ socket_bound(AF_INET, SOCK_DGRAM), POLLIN, 0 };
	CHECK_EQ(poll(set, COUNT, 0), 0);
	for (int i = 3; i < COUNT; i += 10)
		CHECK_EQ(send_to(to, "x", 1, local_address(set[i].fd)), 1);
	CHECK_EQ(poll_for(set[COUNT - 1].fd, POLLIN), POLLIN);
	CHECK_EQ(poll(set, COUNT, -1), 7);
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(set[i].revents, i % 10 == 3 ? POLLIN : 0);
}

TEST(socket_poll, select_sees_it_too)
{
	fd_set in, out;
	int fd[2];
	struct timeval never = { 5, 0 };

	tcp_pair(AF_INET, fd);
	CHECK_EQ(write(fd[0], "x", 1), 1);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(fd[0], &in);
	FD_SET(fd[1], &in);
	poll_for(fd[1], POLLIN);
	FD_SET(fd[0], &out);
	CHECK_EQ(select(fd[1] + 1, &in, &out, NULL, &never), 2);
	CHECK(!FD_ISSET(fd[0], &in) && FD_ISSET(fd[1], &in) && FD_ISSET(fd[0], &out));
}

/* --- epoll ------------------------------------------------------------------------------ */

static void epoll_add(int epoll, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

/* The one event that there is, or 0; waits a little for one if told so. */
static uint32_t epoll_next(int epoll, int fd, int milliseconds)
{
	struct epoll_event event[4];
	int count = CHECK_OK(epoll_wait(epoll, event, 4, milliseconds));

	if (count == 0)
		return 0;
	CHECK_EQ(count, 1);
	CHECK_EQ(event[0].data.fd, fd);
	return event[0].events;
}

#define LATER 5000 /* ms; it comes before that */

TEST(socket_poll, epoll_by_level)
{
	int fd[2], epoll = CHECK_OK(epoll_create1(0));

	tcp_pair(AF_INET, fd);
	epoll_add(epoll, fd[0], EPOLLIN);
	CHECK_EQ(epoll_next(epoll, fd[0], 0), 0);
	CHECK_EQ(write(fd[1], "ab", 2), 2);
	CHECK_EQ(epoll_next(epoll, fd[0], LATER), EPOLLIN);
	CHECK_EQ(read(fd[0], got, 1), 1);
	CHECK_EQ(epoll_next(epoll, fd[0], LATER), EPOLLIN);
	CHECK_EQ(read(fd[0], got, 1), 1);
	CHECK_EQ(epoll_next(epoll, fd[0], 0), 0);
}

TEST(socket_poll, epoll_by_edge)
{
	int fd[2], epoll = CHECK_OK(epoll_create1(0));

	tcp_pair(AF_INET, fd);
	epoll_add(epoll, fd[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	CHECK_EQ(epoll_next(epoll, fd[0], LATER), EPOLLOUT);
	CHECK_EQ(epoll_next(epoll, fd[0], 0), 0);
	CHECK_EQ(write(fd[1], "a", 1), 1);
	CHECK_EQ(epoll_next(epoll, fd[0], LATER), EPOLLIN | EPOLLOUT);
	CHECK_EQ(epoll_next(epoll, fd[0], 0), 0); /* still unread, but nothing new */
	CHECK_EQ(write(fd[1], "b", 1), 1);
	CHECK_EQ(epoll_next(epoll, fd[0], LATER), EPOLLIN | EPOLLOUT);
	CHECK_OK(shutdown(fd[1], SHUT_WR));
	CHECK_EQ(epoll_next(epoll, fd[0], LATER), EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	CHECK_EQ(epoll_next(epoll, fd[0], 0), 0);
	CHECK_EQ(read(fd[0], got, 10), 2);
}

TEST(socket_poll, epoll_by_edge_when_room_comes)
{
	int fd[2], epoll = CHECK_OK(epoll_create1(0));
	long sent;

	tcp_pair(AF_INET, fd);
	sent = fill_up(fd);
	epoll_add(epoll, fd[0], EPOLLOUT | EPOLLET);
	CHECK_EQ(epoll_next(epoll, fd[0], 0), 0);
	while (sent > 0)
		sent -= CHECK_OK(read(fd[1], got, sizeof(got)));
	CHECK_EQ(epoll_next(epoll, fd[0], LATER), EPOLLOUT);
	CHECK_EQ(epoll_next(epoll, fd[0], 0), 0);
}

TEST(socket_poll, epoll_by_edge_udp)
{
	int fd[2], epoll = CHECK_OK(epoll_create1(0));

	udp_pair(AF_INET, fd);
	epoll_add(epoll, fd[0], EPOLLIN | EPOLLET);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(send(fd[1], "x", 1, 0), 1);
		CHECK_EQ(epoll_next(epoll, fd[0], LATER), EPOLLIN);
		CHECK_EQ(epoll_next(epoll, fd[0], 0), 0);
	}
	for (int i = 0; i < 3; i++)
		CHECK_EQ(read(fd[0], got, 1), 1);
	CHECK_EQ(epoll_next(epoll, fd[0], 0), 0);
}

TEST(socket_poll, epoll_by_edge_listener)
{
	int listener = listener_new(AF_INET, 5), epoll = CHECK_OK(epoll_create1(0));

	epoll_add(epoll, listener, EPOLLIN | EPOLLET);
	for (int i = 0; i < 3; i++) {
		connected_to(listener);
		CHECK_EQ(epoll_next(epoll, listener, LATER), EPOLLIN);
		CHECK_EQ(epoll_next(epoll, listener, 0), 0);
	}
	for (int i = 0; i < 3; i++)
		CHECK_OK(accept(listener, NULL, NULL));
}

TEST(socket_poll, epoll_of_a_connect)
{
	int listener = listener_new(AF_INET, 5), epoll = CHECK_OK(epoll_create1(0));
	int fd = socket_new(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);

	CHECK_ERRNO(connect_to(fd, local_address(listener)), EINPROGRESS);
	epoll_add(epoll, fd, EPOLLOUT | EPOLLET);
	CHECK_EQ(epoll_next(epoll, fd, LATER), EPOLLOUT);
	CHECK_EQ(socket_error(fd), 0);
	CHECK_OK(close(fd));
	/* Refused. */
	int nobody = socket_bound(AF_INET, SOCK_STREAM);
	fd = socket_new(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
	epoll_add(epoll, fd, EPOLLOUT | EPOLLET);
	CHECK_EQ(epoll_next(epoll, fd, LATER), EPOLLOUT | EPOLLHUP);
	CHECK_ERRNO(connect_to(fd, local_address(nobody)), EINPROGRESS);
	CHECK_EQ(epoll_next(epoll, fd, LATER), EPOLLOUT | EPOLLHUP | EPOLLERR);
	CHECK_EQ(socket_error(fd), ECONNREFUSED);
}

TEST(socket_poll, epoll_oneshot)
{
	int fd[2], epoll = CHECK_OK(epoll_create1(0));
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT };

	udp_pair(AF_INET, fd);
	epoll_add(epoll, fd[0], EPOLLIN | EPOLLONESHOT);
	CHECK_EQ(send(fd[1], "x", 1, 0), 1);
	CHECK_EQ(epoll_next(epoll, fd[0], LATER), EPOLLIN);
	CHECK_EQ(send(fd[1], "y", 1, 0), 1);
	CHECK_EQ(epoll_next(epoll, fd[0], 0), 0);
	event.data.fd = fd[0];
	CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_MOD, fd[0], &event));
	CHECK_EQ(epoll_next(epoll, fd[0], LATER), EPOLLIN);
}

TEST(socket_poll, epoll_hangup_needs_no_asking)
{
	int fd[2], epoll = CHECK_OK(epoll_create1(0));

	tcp_pair(AF_INET, fd);
	epoll_add(epoll, fd[0], 0);
	CHECK_EQ(epoll_next(epoll, fd[0], 0), 0);
	reset(fd[1]);
	CHECK_EQ(epoll_next(epoll, fd[0], LATER), EPOLLERR | EPOLLHUP);
}

TEST(socket_poll, epoll_forgets_what_is_closed)
{
	int fd[2], epoll = CHECK_OK(epoll_create1(0));

	tcp_pair(AF_INET, fd);
	epoll_add(epoll, fd[0], EPOLLOUT);
	CHECK_EQ(epoll_next(epoll, fd[0], LATER), EPOLLOUT);
	CHECK_OK(close(fd[0]));
	CHECK_EQ(epoll_next(epoll, fd[0], 0), 0);
}

/* A server with one loop: all that comes is answered, in whatever order. */
TEST(socket_poll, epoll_server)
{
	enum { CLIENTS = 30, ROUNDS = 5 };
	int listener = listener_new(AF_INET, CLIENTS), epoll = CHECK_OK(epoll_create1(0));
	int fd[CLIENTS];

	pid_t pid = FORK();
	if (pid == 0) {
		int ended = 0;

		nonblocking_set(listener, 1);
		epoll_add(epoll, listener, EPOLLIN | EPOLLET);
		while (ended < CLIENTS) {
			struct epoll_event events[8];
			int count = CHECK_OK(epoll_wait(epoll, events, 8, 10000));

			CHECK_GT(count, 0);
			for (int i = 0; i < count; i++) {
				int at = events[i].data.fd, size;

				while (at == listener &&
				       (at = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
					epoll_add(epoll, at, EPOLLIN | EPOLLET);
					at = listener;
				}
				if (at < 0)
					continue;
				while ((size = read(at, got, sizeof(got))) > 0)
					CHECK_EQ(write(at, got, size), size);
				if (size == 0) {
					CHECK_OK(close(at));
					ended++;
				}
			}
		}
		_exit(0);
	}
	for (int i = 0; i < CLIENTS; i++)
		fd[i] = connected_to(listener);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < CLIENTS; i++)
			CHECK_EQ(write(fd[i], &i, sizeof(i)), sizeof(i));
		for (int i = CLIENTS - 1; i >= 0; i--) {
			int number;

			read_all(fd[i], &number, sizeof(number));
			CHECK_EQ(number, i);
		}
	}
	for (int i = 0; i < CLIENTS; i++)
		CHECK_OK(close(fd[i]));
	CHECK_EXITED(pid, 0);
}
