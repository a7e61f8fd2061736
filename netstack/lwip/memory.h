/* SPDX-License-Identifier: MIT */
/*
 * Memory of packets and of lwIP's objects.
 *
 * Packets lie in netmem, the memory object that the server shares with the driver of the network
 * interface: slabs of 16 KiB, each a buffer of data to be sent or cut into blocks of one size. What
 * finds netmem full, or is larger, comes from the heap, and nic.c copies it when it must be sent.
 * All that is remembered about netmem lies outside of it.
 *
 * Buffers (net_buffer_*, glue.h) leave some slabs alone, or acknowledgements could not be sent.
 */
#ifndef NETSTACK_LWIP_MEMORY_H
#define NETSTACK_LWIP_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The slabs from `base` on. -ENOMEM. */
int net_memory_init(void *base, size_t size);
/* True if the block lies in netmem. */
bool net_memory_shared(const void *block);
/* The driver has a frame whose data lies there: if that is a net_buffer, it stays until let go. */
void net_buffer_hold(const void *inside);
void net_buffer_let_go(const void *inside);
/* Bytes in use, for /proc/net/sockstat. */
size_t net_memory_used(void);
/* Calls what net_buffer_on_free named, if it is time. */
void net_buffer_tell(void);

#endif
