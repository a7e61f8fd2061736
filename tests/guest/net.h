/*
 * Sockets for the tests of sockets: addresses on the loopback interface, pairs that are connected,
 * and waiting for an event instead of for time.
 *
 * Every port is one that the system chose (bind to port 0). Nothing here waits longer than five
 * seconds. What is sent over loopback may arrive a moment later: before a call that does not
 * block, wait with poll_for().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_H
#define NET_H

#include "test.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* An address with its size. */
struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t size;
};

#define FOR_FAMILIES(family) \
	for (int family = AF_INET; family; family = family == AF_INET ? AF_INET6 : 0)

/* addr is in host order; ports too. */
static inline struct address address_in(uint32_t addr, int port)
{
	struct address at = { .size = sizeof(at.in) };

	at.in.sin_family = AF_INET;
	at.in.sin_addr.s_addr = htonl(addr);
	at.in.sin_port = htons(port);
	return at;
}

static inline struct address address_in6(struct in6_addr addr, int port)
{
	struct address at = { .size = sizeof(at.in6) };

	at.in6.sin6_family = AF_INET6;
	at.in6.sin6_addr = addr;
	at.in6.sin6_port = htons(port);
	return at;
}

/* In many containers there is no IPv6, not even on the loopback interface. */
static inline void ipv6_needed(void)
{
	struct sockaddr_in6 one = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), result = bind(fd, (void *)&one, sizeof(one));

	if (fd < 0 || (result < 0 && errno == EADDRNOTAVAIL))
		SKIP("the host has no ::1");
	close(fd);
}

static inline struct address loopback(int family, int port)
{
	struct in6_addr one = IN6ADDR_LOOPBACK_INIT;

	if (family == AF_INET6)
		ipv6_needed();
	return family == AF_INET ? address_in(INADDR_LOOPBACK, port) : address_in6(one, port);
}

static inline struct address any_address(int family, int port)
{
	struct in6_addr any = IN6ADDR_ANY_INIT;

	return family == AF_INET ? address_in(INADDR_ANY, port) : address_in6(any, port);
}

/* ::ffff:127.0.0.1 */
static inline struct address mapped_loopback(int port)
{
	struct address at;

	at = address_in6((struct in6_addr)IN6ADDR_ANY_INIT, port);
	at.in6.sin6_addr.s6_addr[10] = at.in6.sin6_addr.s6_addr[11] = 0xff;
	at.in6.sin6_addr.s6_addr[12] = 127;
	at.in6.sin6_addr.s6_addr[15] = 1;
	return at;
}

static inline int address_port(const struct address *at)
{
	return ntohs(at->any.sa_family == AF_INET ? at->in.sin_port : at->in6.sin6_port);
}

static inline struct address local_address(int fd)
{
	struct address at = { .size = sizeof(at.in6) };

	CHECK_OK(getsockname(fd, &at.any, &at.size));
	return at;
}

static inline struct address peer_address(int fd)
{
	struct address at = { .size = sizeof(at.in6) };

	CHECK_OK(getpeername(fd, &at.any, &at.size));
	return at;
}

static inline int local_port(int fd)
{
	struct address at = local_address(fd);

	return address_port(&at);
}

static inline int address_equal(const struct address *a, const struct address *b)
{
	if (a->any.sa_family != b->any.sa_family || address_port(a) != address_port(b))
		return 0;
	if (a->any.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0;
}

#define CHECK_ADDRESS(a, b)                                                                        \
	do {                                                                                       \
		struct address x_ = (a), y_ = (b);                                                 \
		if (!address_equal(&x_, &y_))                                                      \
			FAIL("%s is not %s: families %d, %d; ports %d, %d", #a, #b,                \
			     x_.any.sa_family, y_.any.sa_family, address_port(&x_),                \
			     address_port(&y_));                                                   \
	} while (0)

static inline int socket_new(int family, int type)
{
	return CHECK_OK(socket(family, type, 0));
}

static inline int bind_to(int fd, struct address at)
{
	return bind(fd, &at.any, at.size);
}

static inline int connect_to(int fd, struct address at)
{
	return connect(fd, &at.any, at.size);
}

static inline ssize_t send_to(int fd, const void *data, size_t size, struct address at)
{
	return sendto(fd, data, size, 0, &at.any, at.size);
}

static inline ssize_t receive_from(int fd, void *data, size_t size, struct address *at)
{
	at->size = sizeof(at->in6);
	return recvfrom(fd, data, size, 0, &at->any, &at->size);
}

/* Bound to a port of the system's choice on loopback. */
static inline int socket_bound(int family, int type)
{
	int fd = socket_new(family, type);

	CHECK_OK(bind_to(fd, loopback(family, 0)));
	return fd;
}

static inline int listener_new(int family, int backlog)
{
	int fd = socket_bound(family, SOCK_STREAM);

	CHECK_OK(listen(fd, backlog));
	return fd;
}

static inline int connected_to(int listener)
{
	struct address at = local_address(listener);
	int fd = socket_new(at.any.sa_family, SOCK_STREAM);

	CHECK_OK(connect(fd, &at.any, at.size));
	return fd;
}

/* fd[0] has connected, fd[1] was accepted. */
static inline void tcp_pair(int family, int fd[2])
{
	int listener = listener_new(family, 5);

	fd[0] = connected_to(listener);
	fd[1] = CHECK_OK(accept(listener, NULL, NULL));
	CHECK_OK(close(listener));
}

/* Two bound sockets that are connected to each other. */
static inline void udp_pair(int family, int fd[2])
{
	fd[0] = socket_bound(family, SOCK_DGRAM);
	fd[1] = socket_bound(family, SOCK_DGRAM);
	CHECK_OK(connect_to(fd[0], local_address(fd[1])));
	CHECK_OK(connect_to(fd[1], local_address(fd[0])));
}

/* What poll says at this moment. */
static inline int events_now(int fd, int wanted)
{
	struct pollfd item = { fd, wanted, 0 };

	CHECK_OK(poll(&item, 1, 0));
	return item.revents;
}

/* Waits until poll shows one of the events, up to five seconds; what it shows then. */
static inline int poll_for(int fd, int wanted)
{
	struct pollfd item = { fd, wanted, 0 };

	CHECK_EQ(poll(&item, 1, 5000), 1);
	return item.revents;
}

static inline void nonblocking_set(int fd, int on)
{
	int flags = CHECK_OK(fcntl(fd, F_GETFL));

	CHECK_OK(fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK));
}

static inline int option_get(int fd, int level, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	CHECK_OK(getsockopt(fd, level, option, &value, &size));
	CHECK_EQ(size, sizeof(value));
	return value;
}

static inline int option_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

static inline int socket_error(int fd)
{
	return option_get(fd, SOL_SOCKET, SO_ERROR);
}

static inline void timeout_set(int fd, int option, int milliseconds)
{
	struct timeval time = { milliseconds / 1000, milliseconds % 1000 * 1000 };

	CHECK_OK(setsockopt(fd, SOL_SOCKET, option, &time, sizeof(time)));
}

/*
 * Whether the other side still has room in its window (tcpi_snd_wnd of Linux, where there is one).
 */
static inline int window_open(int fd)
{
	char info[512] = "";
	socklen_t size = sizeof(info);
	uint32_t window = 0;

	CHECK_OK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size));
	if (size >= 232)
		memcpy(&window, info + 228, sizeof(window));
	return window != 0;
}

/*
 * Sends from fd[0] to fd[1] until there is no room left, also not a moment later, when fd[1] has
 * acknowledged some of it (which TCP may put off for 40 ms) or the last bit of its window is used
 * (for 200 ms). Returns how many bytes that were; fd[0] stays non-blocking. Buffers whose size was
 * set do not grow while somebody waits.
 */
static inline long fill_up(const int fd[2])
{
	static char block[16384];
	struct pollfd item = { fd[0], POLLOUT, 0 };
	long sent = 0, before;
	ssize_t got;

	nonblocking_set(fd[0], 1);
	CHECK_OK(option_set(fd[0], SOL_SOCKET, SO_SNDBUF, 65536));
	CHECK_OK(option_set(fd[1], SOL_SOCKET, SO_RCVBUF, 65536));
	for (int still = 0; still < 2; still = sent == before ? still + 1 : 0) {
		before = window_open(fd[0]) ? -1 : sent;
		while ((got = send(fd[0], block, sizeof(block), MSG_NOSIGNAL)) > 0)
			sent += got;
		CHECK_EQ(errno, EAGAIN);
		CHECK_OK(poll(&item, 1, 50));
	}
	return sent;
}

/* Reads exactly so much. */
static inline void read_all(int fd, void *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = CHECK_OK(read(fd, (char *)data + done, size - done));

		if (got == 0)
			FAIL("end of file after %zu of %zu bytes", done, size);
		done += got;
	}
}

static inline void write_all(int fd, const void *data, size_t size)
{
	size_t done = 0;

	while (done < size)
		done += CHECK_OK(write(fd, (const char *)data + done, size - done));
}

/* Bytes that can be told from each other at any offset. */
static inline void pattern_fill(unsigned char *data, size_t size, uint32_t seed)
{
	for (size_t i = 0; i < size; i++) {
		seed = seed * 1664525 + 1013904223;
		data[i] = seed >> 24;
	}
}

#endif
