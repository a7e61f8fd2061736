/*
 * Reading directories: complete, and stable while entries come and go.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

static void make_files(int count)
{
	char name[16];

	CHECK_OK(mkdir("d", 0755));
	for (int i = 0; i < count; i++) {
		sprintf(name, "d/f%d", i);
		int fd = CHECK_OK(open(name, O_WRONLY | O_CREAT, 0644));
		CHECK_OK(close(fd));
	}
}

/* Reads on to the end with buffers of this size, counting f0, f1, ... and the rest. */
static int read_all(int fd, size_t size, int *seen, int count)
{
	static char buffer[8192] __attribute__((aligned(8)));
	int others = 0;
	long got;

	while ((got = syscall(SYS_getdents64, fd, buffer, size)) > 0)
		for (long at = 0; at < got;) {
			struct entry *entry = (void *)(buffer + at);
			int number = entry->name[0] == 'f' ? atoi(entry->name + 1) : -1;

			CHECK_EQ(entry->size % 8, 0);
			if (number >= 0 && number < count)
				seen[number]++;
			else
				others++;
			at += entry->size;
		}
	CHECK_EQ(got, 0);
	return others;
}

TEST(getdents, complete)
{
	enum { COUNT = 200 };
	static const size_t sizes[] = { 48, 64, 100, 1000, 8192 };

	make_files(COUNT);
	for (unsigned i = 0; i < LENGTH(sizes); i++) {
		int seen[COUNT] = { 0 }, fd = CHECK_OK(open("d", O_RDONLY));

		CHECK_EQ(read_all(fd, sizes[i], seen, COUNT), 2); /* "." and ".." */
		for (int j = 0; j < COUNT; j++)
			CHECK_EQ(seen[j], 1);
		CHECK_OK(lseek(fd, 0, SEEK_SET));
		CHECK_EQ(read_all(fd, sizes[i], seen, COUNT), 2);
		CHECK_EQ(seen[COUNT - 1], 2);
		CHECK_OK(close(fd));
	}
}

TEST(getdents, types_and_inodes)
{
	struct dirent *entry;
	struct stat info;
	int found = 0;

	file_write("file", "", 0);
	CHECK_OK(mkdir("dir", 0755));
	CHECK_OK(symlink("x", "link"));
	CHECK_OK(mkfifo("fifo", 0600));
	DIR *dir = opendir(".");
	while ((entry = readdir(dir))) {
		CHECK_OK(lstat(entry->d_name, &info));
		CHECK_EQ(entry->d_type, info.st_mode >> 12);
		if (strcmp(entry->d_name, "..") != 0)
			CHECK_EQ(entry->d_ino, info.st_ino);
		found++;
	}
	CHECK_EQ(found, 6);
	CHECK_EQ(closedir(dir), 0);
}

TEST(getdents, errors)
{
	char buffer[4096] __attribute__((aligned(8)));
	int fd = CHECK_OK(open(".", O_RDONLY)), file;

	file_write("a_file_with_a_name", "", 0);
	file = CHECK_OK(open("a_file_with_a_name", O_RDONLY));
	CHECK_ERRNO(syscall(SYS_getdents64, file, buffer, 4096), ENOTDIR);
	CHECK_ERRNO(syscall(SYS_getdents64, 99, buffer, 4096), EBADF);
	CHECK_ERRNO(syscall(SYS_getdents64, fd, BAD_UNMAPPED, 4096), EFAULT);
	CHECK_ERRNO(syscall(SYS_getdents64, fd, buffer, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_getdents64, fd, buffer, 0), EINVAL);
	CHECK_GT(syscall(SYS_getdents64, fd, buffer, 4096), 0);
}

/* While the directory is read, every second entry is removed: the others still come, once. */
TEST(getdents, stable_when_entries_go)
{
	enum { COUNT = 150 };
	int seen[COUNT] = { 0 };
	char name[16], buffer[512] __attribute__((aligned(8)));

	make_files(COUNT);
	int fd = CHECK_OK(open("d", O_RDONLY));
	/* The first part of it is read before anything goes. */
	long got = CHECK_OK(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)));
	for (long at = 0; at < got;) {
		struct entry *entry = (void *)(buffer + at);

		if (entry->name[0] == 'f')
			seen[atoi(entry->name + 1)]++;
		at += entry->size;
	}
	for (int i = 0; i < COUNT; i += 2) {
		sprintf(name, "d/f%d", i);
		CHECK_OK(unlink(name));
	}
	read_all(fd, 256, seen, COUNT);
	for (int i = 1; i < COUNT; i += 2)
		CHECK_EQ(seen[i], 1);
	for (int i = 0; i < COUNT; i += 2)
		CHECK_LE(seen[i], 1);
}

TEST(getdents, stable_when_entries_come)
{
	enum { COUNT = 100 };
	int seen[COUNT] = { 0 };
	char name[16], buffer[256] __attribute__((aligned(8)));
	long got;

	make_files(COUNT);
	int fd = CHECK_OK(open("d", O_RDONLY)), fresh = 0;
	while ((got = CHECK_OK(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)))) > 0) {
		for (long at = 0; at < got;) {
			struct entry *entry = (void *)(buffer + at);

			if (entry->name[0] == 'f')
				seen[atoi(entry->name + 1)]++;
			at += entry->size;
		}
		if (fresh < 60) {
			sprintf(name, "d/new%d", fresh++);
			int file = CHECK_OK(open(name, O_WRONLY | O_CREAT, 0644));
			CHECK_OK(close(file));
		}
	}
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(seen[i], 1);
}

/* rm -r: reads and removes at the same time until nothing is left. */
TEST(getdents, remove_while_reading)
{
	struct dirent *entry;
	int removed = 0;

	make_files(200);
	CHECK_OK(chdir("d"));
	DIR *dir = opendir(".");
	while ((entry = readdir(dir)))
		if (entry->d_name[0] == 'f') {
			CHECK_OK(unlink(entry->d_name));
			removed++;
		}
	CHECK_EQ(removed, 200);
	CHECK_EQ(closedir(dir), 0);
	CHECK_OK(rmdir("../d"));
}

TEST(getdents, seek_and_tell)
{
	struct dirent *entry;
	char names[60][16];
	long places[60];

	make_files(57);
	DIR *dir = opendir("d");
	for (int i = 0; i < 59; i++) {
		places[i] = telldir(dir);
		entry = readdir(dir);
		CHECK(entry);
		strcpy(names[i], entry->d_name);
	}
	CHECK(readdir(dir) == NULL);
	for (int i = 58; i >= 0; i -= 3) {
		seekdir(dir, places[i]);
		entry = readdir(dir);
		CHECK(entry);
		CHECK_STR(entry->d_name, names[i]);
	}
	rewinddir(dir);
	CHECK_STR(readdir(dir)->d_name, names[0]);
	CHECK_EQ(closedir(dir), 0);
}

TEST(getdents, removed_directory_is_empty)
{
	char buffer[256] __attribute__((aligned(8)));

	CHECK_OK(mkdir("d", 0755));
	int fd = CHECK_OK(open("d", O_RDONLY));
	CHECK_OK(rmdir("d"));
	CHECK_ERRNO(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)), ENOENT);
}

TEST(getdents, offset_is_shared_by_copies)
{
	int seen[100] = { 0 };
	char buffer[128] __attribute__((aligned(8)));

	make_files(50);
	int fd = CHECK_OK(open("d", O_RDONLY)), copy = CHECK_OK(dup(fd));
	CHECK_GT(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)), 0);
	int others = read_all(copy, 4096, seen, 100);
	int total = others;
	for (int i = 0; i < 100; i++)
		total += seen[i];
	CHECK_LT(total, 52);
	CHECK_EQ(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)), 0);
}
