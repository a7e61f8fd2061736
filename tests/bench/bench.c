/*
 * What the calls of a Unix system cost: one static program for Troupe and for Linux.
 *
 * Each benchmark is a row of a table: a name, how many operations make one repetition, and a
 * function that performs so many and returns the time they took by CLOCK_MONOTONIC. The best of
 * several repetitions is printed as "bench NAME VALUE UNIT", ns per operation or MB/s. Under QEMU's
 * icount a nanosecond is an instruction, so the counts are fixed and never calibrated: two runs on
 * one image are identical. A row that cannot run is printed as a comment. What fork_exec and
 * posix_spawn execute is this very program, with --true.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "bench.h"
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KIB = 1024, MIB = 1024 * 1024, PAGE = 4096, CHUNK = 64 * KIB, FILE_SIZE = 4 * MIB };

static char chunk[CHUNK] __attribute__((aligned(4096)));
static char self[PATH_MAX];
static char directory[] = "/tmp/bench-XXXXXX";
extern char **environ;

/* --- helpers ---------------------------------------------------------------------------- */

_Noreturn void die(const char *what)
{
	dprintf(2, "bench: %s: %s\n", what, strerror(errno));
	_exit(1);
}

int64_t now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1000000000LL + at.tv_nsec;
}

/* Times a loop of the statement. */
#define TIME_LOOP(count, ...)                                                                      \
	__extension__({                                                                            \
		int64_t start_ = now();                                                            \
		for (long i_ = 0; i_ < (count); i_++)                                              \
			__VA_ARGS__;                                                               \
		now() - start_;                                                                    \
	})

static void expect(long got, long wanted, const char *what)
{
	if (got != wanted)
		die(what);
}

void child_reap(pid_t pid)
{
	int status;

	expect(waitpid(pid, &status, 0), pid, "waitpid");
	if (status != 0)
		die("a child failed");
}

/* A file of FILE_SIZE bytes in the benchmark's own directory; opened once. */
static int file_open(void)
{
	static int fd = -1;

	if (fd >= 0)
		return fd;
	fd = MUST(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	for (int done = 0; done < FILE_SIZE; done += CHUNK)
		expect(write(fd, chunk, CHUNK), CHUNK, "write");
	return fd;
}

static int device_open(const char *path)
{
	return MUST(open(path, O_RDWR | O_CLOEXEC));
}

/* --- calls that move data, and the cheapest that move none ------------------------------ */

static int64_t null_getppid(long count, long unused)
{
	(void)unused;
	return TIME_LOOP(count, getppid());
}

static int64_t clock_get(long count, long unused)
{
	struct timespec at;

	(void)unused;
	return TIME_LOOP(count, clock_gettime(CLOCK_MONOTONIC, &at));
}

static int64_t read_zero(long count, long size)
{
	int fd = device_open("/dev/zero");
	int64_t time = TIME_LOOP(count, expect(read(fd, chunk, size), size, "read"));

	close(fd);
	return time;
}

static int64_t write_null(long count, long size)
{
	int fd = device_open("/dev/null");
	int64_t time = TIME_LOOP(count, expect(write(fd, chunk, size), size, "write"));

	close(fd);
	return time;
}

static int64_t pread_tmpfs(long count, long size)
{
	int fd = file_open();

	return TIME_LOOP(count, expect(pread(fd, chunk, size, 0), size, "pread"));
}

static int64_t pwrite_tmpfs(long count, long size)
{
	int fd = file_open();

	return TIME_LOOP(count, expect(pwrite(fd, chunk, size, 0), size, "pwrite"));
}

/* Written to and read back by one process: no switch, only the pipe. */
static int64_t pipe_same(long count, long size)
{
	int fd[2];

	MUST(pipe(fd));
	int64_t time = TIME_LOOP(count, {
		expect(write(fd[1], chunk, size), size, "write");
		expect(read(fd[0], chunk, size), size, "read");
	});
	close(fd[0]);
	close(fd[1]);
	return time;
}

static int64_t seek(long count, long unused)
{
	int fd = file_open();

	(void)unused;
	return TIME_LOOP(count, lseek(fd, i_ & 4095, SEEK_SET));
}

/* --- names ------------------------------------------------------------------------------ */

static int64_t fstat_file(long count, long unused)
{
	struct stat info;
	int fd = file_open();

	(void)unused;
	return TIME_LOOP(count, expect(fstat(fd, &info), 0, "fstat"));
}

static int64_t stat_file(long count, long unused)
{
	char path[64];
	struct stat info;

	(void)unused;
	file_open();
	snprintf(path, sizeof(path), "%s/file", directory);
	return TIME_LOOP(count, expect(stat(path, &info), 0, "stat"));
}

static int64_t open_close(long count, long unused)
{
	char path[64];

	(void)unused;
	file_open();
	snprintf(path, sizeof(path), "%s/file", directory);
	return TIME_LOOP(count, close(MUST(open(path, O_RDONLY))));
}

static int64_t create_unlink(long count, long unused)
{
	(void)unused;
	return TIME_LOOP(count, {
		close(MUST(open("new", O_WRONLY | O_CREAT | O_EXCL, 0644)));
		expect(unlink("new"), 0, "unlink");
	});
}

/* --- to and fro ------------------------------------------------------------------------- */

struct court {
	int out[2];
	int in[2];
	long count;
};

static void court_answer(struct court *court)
{
	char ball;

	for (long i = 0; i < court->count; i++) {
		expect(read(court->out[0], &ball, 1), 1, "read");
		expect(write(court->in[1], &ball, 1), 1, "write");
	}
}

static int64_t court_serve(struct court *court)
{
	char ball = 0;

	return TIME_LOOP(court->count, {
		expect(write(court->out[1], &ball, 1), 1, "write");
		expect(read(court->in[0], &ball, 1), 1, "read");
	});
}

static void court_open(struct court *court, long count)
{
	MUST(pipe(court->out));
	MUST(pipe(court->in));
	court->count = count;
}

static void court_close(struct court *court)
{
	for (int i = 0; i < 2; i++) {
		close(court->out[i]);
		close(court->in[i]);
	}
}

static int64_t pipe_pingpong_process(long count, long unused)
{
	struct court court;

	(void)unused;
	court_open(&court, count);
	pid_t pid = MUST(fork());
	if (pid == 0) {
		court_answer(&court);
		_exit(0);
	}
	int64_t time = court_serve(&court);
	child_reap(pid);
	court_close(&court);
	return time;
}

static void *court_thread(void *court)
{
	court_answer(court);
	return NULL;
}

static int64_t pipe_pingpong_thread(long count, long unused)
{
	struct court court;
	pthread_t thread;

	(void)unused;
	court_open(&court, count);
	expect(pthread_create(&thread, NULL, court_thread, &court), 0, "pthread_create");
	int64_t time = court_serve(&court);
	pthread_join(thread, NULL);
	court_close(&court);
	return time;
}

/* Two words, each slept on by one side; flag is FUTEX_PRIVATE_FLAG between threads. */
struct table {
	uint32_t words[16];
	long count;
	int flag;
};

static void table_wait(struct table *table, int side)
{
	uint32_t *word = &table->words[side * 8];

	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == 0)
		syscall(SYS_futex, word, FUTEX_WAIT | table->flag, 0, NULL, NULL, 0);
	__atomic_store_n(word, 0, __ATOMIC_SEQ_CST);
}

static void table_wake(struct table *table, int side)
{
	uint32_t *word = &table->words[side * 8];

	__atomic_store_n(word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, word, FUTEX_WAKE | table->flag, 1, NULL, NULL, 0);
}

static void *table_answer(void *arg)
{
	struct table *table = arg;

	for (long i = 0; i < table->count; i++) {
		table_wait(table, 1);
		table_wake(table, 0);
	}
	return NULL;
}

static int64_t table_serve(struct table *table)
{
	return TIME_LOOP(table->count, {
		table_wake(table, 1);
		table_wait(table, 0);
	});
}

static int64_t futex_pingpong_process(long count, long unused)
{
	struct table *table = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0));

	(void)unused;
	table->count = count;
	pid_t pid = MUST(fork());
	if (pid == 0) {
		table_answer(table);
		_exit(0);
	}
	int64_t time = table_serve(table);
	child_reap(pid);
	munmap(table, PAGE);
	return time;
}

static int64_t futex_pingpong_thread(long count, long unused)
{
	static struct table table;
	pthread_t thread;

	(void)unused;
	table = (struct table){ .count = count, .flag = FUTEX_PRIVATE_FLAG };
	expect(pthread_create(&thread, NULL, table_answer, &table), 0, "pthread_create");
	int64_t time = table_serve(&table);
	pthread_join(thread, NULL);
	return time;
}

/* --- processes and threads -------------------------------------------------------------- */

static int64_t fork_exit(long count, long unused)
{
	(void)unused;
	return TIME_LOOP(count, {
		pid_t pid = MUST(fork());

		if (pid == 0)
			_exit(0);
		child_reap(pid);
	});
}

static char *true_argv[] = { "bench", "--true", NULL };

static int64_t fork_exec(long count, long unused)
{
	(void)unused;
	return TIME_LOOP(count, {
		pid_t pid = MUST(fork());

		if (pid == 0) {
			execve(self, true_argv, environ);
			_exit(1);
		}
		child_reap(pid);
	});
}

static int64_t spawn(long count, long unused)
{
	(void)unused;
	return TIME_LOOP(count, {
		pid_t pid;

		expect(posix_spawn(&pid, self, NULL, NULL, true_argv, environ), 0, "posix_spawn");
		child_reap(pid);
	});
}

static void *thread_empty(void *arg)
{
	return arg;
}

static int64_t thread_create_join(long count, long unused)
{
	(void)unused;
	return TIME_LOOP(count, {
		pthread_t thread;

		expect(pthread_create(&thread, NULL, thread_empty, NULL), 0, "pthread_create");
		pthread_join(thread, NULL);
	});
}

static char script[] = "#!/bin/sh\n"
		       "n=0\n"
		       "for i in 1 2 3 4 5 6 7 8; do\n"
		       "	n=$((n + $(echo $i | cat | wc -c)))\n"
		       "done\n"
		       "[ $n -eq 16 ] && [ -d /tmp ]\n";

static int64_t shell_script(long count, long unused)
{
	char *argv[] = { "./script", NULL };

	(void)unused;
	if (access("/bin/sh", X_OK) != 0)
		return -1;
	int fd = MUST(open("script", O_WRONLY | O_CREAT | O_TRUNC, 0755));
	expect(write(fd, script, sizeof(script) - 1), sizeof(script) - 1, "write");
	close(fd);
	return TIME_LOOP(count, {
		pid_t pid;

		expect(posix_spawn(&pid, "./script", NULL, NULL, argv, environ), 0, "posix_spawn");
		child_reap(pid);
	});
}

/* --- memory ----------------------------------------------------------------------------- */

static volatile char sink;

static int64_t pages_write(char *at, long count)
{
	return TIME_LOOP(count, ((volatile char *)at)[i_ * PAGE] = 1);
}

static char *pages_map(long count)
{
	return MUST((char *)mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static int64_t fault_anonymous(long count, long unused)
{
	char *at = pages_map(count);
	int64_t time = pages_write(at, count);

	(void)unused;
	munmap(at, count * PAGE);
	return time;
}

/* A child that holds the other reference to each page lives until the parent has written all. */
static int64_t fault_copy(long count, long unused)
{
	char *at = pages_map(count), byte;
	int fd[2];

	(void)unused;
	pages_write(at, count);
	MUST(pipe(fd));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		close(fd[1]);
		_exit(read(fd[0], &byte, 1) != 0);
	}
	int64_t time = pages_write(at, count);
	close(fd[0]);
	close(fd[1]);
	child_reap(pid);
	munmap(at, count * PAGE);
	return time;
}

static int64_t fault_file(long count, long unused)
{
	char *at = MUST((char *)mmap(NULL, count * PAGE, PROT_READ, MAP_SHARED, file_open(), 0));
	int64_t time = TIME_LOOP(count, sink = ((volatile char *)at)[i_ * PAGE]);

	(void)unused;
	munmap(at, count * PAGE);
	return time;
}

/* --- signals and waiting ---------------------------------------------------------------- */

static volatile long signals_taken;

static void signal_take(int sig)
{
	(void)sig;
	signals_taken++;
}

static int64_t signal_self(long count, long unused)
{
	struct sigaction action = { .sa_handler = signal_take };
	pid_t pid = getpid();

	(void)unused;
	MUST(sigaction(SIGUSR1, &action, NULL));
	signals_taken = 0;
	int64_t time = TIME_LOOP(count, kill(pid, SIGUSR1));
	expect(signals_taken, count, "signals");
	return time;
}

enum { MANY = 100 };

static void pipes_open(int fd[MANY][2])
{
	for (int i = 0; i < MANY; i++)
		MUST(pipe(fd[i]));
	expect(write(fd[MANY - 1][1], "", 1), 1, "write"); /* the last one is ready */
}

static void pipes_close(int fd[MANY][2])
{
	for (int i = 0; i < MANY; i++) {
		close(fd[i][0]);
		close(fd[i][1]);
	}
}

static int64_t poll_many(long count, long unused)
{
	struct pollfd set[MANY];
	int fd[MANY][2];

	(void)unused;
	pipes_open(fd);
	for (int i = 0; i < MANY; i++)
		set[i] = (struct pollfd){ .fd = fd[i][0], .events = POLLIN };
	int64_t time = TIME_LOOP(count, expect(poll(set, MANY, -1), 1, "poll"));
	pipes_close(fd);
	return time;
}

static int64_t epoll_many(long count, long unused)
{
	int fd[MANY][2], epfd = MUST(epoll_create1(EPOLL_CLOEXEC));
	struct epoll_event event = { .events = EPOLLIN };

	(void)unused;
	pipes_open(fd);
	for (int i = 0; i < MANY; i++)
		MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, fd[i][0], &event));
	int64_t time = TIME_LOOP(count, expect(epoll_wait(epfd, &event, 1, -1), 1, "epoll_wait"));
	close(epfd);
	pipes_close(fd);
	return time;
}

/* --- streams: the operation is one byte ------------------------------------------------- */

static int64_t pipe_stream(long count, long unused)
{
	int fd[2];
	long done = 0;

	(void)unused;
	MUST(pipe(fd));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		close(fd[0]);
		for (long sent = 0; sent < count; sent += CHUNK)
			expect(write(fd[1], chunk, CHUNK), CHUNK, "write");
		_exit(0);
	}
	close(fd[1]);
	int64_t start = now();
	while (done < count) {
		ssize_t got = read(fd[0], chunk, CHUNK);

		if (got <= 0)
			die("read");
		done += got;
	}
	int64_t time = now() - start;
	close(fd[0]);
	child_reap(pid);
	return time;
}

static int64_t read_stream(long count, long unused)
{
	int fd = file_open();

	(void)unused;
	return TIME_LOOP(count / FILE_SIZE, {
		lseek(fd, 0, SEEK_SET);
		for (int done = 0; done < FILE_SIZE; done += CHUNK)
			expect(read(fd, chunk, CHUNK), CHUNK, "read");
	});
}

/* --- the table -------------------------------------------------------------------------- */

enum unit { NS, MB_S };

static const struct benchmark {
	const char *name;
	int64_t (*run)(long count, long size); /* the time in ns; -1 if it cannot be run here */
	long count;
	long size;
	enum unit unit;
} benchmarks[] = {
	{ "null_getppid", null_getppid, 40000, 0, NS },
	{ "clock_gettime", clock_get, 100000, 0, NS },
	{ "read_zero_1", read_zero, 20000, 1, NS },
	{ "read_zero_4k", read_zero, 10000, 4 * KIB, NS },
	{ "read_zero_64k", read_zero, 1000, 64 * KIB, NS },
	{ "write_null_1", write_null, 20000, 1, NS },
	{ "write_null_4k", write_null, 20000, 4 * KIB, NS },
	{ "write_null_64k", write_null, 20000, 64 * KIB, NS },
	{ "pread_tmpfs_1", pread_tmpfs, 10000, 1, NS },
	{ "pread_tmpfs_4k", pread_tmpfs, 8000, 4 * KIB, NS },
	{ "pread_tmpfs_64k", pread_tmpfs, 1000, 64 * KIB, NS },
	{ "pwrite_tmpfs_1", pwrite_tmpfs, 8000, 1, NS },
	{ "pwrite_tmpfs_4k", pwrite_tmpfs, 6000, 4 * KIB, NS },
	{ "pwrite_tmpfs_64k", pwrite_tmpfs, 600, 64 * KIB, NS },
	{ "pipe_rw_1", pipe_same, 8000, 1, NS },
	{ "pipe_rw_4k", pipe_same, 4000, 4 * KIB, NS },
	{ "pipe_rw_64k", pipe_same, 400, 64 * KIB, NS },
	{ "lseek", seek, 40000, 0, NS },
	{ "fstat", fstat_file, 16000, 0, NS },
	{ "stat", stat_file, 8000, 0, NS },
	{ "open_close", open_close, 4000, 0, NS },
	{ "create_unlink", create_unlink, 1500, 0, NS },
	{ "pipe_pingpong_process", pipe_pingpong_process, 600, 0, NS },
	{ "pipe_pingpong_thread", pipe_pingpong_thread, 1500, 0, NS },
	{ "futex_pingpong_process", futex_pingpong_process, 600, 0, NS },
	{ "futex_pingpong_thread", futex_pingpong_thread, 1500, 0, NS },
	{ "unix_pingpong_process", net_unix_pingpong, 600, 1, NS },
	{ "udp_pingpong_process", net_udp_pingpong, 500, 1, NS },
	{ "tcp_pingpong_process", net_tcp_pingpong, 500, 1, NS },
	{ "tcp_connect", net_tcp_connect, 200, 0, NS },
	{ "fork_exit", fork_exit, 60, 0, NS },
	{ "fork_exec", fork_exec, 30, 0, NS },
	{ "posix_spawn", spawn, 40, 0, NS },
	{ "thread_create_join", thread_create_join, 150, 0, NS },
	{ "fault_anonymous", fault_anonymous, 1024, 0, NS },
	{ "fault_copy_on_write", fault_copy, 1024, 0, NS },
	{ "fault_file", fault_file, FILE_SIZE / PAGE, 0, NS },
	{ "signal_self", signal_self, 2000, 0, NS },
	{ "poll_100", poll_many, 800, 0, NS },
	{ "epoll_100", epoll_many, 10000, 0, NS },
	{ "shell_script", shell_script, 1, 0, NS },
	{ "pipe_stream_process", pipe_stream, 8 * MIB, 0, MB_S },
	{ "read_tmpfs_stream", read_stream, 16 * MIB, 0, MB_S },
	{ "unix_stream_process", net_unix_stream, 8 * MIB, CHUNK, MB_S },
	{ "tcp_stream_process", net_tcp_stream, 8 * MIB, CHUNK, MB_S },
};

enum { BENCHMARKS = sizeof(benchmarks) / sizeof(benchmarks[0]) };

static void benchmark_print(const struct benchmark *benchmark, int repetitions)
{
	int64_t best = INT64_MAX;

	for (int i = 0; i < repetitions; i++) {
		int64_t time = benchmark->run(benchmark->count, benchmark->size);

		if (time < 0) {
			printf("# %s cannot be run here\n", benchmark->name);
			return;
		}
		best = time < best ? time : best;
	}
	if (benchmark->unit == NS)
		printf("bench %s %.1f ns\n", benchmark->name, (double)best / benchmark->count);
	else
		printf("bench %s %.1f MB/s\n", benchmark->name, benchmark->count * 1e3 / best);
	fflush(stdout);
}

static int selected(const char *name, int count, char **words)
{
	for (int i = 0; i < count; i++)
		if (strncmp(name, words[i], strlen(words[i])) == 0)
			return 1;
	return count == 0;
}

static void directory_remove(void)
{
	static const char *const names[] = { "file", "script", "new" };

	for (int i = 0; i < 3; i++)
		unlink(names[i]);
	if (chdir("/") == 0)
		rmdir(directory);
}

/* argv[0] must still lead here after the change of directory. */
static void self_find(const char *argv0)
{
	if (!strchr(argv0, '/') || !realpath(argv0, self)) {
		ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);

		self[size < 0 ? 0 : size] = 0;
	}
}

int main(int argc, char **argv)
{
	int repetitions = 5, option;

	if (argc == 2 && strcmp(argv[1], "--true") == 0)
		return 0;
	if (argc > 2 && strcmp(argv[1], "--peer") == 0)
		return net_peer(argc, argv);
	while ((option = getopt(argc, argv, "ln:")) != -1) {
		if (option == 'l') {
			for (int i = 0; i < BENCHMARKS; i++)
				puts(benchmarks[i].name);
			return 0;
		}
		if (option != 'n' || (repetitions = atoi(optarg)) <= 0) {
			dprintf(2, "usage: bench [-l] [-n REPETITIONS] [NAME...]\n");
			return 2;
		}
	}
	self_find(argv[0]);
	if (!mkdtemp(directory) || chdir(directory) != 0)
		die(directory);
	for (int i = 0; i < BENCHMARKS; i++)
		if (selected(benchmarks[i].name, argc - optind, argv + optind))
			benchmark_print(&benchmarks[i], repetitions);
	directory_remove();
	return 0;
}
