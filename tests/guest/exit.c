/*
 * What the end of a process does to what it held.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(exit, closes_descriptors)
{
	int fd[2];
	char byte;

	CHECK_OK(pipe(fd));
	pid_t pid = FORK();
	if (pid == 0)
		_exit(0);
	CHECK_OK(close(fd[1]));
	CHECK_EQ(read(fd[0], &byte, 1), 0);
	CHECK_EXITED(pid, 0);
}

/* Also when it is killed, whatever it was doing. */
TEST(exit, killed_processes_close_theirs)
{
	int fd[2];
	char byte;

	CHECK_OK(pipe(fd));
	pid_t pid = FORK();
	if (pid == 0)
		for (;;)
			pause();
	CHECK_OK(close(fd[1]));
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(read(fd[0], &byte, 1), 0);
	CHECK_SIGNALED(pid, SIGKILL);
}

static void at_exit_a(void)
{
	if (write(5, "a", 1) != 1)
		abort();
}

static void at_exit_b(void)
{
	if (write(5, "b", 1) != 1)
		abort();
}

TEST(exit, handlers_run_in_reverse)
{
	int fd[2];
	char text[4];

	CHECK_OK(pipe(fd));
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(dup2(fd[1], 5));
		atexit(at_exit_a);
		atexit(at_exit_b);
		exit(3);
	}
	CHECK_EXITED(pid, 3);
	CHECK_EQ(read(fd[0], text, 4), 2);
	CHECK(text[0] == 'b' && text[1] == 'a');
}

TEST(exit, abort_kills)
{
	pid_t pid = FORK();

	if (pid == 0)
		abort();
	CHECK_SIGNALED(pid, SIGABRT);
	pid = FORK();
	if (pid == 0) {
		signal(SIGABRT, SIG_IGN);
		abort();
	}
	CHECK_SIGNALED(pid, SIGABRT);
}

TEST(exit, shared_file_memory_reaches_the_file)
{
	char page[PAGE] = { 0 }, byte;

	file_write("f", page, sizeof(page));
	SUBPROCESS {
		int fd = CHECK_OK(open("f", O_RDWR));
		char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		CHECK(at != MAP_FAILED);
		at[0] = 'x';
	}
	CHECK_EQ(file_read("f", &byte, 1), 1);
	CHECK_EQ(byte, 'x');
}

/* The exit system call ends a thread; with the last one the process ends, with its status. */
TEST(exit, of_the_only_thread)
{
	pid_t pid = FORK();

	if (pid == 0) {
		syscall(SYS_exit, 9);
		_exit(1);
	}
	CHECK_EXITED(pid, 9);
}

TEST(exit, status_of_exit_group_wins)
{
	pid_t pid = FORK();

	if (pid == 0)
		syscall(SYS_exit_group, 0x1234);
	CHECK_EXITED(pid, 0x34);
}

TEST(exit, children_are_told_nothing)
{
	struct gate ready, go, report;

	gate_init(&ready);
	gate_init(&go);
	gate_init(&report);
	pid_t pid = FORK();
	if (pid == 0) {
		if (FORK() == 0) {
			gate_open(&ready);
			gate_pass(&go);
			gate_open(&report);
			_exit(0);
		}
		gate_pass(&ready);
		_exit(0);
	}
	CHECK_EXITED(pid, 0);
	gate_open(&go);
	gate_pass(&report);
}

/* Memory and everything else is returned: many processes that use a lot, one after another. */
TEST(exit, memory_is_returned)
{
	for (int i = 0; i < 30; i++)
		SUBPROCESS {
			char *at = map_anonymous(8 << 20);

			for (size_t j = 0; j < 8 << 20; j += PAGE)
				at[j] = 1;
			if (i % 2)
				raise(SIGCONT);
		}
}

static void *hold(void *arg)
{
	for (;;)
		pause();
	return arg;
}

TEST(exit, with_threads_everywhere)
{
	for (int i = 0; i < 10; i++) {
		pid_t pid = FORK();

		if (pid == 0) {
			int fd[2];
			char byte;
			pthread_t thread;

			for (int j = 0; j < 8; j++)
				CHECK_EQ(pthread_create(&thread, NULL, hold, NULL), 0);
			CHECK_OK(pipe(fd));
			if (i % 2)
				_exit(0);
			CHECK_EQ(read(fd[0], &byte, 1), 1);
		}
		if (i % 2) {
			CHECK_EXITED(pid, 0);
		} else {
			wait_until_blocked(pid);
			CHECK_OK(kill(pid, SIGKILL));
			CHECK_SIGNALED(pid, SIGKILL);
		}
	}
}
