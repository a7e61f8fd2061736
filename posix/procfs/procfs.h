/*
 * The contents of /proc. The nodes are the VFS's; a file that is opened is sent here
 *(PROTO_PS_PROC_OPEN), its text is made as it is at that moment, and goes back in a memory object.
 *
 *	procfs.c     the messages, who may look, links
 *	of_process.c files of processes and threads
 *	of_system.c  files of the system
 *	objects.c    what lives, for leak checks
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_PROCFS_H
#define POSIX_PROCFS_H

#include "posix/proc/process.h"
#include "text.h"

/* tid's thread is NULL for files of the process. 0 or a negative errno. */
/* Whose reading makes the text now: it runs, whatever it seems to do. */
extern struct thread *procfs_reader;
/* The number in the path: a process, or any thread. */
extern uint32_t procfs_asked;
/*
 * Paths of the files that a process maps, as the VFS told them for the text that is being made;
 * count 0: none are known.
 */
struct procfs_names {
	uint32_t count;
	uint64_t cookie[64];
	const char *path[64];
};
extern struct procfs_names procfs_names;
int procfs_process_text(struct text *x, int file, struct process *p, struct thread *t,
			uint32_t number);
int procfs_system_text(struct text *x, int file);
struct proto_vfs_counts;
int procfs_servers_text(struct text *x);
int procfs_objects_text(struct text *x, const struct proto_vfs_counts *vfs);
bool procfs_may_look(const struct thread *self, const struct process *p);

srv_handler ps_named, ps_proc_open, ps_proc_refresh, ps_proc_write, ps_proc_link, ps_proc_fds;

#endif
