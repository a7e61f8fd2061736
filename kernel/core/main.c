/* SPDX-License-Identifier: MIT */
/* Where the portable kernel begins on each CPU. */
#include "core/main.h"
#include "arch/boot.h"
#include "arch/cpu.h"
#include "arch/entry.h"
#include "core/sched.h"
#include "core/syscall.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/frame.h"

_Noreturn void kernel_main(const struct boot_info *info)
{
	const char *shortcuts = boot_option("shortcuts");

	frame_init(info);
	sched_init();
	sched_cpu_online(0);
	shortcuts_off = shortcuts && strncmp(shortcuts, "off", 3) == 0;
	boot_supervisor(info);
	if (arch_cpu_count() > 1) {
		kernel_smp = true;
		arch_cpu_start_others();
	}
	kernel_lock();
	sched_start();
}

_Noreturn void kernel_secondary(unsigned cpu)
{
	kernel_lock();
	sched_cpu_online(cpu);
	sched_start();
}
