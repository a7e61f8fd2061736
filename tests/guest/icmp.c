/*
 * ICMP by raw sockets and by those for ping, on the loopback interface.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>

static unsigned char got[2000];

static int raw_socket_of(int family, int protocol)
{
	int fd = socket(family, SOCK_RAW, protocol);

	if (fd < 0 && (errno == EPERM || errno == EACCES))
		SKIP("the host forbids raw sockets");
	return CHECK_OK(fd);
}

static int raw_socket(int family)
{
	return raw_socket_of(family, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static int ping_socket(int family)
{
	int fd = socket(family, SOCK_DGRAM, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);

	if (fd < 0 && errno == EACCES)
		SKIP("net.ipv4.ping_group_range forbids it");
	return CHECK_OK(fd);
}

static uint16_t checksum(const void *data, size_t size)
{
	const uint8_t *at = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i += 2)
		sum += at[i] << 8 | (i + 1 < size ? at[i + 1] : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum & 0xffff);
}

/* An echo request with 48 bytes of data. */
struct echo {
	struct icmphdr header;
	char data[48];
};

static struct echo echo_request(int number)
{
	struct echo echo = { .header = { .type = ICMP_ECHO } };

	echo.header.un.echo.id = htons(getpid() & 0xffff);
	echo.header.un.echo.sequence = htons(number);
	for (int i = 0; i < 48; i++)
		echo.data[i] = i;
	echo.header.checksum = checksum(&echo, sizeof(echo));
	return echo;
}

/* Waits for the message of this type and number, in a socket that hears them all. */
static struct icmphdr *raw_wait(int fd, int type, int number)
{
	for (;;) {
		ssize_t size = CHECK_OK(recv(fd, got, sizeof(got), 0));
		struct iphdr *ip = (void *)got;

		CHECK_GE(size, 28);
		CHECK_EQ(ip->version, 4);
		CHECK_EQ(ip->protocol, IPPROTO_ICMP);
		CHECK_EQ(ntohs(ip->tot_len), size);
		struct icmphdr *icmp = (void *)(got + ip->ihl * 4);
		if (icmp->type == type && (number < 0 || icmp->un.echo.sequence == htons(number)))
			return icmp;
	}
}

TEST(icmp, raw_echo)
{
	int fd = raw_socket(AF_INET);
	struct address from;

	for (int i = 1; i <= 3; i++) {
		struct echo request = echo_request(i);

		CHECK_EQ(send_to(fd, &request, sizeof(request), loopback(AF_INET, 0)),
			 sizeof(request));
		struct echo *reply = (void *)raw_wait(fd, ICMP_ECHOREPLY, i);
		CHECK_EQ(reply->header.un.echo.id, request.header.un.echo.id);
		CHECK_EQ(memcmp(reply->data, request.data, 48), 0);
		CHECK_EQ(checksum(reply, sizeof(*reply)), 0);
	}
	struct echo request = echo_request(4);
	CHECK_EQ(send_to(fd, &request, sizeof(request), loopback(AF_INET, 0)), sizeof(request));
	CHECK_OK(receive_from(fd, got, sizeof(got), &from));
	CHECK_ADDRESS(from, loopback(AF_INET, 0));
}

TEST(icmp, raw_connected)
{
	int fd = raw_socket(AF_INET);
	struct echo request = echo_request(9);

	CHECK_ERRNO(send(fd, &request, sizeof(request), 0), EDESTADDRREQ);
	CHECK_OK(connect_to(fd, loopback(AF_INET, 0)));
	CHECK_EQ(write(fd, &request, sizeof(request)), sizeof(request));
	raw_wait(fd, ICMP_ECHOREPLY, 9);
}

TEST(icmp, raw_with_its_own_header)
{
	struct { struct iphdr ip; struct echo echo; } packet = { .echo = echo_request(5) };
	int fd = raw_socket(AF_INET);

	packet.ip = (struct iphdr){
		.ihl = 5, .version = 4, .ttl = 5, .protocol = IPPROTO_ICMP,
		.saddr = htonl(0x7f000007), .daddr = htonl(INADDR_LOOPBACK),
	};
	CHECK_OK(option_set(fd, IPPROTO_IP, IP_HDRINCL, 1));
	CHECK_EQ(send_to(fd, &packet, sizeof(packet), loopback(AF_INET, 0)), sizeof(packet));
	raw_wait(fd, ICMP_ECHO, 5);
	struct iphdr *ip = (void *)got;
	CHECK_EQ(ip->saddr, htonl(0x7f000007));
	CHECK_EQ(ip->ttl, 5);
}

/* What a router or the host itself says of a datagram that nobody wanted. */
TEST(icmp, unreachable_port)
{
	int fd = raw_socket(AF_INET), udp = socket_bound(AF_INET, SOCK_DGRAM);
	struct address at = local_address(udp);

	CHECK_OK(close(udp));
	udp = socket_new(AF_INET, SOCK_DGRAM);
	CHECK_EQ(send_to(udp, "nobody?", 7, at), 7);
	struct icmphdr *icmp;
	do
		icmp = raw_wait(fd, ICMP_DEST_UNREACH, -1);
	while (((uint16_t *)(icmp + 1))[11] != at.in.sin_port);
	CHECK_EQ(icmp->code, ICMP_PORT_UNREACH);
	struct iphdr *quoted = (void *)(icmp + 1);
	CHECK_EQ(quoted->protocol, IPPROTO_UDP);
	CHECK_EQ(quoted->daddr, htonl(INADDR_LOOPBACK));
	CHECK_EQ(((uint16_t *)(quoted + 1))[0], htons(local_port(udp)));
}

struct echo6 {
	struct icmp6_hdr header;
	char data[48];
};

TEST(icmp, raw_echo_ipv6)
{
	int fd = raw_socket(AF_INET6);
	struct echo6 request = { .header = { .icmp6_type = ICMP6_ECHO_REQUEST } };
	struct icmp6_filter filter;
	struct address from;

	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
	CHECK_OK(setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)));
	request.header.icmp6_id = htons(getpid() & 0xffff);
	memset(request.data, 7, sizeof(request.data));
	/* No IP header, and the kernel makes the checksum. */
	CHECK_EQ(send_to(fd, &request, sizeof(request), loopback(AF_INET6, 0)), sizeof(request));
	struct echo6 *reply = (void *)got;
	do
		CHECK_EQ(receive_from(fd, got, sizeof(got), &from), sizeof(request));
	while (reply->header.icmp6_id != request.header.icmp6_id);
	CHECK_EQ(reply->header.icmp6_type, ICMP6_ECHO_REPLY);
	CHECK_EQ(memcmp(reply->data, request.data, sizeof(request.data)), 0);
	CHECK_ADDRESS(from, loopback(AF_INET6, 0));
}

TEST(icmp, datagram_echo)
{
	int fd = ping_socket(AF_INET);
	struct echo request = echo_request(3);

	request.header.checksum = 0; /* it and the id are the kernel's business */
	CHECK_EQ(send_to(fd, &request, sizeof(request), loopback(AF_INET, 0)), sizeof(request));
	CHECK_EQ(read(fd, got, sizeof(got)), sizeof(request));
	struct echo *reply = (void *)got;
	CHECK_EQ(reply->header.type, ICMP_ECHOREPLY);
	CHECK_EQ(reply->header.un.echo.sequence, htons(3));
	CHECK_EQ(memcmp(reply->data, request.data, 48), 0);
	request.header.type = ICMP_ECHOREPLY;
	CHECK_ERRNO(send_to(fd, &request, sizeof(request), loopback(AF_INET, 0)), EINVAL);
}

TEST(icmp, datagram_echo_ipv6)
{
	int fd = ping_socket(AF_INET6);
	struct echo6 request = { .header = { .icmp6_type = ICMP6_ECHO_REQUEST } };

	CHECK_EQ(send_to(fd, &request, sizeof(request), loopback(AF_INET6, 0)), sizeof(request));
	CHECK_EQ(read(fd, got, sizeof(got)), sizeof(request));
	CHECK_EQ(((struct echo6 *)got)->header.icmp6_type, ICMP6_ECHO_REPLY);
}

/* All of 127.0.0.0/8 is this machine. */
TEST(icmp, any_loopback_address)
{
	int fd = ping_socket(AF_INET);
	struct echo request = echo_request(1);
	struct address from;

	CHECK_EQ(send_to(fd, &request, sizeof(request), address_in(0x7f000907, 0)),
		 sizeof(request));
	CHECK_EQ(receive_from(fd, got, sizeof(got), &from), sizeof(request));
	CHECK_ADDRESS(from, address_in(0x7f000907, 0));
}

/* A raw socket of UDP's hears a datagram that goes to another, which has it all the same. */
TEST(icmp, raw_udp)
{
	static unsigned char data[40000], room[40100];
	int fd = raw_socket_of(AF_INET, IPPROTO_UDP);
	int a = socket_bound(AF_INET, SOCK_DGRAM), b = socket_bound(AF_INET, SOCK_DGRAM);

	for (int size = 10; size <= 40000; size += 39990) {
		pattern_fill(data, size, size);
		CHECK_EQ(send_to(a, data, size, local_address(b)), size);
		CHECK_EQ(recv(b, room, sizeof(room), 0), size);
		CHECK_EQ(memcmp(room, data, size), 0);
		do
			CHECK_OK(recv(fd, room, sizeof(room), 0));
		while ((room[22] << 8 | room[23]) != local_port(b));
		CHECK_EQ(ntohs(((struct iphdr *)room)->tot_len), size + 28);
		CHECK_EQ(memcmp(room + 28, data, size), 0);
	}
}

TEST(icmp, raw_is_for_root)
{
	SUBPROCESS {
		drop_to_user(1000, 1000);
		CHECK_ERRNO(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM);
		CHECK_ERRNO(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), EPERM);
		CHECK_ERRNO(socket(AF_INET, SOCK_RAW, IPPROTO_RAW), EPERM);
	}
}

TEST(icmp, raw_sockets_have_a_protocol)
{
	CHECK_OK(close(raw_socket(AF_INET)));
	CHECK_ERRNO(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(AF_INET, SOCK_RAW, -1), EINVAL);
	CHECK_ERRNO(socket(AF_INET, SOCK_RAW, 99999), EINVAL);
	CHECK_ERRNO(listen(raw_socket(AF_INET), 1), EOPNOTSUPP);
	CHECK_ERRNO(recv(raw_socket(AF_INET), got, 1, MSG_DONTWAIT), EAGAIN);
}
