/* SPDX-License-Identifier: MIT */
/* setsockopt and getsockopt, once their value is here. */
#ifndef NETSTACK_CORE_OPTIONS_H
#define NETSTACK_CORE_OPTIONS_H

#include "request.h"

#define OPTION_MAX 256u

/*
 * value: the first min(size, OPTION_MAX) bytes, zeroes after them; all of them are at `from` in the
 * caller.
 */
int64_t option_set(struct net_request *r, int level, int name, const void *value, uint32_t size,
		   uint64_t from);
/* value has room for OPTION_MAX bytes. */
int64_t option_get(struct net_request *r, int level, int name, void *value, uint32_t *size);

#endif
