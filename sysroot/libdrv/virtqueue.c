/* SPDX-License-Identifier: MIT */
/*
 * Split virtqueues; see virtqueue.h. The order of writes that the device relies on is marked (1) to
 * (4).
 */
#include "virtqueue.h"

#include <string.h>

#include "mmio.h"

#define DESCRIPTOR_NEXT 1u
#define DESCRIPTOR_WRITE 2u
#define DESCRIPTOR_INDIRECT 4u
#define AVAILABLE_NO_INTERRUPT 1u
#define USED_NO_NOTIFY 1u

_Static_assert(sizeof(struct virtqueue_descriptor) == 16, "descriptor layout");
_Static_assert(sizeof(struct virtqueue_used) == 8, "used element layout");

/* --- the rings ---------------------------------------------------------------------------- */

static volatile uint16_t *available_index(const struct virtqueue *q) { return &q->available[1]; }
static volatile uint16_t *available_slot(const struct virtqueue *q, uint16_t i)
{
	return &q->available[2 + (i & (q->size - 1))];
}
/* where the device learns when to interrupt */
static volatile uint16_t *used_event(const struct virtqueue *q)
{
	return &q->available[2 + q->size];
}
static uint16_t used_index(const struct virtqueue *q) { return q->used[1]; }
/* where we learn when to notify */
static uint16_t available_event(const struct virtqueue *q) { return q->used[2 + 4 * q->size]; }

static struct virtqueue_used used_entry(const struct virtqueue *q, uint16_t i)
{
	const volatile struct virtqueue_used *e =
		(const volatile struct virtqueue_used *)&q->used[2] + (i & (q->size - 1));

	return (struct virtqueue_used){ e->id, e->length };
}

/* True if `event` lies in the steps that led from `old` to `new`. */
static bool event_passed(uint16_t event, uint16_t new, uint16_t old)
{
	return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

void virtqueue_init(struct virtqueue *q, uint32_t size, bool event_index, void *descriptors,
		    void *available, void *used)
{
	memset(q, 0, sizeof(*q));
	q->descriptor = descriptors;
	q->available = available;
	q->used = used;
	q->size = q->unused = size;
	q->event_index = event_index;
	for (uint32_t i = 0; i < size; i++)
		q->next[i] = (uint16_t)(i + 1);
}

void virtqueue_set_indirect(struct virtqueue *q, void *tables, uint64_t address)
{
	q->indirect = tables;
	q->indirect_address = address;
}

/* --- adding ------------------------------------------------------------------------------- */

static struct virtqueue_descriptor describe(const struct virtqueue_segment *s, bool write,
					    bool more, uint16_t next)
{
	return (struct virtqueue_descriptor){ s->address, s->length,
					      (uint16_t)((write ? DESCRIPTOR_WRITE : 0) |
							 (more ? DESCRIPTOR_NEXT : 0)),
					      more ? next : 0 };
}

/* The request as a table; the head alone is in the ring. */
static void add_table(struct virtqueue *q, uint16_t head, const struct virtqueue_segment *s,
		      unsigned readable, unsigned n)
{
	struct virtqueue_descriptor *table = q->indirect + head * VIRTQUEUE_SEGMENTS;

	for (unsigned i = 0; i < n; i++)
		table[i] = describe(&s[i], i >= readable, i + 1 < n, (uint16_t)(i + 1));
	q->descriptor[head] = (struct virtqueue_descriptor){
		q->indirect_address + head * VIRTQUEUE_SEGMENTS * sizeof(*table),
		(uint32_t)(n * sizeof(*table)), DESCRIPTOR_INDIRECT, 0
	};
	q->count[head] = 1;
	q->free_first = q->next[head];
	q->unused--;
}

static void add_chain(struct virtqueue *q, uint16_t head, const struct virtqueue_segment *s,
		      unsigned readable, unsigned n)
{
	uint16_t at = head;

	for (unsigned i = 0; i < n; i++) {
		uint16_t next = q->next[at];

		q->descriptor[at] = describe(&s[i], i >= readable, i + 1 < n, next);
		at = next;
	}
	q->count[head] = (uint16_t)n;
	q->free_first = at;
	q->unused -= n;
}

bool virtqueue_add(struct virtqueue *q, const struct virtqueue_segment *segment, unsigned readable,
		   unsigned writable, uint64_t cookie)
{
	unsigned n = readable + writable;
	uint16_t head = q->free_first;

	if (!n || n > VIRTQUEUE_SEGMENTS || !virtqueue_room(q, n))
		return false;
	if (q->indirect && n > 1)
		add_table(q, head, segment, readable, n);
	else
		add_chain(q, head, segment, readable, n);
	q->cookie[head] = cookie;
	*available_slot(q, q->added++) = head;	/* (1) descriptors and slot, before (2) */
	return true;
}

uint32_t virtqueue_room(const struct virtqueue *q, unsigned n)
{
	if (q->broken)
		return 0;
	return q->indirect && n > 1 ? q->unused : q->unused / n;
}

bool virtqueue_publish(struct virtqueue *q)
{
	uint16_t old = q->published;

	if (q->added == old)
		return false;
	barrier_write();
	*available_index(q) = q->published = q->added;	/* (2) before (3) */
	barrier_full();
	if (q->event_index)
		return event_passed(available_event(q), q->added, old);	/* (3) */
	return !(q->used[0] & USED_NO_NOTIFY);
}

/* --- taking back -------------------------------------------------------------------------- */

static void release(struct virtqueue *q, uint16_t head)
{
	uint16_t last = head;

	for (uint16_t i = 1; i < q->count[head]; i++)
		last = q->next[last];
	q->next[last] = q->free_first;
	q->free_first = head;
	q->unused += q->count[head];
	q->count[head] = 0;
}

bool virtqueue_take(struct virtqueue *q, uint64_t *cookie, uint32_t *length)
{
	uint16_t index = used_index(q);
	struct virtqueue_used e;

	if (q->broken || index == q->taken)
		return false;
	barrier_read();
	e = used_entry(q, q->taken);
	if ((uint16_t)(index - q->taken) > (uint16_t)(q->published - q->taken) || e.id >= q->size ||
	    !q->count[e.id]) {
		q->broken = true;
		return false;
	}
	*cookie = q->cookie[e.id];
	*length = e.length;
	release(q, (uint16_t)e.id);
	q->taken++;
	return true;
}

bool virtqueue_withdraw(struct virtqueue *q, uint64_t *cookie)
{
	for (uint32_t i = 0; i < q->size; i++) {
		if (!q->count[i])
			continue;
		*cookie = q->cookie[i];
		release(q, (uint16_t)i);
		return true;
	}
	return false;
}

/* --- interrupts --------------------------------------------------------------------------- */

bool virtqueue_interrupt_later(struct virtqueue *q, uint16_t later)
{
	if (q->event_index)
		*used_event(q) = (uint16_t)(q->taken + later);
	else
		q->available[0] = 0;
	/* (4) asked, before looking: either we see it, or the device sees that we ask */
	barrier_full();
	return !q->broken && (uint16_t)(used_index(q) - q->taken) > later;
}

bool virtqueue_interrupt_on(struct virtqueue *q)
{
	return virtqueue_interrupt_later(q, 0);
}

void virtqueue_interrupt_off(struct virtqueue *q)
{
	/* with event indices: the one that was last passed comes again only after 65536 requests */
	if (q->event_index)
		*used_event(q) = (uint16_t)(q->taken - 1);
	else
		q->available[0] = AVAILABLE_NO_INTERRUPT;
}
