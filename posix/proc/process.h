/*
 * Processes, threads, process groups and sessions: what the process server knows of them, and how
 * they are found.
 *
 * Above: the system calls of proc/, signal/, time/, tty/ and procfs/. Below: the kernel's tasks and
 * threads, each of which carries a pid or tid of ours as its cookie. A process lives from fork
 * until its parent has waited for it; its kernel task ends earlier. The invariant: every thread
 * that the kernel may still send messages about is in the tid table.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_PROCESS_H
#define POSIX_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server.h"
#include "creds.h"
#include "state.h"

#include "posix/linux.h"
#include "posix/list.h"
#include "posix/signal/sigqueue.h"

struct exec;
struct tty;

#define COMM_SIZE 16

/* --- sessions and groups (session.c) ---------------------------------------------------------- */

struct session {
	uint32_t sid;
	uint32_t references;	/* groups in it */
	struct process *leader;	/* NULL once it is gone */
	struct tty *tty;	/* controlling terminal */
	uint32_t hung_pgrp;	/* in the foreground when the terminal was lost */
	struct list link;
};

struct group {
	uint32_t pgid;
	struct session *session;
	struct list members;	/* process.group_link */
	struct list link;	/* all groups */
};

/* --- processes -------------------------------------------------------------------------------- */

/* Signal actions, shared with CLONE_SIGHAND. */
struct sighand {
	uint32_t references;
	struct lx_kernel_sigaction action[LX_NSIG];
};

enum process_state {
	PROCESS_LIVE,
	PROCESS_DYING,		/* all its threads were told to die; the task is not gone yet */
	PROCESS_ZOMBIE		/* the task is gone; waits to be waited for */
};

/* The file that a process runs. */
struct exe {
	uint32_t references;
	int description;	/* holds the VFS's cookie alive */
	uint64_t cookie, device, inode;
	char path[];
};

/* What describes its memory; fork copies it, exec makes it new. */
struct process_image {
	uint64_t arg_start, arg_end, env_start, env_end, stack_start;
	uint64_t code_start, code_end, data_start, data_end, entry, vdso;
	uint64_t auxv[48];
	uint32_t auxv_size;
	bool dumpable;
	struct exe *exe;
};

struct process {
	uint32_t pid;
	uint32_t slot;			/* in the shared pid page */
	enum process_state state;
	struct process *parent;
	struct list children, child_link;
	struct group *group;
	struct list group_link, link;	/* all processes, in the order of their making */
	int task;			/* handle, -1 once it is gone */
	struct list threads;		/* thread.link, those that are not dead */
	unsigned thread_count;
	struct thread *leader;		/* the one whose tid is the pid; NULL once it is dead */
	struct cred *cred;		/* the leader's, or the last one's that changed it */
	bool remains;			/* no thread is left, and it still counts as one */

	struct sighand *sighand;
	struct sigqueue pending;	/* signals for any of its threads */
	uint32_t exit_signal;		/* to the parent when it ends; 0 none */
	uint32_t pdeath_signal;

	/* how it ended or stopped, in wait's coding */
	int exit_status;
	bool exit_set;			/* exit_status is decided */
	uint32_t stop_signal;		/* != 0: its threads are to stop, or are stopped */
	bool stop_complete;		/* all of them have; parent told */
	bool report_stop, report_continue;	/* wait may still report it */
	struct srv_parked *vfork_call;	/* the parent that waits until this one execs or exits */

	struct lx_rlimit limit[LX_RLIMITS];
	/* own, final (once a zombie); waited-for children's */
	struct lx_rusage used, children_used;
	uint64_t user_dead, system_dead;
	struct process_image image;
	char comm[COMM_SIZE];
	int64_t start;			/* CLOCK_MONOTONIC */
	int nice;
	int oom_score_adj;
	bool subreaper, no_new_privs, keep_caps, did_exec;
	bool no_tty;			/* gave up the controlling terminal of its session */

	struct srv_timer real_timer;	/* alarm, ITIMER_REAL */
	int64_t real_interval;
	struct list timers;		/* timer_create's */
	int next_timer;
	struct cpu_timer {
		int64_t expires, interval;	/* CPU ns; 0: off */
	} virtual_timer, prof_timer;
	/* CPU ns at which the next limit or timer is due, 0: none */
	int64_t cpu_next;
};

/* --- threads ---------------------------------------------------------------------------------- */

struct thread {
	uint32_t tid;
	struct process *process;
	struct list link;
	int handle;
	uint32_t slot;			/* in the shared pid page */
	struct cred *cred;
	struct sigqueue pending;
	uint64_t mask;
	/* to go back to when the call ends (sigsuspend, ppoll), if have_saved */
	uint64_t saved_mask;
	bool have_saved;
	bool dying;			/* was told to die */
	bool in_event;			/* k_thread_event sent and not yet seen */
	/* its own call is being worked on and ends in call_answer: no event needed */
	bool serving;
	bool in_vfork;			/* waits for its vfork child */
	uint64_t altstack, altstack_size;
	uint32_t altstack_flags;
	uint64_t robust_list;
	uint64_t clear_tid;
	struct srv_parked *stopped;	/* its visit, held while the process is stopped */
	struct srv_parked *waiting;	/* in wait4, sigtimedwait ... */
	struct exec *exec;		/* an execve under way */
	uint64_t regs_call;		/* its visit was answered with other registers */
	/* this write of it was taken back (absent page) after so many bytes */
	uint64_t taken_call, taken;
	char comm[COMM_SIZE];
	uint32_t policy, rt_priority;	/* sched_setscheduler */
	uint64_t affinity;
	int64_t start;
};

/* --- finding (process.c) ---------------------------------------------------------------------- */

extern struct list process_all;
extern struct process *process_first;
#define process_list STATE_OF(process_all)
#define process_init STATE_OF(process_first)	/* pid 1 */

struct proto_pids;
/* The shared object, mapped. fresh: it is empty. */
void process_setup(struct proto_pids *shared, bool fresh);
struct thread *thread_find(uint32_t tid);
struct process *process_find(uint32_t pid);	/* also zombies */
/*
 * The caller. Of a call it is never NULL, since thread_admits() lets no others in; a visit (fault,
 * event, death) of a thread that is none of ours gives NULL.
 */
static inline struct thread *thread_of(const struct k_message *m)
{
	return thread_find(m->tid);
}
/*
 * Whether the call may go to its handler (srv_ops.admits). A private call comes from the task of a
 * server or driver, which is no thread of ours and whose word for it is not taken: of these only
 * what drivers ask.
 */
bool thread_admits(const struct k_message *m);

/*
 * A new process with a pid but without threads or a task; NULL: out of memory or pids. Not yet
 * anyone's child, not in a group.
 */
struct process *process_new(void);
/* Forgets it: it must have no threads, no children. */
void process_free(struct process *p);
/* A thread with this tid (0: a new one) in p. NULL: out of memory or ids. */
struct thread *thread_new(struct process *p, uint32_t tid);
void thread_free(struct thread *t);
/* exec by a thread that is not the leader: it takes over the pid as its tid. */
void thread_become_leader(struct thread *t);
unsigned process_count(void);
/* A process whose threads have ended counts as one of them until it is waited for. */
unsigned thread_count_all(void);
void process_remain(struct process *p);
uint32_t process_last_pid(void);
/* Brings the entry in the shared pid page up to date. */
void process_publish(struct process *p);
void thread_publish(struct thread *t);

/* makes it his child, taking it from another */
void process_adopt(struct process *parent, struct process *child);
/* State letter of /proc for a process or thread. */
char thread_state_letter(struct thread *t);

struct sighand *sighand_new(void);
void sighand_put(struct sighand *s);

void process_image_drop(struct process_image *i);
void process_image_copy(struct process_image *to, const struct process_image *from);

/* Handles of other servers and powers that the manifest grants. */
struct grants {
	int endpoint, vfs, net, control, vdso, rtc;
};
extern struct grants grants;

#endif
