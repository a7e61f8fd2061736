/*
 * The vDSO's image inside the kernel, on pages of its own as they are mapped into processes, right
 * behind the data page that it reads: together they are one physical range, and so one memory
 * object.
 *
 * SPDX-License-Identifier: MIT
 */
	.section .data.page, "aw"
	.balign 4096
	.globl vvar_page, arch_vdso_start, arch_vdso_end
vvar_page:
	.skip 4096
arch_vdso_start:
	.incbin "vdso.so"
	.balign 4096
arch_vdso_end:
	.section .note.GNU-stack, "", @progbits
