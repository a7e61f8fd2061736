/* SPDX-License-Identifier: MIT */
/*
 * Threads: birth, death, waiting, interruption, and the work that stands between a thread and user
 * mode.
 *
 * The thread table gives each thread a slot; a call id is the slot and a sequence number, so
 * finding the caller of a call is one index and one comparison.
 */
#include "core/thread.h"
#include "arch/fpu.h"
#include "core/account.h"
#include "core/endpoint.h"
#include "core/handle.h"
#include "core/routes.h"
#include "core/sched.h"
#include "core/syscall.h"
#include "core/task.h"
#include "core/timer.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/space.h"

#define THREADS_MAX 65536u

HOT_DATA struct thread **thread_table;
HOT_DATA uint32_t thread_capacity, thread_mask;
static uint32_t thread_hint;

static int slot_alloc(uint32_t *out)
{
	for (;;) {
		for (uint32_t i = 0; i < thread_capacity; i++) {
			uint32_t s = (thread_hint + i) % thread_capacity;

			if (!thread_table[s]) {
				thread_hint = s + 1;
				*out = s;
				return 0;
			}
		}
		uint32_t capacity = thread_capacity ? thread_capacity * 2 : 256;
		struct thread **t = capacity <= THREADS_MAX ? kzalloc(capacity * sizeof(*t)) : NULL;

		if (!t)
			return -EAGAIN;
		if (thread_capacity)
			memcpy(t, thread_table, thread_capacity * sizeof(*t));
		kfree(thread_table);
		thread_hint = thread_capacity;
		thread_table = t;
		thread_capacity = capacity;
		thread_mask = capacity - 1;
	}
}

/* Each server has few threads and an account of its own; those that share one count it once. */
uint64_t thread_server_frames(void)
{
	uint64_t frames = 0;

	for (uint32_t i = 0; i < thread_capacity; i++) {
		struct thread *t = thread_table[i];
		uint32_t j = 0;

		if (!t || !t->task || !(t->flags & THREAD_SERVER))
			continue;
		while (j < i && !(thread_table[j] && thread_table[j]->flags & THREAD_SERVER &&
				  thread_table[j]->task->account == t->task->account))
			j++;
		if (j == i)
			frames += t->task->account->frames;
	}
	return frames;
}

static void cancel_fill(struct notice *n, struct k_message *m)
{
	struct thread *t = container_of(n, struct thread, cancel);

	m->kind = K_MSG_CANCEL;
	m->call = t->cancel_call;
	m->tid = t->tid;
	m->extra[0] = t->cancel_dead;
	object_put(&t->object);
}

int thread_create(struct task *task, struct routes *routes, struct thread **out)
{
	struct account *a = task->account;
	struct thread *t;
	uint32_t slot;

	if (a->limit.threads && a->threads >= a->limit.threads)
		return -EAGAIN;
	t = kzalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	if (slot_alloc(&slot)) {
		kfree(t);
		return -EAGAIN;
	}
	object_init(&t->object, K_OBJECT_THREAD);
	t->slot = slot;
	thread_table[slot] = t;
	t->state = THREAD_NEW;
	t->task = task;
	t->space = space_arch(task->space);
	object_get(&task->object);
	list_append(&task->threads, &t->task_link);
	task->thread_count++;
	a->threads++;
	t->routes = routes;
	object_get(&routes->object);
	t->number = -1;
	t->cpu = -1;
	t->affinity = UINT64_MAX;
	t->inbox_generation = INBOX_NONE;
	t->priority = K_PRIORITY_USER;
	t->flags = task->server ? THREAD_SERVER : 0;
	list_init(&t->waiter.node);
	t->waiter.thread = t;
	list_init(&t->call_link);
	list_init(&t->run_link);
	timer_init(t);
	notice_init(&t->cancel, cancel_fill);
	notice_init(&t->overdue, overdue_fill);
	arch_frame_init(&t->frame, 0, 0);
	memcpy(t->name, task->name, sizeof(t->name));
	object_get(&t->object);		/* its life: dropped when it has exited */
	*out = t;
	return 0;
}

int thread_fpu_attach(struct thread *t)
{
	void *area;

	if (t->frame.fpu)
		return 0;
	area = kzalloc(arch_fpu_size());
	if (!area)
		return -ENOMEM;
	arch_fpu_init(area);
	arch_fpu_attach(&t->frame, area);
	return 0;
}

int thread_fpu_copy(struct thread *to, struct thread *from)
{
	int r;

	if (!from->frame.fpu)
		return 0;
	r = thread_fpu_attach(to);
	if (r)
		return r;
	arch_fpu_save(&from->frame);
	memcpy(to->frame.fpu, from->frame.fpu, arch_fpu_size());
	arch_fpu_reload(&to->frame);
	return 0;
}

/* The last reference is gone; a thread that was never started has still to leave its task. */
void thread_destroy(struct object *o)
{
	struct thread *t = thread_of(o);

	ASSERT(t->state == THREAD_DEAD);
	kfree(t);
}

/* Frees everything but the struct itself. */
RARELY void thread_retire(struct thread *t)
{
	struct task *task = t->task;
	bool started = t->state != THREAD_NEW;	/* else its creation failed half-way */

	call_forget(t);
	call_release(t);
	progress_end(t);
	timer_disarm(t);
	sched_drop_current(t);
	arch_frame_drop(&t->frame);
	kfree(t->frame.fpu);
	t->frame.fpu = NULL;
	t->state = THREAD_DEAD;
	t->call = 0;
	thread_table[t->slot] = NULL;
	if (t->serving) {
		endpoint_requeue_held(t->serving, t->lender_call);
		object_put(&t->serving->object);
		t->serving = NULL;
	}
	if (t->hook)
		object_put(&t->hook->object);
	t->hook = NULL;
	if (t->old_space)
		object_put(space_object(t->old_space));
	t->old_space = NULL;
	object_put(&t->routes->object);
	task_thread_gone(task, t, started);
	t->task = NULL;
	object_put(&t->object);		/* its life */
}

/* --- progress and waiting ----------------------------------------------------------------- */

void progress_clear(struct thread *t)
{
	struct progress *p = &t->progress;

	timer_disarm(t);
	if (p->release)
		p->release(t);
	memset(p, 0, sizeof(*p));
}

static void waiter_detach(struct thread *t)
{
	list_remove(&t->waiter.node);
}

/* It would have waited: what its operation returns instead. */
static RARELY int64_t wait_stopped(struct thread *t, int class)
{
	if (!t->op)
		return OP_PREEMPT;
	if (t->progress.finish_on_interrupt && !t->progress.interrupted) {
		t->progress.interrupted = true;
		return OP_PREEMPT;
	}
	return t->progress.done ? (int64_t)t->progress.done : -class;
}

int64_t wait_forever(struct thread *t, enum k_wait why, int class, void (*detach)(struct thread *t))
{
	t->wait_class = class;
	/*
	 * An event is sticky, it is tested before blocking. It waits while a page for the kept
	 * message is brought in.
	 */
	if (unlikely(t->flags & (THREAD_EVENT | THREAD_KILLED)) &&
	    (t->flags & THREAD_KILLED || !(t->flags & THREAD_REDELIVER))) {
		detach(t);
		return wait_stopped(t, class);
	}
	t->wait_why = why;
	t->wait_detach = detach;
	t->state = THREAD_BLOCKED;
	t->voluntary++;
	return OP_BLOCK;
}

int64_t wait_custom(struct thread *t, enum k_wait why, int class, void (*detach)(struct thread *t))
{
	int64_t r = wait_forever(t, why, class, detach);

	if (r == OP_BLOCK && t->progress.active && t->progress.deadline != K_FOREVER &&
	    t->progress.deadline > 0)
		timer_arm(t, t->progress.deadline);
	return r;
}

int64_t wait_on(struct thread *t, struct wait_queue *q, enum k_wait why, int class)
{
	list_append(&q->waiters, &t->waiter.node);
	return wait_custom(t, why, class, waiter_detach);
}

/* Out of all wait queues and timers; the state is the caller's to change. */
static void thread_unwait(struct thread *t)
{
	void (*detach)(struct thread *) = t->wait_detach;

	t->wait_detach = NULL;
	t->wait_why = K_WAIT_NONE;
	timer_disarm(t);
	if (detach)
		detach(t);
}

/*
 * What a woken thread does first. One that waited for the sake of its kept message has no operation
 * under way.
 */
static void thread_resume_work(struct thread *t)
{
	thread_unwait(t);
	if (t->op && !(t->flags & THREAD_REDELIVER))
		t->flags |= THREAD_RESTART;
}

void thread_wake(struct thread *t)
{
	if (t->state == THREAD_HELD)	/* the deadline was that of its cancel */
		call_overdue(t);
	if (t->state != THREAD_BLOCKED)
		return;
	thread_resume_work(t);
	sched_ready(t);
}

void thread_wake_next(struct thread *t)
{
	ASSERT(t->state == THREAD_BLOCKED);
	thread_resume_work(t);
	sched_next(t);
}

void thread_complete(struct thread *t, int64_t result)
{
	if (t->state != THREAD_BLOCKED)
		return;
	thread_unwait(t);
	op_finish(t, result);
	/* else its end has sent it somewhere, maybe even back again */
	if (t->state == THREAD_BLOCKED)
		sched_ready(t);
}

int wait_queue_wake(struct wait_queue *q, int n)
{
	int woken = 0;

	while (woken < n && !list_empty(&q->waiters)) {
		struct waiter *w = list_first(&q->waiters, struct waiter, node);

		list_remove(&w->node);
		thread_wake(w->thread);
		woken++;
	}
	return woken;
}

/* A blocked thread has an event or is killed: its operation ends as an interrupted one. */
static void thread_interrupt(struct thread *t)
{
	thread_unwait(t);
	if (t->op && !(t->flags & THREAD_KILLED)) {
		if (t->progress.finish_on_interrupt && !t->progress.interrupted) {
			t->progress.interrupted = true;
			t->flags |= THREAD_RESTART;
		} else {
			op_finish(t, t->progress.done ? (int64_t)t->progress.done : -t->wait_class);
		}
	}
	if (t->state == THREAD_BLOCKED)
		sched_ready(t);
}

/* --- events and death --------------------------------------------------------------------- */

/* A system call that no server has looked at can be taken back as if it had never been made. */
static bool call_is_fresh(const struct thread *t)
{
	return t->message.kind == K_MSG_CALL &&
	       !(t->message.flags & (K_MSGF_DECLINED | K_MSGF_FORWARDED | K_MSGF_REDELIVERED));
}

void thread_event(struct thread *t)
{
	t->flags |= THREAD_EVENT;
	switch (t->state) {
	case THREAD_RUNNING:
		sched_poke(t);
		break;
	case THREAD_BLOCKED:
		if (!(t->flags & THREAD_REDELIVER))
			thread_interrupt(t);
		break;
	case THREAD_QUEUED:
		if (call_is_fresh(t) && t->endpoint != t->routes->home[0]) {
			call_detach(t);
			call_finish(t, -K_RESTART_ALWAYS, K_ANSWER_RESULT);
		}
		break;
	case THREAD_HELD:
		if (call_may_wait(t))
			call_cancel(t, false);
		break;
	default:
		break;
	}
}

void thread_kill(struct thread *t)
{
	if (t->flags & (THREAD_KILLED | THREAD_EXITING) || t->state == THREAD_DEAD)
		return;
	if ((t->state == THREAD_HELD || t->state == THREAD_QUEUED) &&
	    t->message.kind == K_MSG_THREAD_DEAD)
		return;
	t->flags |= THREAD_KILLED;
	switch (t->state) {
	case THREAD_RUNNING:
		sched_poke(t);
		break;
	case THREAD_BLOCKED:
		thread_interrupt(t);
		break;
	case THREAD_HELD:
		call_cancel(t, true);
		/* fall through */
	case THREAD_QUEUED:
		call_detach(t);
		call_release(t);
		sched_ready(t);
		break;
	case THREAD_NEW:
		sched_ready(t);
		break;
	default:
		break;
	}
}

/* The thread sends a message about itself to home 0; without one it has nobody to ask and exits. */
void thread_visit(struct thread *t, enum k_message_kind kind)
{
	struct endpoint *home = t->routes->home[0];

	if (!home) {
		t->flags |= THREAD_EXITING;
		return;
	}
	message_begin(t, kind);
	call_send(t, home);
}

static void work_die(struct thread *t)
{
	t->flags &=
		~(THREAD_KILLED | THREAD_EVENT | THREAD_RESTART | THREAD_REDELIVER | THREAD_HOOK);
	progress_end(t);
	t->op = 0;
	call_forget(t);
	thread_visit(t, K_MSG_THREAD_DEAD);
}

static void work_exit(struct thread *t)
{
	if (task_leave(t) == OP_PREEMPT) {
		cpu_self()->resched = true;
		return;
	}
	thread_retire(t);
}

static void work_old_space(struct thread *t)
{
	if (t->old_space && space_object(t->old_space)->references == 1 &&
	    space_clear(t->old_space) == OP_PREEMPT) {
		cpu_self()->resched = true;
		return;
	}
	t->flags &= ~THREAD_OLD_SPACE;
	if (t->old_space)
		object_put(space_object(t->old_space));
	t->old_space = NULL;
}

/* A server found a page of ours absent: bring it in, then the kept message goes out again. */
static void work_redeliver(struct thread *t)
{
	int64_t r = space_fault(t, t->need_page & ~1ul, t->need_page & 1, false);

	if (r == OP_BLOCK)
		return;
	if (r == OP_PREEMPT) {
		cpu_self()->resched = true;
		return;
	}
	if (r == OP_MEMORY) {
		call_set_aside(t);
		thread_visit(t, K_MSG_MEMORY);
		return;
	}
	t->flags &= ~THREAD_REDELIVER;
	t->message.flags |= K_MSGF_REDELIVERED;
	call_resend(t);
}

static void work_event(struct thread *t)
{
	struct k_message *m = &t->message;

	t->flags &= ~THREAD_EVENT;
	message_begin(t, K_MSG_EVENT);
	m->number = -1;
	if (t->number >= 0 && arch_frame_in_syscall(&t->frame)) {
		m->flags |= K_MSGF_IN_SYSCALL;
		m->number = t->number;
		m->extra[0] = (uint64_t)arch_frame_result(&t->frame);
	}
	if (t->routes->home[0])
		call_send(t, t->routes->home[0]);
	else
		t->flags |= THREAD_EXITING;
}

void thread_work(struct thread *t)
{
	if (t->flags & THREAD_EXITING)
		work_exit(t);
	else if (t->flags & THREAD_KILLED)
		work_die(t);
	else if (t->flags & THREAD_OLD_SPACE)
		work_old_space(t);
	else if (t->flags & THREAD_REDELIVER)
		work_redeliver(t);
	else if (t->flags & THREAD_RESTART) {
		t->flags &= ~THREAD_RESTART;
		syscall_run(t);
	} else if (t->flags & THREAD_EVENT)
		work_event(t);
}
