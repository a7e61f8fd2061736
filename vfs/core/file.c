/* SPDX-License-Identifier: MIT */
/*
 * The table of open files (file.h): chunks of records in the state arena, a free list through them.
 */
#include "file.h"

#include <errno.h>
#include <stddef.h>

#include "devpts.h"
#include "lock.h"
#include "mounts.h"
#include "shares.h"
#include "socket.h"

#define CHUNK 256u
#define CHUNKS 1024u

struct file_table {
	struct file *chunk[CHUNKS];
	uint32_t chunks, first_free;
	struct quota quota;
};

static struct file *slot(uint32_t i)
{
	return &vfs->files->chunk[i / CHUNK][i % CHUNK];
}

int file_table_create(void)
{
	state_set(vfs->files, state_alloc(sizeof(struct file_table)));
	return vfs->files ? 0 : -ENOMEM;
}

static int table_grow(void)
{
	struct file_table *t = vfs->files;
	struct file *chunk;
	uint32_t base = t->chunks * CHUNK;

	if (t->chunks == CHUNKS)
		return -ENFILE;
	chunk = state_alloc(CHUNK * sizeof *chunk);
	if (!chunk)
		return -ENOMEM;
	state_set(t->chunk[t->chunks], chunk);
	state_set(t->chunks, t->chunks + 1);
	/* slot 0 is never used: cookie 0 means none */
	for (uint32_t i = CHUNK; i-- > (base ? 0 : 1);) {
		chunk[i].generation = 1;
		chunk[i].next_free = t->first_free;
		state_set(t->first_free, base + i);
	}
	return 0;
}

static uint32_t slot_of(const struct file *f)
{
	struct file_table *t = vfs->files;

	for (uint32_t c = 0; c < t->chunks; c++) {
		if (f >= t->chunk[c] && f < t->chunk[c] + CHUNK)
			return c * CHUNK + (uint32_t)(f - t->chunk[c]);
	}
	return 0;
}

uint64_t file_cookie(const struct file *f)
{
	return (uint64_t)f->generation << 32 | slot_of(f);
}

struct file *file_find(uint64_t cookie)
{
	uint32_t i = (uint32_t)cookie;
	struct file *f;

	if (!i || i / CHUNK >= vfs->files->chunks)
		return NULL;
	f = slot(i);
	return f->kind != FILE_FREE && f->generation == cookie >> 32 ? f : NULL;
}

/* delta 1: it is opened; -1: closed. */
static void node_count(struct file *f, int delta)
{
	struct node *n = f->at.node;

	if (f->kind == FILE_PIPE) {
		if (f->may_read)
			state_set(n->fifo.readers, n->fifo.readers + delta);
		if (f->may_write)
			state_set(n->fifo.writers, n->fifo.writers + delta);
	} else if (f->kind == FILE_PLAIN && node_is(n, LX_S_IFREG) &&
		   (f->may_read || f->may_write)) {
		uint32_t flags =
			n->flags | NODE_READ | (f->may_write ? NODE_WRITTEN | NODE_TOUCHED : 0);

		state_set(n->opens, n->opens + delta);
		if (f->may_write)
			state_set(n->writers, n->writers + delta);
		if (n->flags != flags)
			state_set(n->flags, flags);
	}
}

void file_run(struct file *f)
{
	state_set(f->running, true);
	state_set(f->at.node->running, f->at.node->running + 1);
}

struct file *file_create(const struct proto_cred *c, enum file_kind kind, struct pos at,
			 uint32_t status)
{
	struct file_table *t = vfs->files;
	unsigned mode = status & LX_O_ACCMODE;
	uint32_t user = quota_user(c);
	struct file *f;

	if (!quota_room(&t->quota, user, mounts_memory() / PROTO_FILE_MEMORY) ||
	    (!t->first_free && table_grow()))
		return NULL;
	f = slot(t->first_free);
	undo_save(f, sizeof *f);
	state_set(t->first_free, f->next_free);
	f->user = user;
	quota_count(&t->quota, user, 1);
	f->kind = (uint8_t)kind;
	f->status = status;
	f->at = at;
	f->decline = 0;
	f->object = -1;
	f->offset = f->call = f->before = 0;
	f->may_read = f->may_write = f->semaphore = f->running = false;
	if (kind != FILE_PIN && kind != FILE_MASTER && !(status & LX_O_PATH)) {
		f->may_read = mode == LX_O_RDONLY || mode == LX_O_RDWR;
		f->may_write = mode == LX_O_WRONLY || mode == LX_O_RDWR;
	}
	pos_pin(at);
	node_count(f, 1);
	return f;
}

/* The last one to use a FIFO takes its pipe with it, unread bytes and all. */
static void pipe_drop(struct node *n)
{
	if (n->fifo.readers || n->fifo.writers || n->object < 0)
		return;
	node_drop_handle(n->object);
	state_set(n->object, -1);
}

void file_close(struct file *f)
{
	struct file_table *t = vfs->files;
	struct pos at = f->at;
	uint32_t i = slot_of(f);

	if (f->kind == FILE_SOCKET)
		socket_close(f);
	node_count(f, -1);
	if (f->running)
		state_set(at.node->running, at.node->running - 1);
	if (at.node->locks)
		locks_drop_file(at.node, file_cookie(f));
	if (f->kind == FILE_PIPE)
		pipe_drop(at.node);
	if (socket_of(f))
		socket_closed(socket_of(f));
	if (f->kind == FILE_MASTER)
		devpts_master_gone((uint32_t)f->offset);
	if (f->object >= 0)
		node_drop_handle(f->object);
	undo_save(f, sizeof *f);
	f->kind = FILE_FREE;
	f->generation++;
	f->next_free = t->first_free;
	state_set(t->first_free, i);
	quota_count(&t->quota, f->user, -1);
	pos_unpin(at);
}

uint32_t file_count(void)
{
	return vfs->files->quota.used;
}

void file_each(bool (*visit)(struct file *f))
{
	for (uint32_t i = 1; i < vfs->files->chunks * CHUNK; i++) {
		if (slot(i)->kind != FILE_FREE && !visit(slot(i)))
			return;
	}
}

void file_reconcile(bool (*keep)(uint64_t cookie))
{
	for (uint32_t i = 1; i < vfs->files->chunks * CHUNK; i++) {
		struct file *f = slot(i);

		if (f->kind != FILE_FREE && !keep(file_cookie(f))) {
			file_close(f);
			node_commit();
		}
	}
}
