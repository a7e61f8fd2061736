/* SPDX-License-Identifier: MIT */
/* Credentials and permissions (cred.h). */
#include "cred.h"

#include <errno.h>

#include "credentials.h"

static const struct proto_creds *creds;

int cred_setup(int handle)
{
	return handle < 0 ? 0 : credentials_map(handle, &creds);
}

const struct proto_cred *cred_find(uint64_t id)
{
	return credentials_find(creds, creds ? id : 0);
}

void cred_real(const struct proto_cred *c, struct proto_cred *out)
{
	*out = *c;
	out->fsuid = c->ruid;
	out->fsgid = c->rgid;
	if (c->ruid != 0)
		out->caps = 0;
	else if (c->id || c->caps)
		out->caps = PROTO_CAP_ALL;
}

bool cred_in_group(const struct proto_cred *c, uint32_t gid)
{
	if (c->fsgid == gid)
		return true;
	for (uint32_t i = 0; i < c->group_count && i < PROTO_CRED_GROUPS; i++) {
		if (c->group[i] == gid)
			return true;
	}
	return false;
}

int cred_permit(const struct proto_cred *c, const struct node *n, unsigned want)
{
	unsigned bits;

	if (c->fsuid == n->uid)
		bits = n->mode >> 6;
	else if (cred_in_group(c, n->gid))
		bits = n->mode >> 3;
	else
		bits = n->mode;
	if (!(want & ~bits & 7))
		return 0;
	if (cred_can(c, PROTO_CAP_DAC_OVERRIDE)) {
		if (!(want & LX_X_OK) || node_is(n, LX_S_IFDIR) || n->mode & 0111)
			return 0;
		return -EACCES;
	}
	if (cred_can(c, PROTO_CAP_DAC_READ_SEARCH)) {
		if (want == LX_R_OK || (node_is(n, LX_S_IFDIR) && !(want & LX_W_OK)))
			return 0;
	}
	return -EACCES;
}

int cred_permit_at(const struct proto_cred *c, struct pos at, unsigned want)
{
	if (want & LX_W_OK && at.mount->flags & LX_MS_RDONLY &&
	    (node_is(at.node, LX_S_IFREG) || node_is(at.node, LX_S_IFDIR) ||
	     node_is(at.node, LX_S_IFLNK)))
		return -EROFS;
	return cred_permit(c, at.node, want);
}

int cred_may_remove(const struct proto_cred *c, const struct node *dir, const struct node *victim)
{
	int r = cred_permit(c, dir, LX_W_OK | LX_X_OK);

	if (r)
		return r;
	if (dir->mode & LX_S_ISVTX && c->fsuid != victim->uid && c->fsuid != dir->uid &&
	    !cred_can(c, PROTO_CAP_FOWNER))
		return -EPERM;
	return 0;
}

uint32_t cred_mode(const struct proto_cred *c, uint32_t mode, uint32_t gid)
{
	if (mode & LX_S_ISGID && !cred_in_group(c, gid) && !cred_can(c, PROTO_CAP_FSETID))
		mode &= ~LX_S_ISGID;
	return mode;
}
