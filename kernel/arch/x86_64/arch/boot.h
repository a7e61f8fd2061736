/*
 * What the boot loader told us, as portable code sees it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ARCH_BOOT_H
#define ARCH_BOOT_H

#include <stdint.h>

#define BOOT_RANGES 64
#define BOOT_MODULES 8
#define BOOT_COMMAND 1024

struct boot_range {
	uint64_t start, end; /* physical, page-aligned, end exclusive */
};

struct boot_module {
	uint64_t start, size; /* physical; start is page-aligned under QEMU */
};

struct boot_info {
	/* Free RAM, sorted, disjoint: without the first MiB, the kernel image, modules and what
	 * arch has already taken. All of it is in the direct map. */
	uint32_t range_count;
	struct boot_range ranges[BOOT_RANGES];
	/* All RAM of the machine, for the frame table's bounds and for /proc/meminfo. */
	uint64_t ram_bytes, ram_top;
	uint32_t module_count;
	struct boot_module modules[BOOT_MODULES]; /* pages around them are not in `ranges` */
	struct boot_range kernel;                 /* the image, bss included */
	uint64_t rsdp;                            /* 0 if there is none */
	char command[BOOT_COMMAND];               /* terminated */
};

/* Finds `name` or `name=value` on the command line; returns the value ("" if none is given), which
 * ends at a space or NUL, or NULL if the option is absent. */
const char *boot_option(const char *name);

#endif
