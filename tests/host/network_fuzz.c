/* SPDX-License-Identifier: MIT */
/*
 * Garbage for the network server: the whole of it, with lwIP, its own loop and a kernel that is
 * played here, under calls with addresses, messages, control data, options, interface requests and
 * netlink requests that are nearly right or not at all.
 *
 * The server runs in a thread of its own that has the processor only while a message is handled:
 * receive() hands it back. Callers are slots that share a table of descriptors. Calls are taken
 * back now and then (K_REDELIVER), cancelled, and their threads die. Whatever comes, each call is
 * answered once, and when all descriptors are closed the server holds no more objects than at the
 * start. Arguments: how many calls, and a seed.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "linux.h"
#include "native.h"
#include "posix_vfs.h"
#include "server.h"

int network_main(void);

enum { HANDLES = 8192, FDS = 64, CALLERS = 24, PIPE_SIZE = 65536, NODES_MAX = 8 };

#define CHECK(condition, ...)                                              \
	do {                                                               \
		if (!(condition)) {                                        \
			fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);    \
			fprintf(stderr, __VA_ARGS__);                      \
			fprintf(stderr, " (seed %lu)\n", first_seed);      \
			abort();                                           \
		}                                                          \
	} while (0)

static uint64_t seed = 1, first_seed = 1;

static uint32_t chance(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 11) % n;
}

#define PICK(array) ((array)[chance(sizeof(array) / sizeof((array)[0]))])

/* --- objects ------------------------------------------------------------------------------ */

struct object {
	enum k_object_type type;
	unsigned references;
	struct object *next;			/* of all pipes */
	/* pipe */
	char *data;
	uint32_t bytes, held, armed, readers, writers;
	uint64_t put, taken, cookie;
	bool bound;
	/* source */
	uint32_t bits;
	/* memory object */
	uint64_t size;
	/* description */
	struct k_description d;
	struct object *plane[2], *source;
};

static struct object *handle[HANDLES], *fds[FDS], *pipes;
static unsigned object_count;
static uint64_t closed[4096];
static unsigned closed_count;

static struct object *object_new(enum k_object_type type)
{
	struct object *o = calloc(1, sizeof *o);

	o->type = type;
	o->references = 1;
	object_count++;
	if (type == K_OBJECT_PIPE) {
		o->data = malloc(PIPE_SIZE);
		o->next = pipes;
		pipes = o;
	}
	return o;
}

static void pipe_unlink(struct object *o)
{
	struct object **at = &pipes;

	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
}

static void object_put(struct object *o)
{
	if (!o || --o->references)
		return;
	object_count--;
	if (o->type == K_OBJECT_PIPE)
		pipe_unlink(o);
	if (o->type == K_OBJECT_DESCRIPTION) {
		closed[closed_count++] = o->d.cookie;
		if (o->plane[0])
			o->plane[0]->readers--;
		if (o->plane[1])
			o->plane[1]->writers--;
		object_put(o->plane[0]);
		object_put(o->plane[1]);
		object_put(o->source);
	}
	free(o->data);
	free(o);
}

static int give(struct object *o)
{
	for (int h = 1; h < HANDLES; h++) {
		if (!handle[h]) {
			handle[h] = o;
			return h;
		}
	}
	CHECK(false, "the server has too many handles");
	return -1;
}

static struct object *get(long h, enum k_object_type type)
{
	return h > 0 && h < HANDLES && handle[h] && handle[h]->type == type ? handle[h] : NULL;
}

static struct object *share(long h, enum k_object_type type)
{
	struct object *o = get(h, type);

	if (o)
		o->references++;
	return o;
}

/* --- callers ------------------------------------------------------------------------------ */

static struct caller {
	enum { IDLE, HELD, TAKEN_BACK } state;
	struct k_message message;
} callers[CALLERS];

static uint64_t next_call = 1;
static unsigned good[340], all[340];		/* by number: calls that succeeded, calls */
static char memory[65536] __attribute__((aligned(4096)));	/* all callers' */
/* one copy in so many finds the call taken back; 0: none */
static uint32_t waste;

static struct caller *caller_of(uint64_t call)
{
	for (int i = 0; i < CALLERS; i++) {
		if (callers[i].state == HELD && callers[i].message.call == call)
			return &callers[i];
	}
	return NULL;
}

static bool bad(uint64_t at, uint64_t n)
{
	uint64_t from = at - (uint64_t)(uintptr_t)memory;

	return from > sizeof memory || n > sizeof memory - from;
}

/* -K_REDELIVER and -ESRCH may come at any copy. */
static long power(uint64_t call, uint64_t at, uint64_t n)
{
	struct caller *c = caller_of(call);

	if (!c)
		return -ESRCH;
	if (waste && chance(waste) == 0) {
		c->state = chance(4) ? TAKEN_BACK : IDLE;
		return c->state == IDLE ? -ESRCH : -K_REDELIVER;
	}
	return bad(at, n) ? -EFAULT : 0;
}

static long install(const struct k_answer_install *i, int64_t *result)
{
	struct object *o = get(i->handle, K_OBJECT_DESCRIPTION);
	int fd = 0;

	CHECK(o, "install of handle %d, which is no description", i->handle);
	while (fd < FDS && fds[fd])
		fd++;
	if (fd == FDS)
		return -EMFILE;
	fds[fd] = o;
	if (i->flags & K_INSTALL_KEEP)
		o->references++;
	else
		handle[i->handle] = NULL;
	if (i->fd_to)
		memcpy((void *)i->fd_to, &fd, sizeof fd);
	else
		*result = fd;
	return 0;
}

static long answer(const struct k_answer *a)
{
	struct caller *c = caller_of(a->call);
	int64_t result = a->result;
	long e;

	CHECK(c || !a->call || waste, "call %lu is answered, but is not held", a->call);
	if (!c)
		return -ESRCH;
	if (waste && a->copies + a->installs && chance(waste) == 0) {
		c->state = TAKEN_BACK;
		return -K_REDELIVER;
	}
	for (int i = 0; i < a->copies; i++) {
		if (bad(a->copy[i].to, a->copy[i].size))
			return -EFAULT;
	}
	for (int i = 0; i < a->installs; i++) {
		if (a->install[i].fd_to && bad(a->install[i].fd_to, 4))
			return -EFAULT;
	}
	for (int i = 0; i < a->installs; i++) {
		e = install(&a->install[i], &result);
		if (e)
			return e;
	}
	for (int i = 0; i < a->copies; i++)
		memcpy((void *)a->copy[i].to, a->copy[i].from, a->copy[i].size);
	CHECK(result >= -4095, "call %d gets %ld", c->message.number, result);
	if (c->message.number < 340)
		good[c->message.number] += result >= 0;
	c->state = IDLE;
	return 0;
}

static long forward(const struct k_forward *f)
{
	struct caller *c = caller_of(f->call);

	CHECK(c || waste, "call %lu is forwarded, but is not held", f->call);
	if (!c)
		return -ESRCH;
	if (f->flags & K_FORWARD_DESCRIPTOR && chance(2))
		return -EBADF;
	for (int i = 0; i < 2; i++) {
		if (f->handle[i] > 0) {
			object_put(handle[f->handle[i]]);
			handle[f->handle[i]] = NULL;
		}
	}
	c->state = IDLE;
	return 0;
}

/* --- pipes -------------------------------------------------------------------------------- */

static uint32_t pipe_events(const struct object *p)
{
	return (p->bytes ? K_PIPE_DATA : 0) | (p->bytes <= PIPE_SIZE / 2 ? K_PIPE_ROOM : 0) |
	       (!p->readers && !(p->held & K_PIPE_READER) ? K_PIPE_NO_READERS : 0) |
	       (!p->writers && !(p->held & K_PIPE_WRITER) ? K_PIPE_NO_WRITERS : 0);
}

static long pipe_read(struct object *p, char *to, size_t n, uint32_t flags, size_t skip)
{
	CHECK(!skip || flags, "skip without a flag");
	if (flags & K_PIPE_AT) {
		if (skip != p->taken)
			return -EAGAIN;
		skip = 0;
	}
	if (p->bytes <= skip)
		return pipe_events(p) & K_PIPE_NO_WRITERS ? 0 : -EAGAIN;
	if (n > p->bytes - skip)
		n = p->bytes - skip;
	if (to)
		memcpy(to, p->data + skip, n);
	if (!(flags & K_PIPE_PEEK)) {
		p->bytes -= (uint32_t)n;
		memmove(p->data, p->data + n, p->bytes);
		p->taken += n;
	}
	return (long)n;
}

static long pipe_write(struct object *p, const char *from, size_t n)
{
	if (pipe_events(p) & K_PIPE_NO_READERS)
		return n ? -EPIPE : 0;
	if (p->bytes == PIPE_SIZE && n)
		return -EAGAIN;
	if (n > PIPE_SIZE - p->bytes)
		n = PIPE_SIZE - p->bytes;
	memcpy(p->data + p->bytes, from, n);
	p->bytes += (uint32_t)n;
	p->put += n;
	return (long)n;
}

static long pipe_call(long n, struct object *p, long b, long c, long d, long e)
{
	if (!p)
		return -EBADF;
	switch (n) {
	case K_NATIVE_pipe_hold:
		p->held = (uint32_t)b;
		return 0;
	case K_NATIVE_pipe_read:
		return pipe_read(p, (char *)b, (size_t)c, (uint32_t)d, (size_t)e);
	case K_NATIVE_pipe_write:
		return pipe_write(p, (const char *)b, (size_t)c);
	case K_NATIVE_pipe_bind:
		p->bound = b >= 0;
		p->cookie = (uint64_t)c;
		p->armed = 0;
		return 0;
	case K_NATIVE_pipe_arm:
		p->armed = (uint32_t)b;
		return 0;
	default:
		*(struct k_pipe_info *)b =
			(struct k_pipe_info){ .bytes = p->bytes,
					      .room = PIPE_SIZE - p->bytes,
					      .capacity = PIPE_SIZE,
					      .readers = p->readers + !!(p->held & K_PIPE_READER),
					      .writers = p->writers + !!(p->held & K_PIPE_WRITER),
					      .put = p->put,
					      .taken = p->taken };
		return 0;
	}
}

/* --- messages to the server --------------------------------------------------------------- */

static sem_t work, idle;
static struct k_message incoming;
static bool has_incoming;

/* Lets the server run until it waits again. */
static void server_run(void)
{
	sem_post(&work);
	sem_wait(&idle);
}

static bool notice_take(struct k_message *m)
{
	for (struct object *p = pipes; p; p = p->next) {
		uint32_t events = pipe_events(p);

		if (p->bound && p->armed & events) {
			p->armed = 0;
			m->kind = K_MSG_PIPE;
			m->cookie = p->cookie;
			m->extra[0] = events;
			return true;
		}
	}
	return false;
}

static long receive(const struct k_answer *a, struct k_message *m)
{
	long e = a ? answer(a) : 0;

	if (e)
		return e;
	memset(m, 0, sizeof *m);
	if (!has_incoming && !closed_count && !notice_take(m)) {
		sem_post(&idle);
		sem_wait(&work);
		if (!has_incoming && !closed_count && !notice_take(m))
			return -ETIMEDOUT;
	}
	if (m->kind == K_MSG_NONE && has_incoming) {
		*m = incoming;
		has_incoming = false;
	} else if (m->kind == K_MSG_NONE) {
		m->kind = K_MSG_CLOSED;
	}
	while (closed_count && m->closed_count < K_CLOSED_BATCH)
		m->closed[m->closed_count++] = closed[--closed_count];
	return 0;
}

/* --- the kernel's calls ------------------------------------------------------------------- */

/* A clock that runs fast, so that retransmissions and timeouts come about. */
#define TICKS_PER_SECOND 20000000ull

static int64_t clock_ns(void)
{
	return (int64_t)((unsigned __int128)__builtin_ia32_rdtsc() * 1000000000 / TICKS_PER_SECOND);
}

static long description_create(const struct k_description *d)
{
	struct object *o;

	if (chance(200) == 0)
		return -ENOMEM;
	o = object_new(K_OBJECT_DESCRIPTION);
	o->d = *d;
	o->source = share(d->source, K_OBJECT_SOURCE);
	o->plane[0] = share(d->object, K_OBJECT_PIPE);
	o->plane[1] = share(d->object2, K_OBJECT_PIPE);
	if (o->plane[0])
		o->plane[0]->readers++;
	if (o->plane[1])
		o->plane[1]->writers++;
	return give(o);
}

static long mobject_call(long n, struct object *o, long b, long c, long d)
{
	if (!o)
		return -EBADF;
	if (n == K_NATIVE_mobject_info) {
		*(struct k_mobject_info *)b = (struct k_mobject_info){ .size = o->size };
		return 0;
	}
	if (n == K_NATIVE_mobject_resize) {
		o->size = (uint64_t)b;
		return 0;
	}
	CHECK((uint64_t)b + (uint64_t)d <= o->size, "write beyond the memory object's end");
	(void)c;
	return d;
}

static long caller_copy(long n, uint64_t call, char *server, uint64_t user, uint64_t size)
{
	long e = power(call, user, size);

	if (e)
		return e;
	if (n == K_NATIVE_caller_write)
		memcpy((void *)user, server, size);
	else
		memcpy(server, (const void *)user, size);
	return 0;
}

static long caller_string(uint64_t call, char *to, uint64_t from, size_t max)
{
	long e = power(call, from, 1);

	if (e)
		return e;
	for (size_t i = 0; i < max; i++) {
		if (bad(from + i, 1))
			return -EFAULT;
		to[i] = *(const char *)(from + i);
		if (!to[i])
			return (long)i;
	}
	return -ENAMETOOLONG;
}

static long handle_close(long h)
{
	if (h <= 0 || h >= HANDLES || !handle[h])
		return -EBADF;
	object_put(handle[h]);
	handle[h] = NULL;
	return 0;
}

static long make(enum k_object_type type, uint64_t size)
{
	struct object *o;

	if (chance(200) == 0)
		return -ENOMEM;
	o = object_new(type);
	o->size = size;
	return give(o);
}

long k_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	const struct k_answer plain = { .call = (uint64_t)e, .result = f };

	switch (n) {
	case K_NATIVE_log_write:
		return 0;
	case K_NATIVE_system_info:
		memset((void *)a, 0, sizeof(struct k_system_info));
		((struct k_system_info *)a)->tsc_hz = TICKS_PER_SECOND;
		return 0;
	case K_NATIVE_clock_get:
		return clock_ns();
	case K_NATIVE_receive:
		return receive(b ? (const struct k_answer *)b :
			       e ? &plain :
				   NULL,
			       (struct k_message *)c);
	case K_NATIVE_answer:
		return answer((const struct k_answer *)b);
	case K_NATIVE_caller_forward:
		return forward((const struct k_forward *)b);
	case K_NATIVE_caller_read:
		return caller_copy(n, (uint64_t)b, (char *)c, (uint64_t)d, (uint64_t)e);
	case K_NATIVE_caller_write:
		return caller_copy(n, (uint64_t)b, (char *)d, (uint64_t)c, (uint64_t)e);
	case K_NATIVE_caller_read_string:
		return caller_string((uint64_t)b, (char *)c, (uint64_t)d, (size_t)e);
	case K_NATIVE_handle_close:
		return handle_close(a);
	case K_NATIVE_description_create:
		return description_create((const struct k_description *)b);
	case K_NATIVE_pipe_create:
		return make(K_OBJECT_PIPE, 0);
	case K_NATIVE_source_create:
		return make(K_OBJECT_SOURCE, 0);
	case K_NATIVE_source_set:
		if (!get(a, K_OBJECT_SOURCE))
			return -EBADF;
		handle[a]->bits = (handle[a]->bits & ~(uint32_t)c) | (uint32_t)b;
		return 0;
	case K_NATIVE_mobject_create:
		return make(K_OBJECT_MOBJECT, (uint64_t)a);
	case K_NATIVE_mobject_info:
	case K_NATIVE_mobject_resize:
	case K_NATIVE_mobject_write:
		return mobject_call(n, get(a, K_OBJECT_MOBJECT), b, c, d);
	case K_NATIVE_pipe_hold:
	case K_NATIVE_pipe_read:
	case K_NATIVE_pipe_write:
	case K_NATIVE_pipe_info:
	case K_NATIVE_pipe_bind:
	case K_NATIVE_pipe_arm:
		return pipe_call(n, get(a, K_OBJECT_PIPE), b, c, d, e);
	case K_NATIVE_caller_attached:
		return -ENOENT;
	}
	CHECK(false, "native call %ld is not played", n);
	return -ENOSYS;
}

/* --- making calls ------------------------------------------------------------------------- */

static void deliver(struct caller *c)
{
	if (c->message.number < 340)
		all[c->message.number]++;
	c->state = HELD;
	incoming = c->message;
	has_incoming = true;
	server_run();
}

static struct caller *caller_idle(void)
{
	for (int i = 0; i < CALLERS; i++) {
		if (callers[i].state == IDLE)
			return &callers[i];
	}
	return NULL;
}

/*
 * The data plane: what the kernel would have done before the server sees the call. True if that was
 * all.
 */
static bool plane_serves(struct object *o, int number, const uint64_t arg[6], struct k_message *m)
{
	bool writing = number == 1 || number == 44;
	struct object *p;
	long r;

	if (o->d.plane != K_PLANE_SOCKET ||
	    (number != 0 && number != 1 && number != 44 && number != 45))
		return false;
	if (!o->source ||
	    o->source->bits &
		    (LX_POLLERR | (writing ? K_SOURCE_DECLINE_WRITE | K_SOURCE_CALLS_WRITE :
					     K_SOURCE_DECLINE_READ | K_SOURCE_CALLS_READ)))
		return false;
	if (number >= 44 && (arg[4] || arg[3] & ~0x4040u))
		return false;
	p = o->plane[writing];
	if (!p || bad(arg[1], arg[2]))
		return true;
	r = writing ? pipe_write(p, (const char *)arg[1], arg[2]) :
		      pipe_read(p, (char *)arg[1], arg[2], 0, 0);
	if (r != -EPIPE)
		return true;
	m->extra[1] = EPIPE;
	return false;
}

static void call(int number, const uint64_t arg[6])
{
	struct caller *c = caller_idle();
	int fd = (int)arg[0];
	struct object *o = fd >= 0 && fd < FDS ? fds[fd] : NULL;
	struct k_message *m;

	if (!c)
		return;
	m = &c->message;
	*m = (struct k_message){ .kind = K_MSG_CALL,
				 .flags = K_MSGF_DECLINED,
				 .call = next_call++,
				 .tid = 100,
				 .pid = 100,
				 .number = number,
				 .cred = chance(4) ? 0 : 7 };
	memcpy(m->arg, arg, sizeof m->arg);
	if (number != 41 && number != 53) {
		if (!o)
			m->flags |= K_MSGF_BADFD;
		else if (chance(500) == 0)
			m->flags |= K_MSGF_FOREIGNFD;
		else
			m->cookie = chance(1000) ? o->d.cookie : chance(100);
		m->fd_flags = o ? o->d.status | (chance(3) ? 0 : 04000) : 0;
		if (o && plane_serves(o, number, arg, m)) {
			server_run();
			return;
		}
	}
	deliver(c);
}

static void private_call(int number, uint64_t what)
{
	struct caller *c = caller_idle();

	if (!c)
		return;
	c->message = (struct k_message){ .kind = K_MSG_CALL,
					 .flags = K_MSGF_FORWARDED,
					 .call = next_call++,
					 .number = number,
					 .arg = { what } };
	deliver(c);
}

static void fd_close(int fd)
{
	struct object *o = fds[fd];

	for (int i = 0; o && i < CALLERS; i++) {	/* held calls pin it */
		if (callers[i].state != IDLE && callers[i].message.cookie == o->d.cookie)
			return;
	}
	fds[fd] = NULL;
	object_put(o);
}

static void cancel(struct caller *c, bool dead)
{
	struct k_message m = c->message;

	m.kind = K_MSG_CANCEL;
	m.extra[0] = dead;
	incoming = m;
	has_incoming = true;
	if (dead)
		c->state = IDLE;
	server_run();
	CHECK(c->state == IDLE || c->message.call != m.call || waste,
	      "call %d goes on after it was cancelled", m.number);
}

/* --- garbage, well made ------------------------------------------------------------------- */

static uint64_t number_odd(void)
{
	static const uint64_t odd[] = { 0,
					1,
					2,
					3,
					4,
					7,
					8,
					12,
					16,
					17,
					20,
					28,
					64,
					128,
					129,
					255,
					1024,
					1500,
					4096,
					65507,
					65535,
					65536,
					(uint64_t)-1,
					INT32_MAX,
					1ull << 31,
					1ull << 32,
					1ull << 63,
					UINT32_MAX };

	return chance(3) ? chance(40) : PICK(odd);
}

static char *room(uint32_t n)
{
	return memory + chance(sizeof memory - n);
}

static uint64_t pointer(uint32_t n)
{
	static const uint64_t wild[] = { 0, 1, 4096, 1ull << 47, (uint64_t)-1, 1ull << 63 };

	if (chance(12) == 0)
		return PICK(wild);
	if (chance(12) == 0)
		return (uint64_t)(uintptr_t)(memory + sizeof memory - chance(n + 1));
	return (uint64_t)(uintptr_t)room(n);
}

/* Ports are few, so that sockets meet. */
static uint64_t address_make(uint32_t *size)
{
	static const uint16_t families[] = { 2, 2, 2, 10, 10, 10, 16, 0, 1, 77 };
	static const uint32_t addresses[] = { 0x7f000001, 0x7f000001, 0,          0x7f000002,
					      0xffffffff, 0xe0000001, 0x0a000202, 0x7fffffff };
	uint8_t *at = (uint8_t *)room(128);
	uint16_t family = PICK(families),
		 port = __builtin_bswap16((uint16_t)(chance(8) ? 7000 + chance(6) : chance(65536)));
	uint32_t four = __builtin_bswap32(PICK(addresses));

	memset(at, 0, 32);
	memcpy(at, &family, 2);
	memcpy(at + 2, &port, 2);
	if (family == 10) {
		if (chance(3) == 0) {
			at[18] = at[19] = 0xff;
			memcpy(at + 20, &four, 4);
		} else if (chance(4)) {
			at[23] = (uint8_t)chance(2);
		}
	} else {
		memcpy(at + 4, &four, 4);
	}
	*size = family == 10 ? 28 : family == 16 ? 12 : 16;
	if (chance(12) == 0)
		*size = (uint32_t)number_odd();
	return chance(20) ? (uint64_t)(uintptr_t)at : pointer(16);
}

static uint64_t control_make(uint64_t *size)
{
	static const int levels[] = { 0, 0, 41, 41, 1, 6, 99 },
			 types[] = { 8, 2, 1, 50, 52, 67, 12, 13, 29, 99 };
	char *at = room(512);
	uint32_t used = 0;

	for (uint32_t i = chance(4); i; i--) {
		struct lx_cmsghdr h = { .size = sizeof h + (chance(2) ? 4u : chance(40)),
					.level = PICK(levels),
					.type = PICK(types) };

		if (chance(10) == 0)
			h.size = number_odd();
		memcpy(at + used, &h, sizeof h);
		used += (uint32_t)LX_CMSG_ALIGN(h.size < 64 ? h.size : 64);
	}
	*size = chance(10) ? used : number_odd();
	return (uint64_t)(uintptr_t)at;
}

static void header_fill(char *to, bool sending)
{
	struct lx_msghdr h = { 0 };
	struct lx_iovec *v = (struct lx_iovec *)(((uintptr_t)room(256) + 7) & ~7ul);
	uint32_t size = 0;

	h.iov_count = chance(20) ? chance(5) : number_odd();
	for (int i = 0; i < 5; i++)
		v[i] = (struct lx_iovec){ pointer(2000), chance(20) ? chance(2000) : number_odd() };
	h.iov = chance(20) ? (uint64_t)(uintptr_t)v : pointer(16);
	if (chance(2)) {
		h.name = address_make(&size);
		h.name_size = (int)size;
	}
	if (chance(2))
		h.control = sending ? control_make(&h.control_size) :
				      (h.control_size = chance(200), pointer(200));
	memcpy(to, &h, sizeof h);
}

static uint64_t header_make(bool sending)
{
	char *at = room(sizeof(struct lx_msghdr));

	header_fill(at, sending);
	return chance(20) ? (uint64_t)(uintptr_t)at : pointer(56);
}

/* A request with attributes, some of which are cut short, nested or have odd lengths. */
static uint64_t netlink_make(uint64_t *size)
{
	static const uint16_t types[] = { 16, 17, 18, 18, 18, 19, 20, 21, 22, 22, 24,
					  25, 26, 26, 28, 29, 30, 0,  1,  2,  3,  99 };
	static const uint8_t families[] = { 0, 2, 10, 2, 10, 7, 17 };
	uint8_t *at = (uint8_t *)room(1024);
	uint32_t used = 16 + (chance(4) ? 12 : 4 * chance(10));
	struct {
		uint32_t size;
		uint16_t type, flags;
		uint32_t sequence, port;
	} h = { .type = PICK(types), .flags = 1, .sequence = chance(99) };

	for (int i = 0; i < 1024; i++)
		at[i] = (uint8_t)(chance(3) ? 0 : chance(256));
	at[16] = PICK(families);
	if (chance(3)) {
		at[17] = (uint8_t)(8 * chance(6));
		memset(at + 20, 0, 8);
		at[20] = (uint8_t)chance(4);
	}
	for (uint32_t i = chance(6); i; i--) {
		uint16_t length = (uint16_t)(4 + (chance(3) ? 4 : chance(24))),
			 type = (uint16_t)chance(32);

		if (chance(12) == 0)
			length = (uint16_t)number_odd();
		memcpy(at + used, &length, 2);
		memcpy(at + used + 2, &type, 2);
		if (chance(2))
			memcpy(at + used + 4, "lo", 3);
		used += (length < 60 ? length + 3u : 60u) & ~3u;
	}
	h.flags |=
		(uint16_t)(chance(2) ? 0x300 : chance(8) * 0x100) | (uint16_t)(chance(2) ? 4 : 0);
	h.size = chance(12) ? used : (uint32_t)number_odd();
	memcpy(at, &h, sizeof h);
	*size = chance(12) ? used : chance(1024);
	return (uint64_t)(uintptr_t)at;
}

static uint64_t ioctl_make(uint64_t *command)
{
	static const uint32_t commands[] = { 0x541b, 0x5421, 0x5411, 0x8905, 0x890b, 0x890c, 0x890d,
					     0x8910, 0x8912, 0x8913, 0x8914, 0x8915, 0x8916, 0x8917,
					     0x8918, 0x8919, 0x891a, 0x891b, 0x891c, 0x8921, 0x8922,
					     0x8924, 0x8927, 0x8933, 0x8942, 0x8943, 0x8953, 0x8954,
					     0x8955, 0x8946, 0x5401, 0x12345 };
	static const char *const names[] = { "lo", "eth0", "lo:1", "none", "" };
	char *at = room(256);

	*command = PICK(commands);
	for (int i = 0; i < 128; i++)
		at[i] = (char)(chance(3) ? 0 : chance(256));
	if (*command == 0x8912) {
		struct {
			int32_t size, pad;
			uint64_t to;
		} list = { chance(4) ? 400 : (int32_t)number_odd(), 0, pointer(400) };

		memcpy(at, &list, sizeof list);
	} else if (*command != 0x890b && *command != 0x890c) {
		strcpy(at, PICK(names));
		at[16] = (char)(chance(2) ? 2 : chance(256));
	} else {
		static const uint16_t family = 2;

		for (int i = 0; i < 3; i++)
			memcpy(at + 8 + 16 * i, &family, 2);
	}
	return chance(12) ? (uint64_t)(uintptr_t)at : pointer(40);
}

static void option_call(uint64_t fd)
{
	static const int levels[] = { 1, 1, 0, 0, 6, 6, 41, 41, 17, 58, 255, 270, 99 };
	uint64_t arg[6] = { fd, (uint64_t)PICK(levels), chance(20) ? chance(80) : number_odd(),
			    pointer(64), chance(3) ? 4 : number_odd() };
	uint32_t size;

	for (int i = 0; i < 64; i++)
		memory[i] = (char)(chance(3) ? 0 : chance(256));
	if (chance(2)) {
		arg[3] = chance(3) ? (uint64_t)(uintptr_t)memory : address_make(&size);
		call(54, arg);
		return;
	}
	uint32_t *length = (uint32_t *)(memory + 64);
	*length = (uint32_t)arg[4];
	arg[4] = chance(12) ? (uint64_t)(uintptr_t)length : pointer(4);
	call(55, arg);
}

static uint64_t flags_make(void)
{
	return chance(3) ? (chance(2) ? 0x40 : 0) : chance(4) ? 1ull << chance(20) : number_odd();
}

static uint64_t fd_pick(void)
{
	int fd = (int)chance(FDS);

	if (chance(20) == 0)
		return number_odd();
	for (int i = 0; i < FDS && !fds[fd]; i++)
		fd = (fd + 1) % FDS;
	return (uint64_t)fd;
}

/* Where a size of n goes in and out. */
static uint64_t size_make(uint32_t n)
{
	uint32_t *at = (uint32_t *)(memory + 128);

	*at = chance(9) ? n : (uint32_t)number_odd();
	return chance(9) ? (uint64_t)(uintptr_t)at : pointer(4);
}

/*
 * A listener and a client of it, by calls that make sense, so that there are connections to be
 * mistreated.
 */
static void connection(void)
{
	struct { uint16_t family, port; uint32_t address, pad[3]; } *at = (void *)(memory + 256);
	uint16_t port = __builtin_bswap16((uint16_t)(7000 + chance(6)));

	call(41, (uint64_t[6]){ 2, 1 | 04000, 0 });
	uint64_t listener = fd_pick();
	*at = (__typeof__(*at)){ 2, port, 0x0100007f, { 0 } };
	call(49, (uint64_t[6]){ listener, (uint64_t)(uintptr_t)at, 16 });
	call(50, (uint64_t[6]){ listener, 4 });
	call(41, (uint64_t[6]){ 2, 1 | 04000, 0 });
	for (int i = 0; i < 4; i++) {
		uint64_t client = fd_pick();

		*at = (__typeof__(*at)){ 2, port, 0x0100007f, { 0 } };
		call(42, (uint64_t[6]){ client, (uint64_t)(uintptr_t)at, 16 });
	}
	call(288, (uint64_t[6]){ listener, 0, 0, 04000 });
}

/* --- one call ----------------------------------------------------------------------------- */

/* --- one call after the other ------------------------------------------------------------- */

static void try_socket(uint64_t fd)
{
	static const int families[] = { 2, 2, 2, 2, 10, 10, 10, 16, 16, 1, 99 };
	static const int types[] = { 1, 1, 1, 2, 2, 2, 3, 3, 5, 0 };
	static const int protocols[] = { 0, 0, 0, 0, 0, 0, 0, 0, 6, 17, 1, 58, 255, 99, -1 };
	int type = PICK(types) | (chance(3) ? 04000 : 0) | (chance(20) ? 0 : (int)number_odd());

	(void)fd;
	call(41,
	     (uint64_t[6]){ (uint64_t)PICK(families), (uint64_t)type, (uint64_t)PICK(protocols) });
}

static void try_bind(uint64_t fd)
{
	uint32_t n;
	uint64_t at = address_make(&n);

	call(49, (uint64_t[6]){ fd, at, n });
}

static void try_connect(uint64_t fd)
{
	uint32_t n;
	uint64_t at = address_make(&n);

	call(42, (uint64_t[6]){ fd, at, n });
}

static void try_listen(uint64_t fd)
{
	call(50, (uint64_t[6]){ fd, chance(5) });
}

static void try_accept(uint64_t fd)
{
	uint64_t length = size_make(28);

	call(288, (uint64_t[6]){ fd, chance(2) ? 0 : pointer(28), length,
				 chance(9) ? 0 : number_odd() });
}

static void try_sendto(uint64_t fd)
{
	uint32_t n = 0;
	uint64_t at = chance(2) ? address_make(&n) : 0;

	call(44, (uint64_t[6]){ fd, pointer(3000), chance(12) ? chance(3000) : number_odd(),
				flags_make(), at, n });
}

static void try_recvfrom(uint64_t fd)
{
	uint64_t length = size_make(28);

	call(45, (uint64_t[6]){ fd, pointer(3000), chance(12) ? chance(3000) : number_odd(),
				flags_make(), chance(2) ? 0 : pointer(28), length });
}

static void try_sendmsg(uint64_t fd)
{
	uint64_t at = header_make(true);

	call(46, (uint64_t[6]){ fd, at, flags_make() });
}

static void try_recvmsg(uint64_t fd)
{
	uint64_t at = header_make(false);

	call(47, (uint64_t[6]){ fd, at, flags_make() });
}

static void try_many_messages(uint64_t fd)
{
	bool sending = chance(2);

	for (int i = 0; i < 3; i++)
		header_fill(memory + 1024 + 64 * i, sending);
	call(sending ? 307 : 299, (uint64_t[6]){ fd, (uint64_t)(uintptr_t)memory + 1024,
						 chance(9) ? chance(4) : number_odd(), flags_make(),
						 chance(3) ? 0 : pointer(16) });
}

static void try_shutdown(uint64_t fd)
{
	call(48, (uint64_t[6]){ fd, chance(9) ? chance(3) : number_odd() });
}

static void try_names(uint64_t fd)
{
	uint64_t length = size_make(28);

	call(chance(2) ? 51 : 52, (uint64_t[6]){ fd, pointer(28), length });
}

static void try_ioctl(uint64_t fd)
{
	uint64_t command, at = ioctl_make(&command);

	call(16, (uint64_t[6]){ fd, command, at });
}

static void try_netlink(uint64_t fd)
{
	uint64_t size = 0, at = netlink_make(&size);

	call(44, (uint64_t[6]){ fd, at, size });
}

static void try_read_write(uint64_t fd)
{
	call(chance(2) ? 0 : 1, (uint64_t[6]){ fd, pointer(3000), chance(3000) });
}

static void try_proc(uint64_t fd)
{
	(void)fd;
	private_call(chance(4) ? PROTO_PS_PROC_OPEN : PROTO_PS_PROC_WRITE,
		     PROTO_PROC_NET + chance(18));
}

static void try_other(uint64_t fd)
{
	static const int numbers[] = { 72, 8, 17, 18, 19, 20, 40, 53, 5, 327, 328 };

	call(PICK(numbers), (uint64_t[6]){ fd, chance(2) ? number_odd() : pointer(200),
					   number_odd(), pointer(16), number_odd(), number_odd() });
}

static void try_connection(uint64_t fd)
{
	(void)fd;
	connection();
}

static void try_close_or_wait(uint64_t fd)
{
	(void)fd;
	if (chance(2))
		fd_close((int)chance(FDS));
	else
		server_run();	/* time passes */
}

/* Listed as often as they are to be tried. */
static void one(void)
{
	static void (*const tries[])(uint64_t fd) = {
		try_socket,        try_socket,     try_bind,     try_connect, try_connect,
		try_listen,        try_accept,     try_accept,   try_sendto,  try_sendto,
		try_recvfrom,      try_recvfrom,   try_sendmsg,  try_recvmsg, try_many_messages,
		option_call,       option_call,    try_shutdown, try_names,   try_ioctl,
		try_netlink,       try_read_write, try_proc,     try_other,   try_connection,
		try_close_or_wait,
	};
	uint64_t fd = fd_pick();

	PICK(tries)(fd);
}

/* What goes on beside: calls that were taken back come again, some end. */
static void beside(void)
{
	struct caller *c = &callers[chance(CALLERS)];

	if (c->state == TAKEN_BACK) {
		c->message.flags |= K_MSGF_REDELIVERED;
		deliver(c);
	} else if (c->state == HELD && chance(3) == 0) {
		cancel(c, chance(4) == 0);
	}
}

/* Everything is closed: nothing may be left but what was there at the start. */
static void settle(unsigned baseline)
{
	waste = 0;
	for (int i = 0; i < CALLERS; i++) {
		if (callers[i].state == TAKEN_BACK)
			deliver(&callers[i]);
		if (callers[i].state == HELD)
			cancel(&callers[i], false);
		CHECK(callers[i].state == IDLE, "call %d is still held", callers[i].message.number);
	}
	for (int fd = 0; fd < FDS; fd++)
		fd_close(fd);
	for (int i = 0; i < 200000 && object_count != baseline; i++)
		server_run();
	CHECK(object_count == baseline, "%u objects are left, not %u", object_count, baseline);
}

static void *server(void *unused)
{
	(void)unused;
	network_main();
	abort();
}

int main(int argc, char **argv)
{
	static struct {
		struct proto_start start;
		struct proto_start_item item[3];
		char args[16];
	} start = { .start = { PROTO_START_MAGIC, 3, 1, 8 }, .args = "network" };
	unsigned calls = argc > 1 ? (unsigned)atoi(argv[1]) : 60000, baseline;
	static const char *const names[] = { PROTO_START_ENDPOINT, "posix", "vfs" };
	pthread_t thread;

	if (argc > 2)
		seed = first_seed = strtoul(argv[2], NULL, 10) | 1;
	for (int i = 0; i < 3; i++) {
		strcpy(start.start.item[i].name, names[i]);
		start.start.item[i].handle = give(object_new(K_OBJECT_ENDPOINT));
	}
	srv_start(&start.start);
	sem_init(&work, 0, 0);
	sem_init(&idle, 0, 0);
	pthread_create(&thread, NULL, server, NULL);
	sem_wait(&idle);
	baseline = object_count;
	for (unsigned i = 0; i < calls; i++) {
		waste = i % 4000 < 2000 ? 60 : 0;
		one();
		beside();
		if (i % 4000 == 3999)
			settle(baseline);
	}
	settle(baseline);
	for (int i = 0; i < 340; i++) {
		if (all[i])
			printf("# call %d: %u, %u succeeded\n", i, all[i], good[i]);
	}
	printf("ok network.fuzz\n");
	return 0;
}
