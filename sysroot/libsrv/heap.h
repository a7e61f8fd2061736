/* SPDX-License-Identifier: MIT */
/* Memory that is gone when the server dies, also where malloc gives the arena's (arena.h). */
#ifndef TROUPE_LIBSRV_HEAP_H
#define TROUPE_LIBSRV_HEAP_H

#include <stdlib.h>

static inline void *heap_realloc(void *p, size_t size)
{
	return (realloc)(p, size);
}

static inline void heap_free(void *p)
{
	(free)(p);
}

#endif
