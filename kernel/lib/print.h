/*
 * Formatted output of the kernel to the early console and the kernel log.
 *
 * Formats: %d %i %u %x %X %o %p %s %c %% with flags 0 - + # space, width, precision (also *), and
 * length hh h l ll z t j. No floating point. kprintf may be called anywhere, even in a panic.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LIB_PRINT_H
#define LIB_PRINT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void kprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void kvprintf(const char *format, va_list args);
/* Return the length the whole text would have, like C's snprintf. */
int ksnprintf(char *buffer, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int kvsnprintf(char *buffer, size_t size, const char *format, va_list args);

/* The last bytes printed, as a ring: copies up to size of them, oldest first, returns how many.
 * A server that takes the console over reads the early messages here. */
size_t klog_copy(char *buffer, size_t size);
/*
 * Copies the log from the absolute byte position on, which is advanced (past what the ring has
 * lost).
 */
size_t klog_read(uint64_t *position, char *buffer, size_t size);
/* Text into the log, and to the console if `console`. */
void klog_write(const char *text, size_t size, bool console);
/* When false, kprintf only fills the ring; a panic always prints. The console server's switch. */
void klog_set_console(bool on);

/* Stops every CPU, prints the message and a backtrace, and (with "panic=off" given on the command
 * line) powers the machine off, else halts. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

/* For the kernel's own bugs only, never for input. */
#define ASSERT(condition)                                                                          \
	((condition) ? (void)0 :                                                                   \
		       panic("assertion %s failed at %s:%d", #condition, __FILE__, __LINE__))

#endif
