/* SPDX-License-Identifier: MIT */
/*
 * Advisory locks on a node: record locks of processes (owner: the handle table's id), record locks
 * of open files and flocks (owner: the open file's cookie). Pure bookkeeping in the state arena;
 * who waits is in_lock.c's business.
 */
#ifndef VFS_CORE_LOCK_H
#define VFS_CORE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

struct node;

enum lock_kind { LOCK_POSIX, LOCK_OFD, LOCK_FLOCK };

struct lock {
	struct lock *next;
	uint64_t start, end;	/* inclusive; end UINT64_MAX>>1: to the end, however far */
	uint64_t owner;		/* table id or cookie */
	uint64_t file;		/* cookie of the open file it was set through */
	uint32_t pid;
	uint8_t kind, type;	/* enum lock_kind; LX_F_RDLCK, LX_F_WRLCK */
	uint16_t user;		/* whose share of all locks it is of: quota.h */
};

#define LOCK_TO_END ((uint64_t)INT64_MAX)

/*
 * The first lock of another owner that forbids this one, or NULL. Only kind, type, start, end,
 * owner of `want` matter.
 */
const struct lock *lock_conflict(const struct node *n, const struct lock *want);
/*
 * Sets, changes or (type LX_F_UNLCK) removes the owner's locks in the range, splitting and joining
 * as needed. Conflicts must be ruled out. 0, or -ENOLCK: there are too many, or the user has.
 */
int lock_set(struct node *n, const struct lock *want);
/* All locks of an owner; true if there were any. */
bool locks_drop_owner(struct node *n, enum lock_kind kind, uint64_t owner);
/* All that belong to or were set through this open file. */
bool locks_drop_file(struct node *n, uint64_t cookie);
void locks_drop_all(struct node *n);
unsigned locks_count(const struct node *n);
/* Whether the owner has record locks anywhere is counted by the caller; whether on this node: */
bool locks_owned(const struct node *n, enum lock_kind kind, uint64_t owner);

#endif
