/* SPDX-License-Identifier: MIT */
/*
 * What a server does with a caller that it holds: answer it, forward it, use its memory and
 * registers.
 *
 * An answer is all or nothing: everything that can fail (absent pages, full tables) is prepared
 * first, then come copies, installed handles and the result in one go.
 */
#include "arch/fpu.h"
#include "arch/paging.h"
#include "core/native.h"
#include "core/regs.h"
#include "core/routes.h"
#include "core/sched.h"
#include "core/syscall.h"
#include "data/description.h"
#include "data/futex.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"

int native_caller(struct thread *t, const uint64_t *a, uint32_t rights, struct endpoint **e,
		  struct thread **caller)
{
	struct object *o;
	int r = native_lookup(t, a[0], K_OBJECT_ENDPOINT, K_RIGHT_RECEIVE | rights, &o);

	if (r)
		return r;
	*e = endpoint_of(o);
	return call_lookup(*e, a[1], caller);
}

/* A copy found a page absent: the caller gets it first. Passes r through. */
static RARELY int64_t caller_copied(struct thread *caller, int64_t r)
{
	if (r == -K_REDELIVER)
		call_redeliver(caller);
	return r;
}

/* --- answer ------------------------------------------------------------------------------- */

static int64_t answer_read(struct thread *server, struct k_answer *a, uint64_t from)
{
	int64_t r = user_read(server, a, from, offsetof(struct k_answer, install));

	if (r)
		return r;
	if (a->copies > K_ANSWER_COPIES || a->installs > K_ANSWER_INSTALLS)
		return -EINVAL;
	if (a->installs)
		r = user_read(server, a->install, from + offsetof(struct k_answer, install),
			      a->installs * sizeof(a->install[0]));
	return r;
}

/*
 * The handle of install i: open, of the right type, and not one that an earlier install has moved
 * away.
 */
static int64_t install_check(struct thread *server, const struct k_answer *a, unsigned i)
{
	const struct k_answer_install *in = &a->install[i];
	const struct handle *h = table_slot(server->task->table, (uint32_t)in->handle);

	if (!h)
		return -EBADF;
	if (in->flags & (K_INSTALL_CWD | K_INSTALL_ROOT) && h->object->type != K_OBJECT_DESCRIPTION)
		return -EINVAL;
	for (unsigned k = 0; k < i; k++)
		if (a->install[k].handle == in->handle && !(a->install[k].flags & K_INSTALL_KEEP))
			return -EBADF;
	return 0;
}

/* Finds where each handle goes; slots of the caller's table are reserved. */
static RARELY int64_t installs_prepare(struct thread *server, struct thread *caller,
				       struct k_answer *a, int *slot)
{
	struct table *table = caller->task->table;
	int previous = -1;

	for (unsigned i = 0; i < a->installs; i++) {
		struct k_answer_install *in = &a->install[i];
		int64_t r = install_check(server, a, i);

		if (r)
			return r;
		if (in->flags & (K_INSTALL_CWD | K_INSTALL_ROOT))
			continue;
		if (in->flags & K_INSTALL_AT) {
			slot[i] = (int)in->min;
			r = table_reserve(table, in->min);
		} else {
			slot[i] = table_find_free(table, in->min);
			if (slot[i] >= 0 && slot[i] == previous)
				slot[i] = table_find_free(table, (uint32_t)previous + 1);
			r = slot[i] < 0 ? slot[i] : 0;
		}
		previous = slot[i];
		if (!r && in->fd_to)
			r = remote_prepare_write(caller, in->fd_to, sizeof(int));
		if (r)
			return r;
	}
	return 0;
}

static void install_fs(struct thread *caller, struct object *o, uint32_t flags)
{
	struct fsctx *f = caller->task->fsctx;
	struct object **where = flags & K_INSTALL_CWD ? &f->cwd : &f->root;

	if (flags & K_INSTALL_CWD && flags & K_INSTALL_ROOT) {
		object_get(o);
		object_put(f->root);
		f->root = o;
	}
	object_put(*where);
	*where = o;
}

static RARELY void installs_commit(struct thread *server, struct thread *caller, struct k_answer *a,
				   const int *slot)
{
	struct object *object[K_ANSWER_INSTALLS];
	uint32_t granted[K_ANSWER_INSTALLS];

	/* First all leave the server's table, which may be the caller's as well. */
	for (unsigned i = 0; i < a->installs; i++) {
		struct handle *h = table_slot(server->task->table, (uint32_t)a->install[i].handle);

		object[i] = h->object;
		granted[i] = h->rights & ~HANDLE_CLOEXEC;
		if (a->install[i].flags & K_INSTALL_KEEP)
			object_get(object[i]);
		else
			table_take(server->task->table, (uint32_t)a->install[i].handle, NULL, NULL);
	}
	for (unsigned i = 0; i < a->installs; i++) {
		struct k_answer_install *in = &a->install[i];
		struct object *o = object[i];
		uint32_t rights = granted[i];

		if (in->flags & (K_INSTALL_CWD | K_INSTALL_ROOT)) {
			install_fs(caller, o, in->flags);
			continue;
		}
		if (in->flags & K_INSTALL_CLOEXEC)
			rights |= HANDLE_CLOEXEC;
		table_set(caller->task->table, (uint32_t)slot[i], o, rights, 0);
		if (in->fd_to)
			remote_write_kernel(caller, in->fd_to, &slot[i], sizeof(int));
		else
			a->result = slot[i];
	}
}

int64_t answer_run(struct thread *server, struct endpoint *e, uint32_t rights, uint64_t from)
{
	struct k_answer a;
	struct thread *caller;
	int slot[K_ANSWER_INSTALLS];
	int64_t r = answer_read(server, &a, from);

	if (r)
		return r;
	r = call_lookup(e, a.call, &caller);
	if (r)
		return r;
	if ((a.copies && !(rights & K_RIGHT_CALLER_MEMORY)) ||
	    (a.installs && !(rights & K_RIGHT_CALLER_INSTALL)) ||
	    (a.flags & (K_ANSWER_EXIT | K_ANSWER_REGS) && !(rights & K_RIGHT_CALLER_REGS)))
		return -EPERM;
	/* One copy that crosses no page is done or not by itself. */
	if (a.copies + a.installs > 1 ||
	    (a.copies && (a.copy[0].to & PAGE_MASK) + a.copy[0].size > PAGE_SIZE))
		for (unsigned i = 0; i < a.copies && !r; i++)
			r = remote_prepare_write(caller, a.copy[i].to, a.copy[i].size);
	if (!r && a.installs)
		r = installs_prepare(server, caller, &a, slot);
	for (unsigned i = 0; i < a.copies && !r; i++)
		r = remote_write(server, caller, a.copy[i].to, (uint64_t)a.copy[i].from,
				 a.copy[i].size);
	if (r)
		return caller_copied(caller, r);
	/* Nothing can fail from here on. */
	if (a.installs) {
		installs_commit(server, caller, &a, slot);
		/*
		 * Replacing a handle may have ended an endpoint, even this one with all its calls.
		 */
		if (call_lookup(e, a.call, &caller))
			return 0;
	}
	call_finish(caller, a.result, a.flags);
	return 0;
}

int64_t native_answer(struct thread *t, const uint64_t *a)
{
	struct handle *h = table_slot(t->task->table, (uint32_t)a[0]);
	struct object *o;
	int64_t r = native_lookup(t, a[0], K_OBJECT_ENDPOINT, K_RIGHT_RECEIVE, &o);

	if (!r)
		r = answer_run(t, endpoint_of(o), h->rights, a[1]);
	if (!r)
		t->lender_call = 0;
	return r;
}

/* As if the call had been the last that it received. */
int64_t native_caller_serve(struct thread *t, const uint64_t *a)
{
	struct object *o;
	struct thread *c = NULL;
	int64_t r = native_lookup(t, a[0], K_OBJECT_ENDPOINT, K_RIGHT_RECEIVE, &o);

	if (!r && a[1])
		r = call_lookup(endpoint_of(o), a[1], &c);
	if (!r)
		t->lender_call = a[1];
	return r;
}

/* --- receive ------------------------------------------------------------------------------ */

static void receiver_detach(struct thread *t)
{
	if (t->serving && t->serving->receiver == t)
		t->serving->receiver = NULL;
}

/* It counts as serving as soon as it gets something or waits: not if it is refused. */
static void serving_set(struct thread *t, struct endpoint *e)
{
	if (likely(t->serving == e))
		return;
	if (t->serving)
		object_put(&t->serving->object);
	t->serving = e;
	object_get(&e->object);
}

/* Finds the message buffer in the direct map, for deliver_direct(), if it lies in one page. */
static RARELY void inbox_find(struct thread *t, uint64_t address)
{
	struct arch_space *s = t->space;
	uint64_t pa;
	unsigned flags;

	t->inbox_generation = INBOX_NONE;
	t->inbox_address = address;
	if ((address & PAGE_MASK) + sizeof(struct k_message) <= PAGE_SIZE && address % 8 == 0 &&
	    address < USER_END && arch_query(s, address, &pa, &flags) && flags & ARCH_MAP_WRITE) {
		t->inbox = (struct k_message *)((char *)phys_to_virt(pa & ~PAGE_MASK) +
						(address & PAGE_MASK));
		t->inbox_generation = s->generation;
	}
}

/* t is the receiver from now on, until something comes. */
static inline int receiver_set(struct thread *t, struct endpoint *e, uint64_t message,
			       int64_t deadline)
{
	if (e->receiver)
		return -EBUSY;
	if (unlikely(t->inbox_address != message))
		inbox_find(t, message);
	e->receiver = t;
	serving_set(t, e);
	t->progress.active = true;
	t->progress.deadline = deadline;
	return 0;
}

static RARELY int64_t receive_wait_until(struct thread *t, struct endpoint *e, uint64_t message,
					 int64_t deadline)
{
	int r;

	if (deadline <= time_now()) {
		t->lender_call = 0;
		return -ETIMEDOUT;
	}
	r = receiver_set(t, e, message, deadline);
	return r ? r : wait_custom(t, K_WAIT_RECEIVE, EINTR, receiver_detach);
}

/* Nothing is there for the receiver: it waits. */
static int64_t receive_wait(struct thread *t, struct endpoint *e, uint64_t message,
			    int64_t deadline)
{
	int r;

	if (unlikely(deadline != K_FOREVER))
		return receive_wait_until(t, e, message, deadline);
	r = receiver_set(t, e, message, deadline);
	return r ? r : wait_forever(t, K_WAIT_RECEIVE, EINTR, receiver_detach);
}

/* The receiver looks again, or for the first time: a message, or it waits. */
static int64_t receive_run(struct thread *t, struct endpoint *e, uint64_t message, int64_t deadline)
{
	int64_t r = endpoint_deliver(e, t, message);

	if (likely(r == -EAGAIN))
		return receive_wait(t, e, message, deadline);
	if (r && !op_result_is_special(r))
		return r;
	serving_set(t, e);
	if (r) {
		t->progress.active = true;
		t->progress.deadline = deadline;
	}
	return r;
}

static RARELY WHOLE int64_t receive_answering(struct thread *t, struct endpoint *e, uint32_t rights,
					      uint64_t answer, uint64_t message, int64_t deadline)
{
	int64_t r;

	object_get(&e->object);		/* what the answer installs may replace our own handle */
	r = answer_run(t, e, rights, answer);
	if (!r)
		r = receive_run(t, e, message, deadline);
	object_put(&e->object);
	return r;
}

int64_t native_receive_begin(struct thread *t, const uint64_t *a)
{
	struct thread *caller;
	struct handle *h;
	struct endpoint *e;
	int64_t r;

	h = table_slot(t->task->table, (uint32_t)a[0]);
	if (!h)
		return -EBADF;
	if (h->object->type != K_OBJECT_ENDPOINT)
		return -EINVAL;
	if (!(h->rights & K_RIGHT_RECEIVE))
		return -EPERM;
	e = endpoint_of(h->object);
	if (a[1])
		return receive_answering(t, e, h->rights, a[1], a[2], (int64_t)a[3]);
	if (a[4]) {			/* a plain answer: call and result */
		r = call_lookup(e, a[4], &caller);
		if (r)
			return r;
		call_finish(caller, (int64_t)a[5], K_ANSWER_RESULT);
	}
	return receive_run(t, e, a[2], (int64_t)a[3]);
}

WHOLE int64_t native_receive(struct thread *t, const uint64_t *a)
{
	if (t->progress.active)		/* again: the answer has gone out */
		return receive_run(t, t->serving, a[2], t->progress.deadline);
	return native_receive_begin(t, a);
}

/* What user mode supplies lies in a message as in struct k_private_call: it is read right there. */
#define CALL_AT offsetof(struct k_message, umask)
_Static_assert(offsetof(struct k_message, number) - CALL_AT ==
		       offsetof(struct k_private_call, number),
	       "number");
_Static_assert(offsetof(struct k_message, arg) - CALL_AT == offsetof(struct k_private_call, arg),
	       "arguments");
_Static_assert(offsetof(struct k_private_call, endpoint) == 0, "endpoint");

WHOLE int64_t native_call(struct thread *t, const uint64_t *a)
{
	struct k_message *m = &t->message;
	struct handle *h;
	int32_t number;
	uint32_t badge;
	int64_t r = user_read(t, (char *)m + CALL_AT, a[0], sizeof(struct k_private_call));

	if (r)
		return r;
	h = table_slot(t->task->table, m->umask);
	if (!h)
		return -EBADF;
	if (h->object->type != K_OBJECT_ENDPOINT)
		return -EINVAL;
	if (unlikely(!(h->rights & K_RIGHT_CALL)))
		return -EPERM;
	number = m->number;
	badge = h->badge;
	message_begin(t, K_MSG_PRIVATE);
	m->number = number;
	m->cookie = badge;
	t->op = 0;
	call_send(t, endpoint_of(h->object));
	return OP_QUEUED;
}

/* --- the caller's memory, descriptors, registers ------------------------------------------ */

int64_t native_caller_read(struct thread *t, const uint64_t *a)
{
	struct endpoint *e;
	struct thread *c;
	int64_t r = native_caller(t, a, K_RIGHT_CALLER_MEMORY, &e, &c);

	return r ? r : caller_copied(c, remote_read(t, a[2], c, a[3], a[4]));
}

int64_t native_caller_read_string(struct thread *t, const uint64_t *a)
{
	struct endpoint *e;
	struct thread *c;
	int64_t r = native_caller(t, a, K_RIGHT_CALLER_MEMORY, &e, &c);

	return r ? r : caller_copied(c, remote_read_string(t, a[2], c, a[3], a[4]));
}

int64_t native_caller_write(struct thread *t, const uint64_t *a)
{
	struct endpoint *e;
	struct thread *c;
	int64_t r = native_caller(t, a, K_RIGHT_CALLER_MEMORY, &e, &c);

	return r ? r : caller_copied(c, remote_write(t, c, a[2], a[3], a[4]));
}

/* What endpoint e (NULL: nobody in particular) may see of a description. */
static void cookie_fill(struct k_caller_cookie *out, const struct description *d,
			const struct endpoint *e)
{
	memset(out, 0, sizeof(*out));
	out->own = !e || d->endpoint == e;
	out->cookie = out->own ? d->cookie : 0;
	out->id = d->object.id;
	out->status = d->status;
	out->plane = d->plane;
	out->offset = d->plane >= K_PLANE_PIPE_READ && d->plane <= K_PLANE_SOCKET ?
			      pipe_bytes(d->pipe) :
			      d->offset;
	out->flags = d->flags;
}

int64_t native_caller_cookie(struct thread *t, const uint64_t *a)
{
	struct k_caller_cookie out;
	struct description *d;
	struct endpoint *e;
	struct thread *c;
	int64_t r = native_caller(t, a, 0, &e, &c);

	if (r)
		return r;
	d = description_get(c, (uint32_t)a[2]);
	if (!d)
		return -EBADF;
	cookie_fill(&out, d, e);
	return user_write(t, a[3], &out, sizeof(out));
}

int64_t native_description_info(struct thread *t, const uint64_t *a)
{
	struct k_caller_cookie out;
	struct object *o;
	int r = native_lookup(t, a[0], K_OBJECT_DESCRIPTION, 0, &o);

	if (r)
		return r;
	cookie_fill(&out, description_of(o), NULL);
	return user_write(t, a[1], &out, sizeof(out));
}

int64_t native_caller_take(struct thread *t, const uint64_t *a)
{
	struct description *d;
	struct endpoint *e;
	struct thread *c;
	int64_t r = native_caller(t, a, K_RIGHT_CALLER_TAKE, &e, &c);

	if (r)
		return r;
	d = description_get(c, (uint32_t)a[2]);
	if (!d)
		return -EBADF;
	object_get(&d->object);
	return native_give(t, &d->object, K_RIGHTS_ALL);
}

int64_t native_caller_install(struct thread *t, const uint64_t *a)
{
	struct table *table;
	struct endpoint *e;
	struct thread *c;
	struct object *o;
	uint32_t rights;
	int64_t slot, r = native_caller(t, a, K_RIGHT_CALLER_INSTALL, &e, &c);

	if (!r)
		r = native_lookup(t, a[2], K_OBJECT_DESCRIPTION, 0, &o);
	if (r)
		return r;
	if (a[3] & ~(uint64_t)(K_INSTALL_CLOEXEC | K_INSTALL_KEEP))
		return -EINVAL;
	table = c->task->table;
	slot = table_find_free(table, (uint32_t)a[4]);
	if (slot < 0)
		return slot;
	rights = table_slot(t->task->table, (uint32_t)a[2])->rights & ~HANDLE_CLOEXEC;
	object_get(o);
	table_set(table, (uint32_t)slot, o,
		  rights | (a[3] & K_INSTALL_CLOEXEC ? HANDLE_CLOEXEC : 0), 0);
	if (!(a[3] & K_INSTALL_KEEP))
		table_close(t->task->table, a[2]);
	return slot;
}

int64_t native_caller_scratch(struct thread *t, const uint64_t *a)
{
	struct endpoint *e;
	struct thread *c;
	int64_t r = native_caller(t, a, 0, &e, &c);
	uint64_t n;

	if (r)
		return r;
	n = a[3] < c->scratch_size ? a[3] : c->scratch_size;
	r = n ? user_write(t, a[2], c->scratch, n) : 0;
	return r ? r : (int64_t)n;
}

int64_t native_caller_attached(struct thread *t, const uint64_t *a)
{
	struct endpoint *e;
	struct thread *c;
	struct object *o;
	int64_t r = native_caller(t, a, 0, &e, &c);

	if (r)
		return r;
	if (a[2] > 1 || !c->attached[a[2]])
		return -ENOENT;
	o = c->attached[a[2]];
	r = table_insert(t->task->table, o, c->attached_rights[a[2]], 0);
	if (r >= 0) {
		handle_release(o, c->attached_rights[a[2]]);
		c->attached[a[2]] = NULL;
	}
	return r;
}

int64_t native_caller_watch_table(struct thread *t, const uint64_t *a)
{
	struct endpoint *e;
	struct thread *c;
	struct table *table;
	int64_t r = native_caller(t, a, 0, &e, &c);

	if (r)
		return r;
	table = c->task->table;
	if (a[2] && !table->watched) {
		table->watcher = e;
		object_get(&e->object);
	} else if (!a[2] && table->watched) {
		object_put(&table->watcher->object);
		table->watcher = NULL;
	}
	table->watched = a[2];
	return 0;
}

int64_t native_caller_futex_wake(struct thread *t, const uint64_t *a)
{
	struct endpoint *e;
	struct thread *c;
	int64_t r = native_caller(t, a, K_RIGHT_CALLER_MEMORY, &e, &c);

	return r ? r : futex_wake_address(c->task->space, a[2], (int)a[3]);
}

/* struct k_regs in the order of fields that the frame shares with it. */
void regs_from_frame(struct k_regs *r, const struct arch_frame *f)
{
	struct arch_user_regs u;

	arch_frame_get_regs(f, &u);
	*r = (struct k_regs){
		.r15 = u.r15,
		.r14 = u.r14,
		.r13 = u.r13,
		.r12 = u.r12,
		.rbp = u.rbp,
		.rbx = u.rbx,
		.r11 = u.r11,
		.r10 = u.r10,
		.r9 = u.r9,
		.r8 = u.r8,
		.rax = u.rax,
		.rcx = u.rcx,
		.rdx = u.rdx,
		.rsi = u.rsi,
		.rdi = u.rdi,
		.rip = u.rip,
		.rflags = u.eflags,
		.rsp = u.rsp,
		.fs_base = u.fs_base,
		.gs_base = u.gs_base,
	};
}

int regs_to_frame(struct arch_frame *f, const struct k_regs *r)
{
	struct arch_user_regs u;

	arch_frame_get_regs(f, &u);
	u = (struct arch_user_regs){
		.r15 = r->r15,
		.r14 = r->r14,
		.r13 = r->r13,
		.r12 = r->r12,
		.rbp = r->rbp,
		.rbx = r->rbx,
		.r11 = r->r11,
		.r10 = r->r10,
		.r9 = r->r9,
		.r8 = r->r8,
		.rax = r->rax,
		.rcx = r->rcx,
		.rdx = r->rdx,
		.rsi = r->rsi,
		.rdi = r->rdi,
		.orig_rax = u.orig_rax,
		.rip = r->rip,
		.cs = u.cs,
		.eflags = r->rflags,
		.rsp = r->rsp,
		.ss = u.ss,
		.fs_base = r->fs_base,
		.gs_base = r->gs_base,
		.ds = u.ds,
		.es = u.es,
		.fs = u.fs,
		.gs = u.gs,
	};
	return arch_frame_set_regs(f, &u);
}

int64_t native_caller_regs_get(struct thread *t, const uint64_t *a)
{
	struct k_regs regs;
	struct endpoint *e;
	struct thread *c;
	int64_t r = native_caller(t, a, K_RIGHT_CALLER_REGS, &e, &c);

	if (r)
		return r;
	regs_from_frame(&regs, &c->frame);
	return user_write(t, a[2], &regs, sizeof(regs));
}

int64_t native_caller_regs_set(struct thread *t, const uint64_t *a)
{
	struct k_regs regs;
	struct endpoint *e;
	struct thread *c;
	int64_t r = native_caller(t, a, K_RIGHT_CALLER_REGS, &e, &c);

	if (!r)
		r = user_read(t, &regs, a[2], sizeof(regs));
	return r ? r : regs_to_frame(&c->frame, &regs);
}

int64_t native_caller_fpu_get(struct thread *t, const uint64_t *a)
{
	size_t size = arch_fpu_size();
	struct endpoint *e;
	struct thread *c;
	int64_t r = native_caller(t, a, K_RIGHT_CALLER_REGS, &e, &c);

	if (r)
		return r;
	if (!a[3])
		return (int64_t)size;
	if (a[3] < size)
		return -EINVAL;
	r = thread_fpu_attach(c);
	if (r)
		return r;
	arch_fpu_save(&c->frame);
	r = user_write(t, a[2], c->frame.fpu, size);
	return r ? r : (int64_t)size;
}

int64_t native_caller_fpu_set(struct thread *t, const uint64_t *a)
{
	size_t size = arch_fpu_size();
	struct endpoint *e;
	struct thread *c;
	void *area;
	int64_t r = native_caller(t, a, K_RIGHT_CALLER_REGS, &e, &c);

	if (!r)
		r = thread_fpu_attach(c);
	if (r)
		return r;
	if (!a[3]) {
		arch_fpu_reload(&c->frame);
		arch_fpu_init(c->frame.fpu);
		return 0;
	}
	if (a[3] > size)
		return -EINVAL;
	area = kzalloc(size);
	if (!area)
		return -ENOMEM;
	arch_fpu_init(area);
	r = user_read(t, area, a[2], a[3]);
	if (!r)
		r = arch_fpu_sanitise(area, a[3]);
	if (!r) {
		arch_fpu_reload(&c->frame);
		memcpy(c->frame.fpu, area, size);
	}
	kfree(area);
	return r;
}

/* --- forward ------------------------------------------------------------------------------ */

/* The operation of the route entry runs in the caller's context, with nothing routed again. */
static int64_t forward_kernel(struct thread *c, struct endpoint *e, const struct k_forward *f)
{
	uint32_t number =
		f->flags & K_FORWARD_ARGS ? (uint32_t)f->number : (uint32_t)c->message.number;
	uint8_t op = number < K_ROUTE_NUMBERS ? c->routes->entry[number].shortcut : K_OP_NONE;

	if (op == K_OP_NONE)
		return -EINVAL;
	progress_end(c);
	c->flags |= THREAD_RESTART | THREAD_AUTHORITY;
	c->op = op;
	c->op_number = (int32_t)number;
	if (f->flags & K_FORWARD_ARGS) {
		c->flags |= THREAD_ARGS;
		memcpy(c->op_args, f->arg, sizeof(c->op_args));
	}
	if (f->flags & K_FORWARD_HOOK) {
		c->flags |= THREAD_HOOK;
		c->hook = e;
		object_get(&e->object);
	}
	call_detach(c);
	call_release_attached(c);	/* the descriptor stays pinned until the operation ends */
	sched_next(c);
	return 0;
}

/*
 * New scratch and handles replace what was attached. All that can fail is done before anything
 * changes.
 */
static int64_t forward_attach(struct thread *t, struct thread *c, const struct k_forward *f)
{
	struct table *table = t->task->table;
	void *scratch = NULL;
	int64_t r = 0;

	if (f->scratch_size > K_SCRATCH_MAX)
		return -EINVAL;
	for (int i = 0; i < 2; i++)
		if (f->handle[i] >= 0 && !table_slot(table, (uint32_t)f->handle[i]))
			return -EBADF;
	if (f->scratch_size) {
		scratch = kmalloc(f->scratch_size);
		if (!scratch)
			return -ENOMEM;
		r = user_read(t, scratch, (uint64_t)f->scratch, f->scratch_size);
		if (r) {
			kfree(scratch);
			return r;
		}
		kfree(c->scratch);
		c->scratch = scratch;
		c->scratch_size = f->scratch_size;
	}
	for (int i = 0; i < 2; i++) {
		handle_drop(c->attached[i], c->attached_rights[i]);
		c->attached[i] = NULL;
		if (f->handle[i] >= 0)
			c->attached[i] = table_take(table, (uint32_t)f->handle[i],
						    &c->attached_rights[i], NULL);
		if (c->attached[i])
			handle_hold(c->attached[i], c->attached_rights[i]);
	}
	return 0;
}

/*
 * Where a call about a descriptor goes: the endpoint that serves the description (*pin) that c's
 * call is or becomes about. Unless the number of the descriptor is new, it is the one that the call
 * has pinned.
 */
static int64_t forward_descriptor(struct thread *c, const struct k_forward *f, struct endpoint **to,
				  struct object **pin)
{
	uint64_t fd = f->flags & K_FORWARD_ARGS ? f->arg[0] : c->message.arg[0];
	uint32_t number = (uint32_t)(f->flags & K_FORWARD_ARGS ? f->number : c->message.number);
	struct description *d = c->call_fd && (uint32_t)fd == (uint32_t)c->message.arg[0] ?
					description_of(c->call_fd) :
					description_get(c, fd);

	if (c->message.kind != K_MSG_CALL || number >= K_ROUTE_NUMBERS)
		return -EINVAL;
	if (!d)
		return -EBADF;
	if (d->endpoint == c->endpoint)
		return -ELOOP;
	*pin = &d->object;
	*to = d->endpoint;
	return 0;
}

/* c's call is about this description from now on. */
static void call_pin(struct thread *c, struct object *o)
{
	object_get(o);
	object_put(c->call_fd);
	c->call_fd = o;
}

int64_t native_caller_forward(struct thread *t, const uint64_t *a)
{
	struct object *o, *endpoint, *pin = NULL;
	struct endpoint *to;
	struct k_forward f;
	struct thread *c;
	int64_t r = user_read(t, &f, a[1], sizeof(f));

	if (!r)
		r = native_lookup(t, a[0], K_OBJECT_ENDPOINT, K_RIGHT_RECEIVE, &o);
	if (!r)
		r = call_lookup(endpoint_of(o), f.call, &c);
	if (r)
		return r;
	if (f.flags & K_FORWARD_KERNEL)
		return forward_kernel(c, endpoint_of(o), &f);
	if (f.flags & K_FORWARD_DESCRIPTOR) {
		r = forward_descriptor(c, &f, &to, &pin);
	} else {
		r = native_lookup(t, (uint32_t)f.endpoint, K_OBJECT_ENDPOINT, K_RIGHT_CALL,
				  &endpoint);
		to = r ? NULL : endpoint_of(endpoint);
	}
	if (!r)
		r = forward_attach(t, c, &f);
	/*
	 * what was attached before may have been the last handle to the endpoint that holds the
	 * call
	 */
	if (!r)
		r = call_lookup(endpoint_of(o), f.call, &c);
	if (r)
		return r;
	c->message.flags &= K_MSGF_DECLINED | K_MSGF_BADFD;
	c->message.flags |= K_MSGF_FORWARDED | (c->scratch ? K_MSGF_SCRATCH : 0);
	if (f.flags & K_FORWARD_ARGS) {
		c->message.number = f.number;
		memcpy(c->message.arg, f.arg, sizeof(f.arg));
	}
	if (pin) {
		call_pin(c, pin);
		c->message.flags &= ~K_MSGF_BADFD;
	}
	call_detach(c);
	message_resolve(c, to);
	call_send(c, to);
	t->lender_call = 0;
	return 0;
}
