# The kernel: every .c and .S below kernel/ (the vDSO apart) becomes build/kernel/troupe.elf.
# SPDX-License-Identifier: MIT

BUILD ?= build
COMPILER ?= gcc
KERNEL_LD ?= ld

KERNEL_ARCH ?= x86_64
KERNEL_BUILD := $(BUILD)/kernel
KERNEL_ARCH_DIR := kernel/arch/$(KERNEL_ARCH)
KERNEL_SOURCES := $(shell find kernel -path 'kernel/arch/*' -prune -o \( -name '*.c' -o -name '*.S' \) -print) \
	$(wildcard $(KERNEL_ARCH_DIR)/*.c $(KERNEL_ARCH_DIR)/*.S)
KERNEL_OBJECTS := $(patsubst kernel/%,$(KERNEL_BUILD)/%.o,$(sort $(KERNEL_SOURCES)))

# Immediately expanded once: asking the compiler costs a process each time.
KERNEL_CC_INCLUDE := $(shell $(COMPILER) -print-file-name=include)
KERNEL_INCLUDES := -nostdinc -isystem $(KERNEL_CC_INCLUDE) -Ikernel -I$(KERNEL_ARCH_DIR) -I$(KERNEL_BUILD) $(if $(GEN),-I$(GEN))
KERNEL_COMMON := -std=gnu17 -O2 -g -Wall -Wextra -Werror -ffreestanding -fno-stack-protector \
	-fno-omit-frame-pointer -fno-strict-aliasing -fcf-protection=none -MMD -MP
# Functions are inlined across files: each one that is called costs its code page and, under an emulator, a look-up.
KERNEL_LTO := $(if $(filter gcc,$(COMPILER)),-flto=auto -fno-fat-lto-objects)
KERNEL_CFLAGS := $(KERNEL_COMMON) -m64 -mno-red-zone -mgeneral-regs-only -mcmodel=kernel -fno-pic -fno-pie \
	-fno-asynchronous-unwind-tables -ffunction-sections $(KERNEL_INCLUDES) $(KERNEL_LTO) $(KERNEL_EXTRA)
VDSO_CFLAGS := $(KERNEL_COMMON) -m64 -fPIC -fvisibility=hidden \
	-fasynchronous-unwind-tables -mno-sse -mno-mmx -mno-80387 -fomit-frame-pointer $(KERNEL_INCLUDES)

# The compiler's flags are there when it links, for gcc -flto; clang would complain of those that mean nothing then.
KERNEL_LINK := $(if $(filter clang%,$(COMPILER)),-Qunused-arguments)

kernel: $(KERNEL_BUILD)/troupe.elf

$(KERNEL_BUILD)/troupe.elf: $(KERNEL_OBJECTS) kernel/kernel.ld kernel/hot.ld
	@echo "  LD      $@"
	@$(COMPILER) $(KERNEL_CFLAGS) $(KERNEL_LINK) -nostdlib -static -no-pie -fuse-ld=bfd -Wl,-z,max-page-size=4096 \
		-Wl,-z,noexecstack -Wl,--build-id=none -Wl,--no-warn-rwx-segments -T kernel/kernel.ld -o $@ $(KERNEL_OBJECTS)

$(KERNEL_BUILD)/%.c.o: kernel/%.c kernel/rules.mk $(COMPILER_STAMP) | generated
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(COMPILER) $(KERNEL_CFLAGS) -c $< -o $@

$(KERNEL_BUILD)/%.S.o: kernel/%.S kernel/rules.mk $(COMPILER_STAMP) | generated
	@mkdir -p $(@D)
	@echo "  AS      $<"
	@$(COMPILER) $(KERNEL_CFLAGS) -D__ASSEMBLER__ -c $< -o $@

# The vDSO is a shared object of its own, embedded into the kernel by vdso_image.S.
VDSO_SOURCES := $(wildcard $(KERNEL_ARCH_DIR)/vdso/*.c $(KERNEL_ARCH_DIR)/vdso/*.S)
VDSO_OBJECTS := $(patsubst kernel/%,$(KERNEL_BUILD)/%.o,$(sort $(VDSO_SOURCES)))
$(VDSO_OBJECTS): KERNEL_CFLAGS := $(VDSO_CFLAGS)

$(KERNEL_BUILD)/vdso.so: $(VDSO_OBJECTS) $(KERNEL_ARCH_DIR)/vdso/vdso.ld
	@echo "  LD      $@"
	@$(KERNEL_LD) -m elf_x86_64 -shared -nostdlib -Bsymbolic -z noexecstack -z max-page-size=4096 --hash-style=both \
		--build-id=none --eh-frame-hdr -soname linux-vdso.so.1 -s -T $(KERNEL_ARCH_DIR)/vdso/vdso.ld \
		-o $@ $(VDSO_OBJECTS)

$(KERNEL_BUILD)/arch/$(KERNEL_ARCH)/vdso_image.S.o: $(KERNEL_BUILD)/vdso.so

-include $(KERNEL_OBJECTS:.o=.d) $(VDSO_OBJECTS:.o=.d)
.PHONY: kernel
