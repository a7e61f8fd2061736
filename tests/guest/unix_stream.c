/*
 * AF_UNIX stream sockets: bytes, ends, errors, readiness, timeouts, and what recv and send can be
 * told.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unix.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[1 << 20];

TEST(unix_stream, bytes_both_ways)
{
	int sv[2];

	pair(sv, SOCK_STREAM);
	CHECK_EQ(write(sv[0], "abc", 3), 3);
	CHECK_EQ(send(sv[0], "def", 3, 0), 3);
	CHECK_EQ(read(sv[1], buffer, 4), 4);
	CHECK_EQ(memcmp(buffer, "abcd", 4), 0);
	CHECK_EQ(recv(sv[1], buffer, 100, 0), 2);
	CHECK_EQ(memcmp(buffer, "ef", 2), 0);
	CHECK_EQ(write(sv[1], "xyz", 3), 3);
	CHECK_EQ(recvfrom(sv[0], buffer, 100, 0, NULL, NULL), 3);
	CHECK_ERRNO(recv(sv[0], buffer, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(lseek(sv[0], 0, SEEK_CUR), -1);
	CHECK_EQ(errno, ESPIPE);
}

TEST(unix_stream, vectors)
{
	struct iovec out[3] = { { "ab", 2 }, { NULL, 0 }, { "cde", 3 } },
		     in[2] = { { buffer, 1 }, { buffer + 10, 9 } };
	struct msghdr m = { .msg_iov = out, .msg_iovlen = 3 };
	int sv[2];

	pair(sv, SOCK_STREAM);
	CHECK_EQ(writev(sv[0], out, 3), 5);
	CHECK_EQ(sendmsg(sv[0], &m, 0), 5);
	CHECK_EQ(readv(sv[1], in, 2), 10);
	CHECK_EQ(buffer[0], 'a');
	CHECK_EQ(memcmp(buffer + 10, "bcdeabcde", 9), 0);
	CHECK_EQ(sendmsg(sv[0], &m, 0), 5);
	m.msg_iov = in;
	m.msg_iovlen = 2;
	m.msg_flags = -1;
	CHECK_EQ(recvmsg(sv[1], &m, 0), 5);
	CHECK_EQ(m.msg_flags, 0);
	CHECK_EQ(memcmp(buffer + 10, "bcde", 4), 0);
	m.msg_iovlen = 1025;
	CHECK_ERRNO(sendmsg(sv[0], &m, 0), EMSGSIZE);
}

TEST(unix_stream, end_of_file)
{
	int sv[2];

	pair(sv, SOCK_STREAM);
	CHECK_EQ(write(sv[0], "abc", 3), 3);
	CHECK_OK(close(sv[0]));
	CHECK_EQ(ready(sv[1]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	CHECK_EQ(read(sv[1], buffer, 100), 3);
	CHECK_EQ(read(sv[1], buffer, 100), 0);
	CHECK_EQ(recv(sv[1], buffer, 100, MSG_DONTWAIT), 0);
	CHECK_EQ(ready(sv[1]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
}

TEST(unix_stream, broken)
{
	int sv[2];

	pair(sv, SOCK_STREAM);
	CHECK_OK(close(sv[0]));
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_ERRNO(send(sv[1], "x", 1, MSG_NOSIGNAL), EPIPE);
		write(sv[1], "x", 1);
		_exit(1);
	}
	CHECK_SIGNALED(pid, SIGPIPE);
	pid = FORK();
	if (pid == 0) {
		struct iovec v = { "x", 1 };
		struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

		CHECK_ERRNO(sendmsg(sv[1], &m, MSG_NOSIGNAL), EPIPE);
		sendmsg(sv[1], &m, 0);
		_exit(1);
	}
	CHECK_SIGNALED(pid, SIGPIPE);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERRNO(write(sv[1], "x", 1), EPIPE);
}

TEST(unix_stream, reset_with_unread_data)
{
	int sv[2], error;
	socklen_t size = sizeof(error);

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 3; i++) {
		pair(sv, SOCK_STREAM);
		CHECK_EQ(write(sv[0], "lost", 4), 4);
		CHECK_EQ(write(sv[1], "kept", 4), 4);
		CHECK_OK(close(sv[1]));
		CHECK_EQ(ready(sv[0]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP | POLLERR);
		CHECK_EQ(read(sv[0], buffer, 100), 4);
		if (i == 0) {
			CHECK_ERRNO(read(sv[0], buffer, 100), ECONNRESET);
		} else if (i == 1) {
			CHECK_OK(getsockopt(sv[0], SOL_SOCKET, SO_ERROR, &error, &size));
			CHECK_EQ(error, ECONNRESET);
		} else {
			CHECK_ERRNO(write(sv[0], "x", 1), EPIPE);
			CHECK_ERRNO(recv(sv[0], buffer, 100, 0), ECONNRESET);
		}
		CHECK_EQ(read(sv[0], buffer, 100), 0);
		CHECK_EQ(ready(sv[0]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
		CHECK_ERRNO(write(sv[0], "x", 1), EPIPE);
		CHECK_OK(close(sv[0]));
	}
}

TEST(unix_stream, shutdown_of_the_sending_half)
{
	int sv[2];

	pair(sv, SOCK_STREAM);
	CHECK_EQ(write(sv[0], "abc", 3), 3);
	CHECK_OK(shutdown(sv[0], SHUT_WR));
	CHECK_EQ(ready(sv[0]), POLLOUT);
	CHECK_EQ(ready(sv[1]), POLLIN | POLLOUT | POLLRDHUP);
	CHECK_ERRNO(send(sv[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(read(sv[1], buffer, 100), 3);
	CHECK_EQ(read(sv[1], buffer, 100), 0);
	CHECK_EQ(read(sv[1], buffer, 100), 0);
	CHECK_EQ(write(sv[1], "back", 4), 4);
	CHECK_EQ(read(sv[0], buffer, 100), 4);
	CHECK_OK(shutdown(sv[1], SHUT_WR));
	CHECK_EQ(ready(sv[0]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	CHECK_EQ(read(sv[0], buffer, 100), 0);
}

TEST(unix_stream, shutdown_of_the_receiving_half)
{
	int sv[2];

	pair(sv, SOCK_STREAM);
	CHECK_EQ(write(sv[1], "abc", 3), 3);
	CHECK_OK(shutdown(sv[0], SHUT_RD));
	CHECK_EQ(ready(sv[0]), POLLIN | POLLOUT | POLLRDHUP);
	CHECK_ERRNO(send(sv[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(read(sv[0], buffer, 100), 3);
	CHECK_EQ(read(sv[0], buffer, 100), 0);
	CHECK_EQ(write(sv[0], "abc", 3), 3);
	CHECK_EQ(read(sv[1], buffer, 100), 3);
	CHECK_ERRNO(shutdown(sv[0], 3), EINVAL);
	CHECK_ERRNO(shutdown(sv[0], -1), EINVAL);
	CHECK_OK(shutdown(sv[0], SHUT_RDWR));
	CHECK_OK(shutdown(sv[0], SHUT_RDWR));
	CHECK_EQ(ready(sv[1]) & (POLLIN | POLLHUP), POLLIN | POLLHUP);
}

TEST(unix_stream, shutdown_wakes_the_reader)
{
	int sv[2];

	for (int how = SHUT_RD; how <= SHUT_WR; how++) {
		pair(sv, SOCK_STREAM);
		pid_t pid = FORK();
		if (pid == 0) {
			CHECK_EQ(read(sv[0], buffer, 10), 0);
			_exit(0);
		}
		wait_until_blocked(pid);
		CHECK_OK(shutdown(how == SHUT_RD ? sv[0] : sv[1], how));
		CHECK_EXITED(pid, 0);
		close(sv[0]);
		close(sv[1]);
	}
}

TEST(unix_stream, shutdown_wakes_the_writer)
{
	int sv[2];

	pair(sv, SOCK_STREAM);
	pid_t pid = FORK();
	if (pid == 0) {
		signal(SIGPIPE, SIG_IGN);
		while (write(sv[0], buffer, sizeof(buffer)) > 0)
			;
		CHECK_EQ(errno, EPIPE);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(shutdown(sv[1], SHUT_RD));
	CHECK_EXITED(pid, 0);
}

TEST(unix_stream, close_wakes_the_reader)
{
	int sv[2];

	pair(sv, SOCK_STREAM);
	pid_t pid = FORK();
	if (pid == 0) {
		struct iovec v = { buffer, 10 };
		struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

		CHECK_OK(close(sv[1]));
		CHECK_EQ(recvmsg(sv[0], &m, 0), 0);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(close(sv[1]));
	CHECK_EXITED(pid, 0);
}

TEST(unix_stream, recvmsg_waits_for_data)
{
	int sv[2];

	pair(sv, SOCK_STREAM);
	pid_t pid = FORK();
	if (pid == 0) {
		struct iovec v = { buffer, 10 };
		struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

		CHECK_EQ(recvmsg(sv[0], &m, 0), 3);
		CHECK_EQ(memcmp(buffer, "abc", 3), 0);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_EQ(write(sv[1], "abc", 3), 3);
	CHECK_EXITED(pid, 0);
}

TEST(unix_stream, peek)
{
	int sv[2];

	pair(sv, SOCK_STREAM);
	CHECK_EQ(write(sv[0], "abc", 3), 3);
	CHECK_EQ(write(sv[0], "def", 3), 3);
	CHECK_EQ(recv(sv[1], buffer, 2, MSG_PEEK), 2);
	CHECK_EQ(recv(sv[1], buffer, 100, MSG_PEEK), 6);
	CHECK_EQ(memcmp(buffer, "abcdef", 6), 0);
	CHECK_EQ(recv(sv[1], buffer, 4, 0), 4);
	CHECK_EQ(recv(sv[1], buffer, 100, MSG_PEEK | MSG_DONTWAIT), 2);
	CHECK_EQ(memcmp(buffer, "ef", 2), 0);
	CHECK_EQ(recv(sv[1], buffer, 100, 0), 2);
	CHECK_ERRNO(recv(sv[1], buffer, 100, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
}

TEST(unix_stream, wait_for_all)
{
	int sv[2];

	pair(sv, SOCK_STREAM);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_EQ(recv(sv[0], buffer, 6, MSG_WAITALL), 6);
		CHECK_EQ(memcmp(buffer, "abcdef", 6), 0);
		CHECK_OK(close(sv[1]));
		CHECK_EQ(recv(sv[0], buffer, 100, MSG_WAITALL), 2);
		_exit(0);
	}
	CHECK_EQ(write(sv[1], "abc", 3), 3);
	wait_until_blocked(pid);
	CHECK_EQ(write(sv[1], "d", 1), 1);
	wait_until_blocked(pid);
	CHECK_EQ(write(sv[1], "efgh", 4), 4);
	wait_until_blocked(pid);
	CHECK_OK(close(sv[1]));
	CHECK_EXITED(pid, 0);
	/* what is there at once when it may not wait */
	pair(sv, SOCK_STREAM);
	CHECK_EQ(write(sv[1], "abc", 3), 3);
	CHECK_EQ(recv(sv[0], buffer, 6, MSG_WAITALL | MSG_DONTWAIT), 3);
}

TEST(unix_stream, fills_and_drains)
{
	int sv[2], filled = 0, queued;
	ssize_t n;

	pair(sv, SOCK_STREAM | SOCK_NONBLOCK);
	CHECK_EQ(fcntl(sv[0], F_GETFL), O_RDWR | O_NONBLOCK);
	while ((n = write(sv[0], buffer, 4096)) > 0)
		filled += n;
	CHECK_EQ(errno, EAGAIN);
	CHECK_ERRNO(send(sv[0], "x", 1, 0), EAGAIN);
	CHECK_GE(filled, 65536);
	CHECK_EQ(ready(sv[0]), 0);
	CHECK_EQ(ready(sv[1]), POLLIN | POLLOUT);
	CHECK_OK(ioctl(sv[1], FIONREAD, &queued));
	CHECK_EQ(queued, filled);
	CHECK_OK(ioctl(sv[0], FIONREAD, &queued));
	CHECK_EQ(queued, 0);
	while (filled) {
		n = CHECK_OK(read(sv[1], buffer, sizeof(buffer)));
		filled -= n;
	}
	CHECK_EQ(ready(sv[0]), POLLOUT);
	CHECK_ERRNO(read(sv[1], buffer, 1), EAGAIN);
}

/* More than fits, through every call that can carry it: nothing is lost or changed. */
TEST(unix_stream, long_transfers)
{
	struct iovec v = { buffer, sizeof(buffer) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	int sv[2];

	pair(sv, SOCK_STREAM);
	for (size_t i = 0; i < sizeof(buffer); i++)
		buffer[i] = (char)(i * 7 + i / 251);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_EQ(write(sv[0], buffer, sizeof(buffer)), (ssize_t)sizeof(buffer));
		CHECK_EQ(sendmsg(sv[0], &m, 0), (ssize_t)sizeof(buffer));
		CHECK_EQ(send(sv[0], buffer, sizeof(buffer), MSG_MORE), (ssize_t)sizeof(buffer));
		_exit(0);
	}
	CHECK_OK(close(sv[0]));
	char *in = malloc(sizeof(buffer));
	for (int round = 0; round < 3; round++) {
		memset(in, 0, sizeof(buffer));
		CHECK_EQ(recv(sv[1], in, sizeof(buffer), MSG_WAITALL), (ssize_t)sizeof(buffer));
		CHECK_EQ(memcmp(in, buffer, sizeof(buffer)), 0);
	}
	CHECK_EQ(read(sv[1], in, 1), 0);
	CHECK_EXITED(pid, 0);
}

TEST(unix_stream, receive_timeout)
{
	struct timeval t = { 0, 50000 }, got;
	socklen_t size = sizeof(got);
	int sv[2];
	int64_t begin;

	pair(sv, SOCK_STREAM);
	CHECK_OK(setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	CHECK_OK(getsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &got, &size));
	CHECK_EQ(got.tv_sec, 0);
	CHECK(got.tv_usec >= 50000 && got.tv_usec < 70000);
	begin = now_ns();
	CHECK_ERRNO(read(sv[0], buffer, 10), EAGAIN);
	CHECK(now_ns() - begin >= 40000000);
	CHECK_ERRNO(recv(sv[0], buffer, 10, 0), EAGAIN);
	CHECK_EQ(ready(sv[0]), POLLOUT);
	CHECK_EQ(write(sv[1], "abc", 3), 3);
	CHECK_EQ(ready(sv[0]), POLLIN | POLLOUT);
	CHECK_EQ(read(sv[0], buffer, 10), 3);
	CHECK_EQ(write(sv[1], "abc", 3), 3);
	CHECK_EQ(recv(sv[0], buffer, 10, MSG_WAITALL), 3);
	t.tv_usec = 1000000;
	CHECK_ERRNO(setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), EDOM);
	t.tv_usec = 0;
	CHECK_OK(setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
}

TEST(unix_stream, send_timeout)
{
	struct timeval t = { 0, 50000 };
	int sv[2];
	ssize_t n, sum = 0;

	pair(sv, SOCK_STREAM);
	CHECK_OK(setsockopt(sv[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)));
	while ((n = write(sv[0], buffer, sizeof(buffer))) > 0)
		sum += n;
	CHECK_EQ(errno, EAGAIN);
	CHECK_ERRNO(send(sv[0], buffer, 10, 0), EAGAIN);
	while (sum > 0)
		sum -= CHECK_OK(read(sv[1], buffer, sizeof(buffer)));
	CHECK_EQ(write(sv[0], "abc", 3), 3);
	CHECK_EQ(read(sv[1], buffer, 100), 3);
}

static void nothing(int sig __attribute__((unused)))
{
}

/* With SA_RESTART a receive goes on after a signal, unless it has a timeout. */
TEST(unix_stream, interrupted)
{
	struct sigaction a = { .sa_handler = nothing };
	struct timeval t = { 60, 0 };
	struct iovec v = { buffer, 10 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	int sv[2];

	pair(sv, SOCK_STREAM);
	for (int i = 0; i < 4; i++) {
		pid_t pid = FORK();
		if (pid == 0) {
			a.sa_flags = i & 1 ? SA_RESTART : 0;
			CHECK_OK(sigaction(SIGUSR1, &a, NULL));
			if (i == 1) {
				CHECK_EQ(recvmsg(sv[0], &m, 0), 1);
			} else {
				if (i & 2)
					CHECK_OK(setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &t,
							    sizeof(t)));
				CHECK_ERRNO(recvmsg(sv[0], &m, 0), EINTR);
				CHECK_ERRNO(recv(sv[0], buffer, 10, 0), EINTR);
			}
			_exit(0);
		}
		wait_until_blocked(pid);
		CHECK_OK(kill(pid, SIGUSR1));
		wait_until_blocked(pid);
		if (i == 1)
			CHECK_EQ(write(sv[1], "x", 1), 1);
		else
			CHECK_OK(kill(pid, SIGUSR1));
		CHECK_EXITED(pid, 0);
	}
}

TEST(unix_stream, edge_triggered)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP }, got;
	int sv[2], ep = CHECK_OK(epoll_create1(0));

	pair(sv, SOCK_STREAM);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, sv[0], &e));
	CHECK_EQ(epoll_wait(ep, &got, 1, 0), 1);
	CHECK_EQ(got.events, EPOLLOUT);
	CHECK_EQ(epoll_wait(ep, &got, 1, 0), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(write(sv[1], "x", 1), 1);
		CHECK_EQ(epoll_wait(ep, &got, 1, 1000), 1);
		CHECK_EQ(got.events, EPOLLIN | EPOLLOUT);
		CHECK_EQ(epoll_wait(ep, &got, 1, 0), 0);
	}
	CHECK_OK(shutdown(sv[1], SHUT_WR));
	CHECK_EQ(epoll_wait(ep, &got, 1, 1000), 1);
	CHECK_EQ(got.events, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	CHECK_OK(close(sv[1]));
	CHECK_EQ(epoll_wait(ep, &got, 1, 1000), 1);
	CHECK_EQ(got.events & (EPOLLHUP | EPOLLRDHUP), EPOLLHUP | EPOLLRDHUP);
}

TEST(unix_stream, options)
{
	int sv[2], v, on = 1;
	struct linger l;
	struct ucred u;
	socklen_t size;

	pair(sv, SOCK_STREAM);
#define GET(option, value) \
	do { \
		size = sizeof(v); \
		v = -1; \
		CHECK_OK(getsockopt(sv[0], SOL_SOCKET, option, &v, &size)); \
		CHECK_EQ(size, sizeof(v)); \
		CHECK_EQ(v, value); \
	} while (0)
	GET(SO_TYPE, SOCK_STREAM);
	GET(SO_DOMAIN, AF_UNIX);
	GET(SO_PROTOCOL, 0);
	GET(SO_ERROR, 0);
	GET(SO_ACCEPTCONN, 0);
	GET(SO_PASSCRED, 0);
	GET(SO_RCVLOWAT, 1);
	GET(SO_REUSEADDR, 0);
	GET(SO_KEEPALIVE, 0);
	CHECK_OK(setsockopt(sv[0], SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	GET(SO_REUSEADDR, 1);
	v = 20000;
	CHECK_OK(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &v, sizeof(v)));
	GET(SO_SNDBUF, 40000);
	v = 1;
	CHECK_OK(setsockopt(sv[0], SOL_SOCKET, SO_RCVBUF, &v, sizeof(v)));
	size = sizeof(l);
	CHECK_OK(getsockopt(sv[0], SOL_SOCKET, SO_LINGER, &l, &size));
	CHECK_EQ(l.l_onoff, 0);
	size = sizeof(u);
	CHECK_OK(getsockopt(sv[0], SOL_SOCKET, SO_PEERCRED, &u, &size));
	CHECK_EQ(u.pid, getpid());
	CHECK_EQ(u.uid, geteuid());
	CHECK_EQ(u.gid, getegid());
	/* too small for it: as much as there is room for */
	size = 2;
	v = 0;
	CHECK_OK(getsockopt(sv[0], SOL_SOCKET, SO_TYPE, &v, &size));
	CHECK_EQ(size, 2);
	CHECK_EQ(v, SOCK_STREAM);
	CHECK_ERRNO(getsockopt(sv[0], SOL_SOCKET, 9999, &v, &size), ENOPROTOOPT);
	CHECK_ERRNO(setsockopt(sv[0], SOL_SOCKET, SO_TYPE, &on, sizeof(on)), ENOPROTOOPT);
	CHECK_ERRNO(setsockopt(sv[0], SOL_SOCKET, SO_REUSEADDR, &on, 1), EINVAL);
	CHECK_ERRNO(getsockopt(sv[0], 6, 1, &v, &size), EOPNOTSUPP);
	CHECK_ERRNO(setsockopt(sv[0], 6, 1, &on, sizeof(on)), EOPNOTSUPP);
	CHECK_ERRNO(getsockopt(sv[0], SOL_SOCKET, SO_TYPE, BAD_UNMAPPED, &size), EFAULT);
}

TEST(unix_stream, bad_arguments)
{
	struct msghdr m = { .msg_iov = BAD_UNMAPPED, .msg_iovlen = 1 };
	int sv[2], fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600)), p[2];

	CHECK_ERRNO(socketpair(AF_UNIX, 77, 0, sv), EINVAL);
	CHECK_ERRNO(socketpair(AF_UNIX, SOCK_RDM, 0, sv), ESOCKTNOSUPPORT);
	CHECK_ERRNO(socketpair(AF_UNIX, SOCK_STREAM, 5, sv), EPROTONOSUPPORT);
	CHECK_ERRNO(socketpair(AF_UNIX, SOCK_STREAM | 0x100000, 0, sv), EINVAL);
	CHECK_ERRNO(socket(99, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERRNO(socketpair(AF_UNIX, SOCK_STREAM, 0, BAD_UNMAPPED), EFAULT);
	CHECK_ERRNO(send(fd, "x", 1, 0), ENOTSOCK);
	CHECK_ERRNO(recv(fd, buffer, 1, 0), ENOTSOCK);
	CHECK_ERRNO(connect(fd, (void *)buffer, 10), ENOTSOCK);
	CHECK_ERRNO(listen(fd, 1), ENOTSOCK);
	CHECK_ERRNO(shutdown(fd, 0), ENOTSOCK);
	CHECK_ERRNO(getsockname(fd, (void *)buffer, (socklen_t[]){ 10 }), ENOTSOCK);
	CHECK_OK(pipe(p));
	CHECK_ERRNO(send(p[1], "x", 1, 0), ENOTSOCK);
	CHECK_ERRNO(accept(0, NULL, NULL), ENOTSOCK);
	CHECK_ERRNO(send(99, "x", 1, 0), EBADF);
	CHECK_ERRNO(listen(99, 1), EBADF);
	CHECK_OK(close(fd));
	pair(sv, SOCK_STREAM);
	CHECK_ERRNO(send(sv[0], BAD_UNMAPPED, 1, 0), EFAULT);
	CHECK_ERRNO(sendmsg(sv[0], &m, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_sendmsg, sv[0], BAD_UNMAPPED, 0), EFAULT);
	CHECK_EQ(write(sv[0], "abc", 3), 3);
	CHECK_ERRNO(recv(sv[1], BAD_UNMAPPED, 3, 0), EFAULT);
	CHECK_ERRNO(recv(sv[1], BAD_UNMAPPED, 3, MSG_PEEK), EFAULT);
	CHECK_EQ(recv(sv[1], buffer, 10, 0), 3);
	CHECK_ERRNO(ioctl(sv[0], 0x5401, buffer), ENOTTY);
	CHECK_EQ(send(sv[0], "", 0, 0), 0);
	CHECK_EQ(write(sv[0], "", 0), 0);
	CHECK_EQ(read(sv[1], buffer, 0), 0);
	CHECK_ERRNO(recv(sv[1], buffer, 10, MSG_DONTWAIT), EAGAIN);
}

TEST(unix_stream, what_stat_says)
{
	struct statfs fs;
	struct stat st;
	char path[64], link[64], want[64];
	int sv[2];
	ssize_t n;

	pair(sv, SOCK_STREAM);
	CHECK_OK(fstat(sv[0], &st));
	CHECK(S_ISSOCK(st.st_mode));
	CHECK_EQ(st.st_mode & 07777, 0777);
	CHECK_EQ(st.st_size, 0);
	CHECK_OK(fstatfs(sv[0], &fs));
	CHECK_EQ(fs.f_type, 0x534f434b);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", sv[0]);
	n = CHECK_OK(readlink(path, link, sizeof(link) - 1));
	link[n] = '\0';
	snprintf(want, sizeof(want), "socket:[%lu]", (unsigned long)st.st_ino);
	CHECK_STR(link, want);
	CHECK_ERRNO(open(path, O_RDWR), ENXIO);
	CHECK_OK(fchmod(sv[0], 0700));
	CHECK_OK(fstat(sv[0], &st));
	CHECK_EQ(st.st_mode & 07777, 0700);
	CHECK_ERRNO(ftruncate(sv[0], 0), EINVAL);
	CHECK_ERRNO(fsync(sv[0]), EINVAL);
	CHECK_ERRNO(pread(sv[0], buffer, 1, 0), ESPIPE);
}

TEST(unix_stream, not_connected)
{
	int s = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));

	CHECK_EQ(ready(s), POLLOUT | POLLHUP);
	CHECK_ERRNO(send(s, "x", 1, MSG_NOSIGNAL), ENOTCONN);
	CHECK_ERRNO(write(s, "x", 1), ENOTCONN);
	CHECK_ERRNO(recv(s, buffer, 1, 0), EINVAL);
	CHECK_ERRNO(read(s, buffer, 1), EINVAL);
	CHECK_ERRNO(accept(s, NULL, NULL), EINVAL);
	CHECK_ERRNO(listen(s, 1), EINVAL);
	CHECK_ERRNO(getpeername(s, (void *)buffer, (socklen_t[]){ 100 }), ENOTCONN);
	CHECK_OK(shutdown(s, SHUT_RDWR));
}

TEST(unix_stream, sendfile_into_it)
{
	int sv[2], fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	pair(sv, SOCK_STREAM);
	CHECK_EQ(write(fd, "contents", 8), 8);
	CHECK_OK(lseek(fd, 2, SEEK_SET));
	CHECK_EQ(sendfile(sv[0], fd, NULL, 100), 6);
	CHECK_EQ(read(sv[1], buffer, 100), 6);
	CHECK_EQ(memcmp(buffer, "ntents", 6), 0);
}

TEST(unix_stream, many_messages)
{
	struct mmsghdr m[3];
	struct iovec v[3];

	for (int i = 0; i < 3; i++) {
		v[i] = (struct iovec){ i == 0 ? "abc" : i == 1 ? "de" : "f", (size_t)(3 - i) };
		m[i] = (struct mmsghdr){ { .msg_iov = &v[i], .msg_iovlen = 1 }, 0 };
	}
	int sv[2];
	pair(sv, SOCK_STREAM);
	CHECK_EQ(sendmmsg(sv[0], m, 3, 0), 3);
	CHECK_EQ(m[0].msg_len, 3);
	CHECK_EQ(m[2].msg_len, 1);
	for (int i = 0; i < 3; i++)
		v[i] = (struct iovec){ buffer + 10 * i, 2 };
	CHECK_EQ(recvmmsg(sv[1], m, 3, 0, NULL), 3);
	CHECK_EQ(m[2].msg_len, 2);
	CHECK_EQ(memcmp(buffer + 20, "ef", 2), 0);
	CHECK_EQ(write(sv[0], "xyz", 3), 3);
	CHECK_EQ(recvmmsg(sv[1], m, 3, MSG_WAITFORONE, NULL), 2);
	CHECK_EQ(m[1].msg_len, 1);
	CHECK_ERRNO(recvmmsg(sv[1], m, 3, MSG_DONTWAIT, NULL), EAGAIN);
}

/* Both ends in the hands of several processes at once. */
TEST(unix_stream, shared_ends)
{
	int sv[2], sum = 0;
	pid_t pid[4];

	pair(sv, SOCK_STREAM);
	for (int i = 0; i < 4; i++) {
		pid[i] = FORK();
		if (pid[i] == 0) {
			CHECK_OK(close(sv[0]));
			for (int j = 0; j < 500; j++)
				CHECK_EQ(i & 1 ? send(sv[1], "x", 1, 0) : write(sv[1], "x", 1), 1);
			_exit(0);
		}
	}
	CHECK_OK(close(sv[1]));
	for (ssize_t n; (n = CHECK_OK(read(sv[0], buffer, 100))) > 0;)
		sum += n;
	CHECK_EQ(sum, 2000);
	for (int i = 0; i < 4; i++)
		CHECK_EXITED(pid[i], 0);
}

static void *thread_echo(void *arg)
{
	int s = (int)(intptr_t)arg;
	char c[64];
	ssize_t n;

	while ((n = recv(s, c, sizeof(c), 0)) > 0)
		CHECK_EQ(send(s, c, (size_t)n, 0), n);
	CHECK_EQ(n, 0);
	return NULL;
}

TEST(unix_stream, echo_between_threads)
{
	enum { PAIRS = 4 };
	pthread_t thread[PAIRS];
	int sv[PAIRS][2];
	char c[8];

	for (int i = 0; i < PAIRS; i++) {
		pair(sv[i], i & 1 ? SOCK_SEQPACKET : SOCK_STREAM);
		CHECK_EQ(pthread_create(&thread[i], NULL, thread_echo, (void *)(intptr_t)sv[i][1]),
			 0);
	}
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < PAIRS; i++)
			CHECK_EQ(write(sv[i][0], &round, 4), 4);
		for (int i = 0; i < PAIRS; i++) {
			CHECK_EQ(recv(sv[i][0], c, 4, MSG_WAITALL), 4);
			CHECK_EQ(memcmp(c, &round, 4), 0);
		}
	}
	for (int i = 0; i < PAIRS; i++) {
		CHECK_OK(shutdown(sv[i][0], SHUT_WR));
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	}
}
