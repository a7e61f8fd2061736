/*
 * Descriptors and credentials sent over AF_UNIX sockets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unix.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[8192];

/* Sends n bytes of "abcdef.." with these descriptors. */
static ssize_t send_fds(int s, size_t n, const int *fd, int count, int flags)
{
	static _Alignas(8) char control[CMSG_SPACE(300 * sizeof(int))];
	struct iovec v = { "abcdefghijklmnop", n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	struct cmsghdr *c = (void *)control;

	if (count) {
		m.msg_control = control;
		m.msg_controllen = CMSG_LEN((size_t)count * sizeof(int));
		c->cmsg_len = (socklen_t)m.msg_controllen;
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(c), fd, (size_t)count * sizeof(int));
	}
	return sendmsg(s, &m, flags);
}

struct got {
	ssize_t size;
	int flags, fd[300], count;
	struct ucred cred;
	int creds;
};

/* Receives at most n bytes, with room for so many descriptors. */
static struct got receive(int s, size_t n, int room, int flags)
{
	static _Alignas(
		8) char control[CMSG_SPACE(300 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	struct iovec v = { buffer, n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = room ? control : NULL,
			    .msg_controllen = room ? CMSG_LEN((size_t)room * sizeof(int)) : 0 };
	struct got g = { 0 };

	g.size = recvmsg(s, &m, flags);
	g.flags = m.msg_flags;
	if (g.size < 0)
		return g;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		CHECK_EQ(c->cmsg_level, SOL_SOCKET);
		if (c->cmsg_type == SCM_RIGHTS) {
			g.count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(g.fd, CMSG_DATA(c), (size_t)g.count * sizeof(int));
		} else {
			CHECK_EQ(c->cmsg_type, SCM_CREDENTIALS);
			memcpy(&g.cred, CMSG_DATA(c), sizeof(g.cred));
			g.creds++;
		}
	}
	return g;
}

static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

TEST(unix_rights, a_file_is_shared)
{
	int sv[2], fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	struct got g;

	for (size_t i = 0; i < LENGTH(types); i++) {
		pair(sv, types[i]);
		CHECK_EQ(send_fds(sv[0], 1, &fd, 1, 0), 1);
		g = receive(sv[1], 10, 5, 0);
		CHECK_EQ(g.size, 1);
		CHECK_EQ(g.flags, 0);
		CHECK_EQ(g.count, 1);
		CHECK_EQ(fcntl(g.fd[0], F_GETFD), 0);
		CHECK_EQ(write(g.fd[0], "abc", 3), 3);
		CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3 * (off_t)(i + 1));
		CHECK_OK(close(g.fd[0]));
		CHECK_EQ(send_fds(sv[0], 1, &fd, 1, 0), 1);
		g = receive(sv[1], 10, 5, MSG_CMSG_CLOEXEC);
		CHECK_EQ(fcntl(g.fd[0], F_GETFD), FD_CLOEXEC);
		CHECK_OK(close(g.fd[0]));
		CHECK_OK(close(sv[0]));
		CHECK_OK(close(sv[1]));
	}
}

TEST(unix_rights, to_another_process)
{
	int sv[2], p[2];

	pair(sv, SOCK_STREAM);
	pid_t pid = FORK();
	if (pid == 0) {
		struct got g = receive(sv[1], 10, 5, 0);

		CHECK_EQ(g.count, 2);
		CHECK_EQ(write(g.fd[1], "hello", 5), 5);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(pipe(p));
	CHECK_EQ(send_fds(sv[0], 1, p, 2, 0), 1);
	CHECK_OK(close(p[1]));
	CHECK_EQ(read(p[0], buffer, 100), 5);
	CHECK_EXITED(pid, 0);
	CHECK_EQ(read(p[0], buffer, 100), 0);
}

/* What is on its way keeps the file open after its sender has closed it. */
TEST(unix_rights, on_the_way)
{
	int sv[2], p[2];
	struct got g;

	pair(sv, SOCK_STREAM);
	CHECK_OK(pipe(p));
	CHECK_EQ(send_fds(sv[0], 1, &p[1], 1, 0), 1);
	CHECK_OK(close(p[1]));
	CHECK_OK(fcntl(p[0], F_SETFL, O_NONBLOCK));
	CHECK_ERRNO(read(p[0], buffer, 1), EAGAIN);
	g = receive(sv[1], 1, 1, 0);
	CHECK_EQ(g.count, 1);
	CHECK_EQ(write(g.fd[0], "x", 1), 1);
	CHECK_EQ(read(p[0], buffer, 10), 1);
	CHECK_OK(close(g.fd[0]));
	CHECK_EQ(read(p[0], buffer, 10), 0);
}

/* Thrown away: by a read without control data, and by closing the socket. */
TEST(unix_rights, thrown_away)
{
	int sv[2], p[2];

	for (size_t i = 0; i < 2 * LENGTH(types); i++) {
		pair(sv, types[i / 2]);
		CHECK_OK(pipe(p));
		CHECK_EQ(send_fds(sv[0], 1, &p[1], 1, 0), 1);
		CHECK_OK(close(p[1]));
		if (i & 1)
			CHECK_EQ(read(sv[1], buffer, 10), 1);
		else
			CHECK_OK(close(sv[1]));
		CHECK_EQ(read(p[0], buffer, 10), 0);
		CHECK_OK(close(p[0]));
	}
}

TEST(unix_rights, stream_boundaries)
{
	int sv[2], fd = CHECK_OK(open("/dev/null", O_RDWR));
	struct got g;

	pair(sv, SOCK_STREAM);
	CHECK_EQ(write(sv[0], "123", 3), 3);
	CHECK_EQ(send_fds(sv[0], 4, &fd, 1, 0), 4);
	CHECK_EQ(write(sv[0], "456", 3), 3);
	/* bytes before it go along, those after it do not */
	g = receive(sv[1], 100, 5, 0);
	CHECK_EQ(g.size, 7);
	CHECK_EQ(memcmp(buffer, "123abcd", 7), 0);
	CHECK_EQ(g.count, 1);
	g = receive(sv[1], 100, 5, 0);
	CHECK_EQ(g.size, 3);
	CHECK_EQ(g.count, 0);
	/* the descriptors come with the first byte that is taken */
	CHECK_EQ(write(sv[0], "123", 3), 3);
	CHECK_EQ(send_fds(sv[0], 4, &fd, 1, 0), 4);
	CHECK_EQ(send_fds(sv[0], 2, &fd, 1, 0), 2);
	g = receive(sv[1], 3, 5, 0);
	CHECK_EQ(g.size, 3);
	CHECK_EQ(g.count, 0);
	g = receive(sv[1], 2, 5, 0);
	CHECK_EQ(g.size, 2);
	CHECK_EQ(g.count, 1);
	g = receive(sv[1], 100, 5, 0);
	CHECK_EQ(g.size, 4);
	CHECK_EQ(g.count, 1);
	CHECK_EQ(memcmp(buffer, "cdab", 4), 0);
	CHECK_EQ(write(sv[0], "z", 1), 1);
	CHECK_EQ(read(sv[1], buffer, 100), 1);
	/* plain reads stop there as well */
	CHECK_EQ(send_fds(sv[0], 4, &fd, 1, 0), 4);
	CHECK_EQ(write(sv[0], "456", 3), 3);
	CHECK_EQ(read(sv[1], buffer, 100), 4);
	CHECK_EQ(read(sv[1], buffer, 100), 3);
}

TEST(unix_rights, readiness_with_descriptors_waiting)
{
	int sv[2], fd = CHECK_OK(open("/dev/null", O_RDWR));
	struct pollfd p;

	pair(sv, SOCK_STREAM);
	p = (struct pollfd){ sv[1], POLLIN | POLLOUT, 0 };
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
	CHECK_EQ(send_fds(sv[0], 4, &fd, 1, 0), 4);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN | POLLOUT);
	CHECK_EQ(receive(sv[1], 2, 5, 0).count, 1);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN | POLLOUT);
	CHECK_EQ(receive(sv[1], 2, 5, 0).count, 0);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
}

TEST(unix_rights, peek)
{
	int sv[2], fd = CHECK_OK(open("/dev/null", O_RDWR));
	struct got g;

	for (size_t i = 0; i < LENGTH(types); i++) {
		pair(sv, types[i]);
		CHECK_EQ(send_fds(sv[0], 4, &fd, 1, 0), 4);
		g = receive(sv[1], 10, 5, MSG_PEEK);
		CHECK_EQ(g.size, 4);
		CHECK_EQ(g.count, 1);
		CHECK_OK(close(g.fd[0]));
		g = receive(sv[1], 10, 5, 0);
		CHECK_EQ(g.size, 4);
		CHECK_EQ(g.count, 1);
		CHECK_OK(close(g.fd[0]));
	}
}

TEST(unix_rights, many)
{
	int sv[2], fd[254], p[2];
	struct got g;

	pair(sv, SOCK_STREAM);
	CHECK_OK(pipe(p));
	for (int i = 0; i < 254; i++)
		fd[i] = p[1];
	CHECK_ERRNO(send_fds(sv[0], 1, fd, 254, 0), EINVAL);
	CHECK_EQ(send_fds(sv[0], 1, fd, 253, 0), 1);
	g = receive(sv[1], 10, 300, 0);
	CHECK_EQ(g.count, 253);
	for (int i = 0; i < 253; i++)
		CHECK_OK(close(g.fd[i]));
	CHECK_OK(close(p[1]));
	CHECK_EQ(read(p[0], buffer, 1), 0);
}

/* More than there is room for: the rest is closed. */
TEST(unix_rights, truncated)
{
	int sv[2], fd[3], p[2];
	struct got g;

	pair(sv, SOCK_DGRAM);
	CHECK_OK(pipe(p));
	for (int i = 0; i < 3; i++)
		fd[i] = p[1];
	CHECK_EQ(send_fds(sv[0], 1, fd, 3, 0), 1);
	g = receive(sv[1], 10, 2, 0);
	CHECK_EQ(g.flags, MSG_CTRUNC);
	CHECK_EQ(g.count, 2);
	CHECK_OK(close(g.fd[0]));
	CHECK_OK(close(g.fd[1]));
	CHECK_EQ(send_fds(sv[0], 1, fd, 3, 0), 1);
	g = receive(sv[1], 10, 0, 0);
	CHECK_EQ(g.flags, MSG_CTRUNC);
	CHECK_OK(close(p[1]));
	CHECK_EQ(read(p[0], buffer, 1), 0);
}

TEST(unix_rights, table_is_full)
{
	struct rlimit limit = { 10, 10 };
	int sv[2], fd[2], p[2];
	struct got g;

	pair(sv, SOCK_DGRAM);
	CHECK_OK(pipe(p));
	fd[0] = fd[1] = p[1];
	CHECK_EQ(send_fds(sv[0], 1, fd, 2, 0), 1);
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	int last = -1, n;
	while ((n = dup(0)) >= 0)
		last = n;
	CHECK_OK(close(last));
	g = receive(sv[1], 10, 2, 0);
	CHECK_EQ(g.size, 1);
	CHECK_EQ(g.flags, MSG_CTRUNC);
	CHECK_EQ(g.count, 1);
	CHECK_EQ(g.fd[0], last);
}

TEST(unix_rights, bad_control_data)
{
	_Alignas(8) char control[64] = { 0 };
	struct iovec v = { "x", 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = CMSG_LEN(4) };
	struct cmsghdr *c = (void *)control;
	int sv[2], bad = 999, minus = -1;

	pair(sv, SOCK_STREAM);
	CHECK_ERRNO(send_fds(sv[0], 1, &bad, 1, 0), EBADF);
	CHECK_ERRNO(send_fds(sv[0], 1, &minus, 1, 0), EBADF);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = 8;
	CHECK_ERRNO(sendmsg(sv[0], &m, 0), EINVAL);
	c->cmsg_len = 100;
	CHECK_ERRNO(sendmsg(sv[0], &m, 0), EINVAL);
	c->cmsg_len = CMSG_LEN(4);
	c->cmsg_type = 77;
	CHECK_ERRNO(sendmsg(sv[0], &m, 0), EINVAL);
	c->cmsg_type = SCM_CREDENTIALS;
	CHECK_ERRNO(sendmsg(sv[0], &m, 0), EINVAL);
	c->cmsg_level = 12345;		/* somebody else's: ignored */
	CHECK_EQ(sendmsg(sv[0], &m, 0), 1);
	CHECK_EQ(read(sv[1], buffer, 10), 1);
	CHECK_ERRNO(recv(sv[1], buffer, 10, MSG_DONTWAIT), EAGAIN);
}

TEST(unix_rights, sockets_and_listeners)
{
	int sv[2], inner[2];
	struct got g;

	pair(sv, SOCK_STREAM);
	pair(inner, SOCK_STREAM);
	CHECK_EQ(write(inner[0], "before", 6), 6);
	CHECK_EQ(send_fds(sv[0], 1, &inner[1], 1, 0), 1);
	CHECK_OK(close(inner[1]));
	CHECK_EQ(write(inner[0], "after", 5), 5);
	g = receive(sv[1], 10, 1, 0);
	CHECK_EQ(g.count, 1);
	CHECK_EQ(read(g.fd[0], buffer, 100), 11);
	CHECK_OK(close(g.fd[0]));
	CHECK_EQ(read(inner[0], buffer, 100), 0);
	/* an end of the conversation itself */
	CHECK_EQ(send_fds(sv[0], 1, &sv[0], 1, 0), 1);
	CHECK_OK(close(sv[0]));
	g = receive(sv[1], 10, 1, 0);
	CHECK_EQ(g.count, 1);
	CHECK_EQ(write(g.fd[0], "x", 1), 1);
	CHECK_EQ(read(sv[1], buffer, 10), 1);
}

/* Sockets that nobody but they themselves can reach are closed, with all that they hold. */
TEST(unix_rights, circles)
{
	int a[2], b[2], p[2];

	for (size_t i = 0; i < LENGTH(types); i++) {
		CHECK_OK(pipe(p));
		pair(a, types[i]);
		CHECK_EQ(send_fds(a[0], 1, &a[1], 1, 0), 1);	/* in its own queue */
		CHECK_EQ(send_fds(a[0], 1, &p[1], 1, 0), 1);
		CHECK_OK(close(p[1]));
		CHECK_OK(close(a[1]));
		CHECK_OK(close(a[0]));
		CHECK_EQ(read(p[0], buffer, 1), 0);
		CHECK_OK(close(p[0]));

		CHECK_OK(pipe(p));
		pair(a, types[i]);
		pair(b, types[i]);
		CHECK_EQ(send_fds(a[0], 1, &b[1], 1, 0), 1);
		CHECK_EQ(send_fds(b[0], 1, &a[1], 1, 0), 1);
		CHECK_EQ(send_fds(a[0], 1, &p[1], 1, 0), 1);
		CHECK_OK(close(p[1]));
		for (int j = 0; j < 2; j++) {
			CHECK_OK(close(a[j]));
			CHECK_OK(close(b[j]));
		}
		/* the end of any socket makes Linux look for circles */
		pair(a, types[i]);
		CHECK_OK(close(a[0]));
		CHECK_OK(close(a[1]));
		CHECK_EQ(read(p[0], buffer, 1), 0);
		CHECK_OK(close(p[0]));
	}
}

/* Not garbage: reachable through a queue that somebody can read. */
TEST(unix_rights, chains)
{
	int a[2], b[2];
	struct got g;

	pair(a, SOCK_STREAM);
	pair(b, SOCK_STREAM);
	CHECK_EQ(write(b[0], "kept", 4), 4);
	CHECK_EQ(send_fds(a[0], 1, &b[1], 1, 0), 1);
	CHECK_EQ(send_fds(b[0], 1, &b[0], 1, 0), 1);
	CHECK_OK(close(b[0]));
	CHECK_OK(close(b[1]));
	/* something else is closed, so that garbage is looked for */
	pair(b, SOCK_STREAM);
	CHECK_EQ(send_fds(b[0], 1, &b[0], 1, 0), 1);
	CHECK_OK(close(b[0]));
	CHECK_OK(close(b[1]));
	g = receive(a[1], 1, 1, 0);
	CHECK_EQ(g.count, 1);
	CHECK_EQ(read(g.fd[0], buffer, 4), 4);
	g = receive(g.fd[0], 1, 1, 0);
	CHECK_EQ(g.count, 1);
}

TEST(unix_rights, limit_of_those_on_the_way)
{
	int sv[2], p[2], n = 0;

	CHECK_OK(pipe(p));
	pair(sv, SOCK_STREAM);
	CHECK_OK(fcntl(sv[0], F_SETFL, O_NONBLOCK));
	SUBPROCESS {
		struct rlimit limit = { 100, 100 };

		CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
		drop_to_user(1000, 1000);
		while (n < 3000 && send_fds(sv[0], 1, p, 1, 0) == 1)
			n++;
		CHECK_EQ(errno, ETOOMANYREFS);
		CHECK(n >= 90 && n <= 1100);
	}
}

/* --- credentials -------------------------------------------------------------------------- */

static void want_creds(int s, int on)
{
	CHECK_OK(setsockopt(s, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
}

TEST(unix_rights, credentials)
{
	ROOT_NEEDED();
	struct got g;
	int sv[2];

	for (size_t i = 0; i < LENGTH(types); i++) {
		pair(sv, types[i]);
		want_creds(sv[1], 1);
		CHECK_EQ(write(sv[0], "abc", 3), 3);
		g = receive(sv[1], 10, 10, 0);
		CHECK_EQ(g.size, 3);
		CHECK_EQ(g.creds, 1);
		CHECK_EQ(g.cred.pid, getpid());
		CHECK_EQ(g.cred.uid, 0);
		SUBPROCESS {
			drop_to_user(1000, 100);
			CHECK_EQ(send(sv[0], "abc", 3, 0), 3);
			CHECK_EQ(send(sv[0], "abc", 3, 0), 3);
		}
		g = receive(sv[1], 3, 10, 0);
		CHECK_EQ(g.creds, 1);
		CHECK_NE(g.cred.pid, getpid());
		CHECK_EQ(g.cred.uid, 1000);
		CHECK_EQ(g.cred.gid, 100);
		CHECK_EQ(read(sv[1], buffer, 10), 3);
		want_creds(sv[1], 0);
		CHECK_EQ(write(sv[0], "abc", 3), 3);
		CHECK_EQ(receive(sv[1], 10, 10, 0).creds, 0);
	}
}

/*
 * What different writers wrote to a stream is not glued together when the reader wants to know who
 * it was.
 */
TEST(unix_rights, credentials_part_a_stream)
{
	struct got g;
	int sv[2];

	pair(sv, SOCK_STREAM);
	want_creds(sv[1], 1);
	CHECK_EQ(write(sv[0], "abc", 3), 3);
	CHECK_EQ(write(sv[0], "def", 3), 3);
	SUBPROCESS {
		CHECK_EQ(write(sv[0], "gh", 2), 2);
	}
	g = receive(sv[1], 100, 10, 0);
	CHECK_EQ(g.size, 6);
	CHECK_EQ(g.cred.pid, getpid());
	g = receive(sv[1], 100, 10, 0);
	CHECK_EQ(g.size, 2);
	CHECK_NE(g.cred.pid, getpid());
}

static ssize_t send_cred(int s, pid_t pid, uid_t uid, gid_t gid)
{
	_Alignas(8) char control[CMSG_SPACE(sizeof(struct ucred))] = { 0 };
	struct iovec v = { "x", 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct ucred u = { pid, uid, gid };
	struct cmsghdr *c = (void *)control;

	c->cmsg_len = CMSG_LEN(sizeof(u));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_CREDENTIALS;
	memcpy(CMSG_DATA(c), &u, sizeof(u));
	return sendmsg(s, &m, 0);
}

TEST(unix_rights, given_credentials)
{
	ROOT_NEEDED();
	struct got g;
	int sv[2];

	for (size_t i = 0; i < LENGTH(types); i++) {
		pair(sv, types[i]);
		want_creds(sv[1], 1);
		CHECK_EQ(send_cred(sv[0], getppid(), 5, 6), 1);
		g = receive(sv[1], 10, 10, 0);
		CHECK_EQ(g.cred.pid, getppid());
		CHECK_EQ(g.cred.uid, 5);
		CHECK_EQ(g.cred.gid, 6);
		SUBPROCESS {
			drop_to_user(1000, 1000);
			CHECK_EQ(send_cred(sv[0], getpid(), 1000, 1000), 1);
			CHECK_ERRNO(send_cred(sv[0], getppid(), 1000, 1000), EPERM);
			CHECK_ERRNO(send_cred(sv[0], getpid(), 0, 1000), EPERM);
			CHECK_ERRNO(send_cred(sv[0], getpid(), 1000, 0), EPERM);
		}
		CHECK_EQ(receive(sv[1], 10, 10, 0).cred.uid, 1000);
	}
}

TEST(unix_rights, credentials_with_descriptors)
{
	int sv[2], fd = CHECK_OK(open("/dev/null", O_RDWR));
	struct got g;

	pair(sv, SOCK_STREAM);
	want_creds(sv[1], 1);
	CHECK_EQ(send_fds(sv[0], 2, &fd, 1, 0), 2);
	g = receive(sv[1], 10, 20, 0);
	CHECK_EQ(g.creds, 1);
	CHECK_EQ(g.count, 1);
	CHECK_EQ(g.cred.pid, getpid());
	/* room for the credentials alone */
	CHECK_EQ(send_fds(sv[0], 2, &fd, 1, 0), 2);
	g = receive(sv[1], 10, 3, 0);
	CHECK_EQ(g.creds, 1);
	CHECK_EQ(g.count, 0);
	CHECK_EQ(g.flags, MSG_CTRUNC);
}
