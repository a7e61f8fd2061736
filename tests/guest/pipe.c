/*
 * Pipes: order, capacity, atomicity of small writes, end of file, broken pipes, interruption.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CAPACITY = 65536 };
static char buffer[CAPACITY + 4096];

static void pipe_new(int fd[2], int flags)
{
	CHECK_OK(pipe2(fd, flags));
}

TEST(pipe, bytes_in_order)
{
	int fd[2];

	pipe_new(fd, 0);
	CHECK_EQ(write(fd[1], "abc", 3), 3);
	CHECK_EQ(write(fd[1], "defgh", 5), 5);
	CHECK_EQ(read(fd[0], buffer, 2), 2);
	CHECK_EQ(memcmp(buffer, "ab", 2), 0);
	CHECK_EQ(read(fd[0], buffer, 100), 6);
	CHECK_EQ(memcmp(buffer, "cdefgh", 6), 0);
}

TEST(pipe, end_of_file)
{
	int fd[2];

	pipe_new(fd, 0);
	int copy = CHECK_OK(dup(fd[1]));
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_OK(close(fd[1]));
	CHECK_EQ(read(fd[0], buffer, 10), 1);
	/* A writer is left, so there is nothing to read but no end either. */
	CHECK_OK(fcntl(fd[0], F_SETFL, O_NONBLOCK));
	CHECK_ERRNO(read(fd[0], buffer, 10), EAGAIN);
	CHECK_OK(close(copy));
	CHECK_EQ(read(fd[0], buffer, 10), 0);
	CHECK_EQ(read(fd[0], buffer, 10), 0);
}

TEST(pipe, end_of_file_wakes_the_reader)
{
	int fd[2];

	pipe_new(fd, 0);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(fd[1]));
		CHECK_EQ(read(fd[0], buffer, 10), 0);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(close(fd[1]));
	CHECK_EXITED(pid, 0);
}

TEST(pipe, broken)
{
	int fd[2];

	pipe_new(fd, 0);
	CHECK_OK(close(fd[0]));
	pid_t pid = FORK();
	if (pid == 0) {
		if (write(fd[1], "x", 1) < 0)
			_exit(1);
		_exit(0);
	}
	CHECK_SIGNALED(pid, SIGPIPE);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERRNO(write(fd[1], "x", 1), EPIPE);
	CHECK_EQ(write(fd[1], "", 0), 0);
}

TEST(pipe, last_reader_leaving_wakes_the_writer)
{
	int fd[2];

	pipe_new(fd, 0);
	pid_t pid = FORK();
	if (pid == 0) {
		signal(SIGPIPE, SIG_IGN);
		CHECK_OK(close(fd[0]));
		CHECK_EQ(write(fd[1], buffer, CAPACITY), CAPACITY);
		CHECK_ERRNO(write(fd[1], "x", 1), EPIPE);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(close(fd[0]));
	CHECK_EXITED(pid, 0);
}

static volatile sig_atomic_t pipe_signals;

static void count_signal(int signal)
{
	(void)signal;
	pipe_signals++;
}

TEST(pipe, broken_in_the_middle_of_a_write)
{
	int fd[2];

	pipe_new(fd, 0);
	pid_t pid = FORK();
	if (pid == 0) {
		signal(SIGPIPE, count_signal);
		CHECK_OK(close(fd[0]));
		/* both: the count and the signal */
		CHECK_EQ(write(fd[1], buffer, sizeof buffer), CAPACITY);
		CHECK_EQ(pipe_signals, 1);
		_exit(0);
	}
	wait_until_blocked(pid);
	CHECK_OK(close(fd[0]));
	CHECK_EXITED(pid, 0);
}

TEST(pipe, capacity)
{
	int fd[2], filled = 0, queued;
	ssize_t got;

	pipe_new(fd, O_NONBLOCK);
	while ((got = write(fd[1], buffer, 4096)) > 0)
		filled += got;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(filled, CAPACITY);
	CHECK_OK(ioctl(fd[0], FIONREAD, &queued));
	CHECK_EQ(queued, CAPACITY);
	CHECK_EQ(read(fd[0], buffer, 4096), 4096);
	CHECK_EQ(write(fd[1], buffer, 4096), 4096);
	CHECK_ERRNO(write(fd[1], buffer, 1), EAGAIN);
}

TEST(pipe, nonblocking_write_of_up_to_pipe_buf_is_all_or_nothing)
{
	int fd[2];

	pipe_new(fd, O_NONBLOCK);
	CHECK_EQ(write(fd[1], buffer, CAPACITY - 100), CAPACITY - 100);
	CHECK_ERRNO(write(fd[1], buffer, PIPE_BUF), EAGAIN);
	/* A longer one may be cut short. */
	ssize_t got = write(fd[1], buffer, PIPE_BUF + 1);
	CHECK(got > 0 || errno == EAGAIN);
	CHECK_LE(got, 4096);
}

TEST(pipe, nonblocking_long_write_is_cut_short)
{
	int fd[2];

	pipe_new(fd, O_NONBLOCK);
	CHECK_EQ(write(fd[1], buffer, CAPACITY + 4096), CAPACITY);
	CHECK_EQ(read(fd[0], buffer, CAPACITY + 4096), CAPACITY);
	CHECK_ERRNO(read(fd[0], buffer, 1), EAGAIN);
}

TEST(pipe, flags_and_type)
{
	int fd[2];
	struct stat info;

	CHECK_OK(pipe(fd));
	CHECK_EQ(fcntl(fd[0], F_GETFL), O_RDONLY);
	CHECK_EQ(fcntl(fd[1], F_GETFL), O_WRONLY);
	CHECK_EQ(fcntl(fd[0], F_GETFD), 0);
	CHECK_OK(fstat(fd[0], &info));
	CHECK(S_ISFIFO(info.st_mode));
	CHECK_EQ(info.st_mode & 0777, 0600);
	pipe_new(fd, O_CLOEXEC | O_NONBLOCK);
	CHECK_EQ(fcntl(fd[1], F_GETFL), O_WRONLY | O_NONBLOCK);
	CHECK_EQ(fcntl(fd[1], F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(pipe2(fd, O_TRUNC), EINVAL);
	CHECK_ERRNO(pipe2(BAD_UNMAPPED, 0), EFAULT);
}

TEST(pipe, wrong_uses)
{
	int fd[2];

	pipe_new(fd, 0);
	CHECK_ERRNO(write(fd[0], "x", 1), EBADF);
	CHECK_ERRNO(read(fd[1], buffer, 1), EBADF);
	CHECK_ERRNO(lseek(fd[0], 0, SEEK_CUR), ESPIPE);
	CHECK_ERRNO(pread(fd[0], buffer, 1, 0), ESPIPE);
	CHECK_ERRNO(pwrite(fd[1], buffer, 1, 0), ESPIPE);
	CHECK_ERRNO(ftruncate(fd[1], 0), EINVAL);
	CHECK_ERRNO(fchdir(fd[0]), ENOTDIR);
	CHECK_ERRNO(fsync(fd[1]), EINVAL);
	CHECK_EQ(read(fd[0], buffer, 0), 0);
}

TEST(pipe, failed_pipe_leaves_no_descriptor)
{
	int fd;

	CHECK_ERRNO(syscall(SYS_pipe2, BAD_UNMAPPED, 0), EFAULT);
	CHECK_EQ((fd = open("/dev/null", O_RDONLY)), 3);
}

/* Many writers of records up to PIPE_BUF: each record arrives whole. */
TEST(pipe, records_of_several_writers_are_whole)
{
	enum { WRITERS = 5, RECORDS = 60 };
	int fd[2], seen[WRITERS] = { 0 };

	pipe_new(fd, 0);
	for (int w = 0; w < WRITERS; w++)
		if (FORK() == 0) {
			char record[PIPE_BUF];
			unsigned short size = w == 0 ? PIPE_BUF : 500 + w * 700;

			CHECK_OK(close(fd[0]));
			memset(record, 'a' + w, size);
			memcpy(record, &size, 2);
			for (int i = 0; i < RECORDS; i++)
				CHECK_EQ(write(fd[1], record, size), size);
			_exit(0);
		}
	CHECK_OK(close(fd[1]));
	for (;;) {
		unsigned short size;
		size_t have = 2;
		ssize_t got = read(fd[0], buffer, 2);

		if (got == 0)
			break;
		if (got == 1)
			CHECK_EQ(read(fd[0], buffer + 1, 1), 1);
		memcpy(&size, buffer, 2);
		CHECK_LE(size, PIPE_BUF);
		while (have < size) {
			got = CHECK_OK(read(fd[0], buffer + have, size - have));
			CHECK_GT(got, 0);
			have += got;
		}
		for (int i = 3; i < size; i++)
			CHECK_EQ(buffer[i], buffer[2]);
		seen[buffer[2] - 'a']++;
	}
	for (int w = 0; w < WRITERS; w++) {
		CHECK_EQ(seen[w], RECORDS);
		CHECK_OK(wait(NULL));
	}
}

static unsigned hash(unsigned so_far, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		so_far = so_far * 33 + (unsigned char)data[i];
	return so_far;
}

TEST(pipe, long_transfer)
{
	enum { TOTAL = 2 << 20 };
	int fd[2];
	unsigned sum = 0, *result = map_shared(PAGE);
	char *data = malloc(TOTAL);

	for (int i = 0; i < TOTAL; i++)
		data[i] = i * 7 + i / 4099;
	sum = hash(0, data, TOTAL);
	pipe_new(fd, 0);
	pid_t pid = FORK();
	if (pid == 0) {
		size_t total = 0;
		ssize_t got;
		unsigned own = 0;

		CHECK_OK(close(fd[1]));
		while ((got = CHECK_OK(read(fd[0], buffer, 1 + total % 9973))) > 0) {
			own = hash(own, buffer, got);
			total += got;
		}
		CHECK_EQ(total, TOTAL);
		*result = own;
		_exit(0);
	}
	/* One call: it blocks many times and still writes all of it. */
	CHECK_EQ(write(fd[1], data, TOTAL), TOTAL);
	CHECK_OK(close(fd[1]));
	CHECK_EXITED(pid, 0);
	CHECK_EQ(*result, sum);
}

TEST(pipe, vectors)
{
	int fd[2];
	char a[3], b[4], c[5];
	struct iovec out[3] = { { "abc", 3 }, { NULL, 0 }, { "defgh", 5 } };
	struct iovec in[3] = { { a, 3 }, { b, 4 }, { c, 5 } };

	pipe_new(fd, 0);
	CHECK_EQ(writev(fd[1], out, 3), 8);
	CHECK_EQ(readv(fd[0], in, 3), 8);
	CHECK_EQ(memcmp(a, "abc", 3), 0);
	CHECK_EQ(memcmp(b, "defg", 4), 0);
	CHECK_EQ(c[0], 'h');
}

static volatile sig_atomic_t alarms;
static int pipe_of_handler;

static void count_alarm(int sig)
{
	(void)sig;
	if (++alarms == 3 && pipe_of_handler)
		CHECK_EQ(write(pipe_of_handler, "x", 1), 1);
}

TEST(pipe, read_is_interrupted)
{
	int fd[2];

	pipe_new(fd, 0);
	handler_set(SIGALRM, count_alarm, 0);
	alarm_pump_start();
	CHECK_ERRNO(read(fd[0], buffer, 1), EINTR);
	alarm_pump_stop();
}

/* One alarm at a time, so that none can come after the third. */
static void next_alarm(int sig)
{
	struct itimerval once = { { 0, 0 }, { 0, 10000 } };

	count_alarm(sig);
	if (alarms < 3)
		CHECK_OK(setitimer(ITIMER_REAL, &once, NULL));
}

TEST(pipe, read_is_restarted)
{
	int fd[2];
	struct itimerval once = { { 0, 0 }, { 0, 10000 } };

	pipe_new(fd, 0);
	pipe_of_handler = fd[1];
	handler_set(SIGALRM, next_alarm, SA_RESTART);
	CHECK_OK(setitimer(ITIMER_REAL, &once, NULL));
	CHECK_EQ(read(fd[0], buffer, 10), 1);
	CHECK_EQ(alarms, 3);
	CHECK_EQ(buffer[0], 'x');
}

TEST(pipe, interrupted_write_reports_what_went)
{
	int fd[2];

	pipe_new(fd, 0);
	handler_set(SIGALRM, count_alarm, 0);
	alarm_pump_start();
	CHECK_EQ(write(fd[1], buffer, CAPACITY + 100), CAPACITY);
	CHECK_ERRNO(write(fd[1], buffer, 100), EINTR);
	alarm_pump_stop();
}

TEST(pipe, descriptors_opened_again_through_proc)
{
	int fd[2];
	char path[40] = "/proc/self/fd/0";

	pipe_new(fd, 0);
	path[14] = '0' + fd[0];
	int again = CHECK_OK(open(path, O_WRONLY));
	CHECK_EQ(write(again, "q", 1), 1);
	CHECK_EQ(read(fd[0], buffer, 2), 1);
}

TEST(pipe, chain_of_processes)
{
	int in[2], out[2];

	pipe_new(in, 0);
	int first = in[1];
	for (int i = 0; i < 10; i++) {
		pipe_new(out, 0);
		if (FORK() == 0) {
			ssize_t got;

			CHECK_OK(close(first));
			CHECK_OK(close(out[0]));
			while ((got = CHECK_OK(read(in[0], buffer, 1000))) > 0) {
				for (int j = 0; j < got; j++)
					buffer[j]++;
				CHECK_EQ(write(out[1], buffer, got), got);
			}
			_exit(0);
		}
		CHECK_OK(close(in[0]));
		CHECK_OK(close(out[1]));
		in[0] = out[0];
	}
	memset(buffer, 'A', 20000);
	CHECK_EQ(write(first, buffer, 20000), 20000);
	CHECK_OK(close(first));
	int total = 0;
	ssize_t got;
	while ((got = CHECK_OK(read(in[0], buffer, sizeof(buffer)))) > 0) {
		for (int j = 0; j < got; j++)
			CHECK_EQ(buffer[j], 'K');
		total += got;
	}
	CHECK_EQ(total, 20000);
	for (int i = 0; i < 10; i++)
		CHECK_OK(wait(NULL));
}

TEST(pipe, many)
{
	enum { COUNT = 100 };
	int fd[COUNT][2];

	for (int i = 0; i < COUNT; i++) {
		pipe_new(fd[i], 0);
		CHECK_EQ(write(fd[i][1], &i, sizeof(i)), sizeof(i));
	}
	for (int i = 0; i < COUNT; i++) {
		int got;

		CHECK_EQ(read(fd[i][0], &got, sizeof(got)), sizeof(got));
		CHECK_EQ(got, i);
		CHECK_OK(close(fd[i][0]));
		CHECK_OK(close(fd[i][1]));
	}
}

/* A blocked reader and its process can be killed. */
TEST(pipe, blocked_processes_can_be_killed)
{
	int fd[2];

	pipe_new(fd, 0);
	pid_t reader = FORK();
	if (reader == 0)
		_exit(read(fd[0], buffer, 1));
	wait_until_blocked(reader);
	CHECK_OK(kill(reader, SIGKILL));
	CHECK_SIGNALED(reader, SIGKILL);
	pid_t writer = FORK();
	if (writer == 0)
		_exit(write(fd[1], buffer, sizeof(buffer)));
	wait_until_blocked(writer);
	CHECK_OK(kill(writer, SIGKILL));
	CHECK_SIGNALED(writer, SIGKILL);
	CHECK_EQ(read(fd[0], buffer, sizeof(buffer)), CAPACITY);
}
