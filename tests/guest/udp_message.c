/*
 * sendmsg(), recvmsg() and their plural forms on UDP: vectors, flags and control messages.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

#include <net/if.h>
#include <netinet/ip.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

static char got[1000];

/* A message with one vector and room for an address and for control data. */
struct message {
	struct msghdr header;
	struct iovec vector;
	struct address name;
	union {
		char control[256];
		struct cmsghdr align;
	};
};

static struct msghdr *message_init(struct message *message, void *data, size_t size)
{
	memset(message, 0, sizeof(*message));
	message->vector = (struct iovec){ data, size };
	message->header = (struct msghdr){
		.msg_name = &message->name.any,
		.msg_namelen = sizeof(message->name.in6),
		.msg_iov = &message->vector,
		.msg_iovlen = 1,
		.msg_control = message->control,
		.msg_controllen = sizeof(message->control),
	};
	return &message->header;
}

static void message_to(struct message *message, struct address to)
{
	message->name = to;
	message->header.msg_namelen = to.size;
	message->header.msg_controllen = 0;
}

/* The data of the control message of that kind; fails if there is none. */
static void *control_find(struct msghdr *header, int level, int type)
{
	for (struct cmsghdr *at = CMSG_FIRSTHDR(header); at; at = CMSG_NXTHDR(header, at))
		if (at->cmsg_level == level && at->cmsg_type == type)
			return CMSG_DATA(at);
	FAIL("no control message %d of level %d", type, level);
}

/* Appends one; the message's control data must have been empty or made by this. */
static void *control_add(struct message *message, int level, int type, size_t size)
{
	struct cmsghdr *at = (void *)(message->control + message->header.msg_controllen);

	*at = (struct cmsghdr){ .cmsg_len = CMSG_LEN(size),
				.cmsg_level = level,
				.cmsg_type = type };
	message->header.msg_controllen += CMSG_SPACE(size);
	return CMSG_DATA(at);
}

TEST(udp_message, gathered_and_scattered)
{
	FOR_FAMILIES(family) {
		int a = socket_bound(family, SOCK_DGRAM), b = socket_bound(family, SOCK_DGRAM);
		struct iovec out[3] = { { "one", 3 }, { NULL, 0 }, { "two", 3 } };
		char first[2], rest[100];
		struct iovec in[2] = { { first, 2 }, { rest, 100 } };
		struct message message;

		message_init(&message, NULL, 0);
		message_to(&message, local_address(b));
		message.header.msg_iov = out;
		message.header.msg_iovlen = 3;
		CHECK_EQ(sendmsg(a, &message.header, 0), 6);
		message_init(&message, NULL, 0);
		message.header.msg_iov = in;
		message.header.msg_iovlen = 2;
		CHECK_EQ(recvmsg(b, &message.header, 0), 6);
		CHECK_EQ(memcmp(first, "on", 2), 0);
		CHECK_EQ(memcmp(rest, "etwo", 4), 0);
		CHECK_EQ(message.header.msg_namelen, local_address(a).size);
		CHECK_ADDRESS(message.name, local_address(a));
		CHECK_EQ(message.header.msg_flags, 0);
		CHECK_EQ(message.header.msg_controllen, 0);
	}
}

TEST(udp_message, says_that_it_was_cut_off)
{
	int a = socket_bound(AF_INET, SOCK_DGRAM), b = socket_bound(AF_INET, SOCK_DGRAM);
	struct message message;

	for (int i = 0; i < 4; i++)
		CHECK_EQ(send_to(a, "0123456789", 10, local_address(b)), 10);
	message_init(&message, got, 4);
	CHECK_EQ(recvmsg(b, &message.header, MSG_PEEK), 4);
	CHECK_EQ(message.header.msg_flags, MSG_TRUNC);
	message_init(&message, got, 4);
	CHECK_EQ(recvmsg(b, &message.header, 0), 4);
	CHECK_EQ(message.header.msg_flags, MSG_TRUNC);
	message_init(&message, got, 4);
	CHECK_EQ(recvmsg(b, &message.header, MSG_TRUNC), 10);
	CHECK_EQ(message.header.msg_flags, MSG_TRUNC);
	message_init(&message, got, 10);
	message.header.msg_flags = -1; /* only an answer */
	CHECK_EQ(recvmsg(b, &message.header, 0), 10);
	CHECK_EQ(message.header.msg_flags, 0);
	message_init(&message, got, 0);
	message.header.msg_iovlen = 0;
	CHECK_EQ(recvmsg(b, &message.header, 0), 0);
	CHECK_EQ(message.header.msg_flags, MSG_TRUNC);
}

TEST(udp_message, without_a_name)
{
	int fd[2];
	struct message message;

	udp_pair(AF_INET, fd);
	message_init(&message, "abc", 3);
	message.header.msg_name = NULL;
	message.header.msg_namelen = 0;
	message.header.msg_controllen = 0;
	CHECK_EQ(sendmsg(fd[0], &message.header, 0), 3);
	message_init(&message, got, 100);
	message.header.msg_name = NULL;
	CHECK_EQ(recvmsg(fd[1], &message.header, MSG_WAITALL), 3);
}

TEST(udp_message, dontwait)
{
	int fd = socket_bound(AF_INET, SOCK_DGRAM);
	struct message message;

	message_init(&message, got, 100);
	CHECK_ERRNO(recvmsg(fd, &message.header, MSG_DONTWAIT), EAGAIN);
	CHECK_ERRNO(recvmsg(fd, &message.header, MSG_ERRQUEUE), EAGAIN);
	nonblocking_set(fd, 1);
	CHECK_ERRNO(recvmsg(fd, &message.header, 0), EAGAIN);
}

/* --- many at once ----------------------------------------------------------------------- */

enum { MANY = 8 };
static char texts[MANY][20];
static struct iovec vectors[MANY];
static struct mmsghdr many[2 * MANY];

/* The call itself: musl makes a loop of sendmsg() of it. */
static int send_many(int fd, struct mmsghdr *messages, unsigned count)
{
	return syscall(SYS_sendmmsg, fd, messages, count, 0);
}

static void many_init(size_t size)
{
	for (int i = 0; i < MANY; i++) {
		vectors[i] = (struct iovec){ texts[i], size };
		many[i] =
			(struct mmsghdr){ .msg_hdr = { .msg_iov = &vectors[i], .msg_iovlen = 1 } };
	}
}

TEST(udp_message, many)
{
	FOR_FAMILIES(family) {
		int fd[2];

		udp_pair(family, fd);
		many_init(0);
		for (int i = 0; i < MANY; i++)
			vectors[i].iov_len = sprintf(texts[i], "number %d", i) + i % 2;
		CHECK_EQ(send_many(fd[0], many, MANY), MANY);
		for (int i = 0; i < MANY; i++)
			CHECK_EQ(many[i].msg_len, 8 + i % 2);
		memset(texts, 0, sizeof(texts));
		many_init(20);
		CHECK_EQ(recvmmsg(fd[1], many, MANY - 2, 0, NULL), MANY - 2);
		CHECK_EQ(recvmmsg(fd[1], many + MANY - 2, MANY, MSG_DONTWAIT, NULL), 2);
		for (int i = 0; i < MANY; i++) {
			CHECK_EQ(many[i].msg_len, 8 + i % 2);
			CHECK_EQ(texts[i][7], '0' + i);
		}
		CHECK_ERRNO(recvmmsg(fd[1], many, MANY, MSG_DONTWAIT, NULL), EAGAIN);
		CHECK_EQ(recvmmsg(fd[1], many, 0, 0, NULL), 0);
		CHECK_EQ(send_many(fd[1], many, 0), 0);
	}
}

TEST(udp_message, many_wait_for_one)
{
	int fd[2];

	udp_pair(AF_INET, fd);
	pid_t pid = FORK();
	if (pid == 0) {
		many_init(20);
		CHECK_EQ(recvmmsg(fd[1], many, MANY, MSG_WAITFORONE, NULL), 1);
		CHECK_EQ(many[0].msg_len, 3);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_EQ(send(fd[0], "abc", 3, 0), 3);
	CHECK_EXITED(pid, 0);
}

TEST(udp_message, many_wait_for_all)
{
	int fd[2];

	udp_pair(AF_INET, fd);
	pid_t pid = FORK();
	if (pid == 0) {
		many_init(20);
		CHECK_EQ(recvmmsg(fd[1], many, 3, 0, NULL), 3);
		CHECK_EQ(texts[2][0], '2');
		_exit(0);
	}
	for (int i = 0; i < 3; i++) {
		wait_until_blocked(pid);
		CHECK_EQ(send(fd[0], "012" + i, 1, 0), 1);
	}
	CHECK_EXITED(pid, 0);
}

/* The timeout is looked at after each datagram that came. */
TEST(udp_message, many_with_a_timeout)
{
	struct timespec wrong = { 0, -1 }, zero = { 0, 0 };
	int fd[2];

	udp_pair(AF_INET, fd);
	many_init(20);
	CHECK_ERRNO(recvmmsg(fd[1], many, MANY, 0, &wrong), EINVAL);
	CHECK_EQ(send(fd[0], "abc", 3, 0), 3);
	CHECK_EQ(recvmmsg(fd[1], many, MANY, 0, &zero), 1);
}

TEST(udp_message, many_of_which_one_is_bad)
{
	int fd[2];

	udp_pair(AF_INET, fd);
	many_init(20);
	vectors[2].iov_base = BAD_UNMAPPED;
	CHECK_EQ(send_many(fd[0], many, MANY), 2);
	CHECK_ERRNO(send_many(fd[0], many + 2, 1), EFAULT);
	many_init(20);
	CHECK_EQ(recvmmsg(fd[1], many, MANY, MSG_DONTWAIT, NULL), 2);
}

TEST(udp_message, many_over_tcp)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	many_init(3);
	memcpy(texts[0], "abc", 3);
	memcpy(texts[1], "def", 3);
	CHECK_EQ(send_many(fd[0], many, 2), 2);
	read_all(fd[1], got, 6);
	CHECK_EQ(memcmp(got, "abcdef", 6), 0);
}

/* --- control messages ------------------------------------------------------------------- */

TEST(udp_message, where_it_was_sent_to)
{
	int a = socket_bound(AF_INET, SOCK_DGRAM), b = socket_new(AF_INET, SOCK_DGRAM);
	struct message message;

	CHECK_OK(option_set(b, IPPROTO_IP, IP_PKTINFO, 1));
	CHECK_OK(bind_to(b, any_address(AF_INET, 0)));
	CHECK_EQ(send_to(a, "x", 1, address_in(0x7f000003, local_port(b))), 1);
	message_init(&message, got, 100);
	CHECK_EQ(recvmsg(b, &message.header, 0), 1);
	struct in_pktinfo *info = control_find(&message.header, IPPROTO_IP, IP_PKTINFO);
	CHECK_EQ(ntohl(info->ipi_addr.s_addr), 0x7f000003);
	CHECK_EQ(info->ipi_ifindex, if_nametoindex("lo"));
	CHECK_EQ(message.header.msg_controllen, CMSG_SPACE(sizeof(*info)));
	CHECK_EQ(message.header.msg_flags, 0);
}

TEST(udp_message, where_it_was_sent_to_ipv6)
{
	int a = socket_bound(AF_INET6, SOCK_DGRAM), b = socket_new(AF_INET6, SOCK_DGRAM);
	struct message message;

	CHECK_OK(option_set(b, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
	CHECK_OK(bind_to(b, any_address(AF_INET6, 0)));
	CHECK_EQ(send_to(a, "x", 1, loopback(AF_INET6, local_port(b))), 1);
	message_init(&message, got, 100);
	CHECK_EQ(recvmsg(b, &message.header, 0), 1);
	struct in6_pktinfo *info = control_find(&message.header, IPPROTO_IPV6, IPV6_PKTINFO);
	CHECK_EQ(memcmp(&info->ipi6_addr, &in6addr_loopback, 16), 0);
	CHECK_EQ(info->ipi6_ifindex, if_nametoindex("lo"));
}

TEST(udp_message, how_far_it_has_come)
{
	int fd[2], *ttl;
	struct message message;

	udp_pair(AF_INET, fd);
	CHECK_OK(option_set(fd[0], IPPROTO_IP, IP_TTL, 7));
	CHECK_OK(option_set(fd[0], IPPROTO_IP, IP_TOS, IPTOS_LOWDELAY));
	CHECK_OK(option_set(fd[1], IPPROTO_IP, IP_RECVTTL, 1));
	CHECK_OK(option_set(fd[1], IPPROTO_IP, IP_RECVTOS, 1));
	CHECK_EQ(send(fd[0], "x", 1, 0), 1);
	message_init(&message, got, 100);
	CHECK_EQ(recvmsg(fd[1], &message.header, 0), 1);
	ttl = control_find(&message.header, IPPROTO_IP, IP_TTL);
	CHECK_EQ(*ttl, 7);
	CHECK_EQ(*(uint8_t *)control_find(&message.header, IPPROTO_IP, IP_TOS), IPTOS_LOWDELAY);
}

TEST(udp_message, how_far_it_has_come_ipv6)
{
	int fd[2], *hops;
	struct message message;

	udp_pair(AF_INET6, fd);
	CHECK_OK(option_set(fd[0], IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9));
	CHECK_OK(option_set(fd[1], IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1));
	CHECK_EQ(send(fd[0], "x", 1, 0), 1);
	message_init(&message, got, 100);
	CHECK_EQ(recvmsg(fd[1], &message.header, 0), 1);
	hops = control_find(&message.header, IPPROTO_IPV6, IPV6_HOPLIMIT);
	CHECK_EQ(*hops, 9);
}

TEST(udp_message, source_chosen_for_one)
{
	int a = socket_new(AF_INET, SOCK_DGRAM), b = socket_bound(AF_INET, SOCK_DGRAM);
	struct message message;
	struct address from;

	message_init(&message, "x", 1);
	message_to(&message, local_address(b));
	struct in_pktinfo *info = control_add(&message, IPPROTO_IP, IP_PKTINFO, sizeof(*info));
	*info = (struct in_pktinfo){ .ipi_spec_dst.s_addr = htonl(0x7f000005) };
	CHECK_EQ(sendmsg(a, &message.header, 0), 1);
	CHECK_EQ(receive_from(b, got, 1, &from), 1);
	CHECK_ADDRESS(from, address_in(0x7f000005, local_port(a)));
	CHECK_EQ(send_to(a, "y", 1, local_address(b)), 1);
	CHECK_EQ(receive_from(b, got, 1, &from), 1);
	CHECK_ADDRESS(from, loopback(AF_INET, local_port(a)));
}

TEST(udp_message, hops_chosen_for_one)
{
	FOR_FAMILIES(family) {
		int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
		int type = family == AF_INET ? IP_TTL : IPV6_HOPLIMIT, fd[2];
		struct message message;

		udp_pair(family, fd);
		CHECK_OK(option_set(fd[1], level,
				    family == AF_INET ? IP_RECVTTL : IPV6_RECVHOPLIMIT, 1));
		for (int i = 0; i < 2; i++) {
			message_init(&message, "x", 1);
			message_to(&message, local_address(fd[1]));
			if (i == 0)
				*(int *)control_add(&message, level, type, sizeof(int)) = 3;
			CHECK_EQ(sendmsg(fd[0], &message.header, 0), 1);
			message_init(&message, got, 100);
			CHECK_EQ(recvmsg(fd[1], &message.header, 0), 1);
			CHECK_EQ(*(int *)control_find(&message.header, level, type), i ? 64 : 3);
		}
	}
}

TEST(udp_message, no_room_for_control)
{
	struct message message;
	int fd[2];

	udp_pair(AF_INET, fd);
	CHECK_OK(option_set(fd[1], IPPROTO_IP, IP_PKTINFO, 1));
	for (int room = 0; room < 20; room += 8) {
		CHECK_EQ(send(fd[0], "x", 1, 0), 1);
		message_init(&message, got, 100);
		memset(message.control, 0x55, sizeof(message.control));
		message.header.msg_controllen = room;
		CHECK_EQ(recvmsg(fd[1], &message.header, 0), 1);
		CHECK_EQ(message.header.msg_flags, MSG_CTRUNC);
		CHECK_EQ(message.header.msg_controllen, room < 16 ? 0 : room);
		CHECK_EQ(message.control[room], 0x55);
	}
}

TEST(udp_message, control_that_is_none)
{
	struct message message;
	int fd[2];

	udp_pair(AF_INET, fd);
	static const struct {
		size_t length; /* of the message in the header */
		int level, type, error;
	} bad[] = {
		{ 0, IPPROTO_IP, IP_PKTINFO, EINVAL },
		{ 15, IPPROTO_IP, IP_PKTINFO, EINVAL },
		{ CMSG_LEN(4), IPPROTO_IP, IP_PKTINFO, EINVAL },
		{ 1000, IPPROTO_IP, IP_PKTINFO, EINVAL },
		{ SIZE_MAX, IPPROTO_IP, IP_PKTINFO, EINVAL },
		{ CMSG_LEN(4), IPPROTO_IP, 9999, EINVAL },
		{ CMSG_LEN(8), IPPROTO_IP, IP_TTL, EINVAL },
		{ CMSG_LEN(4), SOL_SOCKET, 9999, EINVAL },
		{ CMSG_LEN(4), 9999, 9999, 0 }, /* somebody else's business */
	};
	for (unsigned i = 0; i < LENGTH(bad); i++) {
		message_init(&message, "x", 1);
		message_to(&message, local_address(fd[1]));
		memset(control_add(&message, bad[i].level, bad[i].type, 16), 0, 16);
		message.align.cmsg_len = bad[i].length;
		errno = 0;
		ssize_t done = sendmsg(fd[0], &message.header, 0);
		if (done != (bad[i].error ? -1 : 1) || errno != bad[i].error)
			FAIL("case %u: %zd, errno %d", i, done, errno);
	}
	/* Too little for a header is nothing. */
	message_init(&message, "x", 1);
	message_to(&message, local_address(fd[1]));
	message.header.msg_controllen = 8;
	CHECK_EQ(sendmsg(fd[0], &message.header, 0), 1);
	CHECK_EQ(read(fd[1], got, 100), 1);
	CHECK_EQ(read(fd[1], got, 100), 1);
	CHECK_ERRNO(recv(fd[1], got, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(udp_message, vectors_that_are_none)
{
	struct iovec vector[2] = { { "x", 1 }, { "y", 1 } };
	struct message message;
	int fd[2];

	udp_pair(AF_INET, fd);
	message_init(&message, "x", 1);
	message_to(&message, local_address(fd[1]));
	message.header.msg_iov = vector;
	/* musl's struct has padding where the kernel's has the upper half of the count. */
	struct { void *name; long namelen; void *iov; size_t iovlen; void *control;
		 size_t controllen; long flags; } raw = { .iov = vector, .iovlen = 1025 };
	CHECK_ERRNO(syscall(SYS_sendmsg, fd[0], &raw, 0), EMSGSIZE);
	CHECK_ERRNO(syscall(SYS_recvmsg, fd[0], &raw, 0), EMSGSIZE);
	raw.iovlen = SIZE_MAX;
	CHECK_ERRNO(syscall(SYS_sendmsg, fd[0], &raw, 0), EMSGSIZE);
	raw.iovlen = 2;
	vector[1].iov_len = SIZE_MAX;
	CHECK_ERRNO(syscall(SYS_sendmsg, fd[0], &raw, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_recvmsg, fd[0], &raw, 0), EINVAL);
	vector[1].iov_len = 1;
	raw.namelen = -1;
	raw.name = &message.name;
	CHECK_ERRNO(syscall(SYS_sendmsg, fd[0], &raw, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_recvmsg, fd[0], &raw, 0), EINVAL);
	raw.name = NULL;
	raw.namelen = 0;
	raw.controllen = SIZE_MAX;
	CHECK_ERRNO(syscall(SYS_sendmsg, fd[0], &raw, 0), ENOBUFS);
	CHECK_ERRNO(recv(fd[1], got, 1, MSG_DONTWAIT), EAGAIN);
}
