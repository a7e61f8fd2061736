/*
 * UDP sockets with a peer: who may send, and how they learn that nobody listens.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

/* As the kernel's linux/errqueue.h has it. */
enum { SO_EE_ORIGIN_ICMP = 2 };
struct sock_extended_err {
	uint32_t ee_errno;
	uint8_t ee_origin, ee_type, ee_code, ee_pad;
	uint32_t ee_info, ee_data;
};

static char got[100];

TEST(udp_connect, peers)
{
	FOR_FAMILIES(family) {
		int fd[2];

		udp_pair(family, fd);
		CHECK_ADDRESS(peer_address(fd[0]), local_address(fd[1]));
		CHECK_EQ(send(fd[0], "abc", 3, 0), 3);
		CHECK_EQ(write(fd[0], "defg", 4), 4);
		CHECK_EQ(read(fd[1], got, 100), 3);
		CHECK_EQ(recv(fd[1], got, 100, 0), 4);
		CHECK_EQ(memcmp(got, "defg", 4), 0);
	}
}

TEST(udp_connect, others_are_not_heard)
{
	int fd[2], other = socket_new(AF_INET, SOCK_DGRAM);

	udp_pair(AF_INET, fd);
	CHECK_EQ(send_to(other, "other", 5, local_address(fd[0])), 5);
	CHECK_EQ(send(fd[1], "peer", 4, 0), 4);
	CHECK_EQ(recv(fd[0], got, 100, 0), 4);
	CHECK_ERRNO(recv(fd[0], got, 100, MSG_DONTWAIT), EAGAIN);
}

TEST(udp_connect, gives_an_address)
{
	FOR_FAMILIES(family) {
		int fd = socket_new(family, SOCK_DGRAM), to = socket_bound(family, SOCK_DGRAM);

		CHECK_OK(connect_to(fd, local_address(to)));
		CHECK_ADDRESS(local_address(fd), loopback(family, local_port(fd)));
		CHECK_NE(local_port(fd), 0);
	}
}

TEST(udp_connect, to_another)
{
	int fd[2], other = socket_bound(AF_INET, SOCK_DGRAM);

	udp_pair(AF_INET, fd);
	CHECK_OK(connect_to(fd[0], local_address(other)));
	CHECK_EQ(send(fd[0], "x", 1, 0), 1);
	CHECK_EQ(recv(other, got, 1, 0), 1);
	CHECK_ERRNO(recv(fd[1], got, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(udp_connect, undone)
{
	struct address none = { .size = sizeof(none.in) };

	FOR_FAMILIES(family) {
		int fd[2], other = socket_new(family, SOCK_DGRAM);

		none.size = sizeof(none.in6);
		udp_pair(family, fd);
		none.any.sa_family = AF_UNSPEC;
		CHECK_OK(connect_to(fd[0], none));
		CHECK_ERRNO(getpeername(fd[0], &none.any, &none.size), ENOTCONN);
		CHECK_ERRNO(send(fd[0], "x", 1, 0), EDESTADDRREQ);
		CHECK_EQ(send_to(other, "x", 1, local_address(fd[0])), 1);
		CHECK_EQ(recv(fd[0], got, 1, 0), 1);
	}
}

TEST(udp_connect, others_can_still_be_sent_to)
{
	int fd[2], other = socket_bound(AF_INET, SOCK_DGRAM);

	udp_pair(AF_INET, fd);
	CHECK_EQ(send_to(fd[0], "xy", 2, local_address(other)), 2);
	CHECK_EQ(recv(other, got, 10, 0), 2);
	CHECK_ADDRESS(peer_address(fd[0]), local_address(fd[1]));
}

/* A socket connected to a port where nobody is. */
static int lonely(int family)
{
	int nobody = socket_bound(family, SOCK_DGRAM), fd = socket_new(family, SOCK_DGRAM);

	CHECK_OK(connect_to(fd, local_address(nobody)));
	CHECK_OK(close(nobody));
	return fd;
}

TEST(udp_connect, refused)
{
	FOR_FAMILIES(family) {
		int fd = lonely(family);

		CHECK_EQ(send(fd, "x", 1, 0), 1);
		CHECK_ERRNO(recv(fd, got, 1, 0), ECONNREFUSED);
		CHECK_ERRNO(recv(fd, got, 1, MSG_DONTWAIT), EAGAIN);
		/* The next one to send is told, too, and has not sent. */
		CHECK_EQ(send(fd, "x", 1, 0), 1);
		poll_for(fd, 0);
		CHECK_ERRNO(send(fd, "x", 1, 0), ECONNREFUSED);
		CHECK_EQ(events_now(fd, POLLIN | POLLOUT), POLLOUT);
		CHECK_EQ(send(fd, "x", 1, 0), 1);
		CHECK_ERRNO(read(fd, got, 1), ECONNREFUSED);
	}
}

TEST(udp_connect, refused_says_poll)
{
	FOR_FAMILIES(family) {
		int fd = lonely(family);

		CHECK_EQ(events_now(fd, POLLIN | POLLOUT), POLLOUT);
		CHECK_EQ(send(fd, "x", 1, 0), 1);
		CHECK_EQ(poll_for(fd, POLLIN) & POLLERR, POLLERR);
		CHECK_EQ(socket_error(fd), ECONNREFUSED);
		CHECK_EQ(socket_error(fd), 0);
		CHECK_EQ(events_now(fd, POLLIN | POLLOUT), POLLOUT);
	}
}

/* With IP_RECVERR a socket without a peer is told, too, and what of. */
TEST(udp_connect, queue_of_errors)
{
	int nobody = socket_bound(AF_INET, SOCK_DGRAM), fd = socket_new(AF_INET, SOCK_DGRAM);
	struct address at = local_address(nobody), whom;
	char control[256];
	struct iovec room = { got, sizeof(got) };
	struct msghdr message = { .msg_name = &whom.any,
				  .msg_namelen = sizeof(whom.in),
				  .msg_iov = &room,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };

	CHECK_OK(close(nobody));
	CHECK_OK(option_set(fd, IPPROTO_IP, IP_RECVERR, 1));
	CHECK_EQ(send_to(fd, "hello", 5, at), 5);
	CHECK_EQ(poll_for(fd, 0) & POLLERR, POLLERR);
	CHECK_EQ(recvmsg(fd, &message, MSG_ERRQUEUE), 5);
	CHECK_EQ(memcmp(got, "hello", 5), 0);
	CHECK_EQ(message.msg_flags & MSG_ERRQUEUE, MSG_ERRQUEUE);
	whom.size = message.msg_namelen;
	CHECK_ADDRESS(whom, at);
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	CHECK_EQ(header->cmsg_level, IPPROTO_IP);
	CHECK_EQ(header->cmsg_type, IP_RECVERR);
	struct sock_extended_err *error = (void *)CMSG_DATA(header);
	CHECK_EQ(error->ee_errno, ECONNREFUSED);
	CHECK_EQ(error->ee_origin, SO_EE_ORIGIN_ICMP);
	CHECK_EQ(error->ee_type, 3);
	CHECK_EQ(error->ee_code, 3);
	struct sockaddr_in *offender = (void *)(error + 1);
	CHECK_EQ(ntohl(offender->sin_addr.s_addr), INADDR_LOOPBACK);
	CHECK_EQ(events_now(fd, POLLIN | POLLOUT), POLLOUT);
	CHECK_ERRNO(recvmsg(fd, &message, MSG_ERRQUEUE), EAGAIN);
}

TEST(udp_connect, refused_wakes_the_receiver)
{
	int fd = lonely(AF_INET);
	pid_t pid = FORK();

	if (pid == 0) {
		CHECK_ERRNO(recv(fd, got, 1, 0), ECONNREFUSED);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_EQ(send(fd, "x", 1, 0), 1);
	CHECK_EXITED(pid, 0);
}

TEST(udp_connect, peer_that_comes_back)
{
	int a = socket_bound(AF_INET, SOCK_DGRAM), b = socket_bound(AF_INET, SOCK_DGRAM);
	struct address at = local_address(b);

	CHECK_OK(connect_to(a, at));
	CHECK_OK(close(b));
	CHECK_EQ(send(a, "x", 1, 0), 1);
	CHECK_ERRNO(recv(a, got, 1, 0), ECONNREFUSED);
	b = socket_new(AF_INET, SOCK_DGRAM);
	CHECK_OK(bind_to(b, at));
	CHECK_EQ(send(a, "y", 1, 0), 1);
	CHECK_EQ(recv(b, got, 1, 0), 1);
	CHECK_EQ(got[0], 'y');
}

TEST(udp_connect, shutdown)
{
	int fd[2], single = socket_bound(AF_INET, SOCK_DGRAM);

	CHECK_ERRNO(shutdown(single, SHUT_WR), ENOTCONN);
	udp_pair(AF_INET, fd);
	CHECK_OK(shutdown(fd[0], SHUT_WR));
	CHECK_ERRNO(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(send(fd[1], "x", 1, 0), 1);
	CHECK_EQ(recv(fd[0], got, 1, 0), 1);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_EQ(recv(fd[1], got, 1, 0), 0);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(shutdown(fd[1], SHUT_RD));
	CHECK_EXITED(pid, 0);
}

TEST(udp_connect, addresses_that_are_none)
{
	struct address at = loopback(AF_INET, 9), six = loopback(AF_INET6, 9);
	int fd = socket_new(AF_INET, SOCK_DGRAM), fd6 = socket_new(AF_INET6, SOCK_DGRAM);

	CHECK_ERRNO(connect(fd, &at.any, 15), EINVAL);
	CHECK_ERRNO(connect(fd, &at.any, 1), EINVAL);
	CHECK_ERRNO(connect(fd6, &six.any, 20), EINVAL);
	CHECK_ERRNO(connect_to(fd, six), EAFNOSUPPORT);
	CHECK_ERRNO(getpeername(fd, &at.any, &at.size), ENOTCONN);
}
