/*
 * User and group ids: real, effective and saved, and who may change them to what.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void check_uids(uid_t r, uid_t e, uid_t s)
{
	uid_t real, effective, saved;

	CHECK_OK(getresuid(&real, &effective, &saved));
	CHECK_EQ(real, r);
	CHECK_EQ(effective, e);
	CHECK_EQ(saved, s);
	CHECK_EQ(getuid(), r);
	CHECK_EQ(geteuid(), e);
}

static void check_gids(gid_t r, gid_t e, gid_t s)
{
	gid_t real, effective, saved;

	CHECK_OK(getresgid(&real, &effective, &saved));
	CHECK_EQ(real, r);
	CHECK_EQ(effective, e);
	CHECK_EQ(saved, s);
	CHECK_EQ(getgid(), r);
	CHECK_EQ(getegid(), e);
}

TEST(creds, root_drops_everything)
{
	ROOT_NEEDED();
	SUBPROCESS {
		CHECK_OK(setuid(1000));
		check_uids(1000, 1000, 1000);
		CHECK_ERRNO(setuid(0), EPERM);
		CHECK_ERRNO(seteuid(0), EPERM);
		CHECK_ERRNO(setreuid(0, 0), EPERM);
		CHECK_ERRNO(setresuid(-1, 0, -1), EPERM);
		CHECK_ERRNO(setgid(5), EPERM);
		CHECK_ERRNO(setgroups(0, NULL), EPERM);
		CHECK_OK(setuid(1000));
	}
}

TEST(creds, effective_id_goes_and_comes_back)
{
	ROOT_NEEDED();
	SUBPROCESS {
		CHECK_OK(seteuid(1000));
		check_uids(0, 1000, 0);
		CHECK_ERRNO(setuid(2000), EPERM);
		CHECK_OK(seteuid(0));
		check_uids(0, 0, 0);
	}
}

TEST(creds, saved_id)
{
	ROOT_NEEDED();
	SUBPROCESS {
		CHECK_OK(setresuid(1000, 2000, 3000));
		check_uids(1000, 2000, 3000);
		CHECK_OK(seteuid(3000));
		check_uids(1000, 3000, 3000);
		CHECK_OK(seteuid(1000));
		check_uids(1000, 1000, 3000);
		CHECK_ERRNO(seteuid(2000), EPERM);
		/* An ordinary user's setuid changes only the effective id. */
		CHECK_OK(setuid(3000));
		check_uids(1000, 3000, 3000);
		CHECK_OK(setresuid(3000, 1000, 1000));
		check_uids(3000, 1000, 1000);
		CHECK_ERRNO(setresuid(-1, -1, 5000), EPERM);
		CHECK_OK(setresuid(-1, -1, -1));
	}
}

TEST(creds, setreuid_moves_the_saved_id)
{
	ROOT_NEEDED();
	SUBPROCESS {
		CHECK_OK(setreuid(1000, 2000));
		check_uids(1000, 2000, 2000);
	}
	SUBPROCESS {
		CHECK_OK(setreuid(-1, 2000));
		check_uids(0, 2000, 2000);
	}
	SUBPROCESS {
		CHECK_OK(setresuid(1000, 2000, 3000));
		CHECK_OK(setreuid(2000, 1000)); /* exchanged */
		check_uids(2000, 1000, 1000);
		CHECK_ERRNO(setreuid(3000, -1), EPERM);
	}
	SUBPROCESS {
		CHECK_OK(setresuid(1000, 2000, 3000));
		CHECK_OK(setreuid(-1, 3000));
		check_uids(1000, 3000, 3000);
		CHECK_OK(setreuid(-1, 1000));
		check_uids(1000, 1000, 3000); /* set to the real id: the saved one stays */
	}
}

TEST(creds, groups_of_ids)
{
	ROOT_NEEDED();
	SUBPROCESS {
		CHECK_OK(setresgid(10, 20, 30));
		check_gids(10, 20, 30);
		CHECK_OK(setresuid(1000, 1000, 1000));
		CHECK_OK(setegid(30));
		check_gids(10, 30, 30);
		CHECK_ERRNO(setegid(20), EPERM);
		CHECK_OK(setgid(10));
		check_gids(10, 10, 30);
		CHECK_ERRNO(setregid(30, -1), EPERM); /* not even to the saved id */
		CHECK_OK(setregid(-1, 30));
		check_gids(10, 30, 30);
		CHECK_OK(setregid(30, 10));
		check_gids(30, 10, 10);
		CHECK_ERRNO(setgid(0), EPERM);
	}
	SUBPROCESS {
		CHECK_OK(setgid(50));
		check_gids(50, 50, 50);
		CHECK_OK(setgid(0)); /* still root */
	}
}

TEST(creds, supplementary_groups)
{
	ROOT_NEEDED();
	SUBPROCESS {
		gid_t groups[64], got[64];

		for (int i = 0; i < 64; i++)
			groups[i] = 1000 + i;
		CHECK_OK(setgroups(64, groups));
		CHECK_EQ(getgroups(0, NULL), 64);
		CHECK_EQ(getgroups(64, got), 64);
		for (int i = 0; i < 64; i++)
			CHECK_EQ(got[i], 1000 + i);
		CHECK_ERRNO(getgroups(63, got), EINVAL);
		CHECK_ERRNO(syscall(SYS_getgroups, -1, got), EINVAL);
		CHECK_ERRNO(syscall(SYS_getgroups, 64, BAD_UNMAPPED), EFAULT);
		CHECK_ERRNO(syscall(SYS_setgroups, 65537, groups), EINVAL);
		CHECK_ERRNO(syscall(SYS_setgroups, 2, BAD_KERNEL), EFAULT);
		SUBPROCESS {
			CHECK_EQ(getgroups(0, NULL), 64);
		}
		CHECK_OK(setgroups(0, NULL));
		CHECK_EQ(getgroups(0, NULL), 0);
		CHECK_EQ(getgroups(64, got), 0);
	}
}

TEST(creds, new_files_belong_to_the_effective_user)
{
	ROOT_NEEDED();
	struct stat info;

	CHECK_OK(chmod(".", 0777));
	SUBPROCESS {
		CHECK_OK(setresgid(10, 20, 30));
		CHECK_OK(setresuid(1000, 2000, 3000));
		file_write("f", "", 0);
		CHECK_OK(mkdir("d", 0755));
		CHECK_OK(symlink("x", "s"));
	}
	CHECK_OK(stat("f", &info));
	CHECK(info.st_uid == 2000 && info.st_gid == 20);
	CHECK_OK(stat("d", &info));
	CHECK(info.st_uid == 2000 && info.st_gid == 20);
	CHECK_OK(lstat("s", &info));
	CHECK(info.st_uid == 2000 && info.st_gid == 20);
}

HELPER(print_ids)
{
	uid_t r, e, s;

	if (getresuid(&r, &e, &s) != 0)
		return 1;
	return r == (uid_t)atoi(argv[2]) && e == (uid_t)atoi(argv[3]) &&
	       s == (uid_t)atoi(argv[4]) ? 0 : 2;
}

TEST(creds, exec_saves_the_effective_id)
{
	ROOT_NEEDED();
	file_copy(test_self, "prog", 0755);
	pid_t pid = FORK();
	if (pid == 0) {
		char *argv[] = { "x", "--helper=print_ids", "1000", "2000", "2000", NULL };

		CHECK_OK(setresuid(1000, 2000, 3000));
		execv("./prog", argv);
		FAIL("execv: errno %d", errno);
	}
	CHECK_EXITED(pid, 0);
}

TEST(creds, set_user_id_program)
{
	ROOT_NEEDED();
	file_copy(test_self, "prog", 0755);
	CHECK_OK(chown("prog", 5000, 0));
	CHECK_OK(chmod("prog", 04755));
	/* From root to an ordinary user as well. */
	pid_t pid = FORK();
	if (pid == 0) {
		char *argv[] = { "x", "--helper=print_ids", "0", "5000", "5000", NULL };

		execv("./prog", argv);
		FAIL("execv: errno %d", errno);
	}
	CHECK_EXITED(pid, 0);
	/* Scripts do not get it. */
	char text[5000];
	int size = snprintf(text, sizeof(text), "#!%s --helper=script_ids\n", test_self);
	file_write("script", text, size);
	CHECK_OK(chown("script", 5000, 0));
	CHECK_OK(chmod("script", 04755));
	pid = FORK();
	if (pid == 0) {
		char *argv[] = { "x", NULL };

		execv("./script", argv);
		FAIL("execv: errno %d", errno);
	}
	CHECK_EXITED(pid, 0);
}

HELPER(script_ids)
{
	return geteuid() == getuid() ? 0 : 1;
}

TEST(creds, changing_them_takes_effect_at_once)
{
	ROOT_NEEDED();
	file_write("f", "x", 1);
	CHECK_OK(chown("f", 1000, 1000));
	CHECK_OK(chmod("f", 0600));
	SUBPROCESS {
		for (int i = 0; i < 50; i++) {
			CHECK_OK(seteuid(2000));
			CHECK_ERRNO(open("f", O_RDONLY), EACCES);
			CHECK_OK(seteuid(0));
			CHECK_OK(seteuid(1000));
			CHECK_OK(close(CHECK_OK(open("f", O_RDONLY))));
			CHECK_OK(seteuid(0));
		}
	}
}

TEST(creds, bad_pointers)
{
	uid_t a, b;

	CHECK_ERRNO(syscall(SYS_getresuid, &a, &b, BAD_UNMAPPED), EFAULT);
	CHECK_ERRNO(syscall(SYS_getresuid, NULL, &a, &b), EFAULT);
	CHECK_ERRNO(syscall(SYS_getresgid, &a, BAD_KERNEL, &b), EFAULT);
}
