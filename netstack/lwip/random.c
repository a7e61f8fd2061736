/* SPDX-License-Identifier: MIT */
/*
 * Numbers that nobody can guess: a ChaCha generator with 12 rounds, seeded by the kernel's entropy
 * and by when we start. Each block gives the next key, so that what is handed out says nothing
 * about what was before. And TCP's initial sequence numbers (RFC 6528): a keyed hash of the
 * connection's name plus a clock, so that a connection that is made again starts later than it
 * ended.
 */
#include <string.h>

#include "glue.h"
#include "lwip/ip_addr.h"
#include "lwip_hooks.h"
#include "server.h"

static struct {
	uint32_t key[8], block[16];
	uint32_t used;			/* words of the block */
	uint64_t count;
	bool ready;
} generator;

static inline uint32_t left(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static void quarter(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	*a += *b; *d = left(*d ^ *a, 16);
	*c += *d; *b = left(*b ^ *c, 12);
	*a += *b; *d = left(*d ^ *a, 8);
	*c += *d; *b = left(*b ^ *c, 7);
}

static void block_make(void)
{
	uint32_t start[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 },
		 *x = generator.block;

	memcpy(start + 4, generator.key, sizeof generator.key);
	start[12] = (uint32_t)generator.count;
	start[13] = (uint32_t)(generator.count >> 32);
	generator.count++;
	memcpy(x, start, sizeof start);
	for (int i = 0; i < 6; i++) {
		quarter(x, x + 4, x + 8, x + 12);
		quarter(x + 1, x + 5, x + 9, x + 13);
		quarter(x + 2, x + 6, x + 10, x + 14);
		quarter(x + 3, x + 7, x + 11, x + 15);
		quarter(x, x + 5, x + 10, x + 15);
		quarter(x + 1, x + 6, x + 11, x + 12);
		quarter(x + 2, x + 7, x + 8, x + 13);
		quarter(x + 3, x + 4, x + 9, x + 14);
	}
	for (int i = 0; i < 16; i++)
		x[i] += start[i];
	memcpy(generator.key, x, sizeof generator.key);
	generator.used = 8;
}

/* The kernel's entropy is the same for every start of a server: the clocks make the difference. */
static void generator_start(void)
{
	static struct k_system_info info;
	uint64_t mix[4] = { 0 };

	if (k_system_info(&info) == 0)
		memcpy(mix, info.seed, sizeof mix);
	mix[0] ^= (uint64_t)srv_now();
	mix[1] ^= (uint64_t)srv_realtime();
	mix[2] ^= __builtin_ia32_rdtsc();
	mix[3] ^= 0x6e6574776f726bull;
	memcpy(generator.key, mix, sizeof generator.key);
	generator.ready = true;
	block_make();
}

uint32_t net_random32(void)
{
	if (!generator.ready)
		generator_start();
	if (generator.used == 16)
		block_make();
	return generator.block[generator.used++];
}

void net_random_bytes(void *to, size_t n)
{
	unsigned char *at = to;

	while (n) {
		uint32_t word = net_random32();
		size_t part = n < 4 ? n : 4;

		memcpy(at, &word, part);
		at += part;
		n -= part;
	}
}

/* --- sequence numbers --------------------------------------------------------------------- */

static inline uint64_t left64(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static void sip_rounds(uint64_t v[4], int n)
{
	while (n-- > 0) {
		v[0] += v[1]; v[1] = left64(v[1], 13) ^ v[0]; v[0] = left64(v[0], 32);
		v[2] += v[3]; v[3] = left64(v[3], 16) ^ v[2];
		v[0] += v[3]; v[3] = left64(v[3], 21) ^ v[0];
		v[2] += v[1]; v[1] = left64(v[1], 17) ^ v[2]; v[2] = left64(v[2], 32);
	}
}

static uint64_t sip_hash(const uint64_t key[2], const uint64_t *word, int words)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575ull, key[1] ^ 0x646f72616e646f6dull,
			  key[0] ^ 0x6c7967656e657261ull, key[1] ^ 0x7465646279746573ull };

	for (int i = 0; i < words; i++) {
		v[3] ^= word[i];
		sip_rounds(v, 2);
		v[0] ^= word[i];
	}
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint32_t net_tcp_isn(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote,
		     uint16_t remote_port)
{
	static uint64_t key[2];
	uint64_t word[5] = { 0 };

	if (!key[0] && !key[1])
		net_random_bytes(key, sizeof key);
	memcpy(word, &local->u_addr, IP_IS_V6(local) ? 16 : 4);
	memcpy(word + 2, &remote->u_addr, IP_IS_V6(remote) ? 16 : 4);
	word[4] = (uint64_t)local_port << 16 | remote_port;
	/* a step every 256 ns */
	return (uint32_t)sip_hash(key, word, 5) + (uint32_t)(srv_now() >> 8);
}
