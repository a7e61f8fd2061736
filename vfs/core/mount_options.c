/* SPDX-License-Identifier: MIT */
#include "mount_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int64_t mount_options(char *text, int64_t (*one)(const char *name, const char *value, void *to),
		      void *to)
{
	char *next, *value;
	int64_t e = 0;

	for (; text && !e; text = next) {
		next = strchr(text, ',');
		if (next)
			*next++ = '\0';
		if (!*text)
			continue;
		value = strchr(text, '=');
		if (value)
			*value++ = '\0';
		e = one(text, value, to);
	}
	return e;
}

int64_t mount_option_number(const char *s, int base, uint32_t *out)
{
	char *end;

	*out = (uint32_t)strtoul(s, &end, base);
	return *end || !*s ? -EINVAL : 0;
}
