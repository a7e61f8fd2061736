/*
 * Process groups, sessions, orphans.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix_mock.h"

#include <errno.h>

#include "posix/proc/exit.h"
#include "posix/proc/session.h"
#include "posix/signal/signal.h"
#include "test.h"

static struct process *shell_new(void)
{
	struct process *p;

	mock_start();
	p = mock_process(process_init);
	op_setsid(p);
	return p;
}

static void end(struct process *p)
{
	struct process *parent = p->parent;

	mock_gone(p, 0);
	process_reap(p, parent);
}

TEST(posix_jobcontrol, setpgid_rules)
{
	struct process *shell = shell_new(), *a = mock_process(shell), *b = mock_process(shell),
		       *other = mock_process(process_init);

	CHECK_EQ(op_setpgid(shell, 0, -1), -EINVAL);
	CHECK_EQ(op_setpgid(shell, 30000, 0), -ESRCH);
	CHECK_EQ(op_setpgid(shell, (int32_t)other->pid, 0), -ESRCH);	/* no child of his */
	CHECK_EQ(op_setpgid(shell, 0, 0), -EPERM);			/* session leader */
	CHECK_EQ(op_setpgid(shell, (int32_t)a->pid, (int32_t)a->pid), 0);
	CHECK_EQ(op_setpgid(shell, (int32_t)b->pid, (int32_t)a->pid), 0);
	CHECK_EQ(b->group == a->group, 1);
	/* another session */
	CHECK_EQ(op_setpgid(b, 0, (int32_t)other->group->pgid), -EPERM);
	CHECK_EQ(op_setpgid(b, 0, 31000), -EPERM);			/* no such group */
	b->did_exec = true;
	CHECK_EQ(op_setpgid(shell, (int32_t)b->pid, 0), -EACCES);
	CHECK_EQ(op_setpgid(b, 0, 0), 0);
	end(a);
	end(b);
	end(other);
	end(shell);
}

TEST(posix_jobcontrol, setsid_rules)
{
	struct process *shell = shell_new(), *c = mock_process(shell);

	CHECK_EQ(op_setsid(shell), -EPERM);
	CHECK_EQ(op_setpgid(c, 0, 0), 0);
	CHECK_EQ(op_setsid(c), -EPERM);		/* leads a group */
	CHECK_EQ(op_setpgid(c, 0, (int32_t)shell->pid), 0);
	CHECK_EQ(op_setsid(c), c->pid);
	CHECK_EQ(op_getsid(shell, (int32_t)c->pid), c->pid);
	CHECK_EQ(op_getpgid(shell, (int32_t)c->pid), c->pid);
	CHECK_EQ(op_getpgid(shell, 30000), -ESRCH);
	end(c);
	end(shell);
}

TEST(posix_jobcontrol, groups_end_with_their_last_member)
{
	struct process *shell = shell_new(), *c = mock_process(shell);
	uint32_t pgid = c->pid;

	op_setpgid(c, 0, 0);
	CHECK(group_find(pgid) != NULL);
	end(c);
	CHECK(group_find(pgid) == NULL);
	CHECK(session_find(shell->pid) != NULL);
	pgid = shell->pid;
	end(shell);
	CHECK(session_find(pgid) == NULL);
}

TEST(posix_jobcontrol, orphaned_groups)
{
	struct process *shell = shell_new(), *job = mock_process(shell);

	/* the shell's own group: its parent is in another session */
	CHECK_EQ(group_is_orphaned(shell->group, NULL), 1);
	op_setpgid(job, 0, 0);
	CHECK_EQ(group_is_orphaned(job->group, NULL), 0);
	CHECK_EQ(group_is_orphaned(job->group, shell), 1);
	mock_gone(shell, 0);
	CHECK_EQ(group_is_orphaned(job->group, NULL), 1);
	process_reap(shell, process_init);
	end(job);
}

TEST(posix_jobcontrol, stopped_orphans_are_hung_up_and_continued)
{
	struct process *shell = shell_new(), *job = mock_process(shell);

	op_setpgid(job, 0, 0);
	job->sighand->action[LX_SIGHUP - 1].handler = 0x1000;
	process_stop(job, LX_SIGTSTP);
	mock_visit(job->leader);
	CHECK_EQ(job->stop_complete, 1);
	mock_gone(shell, 0);
	CHECK_EQ(job->stop_complete, 0);
	CHECK(job->pending.set & LX_SIGBIT(LX_SIGHUP));
	process_reap(shell, process_init);
	end(job);
}

TEST(posix_jobcontrol, running_orphans_are_left_alone)
{
	struct process *shell = shell_new(), *job = mock_process(shell);

	op_setpgid(job, 0, 0);
	mock_gone(shell, 0);
	CHECK_EQ(job->pending.set, 0);
	CHECK_EQ(job->state, PROCESS_LIVE);
	process_reap(shell, process_init);
	end(job);
}

TEST(posix_jobcontrol, all_threads_must_stop)
{
	struct process *shell = shell_new(), *job = mock_process(shell);
	struct thread *second = mock_thread(job);

	process_stop(job, LX_SIGSTOP);
	CHECK_EQ(mock_events[job->leader->handle], 1);
	CHECK_EQ(mock_events[second->handle], 1);
	mock_visit(job->leader);
	CHECK_EQ(job->stop_complete, 0);
	mock_visit(second);
	CHECK_EQ(job->stop_complete, 1);
	process_continue(job);
	CHECK_EQ(mock_visits, 2);
	end(job);
	end(shell);
}
