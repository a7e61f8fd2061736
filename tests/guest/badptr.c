/*
 * Wild pointers in every argument of every call.
 *
 * The table gives for each call a set of good arguments, and which of them are pointers. Each
 * pointer in turn is replaced by NULL, by an address where nothing is mapped, by one in the
 * kernel's half and by one that is not canonical; the answer must be EFAULT, or what the list of
 * exceptions says that Linux gives. "--helper=record" prints the exceptions as this machine has
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Descriptors and data that the good arguments refer to; made anew for each call. */
enum { FILE_FD = 10, PIPE_IN = 11, PIPE_OUT = 12, DIR_FD = 13, EPOLL_FD = 14 };

static char buffer[4096] __attribute__((aligned(64)));
static char more[4096] __attribute__((aligned(64)));
static struct iovec vector = { buffer, 1 };
static struct pollfd polled = { FILE_FD, POLLIN, 0 };
static struct timespec soon = { 0, 1 }, times[2] = { { 1, 0 }, { 1, 0 } };
static uint64_t signals = 1ULL << (SIGURG - 1);
static struct { const void *set; size_t size; } mask = { &signals, 8 };
static struct rlimit limit = { 64, 64 };
static struct epoll_event event = { .events = EPOLLIN };
static uint32_t word;
static int64_t offset;
static long sets[3][16], zeroes[32];
static stack_t no_stack = { .ss_flags = SS_DISABLE };
static gid_t groups[65];

#define P(x) ((long)(x))
#define PATH P("f")
#define BUFFER P(buffer)

/* The pointers among the arguments, as bits: argument 0 is bit 0. */
static const struct call {
	const char *name;
	long number;
	int pointers;
	long args[6];
} calls[] = {
	{ "read", SYS_read, 2, { FILE_FD, BUFFER, 10 } },
	{ "read_pipe", SYS_read, 2, { PIPE_IN, BUFFER, 10 } },
	{ "write", SYS_write, 2, { FILE_FD, BUFFER, 10 } },
	{ "write_pipe", SYS_write, 2, { PIPE_OUT, BUFFER, 10 } },
	{ "pread64", SYS_pread64, 2, { FILE_FD, BUFFER, 10, 0 } },
	{ "pwrite64", SYS_pwrite64, 2, { FILE_FD, BUFFER, 10, 0 } },
	{ "readv", SYS_readv, 2, { FILE_FD, P(&vector), 1 } },
	{ "writev", SYS_writev, 2, { FILE_FD, P(&vector), 1 } },
	{ "preadv", SYS_preadv, 2, { FILE_FD, P(&vector), 1, 0, 0 } },
	{ "pwritev", SYS_pwritev, 2, { FILE_FD, P(&vector), 1, 0, 0 } },
	{ "sendfile", SYS_sendfile, 4, { PIPE_OUT, FILE_FD, P(&offset), 10 } },
	{ "getdents64", SYS_getdents64, 2, { DIR_FD, BUFFER, 4096 } },
	{ "ioctl_fionread", SYS_ioctl, 4, { PIPE_IN, 0x541b, BUFFER } },
	{ "fcntl_getlk", SYS_fcntl, 4, { FILE_FD, F_GETLK, BUFFER } },
	{ "fcntl_setlk", SYS_fcntl, 4, { FILE_FD, F_SETLK, BUFFER } },
	{ "pipe", SYS_pipe, 1, { BUFFER } },
	{ "pipe2", SYS_pipe2, 1, { BUFFER, 0 } },

	{ "open", SYS_open, 1, { PATH, O_RDONLY } },
	{ "openat", SYS_openat, 2, { AT_FDCWD, PATH, O_RDONLY } },
	{ "creat", SYS_creat, 1, { PATH, 0644 } },
	{ "stat", SYS_stat, 3, { PATH, BUFFER } },
	{ "lstat", SYS_lstat, 3, { PATH, BUFFER } },
	{ "fstat", SYS_fstat, 2, { FILE_FD, BUFFER } },
	{ "newfstatat", SYS_newfstatat, 6, { AT_FDCWD, PATH, BUFFER, 0 } },
	{ "statx", SYS_statx, 18, { AT_FDCWD, PATH, 0, 0x7ff, BUFFER } },
	{ "access", SYS_access, 1, { PATH, F_OK } },
	{ "faccessat", SYS_faccessat, 2, { AT_FDCWD, PATH, F_OK } },
	{ "faccessat2", 439, 2, { AT_FDCWD, PATH, F_OK, 0 } },
	{ "chdir", SYS_chdir, 1, { P(".") } },
	{ "getcwd", SYS_getcwd, 1, { BUFFER, 4096 } },
	{ "mkdir", SYS_mkdir, 1, { P("d"), 0755 } },
	{ "mkdirat", SYS_mkdirat, 2, { AT_FDCWD, P("d"), 0755 } },
	{ "rmdir", SYS_rmdir, 1, { P("d") } },
	{ "unlink", SYS_unlink, 1, { P("g") } },
	{ "unlinkat", SYS_unlinkat, 2, { AT_FDCWD, P("g"), 0 } },
	{ "link", SYS_link, 3, { PATH, P("g") } },
	{ "linkat", SYS_linkat, 10, { AT_FDCWD, PATH, AT_FDCWD, P("g"), 0 } },
	{ "symlink", SYS_symlink, 3, { P("x"), P("g") } },
	{ "symlinkat", SYS_symlinkat, 5, { P("x"), AT_FDCWD, P("g") } },
	{ "readlink", SYS_readlink, 3, { P("s"), BUFFER, 100 } },
	{ "readlinkat", SYS_readlinkat, 6, { AT_FDCWD, P("s"), BUFFER, 100 } },
	{ "rename", SYS_rename, 3, { PATH, P("g") } },
	{ "renameat", SYS_renameat, 10, { AT_FDCWD, PATH, AT_FDCWD, P("g") } },
	{ "renameat2", SYS_renameat2, 10, { AT_FDCWD, PATH, AT_FDCWD, P("g"), 0 } },
	{ "mknod", SYS_mknod, 1, { P("g"), S_IFIFO | 0644, 0 } },
	{ "mknodat", SYS_mknodat, 2, { AT_FDCWD, P("g"), S_IFIFO | 0644, 0 } },
	{ "chmod", SYS_chmod, 1, { PATH, 0644 } },
	{ "fchmodat", SYS_fchmodat, 2, { AT_FDCWD, PATH, 0644 } },
	{ "chown", SYS_chown, 1, { PATH, 0, 0 } },
	{ "lchown", SYS_lchown, 1, { PATH, 0, 0 } },
	{ "fchownat", SYS_fchownat, 2, { AT_FDCWD, PATH, 0, 0, 0 } },
	{ "truncate", SYS_truncate, 1, { PATH, 10 } },
	{ "utime", SYS_utime, 3, { PATH, P(times) } },
	{ "utimes", SYS_utimes, 3, { PATH, P(times) } },
	{ "futimesat", SYS_futimesat, 6, { AT_FDCWD, PATH, P(times) } },
	{ "utimensat", SYS_utimensat, 6, { AT_FDCWD, PATH, P(times), 0 } },
	{ "statfs", SYS_statfs, 3, { PATH, BUFFER } },
	{ "fstatfs", SYS_fstatfs, 2, { FILE_FD, BUFFER } },
	{ "chroot", SYS_chroot, 1, { P(".") } },
	{ "umount2", SYS_umount2, 1, { P("no mount"), 0 } },
	{ "execve", SYS_execve, 1, { P("missing"), P(zeroes), P(zeroes) } },
	{ "execveat", SYS_execveat, 2, { AT_FDCWD, P("missing"), P(zeroes), P(zeroes), 0 } },

	{ "poll", SYS_poll, 1, { P(&polled), 1, 0 } },
	{ "ppoll", SYS_ppoll, 13, { P(&polled), 1, P(&soon), P(&signals), 8 } },
	{ "select", SYS_select, 30, { 64, P(sets[0]), P(sets[1]), P(sets[2]), P(&soon) } },
	{ "pselect6", SYS_pselect6, 62, { 64, P(sets[0]), P(sets[1]), P(sets[2]), P(&soon),
					  P(&mask) } },
	{ "epoll_ctl_add", SYS_epoll_ctl, 8, { EPOLL_FD, EPOLL_CTL_ADD, PIPE_IN, P(&event) } },
	{ "epoll_ctl_mod", SYS_epoll_ctl, 8, { EPOLL_FD, EPOLL_CTL_MOD, PIPE_OUT, P(&event) } },
	{ "epoll_ctl_del", SYS_epoll_ctl, 8, { EPOLL_FD, EPOLL_CTL_DEL, PIPE_OUT, P(&event) } },
	{ "epoll_wait", SYS_epoll_wait, 2, { EPOLL_FD, P(&event), 1, 0 } },
	{ "epoll_pwait", SYS_epoll_pwait, 18, { EPOLL_FD, P(&event), 1, 0, P(&signals), 8 } },

	{ "rt_sigaction", SYS_rt_sigaction, 6, { SIGUSR1, P(zeroes), BUFFER, 8 } },
	{ "rt_sigprocmask", SYS_rt_sigprocmask, 6, { SIG_BLOCK, P(&signals), BUFFER, 8 } },
	{ "rt_sigpending", SYS_rt_sigpending, 1, { BUFFER, 8 } },
	{ "rt_sigtimedwait", SYS_rt_sigtimedwait, 7, { P(&signals), BUFFER, P(&soon), 8 } },
	{ "rt_sigqueueinfo", SYS_rt_sigqueueinfo, 4, { 1, 0, BUFFER } },
	{ "rt_tgsigqueueinfo", SYS_rt_tgsigqueueinfo, 8, { 1, 1, 0, BUFFER } },
	{ "sigaltstack", SYS_sigaltstack, 3, { P(&no_stack), BUFFER } },

	{ "nanosleep", SYS_nanosleep, 3, { P(&soon), BUFFER } },
	{ "clock_nanosleep", SYS_clock_nanosleep, 12, { CLOCK_MONOTONIC, 0, P(&soon), BUFFER } },
	{ "clock_gettime", SYS_clock_gettime, 2, { CLOCK_MONOTONIC, BUFFER } },
	{ "clock_getres", SYS_clock_getres, 2, { CLOCK_MONOTONIC, BUFFER } },
	{ "gettimeofday", SYS_gettimeofday, 3, { BUFFER, P(more) } },
	{ "time", SYS_time, 1, { BUFFER } },
	{ "times", SYS_times, 1, { BUFFER } },
	{ "getitimer", SYS_getitimer, 2, { 0, BUFFER } },
	{ "setitimer", SYS_setitimer, 6, { 0, P(zeroes), BUFFER } },

	{ "uname", SYS_uname, 1, { BUFFER } },
	{ "sysinfo", SYS_sysinfo, 1, { BUFFER } },
	{ "getrandom", SYS_getrandom, 1, { BUFFER, 100, 0 } },
	{ "getcpu", SYS_getcpu, 3, { BUFFER, P(more), 0 } },
	{ "getrlimit", SYS_getrlimit, 2, { RLIMIT_NOFILE, BUFFER } },
	{ "setrlimit", SYS_setrlimit, 2, { RLIMIT_NOFILE, P(&limit) } },
	{ "prlimit64", SYS_prlimit64, 12, { 0, RLIMIT_NOFILE, P(&limit), BUFFER } },
	{ "getrusage", SYS_getrusage, 2, { 0, BUFFER } },
	{ "wait4", SYS_wait4, 10, { -1, BUFFER, 0, P(more) } },
	{ "waitid", SYS_waitid, 20, { P_ALL, 0, BUFFER, WEXITED | WNOWAIT, P(more) } },
	{ "getgroups", SYS_getgroups, 2, { 64, P(groups) } },
	{ "setgroups", SYS_setgroups, 2, { 5, P(groups) } },
	{ "getresuid", SYS_getresuid, 7, { BUFFER, P(buffer + 4), P(buffer + 8) } },
	{ "getresgid", SYS_getresgid, 7, { BUFFER, P(buffer + 4), P(buffer + 8) } },
	{ "futex_wait", SYS_futex, 9, { P(&word), 0, 1, P(&soon), 0, 0 } },
	{ "futex_wake", SYS_futex, 1, { P(&word), 1, 1, 0, 0, 0 } },
	{ "get_robust_list", SYS_get_robust_list, 6, { 0, BUFFER, P(more) } },
	{ "arch_prctl_get_fs", SYS_arch_prctl, 2, { 0x1003, BUFFER } },
	{ "sethostname", SYS_sethostname, 1, { BUFFER, 5 } },
};

static void *const wild[] = { NULL, BAD_UNMAPPED, BAD_KERNEL, BAD_CANONICAL };

/* What Linux gives instead of EFAULT, for NULL and for the other three; 0 is success. */
static const struct exception {
	const char *name;
	int argument;
	int on_null;
	int on_others;
} exceptions[] = {
	{ "sendfile", 2, 0, EFAULT },
	{ "utime", 1, 0, EFAULT },
	{ "utimes", 1, 0, EFAULT },
	{ "futimesat", 2, 0, EFAULT },
	{ "utimensat", 2, 0, EFAULT },
	{ "ppoll", 2, 0, EFAULT },
	{ "ppoll", 3, 0, EFAULT },
	{ "select", 1, 0, EFAULT },
	{ "select", 2, 0, EFAULT },
	{ "select", 3, 0, EFAULT },
	{ "select", 4, 0, EFAULT },
	{ "pselect6", 1, 0, EFAULT },
	{ "pselect6", 2, 0, EFAULT },
	{ "pselect6", 3, 0, EFAULT },
	{ "pselect6", 4, 0, EFAULT },
	{ "pselect6", 5, 0, EFAULT },
	{ "epoll_ctl_del", 3, 0, 0 },
	{ "epoll_pwait", 4, 0, EFAULT },
	{ "rt_sigaction", 1, 0, EFAULT },
	{ "rt_sigaction", 2, 0, EFAULT },
	{ "rt_sigprocmask", 1, 0, EFAULT },
	{ "rt_sigprocmask", 2, 0, EFAULT },
	{ "rt_sigtimedwait", 1, 0, EFAULT },
	{ "rt_sigtimedwait", 2, 0, EFAULT },
	{ "sigaltstack", 0, 0, EFAULT },
	{ "sigaltstack", 1, 0, EFAULT },
	{ "nanosleep", 1, 0, 0 },
	{ "clock_nanosleep", 3, 0, 0 },
	{ "clock_getres", 1, 0, EFAULT },
	{ "gettimeofday", 0, 0, EFAULT },
	{ "gettimeofday", 1, 0, EFAULT },
	{ "time", 0, 0, EFAULT },
	{ "times", 0, 0, EFAULT },
	{ "setitimer", 1, 0, EFAULT },
	{ "setitimer", 2, 0, EFAULT },
	{ "getcpu", 0, 0, EFAULT },
	{ "getcpu", 1, 0, EFAULT },
	{ "prlimit64", 2, 0, EFAULT },
	{ "prlimit64", 3, 0, EFAULT },
	{ "wait4", 1, 0, EFAULT },
	{ "wait4", 3, 0, EFAULT },
	{ "waitid", 2, 0, EFAULT },
	{ "waitid", 4, 0, EFAULT },
	{ "futex_wait", 3, EAGAIN, EFAULT },
};

static int expected(const struct call *call, int argument, int kind)
{
	for (unsigned i = 0; i < LENGTH(exceptions); i++)
		if (strcmp(exceptions[i].name, call->name) == 0 &&
		    exceptions[i].argument == argument)
			return kind == 0 ? exceptions[i].on_null : exceptions[i].on_others;
	return EFAULT;
}

static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void prepare(void)
{
	int fd[2], file = CHECK_OK(open("f", O_RDWR | O_CREAT | O_TRUNC, 0644));

	reap();
	CHECK_EQ(write(file, buffer, 100), 100);
	CHECK_OK(lseek(file, 0, SEEK_SET));
	CHECK_OK(dup2(file, FILE_FD));
	CHECK_OK(pipe2(fd, O_NONBLOCK));
	CHECK_EQ(write(fd[1], buffer, 100), 100);
	CHECK_OK(dup2(fd[0], PIPE_IN));
	CHECK_OK(dup2(fd[1], PIPE_OUT));
	CHECK_OK(dup2(CHECK_OK(open(".", O_RDONLY)), DIR_FD));
	CHECK_OK(dup2(CHECK_OK(epoll_create1(0)), EPOLL_FD));
	struct epoll_event writable = { .events = EPOLLOUT };
	CHECK_OK(epoll_ctl(EPOLL_FD, EPOLL_CTL_ADD, PIPE_OUT, &writable));
	unlink("g");
	rmdir("d");
	symlink("target", "s");
	for (int i = 0; i < 64; i++)
		groups[i] = 1000 + i;
	setgroups(5, groups);
	((struct flock *)buffer)->l_type = F_RDLCK;
	memset(sets, 0, sizeof(sets));
	sets[0][0] = sets[1][0] = 1 << FILE_FD; /* always ready */
	CHECK_OK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &signals, NULL, 8));
	CHECK_OK(kill(getpid(), SIGURG));
	if (FORK() == 0)
		_exit(0);
	siginfo_t info;
	CHECK_OK(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT));
}

/* The errno that the call gives with one of its pointers replaced, in this process. */
static int try_call(const struct call *call, int argument, void *pointer)
{
	long args[6];

	memcpy(args, call->args, sizeof(args));
	args[argument] = P(pointer);
	errno = 0;
	long got = syscall(call->number, args[0], args[1], args[2], args[3], args[4], args[5]);
	return got == -1 ? errno : 0;
}

static void check_call(const struct call *call)
{
	for (int argument = 0; argument < 6; argument++) {
		if (!(call->pointers >> argument & 1))
			continue;
		for (unsigned kind = 0; kind < LENGTH(wild); kind++) {
			prepare();
			int got = try_call(call, argument, wild[kind]);

			if (got != expected(call, argument, kind))
				FAIL("%s, argument %d = %p: errno %d, not %d", call->name, argument,
				     wild[kind], got, expected(call, argument, kind));
		}
	}
	reap();
}

static void check_calls(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to && i < LENGTH(calls); i++)
		SUBPROCESS {
			check_call(&calls[i]);
		}
}

/* In parts, so that each stays within its time on a slow machine. */
TEST(badptr, each_pointer_in_turn_1)
{
	check_calls(0, 17);
}

TEST(badptr, each_pointer_in_turn_2)
{
	check_calls(17, 61);
}

TEST(badptr, each_pointer_in_turn_3)
{
	check_calls(61, 79);
}

TEST(badptr, each_pointer_in_turn_4)
{
	ROOT_NEEDED();
	check_calls(79, LENGTH(calls));
}

TEST(badptr, good_arguments_are_good)
{
	for (unsigned i = 0; i < LENGTH(calls); i++)
		SUBPROCESS {
			const struct call *call = &calls[i];
			const long *args = call->args;

			if (call->number == SYS_sethostname || call->number == SYS_chroot)
				_exit(0);
			prepare();
			errno = 0;
			if (syscall(call->number, args[0], args[1], args[2], args[3], args[4],
				    args[5]) == -1 && errno == EFAULT)
				FAIL("%s: EFAULT", call->name);
			reap();
		}
}

/* Answers into memory that may only be read, and across the end of a mapping. */
TEST(badptr, answers_where_they_cannot_go)
{
	static const long fills[] = { SYS_uname, SYS_sysinfo, SYS_pipe, SYS_times };
	char *at = map_anonymous(2 * PAGE);

	CHECK_EQ(syscall(SYS_munmap, at + PAGE, PAGE), 0);
	for (unsigned i = 0; i < LENGTH(fills); i++)
		CHECK_ERRNO(syscall(fills[i], at + PAGE - 4), EFAULT);
	CHECK_ERRNO(syscall(SYS_getrusage, 0, at + PAGE - 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_getrlimit, 0, at + PAGE - 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_clock_gettime, 0, at + PAGE - 8), EFAULT);
	CHECK_OK(syscall(SYS_clock_gettime, 0, at + PAGE - 16));
	CHECK_OK(mprotect(at, PAGE, PROT_READ));
	for (unsigned i = 0; i < LENGTH(fills); i++)
		CHECK_ERRNO(syscall(fills[i], at), EFAULT);
	CHECK_ERRNO(syscall(SYS_stat, "/", at), EFAULT);
	CHECK_ERRNO(syscall(SYS_getrandom, at, 10, 0), EFAULT);
	CHECK_EQ(open("/dev/null", O_RDONLY), 3); /* the pipes have left nothing behind */
}

TEST(badptr, in_the_program_text)
{
	/* The answer may not overwrite code. */
	CHECK_ERRNO(syscall(SYS_uname, (void *)(uintptr_t)try_call), EFAULT);
	CHECK_ERRNO(syscall(SYS_read, CHECK_OK(open("/dev/zero", O_RDONLY)),
			    (void *)(uintptr_t)try_call, 10), EFAULT);
}

static unsigned seed = 1;

static unsigned next_random(unsigned bound)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % bound;
}

/* All pointers wild at once, and odd numbers elsewhere: any answer will do, if only one comes. */
TEST(badptr, everything_at_once)
{
	static const long odd[] = { 0, 1, -1, 2, 7, 64, 4096, 0x7fffffff, 1L << 31, 1L << 32,
				    0x7fffffffffffffff, 1L << 63, -4096, AT_FDCWD, FILE_FD };

	CHECK_OK(chmod(".", 0777));
	CHECK_OK(mkdir("work", 0777));
	CHECK_OK(chmod("work", 0777));
	CHECK_OK(chdir("work"));
	for (unsigned i = 0; i < LENGTH(calls); i++) {
		const struct call *call = &calls[i];

		if (strstr("poll ppoll select pselect6 epoll_wait epoll_pwait rt_sigtimedwait "
			   "nanosleep clock_nanosleep futex_wait wait4 waitid", call->name))
			continue; /* may rightly wait for ever */
		pid_t pid = FORK();
		if (pid == 0) {
			prepare();
			drop_to_user(4242, 4242);
			CHECK_OK(dup2(0, 1)); /* a terminal there might be waited for */
			CHECK_OK(dup2(0, 2));
			for (int round = 0; round < 30; round++) {
				long args[6];

				for (int j = 0; j < 6; j++) {
					args[j] = odd[next_random(LENGTH(odd))];
					if (call->pointers >> j & 1)
						args[j] = P(wild[next_random(LENGTH(wild))]) +
							  next_random(3) * 4093;
				}
				if (call->number == SYS_close || call->number == SYS_write)
					args[0] = 999;
				syscall(call->number, args[0], args[1], args[2], args[3], args[4],
					args[5]);
			}
			reap();
			_exit(0);
		}
		CHECK_EXITED(pid, 0);
	}
}

HELPER(record)
{
	for (unsigned i = 0; i < LENGTH(calls); i++)
		for (int argument = 0; argument < 6; argument++) {
			int got[4], fd[2];

			if (!(calls[i].pointers >> argument & 1))
				continue;
			for (int kind = 0; kind < 4; kind++) {
				if (pipe(fd) != 0)
					return 1;
				if (fork() == 0) {
					prepare();
					got[0] = try_call(&calls[i], argument, wild[kind]);
					_exit(write(fd[1], got, 4) != 4);
				}
				if (read(fd[0], &got[kind], 4) != 4)
					return 1;
				close(fd[0]);
				close(fd[1]);
				wait(NULL);
			}
			if (got[1] != got[2] || got[2] != got[3])
				printf("/* %d %d %d */\n", got[1], got[2], got[3]);
			if (got[0] != EFAULT || got[1] != EFAULT)
				printf("\t{ \"%s\", %d, %d, %d },\n", calls[i].name, argument,
				       got[0], got[1]);
		}
	return 0;
}
