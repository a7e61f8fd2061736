/* SPDX-License-Identifier: MIT */
/*
 * What a server that was restarted finds in the kernel: the handle table of its predecessor, and
 * the descriptions of its endpoint. Handles that were made but not noted yet, or noted as dropped
 * but not closed yet, are found by going through the table; notices of closed descriptions that
 * were received and lost, by asking which descriptions live.
 *
 * In this order: inherited_know() for every handle that the state or the manifest knows, then
 * inherited_sweep(); inherited_alive_read(), then inherited_is_alive() as often as one likes.
 */
#ifndef TROUPE_LIBSRV_INHERITED_H
#define TROUPE_LIBSRV_INHERITED_H

#include <stdbool.h>
#include <stdint.h>

#define INHERITED_TYPE(type) (1ull << (type))

/* handle: one that is not to be closed; -1 is none. */
void inherited_know(int handle);
/*
 * Closes all handles to objects of these types (INHERITED_TYPE, or'ed) that nobody knows, and
 * forgets what is known.
 */
void inherited_sweep(uint64_t types);
/* Asks for the cookies of all descriptions that still have handles. 0 or a negative errno. */
int inherited_alive_read(int endpoint);
bool inherited_is_alive(uint64_t cookie);
/* Forgets them. */
void inherited_alive_drop(void);

#endif
