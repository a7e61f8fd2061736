/* SPDX-License-Identifier: MIT */
/*
 * Receiving: empty buffers go from `supply` to the device, filled ones from the device to
 * `received`. A frame begins with the device's header, which is in the first buffer and is left
 * there: the entry points behind it.
 */
#include "virtio_net.h"

#define BUFFER_LEAST 256u
#define BUFFER_ALIGN 64u

void receive_begin(void)
{
	nic.more = 0;
}

bool receive_supply(void)
{
	uint32_t filled = ring_filled(&nic.supply), n = 0;

	for (; n < filled && virtqueue_room(&nic.receive, 1); n++) {
		struct proto_nic_entry e = ring_peek(&nic.supply, 0);
		struct virtqueue_segment s = { nic.netmem.physical + e.offset, e.length };

		nic.supply.consumed++;
		if (e.offset % BUFFER_ALIGN || e.length < BUFFER_LEAST ||
		    !range_is_valid(e.offset, e.length))
			refuse();
		else
			virtqueue_add(&nic.receive, &s, 0, 1, (uint64_t)e.length << 32 | e.offset);
	}
	if (!n)
		return false;
	ring_consume(&nic.supply);
	if (virtqueue_publish(&nic.receive))
		virtio_notify(&nic.device, QUEUE_RECEIVE);
	return true;
}

/* One buffer of a frame. The device wrote `length` bytes, no more than the buffer holds. */
static void buffer_pass(uint32_t offset, uint32_t length)
{
	struct proto_nic_entry e = { .offset = offset, .length = (uint16_t)length, .id = offset };

	if (nic.more) {
		nic.more--;
	} else if (length < sizeof(struct net_header)) {
		e.length = 0;
	} else {
		const volatile struct net_header *h =
			(const volatile struct net_header *)((char *)nic.netmem.base + offset);
		uint16_t buffers = h->buffers;

		nic.more = nic.device.features & NET_F_MRG_RXBUF && buffers ? buffers - 1u : 0;
		e.offset += sizeof(*h);
		e.length = (uint16_t)(length - sizeof(*h));
		if (h->flags & (HEADER_DATA_VALID | HEADER_NEEDS_CHECKSUM))
			e.flags |= PROTO_NIC_CHECKED;
	}
	if (nic.more)
		e.flags |= PROTO_NIC_MORE;
	ring_put(&nic.received, &e);
}

bool receive_take(void)
{
	uint32_t room = ring_room(&nic.received), n = 0, length;
	uint64_t cookie;

	for (; n < room && n < BATCH && virtqueue_take(&nic.receive, &cookie, &length); n++) {
		uint32_t most = (uint32_t)(cookie >> 32);

		buffer_pass((uint32_t)cookie, length <= most ? length : most);
	}
	if (!n)
		return false;
	if (!nic.more)		/* whole frames only; the device gives all buffers of one at once */
		ring_produce(&nic.received);
	return true;
}
