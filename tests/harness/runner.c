// SPDX-License-Identifier: MIT
//
// /sbin/init of the test archives: runs every program in /tests, one after the other, in the
// order of their names, and turns the machine off. Runs the same on Linux.
//
// What it prints is read by suite.py:
//
//     ## begin NAME
//     ## end NAME status N | ## end NAME signal N | ## end NAME timeout
//     ## leak NAME: OBJECT BEFORE -> AFTER
//     ## done
//
// After each program everything it left behind is killed and reaped, so that programs cannot
// disturb each other. Where the system shows /proc/troupe/objects (lines "NAME COUNT", taken
// once caches are dropped and notices drained) the counts must come back to what they were
// before the program; they get a second to do so.
//
// Files in /tests that begin with a dot speak to the runner: .timeout holds the seconds that a
// program may take (0: for ever), .arguments words that each program gets.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OBJECTS "/proc/troupe/objects"

static void alarm_handle(int signal)
{
	(void)signal;
}

// --- the machine ----------------------------------------------------------------------------

static void mount_missing(const char *probe, const char *type, const char *where)
{
	if (access(probe, F_OK)) {
		mkdir(where, 0755);
		mount(type, where, type, 0, NULL);
	}
}

// Linux leaves it down at boot.
static void loopback_up(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ioctl(fd, SIOCSIFFLAGS, &lo);
	close(fd);
}

// On Linux the archive holds only empty folders where Troupe has everything mounted.
static void machine_prepare(void)
{
	int bare = access("/dev/null", F_OK);

	mount_missing("/dev/null", "devtmpfs", "/dev");
	mount_missing("/proc/self", "proc", "/proc");
	if (bare) {
		mount_missing("/dev/pts/ptmx", "devpts", "/dev/pts");
		mount_missing("/dev/shm/.", "tmpfs", "/dev/shm");
		mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777");
		symlink("/proc/self/fd", "/dev/fd");
		symlink("fd/0", "/dev/stdin");
		symlink("fd/1", "/dev/stdout");
		symlink("fd/2", "/dev/stderr");
		loopback_up();
	}
	if (fcntl(0, F_GETFD) < 0) {
		open("/dev/console", O_RDWR);
		dup(0);
		dup(0);
	}
	sethostname("troupe", 6);
	setenv("PATH", "/bin:/sbin", 1);
	setenv("HOME", "/root", 1);
	setenv("TMPDIR", "/tmp", 1);
}

// --- leaks ----------------------------------------------------------------------------------

#define TEXT_SIZE 4096

// What was there before and after a program. Static and touched from the start, so that looking
// changes nothing.
static char objects_before[TEXT_SIZE] = "none", objects_after[TEXT_SIZE] = "none";

// Reads the text of OBJECTS, or an empty one.
static void objects_read(char *text)
{
	int fd = open(OBJECTS, O_RDONLY | O_CLOEXEC);
	ssize_t got;
	size_t length = 0;

	while (fd >= 0 && (got = read(fd, text + length, TEXT_SIZE - 1 - length)) > 0)
		length += (size_t)got;
	text[length] = 0;
	text[strcspn(text, "#")] = 0; // what follows may grow
	if (fd >= 0)
		close(fd);
}

static void objects_settle(void)
{
	struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };

	objects_read(objects_after);
	for (int i = 0; i < 20 && strcmp(objects_before, objects_after); i++) {
		nanosleep(&pause, NULL);
		objects_read(objects_after);
	}
}

static void leaks_report(const char *name, char *before, char *after)
{
	char *next_before, *next_after;

	for (; *before && *after; before = next_before, after = next_after) {
		next_before = before + strcspn(before, "\n");
		next_after = after + strcspn(after, "\n");
		next_before += *next_before ? (*next_before = 0, 1) : 0;
		next_after += *next_after ? (*next_after = 0, 1) : 0;
		if (strcmp(before, after))
			printf("## leak %s: %s -> %s\n", name, before, after);
	}
}

// The first child and the first look cost pages that stay.
static void objects_warm_up(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	objects_read(objects_before);
	objects_settle();
}

// --- programs -------------------------------------------------------------------------------

static void program_exec(const char *path)
{
	static char words[1000];
	char *argv[40] = { (char *)path };
	FILE *file = fopen("/tests/.arguments", "re");

	if (file && fgets(words, sizeof(words), file))
		for (int i = 1; i < 39; i++)
			argv[i] = strtok(i == 1 ? words : NULL, " \n");
	if (file)
		fclose(file);
	setsid();
	if (chdir("/tmp"))
		_exit(126);
	execv(path, argv);
	printf("not ok %s does not start: %s\n", path, strerror(errno));
	fflush(stdout);
	_exit(127);
}

// Kills and reaps whatever the program left; nobody but us is alive afterwards.
static void leftovers_kill(void)
{
	if (kill(-1, SIGKILL) < 0 && errno == ESRCH)
		return;
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static void program_run(const char *name, unsigned timeout)
{
	char path[300];
	int status = 0, expired = 0;
	pid_t child, got;

	snprintf(path, sizeof(path), "/tests/%s", name);
	printf("## begin %s\n", name);
	fflush(stdout);
	objects_read(objects_before);
	child = fork();
	if (child == 0)
		program_exec(path);
	alarm(timeout);
	// Orphans of the program become our children too; only the program itself counts.
	while ((got = waitpid(-1, &status, 0)) != child) {
		if (got >= 0 || errno != EINTR)
			continue;
		expired = 1;
		kill(child, SIGKILL);
	}
	alarm(0);
	leftovers_kill();
	objects_settle();
	leaks_report(name, objects_before, objects_after);
	if (expired)
		printf("## end %s timeout\n", name);
	else if (WIFSIGNALED(status))
		printf("## end %s signal %d\n", name, WTERMSIG(status));
	else
		printf("## end %s status %d\n", name, WEXITSTATUS(status));
	fflush(stdout);
}

static unsigned timeout_read(void)
{
	FILE *file = fopen("/tests/.timeout", "r");
	unsigned seconds = 60;

	if (file && fscanf(file, "%u", &seconds) != 1)
		seconds = 60;
	if (file)
		fclose(file);
	return seconds;
}

static int program_select(const struct dirent *item)
{
	return item->d_name[0] != '.';
}

int main(void)
{
	struct sigaction action = { .sa_handler = alarm_handle };
	struct dirent **items;
	int count;
	unsigned timeout;

	machine_prepare();
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGALRM, &action, NULL);
	timeout = timeout_read();
	objects_warm_up();
	count = scandir("/tests", &items, program_select, alphasort);
	if (count < 0)
		printf("## no tests: %s\n", strerror(errno));
	for (int i = 0; i < count; i++) {
		program_run(items[i]->d_name, timeout);
		free(items[i]);
	}
	if (count >= 0)
		free(items);
	printf("## done\n");
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	pause();
	return 1;
}
