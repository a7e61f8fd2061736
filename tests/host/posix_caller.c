/*
 * Whose calls the process server takes: those of its threads, and of drivers what drivers ask.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include "console.h"
#include "posix_mock.h"
#include "posix_vfs.h"

static bool admitted(uint32_t kind, uint32_t tid, int number)
{
	struct k_message m = { .kind = kind, .tid = tid, .number = number, .call = 1 };

	return thread_admits(&m);
}

TEST(posix_caller, of_a_thread)
{
	mock_start();
	struct process *p = mock_process(NULL);
	struct thread *t = container_of(p->threads.next, struct thread, link);

	CHECK(admitted(K_MSG_CALL, t->tid, 39));
	CHECK(admitted(K_MSG_CALL, t->tid, PROTO_PS_EXEC));	/* forwarded */
	CHECK(!admitted(K_MSG_CALL, 0, 39));
	CHECK(!admitted(K_MSG_CALL, t->tid + 1, 39));
	CHECK(!admitted(K_MSG_CALL, UINT32_MAX, PROTO_PS_EXEC));
}

TEST(posix_caller, of_a_server)
{
	mock_start();
	struct process *p = mock_process(NULL);
	struct thread *t = container_of(p->threads.next, struct thread, link);

	for (int n = PROTO_CONSOLE_INPUT; n < PROTO_CONSOLE_END; n++)
		CHECK(admitted(K_MSG_PRIVATE, 0, n));
	/* whatever number its thread has given itself */
	for (int n = PROTO_PS_FAIL; n <= PROTO_PS_NAMED; n++) {
		CHECK(!admitted(K_MSG_PRIVATE, 0, n));
		CHECK(!admitted(K_MSG_PRIVATE, t->tid, n));
	}
	CHECK(!admitted(K_MSG_PRIVATE, t->tid, 39));
}
