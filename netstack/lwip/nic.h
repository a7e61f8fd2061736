/* SPDX-License-Identifier: MIT */
/*
 * eth0: the network interface whose driver is on the other side of netmem (nic_wire.h).
 *
 * Received frames become lwIP's packets where they lie; when the stack keeps so many that the
 * driver runs short, they are copied. Frames to be sent are given to the driver as they are made
 * (headers and data in pieces), and kept until it is done with them. The driver, or its device, may
 * fail at any moment: what was under way is lost, and the protocols above make up for it.
 */
#ifndef NETSTACK_LWIP_NIC_H
#define NETSTACK_LWIP_NIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nic_wire.h"

struct netif;

struct nic_counts {
	uint64_t rx_bytes, rx_packets, rx_dropped, rx_errors;
	uint64_t tx_bytes, tx_packets, tx_dropped;
};

/*
 * The beginning of netmem, which is the interface's: the header and the buffers for received
 * frames.
 */
#define NIC_AREA (PROTO_NIC_HEADER + PROTO_NIC_SLOTS * PROTO_NIC_BUFFER)
/* base: of netmem, at least NIC_AREA; signal: the driver's notification. After lwip_init. */
void nic_setup(void *base, int signal);
/* eth0; NULL: there is none. Its MAC address is known once there is a link for the first time. */
struct netif *nic_netif(void);
const struct nic_counts *nic_counts(void);
/* Takes in what has come, at most a batch. True: there is more. */
bool nic_poll(void);
/* While a frame is taken in: more have come with it. */
bool nic_more(void);
/* True once after a frame was refused for want of room, when there is some again. */
bool nic_room(void);
/*
 * Tells the driver what there is to do, and that we may sleep. True: do not, something has come
 * meanwhile.
 */
bool nic_flush(void);
/* True once since the last time it was asked, if a frame came or went. */
bool nic_was_active(void);

#endif
