/* SPDX-License-Identifier: MIT */
/*
 * One request: a caller's system call on its way through the network server.
 *
 * main.c's table names a function for each number. It returns a result, a negative errno, or one of
 * the words below, and core/request.c does the rest. A call that has to wait is *run again from its
 * beginning* when what it waits for may have come: net_wait() parks it in a list, net_wake() has
 * everybody in a list run again (later in the same round, never inside the caller of net_wake, so
 * it may be called from lwIP's callbacks). Rules:
 *
 * - Nothing is committed before the last k_caller_* call of a request: any of these (and so every
 *   net_message_* function) may give -K_REDELIVER or -ESRCH; return it as it is. The call comes
 *   again, or its thread is gone.
 * - What is done piece by piece (recvmmsg, a long send) counts in r->done. It is kept while the
 *   call is parked or taken back, and is the result if a signal or a timeout ends the call.
 * - A held call pins its description: its socket cannot go while the call is parked.
 */
#ifndef NETSTACK_CORE_REQUEST_H
#define NETSTACK_CORE_REQUEST_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include "creds.h"
#include "linux.h"
#include "server.h"

/* Answered (with copies or installs) or forwarded already */
#define NET_DONE	(INT64_MIN + 1)
#define NET_WAIT	(INT64_MIN + 2)	/* what net_wait() returned: the call is parked */
/* From optional operations: not mine, do the general thing */
#define NET_PASS	(INT64_MIN + 3)

struct socket;
struct srv_parked;

struct net_request {
	const struct k_message *m;
	struct socket *s;		/* behind arg[0]; NULL for socket() and private numbers */
	/* bytes, of a call that is done in pieces; 0 when it first comes */
	uint64_t done;
	uint64_t messages;		/* sendmmsg, recvmmsg: how many are done; the core's */
	/* the operation's own, kept like `done` (connect: has begun) */
	uint64_t memo[2];
	bool nonblock;			/* O_NONBLOCK or MSG_DONTWAIT: do not wait */
	/* run again because its time is over: net_wait() gives EAGAIN */
	bool timed_out;
	int64_t deadline;		/* of this call once it has waited; K_FOREVER: none */
	struct srv_parked *parked;	/* while it runs again; the core's */
};

typedef int64_t net_function(struct net_request *r);

/* --- who asks ----------------------------------------------------------------------------- */

/* The caller's credentials. Never NULL (a stale id gives nobody's). */
const struct proto_cred *net_cred(const struct net_request *r);
/* PROTO_CAP_NET_*: 10 bind service, 12 admin, 13 raw */
#define NET_CAP_BIND_SERVICE	(1ull << 10)
#define NET_CAP_ADMIN		(1ull << 12)
#define NET_CAP_RAW		(1ull << 13)
bool net_capable(const struct net_request *r, uint64_t caps);

/* --- the caller's memory: 0 or a negative errno (-K_REDELIVER, -ESRCH: return it at once) - */

/* n = 0 does nothing */
int64_t net_read(struct net_request *r, void *to, uint64_t from, uint64_t n);
int64_t net_write(struct net_request *r, uint64_t to, const void *from, uint64_t n);
static inline bool net_gone(int64_t result)
{
	return result == -K_REDELIVER || result == -ESRCH;
}

/* --- waiting ------------------------------------------------------------------------------ */

/*
 * The call has to wait for `list` (one of its socket's, usually). timeout in ns counted from the
 * call's first wait (SO_RCVTIMEO, SO_SNDTIMEO); 0: for ever. Returns what the function has to
 * return: NET_WAIT, or r->done if that is not 0, or -EAGAIN when the call must not block or its
 * time is over, -ENOMEM. A signal ends it with r->done, -K_RESTART_SYS, or (with a timeout, as on
 * Linux) -EINTR.
 */
int64_t net_wait(struct net_request *r, struct srv_parked_list *list, int64_t timeout)
	__attribute__((warn_unused_result));
/* All calls in the list run again soon. */
void net_wake(struct srv_parked_list *list);

/* --- ends --------------------------------------------------------------------------------- */

/* by the process server, with a signal (EPIPE). NET_DONE */
int64_t net_fail(struct net_request *r, int error, int signal);
/* NET_DONE */
int64_t net_forward_kernel(struct net_request *r, int number, const uint64_t arg[6]);

/* The core's: from main.c. */
void net_request_setup(int posix, int creds);
void net_request_run(const struct k_message *m, net_function *function);
/* runs calls that were woken, until there are none; true: there were some */
bool net_request_settle(void);

#endif
