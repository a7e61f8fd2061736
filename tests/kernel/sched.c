/* SPDX-License-Identifier: MIT */
/* Priorities, slices, affinity, timers. */
#include "ktest.h"

struct hog {
	volatile uint64_t count;
	volatile int stop;
};

static void hog_main(void *arg)
{
	struct hog *h = arg;

	while (!h->stop)
		h->count++;
}

static unsigned cpus(void)
{
	static struct k_system_info info;

	k_system_info(&info);
	return info.cpus;
}

/* Threads of equal priority get about the same time, however many CPUs there are. */
TEST(slices_are_fair)
{
	static struct hog hogs[5];
	unsigned n = cpus() < 4 ? cpus() + 1 : 5;
	struct k_thread_info info;
	int threads[5];
	uint64_t least = UINT64_MAX, most = 0;

	for (unsigned i = 0; i < n; i++) {
		hogs[i] = (struct hog){ 0 };
		threads[i] = ktest_thread(hog_main, &hogs[i]);
	}
	ktest_sleep(300 * MS);
	for (unsigned i = 0; i < n; i++) {
		k_thread_info(threads[i], &info);
		if (info.user_ns < least)
			least = info.user_ns;
		if (info.user_ns > most)
			most = info.user_ns;
	}
	for (unsigned i = 0; i < n; i++)
		ktest_thread_free(threads[i]);
	if (least < most / 4)
		ktest_say("# %u hogs: least %llu us, most %llu us\n", n,
			  (unsigned long long)least / 1000, (unsigned long long)most / 1000);
	CHECK(least >= most / 4);
}

/* Even the least urgent thread goes on when others have interrupted it at the end of its slice. */
TEST(idle_priority_survives_preemption)
{
	static struct hog idle[2], user;
	int threads[2], t;

	for (int i = 0; i < 2; i++) {
		idle[i] = (struct hog){ 0 };
		threads[i] = ktest_user_thread(hog_main, &idle[i], K_PRIORITY_IDLE);
	}
	for (int i = 0; i < 20; i++) {
		user = (struct hog){ 0 };
		t = ktest_thread(hog_main, &user);
		ktest_sleep(7 * MS);
		user.stop = 1;
		ktest_thread_free(t);
	}
	for (int i = 0; i < 2; i++) {
		uint64_t before = idle[i].count;

		for (int k = 0; k < 1000 && idle[i].count == before; k++)
			ktest_sleep(MS);
		CHECK(idle[i].count != before);
	}
	ktest_thread_free(threads[0]);
	ktest_thread_free(threads[1]);
}

struct settler {
	volatile uint32_t cpu;
	volatile int stop;
};

static void settler_main(void *arg)
{
	struct settler *s = arg;
	uint32_t cpu = 0;

	while (!s->stop) {
		ktest_call(K_OP_getcpu, (uint64_t)&cpu, 0, 0);
		s->cpu = cpu;
	}
}

TEST(affinity_moves_a_running_thread)
{
	static struct settler s;
	int t;

	s = (struct settler){ 0 };
	t = ktest_user_thread(settler_main, &s, K_PRIORITY_USER);
	CHECK_EQ(k_thread_set(t, K_THREAD_SET_AFFINITY, 0), -EINVAL);
	for (unsigned i = 0; i < 4 * cpus(); i++) {
		unsigned want = i % cpus();

		CHECK_EQ(k_thread_set(t, K_THREAD_SET_AFFINITY, 1ul << want), 0);
		for (int k = 0; k < 1000 && s.cpu != want; k++)
			ktest_sleep(MS / 4);
		CHECK_EQ(s.cpu, want);
		ktest_sleep(MS);
		CHECK_EQ(s.cpu, want);
	}
	s.stop = 1;
	ktest_thread_free(t);
}

/* A thread that may run on one CPU only gets it although a hog is there. */
TEST(affinity_is_not_starvation)
{
	static struct hog hogs[9];
	unsigned n = cpus() < 8 ? cpus() : 8;
	int threads[9];

	for (unsigned i = 0; i <= n; i++) {
		hogs[i] = (struct hog){ 0 };
		threads[i] = ktest_thread(hog_main, &hogs[i]);
		k_thread_set(threads[i], K_THREAD_SET_AFFINITY, i < n ? 1ul << i : 1ul << (n - 1));
	}
	ktest_sleep(60 * MS);
	for (unsigned i = 0; i <= n; i++) {
		for (int k = 0; k < 1000 && !hogs[i].count; k++)
			ktest_sleep(MS);
		CHECK(hogs[i].count != 0);
	}
	for (unsigned i = 0; i <= n; i++)
		ktest_thread_free(threads[i]);
}

#define SLEEPERS 20

static volatile int sleeper_order[SLEEPERS], sleeper_next, sleeper_early;

static void sleeper_main(void *arg)
{
	int i = (int)(uint64_t)arg;
	int64_t ns = (int64_t)(SLEEPERS - i) * 4 * MS, until = k_clock_get(0) + ns;
	int64_t ts[2] = { 0, ns };

	ktest_call(K_OP_nanosleep, (uint64_t)ts, 0, 0);
	if (k_clock_get(0) < until)
		sleeper_early = 1;
	sleeper_order[__atomic_fetch_add(&sleeper_next, 1, __ATOMIC_SEQ_CST) % SLEEPERS] = i;
}

TEST(sleepers_wake_in_order)
{
	int threads[SLEEPERS];

	sleeper_next = sleeper_early = 0;
	for (int i = 0; i < SLEEPERS; i++)
		threads[i] = ktest_user_thread(sleeper_main, (void *)(uint64_t)i, K_PRIORITY_USER);
	for (int i = 0; i < 1000 && sleeper_next < SLEEPERS; i++)
		ktest_sleep(MS);
	CHECK_EQ(sleeper_next, SLEEPERS);
	CHECK_EQ(sleeper_early, 0);
	CHECK(sleeper_order[0] > sleeper_order[SLEEPERS - 1]);
	for (int i = 0; i < SLEEPERS; i++)
		ktest_thread_free(threads[i]);
}

/* An event ends a sleep; with nothing else to say, home lets it go on, and its deadline stays. */
TEST(sleep_goes_on_after_an_event)
{
	int64_t before = k_clock_get(0);
	int events = ktest_home.events, t;

	sleeper_next = sleeper_early = 0;
	ktest_home.event_result = 0;
	/* 40 ms */
	t = ktest_user_thread(sleeper_main, (void *)(uint64_t)(SLEEPERS - 10), K_PRIORITY_USER);
	for (int i = 0; i < 5; i++) {
		ktest_sleep(5 * MS);
		k_thread_event(t);
	}
	CHECK(ktest_wait(&sleeper_next));
	CHECK(k_clock_get(0) - before < 3000 * MS);
	CHECK_EQ(sleeper_early, 0);
	CHECK(ktest_home.events > events);
	ktest_home.event_result = -EINTR;
	sleeper_next = 0;
	ktest_thread_free(t);
	/* 2 s */
	t = ktest_user_thread(sleeper_main, (void *)(uint64_t)(SLEEPERS - 20 - 500),
			      K_PRIORITY_USER);
	ktest_sleep(5 * MS);
	k_thread_event(t);
	CHECK(ktest_wait(&sleeper_early));
	ktest_home.event_result = 0;
	ktest_thread_free(t);
}
