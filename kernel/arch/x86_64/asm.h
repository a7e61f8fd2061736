/*
 * Numbers that assembly and C share inside arch. frame.c asserts that they are right.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ARCH_ASM_H
#define ARCH_ASM_H

#define KERNEL_BASE 0xffffffff80000000

#define SELECTOR_KERNEL_CODE 0x10
#define SELECTOR_KERNEL_DATA 0x18
#define SELECTOR_USER_BASE 0x23 /* sysret adds 8 for ss and 16 for cs */
#define SELECTOR_USER_DATA 0x2b
#define SELECTOR_USER_CODE 0x33 /* as Linux has it: debuggers tell the mode by it */
#define SELECTOR_TSS 0x40
#define SELECTOR_CPU 0x50 /* its limit is the CPU number, for the vDSO's getcpu */

#define TRAMPOLINE 0x8000 /* physical page where the other CPUs start */

/* struct arch_frame */
#define FRAME_R15 0
#define FRAME_R14 8
#define FRAME_R13 16
#define FRAME_R12 24
#define FRAME_RBP 32
#define FRAME_RBX 40
#define FRAME_R10 56
#define FRAME_R9 64
#define FRAME_R8 72
#define FRAME_RAX 80
#define FRAME_RDX 96
#define FRAME_RSI 104
#define FRAME_RDI 112
#define FRAME_ENTRY 120
#define FRAME_ERROR 128
#define FRAME_RIP 136
#define FRAME_CS 144
#define FRAME_RFLAGS 152
#define FRAME_RSP 160
#define FRAME_SS 168
#define FRAME_END 176 /* behind ss; what TSS.RSP0 holds */
#define FRAME_NUMBER 176

/* struct arch_cpu */
#define CPU_FRAME 8
#define CPU_FRAME_RSP 16
#define CPU_USER_RSP 24
#define CPU_STACK_TOP 32

#endif
