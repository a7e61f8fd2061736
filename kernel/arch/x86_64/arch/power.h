/*
 * Leaving: power off, reset, and the debug exit of an emulator.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ARCH_POWER_H
#define ARCH_POWER_H

/* Ends QEMU with status (code << 1) | 1 if isa-debug-exit is there at port 0xf4 (only when the
 * command line has "debug-exit"), else powers off by ACPI, else halts. */
_Noreturn void arch_power_off(unsigned code);
_Noreturn void arch_reboot(void);
_Noreturn void arch_halt(void);

#endif
