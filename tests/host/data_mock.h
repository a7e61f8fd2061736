/* SPDX-License-Identifier: MIT */
/*
 * A kernel core for testing kernel/data on the host: threads are records whose operation is run,
 * left alone while it is blocked, and run again when woken, as the real core does. Faults (absent
 * pages, short memory, preemption, signals, kills) come at random. User memory is the host's own.
 */
#ifndef TESTS_DATA_MOCK_H
#define TESTS_DATA_MOCK_H

#include "core/ops.h"
#include "core/account.h"
#include "core/task.h"
#include "data/description.h"
#include "data/linux.h"
#include "data/operation.h"
#include "data/source.h"
#include "data/waitset.h"
#include "lib/errno.h"
#include "mm/frame.h"

int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
int dprintf(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
void *malloc(size_t);
void *calloc(size_t, size_t);
void free(void *);
_Noreturn void abort(void);
void *memcpy(void *restrict, const void *restrict, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);

#define CHECK(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))
_Noreturn void check_failed(const char *what, const char *file, int line);

#define NOTHING (INT64_MIN + 100)	/* outcome of a call that has not ended */

struct call {			/* one per thread, beside it */
	struct thread thread;
	op_function *op;
	uint64_t arg[7];
	int64_t result;		/* NOTHING, a result, or OP_DECLINE with the two below */
	int reason;
	uint64_t done;
	bool ready, killed, stopped /* by an event, may be resumed */;
};

#define CALLS 24
extern struct call calls[CALLS];
extern int64_t mock_now;
extern unsigned fault_rate;	/* one in so many user copies fails at first; 0: none */
extern uint64_t bad_address;	/* [bad_address, + a page) gives EFAULT */
extern struct endpoint *mock_endpoint;
extern struct task mock_task;

void mock_init(void);
/* A pipe end, stream or whatever, in a new slot of the table. */
int mock_open(enum k_plane plane, uint32_t status, struct object *o, struct object *o2,
	      struct source *s);
struct description *mock_description(int fd);
/* Starts a call on thread n (idle), and runs it until it ends or blocks. */
int64_t mock_call(unsigned n, op_function *op, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
		  uint64_t e, uint64_t f);
void mock_start(unsigned n, op_function *op, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
		uint64_t e, uint64_t f);
bool mock_busy(unsigned n);
/* Runs one ready call, chosen at random, for one step; false if there is none. */
bool mock_step(void);
void mock_settle(void);		/* until all have ended or are blocked for good */
void mock_interrupt(unsigned n);	/* a signal, if it is blocked */
void mock_resume(unsigned n);	/* after a restart class: as if nothing had happened */
void mock_kill(unsigned n);
void mock_forget(unsigned n);	/* an ended call: the thread is idle */
void mock_time(int64_t now);	/* sets the clock, timers fire */
uint32_t rnd(uint32_t below);
/* The next notice of mock_endpoint; false: there is none. */
bool mock_notice(struct k_message *m);
/* No object is left but what existed after mock_init. */
void mock_leak_check(void);

/* a memory object in host memory, data/'s idea of mm */
struct mobject *mock_mobject(uint64_t size);
unsigned char *mock_mobject_data(struct mobject *m);
void mock_mobject_grant(struct mobject *m, uint64_t limit);
struct source *mock_source(void);

#endif
