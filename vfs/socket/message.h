/* SPDX-License-Identifier: MIT */
/*
 * What a call sends or receives: buffers, address, control data, flags, whichever form of the call
 * it came by.
 */
#ifndef VFS_SOCKET_MESSAGE_H
#define VFS_SOCKET_MESSAGE_H

#include "name.h"

struct message {
	uint64_t header;		/* the caller's msghdr; 0: the forms without one */
	/* where the address is or goes; name_size_at: recvfrom's own word for its size */
	uint64_t name, name_size_at;
	uint32_t name_size;
	uint64_t control, control_size;
	uint32_t flags;			/* LX_MSG_* */
	bool nonblock;
	/* one of many: what is done of the call is counted in messages */
	bool batch;
	uint64_t size;			/* of all buffers */
	unsigned count;
	struct lx_iovec buffer[LX_IOV_MAX];
	/* sending: what the control data say */
	bool has_cred;
	struct lx_ucred cred;
	uint32_t right_count;
	struct {
		int32_t fd;
		uint64_t socket;
	} right[LX_SCM_MAX_FD];
	/* receiving: what came */
	uint32_t out_flags;
	uint64_t control_used;
	/* -EAGAIN: whose change to wait for, and what is done so far */
	struct socket *wait_on;
	int64_t done;
};

/* One buffer. */
void message_plain(const struct request *r, struct message *m, uint64_t base, uint64_t size,
		   uint32_t flags);
int64_t message_vector(struct request *r, struct message *m, uint64_t iov, uint64_t count,
		       uint32_t flags);
int64_t message_header(struct request *r, struct message *m, uint64_t header, uint32_t flags);
/* Copies n bytes from, to the caller's buffers, `offset` bytes into them. */
int64_t message_gather(struct request *r, const struct message *m, uint64_t offset, void *to,
		       uint64_t n);
int64_t message_scatter(struct request *r, const struct message *m, uint64_t offset,
			const void *from, uint64_t n);
/* Tells the caller the rest: address (of `from`; NULL: none), size of control data, flags. */
int64_t message_tell(struct request *r, const struct message *m, const struct socket *from);

/* --- control.c --- */
/* Reads and checks the control data of what is to be sent. */
int64_t control_read(struct request *r, struct message *m);
/* Takes the descriptors that are sent along into the VFS's table (noted with node_new_handle). */
int64_t control_take(struct request *r, const struct message *m, struct right *out);
/*
 * Gives the caller credentials (NULL: he did not ask) and the descriptors of p (NULL: none), as far
 * as there is room. They are still p's afterwards.
 */
int64_t control_give(struct request *r, struct message *m, const struct lx_ucred *cred,
		     const struct parcel *p);
/* Whose credentials a message carries: given or the caller's own. */
struct lx_ucred control_cred(const struct request *r, const struct message *m);

/* --- stream.c, packet.c: one attempt. Bytes, -EAGAIN (see wait_on, done), or an error --- */
int64_t stream_send(struct request *r, struct socket *s, struct message *m);
int64_t stream_receive(struct request *r, struct socket *s, struct message *m);
int64_t packet_send(struct request *r, struct socket *s, struct message *m);
int64_t packet_receive(struct request *r, struct socket *s, struct message *m);

#endif
