/*
 * The first instructions: from the loader's 32-bit mode (PVH or Multiboot2), and from the other
 * CPUs' 16-bit mode, into 64-bit code at the kernel's own addresses.
 *
 * Both use the boot tables below: the first GiB at 0 (identity), at the direct map and at the
 * kernel base. paging_init() builds the real ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "asm.h"

#define PHYS(symbol) ((symbol) - KERNEL_BASE)
#define PTE_PW 3
#define PTE_PW_LARGE 0x83

	.section .note.pvh, "a"
	.balign 4
	.long 4, 8, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad PHYS(boot_entry)

	.section .boot, "ax"
	.code32
	.balign 8
multiboot_header:
	.long 0xe85250d6, 0, multiboot_end - multiboot_header
	.long -(0xe85250d6 + 0 + (multiboot_end - multiboot_header))
	.short 3, 0 /* entry address, as the ELF's own is a virtual one */
	.long 12, PHYS(boot_multiboot)
	.balign 8
	.short 6, 1 /* modules on page boundaries */
	.long 8
	.short 0, 0
	.long 8
multiboot_end:

	.macro long_mode_on
	movl $PHYS(boot_root), %ecx
	movl %ecx, %cr3
	movl %cr4, %ecx
	orl $0x20, %ecx /* PAE */
	movl %ecx, %cr4
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x100, %eax /* LME */
	wrmsr
	movl %cr0, %ecx
	orl $0x80010001, %ecx /* PG, WP, PE */
	movl %ecx, %cr0
	.endm

/* PVH: ebx is the start info. Multiboot2: eax is a magic number and ebx its information. */
	.globl boot_entry
boot_entry:
	xorl %eax, %eax
	.globl boot_multiboot
boot_multiboot:
	cli
	cld
	movl %eax, %ebp
	/* the tables: bss, but a loader may have left them dirty */
	movl $PHYS(boot_tables_end), %ecx
	movl $PHYS(boot_root), %edi
	subl %edi, %ecx
	shrl $2, %ecx
	xorl %eax, %eax
	rep stosl
	movl $PHYS(boot_pdpt) + PTE_PW, PHYS(boot_root)
	movl $PHYS(boot_pdpt) + PTE_PW, PHYS(boot_root) + 256 * 8
	movl $PHYS(boot_pdpt_kernel) + PTE_PW, PHYS(boot_root) + 511 * 8
	movl $PHYS(boot_pd) + PTE_PW, PHYS(boot_pdpt)
	movl $PHYS(boot_pd) + PTE_PW, PHYS(boot_pdpt_kernel) + 510 * 8
	movl $PHYS(boot_pd), %edi
	movl $PTE_PW_LARGE, %eax
1:	movl %eax, (%edi)
	addl $8, %edi
	addl $0x200000, %eax
	cmpl $0x40000000 + PTE_PW_LARGE, %eax
	jne 1b
	movl %ebx, %esi
	long_mode_on
	lgdt PHYS(boot_gdt_pointer)
	ljmp $SELECTOR_KERNEL_CODE, $PHYS(1f)
	.code64
1:	movq $boot_high, %rax
	jmp *%rax
boot_high:
	movw $SELECTOR_KERNEL_DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	xorl %eax, %eax
	movw %ax, %fs
	movw %ax, %gs
	movq $boot_stack_top, %rsp
	movl %ebp, %edi
	movl %esi, %esi
	xorl %ebp, %ebp
	call boot_start /* (magic, information) */
	ud2

/* boot_stack_switch(stack, function): never comes back. */
	.globl boot_stack_switch
boot_stack_switch:
	movq %rdi, %rsp
	xorl %ebp, %ebp
	call *%rsi
	ud2

	.balign 8
boot_gdt: /* selectors 0x10 and 0x18 as in the real ones, 8 for the trampoline */
	.quad 0, 0x00cf9a000000ffff, 0x00af9a000000ffff, 0x00cf92000000ffff
boot_gdt_pointer:
	.short 31
	.long PHYS(boot_gdt)

/*
 * The trampoline, copied to TRAMPOLINE. Any number of CPUs may run through it at once; each takes a
 * ticket and waits for the boot CPU to give it a stack.
 */
	.code16
	.globl trampoline_start, trampoline_end
trampoline_start:
	cli
	cld
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl TRAMPOLINE + (trampoline_gdt_pointer - trampoline_start)
	movl %cr0, %eax
	orl $1, %eax
	movl %eax, %cr0
	ljmpl $8, $(TRAMPOLINE + (trampoline_32 - trampoline_start))
	.code32
trampoline_32:
	movw $SELECTOR_KERNEL_DATA, %ax
	movw %ax, %ds
	movw %ax, %ss
	long_mode_on
	ljmp $SELECTOR_KERNEL_CODE, $(TRAMPOLINE + (trampoline_64 - trampoline_start))
	.code64
trampoline_64:
	movq $trampoline_high, %rax
	jmp *%rax
	.balign 4
trampoline_gdt_pointer:
	.short 31
	.long PHYS(boot_gdt)
trampoline_end:

trampoline_high:
	xorl %eax, %eax
	movw %ax, %es
	movw %ax, %fs
	movw %ax, %gs
	movl $1, %edi
	lock xaddl %edi, smp_ticket
1:	pause
	cmpl %edi, smp_granted /* tickets below this have an area */
	jbe 1b
	movl $0xc0000080, %ecx
	rdmsr
	orl smp_efer, %eax
	wrmsr
	movq smp_root, %rax
	movq %rax, %cr3
	movq smp_stacks(, %rdi, 8), %rsp
	xorl %ebp, %ebp
	call smp_secondary /* (ticket) */
	ud2

	.section .bss.page, "aw", @nobits
	.balign 4096
	.globl boot_root
boot_root: .skip 4096
boot_pdpt: .skip 4096
boot_pdpt_kernel: .skip 4096
boot_pd: .skip 4096
boot_tables_end:
boot_stack: .skip 8192
boot_stack_top:
	.section .note.GNU-stack, "", @progbits
