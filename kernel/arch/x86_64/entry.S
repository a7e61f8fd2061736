/*
 * The way into the kernel and out of it.
 *
 * From user mode everything is saved in the current thread's frame: `syscall` stores it there by
 * hand, interrupts and exceptions are pushed there by the hardware (TSS.RSP0 is the frame's end)
 * and by the stubs. C then runs on the CPU's kernel stack from its top. The way out is always
 * arch_resume() or arch_idle(); what was on the kernel stack is simply forgotten.
 *
 * Interrupts stay disabled in the kernel. Debug exceptions, NMIs, double faults and machine checks
 * can hit between `syscall` and `swapgs`, so they have stacks of their own with the address of the
 * CPU's block at the top, and do not trust GS.
 *
 * SPDX-License-Identifier: MIT
 */
#include "asm.h"

	.section .text.entry, "ax"
	.code64

/* 24 instructions to the call; rcx and r11 are user mode's rip and rflags. rax is only kept as the
 * number: the result replaces it. */
	.globl entry_syscall
	.balign 64
entry_syscall:
	swapgs
	movq %rsp, %gs:CPU_USER_RSP
	movq %gs:CPU_FRAME_RSP, %rsp
	pushq %gs:CPU_USER_RSP
	movq %r11, FRAME_RFLAGS-FRAME_RSP(%rsp)
	movq %rcx, FRAME_RIP-FRAME_RSP(%rsp)
	movq $0, FRAME_ENTRY-FRAME_RSP(%rsp)
	movq %rax, FRAME_NUMBER-FRAME_RSP(%rsp)
	movq %rdi, FRAME_RDI-FRAME_RSP(%rsp)
	movq %rsi, FRAME_RSI-FRAME_RSP(%rsp)
	movq %rdx, FRAME_RDX-FRAME_RSP(%rsp)
	movq %r10, FRAME_R10-FRAME_RSP(%rsp)
	movq %r8, FRAME_R8-FRAME_RSP(%rsp)
	movq %r9, FRAME_R9-FRAME_RSP(%rsp)
	movq %rbx, FRAME_RBX-FRAME_RSP(%rsp)
	movq %rbp, FRAME_RBP-FRAME_RSP(%rsp)
	movq %r12, FRAME_R12-FRAME_RSP(%rsp)
	movq %r13, FRAME_R13-FRAME_RSP(%rsp)
	movq %r14, FRAME_R14-FRAME_RSP(%rsp)
	movq %r15, FRAME_R15-FRAME_RSP(%rsp)
	leaq -FRAME_RSP(%rsp), %rdi
	movq %gs:CPU_STACK_TOP, %rsp
	xorl %ebp, %ebp
	call kernel_syscall
	/* It returned: the thread is the same, C has kept rbx and r12 to r15, and whoever wrote the
	 * frame's copy of them has set the entry word. */
	movq %gs:CPU_FRAME, %rdi
	cmpq $0, FRAME_ENTRY(%rdi)
	jne resume_full
	movq FRAME_RIP(%rdi), %rcx
	movq FRAME_RFLAGS(%rdi), %r11
	movq FRAME_RAX(%rdi), %rax
	movq FRAME_RSI(%rdi), %rsi
	movq FRAME_RDX(%rdi), %rdx
	movq FRAME_R10(%rdi), %r10
	movq FRAME_R8(%rdi), %r8
	movq FRAME_R9(%rdi), %r9
	movq FRAME_RBP(%rdi), %rbp
	movq FRAME_RSP(%rdi), %rsp
	movq FRAME_RDI(%rdi), %rdi
	swapgs
	sysretq

resume_current:
	movq %gs:CPU_FRAME, %rdi

/* _Noreturn void arch_resume(struct arch_frame *f) */
	.globl arch_resume
arch_resume:
	cmpq $0, FRAME_ENTRY(%rdi)
	jne resume_full
	movq FRAME_RIP(%rdi), %rcx
	movq FRAME_RFLAGS(%rdi), %r11
	movq FRAME_RAX(%rdi), %rax
	movq FRAME_RSI(%rdi), %rsi
	movq FRAME_RDX(%rdi), %rdx
	movq FRAME_R10(%rdi), %r10
	movq FRAME_R8(%rdi), %r8
	movq FRAME_R9(%rdi), %r9
	movq FRAME_RBX(%rdi), %rbx
	movq FRAME_RBP(%rdi), %rbp
	movq FRAME_R12(%rdi), %r12
	movq FRAME_R13(%rdi), %r13
	movq FRAME_R14(%rdi), %r14
	movq FRAME_R15(%rdi), %r15
	movq FRAME_RSP(%rdi), %rsp
	movq FRAME_RDI(%rdi), %rdi
	swapgs
	sysretq

	/* By iretq, which would fault in the kernel on an address that is not canonical. */
resume_full:
	movq FRAME_RIP(%rdi), %rax
	shrq $47, %rax
	jnz 2f
	movq %rdi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
	addq $16, %rsp
	swapgs
	iretq
2:	movq %gs:CPU_STACK_TOP, %rsp
	call trap_bad_pc
	jmp resume_current

/* _Noreturn void arch_idle(void). An interrupt does not return here: see trap_kernel(). */
	.globl arch_idle, idle_halt, idle_halted
arch_idle:
	movq %gs:CPU_STACK_TOP, %rsp
	xorl %ebp, %ebp
	call idle_begin
idle_halt:
	sti
	hlt
idle_halted:
	cli
	jmp arch_idle

	.macro push_registers
	pushq %rdi
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq %rax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	.endm

	.macro pop_registers
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
	.endm

/* rsp: error code and entry word are pushed. */
entry_common:
	push_registers
	cld
	testb $3, FRAME_CS(%rsp)
	jz 1f
	swapgs
	movq %rsp, %rdi
	movq %gs:CPU_STACK_TOP, %rsp
	xorl %ebp, %ebp
	call trap_user
	jmp resume_current
1:	movq %rsp, %rdi
	call trap_kernel
	pop_registers
	addq $16, %rsp
	iretq

/* On a stack of its own: 16 bytes below its top is the address of the CPU's block. */
entry_paranoid:
	push_registers
	cld
	testb $3, FRAME_CS(%rsp)
	jz 1f
	swapgs
	movq %rsp, %rsi
	movq %gs:CPU_FRAME, %rdi
	movl $FRAME_END / 8, %ecx
	rep movsq
	movq %gs:CPU_FRAME, %rdi
	movq %gs:CPU_STACK_TOP, %rsp
	xorl %ebp, %ebp
	call trap_user
	jmp resume_current
1:	movl $0xc0000101, %ecx
	rdmsr
	movl %eax, %r12d
	movl %edx, %r13d
	movl FRAME_END(%rsp), %eax
	movl FRAME_END+4(%rsp), %edx
	wrmsr
	movq %rsp, %rdi
	call trap_kernel
	movl $0xc0000101, %ecx
	movl %r12d, %eax
	movl %r13d, %edx
	wrmsr
	pop_registers
	addq $16, %rsp
	iretq

/*
 * size_t user_copy(void *to, const void *from, size_t size): either side may be user memory. The
 * addresses below are in the fixup table: a fault there goes on at its fixup, with what is left in
 * rcx.
 */
	.globl user_copy
user_copy:
	movq %rdx, %rcx
	shrq $3, %rcx
	andl $7, %edx
1:	rep movsq
	movl %edx, %ecx
2:	rep movsb
	xorl %eax, %eax
	ret
3:	leaq (%rdx, %rcx, 8), %rax /* words, and the rest */
	ret
4:	movl %ecx, %eax
	ret
	.pushsection .fixup, "a"
	.quad 1b, 3b, 2b, 4b
	.popsection

/*
 * size_t user_clear(void *to, size_t size): zeros into user memory; returns what is left. Plain
 * stores beat string instructions under TCG. A fault in a block of them counts the block as not
 * done.
 */
	.globl user_clear
user_clear:
	xorl %eax, %eax
	cmpl $0, copy_way(%rip)
	jne 2f
	subq $512, %rsi
	jb 1f
0:	.set offset, 0
	.rept 64
8:	movq %rax, offset(%rdi)
	.pushsection .fixup, "a"
	.quad 8b, 5f
	.popsection
	.set offset, offset + 8
	.endr
	addq $512, %rdi
	subq $512, %rsi
	jae 0b
1:	addq $512, %rsi
2:	movq %rsi, %rcx
	shrq $3, %rcx
	andl $7, %esi
3:	rep stosq
	movl %esi, %ecx
4:	rep stosb
	ret
5:	leaq 512(%rsi), %rax
	ret
6:	leaq (%rsi, %rcx, 8), %rax
	ret
7:	movl %ecx, %eax
	ret
	.pushsection .fixup, "a"
	.quad 3b, 6b, 4b, 7b
	.popsection

	/* Behind all that calls need. */
	.section .text.stubs, "ax"
/* One stub of 16 bytes for each vector; the hardware pushes an error code for some. */
	.balign 16
	.globl entry_stubs
entry_stubs:
	.set vector, 0
	.rept 256
	.balign 16
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || \
		vector == 29 || vector == 30)
	pushq $0
	.endif
	pushq $(0x100 + vector)
	.if vector == 1 || vector == 2 || vector == 8 || vector == 18
	jmp entry_paranoid
	.else
	jmp entry_common
	.endif
	.set vector, vector + 1
	.endr
	.section .note.GNU-stack, "", @progbits
