/*
 * How TCP connections end: by halves, in order, by reset, and what each side is told.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

#include <pthread.h>
#include <sys/wait.h>

static char buffer[65536];

TEST(tcp_close, end_of_file)
{
	FOR_FAMILIES(family) {
		int fd[2];

		tcp_pair(family, fd);
		CHECK_EQ(write(fd[0], "last words", 10), 10);
		CHECK_OK(close(fd[0]));
		read_all(fd[1], buffer, 10);
		CHECK_EQ(read(fd[1], buffer, 10), 0);
		CHECK_EQ(read(fd[1], buffer, 10), 0);
		CHECK_EQ(recv(fd[1], buffer, 10, MSG_DONTWAIT), 0);
		CHECK_EQ(socket_error(fd[1]), 0);
	}
}

TEST(tcp_close, wakes_the_reader)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(fd[0]));
		CHECK_EQ(read(fd[1], buffer, 1), 0);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(close(fd[0]));
	CHECK_EXITED(pid, 0);
}

TEST(tcp_close, half_a_conversation)
{
	FOR_FAMILIES(family) {
		int fd[2];

		tcp_pair(family, fd);
		CHECK_EQ(write(fd[0], "question", 8), 8);
		CHECK_OK(shutdown(fd[0], SHUT_WR));
		read_all(fd[1], buffer, 8);
		CHECK_EQ(read(fd[1], buffer, 1), 0);
		CHECK_EQ(write(fd[1], "answer", 6), 6);
		CHECK_OK(close(fd[1]));
		read_all(fd[0], buffer, 6);
		CHECK_EQ(memcmp(buffer, "answer", 6), 0);
		CHECK_EQ(read(fd[0], buffer, 1), 0);
	}
}

TEST(tcp_close, shutdown_of_writing)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	CHECK_OK(shutdown(fd[0], SHUT_WR));
	CHECK_ERRNO(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_OK(shutdown(fd[0], SHUT_WR));
	pid_t pid = FORK();
	if (pid == 0) {
		if (write(fd[0], "x", 1) == -1)
			_exit(1);
		_exit(0);
	}
	CHECK_SIGNALED(pid, SIGPIPE);
	CHECK_ADDRESS(peer_address(fd[0]), local_address(fd[1]));
}

TEST(tcp_close, shutdown_of_reading)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	CHECK_OK(shutdown(fd[0], SHUT_RD));
	CHECK_EQ(read(fd[0], buffer, 1), 0);
	CHECK_EQ(write(fd[0], "x", 1), 1); /* the other direction lives */
	CHECK_EQ(read(fd[1], buffer, 1), 1);
	CHECK_ERRNO(recv(fd[1], buffer, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(tcp_close, shutdown_of_both)
{
	int fd[2];

	tcp_pair(AF_INET6, fd);
	CHECK_OK(shutdown(fd[0], SHUT_RDWR));
	CHECK_EQ(read(fd[0], buffer, 1), 0);
	CHECK_ERRNO(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(read(fd[1], buffer, 1), 0);
	CHECK_OK(close(fd[1]));
	CHECK_EQ(poll_for(fd[0], POLLHUP) & POLLHUP, POLLHUP);
}

TEST(tcp_close, shutdown_keeps_what_was_sent)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(write(fd[0], buffer, 1000), 1000);
	CHECK_OK(shutdown(fd[0], SHUT_RDWR));
	CHECK_OK(close(fd[0]));
	read_all(fd[1], buffer, 10000);
	CHECK_EQ(read(fd[1], buffer, 1), 0);
}

TEST(tcp_close, shutdown_that_cannot_be)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	CHECK_ERRNO(shutdown(fd[0], 3), EINVAL);
	CHECK_ERRNO(shutdown(fd[0], -1), EINVAL);
	CHECK_ERRNO(shutdown(socket_new(AF_INET, SOCK_STREAM), SHUT_RDWR), ENOTCONN);
	CHECK_OK(close(fd[1]));
	CHECK_EQ(read(fd[0], buffer, 1), 0);
	CHECK_OK(shutdown(fd[0], SHUT_RDWR));
	/* All is over, also for this call. */
	CHECK_EQ(poll_for(fd[0], POLLHUP) & POLLHUP, POLLHUP);
	CHECK_ERRNO(shutdown(fd[0], SHUT_RDWR), ENOTCONN);
}

static void *shut(void *arg)
{
	int *fd = arg;

	wait_until_blocked(fd[3]);
	CHECK_OK(shutdown(fd[0], fd[2]));
	return NULL;
}

/* Of the very socket that is being read, by another thread. */
TEST(tcp_close, shutdown_wakes_our_own_reader)
{
	int fd[4] = { 0, 0, SHUT_RD, getpid() };

	for (fd[2] = SHUT_RD; fd[2] <= SHUT_RDWR; fd[2] += 2) {
		pthread_t thread;

		tcp_pair(AF_INET, fd);
		CHECK_EQ(pthread_create(&thread, NULL, shut, fd), 0);
		CHECK_EQ(read(fd[0], buffer, 1), 0);
		pthread_join(thread, NULL);
	}
}

TEST(tcp_close, shutdown_wakes_our_own_writer)
{
	int fd[4] = { 0, 0, SHUT_WR, getpid() };
	pthread_t thread;

	tcp_pair(AF_INET, fd);
	fill_up(fd);
	nonblocking_set(fd[0], 0);
	CHECK_EQ(pthread_create(&thread, NULL, shut, fd), 0);
	CHECK_ERRNO(send(fd[0], buffer, 1, MSG_NOSIGNAL), EPIPE);
	pthread_join(thread, NULL);
}

/* The first writes may still be taken; then the pipe is broken, as the reader has gone. */
static void write_until_broken(int fd)
{
	while (send(fd, "x", 1, MSG_NOSIGNAL) == 1)
		poll_for(fd, 0); /* POLLERR and POLLHUP */
}

TEST(tcp_close, writing_to_nobody)
{
	FOR_FAMILIES(family) {
		int fd[2];

		tcp_pair(family, fd);
		CHECK_OK(close(fd[1]));
		CHECK_EQ(read(fd[0], buffer, 1), 0);
		write_until_broken(fd[0]);
		CHECK_EQ(errno, EPIPE);
		pid_t pid = FORK();
		if (pid == 0) {
			if (write(fd[0], "x", 1) == -1)
				_exit(1);
			_exit(0);
		}
		CHECK_SIGNALED(pid, SIGPIPE);
		signal(SIGPIPE, SIG_IGN);
		CHECK_ERRNO(write(fd[0], "x", 1), EPIPE);
		signal(SIGPIPE, SIG_DFL);
		CHECK_EQ(read(fd[0], buffer, 1), 0);
	}
}

/* A peer that closes without having read what was sent to it has lost it, and says so. */
TEST(tcp_close, with_unread_bytes_resets)
{
	FOR_FAMILIES(family) {
		int fd[2];

		tcp_pair(family, fd);
		CHECK_EQ(write(fd[0], "unread", 6), 6);
		poll_for(fd[1], POLLIN);
		CHECK_OK(close(fd[1]));
		CHECK_EQ(poll_for(fd[0], POLLIN) & (POLLERR | POLLHUP), POLLERR | POLLHUP);
		CHECK_ERRNO(read(fd[0], buffer, 1), ECONNRESET);
		CHECK_EQ(read(fd[0], buffer, 1), 0); /* told once */
		CHECK_ERRNO(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	}
}

static void linger_set(int fd, int on, int seconds)
{
	struct linger linger = { on, seconds };

	CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
}

TEST(tcp_close, linger_of_zero_resets)
{
	FOR_FAMILIES(family) {
		int fd[2];

		tcp_pair(family, fd);
		linger_set(fd[1], 1, 0);
		CHECK_OK(close(fd[1]));
		CHECK_EQ(poll_for(fd[0], POLLIN | POLLOUT | POLLRDHUP),
			 POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP);
		CHECK_ERRNO(read(fd[0], buffer, 1), ECONNRESET);
		CHECK_EQ(read(fd[0], buffer, 1), 0);
	}
}

TEST(tcp_close, reset_is_told_to_one)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	linger_set(fd[1], 1, 0);
	CHECK_OK(close(fd[1]));
	poll_for(fd[0], 0);
	CHECK_EQ(socket_error(fd[0]), ECONNRESET);
	CHECK_EQ(socket_error(fd[0]), 0);
	CHECK_EQ(read(fd[0], buffer, 1), 0);
	/* Here the writer is the first to ask. */
	tcp_pair(AF_INET, fd);
	linger_set(fd[1], 1, 0);
	CHECK_OK(close(fd[1]));
	poll_for(fd[0], 0);
	CHECK_ERRNO(send(fd[0], "x", 1, MSG_NOSIGNAL), ECONNRESET);
	CHECK_ERRNO(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
}

TEST(tcp_close, reset_wakes_the_reader)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(fd[1]));
		CHECK_ERRNO(read(fd[0], buffer, 1), ECONNRESET);
		_exit(0);
	}
	wait_until_blocked(pid);
	linger_set(fd[1], 1, 0);
	CHECK_OK(close(fd[1]));
	CHECK_EXITED(pid, 0);
}

TEST(tcp_close, reset_wakes_the_writer)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	fill_up(fd);
	nonblocking_set(fd[0], 0);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(fd[1]));
		CHECK_ERRNO(send(fd[0], buffer, 1, MSG_NOSIGNAL), ECONNRESET);
		_exit(0);
	}
	wait_until_blocked(pid);
	linger_set(fd[1], 1, 0);
	CHECK_OK(close(fd[1]));
	CHECK_EXITED(pid, 0);
}

TEST(tcp_close, closing_wakes_the_writer)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	fill_up(fd);
	nonblocking_set(fd[0], 0);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(fd[1]));
		CHECK_EQ(send(fd[0], buffer, 1, MSG_NOSIGNAL), -1);
		CHECK(errno == ECONNRESET || errno == EPIPE);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(close(fd[1]));
	CHECK_EXITED(pid, 0);
}

TEST(tcp_close, lingering_waits_for_delivery_only)
{
	int64_t start = now_ns();
	int fd[2];

	tcp_pair(AF_INET, fd);
	linger_set(fd[0], 1, 8);
	CHECK_EQ(write(fd[0], "abc", 3), 3);
	CHECK_OK(close(fd[0]));
	CHECK_LT(now_ns() - start, 6000000000LL);
	read_all(fd[1], buffer, 3);
	CHECK_EQ(read(fd[1], buffer, 1), 0);
}

/* All that closes a socket works beside record locks, which are looked for with each descriptor. */
TEST(tcp_close, with_record_locks_on_a_file)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int file = CHECK_OK(open("locked", O_RDWR | O_CREAT, 0600)), fd[2];

	CHECK_OK(fcntl(file, F_SETLK, &lock));
	for (int way = 0; way < 4; way++) {
		tcp_pair(AF_INET, fd);
		linger_set(fd[0], way & 1, 5);
		if (way < 2)
			CHECK_OK(close(fd[0]));
		else
			CHECK_EQ(dup2(fd[1], fd[0]), fd[0]);
		CHECK_EQ(read(fd[1], buffer, 1), 0);
		CHECK_OK(close(fd[1]));
	}
	tcp_pair(AF_INET, fd);
	CHECK_EQ(dup3(fd[0], file, 0), file); /* this ends the lock */
	CHECK_OK(unlink("locked"));
}

TEST(tcp_close, copies_keep_it_open)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	int copy = CHECK_OK(dup(fd[0]));
	struct gate gate;
	gate_init(&gate);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(copy));
		gate_pass(&gate);
		CHECK_EQ(write(fd[0], "child", 5), 5);
		_exit(0);
	}
	CHECK_OK(close(fd[0]));
	CHECK_EQ(write(copy, "copy", 4), 4);
	CHECK_OK(close(copy));
	read_all(fd[1], buffer, 4);
	CHECK_ERRNO(recv(fd[1], buffer, 1, MSG_DONTWAIT), EAGAIN);
	gate_open(&gate);
	read_all(fd[1], buffer, 5);
	CHECK_EQ(read(fd[1], buffer, 1), 0);
	CHECK_EXITED(pid, 0);
}

TEST(tcp_close, shutdown_reaches_all_copies)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	int copy = CHECK_OK(dup(fd[0]));
	CHECK_OK(shutdown(fd[0], SHUT_WR));
	CHECK_EQ(read(fd[1], buffer, 1), 0);
	CHECK_ERRNO(send(copy, "x", 1, MSG_NOSIGNAL), EPIPE);
}

TEST(tcp_close, killed_processes_close)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(fd[1]));
		for (;;)
			pause();
	}
	CHECK_OK(close(fd[0]));
	CHECK_ERRNO(recv(fd[1], buffer, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(read(fd[1], buffer, 1), 0);
	CHECK_SIGNALED(pid, SIGKILL);
}

TEST(tcp_close, killed_in_a_read_and_in_a_write)
{
	for (int full = 0; full < 2; full++) {
		int fd[2];

		tcp_pair(AF_INET, fd);
		if (full) {
			fill_up(fd);
			nonblocking_set(fd[0], 0);
		}
		pid_t pid = FORK();
		if (pid == 0) {
			CHECK_OK(close(fd[1]));
			if (full)
				CHECK_EQ(write(fd[0], buffer, 1), 99);
			else
				CHECK_EQ(read(fd[0], buffer, 1), 99);
			_exit(0);
		}
		CHECK_OK(close(fd[0]));
		wait_until_blocked(pid);
		CHECK_OK(kill(pid, SIGKILL));
		CHECK_SIGNALED(pid, SIGKILL);
		while (CHECK_OK(read(fd[1], buffer, sizeof(buffer))) > 0)
			;
	}
}

/* Who waits in the queue of a listener that goes away is cut off. */
TEST(tcp_close, listener_with_somebody_in_its_queue)
{
	int listener = listener_new(AF_INET, 5), fd = connected_to(listener);

	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(close(listener));
	CHECK_EQ(poll_for(fd, POLLIN) & (POLLERR | POLLHUP), POLLERR | POLLHUP);
	CHECK_ERRNO(read(fd, buffer, 1), ECONNRESET);
}

/* A server that is started again gets its port back at once. */
TEST(tcp_close, port_is_free_for_the_next_server)
{
	FOR_FAMILIES(family) {
		int listener = socket_new(family, SOCK_STREAM);

		CHECK_OK(option_set(listener, SOL_SOCKET, SO_REUSEADDR, 1));
		CHECK_OK(bind_to(listener, loopback(family, 0)));
		struct address at = local_address(listener);
		for (int i = 0; i < 3; i++) {
			CHECK_OK(listen(listener, 5));
			int fd = connected_to(listener), accepted = accept(listener, NULL, NULL);

			CHECK_OK(close(accepted)); /* the server closes first */
			CHECK_EQ(read(fd, buffer, 1), 0);
			CHECK_OK(close(fd));
			CHECK_OK(close(listener));
			listener = socket_new(family, SOCK_STREAM);
			CHECK_OK(option_set(listener, SOL_SOCKET, SO_REUSEADDR, 1));
			CHECK_OK(bind_to(listener, at));
		}
	}
}

TEST(tcp_close, port_of_a_listener_without_connections_is_free)
{
	int listener = listener_new(AF_INET, 5);
	struct address at = local_address(listener);

	CHECK_OK(close(listener));
	CHECK_OK(bind_to(socket_new(AF_INET, SOCK_STREAM), at));
}
