/* SPDX-License-Identifier: MIT */
#include "quota.h"

#include "cred.h"
#include "state.h"

uint16_t quota_user(const struct proto_cred *c)
{
	return cred_can(c, PROTO_CAP_SYS_ADMIN) ? QUOTA_ALL : c->ruid % QUOTA_USERS;
}

bool quota_room(const struct quota *q, uint32_t user, uint64_t most)
{
	return q->used < most &&
	       (user == QUOTA_ALL ||
		(q->owned < most - most / 8 && q->by_user[user] < most / 2));
}

void quota_count(struct quota *q, uint32_t user, int delta)
{
	state_set(q->used, q->used + delta);
	if (user == QUOTA_ALL)
		return;
	state_set(q->owned, q->owned + delta);
	state_set(q->by_user[user], q->by_user[user] + delta);
}
