/* SPDX-License-Identifier: MIT */
/* The supervisor is started by the kernel, which passes no start record: it brings its own. */
	.text
	.globl _start
	.type _start, @function
_start:
	xorl	%ebp, %ebp
	andq	$-16, %rsp
	leaq	supervisor_start_record(%rip), %rdi
	call	crt_start
	ud2
	.size _start, . - _start

	.section .note.GNU-stack, "", @progbits
