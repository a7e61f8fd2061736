/* SPDX-License-Identifier: MIT */
/* A growing text. Running out of memory is noted, and makes everything after it do nothing. */
#ifndef TROUPE_LIBSRV_TEXT_H
#define TROUPE_LIBSRV_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *data;
	size_t size, capacity;
	bool failed;
};

void text_append(struct text *x, const void *from, size_t n);
void text_format(struct text *x, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *x);

#endif
