# SPDX-License-Identifier: MIT
# The VFS server, and the tests of its logic on the host.

VFS_FOLDERS := vfs/socket vfs/core vfs/fs/tmpfs vfs/fs/devfs vfs/fs/devpts vfs/fs/fifo vfs/fs/eventfd vfs/fs/procfs
VFS_LOGIC   := $(foreach folder,$(VFS_FOLDERS),$(wildcard $(folder)/*.c))
VFS_INCLUDE := $(addprefix -I,$(VFS_FOLDERS))

vfs_CPPFLAGS := $(VFS_INCLUDE)
$(call native_server,vfs,vfs/main.c $(VFS_LOGIC))

# The logic, the server loop and the state arena as they are, over a mock kernel.
VFS_HOST := $(VFS_LOGIC) $(addprefix sysroot/libsrv/,server.c start.c parked.c timer.c state.c outbox.c cpio.c ioctl.c credentials.c inherited.c) \
	tests/host/kernel_mock.c tests/host/vfs_check.c
$(foreach test,vfs vfs_linux vfs_fuzz vfs_socket,$(eval $(test)_test_CPPFLAGS := $(VFS_INCLUDE) -Itests/host) \
	$(call host_test,$(test)_test,tests/host/$(test).c $(VFS_HOST)))

$(call host_test,state_test,tests/host/state.c sysroot/libsrv/state.c sysroot/libsrv/start.c)
