/*
 * Programs that open sockets without end, and queues that nobody empties: the one who asks gets an
 * error, and the others go on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

#include <sys/resource.h>
#include <sys/wait.h>

static char got[65536];

/* An echo between two of our own, which must work whatever others do. */
static void check_alive(void)
{
	FOR_FAMILIES(family) {
		int fd[2];

		tcp_pair(family, fd);
		CHECK_EQ(write(fd[0], "x", 1), 1);
		CHECK_EQ(read(fd[1], got, 1), 1);
		CHECK_OK(close(fd[0]));
		CHECK_OK(close(fd[1]));
		udp_pair(family, fd);
		CHECK_EQ(write(fd[0], "x", 1), 1);
		CHECK_EQ(read(fd[1], got, 1), 1);
		CHECK_OK(close(fd[0]));
		CHECK_OK(close(fd[1]));
	}
}

/* Raises the limit on descriptors as far as it goes, up to so many. */
static void descriptors_allow(rlim_t count)
{
	struct rlimit limit;

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max < count ? limit.rlim_max : count;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
}

/* Until there is an error; how many. All of them are left open, and given up by _exit(). */
static int open_without_end(int family, int type, int most)
{
	int count = 0;

	while (count < most && socket(family, type, 0) >= 0)
		count++;
	if (count < most)
		CHECK(errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM);
	return count;
}

TEST(socket_limits, sockets_without_end)
{
	ROOT_NEEDED();
	struct gate opened, done;

	gate_init(&opened);
	gate_init(&done);
	pid_t pid = FORK();
	if (pid == 0) {
		drop_to_user(1000, 1000);
		descriptors_allow(3000);
		for (int i = 0; i < 3; i++)
			CHECK_GE(open_without_end(i < 2 ? AF_INET : AF_INET6,
						  i ? SOCK_STREAM : SOCK_DGRAM, 900), 100);
		gate_open(&opened);
		gate_pass(&done);
		_exit(0);
	}
	gate_pass(&opened);
	check_alive();
	gate_open(&done);
	CHECK_EXITED(pid, 0);
	check_alive();
}

/* The same from several processes, which are then killed. */
TEST(socket_limits, killed_hoarders)
{
	enum { COUNT = 3 };
	struct gate opened;
	pid_t pid[COUNT];

	gate_init(&opened);
	for (int i = 0; i < COUNT; i++) {
		pid[i] = FORK();
		if (pid[i] == 0) {
			open_without_end(AF_INET, SOCK_STREAM, 300);
			gate_open(&opened);
			for (;;)
				pause();
		}
	}
	for (int i = 0; i < COUNT; i++)
		gate_pass(&opened);
	check_alive();
	for (int i = 0; i < COUNT; i++) {
		CHECK_OK(kill(pid[i], SIGKILL));
		CHECK_SIGNALED(pid[i], SIGKILL);
	}
	for (int i = 0; i < 3; i++)
		check_alive();
}

TEST(socket_limits, again_after_each_limit)
{
	struct rlimit limit = { 40, 40 };

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	for (int round = 0; round < 5; round++) {
		int count = 0, fd[40];

		while ((fd[count] = socket(AF_INET, SOCK_STREAM, 0)) >= 0)
			count++;
		CHECK_EQ(errno, EMFILE);
		CHECK_GE(count, 30);
		while (count-- > 0)
			CHECK_OK(close(fd[count]));
	}
	check_alive();
}

/* Datagrams for sockets that nobody reads. */
TEST(socket_limits, queues_that_nobody_reads)
{
	enum { COUNT = 20 };
	int fd[COUNT], sender = socket_new(AF_INET, SOCK_DGRAM);

	for (int i = 0; i < COUNT; i++)
		fd[i] = socket_bound(AF_INET, SOCK_DGRAM);
	for (int i = 0; i < COUNT; i++) {
		struct address at = local_address(fd[i]);

		for (int j = 0; j < 100; j++) /* more than fits in any of them */
			CHECK_EQ(send_to(sender, got, 8000, at), 8000);
	}
	check_alive();
	CHECK_EQ(read(fd[COUNT - 1], got, sizeof(got)), 8000);
}

/* Connections that are full in both directions. */
TEST(socket_limits, streams_that_nobody_reads)
{
	enum { COUNT = 8 };
	int fd[COUNT][2];

	for (int i = 0; i < COUNT; i++) {
		tcp_pair(AF_INET, fd[i]);
		CHECK_GT(fill_up(fd[i]), 4096);
	}
	check_alive();
	CHECK_GT(read(fd[COUNT - 1][1], got, sizeof(got)), 0);
}

/* Connects to the listener and fills the connection; false: there are no more descriptors. */
static int fill_one(int listener)
{
	struct address at = local_address(listener);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		return 0;
	CHECK_OK(option_set(fd, SOL_SOCKET, SO_SNDBUF, 16384));
	CHECK_OK(connect_to(fd, at));
	if (accept(listener, NULL, NULL) < 0)
		return 0;
	nonblocking_set(fd, 1);
	while (send(fd, got, sizeof(got), MSG_NOSIGNAL) > 0)
		;
	CHECK_EQ(errno, EAGAIN);
	return 1;
}

/* So many that all of them together might use up whatever there is. */
TEST(socket_limits, more_than_there_is_memory)
{
	enum { MOST = 1200 };
	struct gate filled, done;
	int fd[2], count = 0;

	gate_init(&filled);
	gate_init(&done);
	tcp_pair(AF_INET, fd);
	pid_t pid = FORK();
	if (pid == 0) {
		drop_to_user(1000, 1000);
		descriptors_allow(3000);
		int listener = socket_new(AF_INET, SOCK_STREAM);

		CHECK_OK(option_set(listener, SOL_SOCKET, SO_RCVBUF, 32768));
		CHECK_OK(bind_to(listener, loopback(AF_INET, 0)));
		CHECK_OK(listen(listener, 5));
		while (count < MOST && fill_one(listener))
			count++;
		CHECK_GE(count, 100);
		gate_open(&filled);
		gate_pass(&done);
		_exit(0);
	}
	gate_pass(&filled);
	check_alive();
	/* An older connection, in which a writer has to wait for its reader. */
	pid_t reader = FORK();
	if (reader == 0) {
		for (int i = 0; i < 8; i++)
			read_all(fd[1], got, sizeof(got));
		_exit(0);
	}
	for (int i = 0; i < 8; i++)
		write_all(fd[0], got, sizeof(got));
	CHECK_EXITED(reader, 0);
	gate_open(&done);
	CHECK_EXITED(pid, 0);
	check_alive();
}

/* Connections that the listener never takes. */
TEST(socket_limits, a_listener_that_never_accepts)
{
	enum { COUNT = 100 };
	int listener = listener_new(AF_INET, COUNT);

	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(write(connected_to(listener), got, 1000), 1000);
	check_alive();
	CHECK_OK(accept(listener, NULL, NULL));
}

/* Connect requests to a full queue, of which none is ever answered. */
TEST(socket_limits, half_open)
{
	enum { COUNT = 200 };
	int listener = listener_new(AF_INET, 0);

	for (int i = 0; i < COUNT; i++) {
		int fd = socket_new(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);

		CHECK_ERRNO(connect_to(fd, local_address(listener)), EINPROGRESS);
	}
	check_alive();
	CHECK_OK(accept(listener, NULL, NULL));
}

/* Every port of one address, in the end: then there is none, until one is given back. */
TEST(socket_limits, ports_run_out)
{
	enum { MOST = 70000 };
	int count = 0, fd, last = -1;

	/* Many ports need many sockets, so that most systems run out of descriptors first. */
	descriptors_allow(1000);
	while (count < MOST && (fd = socket(AF_INET, SOCK_DGRAM, 0)) >= 0) {
		if (bind_to(fd, address_in(0x7f000063, 0)) != 0)
			break;
		last = fd;
		count++;
	}
	CHECK(errno == EMFILE || errno == ENFILE || errno == EADDRINUSE || errno == ENOBUFS);
	CHECK_GE(count, 100);
	CHECK_OK(close(last));
	CHECK_OK(bind_to(socket_new(AF_INET, SOCK_DGRAM), address_in(0x7f000063, 0)));
}

TEST(socket_limits, one_port_to_itself)
{
	int first = socket_bound(AF_INET, SOCK_STREAM);
	struct address at = local_address(first);

	for (int i = 0; i < 200; i++) {
		int fd = socket_new(AF_INET, SOCK_STREAM);

		CHECK_ERRNO(bind_to(fd, at), EADDRINUSE);
		CHECK_OK(close(fd));
	}
	CHECK_OK(listen(first, 1));
	CHECK_OK(connect_to(socket_new(AF_INET, SOCK_STREAM), at));
}
