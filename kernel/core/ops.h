/* SPDX-License-Identifier: MIT */
/*
 * Kernel operations, one function per line of abi/ops.def. `t` is the current thread; `arg` its six
 * arguments. Returns a result, a negative errno, or OP_*. Runs again from the start when it was
 * blocked or preempted.
 */
#ifndef TROUPE_CORE_OPS_H
#define TROUPE_CORE_OPS_H

#include "core/thread.h"

typedef int64_t op_function(struct thread *t, const uint64_t *arg);

#define X(name) op_function op_##name;
#include "abi/ops.def"
#undef X

#endif
