/*
 * Running out of memory: the one who asks for too much is told so, or killed, and nobody else.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

static void limit_space(size_t size)
{
	struct rlimit limit = { size, size };

	CHECK_OK(setrlimit(RLIMIT_AS, &limit));
}

TEST(oom, malloc_fails_and_recovers)
{
	SUBPROCESS {
		void *blocks[400];
		int count = 0;

		limit_space(24 << 20);
		while (count < 400 && (blocks[count] = malloc(200000)))
			memset(blocks[count++], 1, 1000);
		CHECK_EQ(errno, ENOMEM);
		CHECK_GE(count, 50);
		for (int i = 0; i < count; i++)
			free(blocks[i]);
		CHECK(malloc(1000000));
	}
}

static void *nothing(void *arg)
{
	return arg;
}

TEST(oom, thread_creation_fails)
{
	SUBPROCESS {
		pthread_t thread;
		int error = 0, made = 0;

		limit_space(16 << 20);
		while (made < 2000 && (error = pthread_create(&thread, NULL, nothing, NULL)) == 0)
			made++;
		CHECK_EQ(error, EAGAIN);
	}
}

TEST(oom, stack_cannot_grow)
{
	pid_t pid = FORK();

	if (pid == 0) {
		limit_space(6 << 20);
		volatile char *at = __builtin_alloca(7 << 20);
		at[0] = 1;
		_exit(0);
	}
	CHECK_SIGNALED(pid, SIGSEGV);
}

TEST(oom, mapping_more_than_there_can_be)
{
	struct sysinfo info;

	CHECK_OK(sysinfo(&info));
	/* Overcommitment has its bounds: many times the memory at once is refused. */
	size_t size = (size_t)info.totalram * info.mem_unit * 64;
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(at == MAP_FAILED || munmap(at, size) == 0);
	CHECK_ERRNO(mmap(NULL, 1UL << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
}

/*
 * Eats all memory there is, which is only reasonable on a small machine. The eater ends, this
 * process and what it holds do not.
 */
TEST(oom, eater_ends_and_others_live)
{
	struct sysinfo info;
	struct gate bystander;

	CHECK_OK(sysinfo(&info));
	if ((uint64_t)info.totalram * info.mem_unit > 600UL << 20)
		SKIP("this machine has too much memory to eat it");
	gate_init(&bystander);
	pid_t other = FORK();
	if (other == 0) {
		gate_pass(&bystander);
		_exit(0);
	}
	char *own = map_anonymous(20 * PAGE);
	memset(own, 7, 20 * PAGE);
	pid_t eater = FORK();
	if (eater == 0) {
		/* Where there is a choice of victim to be influenced, it is this one. */
		int fd = open("/proc/self/oom_score_adj", O_WRONLY);
		if (fd >= 0 && write(fd, "1000", 4) != 4)
			_exit(9);
		for (;;) {
			char *at = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (at == MAP_FAILED)
				_exit(errno == ENOMEM ? 0 : 8);
			memset(at, 1, 1 << 20);
		}
	}
	int status;
	CHECK_EQ(waitpid(eater, &status, 0), eater);
	CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
	      (WIFEXITED(status) && WEXITSTATUS(status) == 0));
	for (size_t i = 0; i < 20 * PAGE; i++)
		CHECK_EQ(own[i], 7);
	gate_open(&bystander);
	CHECK_EXITED(other, 0);
	SUBPROCESS {
		file_write("f", own, 20 * PAGE);
	}
}
