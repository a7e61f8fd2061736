/*
 * epoll: level and edge triggered, one-shot, nested, and sharing of the set.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[4096];

static void add(int epfd, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u64 = 0x100000000 + fd };

	CHECK_OK(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event));
}

/* The events that are reported for a descriptor now, if it is the only one; 0 if there are none. */
static uint32_t ready(int epfd, int fd)
{
	struct epoll_event events[4];
	int count = CHECK_OK(epoll_wait(epfd, events, 4, 0));

	CHECK_LE(count, 1);
	if (count == 0)
		return 0;
	CHECK_EQ(events[0].data.u64, 0x100000000 + fd);
	return events[0].events;
}

TEST(epoll, level_triggered)
{
	int fd[2], epfd = CHECK_OK(epoll_create1(EPOLL_CLOEXEC));

	CHECK_EQ(fcntl(epfd, F_GETFD), FD_CLOEXEC);
	CHECK_OK(pipe(fd));
	add(epfd, fd[0], EPOLLIN);
	CHECK_EQ(ready(epfd, fd[0]), 0);
	CHECK_EQ(write(fd[1], "ab", 2), 2);
	CHECK_EQ(ready(epfd, fd[0]), EPOLLIN);
	CHECK_EQ(ready(epfd, fd[0]), EPOLLIN);
	CHECK_EQ(read(fd[0], buffer, 1), 1);
	CHECK_EQ(ready(epfd, fd[0]), EPOLLIN);
	CHECK_EQ(read(fd[0], buffer, 1), 1);
	CHECK_EQ(ready(epfd, fd[0]), 0);
}

TEST(epoll, edge_triggered)
{
	int fd[2], epfd = CHECK_OK(epoll_create1(0));

	CHECK_OK(pipe(fd));
	add(epfd, fd[0], EPOLLIN | EPOLLET);
	CHECK_EQ(write(fd[1], "ab", 2), 2);
	CHECK_EQ(ready(epfd, fd[0]), EPOLLIN);
	CHECK_EQ(ready(epfd, fd[0]), 0);
	CHECK_EQ(write(fd[1], "c", 1), 1); /* a new edge though it was ready */
	CHECK_EQ(ready(epfd, fd[0]), EPOLLIN);
	CHECK_EQ(read(fd[0], buffer, 1), 1);
	CHECK_EQ(ready(epfd, fd[0]), 0); /* data is left, but nothing has come */
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = 0x100000000 + fd[0] };
	CHECK_OK(epoll_ctl(epfd, EPOLL_CTL_MOD, fd[0], &event));
	CHECK_EQ(ready(epfd, fd[0]), EPOLLIN);
	CHECK_EQ(ready(epfd, fd[0]), 0);
}

TEST(epoll, one_shot)
{
	int fd[2], epfd = CHECK_OK(epoll_create1(0));

	CHECK_OK(pipe(fd));
	add(epfd, fd[0], EPOLLIN | EPOLLONESHOT);
	CHECK_EQ(write(fd[1], "ab", 2), 2);
	CHECK_EQ(ready(epfd, fd[0]), EPOLLIN);
	CHECK_EQ(ready(epfd, fd[0]), 0);
	CHECK_EQ(write(fd[1], "c", 1), 1);
	CHECK_EQ(ready(epfd, fd[0]), 0);
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT,
				     .data.u64 = 0x100000000 + fd[0] };
	CHECK_OK(epoll_ctl(epfd, EPOLL_CTL_MOD, fd[0], &event));
	CHECK_EQ(ready(epfd, fd[0]), EPOLLIN);
	CHECK_EQ(ready(epfd, fd[0]), 0);
}

TEST(epoll, hang_up_and_error_are_always_reported)
{
	int fd[2], epfd = CHECK_OK(epoll_create1(0));

	CHECK_OK(pipe(fd));
	add(epfd, fd[0], 0);
	CHECK_OK(close(fd[1]));
	CHECK_EQ(ready(epfd, fd[0]), EPOLLHUP);
	CHECK_OK(close(fd[0]));
	CHECK_OK(pipe(fd));
	add(epfd, fd[1], EPOLLOUT);
	CHECK_OK(close(fd[0]));
	CHECK_EQ(ready(epfd, fd[1]), EPOLLOUT | EPOLLERR);
}

TEST(epoll, modify_and_delete)
{
	int fd[2], epfd = CHECK_OK(epoll_create1(0));
	struct epoll_event event = { .events = EPOLLOUT, .data.u64 = 0x100000000 };

	CHECK_OK(pipe(fd));
	event.data.u64 += fd[1];
	add(epfd, fd[1], EPOLLIN);
	CHECK_EQ(ready(epfd, fd[1]), 0);
	CHECK_OK(epoll_ctl(epfd, EPOLL_CTL_MOD, fd[1], &event));
	CHECK_EQ(ready(epfd, fd[1]), EPOLLOUT);
	CHECK_OK(epoll_ctl(epfd, EPOLL_CTL_DEL, fd[1], NULL));
	CHECK_EQ(ready(epfd, fd[1]), 0);
	CHECK_ERRNO(epoll_ctl(epfd, EPOLL_CTL_DEL, fd[1], NULL), ENOENT);
	CHECK_ERRNO(epoll_ctl(epfd, EPOLL_CTL_MOD, fd[1], &event), ENOENT);
}

TEST(epoll, errors)
{
	int fd[2], epfd = CHECK_OK(epoll_create1(0));
	struct epoll_event event = { .events = EPOLLIN };
	int file = CHECK_OK(open("f", O_RDWR | O_CREAT, 0644));

	CHECK_OK(pipe(fd));
	CHECK_ERRNO(epoll_create(0), EINVAL);
	CHECK_ERRNO(epoll_create1(1), EINVAL);
	CHECK_OK(epoll_create(1));
	CHECK_ERRNO(epoll_ctl(epfd, EPOLL_CTL_ADD, 999, &event), EBADF);
	CHECK_ERRNO(epoll_ctl(999, EPOLL_CTL_ADD, fd[0], &event), EBADF);
	CHECK_ERRNO(epoll_ctl(fd[0], EPOLL_CTL_ADD, fd[1], &event), EINVAL);
	CHECK_ERRNO(epoll_ctl(epfd, EPOLL_CTL_ADD, epfd, &event), EINVAL);
	CHECK_ERRNO(epoll_ctl(epfd, EPOLL_CTL_ADD, file, &event), EPERM);
	CHECK_ERRNO(epoll_ctl(epfd, 77, fd[0], &event), EINVAL);
	CHECK_ERRNO(epoll_ctl(epfd, EPOLL_CTL_ADD, fd[0], BAD_UNMAPPED), EFAULT);
	CHECK_OK(epoll_ctl(epfd, EPOLL_CTL_ADD, fd[0], &event));
	CHECK_ERRNO(epoll_ctl(epfd, EPOLL_CTL_ADD, fd[0], &event), EEXIST);
	CHECK_ERRNO(epoll_wait(epfd, &event, 0, 0), EINVAL);
	CHECK_ERRNO(epoll_wait(epfd, &event, -1, 0), EINVAL);
	CHECK_ERRNO(epoll_wait(fd[0], &event, 1, 0), EINVAL);
	CHECK_ERRNO(epoll_wait(999, &event, 1, 0), EBADF);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_ERRNO(epoll_wait(epfd, BAD_UNMAPPED, 1, 0), EFAULT);
	CHECK_EQ(epoll_wait(epfd, &event, 1, 0), 1); /* the event was not lost by that */
}

TEST(epoll, closing_removes)
{
	int fd[2], epfd = CHECK_OK(epoll_create1(0));

	CHECK_OK(pipe(fd));
	add(epfd, fd[0], EPOLLIN);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	int copy = CHECK_OK(dup(fd[0]));
	CHECK_EQ(ready(epfd, fd[0]), EPOLLIN);
	CHECK_OK(close(fd[0]));
	/* The description lives on in the copy, so it is still a member. */
	CHECK_EQ(ready(epfd, fd[0]), EPOLLIN);
	CHECK_OK(close(copy));
	CHECK_EQ(ready(epfd, fd[0]), 0);
	/* The number can be used anew. */
	CHECK_EQ(CHECK_OK(dup2(fd[1], fd[0])), fd[0]);
	add(epfd, fd[0], 0);
}

TEST(epoll, copies_are_members_of_their_own)
{
	int fd[2], epfd = CHECK_OK(epoll_create1(0));
	struct epoll_event events[4];

	CHECK_OK(pipe(fd));
	int copy = CHECK_OK(dup(fd[0]));
	add(epfd, fd[0], EPOLLIN);
	add(epfd, copy, EPOLLIN);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_EQ(epoll_wait(epfd, events, 4, 0), 2);
	CHECK_NE(events[0].data.u64, events[1].data.u64);
}

TEST(epoll, timeouts)
{
	int fd[2], epfd = CHECK_OK(epoll_create1(0));
	struct epoll_event event;

	CHECK_OK(pipe(fd));
	add(epfd, fd[0], EPOLLIN);
	int64_t start = now_ns();
	CHECK_EQ(epoll_wait(epfd, &event, 1, 20), 0);
	CHECK_GE(now_ns() - start, 20000000);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(epoll, interrupted)
{
	int epfd = CHECK_OK(epoll_create1(0));
	struct epoll_event event;

	handler_set(SIGALRM, nothing, SA_RESTART);
	alarm_pump_start();
	CHECK_ERRNO(epoll_wait(epfd, &event, 1, -1), EINTR);
	alarm_pump_stop();
}

TEST(epoll, wakes_up)
{
	int fd[2], epfd = CHECK_OK(epoll_create1(0));
	struct epoll_event event;
	pid_t parent = getpid();

	CHECK_OK(pipe(fd));
	add(epfd, fd[0], EPOLLIN | EPOLLET);
	for (int i = 0; i < 20; i++) {
		pid_t pid = FORK();

		if (pid == 0) {
			if (i % 2)
				wait_until_blocked(parent);
			CHECK_EQ(write(fd[1], "x", 1), 1);
			_exit(0);
		}
		CHECK_EQ(epoll_wait(epfd, &event, 1, -1), 1);
		CHECK_EQ(event.events, EPOLLIN);
		CHECK_EXITED(pid, 0);
	}
}

/* Members added while somebody waits are watched at once. */
TEST(epoll, added_while_waiting)
{
	int fd[2], epfd = CHECK_OK(epoll_create1(0));
	struct epoll_event event;

	CHECK_OK(pipe(fd));
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_EQ(epoll_wait(epfd, &event, 1, -1), 1);
		_exit(0);
	}
	wait_until_blocked(pid);
	add(epfd, fd[1], EPOLLOUT);
	CHECK_EXITED(pid, 0);
}

TEST(epoll, nested)
{
	int fd[2], inner = CHECK_OK(epoll_create1(0)), outer = CHECK_OK(epoll_create1(0));
	struct pollfd entry = { .fd = outer, .events = POLLIN };

	CHECK_OK(pipe(fd));
	add(inner, fd[0], EPOLLIN);
	add(outer, inner, EPOLLIN);
	CHECK_EQ(ready(outer, inner), 0);
	CHECK_EQ(poll(&entry, 1, 0), 0);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_EQ(ready(outer, inner), EPOLLIN);
	CHECK_EQ(poll(&entry, 1, 0), 1);
	CHECK_EQ(read(fd[0], buffer, 1), 1);
	CHECK_EQ(ready(outer, inner), 0);
	/* No circles, and no more than five sets on top of each other. */
	struct epoll_event event = { .events = EPOLLIN };
	CHECK_ERRNO(epoll_ctl(inner, EPOLL_CTL_ADD, outer, &event), ELOOP);
	int top = outer, depth = 2;
	for (; depth < 10; depth++) {
		int next = CHECK_OK(epoll_create1(0));

		if (epoll_ctl(next, EPOLL_CTL_ADD, top, &event) != 0)
			break;
		top = next;
	}
	CHECK_EQ(errno, ELOOP);
	CHECK_EQ(depth, 5);
}

TEST(epoll, many_members_take_turns)
{
	enum { COUNT = 100 };
	int fd[COUNT][2], seen[COUNT] = { 0 }, epfd = CHECK_OK(epoll_create1(0)), first = -1;
	struct epoll_event events[10];

	for (int i = 0; i < COUNT; i++) {
		CHECK_OK(pipe(fd[i]));
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };
		CHECK_OK(epoll_ctl(epfd, EPOLL_CTL_ADD, fd[i][0], &event));
		CHECK_EQ(write(fd[i][1], "x", 1), 1);
	}
	/* Ten at a time: all of them are reported before any comes again. */
	for (int round = 0; round < COUNT / 10; round++) {
		CHECK_EQ(epoll_wait(epfd, events, 10, 0), 10);
		for (int i = 0; i < 10; i++)
			CHECK_EQ(seen[events[i].data.u32]++, 0);
		if (round == 0)
			first = events[0].data.u32;
	}
	CHECK_EQ(epoll_wait(epfd, events, 10, 0), 10);
	CHECK_EQ(events[0].data.u32, first);
}
