/* SPDX-License-Identifier: MIT */
/*
 * The request functions, one per number of table.c, and what the in_*.c files need of each other.
 */
#ifndef VFS_CORE_IN_H
#define VFS_CORE_IN_H

#include "request.h"

/* REQUEST(number, name, again): the list of table.c. `again`: see struct request_entry. */
#define REQUESTS(X) \
	X(0, read, 0) X(1, write, 0) X(2, open, 1) X(3, close, 1) X(4, stat, 1) \
	X(5, fstat, 1) X(6, lstat, 1) X(8, lseek, 1) X(16, ioctl, 1) X(21, access, 1) \
	X(22, pipe, 1) X(33, dup2, 1) X(40, sendfile, 1) X(41, socket, 1) X(42, connect, 0) \
	X(43, accept, 1) X(44, sendto, 0) X(45, recvfrom, 0) X(46, sendmsg, 0) \
	X(47, recvmsg, 0) X(48, shutdown, 0) X(49, bind, 0) X(50, listen, 0) \
	X(51, getsockname, 1) X(52, getpeername, 1) X(53, socketpair, 1) \
	X(54, setsockopt, 0) X(55, getsockopt, 0) X(288, accept4, 1) X(299, recvmmsg, 0) \
	X(307, sendmmsg, 0) X(59, execve, 1) X(72, fcntl, 0) X(73, flock, 0) X(74, fsync, 1) \
	X(76, truncate, 0) X(77, ftruncate, 0) X(78, getdents, 1) X(79, getcwd, 1) \
	X(80, chdir, 1) X(81, fchdir, 1) X(82, rename, 0) X(83, mkdir, 0) X(84, rmdir, 0) \
	X(85, creat, 1) X(86, link, 0) X(87, unlink, 0) X(88, symlink, 0) X(89, readlink, 1) \
	X(90, chmod, 0) X(91, fchmod, 0) X(92, chown, 0) X(93, fchown, 0) X(94, lchown, 0) \
	X(132, utime, 0) X(133, mknod, 0) X(137, statfs, 1) X(138, fstatfs, 1) \
	X(161, chroot, 1) X(162, sync, 1) X(165, mount, 0) X(166, umount2, 0) \
	X(187, readahead, 1) X(217, getdents64, 1) X(221, fadvise64, 1) X(235, utimes, 0) \
	X(257, openat, 1) X(258, mkdirat, 0) X(259, mknodat, 0) X(260, fchownat, 0) \
	X(261, futimesat, 0) X(262, newfstatat, 1) X(263, unlinkat, 0) X(264, renameat, 0) \
	X(265, linkat, 0) X(266, symlinkat, 0) X(267, readlinkat, 1) X(268, fchmodat, 0) \
	X(269, faccessat, 1) X(277, sync_file_range, 1) X(280, utimensat, 0) \
	X(285, fallocate, 0) X(293, pipe2, 1) X(306, syncfs, 1) X(316, renameat2, 0) \
	X(319, memfd_create, 1) X(322, execveat, 1) X(326, copy_file_range, 1) \
	X(332, statx, 1) X(436, close_range, 1) X(437, openat2, 1) X(439, faccessat2, 1) \
	X(452, fchmodat2, 0) X(213, epoll_create, 1) X(291, epoll_create1, 1) \
	X(284, eventfd, 1) X(290, eventfd2, 1)

#define X(number, name, again) int64_t in_##name(struct request *r);
REQUESTS(X)
#undef X

int64_t in_setxattr(struct request *r);		/* set, get, remove by path */
int64_t in_fsetxattr(struct request *r);	/* the same by descriptor */
int64_t in_listxattr(struct request *r);
int64_t in_flistxattr(struct request *r);
int64_t in_linked(struct request *r);
int64_t in_node(struct request *r);
int64_t in_names(struct request *r);
int64_t in_proc_fds(struct request *r);
int64_t in_proc_opened(struct request *r);
int64_t in_exec_open(struct request *r);
int64_t in_pts_peer(struct request *r);	/* fs/devpts */

/* fs/eventfd */
int64_t event_read(struct request *r, struct file *f);
int64_t event_write(struct request *r, struct file *f);
/* in_dir.c */
int64_t dir_seek(struct file *f, int64_t offset, int whence);
/* in_lock.c */
int64_t lock_fcntl(struct request *r, struct file *f, int command);
void lock_file_closed(struct file *f);	/* before file_close */
void lock_table_gone(const struct k_message *m);
/* in_mount.c */
/*
 * The text of /proc/mounts (kind PROC_MOUNTS) or mountinfo as the caller sees it; malloc'ed, the
 * size in *size.
 */
char *mount_text(struct request *r, bool info, size_t *size);

#endif
