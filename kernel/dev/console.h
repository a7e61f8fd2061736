/*
 * The early console: polled output on COM1, input only for the debugger's sake. The console server
 * takes the port over later.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DEV_CONSOLE_H
#define DEV_CONSOLE_H

#include <stddef.h>

void console_init(void);
void console_write(const char *text, size_t size);

#endif
