/* SPDX-License-Identifier: MIT */
/*
 * Recovery (recover.h). Two things can be out of step with the state: close notices that were
 * delivered but not yet acted on, and kernel handles that were made but not yet noted, or noted as
 * dropped but not yet closed. The first are found by asking for all live descriptions, the second
 * by going through the handle table, which the successor inherits.
 */
#include "recover.h"

#include "file.h"
#include "inherited.h"
#include "server.h"
#include "socket.h"

static bool is_alive(uint64_t cookie)
{
	return cookie == (1ull << 32 | 1) || cookie == vfs->sockets->foreign ||
	       inherited_is_alive(cookie);
}

static bool know_file(struct file *f)
{
	inherited_know(f->object);
	if (node_is(f->at.node, LX_S_IFREG) || node_is(f->at.node, LX_S_IFIFO))
		inherited_know(f->at.node->object);
	return true;
}

static void know_names(void)
{
	for (uint32_t i = 0; i < NAMES_SEGMENTS; i++) {
		for (uint32_t j = 0; vfs->segment[i] && j < NAMES_SEGMENT; j++) {
			for (struct entry *e = vfs->segment[i][j]; e; e = e->chain)
				inherited_know(e->node->object);
		}
	}
}

/* The kinds that it makes; its own descriptions were never installed, so they go too. */
#define MADE                                                                                       \
	(INHERITED_TYPE(K_OBJECT_DESCRIPTION) | INHERITED_TYPE(K_OBJECT_MOBJECT) |                 \
	 INHERITED_TYPE(K_OBJECT_PIPE) | INHERITED_TYPE(K_OBJECT_SOURCE) |                         \
	 INHERITED_TYPE(K_OBJECT_ACCOUNT))

int recover(int endpoint)
{
	static const char *const granted[] = { "endpoint", "state", "archive", "posix",
					       "network",  "creds", "pids" };
	int e;

	vfs = state_root();
	for (unsigned i = 0; i < sizeof granted / sizeof granted[0]; i++)
		inherited_know(srv_handle(granted[i]));
	file_each(know_file);
	know_names();
	socket_know(inherited_know);
	for (struct filesystem *fs = vfs->filesystems; fs; fs = fs->next)
		inherited_know(fs->account);
	inherited_sweep(MADE);
	e = inherited_alive_read(endpoint);
	if (!e)
		file_reconcile(is_alive);
	inherited_alive_drop();
	if (!e)
		socket_recover();
	srv_log("recovered: %lu nodes, %u open files", (unsigned long)vfs->live_nodes,
		(unsigned)file_count());
	return e;
}
