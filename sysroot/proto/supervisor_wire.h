/* SPDX-License-Identifier: MIT */
/* Requests to the supervisor: callers that the process server forwards to it (it has checked that they are root's). */
#ifndef TROUPE_PROTO_SUPERVISOR_WIRE_H
#define TROUPE_PROTO_SUPERVISOR_WIRE_H

enum proto_supervisor {
	/* scratch = a server's name: it is ended and started again. Answers arg[0], ENOENT, EBUSY, or EPERM for a vital one. */
	PROTO_SUPERVISOR_RESTART = 4096 + 192
};

#endif
