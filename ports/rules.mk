# SPDX-License-Identifier: MIT
# One stamp per port: build/ports/NAME/.done. musl and newlib are the toolchains, lwIP is built into
# the network server; every other port is built with the musl sysroot and its files go into the root
# file system.

PORT_NAMES   := $(patsubst ports/%/recipe,%,$(wildcard ports/*/recipe))
ROOTFS_PORTS := $(filter-out musl newlib lwip,$(PORT_NAMES))
PORT_STAMPS  := $(PORT_NAMES:%=$(BUILD)/ports/%/.done)

define port_rules
$(BUILD)/ports/$1/.done: $(wildcard ports/$1/* ports/$1/*/*) ports/build | $(HOST_STAMP)
	@JOBS=$(JOBS) sysroot/tools/step "$(or $(shell sed -n 's/^label="\(.*\)"/\1/p' ports/$1/recipe),$1)" \
		$(BUILD)/log/port-$1.log ports/build $1 $(BUILD)
	@touch $$@
endef
$(foreach port,$(PORT_NAMES),$(eval $(call port_rules,$(port))))

$(ROOTFS_PORTS:%=$(BUILD)/ports/%/.done): $(SYSROOT_STAMP)
$(SYSROOT_STAMP): $(wildcard sysroot/musl/*)
$(NATIVE_STAMP): sysroot/newlib/install sysroot/newlib/gcc sysroot/newlib/clang
