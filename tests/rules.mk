# SPDX-License-Identifier: MIT
# make test, test-linux, bench. Guest programs are tests/guest/NAME.c, each linked with test.c
# there; host tests beside the code they test are declared by their folder's rules.mk, those in
# tests/host by tests/host/rules.mk.

-include tests/host/rules.mk
include tests/kernel/rules.mk

GUEST_NAMES := $(filter-out test,$(patsubst tests/guest/%.c,%,$(wildcard tests/guest/*.c)))
$(foreach name,$(GUEST_NAMES),$(call guest_program,$(name),tests/guest/$(name).c tests/guest/test.c))

# --- what the harness itself brings into the guest ----------------------------------------

HARNESS       := $(BUILD)/tests/harness
HARNESS_FILES := $(HARNESS)/runner $(HARNESS)/wire $(HARNESS)/hello-static $(HARNESS)/hello-static-pie \
                 $(HARNESS)/hello-dynamic $(BUILD)/tests/busybox-static

$(HARNESS)/runner $(HARNESS)/wire: $(HARNESS)/%: tests/harness/%.c $(SYSROOT_STAMP)
	@echo "  CC(guest) $<"
	@mkdir -p $(@D)
	@$(GUEST_CC) $(GUEST_CFLAGS) -static -o $@ $<

$(HARNESS)/hello-static $(HARNESS)/hello-static-pie: $(HARNESS)/hello-%: tests/harness/hello.c $(SYSROOT_STAMP)
	@mkdir -p $(@D)
	@$(GUEST_CC) $(GUEST_CFLAGS) -$* -o $@ $<

$(HARNESS)/hello-dynamic: tests/harness/hello.c $(SYSROOT_STAMP)
	@mkdir -p $(@D)
	@$(GUEST_CC) $(GUEST_CFLAGS) -o $@ $<

# A static binary that is not ours: Debian's own, taken out of its package as it is.
$(BUILD)/tests/busybox-static: | $(HOST_STAMP)
	@mkdir -p $(@D)/deb
	@dpkg-deb -x "$$(ports/fetch --deb busybox-static)" $(@D)/deb
	@mv $(@D)/deb/bin/busybox $@ && rm -rf $(@D)/deb && touch $@

# Debian's cloud kernel: the oracle, and the rival in make bench. Its network drivers are modules;
# they go to linux/root/lib/modules with numbers in front, in the order in which they are loaded
# (/etc/init.d/linux does it).
LINUX_MODULES := virtio/virtio virtio/virtio_ring virtio/virtio_pci_modern_dev \
                 virtio/virtio_pci_legacy_dev virtio/virtio_pci virtio/virtio_mmio \
                 core/failover net/net_failover net/virtio_net

$(BUILD)/linux/vmlinuz: tests/rules.mk | $(HOST_STAMP)
	@rm -rf $(@D) && mkdir -p $(@D)/deb $(@D)/root/lib/modules
	@dpkg-deb -x "$$(ports/fetch --kernel)" $(@D)/deb
	@number=10; for module in $(LINUX_MODULES); do \
		cp $(@D)/deb/lib/modules/*/kernel/*/$$module.ko \
			$(@D)/root/lib/modules/$$number-$${module##*/}.ko || exit 1; \
		number=$$((number + 1)); \
	done
	@mv $(@D)/deb/boot/vmlinuz-* $@ && rm -rf $(@D)/deb && touch $@

# --- running ------------------------------------------------------------------------------

SUITE = python3 -B tests/harness/suite.py --build $(BUILD) --host "$(HOST_TESTS)" \
	--guest "$(GUEST_PROGRAMS)" --smp "$(or $(SMP),1 2)" --only "$(ONLY)" --stages "$(STAGES)" \
	--jobs $(JOBS) $(SUITE_OPTIONS)

.PHONY: test test-linux bench test-build

# What only the tests need: installed when they are first run.
HOST_TEST_STAMP := $(BUILD)/host-test.stamp
$(HOST_TEST_STAMP): sysroot/tools/host-packages
	@COMPILER=$(COMPILER) sysroot/tools/host-packages test
	@mkdir -p $(@D) && touch $@

test-build: $(HOST_TEST_STAMP) $$(HOST_TESTS) $$(GUEST_PROGRAMS) $(HARNESS_FILES) $(ROOTFS)/.done $(ARCHIVE) $(MKARCHIVE)

test: $(KERNEL) $(KTEST_ARCHIVE) test-build
	@$(SUITE)

test-linux: test-build $(BUILD)/linux/vmlinuz
	@$(SUITE) --linux

BENCH := $(BUILD)/tests/bench/bench
BENCH_SOURCES := $(wildcard tests/bench/*.c)
$(call compile,$(BUILD)/tests/bench/objects,$(BENCH_SOURCES),$(GUEST_CC),$(GUEST_CFLAGS),CC(guest),$(SYSROOT_STAMP))
$(BENCH): $(call objects,$(BUILD)/tests/bench/objects,$(BENCH_SOURCES))
	@echo "  LD(guest) $@"
	@$(GUEST_CC) -static -o $@ $^

bench: $(KERNEL) $(BENCH) test-build $(BUILD)/linux/vmlinuz
	@python3 -B tests/bench/run.py --build $(BUILD) $(BENCH_OPTIONS)
