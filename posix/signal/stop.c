/*
 * Stopping and continuing a process.
 *
 * A stopped thread is one whose visit (signal_visit) is held. The process counts as stopped when
 * all its threads are held so, and then its parent hears of it. A thread that waits for its vfork
 * child does not count: it runs nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/signal/signal.h"

#include <stdlib.h>

#include "posix/proc/wait.h"

/* What a visit had made of the registers before it was held. */
struct held_regs {
	struct k_regs regs;
	bool reset_fpu;
};

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
		struct held_regs *changed, copy;
		struct k_message m;
		int64_t result;

		if (!held)
			continue;
		m = held->message;
		result = (int64_t)held->value[0];
		changed = (struct held_regs *)(uintptr_t)held->value[1];
		if (changed)
			copy = *changed;
		thread_stop_end(t);
		if (changed)
			signal_visit_changed(t, &m, &copy.regs, copy.reset_fpu);
		else
			signal_visit(t, &m, result);
	}
}

void thread_stop_end(struct thread *t)
{
	free((void *)(uintptr_t)t->stopped->value[1]);
	srv_unpark(t->stopped);
	t->stopped = NULL;
}

/*
 * Something else is due for a stopped thread: it waits until the process continues. A dead one is
 * let go.
 */
static void stopped_cancel(struct srv_parked *held, bool dead)
{
	if (dead)
		thread_stop_end(held->arg);
}

bool thread_stop(struct thread *t, const struct k_message *m, int64_t result,
		 const struct k_regs *regs, bool reset_fpu)
{
	struct held_regs *changed = regs ? malloc(sizeof *changed) : NULL;
	struct srv_parked *held = !regs || changed ? srv_park(m, stopped_cancel) : NULL;

	if (!held) {
		free(changed);
		return false;
	}
	if (changed)
		*changed = (struct held_regs){ *regs, reset_fpu };
	held->arg = t;
	held->value[0] = (uint64_t)result;
	held->value[1] = (uintptr_t)changed;
	t->stopped = held;
	process_stop_check(t->process);
	return true;
}
