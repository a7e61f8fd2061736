/* SPDX-License-Identifier: MIT */
/*
 * /proc: the nodes. All of them live in the VFS, so that "..", chdir and mounts work there as
 * everywhere; the text of most files is made by the process server, to which the opener is
 * forwarded (contents.c). The folders of the system lie in the state arena like tmpfs's; those of
 * processes are made when they are looked up, from the shared list of pids, and go when nothing
 * uses them.
 */
#ifndef VFS_FS_PROCFS_PROCFS_H
#define VFS_FS_PROCFS_PROCFS_H

#include "fs.h"
#include "pids.h"
#include "request.h"

/*
 * node.kind: enum proto_proc (text of the process server; from PROTO_PROC_NET on of the network
 * server), then:
 */
enum proc_kind {
	PROC_OWN = 192, /* text of our own */
	PROC_MOUNTS = PROC_OWN,
	PROC_MOUNTINFO,
	PROC_FILESYSTEMS,
	PROC_TTY_DRIVERS,
	PROC_DROP_CACHES,
	PROC_VFS_STATE,
	PROC_NET_UNIX,
	PROC_OWN_END,
	PROC_ROOT,
	PROC_FOLDER,
	PROC_SELF,
	PROC_THREAD_SELF,
	PROC_PID,
	PROC_TASK,
	PROC_TID,
	PROC_FD,
	PROC_FD_LINK,
	PROC_FDINFO,
	PROC_EXE,
	PROC_CWD,
	PROC_ROOT_LINK
};

/* The list of pids; -1: there is none. */
int proc_setup(int handle);
/* The entry of a thread, as it is now; false: there is none. */
bool proc_pid_find(uint32_t pid, struct proto_pid *out);

bool proc_is_fd_list(const struct node *n);
void proc_fd_dirent(const struct node *dir, uint32_t fd, char name[16], struct fs_dirent *d);
/*
 * The node of a file below /proc/PID or of the system again, by what identifies it. NULL: the
 * process is gone, or no memory.
 */
struct node *proc_node(struct filesystem *fs, uint32_t kind, uint32_t pid, uint32_t tid);

_Static_assert((int)PROTO_PROC_END <= (int)PROTO_PROC_NET &&
		       (int)PROTO_PROC_NET_END <= (int)PROC_OWN,
	       "kinds do not overlap");

/* contents.c */
int64_t proc_read(struct request *r, struct file *f);
int64_t proc_write(struct request *r, struct file *f);
int64_t proc_seek(struct request *r, struct file *f);

#endif
