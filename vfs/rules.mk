# SPDX-License-Identifier: MIT
# The VFS server, and the tests of its logic on the host.

VFS_FOLDERS := vfs/core vfs/fs/tmpfs vfs/fs/devfs vfs/fs/fifo vfs/fs/procfs
VFS_LOGIC   := $(foreach folder,$(VFS_FOLDERS),$(wildcard $(folder)/*.c))
VFS_INCLUDE := $(addprefix -I,$(VFS_FOLDERS))

vfs_CPPFLAGS := $(VFS_INCLUDE)
$(call native_server,vfs,vfs/main.c $(VFS_LOGIC))
