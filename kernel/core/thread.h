/* SPDX-License-Identifier: MIT */
/*
 * Threads and tasks.
 *
 * Above: system calls (core/syscall.c), endpoints (core/endpoint.c). Below: arch/. The kernel is
 * event-style: one stack per CPU, a thread that blocks leaves nothing on it. What it was doing is
 * in its registers and in its progress record, and it runs the system call again from its first
 * instruction when it is woken. The invariant: a thread that is not running on a CPU has its
 * complete state in struct thread.
 *
 * All fields are protected by the kernel lock; `frame` also belongs to the CPU that runs the thread
 * in user mode.
 */
#ifndef TROUPE_CORE_THREAD_H
#define TROUPE_CORE_THREAD_H

#include <stdbool.h>
#include "arch/frame.h"
#include "core/list.h"
#include "core/object.h"

struct account;
struct arch_space;
struct endpoint;
struct fsctx;
struct routes;
struct space;
struct table;
struct thread;

/*
 * A notice is a message without a caller, with storage embedded in the object that it is about:
 * queueing one never allocates and never drops.
 */
struct notice {
	struct list link;
	bool queued;
	struct endpoint *endpoint;	/* where it is queued, counted */
	/* Fills the message when it is delivered; may free the notice. */
	void (*fill)(struct notice *n, struct k_message *m);
};

/* What a kernel operation returns besides a result >= 0 or a negative errno. */
/* The thread is on a wait queue: run the operation again when woken */
#define OP_BLOCK	(INT64_MIN + 1)
#define OP_QUEUED	(INT64_MIN + 2)	/* the thread has been sent to an endpoint */
/* The server must decide; thread->progress.done and .reason say how far */
#define OP_DECLINE	(INT64_MIN + 6)
/* A slice of long work is done: let others run, then again */
#define OP_PREEMPT	(INT64_MIN + 3)
#define OP_MEMORY	(INT64_MIN + 4)	/* no frame for a user page: tell home 0, then again */
#define OP_DONE		(INT64_MIN + 5)	/* registers are already as they should be */

#define INBOX_NONE UINT64_MAX	/* thread.inbox_generation: that of no space */

#define OP_NATIVE 0x8000u		/* thread.op: a native call's index */

static inline bool op_result_is_special(int64_t r)
{
	return r < INT64_MIN + 16;
}

/*
 * What a restarted operation needs to know. Zeroed (active = false) when a new system call starts;
 * an operation that needs it tests `active` first and fills in what it needs.
 */
struct progress {
	union {
		struct {
			bool active;
			/* set by the operation: when interrupted it runs once more, with */
			bool finish_on_interrupt;
			/*
			 * ... `interrupted`, to compute its own result (-class, short count); it
			 * must not block then
			 */
			bool interrupted;
			int reason;		/* positive errno for OP_DECLINE, else 0 */
		};
		uint64_t used;		/* all of them at once */
	};
	/* bytes that are already transferred: a signal turns them into a short count */
	uint64_t done;
	int64_t deadline;	/* absolute monotonic ns, K_FOREVER */
	uint64_t aux[4];	/* the operation's own */
	/* the operation's own; released by `release` when the call ends in any way */
	void *object;
	void (*release)(struct thread *t);
};

/* A place in a wait queue. Poll uses many of its own; simple waits use thread.waiter. */
struct waiter {
	struct list node;
	struct thread *thread;
	uint64_t key;		/* the queue owner's own (futex bitset, poll events) */
};

enum thread_state {
	THREAD_NEW,
	THREAD_READY,
	THREAD_RUNNING,
	THREAD_BLOCKED /* in a kernel operation */,
	THREAD_QUEUED /* in an endpoint */,
	THREAD_HELD /* by an endpoint */,
	THREAD_DEAD
};

/* thread.flags: looked at on every way out to user mode */
#define THREAD_EVENT	0x1u	/* visit home 0 first */
#define THREAD_KILLED	0x2u	/* die first */
#define THREAD_HOOK	0x4u	/* K_MSG_DONE to thread.hook when the operation ends */
/* Run system call / operation again instead of returning to user mode */
#define THREAD_RESTART	0x8u
/* The running operation was forwarded by a server: it must not be routed again */
#define THREAD_AUTHORITY 0x10u
#define THREAD_REDELIVER 0x20u	/* touch the absent page, then send the kept message again */
#define THREAD_SERVER	0x40u
#define THREAD_ARGS	0x80u	/* operation arguments are in thread.op_args, not in registers */
#define THREAD_EXITING	0x100u	/* its last visit is over: it frees what it holds and is gone */
#define THREAD_OLD_SPACE 0x200u	/* after exec: thread.old_space has to be cleared first */
#define THREAD_PREEMPTED 0x400u	/* goes to the head of its queue, with the rest of its slice */
#define THREAD_CPU_EVENT 0x800u	/* thread.event_cpu_ns is set: the timer follows it */
/* What keeps a thread from returning straight to user mode. */
#define THREAD_WORK                                                                                \
	(THREAD_EVENT | THREAD_KILLED | THREAD_RESTART | THREAD_REDELIVER | THREAD_EXITING |       \
	 THREAD_OLD_SPACE)

struct thread {
	struct arch_frame frame;	/* first: arch code finds it through the per-CPU pointer */
	uint32_t flags;
	uint32_t state;
	struct object object;
	struct task *task;
	struct arch_space *space;	/* its task's */
	struct list task_link;
	struct routes *routes;
	uint32_t tid;
	uint8_t priority, sched_policy;
	int8_t nice;
	uint8_t sched_priority;
	uint64_t cred;
	uint32_t constant[K_CONSTANTS];

	/* what it is doing */
	/* system call it is in; -1: none (came by interrupt or fault) */
	int32_t number;
	/* enum k_op or OP_NATIVE | call that is being run; 0: none */
	uint32_t op;
	int32_t op_number;		/* system call whose route entry the operation is of */
	uint64_t op_args[6];
	struct progress progress;
	struct waiter waiter;		/* simple waits */
	uint32_t wait_why;		/* enum k_wait */
	/* positive errno or K_RESTART_* that an interruption of this wait gives */
	int32_t wait_class;
	/* takes it out of whatever queues it is in; NULL: not waiting */
	void (*wait_detach)(struct thread *t);
	struct list timer_link, timer_children;	/* core/timer.c: a heap of deadlines */
	int64_t timer_deadline;

	/* its call, when QUEUED or HELD (core/endpoint.c) */
	struct endpoint *endpoint;	/* where */
	struct list call_link;
	uint64_t call;			/* id of the current call */
	struct k_message message;	/* kept for (re)delivery */
	/* one that is to be redelivered, while its thread asks home 0 for memory */
	struct k_message aside;
	struct endpoint *aside_endpoint;	/* where it goes, counted; NULL: none */
	struct object *call_fd;		/* description in arg[0], pinned while the call lasts */
	struct object *attached[2];	/* handles that a forwarder sent along, and their rights */
	uint32_t attached_rights[2];
	void *scratch;			/* K_SCRATCH_MAX at most */
	uint32_t scratch_size;
	struct endpoint *hook;
	uint64_t need_page;		/* REDELIVER: address to fault in; bit 0: for writing */
	/* K_MSG_CANCEL of `cancel_call` to the endpoint that holds it */
	struct notice cancel;
	uint64_t cancel_call;
	bool cancel_dead;
	/* K_MSG_OVERDUE about `overdue_call`, which the server with this task cookie holds */
	struct notice overdue;
	uint64_t overdue_call;
	uint32_t overdue_server;
	struct space *old_space;

	/* scheduling (core/sched.c) */
	struct list run_link;
	int cpu;			/* running on, or last ran on */
	uint64_t affinity;
	int64_t slice_left;
	uint64_t user_ns, system_ns, switch_time;
	uint64_t voluntary, involuntary, minor_faults, major_faults;
	uint64_t event_cpu_ns;
	/* where it received last, counted; held calls there are requeued when it dies */
	struct endpoint *serving;
	/*
	 * its message buffer through the direct map, while space generation and address hold;
	 * address 0: to be looked for
	 */
	struct k_message *inbox;
	uint64_t inbox_generation, inbox_address;
	uint32_t call_crashes;		/* servers that died while they held this call */
	uint64_t lender_call;		/* the call whose thread's time this server runs on */
	uint32_t slot;			/* in the thread table; low bits of `call` */
	char name[16];
};

struct task {
	struct object object;
	struct space *space;
	struct table *table;
	struct fsctx *fsctx;
	struct account *account;
	struct list threads;
	uint32_t thread_count;
	uint32_t cookie;		/* pid */
	struct endpoint *notify;	/* hears K_MSG_TASK_GONE */
	struct notice gone;
	bool server;
	/* bytes, UINT64_MAX none */
	uint64_t limit_fsize, limit_as, limit_data, limit_stack, limit_memlock;
	uint64_t dead_user_ns, dead_system_ns, dead_minor, dead_major, dead_voluntary,
		dead_involuntary;
	char name[16];
};

static inline struct thread *thread_of(struct object *o)
{
	return container_of(o, struct thread, object);
}

/* The thread that this CPU runs; NULL in idle. */
struct thread *thread_current(void);

/* --- waiting: what kernel operations use -------------------------------------------------- */

struct wait_queue {
	struct list waiters;
};

static inline void wait_queue_init(struct wait_queue *q)
{
	list_init(&q->waiters);
}

/*
 * Puts t (the current thread) into q through t->waiter and returns OP_BLOCK, for `return
 * wait_on(...)`. An interruption ends the call with progress.done if that is > 0, else with -class.
 * If progress.active and progress.deadline is not K_FOREVER, a timer wakes it then (the operation
 * runs again and looks at the clock).
 */
int64_t wait_on(struct thread *t, struct wait_queue *q, enum k_wait why, int class);
/* The same for operations that put t into queues by themselves: detach undoes that. */
int64_t wait_custom(struct thread *t, enum k_wait why, int class, void (*detach)(struct thread *t));
/* The same without a deadline. */
int64_t wait_forever(struct thread *t, enum k_wait why, int class,
		     void (*detach)(struct thread *t));
/* Wakes up to n waiters (their operations run again); returns how many. */
int wait_queue_wake(struct wait_queue *q, int n);
/* Wakes one blocked thread: detaches it, and its operation runs again. */
void thread_wake(struct thread *t);
/* The same, and it runs next on this CPU. */
void thread_wake_next(struct thread *t);
/* Ends a blocked thread's operation with this result instead. */
void thread_complete(struct thread *t, int64_t result);

/* True when long work should return OP_PREEMPT: an interrupt is pending or the slice is over. */
bool preempt_needed(void);

/* The operation is over, however: what it remembers is forgotten and what it holds released. */
RARELY void progress_clear(struct thread *t);
static inline void progress_end(struct thread *t)
{
	struct progress *p = &t->progress;

	if (unlikely(p->used | p->done | (uint64_t)p->release))
		progress_clear(t);
}

/* absolute monotonic ns */
int64_t time_now(void);
uint64_t time_realtime_offset(void);

#endif
