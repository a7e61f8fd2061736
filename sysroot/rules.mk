# SPDX-License-Identifier: MIT
# What every other rules.mk builds on.
#
# Macros, called at the left margin of a rules.mk:
#
#   $(call native_server,NAME,SOURCES)   build/servers/NAME.elf: a server on newlib and libsrv,
#                                        put into the boot archive as /sbin/troupe/NAME.elf
#   $(call host_test,NAME,SOURCES)       build/tests/host/NAME: host gcc, ASan and UBSan; run by
#                                        make test (exit status 0 is a pass; see tests/harness)
#   $(call guest_program,NAME,SOURCES)   build/tests/guest/NAME: static musl; run by make test
#   $(call objects,FOLDER,SOURCES)       the names of the objects of SOURCES under FOLDER
#   $(call compile,FOLDER,SOURCES,COMPILER,FLAGS,LABEL)   rules for these objects (.c and .S),
#                                        with header dependencies
#
# SOURCES are named from the top of the tree and may be generated (build/gen/...). One program
# takes more flags through NAME_CPPFLAGS or NAME_LDLIBS (target NAME, `=` or `:=`, before or
# after the call). Objects of a program lie in a folder of its own, so two programs may share
# sources.
#
# Variables to use: BUILD, GEN (build/gen, in every include path), WARNINGS, SYSROOT_STAMP,
# NATIVE_STAMP (depend on these for the toolchains), NATIVE_CC, GUEST_CC, COMPILER_STAMP (what
# COMPILER= says: kernel and servers depend on it).
# Variables to add to: GENERATED (files that must exist before anything is compiled),
# DEBUG_SYMBOLS (ELF files that make debug loads), ROOTFS_FILES (FILE:/path/in/root).

GEN            := $(BUILD)/gen
SYSROOT        := $(BUILD)/sysroot
SYSROOT_STAMP  := $(BUILD)/ports/musl/.done
NATIVE         := $(BUILD)/native
NATIVE_STAMP   := $(BUILD)/ports/newlib/.done
COMPILER_STAMP := $(BUILD)/compiler-$(COMPILER)$(STATE_CRASH:%=-crash-%).stamp
HOST_STAMP     := $(BUILD)/host-$(COMPILER).stamp

GUEST_CC       := $(SYSROOT)/bin/x86_64-troupe-linux-musl-gcc
NATIVE_CC      := $(NATIVE)/bin/x86_64-elf-$(COMPILER)
NATIVE_LD      := $(NATIVE)/bin/x86_64-elf-gcc
HOST_CC        := gcc

INCLUDES       := -Ikernel/abi -Isysroot/proto -Isysroot/libsrv -I$(GEN)
# No SSE in servers: each switch between two users of the FPU costs a trap, a save and a load.
# make STATE_CRASH=N: for tests, servers under STATE_HOOKS die about every N stores (sysroot/libsrv/hook.c).
NATIVE_CFLAGS  := $(if $(STATE_CRASH),-DSTATE_CRASH=$(STATE_CRASH)) -std=gnu17 -O2 -g -fno-omit-frame-pointer -ffunction-sections -fdata-sections \
                  -mgeneral-regs-only $(WARNINGS) $(INCLUDES)
GUEST_CFLAGS   := -std=gnu17 -O2 -g $(WARNINGS) -Itests/guest -I$(GEN)
HOST_CFLAGS    := -std=gnu17 -O1 -g $(WARNINGS) -fsanitize=address,undefined \
                  -fno-sanitize-recover=all -fno-omit-frame-pointer -DHOST_TEST -I. $(INCLUDES)

GENERATED      :=
SERVERS        :=
HOST_TESTS     :=
GUEST_PROGRAMS :=
DEBUG_SYMBOLS  :=
ROOTFS_FILES   := $(patsubst %,%:/etc/troupe/manifest,$(wildcard posix/supervisor/manifest))

# --- host packages ------------------------------------------------------------------------

$(HOST_STAMP): sysroot/tools/host-packages
	@COMPILER=$(COMPILER) sysroot/tools/host-packages
	@mkdir -p $(@D) && touch $@

# An empty makefile: including it has make install what is missing before it reads the rules of
# the folders, some of which ask the compiler, and start again.
ifeq ($(filter clean distclean help ssh,$(MAKECMDGOALS)),)
include $(HOST_STAMP)
endif

# --- compiling ----------------------------------------------------------------------------

objects = $(patsubst %,$1/%.o,$(basename $2))

# $(call compile_one,OBJECT,SOURCE,COMPILER,FLAGS,LABEL,STAMPS)
define compile_one
$1: $2 $6 | generated
	@echo "  $5 $2"
	@mkdir -p $$(@D)
	@$3 $4 -MMD -MP -c $2 -o $$@
-include $(1:.o=.d)
endef

# $(call compile,FOLDER,SOURCES,COMPILER,FLAGS,LABEL[,STAMPS])
compile = $(foreach source,$2,$(eval $(call \
	compile_one,$(call objects,$1,$(source)),$(source),$3,$4,$(or $5,CC     ),$6)))

$(COMPILER_STAMP):
	@mkdir -p $(@D)
	@rm -f $(BUILD)/compiler-*.stamp
	@touch $@

# --- native servers -----------------------------------------------------------------------

LIBSRV         := $(BUILD)/servers/libsrv.a
LIBSRV_SOURCES  = $(wildcard sysroot/libsrv/*.c sysroot/libsrv/*.S sysroot/newlib/*.c sysroot/newlib/*.S)
NATIVE_LDFLAGS := -static -nostdlib -T sysroot/newlib/server.ld -Wl,--gc-sections \
                  -Wl,-z,noexecstack -Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments \
                  -Wl,--build-id=none -g

$(call compile,$(BUILD)/servers/libsrv,$(LIBSRV_SOURCES),$(NATIVE_CC),$(NATIVE_CFLAGS),CC     ,$(NATIVE_STAMP) $(COMPILER_STAMP))

$(LIBSRV): $(call objects,$(BUILD)/servers/libsrv,$(LIBSRV_SOURCES)) | $(NATIVE_STAMP)
	@echo "  AR      $@"
	@mkdir -p $(@D) && rm -f $@
	@ar rcs $@ $(filter %.o,$^)

# For drivers: they compile it in, with -Isysroot/libdrv among their CPPFLAGS.
LIBDRV_SOURCES := $(wildcard sysroot/libdrv/*.c)

# For a server whose stores are to be recorded (sysroot/libsrv/state.h): the address sanitizer's calls before each store, and nothing else of it.
STATE_HOOKS_gcc   := -fsanitize=kernel-address --param asan-instrumentation-with-call-threshold=0 --param asan-instrument-reads=0 \
                     --param asan-stack=0 --param asan-globals=0
STATE_HOOKS_clang := --target=x86_64-unknown-linux-gnu -U__linux__ -U__unix__ -fsanitize=kernel-address -mllvm -asan-instrumentation-with-call-threshold=0 -mllvm -asan-instrument-reads=0 \
                     -mllvm -asan-stack=0 -mllvm -asan-globals=0
STATE_HOOKS        = $(STATE_HOOKS_$(COMPILER)) -DSTATE_HOOKS -include arena.h
STATE_WRAPS       := -Wl,--wrap=memcpy,--wrap=memmove,--wrap=memset

# Where servers are linked: 128 MiB apart, all where non-PIC code reaches.
SERVER_BASES := $(foreach n,0 08 10 18 20 28 30 38 40 48 50 58 60 68 70 78,0x$n400000)

define native_server_rules
SERVERS += $1
$1_BASE := $(word $(words $(SERVERS) +),$(SERVER_BASES))
DEBUG_SYMBOLS += $(BUILD)/servers/$1.elf
$(call compile,$(BUILD)/servers/$1,$2,$(NATIVE_CC),$(NATIVE_CFLAGS) $$($1_CPPFLAGS),CC     ,$(NATIVE_STAMP) $(COMPILER_STAMP))
$(BUILD)/servers/$1.elf: $(call objects,$(BUILD)/servers/$1,$2) $(LIBSRV) sysroot/newlib/server.ld sysroot/newlib/hot.ld
	@echo "  LD      $$@"
	@$(NATIVE_LD) $(NATIVE_LDFLAGS) -Wl,--defsym=SERVER_BASE=$$($1_BASE) -o $$@ $(call objects,$(BUILD)/servers/$1,$2) \
		-Wl,--start-group $(LIBSRV) $$($1_LDLIBS) -lc -lm -lgcc -Wl,--end-group
endef
native_server = $(eval $(call native_server_rules,$(strip $1),$2))

# --- tests: on the host, in the guest -----------------------------------------------------

define host_test_rules
HOST_TESTS += $(BUILD)/tests/host/$1
$(call compile,$(BUILD)/tests/host/objects/$1,$2,$(HOST_CC),$(HOST_CFLAGS) $$($1_CPPFLAGS),CC(host))
$(BUILD)/tests/host/$1: $(call objects,$(BUILD)/tests/host/objects/$1,$2)
	@echo "  LD(host) $$@"
	@$(HOST_CC) -fsanitize=address,undefined -o $$@ $$^ $$($1_LDLIBS)
endef
host_test = $(eval $(call host_test_rules,$(strip $1),$2))

define guest_program_rules
GUEST_PROGRAMS += $(BUILD)/tests/guest/$1
$(call compile,$(BUILD)/tests/guest/objects/$1,$2,$(GUEST_CC),$(GUEST_CFLAGS) $$($1_CPPFLAGS),CC(guest),$(SYSROOT_STAMP))
$(BUILD)/tests/guest/$1: $(call objects,$(BUILD)/tests/guest/objects/$1,$2)
	@echo "  LD(guest) $$@"
	@$(GUEST_CC) -static -o $$@ $$^ $$($1_LDLIBS)
endef
guest_program = $(eval $(call guest_program_rules,$(strip $1),$2))

# --- the boot archive ---------------------------------------------------------------------

MKARCHIVE := $(BUILD)/tools/mkarchive

$(MKARCHIVE): sysroot/tools/mkarchive.c
	@echo "  CC(host) $<"
	@mkdir -p $(@D)
	@$(HOST_CC) -std=gnu17 -O2 $(WARNINGS) -o $@ $<

COLON := :

# The skeleton, the ports and the servers, laid out as they shall lie in the root.
ROOTFS := $(BUILD)/rootfs
SKELETON = $(shell find sysroot/rootfs -type f)
$(ROOTFS)/.done: $$(SKELETON) sysroot/tools/mkrootfs $$(PORT_STAMPS) $$(foreach s,$$(SERVERS),$(BUILD)/servers/$$s.elf) \
		$$(foreach f,$$(ROOTFS_FILES),$$(firstword $$(subst $$(COLON), ,$$f)))
	@echo "  ROOTFS  $(ROOTFS)"
	@sysroot/tools/mkrootfs $(BUILD) "$(ROOTFS_PORTS)" "$(SERVERS)" "$(ROOTFS_FILES)"
	@touch $@

# The keys of SSH go into the archive that people boot, and not into those of the tests. The tool
# is asked each time, and leaves files that say what they should as they are.
KEYS := $(BUILD)/ssh/known_hosts
KEYS_ROOT := $(BUILD)/ssh/root
KEYS_FILES := etc/dropbear/dropbear_ed25519_host_key root/.ssh/authorized_keys home/user/.ssh/authorized_keys

.PHONY: keys
keys: $(BUILD)/ports/dropbear/.done
	@sysroot/tools/mkkeys $(BUILD)
$(KEYS) $(KEYS_FILES:%=$(KEYS_ROOT)/%): keys ;

$(ARCHIVE): $(ROOTFS)/.done $(KEYS_FILES:%=$(KEYS_ROOT)/%) $(MKARCHIVE)
	@echo "  ARCHIVE $@"
	@$(MKARCHIVE) -t sysroot/rootfs/table -o $@ $(ROOTFS) $(KEYS_ROOT)
