/*
 * fork, vfork, clone, clone3.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_FORK_H
#define POSIX_FORK_H

#include "posix/proc/process.h"

/* Whether these flags make sense and are supported: 0, -EINVAL. */
int op_clone_check(const struct lx_clone_args *a, bool is_init);

srv_handler in_fork, in_vfork, in_clone, in_clone3;

/* At most so many threads in the whole system; set from the size of memory. */
extern unsigned fork_thread_limit;

#endif
