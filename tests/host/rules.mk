# SPDX-License-Identifier: MIT
# Host tests of the servers' pure logic; see README.md here.

LDISC := $(wildcard posix/tty/ldisc*.c) posix/tty/tty_termios.c

$(call host_test,ldisc,tests/host/ldisc.c $(LDISC))
$(call host_test,ldisc_linux,tests/host/ldisc_linux.c $(LDISC))
$(call host_test,cpio,tests/host/cpio.c sysroot/libsrv/cpio.c)
$(call host_test,elf_image,tests/host/elf_image.c sysroot/libsrv/elf.c)
$(call host_test,sigframe,tests/host/sigframe.c posix/signal/sigframe.c)
$(call host_test,sigqueue,tests/host/sigqueue.c posix/signal/sigqueue.c)

# The loop of every server.
$(call host_test,server_loop,tests/host/server_loop.c $(addprefix sysroot/libsrv/,server.c start.c parked.c timer.c state.c outbox.c text.c))

# The kernel's data plane, over a core that faults, interrupts and kills at random.
DATA := tests/host/data_mock.c $(filter-out %/self_ops.c,$(wildcard kernel/data/*.c)) \
        kernel/core/timer.c kernel/core/handle.c kernel/core/object.c
DATA_TESTS := data_pipe data_rw data_poll data_futex
$(foreach t,$(DATA_TESTS),$(eval $t_CPPFLAGS := -Ikernel -Ikernel/arch/x86_64))
$(foreach t,$(DATA_TESTS),$(call host_test,$t,tests/host/$t.c $(DATA)))

# The kernel's memory management, over a machine of its own (tests/host/mm).
kernel_mm_CPPFLAGS := -Itests/host/mm -Ikernel -Ikernel/arch/x86_64
$(call host_test,kernel_mm,$(wildcard tests/host/mm/*.c) $(wildcard kernel/mm/*.c))

# Drivers' virtqueues, with the device played by the test.
virtqueue_CPPFLAGS := -Isysroot/libdrv
$(call host_test,virtqueue,tests/host/virtqueue.c sysroot/libdrv/virtqueue.c)

# How the supervisor finds devices, over configuration spaces that lie.
$(call host_test,devices,tests/host/devices.c $(addprefix posix/supervisor/,device.c pci.c))

# The network driver between a device and a network server that may both be broken.
virtio_net_CPPFLAGS := -Isysroot/libdrv -Inetstack/drivers/virtio_net
$(call host_test,virtio_net,tests/host/virtio_net.c $(addprefix netstack/drivers/virtio_net/,rings.c receive.c transmit.c) sysroot/libdrv/virtqueue.c)

# lwIP and what is around it, over a wire that the test plays; the fuzzer with a memory of its own.
NET_WIRE := tests/host/net_wire.c $(filter-out %/memory.c,$(wildcard netstack/lwip/*.c)) \
            $(addprefix netstack/interface/,interface.c configuration.c route.c neighbour.c rtnetlink.c netlink_writer.c) $(LWIP_SOURCES)
ifneq ($(LWIP_SOURCES),)
net_nic_CPPFLAGS  := $(LWIP_INCLUDE) -Inetstack/core
net_fuzz_CPPFLAGS := $(net_nic_CPPFLAGS) -Itests/host
$(call host_test,net_nic,tests/host/net_nic.c netstack/lwip/memory.c $(NET_WIRE))
$(call host_test,net_fuzz,tests/host/net_fuzz.c tests/host/net_memory.c $(NET_WIRE))
$(foreach t,net_nic net_fuzz,$(eval $(call lwip_flags,$(BUILD)/tests/host/objects/$t,$t)))
endif

# The network server's requests alone, taken back by the hundred.
net_request_CPPFLAGS = $(network_CPPFLAGS)
$(call host_test,net_request,tests/host/net_request.c netstack/core/request.c)

# The whole network server over a kernel that is played, under calls that make little sense.
network_fuzz_CPPFLAGS = $(network_CPPFLAGS)
$(call host_test,network_fuzz,tests/host/network_fuzz.c $(NETWORK_SOURCES) $(LWIP_SOURCES) \
	$(addprefix sysroot/libsrv/,server.c start.c parked.c timer.c state.c outbox.c text.c proc_text.c ioctl.c credentials.c))
$(eval $(call lwip_flags,$(BUILD)/tests/host/objects/network_fuzz,network_fuzz))
$(call objects,$(BUILD)/tests/host/objects/network_fuzz,netstack/main.c): network_fuzz_CPPFLAGS += -Dmain=network_main
