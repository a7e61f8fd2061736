/*
 * Which server gets which system call of a POSIX thread. Made from syscalls.def.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_ROUTES_H
#define POSIX_ROUTES_H

#include <stdbool.h>
#include "server.h"

/* Makes the one route table that all POSIX threads share. net may be -1. */
void routes_setup(int endpoint, int vfs, int net);
int routes_handle(void);
const struct srv_numbers *routes_shortcuts(void);
bool syscall_has_shortcut(int number);
/* NULL if there is none of that number. */
const char *syscall_name(int number);

#endif
