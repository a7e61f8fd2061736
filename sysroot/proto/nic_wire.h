/* SPDX-License-Identifier: MIT */
/*
 * Between the network server and the driver of a network interface: one memory object ("netmem";
 * wired, contiguous, mapped by both) and a notification each way. No message is sent and nobody
 * waits.
 *
 * netmem begins with struct proto_nic; the rest belongs to the network server, which puts frames to
 * be sent and empty buffers there and tells the driver their offsets. Four rings, each with one
 * producer and one consumer; indices run freely (entry i is in slot i % PROTO_NIC_SLOTS), are 32
 * bits wide, and only their owner writes them. A producer fills slots, then stores its index with
 * release order; the consumer loads it with acquire order.
 *
 *	transmit	network to driver: frames; entries with PROTO_NIC_MORE are continued by the
 *			next
 *	sent		driver to network: `id` of the first entry of each frame that the device is
 *			done with, in any order
 *	supply		network to driver: empty buffers for the device to fill
 *	received	driver to network: filled buffers, one frame each (or several buffers, all
 *			but the last with PROTO_NIC_MORE)
 *
 * Neither side ever has more entries outstanding than a ring has slots, so a ring is never full for
 * its producer. Neither side trusts the other's numbers: offsets and lengths outside of netmem, and
 * ids that are not outstanding, are ignored and counted.
 *
 * A doorbell: a consumer that is about to sleep sets its `sleeping` word, looks at its rings again,
 * and sleeps. A producer that has stored an index and sees `sleeping` set clears it and signals the
 * notification. So a busy consumer is never signalled.
 *
 * Beginning, and death of either side. The driver resets the device, fills in what it is, and
 * raises `generation` (never 0); from then on no old DMA can happen. The network server, when it
 * sees a generation that it has not accepted, takes every buffer back, sets all indices to 0,
 * supplies buffers, and stores the generation in `accepted`; only then does the driver touch the
 * rings. A new network server raises `reset_wanted`: the driver resets the device and raises
 * `generation`.
 */
#ifndef TROUPE_PROTO_NIC_WIRE_H
#define TROUPE_PROTO_NIC_WIRE_H

#include <stdint.h>

#define PROTO_NIC_MAGIC 0x4e494354u
#define PROTO_NIC_SLOTS 512u		/* a power of two */
#define PROTO_NIC_HEADER 0x10000u	/* bytes at the beginning of netmem for struct proto_nic */
#define PROTO_NIC_BUFFER 2048u		/* size of a supplied buffer; offsets are multiples of 64 */
/* Badge of the notification on either endpoint; the bits mean nothing */
#define PROTO_NIC_SIGNAL 2

/* features, offered by the driver */
/* It can complete TCP and UDP checksums (PROTO_NIC_CHECKSUM) */
#define PROTO_NIC_TX_CHECKSUM	0x1u
#define PROTO_NIC_RX_CHECKSUM	0x2u	/* frames with PROTO_NIC_CHECKED need no check */

/* entry.flags */
#define PROTO_NIC_MORE		0x1u	/* the frame goes on in the next entry */
/*
 * Transmit, first entry: sum from checksum_start on, store at checksum_start + checksum_offset (it
 * holds the pseudo header's sum)
 */
#define PROTO_NIC_CHECKSUM	0x2u
#define PROTO_NIC_CHECKED	0x4u	/* received, first entry: the transport checksum is right */

struct proto_nic_entry {
	uint32_t offset;		/* in netmem */
	uint16_t length;		/* bytes; of a supplied buffer: its size */
	uint16_t flags;
	uint16_t checksum_start, checksum_offset;	/* from the frame's first byte */
	/* the producer's: comes back in `sent`; of buffers: their offset */
	uint32_t id;
};

struct proto_nic_ring {
	uint32_t produced, pad[15];	/* a cache line each */
	uint32_t consumed, pad2[15];
	struct proto_nic_entry slot[PROTO_NIC_SLOTS];
};

struct proto_nic {
	uint32_t magic;			/* written by whoever comes first */
	/* the driver's */
	uint32_t generation;
	uint32_t features, mtu;
	uint32_t link;			/* 1: up */
	uint8_t mac[6];
	uint8_t pad[2];
	uint32_t driver_sleeping;
	uint32_t driver_refused;	/* entries that made no sense */
	uint64_t interrupts;
	uint32_t pad2[4];
	/* the network server's */
	uint32_t accepted, reset_wanted;
	uint32_t network_sleeping;
	uint32_t promiscuous, all_multicast;
	uint32_t pad3[11];
	struct proto_nic_ring transmit, sent, supply, received;
};

_Static_assert(sizeof(struct proto_nic_entry) == 16, "entry layout");
_Static_assert(sizeof(struct proto_nic) <= PROTO_NIC_HEADER, "the header holds it");

#endif
