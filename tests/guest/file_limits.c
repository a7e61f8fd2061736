/*
 * Programs of one user that open files without end: he gets an error, others go on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 20, FILES = 4000 };

HELPER(nothing)
{
	return 0;
}

static int open_plain(void)
{
	return open("/", O_RDONLY | O_DIRECTORY);
}

static int open_pipe(void)
{
	int fd[2];

	return pipe(fd);
}

static int open_event(void)
{
	return eventfd(0, 0);
}

static int open_unix(void)
{
	return socket(AF_UNIX, SOCK_DGRAM, 0);
}

static int open_inet(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0);
}

/* As many as there may be; then waits, with all of them open. */
static void hoard(uid_t uid, int (*open_one)(void), struct gate *opened, struct gate *done)
{
	struct rlimit limit = { FILES, FILES };
	int error = 0;

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	drop_to_user(uid, uid);
	while (open_one() >= 0)
		;
	error = errno;
	CHECK(error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM);
	gate_open(opened);
	gate_pass(done);
	_exit(0);
}

/* What anybody who works on a machine does. */
static void check_room(int files)
{
	char *argv[] = { (char *)test_self, "--helper=nothing", NULL };
	int fd[2];

	for (int i = 0; i < files; i++)
		CHECK_OK(open("/dev/null", O_RDWR));
	CHECK_OK(pipe(fd));
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	CHECK_OK(socket(AF_INET, SOCK_DGRAM, 0));
	CHECK_OK(chdir("/"));
	pid_t pid = FORK();
	if (pid == 0) {
		execv(test_self, argv);
		_exit(99);
	}
	CHECK_EXITED(pid, 0);
}

/* Hoarders of `users` users, from 1000 on; what is left for root and for others. */
static void check_hoarders(int users, int (*open_one)(void), int others)
{
	pid_t pid[PROCESSES];
	struct gate opened, done;

	gate_init(&opened);
	gate_init(&done);
	for (int i = 0; i < PROCESSES; i++) {
		pid[i] = FORK();
		if (pid[i] == 0)
			hoard(1000 + (uid_t)(i % users), open_one, &opened, &done);
	}
	for (int i = 0; i < PROCESSES; i++)
		gate_pass(&opened);
	SUBPROCESS {
		check_room(500);
	}
	if (others)
		SUBPROCESS {
			drop_to_user(2001, 2001);
			check_room(others);
		}
	for (int i = 0; i < PROCESSES; i++)
		gate_open(&done);
	for (int i = 0; i < PROCESSES; i++)
		CHECK_EXITED(pid[i], 0);
	check_room(10);
}

TEST(file_limits, one_user)
{
	ROOT_NEEDED();
	check_hoarders(1, open_plain, 500);
}

TEST(file_limits, several_users)
{
	ROOT_NEEDED();
	check_hoarders(5, open_plain, 0);
}

TEST(file_limits, pipes)
{
	ROOT_NEEDED();
	check_hoarders(1, open_pipe, 500);
}

TEST(file_limits, events)
{
	ROOT_NEEDED();
	check_hoarders(1, open_event, 500);
}

TEST(file_limits, sockets_of_several_users)
{
	ROOT_NEEDED();
	check_hoarders(5, open_unix, 0);
}

TEST(file_limits, network_sockets_of_several_users)
{
	ROOT_NEEDED();
	check_hoarders(5, open_inet, 0);
}
