/* SPDX-License-Identifier: MIT */
/*
 * Open files: what stands behind the cookies of the VFS's descriptions. A cookie is a slot and its
 * generation, so that a stale one is recognised. A record pins its place; it goes when the kernel
 * says that the last handle of its description went.
 */
#ifndef VFS_CORE_FILE_H
#define VFS_CORE_FILE_H

#include "node.h"

struct proto_cred;

enum file_kind {
	FILE_FREE,
	FILE_PLAIN,		/* regular files, devices, O_PATH */
	FILE_DIRECTORY,
	FILE_PIPE,		/* pipe or FIFO */
	FILE_PROC,		/* text of the process server or of our own */
	FILE_EPOLL,
	FILE_EVENT,
	FILE_SOCKET,
	/*
	 * held by the process server while a terminal's master is open; `offset` is the number:
	 * fs/devpts
	 */
	FILE_MASTER,
	/* only keeps a node for another server (terminals), or a working directory */
	FILE_PIN,
};

struct file {
	uint32_t generation, next_free;
	uint32_t status;	/* open flags, as given */
	uint8_t kind;
	uint8_t decline;	/* K_DECLINE_* that its description has */
	bool may_read, may_write;	/* counted in the node */
	bool semaphore;		/* FILE_EVENT: EFD_SEMAPHORE */
	/* a program that runs: counted in the node, which must not be written */
	bool running;
	uint32_t user;		/* whose share it is of: quota.h */
	struct pos at;
	int32_t object;		/* FILE_PROC: the text; FILE_EVENT: its source; else -1 */
	/* directories: cookie of the last entry given; FILE_EVENT: the counter */
	uint64_t offset;
	/*
	 * call that changed it; what it was before (FILE_EVENT: what was taken): for when that call
	 * comes again
	 */
	uint64_t call, before;
};

int file_table_create(void);
/*
 * A new record that pins `at`, opened by c. NULL: no memory, or no room for c. Counts reads and
 * writes in the node by status unless kind is FILE_PIN or O_PATH is set.
 *
 * The table is a share of the machine's memory: a record for every 8 KiB (fs.file-max).
 */
struct file *file_create(const struct proto_cred *c, enum file_kind kind, struct pos at,
			 uint32_t status);
/* The process server keeps this one open as long as the program runs. */
void file_run(struct file *f);
/* NULL if the cookie names none. */
struct file *file_find(uint64_t cookie);
uint64_t file_cookie(const struct file *f);
/* The last handle went, or its description was never made. */
void file_close(struct file *f);
uint32_t file_count(void);
/* Calls visit for every open file, until it returns false. */
void file_each(bool (*visit)(struct file *f));
/* Every record, for recovery: calls keep(cookie); where it says no, the record is closed. */
void file_reconcile(bool (*keep)(uint64_t cookie));

#endif
