/*
 * Multicast on the loopback interface: who has joined gets it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

#include <net/if.h>

enum { GROUP = 0xefff1234 }; /* 239.255.18.52 */
static char got[100];

static struct ip_mreqn membership(uint32_t group)
{
	struct ip_mreqn at = { .imr_ifindex = if_nametoindex("lo") };

	at.imr_multiaddr.s_addr = htonl(group);
	return at;
}

static int join(int fd, uint32_t group)
{
	struct ip_mreqn at = membership(group);

	return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &at, sizeof(at));
}

static int leave(int fd, uint32_t group)
{
	struct ip_mreqn at = membership(group);

	return setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &at, sizeof(at));
}

static int sender_new(void)
{
	int fd = socket_new(AF_INET, SOCK_DGRAM);
	struct ip_mreqn at = membership(0);

	CHECK_OK(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &at, sizeof(at)));
	return fd;
}

TEST(udp_multicast, to_those_who_joined)
{
	int fd[3], sender = sender_new(), port = 0;

	for (int i = 0; i < 3; i++) {
		fd[i] = socket_new(AF_INET, SOCK_DGRAM);
		CHECK_OK(option_set(fd[i], SOL_SOCKET, SO_REUSEADDR, 1));
		CHECK_OK(option_set(fd[i], IPPROTO_IP, IP_MULTICAST_ALL, 0));
		CHECK_OK(bind_to(fd[i], any_address(AF_INET, port)));
		port = local_port(fd[i]);
	}
	CHECK_OK(join(fd[0], GROUP));
	CHECK_OK(join(fd[1], GROUP));
	CHECK_OK(join(fd[2], GROUP + 1));
	CHECK_EQ(send_to(sender, "to all", 6, address_in(GROUP, port)), 6);
	CHECK_EQ(recv(fd[0], got, 100, 0), 6);
	CHECK_EQ(recv(fd[1], got, 100, 0), 6);
	CHECK_ERRNO(recv(fd[2], got, 100, MSG_DONTWAIT), EAGAIN);
	CHECK_ERRNO(recv(fd[0], got, 100, MSG_DONTWAIT), EAGAIN);
}

TEST(udp_multicast, not_to_those_who_left)
{
	int fd = socket_new(AF_INET, SOCK_DGRAM), sender = sender_new();

	CHECK_OK(bind_to(fd, any_address(AF_INET, 0)));
	CHECK_OK(join(fd, GROUP));
	struct address at = address_in(GROUP, local_port(fd));
	CHECK_EQ(send_to(sender, "in", 2, at), 2);
	CHECK_EQ(recv(fd, got, 100, 0), 2);
	CHECK_OK(leave(fd, GROUP));
	CHECK_EQ(send_to(sender, "out", 3, at), 3);
	CHECK_EQ(send_to(sender, "direct", 6, loopback(AF_INET, local_port(fd))), 6);
	CHECK_EQ(recv(fd, got, 100, 0), 6);
}

TEST(udp_multicast, memberships)
{
	int fd = socket_new(AF_INET, SOCK_DGRAM);
	struct ip_mreq old = { .imr_interface.s_addr = htonl(INADDR_LOOPBACK) };

	CHECK_OK(join(fd, GROUP));
	CHECK_ERRNO(join(fd, GROUP), EADDRINUSE);
	CHECK_OK(leave(fd, GROUP));
	CHECK_ERRNO(leave(fd, GROUP), EADDRNOTAVAIL);
	CHECK_ERRNO(join(fd, 0x7f000001), EINVAL);
	CHECK_ERRNO(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &old, 4), EINVAL);
	/* The older form, by an address of the interface. */
	old.imr_multiaddr.s_addr = htonl(GROUP);
	CHECK_OK(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &old, sizeof(old)));
	CHECK_OK(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &old, sizeof(old)));
	struct ip_mreqn nowhere = membership(GROUP);
	nowhere.imr_ifindex = 9999;
	CHECK_ERRNO(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &nowhere, sizeof(nowhere)),
		    ENODEV);
}

TEST(udp_multicast, options)
{
	int fd = socket_new(AF_INET, SOCK_DGRAM);

	CHECK_EQ(option_get(fd, IPPROTO_IP, IP_MULTICAST_TTL), 1);
	CHECK_OK(option_set(fd, IPPROTO_IP, IP_MULTICAST_TTL, 20));
	CHECK_EQ(option_get(fd, IPPROTO_IP, IP_MULTICAST_TTL), 20);
	CHECK_ERRNO(option_set(fd, IPPROTO_IP, IP_MULTICAST_TTL, 256), EINVAL);
	CHECK_EQ(option_get(fd, IPPROTO_IP, IP_MULTICAST_LOOP), 1);
	unsigned char off = 0;
	CHECK_OK(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &off, 1));
	CHECK_EQ(option_get(fd, IPPROTO_IP, IP_MULTICAST_LOOP), 0);
	struct in_addr at = { htonl(INADDR_LOOPBACK) }, now;
	socklen_t size = sizeof(now);
	CHECK_OK(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &at, sizeof(at)));
	CHECK_OK(getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &now, &size));
	CHECK_EQ(now.s_addr, at.s_addr);
}

/* Only memberships: Linux has no route for groups on the loopback interface. */
TEST(udp_multicast, ipv6)
{
	int fd = socket_new(AF_INET6, SOCK_DGRAM), lo = if_nametoindex("lo");
	struct ipv6_mreq at = { .ipv6mr_interface = lo };

	CHECK_EQ(inet_pton(AF_INET6, "ff01::1234", &at.ipv6mr_multiaddr), 1);
	CHECK_OK(setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &at, sizeof(at)));
	CHECK_ERRNO(setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &at, sizeof(at)), EADDRINUSE);
	CHECK_OK(setsockopt(fd, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &at, sizeof(at)));
	CHECK_ERRNO(setsockopt(fd, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &at, sizeof(at)),
		    EADDRNOTAVAIL);
	at.ipv6mr_multiaddr = in6addr_loopback;
	CHECK_ERRNO(setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &at, sizeof(at)), EINVAL);
	CHECK_OK(option_set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, lo));
	CHECK_EQ(option_get(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF), lo);
	CHECK_EQ(option_get(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS), 1);
	CHECK_EQ(option_get(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP), 1);
}
