/*
 * FPU, SSE and AVX state.
 *
 * Portable code allocates an area per thread and hangs it on frame->fpu; arch_switch() does the
 * rest. Under TCG state is moved lazily: it stays in the CPU that used it last until another thread
 * there wants the FPU (#NM) or the thread wakes on another CPU, which then asks for it by IPI. On
 * hardware it is saved and restored at every switch (lazy state leaks through speculation).
 * A thread whose frame->fpu is NULL gets ARCH_FAULT_NO_FPU when it touches the FPU, so areas can be
 * given to those who need one.
 *
 * All calls are under the kernel lock, and the thread must not be running on another CPU.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ARCH_FPU_H
#define ARCH_FPU_H

#include <stddef.h>
#include "arch/frame.h"

/* Size of the area (at most 4096), which must be aligned to 64 bytes. */
size_t arch_fpu_size(void);
/* Gives the area the state of a fresh process. */
void arch_fpu_init(void *area);
/* Hangs an initialised area on a thread. */
void arch_fpu_attach(struct arch_frame *f, void *area);
/* Brings the area up to date with what the CPU holds: before copying it for fork or a signal. The
 * area is in the format of FXSAVE/XSAVE (standard, not compacted). */
void arch_fpu_save(struct arch_frame *f);
/* The area was written: what a CPU still holds of this thread is void. */
void arch_fpu_reload(struct arch_frame *f);
/* Makes an area that user mode wrote (sigreturn) safe to load: clears reserved MXCSR and header
 * bits. `size` is how much was given; a short one has only the legacy part. Returns 0 or -EINVAL.
 */
__attribute__((warn_unused_result)) int arch_fpu_sanitise(void *area, size_t size);

#endif
