/*
 * Named pipes: opening meets the other side, the name outlives its users.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(fifo, is_created)
{
	struct stat info;

	umask(027);
	CHECK_OK(mkfifo("f", 0666));
	CHECK_OK(stat("f", &info));
	CHECK_EQ(info.st_mode, S_IFIFO | 0640);
	CHECK_EQ(info.st_size, 0);
	CHECK_ERRNO(mkfifo("f", 0666), EEXIST);
	CHECK_ERRNO(mkfifo("no/f", 0666), ENOENT);
	CHECK_OK(mknod("g", S_IFIFO | 0600, 0));
	CHECK_OK(mkfifoat(AT_FDCWD, "h", 0600));
}

TEST(fifo, opening_waits_for_the_other_side)
{
	char byte;

	CHECK_OK(mkfifo("f", 0600));
	pid_t pid = FORK();
	if (pid == 0) {
		int fd = CHECK_OK(open("f", O_WRONLY));

		CHECK_EQ(write(fd, "x", 1), 1);
		_exit(0);
	}
	wait_until_blocked(pid);
	int fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_EXITED(pid, 0);
	CHECK_EQ(read(fd, &byte, 1), 0);
	CHECK_OK(close(fd));
	pid = FORK();
	if (pid == 0) {
		fd = CHECK_OK(open("f", O_RDONLY));
		CHECK_EQ(read(fd, &byte, 1), 1);
		_exit(byte);
	}
	wait_until_blocked(pid);
	fd = CHECK_OK(open("f", O_WRONLY));
	CHECK_EQ(write(fd, "\11", 1), 1);
	CHECK_EXITED(pid, 9);
}

TEST(fifo, opening_without_blocking)
{
	char byte;

	CHECK_OK(mkfifo("f", 0600));
	CHECK_ERRNO(open("f", O_WRONLY | O_NONBLOCK), ENXIO);
	int in = CHECK_OK(open("f", O_RDONLY | O_NONBLOCK));
	CHECK_EQ(read(in, &byte, 1), 0);
	int out = CHECK_OK(open("f", O_WRONLY | O_NONBLOCK));
	CHECK_ERRNO(read(in, &byte, 1), EAGAIN);
	CHECK_EQ(write(out, "x", 1), 1);
	CHECK_EQ(read(in, &byte, 1), 1);
	CHECK_OK(close(in));
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERRNO(write(out, "x", 1), EPIPE);
}

TEST(fifo, opened_for_both)
{
	char byte;

	CHECK_OK(mkfifo("f", 0600));
	int fd = CHECK_OK(open("f", O_RDWR));
	CHECK_EQ(write(fd, "y", 1), 1);
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_EQ(byte, 'y');
	CHECK_ERRNO(lseek(fd, 0, SEEK_SET), ESPIPE);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(fifo, opening_is_interrupted)
{
	CHECK_OK(mkfifo("f", 0600));
	handler_set(SIGALRM, nothing, 0);
	alarm_pump_start();
	CHECK_ERRNO(open("f", O_RDONLY), EINTR);
	CHECK_ERRNO(open("f", O_WRONLY), EINTR);
	alarm_pump_stop();
}

TEST(fifo, data_is_lost_with_the_last_descriptor)
{
	char byte;

	CHECK_OK(mkfifo("f", 0600));
	int fd = CHECK_OK(open("f", O_RDWR));
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_OK(close(fd));
	fd = CHECK_OK(open("f", O_RDONLY | O_NONBLOCK));
	CHECK_EQ(read(fd, &byte, 1), 0);
}

TEST(fifo, several_writers_then_end_of_file)
{
	enum { WRITERS = 4 };
	char bytes[WRITERS * 50];
	size_t total = 0;
	ssize_t got;

	CHECK_OK(mkfifo("f", 0600));
	for (int i = 0; i < WRITERS; i++)
		if (FORK() == 0) {
			int fd = CHECK_OK(open("f", O_WRONLY));

			for (int j = 0; j < 50; j++)
				CHECK_EQ(write(fd, "z", 1), 1);
			_exit(0);
		}
	/* A reader that keeps a writer open itself until all the others are there. */
	int both = CHECK_OK(open("f", O_RDWR));
	for (int i = 0; i < WRITERS; i++)
		CHECK_OK(wait(NULL));
	int fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(close(both));
	while ((got = CHECK_OK(read(fd, bytes, sizeof(bytes)))) > 0)
		total += got;
	CHECK_EQ(total, WRITERS * 50);
}

TEST(fifo, works_after_its_name_is_gone)
{
	char text[8];

	CHECK_OK(mkfifo("f", 0600));
	int in = CHECK_OK(open("f", O_RDONLY | O_NONBLOCK)), out = CHECK_OK(open("f", O_WRONLY));
	CHECK_OK(unlink("f"));
	CHECK_EQ(write(out, "still", 5), 5);
	CHECK_EQ(read(in, text, 8), 5);
	/* A new one of the same name is another pipe. */
	CHECK_OK(mkfifo("f", 0600));
	CHECK_ERRNO(open("f", O_WRONLY | O_NONBLOCK), ENXIO);
}

TEST(fifo, two_names_one_pipe)
{
	char text[8];

	CHECK_OK(mkfifo("f", 0600));
	CHECK_OK(link("f", "g"));
	int in = CHECK_OK(open("f", O_RDONLY | O_NONBLOCK)), out = CHECK_OK(open("g", O_WRONLY));
	CHECK_EQ(write(out, "same", 4), 4);
	CHECK_EQ(read(in, text, 8), 4);
}
