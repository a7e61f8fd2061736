/* SPDX-License-Identifier: MIT */
/*
 * Bounds that several servers keep or tell: how much there may be of what all users share.
 */
#ifndef TROUPE_PROTO_SHARES_H
#define TROUPE_PROTO_SHARES_H

#include <stdbool.h>
#include <stdint.h>

/* The VFS has an open file for so many bytes of memory: fs.file-max (vfs/core/file.h) */
#define PROTO_FILE_MEMORY 8192u

/* Sockets in the VFS, and as many in the network server */
#define PROTO_SOCKETS_MAX 4096u
#define PROTO_SOCKETS_RESERVE 512u	/* of them: for root alone */
#define PROTO_SOCKETS_OF_ONE 2048u	/* of one user who is not root */

/* Whether the table, with `count` of them, has no more for that user. */
static inline bool proto_sockets_full(uint32_t count, uint32_t uid)
{
	return count >= PROTO_SOCKETS_MAX - (uid ? PROTO_SOCKETS_RESERVE : 0);
}

#endif
