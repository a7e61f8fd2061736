/* SPDX-License-Identifier: MIT */
/*
 * Pipes: a bounded queue of bytes or packets between descriptions. Counts its reading and writing
 * descriptions by itself; end of file and EPIPE follow from the counts. Data outlives the servers.
 */
#ifndef TROUPE_DATA_PIPE_H
#define TROUPE_DATA_PIPE_H

#include "data/source.h"

struct account;
struct endpoint;
struct pipe;	/* pipe_priv.h */
struct uio;

#define PIPE_DEFAULT 65536ul
#define PIPE_MAX (1ul << 20)

/* The capacity is rounded up to a power of two of pages. */
int pipe_create(struct account *payer, size_t capacity, bool packets, struct pipe **out);
struct object *pipe_object(struct pipe *p);
struct pipe *pipe_of(struct object *o);
/* A description over the pipe comes or goes. */
void pipe_open(struct pipe *p, bool read, bool write);
void pipe_close(struct pipe *p, bool read, bool write);
/* How many writing descriptions there have been. */
uint32_t pipe_writers_seen(const struct pipe *p);

/*
 * Operations of the current thread; nonblock from the description. Result, errno, OP_BLOCK; EPIPE
 * is returned as OP_DECLINE with progress.reason. progress.done counts what earlier runs have
 * moved; u is still to be skipped by that.
 */
int64_t pipe_read(struct pipe *p, struct thread *t, struct uio *u, bool nonblock);
int64_t pipe_write(struct pipe *p, struct thread *t, struct uio *u, bool nonblock);
/*
 * Moves what can be moved at once and adds it to *moved: 0 (something was, or u is empty), -EAGAIN
 * (full), -EPIPE, -ENOMEM, -EFAULT, OP_*. `whole`: all of u or nothing (u is at most PIPE_BUF).
 */
int64_t pipe_put(struct pipe *p, struct thread *t, struct uio *u, bool whole, uint64_t *moved);
int64_t pipe_wait_writable(struct pipe *p, struct thread *t);
/*
 * A thread that may have been woken for p gives up; the next one is woken if there is something for
 * it.
 */
void pipe_pass(struct pipe *p);

/* Readiness of its ends, poll bits. */
uint32_t pipe_read_ready(const struct pipe *p, uint32_t writers_seen);
uint32_t pipe_write_ready(const struct pipe *p);
/* Both ends gone, as a socket sees it: it reads from p. */
bool pipe_at_end(const struct pipe *p);
bool pipe_broken(const struct pipe *p);
struct source *pipe_read_source(struct pipe *p);
struct source *pipe_write_source(struct pipe *p);

/*
 * The server's side (pipe_server.c); what each does is in abi/calls.h. Memory is t's own, the
 * current thread. A result, errno or OP_*; progress.done counts what earlier runs have moved.
 */
int pipe_hold(struct pipe *p, uint32_t ends);
int64_t pipe_server_read(struct pipe *p, struct thread *t, uint64_t to, uint64_t n, uint32_t flags,
			 uint64_t skip);
int64_t pipe_server_write(struct pipe *p, struct thread *t, uint64_t from, uint64_t n);
void pipe_info(const struct pipe *p, struct k_pipe_info *out);
void pipe_bind(struct pipe *p, struct endpoint *e, uint64_t cookie);	/* e NULL: nobody */
int pipe_arm(struct pipe *p, uint32_t events);
/* Threads that wait in p run again, because their descriptions' server has changed its mind. */
void pipe_rerun_readers(struct pipe *p);
void pipe_rerun_writers(struct pipe *p);

uint64_t pipe_capacity(const struct pipe *p);
uint64_t pipe_bytes(const struct pipe *p);	/* FIONREAD */
/* 0, EBUSY, EINVAL, EPERM (above PIPE_MAX), ENOMEM */
int pipe_resize(struct pipe *p, uint64_t capacity);

#endif
