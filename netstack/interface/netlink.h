/* SPDX-License-Identifier: MIT */
/*
 * Netlink messages: how they are written and read (netlink.c), and what NETLINK_ROUTE does with
 * them (rtnetlink.c, which does not know of sockets and so is tested on the host).
 */
#ifndef NETSTACK_INTERFACE_NETLINK_H
#define NETSTACK_INTERFACE_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LX_NLM_F_REQUEST	0x1
#define LX_NLM_F_MULTI		0x2
#define LX_NLM_F_ACK		0x4
#define LX_NLM_F_REPLACE	0x100
#define LX_NLM_F_EXCL		0x200
#define LX_NLM_F_CREATE		0x400
#define LX_NLM_F_DUMP		0x300

enum { LX_NLMSG_NOOP = 1, LX_NLMSG_ERROR, LX_NLMSG_DONE };

enum {
	LX_RTM_NEWLINK = 16,
	LX_RTM_DELLINK,
	LX_RTM_GETLINK,
	LX_RTM_SETLINK,
	LX_RTM_NEWADDR,
	LX_RTM_DELADDR,
	LX_RTM_GETADDR,
	LX_RTM_NEWROUTE = 24,
	LX_RTM_DELROUTE,
	LX_RTM_GETROUTE,
	LX_RTM_NEWNEIGH = 28,
	LX_RTM_DELNEIGH,
	LX_RTM_GETNEIGH,
	LX_RTM_GETRULE = 34
};

/* multicast groups as bits of sockaddr_nl */
#define LX_RTMGRP_LINK		0x1u
#define LX_RTMGRP_NEIGH		0x4u
#define LX_RTMGRP_IPV4_IFADDR	0x10u
#define LX_RTMGRP_IPV4_ROUTE	0x40u
#define LX_RTMGRP_IPV6_IFADDR	0x100u
#define LX_RTMGRP_IPV6_ROUTE	0x400u

struct lx_nlmsghdr {
	uint32_t size;
	uint16_t type, flags;
	uint32_t sequence, port;
};
_Static_assert(sizeof(struct lx_nlmsghdr) == 16, "nlmsghdr layout");

struct lx_rtattr {
	uint16_t size, type;
};

/* Datagrams on their way to one reader, or (port 0) to a group. */
#define NETLINK_CHUNK 4096u
struct netlink_writer {
	void (*emit)(void *arg, const void *data, size_t n);	/* a datagram is complete */
	void *arg;
	uint32_t sequence, port;
	uint16_t flags;			/* of each message: LX_NLM_F_MULTI in dumps */
	bool failed;			/* a message did not fit */
	uint32_t used, start;		/* bytes in `data`; where the message begins */
	uint8_t data[2 * NETLINK_CHUNK] __attribute__((aligned(8)));
};

/* A message with its fixed part, then attributes, then its end. A chunk that is full is emitted. */
void netlink_begin(struct netlink_writer *w, uint16_t type, const void *fixed, size_t n);
void netlink_append(struct netlink_writer *w, const void *data, size_t n);	/* padded to 4 */
void netlink_put(struct netlink_writer *w, uint16_t type, const void *data, size_t n);
void netlink_put_u32(struct netlink_writer *w, uint16_t type, uint32_t value);
void netlink_put_u8(struct netlink_writer *w, uint16_t type, uint8_t value);
void netlink_put_string(struct netlink_writer *w, uint16_t type, const char *s);
void netlink_end(struct netlink_writer *w);
void netlink_flush(struct netlink_writer *w);

/* A request. `data` is its fixed part and attributes, `size` bytes; checked to be all there. */
struct netlink_request {
	const struct lx_nlmsghdr *header;
	const uint8_t *data;
	size_t size;
	bool admin;			/* may change things */
	bool strict;
};
/*
 * Carries it out and writes what is to be answered beside acknowledgements: 0, or a negative errno
 * for the error message. Dumps end themselves.
 */
int rtnetlink_request(const struct netlink_request *q, struct netlink_writer *w);

/* netlink.c: a notice is written; `group` is its bit. */
void notice_emit(void *group, const void *data, size_t n);

#endif
