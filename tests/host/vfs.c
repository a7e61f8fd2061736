/* SPDX-License-Identifier: MIT */
/*
 * The VFS's logic by subject, through the same door as the kernel's messages, over a mock kernel.
 */
#include "vfs_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "creds.h"
#include "linux.h"
#include "pids.h"
#include "posix_vfs.h"

static struct mock_caller *me, *other;

#define SYS(c, n, ...) mock_call(c, n, (const uint64_t[6]){ __VA_ARGS__ })
#define P(s) (uint64_t)(uintptr_t)(s)
#define AT ((uint64_t)(int64_t)LX_AT_FDCWD)

enum {
	read_ = 0,
	write_ = 1,
	open_ = 2,
	stat_ = 4,
	fstat_ = 5,
	lstat_ = 6,
	lseek_ = 8,
	ioctl_ = 16,
	access_ = 21,
	pipe_ = 22,
	execve_ = 59,
	fcntl_ = 72,
	flock_ = 73,
	truncate_ = 76,
	ftruncate_ = 77,
	getcwd_ = 79,
	chdir_ = 80,
	fchdir_ = 81,
	rename_ = 82,
	mkdir_ = 83,
	rmdir_ = 84,
	creat_ = 85,
	link_ = 86,
	unlink_ = 87,
	symlink_ = 88,
	readlink_ = 89,
	chmod_ = 90,
	chown_ = 92,
	mknod_ = 133,
	statfs_ = 137,
	chroot_ = 161,
	mount_ = 165,
	umount_ = 166,
	getdents64_ = 217,
	openat_ = 257,
	newfstatat_ = 262,
	utimensat_ = 280,
	fallocate_ = 285,
	pipe2_ = 293,
	renameat2_ = 316,
	memfd_ = 319,
	statx_ = 332,
	copy_ = 326,
	openat2_ = 437,
	epoll_ = 291
};

static void begin(void)
{
	vfs_setup(NULL, 0);
	me = mock_caller_new(10);
	other = mock_caller_new(11);
}

static struct lx_stat st_of(const char *path)
{
	struct lx_stat st;

	CHECK_EQ(SYS(me, lstat_, P(path), P(&st)), 0);
	return st;
}

static int64_t make(const char *path, uint32_t mode)
{
	int64_t fd = SYS(me, open_, P(path), LX_O_CREAT | LX_O_RDWR, mode);

	CHECK(fd >= 0);
	return fd;
}

/* --- subjects ----------------------------------------------------------------------------- */

static void test_open(void)
{
	struct lx_stat st;
	int64_t fd = SYS(me, open_, P("/tmp/a"), LX_O_CREAT | LX_O_RDWR, 0666);

	CHECK_EQ(fd, 0);
	CHECK_EQ(SYS(me, fstat_, 0, P(&st)), 0);
	CHECK_EQ(st.mode, LX_S_IFREG | 0644);
	CHECK_EQ(st.nlink, 1);
	mock_pwrite(me, 0, "hello", 5, 0);
	CHECK_EQ(st_of("/tmp/a").size, 5);
	CHECK_EQ(SYS(me, open_, P("/tmp/a"), LX_O_CREAT | LX_O_EXCL | LX_O_RDWR, 0666), -EEXIST);
	CHECK_EQ(SYS(me, open_, P("/tmp/b"), LX_O_RDONLY), -ENOENT);
	CHECK_EQ(SYS(me, open_, P("/tmp/a/"), LX_O_RDONLY), -ENOTDIR);
	CHECK_EQ(SYS(me, open_, P("/tmp/n/"), LX_O_CREAT | LX_O_RDWR, 0600), -EISDIR);
	CHECK_EQ(SYS(me, open_, P("/tmp"), LX_O_RDWR), -EISDIR);
	CHECK_EQ(SYS(me, open_, P("/tmp/a"), LX_O_RDONLY | LX_O_DIRECTORY), -ENOTDIR);
	CHECK_EQ(SYS(me, open_, 0, LX_O_RDONLY), -EFAULT);
	CHECK_EQ(SYS(me, open_, P(""), LX_O_RDONLY), -ENOENT);
	fd = SYS(me, open_, P("/tmp/a"), LX_O_WRONLY | LX_O_TRUNC);
	CHECK_EQ(fd, 1);
	CHECK_EQ(st_of("/tmp/a").size, 0);
	CHECK_EQ(mock_description(me, 1)->status & LX_O_ACCMODE, LX_O_WRONLY);
	mock_close(me, 0);
	mock_close(me, 1);
	CHECK_EQ(SYS(me, unlink_, P("/tmp/a")), 0);
	/* unlinked while open: stays until closed */
	fd = make("/tmp/a", 0600);
	CHECK_EQ(SYS(me, unlink_, P("/tmp/a")), 0);
	CHECK_EQ(SYS(me, fstat_, (uint64_t)fd, P(&st)), 0);
	CHECK_EQ(st.nlink, 0);
	mock_close(me, (int)fd);
	mock_drain();
	fd = SYS(me, open_, P("/tmp"), LX_O_TMPFILE | LX_O_RDWR, 0600);
	CHECK(fd >= 0);
	mock_close(me, (int)fd);
	/* O_PATH */
	fd = SYS(me, open_, P("/tmp"), LX_O_PATH);
	CHECK_EQ(mock_description(me, (int)fd)->flags & K_DESCRIPTION_PATH, K_DESCRIPTION_PATH);
	mock_close(me, (int)fd);
	mock_drain();
}

static void test_emfile(void)
{
	struct lx_stat st;

	for (int i = 0; i < MOCK_FDS; i++)
		CHECK_EQ(SYS(me, open_, P("/dev/null"), LX_O_RDONLY), i);
	CHECK_EQ(SYS(me, open_, P("/tmp/x"), LX_O_CREAT | LX_O_RDWR, 0600), -EMFILE);
	mock_drain();
	CHECK_EQ(SYS(me, stat_, P("/tmp/x"), P(&st)), -ENOENT);
	for (int i = 0; i < MOCK_FDS; i++)
		mock_close(me, i);
	mock_drain();
}

static void test_walk(void)
{
	static char longname[300], longpath[5000];
	struct lx_stat st;
	char buf[64];

	CHECK_EQ(SYS(me, mkdir_, P("/tmp/d"), 0777), 0);
	CHECK_EQ(SYS(me, mkdir_, P("/tmp/d/e/"), 0777), 0);
	CHECK_EQ(SYS(me, symlink_, P("d/e"), P("/tmp/l")), 0);
	CHECK_EQ(SYS(me, symlink_, P("l"), P("/tmp/m")), 0);
	CHECK_EQ(SYS(me, symlink_, P("loop"), P("/tmp/loop")), 0);
	CHECK_EQ(SYS(me, stat_, P("/tmp/m"), P(&st)), 0);
	CHECK_EQ(st.mode & LX_S_IFMT, LX_S_IFDIR);
	CHECK_EQ(SYS(me, lstat_, P("/tmp/m"), P(&st)), 0);
	CHECK_EQ(st.mode & LX_S_IFMT, LX_S_IFLNK);
	CHECK_EQ(st.size, 1);
	CHECK_EQ(SYS(me, lstat_, P("/tmp/m/"), P(&st)), 0);
	CHECK_EQ(st.mode & LX_S_IFMT, LX_S_IFDIR);
	CHECK_EQ(SYS(me, stat_, P("/tmp/loop"), P(&st)), -ELOOP);
	CHECK_EQ(SYS(me, stat_, P("/tmp/m/../../../../.."), P(&st)), 0);
	CHECK_EQ(SYS(me, stat_, P("/tmp/m/.././e/."), P(&st)), 0);
	CHECK_EQ(SYS(me, readlink_, P("/tmp/m"), P(buf), 64), 1);
	CHECK_EQ(SYS(me, readlink_, P("/tmp/d"), P(buf), 64), -EINVAL);
	memset(longname, 'x', 256);
	CHECK_EQ(SYS(me, mkdir_, P(longname), 0777), -ENAMETOOLONG);
	longname[255] = 0;
	CHECK_EQ(SYS(me, mkdir_, P(longname), 0777), 0);
	CHECK_EQ(SYS(me, rmdir_, P(longname)), 0);
	memset(longpath, '/', 4096);
	CHECK_EQ(SYS(me, stat_, P(longpath), P(&st)), -ENAMETOOLONG);
	longpath[4095] = 0;
	CHECK_EQ(SYS(me, stat_, P(longpath), P(&st)), 0);
	CHECK_EQ(SYS(me, chdir_, P("/tmp/l")), 0);
	CHECK_EQ(SYS(me, getcwd_, P(buf), 64), 9);
	CHECK(!strcmp(buf, "/tmp/d/e"));
}

static void test_getcwd(void)
{
	char buf[64];

	CHECK_EQ(SYS(me, mkdir_, P("/tmp/d"), 0777), 0);
	CHECK_EQ(SYS(me, chdir_, P("/tmp/d")), 0);
	CHECK_EQ(SYS(me, getcwd_, P(buf), 64), 7);
	CHECK(!strcmp(buf, "/tmp/d"));
	CHECK_EQ(SYS(me, getcwd_, P(buf), 6), -ERANGE);
	CHECK_EQ(SYS(me, rename_, P("/tmp/d"), P("/tmp/q")), 0);
	CHECK_EQ(SYS(me, getcwd_, P(buf), 64), 7);
	CHECK(!strcmp(buf, "/tmp/q"));
	CHECK_EQ(SYS(me, rmdir_, P("/tmp/q")), 0);
	CHECK_EQ(SYS(me, getcwd_, P(buf), 64), -ENOENT);
	CHECK_EQ(SYS(me, mkdir_, P("x"), 0777), -ENOENT);
	CHECK_EQ(SYS(me, chdir_, P("..")), 0);
	CHECK_EQ(SYS(me, getcwd_, P(buf), 64), 5);
	CHECK(!strcmp(buf, "/tmp"));
	CHECK_EQ(SYS(me, chdir_, P("/")), 0);
	CHECK_EQ(SYS(me, getcwd_, P(buf), 64), 2);
	CHECK_EQ(SYS(me, mkdir_, P("/tmp/jail"), 0755), 0);
	CHECK_EQ(SYS(me, mkdir_, P("/tmp/jail/in"), 0755), 0);
	CHECK_EQ(SYS(me, chroot_, P("/tmp/jail")), 0);
	CHECK_EQ(SYS(me, chdir_, P("/../..")), 0);
	CHECK_EQ(SYS(me, getcwd_, P(buf), 64), 2);
	CHECK_EQ(SYS(me, chdir_, P("in")), 0);
	CHECK_EQ(SYS(me, getcwd_, P(buf), 64), 4);
	CHECK(!strcmp(buf, "/in"));
}

static void test_rename(void)
{
	struct lx_stat st;
	uint64_t ino;

	mock_close(me, (int)make("/tmp/a", 0600));
	mock_close(me, (int)make("/tmp/b", 0600));
	ino = st_of("/tmp/a").ino;
	CHECK_EQ(SYS(me, renameat2_, AT, P("/tmp/a"), AT, P("/tmp/b"), LX_RENAME_NOREPLACE),
		 -EEXIST);
	CHECK_EQ(SYS(me, renameat2_, AT, P("/tmp/a"), AT, P("/tmp/b"), LX_RENAME_EXCHANGE), 0);
	CHECK_EQ(st_of("/tmp/b").ino, ino);
	CHECK_EQ(SYS(me, rename_, P("/tmp/b"), P("/tmp/a")), 0);
	CHECK_EQ(st_of("/tmp/a").ino, ino);
	CHECK_EQ(SYS(me, stat_, P("/tmp/b"), P(&st)), -ENOENT);
	CHECK_EQ(SYS(me, mkdir_, P("/tmp/d"), 0777), 0);
	CHECK_EQ(SYS(me, mkdir_, P("/tmp/d/e"), 0777), 0);
	CHECK_EQ(SYS(me, rename_, P("/tmp/d"), P("/tmp/d/e/f")), -EINVAL);
	CHECK_EQ(SYS(me, rename_, P("/tmp/a"), P("/tmp/d")), -EISDIR);
	CHECK_EQ(SYS(me, rename_, P("/tmp/d"), P("/tmp/a")), -ENOTDIR);
	CHECK_EQ(SYS(me, rename_, P("/tmp/d/e"), P("/tmp/d")), -ENOTEMPTY);
	CHECK_EQ(SYS(me, rename_, P("/tmp/d/e"), P("/tmp/e")), 0);
	CHECK_EQ(st_of("/tmp/d").nlink, 2);
	CHECK_EQ(SYS(me, rename_, P("/tmp/e"), P("/tmp/d")), 0);
	CHECK_EQ(SYS(me, rename_, P("/tmp/a"), P("/tmp/a")), 0);
	CHECK_EQ(SYS(me, rename_, P("/tmp/a"), P("/run/a")), -EXDEV);
	CHECK_EQ(SYS(me, rename_, P("/tmp/."), P("/tmp/x")), -EBUSY);
	CHECK_EQ(SYS(me, link_, P("/tmp/a"), P("/tmp/c")), 0);
	CHECK_EQ(SYS(me, rename_, P("/tmp/a"), P("/tmp/c")), 0);
	CHECK_EQ(st_of("/tmp/a").nlink, 2);
	mock_drain();
}

static int list(struct mock_caller *c, int fd, char *names, size_t room)
{
	char buf[1024];
	int n = 0;
	int64_t got;

	*names = 0;
	while ((got = SYS(c, getdents64_, (uint64_t)fd, P(buf), room)) > 0) {
		for (int64_t at = 0; at < got; n++) {
			struct lx_dirent64 *d = (struct lx_dirent64 *)(buf + at);

			strcat(strcat(names, d->name), " ");
			at += d->reclen;
		}
	}
	CHECK_EQ(got, 0);
	return n;
}

static void test_getdents(void)
{
	char names[8192], path[64];
	int64_t fd;

	CHECK_EQ(SYS(me, mkdir_, P("/tmp/d"), 0777), 0);
	for (int i = 0; i < 100; i++) {
		sprintf(path, "/tmp/d/f%d", i);
		mock_close(me, (int)make(path, 0600));
	}
	fd = SYS(me, open_, P("/tmp/d"), LX_O_RDONLY | LX_O_DIRECTORY);
	CHECK_EQ(list(me, (int)fd, names, 1024), 102);
	CHECK_EQ(SYS(me, lseek_, (uint64_t)fd, 0, LX_SEEK_SET), 0);
	CHECK_EQ(list(me, (int)fd, names, 64), 102);
	CHECK(!strncmp(names, ". .. f0 f1 f2 ", 14));
	CHECK_EQ(SYS(me, lseek_, (uint64_t)fd, 0, LX_SEEK_SET), 0);
	CHECK_EQ(SYS(me, getdents64_, (uint64_t)fd, P(names), 10), -EINVAL);
	CHECK_EQ(SYS(me, getdents64_, (uint64_t)fd, 8, 1000), -EFAULT);
	/* stable under change: remove all while listing in small pieces */
	CHECK_EQ(SYS(me, getdents64_, (uint64_t)fd, P(names), 100) > 0, 1);
	for (int i = 0; i < 100; i++) {
		sprintf(path, "/tmp/d/f%d", i);
		CHECK_EQ(SYS(me, unlink_, P(path)), 0);
	}
	CHECK_EQ(list(me, (int)fd, names, 1024), 0);
	CHECK_EQ(SYS(me, rmdir_, P("/tmp/d")), 0);
	CHECK_EQ(SYS(me, getdents64_, (uint64_t)fd, P(names), 1000), -ENOENT);
	mock_close(me, (int)fd);
	mock_drain();
}

static void as_user(struct mock_caller *c, uint64_t id, uint32_t uid, uint32_t gid, uint32_t group)
{
	struct proto_cred *r = &vfs_creds->record[id % PROTO_CREDS_SLOTS];

	*r = (struct proto_cred){ .id = id,
				  .ruid = uid,
				  .euid = uid,
				  .suid = uid,
				  .fsuid = uid,
				  .rgid = gid,
				  .egid = gid,
				  .sgid = gid,
				  .fsgid = gid,
				  .group_count = 1 };
	r->group[0] = group;
	c->cred = id;
}

static void test_permissions(void)
{
	struct lx_stat st;

	as_user(other, 5, 1000, 1000, 50);
	CHECK_EQ(SYS(me, mkdir_, P("/tmp/d"), 0755), 0);
	mock_close(me, (int)make("/tmp/d/f", 0640));
	CHECK_EQ(SYS(other, open_, P("/tmp/d/f"), LX_O_RDONLY), -EACCES);
	CHECK_EQ(SYS(other, unlink_, P("/tmp/d/f")), -EACCES);
	CHECK_EQ(SYS(other, access_, P("/tmp/d/f"), LX_R_OK), -EACCES);
	CHECK_EQ(SYS(me, chown_, P("/tmp/d/f"), 0, 50), 0);
	CHECK_EQ(SYS(other, access_, P("/tmp/d/f"), LX_R_OK), 0);
	CHECK_EQ(SYS(other, access_, P("/tmp/d/f"), LX_W_OK), -EACCES);
	CHECK_EQ(SYS(other, chmod_, P("/tmp/d/f"), 0777), -EPERM);
	CHECK_EQ(SYS(me, access_, P("/tmp/d/f"), LX_X_OK), -EACCES);
	/* sticky */
	CHECK_EQ(SYS(me, chmod_, P("/tmp/d"), 01777), 0);
	CHECK_EQ(SYS(other, unlink_, P("/tmp/d/f")), -EPERM);
	CHECK_EQ(SYS(other, rename_, P("/tmp/d/f"), P("/tmp/d/g")), -EPERM);
	CHECK_EQ(SYS(other, creat_, P("/tmp/d/mine"), 0600), 0);
	mock_close(other, 0);
	CHECK_EQ(SYS(other, unlink_, P("/tmp/d/mine")), 0);
	/* set-group-id directories */
	CHECK_EQ(SYS(me, chown_, P("/tmp/d"), 0, 50), 0);
	CHECK_EQ(SYS(me, chmod_, P("/tmp/d"), 02777), 0);
	CHECK_EQ(SYS(other, mkdir_, P("/tmp/d/s"), 0755), 0);
	CHECK_EQ(SYS(me, stat_, P("/tmp/d/s"), P(&st)), 0);
	CHECK_EQ(st.gid, 50);
	CHECK_EQ(st.mode & 07777, 02755);
	/* set-id bits go when the owner changes or another writes */
	CHECK_EQ(SYS(me, chmod_, P("/tmp/d/f"), 06777), 0);
	CHECK_EQ(SYS(me, chown_, P("/tmp/d/f"), 1000, 1000), 0);
	CHECK_EQ(st_of("/tmp/d/f").mode & 07777, 0777);
	CHECK_EQ(SYS(me, chmod_, P("/tmp/d/f"), 04777), 0);
	CHECK_EQ(SYS(other, open_, P("/tmp/d/f"), LX_O_WRONLY), 0);
	CHECK_EQ(mock_call_flags(other, write_, (const uint64_t[6]){ 0, P("x"), 1 },
				 K_MSGF_DECLINED, NULL),
		 MOCK_TO_KERNEL);
	CHECK_EQ(st_of("/tmp/d/f").mode & 07777, 0777);
	/* search permission */
	CHECK_EQ(SYS(me, chmod_, P("/tmp/d"), 0700), 0);
	CHECK_EQ(SYS(other, stat_, P("/tmp/d/f"), P(&st)), -EACCES);
	mock_close(other, 0);
	mock_drain();
}

static void test_fifo(void)
{
	struct lx_stat st;

	CHECK_EQ(SYS(me, mknod_, P("/tmp/p"), LX_S_IFIFO | 0600), 0);
	CHECK_EQ(SYS(me, open_, P("/tmp/p"), LX_O_WRONLY | LX_O_NONBLOCK), -ENXIO);
	CHECK_EQ(SYS(me, open_, P("/tmp/p"), LX_O_RDONLY), MOCK_PARKED);
	CHECK_EQ(SYS(other, stat_, P("/tmp/p"), P(&st)), 0);
	CHECK_EQ(SYS(other, open_, P("/tmp/p"), LX_O_WRONLY), 0);
	CHECK_EQ(me->state, MOCK_ANSWERED);
	CHECK_EQ(me->result, 0);
	CHECK_EQ(mock_description(me, 0)->plane, K_PLANE_PIPE_READ);
	CHECK_EQ(mock_description(other, 0)->plane, K_PLANE_PIPE_WRITE);
	mock_close(me, 0);
	mock_close(other, 0);
	mock_drain();
	CHECK_EQ(mock_count(K_OBJECT_PIPE), 0);
	CHECK_EQ(SYS(me, open_, P("/tmp/p"), LX_O_RDONLY | LX_O_NONBLOCK), 0);
	mock_close(me, 0);
	CHECK_EQ(SYS(me, open_, P("/tmp/p"), LX_O_RDWR), 0);
	mock_close(me, 0);
	/* interrupted, and removed while someone waits */
	CHECK_EQ(SYS(me, open_, P("/tmp/p"), LX_O_WRONLY), MOCK_PARKED);
	mock_cancel(me);
	CHECK_EQ(me->result, -K_RESTART_SYS);
	CHECK_EQ(SYS(me, open_, P("/tmp/p"), LX_O_WRONLY), MOCK_PARKED);
	CHECK_EQ(SYS(other, unlink_, P("/tmp/p")), 0);
	vfs_check("with a parked opener");
	mock_cancel(me);
	mock_drain();
}

static void test_pipe(void)
{
	int fds[2];

	CHECK_EQ(SYS(me, pipe2_, P(fds), LX_O_CLOEXEC), 0);
	CHECK_EQ(fds[0], 0);
	CHECK_EQ(fds[1], 1);
	CHECK(me->cloexec[0] && me->cloexec[1]);
	CHECK_EQ(SYS(me, lseek_, 0, 0, 0), -ESPIPE);
	CHECK_EQ(SYS(me, pipe_, 16), -EFAULT);
	CHECK_EQ(SYS(me, pipe2_, P(fds), 1), -EINVAL);
	mock_close(me, 0);
	mock_close(me, 1);
	mock_drain();
	CHECK_EQ(mock_count(K_OBJECT_PIPE), 0);
	/* EPIPE goes to the process server with its signal */
	CHECK_EQ(SYS(me, pipe2_, P(fds), 0), 0);
	CHECK_EQ(mock_call_flags(me, write_, (const uint64_t[6]){ 1, P("x"), 1 }, K_MSGF_DECLINED,
				 (const uint64_t[2]){ 0, EPIPE }),
		 MOCK_TO_SERVER);
	CHECK_EQ(me->number, PROTO_PS_FAIL);
	CHECK_EQ(me->arg[0], EPIPE);
	CHECK_EQ(mock_call_flags(me, write_, (const uint64_t[6]){ 1, P("x"), 1 }, K_MSGF_DECLINED,
				 (const uint64_t[2]){ 7, EPIPE }),
		 MOCK_TO_SERVER);
	/* what was written is the result, with the signal */
	CHECK_EQ(me->arg[2], 7);
	mock_close(me, 0);
	mock_close(me, 1);
	mock_drain();
}

static void test_eventfd(void)
{
	uint64_t v = 5;
	int64_t fd = SYS(me, 290, 3, LX_O_CLOEXEC);

	CHECK_EQ(fd, 0);
	CHECK_EQ(SYS(me, read_, 0, P(&v), 4), -EINVAL);
	CHECK_EQ(SYS(me, read_, 0, 16, 8), -EFAULT);
	CHECK_EQ(SYS(me, read_, 0, P(&v), 8), 8);
	CHECK_EQ(v, 3);
	other->fd[0] = me->fd[0];	/* shared, as by fork */
	CHECK_EQ(SYS(me, read_, 0, P(&v), 8), MOCK_PARKED);
	v = 7;
	CHECK_EQ(SYS(other, write_, 0, P(&v), 8), 8);
	CHECK_EQ(me->state, MOCK_ANSWERED);
	CHECK_EQ(me->result, 8);
	v = UINT64_MAX;
	CHECK_EQ(SYS(other, write_, 0, P(&v), 8), -EINVAL);
	v = UINT64_MAX - 1;
	CHECK_EQ(SYS(other, write_, 0, P(&v), 8), 8);
	v = 1;
	CHECK_EQ(SYS(other, write_, 0, P(&v), 8), MOCK_PARKED);
	CHECK_EQ(SYS(me, read_, 0, P(&v), 8), 8);
	CHECK_EQ(other->result, 8);
	CHECK_EQ(v, UINT64_MAX - 1);
	CHECK_EQ(SYS(me, read_, 0, P(&v), 8), 8);
	CHECK_EQ(v, 1);
	CHECK_EQ(SYS(me, read_, 0, P(&v), 8), MOCK_PARKED);
	mock_cancel(me);
	other->fd[0] = NULL;
	mock_close(me, 0);
	mock_drain();
	CHECK_EQ(mock_count(K_OBJECT_SOURCE), 0);
}

static int64_t lock(struct mock_caller *c, int fd, int command, int type, int64_t start,
		    int64_t len)
{
	static struct lx_flock l[4];
	static int n;
	struct lx_flock *f = &l[n++ % 4];

	*f = (struct lx_flock){ .type = (int16_t)type, .start = start, .len = len };
	return SYS(c, fcntl_, (uint64_t)fd, (uint64_t)command, P(f));
}

/* So many that the last to go could take the server with them: all go in one operation. */
static void test_many_locks(void)
{
	int64_t a = make("/tmp/f", 0666), e = 0;

	for (int i = 0; i < 40000 && !e; i++)
		e = lock(me, (int)a, LX_F_SETLK, LX_F_WRLCK, 2 * i, 1);
	CHECK_EQ(e, -ENOLCK);
	CHECK_EQ(lock(me, (int)a, LX_F_SETLK, LX_F_UNLCK, 0, 0), 0);
	CHECK_EQ(lock(me, (int)a, LX_F_SETLK, LX_F_WRLCK, 0, 0), 0);
	mock_close(me, (int)a);
	mock_drain();
	CHECK_EQ(SYS(me, unlink_, P("/tmp/f")), 0);
	vfs_check("after many locks");
}

static void test_locks(void)
{
	struct lx_flock l = { .type = LX_F_WRLCK };
	int64_t a = make("/tmp/f", 0666), b;

	b = SYS(other, open_, P("/tmp/f"), LX_O_RDWR);
	CHECK_EQ(lock(me, (int)a, LX_F_SETLK, LX_F_WRLCK, 0, 100), 0);
	CHECK_EQ(lock(other, (int)b, LX_F_SETLK, LX_F_RDLCK, 50, 100), -EAGAIN);
	CHECK_EQ(lock(other, (int)b, LX_F_SETLK, LX_F_RDLCK, 100, 100), 0);
	CHECK_EQ(lock(me, (int)a, LX_F_SETLK, LX_F_UNLCK, 40, 20), 0);
	CHECK_EQ(lock(other, (int)b, LX_F_SETLK, LX_F_WRLCK, 40, 20), 0);
	CHECK_EQ(SYS(other, fcntl_, (uint64_t)b, LX_F_GETLK, P(&l)), 0);
	CHECK_EQ(l.type, LX_F_WRLCK);
	CHECK_EQ(l.start, 0);
	CHECK_EQ(l.len, 40);
	CHECK_EQ(l.pid, 10);
	/* waiting, deadlock */
	CHECK_EQ(lock(other, (int)b, LX_F_SETLKW, LX_F_WRLCK, 0, 10), MOCK_PARKED);
	CHECK_EQ(lock(me, (int)a, LX_F_SETLKW, LX_F_WRLCK, 45, 1), -EDEADLK);
	CHECK_EQ(lock(me, (int)a, LX_F_SETLK, LX_F_UNLCK, 0, 0), 0);
	CHECK_EQ(other->state, MOCK_ANSWERED);
	CHECK_EQ(other->result, 0);
	/* closing any descriptor drops them */
	CHECK_EQ(mock_call_flags(other, 3, (const uint64_t[6]){ (uint64_t)b }, K_MSGF_DECLINED,
				 NULL),
		 MOCK_TO_KERNEL);
	CHECK_EQ(lock(me, (int)a, LX_F_SETLK, LX_F_WRLCK, 0, 0), 0);
	/* flock */
	CHECK_EQ(SYS(me, flock_, (uint64_t)a, LX_LOCK_EX), 0);
	CHECK_EQ(SYS(other, flock_, (uint64_t)b, LX_LOCK_SH | LX_LOCK_NB), -EAGAIN);
	CHECK_EQ(SYS(other, flock_, (uint64_t)b, LX_LOCK_SH), MOCK_PARKED);
	CHECK_EQ(SYS(me, flock_, (uint64_t)a, LX_LOCK_SH), 0);
	CHECK_EQ(other->result, 0);
	CHECK_EQ(other->state, MOCK_ANSWERED);
	mock_close(me, (int)a);
	mock_drain();
	CHECK_EQ(SYS(other, flock_, (uint64_t)b, LX_LOCK_EX | LX_LOCK_NB), 0);
	mock_close(other, (int)b);
	mock_drain();
	CHECK_EQ(SYS(me, unlink_, P("/tmp/f")), 0);
	vfs_check("after locks");
}

static void test_mount(void)
{
	struct lx_stat st;
	struct lx_statfs sf;
	char text[4096] = "";
	int64_t fd;

	CHECK_EQ(SYS(me, mkdir_, P("/mnt"), 0755), 0);
	CHECK_EQ(SYS(me, mount_, P("none"), P("/mnt"), P("tmpfs"), 0, P("size=64k,mode=700")), 0);
	CHECK_EQ(st_of("/mnt").mode & 07777, 0700);
	CHECK_EQ(SYS(me, statfs_, P("/mnt"), P(&sf)), 0);
	CHECK_EQ(sf.blocks, 16);
	CHECK_EQ(SYS(me, mkdir_, P("/mnt/d"), 0755), 0);
	CHECK_EQ(SYS(me, rmdir_, P("/mnt")), -EBUSY);
	CHECK_EQ(SYS(me, chdir_, P("/mnt/d")), 0);
	CHECK_EQ(SYS(me, stat_, P("../.."), P(&st)), 0);
	CHECK_EQ(st.ino, st_of("/").ino);
	CHECK_EQ(SYS(me, umount_, P("/mnt"), 0), -EBUSY);
	CHECK_EQ(SYS(me, chdir_, P("/")), 0);
	CHECK_EQ(SYS(me, mkdir_, P("/bind"), 0755), 0);
	CHECK_EQ(SYS(me, mount_, P("/mnt/d"), P("/bind"), 0, LX_MS_BIND, 0), 0);
	mock_close(me, (int)make("/bind/x", 0600));
	CHECK_EQ(st_of("/mnt/d/x").ino, st_of("/bind/x").ino);
	fd = SYS(me, open_, P("/proc/mounts"), LX_O_RDONLY);
	CHECK_EQ(fd, -ENOENT);	/* self is not in the list of pids */
	CHECK_EQ(SYS(me, mount_, P("none"), P("/bind"), 0,
		     LX_MS_REMOUNT | LX_MS_BIND | LX_MS_RDONLY, 0),
		 0);
	CHECK_EQ(SYS(me, open_, P("/bind/x"), LX_O_RDWR), -EROFS);
	CHECK_EQ(SYS(me, unlink_, P("/bind/x")), -EROFS);
	CHECK_EQ(SYS(me, mkdir_, P("/bind/y"), 0700), -EROFS);
	CHECK_EQ(SYS(me, umount_, P("/bind"), 0), 0);
	fd = SYS(me, open_, P("/mnt/d/x"), LX_O_RDWR);
	CHECK(fd >= 0);
	CHECK_EQ(SYS(me, umount_, P("/mnt"), LX_MNT_DETACH), 0);
	CHECK_EQ(SYS(me, fstat_, (uint64_t)fd, P(&st)), 0);
	mock_close(me, (int)fd);
	mock_drain();
	CHECK_EQ(SYS(me, mount_, P("none"), P("/mnt"), P("ext9"), 0, 0), -ENODEV);
	CHECK_EQ(SYS(me, umount_, P("/mnt"), 0), -EINVAL);
	(void)text;
	vfs_check("after mounts");
}

static void pid_add(unsigned slot, uint32_t pid, uint32_t tgid, uint32_t uid)
{
	struct proto_pid *p = &vfs_pids->entry[slot];

	*p = (struct proto_pid){
		.pid = pid, .tgid = tgid, .uid = uid, .gid = uid, .threads = 1, .state = 'R'
	};
	strcpy(p->comm, "prog");
	if (vfs_pids->slots <= slot)
		vfs_pids->slots = slot + 1;
}

static void test_proc(void)
{
	static struct proto_fds fds = { .count = 2, .fd = { 0, 7 } };
	char names[4096], buf[128];
	struct proto_link *q;
	struct lx_stat st;
	uint64_t cookie;
	int64_t fd, file;
	int object;

	pid_add(0, 10, 10, 0);
	pid_add(1, 11, 11, 1000);
	pid_add(2, 15, 10, 0);
	fd = SYS(me, open_, P("/proc"), LX_O_RDONLY | LX_O_DIRECTORY);
	CHECK(fd >= 0);
	list(me, (int)fd, names, 1024);
	CHECK(strstr(names, " meminfo ") && strstr(names, " 10 ") && strstr(names, " 11 ") &&
	      !strstr(names, " 15 "));
	mock_close(me, (int)fd);
	CHECK_EQ(SYS(me, readlink_, P("/proc/self"), P(buf), 128), 2);
	CHECK_EQ(SYS(me, stat_, P("/proc/11"), P(&st)), 0);
	CHECK_EQ(st.uid, 1000);
	CHECK_EQ(SYS(me, stat_, P("/proc/12"), P(&st)), -ENOENT);
	CHECK_EQ(SYS(me, stat_, P("/proc/10/task/15/stat"), P(&st)), 0);
	CHECK_EQ(SYS(me, stat_, P("/proc/11/task/15"), P(&st)), -ENOENT);
	CHECK_EQ(SYS(me, chdir_, P("/proc/self/task")), 0);
	CHECK_EQ(SYS(me, getcwd_, P(buf), 128), 14);
	CHECK(!strcmp(buf, "/proc/10/task"));
	CHECK_EQ(SYS(me, stat_, P("15/../../stat"), P(&st)), 0);
	CHECK_EQ(SYS(me, chdir_, P("/tmp")), 0);
	CHECK_EQ(SYS(me, readlink_, P("/proc/self/cwd"), P(buf), 128), 4);
	CHECK_EQ(SYS(me, stat_, P("/proc/self/cwd/../proc/self/status"), P(&st)), 0);
	mock_drain();
	vfs_check("after looking into /proc");
	/* text */
	CHECK_EQ(SYS(me, open_, P("/proc/self/status"), LX_O_RDONLY), MOCK_TO_SERVER);
	CHECK_EQ(me->number, PROTO_PS_PROC_OPEN);
	CHECK_EQ(me->arg[0], PROTO_PROC_STATUS);
	CHECK_EQ(me->arg[1], 10);
	object = mock_mobject("Name: x", 7);
	fd = mock_forward_back(me, PROTO_VFS_PROC_OPENED, me->arg, NULL, 0, object);
	CHECK(fd >= 0);
	CHECK_EQ(mock_pread(me, (int)fd, buf, 7, 0), 7);
	CHECK_EQ(mock_call_flags(me, lseek_, (const uint64_t[6]){ (uint64_t)fd, 0, LX_SEEK_SET },
				 K_MSGF_DECLINED, NULL),
		 MOCK_TO_SERVER);
	CHECK_EQ(me->number, PROTO_PS_PROC_REFRESH);
	mock_close(me, (int)fd);
	CHECK_EQ(SYS(me, open_, P("/proc/meminfo"), LX_O_RDONLY), MOCK_TO_SERVER);
	object = mock_mobject("MemTotal", 8);
	fd = mock_forward_back(me, PROTO_VFS_PROC_OPENED, me->arg, NULL, 0, object);
	CHECK(fd >= 0);
	mock_close(me, (int)fd);
	fd = SYS(me, open_, P("/proc/mounts"), LX_O_RDONLY);
	CHECK(fd >= 0);
	memset(names, 0, sizeof names);
	mock_pread(me, (int)fd, names, sizeof names - 1, 0);
	CHECK(strstr(names, "rootfs / tmpfs rw,relatime") &&
	      strstr(names, "devtmpfs /dev devtmpfs"));
	mock_close(me, (int)fd);
	/* links: own descriptors at once, others' through the process server */
	file = make("/tmp/file", 0600);
	sprintf(buf, "/proc/self/fd/%d", (int)file);
	CHECK_EQ(SYS(me, readlink_, P(buf), P(names), 128), 9);
	cookie = mock_description(me, (int)file)->cookie;
	CHECK_EQ(SYS(me, open_, P("/dev/fd/200"), LX_O_RDONLY), -ENOENT);
	CHECK_EQ(SYS(other, readlink_, P("/proc/10/exe"), P(buf), 128), MOCK_TO_SERVER);
	CHECK_EQ(other->number, PROTO_PS_PROC_LINK);
	q = (struct proto_link *)other->scratch;
	CHECK_EQ(q->kind, PROTO_LINK_EXE);
	CHECK_EQ(q->pid, 10);
	q->cookie = cookie;
	CHECK_EQ(mock_forward_back(other, PROTO_VFS_PROC_LINKED, other->arg, q, sizeof *q, -1), 9);
	CHECK(!memcmp(buf, "/tmp/file", 9));
	/* fd listing */
	fd = SYS(other, open_, P("/proc/10/fd"), LX_O_RDONLY | LX_O_DIRECTORY);
	CHECK(fd >= 0);
	CHECK_EQ(SYS(other, getdents64_, (uint64_t)fd, P(names), 1000), MOCK_TO_SERVER);
	CHECK_EQ(other->number, PROTO_PS_PROC_FDS);
	CHECK_EQ(other->arg[1], 0);
	CHECK_EQ(mock_forward_back(other, PROTO_VFS_PROC_FDS, other->arg, &fds, sizeof fds, -1),
		 4 * 24);
	CHECK_EQ(SYS(other, getdents64_, (uint64_t)fd, P(names), 1000), MOCK_TO_SERVER);
	CHECK_EQ(other->arg[1], 8);
	mock_close(other, (int)fd);
	mock_close(me, (int)file);
	CHECK_EQ(SYS(me, mkdir_, P("/proc/x"), 0700), -ENOENT);
	CHECK_EQ(SYS(me, unlink_, P("/proc/version")), -EPERM);
	mock_drain();
	vfs_check("after /proc");
}

static void test_devices(void)
{
	struct lx_stat st;
	struct proto_node node = { .number = fstat_ };
	int64_t fd = SYS(me, open_, P("/dev/null"), LX_O_RDWR);

	CHECK_EQ(mock_description(me, (int)fd)->plane, K_PLANE_NULL);
	CHECK_EQ(SYS(me, ioctl_, (uint64_t)fd, 0x5401, 0), -ENOTTY);
	mock_close(me, (int)fd);
	CHECK_EQ(SYS(me, open_, P("/dev/console"), LX_O_RDWR | LX_O_CLOEXEC), MOCK_TO_SERVER);
	CHECK_EQ(me->number, PROTO_PS_TTY_OPEN);
	CHECK_EQ(me->arg[0], PROTO_TTY_CONSOLE);
	node.node = me->arg[3];
	node.arg[1] = P(&st);
	/* later: fstat on the terminal, sent back by its server */
	CHECK_EQ(mock_forward_back(me, PROTO_VFS_NODE, me->arg, &node, sizeof node, -1), 0);
	CHECK_EQ(st.rdev, LX_DEV(5, 1));
	node.node = 0;
	me->state = MOCK_HELD;
	CHECK_EQ(mock_forward_back(me, PROTO_VFS_NODE, me->arg, &node, sizeof node, -1), 0);
	CHECK_EQ(SYS(me, mknod_, P("/tmp/null"), LX_S_IFCHR | 0666, LX_DEV(1, 3)), 0);
	CHECK_EQ(SYS(me, open_, P("/tmp/null"), LX_O_RDWR), -EACCES);	/* nodev */
	fd = SYS(me, epoll_, LX_O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_EQ(mock_description(me, (int)fd)->plane, K_PLANE_WAITSET);
	mock_close(me, (int)fd);
	mock_drain();
}

/*
 * A terminal's number and node live as long as the process server holds what came with the master's
 * open.
 */
static void test_devpts(void)
{
	struct lx_stat st;

	CHECK_EQ(SYS(me, open_, P("/dev/pts/0"), LX_O_RDWR), -ENOENT);
	CHECK_EQ(SYS(me, open_, P("/dev/ptmx"), LX_O_RDWR), MOCK_TO_SERVER);
	CHECK_EQ(me->number, PROTO_PS_TTY_OPEN);
	CHECK_EQ(me->arg[0], PROTO_TTY_PTMX);
	CHECK_EQ(me->arg[4], LX_DEV(136, 0));
	CHECK_EQ(SYS(other, open_, P("/dev/ptmx"), LX_O_RDWR), MOCK_TO_SERVER);
	CHECK_EQ(other->arg[4], LX_DEV(136, 1));
	vfs_restart();
	CHECK_EQ(SYS(other, stat_, P("/dev/pts/1"), P(&st)), 0);
	CHECK_EQ(st.rdev, LX_DEV(136, 1));
	CHECK_EQ(st.mode, LX_S_IFCHR | 0620);
	CHECK_EQ(st.gid, 5);
	CHECK_EQ(SYS(other, unlink_, P("/dev/pts/1")), -EPERM);
	CHECK_EQ(SYS(other, mknod_, P("/dev/pts/x"), LX_S_IFIFO | 0600), -EPERM);
	CHECK_EQ(SYS(other, creat_, P("/dev/pts/x"), 0600), -EACCES);
	/*
	 * another open takes the place of the first: its master is gone, but its slave is open
	 * meanwhile
	 */
	CHECK_EQ(SYS(me, open_, P("/dev/pts/0"), LX_O_RDWR), MOCK_TO_SERVER);
	CHECK_EQ(me->arg[0], PROTO_TTY_PTS);
	mock_drain();
	CHECK_EQ(SYS(other, stat_, P("/dev/pts/0"), P(&st)), -ENOENT);
	CHECK_EQ(SYS(other, open_, P("/dev/ptmx"), LX_O_RDWR), MOCK_TO_SERVER);
	CHECK_EQ(other->arg[4], LX_DEV(136, 2));
	CHECK_EQ(SYS(me, open_, P("/dev/ptmx"), LX_O_RDWR), MOCK_TO_SERVER);
	mock_drain();
	vfs_check("with terminals");
	CHECK_EQ(SYS(me, open_, P("/dev/console"), LX_O_RDWR), MOCK_TO_SERVER);
	CHECK_EQ(SYS(other, open_, P("/dev/console"), LX_O_RDWR), MOCK_TO_SERVER);
	mock_drain();
	CHECK_EQ(SYS(me, open_, P("/dev/ptmx"), LX_O_RDWR), MOCK_TO_SERVER);
	CHECK_EQ(me->arg[4], LX_DEV(136, 0));	/* all are free again */
}

static void test_exec(void)
{
	struct proto_exec *x;
	int64_t fd = make("/tmp/prog", 0755);

	CHECK_EQ(SYS(me, execve_, P("/tmp/prog"), 1, 2), -ETXTBSY);
	mock_close(me, (int)fd);
	CHECK_EQ(SYS(me, execve_, P("/tmp/prog"), 1, 2), MOCK_TO_SERVER);
	CHECK_EQ(me->number, PROTO_PS_EXEC);
	x = (struct proto_exec *)me->scratch;
	CHECK(!strcmp(x->path, "/tmp/prog") && x->kind == PROTO_EXEC_FIRST && x->path_size == 10);
	CHECK(me->attached[0] && me->arg[0] == 1 && me->arg[1] == 2);
	strcpy(x->path, "/tmp/none");
	x->kind = PROTO_EXEC_SCRIPT;
	CHECK_EQ(mock_forward_back(me, PROTO_VFS_EXEC_OPEN, me->arg, x, sizeof *x, -1), -ENOENT);
	CHECK_EQ(SYS(me, execve_, P("/tmp"), 1, 2), -EACCES);
	CHECK_EQ(SYS(me, chmod_, P("/tmp/prog"), 0644), 0);
	CHECK_EQ(SYS(me, execve_, P("/tmp/prog"), 1, 2), -EACCES);
	CHECK_EQ(SYS(me, 322, AT, P("/tmp/prog"), 1, 2, 0), -EACCES);
	mock_drain();
}

static void test_sizes(void)
{
	struct lx_timespec t[2] = { { 100, 5 }, { 200, LX_UTIME_OMIT } };
	uint64_t in = 0, out = 10;
	char buf[64];
	int64_t fd = make("/tmp/f", 0600), to;

	CHECK_EQ(SYS(me, truncate_, P("/tmp/f"), 1000), 0);
	CHECK_EQ(st_of("/tmp/f").size, 1000);
	CHECK_EQ(SYS(me, ftruncate_, (uint64_t)fd, -1), -EINVAL);
	CHECK_EQ(SYS(me, ftruncate_, (uint64_t)fd, 5), 0);
	CHECK_EQ(SYS(me, fallocate_, (uint64_t)fd, 0, 0, 100), 0);
	CHECK_EQ(st_of("/tmp/f").size, 100);
	CHECK_EQ(SYS(me, fallocate_, (uint64_t)fd, LX_FALLOC_KEEP_SIZE, 0, 200), 0);
	CHECK_EQ(st_of("/tmp/f").size, 100);
	CHECK_EQ(SYS(me, fallocate_, (uint64_t)fd, 0, 0, 0), -EINVAL);
	mock_pwrite(me, (int)fd, "0123456789", 10, 0);
	to = make("/tmp/g", 0600);
	CHECK_EQ(SYS(me, copy_, (uint64_t)fd, P(&in), (uint64_t)to, P(&out), 5, 0), 5);
	CHECK_EQ(in, 5);
	CHECK_EQ(out, 15);
	CHECK_EQ(mock_pread(me, (int)to, buf, 64, 0), 15);
	CHECK(!memcmp(buf + 10, "01234", 5));
	CHECK_EQ(SYS(me, utimensat_, AT, P("/tmp/f"), P(t), 0), 0);
	CHECK_EQ(st_of("/tmp/f").atim.sec, 100);
	CHECK_EQ(st_of("/tmp/f").atim.nsec, 5);
	CHECK(st_of("/tmp/f").mtim.sec > 1000000);
	mock_close(me, (int)fd);
	mock_close(me, (int)to);
	fd = SYS(me, memfd_, P("name"), 0);
	CHECK(fd >= 0);
	pid_add(0, 10, 10, 0);
	sprintf(buf, "/proc/self/fd/%d", (int)fd);
	CHECK_EQ(SYS(me, readlink_, P(buf), P(buf), 64), 21);
	CHECK(!memcmp(buf, "/memfd:name (deleted)", 21));
	mock_close(me, (int)fd);
	mock_drain();
}

/* A boot archive of a few members, data on page boundaries. */
static size_t archive_put(char *at, const char *name, uint32_t mode, const char *data, size_t size)
{
	size_t head, n = strlen(name) + 1, pad;

	head = 110 + n;
	head = (head + 3) & ~3ul;
	pad = (mode & LX_S_IFMT) == LX_S_IFREG ? (4096 - ((uintptr_t)at + head) % 4096) % 4096 : 0;
	n += pad;
	sprintf(at, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 7, mode, 0, 0,
		1, 1700000000, size, 0, 0, 0, 0, n + (head - 110 - strlen(name) - 1), 0);
	strcpy(at + 110, name);
	memcpy(at + head + pad, data, size);
	return (head + pad + size + 3) & ~3ul;
}

static void test_archive(void)
{
	char *a = aligned_alloc(4096, 65536), buf[32];
	size_t n = 0;
	int64_t fd;

	memset(a, 0, 65536);
	n += archive_put(a + n, "bin", LX_S_IFDIR | 0755, "", 0);
	n += archive_put(a + n, "bin/prog", LX_S_IFREG | 0755, "program text", 12);
	n += archive_put(a + n, "bin/link", LX_S_IFLNK | 0777, "prog", 4);
	n += archive_put(a + n, "etc/deep/er/file", LX_S_IFREG | 0644, "x", 1);
	n += archive_put(a + n, "TRAILER!!!", 0, "", 0);
	vfs_setup(a, n);
	me = mock_caller_new(10);
	other = mock_caller_new(11);
	CHECK_EQ(st_of("/bin/prog").size, 12);
	CHECK_EQ(st_of("/bin/prog").mtim.sec, 1700000000);
	fd = SYS(me, open_, P("/bin/link"), LX_O_RDONLY);
	CHECK(fd >= 0);
	CHECK_EQ(mock_pread(me, (int)fd, buf, 32, 0), 12);
	CHECK(!memcmp(buf, "program text", 12));
	mock_close(me, (int)fd);
	CHECK_EQ(st_of("/etc/deep/er/file").size, 1);
	CHECK_EQ(SYS(me, open_, P("/bin/prog"), LX_O_WRONLY | LX_O_TRUNC), 0);
	CHECK_EQ(st_of("/bin/prog").size, 0);
	mock_close(me, 0);
	mock_drain();
	vfs_check("with an archive");
	free(a);
}

/*
 * Every operation, with the server killed before each of its kernel calls; the call is then
 * delivered again.
 */
static void test_kill(void)
{
	static const struct {
		int number;
		uint64_t arg[6];
	} steps[] = {
		{ mkdir_, { P("/tmp/d"), 0755 } },
		{ open_, { P("/tmp/d/f"), LX_O_CREAT | LX_O_EXCL | LX_O_RDWR, 0644 } },
		{ link_, { P("/tmp/d/f"), P("/tmp/d/g") } },
		{ symlink_, { P("d/f"), P("/tmp/s") } },
		{ rename_, { P("/tmp/d/g"), P("/tmp/h") } },
		{ unlink_, { P("/tmp/h") } },
		{ mknod_, { P("/tmp/p"), LX_S_IFIFO | 0600 } },
		{ open_, { P("/tmp/p"), LX_O_RDWR } },
		{ chdir_, { P("/tmp/d") } },
		{ truncate_, { P("f"), 100 } },
		{ rename_, { P("/tmp/d"), P("/tmp/e") } },
		{ unlink_, { P("/tmp/e/f") } },
		{ rmdir_, { P("/tmp/e") } },
		{ open_, { P("/dev/zero"), LX_O_RDONLY } },
		{ unlink_, { P("/tmp/p") } },
		{ unlink_, { P("/tmp/s") } },
		{ open_, { P("/dev/ptmx"), LX_O_RDWR } },
	};
	int64_t expect[sizeof steps / sizeof steps[0]], r;
	volatile unsigned kills = 0;

	begin();
	for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++)
		expect[i] = mock_call(me, steps[i].number, steps[i].arg);
	for (volatile unsigned nth = 1; nth < 12; nth++) {
		begin();
		for (volatile unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++) {
			mock_calls = 0;
			if (!setjmp(mock_death)) {
				mock_kill_at = nth;
				r = mock_call(me, steps[i].number, steps[i].arg);
				mock_kill_at = 0;
			} else {
				kills++;
				vfs_restart();
				r = me->state == MOCK_ANSWERED ? me->result : mock_redeliver(me);
			}
			mock_drain();
			vfs_check("after a kill");
			CHECK_EQ(r, expect[i]);
		}
	}
	CHECK(kills > 50);
}

int main(void)
{
	static void (*const tests[])(
		void) = { test_open,     test_emfile,      test_getcwd, test_rename,
			  test_getdents, test_permissions, test_fifo,   test_pipe,
			  test_locks,    test_many_locks,  test_eventfd, test_mount,
			  test_proc,     test_devices,     test_devpts, test_exec,
			  test_sizes };

	for (unsigned i = 0; i < sizeof tests / sizeof tests[0]; i++) {
		begin();
		tests[i]();
		vfs_check("after a test");
	}
	begin();
	test_walk();
	test_archive();
	test_kill();
	puts("vfs: all passed");
	return 0;
}
