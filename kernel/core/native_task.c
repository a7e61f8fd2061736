/* SPDX-License-Identifier: MIT */
/*
 * Native calls about accounts, tasks and threads: what the process server and the supervisor build
 * processes with.
 */
#include "arch/cpu.h"
#include "arch/fpu.h"
#include "arch/paging.h"
#include "core/native.h"
#include "core/regs.h"
#include "core/routes.h"
#include "core/sched.h"
#include "data/description.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"

static int lookup_task(struct thread *t, uint64_t h, uint32_t rights, struct task **out)
{
	struct object *o;
	int r = native_lookup(t, h, K_OBJECT_TASK, rights, &o);

	if (!r)
		*out = task_of(o);
	return r;
}

static int lookup_thread(struct thread *t, uint64_t h, uint32_t rights, struct thread **out)
{
	struct object *o;
	int r = native_lookup(t, h, K_OBJECT_THREAD, rights, &o);

	if (!r)
		*out = thread_of(o);
	return r;
}

/* --- accounts ----------------------------------------------------------------------------- */

int64_t native_account_create(struct thread *t, const uint64_t *a)
{
	struct k_account_limits limits;
	struct account *account;
	int64_t r = user_read(t, &limits, a[0], sizeof(limits));

	if (!r)
		r = account_create(&limits, &account);
	return r ? r : native_give(t, &account->object, K_RIGHTS_ALL);
}

int64_t native_account_set(struct thread *t, const uint64_t *a)
{
	struct k_account_limits limits;
	struct object *o;
	int64_t r = native_lookup(t, a[0], K_OBJECT_ACCOUNT, K_RIGHT_WRITE, &o);

	if (!r)
		r = user_read(t, &limits, a[1], sizeof(limits));
	if (!r)
		container_of(o, struct account, object)->limit = limits;
	return r;
}

int64_t native_account_info(struct thread *t, const uint64_t *a)
{
	struct k_account_info info;
	struct account *account;
	struct object *o;
	int r = native_lookup(t, a[0], K_OBJECT_ACCOUNT, K_RIGHT_READ, &o);

	if (r)
		return r;
	account = container_of(o, struct account, object);
	info = (struct k_account_info){ account->frames, account->handles, account->threads,
					account->limit };
	return user_write(t, a[1], &info, sizeof(info));
}

/* --- tasks -------------------------------------------------------------------------------- */

struct task_parts {
	struct account *account;
	struct space *space;
	struct table *table;
	struct fsctx *fsctx;
	struct endpoint *notify;
};

/* References that the parts hold: all were created or taken here. */
static void parts_put(struct task_parts *p)
{
	if (p->space)
		object_put(space_object(p->space));
	if (p->table)
		object_put(&p->table->object);
	if (p->fsctx)
		object_put(&p->fsctx->object);
}

static int parts_notify(struct thread *t, int32_t h, struct task_parts *p)
{
	struct object *o;
	int r;

	if (h == -1)
		return 0;
	r = native_lookup(t, (uint32_t)h, K_OBJECT_ENDPOINT, K_RIGHT_RECEIVE, &o);
	if (!r)
		p->notify = endpoint_of(o);
	return r;
}

static int parts_space(struct thread *t, int32_t h, struct task_parts *p)
{
	struct object *o;
	int r;

	if (h == -1)
		return space_create(p->account, &p->space);
	r = native_lookup(t, (uint32_t)h, K_OBJECT_SPACE, K_RIGHT_WRITE, &o);
	if (!r) {
		object_get(o);
		p->space = space_of(o);
	}
	return r;
}

static int parts_table(struct thread *t, int32_t h, struct task_parts *p)
{
	struct task *other;
	int r;

	if (h == -1)
		return table_create(p->account, &p->table);
	r = lookup_task(t, (uint32_t)h, K_RIGHT_MANAGE, &other);
	if (r)
		return r;
	if (!other->table)
		return -ESRCH;
	p->table = other->table;
	object_get(&p->table->object);
	return 0;
}

static int64_t task_give(struct thread *t, const struct task_parts *p, struct task **out)
{
	int64_t r = task_create(p->space, p->table, p->fsctx, p->account, out);

	if (r)
		return r;
	if (p->notify) {
		(*out)->notify = p->notify;
		object_get(&p->notify->object);
	}
	return native_give(t, &(*out)->object, K_RIGHTS_ALL);
}

int64_t native_task_create(struct thread *t, const uint64_t *a)
{
	struct task_parts p = { .account = t->task->account };
	struct k_task_create k;
	struct task *task;
	struct object *o;
	int64_t r = user_read(t, &k, a[0], sizeof(k));

	if (!r && k.account != -1) {
		r = native_lookup(t, (uint32_t)k.account, K_OBJECT_ACCOUNT, 0, &o);
		p.account = r ? NULL : container_of(o, struct account, object);
	}
	if (!r && k.flags & K_TASK_SERVER && !t->task->server)
		r = -EPERM;
	if (!r)
		r = parts_notify(t, k.notify, &p);
	if (!r)
		r = parts_space(t, k.space, &p);
	if (!r)
		r = parts_table(t, k.table, &p);
	if (!r)
		r = fsctx_create(NULL, &p.fsctx);
	if (!r)
		r = task_give(t, &p, &task);
	if (r >= 0) {
		task->cookie = k.cookie;
		task->server = k.flags & K_TASK_SERVER;
		memcpy(task->name, k.name, sizeof(task->name) - 1);
		if (task->server) {
			task->account->reserve = true;
			task->table->limit = TABLE_MAX;
		}
	}
	parts_put(&p);
	return r;
}

/* --- fork --------------------------------------------------------------------------------- */

static int fork_share(struct thread *caller, uint32_t flags, struct task_parts *p)
{
	struct task *parent = caller->task;
	int r = 0;

	if (flags & K_FORK_SPACE) {
		p->space = parent->space;
		object_get(space_object(p->space));
	} else {
		r = space_create(p->account, &p->space);
	}
	if (!r && flags & K_FORK_TABLE) {
		p->table = parent->table;
		object_get(&p->table->object);
	} else if (!r) {
		r = table_copy(parent->table, p->account, &p->table);
	}
	if (!r && flags & K_FORK_FS) {
		p->fsctx = parent->fsctx;
		object_get(&p->fsctx->object);
	} else if (!r) {
		r = fsctx_create(parent->fsctx, &p->fsctx);
	}
	return r;
}

static void task_inherit(struct task *child, const struct task *parent)
{
	child->limit_fsize = parent->limit_fsize;
	child->limit_as = parent->limit_as;
	child->limit_data = parent->limit_data;
	child->limit_stack = parent->limit_stack;
	child->limit_memlock = parent->limit_memlock;
	memcpy(child->name, parent->name, sizeof(child->name));
}

/* The child's first thread: the caller's registers, with result 0. Not started; gets a handle. */
static int64_t fork_thread(struct thread *t, struct thread *caller, struct task *task,
			   struct k_fork *k)
{
	struct thread *child;
	int64_t r = thread_create(task, caller->routes, &child);

	if (r)
		return r;
	arch_frame_copy(&child->frame, &caller->frame);
	arch_frame_set_result(&child->frame, 0);
	if (k->set & 1)
		arch_frame_set_sp(&child->frame, k->rsp);
	r = thread_fpu_copy(child, caller);
	if (!r && k->set & 2)
		r = arch_frame_set_tls(&child->frame, k->fs_base);
	child->tid = k->tid;
	child->cred = caller->cred;
	child->nice = caller->nice;
	child->affinity = caller->affinity;
	child->priority = caller->priority;
	child->sched_policy = caller->sched_policy;
	child->sched_priority = caller->sched_priority;
	memcpy(child->constant, caller->constant, sizeof(child->constant));
	memcpy(child->name, caller->name, sizeof(child->name));
	if (!r)
		r = native_give(t, &child->object, K_RIGHTS_ALL);
	else
		object_put(&child->object);
	if (r < 0)
		thread_retire(child);
	return r;
}

/*
 * A copy-on-write copy of the whole space. The server outranks everybody, so a slice's end does not
 * matter here.
 */
static int64_t fork_space(struct space *from, struct space *to)
{
	uint64_t cursor = 0;
	int64_t r;

	do {
		r = space_fork(from, to, &cursor);
	} while (r == OP_PREEMPT);
	return r;
}

int64_t native_task_fork(struct thread *t, const uint64_t *a)
{
	struct task_parts p = { 0 };
	struct endpoint *e;
	struct thread *caller;
	struct task *task = NULL;
	struct k_fork k;
	int64_t r = native_caller(t, a, K_RIGHT_CALLER_REGS, &e, &caller);

	if (!r)
		r = user_read(t, &k, a[2], sizeof(k));
	if (!r)
		r = user_prepare_write(t, a[2], sizeof(k));
	if (r)
		return r;
	k.task = -1;
	if (k.flags & K_FORK_THREAD) {
		r = fork_thread(t, caller, caller->task, &k);
		k.thread = (int32_t)r;
		return r < 0 ? r : user_write(t, a[2], &k, sizeof(k));
	}
	p.account = caller->task->account;
	p.notify = caller->task->notify;
	if (k.account != -1) {
		struct object *o;

		r = native_lookup(t, (uint32_t)k.account, K_OBJECT_ACCOUNT, 0, &o);
		if (r)
			return r;
		p.account = container_of(o, struct account, object);
	}
	r = parts_notify(t, k.notify, &p);
	if (!r)
		r = fork_share(caller, k.flags, &p);
	if (!r && !(k.flags & K_FORK_SPACE))
		r = fork_space(caller->task->space, p.space);
	if (!r)
		r = task_give(t, &p, &task);
	parts_put(&p);
	if (r < 0)
		return r;
	k.task = (int32_t)r;
	task->cookie = k.pid;
	task_inherit(task, caller->task);
	r = fork_thread(t, caller, task, &k);
	if (r < 0) {
		table_close(t->task->table, (uint64_t)k.task);
		return r;
	}
	k.thread = (int32_t)r;
	return user_write(t, a[2], &k, sizeof(k));
}

/* --- exec --------------------------------------------------------------------------------- */

/* Table and file-system context become the caller's own, if they were shared. */
static int exec_unshare(struct task *task, struct table **table)
{
	*table = NULL;
	if (task->table->object.references > 1)
		return table_copy(task->table, task->account, table);
	return 0;
}

int64_t native_task_exec(struct thread *t, const uint64_t *a)
{
	struct thread *caller;
	struct table *table;
	struct object *o, *space;
	struct task *task;
	struct k_exec k;
	int64_t r = user_read(t, &k, a[1], sizeof(k));

	if (!r)
		r = native_lookup(t, a[0], K_OBJECT_ENDPOINT, K_RIGHT_RECEIVE | K_RIGHT_CALLER_REGS,
				  &o);
	if (!r)
		r = call_lookup(endpoint_of(o), k.call, &caller);
	if (!r)
		r = native_lookup(t, (uint32_t)k.space, K_OBJECT_SPACE, K_RIGHT_WRITE, &space);
	if (r)
		return r;
	task = caller->task;
	if (task->thread_count != 1)
		return -EBUSY;
	r = exec_unshare(task, &table);
	if (r)
		return r;
	r = regs_to_frame(&caller->frame, &k.regs);
	if (r) {
		if (table)
			object_put(&table->object);
		return r;
	}
	/* Nothing can fail from here on. */
	if (table) {
		object_put(&task->table->object);
		task->table = table;
	}
	table_close_on_exec(task->table);
	table_take(t->task->table, (uint32_t)k.space, NULL, NULL);
	if (caller->old_space)			/* a second time before the first was answered */
		object_put(space_object(caller->old_space));
	caller->old_space = task->space;
	caller->inbox_generation = INBOX_NONE;
	task->space = space_of(space);
	caller->space = space_arch(task->space);	/* nobody else is in the task */
	space_set_account(task->space, task->account);	/* it was its maker's */
	caller->flags |= THREAD_OLD_SPACE;
	arch_frame_drop(&caller->frame);
	kfree(caller->frame.fpu);
	caller->frame.fpu = NULL;
	memcpy(task->name, k.name, sizeof(task->name) - 1);
	memcpy(caller->name, task->name, sizeof(caller->name));
	/*
	 * The call stays held: the server writes the new stack and then answers with K_ANSWER_REGS.
	 */
	return 0;
}

/* --- task details ------------------------------------------------------------------------- */

static void fsctx_set(struct object **where, struct object *o)
{
	struct object *old = *where;

	object_get(o);
	*where = o;
	object_put(old);
}

int64_t native_task_install(struct thread *t, const uint64_t *a)
{
	struct handle *h = table_slot(t->task->table, (uint32_t)a[1]);
	struct task *task;
	int slot;
	int r = lookup_task(t, a[0], K_RIGHT_MANAGE, &task);

	if (r)
		return r;
	if (!h)
		return -EBADF;
	if (!(h->rights & K_RIGHT_DUPLICATE))
		return -EPERM;
	if (!task->table || !task->fsctx)
		return -ESRCH;
	if (a[3] & (K_INSTALL_CWD | K_INSTALL_ROOT)) {
		if (h->object->type != K_OBJECT_DESCRIPTION)
			return -EINVAL;
		if (a[3] & K_INSTALL_CWD)
			fsctx_set(&task->fsctx->cwd, h->object);
		if (a[3] & K_INSTALL_ROOT)
			fsctx_set(&task->fsctx->root, h->object);
		return 0;
	}
	slot = (int32_t)a[2] >= 0 ? (int)a[2] : table_find_free(task->table, 0);
	r = slot < 0 ? slot : table_reserve(task->table, (uint32_t)slot);
	if (r)
		return r;
	object_get(h->object);
	table_set(task->table, (uint32_t)slot, h->object,
		  (h->rights & ~HANDLE_CLOEXEC) | (a[3] & K_INSTALL_CLOEXEC ? HANDLE_CLOEXEC : 0),
		  h->badge);
	return slot;
}

int64_t native_task_set(struct thread *t, const uint64_t *a)
{
	struct task *task;
	int64_t r = lookup_task(t, a[0], K_RIGHT_WRITE, &task);

	if (r)
		return r;
	switch (a[1]) {
	case K_TASK_SET_LIMIT_FSIZE: task->limit_fsize = a[2]; return 0;
	case K_TASK_SET_LIMIT_AS: task->limit_as = a[2]; return 0;
	case K_TASK_SET_LIMIT_DATA: task->limit_data = a[2]; return 0;
	case K_TASK_SET_LIMIT_STACK: task->limit_stack = a[2]; return 0;
	case K_TASK_SET_LIMIT_MEMLOCK: task->limit_memlock = a[2]; return 0;
	case K_TASK_SET_LIMIT_NOFILE:
		if (!task->table)
			return -ESRCH;
		task->table->limit = a[2] < TABLE_MAX ? (uint32_t)a[2] : TABLE_MAX;
		return 0;
	case K_TASK_SET_COOKIE: task->cookie = (uint32_t)a[2]; return 0;
	case K_TASK_SET_NAME: return user_read(t, task->name, a[2], sizeof(task->name) - 1);
	default: return -EINVAL;
	}
}

int64_t native_task_info(struct thread *t, const uint64_t *a)
{
	struct k_task_info info;
	struct task *task;
	int r = lookup_task(t, a[0], K_RIGHT_READ, &task);

	if (r)
		return r;
	memset(&info, 0, sizeof(info));
	info.user_ns = task->dead_user_ns;
	info.system_ns = task->dead_system_ns;
	info.minor_faults = task->dead_minor;
	info.major_faults = task->dead_major;
	info.voluntary = task->dead_voluntary;
	info.involuntary = task->dead_involuntary;
	list_for(it, &task->threads) {
		struct thread *other = container_of(it, struct thread, task_link);
		uint64_t user, system;

		sched_thread_time(other, &user, &system);
		info.user_ns += user;
		info.system_ns += system;
		info.minor_faults += other->minor_faults;
		info.major_faults += other->major_faults;
		info.voluntary += other->voluntary;
		info.involuntary += other->involuntary;
	}
	info.threads = task->thread_count;
	if (task->table) {
		info.handles = task->table->used;
		info.table = task->table->object.id;
	}
	if (task->space) {
		info.space = space_object(task->space)->id;
		space_info(task->space, &info);
	}
	return user_write(t, a[1], &info, sizeof(info));
}

int64_t native_task_regions(struct thread *t, const uint64_t *a)
{
	enum { BATCH = 16 };
	struct k_region *regions;
	struct task *task;
	int64_t n, r = lookup_task(t, a[0], K_RIGHT_READ, &task);

	if (r)
		return r;
	if (!task->space)
		return 0;
	regions = kzalloc(BATCH * sizeof(*regions));
	if (!regions)
		return -ENOMEM;
	n = space_regions(task->space, a[1], regions, a[3] < BATCH ? a[3] : BATCH);
	r = n > 0 ? user_write(t, a[2], regions, (uint64_t)n * sizeof(*regions)) : 0;
	kfree(regions);
	return r ? r : n;
}

/* Page by page between the task's frames and the server's memory. */
static int64_t task_memory(struct thread *t, struct task *task, uint64_t remote, uint64_t local,
			   uint64_t size, bool write)
{
	uint64_t done = 0;

	if (!task->space)
		return -ESRCH;
	while (done < size) {
		uint64_t va = remote + done, pa;
		uint64_t n = PAGE_SIZE - (va & PAGE_MASK);
		int64_t r;

		if (n > size - done)
			n = size - done;
		r = space_debug_page(task->space, va, write, &pa);
		if (r)
			return done ? (int64_t)done : -EFAULT;
		if (write)
			r = user_read(t, (char *)phys_to_virt(pa) + (va & PAGE_MASK), local + done,
				      n);
		else
			r = user_write(t, local + done, (char *)phys_to_virt(pa) + (va & PAGE_MASK),
				       n);
		if (r)
			return r;
		done += n;
	}
	return (int64_t)done;
}

int64_t native_task_memory_read(struct thread *t, const uint64_t *a)
{
	struct task *task;
	int r = lookup_task(t, a[0], K_RIGHT_READ, &task);

	return r ? r : task_memory(t, task, a[1], a[2], a[3], false);
}

int64_t native_task_memory_write(struct thread *t, const uint64_t *a)
{
	struct task *task;
	int r = lookup_task(t, a[0], K_RIGHT_WRITE, &task);

	return r ? r : task_memory(t, task, a[1], a[2], a[3], true);
}

static struct k_task_handle task_handle_of(const struct description *d, uint32_t fd, uint32_t flags)
{
	return (struct k_task_handle){ .fd = fd,
				       .flags = flags,
				       .endpoint = d->endpoint->object.id,
				       .cookie = d->cookie,
				       .offset = d->offset,
				       .status = d->status,
				       .plane = d->plane };
}

/* The working directory or the root; 0 if it is not set. */
static int64_t task_directory(struct thread *t, const struct task *task, uint32_t which,
			      uint64_t to)
{
	struct object *o = !task->fsctx               ? NULL :
			   which == K_TASK_HANDLE_CWD ? task->fsctx->cwd :
							task->fsctx->root;
	struct k_task_handle out;
	int64_t r;

	if (!o)
		return 0;
	out = task_handle_of(description_of(o), which, 0);
	r = user_write(t, to, &out, sizeof(out));
	return r ? r : 1;
}

int64_t native_task_handles(struct thread *t, const uint64_t *a)
{
	struct task *task;
	uint64_t n = 0;
	int64_t r = lookup_task(t, a[0], K_RIGHT_READ, &task);

	if (r)
		return r;
	if ((uint32_t)a[1] >= K_TASK_HANDLE_CWD)
		return a[3] ? task_directory(t, task, (uint32_t)a[1], a[2]) : 0;
	if (!task->table)
		return 0;
	for (uint64_t fd = (uint32_t)a[1]; n < a[3] && fd < task->table->chunk_count * TABLE_CHUNK;
	     fd++) {
		struct handle *h = table_slot(task->table, fd);
		struct k_task_handle out;

		if (!h || h->object->type != K_OBJECT_DESCRIPTION)
			continue;
		out = task_handle_of(description_of(h->object), (uint32_t)fd,
				     h->rights & HANDLE_CLOEXEC ? K_INSTALL_CLOEXEC : 0);
		r = user_write(t, a[2] + n * sizeof(out), &out, sizeof(out));
		if (r)
			return r;
		n++;
	}
	return (int64_t)n;
}

/* --- threads ------------------------------------------------------------------------------ */

int64_t native_thread_create(struct thread *t, const uint64_t *a)
{
	struct object *task, *routes;
	struct k_thread_create k;
	struct thread *child;
	int64_t r = user_read(t, &k, a[0], sizeof(k));

	if (!r)
		r = native_lookup(t, (uint32_t)k.task, K_OBJECT_TASK, K_RIGHT_MANAGE, &task);
	if (!r && k.routes != -1)
		r = native_lookup(t, (uint32_t)k.routes, K_OBJECT_ROUTES, 0, &routes);
	if (r)
		return r;
	if (k.routes == -1)
		routes = &t->routes->object;
	if (k.priority >= K_PRIORITIES || k.priority > t->priority)
		return -EPERM;
	if (!task_of(task)->space || !task_of(task)->table ||
	    !space_arch(task_of(task)->space)->root)
		return -ESRCH;		/* it is gone, or its last thread is emptying the space */
	r = thread_create(task_of(task), container_of(routes, struct routes, object), &child);
	if (r)
		return r;
	child->tid = k.tid;
	child->priority = (uint8_t)k.priority;
	child->cred = k.cred;
	r = regs_to_frame(&child->frame, &k.regs);
	if (!r)
		r = native_give(t, &child->object, K_RIGHTS_ALL);
	else
		object_put(&child->object);
	if (r < 0)
		thread_retire(child);
	return r;
}

int64_t native_thread_start(struct thread *t, const uint64_t *a)
{
	struct thread *child;
	int r = lookup_thread(t, a[0], K_RIGHT_MANAGE, &child);

	if (r)
		return r;
	if (child->state != THREAD_NEW)
		return -EINVAL;
	sched_ready(child);
	return 0;
}

int64_t native_thread_event(struct thread *t, const uint64_t *a)
{
	struct thread *other;
	int r = lookup_thread(t, a[0], K_RIGHT_MANAGE, &other);

	if (r)
		return r;
	if (other->state == THREAD_DEAD)
		return -ESRCH;
	thread_event(other);
	return 0;
}

int64_t native_thread_kill(struct thread *t, const uint64_t *a)
{
	struct thread *other;
	int r = lookup_thread(t, a[0], K_RIGHT_MANAGE, &other);

	if (r)
		return r;
	if (other->state == THREAD_DEAD)
		return -ESRCH;
	thread_kill(other);
	return 0;
}

int64_t native_task_kill(struct thread *t, const uint64_t *a)
{
	struct task *task;
	int r = lookup_task(t, a[0], K_RIGHT_MANAGE, &task);

	if (r)
		return r;
	list_for(it, &task->threads)
		thread_kill(container_of(it, struct thread, task_link));
	return 0;
}

static int thread_set_routes(struct thread *t, struct thread *other, uint64_t h)
{
	struct object *o;
	int r = native_lookup(t, h, K_OBJECT_ROUTES, 0, &o);

	if (r)
		return r;
	object_get(o);
	object_put(&other->routes->object);
	other->routes = container_of(o, struct routes, object);
	return 0;
}

static int thread_set_affinity(struct thread *other, uint64_t mask)
{
	unsigned count = arch_cpu_count();
	uint64_t all = count >= 64 ? UINT64_MAX : (1ull << count) - 1;

	if (!(mask & all))
		return -EINVAL;
	other->affinity = mask;
	if (other->state == THREAD_READY) {
		sched_unready(other);
		sched_ready(other);
	} else if (other->state == THREAD_RUNNING) {
		sched_poke(other);
	}
	return 0;
}

int64_t native_thread_set(struct thread *t, const uint64_t *a)
{
	struct thread *other;
	int r = lookup_thread(t, a[0], K_RIGHT_WRITE, &other);

	if (r)
		return r;
	if (other->state == THREAD_DEAD)
		return -ESRCH;
	if (a[1] >= K_THREAD_SET_CONSTANT && a[1] < K_THREAD_SET_CONSTANT + K_CONSTANTS) {
		other->constant[a[1] - K_THREAD_SET_CONSTANT] = (uint32_t)a[2];
		return 0;
	}
	switch (a[1]) {
	case K_THREAD_SET_CRED: other->cred = a[2]; return 0;
	case K_THREAD_SET_TID:
		/* also of a call it is in */
		other->tid = other->message.tid = (uint32_t)a[2];
		return 0;
	case K_THREAD_SET_NICE:
		if ((int64_t)a[2] < -20 || (int64_t)a[2] > 19)
			return -EINVAL;
		other->nice = (int8_t)a[2];
		return 0;
	case K_THREAD_SET_AFFINITY: return thread_set_affinity(other, a[2]);
	case K_THREAD_SET_ROUTES: return thread_set_routes(t, other, a[2]);
	case K_THREAD_SET_SCHED:
		other->sched_policy = (uint8_t)a[2];
		other->sched_priority = (uint8_t)(a[2] >> 8);
		return 0;
	case K_THREAD_SET_NAME: return user_read(t, other->name, a[2], sizeof(other->name) - 1);
	case K_THREAD_SET_EVENT_CPU:
		other->event_cpu_ns = a[2];
		other->flags &= ~THREAD_CPU_EVENT;
		if (a[2])
			other->flags |= THREAD_CPU_EVENT;
		if (other->state == THREAD_RUNNING)
			sched_poke(other);
		return 0;
	default: return -EINVAL;
	}
}

static uint32_t thread_public_state(const struct thread *t)
{
	switch (t->state) {
	case THREAD_NEW: return K_THREAD_NEW;
	case THREAD_RUNNING: return K_THREAD_RUNNING;
	case THREAD_READY: return K_THREAD_READY;
	case THREAD_QUEUED:
	case THREAD_HELD: return K_THREAD_CALL;
	case THREAD_BLOCKED: return K_THREAD_BLOCKED;
	default: return K_THREAD_DEAD;
	}
}

int64_t native_thread_info(struct thread *t, const uint64_t *a)
{
	struct k_thread_info info;
	struct thread *other;
	int r = lookup_thread(t, a[0], K_RIGHT_READ, &other);

	if (r)
		return r;
	memset(&info, 0, sizeof(info));
	sched_thread_time(other, &info.user_ns, &info.system_ns);
	info.state = thread_public_state(other);
	info.number = (uint32_t)other->number;
	info.cpu = other->cpu < 0 ? 0 : (uint32_t)other->cpu;
	info.wait = other->state == THREAD_BLOCKED ? other->wait_why : K_WAIT_NONE;
	info.holder = other->state == THREAD_HELD ? other->endpoint->object.id : 0;
	info.voluntary = other->voluntary;
	info.involuntary = other->involuntary;
	info.minor_faults = other->minor_faults;
	info.major_faults = other->major_faults;
	if (other->state != THREAD_RUNNING && other->state != THREAD_DEAD)
		regs_from_frame(&info.regs, &other->frame);
	return user_write(t, a[1], &info, sizeof(info));
}
