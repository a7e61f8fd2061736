/* SPDX-License-Identifier: MIT */
/*
 * Small calls about the calling thread itself: constants, yield, umask, thread pointer, CPU number.
 */
#include "core/ops.h"
#include "core/sched.h"
#include "data/linux.h"
#include "data/operation.h"
#include "lib/errno.h"
#include "mm/usercopy.h"

/* arg[6]: which constant, from the route entry. */
int64_t op_constant(struct thread *t, const uint64_t *arg)
{
	return arg[6] < K_CONSTANTS ? (int64_t)t->constant[arg[6]] : op_decline(t, 0);
}

/* Once round: all who are ready at this priority run before the call returns. */
int64_t op_sched_yield(struct thread *t, const uint64_t *arg)
{
	(void)arg;
	if (t->progress.active)
		return 0;
	t->progress.active = true;
	t->progress.deadline = K_FOREVER;
	cpu_self()->slice_over = true;
	return OP_PREEMPT;
}

int64_t op_umask(struct thread *t, const uint64_t *arg)
{
	struct fsctx *f = t->task->fsctx;
	uint32_t old = f->umask;

	f->umask = (uint32_t)arg[0] & 0777;
	return old;
}

int64_t op_arch_prctl(struct thread *t, const uint64_t *arg)
{
	uint64_t base;

	switch ((uint32_t)arg[0]) {
	case ARCH_SET_FS:
		return arch_frame_set_tls(&t->frame, arg[1]);
	case ARCH_SET_GS:
		return arch_frame_set_gs(&t->frame, arg[1]);
	case ARCH_GET_FS:
		base = arch_frame_tls(&t->frame);
		break;
	case ARCH_GET_GS:
		base = arch_frame_gs(&t->frame);
		break;
	default:
		return -EINVAL;
	}
	return user_write(t, arg[1], &base, sizeof(base));
}

int64_t op_getcpu(struct thread *t, const uint64_t *arg)
{
	const uint32_t cpu = cpu_self()->index, node = 0;
	int64_t r = arg[0] ? user_write(t, arg[0], &cpu, sizeof(cpu)) : 0;

	if (!r && arg[1])
		r = user_write(t, arg[1], &node, sizeof(node));
	return r;
}
