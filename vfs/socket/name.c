/* SPDX-License-Identifier: MIT */
/* Names (name.h). */
#include "name.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "op.h"

int64_t name_read(struct request *r, uint64_t from, uint64_t size, struct name_given *out)
{
	int64_t e;

	memset(out, 0, sizeof *out);
	if ((int32_t)size < 2 || size > sizeof out->address)
		return -EINVAL;
	e = k_caller_read(srv_endpoint(), r->m->call, &out->address, from, size);
	if (e < 0)
		return e;
	out->size = (uint32_t)size;
	out->path_size = out->size - 2;
	if (out->path_size && out->address.path[0])
		out->path_size = (uint32_t)strnlen(out->address.path, out->path_size) + 1;
	return 0;
}

uint32_t name_address(const struct socket *s, struct lx_sockaddr_un *to)
{
	memset(to, 0, sizeof *to);
	to->family = LX_AF_UNIX;
	if (!s)
		return 2;
	memcpy(to->path, s->name.path,
	       s->name.size < sizeof to->path ? s->name.size : sizeof to->path);
	return 2u + s->name.size;
}

/* --- abstract names ----------------------------------------------------------------------- */

static struct socket **chain_of(const char *path, uint32_t size, uint8_t type)
{
	return &vfs->sockets->abstract[(name_hash(path, size) ^ type) % ABSTRACT_CHAINS];
}

/* Each type has names of its own. */
static struct socket *abstract_find(const char *path, uint32_t size, uint8_t type)
{
	struct socket *s = *chain_of(path, size, type);

	while (s && !(s->type == type && s->name.size == size && !memcmp(s->name.path, path, size)))
		s = s->name_chain;
	return s;
}

static void name_set(struct socket *s, const char *path, uint32_t size)
{
	undo_save(&s->name, sizeof s->name);
	s->name.size = (uint8_t)size;
	memcpy(s->name.path, path, size < sizeof s->name.path ? size : sizeof s->name.path);
}

static int64_t bind_abstract(struct socket *s, const char *path, uint32_t size)
{
	struct socket **chain = chain_of(path, size, s->type);

	if (abstract_find(path, size, s->type))
		return -EADDRINUSE;
	name_set(s, path, size);
	state_set(s->name_chain, *chain);
	state_set(*chain, s);
	return 0;
}

int64_t name_autobind(struct socket *s)
{
	char path[8] = { 0 };

	if (s->name.size)
		return 0;
	for (unsigned tries = 0; tries < 1u << 20; tries++) {
		state_set(vfs->sockets->autobind, (vfs->sockets->autobind + 1) & 0xfffff);
		snprintf(path + 1, sizeof path - 1, "%05x", (unsigned)vfs->sockets->autobind);
		if (!abstract_find(path, 6, s->type))
			return bind_abstract(s, path, 6);
	}
	return -ENOSPC;
}

/* --- paths -------------------------------------------------------------------------------- */

static int64_t bind_path(struct request *r, struct socket *s, const struct name_given *name)
{
	struct node *n;
	struct walk w;
	int64_t e;

	memcpy(r->path[0], name->address.path, sizeof name->address.path);
	r->path[0][sizeof name->address.path] = '\0';
	e = walk_path(r, r->cwd, r->path[0], WALK_PARENT, &w);
	if (e)
		return e;
	if (w.slash && !w.at.node)
		return -ENOENT;
	e = op_create(r, &w, LX_S_IFSOCK | (s->node->mode & 07777), 0, &n);
	if (e)
		return e == -EEXIST ? -EADDRINUSE : e;
	if (s->name.size)
		return -EINVAL;		/* (the rollback takes the new node away) */
	n->socket = s;
	name_set(s, name->address.path, name->path_size);
	undo_save(&s->place, sizeof s->place);
	s->place = (struct pos){ w.dir.mount, n };
	pos_pin(s->place);
	return 0;
}

int64_t name_bind(struct request *r, struct socket *s, const struct name_given *name)
{
	if (name->address.family != LX_AF_UNIX)
		return -EINVAL;
	if (!name->path_size)
		return name_autobind(s);
	if (name->address.path[0])
		return bind_path(r, s, name);
	return s->name.size ? -EINVAL : bind_abstract(s, name->address.path, name->path_size);
}

void name_unbind(struct socket *s)
{
	struct pos at = s->place;
	struct socket **chain;

	if (at.node) {
		if (at.node->socket == s)
			state_set(at.node->socket, NULL);
		undo_save(&s->place, sizeof s->place);
		s->place = (struct pos){ NULL, NULL };
		pos_unpin(at);
		return;
	}
	if (!name_is_abstract(&s->name))
		return;
	chain = chain_of(s->name.path, s->name.size, s->type);
	while (*chain && *chain != s)
		chain = &(*chain)->name_chain;
	if (*chain)
		state_set(*chain, s->name_chain);
}

int64_t name_find(struct request *r, const struct name_given *name, uint8_t type,
		  struct socket **out)
{
	struct walk w;
	int64_t e;

	if (name->address.family != LX_AF_UNIX || !name->path_size)
		return -EINVAL;
	if (!name->address.path[0]) {
		*out = abstract_find(name->address.path, name->path_size, type);
		return *out ? 0 : -ECONNREFUSED;
	}
	memcpy(r->path[0], name->address.path, sizeof name->address.path);
	r->path[0][sizeof name->address.path] = '\0';
	e = walk_path(r, r->cwd, r->path[0], WALK_FOLLOW, &w);
	if (!e)
		e = cred_permit(r->cred, w.at.node, LX_W_OK);
	if (e)
		return e;
	if (!node_is(w.at.node, LX_S_IFSOCK) || w.at.node->fs->kind == FS_SOCKETS ||
	    !w.at.node->socket)
		return -ECONNREFUSED;
	*out = w.at.node->socket;
	return (*out)->type == type ? 0 : -EPROTOTYPE;
}

/* --- telling a name ----------------------------------------------------------------------- */

int64_t name_room(struct request *r, uint64_t size_to, int32_t *room)
{
	int64_t e = k_caller_read(srv_endpoint(), r->m->call, room, size_to, sizeof *room);

	if (e < 0)
		return e;
	return *room < 0 ? -EINVAL : 0;
}

void name_answer(const struct socket *s, uint64_t to, uint64_t size_to, int32_t room)
{
	static struct lx_sockaddr_un address;
	static int32_t size;

	size = (int32_t)name_address(s, &address);
	srv_answer_copy(to, &address, (size_t)(room < size ? room : size));
	srv_answer_copy(size_to, &size, sizeof size);
}
