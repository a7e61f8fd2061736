/* SPDX-License-Identifier: MIT */
/*
 * The kernel, played for a server under test (kernel_mock.h). Single-threaded and simple: all calls
 * arrive through k_syscall6().
 */
#include "kernel_mock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "calls.h"
#include "state.h"

#define HANDLES 4096
#define CALLERS 16
#define DATA_MAX (16ul << 20)	/* what lies beyond is a hole for ever */

struct mock_object {
	enum k_object_type type;
	unsigned references;
	uint64_t id;
	/* memory object */
	char *data;
	uint64_t size;
	bool arena, shared;
	uint64_t mtime;
	/* description */
	struct k_description d;
	struct mock_object *plane[2], *source;
	/* source */
	uint32_t bits;
	/* pipe: data, size as above */
	uint64_t capacity, taken;
	uint32_t readers, writers, held, armed;
	uint64_t cookie;
	bool notice;
};

uint64_t mock_calls, mock_kill_at;
jmp_buf mock_death;

static struct mock_object *handle[HANDLES];
static struct mock_caller *callers[CALLERS];
static unsigned caller_count;
static uint64_t next_call = 1, next_id = 1;
static uint64_t counts[K_OBJECT_TYPES];
static uint64_t closed[HANDLES];
static unsigned closed_count;
static struct k_message *incoming;
static struct k_message incoming_store;

/* Objects that outlive a test are the mock's own: nobody looks for leaks among them. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* --- objects ------------------------------------------------------------------------------ */

#define PIPES 256
static struct mock_object *pipes[PIPES];

static void pipe_count(struct mock_object *p, uint32_t ends, int delta);

static struct mock_object *object_new(enum k_object_type type)
{
	struct mock_object *o = calloc(1, sizeof *o);

	for (int i = 0; type == K_OBJECT_PIPE && i < PIPES; i++) {
		if (!pipes[i]) {
			pipes[i] = o;
			break;
		}
	}

	o->type = type;
	o->references = 1;
	o->id = next_id++;
	counts[type]++;
	return o;
}

static void object_put(struct mock_object *o)
{
	if (!o || --o->references)
		return;
	counts[o->type]--;
	for (int i = 0; o->type == K_OBJECT_PIPE && i < PIPES; i++) {
		if (pipes[i] == o)
			pipes[i] = NULL;
	}
	if (o->type == K_OBJECT_DESCRIPTION) {
		if (!(o->d.flags & K_DESCRIPTION_QUIET))
			closed[closed_count++] = o->d.cookie;
		if (o->d.plane == K_PLANE_SOCKET) {
			pipe_count(o->plane[0], K_PIPE_READER, -1);
			pipe_count(o->plane[1], K_PIPE_WRITER, -1);
		}
		object_put(o->plane[0]);
		object_put(o->plane[1]);
		object_put(o->source);
	}
	if (!o->arena && !o->shared)
		free(o->data);
	free(o);
}

static int give(struct mock_object *o)
{
	for (int i = 0; i < HANDLES; i++) {
		if (!handle[i]) {
			handle[i] = o;
			return i;
		}
	}
	abort();
}

static struct mock_object *get(long h, enum k_object_type type)
{
	if (h < 0 || h >= HANDLES || !handle[h] || (type && handle[h]->type != type))
		return NULL;
	return handle[h];
}

static struct mock_caller *caller_of(uint64_t call)
{
	for (unsigned i = 0; i < caller_count; i++) {
		if (callers[i]->call == call && callers[i]->state == MOCK_HELD)
			return callers[i];
	}
	return NULL;
}

static void resize(struct mock_object *o, uint64_t size)
{
	uint64_t had = o->size < DATA_MAX ? o->size : DATA_MAX,
		 room = size < DATA_MAX ? size : DATA_MAX;

	if (!o->arena) {
		o->data = realloc(o->data, room ? room : 1);
		if (room > had)
			memset(o->data + had, 0, room - had);
	}
	o->size = size;
}

/* --- pipes -------------------------------------------------------------------------------- */

static void pipe_event(struct mock_object *p)
{
	uint32_t now = (p->size ? K_PIPE_DATA : 0) |
		       (p->capacity - p->size >= p->capacity / 2 ? K_PIPE_ROOM : 0) |
		       (p->readers ? 0 : K_PIPE_NO_READERS) | (p->writers ? 0 : K_PIPE_NO_WRITERS);

	if (now & p->armed) {
		p->armed = 0;
		p->notice = true;
	}
}

static void pipe_count(struct mock_object *p, uint32_t ends, int delta)
{
	if (ends & K_PIPE_READER)
		p->readers += (uint32_t)delta;
	if (ends & K_PIPE_WRITER)
		p->writers += (uint32_t)delta;
	if (!p->readers && !p->writers) {
		p->taken += p->size;
		p->size = 0;
	}
	pipe_event(p);
}

static long pipe_take(struct mock_object *p, void *to, uint64_t n, uint32_t flags, uint64_t skip)
{
	if (flags & K_PIPE_AT) {
		if (skip != p->taken)
			return -EAGAIN;
		skip = 0;
	}
	if (p->size <= skip)
		return p->writers ? -EAGAIN : 0;
	if (n > p->size - skip)
		n = p->size - skip;
	if (to)
		memcpy(to, p->data + skip, n);
	if (!(flags & K_PIPE_PEEK)) {
		memmove(p->data, p->data + n, p->size - n);
		p->size -= n;
		p->taken += n;
		pipe_event(p);
	}
	return (long)n;
}

static long pipe_put(struct mock_object *p, const void *from, uint64_t n)
{
	if (!p->readers)
		return -EPIPE;
	if (p->size == p->capacity)
		return -EAGAIN;
	if (n > p->capacity - p->size)
		n = p->capacity - p->size;
	memcpy(p->data + p->size, from, n);
	p->size += n;
	pipe_event(p);
	return (long)n;
}

static long pipe_native(long n, struct mock_object *p, long b, long c, long d, long e)
{
	if (!p)
		return -EBADF;
	switch (n) {
	case K_NATIVE_pipe_hold:
		pipe_count(p, (uint32_t)b & ~p->held, 1);
		pipe_count(p, p->held & ~(uint32_t)b, -1);
		p->held = (uint32_t)b;
		return 0;
	case K_NATIVE_pipe_read:
		return pipe_take(p, (void *)b, (uint64_t)c, (uint32_t)d, (uint64_t)e);
	case K_NATIVE_pipe_write:
		return pipe_put(p, (const void *)b, (uint64_t)c);
	case K_NATIVE_pipe_info:
		*(struct k_pipe_info *)b = (struct k_pipe_info){ .bytes = p->size,
								 .room = p->capacity - p->size,
								 .capacity = p->capacity,
								 .readers = p->readers,
								 .writers = p->writers,
								 .put = p->taken + p->size,
								 .taken = p->taken };
		return 0;
	case K_NATIVE_pipe_bind:
		p->cookie = (uint64_t)c;
		p->armed = 0;
		p->notice = false;
		return 0;
	default:
		p->notice = false;
		p->armed = (uint32_t)b;
		pipe_event(p);
		return 0;
	}
}

static struct mock_object *pipe_new(uint64_t capacity)
{
	struct mock_object *p = object_new(K_OBJECT_PIPE);

	p->capacity = capacity;
	p->data = malloc(capacity);
	return p;
}

/* The next one whose notice is due. */
static struct mock_object *pipe_noticed(void)
{
	for (int i = 0; i < PIPES; i++) {
		if (pipes[i] && pipes[i]->notice)
			return pipes[i];
	}
	return NULL;
}

/* --- powers over callers ------------------------------------------------------------------ */

static struct {
	uint64_t base, size;
} ranges[4];
static unsigned range_count;

void mock_memory(const void *base, uint64_t size)
{
	ranges[range_count].base = (uint64_t)(uintptr_t)base;
	ranges[range_count++].size = size;
}

static bool bad(uint64_t address)
{
	for (unsigned i = 0; i < range_count; i++) {
		/* (the longest copy must fit) */
		if (address - ranges[i].base < ranges[i].size - 65536)
			return false;
	}
	if (range_count)
		return true;
	return address < MOCK_BAD || address >= 1ull << 47;
}

static long read_string(struct mock_caller *c, char *to, uint64_t from, size_t max)
{
	(void)c;
	if (bad(from))
		return -EFAULT;
	for (size_t i = 0; i < max; i++) {
		to[i] = ((const char *)from)[i];
		if (!to[i])
			return (long)i;
	}
	return -ENAMETOOLONG;
}

static long cookie_of(struct mock_caller *c, long fd, struct k_caller_cookie *out)
{
	struct mock_object *o = fd >= 0 && fd < MOCK_FDS ? c->fd[fd] : NULL;

	if (!o)
		return -EBADF;
	memset(out, 0, sizeof *out);
	out->own = o->d.pad == 0;
	out->cookie = out->own ? o->d.cookie : 0;
	out->id = o->id;
	out->status = o->d.status;
	out->plane = o->d.plane;
	out->offset = o->d.offset;
	return 0;
}

static long install(struct mock_caller *c, const struct k_answer_install *i, int64_t *result)
{
	struct mock_object *o = get(i->handle, K_OBJECT_DESCRIPTION), **slot = NULL;

	if (!o)
		return -EBADF;
	if (i->flags & (K_INSTALL_CWD | K_INSTALL_ROOT)) {
		slot = i->flags & K_INSTALL_CWD ? &c->cwd : &c->root;
		object_put(*slot);
	} else {
		int fd = (int)i->min;

		while (fd < MOCK_FDS && c->fd[fd])
			fd++;
		if (fd == MOCK_FDS)
			return -EMFILE;
		slot = &c->fd[fd];
		c->cloexec[fd] = i->flags & K_INSTALL_CLOEXEC;
		if (i->fd_to)
			*(int *)i->fd_to = fd;
		else
			*result = fd;
	}
	*slot = o;
	if (i->flags & K_INSTALL_KEEP)
		o->references++;
	else
		handle[i->handle] = NULL;
	return 0;
}

static long answer(const struct k_answer *a)
{
	struct mock_caller *c = caller_of(a->call);
	int64_t result = a->result;

	if (!c)
		return -ESRCH;
	for (int i = 0; i < a->copies; i++) {
		if (bad(a->copy[i].to))
			return -EFAULT;
	}
	for (int i = 0; i < a->installs; i++) {
		if (a->install[i].fd_to && bad(a->install[i].fd_to))
			return -EFAULT;
	}
	for (int i = 0; i < a->installs; i++) {
		long e = install(c, &a->install[i], &result);

		if (e)
			return e;	/* (a first one of two stays: enough for tests) */
	}
	for (int i = 0; i < a->copies; i++)
		memcpy((void *)a->copy[i].to, a->copy[i].from, a->copy[i].size);
	c->result = result;
	c->state = MOCK_ANSWERED;
	return 0;
}

static void attach(struct mock_caller *c, int i, int h)
{
	object_put(c->attached[i]);
	c->attached[i] = NULL;
	if (h >= 0) {
		c->attached[i] = handle[h];
		handle[h] = NULL;
	}
}

static long forward(const struct k_forward *f)
{
	struct mock_caller *c = caller_of(f->call);

	if (!c)
		return -ESRCH;
	c->number = f->flags & K_FORWARD_ARGS ? f->number : c->message.number;
	memcpy(c->arg, f->flags & K_FORWARD_ARGS ? f->arg : c->message.arg, sizeof c->arg);
	c->state = f->flags & K_FORWARD_KERNEL ? MOCK_KERNEL : MOCK_FORWARDED;
	attach(c, 0, f->handle[0]);
	attach(c, 1, f->handle[1]);
	if (f->scratch_size) {
		memcpy(c->scratch, f->scratch, f->scratch_size);
		c->scratch_size = f->scratch_size;
	}
	return 0;
}

static long attached(struct mock_caller *c, long i)
{
	struct mock_object *o = c->attached[i];

	if (!o)
		return -ENOENT;
	o->references++;
	return give(o);
}

/* --- receive ------------------------------------------------------------------------------ */

static long receive(const struct k_answer *a, struct k_message *m)
{
	long e = a ? answer(a) : 0;

	if (e)
		return e;
	memset(m, 0, sizeof *m);
	if (incoming) {
		*m = *incoming;
		incoming = NULL;
	} else if (closed_count) {
		m->kind = K_MSG_CLOSED;
	} else if (pipe_noticed()) {
		m->kind = K_MSG_PIPE;
		m->cookie = pipe_noticed()->cookie;
		pipe_noticed()->notice = false;
	} else {
		return -ETIMEDOUT;
	}
	while (closed_count && m->closed_count < K_CLOSED_BATCH) {
		m->closed[m->closed_count++] = closed[0];
		memmove(closed, closed + 1, --closed_count * sizeof closed[0]);
	}
	return 0;
}

/* --- objects by call ---------------------------------------------------------------------- */

static long description_create(const struct k_description *d)
{
	struct mock_object *o = object_new(K_OBJECT_DESCRIPTION);

	o->d = *d;
	o->d.pad = 0;
	if (d->object >= 0 && (o->plane[0] = get(d->object, K_OBJECT_NONE)))
		o->plane[0]->references++;
	if (d->object2 >= 0 && (o->plane[1] = get(d->object2, K_OBJECT_NONE)))
		o->plane[1]->references++;
	if (d->source >= 0 && (o->source = get(d->source, K_OBJECT_SOURCE)))
		o->source->references++;
	if (d->plane == K_PLANE_SOCKET) {
		pipe_count(o->plane[0], K_PIPE_READER, 1);
		pipe_count(o->plane[1], K_PIPE_WRITER, 1);
	}
	return give(o);
}

/* caller_take, caller_install */
static long take(struct mock_caller *c, long fd)
{
	if (!c)
		return -ESRCH;
	if (fd < 0 || fd >= MOCK_FDS || !c->fd[fd])
		return -EBADF;
	c->fd[fd]->references++;
	return give(c->fd[fd]);
}

static long install_now(struct mock_caller *c, long h, long flags, long min)
{
	const struct k_answer_install i = { .handle = (int32_t)h,
					    .flags = (uint32_t)flags,
					    .min = (uint32_t)min };
	int64_t result = -ESRCH;
	long e = c ? install(c, &i, &result) : 0;

	return e ? e : (long)result;
}

static long mobject_clone(long parent, uint64_t offset, uint64_t size)
{
	struct mock_object *from = get(parent, K_OBJECT_MOBJECT), *o;

	if (!from || offset + size > from->size)
		return -EINVAL;
	o = object_new(K_OBJECT_MOBJECT);
	resize(o, size);
	memcpy(o->data, from->data + offset, size);
	return give(o);
}

static long mobject_write(struct mock_object *o, uint64_t offset, const void *from, size_t n)
{
	if (offset + n > o->size)
		resize(o, offset + n);
	if (offset + n <= DATA_MAX)
		memcpy(o->data + offset, from, n);
	return (long)n;
}

static long mobject_read(struct mock_object *o, uint64_t offset, void *to, size_t n)
{
	if (offset >= o->size)
		return 0;
	if (n > o->size - offset)
		n = o->size - offset;
	if (offset + n <= DATA_MAX)
		memcpy(to, o->data + offset, n);
	else
		memset(to, 0, n);
	return (long)n;
}

static long mobject_punch(struct mock_object *o, uint64_t offset, uint64_t n)
{
	uint64_t end = o->size < DATA_MAX ? o->size : DATA_MAX;

	if (offset < end)
		memset(o->data + offset, 0, n < end - offset ? n : end - offset);
	return 0;
}

static long space_map(struct k_map *m)
{
	struct mock_object *o = get(m->object, K_OBJECT_MOBJECT);
	static bool arena_mapped;

	if (!o)
		return -EBADF;
	if (m->address == STATE_BASE) {
		if (!arena_mapped &&
		    mmap((void *)STATE_BASE, 256u << 20, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
			 0) == MAP_FAILED)
			return -ENOMEM;
		arena_mapped = true;
		o->arena = true;
		return 0;
	}
	m->address = (uint64_t)(uintptr_t)o->data;
	return 0;
}

static long descriptions(uint64_t *from, uint64_t *cookies, size_t max)
{
	size_t n = 0;

	if (*from)
		return 0;
	*from = 1;
	for (int i = 0; i < HANDLES; i++) {
		if (get(i, K_OBJECT_DESCRIPTION) && n < max)
			cookies[n++] = handle[i]->d.cookie;
	}
	for (unsigned i = 0; i < caller_count; i++) {
		for (int fd = -2; fd < MOCK_FDS; fd++) {
			struct mock_object *o = fd == -2 ? callers[i]->cwd :
						fd == -1 ? callers[i]->root :
							   callers[i]->fd[fd];

			if (o && n < max)
				cookies[n++] = o->d.cookie;
		}
		for (int a = 0; a < 2; a++) {
			if (callers[i]->attached[a] &&
			    callers[i]->attached[a]->type == K_OBJECT_DESCRIPTION && n < max)
				cookies[n++] = callers[i]->attached[a]->d.cookie;
		}
	}
	return (long)n;
}

static long mobject_call(long n, struct mock_object *o, long b, long c, long d)
{
	if (!o)
		return -EBADF;
	switch (n) {
	case K_NATIVE_mobject_read:
		return mobject_read(o, (uint64_t)b, (void *)c, (size_t)d);
	case K_NATIVE_mobject_write:
		return mobject_write(o, (uint64_t)b, (const void *)c, (size_t)d);
	case K_NATIVE_mobject_resize:
		resize(o, (uint64_t)b);
		return 0;
	case K_NATIVE_mobject_punch:
		return mobject_punch(o, (uint64_t)b, (uint64_t)c);
	case K_NATIVE_mobject_info:
		*(struct k_mobject_info *)b = (struct k_mobject_info){
			.size = o->size, .resident = (o->size + 4095) / 4096, .mtime = o->mtime
		};
		return 0;
	default:
		return 0;
	}
}

static long caller_call(long n, struct mock_caller *c, long b, long d, long e)
{
	(void)b;
	if (!c)
		return -ESRCH;
	switch (n) {
	case K_NATIVE_caller_read:
		return -ENOSYS;
	case K_NATIVE_caller_cookie:
		return cookie_of(c, d, (struct k_caller_cookie *)e);
	case K_NATIVE_caller_attached:
		return attached(c, d);
	case K_NATIVE_caller_scratch:
		memcpy((void *)d, c->scratch,
		       (size_t)e < c->scratch_size ? (size_t)e : c->scratch_size);
		return c->scratch_size;
	}
	return 0;
}

static int64_t clock_ns(int realtime)
{
	struct timespec t;

	clock_gettime(realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static long handle_call(long n, long a, long b)
{
	struct mock_object *o = get(a, K_OBJECT_NONE);

	if (!o)
		return -EBADF;
	switch (n) {
	case K_NATIVE_handle_close:
		handle[a] = NULL;
		object_put(o);
		return 0;
	case K_NATIVE_handle_duplicate:
		o->references++;
		return give(o);
	default:
		*(struct k_handle_info *)b = (struct k_handle_info){
			.type = o->type, .id = o->id, .references = o->references,
		};
		return 0;
	}
}

/* The caller's memory is the test's own. */
static long caller_copy(struct mock_caller *caller, void *to, const void *from, uint64_t his,
			long size)
{
	if (!caller)
		return -ESRCH;
	if (bad(his))
		return -EFAULT;
	memcpy(to, from, (size_t)size);
	return 0;
}

static long source_set(struct mock_object *o, uint32_t set, uint32_t clear)
{
	if (!o)
		return -EBADF;
	o->bits = (o->bits & ~clear) | set;
	return 0;
}

static long mobject_create(uint64_t size)
{
	struct mock_object *o = object_new(K_OBJECT_MOBJECT);

	resize(o, size);
	return give(o);
}

static long system_info(struct k_system_info *info)
{
	info->tsc_hz = 1000000000;
	info->memory_total = 512u << 20;
	return 0;
}

/* What concerns a call that the server holds. */
static long call_call(long n, long b, long c, long d, long e)
{
	struct mock_caller *caller = caller_of((uint64_t)b);

	switch (n) {
	case K_NATIVE_caller_read:
		return caller_copy(caller, (void *)c, (const void *)d, (uint64_t)d, e);
	case K_NATIVE_caller_write:
		return caller_copy(caller, (void *)c, (const void *)d, (uint64_t)c, e);
	case K_NATIVE_caller_take:
		return take(caller, c);
	case K_NATIVE_caller_install:
		return install_now(caller, c, d, e);
	case K_NATIVE_caller_read_string:
		return caller ? read_string(caller, (char *)c, (uint64_t)d, (size_t)e) : -ESRCH;
	case K_NATIVE_caller_serve:
		return caller || !b ? 0 : -ESRCH;
	case K_NATIVE_caller_forward:
		return forward((const struct k_forward *)b);
	default:
		return caller_call(n, caller, b, c, d);
	}
}

long k_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	const struct k_answer plain = { .call = (uint64_t)e, .result = f };

	if (mock_kill_at && ++mock_calls >= mock_kill_at)
		longjmp(mock_death, 1);
	switch (n) {
	case K_NATIVE_log_write:
	case K_NATIVE_account_set:
	case K_NATIVE_space_unmap:
		return 0;
	case K_NATIVE_system_info:
		return system_info((struct k_system_info *)a);
	case K_NATIVE_clock_get:
		return clock_ns((int)a);
	case K_NATIVE_receive:
		return receive(b ? (const struct k_answer *)b :
			       e ? &plain :
				   NULL,
			       (struct k_message *)c);
	case K_NATIVE_answer:
		return answer((const struct k_answer *)b);
	case K_NATIVE_handle_close:
	case K_NATIVE_handle_duplicate:
	case K_NATIVE_handle_info:
		return handle_call(n, a, b);
	case K_NATIVE_caller_read:
	case K_NATIVE_caller_write:
	case K_NATIVE_caller_take:
	case K_NATIVE_caller_install:
	case K_NATIVE_caller_read_string:
	case K_NATIVE_caller_cookie:
	case K_NATIVE_caller_attached:
	case K_NATIVE_caller_scratch:
	case K_NATIVE_caller_watch_table:
	case K_NATIVE_caller_forward:
	case K_NATIVE_caller_serve:
		return call_call(n, b, c, d, e);
	case K_NATIVE_pipe_hold:
	case K_NATIVE_pipe_read:
	case K_NATIVE_pipe_write:
	case K_NATIVE_pipe_info:
	case K_NATIVE_pipe_bind:
	case K_NATIVE_pipe_arm:
		return pipe_native(n, get(a, K_OBJECT_PIPE), b, c, d, e);
	case K_NATIVE_description_create:
		return description_create((const struct k_description *)b);
	case K_NATIVE_pipe_create:
		return give(pipe_new((uint64_t)a));
	case K_NATIVE_source_create:
		return give(object_new(K_OBJECT_SOURCE));
	case K_NATIVE_source_set:
		return source_set(get(a, K_OBJECT_SOURCE), (uint32_t)b, (uint32_t)c);
	case K_NATIVE_account_create:
		return give(object_new(K_OBJECT_ACCOUNT));
	case K_NATIVE_account_info:
		memset((void *)b, 0, sizeof(struct k_account_info));
		return 0;
	case K_NATIVE_mobject_create:
		return mobject_create((uint64_t)a);
	case K_NATIVE_mobject_clone:
		return mobject_clone(a, (uint64_t)b, (uint64_t)c);
	case K_NATIVE_mobject_read:
	case K_NATIVE_mobject_write:
	case K_NATIVE_mobject_resize:
	case K_NATIVE_mobject_punch:
	case K_NATIVE_mobject_info:
	case K_NATIVE_mobject_set:
		return mobject_call(n, get(a, K_OBJECT_MOBJECT), b, c, d);
	case K_NATIVE_space_map:
		return space_map((struct k_map *)a);
	case K_NATIVE_endpoint_descriptions:
		return descriptions((uint64_t *)b, (uint64_t *)c, (size_t)d);
	}
	fprintf(stderr, "mock: native call %ld is not played\n", n);
	abort();
}

/* --- the test's side ---------------------------------------------------------------------- */

void srv_round(void);
void srv_flush(void);

void mock_reset(void)
{
	memset(handle, 0, sizeof handle);
	memset(pipes, 0, sizeof pipes);
	caller_count = 0;
	closed_count = 0;
	mock_kill_at = 0;
}

struct mock_caller *mock_caller_new(uint32_t pid)
{
	struct mock_caller *c = calloc(1, sizeof *c);

	c->pid = c->tid = pid;
	c->table = pid + 1000;
	c->umask = 022;
	callers[caller_count++] = c;
	return c;
}

int mock_endpoint(void)
{
	return give(object_new(K_OBJECT_ENDPOINT));
}

int mock_mobject(const void *data, uint64_t size)
{
	struct mock_object *o = object_new(K_OBJECT_MOBJECT);

	resize(o, size);
	if (data)
		memcpy(o->data, data, size);
	return give(o);
}

int mock_shared(void *memory)
{
	struct mock_object *o = object_new(K_OBJECT_MOBJECT);

	o->data = memory;
	o->shared = true;
	return give(o);
}

/* Which calls have their first argument resolved: the system-call table says. */
enum { FLAG_FD = 1, FLAG_AT, FLAG_DESCRIPTOR };
static int fd_flag(int number)
{
	enum { FD = FLAG_FD, AT = FLAG_AT, HELD = 0, PS = 0, VFS = 0, NET = 0, NONE = 0 };

	switch (number) {
#define DEST_FD FLAG_DESCRIPTOR
#define DEST_PS 0
#define DEST_VFS 0
#define DEST_NET 0
#define DEST_NONE 0
#define S(n, name, destination, op, flags, argument, note)                                         \
	case n:                                                                                    \
		return (flags) ? (flags) : DEST_##destination;
#include "posix/syscall/syscalls.def"
#undef S
	}
	return 0;
}

static int64_t outcome(struct mock_caller *c)
{
	switch (c->state) {
	case MOCK_ANSWERED:
		return c->result;
	case MOCK_FORWARDED:
		return MOCK_TO_SERVER;
	case MOCK_KERNEL:
		return MOCK_TO_KERNEL;
	default:
		return MOCK_PARKED;
	}
}

static int64_t deliver(struct mock_caller *c)
{
	struct k_message *m = &c->message;

	m->cwd = c->cwd ? c->cwd->d.cookie : 0;
	m->root = c->root ? c->root->d.cookie : 0;
	m->kind = K_MSG_CALL;
	c->state = MOCK_HELD;
	incoming_store = *m;
	incoming = &incoming_store;
	srv_round();
	srv_flush();
	return outcome(c);
}

int64_t mock_call_flags(struct mock_caller *c, int number, const uint64_t arg[6], uint32_t flags,
			const uint64_t extra[2])
{
	struct k_message *m = &c->message;
	int fd = (int)arg[0];
	int resolve = fd_flag(number);

	memset(m, 0, sizeof *m);
	m->flags = flags;
	m->call = c->call = next_call++;
	m->tid = c->tid;
	m->pid = c->pid;
	m->table = c->table;
	m->cred = c->cred;
	m->umask = c->umask;
	m->number = number;
	memcpy(m->arg, arg, sizeof m->arg);
	if (extra)
		memcpy(m->extra, extra, 2 * sizeof *extra);
	if (resolve) {
		struct mock_object *o = fd >= 0 && fd < MOCK_FDS ? c->fd[fd] : NULL;

		if (!o && resolve != FLAG_AT)
			return -EBADF;
		if (!o)
			m->flags |= K_MSGF_BADFD;
		else if (o->d.pad)
			m->flags |= K_MSGF_FOREIGNFD;
		else
			m->cookie = o->d.cookie;
		m->fd_flags = o ? o->d.status : 0;
	}
	return deliver(c);
}

int64_t mock_call(struct mock_caller *c, int number, const uint64_t arg[6])
{
	return mock_call_flags(c, number, arg, 0, NULL);
}

int64_t mock_forward_back(struct mock_caller *c, int number, const uint64_t arg[6],
			  const void *scratch, uint32_t size, int h)
{
	c->message.number = number;
	c->message.flags = K_MSGF_FORWARDED;
	memcpy(c->message.arg, arg, sizeof c->message.arg);
	if (size) {
		memmove(c->scratch, scratch, size);
		c->scratch_size = size;
	}
	if (h >= 0)
		attach(c, 0, h);
	return deliver(c);
}

int64_t mock_redeliver(struct mock_caller *c)
{
	c->message.flags |= K_MSGF_REDELIVERED;
	return deliver(c);
}

void mock_cancel(struct mock_caller *c)
{
	incoming_store = c->message;
	incoming_store.kind = K_MSG_CANCEL;
	incoming_store.extra[0] = 0;	/* it is not dead */
	incoming = &incoming_store;
	srv_round();
	srv_flush();
}

void mock_close(struct mock_caller *c, int fd)
{
	struct mock_object *o = c->fd[fd];

	c->fd[fd] = NULL;
	object_put(o);
}

void mock_fd_close_any(struct mock_caller *c, int fd)
{
	if (c->fd[fd])
		mock_close(c, fd);
}

void mock_drain(void)
{
	while (closed_count || pipe_noticed()) {
		srv_round();
		srv_flush();
	}
}

/* --- sockets as the kernel's shortcuts serve them ----------------------------------------- */

enum { BIT_IN = 1, BIT_OUT = 4, BIT_ERR = 8, BIT_HUP = 0x10, BIT_RDHUP = 0x2000 };

static int64_t declined(struct mock_caller *c, int number, int fd, const void *at, uint64_t n,
			uint64_t reason)
{
	return mock_call_flags(c, number,
			       (const uint64_t[6]){ (uint64_t)fd, (uint64_t)(uintptr_t)at, n },
			       K_MSGF_DECLINED, (const uint64_t[2]){ 0, reason });
}

static bool is_reset(const struct mock_object *o)
{
	return !o->plane[0]->writers && !o->plane[1]->readers && o->plane[1]->size;
}

int64_t mock_read(struct mock_caller *c, int fd, void *to, uint64_t n)
{
	struct mock_object *o = c->fd[fd];

	if (o->d.plane != K_PLANE_SOCKET ||
	    o->source->bits & (K_SOURCE_DECLINE_READ | K_SOURCE_CALLS_READ | BIT_ERR) ||
	    (!o->plane[0]->size && is_reset(o)))
		return declined(c, 0, fd, to, n, 0);
	return pipe_take(o->plane[0], to, n, 0, 0);
}

int64_t mock_write(struct mock_caller *c, int fd, const void *from, uint64_t n)
{
	struct mock_object *o = c->fd[fd];
	long r;

	if (o->d.plane != K_PLANE_SOCKET ||
	    o->source->bits & (K_SOURCE_DECLINE_WRITE | K_SOURCE_CALLS_WRITE | BIT_ERR))
		return declined(c, 1, fd, from, n, 0);
	r = pipe_put(o->plane[1], from, n);
	return r == -EPIPE ? declined(c, 1, fd, from, n, EPIPE) : r;
}

uint32_t mock_ready(struct mock_caller *c, int fd)
{
	struct mock_object *o = c->fd[fd];
	uint32_t bits = o->source->bits;

	if (o->d.plane == K_PLANE_SOCKET && !(bits & K_SOURCE_DECLINE_READ))
		bits |= (o->plane[0]->size ? BIT_IN : 0) |
			(o->plane[0]->writers ? 0 : BIT_IN | BIT_RDHUP);
	if (o->d.plane == K_PLANE_SOCKET && !(bits & K_SOURCE_DECLINE_WRITE))
		bits |= o->plane[1]->capacity - o->plane[1]->size >= 4096 || !o->plane[1]->readers ?
				BIT_OUT :
				0;
	if (o->d.plane == K_PLANE_SOCKET &&
	    !(bits & (K_SOURCE_DECLINE_READ | K_SOURCE_DECLINE_WRITE)) && !o->plane[0]->writers &&
	    !o->plane[1]->readers)
		bits |= BIT_HUP | (is_reset(o) ? BIT_ERR : 0);
	return bits & 0xffff;
}

int mock_dup(struct mock_caller *c, int fd)
{
	int n = 0;

	while (c->fd[n])
		n++;
	c->fd[n] = c->fd[fd];
	c->fd[n]->references++;
	return n;
}

const struct k_description *mock_description(struct mock_caller *c, int fd)
{
	return c->fd[fd] ? &c->fd[fd]->d : NULL;
}

int64_t mock_pread(struct mock_caller *c, int fd, void *to, uint64_t n, uint64_t offset)
{
	return mobject_read(c->fd[fd]->plane[0], offset, to, n);
}

int64_t mock_pwrite(struct mock_caller *c, int fd, const void *from, uint64_t n, uint64_t offset)
{
	struct mock_object *o = c->fd[fd]->plane[0];

	o->mtime = (uint64_t)clock_ns(1);
	return mobject_write(o, offset, from, n);
}

uint64_t mock_count(enum k_object_type type)
{
	return counts[type];
}
