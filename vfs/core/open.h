/* SPDX-License-Identifier: MIT */
/*
 * From a node to a descriptor: the pieces of open that other calls use too. Each in_* result is a
 * request_function's.
 */
#ifndef VFS_CORE_OPEN_H
#define VFS_CORE_OPEN_H

#include "request.h"

/* The status flags that stay with a description (what F_GETFL gives). */
uint32_t open_status(uint32_t flags);
/*
 * Makes c's open file and its description, not installed yet. d's cookie, status are filled in
 * here; object, plane, flags, decline by the caller. Returns the handle (>= 0) or an error; then
 * nothing is left.
 */
int64_t open_describe(const struct proto_cred *c, enum file_kind kind, struct pos at,
		      uint32_t flags, struct k_description *d, struct file **out);
/* Answers `call` with a new descriptor for the handle (LX_O_CLOEXEC from flags). */
void open_install(uint64_t call, int handle, uint32_t flags);
/* describe + install for the request's caller. */
int64_t open_finish(struct request *r, enum file_kind kind, struct pos at, uint32_t flags,
		    struct k_description *d);
/* Opens an existing node for the caller, access already checked. */
int64_t open_node(struct request *r, struct pos at, uint32_t flags);
/* A handle of a read-only description for exec. */
int64_t open_for_exec(struct request *r, struct pos at, uint64_t *cookie);
/* The node is handed to the process server with a description that pins it: terminals, random. */
int64_t open_elsewhere(struct request *r, struct pos at, uint32_t flags, int number,
		       uint64_t which);

/* fs/fifo/fifo.c */
int64_t fifo_open(struct request *r, struct pos at, uint32_t flags);
/* fs/devfs/device.c */
int64_t device_open(struct request *r, struct pos at, uint32_t flags);
/* fs/procfs/contents.c */
int64_t proc_open(struct request *r, struct pos at, uint32_t flags);

#endif
