/*
 * Who dies when memory runs out.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_MEMORY_H
#define POSIX_MEMORY_H

#include "posix/proc/process.h"

/* How much it would help and how little it would hurt, in pages; 0: never a victim. */
int64_t memory_badness(int64_t pages, int adjustment, int64_t total_pages);
int64_t process_badness(const struct process *p);

#endif
