# SPDX-License-Identifier: MIT
# The process server, the supervisor and the console driver; and what the system-call table makes.

POSIX_SOURCES := posix/main.c posix/recover.c $(wildcard $(addprefix posix/,proc/*.c signal/*.c syscall/*.c time/*.c tty/*.c procfs/*.c misc/*.c))
# Its state is what its stores change: see sysroot/libsrv/state.h. The loop's parked calls and timers belong to it.
POSIX_SOURCES += sysroot/libsrv/parked.c sysroot/libsrv/timer.c
posix_CPPFLAGS = -I. $(STATE_HOOKS)
posix_LDLIBS = $(STATE_WRAPS)
$(call native_server,posix,$(POSIX_SOURCES))
$(call native_server,supervisor,$(wildcard posix/supervisor/*.c posix/supervisor/*.S))
$(call native_server,serial,$(wildcard posix/drivers/serial/*.c))

SYSCALL_TABLE := posix/syscall/syscalls.def
SYSCALL_AWK   := posix/syscall/generate.awk
GENERATED     += $(GEN)/shortcuts.h $(GEN)/syscall_names.h

$(GEN)/shortcuts.h: $(SYSCALL_TABLE) $(SYSCALL_AWK)
	@mkdir -p $(@D)
	@awk -v what=shortcuts -f $(SYSCALL_AWK) $< > $@

$(GEN)/syscall_names.h: $(SYSCALL_TABLE) $(SYSCALL_AWK)
	@mkdir -p $(@D)
	@awk -v what=names -f $(SYSCALL_AWK) $< > $@

# Committed, so that it can be read on the web; make test checks that it is current.
doc/conformance.md: $(SYSCALL_TABLE) $(SYSCALL_AWK)
	@awk -v what=conformance -f $(SYSCALL_AWK) $< > $@

# The logic of processes, groups and signals on the host, over a kernel that only takes notes.
POSIX_LOGIC := tests/host/posix_mock.c sysroot/libsrv/parked.c $(addprefix posix/,proc/process.c proc/cred.c proc/session.c proc/wait.c \
               proc/exit.c signal/send.c signal/stop.c signal/sigqueue.c)
$(foreach t,posix_wait posix_jobcontrol posix_signal posix_caller,$(call host_test,$t,tests/host/$t.c $(POSIX_LOGIC)))
# Terminals and pseudo-terminals over the same kernel, with callers whose pages come and go.
$(call host_test,pty,tests/host/pty.c sysroot/libsrv/ioctl.c $(wildcard posix/tty/*.c) $(POSIX_LOGIC))
syscall_table_CPPFLAGS := -DSOURCE_TOP='"$(CURDIR)"'
$(call host_test,syscall_table,tests/host/syscall_table.c)
