# SPDX-License-Identifier: MIT
# Troupe. `make help` lists what can be asked for; sysroot/rules.mk explains the macros that
# the rules.mk of each folder uses.

BUILD    ?= build
# gcc or clang, for kernel and servers; changing it rebuilds just those.
COMPILER ?= gcc
JOBS     ?= $(shell nproc)

CACHE    := $(or $(TROUPE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/troupe)
KERNEL   := $(BUILD)/kernel/troupe.elf
ARCHIVE  := $(BUILD)/boot.cpio
WARNINGS := -Wall -Wextra -Werror

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDEXPANSION:
MAKEFLAGS += --no-builtin-rules --no-print-directory
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(JOBS)
endif

include sysroot/rules.mk
include ports/rules.mk
-include kernel/rules.mk
-include posix/rules.mk
-include vfs/rules.mk
-include netstack/rules.mk
include $(wildcard netstack/drivers/*/rules.mk)
include tests/rules.mk

.PHONY: all run ssh debug ports generated clean distclean help

all: $(KERNEL) $(ARCHIVE)

run: all
	@tests/harness/qemu --build $(BUILD) run $(QEMU)

# Into the machine that `make run` started last; ARGS="command" runs one: all of it there, pipes and semicolons included.
ssh:
	@tests/harness/qemu --build $(BUILD) ssh -- $(if $(ARGS),'$(subst ','\'',$(ARGS))')

debug: all
	@tests/harness/qemu --build $(BUILD) debug $(QEMU)

ports: $(PORT_STAMPS)

# Sources and headers that a table or a tool makes; every folder adds its own to GENERATED.
generated: $(GENERATED)

# The SSH keys stay: whoever has logged in knows the host by them.
clean:
	@mkdir -p $(BUILD)
	find $(BUILD) -mindepth 1 -maxdepth 1 ! -name ssh -exec rm -rf {} +

distclean:
	rm -rf $(BUILD) $(CACHE)

help:
	@sed -n 's/^#  //p' sysroot/help.txt
