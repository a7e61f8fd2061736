/*
 * AF_UNIX names and connections: paths, abstract names, listening and accepting, permissions, who
 * the other is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEAD offsetof(struct sockaddr_un, sun_path)

static char buffer[4096];

static socklen_t name_of(struct sockaddr_un *a, const char *path)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	strcpy(a->sun_path, path);
	return (socklen_t)(HEAD + strlen(path) + 1);
}

static int bind_to(int s, const char *path)
{
	struct sockaddr_un a;

	return bind(s, (void *)&a, name_of(&a, path));
}

static int connect_to(int s, const char *path)
{
	struct sockaddr_un a;

	return connect(s, (void *)&a, name_of(&a, path));
}

static int stream(int flags)
{
	return (int)CHECK_OK(socket(AF_UNIX, SOCK_STREAM | flags, 0));
}

static int listener(const char *path, int backlog)
{
	int s = stream(0);

	CHECK_OK(bind_to(s, path));
	CHECK_OK(listen(s, backlog));
	return s;
}

static short ready(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0 };

	CHECK_OK(poll(&p, 1, 0));
	return p.revents;
}

TEST(unix_names, connect_and_accept)
{
	struct sockaddr_un a;
	socklen_t size = sizeof(a);
	int l = listener("s", 5), c = stream(SOCK_CLOEXEC), s;

	CHECK_EQ(ready(l), 0);
	CHECK_EQ(fcntl(c, F_GETFD), FD_CLOEXEC);
	CHECK_OK(connect_to(c, "s"));
	CHECK_EQ(ready(l), POLLIN);
	CHECK_EQ(ready(c), POLLOUT);
	CHECK_EQ(write(c, "early", 5), 5);
	s = CHECK_OK(accept4(l, (void *)&a, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
	CHECK_EQ(size, HEAD);
	CHECK_EQ(fcntl(s, F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_EQ(fcntl(s, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(ready(l), 0);
	CHECK_EQ(ready(s), POLLIN | POLLOUT);
	CHECK_EQ(read(s, buffer, 100), 5);
	CHECK_ERRNO(read(s, buffer, 100), EAGAIN);
	CHECK_EQ(write(s, "abc", 3), 3);
	CHECK_EQ(read(c, buffer, 100), 3);
	size = sizeof(a);
	CHECK_OK(getsockname(s, (void *)&a, &size));
	CHECK_EQ(size, HEAD + 2);
	CHECK_STR(a.sun_path, "s");
	size = sizeof(a);
	CHECK_OK(getpeername(c, (void *)&a, &size));
	CHECK_STR(a.sun_path, "s");
	size = sizeof(a);
	CHECK_OK(getsockname(c, (void *)&a, &size));
	CHECK_EQ(size, HEAD);
	CHECK_ERRNO(connect_to(c, "s"), EISCONN);
	CHECK_OK(close(s));
	CHECK_EQ(read(c, buffer, 100), 0);
	size = sizeof(a);
	CHECK_OK(getpeername(c, (void *)&a, &size));
	CHECK_STR(a.sun_path, "s");
}

TEST(unix_names, accept_waits)
{
	int l = listener("s", 5);
	pid_t pid = FORK();

	if (pid == 0) {
		int s = CHECK_OK(accept(l, NULL, NULL));
		CHECK_EQ(read(s, buffer, 100), 3);
		_exit(0);
	}
	wait_until_blocked(pid);
	int c = stream(0);
	CHECK_OK(connect_to(c, "s"));
	CHECK_EQ(write(c, "abc", 3), 3);
	CHECK_EXITED(pid, 0);
	CHECK_OK(fcntl(l, F_SETFL, O_NONBLOCK));
	CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
	CHECK_ERRNO(accept4(l, NULL, NULL, 1), EINVAL);
}

static void nothing(int sig __attribute__((unused)))
{
}

TEST(unix_names, accept_with_timeout_and_signals)
{
	struct timeval t = { 0, 40000 };
	int l = listener("s", 5);

	CHECK_OK(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
	t.tv_usec = 0;
	CHECK_OK(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	pid_t pid = FORK();
	if (pid == 0) {
		handler_set(SIGUSR1, nothing, 0);
		CHECK_ERRNO(accept(l, NULL, NULL), EINTR);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_EXITED(pid, 0);
}

TEST(unix_names, backlog)
{
	int l = listener("s", 1), c[4], n = 0;

	for (int i = 0; i < 4; i++)
		c[i] = stream(SOCK_NONBLOCK);
	while (n < 4 && connect_to(c[n], "s") == 0)
		n++;
	CHECK_EQ(n, 2);
	CHECK_EQ(errno, EAGAIN);
	CHECK_OK(fcntl(c[2], F_SETFL, 0));
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(connect_to(c[2], "s"));
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(accept(l, NULL, NULL));
	CHECK_EXITED(pid, 0);
	CHECK_ERRNO(connect_to(c[3], "s"), EAGAIN);
	CHECK_OK(listen(l, 10));
	CHECK_OK(connect_to(c[3], "s"));
	pid = FORK();
	if (pid == 0) {
		CHECK_OK(listen(l, 0));
		CHECK_OK(close(l));
		int s = stream(0);
		CHECK_ERRNO(connect_to(s, "s"), ECONNREFUSED);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(close(l));
	CHECK_EXITED(pid, 0);
}

TEST(unix_names, listener_goes)
{
	int l = listener("s", 5), c = stream(0), never = stream(0);

	CHECK_OK(connect_to(c, "s"));
	CHECK_EQ(write(c, "abc", 3), 3);
	CHECK_OK(close(l));
	CHECK_EQ(ready(c), POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR);
	CHECK_ERRNO(send(c, "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_ERRNO(read(c, buffer, 10), ECONNRESET);
	CHECK_EQ(read(c, buffer, 10), 0);
	CHECK_ERRNO(connect_to(never, "s"), ECONNREFUSED);
	CHECK_OK(unlink("s"));
	CHECK_ERRNO(connect_to(never, "s"), ENOENT);
	l = listener("s", 5);
	CHECK_OK(connect_to(never, "s"));
}

TEST(unix_names, client_goes_before_accept)
{
	int l = listener("s", 5), c = stream(0), s;

	CHECK_OK(connect_to(c, "s"));
	CHECK_EQ(write(c, "abc", 3), 3);
	CHECK_OK(close(c));
	s = CHECK_OK(accept(l, NULL, NULL));
	CHECK_EQ(read(s, buffer, 10), 3);
	CHECK_EQ(read(s, buffer, 10), 0);
	CHECK_ERRNO(send(s, "x", 1, MSG_NOSIGNAL), EPIPE);
}

TEST(unix_names, shutdown_listener)
{
	int l = listener("s", 5);
	pid_t pid = FORK();

	if (pid == 0) {
		CHECK_ERRNO(accept(l, NULL, NULL), EINVAL);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(shutdown(l, SHUT_RD));
	CHECK_EXITED(pid, 0);
	CHECK_ERRNO(connect_to(stream(0), "s"), ECONNREFUSED);
}

TEST(unix_names, path_is_a_node)
{
	struct stat st;
	int l = stream(0);

	umask(027);
	CHECK_OK(bind_to(l, "s"));
	CHECK_OK(stat("s", &st));
	CHECK(S_ISSOCK(st.st_mode));
	CHECK_EQ(st.st_mode & 07777, 0750);
	CHECK_ERRNO(open("s", O_RDWR), ENXIO);
	CHECK_ERRNO(bind_to(stream(0), "s"), EADDRINUSE);
	CHECK_ERRNO(bind_to(l, "other"), EINVAL);
	CHECK_ERRNO(stat("other", &st), ENOENT);
	CHECK_ERRNO(connect_to(stream(0), "s"), ECONNREFUSED);	/* nobody listens */
	CHECK_OK(listen(l, 5));
	CHECK_OK(rename("s", "t"));
	CHECK_OK(connect_to(stream(0), "t"));
	CHECK_OK(symlink("t", "link"));
	CHECK_OK(connect_to(stream(0), "link"));
	CHECK_OK(link("t", "hard"));
	CHECK_OK(unlink("t"));
	CHECK_OK(connect_to(stream(0), "hard"));
	CHECK_OK(unlink("hard"));
	CHECK_ERRNO(connect_to(stream(0), "hard"), ENOENT);
	CHECK_OK(mknod("made", S_IFSOCK | 0600, 0));
	CHECK_ERRNO(connect_to(stream(0), "made"), ECONNREFUSED);
	CHECK_ERRNO(bind_to(stream(0), "made"), EADDRINUSE);
	CHECK_ERRNO(bind_to(stream(0), "no/such"), ENOENT);
	CHECK_ERRNO(bind_to(stream(0), "made/x"), ENOTDIR);
}

TEST(unix_names, permissions)
{
	CHECK_OK(chmod(".", 0777));
	int l = listener("s", 5);

	CHECK_OK(chmod("s", 0755));
	SUBPROCESS {
		drop_to_user(1000, 1000);
		CHECK_ERRNO(connect_to(stream(0), "s"), EACCES);
	}
	CHECK_OK(chmod("s", 0722));
	SUBPROCESS {
		drop_to_user(1000, 1000);
		CHECK_OK(connect_to(stream(0), "s"));
	}
	CHECK_OK(chmod(".", 0755));
	SUBPROCESS {
		drop_to_user(1000, 1000);
		CHECK_ERRNO(bind_to(stream(0), "mine"), EACCES);
	}
	CHECK_OK(close(l));
}

static socklen_t abstract(struct sockaddr_un *a, const char *name)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "%s-%d", name, getpid());
	return (socklen_t)(HEAD + 1 + strlen(a->sun_path + 1));
}

TEST(unix_names, abstract)
{
	struct sockaddr_un a, b;
	socklen_t n = abstract(&a, "name"), size = sizeof(b);
	int l = stream(0), c = stream(0);

	CHECK_OK(bind(l, (void *)&a, n));
	CHECK_OK(listen(l, 5));
	CHECK_ERRNO(bind(c, (void *)&a, n), EADDRINUSE);
	CHECK_OK(getsockname(l, (void *)&b, &size));
	CHECK_EQ(size, n);
	CHECK_EQ(memcmp(&a, &b, n), 0);
	CHECK_ERRNO(connect(c, (void *)&a, n + 1), ECONNREFUSED);	/* the length counts */
	CHECK_OK(connect(c, (void *)&a, n));
	CHECK_OK(close(l));
	CHECK_ERRNO(connect(stream(0), (void *)&a, n), ECONNREFUSED);
	l = stream(0);
	CHECK_OK(bind(l, (void *)&a, n));
}

TEST(unix_names, automatic)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX }, b;
	socklen_t size = sizeof(b);
	int s = stream(0), c = stream(0);

	CHECK_OK(bind(s, (void *)&a, HEAD));
	CHECK_OK(getsockname(s, (void *)&b, &size));
	CHECK_EQ(size, HEAD + 6);
	CHECK_EQ(b.sun_path[0], 0);
	for (int i = 1; i < 6; i++)
		CHECK(strchr("0123456789abcdef", b.sun_path[i]) && b.sun_path[i]);
	CHECK_OK(bind(s, (void *)&a, HEAD));	/* it has one already */
	CHECK_OK(listen(s, 1));
	CHECK_OK(connect(c, (void *)&b, size));
}

TEST(unix_names, bad_names)
{
	struct sockaddr_un a;
	socklen_t n = name_of(&a, "s");
	int s = stream(0);

	CHECK_ERRNO(bind(s, (void *)&a, 1), EINVAL);
	CHECK_ERRNO(bind(s, (void *)&a, sizeof(a) + 1), EINVAL);
	CHECK_ERRNO(bind(s, BAD_UNMAPPED, n), EFAULT);
	CHECK_ERRNO(connect(s, (void *)&a, HEAD), EINVAL);
	a.sun_family = AF_INET;
	CHECK_ERRNO(bind(s, (void *)&a, n), EINVAL);
	CHECK_ERRNO(connect(s, (void *)&a, n), EINVAL);
	/* a path may fill all of sun_path, without a zero at its end */
	memset(a.sun_path, 'x', sizeof(a.sun_path));
	a.sun_family = AF_UNIX;
	CHECK_OK(bind(s, (void *)&a, sizeof(a)));
	CHECK_OK(listen(s, 1));
	CHECK_OK(connect(stream(0), (void *)&a, sizeof(a)));
	n = sizeof(buffer);
	CHECK_OK(getsockname(s, (void *)buffer, &n));
	CHECK_EQ(n, sizeof(a) + 1);
	n = 4;
	memset(buffer, 1, 10);
	CHECK_OK(getsockname(s, (void *)buffer, &n));
	CHECK_EQ(n, sizeof(a) + 1);
	CHECK_EQ(memcmp(buffer + 2, "xx\1\1", 4), 0);
	n = (socklen_t)-1;
	CHECK_ERRNO(getsockname(s, (void *)buffer, &n), EINVAL);
}

TEST(unix_names, types_do_not_mix)
{
	int l = listener("s", 5), d = CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0)),
	    q = CHECK_OK(socket(AF_UNIX, SOCK_SEQPACKET, 0));

	CHECK_ERRNO(connect_to(d, "s"), EPROTOTYPE);
	CHECK_ERRNO(connect_to(q, "s"), EPROTOTYPE);
	CHECK_OK(close(l));
}

TEST(unix_names, credentials_of_the_peer)
{
	ROOT_NEEDED();
	struct ucred u;
	socklen_t size = sizeof(u);
	int l = listener("s", 5), none = stream(0);

	CHECK_OK(chmod(".", 0777));
	CHECK_OK(chmod("s", 0777));
	CHECK_OK(getsockopt(none, SOL_SOCKET, SO_PEERCRED, &u, &size));
	CHECK_EQ(u.pid, 0);
	CHECK_EQ(u.uid, (uid_t)-1);
	pid_t pid = FORK();
	if (pid == 0) {
		int c = stream(0);

		drop_to_user(1000, 100);
		CHECK_OK(connect_to(c, "s"));
		CHECK_OK(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &u, &size));
		CHECK_EQ(u.pid, getppid());
		CHECK_EQ(u.uid, 0);
		CHECK_EQ(read(c, buffer, 1), 0);
		_exit(0);
	}
	int s = CHECK_OK(accept(l, NULL, NULL));
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &u, &size));
	CHECK_EQ(u.pid, pid);
	CHECK_EQ(u.uid, 1000);
	CHECK_EQ(u.gid, 100);
	CHECK_OK(close(s));
	CHECK_EXITED(pid, 0);
}

TEST(unix_names, full_table_keeps_the_connection)
{
	int l = listener("s", 5), c = stream(0), full[64], n = 0;
	struct sockaddr_un a;

	CHECK_OK(connect_to(c, "s"));
	CHECK_EQ(write(c, "abc", 3), 3);
	CHECK_OK(dup2(l, 20));
	struct rlimit limit = { 21, 21 };
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	while (n < 64 && (full[n] = dup(c)) >= 0)
		n++;
	CHECK_EQ(errno, EMFILE);
	CHECK_ERRNO(accept(l, NULL, NULL), EMFILE);
	CHECK_ERRNO(socket(AF_UNIX, SOCK_STREAM, 0), EMFILE);
	CHECK_OK(close(full[n - 1]));
	CHECK_ERRNO(accept(l, (void *)&a, BAD_UNMAPPED), EFAULT);

}

/* A listener that never accepts, and goes with all who wait. */
TEST(unix_names, many_waiting)
{
	enum { MANY = 300 };
	static int c[MANY];
	int l = listener("s", MANY);

	for (int i = 0; i < MANY; i++) {
		c[i] = stream(0);
		CHECK_OK(connect_to(c[i], "s"));
		CHECK_EQ(write(c[i], "hello", 5), 5);
	}
	CHECK_EQ(read(CHECK_OK(accept(l, NULL, NULL)), buffer, 100), 5);
	CHECK_OK(close(l));
	CHECK_ERRNO(recv(c[0], buffer, 100, MSG_DONTWAIT), EAGAIN);
	for (int i = 1; i < MANY; i++)
		CHECK_ERRNO(read(c[i], buffer, 100), ECONNRESET);
}

TEST(unix_names, sockets_without_end)
{
	struct rlimit limit = { 3000, 3000 };
	int n = 0;

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	SUBPROCESS {
		drop_to_user(1000, 1000);
		while (socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
			n++;
		CHECK(errno == EMFILE || errno == ENFILE);
		CHECK_GE(n, 900);
	}
	CHECK_OK(close(stream(0)));
}

TEST(unix_names, proc_net_unix)
{
	int l = listener("visible", 5), c = stream(0), found = 0;
	char line[300], path[200], flags[20];
	unsigned long inode;
	struct stat st;
	FILE *f;

	CHECK_OK(connect_to(c, "visible"));
	CHECK_OK(fstat(l, &st));
	f = fopen("/proc/net/unix", "r");
	CHECK(f && fgets(line, sizeof(line), f));
	CHECK_STR(line, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*x: %*x %*x %19s 0001 01 %lu %199s", flags, &inode, path) == 3 &&
		    inode == st.st_ino) {
			CHECK_STR(path, "visible");
			CHECK_STR(flags, "00010000");
			found++;
		}
	}
	CHECK_EQ(found, 1);
	fclose(f);
}
