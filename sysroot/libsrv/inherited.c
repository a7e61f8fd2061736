/* SPDX-License-Identifier: MIT */
/* What a predecessor left: inherited.h. */
#include "inherited.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"

#define HANDLES_MAX 65536
/* So many free ones in a row: there are no more (the lowest free one is always taken) */
#define HANDLES_GAP 4096
#define BATCH 512

/* --- handles ------------------------------------------------------------------------------ */

static bool known[HANDLES_MAX];

void inherited_know(int handle)
{
	if (handle >= 0 && handle < HANDLES_MAX)
		known[handle] = true;
}

void inherited_sweep(uint64_t types)
{
	struct k_handle_info info;
	int missing = 0;

	for (int h = 0; h < HANDLES_MAX && missing < HANDLES_GAP; h++) {
		if (!known[h] && k_handle_info(h, &info) < 0) {
			missing++;
			continue;
		}
		missing = 0;
		if (!known[h] && types & INHERITED_TYPE(info.type))
			k_handle_close(h);
	}
	memset(known, 0, sizeof known);
}

/* --- descriptions ------------------------------------------------------------------------- */

static uint64_t *alive;
static size_t alive_count;

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int inherited_alive_read(int endpoint)
{
	uint64_t from = 0, *more;
	long n;

	do {
		more = realloc(alive, (alive_count + BATCH) * sizeof *alive);
		if (!more)
			return -ENOMEM;
		alive = more;
		n = k_endpoint_descriptions(endpoint, &from, alive + alive_count, BATCH);
		if (n < 0)
			return (int)n;
		alive_count += (size_t)n;
	} while (n);
	qsort(alive, alive_count, sizeof *alive, compare);
	return 0;
}

bool inherited_is_alive(uint64_t cookie)
{
	return alive_count && bsearch(&cookie, alive, alive_count, sizeof cookie, compare);
}

void inherited_alive_drop(void)
{
	free(alive);
	alive = NULL;
	alive_count = 0;
}
