/* SPDX-License-Identifier: MIT */
/*
 * What the VFS remembers: nodes (files of every type), entries (names in directories), file systems
 * and mounts.
 *
 * Everything here lives in the state arena and is changed through state_set/undo_save only, so it
 * survives the server (libsrv/state.h). Names are found through one hash table over (directory,
 * name) that grows bucket by bucket. A node stays while it has names (nlink) or pins (open files,
 * working directories, mounts). Above: walk.c, the op_*.c files. Below: state.c.
 *
 * Invariant: an entry is in the hash table and in its directory's list, or it is the `name` of a
 * node and marked gone.
 */
#ifndef VFS_CORE_NODE_H
#define VFS_CORE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "linux.h"
#include "quota.h"
#include "state.h"

struct devpts;
struct entry;
struct filesystem;
struct lock;
struct mount;
struct node;
struct socket;
struct socket_table;

enum fs_kind { FS_TMPFS, FS_DEVFS, FS_PROCFS, FS_ANON, FS_DEVPTS, FS_SOCKETS, FS_KINDS };

struct node {
	struct filesystem *fs;
	uint64_t ino;
	uint32_t mode, uid, gid, rdev;
	uint32_t nlink, pins;
	uint32_t flags;			/* NODE_* */
	uint32_t opens, writers;	/* open files with a data plane; those that may write */
	/* processes (and execs under way) that run it: not to be written (ETXTBSY) */
	uint32_t running;
	int64_t atime, mtime, ctime, btime;	/* ns since 1970 */
	struct entry *name;		/* the name it was last found by; may be gone */
	struct node *parent;		/* directories; /proc's own nodes */
	struct mount *mounts;		/* what is mounted here (mount.next_here) */
	struct lock *locks;		/* record locks by start, then flocks: lock.c */
	uint32_t kind, pid, tid;	/* /proc: enum proc_kind and whose */
	/* regular: memory object, -1: none yet; FIFO: pipe, -1: none */
	int32_t object;
	union {
		struct {		/* regular */
			uint64_t size;		/* as of when nobody had it open for writing */
			uint64_t blocks;	/* of 512 bytes, as of when it was last asked for */
			/* offset of its data in the boot archive, while object is -1; 0: none */
			uint64_t archive;
		} file;
		struct {		/* directory */
			struct entry *first, *last;	/* by cookie, ascending */
			uint64_t next_cookie;
			uint32_t count, subdirs, removals;
		} dir;
		struct {
			char *target;	/* NUL-terminated, size + 1 bytes */
			uint32_t size;
		} link;
		struct {
			uint32_t readers, writers;	/* open files */
		} fifo;
		/* an anonymous node's own; who is bound to a path's, NULL: nobody */
		struct socket *socket;
	};
	struct node *chain;		/* /proc's own nodes: by kind and pid */
};

/* It may have been written since size and times were fetched from the memory object */
#define NODE_TOUCHED	0x1u
#define NODE_READ	0x40u	/* it may have been read since */
#define NODE_DYNAMIC	0x2u	/* made by a lookup, goes when nothing pins it */
#define NODE_MEMFD	0x4u
#define NODE_WRITTEN	0x20u	/* differs from the boot archive, or may */
/* Utimensat set its times; any stamp of the memory object is younger */
#define NODE_TIMES_SET	0x10u
#define NODE_LOOSE	0x8u	/* on the list of nodes to look at when the request ends */

struct entry {
	struct entry *chain;		/* hash bucket */
	struct entry *next, *prev;	/* in the directory */
	struct node *dir, *node;
	uint64_t cookie;		/* position for getdents, never reused in its directory */
	uint32_t hash;
	uint8_t size;
	bool gone;
	char text[];			/* NUL-terminated */
};

struct filesystem {
	struct filesystem *next;
	struct node *root;
	enum fs_kind kind;
	uint32_t dev;
	uint32_t mounts;		/* that use it */
	/* extra: what further hard links and long symbolic links weigh, in nodes */
	uint32_t nodes, extra;
	uint64_t size_limit, node_limit;	/* bytes, 0 none; as mount's options say */
	int32_t account;		/* pays for its pages; -1 none */
	uint64_t next_ino;
	uint32_t mode, uid, gid;	/* mount options, for /proc/mounts */
	struct node *chains[64];	/* dynamic nodes */
};

struct mount {
	struct mount *next;		/* all mounts, oldest first */
	struct mount *next_here;	/* on the same covered node */
	struct mount *parent;		/* NULL: the root, or detached */
	struct node *covered;		/* in parent */
	struct filesystem *fs;
	struct node *root;
	uint32_t id, flags;		/* LX_MS_RDONLY, NOSUID, NODEV, NOEXEC, NOATIME, RELATIME */
	uint32_t pins, children;
	bool detached;
	char source[64];
};

/* A place in the tree. */
struct pos {
	struct mount *mount;
	struct node *node;
};

#define NAMES_SEGMENT 512u
#define NAMES_SEGMENTS 2048u

struct vfs_state {
	bool complete;			/* the initial root is filled */
	struct entry **segment[NAMES_SEGMENTS];
	uint32_t names, mask, split;	/* buckets: mask + 1 + split; mask + 1 is a power of two */
	struct filesystem *filesystems;
	struct mount *mounts, *root;
	uint32_t next_mount, next_dev;
	/* of pipes, memfds, epoll: nodes without names; in no list */
	struct mount *anon;
	struct file_table *files;
	struct socket_table *sockets;
	uint64_t live_nodes, live_entries;
	struct quota locks;
	struct devpts *devpts;		/* fs/devpts */
};
extern struct vfs_state *vfs;

static inline bool node_is(const struct node *n, uint32_t type)
{
	return (n->mode & LX_S_IFMT) == type;
}

static inline bool pos_same(struct pos a, struct pos b)
{
	return a.mount == b.mount && a.node == b.node;
}

/* Makes an empty state. 0 or -ENOMEM. */
int node_state_create(void);

/* --- nodes --- */
/* No more nodes or links fit: ENOSPC. */
static inline bool fs_full(const struct filesystem *fs)
{
	return fs->node_limit && fs->nodes + fs->extra >= fs->node_limit;
}
/*
 * A node without names and pins (nlink 0): give it one or the other. NULL: no memory; counts
 * against fs->node_limit.
 */
struct node *node_create(struct filesystem *fs, uint32_t mode, uint32_t uid, uint32_t gid,
			 int64_t now);
/* What a symbolic link's target weighs in fs->extra: whoever sets link.target adds it. */
uint32_t node_weight(uint32_t target_size);
void node_pin(struct node *n);
/* May free it. */
void node_unpin(struct node *n);
/* nlink or pins went down by other means: frees it if nothing holds it. */
void node_check(struct node *n);
/*
 * Puts a fresh dynamic node on the loose list: unless it is pinned, it goes at the end of the
 * request.
 */
void node_loose(struct node *n);
/* End of a request: frees what is loose and unpinned. */
void node_sweep(void);
/*
 * The server is a successor: what only its predecessor knew is void. For tests, where both are one
 * program.
 */
void node_lost(void);
/* A kernel handle that is no longer needed: closed after the next commit. */
void node_drop_handle(int handle);
/*
 * A kernel handle that this operation made and noted in the state: a rollback closes it. Returns
 * it.
 */
int node_new_handle(int handle);
void node_commit(void);		/* state_commit and what waits for it */
void node_commit_call(uint64_t call, int64_t result);
void node_rollback(void);

/* --- names --- */
/* The hash of a name, byte by byte (the path walk makes it on the way); what entry_find wants. */
#define NAME_HASH_BEGIN 2166136261u
static inline uint32_t name_hash_add(uint32_t hash, char c)
{
	return (hash ^ (uint8_t)c) * 16777619u;
}
static inline uint32_t name_hash(const char *text, size_t size)
{
	uint32_t hash = NAME_HASH_BEGIN;

	while (size--)
		hash = name_hash_add(hash, *text++);
	return hash;
}
struct entry *entry_find(const struct node *dir, const char *text, size_t size, uint32_t hash);
/*
 * Adds a name (not there yet) to a directory; nlink of node goes up. NULL: no memory. Times are the
 * caller's business.
 */
struct entry *entry_add(struct node *dir, const char *text, size_t size, struct node *node);
/* Takes a name away; the node's nlink goes down and it may be freed. */
void entry_remove(struct entry *e);
/*
 * Makes the entry name another node (rename over it); the old node's nlink goes down and it may be
 * freed.
 */
void entry_replace(struct entry *e, struct node *node);
/* The node was found by this name: /proc/self/fd shows it. */
void entry_note(struct entry *e);

/* --- file systems and mounts --- */
struct filesystem *fs_create(enum fs_kind kind, uint64_t size_limit);
struct mount *mount_add(struct pos where, struct filesystem *fs, struct node *root,
			const char *source, uint32_t flags);
/* -EBUSY if in use and not detach. */
int mount_remove(struct mount *m, bool detach);
void mount_pin(struct mount *m);
void mount_unpin(struct mount *m);
/* The place below `at` if something is mounted on it, else at itself. */
struct pos mount_cross(struct pos at);
void pos_pin(struct pos at);
void pos_unpin(struct pos at);

#endif
