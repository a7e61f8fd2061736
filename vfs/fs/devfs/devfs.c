/* SPDX-License-Identifier: MIT */
/* The names in /dev: one table. The tree itself is like tmpfs's; programs may add to it. */
#include <errno.h>
#include <string.h>

#include "mounts.h"
#include "server.h"

static const struct {
	const char *name;
	uint32_t mode, major, minor;
	const char *target;
} nodes[] = {
	{ "null", LX_S_IFCHR | 0666, 1, 3, NULL },
	{ "zero", LX_S_IFCHR | 0666, 1, 5, NULL },
	{ "full", LX_S_IFCHR | 0666, 1, 7, NULL },
	{ "random", LX_S_IFCHR | 0666, 1, 8, NULL },
	{ "urandom", LX_S_IFCHR | 0666, 1, 9, NULL },
	{ "tty", LX_S_IFCHR | 0666, 5, 0, NULL },
	{ "ptmx", LX_S_IFCHR | 0666, 5, 2, NULL },
	{ "console", LX_S_IFCHR | 0600, 5, 1, NULL },
	{ "ttyS0", LX_S_IFCHR | 0620, 4, 64, NULL },
	{ "pts", LX_S_IFDIR | 0755, 0, 0, NULL },
	{ "shm", LX_S_IFDIR | 0755, 0, 0, NULL },
	{ "fd", LX_S_IFLNK | 0777, 0, 0, "/proc/self/fd" },
	{ "stdin", LX_S_IFLNK | 0777, 0, 0, "/proc/self/fd/0" },
	{ "stdout", LX_S_IFLNK | 0777, 0, 0, "/proc/self/fd/1" },
	{ "stderr", LX_S_IFLNK | 0777, 0, 0, "/proc/self/fd/2" },
};

int devfs_fill(struct filesystem *fs)
{
	for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
		struct node *n = node_create(fs, nodes[i].mode, 0, 0, srv_realtime());

		if (!n || !entry_add(fs->root, nodes[i].name, strlen(nodes[i].name), n))
			return -ENOMEM;
		if (nodes[i].major)
			n->rdev = LX_DEV(nodes[i].major, nodes[i].minor);
		if (nodes[i].target) {
			n->link.size = (uint32_t)strlen(nodes[i].target);
			n->link.target = state_alloc(n->link.size + 1);
			if (!n->link.target)
				return -ENOMEM;
			strcpy(n->link.target, nodes[i].target);
		}
	}
	node_commit();
	return 0;
}
