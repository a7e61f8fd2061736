/* SPDX-License-Identifier: MIT */
/*
 * A wire for lwIP and its glue on the host: the clock, the few native calls, and the driver of the
 * network interface are played here. Frames that the stack sends come out of wire_next(), what the
 * test sends goes in by wire_send(), as a driver that keeps nic_wire.h would do it. Buffers that
 * the stack must not look at (the driver's, and what lies behind a frame) are poisoned for the
 * address sanitizer.
 */
#ifndef TESTS_HOST_NET_WIRE_H
#define TESTS_HOST_NET_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nic_wire.h"

#define WIRE_FRAME 1514

extern int64_t wire_now;		/* the clock, ns */
extern struct proto_nic *wire_nic;
extern unsigned wire_signals;		/* doorbells of the network server */

/*
 * Everything from the beginning: netmem, net_lwip_setup(), and a driver that is up. features:
 * PROTO_NIC_*_CHECKSUM
 */
void wire_setup(uint32_t features);
/* Rounds of the server's loop until it wants nothing more before `ns` from now. */
void wire_run(int64_t ns);
/* The device is reset and begins anew, as after the driver's death: frames under way are lost. */
void wire_restart(void);
/*
 * A frame for the stack, in buffers of at most `piece` bytes (0: one). False: there was no buffer,
 * it is lost.
 */
bool wire_send(const void *frame, size_t n, uint16_t flags, size_t piece);
/*
 * The next frame that the stack sent; its size, 0: none. entry: of its beginning (may be NULL). It
 * is reported as sent at once unless wire_hold.
 */
size_t wire_next(uint8_t frame[WIRE_FRAME], struct proto_nic_entry *entry);
extern bool wire_hold;
void wire_release(void);		/* reports all that were held */
unsigned wire_buffers(void);		/* that the driver has */

#endif
