# SPDX-License-Identifier: MIT
# The driver of virtio network devices.

virtio-net_CPPFLAGS := -Isysroot/libdrv -Inetstack/drivers/virtio_net
$(call native_server,virtio-net,$(wildcard netstack/drivers/virtio_net/*.c) $(LIBDRV_SOURCES))
