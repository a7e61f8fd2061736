/* SPDX-License-Identifier: MIT */
/* The records of sockets (socket.h): made, found, counted, freed. */
#include "socket.h"

#include <errno.h>

#include "cred.h"
#include "mounts.h"
#include "name.h"
#include "server.h"
#include "shares.h"

#define FIRST_INODE (1ul << 30)	/* below: the network server's */

static int mount_create(struct socket_table *t)
{
	struct filesystem *fs = fs_create(FS_SOCKETS, 0);
	struct node *n = fs ? node_create(fs, LX_S_IFSOCK | 0777, 0, 0, srv_realtime()) : NULL;
	struct file *f;

	if (!n)
		return -ENOMEM;
	node_pin(n);
	fs->root = n;
	fs->next_ino = FIRST_INODE;
	state_set(t->mount, mount_add((struct pos){ NULL, NULL }, fs, n, "sockfs", 0));
	if (!t->mount)
		return -ENOMEM;
	/*
	 * the root's node is what other servers' sockets show themselves as: in_node() fills it in
	 */
	f = file_create(cred_find(0), FILE_PIN, (struct pos){ t->mount, n }, 0);
	if (!f)
		return -ENOMEM;
	state_set(t->foreign, file_cookie(f));
	return 0;
}

int socket_table_create(void)
{
	state_set(vfs->sockets, state_alloc(sizeof(struct socket_table)));
	return vfs->sockets ? mount_create(vfs->sockets) : -ENOMEM;
}

struct socket *socket_create(uint8_t type, uint32_t uid, int64_t *error)
{
	struct socket_table *t = vfs->sockets;
	uint32_t *mine = &t->by_user[uid % INFLIGHT_CHAINS];
	struct socket **chain, *s;

	*error = -ENFILE;
	if (proto_sockets_full(t->count, uid) || (uid && *mine >= PROTO_SOCKETS_OF_ONE))
		return NULL;
	*error = -ENOMEM;
	s = state_alloc(sizeof *s);
	if (!s)
		return NULL;
	state_set(t->last_number, t->last_number + 1);
	state_set(t->count, t->count + 1);
	state_set(*mine, *mine + 1);
	chain = &t->chain[t->last_number % SOCKET_CHAINS];
	s->number = t->last_number;
	s->chain = *chain;
	state_set(*chain, s);
	s->refs = 1;
	s->type = type;
	s->uid = uid;
	s->source = -1;
	s->send_buffer = s->receive_buffer = 212992;
	s->receive_low = 1;
	s->backlog = 10;	/* net.unix.max_dgram_qlen; listen sets it */
	*error = 0;
	return s;
}

struct socket *socket_find(uint64_t number)
{
	struct socket *s = vfs->sockets->chain[number % SOCKET_CHAINS];

	while (s && s->number != number)
		s = s->chain;
	return s;
}

void socket_get(struct socket *s)
{
	state_set(s->refs, s->refs + 1);
}

void socket_put(struct socket *s)
{
	struct socket_table *t = vfs->sockets;
	struct socket **at = &t->chain[s->number % SOCKET_CHAINS];
	uint32_t *mine = &t->by_user[s->uid % INFLIGHT_CHAINS];

	state_set(s->refs, s->refs - 1);
	if (s->refs)
		return;
	while (*at != s)
		at = &(*at)->chain;
	state_set(*at, s->chain);
	state_set(t->count, t->count - 1);
	state_set(*mine, *mine - 1);
	socket_forget(s);
	state_free(s, sizeof *s);
}

void socket_each(void (*visit)(struct socket *s))
{
	for (uint32_t i = 0; i < SOCKET_CHAINS; i++) {
		for (struct socket *s = vfs->sockets->chain[i], *next; s; s = next) {
			next = s->chain;
			visit(s);
		}
	}
}
