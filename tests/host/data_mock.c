/* SPDX-License-Identifier: MIT */
/* See data_mock.h. */
#include "data_mock.h"
#include "arch/paging.h"
#include "arch/vdso.h"
#include "core/sched.h"
#include "core/timer.h"
#include "data/pipe.h"
#include "data/uio.h"
#include "lib/print.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"

#ifndef SEED
#define SEED 12345
#endif

struct call calls[CALLS];
int64_t mock_now = 1000;
unsigned fault_rate;
uint64_t bad_address;
struct endpoint *mock_endpoint;
struct task mock_task;

static struct account account;
static uint64_t frames_out;
static struct wait_queue pager_queue = { LIST_INIT(pager_queue.waiters) };
static uint32_t seed = SEED;
static uint64_t base_objects[K_OBJECT_TYPES];

struct frame_counts frame_counts;
static struct arch_vvar vvar = { .coarse_ns = 4000000 };
struct arch_vvar *const arch_vvar_page = &vvar;

_Noreturn void check_failed(const char *what, const char *file, int line)
{
	dprintf(2, "%s:%d: %s\n", file, line, what);
	abort();
}

_Noreturn void panic(const char *format, ...)
{
	dprintf(2, "panic: %s\n", format);
	abort();
}

uint32_t rnd(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return below ? (seed >> 8) % below : 0;
}

/* --- memory ------------------------------------------------------------------------------- */

void *kmalloc(size_t n) { return malloc(n ? n : 1); }
void *kzalloc(size_t n) { return calloc(1, n ? n : 1); }
void kfree(void *p) { free(p); }

/* Frames: an arena whose first page has index 0 in the frame table. */
#define ARENA 4096
static unsigned char arena[ARENA][PAGE_SIZE] __attribute__((aligned(4096)));
static struct frame table_of_frames[ARENA];
struct frame *frame_table = table_of_frames;
uint64_t frame_low_end, frame_hole;

int frame_alloc(struct account *a, unsigned flags, uint64_t *pa)
{
	static unsigned next;

	(void)a;
	(void)flags;
	frame_hole = ((uint64_t)arena - ARCH_DIRECT_BASE) >> PAGE_SHIFT;
	while (table_of_frames[next % ARENA].references)
		next++;
	table_of_frames[next % ARENA].references = 1;
	*pa = (uint64_t)arena[next % ARENA] - ARCH_DIRECT_BASE;
	frames_out++;
	return 0;
}

void frame_free_last(struct frame *f)
{
	memset(arena[f - table_of_frames], 0xee, PAGE_SIZE);
	frames_out--;
}

void frame_pin(uint64_t pa) { (void)pa; }
void frame_unpin(uint64_t pa) { (void)pa; }

static bool prepared;

/* A fault at random: wait for a page, or for memory. */
static int64_t fault(struct thread *t)
{
	if (!fault_rate || prepared || rnd(fault_rate))
		return 0;
	if (rnd(2))
		return OP_MEMORY;
	return wait_on(t, &pager_queue, K_WAIT_PAGE, K_RESTART_SYS);
}

static bool bad(uint64_t at, uint64_t n)
{
	return at + n > USER_END ||
	       (bad_address && at < bad_address + PAGE_SIZE && at + n > bad_address);
}

int64_t user_read(struct thread *t, void *to, uint64_t from, uint64_t n)
{
	int64_t r = fault(t);

	if (r || bad(from, n))
		return r ? r : -EFAULT;
	memcpy(to, (void *)from, n);
	return 0;
}

int64_t user_write(struct thread *t, uint64_t to, const void *from, uint64_t n)
{
	int64_t r = fault(t);

	if (r || bad(to, n))
		return r ? r : -EFAULT;
	memcpy((void *)to, from, n);
	return 0;
}

int64_t user_zero(struct thread *t, uint64_t to, uint64_t n)
{
	int64_t r = fault(t);

	if (r || bad(to, n))
		return r ? r : -EFAULT;
	memset((void *)to, 0, n);
	return 0;
}

/* As in the kernel, what is prepared cannot fail until the operation ends. */
int64_t user_prepare_write(struct thread *t, uint64_t to, uint64_t n)
{
	int64_t r = fault(t);

	CHECK(n <= 2 * PAGE_SIZE);
	if (r || bad(to, n))
		return r ? r : -EFAULT;
	prepared = true;
	return 0;
}

int64_t space_page(struct space *s, uint64_t address, bool write, uint64_t *pa)
{
	(void)s;
	(void)write;
	*pa = (address & ~PAGE_MASK) - ARCH_DIRECT_BASE;
	return 0;
}

/* Spaces: one object; addresses below `shared_below` are shared memory of one object. */
static struct object space_objects[1];

struct object *space_object(struct space *s)
{
	return (struct object *)s;
}

bool space_identify(struct space *s, uint64_t address, struct mobject **m, uint64_t *offset)
{
	(void)s;
	*m = NULL;
	*offset = address;
	return true;
}

/* --- memory objects ----------------------------------------------------------------------- */

#define MOBJECT_MAX (1u << 20)

struct mobject {
	struct object object;
	uint64_t size, grow_limit;
	struct thread *append_owner;
	struct wait_queue append_waiters;
	unsigned char data[MOBJECT_MAX];
};

struct mobject *mock_mobject(uint64_t size)
{
	struct mobject *m = calloc(1, sizeof(*m));

	object_init(&m->object, K_OBJECT_MOBJECT);
	m->size = size;
	m->grow_limit = MOBJECT_MAX;
	wait_queue_init(&m->append_waiters);
	return m;
}

unsigned char *mock_mobject_data(struct mobject *m) { return m->data; }
void mock_mobject_grant(struct mobject *m, uint64_t limit) { m->grow_limit = limit; }
void mobject_destroy(struct object *o) { free(container_of(o, struct mobject, object)); }
struct object *mobject_object(struct mobject *m) { return &m->object; }
struct mobject *mobject_of(struct object *o) { return container_of(o, struct mobject, object); }
uint64_t mobject_size(const struct mobject *m) { return m->size; }
uint64_t mobject_grow_limit(const struct mobject *m) { return m->grow_limit; }
void mobject_stamp(struct mobject *m, bool write) { (void)m; (void)write; }

uint32_t mobject_decline(const struct mobject *m)
{
	(void)m;
	return 0;
}

int mobject_resize(struct mobject *m, uint64_t size)
{
	m->size = size;
	return 0;
}

int64_t mobject_page(struct mobject *m, struct thread *t, uint64_t index, bool write, uint64_t *pa)
{
	int64_t r = fault(t);

	(void)write;
	if (r)
		return r;
	*pa = (uint64_t)(m->data + index * PAGE_SIZE) - ARCH_DIRECT_BASE;
	return 0;
}

/* Stops anywhere: after some bytes it returns them, and waits only if there were none. */
static int64_t piecewise(struct thread *t, unsigned char *object, uint64_t user, uint64_t n,
			 bool write)
{
	uint64_t done = 0;

	while (done < n) {
		uint64_t piece = fault_rate ? smaller(n - done, 1 + rnd(5000)) : n - done;
		int64_t r = done ? 0 : fault(t);

		if (r)
			return r;
		if (done && fault_rate && !rnd(fault_rate))
			break;
		if (bad(user + done, piece))
			return done ? (int64_t)done : -EFAULT;
		if (write)
			memcpy(object + done, (void *)(user + done), piece);
		else
			memcpy((void *)(user + done), object + done, piece);
		done += piece;
	}
	return (int64_t)done;
}

int64_t mobject_read_user(struct mobject *m, struct thread *t, uint64_t offset, uint64_t to,
			  uint64_t n)
{
	if (offset >= m->size)
		return 0;
	return piecewise(t, m->data + offset, to, smaller(n, m->size - offset), false);
}

int64_t mobject_write_user(struct mobject *m, struct thread *t, uint64_t offset, uint64_t from,
			   uint64_t n)
{
	int64_t r;

	CHECK(offset + n <= MOBJECT_MAX);
	r = piecewise(t, m->data + offset, from, n, true);
	if (r > 0 && offset + (uint64_t)r > m->size)
		m->size = offset + (uint64_t)r;
	return r;
}

int64_t mobject_append_begin(struct mobject *m, struct thread *t)
{
	if (m->append_owner && m->append_owner != t)
		return wait_on(t, &m->append_waiters, K_WAIT_APPEND, K_RESTART_SYS);
	m->append_owner = t;
	return 0;
}

void mobject_append_end(struct mobject *m, struct thread *t)
{
	if (m->append_owner != t)
		return;
	m->append_owner = NULL;
	wait_queue_wake(&m->append_waiters, INT32_MAX);
}

/* --- what object.c, handle.c, the data plane and the timer expect of the rest ------------- */

#define UNUSED_DESTROY(what)                                                                       \
	void what##_destroy(struct object *o)                                                      \
	{                                                                                          \
		check_failed(#what, __FILE__, o->type != 0);                                       \
	}
UNUSED_DESTROY(space) UNUSED_DESTROY(task) UNUSED_DESTROY(thread) UNUSED_DESTROY(endpoint)
UNUSED_DESTROY(notification) UNUSED_DESTROY(irq) UNUSED_DESTROY(ioport) UNUSED_DESTROY(routes)

/* Notices wait in the endpoint's list for mock_notice(). */
void endpoint_notify(struct endpoint *e, struct notice *n)
{
	if (n->queued)
		return;
	n->queued = true;
	n->endpoint = e;
	list_append(&e->notices, &n->link);
}

void notice_cancel(struct notice *n)
{
	if (!n->queued)
		return;
	n->queued = false;
	list_remove(&n->link);
}

bool mock_notice(struct k_message *m)
{
	struct notice *n;

	if (list_empty(&mock_endpoint->notices))
		return false;
	n = list_first(&mock_endpoint->notices, struct notice, link);
	notice_cancel(n);
	memset(m, 0, sizeof(*m));
	n->fill(n, m);
	return true;
}

void endpoint_abandon(struct endpoint *e) { (void)e; }
void thread_retire(struct thread *t) { (void)t; }
void task_handle_goes(struct task *t) { (void)t; }
void notice_init(struct notice *n, void (*fill)(struct notice *, struct k_message *))
{
	n->fill = fill;
	list_init(&n->link);
}
void sched_timer_changed(void) {}
int64_t time_now(void) { return mock_now; }
uint64_t time_realtime_offset(void) { return 5000; }
bool preempt_needed(void) { return fault_rate && !rnd(fault_rate); }

/* Told at once. */
void endpoint_closed(struct endpoint *e, struct list *link, bool eager)
{
	(void)e;
	(void)eager;
	description_free(container_of(link, struct description, endpoint_link));
}

void sched_thread_time(struct thread *t, uint64_t *user_ns, uint64_t *system_ns)
{
	*user_ns = t->user_ns;
	*system_ns = t->system_ns;
}

struct source *mock_source(void)
{
	struct source *s;

	CHECK(!source_create(&s));
	return s;
}

/* --- waiting ------------------------------------------------------------------------------ */

static struct call *call_of(struct thread *t)
{
	return container_of(t, struct call, thread);
}

static void call_ended(struct call *c, int64_t r)
{
	struct progress *p = &c->thread.progress;

	c->result = r;
	c->reason = p->reason;
	c->done = p->done;
	c->ready = false;
	c->stopped = r <= -K_RESTART_SYS && r >= -K_RESTART_BLOCK;
	if (c->stopped)
		return;
	timer_disarm(&c->thread);
	if (p->release)
		p->release(&c->thread);
	memset(p, 0, sizeof(*p));
}

int64_t wait_custom(struct thread *t, enum k_wait why, int class, void (*detach)(struct thread *))
{
	CHECK(t->state == THREAD_RUNNING);
	t->wait_class = class;
	t->wait_why = why;
	t->wait_detach = detach;
	t->state = THREAD_BLOCKED;
	if (t->progress.active && t->progress.deadline != K_FOREVER && t->progress.deadline > 0)
		timer_arm(t, t->progress.deadline);
	return OP_BLOCK;
}

static void waiter_detach(struct thread *t)
{
	list_remove(&t->waiter.node);
}

int64_t wait_on(struct thread *t, struct wait_queue *q, enum k_wait why, int class)
{
	CHECK(list_empty(&t->waiter.node));
	list_append(&q->waiters, &t->waiter.node);
	return wait_custom(t, why, class, waiter_detach);
}

static void unwait(struct thread *t)
{
	CHECK(t->state == THREAD_BLOCKED);
	timer_disarm(t);
	t->wait_detach(t);
	t->wait_detach = NULL;
	t->state = THREAD_READY;
	CHECK(list_empty(&t->waiter.node));
}

void thread_wake(struct thread *t)
{
	if (t->state != THREAD_BLOCKED)
		return;
	unwait(t);
	call_of(t)->ready = true;
}

void thread_complete(struct thread *t, int64_t r)
{
	if (t->state != THREAD_BLOCKED)
		return;
	unwait(t);
	call_ended(call_of(t), r);
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

void mock_interrupt(unsigned n)
{
	struct call *c = &calls[n];
	struct thread *t = &c->thread;

	if (t->state != THREAD_BLOCKED)
		return;
	unwait(t);
	if (t->progress.finish_on_interrupt && !t->progress.interrupted) {
		t->progress.interrupted = true;
		c->ready = true;
	} else {
		call_ended(c, t->progress.done ? (int64_t)t->progress.done : -t->wait_class);
	}
}

void mock_resume(unsigned n)
{
	CHECK(calls[n].stopped);
	calls[n].stopped = false;
	calls[n].result = NOTHING;
	calls[n].ready = true;
}

void mock_kill(unsigned n)
{
	struct call *c = &calls[n];

	if (c->thread.state == THREAD_BLOCKED)
		unwait(&c->thread);
	c->killed = true;
	call_ended(c, -ESRCH);
}

void mock_forget(unsigned n)
{
	struct call *c = &calls[n];

	CHECK(c->result != NOTHING);
	if (c->stopped) {
		c->stopped = false;
		call_ended(c, -EINTR);
	}
	c->op = NULL;
}

void mock_time(int64_t now)
{
	mock_now = now;
	timer_expire(now);
}

/* --- running ------------------------------------------------------------------------------ */

static void call_run(struct call *c)
{
	int64_t r;

	c->ready = false;
	c->thread.state = THREAD_RUNNING;
	prepared = false;
	r = c->op(&c->thread, c->arg);
	if (r == OP_BLOCK) {
		CHECK(c->thread.state == THREAD_BLOCKED || c->ready);
		return;
	}
	CHECK(c->thread.state == THREAD_RUNNING);
	c->thread.state = THREAD_READY;
	if (r == OP_PREEMPT || r == OP_MEMORY)
		c->ready = true;
	else
		call_ended(c, r);
}

void mock_start(unsigned n, op_function *op, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
		uint64_t e, uint64_t f)
{
	struct call *k = &calls[n];

	CHECK(!k->op);
	k->op = op;
	memcpy(k->arg, (uint64_t[7]){ a, b, c, d, e, f, 0 }, sizeof(k->arg));
	k->result = NOTHING;
	k->killed = false;
	k->ready = true;
}

bool mock_busy(unsigned n)
{
	return calls[n].op;
}

bool mock_step(void)
{
	unsigned from = rnd(CALLS);

	if (!list_empty(&pager_queue.waiters) && !rnd(3))
		wait_queue_wake(&pager_queue, 1);
	for (unsigned i = 0; i < CALLS; i++) {
		struct call *c = &calls[(from + i) % CALLS];

		if (c->op && c->ready) {
			call_run(c);
			return true;
		}
	}
	return wait_queue_wake(&pager_queue, INT32_MAX);
}

void mock_settle(void)
{
	while (mock_step())
		;
}

int64_t mock_call(unsigned n, op_function *op, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
		  uint64_t e, uint64_t f)
{
	int64_t r;

	mock_start(n, op, a, b, c, d, e, f);
	mock_settle();
	r = calls[n].result;
	if (r != NOTHING && !calls[n].stopped)
		mock_forget(n);
	return r;
}

void mock_init(void)
{
	struct table *table;
	struct fsctx *fs;

	account.object.references = 1;
	CHECK(!table_create(&account, &table));
	CHECK(!fsctx_create(NULL, &fs));
	object_init(&space_objects[0], K_OBJECT_SPACE);
	mock_endpoint = calloc(1, sizeof(*mock_endpoint));
	object_init(&mock_endpoint->object, K_OBJECT_ENDPOINT);
	list_init(&mock_endpoint->descriptions);
	list_init(&mock_endpoint->notices);
	mock_task.table = table;
	mock_task.fsctx = fs;
	mock_task.space = (struct space *)&space_objects[0];
	mock_task.limit_fsize = UINT64_MAX;
	list_init(&mock_task.threads);
	for (unsigned i = 0; i < CALLS; i++) {
		struct thread *t = &calls[i].thread;

		t->task = &mock_task;
		list_init(&t->waiter.node);
		t->waiter.thread = t;
		timer_init(t);
		list_append(&mock_task.threads, &t->task_link);
	}
	memcpy(base_objects, object_count, sizeof(base_objects));
}

void mock_leak_check(void)
{
	for (uint32_t fd = 0; fd < mock_task.table->chunk_count * TABLE_CHUNK; fd++)
		table_close(mock_task.table, fd);
	for (unsigned i = 0; i < K_OBJECT_TYPES; i++)
		CHECK(object_count[i] == base_objects[i]);
	CHECK(frames_out == 0);
	CHECK(mock_endpoint->object.references == 1);
	CHECK(timer_next() == K_FOREVER);
}

int mock_open(enum k_plane plane, uint32_t status, struct object *o, struct object *o2,
	      struct source *s)
{
	struct k_description k = { .status = status, .plane = plane };
	struct description *d;
	int fd;

	CHECK(!description_create(mock_endpoint, &k, o, o2, s, &d));
	fd = table_insert(mock_task.table, &d->object, K_RIGHTS_ALL, 0);
	CHECK(fd >= 0);
	return fd;
}

struct description *mock_description(int fd)
{
	return description_get(&calls[0].thread, (uint64_t)fd);
}
