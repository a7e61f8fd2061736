/*
 * Copies between the kernel and user memory, and between two users' memory.
 *
 * The fast routine of arch goes first, straight at the loaded space. What it could not copy is done
 * page by page after the page has been resolved like a fault. Another task's memory is reached
 * through the direct map.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mm/usercopy.h"
#include "arch/paging.h"
#include "lib/string.h"
#include "mm/space_priv.h"

/* For a page that is there and still faults: another CPU changed it meanwhile */
#define TRIES 4

/*
 * What a failed resolution means to a system call. A wait that a signal stops passes its restart
 * class on.
 */
static int64_t call_error(int64_t r)
{
	if (r <= -K_RESTART_SYS && r >= -K_RESTART_BLOCK)
		return r;
	return r < 0 && !op_result_is_special(r) && r != -EAGAIN ? -EFAULT : r;
}

int64_t user_resolve(struct thread *t, uint64_t address, bool write)
{
	uint64_t pa;

	return call_error(
		space_resolve(t->task->space, t->task, t, address, write ? RESOLVE_WRITE : 0, &pa));
}

int64_t user_resolve_now(struct thread *t, uint64_t address, bool write)
{
	uint64_t pa;

	return call_error(space_resolve(t->task->space, t->task, NULL, address,
					write ? RESOLVE_WRITE : 0, &pa));
}

static uint64_t within_page(uint64_t address, uint64_t size)
{
	uint64_t n = PAGE_SIZE - (address & PAGE_MASK);

	return n < size ? n : size;
}

/* --- the current thread's own memory ------------------------------------------------------ */

static __attribute__((noinline)) int64_t read_slow(struct thread *t, char *to, uint64_t from,
						   uint64_t size)
{
	unsigned tries = 0;

	while (size) {
		uint64_t n = within_page(from, size), left;
		int64_t error = user_resolve(t, from, false);

		if (error)
			return error;
		left = arch_copy_from_user_fast(to, from, n);
		tries = left == n ? tries + 1 : 0;
		if (tries > TRIES)
			return -EFAULT;
		to += n - left;
		from += n - left;
		size -= n - left;
	}
	return 0;
}

int64_t user_read(struct thread *t, void *to, uint64_t from, uint64_t size)
{
	uint64_t left = arch_copy_from_user_fast(to, from, size);

	if (__builtin_expect(!left, 1))
		return 0;
	return read_slow(t, (char *)to + (size - left), from + (size - left), left);
}

/* from NULL: zeros */
static __attribute__((noinline)) int64_t write_slow(struct thread *t, uint64_t to, const char *from,
						    uint64_t size)
{
	unsigned tries = 0;

	while (size) {
		uint64_t n = within_page(to, size), left;
		int64_t error = user_resolve(t, to, true);

		if (error)
			return error;
		left = arch_copy_to_user_fast(to, from ? from : phys_to_virt(frame_zero_pa), n);
		tries = left == n ? tries + 1 : 0;
		if (tries > TRIES)
			return -EFAULT;
		to += n - left;
		from += from ? n - left : 0;
		size -= n - left;
	}
	return 0;
}

int64_t user_write(struct thread *t, uint64_t to, const void *from, uint64_t size)
{
	uint64_t left = arch_copy_to_user_fast(to, from, size);

	if (__builtin_expect(!left, 1))
		return 0;
	return write_slow(t, to + (size - left), (const char *)from + (size - left), left);
}

int64_t user_zero(struct thread *t, uint64_t to, uint64_t size)
{
	uint64_t left = arch_zero_user_fast(to, size);

	return left ? write_slow(t, to + (size - left), NULL, left) : 0;
}

int64_t user_read_string(struct thread *t, char *to, uint64_t from, uint64_t max)
{
	uint64_t done = 0;

	while (done < max) {
		/*
		 * Never beyond the page: the string may end right before memory that is not there.
		 */
		uint64_t n = within_page(from + done, max - done < 256 ? max - done : 256);
		int64_t error = user_read(t, to + done, from + done, n);
		uint64_t length;

		if (error)
			return error;
		length = strnlen(to + done, n);
		done += length;
		if (length < n)
			return (int64_t)done;
	}
	return -ENAMETOOLONG;
}

int64_t user_prepare_write(struct thread *t, uint64_t to, uint64_t size)
{
	uint64_t end = to + size;

	if (size && (end < to || end > USER_END))
		return -EFAULT;
	for (uint64_t page = to & ~PAGE_MASK; page < end; page += PAGE_SIZE) {
		int64_t error = user_resolve(t, page < to ? to : page, true);

		if (error)
			return error;
	}
	return 0;
}

/* --- any space ---------------------------------------------------------------------------- */

static int64_t page_of(struct space *s, const struct task *limits, uint64_t address, unsigned how,
		       uint64_t *pa)
{
	unsigned flags;

	if (address < USER_END && !s->dead &&
	    arch_query(&s->arch, address & ~PAGE_MASK, pa, &flags) &&
	    (flags & ARCH_MAP_WRITE || !(how & RESOLVE_WRITE)))
		return 0;
	return space_resolve(s, limits, NULL, address, how, pa);
}

int64_t space_page(struct space *s, uint64_t address, bool write, uint64_t *pa)
{
	int64_t r = call_error(page_of(s, NULL, address, write ? RESOLVE_WRITE : 0, pa));

	return r == OP_MEMORY ? -ENOMEM : r;
}

int64_t space_debug_page(struct space *s, uint64_t address, bool write, uint64_t *pa)
{
	int64_t r = call_error(space_resolve(s, NULL, NULL, address,
					     RESOLVE_FORCE | (write ? RESOLVE_WRITE : 0), pa));

	return r == OP_MEMORY ? -ENOMEM : r;
}

/* --- a blocked caller's memory ------------------------------------------------------------ */

static int64_t caller_page(struct thread *caller, uint64_t address, bool write, uint64_t *pa)
{
	int64_t r =
		page_of(caller->task->space, caller->task, address, write ? RESOLVE_WRITE : 0, pa);

	if (!r)
		return 0;
	/* Whoever has to wait for the page, or for memory, is the caller. */
	if (r == -EAGAIN || r == OP_MEMORY) {
		caller->need_page = (address & ~1ul) | write;
		return -K_REDELIVER;
	}
	return -EFAULT;
}

static char *at(uint64_t pa, uint64_t address)
{
	return (char *)phys_to_virt(pa) + (address & PAGE_MASK);
}

/*
 * One piece between the server's memory at `own` and the caller's page. Returns the bytes that
 * went; 0: the server's page had to be brought in, which may have cost the caller his: he is looked
 * up again. Or an error.
 */
static int64_t piece(struct thread *server, uint64_t own, char *page, uint64_t n, bool to_server,
		     unsigned *tries)
{
	uint64_t left = to_server ? arch_copy_to_user_fast(own, page, n) :
				    arch_copy_from_user_fast(page, own, n);
	int64_t error;

	if (__builtin_expect(left < n, 1)) {
		*tries = 0;
		return (int64_t)(n - left);
	}
	error = user_resolve(server, own, to_server);
	return error ? error : ++*tries > TRIES ? -EFAULT : 0;
}

/* `own` is the server's address, `address` the caller's. */
static int64_t remote_copy(struct thread *server, uint64_t own, struct thread *caller,
			   uint64_t address, uint64_t size, bool to_server)
{
	unsigned tries = 0;

	while (size) {
		uint64_t n = within_page(address, size), pa;
		int64_t r = caller_page(caller, address, !to_server, &pa);

		if (r)
			return r;
		if (tries)
			n = within_page(own, n);
		r = piece(server, own, at(pa, address), n, to_server, &tries);
		if (r < 0)
			return r;
		own += (uint64_t)r;
		address += (uint64_t)r;
		size -= (uint64_t)r;
	}
	return 0;
}

int64_t remote_read(struct thread *server, uint64_t to, struct thread *caller, uint64_t from,
		    uint64_t size)
{
	return remote_copy(server, to, caller, from, size, true);
}

int64_t remote_write(struct thread *server, struct thread *caller, uint64_t to, uint64_t from,
		     uint64_t size)
{
	return remote_copy(server, from, caller, to, size, false);
}

int64_t remote_read_string(struct thread *server, uint64_t to, struct thread *caller, uint64_t from,
			   uint64_t max)
{
	uint64_t done = 0;

	while (done < max) {
		uint64_t n = within_page(from + done, max - done), pa, length;
		int64_t error = caller_page(caller, from + done, false, &pa);

		if (error)
			return error;
		length = strnlen(at(pa, from + done), n);
		error = remote_copy(server, to + done, caller, from + done,
				    length < n ? length + 1 : n, true);
		if (error)
			return error;
		done += length;
		if (length < n)
			return (int64_t)done;
	}
	return -ENAMETOOLONG;
}

int64_t remote_prepare_write(struct thread *caller, uint64_t to, uint64_t size)
{
	uint64_t pa;

	while (size) {
		uint64_t n = within_page(to, size);
		int64_t error = caller_page(caller, to, true, &pa);

		if (error)
			return error;
		to += n;
		size -= n;
	}
	return 0;
}

int64_t remote_write_kernel(struct thread *caller, uint64_t to, const void *from, uint64_t size)
{
	const char *source = from;

	while (size) {
		uint64_t n = within_page(to, size), pa;
		int64_t error = caller_page(caller, to, true, &pa);

		if (error)
			return error;
		memcpy(at(pa, to), source, n);
		source += n;
		to += n;
		size -= n;
	}
	return 0;
}

int64_t remote_read_kernel(struct thread *caller, void *to, uint64_t from, uint64_t size)
{
	char *target = to;

	while (size) {
		uint64_t n = within_page(from, size), pa;
		int64_t error = caller_page(caller, from, false, &pa);

		if (error)
			return error;
		memcpy(target, at(pa, from), n);
		target += n;
		from += n;
		size -= n;
	}
	return 0;
}
