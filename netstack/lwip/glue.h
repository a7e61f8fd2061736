/* SPDX-License-Identifier: MIT */
/*
 * lwIP inside the network server: its start, its clock, and the memory that frames are sent from.
 *
 * lwIP runs with NO_SYS in the server's one thread: sockets (netstack/socket) call its raw API
 * directly, frames go in and out through nic.c, and packets to ourselves through lwIP's loop
 * interface. Nothing here blocks, and lwIP's callbacks into the sockets come from net_lwip_poll()
 * or from inside the calls of its API, never from anywhere else.
 */
#ifndef NETSTACK_LWIP_GLUE_H
#define NETSTACK_LWIP_GLUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct k_message;

/*
 * Once, before anything else of lwIP. Maps netmem, makes lo and, if there is a driver, eth0. Ends
 * the server if it cannot.
 */
void net_lwip_setup(void);
/*
 * At the end of each round: takes received frames in, runs timers that are due, delivers what we
 * sent to ourselves, tells the driver.
 */
void net_lwip_poll(void);
/*
 * When net_lwip_poll wants to run again, absolute CLOCK_MONOTONIC; K_FOREVER: when something
 * happens.
 */
int64_t net_lwip_deadline(void);
/* A notification came: the driver's is one of them. The work is done by the poll that follows. */
void net_lwip_notify(const struct k_message *m);
/*
 * lwIP was given something to do by time that sends nothing at once (keepalive was switched on).
 * Frames say it themselves.
 */
void net_lwip_activity(void);
/*
 * fn says whether a SYN that was repeated so often is to be sent once more. arg: the connection's
 * callback argument.
 */
void net_tcp_on_syn(bool (*fn)(void *arg, unsigned repeated));
/*
 * fn is called with the callback argument of a connection that a segment has come for while its FIN
 * is not acknowledged, before lwIP looks at it.
 */
void net_tcp_on_closing(void (*fn)(void *arg));
/* An lwIP err_t as a negative errno. */
int net_lwip_errno(int err);

/* One tick of tcp_poll()'s interval (lwIP's slow timer), in nanoseconds. */
#define NET_TCP_TICK_NS 100000000ll

/*
 * Buffers for data on its way out: pieces of netmem, so that a segment that refers to one
 * (tcp_write without TCP_WRITE_FLAG_COPY) is sent without a copy; when netmem is full, of the heap.
 * A buffer has one owner, who frees it when lwIP has had everything in it acknowledged (tcp_sent)
 * or the connection is gone; frames in it that the driver still holds keep it by themselves. NULL:
 * too many are in use.
 */
#define NET_BUFFER_LARGE 16384u
#define NET_BUFFER_SMALL 2048u
void *net_buffer_alloc(uint32_t size);	/* at most NET_BUFFER_LARGE */
void net_buffer_free(void *buffer);
/* fn is called, from net_lwip_poll, when buffers have come back after an alloc gave NULL. */
void net_buffer_on_free(void (*fn)(void));

/* Numbers that nobody can guess. */
uint32_t net_random32(void);
void net_random_bytes(void *to, size_t n);

#endif
