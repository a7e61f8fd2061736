/* SPDX-License-Identifier: MIT */
/* A consistency check of the VFS's whole state, and the setup that its host tests share. */
#ifndef TESTS_HOST_VFS_CHECK_H
#define TESTS_HOST_VFS_CHECK_H

#include "check.h"
#include "kernel_mock.h"

/* A fresh VFS over the mock kernel (archive may be NULL). */
void vfs_setup(const void *archive, uint64_t size);
/* The server died: its successor takes over. */
void vfs_restart(void);
/* Aborts with a message when anything is wrong. */
void vfs_check(const char *when);
extern struct proto_pids *vfs_pids;
extern struct proto_creds *vfs_creds;

#endif
