/* SPDX-License-Identifier: MIT */
/* Many callers of one server, and death at random moments: nothing is lost, nothing is left. */
#include "ktest.h"

#define CLIENTS 8
#define ROUNDS 80

struct caller {
	int endpoint;
	volatile uint64_t done;		/* calls that were answered */
	volatile int wrong;
};

static void caller_main(void *arg)
{
	struct caller *c = arg;
	struct k_private_call call = { .endpoint = c->endpoint, .number = 1 };

	for (uint64_t i = 0;; i++) {
		call.arg[0] = i;
		if (k_call(&call) != (long)(i * 3 & 0xffffff))
			c->wrong = 1;
		c->done++;
	}
}

/* Answers with three times the argument; every seventh call late, together with the next. */
static void server_main(void *arg)
{
	int e = *(int *)arg;
	struct k_answer a = { 0 };
	struct k_message m;
	uint64_t late = 0;
	int64_t late_result = 0;
	long r = 1;

	for (;;) {
		r = k_receive(e, r ? NULL : &a, &m, K_FOREVER);
		if (r)
			continue;
		r = 1;
		if (late) {
			ktest_answer(e, late, late_result);
			late = 0;
		}
		if (m.kind != K_MSG_PRIVATE)
			continue;
		if (m.arg[0] % 7 == 3) {
			late = m.call;
			late_result = (int64_t)(m.arg[0] * 3 & 0xffffff);
			continue;
		}
		a.call = m.call;
		a.result = (int64_t)(m.arg[0] * 3 & 0xffffff);
		r = 0;
	}
}

TEST(stress_callers_and_servers_die)
{
	static struct caller callers[CLIENTS];
	static int e;
	int c, server, threads[CLIENTS];
	uint64_t seed = 1, before[CLIENTS];

	e = (int)k_endpoint_create();
	c = (int)k_handle_duplicate(e, K_RIGHT_CALL, 1);
	server = ktest_thread(server_main, &e);
	for (int i = 0; i < CLIENTS; i++) {
		callers[i] = (struct caller){ .endpoint = c };
		threads[i] = ktest_thread(caller_main, &callers[i]);
	}
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t r = ktest_random(&seed);

		ktest_sleep((int64_t)(r % 700000));
		if (r >> 32 & 3) {
			int victim = (int)(r >> 40) % CLIENTS;

			ktest_thread_free(threads[victim]);
			threads[victim] = ktest_thread(caller_main, &callers[victim]);
			CHECK(threads[victim] >= 0);
		} else {
			k_thread_kill(server);
			if (r >> 50 & 1)
				ktest_wait_state(server, K_THREAD_DEAD);
			ktest_thread_free(server);
			server = ktest_thread(server_main, &e);
			CHECK(server >= 0);
		}
	}
	for (int i = 0; i < CLIENTS; i++)
		before[i] = callers[i].done;
	for (int i = 0; i < CLIENTS; i++) {
		for (int k = 0; k < 1000 && callers[i].done < before[i] + 2; k++)
			ktest_sleep(MS);
		CHECK(callers[i].done >= before[i] + 2);
		CHECK_EQ(callers[i].wrong, 0);
	}
	for (int i = 0; i < CLIENTS; i++)
		ktest_thread_free(threads[i]);
	ktest_thread_free(server);
	k_handle_close(c);
	ktest_endpoint_free(e);
}

/* --- readers and writers of a pipe -------------------------------------------------------- */

static int pipe_ends[2];
static volatile uint64_t pipe_moved;

static void pipe_writer(void *arg)
{
	static const char bytes[3000];

	(void)arg;
	for (;;)
		ktest_call(K_OP_write, (uint64_t)pipe_ends[1], (uint64_t)bytes, sizeof(bytes));
}

static void pipe_reader(void *arg)
{
	char bytes[1024];

	(void)arg;
	for (;;) {
		long n = ktest_call(K_OP_read, (uint64_t)pipe_ends[0], (uint64_t)bytes,
				    sizeof(bytes));

		if (n > 0)
			pipe_moved += (uint64_t)n;
	}
}

static int pipe_end(int e, int pipe, uint32_t plane, uint32_t status)
{
	struct k_description d = {
		.plane = plane, .status = status, .object = pipe, .object2 = -1, .source = -1
	};

	return (int)k_description_create(e, &d);
}

TEST(stress_pipe_ends_die)
{
	int e = (int)k_endpoint_create(), pipe = (int)k_pipe_create(4096, 0), threads[6];
	uint64_t seed = 2, before;

	pipe_ends[0] = pipe_end(e, pipe, K_PLANE_PIPE_READ, 0);
	pipe_ends[1] = pipe_end(e, pipe, K_PLANE_PIPE_WRITE, 1);
	CHECK(pipe_ends[0] >= 0 && pipe_ends[1] >= 0);
	for (int i = 0; i < 6; i++)
		threads[i] =
			ktest_user_thread(i & 1 ? pipe_writer : pipe_reader, NULL, K_PRIORITY_USER);
	for (int round = 0; round < 100; round++) {
		uint64_t r = ktest_random(&seed);
		int victim = (int)(r % 6);

		ktest_sleep((int64_t)(r >> 32) % 500000);
		if (r >> 20 & 1) {
			k_thread_event(threads[victim]);
			continue;
		}
		ktest_thread_free(threads[victim]);
		threads[victim] = ktest_user_thread(victim & 1 ? pipe_writer : pipe_reader, NULL,
						    K_PRIORITY_USER);
		CHECK(threads[victim] >= 0);
	}
	before = pipe_moved;
	for (int i = 0; i < 1000 && pipe_moved < before + 100000; i++)
		ktest_sleep(MS);
	CHECK(pipe_moved >= before + 100000);
	for (int i = 0; i < 6; i++)
		ktest_thread_free(threads[i]);
	k_handle_close(pipe_ends[0]);
	k_handle_close(pipe_ends[1]);
	k_handle_close(pipe);
	ktest_endpoint_free(e);
}

/* --- futexes ------------------------------------------------------------------------------ */

static volatile int baton;

static void baton_main(void *arg)
{
	int me = (int)(uint64_t)arg;

	for (;;) {
		int now = baton;

		if ((now & 1) == me) {
			baton = now + 1;
			k_syscall6(K_OP_futex, (long)&baton, 1 | 128, 10, 0, 0, 0);
		} else {
			k_syscall6(K_OP_futex, (long)&baton, 0 | 128, now, 0, 0, 0);
		}
	}
}

TEST(futex_ping_pong_under_events)
{
	int threads[2], before;
	uint64_t seed = 3;

	baton = 0;
	for (int i = 0; i < 2; i++)
		threads[i] = ktest_user_thread(baton_main, (void *)(uint64_t)i, K_PRIORITY_USER);
	for (int round = 0; round < 200; round++) {
		ktest_sleep((int64_t)(ktest_random(&seed) % 200000));
		k_thread_event(threads[round & 1]);
	}
	before = baton;
	for (int i = 0; i < 3000 && baton < before + 1000; i++)
		ktest_sleep(MS);
	CHECK(baton >= before + 1000);
	ktest_thread_free(threads[0]);
	ktest_thread_free(threads[1]);
}
