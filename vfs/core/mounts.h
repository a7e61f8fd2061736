/* SPDX-License-Identifier: MIT */
/* File systems by kind, as mount and the start of the server need them. */
#ifndef VFS_CORE_MOUNTS_H
#define VFS_CORE_MOUNTS_H

#include "node.h"

struct tmpfs_options {
	uint64_t size, nodes;	/* bytes, nodes; 0: no limit */
	uint32_t mode, uid, gid;
};

uint64_t mounts_memory(void);	/* of the machine */
/* A new, empty tmpfs. NULL: no memory. */
struct filesystem *mounts_tmpfs(const struct tmpfs_options *o);
/* The one devfs or procfs. */
struct filesystem *mounts_find(enum fs_kind kind);
int64_t mounts_resize(struct filesystem *fs, uint64_t size);
/* Is any file of it open for writing? */
bool mounts_written(const struct mount *m);
/* At first start: root from the archive, /dev, /proc, /tmp and so on. */
int mounts_start(void);

/* fs/devfs, fs/procfs: fill an empty file system. */
int devfs_fill(struct filesystem *fs);
int procfs_fill(struct filesystem *fs);

#endif
