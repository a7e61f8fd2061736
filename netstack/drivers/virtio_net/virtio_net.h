/* SPDX-License-Identifier: MIT */
/*
 * The virtio network driver's one device, and the parts of the driver.
 *
 * netmem and the device are both strangers: indices of our own are kept here and only copied out,
 * entries are copied in once and then checked, and what the device may reach was checked before it
 * was told (offset and length within netmem).
 */
#ifndef TROUPE_VIRTIO_NET_H
#define TROUPE_VIRTIO_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "dma.h"
#include "nic_wire.h"
#include "virtio.h"

/* Source: Virtual I/O Device (VIRTIO) Version 1.2, 5.1 */
#define NET_F_CSUM	(1ull << 0)
#define NET_F_GUEST_CSUM (1ull << 1)
#define NET_F_MTU	(1ull << 3)
#define NET_F_MAC	(1ull << 5)
#define NET_F_MRG_RXBUF	(1ull << 15)
#define NET_F_STATUS	(1ull << 16)
#define NET_F_CTRL_VQ	(1ull << 17)
#define NET_F_CTRL_RX	(1ull << 18)

enum { QUEUE_RECEIVE, QUEUE_TRANSMIT, QUEUE_CONTROL };

#define HEADER_NEEDS_CHECKSUM 1u
#define HEADER_DATA_VALID 2u

/* Before each frame. */
struct net_header {
	uint8_t flags, segmentation;
	uint16_t header_length, segment_size, checksum_start, checksum_offset;
	uint16_t buffers;	/* received: how many it fills */
};

_Static_assert(sizeof(struct net_header) == 12, "header layout");

#define QUEUE_SIZE 512u		/* at most: no more than a ring of netmem holds */
#define FRAGMENTS 16u		/* entries of one frame */
#define BATCH 64u		/* frames between two looks at the other direction */

/* Our ends of a ring of netmem. */
struct ring {
	struct proto_nic_ring *shared;
	/* of the index that is ours: as it shall become; only that one is used */
	uint32_t produced, consumed;
};

struct nic {
	struct proto_nic *shared;
	struct dma netmem, memory;	/* frames; rings and headers */
	struct virtio device;
	struct virtqueue receive, transmit, control;
	struct ring to_send, sent, supply, received;
	int network;			/* notification */
	bool ready;			/* the network server accepted this generation */
	uint32_t generation, reset_seen;
	unsigned more;			/* buffers of the received frame that are yet to come */
	/*
	 * headers for frames to be sent: the first is zero for ever, the others belong to frames
	 * that want a checksum
	 */
	struct net_header *header;
	uint16_t header_free[QUEUE_SIZE];
	unsigned headers_free;
	struct net_command *command;	/* to the control queue */
	uint32_t promiscuous, all_multicast;	/* as the device was last told */
};

extern struct nic nic;

/* --- rings (rings.c) ---------------------------------------------------------------------- */

void rings_begin(void);
/* How many entries there are to take; 0 too if the producer's index makes no sense. */
uint32_t ring_filled(const struct ring *r);
struct proto_nic_entry ring_peek(const struct ring *r, uint32_t ahead);
/* How many can be put in. */
uint32_t ring_room(const struct ring *r);
void ring_put(struct ring *r, const struct proto_nic_entry *e);
/* Makes what was put visible, or what was taken free. */
void ring_produce(struct ring *r);
void ring_consume(struct ring *r);
/* True if [offset, offset + length) lies in the network server's part of netmem. */
bool range_is_valid(uint32_t offset, uint32_t length);
void refuse(void);

/* --- the two directions; each returns true if there was anything to do -------------------- */

void receive_begin(void);
bool receive_supply(void);
bool receive_take(void);

void transmit_begin(void);
bool transmit_add(void);
bool transmit_take(void);

/* --- the device as a whole (device.c) ----------------------------------------------------- */

/* Resets and sets up; generation rises. Does not return if the device is beyond help. */
void device_begin(void);
/* Looks at link and MTU. */
void device_configuration(void);
/* Tells the device which frames are wanted, when that has changed. */
bool device_filter(void);

#endif
