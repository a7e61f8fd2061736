/* SPDX-License-Identifier: MIT */
/* Tasks: fork, exec, death, and the limits of accounts. */
#include "ktest.h"

struct child {
	int endpoint;		/* with CALL */
	volatile int value;
	volatile long result;
};

/* in memory that is copied; the program's own data are shared mappings */
static struct child *child;

static void child_setup(int e)
{
	static struct k_map map;

	if (!child) {
		map = (struct k_map){
			.size = PAGE, .space = -1, .object = -1, .flags = K_MAP_READ | K_MAP_WRITE
		};
		k_space_map(&map);
		child = (struct child *)map.address;
	}
	*child = (struct child){ .endpoint = (int)k_handle_duplicate(e, K_RIGHT_CALL, 6),
				 .value = 10 };
}

/* Changes its copy, says what it sees, and ends. */
static void child_main(void *arg)
{
	struct k_private_call call = { .endpoint = child->endpoint, .number = 2 };

	(void)arg;
	child->value++;
	call.arg[0] = (uint64_t)child->value;
	call.arg[1] = (uint64_t)&child->value;
	child->result = k_call(&call);
}

static bool wait_gone(int gone)
{
	for (int i = 0; i < 3000 && ktest_home.gone == gone; i++)
		ktest_sleep(MS);
	return ktest_home.gone == gone + 1;
}

TEST(fork_copies_memory_and_table)
{
	int e = (int)k_endpoint_create(), gone, value;
	struct k_message m;
	struct k_fork f;

	child_setup(e);
	for (int i = 0; i < 5; i++) {
		gone = ktest_home.gone;
		CHECK_EQ(ktest_child(child_main, NULL, 0, -1, &f), 0);
		child->value = 20;		/* after the fork: nobody else sees it */
		CHECK_EQ(k_thread_start(f.thread), 0);
		CHECK_EQ(k_thread_start(f.thread), -EINVAL);
		CHECK_EQ(ktest_receive(e, &m), 0);
		CHECK_EQ(m.arg[0], 11);
		CHECK_EQ(m.cookie, 6);
		CHECK_EQ(m.pid, 77);
		value = 99;
		CHECK_EQ(k_caller_write(e, m.call, m.arg[1], &value, sizeof(value)), 0);
		CHECK_EQ(k_caller_read(e, m.call, &value, m.arg[1], sizeof(value)), 0);
		CHECK_EQ(value, 99);
		CHECK_EQ(child->value, 20);
		child->value = 10;
		CHECK_EQ(ktest_answer(e, m.call, 0), 0);
		CHECK(wait_gone(gone));
		CHECK_EQ(ktest_home.gone_cookie, 77);
		CHECK_EQ(k_thread_start(f.thread), -EINVAL);
		CHECK_EQ(k_thread_kill(f.thread), -ESRCH);
		ktest_child_free(&f);
	}
	k_handle_close(child->endpoint);
	ktest_endpoint_free(e);
}

/* A child whose handles are given up before it runs, while it runs, and after. */
TEST(fork_and_kill_at_any_moment)
{
	int e = (int)k_endpoint_create();
	struct k_message m;
	uint64_t seed = 4;
	struct k_fork f;

	child_setup(e);
	for (int i = 0; i < 30; i++) {
		uint64_t r = ktest_random(&seed);

		CHECK_EQ(ktest_child(child_main, NULL,
				     r & K_FORK_SPACE ? K_FORK_SPACE | (r & K_FORK_TABLE) : r & 6,
				     -1, &f),
			 0);
		if (r >> 8 & 3)
			k_thread_start(f.thread);
		if (r >> 10 & 1)
			ktest_sleep((int64_t)(r >> 32) % MS);
		if ((r >> 12 & 3) == 3)
			k_receive(e, NULL, &m, 0);
		ktest_child_free(&f);
	}
	k_handle_close(child->endpoint);
	ktest_endpoint_free(e);
}

/* --- exec --------------------------------------------------------------------------------- */

#define CODE 0x400000ul

/* mov $KTEST_SERVER, %eax; mov %rsp, %rdi; syscall; jmp . - 2 */
static const uint8_t program[] = {
	0xb8, KTEST_SERVER & 0xff, KTEST_SERVER >> 8, 0, 0, 0x48, 0x89, 0xe7, 0x0f, 0x05, 0xeb, 0xf2
};

/* A space with the program in it. */
static int program_space(void)
{
	int space = (int)k_space_create(), object = (int)k_mobject_create(PAGE, 0);
	struct k_map map = { .address = CODE, .size = PAGE, .space = space, .object = object,
			     .flags = K_MAP_READ | K_MAP_EXECUTE | K_MAP_FIXED };

	if (k_mobject_write(object, 0, program, sizeof(program)) != sizeof(program) ||
	    k_space_map(&map))
		return -1;
	k_handle_close(object);
	return space;
}

static void exec_main(void *arg)
{
	(void)arg;
	ktest_call(KTEST_SERVER, 1, 0, 0);
}

TEST(exec_replaces_space_and_closes_handles)
{
	int e = (int)k_endpoint_create(),
	    c = (int)k_handle_duplicate(e, K_RIGHT_CALL | K_RIGHT_DUPLICATE, 0), handles;
	struct k_answer a = { .flags = K_ANSWER_REGS };
	struct k_exec exec = { .regs = { .rip = CODE, .rsp = 0x12345000 }, .name = "program" };
	struct k_task_info info;
	struct k_message m;
	struct k_fork f;

	for (int round = 0; round < 3; round++) {
		CHECK_EQ(ktest_child(exec_main, NULL, round == 1 ? K_FORK_SPACE : 0, -1, &f), 0);
		ktest_routes_home(c);
		CHECK_EQ(k_task_install(f.task, c, 150, K_INSTALL_CLOEXEC), 150);
		CHECK_EQ(k_task_install(f.task, c, 151, 0), 151);
		CHECK_EQ(k_task_info(f.task, &info), 0);
		handles = (int)info.handles;
		CHECK_EQ(k_thread_start(f.thread), 0);
		CHECK_EQ(ktest_receive(e, &m), 0);
		exec.call = m.call;
		exec.space = -1;
		CHECK_EQ(k_task_exec(e, &exec), -EBADF);
		exec.space = program_space();
		exec.regs.fs_base = ~0ull;
		CHECK_EQ(k_task_exec(e, &exec), -EPERM);
		exec.regs.fs_base = 0;
		CHECK_EQ(k_task_exec(e, &exec), 0);
		if (round == 2) {		/* twice before the answer */
			exec.space = program_space();
			CHECK_EQ(k_task_exec(e, &exec), 0);
			CHECK_EQ(k_thread_kill(f.thread), 0);
			ktest_child_free(&f);
			continue;
		}
		CHECK_EQ(k_space_unmap(exec.space, CODE, PAGE), -EBADF);	/* it has moved */
		CHECK_EQ(k_task_info(f.task, &info), 0);
		CHECK_EQ(info.handles, handles - 1);
		a.call = m.call;
		CHECK_EQ(k_answer(e, &a), 0);
		CHECK_EQ(ktest_receive(e, &m), 0);
		CHECK_EQ(m.kind, K_MSG_CALL);
		CHECK_EQ(m.arg[0], 0x12345000);
		ktest_child_free(&f);
		CHECK_EQ(ktest_receive(e, &m), 0);
		CHECK_EQ(m.kind, K_MSG_CANCEL);
	}
	ktest_routes_home(-1);
	k_handle_close(c);
	ktest_endpoint_free(e);
}

/* --- limits ------------------------------------------------------------------------------- */

TEST(account_limits_threads_and_handles)
{
	struct k_account_limits limits = { .threads = 2, .handles = 128 };
	int account = (int)k_account_create(&limits), threads[3], i;
	struct k_task_create t = { .account = account, .notify = -1, .space = -1, .table = -1 };
	struct k_thread_create k = { .routes = ktest_home.routes };
	struct k_account_info info;

	k.task = (int)k_task_create(&t);
	CHECK(k.task >= 0);
	threads[0] = (int)k_thread_create(&k);
	threads[1] = (int)k_thread_create(&k);
	CHECK(threads[0] >= 0 && threads[1] >= 0);
	CHECK_EQ(k_thread_create(&k), -EAGAIN);
	k.regs.fs_base = ~0ull;
	CHECK_EQ(k_thread_create(&k), -EAGAIN);
	for (i = 0; i < 300; i++)
		if (k_task_install(k.task, account, -1, 0) < 0)
			break;
	CHECK_EQ(i, 128);
	CHECK_EQ(k_task_install(k.task, account, -1, 0), -ENOMEM);
	CHECK_EQ(k_task_install(k.task, account, 5, 0), 5);
	CHECK_EQ(k_account_info(account, &info), 0);
	CHECK_EQ(info.threads, 2);
	CHECK_EQ(info.handles, 128);
	ktest_thread_free(threads[0]);
	k.regs.fs_base = 0;
	threads[2] = (int)k_thread_create(&k);
	CHECK(threads[2] >= 0);
	CHECK_EQ(k_task_kill(k.task), 0);
	ktest_thread_free(threads[1]);
	ktest_thread_free(threads[2]);
	CHECK_EQ(k_thread_create(&k), -ESRCH);
	CHECK_EQ(k_account_info(account, &info), 0);
	CHECK_EQ(info.threads, 0);
	CHECK_EQ(info.handles, 0);
	k_handle_close(k.task);
	k_handle_close(account);
}

/* A creation that fails half-way leaves the task as it was, and tells nobody of a death. */
TEST(thread_creation_fails_cleanly)
{
	struct k_task_create t = {
		.account = -1, .notify = ktest_home.endpoint, .cookie = 5, .space = -1, .table = -1
	};
	struct k_thread_create k = { .routes = ktest_home.routes, .regs = { .fs_base = ~0ull } };
	int gone = ktest_home.gone, thread;

	k.task = (int)k_task_create(&t);
	CHECK_EQ(k_thread_create(&k), -EPERM);
	k.priority = K_PRIORITY_SERVER;
	CHECK_EQ(k_thread_create(&k), -EPERM);
	k.priority = K_PRIORITY_USER;
	ktest_sleep(MS);
	CHECK_EQ(ktest_home.gone, gone);
	k.regs.fs_base = 0;
	thread = (int)k_thread_create(&k);
	CHECK(thread >= 0);
	/* and dies at once, for there is nothing at address 0 */
	CHECK_EQ(k_thread_start(thread), 0);
	CHECK(wait_gone(gone));
	CHECK_EQ(ktest_home.gone_cookie, 5);
	ktest_thread_free(thread);
	k_handle_close(k.task);
}

/*
 * Tasks that hold each other's handles, a long chain: closing the first must not take the kernel's
 * stack.
 */
TEST(chain_of_tasks_falls)
{
	struct k_task_create t = { .account = -1, .notify = -1, .space = -1, .table = -1 };
	int head = (int)k_task_create(&t), next;

	for (int i = 0; i < 300; i++) {
		next = (int)k_task_create(&t);
		CHECK(next >= 0);
		CHECK_EQ(k_task_install(next, head, 0, 0), 0);
		k_handle_close(head);
		head = next;
	}
	k_handle_close(head);
}

TEST(chain_of_clones_falls)
{
	int head = (int)k_mobject_create(PAGE, 0), next;

	for (int i = 0; i < 300; i++) {
		next = (int)k_mobject_clone(head, 0, PAGE);
		if (next < 0)
			break;		/* deep enough */
		k_handle_close(head);
		head = next;
	}
	k_handle_close(head);
}

/* A thread that nobody can start any more is none, and its task can go. */
TEST(thread_that_never_started_goes_with_its_handle)
{
	struct k_task_create t = { .account = -1, .notify = -1, .space = -1, .table = -1 };
	struct k_thread_create k = { .routes = ktest_home.routes };
	struct k_task_info info;
	int thread;

	k.task = (int)k_task_create(&t);
	thread = (int)k_thread_create(&k);
	CHECK(thread >= 0);
	CHECK_EQ(k_handle_close(thread), 0);
	CHECK_EQ(k_task_info(k.task, &info), 0);
	CHECK_EQ(info.threads, 0);
	thread = (int)k_thread_create(&k);		/* the task is as good as before */
	CHECK(thread >= 0);
	k_handle_close(k.task);
	k_handle_close(thread);
}
