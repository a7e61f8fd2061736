/*
 * troupe_start: `syscall` with the registers as they are, then an instruction that faults. The
 * first thread of a process starts here, so that its first act is a call to the server that made
 * it.
 *
 * SPDX-License-Identifier: MIT
 */
	.text
	.globl troupe_start
	.type troupe_start, @function
troupe_start:
	.cfi_startproc
	.cfi_undefined rip
	syscall
	ud2
	.cfi_endproc
	.size troupe_start, . - troupe_start
	.section .note.GNU-stack, "", @progbits
