/* SPDX-License-Identifier: MIT */
/*
 * Tasks. See task.h. The order at the end: threads, table, fs context, space, then the notice to
 * whoever waits.
 */
#include "core/task.h"
#include "core/endpoint.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "mm/kmalloc.h"

static void task_gone_fill(struct notice *n, struct k_message *m)
{
	struct task *task = container_of(n, struct task, gone);

	m->kind = K_MSG_TASK_GONE;
	m->cookie = task->cookie;
	m->pid = task->cookie;
	m->extra[0] = task->dead_user_ns;
	m->extra[1] = task->dead_system_ns;
	object_put(&task->object);
}

int task_create(struct space *s, struct table *t, struct fsctx *f, struct account *a,
		struct task **out)
{
	struct task *task = kzalloc(sizeof(*task));

	if (!task)
		return -ENOMEM;
	object_init(&task->object, K_OBJECT_TASK);
	list_init(&task->threads);
	notice_init(&task->gone, task_gone_fill);
	task->space = s;
	task->table = t;
	task->fsctx = f;
	task->account = a;
	object_get(space_object(s));
	object_get(&t->object);
	object_get(&f->object);
	object_get(&a->object);
	task->limit_fsize = task->limit_as = task->limit_data = task->limit_stack =
		task->limit_memlock = UINT64_MAX;
	*out = task;
	return 0;
}

static void task_empty(struct task *task)
{
	struct table *table = task->table;

	task->table = NULL;		/* before it goes with what it holds: maybe this task */
	if (table)
		object_put(&table->object);
	if (task->fsctx)
		object_put(&task->fsctx->object);
	task->fsctx = NULL;
	if (task->space)
		object_put(space_object(task->space));
	task->space = NULL;
}

void task_handle_goes(struct task *task)
{
	struct table *t = task->table;
	uint32_t own = 1;		/* the handle that goes */

	if (!t || task->thread_count || t->object.references > 1)
		return;
	for (uint32_t slot = 0; slot < t->chunk_count * TABLE_CHUNK; slot++) {
		struct handle *h = table_slot(t, slot);

		own += h && h->object == &task->object;
	}
	if (own == 1 || task->object.references != own)
		return;
	for (uint32_t slot = 0; slot < t->chunk_count * TABLE_CHUNK; slot++) {
		struct handle *h = table_slot(t, slot);

		if (h && h->object == &task->object)
			object_put(table_take(t, slot, NULL, NULL));
	}
}

void task_destroy(struct object *o)
{
	struct task *task = task_of(o);

	ASSERT(list_empty(&task->threads));
	task_empty(task);
	object_put(&task->account->object);
	if (task->notify)
		object_put(&task->notify->object);
	kfree(task);
}

int64_t task_leave(struct thread *t)
{
	struct task *task = t->task;

	if (task->thread_count > 1 || space_object(task->space)->references > 1)
		return 0;
	return space_clear(task->space);
}

void task_thread_gone(struct task *task, struct thread *t, bool started)
{
	task->dead_user_ns += t->user_ns;
	task->dead_system_ns += t->system_ns;
	task->dead_minor += t->minor_faults;
	task->dead_major += t->major_faults;
	task->dead_voluntary += t->voluntary;
	task->dead_involuntary += t->involuntary;
	list_remove(&t->task_link);
	task->account->threads--;
	if (--task->thread_count == 0 && started) {
		task_empty(task);
		if (task->notify) {
			object_get(&task->object);	/* the notice's */
			endpoint_notify(task->notify, &task->gone);
		}
	}
	object_put(&task->object);
}
