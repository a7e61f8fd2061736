/*
 * Recovery. The state is that of the last operation which was committed; its parked calls and
 * timers go on as they are (srv_recover). What may not agree with it, and is seen to here:
 *
 * - handles that were made in an operation that is undone: nobody knows them, they are closed. A
 *   forked child that never ran goes so;
 * - notices that were received and lost (descriptions that were closed, tasks that are gone): the
 *   kernel is asked;
 * - an execve at the point of no return (exec_recover);
 * - what the kernel keeps for us (constants of threads, readiness): set again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/recover.h"

#include "inherited.h"
#include "posix/proc/cred.h"
#include "posix/proc/exec.h"
#include "posix/proc/exit.h"
#include "posix/proc/process.h"
#include "posix/syscall/routes.h"
#include "posix/tty/pty.h"

static void know_processes(void)
{
	list_for(l, &process_list) {
		struct process *p = container_of(l, struct process, link);

		inherited_know(p->task);
		if (p->image.exe)
			inherited_know(p->image.exe->description);
		list_for(k, &p->threads) {
			struct thread *t = container_of(k, struct thread, link);

			inherited_know(t->handle);
			exec_know(t, inherited_know);
		}
	}
}

/* The kinds that are made while an operation may yet be undone. */
#define MADE                                                                                       \
	(INHERITED_TYPE(K_OBJECT_DESCRIPTION) | INHERITED_TYPE(K_OBJECT_MOBJECT) |                 \
	 INHERITED_TYPE(K_OBJECT_SOURCE) | INHERITED_TYPE(K_OBJECT_ACCOUNT) |                      \
	 INHERITED_TYPE(K_OBJECT_SPACE) | INHERITED_TYPE(K_OBJECT_TASK) |                          \
	 INHERITED_TYPE(K_OBJECT_THREAD) | INHERITED_TYPE(K_OBJECT_ROUTES))

static void handles_sweep(void)
{
	static const char *const granted[] = { "endpoint",   "state",   "vfs",  "net",
					       "supervisor", "control", "vdso", "creds",
					       "pids",       "servers", "rtc" };

	for (unsigned i = 0; i < sizeof granted / sizeof granted[0]; i++)
		inherited_know(srv_handle(granted[i]));
	inherited_know(routes_handle());
	know_processes();
	file_know(inherited_know);
	inherited_sweep(MADE);
}

/* --- lost notices ------------------------------------------------------------------------- */

static void files_reconcile(void)
{
	int r = inherited_alive_read(grants.endpoint);

	if (r)
		srv_panic("the live descriptions cannot be had: error %d", r);
	file_reconcile(inherited_is_alive);
	inherited_alive_drop();
}

static bool task_is_gone(const struct process *p)
{
	struct k_task_info info;

	return p->task >= 0 && p->state != PROCESS_ZOMBIE && k_task_info(p->task, &info) == 0 &&
	       !info.threads && !info.space && !info.table;
}

/* Each end may change the list: look again from its beginning. */
static bool task_end_one(void)
{
	list_for(l, &process_list) {
		const struct process *p = container_of(l, struct process, link);
		struct k_message m = { .kind = K_MSG_TASK_GONE, .cookie = p->pid };

		if (!task_is_gone(p))
			continue;
		task_gone(&m);
		return true;
	}
	return false;
}

/* --- all ---------------------------------------------------------------------------------- */

static void threads_tell(void)
{
	list_for(l, &process_list) {
		struct process *p = container_of(l, struct process, link);

		list_for(k, &p->threads) {
			struct thread *t = container_of(k, struct thread, link);

			k_thread_set(t->handle, K_THREAD_SET_TID, t->tid);
			thread_set_constants(t);
		}
	}
}

void recover_nothing(void)
{
	handles_sweep();
	srv_flush();
}

void recover(void)
{
	list_for(l, &process_list) {
		list_for(k, &container_of(l, struct process, link)->threads)
			exec_recover_tid(container_of(k, struct thread, link));
	}
	srv_recover();
	list_for(l, &process_list) {
		list_for(k, &container_of(l, struct process, link)->threads)
			exec_recover(container_of(k, struct thread, link));
	}
	handles_sweep();
	files_reconcile();
	while (task_end_one())
		;
	threads_tell();
	file_ready_tell();
	srv_flush();
	srv_log("recovered: %u processes, %u threads, %u open files", process_count(),
		thread_count_all(), file_count());
}
