/*
 * The server loop (sysroot/libsrv/server.c) under calls of those whom the server does not admit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <errno.h>

#include "calls.h"
#include "native.h"
#include "server.h"

static struct k_message incoming;
static int64_t result;
static unsigned handled, forwarded;

long k_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	(void)a;
	(void)d;
	if (n == K_NATIVE_log_write || n == K_NATIVE_clock_get)
		return 0;
	if (n == K_NATIVE_caller_forward) {
		forwarded++;
		return 0;
	}
	CHECK_EQ(n, K_NATIVE_receive);
	if (b || e)
		result = b ? ((const struct k_answer *)b)->result : f;
	if (!incoming.call)
		return -ETIMEDOUT;
	*(struct k_message *)c = incoming;
	incoming.call = 0;
	return 0;
}

static void handler(const struct k_message *m)
{
	handled++;
	srv_answer(m->call, 7);
}

static bool admits(const struct k_message *m)
{
	return m->tid == 300;
}

static const struct srv_number numbers[] = {
	{ 39, handler, "getpid" },
	{ SRV_PRIVATE + 1, handler, "private" },
};
static const struct srv_numbers shortcuts = { .word = { 1ull << 1 } };
static struct srv_ops ops = { .numbers = numbers,
			      .number_count = LENGTH(numbers),
			      .shortcuts = &shortcuts,
			      .event = handler };

/* The result of this message: two rounds, one to take it and one to answer. */
static int64_t send(uint32_t kind, uint32_t tid, int number, uint32_t flags)
{
	handled = forwarded = 0;
	result = INT64_MIN;
	incoming = (struct k_message){
		.kind = kind, .flags = flags, .call = 9, .tid = tid, .number = number
	};
	srv_round();
	srv_round();
	return result;
}

TEST(server_loop, all_are_admitted_by_default)
{
	srv_setup(3, &ops);
	CHECK_EQ(send(K_MSG_CALL, 1, 39, 0), 7);
	CHECK_EQ(send(K_MSG_PRIVATE, 0, SRV_PRIVATE + 1, 0), 7);
}

TEST(server_loop, strangers_reach_no_handler)
{
	ops.admits = admits;
	srv_setup(3, &ops);
	CHECK_EQ(send(K_MSG_CALL, 300, 39, 0), 7);
	CHECK_EQ(send(K_MSG_CALL, 0, 39, 0), -ESRCH);
	CHECK_EQ(send(K_MSG_CALL, 299, 39, K_MSGF_REDELIVERED), -ESRCH);
	CHECK_EQ(send(K_MSG_CALL, 299, SRV_PRIVATE + 1, K_MSGF_FORWARDED), -ESRCH);
	CHECK_EQ(send(K_MSG_PRIVATE, 299, SRV_PRIVATE + 1, 0), -ESRCH);
	CHECK_EQ(handled, 0);
	CHECK_EQ(send(K_MSG_CALL, 299, 1, 0), -ESRCH);
	CHECK_EQ(forwarded, 0);
	/* visits are not calls: their handlers see to them */
	CHECK_EQ(send(K_MSG_EVENT, 299, 0, 0), 7);
}
