/*
 * mmap, munmap, msync and madvise: anonymous and file memory, private and shared.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf back;
static siginfo_t fault;

static void catch_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	fault = *info;
	siglongjmp(back, sig);
}

/* The signal that touching this address raises, or 0. */
static int touch(volatile char *at, int write)
{
	struct sigaction action = { .sa_sigaction = catch_fault, .sa_flags = SA_SIGINFO };
	int sig;

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sig = sigsetjmp(back, 1);
	if (sig == 0) {
		char byte = *at;

		if (write)
			*at = byte;
	}
	return sig;
}

/* A file of so many pages, each filled with its own letter. */
static int letters(const char *name, int pages, size_t extra)
{
	char page[PAGE];
	int fd = CHECK_OK(open(name, O_RDWR | O_CREAT | O_TRUNC, 0644));

	for (int i = 0; i < pages; i++) {
		memset(page, 'a' + i, PAGE);
		CHECK_EQ(write(fd, page, PAGE), PAGE);
	}
	memset(page, 'z', PAGE);
	CHECK_EQ(write(fd, page, extra), extra);
	return fd;
}

static char *map(int fd, size_t size, int prot, int flags, off_t offset)
{
	char *at = mmap(NULL, size, prot, flags, fd, offset);

	if (at == MAP_FAILED)
		FAIL("mmap: errno %d", errno);
	return at;
}

enum { RW = PROT_READ | PROT_WRITE };

TEST(mmap, anonymous_is_zero)
{
	for (int round = 0; round < 5; round++) {
		char *at = map_anonymous(64 * PAGE);

		for (size_t i = 0; i < 64 * PAGE; i += 512)
			CHECK_EQ(at[i], 0);
		memset(at, 0xee, 64 * PAGE);
		CHECK_OK(munmap(at, 64 * PAGE));
	}
}

TEST(mmap, unmapped_is_gone)
{
	char *at = map_anonymous(4 * PAGE);

	at[2 * PAGE] = 1;
	CHECK_OK(munmap(at + PAGE, 2 * PAGE));
	CHECK_EQ(touch(at, 1), 0);
	CHECK_EQ(touch(at + PAGE, 0), SIGSEGV);
	CHECK_EQ(fault.si_code, SEGV_MAPERR);
	CHECK(fault.si_addr == at + PAGE);
	CHECK_EQ(touch(at + 3 * PAGE - 1, 0), SIGSEGV);
	CHECK_EQ(touch(at + 3 * PAGE, 1), 0);
	/* Nothing there: still a success. */
	CHECK_OK(munmap(at + PAGE, 2 * PAGE));
	CHECK_OK(munmap(at, 4 * PAGE));
}

TEST(mmap, fixed_replaces)
{
	char *at = map_anonymous(5 * PAGE);

	memset(at, 1, 5 * PAGE);
	char *got = mmap(at + PAGE, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(got == at + PAGE);
	CHECK_EQ(at[PAGE - 1], 1);
	CHECK_EQ(at[PAGE], 0);
	CHECK_EQ(at[3 * PAGE - 1], 0);
	CHECK_EQ(at[3 * PAGE], 1);
	got = mmap(at, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | 0x100000 /* NOREPLACE */, -1, 0);
	CHECK(got == MAP_FAILED);
	CHECK_EQ(errno, EEXIST);
}

TEST(mmap, hint_is_taken_where_free)
{
	char *at = map_anonymous(3 * PAGE);

	CHECK_OK(munmap(at, 3 * PAGE));
	CHECK(mmap(at + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == at + PAGE);
	char *other = mmap(at + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(other != MAP_FAILED && other != at + PAGE);
	/* A hint need not be aligned. */
	CHECK_EQ((uintptr_t)mmap(at + 17, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) % PAGE, 0);
}

TEST(mmap, errors)
{
	int rw = letters("f", 1, 0);
	int ro = CHECK_OK(open("f", O_RDONLY)), wo = CHECK_OK(open("f", O_WRONLY));
	int dir = CHECK_OK(open(".", O_RDONLY | O_DIRECTORY)), pipes[2];
	int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;

	CHECK_OK(pipe(pipes));
	CHECK_ERRNO(mmap(NULL, 0, RW, anonymous, -1, 0), EINVAL);
	CHECK_ERRNO(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_mmap, NULL, PAGE, RW, MAP_PRIVATE, rw, 100), EINVAL);
	CHECK_ERRNO(mmap((void *)100, PAGE, RW, anonymous | MAP_FIXED, -1, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_mmap, NULL, -1L, RW, anonymous, -1, 0), ENOMEM);
	CHECK_ERRNO(syscall(SYS_mmap, NULL, 1L << 62, RW, anonymous, -1, 0), ENOMEM);
	CHECK_ERRNO(syscall(SYS_mmap, NULL, 1L << 47, RW, anonymous, -1, 0), ENOMEM);
	CHECK_ERRNO(mmap((void *)0x7ffffffff000, PAGE, RW, anonymous | MAP_FIXED, -1, 0), ENOMEM);
	CHECK_ERRNO(mmap(BAD_KERNEL, PAGE, RW, anonymous | MAP_FIXED, -1, 0), ENOMEM);
	CHECK_ERRNO(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0), EBADF);
	CHECK_ERRNO(mmap(NULL, PAGE, RW, MAP_PRIVATE, 9999, 0), EBADF);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, ro, 0), EACCES);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, wo, 0), EACCES);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, wo, 0), EACCES);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0), ENODEV);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, pipes[0], 0), ENODEV);
	CHECK_ERRNO(syscall(SYS_mmap, NULL, 2 * PAGE, RW, MAP_SHARED, rw, 0x7ffffffffffff000),
		    EOVERFLOW);
	CHECK(mmap(NULL, PAGE, RW, MAP_PRIVATE, ro, 0) != MAP_FAILED);
}

TEST(mmap, munmap_errors)
{
	char *at = map_anonymous(PAGE);

	CHECK_ERRNO(syscall(SYS_munmap, at, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_munmap, at + 1, PAGE), EINVAL);
	CHECK_ERRNO(syscall(SYS_munmap, BAD_KERNEL, PAGE), EINVAL);
	CHECK_ERRNO(syscall(SYS_munmap, at, -1L), EINVAL);
	CHECK_EQ(touch(at, 1), 0);
	CHECK_OK(syscall(SYS_munmap, at, 1)); /* a part of a page is the page */
	CHECK_EQ(touch(at, 1), SIGSEGV);
}

TEST(mmap, private_file_memory)
{
	int fd = letters("f", 3, 0);
	char *at = map(fd, 3 * PAGE, RW, MAP_PRIVATE, 0), byte;

	CHECK(at[0] == 'a' && at[PAGE] == 'b' && at[3 * PAGE - 1] == 'c');
	at[PAGE] = 'X';
	CHECK_EQ(pread(fd, &byte, 1, PAGE), 1);
	CHECK_EQ(byte, 'b');
	/* A page not yet written to shows what the file gets. */
	CHECK_EQ(pwrite(fd, "Y", 1, 0), 1);
	CHECK_EQ(at[0], 'Y');
	CHECK_EQ(pwrite(fd, "Z", 1, PAGE), 1);
	CHECK_EQ(at[PAGE], 'X');
	char *second = map(fd, 3 * PAGE, PROT_READ, MAP_PRIVATE, 0);
	CHECK_EQ(second[PAGE], 'Z');
}

TEST(mmap, shared_file_memory_is_the_file)
{
	int fd = letters("f", 3, 0);
	char *a = map(fd, 3 * PAGE, RW, MAP_SHARED, 0);
	char *b = map(fd, PAGE, RW, MAP_SHARED, PAGE);
	char text[8];

	memcpy(a + PAGE + 5, "written", 7);
	CHECK_EQ(pread(fd, text, 7, PAGE + 5), 7);
	CHECK_EQ(memcmp(text, "written", 7), 0);
	CHECK_EQ(memcmp(b + 5, "written", 7), 0);
	CHECK_EQ(pwrite(fd, "through", 7, PAGE + 100), 7);
	CHECK_EQ(memcmp(a + PAGE + 100, "through", 7), 0);
	CHECK_EQ(memcmp(b + 100, "through", 7), 0);
	SUBPROCESS {
		int again = CHECK_OK(open("f", O_RDWR));

		a[0] = 'C';
		CHECK_EQ(pread(again, text, 1, 0), 1);
		CHECK_EQ(text[0], 'C');
		CHECK_EQ(pwrite(again, "D", 1, 2 * PAGE), 1);
	}
	CHECK_EQ(a[0], 'C');
	CHECK_EQ(a[2 * PAGE], 'D');
}

TEST(mmap, outlives_close_and_unlink)
{
	int fd = letters("f", 2, 0);
	char *at = map(fd, 2 * PAGE, RW, MAP_SHARED, 0);

	CHECK_OK(close(fd));
	CHECK_OK(unlink("f"));
	CHECK_EQ(at[PAGE], 'b');
	at[PAGE] = 'Q';
	SUBPROCESS {
		CHECK_EQ(at[PAGE], 'Q');
		at[0] = 'R';
	}
	CHECK_EQ(at[0], 'R');
	CHECK_OK(munmap(at, 2 * PAGE));
}

TEST(mmap, last_page_is_zero_beyond_the_end)
{
	int fd = letters("f", 1, 100);
	char *at = map(fd, 2 * PAGE, RW, MAP_SHARED, 0), text[200];

	CHECK_EQ(at[PAGE + 99], 'z');
	for (size_t i = PAGE + 100; i < 2 * PAGE; i++)
		CHECK_EQ(at[i], 0);
	/* What is written there does not become part of the file. */
	at[PAGE + 150] = 'x';
	struct stat info;
	CHECK_OK(fstat(fd, &info));
	CHECK_EQ(info.st_size, PAGE + 100);
	CHECK_EQ(pread(fd, text, sizeof(text), PAGE), 100);
}

TEST(mmap, beyond_the_end_is_a_bus_error)
{
	int fd = letters("f", 1, 0);
	char *at = map(fd, 3 * PAGE, RW, MAP_SHARED, 0);
	char *copy = map(fd, 3 * PAGE, RW, MAP_PRIVATE, 0);

	CHECK_EQ(touch(at + PAGE - 1, 1), 0);
	CHECK_EQ(touch(at + PAGE + 7, 0), SIGBUS);
	CHECK_EQ(fault.si_code, BUS_ADRERR);
	CHECK(fault.si_addr == at + PAGE + 7);
	CHECK_EQ(touch(copy + 2 * PAGE, 1), SIGBUS);
	/* The kernel itself reports it as a bad address. */
	CHECK_ERRNO(write(fd, at + PAGE, 1), EFAULT);
	/* When the file grows the memory is there. */
	CHECK_OK(ftruncate(fd, 2 * PAGE));
	CHECK_EQ(touch(at + PAGE, 1), 0);
	CHECK_EQ(at[PAGE], 0);
	CHECK_EQ(touch(at + 2 * PAGE, 0), SIGBUS);
}

TEST(mmap, truncation_takes_pages_away)
{
	int fd = letters("f", 4, 0);
	char *at = map(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	char *copy = map(fd, 4 * PAGE, RW, MAP_PRIVATE, 0);

	at[3 * PAGE] = 'x';
	copy[2 * PAGE] = 'y';
	CHECK_OK(ftruncate(fd, PAGE + 10));
	CHECK_EQ(touch(at + 3 * PAGE, 0), SIGBUS);
	CHECK_EQ(touch(copy + 2 * PAGE, 0), SIGBUS); /* even a page written to */
	CHECK_EQ(at[PAGE + 9], 'b');
	CHECK_EQ(at[PAGE + 10], 0);
	CHECK_OK(ftruncate(fd, 4 * PAGE));
	CHECK_EQ(at[PAGE + 10], 0);
	CHECK_EQ(at[3 * PAGE], 0);
}

TEST(mmap, offset)
{
	int fd = letters("f", 8, 0);
	char *at = map(fd, 2 * PAGE, PROT_READ, MAP_PRIVATE, 5 * PAGE);

	CHECK_EQ(at[0], 'f');
	CHECK_EQ(at[PAGE], 'g');
	CHECK_EQ(touch(at, 1), SIGSEGV);
	CHECK_EQ(fault.si_code, SEGV_ACCERR);
}

TEST(mmap, splits_keep_their_offsets)
{
	int fd = letters("f", 5, 0);
	volatile char *at = map(fd, 5 * PAGE, RW, MAP_SHARED, 0);

	CHECK_OK(munmap((char *)at + 2 * PAGE, PAGE));
	CHECK(at[PAGE] == 'b' && at[3 * PAGE] == 'd' && at[4 * PAGE] == 'e');
	char *hole = (char *)at + 2 * PAGE;
	CHECK(mmap(hole, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == hole);
	CHECK_EQ(at[2 * PAGE], 'a');
	at[0] = 'A';
	CHECK_EQ(at[2 * PAGE], 'A');
}

TEST(mmap, system_calls_into_it)
{
	int fd = letters("f", 3, 0), out = CHECK_OK(open("g", O_RDWR | O_CREAT, 0644));
	char *at = map(fd, 3 * PAGE, PROT_READ, MAP_PRIVATE, 0);
	char *to = map_anonymous(3 * PAGE);

	/* Not one of these pages has been touched by the program before. */
	CHECK_EQ(write(out, at, 3 * PAGE), 3 * PAGE);
	CHECK_EQ(pread(out, to, 3 * PAGE, 0), 3 * PAGE);
	CHECK_EQ(memcmp(at, to, 3 * PAGE), 0);
	char *shared = map(out, 3 * PAGE, RW, MAP_SHARED, 0);
	/* From a file into itself, both sides in the same pages. */
	CHECK_EQ(pwrite(out, shared, PAGE, 2 * PAGE), PAGE);
	CHECK_EQ(shared[2 * PAGE], 'a');
	CHECK_EQ(pread(out, shared, PAGE, PAGE), PAGE);
	CHECK_EQ(shared[0], 'b');
	CHECK_EQ(shared[PAGE - 1], 'b');
}

TEST(mmap, many_regions)
{
	enum { COUNT = 600 };
	static char *at[COUNT];
	char *area = map_anonymous(2 * COUNT * PAGE);

	CHECK_OK(munmap(area, 2 * COUNT * PAGE));
	/* Every second page, with protections that keep neighbours from being joined. */
	for (int i = 0; i < COUNT; i++) {
		at[i] = mmap(area + 2 * i * PAGE, PAGE, RW,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		CHECK(at[i] == area + 2 * i * PAGE);
		*(int *)at[i] = i;
	}
	SUBPROCESS {
		for (int i = 0; i < COUNT; i++)
			CHECK_EQ(*(int *)at[i], i);
	}
	for (int i = 0; i < COUNT; i += 2)
		CHECK_OK(munmap(at[i], PAGE));
	for (int i = 1; i < COUNT; i += 2)
		CHECK_EQ(*(int *)at[i], i);
	CHECK_OK(munmap(area, 2 * COUNT * PAGE));
	CHECK_EQ(touch(at[1], 0), SIGSEGV);
}

TEST(mmap, large_reservation)
{
	size_t size = 1UL << 34; /* far more than there is, and almost none of it is used */
	char *at = mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(at != MAP_FAILED);
	for (size_t i = 0; i < size; i += size / 16)
		at[i] = 1;
	CHECK_OK(munmap(at, size));
	at = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(at != MAP_FAILED);
	CHECK_EQ(touch(at + size / 2, 0), SIGSEGV);
	CHECK_OK(munmap(at, size));
}

TEST(mmap, dont_need)
{
	int fd = letters("f", 2, 0);
	char *at = map_anonymous(4 * PAGE), *file = map(fd, 2 * PAGE, RW, MAP_PRIVATE, 0);

	memset(at, 7, 4 * PAGE);
	CHECK_OK(madvise(at + PAGE, 2 * PAGE, MADV_DONTNEED));
	CHECK(at[0] == 7 && at[PAGE] == 0 && at[3 * PAGE - 1] == 0 && at[3 * PAGE] == 7);
	file[0] = 'X';
	CHECK_OK(madvise(file, 2 * PAGE, MADV_DONTNEED));
	CHECK_EQ(file[0], 'a');
	char *shared = map(fd, 2 * PAGE, RW, MAP_SHARED, 0);
	shared[0] = 'S';
	CHECK_OK(madvise(shared, 2 * PAGE, MADV_DONTNEED));
	CHECK_EQ(shared[0], 'S');
}

TEST(mmap, advice)
{
	char *at = map_anonymous(4 * PAGE);

	CHECK_OK(madvise(at, 4 * PAGE, MADV_NORMAL));
	CHECK_OK(madvise(at, 4 * PAGE, MADV_RANDOM));
	CHECK_OK(madvise(at, 4 * PAGE, MADV_SEQUENTIAL));
	CHECK_OK(madvise(at, 4 * PAGE, MADV_WILLNEED));
	CHECK_OK(madvise(at, 0, MADV_NORMAL));
	CHECK_ERRNO(madvise(at + 1, PAGE, MADV_NORMAL), EINVAL);
	CHECK_ERRNO(madvise(at, PAGE, 9999), EINVAL);
	CHECK_OK(munmap(at + PAGE, PAGE));
	/* The rest is advised although there is a hole. */
	at[3 * PAGE] = 1;
	CHECK_ERRNO(madvise(at, 4 * PAGE, MADV_DONTNEED), ENOMEM);
	CHECK_EQ(at[3 * PAGE], 0);
}

TEST(mmap, msync)
{
	int fd = letters("f", 2, 0);
	char *at = map(fd, 2 * PAGE, RW, MAP_SHARED, 0);

	at[0] = 'X';
	CHECK_OK(msync(at, 2 * PAGE, MS_SYNC));
	CHECK_OK(msync(at, 2 * PAGE, MS_ASYNC));
	CHECK_OK(msync(at, 2 * PAGE, MS_SYNC | MS_INVALIDATE));
	CHECK_OK(msync(at, 0, MS_SYNC));
	CHECK_ERRNO(msync(at, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_ERRNO(msync(at, PAGE, 0x100), EINVAL);
	CHECK_ERRNO(msync(at + 1, PAGE, MS_SYNC), EINVAL);
	CHECK_OK(munmap(at + PAGE, PAGE));
	CHECK_ERRNO(msync(at, 2 * PAGE, MS_SYNC), ENOMEM);
}

/* Writing through the mapping counts as a change of the file. */
TEST(mmap, write_to_sparse_file)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0644));
	char page[PAGE];

	CHECK_OK(ftruncate(fd, 100 * PAGE));
	char *at = map(fd, 100 * PAGE, RW, MAP_SHARED, 0);
	for (int i = 0; i < 100; i += 10)
		at[i * PAGE + i] = 'a';
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(pread(fd, page, PAGE, i * PAGE), PAGE);
		for (int j = 0; j < (int)PAGE; j += i % 10 ? 64 : 1)
			CHECK_EQ(page[j], i % 10 == 0 && j == i ? 'a' : 0);
	}
}

TEST(mmap, null_page_is_never_given)
{
	char *at = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at != NULL && at != MAP_FAILED);
	SUBPROCESS {
		drop_to_user(4242, 4242);
		CHECK_ERRNO(mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			    EPERM);
	}
}

TEST(mmap, zero_device)
{
	int fd = CHECK_OK(open("/dev/zero", O_RDWR));
	char *private = map(fd, 2 * PAGE, RW, MAP_PRIVATE, 0);
	char *shared = map(fd, 2 * PAGE, RW, MAP_SHARED, 0);

	CHECK_EQ(private[PAGE], 0);
	private[PAGE] = 1;
	SUBPROCESS {
		CHECK_EQ(private[PAGE], 1);
		private[PAGE] = 2;
		shared[0] = 5;
	}
	CHECK_EQ(private[PAGE], 1);
	CHECK_EQ(shared[0], 5);
}
