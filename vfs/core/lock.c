/* SPDX-License-Identifier: MIT */
/*
 * Advisory locks (lock.h). A node's list is in no order; an owner's locks of one kind never
 * overlap.
 */
#include "lock.h"

#include <errno.h>
#include <stddef.h>

#include "mounts.h"
#include "node.h"

/*
 * Of all users (of one: quota.h). One operation may end all of them, and its log has room for twice
 * as many: an unlock of everything, the close of a file.
 */
#define LOCKS_MOST 16384u

static uint64_t locks_most(void)
{
	uint64_t share = mounts_memory() / 8192;

	return share < LOCKS_MOST ? share : LOCKS_MOST;
}

static bool overlap(const struct lock *a, const struct lock *b)
{
	return a->start <= b->end && b->start <= a->end;
}

static bool same_owner(const struct lock *a, const struct lock *b)
{
	return a->kind == b->kind && a->owner == b->owner;
}

const struct lock *lock_conflict(const struct node *n, const struct lock *want)
{
	const struct lock *found = NULL;

	for (const struct lock *l = n->locks; l; l = l->next) {
		if (same_owner(l, want) || !overlap(l, want))
			continue;
		if ((l->kind == LOCK_FLOCK) != (want->kind == LOCK_FLOCK))
			continue;
		if (l->type != LX_F_WRLCK && want->type != LX_F_WRLCK)
			continue;
		if (!found || l->start < found->start)
			found = l;
	}
	return found;
}

static void lock_free(struct node *n, struct lock **at)
{
	struct lock *l = *at;

	(void)n;
	state_set(*at, l->next);
	quota_count(&vfs->locks, l->user, -1);
	state_free(l, sizeof *l);
}

static struct lock *lock_add(struct node *n, const struct lock *from)
{
	bool room = quota_room(&vfs->locks, from->user, locks_most());
	struct lock *l = room ? state_alloc(sizeof *l) : NULL;

	if (!l)
		return NULL;
	*l = *from;
	l->next = n->locks;
	state_set(n->locks, l);
	quota_count(&vfs->locks, l->user, 1);
	return l;
}

/*
 * Cuts [start, end] of `cut` out of l (which overlaps it). -ENOLCK when a second half cannot be
 * made.
 */
static int lock_cut(struct node *n, struct lock **at, const struct lock *cut)
{
	struct lock *l = *at;

	if (l->start < cut->start && l->end > cut->end) {
		struct lock right = *l;

		right.start = cut->end + 1;
		state_set(l->end, cut->start - 1);
		return lock_add(n, &right) ? 0 : -ENOLCK;
	}
	if (l->start < cut->start)
		state_set(l->end, cut->start - 1);
	else if (l->end > cut->end)
		state_set(l->start, cut->end + 1);
	else
		lock_free(n, at);
	return 0;
}

/* l has no room between itself and `want`. */
static bool adjacent(const struct lock *l, const struct lock *want)
{
	return (l->end != UINT64_MAX && l->end + 1 == want->start) ||
	       (want->end != UINT64_MAX && want->end + 1 == l->start);
}

int lock_set(struct node *n, const struct lock *want)
{
	struct lock grown = *want;
	struct lock **at = &n->locks;

	while (*at) {
		struct lock *l = *at;

		if (!same_owner(l, want) ||
		    !(overlap(l, want) || (l->type == want->type && adjacent(l, want)))) {
			at = &l->next;
			continue;
		}
		if (l->type == want->type) {	/* swallow it */
			if (l->start < grown.start)
				grown.start = l->start;
			if (l->end > grown.end)
				grown.end = l->end;
			lock_free(n, at);
			continue;
		}
		if (lock_cut(n, at, want))
			return -ENOLCK;
		if (*at == l)
			at = &l->next;
	}
	if (want->type != LX_F_UNLCK && !lock_add(n, &grown))
		return -ENOLCK;
	return 0;
}

bool locks_drop_owner(struct node *n, enum lock_kind kind, uint64_t owner)
{
	bool any = false;

	for (struct lock **at = &n->locks; *at;) {
		if ((*at)->kind == kind && (*at)->owner == owner) {
			lock_free(n, at);
			any = true;
		} else {
			at = &(*at)->next;
		}
	}
	return any;
}

bool locks_drop_file(struct node *n, uint64_t cookie)
{
	bool any = false;

	for (struct lock **at = &n->locks; *at;) {
		if ((*at)->file == cookie) {
			lock_free(n, at);
			any = true;
		} else {
			at = &(*at)->next;
		}
	}
	return any;
}

void locks_drop_all(struct node *n)
{
	while (n->locks)
		lock_free(n, &n->locks);
}

unsigned locks_count(const struct node *n)
{
	unsigned count = 0;

	for (const struct lock *l = n->locks; l; l = l->next)
		count++;
	return count;
}

bool locks_owned(const struct node *n, enum lock_kind kind, uint64_t owner)
{
	for (const struct lock *l = n->locks; l; l = l->next) {
		if (l->kind == kind && l->owner == owner)
			return true;
	}
	return false;
}
