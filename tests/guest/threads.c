/*
 * POSIX threads as musl builds them on clone and futex: life, storage, locks, cancellation.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int value;

static pthread_t start(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, run, arg), 0);
	return thread;
}

static void *join(pthread_t thread)
{
	void *result;

	CHECK_EQ(pthread_join(thread, &result), 0);
	return result;
}

static void *give_back(void *arg)
{
	return (char *)arg + 1;
}

TEST(threads, create_and_join)
{
	for (intptr_t i = 0; i < 300; i++)
		CHECK_EQ(join(start(give_back, (void *)i)), i + 1);
}

static void *hold_gate(void *arg)
{
	gate_pass(arg);
	return (void *)(intptr_t)syscall(SYS_gettid);
}

TEST(threads, many_at_once)
{
	enum { COUNT = 60 };
	pthread_t threads[COUNT];
	intptr_t tids[COUNT];
	struct gate gate;
	pthread_attr_t attr;

	gate_init(&gate);
	CHECK_EQ(pthread_attr_init(&attr), 0);
	CHECK_EQ(pthread_attr_setstacksize(&attr, 16384), 0);
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(pthread_create(&threads[i], &attr, hold_gate, &gate), 0);
	for (int i = 0; i < COUNT; i++)
		gate_open(&gate);
	for (int i = 0; i < COUNT; i++) {
		tids[i] = (intptr_t)join(threads[i]);
		CHECK_NE(tids[i], getpid());
		for (int j = 0; j < i; j++)
			CHECK_NE(tids[i], tids[j]);
	}
}

static __thread int local = 5;
static __thread char local_zero[3000];

static void *use_storage(void *arg)
{
	int id = (intptr_t)arg;

	CHECK_EQ(local, 5);
	CHECK_EQ(local_zero[2999], 0);
	for (int i = 0; i < 200; i++) {
		local = id;
		local_zero[i] = id;
		errno = id;
		sched_yield();
		CHECK_EQ(local, id);
		CHECK_EQ(errno, id);
	}
	return NULL;
}

TEST(threads, storage_of_their_own)
{
	pthread_t threads[4];

	for (intptr_t i = 0; i < 4; i++)
		threads[i] = start(use_storage, (void *)(i + 50));
	for (int i = 0; i < 4; i++)
		join(threads[i]);
	CHECK_EQ(local, 5);
}

static void *add_locked(void *arg)
{
	for (int i = 0; i < 3000; i++) {
		CHECK_EQ(pthread_mutex_lock(arg), 0);
		int seen = value;

		if (i % 256 == 0)
			sched_yield();
		value = seen + 1;
		CHECK_EQ(pthread_mutex_unlock(arg), 0);
	}
	return NULL;
}

TEST(threads, mutex_excludes)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		threads[i] = start(add_locked, &lock);
	for (int i = 0; i < 4; i++)
		join(threads[i]);
	CHECK_EQ(value, 12000);
}

static void *try_lock(void *arg)
{
	return (void *)(intptr_t)pthread_mutex_trylock(arg);
}

TEST(threads, mutex_kinds)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t mutex;

	CHECK_EQ(pthread_mutexattr_init(&attr), 0);
	CHECK_EQ(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK), 0);
	CHECK_EQ(pthread_mutex_init(&mutex, &attr), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex), EDEADLK);
	CHECK_EQ((intptr_t)join(start(try_lock, &mutex)), EBUSY);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	CHECK_EQ(pthread_mutex_unlock(&mutex), EPERM);
	CHECK_EQ(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE), 0);
	CHECK_EQ(pthread_mutex_init(&mutex, &attr), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	CHECK_EQ((intptr_t)join(start(try_lock, &mutex)), EBUSY);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	CHECK_EQ((intptr_t)join(start(try_lock, &mutex)), 0);
}

static struct timespec soon(void)
{
	struct timespec at;

	CHECK_OK(clock_gettime(CLOCK_REALTIME, &at));
	at.tv_nsec += 20000000;
	at.tv_sec += at.tv_nsec / 1000000000;
	at.tv_nsec %= 1000000000;
	return at;
}

static void *timed_lock(void *arg)
{
	struct timespec at = soon();

	return (void *)(intptr_t)pthread_mutex_timedlock(arg, &at);
}

TEST(threads, waits_time_out)
{
	struct timespec at = soon();
	pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
	sem_t sem;

	CHECK_EQ(pthread_mutex_lock(&lock), 0);
	CHECK_EQ((intptr_t)join(start(timed_lock, &lock)), ETIMEDOUT);
	CHECK_EQ(pthread_cond_timedwait(&changed, &lock, &at), ETIMEDOUT);
	CHECK_EQ(pthread_mutex_unlock(&lock), 0);
	CHECK_OK(sem_init(&sem, 0, 0));
	at = soon();
	CHECK_ERRNO(sem_timedwait(&sem, &at), ETIMEDOUT);
	CHECK_EQ(pthread_rwlock_rdlock(&rwlock), 0);
	at = soon();
	CHECK_EQ(pthread_rwlock_timedwrlock(&rwlock, &at), ETIMEDOUT);
}

static void *answer_turns(void *arg)
{
	for (int i = 1; i < 400; i += 2) {
		CHECK_EQ(pthread_mutex_lock(&lock), 0);
		while (value != i)
			CHECK_EQ(pthread_cond_wait(&changed, &lock), 0);
		value++;
		CHECK_EQ(pthread_cond_broadcast(&changed), 0);
		CHECK_EQ(pthread_mutex_unlock(&lock), 0);
	}
	return arg;
}

TEST(threads, condition_in_turns)
{
	pthread_t thread = start(answer_turns, NULL);

	for (int i = 0; i < 400; i += 2) {
		CHECK_EQ(pthread_mutex_lock(&lock), 0);
		while (value != i)
			CHECK_EQ(pthread_cond_wait(&changed, &lock), 0);
		value++;
		CHECK_EQ(pthread_cond_broadcast(&changed), 0);
		CHECK_EQ(pthread_mutex_unlock(&lock), 0);
	}
	join(thread);
	CHECK_EQ(value, 400);
}

static int waiting;

static void *wait_for_value(void *arg)
{
	CHECK_EQ(pthread_mutex_lock(&lock), 0);
	waiting++;
	while (value == 0)
		CHECK_EQ(pthread_cond_wait(&changed, &lock), 0);
	value++;
	CHECK_EQ(pthread_mutex_unlock(&lock), 0);
	return arg;
}

TEST(threads, broadcast_wakes_all)
{
	pthread_t threads[10];

	for (int i = 0; i < 10; i++)
		threads[i] = start(wait_for_value, NULL);
	CHECK_EQ(pthread_mutex_lock(&lock), 0);
	while (waiting < 10) {
		CHECK_EQ(pthread_mutex_unlock(&lock), 0);
		usleep(1000);
		CHECK_EQ(pthread_mutex_lock(&lock), 0);
	}
	value = 1;
	CHECK_EQ(pthread_cond_broadcast(&changed), 0);
	CHECK_EQ(pthread_mutex_unlock(&lock), 0);
	for (int i = 0; i < 10; i++)
		join(threads[i]);
	CHECK_EQ(value, 11);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static int pair[2];

static void *write_pair(void *arg)
{
	for (int i = 0; i < 500; i++) {
		CHECK_EQ(pthread_rwlock_wrlock(&rwlock), 0);
		pair[0]++;
		if (i % 32 == 0)
			sched_yield();
		pair[1]++;
		CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
	}
	return arg;
}

static void *read_pair(void *arg)
{
	for (int i = 0; i < 500; i++) {
		CHECK_EQ(pthread_rwlock_rdlock(&rwlock), 0);
		CHECK_EQ(pair[0], pair[1]);
		CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
	}
	return arg;
}

TEST(threads, read_write_lock)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		threads[i] = start(i % 2 ? write_pair : read_pair, NULL);
	for (int i = 0; i < 4; i++)
		join(threads[i]);
	CHECK_EQ(pair[0], 1000);
}

static pthread_barrier_t barrier;
static int phase_count[20];

static void *pass_barriers(void *arg)
{
	intptr_t serial = 0;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		__atomic_add_fetch(&phase_count[i], 1, __ATOMIC_SEQ_CST);
		serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
		CHECK_EQ(__atomic_load_n(&phase_count[i], __ATOMIC_SEQ_CST), 5);
	}
	return (void *)serial;
}

TEST(threads, barrier)
{
	pthread_t threads[5];
	intptr_t serial = 0;

	CHECK_EQ(pthread_barrier_init(&barrier, NULL, 5), 0);
	for (int i = 0; i < 5; i++)
		threads[i] = start(pass_barriers, NULL);
	for (int i = 0; i < 5; i++)
		serial += (intptr_t)join(threads[i]);
	CHECK_EQ(serial, 20);
}

static sem_t items, spaces;
static int ring[4], consumed;

static void *consume(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		CHECK_OK(sem_wait(&items));
		consumed += ring[i % 4];
		CHECK_OK(sem_post(&spaces));
	}
	return arg;
}

TEST(threads, semaphores)
{
	CHECK_OK(sem_init(&items, 0, 0));
	CHECK_OK(sem_init(&spaces, 0, 4));
	pthread_t thread = start(consume, NULL);
	for (int i = 0; i < 1000; i++) {
		CHECK_OK(sem_wait(&spaces));
		ring[i % 4] = i;
		CHECK_OK(sem_post(&items));
	}
	join(thread);
	CHECK_EQ(consumed, 499500);
	CHECK_ERRNO(sem_trywait(&items), EAGAIN);
}

/* A semaphore and a mutex in shared memory work between processes. */
TEST(threads, shared_between_processes)
{
	struct {
		pthread_mutex_t mutex;
		pthread_cond_t cond;
		int turn;
	} *shared = map_shared(PAGE);
	pthread_mutexattr_t mutex_attr;
	pthread_condattr_t cond_attr;

	CHECK_EQ(pthread_mutexattr_init(&mutex_attr), 0);
	CHECK_EQ(pthread_mutexattr_setpshared(&mutex_attr, PTHREAD_PROCESS_SHARED), 0);
	CHECK_EQ(pthread_mutex_init(&shared->mutex, &mutex_attr), 0);
	CHECK_EQ(pthread_condattr_init(&cond_attr), 0);
	CHECK_EQ(pthread_condattr_setpshared(&cond_attr, PTHREAD_PROCESS_SHARED), 0);
	CHECK_EQ(pthread_cond_init(&shared->cond, &cond_attr), 0);
	pid_t pid = FORK();
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
		while (shared->turn % 2 != (pid == 0))
			CHECK_EQ(pthread_cond_wait(&shared->cond, &shared->mutex), 0);
		shared->turn++;
		CHECK_EQ(pthread_cond_signal(&shared->cond), 0);
		CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
	}
	if (pid == 0)
		_exit(0);
	CHECK_EXITED(pid, 0);
	CHECK_EQ(shared->turn, 200);
}

static int cleaned;

static void clean(void *arg)
{
	cleaned += (intptr_t)arg;
}

static void *read_for_ever(void *arg)
{
	char byte;

	pthread_cleanup_push(clean, (void *)1);
	pthread_cleanup_push(clean, (void *)10);
	gate_open((struct gate *)arg + 1);
	while (read(((struct gate *)arg)->fd[0], &byte, 1) < 0)
		;
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return NULL;
}

TEST(threads, cancelled_while_blocked)
{
	struct gate gates[2];

	gate_init(&gates[0]);
	gate_init(&gates[1]);
	for (int i = 1; i <= 10; i++) {
		pthread_t thread = start(read_for_ever, gates);

		gate_pass(&gates[1]);
		CHECK_EQ(pthread_cancel(thread), 0);
		CHECK(join(thread) == PTHREAD_CANCELED);
		CHECK_EQ(cleaned, 11 * i);
	}
}

static void *spin_for_ever(void *arg)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	gate_open(arg);
	for (;;)
		value++;
	return NULL;
}

TEST(threads, cancelled_while_running)
{
	struct gate ready;

	gate_init(&ready);
	pthread_t thread = start(spin_for_ever, &ready);
	gate_pass(&ready);
	CHECK_EQ(pthread_cancel(thread), 0);
	CHECK(join(thread) == PTHREAD_CANCELED);
}

static void *cancel_later(void *arg)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	gate_open((struct gate *)arg);
	gate_pass((struct gate *)arg + 1);
	value = 1;
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	pthread_testcancel();
	value = 2;
	return NULL;
}

TEST(threads, cancellation_can_be_put_off)
{
	struct gate gates[2];

	gate_init(&gates[0]);
	gate_init(&gates[1]);
	pthread_t thread = start(cancel_later, gates);
	gate_pass(&gates[0]);
	CHECK_EQ(pthread_cancel(thread), 0);
	gate_open(&gates[1]);
	CHECK(join(thread) == PTHREAD_CANCELED);
	CHECK_EQ(value, 1);
}

static pthread_key_t key;

static void destroy(void *arg)
{
	__atomic_add_fetch(&cleaned, (intptr_t)arg, __ATOMIC_SEQ_CST);
}

static void *set_key(void *arg)
{
	CHECK(pthread_getspecific(key) == NULL);
	CHECK_EQ(pthread_setspecific(key, arg), 0);
	pthread_exit(pthread_getspecific(key));
}

TEST(threads, keys_and_destructors)
{
	pthread_t threads[5];

	CHECK_EQ(pthread_key_create(&key, destroy), 0);
	for (intptr_t i = 0; i < 5; i++)
		threads[i] = start(set_key, (void *)(i + 1));
	for (int i = 0; i < 5; i++)
		CHECK_EQ(join(threads[i]), i + 1);
	CHECK_EQ(cleaned, 15);
}

static void once_only(void)
{
	value++;
	usleep(1000);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void *call_once(void *arg)
{
	CHECK_EQ(pthread_once(&once, once_only), 0);
	CHECK_EQ(value, 1);
	return arg;
}

TEST(threads, once)
{
	pthread_t threads[6];

	for (int i = 0; i < 6; i++)
		threads[i] = start(call_once, NULL);
	for (int i = 0; i < 6; i++)
		join(threads[i]);
}

static void *exit_after_main(void *arg)
{
	gate_pass(arg);
	_exit(21);
}

TEST(threads, main_thread_may_leave_first)
{
	struct gate gate;
	pid_t pid;

	gate_init(&gate);
	pid = FORK();
	if (pid == 0) {
		start(exit_after_main, &gate);
		pthread_exit(NULL);
	}
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	gate_open(&gate);
	CHECK_EXITED(pid, 21);
}

static void *leave_last(void *arg)
{
	usleep(5000);
	return arg;
}

TEST(threads, last_thread_ends_the_process)
{
	pid_t pid = FORK();

	if (pid == 0) {
		start(leave_last, NULL);
		pthread_exit(NULL);
	}
	CHECK_EXITED(pid, 0);
}

static void *sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void *exit_all(void *arg)
{
	_exit(*(int *)arg);
}

TEST(threads, exit_ends_all_threads)
{
	for (int i = 0; i < 5; i++) {
		int code = i + 30;
		pid_t pid = FORK();

		if (pid == 0) {
			for (int j = 0; j < 5; j++)
				start(sleep_for_ever, NULL);
			start(exit_all, &code);
			sleep_for_ever(NULL);
		}
		CHECK_EXITED(pid, code);
	}
}

static void *crash(void *arg)
{
	*(volatile char *)arg = 1;
	return NULL;
}

TEST(threads, fault_in_one_ends_all)
{
	pid_t pid = FORK();

	if (pid == 0) {
		start(sleep_for_ever, NULL);
		start(crash, BAD_UNMAPPED);
		sleep_for_ever(NULL);
	}
	CHECK_SIGNALED(pid, SIGSEGV);
}

static void *use_descriptors(void *arg)
{
	int fd = CHECK_OK(open("/dev/null", O_RDONLY));

	CHECK_OK(chdir("sub"));
	*(int *)arg = fd;
	return NULL;
}

TEST(threads, share_descriptors_and_directory)
{
	char cwd[1000];
	int fd = -1;

	CHECK_EQ(mkdir("sub", 0755), 0);
	join(start(use_descriptors, &fd));
	CHECK_OK(fcntl(fd, F_GETFD));
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK_STR(strrchr(cwd, '/'), "/sub");
}

static void *detached(void *arg)
{
	CHECK_EQ(pthread_detach(pthread_self()), 0);
	gate_open(arg);
	return NULL;
}

/* Their stacks are returned: far more of them than fit at once. */
TEST(threads, detached_threads_leave_nothing)
{
	struct gate gate;

	gate_init(&gate);
	for (int i = 0; i < 500; i++) {
		start(detached, &gate);
		gate_pass(&gate);
	}
}

static void *churn(void *arg)
{
	for (intptr_t i = 0; i < 50; i++)
		CHECK_EQ(join(start(give_back, (void *)i)), i + 1);
	return arg;
}

TEST(threads, created_by_several_threads_at_once)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		threads[i] = start(churn, NULL);
	for (int i = 0; i < 4; i++)
		join(threads[i]);
}

static void *check_ids(void *arg)
{
	gate_pass(arg);
	CHECK_EQ(getuid(), 4242);
	CHECK_EQ(geteuid(), 4242);
	CHECK_EQ(getgid(), 4243);
	CHECK_ERRNO(setuid(0), EPERM);
	return NULL;
}

/* In the kernel each thread has its own credentials; musl changes all of them together. */
TEST(threads, change_of_user_reaches_every_thread)
{
	ROOT_NEEDED();
	SUBPROCESS {
		pthread_t threads[4];
		struct gate gate;

		gate_init(&gate);
		for (int i = 0; i < 4; i++)
			threads[i] = start(check_ids, &gate);
		CHECK_OK(setgid(4243));
		CHECK_OK(setuid(4242));
		for (int i = 0; i < 4; i++)
			gate_open(&gate);
		for (int i = 0; i < 4; i++)
			join(threads[i]);
	}
}

static void *use_fpu(void *arg)
{
	double x = (intptr_t)arg, sum = 0;

	for (int i = 0; i < 20000; i++) {
		sum += x * i;
		if (i % 1000 == 0)
			sched_yield();
	}
	CHECK(sum == x * 199990000.0);
	return NULL;
}

TEST(threads, floating_point_is_kept_apart)
{
	pthread_t threads[4];

	for (intptr_t i = 0; i < 4; i++)
		threads[i] = start(use_fpu, (void *)(i + 1));
	for (int i = 0; i < 4; i++)
		join(threads[i]);
}

TEST(threads, clone_flags_are_checked)
{
	/* CLONE_SIGHAND needs CLONE_VM, CLONE_THREAD needs CLONE_SIGHAND. */
	CHECK_ERRNO(syscall(SYS_clone, 0x00000800 | SIGCHLD, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, 0x00010000 | 0x00000100, 0, 0, 0, 0), EINVAL);
}
