/* SPDX-License-Identifier: MIT */
/*
 * The server loop: one endpoint, one thread, a table of operations.
 *
 * Above it is a server (vfs/, posix/): it fills a struct srv_ops and calls srv_run(), which never
 * returns. Below are the native calls. A handler gets one message and, before it returns, does
 * exactly one of these with its caller: answers it (srv_answer and what may be added to it),
 * forwards it (srv_forward*), or parks it (srv_park) to answer later.
 *
 * The answer that a handler makes is not sent at once: it stays pending and goes out together with
 * the next receive, one trap per request. Whatever srv_answer_copy points to must stay unchanged
 * until then (static storage is right: one thread). A second srv_answer sends the first. When the
 * kernel refuses an answer (EFAULT, EMFILE, the caller is gone or comes again), the undo function
 * of the answer runs, handles that should have moved are closed, and the caller, if it is still
 * there, gets the error. The invariant: at most one answer is pending, and none while a handler
 * starts.
 */
#ifndef TROUPE_LIBSRV_SERVER_H
#define TROUPE_LIBSRV_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "calls.h"
#include "start.h"

/* --- start -------------------------------------------------------------------------------- */

/* Called by crt0 with what the supervisor passed. Checks it and keeps it; aborts if it is none. */
void srv_start(const struct proto_start *start);
/* The handle that the manifest grants under this name; -1 if there is none. */
int srv_handle(const char *name);
/* The same, but ends the server with a message when it is missing. */
int srv_handle_need(const char *name);
/* The server's name (its first argument), for messages. */
const char *srv_name(void);
/* True if `word` is among the arguments. */
bool srv_arg(const char *word);
/* What stands behind "NAME=" among the arguments; NULL if there is none. */
const char *srv_arg_value(const char *name);

/* --- running ------------------------------------------------------------------------------ */

typedef void srv_handler(const struct k_message *m);

struct srv_number {
	uint16_t number;	/* Linux system call (< 512), or private: SRV_PRIVATE + n */
	srv_handler *handler;
	const char *name;
};

/* Numbers that only other servers can send (by k_caller_forward or k_call): proto/ defines them. */
#define SRV_PRIVATE 4096
#define SRV_PRIVATE_END (SRV_PRIVATE + 256)

/* A set of system-call numbers: bit n % 64 of word[n / 64]. */
struct srv_numbers {
	uint64_t word[K_ROUTE_NUMBERS / 64];
};

struct srv_ops {
	const struct srv_number *numbers;
	size_t number_count;
	/*
	 * Numbers with a kernel shortcut, NULL: none. A call with such a number that was not
	 * declined yet (the shortcuts are switched off) is forwarded to the kernel operation,
	 * unless `declines` says that this description is one that the server wants to see: then it
	 * goes to the handler as if the kernel had declined it.
	 */
	const struct srv_numbers *shortcuts;
	bool (*declines)(const struct k_message *m);

	/* May this call go to its handler? If not, it gets ESRCH. NULL: all may. */
	bool (*admits)(const struct k_message *m);

	/* the last handle of a description went; before the message that follows */
	void (*closed)(uint64_t cookie);
	/*
	 * Messages that are not calls; NULL: answered at once (fault, event: resumed) or ignored.
	 */
	srv_handler *private_call;	/* numbers of K_MSG_PRIVATE that are not in `numbers` */
	srv_handler *cancel;		/* of a call that is not parked here */
	srv_handler *event, *fault, *done, *thread_dead, *task_gone, *notify, *pager, *table_gone,
		*memory;
	/* K_MSG_OVERDUE: nobody waits for an answer (the supervisor's) */
	srv_handler *overdue;
	/* K_MSG_PIPE: m->cookie is k_pipe_bind's, m->extra[0] the K_PIPE_* that hold */
	srv_handler *pipe;
	/* a number without a handler, after it was logged; NULL: ENOSYS */
	srv_handler *unknown;
	/*
	 * Transactional: state is in the arena and changed under hooks (state.h), answers wait in
	 * the outbox for the commit at the handler's end, and the parked calls and timers of a dead
	 * server are its successor's. outbox_setup comes first.
	 */
	bool transactional;
	/* of an answer: not a state that a thread can have */
	void (*registers_refused)(uint64_t call);
	/* For the log: names of unknown numbers and of programs; may return NULL. */
	const char *(*number_name)(int number);
	const char *(*program_name)(const struct k_message *m);
};

/* Receives on `endpoint` (a handle with RECEIVE) for ever. */
_Noreturn void srv_run(int endpoint, const struct srv_ops *ops);
/* For tests and for servers with an own loop: sets up, and one round (receive and dispatch). */
void srv_setup(int endpoint, const struct srv_ops *ops);
void srv_round(void);
/*
 * Transactional servers, after srv_setup, before srv_run: takes up what the predecessor held.
 * Answered calls get their answers, parked ones stay so (those that are gone are cancelled as
 * dead); srv_run does the rest. Closed descriptions may be lost with it: ask which are alive.
 */
void srv_recover(void);
/* The endpoint of the running loop. */
int srv_endpoint(void);

/* --- answering ---------------------------------------------------------------------------- */

/* Makes the pending answer of this call (an earlier one for another call is sent first). */
void srv_answer(uint64_t call, int64_t result);
/* Add to the pending answer, at most K_ANSWER_COPIES and K_ANSWER_INSTALLS. n = 0 adds nothing. */
void srv_answer_copy(uint64_t to, const void *from, size_t n);
/*
 * `handle` moves to the caller unless K_INSTALL_KEEP. With fd_to 0 the new descriptor is the
 * result.
 */
void srv_answer_install(int handle, uint32_t flags, uint32_t min, uint64_t fd_to);
void srv_answer_flags(uint32_t flags);	/* K_ANSWER_* */
/* Transactional servers: the caller goes on with these registers (K_ANSWER_REGS). */
void srv_answer_regs(const struct k_regs *regs, bool reset_fpu);
/*
 * What to do when the pending answer is refused; error < 0 (-K_REDELIVER: the call comes again).
 * Must not answer.
 */
void srv_answer_undo(void (*undo)(void *arg, int error), void *arg);
/* Sends the pending answer now (before something that must come after it). */
void srv_flush(void);

/*
 * The handle that came with a forwarded call, to be had once: a call that this server's predecessor
 * had begun has lost it, and begins anew, from the program (-K_RESTART_ALWAYS). A negative errno is
 * the call's answer.
 */
int srv_attached(const struct k_message *m);

/* --- forwarding --------------------------------------------------------------------------- */

/*
 * Each returns 0 when the call has gone on, or a negative errno: then it has been answered with
 * that error (or, for ESRCH and K_REDELIVER, is gone), and handles that should have moved are
 * closed. Either way the handler is finished with it.
 */
int srv_forward_kernel(uint64_t call);
/* Runs another number or other arguments. hook: K_MSG_DONE comes here when the operation ends. */
int srv_forward_kernel_args(uint64_t call, int number, const uint64_t arg[6], bool hook);
#define NR_FCNTL 72
/*
 * For an ioctl: 1 if it is FIOCLEX, FIONCLEX or FIONBIO (ioctl(2), "descriptor" requests), with the
 * arguments of the fcntl that does the same in arg, to be forwarded to the kernel; 0 if it is
 * another; or a negative errno of reading its argument. Forwards nothing.
 */
int srv_ioctl_as_fcntl(const struct k_message *m, uint64_t arg[6]);
/* To another server, as it came. */
int srv_forward_as_is(uint64_t call, int endpoint);
/*
 * As it came to the server behind the descriptor in arg[0], another one than this. EBADF; EINVAL,
 * ELOOP (see K_FORWARD_DESCRIPTOR).
 */
int srv_forward_descriptor(uint64_t call);
struct srv_forward {
	int endpoint, number;
	uint64_t arg[6];
	const void *scratch;		/* NULL: what is attached stays */
	uint32_t scratch_size;
	int handle[2];			/* moved; -1 none */
};
/* handle[] must be set to -1 where none is sent. */
int srv_forward(uint64_t call, const struct srv_forward *f);

/* --- parked calls ------------------------------------------------------------------------- */

struct srv_parked_list;

struct srv_parked {
	struct srv_parked *chain;	/* the table's */
	struct srv_parked *next, *prev;	/* in `list` */
	struct srv_parked_list *list;
	struct k_message message;	/* a copy of what was received */
	/*
	 * The call should end. dead: its thread is gone, do not answer. Otherwise answer it
	 * (result, short count or -K_RESTART_*) . Must call srv_unpark (or leave it parked: then
	 * the call goes on).
	 */
	void (*cancel)(struct srv_parked *p, bool dead);
	void *arg;
	uint64_t value[4];
	bool held;			/* srv_recover: it came again */
};

/* NULL when memory is out: answer ENOMEM. */
struct srv_parked *srv_park(const struct k_message *m,
			    void (*cancel)(struct srv_parked *p, bool dead));
struct srv_parked *srv_parked_find(uint64_t call);
/* Takes it out of its list and of the table, and frees it. */
void srv_unpark(struct srv_parked *p);
size_t srv_parked_count(void);
/* For srv_recover: no call is held; those that still are not are cancelled. */
void srv_parked_forget(void);
void srv_parked_drop(void);
/*
 * Queues of parked calls, oldest first; zero-initialised is empty. A parked call is in one queue at
 * most.
 */
struct srv_parked_list {
	struct srv_parked *first, *last;
};
void srv_parked_append(struct srv_parked_list *list, struct srv_parked *p);
void srv_parked_remove(struct srv_parked *p);

/* --- time --------------------------------------------------------------------------------- */

struct srv_timer {
	int64_t deadline;	/* absolute CLOCK_MONOTONIC */
	void (*fn)(struct srv_timer *t);
	void *arg;
	uint32_t index;		/* place in the heap + 1; 0: not set */
};

/*
 * Sets or moves. The storage is the caller's and must stay until it has fired or is cancelled. 0 or
 * -ENOMEM.
 */
int srv_timer_set(struct srv_timer *t, int64_t deadline);
void srv_timer_cancel(struct srv_timer *t);
uint32_t srv_timer_count(void);
/* Monotonic now, without a trap (from the time stamp counter; set right at each srv_clock). */
int64_t srv_now(void);
/* CLOCK_REALTIME now, without a trap; follows clock_settime within a second. */
int64_t srv_realtime(void);

/* --- log ---------------------------------------------------------------------------------- */

/* One line to the kernel log, "name: " before it and a newline after it. 256 bytes at most. */
void srv_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void srv_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
