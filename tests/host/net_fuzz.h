/* SPDX-License-Identifier: MIT */
/* What the fuzzer's memory (net_memory.c) counts. */
#ifndef TESTS_HOST_NET_FUZZ_H
#define TESTS_HOST_NET_FUZZ_H

#include <stdbool.h>
#include <stddef.h>

extern struct net_fuzz_memory {
	size_t bytes, blocks, objects;
	bool failing;			/* now and then there is none */
} net_fuzz_memory;

#endif
