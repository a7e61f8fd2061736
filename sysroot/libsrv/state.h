/* SPDX-License-Identifier: MIT */
/*
 * The state arena: what a server must not lose when it dies.
 *
 * A memory object, granted as "state", is mapped at one fixed address by every instance of the
 * server, so pointers within it stay valid across restarts. A server changes it in operations:
 * before each change undo_save() (or state_set) writes the old bytes into the arena's undo log, and
 * state_commit() makes the whole operation final by one word write. A server may die at any
 * instruction: its successor's state_open() rolls an unfinished operation back.
 *
 * state_commit_call() also notes, as part of the operation, which call it carried out: when the
 * server dies between that and its answer, the call comes again (K_MSGF_REDELIVERED) and
 * state_call_done() tells that it is done.
 *
 * Memory that was allocated in the current operation needs no undo_save: after a rollback it is
 * free. state_free takes effect at the commit. What state_alloc gives is zeroed. No memory is given
 * back to the kernel; free memory is reused by size.
 */
#ifndef TROUPE_LIBSRV_STATE_H
#define TROUPE_LIBSRV_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATE_BASE 0x200000000000ul
#define STATE_SIZE_MAX (16ul << 30)

/*
 * Maps the object and recovers. `version`: an arena of another version is formatted anew. 0 or a
 * negative errno.
 */
int state_open(int handle, uint32_t version);
/* True when state_open found an arena of a predecessor with a root. */
bool state_recovered(void);
/* The server's own anchor. */
void *state_root(void);
void state_set_root(void *root);
/* Forgets everything (a predecessor died before its state was complete). */
void state_format(uint32_t version);

/* NULL when the object cannot grow. */
void *state_alloc(size_t size) __attribute__((malloc, warn_unused_result));
void state_free(void *p, size_t size);
size_t state_used(void);	/* bytes in use, for leak checks */

void undo_save(const void *p, size_t size);
/* Changes one field, restorably. Fields of up to 8 bytes, nearly all, take a dozen instructions. */
#define state_set(field, value) do { \
	if (sizeof(field) <= sizeof(uint64_t)) \
		undo_save_small(&(field), sizeof(field)); \
	else \
		undo_save(&(field), sizeof(field)); \
	(field) = (value); \
} while (0)

/* The log lies first in the arena, so that this can be inline. */
struct state_log {
	uint64_t used;
	char bytes[];
};
#define STATE_LOG ((struct state_log *)STATE_BASE)
#define STATE_LOG_SIZE (4u << 20)	/* memory only as far as one operation ever filled it */

static inline void undo_save_small(const void *p, size_t size)
{
	uint64_t used = STATE_LOG->used;
	uint64_t *to = (uint64_t *)(STATE_LOG->bytes + used);

	if (__builtin_expect(used + 24 > STATE_LOG_SIZE, 0)) {
		undo_save(p, size);	/* says that the log is full */
		return;
	}
	__builtin_memcpy(to, p, size);
	to[1] = (uint64_t)(uintptr_t)p;
	to[2] = size;
	__asm__ volatile("" ::: "memory");
	STATE_LOG->used = used + 24;
	__asm__ volatile("" ::: "memory");
}

/*
 * Servers whose code knows nothing of the log: compiled with STATE_HOOKS (sysroot/rules.mk) every
 * store calls hook.c, which saves what was there if it lies in the arena or in the shared pages
 * mapped behind it, so an operation is undone without a line for it. malloc and its kin then give
 * arena memory (arena.h). Variables of static storage are STATE and named as STATE_OF(x), from
 * everywhere: state_statics() moves them into the arena. Their stores would not be seen if the
 * compiler knew where they are.
 */
#define STATE __attribute__((section(".state")))
#ifdef STATE_HOOKS
extern long state_shift;
#define STATE_OF(x) (*({ \
	__typeof__(x) *at_ = (__typeof__(x) *)((char *)&(x) + state_shift); \
	__asm__("" : "+r"(at_)); \
	at_; \
}))
#else
#define STATE_OF(x) (x)
#endif
/* For a function that computes much and changes no state. */
#define STATE_UNHOOKED __attribute__((no_sanitize("kernel-address")))
/* Shared objects that the server writes and others read, in the hooks' range: to be mapped here. */
#define STATE_SHARED (STATE_BASE + STATE_SIZE_MAX)
#define STATE_SHARED_SIZE (16ul << 20)

/*
 * After state_open: the STATE variables are the predecessor's, or begin as they were linked. Sets
 * the root. 0 or -ENOMEM.
 */
int state_statics(void);

/* Memory of the arena, with the size remembered. */
void *arena_calloc(size_t n, size_t size) __attribute__((malloc, warn_unused_result));
void *arena_realloc(void *p, size_t size) __attribute__((warn_unused_result));
char *arena_strdup(const char *text) __attribute__((warn_unused_result));
void arena_free(void *p);

/* The block that was allocated last in this operation: stores into it need no log. */
extern uintptr_t state_fresh;
extern size_t state_fresh_size;
/* It, and some before it: worth a look when much is to be stored. */
#define STATE_FRESH 8u
extern struct state_fresh {
	uintptr_t at;
	size_t size;
} state_fresh_also[STATE_FRESH];
extern uint32_t state_fresh_count;	/* of this operation; the table has the last ones */
extern bool state_hooked;	/* memcpy and its kin are to be looked at: after recovery */

/* Tests make a server die here. */
#ifdef STATE_CRASH
void state_crash(void);
#else
static inline void state_crash(void)
{
}
#endif

/* Something was changed since the last commit. */
bool state_dirty(void);
void state_commit(void);
void state_commit_call(uint64_t call, int64_t result);
/* True if `call` was the last one committed; its result in *result (may be NULL). */
bool state_call_done(uint64_t call, int64_t *result);
/* Undoes the current operation: an error was met half-way. */
void state_rollback(void);

#endif
