/* SPDX-License-Identifier: MIT */
/*
 * Wait sets: the data plane of epoll descriptions.
 *
 * A wait set has members: descriptions it watches, by descriptor number and description. A member
 * is weak: it goes when its description does. Events of a description's sources put members into
 * the ready list; waiting takes from it.
 */
#ifndef TROUPE_DATA_WAITSET_H
#define TROUPE_DATA_WAITSET_H

#include "core/list.h"
#include <stdbool.h>
#include <stdint.h>

struct description;
struct source;
struct waitset;

int waitset_create(struct description *owner, struct waitset **out);
void waitset_destroy(struct waitset *w);
/* POLLIN if a member is ready. */
uint32_t waitset_ready(struct waitset *w);
struct source *waitset_source(struct waitset *w);
/* Events of a source: `watches` is its list. */
void waitset_events(struct list *watches, uint32_t events);
/* d goes away: its members go. */
void waitset_forget(struct description *d);
/* A waiter gives up; the next is woken if there is something for it. */
void waitset_pass(struct waitset *w);

#endif
