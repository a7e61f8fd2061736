/*
 * Credential records and the users behind them.
 *
 * A record never changes: setuid and its kin make a new one. The records lie in the shared object
 * that the VFS and the network server read (sysroot/proto/creds.h); here each has a count of the
 * threads that carry it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_CRED_H
#define POSIX_CRED_H

#include <stdbool.h>
#include "creds.h"

struct thread;

/* What is counted per real user. */
struct user {
	uint32_t uid;
	uint32_t references;
	uint32_t threads;
	uint32_t signals;	/* queued, for RLIMIT_SIGPENDING */
	uint32_t masters;	/* of pseudo-terminals, open */
	struct user *next;
};

struct user *user_get(uint32_t uid);	/* NULL: out of memory */
void user_put(struct user *u);

struct cred {
	uint32_t references;
	struct user *user;		/* of the real uid */
	struct proto_cred *record;
};

/* The shared object, mapped. fresh: it is empty; makes the first record, root's. */
void cred_setup(struct proto_creds *shared, bool fresh);
struct cred *cred_root(void);
static inline struct cred *cred_get(struct cred *c)
{
	c->references++;
	return c;
}
void cred_put(struct cred *c);
/*
 * A new record like this one (id, caps and user are set by cred_new; groups count). NULL: out of
 * memory or slots.
 */
struct cred *cred_new(const struct proto_cred *like);
unsigned cred_count(void);
bool cred_capable(const struct cred *c, uint64_t cap);
bool cred_is_group(const struct cred *c, uint32_t gid);

/*
 * Gives the thread this record (takes over the reference) and tells the kernel: ids in messages and
 * constants.
 */
void thread_set_cred(struct thread *t, struct cred *c);
/* Sets all constant answers of a thread. */
void thread_set_constants(struct thread *t);

#define LX_CAP_KILL		(1ull << 5)
#define LX_CAP_SETGID		(1ull << 6)
#define LX_CAP_SETUID		(1ull << 7)
#define LX_CAP_SYS_PTRACE	(1ull << 19)
#define LX_CAP_SYS_ADMIN	(1ull << 21)
#define LX_CAP_SYS_BOOT		(1ull << 22)
#define LX_CAP_SYS_NICE		(1ull << 23)
#define LX_CAP_SYS_RESOURCE	(1ull << 24)
#define LX_CAP_SYS_TIME		(1ull << 25)
#define LX_CAP_SYS_TTY_CONFIG	(1ull << 26)
#define LX_CAP_SYSLOG		(1ull << 34)

#endif
