/* SPDX-License-Identifier: MIT */
/*
 * A virtio device, whatever bus it sits on. Source: Virtual I/O Device (VIRTIO) Version 1.2,
 * chapters 2 and 3, 4.1 (PCI, modern interface), 4.2 (memory-mapped, version 2).
 *
 * In this order: virtio_open once; then, as often as wanted: virtio_reset, virtio_negotiate,
 * virtio_queue for each queue, virtio_ready. After virtio_reset has returned 0, the device neither
 * reads nor writes memory until virtio_ready; a driver that begins, perhaps after one that died,
 * resets first.
 */
#ifndef TROUPE_LIBDRV_VIRTIO_H
#define TROUPE_LIBDRV_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#include "dma.h"
#include "mmio.h"
#include "virtqueue.h"

#define VIRTIO_F_INDIRECT_DESC	(1ull << 28)
#define VIRTIO_F_EVENT_IDX	(1ull << 29)
#define VIRTIO_F_VERSION_1	(1ull << 32)

#define VIRTIO_STATUS_ACKNOWLEDGE	1u
#define VIRTIO_STATUS_DRIVER		2u
#define VIRTIO_STATUS_DRIVER_OK		4u
#define VIRTIO_STATUS_FEATURES_OK	8u
#define VIRTIO_STATUS_NEEDS_RESET	0x40u
#define VIRTIO_STATUS_FAILED		0x80u

#define VIRTIO_QUEUES 8u
#define VIRTIO_VECTORS 4u

struct virtio_transport;

struct virtio {
	const struct virtio_transport *transport;
	struct mmio common, notify, isr, device;	/* mmio: all in `common` */
	uint64_t features;		/* negotiated */
	unsigned vectors;		/* interrupt messages; 0: one line */
	int irq[VIRTIO_VECTORS];	/* handles */
	volatile uint8_t *doorbell[VIRTIO_QUEUES];
};

/*
 * Where interrupts of a configuration change and of a queue go: numbers of messages. With a line
 * there is no choice.
 */
#define VIRTIO_CONFIG_VECTOR 0u

/* Maps what the supervisor granted. */
int virtio_open(struct virtio *v);
/* The device forgets everything. -EIO: it does not. */
int virtio_reset(struct virtio *v);
/* What the device can do: some features need others that it may lack. */
uint64_t virtio_offered(struct virtio *v);
/*
 * After a reset: takes those of `wanted` that are offered. -ENODEV: it lacks one of `needed`
 * (VERSION_1 always is).
 */
int virtio_negotiate(struct virtio *v, uint64_t wanted, uint64_t needed);
/*
 * Makes queue n with at most `size` descriptors in `memory`. `vector`: the message for its
 * interrupts.
 */
int virtio_queue(struct virtio *v, unsigned n, uint32_t size, unsigned vector, struct dma *memory,
		 struct virtqueue *q);
/* The device may begin. */
int virtio_ready(struct virtio *v);
/* Tells the device that there is something in queue n. */
void virtio_notify(struct virtio *v, unsigned n);

/*
 * Bits of why a line interrupts; reading takes the interrupt back. With messages: all ones, for the
 * message said it.
 */
#define VIRTIO_CAUSE_QUEUE 1u
#define VIRTIO_CAUSE_CONFIG 2u
uint32_t virtio_cause(struct virtio *v);
/* After virtio_cause: the line may interrupt again. */
void virtio_acknowledge(struct virtio *v);
/* True: the device has given up and wants to be reset. */
bool virtio_failed(struct virtio *v);
/* Reads n bytes of the device's own configuration, all of one moment. Zeros where it has none. */
void virtio_config(struct virtio *v, unsigned offset, void *to, unsigned n);

/* --- for the buses ------------------------------------------------------------------------ */

struct virtio_rings {
	uint64_t descriptor, available, used;	/* addresses */
};

struct virtio_transport {
	uint8_t (*status_get)(struct virtio *v);
	void (*status_set)(struct virtio *v, uint8_t status);
	uint32_t (*features_get)(struct virtio *v, unsigned half);
	void (*features_set)(struct virtio *v, unsigned half, uint32_t bits);
	uint32_t (*generation)(struct virtio *v);
	uint32_t (*cause)(struct virtio *v);
	uint8_t (*config_read)(struct virtio *v, unsigned offset);
	/* 0: there is no such queue, or it is in use */
	uint32_t (*queue_most)(struct virtio *v, unsigned n);
	/* 0, or -EIO: it does not take the vector, or its doorbell lies nowhere */
	int (*queue_set)(struct virtio *v, unsigned n, uint32_t size, unsigned vector,
			 const struct virtio_rings *r);
	void (*config_vector)(struct virtio *v, unsigned vector);
	void (*notify)(struct virtio *v, unsigned n);
};

/* Each maps its registers. -ENODEV: the device is not on this bus. */
int virtio_pci_open(struct virtio *v);
int virtio_mmio_open(struct virtio *v);

#endif
