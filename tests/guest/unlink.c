/*
 * unlink: the name goes at once, the file when nobody uses it any more.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

TEST(unlink, open_file_lives_on)
{
	struct stat info;
	char text[16];

	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0644));
	CHECK_EQ(write(fd, "before", 6), 6);
	CHECK_OK(unlink("f"));
	CHECK_ERRNO(stat("f", &info), ENOENT);
	CHECK_EQ(write(fd, " after", 6), 6);
	CHECK_EQ(pread(fd, text, 16, 0), 12);
	CHECK_EQ(memcmp(text, "before after", 12), 0);
	CHECK_OK(fstat(fd, &info));
	CHECK_EQ(info.st_nlink, 0);
	CHECK_OK(ftruncate(fd, 3));
	CHECK_OK(fchmod(fd, 0600));
	/* A new file of that name is another one. */
	file_write("f", "new", 3);
	CHECK_EQ(pread(fd, text, 16, 0), 3);
	CHECK_EQ(memcmp(text, "bef", 3), 0);
}

TEST(unlink, space_is_returned)
{
	static char block[65536];

	/* Each would fill a fair part of a small machine. */
	for (int i = 0; i < 20; i++) {
		int fd = CHECK_OK(open("f", O_RDWR | O_CREAT | O_EXCL, 0644));

		for (int j = 0; j < 32; j++)
			CHECK_EQ(write(fd, block, sizeof(block)), sizeof(block));
		CHECK_OK(unlink("f"));
		CHECK_OK(close(fd));
	}
}

TEST(unlink, errors)
{
	file_write("f", "", 0);
	CHECK_OK(mkdir("d", 0755));
	CHECK_ERRNO(unlink("missing"), ENOENT);
	CHECK_ERRNO(unlink("d"), EISDIR);
	CHECK_ERRNO(unlink("f/"), ENOTDIR);
	CHECK_ERRNO(unlink("f/x"), ENOTDIR);
	CHECK_ERRNO(unlink(""), ENOENT);
	CHECK_ERRNO(unlink("."), EISDIR);
	CHECK_ERRNO(unlink("/"), EISDIR);
	CHECK_ERRNO(unlinkat(AT_FDCWD, "f", AT_REMOVEDIR), ENOTDIR);
	CHECK_ERRNO(unlinkat(AT_FDCWD, "f", 0x1), EINVAL);
	CHECK_ERRNO(unlinkat(99, "f", 0), EBADF);
	CHECK_ERRNO(syscall(SYS_unlink, BAD_KERNEL), EFAULT);
	CHECK_OK(unlinkat(AT_FDCWD, "f", 0));
	CHECK_OK(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
}

TEST(unlink, symbolic_link_not_its_target)
{
	struct stat info;

	file_write("f", "", 0);
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(symlink("f", "s"));
	CHECK_OK(symlink("d", "sd"));
	CHECK_OK(unlink("s"));
	CHECK_ERRNO(unlink("sd/"), ENOTDIR);
	CHECK_OK(unlink("sd"));
	CHECK_OK(stat("f", &info));
	CHECK_OK(stat("d", &info));
}

TEST(unlink, permission)
{
	CHECK_OK(mkdir("closed", 0755));
	CHECK_OK(mkdir("open", 0777));
	CHECK_OK(chmod("open", 0777));
	CHECK_OK(mkdir("sticky", 0777));
	CHECK_OK(chmod("sticky", 01777));
	CHECK_OK(mkdir("mine", 0755));
	CHECK_OK(chown("mine", 4242, 4242));
	CHECK_OK(chmod("mine", 01755));
	file_write("closed/f", "", 0);
	file_write("open/f", "", 0);
	CHECK_OK(chmod("open/f", 0));
	file_write("sticky/f", "", 0);
	file_write("mine/f", "", 0);
	SUBPROCESS {
		drop_to_user(4242, 4242);
		CHECK_ERRNO(unlink("closed/f"), EACCES);
		CHECK_OK(unlink("open/f")); /* the directory counts, not the file */
		CHECK_ERRNO(unlink("sticky/f"), EPERM);
		CHECK_OK(unlink("mine/f")); /* the owner of a sticky directory may */
	}
	CHECK_OK(unlink("sticky/f"));
}
