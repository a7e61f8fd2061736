/*
 * The frame of every host test program: how a test is declared, and how it says what went wrong.
 *
 * A program is one .c file named by its subject that includes this file once; main() is here. Tests
 * run in order in one process and print the lines that the guest tests print: `ok subject.name`, or
 * `not ok subject.name reason`. The exit status is 0 if all passed. With arguments only the tests
 * whose names are given run. Whatever the sanitizers find ends the program with their report.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_HOST_TEST_H
#define TESTS_HOST_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test {
	const char *subject;
	const char *name;
	void (*run)(void);
	struct test *next;
};

static struct test *test_first, **test_last = &test_first;
static const struct test *test_now;
static jmp_buf test_end;

/* One test function: TEST(elf, overlapping_segments) { ... } */
#define TEST(subject_, name_)                                                                      \
	static void test_##name_(void);                                                            \
	__attribute__((constructor)) static void test_register_##name_(void)                       \
	{                                                                                          \
		static struct test test = { #subject_, #name_, test_##name_, NULL };               \
		*test_last = &test;                                                                \
		test_last = &test.next;                                                            \
	}                                                                                          \
	static void test_##name_(void)

__attribute__((format(printf, 3, 4))) _Noreturn static inline void
test_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	if (test_now == NULL)
		abort();
	printf("not ok %s.%s %s:%d ", test_now->subject, test_now->name, file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	longjmp(test_end, 1);
}

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			FAIL("%s is false", #cond);                                                \
	} while (0)

#define CHECK_EQ(a, b)                                                                             \
	do {                                                                                       \
		long long a_ = (long long)(a), b_ = (long long)(b);                                \
		if (a_ != b_)                                                                      \
			FAIL("%s is %lld (%#llx), not %lld (%#llx)", #a, a_,                       \
			     (unsigned long long)a_, b_, (unsigned long long)b_);                  \
	} while (0)

#define CHECK_MEM(a, b, n)                                                                         \
	do {                                                                                       \
		if (memcmp(a, b, n) != 0)                                                          \
			FAIL("%s differs from %s", #a, #b);                                        \
	} while (0)

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Pseudo-random numbers that are the same in every run (splitmix64). */
static inline uint64_t test_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline uint32_t test_below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)(test_random(state) % limit);
}

/* How long a random run should be: `usual`, or TEST_ROUNDS from the environment. */
static inline unsigned test_rounds(unsigned usual)
{
	const char *text = getenv("TEST_ROUNDS");

	return text ? (unsigned)strtoul(text, NULL, 10) : usual;
}

#ifndef FUZZ
static bool test_wanted(const struct test *test, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], test->name) == 0)
			return true;
	}
	return argc < 2;
}

int main(int argc, char **argv)
{
	static int failed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (test_now = test_first; test_now != NULL; test_now = test_now->next) {
		if (!test_wanted(test_now, argc, argv))
			continue;
		if (setjmp(test_end) == 0) {
			test_now->run();
			printf("ok %s.%s\n", test_now->subject, test_now->name);
		} else {
			failed++;
		}
	}
	return failed ? 1 : 0;
}
#endif

#endif
