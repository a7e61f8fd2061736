/* SPDX-License-Identifier: MIT */
/*
 * Routed calls: cancellation, forwarding, answers that install descriptors, calls that come again
 * for want of a page.
 */
#include "ktest.h"

struct user {
	int number;
	uint64_t arg[3];
	volatile long result;
	volatile int done, stop;
};

static void user_main(void *arg)
{
	struct user *u = arg;

	u->result = ktest_call(u->number, u->arg[0], u->arg[1], u->arg[2]);
	u->done = 1;
}

/* An endpoint that serves KTEST_SERVER calls, and one user who makes one. */
static int user_start(struct user *u, int *e, int *c)
{
	u->done = 0;
	u->number = u->number ? u->number : KTEST_SERVER;
	*e = (int)k_endpoint_create();
	*c = (int)k_handle_duplicate(*e, K_RIGHT_CALL, 0);
	ktest_routes_home(*c);
	return ktest_user_thread(user_main, u, K_PRIORITY_USER);
}

static void user_end(int t, int e, int c)
{
	ktest_thread_free(t);
	ktest_routes_home(-1);
	k_handle_close(c);
	ktest_endpoint_free(e);
}

/* --- cancellation ------------------------------------------------------------------------- */

TEST(event_takes_a_queued_call_back)
{
	static struct user u;
	int e, c, t;
	struct k_message m;

	u = (struct user){ .arg = { 1 } };
	ktest_home.event_result = -EINTR;
	t = user_start(&u, &e, &c);
	CHECK(ktest_wait_state(t, K_THREAD_CALL));
	CHECK_EQ(k_thread_event(t), 0);
	CHECK(ktest_wait(&u.done));
	CHECK_EQ(u.result, -EINTR);
	CHECK_EQ(k_receive(e, NULL, &m, 0), -ETIMEDOUT);
	ktest_home.event_result = 0;
	user_end(t, e, c);
}

TEST(event_cancels_a_held_call)
{
	static struct user u;
	int e, c, t;
	struct k_message m, cancel;

	u = (struct user){ .arg = { 1 } };
	t = user_start(&u, &e, &c);
	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(k_thread_event(t), 0);
	CHECK_EQ(k_thread_event(t), 0);
	CHECK_EQ(ktest_receive(e, &cancel), 0);
	CHECK_EQ(cancel.kind, K_MSG_CANCEL);
	CHECK_EQ(cancel.call, m.call);
	CHECK_EQ(cancel.extra[0], 0);
	CHECK_EQ(k_receive(e, NULL, &cancel, 0), -ETIMEDOUT);	/* told once */
	/* home resumes: the call is made again */
	CHECK_EQ(ktest_answer(e, m.call, -K_RESTART_ALWAYS), 0);
	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(m.kind, K_MSG_CALL);
	CHECK_EQ(ktest_answer(e, m.call, 5), 0);
	CHECK(ktest_wait(&u.done));
	CHECK_EQ(u.result, 5);
	user_end(t, e, c);
}

/* A server that takes calls and cancels, and answers nothing until it is told to. */
static struct deaf {
	int endpoint;
	volatile int answer;
	volatile uint64_t call;
} deaf;

static void deaf_main(void *arg)
{
	struct deaf *d = arg;
	struct k_message m;

	while (!d->answer) {
		if (k_receive(d->endpoint, NULL, &m, k_clock_get(0) + 10 * MS) == 0 &&
		    m.kind == K_MSG_CALL)
			d->call = m.call;
	}
	ktest_answer(d->endpoint, d->call, 3);
}

/*
 * One second after the cancel home 0 of the server's thread hears of it, once; not if the call may
 * be held.
 */
TEST_ONCE(cancel_without_an_answer_is_reported)
{
	static const int number[] = { KTEST_SERVER, KTEST_PATIENT };
	static struct user u;
	int c, t, s, before;

	for (int i = 0; i < 2; i++) {
		before = ktest_home.overdue;
		u = (struct user){ .number = number[i] };
		deaf = (struct deaf){ 0 };
		t = user_start(&u, &deaf.endpoint, &c);
		s = ktest_user_thread(deaf_main, &deaf, K_PRIORITY_DRIVER);
		for (int k = 0; k < 1000 && !deaf.call; k++)
			ktest_sleep(MS);
		CHECK(deaf.call);
		CHECK_EQ(k_thread_event(t), 0);
		ktest_sleep(900 * MS);
		CHECK_EQ(ktest_home.overdue, before);
		CHECK_EQ(k_thread_event(t), 0);		/* does not put it off */
		ktest_sleep(300 * MS);
		CHECK_EQ(ktest_home.overdue, before + !i);
		if (!i) {
			CHECK_EQ(ktest_home.overdue_call, deaf.call);
			CHECK_EQ(ktest_home.overdue_number, KTEST_SERVER);
			CHECK_EQ(k_thread_event(t), 0);
			ktest_sleep(1200 * MS);
			CHECK_EQ(ktest_home.overdue, before + 1);
		}
		deaf.answer = 1;
		CHECK(ktest_wait(&u.done));
		CHECK_EQ(u.result, 3);
		ktest_thread_free(s);
		user_end(t, deaf.endpoint, c);
	}
}

TEST(death_of_a_held_caller_is_told)
{
	static struct user u;
	int e, c, t;
	struct k_message m, cancel;
	char byte;

	u = (struct user){ .arg = { (uint64_t)&u } };
	t = user_start(&u, &e, &c);
	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(k_thread_kill(t), 0);
	CHECK_EQ(k_caller_read(e, m.call, &byte, m.arg[0], 1), -ESRCH);
	CHECK_EQ(ktest_answer(e, m.call, 1), -ESRCH);
	CHECK_EQ(ktest_receive(e, &cancel), 0);
	CHECK_EQ(cancel.kind, K_MSG_CANCEL);
	CHECK_EQ(cancel.call, m.call);
	CHECK_EQ(cancel.extra[0], 1);
	user_end(t, e, c);
}

/* --- forwarding --------------------------------------------------------------------------- */

TEST(forward_carries_scratch_and_handles)
{
	static struct user u;
	int e, c, t, e2 = (int)k_endpoint_create(),
		     c2 = (int)k_handle_duplicate(e2, K_RIGHT_CALL, 0), h;
	struct k_description d = {
		.cookie = 9, .plane = K_PLANE_NULL, .object = -1, .object2 = -1, .source = -1
	};
	struct k_forward f = { .flags = K_FORWARD_ARGS,
			       .number = 7,
			       .arg = { 70, 71 },
			       .scratch = "scratch",
			       .scratch_size = 8,
			       .handle = { -1, -1 } };
	struct k_caller_cookie cookie;
	struct k_message m, m2;
	char text[16];

	u = (struct user){ .arg = { 1 } };
	t = user_start(&u, &e, &c);
	CHECK_EQ(ktest_receive(e, &m), 0);
	f.call = m.call;
	f.endpoint = c2;
	f.handle[0] = (int)k_description_create(e, &d);
	f.handle[1] = f.handle[0];			/* the same twice: moved once */
	f.scratch_size = K_SCRATCH_MAX + 1;
	CHECK_EQ(k_caller_forward(e, &f), -EINVAL);
	f.scratch_size = 8;
	CHECK_EQ(k_caller_forward(e, &f), 0);
	CHECK_EQ(k_handle_info(f.handle[0], (void *)text), -EBADF);
	CHECK_EQ(k_caller_forward(e, &f), -ESRCH);
	CHECK_EQ(ktest_answer(e, m.call, 0), -ESRCH);	/* held elsewhere now */
	CHECK_EQ(k_thread_event(t), 0);
	CHECK_EQ(ktest_receive(e2, &m2), 0);
	CHECK_EQ(m2.call, m.call);
	CHECK_EQ(m2.number, 7);
	CHECK_EQ(m2.arg[1], 71);
	CHECK_EQ(m2.flags, K_MSGF_FORWARDED | K_MSGF_SCRATCH);
	CHECK_EQ(k_caller_scratch(e2, m2.call, text, sizeof(text)), 8);
	CHECK_EQ(memcmp(text, "scratch", 8), 0);
	h = (int)k_caller_attached(e2, m2.call, 0);
	CHECK(h >= 0);
	CHECK_EQ(k_caller_attached(e2, m2.call, 0), -ENOENT);
	CHECK_EQ(k_caller_attached(e2, m2.call, 1), -ENOENT);
	CHECK_EQ(k_caller_attached(e2, m2.call, 2), -ENOENT);
	CHECK_EQ(k_description_info(h, &cookie), 0);
	CHECK_EQ(cookie.cookie, 9);
	CHECK_EQ(ktest_receive(e2, &m), 0);		/* the cancel has followed */
	CHECK_EQ(m.kind, K_MSG_CANCEL);
	CHECK_EQ(m.call, m2.call);
	CHECK_EQ(ktest_answer(e2, m2.call, 3), 0);
	CHECK(ktest_wait(&u.done));
	CHECK_EQ(u.result, 3);
	k_handle_close(h);
	k_handle_close(c2);
	ktest_endpoint_free(e2);
	user_end(t, e, c);
}

TEST(forward_dies_with_what_it_carries)
{
	static struct user u;
	int e, c, t, e2 = (int)k_endpoint_create(),
		     c2 = (int)k_handle_duplicate(e2, K_RIGHT_CALL, 0);
	struct k_forward f = { .scratch = "scratch", .scratch_size = 8 };
	struct k_message m;

	u = (struct user){ .arg = { 1 } };
	t = user_start(&u, &e, &c);
	CHECK_EQ(ktest_receive(e, &m), 0);
	f.call = m.call;
	f.endpoint = c2;
	f.handle[0] = (int)k_mobject_create(PAGE, 0);
	f.handle[1] = (int)k_mobject_create(PAGE, 0);
	CHECK_EQ(k_caller_forward(e, &f), 0);
	k_handle_close(c2);
	ktest_thread_free(t);			/* queued there */
	CHECK_EQ(k_receive(e2, NULL, &m, 0), -ETIMEDOUT);
	ktest_endpoint_free(e2);
	user_end(-1, e, c);
}

/*
 * A forwarded operation that ends tells who asked for it; one that declines comes back as a call,
 * and tells nobody.
 */
TEST(forward_to_the_kernel_with_hook)
{
	static struct user u;
	static const char byte = 'x';
	int e, c, t, pipe = (int)k_pipe_create(PAGE, 0), reader, writer;
	struct k_description d = { .cookie = 4,
				   .plane = K_PLANE_PIPE_WRITE,
				   .status = 1,
				   .object = pipe,
				   .object2 = -1,
				   .source = -1 };
	struct k_forward f = { .flags = K_FORWARD_KERNEL | K_FORWARD_HOOK | K_FORWARD_ARGS,
			       .number = K_OP_write,
			       .handle = { -1, -1 } };
	struct k_answer a = { .flags = K_ANSWER_RESULT };
	struct k_message m;

	u = (struct user){ 0 };
	t = user_start(&u, &e, &c);
	writer = (int)k_description_create(e, &d);
	d.plane = K_PLANE_PIPE_READ;
	d.status = 0;
	reader = (int)k_description_create(e, &d);
	CHECK(reader >= 0 && writer >= 0);
	CHECK_EQ(ktest_receive(e, &m), 0);
	f.call = m.call;
	f.arg[0] = (uint64_t)writer;
	f.arg[1] = (uint64_t)&byte;
	f.arg[2] = 1;
	CHECK_EQ(k_caller_forward(e, &f), 0);
	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(m.kind, K_MSG_DONE);
	CHECK_EQ(m.extra[0], 1);
	f.call = m.call;
	k_handle_close(reader);
	CHECK_EQ(k_caller_forward(e, &f), 0);		/* EPIPE: declines */
	do
		CHECK_EQ(ktest_receive(e, &m), 0);
	while (m.kind == K_MSG_CLOSED);
	CHECK_EQ(m.kind, K_MSG_CALL);
	CHECK_EQ(m.flags & K_MSGF_DECLINED, K_MSGF_DECLINED);
	CHECK_EQ(m.extra[1], EPIPE);
	a.call = m.call;
	a.result = -EPIPE;
	CHECK_EQ(k_answer(e, &a), 0);
	CHECK(ktest_wait(&u.done));
	CHECK_EQ(u.result, -EPIPE);
	CHECK_EQ(k_receive(e, NULL, &m, k_clock_get(0) + 5 * MS), -ETIMEDOUT);	/* no late DONE */
	k_handle_close(writer);
	k_handle_close(pipe);
	user_end(t, e, c);
}

/* --- answers that install ----------------------------------------------------------------- */

struct installed {
	int fd[2];
	volatile int results, stop;
	volatile long result[8];
};

/* In a child with a table of its own; memory is shared. */
static void install_user(void *arg)
{
	struct installed *s = arg;

	while (!s->stop) {
		long r = ktest_call(KTEST_SERVER, (uint64_t)s->fd, 0, 0);

		s->result[s->results & 7] = r;
		s->results++;
	}
}

static int null_description(int e, uint64_t cookie)
{
	struct k_description d = { .cookie = cookie,
				   .plane = K_PLANE_NULL,
				   .object = -1,
				   .object2 = -1,
				   .source = -1,
				   .flags = K_DESCRIPTION_QUIET };

	return (int)k_description_create(e, &d);
}

/* Descriptors one by one, before the answer. */
TEST(install_before_the_answer)
{
	static struct user u;
	struct k_description d = { .cookie = 9,
				   .plane = K_PLANE_NULL,
				   .object = -1,
				   .object2 = -1,
				   .source = -1,
				   .flags = K_DESCRIPTION_QUIET };
	int e, c, t, h, slot;
	struct k_handle_info info;
	struct k_message m;

	u = (struct user){ .arg = { 1 } };
	t = user_start(&u, &e, &c);
	CHECK_EQ(ktest_receive(e, &m), 0);
	h = (int)k_description_create(e, &d);
	CHECK_EQ(k_caller_install(e, m.call, h, K_INSTALL_AT, 100), -EINVAL);
	CHECK_EQ(k_caller_install(e, m.call, e, 0, 100), -EINVAL);
	CHECK_EQ(k_caller_install(e, m.call, 5000, 0, 100), -EBADF);
	CHECK_EQ(k_caller_install(e, m.call, h, 0, 0xffffffff), -EMFILE);
	CHECK_EQ(k_caller_install(e, m.call + 1, h, 0, 100), -ESRCH);
	slot = (int)k_caller_install(e, m.call, h, K_INSTALL_KEEP | K_INSTALL_CLOEXEC, 200);
	CHECK(slot >= 200);				/* the caller's table is ours */
	CHECK_EQ(k_handle_info(slot, &info), 0);
	CHECK_EQ(info.references, 2);
	CHECK_EQ(k_handle_close(slot), 0);
	slot = (int)k_caller_install(e, m.call, h, 0, 200);
	CHECK(slot >= 200);
	CHECK_EQ(k_handle_info(h, &info), -EBADF);
	CHECK_EQ(k_handle_close(slot), 0);
	CHECK_EQ(ktest_answer(e, m.call, 5), 0);
	CHECK(ktest_wait(&u.done));
	CHECK_EQ(u.result, 5);
	user_end(t, e, c);
}

TEST(answer_installs_all_or_nothing)
{
	static struct installed s;
	struct k_answer a = { .installs = 2, .result = 0 };
	struct k_caller_cookie cookie;
	struct k_handle_info info;
	struct k_task_info before, after;
	struct k_message m;
	struct k_fork f;
	int e = (int)k_endpoint_create(), c = (int)k_handle_duplicate(e, K_RIGHT_CALL, 0), h1, h2,
	    plain;

	memset((void *)&s, 0, sizeof(s));
	CHECK_EQ(ktest_child(install_user, &s, K_FORK_SPACE, -1, &f), 0);
	ktest_routes_home(c);
	CHECK_EQ(k_task_info(f.task, &before), 0);
	CHECK_EQ(k_thread_start(f.thread), 0);
	CHECK_EQ(ktest_receive(e, &m), 0);
	h1 = null_description(e, 11);
	h2 = null_description(e, 12);
	plain = (int)k_mobject_create(0, 0);
	CHECK(h1 >= 0 && h2 >= 0);
	a.call = m.call;
	a.install[0] = (struct k_answer_install){ .handle = h1, .min = 100, .fd_to = m.arg[0] };
	a.install[1] = (struct k_answer_install){
		.handle = h2, .min = 100, .fd_to = m.arg[0] + 4, .flags = K_INSTALL_CLOEXEC
	};

	/* What cannot be leaves everything as it was. */
	a.install[1].handle = h1;
	CHECK_EQ(k_answer(e, &a), -EBADF);
	a.install[1].handle = 12345;
	CHECK_EQ(k_answer(e, &a), -EBADF);
	a.install[1] = (struct k_answer_install){ .handle = plain, .flags = K_INSTALL_CWD };
	CHECK_EQ(k_answer(e, &a), -EINVAL);
	a.install[1] = (struct k_answer_install){ .handle = h2, .min = 0xffffffff };
	CHECK_EQ(k_answer(e, &a), -EMFILE);
	a.install[1] = (struct k_answer_install){ .handle = h2, .min = 100, .fd_to = 0xdead000 };
	CHECK_EQ(k_answer(e, &a), -EFAULT);
	CHECK_EQ(k_task_set(f.task, K_TASK_SET_LIMIT_NOFILE, 101), 0);
	a.install[1] = (struct k_answer_install){ .handle = h2, .min = 100, .fd_to = m.arg[0] + 4 };
	CHECK_EQ(k_answer(e, &a), -EMFILE);
	CHECK_EQ(k_task_info(f.task, &after), 0);
	CHECK_EQ(after.handles, before.handles);
	CHECK_EQ(k_handle_info(h1, &info), 0);
	CHECK_EQ(info.references, 1);
	CHECK_EQ(k_task_set(f.task, K_TASK_SET_LIMIT_NOFILE, 102), 0);
	CHECK_EQ(k_answer(e, &a), 0);
	CHECK_EQ(k_handle_info(h1, &info), -EBADF);

	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(s.fd[0], 100);
	CHECK_EQ(s.fd[1], 101);
	CHECK_EQ(k_caller_cookie(e, m.call, 101, &cookie), 0);
	CHECK_EQ(cookie.cookie, 12);
	CHECK_EQ(k_task_info(f.task, &after), 0);
	CHECK_EQ(after.handles, before.handles + 2);

	/* The full table once more; then exactly at a slot, and as the result. */
	h1 = null_description(e, 13);
	a = (struct k_answer){ .call = m.call, .installs = 1 };
	a.install[0] = (struct k_answer_install){ .handle = h1, .min = 100 };
	CHECK_EQ(k_answer(e, &a), -EMFILE);
	a.install[0].flags = K_INSTALL_AT;
	CHECK_EQ(k_answer(e, &a), 0);
	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(s.result[1], 100);
	CHECK_EQ(k_caller_cookie(e, m.call, 100, &cookie), 0);
	CHECK_EQ(cookie.cookie, 13);
	s.stop = 1;
	ktest_answer(e, m.call, 0);
	ktest_child_free(&f);
	ktest_routes_home(-1);
	k_handle_close(plain);
	k_handle_close(c);
	ktest_endpoint_free(e);
}

/* --- calls that come again ---------------------------------------------------------------- */

static int pager_map(int pager, struct k_map *map)
{
	int object = (int)k_mobject_pager_create(pager, 5, PAGE);

	*map = (struct k_map){
		.size = PAGE, .space = -1, .object = object, .flags = K_MAP_READ | K_MAP_WRITE
	};
	return k_space_map(map) ? -1 : object;
}

static void supply(int object, char byte)
{
	static char page[PAGE];

	memset(page, byte, PAGE);
	k_mobject_supply(object, 0, page, PAGE, K_SUPPLY_WRITABLE);
}

TEST(absent_page_delivers_the_call_again)
{
	static struct user u;
	int e, c, t, pager = (int)k_endpoint_create(), object;
	struct k_message m, page;
	struct k_map map;
	uint64_t call;
	char byte = 0;

	object = pager_map(pager, &map);
	CHECK(object >= 0);
	u = (struct user){ .arg = { map.address } };
	t = user_start(&u, &e, &c);
	CHECK_EQ(ktest_receive(e, &m), 0);
	call = m.call;
	CHECK_EQ(k_caller_read(e, call, &byte, m.arg[0], 1), -K_REDELIVER);
	CHECK_EQ(k_caller_read(e, call, &byte, m.arg[0], 1), -ESRCH);
	CHECK_EQ(ktest_receive(pager, &page), 0);
	CHECK_EQ(page.kind, K_MSG_PAGER);
	CHECK_EQ(k_thread_event(t), 0);			/* waits, like everything, for the page */
	CHECK_EQ(k_receive(e, NULL, &m, k_clock_get(0) + 5 * MS), -ETIMEDOUT);
	supply(object, 'p');
	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(m.call, call);
	CHECK_EQ(m.flags & K_MSGF_REDELIVERED, K_MSGF_REDELIVERED);
	CHECK_EQ(m.arg[0], map.address);
	CHECK_EQ(k_caller_read(e, call, &byte, m.arg[0], 1), 0);
	CHECK_EQ(byte, 'p');
	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(m.kind, K_MSG_CANCEL);
	CHECK_EQ(ktest_answer(e, call, 8), 0);
	CHECK(ktest_wait(&u.done));
	CHECK_EQ(u.result, 8);
	k_space_unmap(-1, map.address, PAGE);
	k_handle_close(object);
	ktest_endpoint_free(pager);
	user_end(t, e, c);
}

TEST(absent_page_and_death)
{
	static struct user u;
	int e, c, t, pager = (int)k_endpoint_create(), object;
	struct k_message m;
	struct k_map map;
	char byte = 0;

	for (int i = 0; i < 3; i++) {
		object = pager_map(pager, &map);
		CHECK(object >= 0);
		u = (struct user){ .arg = { map.address } };
		t = user_start(&u, &e, &c);
		CHECK_EQ(ktest_receive(e, &m), 0);
		CHECK_EQ(k_caller_write(e, m.call, m.arg[0], &byte, 1), -K_REDELIVER);
		if (i)
			CHECK_EQ(ktest_receive(pager, &m), 0);
		if (i > 1)
			CHECK(ktest_wait_state(t, K_THREAD_BLOCKED));
		CHECK_EQ(k_thread_kill(t), 0);
		user_end(t, e, c);
		k_space_unmap(-1, map.address, PAGE);
		k_handle_close(object);
	}
	ktest_endpoint_free(pager);
}

/* The server is given up while the caller fetches its page. */
TEST(absent_page_and_shut_endpoint)
{
	static struct user u;
	int e, c, t, pager = (int)k_endpoint_create(), object;
	struct k_message m;
	struct k_map map;
	char byte = 0;

	object = pager_map(pager, &map);
	u = (struct user){ .arg = { map.address } };
	t = user_start(&u, &e, &c);
	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(k_caller_read(e, m.call, &byte, m.arg[0], 1), -K_REDELIVER);
	CHECK_EQ(k_endpoint_shut(e), 0);
	supply(object, 'q');
	CHECK(ktest_wait(&u.done));
	CHECK_EQ(u.result, -EIO);
	k_space_unmap(-1, map.address, PAGE);
	k_handle_close(object);
	ktest_endpoint_free(pager);
	user_end(t, e, c);
}

/* A caller whose page there is no memory for asks home for some, and its call still comes. */
TEST(absent_memory_delivers_the_call_again)
{
	struct k_account_limits limits = { 0 };
	static struct user u;
	int e = (int)k_endpoint_create(), c = (int)k_handle_duplicate(e, K_RIGHT_CALL, 0), account;
	static struct k_map map;
	struct k_account_info info;
	struct k_message m;
	struct k_fork f;
	int memory = ktest_home.memory;
	char byte = 1;

	map = (struct k_map){
		.size = 64 * PAGE, .space = -1, .object = -1, .flags = K_MAP_READ | K_MAP_WRITE
	};
	CHECK_EQ(k_space_map(&map), 0);
	account = (int)k_account_create(&limits);
	u = (struct user){ .number = KTEST_SERVER, .arg = { map.address } };
	CHECK_EQ(ktest_child(user_main, &u, 0, account, &f), 0);
	ktest_routes_home(c);
	ktest_home.memory_flags = K_ANSWER_RESUME;
	CHECK_EQ(k_thread_start(f.thread), 0);
	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(k_account_info(account, &info), 0);
	limits.frames = info.frames;
	CHECK_EQ(k_account_set(account, &limits), 0);
	CHECK_EQ(k_caller_write(e, m.call, m.arg[0], &byte, 1), -K_REDELIVER);
	for (int i = 0; i < 1000 && ktest_home.memory < memory + 3; i++)
		ktest_sleep(MS);
	/* it asks as long as home says there is some */
	CHECK(ktest_home.memory >= memory + 3);
	limits.frames = 0;
	CHECK_EQ(k_account_set(account, &limits), 0);
	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(m.kind, K_MSG_CALL);
	CHECK_EQ(m.flags & K_MSGF_REDELIVERED, K_MSGF_REDELIVERED);
	CHECK_EQ(k_caller_write(e, m.call, m.arg[0], &byte, 1), 0);
	/* The same once more, and this time it dies of it. */
	limits.frames = 1;
	CHECK_EQ(k_account_set(account, &limits), 0);
	ktest_home.memory_flags = K_ANSWER_EXIT;
	memory = ktest_home.gone;
	CHECK_EQ(k_caller_write(e, m.call, m.arg[0] + 32 * PAGE, &byte, 1), -K_REDELIVER);
	for (int i = 0; i < 1000 && ktest_home.gone == memory; i++)
		ktest_sleep(MS);
	CHECK_EQ(ktest_home.gone, memory + 1);
	ktest_child_free(&f);
	ktest_routes_home(-1);
	k_space_unmap(-1, map.address, map.size);
	k_handle_close(account);
	k_handle_close(c);
	ktest_endpoint_free(e);
}

/* --- endpoints that nobody can receive from ----------------------------------------------- */

TEST(abandoned_endpoint_fails_its_callers)
{
	static struct user u;
	struct k_description d = {
		.cookie = 9, .plane = K_PLANE_NULL, .object = -1, .object2 = -1, .source = -1
	};
	int e, c, t, copy, h, n;
	struct k_message m;

	u = (struct user){ .arg = { 1 } };
	t = user_start(&u, &e, &c);
	CHECK(ktest_wait_state(t, K_THREAD_CALL));
	copy = (int)k_handle_duplicate(e, K_RIGHT_RECEIVE | K_RIGHT_CALL, 0);
	n = (int)k_notification_create(e, 1);
	CHECK_EQ(k_notification_signal(n, 1), 0);
	h = (int)k_description_create(e, &d);
	CHECK(h >= 0);
	CHECK_EQ(k_handle_close(e), 0);
	ktest_sleep(2 * MS);
	CHECK_EQ(u.done, 0);			/* one is left */
	CHECK_EQ(k_handle_close(copy), 0);
	CHECK(ktest_wait(&u.done));
	CHECK_EQ(u.result, -EIO);
	ktest_thread_free(t);
	u.done = 0;
	t = ktest_user_thread(user_main, &u, K_PRIORITY_USER);
	CHECK(ktest_wait(&u.done));
	CHECK_EQ(u.result, -EIO);
	CHECK_EQ(k_notification_signal(n, 1), 0);
	CHECK_EQ(k_receive(c, NULL, &m, 0), -EPERM);
	CHECK_EQ(k_handle_close(h), 0);		/* told to nobody */
	CHECK_EQ(k_handle_close(n), 0);
	ktest_thread_free(t);
	ktest_routes_home(-1);
	k_handle_close(c);
}

/* The only handle is on its way to somebody: that is not yet nobody. */
TEST(endpoint_in_flight_is_not_abandoned)
{
	static struct user u, u2;
	struct k_forward f = { .handle = { -1, -1 } };
	int e, c, t, t2, e2 = (int)k_endpoint_create(),
			 c2 = (int)k_handle_duplicate(e2, K_RIGHT_CALL, 0), moved;
	struct k_private_call call;
	struct k_message m;

	u = (struct user){ .arg = { 1 } };
	t = user_start(&u, &e, &c);
	CHECK_EQ(ktest_receive(e, &m), 0);
	moved = (int)k_endpoint_create();
	call = (struct k_private_call){ .endpoint =
						(int)k_handle_duplicate(moved, K_RIGHT_CALL, 0) };
	f.call = m.call;
	f.endpoint = c2;
	f.handle[0] = moved;
	CHECK_EQ(k_caller_forward(e, &f), 0);
	u2 = (struct user){ .number = K_NATIVE_call, .arg = { (uint64_t)&call } };
	t2 = ktest_user_thread(user_main, &u2, K_PRIORITY_USER);
	CHECK(ktest_wait_state(t2, K_THREAD_CALL));
	CHECK_EQ(ktest_receive(e2, &m), 0);
	moved = (int)k_caller_attached(e2, m.call, 0);
	CHECK(moved >= 0);
	CHECK_EQ(ktest_answer(e2, m.call, 0), 0);
	CHECK_EQ(u2.done, 0);
	CHECK_EQ(ktest_receive(moved, &m), 0);
	CHECK_EQ(ktest_answer(moved, m.call, 44), 0);
	CHECK(ktest_wait(&u2.done));
	CHECK_EQ(u2.result, 44);
	ktest_thread_free(t2);
	k_handle_close(call.endpoint);
	k_handle_close(moved);
	k_handle_close(c2);
	k_handle_close(e2);
	user_end(t, e, c);
}

/* --- what once went wrong ----------------------------------------------------------------- */

static void user_supply(void *arg)
{
	struct user *u = arg;

	u->result = k_mobject_supply((int)u->arg[0], u->arg[1], (void *)u->arg[2], PAGE, 0);
	u->done = 1;
}

/* A pager that supplies a page from that page: it waits for itself, and for its death. */
TEST(pager_that_waits_for_itself)
{
	static struct user u;
	int pager = (int)k_endpoint_create(), object, t;
	struct k_map map;

	object = pager_map(pager, &map);
	CHECK(object >= 0);
	u = (struct user){ .arg = { (uint64_t)object, 0, map.address } };
	t = ktest_user_thread(user_supply, &u, K_PRIORITY_USER);
	CHECK(ktest_wait_state(t, K_THREAD_BLOCKED));
	ktest_home.event_result = -EINTR;
	CHECK_EQ(k_thread_event(t), 0);
	CHECK(ktest_wait(&u.done));
	ktest_home.event_result = 0;
	CHECK_EQ(u.result, -EINTR);
	ktest_thread_free(t);
	k_space_unmap(-1, map.address, PAGE);
	k_handle_close(object);
	ktest_endpoint_free(pager);
}

/* The end of a blocked operation is to be told to an endpoint that is given up. */
TEST(hook_of_a_shut_endpoint)
{
	static struct user u;
	static char byte;
	int e, c, t, pipe = (int)k_pipe_create(PAGE, 0), reader;
	struct k_description d = { .plane = K_PLANE_PIPE_BOTH,
				   .status = 2,
				   .object = pipe,
				   .object2 = -1,
				   .source = -1,
				   .flags = K_DESCRIPTION_QUIET };
	struct k_forward f = { .flags = K_FORWARD_KERNEL | K_FORWARD_HOOK | K_FORWARD_ARGS,
			       .number = K_OP_read,
			       .handle = { -1, -1 } };
	struct k_message m;

	for (int i = 0; i < 20; i++) {
		u = (struct user){ 0 };
		t = user_start(&u, &e, &c);
		reader = (int)k_description_create(e, &d);
		CHECK_EQ(ktest_receive(e, &m), 0);
		f.call = m.call;
		f.arg[0] = (uint64_t)reader;
		f.arg[1] = (uint64_t)&byte;
		f.arg[2] = 1;
		CHECK_EQ(k_caller_forward(e, &f), 0);
		CHECK(ktest_wait_state(t, K_THREAD_BLOCKED));
		CHECK_EQ(k_endpoint_shut(e), 0);
		CHECK_EQ(k_thread_event(t), 0);
		CHECK(ktest_wait(&u.done));
		CHECK_EQ(u.result, -EIO);
		k_handle_close(reader);
		user_end(t, e, c);
	}
	k_handle_close(pipe);
}

/*
 * An answer that closes, in a table that server and caller share, the last handle to the endpoint
 * it came through.
 */
TEST(answer_that_ends_its_own_endpoint)
{
	static struct user u;
	struct k_answer a = { .installs = 1 };
	int e, c, t;
	struct k_message m;

	u = (struct user){ 0 };
	t = user_start(&u, &e, &c);
	CHECK_EQ(ktest_receive(e, &m), 0);
	a.call = m.call;
	a.install[0] = (struct k_answer_install){ .handle = null_description(e, 1),
						  .flags = K_INSTALL_AT,
						  .min = (uint32_t)e };
	CHECK(k_receive(e, &a, &m, 0) == -ETIMEDOUT);
	CHECK(ktest_wait(&u.done));
	CHECK_EQ(u.result, -EIO);
	ktest_thread_free(t);
	ktest_routes_home(-1);
	k_handle_close(c);
	k_handle_close(e);		/* it is the description now */
}
