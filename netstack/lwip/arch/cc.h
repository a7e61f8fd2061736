/* SPDX-License-Identifier: MIT */
/* What lwIP wants to know of compiler and machine. */
#ifndef NETSTACK_LWIP_ARCH_CC_H
#define NETSTACK_LWIP_ARCH_CC_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#endif
#define LWIP_NO_UNISTD_H 1
#define LWIP_ERR_T int

/* Of memory.c, random.c, checksum.c: lwipopts.h names them. */
void *net_memory_alloc(size_t size);
void *net_memory_calloc(size_t count, size_t size);
void net_memory_free(void *block);
uint32_t net_random32(void);
uint16_t net_checksum(const void *data, int n);
/* Ends the server: a bug of ours or lwIP's, and going on would make it worse. */
_Noreturn void net_lwip_broken(const char *what, const char *file, int line);

#define LWIP_RAND() net_random32()
#define LWIP_PLATFORM_DIAG(x) ((void)0)
#define LWIP_PLATFORM_ASSERT(x) net_lwip_broken(x, __FILE__, __LINE__)

#endif
