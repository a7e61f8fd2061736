/* SPDX-License-Identifier: MIT */
/*
 * Futexes against a model that counts waiters; clocks and sleeping; the heap of deadlines against a
 * sorted scan.
 */
#include "data_mock.h"
#include "core/timer.h"
#include "data/futex.h"

#define P(...) ((uint64_t)(__VA_ARGS__))
#define PRIVATE FUTEX_PRIVATE_FLAG

static uint32_t word[4] __attribute__((aligned(16)));

static int64_t futex(unsigned n, const uint32_t *w, uint32_t op, uint64_t value, uint64_t timeout,
		     const uint32_t *w2, uint64_t v3)
{
	return mock_call(n, op_futex, P(w), op, value, timeout, P(w2), v3);
}

static void expect(unsigned n, int64_t result)
{
	CHECK(calls[n].result == result);
	mock_forget(n);
}

static void test_futex(void)
{
	struct timespec ts = { 0, 500 };

	CHECK(futex(0, word, FUTEX_WAIT, 1, 0, NULL, 0) == -EAGAIN &&
	      futex(0, word, FUTEX_WAKE, 1, 0, NULL, 0) == 0);
	CHECK(mock_call(0, op_futex, P(word) + 1, FUTEX_WAKE, 1, 0, 0, 0) == -EINVAL);
	CHECK(mock_call(0, op_futex, USER_END, FUTEX_WAKE, 1, 0, 0, 0) == -EFAULT);
	CHECK(futex(0, word, 6, 0, 0, NULL, 0) == -ENOSYS &&
	      futex(0, word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 0, 0, NULL, 0) == -ENOSYS);
	CHECK(futex(0, word, FUTEX_WAIT_BITSET, 0, 0, NULL, 0) == -EINVAL &&
	      futex(0, word, FUTEX_WAKE_BITSET, 0, 0, NULL, 0) == -EINVAL);
	for (unsigned i = 1; i <= 5; i++)
		CHECK(futex(i, word, FUTEX_WAIT | PRIVATE, 0, 0, NULL, 0) == NOTHING);
	CHECK(futex(0, word, FUTEX_WAKE | PRIVATE, 0, 0, NULL, 0) == 1);	/* even for 0 */
	expect(1, 0);
	CHECK(futex(0, word, FUTEX_REQUEUE, P(-1), 0, word + 1, 0) == -EINVAL);
	CHECK(futex(0, word, FUTEX_CMP_REQUEUE, 1, 2, word + 1, 9) == -EAGAIN);
	CHECK(futex(0, word, FUTEX_CMP_REQUEUE, 1, 2, word + 1, 0) == 3);
	expect(2, 0);
	CHECK(futex_wake_address(mock_task.space, P(word), 9) == 1);
	expect(5, 0);
	CHECK(futex(0, word + 1, FUTEX_WAKE, 9, 0, NULL, 0) == 2);
	expect(3, 0);
	expect(4, 0);
	/* Bitsets. */
	CHECK(futex(1, word, FUTEX_WAIT_BITSET, 0, 0, NULL, 1) == NOTHING &&
	      futex(2, word, FUTEX_WAIT_BITSET, 0, 0, NULL, 2) == NOTHING);
	CHECK(futex(0, word, FUTEX_WAKE_BITSET, 9, 0, NULL, 4) == 0 &&
	      futex(0, word, FUTEX_WAKE_BITSET, 9, 0, NULL, 2) == 1);
	expect(2, 0);
	/* Signals and timeouts. */
	mock_interrupt(1);
	CHECK(calls[1].result == -K_RESTART_SYS);
	mock_forget(1);
	CHECK(futex(1, word, FUTEX_WAIT, 0, P(&ts), NULL, 0) == NOTHING);
	mock_interrupt(1);
	CHECK(calls[1].result == -K_RESTART_BLOCK);
	mock_resume(1);
	mock_settle();
	mock_time(mock_now + 499);
	mock_settle();
	CHECK(calls[1].result == NOTHING);
	mock_time(mock_now + 1);
	mock_settle();
	expect(1, -ETIMEDOUT);
	ts.nanoseconds = mock_now + 5000 + 100;	/* realtime is 5000 ahead */
	CHECK(futex(1, word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, P(&ts), NULL, 1) ==
	      NOTHING);
	mock_time(mock_now + 100);
	mock_settle();
	expect(1, -ETIMEDOUT);
	ts.nanoseconds = 1;
	CHECK(futex(1, word, FUTEX_WAIT_BITSET, 0, P(&ts), NULL, 1) == -ETIMEDOUT);
	ts.nanoseconds = -1;
	CHECK(futex(1, word, FUTEX_WAIT, 0, P(&ts), NULL, 1) == -EINVAL);
	/* WAKE_OP: word[1] += 5, then compare the old value with 7. */
	word[1] = 8;
	CHECK(futex(1, word, FUTEX_WAIT, 0, 0, NULL, 0) == NOTHING &&
	      futex(2, word + 1, FUTEX_WAIT, 8, 0, NULL, 0) == NOTHING);
	CHECK(futex(0, word, FUTEX_WAKE_OP, 1, 1, word + 1, 1u << 28 | 4u << 24 | 5u << 12 | 7) ==
		      2 &&
	      word[1] == 13);
	expect(1, 0);
	expect(2, 0);
	CHECK(futex(0, word, FUTEX_WAKE_OP, 1, 1, word + 1,
		    3u << 28 | 8u << 28 | 0u << 24 | 3u << 12 | 1) == 0 &&
	      word[1] == 5);
	CHECK(futex(0, word, FUTEX_WAKE_OP, 1, 1, word + 1, 7u << 28) == -ENOSYS);
	memset(word, 0, sizeof(word));
	mock_leak_check();
}

/* Waiters per word as the model counts them; every wake must find exactly those. */
static void test_random(unsigned faults)
{
	unsigned waits_on[CALLS], waiting[4] = { 0 };

	for (int step = 0; step < 4000; step++) {
		unsigned n = 1 + rnd(CALLS - 1), w = rnd(4), k = 1 + rnd(6), woken = 0;

		fault_rate = faults;
		if (!mock_busy(n)) {
			if (futex(n, &word[w], FUTEX_WAIT | PRIVATE, 0, 0, NULL, 0) == NOTHING) {
				waits_on[n] = w;
				waiting[w]++;
			}
		} else if (!rnd(4)) {
			waiting[waits_on[n]]--;
			if (rnd(2))
				mock_kill(n);
			else
				mock_interrupt(n);
			mock_forget(n);
		} else if (rnd(2)) {
			unsigned expected = waiting[w] < k ? waiting[w] : k;

			CHECK(futex(0, &word[w], FUTEX_WAKE | PRIVATE, k, 0, NULL, 0) == expected);
			woken = expected;
		} else {
			unsigned to = rnd(4), move = rnd(5), all = waiting[w];
			unsigned wake = all < k ? all : k,
				 moved = all - wake < move ? all - wake : move;

			CHECK(futex(0, &word[w], FUTEX_REQUEUE | PRIVATE, k, move, &word[to], 0) ==
			      wake + moved);
			woken = wake;
			for (unsigned i = 1; i < CALLS; i++)
				if (mock_busy(i) && calls[i].result == NOTHING)
					waits_on[i] = (unsigned)((calls[i].thread.progress.aux[1] -
								  P(word)) /
								 4);
			waiting[w] -= moved;
			waiting[to] += moved;
		}
		for (unsigned i = 1; i < CALLS; i++) {
			if (!mock_busy(i) || calls[i].result == NOTHING)
				continue;
			CHECK(calls[i].result == 0 && woken--);
			waiting[w]--;
			mock_forget(i);
		}
		CHECK(!woken);
	}
	for (unsigned i = 1; i < CALLS; i++)
		if (mock_busy(i))
			mock_kill(i), mock_forget(i);
	fault_rate = 0;
	mock_leak_check();
}

static void test_time(void)
{
	struct timespec ts = { 0, 1000 }, left = { 9, 9 };

	CHECK(mock_call(1, op_nanosleep, P(&ts), P(&left), 0, 0, 0, 0) == NOTHING);
	mock_time(mock_now + 400);
	mock_interrupt(1);
	mock_settle();
	CHECK(calls[1].result == -K_RESTART_BLOCK && left.seconds == 0 && left.nanoseconds == 600);
	mock_resume(1);
	mock_settle();
	CHECK(calls[1].result == NOTHING);
	mock_time(mock_now + 600);
	mock_settle();
	expect(1, 0);
	ts.nanoseconds = mock_now + 50;
	CHECK(mock_call(1, op_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, P(&ts), P(&left), 0,
			0) == NOTHING);
	mock_interrupt(1);
	mock_settle();
	CHECK(calls[1].result == -K_RESTART_NOHAND && left.nanoseconds == 600);
	mock_forget(1);
	CHECK(mock_call(1, op_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, P(&ts), 0, 0, 0) ==
	      0);
	CHECK(mock_call(1, op_clock_nanosleep, CLOCK_MONOTONIC_RAW, 0, P(&ts), 0, 0, 0) ==
	      -EOPNOTSUPP);
	CHECK(mock_call(1, op_clock_nanosleep, 77, 0, P(&ts), 0, 0, 0) == -EINVAL);
	CHECK(mock_call(1, op_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, P(&ts), 0, 0, 0) ==
	      OP_DECLINE);
	ts = (struct timespec){ INT64_MAX, 0 };
	CHECK(mock_call(1, op_nanosleep, P(&ts), 0, 0, 0, 0, 0) == NOTHING);
	mock_kill(1);
	mock_forget(1);
	CHECK(mock_call(1, op_clock_gettime, CLOCK_REALTIME, P(&ts), 0, 0, 0, 0) == 0 &&
	      ts.nanoseconds == mock_now + 5000);
	CHECK(mock_call(1, op_clock_gettime, P(-6), P(&ts), 0, 0, 0, 0) == OP_DECLINE);
	CHECK(mock_call(1, op_clock_gettime, 33, P(&ts), 0, 0, 0, 0) == -EINVAL);
	CHECK(mock_call(1, op_clock_getres, CLOCK_REALTIME_COARSE, P(&ts), 0, 0, 0, 0) == 0 &&
	      ts.nanoseconds == 4000000);
	CHECK(mock_call(1, op_pause_forever, 0, 0, 0, 0, 0, 0) == NOTHING);
	mock_interrupt(1);
	CHECK(calls[1].result == -K_RESTART_NOHAND);
	mock_forget(1);
	mock_leak_check();
}

static void test_timers(void)
{
	struct timespec ts[CALLS];
	int64_t due[CALLS] = { 0 };

	for (int step = 0; step < 20000; step++) {
		unsigned n = 1 + rnd(CALLS - 1);
		int64_t first = K_FOREVER;

		if (!mock_busy(n)) {
			ts[n] = (struct timespec){ 0, 1 + rnd(100000) };
			due[n] = mock_now + ts[n].nanoseconds;
			mock_call(n, op_nanosleep, P(&ts[n]), 0, 0, 0, 0, 0);
		} else if (rnd(2)) {
			mock_kill(n);
			mock_forget(n);
		}
		for (unsigned i = 1; i < CALLS; i++)
			if (mock_busy(i) && due[i] < first)
				first = due[i];
		CHECK(timer_next() == first);
		if (rnd(4))
			continue;
		mock_time(mock_now + rnd(20000));
		mock_settle();
		for (unsigned i = 1; i < CALLS; i++) {
			if (!mock_busy(i))
				continue;
			CHECK((due[i] <= mock_now) == (calls[i].result == 0));
			if (calls[i].result == 0)
				mock_forget(i);
		}
	}
	for (unsigned i = 1; i < CALLS; i++)
		if (mock_busy(i))
			mock_kill(i), mock_forget(i);
	mock_leak_check();
}

int main(void)
{
	mock_init();
	test_time();
	test_futex();
	for (int i = 0; i < 6; i++)
		test_random(i % 2 ? 6 : 0);
	test_timers();
	printf("futex, clocks, timers: ok\n");
	return 0;
}
