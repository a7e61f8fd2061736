/* SPDX-License-Identifier: MIT */
/*
 * Sending: frames go from `transmit` to the device where they lie, each behind a header of ours;
 * the ids of those that are gone go to `sent`. Nobody waits for that but the owner of the memory,
 * so the device need not interrupt for every frame.
 */
#include "virtio_net.h"

void transmit_begin(void)
{
	nic.headers_free = 0;
	for (uint16_t i = (uint16_t)(QUEUE_SIZE - 1); i; i--)
		nic.header_free[nic.headers_free++] = i;
}

/*
 * How many entries the first frame in the ring has; 0: it is not there to its end. One that fills
 * the ring has no end: it is refused.
 */
static unsigned frame_entries(uint32_t filled)
{
	for (uint32_t n = 0; n < filled; n++)
		if (!(ring_peek(&nic.to_send, n).flags & PROTO_NIC_MORE))
			return n + 1;
	return filled == PROTO_NIC_SLOTS ? filled : 0;
}

static uint16_t header_make(const struct proto_nic_entry *e)
{
	uint16_t i;

	if (!(e->flags & PROTO_NIC_CHECKSUM) || !(nic.device.features & NET_F_CSUM))
		return 0;
	i = nic.header_free[--nic.headers_free];
	nic.header[i] = (struct net_header){ .flags = HEADER_NEEDS_CHECKSUM,
					     .checksum_start = e->checksum_start,
					     .checksum_offset = e->checksum_offset };
	return i;
}

static void header_free(uint16_t i)
{
	if (i)
		nic.header_free[nic.headers_free++] = i;
}

static void sent(uint32_t id)
{
	struct proto_nic_entry e = { .id = id };

	ring_put(&nic.sent, &e);
}

/* A frame of n entries. */
static void frame_add(unsigned n)
{
	struct virtqueue_segment s[1 + FRAGMENTS];
	struct proto_nic_entry first = { 0 };
	bool valid = n <= FRAGMENTS;
	uint16_t header;

	for (unsigned i = 0; i < n; i++) {
		struct proto_nic_entry e = ring_peek(&nic.to_send, i);

		if (!i)
			first = e;
		valid = valid && e.length && range_is_valid(e.offset, e.length);
		if (valid)
			s[1 + i] = (struct virtqueue_segment){ nic.netmem.physical + e.offset,
							       e.length };
	}
	nic.to_send.consumed += n;
	if (!valid) {
		refuse();
		sent(first.id);
		return;
	}
	header = header_make(&first);
	s[0] = (struct virtqueue_segment){ dma_address(&nic.memory, &nic.header[header]),
					   sizeof(nic.header[0]) };
	virtqueue_add(&nic.transmit, s, 1 + n, 0, (uint64_t)header << 32 | first.id);
}

/*
 * A frame is taken only when there is room for it, and for its id: refused ones answer at once, the
 * others when they are done.
 */
bool transmit_add(void)
{
	uint32_t filled = ring_filled(&nic.to_send), done = 0, before = nic.sent.produced;
	unsigned n;

	for (unsigned frames = 0; frames < BATCH; frames++) {
		n = frame_entries(filled - done);
		if (!n || (n <= FRAGMENTS && !virtqueue_room(&nic.transmit, 1 + n)) ||
		    !nic.headers_free ||
		    ring_room(&nic.sent) <= virtqueue_outstanding(&nic.transmit))
			break;
		frame_add(n);
		done += n;
	}
	if (!done)
		return false;
	ring_consume(&nic.to_send);
	if (nic.sent.produced != before)
		ring_produce(&nic.sent);
	if (virtqueue_publish(&nic.transmit))
		virtio_notify(&nic.device, QUEUE_TRANSMIT);
	return true;
}

bool transmit_take(void)
{
	uint64_t cookie;
	uint32_t length, n = 0;

	for (; ring_room(&nic.sent) && virtqueue_take(&nic.transmit, &cookie, &length); n++) {
		header_free((uint16_t)(cookie >> 32));
		sent((uint32_t)cookie);
	}
	if (n)
		ring_produce(&nic.sent);
	return n;
}
