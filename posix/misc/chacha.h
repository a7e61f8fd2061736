/* SPDX-License-Identifier: MIT */
/* The ChaCha20 block function (RFC 8439). */
#ifndef POSIX_CHACHA_H
#define POSIX_CHACHA_H

#include <stdint.h>

/* One block of 64 bytes for this key, counter and nonce. */
void chacha_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3],
		  uint8_t out[64]);

#endif
