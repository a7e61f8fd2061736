/*
 * Options of sockets: defaults, what was set is what is read, and errors for what is unknown.
 *
 * A program that asks for what is not there must be told so (ENOPROTOOPT): it tests for that.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

#include <limits.h>
#include <netinet/ip.h>

/* Whatever is not zero is one. */
static void check_flag(int fd, int level, int option, int first)
{
	CHECK_EQ(option_get(fd, level, option), first);
	CHECK_OK(option_set(fd, level, option, 5));
	CHECK_EQ(option_get(fd, level, option), 1);
	CHECK_OK(option_set(fd, level, option, 0));
	CHECK_EQ(option_get(fd, level, option), 0);
}

static void check_value(int fd, int level, int option, int first, int second)
{
	CHECK_EQ(option_get(fd, level, option), first);
	CHECK_OK(option_set(fd, level, option, second));
	CHECK_EQ(option_get(fd, level, option), second);
}

TEST(tcp_options, flags)
{
	FOR_FAMILIES(family) {
		int fd = socket_new(family, SOCK_STREAM);

		check_flag(fd, SOL_SOCKET, SO_REUSEADDR, 0);
		check_flag(fd, SOL_SOCKET, SO_REUSEPORT, 0);
		check_flag(fd, SOL_SOCKET, SO_KEEPALIVE, 0);
		check_flag(fd, SOL_SOCKET, SO_BROADCAST, 0);
		check_flag(fd, SOL_SOCKET, SO_OOBINLINE, 0);
		check_flag(fd, SOL_SOCKET, SO_DONTROUTE, 0);
		check_flag(fd, IPPROTO_TCP, TCP_NODELAY, 0);
		check_flag(fd, IPPROTO_TCP, TCP_CORK, 0);
	}
}

TEST(tcp_options, what_it_is)
{
	FOR_FAMILIES(family) {
		int tcp = socket_new(family, SOCK_STREAM), udp = socket_new(family, SOCK_DGRAM);

		CHECK_EQ(option_get(tcp, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
		CHECK_EQ(option_get(tcp, SOL_SOCKET, SO_DOMAIN), family);
		CHECK_EQ(option_get(tcp, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
		CHECK_EQ(option_get(tcp, SOL_SOCKET, SO_ERROR), 0);
		CHECK_EQ(option_get(udp, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
		CHECK_EQ(option_get(udp, SOL_SOCKET, SO_DOMAIN), family);
		CHECK_EQ(option_get(udp, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDP);
		CHECK_EQ(option_get(udp, SOL_SOCKET, SO_ACCEPTCONN), 0);
		CHECK_ERRNO(option_set(tcp, SOL_SOCKET, SO_TYPE, 1), ENOPROTOOPT);
		CHECK_ERRNO(option_set(tcp, SOL_SOCKET, SO_DOMAIN, 1), ENOPROTOOPT);
		CHECK_ERRNO(option_set(tcp, SOL_SOCKET, SO_PROTOCOL, 1), ENOPROTOOPT);
		CHECK_ERRNO(option_set(tcp, SOL_SOCKET, SO_ERROR, 0), ENOPROTOOPT);
		CHECK_ERRNO(option_set(tcp, SOL_SOCKET, SO_ACCEPTCONN, 0), ENOPROTOOPT);
	}
}

/* The kernel keeps twice of what was asked for, and never less than some. */
TEST(tcp_options, sizes_of_buffers)
{
	static const int options[] = { SO_RCVBUF, SO_SNDBUF };

	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++)
		for (unsigned i = 0; i < 2; i++) {
			int fd = socket_new(AF_INET, type);

			CHECK_GE(option_get(fd, SOL_SOCKET, options[i]), 8192);
			CHECK_OK(option_set(fd, SOL_SOCKET, options[i], 20000));
			CHECK_EQ(option_get(fd, SOL_SOCKET, options[i]), 40000);
			CHECK_OK(option_set(fd, SOL_SOCKET, options[i], 0));
			int least = option_get(fd, SOL_SOCKET, options[i]);
			CHECK_GE(least, 1024);
			CHECK_LE(least, 8192);
			CHECK_OK(option_set(fd, SOL_SOCKET, options[i], INT_MAX));
			CHECK_GE(option_get(fd, SOL_SOCKET, options[i]), 65536);
			CHECK_OK(option_set(fd, SOL_SOCKET, options[i], -1));
		}
}

TEST(tcp_options, small_buffers_still_work)
{
	static char data[20000], got[20000];
	int listener = socket_new(AF_INET, SOCK_STREAM), fd[2];

	CHECK_OK(option_set(listener, SOL_SOCKET, SO_RCVBUF, 1));
	CHECK_OK(bind_to(listener, loopback(AF_INET, 0)));
	CHECK_OK(listen(listener, 1));
	fd[0] = socket_new(AF_INET, SOCK_STREAM);
	CHECK_OK(option_set(fd[0], SOL_SOCKET, SO_SNDBUF, 1));
	CHECK_OK(connect_to(fd[0], local_address(listener)));
	fd[1] = CHECK_OK(accept(listener, NULL, NULL));
	pattern_fill((unsigned char *)data, sizeof(data), 1);
	pid_t pid = FORK();
	if (pid == 0) {
		write_all(fd[0], data, sizeof(data));
		_exit(0);
	}
	read_all(fd[1], got, sizeof(got));
	CHECK_EQ(memcmp(got, data, sizeof(got)), 0);
	CHECK_EXITED(pid, 0);
}

TEST(tcp_options, linger)
{
	struct linger linger = { 7, 9 }, got = { -1, -1 };
	int fd = socket_new(AF_INET, SOCK_STREAM);
	socklen_t size = sizeof(got);

	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &got, &size));
	CHECK_EQ(size, sizeof(got));
	CHECK_EQ(got.l_onoff, 0);
	CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &got, &size));
	CHECK_EQ(got.l_onoff, 1);
	CHECK_EQ(got.l_linger, 9);
	CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, 4), EINVAL);
}

TEST(tcp_options, timeouts)
{
	static const int options[] = { SO_RCVTIMEO, SO_SNDTIMEO };
	int fd = socket_new(AF_INET, SOCK_STREAM);

	for (unsigned i = 0; i < 2; i++) {
		struct timeval time = { 3, 520000 }, got = { -1, -1 };
		socklen_t size = sizeof(got);

		CHECK_OK(getsockopt(fd, SOL_SOCKET, options[i], &got, &size));
		CHECK_EQ(size, sizeof(got));
		CHECK_EQ(got.tv_sec, 0);
		CHECK_EQ(got.tv_usec, 0);
		CHECK_OK(setsockopt(fd, SOL_SOCKET, options[i], &time, sizeof(time)));
		CHECK_OK(getsockopt(fd, SOL_SOCKET, options[i], &got, &size));
		CHECK_EQ(got.tv_sec, 3);
		CHECK_EQ(got.tv_usec, 520000);
		time.tv_usec = 1000000;
		CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, options[i], &time, sizeof(time)), EDOM);
		CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, options[i], &time, 8), EINVAL);
		memset(&time, 0, sizeof(time));
		CHECK_OK(setsockopt(fd, SOL_SOCKET, options[i], &time, sizeof(time)));
		CHECK_OK(getsockopt(fd, SOL_SOCKET, options[i], &got, &size));
		CHECK_EQ(got.tv_sec, 0);
	}
}

TEST(tcp_options, keepalive_times)
{
	int fd = socket_new(AF_INET6, SOCK_STREAM);

	check_value(fd, IPPROTO_TCP, TCP_KEEPIDLE, 7200, 30);
	check_value(fd, IPPROTO_TCP, TCP_KEEPINTVL, 75, 10);
	check_value(fd, IPPROTO_TCP, TCP_KEEPCNT, 9, 3);
	CHECK_ERRNO(option_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 0), EINVAL);
	CHECK_ERRNO(option_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 40000), EINVAL);
	CHECK_ERRNO(option_set(fd, IPPROTO_TCP, TCP_KEEPCNT, 200), EINVAL);
	CHECK_EQ(option_get(fd, IPPROTO_TCP, TCP_KEEPIDLE), 30);
}

TEST(tcp_options, of_tcp)
{
	int fd = socket_new(AF_INET, SOCK_STREAM);

	check_value(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 0, 30000);
	CHECK_ERRNO(option_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, -1), EINVAL);
	CHECK_OK(option_set(fd, IPPROTO_TCP, TCP_QUICKACK, 1));
	CHECK_GT(option_get(fd, IPPROTO_TCP, TCP_MAXSEG), 0);
	char name[16] = "";
	socklen_t size = sizeof(name);
	CHECK_OK(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size));
	CHECK_NE(name[0], 0);
	CHECK_EQ(size, sizeof(name));
	CHECK_ERRNO(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "no such", 7), ENOENT);
}

static struct tcp_info info_get(int fd)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	memset(&info, 0, sizeof(info));
	CHECK_OK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size));
	CHECK_GE(size, 104); /* as far as tcpi_total_retrans */
	CHECK_LE(size, sizeof(info));
	return info;
}

TEST(tcp_options, info)
{
	enum { ESTABLISHED = 1, CLOSE = 7, CLOSE_WAIT = 8, LISTEN = 10 };
	int listener = listener_new(AF_INET, 3), fd = socket_new(AF_INET, SOCK_STREAM);
	char byte;

	CHECK_EQ(info_get(listener).tcpi_state, LISTEN);
	CHECK_EQ(info_get(fd).tcpi_state, CLOSE);
	CHECK_OK(connect_to(fd, local_address(listener)));
	int other = CHECK_OK(accept(listener, NULL, NULL));
	CHECK_EQ(info_get(fd).tcpi_state, ESTABLISHED);
	CHECK_EQ(info_get(other).tcpi_state, ESTABLISHED);
	CHECK_GT(info_get(fd).tcpi_snd_mss, 0);
	CHECK_GT(info_get(fd).tcpi_snd_cwnd, 0);
	CHECK_OK(close(other));
	CHECK_EQ(read(fd, &byte, 1), 0);
	CHECK_EQ(info_get(fd).tcpi_state, CLOSE_WAIT);
	/* As much as there is room for. */
	socklen_t size = 1;
	CHECK_OK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &byte, &size));
	CHECK_EQ(size, 1);
	CHECK_EQ(byte, CLOSE_WAIT);
}

TEST(tcp_options, of_ip)
{
	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		int fd = socket_new(AF_INET, type);

		CHECK_EQ(option_get(fd, IPPROTO_IP, IP_TTL), 64);
		CHECK_OK(option_set(fd, IPPROTO_IP, IP_TTL, 200));
		CHECK_EQ(option_get(fd, IPPROTO_IP, IP_TTL), 200);
		CHECK_ERRNO(option_set(fd, IPPROTO_IP, IP_TTL, 256), EINVAL);
		CHECK_ERRNO(option_set(fd, IPPROTO_IP, IP_TTL, 0), EINVAL);
		CHECK_OK(option_set(fd, IPPROTO_IP, IP_TTL, -1));
		CHECK_EQ(option_get(fd, IPPROTO_IP, IP_TTL), 64);
		check_value(fd, IPPROTO_IP, IP_TOS, 0, IPTOS_LOWDELAY);
		check_flag(fd, IPPROTO_IP, IP_PKTINFO, 0);
		check_flag(fd, IPPROTO_IP, IP_RECVTTL, 0);
		check_flag(fd, IPPROTO_IP, IP_RECVTOS, 0);
		check_flag(fd, IPPROTO_IP, IP_RECVERR, 0);
		check_flag(fd, IPPROTO_IP, IP_FREEBIND, 0);
		/* A byte is enough for these. */
		unsigned char byte = 33;
		CHECK_OK(setsockopt(fd, IPPROTO_IP, IP_TTL, &byte, 1));
		CHECK_EQ(option_get(fd, IPPROTO_IP, IP_TTL), 33);
		socklen_t size = 1;
		CHECK_OK(getsockopt(fd, IPPROTO_IP, IP_TTL, &byte, &size));
		CHECK_EQ(size, 1);
	}
}

TEST(tcp_options, of_ipv6)
{
	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		int fd = socket_new(AF_INET6, type);

		check_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
		check_value(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 64, 13);
		CHECK_ERRNO(option_set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 256), EINVAL);
		check_value(fd, IPPROTO_IPV6, IPV6_TCLASS, 0, 16);
		check_flag(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 0);
		check_flag(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 0);
		check_flag(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 0);
		CHECK_OK(bind_to(fd, loopback(AF_INET6, 0)));
		CHECK_ERRNO(option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), EINVAL);
	}
}

/* IPv4 calls a level that it does not know EOPNOTSUPP when it is read. */
static int refused(int result)
{
	return result == -1 && (errno == ENOPROTOOPT || errno == EOPNOTSUPP);
}

static void check_unknown(int fd, int level, int option)
{
	char room[64];
	socklen_t size = sizeof(room);
	int one = 1;

	if (!refused(getsockopt(fd, level, option, room, &size)))
		FAIL("get of level %d, option %d: errno %d", level, option, errno);
	errno = 0;
	if (setsockopt(fd, level, option, &one, sizeof(one)) != -1 || errno != ENOPROTOOPT)
		FAIL("set of level %d, option %d: errno %d", level, option, errno);
}

TEST(tcp_options, unknown)
{
	FOR_FAMILIES(family)
		for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
			int fd = socket_new(family, type);

			check_unknown(fd, SOL_SOCKET, 9999);
			check_unknown(fd, SOL_SOCKET, -1);
			check_unknown(fd, IPPROTO_IP, 9999);
			check_unknown(fd, IPPROTO_IPV6, 9999);
			check_unknown(fd, IPPROTO_TCP, 9999);
			check_unknown(fd, IPPROTO_UDP, 9999);
			check_unknown(fd, 9999, 1);
			check_unknown(fd, -1, 1);
			check_unknown(fd, type == SOCK_STREAM ? IPPROTO_UDP : IPPROTO_TCP, 1);
			if (family == AF_INET)
				check_unknown(fd, IPPROTO_IPV6, IPV6_V6ONLY);
			CHECK_EQ(socket_error(fd), 0);
		}
}

TEST(tcp_options, lengths)
{
	unsigned char room[16];
	int fd = socket_new(AF_INET, SOCK_STREAM), one = 1;
	socklen_t size = 2;

	CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, 3), EINVAL);
	CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, 0), EINVAL);
	CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, -1), EINVAL);
	CHECK_ERRNO(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, 3), EINVAL);
	CHECK_EQ(option_get(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, (int[4]){ 1 }, 16));
	memset(room, 0x55, sizeof(room));
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, room, &size));
	CHECK_EQ(size, 2);
	CHECK_EQ(room[0], 1);
	CHECK_EQ(room[2], 0x55);
	size = 16;
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, room, &size));
	CHECK_EQ(size, 4);
	CHECK_EQ(room[4], 0x55);
	size = 0;
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, room, &size));
	CHECK_EQ(size, 0);
	size = -1;
	CHECK_ERRNO(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, room, &size), EINVAL);
	CHECK_ERRNO(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, room, &size), EINVAL);
}

TEST(tcp_options, bound_to_a_device)
{
	int fd = socket_new(AF_INET, SOCK_STREAM), listener = listener_new(AF_INET, 1);

	CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "missing0", 9), ENODEV);
	CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	CHECK_OK(connect_to(fd, local_address(listener)));
	CHECK_OK(accept(listener, NULL, NULL));
}

TEST(tcp_options, shared_by_copies)
{
	int fd = socket_new(AF_INET, SOCK_STREAM), copy = CHECK_OK(dup(fd));

	CHECK_OK(option_set(fd, IPPROTO_TCP, TCP_NODELAY, 1));
	CHECK_EQ(option_get(copy, IPPROTO_TCP, TCP_NODELAY), 1);
	SUBPROCESS {
		CHECK_OK(option_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1));
	}
	CHECK_EQ(option_get(copy, SOL_SOCKET, SO_KEEPALIVE), 1);
}

TEST(tcp_options, stay_when_connected)
{
	int fd = socket_new(AF_INET, SOCK_STREAM), listener = listener_new(AF_INET, 1);

	CHECK_OK(option_set(fd, IPPROTO_TCP, TCP_NODELAY, 1));
	CHECK_OK(option_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1));
	CHECK_OK(option_set(fd, IPPROTO_IP, IP_TTL, 9));
	CHECK_OK(connect_to(fd, local_address(listener)));
	CHECK_EQ(option_get(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	CHECK_EQ(option_get(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	CHECK_EQ(option_get(fd, IPPROTO_IP, IP_TTL), 9);
	CHECK_OK(option_set(fd, IPPROTO_TCP, TCP_NODELAY, 0));
	CHECK_EQ(option_get(fd, IPPROTO_TCP, TCP_NODELAY), 0);
}
