/*
 * Random numbers for getrandom, /dev/random and /dev/urandom, AT_RANDOM, and address layout.
 *
 * ChaCha20 with a key that is replaced after every use by output that nobody sees (so what was
 * given out before cannot be computed from a later state). Seeded from the kernel's boot entropy;
 * without any, getrandom blocks, until somebody writes to /dev/random.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_RANDOM_H
#define POSIX_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server.h"

void random_setup(const uint64_t seed[4]);
bool random_is_seeded(void);
/* As good as there is, seeded or not. */
void random_bytes(void *to, size_t n);
/* Mixes in what somebody wrote. credit: count it as a seed. */
void random_mix(const void *from, size_t n, bool credit);

srv_handler in_getrandom, ps_random_open;
/* read and write on descriptions of /dev/random and /dev/urandom. */
void random_read(const struct k_message *m, bool urgent);
void random_write(const struct k_message *m);
void random_ioctl(const struct k_message *m);

#endif
