/* SPDX-License-Identifier: MIT */
/*
 * The heap of deadlines: a pairing heap whose nodes are in struct thread, so arming can never fail.
 *
 * A node's children are in its timer_children list, linked through their timer_link; the root alone
 * is in `timer_root`. The invariant: no thread's deadline is before its parent's. Arming costs one
 * comparison, taking a node out a logarithm on average.
 */
#include "core/timer.h"
#include "core/sched.h"

HOT_DATA static struct list timer_root = LIST_INIT(timer_root);

static struct thread *node_of(struct list *link)
{
	return container_of(link, struct thread, timer_link);
}

/* Both are roots and in no list; the later becomes a child of the earlier, which is returned. */
static struct thread *heap_merge(struct thread *a, struct thread *b)
{
	struct thread *swap = a;

	if (b->timer_deadline < a->timer_deadline) {
		a = b;
		b = swap;
	}
	list_prepend(&a->timer_children, &b->timer_link);
	return a;
}

static struct thread *list_pop(struct list *head)
{
	struct list *first = head->next;

	list_remove(first);
	return node_of(first);
}

/*
 * Makes one heap of a list of heaps: pairs from the left, then the pairs from the right. NULL if
 * the list is empty.
 */
static struct thread *heap_gather(struct list *heaps)
{
	struct list pairs = LIST_INIT(pairs);
	struct thread *all = NULL;

	while (!list_empty(heaps)) {
		struct thread *a = list_pop(heaps);

		if (!list_empty(heaps))
			a = heap_merge(a, list_pop(heaps));
		list_prepend(&pairs, &a->timer_link);
	}
	while (!list_empty(&pairs)) {
		struct thread *a = list_pop(&pairs);

		all = all ? heap_merge(all, a) : a;
	}
	return all;
}

static void heap_insert(struct thread *heap)
{
	if (!list_empty(&timer_root))
		heap = heap_merge(list_pop(&timer_root), heap);
	list_append(&timer_root, &heap->timer_link);
}

void timer_init(struct thread *t)
{
	list_init(&t->timer_link);
	list_init(&t->timer_children);
}

int64_t timer_next(void)
{
	return list_empty(&timer_root) ? K_FOREVER : node_of(timer_root.next)->timer_deadline;
}

void timer_arm(struct thread *t, int64_t deadline)
{
	int64_t before = timer_next();

	timer_disarm(t);
	t->timer_deadline = deadline;
	heap_insert(t);
	if (deadline < before)
		sched_timer_changed();
}

void timer_remove(struct thread *t)
{
	struct thread *rest;

	list_remove(&t->timer_link);
	rest = heap_gather(&t->timer_children);
	if (rest)
		heap_insert(rest);
}

void timer_expire(int64_t now)
{
	while (!list_empty(&timer_root)) {
		struct thread *t = node_of(timer_root.next);

		if (t->timer_deadline > now)
			return;
		timer_disarm(t);
		thread_wake(t);
	}
}
