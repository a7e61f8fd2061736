/*
 * Terminals, as far as they show without one: /dev/tty with no controlling terminal, and what
 * terminal calls say about everything that is not a terminal. The line discipline is tested by the
 * shell sessions at the console.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

TEST(tty, node)
{
	struct stat info;

	CHECK_OK(stat("/dev/tty", &info));
	CHECK(S_ISCHR(info.st_mode));
	CHECK_EQ(info.st_rdev, makedev(5, 0));
	CHECK_OK(stat("/dev/console", &info));
	CHECK(S_ISCHR(info.st_mode));
	CHECK_EQ(info.st_rdev, makedev(5, 1));
}

TEST(tty, no_controlling_terminal)
{
	SUBPROCESS {
		CHECK_OK(setsid());
		CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_ERRNO(open("/dev/tty", O_RDONLY | O_NOCTTY), ENXIO);
		SUBPROCESS {
			CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		}
	}
}

static void check_not_a_terminal(int fd)
{
	struct termios termios;
	struct winsize size;
	int value = 0;

	CHECK_EQ(isatty(fd), 0);
	CHECK_EQ(errno, ENOTTY);
	CHECK_ERRNO(tcgetattr(fd, &termios), ENOTTY);
	CHECK_ERRNO(ioctl(fd, TIOCGWINSZ, &size), ENOTTY);
	CHECK_ERRNO(tcgetpgrp(fd), ENOTTY);
	CHECK_ERRNO(tcsetpgrp(fd, getpgrp()), ENOTTY);
	CHECK_ERRNO(tcgetsid(fd), ENOTTY);
	CHECK_ERRNO(ioctl(fd, TIOCSCTTY, 0), ENOTTY);
	CHECK_ERRNO(ioctl(fd, TIOCNOTTY), ENOTTY);
	CHECK_ERRNO(ioctl(fd, TIOCGPGRP, &value), ENOTTY);
	CHECK_ERRNO(tcflush(fd, TCIFLUSH), ENOTTY);
	CHECK_ERRNO(tcsendbreak(fd, 0), ENOTTY);
	CHECK(ttyname(fd) == NULL);
}

TEST(tty, other_files_are_no_terminals)
{
	int fd[2];

	CHECK_OK(pipe(fd));
	check_not_a_terminal(fd[0]);
	check_not_a_terminal(fd[1]);
	check_not_a_terminal(CHECK_OK(open("/dev/null", O_RDWR)));
	check_not_a_terminal(CHECK_OK(open("/dev/zero", O_RDWR)));
	check_not_a_terminal(CHECK_OK(open("f", O_RDWR | O_CREAT, 0644)));
	check_not_a_terminal(CHECK_OK(open(".", O_RDONLY)));
}

TEST(tty, bad_descriptors)
{
	struct termios termios;

	CHECK_ERRNO(tcgetattr(99, &termios), EBADF);
	CHECK_EQ(isatty(99), 0);
	CHECK_EQ(errno, EBADF);
	CHECK_ERRNO(tcgetpgrp(99), EBADF);
}

TEST(tty, unknown_requests)
{
	int file = CHECK_OK(open("f", O_RDWR | O_CREAT, 0644)), fd[2];

	CHECK_OK(pipe(fd));
	CHECK_ERRNO(ioctl(file, 0x12345678, 0), ENOTTY);
	CHECK_ERRNO(ioctl(file, 0xdeadbeef, BAD_KERNEL), ENOTTY);
	CHECK_ERRNO(ioctl(fd[0], 0x12345678, 0), ENOTTY);
	CHECK_ERRNO(ioctl(CHECK_OK(open("/dev/null", O_RDWR)), 0x12345678, 0), ENOTTY);
	CHECK_ERRNO(ioctl(99, 0x12345678, 0), EBADF);
}

TEST(tty, stat_has_no_terminal_without_one)
{
	SUBPROCESS {
		char text[512], state;
		int parent, group, session, terminal, foreground;

		CHECK_OK(setsid());
		text[file_read("/proc/self/stat", text, sizeof(text) - 1)] = 0;
		CHECK_EQ(sscanf(text, "%*d (%*[^)]) %c %d %d %d %d %d", &state, &parent, &group,
				&session, &terminal, &foreground), 6);
		CHECK_EQ(group, getpid());
		CHECK_EQ(session, getpid());
		CHECK_EQ(terminal, 0);
		CHECK_EQ(foreground, -1);
	}
}
