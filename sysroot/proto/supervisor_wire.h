/* SPDX-License-Identifier: MIT */
/*
 * Requests to the supervisor: callers that the process server forwards to it (it has checked that
 * they are root's).
 */
#ifndef TROUPE_PROTO_SUPERVISOR_WIRE_H
#define TROUPE_PROTO_SUPERVISOR_WIRE_H

#include <stdint.h>

enum proto_supervisor {
	/*
	 * scratch = a server's name: it is ended and started again. Answers arg[0], ENOENT, EBUSY,
	 * or EPERM for a vital one.
	 */
	PROTO_SUPERVISOR_RESTART = 4096 + 192
};

/*
 * The shared object "servers": what has become of each server of the manifest. The supervisor
 * writes it, the process server shows it as /proc/troupe/servers.
 */
#define PROTO_SERVERS "servers"

enum proto_server_state {
	PROTO_SERVER_RUNNING,
	PROTO_SERVER_ABSENT /* its device is not there */,
	PROTO_SERVER_GIVEN_UP
};

struct proto_server {
	char name[28];
	uint32_t state;		/* enum proto_server_state */
	/* how often it was started again; of these, without being asked to die */
	uint32_t restarts, deaths;
};

struct proto_servers {
	uint32_t count, pad;
	struct proto_server server[];
};

_Static_assert(sizeof(struct proto_server) == 40, "server state layout");

#endif
