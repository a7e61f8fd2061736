/* SPDX-License-Identifier: MIT */
/*
 * Names of AF_UNIX sockets: paths (the node remembers who is bound to it), abstract names (a
 * table), and none.
 */
#ifndef VFS_SOCKET_NAME_H
#define VFS_SOCKET_NAME_H

#include "socket.h"

/* A sockaddr_un as a caller gave it. size: of what is in `address` */
struct name_given {
	struct lx_sockaddr_un address;
	uint32_t size;
	uint32_t path_size;	/* of address.path, a path's NUL included */
};

static inline bool name_is_abstract(const struct socket_name *n)
{
	return n->size && !n->path[0];
}

/*
 * Reads it; -EINVAL for anything that is no AF_UNIX name. An empty one (for autobind, or AF_UNSPEC)
 * has path_size 0.
 */
int64_t name_read(struct request *r, uint64_t from, uint64_t size, struct name_given *out);
/* The name as a sockaddr_un in *to; its size. s NULL or without a name: the family alone. */
uint32_t name_address(const struct socket *s, struct lx_sockaddr_un *to);
/* Gives s the name. 0 or an error (-EADDRINUSE, ..). */
int64_t name_bind(struct request *r, struct socket *s, const struct name_given *name);
/* A name of the kernel's choice, if it has none. */
int64_t name_autobind(struct socket *s);
/* The socket's name means nobody any more. */
void name_unbind(struct socket *s);
/* Whom the name means: 0, or -ECONNREFUSED, -EPROTOTYPE, what a walk gives, REQUEST_LINK. */
int64_t name_find(struct request *r, const struct name_given *name, uint8_t type,
		  struct socket **out);
/*
 * The copies that tell the caller this address at `to`, whose room is at size_to; added to the
 * pending answer. Reads the room first: call name_room before answering.
 */
int64_t name_room(struct request *r, uint64_t size_to, int32_t *room);
void name_answer(const struct socket *s, uint64_t to, uint64_t size_to, int32_t room);

#endif
