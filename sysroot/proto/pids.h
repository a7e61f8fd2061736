/* SPDX-License-Identifier: MIT */
/*
 * The list of processes and threads: a memory object that the process server writes and the VFS
 * maps read-only ("pids").
 *
 * Reading: take seq (even, else again), read, and take seq again: if it changed, read again.
 * Entries are in no order; pid 0 is a free slot. The object may grow; `slots` says how many entries
 * there are now.
 */
#ifndef TROUPE_PROTO_PIDS_H
#define TROUPE_PROTO_PIDS_H

#include <stdint.h>

#define PROTO_PIDS_MAGIC 0x50494453u
/* Numbers of threads and processes are below: what a server keeps for each may be a table */
#define PROTO_TID_END 32768u
#define PROTO_PIDS_MAX 32000u		/* entries at most: map PROTO_PIDS_SIZE bytes */

struct proto_pid {
	uint32_t pid;		/* of the thread; equal to tgid for a process's first. 0: free */
	uint32_t tgid, ppid;
	uint32_t uid, gid;	/* effective: owner of its /proc folder (0, 0 when not dumpable) */
	uint32_t threads;	/* of the process; in the first thread's entry */
	uint32_t state;		/* as in /proc/PID/stat: 'R', 'S', 'T', 'Z' */
	uint32_t pad;
	uint64_t start;		/* CLOCK_REALTIME, ns: time stamp of its /proc folder */
	uint64_t file_limit;	/* RLIMIT_FSIZE of the process; 0: none */
	char comm[16];
};

struct proto_pids {
	uint32_t magic;
	volatile uint32_t seq;
	volatile uint32_t slots;
	uint32_t pad[13];
	struct proto_pid entry[];
};

#define PROTO_PIDS_SIZE (sizeof(struct proto_pids) + PROTO_PIDS_MAX * sizeof(struct proto_pid))

_Static_assert(sizeof(struct proto_pid) == 64, "pid entry layout");

#endif
