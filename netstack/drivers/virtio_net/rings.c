/* SPDX-License-Identifier: MIT */
/*
 * Our ends of the four rings in netmem. The other end may be broken: its indices are checked, its
 * entries copied.
 */
#include "virtio_net.h"

#include <string.h>

static uint32_t load(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void store(uint32_t *p, uint32_t value)
{
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
}

void rings_begin(void)
{
	nic.to_send = (struct ring){ .shared = &nic.shared->transmit };
	nic.sent = (struct ring){ .shared = &nic.shared->sent };
	nic.supply = (struct ring){ .shared = &nic.shared->supply };
	nic.received = (struct ring){ .shared = &nic.shared->received };
}

uint32_t ring_filled(const struct ring *r)
{
	uint32_t n = load(&r->shared->produced) - r->consumed;

	return n <= PROTO_NIC_SLOTS ? n : 0;
}

struct proto_nic_entry ring_peek(const struct ring *r, uint32_t ahead)
{
	struct proto_nic_entry e;

	memcpy(&e, &r->shared->slot[(r->consumed + ahead) % PROTO_NIC_SLOTS], sizeof(e));
	__asm__ volatile("" : "+m"(e));		/* read once: what is checked is what is used */
	return e;
}

uint32_t ring_room(const struct ring *r)
{
	uint32_t n = r->produced - load(&r->shared->consumed);

	return n <= PROTO_NIC_SLOTS ? PROTO_NIC_SLOTS - n : 0;
}

void ring_put(struct ring *r, const struct proto_nic_entry *e)
{
	r->shared->slot[r->produced++ % PROTO_NIC_SLOTS] = *e;
}

void ring_produce(struct ring *r)
{
	store(&r->shared->produced, r->produced);
}

void ring_consume(struct ring *r)
{
	store(&r->shared->consumed, r->consumed);
}

bool range_is_valid(uint32_t offset, uint32_t length)
{
	return offset >= PROTO_NIC_HEADER && offset <= nic.netmem.size &&
	       length <= nic.netmem.size - offset;
}

void refuse(void)
{
	nic.shared->driver_refused++;
}
