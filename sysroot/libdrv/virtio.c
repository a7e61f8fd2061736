/* SPDX-License-Identifier: MIT */
/*
 * The life of a virtio device: reset, features, queues, ready. What differs between buses is in
 * virtio_pci.c and virtio_mmio.c.
 */
#include "virtio.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "server.h"

#define RESET_TRIES 100000
#define CONFIG_TRIES 16

int virtio_open(struct virtio *v)
{
	const char *vectors = srv_arg_value("vectors");
	int r;

	memset(v, 0, sizeof(*v));
	r = virtio_pci_open(v);
	if (r == -ENODEV)
		r = virtio_mmio_open(v);
	if (r)
		return r;
	v->vectors = vectors ? (unsigned)strtoul(vectors, NULL, 10) : 0;
	if (v->vectors > VIRTIO_VECTORS)
		v->vectors = VIRTIO_VECTORS;
	for (unsigned i = 0; i < VIRTIO_VECTORS; i++) {
		char name[PROTO_START_NAME] = PROTO_START_DEVICE_IRQ;

		if (i)
			snprintf(name, sizeof(name), "%s%u", PROTO_START_DEVICE_IRQ, i);
		v->irq[i] = srv_handle(name);
	}
	return v->irq[0] < 0 ? -ENODEV : 0;
}

int virtio_reset(struct virtio *v)
{
	v->features = 0;
	v->transport->status_set(v, 0);
	for (int i = 0; i < RESET_TRIES; i++)
		if (!v->transport->status_get(v))
			return 0;
	return -EIO;
}

static void status_add(struct virtio *v, uint8_t bits)
{
	v->transport->status_set(v, v->transport->status_get(v) | bits);
}

uint64_t virtio_offered(struct virtio *v)
{
	return v->transport->features_get(v, 0) | (uint64_t)v->transport->features_get(v, 1) << 32;
}

int virtio_negotiate(struct virtio *v, uint64_t wanted, uint64_t needed)
{
	status_add(v, VIRTIO_STATUS_ACKNOWLEDGE);
	status_add(v, VIRTIO_STATUS_DRIVER);
	needed |= VIRTIO_F_VERSION_1;
	v->features = virtio_offered(v) & (wanted | needed);
	if ((v->features & needed) != needed) {
		status_add(v, VIRTIO_STATUS_FAILED);
		return -ENODEV;
	}
	v->transport->features_set(v, 0, (uint32_t)v->features);
	v->transport->features_set(v, 1, (uint32_t)(v->features >> 32));
	status_add(v, VIRTIO_STATUS_FEATURES_OK);
	if (!(v->transport->status_get(v) & VIRTIO_STATUS_FEATURES_OK))
		return -ENODEV;
	if (v->vectors)
		v->transport->config_vector(v, VIRTIO_CONFIG_VECTOR);
	return 0;
}

static uint32_t size_choose(uint32_t most, uint32_t wanted)
{
	uint32_t size = 1;

	while (size * 2 <= most && size * 2 <= wanted && size * 2 <= VIRTQUEUE_MAX)
		size *= 2;
	return size;
}

int virtio_queue(struct virtio *v, unsigned n, uint32_t size, unsigned vector, struct dma *memory,
		 struct virtqueue *q)
{
	uint32_t most = n < VIRTIO_QUEUES ? v->transport->queue_most(v, n) : 0;
	void *descriptors, *available, *used, *tables;
	struct virtio_rings rings;

	if (!most)
		return -ENODEV;
	size = size_choose(most, size);
	descriptors = dma_take(memory, virtqueue_descriptors_size(size), 4096);
	available = dma_take(memory, virtqueue_available_size(size), 64);
	used = dma_take(memory, virtqueue_used_size(size), 64);
	if (!descriptors || !available || !used)
		return -ENOMEM;
	rings = (struct virtio_rings){ dma_address(memory, descriptors),
				       dma_address(memory, available), dma_address(memory, used) };
	virtqueue_init(q, size, v->features & VIRTIO_F_EVENT_IDX, descriptors, available, used);
	if (v->features & VIRTIO_F_INDIRECT_DESC) {
		tables = dma_take(memory, virtqueue_indirect_size(size), 64);
		if (!tables)
			return -ENOMEM;
		virtqueue_set_indirect(q, tables, dma_address(memory, tables));
	}
	return v->transport->queue_set(v, n, size,
				       vector < v->vectors ? vector :
				       v->vectors          ? v->vectors - 1 :
							     0,
				       &rings);
}

int virtio_ready(struct virtio *v)
{
	status_add(v, VIRTIO_STATUS_DRIVER_OK);
	return v->transport->status_get(v) & (VIRTIO_STATUS_FAILED | VIRTIO_STATUS_NEEDS_RESET) ?
		       -EIO :
		       0;
}

void virtio_notify(struct virtio *v, unsigned n)
{
	v->transport->notify(v, n);
}

uint32_t virtio_cause(struct virtio *v)
{
	return v->vectors ? ~0u : v->transport->cause(v);
}

void virtio_acknowledge(struct virtio *v)
{
	if (!v->vectors)
		k_irq_ack(v->irq[0]);
}

bool virtio_failed(struct virtio *v)
{
	return v->transport->status_get(v) & VIRTIO_STATUS_NEEDS_RESET;
}

void virtio_config(struct virtio *v, unsigned offset, void *to, unsigned n)
{
	uint32_t before, after;
	int tries = CONFIG_TRIES;

	do {
		before = v->transport->generation(v);
		for (unsigned i = 0; i < n; i++)
			((uint8_t *)to)[i] = v->transport->config_read(v, offset + i);
		after = v->transport->generation(v);
	} while (before != after && --tries);
}
