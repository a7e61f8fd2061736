/*
 * Random numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/misc/random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "posix/misc/chacha.h"
#include "posix/proc/caller.h"
#include "posix/proc/cred.h"
#include "posix/signal/signal.h"

#define GRND_NONBLOCK 1u
#define GRND_RANDOM 2u
#define GRND_INSECURE 4u
#define CHUNK 65536u		/* at most so much in one answer */

/*
 * Output is made some blocks ahead: the first half block of each batch is the next key, the rest is
 * given out once and wiped as it goes, so what was given out cannot be computed from what is still
 * here.
 */
#define BATCH 8u

static STATE struct {
	uint32_t key[8];
	uint64_t uses;
	bool seeded;
	struct srv_parked_list waiting;	/* readers until there is a seed */
	uint8_t pool[BATCH * 64];
	size_t left;		/* unused bytes, at the end of the pool */
} generator;
#define G STATE_OF(generator)

static void pool_fill(void)
{
	uint32_t nonce[3] = { (uint32_t)G.uses, (uint32_t)(G.uses >> 32), 0 };

	G.uses++;
	/* the time between batches is hard to foresee: it can only help */
	G.key[7] ^= (uint32_t)srv_now();
	for (uint32_t i = 0; i < BATCH; i++)
		chacha_block(G.key, i, nonce, G.pool + 64 * i);
	memcpy(G.key, G.pool, sizeof G.key);
	memset(G.pool, 0, sizeof G.key);
	G.left = sizeof G.pool - sizeof G.key;
}

void random_bytes(void *to, size_t n)
{
	uint8_t *at = to;

	while (n) {
		size_t part;

		if (!G.left)
			pool_fill();
		part = n < G.left ? n : G.left;
		memcpy(at, G.pool + sizeof G.pool - G.left, part);
		memset(G.pool + sizeof G.pool - G.left, 0, part);
		G.left -= part;
		at += part;
		n -= part;
	}
}

bool random_is_seeded(void)
{
	return G.seeded;
}

static void answer_bytes(const struct k_message *m, uint64_t to, uint64_t size)
{
	static uint8_t out[CHUNK];
	uint64_t done = 0;
	int r = 0;

	if (size > 0x7ffff000)
		size = 0x7ffff000;
	while (done < size && !r) {
		size_t part = size - done < sizeof out ? (size_t)(size - done) : sizeof out;

		random_bytes(out, part);
		r = caller_write(m, to + done, out, part);
		if (!r)
			done += part;
		/* large reads go on in pieces: others wait, and it may be interrupted */
		if (done >= 4 * CHUNK)
			break;
	}
	caller_answer(m, r == -K_REDELIVER ? r : done ? (int64_t)done : r);
}

static void waiters_go(void)
{
	while (G.waiting.first) {
		struct srv_parked *p = G.waiting.first;
		struct k_message m = p->message;
		uint64_t to = p->value[0], size = p->value[1];

		((struct thread *)p->arg)->waiting = NULL;
		srv_unpark(p);
		answer_bytes(&m, to, size);
	}
}

void random_mix(const void *from, size_t n, bool credit)
{
	const uint8_t *at = from;

	for (size_t i = 0; i < n; i++) {
		((uint8_t *)G.key)[i % sizeof G.key] ^= at[i];
		if (i % sizeof G.key == sizeof G.key - 1 || i + 1 == n)
			pool_fill();
	}
	G.left = 0;	/* nothing that was made before */
	if (!credit || G.seeded || n < 16)
		return;
	G.seeded = true;
	waiters_go();
}

void random_setup(const uint64_t seed[4])
{
	uint64_t all = seed[0] | seed[1] | seed[2] | seed[3];
	int64_t now = srv_now();

	random_mix(&now, sizeof now, false);
	if (all)
		random_mix(seed, 32, true);
}

static void wait_cancel(struct srv_parked *p, bool dead)
{
	uint64_t call = p->message.call;

	((struct thread *)p->arg)->waiting = NULL;
	srv_unpark(p);
	if (!dead)
		srv_answer(call, -K_RESTART_SYS);
}

static void wait_for_seed(const struct k_message *m, uint64_t to, uint64_t size)
{
	struct thread *t = thread_of(m);
	struct srv_parked *p;

	if (signal_due(t)) {
		srv_answer(m->call, -K_RESTART_SYS);
		return;
	}
	p = srv_park(m, wait_cancel);
	if (!p) {
		srv_answer(m->call, -ENOMEM);
		return;
	}
	p->arg = t;
	p->value[0] = to;
	p->value[1] = size;
	t->waiting = p;
	srv_parked_append(&G.waiting, p);
}

static void read_into(const struct k_message *m, uint64_t to, uint64_t size, bool nonblock,
		      bool insecure)
{
	if (G.seeded || insecure || !size)
		answer_bytes(m, to, size);
	else if (nonblock)
		srv_answer(m->call, -EAGAIN);
	else
		wait_for_seed(m, to, size);
}

void in_getrandom(const struct k_message *m)
{
	uint32_t flags = (uint32_t)m->arg[2];

	if ((flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) ||
	    (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		srv_answer(m->call, -EINVAL);
	else
		read_into(m, m->arg[0], m->arg[1], flags & GRND_NONBLOCK, flags & GRND_INSECURE);
}

/* --- /dev/random, /dev/urandom ---------------------------------------------------------------- */

void random_read(const struct k_message *m, bool urgent)
{
	read_into(m, m->arg[1], m->arg[2], m->fd_flags & LX_O_NONBLOCK, urgent);
}

void random_write(const struct k_message *m)
{
	uint8_t in[256];
	uint64_t n = m->arg[2] < sizeof in ? m->arg[2] : sizeof in;
	int r = caller_read(m, in, m->arg[1], n);

	if (!r)
		random_mix(in, n, false);
	caller_answer(m, r ? r : (int64_t)(m->arg[2] < 0x7ffff000 ? m->arg[2] : 0x7ffff000));
}

enum {
	RNDGETENTCNT = (int)0x80045200,
	RNDADDENTROPY = 0x40085203,
	RNDCLEARPOOL = 0x5206,
	RNDRESEEDCRNG = 0x5207
};

/* What a seeding program brings: bits that it vouches for, and the bytes. */
static int entropy_add(const struct k_message *m)
{
	struct { int32_t bits, size; uint8_t bytes[512]; } in;
	int r = caller_read(m, &in, m->arg[2], 8);

	if (!cred_capable(thread_of(m)->cred, LX_CAP_SYS_ADMIN))
		return -EPERM;
	if (r || in.bits < 0 || in.size < 0)
		return r ? r : -EINVAL;
	if (in.size > (int32_t)sizeof in.bytes)
		in.size = sizeof in.bytes;
	r = caller_read(m, in.bytes, m->arg[2] + 8, (size_t)in.size);
	if (!r)
		random_mix(in.bytes, (size_t)in.size, in.bits >= 128);
	return r;
}

void random_ioctl(const struct k_message *m)
{
	int32_t bits = G.seeded ? 256 : 0;

	switch ((int)m->arg[1]) {
	case RNDGETENTCNT:
		caller_answer(m, caller_write(m, m->arg[2], &bits, sizeof bits));
		return;
	case RNDADDENTROPY:
		caller_answer(m, entropy_add(m));
		return;
	case RNDCLEARPOOL:
	case RNDRESEEDCRNG:
		srv_answer(m->call,
			   cred_capable(thread_of(m)->cred, LX_CAP_SYS_ADMIN) ? 0 : -EPERM);
		return;
	}
	srv_answer(m->call, -ENOTTY);
}
