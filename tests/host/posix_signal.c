/*
 * Sending signals: who gets them, what is ignored, what ends a process at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix_mock.h"

#include <errno.h>

#include "posix/proc/cred.h"
#include "posix/proc/exit.h"
#include "posix/proc/session.h"
#include "posix/signal/signal.h"
#include "test.h"

#define HANDLER 0x1000u

static struct process *process_for_test(void)
{
	mock_start();
	return mock_process(process_init);
}

static void end(struct process *p)
{
	mock_gone(p, 0);
	process_reap(p, process_init);
}

static void handle(struct process *p, int sig)
{
	p->sighand->action[sig - 1].handler = HANDLER;
}

TEST(posix_signal, default_kills_at_once)
{
	struct process *p = process_for_test();
	struct thread *second = mock_thread(p);

	signal_process_kernel(p, LX_SIGTERM);
	CHECK_EQ(p->state, PROCESS_DYING);
	CHECK_EQ(p->exit_status, LX_SIGTERM);
	CHECK_EQ(mock_kills[p->leader->handle], 1);
	CHECK_EQ(mock_kills[second->handle], 1);
	end(p);
}

TEST(posix_signal, blocked_ones_wait)
{
	struct process *p = process_for_test();

	p->leader->mask = LX_SIGBIT(LX_SIGTERM);
	signal_process_kernel(p, LX_SIGTERM);
	CHECK_EQ(p->state, PROCESS_LIVE);
	CHECK(p->pending.set & LX_SIGBIT(LX_SIGTERM));
	CHECK_EQ(mock_events[p->leader->handle], 0);
	end(p);
}

TEST(posix_signal, ignored_ones_are_dropped)
{
	struct process *p = process_for_test();

	signal_process_kernel(p, LX_SIGCHLD);
	signal_process_kernel(p, LX_SIGWINCH);
	p->sighand->action[LX_SIGTERM - 1].handler = LX_SIG_IGN;
	signal_process_kernel(p, LX_SIGTERM);
	CHECK_EQ(p->pending.set, 0);
	/* but kept while blocked: the action may change until then */
	p->leader->mask = LX_SIGBIT(LX_SIGTERM);
	signal_process_kernel(p, LX_SIGTERM);
	CHECK_EQ(p->pending.set, LX_SIGBIT(LX_SIGTERM));
	end(p);
}

TEST(posix_signal, goes_to_a_thread_that_takes_it)
{
	struct process *p = process_for_test();
	struct thread *second = mock_thread(p);

	handle(p, LX_SIGUSR1);
	p->leader->mask = LX_SIGBIT(LX_SIGUSR1);
	signal_process_kernel(p, LX_SIGUSR1);
	CHECK_EQ(mock_events[p->leader->handle], 0);
	CHECK_EQ(mock_events[second->handle], 1);
	/* the leader, when it can */
	p->leader->mask = 0;
	handle(p, LX_SIGUSR2);
	signal_process_kernel(p, LX_SIGUSR2);
	CHECK_EQ(mock_events[p->leader->handle], 1);
	end(p);
}

TEST(posix_signal, one_event_until_the_visit)
{
	struct process *p = process_for_test();

	handle(p, LX_SIGUSR1);
	handle(p, LX_SIGUSR2);
	signal_process_kernel(p, LX_SIGUSR1);
	signal_process_kernel(p, LX_SIGUSR2);
	CHECK_EQ(mock_events[p->leader->handle], 1);
	end(p);
}

TEST(posix_signal, blocking_hands_on)
{
	struct process *p = process_for_test();
	struct thread *second = mock_thread(p);

	handle(p, LX_SIGUSR1);
	signal_process_kernel(p, LX_SIGUSR1);
	CHECK_EQ(mock_events[second->handle], 0);
	signal_set_mask(p->leader, LX_SIGBIT(LX_SIGUSR1));
	CHECK_EQ(mock_events[second->handle], 1);
	CHECK_EQ(signal_due(second), 1);
	CHECK_EQ(signal_due(p->leader), 0);
	end(p);
}

TEST(posix_signal, kill_and_stop_cannot_be_blocked)
{
	struct process *p = process_for_test();

	signal_set_mask(p->leader, ~0ull);
	CHECK_EQ(p->leader->mask & (LX_SIGBIT(LX_SIGKILL) | LX_SIGBIT(LX_SIGSTOP)), 0);
	signal_process_kernel(p, LX_SIGKILL);
	CHECK_EQ(p->exit_status, LX_SIGKILL);
	end(p);
}

TEST(posix_signal, first_process_is_protected)
{
	mock_start();
	signal_process_kernel(process_init, LX_SIGKILL);
	signal_process_kernel(process_init, LX_SIGTERM);
	signal_process_kernel(process_init, LX_SIGSTOP);
	CHECK_EQ(process_init->state, PROCESS_LIVE);
	CHECK_EQ(process_init->pending.set, 0);
	handle(process_init, LX_SIGTERM);
	signal_process_kernel(process_init, LX_SIGTERM);
	CHECK_EQ(process_init->pending.set, LX_SIGBIT(LX_SIGTERM));
	sigqueue_clear(&process_init->pending);
	process_init->leader->in_event = false;
}

TEST(posix_signal, stop_and_continue_cancel_each_other)
{
	struct process *p = process_for_test();

	p->leader->mask = ~SIGSET_UNBLOCKABLE;
	signal_process_kernel(p, LX_SIGTSTP);
	CHECK(p->pending.set & LX_SIGBIT(LX_SIGTSTP));
	signal_process_kernel(p, LX_SIGCONT);
	CHECK_EQ(p->pending.set, LX_SIGBIT(LX_SIGCONT));
	signal_process_kernel(p, LX_SIGTTIN);
	CHECK_EQ(p->pending.set, LX_SIGBIT(LX_SIGTTIN));
	end(p);
}

TEST(posix_signal, stopped_process_waits_with_everything_but_kill)
{
	struct process *p = process_for_test();

	process_stop(p, LX_SIGSTOP);
	mock_visit(p->leader);
	signal_process_kernel(p, LX_SIGTERM);
	CHECK_EQ(p->state, PROCESS_LIVE);
	signal_process_kernel(p, LX_SIGKILL);
	CHECK_EQ(p->state, PROCESS_DYING);
	end(p);
}

TEST(posix_signal, queue_limit)
{
	struct process *p = process_for_test();
	struct lx_siginfo i = { .code = LX_SI_QUEUE };

	p->leader->mask = ~SIGSET_UNBLOCKABLE;
	p->limit[LX_RLIMIT_SIGPENDING].soft = 3 + p->cred->user->signals;
	for (int n = 0; n < 3; n++)
		CHECK_EQ(signal_send_process(p, LX_SIGRTMIN, &i), 0);
	CHECK_EQ(signal_send_process(p, LX_SIGRTMIN, &i), -EAGAIN);
	/* a standard signal loses only its information */
	CHECK_EQ(signal_send_process(p, LX_SIGUSR1, &i), 0);
	CHECK(p->pending.set & LX_SIGBIT(LX_SIGUSR1));
	end(p);
}

TEST(posix_signal, faults_cannot_be_blocked)
{
	struct process *p = process_for_test();
	struct lx_siginfo i = { .signo = LX_SIGSEGV, .code = LX_SEGV_MAPERR };

	handle(p, LX_SIGSEGV);
	signal_force(p->leader, &i);
	CHECK_EQ(p->state, PROCESS_LIVE);
	CHECK(p->leader->pending.set & LX_SIGBIT(LX_SIGSEGV));
	sigqueue_clear(&p->leader->pending);
	p->leader->mask = LX_SIGBIT(LX_SIGSEGV);
	signal_force(p->leader, &i);
	CHECK_EQ(p->exit_status, LX_SIGSEGV);
	end(p);
}

TEST(posix_signal, permission)
{
	struct process *a = process_for_test(), *b = mock_process(process_init);
	struct proto_cred user = { .ruid = 1000, .euid = 1000, .suid = 1000, .fsuid = 1000 },
			  other = user;

	other.ruid = other.euid = other.suid = other.fsuid = 1001;
	CHECK_EQ(signal_permitted(a->leader, b, LX_SIGTERM), 1);
	thread_set_cred(a->leader, cred_new(&user));
	CHECK_EQ(signal_permitted(a->leader, b, LX_SIGTERM), 0);
	CHECK_EQ(signal_permitted(a->leader, b, LX_SIGCONT), 1);	/* same session */
	thread_set_cred(b->leader, cred_new(&other));
	CHECK_EQ(signal_permitted(a->leader, b, LX_SIGTERM), 0);
	user.ruid = 1001;
	thread_set_cred(a->leader, cred_new(&user));
	CHECK_EQ(signal_permitted(a->leader, b, LX_SIGTERM), 1);
	end(a);
	end(b);
}
