/* SPDX-License-Identifier: MIT */
/* Futexes, for those who wake on behalf of others (thread exit, robust lists). */
#ifndef TROUPE_DATA_FUTEX_H
#define TROUPE_DATA_FUTEX_H

#include "mm/space.h"

/* Wakes up to n waiters on the word at this address of s, private or shared; returns how many. */
int futex_wake_address(struct space *s, uint64_t address, int n);

#endif
