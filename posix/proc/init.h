/*
 * The first process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_INIT_H
#define POSIX_INIT_H

#include "posix/proc/process.h"

/*
 * Makes process 1, whose only thread will execve the program that the boot command line names
 * (init=), or one of the usual.
 */
void init_start(const char *command_line, unsigned max_threads);
/*
 * Its execve failed (it came to the instruction behind): the next candidate. False: that was the
 * last one.
 */
bool init_try_next(const struct k_message *m);

#endif
