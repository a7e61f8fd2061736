/*
 * Pseudo-terminals: the nodes in /dev/pts, opening, what each end sees of the other's closing,
 * packet mode, and programs on them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pty_pair.h"

/* --- nodes and names ---------------------------------------------------------------------- */

TEST(pty, nodes)
{
	ROOT_NEEDED();
	struct stat info, opened;
	unsigned number;

	CHECK_OK(stat("/dev/ptmx", &info));
	CHECK(S_ISCHR(info.st_mode));
	CHECK_EQ(info.st_rdev, makedev(5, 2));
	pair_open();
	CHECK_OK(ioctl(master, TIOCGPTN, &number));
	CHECK_OK(stat(name, &info));
	CHECK(S_ISCHR(info.st_mode));
	CHECK_EQ(info.st_rdev, makedev(136, number));
	CHECK_EQ(info.st_uid, 0);
	CHECK_EQ(info.st_nlink, 1);
	CHECK_OK(fstat(slave, &opened));
	CHECK_EQ(opened.st_ino, info.st_ino);
	CHECK_EQ(opened.st_dev, info.st_dev);
	CHECK_OK(fstat(master, &opened));
	CHECK_EQ(opened.st_rdev, makedev(5, 2));
}

TEST(pty, names)
{
	char text[64];

	pair_open();
	CHECK_STR(ptsname(master), name);
	CHECK_STR(ttyname(slave), name);
	snprintf(text, sizeof(text), "/proc/self/fd/%d", slave);
	char link[64] = "";
	CHECK_OK(readlink(text, link, sizeof(link) - 1));
	CHECK_STR(link, name);
	CHECK_EQ(isatty(slave), 1);
	CHECK_EQ(isatty(master), 1);
	CHECK_OK(grantpt(master));
	CHECK_OK(close(CHECK_OK(open(text, O_RDWR | O_NOCTTY)))); /* through the magic link */
}

TEST(pty, directory)
{
	DIR *dir;
	bool found = false;

	pair_open();
	dir = opendir("/dev/pts");
	CHECK(dir);
	for (struct dirent *e; (e = readdir(dir));)
		found |= strcmp(e->d_name, strrchr(name, '/') + 1) == 0;
	CHECK(found);
	closedir(dir);
}

TEST(pty, file_system)
{
	ROOT_NEEDED();
	struct statfs info;

	pair_open();
	CHECK_OK(statfs("/dev/pts", &info));
	CHECK_EQ(info.f_type, DEVPTS_MAGIC);
	CHECK_ERRNO(mkdir("/dev/pts/d", 0700), EPERM);
	CHECK_ERRNO(open("/dev/pts/f", O_RDWR | O_CREAT, 0600), EACCES);
	CHECK_ERRNO(symlink("x", "/dev/pts/l"), EPERM);
	CHECK_ERRNO(unlink(name), EPERM);
	CHECK_ERRNO(rename(name, "/dev/pts/other"), EPERM);
	CHECK_ERRNO(open("/dev/pts/99999", O_RDWR), ENOENT);
}

TEST(pty, node_goes_with_the_master)
{
	struct stat info;

	master_open();
	CHECK_OK(stat(name, &info));
	CHECK_OK(close(master));
	CHECK_ERRNO(stat(name, &info), ENOENT);
	pair_open(); /* an open slave does not keep it */
	CHECK_OK(close(master));
	CHECK_ERRNO(stat(name, &info), ENOENT);
	CHECK_OK(fstat(slave, &info));
	CHECK(S_ISCHR(info.st_mode));
}

TEST(pty, node_goes_when_the_process_dies)
{
	struct stat info;
	char (*shared)[32] = map_shared(PAGE);

	SUBPROCESS {
		pair_open();
		strcpy(*shared, name);
	}
	CHECK_ERRNO(stat(*shared, &info), ENOENT);
}

TEST(pty, many)
{
	int fd[100];
	unsigned number[100];

	for (int i = 0; i < 100; i++) {
		fd[i] = CHECK_OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
		CHECK_OK(ioctl(fd[i], TIOCGPTN, &number[i]));
		for (int j = 0; j < i; j++)
			CHECK_NE(number[i], number[j]);
	}
	for (int i = 0; i < 100; i++)
		CHECK_OK(close(fd[i]));
	for (int i = 0; i < 300; i++) { /* and again and again */
		pair_open();
		put(slave, "x");
		CHECK_OK(close(i & 1 ? master : slave));
		CHECK_OK(close(i & 1 ? slave : master));
	}
}

TEST(pty, owner_and_permission)
{
	ROOT_NEEDED();
	struct stat info;

	pair_open();
	CHECK_OK(chown(name, 1000, 1000));
	CHECK_OK(chmod(name, 0600));
	CHECK_OK(fstat(slave, &info));
	CHECK_EQ(info.st_uid, 1000);
	CHECK_EQ(info.st_gid, 1000);
	CHECK_EQ(info.st_mode & 07777, 0600);
	CHECK_OK(fchmod(slave, 0622));
	CHECK_OK(stat(name, &info));
	CHECK_EQ(info.st_mode & 07777, 0622);
	CHECK_OK(chmod(name, 0600));
	SUBPROCESS {
		drop_to_user(1001, 1001);
		CHECK_ERRNO(open(name, O_RDWR | O_NOCTTY), EACCES);
	}
	SUBPROCESS {
		drop_to_user(1000, 1000);
		CHECK_OK(close(CHECK_OK(open(name, O_RDWR | O_NOCTTY))));
		pair_open();
		CHECK_OK(stat(name, &info));
		CHECK_EQ(info.st_uid, 1000);
	}
}

/* --- opening ------------------------------------------------------------------------------ */

TEST(pty, locked_until_unlocked)
{
	int value = -1, one = 1;

	master_open();
	CHECK_OK(ioctl(master, TIOCGPTLCK, &value));
	CHECK_EQ(value, 1);
	CHECK_ERRNO(open(name, O_RDWR | O_NOCTTY), EIO);
	CHECK_OK(unlockpt(master));
	CHECK_OK(ioctl(master, TIOCGPTLCK, &value));
	CHECK_EQ(value, 0);
	slave = slave_open(O_NOCTTY);
	CHECK_OK(ioctl(master, TIOCSPTLCK, &one));
	CHECK_ERRNO(open(name, O_RDWR | O_NOCTTY), EIO);
	CHECK_OK(close(slave));
}

TEST(pty, peer)
{
	master_open();
	CHECK_ERRNO(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY), EIO); /* locked */
	unlock();
	slave = CHECK_OK(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
	CHECK_EQ(fcntl(slave, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(slave, F_GETFL) & O_ACCMODE, O_RDWR);
	CHECK_STR(ttyname(slave), name);
	put(slave, "hello");
	expect(master, "hello");
	slave = CHECK_OK(ioctl(master, TIOCGPTPEER, O_RDONLY | O_NOCTTY));
	CHECK_ERRNO(write(slave, "x", 1), EBADF);
}

TEST(pty, requests_of_the_master_alone)
{
	int value = 1;

	pair_open();
	CHECK_ERRNO(ioctl(slave, TIOCGPTN, &value), ENOTTY);
	CHECK_ERRNO(ioctl(slave, TIOCSPTLCK, &value), ENOTTY);
	CHECK_ERRNO(ioctl(slave, TIOCGPTLCK, &value), ENOTTY);
	CHECK_ERRNO(ioctl(slave, TIOCPKT, &value), ENOTTY);
	CHECK_ERRNO(ioctl(slave, TIOCGPTPEER, O_RDWR), EIO);
	CHECK_ERRNO(ioctl(master, TIOCGPTN, BAD_UNMAPPED), EFAULT);
	CHECK_ERRNO(ioctl(master, TIOCSPTLCK, BAD_KERNEL), EFAULT);
	CHECK_ERRNO(ioctl(master, 0x12345678, 0), ENOTTY);
	CHECK_ERRNO(ioctl(master, TIOCNOTTY, 0), ENOTTY);
}

TEST(pty, exclusive)
{
	ROOT_NEEDED();
	int value = -1;

	pair_open();
	CHECK_OK(chmod(name, 0666));
	CHECK_OK(ioctl(slave, TIOCEXCL));
	CHECK_OK(ioctl(slave, TIOCGEXCL, &value));
	CHECK_EQ(value, 1);
	CHECK_OK(close(slave_open(O_NOCTTY))); /* root may */
	SUBPROCESS {
		drop_to_user(1000, 1000);
		CHECK_ERRNO(open(name, O_RDWR | O_NOCTTY), EBUSY);
	}
	CHECK_OK(ioctl(slave, TIOCNXCL));
	SUBPROCESS {
		drop_to_user(1000, 1000);
		CHECK_OK(open(name, O_RDWR | O_NOCTTY));
	}
}

TEST(pty, no_positions)
{
	char c;

	pair_open();
	CHECK_ERRNO(lseek(master, 0, SEEK_SET), ESPIPE);
	CHECK_ERRNO(lseek(slave, 0, SEEK_CUR), ESPIPE);
	CHECK_ERRNO(pread(master, &c, 1, 0), ESPIPE);
	CHECK_ERRNO(pwrite(slave, "x", 1, 0), ESPIPE);
	CHECK_EQ(read(master, &c, 0), 0);
	CHECK_EQ(write(master, "", 0), 0);
	CHECK_ERRNO(write(master, BAD_UNMAPPED, 10), EFAULT);
	CHECK_ERRNO(write(slave, BAD_UNMAPPED, 10), EFAULT);
}

/* --- one end and the other ---------------------------------------------------------------- */

TEST(pty, master_before_and_after_the_slave)
{
	char c;

	master_open();
	nonblock(master);
	CHECK_EQ(poll_now(master, 0), OUT);
	CHECK_ERRNO(read(master, &c, 1), EAGAIN); /* not hung up: never opened */
	unlock();
	put(master, "early\n");
	slave = slave_open(O_NOCTTY);
	expect(slave, "early\n");
	wait_for(master, POLLIN);
	expect(master, "early\r\n");
	put(slave, "last words");
	CHECK_OK(close(slave));
	wait_for(master, POLLIN);
	while (!(poll_now(master, 10) & POLLHUP))
		;
	expect(master, "last words"); /* first what is pending */
	CHECK_ERRNO(read(master, &c, 1), EIO);
	CHECK_EQ(poll_now(master, 0), POLLHUP | OUT);
	put(master, "between\n");
	slave = slave_open(O_NOCTTY); /* and it lives again */
	CHECK_EQ(poll_now(master, 0) & POLLHUP, 0);
	wait_for(master, POLLIN);
	expect(master, "between\r\n");
	CHECK_ERRNO(read(master, &c, 1), EAGAIN);
	expect(slave, "between\n");
}

TEST(pty, blocked_master_sees_the_last_close)
{
	int second;
	char c;

	pair_open();
	second = CHECK_OK(dup(slave));
	pid_t pid = FORK();
	if (pid == 0) {
		close(slave);
		close(second);
		CHECK_ERRNO(read(master, &c, 1), EIO);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(close(slave));
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK_OK(close(second));
	CHECK_EXITED(pid, 0);
}

TEST(pty, slave_after_the_master)
{
	struct termios t;
	char c;
	int value = 0;

	pair_open();
	put(master, "unread\n");
	wait_for(slave, POLLIN);
	CHECK_OK(close(master));
	CHECK_EQ(read(slave, &c, 1), 0);
	CHECK_ERRNO(write(slave, "x", 1), EIO);
	CHECK_ERRNO(tcgetattr(slave, &t), EIO);
	CHECK_ERRNO(ioctl(slave, FIONREAD, &value), EIO);
	CHECK_ERRNO(tcsetpgrp(slave, getpgrp()), ENOTTY);
	CHECK_EQ(poll_now(slave, 0), IN | OUT | POLLERR | POLLHUP);
	CHECK_OK(ioctl(slave, FIONBIO, &value));
}

TEST(pty, blocked_slave_sees_the_masters_close)
{
	static char block[100000];
	char c;

	pair_open();
	for (int writes = 0; writes < 2; writes++) {
		pid_t pid = FORK();

		if (pid == 0) {
			close(master);
			if (!writes)
				CHECK_ERRNO(read(slave, &c, 1), EIO);
			else
				CHECK_LT(write(slave, block, sizeof(block)), sizeof(block));
			_exit(0);
		}
		wait_until_blocked(pid);
		if (writes) {
			CHECK_OK(close(master));
			CHECK_EXITED(pid, 0);
			continue;
		}
		CHECK_OK(close(master));
		CHECK_EXITED(pid, 0);
		pair_open();
		slave_raw();
	}
}

TEST(pty, copies_of_the_master)
{
	char c;
	int copy;

	pair_open();
	nonblock(slave);
	copy = CHECK_OK(dup(master));
	CHECK_OK(close(master));
	CHECK_ERRNO(read(slave, &c, 1), EAGAIN);
	pid_t pid = FORK();
	if (pid == 0) {
		char byte;

		CHECK_EQ(read(copy, &byte, 1), 1);
		_exit(0);
	}
	CHECK_OK(close(copy));
	wait_until_blocked(pid);
	put(slave, "x");
	CHECK_EXITED(pid, 0);
	CHECK_EQ(read(slave, &c, 1), 0);
}

TEST(pty, other_ways_to_close_the_master)
{
	char c;

	for (int way = 0; way < 4; way++) {
		pair_open();
		pid_t pid = way < 3 ? 0 : FORK();

		if (way == 0)
			CHECK_OK(dup2(slave, master));
		else if (way == 1)
			CHECK_OK(dup3(slave, master, O_CLOEXEC));
		else if (way == 2)
			CHECK_OK(syscall(SYS_close_range, master, master, 0));
		else if (pid == 0)
			_exit(execl("/proc/self/exe", "pty", "--helper=nothing", NULL));
		else
			CHECK_OK(close(master));
		wait_for(slave, POLLHUP);
		CHECK_EQ(read(slave, &c, 1), 0);
		if (way == 3)
			CHECK_EXITED(pid, 3);
		CHECK_OK(close(slave));
		close(master);
	}
}

HELPER(nothing)
{
	return 3;
}

/* --- packet mode -------------------------------------------------------------------------- */

static void packet_on(void)
{
	int one = 1, value = 0;

	CHECK_OK(ioctl(master, TIOCPKT, &one));
	CHECK_OK(ioctl(master, TIOCGPKT, &value));
	CHECK_EQ(value, 1);
}

static void check_status(int want)
{
	char got[16];

	CHECK_EQ(read(master, got, sizeof(got)), 1);
	CHECK_EQ(got[0], want);
}

TEST(pty, packets_of_data)
{
	char got[16];

	pair_open();
	packet_on();
	put(slave, "data");
	wait_for(master, POLLIN);
	CHECK_EQ(read(master, got, 3), 3);
	CHECK_EQ(memcmp(got, "\0da", 3), 0);
	CHECK_EQ(read(master, got, sizeof(got)), 3);
	CHECK_EQ(memcmp(got, "\0ta", 3), 0);
	nonblock(master);
	CHECK_ERRNO(read(master, got, sizeof(got)), EAGAIN);
	CHECK_OK(ioctl(master, TIOCPKT, &(int){ 0 }));
	put(slave, "plain");
	wait_for(master, POLLIN);
	expect(master, "plain");
}

TEST(pty, packets_of_status)
{
	struct termios t;
	char got[16];

	pair_open();
	packet_on();
	CHECK_OK(tcflow(slave, TCOOFF));
	CHECK_EQ(poll_now(master, 0) & (POLLPRI | IN), POLLPRI | IN);
	check_status(TIOCPKT_STOP);
	CHECK_EQ(poll_now(master, 0), OUT);
	CHECK_OK(tcflow(slave, TCOON));
	check_status(TIOCPKT_START);
	CHECK_OK(tcflush(slave, TCIFLUSH));
	check_status(TIOCPKT_FLUSHREAD);
	CHECK_OK(tcflush(slave, TCOFLUSH));
	check_status(TIOCPKT_FLUSHWRITE);
	CHECK_OK(tcgetattr(slave, &t));
	t.c_iflag &= ~(tcflag_t)IXON;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	check_status(TIOCPKT_NOSTOP);
	t.c_iflag |= IXON;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	check_status(TIOCPKT_DOSTOP);
	put(slave, "x");
	CHECK_OK(tcflush(slave, TCIFLUSH));
	check_status(TIOCPKT_FLUSHREAD); /* before the data */
	CHECK_EQ(read(master, got, sizeof(got)), 2);
	CHECK_EQ(memcmp(got, "\0x", 2), 0);
}

/* --- programs ----------------------------------------------------------------------------- */

/* What an ssh server does for a login, and what it then sees. */
TEST(pty, login_session)
{
	char got[4096];
	size_t n = 0;
	ssize_t part;

	master_open();
	unlock();
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(setsid());
		slave = slave_open(O_NOCTTY);
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		for (int fd = 0; fd < 3; fd++)
			CHECK_OK(dup2(slave, fd));
		CHECK_OK(close(slave));
		execl(test_self, "pty", "--helper=session", NULL);
		_exit(127);
	}
	put(master, "typed\n");
	while ((part = read(master, got + n, sizeof(got) - 1 - n)) > 0)
		n += (size_t)part;
	CHECK_EQ(part, -1);
	CHECK_EQ(errno, EIO);
	got[n] = 0;
	CHECK_EXITED(pid, 7);
	CHECK(strstr(got, "typed\r\n"));
	CHECK(strstr(got, "on a terminal: 1\r\n"));
	CHECK(strstr(got, "got typed\r\n"));
	CHECK(strstr(got, name));
}

HELPER(session)
{
	char line[64];

	printf("on a terminal: %d\n%s\n", isatty(0), ttyname(0));
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	printf("got %s", line);
	fflush(stdout);
	return 7;
}

/* On Troupe the server that has the names is killed meanwhile; elsewhere nothing happens. */
TEST(pty, survives_the_file_server)
{
	struct stat info;
	int restart = open("/proc/sys/troupe/restart", O_WRONLY);

	pair_open();
	for (int i = 0; i < 5; i++) {
		if (restart >= 0)
			CHECK_OK(write(restart, "vfs", 3));
		put(slave, "x");
		expect(master, "x");
		CHECK_OK(stat(name, &info));
		CHECK_OK(fstat(slave, &info));
	}
	CHECK_OK(close(CHECK_OK(open(name, O_RDWR | O_NOCTTY))));
	if (restart >= 0)
		CHECK_OK(write(restart, "vfs", 3));
	CHECK_OK(close(master));
	CHECK_ERRNO(stat(name, &info), ENOENT);
}
