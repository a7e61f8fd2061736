/* SPDX-License-Identifier: MIT */
/*
 * Where the bytes of a transfer are: segments of the current thread's memory, or of kernel memory
 * (sendfile). Copies take all of n or fail and then leave the uio where it was; what they copied
 * before failing is harmless.
 */
#ifndef TROUPE_DATA_UIO_H
#define TROUPE_DATA_UIO_H

#include "core/thread.h"

struct segment {
	uint64_t base, size;
};

struct uio {
	struct segment *segment;	/* the one that is under way; moves on */
	uint64_t size;			/* bytes left in all */
	bool kernel;			/* addresses are the kernel's */
};

/* Goes on by n <= size bytes. */
static inline void uio_skip(struct uio *u, uint64_t n)
{
	u->size -= n;
	while (n > u->segment->size) {
		n -= u->segment->size;
		u->segment++;
	}
	u->segment->base += n;
	u->segment->size -= n;
}

/* Bytes that lie together at *base; size is not 0. */
static inline uint64_t uio_contiguous(struct uio *u, uint64_t *base)
{
	while (!u->segment->size)
		u->segment++;
	*base = u->segment->base;
	return u->segment->size < u->size ? u->segment->size : u->size;
}

/* 0, -EFAULT, OP_*. */
int64_t uio_put(struct uio *u, struct thread *t, const void *from, uint64_t n);	/* kernel to uio */
int64_t uio_get(struct uio *u, struct thread *t, void *to, uint64_t n);		/* uio to kernel */
/*
 * An iovec array of user space into `*u`: 0 and at most RW_MAX bytes; EINVAL, EFAULT, OP_*. The
 * segments are in the kernel's one buffer and good until the operation returns.
 */
int64_t uio_import(struct uio *u, struct thread *t, uint64_t iov, uint64_t count);

#endif
