/* SPDX-License-Identifier: MIT */
/* What the supervisor passed at the start: handles by name, arguments; and the log. */
#include "server.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct proto_start *start;

static const char *args(void)
{
	return (const char *)&start->item[start->count];
}

void srv_start(const struct proto_start *s)
{
	if (!s || s->magic != PROTO_START_MAGIC)
		srv_panic("no start record");
	start = s;
}

int srv_handle(const char *name)
{
	for (uint32_t i = 0; start && i < start->count; i++) {
		if (!strncmp(start->item[i].name, name, PROTO_START_NAME))
			return start->item[i].handle;
	}
	return -1;
}

int srv_handle_need(const char *name)
{
	int h = srv_handle(name);

	if (h < 0)
		srv_panic("the manifest grants no handle named %s", name);
	return h;
}

const char *srv_name(void)
{
	return start && start->args_count ? args() : "server";
}

bool srv_arg(const char *word)
{
	const char *p;

	if (!start)
		return false;
	p = args();
	for (uint32_t i = 0; i < start->args_count; i++, p += strlen(p) + 1) {
		if (!strcmp(p, word))
			return true;
	}
	return false;
}

const char *srv_arg_value(const char *name)
{
	size_t n = strlen(name);
	const char *p;

	if (!start)
		return NULL;
	p = args();
	for (uint32_t i = 0; i < start->args_count; i++, p += strlen(p) + 1) {
		if (!strncmp(p, name, n) && p[n] == '=')
			return p + n + 1;
	}
	return NULL;
}

static void log_line(const char *format, va_list list)
{
	char line[256];
	int n = snprintf(line, sizeof line, "%s: ", srv_name());
	int m = vsnprintf(line + n, sizeof line - 1 - n, format, list);

	n += m < (int)sizeof line - 1 - n ? m : (int)sizeof line - 2 - n;
	line[n++] = '\n';
	k_log_write(line, n);
}

void srv_log(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	log_line(format, list);
	va_end(list);
}

_Noreturn void srv_panic(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	log_line(format, list);
	va_end(list);
	abort();
}
