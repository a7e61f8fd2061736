/* SPDX-License-Identifier: MIT */
/*
 * Random calls with random arguments from threads of a task that may do everything to itself and
 * nothing to others. The kernel must neither stop nor end, whatever they do; what they say is of no
 * interest.
 *
 * The controller (the main thread) forks the task, clears its handle table, and lets three threads
 * loose in it. It stops them with events all the time, so that nothing blocks for good, and
 * replaces those that die. Everything that they are likely to hit is prepared: objects of all
 * types, mappings with an edge, an absent pager page, calls that are held. `fuzz=SEED` on the
 * kernel's command line runs a thousand tasks from another seed.
 */
#include "ktest.h"

#include <stdlib.h>

#define THREADS 3
#define STACK 0x4000ul
#define SCRATCH (8 * PAGE)
#define SELF 60			/* slot of the task's own handle */
#define HANDLES 64

static struct {
	/* addresses, the same in parent and child */
	uint64_t stacks, scratch, readonly, pager;
	volatile uint64_t calls[K_NATIVE_END - K_NATIVE_BASE + K_OPS], total;
	volatile uint64_t last_call;
	volatile int ready;
	uint64_t seed;
	int endpoint;
} fuzz;

/* --- in the child ------------------------------------------------------------------------- */

/* With no stack at hand but its own: plain code, no library. */
static uint64_t pick(uint64_t *seed)
{
	static const uint64_t sizes[] = { 0,
					  1,
					  2,
					  8,
					  4095,
					  4096,
					  4097,
					  65536,
					  1ul << 20,
					  1ul << 31,
					  1ul << 32,
					  1ul << 47,
					  1ul << 63,
					  ~0ul,
					  ~0xffful,
					  0x7ffffffffffffffful,
					  0x00007ffffffff000ul,
					  0x00007fffffffffffful };
	static const uint64_t wild[] = { 0,
					 8,
					 0xffff,
					 0x10000,
					 0xffff800000000000ul,
					 0xffffffff80100000ul,
					 0x0000800000000000ul,
					 0x00007ffffffffff8ul,
					 0xfffffffffffffff8ul,
					 0xdead0000beeful };
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

static void child_entry(uint64_t index);

static void fill(uint64_t *seed)
{
	uint64_t *p = (uint64_t *)(fuzz.scratch + ((ktest_random(seed) % (SCRATCH - 1024)) & ~7ul));

	for (int i = 0; i < 64; i++) {
		uint64_t v = pick(seed);

		/* many structures hold pairs of small numbers */
		p[i] = ktest_random(seed) & 1 ? v : (v & 0xff) | pick(seed) << 32;
	}
}

static bool chance(uint64_t *seed, unsigned one_in)
{
	return ktest_random(seed) % one_in == 0;
}

/* A handle of this type, if one is found quickly. */
static int32_t typed(uint64_t *seed, uint32_t type)
{
	struct k_handle_info info;
	int h = 0;

	for (int i = 0; i < 24; i++) {
		h = (int)(ktest_random(seed) % HANDLES);
		if (k_handle_info(h, &info) == 0 && info.type == type)
			break;
	}
	return chance(seed, 16) ? -1 : h;
}

static uint64_t address(uint64_t *seed)
{
	const uint64_t at[] = { fuzz.scratch, fuzz.pager, fuzz.readonly, fuzz.stacks + 4 * STACK,
				0x10000000,   0 };

	return at[ktest_random(seed) % 6] + (chance(seed, 4) ? ktest_random(seed) % PAGE : 0);
}

static uint64_t length(uint64_t *seed)
{
	static const uint64_t sizes[] = { 0, 1, 8, 100, PAGE, 3 * PAGE, 5 * PAGE + 1, 64 * PAGE };

	return chance(seed, 8) ? pick(seed) : sizes[ktest_random(seed) % 8];
}

/* What a call that takes a structure finds in it: mostly what it could want. */
static void shape(uint64_t *seed, long n, void *p)
{
	uint64_t r = ktest_random(seed);
	struct k_regs regs = { .rip = (uint64_t)child_entry,
			       .rsp = fuzz.stacks + STACK * (1 + r % THREADS) - 8,
			       .rdi = r & 7 };

	switch (n) {
	case K_NATIVE_space_map:
		*(struct k_map *)p = (struct k_map){
			.address = address(seed) & ~(PAGE - 1),
			.size = length(seed),
			.offset = r & 7 ? 0 : PAGE,
			.space = r & 8 ? -1 : typed(seed, K_OBJECT_SPACE),
			.flags = (uint32_t)(r >> 8) & (r & 0x70 ? 0x1cf : 0x1ff),
			.object = typed(seed, r & 0x100 ? K_OBJECT_MOBJECT : K_OBJECT_DESCRIPTION)
		};
		break;
	case K_NATIVE_call:
		*(struct k_private_call *)p = (struct k_private_call){ .endpoint = fuzz.endpoint,
								       .number = 1,
								       .arg = { address(seed) } };
		break;
	case K_NATIVE_thread_create:
		*(struct k_thread_create *)p =
			(struct k_thread_create){ .task = typed(seed, K_OBJECT_TASK),
						  .tid = 3,
						  .regs = regs,
						  .routes =
							  r & 1 ? -1 : typed(seed, K_OBJECT_ROUTES),
						  .priority = r >> 1 & 3 };
		break;
	case K_NATIVE_task_create:
		*(struct k_task_create *)p =
			(struct k_task_create){ .account =
							r & 1 ? -1 : typed(seed, K_OBJECT_ACCOUNT),
						.notify = r & 2 ? -1 : fuzz.endpoint,
						.space = r & 4 ? -1 : typed(seed, K_OBJECT_SPACE),
						.table = r & 0x18 ? -1 : typed(seed, K_OBJECT_TASK),
						.flags = r >> 5 & 1,
						.name = "fuzz" };
		break;
	case K_NATIVE_task_fork:
		*(struct k_fork *)p =
			(struct k_fork){ .flags = (uint32_t)r & 0xf,
					 .account = r & 0x30 ? -1 : typed(seed, K_OBJECT_ACCOUNT),
					 .notify = r & 0x40 ? -1 : fuzz.endpoint,
					 .set = r >> 8 & 3,
					 .rsp = regs.rsp,
					 .fs_base = r & 0x400 ? 0 : pick(seed) };
		break;
	case K_NATIVE_task_exec:
		*(struct k_exec *)p = (struct k_exec){ .call = fuzz.last_call,
						       .space = typed(seed, K_OBJECT_SPACE),
						       .regs = regs,
						       .name = "exec" };
		break;
	case K_NATIVE_description_create:
		*(struct k_description *)p = (struct k_description){
			.cookie = r,
			.status = (uint32_t)(r >> 8) & 0xc03,
			.plane = r % 11,
			.object = typed(seed, r & 1 ? K_OBJECT_PIPE : K_OBJECT_MOBJECT),
			.object2 = typed(seed, K_OBJECT_PIPE),
			.source = r & 2 ? -1 : typed(seed, K_OBJECT_SOURCE),
			.decline = r & 0x30 ? 0 : r >> 24 & 31,
			.flags = r & 0xc0 ? 0 : r >> 16 & 31
		};
		break;
	case K_NATIVE_caller_forward:
		*(struct k_forward *)p = (struct k_forward){
			.call = fuzz.last_call,
			.flags = (uint32_t)(r & 15),
			.endpoint = fuzz.endpoint,
			.number = 1 + (int)(r >> 8) % (K_OPS - 1),
			.scratch_size = r & 8 ? 0 : (uint32_t)length(seed),
			.scratch = (void *)address(seed),
			.arg = { r >> 16 & 1 ? (uint64_t)typed(seed, K_OBJECT_DESCRIPTION) :
					       address(seed),
				 address(seed), length(seed), pick(seed) },
			.handle = { r & 16 ? -1 : (int)(r >> 20) % HANDLES,
				    r & 32 ? -1 : (int)(r >> 28) % HANDLES }
		};
		break;
	default:
		break;
	}
}

static void shape_answer(uint64_t *seed, struct k_answer *a)
{
	uint64_t r = ktest_random(seed);

	*a = (struct k_answer){ .call = fuzz.last_call,
				.result = r & 1 ? (int64_t)(r >> 8) : -(int64_t)(r >> 8 & 1023),
				.flags = r & 0x70 ? 0 : (r >> 40 & 7),
				.copies = r >> 16 & 3,
				.installs = (r >> 18 & 3) % 3 };
	for (int i = 0; i < 3; i++)
		a->copy[i] = (struct k_answer_copy){ address(seed), (void *)address(seed),
						     length(seed) };
	for (int i = 0; i < 2; i++)
		a->install[i] =
			(struct k_answer_install){ .handle = typed(seed, K_OBJECT_DESCRIPTION),
						   .flags = (uint32_t)(r >> (24 + 5 * i)) & 31,
						   .min = r & 0x80 ? 0 : (uint32_t)pick(seed),
						   .fd_to = r & 0x100 ? 0 : address(seed) };
}

/*
 * One letter for each argument: a handle of a type, a call that is held, a structure, an address, a
 * length, bits.
 */
static const char *const shapes[K_NATIVE_END - K_NATIVE_BASE] = {
#define S(call, letters) [K_NATIVE_##call - K_NATIVE_BASE] = letters
	S(handle_duplicate, "hbb"),
	S(call, "p"),
	S(caller_read, "ecaal"),
	S(caller_read_string, "ecaal"),
	S(caller_write, "ecaal"),
	S(caller_cookie, "echa"),
	S(caller_take, "ech"),
	S(caller_forward, "ep"),
	S(caller_scratch, "ecal"),
	S(caller_attached, "ecb"),
	S(caller_install, "ecDbb"),
	S(caller_regs_get, "eca"),
	S(caller_regs_set, "eca"),
	S(caller_fpu_get, "ecal"),
	S(caller_fpu_set, "ecal"),
	S(caller_futex_wake, "ecab"),
	S(caller_watch_table, "ecb"),
	S(description_create, "ep"),
	S(description_info, "Da"),
	S(source_set, "Ossb"),
	S(mobject_create, "lb"),
	S(mobject_clone, "Mll"),
	S(mobject_pager_create, "ebl"),
	S(mobject_read, "Mlal"),
	S(mobject_write, "Mlal"),
	S(mobject_resize, "Ml"),
	S(mobject_punch, "Mll"),
	S(mobject_info, "Ma"),
	S(mobject_set, "Mbx"),
	S(mobject_supply, "Mlalb"),
	S(mobject_collect_dirty, "Maab"),
	S(space_map, "p"),
	S(space_unmap, "xal"),
	S(space_protect, "xalb"),
	S(account_set, "Aa"),
	S(account_info, "Aa"),
	S(task_create, "p"),
	S(task_fork, "ecp"),
	S(task_install, "Thxb"),
	S(task_set, "Tbx"),
	S(task_info, "Ta"),
	S(task_regions, "Taab"),
	S(task_memory_read, "Taal"),
	S(task_memory_write, "Taal"),
	S(task_handles, "Tbab"),
	S(task_exec, "ep"),
	S(thread_create, "p"),
	S(thread_start, "H"),
	S(thread_event, "H"),
	S(thread_kill, "H"),
	S(thread_set, "Hbx"),
	S(thread_info, "Ha"),
	S(routes_set, "Rbba"),
	S(routes_home, "Rbe"),
	S(notification_create, "eb"),
	S(notification_signal, "Nx"),
	S(endpoint_descriptions, "eaab"),
	S(pipe_create, "lb"),
	S(pipe_hold, "Pb"),
	S(pipe_read, "Palbb"),
	S(pipe_write, "Pal"),
	S(pipe_info, "Pa"),
	S(pipe_bind, "PEx"),
	S(pipe_arm, "Pb"),
#undef S
};

static void shape_arguments(uint64_t *seed, long n, uint64_t *a)
{
	const char *letters = shapes[n - K_NATIVE_BASE];

	for (int i = 0; i < 6 && letters && *letters; i++, letters++) {
		switch (*letters) {
		case 'e': a[i] = (uint64_t)fuzz.endpoint; break;
		case 'E': a[i] = chance(seed, 4) ? ~0ul : (uint64_t)fuzz.endpoint; break;
		case 'c': a[i] = fuzz.last_call; break;
		case 'p':
			a[i] = fuzz.scratch + 64 * (ktest_random(seed) % 32);
			shape(seed, n, (void *)a[i]);
			break;
		case 'a': a[i] = address(seed); break;
		case 'l': a[i] = length(seed); break;
		case 'b': a[i] = ktest_random(seed) % 12; break;
		case 'h': a[i] = ktest_random(seed) % HANDLES; break;
		case 's': a[i] = ktest_random(seed) & 0xf201f; break;
		case 'A': a[i] = (uint64_t)typed(seed, K_OBJECT_ACCOUNT); break;
		case 'D': a[i] = (uint64_t)typed(seed, K_OBJECT_DESCRIPTION); break;
		case 'H': a[i] = (uint64_t)typed(seed, K_OBJECT_THREAD); break;
		case 'M': a[i] = (uint64_t)typed(seed, K_OBJECT_MOBJECT); break;
		case 'N': a[i] = (uint64_t)typed(seed, K_OBJECT_NOTIFICATION); break;
		case 'O': a[i] = (uint64_t)typed(seed, K_OBJECT_SOURCE); break;
		case 'P': a[i] = (uint64_t)typed(seed, K_OBJECT_PIPE); break;
		case 'R': a[i] = (uint64_t)typed(seed, K_OBJECT_ROUTES); break;
		case 'T': a[i] = (uint64_t)typed(seed, K_OBJECT_TASK); break;
		default: break;
		}
	}
}

/*
 * These would end more than the task: the machine, or everybody's patience with the log. And
 * threads should live a while.
 */
static bool forbidden(uint64_t *seed, long n)
{
	if (n == K_NATIVE_log_write || n == K_NATIVE_power)
		return true;
	return (n == K_NATIVE_thread_kill || n == K_NATIVE_task_kill ||
		n == K_NATIVE_endpoint_shut || n == K_NATIVE_handle_close ||
		n == K_OP_close_range || n == K_OP_munmap || n == K_NATIVE_space_unmap) &&
	       !chance(seed, 8);
}

/* Takes a message, and answers the last one. */
static void serve(uint64_t *seed)
{
	struct k_message *m = (struct k_message *)(fuzz.scratch + 2 * PAGE);
	struct k_answer *a = (struct k_answer *)(fuzz.scratch + 3 * PAGE);

	shape_answer(seed, a);
	if (chance(seed, 2))
		k_answer(fuzz.endpoint, a);
	else if (k_receive(fuzz.endpoint, chance(seed, 2) ? a : NULL, m, 0) == 0 && m->call)
		fuzz.last_call = m->call;
}

static void one_call(uint64_t *seed)
{
	uint64_t r = ktest_random(seed), a[6];
	long n = r % 10 < 7 ? K_NATIVE_BASE + (long)(r >> 8) % (K_NATIVE_END - K_NATIVE_BASE) :
			      1 + (long)(r >> 8) % (K_OPS - 1);

	if (forbidden(seed, n))
		return;
	if (r >> 40 & 1)
		fill(seed);
	for (int i = 0; i < 6; i++)
		a[i] = pick(seed);
	if (n >= K_NATIVE_BASE && r >> 41 & 3)
		shape_arguments(seed, n, a);
	if (n < K_OPS && r >> 43 & 1)
		a[0] = (uint64_t)typed(seed, K_OBJECT_DESCRIPTION), a[1] = address(seed),
		a[2] = length(seed);
	if (n == K_NATIVE_receive || n == K_NATIVE_answer)
		serve(seed);
	else
		k_syscall6(n, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4],
			   (long)a[5]);
	fuzz.calls[n < K_OPS ? n : n - K_NATIVE_BASE + K_OPS]++;
	fuzz.total++;
	if (r >> 50 & 1)
		serve(seed);
}

static void fuzz_main(uint64_t index)
{
	uint64_t seed = fuzz.seed * 1000 + index * 77 + fuzz.total;
	struct k_map map = { .address = fuzz.scratch, .size = SCRATCH, .space = -1, .object = -1,
			     .flags = K_MAP_READ | K_MAP_WRITE | K_MAP_FIXED };

	k_space_map(&map);	/* whoever was here before may have died of taking it away */
	for (;;)
		one_call(&seed);
}

/* Where threads start that the task makes itself, or that exec sends somewhere: they are as bad. */
static void child_entry(uint64_t index)
{
	fuzz_main(index & 7);
}

static void make_descriptions(int e, int mobject, int pipe, int source)
{
	for (uint32_t plane = K_PLANE_NONE; plane <= K_PLANE_WAITSET; plane++) {
		struct k_description d = { .cookie = plane,
					   .status = plane == K_PLANE_PIPE_WRITE ? 1 : 2,
					   .plane = plane,
					   .object2 = pipe,
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
	struct k_map map = { .address = fuzz.pager,
			     .size = PAGE,
			     .space = -1,
			     .flags = K_MAP_READ | K_MAP_WRITE | K_MAP_FIXED };
	int mobject, pager, account;

	(void)arg;
	for (int h = 0; h < 1024; h++)
		if (h != SELF)
			k_handle_close(h);
	fuzz.endpoint = (int)k_endpoint_create();
	k_notification_create(fuzz.endpoint, 1);
	mobject = (int)k_mobject_create(3 * PAGE + 5, 0);
	pager = (int)k_mobject_pager_create(fuzz.endpoint, 1, 4 * PAGE);
	make_descriptions(fuzz.endpoint, mobject, (int)k_pipe_create(PAGE, 0),
			  (int)k_source_create());
	make_descriptions(fuzz.endpoint, pager, (int)k_pipe_create(2 * PAGE, 1),
			  (int)k_source_create());
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

/* --- the controller ----------------------------------------------------------------------- */

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
	struct k_thread_create k = { .task = task,
				     .routes = ktest_home.routes,
				     .priority = i ? K_PRIORITY_USER : K_PRIORITY_IDLE };
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
			if (k_thread_event(threads[i]) != -ESRCH &&
			    k_thread_info(threads[i], &info) == 0 && info.state != K_THREAD_DEAD)
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

/*
 * Not counted: a task without threads whose handle is in its own table is a loop that nothing
 * breaks.
 */
TEST_LEAKY(fuzz_of_every_call)
{
	struct k_account_limits limits = { .frames = 3000, .handles = 1024, .threads = 12 };
	int account, e;
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
		account = (int)k_account_create(&limits);
		CHECK_EQ(ktest_child(child_main, NULL, 0, account, &f), 0);
		CHECK_EQ(k_task_install(f.task, f.task, SELF, 0), SELF);
		CHECK_EQ(k_thread_start(f.thread), 0);
		CHECK(ktest_wait(&fuzz.ready));
		child_run(&f, k_clock_get(0) + 120 * MS);
		ktest_child_free(&f);
		k_handle_close(account);
	}
	ktest_home.event_result = 0;
	for (unsigned i = 0; i < sizeof(fuzz.calls) / sizeof(*fuzz.calls); i++)
		covered += fuzz.calls[i] != 0;
	ktest_say("# fuzz: %llu calls of %u kinds\n", (unsigned long long)fuzz.total, covered);
	CHECK(covered > (K_NATIVE_END - K_NATIVE_BASE + K_OPS) * 3 / 4);
	e = (int)k_endpoint_create();			/* all is well */
	CHECK(e >= 0);
	k_handle_close(e);
}
