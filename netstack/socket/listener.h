/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets outlive the server: connections are lost with it, but a daemon that waits for
 * them need not notice. What a listener is lies in a record of the state object; the successor
 * makes it anew, over the same pipes and source.
 */
#ifndef NETSTACK_SOCKET_LISTENER_H
#define NETSTACK_SOCKET_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

struct stream;

void listener_save(struct stream *st);	/* also when its options have changed */
void listener_forget(struct stream *st);
/* A handle that the predecessor's listeners need: taking over leaves it alone. */
bool listener_owns(int handle);
/*
 * Before the handles are looked through: forgets records whose descriptions are gone (not among the
 * n cookies).
 */
void listener_keep(const uint64_t *cookies, long n);
void listener_keep_end(void);
/* When lwIP runs: makes them. */
void listener_restore(void);

#endif
