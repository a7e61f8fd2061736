/*
 * Split virtqueues (sysroot/libdrv/virtqueue.c) over a device that is played here: a good one,
 * which reads chains and tables as the specification says and notes every interrupt it would send;
 * and one that writes garbage into everything it may write.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"
#include "virtqueue.h"

#define SIZE 16u

/* What a page of DMA memory is; "addresses" are host addresses. */
struct rings {
	struct virtqueue_descriptor descriptor[SIZE];
	uint16_t available[2 + SIZE + 1];
	uint32_t align;
	uint16_t used[2 + 4 * SIZE + 1];
	struct virtqueue_descriptor table[SIZE * VIRTQUEUE_SEGMENTS];
};

static struct rings *rings;
static struct virtqueue q;

/* The device's side. */
static struct {
	uint16_t seen;		/* of the available ring */
	uint16_t used;
	uint16_t head[SIZE];	/* taken, not yet given back */
	unsigned held;
	bool event_index;
	unsigned interrupts, chains;
} device;

static void begin(bool event_index, bool indirect)
{
	free(rings);
	rings = calloc(1, sizeof(*rings));
	memset(&device, 0, sizeof(device));
	device.event_index = event_index;
	virtqueue_init(&q, SIZE, event_index, rings->descriptor, rings->available, rings->used);
	if (indirect)
		virtqueue_set_indirect(&q, rings->table, (uint64_t)(uintptr_t)rings->table);
}

/* Walks a request: how many bytes it may read and write. Checks that descriptors make sense. */
static void device_walk(uint16_t head, uint32_t *readable, uint32_t *writable)
{
	const struct virtqueue_descriptor *table = rings->descriptor, *d = &table[head];
	uint32_t limit = SIZE, seen = 0;

	CHECK(head < SIZE);
	if (d->flags & 4) {
		CHECK_EQ(d->flags, 4);
		CHECK_EQ(d->length % 16, 0);
		limit = d->length / 16;
		CHECK(limit >= 1 && limit <= VIRTQUEUE_SEGMENTS);
		table = d = (const void *)(uintptr_t)d->address;
		CHECK(table >= rings->table &&
		      table + limit <= rings->table + LENGTH(rings->table));
	}
	*readable = *writable = 0;
	for (;; d = &table[d->next]) {
		CHECK(++seen <= limit);
		CHECK(d->flags & 2 || !*writable);
		*(d->flags & 2 ? writable : readable) += d->length;
		if (!(d->flags & 1))
			break;
		CHECK(d->next < limit);
	}
	device.chains++;
}

/* Takes what is available. */
static void device_look(void)
{
	while (device.seen != rings->available[1] && device.held < SIZE)
		device.head[device.held++] = rings->available[2 + device.seen++ % SIZE];
	if (device.event_index)
		rings->used[2 + 4 * SIZE] = device.seen;
}

/* Gives the i-th held request back. */
static void device_done(unsigned i, uint32_t length)
{
	uint32_t entry[2] = { device.head[i], length };
	uint16_t old = device.used++, event = rings->available[2 + SIZE];

	memcpy(&rings->used[2 + 4 * (old % SIZE)], entry, sizeof(entry));
	rings->used[1] = device.used;
	device.head[i] = device.head[--device.held];
	if (device.event_index ?
		    (uint16_t)(device.used - event - 1) < (uint16_t)(device.used - old) :
		    !(rings->available[0] & 1))
		device.interrupts++;
}

static bool add(unsigned readable, unsigned writable, uint64_t cookie)
{
	struct virtqueue_segment s[VIRTQUEUE_SEGMENTS + 1];

	for (unsigned i = 0; i < readable + writable && i < LENGTH(s); i++)
		s[i] = (struct virtqueue_segment){ 0x1000 * (i + 1), 10 + i };
	return virtqueue_add(&q, s, readable, writable, cookie);
}

TEST(virtqueue, one_request)
{
	uint32_t readable, writable, length;
	uint64_t cookie;

	begin(false, false);
	CHECK(!virtqueue_publish(&q));
	CHECK(add(2, 1, 77));
	CHECK_EQ(rings->available[1], 0);
	CHECK(virtqueue_publish(&q));
	device_look();
	CHECK_EQ(device.held, 1);
	device_walk(device.head[0], &readable, &writable);
	CHECK_EQ(readable, 21);
	CHECK_EQ(writable, 12);
	CHECK(!virtqueue_take(&q, &cookie, &length));
	device_done(0, 5);
	CHECK_EQ(device.interrupts, 1);
	CHECK(virtqueue_take(&q, &cookie, &length));
	CHECK_EQ(cookie, 77);
	CHECK_EQ(length, 5);
	CHECK(!virtqueue_take(&q, &cookie, &length));
	CHECK_EQ(virtqueue_room(&q, 1), SIZE);
}

TEST(virtqueue, fills_up)
{
	begin(false, false);
	CHECK(!add(0, 0, 0));
	CHECK(!add(VIRTQUEUE_SEGMENTS, 1, 0));
	for (unsigned i = 0; i < SIZE / 3; i++)
		CHECK(add(1, 2, i));
	CHECK(!add(1, 2, 0));
	CHECK(add(1, 0, 0));
	CHECK(!add(1, 0, 0));
	CHECK_EQ(virtqueue_outstanding(&q), SIZE / 3 + 1);
}

TEST(virtqueue, tables)
{
	uint32_t readable, writable;

	begin(false, true);
	CHECK_EQ(virtqueue_room(&q, 8), SIZE);
	for (unsigned i = 0; i < SIZE; i++)
		CHECK(add(VIRTQUEUE_SEGMENTS / 2, VIRTQUEUE_SEGMENTS / 2, i));
	CHECK(!add(1, 0, 0));
	virtqueue_publish(&q);
	device_look();
	CHECK_EQ(device.held, SIZE);
	for (unsigned i = 0; i < SIZE; i++) {
		device_walk(device.head[i], &readable, &writable);
		CHECK(readable && writable);
	}
}

TEST(virtqueue, withdraw)
{
	uint64_t cookie, sum = 0;

	begin(true, false);
	for (unsigned i = 1; i <= 5; i++)
		CHECK(add(1, 1, i));
	while (virtqueue_withdraw(&q, &cookie))
		sum += cookie;
	CHECK_EQ(sum, 15);
	CHECK_EQ(virtqueue_room(&q, 1), SIZE);
}

/*
 * A lost wake-up: what is done between the last take and the request for interrupts must be seen.
 */
TEST(virtqueue, asks_then_looks)
{
	uint32_t length;
	uint64_t cookie;

	for (int event = 0; event < 2; event++) {
		begin(event, false);
		for (int i = 0; i < 8; i++)
			CHECK(add(1, 0, 1));
		virtqueue_publish(&q);
		device_look();
		virtqueue_interrupt_off(&q);
		device_done(0, 0);
		CHECK_EQ(device.interrupts, 0);
		CHECK(virtqueue_interrupt_on(&q));
		CHECK(virtqueue_take(&q, &cookie, &length));
		CHECK(!virtqueue_interrupt_on(&q));
		device_done(0, 0);
		CHECK_EQ(device.interrupts, 1);
		CHECK(virtqueue_take(&q, &cookie, &length));
		virtqueue_interrupt_off(&q);
		device_done(0, 0);
		CHECK_EQ(device.interrupts, 1);
	}
}

TEST(virtqueue, asks_later)
{
	uint32_t length;
	uint64_t cookie;

	begin(true, false);
	for (int i = 0; i < 8; i++)
		CHECK(add(1, 0, 1));
	virtqueue_publish(&q);
	device_look();
	CHECK(!virtqueue_interrupt_later(&q, 3));
	for (int i = 0; i < 3; i++)
		device_done(0, 0);
	CHECK_EQ(device.interrupts, 0);
	device_done(0, 0);
	CHECK_EQ(device.interrupts, 1);
	CHECK(virtqueue_interrupt_later(&q, 3));
	for (int i = 0; i < 4; i++)
		CHECK(virtqueue_take(&q, &cookie, &length));
	CHECK(!virtqueue_interrupt_later(&q, 3));
}

/* The device asks for notifications by index: only the step over it notifies. */
TEST(virtqueue, notifies_when_asked)
{
	begin(true, false);
	CHECK(add(1, 0, 1));
	CHECK(virtqueue_publish(&q));
	CHECK(add(1, 0, 1));
	CHECK(!virtqueue_publish(&q));		/* it has not looked: it still has work */
	device_look();
	CHECK(add(1, 0, 1));
	CHECK(virtqueue_publish(&q));
	begin(false, false);
	rings->used[0] = 1;
	CHECK(add(1, 0, 1));
	CHECK(!virtqueue_publish(&q));
}

/*
 * Requests come back in any order, for many laps of the 16-bit indices; the device interrupts only
 * when it was asked to.
 */
TEST(virtqueue, long_run)
{
	uint64_t seed = 1, cookie, next = 1, expected = 0, got = 0;
	uint32_t readable, writable, length;

	for (int kind = 0; kind < 4; kind++) {
		begin(kind & 1, kind & 2);
		for (unsigned round = 0; round < test_rounds(100000); round++) {
			unsigned r = test_below(&seed, 3), w = test_below(&seed, 3),
				 before = device.interrupts;

			if (test_below(&seed, 2) && add(r, w, next))
				expected += next++;
			if (test_below(&seed, 2))
				virtqueue_publish(&q);
			if (test_below(&seed, 2)) {
				device_look();
				for (unsigned i = 0; i < device.held; i++)
					device_walk(device.head[i], &readable, &writable);
			}
			virtqueue_interrupt_off(&q);
			while (device.held && test_below(&seed, 2))
				device_done(test_below(&seed, device.held), 7);
			CHECK_EQ(device.interrupts, before);
			while (virtqueue_take(&q, &cookie, &length)) {
				CHECK_EQ(length, 7);
				got += cookie;
			}
			CHECK(!q.broken);
		}
		virtqueue_publish(&q);
		device_look();
		while (device.held)
			device_done(0, 7);
		while (virtqueue_take(&q, &cookie, &length))
			got += cookie;
		CHECK_EQ(got, expected);
		CHECK_EQ(virtqueue_room(&q, 1), SIZE);
	}
}

TEST(virtqueue, refuses_what_it_never_gave)
{
	uint32_t length, entry[2] = { 5, 0 };
	uint64_t cookie;

	begin(false, false);
	CHECK(add(1, 0, 9));
	CHECK(add(1, 0, 9));
	virtqueue_publish(&q);
	memcpy(&rings->used[2], entry, sizeof(entry));
	rings->used[1] = 1;
	CHECK(!virtqueue_take(&q, &cookie, &length));
	CHECK(q.broken);
	CHECK(!add(1, 0, 9));
	begin(false, false);
	CHECK(add(1, 0, 9));
	virtqueue_publish(&q);
	rings->used[1] = 2;		/* more than there are */
	CHECK(!virtqueue_take(&q, &cookie, &length));
	CHECK(q.broken);
}

/*
 * A device that writes whatever it likes, wherever it may: no access beyond the rings (the
 * sanitizer watches), no cookie that is not outstanding, none twice. A broken queue is begun anew,
 * as the driver does after a reset.
 */
TEST(virtqueue, hostile_device)
{
	uint64_t seed = 42, cookie;
	uint32_t length;
	unsigned broken = 0, good = 0;

	begin(true, false);
	for (unsigned round = 0; round < test_rounds(200000); round++) {
		static bool outstanding[1 << 12];
		static unsigned next;

		if (q.broken) {
			broken++;
			while (virtqueue_withdraw(&q, &cookie)) {
				CHECK(outstanding[cookie]);
				outstanding[cookie] = false;
			}
			begin(test_below(&seed, 2), test_below(&seed, 2));
		}
		next = (next + 1) % LENGTH(outstanding);
		if (!outstanding[next] && add(test_below(&seed, 4), test_below(&seed, 4), next))
			outstanding[next] = true;
		virtqueue_publish(&q);
		switch (test_below(&seed, 8)) {
		case 0:
			rings->used[test_below(&seed, LENGTH(rings->used))] =
				(uint16_t)test_random(&seed);
			break;
		case 1:
			rings->used[1] += (uint16_t)test_below(&seed, 3);
			break;
		case 2:
			rings->available[test_below(&seed, LENGTH(rings->available))] =
				(uint16_t)test_random(&seed);
			break;
		case 3:
			memset(&rings->descriptor[test_below(&seed, SIZE)], (int)test_random(&seed),
			       sizeof(rings->descriptor[0]));
			break;
		default:
			device_look();
			if (device.held)
				device_done(test_below(&seed, device.held),
					    (uint32_t)test_random(&seed));
		}
		while (virtqueue_take(&q, &cookie, &length)) {
			CHECK(cookie < LENGTH(outstanding) && outstanding[cookie]);
			outstanding[cookie] = false;
			good++;
		}
		virtqueue_interrupt_later(&q, (uint16_t)test_below(&seed, 4));
	}
	CHECK(broken > 100);
	CHECK(good > 100);
}
