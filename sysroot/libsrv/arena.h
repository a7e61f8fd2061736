/* SPDX-License-Identifier: MIT */
/*
 * Included before everything else in a server that is compiled with STATE_HOOKS: what it allocates
 * is state, and what it does to others for good waits in the outbox until the operation is
 * committed. heap.h has memory that dies with the server.
 */
#ifndef TROUPE_LIBSRV_ARENA_H
#define TROUPE_LIBSRV_ARENA_H

#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "heap.h"
#include "outbox.h"
#include "state.h"

#define malloc(n) arena_calloc(1, n)
#define calloc(n, size) arena_calloc(n, size)
#define realloc(p, n) arena_realloc(p, n)
#define strdup(text) arena_strdup(text)
#define free(p) arena_free(p)

#define k_handle_close(h) outbox_effect(OUTBOX_CLOSE, h)
#define k_thread_kill(t) outbox_effect(OUTBOX_KILL, t)
#define k_thread_start(t) outbox_effect(OUTBOX_START, t)

#endif
