/*
 * Sockets as descriptors: making them, what other calls say of them, inheritance, interruption.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

static char got[1 << 16];

/* --- making them ------------------------------------------------------------------------ */

TEST(socket_misc, kinds_that_there_are_not)
{
	CHECK_ERRNO(socket(9999, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERRNO(socket(-1, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERRNO(socket(AF_UNSPEC, SOCK_STREAM, 0), EAFNOSUPPORT);
	FOR_FAMILIES(family) {
		CHECK_ERRNO(socket(family, 0, 0), ESOCKTNOSUPPORT);
		CHECK_ERRNO(socket(family, 15, 0), EINVAL);
		CHECK_ERRNO(socket(family, -1, 0), EINVAL);
		CHECK_ERRNO(socket(family, SOCK_STREAM | 0x10000, 0), EINVAL);
		CHECK_ERRNO(socket(family, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
		CHECK_ERRNO(socket(family, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
		CHECK_ERRNO(socket(family, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
		CHECK_ERRNO(socket(family, SOCK_STREAM, 9999), EINVAL);
		CHECK_ERRNO(socket(family, SOCK_STREAM, -1), EINVAL);
		CHECK_ERRNO(socketpair(family, SOCK_STREAM, 0, (int[2]){ 0 }), EOPNOTSUPP);
	}
	CHECK_EQ(open("/dev/null", O_RDONLY), 3); /* nothing was left open */
}

TEST(socket_misc, kinds_that_there_are)
{
	FOR_FAMILIES(family) {
		CHECK_OK(socket(family, SOCK_STREAM, IPPROTO_TCP));
		CHECK_OK(socket(family, SOCK_DGRAM, IPPROTO_UDP));
	}
	int fd = CHECK_OK(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
	fd = CHECK_OK(socket(AF_INET6, SOCK_DGRAM, 0));
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR);
}

static void check_socket_calls(int fd, int error)
{
	struct address at = loopback(AF_INET, 9);
	struct msghdr header = { 0 };
	int value = 0;
	socklen_t size = sizeof(value);

	CHECK_ERRNO(bind(fd, &at.any, at.size), error);
	CHECK_ERRNO(connect(fd, &at.any, at.size), error);
	CHECK_ERRNO(listen(fd, 1), error);
	CHECK_ERRNO(accept(fd, NULL, NULL), error);
	CHECK_ERRNO(accept4(fd, NULL, NULL, 0), error);
	CHECK_ERRNO(getsockname(fd, &at.any, &at.size), error);
	CHECK_ERRNO(getpeername(fd, &at.any, &at.size), error);
	CHECK_ERRNO(send(fd, "x", 1, 0), error);
	CHECK_ERRNO(recv(fd, got, 1, 0), error);
	CHECK_ERRNO(sendto(fd, "x", 1, 0, &at.any, at.size), error);
	CHECK_ERRNO(recvfrom(fd, got, 1, 0, &at.any, &at.size), error);
	CHECK_ERRNO(sendmsg(fd, &header, 0), error);
	CHECK_ERRNO(recvmsg(fd, &header, 0), error);
	CHECK_ERRNO(shutdown(fd, SHUT_RDWR), error);
	CHECK_ERRNO(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size), error);
	CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, size), error);
}

TEST(socket_misc, calls_on_what_is_none)
{
	int pipes[2];

	CHECK_OK(pipe(pipes));
	check_socket_calls(CHECK_OK(open("file", O_RDWR | O_CREAT, 0644)), ENOTSOCK);
	check_socket_calls(CHECK_OK(open(".", O_RDONLY)), ENOTSOCK);
	check_socket_calls(CHECK_OK(open("/dev/null", O_RDWR)), ENOTSOCK);
	check_socket_calls(CHECK_OK(open("/proc/self/status", O_RDONLY)), ENOTSOCK);
	check_socket_calls(pipes[0], ENOTSOCK);
	check_socket_calls(pipes[1], ENOTSOCK);
	check_socket_calls(999, EBADF);
	check_socket_calls(-1, EBADF);
	CHECK_OK(close(pipes[0]));
	check_socket_calls(pipes[0], EBADF);
}

/* --- what they are ---------------------------------------------------------------------- */

TEST(socket_misc, stat)
{
	struct stat first, second;
	int fd[2];

	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		for (int i = 0; i < 2; i++)
			fd[i] = socket_new(AF_INET, type);
		CHECK_OK(fstat(fd[0], &first));
		CHECK_OK(fstat(fd[1], &second));
		CHECK(S_ISSOCK(first.st_mode));
		CHECK_EQ(first.st_mode & 07777, 0777);
		CHECK_EQ(first.st_size, 0);
		CHECK_EQ(first.st_nlink, 1);
		CHECK_EQ(first.st_uid, getuid());
		CHECK_EQ(first.st_dev, second.st_dev);
		CHECK_NE(first.st_ino, second.st_ino);
		CHECK_OK(fstat(CHECK_OK(dup(fd[0])), &second));
		CHECK_EQ(first.st_ino, second.st_ino);
	}
}

TEST(socket_misc, name_in_proc)
{
	char path[64], link[64] = "", expected[64];
	struct stat info;
	int fd[2];

	tcp_pair(AF_INET, fd);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd[i]);
		memset(link, 0, sizeof(link));
		CHECK_OK(readlink(path, link, sizeof(link) - 1));
		CHECK_OK(fstat(fd[i], &info));
		snprintf(expected, sizeof(expected), "socket:[%lu]", (unsigned long)info.st_ino);
		CHECK_STR(link, expected);
		CHECK_OK(stat(path, &info));
		CHECK(S_ISSOCK(info.st_mode));
		CHECK_ERRNO(open(path, O_RDWR), ENXIO);
	}
}

TEST(socket_misc, not_a_file)
{
	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		int fd = socket_new(AF_INET, type);

		CHECK_ERRNO(lseek(fd, 0, SEEK_SET), ESPIPE);
		CHECK_ERRNO(pread(fd, got, 1, 0), ESPIPE);
		CHECK_ERRNO(pwrite(fd, got, 1, 0), ESPIPE);
		CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
		CHECK_ERRNO(fsync(fd), EINVAL);
		CHECK_ERRNO(fchdir(fd), ENOTDIR);
		CHECK_ERRNO(openat(fd, "x", O_RDONLY), ENOTDIR);
	}
}

/* --- ioctl ------------------------------------------------------------------------------ */

TEST(socket_misc, bytes_that_wait)
{
	int fd[2], count = -1;

	tcp_pair(AF_INET, fd);
	CHECK_OK(ioctl(fd[1], FIONREAD, &count));
	CHECK_EQ(count, 0);
	CHECK_EQ(write(fd[0], "abc", 3), 3);
	CHECK_EQ(write(fd[0], "defg", 4), 4);
	while (count < 7)
		CHECK_OK(ioctl(fd[1], FIONREAD, &count));
	CHECK_EQ(read(fd[1], got, 2), 2);
	CHECK_OK(ioctl(fd[1], FIONREAD, &count));
	CHECK_EQ(count, 5);
	CHECK_OK(ioctl(fd[1], TIOCOUTQ, &count));
	CHECK_EQ(count, 0);
	CHECK_ERRNO(ioctl(listener_new(AF_INET, 1), FIONREAD, &count), EINVAL);
	/* UDP: the size of the next one. */
	udp_pair(AF_INET, fd);
	CHECK_OK(ioctl(fd[1], FIONREAD, &count));
	CHECK_EQ(count, 0);
	CHECK_EQ(send(fd[0], "abc", 3, 0), 3);
	CHECK_EQ(send(fd[0], "defg", 4, 0), 4);
	poll_for(fd[1], POLLIN);
	CHECK_OK(ioctl(fd[1], FIONREAD, &count));
	CHECK_EQ(count, 3);
}

TEST(socket_misc, no_terminal)
{
	char room[256];

	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		int fd = socket_new(AF_INET, type);

		CHECK_ERRNO(ioctl(fd, 0x5401 /* TCGETS */, room), ENOTTY);
		CHECK_ERRNO(ioctl(fd, TIOCGWINSZ, room), ENOTTY);
		CHECK_ERRNO(ioctl(fd, 0x12345, room), ENOTTY);
		CHECK_EQ(isatty(fd), 0);
		CHECK_OK(ioctl(fd, FIOCLEX));
		CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	}
}

static struct ifreq named(const char *name)
{
	struct ifreq request;

	memset(&request, 0, sizeof(request));
	strcpy(request.ifr_name, name);
	return request;
}

static uint32_t ifreq_address(const struct ifreq *request)
{
	return ntohl(((const struct sockaddr_in *)&request->ifr_addr)->sin_addr.s_addr);
}

TEST(socket_misc, loopback_interface)
{
	int fd = socket_new(AF_INET, SOCK_DGRAM);
	struct ifreq lo = named("lo");

	CHECK_OK(ioctl(fd, SIOCGIFFLAGS, &lo));
	CHECK_EQ(lo.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_BROADCAST),
		 IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
	CHECK_OK(ioctl(fd, SIOCGIFADDR, &lo));
	CHECK_EQ(lo.ifr_addr.sa_family, AF_INET);
	CHECK_EQ(ifreq_address(&lo), INADDR_LOOPBACK);
	CHECK_OK(ioctl(fd, SIOCGIFNETMASK, &lo));
	CHECK_EQ(ifreq_address(&lo), 0xff000000);
	CHECK_OK(ioctl(fd, SIOCGIFMTU, &lo));
	CHECK_GE(lo.ifr_mtu, 1500);
	CHECK_OK(ioctl(fd, SIOCGIFHWADDR, &lo));
	CHECK_EQ(lo.ifr_hwaddr.sa_family, ARPHRD_LOOPBACK);
	CHECK_OK(ioctl(fd, SIOCGIFINDEX, &lo));
	CHECK_EQ(lo.ifr_ifindex, if_nametoindex("lo"));
	memset(lo.ifr_name, 0, sizeof(lo.ifr_name));
	CHECK_OK(ioctl(fd, SIOCGIFNAME, &lo));
	CHECK_STR(lo.ifr_name, "lo");
}

TEST(socket_misc, interfaces_that_there_are_not)
{
	static const int requests[] = { SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFMTU, SIOCGIFINDEX,
					SIOCGIFHWADDR, SIOCGIFNETMASK };
	int fd = socket_new(AF_INET, SOCK_DGRAM);

	for (unsigned i = 0; i < LENGTH(requests); i++) {
		struct ifreq none = named("none0");

		CHECK_ERRNO(ioctl(fd, requests[i], &none), ENODEV);
		memset(none.ifr_name, 'x', sizeof(none.ifr_name));
		CHECK_ERRNO(ioctl(fd, requests[i], &none), ENODEV);
	}
	struct ifreq none = named("");
	none.ifr_ifindex = 9999;
	CHECK_ERRNO(ioctl(fd, SIOCGIFNAME, &none), ENODEV);
	CHECK_ERRNO(ioctl(fd, SIOCGIFFLAGS, BAD_UNMAPPED), EFAULT);
}

TEST(socket_misc, list_of_interfaces)
{
	int fd = socket_new(AF_INET, SOCK_DGRAM), seen = 0;
	struct ifreq list[20];
	struct ifconf conf = { .ifc_len = sizeof(list), .ifc_req = list };

	CHECK_OK(ioctl(fd, SIOCGIFCONF, &conf));
	CHECK_EQ(conf.ifc_len % (int)sizeof(list[0]), 0);
	for (int i = 0; i < conf.ifc_len / (int)sizeof(list[0]); i++)
		if (strcmp(list[i].ifr_name, "lo") == 0 &&
		    ifreq_address(&list[i]) == INADDR_LOOPBACK)
			seen++;
	CHECK_EQ(seen, 1);
	int all = conf.ifc_len;
	conf.ifc_req = NULL; /* only the size */
	CHECK_OK(ioctl(fd, SIOCGIFCONF, &conf));
	CHECK_EQ(conf.ifc_len, all);
	conf = (struct ifconf){ .ifc_len = 10, .ifc_req = list };
	CHECK_OK(ioctl(fd, SIOCGIFCONF, &conf));
	CHECK_EQ(conf.ifc_len, 0);
}

TEST(socket_misc, interfaces_are_changed_by_root)
{
	ROOT_NEEDED();
	struct ifreq lo = named("lo");
	int fd = socket_new(AF_INET, SOCK_DGRAM);

	CHECK_OK(ioctl(fd, SIOCGIFFLAGS, &lo));
	CHECK_OK(ioctl(fd, SIOCSIFFLAGS, &lo)); /* as it is */
	SUBPROCESS {
		drop_to_user(1000, 1000);
		fd = socket_new(AF_INET, SOCK_DGRAM);
		CHECK_OK(ioctl(fd, SIOCGIFFLAGS, &lo));
		CHECK_ERRNO(ioctl(fd, SIOCSIFFLAGS, &lo), EPERM);
		CHECK_ERRNO(ioctl(fd, SIOCSIFADDR, &lo), EPERM);
		CHECK_ERRNO(ioctl(fd, SIOCSIFMTU, &lo), EPERM);
	}
}

/* --- handed on -------------------------------------------------------------------------- */

HELPER(speak)
{
	return write(atoi(argv[2]), "hello", 5) == 5 ? 0 : errno;
}

static pid_t speaker(int fd)
{
	char number[16];
	pid_t pid = FORK();

	snprintf(number, sizeof(number), "%d", fd);
	if (pid == 0) {
		execv(test_self, (char *[]){ "x", "--helper=speak", number, NULL });
		FAIL("execv: errno %d", errno);
	}
	return pid;
}

TEST(socket_misc, through_exec)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	CHECK_EXITED(speaker(fd[0]), 0);
	read_all(fd[1], got, 5);
	CHECK_OK(fcntl(fd[0], F_SETFD, FD_CLOEXEC));
	CHECK_EXITED(speaker(fd[0]), EBADF);
	CHECK_OK(close(fd[0]));
	CHECK_EQ(read(fd[1], got, 5), 0);
}

TEST(socket_misc, through_fork)
{
	int listener = listener_new(AF_INET, 5);

	for (int i = 0; i < 5; i++) {
		pid_t pid = FORK();

		if (pid == 0) {
			int fd = connected_to(listener);

			CHECK_EQ(write(fd, "x", 1), 1);
			_exit(0);
		}
		int fd = CHECK_OK(accept(listener, NULL, NULL));
		CHECK_EQ(read(fd, got, 10), 1);
		CHECK_EQ(read(fd, got, 10), 0);
		CHECK_OK(close(fd));
		CHECK_EXITED(pid, 0);
	}
}

TEST(socket_misc, copied_over_another)
{
	int fd[2], pipes[2];

	tcp_pair(AF_INET, fd);
	CHECK_OK(pipe(pipes));
	CHECK_OK(dup2(pipes[1], fd[0])); /* which closes the socket */
	CHECK_EQ(read(fd[1], got, 1), 0);
	CHECK_EQ(write(fd[0], "x", 1), 1);
	CHECK_EQ(read(pipes[0], got, 1), 1);
	int udp = socket_bound(AF_INET, SOCK_DGRAM);
	struct address at = local_address(udp);
	CHECK_OK(dup2(pipes[1], udp));
	CHECK_OK(bind_to(socket_new(AF_INET, SOCK_DGRAM), at)); /* the port is free */
}

/* A shell's way: descriptors 0 and 1 of a program are a socket. */
TEST(socket_misc, as_standard_input_and_output)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(dup2(fd[1], 0));
		CHECK_OK(dup2(fd[1], 1));
		CHECK_OK(close(fd[0]));
		CHECK_OK(close(fd[1]));
		char line[100];
		while (fgets(line, sizeof(line), stdin))
			printf("you said %s", line);
		fflush(stdout);
		_exit(0);
	}
	CHECK_OK(close(fd[1]));
	CHECK_EQ(write(fd[0], "one\ntwo\n", 8), 8);
	CHECK_OK(shutdown(fd[0], SHUT_WR));
	CHECK_EQ(recv(fd[0], got, 100, MSG_WAITALL), 26);
	CHECK_EQ(memcmp(got, "you said one\nyou said two\n", 26), 0);
	CHECK_EXITED(pid, 0);
}

/* --- time and signals ------------------------------------------------------------------- */

TEST(socket_misc, receive_times_out)
{
	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		struct iovec vector = { got, 10 };
		struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };
		int fd[2];

		if (type == SOCK_STREAM)
			tcp_pair(AF_INET, fd);
		else
			udp_pair(AF_INET, fd);
		timeout_set(fd[0], SO_RCVTIMEO, 30);
		int64_t start = now_ns();
		CHECK_ERRNO(recv(fd[0], got, 10, 0), EAGAIN);
		CHECK_GE(now_ns() - start, 20000000);
		CHECK_ERRNO(read(fd[0], got, 10), EAGAIN);
		CHECK_ERRNO(recvmsg(fd[0], &header, 0), EAGAIN);
		CHECK_EQ(write(fd[1], "abc", 3), 3);
		CHECK_EQ(recv(fd[0], got, 10, 0), 3);
		/* Part of what was asked for, and then no more. */
		CHECK_EQ(write(fd[1], "abc", 3), 3);
		CHECK_EQ(recv(fd[0], got, 10, MSG_WAITALL), 3);
		timeout_set(fd[0], SO_RCVTIMEO, 0);
		pid_t pid = FORK();
		if (pid == 0) {
			CHECK_EQ(recv(fd[0], got, 10, 0), 1);
			_exit(0);
		}
		wait_until_blocked(pid);
		CHECK_EQ(write(fd[1], "x", 1), 1);
		CHECK_EXITED(pid, 0);
	}
}

TEST(socket_misc, send_times_out)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	fill_up(fd);
	nonblocking_set(fd[0], 0);
	timeout_set(fd[0], SO_SNDTIMEO, 30);
	int64_t start = now_ns();
	CHECK_ERRNO(send(fd[0], got, 1, 0), EAGAIN);
	CHECK_GE(now_ns() - start, 20000000);
	CHECK_ERRNO(write(fd[0], got, 1), EAGAIN);
	timeout_set(fd[0], SO_SNDTIMEO, 10000);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(fd[0]));
		while (CHECK_OK(read(fd[1], got, sizeof(got))) > 0)
			;
		_exit(0);
	}
	CHECK_EQ(write(fd[0], "x", 1), 1);
	CHECK_OK(close(fd[0]));
	CHECK_EXITED(pid, 0);
}

static volatile int signals;

static void count(int sig)
{
	(void)sig;
	signals++;
}

TEST(socket_misc, interrupted)
{
	struct iovec vector = { got, 10 };
	struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };
	int fd[2], udp = socket_bound(AF_INET, SOCK_DGRAM);

	tcp_pair(AF_INET, fd);
	handler_set(SIGALRM, count, 0);
	alarm_pump_start();
	CHECK_ERRNO(read(fd[0], got, 1), EINTR);
	CHECK_ERRNO(recv(fd[0], got, 1, 0), EINTR);
	CHECK_ERRNO(recv(fd[0], got, 1, MSG_PEEK), EINTR);
	CHECK_ERRNO(recvmsg(fd[0], &header, 0), EINTR);
	CHECK_ERRNO(read(udp, got, 1), EINTR);
	CHECK_ERRNO(recv(udp, got, 1, 0), EINTR);
	CHECK_ERRNO(recvmsg(udp, &header, 0), EINTR);
	alarm_pump_stop();
	fill_up(fd);
	nonblocking_set(fd[0], 0);
	alarm_pump_start();
	CHECK_ERRNO(write(fd[0], got, 1), EINTR);
	CHECK_ERRNO(send(fd[0], got, 1, 0), EINTR);
	CHECK_ERRNO(sendmsg(fd[0], &header, 0), EINTR);
	alarm_pump_stop();
}

/* What has been taken or sent already counts. */
TEST(socket_misc, interrupted_halfway)
{
	enum { SIZE = 32 << 20 };
	char *big = map_anonymous(SIZE);
	int fd[2];

	tcp_pair(AF_INET, fd);
	handler_set(SIGALRM, count, 0);
	CHECK_EQ(write(fd[1], "abc", 3), 3);
	poll_for(fd[0], POLLIN);
	alarm_pump_start();
	CHECK_EQ(recv(fd[0], got, 10, MSG_WAITALL), 3);
	ssize_t sent = write(fd[0], big, SIZE);
	alarm_pump_stop();
	CHECK_GT(sent, 0);
	CHECK_LT(sent, SIZE);
	CHECK_OK(shutdown(fd[0], SHUT_WR));
	ssize_t size, taken = 0;
	while ((size = CHECK_OK(read(fd[1], got, sizeof(got)))) > 0)
		taken += size;
	CHECK_EQ(taken, sent);
}

/* A signal while it waits, then data: with SA_RESTART the caller sees only the data. */
TEST(socket_misc, restarted)
{
	pid_t parent = getpid();

	handler_set(SIGUSR1, count, SA_RESTART);
	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++)
		for (int flags = 0; flags <= MSG_PEEK; flags += MSG_PEEK) {
			int fd[2];

			signals = 0;
			if (type == SOCK_STREAM)
				tcp_pair(AF_INET, fd);
			else
				udp_pair(AF_INET, fd);
			pid_t pid = FORK();
			if (pid == 0) {
				wait_until_blocked(parent);
				CHECK_OK(kill(parent, SIGUSR1));
				wait_until_blocked(parent);
				CHECK_EQ(write(fd[1], "x", 1), 1);
				_exit(0);
			}
			CHECK_EQ(recv(fd[0], got, 1, flags), 1);
			CHECK_EQ(signals, 1);
			CHECK_EXITED(pid, 0);
		}
}

/* With a timeout it is not begun again. */
TEST(socket_misc, not_restarted_with_a_timeout)
{
	handler_set(SIGALRM, count, SA_RESTART);
	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		int fd[2];

		if (type == SOCK_STREAM)
			tcp_pair(AF_INET, fd);
		else
			udp_pair(AF_INET, fd);
		timeout_set(fd[0], SO_RCVTIMEO, 10000);
		alarm_pump_start();
		CHECK_ERRNO(recv(fd[0], got, 1, 0), EINTR);
		alarm_pump_stop();
	}
}

TEST(socket_misc, killed_while_waiting)
{
	int udp = socket_bound(AF_INET, SOCK_DGRAM), listener = listener_new(AF_INET, 1);

	for (int which = 0; which < 2; which++) {
		pid_t pid = FORK();

		if (pid == 0) {
			if (which)
				accept(listener, NULL, NULL);
			else
				recv(udp, got, 1, 0);
			_exit(0);
		}
		wait_until_blocked(pid);
		CHECK_OK(kill(pid, SIGKILL));
		CHECK_SIGNALED(pid, SIGKILL);
	}
	/* What comes now is for us. */
	CHECK_EQ(send_to(udp, "x", 1, local_address(udp)), 1);
	CHECK_EQ(recv(udp, got, 1, 0), 1);
	connected_to(listener);
	CHECK_OK(accept(listener, NULL, NULL));
}

/* --- other calls that move data --------------------------------------------------------- */

TEST(socket_misc, vectors)
{
	char a[4], b[2], c[10];
	struct iovec out[3] = { { "abc", 3 }, { "", 0 }, { "defgh", 5 } };
	struct iovec in[3] = { { a, 4 }, { b, 2 }, { c, 10 } };
	int fd[2];

	tcp_pair(AF_INET, fd);
	CHECK_EQ(writev(fd[0], out, 3), 8);
	CHECK_OK(close(fd[0]));
	while (poll_for(fd[1], POLLRDHUP) != POLLRDHUP)
		;
	CHECK_EQ(readv(fd[1], in, 3), 8);
	CHECK_EQ(memcmp(a, "abcd", 4), 0);
	CHECK_EQ(memcmp(b, "ef", 2), 0);
	CHECK_EQ(memcmp(c, "gh", 2), 0);
	udp_pair(AF_INET, fd);
	CHECK_EQ(writev(fd[0], out, 3), 8); /* one datagram */
	CHECK_EQ(readv(fd[1], in, 2), 6);
	CHECK_ERRNO(recv(fd[1], got, 10, MSG_DONTWAIT), EAGAIN);
}

TEST(socket_misc, sendfile)
{
	enum { SIZE = 300000 };
	unsigned char *data = map_anonymous(SIZE), *in = map_anonymous(SIZE);
	off_t offset = 1000;
	int fd[2];

	pattern_fill(data, SIZE, 8);
	file_write("file", data, SIZE);
	int file = CHECK_OK(open("file", O_RDONLY));
	tcp_pair(AF_INET, fd);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(fd[1]));
		while (offset < SIZE)
			CHECK_GT(sendfile(fd[0], file, &offset, SIZE), 0);
		CHECK_EQ(offset, SIZE);
		CHECK_EQ(sendfile(fd[0], file, &offset, SIZE), 0);
		_exit(0);
	}
	CHECK_OK(close(fd[0]));
	read_all(fd[1], in, SIZE - 1000);
	CHECK_EQ(read(fd[1], in + SIZE - 1000, 1), 0);
	CHECK_EQ(memcmp(in, data + 1000, SIZE - 1000), 0);
	CHECK_EXITED(pid, 0);
	CHECK_ERRNO(sendfile(socket_new(AF_INET, SOCK_STREAM), 99, NULL, 1), EBADF);
}

TEST(socket_misc, limit_of_descriptors)
{
	struct rlimit limit = { 20, 20 };
	int last = -1, fd;

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	while ((fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0)
		last = fd;
	CHECK_EQ(errno, EMFILE);
	CHECK_EQ(last, 19);
	CHECK_OK(close(last));
	CHECK_EQ(socket(AF_INET6, SOCK_DGRAM, 0), last);
}
