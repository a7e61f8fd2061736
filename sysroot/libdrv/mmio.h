/* SPDX-License-Identifier: MIT */
/*
 * Device registers in memory: one access of just the width that is asked for, in program order.
 * Memory that a device reads and writes too is not of this kind: see the barriers, and virtqueue.c.
 */
#ifndef TROUPE_LIBDRV_MMIO_H
#define TROUPE_LIBDRV_MMIO_H

#include <stdint.h>

static inline uint8_t mmio_read8(const volatile void *at) { return *(const volatile uint8_t *)at; }
static inline uint16_t mmio_read16(const volatile void *at)
{
	return *(const volatile uint16_t *)at;
}
static inline uint32_t mmio_read32(const volatile void *at)
{
	return *(const volatile uint32_t *)at;
}
static inline void mmio_write8(volatile void *at, uint8_t value)
{
	*(volatile uint8_t *)at = value;
}
static inline void mmio_write16(volatile void *at, uint16_t value)
{
	*(volatile uint16_t *)at = value;
}
static inline void mmio_write32(volatile void *at, uint32_t value)
{
	*(volatile uint32_t *)at = value;
}

/*
 * What was written before is seen before what is written after; the same for reads; and for
 * everything.
 */
#define barrier_write() __atomic_thread_fence(__ATOMIC_RELEASE)
#define barrier_read() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define barrier_full() __atomic_thread_fence(__ATOMIC_SEQ_CST)

/*
 * The registers of one kind that the supervisor granted under `name`, with where they lie in the
 * object's first page.
 */
struct mmio {
	volatile uint8_t *base;	/* NULL: there are none */
	uint64_t size;
	uint32_t extra;		/* a number of the bus's: see posix/supervisor/virtio.c */
};

/* Maps them. -ENODEV: not granted. */
int mmio_map(const char *name, struct mmio *out);

#endif
