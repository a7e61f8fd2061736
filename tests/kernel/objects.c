/* SPDX-License-Identifier: MIT */
/* Handles, rights, memory objects, address spaces. */
#include "ktest.h"

TEST(handle_rights_only_shrink)
{
	int e = (int)k_endpoint_create();
	int weak = (int)k_handle_duplicate(e, K_RIGHT_CALL, 0);
	struct k_handle_info info;
	struct k_message m;

	CHECK(e >= 0 && weak >= 0);
	CHECK_EQ(k_handle_info(weak, &info), 0);
	CHECK_EQ(info.type, K_OBJECT_ENDPOINT);
	CHECK_EQ(info.rights, K_RIGHT_CALL);
	CHECK_EQ(k_receive(weak, NULL, &m, 0), -EPERM);
	CHECK_EQ(k_handle_duplicate(weak, K_RIGHTS_ALL, 0), -EPERM);
	CHECK_EQ(k_handle_close(weak), 0);
	CHECK_EQ(k_handle_close(weak), -EBADF);
	CHECK_EQ(k_handle_info(weak, &info), -EBADF);
	CHECK_EQ(k_handle_close(e), 0);
}

TEST(handle_of_another_type_is_einval)
{
	int m = (int)k_mobject_create(PAGE, 0);
	struct k_message msg;

	CHECK_EQ(k_receive(m, NULL, &msg, 0), -EINVAL);
	CHECK_EQ(k_thread_kill(m), -EINVAL);
	CHECK_EQ(k_handle_close(m), 0);
}

/*
 * A task that never ran and has nothing left but handles to itself is gone (and counted as a leak
 * if not).
 */
TEST(a_task_that_holds_itself_goes)
{
	struct k_task_create t = {
		.account = -1, .notify = ktest_home.endpoint, .space = -1, .table = -1
	};
	struct k_handle_info info;
	int task = (int)k_task_create(&t), other = (int)k_task_create(&t);

	CHECK(task >= 0 && other >= 0);
	CHECK(k_task_install(task, task, -1, 0) >= 0);
	CHECK(k_task_install(task, task, -1, 0) >= 0);
	CHECK(k_task_install(other, task, -1, 0) >= 0);
	CHECK_EQ(k_handle_close(task), 0);		/* the other one has it */
	CHECK_EQ(k_handle_info(other, &info), 0);
	CHECK_EQ(k_handle_close(other), 0);
}

TEST(bad_pointers_are_efault)
{
	struct k_message *wild = (struct k_message *)0xdeadbeef000;
	int e = (int)k_endpoint_create();

	CHECK_EQ(k_handle_info(e, (void *)8), -EFAULT);
	CHECK_EQ(k_handle_info(e, (void *)0xffff800000000000), -EFAULT);
	CHECK_EQ(k_system_info((void *)0x8000000000000000), -EFAULT);
	CHECK_EQ(K4(receive, e, wild, wild, 0), -EFAULT);	/* the stub would look at it */
	CHECK_EQ(K6(receive, e, 0, wild, 0, 1, 0), -ESRCH);
	CHECK_EQ(k_handle_close(e), 0);
}

TEST(mobject_reads_and_writes)
{
	char out[16] = "", in[16] = "fifteen letters";
	int m = (int)k_mobject_create(PAGE, 0);
	struct k_mobject_info info;

	CHECK(m >= 0);
	CHECK_EQ(k_mobject_read(m, 100, out, 16), 16);
	CHECK_EQ(out[0], 0);
	CHECK_EQ(k_mobject_write(m, PAGE - 8, in, 16), 16);	/* grows */
	CHECK_EQ(k_mobject_info(m, &info), 0);
	CHECK_EQ(info.size, PAGE + 8);
	CHECK_EQ(info.resident, 2);
	CHECK_EQ(k_mobject_read(m, PAGE - 8, out, 16), 16);
	CHECK_EQ(memcmp(in, out, 16), 0);
	CHECK_EQ(k_mobject_read(m, PAGE + 4, out, 16), 4);	/* short at the end */
	CHECK_EQ(k_mobject_resize(m, PAGE - 4), 0);
	CHECK_EQ(k_mobject_resize(m, PAGE + 8), 0);
	CHECK_EQ(k_mobject_read(m, PAGE - 8, out, 16), 16);
	CHECK_EQ(memcmp(out, "fift\0\0\0\0\0\0\0", 12), 0);	/* what was cut off is zero */
	CHECK_EQ(k_handle_close(m), 0);
}

TEST(mobject_clone_is_copy_on_write)
{
	char c;
	int parent = (int)k_mobject_create(4 * PAGE, 0);
	int child;

	CHECK_EQ(k_mobject_write(parent, PAGE, "a", 1), 1);
	child = (int)k_mobject_clone(parent, PAGE, PAGE + 100);
	CHECK(child >= 0);
	CHECK_EQ(k_mobject_read(child, 0, &c, 1), 1);
	CHECK_EQ(c, 'a');
	CHECK_EQ(k_mobject_write(child, 0, "b", 1), 1);
	CHECK_EQ(k_mobject_read(parent, PAGE, &c, 1), 1);
	CHECK_EQ(c, 'a');
	CHECK_EQ(k_mobject_read(child, 0, &c, 1), 1);
	CHECK_EQ(c, 'b');
	CHECK_EQ(k_handle_close(parent), 0);	/* the child lives on */
	CHECK_EQ(k_mobject_read(child, PAGE + 99, &c, 1), 1);
	CHECK_EQ(k_handle_close(child), 0);
}

TEST(mapping_and_object_are_the_same_pages)
{
	int m = (int)k_mobject_create(2 * PAGE, 0);
	struct k_map map = {
		.size = 2 * PAGE, .space = -1, .object = m, .flags = K_MAP_READ | K_MAP_WRITE
	};
	volatile char *p;
	char c;

	CHECK_EQ(k_space_map(&map), 0);
	p = (volatile char *)map.address;
	p[PAGE] = 'x';
	CHECK_EQ(k_mobject_read(m, PAGE, &c, 1), 1);
	CHECK_EQ(c, 'x');
	CHECK_EQ(k_mobject_write(m, 5, "y", 1), 1);
	CHECK_EQ(p[5], 'y');
	CHECK_EQ(k_space_unmap(-1, map.address, map.size), 0);
	CHECK_EQ(k_handle_close(m), 0);
}

TEST(account_limits_memory)
{
	struct k_account_limits limits = { .frames = 4 };
	int a = (int)k_account_create(&limits), m = (int)k_mobject_create(0, 0);
	char page[PAGE];
	int i;

	memset(page, 1, sizeof(page));
	CHECK_EQ(k_mobject_set(m, K_MOBJECT_SET_ACCOUNT, (uint64_t)a), 0);
	for (i = 0; i < 4; i++)
		CHECK_EQ(k_mobject_write(m, (uint64_t)i * PAGE, page, PAGE), PAGE);
	CHECK(k_mobject_write(m, 4 * PAGE, page, PAGE) < 0);
	CHECK_EQ(k_mobject_resize(m, 0), 0);
	CHECK_EQ(k_mobject_write(m, 0, page, PAGE), PAGE);
	CHECK_EQ(k_handle_close(m), 0);
	CHECK_EQ(k_handle_close(a), 0);
}
