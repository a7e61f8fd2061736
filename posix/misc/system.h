/*
 * The system as a whole: its names, its state, its end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_SYSTEM_H
#define POSIX_SYSTEM_H

#include "posix/proc/process.h"

#define NAME_SIZE 65
/* What uname's sysname says: programs decide by it which interface they have */
#define SYSTEM_NAME "Linux"
#define SYSTEM_RELEASE "6.1.0-troupe"
#define SYSTEM_VERSION "#1 SMP PREEMPT Troupe"
#define SYSTEM_MACHINE "x86_64"

extern struct system_names {
	char host[NAME_SIZE], domain[NAME_SIZE];
} system_named;
#define system_hostname (STATE_OF(system_named).host)
#define system_domainname (STATE_OF(system_named).domain)

/* Load averages over 1, 5 and 15 minutes, in 1/65536. */
void system_load(uint32_t load[3]);
/* Keeps them up to date; called now and then, costs nothing most of the time. */
void system_load_poll(void);
/* The hardware clock's time becomes the system's; ports may be -1. */
void system_clock_start(int ports);

srv_handler in_uname, in_sethostname, in_setdomainname, in_sysinfo, in_reboot, in_syslog,
	in_personality, in_prctl, in_vhangup, in_membarrier;
srv_handler in_mlock_all, in_munlock, in_mlock2, in_restart_syscall;
/* A number with a kernel operation that declined it: its errno. */
srv_handler in_declined;
srv_handler in_kernel;		/* goes back to the kernel operation */
srv_handler in_sendfile;
srv_handler ps_fail;
srv_handler memory_short;

#endif
