/* SPDX-License-Identifier: MIT */
/*
 * The areas that outlive the server (saved.h): one after the other, each with its version before
 * it.
 */
#include "saved.h"

#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "server.h"

#define SIZE (SAVED_LISTENERS_SIZE + SAVED_INTERFACES_SIZE)
#define HEADER 16u

static char *base;

void saved_setup(int handle)
{
	struct k_map map = {
		.size = SIZE, .space = -1, .object = handle, .flags = K_MAP_READ | K_MAP_WRITE
	};

	if (handle >= 0 && k_mobject_resize(handle, SIZE) >= 0 && k_space_map(&map) >= 0)
		base = (char *)(uintptr_t)map.address;
	else
		base = calloc(1, SIZE);
	if (!base)
		srv_panic("no memory");
}

void *saved_area(enum saved_part part, uint32_t version)
{
	char *at = base + (part == SAVED_LISTENERS ? 0 : SAVED_LISTENERS_SIZE);
	size_t size = part == SAVED_LISTENERS ? SAVED_LISTENERS_SIZE : SAVED_INTERFACES_SIZE;
	uint32_t found;

	memcpy(&found, at, sizeof found);
	if (found != version) {
		memset(at, 0, size);
		memcpy(at, &version, sizeof version);
	}
	return at + HEADER;
}
