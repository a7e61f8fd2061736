/*
 * The network server is ended and started again: who listens goes on listening, who is connected is
 * told that it is over, nobody waits for ever, and new sockets work at once.
 *
 * On Linux, where there is nothing of the kind, the other end does what the restart would have
 * done.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

#include <sys/wait.h>

static char got[100];

/* True if there was something to restart. */
static int restart(void)
{
	int fd = open("/proc/sys/troupe/restart", O_WRONLY);

	if (fd < 0) {
		CHECK_EQ(errno, ENOENT);
		return 0;
	}
	CHECK_EQ(write(fd, "network", 7), 7);
	CHECK_OK(close(fd));
	return 1;
}

static void reset(int fd)
{
	struct linger linger = { 1, 0 };

	CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	CHECK_OK(close(fd));
}

TEST(network_recovery, new_sockets_work)
{
	for (int i = 0; i < 3; i++) {
		restart();
		FOR_FAMILIES(family) {
			int fd[2];

			tcp_pair(family, fd);
			CHECK_EQ(write(fd[0], "tcp", 3), 3);
			CHECK_EQ(read(fd[1], got, 3), 3);
			udp_pair(family, fd);
			CHECK_EQ(write(fd[0], "udp", 3), 3);
			CHECK_EQ(read(fd[1], got, 3), 3);
		}
	}
}

TEST(network_recovery, listeners_stay)
{
	FOR_FAMILIES(family) {
		int listener = listener_new(family, 5), fd[2];
		struct address at = local_address(listener);

		for (int i = 0; i < 3; i++) {
			restart();
			CHECK_ADDRESS(local_address(listener), at);
			fd[0] = socket_new(family, SOCK_STREAM);
			CHECK_OK(connect_to(fd[0], at));
			fd[1] = CHECK_OK(accept(listener, NULL, NULL));
			CHECK_EQ(write(fd[0], "x", 1), 1);
			CHECK_EQ(read(fd[1], got, 1), 1);
			CHECK_ERRNO(bind_to(socket_new(family, SOCK_STREAM), at), EADDRINUSE);
		}
	}
}

TEST(network_recovery, accept_goes_on_waiting)
{
	int listener = listener_new(AF_INET, 5);
	pid_t pid = FORK();

	if (pid == 0) {
		int fd = CHECK_OK(accept(listener, NULL, NULL));

		CHECK_EQ(write(fd, "x", 1), 1);
		_exit(0);
	}
	wait_until_blocked(pid);
	restart();
	CHECK_EQ(read(connected_to(listener), got, 1), 1);
	CHECK_EXITED(pid, 0);
}

TEST(network_recovery, poll_of_a_listener_goes_on)
{
	int listener = listener_new(AF_INET, 5);
	pid_t pid = FORK();

	if (pid == 0) {
		CHECK_EQ(poll_for(listener, POLLIN), POLLIN);
		CHECK_OK(accept(listener, NULL, NULL));
		_exit(0);
	}
	wait_until_blocked(pid);
	restart();
	connected_to(listener);
	CHECK_EXITED(pid, 0);
}

TEST(network_recovery, readers_are_told)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(fd[1]));
		ssize_t size = read(fd[0], got, 1);
		CHECK(size == 0 || (size == -1 && errno == ECONNRESET));
		_exit(0);
	}
	wait_until_blocked(pid);
	if (!restart())
		reset(fd[1]);
	CHECK_EXITED(pid, 0);
}

TEST(network_recovery, writers_are_told)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	fill_up(fd);
	nonblocking_set(fd[0], 0);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(fd[1]));
		CHECK_EQ(send(fd[0], got, 1, MSG_NOSIGNAL), -1);
		CHECK(errno == ECONNRESET || errno == EPIPE);
		_exit(0);
	}
	wait_until_blocked(pid);
	if (!restart())
		reset(fd[1]);
	CHECK_EXITED(pid, 0);
}

TEST(network_recovery, poll_is_told)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(fd[1]));
		CHECK_NE(poll_for(fd[0], POLLIN) & (POLLHUP | POLLERR), 0);
		_exit(0);
	}
	wait_until_blocked(pid);
	if (!restart())
		reset(fd[1]);
	CHECK_EXITED(pid, 0);
}

/*
 * Whatever is asked of a socket that has lost its server, there is an answer, and it can be closed.
 */
TEST(network_recovery, old_sockets_answer)
{
	struct address at = loopback(AF_INET, 9), any = { .size = sizeof(any.in6) };
	int tcp[2], udp = socket_bound(AF_INET, SOCK_DGRAM),
		    fresh = socket_new(AF_INET, SOCK_STREAM);

	tcp_pair(AF_INET, tcp);
	int all[] = { tcp[0], tcp[1], udp, fresh };
	restart();
	for (unsigned i = 0; i < LENGTH(all); i++) {
		nonblocking_set(all[i], 1);
		send(all[i], "x", 1, MSG_NOSIGNAL);
		recv(all[i], got, 1, 0);
		getpeername(all[i], &any.any, &any.size);
		getsockname(all[i], &any.any, &any.size);
		CHECK_GE(events_now(all[i], POLLIN | POLLOUT), 0);
		connect_to(all[i], at);
		bind_to(all[i], at);
		listen(all[i], 1);
		shutdown(all[i], SHUT_RDWR);
		getsockopt(all[i], SOL_SOCKET, SO_ERROR, got, &any.size);
		CHECK_OK(close(all[i]));
	}
}

/* Again and again, with somebody using it all the time. */
TEST(network_recovery, under_load)
{
	pid_t pid = FORK();

	if (pid == 0) {
		signal(SIGPIPE, SIG_IGN);
		for (;;) {
			int listener = socket(AF_INET, SOCK_STREAM, 0), fd;
			struct address at = loopback(AF_INET, 0);

			bind_to(listener, at);
			listen(listener, 1);
			if (getsockname(listener, &at.any, &at.size) == 0) {
				fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
				connect_to(fd, at);
				send(fd, "x", 1, MSG_NOSIGNAL);
				close(fd);
			}
			close(listener);
		}
	}
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(poll(NULL, 0, 10), 0); /* let it do some */
		restart();
	}
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
	int fd[2];
	tcp_pair(AF_INET, fd);
}
