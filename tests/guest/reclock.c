/*
 * Record locks: ranges of a file, owned by the process, with POSIX's odd rules about close.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_it(void)
{
	return CHECK_OK(open("f", O_RDWR | O_CREAT, 0644));
}

static int lock(int fd, int command, int type, off_t start, off_t length)
{
	struct flock request = { .l_type = type, .l_whence = SEEK_SET, .l_start = start,
				 .l_len = length };

	return fcntl(fd, command, &request);
}

/* What keeps another process from locking: its description, as F_GETLK has it. */
static struct flock blocker(int fd, int type, off_t start, off_t length)
{
	struct flock request = { .l_type = type, .l_whence = SEEK_SET, .l_start = start,
				 .l_len = length };

	CHECK_OK(fcntl(fd, F_GETLK, &request));
	return request;
}

TEST(reclock, conflicts_between_processes)
{
	int fd = open_it();
	pid_t parent = getpid();

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 10, 10));
	CHECK_OK(lock(fd, F_SETLK, F_RDLCK, 30, 10));
	SUBPROCESS {
		CHECK(lock(fd, F_SETLK, F_RDLCK, 15, 1) == -1 &&
		      (errno == EAGAIN || errno == EACCES));
		CHECK_ERRNO(lock(fd, F_SETLK, F_WRLCK, 0, 0), EAGAIN);
		CHECK_OK(lock(fd, F_SETLK, F_RDLCK, 30, 10));
		CHECK_ERRNO(lock(fd, F_SETLK, F_WRLCK, 39, 1), EAGAIN);
		CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 10));
		CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 20, 10));
		struct flock got = blocker(fd, F_RDLCK, 0, 100);
		CHECK_EQ(got.l_type, F_WRLCK);
		CHECK_EQ(got.l_start, 10);
		CHECK_EQ(got.l_len, 10);
		CHECK_EQ(got.l_pid, parent);
		CHECK_EQ(blocker(fd, F_WRLCK, 50, 10).l_type, F_UNLCK);
	}
	/* Its own locks do not stand in a process's way. */
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
}

TEST(reclock, splitting_and_joining)
{
	int fd = open_it();

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 100));
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 40, 20));
	CHECK_OK(lock(fd, F_SETLK, F_RDLCK, 10, 10));
	SUBPROCESS {
		struct flock got = blocker(fd, F_WRLCK, 0, 0);

		CHECK(got.l_start == 0 && got.l_len == 10 && got.l_type == F_WRLCK);
		got = blocker(fd, F_WRLCK, 10, 5);
		CHECK(got.l_start == 10 && got.l_len == 10 && got.l_type == F_RDLCK);
		got = blocker(fd, F_WRLCK, 45, 100);
		CHECK(got.l_start == 60 && got.l_len == 40);
		CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 40, 20));
	}
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 10, 50));
	SUBPROCESS {
		struct flock got = blocker(fd, F_WRLCK, 20, 1);

		CHECK(got.l_start == 0 && got.l_len == 100);
	}
}

TEST(reclock, to_the_end_and_backwards)
{
	int fd = open_it();
	struct flock request = { .l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -5,
				 .l_len = 0 };

	CHECK_EQ(write(fd, "0123456789", 10), 10);
	CHECK_OK(fcntl(fd, F_SETLK, &request));
	request = (struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 4,
				  .l_len = -2 };
	CHECK_OK(fcntl(fd, F_SETLK, &request));
	SUBPROCESS {
		CHECK_EQ(blocker(fd, F_WRLCK, 1000000, 1).l_start, 5);
		CHECK_EQ(blocker(fd, F_WRLCK, 1000000, 1).l_len, 0);
		CHECK_EQ(blocker(fd, F_WRLCK, 0, 4).l_start, 2);
		CHECK_EQ(blocker(fd, F_WRLCK, 4, 1).l_type, F_UNLCK);
	}
}

TEST(reclock, any_close_gives_them_up)
{
	int fd = open_it(), other = open_it();

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	CHECK_OK(close(other));
	SUBPROCESS {
		CHECK_EQ(blocker(fd, F_WRLCK, 0, 0).l_type, F_UNLCK);
	}
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	CHECK_OK(dup2(0, CHECK_OK(dup(fd)))); /* dup2 closes too */
	SUBPROCESS {
		CHECK_EQ(blocker(fd, F_WRLCK, 0, 0).l_type, F_UNLCK);
	}
}

TEST(reclock, not_inherited_by_fork)
{
	int fd = open_it();

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	SUBPROCESS {
		CHECK_ERRNO(lock(fd, F_SETLK, F_WRLCK, 0, 0), EAGAIN);
		CHECK_OK(close(fd));
	}
	SUBPROCESS {
		CHECK_EQ(blocker(fd, F_WRLCK, 0, 0).l_pid, getppid());
	}
}

HELPER(check_lock)
{
	struct flock request = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	pid_t pid = getpid();

	if (fork() == 0)
		_exit(fcntl(3, F_GETLK, &request) != 0 || request.l_pid != pid);
	int status = 1;
	syscall(SYS_wait4, -1, &status, 0, NULL);
	return status != 0;
}

TEST(reclock, kept_by_exec)
{
	char *argv[] = { "x", "--helper=check_lock", NULL };

	CHECK_EQ(open_it(), 3);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(lock(3, F_SETLK, F_WRLCK, 0, 0));
		execv(test_self, argv);
		FAIL("execv: errno %d", errno);
	}
	CHECK_EXITED(pid, 0);
}

TEST(reclock, waits_and_is_released_by_death)
{
	int fd = open_it();
	struct gate locked;

	gate_init(&locked);
	pid_t holder = FORK();
	if (holder == 0) {
		CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 10));
		gate_open(&locked);
		for (;;)
			pause();
	}
	gate_pass(&locked);
	pid_t waiter = FORK();
	if (waiter == 0) {
		CHECK_OK(lock(fd, F_SETLKW, F_WRLCK, 5, 10));
		_exit(0);
	}
	wait_until_blocked(waiter);
	CHECK_OK(kill(holder, SIGKILL));
	CHECK_EXITED(waiter, 0);
	CHECK_SIGNALED(holder, SIGKILL);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(reclock, interrupted)
{
	int fd = open_it();
	struct gate locked;

	gate_init(&locked);
	pid_t holder = FORK();
	if (holder == 0) {
		CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 10));
		gate_open(&locked);
		for (;;)
			pause();
	}
	gate_pass(&locked);
	handler_set(SIGALRM, nothing, 0);
	alarm_pump_start();
	CHECK_ERRNO(lock(fd, F_SETLKW, F_RDLCK, 0, 1), EINTR);
	alarm_pump_stop();
	CHECK_OK(kill(holder, SIGKILL));
	CHECK_SIGNALED(holder, SIGKILL);
}

TEST(reclock, deadlock_is_found)
{
	int fd = open_it();
	struct gate ready;

	gate_init(&ready);
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 1));
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 1, 1));
		gate_open(&ready);
		CHECK_OK(lock(fd, F_SETLKW, F_WRLCK, 0, 1));
		_exit(0);
	}
	gate_pass(&ready);
	wait_until_blocked(pid);
	CHECK_ERRNO(lock(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 0, 1));
	CHECK_EXITED(pid, 0);
}

enum { LEVELS = 30, WAYS = 2 };

struct waiting {
	int fd, at;
	pid_t tid;
};

static void *wait_for_byte(void *arg)
{
	struct waiting *w = arg;

	w->tid = (pid_t)syscall(SYS_gettid);
	lock(w->fd, F_SETLKW, F_WRLCK, w->at, 1);	/* (never) */
	return NULL;
}

/* Holds the bytes of its level, and waits for all of the next one's at once. */
static void level_run(int fd, int level, struct gate *ready)
{
	static struct waiting w[WAYS];
	pthread_t thread;

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, level * WAYS, WAYS));
	for (int i = 0; i < WAYS && level + 1 < LEVELS; i++) {
		w[i] = (struct waiting){ .fd = fd, .at = (level + 1) * WAYS + i };
		CHECK_EQ(pthread_create(&thread, NULL, wait_for_byte, &w[i]), 0);
		while (!*(volatile pid_t *)&w[i].tid)
			sched_yield();
		wait_until_blocked(w[i].tid);
	}
	gate_open(ready);
	pause();
}

/* Owners that wait in several threads each: the ways to look for a circle are a billion. */
TEST(reclock, waits_that_branch)
{
	int fd = open_it();
	struct gate ready;
	pid_t pid[LEVELS];

	gate_init(&ready);
	for (int level = LEVELS; level-- > 0;) {
		pid[level] = FORK();
		if (pid[level] == 0)
			level_run(fd, level, &ready);
		gate_pass(&ready);
	}
	CHECK_ERRNO(lock(fd, F_SETLK, F_WRLCK, 0, 1), EAGAIN);
	for (int level = 0; level < LEVELS; level++) {
		CHECK_OK(kill(pid[level], SIGKILL));
		CHECK_SIGNALED(pid[level], SIGKILL);
	}
}

TEST(reclock, errors)
{
	int fd = open_it(), reader = CHECK_OK(open("f", O_RDONLY));
	int writer = CHECK_OK(open("f", O_WRONLY));

	CHECK_ERRNO(lock(99, F_SETLK, F_WRLCK, 0, 1), EBADF);
	CHECK_ERRNO(lock(reader, F_SETLK, F_WRLCK, 0, 1), EBADF);
	CHECK_ERRNO(lock(writer, F_SETLK, F_RDLCK, 0, 1), EBADF);
	CHECK_ERRNO(lock(fd, F_SETLK, 9, 0, 1), EINVAL);
	CHECK_ERRNO(lock(fd, F_SETLK, F_WRLCK, -1, 1), EINVAL);
	CHECK_ERRNO(lock(fd, F_SETLK, F_WRLCK, 1, -2), EINVAL);
	CHECK_ERRNO(lock(fd, F_GETLK, F_UNLCK, 0, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_fcntl, fd, F_SETLK, BAD_UNMAPPED), EFAULT);
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0x7ffffffffffffffe, 1));
}

TEST(reclock, apart_from_flock)
{
	int fd = open_it();

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	SUBPROCESS {
		int own = open_it();

		CHECK_OK(syscall(SYS_flock, own, 2 | 4)); /* exclusive, not blocking */
	}
}

enum { MANY_LOCKS = 8000, MANY_WAITERS = 900 };

/* The lock on byte 0 of its own open file, or word that there are too many who want it. */
static void *wait_for_first(void *arg)
{
	int fd = CHECK_OK(open("f", O_RDWR));

	if (lock(fd, F_OFD_SETLKW, F_WRLCK, 0, 1))
		CHECK_EQ(errno, ENOLCK);
	CHECK_OK(close(fd));
	return arg;
}

/* Nobody can make a single call of another's wait for all that he has heaped up. */
TEST(reclock, many_locks_times_many_waiters)
{
	static pthread_t thread[MANY_WAITERS];
	struct rlimit files = { MANY_WAITERS + 100, MANY_WAITERS + 100 };
	int64_t best = INT64_MAX;
	int fd, count = 0;

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &files));
	fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0666));
	for (int i = 0; i <= MANY_LOCKS; i++)
		CHECK_OK(lock(fd, F_OFD_SETLK, F_WRLCK, 2 * i, 1));
	while (count < MANY_WAITERS &&
	       !pthread_create(&thread[count], NULL, wait_for_first, NULL))
		count++;
	CHECK_GE(count, 100);
	for (int i = 0; i < 10; i++) {
		int64_t begin = now_ns();

		CHECK_OK(lock(fd, F_OFD_SETLK, F_UNLCK, 2 * MANY_LOCKS, 1));
		if (now_ns() - begin < best)
			best = now_ns() - begin;
		CHECK_OK(lock(fd, F_OFD_SETLK, F_WRLCK, 2 * MANY_LOCKS, 1));
	}
	CHECK_LE(best, 20000000);
	CHECK_OK(close(fd));
	while (count > 0)
		CHECK_EQ(pthread_join(thread[--count], NULL), 0);
}

enum { HOARD_FILES = 16, HOARD_LOCKS = 2000 };

static int hoard_open(int n, int flags)
{
	char name[] = "hoard.a";

	name[6] = (char)('a' + n);
	return CHECK_OK(open(name, O_RDWR | flags, 0666));
}

/* Locks of one user without end, on many files: how many he got until ENOLCK. */
static int hoard_locks(void)
{
	for (int n = 0; n < HOARD_FILES; n++) {
		int fd = hoard_open(n, 0);

		for (int i = 0; i < HOARD_LOCKS; i++) {
			if (lock(fd, F_SETLK, F_WRLCK, 2 * i, 1) < 0) {
				CHECK_EQ(errno, ENOLCK);
				return n * HOARD_LOCKS + i;
			}
		}
	}
	return HOARD_FILES * HOARD_LOCKS;
}

/* Others, root among them, still have theirs. */
TEST(reclock, one_user_cannot_have_all)
{
	struct gate had, done;
	int fd;

	ROOT_NEEDED();
	umask(0);
	for (int n = 0; n < HOARD_FILES; n++)
		CHECK_OK(close(hoard_open(n, O_CREAT)));
	fd = CHECK_OK(open("mine", O_RDWR | O_CREAT, 0666));
	gate_init(&had);
	gate_init(&done);
	pid_t pid = FORK();
	if (pid == 0) {
		drop_to_user(1000, 1000);
		CHECK_GE(hoard_locks(), 4000);
		gate_open(&had);
		gate_pass(&done);
		_exit(0);
	}
	gate_pass(&had);
	SUBPROCESS {
		drop_to_user(2001, 2001);
		for (int i = 0; i < 1000; i++)
			CHECK_OK(lock(fd, F_OFD_SETLK, F_WRLCK, 2 * i, 1));
	}
	for (int i = 0; i < 1000; i++)
		CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 10000 + 2 * i, 1));
	gate_open(&done);
	CHECK_EXITED(pid, 0);
	SUBPROCESS {
		drop_to_user(1000, 1000);
		CHECK_OK(lock(hoard_open(0, 0), F_SETLK, F_WRLCK, 0, 1));
	}
}
