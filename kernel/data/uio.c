/* SPDX-License-Identifier: MIT */
/* Segments of a transfer. See uio.h. */
#include "data/uio.h"
#include "data/linux.h"
#include "data/operation.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/usercopy.h"

/* One is enough: an operation runs to its end under the kernel lock. */
static struct segment segments[IOV_MAX];

static int64_t piece_put(const struct uio *u, struct thread *t, uint64_t to, const char *from,
			 uint64_t n)
{
	if (!u->kernel)
		return user_write(t, to, from, n);
	memcpy((void *)to, from, n);
	return 0;
}

static int64_t piece_get(const struct uio *u, struct thread *t, char *to, uint64_t from, uint64_t n)
{
	if (!u->kernel)
		return user_read(t, to, from, n);
	memcpy(to, (const void *)from, n);
	return 0;
}

int64_t uio_put(struct uio *u, struct thread *t, const void *from, uint64_t n)
{
	struct segment *s = u->segment;

	for (uint64_t done = 0; done < n; s++) {
		uint64_t piece = smaller(s->size, n - done);
		int64_t r = piece ? piece_put(u, t, s->base, (const char *)from + done, piece) : 0;

		if (r)
			return r;
		done += piece;
	}
	uio_skip(u, n);
	return 0;
}

int64_t uio_get(struct uio *u, struct thread *t, void *to, uint64_t n)
{
	struct segment *s = u->segment;

	for (uint64_t done = 0; done < n; s++) {
		uint64_t piece = smaller(s->size, n - done);
		int64_t r = piece ? piece_get(u, t, (char *)to + done, s->base, piece) : 0;

		if (r)
			return r;
		done += piece;
	}
	uio_skip(u, n);
	return 0;
}

int64_t uio_import(struct uio *u, struct thread *t, uint64_t iov, uint64_t count)
{
	int64_t r;

	count = (uint32_t)count;
	u->segment = segments;
	u->size = 0;
	u->kernel = false;
	if (!count)
		return 0;
	if (count > IOV_MAX)
		return -EINVAL;
	if (!user_range_valid(iov, count * sizeof(segments[0])))
		return -EFAULT;
	r = user_read(t, segments, iov, count * sizeof(segments[0]));
	for (uint64_t i = 0; i < count && !r; i++) {
		struct segment *s = &segments[i];

		if ((int64_t)s->size < 0)
			return -EINVAL;
		if (!user_range_valid(s->base, s->size))
			return -EFAULT;
		s->size = smaller(s->size, RW_MAX - u->size);
		u->size += s->size;
	}
	return r;
}
