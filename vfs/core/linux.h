/* SPDX-License-Identifier: MIT */
/*
 * The parts of the Linux x86-64 ABI that the VFS speaks: flags, layouts, numbers. Prefix LX_ or
 * lx_, since newlib's own headers number some of them differently and the host's define some of
 * them too.
 */
#ifndef VFS_CORE_LINUX_H
#define VFS_CORE_LINUX_H

#include <stdint.h>

/* open */
#define LX_O_RDONLY	0
#define LX_O_WRONLY	1
#define LX_O_RDWR	2
#define LX_O_ACCMODE	3
#define LX_O_CREAT	0100
#define LX_O_EXCL	0200
#define LX_O_NOCTTY	0400
#define LX_O_TRUNC	01000
#define LX_O_APPEND	02000
#define LX_O_NONBLOCK	04000
#define LX_O_DSYNC	010000
#define LX_O_ASYNC	020000
#define LX_O_DIRECT	040000
#define LX_O_LARGEFILE	0100000
#define LX_O_DIRECTORY	0200000
#define LX_O_NOFOLLOW	0400000
#define LX_O_NOATIME	01000000
#define LX_O_CLOEXEC	02000000
#define LX_O_SYNC	04010000
#define LX_O_PATH	010000000
#define LX_O_TMPFILE	020200000
#define LX_O_TMPFILE_BIT 020000000
#define LX_O_VALID                                                                                 \
	(LX_O_ACCMODE | LX_O_CREAT | LX_O_EXCL | LX_O_NOCTTY | LX_O_TRUNC | LX_O_APPEND |          \
	 LX_O_NONBLOCK | LX_O_SYNC | LX_O_ASYNC | LX_O_DIRECT | LX_O_LARGEFILE | LX_O_DIRECTORY |  \
	 LX_O_NOFOLLOW | LX_O_NOATIME | LX_O_CLOEXEC | LX_O_PATH | LX_O_TMPFILE_BIT)

/* openat2 */
#define LX_RESOLVE_NO_XDEV	0x01
#define LX_RESOLVE_NO_MAGICLINKS 0x02
#define LX_RESOLVE_NO_SYMLINKS	0x04
#define LX_RESOLVE_BENEATH	0x08
#define LX_RESOLVE_IN_ROOT	0x10
#define LX_RESOLVE_CACHED	0x20
struct lx_open_how {
	uint64_t flags, mode, resolve;
};

#define LX_AT_FDCWD		(-100)
#define LX_AT_SYMLINK_NOFOLLOW	0x100
#define LX_AT_EACCESS		0x200
#define LX_AT_REMOVEDIR		0x200
#define LX_AT_SYMLINK_FOLLOW	0x400
#define LX_AT_NO_AUTOMOUNT	0x800
#define LX_AT_EMPTY_PATH	0x1000
#define LX_AT_STATX_SYNC_TYPE	0x6000

#define LX_S_IFMT	0170000
#define LX_S_IFSOCK	0140000
#define LX_S_IFLNK	0120000
#define LX_S_IFREG	0100000
#define LX_S_IFBLK	0060000
#define LX_S_IFDIR	0040000
#define LX_S_IFCHR	0020000
#define LX_S_IFIFO	0010000
#define LX_S_ISUID	04000
#define LX_S_ISGID	02000
#define LX_S_ISVTX	01000
#define LX_S_IXGRP	0010

#define LX_R_OK 4
#define LX_W_OK 2
#define LX_X_OK 1

#define LX_PATH_MAX 4096
#define LX_NAME_MAX 255
#define LX_LINK_DEPTH 40

struct lx_timespec {
	int64_t sec, nsec;
};
struct lx_timeval {
	int64_t sec, usec;
};
#define LX_UTIME_NOW	0x3fffffff
#define LX_UTIME_OMIT	0x3ffffffe

struct lx_stat {
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid, pad0;
	uint64_t rdev;
	int64_t size, blksize, blocks;
	struct lx_timespec atim, mtim, ctim;
	int64_t unused[3];
};
_Static_assert(sizeof(struct lx_stat) == 144, "stat layout");

struct lx_statx_time {
	int64_t sec;
	uint32_t nsec;
	int32_t pad;
};
struct lx_statx {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, pad0;
	uint64_t ino, size, blocks, attributes_mask;
	struct lx_statx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t mnt_id;
	uint32_t dio_mem_align, dio_offset_align;
	uint64_t spare[12];
};
_Static_assert(sizeof(struct lx_statx) == 256, "statx layout");
#define LX_STATX_BASIC_STATS	0x7ffu
#define LX_STATX_BTIME		0x800u
#define LX_STATX_MNT_ID		0x1000u
#define LX_STATX__RESERVED	0x80000000u
#define LX_STATX_ATTR_MOUNT_ROOT 0x2000u

struct lx_statfs {
	int64_t type, bsize;
	uint64_t blocks, bfree, bavail, files, ffree;
	int32_t fsid[2];
	int64_t namelen, frsize, flags, spare[4];
};
_Static_assert(sizeof(struct lx_statfs) == 120, "statfs layout");
#define LX_TMPFS_MAGIC	0x01021994
#define LX_PROC_MAGIC	0x9fa0
#define LX_PIPEFS_MAGIC	0x50495045
#define LX_DEVPTS_MAGIC	0x1cd1
#define LX_ANON_MAGIC	0x09041934
#define LX_ST_VALID	0x0020

struct lx_dirent64 {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
} __attribute__((packed));
struct lx_dirent {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	char name[];		/* the type is the record's last byte */
} __attribute__((packed));

struct lx_flock {
	int16_t type, whence;
	int32_t pad;
	int64_t start, len;
	int32_t pid, pad2;
};
_Static_assert(sizeof(struct lx_flock) == 32, "flock layout");
enum { LX_F_RDLCK, LX_F_WRLCK, LX_F_UNLCK };
enum {
	LX_F_DUPFD = 0,
	LX_F_GETFD,
	LX_F_SETFD,
	LX_F_GETFL,
	LX_F_SETFL,
	LX_F_GETLK,
	LX_F_SETLK,
	LX_F_SETLKW,
	LX_F_SETOWN,
	LX_F_GETOWN,
	LX_F_SETSIG,
	LX_F_GETSIG,
	LX_F_SETOWN_EX = 15,
	LX_F_GETOWN_EX = 16,
	LX_F_OFD_GETLK = 36,
	LX_F_OFD_SETLK,
	LX_F_OFD_SETLKW,
	LX_F_SETLEASE = 1024,
	LX_F_GETLEASE,
	LX_F_NOTIFY,
	LX_F_DUPFD_CLOEXEC = 1030,
	LX_F_SETPIPE_SZ,
	LX_F_GETPIPE_SZ,
	LX_F_ADD_SEALS,
	LX_F_GET_SEALS
};
enum { LX_SEEK_SET, LX_SEEK_CUR, LX_SEEK_END, LX_SEEK_DATA, LX_SEEK_HOLE };

#define LX_LOCK_SH 1
#define LX_LOCK_EX 2
#define LX_LOCK_NB 4
#define LX_LOCK_UN 8

#define LX_RENAME_NOREPLACE	1
#define LX_RENAME_EXCHANGE	2
#define LX_RENAME_WHITEOUT	4

#define LX_FALLOC_KEEP_SIZE	1
#define LX_FALLOC_PUNCH_HOLE	2
#define LX_FALLOC_ZERO_RANGE	0x10

#define LX_MS_RDONLY	1ul
#define LX_MS_NOSUID	2ul
#define LX_MS_NODEV	4ul
#define LX_MS_NOEXEC	8ul
#define LX_MS_SYNCHRONOUS 16ul
#define LX_MS_REMOUNT	32ul
#define LX_MS_NOSYMFOLLOW 256ul
#define LX_MS_NOATIME	1024ul
#define LX_MS_NODIRATIME 2048ul
#define LX_MS_BIND	4096ul
#define LX_MS_MOVE	8192ul
#define LX_MS_REC	16384ul
#define LX_MS_SILENT	32768ul
#define LX_MS_UNBINDABLE (1ul << 17)
#define LX_MS_PRIVATE	(1ul << 18)
#define LX_MS_SLAVE	(1ul << 19)
#define LX_MS_SHARED	(1ul << 20)
#define LX_MS_RELATIME	(1ul << 21)
#define LX_MS_STRICTATIME (1ul << 24)
#define LX_MNT_FORCE	1
#define LX_MNT_DETACH	2
#define LX_MNT_EXPIRE	4
#define LX_UMOUNT_NOFOLLOW 8

#define LX_FIONREAD	0x541bu
#define LX_FIOASYNC	0x5452u
#define LX_FIOQSIZE	0x5460u

#define LX_MFD_CLOEXEC		1u
#define LX_MFD_ALLOW_SEALING	2u
#define LX_MFD_HUGETLB		4u
#define LX_MFD_NOEXEC_SEAL	8u
#define LX_MFD_EXEC		16u

#define LX_SIGPIPE 13
#define LX_SIGXFSZ 25

/* device numbers, as st_rdev has them (small ones: major << 8 | minor) */
#define LX_DEV(major, minor)                                                                       \
	((uint32_t)((minor)&0xff) | (uint32_t)(major) << 8 | ((uint32_t)(minor) & ~0xffu) << 12)
#define LX_MAJOR(dev) ((uint32_t)(dev) >> 8 & 0xfff)
#define LX_MINOR(dev) (((uint32_t)(dev) & 0xff) | ((uint32_t)(dev) >> 12 & 0xfff00))

#endif
