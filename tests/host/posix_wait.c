/*
 * Waiting for children: which are found, what is told, what becomes of zombies and orphans.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix_mock.h"

#include <errno.h>

#include "posix/proc/exit.h"
#include "posix/proc/session.h"
#include "posix/proc/wait.h"
#include "posix/signal/signal.h"
#include "test.h"

static struct wait_for any(uint32_t options)
{
	return (struct wait_for){ .options = options, .type = LX_P_ALL };
}

/* A child of the first process, with children of its own in the tests. */
static struct process *parent_new(void)
{
	mock_start();
	return mock_process(process_init);
}

static void reap_all(struct process *p)
{
	mock_gone(p, 0);
	process_reap(p, process_init);
}

TEST(posix_wait, no_children)
{
	struct process *p = parent_new();
	struct wait_for w = any(LX_WEXITED);
	struct wait_found f;

	CHECK_EQ(op_wait_find(p, &w, &f), -ECHILD);
	reap_all(p);
}

TEST(posix_wait, exit_status)
{
	struct process *p = parent_new(), *c = mock_process(p);
	struct wait_for w = any(LX_WEXITED);
	struct wait_found f;

	CHECK_EQ(op_wait_find(p, &w, &f), 0);
	mock_gone(c, 7 << 8);
	CHECK_EQ(op_wait_find(p, &w, &f), 1);
	CHECK_EQ(f.child == c, 1);
	CHECK_EQ(f.status, 7 << 8);
	CHECK_EQ(f.code, LX_CLD_EXITED);
	process_reap(c, p);
	CHECK_EQ(op_wait_find(p, &w, &f), -ECHILD);
	reap_all(p);
}

TEST(posix_wait, by_pid_and_group)
{
	struct process *p = parent_new(), *a = mock_process(p), *b = mock_process(p);
	struct wait_for w = { .options = LX_WEXITED, .type = LX_P_PID, .id = b->pid };
	struct wait_found f;

	CHECK_EQ(op_setpgid(p, (int32_t)a->pid, 0), 0);
	mock_gone(a, 0);
	CHECK_EQ(op_wait_find(p, &w, &f), 0);
	w = (struct wait_for){ .options = LX_WEXITED, .type = LX_P_PGID, .id = a->pid };
	CHECK_EQ(op_wait_find(p, &w, &f), 1);
	w.id = p->group->pgid;
	CHECK_EQ(op_wait_find(p, &w, &f), 0);
	w = (struct wait_for){ .options = LX_WEXITED, .type = LX_P_PID, .id = 12345 };
	CHECK_EQ(op_wait_find(p, &w, &f), -ECHILD);
	process_reap(a, p);
	mock_gone(b, 0);
	process_reap(b, p);
	reap_all(p);
}

TEST(posix_wait, clone_children)
{
	struct process *p = parent_new(), *c = mock_process(p);
	struct wait_for w = any(LX_WEXITED);
	struct wait_found f;

	c->exit_signal = 0;
	mock_gone(c, 0);
	CHECK_EQ(op_wait_find(p, &w, &f), -ECHILD);
	w.options |= LX_WCLONE;
	CHECK_EQ(op_wait_find(p, &w, &f), 1);
	w.options = LX_WEXITED | LX_WALL;
	CHECK_EQ(op_wait_find(p, &w, &f), 1);
	process_reap(c, p);
	reap_all(p);
}

TEST(posix_wait, stop_and_continue_are_told_once)
{
	struct process *p = parent_new(), *c = mock_process(p);
	struct thread *waiter = p->leader;
	struct k_message m;

	process_stop(c, LX_SIGTSTP);
	m = mock_message(waiter, 61, c->pid, 1, LX_WNOHANG | LX_WUNTRACED, 0);
	in_wait4(&m);
	CHECK_EQ(mock_result, 0);	/* not before it has stopped */
	mock_visit(c->leader);
	CHECK_EQ(c->stop_complete, 1);
	in_wait4(&m);
	CHECK_EQ(mock_result, c->pid);
	CHECK_EQ(*(int *)(void *)mock_written, LX_SIGTSTP << 8 | 0x7f);
	in_wait4(&m);
	CHECK_EQ(mock_result, 0);
	process_continue(c);
	CHECK_EQ(mock_visited == c->leader, 1);
	m = mock_message(waiter, 61, c->pid, 1, LX_WNOHANG | LX_WCONTINUED, 0);
	in_wait4(&m);
	CHECK_EQ(mock_result, c->pid);
	CHECK_EQ(*(int *)(void *)mock_written, 0xffff);
	in_wait4(&m);
	CHECK_EQ(mock_result, 0);
	mock_gone(c, 0);
	process_reap(c, p);
	reap_all(p);
}

TEST(posix_wait, parked_until_the_child_ends)
{
	struct process *p = parent_new(), *c = mock_process(p);
	struct k_message m = mock_message(p->leader, 61, (uint64_t)-1, 1, 0, 0);
	uint32_t pid = c->pid;
	unsigned before = mock_answers;

	in_wait4(&m);
	CHECK_EQ(mock_answers, before);
	CHECK(p->leader->waiting != NULL);
	mock_gone(c, 3 << 8);
	CHECK_EQ(mock_answered_call, m.call);
	CHECK_EQ(mock_result, pid);
	CHECK(p->leader->waiting == NULL);
	CHECK(process_find(pid) == NULL);
	reap_all(p);
}

TEST(posix_wait, signal_ends_the_wait)
{
	struct process *p = parent_new(), *c = mock_process(p);
	struct k_message m = mock_message(p->leader, 61, (uint64_t)-1, 0, 0, 0);

	p->sighand->action[LX_SIGUSR1 - 1].handler = 0x1000;
	in_wait4(&m);
	signal_process_kernel(p, LX_SIGUSR1);
	CHECK_EQ(mock_answered_call, m.call);
	CHECK_EQ(mock_result, -K_RESTART_SYS);
	CHECK_EQ(mock_events[p->leader->handle], 1);
	mock_gone(c, 0);
	process_reap(c, p);
	reap_all(p);
}

TEST(posix_wait, ignored_children_vanish)
{
	struct process *p = parent_new(), *c = mock_process(p);
	struct wait_for w = any(LX_WEXITED);
	struct wait_found f;
	uint32_t pid = c->pid;

	p->sighand->action[LX_SIGCHLD - 1].handler = LX_SIG_IGN;
	mock_gone(c, 0);
	CHECK(process_find(pid) == NULL);
	CHECK_EQ(op_wait_find(p, &w, &f), -ECHILD);
	CHECK_EQ(p->pending.set, 0);
	reap_all(p);
}

TEST(posix_wait, no_wait_flag_still_signals)
{
	struct process *p = parent_new(), *c = mock_process(p);
	uint32_t pid = c->pid;

	p->sighand->action[LX_SIGCHLD - 1] =
		(struct lx_kernel_sigaction){ .handler = 0x1000, .flags = LX_SA_NOCLDWAIT };
	mock_gone(c, 0);
	CHECK(process_find(pid) == NULL);
	CHECK(p->pending.set & LX_SIGBIT(LX_SIGCHLD));
	reap_all(p);
}

TEST(posix_wait, orphans_go_to_the_subreaper)
{
	struct process *top = parent_new(), *p = mock_process(top), *c = mock_process(p);

	top->subreaper = true;
	mock_gone(p, 0);
	CHECK(c->parent == top);
	process_reap(p, top);
	mock_gone(top, 0);
	CHECK(c->parent == process_init);
	process_reap(top, process_init);
	mock_gone(c, 0);
	process_reap(c, process_init);
}
