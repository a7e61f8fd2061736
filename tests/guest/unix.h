/*
 * AF_UNIX sockets for tests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GUEST_UNIX_H
#define GUEST_UNIX_H

#include "test.h"

#include <poll.h>
#include <sys/socket.h>

static inline void pair(int sv[2], int type)
{
	CHECK_OK(socketpair(AF_UNIX, type, 0, sv));
}

/* What poll says of fd now, of all that it can say. */
static inline short ready(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0 };

	CHECK_OK(poll(&p, 1, 0));
	return p.revents;
}

#endif
