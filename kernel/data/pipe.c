/* SPDX-License-Identifier: MIT */
/*
 * Pipes. Layout and invariant: pipe_priv.h.
 *
 * Wake-ups: one reader per write, one writer per freed page; who is woken and does not use
 * everything (or cannot, because he is killed) wakes the next when his call ends (pipe_pass).
 * Whoever waits does so because there was nothing for him when he looked, under the same lock, so
 * nothing is lost. The last writer or reader to go wakes everybody. What a server does with a pipe
 * is in pipe_server.c.
 */
#include "data/pipe_priv.h"
#include "arch/paging.h"
#include "core/account.h"
#include "data/linux.h"
#include "data/operation.h"
#include "data/uio.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"

static uint32_t slots_for(uint64_t capacity)
{
	uint32_t slots = 1;

	while (slots * PAGE_SIZE < capacity)
		slots *= 2;
	return slots;
}

int pipe_create(struct account *payer, size_t capacity, bool packets, struct pipe **out)
{
	struct pipe *p;

	if (capacity > PIPE_MAX)
		return -EINVAL;
	p = kzalloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->slots = slots_for(capacity);
	p->frame = kzalloc(p->slots * sizeof(*p->frame));
	if (packets)
		p->length = kzalloc(p->slots * sizeof(*p->length));
	if (!p->frame || (packets && !p->length)) {
		kfree(p->length);
		kfree(p->frame);
		kfree(p);
		return -ENOMEM;
	}
	object_init(&p->object, K_OBJECT_PIPE);
	p->payer = payer;
	if (payer)
		object_get(&payer->object);
	wait_queue_init(&p->read_wait);
	wait_queue_init(&p->write_wait);
	source_init(&p->read_source, 0);
	source_init(&p->write_source, 0);
	notice_init(&p->notice, pipe_notice_fill);
	*out = p;
	return 0;
}

/* Gives all pages back, but `keep` of the first slot. */
static void pipe_trim(struct pipe *p, uint32_t keep)
{
	for (uint32_t i = keep; i < p->slots && p->frames > keep; i++) {
		if (!p->frame[i])
			continue;
		frame_put(p->frame[i]);
		p->frame[i] = 0;
		p->frames--;
	}
}

void pipe_destroy(struct object *o)
{
	struct pipe *p = pipe_of(o);

	pipe_bind(p, NULL, 0);
	source_fini(&p->read_source);
	source_fini(&p->write_source);
	pipe_trim(p, 0);
	kfree(p->frame);
	kfree(p->length);
	if (p->payer)
		object_put(&p->payer->object);
	kfree(p);
}

struct object *pipe_object(struct pipe *p)
{
	return &p->object;
}

struct pipe *pipe_of(struct object *o)
{
	return container_of(o, struct pipe, object);
}

struct source *pipe_read_source(struct pipe *p)
{
	return &p->read_source;
}

struct source *pipe_write_source(struct pipe *p)
{
	return &p->write_source;
}

uint32_t pipe_writers_seen(const struct pipe *p)
{
	return p->writers_seen;
}

bool pipe_at_end(const struct pipe *p)
{
	return !p->writers;
}

bool pipe_broken(const struct pipe *p)
{
	return !p->readers;
}

uint64_t pipe_capacity(const struct pipe *p)
{
	return p->slots * PAGE_SIZE;
}

uint64_t pipe_bytes(const struct pipe *p)
{
	uint64_t bytes = 0;

	if (!p->length)
		return p->tail - p->head;
	for (uint64_t at = p->head; at != p->tail; at += PAGE_SIZE)
		bytes += p->length[pipe_slot(p, at)];
	return bytes;
}

/* --- readiness and wake-ups --------------------------------------------------------------- */

/*
 * An account that has used most of what it may must not be drained by those whose readers are slow:
 * its pipes then hold two pages each, and one when it has used nearly all, so that everybody goes
 * on in small steps and the payer keeps room for itself.
 */
static bool payer_has_left(const struct pipe *p, uint32_t part)
{
	const struct account *a = p->payer;

	return !a || !a->limit.frames || a->frames <= a->limit.frames - a->limit.frames / part;
}

static bool pipe_scarce(const struct pipe *p)
{
	return !payer_has_left(p, 4);
}

uint64_t pipe_capacity_now(const struct pipe *p)
{
	uint64_t most = !pipe_scarce(p) ? p->slots : payer_has_left(p, 8) ? 2 : 1;

	return smaller(p->slots, most) * PAGE_SIZE;
}

uint64_t pipe_room(const struct pipe *p)
{
	uint64_t end = (p->head & ~PAGE_MASK) + pipe_capacity_now(p);

	return end > p->tail ? end - p->tail : 0;
}

uint32_t pipe_read_ready(const struct pipe *p, uint32_t writers_seen)
{
	return (p->head != p->tail ? POLL_IN : 0) |
	       (!p->writers && p->writers_seen != writers_seen ? POLLHUP : 0);
}

uint32_t pipe_write_ready(const struct pipe *p)
{
	return (pipe_room(p) >= PIPE_BUF ? POLL_OUT : 0) | (p->readers ? 0 : POLLERR);
}

void pipe_written(struct pipe *p)
{
	if (!list_empty(&p->read_wait.waiters))
		wait_queue_wake(&p->read_wait, 1);
	source_notify(&p->read_source, POLL_IN);
	pipe_event(p, K_PIPE_DATA);
}

void pipe_drained(struct pipe *p)
{
	pipe_event(p, K_PIPE_ROOM);
	if (pipe_room(p) < PIPE_BUF)
		return;
	if (!list_empty(&p->write_wait.waiters))
		wait_queue_wake(&p->write_wait, 1);
	source_notify(&p->write_source, POLL_OUT);
}

void pipe_pass(struct pipe *p)
{
	if (p->head != p->tail && !list_empty(&p->read_wait.waiters))
		wait_queue_wake(&p->read_wait, 1);
	if (pipe_room(p) >= PIPE_BUF && !list_empty(&p->write_wait.waiters))
		wait_queue_wake(&p->write_wait, 1);
}

void pipe_open(struct pipe *p, bool read, bool write)
{
	p->readers += read;
	p->writers += write;
	p->writers_seen += write;
}

void pipe_close(struct pipe *p, bool read, bool write)
{
	p->readers -= read;
	p->writers -= write;
	if (write && !p->writers) {
		wait_queue_wake(&p->read_wait, INT32_MAX);
		source_notify(&p->read_source, POLL_IN | POLLHUP | POLLRDHUP);
	}
	if (read && !p->readers) {
		wait_queue_wake(&p->write_wait, INT32_MAX);
		source_notify(&p->write_source, POLL_OUT | POLLERR | POLLHUP);
	}
	if (!p->readers && !p->writers) {	/* nobody can have what is in it */
		p->before += p->tail;
		p->head = p->tail = 0;
		pipe_trim(p, 0);
	}
	pipe_event(p, K_PIPE_NO_READERS | K_PIPE_NO_WRITERS | K_PIPE_ROOM);
}

void pipe_rerun_readers(struct pipe *p)
{
	wait_queue_wake(&p->read_wait, INT32_MAX);
}

void pipe_rerun_writers(struct pipe *p)
{
	wait_queue_wake(&p->write_wait, INT32_MAX);
}

/* --- reading ------------------------------------------------------------------------------ */

static void pipe_emptied(struct pipe *p)
{
	p->before += p->tail;
	p->head = p->tail = 0;
	if (p->frames > 1)
		pipe_trim(p, 1);
}

char *pipe_at(const struct pipe *p, uint64_t position)
{
	return (char *)phys_to_virt(p->frame[pipe_slot(p, position)]) + (position & PAGE_MASK);
}

/* Gives back the page at this position. */
static void page_release(struct pipe *p, uint64_t position)
{
	uint64_t *frame = &p->frame[pipe_slot(p, position)];

	frame_put(*frame);
	*frame = 0;
	p->frames--;
}

/* What there is goes to u: 0, or what stopped it. *moved counts bytes. */
static int64_t take_bytes(struct pipe *p, struct thread *t, struct uio *u, uint64_t *moved)
{
	while (u->size && p->head != p->tail) {
		uint64_t n = smaller(smaller(u->size, p->tail - p->head),
				     PAGE_SIZE - (p->head & PAGE_MASK));
		int64_t r = uio_put(u, t, pipe_at(p, p->head), n);

		if (r)
			return r;
		p->head += n;
		*moved += n;
		if (!(p->head & PAGE_MASK) && pipe_scarce(p))
			page_release(p, p->head - PAGE_SIZE);
	}
	return 0;
}

/* One packet; what does not fit is lost. */
static int64_t take_packet(struct pipe *p, struct thread *t, struct uio *u, uint64_t *moved)
{
	uint64_t n = smaller(u->size, p->length[pipe_slot(p, p->head)]);
	int64_t r = uio_put(u, t, pipe_at(p, p->head), n);

	if (r)
		return r;
	p->head += PAGE_SIZE;
	*moved += n;
	return 0;
}

int64_t pipe_take(struct pipe *p, struct thread *t, struct uio *u, uint64_t *moved)
{
	uint64_t before = *moved;
	int64_t r = p->length ? take_packet(p, t, u, moved) : take_bytes(p, t, u, moved);

	if (p->head == p->tail)
		pipe_emptied(p);
	if (*moved != before)
		pipe_drained(p);
	return r;
}

uint64_t pipe_drop(struct pipe *p, uint64_t n)
{
	n = smaller(n, p->length ? pipe_packet(p) : p->tail - p->head);
	if (!n)
		return 0;
	p->head += p->length ? PAGE_SIZE : n;
	if (p->head == p->tail)
		pipe_emptied(p);
	pipe_drained(p);
	return n;
}

int64_t pipe_read(struct pipe *p, struct thread *t, struct uio *u, bool nonblock)
{
	int64_t r;

	if (!u->size)
		return (int64_t)t->progress.done;
	if (p->head == p->tail) {
		if (t->progress.done || !p->writers)
			return (int64_t)t->progress.done;
		if (nonblock)
			return -EAGAIN;
		return wait_on(t, &p->read_wait, K_WAIT_PIPE, K_RESTART_SYS);
	}
	r = pipe_take(p, t, u, &t->progress.done);
	if (op_result_is_special(r) || !t->progress.done)
		return r;
	return (int64_t)t->progress.done;
}

/* --- writing ------------------------------------------------------------------------------ */

/* Makes sure that the page at this position is there. */
static int page_need(struct pipe *p, uint64_t position)
{
	uint64_t *frame = &p->frame[pipe_slot(p, position)];
	int r;

	if (*frame)
		return 0;
	r = frame_alloc(p->payer, 0, frame);
	if (r) {
		*frame = 0;
		return -ENOMEM;
	}
	p->frames++;
	return 0;
}

/* n <= room bytes; tail moves with each piece, or with `whole` at the end. */
static int64_t put_bytes(struct pipe *p, struct thread *t, struct uio *u, uint64_t n, bool whole,
			 uint64_t *moved)
{
	uint64_t at = p->tail, end = at + n;

	while (at < end) {
		uint64_t piece = smaller(end - at, PAGE_SIZE - (at & PAGE_MASK));
		int64_t r = page_need(p, at);

		if (!r)
			r = uio_get(u, t, pipe_at(p, at), piece);
		if (r)
			return r;
		at += piece;
		if (!whole || at == end) {
			*moved += at - p->tail;
			p->tail = at;
		}
	}
	return 0;
}

static int64_t put_packets(struct pipe *p, struct thread *t, struct uio *u, uint64_t *moved)
{
	while (u->size && pipe_room(p)) {
		uint64_t n = smaller(u->size, PAGE_SIZE);
		int64_t r = page_need(p, p->tail);

		if (!r)
			r = uio_get(u, t, pipe_at(p, p->tail), n);
		if (r)
			return r;
		p->length[pipe_slot(p, p->tail)] = (uint16_t)n;
		p->tail += PAGE_SIZE;
		*moved += n;
	}
	return 0;
}

int64_t pipe_put(struct pipe *p, struct thread *t, struct uio *u, bool whole, uint64_t *moved)
{
	uint64_t room = pipe_room(p), before = *moved;
	int64_t r;

	if (!p->readers)
		return -EPIPE;
	if (!room || (whole && !p->length && room < u->size))
		return -EAGAIN;
	if (p->length)
		r = put_packets(p, t, u, moved);
	else
		r = put_bytes(p, t, u, smaller(room, u->size), whole, moved);
	if (*moved != before)
		pipe_written(p);
	return r;
}

int64_t pipe_wait_writable(struct pipe *p, struct thread *t)
{
	return wait_on(t, &p->write_wait, K_WAIT_PIPE, K_RESTART_SYS);
}

int64_t pipe_write(struct pipe *p, struct thread *t, struct uio *u, bool nonblock)
{
	uint64_t *done = &t->progress.done;
	bool whole = !*done && u->size <= PIPE_BUF;

	while (u->size) {
		int64_t r = pipe_put(p, t, u, whole, done);

		if (!r)
			continue;
		if (r == -EPIPE)
			return op_decline(t, EPIPE);
		if (r == -ENOMEM && !*done && p->payer && p->payer->limit.frames)
			return op_decline(
				t, ENOMEM); /* its server knows when there will be some again */
		if (r == -EAGAIN && !nonblock)
			return pipe_wait_writable(p, t);
		return *done && !op_result_is_special(r) ? (int64_t)*done : r;
	}
	return (int64_t)*done;
}

/* --- size --------------------------------------------------------------------------------- */

int pipe_resize(struct pipe *p, uint64_t capacity)
{
	uint32_t used = (uint32_t)((p->tail - (p->head & ~PAGE_MASK) + PAGE_MASK) >> PAGE_SHIFT);
	uint32_t slots = slots_for(smaller(capacity, PIPE_MAX));
	uint16_t *length = NULL;
	uint64_t *frame;

	if (!capacity || capacity > 1ul << 31)
		return -EINVAL;
	if (capacity > PIPE_MAX)
		return -EPERM;
	if (used > slots)
		return -EBUSY;
	frame = kzalloc(slots * sizeof(*frame));
	if (p->length)
		length = kzalloc(slots * sizeof(*length));
	if (!frame || (p->length && !length)) {
		kfree(frame);
		kfree(length);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < used; i++) {
		uint32_t old = pipe_slot(p, p->head + i * PAGE_SIZE);

		frame[i] = p->frame[old];
		p->frame[old] = 0;
		if (length)
			length[i] = p->length[old];
	}
	p->frames -= used;
	pipe_trim(p, 0);
	p->frames = used;
	kfree(p->frame);
	kfree(p->length);
	p->frame = frame;
	p->length = length;
	p->before += p->head & ~PAGE_MASK;
	p->tail -= p->head & ~PAGE_MASK;
	p->head &= PAGE_MASK;
	p->slots = slots;
	pipe_drained(p);
	return 0;
}
