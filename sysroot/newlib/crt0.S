/* SPDX-License-Identifier: MIT */
/*
 * The first instructions of a native server: rdi is the start record (proto/start.h), rsp lies
 * below it.
 */
	.text
	.globl _start
	.type _start, @function
_start:
	xorl	%ebp, %ebp		/* backtraces end here */
	andq	$-16, %rsp
	call	crt_start
	ud2
	.size _start, . - _start

	.section .note.GNU-stack, "", @progbits
