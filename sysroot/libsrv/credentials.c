/* SPDX-License-Identifier: MIT */
/* Credential records (credentials.h). */
#include "credentials.h"

#include "server.h"

#define NOBODY 65534

static const struct proto_cred the_system = { .caps = PROTO_CAP_ALL };
static const struct proto_cred nobody = {
	.ruid = NOBODY,
	.euid = NOBODY,
	.suid = NOBODY,
	.fsuid = NOBODY,
	.rgid = NOBODY,
	.egid = NOBODY,
	.sgid = NOBODY,
	.fsgid = NOBODY,
};

int credentials_map(int handle, const struct proto_creds **out)
{
	struct k_map map = {
		.size = PROTO_CREDS_SIZE,
		.space = -1,
		.object = handle,
		.flags = K_MAP_READ,
	};
	long r = k_space_map(&map);

	if (r < 0)
		return (int)r;
	*out = (const struct proto_creds *)(uintptr_t)map.address;
	return 0;
}

const struct proto_cred *credentials_find(const struct proto_creds *records, uint64_t id)
{
	const struct proto_cred *c;

	if (!id)
		return &the_system;
	if (!records)
		return &nobody;
	c = &records->record[id % PROTO_CREDS_SLOTS];
	return c->id == id ? c : &nobody;
}
