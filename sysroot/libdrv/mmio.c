/* SPDX-License-Identifier: MIT */
/*
 * Mapping what the supervisor granted: an object of whole pages, and NAME=OFFSET:SIZE:EXTRA among
 * the arguments.
 */
#include "mmio.h"

#include <errno.h>
#include <stdlib.h>

#include "calls.h"
#include "server.h"

int mmio_map(const char *name, struct mmio *out)
{
	const char *text = srv_arg_value(name);
	struct k_map map = { .space = -1,
			     .object = srv_handle(name),
			     .flags = K_MAP_READ | K_MAP_WRITE | K_MAP_UNCACHED };
	struct k_mobject_info info;
	uint64_t offset;
	char *end;
	long r;

	*out = (struct mmio){ 0 };
	if (!text || map.object < 0)
		return -ENODEV;
	offset = strtoull(text, &end, 10);
	out->size = *end == ':' ? strtoull(end + 1, &end, 10) : 0;
	out->extra = *end == ':' ? (uint32_t)strtoul(end + 1, &end, 10) : 0;
	r = k_mobject_info(map.object, &info);
	if (r < 0)
		return (int)r;
	if (offset > info.size || out->size > info.size - offset)
		return -EINVAL;
	map.size = info.size;
	r = k_space_map(&map);
	if (r < 0)
		return (int)r;
	out->base = (volatile uint8_t *)map.address + offset;
	return 0;
}
