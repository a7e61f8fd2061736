/* SPDX-License-Identifier: MIT */
/*
 * Who asks, and what he may do: credential records of the process server, and the permission rules.
 */
#ifndef VFS_CORE_CRED_H
#define VFS_CORE_CRED_H

#include <stdbool.h>
#include "creds.h"
#include "node.h"

/* Maps the shared records (handle -1: there are none, everyone is the system). */
int cred_setup(int handle);
/*
 * The record of a message's credential id; never NULL (an unknown id has no rights beyond others').
 */
const struct proto_cred *cred_find(uint64_t id);
/* The same person with real instead of effective ids, as access() asks. */
void cred_real(const struct proto_cred *c, struct proto_cred *out);

static inline bool cred_can(const struct proto_cred *c, uint64_t cap)
{
	return (c->caps & cap) != 0;
}

bool cred_in_group(const struct proto_cred *c, uint32_t gid);
static inline bool cred_owns(const struct proto_cred *c, const struct node *n)
{
	return c->fsuid == n->uid || cred_can(c, PROTO_CAP_FOWNER);
}

/* want: LX_R_OK | LX_W_OK | LX_X_OK. 0 or -EACCES. Does not look at the mount. */
int cred_permit(const struct proto_cred *c, const struct node *n, unsigned want);
/* The same and EROFS: writing to a file, directory or link on a read-only mount. */
int cred_permit_at(const struct proto_cred *c, struct pos at, unsigned want);
/*
 * May the name e be taken out of its directory: write and search permission, sticky bit. 0,
 * -EACCES, -EPERM.
 */
int cred_may_remove(const struct proto_cred *c, const struct node *dir, const struct node *victim);
/* The mode that a chmod or a create by c may give: set-group-id only for members. */
uint32_t cred_mode(const struct proto_cred *c, uint32_t mode, uint32_t gid);

#endif
