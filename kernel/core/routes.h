/* SPDX-License-Identifier: MIT */
/*
 * Route tables: for each system-call number, who serves it and which kernel shortcut is tried
 * first.
 */
#ifndef TROUPE_CORE_ROUTES_H
#define TROUPE_CORE_ROUTES_H

#include "core/object.h"

struct endpoint;

struct routes {
	struct object object;
	uint32_t flags;		/* K_ROUTES_NATIVE */
	struct endpoint *home[K_HOMES];	/* counted; NULL: none */
	struct k_route entry[K_ROUTE_NUMBERS];
};

int routes_create(uint32_t flags, struct routes **out);

#endif
