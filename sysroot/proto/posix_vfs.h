/* SPDX-License-Identifier: MIT */
/*
 * What the process server ("posix", home 0) and the VFS ("vfs", home 1) say to each other.
 *
 * They never wait for each other: each message is a *caller* who is passed on (k_caller_forward),
 * with a number below, six arguments, at most two handles and a scratch area. Numbers are private:
 * no program can send them. Both sides may be restarted at any moment; a passed call is then
 * delivered again, so nothing here leaves state on the other side except through handles that move.
 *
 * Each server holds a handle with the CALL right to the other's endpoint, by the names "vfs" and
 * "posix".
 */
#ifndef TROUPE_PROTO_POSIX_VFS_H
#define TROUPE_PROTO_POSIX_VFS_H

#include <stdint.h>

enum proto_ps_number {
	/*
	 * Fail the caller: arg0 = errno, arg1 = signal for the calling thread (SIGPIPE, SIGXFSZ) or
	 * 0. arg2 = what the call had done: its result if not 0 (a pipe that breaks in the middle
	 * of a write gives both the count and the signal).
	 */
	PROTO_PS_FAIL = 4096,
	/*
	 * execve, execveat: the file is found and may be executed. arg0 = argv, arg1 = envp
	 * (caller's), arg2 = execveat flags. handle[0] = read-only description of the file (STREAM
	 * plane). Scratch = struct proto_exec.
	 */
	PROTO_PS_EXEC,
	/*
	 * open of a terminal: arg0 = enum proto_tty, arg1 = open flags, arg2 = device number
	 * (Linux's encoding of st_rdev), arg3 = node; of PROTO_TTY_PTMX also arg4 = device number
	 * of the new slave, which is chosen already: its node goes when the description below
	 * closes. handle[0] = a description of the VFS that pins the node: keep it as long as the
	 * terminal description that you install lives, then close it. Access is checked already.
	 * Answer by installing the new descriptor (O_CLOEXEC is in arg1).
	 */
	PROTO_PS_TTY_OPEN,
	/*
	 * open of /dev/random (arg0 = 0) or /dev/urandom (arg0 = 1); otherwise as
	 * PROTO_PS_TTY_OPEN.
	 */
	PROTO_PS_RANDOM_OPEN,
	/*
	 * open of a /proc file whose contents the process server makes: arg0 = enum proto_proc,
	 * arg1 = pid (0: no process), arg2 = tid, arg3 = open flags, arg4 = the VFS's own word.
	 * Make a memory object with the text as it is now and forward the caller back with
	 * PROTO_VFS_PROC_OPENED. Write-only opens need no text (an empty object).
	 */
	PROTO_PS_PROC_OPEN,
	/*
	 * lseek on such a file: arg0..2 as above, handle[0] = the memory object: write the text as
	 * it is now into it (resize it), then let the kernel finish: forward the caller with
	 * K_FORWARD_KERNEL | K_FORWARD_ARGS, number lseek, args arg3, arg4, arg5.
	 */
	PROTO_PS_PROC_REFRESH,
	/*
	 * write to such a file: arg0..2 as above, arg3 = caller's buffer, arg4 = size, arg5 =
	 * offset. Answer with the count or an errno.
	 */
	PROTO_PS_PROC_WRITE,
	/*
	 * A magic link of a process (/proc/PID/exe, cwd, root, fd/N) is met on a path. Scratch =
	 * struct proto_link with pid, tid, what, fd. Find which of the VFS's descriptions it is
	 * (k_task_handles; for a description of your own, the node that came with it), set cookie
	 * or error, and forward the caller back with PROTO_VFS_PROC_LINKED and the same scratch.
	 * Check that the caller may look (ptrace access).
	 */
	PROTO_PS_PROC_LINK,
	/*
	 * getdents on /proc/PID/fd or fdinfo: arg0 = pid, arg1 = first descriptor number wanted.
	 * Forward back with PROTO_VFS_PROC_FDS and scratch = struct proto_fds (sorted); all other
	 * arguments as they came.
	 */
	PROTO_PS_PROC_FDS,
	/* The reply to PROTO_VFS_NAMES. All arguments as they came. */
	PROTO_PS_NAMED,
};

enum proto_vfs_number {
	/*
	 * An interpreter is wanted (from PROTO_PS_EXEC): args as there, scratch = struct proto_exec
	 * with kind 1 or 2 and path set. The VFS resolves the path as the caller would and forwards
	 * again with PROTO_PS_EXEC, or answers the caller with the error.
	 */
	PROTO_VFS_EXEC_OPEN = 4096 + 64,
	/*
	 * arg0..4 as in PROTO_PS_PROC_OPEN, arg5 = 0 or a negative errno (no handle then);
	 * handle[0] = memory object (read, write).
	 */
	PROTO_VFS_PROC_OPENED,
	PROTO_VFS_PROC_LINKED,
	PROTO_VFS_PROC_FDS,
	/*
	 * The VFS forwarded a call on a descriptor that is not its own (fstat, newfstatat and statx
	 * with AT_EMPTY_PATH, fchmod, fchown, utimensat, fstatfs, flock, ... unchanged, with its
	 * Linux number). If the descriptor is yours and has a node, forward the caller back with
	 * this and scratch = struct proto_node: the VFS carries the call out on the node. Without a
	 * node: node = 0 (an anonymous inode).
	 */
	PROTO_VFS_NODE,
	/*
	 * The paths of descriptions, for /proc/PID/maps: scratch = struct proto_names with cookies
	 * of the VFS's descriptions. Forwarded back with PROTO_PS_NAMED and the same record,
	 * followed by `count` NUL-terminated paths (empty: unknown). count may come back smaller:
	 * ask again for the rest.
	 */
	PROTO_VFS_NAMES,
	/*
	 * TIOCGPTPEER: arg0 = device number of a slave, arg1 = open flags. Goes on as
	 * PROTO_PS_TTY_OPEN of the slave's node.
	 */
	PROTO_VFS_PTS_PEER,
};

/*
 * Linux calls that the VFS may forward unchanged when the descriptor in arg[0] is foreign: the
 * process server gives all to one handler.
 */
#define PROTO_NODE_NUMBERS                                                                         \
	5 /* fstat */, 262 /* newfstatat */, 332 /* statx */, 91 /* fchmod */, 93 /* fchown */,    \
		260 /* fchownat */, 280 /* utimensat */, 138 /* fstatfs */, 73 /* flock */,        \
		72 /* fcntl */, 74 /* fsync */, 75 /* fdatasync */, 77 /* ftruncate */,            \
		81 /* fchdir */, 217 /* getdents64 */, 306 /* syncfs */, 285 /* fallocate */

enum proto_exec_kind { PROTO_EXEC_FIRST, PROTO_EXEC_SCRIPT, PROTO_EXEC_ELF };

#define PROTO_EXEC_NOSUID	0x1u	/* the mount ignores set-id bits */
#define PROTO_EXEC_NOREAD	0x2u	/* the caller may not read the file: not dumpable */
/* Path is /dev/fd/N of a descriptor that closes on exec: scripts give ENOENT */
#define PROTO_EXEC_FD_CLOEXEC	0x4u

struct proto_exec {
	uint32_t kind;			/* enum proto_exec_kind */
	uint32_t mode, uid, gid;	/* of the file */
	uint32_t flags;			/* PROTO_EXEC_* */
	uint32_t path_size;		/* with its NUL */
	/* of the description: what /proc/PID/exe is answered with */
	uint64_t cookie;
	uint64_t device, inode, size;
	char path[4096];		/* as given (or /dev/fd/N); scratch ends after its NUL */
};

enum proto_tty {
	PROTO_TTY_CURRENT /* /dev/tty */,
	PROTO_TTY_CONSOLE,
	PROTO_TTY_SERIAL /* /dev/ttyS0 */,
	PROTO_TTY_PTMX,
	PROTO_TTY_PTS /* number in the minor */
};

/* Files in /proc whose text the process server makes. */
enum proto_proc {
	PROTO_PROC_NONE,
	/* of a process (pid), and in task/TID of a thread (tid) */
	PROTO_PROC_STAT,
	PROTO_PROC_STATUS,
	PROTO_PROC_STATM,
	PROTO_PROC_CMDLINE,
	PROTO_PROC_ENVIRON,
	PROTO_PROC_MAPS,
	PROTO_PROC_SMAPS,
	PROTO_PROC_SMAPS_ROLLUP,
	PROTO_PROC_COMM /* writable */,
	PROTO_PROC_LIMITS,
	PROTO_PROC_IO,
	PROTO_PROC_WCHAN,
	PROTO_PROC_OOM_SCORE,
	PROTO_PROC_OOM_SCORE_ADJ /* writable */,
	PROTO_PROC_CGROUP,
	PROTO_PROC_AUXV,
	PROTO_PROC_FDINFO /* tid = descriptor */,
	PROTO_PROC_LOGINUID,
	PROTO_PROC_SESSIONID,
	PROTO_PROC_PERSONALITY,
	PROTO_PROC_SCHEDSTAT,
	PROTO_PROC_SYSCALL,
	/* of the system */
	PROTO_PROC_SYS_STAT = 64,
	PROTO_PROC_MEMINFO,
	PROTO_PROC_UPTIME,
	PROTO_PROC_LOADAVG,
	PROTO_PROC_VERSION,
	PROTO_PROC_CPUINFO,
	PROTO_PROC_CMDLINE_KERNEL,
	PROTO_PROC_PARTITIONS,
	PROTO_PROC_DEVICES,
	PROTO_PROC_INTERRUPTS,
	PROTO_PROC_SWAPS,
	PROTO_PROC_VMSTAT,
	PROTO_PROC_DISKSTATS,
	PROTO_PROC_MISC,
	PROTO_PROC_MODULES,
	/* sys/kernel, sys/vm, sys/fs */
	PROTO_PROC_HOSTNAME = 96 /* writable */,
	PROTO_PROC_DOMAINNAME /* writable */,
	PROTO_PROC_OSTYPE,
	PROTO_PROC_OSRELEASE,
	PROTO_PROC_SYS_VERSION,
	PROTO_PROC_PID_MAX,
	PROTO_PROC_THREADS_MAX,
	PROTO_PROC_RANDOM_UUID,
	PROTO_PROC_RANDOM_BOOT_ID,
	PROTO_PROC_RANDOM_ENTROPY,
	PROTO_PROC_RANDOM_POOLSIZE,
	PROTO_PROC_NGROUPS_MAX,
	PROTO_PROC_CAP_LAST_CAP,
	PROTO_PROC_PRINTK,
	PROTO_PROC_CORE_PATTERN,
	PROTO_PROC_OVERCOMMIT,
	PROTO_PROC_MAX_MAP_COUNT,
	PROTO_PROC_SWAPPINESS,
	PROTO_PROC_FILE_MAX,
	PROTO_PROC_NR_OPEN,
	PROTO_PROC_PIPE_MAX_SIZE,
	PROTO_PROC_SOMAXCONN,
	PROTO_PROC_TROUPE_RESTART /* write-only: a server's name */,
	PROTO_PROC_TROUPE_OBJECTS /* what lives in kernel and servers; scratch = struct
				     proto_vfs_counts */
	,
	PROTO_PROC_TROUPE_SERVERS,
	PROTO_PROC_END,
	/* net: the network server makes these, by the same messages ("network" in the VFS) */
	PROTO_PROC_NET = 160,
	PROTO_PROC_NET_DEV = PROTO_PROC_NET,
	PROTO_PROC_NET_ROUTE,
	PROTO_PROC_NET_ARP,
	PROTO_PROC_NET_TCP,
	PROTO_PROC_NET_TCP6,
	PROTO_PROC_NET_UDP,
	PROTO_PROC_NET_UDP6,
	PROTO_PROC_NET_RAW,
	PROTO_PROC_NET_RAW6,
	PROTO_PROC_NET_IF_INET6,
	PROTO_PROC_NET_IPV6_ROUTE,
	PROTO_PROC_NET_SOCKSTAT,
	PROTO_PROC_NET_SNMP,
	PROTO_PROC_NET_PNP,
	PROTO_PROC_NET_END
};

/* What lives in the VFS, for /proc/troupe/objects: sent along when its text is wanted. */
struct proto_vfs_counts {
	uint64_t nodes, names, files, locks, parked;
};

/* A call that goes back to the VFS to be carried out on a node. */
struct proto_node {
	uint64_t node;		/* as given with the open; 0: anonymous */
	/* the call's Linux number and arguments, as the VFS forwarded them */
	int32_t number;
	/* of an anonymous one: S_IFSOCK | 0777 and the like; 0: an inode of anon_inodefs */
	uint32_t mode;
	uint64_t inode;		/* of an anonymous one */
	uint64_t arg[6];
};

enum proto_link_kind { PROTO_LINK_EXE = 1, PROTO_LINK_CWD, PROTO_LINK_ROOT, PROTO_LINK_FD };

struct proto_link {
	/* the question */
	uint32_t pid, tid;
	uint32_t kind;		/* enum proto_link_kind */
	uint32_t fd;		/* PROTO_LINK_FD */
	/* the process server's reply */
	int32_t error;		/* 0 or a negative errno */
	uint32_t pad;
	/* of a VFS description; 0: something without a path, named by text */
	uint64_t cookie;
	char text[64];		/* "socket:[12]", "anon_inode:[eventpoll]" */
	/* the VFS's own: what it was about to do (its layout is vfs/core/link.c's) */
	uint64_t own[96];
};

#define PROTO_NAMES 64
struct proto_names {
	uint64_t own[8];	/* the process server's, echoed */
	uint32_t count, pad;
	uint64_t cookie[PROTO_NAMES];
	/* in the reply: char text[] */
};

#define PROTO_FDS 1024
struct proto_fds {
	int32_t error;
	uint32_t count;
	uint64_t own[8];	/* the VFS's, echoed */
	uint32_t fd[PROTO_FDS];	/* scratch ends after fd[count - 1] */
};

#endif
