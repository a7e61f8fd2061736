/*
 * Stopping and continuing a process.
 *
 * A stopped thread is one whose visit (signal_visit) is held. The process counts as stopped when all its threads are held
 * so, and then its parent hears of it. A thread that waits for its vfork child does not count: it runs nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/signal/signal.h"

#include "posix/proc/wait.h"

static bool all_stopped(const struct process *p)
{
	bool any = false;

	list_for(l, &p->threads) {
		const struct thread *t = container_of(l, struct thread, link);

		if (t->dying || t->in_vfork)
			continue;
		if (!t->stopped)
			return false;
		any = true;
	}
	return any;
}

void process_stop_check(struct process *p)
{
	if (!p->stop_signal || p->stop_complete || p->state != PROCESS_LIVE || !all_stopped(p))
		return;
	p->stop_complete = true;
	p->report_stop = true;
	p->report_continue = false;
	process_publish(p);
	child_changed(p, LX_CLD_STOPPED, (int)p->stop_signal);
}

void process_stop(struct process *p, int sig)
{
	if (p->stop_signal || p->state != PROCESS_LIVE)
		return;
	p->stop_signal = (uint32_t)sig;
	p->stop_complete = false;
	list_for(l, &p->threads)
		signal_recheck(container_of(l, struct thread, link));
}

void process_continue(struct process *p)
{
	bool was_stopped = p->stop_complete;

	if (!p->stop_signal)
		return;
	p->stop_signal = 0;
	p->stop_complete = false;
	if (was_stopped) {
		p->report_stop = false;
		p->report_continue = true;
		process_publish(p);
		child_changed(p, LX_CLD_CONTINUED, LX_SIGCONT);
	}
	list_for_safe(l, &p->threads) {
		struct thread *t = container_of(l, struct thread, link);
		struct srv_parked *held = t->stopped;
		struct k_message m;
		int64_t result;
		bool changed;

		if (!held)
			continue;
		m = held->message;
		result = (int64_t)held->value[0];
		changed = held->value[1];
		t->stopped = NULL;
		srv_unpark(held);
		if (changed)
			signal_visit_changed(t, &m);
		else
			signal_visit(t, &m, result);
	}
}

/* Something else is due for a stopped thread: it waits until the process continues. A dead one is let go. */
static void stopped_cancel(struct srv_parked *held, bool dead)
{
	struct thread *t = held->arg;

	if (!dead)
		return;
	t->stopped = NULL;
	srv_unpark(held);
}

bool thread_stop(struct thread *t, const struct k_message *m, int64_t result, bool changed)
{
	struct srv_parked *held = srv_park(m, stopped_cancel);

	if (!held)
		return false;
	held->arg = t;
	held->value[0] = (uint64_t)result;
	held->value[1] = changed;
	t->stopped = held;
	process_stop_check(t->process);
	return true;
}
