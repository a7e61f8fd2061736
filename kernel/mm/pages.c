/*
 * The page index (see pages.h). Invariant: base is aligned to what the root covers, 64 to the power
 * of height pages (4 for the inline slots).
 *
 * SPDX-License-Identifier: MIT
 */
#include "mm/pages.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/kmalloc.h"

#define NODE_SIZE (PAGES_FANOUT * sizeof(uint64_t))

static uint64_t *node_create(void)
{
	uint64_t *node = kmalloc(NODE_SIZE);

	if (node)
		for (unsigned i = 0; i < PAGES_FANOUT; i += 4)
			node[i] = node[i + 1] = node[i + 2] = node[i + 3] = 0;
	return node;
}

/* True if the root covers page base + n. */
static bool covers(const struct pages *p, uint64_t n)
{
	return p->height ? p->height * PAGES_BITS >= 64 || !(n >> (p->height * PAGES_BITS)) :
			   n < PAGES_INLINE;
}

uint64_t *pages_slot_deep(const struct pages *p, uint64_t index)
{
	uint64_t n = index - p->base;
	uint64_t *node = p->root;

	if (!covers(p, n))
		return NULL;
	for (unsigned shift = (p->height - 1) * PAGES_BITS; shift; shift -= PAGES_BITS) {
		node = (uint64_t *)node[(n >> shift) & (PAGES_FANOUT - 1)];
		if (!node)
			return NULL;
	}
	return &node[n & (PAGES_FANOUT - 1)];
}

static bool inline_empty(const struct pages *p)
{
	return !(p->slot[0] | p->slot[1] | p->slot[2] | p->slot[3]);
}

/* One level more above the root. */
static int grow(struct pages *p)
{
	unsigned shift = p->height * PAGES_BITS;
	uint64_t *node = node_create();
	uint64_t base = p->base & ~((PAGES_FANOUT << shift) - 1);

	if (!node)
		return -ENOMEM;
	if (p->height)
		node[(p->base - base) >> shift] = (uint64_t)p->root;
	else
		memcpy(&node[p->base - base], p->slot, sizeof p->slot);
	p->root = node;
	p->base = base;
	p->height++;
	return 0;
}

uint64_t *pages_make(struct pages *p, uint64_t index)
{
	uint64_t *node, *entry;

	if (!p->height && inline_empty(p))
		p->base = index & ~(PAGES_INLINE - 1ul);
	while (!covers(p, index - p->base))
		if (grow(p))
			return NULL;
	if (!p->height)
		return &p->slot[index - p->base];
	node = p->root;
	for (unsigned shift = (p->height - 1) * PAGES_BITS; shift; shift -= PAGES_BITS) {
		entry = &node[((index - p->base) >> shift) & (PAGES_FANOUT - 1)];
		if (!*entry && !(*entry = (uint64_t)node_create()))
			return NULL;
		node = (uint64_t *)*entry;
	}
	return &node[(index - p->base) & (PAGES_FANOUT - 1)];
}

int pages_raise(struct pages *p, uint64_t index)
{
	if (p->height)
		return 0;
	if (inline_empty(p))
		p->base = index & ~(PAGES_INLINE - 1ul);
	return grow(p);
}

uint64_t *pages_run(struct pages *p, uint64_t *index, uint64_t end, unsigned *count)
{
	uint64_t i = *index < p->base ? p->base : *index;

	while (i < end && covers(p, i - p->base)) {
		uint64_t n = i - p->base, left = end - i,
			 span = p->height ? PAGES_FANOUT : PAGES_INLINE;
		uint64_t *node = p->height ? p->root : p->slot;
		unsigned shift = p->height ? (p->height - 1) * PAGES_BITS : 0;

		for (; node && shift; shift -= PAGES_BITS) {
			node = (uint64_t *)node[(n >> shift) & (PAGES_FANOUT - 1)];
			if (!node)
				break;
		}
		if (node) {
			n &= span - 1;
			*index = i;
			*count = (unsigned)(left < span - n ? left : span - n);
			return &node[n];
		}
		i = p->base + (((n >> shift) + 1) << shift);
	}
	return NULL;
}

static bool node_empty(const uint64_t *node)
{
	for (unsigned i = 0; i < PAGES_FANOUT; i++)
		if (node[i])
			return false;
	return true;
}

/* first and last are relative to the node; true if the node was freed. */
static bool node_prune(uint64_t *node, unsigned shift, uint64_t first, uint64_t last)
{
	if (shift) {
		for (uint64_t i = first >> shift; i <= last >> shift; i++) {
			uint64_t from = i == first >> shift ? first & ((1ul << shift) - 1) : 0;
			uint64_t to = i == last >> shift ? last & ((1ul << shift) - 1) :
							   (1ul << shift) - 1;

			if (node[i] &&
			    node_prune((uint64_t *)node[i], shift - PAGES_BITS, from, to))
				node[i] = 0;
		}
	}
	if (!node_empty(node))
		return false;
	kfree(node);
	return true;
}

void pages_prune(struct pages *p, uint64_t first, uint64_t end)
{
	unsigned shift = p->height * PAGES_BITS;
	uint64_t span = shift >= 64 ? 0 : 1ul << shift;

	if (!p->height)
		return;
	first = first > p->base ? first - p->base : 0;
	end = end > p->base ? end - p->base : 0;
	if (span && end > span)
		end = span;
	if (first >= end || !node_prune(p->root, shift - PAGES_BITS, first, end - 1))
		return;
	memset(p, 0, sizeof *p);
}

static void node_free(uint64_t *node, unsigned shift)
{
	if (shift)
		for (unsigned i = 0; i < PAGES_FANOUT; i++)
			if (node[i])
				node_free((uint64_t *)node[i], shift - PAGES_BITS);
	kfree(node);
}

void pages_clear(struct pages *p)
{
	if (p->height)
		node_free(p->root, (p->height - 1) * PAGES_BITS);
	memset(p, 0, sizeof *p);
}
