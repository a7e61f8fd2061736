/* SPDX-License-Identifier: MIT */
/*
 * The path walk: from a path to a place, as Linux does it. Pure logic over nodes; what a file
 * system knows by itself (names and links of /proc) comes through fs.h. May be stopped by
 * REQUEST_LINK (request.h).
 */
#ifndef VFS_CORE_WALK_H
#define VFS_CORE_WALK_H

#include "node.h"

struct request;

#define WALK_FOLLOW	0x1u	/* a symbolic link at the end is followed */
/* Stop at the last name, which need not exist and is not followed */
#define WALK_PARENT	0x2u
/* The last name need not exist; with FOLLOW neither does a link's target */
#define WALK_CREATE	0x4u
/* openat2 */
#define WALK_NO_LINKS	0x10u
#define WALK_NO_MAGIC	0x20u
#define WALK_NO_XDEV	0x40u
#define WALK_BENEATH	0x80u
#define WALK_IN_ROOT	0x100u

enum walk_last {
	WALK_NAME,
	WALK_DOT,
	WALK_DOTDOT,
	WALK_ROOT,
	WALK_JUMP /* a magic link of /proc */
};

struct walk {
	struct pos at;		/* what was found; node NULL: nothing there (PARENT, CREATE) */
	struct pos dir;		/* where `last` was looked up */
	struct entry *entry;	/* of the last name; NULL also for names that have none (/proc) */
	const char *last;	/* the last name, `size` bytes, no NUL after it */
	size_t size;
	enum walk_last kind;
	bool slash;		/* something like a/b/ */
};

/*
 * 0, a negative errno, or REQUEST_LINK. `path` must not be empty (-ENOENT) and stay while w is
 * used.
 */
int64_t walk_path(struct request *r, struct pos start, const char *path, unsigned flags,
		  struct walk *w);
/* One step up; stays at `root` and at the root of all. */
struct pos walk_up(struct pos root, struct pos at);

#endif
