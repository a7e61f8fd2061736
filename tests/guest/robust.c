/*
 * What the system does for a thread that dies: robust lists and clear_child_tid.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void mutex_init(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attr;

	CHECK_EQ(pthread_mutexattr_init(&attr), 0);
	CHECK_EQ(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
	CHECK_EQ(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
	CHECK_EQ(pthread_mutex_init(mutex, &attr), 0);
}

static void *lock_and_leave(void *arg)
{
	CHECK_EQ(pthread_mutex_lock(arg), 0);
	return NULL;
}

TEST(robust, owner_thread_ended)
{
	pthread_mutex_t mutex;
	pthread_t thread;

	mutex_init(&mutex);
	CHECK_EQ(pthread_create(&thread, NULL, lock_and_leave, &mutex), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(&mutex), 0);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
}

TEST(robust, not_made_consistent)
{
	pthread_mutex_t mutex;
	pthread_t thread;

	mutex_init(&mutex);
	CHECK_EQ(pthread_create(&thread, NULL, lock_and_leave, &mutex), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex), ENOTRECOVERABLE);
}

TEST(robust, owner_process_killed)
{
	pthread_mutex_t *mutexes = map_shared(PAGE);
	struct gate locked;

	gate_init(&locked);
	for (int i = 0; i < 8; i++)
		mutex_init(&mutexes[i]);
	pid_t pid = FORK();
	if (pid == 0) {
		for (int i = 0; i < 8; i++)
			CHECK_EQ(pthread_mutex_lock(&mutexes[i]), 0);
		CHECK_EQ(pthread_mutex_unlock(&mutexes[3]), 0);
		gate_open(&locked);
		for (;;)
			pause();
	}
	gate_pass(&locked);
	CHECK_EQ(pthread_mutex_trylock(&mutexes[0]), EBUSY);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(pthread_mutex_lock(&mutexes[i]), i == 3 ? 0 : EOWNERDEAD);
}

/* The one who waits is woken by the death, whether by exit, signal or exec. */
TEST(robust, waiter_is_woken)
{
	for (int way = 0; way < 3; way++) {
		pthread_mutex_t *mutex = map_shared(PAGE);
		volatile pid_t *waiter = (void *)(mutex + 1);
		pid_t parent = getpid();

		mutex_init(mutex);
		*waiter = 0;
		CHECK_EQ(pthread_mutex_lock(mutex), 0);
		pid_t pid = FORK();
		if (pid == 0) {
			CHECK_EQ(pthread_mutex_lock(mutex), 0);
			*waiter = parent;
			wait_until_blocked(parent);
			char *argv[] = { "x", "--helper=nothing", NULL };
			if (way == 0)
				_exit(0);
			if (way == 1)
				raise(SIGKILL);
			execv(test_self, argv);
			FAIL("execv: errno %d", errno);
		}
		CHECK_EQ(pthread_mutex_unlock(mutex), 0);
		while (*waiter == 0)
			sched_yield();
		CHECK_EQ(pthread_mutex_lock(mutex), EOWNERDEAD);
		if (way == 1)
			CHECK_SIGNALED(pid, SIGKILL);
		else
			CHECK_EXITED(pid, 0);
	}
}

HELPER(nothing)
{
	return 0;
}

TEST(robust, list_head)
{
	struct robust_list_head head = { .list = { &head.list } }, *got;
	size_t size;

	SUBPROCESS {
		CHECK_ERRNO(syscall(SYS_set_robust_list, &head, sizeof(head) - 1), EINVAL);
		CHECK_OK(syscall(SYS_set_robust_list, &head, sizeof(head)));
		CHECK_OK(syscall(SYS_get_robust_list, 0, &got, &size));
		CHECK(got == &head);
		CHECK_EQ(size, sizeof(head));
		CHECK_ERRNO(syscall(SYS_get_robust_list, 999999999, &got, &size), ESRCH);
		CHECK_ERRNO(syscall(SYS_get_robust_list, 0, BAD_UNMAPPED, &size), EFAULT);
	}
}

/* A list that points to nowhere, or to itself for ever, does not keep the process from dying. */
TEST(robust, hostile_lists)
{
	struct robust_list_head *head = map_anonymous(PAGE);
	struct robust_list *loop = (void *)((char *)head + 256);
	void *const targets[] = { BAD_UNMAPPED, BAD_KERNEL, BAD_CANONICAL, NULL, loop };

	loop->next = loop;
	for (unsigned i = 0; i < LENGTH(targets); i++)
		SUBPROCESS {
			head->list.next = targets[i];
			head->futex_offset = i % 2 ? 0x7fffffffffff0000 : 16;
			head->list_op_pending = targets[i];
			CHECK_OK(syscall(SYS_set_robust_list, head, sizeof(*head)));
		}
	SUBPROCESS {
		CHECK_OK(syscall(SYS_set_robust_list, BAD_KERNEL, sizeof(*head)));
	}
	SUBPROCESS {
		/* The wrong owner in the word: it is left alone. */
		volatile uint32_t *word = (void *)((char *)loop + 16);

		*word = 1;
		head->list.next = loop;
		loop->next = &head->list;
		head->futex_offset = 16;
		CHECK_OK(syscall(SYS_set_robust_list, head, sizeof(*head)));
	}
}

static uint32_t *shared_word;

TEST(robust, clear_child_tid_wakes)
{
	shared_word = map_shared(PAGE);
	*shared_word = 7;
	pid_t pid = FORK();
	if (pid == 0) {
		/* Two tasks in one space, or there would be nobody to wake. */
		pid_t parent = getpid();
		pid_t child = vfork();

		if (child == 0) {
			CHECK_EQ(syscall(SYS_set_tid_address, shared_word), getpid());
			CHECK_NE(getpid(), parent);
			_exit(0);
		}
		CHECK_EQ(__atomic_load_n(shared_word, __ATOMIC_SEQ_CST), 0);
		CHECK_EXITED(child, 0);
		_exit(0);
	}
	while (__atomic_load_n(shared_word, __ATOMIC_SEQ_CST) == 7)
		syscall(SYS_futex, shared_word, FUTEX_WAIT, 7, NULL, NULL, 0);
	CHECK_EQ(*shared_word, 0);
	CHECK_EXITED(pid, 0);
}

/* Where the word cannot be written, the thread ends all the same. */
TEST(robust, clear_child_tid_at_a_bad_address)
{
	void *const bad[] = { BAD_UNMAPPED, BAD_KERNEL, BAD_CANONICAL, (void *)3 };

	for (unsigned i = 0; i < LENGTH(bad); i++)
		SUBPROCESS {
			CHECK_EQ(syscall(SYS_set_tid_address, bad[i]), getpid());
		}
}
