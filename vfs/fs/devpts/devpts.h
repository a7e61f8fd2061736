/* SPDX-License-Identifier: MIT */
/*
 * /dev/pts: a node for the slave of each pseudo-terminal. There is one such file system; every
 * mount of it shows the same.
 *
 * The number of a terminal is chosen here, when /dev/ptmx is opened; the terminal itself is the
 * process server's. It keeps the FILE_MASTER description that came along for as long as the master
 * is open: when that closes, the name goes. The number is free again when the node goes, that is,
 * when the last slave is closed, too.
 */
#ifndef VFS_FS_DEVPTS_H
#define VFS_FS_DEVPTS_H

#include "request.h"

#define DEVPTS_MAX 4096u

/* The options of a mount; later mounts change them for terminals to come. */
struct devpts_options {
	uint32_t mode, ptmxmode;
	uint32_t uid, gid;
	bool uid_set, gid_set;		/* else the opener's */
};

/* In the state arena. */
struct devpts {
	struct devpts_options options;
	uint32_t count;
	uint64_t used[DEVPTS_MAX / 64];
};

int devpts_fill(struct filesystem *fs);
/* What mount says: "gid=5,mode=620". 0, -EINVAL. */
int64_t devpts_parse(char *text, struct devpts_options *o);
void devpts_set_options(const struct devpts_options *o);

/* open of a node 5:2: a new terminal. A request_function's result. */
int64_t devpts_open_master(struct request *r, struct pos at, uint32_t flags);
/* Its master closed, or was never made. */
void devpts_master_gone(uint32_t number);
/* A node of the file system is freed. */
void devpts_node_gone(const struct node *n);

#endif
