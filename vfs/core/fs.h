/* SPDX-License-Identifier: MIT */
/*
 * What differs between file systems: how a name is found, what a link says, what a directory lists.
 * Trees that lie in the state arena (tmpfs, devfs) are alike; /proc makes its nodes when they are
 * looked up (fs/procfs).
 */
#ifndef VFS_CORE_FS_H
#define VFS_CORE_FS_H

#include "node.h"

struct request;

struct fs_link {
	const char *text;	/* walked next; stays while the request lasts */
	struct pos jump;	/* if there is no text: the place itself */
};

/* One directory entry for getdents. */
struct fs_dirent {
	uint64_t ino, cookie;	/* cookie: what to go on after it with */
	uint32_t type;		/* LX_S_IF* */
	const char *name;
	size_t size;
};

struct fs_type {
	const char *name;
	uint32_t magic;
	/* names cannot be made or removed by programs: what making one gives */
	int fixed;
	/* 0 or -ENOENT, or an error. NULL: a tree in the state arena. */
	int64_t (*lookup)(struct request *r, struct node *dir, const char *name, size_t size,
			  struct entry **e, struct node **n);
	int64_t (*link)(struct request *r, struct pos link, unsigned depth, struct fs_link *out);
	/* The first entry after `cookie` (>= 2, so without "." and ".."): 1, or 0 at the end. */
	int (*next)(struct request *r, struct node *dir, uint64_t cookie, struct fs_dirent *out);
	/* Its name, when it has no entry; for paths. */
	size_t (*node_name)(const struct node *n, char *to, size_t size);
};

const struct fs_type *fs_type(const struct node *n);
/* Of a name that entry_find does not know. */
int64_t fs_lookup_other(struct request *r, struct node *dir, const char *name, size_t size,
			struct entry **e, struct node **n);
int64_t fs_link(struct request *r, struct pos link, unsigned depth, struct fs_link *out);
/* The first entry after cookie 0 (".") and on. 1 or 0. */
int fs_next(struct request *r, struct pos dir, uint64_t cookie, struct fs_dirent *out);

/* The same for entries that lie in the state arena. */
int fs_list_next(struct node *dir, uint64_t cookie, struct fs_dirent *out);

extern const struct fs_type procfs_type;

#endif
