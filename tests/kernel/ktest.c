/* SPDX-License-Identifier: MIT */
/*
 * The runner of the kernel's own tests. See ktest.h. Ends with power off; a leak of kernel objects
 * is a failure too.
 */
#include "ktest.h"

#include <stdarg.h>
#include <stdio.h>

#define NOISE (8 * PAGE)	/* partly used pages of the kernel heap come and go */

struct ktest *ktest_list;
int ktest_task, ktest_control, ktest_endpoint;

static bool failed;
static const char *running;

void ktest_say(const char *format, ...)
{
	char text[256];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	k_log_write(text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

void ktest_fail(const char *file, int line, const char *what, long long got, long long want)
{
	failed = true;
	ktest_say("not ok kernel.%s %s:%d %s is %lld, not %lld\n", running, file, line, what, got,
		  want);
}

/* True if nothing is missing; waits a little for what is still on its way out. */
static bool leak_check(const struct k_system_info *before, struct k_system_info *now, bool memory)
{
	for (int i = 0; i < 200; i++) {
		k_system_info(now);
		if (memcmp(before->objects, now->objects, sizeof(now->objects)) == 0 &&
		    (!memory || now->memory_free + NOISE >= before->memory_free))
			return true;
		ktest_sleep(5 * MS);
	}
	return false;
}

static void leak_report(const struct k_system_info *before, const struct k_system_info *now)
{
	for (int i = 0; i < K_OBJECT_TYPES; i++)
		if (before->objects[i] != now->objects[i])
			ktest_say("# objects of type %d: %llu before, %llu after\n", i,
				  (unsigned long long)before->objects[i],
				  (unsigned long long)now->objects[i]);
	ktest_say("# KiB free %llu before, %llu after; tables %llu, %llu; kernel %llu, %llu\n",
		  (unsigned long long)before->memory_free / 1024,
		  (unsigned long long)now->memory_free / 1024,
		  (unsigned long long)before->frames_table * 4,
		  (unsigned long long)now->frames_table * 4,
		  (unsigned long long)before->frames_kernel * 4,
		  (unsigned long long)now->frames_kernel * 4);
}

static int run_one(struct ktest *t)
{
	static struct k_system_info before, now;
	int64_t start = k_clock_get(0);

	running = t->name;
	failed = false;
	for (int round = 0; round < (t->how == KTEST_TWICE ? 2 : 1) && !failed; round++) {
		k_system_info(&before);
		t->run();
		/* The first run may have filled caches and grown tables that stay. */
		if (!failed && t->how != KTEST_LEAKY && !leak_check(&before, &now, round == 1)) {
			ktest_fail(__FILE__, __LINE__, "leak", 1, 0);
			leak_report(&before, &now);
		}
	}
	if (failed)
		return 1;
	ktest_say("ok kernel.%s %lld ms\n", t->name, (long long)(k_clock_get(0) - start) / MS);
	return 0;
}

const char *ktest_option(const char *name)
{
	static struct k_system_info info;
	const char *at;

	if (!info.cpus)
		k_system_info(&info);
	at = strstr(info.command_line, name);
	return at ? at + strlen(name) : NULL;
}

/* `only=NAME` on the kernel's command line: nothing but tests whose names begin so. */
static bool wanted(const char *name)
{
	const char *only = ktest_option("only=");
	size_t n = 0;

	if (!only)
		return true;
	while (only[n] && only[n] != ' ')
		n++;
	return strncmp(name, only, n) == 0;
}

/* The leaky ones come last: what they leave behind may go on, and be counted by others. */
static void run_all(bool leaky, int *passed, int *bad)
{
	for (struct ktest *t = ktest_list; t; t = t->next) {
		if ((t->how == KTEST_LEAKY) != leaky || !wanted(t->name))
			continue;
		if (run_one(t))
			++*bad;
		else
			++*passed;
	}
}

int main(void)
{
	int passed = 0, bad = 0;

	ktest_task = srv_handle_need("task");
	ktest_control = srv_handle_need("control");
	ktest_endpoint = srv_handle_need("endpoint");
	ktest_home_start();
	run_all(false, &passed, &bad);
	run_all(true, &passed, &bad);
	ktest_say("kernel: %d passed, %d failed\n", passed, bad);
	k_power(ktest_control, bad ? K_POWER_EXIT_CODE | 1 << 8 : K_POWER_OFF);
	return 0;
}
