/* SPDX-License-Identifier: MIT */
/*
 * The state arena (state.h). Layout: a header with the undo log, then blocks. Blocks come from free
 * lists by size class, or from the end of the used part; the caller of state_free knows the size,
 * so blocks have no headers.
 *
 * The log is a stack of entries {bytes, pointer, size}: the size last, so that it can be walked
 * from the top. An entry counts once log_used includes it, which is written after it. Only the
 * order of the stores matters, not that of the hardware: a server dies at an instruction, and its
 * successor sees all stores before that one. Hence compiler barriers and no fences.
 */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

#define MAGIC 0x45544154u
#define LOG_SIZE STATE_LOG_SIZE
#define GRANULE 16u
#define SMALL_CLASSES 64u			/* multiples of 16 up to 1024 */
#define CLASSES (SMALL_CLASSES + 24u)		/* then powers of two */
#define GROW (64ul << 10)

struct block {
	struct block *next;
};

struct header {
	uint64_t log_used;		/* struct state_log */
	char log[LOG_SIZE];
	uint32_t magic, version;
	uint64_t size, brk;		/* of the object; end of what was ever used: offsets */
	uint64_t used;			/* bytes in live blocks */
	uint64_t done_call;
	int64_t done_result;
	void *root;
	struct block *free[CLASSES];
};

struct tail {
	void *at;
	uint64_t size;
};

struct pending {
	void *at;
	size_t size;
};

static struct header *const head = (struct header *)STATE_BASE;
static int object;
static bool recovered;
static struct pending *pending;		/* frees of the current operation */
static size_t pending_count, pending_room;
uintptr_t state_fresh;
size_t state_fresh_size;
struct state_fresh state_fresh_also[STATE_FRESH];
uint32_t state_fresh_count;
bool state_hooked;
long state_shift;

#define barrier() __asm__ volatile("" ::: "memory")

/* --- the log ------------------------------------------------------------------------------ */

void undo_save(const void *p, size_t size)
{
	uint64_t room = (size + 7) & ~7ull;
	char *to = head->log + head->log_used;
	struct tail *t;

	if (head->log_used + room + sizeof *t > LOG_SIZE)
		srv_panic("undo log is full");
	memcpy(to, p, size);
	t = (struct tail *)(to + room);
	t->at = (void *)p;
	t->size = size;
	barrier();
	head->log_used += room + sizeof *t;
	barrier();
}

void state_rollback(void)
{
	pending_count = 0;
	while (head->log_used) {
		struct tail *t = (struct tail *)(head->log + head->log_used) - 1;
		uint64_t room = (t->size + 7) & ~7ull;

		memcpy(t->at, (char *)t - room, t->size);
		barrier();
		head->log_used -= room + sizeof *t;	/* restoring twice does no harm */
		barrier();
	}
}

/* --- blocks ------------------------------------------------------------------------------- */

static unsigned class_of(size_t size, size_t *rounded)
{
	unsigned c = (unsigned)((size + GRANULE - 1) / GRANULE);

	if (c <= SMALL_CLASSES) {
		*rounded = c * GRANULE;
		return c - 1;
	}
	*rounded = 1ul << (64 - __builtin_clzl(size - 1));
	return SMALL_CLASSES + (unsigned)__builtin_ctzl(*rounded) - 11;
}

static int grow(uint64_t to)
{
	uint64_t size = (to + GROW - 1) & -GROW;
	long r;

	if (to <= head->size)
		return 0;
	if (size > STATE_SIZE_MAX)
		return -ENOMEM;
	r = k_mobject_resize(object, size);
	if (r < 0)
		return (int)r;
	head->size = size;	/* not part of the operation: it stays grown */
	return 0;
}

void *state_alloc(size_t size)
{
	size_t n;
	unsigned c = class_of(size ? size : 1, &n);
	struct block *b;

	if (c >= CLASSES)
		return NULL;
	b = head->free[c];
	if (b) {
		undo_save_small(&head->free[c], sizeof head->free[c]);
		undo_save_small(b, sizeof *b);
		head->free[c] = b->next;
	} else {
		if (grow(head->brk + n))
			return NULL;
		b = (struct block *)((char *)head + head->brk);
		undo_save_small(&head->brk, sizeof head->brk);
		head->brk += n;
	}
	state_set(head->used, head->used + n);
	state_fresh = (uintptr_t)b;
	state_fresh_size = n;
	state_fresh_also[state_fresh_count++ % STATE_FRESH] =
		(struct state_fresh){ state_fresh, n };
	memset(b, 0, size);
	return b;
}

void state_free(void *p, size_t size)
{
	if (!p)
		return;
	if (pending_count == pending_room) {
		size_t room = pending_room ? 2 * pending_room : 64;
		struct pending *more = realloc(pending, room * sizeof *more);

		if (!more)
			return;		/* leaks a block; better than dying */
		pending = more;
		pending_room = room;
	}
	pending[pending_count++] = (struct pending){ p, size };
}

static void free_pending(void)
{
	for (size_t i = 0; i < pending_count; i++) {
		struct block *b = pending[i].at;
		size_t n;
		unsigned c = class_of(pending[i].size ? pending[i].size : 1, &n);

		undo_save_small(b, sizeof *b);
		state_set(head->used, head->used - n);
		undo_save_small(&head->free[c], sizeof head->free[c]);
		b->next = head->free[c];
		head->free[c] = b;
	}
	pending_count = 0;
}

size_t state_used(void)
{
	return head->used;
}

/* --- memory for servers that are compiled with hooks -------------------------------------- */

#define SIZED 16u	/* before each block: its size */

void *arena_calloc(size_t n, size_t size)
{
	uint64_t *p =
		size && n > (STATE_SIZE_MAX - SIZED) / size ? NULL : state_alloc(n * size + SIZED);

	if (!p)
		return NULL;
	*p = n * size;
	return (char *)p + SIZED;
}

static size_t arena_size(const void *p)
{
	return *(const uint64_t *)(const void *)((const char *)p - SIZED);
}

void arena_free(void *p)
{
	if (p)
		state_free((char *)p - SIZED, arena_size(p) + SIZED);
}

void *arena_realloc(void *p, size_t size)
{
	void *more = arena_calloc(1, size);

	if (!more || !p)
		return more;
	memcpy(more, p, arena_size(p) < size ? arena_size(p) : size);
	arena_free(p);
	return more;
}

char *arena_strdup(const char *text)
{
	char *copy = arena_calloc(1, strlen(text) + 1);

	return copy ? strcpy(copy, text) : NULL;
}

int state_statics(void)
{
	/* server.ld */
	extern char state_begin[] __attribute__((weak)), state_end[] __attribute__((weak));
	size_t size = (size_t)(state_end - state_begin);
	char *at = head->root;

	if (!at) {
		at = state_alloc(size);
		if (!at)
			return -ENOMEM;
		memcpy(at, state_begin, size);
		state_set_root(at);
	}
	state_shift = at - state_begin;
	return 0;
}

/* --- operations --------------------------------------------------------------------------- */

bool state_dirty(void)
{
	return head->log_used || pending_count;
}

void state_commit(void)
{
	if (pending_count)
		free_pending();
	state_fresh_size = 0;
	state_fresh_count = 0;
	barrier();
	head->log_used = 0;
	barrier();
}

void state_commit_call(uint64_t call, int64_t result)
{
	state_set(head->done_result, result);
	state_set(head->done_call, call);
	state_commit();
}

bool state_call_done(uint64_t call, int64_t *result)
{
	if (head->done_call != call)
		return false;
	if (result)
		*result = head->done_result;
	return true;
}

void *state_root(void)
{
	return head->root;
}

void state_set_root(void *root)
{
	state_set(head->root, root);
}

bool state_recovered(void)
{
	return recovered;
}

void state_format(uint32_t version)
{
	uint64_t size = head->size;

	head->magic = 0;	/* a server that dies here begins anew */
	barrier();
	head->log_used = 0;
	memset((char *)head + offsetof(struct header, magic), 0,
	       sizeof *head - offsetof(struct header, magic));
	pending_count = 0;
	state_fresh_size = 0;
	state_fresh_count = 0;
	head->version = version;
	head->size = size;
	head->brk = (sizeof *head + 63) & ~63ull;
	recovered = false;
	barrier();
	head->magic = MAGIC;
}

int state_open(int handle, uint32_t version)
{
	struct k_mobject_info info;
	struct k_map map = { .address = STATE_BASE,
			     .size = STATE_SIZE_MAX,
			     .space = -1,
			     .object = handle,
			     .flags = K_MAP_READ | K_MAP_WRITE | K_MAP_FIXED };
	uint64_t least = (sizeof *head + GROW - 1) & -GROW;
	long r = k_mobject_info(handle, &info);

	if (r >= 0 && info.size < least) {
		r = k_mobject_resize(handle, least);
		info.size = least;
	}
	if (r >= 0)
		r = k_space_map(&map);
	if (r < 0)
		return (int)r;
	object = handle;
	if (head->magic == MAGIC && head->version == version) {
		state_rollback();
		recovered = head->root != NULL;
		return 0;
	}
	head->size = info.size;
	state_format(version);
	return 0;
}
