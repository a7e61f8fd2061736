/*
 * setuid and its kin, groups, capabilities.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_SETID_H
#define POSIX_SETID_H

#include "posix/proc/process.h"

int64_t op_setuid(struct thread *t, uint32_t uid);
int64_t op_setreuid(struct thread *t, uint32_t ruid, uint32_t euid);
int64_t op_setresuid(struct thread *t, uint32_t ruid, uint32_t euid, uint32_t suid);
int64_t op_setfsuid(struct thread *t, uint32_t uid);
int64_t op_setgid(struct thread *t, uint32_t gid);
int64_t op_setregid(struct thread *t, uint32_t rgid, uint32_t egid);
int64_t op_setresgid(struct thread *t, uint32_t rgid, uint32_t egid, uint32_t sgid);
int64_t op_setfsgid(struct thread *t, uint32_t gid);

srv_handler in_setuid, in_setgid, in_setreuid, in_setregid, in_setresuid, in_setresgid, in_setfsuid,
	in_setfsgid;
srv_handler in_getresuid, in_getresgid, in_getgroups, in_setgroups, in_capget, in_capset;

#endif
