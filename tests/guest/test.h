/*
 * The frame of every guest test program: how a test is declared, and how it says what went wrong.
 *
 * A program is one .c file named by its subject and linked with test.c, which has main(). Each TEST
 * runs in a child of its own: a new process group, an empty private directory as its working
 * directory, /dev/null as standard input, default signal actions, and a time limit. The first check
 * that fails, in the test itself or in any process or thread that it started, ends the process that
 * found it and fails the test. The same binary runs on Linux first: what fails there is wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TEST_H
#define TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct test {
	const char *subject;
	const char *name;
	int line;
	void (*run)(void);
	struct test *next;
};

struct helper {
	const char *name;
	int (*run)(int argc, char **argv);
	struct helper *next;
};

void test_register(struct test *test);
void helper_register(struct helper *helper);

/* One test function: TEST(pipe, end_of_file) { ... } */
#define TEST(subject_, name_)                                                                      \
	static void testcase_##name_(void);                                                        \
	__attribute__((constructor)) static void test_register_##name_(void)                       \
	{                                                                                          \
		static struct test test = { #subject_, #name_, __LINE__, testcase_##name_, NULL }; \
		test_register(&test);                                                              \
	}                                                                                          \
	static void testcase_##name_(void)

/*
 * What this binary does when it is executed with "--helper=NAME" as its first argument; the result
 * is its exit status. argv[0] and argv[1] are the program and that argument, as in main().
 */
#define HELPER(name_)                                                                              \
	static int helper_##name_(int argc, char **argv);                                          \
	__attribute__((constructor)) static void helper_register_##name_(void)                     \
	{                                                                                          \
		static struct helper helper = { #name_, helper_##name_, NULL };                    \
		helper_register(&helper);                                                          \
	}                                                                                          \
	static int helper_##name_(int argc __attribute__((unused)),                                \
				  char **argv __attribute__((unused)))

/* The absolute path of this binary, to be executed again with --helper=. */
extern const char *test_self;

/* Reports and ends the process; the first report of a test is the one that counts. */
_Noreturn void test_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void test_skip(const char *reason);

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)

/* Only for what the Linux host forbids (a container without a capability). Never for Troupe. */
#define SKIP(reason) test_skip(reason)
/* Begins a test of what only root may do. (In the guest tests run as root.) */
#define ROOT_NEEDED() do { if (geteuid() != 0) SKIP("needs root"); } while (0)

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			FAIL("%s is false (errno %d)", #cond, errno);                              \
	} while (0)

#define CHECK_OP_(a, op, b)                                                                        \
	do {                                                                                       \
		long long a_ = (long long)(a), b_ = (long long)(b);                                \
		if (!(a_ op b_))                                                                   \
			FAIL("%s " #op " %s: %lld (%#llx), %lld (%#llx), errno %d", #a, #b, a_,    \
			     (unsigned long long)a_, b_, (unsigned long long)b_, errno);           \
	} while (0)

#define CHECK_EQ(a, b) CHECK_OP_(a, ==, b)
#define CHECK_NE(a, b) CHECK_OP_(a, !=, b)
#define CHECK_GE(a, b) CHECK_OP_(a, >=, b)
#define CHECK_LE(a, b) CHECK_OP_(a, <=, b)
#define CHECK_GT(a, b) CHECK_OP_(a, >, b)
#define CHECK_LT(a, b) CHECK_OP_(a, <, b)

#define CHECK_STR(a, b)                                                                            \
	do {                                                                                       \
		const char *a_ = (a), *b_ = (b);                                                   \
		if (strcmp(a_, b_) != 0)                                                           \
			FAIL("%s is \"%.80s\", not \"%.80s\"", #a, a_, b_);                        \
	} while (0)

/* The call fails with exactly this errno. */
#define CHECK_ERRNO(expr, err)                                                                     \
	do {                                                                                       \
		errno = 0;                                                                         \
		long long r_ = (long long)(expr);                                                  \
		int e_ = errno;                                                                    \
		if (r_ != -1 || e_ != (err))                                                       \
			FAIL("%s gives %lld, errno %d, not %s", #expr, r_, e_, #err);              \
	} while (0)

/* The call does not give -1; its value. */
#define CHECK_OK(expr)                                                                             \
	__extension__({                                                                            \
		long long r_ = (long long)(expr);                                                  \
		if (r_ == -1)                                                                      \
			FAIL("%s gives -1, errno %d", #expr, errno);                               \
		r_;                                                                                \
	})

/* The child ends with this exit status, or by this signal. Waits for it. */
#define CHECK_EXITED(pid, code) test_check_exited(__FILE__, __LINE__, pid, code)
#define CHECK_SIGNALED(pid, sig) test_check_signaled(__FILE__, __LINE__, pid, sig)

void test_check_exited(const char *file, int line, pid_t pid, int code);
void test_check_signaled(const char *file, int line, pid_t pid, int sig);

/* fork() that cannot fail. */
#define FORK() test_fork(__FILE__, __LINE__)
pid_t test_fork(const char *file, int line);

/*
 * SUBPROCESS { ... } runs its block in a child, which then exits with 0, and waits for it: for
 * whatever would spoil the test's own process (credentials, limits, sessions). No break inside.
 */
#define SUBPROCESS                                                                                 \
	for (struct subprocess sub_ = { FORK(), 0 };                                               \
	     subprocess_step(&sub_, __FILE__, __LINE__);)
struct subprocess {
	pid_t pid;
	int ran;
};
int subprocess_step(struct subprocess *sub, const char *file, int line);

/* A pipe used as a gate between processes: open it once per pass. */
struct gate {
	int fd[2];
};
void gate_init(struct gate *gate);
void gate_open(struct gate *gate);
void gate_pass(struct gate *gate);

/* Waits until /proc says that the thread sleeps (or is dead): what follows meets it blocked. */
void wait_until_blocked(pid_t tid);

/* Small conveniences, each ending the test when it fails. */
void file_write(const char *path, const void *data, size_t size);
size_t file_read(const char *path, void *buffer, size_t size);
void file_copy(const char *from, const char *to, mode_t mode);
void *map_anonymous(size_t size);
void *map_shared(size_t size);
void drop_to_user(uid_t uid, gid_t gid);
void handler_set(int sig, void (*handler)(int), int flags);
/* Adds sig to the mask (SIG_BLOCK) or takes it out (SIG_UNBLOCK). */
void signal_mask(int how, int sig);
int64_t now_ns(void);
/* SIGALRM every ten milliseconds, so that whatever blocks is interrupted sooner or later. */
void alarm_pump_start(void);
void alarm_pump_stop(void);

/* An address where nothing is mapped, one in the kernel's half, and one that is not canonical. */
#define BAD_UNMAPPED ((void *)0x10000UL)
#define BAD_KERNEL ((void *)0xffff888000100000UL)
#define BAD_CANONICAL ((void *)0x8000000000001000UL)

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define PAGE 4096UL

#endif
