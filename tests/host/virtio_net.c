/*
 * The virtio network driver's two directions
 * (netstack/drivers/virtio_net/{rings,receive,transmit}.c) between a network server and a device
 * that are played here: honest ones, through which numbered frames must go in order, whole and
 * once; and ones that write garbage into everything that they share with the driver. Then the
 * device must never be told of memory that is not the network server's, and nothing may be touched
 * beyond what was mapped (the sanitizer watches).
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"
#include "virtio_net.h"

#define NETMEM 0x80000u
#define SLOTS 64u		/* descriptors */
#define PHYSICAL 0x100000000ull	/* of netmem */
#define HEADERS 0x200000000ull

struct nic nic;
static unsigned notified[3];

void virtio_notify(struct virtio *v, unsigned n)
{
	(void)v;
	notified[n]++;
}

/* --- both sides --------------------------------------------------------------------------- */

struct queue_memory {
	struct virtqueue_descriptor descriptor[SLOTS];
	uint16_t available[2 + SLOTS + 1];
	uint32_t align;
	uint16_t used[2 + 4 * SLOTS + 1];
};

static struct queue_memory *memory[2];
static struct {
	uint16_t seen, used;
} device[2];
static struct {
	uint32_t to_send, sent, supply, received;	/* the network server's indices */
} network;

static void begin(void)
{
	struct virtqueue *q[2] = { &nic.receive, &nic.transmit };

	free(nic.shared);
	free(nic.header);
	memset(&nic, 0, sizeof(nic));
	memset(device, 0, sizeof(device));
	memset(&network, 0, sizeof(network));
	for (int i = 0; i < 2; i++) {
		free(memory[i]);
		memory[i] = calloc(1, sizeof(*memory[i]));
		virtqueue_init(q[i], SLOTS, false, memory[i]->descriptor, memory[i]->available,
			       memory[i]->used);
	}
	nic.shared = calloc(1, NETMEM);
	nic.netmem = (struct dma){ .base = nic.shared, .physical = PHYSICAL, .size = NETMEM };
	nic.header = calloc(QUEUE_SIZE, sizeof(*nic.header));
	nic.memory = (struct dma){ .base = nic.header,
				   .physical = HEADERS,
				   .size = QUEUE_SIZE * sizeof(*nic.header) };
	nic.device.features = NET_F_CSUM | NET_F_MRG_RXBUF;
	nic.ready = true;
	rings_begin();
	receive_begin();
	transmit_begin();
}

/* A descriptor names what is the network server's, or a header. */
static void check_descriptor(const struct virtqueue_descriptor *d)
{
	uint64_t base = d->address >= HEADERS ? HEADERS : PHYSICAL;
	uint64_t least = base == HEADERS ? 0 : PROTO_NIC_HEADER,
		 end = base == HEADERS ? nic.memory.size : NETMEM;

	CHECK(d->address >= base + least);
	CHECK(d->address - base <= end && d->length <= end - (d->address - base));
}

/* The next request of queue n: its head, or -1. */
static int device_next(int n)
{
	if (device[n].seen == memory[n]->available[1])
		return -1;
	return memory[n]->available[2 + device[n].seen++ % SLOTS] % SLOTS;
}

static void device_done(int n, uint32_t id, uint32_t length)
{
	uint32_t entry[2] = { id, length };

	memcpy(&memory[n]->used[2 + 4 * (device[n].used++ % SLOTS)], entry, sizeof(entry));
	memory[n]->used[1] = device[n].used;
}

static void round_of_work(void)
{
	receive_supply();
	receive_take();
	transmit_take();
	transmit_add();
}

static void *netmem(uint32_t offset)
{
	return (char *)nic.netmem.base + offset;
}

/* --- honest ------------------------------------------------------------------------------- */

/* A frame of n pieces, whose bytes are its number. */
static void network_send(unsigned id, unsigned pieces)
{
	for (unsigned i = 0; i < pieces; i++) {
		struct proto_nic_entry e = { .offset =
						     PROTO_NIC_HEADER + (id % 32) * 2048 + i * 100,
					     .length = 100,
					     .id = id,
					     .flags = (i + 1 < pieces ? PROTO_NIC_MORE : 0) |
						      (id % 3 ? 0 : PROTO_NIC_CHECKSUM),
					     .checksum_start = 34,
					     .checksum_offset = 6 };

		memset(netmem(e.offset), (int)id, 100);
		nic.shared->transmit.slot[network.to_send++ % PROTO_NIC_SLOTS] = e;
	}
	nic.shared->transmit.produced = network.to_send;
}

/* Takes a frame as the device would, and checks it. */
static bool device_send(unsigned id, unsigned pieces)
{
	int head = device_next(1);
	const struct virtqueue_descriptor *d;
	const struct net_header *h;

	if (head < 0)
		return false;
	d = &memory[1]->descriptor[head];
	check_descriptor(d);
	h = (const void *)((const char *)nic.memory.base + (d->address - HEADERS));
	CHECK_EQ(h->flags, id % 3 ? 0 : HEADER_NEEDS_CHECKSUM);
	CHECK_EQ(h->checksum_start, id % 3 ? 0 : 34);
	for (unsigned i = 0; i < pieces; i++) {
		CHECK(d->flags & 1);
		d = &memory[1]->descriptor[d->next];
		check_descriptor(d);
		CHECK_EQ(d->length, 100);
		CHECK_EQ(*(uint8_t *)netmem((uint32_t)(d->address - PHYSICAL)), (uint8_t)id);
	}
	CHECK(!(d->flags & 1));
	device_done(1, (uint32_t)head, 0);
	return true;
}

TEST(virtio_net, sends_in_order)
{
	uint64_t seed = 3;
	unsigned given = 0, taken = 0, back = 0;

	begin();
	while (taken < test_rounds(20000)) {
		while (given - back < 30 && test_below(&seed, 3))
			network_send(given, 1 + given % 4), given++;
		round_of_work();
		while (test_below(&seed, 4) && device_send(taken, 1 + taken % 4))
			taken++;
		round_of_work();
		for (; network.sent != nic.shared->sent.produced; network.sent++, back++)
			CHECK_EQ(nic.shared->sent.slot[network.sent % PROTO_NIC_SLOTS].id, back);
		nic.shared->sent.consumed = network.sent;
	}
	CHECK_EQ(nic.shared->driver_refused, 0);
	CHECK(notified[QUEUE_TRANSMIT] > 0);
}

static void network_supply(uint32_t offset)
{
	nic.shared->supply.slot[network.supply++ % PROTO_NIC_SLOTS] =
		(struct proto_nic_entry){ .offset = offset, .length = 2048, .id = offset };
	nic.shared->supply.produced = network.supply;
}

/* The device fills as many buffers as a frame takes; false: there are too few. */
static bool device_receive(unsigned id, unsigned buffers)
{
	uint16_t available = (uint16_t)(memory[0]->available[1] - device[0].seen);

	if (available < buffers)
		return false;
	for (unsigned i = 0; i < buffers; i++) {
		int head = device_next(0);
		const struct virtqueue_descriptor *d = &memory[0]->descriptor[head];
		uint8_t *to = netmem((uint32_t)(d->address - PHYSICAL));

		check_descriptor(d);
		CHECK_EQ(d->flags, 2);
		memset(to, (int)id, d->length);
		if (!i)
			*(struct net_header *)to =
				(struct net_header){ .flags = id % 2 ? HEADER_DATA_VALID : 0,
						     .buffers = (uint16_t)buffers };
		device_done(0, (uint32_t)head, i ? 2048 : 1000);
	}
	return true;
}

TEST(virtio_net, receives_in_order)
{
	unsigned filled = 0, got = 0, part = 0;
	uint64_t seed = 4;

	begin();
	for (unsigned i = 0; i < 100; i++)
		network_supply(PROTO_NIC_HEADER + i * 2048);
	while (got < test_rounds(20000)) {
		round_of_work();
		while (test_below(&seed, 4) && device_receive(filled, 1 + filled % 3))
			filled++;
		round_of_work();
		for (; network.received != nic.shared->received.produced; network.received++) {
			struct proto_nic_entry e =
				nic.shared->received.slot[network.received % PROTO_NIC_SLOTS];

			CHECK_EQ(e.offset, part ? e.id : e.id + 12);
			CHECK_EQ(e.length, part ? 2048 : 988);
			CHECK_EQ(!!(e.flags & PROTO_NIC_MORE), part < got % 3);
			CHECK(part || !!(e.flags & PROTO_NIC_CHECKED) == got % 2);
			CHECK_EQ(*(uint8_t *)netmem(e.offset), (uint8_t)got);
			network_supply(e.id);
			part = part == got % 3 ? (got++, 0) : part + 1;
		}
		nic.shared->received.consumed = network.received;
		CHECK_EQ(part, 0);	/* whole frames only */
	}
}

/* What makes no sense comes back, and is counted. */
TEST(virtio_net, refuses)
{
	static const struct proto_nic_entry bad[] = {
		{ .offset = 0, .length = 64, .id = 1 },
		{ .offset = NETMEM - 63, .length = 64, .id = 2 },
		{ .offset = 0xffffffff, .length = 64, .id = 3 },
		{ .offset = PROTO_NIC_HEADER, .length = 0, .id = 4 },
	};

	begin();
	for (unsigned i = 0; i < LENGTH(bad); i++)
		nic.shared->transmit.slot[i] = bad[i];
	nic.shared->transmit.produced = LENGTH(bad);
	round_of_work();
	CHECK_EQ(nic.shared->driver_refused, LENGTH(bad));
	CHECK_EQ(nic.shared->sent.produced, LENGTH(bad));
	CHECK_EQ(memory[1]->available[1], 0);
	begin();
	for (unsigned i = 0; i < PROTO_NIC_SLOTS; i++)	/* a frame without end */
		nic.shared->transmit.slot[i] = (struct proto_nic_entry){ .offset = PROTO_NIC_HEADER,
									 .length = 1,
									 .flags = PROTO_NIC_MORE };
	nic.shared->transmit.produced = PROTO_NIC_SLOTS;
	round_of_work();
	CHECK_EQ(nic.shared->driver_refused, 1);
	CHECK_EQ(nic.shared->transmit.consumed, PROTO_NIC_SLOTS);
}

/* --- hostile ------------------------------------------------------------------------------ */

static void scribble(void *at, size_t n, uint64_t *seed)
{
	uint16_t value = (uint16_t)(test_below(seed, 2) ? test_random(seed) : test_below(seed, 70));

	memcpy((char *)at + test_below(seed, (uint32_t)(n / 2)) * 2, &value, 2);
}

/* Works, and looks at what the network server is told: it lies in the buffer that was filled. */
static void work_watched(void)
{
	uint32_t from = nic.received.produced;

	round_of_work();
	for (; from != nic.received.produced; from++) {
		struct proto_nic_entry e = nic.shared->received.slot[from % PROTO_NIC_SLOTS];

		CHECK(range_is_valid(e.id, 0) && e.offset - e.id <= sizeof(struct net_header));
		CHECK(range_is_valid(e.offset, e.length));
	}
}

TEST(virtio_net, hostile)
{
	uint64_t seed = 5;
	unsigned broken = 0;

	begin();
	for (unsigned round = 0; round < test_rounds(100000); round++) {
		struct proto_nic *s = nic.shared;
		struct proto_nic_ring *ring[] = { &s->transmit, &s->sent, &s->supply,
						  &s->received };
		int n = (int)test_below(&seed, 2), head;

		if (nic.receive.broken || nic.transmit.broken || !test_below(&seed, 1000)) {
			broken++;
			begin();
			continue;
		}
		for (int i = 0; i < 4; i++) {
			for (unsigned k = 0; k < 4; k++)	/* nearly right */
				ring[i]->slot[(ring[i]->produced + k) % PROTO_NIC_SLOTS] =
					(struct proto_nic_entry){
						.offset = PROTO_NIC_HEADER +
							  test_below(&seed,
								     NETMEM - PROTO_NIC_HEADER) /
								  64 * 64,
						.length = (uint16_t)(256 + test_below(&seed, 2000)),
						.flags = test_below(&seed, 4) == 0
					};
			ring[i]->produced += i % 2 ? 0 : test_below(&seed, 4);
			ring[i]->consumed += i % 2 ? test_below(&seed, 4) : 0;
			scribble(&ring[i]->slot[(ring[i]->produced - 1) % PROTO_NIC_SLOTS],
				 sizeof(ring[i]->slot[0]), &seed);
			if (!test_below(&seed, 50))
				scribble(ring[i], 128, &seed);
		}
		work_watched();
		while ((head = device_next(n)) >= 0 && test_below(&seed, 4)) {
			check_descriptor(&memory[n]->descriptor[head]);
			if (n == 0)	/* the header, of whatever the device likes */
				scribble(netmem((uint32_t)(memory[0]->descriptor[head].address -
							   PHYSICAL)),
					 12, &seed);
			device_done(n,
				    test_below(&seed, 500) ? (uint32_t)head :
							     (uint32_t)test_random(&seed),
				    (uint32_t)test_random(&seed) >> test_below(&seed, 32));
		}
		if (!test_below(&seed, 200))
			scribble(memory[n]->used, sizeof(memory[n]->used), &seed);
		work_watched();
	}
	CHECK(broken > 10 || test_rounds(100000) < 100000);
}
