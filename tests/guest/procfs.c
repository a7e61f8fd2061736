/*
 * /proc, as far as ps, top, free, uptime, pgrep, pmap and lsof read it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[65536];

static const char *read_text(const char *path)
{
	text[file_read(path, text, sizeof(text) - 1)] = 0;
	return text;
}

static const char *read_of(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return read_text(path);
}

/* The rest of the line that begins like this. */
static long number_after(const char *from, const char *label)
{
	const char *at = strstr(from, label);

	if (!at)
		FAIL("no \"%s\" in it", label);
	return strtol(at + strlen(label), NULL, 0);
}

static pid_t child_that_pauses(void)
{
	pid_t pid = FORK();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void end(pid_t pid)
{
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
}

TEST(procfs, self)
{
	char link[64], expected[64];
	ssize_t size = CHECK_OK(readlink("/proc/self", link, sizeof(link) - 1));

	link[size] = 0;
	sprintf(expected, "%d", getpid());
	CHECK_STR(link, expected);
	SUBPROCESS {
		size = CHECK_OK(readlink("/proc/self", link, sizeof(link) - 1));
		link[size] = 0;
		CHECK_EQ(atoi(link), getpid());
	}
}

TEST(procfs, stat_line)
{
	char name[64], state;
	int pid, parent, group, session;
	long threads;
	unsigned long utime, vsize;

	read_text("/proc/self/stat");
	CHECK_EQ(sscanf(text, "%d (%63[^)]) %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %lu %*u %*d "
			      "%*d %*d %*d %ld %*d %*u %lu", &pid, name, &state, &parent, &group,
			&session, &utime, &threads, &vsize), 9);
	CHECK_EQ(pid, getpid());
	CHECK_EQ(state, 'R');
	CHECK_EQ(parent, getppid());
	CHECK_EQ(group, getpgrp());
	CHECK_EQ(session, getsid(0));
	CHECK_EQ(threads, 1);
	CHECK_GT(vsize, 10000);
	CHECK_STR(name, "procfs");
	int fields = 1;
	for (const char *at = strrchr(text, ')'); *at; at++)
		fields += *at == ' ';
	CHECK_EQ(fields + 1, 52);
	CHECK_EQ(text[strlen(text) - 1], '\n');
}

TEST(procfs, status_lines)
{
	ROOT_NEEDED();
	SUBPROCESS {
		CHECK_OK(setresgid(10, 20, 30));
		CHECK_OK(setresuid(1000, 2000, 3000));
		int r, e, s;

		read_of(getpid(), "status");
		CHECK_EQ(strncmp(text, "Name:\tprocfs\n", 13), 0);
		CHECK_EQ(number_after(text, "\nPid:\t"), getpid());
		CHECK_EQ(number_after(text, "\nPPid:\t"), getppid());
		CHECK_EQ(number_after(text, "\nTgid:\t"), getpid());
		CHECK_EQ(number_after(text, "\nThreads:\t"), 1);
		CHECK_GT(number_after(text, "\nVmRSS:\t"), 0);
		CHECK_GT(number_after(text, "\nVmSize:\t"), 0);
		CHECK(strstr(text, "\nState:\tR (running)\n"));
		CHECK_EQ(sscanf(strstr(text, "\nUid:\t"), "\nUid:\t%d\t%d\t%d", &r, &e, &s), 3);
		CHECK(r == 1000 && e == 2000 && s == 3000);
		CHECK_EQ(sscanf(strstr(text, "\nGid:\t"), "\nGid:\t%d\t%d\t%d", &r, &e, &s), 3);
		CHECK(r == 10 && e == 20 && s == 30);
	}
}

/* The C library's own signals cannot be set through it; whoever started us may ignore them. */
static void own_signals_default(void)
{
	struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		unsigned long mask;
	} none = { 0 };

	for (int sig = 32; sig < 35; sig++)
		CHECK_OK(syscall(SYS_rt_sigaction, sig, &none, NULL, 8));
}

TEST(procfs, status_shows_signals)
{
	own_signals_default();
	signal_mask(SIG_BLOCK, SIGHUP);
	signal_mask(SIG_BLOCK, SIGUSR1);
	signal(SIGTERM, SIG_IGN);
	CHECK_OK(kill(getpid(), SIGHUP));
	read_text("/proc/self/status");
	CHECK_EQ(strtoul(strstr(text, "\nSigBlk:\t") + 9, NULL, 16), 1 | 1 << 9);
	CHECK_EQ(strtoul(strstr(text, "\nShdPnd:\t") + 9, NULL, 16), 1);
	CHECK_EQ(strtoul(strstr(text, "\nSigIgn:\t") + 9, NULL, 16), 1 << 14);
}

HELPER(hold)
{
	if (write(1, "r", 1) != 1)
		return 1;
	for (;;)
		pause();
}

/* A child that has executed this program with these arguments and environment. */
static pid_t start_helper(char **argv, char **envp)
{
	int fd[2];
	char byte;

	CHECK_OK(pipe(fd));
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(dup2(fd[1], 1));
		execve(test_self, argv, envp);
		FAIL("execve: errno %d", errno);
	}
	CHECK_EQ(read(fd[0], &byte, 1), 1);
	CHECK_OK(close(fd[0]));
	CHECK_OK(close(fd[1]));
	return pid;
}

TEST(procfs, command_line_and_name)
{
	char *argv[] = { "a program", "--helper=hold", "", "x y", NULL }, *envp[] = { "K=V", NULL };
	static const char expected[] = "a program\0--helper=hold\0\0x y";
	char path[64], link[4096];
	pid_t pid = start_helper(argv, envp);

	sprintf(path, "/proc/%d/cmdline", pid);
	CHECK_EQ(file_read(path, text, sizeof(text)), sizeof(expected));
	CHECK_EQ(memcmp(text, expected, sizeof(expected)), 0);
	CHECK_STR(read_of(pid, "comm"), "procfs\n"); /* the file's name, not argv[0] */
	CHECK_STR(read_of(pid, "environ"), "K=V");
	sprintf(path, "/proc/%d/exe", pid);
	ssize_t size = CHECK_OK(readlink(path, link, sizeof(link) - 1));
	link[size] = 0;
	CHECK_STR(link, test_self);
	struct stat a, b;
	CHECK_OK(stat(path, &a));
	CHECK_OK(stat(test_self, &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	end(pid);
}

TEST(procfs, directory_links)
{
	char cwd[4096], link[4096];

	CHECK(getcwd(cwd, sizeof(cwd)));
	ssize_t size = CHECK_OK(readlink("/proc/self/cwd", link, sizeof(link) - 1));
	link[size] = 0;
	CHECK_STR(link, cwd);
	file_write("here", "x", 1);
	CHECK_OK(access("/proc/self/cwd/here", F_OK));
	size = CHECK_OK(readlink("/proc/self/root", link, sizeof(link) - 1));
	CHECK(size == 1 && link[0] == '/');
}

TEST(procfs, descriptors)
{
	char path[64], link[4096], cwd[2048], expected[4096];
	int fd[2], seen = 0;
	ssize_t size;

	file_write("file", "x", 1);
	CHECK_EQ(open("file", O_RDWR), 3);
	CHECK_OK(pipe(fd));
	CHECK(getcwd(cwd, sizeof(cwd)));
	sprintf(expected, "%s/file", cwd);
	size = CHECK_OK(readlink("/proc/self/fd/3", link, sizeof(link) - 1));
	link[size] = 0;
	CHECK_STR(link, expected);
	sprintf(path, "/proc/self/fd/%d", fd[0]);
	size = CHECK_OK(readlink(path, link, sizeof(link) - 1));
	link[size] = 0;
	CHECK_EQ(strncmp(link, "pipe:[", 6), 0);
	CHECK_OK(unlink("file"));
	size = CHECK_OK(readlink("/proc/self/fd/3", link, sizeof(link) - 1));
	link[size] = 0;
	strcat(expected, " (deleted)");
	CHECK_STR(link, expected);
	DIR *dir = opendir("/proc/self/fd");
	CHECK(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_name[0] != '.')
			seen += 1 << atoi(entry->d_name);
	CHECK_EQ(seen, 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << fd[0] | 1 << fd[1] |
			       1 << dirfd(dir));
	CHECK_ERRNO(readlink("/proc/self/fd/77", link, 10), ENOENT);
}

TEST(procfs, list_of_processes)
{
	pid_t pid = child_that_pauses();
	int found_self = 0, found_child = 0, found_one = 0;
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	while ((entry = readdir(dir))) {
		found_self += atoi(entry->d_name) == getpid();
		found_child += atoi(entry->d_name) == pid;
		found_one += strcmp(entry->d_name, "1") == 0;
	}
	CHECK(found_self == 1 && found_child == 1 && found_one == 1);
	end(pid);
	char path[32];
	sprintf(path, "/proc/%d", pid);
	CHECK_ERRNO(open(path, O_RDONLY), ENOENT);
}

TEST(procfs, file_of_a_dead_process)
{
	char path[32], byte;
	pid_t pid = child_that_pauses();

	sprintf(path, "/proc/%d/stat", pid);
	int fd = CHECK_OK(open(path, O_RDONLY));
	CHECK_EQ(read(fd, &byte, 1), 1);
	end(pid);
	CHECK_ERRNO(pread(fd, &byte, 1, 0), ESRCH);
}

static void *hold_thread(void *arg)
{
	gate_pass(arg);
	return NULL;
}

TEST(procfs, threads)
{
	struct gate gate;
	pthread_t threads[3];
	int found = 0;

	gate_init(&gate);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, hold_thread, &gate), 0);
	CHECK_EQ(number_after(read_text("/proc/self/status"), "\nThreads:\t"), 4);
	DIR *dir = opendir("/proc/self/task");
	CHECK(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		found += entry->d_name[0] != '.';
	CHECK_EQ(found, 4);
	for (int i = 0; i < 3; i++)
		gate_open(&gate);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

TEST(procfs, memory_map)
{
	file_write("mapped", "x", 1);
	int fd = CHECK_OK(open("mapped", O_RDONLY)), lines = 0;
	char *file = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), line[64];
	char *anonymous = mmap(NULL, 5 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long start, stop, last = 0;

	CHECK(file != MAP_FAILED && anonymous != MAP_FAILED);
	read_text("/proc/self/maps");
	sprintf(line, "%lx-%lx r--p 00000000 ", (long)file, (long)(file + PAGE));
	CHECK(strstr(text, line));
	CHECK(strstr(strstr(text, line), "/mapped\n"));
	sprintf(line, "%lx-%lx ---p ", (long)anonymous, (long)(anonymous + 5 * PAGE));
	CHECK(strstr(text, line));
	CHECK(strstr(text, "[stack]\n"));
	CHECK(strstr(text, "r-xp"));
	for (const char *at = text; *at; at = strchr(at, '\n') + 1) {
		CHECK_EQ(sscanf(at, "%lx-%lx", &start, &stop), 2);
		CHECK(start < stop && start >= last);
		last = stop;
		lines++;
	}
	CHECK_GE(lines, 5);
}

TEST(procfs, memory_of_a_process)
{
	long size, resident, before;

	CHECK_EQ(sscanf(read_text("/proc/self/statm"), "%ld %ld", &size, &before), 2);
	volatile char *at = map_anonymous(1000 * PAGE);
	for (int i = 0; i < 1000; i++)
		at[i * PAGE] = 1;
	CHECK_EQ(sscanf(read_text("/proc/self/statm"), "%ld %ld", &size, &resident), 2);
	CHECK_GE(resident - before, 800);
	CHECK_GE(size, resident);
}

TEST(procfs, memory_of_the_machine)
{
	long total = number_after(read_text("/proc/meminfo"), "MemTotal:");

	CHECK_GT(total, 1000);
	CHECK_LE(number_after(text, "\nMemFree:"), total);
	CHECK_GE(number_after(text, "\nMemAvailable:"), 0);
	CHECK_GE(number_after(text, "\nCached:"), 0);
	CHECK_GE(number_after(text, "\nBuffers:"), 0);
	CHECK_GE(number_after(text, "\nSwapTotal:"), 0);
}

TEST(procfs, uptime_and_load)
{
	double up, idle, load[3];
	int running, all, last;

	CHECK_EQ(sscanf(read_text("/proc/uptime"), "%lf %lf", &up, &idle), 2);
	CHECK(up > 0 && idle >= 0);
	CHECK_EQ(sscanf(read_text("/proc/loadavg"), "%lf %lf %lf %d/%d %d", &load[0], &load[1],
			&load[2], &running, &all, &last), 6);
	CHECK(running >= 1 && all >= running && last >= 1);
}

TEST(procfs, processors)
{
	long user, nice, system, idle;
	int found = 0;

	CHECK_EQ(sscanf(read_text("/proc/stat"), "cpu %ld %ld %ld %ld", &user, &nice, &system,
			&idle), 4);
	CHECK_GE(user + system + idle, 0);
	CHECK(strstr(text, "\ncpu0 "));
	CHECK_GT(number_after(text, "\nbtime "), 0);
	CHECK_GE(number_after(text, "\nprocesses "), 1);
	CHECK_GE(number_after(text, "\nctxt "), 1);
	read_text("/proc/cpuinfo");
	for (const char *at = text; (at = strstr(at, "processor\t:")); at++)
		found++;
	CHECK_GE(found, sysconf(_SC_NPROCESSORS_ONLN));
	CHECK(strstr(text, "model name\t:"));
	CHECK(strstr(text, "flags\t"));
}

TEST(procfs, reading_in_small_pieces)
{
	static char whole[20000], pieces[20000];
	pid_t pid = child_that_pauses();
	char path[32];

	wait_until_blocked(pid);
	sprintf(path, "/proc/%d/status", pid);
	size_t size = file_read(path, whole, sizeof(whole)), done = 0;
	int fd = CHECK_OK(open(path, O_RDONLY));
	ssize_t got;
	while ((got = CHECK_OK(read(fd, pieces + done, 7))) > 0)
		done += got;
	CHECK_EQ(done, size);
	/* Counters may move; the beginning does not. */
	CHECK_EQ(memcmp(whole, pieces, 60), 0);
	CHECK_EQ(pread(fd, pieces, 10, 6), 10);
	CHECK_EQ(memcmp(whole + 6, pieces, 10), 0);
	end(pid);
}

TEST(procfs, is_not_to_be_changed)
{
	CHECK(mkdir("/proc/new", 0755) == -1 && (errno == ENOENT || errno == EPERM ||
						 errno == EACCES));
	CHECK_EQ(open("/proc/new", O_RDWR | O_CREAT, 0644), -1);
	CHECK_EQ(unlink("/proc/self/stat"), -1);
	CHECK_EQ(rename("/proc/self/stat", "/proc/self/x"), -1);
	CHECK_ERRNO(open("/proc/99999999", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("/proc/self/nothing", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("/proc/0", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("/proc/-1", O_RDONLY), ENOENT);
}

TEST(procfs, privacy)
{
	char path[64], byte[16];
	pid_t pid = child_that_pauses();

	SUBPROCESS {
		drop_to_user(4242, 4242);
		sprintf(path, "/proc/%d/stat", pid);
		CHECK_OK(open(path, O_RDONLY)); /* anybody may look at this */
		sprintf(path, "/proc/%d/cwd", pid);
		CHECK_ERRNO(readlink(path, byte, sizeof(byte)), EACCES);
		sprintf(path, "/proc/%d/exe", pid);
		CHECK_ERRNO(readlink(path, byte, sizeof(byte)), EACCES);
		sprintf(path, "/proc/%d/fd", pid);
		CHECK_ERRNO(open(path, O_RDONLY), EACCES);
		sprintf(path, "/proc/%d/fdinfo", pid);
		CHECK_ERRNO(open(path, O_RDONLY), EACCES);
		sprintf(path, "/proc/%d/fd/0", pid);
		CHECK_ERRNO(readlink(path, byte, sizeof(byte)), EACCES);
	}
	end(pid);
}

TEST(procfs, version)
{
	CHECK_GT(strlen(read_text("/proc/version")), 5);
}
