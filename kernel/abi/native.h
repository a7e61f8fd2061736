/* SPDX-License-Identifier: MIT */
/*
 * Native calls: the kernel as servers see it. Every call returns 0 or a value >= 0, or a negative
 * errno.
 *
 * A handle is a small non-negative int that names an object in the task's handle table, with
 * rights. Sizes are bytes, times are nanoseconds, deadlines are absolute CLOCK_MONOTONIC
 * (K_FOREVER: none). Errors that any call may give: EBADF (no such handle), EBADTYPE is not used: a
 * handle of another type gives EINVAL; EPERM (right missing), EFAULT (bad pointer), ENOMEM (account
 * or machine is out of memory).
 */
#ifndef TROUPE_ABI_NATIVE_H
#define TROUPE_ABI_NATIVE_H

#include <stddef.h>
#include <stdint.h>
#include "message.h"

#define K_NATIVE_BASE 1024

enum k_native {
	K_NATIVE_FIRST = K_NATIVE_BASE - 1,
#define X(name, args) K_NATIVE_##name,
#include "native.def"
#undef X
	K_NATIVE_END
};

#define K_FOREVER INT64_MAX

/* --- rights, per handle ------------------------------------------------------------------- */
#define K_RIGHT_DUPLICATE	0x0001u	/* duplicate, give away */
/* Mobject: read, map readable. pipe: read. task, thread, account: info */
#define K_RIGHT_READ		0x0002u
/* Mobject: write, resize, map writable. pipe: write. task, thread: set */
#define K_RIGHT_WRITE		0x0004u
#define K_RIGHT_EXECUTE		0x0008u	/* mobject: map executable */
/* Endpoint: receive, answer, make badges and descriptions */
#define K_RIGHT_RECEIVE		0x0010u
/* Endpoint: k_call, be a forward's destination, be a route's home */
#define K_RIGHT_CALL		0x0020u
/* Endpoint: k_caller_read, _write, _futex_wake, answer copies */
#define K_RIGHT_CALLER_MEMORY	0x0040u
#define K_RIGHT_CALLER_INSTALL	0x0080u	/* endpoint: answer installs */
#define K_RIGHT_CALLER_TAKE	0x0100u	/* endpoint: k_caller_take of any description */
/* Endpoint: registers, FPU state, EXIT, exec and fork of callers */
#define K_RIGHT_CALLER_REGS	0x0200u
/* Task, thread: start, kill, event. pipe: hold, bind, arm. control: everything */
#define K_RIGHT_MANAGE		0x0400u
#define K_RIGHTS_ALL		0x0fffu

enum k_object_type {
	K_OBJECT_NONE,
	K_OBJECT_SPACE,
	K_OBJECT_TABLE,
	K_OBJECT_FSCTX,
	K_OBJECT_ACCOUNT,
	K_OBJECT_TASK,
	K_OBJECT_THREAD,
	K_OBJECT_MOBJECT,
	K_OBJECT_ENDPOINT,
	K_OBJECT_DESCRIPTION,
	K_OBJECT_PIPE,
	K_OBJECT_SOURCE,
	K_OBJECT_NOTIFICATION,
	K_OBJECT_IRQ,
	K_OBJECT_IOPORT,
	K_OBJECT_ROUTES,
	K_OBJECT_CONTROL,
	K_OBJECT_TYPES
};

struct k_handle_info {
	uint32_t type;		/* enum k_object_type */
	uint32_t rights;
	uint64_t id;		/* never reused */
	uint32_t references;
	uint32_t badge;
};

/* --- system ------------------------------------------------------------------------------- */
struct k_system_info {
	uint64_t memory_total, memory_free;	/* bytes of RAM the kernel manages; free */
	uint64_t memory_reclaimable;		/* clean page cache */
	uint64_t uptime, idle;			/* ns; idle summed over CPUs */
	uint64_t context_switches;
	uint64_t calls, shortcuts;		/* messages delivered; shortcuts completed */
	uint32_t cpus, runnable;
	uint64_t objects[K_OBJECT_TYPES];	/* live objects by type */
	uint64_t tsc_hz;
	uint64_t realtime_offset;		/* CLOCK_REALTIME - CLOCK_MONOTONIC */
	/* entropy (RDRAND, seed= of the boot command line); zero: none */
	uint64_t seed[4];
	char command_line[1024];
	uint64_t frames_table, frames_kernel;	/* frames in page tables; in kernel objects */
	uint64_t shortcuts_off;			/* booted with shortcuts=off */
	/* integral of runnable+running threads over time, for load averages */
	uint64_t load_runnable_ns;
	/* bytes of the vDSO object (data page first); offset in it of troupe_start */
	uint64_t vdso_size, vdso_start;
	char cpu_model[64], cpu_vendor[16];
	uint64_t frames_servers;		/* frames that servers pay for */
	/* handles in all tables; live allocations of kernel memory */
	uint64_t handles, heap_blocks;
};

enum k_power {
	K_POWER_OFF = 1,
	K_POWER_REBOOT,
	K_POWER_HALT,
	K_POWER_EXIT_CODE /* + 256 * code: isa-debug-exit */
};

/* --- descriptions ------------------------------------------------------------------------- */
enum k_plane {
	K_PLANE_NONE,		/* every read and write goes to the server */
	K_PLANE_STREAM,		/* object: mobject */
	/* object: pipe (FIFO opened O_RDWR: BOTH) */
	K_PLANE_PIPE_READ, K_PLANE_PIPE_WRITE, K_PLANE_PIPE_BOTH,
	K_PLANE_SOCKET,		/* object: pipe to read, object2: pipe to write */
	K_PLANE_NULL, K_PLANE_ZERO, K_PLANE_FULL,
	K_PLANE_WAITSET		/* epoll */
};

/* description decline mask: the shortcut declines, the server decides */
#define K_DECLINE_READ		0x1u
#define K_DECLINE_WRITE		0x2u
#define K_DECLINE_SEEK		0x4u
#define K_DECLINE_MAP		0x8u
#define K_DECLINE_CLOSE		0x10u

/* Wake an idle server at once when it closes (terminals, FIFOs) */
#define K_DESCRIPTION_EAGER	0x1u
#define K_DESCRIPTION_QUIET	0x2u	/* no close notice */
#define K_DESCRIPTION_PATH	0x4u	/* O_PATH: data calls give EBADF */
#define K_DESCRIPTION_NOSEEK	0x8u	/* lseek, pread give ESPIPE */
#define K_DESCRIPTION_DIRECTORY	0x10u	/* data calls give EISDIR */

struct k_description {
	uint64_t cookie;
	/* O_ACCMODE | O_APPEND | O_NONBLOCK | O_DIRECT ... as F_GETFL gives them */
	uint32_t status;
	uint32_t plane;		/* enum k_plane */
	/* handles, -1: none; the description takes references, the handles stay */
	int32_t object, object2;
	int32_t source;		/* readiness; -1: none (plane's own, or always ready) */
	uint32_t decline;	/* K_DECLINE_* */
	uint32_t flags;		/* K_DESCRIPTION_* */
	uint32_t pad;
	uint64_t offset;
};

struct k_caller_cookie {
	uint64_t cookie;
	uint64_t id;		/* of the description, never reused (flock owner) */
	uint32_t status, plane;
	uint64_t offset;
	uint32_t own;		/* 1 if served by the asking endpoint; else cookie is 0 */
	uint32_t flags;
};

/*
 * Sources. Readiness bits are poll's: POLLIN 1, POLLPRI 2, POLLOUT 4, POLLERR 8, POLLHUP 0x10,
 * POLLRDHUP 0x2000.
 *
 * More bits in k_source_set's `set` and `clear` switch a direction of K_PLANE_SOCKET descriptions
 * with this source from their pipe to their server, and back; other planes ignore them, and poll
 * never shows them. While a direction is declined its calls (read, recvfrom and kin; write, sendto
 * and kin, sendfile) go to the server as K_MSGF_DECLINED, and only the source's own bits say
 * whether it is ready: the pipe counts neither for POLLIN, POLLRDHUP nor for POLLOUT, but for
 * POLLHUP. K_SOURCE_CALLS_* send the calls to the server and leave the readiness to the pipe
 * (timeouts, something in the stream that is not bytes). POLLERR in the source does the same for
 * both directions (a pending error). K_SOURCE_CALLS_CLOSE sends close, dup2, dup3 and close_range
 * of a descriptor to the server, as K_DECLINE_CLOSE does (SO_LINGER).
 *
 * When one of these bits comes, threads that are blocked in the pipe run again and decline (with
 * what they had moved as their result, if that is something); when a DECLINE bit goes, whoever
 * polls looks again. A server that forwards a call that has declined (K_FORWARD_KERNEL) has it run
 * on the pipe all the same.
 */
#define K_SOURCE_DECLINE_READ	0x10000u
#define K_SOURCE_DECLINE_WRITE	0x20000u
#define K_SOURCE_CALLS_READ	0x40000u
#define K_SOURCE_CALLS_WRITE	0x80000u
#define K_SOURCE_CALLS_CLOSE	0x100000u

/* --- pipes from a server's side ----------------------------------------------------------- */
/*
 * A server that made a pipe may be one of its ends, without a description: it holds an end
 * (k_pipe_hold), moves bytes with k_pipe_read and k_pipe_write, and is told by K_MSG_PIPE when
 * there is something to do (k_pipe_bind, k_pipe_arm).
 */
/*
 * k_pipe_hold: ends that count as one more description does. They belong to the pipe, not to the
 * handle, and stay when the server dies.
 */
/* While there is any reader, writers do not get EPIPE, and data stays when all descriptions go */
#define K_PIPE_READER	1u
#define K_PIPE_WRITER	2u	/* while there is any writer, readers do not get end of file */

/* k_pipe_read flags */
/* What is read stays; reading begins `skip` bytes after the first */
#define K_PIPE_PEEK	1u
/* `skip` is the position (k_pipe_info.taken) of the first byte; if another is first now: EAGAIN */
#define K_PIPE_AT	2u

/* k_pipe_arm events, and K_MSG_PIPE's extra[0] */
#define K_PIPE_DATA		1u	/* there is something to read */
#define K_PIPE_ROOM		2u	/* at least half of the capacity is free */
/* No description reads it, and nobody holds K_PIPE_READER */
#define K_PIPE_NO_READERS	4u
#define K_PIPE_NO_WRITERS	8u

struct k_pipe_info {
	uint64_t bytes;			/* to be read */
	/*
	 * that could be written at once: a page that is not read to its end is not free yet, so
	 * less than capacity - bytes
	 */
	uint64_t room;
	uint64_t capacity;
	uint32_t readers, writers;	/* descriptions and held ends */
	/* bytes that ever went in, out (of a pipe of packets: nothing to go by) */
	uint64_t put, taken;
};

/* --- memory ------------------------------------------------------------------------------- */
/*
 * Wherever a memory object is wanted, the handle of a description with a stream plane will do as
 * well.
 */
/* Pages are allocated at creation and stay (server memory, DMA) */
#define K_MOBJECT_WIRED		0x1u
#define K_MOBJECT_CONTIGUOUS	0x2u	/* with WIRED: physically contiguous */

struct k_mobject_info {
	uint64_t size, resident;	/* bytes; pages present */
	/* ns CLOCK_REALTIME of the last write, read through the data plane; 0: none */
	uint64_t mtime, atime;
	uint64_t physical;		/* first frame of a CONTIGUOUS or physical object */
	uint64_t dirty;			/* pages */
	uint64_t mappings;		/* regions that map it */
};

enum k_mobject_set {
	/* write may extend up to here; beyond: the shortcut declines (default: no limit) */
	K_MOBJECT_SET_GROW_LIMIT = 1,
	K_MOBJECT_SET_DECLINE,		/* K_DECLINE_* for all its descriptions */
	K_MOBJECT_SET_ACCOUNT,		/* handle of the account that pays for its pages */
	K_MOBJECT_SET_TIMES		/* forget stamps (1: mtime, 2: atime, 3 both) */
};

#define K_SUPPLY_WRITABLE	0x1u
/* The range failed: faulting threads get SIGBUS, readers EIO */
#define K_SUPPLY_ERROR		0x2u

/* space_map flags */
#define K_MAP_READ	0x1u
#define K_MAP_WRITE	0x2u
#define K_MAP_EXECUTE	0x4u
#define K_MAP_PRIVATE	0x8u	/* copy on write */
#define K_MAP_FIXED	0x10u	/* exactly at `address`, replacing what is there */
#define K_MAP_GROWSDOWN	0x20u
#define K_MAP_UNCACHED	0x40u
#define K_MAP_STACK	0x80u
#define K_MAP_NORESERVE	0x200u	/* may be larger than memory */
#define K_MAP_HEAP	0x100u	/* the initial (empty or bss) break region; brk starts at its end */

struct k_map {
	uint64_t address;	/* in: wanted or 0; out: where */
	uint64_t size;		/* bytes, rounded up to pages */
	uint64_t offset;	/* into the object, page aligned */
	int32_t space;		/* handle; -1: the caller's own */
	/* mobject or description handle (description: shown in regions); -1: anonymous */
	int32_t object;
	uint32_t flags;
	uint32_t pad;
};

/* --- tasks and threads -------------------------------------------------------------------- */
struct k_account_limits {	/* 0: no limit */
	uint64_t frames, handles, threads;
};
struct k_account_info {
	uint64_t frames, handles, threads;
	struct k_account_limits limit;
};

struct k_task_create {
	int32_t account;	/* handle; -1: the creator's */
	int32_t notify;		/* endpoint (RECEIVE) told by K_MSG_TASK_GONE; -1: nobody */
	uint32_t cookie;	/* pid in messages */
	int32_t space;		/* handle to share; -1: new */
	/* handle of a task whose handle table is shared (server restart); -1: new */
	int32_t table;
	/* K_TASK_SERVER: its memory is never reclaimed for others, may use the reserve */
	uint32_t flags;
	char name[16];
};
#define K_TASK_SERVER 0x1u

#define K_FORK_SPACE	0x1u	/* share (CLONE_VM), else copy-on-write copy */
#define K_FORK_TABLE	0x2u	/* share (CLONE_FILES), else copy */
#define K_FORK_FS	0x4u	/* share (CLONE_FS), else copy */
#define K_FORK_THREAD	0x8u	/* a new thread in the caller's task; the three above are implied */

struct k_fork {
	uint32_t flags;
	int32_t account;	/* -1: the caller's */
	int32_t notify;		/* endpoint for K_MSG_TASK_GONE; -1: the caller's task's */
	uint32_t tid, pid;	/* cookies of the child */
	uint32_t set;		/* bit 0: rsp below is used, bit 1: fs_base below is used */
	uint64_t rsp, fs_base;
	int32_t task, thread; /* out: handles (task -1 with K_FORK_THREAD). The thread is not
				 started; its registers are the caller's with result 0 */
};

struct k_thread_create {
	int32_t task, routes;	/* handles; routes -1: the creator's own */
	uint32_t tid;
	uint32_t priority;	/* K_PRIORITY_*; above the creator's own: EPERM */
	uint64_t cred;
	struct k_regs regs;
};
enum { K_PRIORITY_IDLE, K_PRIORITY_USER, K_PRIORITY_DRIVER, K_PRIORITY_SERVER, K_PRIORITIES };

enum k_thread_set {
	K_THREAD_SET_CRED = 1,
	K_THREAD_SET_NICE /* -20..19 */,
	K_THREAD_SET_AFFINITY /* mask */,
	K_THREAD_SET_ROUTES /* handle */,
	K_THREAD_SET_TID,
	K_THREAD_SET_SCHED /* 0 other, 1 fifo, 2 rr, 3 batch, 5 idle | priority << 8 */,
	K_THREAD_SET_NAME /* address of 16 bytes */,
	K_THREAD_SET_EVENT_CPU /* absolute CPU ns at which the thread gets an event, 0: none */,
	K_THREAD_SET_CONSTANT = 64 /* + enum k_constant */
};

/* constant answers (route shortcut K_OP_CONSTANT with this argument) */
enum k_constant {
	K_CONST_PID,
	K_CONST_TID,
	K_CONST_PPID,
	K_CONST_UID,
	K_CONST_EUID,
	K_CONST_GID,
	K_CONST_EGID,
	K_CONST_PGID,
	K_CONST_SID,
	K_CONSTANTS
};

enum k_thread_state {
	K_THREAD_NEW,
	K_THREAD_RUNNING,
	K_THREAD_READY,
	K_THREAD_CALL /* queued or held */,
	K_THREAD_BLOCKED,
	K_THREAD_DEAD
};

struct k_thread_info {
	uint64_t user_ns, system_ns;	/* CPU time of its own; of servers on its behalf */
	uint32_t state, number;		/* enum k_thread_state; system call it is in, or ~0 */
	uint32_t cpu, wait;		/* last CPU; what it blocks on (enum k_wait), 0 none */
	uint64_t holder;		/* id of the endpoint that holds its call */
	uint64_t voluntary, involuntary, minor_faults, major_faults;
	struct k_regs regs;
};
enum k_wait {
	K_WAIT_NONE,
	K_WAIT_PIPE,
	K_WAIT_FUTEX,
	K_WAIT_POLL,
	K_WAIT_SLEEP,
	K_WAIT_PAGE,
	K_WAIT_RECEIVE,
	K_WAIT_APPEND
};

enum k_task_set {
	K_TASK_SET_LIMIT_FSIZE = 1,
	K_TASK_SET_LIMIT_AS,
	K_TASK_SET_LIMIT_DATA,
	K_TASK_SET_LIMIT_STACK,
	K_TASK_SET_LIMIT_NOFILE,
	K_TASK_SET_LIMIT_MEMLOCK,
	K_TASK_SET_COOKIE,
	K_TASK_SET_NAME /* address of 16 bytes */
};

struct k_task_info {
	uint64_t virtual_size, resident, shared, text, data, stack;	/* bytes */
	uint64_t peak_resident;
	uint64_t space, table;			/* ids */
	uint64_t user_ns, system_ns;		/* live and dead threads */
	uint64_t minor_faults, major_faults, voluntary, involuntary;
	uint32_t threads, handles;
	uint64_t brk_start, brk;
};

struct k_region {		/* for /proc/PID/maps and debuggers */
	uint64_t start, end, offset;
	uint32_t flags;		/* K_MAP_* */
	uint32_t pad;
	uint64_t endpoint, cookie;	/* of the description it was mapped from; 0: none */
	uint64_t object;	/* id of the memory object */
	uint64_t resident, dirty;	/* pages */
};

struct k_exec {
	uint64_t call;
	int32_t space;		/* handle of the new space (moved) */
	uint32_t flags;
	struct k_regs regs;
	char name[16];
}; /*
    * Commit: the caller is the task's only thread (else EBUSY); its table becomes its own,
    * close-on-exec slots close, the registers are set. The call stays held, and its memory is the
    * new space's: answer it with K_ANSWER_REGS.
    */

/* An open descriptor of a task, for /proc/PID/fd. flags: K_INSTALL_CLOEXEC */
/* As `from`: the working directory alone; its fd reads so too */
#define K_TASK_HANDLE_CWD	0xfffffffeu
#define K_TASK_HANDLE_ROOT	0xffffffffu
struct k_task_handle {
	uint32_t fd, flags;
	uint64_t endpoint, cookie, offset;
	uint32_t status, plane;
};

/* k_call() */
struct k_private_call {
	int32_t endpoint;	/* handle with CALL */
	int32_t number;
	uint64_t arg[6];
	/* the server sees the pointers in arg[] as the caller's memory, as with any call */
};
/* --- routes ------------------------------------------------------------------------------- */
/* A route entry: where a system call goes. */
struct k_route {
	uint8_t destination;	/* K_TO_* */
	uint8_t shortcut;	/* enum k_op, tried first; K_OP_NONE */
	uint8_t flags;		/* K_ROUTE_* */
	uint8_t argument;	/* for the shortcut (which constant) */
};
enum {
	K_TO_NOWHERE /* ENOSYS, told to home 0 */,
	K_TO_HOME0,
	K_TO_HOME1,
	K_TO_HOME2,
	K_TO_HOME3,
	K_TO_DESCRIPTOR
};
#define K_ROUTE_FD	0x1u	/* resolve arg[0] (a descriptor) into cookie and fd_flags */
/* With FD: EBADF here and now if it is not open (the *at forms leave it out: AT_FDCWD) */
#define K_ROUTE_FD_ONLY	0x2u
/* May be held although it was cancelled (vfork): no K_MSG_OVERDUE */
#define K_ROUTE_PATIENT	0x4u
/* Routes_create flag space: numbers >= K_NATIVE_BASE reach the kernel */
#define K_ROUTES_NATIVE	0x1u
#define K_ROUTE_NUMBERS	512
#define K_HOMES 4		/* home 0 also gets faults, events and deaths */

enum k_op {
	K_OP_NONE,
#define X(name) K_OP_##name,
#include "ops.def"
#undef X
	K_OPS
};

/* --- what the kernel gives the first task: fixed handles ---------------------------------- */
enum { K_BOOT_TASK, K_BOOT_CONTROL, K_BOOT_ARCHIVE, K_BOOT_VDSO, K_BOOT_HANDLES };

/* --- interrupts, ports -------------------------------------------------------------------- */
#define K_IRQ_LEVEL	0x1u
#define K_IRQ_LOW	0x2u
#define K_IRQ_ISA	0x4u	/* the line is an ISA number; the firmware knows how it is wired */
/*
 * Alone: a message-signalled interrupt, the line is ignored. An edge: never masked, k_irq_ack does
 * nothing
 */
#define K_IRQ_MSI	0x8u

/*
 * What a device writes where to raise an interrupt made with K_IRQ_MSI: the first three words of
 * its MSI-X table entry.
 */
struct k_irq_message {
	uint64_t address;
	uint32_t data, pad;
};

#endif
