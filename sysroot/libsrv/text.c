/* SPDX-License-Identifier: MIT */
/* A growing text. */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool room(struct text *x, size_t more)
{
	size_t capacity = x->capacity ? x->capacity : 1024;
	char *data;

	if (x->failed)
		return false;
	while (capacity < x->size + more)
		capacity *= 2;
	if (capacity == x->capacity)
		return true;
	data = realloc(x->data, capacity);
	if (!data) {
		x->failed = true;
		return false;
	}
	x->data = data;
	x->capacity = capacity;
	return true;
}

void text_append(struct text *x, const void *from, size_t n)
{
	if (!n || !room(x, n))
		return;
	memcpy(x->data + x->size, from, n);
	x->size += n;
}

void text_format(struct text *x, const char *format, ...)
{
	va_list args;
	int n;

	if (!room(x, 256))
		return;
	va_start(args, format);
	n = vsnprintf(x->data + x->size, x->capacity - x->size, format, args);
	va_end(args);
	if (n < 0)
		return;
	if ((size_t)n >= x->capacity - x->size) {
		if (!room(x, (size_t)n + 1))
			return;
		va_start(args, format);
		vsnprintf(x->data + x->size, x->capacity - x->size, format, args);
		va_end(args);
	}
	x->size += (size_t)n;
}

void text_free(struct text *x)
{
	free(x->data);
	*x = (struct text){ 0 };
}
