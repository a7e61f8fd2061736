/*
 * mprotect: what each protection permits, to the program and to the system calls that it makes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static sigjmp_buf back;
static siginfo_t fault;

static void catch_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	fault = *info;
	siglongjmp(back, sig);
}

enum access { READ, WRITE, EXECUTE };

/* 0, or the si_code of the SIGSEGV that the access raises. */
static int try_access(char *at, enum access access)
{
	struct sigaction action = { .sa_sigaction = catch_fault, .sa_flags = SA_SIGINFO };

	CHECK_OK(sigaction(SIGSEGV, &action, NULL));
	if (sigsetjmp(back, 1)) {
		CHECK(fault.si_addr == at);
		return fault.si_code;
	}
	if (access == READ)
		(void)*(volatile char *)at;
	else if (access == WRITE)
		*(volatile char *)at = (char)0xc3;
	else
		((void (*)(void))at)();
	return 0;
}

enum { RW = PROT_READ | PROT_WRITE };

TEST(mprotect, read_only)
{
	char *at = map_anonymous(3 * PAGE);

	at[PAGE] = 5;
	CHECK_OK(mprotect(at + PAGE, PAGE, PROT_READ));
	CHECK_EQ(try_access(at + PAGE, READ), 0);
	CHECK_EQ(try_access(at + PAGE, WRITE), SEGV_ACCERR);
	CHECK_EQ(at[PAGE], 5);
	CHECK_EQ(try_access(at, WRITE), 0);
	CHECK_EQ(try_access(at + 2 * PAGE, WRITE), 0);
	CHECK_OK(mprotect(at + PAGE, PAGE, RW));
	CHECK_EQ(try_access(at + PAGE, WRITE), 0);
}

TEST(mprotect, nothing_allowed)
{
	char *at = map_anonymous(PAGE);

	at[0] = 5;
	CHECK_OK(mprotect(at, PAGE, PROT_NONE));
	CHECK_EQ(try_access(at, READ), SEGV_ACCERR);
	CHECK_EQ(try_access(at, WRITE), SEGV_ACCERR);
	CHECK_OK(mprotect(at, PAGE, PROT_READ));
	CHECK_EQ(at[0], 5);
}

TEST(mprotect, execute)
{
	char *at = map_anonymous(PAGE);

	at[0] = (char)0xc3; /* ret */
	CHECK_EQ(try_access(at, EXECUTE), SEGV_ACCERR);
	CHECK_OK(mprotect(at, PAGE, PROT_READ | PROT_EXEC));
	CHECK_EQ(try_access(at, EXECUTE), 0);
	CHECK_EQ(try_access(at, WRITE), SEGV_ACCERR);
	CHECK_OK(mprotect(at, PAGE, RW));
	CHECK_EQ(try_access(at, EXECUTE), SEGV_ACCERR);
	CHECK_EQ(try_access(at, WRITE), 0);
}

TEST(mprotect, code_can_be_rewritten)
{
	unsigned char *at = (void *)map_anonymous(PAGE);

	for (int i = 0; i < 50; i++) {
		const unsigned char code[] = { 0xb8, i, 0, 0, 0, 0xc3 }; /* mov $i, %eax; ret */

		CHECK_OK(mprotect(at, PAGE, RW));
		memcpy(at, code, sizeof(code));
		CHECK_OK(mprotect(at, PAGE, PROT_READ | PROT_EXEC));
		CHECK_EQ(((int (*)(void))at)(), i);
	}
}

TEST(mprotect, data_and_stack_are_not_executable)
{
	static char data[64] = { (char)0xc3 };
	char stack[64] = { (char)0xc3 };

	CHECK_EQ(try_access(data, EXECUTE), SEGV_ACCERR);
	CHECK_EQ(try_access(stack, EXECUTE), SEGV_ACCERR);
}

TEST(mprotect, text_is_not_writable)
{
	CHECK_EQ(try_access((char *)(uintptr_t)try_access, WRITE), SEGV_ACCERR);
}

TEST(mprotect, errors)
{
	char *at = map_anonymous(3 * PAGE);

	CHECK_ERRNO(syscall(SYS_mprotect, at + 1, PAGE, PROT_READ), EINVAL);
	CHECK_ERRNO(syscall(SYS_mprotect, at, PAGE, 0x8000), EINVAL);
	CHECK_OK(syscall(SYS_mprotect, at, 0, PROT_READ));
	CHECK_ERRNO(syscall(SYS_mprotect, BAD_KERNEL, PAGE, PROT_READ), ENOMEM);
	CHECK_ERRNO(syscall(SYS_mprotect, at, -PAGE, PROT_READ), ENOMEM);
	CHECK_OK(munmap(at + PAGE, PAGE));
	CHECK_ERRNO(mprotect(at, 3 * PAGE, PROT_READ), ENOMEM);
	/* What lies before the hole has been changed. */
	CHECK_EQ(try_access(at, WRITE), SEGV_ACCERR);
}

TEST(mprotect, file_opened_read_only)
{
	char page[PAGE] = "text";

	file_write("f", page, sizeof(page));
	int fd = CHECK_OK(open("f", O_RDONLY));
	char *shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	char *private = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(shared != MAP_FAILED && private != MAP_FAILED);
	CHECK_ERRNO(mprotect(shared, PAGE, RW), EACCES);
	CHECK_EQ(try_access(shared, WRITE), SEGV_ACCERR);
	CHECK_OK(mprotect(private, PAGE, RW));
	private[0] = 'X';
	CHECK_EQ(shared[0], 't');
}

/* System calls respect the protections too, and report them as bad addresses. */
TEST(mprotect, system_calls_respect_it)
{
	char *at = map_anonymous(2 * PAGE);
	int fd = CHECK_OK(open("/dev/zero", O_RDWR)), pipes[2];

	at[0] = at[PAGE] = 1;
	CHECK_OK(pipe(pipes));
	CHECK_OK(mprotect(at, PAGE, PROT_READ));
	CHECK_ERRNO(read(fd, at, 10), EFAULT);
	CHECK_EQ(write(pipes[1], at, 10), 10);
	CHECK_ERRNO(read(pipes[0], at, 10), EFAULT);
	CHECK_OK(mprotect(at, PAGE, PROT_NONE));
	CHECK_ERRNO(write(pipes[1], at, 10), EFAULT);
	CHECK_EQ(read(pipes[0], at + PAGE, 20), 10);
	CHECK_OK(mprotect(at, PAGE, PROT_READ));
	CHECK_EQ(at[0], 1);
	CHECK_EQ(at[PAGE], 1);
}

TEST(mprotect, after_fork)
{
	char *at = map_anonymous(2 * PAGE);

	at[0] = 1;
	SUBPROCESS {
		CHECK_OK(mprotect(at, PAGE, PROT_READ));
		CHECK_EQ(try_access(at, WRITE), SEGV_ACCERR);
		/* Taking write permission away and giving it back keeps the copy private. */
		CHECK_OK(mprotect(at, PAGE, RW));
		at[0] = 2;
	}
	CHECK_EQ(at[0], 1);
	CHECK_EQ(try_access(at, WRITE), 0);
}

TEST(mprotect, many_splits)
{
	enum { PAGES = 200 };
	char *at = map_anonymous(PAGES * PAGE);

	for (int i = 0; i < PAGES; i++)
		at[i * PAGE] = i;
	for (int i = 0; i < PAGES; i += 2)
		CHECK_OK(mprotect(at + i * PAGE, PAGE, PROT_READ));
	for (int i = 0; i < PAGES; i += 20) {
		CHECK_EQ(try_access(at + i * PAGE, WRITE), SEGV_ACCERR);
		CHECK_EQ(try_access(at + (i + 1) * PAGE, WRITE), 0);
	}
	CHECK_OK(mprotect(at, PAGES * PAGE, RW));
	for (int i = 0; i < PAGES; i++)
		CHECK_EQ(try_access(at + i * PAGE, WRITE), 0);
}
