/* SPDX-License-Identifier: MIT */
/*
 * The Internet checksum of a piece of memory, as lwIP wants it: the folded sum, not inverted, its
 * bytes in memory as the checksum's are on the wire. Words of 64 bits are added with their carries;
 * the order of bytes comes out by itself, and an odd end counts as if a zero followed.
 */
#include <stdint.h>
#include <string.h>

#include "arch/cc.h"

static inline uint64_t add(uint64_t sum, uint64_t word)
{
	uint64_t r;

	return __builtin_add_overflow(sum, word, &r) ? r + 1 : r;
}

static inline uint64_t load64(const unsigned char *p)
{
	uint64_t w;

	memcpy(&w, p, 8);
	return w;
}

uint16_t net_checksum(const void *data, int n)
{
	const unsigned char *p = data;
	uint64_t a = 0, b = 0;
	unsigned char tail[8] = { 0 };

	for (; n >= 32; n -= 32, p += 32) {
		a = add(add(a, load64(p)), load64(p + 8));
		b = add(add(b, load64(p + 16)), load64(p + 24));
	}
	for (; n >= 8; n -= 8, p += 8)
		a = add(a, load64(p));
	if (n > 0) {
		memcpy(tail, p, (size_t)n);
		b = add(b, load64(tail));
	}
	a = add(a, b);
	a = (a & 0xffffffff) + (a >> 32);
	a = (a & 0xffff) + (a >> 16 & 0xffff) + (a >> 32);
	a = (a & 0xffff) + (a >> 16);
	return (uint16_t)((a & 0xffff) + (a >> 16));
}
