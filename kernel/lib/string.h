/*
 * Memory and string primitives of the kernel. memcpy, memmove, memset and memcmp have the standard
 * meaning, as the compiler calls them itself. Big copies take the routine chosen at boot by
 * arch_copy_choose().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
/* Constant sizes are expanded in line; -ffreestanding alone would call the functions. */
#define memcpy(to, from, size) __builtin_memcpy(to, from, size)
#define memset(to, byte, size) __builtin_memset(to, byte, size)
#define memcmp(a, b, size) __builtin_memcmp(a, b, size)
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t limit);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t limit);
char *strchr(const char *s, int c);
/* Copies at most size - 1 bytes and always terminates (if size > 0); returns strlen(from). */
size_t strlcpy(char *to, const char *from, size_t size);

#endif
