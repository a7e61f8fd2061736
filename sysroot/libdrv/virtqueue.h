/* SPDX-License-Identifier: MIT */
/*
 * A split virtqueue from the driver's side. Source: Virtual I/O Device (VIRTIO) Version 1.2, 2.7.
 *
 * The driver adds requests (chains of buffers, first those that the device reads, then those it
 * writes), publishes them all at once, and notifies the device if it asks for that; later it takes
 * back what the device is done with.
 *
 * The device may write whatever it likes into the rings at any time. So nothing there is believed:
 * which descriptors are free and which belong to a request stands in private memory, and
 * descriptors are only ever written. A used entry that names no outstanding request, or one ring's
 * worth of them too many, makes the queue `broken`; the driver then resets the device.
 *
 * Pure: memory and addresses come from the caller, so it is tested on the host
 * (tests/host/virtqueue.c).
 */
#ifndef TROUPE_LIBDRV_VIRTQUEUE_H
#define TROUPE_LIBDRV_VIRTQUEUE_H

#include <stdbool.h>
#include <stdint.h>

#define VIRTQUEUE_MAX 1024u		/* descriptors, a power of two */
#define VIRTQUEUE_SEGMENTS 32u		/* buffers of one request at most */

struct virtqueue_descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

struct virtqueue_used {
	uint32_t id, length;
};

struct virtqueue {
	/* shared with the device */
	struct virtqueue_descriptor *descriptor;
	volatile uint16_t *available;	/* flags, index, ring[size], used event */
	/* flags, index, then struct virtqueue_used[size], available event */
	volatile uint16_t *used;
	/* VIRTQUEUE_SEGMENTS for each head; NULL: requests are chains */
	struct virtqueue_descriptor *indirect;
	uint64_t indirect_address;
	/* our own */
	uint32_t size;
	bool event_index;		/* VIRTIO_F_EVENT_IDX was negotiated */
	bool broken;
	uint32_t unused;		/* free descriptors */
	uint16_t free_first;
	uint16_t added, published, taken;	/* indices, running freely */
	uint16_t next[VIRTQUEUE_MAX];	/* of the free list, and of the descriptors of a request */
	/* by head: descriptors of the request; 0: none is outstanding */
	uint16_t count[VIRTQUEUE_MAX];
	uint64_t cookie[VIRTQUEUE_MAX];	/* by head: the driver's own */
};

struct virtqueue_segment {
	uint64_t address;	/* as the device sees it */
	uint32_t length;
};

/* Bytes of the three parts, one behind the other, each aligned as it must be. */
#define virtqueue_descriptors_size(n) ((n) * 16u)
#define virtqueue_available_size(n) (6u + 2u * (n))
#define virtqueue_used_size(n) (6u + 8u * (n))
#define virtqueue_indirect_size(n) ((n) * VIRTQUEUE_SEGMENTS * 16u)

/* The parts are zeroed. size is a power of two, at most VIRTQUEUE_MAX. */
void virtqueue_init(struct virtqueue *q, uint32_t size, bool event_index, void *descriptors,
		    void *available, void *used);
/*
 * Requests of several buffers take one descriptor and a table (VIRTIO_F_INDIRECT_DESC was
 * negotiated).
 */
void virtqueue_set_indirect(struct virtqueue *q, void *tables, uint64_t address);

/*
 * Adds a request; the device does not see it before virtqueue_publish(). False: there is no room,
 * or the queue is broken.
 */
bool virtqueue_add(struct virtqueue *q, const struct virtqueue_segment *segment, unsigned readable,
		   unsigned writable, uint64_t cookie);
/* How many requests of n buffers there is room for. */
uint32_t virtqueue_room(const struct virtqueue *q, unsigned n);
/* Shows the device what was added. True: it wants to be notified. */
bool virtqueue_publish(struct virtqueue *q);
/*
 * The next request that the device is done with: its cookie and how many bytes were written. False:
 * none.
 */
bool virtqueue_take(struct virtqueue *q, uint64_t *cookie, uint32_t *length);
/* Any request that is still outstanding, after the device was reset. False: none. */
bool virtqueue_withdraw(struct virtqueue *q, uint64_t *cookie);
/* Asks for an interrupt when more is done. True: something is done already, do not sleep. */
bool virtqueue_interrupt_on(struct virtqueue *q);
/*
 * The same, but only when `later` more requests are done (the device may be earlier; without event
 * indices it is).
 */
bool virtqueue_interrupt_later(struct virtqueue *q, uint16_t later);
/* No interrupts, please (the device may still send some). */
void virtqueue_interrupt_off(struct virtqueue *q);
/* Requests that the device has not given back. */
static inline uint32_t virtqueue_outstanding(const struct virtqueue *q)
{
	return (uint16_t)(q->added - q->taken);
}

#endif
