/* SPDX-License-Identifier: MIT */
/* Accounts: who pays for frames, handles and threads, and how much of each he may have. */
#ifndef TROUPE_CORE_ACCOUNT_H
#define TROUPE_CORE_ACCOUNT_H

#include <stdbool.h>
#include "core/object.h"

struct account {
	struct object object;
	uint64_t frames, handles, threads;
	struct k_account_limits limit;
	bool reserve;		/* servers: may use the frame reserve */
};

int account_create(const struct k_account_limits *l, struct account **out);
/*
 * Charging fails with ENOMEM (frames), EMFILE-like ENOMEM (handles) or EAGAIN (threads) and then
 * charges nothing. a may be NULL.
 */
static inline bool account_room(const struct account *a, uint64_t frames)
{
	return !a || !a->limit.frames || a->frames + frames <= a->limit.frames;
}

#endif
