/*
 * sendfile.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char data[100000], copy[100000];

static int source(void)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 31 + i / 256;
	file_write("from", data, sizeof(data));
	return CHECK_OK(open("from", O_RDONLY));
}

TEST(sendfile, file_to_file)
{
	int in = source(), out = CHECK_OK(open("to", O_RDWR | O_CREAT, 0644));
	size_t done = 0;

	while (done < sizeof(data)) {
		ssize_t got = CHECK_OK(sendfile(out, in, NULL, sizeof(data)));

		CHECK_GT(got, 0);
		done += got;
	}
	CHECK_EQ(sendfile(out, in, NULL, 10), 0);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), sizeof(data));
	CHECK_EQ(lseek(out, 0, SEEK_CUR), sizeof(data));
	CHECK_EQ(file_read("to", copy, sizeof(copy)), sizeof(copy));
	CHECK_EQ(memcmp(data, copy, sizeof(data)), 0);
}

TEST(sendfile, with_an_offset)
{
	int in = source(), out = CHECK_OK(open("to", O_RDWR | O_CREAT, 0644));
	off_t offset = 1000;

	CHECK_EQ(sendfile(out, in, &offset, 5000), 5000);
	CHECK_EQ(offset, 6000);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 0);
	CHECK_EQ(file_read("to", copy, sizeof(copy)), 5000);
	CHECK_EQ(memcmp(data + 1000, copy, 5000), 0);
	offset = sizeof(data) - 10;
	CHECK_EQ(sendfile(out, in, &offset, 5000), 10);
}

TEST(sendfile, to_a_pipe)
{
	int in = source(), fd[2];
	size_t total = 0;
	ssize_t got;

	CHECK_OK(pipe(fd));
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(close(fd[0]));
		while (CHECK_OK(sendfile(fd[1], in, NULL, sizeof(data))) > 0)
			;
		_exit(0);
	}
	CHECK_OK(close(fd[1]));
	while ((got = CHECK_OK(read(fd[0], copy + total, sizeof(copy) - total))) > 0)
		total += got;
	CHECK_EQ(total, sizeof(data));
	CHECK_EQ(memcmp(data, copy, sizeof(data)), 0);
	CHECK_EXITED(pid, 0);
}

TEST(sendfile, errors)
{
	int in = source(), out = CHECK_OK(open("to", O_RDWR | O_CREAT, 0644)), fd[2];
	int append = CHECK_OK(open("to", O_RDWR | O_APPEND));
	int writer = CHECK_OK(open("from", O_WRONLY));
	off_t offset = -1;

	CHECK_OK(pipe(fd));
	CHECK_ERRNO(sendfile(99, in, NULL, 1), EBADF);
	CHECK_ERRNO(sendfile(out, 99, NULL, 1), EBADF);
	CHECK_ERRNO(sendfile(in, in, NULL, 1), EBADF);
	CHECK_ERRNO(sendfile(out, writer, NULL, 1), EBADF);
	CHECK_ERRNO(sendfile(append, in, NULL, 1), EINVAL);
	CHECK_ERRNO(sendfile(out, in, &offset, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_sendfile, out, in, BAD_UNMAPPED, 1), EFAULT);
	offset = 0;
	CHECK_ERRNO(sendfile(out, fd[0], &offset, 1), ESPIPE);
	CHECK_EQ(sendfile(out, in, NULL, 0), 0);
}
