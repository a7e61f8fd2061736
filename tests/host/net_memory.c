/* SPDX-License-Identifier: MIT */
/*
 * netstack/lwip/memory.c once more, for the fuzzer: every packet and every object is a block of its
 * own, with poisoned memory around it (packets that are to be sent, in slots of netmem), so that
 * the address sanitizer sees a byte read or written beside it. What is in use is counted; limits
 * are small, so that running out happens.
 */
#include "memory.h"

#include <stdlib.h>
#include <string.h>

#include <sanitizer/asan_interface.h>

#include "glue.h"
#include "lwip/memp.h"
#include "net_fuzz.h"

struct net_fuzz_memory net_fuzz_memory;

#define SLOT 2048u

static char *base;
static unsigned slots, next;
static bool used[4096];

int net_memory_init(void *at, size_t size)
{
	base = at;
	slots = (unsigned)(size / SLOT < 1000 ? size / SLOT : 1000);
	ASAN_POISON_MEMORY_REGION(base, slots * SLOT);
	return 0;
}

bool net_memory_shared(const void *block)
{
	return (uintptr_t)block - (uintptr_t)base < slots * SLOT;
}

/* The next slot that is free, round and round, so that what was freed stays poisoned for long. */
static void *slot_alloc(size_t size)
{
	for (unsigned n = 0; n < slots; n++) {
		unsigned i = next++ % slots;

		if (used[i])
			continue;
		used[i] = true;
		ASAN_UNPOISON_MEMORY_REGION(base + i * SLOT, size);
		return base + i * SLOT;
	}
	return NULL;
}

void *net_memory_alloc(size_t size)
{
	size_t *block;

	if (net_fuzz_memory.failing && rand() % 16 == 0)
		return NULL;
	if (size <= SLOT) {
		block = slot_alloc(size);
		net_fuzz_memory.blocks += block != NULL;
		return block;
	}
	if (net_fuzz_memory.bytes + size > 2u << 20)
		return NULL;
	block = malloc(size + 16);
	*block = size;
	net_fuzz_memory.bytes += size;
	net_fuzz_memory.blocks++;
	return block + 2;
}

void *net_memory_calloc(size_t count, size_t size)
{
	void *block = net_memory_alloc(count * size);

	return block ? memset(block, 0, count * size) : NULL;
}

void net_memory_free(void *block)
{
	size_t *at = (size_t *)block - 2;
	unsigned i = (unsigned)(((uintptr_t)block - (uintptr_t)base) / SLOT);

	net_fuzz_memory.blocks--;
	if (net_memory_shared(block)) {
		if (!used[i] || (uintptr_t)block % 16)
			abort();
		used[i] = false;
		ASAN_POISON_MEMORY_REGION(base + i * SLOT, SLOT);
		return;
	}
	net_fuzz_memory.bytes -= *at;
	free(at);
}

size_t net_memory_used(void)
{
	return net_fuzz_memory.bytes;
}

void net_buffer_hold(const void *inside)
{
	(void)inside;
}

void net_buffer_let_go(const void *inside)
{
	(void)inside;
}

void net_buffer_tell(void)
{
}

void *net_object_alloc(const struct memp_desc *desc, size_t size);
void net_object_free(const struct memp_desc *desc, void *object);

void *net_object_alloc(const struct memp_desc *desc, size_t size)
{
	(void)desc;
	if (net_fuzz_memory.objects >= 2000 || (net_fuzz_memory.failing && rand() % 16 == 0))
		return NULL;
	net_fuzz_memory.objects++;
	return malloc(size);
}

void net_object_free(const struct memp_desc *desc, void *object)
{
	(void)desc;
	net_fuzz_memory.objects--;
	free(object);
}
