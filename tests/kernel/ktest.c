/* SPDX-License-Identifier: MIT */
/* The runner of the kernel's own tests. See ktest.h. Ends with power off; a leak of kernel objects is a failure too. */
#include "ktest.h"

#include <stdbool.h>
#include <stdio.h>

#define STACK_SIZE 0x8000ul
#define SECOND 1000000000ll

struct ktest *ktest_list;
int ktest_task, ktest_control, ktest_endpoint;

static bool failed;
static const char *running;

static void say(const char *line)
{
	k_log_write(line, strlen(line));
}

void ktest_fail(const char *file, int line, const char *what, long long got, long long want)
{
	char text[256];

	failed = true;
	snprintf(text, sizeof(text), "not ok kernel.%s %s:%d %s is %lld, not %lld\n", running, file, line, what, got, want);
	say(text);
}

int ktest_thread(void (*fn)(void *arg), void *arg)
{
	struct k_map stack = { .size = STACK_SIZE, .space = -1, .object = -1, .flags = K_MAP_READ | K_MAP_WRITE };
	struct k_thread_create t = { .task = ktest_task, .routes = -1, .priority = K_PRIORITY_USER };
	long h;

	if (k_space_map(&stack) < 0)
		return -ENOMEM;
	t.regs.rip = (uint64_t)fn;
	t.regs.rdi = (uint64_t)arg;
	t.regs.rsp = stack.address + STACK_SIZE - 8;
	h = k_thread_create(&t);
	return h < 0 || k_thread_start((int)h) < 0 ? -EAGAIN : (int)h;
}

/* Reports a fault to the supervisor? No: it waits for ever in a call nobody receives, until it is killed. */
_Noreturn void ktest_thread_end(void)
{
	for (;;) {
		struct k_message m;
		long e = k_endpoint_create();

		k_receive((int)e, NULL, &m, K_FOREVER);
	}
}

int ktest_receive(int e, struct k_message *m)
{
	return (int)k_receive(e, NULL, m, k_clock_get(0) + SECOND);
}

int ktest_answer(int e, uint64_t call, int64_t result)
{
	struct k_answer a = { .call = call, .result = result };

	return (int)k_answer(e, &a);
}

static int run_one(struct ktest *t)
{
	char text[128];

	running = t->name;
	failed = false;
	t->run();
	if (failed)
		return 1;
	snprintf(text, sizeof(text), "ok kernel.%s\n", t->name);
	say(text);
	return 0;
}

int main(void)
{
	char text[64];
	int passed = 0, bad = 0;

	ktest_task = srv_handle_need("task");
	ktest_control = srv_handle_need("control");
	ktest_endpoint = srv_handle_need("endpoint");
	for (struct ktest *t = ktest_list; t; t = t->next) {
		if (run_one(t))
			bad++;
		else
			passed++;
	}
	snprintf(text, sizeof(text), "kernel: %d passed, %d failed\n", passed, bad);
	say(text);
	k_power(ktest_control, bad ? K_POWER_EXIT_CODE | 1 << 8 : K_POWER_OFF);
	return 0;
}
