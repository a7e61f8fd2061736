/*
 * Wild pointers, lengths and numbers in every call that sockets know.
 *
 * Each pointer of a call in turn is replaced by NULL, by one that is not mapped, by one in the
 * kernel's half and by one that is not canonical; the table says what Linux answers where that is
 * not EFAULT. Then all at once and at random, where any answer will do, if only one comes and the
 * sockets of others live.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

/* Descriptors that the arguments refer to; made anew for each call. */
enum { UDP = 10, UDP_PEER = 11, TCP = 12, TCP_PEER = 13, LISTENER = 14, FRESH = 15, NETLINK = 16 };

/* What the kernel takes for struct msghdr, without libc's padding. */
struct kernel_msghdr {
	void *name;
	long name_size;
	struct iovec *vectors;
	size_t count;
	void *control;
	size_t control_size;
	long flags;
};

static char buffer[4096] __attribute__((aligned(64)));
static struct address name;
static socklen_t name_size = sizeof(name.in6);
static struct iovec vector = { buffer, 1 };
static struct kernel_msghdr message = { .vectors = &vector, .count = 1 };
static struct { struct kernel_msghdr header; unsigned size, pad; } messages[2];
static socklen_t size_of_int = 4;
static int value;
static struct timespec soon = { 0, 1 };

#define P(x) ((long)(x))

static const struct call {
	const char *name;
	long number;
	long args[6];
	int pointer; /* which argument */
	int on_null; /* 0 is success */
	int on_others;
} calls[] = {
	{ "bind", SYS_bind, { FRESH, P(&name), 16 }, 1, EFAULT, EFAULT },
	{ "connect", SYS_connect, { FRESH, P(&name), 16 }, 1, EFAULT, EFAULT },
	{ "connect_udp", SYS_connect, { UDP, P(&name), 16 }, 1, EFAULT, EFAULT },
	{ "accept_name", SYS_accept, { LISTENER, P(&name), P(&name_size) }, 1, 0, EFAULT },
	{ "accept_size", SYS_accept, { LISTENER, P(&name), P(&name_size) }, 2, EFAULT, EFAULT },
	{ "accept4", SYS_accept4, { LISTENER, P(&name), P(&name_size), 0 }, 1, 0, EFAULT },
	{ "getsockname", SYS_getsockname, { UDP, P(&name), P(&name_size) }, 1, EFAULT, EFAULT },
	{ "getsockname_size",
	  SYS_getsockname,
	  { UDP, P(&name), P(&name_size) },
	  2,
	  EFAULT,
	  EFAULT },
	{ "getpeername", SYS_getpeername, { TCP, P(&name), P(&name_size) }, 1, EFAULT, EFAULT },
	{ "getpeername_size",
	  SYS_getpeername,
	  { TCP, P(&name), P(&name_size) },
	  2,
	  EFAULT,
	  EFAULT },
	{ "sendto_tcp", SYS_sendto, { TCP, P(buffer), 10, MSG_NOSIGNAL, 0, 0 }, 1, EFAULT, EFAULT },
	{ "sendto_udp", SYS_sendto, { UDP, P(buffer), 10, 0, 0, 0 }, 1, EFAULT, EFAULT },
	{ "sendto_name", SYS_sendto, { UDP, P(buffer), 10, 0, P(&name), 16 }, 4, 0, EFAULT },
	{ "recvfrom_tcp", SYS_recvfrom, { TCP, P(buffer), 10, 0, 0, 0 }, 1, EFAULT, EFAULT },
	{ "recvfrom_udp", SYS_recvfrom, { UDP, P(buffer), 10, 0, 0, 0 }, 1, EFAULT, EFAULT },
	{ "recvfrom_name",
	  SYS_recvfrom,
	  { UDP, P(buffer), 10, 0, P(&name), P(&name_size) },
	  4,
	  0,
	  EFAULT },
	{ "recvfrom_size",
	  SYS_recvfrom,
	  { UDP, P(buffer), 10, 0, P(&name), P(&name_size) },
	  5,
	  EFAULT,
	  EFAULT },
	{ "recvfrom_peek",
	  SYS_recvfrom,
	  { TCP, P(buffer), 10, MSG_PEEK, 0, 0 },
	  1,
	  EFAULT,
	  EFAULT },
	{ "sendmsg", SYS_sendmsg, { UDP, P(&message), 0 }, 1, EFAULT, EFAULT },
	{ "recvmsg", SYS_recvmsg, { UDP, P(&message), 0 }, 1, EFAULT, EFAULT },
	{ "sendmsg_tcp", SYS_sendmsg, { TCP, P(&message), 0 }, 1, EFAULT, EFAULT },
	{ "recvmsg_tcp", SYS_recvmsg, { TCP, P(&message), 0 }, 1, EFAULT, EFAULT },
	{ "sendmmsg", SYS_sendmmsg, { UDP, P(messages), 2, 0 }, 1, EFAULT, EFAULT },
	{ "recvmmsg", SYS_recvmmsg, { UDP, P(messages), 2, MSG_DONTWAIT, 0 }, 1, EFAULT, EFAULT },
	{ "recvmmsg_time", SYS_recvmmsg, { UDP, P(messages), 1, 0, P(&soon) }, 4, 0, EFAULT },
	{ "getsockopt",
	  SYS_getsockopt,
	  { TCP, SOL_SOCKET, SO_TYPE, P(&value), P(&size_of_int) },
	  3,
	  EFAULT,
	  EFAULT },
	{ "getsockopt_size",
	  SYS_getsockopt,
	  { TCP, SOL_SOCKET, SO_TYPE, P(&value), P(&size_of_int) },
	  4,
	  EFAULT,
	  EFAULT },
	{ "getsockopt_tcp",
	  SYS_getsockopt,
	  { TCP, IPPROTO_TCP, TCP_NODELAY, P(&value), P(&size_of_int) },
	  3,
	  EFAULT,
	  EFAULT },
	{ "getsockopt_ip",
	  SYS_getsockopt,
	  { UDP, IPPROTO_IP, IP_TTL, P(&value), P(&size_of_int) },
	  3,
	  EFAULT,
	  EFAULT },
	{ "setsockopt",
	  SYS_setsockopt,
	  { TCP, SOL_SOCKET, SO_KEEPALIVE, P(&value), 4 },
	  3,
	  EFAULT,
	  EFAULT },
	{ "setsockopt_tcp",
	  SYS_setsockopt,
	  { TCP, IPPROTO_TCP, TCP_NODELAY, P(&value), 4 },
	  3,
	  EFAULT,
	  EFAULT },
	{ "setsockopt_timeout",
	  SYS_setsockopt,
	  { TCP, SOL_SOCKET, SO_RCVTIMEO, P(buffer), 16 },
	  3,
	  EFAULT,
	  EFAULT },
	{ "setsockopt_linger",
	  SYS_setsockopt,
	  { TCP, SOL_SOCKET, SO_LINGER, P(buffer), 8 },
	  3,
	  EFAULT,
	  EFAULT },
	{ "socketpair", SYS_socketpair, { AF_UNIX, SOCK_STREAM, 0, P(buffer) }, 3, EFAULT, EFAULT },
	{ "fionread", SYS_ioctl, { TCP, FIONREAD, P(&value) }, 2, EFAULT, EFAULT },
	{ "fionbio", SYS_ioctl, { TCP, FIONBIO, P(&value) }, 2, EFAULT, EFAULT },
	{ "siocgifflags", SYS_ioctl, { UDP, 0x8913, P(buffer) }, 2, EFAULT, EFAULT },
	{ "siocgifconf", SYS_ioctl, { UDP, 0x8912, P(buffer) }, 2, EFAULT, EFAULT },
	{ "write_tcp", SYS_write, { TCP, P(buffer), 10 }, 1, EFAULT, EFAULT },
	{ "write_udp", SYS_write, { UDP, P(buffer), 10 }, 1, EFAULT, EFAULT },
	{ "read_udp", SYS_read, { UDP, P(buffer), 10 }, 1, EFAULT, EFAULT },
	{ "readv_udp", SYS_readv, { UDP, P(&vector), 1 }, 1, EFAULT, EFAULT },
	{ "writev_udp", SYS_writev, { UDP, P(&vector), 1 }, 1, EFAULT, EFAULT },
	{ "netlink_bind", SYS_bind, { NETLINK, P(buffer), 12 }, 1, EFAULT, EFAULT },
	{ "netlink_send", SYS_sendto, { NETLINK, P(buffer), 20, 0, 0, 0 }, 1, EFAULT, EFAULT },
};

static void *const wild[] = { NULL, BAD_UNMAPPED, BAD_KERNEL, BAD_CANONICAL };

static void put(int fd, int at)
{
	CHECK_OK(dup2(fd, at));
	CHECK_OK(close(fd));
}

static void prepare(void)
{
	int fd[2];

	udp_pair(AF_INET, fd);
	put(fd[0], UDP);
	put(fd[1], UDP_PEER);
	tcp_pair(AF_INET, fd);
	put(fd[0], TCP);
	put(fd[1], TCP_PEER);
	put(listener_new(AF_INET, 5), LISTENER);
	CHECK_OK(close(connected_to(LISTENER)));
	put(socket_new(AF_INET, SOCK_STREAM), FRESH);
	put(CHECK_OK(socket(AF_NETLINK, SOCK_RAW, 0)), NETLINK);
	CHECK_EQ(write(UDP_PEER, "datagram", 8), 8);
	CHECK_EQ(write(TCP_PEER, "stream", 6), 6);
	poll_for(UDP, POLLIN);
	poll_for(TCP, POLLIN);
	name = local_address(UDP_PEER);
	name_size = sizeof(name.in6);
	size_of_int = 4;
	memset(buffer, 0, sizeof(buffer));
	for (int i = 0; i < 2; i++)
		messages[i].header = message;
}

TEST(socket_badptr, each_pointer_in_turn)
{
	for (unsigned i = 0; i < LENGTH(calls); i++)
		for (unsigned kind = 0; kind < LENGTH(wild); kind++) {
			const struct call *call = &calls[i];
			long args[6];

			prepare();
			memcpy(args, call->args, sizeof(args));
			args[call->pointer] = P(wild[kind]);
			errno = 0;
			syscall(call->number, args[0], args[1], args[2], args[3], args[4], args[5]);
			if (errno != (kind == 0 ? call->on_null : call->on_others))
				FAIL("%s with %p: errno %d", call->name, wild[kind], errno);
		}
}

TEST(socket_badptr, good_arguments_are_good)
{
	for (unsigned i = 0; i < LENGTH(calls); i++) {
		const long *args = calls[i].args;

		prepare();
		errno = 0;
		if (syscall(calls[i].number, args[0], args[1], args[2], args[3], args[4],
			    args[5]) == -1 &&
		    errno == EFAULT)
			FAIL("%s: EFAULT", calls[i].name);
	}
}

/* Inside the header of a message. */
TEST(socket_badptr, messages)
{
	for (unsigned kind = 1; kind < LENGTH(wild); kind++) {
		struct kernel_msghdr header = message;

		prepare();
		header.vectors = wild[kind];
		CHECK_ERRNO(syscall(SYS_sendmsg, UDP, &header, 0), EFAULT);
		CHECK_ERRNO(syscall(SYS_recvmsg, UDP, &header, 0), EFAULT);
		CHECK_ERRNO(syscall(SYS_sendmsg, TCP, &header, 0), EFAULT);
		CHECK_ERRNO(syscall(SYS_recvmsg, TCP, &header, 0), EFAULT);
		header = message;
		header.name = wild[kind];
		header.name_size = 16;
		CHECK_ERRNO(syscall(SYS_sendmsg, UDP, &header, 0), EFAULT);
		header = message;
		header.control = wild[kind];
		header.control_size = 32;
		CHECK_ERRNO(syscall(SYS_sendmsg, UDP, &header, 0), EFAULT);
		vector.iov_base = wild[kind];
		vector.iov_len = 10;
		CHECK_ERRNO(syscall(SYS_sendmsg, UDP, &message, 0), EFAULT);
		CHECK_ERRNO(syscall(SYS_sendmsg, TCP, &message, 0), EFAULT);
		CHECK_ERRNO(syscall(SYS_recvmsg, TCP, &message, 0), EFAULT);
		vector.iov_base = buffer;
		vector.iov_len = 1;
		/* The bytes of the stream are all still there. */
		CHECK_EQ(recv(TCP, buffer, 10, MSG_DONTWAIT), 6);
		CHECK_EQ(memcmp(buffer, "stream", 6), 0);
		CHECK_ERRNO(recv(TCP_PEER, buffer, 10, MSG_DONTWAIT), EAGAIN);
		CHECK_ERRNO(recv(UDP_PEER, buffer, 10, MSG_DONTWAIT), EAGAIN);
	}
}

TEST(socket_badptr, lengths)
{
	static const long lengths[] = { -1, -16, 0x80000000, 0xffffffff, 129, 1000000 };

	prepare();
	for (unsigned i = 0; i < LENGTH(lengths); i++) {
		CHECK_ERRNO(syscall(SYS_bind, FRESH, &name, lengths[i]), EINVAL);
		CHECK_ERRNO(syscall(SYS_connect, FRESH, &name, lengths[i]), EINVAL);
		CHECK_ERRNO(syscall(SYS_sendto, UDP, buffer, 1, 0, &name, lengths[i]), EINVAL);
		if ((int)lengths[i] >= 0)
			continue;
		name_size = lengths[i];
		CHECK_ERRNO(syscall(SYS_getsockname, UDP, &name, &name_size), EINVAL);
		CHECK_ERRNO(syscall(SYS_getpeername, TCP, &name, &name_size), EINVAL);
		size_of_int = lengths[i];
		CHECK_ERRNO(syscall(SYS_getsockopt, TCP, SOL_SOCKET, SO_TYPE, &value, &size_of_int),
			    EINVAL);
		CHECK_ERRNO(syscall(SYS_setsockopt, TCP, SOL_SOCKET, SO_LINGER, buffer, lengths[i]),
			    EINVAL);
	}
	CHECK_ERRNO(syscall(SYS_sendto, UDP, buffer, SIZE_MAX, 0, NULL, 0), EMSGSIZE);
	/* Far too many, of which as many are done as there are good ones. */
	CHECK_EQ(syscall(SYS_recvmmsg, UDP, messages, 1 << 30, MSG_DONTWAIT, NULL), 1);
	CHECK_ERRNO(syscall(SYS_readv, TCP, &vector, 1025), EINVAL);
	CHECK_ERRNO(syscall(SYS_readv, TCP, &vector, -1), EINVAL);
}

TEST(socket_badptr, at_the_end_of_a_mapping)
{
	char *at = map_anonymous(2 * PAGE);

	CHECK_EQ(munmap(at + PAGE, PAGE), 0);
	prepare();
	CHECK_ERRNO(getsockname(UDP, (void *)(at + PAGE - 4), &name_size), EFAULT);
	name_size = 4;
	CHECK_OK(getsockname(UDP, (void *)(at + PAGE - 4), &name_size));
	memset(at, 'x', PAGE);
	CHECK_ERRNO(send(UDP, at + PAGE - 4, 8, 0), EFAULT);
	CHECK_EQ(send(UDP, at + PAGE - 4, 4, 0), 4);
	CHECK_EQ(recv(UDP_PEER, buffer, 10, 0), 4);
	CHECK_EQ(recv(TCP, at + PAGE - 6, 6, 0), 6);
	CHECK_OK(mprotect(at, PAGE, PROT_READ));
	CHECK_ERRNO(recv(UDP, at, 8, 0), EFAULT);
	CHECK_ERRNO(getpeername(TCP, (void *)at, &name_size), EFAULT);
}

/* accept() that cannot tell the address gives no descriptor either. */
TEST(socket_badptr, accept_leaves_nothing_open)
{
	prepare();
	CHECK_ERRNO(accept(LISTENER, BAD_UNMAPPED, &name_size), EFAULT);
	CHECK_ERRNO(socketpair(AF_UNIX, SOCK_STREAM, 0, BAD_UNMAPPED), EFAULT);
	CHECK_EQ(open("/dev/null", O_RDONLY), 3);
}

TEST(socket_badptr, messages_of_netlink)
{
	unsigned seed = 7;

	prepare();
	nonblocking_set(NETLINK, 1);
	for (int round = 0; round < 2000; round++) {
		struct nlmsghdr *header = (void *)buffer;
		unsigned size = 16 + round % 200;

		pattern_fill((unsigned char *)buffer, 256, seed++);
		header->nlmsg_len = round % 5 ? size : header->nlmsg_len;
		/* Only what asks: nothing may be changed here, even by chance. */
		header->nlmsg_type = RTM_GETLINK + round % 7 * 4;
		header->nlmsg_flags |= NLM_F_REQUEST;
		send(NETLINK, buffer, size, MSG_DONTWAIT);
		while (recv(NETLINK, buffer, sizeof(buffer), 0) > 0)
			;
	}
}

/* --- at random -------------------------------------------------------------------------- */

static unsigned seed = 1;

static unsigned next_random(unsigned bound)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % bound;
}

static long random_argument(void)
{
	static const long odd[] = { 0, 1, -1, 2, 3, 7, 10, 16, 17, 41, 58, 64, 255, 4096, 65536,
				    0x7fffffff, 1L << 31, 1L << 32, 0x7fffffffffffffff, 1L << 63 };

	switch (next_random(4)) {
	case 0:
		return P(wild[next_random(LENGTH(wild))]) + next_random(3) * 4093;
	case 1:
		return P(buffer) + next_random(4096);
	default:
		return odd[next_random(LENGTH(odd))];
	}
}

TEST(socket_badptr, everything_at_once)
{
	static const long numbers[] = {
		SYS_socket, SYS_bind, SYS_connect, SYS_listen, SYS_getsockname, SYS_getpeername,
		SYS_sendto, SYS_recvfrom, SYS_sendmsg, SYS_recvmsg, SYS_sendmmsg, SYS_recvmmsg,
		SYS_setsockopt, SYS_getsockopt, SYS_shutdown, SYS_accept4, SYS_socketpair,
	};
	int bystander[2];

	tcp_pair(AF_INET, bystander);
	pid_t pid = FORK();
	if (pid == 0) {
		drop_to_user(4242, 4242);
		signal(SIGPIPE, SIG_IGN);
		for (int round = 0; round < 3000; round++) {
			long args[6];

			if (round % 100 == 0) {
				for (int fd = 10; fd < 200; fd++)
					close(fd);
				prepare();
				for (int fd = UDP; fd <= NETLINK; fd++)
					nonblocking_set(fd, 1);
			}
			pattern_fill((unsigned char *)buffer, 256, round);
			if (round % 3)
				memcpy(buffer, &name, sizeof(name.in));
			for (int i = 0; i < 6; i++)
				args[i] = random_argument();
			long number = numbers[next_random(LENGTH(numbers))];
			if (number != SYS_socket && number != SYS_socketpair)
				args[0] = UDP + next_random(NETLINK - UDP + 1);
			syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
		}
		_exit(0);
	}
	CHECK_EXITED(pid, 0);
	CHECK_EQ(write(bystander[0], "alive", 5), 5);
	read_all(bystander[1], buffer, 5);
}
