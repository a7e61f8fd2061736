/* SPDX-License-Identifier: MIT */
/* Doubly linked circular lists; a node that is in no list points to itself. */
#ifndef TROUPE_CORE_LIST_H
#define TROUPE_CORE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define LIST_INIT(name) { &(name), &(name) }

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert_before(struct list *at, struct list *node)
{
	node->next = at;
	node->prev = at->prev;
	at->prev->next = node;
	at->prev = node;
}

static inline void list_append(struct list *head, struct list *node)
{
	list_insert_before(head, node);
}

static inline void list_prepend(struct list *head, struct list *node)
{
	list_insert_before(head->next, node);
}

/* Safe on a node that is in no list. */
static inline void list_remove(struct list *node)
{
	struct list *next = node->next, *prev = node->prev;

	prev->next = next;
	next->prev = prev;
	list_init(node);
}

/* From whatever list it is in to the end of this one. */
static inline void list_move(struct list *head, struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_append(head, node);
}

#define list_first(head, type, member) container_of((head)->next, type, member)
#define list_for(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)
/* `it` may be removed in the body. */
#define list_for_safe(it, head)                                                                    \
	for (struct list *it = (head)->next, *it##_next = it->next; it != (head);                  \
	     it = it##_next, it##_next = it->next)

#endif
