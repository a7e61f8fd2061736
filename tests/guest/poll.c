/*
 * poll and ppoll: what is ready, what has hung up, and waiting for either.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[65536];

/* What poll says about one descriptor now. */
static int events_of(int fd, int events)
{
	struct pollfd entry = { .fd = fd, .events = events, .revents = -1 };
	int count = CHECK_OK(poll(&entry, 1, 0));

	CHECK_EQ(count, entry.revents != 0);
	return entry.revents;
}

TEST(poll, pipe_states)
{
	int fd[2], all = POLLIN | POLLOUT | POLLPRI;

	CHECK_OK(pipe(fd));
	CHECK_EQ(events_of(fd[0], all), 0);
	CHECK_EQ(events_of(fd[1], all), POLLOUT);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_EQ(events_of(fd[0], all), POLLIN);
	CHECK_EQ(events_of(fd[0], POLLOUT), 0);
	CHECK_EQ(read(fd[0], buffer, 10), 1);
	CHECK_OK(fcntl(fd[1], F_SETFL, O_NONBLOCK));
	while (write(fd[1], buffer, 4096) > 0)
		;
	CHECK_EQ(events_of(fd[1], all), 0);
	CHECK_EQ(read(fd[0], buffer, 100), 100);
	/* Room for PIPE_BUF is what makes it writable. */
	CHECK_EQ(events_of(fd[1], all), 0);
	while (events_of(fd[1], POLLOUT) == 0)
		CHECK_EQ(read(fd[0], buffer, 4096), 4096);
	CHECK_EQ(write(fd[1], buffer, 4096), 4096);
}

TEST(poll, hang_up_and_error)
{
	int fd[2];

	CHECK_OK(pipe(fd));
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_OK(close(fd[1]));
	CHECK_EQ(events_of(fd[0], POLLIN), POLLIN | POLLHUP);
	CHECK_EQ(read(fd[0], buffer, 1), 1);
	CHECK_EQ(events_of(fd[0], POLLIN), POLLHUP);
	CHECK_EQ(events_of(fd[0], 0), POLLHUP); /* not asked for, and yet reported */
	CHECK_OK(pipe(fd));
	CHECK_OK(close(fd[0]));
	CHECK_EQ(events_of(fd[1], POLLOUT), POLLOUT | POLLERR);
	CHECK_EQ(events_of(fd[1], 0), POLLERR);
}

TEST(poll, files_and_devices_are_always_ready)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0644));

	CHECK_EQ(events_of(fd, POLLIN | POLLOUT), POLLIN | POLLOUT);
	fd = CHECK_OK(open("/dev/null", O_RDWR));
	CHECK_EQ(events_of(fd, POLLIN | POLLOUT), POLLIN | POLLOUT);
	fd = CHECK_OK(open("/dev/zero", O_RDWR));
	CHECK_EQ(events_of(fd, POLLIN), POLLIN);
	fd = CHECK_OK(open(".", O_RDONLY));
	CHECK_EQ(events_of(fd, POLLIN), POLLIN);
}

TEST(poll, bad_and_negative_descriptors)
{
	struct pollfd set[3] = { { .fd = 1000, .events = POLLIN },
				 { .fd = -1, .events = POLLIN, .revents = -1 },
				 { .fd = -500, .events = POLLIN, .revents = -1 } };

	CHECK_EQ(poll(set, 3, -1), 1);
	CHECK_EQ(set[0].revents, POLLNVAL);
	CHECK_EQ(set[1].revents, 0);
	CHECK_EQ(set[2].revents, 0);
}

TEST(poll, timeouts)
{
	int fd[2];
	struct timespec some = { 0, 20000000 }, bad = { 0, 1000000000 }, negative = { -1, 0 };

	CHECK_OK(pipe(fd));
	struct pollfd entry = { .fd = fd[0], .events = POLLIN };
	int64_t start = now_ns();
	CHECK_EQ(poll(&entry, 1, 20), 0);
	CHECK_GE(now_ns() - start, 20000000);
	CHECK_EQ(poll(NULL, 0, 1), 0);
	start = now_ns();
	CHECK_EQ(ppoll(&entry, 1, &some, NULL), 0);
	CHECK_GE(now_ns() - start, 20000000);
	CHECK_ERRNO(ppoll(&entry, 1, &bad, NULL), EINVAL);
	CHECK_ERRNO(ppoll(&entry, 1, &negative, NULL), EINVAL);
}

TEST(poll, wakes_up)
{
	int fd[3][2];
	struct pollfd set[3];

	for (int i = 0; i < 3; i++) {
		CHECK_OK(pipe(fd[i]));
		set[i] = (struct pollfd){ .fd = fd[i][0], .events = POLLIN };
	}
	for (int round = 0; round < 10; round++) {
		pid_t parent = getpid(), pid = FORK();
		int which = round % 3;

		if (pid == 0) {
			wait_until_blocked(parent);
			CHECK_EQ(write(fd[which][1], "x", 1), 1);
			_exit(0);
		}
		CHECK_EQ(poll(set, 3, -1), 1);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(set[i].revents, i == which ? POLLIN : 0);
		CHECK_EQ(read(fd[which][0], buffer, 10), 1);
		CHECK_EXITED(pid, 0);
	}
}

TEST(poll, same_descriptor_twice)
{
	int fd[2];

	CHECK_OK(pipe(fd));
	struct pollfd set[3] = { { .fd = fd[0], .events = POLLIN },
				 { .fd = fd[0], .events = 0 },
				 { .fd = fd[0], .events = POLLIN } };
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_EQ(poll(set, 3, -1), 2);
	CHECK(set[0].revents == POLLIN && set[1].revents == 0 && set[2].revents == POLLIN);
}

TEST(poll, many)
{
	enum { COUNT = 200 };
	static struct pollfd set[COUNT];
	int fd[COUNT][2];

	for (int i = 0; i < COUNT; i++) {
		CHECK_OK(pipe(fd[i]));
		set[i] = (struct pollfd){ .fd = fd[i][0], .events = POLLIN };
	}
	CHECK_EQ(poll(set, COUNT, 0), 0);
	for (int i = 0; i < COUNT; i += 7)
		CHECK_EQ(write(fd[i][1], "x", 1), 1);
	CHECK_EQ(poll(set, COUNT, -1), (COUNT + 6) / 7);
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(set[i].revents, i % 7 ? 0 : POLLIN);
}

static volatile sig_atomic_t alarms;

static void count_alarm(int sig)
{
	(void)sig;
	alarms++;
}

TEST(poll, is_always_interrupted)
{
	int fd[2];

	CHECK_OK(pipe(fd));
	struct pollfd entry = { .fd = fd[0], .events = POLLIN };
	handler_set(SIGALRM, count_alarm, SA_RESTART);
	alarm_pump_start();
	CHECK_ERRNO(poll(&entry, 1, -1), EINTR);
	CHECK_ERRNO(poll(&entry, 1, 100000), EINTR);
	alarm_pump_stop();
}

TEST(poll, errors)
{
	struct rlimit limit;

	CHECK_ERRNO(poll(BAD_UNMAPPED, 1, 0), EFAULT);
	CHECK_ERRNO(poll(BAD_KERNEL, 1, 0), EFAULT);
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	CHECK_ERRNO(poll(NULL, limit.rlim_cur + 1, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_poll, NULL, -1, 0), EINVAL);
}

static void *close_it(void *arg)
{
	int *fd = arg;

	while (fd[2] == 0)
		sched_yield();
	wait_until_blocked(fd[2]);
	CHECK_OK(close(fd[0]));
	CHECK_EQ(write(fd[1], "x", 1), 1);
	return NULL;
}

/* A descriptor closed by another thread while it is polled: the poll holds on to the file. */
TEST(poll, closed_meanwhile)
{
	int fd[3] = { 0 };
	pthread_t thread;

	CHECK_OK(pipe(fd));
	int keep = CHECK_OK(dup(fd[0]));
	struct pollfd entry = { .fd = fd[0], .events = POLLIN };
	CHECK_EQ(pthread_create(&thread, NULL, close_it, fd), 0);
	__atomic_store_n(&fd[2], syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	CHECK_EQ(poll(&entry, 1, -1), 1);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(read(keep, buffer, 1), 1);
}

TEST(poll, fifo_hang_up)
{
	CHECK_OK(mkfifo("f", 0600));
	int in = CHECK_OK(open("f", O_RDONLY | O_NONBLOCK));
	CHECK_EQ(events_of(in, POLLIN), 0); /* no writer yet is not a hang-up */
	int out = CHECK_OK(open("f", O_WRONLY));
	CHECK_OK(close(out));
	CHECK_EQ(events_of(in, POLLIN), POLLHUP);
	out = CHECK_OK(open("f", O_WRONLY));
	CHECK_EQ(events_of(in, POLLIN), 0);
	CHECK_EQ(events_of(out, POLLOUT), POLLOUT);
}
