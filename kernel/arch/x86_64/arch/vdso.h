/*
 * The vDSO image and the data page it reads.
 *
 * A POSIX process gets the data page (read-only) directly before the image (read, execute). The
 * structure is private between kernel and vDSO; user programs see only the ELF symbols.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ARCH_VDSO_H
#define ARCH_VDSO_H

#include <stddef.h>
#include <stdint.h>

struct arch_vvar {
	uint32_t sequence;       /* odd while it changes */
	uint32_t flags;
	uint64_t tsc_base, mult; /* as in arch/time.h */
	uint64_t real_offset;    /* CLOCK_REALTIME - CLOCK_MONOTONIC in ns */
	uint64_t coarse_ns;      /* resolution reported for the coarse clocks */
};

/* Page-aligned, in kernel data; its frame is virt_to_phys(arch_vvar_page). */
extern struct arch_vvar *const arch_vvar_page;
extern const uint8_t arch_vdso_start[], arch_vdso_end[]; /* page-aligned, padded to whole pages */

/* CLOCK_REALTIME is arch_time_ns() + offset from now on. */
void arch_vvar_set_real_offset(uint64_t offset_ns);
uint64_t arch_vvar_real_offset(void);

/* Offset of a symbol in the image ("troupe_start": `syscall` with registers as they are, then ud2),
 * or -ENOENT. */
int64_t arch_vdso_symbol(const char *name);

#endif
