/* SPDX-License-Identifier: MIT */
/* Endpoints, calls, answers, cancellation, notifications, and what happens when a server dies. */
#include "ktest.h"

#include <stdio.h>

struct client {
	int endpoint;		/* handle with CALL */
	uint64_t arg;
	volatile long result;
	volatile int done;
};

static void client_main(void *arg)
{
	struct client *c = arg;
	struct k_private_call call = { .endpoint = c->endpoint, .number = 7, .arg = { c->arg } };

	c->result = k_call(&call);
	c->done = 1;
}

static void wait_done(struct client *c)
{
	ktest_wait(&c->done);
}

TEST(call_carries_number_arguments_and_badge)
{
	int e = (int)k_endpoint_create();
	struct client c = { .endpoint = (int)k_handle_duplicate(e, K_RIGHT_CALL, 99), .arg = 1234 };
	int t = ktest_thread(client_main, &c);
	struct k_message m;

	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(m.kind, K_MSG_PRIVATE);
	CHECK_EQ(m.number, 7);
	CHECK_EQ(m.arg[0], 1234);
	CHECK_EQ(m.cookie, 99);
	CHECK_EQ(ktest_answer(e, m.call, 4321), 0);
	CHECK_EQ(ktest_answer(e, m.call, 0), -ESRCH);	/* once */
	wait_done(&c);
	CHECK_EQ(c.result, 4321);
	ktest_thread_free(t);
	k_handle_close(c.endpoint);
	k_handle_close(e);
}

TEST(answer_copies_into_the_caller)
{
	char buffer[32] = "";
	int e = (int)k_endpoint_create();
	struct client c = { .endpoint = (int)k_handle_duplicate(e, K_RIGHT_CALL, 1),
			    .arg = (uint64_t)buffer };
	int t = ktest_thread(client_main, &c);
	struct k_answer a = { .copies = 1 };
	struct k_message m;
	char back[8];

	CHECK_EQ(ktest_receive(e, &m), 0);
	a.call = m.call;
	a.copy[0] = (struct k_answer_copy){ 0xdead000, "no", 3 };
	CHECK_EQ(k_answer(e, &a), -EFAULT);		/* and it is still held */
	CHECK_EQ(k_caller_write(e, m.call, m.arg[0], "direct", 7), 0);
	CHECK_EQ(k_caller_read(e, m.call, back, m.arg[0], 7), 0);
	CHECK_EQ(memcmp(back, "direct", 7), 0);
	CHECK_EQ(k_caller_read_string(e, m.call, back, m.arg[0], 8), 6);
	CHECK_EQ(k_caller_read_string(e, m.call, back, m.arg[0], 4), -ENAMETOOLONG);
	a.copy[0] = (struct k_answer_copy){ m.arg[0], "answer", 7 };
	CHECK_EQ(k_answer(e, &a), 0);
	wait_done(&c);
	CHECK_EQ(memcmp(buffer, "answer", 7), 0);
	ktest_thread_free(t);
	k_handle_close(c.endpoint);
	k_handle_close(e);
}

TEST(receive_times_out)
{
	int e = (int)k_endpoint_create();
	int64_t before = k_clock_get(0);
	struct k_message m;

	CHECK_EQ(k_receive(e, NULL, &m, before + 20000000), -ETIMEDOUT);
	CHECK(k_clock_get(0) - before >= 20000000);
	k_handle_close(e);
}

TEST(notification_accumulates)
{
	int e = (int)k_endpoint_create(), n = (int)k_notification_create(e, 55);
	struct k_message m;

	CHECK_EQ(k_notification_signal(n, 1), 0);
	CHECK_EQ(k_notification_signal(n, 4), 0);
	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(m.kind, K_MSG_NOTIFY);
	CHECK_EQ(m.cookie, 55);
	CHECK_EQ(m.extra[0], 5);
	CHECK_EQ(k_receive(e, NULL, &m, 0), -ETIMEDOUT);
	k_handle_close(n);
	k_handle_close(e);
}

#define COUNTED 6

/* Calls with 1, 2, ... and adds up the answers. */
static void counter_main(void *arg)
{
	struct client *c = arg;
	struct k_private_call call = { .endpoint = c->endpoint, .number = 7 };

	for (int i = 1; i <= COUNTED; i++) {
		call.arg[0] = (uint64_t)i;
		c->result += k_call(&call);
	}
	c->done = 1;
}

/*
 * The kernel remembers where an idle receiver's buffer lies. It is another page after each second
 * message here, and absent at first.
 */
TEST(message_follows_its_buffer)
{
	int e = (int)k_endpoint_create();
	struct client c = { .endpoint = (int)k_handle_duplicate(e, K_RIGHT_CALL, 1) };
	struct k_map map = {
		.size = 4096, .space = -1, .object = -1, .flags = K_MAP_READ | K_MAP_WRITE
	};
	struct k_answer a = { 0 };
	struct k_message *m;
	int t;

	CHECK_EQ(k_space_map(&map), 0);
	m = (struct k_message *)map.address;
	map.flags |= K_MAP_FIXED;
	t = ktest_thread(counter_main, &c);
	for (int i = 1; i <= COUNTED; i++) {
		CHECK_EQ(k_receive(e, a.call ? &a : NULL, m, K_FOREVER), 0);
		CHECK_EQ(m->kind, K_MSG_PRIVATE);
		CHECK_EQ(m->arg[0], i);
		a.call = m->call;
		a.result = i;
		if (i % 2)
			continue;
		CHECK_EQ(k_space_unmap(-1, map.address, 4096), 0);
		CHECK_EQ(k_space_map(&map), 0);
		CHECK_EQ(m->kind, 0);
	}
	CHECK_EQ(k_answer(e, &a), 0);
	wait_done(&c);
	CHECK_EQ(c.result, COUNTED * (COUNTED + 1) / 2);
	ktest_thread_free(t);
	k_space_unmap(-1, map.address, 4096);
	k_handle_close(c.endpoint);
	k_handle_close(e);
}

static volatile uint64_t victim_call;

/* A server that takes a call and never answers. */
static void victim_main(void *arg)
{
	struct k_message m;

	k_receive(*(int *)arg, NULL, &m, K_FOREVER);
	victim_call = m.call;
	k_receive(*(int *)arg, NULL, &m, K_FOREVER);
}

TEST(successor_finds_held_calls)
{
	int e = (int)k_endpoint_create();
	struct client c = { .endpoint = (int)k_handle_duplicate(e, K_RIGHT_CALL, 1), .arg = 5 };
	int victim = ktest_thread(victim_main, &e), t;
	struct k_thread_info info;
	struct k_message m;

	victim_call = 0;
	t = ktest_thread(client_main, &c);
	for (int i = 0; i < 1000 && !victim_call; i++)
		k_receive(ktest_endpoint, NULL, &m, k_clock_get(0) + 1000000);
	CHECK(victim_call != 0);
	CHECK_EQ(k_thread_kill(victim), 0);
	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(m.call, victim_call);
	CHECK_EQ(m.flags & K_MSGF_REDELIVERED, K_MSGF_REDELIVERED);
	CHECK_EQ(m.arg[0], 5);
	CHECK_EQ(k_thread_info(victim, &info), 0);
	CHECK_EQ(info.state, K_THREAD_DEAD);
	CHECK_EQ(ktest_answer(e, m.call, 6), 0);
	wait_done(&c);
	CHECK_EQ(c.result, 6);
	ktest_thread_free(t);
	ktest_thread_free(victim);
	k_handle_close(c.endpoint);
	k_handle_close(e);
}

TEST(successor_finds_descriptions_and_dirty_pages)
{
	int e = (int)k_endpoint_create(), object = (int)k_mobject_pager_create(e, 77, 8192);
	struct k_description d = { .cookie = 0xabc,
				   .plane = K_PLANE_STREAM,
				   .object = object,
				   .object2 = -1,
				   .source = -1 };
	int h = (int)k_description_create(e, &d);
	uint64_t from = 0, cookies[4], offset = 0, dirty[4];
	static char page[4096];

	CHECK(object >= 0 && h >= 0);
	CHECK_EQ(k_mobject_supply(object, 0, page, sizeof(page), K_SUPPLY_WRITABLE), 0);
	CHECK_EQ(k_mobject_write(object, 10, "dirty", 5), 5);
	/* A successor knows the endpoint and its state object only: */
	CHECK_EQ(k_endpoint_descriptions(e, &from, cookies, 4), 1);
	CHECK_EQ(cookies[0], 0xabc);
	CHECK_EQ(k_mobject_collect_dirty(object, &offset, dirty, 4), 1);
	CHECK_EQ(dirty[0], 0);
	CHECK_EQ(k_mobject_read(object, 10, page, 5), 5);
	CHECK_EQ(memcmp(page, "dirty", 5), 0);
	k_handle_close(h);
	k_handle_close(object);
	ktest_endpoint_free(e);
}

TEST(close_is_told_with_the_next_message)
{
	int e = (int)k_endpoint_create(), n = (int)k_notification_create(e, 1);
	struct k_description d = {
		.cookie = 42, .plane = K_PLANE_NULL, .object = -1, .object2 = -1, .source = -1
	};
	int h = (int)k_description_create(e, &d), second;
	struct k_message m;

	CHECK(h >= 0);
	second = (int)k_handle_duplicate(h, K_RIGHTS_ALL, 0);
	CHECK_EQ(k_handle_close(h), 0);
	CHECK_EQ(k_receive(e, NULL, &m, 0), -ETIMEDOUT);	/* one handle is left */
	CHECK_EQ(k_handle_close(second), 0);
	CHECK_EQ(k_notification_signal(n, 1), 0);
	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(m.closed_count, 1);
	CHECK_EQ(m.closed[0], 42);
	k_handle_close(n);
	k_handle_close(e);
}

struct toucher {
	volatile char *p;
	volatile char seen;
	volatile int done;
};

static void toucher_main(void *arg)
{
	struct toucher *t = arg;

	t->seen = *t->p;
	*t->p = 'w';
	t->done = 1;
}

TEST(pager_fills_and_hears_of_the_first_write)
{
	int e = (int)k_endpoint_create(), object = (int)k_mobject_pager_create(e, 9, 4096);
	struct k_map map = {
		.size = 4096, .space = -1, .object = object, .flags = K_MAP_READ | K_MAP_WRITE
	};
	static char page[4096];
	struct toucher toucher = { 0 };
	struct k_message m;
	int t;

	strcpy(page, "from the pager");
	CHECK_EQ(k_space_map(&map), 0);
	toucher.p = (volatile char *)map.address;
	t = ktest_thread(toucher_main, &toucher);
	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(m.kind, K_MSG_PAGER);
	CHECK_EQ(m.cookie, 9);
	CHECK_EQ(m.extra[0], K_PAGER_FILL);
	CHECK_EQ(m.extra[1], 0);
	CHECK_EQ(k_mobject_supply(object, 0, page, 4096, 0), 0);
	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(m.kind, K_MSG_PAGER);
	CHECK_EQ(m.extra[0], K_PAGER_WRITABLE);
	CHECK_EQ(k_mobject_supply(object, 0, NULL, 4096, K_SUPPLY_WRITABLE), 0);
	for (int i = 0; i < 1000 && !toucher.done; i++)
		k_receive(ktest_endpoint, NULL, &m, k_clock_get(0) + 1000000);
	CHECK_EQ(toucher.done, 1);
	CHECK_EQ(toucher.seen, 'f');
	CHECK_EQ(k_mobject_read(object, 0, page, 1), 1);
	CHECK_EQ(page[0], 'w');
	ktest_thread_free(t);
	k_space_unmap(-1, map.address, 4096);
	k_handle_close(object);
	ktest_endpoint_free(e);
}

#define ROUNDS 1000

static void echo_main(void *arg)
{
	struct k_message m;
	struct k_answer a = { 0 };
	int e = *(int *)arg;

	k_receive(e, NULL, &m, K_FOREVER);
	for (;;) {
		a.call = m.call;
		k_receive(e, &a, &m, K_FOREVER);
	}
}

/* Not a check: says what a call and its answer cost (ns; under icount, instructions). */
static void round_trips_time(int c, const char *name)
{
	struct k_private_call call = { .endpoint = c, .number = 1 };
	char text[96];
	int64_t before;

	CHECK_EQ(k_call(&call), 0);
	before = k_clock_get(0);
	for (int i = 0; i < ROUNDS; i++)
		k_call(&call);
	snprintf(text, sizeof(text), "bench %s %lld ns\n", name,
		 (long long)(k_clock_get(0) - before) / ROUNDS);
	k_log_write(text, strlen(text));
}

TEST(round_trip_cost)
{
	int e = (int)k_endpoint_create();
	int c = (int)k_handle_duplicate(e, K_RIGHT_CALL, 1);
	int t = ktest_thread(echo_main, &e);

	round_trips_time(c, "ipc_round_trip_one_space");
	ktest_thread_free(t);
	k_handle_close(c);
	k_handle_close(e);
}

/* The server is a task of its own. */
TEST(round_trip_cost_between_spaces)
{
	static int e;
	struct k_fork f;
	int c;

	e = (int)k_endpoint_create();
	c = (int)k_handle_duplicate(e, K_RIGHT_CALL, 1);
	CHECK_EQ(ktest_child(echo_main, &e, 0, -1, &f), 0);
	CHECK_EQ(k_thread_start(f.thread), 0);
	round_trips_time(c, "ipc_round_trip_two_spaces");
	ktest_child_free(&f);
	k_handle_close(c);
	k_handle_close(e);
}

/* --- whose time it is --------------------------------------------------------------------- */

static void burn(int64_t ns)
{
	int64_t end = k_clock_get(0) + ns;

	while (k_clock_get(0) < end)
		;
}

static void burning_main(void *arg)
{
	struct k_message m;
	struct k_answer a = { 0 };
	int e = *(int *)arg;

	k_receive(e, NULL, &m, K_FOREVER);
	for (;;) {
		burn(10 * MS);
		a.call = m.call;
		k_receive(e, &a, &m, K_FOREVER);
	}
}

/* Also with an answer that goes out with the next receive. */
TEST(a_servers_time_is_its_callers)
{
	int e = (int)k_endpoint_create(), c = (int)k_handle_duplicate(e, K_RIGHT_CALL, 1);
	struct k_private_call call = { .endpoint = c, .number = 1 };
	struct k_thread_info server;
	struct k_task_info before, after;
	int t = ktest_thread(burning_main, &e);

	CHECK_EQ(k_task_info(ktest_task, &before), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(k_call(&call), 0);
	CHECK_EQ(k_task_info(ktest_task, &after), 0);
	CHECK_EQ(k_thread_info(t, &server), 0);
	CHECK(after.system_ns - before.system_ns > (uint64_t)(15 * MS));
	CHECK(server.user_ns < (uint64_t)(10 * MS));
	ktest_thread_free(t);
	k_handle_close(c);
	k_handle_close(e);
}

/* --- who serves --------------------------------------------------------------------------- */

static struct greedy {
	int holds, other, never;
	volatile int refused, caller_done;
	volatile long result;
	int call;
} greedy;

static void greedy_main(void *arg)
{
	struct greedy *g = arg;
	struct k_private_call never = { .endpoint = g->never };
	struct k_message m;

	k_receive(g->holds, NULL, &m, K_FOREVER);
	g->refused = (int)k_receive(g->other, NULL, &m, K_FOREVER);
	k_call(&never);		/* waits, and serves nothing else */
}

static void other_main(void *arg)
{
	struct k_message m;

	k_receive(((struct greedy *)arg)->other, NULL, &m, K_FOREVER);
}

static void greedy_caller(void *arg)
{
	struct greedy *g = arg;
	struct k_private_call call = { .endpoint = g->call, .number = 1 };

	g->result = k_call(&call);
	g->caller_done = 1;
}

/*
 * A receiver that is refused, because another waits there, still serves where it served: what it
 * holds is delivered again.
 */
TEST(a_refused_receiver_serves_where_it_did)
{
	struct k_message m;
	int a, b, c;

	greedy = (struct greedy){ .holds = (int)k_endpoint_create(),
				  .other = (int)k_endpoint_create(),
				  .never = (int)k_endpoint_create() };
	greedy.call = (int)k_handle_duplicate(greedy.holds, K_RIGHT_CALL, 1);
	b = ktest_thread(other_main, &greedy);
	CHECK(ktest_wait_state(b, K_THREAD_BLOCKED));
	a = ktest_thread(greedy_main, &greedy);
	CHECK(ktest_wait_state(a, K_THREAD_BLOCKED));
	c = ktest_thread(greedy_caller, &greedy);
	CHECK(ktest_wait(&greedy.refused));
	CHECK_EQ(greedy.refused, -EBUSY);
	ktest_thread_free(a);
	CHECK_EQ(ktest_receive(greedy.holds, &m), 0);
	CHECK_EQ(m.flags & K_MSGF_REDELIVERED, K_MSGF_REDELIVERED);
	CHECK_EQ(ktest_answer(greedy.holds, m.call, 7), 0);
	CHECK(ktest_wait(&greedy.caller_done));
	CHECK_EQ(greedy.result, 7);
	ktest_thread_free(c);
	ktest_thread_free(b);
	k_handle_close(greedy.call);
	k_handle_close(greedy.other);
	k_handle_close(greedy.never);
	ktest_endpoint_free(greedy.holds);
}

/* --- what a server died of ---------------------------------------------------------------- */

static struct mortal {
	int endpoint, never;
	bool idle;		/* dies of neither call */
	volatile int working;
} mortal;

static struct mourner {
	uint64_t name;
	volatile long result;
	volatile int done;
} mourners[2];

static void mourner_main(void *arg)
{
	struct mourner *w = arg;

	w->result = ktest_call(KTEST_SERVER, w->name, 0, 0);
	w->done = 1;
}

/* Takes both calls, works on the first, or on none, and is killed at that. */
static void mortal_main(void *arg)
{
	struct mortal *s = arg;
	struct k_private_call never = { .endpoint = s->never };
	struct k_message m[2], none;

	for (int i = 0; i < 2; i++)
		k_receive(s->endpoint, NULL, &m[i], K_FOREVER);
	k_receive(s->endpoint, NULL, &none, 1);
	CHECK_EQ(k_caller_serve(s->endpoint, s->idle ? 0 : m[m[0].arg[0] != 1].call), 0);
	s->working = 1;
	k_call(&never);
}

/*
 * A call that two servers died of gets EIO, also if they had taken others after it; it does not if
 * they died of something that is no call.
 */
TEST(a_call_that_servers_die_of_ends)
{
	int c, t[2], server;
	struct k_message m;

	mortal = (struct mortal){ .endpoint = (int)k_endpoint_create(),
				  .never = (int)k_endpoint_create() };
	c = (int)k_handle_duplicate(mortal.endpoint, K_RIGHT_CALL, 0);
	ktest_routes_home(c);
	for (int i = 0; i < 2; i++) {
		mourners[i] = (struct mourner){ .name = (uint64_t)i + 1 };
		t[i] = ktest_user_thread(mourner_main, &mourners[i], K_PRIORITY_USER);
	}
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(mourners[0].done + mourners[1].done, 0);
		mortal.idle = i < 3;
		mortal.working = 0;
		server = ktest_thread(mortal_main, &mortal);
		CHECK(ktest_wait(&mortal.working));
		ktest_thread_free(server);
	}
	CHECK(ktest_wait(&mourners[0].done));
	CHECK_EQ(mourners[0].result, -EIO);
	CHECK_EQ(ktest_receive(mortal.endpoint, &m), 0);
	CHECK_EQ(m.arg[0], 2);
	CHECK_EQ(m.flags & K_MSGF_REDELIVERED, K_MSGF_REDELIVERED);
	CHECK_EQ(k_caller_serve(mortal.endpoint, m.call), 0);
	CHECK_EQ(ktest_answer(mortal.endpoint, m.call, 7), 0);
	CHECK_EQ(k_caller_serve(mortal.endpoint, m.call), -ESRCH);
	CHECK(ktest_wait(&mourners[1].done));
	CHECK_EQ(mourners[1].result, 7);
	for (int i = 0; i < 2; i++)
		ktest_thread_free(t[i]);
	ktest_routes_home(-1);
	k_handle_close(c);
	k_handle_close(mortal.never);
	ktest_endpoint_free(mortal.endpoint);
}
