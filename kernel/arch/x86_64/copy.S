/*
 * memcpy, memmove, memset, and whole pages.
 *
 * Small sizes are moved by overlapping words, without a loop. Large ones take one of three ways,
 * chosen by copy_choose() at boot: `rep movsb` where the CPU is good at it, `rep movsq` elsewhere,
 * and under TCG, where a string instruction costs more than the moves it stands for, one `pop` per
 * word with the stack pointer as the source. That is safe there because interrupts are off, NMIs
 * have a stack of their own, and kernel memory does not fault.
 *
 * SPDX-License-Identifier: MIT
 */
#define BIG 256 /* from here on the chosen way is worth its start */

	.section .text.hot, "ax"
	.code64

/* void *memcpy(void *to, const void *from, size_t size) */
	.globl memcpy
	.balign 64
memcpy:
	movq %rdi, %rax
	cmpq $16, %rdx
	jbe copy_16
	cmpq $32, %rdx
	jbe copy_32
	cmpq $BIG, %rdx
	jae copy_big
copy_words: /* 17 and more: 16 bytes at a time, the last 16 by overlap */
	movq -8(%rsi, %rdx), %r8
	movq -16(%rsi, %rdx), %r9
	leaq -16(%rdi, %rdx), %rcx
1:	movq (%rsi), %r10
	movq 8(%rsi), %r11
	movq %r10, (%rdi)
	movq %r11, 8(%rdi)
	addq $16, %rsi
	addq $16, %rdi
	cmpq %rcx, %rdi
	jb 1b
	movq %r9, (%rcx)
	movq %r8, 8(%rcx)
	ret
copy_32: /* all loads before the first store: good for memmove, too */
	movq (%rsi), %r8
	movq 8(%rsi), %r9
	movq -16(%rsi, %rdx), %r10
	movq -8(%rsi, %rdx), %r11
	movq %r8, (%rdi)
	movq %r9, 8(%rdi)
	movq %r10, -16(%rdi, %rdx)
	movq %r11, -8(%rdi, %rdx)
	ret
copy_16:
	cmpq $8, %rdx
	jb copy_7
	movq (%rsi), %r8
	movq -8(%rsi, %rdx), %r9
	movq %r8, (%rdi)
	movq %r9, -8(%rdi, %rdx)
	ret
copy_7:
	cmpq $4, %rdx
	jb copy_3
	movl (%rsi), %r8d
	movl -4(%rsi, %rdx), %r9d
	movl %r8d, (%rdi)
	movl %r9d, -4(%rdi, %rdx)
	ret
copy_3: /* first, middle, last */
	testq %rdx, %rdx
	jz 1f
	movzbl (%rsi), %r8d
	movzbl -1(%rsi, %rdx), %r9d
	movq %rdx, %rcx
	shrq $1, %rcx
	movzbl (%rsi, %rcx), %r10d
	movb %r8b, (%rdi)
	movb %r10b, (%rdi, %rcx)
	movb %r9b, -1(%rdi, %rdx)
1:	ret

copy_big:
	movl copy_way(%rip), %ecx
	cmpl $1, %ecx
	jb copy_pop
	je 1f
	movq %rdx, %rcx
	rep movsb
	ret
1:	movq %rdx, %rcx
	shrq $3, %rcx
	movq -8(%rsi, %rdx), %r8
	leaq -8(%rdi, %rdx), %rdx
	rep movsq
	movq %r8, (%rdx)
	ret

copy_pop: /* 256 bytes at a time */
	movq %rsp, %r8
	movq %rdx, %rcx
	andq $-256, %rcx
	addq %rdi, %rcx
	movzbl %dl, %edx
	movq %rsi, %rsp
1:	.set offset, 0
	.rept 32
	popq offset(%rdi)
	.set offset, offset + 8
	.endr
	addq $256, %rdi
	cmpq %rcx, %rdi
	jne 1b
	movq %rsp, %rsi
	movq %r8, %rsp
	cmpl $32, %edx
	ja copy_words
	cmpl $16, %edx
	ja copy_32
	jmp copy_16

/* void *memmove(void *to, const void *from, size_t size) */
	.globl memmove
	.balign 16
memmove:
	movq %rdi, %rax
	cmpq $16, %rdx
	jbe copy_16
	cmpq $32, %rdx
	jbe copy_32
	movq %rdi, %rcx
	subq %rsi, %rcx
	cmpq %rdx, %rcx
	jb copy_backward /* the target begins inside the source */
	negq %rcx
	cmpq %rdx, %rcx
	jae memcpy /* apart */
	leaq -8(%rdi, %rdx), %rcx /* forward by words; the last is read before it is overwritten */
	movq -8(%rsi, %rdx), %r8
1:	movq (%rsi), %r9
	movq %r9, (%rdi)
	addq $8, %rsi
	addq $8, %rdi
	cmpq %rcx, %rdi
	jb 1b
	movq %r8, (%rcx)
	ret
copy_backward:
	movq (%rsi), %r8
1:	movq -8(%rsi, %rdx), %r9
	movq %r9, -8(%rdi, %rdx)
	subq $8, %rdx
	cmpq $8, %rdx
	ja 1b
	movq %r8, (%rdi)
	ret

/* void *memset(void *to, int byte, size_t size) */
	.globl memset
	.balign 16
memset:
	movq %rdi, %r8
	movzbl %sil, %esi
	movabsq $0x0101010101010101, %rax
	imulq %rsi, %rax
	cmpq $16, %rdx
	jb set_15
	cmpq $BIG, %rdx
	jae set_big
set_words:
	leaq -16(%rdi, %rdx), %rcx
1:	movq %rax, (%rdi)
	movq %rax, 8(%rdi)
	addq $16, %rdi
	cmpq %rcx, %rdi
	jb 1b
	movq %rax, (%rcx)
	movq %rax, 8(%rcx)
	movq %r8, %rax
	ret
set_15:
	cmpq $8, %rdx
	jb set_7
	movq %rax, (%rdi)
	movq %rax, -8(%rdi, %rdx)
	movq %r8, %rax
	ret
set_7:
	cmpq $4, %rdx
	jb 1f
	movl %eax, (%rdi)
	movl %eax, -4(%rdi, %rdx)
	movq %r8, %rax
	ret
1:	testq %rdx, %rdx
	jz 2f
	movb %al, (%rdi)
	movb %al, -1(%rdi, %rdx)
	shrq $1, %rdx
	movb %al, (%rdi, %rdx)
2:	movq %r8, %rax
	ret

set_big:
	movl copy_way(%rip), %ecx
	cmpl $1, %ecx
	jb set_unrolled
	je 1f
	movq %rdx, %rcx
	rep stosb
	movq %r8, %rax
	ret
1:	movq %rdx, %rcx
	shrq $3, %rcx
	leaq -8(%rdi, %rdx), %rdx
	rep stosq
	movq %rax, (%rdx)
	movq %r8, %rax
	ret
set_unrolled:
	movq %rdx, %rcx
	andq $-256, %rcx
	addq %rdi, %rcx
	movzbl %dl, %edx
1:	.set offset, 0
	.rept 32
	movq %rax, offset(%rdi)
	.set offset, offset + 8
	.endr
	addq $256, %rdi
	cmpq %rcx, %rdi
	jne 1b
	testl %edx, %edx
	jz 2f
	movq %rax, -8(%rdi, %rdx) /* the rest, by words that overlap what is done */
	subq $8, %rdx
	jbe 2f
3:	movq %rax, -8(%rdi, %rdx)
	subq $8, %rdx
	ja 3b
2:	movq %r8, %rax
	ret

/* void arch_page_copy(void *to, const void *from); void arch_page_zero(void *page) */
	.globl arch_page_copy, arch_page_zero
	.balign 16
arch_page_copy:
	movl $4096, %edx
	jmp copy_big
arch_page_zero:
	xorl %eax, %eax
	movl $4096, %edx
	movq %rdi, %r8
	jmp set_big

/* Set by copy_choose(). */
	.data
	.globl copy_way
	.balign 4
copy_way: .long 1 /* 0: pop, 1: rep movsq, 2: rep movsb */
	.section .note.GNU-stack, "", @progbits
