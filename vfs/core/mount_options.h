/* SPDX-License-Identifier: MIT */
/* The text that mount() passes on to a file system: "name=value,name,..." */
#ifndef VFS_MOUNT_OPTIONS_H
#define VFS_MOUNT_OPTIONS_H

#include <stdint.h>

/*
 * Calls `one` for each option until it gives an errno, which is the result. value: NULL when there
 * is no "="; empty options are left out. The text is taken apart.
 */
int64_t mount_options(char *text, int64_t (*one)(const char *name, const char *value, void *to),
		      void *to);
/* All of s is a number. 0 or -EINVAL */
int64_t mount_option_number(const char *s, int base, uint32_t *out);

#endif
