/*
 * The stand-in for kernel and server loop. See posix_mock.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix_mock.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "creds.h"
#include "pids.h"
#include "posix/misc/system.h"
#include "posix/proc/cred.h"
#include "posix/proc/exec.h"
#include "posix/proc/exit.h"
#include "posix/proc/fork.h"
#include "posix/proc/session.h"
#include "posix/signal/signal.h"
#include "posix/time/timers.h"
#include "posix/tty/tty.h"

unsigned mock_events[MOCK_THREADS], mock_kills[MOCK_THREADS];
uint64_t mock_answered_call;
int64_t mock_result;
unsigned mock_answers, mock_visits;
struct thread *mock_visited;
uint8_t mock_written[256];
struct grants grants;
long (*mock_kernel)(long n, const long arg[6]);
void (*mock_answer)(uint64_t call, int64_t result);

static int next_handle = 1;
static uint64_t next_call = 1;

/* --- kernel ----------------------------------------------------------------------------------- */

long k_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	struct k_map *map;
	long own = mock_kernel ? mock_kernel(n, (long[]){ a, b, c, d, e, f }) : MOCK_PASS;

	if (own != MOCK_PASS)
		return own;
	switch (n) {
	case K_NATIVE_space_map:
		map = (struct k_map *)a;
		map->address = (uint64_t)calloc(1, map->size);
		return 0;
	case K_NATIVE_thread_event:
		mock_events[a]++;
		return 0;
	case K_NATIVE_thread_kill:
		mock_kills[a]++;
		return 0;
	case K_NATIVE_task_info:
		memset((void *)b, 0, sizeof(struct k_task_info));
		return 0;
	case K_NATIVE_thread_info:
		memset((void *)b, 0, sizeof(struct k_thread_info));
		return 0;
	case K_NATIVE_caller_write:
		memcpy(mock_written, (void *)d,
		       (size_t)e < sizeof mock_written ? (size_t)e : sizeof mock_written);
		return 0;
	case K_NATIVE_caller_read:
		memset((void *)c, 0, (size_t)e);
		return 0;
	}
	return 0;
}

/* --- the server loop -------------------------------------------------------------------------- */

void srv_answer(uint64_t call, int64_t result)
{
	mock_answered_call = call;
	mock_result = result;
	mock_answers++;
	if (mock_answer)
		mock_answer(call, result);
}

void srv_answer_flags(uint32_t flags) { (void)flags; }
void srv_flush(void) { }
void srv_round(void) { abort(); }
int64_t srv_now(void) { return NS_PER_SEC; }
int64_t srv_realtime(void) { return 2 * NS_PER_SEC; }
int srv_timer_set(struct srv_timer *t, int64_t deadline)
{
	t->deadline = deadline;
	t->index = 1;
	return 0;
}
void srv_timer_cancel(struct srv_timer *t) { t->index = 0; }
void srv_log(const char *format, ...) { (void)format; }
void srv_panic(const char *format, ...) { (void)format; abort(); }

/* --- the rest of the process server that is not under test ------------------------------------ */

void signal_visit(struct thread *t, const struct k_message *m, int64_t result)
{
	(void)m;
	(void)result;
	mock_visited = t;
	mock_visits++;
}

void signal_visit_changed(struct thread *t, const struct k_message *m, const struct k_regs *regs,
			  bool reset_fpu)
{
	(void)regs;
	(void)reset_fpu;
	signal_visit(t, m, 0);
}

void call_answer(const struct k_message *m, int64_t result)
{
	if (result != -K_REDELIVER)
		srv_answer(m->call, result);
}

bool signal_timedwait_wake(struct thread *t) { (void)t; return false; }
void exec_drop(struct thread *t) { t->exec = NULL; }
void exec_alone(struct thread *t) { (void)t; }
void timers_drop(struct process *p) { (void)p; }
__attribute__((weak)) void tty_leader_exit(struct tty *tty) { tty->session = NULL; }
__attribute__((weak)) void tty_session_gone(struct tty *tty) { tty->session = NULL; }

/* --- making things ---------------------------------------------------------------------------- */

void mock_start(void)
{
	static bool done;

	if (!done) {
		cred_setup(calloc(1, PROTO_CREDS_SIZE), true);
		process_setup(calloc(1, PROTO_PIDS_SIZE), true);
		mock_process(NULL);
	}
	done = true;
	memset(mock_events, 0, sizeof mock_events);
	memset(mock_kills, 0, sizeof mock_kills);
	mock_answers = mock_visits = 0;
	mock_visited = NULL;
}

struct thread *mock_thread(struct process *p)
{
	struct thread *t = thread_new(p, p->leader ? 0 : p->pid);

	t->handle = next_handle++ % MOCK_THREADS;
	t->cred = cred_get(cred_root());
	t->cred->user->threads++;
	return t;
}

struct process *mock_process(struct process *parent)
{
	struct process *p = process_new();

	p->sighand = sighand_new();
	p->cred = cred_get(cred_root());
	p->task = 1000;
	for (int i = 0; i < LX_RLIMITS; i++)
		p->limit[i] = (struct lx_rlimit){ 100, 100 };
	mock_thread(p);
	if (!parent) {
		process_init = p;
		session_start(p);
		return p;
	}
	process_adopt(parent, p);
	group_join(p, parent->group);
	return p;
}

struct k_message mock_message(struct thread *t, int number, uint64_t a0, uint64_t a1, uint64_t a2,
			      uint64_t a3)
{
	return (struct k_message){ .kind = K_MSG_CALL,
				   .call = next_call++,
				   .tid = t->tid,
				   .pid = t->process->pid,
				   .number = number,
				   .arg = { a0, a1, a2, a3 } };
}

void mock_visit(struct thread *t)
{
	struct k_message m = {
		.kind = K_MSG_EVENT, .call = next_call++, .tid = t->tid, .pid = t->process->pid
	};

	t->in_event = false;
	thread_stop(t, &m, 0, NULL, false);
}

void mock_gone(struct process *p, int status)
{
	struct k_message m = { .kind = K_MSG_TASK_GONE, .cookie = p->pid };

	while (!list_empty(&p->threads))
		thread_free(list_first(&p->threads, struct thread, link));
	p->exit_status = status;
	p->exit_set = true;
	p->state = PROCESS_DYING;
	task_gone(&m);
}
