/* SPDX-License-Identifier: MIT */
/*
 * Messages and answers: what a server receives, and how it lets a caller go on.
 *
 * A thread's system call that no kernel shortcut completed becomes one `struct k_message`,
 * delivered by receive() to the endpoint that the thread's route table names. From then on the
 * *call id* names the blocked caller: while the endpoint holds the call, whoever has that
 * endpoint's handle (with the right bits) may read and write the caller's memory, install handles,
 * forward it, and answer it, once. The kernel alone writes messages; the caller supplies nothing
 * but number and arguments.
 */
#ifndef TROUPE_ABI_MESSAGE_H
#define TROUPE_ABI_MESSAGE_H

#include <stdint.h>

enum k_message_kind {
	K_MSG_NONE,
	/* a routed system call: number, arg[], cookie of the descriptor in arg[0] */
	K_MSG_CALL,
	/* k_call() through a handle of this endpoint; cookie is the handle's badge */
	K_MSG_PRIVATE,
	/* the held call `call` should end; answer it soon. extra[0]: 1 if caller is dead */
	K_MSG_CANCEL,
	/* a thread visits before it returns to user mode (signals); see below */
	K_MSG_EVENT,
	/* a thread faulted: extra[0] = enum k_fault, extra[1] = address, extra[2] = error bits */
	K_MSG_FAULT,
	/* a kernel operation that was forwarded with K_FORWARD_HOOK ended: extra[0] = result */
	K_MSG_DONE,
	/* a killed thread's last visit: its memory may still be used; answer frees it */
	K_MSG_THREAD_DEAD,
	/* a task's last thread, space and table are gone; cookie = task cookie */
	K_MSG_TASK_GONE,
	K_MSG_NOTIFY, /* a notification: cookie = its badge, extra[0] = bits */
	/* cookie = object's, extra[0] = enum k_pager, extra[1] = offset, extra[2] = length */
	K_MSG_PAGER,
	K_MSG_TABLE_GONE, /* a handle table that was watched is gone: `table` */
	/* a fault could not be met for want of memory: free some (kill), then answer: it retries */
	K_MSG_MEMORY,
	K_MSG_CLOSED, /* nothing but the closed[] batch */
	/*
	 * what k_pipe_arm() asked for has come: cookie = k_pipe_bind()'s, extra[0] = all K_PIPE_*
	 * events that hold now
	 */
	K_MSG_PIPE,
	K_MSG_OVERDUE /* to home 0 of a server's thread: it has not answered a K_MSG_CANCEL for a
			 second. pid: the server's task cookie; call, number: the call; extra[0],
			 [1]: its caller's task and thread cookie */
};

/* k_message.flags */
/*
 * The kernel shortcut was tried and declined: extra[0] bytes done, extra[1] = positive errno or 0
 */
#define K_MSGF_DECLINED		0x1u
/* This call was delivered before (server restart or absent page) */
#define K_MSGF_REDELIVERED	0x2u
/* Route asked for the descriptor in arg[0]; it is not open */
#define K_MSGF_BADFD		0x4u
#define K_MSGF_FOREIGNFD	0x8u	/* ... it is open, but not a description of this endpoint */
/* The forwarder attached a scratch page: k_caller_scratch() */
#define K_MSGF_SCRATCH		0x10u
/* Came from another server by k_caller_forward(): number/args are the forwarder's */
#define K_MSGF_FORWARDED	0x20u
/* EVENT: the thread comes from system call `number` with extra[0] = its result */
#define K_MSGF_IN_SYSCALL	0x40u

#define K_CLOSED_BATCH 8

struct k_message {
	uint32_t kind;		/* enum k_message_kind */
	uint32_t flags;
	/* names the held caller; 0 when nobody waits (CANCEL: the call meant) */
	uint64_t call;
	uint32_t tid;		/* thread cookie, task cookie: set by the process server */
	uint32_t pid;
	uint64_t table;		/* id of the caller's handle table (owner of record locks) */
	uint64_t cred;		/* credential record id */
	uint64_t cookie;	/* see kind */
	uint64_t cwd;		/* cookies of cwd and root, 0 if not of this endpoint */
	uint64_t root;
	uint32_t umask;
	int32_t number;
	uint64_t arg[6];
	uint64_t extra[4];
	/* status flags (O_ACCMODE, O_NONBLOCK, ...) of the description in arg[0] */
	uint32_t fd_flags;
	/* descriptions of this endpoint whose last handle went, before this message */
	uint32_t closed_count;
	uint64_t closed[K_CLOSED_BATCH];	/* their cookies */
};

/*
 * Results that only the kernel and the process server see: why a call was stopped, so that the
 * process server can choose between EINTR and a restart when it delivers the signal. (Linux
 * distinguishes the same.)
 */
/* Restart if the handler has SA_RESTART, or no handler ran; else EINTR */
#define K_RESTART_SYS		512
#define K_RESTART_ALWAYS	513	/* restart, whatever the handler */
#define K_RESTART_NOHAND	514	/* restart only if no handler ran; else EINTR */
/* Like NOHAND, with the absolute deadline kept (relative sleeps, poll) */
#define K_RESTART_BLOCK		516
/* To servers: the call was taken back, it comes again later; forget it */
#define K_REDELIVER		600

/* Copies made and handles installed by an answer: all or nothing. */
#define K_ANSWER_COPIES 3
#define K_ANSWER_INSTALLS 2

struct k_answer_copy {
	uint64_t to;		/* in the caller's memory */
	const void *from;	/* in the server's */
	uint64_t size;
};

#define K_INSTALL_CLOEXEC	0x1u
/* Server keeps its own handle; without it the handle moves */
#define K_INSTALL_KEEP		0x2u
/* Becomes the caller's cwd / root instead of a descriptor */
#define K_INSTALL_CWD		0x4u
#define K_INSTALL_ROOT		0x8u
#define K_INSTALL_AT		0x10u	/* exactly at `min` (replacing what is there) */

struct k_answer_install {
	int32_t handle;
	uint32_t flags;
	uint32_t min;		/* lowest slot to use */
	uint32_t pad;
	/* caller address where the new descriptor (int) is written; 0: it is the result */
	uint64_t fd_to;
};

/* Put `result` into the caller's result register (EVENT: finish the call so) */
#define K_ANSWER_RESULT	0x0u
/* EVENT/FAULT/MEMORY: go on as if nothing happened (restart classes restart) */
#define K_ANSWER_RESUME	0x1u
#define K_ANSWER_REGS	0x2u	/* registers were set by k_caller_regs_set(): touch none */
#define K_ANSWER_EXIT	0x4u	/* the caller dies here; no K_MSG_THREAD_DEAD follows */

struct k_answer {
	uint64_t call;
	/* value, negative errno, or -K_RESTART_* (then the thread visits with it) */
	int64_t result;
	uint32_t flags;
	uint16_t copies;
	uint16_t installs;
	struct k_answer_copy copy[K_ANSWER_COPIES];
	struct k_answer_install install[K_ANSWER_INSTALLS];
};

/*
 * Passing a held caller on: to another endpoint, or to the kernel operation its route entry names.
 */
/* Run the kernel operation of `number`'s route entry, in the caller's context */
#define K_FORWARD_KERNEL	0x1u
/* With KERNEL: when it ends, K_MSG_DONE to this endpoint instead of returning */
#define K_FORWARD_HOOK		0x2u
#define K_FORWARD_ARGS		0x4u	/* use number/arg below instead of the caller's own */
/*
 * To the endpoint that serves the descriptor in arg[0], which needs no handle; the caller goes on
 * as a call on that descriptor. Only system-call numbers (below K_ROUTE_NUMBERS), for nobody has
 * granted CALL. Errors: EBADF not open, EINVAL another number, ELOOP the endpoint that holds the
 * call serves it itself; the call is still held then.
 */
#define K_FORWARD_DESCRIPTOR	0x8u
#define K_SCRATCH_MAX		8192u

struct k_forward {
	uint64_t call;
	uint32_t flags;
	int32_t endpoint;	/* a handle with the CALL right (unused with KERNEL, DESCRIPTOR) */
	int32_t number;
	/* bytes of `scratch` attached for the receiver; 0: an attached one stays */
	uint32_t scratch_size;
	const void *scratch;
	uint64_t arg[6];
	int32_t handle[2];	/* moved to the receiver (k_caller_attached()); -1: none */
};

enum k_fault {
	K_FAULT_MAPERR = 1,	/* no region there */
	K_FAULT_ACCERR,		/* region forbids it */
	K_FAULT_BUS,		/* beyond the object's end, or the pager failed (SIGBUS) */
	K_FAULT_ILLEGAL,
	K_FAULT_DIVIDE,
	K_FAULT_FPU,		/* x87; extra[2] = status word */
	K_FAULT_SIMD,		/* SSE; extra[2] = MXCSR */
	K_FAULT_BREAKPOINT,
	K_FAULT_STEP,
	K_FAULT_ALIGN,
	K_FAULT_PROTECTION	/* general protection, stack segment: SIGSEGV with SI_KERNEL */
};

enum k_pager {
	K_PAGER_FILL = 1,	/* supply pages */
	/* first write to a clean page: reserve, then k_mobject_supply(..., K_SUPPLY_WRITABLE) */
	K_PAGER_WRITABLE,
	K_PAGER_DIRTY		/* too much is dirty: write back */
};

/* A thread's user-visible registers, in the order of Linux's user_regs_struct's common subset. */
struct k_regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	uint64_t rax, rcx, rdx, rsi, rdi;
	uint64_t rip, rflags, rsp;
	uint64_t fs_base, gs_base;
};

_Static_assert(sizeof(struct k_message) == 224, "message layout");

#endif
