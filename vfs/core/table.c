/* SPDX-License-Identifier: MIT */
/* Which function serves which number. */
#include "in.h"

#define X(number, name, again) { number, again, in_##name, #name },

const struct request_entry request_table[] = {
	REQUESTS(X){ 17, 0, in_read, "pread64" },
	{ 19, 0, in_read, "readv" },
	{ 295, 0, in_read, "preadv" },
	{ 327, 0, in_read, "preadv2" },
	{ 18, 0, in_write, "pwrite64" },
	{ 20, 0, in_write, "writev" },
	{ 296, 0, in_write, "pwritev" },
	{ 328, 0, in_write, "pwritev2" },
	{ 292, 1, in_dup2, "dup3" },
	{ 75, 1, in_fsync, "fdatasync" },
	{ 188, 1, in_setxattr, "setxattr" },
	{ 189, 1, in_setxattr, "lsetxattr" },
	{ 190, 1, in_fsetxattr, "fsetxattr" },
	{ 191, 1, in_setxattr, "getxattr" },
	{ 192, 1, in_setxattr, "lgetxattr" },
	{ 193, 1, in_fsetxattr, "fgetxattr" },
	{ 194, 1, in_listxattr, "listxattr" },
	{ 195, 1, in_listxattr, "llistxattr" },
	{ 196, 1, in_flistxattr, "flistxattr" },
	{ 197, 1, in_setxattr, "removexattr" },
	{ 198, 1, in_setxattr, "lremovexattr" },
	{ 199, 1, in_fsetxattr, "fremovexattr" },
	{ PROTO_VFS_EXEC_OPEN, 1, in_exec_open, "exec_open" },
	{ PROTO_VFS_PROC_OPENED, 1, in_proc_opened, "proc_opened" },
	{ PROTO_VFS_PROC_LINKED, 1, in_linked, "proc_linked" },
	{ PROTO_VFS_PROC_FDS, 1, in_proc_fds, "proc_fds" },
	{ PROTO_VFS_NODE, 1, in_node, "node" },
	{ PROTO_VFS_PTS_PEER, 1, in_pts_peer, "pts_peer" },
	{ PROTO_VFS_NAMES, 1, in_names, "names" },
};

const size_t request_table_size = sizeof request_table / sizeof request_table[0];
