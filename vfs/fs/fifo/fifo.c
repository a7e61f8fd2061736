/* SPDX-License-Identifier: MIT */
/*
 * FIFOs and pipes. The data is in a kernel pipe, which a FIFO's node holds while anyone has it
 * open; how many read and write is counted by the open files (file.c).
 *
 * Opening one end waits for the other: the opener is parked, with nothing noted in the state. As
 * soon as an opener of the other kind comes, all waiting ones go on: first every description is
 * made, and only then does anyone run, or a reader could meet the end of the file before the writer
 * that let it in is there. If the server dies, parked callers come again by themselves.
 */
#include <errno.h>

#include "open.h"
#include "op.h"

static struct srv_parked_list openers;

/* parked->value: */
enum {
	VALUE_FILE /* record that pins the place */,
	VALUE_PIN /* its description */,
	VALUE_FLAGS,
	VALUE_HANDLE /* the new description */
};

static struct pos place_of(const struct srv_parked *p)
{
	return ((struct file *)(uintptr_t)p->value[VALUE_FILE])->at;
}

/* The parked call ends: its pin's close notice frees the record. */
static void unpark(struct srv_parked *p)
{
	k_handle_close((int)p->value[VALUE_PIN]);
	srv_unpark(p);
}

static bool reads(uint32_t flags)
{
	return (flags & LX_O_ACCMODE) != LX_O_WRONLY;
}

static bool writes(uint32_t flags)
{
	return (flags & LX_O_ACCMODE) != LX_O_RDONLY;
}

/* The handle of a description for this end. */
static int64_t describe(const struct proto_cred *c, struct pos at, uint32_t flags)
{
	struct k_description d = { .object2 = -1, .source = -1, .flags = K_DESCRIPTION_NOSEEK };
	struct node *n = at.node;
	int64_t h;

	if (n->object < 0) {
		h = k_pipe_create(65536, 0);
		if (h < 0)
			return h;
		state_set(n->object, node_new_handle((int)h));
	}
	d.object = n->object;
	d.plane = !writes(flags) ? K_PLANE_PIPE_READ :
		  reads(flags)   ? K_PLANE_PIPE_BOTH :
				   K_PLANE_PIPE_WRITE;
	return open_describe(c, FILE_PIPE, at, flags, &d, NULL);
}

static void opener_cancel(struct srv_parked *p, bool dead)
{
	uint64_t call = p->message.call;

	unpark(p);
	if (!dead)
		srv_answer(call, -K_RESTART_SYS);
}

static int64_t park(struct request *r, struct pos at, uint32_t flags)
{
	struct k_description d = {
		.plane = K_PLANE_NONE, .object = -1, .object2 = -1, .source = -1
	};
	struct file *f;
	int64_t pin = open_describe(r->cred, FILE_PIN, at, flags, &d, &f);
	struct srv_parked *p;

	if (pin < 0)
		return pin;
	request_commit();
	p = srv_park(r->m, opener_cancel);
	if (!p) {
		k_handle_close((int)pin);
		return -ENOMEM;
	}
	p->value[VALUE_FILE] = (uint64_t)(uintptr_t)f;
	p->value[VALUE_PIN] = (uint64_t)pin;
	p->value[VALUE_FLAGS] = flags;
	srv_parked_append(&openers, p);
	return REQUEST_DONE;
}

/* A parked opener of this node whom the new one (of these flags) lets go on. */
static bool is_met(const struct srv_parked *p, const struct node *n, uint32_t flags)
{
	uint32_t its = (uint32_t)p->value[VALUE_FLAGS];

	return place_of(p).node == n &&
	       ((writes(flags) && !writes(its)) || (reads(flags) && !reads(its)));
}

static void wake(const struct node *n, uint32_t flags)
{
	struct srv_parked *p, *next;

	for (p = openers.first; p; p = p->next) {
		if (is_met(p, n, flags))
			p->value[VALUE_HANDLE] =
				(uint64_t)describe(cred_find(p->message.cred), place_of(p),
					   (uint32_t)p->value[VALUE_FLAGS]);
	}
	request_commit();
	for (p = openers.first; p; p = next) {
		uint64_t call = p->message.call;
		uint32_t its = (uint32_t)p->value[VALUE_FLAGS];
		int64_t h = (int64_t)p->value[VALUE_HANDLE];

		next = p->next;
		if (!is_met(p, n, flags))
			continue;
		unpark(p);
		if (h < 0)
			srv_answer(call, h);
		else
			open_install(call, (int)h, its);
	}
}

static bool waiting(const struct node *n, bool readers)
{
	for (struct srv_parked *p = openers.first; p; p = p->next) {
		if (place_of(p).node == n &&
		    (readers ? reads : writes)((uint32_t)p->value[VALUE_FLAGS]))
			return true;
	}
	return false;
}

int64_t fifo_open(struct request *r, struct pos at, uint32_t flags)
{
	struct node *n = at.node;
	bool both = (flags & LX_O_ACCMODE) == LX_O_RDWR;
	bool met;
	int64_t h;

	flags &= ~LX_O_TRUNC;
	if (both)
		met = true;
	else if (writes(flags))
		met = n->fifo.readers || waiting(n, true);
	else
		met = n->fifo.writers || waiting(n, false);
	if (n->fs->kind == FS_ANON)
		met = true;		/* a pipe, through /proc/self/fd: never waits */
	if (!met && !(flags & LX_O_NONBLOCK))
		return park(r, at, flags);
	if (!met && writes(flags))
		return -ENXIO;
	h = describe(r->cred, at, flags);
	if (h < 0)
		return h;
	wake(n, flags);
	open_install(r->m->call, (int)h, flags);
	return REQUEST_DONE;
}

/* --- pipe, pipe2 -------------------------------------------------------------------------- */

static int64_t pipe_make(struct request *r, uint32_t flags)
{
	struct k_description in = { .plane = K_PLANE_PIPE_READ,
				    .object2 = -1,
				    .source = -1,
				    .flags = K_DESCRIPTION_NOSEEK };
	struct k_description out = { .plane = K_PLANE_PIPE_WRITE,
				     .object2 = -1,
				     .source = -1,
				     .flags = K_DESCRIPTION_NOSEEK };
	uint32_t status = flags & (LX_O_NONBLOCK | LX_O_DIRECT);
	uint32_t install = flags & LX_O_CLOEXEC ? K_INSTALL_CLOEXEC : 0;
	struct pos at = { vfs->anon, NULL };
	int64_t h[2];

	at.node = node_create(vfs->anon->fs, LX_S_IFIFO | 0600, r->cred->fsuid, r->cred->fsgid,
			      request_now());
	if (!at.node)
		return -ENFILE;
	h[0] = k_pipe_create(65536, (flags & LX_O_DIRECT) != 0);
	if (h[0] < 0)
		return h[0];
	at.node->object = in.object = out.object = node_new_handle((int)h[0]);
	h[0] = open_describe(r->cred, FILE_PIPE, at, status | LX_O_RDONLY, &in, NULL);
	if (h[0] < 0)
		return h[0];
	h[1] = open_describe(r->cred, FILE_PIPE, at, status | LX_O_WRONLY, &out, NULL);
	if (h[1] < 0) {
		request_commit();
		/* its close notice takes file, node and pipe along */
		k_handle_close((int)h[0]);
		srv_answer(r->m->call, h[1]);
		return REQUEST_DONE;
	}
	srv_answer(r->m->call, 0);
	srv_answer_install((int)h[0], install, 0, request_arg(r, 0));
	srv_answer_install((int)h[1], install, 0, request_arg(r, 0) + 4);
	return REQUEST_DONE;
}

int64_t in_pipe(struct request *r);
int64_t in_pipe2(struct request *r);

int64_t in_pipe(struct request *r)
{
	return pipe_make(r, 0);
}

int64_t in_pipe2(struct request *r)
{
	uint32_t flags = (uint32_t)request_arg(r, 1);

	return flags & ~(LX_O_CLOEXEC | LX_O_NONBLOCK | LX_O_DIRECT) ? -EINVAL :
								       pipe_make(r, flags);
}
