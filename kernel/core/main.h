/* SPDX-License-Identifier: MIT */
/* Start: what the boot loader gave us, and the first task. */
#ifndef TROUPE_CORE_MAIN_H
#define TROUPE_CORE_MAIN_H

#include "abi/native.h"

struct boot_info;

/* Creates the supervisor from the boot archive and makes it ready. Panics if it cannot. */
void boot_supervisor(const struct boot_info *info);
/* Command line, entropy (once), vDSO and processor name. */
void boot_describe(struct k_system_info *info);

#endif
