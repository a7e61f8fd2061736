# SPDX-License-Identifier: MIT
# The kernel's own tests: a native server in a boot archive of its own, without POSIX.

SHIPPED_SERVERS := $(SERVERS)
$(call native_server,ktest,$(wildcard tests/kernel/*.c))
SERVERS := $(SHIPPED_SERVERS)

KTEST_ARCHIVE := $(BUILD)/tests/kernel/boot.cpio
KTEST_ROOT    := $(BUILD)/tests/kernel/root

$(KTEST_ARCHIVE): $(BUILD)/servers/ktest.elf $(BUILD)/servers/supervisor.elf tests/kernel/manifest $(MKARCHIVE)
	@rm -rf $(KTEST_ROOT) && mkdir -p $(KTEST_ROOT)/sbin/troupe $(KTEST_ROOT)/etc/troupe
	@cp $(BUILD)/servers/ktest.elf $(BUILD)/servers/supervisor.elf $(KTEST_ROOT)/sbin/troupe
	@cp tests/kernel/manifest $(KTEST_ROOT)/etc/troupe/manifest
	@$(MKARCHIVE) -o $@ $(KTEST_ROOT)
