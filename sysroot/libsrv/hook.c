/* SPDX-License-Identifier: MIT */
/*
 * What the compiler calls before each store of a server that is compiled with STATE_HOOKS
 * (state.h): the old bytes go to the undo log if they are state. The names are those of the address
 * sanitizer, whose instrumentation of stores alone this is; nothing else of it is used.
 *
 * The linker sends memcpy, memmove and memset here as well (--wrap): the compiler makes calls of
 * them out of copies.
 */
#include <string.h>

#include "state.h"

/* Beyond the log and the header, which look after themselves */
#define FIRST (STATE_BASE + STATE_LOG_SIZE + 65536u)
#define RANGE (STATE_SHARED + STATE_SHARED_SIZE - STATE_BASE)

_Static_assert(STATE_LOG_SIZE >= 1u << 20, "room for the entries of one operation");

/* Is it state, and older than this operation? */
static inline bool is_old(uintptr_t at)
{
	return at - STATE_BASE < RANGE && at - state_fresh >= state_fresh_size;
}

#ifdef STATE_CRASH
/*
 * For tests (make STATE_CRASH=N): dies somewhere among the next 2 N stores and steps of a commit.
 */
void state_crash(void)
{
	static uint64_t left;
	uint32_t lo, hi;

	if (!state_hooked)
		return;
	if (!left) {
		__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
		left = (lo * 2654435761u >> 4) % (2 * STATE_CRASH) + 1;
	}
	if (!--left)
		__builtin_trap();
}
#endif

#define STORE(size) \
	void __asan_store##size##_noabort(uintptr_t at); \
	void __asan_store##size##_noabort(uintptr_t at) \
	{ \
		state_crash(); \
		if (is_old(at)) \
			undo_save_small((const void *)at, size); \
	}

STORE(1)
STORE(2)
STORE(4)
STORE(8)

/* Does it lie in another block of this operation? */
static bool is_fresh(uintptr_t at)
{
	uint32_t n = state_fresh_count < STATE_FRESH ? state_fresh_count : STATE_FRESH;

	for (uint32_t i = 0; i < n; i++) {
		if (at - state_fresh_also[i].at < state_fresh_also[i].size)
			return true;
	}
	return false;
}

static inline void save(uintptr_t at, size_t size)
{
	state_crash();
	if (is_old(at) && size && !is_fresh(at))
		undo_save((const void *)at, size);
}

void __asan_store16_noabort(uintptr_t at);
void __asan_storeN_noabort(uintptr_t at, size_t size);
void __asan_handle_no_return(void);
void *__wrap_memcpy(void *to, const void *from, size_t n);
void *__wrap_memmove(void *to, const void *from, size_t n);
void *__wrap_memset(void *to, int c, size_t n);
void *__real_memcpy(void *to, const void *from, size_t n);
void *__real_memmove(void *to, const void *from, size_t n);
void *__real_memset(void *to, int c, size_t n);

void __asan_store16_noabort(uintptr_t at)
{
	save(at, 16);
}

void __asan_storeN_noabort(uintptr_t at, size_t size)
{
	save(at, size);
}

void __asan_handle_no_return(void)
{
}

/* state.c itself copies to and from the log, and into blocks that are fresh. */
static inline bool is_hooked(uintptr_t at)
{
	return at >= FIRST && state_hooked;
}

void *__wrap_memcpy(void *to, const void *from, size_t n)
{
	if (is_hooked((uintptr_t)to))
		save((uintptr_t)to, n);
	return __real_memcpy(to, from, n);
}

void *__wrap_memmove(void *to, const void *from, size_t n)
{
	if (is_hooked((uintptr_t)to))
		save((uintptr_t)to, n);
	return __real_memmove(to, from, n);
}

void *__wrap_memset(void *to, int c, size_t n)
{
	if (is_hooked((uintptr_t)to))
		save((uintptr_t)to, n);
	return __real_memset(to, c, n);
}
