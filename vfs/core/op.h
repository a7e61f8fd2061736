/* SPDX-License-Identifier: MIT */
/*
 * What the VFS does to names and nodes, once paths are walked. Pure logic over the state:
 * everything is checked before anything is changed, and an error that comes later is undone by the
 * caller's rollback. 0 or a negative errno.
 */
#ifndef VFS_CORE_OP_H
#define VFS_CORE_OP_H

#include "request.h"

/* --- op_create.c, op_remove.c: w comes from a walk with WALK_PARENT (open: WALK_CREATE) --- */
/*
 * A node of this type and mode (umask applied, set-group-id directories honoured), named by w; *out
 * may be NULL. rdev for devices.
 */
int64_t op_create(struct request *r, const struct walk *w, uint32_t mode, uint32_t rdev,
		  struct node **out);
int64_t op_mkdir(struct request *r, const struct walk *w, uint32_t mode);
int64_t op_mknod(struct request *r, const struct walk *w, uint32_t mode, uint32_t rdev);
int64_t op_symlink(struct request *r, const struct walk *w, const char *target);
int64_t op_link(struct request *r, struct pos from, const struct walk *w);
/* A file without a name (O_TMPFILE, memfd): pin it or link it. */
int64_t op_create_unnamed(struct request *r, struct pos dir, uint32_t mode, struct node **out);
int64_t op_unlink(struct request *r, const struct walk *w);
int64_t op_rmdir(struct request *r, const struct walk *w);
int64_t op_rename(struct request *r, const struct walk *from, const struct walk *to,
		  unsigned flags);

/* --- op_attr.c --- */
int64_t op_chmod(struct request *r, struct pos at, uint32_t mode);
int64_t op_chown(struct request *r, struct pos at, uint32_t uid, uint32_t gid);
#define OP_TIME_OMIT INT64_MIN
/*
 * Times in ns, OP_TIME_OMIT: leave. `now`: both are the current time (anyone who may write may do
 * that).
 */
int64_t op_utimes(struct request *r, struct pos at, int64_t atime, int64_t mtime, bool now);
/* The file exists as a memory object (n->object >= 0), cloned from the archive or empty. */
int64_t op_object(struct node *n);
int64_t op_truncate(struct request *r, struct node *n, uint64_t size);
/* Brings size, blocks and times up to what the kernel knows. */
void op_refresh(struct node *n);
/* The file is written or changes owner: set-id bits go. */
void op_clear_setid(struct request *r, struct node *n);
/* The kernel declines writes while there are set-id bits. */
void op_setid_watch(struct node *n);
void op_stat(struct pos at, struct lx_stat *st);

#endif
