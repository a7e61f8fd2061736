/* SPDX-License-Identifier: MIT */
#include "share.h"

#include "cred.h"
#include "state.h"

uint32_t share_user(const struct proto_cred *c)
{
	return cred_can(c, PROTO_CAP_SYS_ADMIN) ? SHARE_ALL : c->ruid % SHARE_USERS;
}

bool share_room(const struct share *s, uint32_t user, uint64_t most)
{
	return s->used < most &&
	       (user == SHARE_ALL ||
		(s->owned < most - most / 8 && s->by_user[user] < most / 2));
}

void share_count(struct share *s, uint32_t user, int delta)
{
	state_set(s->used, s->used + delta);
	if (user == SHARE_ALL)
		return;
	state_set(s->owned, s->owned + delta);
	state_set(s->by_user[user], s->by_user[user] + delta);
}
