/*
 * Permission: owner, group, others and root, for files and for the directories on the way.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OWNER = 4242, GROUP = 4343, OTHER = 4444 };

static void make(const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	ROOT_NEEDED();
	file_write(name, "x", 1);
	CHECK_OK(chown(name, uid, gid));
	CHECK_OK(chmod(name, mode));
}

/* The three classes are alternatives: the first that applies decides. */
TEST(perm, classes)
{
	for (int bits = 0; bits < 8; bits++) {
		make("f", OWNER, GROUP, bits << 6 | (7 - bits) << 3 | bits);
		for (int who = 0; who < 3; who++) {
			int allowed = who == 1 ? 7 - bits : bits;

			SUBPROCESS {
				drop_to_user(who == 0 ? OWNER : OTHER, who == 1 ? GROUP : OTHER);
				CHECK_EQ(open("f", O_RDONLY) >= 0, !!(allowed & 4));
				CHECK_EQ(open("f", O_WRONLY) >= 0, !!(allowed & 2));
				CHECK_EQ(open("f", O_RDWR) >= 0, (allowed & 6) == 6);
				CHECK_EQ(access("f", X_OK) == 0, allowed & 1);
				if (!(allowed & 4))
					CHECK_ERRNO(open("f", O_RDONLY), EACCES);
			}
		}
	}
}

TEST(perm, supplementary_groups)
{
	make("f", OWNER, GROUP, 0640);
	SUBPROCESS {
		gid_t groups[3] = { 1000, GROUP, 2000 };

		CHECK_OK(setgroups(3, groups));
		CHECK_OK(setgid(OTHER));
		CHECK_OK(setuid(OTHER));
		CHECK_OK(open("f", O_RDONLY));
		CHECK_ERRNO(open("f", O_WRONLY), EACCES);
	}
}

TEST(perm, root)
{
	make("f", OWNER, GROUP, 0);
	CHECK_OK(open("f", O_RDWR));
	CHECK_OK(access("f", R_OK | W_OK));
	CHECK_ERRNO(access("f", X_OK), EACCES); /* not without any x bit */
	CHECK_OK(chmod("f", 0001));
	CHECK_OK(access("f", X_OK));
	CHECK_OK(mkdir("d", 0));
	CHECK_OK(access("d", R_OK | W_OK | X_OK));
	file_write("d/f", "", 0);
}

TEST(perm, search_on_the_way)
{
	CHECK_OK(mkdir("d", 0755));
	make("d/f", OWNER, GROUP, 0666);
	CHECK_OK(chown("d", OWNER, GROUP));
	SUBPROCESS {
		drop_to_user(OWNER, GROUP);
		CHECK_OK(chmod("d", 0600));
		CHECK_ERRNO(open("d/f", O_RDONLY), EACCES);
		CHECK_ERRNO(open("d/missing", O_RDONLY), EACCES);
		CHECK_OK(open("d", O_RDONLY)); /* the names may be read */
		CHECK_ERRNO(chdir("d"), EACCES);
		CHECK_OK(chmod("d", 0100));
		CHECK_OK(open("d/f", O_RDONLY));
		CHECK_ERRNO(open("d/missing", O_RDONLY), ENOENT);
		CHECK_ERRNO(open("d", O_RDONLY), EACCES);
		CHECK_OK(chdir("d"));
	}
}

TEST(perm, write_in_directories)
{
	CHECK_OK(mkdir("d", 0755));
	make("d/f", OWNER, GROUP, 0666);
	SUBPROCESS {
		drop_to_user(OWNER, GROUP);
		CHECK_ERRNO(open("d/new", O_RDWR | O_CREAT, 0644), EACCES);
		CHECK_OK(open("d/f", O_RDWR | O_CREAT, 0644));
		CHECK_ERRNO(mkdir("d/new", 0755), EACCES);
		CHECK_ERRNO(symlink("x", "d/new"), EACCES);
		CHECK_ERRNO(mkfifo("d/new", 0644), EACCES);
		CHECK_ERRNO(rmdir("d/f"), EACCES);
		CHECK_ERRNO(mkdir("d/f", 0755), EEXIST);
	}
}

TEST(perm, chmod)
{
	struct stat info;

	make("f", OWNER, GROUP, 0644);
	SUBPROCESS {
		drop_to_user(OTHER, OTHER);
		CHECK_ERRNO(chmod("f", 0666), EPERM);
		int fd = CHECK_OK(open("f", O_RDONLY));
		CHECK_ERRNO(fchmod(fd, 0666), EPERM);
	}
	SUBPROCESS {
		drop_to_user(OWNER, OTHER);
		CHECK_OK(chmod("f", 0600));
		/* Set-group-id falls away for an owner who is not in the group. */
		CHECK_OK(chmod("f", 06755));
		CHECK_OK(stat("f", &info));
		CHECK_EQ(info.st_mode & 07777, 04755);
	}
	CHECK_OK(chmod("f", 07777));
	CHECK_OK(stat("f", &info));
	CHECK_EQ(info.st_mode, S_IFREG | 07777);
	CHECK_OK(fchmodat(AT_FDCWD, "f", 0644, 0));
	CHECK_ERRNO(chmod("missing", 0), ENOENT);
	CHECK_ERRNO(fchmod(99, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_chmod, BAD_UNMAPPED, 0), EFAULT);
}

TEST(perm, chown)
{
	struct stat info;

	make("f", OWNER, GROUP, 0644);
	SUBPROCESS {
		gid_t groups[1] = { 5000 };

		CHECK_OK(setgroups(1, groups));
		CHECK_OK(setgid(GROUP));
		CHECK_OK(setuid(OWNER));
		CHECK_ERRNO(chown("f", OTHER, -1), EPERM);
		CHECK_ERRNO(chown("f", -1, OTHER), EPERM);
		CHECK_OK(chown("f", OWNER, 5000)); /* to a group of one's own */
		CHECK_OK(chown("f", -1, -1));
	}
	CHECK_OK(stat("f", &info));
	CHECK(info.st_uid == OWNER && info.st_gid == 5000);
	int fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(fchown(fd, 1, 2));
	CHECK_OK(fchownat(AT_FDCWD, "f", -1, 3, 0));
	CHECK_OK(stat("f", &info));
	CHECK(info.st_uid == 1 && info.st_gid == 3);
	CHECK_ERRNO(fchownat(AT_FDCWD, "f", 0, 0, 0x8000), EINVAL);
	CHECK_ERRNO(chown("missing", 0, 0), ENOENT);
}

TEST(perm, set_id_bits_fall_when_the_owner_changes)
{
	struct stat info;

	make("f", OWNER, GROUP, 06755);
	CHECK_OK(chown("f", OTHER, OTHER)); /* even when root does it */
	CHECK_OK(stat("f", &info));
	CHECK_EQ(info.st_mode & 07777, 0755);
	make("g", OWNER, GROUP, 02644); /* without x for the group it means something else */
	CHECK_OK(chown("g", OTHER, OTHER));
	CHECK_OK(stat("g", &info));
	CHECK_EQ(info.st_mode & 07777, 02644);
}

TEST(perm, set_id_bits_fall_when_written)
{
	struct stat info;

	make("f", OWNER, GROUP, 06777);
	SUBPROCESS {
		drop_to_user(OTHER, OTHER);
		int fd = CHECK_OK(open("f", O_WRONLY));
		CHECK_EQ(write(fd, "y", 1), 1);
	}
	CHECK_OK(stat("f", &info));
	CHECK_EQ(info.st_mode & 07777, 0777);
	CHECK_OK(chmod("f", 06777));
	int fd = CHECK_OK(open("f", O_WRONLY));
	CHECK_EQ(write(fd, "y", 1), 1); /* root keeps them */
	CHECK_OK(stat("f", &info));
	CHECK_EQ(info.st_mode & 07777, 06777);
	SUBPROCESS {
		drop_to_user(OTHER, OTHER);
		CHECK_OK(truncate("f", 0));
	}
	CHECK_OK(stat("f", &info));
	CHECK_EQ(info.st_mode & 07777, 0777);
}

/* What counts is the permission when the file was opened. */
TEST(perm, is_checked_at_open)
{
	char byte;

	make("f", 0, 0, 0666);
	int mine = CHECK_OK(open("f", O_RDWR));
	SUBPROCESS {
		drop_to_user(OWNER, GROUP);
		int fd = CHECK_OK(open("f", O_RDWR));
		CHECK_OK(fchmod(mine, 0666) == -1 && errno == EPERM ? 0 : -1);
		CHECK_EQ(read(mine, &byte, 1), 1);
		CHECK_EQ(pwrite(fd, "z", 1, 0), 1);
	}
	CHECK_OK(chmod("f", 0));
	CHECK_EQ(pread(mine, &byte, 1, 0), 1);
	CHECK_EQ(byte, 'z');
}

TEST(perm, access_uses_real_ids)
{
	make("f", 0, 0, 0600);
	SUBPROCESS {
		CHECK_OK(setresuid(OWNER, 0, 0));
		CHECK_OK(open("f", O_RDONLY));
		CHECK_ERRNO(access("f", R_OK), EACCES);
		CHECK_OK(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
		CHECK_OK(access("f", F_OK));
	}
	CHECK_ERRNO(access("f", 8), EINVAL);
	CHECK_ERRNO(access("missing", F_OK), ENOENT);
	CHECK_ERRNO(faccessat(99, "f", F_OK, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_access, BAD_KERNEL, 0), EFAULT);
}

TEST(perm, mknod_needs_root)
{
	CHECK_OK(mkdir("d", 0777));
	CHECK_OK(chmod("d", 0777));
	SUBPROCESS {
		drop_to_user(OWNER, GROUP);
		CHECK_ERRNO(mknod("d/dev", S_IFCHR | 0666, 0x103), EPERM);
		CHECK_OK(mknod("d/fifo", S_IFIFO | 0666, 0));
		CHECK_OK(mknod("d/file", S_IFREG | 0644, 0));
		CHECK_OK(mknod("d/file2", 0644, 0));
		CHECK_ERRNO(mknod("d/dir", S_IFDIR | 0755, 0), EPERM);
		CHECK_ERRNO(mknod("d/odd", 0170000 | 0755, 0), EINVAL);
	}
}
