/* SPDX-License-Identifier: MIT */
/* Memory of packets and objects: memory.h. */
#include "memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "glue.h"
#include "lwip/memp.h"

#define SLAB 16384u
#define NONE 0xffffu
#define HEAP_LIMIT ((size_t)6 << 20)	/* of packets that are not in netmem */
#define RESERVE 24u			/* slabs that buffers leave alone */

/* --- slabs and blocks --------------------------------------------------------------------- */

enum slab_kind {
	BLOCK_128,
	BLOCK_192,
	BLOCK_256,
	BLOCK_512,
	BLOCK_1024,
	BLOCK_2048,
	BLOCK_KINDS,
	BUFFER_2048 = BLOCK_KINDS,
	BUFFER_16384,
	KINDS,
	SLAB_FREE = KINDS
};

static const uint16_t block_size[KINDS] = {
	128, 192, 256, 512, 1024, 2048, NET_BUFFER_SMALL, NET_BUFFER_LARGE
};

#define BUFFERS_PER_SLAB (SLAB / NET_BUFFER_SMALL)

/*
 * A slab is in the list of its kind while one of its blocks is free, or in the list of free slabs.
 */
struct slab {
	uint64_t free[2];		/* bit n: block n */
	uint16_t next, prev;
	uint16_t used;			/* blocks */
	uint8_t kind;			/* enum slab_kind */
	uint8_t owned;			/* buffers, bit n: net_buffer_free is still to come */
	uint16_t held[BUFFERS_PER_SLAB];	/* buffers: frames that the driver has */
};

static struct {
	char *base;
	size_t size;
	uint32_t free_slabs;
	struct slab *slab;
	uint16_t list[KINDS + 1];
	size_t heap, shared;		/* bytes in use */
	bool wanted;			/* a buffer was refused */
	void (*on_free)(void);
} memory;

static void list_add(uint16_t i)
{
	struct slab *s = &memory.slab[i];
	uint16_t *first = &memory.list[s->kind];

	s->prev = NONE;
	s->next = *first;
	if (*first != NONE)
		memory.slab[*first].prev = i;
	*first = i;
}

static void list_remove(uint16_t i)
{
	struct slab *s = &memory.slab[i];

	if (s->prev != NONE)
		memory.slab[s->prev].next = s->next;
	else
		memory.list[s->kind] = s->next;
	if (s->next != NONE)
		memory.slab[s->next].prev = s->prev;
}

int net_memory_init(void *base, size_t size)
{
	uint32_t slabs = (uint32_t)(size / SLAB < NONE ? size / SLAB : NONE - 1);

	memory.base = base;
	memory.size = (size_t)slabs * SLAB;
	memory.slab = calloc(slabs, sizeof *memory.slab);
	if (!memory.slab)
		return -ENOMEM;
	for (int k = 0; k <= KINDS; k++)
		memory.list[k] = NONE;
	for (uint32_t i = slabs; i-- > 0;) {
		memory.slab[i].kind = SLAB_FREE;
		list_add((uint16_t)i);
	}
	memory.free_slabs = slabs;
	return 0;
}

bool net_memory_shared(const void *block)
{
	return (uintptr_t)block - (uintptr_t)memory.base < memory.size;
}

static uint16_t slab_of(const void *block)
{
	return (uint16_t)(((uintptr_t)block - (uintptr_t)memory.base) / SLAB);
}

static uint32_t block_of(const struct slab *s, const void *block)
{
	return (uint32_t)(((uintptr_t)block - (uintptr_t)memory.base) % SLAB / block_size[s->kind]);
}

static uint16_t slab_take(uint8_t kind)
{
	uint16_t i = memory.list[SLAB_FREE];
	uint32_t blocks = SLAB / block_size[kind];
	struct slab *s;

	if (i == NONE)
		return NONE;
	list_remove(i);
	memory.free_slabs--;
	s = &memory.slab[i];
	s->kind = kind;
	s->used = 0;
	s->free[0] = blocks >= 64 ? ~0ull : (1ull << blocks) - 1;
	s->free[1] = blocks >= 128 ? ~0ull : blocks > 64 ? (1ull << (blocks - 64)) - 1 : 0;
	list_add(i);
	return i;
}

static void *block_alloc(uint8_t kind)
{
	uint16_t i = memory.list[kind] != NONE ? memory.list[kind] : slab_take(kind);
	struct slab *s;
	uint32_t n;

	if (i == NONE)
		return NULL;
	s = &memory.slab[i];
	n = s->free[0] ? (uint32_t)__builtin_ctzll(s->free[0]) :
			 64 + (uint32_t)__builtin_ctzll(s->free[1]);
	s->free[n / 64] &= ~(1ull << n % 64);
	s->used++;
	if (!s->free[0] && !s->free[1])
		list_remove(i);
	memory.shared += block_size[kind];
	return memory.base + (size_t)i * SLAB + (size_t)n * block_size[kind];
}

static void block_free(uint16_t i, uint32_t n)
{
	struct slab *s = &memory.slab[i];

	if (!s->free[0] && !s->free[1])
		list_add(i);
	s->free[n / 64] |= 1ull << n % 64;
	s->used--;
	memory.shared -= block_size[s->kind];
	if (s->used)
		return;
	list_remove(i);
	s->kind = SLAB_FREE;
	list_add(i);
	memory.free_slabs++;
}

/* --- the heap ----------------------------------------------------------------------------- */

/* A block is preceded by its size. */
static void *heap_alloc(size_t size)
{
	size_t *block;

	if (memory.heap + size > HEAP_LIMIT)
		return NULL;
	block = malloc(size + 16);
	if (!block)
		return NULL;
	*block = size;
	memory.heap += size;
	return block + 2;
}

static void heap_free(void *at)
{
	size_t *block = (size_t *)at - 2;

	memory.heap -= *block;
	free(block);
}

/* --- lwIP's packets ----------------------------------------------------------------------- */

void *net_memory_alloc(size_t size)
{
	void *block = NULL;

	for (uint8_t kind = 0; kind < BLOCK_KINDS; kind++) {
		if (size <= block_size[kind]) {
			block = block_alloc(kind);
			break;
		}
	}
	return block ? block : heap_alloc(size);
}

void *net_memory_calloc(size_t count, size_t size)
{
	void *block = net_memory_alloc(count * size);

	return block ? memset(block, 0, count * size) : NULL;
}

void net_memory_free(void *block)
{
	uint16_t i = slab_of(block);

	if (!block)
		return;
	if (net_memory_shared(block))
		block_free(i, block_of(&memory.slab[i], block));
	else
		heap_free(block);
}

size_t net_memory_used(void)
{
	return memory.heap + memory.shared;
}

/* --- buffers of data to be sent ----------------------------------------------------------- */

void *net_buffer_alloc(uint32_t size)
{
	uint8_t kind = size <= NET_BUFFER_SMALL ? BUFFER_2048 : BUFFER_16384;
	char *buffer = NULL;

	if (memory.free_slabs > RESERVE || memory.list[kind] != NONE)
		buffer = block_alloc(kind);
	if (!buffer) {
		buffer = heap_alloc(size);
		memory.wanted = memory.wanted || !buffer;
		return buffer;
	}
	memory.slab[slab_of(buffer)].owned |=
		(uint8_t)(1u << block_of(&memory.slab[slab_of(buffer)], buffer));
	return buffer;
}

/* The slab that a net_buffer around this address is in; NULL: there is none. */
static struct slab *buffer_slab(const void *inside)
{
	struct slab *s = net_memory_shared(inside) ? &memory.slab[slab_of(inside)] : NULL;

	return s && (s->kind == BUFFER_2048 || s->kind == BUFFER_16384) ? s : NULL;
}

static void buffer_end(struct slab *s, uint32_t n)
{
	if (!(s->owned >> n & 1) && !s->held[n])
		block_free((uint16_t)(s - memory.slab), n);
}

void net_buffer_free(void *buffer)
{
	struct slab *s = buffer_slab(buffer);
	uint32_t n;

	if (!buffer)
		return;
	if (!s) {
		heap_free(buffer);
		return;
	}
	n = block_of(s, buffer);
	s->owned &= (uint8_t)~(1u << n);
	buffer_end(s, n);
}

void net_buffer_hold(const void *inside)
{
	struct slab *s = buffer_slab(inside);

	if (s)
		s->held[block_of(s, inside)]++;
}

void net_buffer_let_go(const void *inside)
{
	struct slab *s = buffer_slab(inside);
	uint32_t n;

	if (!s)
		return;
	n = block_of(s, inside);
	s->held[n]--;
	buffer_end(s, n);
}

void net_buffer_on_free(void (*fn)(void))
{
	memory.on_free = fn;
}

void net_buffer_tell(void)
{
	if (!memory.wanted || !memory.on_free ||
	    (memory.free_slabs <= RESERVE && memory.heap + 2 * NET_BUFFER_LARGE > HEAP_LIMIT))
		return;
	memory.wanted = false;
	memory.on_free();
}

/* --- lwIP's objects ----------------------------------------------------------------------- */

struct object {
	struct object *next;
};

/* The most there may be of each; what is not named: 256. */
static const uint32_t object_limit[MEMP_MAX] = {
	[MEMP_TCP_PCB] = 4096,
	[MEMP_TCP_PCB_LISTEN] = 2048,
	[MEMP_TCP_SEG] = MEMP_NUM_TCP_SEG,
	[MEMP_UDP_PCB] = 4096,
	[MEMP_RAW_PCB] = 512,
	[MEMP_PBUF] = 16384,
	[MEMP_PBUF_POOL] = PBUF_POOL_SIZE,
	[MEMP_REASSDATA] = MEMP_NUM_REASSDATA,
	[MEMP_IP6_REASSDATA] = MEMP_NUM_REASSDATA,
};

static struct pool {
	struct object *free;
	uint32_t used;
} pools[MEMP_MAX];

/* Segments and the heads of packets come by the thousand: they are looked for first. */
static int pool_of(const struct memp_desc *desc)
{
	if (desc == memp_pools[MEMP_PBUF])
		return MEMP_PBUF;
	if (desc == memp_pools[MEMP_TCP_SEG])
		return MEMP_TCP_SEG;
	for (int i = 0; i < MEMP_MAX; i++) {
		if (memp_pools[i] == desc)
			return i;
	}
	return -1;
}

/* Cuts a chunk of the heap into objects. It stays theirs. */
static void pool_grow(struct pool *p, size_t size)
{
	size_t count = size < 4080 ? 4080 / size : 1;
	char *chunk = malloc(count * size);

	for (size_t i = 0; chunk && i < count; i++) {
		struct object *o = (struct object *)(chunk + i * size);

		o->next = p->free;
		p->free = o;
	}
}

void *net_object_alloc(const struct memp_desc *desc, size_t size);
void net_object_free(const struct memp_desc *desc, void *object);

void *net_object_alloc(const struct memp_desc *desc, size_t size)
{
	int i = pool_of(desc);
	struct pool *p = &pools[i];
	struct object *o;

	if (i < 0 || p->used >= (object_limit[i] ? object_limit[i] : 256))
		return NULL;
	if (!p->free)
		pool_grow(p, (size + 15) & ~(size_t)15);
	o = p->free;
	if (!o)
		return NULL;
	p->free = o->next;
	p->used++;
	return o;
}

void net_object_free(const struct memp_desc *desc, void *object)
{
	struct pool *p = &pools[pool_of(desc)];
	struct object *o = object;

	o->next = p->free;
	p->free = o;
	p->used--;
}
