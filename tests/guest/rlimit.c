/*
 * Resource limits: reading and setting them, and each of them biting.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(rlimit, get_and_set)
{
	struct rlimit limit = { 100, 200 }, got;

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &got));
	CHECK(got.rlim_cur == 100 && got.rlim_max == 200);
	limit.rlim_cur = 201;
	CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EINVAL);
	CHECK_ERRNO(getrlimit(99, &got), EINVAL);
	CHECK_ERRNO(setrlimit(-1, &got), EINVAL);
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		CHECK_OK(getrlimit(i, &got));
		CHECK(got.rlim_cur <= got.rlim_max);
	}
}

TEST(rlimit, only_root_raises_the_hard_limit)
{
	SUBPROCESS {
		struct rlimit limit = { 10, 50 };

		CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
		drop_to_user(4242, 4242);
		limit = (struct rlimit){ 50, 50 };
		CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
		limit = (struct rlimit){ 20, 20 };
		CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
		limit = (struct rlimit){ 20, 21 };
		CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EPERM);
	}
}

TEST(rlimit, of_another_process)
{
	struct gate done;
	struct rlimit limit = { 33, 44 }, got;

	gate_init(&done);
	pid_t pid = FORK();
	if (pid == 0) {
		gate_pass(&done);
		CHECK_OK(getrlimit(RLIMIT_NOFILE, &got));
		_exit(got.rlim_cur);
	}
	CHECK_OK(prlimit(pid, RLIMIT_NOFILE, &limit, &got));
	CHECK_OK(prlimit(pid, RLIMIT_NOFILE, NULL, &got));
	CHECK(got.rlim_cur == 33 && got.rlim_max == 44);
	gate_open(&done);
	CHECK_EXITED(pid, 33);
	CHECK_ERRNO(prlimit(999999999, RLIMIT_NOFILE, NULL, &got), ESRCH);
	pid_t parent = getpid();
	SUBPROCESS {
		drop_to_user(4242, 4242);
		CHECK_ERRNO(prlimit(parent, RLIMIT_NOFILE, NULL, &got), EPERM);
	}
}

TEST(rlimit, open_files)
{
	struct rlimit limit = { 20, 20 };
	int fd[2], last = -1, got;

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	while ((got = open("/dev/null", O_RDONLY)) >= 0)
		last = got;
	CHECK_EQ(errno, EMFILE);
	CHECK_EQ(last, 19);
	CHECK_ERRNO(dup(0), EMFILE);
	CHECK_ERRNO(pipe(fd), EMFILE);
	CHECK_ERRNO(fcntl(0, F_DUPFD, 5), EMFILE);
	CHECK_ERRNO(syscall(SYS_epoll_create1, 0), EMFILE);
	/* One is not enough for a pipe, and none is left behind by the attempt. */
	CHECK_OK(close(10));
	CHECK_ERRNO(pipe(fd), EMFILE);
	CHECK_EQ(open("/dev/null", O_RDONLY), 10);
	/* A failed open with O_CREAT has not created anything. */
	CHECK_ERRNO(open("new", O_RDWR | O_CREAT, 0644), EMFILE);
	CHECK_EQ(access("new", F_OK), -1);
}

TEST(rlimit, lowered_below_what_is_open)
{
	struct rlimit limit = { 20, 20 };

	CHECK_OK(dup2(0, 50));
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	CHECK_OK(fcntl(50, F_GETFD)); /* what is open stays open */
	CHECK_ERRNO(dup2(0, 51), EBADF);
	CHECK_OK(close(50));
	CHECK_ERRNO(dup2(0, 50), EBADF);
}

TEST(rlimit, thousands_of_open_files)
{
	enum { COUNT = 3000 };
	struct rlimit limit;

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	if (limit.rlim_cur < COUNT + 10) {
		limit.rlim_cur = COUNT + 10;
		if (limit.rlim_max < limit.rlim_cur)
			limit.rlim_max = limit.rlim_cur;
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && errno == EPERM)
			SKIP("the host forbids so many open files");
	}
	for (int i = 3; i < COUNT; i++)
		CHECK_EQ(open("/dev/null", O_RDONLY), i);
	SUBPROCESS {
		CHECK_OK(fcntl(COUNT - 1, F_GETFD));
		CHECK_OK(close(COUNT - 1));
	}
	for (int i = 3; i < COUNT; i += 2)
		CHECK_OK(close(i));
	for (int i = 3; i < COUNT; i += 2)
		CHECK_EQ(dup(0), i);
}

TEST(rlimit, processes_of_a_user)
{
	SUBPROCESS {
		struct rlimit limit = { 10, 10 };
		struct gate end;
		int made = 0;
		pid_t pid;

		gate_init(&end);
		CHECK_OK(setrlimit(RLIMIT_NPROC, &limit));
		drop_to_user(45456, 45456);
		while ((pid = fork()) > 0)
			made++;
		if (pid == 0) {
			gate_pass(&end);
			_exit(0);
		}
		CHECK_EQ(errno, EAGAIN);
		CHECK_EQ(made, 9); /* this process counts too */
		/* Threads count as well. */
		pthread_t thread;
		CHECK_EQ(pthread_create(&thread, NULL, (void *(*)(void *))(uintptr_t)getpid, NULL),
			 EAGAIN);
		gate_open(&end);
		CHECK_OK(wait(NULL));
		SUBPROCESS {
			CHECK_ERRNO(fork(), EAGAIN);
		}
		for (int i = 0; i < 8; i++)
			gate_open(&end);
		while (wait(NULL) > 0)
			;
	}
}

/* Those that have ended count until they are waited for: nobody can have all numbers. */
TEST(rlimit, zombies_of_a_user)
{
	SUBPROCESS {
		struct rlimit limit = { 10, 10 };
		siginfo_t info;
		int made = 0;
		pid_t pid;

		CHECK_OK(setrlimit(RLIMIT_NPROC, &limit));
		drop_to_user(45457, 45457);
		while (made < 40 && (pid = fork()) > 0) {
			made++;
			CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
		}
		if (made < 40 && pid == 0)
			_exit(0);
		CHECK_EQ(made, 9);
		CHECK_EQ(errno, EAGAIN);
		while (wait(NULL) > 0)
			;
		SUBPROCESS {
		}
	}
}

/* A fork bomb within its limit: it ends, and leaves nothing. */
TEST(rlimit, fork_bomb)
{
	SUBPROCESS {
		struct rlimit limit = { 25, 25 };
		volatile int *failures = map_shared(PAGE);
		int fd[2];
		char byte;

		CHECK_OK(setrlimit(RLIMIT_NPROC, &limit));
		drop_to_user(45457, 45457);
		CHECK_OK(pipe(fd));
		pid_t pid = FORK();
		if (pid == 0) {
			/* Nobody leaves before the limit has been hit: 64 would be wanted. */
			CHECK_OK(close(fd[1]));
			for (int i = 0; i < 6; i++)
				if (fork() < 0)
					__atomic_add_fetch(failures, 1, __ATOMIC_SEQ_CST);
			CHECK_EQ(read(fd[0], &byte, 1), 0);
			while (wait(NULL) > 0)
				;
			_exit(0);
		}
		while (*failures == 0)
			usleep(1000);
		CHECK_OK(close(fd[1]));
		CHECK_EXITED(pid, 0);
	}
}

TEST(rlimit, address_space)
{
	SUBPROCESS {
		struct rlimit limit = { 64 << 20, 64 << 20 };
		void *at;
		int mapped = 0;

		CHECK_OK(setrlimit(RLIMIT_AS, &limit));
		while ((at = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED)
			mapped++;
		CHECK_EQ(errno, ENOMEM);
		CHECK_GE(mapped, 10);
		CHECK_LT(mapped, 16);
		CHECK_ERRNO(mmap(NULL, 4 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			    ENOMEM);
		/* fork needs no more of it, and exec starts anew. */
		SUBPROCESS {
			CHECK_EQ(1, 1);
		}
	}
}

static void count_cpu(int sig)
{
	static const char text[] = "x";

	(void)sig;
	CHECK_EQ(write(3, text, 1), 1);
}

TEST(rlimit, processor_time)
{
	int fd[2];
	char bytes[10];

	CHECK_OK(pipe(fd));
	CHECK_EQ(fd[0], 3);
	pid_t pid = FORK();
	if (pid == 0) {
		struct rlimit limit = { 1, 2 };

		CHECK_OK(dup2(fd[1], 3));
		handler_set(SIGXCPU, count_cpu, 0);
		CHECK_OK(setrlimit(RLIMIT_CPU, &limit));
		for (volatile unsigned long i = 0;; i++)
			;
	}
	CHECK_OK(close(fd[1]));
	CHECK_SIGNALED(pid, SIGKILL);
	CHECK_GE(read(fd[0], bytes, sizeof(bytes)), 1);
	CHECK_EQ(bytes[0], 'x');
}

TEST(rlimit, inherited)
{
	struct rlimit limit = { 77, 88 };

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	SUBPROCESS {
		CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
		CHECK(limit.rlim_cur == 77 && limit.rlim_max == 88);
		limit.rlim_cur = 50;
		CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	}
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	CHECK_EQ(limit.rlim_cur, 77);
}
