/*
 * The network server's requests (netstack/core/request.c) under callers whose calls are taken back,
 * many at once: what one of them had done is not forgotten for the others' sake.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include "credentials.h"
#include "request.h"
#include "socket.h"

enum { THREADS = 1000, PIECES = 3 };

static int64_t result[THREADS];		/* by thread: what it was answered */

/* --- what is below ------------------------------------------------------------------------ */

void srv_answer(uint64_t call, int64_t r)
{
	result[call % THREADS] = r;
}

#define UNUSED_EACH(a, b, c, d, ...) (void)(a), (void)(b), (void)(c), (void)(d)
#define UNUSED(...) { UNUSED_EACH(__VA_ARGS__ __VA_OPT__(,) 0, 0, 0, 0, 0); abort(); }

long k_syscall6(long n, long a, long b, long c, long d, long e, long f)
	UNUSED(n, a + b, c + d, e + f)
int srv_endpoint(void) UNUSED()
void srv_flush(void) UNUSED()
int64_t srv_now(void) UNUSED()
struct srv_parked *srv_park(const struct k_message *m, void (*cancel)(struct srv_parked *, bool))
	UNUSED(m, cancel)
void srv_unpark(struct srv_parked *p) UNUSED(p)
void srv_parked_append(struct srv_parked_list *l, struct srv_parked *p) UNUSED(l, p)
void srv_parked_remove(struct srv_parked *p) UNUSED(p)
int srv_timer_set(struct srv_timer *t, int64_t at) UNUSED(t, at)
void srv_timer_cancel(struct srv_timer *t) UNUSED(t)
int srv_forward(uint64_t call, const struct srv_forward *f) UNUSED(call, f)
int srv_forward_kernel_args(uint64_t call, int number, const uint64_t arg[6], bool hook)
	UNUSED(call, number, arg, hook)
int credentials_map(int handle, const struct proto_creds **out) UNUSED(handle, out)
const struct proto_cred *credentials_find(const struct proto_creds *c, uint64_t id) UNUSED(c, id)

struct socket *socket_find(uint64_t cookie)
{
	(void)cookie;
	return NULL;
}

/* --- calls -------------------------------------------------------------------------------- */

/* Does a piece, and is taken back, until all are done. Each must meet what it has done. */
static int64_t piecewise(struct net_request *r)
{
	uint64_t before = r->m->arg[0], own = r->m->tid;

	CHECK_EQ(r->done, before ? before * 100000 + own : 0);
	CHECK_EQ(r->memo[0], before ? own : 0);
	if (before == PIECES)
		return (int64_t)r->done;
	r->done = (before + 1) * 100000 + own;
	r->memo[0] = own;
	return -K_REDELIVER;
}

static int64_t at_once(struct net_request *r)
{
	CHECK_EQ(r->done, 0);
	CHECK_EQ(r->memo[0], 0);
	return 7;
}

static void deliver(uint32_t tid, uint64_t call, uint64_t piece, net_function *function)
{
	struct k_message m = { .kind = K_MSG_CALL,
			       .call = call,
			       .tid = tid,
			       .flags = piece ? K_MSGF_REDELIVERED : 0,
			       .arg[0] = piece };

	net_request_run(&m, function);
}

TEST(net_request, many_are_taken_back)
{
	for (uint64_t piece = 0; piece <= PIECES; piece++) {
		for (uint32_t i = 0; i < THREADS; i++)
			deliver(300 + i, 5000000 + i, piece, piecewise);
	}
	for (uint32_t i = 0; i < THREADS; i++)
		CHECK_EQ(result[i], PIECES * 100000 + 300 + i);
}

/* A thread dies with its call; the next of its number begins anew, whatever it calls. */
TEST(net_request, the_dead_leave_nothing)
{
	deliver(300, 1000, 0, piecewise);
	deliver(300, 2000, 1, at_once);		/* delivered before, but had done nothing */
	CHECK_EQ(result[0], 7);
	deliver(300, 3000, 0, piecewise);
	deliver(300, 3000, 1, piecewise);
	deliver(300, 4000, 0, at_once);
	CHECK_EQ(result[0], 7);
}
