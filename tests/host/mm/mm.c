/*
 * kernel/mm against a naive model: random operations on spaces, objects and forks, on a machine
 * whose translation buffer forgets nothing by itself; then single subjects: the page index, the
 * heap, pagers, accounts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../test.h"
#include "core/account.h"
#include "core/ops.h"
#include "core/task.h"
#include "lib/errno.h"
#include "machine.h"
#include "mm/kmalloc.h"
#include "mm/reclaim.h"
#include "mm/space_priv.h"
#include "mm/usercopy.h"

#define MEMORY (32ul << 20)
#define BASE 0x10000000ul
#define PAGES 48
#define SPACES 5
#define OBJECTS 6
#define OBJECT_PAGES 40	/* pages of an object, at most */

enum { HOLE, ANONYMOUS, PRIVATE, SHARED };

struct model_page {
	int kind, object;
	uint64_t index;
	unsigned rights;
	bool own;
	uint64_t value;
};

struct model_object {
	struct mobject *m;
	uint64_t size;		/* pages */
	int parent;		/* -1: none */
	uint64_t first, limit;	/* window on the parent, in pages */
	bool own[OBJECT_PAGES];
	uint64_t value[OBJECT_PAGES];
};

static struct task task[SPACES];
static struct thread thread[SPACES];
static struct model_page model[SPACES][PAGES];
static struct model_object objects[OBJECTS];
static struct account *account;
static uint64_t frames_before;
static uint64_t next_value;

static unsigned pick(unsigned n)
{
	return (unsigned)rand() % n;
}

static void setup(void)
{
	static bool done;

	if (!done)
		machine_start(MEMORY);
	done = true;
	frames_before = frame_counts.free;
	account = machine_account(0);
	memset(task, 0, sizeof task);
	memset(thread, 0, sizeof thread);
	memset(model, 0, sizeof model);
	memset(objects, 0, sizeof objects);
	for (unsigned i = 0; i < SPACES; i++) {
		task[i].limit_as = task[i].limit_data = task[i].limit_stack =
			task[i].limit_memlock = UINT64_MAX;
		thread[i].task = &task[i];
		list_init(&thread[i].waiter.node);
	}
}

static void teardown(void)
{
	for (unsigned i = 0; i < SPACES; i++)
		if (task[i].space)
			object_put(space_object(task[i].space));
	for (int i = OBJECTS - 1; i >= 0; i--)
		if (objects[i].m)
			object_put(mobject_object(objects[i].m));
	while (mm_reap())
		;
	CHECK(account->frames == 0);
	CHECK(account->object.references == 1);
	object_put(&account->object);
	CHECK(object_count[K_OBJECT_SPACE] == 0);
	CHECK(object_count[K_OBJECT_MOBJECT] == 0);
	CHECK(frame_counts.kernel == 0);
	CHECK(frame_counts.free == frames_before);
}

/* --- the model ---------------------------------------------------------------------------- */

static uint64_t object_value(int o, uint64_t i)
{
	const struct model_object *m = &objects[o];

	if (m->own[i])
		return m->value[i];
	if (m->parent >= 0 && i < m->limit)
		return m->first + i < OBJECT_PAGES ? object_value(m->parent, m->first + i) : 0;
	return 0;
}

static void object_write(int o, uint64_t i, uint64_t value)
{
	objects[o].own[i] = true;
	objects[o].value[i] = value;
}

/* What a program sees: 0 or -K_FAULT_*. */
static int model_access(unsigned s, unsigned page, bool write, uint64_t *value)
{
	struct model_page *p = &model[s][page];

	if (p->kind == HOLE)
		return -K_FAULT_MAPERR;
	if (write ? !(p->rights & K_MAP_WRITE) : !p->rights)
		return -K_FAULT_ACCERR;
	if (p->kind != ANONYMOUS && !p->own && p->index >= objects[p->object].size)
		return -K_FAULT_BUS;
	if (!write) {
		*value = p->own               ? p->value :
			 p->kind == ANONYMOUS ? 0 :
						object_value(p->object, p->index);
	} else if (p->kind == SHARED) {
		object_write(p->object, p->index, *value);
	} else {
		p->own = true;
		p->value = *value;
	}
	return 0;
}

/* What the real one does. */
static int real_access(unsigned s, uint64_t address, bool write, uint64_t *value)
{
	for (int i = 0; i < 40; i++) {
		int64_t r;

		if (machine_access(&task[s].space->arch, address, write, value))
			return 0;
		r = space_fault(&thread[s], address, write, false);
		if (r == OP_MEMORY)
			continue;	/* a table could not be had: once more */
		if (r)
			return (int)r;
	}
	return -100;
}

static void both_access(unsigned s, unsigned page, bool write)
{
	uint64_t want = ++next_value, got = want;
	int expected = model_access(s, page, write, &want);
	int result = real_access(s, BASE + page * PAGE_SIZE, write, &got);

	if (result != expected)
		FAIL("access gives %d, not %d", result, expected);
	CHECK(result || got == want);
}

static void space_verify(unsigned s)
{
	uint64_t rss = 0, address = 0, pa;
	unsigned flags;

	for (unsigned i = 0; i < PAGES; i++)
		both_access(s, i, false);
	for (address = BASE;
	     arch_next(&task[s].space->arch, &address, BASE + PAGES * PAGE_SIZE, &pa, &flags);
	     address += PAGE_SIZE)
		rss += !(flags & PTE_ZERO);
	CHECK(rss == task[s].space->rss_own + task[s].space->rss_object);
}

/*
 * The tree is in order, balanced, its gaps are right, neighbours that could be one region of
 * anonymous memory are.
 */
static uint64_t tree_verify(struct space *s, struct region *r, unsigned depth)
{
	uint64_t n = 1;

	CHECK(depth < 20);
	CHECK(r->start < r->end);
	if (r->left) {
		CHECK(r->left->start < r->start && r->left->gap <= r->gap);
		n += tree_verify(s, r->left, depth + 1);
	}
	if (r->right) {
		CHECK(r->right->start >= r->end && r->right->gap <= r->gap);
		n += tree_verify(s, r->right, depth + 1);
	}
	return n;
}

static void regions_verify(unsigned i)
{
	struct space *s = task[i].space;
	uint64_t pages = 0, n = 0, end = 0;

	list_for(it, &s->regions) {
		struct region *r = container_of(it, struct region, link);

		CHECK(r->start >= end);
		CHECK(region_find(s, r->start) == r && region_find(s, r->end - 1) == r);
		end = r->end;
		pages += (r->end - r->start) >> PAGE_SHIFT;
		n++;
	}
	CHECK(n == s->count && pages == s->pages);
	CHECK(!s->root || tree_verify(s, s->root, 0) == n);
}

/* --- random operations -------------------------------------------------------------------- */

static int64_t call(op_function *op, unsigned s, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
		    uint64_t e, uint64_t f)
{
	uint64_t arg[6] = { a, b, c, d, e, f };
	int64_t r;

	memset(&thread[s].progress, 0, sizeof thread[s].progress);
	machine_loaded = &task[s].space->arch;
	do
		r = op(&thread[s], arg);
	while (r == OP_PREEMPT || r == OP_MEMORY);
	return r;
}

static unsigned random_range(unsigned *first)
{
	*first = pick(PAGES);
	return 1 + pick(PAGES - *first < 12 ? PAGES - *first : 12);
}

static int random_object(void)
{
	int o = (int)pick(OBJECTS);

	return objects[o].m ? o : -1;
}

static void do_map(unsigned s)
{
	unsigned first, n = random_range(&first), rights = pick(8);
	int kind = 1 + (int)pick(3), o = random_object();
	uint64_t offset = pick(OBJECT_PAGES);
	struct k_map map = { .address = BASE + first * PAGE_SIZE,
			     .size = n * PAGE_SIZE,
			     .offset = offset * PAGE_SIZE };

	if (o < 0)
		kind = ANONYMOUS;
	map.flags = K_MAP_FIXED | rights | (kind == SHARED ? 0 : K_MAP_PRIVATE);
	if (kind == ANONYMOUS && pick(2))
		CHECK(call(op_mmap, s, map.address, map.size, rights, 0x32, ~0ul, 0) ==
		      (int64_t)map.address);
	else
		CHECK(space_map(task[s].space, &task[s], &map,
				kind == ANONYMOUS ? NULL : objects[o].m, NULL) == 0);
	for (unsigned i = 0; i < n; i++)
		model[s][first + i] = (struct model_page){
			.kind = kind, .object = o, .index = offset + i, .rights = rights
		};
}

static void do_unmap(unsigned s)
{
	unsigned first, n = random_range(&first);

	CHECK(call(op_munmap, s, BASE + first * PAGE_SIZE, n * PAGE_SIZE, 0, 0, 0, 0) == 0);
	memset(&model[s][first], 0, n * sizeof model[s][0]);
}

static void do_protect(unsigned s)
{
	unsigned first, n = random_range(&first), rights = pick(8), i;
	int64_t r = call(op_mprotect, s, BASE + first * PAGE_SIZE, n * PAGE_SIZE, rights, 0, 0, 0);

	for (i = 0; i < n && model[s][first + i].kind != HOLE; i++)
		model[s][first + i].rights = rights;
	CHECK(r == (i < n ? -ENOMEM : 0));
}

static void do_advise(unsigned s)
{
	unsigned first, n = random_range(&first);

	for (unsigned i = 0; i < n; i++)	/* pages that were taken over do not come back */
		if (model[s][first + i].kind == PRIVATE && !objects[model[s][first + i].object].m)
			return;
	call(op_madvise, s, BASE + first * PAGE_SIZE, n * PAGE_SIZE, 4, 0, 0, 0);
	for (unsigned i = 0; i < n; i++)
		model[s][first + i].own = false;
}

/* mremap within the window, to a place that does not overlap. */
static void do_move(unsigned s)
{
	unsigned first = pick(PAGES / 2), n = 1 + pick(6), size = 1 + pick(8),
		 to = PAGES / 2 + pick(PAGES / 2 - 8);
	struct model_page copy[8];
	int64_t result = call(op_mremap, s, BASE + first * PAGE_SIZE, n * PAGE_SIZE,
			      size * PAGE_SIZE, 3, BASE + to * PAGE_SIZE, 0);

	if (result < 0) {
		if (result != -EFAULT && result != -EINVAL)
			FAIL("mremap gives %ld", (long)result);
		return;
	}
	CHECK(result == (int64_t)(BASE + to * PAGE_SIZE));
	for (unsigned i = 0; i < size; i++) {
		copy[i] = model[s][first + (i < n ? i : 0)];
		if (i >= n) {
			copy[i].index += i;
			copy[i].own = false;
		}
	}
	memset(&model[s][first], 0, n * sizeof model[s][0]);
	memcpy(&model[s][to], copy, size * sizeof copy[0]);
}

static void do_fork(unsigned s)
{
	unsigned to = pick(SPACES);
	uint64_t cursor = 0;
	int64_t r;

	if (to == s)
		return;
	if (task[to].space)
		object_put(space_object(task[to].space));
	CHECK(space_create(account, &task[to].space) == 0);
	do
		r = space_fork(task[s].space, task[to].space, &cursor);
	while (r == OP_PREEMPT);
	CHECK(r == 0);
	memcpy(model[to], model[s], sizeof model[s]);
	regions_verify(to);
}

/* Something still shows it. */
static bool object_used(int o)
{
	for (unsigned i = 0; i < OBJECTS; i++)
		if (objects[i].size && objects[i].parent == o && object_used((int)i))
			return true;
	for (unsigned i = 0; i < OBJECTS; i++)
		if (objects[i].m && objects[i].parent == o)
			return true;
	for (unsigned s = 0; s < SPACES; s++)
		for (unsigned i = 0; task[s].space && i < PAGES; i++)
			if (model[s][i].kind > ANONYMOUS && model[s][i].object == o)
				return true;
	return false;
}

/* Only mappings keep it from now on, and may take its pages over. */
static void do_forget(int o)
{
	object_put(mobject_object(objects[o].m));
	objects[o].m = NULL;
}

static void do_object(void)
{
	unsigned o = pick(OBJECTS);
	struct model_object *m = &objects[o];
	int parent = random_object();

	if (m->m || object_used((int)o))
		return;
	*m = (struct model_object){ .parent = -1, .size = 1 + pick(OBJECT_PAGES) };
	if (parent < 0 || pick(2)) {
		CHECK(mobject_create(account, m->size * PAGE_SIZE, 0, &m->m) == 0);
		return;
	}
	m->first = pick(OBJECT_PAGES / 2);
	if (mobject_child(objects[parent].m, account, m->first * PAGE_SIZE, m->size * PAGE_SIZE,
			  &m->m)) {
		m->m = NULL;	/* too deep */
		return;
	}
	m->parent = parent;
	m->limit = m->size;
}

static void private_copies_drop(int o, uint64_t size)
{
	for (unsigned s = 0; s < SPACES; s++)
		for (unsigned i = 0; task[s].space && i < PAGES; i++)
			if (model[s][i].kind == PRIVATE && model[s][i].object == o &&
			    model[s][i].index >= size)
				model[s][i].own = false;
}

static void do_resize(int o)
{
	struct model_object *m = &objects[o];
	uint64_t size = 1 + pick(OBJECT_PAGES);

	CHECK(mobject_resize(m->m, size * PAGE_SIZE) == 0);
	for (uint64_t i = size; i < OBJECT_PAGES; i++)
		m->own[i] = false;
	if (size < m->size)
		private_copies_drop(o, size);
	m->size = size;
	if (m->limit > size)
		m->limit = size;
}

static void do_punch(int o)
{
	struct model_object *m = &objects[o];
	uint64_t first = pick((unsigned)m->size), n = 1 + pick((unsigned)(m->size - first));

	CHECK(mobject_punch(m->m, first * PAGE_SIZE, n * PAGE_SIZE) == 0);
	for (uint64_t i = first; i < first + n; i++)
		object_write(o, i, 0);
}

/* A word from a page of s to a page of the object, or back. */
static void do_file(unsigned s, int o, bool write)
{
	struct model_object *m = &objects[o];
	unsigned page = pick(PAGES);
	uint64_t index = pick(OBJECT_PAGES), value;
	uint64_t address = BASE + page * PAGE_SIZE;
	int64_t r;

	machine_loaded = &task[s].space->arch;
	do
		r = write ? mobject_write_user(m->m, &thread[s], index * PAGE_SIZE, address, 8)
			  : mobject_read_user(m->m, &thread[s], index * PAGE_SIZE, address, 8);
	while (r == OP_MEMORY);
	if (!write && index >= m->size) {
		CHECK(r == 0);
		return;
	}
	if (!write)
		value = object_value(o, index);
	if (model_access(s, page, !write, &value)) {
		CHECK(r == -EFAULT);
		/* A child has got its own page before the bad address was found out. */
		if (write && m->parent >= 0 && index < m->limit)
			object_write(o, index, object_value(o, index));
		return;
	}
	CHECK(r == 8);
	if (!write)
		return;
	object_write(o, index, value);
	/* the size ends behind these 8 bytes: make it whole pages again */
	if (index >= m->size) {
		m->size = index + 1;
		CHECK(mobject_resize(m->m, m->size * PAGE_SIZE) == 0);
	}
}

static void step(void)
{
	unsigned s = pick(SPACES);
	int o = random_object();

	if (!task[s].space) {
		CHECK(space_create(account, &task[s].space) == 0);
		memset(model[s], 0, sizeof model[s]);
	}
	switch (pick(20)) {
	case 0: case 1: case 2: do_map(s); break;
	case 3: do_unmap(s); break;
	case 4: do_protect(s); break;
	case 5: do_advise(s); break;
	case 6: do_move(s); break;
	case 7: do_fork(s); break;
	case 8: do_object(); break;
	case 9: if (o >= 0 && pick(3) == 0) do_resize(o); break;
	case 10: if (o >= 0 && pick(3) == 0) do_punch(o); break;
	case 11: case 12: if (o >= 0) do_file(s, o, true); break;
	case 13: if (o >= 0) do_file(s, o, false); break;
	case 14: if (o >= 0 && pick(4) == 0) do_forget(o); break;
	default:
		for (unsigned i = 0; i < 10; i++)
			both_access(s, pick(PAGES), pick(3) == 0);
	}
	if (pick(10) == 0) {
		regions_verify(s);
		space_verify(s);
	}
}

static void random_run(unsigned seed, unsigned steps)
{
	setup();
	srand(seed);
	for (unsigned i = 0; i < steps; i++)
		step();
	for (unsigned s = 0; s < SPACES; s++)
		if (task[s].space)
			space_verify(s);
	teardown();
}

TEST(mm, random_operations)
{
	for (unsigned seed = 1; seed <= test_rounds(150); seed++)
		random_run(seed, 600);
}

TEST(mm, random_operations_in_slices)
{
	machine_preempts = true;
	for (unsigned seed = 1000; seed <= 1050; seed++)
		random_run(seed, 600);
	machine_preempts = false;
}

TEST(mm, random_operations_without_tables)
{
	machine_map_fails = 5;
	for (unsigned seed = 2000; seed <= 2050; seed++)
		random_run(seed, 600);
	machine_map_fails = 0;
}

/* --- without memory: anything may fail, nothing may be lost ------------------------------- */

static uint64_t hog[MEMORY / PAGE_SIZE];

static void poor_step(void)
{
	unsigned s = pick(SPACES), first, n = random_range(&first), to = pick(SPACES),
		 o = pick(OBJECTS);
	uint64_t address = BASE + first * PAGE_SIZE, size = n * PAGE_SIZE, cursor = 0, v = 1;
	struct k_map map = { .address = address, .size = size, .offset = pick(8) * PAGE_SIZE,
			     .flags = K_MAP_FIXED | pick(8) | (pick(2) ? K_MAP_PRIVATE : 0) };
	int64_t r;

	if (!task[s].space && space_create(account, &task[s].space)) {
		task[s].space = NULL;
		return;
	}
	machine_loaded = &task[s].space->arch;
	switch (pick(12)) {
	case 0:
	case 1:
		space_map(task[s].space, NULL, &map, pick(2) ? objects[o].m : NULL, NULL);
		break;
	case 2: space_unmap(task[s].space, address, size); break;
	case 3: space_protect(task[s].space, address, size, pick(8)); break;
	case 4: call(op_mremap, s, address, size, size + pick(3) * PAGE_SIZE, 1, 0, 0); break;
	case 5:
		if (task[to].space || to == s)
			break;
		if (space_create(account, &task[to].space)) {
			task[to].space = NULL;
			break;
		}
		do
			r = space_fork(task[s].space, task[to].space, &cursor);
		while (r == OP_PREEMPT);
		regions_verify(to);
		break;
	case 6:
		if (pick(3) == 0) {
			object_put(space_object(task[s].space));
			task[s].space = NULL;
		}
		break;
	case 7:
		if (!objects[o].m && (pick(2) || !objects[0].m))
			r = mobject_create(account, 100 * PAGE_SIZE, pick(8) ? 0 : K_MOBJECT_WIRED,
					   &objects[o].m);
		else if (!objects[o].m)
			r = mobject_child(objects[0].m, account, 0, 100 * PAGE_SIZE, &objects[o].m);
		else
			break;
		if (r)
			objects[o].m = NULL;
		break;
	case 8:
		if (objects[o].m)
			mobject_write_user(objects[o].m, &thread[s], pick(90000), address,
					   pick(9000));
		break;
	case 9:
		if (objects[o].m && pick(2))
			mobject_punch(objects[o].m, pick(90000), pick(90000));
		else if (objects[o].m)
			mobject_resize(objects[o].m, pick(200000));
		break;
	default:
		for (unsigned i = 0; i < 5; i++) {
			uint64_t at = BASE + pick(PAGES) * PAGE_SIZE;

			if (!machine_access(&task[s].space->arch, at, true, &v))
				space_fault(&thread[s], at, true, false);
		}
	}
	if (task[s].space)
		regions_verify(s);
}

TEST(mm, random_operations_without_memory)
{
	for (unsigned seed = 1; seed <= 100; seed++) {
		unsigned n = 0;

		setup();
		srand(seed);
		while (frame_room(pick(60)) && frame_alloc(NULL, 0, &hog[n]) == 0)
			n++;
		machine_preempts = seed % 2;
		for (unsigned i = 0; i < 1000; i++)
			poor_step();
		machine_preempts = false;
		while (n)
			frame_put(hog[--n]);
		teardown();
	}
}

/* --- single subjects ---------------------------------------------------------------------- */

static void space_make(unsigned i)
{
	CHECK(space_create(account, &task[i].space) == 0);
	machine_loaded = &task[i].space->arch;
}

TEST(mm, page_index)
{
	static const uint64_t at[] = { 5, 6, 4, 63, 64, 100, 4096, 1ul << 30, 0, 7, (1ul << 35) - 1,
				       3 };
	struct pages p = { 0 };
	uint64_t *slot, i, sum = 0;
	unsigned n;

	setup();
	for (unsigned k = 0; k < sizeof at / sizeof at[0]; k++) {
		slot = pages_make(&p, at[k]);
		CHECK(slot && !*slot);
		*slot = at[k] + 1;
		for (unsigned j = 0; j <= k; j++)
			CHECK(pages_get(&p, at[j]) == at[j] + 1);
	}
	CHECK(pages_get(&p, 8) == 0 && pages_get(&p, 1ul << 40) == 0);
	for (i = 0; (slot = pages_run(&p, &i, UINT64_MAX, &n)); i += n)
		for (unsigned k = 0; k < n; k++)
			if (slot[k]) {
				CHECK(slot[k] == i + k + 1);
				sum++;
				slot[k] = 0;
			}
	CHECK(sum == sizeof at / sizeof at[0]);
	pages_prune(&p, 0, UINT64_MAX);
	CHECK(!p.height);
	teardown();
}

TEST(mm, heap)
{
	static void *block[2000];
	static size_t size[2000];

	setup();
	srand(7);
	for (unsigned i = 0; i < 40000; i++) {
		unsigned k = pick(2000);

		if (block[k]) {
			for (size_t j = 0; j < size[k]; j++)
				CHECK(((uint8_t *)block[k])[j] == (uint8_t)k);
			kfree(block[k]);
			block[k] = NULL;
			continue;
		}
		size[k] = 1 + (pick(50) ? pick(700) : pick(20000));
		block[k] = kmalloc(size[k]);
		CHECK(block[k] &&
		      (uint64_t)virt_to_phys(block[k]) % (size[k] >= 64 ? 64 : 16) == 0);
		memset(block[k], (int)k, size[k]);
	}
	for (unsigned k = 0; k < 2000; k++) {
		kfree(block[k]);
		block[k] = NULL;
	}
	teardown();
}

TEST(mm, contiguous_frames_come_back)
{
	uint64_t pa[64], one;

	setup();
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 64; i++)
			CHECK(frame_alloc_contiguous(account, 64, 0, &pa[i]) == 0);
		for (unsigned i = 0; i < 64; i++)
			for (unsigned k = 0; k < 64; k++)
				frame_put(pa[i] + k * PAGE_SIZE);
		CHECK(frame_alloc(account, FRAME_ZERO, &one) == 0);
		frame_put(one);
	}
	teardown();
}

TEST(mm, account_limit)
{
	uint64_t value = 1;
	int64_t r = 0;
	unsigned i;

	setup();
	object_put(&account->object);
	account = machine_account(20);
	space_make(0);
	CHECK(call(op_mmap, 0, BASE, PAGES * PAGE_SIZE, 3, 0x32, ~0ul, 0) == BASE);
	for (i = 0; i < PAGES && !r; i++) {
		r = space_fault(&thread[0], BASE + i * PAGE_SIZE, true, false);
		if (!r)
			CHECK(machine_access(&task[0].space->arch, BASE + i * PAGE_SIZE, true,
					     &value));
	}
	CHECK(r == OP_MEMORY);
	CHECK(account->frames == 20);
	CHECK(call(op_munmap, 0, BASE, PAGE_SIZE, 0, 0, 0, 0) == 0);
	CHECK(space_fault(&thread[0], BASE + (i - 1) * PAGE_SIZE, true, false) == 0);
	teardown();
}

TEST(mm, all_memory)
{
	uint64_t size = MEMORY, at, reserve;
	int64_t r = 0;

	setup();
	space_make(0);
	/* MAP_NORESERVE: more than there is */
	CHECK(call(op_mmap, 0, BASE, size, 3, 0x4032, ~0ul, 0) == BASE);
	for (at = BASE; at < BASE + size && !r; at += PAGE_SIZE)
		r = space_fault(&thread[0], at, true, false);
	CHECK(r == OP_MEMORY);
	reserve = frame_counts.free;
	CHECK(reserve > 20);
	account->reserve = true;
	CHECK(space_fault(&thread[0], at, true, false) == 0);
	account->reserve = false;
	CHECK(call(op_munmap, 0, BASE, size, 0, 0, 0, 0) == 0);
	CHECK(frame_counts.free > reserve);
	teardown();
}

TEST(mm, stack_grows)
{
	struct k_map map = { .address = 0x7ffff0000000,
			     .size = 4 * PAGE_SIZE,
			     .flags = K_MAP_READ | K_MAP_WRITE | K_MAP_PRIVATE | K_MAP_GROWSDOWN |
				      K_MAP_FIXED };
	uint64_t v = 1;

	setup();
	space_make(0);
	task[0].limit_stack = 1 << 20;
	CHECK(space_map(task[0].space, NULL, &map, NULL, NULL) == 0);
	CHECK(real_access(0, map.address - 8, true, &v) == 0);
	CHECK(real_access(0, map.address - 100 * PAGE_SIZE, true, &v) == 0);
	CHECK(real_access(0, map.address + 4 * PAGE_SIZE - (1 << 20), true, &v) == 0);
	CHECK(real_access(0, map.address + 4 * PAGE_SIZE - (1 << 20) - 8, true, &v) ==
	      -K_FAULT_MAPERR);
	task[0].limit_stack = UINT64_MAX;
	CHECK(call(op_mmap, 0, map.address - 400 * PAGE_SIZE, PAGE_SIZE, 3, 0x32, ~0ul, 0) > 0);
	/* The guard: nothing closer than 256 pages to the mapping below. */
	CHECK(real_access(0, map.address - 399 * PAGE_SIZE, true, &v) == -K_FAULT_MAPERR);
	teardown();
}

TEST(mm, brk)
{
	struct k_map map = { .address = BASE,
			     .flags = K_MAP_READ | K_MAP_WRITE | K_MAP_PRIVATE | K_MAP_HEAP };
	uint64_t v = 7;

	setup();
	space_make(0);
	CHECK(space_map(task[0].space, NULL, &map, NULL, NULL) == 0);
	CHECK(call(op_brk, 0, 0, 0, 0, 0, 0, 0) == BASE);
	CHECK(call(op_brk, 0, BASE + 100, 0, 0, 0, 0, 0) == BASE + 100);
	CHECK(call(op_brk, 0, BASE + 9000, 0, 0, 0, 0, 0) == BASE + 9000);
	CHECK(task[0].space->count == 1);
	CHECK(real_access(0, BASE + 8192, true, &v) == 0);
	CHECK(call(op_brk, 0, BASE + 4096, 0, 0, 0, 0, 0) == BASE + 4096);
	CHECK(real_access(0, BASE + 8192, true, &v) == -K_FAULT_MAPERR);
	CHECK(call(op_brk, 0, BASE + 9000, 0, 0, 0, 0, 0) == BASE + 9000);
	CHECK(real_access(0, BASE + 8192, false, &v) == 0 && v == 0);
	CHECK(call(op_brk, 0, BASE - 1, 0, 0, 0, 0, 0) == BASE + 9000);
	task[0].limit_data = 1 << 20;
	CHECK(call(op_brk, 0, BASE + (2 << 20), 0, 0, 0, 0, 0) == BASE + 9000);
	teardown();
}

TEST(mm, mmap_errors)
{
	setup();
	space_make(0);
	CHECK(call(op_mmap, 0, 0, 0, 3, 0x22, ~0ul, 0) == -EINVAL);
	CHECK(call(op_mmap, 0, 0, 4096, 3, 0x20, ~0ul, 0) == -EINVAL);
	CHECK(call(op_mmap, 0, 0, 4096, 3, 0x22, ~0ul, 1) == -EINVAL);
	CHECK(call(op_mmap, 0, 1, 4096, 3, 0x32, ~0ul, 0) == -EINVAL);
	CHECK(call(op_mmap, 0, 0, 4096, 3, 0x32, ~0ul, 0) == -EPERM);
	CHECK(call(op_mmap, 0, 0, 1ul << 63, 3, 0x22, ~0ul, 0) == -ENOMEM);
	CHECK(call(op_mmap, 0, 0, ~0ul, 3, 0x22, ~0ul, 0) == -ENOMEM);
	CHECK(call(op_mmap, 0, 0x7ffffffff000, 4096, 3, 0x32, ~0ul, 0) == -ENOMEM);
	CHECK(call(op_mmap, 0, BASE, 4096, 3, 0x100022, ~0ul, 0) == BASE);
	CHECK(call(op_mmap, 0, BASE, 4096, 3, 0x100022, ~0ul, 0) == -EEXIST);
	CHECK(call(op_mmap, 0, 0, 4096, 3, 0x62, ~0ul, 0) < 1l << 31);
	CHECK(call(op_munmap, 0, BASE + 1, 4096, 0, 0, 0, 0) == -EINVAL);
	CHECK(call(op_munmap, 0, BASE, 0, 0, 0, 0, 0) == -EINVAL);
	CHECK(call(op_munmap, 0, BASE, ~0ul, 0, 0, 0, 0) == -EINVAL);
	CHECK(call(op_mprotect, 0, BASE, 8192, 1, 0, 0, 0) == -ENOMEM);
	CHECK(call(op_mprotect, 0, BASE, 4096, 0x100, 0, 0, 0) == -EINVAL);
	CHECK(call(op_madvise, 0, BASE, 4096, 7, 0, 0, 0) == -EINVAL);
	CHECK(call(op_madvise, 0, BASE, 8192, 4, 0, 0, 0) == -ENOMEM);
	CHECK(call(op_msync, 0, BASE, 4096, 5, 0, 0, 0) == -EINVAL);
	CHECK(call(op_msync, 0, BASE, 4096, 4, 0, 0, 0) == 0);
	CHECK(call(op_mremap, 0, BASE, 4096, 0, 0, 0, 0) == -EINVAL);
	CHECK(call(op_mremap, 0, BASE + 8192, 4096, 8192, 1, 0, 0) == -EFAULT);
	task[0].limit_as = 1 << 20;
	CHECK(call(op_mmap, 0, 0, 2 << 20, 3, 0x22, ~0ul, 0) == -ENOMEM);
	teardown();
}

/* Address space is given out from the top, holes are filled, neighbours become one region. */
TEST(mm, holes)
{
	uint64_t a[64];

	setup();
	space_make(0);
	for (unsigned i = 0; i < 64; i++) {
		a[i] = (uint64_t)call(op_mmap, 0, 0, 4096, i % 2 ? 1 : 3, 0x22, ~0ul, 0);
		CHECK(!i || a[i] == a[i - 1] - 4096);
	}
	CHECK(task[0].space->count == 64);
	for (unsigned i = 1; i < 63; i += 3)
		CHECK(call(op_munmap, 0, a[i], 4096, 0, 0, 0, 0) == 0);
	regions_verify(0);
	CHECK((uint64_t)call(op_mmap, 0, 0, 8192, 3, 0x22, ~0ul, 0) == a[63] - 8192);
	for (unsigned i = 1; i < 63; i += 3)
		CHECK((uint64_t)call(op_mmap, 0, 0, 4096, 3, 0x22, ~0ul, 0) == a[i]);
	CHECK(call(op_mprotect, 0, a[63] - 8192, 66 * 4096, 3, 0, 0, 0) == 0);
	CHECK(task[0].space->count == 1);
	CHECK(call(op_mremap, 0, a[63] - 8192, 66 * 4096, 70 * 4096, 1, 0, 0) > 0);
	regions_verify(0);
	teardown();
}

TEST(mm, partial_sizes)
{
	struct mobject *file, *child;
	uint64_t v = 0x1122334455667788, w;

	setup();
	space_make(0);
	CHECK(call(op_mmap, 0, BASE, 8192, 3, 0x32, ~0ul, 0) == BASE);
	CHECK(real_access(0, BASE, true, &v) == 0);
	CHECK(mobject_create(account, 0, 0, &file) == 0);
	CHECK(mobject_write_user(file, &thread[0], 4092, BASE, 8) == 8);
	CHECK(mobject_size(file) == 4100);
	CHECK(mobject_child(file, account, 0, 4094, &child) == 0);
	CHECK(mobject_read_user(child, &thread[0], 4090, BASE + 16, 100) == 4);
	CHECK(real_access(0, BASE + 16, false, &w) == 0 && w == 0x77880000);
	CHECK(mobject_resize(child, 5000) == 0);
	CHECK(mobject_read_user(child, &thread[0], 4092, BASE + 16, 8) == 8);
	CHECK(real_access(0, BASE + 16, false, &w) == 0 && w == 0x7788);
	CHECK(mobject_resize(file, 4093) == 0 && mobject_resize(file, 8192) == 0);
	CHECK(mobject_read_user(file, &thread[0], 4092, BASE + 16, 8) == 8);
	CHECK(real_access(0, BASE + 16, false, &w) == 0 && w == 0x88);
	CHECK(mobject_write_user(file, &thread[0], 0, BASE + 4096 * 4, 8) == -EFAULT);
	CHECK(mobject_write_user(file, &thread[0], 0, BASE + 8188, 8) == 4);
	CHECK(mobject_read_user(file, &thread[0], 0, ~0ul - 3, 8) == -EFAULT);
	CHECK(mobject_read_user(file, &thread[0], 0, USER_END - 4, 8) == -EFAULT);
	CHECK(mobject_punch(file, 10, 20) == 0 && mobject_punch(file, 4000, 200) == 0);
	object_put(mobject_object(child));
	object_put(mobject_object(file));
	teardown();
}

TEST(mm, pager)
{
	struct endpoint *e;
	struct mobject *file;
	struct k_message m;
	struct k_map map = { .address = BASE, .size = 40 * PAGE_SIZE, .flags = 3 | K_MAP_FIXED };
	uint64_t v = 42, offset = 0, dirty[4], w;

	setup();
	e = machine_endpoint();
	space_make(0);
	space_make(1);
	CHECK(mobject_pager_create(e, 77, 20 * PAGE_SIZE + 8, &file) == 0);
	CHECK(space_map(task[0].space, NULL, &map, file, NULL) == 0);
	CHECK(call(op_mmap, 1, BASE, 8192 * 20, 3, 0x32, ~0ul, 0) == BASE);
	CHECK(real_access(1, BASE + 3 * PAGE_SIZE, true, &v) == 0);
	/* Asked once, for a cluster; a second thread waits for the same answer. */
	thread[0].number = -1;
	CHECK(space_fault(&thread[0], BASE + 2 * PAGE_SIZE, false, false) == OP_BLOCK);
	CHECK(machine_message(e, &m) && m.cookie == 77 && m.extra[0] == K_PAGER_FILL);
	CHECK(m.extra[1] == 2 * PAGE_SIZE && m.extra[2] == 16 * PAGE_SIZE);
	CHECK(mobject_page(file, &thread[2], 5, false, &w) == OP_BLOCK);
	CHECK(!machine_message(e, &m));
	CHECK(mobject_page(file, NULL, 5, false, &w) == -EAGAIN);
	CHECK(mobject_supply(file, &thread[1], 2 * PAGE_SIZE, BASE, 16 * PAGE_SIZE, 0) == 0);
	CHECK(list_empty(&thread[0].waiter.node) && list_empty(&thread[2].waiter.node));
	CHECK(real_access(0, BASE + 5 * PAGE_SIZE, false, &w) == 0 && w == 42);
	/* The first write is asked for; dirty pages are collected and write-protected. */
	CHECK(space_fault(&thread[0], BASE + 5 * PAGE_SIZE, true, false) == OP_BLOCK);
	CHECK(machine_message(e, &m) && m.extra[0] == K_PAGER_WRITABLE &&
	      m.extra[1] == 5 * PAGE_SIZE);
	CHECK(mobject_supply(file, &thread[1], 5 * PAGE_SIZE, 0, PAGE_SIZE, K_SUPPLY_WRITABLE) ==
	      0);
	v = 43;
	CHECK(real_access(0, BASE + 5 * PAGE_SIZE, true, &v) == 0);
	CHECK(mobject_collect_dirty(file, &offset, dirty, 4) == 1 && dirty[0] == 5 * PAGE_SIZE);
	CHECK(!machine_access(&task[0].space->arch, BASE + 5 * PAGE_SIZE, true, &v));
	CHECK(machine_access(&task[0].space->arch, BASE + 5 * PAGE_SIZE, false, &w) && w == 43);
	offset = 0;
	CHECK(mobject_collect_dirty(file, &offset, dirty, 4) == 0);
	/* A failing pager; the error is forgotten once nobody waits. */
	CHECK(space_fault(&thread[0], BASE, false, false) == OP_BLOCK);
	CHECK(machine_message(e, &m) && m.extra[1] == 0 && m.extra[2] == 2 * PAGE_SIZE);
	CHECK(mobject_supply(file, &thread[1], 0, 0, PAGE_SIZE, K_SUPPLY_ERROR) == 0);
	CHECK(space_fault(&thread[0], BASE, false, false) == -K_FAULT_BUS);
	CHECK(space_fault(&thread[0], BASE, false, false) == OP_BLOCK);
	/* A pager that died is asked again. */
	CHECK(machine_message(e, &m));
	list_remove(&thread[0].waiter.node);
	CHECK(space_fault(&thread[0], BASE, false, false) == OP_BLOCK && !machine_message(e, &m));
	pager_restart(e);
	CHECK(space_fault(&thread[0], BASE, false, false) == OP_BLOCK && machine_message(e, &m));
	list_remove(&thread[0].waiter.node);
	CHECK(space_fault(&thread[0], BASE + 21 * PAGE_SIZE, false, false) == -K_FAULT_BUS);
	/* Clean pages are given up when memory is short. */
	CHECK(mm_reclaimable() == 16 * PAGE_SIZE);
	mm_reclaim(frame_counts.total);
	CHECK(mm_reclaimable() == 0);
	CHECK(!machine_access(&task[0].space->arch, BASE + 5 * PAGE_SIZE, false, &w));
	object_put(mobject_object(file));
	object_put(space_object(task[0].space));
	task[0].space = NULL;
	object_put(&e->object);
	teardown();
}

TEST(mm, remote_copies)
{
	struct endpoint *e;
	struct mobject *file;
	struct k_map map = { .address = BASE + 64 * PAGE_SIZE,
			     .size = PAGE_SIZE,
			     .flags = 1 | K_MAP_FIXED };
	uint64_t v = 0x0064636261, w;
	char text[16];

	setup();
	e = machine_endpoint();
	space_make(0);
	space_make(1);
	machine_loaded = &task[0].space->arch;
	CHECK(call(op_mmap, 1, BASE, 8192, 3, 0x32, ~0ul, 0) == BASE);
	CHECK(call(op_mmap, 0, BASE, 8192, 3, 0x32, ~0ul, 0) == BASE);
	CHECK(real_access(1, BASE + 4088, true, &v) == 0);
	CHECK(remote_read_string(&thread[0], BASE, &thread[1], BASE + 4088, 8) == 4);
	CHECK(user_read_string(&thread[0], text, BASE, 16) == 4 && !strcmp(text, "abcd"));
	CHECK(remote_read_string(&thread[0], BASE, &thread[1], BASE + 4088, 4) == -ENAMETOOLONG);
	CHECK(remote_write(&thread[0], &thread[1], BASE + 4092, BASE, 100) == 0);
	CHECK(remote_read_kernel(&thread[1], text, BASE + 4092, 5) == 0 &&
	      !memcmp(text, "abcd", 5));
	CHECK(remote_read(&thread[0], BASE, &thread[1], BASE + 8190, 8) == -EFAULT);
	CHECK(remote_write_kernel(&thread[1], BASE + 100, "xyz", 4) == 0);
	CHECK(real_access(1, BASE + 100, false, &w) == 0 && (uint32_t)w == 0x7a7978);
	CHECK(mobject_pager_create(e, 77, PAGE_SIZE, &file) == 0);
	CHECK(space_map(task[1].space, NULL, &map, file, NULL) == 0);
	CHECK(remote_read(&thread[0], BASE, &thread[1], map.address + 5, 8) == -K_REDELIVER);
	CHECK(thread[1].need_page == ((map.address + 5) & ~1ul));
	CHECK(user_prepare_write(&thread[0], BASE + 4090, 100) == 0);
	CHECK(user_prepare_write(&thread[0], BASE + 8190, 100) == -EFAULT);
	CHECK(user_zero(&thread[0], BASE + 10, 5000) == 0);
	object_put(mobject_object(file));
	object_put(space_object(task[1].space));
	task[1].space = NULL;
	object_put(&e->object);
	teardown();
}
