/*
 * Reading a "newc" cpio archive that lies in memory: the boot archive.
 *
 * Nothing is copied or allocated; names and data are pointers into the archive, which must stay
 * where it is. Every length is checked against the archive's end, so a damaged one gives an error
 * and never a bad pointer. As in Linux's initramfs, members may be separated by NULs, archives may
 * follow one another, and a name may be padded with NULs (our archiver does it to bring each file's
 * data to a page boundary).
 *
 *	struct cpio c;
 *	struct cpio_entry entry;
 *
 *	cpio_open(&c, archive, size);
 *	while ((r = cpio_next(&c, &entry)) > 0)
 *		...
 *
 * Files with several links share a device and inode number. Writers differ in which of the links
 * carries the data: all others have size 0.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LIBSRV_CPIO_H
#define LIBSRV_CPIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpio {
	const uint8_t *start;
	size_t size;
	size_t at;		/* where the next member, or padding before it, begins */
};

struct cpio_entry {
	const char *name;	/* without leading "/" and "./"; "." is the root itself */
	const void *data;	/* a file's contents; a symbolic link's target, without a NUL */
	uint32_t size;
	uint32_t mode;		/* type and permissions, as in st_mode */
	uint32_t uid, gid;
	uint32_t nlink;
	uint32_t mtime;
	uint32_t ino;
	uint32_t dev_major, dev_minor;
	uint32_t rdev_major, rdev_minor;
	size_t offset;		/* of the data in the archive */
};

void cpio_open(struct cpio *c, const void *archive, size_t size);

/* 1 and an entry; 0 at the end; -EINVAL if the archive is damaged, and then always. */
int cpio_next(struct cpio *c, struct cpio_entry *entry) __attribute__((warn_unused_result));

/* Looks one name up from the beginning. 0, -ENOENT, -EINVAL. */
int cpio_find(const void *archive, size_t size, const char *name, struct cpio_entry *entry)
	__attribute__((warn_unused_result));

/* Are these two names of one file? */
bool cpio_same_file(const struct cpio_entry *a, const struct cpio_entry *b);

#endif
