/* SPDX-License-Identifier: MIT */
/*
 * Recovery (recover.h). Two things can be out of step with the state: close notices that were
 * delivered but not yet acted on, and kernel handles that were made but not yet noted, or noted as
 * dropped but not yet closed. The first are found by asking for all live descriptions, the second
 * by going through the handle table, which the successor inherits.
 */
#include "recover.h"

#include <errno.h>
#include <stdlib.h>

#include "file.h"
#include "server.h"
#include "socket.h"

#define HANDLES_MAX 65536
/* So many free ones in a row: there are no more (the lowest free one is always taken) */
#define HANDLES_GAP 4096

static uint64_t *alive;
static size_t alive_count;

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_alive(uint64_t cookie)
{
	return cookie == (1ull << 32 | 1) || cookie == vfs->sockets->foreign ||
	       bsearch(&cookie, alive, alive_count, sizeof cookie, compare);
}

/* The cookies of all descriptions that still have handles. */
static int alive_read(int endpoint)
{
	uint64_t from = 0, *more;
	long n;

	do {
		more = realloc(alive, (alive_count + 512) * sizeof *alive);
		if (!more)
			return -ENOMEM;
		alive = more;
		n = k_endpoint_descriptions(endpoint, &from, alive + alive_count, 512);
		if (n < 0)
			return (int)n;
		alive_count += (size_t)n;
	} while (n);
	qsort(alive, alive_count, sizeof *alive, compare);
	return 0;
}

static bool *known;	/* handles that a node, a file system or the manifest knows */

static void know(int32_t handle)
{
	if (handle >= 0 && handle < HANDLES_MAX)
		known[handle] = true;
}

static bool know_file(struct file *f)
{
	know(f->object);
	if (node_is(f->at.node, LX_S_IFREG) || node_is(f->at.node, LX_S_IFIFO))
		know(f->at.node->object);
	return true;
}

static void know_names(void)
{
	for (uint32_t i = 0; i < NAMES_SEGMENTS; i++) {
		for (uint32_t j = 0; vfs->segment[i] && j < NAMES_SEGMENT; j++) {
			for (struct entry *e = vfs->segment[i][j]; e; e = e->chain)
				know(e->node->object);
		}
	}
}

/*
 * Closes what a predecessor made and nobody knows of; its own descriptions were never installed, so
 * they go too.
 */
static void sweep_handles(void)
{
	struct k_handle_info info;
	int missing = 0;

	for (int h = 0; h < HANDLES_MAX && missing < HANDLES_GAP; h++) {
		if (known[h]) {
			missing = 0;
			continue;
		}
		if (k_handle_info(h, &info) < 0) {
			missing++;
			continue;
		}
		missing = 0;
		if (info.type == K_OBJECT_DESCRIPTION || info.type == K_OBJECT_MOBJECT ||
		    info.type == K_OBJECT_PIPE || info.type == K_OBJECT_SOURCE ||
		    info.type == K_OBJECT_ACCOUNT)
			k_handle_close(h);
	}
}

int recover(int endpoint)
{
	static const char *const granted[] = { "endpoint", "state", "archive", "posix",
					       "network",  "creds", "pids" };
	int e;

	vfs = state_root();
	known = calloc(HANDLES_MAX, sizeof *known);
	if (!known)
		return -ENOMEM;
	for (unsigned i = 0; i < sizeof granted / sizeof granted[0]; i++)
		know(srv_handle(granted[i]));
	file_each(know_file);
	know_names();
	socket_know(know);
	for (struct filesystem *fs = vfs->filesystems; fs; fs = fs->next)
		know(fs->account);
	sweep_handles();
	e = alive_read(endpoint);
	if (!e)
		file_reconcile(is_alive);
	free(alive);
	alive = NULL;
	alive_count = 0;
	free(known);
	known = NULL;
	if (!e)
		socket_recover();
	srv_log("recovered: %lu nodes, %u open files", (unsigned long)vfs->live_nodes,
		(unsigned)file_count());
	return e;
}
