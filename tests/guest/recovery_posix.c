/*
 * The process server is ended and started again, and nobody but the one who asked for it notices.
 *
 * On Linux, where there is nothing of the kind, the same things happen undisturbed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static void restart(void)
{
	int fd = open("/proc/sys/troupe/restart", O_WRONLY);

	if (fd < 0) {
		if (errno != ENOENT)
			FAIL("the file to restart cannot be opened: errno %d", errno);
		return;
	}
	CHECK_EQ(write(fd, "posix", 5), 5);
	CHECK_OK(close(fd));
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

static void pause_ms(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000l };

	while (nanosleep(&t, &t))
		;
}

static int status_of(pid_t pid)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return status;
}

/* Until the child sleeps in its call: that it is there is seen in /proc on both systems. */
static void wait_asleep(pid_t pid)
{
	char path[40], text[200];

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	for (int i = 0; i < 500; i++) {
		int fd = CHECK_OK(open(path, O_RDONLY)),
		    n = (int)CHECK_OK(read(fd, text, sizeof text - 1));
		char *state;

		close(fd);
		text[n] = 0;
		state = strrchr(text, ')');
		if (state && (state[2] == 'S' || state[2] == 'T'))
			return;
		pause_ms(2);
	}
	FAIL("the child does not sleep");
}

/* --- processes -------------------------------------------------------------------------------- */

TEST(recovery_posix, same_processes)
{
	pid_t self = getpid(), parent = getppid(), group = getpgrp(), session = getsid(0), child;

	child = CHECK_OK(fork());
	if (!child) {
		pause();
		_exit(1);
	}
	restart();
	CHECK_EQ(getpid(), self);
	CHECK_EQ(getppid(), parent);
	CHECK_EQ(getpgrp(), group);
	CHECK_EQ(getsid(0), session);
	CHECK_OK(kill(child, 0));
	CHECK_EQ(getpgid(child), group);
	CHECK_OK(kill(child, SIGTERM));
	CHECK_EQ(status_of(child), SIGTERM);
	CHECK_ERRNO(kill(child, 0), ESRCH);
	CHECK_ERRNO(wait(NULL), ECHILD);
}

TEST(recovery_posix, wait_is_parked)
{
	pid_t waiter = CHECK_OK(fork()), child;

	if (!waiter) {
		child = CHECK_OK(fork());
		if (!child) {
			pause_ms(300);
			_exit(7);
		}
		_exit(status_of(child) == 7 << 8 ? 3 : 4);
	}
	wait_asleep(waiter);
	restart();
	restart();
	CHECK_EQ(status_of(waiter), 3 << 8);
}

TEST(recovery_posix, zombies_wait)
{
	pid_t child[20];
	siginfo_t info;

	for (int i = 0; i < 20; i++) {
		child[i] = CHECK_OK(fork());
		if (!child[i])
			_exit(i);
	}
	CHECK_OK(waitid(P_PID, (id_t)child[19], &info, WEXITED | WNOWAIT));
	restart();
	for (int i = 0; i < 20; i++)
		CHECK_EQ(status_of(child[i]), i << 8);
	CHECK_ERRNO(wait(NULL), ECHILD);
}

TEST(recovery_posix, children_exit_around_it)
{
	for (int round = 0; round < 10; round++) {
		pid_t child[8];

		for (int i = 0; i < 8; i++) {
			child[i] = CHECK_OK(fork());
			if (!child[i]) {
				pause_ms(i * 2);
				_exit(i);
			}
		}
		restart();
		for (int i = 0; i < 8; i++)
			CHECK_EQ(status_of(child[i]), i << 8);
	}
	CHECK_ERRNO(wait(NULL), ECHILD);
}

HELPER(sleeper)
{
	(void)argc;
	(void)argv;
	pause_ms(150);
	return 9;
}

TEST(recovery_posix, vfork_is_held)
{
	pid_t middle = CHECK_OK(fork()), child;

	if (!middle) {
		child = vfork();
		if (!child) {
			struct timespec t = { 0, 200000000 };

			nanosleep(&t, NULL);
			_exit(5);
		}
		_exit(status_of(child) == 5 << 8 ? 0 : 1);
	}
	pause_ms(50);
	restart();
	CHECK_EQ(status_of(middle), 0);
}

TEST(recovery_posix, exec)
{
	char *argv[] = { (char *)test_self, "--helper=sleeper", NULL }, *none[] = { NULL };
	pid_t child;

	for (int i = 0; i < 5; i++) {
		CHECK_EQ(posix_spawn(&child, test_self, NULL, NULL, argv, none), 0);
		restart();
		CHECK_EQ(status_of(child), 9 << 8);
	}
}

TEST(recovery_posix, pipelines)
{
	FILE *f;
	int sum = 0, n;

	f = popen(
		"for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; done | while read x; do echo $x; done",
		"r");
	CHECK(f);
	restart();
	while (fscanf(f, "%d", &n) == 1)
		sum += n;
	CHECK_EQ(pclose(f), 0);
	CHECK_EQ(sum, 55);
}

/* --- signals ---------------------------------------------------------------------------------- */

static volatile sig_atomic_t caught;
static volatile int last_value;

static void catch(int sig)
{
	(void)sig;
	caught++;
}

static void catch_info(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	last_value = last_value * 10 + info->si_value.sival_int;
	caught++;
}

TEST(recovery_posix, pending_and_blocked)
{
	struct sigaction a = { .sa_sigaction = catch_info, .sa_flags = SA_SIGINFO };
	sigset_t set, old;

	CHECK_OK(sigaction(SIGRTMIN, &a, NULL));
	a = (struct sigaction){ .sa_handler = catch };
	CHECK_OK(sigaction(SIGUSR1, &a, NULL));
	signal_mask(SIG_BLOCK, SIGRTMIN);
	signal_mask(SIG_BLOCK, SIGUSR1);
	for (int i = 1; i <= 3; i++)
		CHECK_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }));
	CHECK_OK(raise(SIGUSR1));
	CHECK_OK(kill(getpid(), SIGUSR1));
	restart();
	CHECK_OK(sigpending(&set));
	CHECK(sigismember(&set, SIGRTMIN) && sigismember(&set, SIGUSR1));
	CHECK_EQ(caught, 0);
	CHECK_OK(sigprocmask(SIG_SETMASK, NULL, &old));
	CHECK(sigismember(&old, SIGRTMIN) && sigismember(&old, SIGUSR1) &&
	      !sigismember(&old, SIGUSR2));
	CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK_EQ(last_value, 123);
	CHECK_EQ(caught, 5);
}

TEST(recovery_posix, handlers_stay)
{
	struct sigaction a = { .sa_handler = catch, .sa_flags = SA_RESTART }, b;

	sigaddset(&a.sa_mask, SIGUSR2);
	CHECK_OK(sigaction(SIGUSR1, &a, NULL));
	signal(SIGUSR2, SIG_IGN);
	restart();
	CHECK_OK(sigaction(SIGUSR1, NULL, &b));
	CHECK(b.sa_handler == catch && sigismember(&b.sa_mask, SIGUSR2) && b.sa_flags & SA_RESTART);
	CHECK_OK(raise(SIGUSR1));
	CHECK_OK(raise(SIGUSR2));
	CHECK_EQ(caught, 1);
}

TEST(recovery_posix, suspend_is_parked)
{
	pid_t child = CHECK_OK(fork());
	sigset_t set, wait;

	if (!child) {
		signal(SIGUSR1, catch);
		sigemptyset(&wait);
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigaddset(&set, SIGUSR2);
		sigprocmask(SIG_SETMASK, &set, NULL);
		CHECK_ERRNO(sigsuspend(&wait), EINTR);
		sigprocmask(SIG_SETMASK, NULL, &wait);
		_exit(caught == 1 && sigismember(&wait, SIGUSR1) && sigismember(&wait, SIGUSR2) ?
			      0 :
			      1);
	}
	pause_ms(50);
	wait_asleep(child);
	restart();
	CHECK_OK(kill(child, SIGUSR1));
	CHECK_EQ(status_of(child), 0);
}

TEST(recovery_posix, timedwait_is_parked)
{
	pid_t child = CHECK_OK(fork());
	struct timespec t = { 0, 400000000 };
	siginfo_t info;
	int64_t begin;
	sigset_t set;

	if (!child) {
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigprocmask(SIG_BLOCK, &set, NULL);
		CHECK_EQ(sigtimedwait(&set, &info, &(struct timespec){ 20, 0 }), SIGUSR1);
		CHECK_EQ(info.si_pid, getppid());
		begin = now();
		CHECK_ERRNO(sigtimedwait(&set, &info, &t), EAGAIN);
		CHECK(now() - begin >= 399 && now() - begin < 5000);
		_exit(0);
	}
	pause_ms(50);
	wait_asleep(child);
	restart();
	CHECK_OK(kill(child, SIGUSR1));
	pause_ms(100);
	restart();
	CHECK_EQ(status_of(child), 0);
}

TEST(recovery_posix, stopped_children)
{
	int status;
	pid_t child;

	signal(SIGUSR1, catch);
	child = CHECK_OK(fork());
	if (!child) {
		while (!caught)
			pause_ms(1);
		_exit(4);
	}
	CHECK_OK(kill(child, SIGSTOP));
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK(WIFSTOPPED(status));
	restart();
	CHECK_OK(kill(child, SIGUSR1));
	CHECK_EQ(waitpid(child, &status, WUNTRACED | WNOHANG), 0);
	wait_asleep(child);
	restart();
	CHECK_OK(kill(child, SIGCONT));
	CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
	CHECK(WIFCONTINUED(status) || WEXITSTATUS(status) == 4);
	if (WIFCONTINUED(status))
		CHECK_EQ(status_of(child), 4 << 8);
}

/* --- time ------------------------------------------------------------------------------------- */

TEST(recovery_posix, alarms)
{
	struct itimerval v = { .it_value = { 5, 0 } };
	int64_t begin;
	unsigned left;

	signal(SIGALRM, catch);
	alarm(10);
	restart();
	left = alarm(0);
	CHECK(left == 10 || left == 9);
	CHECK_OK(setitimer(ITIMER_REAL, &v, NULL));
	pause_ms(100);
	restart();
	CHECK_OK(getitimer(ITIMER_REAL, &v));
	CHECK(v.it_value.tv_sec == 4 && v.it_value.tv_usec > 100000);
	v.it_value = v.it_interval = (struct timeval){ 0, 100000 };
	begin = now();
	CHECK_OK(setitimer(ITIMER_REAL, &v, NULL));
	while (caught < 6) {
		restart();
		pause();
	}
	CHECK(now() - begin >= 599 && now() - begin < 3000);
	v.it_value = (struct timeval){ 0, 0 };
	CHECK_OK(setitimer(ITIMER_REAL, &v, NULL));
}

TEST(recovery_posix, timers)
{
	struct itimerspec s = { .it_value = { 0, 300000000 } };
	timer_t id;

	signal(SIGALRM, catch);
	CHECK_OK(timer_create(CLOCK_MONOTONIC, NULL, &id));
	CHECK_OK(timer_settime(id, 0, &s, NULL));
	restart();
	CHECK_OK(timer_gettime(id, &s));
	CHECK(s.it_value.tv_sec == 0 && s.it_value.tv_nsec > 0);
	while (!caught)
		pause_ms(10);
	CHECK_OK(timer_delete(id));
	CHECK_EQ(caught, 1);
}

TEST(recovery_posix, sleeping)
{
	int64_t begin = now();
	pid_t child = CHECK_OK(fork());

	if (!child) {
		pause_ms(300);
		_exit(now() - begin >= 300 && now() - begin < 3000 ? 0 : 1);
	}
	pause_ms(50);
	restart();
	CHECK_EQ(status_of(child), 0);
}

TEST(recovery_posix, usage)
{
	struct rusage before, after, children;
	struct tms t;
	pid_t child = CHECK_OK(fork());

	if (!child) {
		for (int64_t begin = now(); now() - begin < 60;)
			;
		_exit(0);
	}
	CHECK_EQ(status_of(child), 0);
	CHECK_OK(getrusage(RUSAGE_SELF, &before));
	CHECK_OK(getrusage(RUSAGE_CHILDREN, &children));
	restart();
	CHECK_OK(getrusage(RUSAGE_SELF, &after));
	CHECK(after.ru_utime.tv_sec * 1000000 + after.ru_utime.tv_usec >=
	      before.ru_utime.tv_sec * 1000000 + before.ru_utime.tv_usec);
	CHECK_OK(getrusage(RUSAGE_CHILDREN, &after));
	CHECK_EQ(after.ru_utime.tv_usec, children.ru_utime.tv_usec);
	CHECK(times(&t) != (clock_t)-1);
}

/* --- what a process has ----------------------------------------------------------------------- */

TEST(recovery_posix, credentials)
{
	gid_t groups[3] = { 7, 8, 9 };
	int as_root[2], back[2];
	pid_t child;
	char c;

	CHECK_OK(pipe(as_root));
	CHECK_OK(pipe(back));
	child = CHECK_OK(fork());

	if (!child) {
		int fd = open("/proc/sys/troupe/restart", O_WRONLY);

		if (setgroups(3, groups) < 0) {
			CHECK_EQ(errno, EPERM);		/* not root on this host */
			_exit(0);
		}
		CHECK_OK(setresgid(101, 102, 103));
		CHECK_OK(setresuid(201, 202, 203));
		if (fd >= 0)
			CHECK_ERRNO(write(fd, "posix", 5), EPERM);
		CHECK_EQ(write(as_root[1], "x", 1), 1);
		CHECK_EQ(read(back[0], &c, 1), 1);
		memset(groups, 0, sizeof groups);
		CHECK_EQ(getgroups(3, groups), 3);
		CHECK(groups[0] == 7 && groups[1] == 8 && groups[2] == 9);
		CHECK(getuid() == 201 && geteuid() == 202 && getgid() == 101 && getegid() == 102);
		CHECK_ERRNO(open("/etc/shadow", O_RDONLY), EACCES);
		CHECK_ERRNO(setuid(0), EPERM);
		CHECK_OK(seteuid(203));
		_exit(0);
	}
	close(as_root[1]);
	if (read(as_root[0], &c, 1) == 1) {
		restart();
		CHECK_EQ(write(back[1], "x", 1), 1);
	}
	CHECK_EQ(status_of(child), 0);
}

TEST(recovery_posix, limits_and_others)
{
	struct rlimit r = { 100, 200 };
	char name[20] = "", directory[300], same[300];
	mode_t mask = umask(027);

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &r));
	CHECK_OK(getcwd(directory, sizeof directory) ? 0 : -1);
	pthread_setname_np(pthread_self(), "persistent");
	restart();
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &r));
	CHECK(r.rlim_cur == 100 && r.rlim_max == 200);
	CHECK_ERRNO(dup2(0, 150), EBADF);
	CHECK_EQ(umask(mask), 027);
	CHECK_OK(getcwd(same, sizeof same) ? 0 : -1);
	CHECK_STR(directory, same);
	pthread_getname_np(pthread_self(), name, sizeof name);
	CHECK_STR(name, "persistent");
}

TEST(recovery_posix, groups_and_sessions)
{
	int go[2];
	char c;
	pid_t a, b, session;

	CHECK_OK(pipe(go));
	a = CHECK_OK(fork());
	if (!a) {
		close(go[1]);
		read(go[0], &c, 1);
		_exit(0);
	}
	CHECK_OK(setpgid(a, a));
	b = CHECK_OK(fork());
	if (!b) {
		close(go[1]);
		read(go[0], &c, 1);
		_exit(0);
	}
	restart();
	CHECK_OK(setpgid(b, a));
	restart();
	CHECK_EQ(getpgid(b), a);
	CHECK_OK(killpg(a, SIGTERM));
	CHECK_EQ(status_of(a), SIGTERM);
	CHECK_EQ(status_of(b), SIGTERM);
	session = CHECK_OK(fork());
	if (!session) {
		CHECK_OK(setsid());
		restart();
		CHECK_EQ(getsid(0), getpid());
		CHECK_ERRNO(setsid(), EPERM);
		_exit(0);
	}
	CHECK_EQ(status_of(session), 0);
}

/* --- threads ---------------------------------------------------------------------------------- */

static pthread_mutex_t mutex;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turns;

static void *turn(void *arg)
{
	pthread_mutex_lock(&mutex);
	turns++;
	pthread_cond_broadcast(&condition);
	while (turns < 6)
		pthread_cond_wait(&condition, &mutex);
	pthread_mutex_unlock(&mutex);
	return arg;
}

static void *lock_and_die(void *arg)
{
	pthread_mutex_lock(&mutex);
	pause_ms(100);
	return arg;
}

TEST(recovery_posix, threads)
{
	pthread_t t[6];
	void *result;

	pthread_mutex_init(&mutex, NULL);
	for (intptr_t i = 0; i < 6; i++) {
		CHECK_EQ(pthread_create(&t[i], NULL, turn, (void *)i), 0);
		if (i % 2)
			restart();
	}
	for (intptr_t i = 0; i < 6; i++) {
		CHECK_EQ(pthread_join(t[i], &result), 0);
		CHECK_EQ((intptr_t)result, i);
	}
}

TEST(recovery_posix, robust_lists)
{
	pthread_mutexattr_t a;
	pthread_t t;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	CHECK_EQ(pthread_mutex_init(&mutex, &a), 0);
	CHECK_EQ(pthread_create(&t, NULL, lock_and_die, NULL), 0);
	pause_ms(40);
	restart();
	CHECK_EQ(pthread_mutex_lock(&mutex), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(&mutex), 0);
	pthread_mutex_unlock(&mutex);
	pthread_join(t, NULL);
}

static void *exec_other(void *arg)
{
	char *argv[] = { (char *)test_self, "--helper=sleeper", NULL };

	(void)arg;
	execv(test_self, argv);
	return NULL;
}

TEST(recovery_posix, exec_of_a_thread)
{
	for (int i = 0; i < 5; i++) {
		pid_t child = CHECK_OK(fork());
		pthread_t t;

		if (!child) {
			pthread_create(&t, NULL, exec_other, NULL);
			pthread_join(t, NULL);
			_exit(1);
		}
		restart();
		CHECK_EQ(status_of(child), 9 << 8);
	}
}

/* --- terminals -------------------------------------------------------------------------------- */

TEST(recovery_posix, pseudo_terminal)
{
	struct winsize size = { 33, 44, 0, 0 };
	struct termios t;
	int master, slave;
	char text[64];
	struct pollfd p;

	CHECK_OK(openpty(&master, &slave, NULL, NULL, &size));
	CHECK_OK(tcgetattr(slave, &t));
	t.c_lflag &= (tcflag_t)~ECHO;
	t.c_cc[VERASE] = '#';
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	CHECK_EQ(write(master, "first\nsecx#o", 12), 12);
	CHECK_EQ(write(slave, "out", 3), 3);
	restart();
	CHECK_EQ(write(master, "nd\n", 3), 3);
	CHECK_EQ(read(slave, text, sizeof text), 6);
	CHECK(!memcmp(text, "first\n", 6));
	restart();
	CHECK_EQ(read(slave, text, sizeof text), 7);
	CHECK(!memcmp(text, "second\n", 7));
	CHECK_EQ(read(master, text, sizeof text), 3);
	CHECK(!memcmp(text, "out", 3));
	memset(&size, 0, sizeof size);
	CHECK_OK(ioctl(slave, TIOCGWINSZ, &size));
	CHECK(size.ws_row == 33 && size.ws_col == 44);
	CHECK_OK(tcgetattr(slave, &t));
	CHECK(!(t.c_lflag & ECHO) && t.c_cc[VERASE] == '#');
	p = (struct pollfd){ .fd = master, .events = POLLIN };
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_EQ(write(slave, "x", 1), 1);
	CHECK_EQ(poll(&p, 1, 1000), 1);
	CHECK_OK(close(slave));
	restart();
	CHECK_EQ(read(master, text, sizeof text), 1);
	CHECK_ERRNO(read(master, text, sizeof text), EIO);
	CHECK_OK(close(master));
}

TEST(recovery_posix, readers_are_parked)
{
	int master, slave;
	char text[64];
	pid_t child;

	CHECK_OK(openpty(&master, &slave, NULL, NULL, NULL));
	child = CHECK_OK(fork());
	if (!child) {
		CHECK_EQ(read(slave, text, sizeof text), 4);
		CHECK_EQ(write(slave, "got\n", 4), 4);
		_exit(0);
	}
	wait_asleep(child);
	restart();
	CHECK_EQ(write(master, "abc\n", 4), 4);
	CHECK_EQ(status_of(child), 0);
	CHECK(read(master, text, sizeof text) > 0);
}

TEST(recovery_posix, hangup)
{
	int master, status;
	pid_t child = CHECK_OK(forkpty(&master, NULL, NULL, NULL));

	if (!child) {
		for (;;)
			pause();
	}
	wait_asleep(child);
	restart();
	CHECK_OK(close(master));
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP);
}

TEST(recovery_posix, job_control)
{
	int master, status;
	char c;
	pid_t child = CHECK_OK(forkpty(&master, NULL, NULL, NULL));

	if (!child) {
		signal(SIGINT, SIG_DFL);
		write(1, "!", 1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(master, &c, 1), 1);
	restart();
	CHECK_EQ(write(master, "\003", 1), 1);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	CHECK_OK(close(master));
}

/* --- the rest --------------------------------------------------------------------------------- */

TEST(recovery_posix, random_numbers)
{
	unsigned char a[64], b[64], c[64];

	CHECK_EQ(syscall(SYS_getrandom, a, sizeof a, 0), (long)sizeof a);
	restart();
	CHECK_EQ(syscall(SYS_getrandom, b, sizeof b, 0), (long)sizeof b);
	restart();
	CHECK_EQ(syscall(SYS_getrandom, c, sizeof c, 0), (long)sizeof c);
	CHECK(memcmp(a, b, sizeof a) && memcmp(b, c, sizeof b) && memcmp(a, c, sizeof a));
}

TEST(recovery_posix, proc_files)
{
	char path[64], before[4096], after[4096], *field;
	ssize_t n, m;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/status", getpid());
	fd = CHECK_OK(open(path, O_RDONLY));
	n = CHECK_OK(read(fd, before, sizeof before - 1));
	restart();
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	m = CHECK_OK(read(fd, after, sizeof after - 1));
	before[n] = after[m] = 0;
	field = strstr(before, "VmPeak");
	if (field)
		*field = 0;
	CHECK(!strncmp(before, after, strlen(before)));
	CHECK_OK(close(fd));
}

/* --- all at once ------------------------------------------------------------------------------ */

/* Forty rounds, or what a busy host gets done in six seconds. */
static void churn(int seed)
{
	sigset_t set, old;
	int status, p[2];
	char c;
	int64_t end = now() + 6000;

	srand((unsigned)seed);
	signal(SIGUSR1, catch);
	for (int i = 0; i < 40 && (i < 4 || now() < end); i++) {
		pid_t child, other;
		int code = rand() % 100, before = caught;

		CHECK_OK(pipe(p));
		child = CHECK_OK(fork());
		if (!child) {
			read(p[0], &c, 1);
			_exit(code);
		}
		CHECK_EQ(write(p[1], "x", 1), 1);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(status, code << 8);
		close(p[0]);
		close(p[1]);

		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		CHECK_OK(sigprocmask(SIG_BLOCK, &set, &old));
		CHECK_OK(kill(getpid(), SIGUSR1));
		CHECK_EQ(caught, before);
		CHECK_OK(sigprocmask(SIG_SETMASK, &old, NULL));
		CHECK_EQ(caught, before + 1);

		other = CHECK_OK(fork());
		if (!other) {
			pause();
			_exit(1);
		}
		CHECK_OK(kill(other, i % 2 ? SIGKILL : SIGTERM));
		CHECK_EQ(waitpid(other, &status, 0), other);
		CHECK_EQ(status, i % 2 ? SIGKILL : SIGTERM);
		CHECK_ERRNO(waitpid(-1, &status, WNOHANG), ECHILD);
		if (i % 8 == 0) {
			char *argv[] = { (char *)test_self, "--helper=seven", NULL },
			     *none[] = { NULL };

			CHECK_EQ(posix_spawn(&child, test_self, NULL, NULL, argv, none), 0);
			CHECK_EQ(status_of(child), 7 << 8);
		}
	}
	_exit(0);
}

HELPER(seven)
{
	(void)argc;
	(void)argv;
	return 7;
}

TEST(recovery_posix, while_it_works)
{
	pid_t worker[4], breaker = CHECK_OK(fork());

	if (!breaker) {
		for (;;) {
			restart();
			pause_ms(20 + rand() % 60);
		}
	}
	for (int i = 0; i < 4; i++) {
		worker[i] = CHECK_OK(fork());
		if (!worker[i])
			churn(i);
	}
	for (int i = 0; i < 4; i++)
		CHECK_EQ(status_of(worker[i]), 0);
	CHECK_OK(kill(breaker, SIGKILL));
	CHECK_EQ(status_of(breaker), SIGKILL);
	CHECK_ERRNO(wait(NULL), ECHILD);
}
