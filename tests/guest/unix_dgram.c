/*
 * AF_UNIX datagrams and sequenced packets: boundaries, truncation, who may send to whom, full
 * queues, ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unix.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[300000];

static socklen_t name_of(struct sockaddr_un *a, const char *path)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	strcpy(a->sun_path, path);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}

static int bound(int type, const char *path)
{
	struct sockaddr_un a;
	int s = CHECK_OK(socket(AF_UNIX, type, 0));

	CHECK_OK(bind(s, (void *)&a, name_of(&a, path)));
	return s;
}

static int connect_to(int s, const char *path)
{
	struct sockaddr_un a;

	return connect(s, (void *)&a, name_of(&a, path));
}

TEST(unix_dgram, boundaries)
{
	static const int types[] = { SOCK_DGRAM, SOCK_SEQPACKET };
	int sv[2];

	for (size_t i = 0; i < LENGTH(types); i++) {
		pair(sv, types[i]);
		CHECK_EQ(write(sv[0], "abc", 3), 3);
		CHECK_EQ(send(sv[0], "", 0, 0), 0);
		CHECK_EQ(send(sv[0], "defgh", 5, MSG_EOR), 5);
		CHECK_EQ(read(sv[1], buffer, 100), 3);
		CHECK_EQ(recv(sv[1], buffer, 100, 0), 0);
		CHECK_EQ(recv(sv[1], buffer, 2, 0), 2);
		CHECK_EQ(memcmp(buffer, "de", 2), 0);
		CHECK_ERRNO(recv(sv[1], buffer, 100, MSG_DONTWAIT), EAGAIN);
		CHECK_OK(close(sv[0]));
		CHECK_OK(close(sv[1]));
	}
}

TEST(unix_dgram, truncation)
{
	struct iovec v[2] = { { buffer, 2 }, { buffer + 10, 2 } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };
	int sv[2];

	pair(sv, SOCK_DGRAM);
	CHECK_EQ(write(sv[0], "abcdefg", 7), 7);
	CHECK_EQ(recv(sv[1], buffer, 3, MSG_TRUNC | MSG_PEEK), 7);
	CHECK_EQ(recvmsg(sv[1], &m, MSG_PEEK), 4);
	CHECK_EQ(m.msg_flags, MSG_TRUNC);
	CHECK_EQ(memcmp(buffer + 10, "cd", 2), 0);
	CHECK_EQ(recvmsg(sv[1], &m, MSG_TRUNC), 7);
	CHECK_EQ(m.msg_flags & MSG_TRUNC, MSG_TRUNC);
	CHECK_EQ(write(sv[0], "abcd", 4), 4);
	CHECK_EQ(recvmsg(sv[1], &m, 0), 4);
	CHECK_EQ(m.msg_flags, 0);
}

TEST(unix_dgram, vectors)
{
	struct iovec out[2] = { { "ab", 2 }, { "cde", 3 } },
		     in[2] = { { buffer, 1 }, { buffer + 10, 10 } };
	int sv[2];

	pair(sv, SOCK_SEQPACKET);
	CHECK_EQ(writev(sv[0], out, 2), 5);
	CHECK_EQ(readv(sv[1], in, 2), 5);
	CHECK_EQ(memcmp(buffer + 10, "bcde", 4), 0);
}

TEST(unix_dgram, queued_sizes)
{
	int sv[2], n;

	pair(sv, SOCK_DGRAM);
	CHECK_EQ(write(sv[0], "abc", 3), 3);
	CHECK_EQ(write(sv[0], "defgh", 5), 5);
	CHECK_OK(ioctl(sv[1], FIONREAD, &n));
	CHECK_EQ(n, 3);
	pair(sv, SOCK_SEQPACKET);
	CHECK_OK(ioctl(sv[1], FIONREAD, &n));
	CHECK_EQ(n, 0);
	CHECK_EQ(write(sv[0], "abc", 3), 3);
	CHECK_EQ(write(sv[0], "defgh", 5), 5);
	CHECK_OK(ioctl(sv[1], FIONREAD, &n));
	CHECK_EQ(n, 8);
}

TEST(unix_dgram, addresses)
{
	struct sockaddr_un a;
	socklen_t size = sizeof(a);
	int s = bound(SOCK_DGRAM, "s"), c = bound(SOCK_DGRAM, "client"),
	    nameless = CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0));

	CHECK_EQ(sendto(c, "one", 3, 0, (void *)&a, name_of(&a, "s")), 3);
	CHECK_EQ(sendto(nameless, "two!", 4, 0, (void *)&a, name_of(&a, "s")), 4);
	memset(&a, 1, sizeof(a));
	CHECK_EQ(recvfrom(s, buffer, 100, 0, (void *)&a, &size), 3);
	CHECK_EQ(size, offsetof(struct sockaddr_un, sun_path) + 7);
	CHECK_EQ(a.sun_family, AF_UNIX);
	CHECK_STR(a.sun_path, "client");
	CHECK_EQ(sendto(s, "back", 4, 0, (void *)&a, size), 4);
	size = sizeof(a);
	CHECK_EQ(recvfrom(s, buffer, 100, 0, (void *)&a, &size), 4);
	CHECK_EQ(size, 0);
	size = 5;
	CHECK_EQ(recvfrom(c, buffer, 100, 0, (void *)&a, &size), 4);
	CHECK_EQ(size, offsetof(struct sockaddr_un, sun_path) + 2);
	CHECK_ERRNO(sendto(c, "x", 1, 0, (void *)&a, name_of(&a, "nobody")), ENOENT);
	file_write("file", "", 0);
	CHECK_ERRNO(sendto(c, "x", 1, 0, (void *)&a, name_of(&a, "file")), ECONNREFUSED);
	CHECK_OK(close(s));
	CHECK_ERRNO(sendto(c, "x", 1, 0, (void *)&a, name_of(&a, "s")), ECONNREFUSED);
	CHECK_ERRNO(send(c, "x", 1, 0), ENOTCONN);
	bound(SOCK_SEQPACKET, "q");
	CHECK_ERRNO(sendto(c, "x", 1, 0, (void *)&a, name_of(&a, "q")), EPROTOTYPE);
}

TEST(unix_dgram, connected)
{
	struct sockaddr_un a;
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	socklen_t size = sizeof(a);
	int s = bound(SOCK_DGRAM, "s"), c = bound(SOCK_DGRAM, "c"),
	    other = CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0));

	CHECK_OK(connect_to(c, "s"));
	CHECK_OK(getpeername(c, (void *)&a, &size));
	CHECK_STR(a.sun_path, "s");
	CHECK_EQ(write(c, "abc", 3), 3);
	CHECK_EQ(read(s, buffer, 100), 3);
	/* s is nobody's, so anybody may send to it; once connected, its peer alone may */
	CHECK_EQ(sendto(other, "x", 1, 0, (void *)&a, name_of(&a, "s")), 1);
	CHECK_EQ(read(s, buffer, 100), 1);
	CHECK_OK(connect_to(s, "c"));
	CHECK_ERRNO(sendto(other, "x", 1, 0, (void *)&a, name_of(&a, "s")), EPERM);
	CHECK_ERRNO(connect_to(other, "s"), EPERM);
	CHECK_EQ(write(c, "abc", 3), 3);
	CHECK_EQ(write(s, "de", 2), 2);
	CHECK_EQ(read(s, buffer, 100), 3);
	CHECK_EQ(read(c, buffer, 100), 2);
	CHECK_OK(connect(s, &none, sizeof(none)));
	CHECK_ERRNO(write(s, "x", 1), ENOTCONN);
	CHECK_EQ(sendto(other, "x", 1, 0, (void *)&a, name_of(&a, "s")), 1);
}

TEST(unix_dgram, peer_gone)
{
	int s = bound(SOCK_DGRAM, "s"), c = CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0)), sv[2];

	CHECK_OK(connect_to(c, "s"));
	CHECK_EQ(write(c, "abc", 3), 3);
	CHECK_OK(close(s));
	CHECK_EQ(ready(c), POLLOUT);
	CHECK_ERRNO(write(c, "x", 1), ECONNREFUSED);
	CHECK_ERRNO(write(c, "x", 1), ENOTCONN);
	CHECK_ERRNO(connect_to(c, "s"), ECONNREFUSED);
	pair(sv, SOCK_DGRAM);
	CHECK_EQ(write(sv[0], "abc", 3), 3);
	CHECK_OK(close(sv[0]));
	CHECK_EQ(ready(sv[1]), POLLIN | POLLOUT);
	CHECK_EQ(read(sv[1], buffer, 100), 3);
	CHECK_ERRNO(recv(sv[1], buffer, 100, MSG_DONTWAIT), EAGAIN);
	CHECK_ERRNO(send(sv[1], "x", 1, 0), ECONNREFUSED);
	CHECK_ERRNO(send(sv[1], "x", 1, 0), ENOTCONN);
}

/* Nobody reads: a sender who is not its peer's peer meets a full queue soon. */
TEST(unix_dgram, full_queue)
{
	int s = bound(SOCK_DGRAM, "s"),
	    c = CHECK_OK(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)), n = 0;

	CHECK_OK(connect_to(c, "s"));
	CHECK_EQ(ready(c), POLLOUT);
	while (send(c, "x", 1, 0) == 1)
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK_GE(n, 10);
	CHECK_EQ(ready(c), 0);
	CHECK_EQ(read(s, buffer, 10), 1);
	CHECK_EQ(ready(c), POLLOUT);
	CHECK_EQ(send(c, "x", 1, 0), 1);
	CHECK_EQ(ready(c), 0);
	CHECK_OK(fcntl(c, F_SETFL, 0));
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_EQ(send(c, "last", 4, 0), 4);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_EQ(read(s, buffer, 10), 1);
	CHECK_EXITED(pid, 0);
	/* the queue's owner going lets the sender go, too */
	pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(s));
		CHECK_ERRNO(send(c, "x", 1, 0), ECONNREFUSED);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(close(s));
	CHECK_EXITED(pid, 0);
}

/* Between peers the sender's buffer is the limit. */
TEST(unix_dgram, full_buffer)
{
	int sv[2], n = 0, size = 4608;

	pair(sv, SOCK_SEQPACKET | SOCK_NONBLOCK);
	CHECK_OK(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	while (send(sv[0], buffer, 100, 0) == 100)
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK(n >= 4 && n < 200);
	CHECK_EQ(ready(sv[0]) & POLLOUT, 0);
	for (int i = 0; i < n; i++)
		CHECK_EQ(read(sv[1], buffer, 200), 100);
	CHECK_EQ(ready(sv[0]), POLLOUT);
	CHECK_OK(fcntl(sv[0], F_SETFL, 0));
	while (n--)
		CHECK_EQ(send(sv[0], buffer, 100, 0), 100);
	pid_t pid = FORK();
	if (pid == 0) {
		for (int i = 0; i < 50; i++)
			CHECK_EQ(send(sv[0], buffer, 100, 0), 100);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(close(sv[0]));
	CHECK_OK(fcntl(sv[1], F_SETFL, 0));
	for (n = 0; read(sv[1], buffer, 200) == 100; n++)
		;
	CHECK_GT(n, 50);
	CHECK_EXITED(pid, 0);
}

TEST(unix_dgram, too_long)
{
	int sv[2], size = 10000;

	pair(sv, SOCK_DGRAM);
	CHECK_EQ(send(sv[0], buffer, 100000, 0), 100000);
	CHECK_EQ(recv(sv[1], buffer, sizeof(buffer), 0), 100000);
	CHECK_ERRNO(send(sv[0], buffer, 250000, 0), EMSGSIZE);
	CHECK_OK(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	CHECK_ERRNO(send(sv[0], buffer, 20000, 0), EMSGSIZE);
	CHECK_EQ(send(sv[0], buffer, 19000, 0), 19000);
}

TEST(unix_dgram, shutdown)
{
	int sv[2];

	pair(sv, SOCK_DGRAM);
	CHECK_OK(shutdown(sv[0], SHUT_WR));
	CHECK_ERRNO(send(sv[0], "x", 1, 0), EPIPE);	/* without a signal */
	CHECK_ERRNO(recv(sv[1], buffer, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_OK(shutdown(sv[1], SHUT_RD));
	CHECK_EQ(recv(sv[1], buffer, 1, 0), 0);
	pair(sv, SOCK_DGRAM);
	CHECK_OK(shutdown(sv[1], SHUT_RD));
	CHECK_ERRNO(send(sv[0], "x", 1, 0), EPIPE);
	CHECK_EQ(send(sv[1], "x", 1, 0), 1);
}

TEST(unix_dgram, sequenced_end)
{
	int sv[2];

	pair(sv, SOCK_SEQPACKET);
	CHECK_EQ(write(sv[0], "abc", 3), 3);
	CHECK_OK(shutdown(sv[0], SHUT_WR));
	CHECK_EQ(ready(sv[1]), POLLIN | POLLOUT | POLLRDHUP);
	CHECK_EQ(read(sv[1], buffer, 10), 3);
	CHECK_EQ(read(sv[1], buffer, 10), 0);
	CHECK_EQ(recv(sv[1], buffer, 10, MSG_DONTWAIT), 0);
	CHECK_EQ(write(sv[1], "abc", 3), 3);
	CHECK_OK(close(sv[0]));
	CHECK_EQ(ready(sv[1]), POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR);
	CHECK_ERRNO(read(sv[1], buffer, 10), ECONNRESET);
	CHECK_EQ(read(sv[1], buffer, 10), 0);
	CHECK_ERRNO(send(sv[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	pair(sv, SOCK_SEQPACKET);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(sv[1]));
		CHECK_EQ(read(sv[0], buffer, 10), 0);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(close(sv[1]));
	CHECK_EXITED(pid, 0);
}

TEST(unix_dgram, sequenced_connection)
{
	struct sockaddr_un a;
	socklen_t size = sizeof(a);
	int l = bound(SOCK_SEQPACKET, "s"), c = CHECK_OK(socket(AF_UNIX, SOCK_SEQPACKET, 0)), s;

	CHECK_EQ(ready(c), POLLOUT | POLLHUP);
	CHECK_ERRNO(send(c, "x", 1, 0), ENOTCONN);
	CHECK_ERRNO(recv(c, buffer, 1, 0), ENOTCONN);
	CHECK_ERRNO(connect_to(c, "s"), ECONNREFUSED);
	CHECK_OK(listen(l, 5));
	CHECK_EQ(ready(l), 0);
	CHECK_OK(connect_to(c, "s"));
	CHECK_EQ(ready(l), POLLIN);
	CHECK_EQ(send(c, "early", 5, 0), 5);
	s = CHECK_OK(accept(l, (void *)&a, &size));
	CHECK_EQ(size, 2);
	CHECK_EQ(read(s, buffer, 10), 5);
	CHECK_EQ(sendto(s, "abc", 3, 0, (void *)&a, name_of(&a, "nowhere")), 3);
	CHECK_EQ(read(c, buffer, 10), 3);
	CHECK_ERRNO(connect_to(c, "s"), EISCONN);
}

TEST(unix_dgram, waits_for_a_message)
{
	int sv[2];

	pair(sv, SOCK_DGRAM);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_EQ(read(sv[0], buffer, 10), 3);
		CHECK_EQ(recv(sv[0], buffer, 10, MSG_WAITALL), 2);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_EQ(write(sv[1], "abc", 3), 3);
	wait_until_blocked(pid);
	CHECK_EQ(write(sv[1], "de", 2), 2);
	CHECK_EXITED(pid, 0);
}

TEST(unix_dgram, timeouts)
{
	struct timeval t = { 0, 40000 };
	int sv[2];

	pair(sv, SOCK_DGRAM);
	CHECK_OK(setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	CHECK_OK(setsockopt(sv[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)));
	int64_t begin = now_ns();
	CHECK_ERRNO(recv(sv[0], buffer, 10, 0), EAGAIN);
	CHECK(now_ns() - begin >= 30000000);
	while (send(sv[0], buffer, 1000, 0) == 1000)
		;
	CHECK_EQ(errno, EAGAIN);
}

TEST(unix_dgram, many_messages)
{
	struct mmsghdr m[4];
	struct iovec v[4];
	struct timespec zero = { 0, 0 };
	int sv[2];

	for (int i = 0; i < 4; i++) {
		v[i] = (struct iovec){ "abcdef", (size_t)i + 1 };
		m[i] = (struct mmsghdr){ { .msg_iov = &v[i], .msg_iovlen = 1 }, 0 };
	}
	pair(sv, SOCK_DGRAM);
	CHECK_EQ(sendmmsg(sv[0], m, 4, 0), 4);
	CHECK_EQ(m[3].msg_len, 4);
	for (int i = 0; i < 4; i++)
		v[i] = (struct iovec){ buffer + 10 * i, 3 };
	CHECK_EQ(recvmmsg(sv[1], m, 2, 0, NULL), 2);
	CHECK_EQ(m[1].msg_len, 2);
	CHECK_EQ(recvmmsg(sv[1], m, 4, MSG_WAITFORONE, NULL), 2);
	CHECK_EQ(m[1].msg_len, 3);
	CHECK_EQ(m[1].msg_hdr.msg_flags, MSG_TRUNC);
	CHECK_EQ(sendmmsg(sv[0], m, 1, 0), 1);
	CHECK_EQ(recvmmsg(sv[1], m, 4, 0, &zero), 1);
	CHECK_EQ(sendmmsg(sv[0], m, 0, 0), 0);
	/* waits until all have come */
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_EQ(recvmmsg(sv[1], m, 4, 0, NULL), 4);
		_exit(0);
	}
	for (int i = 0; i < 4; i++) {
		wait_until_blocked(pid);
		CHECK_EQ(send(sv[0], "x", 1, 0), 1);
	}
	CHECK_EXITED(pid, 0);
}

TEST(unix_dgram, edge_triggered)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET }, got;
	int sv[2], ep = CHECK_OK(epoll_create1(0));

	pair(sv, SOCK_DGRAM);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, sv[0], &e));
	CHECK_EQ(epoll_wait(ep, &got, 1, 0), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(write(sv[1], "x", 1), 1);
		CHECK_EQ(epoll_wait(ep, &got, 1, 1000), 1);
		CHECK_EQ(got.events, EPOLLIN);
		CHECK_EQ(epoll_wait(ep, &got, 1, 0), 0);
	}
}

TEST(unix_dgram, bad_buffers)
{
	int sv[2];

	pair(sv, SOCK_DGRAM);
	CHECK_ERRNO(send(sv[0], BAD_UNMAPPED, 10, 0), EFAULT);
	CHECK_ERRNO(recv(sv[1], buffer, 10, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send(sv[0], "abc", 3, 0), 3);
	CHECK_ERRNO(recv(sv[1], BAD_UNMAPPED, 10, MSG_PEEK), EFAULT);
	CHECK_EQ(recv(sv[1], buffer, 10, 0), 3);
	CHECK_ERRNO(recv(sv[1], buffer, 10, MSG_OOB), EOPNOTSUPP);
	CHECK_ERRNO(send(sv[1], buffer, 10, MSG_OOB), EOPNOTSUPP);
	CHECK_ERRNO(listen(sv[0], 1), EOPNOTSUPP);
	CHECK_ERRNO(accept(sv[0], NULL, NULL), EOPNOTSUPP);
}

/* A socket that sends to itself. */
TEST(unix_dgram, to_itself)
{
	int s = bound(SOCK_DGRAM, "s");

	CHECK_OK(connect_to(s, "s"));
	CHECK_EQ(write(s, "abc", 3), 3);
	CHECK_EQ(ready(s), POLLIN | POLLOUT);
	CHECK_EQ(read(s, buffer, 10), 3);
}
