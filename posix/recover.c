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

#include <errno.h>

#include "heap.h"
#include "posix/proc/cred.h"
#include "posix/proc/exec.h"
#include "posix/proc/exit.h"
#include "posix/proc/process.h"
#include "posix/syscall/routes.h"
#include "posix/tty/pty.h"

#define HANDLES_MAX 65536
/* So many free ones in a row: there are no more (the lowest free one is always taken) */
#define HANDLES_GAP 4096

static bool known[HANDLES_MAX];

static void know(int handle)
{
	if (handle >= 0 && handle < HANDLES_MAX)
		known[handle] = true;
}

static void know_processes(void)
{
	list_for(l, &process_list) {
		struct process *p = container_of(l, struct process, link);

		know(p->task);
		if (p->image.exe)
			know(p->image.exe->description);
		list_for(k, &p->threads) {
			struct thread *t = container_of(k, struct thread, link);

			know(t->handle);
			exec_know(t, know);
		}
	}
}

static bool is_ours(uint32_t type)
{
	switch (type) {
	case K_OBJECT_DESCRIPTION:
	case K_OBJECT_MOBJECT:
	case K_OBJECT_SOURCE:
	case K_OBJECT_ACCOUNT:
	case K_OBJECT_SPACE:
	case K_OBJECT_TASK:
	case K_OBJECT_THREAD: case K_OBJECT_ROUTES:
		return true;
	}
	return false;
}

static void handles_sweep(void)
{
	static const char *const granted[] = { "endpoint",   "state",   "vfs",  "net",
					       "supervisor", "control", "vdso", "creds",
					       "pids",       "servers", "rtc" };
	struct k_handle_info info;
	int missing = 0;

	for (unsigned i = 0; i < sizeof granted / sizeof granted[0]; i++)
		know(srv_handle(granted[i]));
	know(routes_handle());
	know_processes();
	file_know(know);
	for (int h = 0; h < HANDLES_MAX && missing < HANDLES_GAP; h++) {
		if (!known[h] && k_handle_info(h, &info) < 0) {
			missing++;
			continue;
		}
		missing = 0;
		if (!known[h] && is_ours(info.type))
			k_handle_close(h);
	}
}

/* --- lost notices ------------------------------------------------------------------------- */

static uint64_t *alive;
static size_t alive_count;

static void alive_read(void)
{
	uint64_t from = 0;
	long n;

	do {
		alive = heap_realloc(alive, (alive_count + 512) * sizeof *alive);
		n = alive ? k_endpoint_descriptions(grants.endpoint, &from, alive + alive_count,
						    512) :
			    -ENOMEM;
		if (n < 0)
			srv_panic("the live descriptions cannot be had: error %ld", n);
		alive_count += (size_t)n;
	} while (n);
}

static bool is_alive(uint64_t cookie)
{
	for (size_t i = 0; i < alive_count; i++) {
		if (alive[i] == cookie)
			return true;
	}
	return false;
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
	alive_read();
	file_reconcile(is_alive);
	heap_free(alive);
	while (task_end_one())
		;
	threads_tell();
	file_ready_tell();
	srv_flush();
	srv_log("recovered: %u processes, %u threads, %u open files", process_count(),
		thread_count_all(), file_count());
}
