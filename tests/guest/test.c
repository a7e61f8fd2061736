/*
 * The runner that every guest test program is linked with.
 *
 * main() runs the tests that the command line selects, in the order of the source, each in a child
 * with a process group and a directory of its own, and prints one line for each: "ok SUBJECT.NAME",
 * "not ok SUBJECT.NAME REASON" or "skip SUBJECT.NAME REASON", then a summary. The child tells its
 * reason through a shared page, so that the runner holds no descriptor that a test could meet.
 * Whatever a test leaves behind is removed before the next one: its processes are killed, its
 * directory is emptied, mounts in it included. So the result of one test never changes another's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum outcome { OUTCOME_NONE, OUTCOME_FAIL, OUTCOME_SKIP };

/* What the test's processes tell the runner; the first one to claim it writes it. */
struct report {
	int claimed;
	int outcome;
	char reason[1000];
};

static struct test *tests;
static struct helper *helpers;
static struct report *report;
static struct report report_local;
static int no_fork;
static int time_limit = 20;
static volatile pid_t running;
static volatile sig_atomic_t timed_out;

const char *test_self;

void test_register(struct test *test)
{
	struct test **at = &tests;

	while (*at && (*at)->line < test->line)
		at = &(*at)->next;
	test->next = *at;
	*at = test;
}

void helper_register(struct helper *helper)
{
	helper->next = helpers;
	helpers = helper;
}

static void report_set(int outcome, const char *reason)
{
	struct report *to = report ? report : &report_local;

	if (__atomic_exchange_n(&to->claimed, 1, __ATOMIC_SEQ_CST))
		return;
	snprintf(to->reason, sizeof(to->reason), "%s", reason);
	__atomic_store_n(&to->outcome, outcome, __ATOMIC_SEQ_CST);
}

void test_fail(const char *file, int line, const char *format, ...)
{
	char reason[900];
	char *base = strrchr(file, '/');
	int used = snprintf(reason, sizeof(reason), "%s:%d: ", base ? base + 1 : file, line);
	va_list args;

	va_start(args, format);
	vsnprintf(reason + used, sizeof(reason) - used, format, args);
	va_end(args);
	report_set(OUTCOME_FAIL, reason);
	if (!report)
		dprintf(2, "%s\n", reason);
	if (no_fork)
		abort();
	_exit(1);
}

void test_skip(const char *reason)
{
	report_set(OUTCOME_SKIP, reason);
	if (no_fork)
		printf("# would skip: %s\n", reason);
	_exit(0);
}

pid_t test_fork(const char *file, int line)
{
	pid_t pid = fork();

	if (pid < 0)
		test_fail(file, line, "fork: errno %d", errno);
	return pid;
}

static int wait_for(const char *file, int line, pid_t pid)
{
	int status;
	pid_t got;

	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got != pid)
		test_fail(file, line, "waitpid(%d) gives %d, errno %d", (int)pid, (int)got, errno);
	return status;
}

void test_check_exited(const char *file, int line, pid_t pid, int code)
{
	int status = wait_for(file, line, pid);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
		test_fail(file, line, "the child ended with status %#x, not exit status %d", status,
			  code);
}

void test_check_signaled(const char *file, int line, pid_t pid, int sig)
{
	int status = wait_for(file, line, pid);

	if (!WIFSIGNALED(status) || WTERMSIG(status) != sig)
		test_fail(file, line, "the child ended with status %#x, not signal %d", status,
			  sig);
}

int subprocess_step(struct subprocess *sub, const char *file, int line)
{
	if (sub->pid == 0) {
		if (sub->ran)
			_exit(0);
		sub->ran = 1;
		return 1;
	}
	test_check_exited(file, line, sub->pid, 0);
	/* A check that failed in a grandchild nobody waited for, or a skip, ends here too. */
	if (report && report->claimed)
		_exit(report->outcome == OUTCOME_SKIP ? 0 : 1);
	return 0;
}

void gate_init(struct gate *gate)
{
	CHECK_OK(pipe2(gate->fd, O_CLOEXEC));
}

void gate_open(struct gate *gate)
{
	ssize_t got;

	do
		got = write(gate->fd[1], "", 1);
	while (got < 0 && errno == EINTR);
	CHECK_EQ(got, 1);
}

void gate_pass(struct gate *gate)
{
	char byte;
	ssize_t got;

	do
		got = read(gate->fd[0], &byte, 1);
	while (got < 0 && errno == EINTR);
	CHECK_EQ(got, 1);
}

static int thread_state(pid_t tid)
{
	char path[40], line[256];
	int fd, got;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		FAIL("%s: errno %d", path, errno);
	got = read(fd, line, sizeof(line) - 1);
	close(fd);
	CHECK_GT(got, 0);
	line[got] = 0;
	char *paren = strrchr(line, ')');
	CHECK(paren && paren[1] == ' ');
	return paren[2];
}

void wait_until_blocked(pid_t tid)
{
	struct timespec pause = { 0, 1000000 };

	/* Twice in a row: it may have slept for a moment on its way to where it will block. */
	for (int asleep = 0; asleep < 2;) {
		int state = thread_state(tid);

		if (state == 'Z' || state == 'X')
			return;
		asleep = state == 'S' ? asleep + 1 : 0;
		nanosleep(&pause, NULL);
	}
}

void file_write(const char *path, const void *data, size_t size)
{
	int fd = CHECK_OK(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));

	CHECK_EQ(write(fd, data, size), size);
	CHECK_OK(close(fd));
}

size_t file_read(const char *path, void *buffer, size_t size)
{
	int fd = CHECK_OK(open(path, O_RDONLY | O_CLOEXEC));
	size_t done = 0;
	ssize_t got;

	while (done < size && (got = CHECK_OK(read(fd, (char *)buffer + done, size - done))) > 0)
		done += got;
	CHECK_OK(close(fd));
	return done;
}

void file_copy(const char *from, const char *to, mode_t mode)
{
	char buffer[8192];
	int in = CHECK_OK(open(from, O_RDONLY | O_CLOEXEC));
	int out = CHECK_OK(open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700));
	ssize_t got;

	while ((got = CHECK_OK(read(in, buffer, sizeof(buffer)))) > 0)
		CHECK_EQ(write(out, buffer, got), got);
	CHECK_OK(fchmod(out, mode));
	CHECK_OK(close(in));
	CHECK_OK(close(out));
}

static void *map_new(size_t size, int flags)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		FAIL("mmap of %zu bytes: errno %d", size, errno);
	return at;
}

void *map_anonymous(size_t size)
{
	return map_new(size, MAP_PRIVATE);
}

void *map_shared(size_t size)
{
	return map_new(size, MAP_SHARED);
}

void drop_to_user(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) != 0 && errno == EPERM)
		SKIP("the host forbids setgroups");
	CHECK_OK(setgid(gid));
	CHECK_OK(setuid(uid));
}

void handler_set(int sig, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigemptyset(&action.sa_mask);
	CHECK_OK(sigaction(sig, &action, NULL));
}

void signal_mask(int how, int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	CHECK_OK(sigprocmask(how, &set, NULL));
}

int64_t now_ns(void)
{
	struct timespec now;

	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &now));
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

void alarm_pump_start(void)
{
	struct itimerval every = { { 0, 10000 }, { 0, 10000 } };

	CHECK_OK(setitimer(ITIMER_REAL, &every, NULL));
}

void alarm_pump_stop(void)
{
	struct itimerval never = { { 0, 0 }, { 0, 0 } };

	CHECK_OK(setitimer(ITIMER_REAL, &never, NULL));
}

/* Empties a directory, whatever modes and mounts the test left in it. */
static void tree_remove(int dir, const char *name)
{
	int fd, pass;

	for (pass = 0; pass < 20; pass++) {
		if (unlinkat(dir, name, 0) == 0 || unlinkat(dir, name, AT_REMOVEDIR) == 0)
			return;
		if (errno == ENOENT)
			return;
		if (errno == EBUSY) {
			char path[64];

			fd = openat(dir, name, O_PATH | O_CLOEXEC);
			snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
			umount2(path, MNT_DETACH);
			close(fd);
		}
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		DIR *list = fd < 0 ? NULL : fdopendir(fd);
		struct dirent *entry;

		while (list && (entry = readdir(list)))
			if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
				tree_remove(dirfd(list), entry->d_name);
		if (list)
			closedir(list);
	}
}

static void signals_reset(void)
{
	sigset_t none;

	for (int sig = 1; sig <= 64; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void time_over(int sig)
{
	(void)sig;
	timed_out = 1;
	kill(-running, SIGKILL);
	kill(running, SIGKILL);
}

static void test_child(struct test *test, const char *dir)
{
	setpgid(0, 0);
	signals_reset();
	umask(022);
	int null = open("/dev/null", O_RDONLY);
	if (null > 0) {
		dup2(null, 0);
		close(null);
	}
	if (chdir(dir) != 0)
		FAIL("chdir(%s): errno %d", dir, errno);
	test->run();
	_exit(0);
}

/*
 * Kills what is left of the test's process group and gives it time to go. Not for ever: orphans
 * that are dead still count until their new parent has waited for them.
 */
static void group_clear(pid_t group)
{
	struct timespec pause = { 0, 2000000 };

	for (int round = 0; round < 100 && kill(-group, SIGKILL) == 0; round++)
		nanosleep(&pause, NULL);
}

static int test_wait(pid_t pid)
{
	int status = 0;

	running = pid;
	timed_out = 0;
	alarm(time_limit);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	alarm(0);
	return status;
}

static enum outcome test_judge(int status)
{
	int outcome = report->outcome;

	report->claimed = 1;
	if (outcome == OUTCOME_FAIL)
		return OUTCOME_FAIL;
	report->outcome = OUTCOME_FAIL;
	if (timed_out)
		sprintf(report->reason, "took longer than %d seconds", time_limit);
	else if (WIFSIGNALED(status))
		sprintf(report->reason, "killed by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		sprintf(report->reason, "exit status %d", WEXITSTATUS(status));
	else
		return outcome;
	return OUTCOME_FAIL;
}

static enum outcome test_run(struct test *test)
{
	const char *tmp = getenv("TMPDIR");
	char dir[PATH_MAX];

	memset(report, 0, sizeof(*report));
	snprintf(dir, sizeof(dir), "%s/test-%s-XXXXXX", tmp ? tmp : "/tmp", test->subject);
	if (!mkdtemp(dir)) {
		sprintf(report->reason, "no directory to run in: errno %d", errno);
		return OUTCOME_FAIL;
	}
	chmod(dir, 0755);
	pid_t pid = fork();
	if (pid == 0)
		test_child(test, dir);
	int outcome = OUTCOME_FAIL;
	if (pid > 0) {
		setpgid(pid, pid);
		outcome = test_judge(test_wait(pid));
		group_clear(pid);
	} else {
		sprintf(report->reason, "fork: errno %d", errno);
	}
	tree_remove(AT_FDCWD, dir);
	return outcome;
}

static void line_print(const char *format, ...)
{
	char line[1200];
	va_list args;

	va_start(args, format);
	int size = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (size > (int)sizeof(line) - 1)
		size = sizeof(line) - 1;
	if (write(1, line, size) != size)
		_exit(3);
}

/* Runs one test and prints its line; 0 passed, 1 failed, 2 skipped. */
static int test_print(struct test *test)
{
	switch (test_run(test)) {
	case OUTCOME_NONE:
		line_print("ok %s.%s\n", test->subject, test->name);
		return 0;
	case OUTCOME_SKIP:
		line_print("skip %s.%s %s\n", test->subject, test->name, report->reason);
		return 2;
	default:
		line_print("not ok %s.%s %s\n", test->subject, test->name, report->reason);
		return 1;
	}
}

static int test_selected(struct test *test, int count, char **names)
{
	char full[200];

	snprintf(full, sizeof(full), "%s.%s", test->subject, test->name);
	for (int i = 0; i < count; i++)
		if (strncmp(full, names[i], strlen(names[i])) == 0 ||
		    strncmp(test->name, names[i], strlen(names[i])) == 0)
			return 1;
	return count == 0;
}

static void runner_prepare(void)
{
	struct rlimit no_core = { 0, 0 };

	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	signals_reset();
	getrlimit(RLIMIT_CORE, &no_core);
	no_core.rlim_cur = 0;
	setrlimit(RLIMIT_CORE, &no_core);
	handler_set(SIGALRM, time_over, 0);
	report = map_shared(sizeof(*report));
}

/* In this very process, for a debugger: the checks abort, nothing is caught or cleaned up. */
static int run_without_fork(int count, char **names)
{
	no_fork = 1;
	for (struct test *test = tests; test; test = test->next)
		if (test_selected(test, count, names)) {
			line_print("# %s.%s\n", test->subject, test->name);
			test->run();
		}
	return 0;
}

static int run_all(int count, char **names)
{
	int results[3] = { 0, 0, 0 };
	const char *subject = "";

	runner_prepare();
	for (struct test *test = tests; test; test = test->next)
		if (test_selected(test, count, names)) {
			subject = test->subject;
			results[test_print(test)]++;
		}
	line_print("# %s: %d passed, %d failed, %d skipped\n", subject, results[0], results[1],
		   results[2]);
	return results[1] || results[0] + results[2] == 0;
}

static int list_all(int count, char **names)
{
	for (struct test *test = tests; test; test = test->next)
		if (test_selected(test, count, names))
			line_print("%s.%s\n", test->subject, test->name);
	return 0;
}

static int helper_run(const char *name, int argc, char **argv)
{
	for (struct helper *helper = helpers; helper; helper = helper->next)
		if (strcmp(helper->name, name) == 0)
			return helper->run(argc, argv);
	return 127;
}

/* argv[0] is a path, or the name of a program that the shell found along PATH. */
static void self_find(const char *argv0)
{
	static char path[PATH_MAX];

	if (!strchr(argv0, '/') || !realpath(argv0, path)) {
		ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);

		path[size < 0 ? 0 : size] = 0;
	}
	test_self = path;
}

int main(int argc, char **argv)
{
	int (*action)(int, char **) = run_all;
	int at = 1;

	if (argc > 1 && strncmp(argv[1], "--helper=", 9) == 0)
		return helper_run(argv[1] + 9, argc, argv);
	self_find(argv[0]);
	for (; at < argc && argv[at][0] == '-'; at++) {
		if (strcmp(argv[at], "-l") == 0)
			action = list_all;
		else if (strcmp(argv[at], "--no-fork") == 0)
			action = run_without_fork;
		else if (strcmp(argv[at], "-t") == 0 && at + 1 < argc)
			time_limit = atoi(argv[++at]);
		else {
			dprintf(2, "usage: %s [-l] [--no-fork] [-t SECONDS] [TEST...]\n", argv[0]);
			return 2;
		}
	}
	return action(argc - at, argv + at);
}
