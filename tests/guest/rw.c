/*
 * read and write on files, their v forms, O_APPEND, and bad buffers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int file_new(const char *name, int flags)
{
	return CHECK_OK(open(name, O_RDWR | O_CREAT | O_TRUNC | flags, 0644));
}

TEST(rw, every_size_around_a_page)
{
	static char out[3 * PAGE + 10], in[3 * PAGE + 10];

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = i * 13 + i / 256;
	for (size_t size = 1; size < sizeof(out); size = size * 3 / 2 + 1)
		for (size_t at = 0; at < 2 * PAGE; at = at * 2 + 1) {
			int fd = file_new("f", 0);

			CHECK_EQ(pwrite(fd, out, size, at), size);
			CHECK_EQ(lseek(fd, at, SEEK_SET), at);
			CHECK_EQ(read(fd, in, sizeof(in)), size);
			CHECK_EQ(memcmp(in, out, size), 0);
			CHECK_EQ(lseek(fd, 0, SEEK_END), at + size);
			CHECK_OK(close(fd));
		}
}

TEST(rw, offset_moves)
{
	char text[10];
	int fd = file_new("f", 0);

	CHECK_EQ(write(fd, "hello", 5), 5);
	CHECK_EQ(write(fd, "world", 5), 5);
	CHECK_EQ(read(fd, text, 10), 0);
	CHECK_EQ(lseek(fd, 3, SEEK_SET), 3);
	CHECK_EQ(read(fd, text, 4), 4);
	CHECK_EQ(memcmp(text, "lowo", 4), 0);
	CHECK_EQ(write(fd, "XY", 2), 2);
	CHECK_EQ(pread(fd, text, 10, 0), 10);
	CHECK_EQ(memcmp(text, "hellowoXYd", 10), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 9);
}

TEST(rw, append)
{
	char text[16];
	int fd = file_new("f", O_APPEND);

	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(write(fd, "def", 3), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
	CHECK_EQ(pread(fd, text, 16, 0), 6);
	CHECK_EQ(memcmp(text, "abcdef", 6), 0);
	/* On Linux pwrite appends as well. */
	CHECK_EQ(pwrite(fd, "g", 1, 0), 1);
	CHECK_EQ(pread(fd, text, 16, 0), 7);
	CHECK_EQ(text[6], 'g');
	CHECK_OK(fcntl(fd, F_SETFL, 0));
	CHECK_EQ(pwrite(fd, "X", 1, 0), 1);
	CHECK_EQ(pread(fd, text, 1, 0), 1);
	CHECK_EQ(text[0], 'X');
}

/* Processes that append records at the same time: none overwrites another's. */
TEST(rw, append_by_several_processes)
{
	enum { WRITERS = 4, RECORDS = 60, SIZE = 111 };
	static char all[WRITERS * RECORDS * SIZE + 1];
	int seen[WRITERS] = { 0 };
	pid_t pids[WRITERS];

	file_write("f", "", 0);
	for (int w = 0; w < WRITERS; w++) {
		pids[w] = FORK();
		if (pids[w] == 0) {
			int fd = CHECK_OK(open("f", O_WRONLY | O_APPEND));
			char record[SIZE];

			memset(record, 'a' + w, SIZE);
			for (int i = 0; i < RECORDS; i++)
				CHECK_EQ(write(fd, record, SIZE), SIZE);
			_exit(0);
		}
	}
	for (int w = 0; w < WRITERS; w++)
		CHECK_EXITED(pids[w], 0);
	CHECK_EQ(file_read("f", all, sizeof(all)), sizeof(all) - 1);
	for (int at = 0; at < WRITERS * RECORDS * SIZE; at += SIZE) {
		for (int i = 1; i < SIZE; i++)
			CHECK_EQ(all[at + i], all[at]);
		seen[all[at] - 'a']++;
	}
	for (int w = 0; w < WRITERS; w++)
		CHECK_EQ(seen[w], RECORDS);
}

/* One description, several processes: each write gets a place of its own. */
TEST(rw, shared_offset)
{
	enum { WRITERS = 4, RECORDS = 60, SIZE = 64 };
	static char all[WRITERS * RECORDS * SIZE + 1];
	int fd = file_new("f", 0);
	pid_t pids[WRITERS];

	for (int w = 0; w < WRITERS; w++) {
		pids[w] = FORK();
		if (pids[w] == 0) {
			char record[SIZE];

			memset(record, 'a' + w, SIZE);
			for (int i = 0; i < RECORDS; i++)
				CHECK_EQ(write(fd, record, SIZE), SIZE);
			_exit(0);
		}
	}
	for (int w = 0; w < WRITERS; w++)
		CHECK_EXITED(pids[w], 0);
	CHECK_EQ(file_read("f", all, sizeof(all)), sizeof(all) - 1);
	for (int at = 0; at < WRITERS * RECORDS * SIZE; at += SIZE)
		for (int i = 1; i < SIZE; i++)
			CHECK_EQ(all[at + i], all[at]);
}

TEST(rw, vectors)
{
	char a[4], b[1], c[10];
	struct iovec out[4] = { { "one", 3 }, { "", 0 }, { "two", 3 }, { "three", 5 } };
	struct iovec in[3] = { { a, 4 }, { b, 1 }, { c, 10 } };
	int fd = file_new("f", 0);

	CHECK_EQ(writev(fd, out, 4), 11);
	CHECK_OK(lseek(fd, 0, SEEK_SET));
	CHECK_EQ(readv(fd, in, 3), 11);
	CHECK(memcmp(a, "onet", 4) == 0 && b[0] == 'w' && memcmp(c, "othree", 6) == 0);
	CHECK_EQ(readv(fd, in, 3), 0);
	CHECK_EQ(writev(fd, NULL, 0), 0);
}

TEST(rw, vector_errors)
{
	char byte;
	struct iovec one = { &byte, 1 }, wild[2] = { { &byte, 1 }, { BAD_UNMAPPED, 1 } };
	struct iovec negative = { &byte, -1 };
	int fd = file_new("f", 0);

	CHECK_ERRNO(readv(fd, &one, -1), EINVAL);
	CHECK_ERRNO(readv(fd, &one, 1025), EINVAL);
	CHECK_ERRNO(writev(fd, &one, 1025), EINVAL);
	CHECK_ERRNO(readv(fd, BAD_UNMAPPED, 1), EFAULT);
	CHECK_ERRNO(writev(fd, &negative, 1), EINVAL);
	CHECK_ERRNO(readv(99, &one, 1), EBADF);
	CHECK_ERRNO(syscall(SYS_readv, 99, BAD_UNMAPPED, 1), EBADF);
	CHECK_EQ(write(fd, "ab", 2), 2);
	CHECK_OK(lseek(fd, 0, SEEK_SET));
	CHECK_EQ(readv(fd, wild, 2), 1); /* as far as it went */
	CHECK_EQ(writev(fd, wild, 2), 1);
	struct iovec many[1024];
	for (int i = 0; i < 1024; i++)
		many[i] = one;
	CHECK_EQ(writev(fd, many, 1024), 1024);
}

TEST(rw, bad_buffers)
{
	char *at = map_anonymous(2 * PAGE);
	int fd = file_new("f", 0), zero = CHECK_OK(open("/dev/zero", O_RDONLY));

	CHECK_EQ(syscall(SYS_munmap, at + PAGE, PAGE), 0);
	CHECK_ERRNO(write(fd, BAD_UNMAPPED, 10), EFAULT);
	CHECK_ERRNO(write(fd, BAD_KERNEL, 10), EFAULT);
	CHECK_ERRNO(write(fd, BAD_CANONICAL, 10), EFAULT);
	CHECK_ERRNO(write(fd, NULL, 10), EFAULT);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
	memset(at, 'x', PAGE);
	CHECK_EQ(write(fd, at, PAGE), PAGE);
	CHECK_OK(lseek(fd, 0, SEEK_SET));
	CHECK_ERRNO(read(fd, BAD_UNMAPPED, 10), EFAULT);
	CHECK_ERRNO(read(fd, BAD_KERNEL, 10), EFAULT);
	CHECK_ERRNO(read(zero, BAD_KERNEL, 10), EFAULT);
	CHECK_ERRNO(read(zero, BAD_CANONICAL, 10), EFAULT);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	/* Half of the buffer is there: as much is done, or less, or nothing. */
	ssize_t got = read(zero, at + PAGE - 100, 200);
	CHECK((got > 0 && got <= 100) || (got == -1 && errno == EFAULT));
	/* A length of nothing asks for nothing. */
	CHECK_EQ(write(fd, BAD_UNMAPPED, 0), 0);
	CHECK_EQ(read(zero, BAD_UNMAPPED, 0), 0);
}

TEST(rw, limit_of_size)
{
	char text[200] = { 0 };
	int fd = file_new("f", 0);

	SUBPROCESS {
		struct rlimit limit = { 100, 100 };

		CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
		signal(SIGXFSZ, SIG_IGN);
		CHECK_EQ(write(fd, text, 60), 60);
		CHECK_EQ(write(fd, text, 60), 40);
		CHECK_ERRNO(write(fd, text, 1), EFBIG);
		CHECK_ERRNO(pwrite(fd, text, 1, 100), EFBIG);
		CHECK_EQ(pwrite(fd, text, 10, 50), 10);
	}
	pid_t pid = FORK();
	if (pid == 0) {
		struct rlimit limit = { 100, 100 };

		CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
		if (pwrite(fd, text, 1, 100) < 0)
			_exit(1);
		_exit(0);
	}
	CHECK_SIGNALED(pid, SIGXFSZ);
}

TEST(rw, big_file)
{
	enum { BLOCK = 1 << 16, BLOCKS = 64 };
	unsigned *block = malloc(BLOCK);
	int fd = file_new("f", 0);

	for (int i = 0; i < BLOCKS; i++) {
		for (int j = 0; j < BLOCK / 4; j += 16)
			block[j] = i * 1000003 + j;
		CHECK_EQ(write(fd, block, BLOCK), BLOCK);
	}
	CHECK_OK(lseek(fd, 0, SEEK_SET));
	for (int i = 0; i < BLOCKS; i++) {
		CHECK_EQ(read(fd, block, BLOCK), BLOCK);
		for (int j = 0; j < BLOCK / 4; j += 16)
			CHECK_EQ(block[j], i * 1000003 + j);
	}
	CHECK_EQ(read(fd, block, 1), 0);
}

TEST(rw, read_and_written_at_the_same_time)
{
	static char page[PAGE];
	int fd = file_new("f", 0);

	CHECK_EQ(write(fd, page, PAGE), PAGE);
	pid_t pid = FORK();
	if (pid == 0) {
		for (int i = 0; i < 200; i++) {
			memset(page, i, PAGE);
			CHECK_EQ(pwrite(fd, page, 512, 0), 512);
		}
		_exit(0);
	}
	int status;
	while (waitpid(pid, &status, WNOHANG) == 0)
		CHECK_EQ(pread(fd, page, 512, 0), 512);
	CHECK_EQ(status, 0);
	for (int i = 0; i < 512; i++)
		CHECK_EQ(page[i], page[0]);
}

TEST(rw, sync_calls)
{
	int fd = file_new("f", O_SYNC), dir = CHECK_OK(open(".", O_RDONLY));

	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(fsync(fd));
	CHECK_OK(fdatasync(fd));
	CHECK_OK(fsync(dir));
	CHECK_ERRNO(fsync(99), EBADF);
	CHECK_ERRNO(fdatasync(99), EBADF);
}
