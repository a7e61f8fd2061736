/* SPDX-License-Identifier: MIT */
/* Writing netlink messages: netlink.h. */
#include "netlink.h"

#include <string.h>

void netlink_flush(struct netlink_writer *w)
{
	if (w->used)
		w->emit(w->arg, w->data, w->used);
	w->used = 0;
}

void netlink_append(struct netlink_writer *w, const void *data, size_t n)
{
	size_t padded = (n + 3) & ~(size_t)3;

	if (w->failed || padded > sizeof w->data - w->used) {
		w->failed = true;
		return;
	}
	memset(w->data + w->used + n, 0, padded - n);
	if (n)
		memcpy(w->data + w->used, data, n);
	w->used += (uint32_t)padded;
}

void netlink_begin(struct netlink_writer *w, uint16_t type, const void *fixed, size_t n)
{
	struct lx_nlmsghdr h = {
		.type = type, .flags = w->flags, .sequence = w->sequence, .port = w->port
	};

	w->failed = false;
	w->start = w->used;
	netlink_append(w, &h, sizeof h);
	netlink_append(w, fixed, n);
}

void netlink_put(struct netlink_writer *w, uint16_t type, const void *data, size_t n)
{
	struct lx_rtattr a = { .size = (uint16_t)(sizeof a + n), .type = type };

	netlink_append(w, &a, sizeof a);
	netlink_append(w, data, n);
}

void netlink_put_u32(struct netlink_writer *w, uint16_t type, uint32_t value)
{
	netlink_put(w, type, &value, sizeof value);
}

void netlink_put_u8(struct netlink_writer *w, uint16_t type, uint8_t value)
{
	netlink_put(w, type, &value, sizeof value);
}

void netlink_put_string(struct netlink_writer *w, uint16_t type, const char *s)
{
	netlink_put(w, type, s, strlen(s) + 1);
}

void netlink_end(struct netlink_writer *w)
{
	uint32_t size = w->used - w->start;

	if (w->failed) {
		w->used = w->start;
		return;
	}
	memcpy(w->data + w->start, &size, sizeof size);
	if (w->used > NETLINK_CHUNK - 1024)
		netlink_flush(w);
}
