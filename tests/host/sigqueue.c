/*
 * Pending signals against Linux's: the same signals are sent to this thread and process, all
 * blocked, and to two struct sigqueue; then both are taken out by random sets, thread's first.
 * Number and value of each, and what is still pending, must be equal.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "posix/signal/sigqueue.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "posix/proc/cred.h"
#include "test.h"

static struct sigqueue queue[2];	/* the thread's, the process's */
static struct user payer = { .references = 1 };
static uint64_t seed = 1;

/* The queue gives back what its entries held of their payer. */
void user_put(struct user *u)
{
	u->references--;
}

static uint64_t linux_pending(void)
{
	uint64_t set = 0;

	CHECK_EQ(syscall(SYS_rt_sigpending, &set, 8), 0);
	return set;
}

static int random_signal(void)
{
	static const int some[] = { 1, 2, 10, 12, 4, 7, 8, 11, 15, 17, 28, 34, 35, 36, 50, 64 };

	return some[test_below(&seed, LENGTH(some))];
}

static void send_one(uint64_t value)
{
	int sig = random_signal(), to = (int)test_below(&seed, 2);
	struct lx_siginfo info = { .signo = sig, .code = LX_SI_QUEUE,
				   .user = { .pid = (uint32_t)getpid(), .value = value } };
	long r;

	if (to == 0)
		r = syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), sig, &info);
	else
		r = syscall(SYS_rt_sigqueueinfo, getpid(), sig, &info);
	CHECK_EQ(r, 0);
	CHECK_EQ(sigqueue_add(&queue[to], sig, &info, &payer), 0);
}

static int take(uint64_t set, struct lx_siginfo *info)
{
	for (int i = 0; i < 2; i++) {
		int sig = sigqueue_next(&queue[i], set);

		if (sig) {
			sigqueue_take(&queue[i], sig, info);
			return sig;
		}
	}
	return 0;
}

static bool take_one(uint64_t set)
{
	struct lx_siginfo ours = { 0 }, theirs = { 0 };
	struct timespec none = { 0, 0 };
	long theirs_sig = syscall(SYS_rt_sigtimedwait, &set, &theirs, &none, 8);
	int sig = take(set, &ours);

	if (theirs_sig < 0)
		theirs_sig = errno == EAGAIN ? 0 : -1;
	CHECK_EQ(sig, theirs_sig);
	if (sig == 0)
		return false;
	CHECK_EQ(ours.signo, sig);
	CHECK_EQ(ours.code, theirs.code);
	CHECK_EQ(ours.user.value, theirs.user.value);
	return true;
}

static void begin(void)
{
	uint64_t all = ~UINT64_C(0);

	CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8), 0);
	sigqueue_init(&queue[0]);
	sigqueue_init(&queue[1]);
}

TEST(sigqueue, order_as_linux)
{
	begin();
	for (unsigned round = test_rounds(400); round > 0; round--) {
		for (uint32_t n = test_below(&seed, 30); n > 0; n--)
			send_one(test_random(&seed));
		for (uint32_t n = test_below(&seed, 20); n > 0; n--) {
			take_one(test_random(&seed) | test_random(&seed));
			CHECK_EQ(queue[0].set | queue[1].set, linux_pending());
		}
	}
	while (take_one(~UINT64_C(0)))
		continue;
	CHECK_EQ(linux_pending(), 0);
	CHECK_EQ(payer.signals, 0);
	CHECK_EQ(payer.references, 1);
}

TEST(sigqueue, without_siginfo)
{
	struct lx_siginfo info = { .code = LX_SI_QUEUE, .user = { .value = 5 } };

	begin();
	CHECK_EQ(sigqueue_add(&queue[0], 40, NULL, NULL), 0);
	CHECK_EQ(sigqueue_add(&queue[0], 40, &info, &payer), 0);
	CHECK_EQ(sigqueue_add(&queue[0], LX_SIGTERM, NULL, NULL), 0);
	CHECK_EQ(take(~UINT64_C(0), &info), LX_SIGTERM);
	CHECK_EQ(info.code, LX_SI_USER);
	CHECK_EQ(info.user.value, 0);
	CHECK_EQ(take(~UINT64_C(0), &info), 40);
	CHECK_EQ(info.user.value, 5);
}

TEST(sigqueue, removal)
{
	struct lx_siginfo info = { .code = LX_SI_QUEUE };

	begin();
	for (int sig = 1; sig <= 64; sig++) {
		CHECK_EQ(sigqueue_add(&queue[0], sig, &info, &payer), 0);
		CHECK_EQ(sigqueue_add(&queue[0], sig, &info, &payer), 0);
	}
	CHECK_EQ(payer.signals, 31 + 2 * 33);
	sigqueue_remove(&queue[0], SIGSET_STOP);
	CHECK_EQ(queue[0].set, ~SIGSET_STOP);
	CHECK_EQ(sigqueue_next(&queue[0], SIGSET_STOP), 0);
	CHECK_EQ(sigqueue_next(&queue[0], ~UINT64_C(0)), LX_SIGILL);
	sigqueue_clear(&queue[0]);
	CHECK_EQ(queue[0].set, 0);
	CHECK_EQ(payer.signals, 0);
	CHECK_EQ(sigqueue_add(&queue[0], 5, &info, &payer), 0);
	CHECK_EQ(sigqueue_next(&queue[0], ~UINT64_C(0)), 5);
	sigqueue_clear(&queue[0]);
}

static unsigned taken, dropped;

static void left(struct sigentry *e, struct lx_siginfo *info)
{
	CHECK(!e->queue);
	taken += info != NULL;
	dropped += info == NULL;
	if (info)
		info->timer.overrun = 7;
}

/* A timer's entry comes and goes, and is the timer's until it is freed. */
TEST(sigqueue, entries_that_are_kept)
{
	struct lx_siginfo info = { .code = LX_SI_QUEUE };
	struct sigentry *e;

	begin();
	e = sigentry_new(&payer, left, NULL);
	CHECK(e && payer.signals == 1 && payer.references == 2);
	e->info = (struct lx_siginfo){ .signo = LX_SIGALRM, .code = LX_SI_TIMER };
	CHECK_EQ(sigqueue_add(&queue[0], LX_SIGALRM, NULL, NULL), 0);
	sigqueue_add_entry(&queue[0], e);
	CHECK(e->queue == &queue[0]);
	CHECK_EQ(take(~UINT64_C(0), &info), LX_SIGALRM);
	CHECK(info.code == LX_SI_TIMER && info.timer.overrun == 7 && taken == 1);
	sigqueue_add_entry(&queue[1], e);
	sigqueue_remove(&queue[1], LX_SIGBIT(LX_SIGALRM));
	CHECK(!queue[1].set && dropped == 1 && !e->queue);
	sigqueue_add_entry(&queue[1], e);
	CHECK_EQ(sigqueue_add(&queue[1], 40, &info, &payer), 0);
	sigentry_free(e);
	CHECK(queue[1].set == LX_SIGBIT(40) && dropped == 1);
	CHECK_EQ(take(~UINT64_C(0), &info), 40);
	CHECK(payer.signals == 0 && payer.references == 1);
}

/* What could not be delivered comes first again. */
TEST(sigqueue, put_back)
{
	struct lx_siginfo info = { .code = LX_SI_QUEUE };

	begin();
	for (info.user.value = 1; info.user.value <= 3; info.user.value++)
		CHECK_EQ(sigqueue_add(&queue[0], 40, &info, &payer), 0);
	for (uint64_t i = 1; i <= 3; i++) {
		CHECK_EQ(take(~UINT64_C(0), &info), 40);
		sigqueue_put_back(&queue[0], 40, &info);
		CHECK_EQ(take(~UINT64_C(0), &info), 40);
		CHECK_EQ(info.user.value, i);
	}
	CHECK_EQ(queue[0].set, 0);
	sigqueue_put_back(&queue[0], 40, &info);
	CHECK_EQ(sigqueue_add(&queue[0], 40, &info, &payer), 0);
	sigqueue_clear(&queue[0]);
	CHECK(payer.signals == 0 && payer.references == 1);
}
