/*
 * Power off and reset, by what the firmware says, then by what emulators are known to have, then by
 * force. The registers are mapped when arch comes up, as a panic must not need memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/power.h"
#include "priv.h"
#include "lib/print.h"

#define DEBUG_EXIT 0xf4
#define SHUTDOWN_NS 100000000ull /* a machine need not stop at once */
#define PM1_SLEEP (1u << 13)
#define REDUCED_SLEEP (1u << 5)

static volatile uint8_t *sleep_register, *reset_register;

void power_init(void)
{
	if (acpi.sleep_control)
		sleep_register = arch_mmio_map(acpi.sleep_control, 1);
	if (acpi.reset_address && acpi.reset_space == 0)
		reset_register = arch_mmio_map(acpi.reset_address, 1);
}

_Noreturn void arch_halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

_Noreturn void arch_power_off(unsigned code)
{
	if (boot_option("debug-exit"))
		port_out8(DEBUG_EXIT, (uint8_t)code);
	if (sleep_register && acpi.sleep_known)
		*sleep_register = (uint8_t)(acpi.sleep_type << 2 | REDUCED_SLEEP);
	if (acpi.pm1a_control && acpi.sleep_known) {
		port_out16(acpi.pm1a_control, (uint16_t)(acpi.sleep_type << 10 | PM1_SLEEP));
		if (acpi.pm1b_control)
			port_out16(acpi.pm1b_control,
				   (uint16_t)(acpi.sleep_type_b << 10 | PM1_SLEEP));
	}
	if (!acpi.fadt && arch_features.hypervisor) {
		port_out16(0x604, PM1_SLEEP); /* where QEMU's q35 and pc have it by default */
		/* A microvm without ACPI ends by a reset, when run with -no-reboot. */
		arch_reboot();
	}
	clock_delay(SHUTDOWN_NS);
	kprintf("The machine may be switched off now.\n");
	arch_halt();
}

_Noreturn void arch_reboot(void)
{
	if (reset_register)
		*reset_register = acpi.reset_value;
	else if (acpi.reset_address && acpi.reset_space == 1)
		port_out8((uint16_t)acpi.reset_address, acpi.reset_value);
	clock_delay(1000000);
	port_out8(0x64, 0xfe); /* the keyboard controller's reset line */
	clock_delay(1000000);
	/*
	 * An exception without a table to look it up shuts the CPU down, and that resets the
	 * machine.
	 */
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = { 0, 0 };
	__asm__ volatile("lidt %0; int3" ::"m"(none));
	arch_halt();
}
