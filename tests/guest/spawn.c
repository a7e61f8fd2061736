/*
 * posix_spawn, which musl builds on clone with CLONE_VM and CLONE_VFORK.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *environment[] = { "A=B", NULL };

HELPER(say)
{
	return write(1, argv[2], strlen(argv[2])) < 0 || access("marker", F_OK) == 0;
}

HELPER(attributes)
{
	struct sigaction action;
	sigset_t set;

	sigprocmask(SIG_SETMASK, NULL, &set);
	sigaction(SIGUSR1, NULL, &action);
	return getpgrp() != getpid() || !sigismember(&set, SIGHUP) || sigismember(&set, SIGTERM) ||
	       action.sa_handler != SIG_DFL;
}

TEST(spawn, runs_and_is_waited_for)
{
	char *argv[] = { "x", "--helper=say", "", NULL };

	for (int i = 0; i < 20; i++) {
		pid_t pid;

		CHECK_EQ(posix_spawn(&pid, test_self, NULL, NULL, argv, environment), 0);
		CHECK_EXITED(pid, 0);
	}
}

TEST(spawn, file_actions)
{
	char *argv[] = { "x", "--helper=say", "hello", NULL }, text[10];
	posix_spawn_file_actions_t actions;
	pid_t pid;

	CHECK_EQ(posix_spawn_file_actions_init(&actions), 0);
	CHECK_EQ(posix_spawn_file_actions_addopen(&actions, 9, "out", O_WRONLY | O_CREAT, 0600), 0);
	CHECK_EQ(posix_spawn_file_actions_adddup2(&actions, 9, 1), 0);
	CHECK_EQ(posix_spawn_file_actions_addclose(&actions, 9), 0);
	CHECK_EQ(posix_spawn(&pid, test_self, &actions, NULL, argv, environment), 0);
	CHECK_EXITED(pid, 0);
	CHECK_EQ(file_read("out", text, 10), 5);
	CHECK_ERRNO(fcntl(9, F_GETFD), EBADF);
	CHECK_OK(posix_spawn_file_actions_addopen(&actions, 8, "no/such", O_RDONLY, 0));
	CHECK_EQ(posix_spawn(&pid, test_self, &actions, NULL, argv, environment), ENOENT);
	CHECK_ERRNO(wait(NULL), ECHILD); /* nothing was left to be waited for */
}

TEST(spawn, process_attributes)
{
	char *argv[] = { "x", "--helper=attributes", NULL };
	posix_spawnattr_t attr;
	sigset_t set;
	pid_t pid;

	signal(SIGUSR1, SIG_IGN);
	CHECK_EQ(posix_spawnattr_init(&attr), 0);
	CHECK_EQ(posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						 POSIX_SPAWN_SETSIGDEF), 0);
	CHECK_EQ(posix_spawnattr_setpgroup(&attr, 0), 0);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	CHECK_EQ(posix_spawnattr_setsigmask(&attr, &set), 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(posix_spawnattr_setsigdefault(&attr, &set), 0);
	CHECK_EQ(posix_spawn(&pid, test_self, NULL, &attr, argv, environment), 0);
	CHECK_EXITED(pid, 0);
	struct sigaction action;
	CHECK_OK(sigaction(SIGUSR1, NULL, &action));
	CHECK(action.sa_handler == SIG_IGN);
	CHECK_OK(sigprocmask(SIG_SETMASK, NULL, &set));
	CHECK(!sigismember(&set, SIGHUP));
}

TEST(spawn, errors_come_back)
{
	char *argv[] = { "x", NULL };
	pid_t pid;

	file_write("plain", "text", 4);
	CHECK_EQ(posix_spawn(&pid, "missing", NULL, NULL, argv, environment), ENOENT);
	CHECK_EQ(posix_spawn(&pid, "plain", NULL, NULL, argv, environment), EACCES);
	CHECK_EQ(posix_spawn(&pid, "/", NULL, NULL, argv, environment), EACCES);
	CHECK_OK(chmod("plain", 0755));
	CHECK_EQ(posix_spawn(&pid, "./plain", NULL, NULL, argv, environment), ENOEXEC);
	CHECK_ERRNO(wait(NULL), ECHILD);
}

static void *spawn_some(void *arg)
{
	char *argv[] = { "x", "--helper=say", "", NULL };

	for (int i = 0; i < 10; i++) {
		pid_t pid;

		CHECK_EQ(posix_spawn(&pid, test_self, NULL, NULL, argv, environment), 0);
		CHECK_EXITED(pid, 0);
	}
	return arg;
}

TEST(spawn, from_several_threads)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, spawn_some, NULL), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

TEST(spawn, a_pipeline)
{
	enum { STAGES = 5 };
	posix_spawn_file_actions_t actions;
	char *argv[] = { "x", "--helper=copy", NULL }, text[100] = "";
	pid_t pids[STAGES];
	int first[2], in, fd[2];

	CHECK_OK(pipe2(first, O_CLOEXEC));
	in = first[0];
	for (int i = 0; i < STAGES; i++) {
		CHECK_OK(pipe2(fd, O_CLOEXEC));
		CHECK_EQ(posix_spawn_file_actions_init(&actions), 0);
		CHECK_EQ(posix_spawn_file_actions_adddup2(&actions, in, 0), 0);
		CHECK_EQ(posix_spawn_file_actions_adddup2(&actions, fd[1], 1), 0);
		CHECK_EQ(posix_spawn(&pids[i], test_self, &actions, NULL, argv, environment), 0);
		CHECK_EQ(posix_spawn_file_actions_destroy(&actions), 0);
		CHECK_OK(close(in));
		CHECK_OK(close(fd[1]));
		in = fd[0];
	}
	CHECK_EQ(write(first[1], "through five", 12), 12);
	CHECK_OK(close(first[1]));
	size_t size = 0;
	ssize_t got;
	while ((got = CHECK_OK(read(in, text + size, sizeof(text) - 1 - size))) > 0)
		size += got;
	CHECK_STR(text, "through five");
	for (int i = 0; i < STAGES; i++)
		CHECK_EXITED(pids[i], 0);
}

HELPER(copy)
{
	char bytes[64];
	ssize_t got;

	while ((got = read(0, bytes, sizeof(bytes))) > 0)
		if (write(1, bytes, got) != got)
			return 1;
	return got != 0;
}
