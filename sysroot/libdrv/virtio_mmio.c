/* SPDX-License-Identifier: MIT */
/* Virtio over memory-mapped registers, version 2 (VIRTIO 1.2, 4.2.2). */
#include "virtio.h"

#include <errno.h>

#include "server.h"

enum {
	DEVICE_FEATURES = 0x10,
	DEVICE_FEATURES_SELECT = 0x14,
	DRIVER_FEATURES = 0x20,
	DRIVER_FEATURES_SELECT = 0x24,
	QUEUE_SELECT = 0x30,
	QUEUE_MOST = 0x34,
	QUEUE_SIZE = 0x38,
	QUEUE_READY = 0x44,
	QUEUE_NOTIFY = 0x50,
	INTERRUPT_STATUS = 0x60,
	INTERRUPT_ACK = 0x64,
	STATUS = 0x70,
	QUEUE_DESCRIPTOR = 0x80,
	QUEUE_AVAILABLE = 0x90,
	QUEUE_USED = 0xa0,
	GENERATION = 0xfc,
	CONFIG = 0x100
};

static uint32_t get(struct virtio *v, unsigned reg)
{
	return mmio_read32(v->common.base + reg);
}

static void set(struct virtio *v, unsigned reg, uint32_t value)
{
	mmio_write32(v->common.base + reg, value);
}

static uint8_t status_get(struct virtio *v)
{
	return (uint8_t)get(v, STATUS);
}

static void status_set(struct virtio *v, uint8_t status)
{
	set(v, STATUS, status);
}

static uint32_t features_get(struct virtio *v, unsigned half)
{
	set(v, DEVICE_FEATURES_SELECT, half);
	return get(v, DEVICE_FEATURES);
}

static void features_set(struct virtio *v, unsigned half, uint32_t bits)
{
	set(v, DRIVER_FEATURES_SELECT, half);
	set(v, DRIVER_FEATURES, bits);
}

static uint32_t generation(struct virtio *v)
{
	return get(v, GENERATION);
}

static uint32_t cause(struct virtio *v)
{
	uint32_t bits = get(v, INTERRUPT_STATUS);

	set(v, INTERRUPT_ACK, bits);
	return bits;
}

static uint8_t config_read(struct virtio *v, unsigned offset)
{
	return CONFIG + offset < v->common.size ? mmio_read8(v->common.base + CONFIG + offset) : 0;
}

static uint32_t queue_most(struct virtio *v, unsigned n)
{
	set(v, QUEUE_SELECT, n);
	return get(v, QUEUE_READY) ? 0 : get(v, QUEUE_MOST);
}

static void set64(struct virtio *v, unsigned reg, uint64_t value)
{
	set(v, reg, (uint32_t)value);
	set(v, reg + 4, (uint32_t)(value >> 32));
}

static int queue_set(struct virtio *v, unsigned n, uint32_t size, unsigned vector,
		     const struct virtio_rings *r)
{
	(void)vector;
	set(v, QUEUE_SELECT, n);
	set(v, QUEUE_SIZE, size);
	set64(v, QUEUE_DESCRIPTOR, r->descriptor);
	set64(v, QUEUE_AVAILABLE, r->available);
	set64(v, QUEUE_USED, r->used);
	set(v, QUEUE_READY, 1);
	return 0;
}

static void config_vector(struct virtio *v, unsigned vector)
{
	(void)v;
	(void)vector;
}

static void notify(struct virtio *v, unsigned n)
{
	set(v, QUEUE_NOTIFY, n);
}

static const struct virtio_transport transport = {
	status_get,  status_set, features_get, features_set,  generation, cause,
	config_read, queue_most, queue_set,    config_vector, notify,
};

int virtio_mmio_open(struct virtio *v)
{
	int r = srv_arg("virtio=mmio") ? mmio_map("mmio", &v->common) : -ENODEV;

	if (!r && v->common.size < CONFIG)
		r = -EINVAL;
	v->transport = &transport;
	return r;
}
