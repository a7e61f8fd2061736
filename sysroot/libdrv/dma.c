/* SPDX-License-Identifier: MIT */
/* Memory for devices; see dma.h. */
#include "dma.h"

#include <errno.h>
#include <string.h>

#include "calls.h"
#include "server.h"

int dma_map(const char *name, struct dma *out)
{
	struct k_map map = { .space = -1,
			     .object = srv_handle(name),
			     .flags = K_MAP_READ | K_MAP_WRITE };
	struct k_mobject_info info;
	long r;

	if (map.object < 0)
		return -ENODEV;
	r = k_mobject_info(map.object, &info);
	if (r < 0)
		return (int)r;
	if (!info.physical)
		return -EINVAL;
	map.size = info.size;
	r = k_space_map(&map);
	if (r < 0)
		return (int)r;
	*out = (struct dma){ .base = (void *)map.address,
			     .physical = info.physical,
			     .size = info.size };
	return 0;
}

void *dma_take(struct dma *d, uint64_t size, uint64_t align)
{
	uint64_t at = (d->used + align - 1) & -align;
	void *p = (char *)d->base + at;

	if (at > d->size || size > d->size - at)
		return NULL;
	d->used = at + size;
	memset(p, 0, size);
	return p;
}
