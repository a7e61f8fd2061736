/*
 * statfs and statvfs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

TEST(statfs, plausible)
{
	struct statfs info, again;

	CHECK_OK(statfs(".", &info));
	CHECK_GE(info.f_bsize, 512);
	CHECK_GT(info.f_blocks, 0);
	CHECK_LE(info.f_bfree, info.f_blocks);
	CHECK_LE(info.f_bavail, info.f_blocks);
	CHECK_EQ(info.f_namelen, 255);
	int fd = CHECK_OK(open(".", O_RDONLY));
	CHECK_OK(fstatfs(fd, &again));
	CHECK_EQ(again.f_type, info.f_type);
	CHECK_EQ(again.f_blocks, info.f_blocks);
	struct statvfs vfs;
	CHECK_OK(statvfs(".", &vfs));
	CHECK_EQ(vfs.f_blocks, info.f_blocks);
	CHECK_EQ(vfs.f_namemax, 255);
}

TEST(statfs, types)
{
	struct statfs info;

	CHECK_OK(statfs("/proc", &info));
	CHECK_EQ(info.f_type, 0x9fa0);
}

TEST(statfs, errors)
{
	struct statfs info;

	file_write("f", "", 0);
	CHECK_ERRNO(statfs("missing", &info), ENOENT);
	CHECK_ERRNO(statfs("f/x", &info), ENOTDIR);
	CHECK_ERRNO(fstatfs(99, &info), EBADF);
	CHECK_ERRNO(syscall(SYS_statfs, ".", BAD_UNMAPPED), EFAULT);
	CHECK_ERRNO(syscall(SYS_statfs, BAD_UNMAPPED, &info), EFAULT);
	CHECK_OK(statfs("f", &info));
}
