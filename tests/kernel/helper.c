/* SPDX-License-Identifier: MIT */
/*
 * Helper threads and child tasks of the tests, and the home that answers for them.
 *
 * A helper thread knows its own handle and ends by killing itself, so nothing is left of it but its
 * stack, which whoever started it unmaps. A child task comes from a helper thread that calls the
 * main thread, which forks it and lets the helper go.
 */
#include "ktest.h"

#define STACK_SIZE 0x8000ul
#define HELPERS 256

struct helper {
	void (*fn)(void *arg);
	void *arg;
	volatile int handle;
	uint64_t stack;
	bool used;
};

struct ktest_home ktest_home;

static struct helper helpers[HELPERS];
static int sleep_endpoint = -1;

/* --- time --------------------------------------------------------------------------------- */

void ktest_sleep(int64_t ns)
{
	struct k_message m;

	if (sleep_endpoint < 0)
		sleep_endpoint = (int)k_endpoint_create();
	k_receive(sleep_endpoint, NULL, &m, k_clock_get(0) + ns);
}

bool ktest_wait(volatile int *flag)
{
	for (int i = 0; i < 6000 && !*flag; i++)
		ktest_sleep(MS / 2);
	return *flag;
}

bool ktest_wait_state(int h, uint32_t state)
{
	struct k_thread_info info;

	for (int i = 0; i < 6000; i++) {
		if (k_thread_info(h, &info) == 0 && info.state == state)
			return true;
		ktest_sleep(MS / 2);
	}
	return false;
}

uint64_t ktest_random(uint64_t *seed)
{
	uint64_t x = *seed += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

int ktest_receive(int e, struct k_message *m)
{
	return (int)k_receive(e, NULL, m, k_clock_get(0) + 1000 * MS);
}

int ktest_answer(int e, uint64_t call, int64_t result)
{
	struct k_answer a = { .call = call, .result = result };

	return (int)k_answer(e, &a);
}

void ktest_endpoint_free(int e)
{
	struct k_message m;

	while (k_receive(e, NULL, &m, 0) == 0)
		if (m.call && m.kind != K_MSG_CANCEL)
			ktest_answer(e, m.call, -EIO);
	k_handle_close(e);
}

/* --- threads ------------------------------------------------------------------------------ */

static void helper_main(struct helper *h)
{
	h->fn(h->arg);
	for (;;)
		k_thread_kill(h->handle);
}

static struct helper *helper_alloc(void)
{
	struct k_map stack = {
		.size = STACK_SIZE, .space = -1, .object = -1, .flags = K_MAP_READ | K_MAP_WRITE
	};

	for (int i = 0; i < HELPERS; i++) {
		struct helper *h = &helpers[i];

		if (h->used)
			continue;
		if (k_space_map(&stack) < 0)
			return NULL;
		h->used = true;
		h->stack = stack.address;
		return h;
	}
	return NULL;
}

static void helper_free(struct helper *h)
{
	k_space_unmap(-1, h->stack, STACK_SIZE);
	h->used = false;
}

static int helper_start(void (*fn)(void *arg), void *arg, uint32_t priority, int routes)
{
	struct k_thread_create t = { .task = ktest_task, .routes = routes, .priority = priority };
	struct helper *h = helper_alloc();
	long handle;

	if (!h)
		return -ENOMEM;
	h->fn = fn;
	h->arg = arg;
	t.regs.rip = (uint64_t)helper_main;
	t.regs.rdi = (uint64_t)h;
	t.regs.rsp = h->stack + STACK_SIZE - 8;
	handle = k_thread_create(&t);
	h->handle = (int)handle;
	if (handle < 0)
		helper_free(h);
	else
		k_thread_start((int)handle);
	return (int)handle;
}

int ktest_thread(void (*fn)(void *arg), void *arg)
{
	return helper_start(fn, arg, K_PRIORITY_USER, -1);
}

int ktest_user_thread(void (*fn)(void *arg), void *arg, uint32_t priority)
{
	return helper_start(fn, arg, priority, ktest_home.routes);
}

void ktest_thread_free(int handle)
{
	if (handle < 0)
		return;
	k_thread_kill(handle);
	if (!ktest_wait_state(handle, K_THREAD_DEAD))
		ktest_say("not ok kernel: thread %d does not die\n", handle);
	for (int i = 0; i < HELPERS; i++)
		if (helpers[i].used && helpers[i].handle == handle)
			helper_free(&helpers[i]);
	k_handle_close(handle);
}

/* --- children ----------------------------------------------------------------------------- */

struct parent {
	struct k_private_call call;
	void (*fn)(void *arg);
	void *arg;
};

/*
 * k_call() that returns in the parent only: the child, whose call gives 0, goes to fn(arg), and
 * does not come back.
 */
long fork_call(const struct k_private_call *call, void (*fn)(void *), void *arg);
__asm__(".text\n"
	"fork_call:\n"
	"	push %rbx\n	push %r12\n	push %r13\n"
	"	mov %rsi, %r12\n	mov %rdx, %r13\n"
	"	mov fork_call_number(%rip), %eax\n"
	"	syscall\n"
	"	test %rax, %rax\n	jz 1f\n"
	"	pop %r13\n	pop %r12\n	pop %rbx\n	ret\n"
	"1:	mov %r13, %rdi\n	and $-16, %rsp\n	call *%r12\n	ud2\n");
/* Global and used: the assembly may end up in another part of the program than its definition. */
extern const int fork_call_number;
__attribute__((used)) const int fork_call_number = K_NATIVE_call;

static void parent_main(void *arg)
{
	struct parent *p = arg;

	fork_call(&p->call, p->fn, p->arg);
}

int ktest_child(void (*fn)(void *arg), void *arg, uint32_t flags, int account, struct k_fork *f)
{
	static struct parent p;
	int e = (int)k_endpoint_create(), t;
	struct k_message m;
	long r;

	*f = (struct k_fork){ .flags = flags,
			      .account = account,
			      .notify = ktest_home.endpoint,
			      .tid = 77,
			      .pid = 77,
			      .task = -1,
			      .thread = -1 };
	p = (struct parent){ { .endpoint = e, .number = 1 }, fn, arg };
	t = ktest_user_thread(parent_main, &p, K_PRIORITY_USER);
	if (flags & K_FORK_SPACE) {
		struct helper *h = helper_alloc();	/* never freed: one page or two */

		f->set = 1;
		f->rsp = h->stack + STACK_SIZE - 8;
		h->handle = -1;
	}
	r = ktest_receive(e, &m);
	if (!r)
		r = k_task_fork(e, m.call, f);
	ktest_answer(e, m.call, 1);
	ktest_thread_free(t);
	k_handle_close(e);
	return (int)r;
}

void ktest_child_free(struct k_fork *f)
{
	struct k_task_info info;

	k_task_kill(f->task);
	for (int i = 0; i < 6000 && k_task_info(f->task, &info) == 0 && info.threads; i++)
		ktest_sleep(MS / 2);
	for (int i = 0; i < HELPERS; i++)
		if (helpers[i].used && f->set & 1 && f->rsp == helpers[i].stack + STACK_SIZE - 8)
			helper_free(&helpers[i]);
	/* or the next test would take the notice for its own */
	ktest_wait_state(ktest_home.thread, K_THREAD_BLOCKED);
	k_handle_close(f->thread);
	k_handle_close(f->task);
}

/* --- home --------------------------------------------------------------------------------- */

static void home_answer(const struct k_message *m, struct k_answer *a)
{
	struct ktest_home *home = &ktest_home;

	*a = (struct k_answer){ .call = m->call, .flags = K_ANSWER_RESUME };
	switch (m->kind) {
	case K_MSG_CALL:
	case K_MSG_PRIVATE:
		home->calls++;
		a->flags = K_ANSWER_RESULT;
		a->result = -ENOSYS;
		break;
	case K_MSG_EVENT:
		home->events++;
		if (home->event_result && m->flags & K_MSGF_IN_SYSCALL &&
		    (int64_t)m->extra[0] <= -K_RESTART_SYS &&
		    (int64_t)m->extra[0] >= -K_RESTART_BLOCK) {
			a->flags = K_ANSWER_RESULT;
			a->result = home->event_result;
		}
		break;
	case K_MSG_FAULT:
		home->faults++;
		home->fault_address = m->extra[1];
		a->flags = K_ANSWER_EXIT;
		break;
	case K_MSG_MEMORY:
		home->memory++;
		a->flags = home->memory_flags;
		break;
	case K_MSG_THREAD_DEAD:
		home->deaths++;
		break;
	case K_MSG_OVERDUE:
		home->overdue_call = m->call;
		home->overdue_number = m->number;
		home->overdue++;
		break;
	case K_MSG_TASK_GONE:
		home->gone_cookie = (uint32_t)m->cookie;
		home->gone++;
		break;
	default:
		break;
	}
}

static void home_main(void *arg)
{
	struct k_message m;
	struct k_answer a;
	long r = -1;

	(void)arg;
	for (;;) {
		r = k_receive(ktest_home.endpoint, r ? NULL : &a, &m, K_FOREVER);
		if (r)
			continue;	/* an answer that came too late */
		home_answer(&m, &a);
		r = m.call && m.kind != K_MSG_CANCEL && m.kind != K_MSG_OVERDUE ? 0 : -1;
	}
}

static void routes_fill(int routes)
{
	static const uint8_t on_descriptor[] = {
		K_OP_read,   K_OP_write,    K_OP_pread64, K_OP_pwrite64, K_OP_readv,
		K_OP_writev, K_OP_preadv,   K_OP_pwritev, K_OP_preadv2,  K_OP_pwritev2,
		K_OP_lseek,  K_OP_fcntl,    K_OP_close,   K_OP_dup,      K_OP_dup2,
		K_OP_dup3,   K_OP_sendfile, K_OP_sendto,  K_OP_recvfrom,
	};
	struct k_route r;

	for (unsigned op = 1; op < K_OPS; op++) {
		r = (struct k_route){ .destination = K_TO_HOME0, .shortcut = (uint8_t)op };
		k_routes_set(routes, op, 1, &r);
	}
	for (unsigned i = 0; i < sizeof(on_descriptor); i++) {
		r = (struct k_route){ .destination = K_TO_DESCRIPTOR,
				      .shortcut = on_descriptor[i] };
		k_routes_set(routes, on_descriptor[i], 1, &r);
	}
	r = (struct k_route){ .destination = K_TO_HOME1 };
	k_routes_set(routes, KTEST_SERVER, 1, &r);
	r.flags = K_ROUTE_PATIENT;
	k_routes_set(routes, KTEST_PATIENT, 1, &r);
	r = (struct k_route){ .destination = K_TO_DESCRIPTOR,
			      .flags = K_ROUTE_FD | K_ROUTE_FD_ONLY };
	k_routes_set(routes, KTEST_DESCRIPTOR, 1, &r);
}

void ktest_routes_home(int e)
{
	k_routes_home(ktest_home.routes, 1, e < 0 ? ktest_home.endpoint : e);
}

void ktest_home_start(void)
{
	struct ktest_home *home = &ktest_home;

	home->endpoint = (int)k_endpoint_create();
	home->routes = (int)k_routes_create(K_ROUTES_NATIVE);
	home->memory_flags = K_ANSWER_EXIT;
	routes_fill(home->routes);
	k_routes_home(home->routes, 0, home->endpoint);
	ktest_routes_home(-1);
	ktest_sleep(1);
	home->thread = helper_start(home_main, NULL, K_PRIORITY_DRIVER, -1);
}
