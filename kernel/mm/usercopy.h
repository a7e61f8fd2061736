/* SPDX-License-Identifier: MIT */
/*
 * Copies between the kernel and user memory.
 *
 * user_*: the current thread's own space, which is loaded. Resolve anonymous and copy-on-write
 * faults on the spot. Return 0, -EFAULT, OP_BLOCK (t waits on a pager; run the operation again),
 * OP_MEMORY. Partial copies may have happened. remote_*: another thread's memory, through the
 * direct map. `caller` is blocked (HELD) and is never touched unless the result is -K_REDELIVER,
 * which says that caller->need_page is set and the caller must fault that page in first.
 */
#ifndef TROUPE_MM_USERCOPY_H
#define TROUPE_MM_USERCOPY_H

#include "core/thread.h"
#include "mm/space.h"

int64_t user_read(struct thread *t, void *to, uint64_t from, uint64_t size);
int64_t user_write(struct thread *t, uint64_t to, const void *from, uint64_t size);
int64_t user_zero(struct thread *t, uint64_t to, uint64_t size);
/* Length without NUL; -ENAMETOOLONG if there is none in max bytes. */
int64_t user_read_string(struct thread *t, char *to, uint64_t from, uint64_t max);
/*
 * Makes [to, to+size) writable-present without copying, so that a later user_write cannot fail.
 * size <= 2 pages.
 */
int64_t user_prepare_write(struct thread *t, uint64_t to, uint64_t size);

/* Makes one page accessible, as its fault would: 0, -EFAULT, OP_BLOCK, OP_MEMORY. */
RARELY int64_t user_resolve(struct thread *t, uint64_t address, bool write);
/* Never waits: EAGAIN instead of OP_BLOCK. */
int64_t user_resolve_now(struct thread *t, uint64_t address, bool write);

/*
 * Frame behind a user address of any space, resolved as a fault would be; never waits: 0 and *pa
 * (page address), EFAULT, ENOMEM, EAGAIN (a pager is needed).
 */
int64_t space_page(struct space *s, uint64_t address, bool write, uint64_t *pa);
/*
 * The same whatever the rights: a debugger reads PROT_NONE memory and writes (a private copy of)
 * text. EFAULT for writing to a shared read-only mapping.
 */
int64_t space_debug_page(struct space *s, uint64_t address, bool write, uint64_t *pa);
/*
 * What an address is to a futex: in shared memory *m and the offset in it, in private memory *m
 * NULL and the address. False: nothing is mapped there. No reference is taken.
 */
bool space_identify(struct space *s, uint64_t address, struct mobject **m, uint64_t *offset);

/*
 * caller's memory <-> server's memory (server is the current thread). 0, -EFAULT, -K_REDELIVER, or
 * OP_* about the server's own pages.
 */
int64_t remote_read(struct thread *server, uint64_t to, struct thread *caller, uint64_t from,
		    uint64_t size);
int64_t remote_write(struct thread *server, struct thread *caller, uint64_t to, uint64_t from,
		     uint64_t size);
int64_t remote_read_string(struct thread *server, uint64_t to, struct thread *caller, uint64_t from,
			   uint64_t max);
/*
 * kernel buffer -> caller's memory; prepare resolves all pages first so that the following write
 * cannot fail.
 */
RARELY int64_t remote_prepare_write(struct thread *caller, uint64_t to, uint64_t size);
int64_t remote_write_kernel(struct thread *caller, uint64_t to, const void *from, uint64_t size);
int64_t remote_read_kernel(struct thread *caller, void *to, uint64_t from, uint64_t size);

#endif
