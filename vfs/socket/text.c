/* SPDX-License-Identifier: MIT */
/* /proc/net/unix, in Linux's format. */
#include <stdio.h>
#include <stdlib.h>

#include "socket.h"

static FILE *to;

/* Linux's socket states: unconnected 1, connecting 2, connected 3. */
static unsigned state_of(const struct socket *s)
{
	if (!s->node)
		return 2;
	return s->state == SOCKET_CONNECTED && socket_connects(s) ? 3 : 1;
}

static void line(struct socket *s)
{
	if (s->state == SOCKET_DEAD)
		return;
	fprintf(to, "%016lx: %08X %08X %08X %04X %02X %5lu", (unsigned long)s->number,
		(unsigned)s->refs + 1, 0u, s->state == SOCKET_LISTENING ? 0x10000u : 0u, s->type,
		state_of(s), s->node ? (unsigned long)s->node->ino : 0);
	if (s->name.size) {
		fputc(' ', to);
		/* an abstract name shows its zeros as @, a path ends before its own */
		for (unsigned i = 0;
		     i < s->name.size - (s->name.path[0] ? 1u : 0u) && i < sizeof s->name.path; i++)
			fputc(s->name.path[i] ? s->name.path[i] : '@', to);
	}
	fputc('\n', to);
}

char *socket_text(size_t *size)
{
	char *text = NULL;

	to = open_memstream(&text, size);
	if (!to)
		return NULL;
	fprintf(to, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	socket_each(line);
	fclose(to);
	return text;
}
