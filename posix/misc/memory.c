/*
 * Memory has run out: somebody must go.
 *
 * The victim is the process that holds most, weighed by its oom_score_adj, as on Linux: -1000
 * exempts. Servers are no processes and so never victims; the first process is not either. The one
 * whose fault could not be met tries again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/misc/memory.h"

#include <stdlib.h>

#include "posix/misc/system.h"
#include "posix/proc/exit.h"

/* Ns: what a dying process holds takes a moment to come back */
#define RETRY_AFTER 20000000ll

int64_t memory_badness(int64_t pages, int adjustment, int64_t total_pages)
{
	int64_t points;

	if (adjustment == -1000)
		return 0;
	points = pages + adjustment * (total_pages / 1000);
	return points > 0 ? points : 1;
}

int64_t process_badness(const struct process *p)
{
	static struct k_system_info system;
	struct k_task_info info;

	if (p == process_init || p->task < 0 || k_task_info(p->task, &info) < 0 ||
	    k_system_info(&system) < 0)
		return 0;
	return memory_badness((int64_t)(info.resident / 4096), p->oom_score_adj,
			      (int64_t)(system.memory_total / 4096));
}

/* A process that is dying already will give its memory back: no second victim meanwhile. */
static bool one_is_dying(void)
{
	list_for(l, &process_list) {
		const struct process *p = container_of(l, struct process, link);

		if (p->state == PROCESS_DYING)
			return true;
	}
	return false;
}

static struct process *victim_choose(int64_t *badness)
{
	struct process *victim = NULL;

	*badness = 0;
	list_for(l, &process_list) {
		struct process *p = container_of(l, struct process, link);
		int64_t b = p->state == PROCESS_LIVE ? process_badness(p) : 0;

		if (b > *badness) {
			*badness = b;
			victim = p;
		}
	}
	return victim;
}

struct retry {
	struct srv_timer timer;
	struct srv_parked *parked;
};

static void retry_end(struct srv_parked *p, bool answer)
{
	struct retry *r = p->arg;
	struct thread *t = thread_of(&p->message);
	uint64_t call = p->message.call;

	if (t)
		t->waiting = NULL;
	srv_timer_cancel(&r->timer);
	free(r);
	srv_unpark(p);
	if (!answer)
		return;
	srv_answer(call, 0);
	srv_answer_flags(K_ANSWER_RESUME);
}

static void retry_fired(struct srv_timer *timer)
{
	retry_end(timer->arg, true);
}

static void retry_cancel(struct srv_parked *p, bool dead)
{
	retry_end(p, !dead);
}

/* The caller tries again a little later; at once if even that cannot be remembered. */
static void retry_later(const struct k_message *m)
{
	struct retry *r = calloc(1, sizeof *r);
	struct srv_parked *p = r ? srv_park(m, retry_cancel) : NULL;
	struct thread *t = thread_of(m);

	if (!p) {
		free(r);
		srv_answer(m->call, 0);
		srv_answer_flags(K_ANSWER_RESUME);
		return;
	}
	p->arg = r;
	r->timer.fn = retry_fired;
	r->timer.arg = p;
	if (t)
		t->waiting = p;
	srv_timer_set(&r->timer, srv_now() + RETRY_AFTER);
}

void memory_short(const struct k_message *m)
{
	struct process *victim;
	int64_t badness;

	if (!one_is_dying()) {
		victim = victim_choose(&badness);
		if (victim) {
			srv_log("out of memory: killed process %u (%s), %ld KiB, oom_score_adj %d",
				victim->pid, victim->comm, (long)badness * 4,
				victim->oom_score_adj);
			process_kill(victim, LX_SIGKILL);
		}
	}
	/* the victim may be the caller himself: then he is not held any more */
	if (thread_of(m) && thread_of(m)->dying)
		return;
	retry_later(m);
}
