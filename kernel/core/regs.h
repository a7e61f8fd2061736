/* SPDX-License-Identifier: MIT */
/* The registers that servers see (struct k_regs) and the frame that arch keeps. */
#ifndef TROUPE_CORE_REGS_H
#define TROUPE_CORE_REGS_H

#include "abi/message.h"
#include "arch/frame.h"

void regs_from_frame(struct k_regs *r, const struct arch_frame *f);
/* EPERM: a base outside the user half */
int regs_to_frame(struct arch_frame *f, const struct k_regs *r);

#endif
