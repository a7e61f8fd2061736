/*
 * The file server is ended and started again, and nobody but the one who asked for it notices.
 *
 * On Linux, where there is nothing of the kind, the same things happen undisturbed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void restart(void)
{
	int fd = open("/proc/sys/troupe/restart", O_WRONLY);

	if (fd < 0) {
		CHECK_EQ(errno, ENOENT);
		return;
	}
	CHECK_EQ(write(fd, "vfs", 3), 3);
	CHECK_OK(close(fd));
}

TEST(recovery, names_and_contents)
{
	char buffer[16];
	struct stat before, after;

	CHECK_OK(mkdir("d", 0700));
	file_write("d/f", "contents", 8);
	CHECK_OK(symlink("d/f", "l"));
	CHECK_OK(link("d/f", "g"));
	CHECK_OK(stat("g", &before));
	restart();
	CHECK_OK(stat("l", &after));
	CHECK_EQ(before.st_ino, after.st_ino);
	CHECK_EQ(before.st_dev, after.st_dev);
	CHECK_EQ(after.st_nlink, 2);
	CHECK_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	CHECK_EQ(file_read("l", buffer, sizeof(buffer)), 8);
	CHECK_ERRNO(mkdir("d", 0700), EEXIST);
	CHECK_OK(unlink("d/f"));
	restart();
	CHECK_ERRNO(stat("l", &after), ENOENT);
	CHECK_EQ(file_read("g", buffer, sizeof(buffer)), 8);
	CHECK_OK(rmdir("d"));
}

TEST(recovery, open_files)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT | O_APPEND, 0600)), copy = CHECK_OK(dup(fd));
	char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), buffer[16];
	struct stat st;

	CHECK(map != MAP_FAILED);
	CHECK_EQ(write(fd, "one", 3), 3);
	CHECK_OK(unlink("f"));
	restart();
	CHECK_EQ(write(copy, "two", 3), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 6);
	CHECK_EQ(st.st_nlink, 0);
	CHECK(memcmp(map, "onetwo", 6) == 0);
	map[0] = 'O';
	restart();
	CHECK_EQ(pread(fd, buffer, sizeof(buffer), 0), 6);
	CHECK(memcmp(buffer, "Onetwo", 6) == 0);
	CHECK_OK(ftruncate(fd, 2));
	CHECK_EQ(pread(copy, buffer, sizeof(buffer), 0), 2);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_APPEND, O_APPEND);
}

TEST(recovery, working_directory)
{
	char before[300], after[300];

	CHECK_OK(mkdir("w", 0700));
	CHECK_OK(chdir("w"));
	CHECK(getcwd(before, sizeof(before)));
	restart();
	CHECK(getcwd(after, sizeof(after)));
	CHECK_STR(before, after);
	file_write("here", "x", 1);
	CHECK_OK(access("../w/here", F_OK));
}

/* A directory that is being read goes on where it was. */
TEST(recovery, listing)
{
	char name[] = "n00";
	int seen = 0;
	DIR *dir;

	for (int i = 0; i < 90; i++) {
		name[1] = (char)('0' + i / 10);
		name[2] = (char)('0' + i % 10);
		file_write(name, "", 0);
	}
	dir = opendir(".");
	CHECK(dir);
	for (struct dirent *e; (e = readdir(dir)); seen++) {
		if (seen % 20 == 0)
			restart();
	}
	CHECK_EQ(seen, 92);
	CHECK_OK(closedir(dir));
}

TEST(recovery, pipes)
{
	char buffer[8];
	int fd[2];

	CHECK_OK(pipe(fd));
	CHECK_EQ(write(fd[1], "abc", 3), 3);
	restart();
	CHECK_EQ(read(fd[0], buffer, 1), 1);
	CHECK_EQ(write(fd[1], "d", 1), 1);
	CHECK_OK(close(fd[1]));
	restart();
	CHECK_EQ(read(fd[0], buffer, sizeof(buffer)), 3);
	CHECK(memcmp(buffer, "bcd", 3) == 0);
	CHECK_EQ(read(fd[0], buffer, sizeof(buffer)), 0);
}

/*
 * Runs `wait_for` in a child until it sleeps, restarts the server, lets `let_go` end the wait: the
 * child ends with 0.
 */
static void disturbed(void (*wait_for)(void), void (*let_go)(void))
{
	pid_t pid = FORK();

	if (pid == 0) {
		wait_for();
		_exit(0);
	}
	for (int i = 0; i < 3; i++) {
		wait_until_blocked(pid);
		CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
		restart();
	}
	wait_until_blocked(pid);
	let_go();
	CHECK_EXITED(pid, 0);
}

static void fifo_open_to_read(void)
{
	char c = 0;
	int fd = CHECK_OK(open("p", O_RDONLY));

	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, 'x');
}

static void fifo_open_to_write(void)
{
	int fd = CHECK_OK(open("p", O_WRONLY));

	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(close(fd));
}

TEST(recovery, fifo_that_is_waited_for)
{
	CHECK_OK(mkfifo("p", 0600));
	disturbed(fifo_open_to_read, fifo_open_to_write);
	disturbed(fifo_open_to_write, fifo_open_to_read);
}

static int locked;

static void flock_wait(void)
{
	int fd = CHECK_OK(open("f", O_RDWR));

	CHECK_OK(flock(fd, LOCK_EX));
}

static void flock_release(void)
{
	CHECK_OK(flock(locked, LOCK_UN));
}

TEST(recovery, flock_that_is_waited_for)
{
	locked = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	CHECK_OK(flock(locked, LOCK_EX));
	disturbed(flock_wait, flock_release);
}

static struct flock whole(short type)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET };
}

static void record_wait(void)
{
	struct flock lock = whole(F_WRLCK);

	CHECK_OK(fcntl(locked, F_SETLKW, &lock));
}

static void record_release(void)
{
	struct flock lock = whole(F_UNLCK);

	CHECK_OK(fcntl(locked, F_SETLK, &lock));
}

TEST(recovery, record_lock_that_is_waited_for)
{
	struct flock lock = whole(F_WRLCK);

	locked = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	CHECK_OK(fcntl(locked, F_SETLK, &lock));
	disturbed(record_wait, record_release);
	/* The child's lock went with it. */
	lock = whole(F_WRLCK);
	restart();
	CHECK_OK(fcntl(locked, F_SETLK, &lock));
}

/* --- sockets ------------------------------------------------------------------------------ */

TEST(recovery, socket_conversation)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	char buffer[100];
	int sv[2];

	for (size_t t = 0; t < LENGTH(types); t++) {
		CHECK_OK(socketpair(AF_UNIX, types[t], 0, sv));
		pid_t pid = FORK();
		if (pid == 0) {
			CHECK_OK(close(sv[0]));
			for (int i = 0; i < 40; i++) {
				CHECK_EQ(recv(sv[1], buffer, sizeof(buffer), 0), 5);
				CHECK_EQ(buffer[4], i);
				CHECK_EQ(send(sv[1], buffer, 5,
					      i & 1 ? MSG_NOSIGNAL | MSG_MORE : 0),
					 5);
			}
			_exit(0);
		}
		CHECK_OK(close(sv[1]));
		for (int i = 0; i < 40; i++) {
			memcpy(buffer, "ping", 5);
			buffer[4] = (char)i;
			if (i % 5 == 0)
				restart();
			CHECK_EQ(send(sv[0], buffer, 5, 0), 5);
			if (i % 7 == 0)
				restart();
			memset(buffer, 9, 5);
			CHECK_EQ(recv(sv[0], buffer, sizeof(buffer), 0), 5);
			CHECK_EQ(buffer[4], i);
		}
		CHECK_EXITED(pid, 0);
		if (types[t] != SOCK_DGRAM)
			CHECK_EQ(read(sv[0], buffer, 1), 0);
		CHECK_OK(close(sv[0]));
	}
}

static int connected[2];

static void message_wait(void)
{
	char buffer[10];
	struct iovec v = { buffer, sizeof(buffer) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	CHECK_EQ(recvmsg(connected[0], &m, 0), 3);
	CHECK(memcmp(buffer, "abc", 3) == 0);
}

static void message_send(void)
{
	CHECK_EQ(write(connected[1], "abc", 3), 3);
}

TEST(recovery, message_that_is_waited_for)
{
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, connected));
	disturbed(message_wait, message_send);
	CHECK_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, connected));
	disturbed(message_wait, message_send);
}

static int listening;
static const struct sockaddr_un place = { AF_UNIX, "socket" };

static void accept_wait(void)
{
	char buffer[10];
	int s = CHECK_OK(accept(listening, NULL, NULL));

	CHECK_EQ(read(s, buffer, sizeof(buffer)), 3);
}

static void accept_let_go(void)
{
	int s = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));

	CHECK_OK(connect(s, (const void *)&place, sizeof(place)));
	restart();
	CHECK_EQ(write(s, "abc", 3), 3);
}

TEST(recovery, connection_that_is_waited_for)
{
	listening = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_OK(bind(listening, (const void *)&place, sizeof(place)));
	CHECK_OK(listen(listening, 5));
	restart();
	disturbed(accept_wait, accept_let_go);
	/* and one that nobody waits for yet */
	int s = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_OK(connect(s, (const void *)&place, sizeof(place)));
	CHECK_EQ(write(s, "xyz", 3), 3);
	restart();
	accept_wait();
	restart();
	CHECK_OK(close(listening));
	CHECK_ERRNO(connect(CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), (const void *)&place,
			    sizeof(place)),
		    ECONNREFUSED);
}

TEST(recovery, descriptors_on_their_way)
{
	_Alignas(8) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec v = { "x", 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = (void *)control;
	char buffer[10];
	int sv[2], p[2], fd;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	CHECK_OK(pipe(p));
	c->cmsg_len = CMSG_LEN(sizeof(int));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(c), &p[1], sizeof(int));
	CHECK_EQ(sendmsg(sv[0], &m, 0), 1);
	CHECK_OK(close(p[1]));
	restart();
	v.iov_base = buffer;
	m.msg_controllen = sizeof(control);
	CHECK_EQ(recvmsg(sv[1], &m, 0), 1);
	memcpy(&fd, CMSG_DATA(c), sizeof(int));
	restart();
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_OK(close(fd));
	CHECK_EQ(read(p[0], buffer, sizeof(buffer)), 3);
	CHECK_EQ(read(p[0], buffer, sizeof(buffer)), 0);
}

/* A wait that was taken over can still be interrupted, and its thread killed. */
TEST(recovery, waits_can_be_ended)
{
	pid_t pid;

	CHECK_OK(mkfifo("p", 0600));
	pid = FORK();
	if (pid == 0) {
		open("p", O_RDONLY);
		_exit(1);
	}
	wait_until_blocked(pid);
	restart();
	wait_until_blocked(pid);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
	CHECK_ERRNO(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
}

/* Files that others close, and processes that end, while nobody is there to hear of it. */
TEST(recovery, closes)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600)), other;
	pid_t pid[4];

	for (size_t i = 0; i < LENGTH(pid); i++) {
		pid[i] = FORK();
		if (pid[i] == 0) {
			for (int n = 0; n < 200; n++)
				close(open("f", O_RDONLY));
			_exit(0);
		}
	}
	for (int i = 0; i < 10; i++)
		restart();
	for (size_t i = 0; i < LENGTH(pid); i++)
		CHECK_EXITED(pid[i], 0);
	CHECK_OK(flock(fd, LOCK_EX));
	CHECK_OK(close(fd));
	restart();
	other = CHECK_OK(open("f", O_RDWR));
	CHECK_OK(flock(other, LOCK_EX | LOCK_NB));
}

/* What is made while the server dies again and again is there once, and whole. */
TEST(recovery, changes_happen_once)
{
	siginfo_t info = { 0 };
	pid_t pid = FORK();
	struct stat st;

	if (pid == 0) {
		char name[8] = "m", other[8] = "r";

		for (int i = 0; i < 300; i++) {
			name[1] = (char)('a' + i % 26);
			name[2] = (char)('a' + i / 26);
			memcpy(other + 1, name + 1, 3);
			CHECK_OK(close(CHECK_OK(open(name, O_WRONLY | O_CREAT | O_EXCL, 0600))));
			CHECK_OK(rename(name, other));
			CHECK_OK(link(other, name));
			CHECK_OK(unlink(other));
			CHECK_OK(mkdir(other, 0700));
			CHECK_OK(rmdir(other));
		}
		_exit(0);
	}
	for (int i = 0; i < 100 && !info.si_pid; i++) {
		usleep(2000);
		restart();
		CHECK_OK(waitid(P_PID, (id_t)pid, &info, WNOHANG | WNOWAIT | WEXITED));
	}
	CHECK_EXITED(pid, 0);
	CHECK_OK(stat("maa", &st));
	CHECK_EQ(st.st_nlink, 1);
	CHECK_ERRNO(stat("raa", &st), ENOENT);
}
