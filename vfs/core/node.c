/* SPDX-License-Identifier: MIT */
/* Nodes and names (node.h). */
#include "node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devpts.h"
#include "lock.h"
#include "server.h"

struct vfs_state *vfs;

/*
 * Dynamic nodes of the current request; like `dropped` it is not state: it dies with the server,
 * and the recovery sweep finds the rest.
 */
#define LOOSE_MAX 128
static struct node *loose[LOOSE_MAX];
static unsigned loose_count;

static int *dropped;
static size_t dropped_count, dropped_room;

/* --- operations --------------------------------------------------------------------------- */

void node_drop_handle(int handle)
{
	if (handle < 0)
		return;
	if (dropped_count == dropped_room) {
		size_t room = dropped_room ? 2 * dropped_room : 16;
		int *more = realloc(dropped, room * sizeof *more);

		if (!more)
			return;		/* the recovery sweep of the next instance closes it */
		dropped = more;
		dropped_room = room;
	}
	dropped[dropped_count++] = handle;
}

#define MADE_MAX 320
static int made[MADE_MAX];
static unsigned made_count;

int node_new_handle(int handle)
{
	if (handle >= 0 && made_count < MADE_MAX)
		made[made_count++] = handle;
	return handle;
}

static void drop_now(void)
{
	while (dropped_count)
		k_handle_close(dropped[--dropped_count]);
}

void node_commit(void)
{
	state_commit();
	made_count = 0;
	if (dropped_count)
		drop_now();
}

void node_commit_call(uint64_t call, int64_t result)
{
	state_commit_call(call, result);
	made_count = 0;
	if (dropped_count)
		drop_now();
}

void node_rollback(void)
{
	state_rollback();
	while (made_count)
		k_handle_close(made[--made_count]);
	dropped_count = 0;
	loose_count = 0;
}

void node_loose(struct node *n)
{
	if (n->flags & NODE_LOOSE || loose_count == LOOSE_MAX)
		return;
	state_set(n->flags, n->flags | NODE_LOOSE);
	loose[loose_count++] = n;
}

void node_sweep(void)
{
	while (loose_count) {
		struct node *n = loose[--loose_count];

		state_set(n->flags, n->flags & ~NODE_LOOSE);
		node_check(n);
	}
}

void node_lost(void)
{
	loose_count = 0;
	dropped_count = 0;
	made_count = 0;
}

/* --- nodes -------------------------------------------------------------------------------- */

struct node *node_create(struct filesystem *fs, uint32_t mode, uint32_t uid, uint32_t gid,
			 int64_t now)
{
	struct node *n;

	if (fs_full(fs))
		return NULL;
	n = state_alloc(sizeof *n);
	if (!n)
		return NULL;
	n->fs = fs;
	state_set(fs->next_ino, fs->next_ino + 1);
	n->ino = fs->next_ino;
	n->mode = mode;
	n->uid = uid;
	n->gid = gid;
	n->atime = n->mtime = n->ctime = n->btime = now;
	n->object = -1;
	if (node_is(n, LX_S_IFDIR))
		n->dir.next_cookie = 3;	/* 1 and 2 are "." and ".." */
	state_set(fs->nodes, fs->nodes + 1);
	state_set(vfs->live_nodes, vfs->live_nodes + 1);
	return n;
}

void node_pin(struct node *n)
{
	state_set(n->pins, n->pins + 1);
}

void node_unpin(struct node *n)
{
	state_set(n->pins, n->pins - 1);
	node_check(n);
}

static void entry_free(struct entry *e)
{
	state_set(vfs->live_entries, vfs->live_entries - 1);
	state_free(e, sizeof *e + e->size + 1);
}

/* A name more or less. Only the first is paid for with the node. */
static void link_up(struct node *n)
{
	state_set(n->nlink, n->nlink + 1);
	if (n->nlink > 1)
		state_set(n->fs->extra, n->fs->extra + 1);
}

static void link_down(struct node *n)
{
	state_set(n->nlink, n->nlink - 1);
	if (n->nlink)
		state_set(n->fs->extra, n->fs->extra - 1);
}

uint32_t node_weight(uint32_t target_size)
{
	return target_size / 512;
}

/* The node's name is replaced or goes with it. */
static void name_drop(struct node *n)
{
	struct entry *e = n->name;

	state_set(n->name, NULL);
	if (e && e->gone) {
		struct node *dir = e->dir;

		entry_free(e);
		node_unpin(dir);
	}
}

static void chain_remove(struct node *n)
{
	for (unsigned i = 0; i < 64; i++) {
		for (struct node **at = &n->fs->chains[i]; *at; at = &(*at)->chain) {
			if (*at == n) {
				state_set(*at, n->chain);
				return;
			}
		}
	}
}

static void node_free(struct node *n)
{
	struct node *parent = n->parent;
	bool dynamic = n->flags & NODE_DYNAMIC;

	name_drop(n);
	locks_drop_all(n);
	if (n->fs->kind == FS_DEVPTS)
		devpts_node_gone(n);
	if (dynamic)
		chain_remove(n);
	if (node_is(n, LX_S_IFLNK) && n->link.target) {
		state_set(n->fs->extra, n->fs->extra - node_weight(n->link.size));
		state_free(n->link.target, n->link.size + 1);
	}
	node_drop_handle(n->object);
	state_set(n->fs->nodes, n->fs->nodes - 1);
	state_set(vfs->live_nodes, vfs->live_nodes - 1);
	/*
	 * A removed directory pins its parent through `gone` names only; a dynamic node pins it by
	 * itself.
	 */
	state_free(n, sizeof *n);
	if (dynamic && parent)
		node_unpin(parent);
}

void node_check(struct node *n)
{
	if (n->nlink || n->pins || n->flags & NODE_LOOSE)
		return;
	node_free(n);
}

/* --- the hash table of names -------------------------------------------------------------- */

static uint32_t bucket_of(const struct node *dir, uint32_t hash)
{
	uint32_t h = (hash ^ (uint32_t)((uintptr_t)dir >> 4)) * 0x85ebca6bu;
	uint32_t low;

	h ^= h >> 15;
	low = h & vfs->mask;
	return low < vfs->split ? h & (2 * vfs->mask + 1) : low;
}

static struct entry **bucket(uint32_t i)
{
	return &vfs->segment[i / NAMES_SEGMENT][i % NAMES_SEGMENT];
}

struct entry *entry_find(const struct node *dir, const char *text, size_t size, uint32_t hash)
{
	struct entry *e = *bucket(bucket_of(dir, hash));

	while (e && !(e->hash == hash && e->dir == dir && e->size == size &&
		      !memcmp(e->text, text, size)))
		e = e->chain;
	return e;
}

/*
 * Splits one bucket in two when there are more names than buckets. Failure only makes chains
 * longer.
 */
static void table_grow(void)
{
	uint32_t from = vfs->split, to = vfs->mask + 1 + vfs->split;
	struct entry *e, *next, *stay = NULL, *go = NULL;

	if (vfs->names <= to || to / NAMES_SEGMENT >= NAMES_SEGMENTS)
		return;
	if (!vfs->segment[to / NAMES_SEGMENT]) {
		struct entry **segment = state_alloc(NAMES_SEGMENT * sizeof(struct entry *));

		if (!segment)
			return;
		state_set(vfs->segment[to / NAMES_SEGMENT], segment);
	}
	e = *bucket(from);
	if (vfs->split == vfs->mask) {
		state_set(vfs->mask, 2 * vfs->mask + 1);
		state_set(vfs->split, 0);
	} else {
		state_set(vfs->split, vfs->split + 1);
	}
	for (; e; e = next) {
		next = e->chain;
		if (bucket_of(e->dir, e->hash) == from) {
			state_set(e->chain, stay);
			stay = e;
		} else {
			state_set(e->chain, go);
			go = e;
		}
	}
	state_set(*bucket(from), stay);
	state_set(*bucket(to), go);
}

static void hash_remove(struct entry *e)
{
	struct entry **at = bucket(bucket_of(e->dir, e->hash));

	while (*at != e)
		at = &(*at)->chain;
	state_set(*at, e->chain);
}

/* --- names -------------------------------------------------------------------------------- */

struct entry *entry_add(struct node *dir, const char *text, size_t size, struct node *node)
{
	struct entry *e = state_alloc(sizeof *e + size + 1);
	struct entry **at;

	if (!e)
		return NULL;
	e->dir = dir;
	e->node = node;
	e->hash = name_hash(text, size);
	e->size = (uint8_t)size;
	memcpy(e->text, text, size);
	e->cookie = dir->dir.next_cookie;
	state_set(dir->dir.next_cookie, dir->dir.next_cookie + 1);
	e->prev = dir->dir.last;
	if (e->prev)
		state_set(e->prev->next, e);
	else
		state_set(dir->dir.first, e);
	state_set(dir->dir.last, e);
	state_set(dir->dir.count, dir->dir.count + 1);
	at = bucket(bucket_of(dir, e->hash));
	e->chain = *at;
	state_set(*at, e);
	state_set(vfs->names, vfs->names + 1);
	state_set(vfs->live_entries, vfs->live_entries + 1);
	link_up(node);
	if (node_is(node, LX_S_IFDIR)) {
		state_set(node->parent, dir);
		state_set(dir->dir.subdirs, dir->dir.subdirs + 1);
	}
	if (!node->name)
		state_set(node->name, e);
	table_grow();
	return e;
}

static void dir_unlist(struct entry *e)
{
	struct node *dir = e->dir;

	if (e->prev)
		state_set(e->prev->next, e->next);
	else
		state_set(dir->dir.first, e->next);
	if (e->next)
		state_set(e->next->prev, e->prev);
	else
		state_set(dir->dir.last, e->prev);
	state_set(dir->dir.count, dir->dir.count - 1);
	state_set(dir->dir.removals, dir->dir.removals + 1);
}

void entry_remove(struct entry *e)
{
	struct node *n = e->node;

	hash_remove(e);
	dir_unlist(e);
	if (node_is(n, LX_S_IFDIR))
		state_set(e->dir->dir.subdirs, e->dir->dir.subdirs - 1);
	state_set(vfs->names, vfs->names - 1);
	link_down(n);
	if (n->name == e && (n->pins || n->nlink)) {
		state_set(e->gone, true);	/* open files still show it, as deleted */
		node_pin(e->dir);
	} else {
		if (n->name == e)
			state_set(n->name, NULL);
		entry_free(e);
	}
	node_check(n);
}

/*
 * The node loses this name, which stays and names another. A copy stands for it while the node is
 * in use.
 */
static void name_orphan(struct node *n, struct entry *e)
{
	struct entry *copy = NULL;

	if (n->name != e)
		return;
	if (n->pins || n->nlink)
		copy = state_alloc(sizeof *copy + e->size + 1);
	if (copy) {
		memcpy(copy, e, sizeof *copy + e->size + 1);
		copy->gone = true;
		node_pin(e->dir);
		state_set(vfs->live_entries, vfs->live_entries + 1);
	}
	state_set(n->name, copy);
}

void entry_replace(struct entry *e, struct node *node)
{
	struct node *old = e->node;

	link_down(old);
	name_orphan(old, e);
	state_set(e->node, node);
	link_up(node);
	state_set(e->dir->dir.subdirs,
		  e->dir->dir.subdirs + node_is(node, LX_S_IFDIR) - node_is(old, LX_S_IFDIR));
	if (node_is(node, LX_S_IFDIR))
		state_set(node->parent, e->dir);
	entry_note(e);
	node_check(old);
}

void entry_note(struct entry *e)
{
	struct node *n = e->node;

	if (n->name == e)
		return;
	name_drop(n);
	state_set(n->name, e);
}

int node_state_create(void)
{
	vfs = state_alloc(sizeof *vfs);
	if (!vfs)
		return -ENOMEM;
	vfs->mask = NAMES_SEGMENT - 1;
	vfs->segment[0] = state_alloc(NAMES_SEGMENT * sizeof(struct entry *));
	if (!vfs->segment[0])
		return -ENOMEM;
	state_set_root(vfs);
	return 0;
}
