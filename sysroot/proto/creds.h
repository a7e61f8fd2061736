/* SPDX-License-Identifier: MIT */
/*
 * Credential records: a memory object that the process server writes, and the VFS and the network
 * server map read-only ("creds").
 *
 * A record never changes while any thread carries its id; ids are never reused. The record of an id
 * is in slot id % slots: the process server chooses the next id so that its slot is free. Id 0 has
 * no record and means the system itself (every power).
 */
#ifndef TROUPE_PROTO_CREDS_H
#define TROUPE_PROTO_CREDS_H

#include <stdint.h>

#define PROTO_CREDS_MAGIC 0x43524544u
#define PROTO_CREDS_SLOTS 4096u		/* slots; the object is PROTO_CREDS_SIZE bytes, sparse */
#define PROTO_CRED_GROUPS 64u		/* supplementary groups; setgroups of more gives EINVAL */

/* caps: bits that the VFS asks for, numbered as Linux's capabilities */
#define PROTO_CAP_CHOWN			(1ull << 0)
#define PROTO_CAP_DAC_OVERRIDE		(1ull << 1)
#define PROTO_CAP_DAC_READ_SEARCH	(1ull << 2)
#define PROTO_CAP_FOWNER		(1ull << 3)
#define PROTO_CAP_FSETID		(1ull << 4)
#define PROTO_CAP_SYS_CHROOT		(1ull << 18)
#define PROTO_CAP_SYS_ADMIN		(1ull << 21)
#define PROTO_CAP_MKNOD			(1ull << 27)
#define PROTO_CAP_ALL			((1ull << 41) - 1)

struct proto_cred {
	uint64_t id;
	uint64_t caps;		/* effective; all of them for fsuid 0 */
	uint32_t ruid, euid, suid, fsuid;
	uint32_t rgid, egid, sgid, fsgid;
	uint32_t group_count, pad[3];
	uint32_t group[PROTO_CRED_GROUPS];
};

struct proto_creds {
	uint32_t magic, slots;
	uint32_t pad[14];
	struct proto_cred record[];
};

#define PROTO_CREDS_SIZE                                                                           \
	(sizeof(struct proto_creds) + PROTO_CREDS_SLOTS * sizeof(struct proto_cred))

_Static_assert(sizeof(struct proto_cred) == 320, "credential record layout");

#endif
