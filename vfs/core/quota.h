/* SPDX-License-Identifier: MIT */
/*
 * How much of something that there is only so much of each user has: open files, locks. Users are
 * real uids, folded; who has CAP_SYS_ADMIN may use all that there is, as he may on Linux. The
 * others together leave him an eighth, and one of them has half at most, since each of his
 * processes may take thousands.
 */
#ifndef VFS_CORE_QUOTA_H
#define VFS_CORE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#define QUOTA_USERS 256u
#define QUOTA_ALL QUOTA_USERS	/* the user who may have all */

struct proto_cred;

/* Lies in the state. */
struct quota {
	uint32_t used;
	uint32_t owned;			/* by users other than QUOTA_ALL */
	uint32_t by_user[QUOTA_USERS];	/* of them */
};

/* The user in whose name c acts: an index of by_user, or QUOTA_ALL. */
uint16_t quota_user(const struct proto_cred *c);
/* May the user have one more, if there may be `most` in all? */
bool quota_room(const struct quota *q, uint32_t user, uint64_t most);
/* delta 1: he has one more; -1: one less. */
void quota_count(struct quota *q, uint32_t user, int delta);

#endif
