/* SPDX-License-Identifier: MIT */
/*
 * Virtio over PCI, modern interface (VIRTIO 1.2, 4.1.4). The supervisor has found the structures,
 * granted their pages, and written the interrupt table; here are only registers.
 */
#include "virtio.h"

#include <errno.h>
#include <string.h>

#include "server.h"

/* struct virtio_pci_common_cfg */
enum {
	FEATURE_SELECT = 0,
	FEATURES = 4,
	DRIVER_FEATURE_SELECT = 8,
	DRIVER_FEATURES = 12,
	CONFIG_VECTOR = 16,
	QUEUES = 18,
	STATUS = 20,
	GENERATION = 21,
	QUEUE_SELECT = 22,
	QUEUE_SIZE = 24,
	QUEUE_VECTOR = 26,
	QUEUE_ENABLE = 28,
	QUEUE_NOTIFY_OFFSET = 30,
	QUEUE_DESCRIPTOR = 32,
	QUEUE_AVAILABLE = 40,
	QUEUE_USED = 48,
	COMMON_SIZE = 56
};

#define NO_VECTOR 0xffffu

static uint8_t status_get(struct virtio *v)
{
	return mmio_read8(v->common.base + STATUS);
}

static void status_set(struct virtio *v, uint8_t status)
{
	mmio_write8(v->common.base + STATUS, status);
}

static uint32_t features_get(struct virtio *v, unsigned half)
{
	mmio_write32(v->common.base + FEATURE_SELECT, half);
	return mmio_read32(v->common.base + FEATURES);
}

static void features_set(struct virtio *v, unsigned half, uint32_t bits)
{
	mmio_write32(v->common.base + DRIVER_FEATURE_SELECT, half);
	mmio_write32(v->common.base + DRIVER_FEATURES, bits);
}

static uint32_t generation(struct virtio *v)
{
	return mmio_read8(v->common.base + GENERATION);
}

static uint32_t cause(struct virtio *v)
{
	return mmio_read8(v->isr.base);
}

static uint8_t config_read(struct virtio *v, unsigned offset)
{
	return offset < v->device.size ? mmio_read8(v->device.base + offset) : 0;
}

static uint32_t queue_most(struct virtio *v, unsigned n)
{
	if (n >= mmio_read16(v->common.base + QUEUES))
		return 0;
	mmio_write16(v->common.base + QUEUE_SELECT, (uint16_t)n);
	return mmio_read16(v->common.base + QUEUE_ENABLE) ?
		       0 :
		       mmio_read16(v->common.base + QUEUE_SIZE);
}

static void write64(volatile uint8_t *at, uint64_t value)
{
	mmio_write32(at, (uint32_t)value);
	mmio_write32(at + 4, (uint32_t)(value >> 32));
}

static int queue_set(struct virtio *v, unsigned n, uint32_t size, unsigned vector,
		     const struct virtio_rings *r)
{
	volatile uint8_t *c = v->common.base;
	uint64_t bell;

	mmio_write16(c + QUEUE_SELECT, (uint16_t)n);
	mmio_write16(c + QUEUE_SIZE, (uint16_t)size);
	mmio_write16(c + QUEUE_VECTOR, v->vectors ? (uint16_t)vector : NO_VECTOR);
	if (v->vectors && mmio_read16(c + QUEUE_VECTOR) != vector)
		return -EIO;
	write64(c + QUEUE_DESCRIPTOR, r->descriptor);
	write64(c + QUEUE_AVAILABLE, r->available);
	write64(c + QUEUE_USED, r->used);
	bell = (uint64_t)mmio_read16(c + QUEUE_NOTIFY_OFFSET) * v->notify.extra;
	if (bell > v->notify.size - 2 || (bell & 1))
		return -EIO;
	v->doorbell[n] = v->notify.base + bell;
	mmio_write16(c + QUEUE_ENABLE, 1);
	return 0;
}

static void config_vector(struct virtio *v, unsigned vector)
{
	mmio_write16(v->common.base + CONFIG_VECTOR, (uint16_t)vector);
}

static void notify(struct virtio *v, unsigned n)
{
	mmio_write16(v->doorbell[n], (uint16_t)n);
}

static const struct virtio_transport transport = {
	status_get,  status_set, features_get, features_set,  generation, cause,
	config_read, queue_most, queue_set,    config_vector, notify,
};

int virtio_pci_open(struct virtio *v)
{
	int r = srv_arg("virtio=pci") ? 0 : -ENODEV;

	if (!r)
		r = mmio_map("common", &v->common);
	if (!r)
		r = mmio_map("notify", &v->notify);
	if (!r)
		r = mmio_map("isr", &v->isr);
	if (!r && mmio_map("device", &v->device))
		v->device.size = 0;	/* some kinds have no configuration */
	if (!r && (v->common.size < COMMON_SIZE || v->notify.size < 2 || v->isr.size < 1))
		r = -EINVAL;
	v->transport = &transport;
	return r;
}
