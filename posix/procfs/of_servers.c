/* SPDX-License-Identifier: MIT */
/* /proc/troupe/servers: what has become of each server, as the supervisor has written it down. */
#include <errno.h>

#include "calls.h"
#include "posix/procfs/procfs.h"
#include "server.h"
#include "supervisor_wire.h"

static const struct proto_servers *servers_map(void)
{
	struct k_map map = {
		.space = -1, .size = 4096, .object = srv_handle(PROTO_SERVERS), .flags = K_MAP_READ
	};

	return map.object < 0 || k_space_map(&map) < 0 ? NULL : (const void *)map.address;
}

int procfs_servers_text(struct text *x)
{
	static const char *const states[] = { "running", "absent", "given-up" };
	static const struct proto_servers *servers;

	if (!servers)
		servers = servers_map();
	if (!servers)
		return -ENOENT;
	text_format(x, "%-12s %-9s %8s %6s\n", "server", "state", "restarts", "deaths");
	for (uint32_t i = 0; i < servers->count; i++) {
		const struct proto_server *s = &servers->server[i];

		text_format(x, "%-12.28s %-9s %8u %6u\n", s->name, states[s->state], s->restarts,
			    s->deaths);
	}
	return 0;
}
