/* SPDX-License-Identifier: MIT */
/*
 * The initial root: a tmpfs whose names come from the boot archive. File data is not copied: a
 * file's memory object is cloned from the archive's, page by page and copy-on-write, when it is
 * first opened; until then its node only knows where its data lies.
 */
#ifndef VFS_FS_TMPFS_ARCHIVE_H
#define VFS_FS_TMPFS_ARCHIVE_H

#include "node.h"

/* Gives the archive's handle (-1: none). */
void archive_setup(int handle);
int archive_object(void);
/* Fills an empty file system; commits as it goes. 0 or an error. */
int archive_fill(struct filesystem *fs);
/* The logic of it, on an archive in memory; for tests. */
int archive_read(struct filesystem *fs, const void *archive, size_t size);

#endif
