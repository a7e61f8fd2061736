/*
 * execve: the new image's arguments and auxiliary vector, what survives it, scripts, and the
 * errors that leave the caller as it was. The program executes itself with --helper=.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char *no_environment[] = { NULL };

/* Runs this program as a helper and returns its exit status. */
static void run_helper(const char *path, char **argv, char **envp, int expected)
{
	pid_t pid = FORK();

	if (pid == 0) {
		execve(path, argv, envp);
		FAIL("execve(%s): errno %d", path, errno);
	}
	CHECK_EXITED(pid, expected);
}

static char *joined(const char *dir, const char *name)
{
	static char path[8][4200];
	static int turn;
	char cwd[2048];

	if (!dir)
		dir = getcwd(cwd, sizeof(cwd));
	turn = (turn + 1) % 8;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

/* Copies argv and the environment to the file "seen", each string with its NUL. */
HELPER(show)
{
	int fd = open("seen", O_WRONLY | O_CREAT | O_TRUNC, 0644);

	for (int i = 0; i < argc; i++)
		if (write(fd, argv[i], strlen(argv[i]) + 1) < 0)
			return 1;
	for (int i = 0; environ[i]; i++)
		if (write(fd, environ[i], strlen(environ[i]) + 1) < 0)
			return 1;
	return argv[argc] ? 2 : 0;
}

TEST(exec, passes_arguments_and_environment)
{
	char *argv[] = { "zero", "--helper=show", "", "two words", "\xff\x01", NULL };
	char *envp[] = { "A=1", "", "no equals sign", NULL };
	static const char expected[] = "zero\0--helper=show\0\0two words\0\xff\x01\0A=1\0\0"
				       "no equals sign";
	char seen[256];

	run_helper(test_self, argv, envp, 0);
	CHECK_EQ(file_read("seen", seen, sizeof(seen)), sizeof(expected));
	CHECK_EQ(memcmp(seen, expected, sizeof(expected)), 0);
}

/* argv[2] lists descriptors: "3+" must be open, "4-" closed. */
HELPER(descriptors)
{
	for (int i = 2; i < argc; i++) {
		int open = fcntl(atoi(argv[i]), F_GETFD) >= 0;

		if (open != !!strchr(argv[i], '+'))
			return i;
	}
	return 0;
}

TEST(exec, closes_on_exec)
{
	int fd = CHECK_OK(open("/dev/null", O_RDONLY | O_CLOEXEC));

	CHECK_OK(dup2(fd, 20));
	CHECK_OK(dup3(fd, 21, O_CLOEXEC));
	CHECK_OK(dup2(fd, 22));
	CHECK_OK(fcntl(22, F_SETFD, FD_CLOEXEC));
	CHECK_OK(dup3(fd, 300, O_CLOEXEC));
	CHECK_OK(dup2(fd, 301));
	char *argv[] = { "x", "--helper=descriptors", "0+", "1+", "2+", "20+", "21-", "22-",
			 "300-", "301+", "23-", NULL };
	CHECK_EQ(fd, 3);
	run_helper(test_self, argv, no_environment, 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

HELPER(offset)
{
	char byte;

	return lseek(10, 0, SEEK_CUR) == 2 && read(10, &byte, 1) == 1 && byte == 'c' ? 0 : 1;
}

TEST(exec, keeps_open_files_with_their_offset)
{
	char *argv[] = { "x", "--helper=offset", NULL };

	file_write("f", "abcd", 4);
	int fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(lseek(fd, 2, SEEK_SET));
	CHECK_OK(dup2(fd, 10));
	run_helper(test_self, argv, no_environment, 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
}

HELPER(signals)
{
	struct sigaction action;
	sigset_t set;
	stack_t alt;

	sigaction(SIGUSR1, NULL, &action);
	if (action.sa_handler != SIG_DFL)
		return 1;
	sigaction(SIGUSR2, NULL, &action);
	if (action.sa_handler != SIG_IGN)
		return 2;
	sigprocmask(SIG_SETMASK, NULL, &set);
	if (!sigismember(&set, SIGHUP) || sigismember(&set, SIGTERM))
		return 3;
	sigpending(&set);
	if (!sigismember(&set, SIGHUP))
		return 4;
	sigaltstack(NULL, &alt);
	return alt.ss_flags != SS_DISABLE ? 5 : 0;
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(exec, resets_handlers_keeps_mask_and_pending)
{
	static char stack[16384];
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	char *argv[] = { "x", "--helper=signals", NULL };
	sigset_t set;

	pid_t pid = FORK();
	if (pid == 0) {
		handler_set(SIGUSR1, nothing, SA_ONSTACK);
		signal(SIGUSR2, SIG_IGN);
		CHECK_OK(sigaltstack(&alt, NULL));
		sigemptyset(&set);
		sigaddset(&set, SIGHUP);
		CHECK_OK(sigprocmask(SIG_SETMASK, &set, NULL));
		CHECK_OK(raise(SIGHUP));
		execve(test_self, argv, no_environment);
		FAIL("execve: errno %d", errno);
	}
	CHECK_EXITED(pid, 0);
}

HELPER(same_process)
{
	struct itimerval timer;

	if (getpid() != atoi(argv[2]) || getppid() != atoi(argv[3]) || getpgrp() != atoi(argv[4]))
		return 1;
	if (umask(0) != 035 || access("here", F_OK) != 0)
		return 2;
	if (getitimer(ITIMER_REAL, &timer) != 0 || timer.it_value.tv_sec < 50)
		return 3;
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur != 77)
		return 4;
	return 0;
}

TEST(exec, keeps_the_process_attributes)
{
	char pid_text[3][16];
	char *argv[] = { "x", "--helper=same_process", pid_text[0], pid_text[1], pid_text[2],
			 NULL };

	CHECK_OK(mkdir("here", 0755));
	pid_t parent = getpid();
	pid_t pid = FORK();
	if (pid == 0) {
		struct rlimit limit;

		CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
		limit.rlim_cur = 77;
		CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
		CHECK_OK(setpgid(0, 0));
		sprintf(pid_text[0], "%d", getpid());
		sprintf(pid_text[1], "%d", parent);
		sprintf(pid_text[2], "%d", getpgrp());
		umask(035);
		alarm(1000);
		execve(test_self, argv, no_environment);
		FAIL("execve: errno %d", errno);
	}
	CHECK_EXITED(pid, 0);
}

/* Writes AT_RANDOM's bytes to "random" and checks the entries that every libc relies on. */
HELPER(auxv)
{
	const Elf64_Phdr *phdr = (void *)getauxval(AT_PHDR);
	void *random = (void *)getauxval(AT_RANDOM);
	const char *name = (void *)getauxval(AT_EXECFN);
	int fd = open("random", O_WRONLY | O_CREAT | O_APPEND, 0644);

	if (getauxval(AT_PAGESZ) != PAGE || getauxval(AT_PHENT) != sizeof(Elf64_Phdr))
		return 1;
	if (!phdr || getauxval(AT_PHNUM) == 0 || getauxval(AT_ENTRY) == 0)
		return 2;
	if (getauxval(AT_UID) != getuid() || getauxval(AT_EUID) != geteuid())
		return 3;
	if (getauxval(AT_GID) != getgid() || getauxval(AT_EGID) != getegid())
		return 4;
	if (getauxval(AT_SECURE) != 0 || !name || strcmp(name, argv[2]) != 0)
		return 5;
	if (getauxval(AT_CLKTCK) != 100 || !random || write(fd, random, 16) != 16)
		return 6;
	return 0;
}

TEST(exec, auxiliary_vector)
{
	char *argv[] = { "x", "--helper=auxv", (char *)test_self, NULL };
	char random[33];

	run_helper(test_self, argv, no_environment, 0);
	run_helper(test_self, argv, no_environment, 0);
	CHECK_EQ(file_read("random", random, sizeof(random)), 32);
	CHECK_NE(memcmp(random, random + 16, 16), 0);
}

HELPER(stack_alignment)
{
	/* argc sits at the 16-byte aligned initial stack pointer, right below argv[0]. */
	return ((uintptr_t)argv - 8) % 16 != 0;
}

TEST(exec, stack_is_aligned)
{
	char *argv[] = { "x", "--helper=stack_alignment", "a", NULL, NULL };
	char *envp[] = { "ABC", NULL };

	run_helper(test_self, argv, envp, 0);
	argv[3] = "b";
	run_helper(test_self, argv, envp, 0);
	argv[2] = "long enough to move everything by some bytes";
	run_helper(test_self, argv, no_environment, 0);
}

/* All arguments after the second are of one letter each; argv[2] says how long, how many. */
HELPER(big)
{
	size_t size = strtoul(argv[2], NULL, 10);

	for (int i = 3; i < argc; i++) {
		if (strlen(argv[i]) != size)
			return 1;
		for (size_t j = 0; j < size; j++)
			if (argv[i][j] != 'a' + i % 26)
				return 2;
	}
	return argc - 3;
}

static char **big_arguments(int count, size_t size)
{
	static char size_text[24];
	char **argv = calloc(count + 4, sizeof(char *));

	sprintf(size_text, "%zu", size);
	argv[0] = "x";
	argv[1] = "--helper=big";
	argv[2] = size_text;
	for (int i = 3; i < count + 3; i++) {
		argv[i] = malloc(size + 1);
		memset(argv[i], 'a' + i % 26, size);
		argv[i][size] = 0;
	}
	return argv;
}

TEST(exec, arguments_of_nearly_2_mib)
{
	/* An argument may have 128 KiB with its NUL, all of them a quarter of the stack limit. */
	run_helper(test_self, big_arguments(15, 131071), no_environment, 15);
	run_helper(test_self, big_arguments(200, 9000), no_environment, 200);
}

TEST(exec, too_big_arguments)
{
	struct rlimit limit;

	CHECK_OK(getrlimit(RLIMIT_STACK, &limit));
	limit.rlim_cur = 8 << 20;
	CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
	CHECK_ERRNO(execve(test_self, big_arguments(1, 131072), no_environment), E2BIG);
	CHECK_ERRNO(execve(test_self, no_environment, big_arguments(1, 131072)), E2BIG);
	CHECK_ERRNO(execve(test_self, big_arguments(16, 131071), no_environment), E2BIG);
	CHECK_ERRNO(execve(test_self, big_arguments(8, 131071), big_arguments(8, 131071)), E2BIG);
}

/* The limit counts the pointers too: 131072 of them take 1 MiB, with 2 bytes each 256 KiB more. */
TEST(exec, too_many_arguments)
{
	struct rlimit limit;
	int count = 270000;
	char **argv = calloc(count + 1, sizeof(char *));

	CHECK_OK(getrlimit(RLIMIT_STACK, &limit));
	limit.rlim_cur = 8 << 20;
	CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
	for (int i = 0; i < count; i++)
		argv[i] = "";
	CHECK_ERRNO(execve(test_self, argv, no_environment), E2BIG);
	limit.rlim_cur = 1 << 20;
	CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
	CHECK_ERRNO(execve(test_self, big_arguments(3, 100000), no_environment), E2BIG);
}

static void script_write(const char *path, const char *interpreter, const char *rest)
{
	char text[9000];
	int size = snprintf(text, sizeof(text), "#!%s%s\n", interpreter, rest);

	file_write(path, text, size);
	CHECK_OK(chmod(path, 0755));
}

static void check_seen(const char *expected, size_t size)
{
	char seen[4096];

	CHECK_EQ(file_read("seen", seen, sizeof(seen)), size);
	CHECK_EQ(memcmp(seen, expected, size), 0);
}

TEST(exec, script)
{
	char *argv[] = { "dropped", "one", "", NULL };
	char expected[4096];

	script_write("script", test_self, "  \t --helper=show \t ");
	run_helper("./script", argv, no_environment, 0);
	int size = snprintf(expected, sizeof(expected), "%s%c--helper=show%c./script%cone%c",
			    test_self, 0, 0, 0, 0);
	expected[size] = 0;
	check_seen(expected, size + 1);
}

TEST(exec, script_without_newline_or_argument)
{
	char text[4096];
	char *argv[] = { "dropped", "--helper=show", NULL };

	/* Without an argument in its first line argv[1] is the script's own name. */
	CHECK_OK(symlink(test_self, "interpreter"));
	script_write("--helper=show", joined(NULL, "interpreter"), "");
	run_helper("--helper=show", argv, no_environment, 0);
	CHECK_GT(file_read("seen", text, sizeof(text)), 0);
	CHECK_STR(text, joined(NULL, "interpreter"));

	int size = snprintf(text, sizeof(text), "#! %s", joined(NULL, "interpreter"));
	file_write("--helper=show", text, size);
	CHECK_OK(unlink("seen"));
	run_helper("--helper=show", argv, no_environment, 0);
	CHECK_OK(access("seen", F_OK));
}

TEST(exec, nested_scripts)
{
	char *argv[] = { "dropped", "end", NULL };
	char expected[8192], name[16], below[16];

	script_write("s1", test_self, " --helper=show");
	for (int i = 2; i <= 6; i++) {
		sprintf(name, "s%d", i);
		sprintf(below, "s%d", i - 1);
		script_write(name, joined(NULL, below), " arg");
	}
	run_helper("./s3", argv, no_environment, 0);
	char *s1 = joined(NULL, "s1"), *s2 = joined(NULL, "s2");
	int size = snprintf(expected, sizeof(expected),
			    "%s%c--helper=show%c%s%carg%c%s%carg%c./s3%cend%c", test_self, 0, 0, s1,
			    0, 0, s2, 0, 0, 0, 0);
	check_seen(expected, size);
	/* Five interpreters deep is as far as it goes. */
	run_helper("./s5", argv, no_environment, 0);
	CHECK_ERRNO(execve("./s6", argv, no_environment), ELOOP);
}

TEST(exec, script_errors)
{
	char *argv[] = { "x", NULL };
	char longer[600];

	script_write("missing", "/nonexistent/interpreter", "");
	CHECK_ERRNO(execve("missing", argv, no_environment), ENOENT);
	script_write("directory", "/", "");
	CHECK_ERRNO(execve("directory", argv, no_environment), EACCES);
	script_write("empty", "", "");
	CHECK_ERRNO(execve("empty", argv, no_environment), ENOEXEC);
	script_write("blank", "  \t ", "");
	CHECK_ERRNO(execve("blank", argv, no_environment), ENOEXEC);
	/* A name that does not end within the first 256 bytes is not run cut short. */
	memset(longer, '/', 500);
	strcpy(longer + 500, test_self);
	script_write("long", longer, "");
	CHECK_ERRNO(execve("long", argv, no_environment), ENOEXEC);
	script_write("itself", joined(NULL, "itself"), "");
	CHECK_ERRNO(execve("itself", argv, no_environment), ELOOP);
}

TEST(exec, path_errors)
{
	char *argv[] = { "x", NULL };
	char name[5000];

	file_write("plain", "text", 4);
	CHECK_OK(symlink("loop", "loop"));
	CHECK_OK(mkdir("dir", 0755));
	CHECK_ERRNO(execve("missing", argv, no_environment), ENOENT);
	CHECK_ERRNO(execve("", argv, no_environment), ENOENT);
	CHECK_ERRNO(execve("plain/x", argv, no_environment), ENOTDIR);
	CHECK_ERRNO(execve("dir", argv, no_environment), EACCES);
	CHECK_ERRNO(execve("loop", argv, no_environment), ELOOP);
	CHECK_ERRNO(execve("/dev/null", argv, no_environment), EACCES);
	/* Root needs at least one x bit. */
	CHECK_ERRNO(execve("plain", argv, no_environment), EACCES);
	memset(name, 'n', sizeof(name));
	name[256] = 0;
	CHECK_ERRNO(execve(name, argv, no_environment), ENAMETOOLONG);
	memset(name, '/', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	CHECK_ERRNO(execve(name, argv, no_environment), ENAMETOOLONG);
}

TEST(exec, permission)
{
	file_copy(test_self, "prog", 0744);
	SUBPROCESS {
		char *argv[] = { "x", NULL };

		drop_to_user(4242, 4242);
		CHECK_ERRNO(execve("./prog", argv, no_environment), EACCES);
	}
	/* Execute permission is enough: the file need not be readable. */
	CHECK_OK(chmod("prog", 0711));
	pid_t pid = FORK();
	if (pid == 0) {
		char *argv[] = { "x", "--helper=descriptors", NULL };

		drop_to_user(4242, 4242);
		execve("./prog", argv, no_environment);
		FAIL("execve: errno %d", errno);
	}
	CHECK_EXITED(pid, 0);
}

static void not_executable(const void *data, size_t size)
{
	char *argv[] = { "x", NULL };

	file_write("bad", data, size);
	CHECK_OK(chmod("bad", 0755));
	CHECK_ERRNO(execve("./bad", argv, no_environment), ENOEXEC);
}

TEST(exec, damaged_images)
{
	char image[8192];
	Elf64_Ehdr *header = (void *)image;

	CHECK_GT(file_read(test_self, image, sizeof(image)), 4096);
	not_executable("", 0);
	not_executable("echo hello\n", 11);
	not_executable(image, 10);
	not_executable(image, sizeof(*header) - 1);
	header->e_machine = EM_AARCH64;
	not_executable(image, sizeof(image));
	header->e_machine = EM_X86_64;
	header->e_type = ET_REL;
	not_executable(image, sizeof(image));
	header->e_type = ET_CORE;
	not_executable(image, sizeof(image));
	header->e_type = ET_EXEC;
	header->e_phentsize = 55;
	not_executable(image, sizeof(image));
	header->e_phentsize = sizeof(Elf64_Phdr);
	header->e_phnum = 0;
	not_executable(image, sizeof(image));
	header->e_phnum = 3;
	header->e_ident[0] = 0x7e;
	not_executable(image, sizeof(image));
}

/* Program headers that point into nowhere: an error or a killed process, never a success. */
TEST(exec, hostile_program_headers)
{
	static const uint64_t values[] = { 0xffffffffffffffff, 0x8000000000000000,
					   0xffff800000000000, 0x7ffffffff000 };
	char image[8192];
	Elf64_Ehdr *header = (void *)image;
	char *argv[] = { "x", "--helper=descriptors", NULL };

	for (unsigned i = 0; i < LENGTH(values) * 4; i++) {
		CHECK_GT(file_read(test_self, image, sizeof(image)), 4096);
		Elf64_Phdr *phdr = (void *)(image + header->e_phoff);
		uint64_t *fields[] = { &phdr->p_vaddr, &phdr->p_memsz, &phdr->p_offset,
				       &phdr->p_filesz };

		*fields[i % 4] = values[i / 4];
		file_write("bad", image, sizeof(image));
		CHECK_OK(chmod("bad", 0755));
		pid_t pid = FORK();
		if (pid == 0) {
			execve("./bad", argv, no_environment);
			_exit(99);
		}
		int status;
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 99);
	}
}

TEST(exec, busy_text)
{
	char *argv[] = { "x", NULL };

	file_copy(test_self, "prog", 0755);
	int fd = CHECK_OK(open("prog", O_WRONLY | O_CLOEXEC));
	CHECK_ERRNO(execve("./prog", argv, no_environment), ETXTBSY);
	CHECK_OK(close(fd));
}

/* Waits until its standard input ends. */
HELPER(wait_for_end)
{
	char byte;

	if (write(1, "r", 1) != 1)
		return 1;
	return read(0, &byte, 1);
}

TEST(exec, running_text_cannot_be_written)
{
	int in[2], out[2];
	char *argv[] = { "x", "--helper=wait_for_end", NULL };
	char byte;

	file_copy(test_self, "prog", 0755);
	CHECK_OK(pipe2(in, O_CLOEXEC));
	CHECK_OK(pipe2(out, O_CLOEXEC));
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(dup2(in[0], 0));
		CHECK_OK(dup2(out[1], 1));
		execve("./prog", argv, no_environment);
		FAIL("execve: errno %d", errno);
	}
	CHECK_EQ(read(out[0], &byte, 1), 1);
	CHECK_ERRNO(open("prog", O_WRONLY), ETXTBSY);
	CHECK_ERRNO(truncate("prog", 0), ETXTBSY);
	CHECK_OK(unlink("prog")); /* but it may be removed while it runs */
	CHECK_OK(close(in[1]));
	CHECK_EXITED(pid, 0);
}

TEST(exec, failure_changes_nothing)
{
	char *argv[] = { "x", NULL };
	struct sigaction action;
	int *at = map_anonymous(PAGE);

	*at = 5;
	handler_set(SIGUSR1, nothing, 0);
	int fd = CHECK_OK(open("/dev/null", O_RDONLY | O_CLOEXEC));
	file_write("bad", "text", 4);
	CHECK_OK(chmod("bad", 0755));
	CHECK_ERRNO(execve("./bad", argv, no_environment), ENOEXEC);
	CHECK_ERRNO(execve(test_self, (char **)BAD_UNMAPPED, no_environment), EFAULT);
	CHECK_EQ(*at, 5);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_OK(sigaction(SIGUSR1, NULL, &action));
	CHECK(action.sa_handler == nothing);
}

TEST(exec, bad_pointers)
{
	char *good[] = { "x", NULL };
	char *bad[] = { "x", BAD_UNMAPPED, NULL };

	CHECK_ERRNO(execve(NULL, good, good), EFAULT);
	CHECK_ERRNO(execve(BAD_KERNEL, good, good), EFAULT);
	CHECK_ERRNO(execve(test_self, bad, good), EFAULT);
	CHECK_ERRNO(execve(test_self, good, bad), EFAULT);
	CHECK_ERRNO(execve(test_self, BAD_CANONICAL, good), EFAULT);
	CHECK_ERRNO(execve(test_self, good, BAD_KERNEL), EFAULT);
	/* The string runs out of its mapping before its NUL. */
	char *at = map_anonymous(2 * PAGE);
	CHECK_EQ(syscall(SYS_munmap, at + PAGE, PAGE), 0);
	memset(at, 'a', PAGE);
	bad[1] = at + PAGE - 10;
	CHECK_ERRNO(execve(test_self, bad, good), EFAULT);
}

/* An argument block is delivered with argc 1 and an empty name even where none is given. */
HELPER(count)
{
	return argc;
}

static void *exec_in_thread(void *arg)
{
	execve(test_self, arg, no_environment);
	FAIL("execve: errno %d", errno);
}

static void *sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

TEST(exec, from_a_thread_ends_the_others)
{
	char *argv[] = { "x", "--helper=count", NULL };
	pthread_t thread;

	pid_t pid = FORK();
	if (pid == 0) {
		for (int i = 0; i < 4; i++)
			CHECK_EQ(pthread_create(&thread, NULL, sleep_for_ever, NULL), 0);
		CHECK_EQ(pthread_create(&thread, NULL, exec_in_thread, argv), 0);
		sleep_for_ever(NULL);
	}
	CHECK_EXITED(pid, 2);
}

HELPER(check_pid)
{
	return getpid() == atoi(argv[2]) && syscall(SYS_gettid) == getpid() ? 0 : 1;
}

TEST(exec, from_a_thread_keeps_the_pid)
{
	char text[16];
	char *argv[] = { "x", "--helper=check_pid", text, NULL };
	pthread_t thread;

	pid_t pid = FORK();
	if (pid == 0) {
		sprintf(text, "%d", getpid());
		CHECK_EQ(pthread_create(&thread, NULL, exec_in_thread, argv), 0);
		sleep_for_ever(NULL);
	}
	CHECK_EXITED(pid, 0);
}

HELPER(identity)
{
	uid_t r, e, s;

	if (getresuid(&r, &e, &s) != 0 || r != 4242 || e != 4343 || s != 4343)
		return 1;
	if (getresgid(&r, &e, &s) != 0 || r != 4242 || e != 4444 || s != 4444)
		return 2;
	return getauxval(AT_SECURE) == 1 && getauxval(AT_EUID) == 4343 ? 0 : 3;
}

TEST(exec, set_user_and_group_id)
{
	ROOT_NEEDED();
	char *argv[] = { "x", "--helper=identity", NULL };

	file_copy(test_self, "prog", 0755);
	CHECK_OK(chown("prog", 4343, 4444));
	CHECK_OK(chmod("prog", 06755));
	pid_t pid = FORK();
	if (pid == 0) {
		drop_to_user(4242, 4242);
		execve("./prog", argv, no_environment);
		FAIL("execve: errno %d", errno);
	}
	CHECK_EXITED(pid, 0);
}

TEST(exec, by_descriptor)
{
	char *argv[] = { "x", "--helper=count", "a", NULL };
	int fd = CHECK_OK(open(test_self, O_RDONLY | O_CLOEXEC));
	pid_t pid = FORK();

	if (pid == 0) {
		syscall(SYS_execveat, fd, "", argv, no_environment, AT_EMPTY_PATH);
		FAIL("execveat: errno %d", errno);
	}
	CHECK_EXITED(pid, 3);
	CHECK_ERRNO(syscall(SYS_execveat, fd, "", argv, no_environment, 0), ENOENT);
	CHECK_ERRNO(syscall(SYS_execveat, -1, "", argv, no_environment, AT_EMPTY_PATH), EBADF);
	CHECK_OK(symlink(test_self, "link"));
	CHECK_ERRNO(syscall(SYS_execveat, AT_FDCWD, "link", argv, no_environment,
			    AT_SYMLINK_NOFOLLOW), ELOOP);
}

HELPER(chain)
{
	char text[16];
	int left = atoi(argv[2]);
	char *next[] = { "x", "--helper=chain", text, argv[3], NULL };

	if (left == 0)
		return 42;
	sprintf(text, "%d", left - 1);
	execve(argv[3], next, no_environment);
	return 1;
}

TEST(exec, again_and_again)
{
	char *argv[] = { "x", "--helper=chain", "30", (char *)test_self, NULL };

	run_helper(test_self, argv, no_environment, 42);
}
