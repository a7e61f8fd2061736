/* SPDX-License-Identifier: MIT */
/* The ioctl requests that concern a descriptor, whatever is behind it. */
#include <errno.h>

#include "server.h"

#define FIONBIO 0x5421u
#define FIONCLEX 0x5450u
#define FIOCLEX 0x5451u
#define F_SETFD 2
#define F_SETFL 4
#define FD_CLOEXEC 1
#define O_NONBLOCK 04000u

int srv_ioctl_as_fcntl(const struct k_message *m, uint64_t arg[6])
{
	uint32_t request = (uint32_t)m->arg[1], flags = m->fd_flags;
	long r = 0;
	int32_t on;

	if (request == FIOCLEX || request == FIONCLEX) {
		arg[1] = F_SETFD;
		arg[2] = request == FIOCLEX ? FD_CLOEXEC : 0;
	} else if (request == FIONBIO) {
		r = k_caller_read(srv_endpoint(), m->call, &on, m->arg[2], sizeof on);
		if (r < 0)
			return (int)r;
		arg[1] = F_SETFL;
		arg[2] = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	} else {
		return 0;
	}
	arg[0] = m->arg[0];
	arg[3] = arg[4] = arg[5] = 0;
	return 1;
}
