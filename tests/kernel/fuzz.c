/* SPDX-License-Identifier: MIT */
/*
 * Random calls with random arguments from threads of a task that may do everything to itself and nothing to others.
 * The kernel must neither stop nor end, whatever they do; what they say is of no interest.
 *
 * The controller (the main thread) forks the task, clears its handle table, and lets three threads loose in it. It stops them
 * with events all the time, so that nothing blocks for good, and replaces those that die. Everything that they are likely to
 * hit is prepared: objects of all types, mappings with an edge, an absent pager page, calls that are held. `fuzz=SEED` on the kernel's
 * command line runs a thousand tasks from another seed.
 */
#include "ktest.h"

#include <stdlib.h>

#define THREADS 3
#define STACK 0x4000ul
#define SCRATCH (8 * PAGE)
#define SELF 60			/* slot of the task's own handle */
#define HANDLES 64

static struct {
	uint64_t stacks, scratch, readonly, pager;	/* addresses, the same in parent and child */
	volatile uint64_t calls[K_NATIVE_END - K_NATIVE_BASE + K_OPS], total;
	volatile uint64_t last_call;
	volatile int ready;
	uint64_t seed;
	int endpoint;
} fuzz;

/* --- in the child --------------------------------------------------------------------------------------------- */

/* With no stack at hand but its own: plain code, no library. */
static uint64_t pick(uint64_t *seed)
{
	static const uint64_t sizes[] = {
		0, 1, 2, 8, 4095, 4096, 4097, 65536, 1ul << 20, 1ul << 31, 1ul << 32, 1ul << 47, 1ul << 63, ~0ul, ~0xffful,
		0x7ffffffffffffffful, 0x00007ffffffff000ul, 0x00007fffffffffffful
	};
	static const uint64_t wild[] = {
		0, 8, 0xffff, 0x10000, 0xffff800000000000ul, 0xffffffff80100000ul, 0x0000800000000000ul, 0x00007ffffffffff8ul,
		0xfffffffffffffff8ul, 0xdead0000beeful
	};
	uint64_t r = ktest_random(seed), k = r >> 16;

	switch (r & 15) {
	case 0: case 1: case 2: case 3: case 4: return k % HANDLES;
	case 5: return k % 17;
	case 6: return k & 1 ? ~0ul : 0xffffffff;
	case 7: return fuzz.scratch + k % SCRATCH;
	case 8: return fuzz.scratch + (k % (SCRATCH / 2) & ~7ul);
	case 9: return fuzz.scratch + SCRATCH - k % 64;
	case 10: return wild[k % (sizeof(wild) / sizeof(*wild))];
	case 11: return sizes[k % (sizeof(sizes) / sizeof(*sizes))];
	case 12: return fuzz.last_call;
	case 13: return fuzz.pager + k % PAGE;
	case 14: return k & 1 ? fuzz.readonly + (k >> 1) % PAGE : ktest_random(seed);
	default: return (uint64_t)k_clock_get(0) + k % 100000;
	}
}

static void fill(uint64_t *seed)
{
	uint64_t *p = (uint64_t *)(fuzz.scratch + ((ktest_random(seed) % (SCRATCH - 1024)) & ~7ul));

	for (int i = 0; i < 64; i++) {
		uint64_t v = pick(seed);

		/* many structures hold pairs of small numbers */
		p[i] = ktest_random(seed) & 1 ? v : (v & 0xff) | pick(seed) << 32;
	}
}

static bool fuzz_forbidden(long n)
{
	return n == K_NATIVE_log_write || n == K_NATIVE_power;
}

static void fuzz_main(uint64_t index)
{
	uint64_t seed = fuzz.seed * 1000 + index * 77 + fuzz.total;
	struct k_private_call call = { .endpoint = fuzz.endpoint, .number = 3, .arg = { fuzz.pager, fuzz.scratch } };
	struct k_map map = { .address = fuzz.scratch, .size = SCRATCH, .space = -1, .object = -1,
			     .flags = K_MAP_READ | K_MAP_WRITE | K_MAP_FIXED };

	k_space_map(&map);	/* whoever was here before may have died of taking it away */
	for (;;) {
		uint64_t r = ktest_random(&seed), a[6];
		long n = r % 10 < 6 ? K_NATIVE_BASE + (long)(r >> 8) % (K_NATIVE_END - K_NATIVE_BASE) : 1 + (long)(r >> 8) % (K_OPS - 1);

		if (fuzz_forbidden(n))
			continue;
		if (r >> 40 & 1)
			fill(&seed);
		for (int i = 0; i < 6; i++)
			a[i] = pick(&seed);
		if (n == K_NATIVE_receive && r >> 41 & 3) {	/* often as it should be */
			struct k_message *m = (struct k_message *)fuzz.scratch;

			if (k_receive(fuzz.endpoint, NULL, m, 0) == 0 && m->call)
				fuzz.last_call = m->call;
		} else if (n == K_NATIVE_call && r >> 41 & 1) {
			k_call(&call);
		} else {
			if (r >> 43 & 1)
				a[0] = (uint64_t)fuzz.endpoint, a[1] = fuzz.last_call;
			k_syscall6(n, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5]);
		}
		fuzz.calls[n < K_OPS ? n : n - K_NATIVE_BASE + K_OPS]++;
		fuzz.total++;
	}
}

static void make_descriptions(int e, int mobject, int pipe, int source)
{
	for (uint32_t plane = K_PLANE_NONE; plane <= K_PLANE_WAITSET; plane++) {
		struct k_description d = { .cookie = plane, .status = plane == K_PLANE_PIPE_WRITE ? 1 : 2, .plane = plane, .object2 = pipe,
					   .source = plane & 1 ? source : -1,
					   .object = plane == K_PLANE_STREAM ? mobject : pipe };

		k_description_create(e, &d);
	}
}

/* The first thread of the child: empties its table, makes one of everything, and joins in. */
static void child_main(void *arg)
{
	struct k_account_limits limits = { .frames = 600, .handles = 256, .threads = 6 };
	struct k_task_create t = { .notify = -1, .space = -1, .table = -1 };
	struct k_thread_create k = { .routes = -1 };
	struct k_map map = { .address = fuzz.pager, .size = PAGE, .space = -1, .flags = K_MAP_READ | K_MAP_WRITE | K_MAP_FIXED };
	int mobject, pager, account;

	(void)arg;
	for (int h = 0; h < 1024; h++)
		if (h != SELF)
			k_handle_close(h);
	fuzz.endpoint = (int)k_endpoint_create();
	k_notification_create(fuzz.endpoint, 1);
	mobject = (int)k_mobject_create(3 * PAGE + 5, 0);
	pager = (int)k_mobject_pager_create(fuzz.endpoint, 1, 4 * PAGE);
	make_descriptions(fuzz.endpoint, mobject, (int)k_pipe_create(PAGE, 0), (int)k_source_create());
	make_descriptions(fuzz.endpoint, pager, (int)k_pipe_create(2 * PAGE, 1), (int)k_source_create());
	map.object = pager;
	k_space_map(&map);
	account = (int)k_account_create(&limits);
	t.account = account;
	k.task = (int)k_task_create(&t);
	k_thread_create(&k);
	k_space_create();
	k_routes_create(K_ROUTES_NATIVE);
	fuzz.ready = 1;
	fuzz_main(0);
}

/* --- the controller ------------------------------------------------------------------------------------------- */

static uint64_t map_new(uint64_t size, uint32_t flags)
{
	struct k_map map = { .size = size + PAGE, .space = -1, .object = -1, .flags = flags };

	if (k_space_map(&map))
		return 0;
	k_space_unmap(-1, map.address + size, PAGE);	/* an edge */
	return map.address;
}

static int thread_start(int task, unsigned i)
{
	struct k_thread_create k = { .task = task, .routes = ktest_home.routes, .priority = i ? K_PRIORITY_USER : K_PRIORITY_IDLE };
	int h;

	k.regs.rip = (uint64_t)fuzz_main;
	k.regs.rdi = i;
	k.regs.rsp = fuzz.stacks + (i + 1) * STACK - 8;
	h = (int)k_thread_create(&k);
	if (h >= 0)
		k_thread_start(h);
	return h;
}

static void child_run(struct k_fork *f, int64_t until)
{
	int threads[THREADS], deaths = 0;
	struct k_thread_info info;

	threads[0] = f->thread;
	for (unsigned i = 1; i < THREADS; i++)
		threads[i] = thread_start(f->task, i);
	while (k_clock_get(0) < until && deaths < 60) {
		ktest_sleep(MS / 10);
		for (unsigned i = 0; i < THREADS; i++) {
			if (k_thread_event(threads[i]) != -ESRCH && k_thread_info(threads[i], &info) == 0 && info.state != K_THREAD_DEAD)
				continue;
			if (threads[i] != f->thread)
				k_handle_close(threads[i]);
			threads[i] = thread_start(f->task, i);
			deaths++;
		}
	}
	k_task_kill(f->task);
	for (unsigned i = 0; i < THREADS; i++)
		if (threads[i] != f->thread)
			k_handle_close(threads[i]);
}

/* Not counted: a task without threads whose handle is in its own table is a loop that nothing breaks. */
TEST_LEAKY(fuzz_of_every_call)
{
	struct k_account_limits limits = { .frames = 3000, .handles = 1024, .threads = 12 };
	int account = (int)k_account_create(&limits), e;
	unsigned covered = 0;
	struct k_fork f;

	fuzz.stacks = map_new(THREADS * STACK, K_MAP_READ | K_MAP_WRITE);
	fuzz.scratch = map_new(SCRATCH, K_MAP_READ | K_MAP_WRITE);
	fuzz.readonly = map_new(PAGE, K_MAP_READ);
	fuzz.pager = map_new(PAGE, K_MAP_READ | K_MAP_WRITE);
	ktest_home.event_result = -EINTR;
	fuzz.seed = ktest_option("fuzz=") ? strtoul(ktest_option("fuzz="), NULL, 10) : 1;
	for (uint64_t end = fuzz.seed + (fuzz.seed > 1 ? 1000 : 50); fuzz.seed < end; fuzz.seed++) {
		fuzz.ready = 0;
		CHECK_EQ(ktest_child(child_main, NULL, 0, account, &f), 0);
		CHECK_EQ(k_task_install(f.task, f.task, SELF, 0), SELF);
		CHECK_EQ(k_thread_start(f.thread), 0);
		CHECK(ktest_wait(&fuzz.ready));
		child_run(&f, k_clock_get(0) + 120 * MS);
		ktest_child_free(&f);
	}
	ktest_home.event_result = 0;
	for (unsigned i = 0; i < sizeof(fuzz.calls) / sizeof(*fuzz.calls); i++)
		covered += fuzz.calls[i] != 0;
	ktest_say("# fuzz: %llu calls of %u kinds\n", (unsigned long long)fuzz.total, covered);
	CHECK(covered > (K_NATIVE_END - K_NATIVE_BASE + K_OPS) * 3 / 4);
	e = (int)k_endpoint_create();			/* all is well */
	CHECK(e >= 0);
	k_handle_close(e);
	k_handle_close(account);
}
