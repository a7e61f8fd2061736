/*
 * fork: what the child shares with its parent, what it gets a copy of, and what it starts without.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int in_data = 1;

TEST(fork, returns_twice)
{
	pid_t parent = getpid();
	pid_t pid = FORK();

	if (pid == 0) {
		CHECK_EQ(getppid(), parent);
		CHECK_NE(getpid(), parent);
		CHECK_EQ(syscall(SYS_gettid), getpid());
		_exit(7);
	}
	CHECK_GT(pid, 0);
	CHECK_EQ(getpid(), parent);
	CHECK_EXITED(pid, 7);
}

TEST(fork, memory_is_copied)
{
	int on_stack = 1;
	int *on_heap = malloc(sizeof(int));
	struct gate parent_wrote, child_wrote;

	gate_init(&parent_wrote);
	gate_init(&child_wrote);
	*on_heap = 1;
	pid_t pid = FORK();
	if (pid == 0) {
		gate_pass(&parent_wrote);
		CHECK_EQ(in_data + on_stack + *on_heap, 3);
		in_data = on_stack = *on_heap = 5;
		gate_open(&child_wrote);
		_exit(0);
	}
	in_data = on_stack = *on_heap = 2;
	gate_open(&parent_wrote);
	gate_pass(&child_wrote);
	CHECK_EQ(in_data + on_stack + *on_heap, 6);
	CHECK_EXITED(pid, 0);
}

/* Every page of a large region is written by three generations; each sees only its own. */
TEST(fork, copy_on_write_large)
{
	enum { PAGES = 1536 };
	unsigned *at = map_anonymous(PAGES * PAGE);

	for (int i = 0; i < PAGES; i++)
		at[i * PAGE / 4] = i;
	pid_t pid = FORK();
	if (pid == 0) {
		for (int i = 0; i < PAGES; i += 2)
			at[i * PAGE / 4] = i + 10000;
		SUBPROCESS {
			for (int i = 0; i < PAGES; i++)
				at[i * PAGE / 4] += 100000;
			for (int i = 0; i < PAGES; i++)
				CHECK_EQ(at[i * PAGE / 4], i + 100000 + (i % 2 ? 0 : 10000));
		}
		for (int i = 0; i < PAGES; i++)
			CHECK_EQ(at[i * PAGE / 4], i + (i % 2 ? 0 : 10000));
		_exit(0);
	}
	for (int i = 0; i < PAGES; i += 3)
		at[i * PAGE / 4] = i + 20000;
	CHECK_EXITED(pid, 0);
	for (int i = 0; i < PAGES; i++)
		CHECK_EQ(at[i * PAGE / 4], i + (i % 3 ? 0 : 20000));
}

TEST(fork, shared_memory_stays_shared)
{
	int *at = map_shared(3 * PAGE);

	at[0] = 1;
	SUBPROCESS {
		CHECK_EQ(at[0], 1);
		at[0] = 2;
		at[2 * PAGE / 4] = 3; /* not yet present in either */
	}
	CHECK_EQ(at[0], 2);
	CHECK_EQ(at[2 * PAGE / 4], 3);
}

TEST(fork, private_file_mapping_is_copied)
{
	file_write("f", "abcdef", 6);
	int fd = CHECK_OK(open("f", O_RDWR));
	char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	CHECK(at != MAP_FAILED);
	at[0] = 'X';
	SUBPROCESS {
		CHECK_EQ(memcmp(at, "Xbcdef", 6), 0);
		at[1] = 'Y';
	}
	CHECK_EQ(memcmp(at, "Xbcdef", 6), 0);
}

TEST(fork, file_offset_is_shared)
{
	char byte;

	file_write("f", "abcdef", 6);
	int fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_EQ(read(fd, &byte, 1), 1);
	SUBPROCESS {
		CHECK_EQ(read(fd, &byte, 1), 1);
		CHECK_EQ(byte, 'b');
		CHECK_EQ(lseek(fd, 2, SEEK_CUR), 4);
		CHECK_OK(fcntl(fd, F_SETFL, O_APPEND));
	}
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_EQ(byte, 'e');
	CHECK(fcntl(fd, F_GETFL) & O_APPEND);
}

TEST(fork, descriptor_table_is_copied)
{
	int fd = CHECK_OK(open("/dev/null", O_RDWR));

	SUBPROCESS {
		CHECK_OK(fcntl(fd, F_SETFD, FD_CLOEXEC));
		CHECK_OK(dup2(fd, 40));
		CHECK_OK(close(fd));
	}
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK_ERRNO(fcntl(40, F_GETFD), EBADF);
}

static void ignore(int sig)
{
	(void)sig;
}

TEST(fork, pending_signals_and_timers_are_not_inherited)
{
	sigset_t pending;
	struct itimerval timer = { { 100, 0 }, { 100, 0 } };

	signal_mask(SIG_BLOCK, SIGUSR1);
	CHECK_OK(raise(SIGUSR1));
	CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
	SUBPROCESS {
		CHECK_OK(sigpending(&pending));
		CHECK(!sigismember(&pending, SIGUSR1));
		CHECK_OK(getitimer(ITIMER_REAL, &timer));
		CHECK_EQ(timer.it_value.tv_sec, 0);
		CHECK_EQ(timer.it_value.tv_usec, 0);
		CHECK_EQ(alarm(0), 0);
	}
	CHECK_OK(sigpending(&pending));
	CHECK(sigismember(&pending, SIGUSR1));
	CHECK_NE(alarm(0), 0);
}

TEST(fork, inherits_the_rest)
{
	static char stack[16384];
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) }, got;
	struct sigaction action;
	struct rlimit limit = { 50, 60 };
	sigset_t set;
	char cwd[256];

	handler_set(SIGUSR1, ignore, SA_RESTART);
	CHECK(signal(SIGUSR2, SIG_IGN) != SIG_ERR);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	CHECK_OK(sigprocmask(SIG_SETMASK, &set, NULL));
	CHECK_OK(sigaltstack(&alt, NULL));
	umask(031);
	CHECK_OK(mkdir("sub", 0755));
	CHECK_OK(chdir("sub"));
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	pid_t group = getpgrp(), session = getsid(0);
	SUBPROCESS {
		CHECK_OK(sigaction(SIGUSR1, NULL, &action));
		CHECK(action.sa_handler == ignore && (action.sa_flags & SA_RESTART));
		CHECK_OK(sigaction(SIGUSR2, NULL, &action));
		CHECK(action.sa_handler == SIG_IGN);
		CHECK_OK(sigprocmask(SIG_SETMASK, NULL, &set));
		CHECK(sigismember(&set, SIGHUP) && !sigismember(&set, SIGUSR1));
		CHECK_OK(sigaltstack(NULL, &got));
		CHECK(got.ss_sp == stack && got.ss_size == sizeof(stack));
		CHECK_EQ(umask(0), 031);
		CHECK(getcwd(cwd, sizeof(cwd)) && strcmp(strrchr(cwd, '/'), "/sub") == 0);
		CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
		CHECK(limit.rlim_cur == 50 && limit.rlim_max == 60);
		CHECK_EQ(getpgrp(), group);
		CHECK_EQ(getsid(0), session);
	}
}

TEST(fork, many_children_at_once)
{
	enum { COUNT = 60 };
	struct gate start;
	pid_t pids[COUNT];
	int seen[COUNT] = { 0 };

	gate_init(&start);
	for (int i = 0; i < COUNT; i++) {
		pids[i] = FORK();
		if (pids[i] == 0) {
			gate_pass(&start);
			_exit(i);
		}
	}
	for (int i = 0; i < COUNT; i++)
		gate_open(&start);
	for (int i = 0; i < COUNT; i++) {
		int status;
		pid_t pid = CHECK_OK(wait(&status));

		CHECK(WIFEXITED(status));
		CHECK_EQ(pids[WEXITSTATUS(status)], pid);
		CHECK_EQ(seen[WEXITSTATUS(status)]++, 0);
	}
	CHECK_ERRNO(wait(NULL), ECHILD);
}

TEST(fork, many_generations)
{
	int depth = 0;

	while (depth < 30) {
		pid_t pid = FORK();

		if (pid != 0) {
			int status;

			CHECK_EQ(waitpid(pid, &status, 0), pid);
			CHECK(WIFEXITED(status));
			CHECK_EQ(WEXITSTATUS(status), 30 - depth - 1);
			if (depth == 0)
				return;
			_exit(WEXITSTATUS(status) + 1);
		}
		depth++;
	}
	_exit(0);
}

TEST(fork, from_several_processes_at_once)
{
	pid_t pids[4];

	for (int i = 0; i < 4; i++) {
		pids[i] = FORK();
		if (pids[i] == 0) {
			for (int j = 0; j < 15; j++) {
				pid_t pid = FORK();

				if (pid == 0)
					_exit(j);
				CHECK_EXITED(pid, j);
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		CHECK_EXITED(pids[i], 0);
}

static __thread int in_thread = 4;

static void *fork_in_thread(void *arg)
{
	in_thread = 9;
	pid_t pid = FORK();
	if (pid == 0) {
		/* The thread that forked is the only one of the child, with its own storage. */
		CHECK_EQ(in_thread, 9);
		CHECK_EQ(syscall(SYS_gettid), getpid());
		*(int *)arg = 8;
		_exit(3);
	}
	CHECK_EXITED(pid, 3);
	return arg;
}

TEST(fork, from_a_thread)
{
	pthread_t thread;
	int value = 1;
	void *result;

	CHECK_EQ(pthread_create(&thread, NULL, fork_in_thread, &value), 0);
	CHECK_EQ(pthread_join(thread, &result), 0);
	CHECK(result == &value);
	CHECK_EQ(value, 1);
	CHECK_EQ(in_thread, 4);
}

static volatile int spin_stop;

static void *spin_write(void *arg)
{
	volatile unsigned *at = arg;

	while (!spin_stop)
		for (int i = 0; i < 16; i++)
			at[i * PAGE / 4]++;
	return NULL;
}

/* A page that a sibling thread writes during fork is either copied whole or not yet written. */
TEST(fork, while_another_thread_writes)
{
	pthread_t thread;
	volatile unsigned *at = map_anonymous(16 * PAGE);

	CHECK_EQ(pthread_create(&thread, NULL, spin_write, (void *)at), 0);
	for (int round = 0; round < 20; round++)
		SUBPROCESS {
			unsigned before[16];

			for (int i = 0; i < 16; i++)
				before[i] = at[i * PAGE / 4];
			for (int i = 0; i < 1000; i++)
				CHECK_EQ(at[i % 16 * PAGE / 4], before[i % 16]);
		}
	spin_stop = 1;
	CHECK_EQ(pthread_join(thread, NULL), 0);
}
