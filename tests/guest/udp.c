/*
 * UDP without connections: datagrams with their boundaries and addresses, and what is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

#include <sys/wait.h>

static char data[70000], got[70000];

TEST(udp, there_and_back)
{
	FOR_FAMILIES(family) {
		int a = socket_bound(family, SOCK_DGRAM), b = socket_bound(family, SOCK_DGRAM);
		struct address from;

		CHECK_EQ(send_to(a, "ping", 4, local_address(b)), 4);
		CHECK_EQ(receive_from(b, got, 100, &from), 4);
		CHECK_EQ(memcmp(got, "ping", 4), 0);
		CHECK_EQ(from.size, local_address(a).size);
		CHECK_ADDRESS(from, local_address(a));
		CHECK_EQ(send_to(b, "pong!", 5, from), 5);
		CHECK_EQ(receive_from(a, got, 100, &from), 5);
		CHECK_ADDRESS(from, local_address(b));
	}
}

TEST(udp, each_for_itself)
{
	FOR_FAMILIES(family) {
		int a = socket_bound(family, SOCK_DGRAM), b = socket_bound(family, SOCK_DGRAM);

		for (int size = 1; size <= 40; size += 13)
			CHECK_EQ(send_to(a, data, size, local_address(b)), size);
		for (int size = 1; size <= 40; size += 13)
			CHECK_EQ(read(b, got, sizeof(got)), size);
		CHECK_ERRNO(recv(b, got, 1, MSG_DONTWAIT), EAGAIN);
	}
}

TEST(udp, empty)
{
	FOR_FAMILIES(family) {
		int a = socket_bound(family, SOCK_DGRAM), b = socket_bound(family, SOCK_DGRAM);
		struct address from;

		CHECK_EQ(send_to(a, "", 0, local_address(b)), 0);
		CHECK_EQ(poll_for(b, POLLIN), POLLIN);
		CHECK_EQ(receive_from(b, got, 10, &from), 0);
		CHECK_ADDRESS(from, local_address(a));
		CHECK_EQ(events_now(b, POLLIN), 0);
	}
}

TEST(udp, cut_off)
{
	int a = socket_bound(AF_INET, SOCK_DGRAM), b = socket_bound(AF_INET, SOCK_DGRAM);

	for (int i = 0; i < 3; i++)
		CHECK_EQ(send_to(a, "0123456789", 10, local_address(b)), 10);
	memset(got, 0x55, 10);
	CHECK_EQ(recv(b, got, 4, 0), 4);
	CHECK_EQ(got[4], 0x55);
	CHECK_EQ(recv(b, got, 4, MSG_TRUNC), 10);
	CHECK_EQ(got[4], 0x55);
	CHECK_EQ(recv(b, got, 0, MSG_TRUNC | MSG_PEEK), 10); /* how long is the next one? */
	CHECK_EQ(recv(b, got, 100, 0), 10);
	CHECK_ERRNO(recv(b, got, 4, MSG_DONTWAIT), EAGAIN);
}

TEST(udp, peek)
{
	int a = socket_bound(AF_INET6, SOCK_DGRAM), b = socket_bound(AF_INET6, SOCK_DGRAM);
	struct address from = { .size = sizeof(from.in6) };

	CHECK_EQ(send_to(a, "one", 3, local_address(b)), 3);
	CHECK_EQ(send_to(a, "two", 3, local_address(b)), 3);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(recvfrom(b, got, 10, MSG_PEEK, &from.any, &from.size), 3);
		CHECK_EQ(memcmp(got, "one", 3), 0);
		CHECK_ADDRESS(from, local_address(a));
	}
	CHECK_EQ(recv(b, got, 10, 0), 3);
	CHECK_EQ(recv(b, got, 10, 0), 3);
	CHECK_EQ(memcmp(got, "two", 3), 0);
}

TEST(udp, as_long_as_it_gets)
{
	FOR_FAMILIES(family) {
		int a = socket_bound(family, SOCK_DGRAM), b = socket_bound(family, SOCK_DGRAM);
		int most = family == AF_INET ? 65507 : 65527;

		pattern_fill((unsigned char *)data, most, family);
		CHECK_EQ(send_to(a, data, most, local_address(b)), most);
		CHECK_EQ(recv(b, got, sizeof(got), 0), most);
		CHECK_EQ(memcmp(got, data, most), 0);
		CHECK_ERRNO(send_to(a, data, most + 1, local_address(b)), EMSGSIZE);
		CHECK_ERRNO(send_to(a, data, 70000, local_address(b)), EMSGSIZE);
		CHECK_ERRNO(recv(b, got, 1, MSG_DONTWAIT), EAGAIN);
	}
}

TEST(udp, bound_by_sending)
{
	FOR_FAMILIES(family) {
		int a = socket_new(family, SOCK_DGRAM), b = socket_bound(family, SOCK_DGRAM);
		struct address from;

		CHECK_EQ(local_port(a), 0);
		CHECK_EQ(send_to(a, "x", 1, local_address(b)), 1);
		CHECK_GE(local_port(a), 1024);
		CHECK_EQ(receive_from(b, got, 1, &from), 1);
		CHECK_ADDRESS(from, loopback(family, local_port(a)));
		CHECK_ADDRESS(local_address(a), any_address(family, local_port(a)));
	}
}

TEST(udp, bound_to_any_address)
{
	FOR_FAMILIES(family) {
		int a = socket_new(family, SOCK_DGRAM), b = socket_new(family, SOCK_DGRAM);

		CHECK_OK(bind_to(b, any_address(family, 0)));
		CHECK_EQ(send_to(a, "x", 1, loopback(family, local_port(b))), 1);
		CHECK_EQ(recv(b, got, 1, 0), 1);
		CHECK_EQ(send_to(a, "y", 1, any_address(family, local_port(b))), 1);
		CHECK_EQ(recv(b, got, 1, 0), 1);
	}
}

TEST(udp, needs_a_destination)
{
	FOR_FAMILIES(family) {
		int fd = socket_bound(family, SOCK_DGRAM);
		struct address self = local_address(fd), to = self, other;

		CHECK_ERRNO(send(fd, "x", 1, 0), EDESTADDRREQ);
		CHECK_ERRNO(write(fd, "x", 1), EDESTADDRREQ);
		to.size = family == AF_INET ? 15 : 20;
		CHECK_ERRNO(send_to(fd, "x", 1, to), EINVAL);
		to.size = 0;
		CHECK_ERRNO(send_to(fd, "x", 1, to), EINVAL);
		CHECK_ERRNO(sendto(fd, "x", 1, 0, &self.any, -1), EINVAL);
		other = loopback(AF_INET6, 9);
		other.any.sa_family = AF_UNIX;
		CHECK_ERRNO(send_to(fd, "x", 1, other),
			    family == AF_INET ? EAFNOSUPPORT : EINVAL);
		CHECK_ERRNO(send_to(fd, "x", 1, loopback(family, 0)), EINVAL);
		CHECK_ERRNO(recv(fd, got, 1, MSG_DONTWAIT), EAGAIN);
	}
}

TEST(udp, broadcast_must_be_asked_for)
{
	int fd = socket_new(AF_INET, SOCK_DGRAM);

	CHECK_ERRNO(send_to(fd, "x", 1, address_in(0x7fffffff, 9)), EACCES);
	CHECK_ERRNO(connect_to(fd, address_in(0x7fffffff, 9)), EACCES);
	CHECK_OK(option_set(fd, SOL_SOCKET, SO_BROADCAST, 1));
	CHECK_EQ(send_to(fd, "x", 1, address_in(0x7fffffff, 9)), 1);
}

TEST(udp, ports_are_taken)
{
	FOR_FAMILIES(family) {
		int a = socket_bound(family, SOCK_DGRAM), b = socket_new(family, SOCK_DGRAM);

		CHECK_ERRNO(bind_to(b, local_address(a)), EADDRINUSE);
		CHECK_ERRNO(bind_to(b, any_address(family, local_port(a))), EADDRINUSE);
		struct address at = local_address(a);
		CHECK_OK(close(a));
		CHECK_OK(bind_to(b, at));
		CHECK_ERRNO(bind_to(b, at), EINVAL);
	}
}

TEST(udp, ports_are_shared)
{
	int fd[2], sender = socket_new(AF_INET, SOCK_DGRAM);

	for (int i = 0; i < 2; i++) {
		fd[i] = socket_new(AF_INET, SOCK_DGRAM);
		CHECK_OK(option_set(fd[i], SOL_SOCKET, SO_REUSEADDR, 1));
		CHECK_OK(bind_to(fd[i], i ? local_address(fd[0]) : loopback(AF_INET, 0)));
	}
	/* One of them gets it, and only one. */
	CHECK_EQ(send_to(sender, "x", 1, local_address(fd[0])), 1);
	struct pollfd set[2] = { { fd[0], POLLIN, 0 }, { fd[1], POLLIN, 0 } };
	CHECK_EQ(poll(set, 2, 5000), 1);
	CHECK_ERRNO(bind_to(sender, local_address(fd[0])), EINVAL);
	CHECK_ERRNO(bind_to(socket_new(AF_INET, SOCK_DGRAM), local_address(fd[0])), EADDRINUSE);
}

/* SO_REUSEPORT: what comes from one place goes to one of them, what comes from many to all. */
TEST(udp, ports_are_divided)
{
	int fd[2], count[2] = { 0 };

	for (int i = 0; i < 2; i++) {
		fd[i] = socket_new(AF_INET, SOCK_DGRAM);
		CHECK_OK(option_set(fd[i], SOL_SOCKET, SO_REUSEPORT, 1));
		CHECK_OK(bind_to(fd[i], i ? local_address(fd[0]) : loopback(AF_INET, 0)));
	}
	for (int i = 0; i < 40; i++) {
		int sender = socket_bound(AF_INET, SOCK_DGRAM);

		CHECK_EQ(send_to(sender, "x", 1, local_address(fd[0])), 1);
		CHECK_OK(close(sender));
	}
	while (count[0] + count[1] < 40) {
		struct pollfd set[2] = { { fd[0], POLLIN, 0 }, { fd[1], POLLIN, 0 } };

		CHECK_GE(poll(set, 2, 5000), 1);
		for (int i = 0; i < 2; i++)
			if (set[i].revents)
				count[i] += CHECK_OK(recv(fd[i], got, 1, 0));
	}
	CHECK_GT(count[0], 0);
	CHECK_GT(count[1], 0);
}

TEST(udp, to_the_address_it_was_sent_to)
{
	int fd[2] = { socket_bound(AF_INET, SOCK_DGRAM), socket_new(AF_INET, SOCK_DGRAM) };
	int sender = socket_new(AF_INET, SOCK_DGRAM), port = local_port(fd[0]);

	CHECK_OK(bind_to(fd[1], address_in(0x7f000009, port)));
	CHECK_EQ(send_to(sender, "nine", 4, address_in(0x7f000009, port)), 4);
	CHECK_EQ(recv(fd[1], got, 10, 0), 4);
	CHECK_ERRNO(recv(fd[0], got, 10, MSG_DONTWAIT), EAGAIN);
}

/*
 * Beyond the receiver's buffer they are dropped, the first ones stay, and the sender never knows.
 */
TEST(udp, overflow)
{
	int a = socket_new(AF_INET, SOCK_DGRAM), b = socket_new(AF_INET, SOCK_DGRAM), taken = 0;

	CHECK_OK(option_set(b, SOL_SOCKET, SO_RCVBUF, 8192));
	CHECK_OK(bind_to(b, loopback(AF_INET, 0)));
	for (int i = 0; i < 2000; i++) {
		memcpy(data, &i, sizeof(i));
		CHECK_EQ(send_to(a, data, 1000, local_address(b)), 1000);
	}
	while (recv(b, got, sizeof(got), MSG_DONTWAIT) == 1000) {
		CHECK_EQ(memcmp(got, &taken, sizeof(taken)), 0);
		taken++;
	}
	CHECK_GT(taken, 0);
	CHECK_LT(taken, 100);
	CHECK_EQ(send_to(a, "after", 5, local_address(b)), 5);
	CHECK_EQ(recv(b, got, sizeof(got), 0), 5);
}

/* Nobody there: no error for one that is not connected. */
TEST(udp, into_the_void)
{
	int nobody = socket_bound(AF_INET, SOCK_DGRAM), fd = socket_bound(AF_INET, SOCK_DGRAM);
	struct address at = local_address(nobody);

	CHECK_OK(close(nobody));
	for (int i = 0; i < 5; i++)
		CHECK_EQ(send_to(fd, "x", 1, at), 1);
	CHECK_EQ(socket_error(fd), 0);
	CHECK_ERRNO(recv(fd, got, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(events_now(fd, POLLIN | POLLOUT), POLLOUT);
}

TEST(udp, receiver_waits)
{
	FOR_FAMILIES(family) {
		int a = socket_new(family, SOCK_DGRAM), b = socket_bound(family, SOCK_DGRAM);
		pid_t pid = FORK();

		if (pid == 0) {
			CHECK_EQ(recv(b, got, 100, 0), 5);
			CHECK_EQ(read(b, got, 100), 3);
			_exit(0);
		}
		wait_until_blocked(pid);
		CHECK_EQ(send_to(a, "first", 5, local_address(b)), 5);
		wait_until_blocked(pid);
		CHECK_EQ(send_to(a, "2nd", 3, local_address(b)), 3);
		CHECK_EXITED(pid, 0);
	}
}

TEST(udp, several_receivers)
{
	enum { COUNT = 4 };
	int a = socket_new(AF_INET, SOCK_DGRAM), b = socket_bound(AF_INET, SOCK_DGRAM);
	pid_t pid[COUNT];

	for (int i = 0; i < COUNT; i++) {
		pid[i] = FORK();
		if (pid[i] == 0) {
			CHECK_EQ(recv(b, got, 100, 0), 1);
			_exit(0);
		}
		wait_until_blocked(pid[i]);
	}
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(send_to(a, "x", 1, local_address(b)), 1);
	for (int i = 0; i < COUNT; i++)
		CHECK_EXITED(pid[i], 0);
}

TEST(udp, ipv4_in_ipv6)
{
	int four = socket_bound(AF_INET, SOCK_DGRAM), six = socket_new(AF_INET6, SOCK_DGRAM);
	struct address from;

	CHECK_OK(bind_to(six, any_address(AF_INET6, 0)));
	CHECK_EQ(send_to(four, "x", 1, loopback(AF_INET, local_port(six))), 1);
	CHECK_EQ(receive_from(six, got, 1, &from), 1);
	CHECK_ADDRESS(from, mapped_loopback(local_port(four)));
	CHECK_EQ(send_to(six, "yz", 2, from), 2);
	CHECK_EQ(receive_from(four, got, 2, &from), 2);
	CHECK_ADDRESS(from, loopback(AF_INET, local_port(six)));
}

TEST(udp, ipv6_only)
{
	int four = socket_bound(AF_INET, SOCK_DGRAM), six = socket_new(AF_INET6, SOCK_DGRAM);

	CHECK_OK(option_set(six, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	CHECK_OK(bind_to(six, any_address(AF_INET6, 0)));
	CHECK_ERRNO(send_to(six, "x", 1, mapped_loopback(local_port(four))), ENETUNREACH);
	CHECK_EQ(send_to(four, "x", 1, loopback(AF_INET, local_port(six))), 1);
	CHECK_EQ(send_to(socket_new(AF_INET6, SOCK_DGRAM), "six", 3,
			 loopback(AF_INET6, local_port(six))), 3);
	CHECK_EQ(recv(six, got, 10, 0), 3);
	CHECK_ERRNO(recv(six, got, 10, MSG_DONTWAIT), EAGAIN);
}

TEST(udp, to_itself)
{
	int fd = socket_bound(AF_INET, SOCK_DGRAM);
	struct address from;

	CHECK_EQ(send_to(fd, "me", 2, local_address(fd)), 2);
	CHECK_EQ(receive_from(fd, got, 10, &from), 2);
	CHECK_ADDRESS(from, local_address(fd));
}

/* The address goes into the room there is; its real size is told. */
TEST(udp, room_for_the_sender)
{
	int a = socket_bound(AF_INET, SOCK_DGRAM), b = socket_bound(AF_INET, SOCK_DGRAM);
	struct address from;

	for (int i = 0; i < 3; i++)
		CHECK_EQ(send_to(a, "x", 1, local_address(b)), 1);
	memset(&from, 0x55, sizeof(from));
	from.size = 4;
	CHECK_EQ(recvfrom(b, got, 1, 0, &from.any, &from.size), 1);
	CHECK_EQ(from.size, sizeof(from.in));
	CHECK_EQ(address_port(&from), local_port(a));
	CHECK_EQ(from.in.sin_addr.s_addr, 0x55555555);
	CHECK_EQ(recvfrom(b, got, 1, 0, NULL, NULL), 1);
	from.size = -1;
	CHECK_ERRNO(recvfrom(b, got, 1, 0, &from.any, &from.size), EINVAL);
}

TEST(udp, many_sockets)
{
	enum { COUNT = 100 };
	int fd[COUNT], sender = socket_new(AF_INET, SOCK_DGRAM);

	for (int i = 0; i < COUNT; i++)
		fd[i] = socket_bound(AF_INET, SOCK_DGRAM);
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(send_to(sender, &i, sizeof(i), local_address(fd[i])), sizeof(i));
	for (int i = COUNT - 1; i >= 0; i--) {
		int number;

		CHECK_EQ(read(fd[i], &number, sizeof(number)), sizeof(number));
		CHECK_EQ(number, i);
		CHECK_OK(close(fd[i]));
	}
}
