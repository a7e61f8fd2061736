/* SPDX-License-Identifier: MIT */
/*
 * The state arena: a random sequence of operations on a linked structure, some rolled back, some
 * interrupted between any two stores by a "death" (the undo log is taken as it is at that moment),
 * always compared with a model that only sees what was committed.
 */
#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "check.h"
#include "native.h"

#define SLOTS 64

static uint64_t object_size;

/* The arena's own list of frees lives to the end. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

long k_syscall6(long n, long a, long b, long c, long d, long e, long f);
long k_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	static bool mapped;

	(void)a, (void)c, (void)d, (void)e, (void)f;
	switch (n) {
	case K_NATIVE_mobject_info:
		memset((void *)b, 0, sizeof(struct k_mobject_info));
		((struct k_mobject_info *)b)->size = object_size;
		return 0;
	case K_NATIVE_mobject_resize:
		object_size = (uint64_t)b;
		return object_size > (64u << 20) ? -ENOMEM : 0;
	case K_NATIVE_space_map:
		if (!mapped &&
		    mmap((void *)STATE_BASE, 128u << 20, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
			 0) == MAP_FAILED)
			return -ENOMEM;
		mapped = true;
		return 0;
	case K_NATIVE_log_write:
		fwrite((const void *)a, 1, (size_t)b, stderr);
		return 0;
	}
	return -ENOSYS;
}

struct item {
	uint32_t size;
	unsigned char fill;
};

struct root {
	struct item *slot[SLOTS];
	uint64_t sum;
};

static struct { uint32_t size; unsigned char fill; } model[SLOTS], pending[SLOTS];
static uint64_t seed = 42;

static uint32_t chance(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % n;
}

static void check(const struct root *r)
{
	uint64_t sum = 0, bytes = 0;

	for (int i = 0; i < SLOTS; i++) {
		const struct item *it = r->slot[i];

		CHECK((it != NULL) == (model[i].size != 0));
		if (!it)
			continue;
		CHECK(it->size == model[i].size && it->fill == model[i].fill);
		for (uint32_t k = 0; k < it->size; k++)
			CHECK(((const unsigned char *)(it + 1))[k] == model[i].fill);
		sum += it->size;
		bytes += it->size;
	}
	CHECK(r->sum == sum);
	CHECK(state_used() >= bytes);
}

static void item_free(struct root *r, int i)
{
	struct item *it = r->slot[i];

	if (!it)
		return;
	state_set(r->sum, r->sum - it->size);
	state_set(r->slot[i], NULL);
	state_free(it, sizeof *it + it->size);
	pending[i].size = 0;
}

static void item_make(struct root *r, int i)
{
	uint32_t size = chance(10) ? chance(300) + 1 : chance(20000) + 1;
	struct item *it = state_alloc(sizeof *it + size);
	unsigned char fill = (unsigned char)chance(256);

	CHECK(it);
	for (uint32_t k = 0; k < sizeof *it + size; k++)
		CHECK(((unsigned char *)it)[k] == 0);
	it->size = size;
	it->fill = fill;
	memset(it + 1, fill, size);
	state_set(r->slot[i], it);
	state_set(r->sum, r->sum + size);
	pending[i].size = size;
	pending[i].fill = fill;
}

static void item_change(struct root *r, int i)
{
	struct item *it = r->slot[i];
	unsigned char fill = (unsigned char)chance(256);

	if (!it)
		return;
	undo_save(it, sizeof *it + it->size);
	it->fill = fill;
	memset(it + 1, fill, it->size);
	pending[i].fill = fill;
}

int main(void)
{
	struct root *r;
	size_t empty;

	CHECK(state_open(0, 7) == 0);
	CHECK(!state_recovered());
	r = state_alloc(sizeof *r);
	state_set_root(r);
	state_commit();
	empty = state_used();
	for (int round = 0; round < 20000; round++) {
		int steps = (int)chance(6) + 1;

		memcpy(pending, model, sizeof model);
		while (steps--) {
			int i = (int)chance(SLOTS);

			if (chance(3) == 0)
				item_change(r, i);
			else {
				item_free(r, i);
				if (chance(2))
					item_make(r, i);
			}
		}
		switch (chance(4)) {
		case 0:
			state_rollback();
			break;
		case 1:		/* the server dies here; the next instance opens the arena */
			CHECK(state_open(0, 7) == 0);
			CHECK(state_recovered() && state_root() == r);
			break;
		default:
			memcpy(model, pending, sizeof model);
			state_commit_call((uint64_t)round + 1, round * 2);
			CHECK(state_call_done((uint64_t)round + 1, NULL) &&
			      !state_call_done((uint64_t)round + 2, NULL));
		}
		CHECK(!state_dirty());
		check(r);
	}
	for (int i = 0; i < SLOTS; i++)
		item_free(r, i);
	state_commit();
	CHECK(state_used() == empty);
	CHECK(state_open(0, 8) == 0);	/* another version begins anew */
	CHECK(!state_recovered());
	puts("state: all passed");
	return 0;
}
