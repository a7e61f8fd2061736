/*
 * chroot.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void enter(const char *path)
{
	if (chroot(path) != 0 && errno == EPERM)
		SKIP("the host forbids chroot");
	CHECK_OK(chdir("/"));
}

TEST(chroot, changes_what_paths_mean)
{
	char cwd[PATH_MAX];

	CHECK_OK(mkdir("r", 0755));
	CHECK_OK(mkdir("r/d", 0755));
	file_write("r/f", "inside", 6);
	file_write("outside", "", 0);
	CHECK_OK(symlink("/f", "r/d/absolute"));
	CHECK_OK(symlink("../../../../../f", "r/d/up"));
	SUBPROCESS {
		enter("r");
		CHECK_OK(access("/f", F_OK));
		CHECK_OK(access("/../../f", F_OK)); /* ".." stops at the new root */
		CHECK_OK(access("/d/absolute", F_OK));
		CHECK_OK(access("/d/up", F_OK));
		CHECK_ERRNO(access("/../outside", F_OK), ENOENT);
		CHECK_OK(chdir("d"));
		CHECK(getcwd(cwd, sizeof(cwd)));
		CHECK_STR(cwd, "/d");
		CHECK_OK(chdir("../.."));
		CHECK(getcwd(cwd, sizeof(cwd)));
		CHECK_STR(cwd, "/");
	}
	CHECK_OK(access("outside", F_OK)); /* only the child's root has changed */
}

TEST(chroot, is_inherited)
{
	CHECK_OK(mkdir("r", 0755));
	file_copy(test_self, "r/prog", 0755);
	pid_t pid = FORK();
	if (pid == 0) {
		char *argv[] = { "x", "--helper=look", NULL };

		enter("r");
		SUBPROCESS {
			CHECK_OK(access("/prog", F_OK));
		}
		execv("/prog", argv);
		FAIL("execv: errno %d", errno);
	}
	CHECK_EXITED(pid, 0);
}

HELPER(look)
{
	struct stat a, b;

	return access("/prog", F_OK) || stat("/", &a) || stat("/..", &b) || a.st_ino != b.st_ino;
}

/* A directory outside that is still open can be used, and its name is not known. */
TEST(chroot, directories_outside)
{
	char cwd[PATH_MAX];

	CHECK_OK(mkdir("r", 0755));
	CHECK_OK(mkdir("o", 0755));
	file_write("o/f", "", 0);
	SUBPROCESS {
		int dir = CHECK_OK(open("o", O_RDONLY));

		enter("r");
		CHECK_OK(faccessat(dir, "f", F_OK, 0));
		CHECK_OK(fchdir(dir));
		CHECK_GT(syscall(SYS_getcwd, cwd, sizeof(cwd)), 0);
		CHECK_EQ(strncmp(cwd, "(unreachable)", 13), 0);
		CHECK(getcwd(cwd, sizeof(cwd)) == NULL && errno == ENOENT);
	}
}

TEST(chroot, errors)
{
	file_write("f", "", 0);
	CHECK_ERRNO(chroot("missing"), ENOENT);
	CHECK_ERRNO(chroot("f"), ENOTDIR);
	CHECK_ERRNO(syscall(SYS_chroot, BAD_UNMAPPED), EFAULT);
	SUBPROCESS {
		drop_to_user(4242, 4242);
		CHECK_ERRNO(chroot("."), EPERM);
	}
}
