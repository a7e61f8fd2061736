/* SPDX-License-Identifier: MIT */
/*
 * What a call sends or receives: the caller's buffers, the address and the control messages, the
 * same for sendto, sendmsg, sendmmsg, write, writev, recvfrom, recvmsg, recvmmsg, read and readv.
 *
 * The core fills it in and calls the socket's send or recv. send: name and control are imported
 * already; read the data with net_message_read. recv: write the data with net_message_write, set
 * `name` and out_flags, add control messages, then net_message_finish() (all this may still fail
 * with nothing taken), and only then take the packet off the queue. Return the number of bytes
 * (with MSG_TRUNC in `flags`: the packet's real size). There is one at a time, in static storage.
 */
#ifndef NETSTACK_CORE_MESSAGE_H
#define NETSTACK_CORE_MESSAGE_H

#include "address.h"
#include "request.h"

#define NET_IOV_MAX	1024	/* as Linux's UIO_MAXIOV; more: EMSGSIZE (readv, writev: EINVAL) */
#define NET_CONTROL_MAX	1024

struct net_message {
	uint32_t flags;			/* LX_MSG_* that the caller gave */
	uint32_t iov_count;
	uint64_t size;			/* of all buffers together */
	/* send: where to (size 0: not given). recv: the operation sets it */
	struct net_sockaddr name;
	uint32_t control_size;		/* send: bytes in `control`. recv: bytes put so far */
	uint32_t control_room;		/* recv: what the caller has room for */
	uint32_t out_flags;		/* recv: LX_MSG_TRUNC, ... for msg_flags */
	/* the core's */
	/* recv: where the address and its size go; 0: nowhere */
	uint64_t user_name, user_name_size_at;
	uint64_t user_header;		/* msghdr whose fields are to be set; 0: none */
	int32_t user_name_room;
	uint64_t user_control;
	struct lx_iovec iov[NET_IOV_MAX];
	uint8_t control[NET_CONTROL_MAX] __attribute__((aligned(8)));
};

/*
 * Copies n bytes from offset `at` of the caller's buffers; at + n <= size. 0 or a negative errno.
 */
int64_t net_message_read(struct net_request *r, const struct net_message *msg, uint64_t at,
			 void *to, uint64_t n) __attribute__((warn_unused_result));
/* The same to them. */
int64_t net_message_write(struct net_request *r, const struct net_message *msg, uint64_t at,
			  const void *from, uint64_t n) __attribute__((warn_unused_result));

/* recv: adds a control message; what does not fit sets LX_MSG_CTRUNC in out_flags. */
void net_control_put(struct net_message *msg, int level, int type, const void *data, uint32_t n);
/*
 * send: the next control message after *at (0: the first); its data and size. False: no more.
 * Malformed ones were refused with EINVAL by the core.
 */
bool net_control_next(const struct net_message *msg, uint32_t *at, int *level, int *type,
		      const void **data, uint32_t *n);
/*
 * recv: writes address, control messages and flags to the caller. 0 or a negative errno. Does
 * nothing for read and recv without an address.
 */
int64_t net_message_finish(struct net_request *r, struct net_message *msg)
	__attribute__((warn_unused_result));

/* The functions of the numbers, for main.c */
net_function in_read, in_write, in_readv, in_writev, in_sendto, in_recvfrom, in_sendmsg, in_recvmsg,
	in_sendmmsg, in_recvmmsg;

#endif
