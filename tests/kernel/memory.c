/* SPDX-License-Identifier: MIT */
/*
 * The end of memory: whoever wants more gets an error or is asked about, and what he had comes
 * back.
 */
#include "ktest.h"

#define OBJECTS 4096

static uint64_t memory_free(void)
{
	static struct k_system_info info;

	k_system_info(&info);
	return info.memory_free;
}

/* Objects without end: ENOMEM, and all of it is free again when they are closed. */
TEST_ONCE(memory_of_objects_ends)
{
	static char page[PAGE];
	uint64_t before = memory_free(), size = 0;
	int m = (int)k_mobject_create(0, 0), e;
	long r;

	memset(page, 1, sizeof(page));
	while ((r = k_mobject_write(m, size, page, PAGE)) == PAGE)
		size += PAGE;
	CHECK(r == -ENOMEM || r == -ENOSPC);
	CHECK(size > before / 2);
	e = (int)k_endpoint_create();			/* a server has a reserve */
	CHECK(e >= 0);
	k_handle_close(e);
	CHECK_EQ(k_mobject_resize(m, 0), 0);
	k_handle_close(m);
	for (int i = 0; i < 1000 && memory_free() + 32 * PAGE < before; i++)
		ktest_sleep(MS);
	CHECK(memory_free() + 32 * PAGE >= before);
}

static void eater_main(void *arg)
{
	volatile char *p = arg;

	for (uint64_t i = 0;; i += PAGE)
		p[i] = 1;
}

/* A program without end: its home hears of it and stops it. */
TEST_ONCE(memory_of_a_program_ends)
{
	struct k_map map = {
		.size = 64ul << 30, .space = -1, .object = -1, .flags = K_MAP_READ | K_MAP_WRITE
	};
	int memory = ktest_home.memory, gone = ktest_home.gone;
	uint64_t before = memory_free();
	struct k_fork f;

	CHECK_EQ(k_space_map(&map), 0);
	CHECK_EQ(ktest_child(eater_main, (void *)map.address, 0, -1, &f), 0);
	CHECK_EQ(k_space_unmap(-1, map.address, map.size), 0);
	CHECK_EQ(k_thread_start(f.thread), 0);
	for (int i = 0; i < 20000 && ktest_home.gone == gone; i++)
		ktest_sleep(MS);
	CHECK_EQ(ktest_home.gone, gone + 1);
	CHECK(ktest_home.memory > memory);
	ktest_child_free(&f);
	for (int i = 0; i < 1000 && memory_free() + 32 * PAGE < before; i++)
		ktest_sleep(MS);
	CHECK(memory_free() + 32 * PAGE >= before);
}

static volatile int hoarder_error;

static void hoarder_main(void *arg)
{
	int h;

	(void)arg;
	do
		h = (int)k_endpoint_create();
	while (h >= 0);
	hoarder_error = -h;
}

/* Kernel objects without end. */
TEST_ONCE(memory_of_handles_ends)
{
	uint64_t before = memory_free();
	struct k_fork f;

	hoarder_error = 0;
	CHECK_EQ(ktest_child(hoarder_main, NULL, 0, -1, &f), 0);
	CHECK_EQ(k_task_set(f.task, K_TASK_SET_LIMIT_NOFILE, 1u << 20), 0);
	CHECK_EQ(k_thread_start(f.thread), 0);
	for (int i = 0; i < 20000 && !hoarder_error; i++)
		ktest_sleep(MS);
	CHECK(hoarder_error == ENOMEM || hoarder_error == EMFILE);
	ktest_child_free(&f);
	for (int i = 0; i < 1000 && memory_free() + 32 * PAGE < before; i++)
		ktest_sleep(MS);
	CHECK(memory_free() + 32 * PAGE >= before);
}
