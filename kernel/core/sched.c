/* SPDX-License-Identifier: MIT */
/* The kernel lock, ready queues, slices and the way out of the kernel. See sched.h. */
#include "core/sched.h"
#include "arch/switch.h"
#include "arch/time.h"
#include "core/endpoint.h"
#include "core/timer.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/reclaim.h"
#include "mm/space.h"

#define SLICE_NS 6000000	/* of a thread with nice 0 */
#define SLICE_MIN_NS 1000000
#define WORK_SLICE_NS 200000	/* of kernel work while somebody is ready to run */
#define WORK_SLICE_ALONE_NS 500000
/* Pieces of work on the way out of the kernel, before interrupts are let in */
#define ROUNDS_MAX 64
#define LOCK_PATIENCE 64	/* rounds of spinning */

HOT_DATA bool kernel_smp;

/* behind HOT_DATA, since they are many */
static __attribute__((section(".data.hot.cpus"))) struct cpu cpus[ARCH_CPU_MAX];
HOT_DATA static unsigned cpu_count;
HOT_DATA static struct list ready_queue[K_PRIORITIES];
HOT_DATA static uint32_t ready_mask, ready_count;
/* the CPU whose timer follows the earliest deadline */
HOT_DATA static unsigned timer_cpu;
HOT_DATA static uint64_t load_ns, load_since;	/* integral of runnable threads */
HOT_DATA uint32_t lock_word;
HOT_DATA static uint32_t lock_wanted;

/*
 * Waits until *word is 0, but not longer than `limit` rounds. In each pause an emulator may run
 * another CPU in our place.
 */
static void lock_spin(const uint32_t *word, unsigned limit)
{
	for (unsigned i = 1; i < limit && __atomic_load_n(word, __ATOMIC_RELAXED); i++) {
		arch_tlb_serve();
		if (i % LOCK_PATIENCE == 0)
			arch_relax();
	}
}

/*
 * Not quite fair, so that a CPU that the host has put aside stops nobody; but who has waited for
 * long goes first.
 */
void lock_take(void)
{
	if (__builtin_expect(__atomic_load_n(&lock_wanted, __ATOMIC_RELAXED), 0))
		lock_spin(&lock_wanted, 4 * LOCK_PATIENCE);
	if (__builtin_expect(!__atomic_exchange_n(&lock_word, 1, __ATOMIC_ACQUIRE), 1))
		return;
	do {
		lock_spin(&lock_word, LOCK_PATIENCE + 1);
		if (__atomic_load_n(&lock_word, __ATOMIC_RELAXED))
			__atomic_store_n(&lock_wanted, 1, __ATOMIC_RELAXED);
	} while (__atomic_exchange_n(&lock_word, 1, __ATOMIC_ACQUIRE));
	__atomic_store_n(&lock_wanted, 0, __ATOMIC_RELAXED);
}

int64_t time_now(void)
{
	return (int64_t)arch_time_ns();
}

struct thread *thread_current(void)
{
	return cpu_self()->current;
}

void sched_init(void)
{
	for (int p = 0; p < K_PRIORITIES; p++)
		list_init(&ready_queue[p]);
}

void sched_cpu_online(unsigned index)
{
	struct cpu *c = &cpus[index];

	c->index = index;
	c->armed = K_FOREVER;
	c->slice_end = K_FOREVER;
	c->switch_time = time_now();
	c->switch_long = !arch_cpu_self()->switch_plain;
	arch_cpu_self()->kernel_cpu = c;
	if (index >= cpu_count)
		cpu_count = index + 1;
}

/* --- queues ------------------------------------------------------------------------------- */

static void load_account(void)
{
	uint64_t now = arch_time_ns();
	uint32_t busy = ready_count;

	for (unsigned i = 0; i < cpu_count; i++)
		busy += cpus[i].current && cpus[i].current->priority <= K_PRIORITY_USER;
	load_ns += (now - load_since) * busy;
	load_since = now;
}

static void queue_insert(struct thread *t)
{
	struct list *q = &ready_queue[t->priority];

	load_account();
	t->state = THREAD_READY;
	if (t->flags & THREAD_PREEMPTED)
		list_prepend(q, &t->run_link);
	else
		list_append(q, &t->run_link);
	t->flags &= ~THREAD_PREEMPTED;
	ready_mask |= 1u << t->priority;
	ready_count++;
}

static void queue_remove(struct thread *t)
{
	load_account();
	list_remove(&t->run_link);
	ready_count--;
	if (list_empty(&ready_queue[t->priority]))
		ready_mask &= ~(1u << t->priority);
}

static void cpu_kick(struct cpu *c)
{
	c->resched = true;
	if (c == cpu_self() || c->kicked)
		return;
	c->kicked = true;
	arch_ipi_reschedule(c->index);
}

/*
 * Finds a CPU that should look at t: an idle one (the last it ran on first), or one with less
 * urgent work.
 */
static void cpu_find_for(struct thread *t)
{
	struct cpu *victim = NULL;

	if (t->cpu >= 0 && cpus[t->cpu].idle && !cpus[t->cpu].kicked &&
	    may_run_on(t, (unsigned)t->cpu)) {
		cpu_kick(&cpus[t->cpu]);
		return;
	}
	for (unsigned i = 0; i < cpu_count; i++) {
		struct cpu *c = &cpus[i];

		if (!may_run_on(t, i))
			continue;
		if (c->idle && !c->kicked) {
			cpu_kick(c);
			return;
		}
		c->timer_stale = true;
		if (c->current && c->current->priority < t->priority &&
		    (!victim || c == cpu_self()))
			victim = c;
	}
	if (victim)
		cpu_kick(victim);
	else if (!may_run_on(t, cpu_self()->index))
		cpu_kick(&cpus[__builtin_ctzll(
			t->affinity)]); /* that it arms its timer for the slice's end */
}

void sched_ready(struct thread *t)
{
	queue_insert(t);
	cpu_find_for(t);
}

void sched_next_with_care(struct thread *t)
{
	struct cpu *c = cpu_self();

	if (!may_run_on(t, c->index)) {
		sched_ready(t);
		return;
	}
	if (c->next)
		sched_ready(c->next);
	t->state = THREAD_READY;
	c->next = t;
}

void sched_unready(struct thread *t)
{
	for (unsigned i = 0; i < cpu_count; i++) {
		if (cpus[i].next == t) {
			cpus[i].next = NULL;
			return;
		}
	}
	queue_remove(t);
}

void sched_poke(struct thread *t)
{
	for (unsigned i = 0; i < cpu_count; i++) {
		if (cpus[i].current != t)
			continue;
		cpus[i].timer_stale = true;
		cpu_kick(&cpus[i]);
	}
}

/* --- time --------------------------------------------------------------------------------- */

static RARELY int64_t slice_of(const struct thread *t)
{
	int64_t s = SLICE_NS;

	for (int n = t->nice; n < 0; n += 5)
		s *= 2;
	for (int n = t->nice; n > 0; n -= 5)
		s /= 2;
	return s < SLICE_MIN_NS ? SLICE_MIN_NS : s;
}

static inline void account_time(struct thread *t, uint64_t ns)
{
	struct thread *lender = t->lender_call ? thread_by_call(t->lender_call) : NULL;

	if (lender)
		lender->system_ns += ns;
	else
		t->user_ns += ns;
}

void sched_thread_time(struct thread *t, uint64_t *user_ns, uint64_t *system_ns)
{
	*user_ns = t->user_ns;
	*system_ns = t->system_ns;
	for (unsigned i = 0; i < cpu_count; i++)
		if (cpus[i].current == t && !t->lender_call)
			*user_ns += (uint64_t)(time_now() - cpus[i].switch_time);
}

void sched_timer_changed(void)
{
	if (!cpu_self())
		return;
	timer_cpu = cpu_self()->index;
	cpu_self()->timer_stale = true;
}

static RARELY void cpu_timer_update(struct cpu *c)
{
	int64_t want = K_FOREVER;

	c->timer_stale = false;
	if (c->current && ready_mask >> c->current->priority)
		want = c->slice_end;
	if (c->current && c->current->event_cpu_ns) {
		uint64_t used = c->current->user_ns + c->current->system_ns;
		uint64_t left =
			c->current->event_cpu_ns > used ? c->current->event_cpu_ns - used : 0;

		if (c->switch_time + (int64_t)left < want)
			want = c->switch_time + (int64_t)left;
	}
	if (c->index == timer_cpu && timer_next() < want)
		want = timer_next();
	if (want == c->armed)
		return;
	c->armed = want;
	if (want == K_FOREVER)
		arch_timer_disarm();
	else
		arch_timer_arm((uint64_t)want);
}

/* A thread with a CPU-time event (limits, virtual timers) gets it when the time has come. */
static void cpu_event_check(struct thread *t)
{
	uint64_t user, system;

	if (!t || !t->event_cpu_ns)
		return;
	sched_thread_time(t, &user, &system);
	if (user + system >= t->event_cpu_ns) {
		t->event_cpu_ns = 0;
		t->flags &= ~THREAD_CPU_EVENT;
		t->flags |= THREAD_EVENT;
	}
}

void sched_timer_interrupt(void)
{
	struct cpu *c = cpu_self();
	int64_t now = time_now();

	c->armed = K_FOREVER;
	c->timer_stale = true;
	cpu_event_check(c->current);
	timer_expire(now);
	if (timer_next() != K_FOREVER)
		timer_cpu = c->index;
	if (c->current && now >= c->slice_end)
		c->slice_over = c->resched = true;
}

/*
 * Nobody else gets the kernel lock and no interrupt comes in before long work gives way, so it
 * always must.
 */
bool preempt_needed(void)
{
	struct cpu *c = cpu_self();

	if (time_now() - c->switch_time < (ready_mask ? WORK_SLICE_NS : WORK_SLICE_ALONE_NS))
		return false;
	c->breathe = true;
	return true;
}

/* --- switching ---------------------------------------------------------------------------- */

/*
 * t runs on c from now on, after old (or NULL); the registers are the caller's to switch. blocked:
 * old made way by itself, else cpu_preempt() has said what is left of its slice.
 */
static inline __attribute__((always_inline)) void cpu_run(struct cpu *c, struct thread *old,
							  bool blocked, struct thread *t)
{
	int64_t now = time_now(), left;

	if (old) {
		account_time(old, (uint64_t)(now - c->switch_time));
		if (blocked)
			old->slice_left = c->slice_end - now;
	}
	left = t->slice_left;
	if (unlikely(left <= 0))
		t->slice_left = left = slice_of(t);
	c->switch_time = now;
	c->slice_end = now + left;
	c->current = t;
	c->switches++;
	t->state = THREAD_RUNNING;
	t->cpu = (int)c->index;
}

/*
 * A timer that fires too early for the thread that c runs now does no harm, so it stays; one that
 * would be too late is set anew.
 */
static inline bool timer_late(const struct cpu *c, uint32_t waiting)
{
	return unlikely(waiting) && c->slice_end < c->armed;
}

/*
 * CPUs that run no more urgent a thread than t, and had no competition so far, arm their timers for
 * the slice's end.
 */
static void slices_end(const struct cpu *self, const struct thread *t)
{
	for (unsigned i = 0; i < cpu_count; i++) {
		struct cpu *c = &cpus[i];

		if (c == self || !c->current || c->current->priority > t->priority ||
		    c->armed <= c->slice_end)
			continue;
		c->timer_stale = true;
		cpu_kick(c);
	}
}

/* The current thread, still runnable, has to wait. */
static void cpu_preempt(struct cpu *c, struct thread *t)
{
	t->involuntary++;
	t->slice_left = c->slice_over ? 0 : c->slice_end - time_now();
	if (!c->slice_over)
		t->flags |= THREAD_PREEMPTED;
	queue_insert(t);
	if (c->slice_over)
		slices_end(c, t);
}

static struct thread *queue_take(struct cpu *c, int above)
{
	for (uint32_t mask = ready_mask; mask; ) {
		int p = 31 - __builtin_clz(mask);

		if (p <= above)
			return NULL;
		list_for(it, &ready_queue[p]) {
			struct thread *t = container_of(it, struct thread, run_link);

			if (may_run_on(t, c->index)) {
				queue_remove(t);
				return t;
			}
		}
		mask &= ~(1u << p);
	}
	return NULL;
}

/* Nobody in a queue (`waiting`: those that are not empty) has a better claim to the CPU than n. */
static inline bool goes_first(const struct thread *n, uint32_t waiting)
{
	uint32_t rivals = waiting >> n->priority;

	return !rivals || (rivals == 1 && n->slice_left > 0);
}

/* Decides who runs on c now; NULL: nobody. */
static struct thread *cpu_choose(struct cpu *c)
{
	struct thread *t = c->current, *n = c->next;
	int floor = -1;

	c->resched = false;
	c->next = NULL;
	if (t && t->state == THREAD_RUNNING && !may_run_on(t, c->index)) {
		cpu_preempt(c, t);
		cpu_find_for(t);
	}
	if (t && t->state == THREAD_RUNNING)
		floor = t->priority - c->slice_over;
	if (n && n->priority > floor && goes_first(n, ready_mask)) {
		if (t && t->state == THREAD_RUNNING)
			cpu_preempt(c, t);
	} else {
		if (n)
			sched_ready(n);
		n = queue_take(c, floor);
		if (!n && t && t->state == THREAD_RUNNING) {
			if (c->slice_over) {
				c->slice_over = false;
				t->slice_left = slice_of(t);
				c->slice_end = time_now() + t->slice_left;
			}
			return t;
		}
		if (n && t && t->state == THREAD_RUNNING)
			cpu_preempt(c, t);
	}
	if (n && n != t) {
		cpu_run(c, t, t && t->state != THREAD_READY, n);
		c->slice_over = false;
		c->timer_stale |= timer_late(c, ready_mask) || n->event_cpu_ns;
		arch_switch(&n->frame);
	} else if (n) {
		t->state = THREAD_RUNNING;
	}
	return n;
}

/* again: somebody has work, this is only to let interrupts and other CPUs in. */
static _Noreturn void cpu_idle(struct cpu *c, bool again)
{
	int64_t now = time_now();

	if (c->current) {
		account_time(c->current, (uint64_t)(now - c->switch_time));
		c->current->slice_left = c->slice_end - now;
	}
	load_account();
	c->current = NULL;
	c->switch_time = now;
	c->idle = true;
	c->kicked = again;
	arch_switch(NULL);
	if (kernel_smp && !again) {
		arch_idle_prepare(c->bereft);
		c->bereft = false;
	}
	cpu_timer_update(c);
	if (again)
		arch_ipi_reschedule(c->index);
	kernel_unlock();
	arch_idle();
}

/*
 * This CPU has worked in the kernel for long enough. It goes on as soon as everybody else had a
 * chance.
 */
static _Noreturn void cpu_breathe(struct cpu *c)
{
	struct thread *t = c->current, *n = c->next;

	if (t && t->state == THREAD_RUNNING) {
		if (!c->slice_over)
			t->flags |= THREAD_PREEMPTED;
		queue_insert(t);
	}
	c->next = NULL;
	if (n)
		sched_ready(n);
	cpu_idle(c, true);
}

static _Noreturn RARELY void exit_long(struct cpu *c)
{
	struct thread *t;

	for (unsigned rounds = 1;; rounds++) {
		t = c->current;
		if (c->breathe || rounds % ROUNDS_MAX == 0) {
			c->breathe = false;
			if (!t || t->state != THREAD_RUNNING || t->flags & THREAD_WORK)
				cpu_breathe(c);
		}
		if (!t || t->state != THREAD_RUNNING || c->next || c->resched)
			t = cpu_choose(c);
		if (!t) {
			if (endpoint_flush_lazy())
				continue;
			cpu_idle(c, mm_reap());
		}
		/* its space may already be without tables */
		if (!(t->flags & THREAD_EXITING))
			arch_space_switch(arch_cpu_self(), t->space);
		if (!(t->flags & THREAD_WORK))
			break;
		thread_work(t);
	}
	if (c->timer_stale)
		cpu_timer_update(c);
	kernel_unlock();
	arch_resume(&t->frame);
}

/* t has made way for n; `waiting` are the queues that are not empty. */
static inline __attribute__((always_inline)) _Noreturn void
exit_switch(struct cpu *c, struct arch_cpu *cpu, struct thread *t, struct thread *n,
	    uint32_t waiting)
{
	c->next = NULL;
	cpu_run(c, t, true, n);
	arch_switch_plain(cpu, &t->frame, &n->frame);
	if (timer_late(c, waiting)) {
		c->timer_stale = true;
		exit_long(c);
	}
	arch_space_switch(cpu, n->space);
	kernel_unlock();
	arch_resume(&n->frame);
}

/* The same where somebody waits for the CPU. */
static _Noreturn RARELY void exit_contended(struct cpu *c, struct thread *t, struct thread *n)
{
	if (!goes_first(n, ready_mask))
		exit_long(c);
	exit_switch(c, arch_cpu_self(), t, n, ready_mask);
}

/*
 * The end of nearly every call and answer: one thread has made way for another, and nothing else is
 * due.
 */
_Noreturn WHOLE void kernel_exit_call(struct cpu *c, struct thread *t)
{
	struct arch_cpu *cpu = arch_cpu_self();
	struct thread *n = c->next;

	if (unlikely(!n || c->due_switch || t->state == THREAD_RUNNING ||
		     n->flags & (THREAD_WORK | THREAD_CPU_EVENT) ||
		     !arch_fpu_is_near(cpu, &n->frame)))
		exit_long(c);
	if (unlikely(ready_mask))
		exit_contended(c, t, n);
	exit_switch(c, cpu, t, n, 0);
}

_Noreturn void kernel_exit(struct cpu *c)
{
	if (!c->current)
		exit_long(c);
	kernel_exit_call(c, c->current);
}

void sched_start(void)
{
	kernel_exit(cpu_self());
}

void sched_drop_current(struct thread *t)
{
	struct cpu *c = cpu_self();

	if (c->current != t)
		return;
	account_time(t, (uint64_t)(time_now() - c->switch_time));
	c->switch_time = time_now();
	c->current = NULL;
	c->resched = true;
	c->bereft = true;
	arch_switch(NULL);
}

/* An interrupt ends a CPU's idling; called first thing with the lock held. */
void sched_interrupt_enter(void)
{
	struct cpu *c = cpu_self();

	c->kicked = false;
	if (!c->idle)
		return;
	c->idle = false;
	c->resched = true;
	c->idle_ns += (uint64_t)(time_now() - c->switch_time);
	c->switch_time = time_now();
	load_account();
}

void sched_system_info(struct k_system_info *info)
{
	info->cpus = cpu_count;
	info->runnable = ready_count;
	load_account();
	info->load_runnable_ns = load_ns;
	for (unsigned i = 0; i < cpu_count; i++) {
		info->idle += cpus[i].idle_ns;
		if (cpus[i].idle)
			info->idle += (uint64_t)(time_now() - cpus[i].switch_time);
		info->context_switches += cpus[i].switches;
		if (cpus[i].current)
			info->runnable++;
	}
}
