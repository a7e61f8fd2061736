/* SPDX-License-Identifier: MIT */
/*
 * The VFS against Linux: the same random sequence of calls goes to both, and every result must be
 * equal: return values, errors, what stat and readlink say. Names are few, so that they collide.
 * Runs in a folder of its own on a tmpfs of the host.
 */
#define _GNU_SOURCE
#include "vfs_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux.h"

static struct mock_caller *me;
static uint64_t seed = 1;

static uint32_t chance(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 11) % n;
}

static const char *const paths[] = {
	"a",   "b",   "c",   "d",    "a/b",     "a/c",    "b/c",         "a/b/c",    "b/a/d",
	"c/d", "d/a", "./a", "a/.",  "a/..",    "b/../c", "a/",          "b/",       "c/d/",
	".",   "..",  "",    "a//b", "a/../b/", "../w/c", "d/../../w/b", "a/b/../c", "a/b/c/d",
};
static const char *const targets[] = { "a", "b",  "a/b",    "c",      "nothing", "../a",
				       ".", "d/", "../w/b", "c/../d", "" };

static const char *path(void)
{
	return paths[chance(sizeof paths / sizeof paths[0])];
}

static int64_t theirs(long n, long a, long b, long c, long d, long e)
{
	long r = syscall(n, a, b, c, d, e);

	return r < 0 ? -errno : r;
}

static int64_t ours(long n, long a, long b, long c, long d, long e)
{
	return mock_call(me, (int)n,
			 (const uint64_t[6]){ (uint64_t)a, (uint64_t)b, (uint64_t)c, (uint64_t)d,
					      (uint64_t)e });
}

static char what[512];
static unsigned step;

static void same(int64_t linux_, int64_t vfs_)
{
	if (linux_ == vfs_)
		return;
	fprintf(stderr, "step %u: %s: Linux says %ld, the VFS %ld\n", step, what, (long)linux_,
		(long)vfs_);
	abort();
}

#define A(s) (long)(s)

static void both(long n, long a, long b, long c, long d, long e)
{
	same(theirs(n, a, b, c, d, e), ours(n, a, b, c, d, e));
}

static void do_open(const char *p)
{
	static const int flags[] = { 0,
				     O_CREAT,
				     O_CREAT | O_EXCL,
				     O_TRUNC,
				     O_CREAT | O_TRUNC,
				     O_NOFOLLOW,
				     O_DIRECTORY,
				     O_PATH,
				     O_PATH | O_NOFOLLOW,
				     O_CREAT | O_NOFOLLOW,
				     O_DIRECTORY | O_NOFOLLOW,
				     O_APPEND,
				     O_PATH | O_DIRECTORY };
	int f = flags[chance(sizeof flags / sizeof flags[0])] | (int)chance(3) | O_NONBLOCK;
	int64_t theirs_, ours_;

	if (f & O_PATH)
		f &= ~O_ACCMODE;
	snprintf(what, sizeof what, "open %s %o", p, f);
	theirs_ = theirs(SYS_open, A(p), f, 0666, 0, 0);
	ours_ = ours(SYS_open, A(p), f, 0666, 0, 0);
	if (theirs_ >= 0 && ours_ >= 0) {
		close((int)theirs_);
		mock_close(me, (int)ours_);
		return;
	}
	same(theirs_, ours_);
}

static void do_stat(const char *p)
{
	struct stat s;
	struct lx_stat v;
	long n = chance(2) ? SYS_stat : SYS_lstat;
	int64_t r = theirs(n, A(p), A(&s), 0, 0, 0);

	snprintf(what, sizeof what, "%s %s", n == SYS_stat ? "stat" : "lstat", p);
	same(r, ours(n, A(p), A(&v), 0, 0, 0));
	if (r)
		return;
	same(s.st_mode, v.mode);
	same((int64_t)s.st_nlink, (int64_t)v.nlink);
	if (!S_ISDIR(s.st_mode))
		same(s.st_size, v.size);
}

static void do_readlink(const char *p)
{
	char t[300], o[300];
	int64_t r;

	snprintf(what, sizeof what, "readlink %s", p);
	r = theirs(SYS_readlink, A(p), A(t), 300, 0, 0);
	same(r, ours(SYS_readlink, A(p), A(o), 300, 0, 0));
	if (r > 0)
		same(0, memcmp(t, o, (size_t)r));
}

static void one(void)
{
	const char *p = path(), *q = path(),
		   *t = targets[chance(sizeof targets / sizeof targets[0])];
	unsigned flags = chance(3);

	switch (chance(16)) {
	case 0:
	case 1:
		snprintf(what, sizeof what, "mkdir %s", p);
		both(SYS_mkdir, A(p), 0777, 0, 0, 0);
		break;
	case 2:
		snprintf(what, sizeof what, "rmdir %s", p);
		both(SYS_rmdir, A(p), 0, 0, 0, 0);
		break;
	case 3:
		snprintf(what, sizeof what, "unlink %s", p);
		both(SYS_unlink, A(p), 0, 0, 0, 0);
		break;
	case 4:
	case 5:
		snprintf(what, sizeof what, "rename %s %s %u", p, q, flags);
		both(SYS_renameat2, AT_FDCWD, A(p), AT_FDCWD, A(q), flags);
		break;
	case 6:
		snprintf(what, sizeof what, "link %s %s", p, q);
		both(SYS_linkat, AT_FDCWD, A(p), AT_FDCWD, A(q), chance(2) ? AT_SYMLINK_FOLLOW : 0);
		break;
	case 7:
		snprintf(what, sizeof what, "symlink %s %s", t, p);
		both(SYS_symlink, A(t), A(p), 0, 0, 0);
		break;
	case 8:
	case 9:
	case 10:
		do_open(p);
		break;
	case 11:
		do_readlink(p);
		break;
	case 12:
		snprintf(what, sizeof what, "truncate %s", p);
		both(SYS_truncate, A(p), chance(1000), 0, 0, 0);
		break;
	case 13:
		snprintf(what, sizeof what, "chmod %s", p);
		both(SYS_chmod, A(p), 0700 | chance(0100) | chance(8) << 9, 0, 0, 0);
		break;
	case 14:
		snprintf(what, sizeof what, "mknod %s", p);
		both(SYS_mknod, A(p), (chance(2) ? S_IFIFO : S_IFREG) | 0666, 0, 0, 0);
		break;
	default:
		snprintf(what, sizeof what, "access %s", p);
		both(SYS_access, A(p), chance(8), 0, 0, 0);
	}
	do_stat(path());
}

static void begin_folder(char *folder)
{
	if (!mkdtemp(folder) || chdir(folder) || mkdir("w", 0777) || chdir("w")) {
		perror(folder);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 30,
		 steps = argc > 2 ? (unsigned)atoi(argv[2]) : 1500;
	char remove[128];

	if (geteuid() != 0 || access("/dev/shm", W_OK)) {
		puts("vfs_linux: needs root and /dev/shm; skipped");
		return 0;
	}
	umask(022);
	for (unsigned i = 0; i < rounds; i++) {
		char folder[] = "/dev/shm/vfs_test_XXXXXX";

		seed = 88172645463325252ull + i * 7919;
		begin_folder(folder);
		vfs_setup(NULL, 0);
		me = mock_caller_new(10);
		ours(SYS_mkdir, A("/run/p"), 0700, 0, 0, 0);
		ours(SYS_mkdir, A("/run/p/w"), 0777, 0, 0, 0);
		ours(SYS_chdir, A("/run/p/w"), 0, 0, 0, 0);
		for (step = 0; step < steps; step++) {
			one();
			if (step % 50 == 0) {
				mock_drain();
				vfs_check("in the middle");
			}
		}
		mock_drain();
		vfs_check("at the end");
		snprintf(remove, sizeof remove, "rm -rf %s", folder);
		if (chdir("/") || system(remove))
			return 1;
	}
	puts("vfs_linux: all the same");
	return 0;
}
