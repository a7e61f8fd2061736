/*
 * The devices in /dev that every Unix has.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char buffer[20000];

TEST(devfs, null)
{
	int fd = CHECK_OK(open("/dev/null", O_RDWR | O_CREAT | O_TRUNC, 0644));
	struct stat info;

	CHECK_EQ(read(fd, buffer, sizeof(buffer)), 0);
	CHECK_EQ(write(fd, buffer, sizeof(buffer)), sizeof(buffer));
	CHECK_EQ(pwrite(fd, buffer, 10, 1L << 40), 10);
	CHECK_EQ(pread(fd, buffer, 10, 0), 0);
	CHECK_OK(fstat(fd, &info));
	CHECK_EQ(info.st_size, 0);
	CHECK_EQ(info.st_mode & 0777, 0666);
}

TEST(devfs, zero)
{
	int fd = CHECK_OK(open("/dev/zero", O_RDWR));

	memset(buffer, 1, sizeof(buffer));
	CHECK_EQ(read(fd, buffer, sizeof(buffer)), sizeof(buffer));
	for (size_t i = 0; i < sizeof(buffer); i++)
		CHECK_EQ(buffer[i], 0);
	CHECK_EQ(write(fd, buffer, sizeof(buffer)), sizeof(buffer));
}

TEST(devfs, full)
{
	int fd = CHECK_OK(open("/dev/full", O_RDWR));
	struct stat info;

	CHECK_ERRNO(write(fd, "x", 1), ENOSPC);
	memset(buffer, 1, sizeof(buffer));
	CHECK_EQ(read(fd, buffer, 100), 100);
	CHECK(buffer[0] == 0 && buffer[99] == 0 && buffer[100] == 1);
	CHECK_OK(fstat(fd, &info));
	CHECK_EQ(info.st_rdev, makedev(1, 7));
}

TEST(devfs, numbers)
{
	static const struct {
		const char *name;
		int major, minor;
	} nodes[] = { { "/dev/null", 1, 3 }, { "/dev/zero", 1, 5 }, { "/dev/full", 1, 7 },
		      { "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 } };
	struct stat info;

	for (unsigned i = 0; i < LENGTH(nodes); i++) {
		CHECK_OK(stat(nodes[i].name, &info));
		CHECK(S_ISCHR(info.st_mode));
		CHECK_EQ(info.st_rdev, makedev(nodes[i].major, nodes[i].minor));
	}
}

TEST(devfs, standard_streams)
{
	char text[64];
	int fd[2];

	/* /dev/stdin and its like are links to the descriptors. */
	CHECK_OK(access("/dev/fd/0", F_OK));
	CHECK_OK(pipe(fd));
	CHECK_OK(dup2(fd[0], 0));
	int in = CHECK_OK(open("/dev/stdin", O_RDONLY));
	CHECK_EQ(write(fd[1], "hello", 5), 5);
	CHECK_EQ(read(in, text, sizeof(text)), 5);
	SUBPROCESS {
		CHECK_OK(dup2(fd[1], 1));
		CHECK_OK(dup2(fd[1], 2));
		int out = CHECK_OK(open("/dev/stdout", O_WRONLY));
		int err = CHECK_OK(open("/dev/stderr", O_WRONLY));
		CHECK_EQ(write(out, "out", 3), 3);
		CHECK_EQ(write(err, "err", 3), 3);
	}
	CHECK_EQ(read(fd[0], text, sizeof(text)), 6);
	CHECK_ERRNO(open("/dev/fd/99", O_RDONLY), ENOENT);
}

TEST(devfs, nodes_of_ones_own)
{
	ROOT_NEEDED();
	CHECK_OK(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
	int fd = open("null", O_RDWR);
	int owned = fd < 0 && errno == EACCES;
	if (owned) {	/* mounted nodev: a file system of one's own, then */
		CHECK_OK(mkdir("own", 0755));
		if (mount("none", "own", "tmpfs", 0, NULL) < 0 && errno == EPERM)
			SKIP("the host's file system forbids device nodes, and it forbids mount");
		CHECK_OK(chdir("own"));
		CHECK_OK(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
		fd = open("null", O_RDWR);
	}
	CHECK_GE(fd, 0);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(read(fd, buffer, 1), 0);
	CHECK_OK(mknod("odd", S_IFCHR | 0666, makedev(3000, 77)));
	CHECK_ERRNO(open("odd", O_RDWR), ENXIO);
	CHECK_OK(close(fd));
	if (owned) {
		CHECK_OK(chdir(".."));
		CHECK_OK(umount("own"));
	}
}
