/* SPDX-License-Identifier: MIT */
/*
 * Put before lwIP's memp.c, so that its pools are those of memory.c: each kind of object has its
 * own, with a limit. (With MEMP_MEM_MALLOC lwIP would take them from the memory of packets and
 * without any.) The names are replaced after their prototypes; `desc` is the pool that memp.c is
 * asked for, wherever it uses them.
 */
#ifndef NETSTACK_LWIP_MEMP_OBJECTS_H
#define NETSTACK_LWIP_MEMP_OBJECTS_H

#include "lwip/mem.h"
#include "lwip/memp.h"

void *net_object_alloc(const struct memp_desc *desc, size_t size);
void net_object_free(const struct memp_desc *desc, void *object);

#define mem_malloc(size) net_object_alloc(desc, size)
#define mem_free(object) net_object_free(desc, object)

#endif
